package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk"
	kit "github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

func TestAPodIsTakenByNameOrByItsURL(t *testing.T) {
	for _, text := range []string{"na1", " NA1 ", "na1/", "api.na1.insightly.com", "https://api.na1.insightly.com", "http://api.na1.insightly.com/", "https://api.na1.insightly.com/v3.1", "https://API.na1.insightly.com/v3.1/", "https://api.na1.insightly.com/api"} {
		pod, err := podOf(text)
		require.NoError(t, err, text)
		assert.Equal(t, "na1", pod, text)
	}
}

func TestAPodCannotNameAnotherHost(t *testing.T) {
	for _, pod := range []string{
		"", " ", ".", "-", "na1.", "na1.evil.test", "na1/..", "na1/x", "na1?x=1", "na1#x", "na1:443", "na1@evil.test", "user:pass@na1", "na 1", "na1\n.evil.test", "na1%2eevil", "ná1",
		"api.insightly.com", "https://api.insightly.com/v3.1", // the bare host answers 404 for every resource
		"https://evil.test", "https://api.na1.insightly.com.evil.test", "https://api.na1.insightly.com:8443", "https://api.na1.insightly.com@evil.test", "https://evil.test/api.na1.insightly.com",
		"https://api.na1.insightly.com/v3.1/Contacts", "https://api.na1.insightly.com?x", "ftp://api.na1.insightly.com", "https://api.a.b.insightly.com", strings.Repeat("a", 64),
	} {
		data, err := json.Marshal(map[string]string{"pod": pod, "api_key": apiKey})
		require.NoError(t, err)
		_, err = newClient(sdk.NewCall(provider, "api_key", data, ""))
		e := providertest.RequireReason(t, err, errs.InvalidParameter)
		assert.NotContains(t, e.Error(), apiKey)
	}
}

func TestAPodsHostIsAllowed(t *testing.T) {
	for _, pod := range []string{"na1", "eu1", "au1", "uk-2"} {
		_, err := newClient(sdk.NewCall(provider, "api_key", json.RawMessage(`{"pod":"`+pod+`","api_key":"`+apiKey+`"}`), ""))
		assert.NoError(t, err, pod)
	}
}

func TestTheKeyIsAUserNameWithAnEmptyPassword(t *testing.T) {
	k := start(t, nil)
	require.NoError(t, checkConnection(providertest.Context(t), k.Call(t)))
	calls := k.Emulator.Calls()
	require.Len(t, calls, 1)
	assert.Equal(t, "GET /v3.1/Users/Me", calls[0].Method+" "+calls[0].Path)
	require.NoError(t, checkConnection(providertest.Context(t), vendor(t, "credentials-check")), "the header is that of the sample")
}

func TestARefusedKeyIsTheAccountsFault(t *testing.T) {
	k := start(t, nil)
	call := k.CallWith(t, map[string]any{"pod": "na1", "api_key": "another-key-0123456789"})
	e := providertest.RequireReason(t, checkConnection(providertest.Context(t), call), errs.VendorUnauthenticated)
	assert.Equal(t, "Authorization has been denied for this request.", e.Message)
	assert.NotContains(t, e.Error(), "another-key")
}

func TestDocumentedErrorsHaveTheirReasons(t *testing.T) {
	cases := []struct {
		exchange string
		reason   errs.Reason
		message  string
	}{
		{"contact-get-unknown", errs.RecordNotFound, "No Contact with ID = 399999999"},
		{"contact-get-unknown-json", errs.RecordNotFound, "No Contact with ID = 399999999"},
		{"contact-get-deleted", errs.RecordNotFound, "No Contact with ID = 312900007"},
		{"contact-get-malformed-id", errs.VendorRejected, "The request is invalid."},
		{"contact-get-no-access", errs.VendorForbidden, "API User does not have access to Record."},
		{"contact-delete-failed", errs.VendorRejected, "Insightly could not do what was asked (417) and does not say why"},
		{"unauthorized", errs.VendorUnauthenticated, "Authorization has been denied for this request."},
		{"error-html-500", errs.VendorUnavailable, "Insightly answered 500 Internal Server Error"},
		{"error-name-and-message", errs.VendorRejected, "FIRST_NAME is required."},
		{"error-plain-text", errs.VendorRejected, "A server exception was thrown."},
		{"error-empty-400", errs.VendorRejected, "Insightly answered 400 Bad Request"},
		{"contact-update-stale", errs.StaleVersion, ""},
		{"contact-create-record-limit", errs.VendorRejected, ""},
		{"rate-limited-day", errs.VendorRateLimited, "Insightly allows this account no more calls today: the quota of the day is used up"},
	}
	for _, c := range cases {
		t.Run(c.exchange, func(t *testing.T) {
			k := start(t, nil)
			fault := faultOf(t, c.exchange)
			require.NoError(t, k.Emulator.Inject(kit.Match{}, fault, -1))
			_, err := getContact(providertest.Context(t), k.Call(t), "312345001")
			e := providertest.RequireReason(t, err, c.reason)
			require.NotNil(t, e.Vendor, "the vendor's answer is attached")
			assert.Equal(t, fault.Status, e.Vendor.Status)
			assert.NotContains(t, e.Message, "<", "a message is never HTML")
			if c.message != "" {
				assert.Equal(t, c.message, e.Message)
			}
			assert.Len(t, k.Emulator.Calls(), 1, "asked once")
		})
	}
}

