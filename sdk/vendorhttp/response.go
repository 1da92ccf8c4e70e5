package vendorhttp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/redact"
)

// Response is a vendor's answer, read to its end.
type Response struct {
	Status int
	// Reason is the phrase behind the status, which a few vendors use to say
	// what went wrong.
	Reason string
	Header http.Header
	Body   []byte
	// RateLimit is what the answer said of the vendor's limits, or nil.
	RateLimit *errs.RateLimit

	secrets   *redact.Secrets
	truncated bool // more than maxErrorBody came
}

// OK tells whether the status is 2xx.
func (r *Response) OK() bool { return r.Status >= 200 && r.Status < 300 }

// Empty tells whether the body is empty or only white space.
func (r *Response) Empty() bool { return len(bytes.TrimSpace(r.Body)) == 0 }

// Answer is the response in the form in which errors and results carry it,
// the account's secrets struck out.
func (r *Response) Answer() *errs.VendorAnswer {
	return &errs.VendorAnswer{Status: r.Status, ContentType: r.secrets.Text(r.Header.Get("Content-Type")), Body: r.secrets.JSON(r.Body), Truncated: r.truncated}
}

// Decode reads the body as JSON into v. What does not fit is an
// unexpected_vendor_answer.
func (r *Response) Decode(v any) error {
	if err := json.Unmarshal(r.Body, v); err != nil {
		return r.Error(errs.UnexpectedVendorAnswer, "the vendor answered %d with a body that is not the JSON it documents (%v)", r.Status, shortJSONError(err))
	}
	return nil
}

// JSON gives the body when it is one JSON value of any type, nil when it is
// empty, and a JSON string of the text when it is anything else.
func (r *Response) JSON() json.RawMessage {
	body := bytes.TrimSpace(r.Body)
	if len(body) == 0 {
		return nil
	}
	if json.Valid(body) {
		return body
	}
	quoted, _ := json.Marshal(string(body))
	return quoted
}

// Error makes an error that this answer caused, with the answer attached and
// the account's secrets struck out.
func (r *Response) Error(reason errs.Reason, format string, args ...any) *errs.Error {
	e := errs.New(reason, format, args...)
	e.Message = r.secrets.Text(e.Message)
	e.Vendor = r.Answer()
	e.RateLimit = r.RateLimit
	if wait, ok := RetryAfter(r.Header, time.Now()); ok {
		e.RetryAfter = wait
	}
	return e
}

func shortJSONError(err error) string {
	return strings.TrimPrefix(err.Error(), "json: ")
}

// messageKeys are where vendors put the sentence for people, best first.
var messageKeys = []string{"message", "Message", "msg", "errorMessage", "error_message", "error_description", "description", "detail", "details", "summary", "title", "error", "errors"}

// Message looks through an error's body for the vendor's own sentence; it is
// "" when there is none. HTML gives none. Secrets are struck out before the
// sentence is cut, which could otherwise leave half of one.
func (r *Response) Message() string {
	var value any
	body := bytes.TrimSpace(r.Body)
	if len(body) == 0 {
		return ""
	}
	if json.Unmarshal(body, &value) == nil {
		return clip(r.secrets.Text(findMessage(value, 0)))
	}
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if looksLikeMarkup(body) || (media != "" && !strings.HasPrefix(media, "text/plain")) {
		return ""
	}
	return clip(r.secrets.Text(string(body)))
}

func looksLikeMarkup(body []byte) bool {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	return bytes.HasPrefix(body, []byte("<")) || bytes.Contains(bytes.ToLower(body[:min(len(body), 512)]), []byte("<html"))
}

func findMessage(value any, depth int) string {
	if depth > 4 {
		return ""
	}
	switch v := value.(type) {
	case string:
		if looksLikeMarkup([]byte(v)) {
			return ""
		}
		return strings.TrimSpace(v)
	case []any:
		var all []string
		for _, item := range v {
			if m := findMessage(item, depth+1); m != "" {
				all = append(all, m)
			}
		}
		return strings.Join(all, "; ")
	case map[string]any:
		for _, key := range messageKeys {
			if inner, ok := v[key]; ok {
				if m := findMessage(inner, depth+1); m != "" {
					return m
				}
			}
		}
	}
	return ""
}

func clip(message string) string {
	message = strings.Join(strings.Fields(message), " ")
	if len(message) > 1000 {
		message = strings.ToValidUTF8(message[:1000], "") + "…"
	}
	return message
}

// RetryAfter reads the header of that name, in seconds or as a date.
func RetryAfter(header http.Header, now time.Time) (time.Duration, bool) {
	text := strings.TrimSpace(header.Get("Retry-After"))
	if text == "" {
		return 0, false
	}
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil && seconds >= 0 {
		return time.Duration(seconds) * time.Second, true
	}
	if date, err := http.ParseTime(text); err == nil {
		return max(date.Sub(now), 0), true
	}
	return 0, false
}

// HeaderRateLimit reads a limit from the headers of the given names; an empty
// name is not looked for. It returns nil when none is there.
func HeaderRateLimit(header http.Header, limit, remaining, reset string) *errs.RateLimit {
	read := func(name string) *int64 {
		if name == "" {
			return nil
		}
		number, err := strconv.ParseInt(strings.TrimSpace(header.Get(name)), 10, 64)
		if err != nil || number < 0 {
			return nil
		}
		return &number
	}
	r := &errs.RateLimit{Limit: read(limit), Remaining: read(remaining), ResetSeconds: read(reset)}
	if r.Limit == nil && r.Remaining == nil && r.ResetSeconds == nil {
		return nil
	}
	return r
}

// defaultError classifies an answer by its status alone.
func (r *Response) defaultError(vendor string) *errs.Error {
	message := r.Message()
	if message == "" {
		message = fmt.Sprintf("%s answered %d %s", vendor, r.Status, http.StatusText(r.Status))
	}
	return r.Error(errs.FromVendorStatus(r.Status), "%s", message)
}
