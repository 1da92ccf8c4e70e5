package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/unicrm/unicrm/sdk/errs"
)

// maxRawResponse is what an error shows of the vendor's body, in bytes.
const maxRawResponse = 64 << 10

// errorBody is the one shape of all errors.
type errorBody struct {
	StatusCode int    `json:"statusCode"`
	Error      string `json:"error"`
	Message    string `json:"message"`
	Reason     string `json:"reason"`
	RequestID  string `json:"request_id"`
	// IsRemote is there whenever the vendor's answer caused the error.
	IsRemote  bool             `json:"truto_is_remote_error,omitempty"`
	Raw       *json.RawMessage `json:"raw_response,omitempty"`
	Truncated bool             `json:"raw_response_truncated,omitempty"`
	// ExistingID is the record that a duplicate would be one of.
	ExistingID string         `json:"existing_id,omitempty"`
	Details    *errorDetails  `json:"details,omitempty"`
	Insight    map[string]any `json:"truto_error_insight,omitempty"`
}

// errorDetails names every input at fault.
type errorDetails struct {
	Failures []failure `json:"failures"`
}

type failure struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// insight is an entry of truto_error_insight.
type insight struct {
	Description   string   `json:"description"`
	Value         any      `json:"value,omitempty"`
	MissingScopes []string `json:"missing_scopes,omitempty"`
}

// refused is an error about parts of a request that a provider cannot serve,
// with their names in the caller's words and the insight's key for them.
type refused struct {
	cause *errs.Error
	key   string
	names []string
}

const (
	unsupportedQuery   = "unsupported_query_parameters"
	unsupportedBody    = "unsupported_body_fields"
	unsupportedHeaders = "unsupported_headers"
)

func refusal(cause *errs.Error, key string, names []string) error {
	e := &refused{cause: cause, key: key}
	for _, name := range names {
		e.names = append(e.names, clip(name))
	}
	return e
}

func (e *refused) Error() string { return e.cause.Error() }

func (e *refused) Unwrap() error { return e.cause }

// asError finds an error of ours in another.
func asError(err error) (*errs.Error, bool) {
	var e *errs.Error
	ok := errors.As(err, &e)
	return e, ok
}

// fail answers with an error.
func (s *Server) fail(x *exchange, err error) {
	if x.status != 0 {
		return // the answer has begun
	}
	e := s.explain(x, err)
	if e == nil {
		return // the caller has gone
	}
	x.reason = errs.Name(e.Reason)
	body := s.errorBody(x, err, e)
	rateLimitHeaders(x.Header(), e.RateLimit)
	if e.RetryAfter > 0 {
		x.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(e.RetryAfter.Seconds()))))
	}
	if body.StatusCode == http.StatusUnauthorized && e.Vendor == nil {
		x.Header().Set("WWW-Authenticate", "Bearer")
	}
	s.reply(x, body.StatusCode, encode(body))
}

// explain makes any error one of ours; nil when the caller has gone. What is no
// error of ours is the host's mistake: its text goes to the log and not to the
// caller.
func (s *Server) explain(x *exchange, err error) *errs.Error {
	e, ok := asError(err)
	if !ok {
		switch {
		case errors.Is(err, context.Canceled) && x.request.Context().Err() != nil:
			return nil //nolint:nilerr // nobody is left to be told
		case errors.Is(err, context.DeadlineExceeded):
			return errs.New(errs.VendorTimeout, "the request's time was up")
		default:
			s.Log.Error("request failed", "request_id", x.id, "error", err)
			return errs.New(errs.Internal, "the host made a mistake; its log has the details under this request_id")
		}
	}
	if e.Reason == errs.PluginBug {
		s.Log.Error("a plugin made a mistake", "request_id", x.id, "provider", x.provider, "error", e.Message)
	}
	return e
}

