package errs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
)

// reasons are all that the protocol declares, UNSPECIFIED among them.
func reasons() []Reason {
	var all []Reason
	values := Reason(0).Descriptor().Values()
	for i := range values.Len() {
		all = append(all, Reason(values.Get(i).Number()))
	}
	return all
}

func TestEveryReasonHasACompleteRule(t *testing.T) {
	for _, reason := range reasons() {
		rule := Rule(reason)
		name := Name(reason)
		require.NotNil(t, rule, name)
		assert.NotEqual(t, providerv1.Fault_FAULT_UNSPECIFIED, rule.GetFault(), name)
		assert.NotEqual(t, providerv1.Retry_RETRY_UNSPECIFIED, rule.GetRetry(), name)
		assert.NotEqual(t, codes.OK, codes.Code(rule.GetGrpcCode()), name)
		assert.LessOrEqual(t, codes.Code(rule.GetGrpcCode()), codes.Unauthenticated, name)
		assert.NotEmpty(t, http.StatusText(int(rule.GetHttpStatus())), name)
		assert.GreaterOrEqual(t, rule.GetHttpStatus(), int32(400), name)
		assert.Regexp(t, `^[A-Z].*[.)]$`, rule.GetDoc(), "%s: the documentation is whole sentences", name)
		if rule.GetKeepsVendorStatus() {
			assert.Equal(t, providerv1.Fault_FAULT_VENDOR, rule.GetFault(), "%s: only the vendor's own failure has a status of the vendor's", name)
		}
	}
}

func TestNamesOfReasonsAreUniqueAndLowerCase(t *testing.T) {
	seen := map[string]bool{}
	for _, reason := range reasons() {
		name := Name(reason)
		assert.Regexp(t, `^[a-z]+(_[a-z]+)*$`, name)
		assert.False(t, seen[name], name)
		seen[name] = true
	}
	assert.Equal(t, "record_not_found", Name(RecordNotFound))
	for _, named := range []string{
		"invalid_parameter", "invalid_body", "unauthenticated", "forbidden", "account_not_found", "record_not_found", "invalid_id", "unsupported", "lossy_write",
		"conflict", "stale_version", "idempotency_mismatch", "rate_limited", "vendor_rejected", "vendor_unauthenticated", "vendor_forbidden", "vendor_conflict",
		"vendor_precondition", "vendor_rate_limited", "vendor_unavailable", "vendor_timeout", "unexpected_vendor_answer", "plugin_bug", "plugin_unavailable",
		"overloaded", "outcome_unknown", "internal",
	} {
		assert.True(t, seen[named], "the design names %s", named)
	}
}

func TestStatusesThatTheDesignFixes(t *testing.T) {
	for reason, want := range map[Reason]int{
		InvalidID: 404, Unsupported: 400, LossyWrite: 422, IdempotencyMismatch: 409, UnexpectedVendorAnswer: 502, PluginBug: 502,
		PluginUnavailable: 503, Overloaded: 503, Internal: 500, RecordNotFound: 404, InvalidParameter: 400,
	} {
		assert.Equal(t, want, New(reason, "x").HTTPStatus(), Name(reason))
	}
}

func TestAReasonOfALaterProtocolHasTheRuleOfNone(t *testing.T) {
	later := Reason(9999)
	assert.True(t, proto.Equal(Rule(0), Rule(later)))
	assert.Equal(t, 502, New(later, "x").HTTPStatus())
	assert.Equal(t, codes.Internal, status.Code(Status(New(later, "x"))))
	assert.Equal(t, later, FromStatus(Status(New(later, "x"))).Reason)
}

func TestAVendorsOwnStatusIsKeptWhereTheRuleSaysSo(t *testing.T) {
	for _, c := range []struct {
		reason      Reason
		vendor, out int
	}{
		{VendorPrecondition, 428, 428},
		{VendorRejected, 400, 400},
		{VendorUnavailable, 503, 503},
		{VendorUnavailable, 599, 599},
		{VendorRejected, 200, 422},
		{VendorRejected, 302, 422},
		{VendorRejected, 600, 422},
		{VendorRejected, 0, 422},
		{RecordNotFound, 410, 404},
		{RecordNotFound, 200, 404},
		{OutcomeUnknown, 500, 502},
	} {
		e := New(c.reason, "x")
		e.Vendor = &VendorAnswer{Status: c.vendor}
		assert.Equal(t, c.out, e.HTTPStatus(), "%s with %d", Name(c.reason), c.vendor)
	}
	assert.Equal(t, 422, New(VendorRejected, "x").HTTPStatus(), "no answer, no status")
}

func TestAVendorsStatusAloneHasAReason(t *testing.T) {
	for code := 100; code < 1000; code++ {
		reason := FromVendorStatus(code)
		e := New(reason, "x")
		e.Vendor = &VendorAnswer{Status: code}
		got := e.HTTPStatus()
		switch {
		case code < 400 || code > 599:
			assert.Equal(t, 502, got, "%d", code)
		case code == 410:
			assert.Equal(t, 404, got)
		default:
			assert.Equal(t, code, got)
		}
	}
}

