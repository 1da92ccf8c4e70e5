package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk"
	kit "github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
)

func TestEveryErrorBodyHasItsReason(t *testing.T) {
	cases := []struct {
		exchange string
		reason   errs.Reason
		message  string
	}{
		{"unauthorised", errs.VendorUnauthenticated, "does not accept the API key"},
		{"unauthorised-bearer-api-key", errs.VendorUnauthenticated, "does not accept the API key"},
		{"unauthorised-application-error", errs.VendorUnauthenticated, "The caller is not known."},
		{"forbidden-other-site", errs.VendorForbidden, "belongs to another account"},
		{"rate-limited", errs.VendorRateLimited, "Wix answered 429"},
		{"rate-limited-with-an-empty-body", errs.VendorRateLimited, "Wix answered 429"},
		{"gateway-error-as-html", errs.VendorUnavailable, "Wix answered 502"},
		{"list-contacts-limit-over-the-cap", errs.VendorRejected, "Limit must be"},
		{"list-contacts-unsupported-sort", errs.VendorRejected, "Sorting by updatedDate"},
		{"create-contact-message-only-400", errs.VendorRejected, ""},
		{"create-contact-invalid-email", errs.VendorRejected, "email"},
		{"update-contact-stale-revision", errs.StaleVersion, "read it again"},
		{"create-contact-duplicate-email", errs.VendorConflict, "exists already"},
		{"update-contact-member-email", errs.VendorPrecondition, "change it at the member"},
		{"create-contact-insufficient-data", errs.VendorRejected, "needs a name, an e-mail address or a phone number"},
		{"merge-contacts-member-as-source", errs.VendorPrecondition, "only be the target"},
	}
	for _, c := range cases {
		t.Run(c.exchange, func(t *testing.T) {
			fault := providertest.Fault(t, exchanges, c.exchange)
			requireEverywhere(t, fault, c.reason, c.message)
		})
	}
	bodies := []struct {
		name, body string
		status     int
		reason     errs.Reason
		message    string
	}{
		{"an empty message leaves the description", `{"message":"","details":{"applicationError":{"code":"X","description":"Because."}}}`, 400, errs.VendorRejected, "Because."},
		{"or the code", `{"details":{"applicationError":{"code":"FAILED_PRECONDITION"}}}`, 428, errs.VendorPrecondition, "FAILED_PRECONDITION"},
		{"nothing at all", `{}`, 428, errs.VendorPrecondition, "site member"},
		{"or the violations", `{"message":null,"details":{"validationError":{"fieldViolations":[{"field":"a","description":"is bad"},null,7,{"description":"too long"}]}}}`, 400, errs.VendorRejected, "a is bad; too long"},
		{"details of another type", `{"message":"No.","details":["x"]}`, 400, errs.VendorRejected, "No."},
		{"an application error of another type", `{"message":"No.","details":{"applicationError":"x","validationError":[]}}`, 409, errs.VendorConflict, "No."},
		{"not found by its code", `{"message":"","details":{"applicationError":{"code":"CONTACT_NOT_FOUND"}}}`, 400, errs.RecordNotFound, "CONTACT_NOT_FOUND"},
		{"a code of delete with another status", `{"details":{"applicationError":{"code":"CANNOT_DELETE_MEMBER"}}}`, 400, errs.VendorPrecondition, "delete the member at Wix first"},
		{"null", `null`, 500, errs.VendorUnavailable, "Wix answered 500"},
		{"an array", `[]`, 404, errs.RecordNotFound, "Wix answered 404"},
		{"a message in HTML", `{"message":"<html>oops</html>"}`, 502, errs.VendorUnavailable, "Wix answered 502"},
		{"half a body", `"{\"message\":\"No"`, 400, errs.VendorRejected, "Wix answered 400"},
	}
	for _, c := range bodies {
		t.Run(c.name, func(t *testing.T) { requireEverywhere(t, refusal(c.status, c.body), c.reason, c.message) })
	}
}

// requireEverywhere expects a reason of every method when Wix answers so.
func requireEverywhere(t *testing.T, fault kit.Fault, reason errs.Reason, message string) {
	t.Helper()
	if fault.Status == http.StatusTooManyRequests {
		fault.Headers = map[string]string{"Retry-After": "3600"} // longer than a call has, so that nothing is sent again
	}
	k := start(t, nil)
	require.NoError(t, k.Emulator.Inject(kit.Match{}, fault, -1))
	_, listErr := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5})
	_, getErr := getContact(providertest.Context(t), k.Call(t), plainID)
	_, deleteErr := deleteContact(providertest.Context(t), k.Call(t), plainID)
	for _, err := range []error{listErr, getErr, deleteErr, checkConnection(providertest.Context(t), k.Call(t))} {
		e := providertest.RequireReason(t, err, reason)
		assert.Contains(t, e.Message, message)
		assert.NotContains(t, e.Message, "<", "a message is never HTML")
		require.NotNil(t, e.Vendor, "the vendor's answer is attached")
		assert.Equal(t, fault.Status, e.Vendor.Status)
	}
}

