package conformance

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/unicrm/unicrm/sdk/errs"
)

// fault is something that vendors do, and what a plugin may make of it.
type fault struct {
	name, title, advice string
	// answer is what the vendor does with each request that is the method's
	// own: for a write those that change something, else all of them.
	answer func(v *visit, turn *turn)
	// reads, connection and writes are the outcomes that are right, separated
	// by blanks: reasons, or "success".
	reads, connection, writes string
	// status is the vendor's, which then has to come with the error.
	status int
	// writesSent is how many requests that change something may go out; 1 when
	// zero. A DELETE whose connection broke may go out once more.
	writesSent int
	// once says that a request must not be sent again at all.
	once bool
	// quick says that the answer must not use up the time of the call.
	quick bool
	// time is the call's deadline; callTime when zero.
	time time.Duration
	// also is a further demand.
	also func(x *trial, t *turn, a *answer)
	// closed means that nobody listens.
	closed bool
	// unreadable says that what came is no record: where "success" is right for
	// a write, it is not for one that makes a record and gives it.
	unreadable bool
}

// right are the outcomes that are right for a method.
func (f fault) right(m *method) string {
	switch {
	case m == connectionCheck:
		return f.connection
	case !m.writes():
		return f.reads
	case f.unreadable && (m.kind == create || m.kind == upsert):
		return strings.Join(without(strings.Fields(f.writes), []string{"success"}), " ")
	default:
		return f.writes
	}
}

// turn is one call with one fault.
type turn struct {
	x      *trial
	method *method
	door   *door
	hits   atomic.Int64 // requests on which the fault fell
	other  *door        // another host, which must stay without visitors
	own    func(*visit) bool
}

const (
	anyVendorReason = "vendor_rejected vendor_unauthenticated vendor_forbidden vendor_conflict vendor_precondition vendor_rate_limited vendor_unavailable vendor_timeout unexpected_vendor_answer"
	signIn          = "<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Sign in</h1></body></html>"
	byStatus        = "Go by the status, and attach the vendor's answer to the error (detail.vendor)."
	unreadableBody  = "Look at what a 2xx holds before it counts as an answer: a body that is not the vendor's JSON is UNEXPECTED_VENDOR_ANSWER. A proxy or a sign-in page answers 200 too."
	brokenOff       = "After a connection broke nobody knows whether a write took effect: answer OUTCOME_UNKNOWN. Send a DELETE once more at most, other writes never; reads may be sent again."
)

// says is a vendor's answer that never changes.
func says(status int, contentType, body string, header ...string) func(*visit, *turn) {
	return func(v *visit, _ *turn) { v.say(status, contentType, body, header...) }
}

func saysJSON(status int, header ...string) func(*visit, *turn) {
	return says(status, "application/json", `{"message":"conformance","code":"conformance"}`, header...)
}

