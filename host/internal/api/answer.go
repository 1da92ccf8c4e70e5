package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
)

const (
	// chunk is how much of a body is written at once where it is streamed.
	chunk = 64 << 10
	// readerPatience is how long a caller may take to read one chunk, or one
	// page, of a stream.
	readerPatience = 60 * time.Second
)

// view says what of a record the caller wants to see.
func (c *call) view() unified.View {
	view := unified.View{Format: c.query.format, Returned: c.capabilities.Returned, Exclude: c.query.exclude}
	if view.Format != unified.Normalized {
		view.Format = unified.Unified
	}
	if c.query.ignoreRemoteData {
		view.Exclude.Add("remote_data")
	}
	return view
}

func (c *call) render(record unified.Record) []byte { return c.schema.Render(nil, record, c.view()) }

// answer gives a result in the wanted format; render makes the answer of the
// unified one, and is only called when it is wanted.
func (s *Server) answer(x *exchange, c *call, status int, result *unified.Result, render func() []byte) error {
	rateLimitHeaders(x.Header(), result.RateLimit)
	if c.request.DryRun {
		s.reply(x, http.StatusOK, dryRunBody(result.Requests, c.warnings(result)))
		return nil
	}
	if result.AlreadyDeleted {
		x.Header().Set("Unicrm-Outcome", "already-deleted")
	}
	if c.method != unified.List && len(result.Records) == 1 {
		etagHeader(x.Header(), result.Records[0])
	}
	switch c.query.format {
	case unified.Raw, unified.Stream:
		if warnings := c.warnings(result); len(warnings) > 0 {
			var fields []string
			for _, w := range warnings {
				fields = append(fields, w.Field)
			}
			x.Header().Set("Unicrm-Warnings", headerList(fields))
		}
		return s.replyRaw(x, result.Answer, c.query.format == unified.Stream)
	case unified.Debug:
		s.reply(x, status, debugBody(render(), result, nil))
	default:
		s.reply(x, status, render())
	}
	return nil
}

// etagHeader tells a record's version where it can stand in a header.
func etagHeader(h http.Header, record unified.Record) {
	etag, _ := record["etag"].(string)
	if etag == "" || strings.ContainsFunc(etag, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' }) {
		return
	}
	h.Set("ETag", `"`+etag+`"`)
}

// warnings tell what was left out of a write by the host and by the provider,
// in the caller's paths.
func (c *call) warnings(result *unified.Result) []unified.Warning {
	all := append([]unified.Warning{}, c.left...)
	for _, w := range result.Warnings {
		if c.fitted != nil {
			w.Field = c.fitted.Original(w.Field)
		}
		all = append(all, w)
	}
	return all
}

type warningBody struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// withWarnings adds the member "warnings" to a JSON object where there are any.
func withWarnings(object []byte, warnings []unified.Warning) []byte {
	if len(warnings) == 0 {
		return object
	}
	object = bytes.TrimSuffix(object, []byte("}"))
	if len(object) > 1 {
		object = append(object, ',')
	}
	object = append(object, `"warnings":`...)
	object = append(object, bytes.TrimSpace(encode(warningBodies(warnings)))...)
	return append(object, '}')
}

func warningBodies(warnings []unified.Warning) []warningBody {
	bodies := []warningBody{}
	for _, w := range warnings {
		bodies = append(bodies, warningBody(w))
	}
	return bodies
}

// replyRaw gives the vendor's answer as it came. Its content type goes with it,
// and nothing that would let a browser run it as a page of this host.
func (s *Server) replyRaw(x *exchange, answer *errs.VendorAnswer, stream bool) error {
	if answer == nil || len(answer.Body) == 0 {
		x.WriteHeader(http.StatusNoContent)
		return nil
	}
	contentType := answer.ContentType
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	x.Header().Set("Content-Type", contentType)
	x.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'")
	if !stream {
		x.Header().Set("Content-Length", strconv.Itoa(len(answer.Body)))
		x.WriteHeader(http.StatusOK)
		_, _ = x.Write(answer.Body)
		return nil
	}
	x.WriteHeader(http.StatusOK)
	for body := answer.Body; len(body) > 0; {
		n := min(chunk, len(body))
		if !s.send(x, body[:n]) {
			return nil // the caller has gone
		}
		body = body[n:]
	}
	return nil
}

