// Package errs is how a provider says what went wrong. A provider's function
// returns an [Error] (or any error, which then counts as the plugin's own
// mistake); only the SDK turns it into a gRPC status, and only the host turns
// that into an HTTP answer. The reasons are a closed list, declared with their
// rules in the protocol.
package errs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
)

// Reason is why a call failed.
type Reason = providerv1.Reason

// MaxDetail is the most that an error carries over the process boundary, in
// bytes. A larger status can tear down the whole connection.
const MaxDetail = 64 << 10

// maxListed is how many fields or scopes an error names: with the lengths in
// Status they leave room for the rest.
const maxListed = 64

// Error is a failure with its reason.
type Error struct {
	Reason  Reason
	Message string // one sentence for a person, without credentials
	// Fields are the inputs at fault, for reasons on the caller's side.
	Fields []Field
	// RetryAfter is how long to wait; zero when unknown.
	RetryAfter time.Duration
	// Vendor is the vendor's answer that caused the error, nil when none did.
	Vendor    *VendorAnswer
	RateLimit *RateLimit
	// MissingScopes are what the credentials lack, where the vendor says so.
	MissingScopes []string
	// ExistingID is the record that is there already, with a VendorConflict
	// whose answer names it, or the record that was written, after a write that
	// was done in part.
	ExistingID string
	// Cause is for the plugin's log. It does not cross the process boundary.
	Cause error
}

// Field names one bad input by its path in the unified model or its parameter.
type Field struct {
	Path, Description string
	Missing           bool
}

// VendorAnswer is an HTTP answer of the vendor.
type VendorAnswer struct {
	Status      int
	ContentType string
	Body        []byte
	Truncated   bool
	// Headers are the answer's, credentials struck out; in a result only.
	Headers []Header
}

// Header is one line of an HTTP message.
type Header struct{ Name, Value string }

// RateLimit is what the vendor said of its limits; nil parts were not said.
type RateLimit struct {
	Limit, Remaining, ResetSeconds, WindowSeconds *int64
}

