package vendorhttp

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/redact"
)

func loopback(t *testing.T, handle http.HandlerFunc) *Client {
	t.Helper()
	server := httptest.NewServer(handle)
	pool := NewPool(nil, "")
	pool.backoff = noWait
	t.Cleanup(func() {
		pool.Close()
		server.Close()
	})
	return clientFor(t, pool, Vendor{}, Options{BaseURLOverride: server.URL})
}

func TestAnAnswerMayBeSixteenMebibytesLongAndNotAByteMore(t *testing.T) {
	for _, c := range []struct {
		over   int
		packed bool
	}{{0, false}, {1, false}, {1, true}} {
		requests := 0
		client := loopback(t, func(w http.ResponseWriter, _ *http.Request) {
			requests++
			w.Header().Set("Content-Type", "application/json")
			body := io.Writer(w)
			if c.packed {
				w.Header().Set("Content-Encoding", "gzip")
				zip, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
				defer zip.Close()
				body = zip
			}
			n, _ := io.WriteString(body, strings.Repeat("1", errs.MaxDetail-10)+planted) // where an error's copy ends
			_, _ = io.CopyN(body, repeated('1'), int64(MaxBody+c.over-n))
		})
		client.options.Secrets = redact.New(planted)
		response, err := client.Main(within(t, callTime), request(http.MethodGet))
		if c.over == 0 {
			require.NoError(t, err)
			assert.Len(t, response.Body, MaxBody)
			continue
		}
		e := requireReason(t, err, errs.UnexpectedVendorAnswer)
		assert.Nil(t, response)
		assert.Contains(t, e.Message, "16 MiB")
		require.NotNil(t, e.Vendor, "an answer of the vendor caused it")
		assert.Equal(t, 200, e.Vendor.Status)
		assert.Equal(t, "application/json", e.Vendor.ContentType)
		assert.True(t, e.Vendor.Truncated)
		assert.Len(t, e.Vendor.Body, errs.MaxDetail)
		assert.False(t, bytes.Contains(e.Vendor.Body, []byte(planted[:6])), "half a secret is a secret too")
		assert.Equal(t, 1, requests, "asking again would end no better")
	}
}

type repeated byte

func (r repeated) Read(p []byte) (int, error) {
	return copy(p, bytes.Repeat([]byte{byte(r)}, min(len(p), 32<<10))), nil
}

func TestAnAnswerThatUnpacksWithoutEndIsNotUnpacked(t *testing.T) {
	var bomb bytes.Buffer
	zip, err := gzip.NewWriterLevel(&bomb, gzip.BestSpeed)
	require.NoError(t, err)
	_, err = io.CopyN(zip, repeated(0), 40<<20)
	require.NoError(t, err)
	require.NoError(t, zip.Close())
	require.Less(t, bomb.Len(), 1<<20)
	client := loopback(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb.Bytes())
	})
	_, err = client.Main(within(t, callTime), request(http.MethodGet))
	requireReason(t, err, errs.UnexpectedVendorAnswer)
}

func TestAnAnswerThatOnlyClaimsToBePackedIsABrokenOne(t *testing.T) {
	requests := 0
	client := loopback(t, func(w http.ResponseWriter, _ *http.Request) {
		requests++
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = io.WriteString(w, "not gzip at all")
	})
	_, err := client.Main(within(t, callTime), request(http.MethodPost))
	requireReason(t, err, errs.OutcomeUnknown)
	assert.Equal(t, 1, requests)
}

func TestAnyTwoHundredIsASuccess(t *testing.T) {
	for status := 200; status < 600; status++ {
		if status > 211 && status%100 > 2 {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			vendor := script(t, answers(status, "", "Retry-After: 100"))
			client := vendor.client(Vendor{})
			response, err := client.Main(within(t, callTime), request(http.MethodDelete))
			require.NotNil(t, response)
			assert.Same(t, response, client.MainResponse(), "also an answer that is an error is the main one")
			assert.Equal(t, status, response.Status)
			assert.Equal(t, status < 300, err == nil, "%d", status)
			assert.Equal(t, status < 300, response.OK())
		})
	}
}

func TestTheMainAnswerIsTheLastMainCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := script(t, answers(200, `1`), answers(200, `2`), answers(200, `3`), cut(""))
		client := vendor.client(Vendor{})
		assert.Nil(t, client.MainResponse())
		for _, call := range []func() (*Response, error){
			func() (*Response, error) { return client.Main(within(t, callTime), request(http.MethodGet)) },
			func() (*Response, error) { return client.Main(within(t, callTime), request(http.MethodGet)) },
			func() (*Response, error) { return client.Side(within(t, callTime), request(http.MethodGet)) },
		} {
			_, err := call()
			require.NoError(t, err)
		}
		assert.Equal(t, "2", string(client.MainResponse().Body))
	})
}

func TestAStatusAloneSaysWhatWentWrong(t *testing.T) {
	for status, want := range map[int]struct {
		reason errs.Reason
		http   int
	}{
		400: {errs.VendorRejected, 400}, 401: {errs.VendorUnauthenticated, 401}, 402: {errs.VendorRejected, 402}, 403: {errs.VendorForbidden, 403},
		404: {errs.RecordNotFound, 404}, 405: {errs.VendorRejected, 405}, 409: {errs.VendorConflict, 409}, 410: {errs.RecordNotFound, 404},
		412: {errs.VendorPrecondition, 412}, 422: {errs.VendorRejected, 422}, 423: {errs.VendorPrecondition, 423}, 428: {errs.VendorPrecondition, 428},
		429: {errs.VendorRateLimited, 429}, 500: {errs.VendorUnavailable, 500}, 503: {errs.VendorUnavailable, 503}, 599: {errs.VendorUnavailable, 599},
		304: {errs.UnexpectedVendorAnswer, 502}, 600: {errs.VendorUnavailable, 502}, 999: {errs.VendorUnavailable, 502},
	} {
		synctest.Test(t, func(t *testing.T) {
			vendor := script(t, answers(status, "", "Retry-After: 100", "Content-Type: text/plain"))
			_, err := vendor.client(Vendor{}).Main(within(t, callTime), request(http.MethodGet))
			e := requireReason(t, err, want.reason)
			assert.Equal(t, want.http, e.HTTPStatus(), "%d", status)
			assert.Equal(t, status, e.Vendor.Status)
			assert.Equal(t, "text/plain", e.Vendor.ContentType)
		})
	}
}

func TestAProviderMayExplainAnAnswer(t *testing.T) {
	limit := int64(7)
	vendor := Vendor{
		Explain: func(r *Response) *errs.Error {
			switch string(r.Body) {
			case "gone":
				return errs.New(errs.RecordNotFound, "it is gone")
			case "wordless":
				return &errs.Error{Reason: errs.VendorConflict}
			}
			return nil
		},
		RateLimit: func(h http.Header) *errs.RateLimit { return HeaderRateLimit(h, "X-Limit", "", "") },
	}
	for body, want := range map[string]struct {
		reason  errs.Reason
		message string
	}{
		"gone":             {errs.RecordNotFound, "it is gone"},
		"wordless":         {errs.VendorConflict, "wordless"},
		"something else":   {errs.VendorRejected, "something else"},
		"":                 {errs.VendorRejected, "Acme CRM answered 400 Bad Request"},
		"<p>a page</p>":    {errs.VendorRejected, "Acme CRM answered 400 Bad Request"},
		`{"message":null}`: {errs.VendorRejected, "Acme CRM answered 400 Bad Request"},
	} {
		synctest.Test(t, func(t *testing.T) {
			vendorSide := script(t, answers(400, body, "X-Limit: 7", "Retry-After: 9"))
			_, err := vendorSide.client(vendor).Main(within(t, callTime), request(http.MethodGet))
			e := requireReason(t, err, want.reason)
			assert.Equal(t, want.message, e.Message)
			assert.Equal(t, body, string(e.Vendor.Body))
			assert.Equal(t, &errs.RateLimit{Limit: &limit}, e.RateLimit)
			assert.Equal(t, 9*time.Second, e.RetryAfter)
		})
	}
}