func TestErrorsInOtherShapes(t *testing.T) {
	cases := []struct {
		name         string
		status       int
		phrase, body string
		reason       errs.Reason
		message      string
	}{
		{"the cause in the reason phrase alone", 404, "Lead Not Found", "", errs.RecordNotFound, "Lead Not Found"},
		{"the usual phrase says nothing", 404, "Not Found", "", errs.RecordNotFound, ""},
		{"a phrase with markup says nothing", 500, "<b>oops</b>", "", errs.VendorUnavailable, ""},
		{"a name without a message", 400, "Bad Request", `{"Name":"ValidationError","Message":null}`, errs.VendorRejected, "ValidationError"},
		{"JSON of another kind", 400, "Bad Request", `[1]`, errs.VendorRejected, ""},
		{"a stale If-Match by the reference", 412, "Precondition Failed", "", errs.StaleVersion, ""},
		{"the plan or its limits", 402, "Payment Required", `{"Message":"Record limit reached."}`, errs.VendorRejected, "Record limit reached."},
		{"a 417 that says why", 417, "Expectation Failed", "Delete failed.", errs.VendorRejected, "Delete failed."},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := explain(&vendorhttp.Response{Status: c.status, Reason: c.phrase, Body: []byte(c.body), Header: http.Header{}})
			if c.message == "" && e == nil {
				assert.Equal(t, c.reason, errs.FromVendorStatus(c.status), "left to the status")
				return
			}
			require.NotNil(t, e)
			assert.Equal(t, c.reason, e.Reason)
			assert.Equal(t, c.message, e.Message)
		})
	}
}

func TestACollectionThatInsightlyDoesNotKnowIsOurMistake(t *testing.T) {
	k := start(t, nil)
	require.NoError(t, k.Emulator.Inject(kit.Match{}, faultOf(t, "contacts-wrong-number"), -1))
	_, err := deleteContact(providertest.Context(t), k.Call(t), "312345001")
	providertest.RequireReason(t, err, errs.PluginBug)
}

func TestTheQuotaOfTheDayIsNotAskedAgain(t *testing.T) {
	for _, body := range []string{"json", "text", "empty"} {
		k := start(t, map[string]string{"daily_quota": "0", "rate_limit_body": body, "retry_after": "1"})
		_, err := getContact(providertest.Context(t), k.Call(t), "312345001")
		e := providertest.RequireReason(t, err, errs.VendorRateLimited)
		require.NotNil(t, e.RateLimit)
		assert.EqualValues(t, 0, *e.RateLimit.Remaining)
		assert.EqualValues(t, 86400, *e.RateLimit.WindowSeconds)
		assert.Nil(t, e.RateLimit.ResetSeconds, "when it starts anew is not known")
		assert.Len(t, k.Emulator.Calls(), 1)
	}
}

func TestTheLimitOfTheSecondIsWaitedOut(t *testing.T) {
	for _, sample := range []string{"rate-limited-second", "rate-limited-retry-after", "rate-limited-empty"} {
		t.Run(sample, func(t *testing.T) {
			t.Parallel()
			k := start(t, nil)
			require.NoError(t, k.Emulator.Inject(kit.Match{Path: "/v3.1/Contacts/*"}, faultOf(t, sample), 1))
			begun := time.Now()
			_, err := getContact(providertest.Context(t), k.Call(t), "312345001")
			require.NoError(t, err)
			assert.GreaterOrEqual(t, time.Since(begun), time.Second)
		})
	}
}

func TestTheLimitOfTheSecondWithNoTimeToWait(t *testing.T) {
	k := start(t, map[string]string{"rate_limit": "0"})
	ctx, cancel := context.WithTimeout(t.Context(), 900*time.Millisecond)
	defer cancel()
	_, err := deleteContact(ctx, k.Call(t), "312345001")
	providertest.RequireReason(t, err, errs.VendorRateLimited)
	assert.Len(t, k.Emulator.Calls(), 1)
}

func TestRetryWait(t *testing.T) {
	cases := []struct {
		name      string
		status    int
		remaining string
		after     string
		wait      time.Duration
		again     bool
	}{
		{"the second's limit", 429, "99", "", time.Second, true},
		{"the second's limit with a wait", 429, "99", "3", 3 * time.Second, true},
		{"no word of the quota", 429, "", "", time.Second, true},
		{"nonsense about the quota", 429, "many", "", time.Second, true},
		{"the day's quota", 429, "0", "", 0, false},
		{"the day's quota with a wait", 429, "0", "1", 0, false},
		{"more than the day's quota", 429, "-3", "", 0, false},
		{"down for a while", 503, "0", "2", 2 * time.Second, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			header := http.Header{}
			header.Set("X-RateLimit-Remaining", c.remaining)
			header.Set("Retry-After", c.after)
			wait, again := retryWait(&vendorhttp.Response{Status: c.status, Header: header}, 0)
			assert.Equal(t, c.again, again)
			assert.Equal(t, c.wait, wait)
		})
	}
}