func full() *Error {
	limit, remaining, reset, window := int64(100), int64(0), int64(30), int64(60)
	return &Error{
		Reason: VendorForbidden, Message: "it may not", RetryAfter: 1500 * time.Millisecond,
		Fields:        []Field{{Path: "email_addresses[0].email", Description: "is taken"}, {Path: "name", Description: "is missing", Missing: true}},
		Vendor:        &VendorAnswer{Status: 403, ContentType: "application/json", Body: []byte(`{"a":1}`), Truncated: true},
		RateLimit:     &RateLimit{Limit: &limit, Remaining: &remaining, ResetSeconds: &reset, WindowSeconds: &window},
		MissingScopes: []string{"contacts.write", "contacts.read"},
	}
}

func TestAnErrorCrossesTheProcessBoundaryWhole(t *testing.T) {
	for _, reason := range reasons() {
		if reason == 0 {
			continue
		}
		sent := full()
		sent.Reason = reason
		err := Status(sent)
		assert.Equal(t, codes.Code(Rule(reason).GetGrpcCode()), status.Code(err), Name(reason))
		assert.Equal(t, sent.Message, status.Convert(err).Message(), "the status carries the message again")
		got := FromStatus(err)
		assert.Equal(t, sent, got)
	}
	bare := New(PluginBug, "it broke")
	assert.Equal(t, bare, FromStatus(Status(bare)))
}

func TestTheCauseStaysInThePlugin(t *testing.T) {
	e := New(VendorUnavailable, "it is down")
	e.Cause = errors.New("dial 10.0.0.1")
	assert.NotContains(t, fmt.Sprint(status.Convert(Status(e)).Proto()), "10.0.0.1")
	assert.ErrorIs(t, e, e.Cause)
	assert.Equal(t, "vendor_unavailable: it is down", e.Error())
}

func TestAWrappedErrorKeepsItsReason(t *testing.T) {
	err := fmt.Errorf("look up the owner: %w", full())
	assert.True(t, Is(err, VendorForbidden))
	assert.False(t, Is(err, PluginBug))
	assert.False(t, Is(nil, PluginBug))
	assert.Equal(t, full(), FromStatus(Status(err)))
}

func TestAnythingElseIsAPluginBug(t *testing.T) {
	e := FromStatus(Status(errors.New("index out of range")))
	require.NotNil(t, e)
	assert.Equal(t, PluginBug, e.Reason)
	assert.Equal(t, "index out of range", e.Message)
	e = FromStatus(Status(&Error{Message: "no reason"}))
	assert.Equal(t, PluginBug, e.Reason, "no reason is a mistake of the plugin's")
	assert.NoError(t, Status(nil))
}

func TestAnErrorIsNeverWordless(t *testing.T) {
	for _, reason := range reasons() {
		for _, message := range []string{"", " \n"} {
			err := Status(&Error{Reason: reason, Message: message})
			assert.Equal(t, Rule(reason).GetDoc(), FromStatus(err).Message)
			assert.Equal(t, Rule(reason).GetDoc(), status.Convert(err).Message())
		}
	}
	assert.NotEmpty(t, FromStatus(Status(errors.New(""))).Message)
}

func TestTheEndOfAContextKeepsItsOwnCode(t *testing.T) {
	for err, want := range map[error]codes.Code{context.Canceled: codes.Canceled, context.DeadlineExceeded: codes.DeadlineExceeded} {
		for _, wrapped := range []error{err, fmt.Errorf("get https://x/?key=sekret: %w", err), errors.Join(errors.New("sekret"), err)} {
			got := Status(wrapped)
			assert.Equal(t, want, status.Code(got))
			assert.Nil(t, FromStatus(got), "it has no reason: what it means is the host's to say")
			assert.NotContains(t, got.Error(), "sekret")
		}
	}
	e := &Error{Reason: VendorTimeout, Message: "too slow", Cause: context.DeadlineExceeded}
	assert.Equal(t, VendorTimeout, FromStatus(Status(e)).Reason, "a reason counts for more than what caused it")
}

func TestAStatusStaysOne(t *testing.T) {
	err := status.Error(codes.Unimplemented, "not here")
	assert.Equal(t, codes.Unimplemented, status.Code(Status(err)))
	assert.Equal(t, full(), FromStatus(Status(Status(full()))))
	assert.Nil(t, FromStatus(err))
	assert.Nil(t, FromStatus(errors.New("x")))
}

func huge(size int) string { return strings.Repeat("x", size) }