// errorBody shows an error, which e is a part of, to the caller.
func (s *Server) errorBody(x *exchange, err error, e *errs.Error) errorBody {
	status := e.HTTPStatus()
	if status == http.StatusBadGateway && (x.request.Method == http.MethodPost || x.request.Method == http.MethodPatch) {
		switch e.Reason {
		case errs.OutcomeUnknown, errs.UnexpectedVendorAnswer, errs.PluginBug:
			// The write may be done, and many clients repeat a 502 by themselves.
			status = http.StatusInternalServerError
		}
	}
	body := errorBody{
		StatusCode: status, Error: http.StatusText(status), Message: e.Message, ExistingID: e.ExistingID,
		Reason: errs.Name(e.Reason), RequestID: x.id, Insight: insights(err, e),
	}
	if body.Error == "" {
		body.Error = "Error"
	}
	if strings.TrimSpace(body.Message) == "" {
		body.Message = errs.Rule(e.Reason).GetDoc()
	}
	for _, f := range e.Fields {
		if body.Details == nil {
			body.Details = &errorDetails{}
		}
		body.Details.Failures = append(body.Details.Failures, failure{Field: f.Path, Message: f.Description})
	}
	if e.Vendor != nil {
		body.IsRemote = true
		body.Raw, body.Truncated = rawResponse(e.Vendor)
	}
	return body
}

// encode writes a value that is known to be JSON as JSON.
func encode(value any) []byte {
	var encoded bytes.Buffer
	enc := json.NewEncoder(&encoded)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(value)
	return encoded.Bytes()
}

// rawResponse is the vendor's body: as JSON when it is JSON and whole, else as
// text. Both are nil and absent for an empty one.
func rawResponse(answer *errs.VendorAnswer) (*json.RawMessage, bool) {
	body, truncated := answer.Body, answer.Truncated
	if len(body) > maxRawResponse {
		body, truncated = body[:maxRawResponse], true
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, truncated
	}
	var raw json.RawMessage
	if !truncated && json.Valid(body) && utf8.Valid(body) {
		raw = bytes.TrimSpace(body)
	} else {
		raw, _ = json.Marshal(strings.ToValidUTF8(string(body), "\uFFFD"))
	}
	return &raw, truncated
}

func insights(err error, e *errs.Error) map[string]any {
	all := map[string]any{}
	var r *refused
	if errors.As(err, &r) {
		all[r.key] = insight{Description: "the provider cannot serve these", Value: r.names}
	}
	var missing []string
	for _, f := range e.Fields {
		if f.Missing {
			missing = append(missing, f.Path)
		}
	}
	switch {
	case len(missing) > 0 && e.Reason == errs.InvalidParameter:
		all["missing_required_query_parameters"] = insight{Description: "the request left out query parameters that are required", Value: missing}
	case len(missing) > 0:
		all["missing_required_body_fields"] = insight{Description: "the request left out body fields that are required", Value: missing}
	}
	if e.Vendor != nil {
		words := insight{Description: "the provider answered with an error and no words"}
		if len(bytes.TrimSpace(e.Vendor.Body)) > 0 {
			words.Description = "the provider answered with an error; raw_response has its words"
		}
		all["remote_error"] = words
	}
	switch e.Reason {
	case errs.VendorRateLimited:
		all["rate_limit_error"] = insight{Description: "the provider's rate limit is used up"}
	case errs.VendorForbidden:
		all["forbidden_error"] = insight{Description: "the account's credentials may not do this at the provider", MissingScopes: e.MissingScopes}
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// rateLimitHeaders tells what the vendor said of its limit.
func rateLimitHeaders(h http.Header, r *errs.RateLimit) {
	if r == nil {
		return
	}
	if r.Limit != nil {
		value := strconv.FormatInt(*r.Limit, 10)
		if r.WindowSeconds != nil {
			value += ";w=" + strconv.FormatInt(*r.WindowSeconds, 10)
		}
		h.Set("Ratelimit-Limit", value)
	}
	if r.Remaining != nil {
		h.Set("Ratelimit-Remaining", strconv.FormatInt(*r.Remaining, 10))
	}
	if r.ResetSeconds != nil {
		h.Set("Ratelimit-Reset", strconv.FormatInt(*r.ResetSeconds, 10))
	}
}
