package conformance

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/unicrm/unicrm/sdk/errs"
)

// maxBody is what a plugin reads of one answer of the vendor at most, in bytes.
const maxBody = 16 << 20

// answerChecks are about records and answers of unusual size and make. The
// vendor's own answers are changed on their way to the plugin.
var answerChecks = []check{
	{
		name:   "answers/huge-records",
		title:  "a record of 8 MiB comes through, and huge texts in known fields do no harm",
		advice: "Allow the vendor's answers 16 MiB and gRPC messages 40 MiB, both ways; set the cap on sent messages too.",
		needs:  needsVendor,
		run:    hugeRecords,
	},
	{
		name:   "answers/tiny-records",
		title:  "records with nothing but an id do no harm",
		advice: "Take every field of the vendor's record but its id for optional: null, absent, empty text, empty list.",
		needs:  needsVendor,
		run:    tinyRecords,
	},
	{
		name:   "answers/odd-records",
		title:  "records with wrong types, deep nesting, odd text or unknown fields do no harm",
		advice: "Read the vendor's JSON forgivingly (sdk/vendorjson), give only valid UTF-8 in texts, and answer UNEXPECTED_VENDOR_ANSWER where nothing can be made of a record.",
		needs:  needsVendor,
		run:    oddRecords,
	},
	{
		name:   "answers/huge-answers",
		title:  "an answer without end, or one that unpacks to too much, is given up at 16 MiB",
		advice: "Read at most 16 MiB of an answer, unpacked, then close the connection; answer UNEXPECTED_VENDOR_ANSWER, or OUTCOME_UNKNOWN for a write.",
		needs:  needsVendor,
		alone:  true,
		run:    hugeAnswers,
	},
	{
		name:   "answers/look-ups",
		title:  "a look-up beside the main call that fails does not fail the record, and one after a write does not hide that it was done",
		advice: "When names of companies, users or labels cannot be had, keep the record, leave the name out and set result.partial. Where the record itself cannot be read after a write, answer OUTCOME_UNKNOWN or UNEXPECTED_VENDOR_ANSWER: upon any other reason callers write again.",
		needs:  needsVendor,
		run:    lookUps,
	},
}

// mutate gives a JSON text with each scalar replaced by what a function makes
// of it. What is no JSON stays as it is.
func mutate(body []byte, change func(scalar any) any) []byte {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var root any
	if dec.Decode(&root) != nil {
		return body
	}
	var walk func(value any) any
	walk = func(value any) any {
		switch v := value.(type) {
		case map[string]any:
			for key, inner := range v {
				v[key] = walk(inner)
			}
		case []any:
			for i, inner := range v {
				v[i] = walk(inner)
			}
		default:
			return change(value)
		}
		return value
	}
	return encode(walk(root), body)
}

// textOf is a scalar's text, however it is written; "" for others.
func textOf(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// changeRecords gives a JSON text with its records changed: the outermost
// objects that have one of the ids as a value. Of several records those in an
// array come first, for a total or an offset around them may be alike to an id.
func changeRecords(body []byte, ids []string, change func(record map[string]any)) []byte {
	var root any
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if dec.Decode(&root) != nil {
		return body
	}
	changed := false
	var walk func(value any, may bool)
	walk = func(value any, may bool) {
		switch v := value.(type) {
		case []any:
			for _, inner := range v {
				walk(inner, true)
			}
		case map[string]any:
			for _, inner := range v {
				if text := textOf(inner); may && text != "" && contains(ids, text) {
					change(v)
					changed = true
					return
				}
			}
			for _, inner := range v {
				walk(inner, may)
			}
		}
	}
	if walk(root, len(ids) == 1); !changed {
		walk(root, true)
	}
	return encode(root, body)
}

// encode writes JSON as vendors do, without escapes that are meant for HTML;
// fallback is for what cannot be written.
func encode(value any, fallback []byte) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(value) != nil {
		return fallback
	}
	return b.Bytes()
}

// addToRecords gives each record a further field, whose value is JSON.
func addToRecords(body []byte, ids []string, name, value string) []byte {
	return changeRecords(body, ids, func(record map[string]any) { record[name] = json.RawMessage(value) })
}

// changed makes a call while the vendor's main answer is changed on its way.
// It is nil where the main answer is not known.
func (x *trial) changed(c call, change func(body []byte) []byte) *answer {
	main := x.mainOf(c)
	if main == nil {
		return nil
	}
	d := x.vendor.open(main.change(change))
	defer d.close()
	c.account = x.account(d.url)
	return x.do(c)
}

// readable notes an outcome that is neither records nor a reason that fits an
// answer of which nothing can be made.
func (x *trial) readable(m *method, what string, a *answer) {
	switch a.reason() {
	case errs.UnexpectedVendorAnswer, errs.RecordNotFound:
		return
	}
	if !a.ok() {
		x.problem("%s: with %s it answered %s", m, what, a)
		return
	}
	for _, record := range a.records {
		x.sound(m, record)
	}
}