func TestAnErrorIsCutToWhatAConnectionStands(t *testing.T) {
	many := func(count, size int) []Field {
		fields := make([]Field, count)
		for i := range fields {
			fields[i] = Field{Path: huge(size), Description: huge(size), Missing: true}
		}
		return fields
	}
	scopes := func(count, size int) []string {
		all := make([]string, count)
		for i := range all {
			all[i] = huge(size)
		}
		return all
	}
	body := func(size int) *VendorAnswer {
		return &VendorAnswer{Status: 500, ContentType: huge(1000), Body: []byte(huge(size))}
	}
	for name, e := range map[string]*Error{
		"a huge body":          {Vendor: body(16 << 20)},
		"a body at the edge":   {Vendor: body(MaxDetail)},
		"a huge message":       {Message: huge(16 << 20)},
		"a wide message":       {Message: strings.Repeat("日", 1<<20)},
		"many fields":          {Fields: many(10_000, 10)},
		"huge fields":          {Fields: many(100, 1<<20)},
		"many scopes":          {MissingScopes: scopes(100_000, 20)},
		"a huge scope":         {MissingScopes: scopes(1, 1<<20)},
		"everything":           {Message: huge(1 << 20), Fields: many(1000, 1000), MissingScopes: scopes(1000, 1000), Vendor: body(1 << 20)},
		"broken UTF-8":         {Message: strings.Repeat("\xff", 1<<20), MissingScopes: []string{"\xff"}, Fields: []Field{{Path: "\xff", Description: "\xfe"}}, Vendor: &VendorAnswer{ContentType: "\xff", Body: bytes.Repeat([]byte{0xff}, 1<<20)}},
		"broken UTF-8 at edge": {Message: huge(4095) + "\xc3"},
	} {
		t.Run(name, func(t *testing.T) {
			e.Reason = VendorRejected
			err := Status(e)
			s := status.Convert(err)
			assert.Less(t, proto.Size(s.Proto()), MaxDetail, "the whole status is under 64 KiB")
			assert.Equal(t, codes.FailedPrecondition, s.Code())
			got := FromStatus(err)
			require.NotNil(t, got, "the reason survives whatever is in the rest")
			assert.Equal(t, VendorRejected, got.Reason)
			assert.True(t, utf8.ValidString(got.Message))
			assert.NotEmpty(t, got.Message)
			if e.Vendor != nil {
				require.NotNil(t, got.Vendor, "that the vendor caused it survives too")
				assert.Equal(t, len(got.Vendor.Body) < len(e.Vendor.Body), got.Vendor.Truncated)
				assert.True(t, bytes.HasPrefix(e.Vendor.Body, got.Vendor.Body))
			}
			if len(e.Fields) > 0 {
				assert.NotEmpty(t, got.Fields)
			}
			if len(e.MissingScopes) > 0 {
				assert.NotEmpty(t, got.MissingScopes)
			}
		})
	}
}

func TestABodyThatFitsIsNotCut(t *testing.T) {
	e := &Error{Reason: VendorRejected, Message: "no", Vendor: &VendorAnswer{Status: 400, Body: []byte(huge(60 << 10))}}
	got := FromStatus(Status(e))
	assert.Len(t, got.Vendor.Body, 60<<10)
	assert.False(t, got.Vendor.Truncated)
	assert.Len(t, e.Vendor.Body, 60<<10, "the error itself stays as it is")
}

func TestAnySizeOfErrorIsCutToWhatAConnectionStands(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	text := func(limit int) string {
		data := make([]byte, random.IntN(limit))
		for i := range data {
			data[i] = "aé\xff\x00<日"[random.IntN(9)]
		}
		return string(data)
	}
	for range 300 {
		e := &Error{Reason: Reason(random.IntN(40)), Message: text(9000), RetryAfter: time.Duration(random.Int64())}
		for range random.IntN(300) {
			e.Fields = append(e.Fields, Field{Path: text(300), Description: text(900)})
		}
		for range random.IntN(300) {
			e.MissingScopes = append(e.MissingScopes, text(300))
		}
		if random.IntN(2) == 0 {
			e.Vendor = &VendorAnswer{Status: 500, ContentType: text(500), Body: []byte(text(100_000))}
		}
		s := status.Convert(Status(e))
		require.Less(t, proto.Size(s.Proto()), MaxDetail)
		require.NotNil(t, FromStatus(s.Err()))
	}
}

func TestTextIsCutAtARune(t *testing.T) {
	for limit := 3; limit < 20; limit++ {
		for _, text := range []string{"日本語日本語日本語", "aé日😀aé日😀", "abcdefghijklmnopqrstuvwxyz", "\xff\xff\xff\xff\xff\xff\xff\xff"} {
			got := cutText(text, limit)
			assert.LessOrEqual(t, len(got), limit)
			assert.True(t, utf8.ValidString(got))
		}
	}
	assert.Equal(t, "short", cutText("short", 5))
	assert.Equal(t, "sh…", cutText("shorter", 5))
}

func TestWhatIsAbsentCrossesAsAbsent(t *testing.T) {
	assert.Nil(t, (*VendorAnswer)(nil).Proto())
	assert.Nil(t, VendorAnswerFromProto(nil))
	assert.Nil(t, (*RateLimit)(nil).Proto())
	assert.Nil(t, RateLimitFromProto(nil))
	five := int64(5)
	partial := &RateLimit{Remaining: &five}
	assert.Equal(t, partial, RateLimitFromProto(partial.Proto()))
}
