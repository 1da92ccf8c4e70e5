package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	kit "github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

func TestABundleAliasIsTakenInEveryFormThatPeoplePaste(t *testing.T) {
	cases := []struct{ alias, want string }{
		{"acme-1234.myfreshworks.com/crm/sales", "https://acme-1234.myfreshworks.com/crm/sales/api"},
		{"https://acme-1234.myfreshworks.com/crm/sales", "https://acme-1234.myfreshworks.com/crm/sales/api"},
		{"http://acme-1234.myfreshworks.com/crm/sales/", "https://acme-1234.myfreshworks.com/crm/sales/api"},
		{"https://acme-1234.myfreshworks.com/crm/sales/api", "https://acme-1234.myfreshworks.com/crm/sales/api"},
		{"acme-1234.myfreshworks.com/crm/sales/api/", "https://acme-1234.myfreshworks.com/crm/sales/api"},
		{"  HTTPS://Acme.MyFreshworks.com/crm/sales// ", "https://acme.myfreshworks.com/crm/sales/api"},
		{"acme.freshworks.com/crm/sales", "https://acme.freshworks.com/crm/sales/api"},
		{"acme.freshsales.io", "https://acme.freshsales.io/api"},
		{"https://acme.freshsales.io/", "https://acme.freshsales.io/api"},
		{"https://acme.freshsales.io/api/", "https://acme.freshsales.io/api"},
		{"acme.eu.freshsales.io", "https://acme.eu.freshsales.io/api"},
	}
	pool := vendorhttp.NewPool(provider.AllowedHosts, "test")
	for _, c := range cases {
		got, err := apiURL(c.alias)
		require.NoError(t, err, c.alias)
		assert.Equal(t, c.want, got, c.alias)
		_, err = pool.Client(vendorhttp.Vendor{Name: "Freshsales", BaseURL: got}, vendorhttp.Options{})
		require.NoError(t, err, "%s is among the allowed hosts", c.alias)
	}
}

func TestABundleAliasCannotLeadElsewhere(t *testing.T) {
	for _, alias := range []string{
		"", " ", "/", "acme", "https://", "acme/crm/sales", "myfreshworks.com/crm/sales", ".myfreshworks.com/crm/sales", "freshsales.io",
		"evil.example.com", "acme.freshsales.io.evil.example.com", "evilfreshsales.io", "evil.example.com/acme.freshsales.io", "acme.freshsales.io@evil.example.com",
		"user:password@acme.freshsales.io", "acme.freshsales.io:8443", "acme.freshsales.io:443", "acme.freshsales.io?x=", "acme.freshsales.io#x", "acme.freshsales.io.",
		`acme.freshsales.io\evil`, "acme%2eevil.freshsales.io", "a b.freshsales.io", "acme.freshsales.io\r\nx: y", "acme\x00.freshsales.io", "-acme.freshsales.io", "acme..freshsales.io",
		"ftp://acme.freshsales.io", "https://https://acme.freshsales.io", "//acme.freshsales.io", "127.0.0.1", "[::1]", "localhost",
		"acme.freshsales.io/crm/sales",                 // Classic has no such path
		"acme.myfreshworks.com", "acme.freshworks.com", // and the Suite has one, which a bare host does not tell
		"acme.myfreshworks.com/api", "acme.myfreshworks.com/crm/sales/..", "acme.myfreshworks.com/crm/sales/contacts/1", "acme.myfreshworks.com/crm/sales?a=b",
		"acme.myfreshworks.com/crm/../sales", "acme.myfreshworks.com/crm/sales/api/api", "acme.myfreshworks.com//crm/sales", "acme.myfreshworks.com/crm%2fsales",
		strings.Repeat("a", 40) + apiKey,
	} {
		_, err := apiURL(alias)
		e := providertest.RequireReason(t, err, errs.InvalidParameter)
		assert.Equal(t, "bundle_alias", e.Fields[0].Path)
		assert.NotContains(t, e.Error(), apiKey, "what was given is not repeated")
	}
}

func TestAWrongBundleAliasIsRefusedBeforeAnyCall(t *testing.T) {
	k := start(t, nil)
	call := k.CallWith(t, map[string]any{"bundle_alias": "evil.example.com", "api_key": apiKey})
	providertest.RequireReason(t, checkConnection(providertest.Context(t), call), errs.InvalidParameter)
	assert.Empty(t, k.Emulator.Calls())
}