func TestAnErrorThatAProviderKeepsIsNotWrittenInto(t *testing.T) {
	kept := errs.New(errs.VendorForbidden, "")
	client := func(t *testing.T, body string) *errs.Error {
		vendor := script(t, answers(403, body, "Retry-After: 5"))
		_, err := vendor.client(Vendor{Explain: func(*Response) *errs.Error { return kept }}).Main(within(t, callTime), request(http.MethodGet))
		return requireReason(t, err, errs.VendorForbidden)
	}
	synctest.Test(t, func(t *testing.T) {
		one, other := client(t, "about the first customer"), client(t, "about the second")
		assert.Equal(t, "about the first customer", string(one.Vendor.Body))
		assert.Equal(t, "about the second", string(other.Vendor.Body))
		assert.Equal(t, "about the second", other.Message)
		assert.Equal(t, &errs.Error{Reason: errs.VendorForbidden}, kept)
	})
}

func TestTheVendorsOwnSentenceIsFound(t *testing.T) {
	deep := strings.Repeat(`{"error":`, 5) + `"too deep"` + strings.Repeat(`}`, 5)
	for name, c := range map[string]struct{ contentType, body, want string }{
		"message":                        {"application/json", `{"message":"Name is required"}`, "Name is required"},
		"Message":                        {"", `{"Message":"Name is required"}`, "Name is required"},
		"best first":                     {"", `{"error":"bad_request","message":"Name is required"}`, "Name is required"},
		"an error of OAuth":              {"", `{"error":"invalid_grant","error_description":"The token has expired"}`, "The token has expired"},
		"nested":                         {"", `{"error":{"code":5,"message":"No such contact"}}`, "No such contact"},
		"a list":                         {"", `{"errors":[{"message":"one"},{"message":"two"}]}`, "one; two"},
		"a list of envelopes":            {"", `{"errors":[{"error":{"message":"one"}},{"error":{"message":"two"}}]}`, "one; two"},
		"a list of texts":                {"", `{"errors":{"code":400,"message":["one","two"]}}`, "one; two"},
		"an array alone":                 {"", `[{"message":"one"},{"nothing":1}]`, "one"},
		"a string alone":                 {"", `"Name is required"`, "Name is required"},
		"an empty one is passed over":    {"", `{"message":"","error":"fallback"}`, "fallback"},
		"white space is passed over":     {"", `{"message":" \n ","error":"fallback"}`, "fallback"},
		"null is passed over":            {"", `{"message":null,"title":"fallback"}`, "fallback"},
		"a number is passed over":        {"", `{"message":42,"detail":"fallback"}`, "fallback"},
		"a flag is passed over":          {"", `{"error":true,"detail":"fallback"}`, "fallback"},
		"markup is passed over":          {"", `{"message":"<b>no</b>","detail":"fallback"}`, "fallback"},
		"markup after white space":       {"", `{"message":"\n <b>no</b>","detail":"fallback"}`, "fallback"},
		"a page within a field":          {"", `{"message":"oops <html><body>","detail":"fallback"}`, "fallback"},
		"white space is folded":          {"", `{"message":"  two\n\twords  "}`, "two words"},
		"nothing known":                  {"", `{"code":5,"ok":false}`, ""},
		"too deep":                       {"", deep, ""},
		"an empty object":                {"", `{}`, ""},
		"null":                           {"", `null`, ""},
		"a number":                       {"", `5`, ""},
		"nothing":                        {"", "", ""},
		"white space":                    {"text/plain", " \r\n\t ", ""},
		"plain text":                     {"text/plain; charset=utf-8", " Not today. \n", "Not today."},
		"plain text without a type":      {"", "Not today.", "Not today."},
		"plain text with a broken type":  {";;;", "Not today.", "Not today."},
		"HTML":                           {"text/html", "<!DOCTYPE html><html><body>Bad Gateway</body></html>", ""},
		"HTML called plain":              {"text/plain", "\n <!doctype html>", ""},
		"HTML called JSON":               {"application/json", "<html>", ""},
		"HTML called nothing":            {"", "  <p>Bad gateway", ""},
		"HTML after words":               {"", "502 <HTML>", ""},
		"XML":                            {"application/xml", "<?xml version='1.0'?><error>no</error>", ""},
		"broken JSON":                    {"application/json", `{"message":"Name is req`, ""},
		"two values":                     {"application/json", `{"message":"a"}{"message":"b"}`, ""},
		"JSON that is too deep for Go":   {"application/json", strings.Repeat("[", 20_000), ""},
		"bytes":                          {"application/octet-stream", "\x00\x01", ""},
		"JSON called HTML":               {"text/html", `{"message":"Name is required"}`, "Name is required"},
		"a byte order mark before a tag": {"text/plain", "\ufeff<?xml version='1.0'?>", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := &Response{Status: 400, Header: http.Header{"Content-Type": {c.contentType}}, Body: []byte(c.body)}
			assert.Equal(t, c.want, r.Message())
			e := r.defaultError("Acme CRM")
			assert.NotEmpty(t, e.Message)
		})
	}
}