// send writes a part of a body and makes sure that it leaves; false when the
// caller does not take it.
func (s *Server) send(x *exchange, part []byte) bool {
	control := http.NewResponseController(x)
	_ = control.SetWriteDeadline(time.Now().Add(s.patience)) // not every connection has one
	if _, err := x.Write(part); err != nil {
		return false
	}
	return control.Flush() == nil
}

// vendorText is a vendor's body, or one for it: as JSON when it is JSON, else
// as text; nil when there is none.
func vendorText(body []byte) json.RawMessage {
	trimmed := bytes.TrimSpace(body)
	switch {
	case len(trimmed) == 0:
		return nil
	case json.Valid(trimmed) && utf8.Valid(trimmed):
		return trimmed
	default:
		return unified.AppendString(nil, strings.ToValidUTF8(string(body), "\uFFFD"))
	}
}

// dryRunRequest is a request to the vendor that was not sent.
type dryRunRequest struct {
	Method string          `json:"method"`
	Path   string          `json:"path"` // escaped as it would be sent
	Query  string          `json:"query"`
	URL    string          `json:"url"`
	Body   json.RawMessage `json:"body,omitempty"`
	Main   bool            `json:"main"`
}

func dryRunBody(requests []unified.VendorRequest, warnings []unified.Warning) []byte {
	body := struct {
		DryRun   bool            `json:"dry_run"`
		Requests []dryRunRequest `json:"requests"`
		Warnings []warningBody   `json:"warnings"`
	}{DryRun: true, Requests: []dryRunRequest{}, Warnings: warningBodies(warnings)}
	for _, r := range requests {
		shown := dryRunRequest{Method: r.Method, URL: r.URL, Body: vendorText(r.Body), Main: r.Main}
		if u, err := url.Parse(r.URL); err == nil {
			shown.Path, shown.Query = u.EscapedPath(), u.RawQuery
		}
		body.Requests = append(body.Requests, shown)
	}
	return encode(body)
}

// debugFacts are what the vendor was asked and what it answered.
type debugFacts struct {
	RequestURL      *string           `json:"requestUrl"`
	RequestOptions  *debugRequest     `json:"requestOptions"`
	Data            json.RawMessage   `json:"data"`
	ResponseHeaders map[string]string `json:"responseHeaders"`
	*debugList
}

type debugRequest struct {
	Method  string            `json:"method"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
}

// debugList is what a list's facts have beside.
type debugList struct {
	NextCursor    *string `json:"nextCursor"`
	IsLooping     bool    `json:"isLooping"`
	IsEmptyResult bool    `json:"isEmptyResult"`
	ResultCount   int     `json:"resultCount"`
}

// debugBody puts the vendor's side beside an answer; null when the vendor was
// not asked.
func debugBody(answer []byte, result *unified.Result, list *debugList) []byte {
	var facts *debugFacts
	if len(result.Requests) > 0 || result.Answer != nil {
		facts = &debugFacts{ResponseHeaders: map[string]string{}, debugList: list}
		if request := mainRequest(result.Requests); request != nil {
			facts.RequestURL = &request.URL
			facts.RequestOptions = &debugRequest{Method: request.Method, Headers: headerMap(request.Headers), Body: vendorText(request.Body)}
		}
		if result.Answer != nil {
			facts.Data, facts.ResponseHeaders = vendorText(result.Answer.Body), headerMap(result.Answer.Headers)
		}
	}
	b := append([]byte(`{"result":`), bytes.TrimSpace(answer)...)
	b = append(b, `,"debug":`...)
	b = append(b, bytes.TrimSpace(encode(facts))...)
	return append(b, '}')
}

// mainRequest is the one that a method is about: the last one, unless it is a
// look-up beside an earlier one.
func mainRequest(requests []unified.VendorRequest) *unified.VendorRequest {
	for i := len(requests) - 1; i >= 0; i-- {
		if requests[i].Main {
			return &requests[i]
		}
	}
	if len(requests) == 0 {
		return nil
	}
	return &requests[len(requests)-1]
}

func headerMap(headers []errs.Header) map[string]string {
	all := map[string]string{}
	for _, h := range headers {
		if have, ok := all[h.Name]; ok {
			h.Value = have + ", " + h.Value
		}
		all[h.Name] = h.Value
	}
	return all
}

// headerList makes one header's value of names.
func headerList(names []string) string {
	var all []string
	for _, name := range names {
		all = append(all, clip(name))
	}
	return strings.Map(printable, strings.Join(all, ", "))
}

// printable keeps a header's value to plain characters.
func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return '?'
	}
	return r
}