// readings are calls of every method that reads records.
func (x *trial) readings() []call {
	var calls []call
	for _, m := range x.of(list, get) {
		if c, there := x.about(m, nil); there {
			c.size = 5
			calls = append(calls, c)
		}
	}
	return calls
}

func (x *trial) idsOf(c call) []string {
	if c.id != "" {
		return []string{c.id}
	}
	if stock := x.stocks[c.method.resource]; stock != nil {
		return stock.all
	}
	return nil
}

func hugeRecords(x *trial) {
	for _, c := range x.readings() {
		m, ids := c.method, x.idsOf(c)
		c.size = 1
		big := `"` + strings.Repeat("8MiB", 2<<20) + `"`
		if a := x.changed(c, func(body []byte) []byte { return addToRecords(body, ids, "conformance_big", big) }); a != nil && !a.ok() {
			x.problem("%s: with a record of 8 MiB it answered %s", m, a)
		}
		huge := strings.Repeat("huge", 256<<10) // 1 MiB
		texts := 0
		a := x.changed(c, func(body []byte) []byte {
			return mutate(body, func(value any) any {
				if text, ok := value.(string); ok && !contains(ids, text) && !strings.Contains(text, "://") && texts < 7 {
					texts++
					return text + huge
				}
				return value
			})
		})
		if a != nil {
			x.readable(m, "texts of 1 MiB", a)
		}
	}
}

func tinyRecords(x *trial) {
	for _, c := range x.readings() {
		ids := x.idsOf(c)
		// keep tells what a record cannot do without: its id.
		keep := func(value any) bool { text := textOf(value); return text != "" && contains(ids, text) }
		tiny := map[string]func(record map[string]any){
			"records of an id alone": func(record map[string]any) {
				maps.DeleteFunc(record, func(_ string, value any) bool { return !keep(value) })
			},
		}
		for what, value := range map[string]any{"null": nil, "an empty text": "", "zero": 0, "an empty list": []any{}} {
			tiny[what+" for all but ids"] = func(record map[string]any) {
				for key, inner := range record {
					if !keep(inner) {
						record[key] = value
					}
				}
			}
		}
		for what, change := range tiny {
			if a := x.changed(c, func(body []byte) []byte { return changeRecords(body, ids, change) }); a != nil {
				x.readable(c.method, what, a)
			}
		}
	}
}

func oddRecords(x *trial) {
	for _, c := range x.readings() {
		m, ids := c.method, x.idsOf(c)
		keepIDs := func(change func(any) any) func([]byte) []byte {
			return func(body []byte) []byte {
				return mutate(body, func(value any) any {
					if text := textOf(value); text != "" && contains(ids, text) {
						return value
					}
					return change(value)
				})
			}
		}
		odd := map[string]func([]byte) []byte{
			"numbers for texts and texts for numbers": keepIDs(func(v any) any {
				switch v.(type) {
				case string:
					return 7
				case json.Number:
					return "seven"
				case bool:
					return "yes"
				default:
					return []any{}
				}
			}),
			"objects for scalars": keepIDs(func(any) any { return map[string]any{"a": 1} }),
			"lists for scalars":   keepIDs(func(any) any { return []any{nil, 1, "x"} }),
			"texts with zero bytes, line ends and emoji": keepIDs(func(v any) any {
				if text, ok := v.(string); ok {
					return text + "\x00\r\n\u2028👩‍👩‍👧\u202e"
				}
				return v
			}),
			"texts that are no UTF-8": func(body []byte) []byte {
				return bytes.ReplaceAll(body, []byte("example.com"), []byte("ex\xff\xc0ample.com"))
			},
			"lone surrogates": func(body []byte) []byte {
				return bytes.ReplaceAll(body, []byte("example.com"), []byte(`\ud800example.com`))
			},
			"numbers beyond every range": keepIDs(func(v any) any {
				if _, ok := v.(json.Number); ok {
					return json.RawMessage("1e999")
				}
				return v
			}),
			"a nesting of 5,000": func(body []byte) []byte {
				return addToRecords(body, ids, "conformance_deep", strings.Repeat("[", 5000)+strings.Repeat("]", 5000))
			},
			"a byte order mark": func(body []byte) []byte { return append([]byte("\xef\xbb\xbf"), body...) },
		}
		for what, change := range odd {
			if a := x.changed(c, change); a != nil {
				x.readable(m, what, a)
			}
		}
		unknown := func(body []byte) []byte {
			return addToRecords(body, ids, "conformance_unknown", `{"a":[1,{"b":null}],"":""}`)
		}
		if a := x.changed(c, unknown); a != nil && !a.ok() {
			x.problem("%s: with a field that it does not know it answered %s; vendors add fields all the time", m, a)
		}
	}
}

// packed is 64 MiB of blanks, in gzip: one member again and again, which is
// cheaper to make and unpacks to the same.
var packed = sync.OnceValue(func() string {
	var member bytes.Buffer
	pack := gzip.NewWriter(&member)
	_, _ = pack.Write(bytes.Repeat([]byte(" "), 1<<20))
	_ = pack.Close()
	return strings.Repeat(member.String(), 4*maxBody>>20)
})