func TestAHugeMessageIsCutAtARune(t *testing.T) {
	for _, body := range []string{
		`{"message":"` + strings.Repeat("é", 1_000_000) + `"}`,
		strings.Repeat("word ", 300_000),
		`{"errors":[` + strings.Repeat(`{"message":"one of very many"},`, 10_000) + `{}]}`,
		strings.Repeat("\xff", 5000),
	} {
		r := &Response{Status: 400, Header: http.Header{}, Body: []byte(body)}
		got := r.Message()
		assert.LessOrEqual(t, len(got), 1000+len("…"))
		assert.True(t, strings.HasSuffix(got, "…"))
		assert.True(t, utf8.ValidString(got))
	}
}

func FuzzMessage(f *testing.F) {
	f.Add("application/json", []byte(`{"errors":[{"error":{"message":"no"}}]}`))
	f.Add("text/plain", []byte("no"))
	f.Add("", []byte("<html>"))
	f.Add("text/html; charset=\"", []byte("\xff\xfe"))
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		r := &Response{Status: 500, Header: http.Header{"Content-Type": {contentType}}, Body: body}
		message := r.Message()
		require.LessOrEqual(t, len(message), 1000+len("…"))
		require.False(t, strings.HasPrefix(message, "<"), "%q", message)
		require.NotContains(t, strings.ToLower(message[:min(len(message), 512)]), "<html")
		require.NotEmpty(t, r.defaultError("Acme CRM").Message)
		if value := r.JSON(); value != nil {
			require.True(t, json.Valid(value))
		} else {
			require.True(t, r.Empty())
		}
	})
}

func TestABodyIsShownAsJSONWhateverItIs(t *testing.T) {
	for body, want := range map[string]string{
		"":                      "",
		"  \n":                  "",
		"true":                  "true",
		" {\"a\": 1.50}\n":      `{"a": 1.50}`,
		`[9007199254740993]`:    `[9007199254740993]`,
		"null":                  "null",
		"Deleted":               `"Deleted"`,
		"<p>x</p>":              `"\u003cp\u003ex\u003c/p\u003e"`,
		`{"a":1}{"b":2}`:        `"{\"a\":1}{\"b\":2}"`,
		"\xff":                  `"\ufffd"`,
		`{"z":1,"a":2,"z":3}`:   `{"z":1,"a":2,"z":3}`,
		`{"big":1e400,"n":-0}`:  `{"big":1e400,"n":-0}`,
		`"\ud83d\ude00 \u0041"`: `"\ud83d\ude00 \u0041"`,
	} {
		r := &Response{Body: []byte(body)}
		assert.Equal(t, want, string(r.JSON()), "%q", body)
		assert.Equal(t, want == "", r.Empty(), "%q", body)
	}
}