// faults are the rows of the table. The reasons are those that errors.proto
// gives for such an answer, wherever a vendor's own words do not say more.
var faults = []fault{
	{
		name: "unreachable", title: "nobody listens at the vendor's address", closed: true,
		advice: "Answer VENDOR_UNAVAILABLE: nothing was sent, so nothing was changed. Give up well within the call's time.",
		reads:  "vendor_unavailable vendor_timeout", connection: "vendor_unavailable vendor_timeout", writes: "vendor_unavailable vendor_timeout",
	},
	{
		name: "silent", title: "the vendor takes the request and never answers",
		advice: "Give up shortly before the call's deadline: VENDOR_TIMEOUT for a read, OUTCOME_UNKNOWN for a write, which is not sent again.",
		answer: func(v *visit, t *turn) { v.wait(t.x.limit(callTime)) },
		reads:  "vendor_timeout", connection: "vendor_timeout", writes: "outcome_unknown", time: 1500 * time.Millisecond,
	},
	{
		name: "stalled", title: "the vendor stops in the middle of its answer",
		advice: "Let the call's deadline hold for the body too: VENDOR_TIMEOUT for a read, OUTCOME_UNKNOWN for a write.",
		answer: func(v *visit, t *turn) {
			v.w.Header().Set("Content-Type", "application/json")
			v.w.Header().Set("Content-Length", "1000")
			v.w.WriteHeader(http.StatusOK)
			_, _ = v.w.Write([]byte(`{"a":[`))
			_ = http.NewResponseController(v.w).Flush()
			v.wait(t.x.limit(callTime))
		},
		reads: "vendor_timeout", connection: "vendor_timeout", writes: "outcome_unknown success", time: 1500 * time.Millisecond, unreadable: true,
	},
	{
		name: "cut-before", title: "the vendor closes every connection without a word", advice: brokenOff,
		answer: func(v *visit, _ *turn) { v.cut(nil) },
		reads:  "vendor_unavailable vendor_timeout", connection: "vendor_unavailable vendor_timeout", writes: "outcome_unknown", writesSent: 2, time: 6 * time.Second,
	},
	{
		name: "cut-during", title: "every connection breaks in the middle of the answer", advice: brokenOff,
		answer: func(v *visit, _ *turn) { v.cut(v.fetch().half()) },
		reads:  "vendor_unavailable vendor_timeout unexpected_vendor_answer", connection: "vendor_unavailable vendor_timeout unexpected_vendor_answer",
		writes: "outcome_unknown unexpected_vendor_answer success", writesSent: 2, time: 6 * time.Second, unreadable: true,
	},
	{
		name: "cut-after", title: "the vendor acts on the first request and closes the connection without a word; then it works again",
		advice: brokenOff + " A second DELETE that finds nothing is a success with result.already_deleted, not RECORD_NOT_FOUND.",
		answer: func(v *visit, t *turn) {
			if t.hits.Load() > 1 {
				v.pass()
				return
			}
			v.fetch()
			v.cut(nil)
		},
		reads: "success vendor_unavailable", connection: "success vendor_unavailable", writes: "success outcome_unknown", writesSent: 2,
		also: func(x *trial, t *turn, a *answer) {
			visits := t.door.visits()
			last := visits[len(visits)-1]
			if (t.method.kind == remove || t.method.kind == removeMany) && a.ok() && last.reply != nil && last.reply.status >= 400 && !a.result.GetAlreadyDeleted() {
				x.problem("%s: the second request was answered %d, and the success does not say already_deleted", t.method, last.reply.status)
			}
		},
	},
	{
		name: "html", title: "the vendor answers 200 with a page of HTML", advice: unreadableBody,
		answer: says(http.StatusOK, "text/html; charset=utf-8", signIn),
		reads:  "unexpected_vendor_answer", connection: "unexpected_vendor_answer", writes: "unexpected_vendor_answer outcome_unknown success", unreadable: true,
	},
	{
		name: "empty", title: "the vendor answers 200 without a body", advice: unreadableBody,
		answer: func(v *visit, _ *turn) { v.write(reply{status: http.StatusOK}) },
		reads:  "unexpected_vendor_answer", connection: "unexpected_vendor_answer success", writes: "unexpected_vendor_answer outcome_unknown success", unreadable: true,
	},
	{
		name: "truncated", title: "the vendor's JSON ends in the middle", advice: unreadableBody,
		answer: func(v *visit, t *turn) {
			r := reply{status: http.StatusOK, body: []byte(`{"ok": tr`), header: http.Header{"Content-Type": {"application/json"}}}
			if !t.method.writes() {
				r = v.fetch()
				r.body = r.body[:len(r.body)/2]
			}
			v.write(r)
		},
		reads: "unexpected_vendor_answer", connection: "unexpected_vendor_answer success", writes: "unexpected_vendor_answer outcome_unknown success", unreadable: true,
	},
	{
		name: "foreign-json", title: "the vendor answers 200 with JSON of another kind", advice: unreadableBody,
		answer: says(http.StatusOK, "application/json", `"conformance"`),
		reads:  "unexpected_vendor_answer", connection: "unexpected_vendor_answer success", writes: "unexpected_vendor_answer outcome_unknown success", unreadable: true,
	},
	statusFault(400, "vendor_rejected", "vendor_precondition vendor_conflict"),
	statusFault(401, "vendor_unauthenticated", ""),
	statusFault(403, "vendor_forbidden", "vendor_unauthenticated"),
	{
		name: "404", title: "the vendor answers 404", advice: byStatus + " A 404 for a record is RECORD_NOT_FOUND; for a list or a check it is the address that is wrong, so VENDOR_REJECTED.",
		answer: saysJSON(http.StatusNotFound), status: http.StatusNotFound,
		reads: "record_not_found unexpected_vendor_answer vendor_rejected", connection: "vendor_rejected unexpected_vendor_answer vendor_unavailable",
		writes: "record_not_found unexpected_vendor_answer vendor_rejected",
		also: func(x *trial, t *turn, a *answer) {
			if !t.method.names() && a.reason() == errs.RecordNotFound {
				x.problem("%s: it answered record_not_found though no record was asked for", t.method)
			}
		},
	},
	statusFault(409, "vendor_conflict", "vendor_precondition vendor_rejected"),
	statusFault(422, "vendor_rejected", "vendor_precondition vendor_conflict"),
	statusFault(500, "vendor_unavailable", "unexpected_vendor_answer outcome_unknown"),
	{
		name: "502-html", title: "a proxy answers 502 with a page of HTML", advice: byStatus + " A message never holds HTML: make a sentence of your own.",
		answer: says(http.StatusBadGateway, "text/html", signIn), status: http.StatusBadGateway,
		reads: "vendor_unavailable", connection: "vendor_unavailable", writes: "vendor_unavailable outcome_unknown",
	},
	statusFault(503, "vendor_unavailable", "outcome_unknown"),
	statusFault(504, "vendor_unavailable", "vendor_timeout outcome_unknown"),
	{
		name: "503-retry-after", title: "the vendor answers 503 with Retry-After: 1 once, then works again", advice: waiting,
		answer: recovers(http.StatusServiceUnavailable), reads: "success vendor_unavailable", connection: "success vendor_unavailable", writes: "success vendor_unavailable outcome_unknown",
		writesSent: 2, also: waited,
	},
	{
		name: "503-retry-after-long", title: "the vendor answers 503 with Retry-After: 3600", advice: waiting,
		answer: saysJSON(http.StatusServiceUnavailable, "Retry-After", "3600"), status: http.StatusServiceUnavailable, once: true, quick: true,
		reads: "vendor_unavailable", connection: "vendor_unavailable", writes: "vendor_unavailable", also: tellsWait,
	},
	{
		name: "429", title: "the vendor answers 429 without Retry-After, every time", advice: byStatus + " Wait a growing time and give up within the call's, after three more tries at most.",
		answer: saysJSON(http.StatusTooManyRequests), status: http.StatusTooManyRequests,
		reads: "vendor_rate_limited", connection: "vendor_rate_limited", writes: "vendor_rate_limited", writesSent: 4, time: 6 * time.Second,
	},
	{
		name: "429-retry-after", title: "the vendor answers 429 with Retry-After: 1 once, then works again", advice: waiting,
		answer: recovers(http.StatusTooManyRequests), reads: "success vendor_rate_limited", connection: "success vendor_rate_limited", writes: "success vendor_rate_limited",
		writesSent: 2, also: waited,
	},
	{
		name: "429-retry-after-long", title: "the vendor answers 429 with Retry-After: 3600", advice: waiting,
		answer: saysJSON(http.StatusTooManyRequests, "Retry-After", "3600"), status: http.StatusTooManyRequests, once: true, quick: true,
		reads: "vendor_rate_limited", connection: "vendor_rate_limited", writes: "vendor_rate_limited", also: tellsWait,
	},
	{
		name: "redirect", title: "the vendor redirects to another host", advice: "Follow redirects of reads to the very same scheme, host and port alone, and never those of writes; anything else is UNEXPECTED_VENDOR_ANSWER. Credentials would go along.",
		answer: func(v *visit, t *turn) {
			v.say(http.StatusTemporaryRedirect, "text/plain", "", "Location", t.other.url+v.URL.RequestURI())
		},
		reads: anyVendorReason, connection: anyVendorReason, writes: anyVendorReason + " outcome_unknown", writesSent: 1,
		also: func(x *trial, t *turn, _ *answer) {
			if n := len(t.other.visits()); n > 0 {
				x.problem("%s: the other host had %d visits: %v", t.method, n, t.other.visits())
			}
		},
	},
	{
		name: "redirected-write", title: "the vendor answers a write with a redirect to a sign-in page", advice: "Never follow the redirect of a write: it becomes a read, whose success says nothing of the write.",
		answer: func(v *visit, _ *turn) {
			if strings.HasSuffix(v.URL.Path, "/conformance-sign-in") {
				v.say(http.StatusOK, "application/json", "{}")
				return
			}
			v.say(http.StatusFound, "text/plain", "", "Location", "/conformance-sign-in")
		},
		writes: anyVendorReason + " outcome_unknown",
	},
	{
		name: "foreign-links", title: "the vendor's links lead to another host", advice: "Hold next-page links to the host in use and to allowed_hosts, or take the cursor out of them; credentials would go along.",
		answer: func(v *visit, t *turn) {
			r := v.fetch()
			r.body = []byte(strings.ReplaceAll(string(r.body), t.door.url, t.other.url))
			v.write(r)
		},
		reads: "success " + anyVendorReason, connection: "success " + anyVendorReason, writes: "success " + anyVendorReason,
		also: func(x *trial, t *turn, a *answer) {
			if a.ok() && a.next != "" {
				c := a.call
				c.token = a.next
				x.do(c)
			}
			if n := len(t.other.visits()); n > 0 {
				x.problem("%s: the other host had %d visits: %v", t.method, n, t.other.visits())
			}
		},
	},
}