func TestABundleAliasWithoutAnAPIBehindItIsNotAMissingRecord(t *testing.T) {
	k := start(t, nil)
	credentials := k.Emulator.Context()
	credentials["bundle_alias"] = "acme.freshsales.io" // the emulator serves the Suite
	delete(credentials, "base_url")
	e := providertest.RequireReason(t, checkConnection(providertest.Context(t), k.CallWith(t, credentials)), errs.VendorRejected)
	assert.Contains(t, e.Message, "bundle_alias")
	assert.Equal(t, "/api/contacts/filters", k.Emulator.Calls()[0].Path)
}

func TestTheKeyTravelsInItsHeaderAlone(t *testing.T) {
	k := start(t, nil)
	require.NoError(t, checkConnection(providertest.Context(t), k.Call(t)))
	calls := k.Emulator.Calls()
	require.Len(t, calls, 1)
	key := k.Emulator.Context()["api_key"].(string)
	assert.Equal(t, "/crm/sales/api/contacts/filters", calls[0].Path)
	assert.Equal(t, []string{"Token token=" + key}, calls[0].Headers["Authorization"])
	assert.Equal(t, []string{"application/json"}, calls[0].Headers["Accept"])
	assert.Equal(t, []string{"application/json"}, calls[0].Headers["Content-Type"])
	assert.NotContains(t, calls[0].Query, key)
}

func TestARefusedKeyIsTheAccountsFault(t *testing.T) {
	for _, body := range []string{"errors", "login_failed"} {
		k := start(t, map[string]string{"unauthorized_body": body})
		credentials := k.Emulator.Context()
		credentials["api_key"] = "not-the-key"
		delete(credentials, "base_url")
		err := checkConnection(providertest.Context(t), k.CallWith(t, credentials))
		e := providertest.RequireReason(t, err, errs.VendorUnauthenticated)
		assert.Equal(t, 401, e.HTTPStatus())
		assert.NotContains(t, e.Error(), "not-the-key")
		_, err = getContact(providertest.Context(t), k.CallWith(t, credentials), plain)
		providertest.RequireReason(t, err, errs.VendorUnauthenticated)
	}
}

func TestDocumentedErrorsHaveTheirReasons(t *testing.T) {
	cases := []struct {
		exchange string
		reason   errs.Reason
		message  string
	}{
		{"unauthorised_bad_key", errs.VendorUnauthenticated, "Invalid credentials"},
		{"unauthorised_bearer", errs.VendorUnauthenticated, "Invalid credentials"},
		{"unauthorised_no_header", errs.VendorUnauthenticated, "Invalid credentials"},
		{"unauthorised_login_failed", errs.VendorUnauthenticated, "Invalid login"},
		{"forbidden", errs.VendorForbidden, "You are not authorized to perform this action."},
		{"contact_delete_malformed", errs.RecordNotFound, "The requested resource could not be found."},
		{"contact_get_malformed", errs.RecordNotFound, "The requested resource could not be found."},
		{"contact_delete_empty_id", errs.RecordNotFound, "The requested resource could not be found."},
		{"contacts_collection", errs.RecordNotFound, "The requested resource could not be found."},
		{"contact_create_duplicate", errs.VendorConflict, "Email has already been taken"},
		{"rate_limited", errs.VendorRateLimited, "API rate limit exceeded"},
		{"rate_limited_empty", errs.VendorRateLimited, "Freshsales answered 429 Too Many Requests"},
		{"server_error_500", errs.VendorUnavailable, "Internal server error"},
		{"server_error_500_empty", errs.VendorUnavailable, "Freshsales answered 500 Internal Server Error"},
		{"html_502", errs.VendorUnavailable, "Freshsales answered 502 Bad Gateway"},
	}
	for _, c := range cases {
		t.Run(c.exchange, func(t *testing.T) {
			k := start(t, nil)
			fault := providertest.Fault(t, exchanges, c.exchange)
			require.NoError(t, k.Emulator.Inject(kit.Match{}, fault, -1))
			_, err := deleteContact(providertest.Context(t), k.Call(t), plain)
			e := providertest.RequireReason(t, err, c.reason)
			assert.Equal(t, c.message, e.Message)
			require.NotNil(t, e.Vendor, "the vendor's answer is attached")
			assert.Equal(t, fault.Status, e.Vendor.Status)
			assert.Len(t, k.Emulator.Calls(), 1, "sent once")
		})
	}
}