func hugeAnswers(x *trial) {
	for _, m := range append(x.of(list, get, create, remove), connectionCheck) {
		if m == connectionCheck && !x.connection {
			continue
		}
		for _, status := range []int{http.StatusOK, http.StatusInternalServerError} {
			var sent atomic.Int64
			d := x.vendor.open(func(v *visit) {
				if m.writes() && !v.writes() {
					v.pass()
					return
				}
				v.w.Header().Set("Content-Type", "application/json")
				v.w.WriteHeader(status)
				chunk := []byte(strings.Repeat(" ", 64<<10))
				for v.Context().Err() == nil && sent.Load() < 6*maxBody {
					n, err := v.w.Write(chunk)
					sent.Add(int64(n))
					if err != nil {
						return
					}
				}
			})
			x.given(m, d, fmt.Sprintf("an answer %d without end", status), status == http.StatusOK)
			// What is under way in sockets counts as sent.
			if n := sent.Load(); n > 4*maxBody {
				x.problem("%s: of an answer %d without end it took %d MiB", m, status, n>>20)
			}
			d.close()
		}
		d := x.vendor.open(func(v *visit) {
			if m.writes() && !v.writes() {
				v.pass()
				return
			}
			v.say(http.StatusOK, "application/json", packed(), "Content-Encoding", "gzip")
		})
		x.given(m, d, "a small answer that unpacks to 64 MiB", true)
		d.close()
	}
}

// given makes a call at a door whose answers cannot be read, and notes an
// outcome that does not say so.
func (x *trial) given(m *method, d *door, what string, unreadable bool) {
	c, there := x.about(m, x.account(d.url))
	if !there {
		return
	}
	a := x.do(c)
	allowed := []errs.Reason{errs.UnexpectedVendorAnswer}
	if !unreadable {
		allowed = append(allowed, errs.VendorUnavailable)
	}
	if m.writes() {
		allowed = append(allowed, errs.OutcomeUnknown)
	}
	for _, reason := range allowed {
		if a.reason() == reason {
			return
		}
	}
	x.problem("%s: with %s it answered %s", m, what, a)
}

func lookUps(x *trial) {
	none := true
	for _, c := range x.readings() {
		main := x.mainOf(c)
		if main == nil {
			continue
		}
		// What comes after the main call is beside it. What comes before may be
		// needed for it.
		for what, answer := range map[string]func(v *visit){
			"500":     func(v *visit) { v.say(http.StatusInternalServerError, "application/json", "{}") },
			"HTML":    func(v *visit) { v.say(http.StatusOK, "text/html", "<html><body>Welcome</body></html>") },
			"nothing": func(v *visit) { v.cut(nil) },
		} {
			var after atomic.Bool
			var failed atomic.Int64
			d := x.vendor.open(func(v *visit) {
				switch {
				case v.same(main):
					v.pass()
					after.Store(true)
				case after.Load():
					failed.Add(1)
					answer(v)
				default:
					v.pass()
				}
			})
			c.account = x.account(d.url)
			c.time = x.limit(callTime)
			a := x.do(c)
			if failed.Load() == 0 {
				continue
			}
			none = false
			switch {
			case !a.ok():
				x.problem("%s: a look-up that answered %s made it answer %s", c.method, what, a)
			case !a.result.GetPartial():
				x.problem("%s: a look-up answered %s, and the answer does not say partial", c.method, what)
			}
		}
	}
	for _, m := range x.of(create, modify, upsert) {
		if x.looksAfterWrites(m) {
			none = false
		}
	}
	if none {
		x.skip("no method makes a look-up after its main call")
	}
}

// looksAfterWrites lets what comes after a write fail. It tells whether there
// is such a thing.
func (x *trial) looksAfterWrites(m *method) bool {
	c, there := x.idle(m, nil)
	if !there {
		return false
	}
	var done atomic.Bool
	var failed atomic.Int64
	var own func(*visit) bool
	d := x.vendor.open(func(v *visit) {
		switch {
		case own(v):
			v.pass()
			done.Store(true)
		case done.Load():
			failed.Add(1)
			v.say(http.StatusInternalServerError, "application/json", "{}")
		default:
			v.pass()
		}
	})
	defer d.close()
	c.account = x.account(d.url)
	own = x.own(x.ctx, c)
	a := x.do(c)
	switch {
	case failed.Load() == 0:
		return false
	case a.ok() && !a.result.GetPartial():
		x.problem("%s: a look-up after the write answered 500, and the answer does not say partial", m)
	case !a.ok() && a.reason() != errs.OutcomeUnknown && a.reason() != errs.UnexpectedVendorAnswer:
		x.problem("%s: the write was done, a look-up after it answered 500, and it answered %s, which says that nothing was done", m, a)
	}
	return true
}