const waiting = "Wait for Retry-After where that fits the call's deadline, never less; where it does not fit answer at once, with retry_after in the error."

// statusFault is an answer with a status and a body that says nothing more.
func statusFault(status int, right, others string) fault {
	all := strings.TrimSpace(right + " " + others)
	return fault{
		name: fmt.Sprint(status), title: fmt.Sprintf("the vendor answers %d", status), advice: byStatus + " Here: " + strings.ToUpper(right) + ".",
		answer: saysJSON(status), status: status, reads: right, connection: right, writes: all,
	}
}

// recovers asks to wait a second, once.
func recovers(status int) func(*visit, *turn) {
	refuse := saysJSON(status, "Retry-After", "1")
	return func(v *visit, t *turn) {
		if t.hits.Load() > 1 {
			v.pass()
			return
		}
		refuse(v, t)
	}
}

// waited holds the second request to the wait that the first one was told.
func waited(x *trial, t *turn, _ *answer) {
	visits := t.door.visits()
	for i := range visits {
		if visits[i].reply == nil || visits[i].reply.header.Get("Retry-After") == "" || i+1 >= len(visits) {
			continue
		}
		if wait := visits[i+1].at.Sub(visits[i].at); wait < 950*time.Millisecond {
			x.problem("%s: told to wait for 1 s it came again after %s", t.method, wait.Round(time.Millisecond))
		}
	}
}