func TestRefusalsInEveryFormOfTheEmulator(t *testing.T) {
	for _, body := range []string{"empty_message", "no_details", "application_error"} {
		k := start(t, map[string]string{"refusal_body": body, "permissions": "read_only"})
		err := checkConnection(providertest.Context(t), k.CallWith(t, map[string]any{"api_key": apiKey, "site_id": siteID}))
		e := providertest.RequireReason(t, err, errs.VendorUnauthenticated)
		assert.NotContains(t, e.Error(), apiKey)
		_, err = deleteContact(providertest.Context(t), k.Call(t), plainID)
		providertest.RequireReason(t, err, errs.VendorForbidden)
	}
	for _, details := range []string{"full", "empty", "missing"} {
		k := start(t, map[string]string{"error_details": details})
		_, err := getContact(providertest.Context(t), k.Call(t), unknownID)
		providertest.RequireReason(t, err, errs.RecordNotFound)
		_, err = deleteContact(providertest.Context(t), k.Call(t), memberID)
		e := providertest.RequireReason(t, err, errs.VendorPrecondition)
		assert.Equal(t, 428, e.HTTPStatus())
	}
	k := start(t, map[string]string{"rate_limit": "1", "rate_limit_headers": "retry_after"})
	require.NoError(t, checkConnection(providertest.Context(t), k.Call(t)))
	_, err := deleteContact(providertest.Context(t), k.Call(t), plainID)
	e := providertest.RequireReason(t, err, errs.VendorRateLimited)
	assert.Positive(t, e.RetryAfter)
}

func TestTheKeyGoesRawWithExactlyOneIDHeader(t *testing.T) {
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		_, _ = w.Write([]byte(`{"contacts":[]}`))
	}))
	defer server.Close()
	check := func(context map[string]any) error {
		return checkConnection(providertest.Context(t), sdk.NewCall(provider, "api_key", marshal(t, context), server.URL))
	}
	require.NoError(t, check(map[string]any{"api_key": apiKey, "site_id": siteID}))
	assert.Equal(t, []string{apiKey}, got.Values("Authorization"), "no Bearer")
	assert.Equal(t, siteID, got.Get("wix-site-id"))
	assert.Empty(t, got.Values("wix-account-id"))

	require.NoError(t, check(map[string]any{"api_key": apiKey, "account_id": siteID}))
	assert.Equal(t, siteID, got.Get("wix-account-id"))
	assert.Empty(t, got.Values("wix-site-id"))

	got = nil
	for _, context := range []map[string]any{
		{"api_key": apiKey},
		{"api_key": apiKey, "site_id": "", "account_id": ""},
		{"api_key": apiKey, "site_id": siteID, "account_id": siteID},
		{"api_key": 7, "site_id": siteID},
	} {
		e := providertest.RequireReason(t, check(context), errs.InvalidParameter)
		assert.NotContains(t, e.Error(), apiKey)
	}
	assert.Nil(t, got, "nothing was sent")
}

func TestAnAccountLevelKey(t *testing.T) {
	context := map[string]any{"api_key": start(t, nil).Emulator.Context()["api_key"], "account_id": "3f2c1a10-acc0-4000-8000-000000000001"}
	for value, reason := range map[string]errs.Reason{"accept": 0, "403": errs.VendorForbidden} {
		k := start(t, map[string]string{"account_level_key": value})
		err := checkConnection(providertest.Context(t), k.CallWith(t, context))
		if reason == 0 {
			require.NoError(t, err)
		} else {
			providertest.RequireReason(t, err, reason)
		}
	}
}

func TestTheSchemaTakesAKeyWithOneID(t *testing.T) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(provider.Authentication[0].Schema))
	require.NoError(t, err)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("schema.json", document))
	schema, err := compiler.Compile("schema.json")
	require.NoError(t, err)
	takes := func(context map[string]any) bool { return schema.Validate(context) == nil }
	assert.True(t, takes(map[string]any{"api_key": apiKey, "site_id": siteID}))
	assert.True(t, takes(map[string]any{"api_key": apiKey, "account_id": strings.ToUpper(siteID)}))
	for _, context := range []map[string]any{
		{},
		{"api_key": apiKey},
		{"site_id": siteID},
		{"api_key": apiKey, "site_id": siteID, "account_id": siteID},
		{"api_key": "Bearer " + apiKey, "site_id": siteID},
		{"api_key": apiKey + "\r\nX: y", "site_id": siteID},
		{"api_key": apiKey, "site_id": siteID + "/"},
		{"api_key": apiKey, "site_id": siteID, "client_id": siteID},
		{"client_id": siteID, "client_secret": "x", "instance_id": siteID},
	} {
		assert.False(t, takes(context), "%v", context)
	}
}