func TestAnErrorsMessageIsATextOrAListOfTexts(t *testing.T) {
	cases := []struct{ body, want string }{
		{`{"errors":{"code":400,"message":"one"}}`, "one"},
		{`{"errors":{"code":400,"message":["one","two"]}}`, "one; two"},
		{`{"errors":{"code":400,"message":[]}}`, "Freshsales answered 400 Bad Request"},
		{`{"errors":{"code":400}}`, "Freshsales answered 400 Bad Request"},
		{`{"errors":"one"}`, "one"},
		{`{"errors":["one"]}`, "one"},
		{`{"login":"failed"}`, "Freshsales answered 400 Bad Request"},
		{`[]`, "Freshsales answered 400 Bad Request"},
		{`null`, "Freshsales answered 400 Bad Request"},
		{`<h1>no</h1>`, "Freshsales answered 400 Bad Request"},
		{``, "Freshsales answered 400 Bad Request"},
	}
	k := start(t, nil)
	for _, c := range cases {
		require.NoError(t, k.Emulator.Inject(kit.Match{}, answer(400, c.body), 1))
		_, err := getContact(providertest.Context(t), k.Call(t), plain)
		var e *errs.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, c.want, e.Message, c.body)
	}
}

func TestTheHourlyLimitIsNotWaitedFor(t *testing.T) {
	k := start(t, map[string]string{"rate_limit": "1"})
	_, err := getContact(providertest.Context(t), k.Call(t), plain)
	require.NoError(t, err)
	began := time.Now()
	for range 3 {
		k.Emulator.ForgetCalls()
		_, err = deleteContact(providertest.Context(t), k.Call(t), plain)
		e := providertest.RequireReason(t, err, errs.VendorRateLimited)
		require.NotNil(t, e.RateLimit)
		assert.Zero(t, *e.RateLimit.Remaining)
		assert.EqualValues(t, 3600, *e.RateLimit.WindowSeconds)
		assert.Nil(t, e.RateLimit.ResetSeconds, "nobody could confirm the header's format")
		assert.Zero(t, e.RetryAfter)
		assert.Len(t, k.Emulator.Calls(), 1, "sent once")
	}
	assert.Less(t, time.Since(began), 5*time.Second)
}

func TestWithoutRateLimitHeadersThereIsNoRateLimit(t *testing.T) {
	k := start(t, map[string]string{"rate_limit": "0", "ratelimit_headers": "off"})
	_, err := getContact(providertest.Context(t), k.Call(t), plain)
	e := providertest.RequireReason(t, err, errs.VendorRateLimited)
	assert.Nil(t, e.RateLimit)
	for _, format := range []string{"ddmmyyHHMMSS", "epoch", "seconds"} {
		k := start(t, map[string]string{"rate_limit": "100", "ratelimit_reset_format": format})
		_, err := getContact(providertest.Context(t), k.Call(t), plain)
		require.NoError(t, err)
	}
}

func TestRetryAfterIsHonouredIfItComes(t *testing.T) {
	k := start(t, nil)
	for _, status := range []int{429, 503} {
		k.Emulator.ForgetCalls()
		require.NoError(t, k.Emulator.Inject(kit.Match{}, kit.Fault{Status: status, Headers: map[string]string{"Retry-After": "0"}}, 1))
		_, err := getContact(providertest.Context(t), k.Call(t), plain)
		require.NoError(t, err)
		assert.Len(t, k.Emulator.Calls(), 2)
	}
	k.Emulator.ForgetCalls()
	require.NoError(t, k.Emulator.Inject(kit.Match{}, kit.Fault{Status: 429, Headers: map[string]string{"Retry-After": "3600"}}, 1))
	_, err := getContact(providertest.Context(t), k.Call(t), plain)
	e := providertest.RequireReason(t, err, errs.VendorRateLimited)
	assert.Equal(t, time.Hour, e.RetryAfter, "the caller is told")
	assert.Len(t, k.Emulator.Calls(), 1, "and not kept waiting")
}

func TestADeleteIsNotRedirected(t *testing.T) {
	k := start(t, nil)
	require.NoError(t, k.Emulator.Inject(kit.Match{}, kit.Fault{Status: http.StatusFound, Headers: map[string]string{"Location": "/crm/sales/login"}}, 1))
	_, err := deleteContact(providertest.Context(t), k.Call(t), plain)
	providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
	assert.Len(t, k.Emulator.Calls(), 1)
}

func FuzzBundleAlias(f *testing.F) {
	for _, alias := range []string{"acme.myfreshworks.com/crm/sales", "https://acme.freshsales.io/api/", "a@b.freshsales.io:1/?#"} {
		f.Add(alias)
	}
	pool := vendorhttp.NewPool(provider.AllowedHosts, "test")
	f.Fuzz(func(t *testing.T, alias string) {
		base, err := apiURL(alias)
		if err != nil {
			return
		}
		u, err := url.Parse(base)
		require.NoError(t, err)
		require.NoError(t, pool.CheckHost(u))
		require.Equal(t, "https://"+u.Hostname()+u.Path, base, "nothing but a host and a path")
		require.Contains(t, []string{"/api", "/crm/sales/api"}, u.Path)
	})
}