// tellsWait holds an error to the vendor's Retry-After.
func tellsWait(x *trial, t *turn, a *answer) {
	if wait := a.detail.GetRetryAfter().AsDuration(); wait < 50*time.Minute || wait > 70*time.Minute {
		x.problem("%s: the vendor said Retry-After: 3600 and the error's retry_after is %s", t.method, wait)
	}
}

var faultChecks = func() []check {
	var all []check
	for _, f := range faults {
		all = append(all, check{
			name: "faults/" + f.name, title: f.title + ": the outcome is right, and nothing is sent that must not be", advice: f.advice,
			needs: needsVendor, run: f.run,
		})
	}
	return all
}()

func (f fault) run(x *trial) {
	each(x.asking(), func(m *method) {
		right := f.right(m)
		if right == "" {
			return
		}
		t := &turn{x: x, method: m, other: x.vendor.open(func(v *visit) { v.say(http.StatusOK, "application/json", "{}") })}
		t.door = x.vendor.open(func(v *visit) {
			if m.writes() && t.hits.Load() == 0 && !t.own(v) {
				v.pass() // a look before the write
				return
			}
			t.hits.Add(1)
			f.answer(v, t)
		})
		defer t.other.close()
		defer t.door.close()
		address := t.door.url
		if f.closed {
			address = nobody
		}
		c, there := x.about(m, x.account(address))
		if !there {
			return
		}
		t.own = x.own(x.ctx, c)
		c.time, c.extra = x.deadline(f.time), x.limit(5*time.Second)
		c.size = 5
		f.judge(x, t, x.do(c), right)
	})
}

// judge holds an outcome to the table.
func (f fault) judge(x *trial, t *turn, a *answer, right string) {
	m := t.method
	if !contains(strings.Fields(right), a.outcome()) {
		x.problem("%s answered %s; right would be %s", m, a, strings.ReplaceAll(right, " ", ", "))
	}
	if f.status != 0 && !a.ok() && int(a.detail.GetVendor().GetStatus()) != f.status {
		x.problem("%s: the error does not hold the vendor's answer of %d (detail.vendor)", m, f.status)
	}
	if isHTML(a.message) {
		x.problem("%s: the message holds HTML: %.100q", m, a.message)
	}
	if f.quick && a.took > x.limit(3*time.Second) {
		x.problem("%s: it took %s, though waiting could not help", m, a.took.Round(time.Millisecond))
	}
	sent := map[string]int{}
	for _, v := range t.door.visits() {
		sent[v.String()]++
	}
	for what, n := range sent {
		most := 4
		if f.once {
			most = 1
		}
		if n > most {
			x.problem("%s: it sent %s %d times; %d is the most here", m, what, n, most)
		}
	}
	if m.writes() {
		most, n := max(f.writesSent, 1), 0
		for _, v := range t.door.visits() {
			if t.own(v) {
				n++
			}
			if t.own(v) && v.Method != http.MethodDelete && f.writesSent == 2 && f.status == 0 && strings.HasPrefix(f.name, "cut") {
				most = 1 // only a DELETE may go out once more
			}
		}
		if n > most {
			x.problem("%s: it sent %d requests that may change something; %d is the most here", m, n, most)
		}
	}
	if f.also != nil {
		f.also(x, t, a)
	}
}