// New makes an error; the message is formatted as by fmt.Sprintf.
func New(reason Reason, format string, args ...any) *Error {
	return &Error{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// Error is the reason and the message.
func (e *Error) Error() string {
	return Name(e.Reason) + ": " + e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is tells whether err, or what it wraps, has the reason.
func Is(err error, reason Reason) bool {
	var e *Error
	return errors.As(err, &e) && e.Reason == reason
}

// Name writes a reason as the HTTP API does: "record_not_found".
func Name(reason Reason) string {
	return strings.ToLower(strings.TrimPrefix(reason.String(), "REASON_"))
}

// Rule is a reason's row in the table: whose fault, which statuses, whether to
// try again. A reason that this build does not know has the rule of UNSPECIFIED.
func Rule(reason Reason) *providerv1.ReasonRule {
	values := reason.Descriptor().Values()
	value := values.ByNumber(reason.Number())
	if value == nil {
		value = values.ByNumber(0)
	}
	rule, _ := proto.GetExtension(value.Options(), providerv1.E_Rule).(*providerv1.ReasonRule)
	return rule
}

// HTTPStatus is the status of the answer to the caller: the vendor's own where
// the reason's rule says so, else the rule's.
func (e *Error) HTTPStatus() int {
	rule := Rule(e.Reason)
	if rule.GetKeepsVendorStatus() && e.Vendor != nil && e.Vendor.Status >= 400 && e.Vendor.Status <= 599 {
		return e.Vendor.Status
	}
	return int(rule.GetHttpStatus())
}

// FromVendorStatus is the reason for a vendor's HTTP status where nothing more
// is known about the answer.
func FromVendorStatus(code int) Reason {
	switch {
	case code == http.StatusUnauthorized:
		return VendorUnauthenticated
	case code == http.StatusForbidden:
		return VendorForbidden
	case code == http.StatusNotFound, code == http.StatusGone:
		return RecordNotFound
	case code == http.StatusConflict:
		return VendorConflict
	case code == http.StatusPreconditionRequired, code == http.StatusPreconditionFailed, code == http.StatusLocked:
		return VendorPrecondition
	case code == http.StatusTooManyRequests:
		return VendorRateLimited
	case code >= 500:
		return VendorUnavailable
	case code >= 400:
		return VendorRejected
	default:
		return UnexpectedVendorAnswer
	}
}

// Status turns any error into the gRPC status that crosses the process
// boundary, cut to [MaxDetail]. A context's end keeps its own code; an error
// that is no [Error] becomes plugin_bug.
func Status(err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if !errors.As(err, &e) {
		switch {
		case errors.Is(err, context.Canceled):
			return status.Error(codes.Canceled, "the call was cancelled")
		case errors.Is(err, context.DeadlineExceeded):
			return status.Error(codes.DeadlineExceeded, "the call's time was up")
		}
		if s, ok := status.FromError(err); ok {
			return s.Err()
		}
		e = &Error{Reason: PluginBug, Message: err.Error()}
	}
	detail := e.Proto()
	s := status.New(codes.Code(Rule(e.Reason).GetGrpcCode()), detail.GetMessage())
	withDetail, detailErr := s.WithDetails(detail)
	if detailErr != nil {
		return s.Err()
	}
	return withDetail.Err()
}

// Proto gives the protocol's form, cut to [MaxDetail].
func (e *Error) Proto() *providerv1.Error {
	message := e.Message
	if strings.TrimSpace(message) == "" {
		message = Rule(e.Reason).GetDoc()
	}
	detail := &providerv1.Error{
		Reason:    e.Reason,
		Message:   cutText(message, 4<<10),
		RateLimit: e.RateLimit.Proto(),
	}
	for _, scope := range e.MissingScopes[:min(len(e.MissingScopes), maxListed)] {
		detail.MissingScopes = append(detail.MissingScopes, cutText(scope, 128))
	}
	for _, f := range e.Fields[:min(len(e.Fields), maxListed)] {
		detail.Fields = append(detail.Fields, &providerv1.FieldViolation{Field: cutText(f.Path, 128), Description: cutText(f.Description, 512), Missing: f.Missing})
	}
	if e.RetryAfter > 0 {
		detail.RetryAfter = durationpb.New(e.RetryAfter)
	}
	if e.ExistingID != "" {
		detail.ExistingId = new(cutText(e.ExistingID, 256))
	}
	if e.Vendor != nil {
		detail.Vendor = e.Vendor.Proto()
		detail.Vendor.Headers = nil
		room := MaxDetail - proto.Size(detail) + len(detail.Vendor.Body) - 64 - len(detail.Message)
		if len(detail.Vendor.Body) > room {
			detail.Vendor.Body = detail.Vendor.Body[:max(room, 0)]
			detail.Vendor.Truncated = true
		}
	}
	return detail
}

// FromStatus reads a gRPC status back into an Error. It returns nil when the
// status has no detail of ours: what such a status means is the host's to say.
func FromStatus(err error) *Error {
	s, ok := status.FromError(err)
	if !ok {
		return nil
	}
	for _, d := range s.Details() {
		detail, ok := d.(*providerv1.Error)
		if !ok {
			continue
		}
		return FromProto(detail)
	}
	return nil
}

// FromProto reads the protocol's form; nil for nil.
func FromProto(detail *providerv1.Error) *Error {
	if detail == nil {
		return nil
	}
	e := &Error{
		Reason: detail.GetReason(), Message: detail.GetMessage(), MissingScopes: detail.GetMissingScopes(), ExistingID: detail.GetExistingId(),
		RateLimit: RateLimitFromProto(detail.GetRateLimit()), Vendor: VendorAnswerFromProto(detail.GetVendor()),
	}
	if e.Reason == providerv1.Reason_REASON_UNSPECIFIED {
		e.Reason = PluginBug
	}
	for _, f := range detail.GetFields() {
		e.Fields = append(e.Fields, Field{Path: f.GetField(), Description: f.GetDescription(), Missing: f.GetMissing()})
	}
	if detail.GetRetryAfter() != nil {
		e.RetryAfter = detail.GetRetryAfter().AsDuration()
	}
	return e
}

// Proto gives the protocol's form.
func (a *VendorAnswer) Proto() *providerv1.VendorAnswer {
	if a == nil {
		return nil
	}
	p := &providerv1.VendorAnswer{Status: int32(a.Status), ContentType: cutText(a.ContentType, 256), Body: a.Body, Truncated: a.Truncated}
	for _, h := range a.Headers {
		p.Headers = append(p.Headers, h.Proto())
	}
	return p
}

// Proto gives the protocol's form.
func (h Header) Proto() *providerv1.Header {
	return &providerv1.Header{Name: cutText(h.Name, 256), Value: cutText(h.Value, 4<<10)}
}

// VendorAnswerFromProto reads the protocol's form; nil for nil.
func VendorAnswerFromProto(p *providerv1.VendorAnswer) *VendorAnswer {
	if p == nil {
		return nil
	}
	a := &VendorAnswer{Status: int(p.GetStatus()), ContentType: p.GetContentType(), Body: p.GetBody(), Truncated: p.GetTruncated()}
	for _, h := range p.GetHeaders() {
		a.Headers = append(a.Headers, Header{Name: h.GetName(), Value: h.GetValue()})
	}
	return a
}

// Proto gives the protocol's form.
func (r *RateLimit) Proto() *providerv1.RateLimit {
	if r == nil {
		return nil
	}
	return &providerv1.RateLimit{Limit: r.Limit, Remaining: r.Remaining, ResetSeconds: r.ResetSeconds, WindowSeconds: r.WindowSeconds}
}

// RateLimitFromProto reads the protocol's form; nil for nil.
func RateLimitFromProto(p *providerv1.RateLimit) *RateLimit {
	if p == nil {
		return nil
	}
	return &RateLimit{Limit: p.Limit, Remaining: p.Remaining, ResetSeconds: p.ResetSeconds, WindowSeconds: p.WindowSeconds}
}

// cutText makes text valid UTF-8 of at most limit bytes.
func cutText(text string, limit int) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) <= limit {
		return text
	}
	cut := limit - len("…")
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
