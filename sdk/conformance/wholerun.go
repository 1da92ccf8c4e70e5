package conformance

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/errs"
)

// wholeRunChecks look at everything that the plugin answered and printed since
// the suite began, so they come last.
var wholeRunChecks = []check{
	{
		name:   "secrets/errors",
		title:  "no credential comes out in an error, nor in the vendor's answer that goes along, also where the vendor repeats it",
		advice: "Strike the values that the schema marks as writeOnly, and what is put into Authorization, out of messages, fields and vendor answers: plain, escaped and in base64. sdk/redact does it.",
		needs:  needsVendor,
		alone:  true,
		run:    secretsInErrors,
	},
	{
		name:   "secrets/output",
		title:  "no credential comes out on standard error or standard output, at any log level",
		advice: "Log neither credentials nor whole requests or their headers; strike secrets out of every line that is printed.",
		needs:  needsVendor,
		alone:  true,
		run:    secretsInOutput,
	},
	{
		name:   "errors/form",
		title:  "every error has one reason of the list, the gRPC code that goes with it and a sentence for a person",
		advice: "Return a gRPC status with one detail, unicrm.provider.v1.Error, under 64 KiB; the rule of each reason in errors.proto gives the code. The message is not empty and not HTML.",
		needs:  needsProcess,
		alone:  true,
		run:    errorForm,
	},
	{
		name:   "errors/panics",
		title:  "nothing that was tried made the plugin panic, fail without a reason or end",
		advice: "Look at standard error for the place; catch panics in every method, and answer PLUGIN_BUG with an id that is also in the log until the mistake is mended.",
		needs:  needsProcess,
		alone:  true,
		run:    panics,
	},
	{
		name:   "process/stray-prints",
		title:  "after the handshake line nothing comes on standard output",
		advice: "Lead descriptor 1 to standard error once the handshake line is out: what libraries print there is lost, and fills a pipe that nobody may read.",
		needs:  needsProcess,
		alone:  true,
		run:    strayPrints,
	},
}

// secretsInErrors has the vendor repeat the credentials in every form, then
// looks at every error of the run.
func secretsInErrors(x *trial) {
	for _, c := range []credentials{x.credentials, x.planted} {
		if c.json == nil {
			continue
		}
		var forms, escaped []string
		for _, secret := range c.secrets {
			forms = append(
				forms, secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret)),
				base64.StdEncoding.EncodeToString([]byte("user:"+secret)), base64.RawURLEncoding.EncodeToString([]byte("a"+secret+"z")),
			)
			quoted := ""
			for _, r := range secret {
				quoted += fmt.Sprintf(`\u%04x`, r)
			}
			escaped = append(escaped, quoted)
		}
		// Only in JSON is an escaped text the text itself.
		plain := strings.Join(forms, " ")
		quoted, _ := json.Marshal(plain)
		inJSON := string(quoted[1:len(quoted)-1]) + " " + strings.Join(escaped, " ")
		bodies := []struct {
			status      int
			media, body string
		}{
			{http.StatusBadRequest, "application/json", `{"message":"refused: ` + inJSON + `","error":"` + inJSON + `","errors":[{"message":"` + inJSON + `"}]}`},
			{http.StatusUnauthorized, "text/plain", "refused: " + plain},
			{http.StatusInternalServerError, "text/html", "<html><body>refused: " + plain + "</body></html>"},
			// Where texts are cut, half of a secret may be left.
			{http.StatusBadRequest, "text/plain", strings.Repeat("x", 1000-len(plain)/2) + plain},
			{http.StatusBadRequest, "application/json", `{"message":"` + strings.Repeat("x ", 32<<10-len(inJSON)/4) + inJSON + strings.Repeat(" y", 32<<10) + `"}`},
			{http.StatusOK, "text/html", "<html><body>refused: " + plain + "</body></html>"},
		}
		for _, b := range bodies {
			each(x.asking(), func(m *method) {
				d := x.vendor.open(func(v *visit) {
					// The header as it came, for its form is the plugin's own.
					v.say(b.status, b.media, strings.Replace(b.body, "refused", "refused "+v.Header.Get("Authorization"), 1), "X-Conformance", plain)
				})
				defer d.close()
				refused, _ := x.idle(m, x.accountWith(c, d.url))
				refused.wantAnswer = true
				x.do(refused)
				if m.writes() { // what it would send holds credentials too
					refused.dryRun = true
					x.do(refused)
				}
			})
		}
	}
	x.eachFailure(func(f failure) {
		text := f.answer.everything()
		for i, secret := range f.secrets {
			if holds(text, secret) {
				x.problem("%s, during %s: secret %d of the account stands in the answer: %.300s", f.answer.call.method, f.during, i+1, f.answer)
			}
		}
	})
}

// eachFailure calls a function with every error of the run.
func (s *suite) eachFailure(do func(failure)) {
	s.mu.Lock()
	failures := append([]failure(nil), s.failures...)
	s.mu.Unlock()
	for _, f := range failures {
		do(f)
	}
}