func TestABodyThatDoesNotDecodeIsAnUnexpectedAnswer(t *testing.T) {
	for _, body := range []string{"", "<html>", `{"id":`, `[]`, `{"id":{}}`} {
		r := &Response{Status: 200, Header: http.Header{}, Body: []byte(body)}
		var into struct{ ID string }
		e := requireReason(t, r.Decode(&into), errs.UnexpectedVendorAnswer)
		assert.Equal(t, 200, e.Vendor.Status)
		assert.Equal(t, 502, e.HTTPStatus(), "a 200 that means failure is no success")
	}
}

func TestRetryAfterIsReadInBothForms(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"0": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "86400": 24 * time.Hour,
		"Fri, 02 Jan 2026 03:04:15 GMT":    10 * time.Second,
		"Friday, 02-Jan-26 03:04:15 GMT":   10 * time.Second,
		"Fri Jan  2 03:04:15 2026":         10 * time.Second,
		"Fri, 02 Jan 2026 03:04:00 GMT":    0,
		"":                                 -1,
		"soon":                             -1,
		"-1":                               -1,
		"1.5":                              -1,
		"99999999999999":                   -1,
		"2026-01-02T03:04:15Z":             -1,
		"Fri, 02 Jan 2026 03:04:15 +02:00": -1,
	} {
		got, given := RetryAfter(http.Header{"Retry-After": {text}}, now)
		if want < 0 {
			assert.False(t, given, "%q gave %s", text, got)
			continue
		}
		assert.True(t, given, "%q", text)
		assert.Equal(t, want, got, "%q", text)
	}
}

func TestLimitsAreReadFromTheHeadersThatAreThere(t *testing.T) {
	five, three := int64(5), int64(3)
	header := http.Header{"X-Limit": {" 5 "}, "X-Left": {"3"}, "X-Bad": {"many"}, "X-Negative": {"-1"}}
	assert.Equal(t, &errs.RateLimit{Limit: &five, Remaining: &three}, HeaderRateLimit(header, "X-Limit", "X-Left", "X-Reset"))
	assert.Equal(t, &errs.RateLimit{Remaining: &three}, HeaderRateLimit(header, "X-Bad", "X-Left", "X-Negative"))
	assert.Nil(t, HeaderRateLimit(header, "X-Bad", "", "X-None"))
	assert.Nil(t, HeaderRateLimit(nil, "", "", ""))
}

func TestTheReasonPhraseIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := script(t, cut("HTTP/1.1 402 Request Limit Exceeded\r\nContent-Length: 0\r\n\r\n"))
		response, err := vendor.client(Vendor{}).Main(within(t, callTime), request(http.MethodGet))
		require.Error(t, err)
		assert.Equal(t, "Request Limit Exceeded", response.Reason)
		vendor = script(t, cut("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"))
		response, err = vendor.client(Vendor{}).Main(within(t, callTime), request(http.MethodGet))
		require.NoError(t, err)
		assert.Empty(t, response.Reason)
	})
}

func TestOfAFailureOnlyTheBeginningIsRead(t *testing.T) {
	for size, cut := range map[int]bool{maxErrorBody: false, maxErrorBody + 1: true, 20 << 20: true} {
		client := loopback(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.CopyN(w, repeated('x'), int64(size))
		})
		response, err := client.Main(within(t, callTime), request(http.MethodPost))
		e := requireReason(t, err, errs.VendorRejected)
		require.NotNil(t, response)
		assert.Len(t, response.Body, maxErrorBody)
		assert.Equal(t, cut, response.Answer().Truncated)
		assert.Equal(t, cut, e.Vendor.Truncated)
		assert.LessOrEqual(t, len(e.Message), 1000+len("…"))
	}
}