// everything is all of an answer that a caller may see beside the records, as
// one text.
func (a *answer) everything() string {
	parts := append([]string{a.message, a.detail.GetMessage()}, a.detail.GetMissingScopes()...)
	for _, field := range a.detail.GetFields() {
		parts = append(parts, field.GetField(), field.GetDescription())
	}
	answers := []*providerv1.VendorAnswer{a.detail.GetVendor(), a.result.GetVendorAnswer()}
	for _, o := range a.outcomes {
		answers = append(answers, o.GetError().GetVendor())
		parts = append(parts, o.GetError().GetMessage())
	}
	headers := func(list []*providerv1.Header) {
		for _, h := range list {
			parts = append(parts, h.GetName()+": "+h.GetValue())
		}
	}
	for _, given := range answers {
		parts = append(parts, given.GetContentType(), string(given.GetBody()))
		headers(given.GetHeaders())
	}
	for _, r := range a.result.GetVendorRequests() {
		parts = append(parts, r.GetUrl(), string(r.GetBody()))
		headers(r.GetHeaders())
	}
	for _, w := range a.result.GetWarnings() {
		parts = append(parts, w.GetField(), w.GetDescription())
	}
	return strings.Join(parts, "\n")
}

// printed calls a function with what each process printed.
func (s *suite) printed(do func(stdout, stderr []byte)) {
	s.mu.Lock()
	processes := append([]*process(nil), s.processes...)
	s.mu.Unlock()
	for _, p := range processes {
		do(p.stdout.bytes(), p.stderr.bytes())
	}
}

func secretsInOutput(x *trial) {
	secrets := append(append([]string(nil), x.credentials.secrets...), x.planted.secrets...)
	x.printed(func(stdout, stderr []byte) {
		for line := range bytes.Lines(append(stdout, stderr...)) {
			for i, secret := range secrets {
				if holds(string(line), secret) {
					x.problem("secret %d stands in a line that was printed: %.300s", i+1, line)
				}
			}
		}
	})
}

// pluginReasons are the reasons that a plugin may give; the others are the
// host's to give.
var pluginReasons = map[errs.Reason]bool{
	errs.InvalidParameter: true, errs.InvalidBody: true, errs.RecordNotFound: true, errs.InvalidID: true, errs.Unsupported: true,
	errs.LossyWrite: true, errs.Conflict: true, errs.StaleVersion: true, errs.VendorRejected: true, errs.VendorUnauthenticated: true,
	errs.VendorForbidden: true, errs.VendorConflict: true, errs.VendorPrecondition: true, errs.VendorRateLimited: true,
	errs.VendorUnavailable: true, errs.VendorTimeout: true, errs.UnexpectedVendorAnswer: true, errs.PluginBug: true, errs.OutcomeUnknown: true,
}

func errorForm(x *trial) {
	x.skip("no call failed, so there is no error to look at")
	x.eachFailure(func(f failure) {
		a := f.answer
		if a.ok() {
			return
		}
		x.skip("") // there is one
		what := fmt.Sprintf("%s, during %s", a.call.method, f.during)
		if a.detail == nil {
			switch a.code {
			case codes.Unimplemented, codes.Canceled, codes.DeadlineExceeded, codes.Unavailable:
			default:
				x.problem("%s: the status %s has no detail of ours: %.200s", what, a.code, a.message)
			}
			return
		}
		reason := a.reason()
		rule := errs.Rule(reason)
		switch {
		case a.details > 1:
			x.problem("%s: the status has %d details instead of one", what, a.details)
		case reason == providerv1.Reason_REASON_UNSPECIFIED || providerv1.Reason_name[int32(reason)] == "":
			x.problem("%s: reason %d is none of the list", what, reason)
		case !pluginReasons[reason]:
			x.problem("%s: the reason %s is the host's to give", what, errs.Name(reason))
		case int32(a.code) != rule.GetGrpcCode():
			x.problem("%s: %s goes with the gRPC code %s and came with %s", what, errs.Name(reason), codes.Code(rule.GetGrpcCode()), a.code)
		case strings.TrimSpace(a.detail.GetMessage()) == "" || strings.TrimSpace(a.message) == "":
			x.problem("%s: %s came without a message", what, errs.Name(reason))
		case isHTML(a.message) || isHTML(a.detail.GetMessage()):
			x.problem("%s: the message of %s is HTML: %.200s", what, errs.Name(reason), a.message)
		case proto.Size(a.detail)+len(a.message) > errs.MaxDetail:
			x.problem("%s: %s takes %d bytes; %d is the most", what, errs.Name(reason), a.size, errs.MaxDetail)
		}
	})
}

func isHTML(text string) bool {
	text = strings.ToLower(strings.TrimSpace(text))
	return strings.HasPrefix(text, "<") || strings.Contains(text, "<html") || strings.Contains(text, "<body") || strings.Contains(text, "<!doctype")
}

func panics(x *trial) {
	x.eachFailure(func(f failure) {
		if f.answer.reason() == errs.PluginBug {
			x.problem("%s, during %s: it answered %s", f.answer.call.method, f.during, f.answer)
		}
	})
	x.printed(func(_, stderr []byte) {
		if at := panicForm.FindIndex(stderr); at != nil {
			x.problem("standard error tells of a panic: %.300s", stderr[at[0]:])
		}
	})
}

// panicForm is the first line of what a Go program prints as it dies.
var panicForm = regexp.MustCompile(`(?m)^(panic|fatal error): `)

func strayPrints(x *trial) {
	x.printed(func(stdout, _ []byte) {
		if _, rest, _ := bytes.Cut(stdout, []byte("\n")); len(rest) > 0 {
			x.problem("it printed %.200q", rest)
		}
	})
}
