package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
)

func TestRegionHosts(t *testing.T) {
	for given, want := range map[string]string{
		"":                              "api.planhat.com",
		"  ":                            "api.planhat.com",
		"api.planhat.com":               "api.planhat.com",
		"api-eu.planhat.com":            "api-eu.planhat.com",
		"https://api-eu2.planhat.com":   "api-eu2.planhat.com",
		"https://api-eu3.planhat.com/":  "api-eu3.planhat.com",
		"http://api-us2.planhat.com":    "api-us2.planhat.com",
		" HTTPS://API.PlanhatDemo.com ": "api.planhatdemo.com",
	} {
		host, err := hostOf(given)
		require.NoError(t, err, given)
		assert.Equal(t, want, host, given)
	}
}

func TestAForeignRegionHostIsRefused(t *testing.T) {
	for _, given := range []string{
		"evil.example.com", "api.planhat.com.evil.test", "evil.test/api.planhat.com", "api.planhat.com@evil.test", "user:secret@api.planhat.com",
		"api.planhat.com:8443", "api.planhat.com/x", "api.planhat.com?x", "api.planhat.com#x", "api.planhat.com\\@evil.test", "//api.planhat.com",
		"ftp://api.planhat.com", "https://https://api.planhat.com", "app.planhat.com", "analytics.planhat.com", "planhat.com", "api-eu", "/", "api.planhat.com\n.evil.test",
	} {
		credentials, err := json.Marshal(map[string]string{"api_token": "t", "region_host": given})
		require.NoError(t, err)
		_, err = newClient(sdk.NewCall(provider, "api_token", credentials, ""))
		e := providertest.RequireReason(t, err, errs.InvalidParameter)
		require.Len(t, e.Fields, 1, given)
		assert.Equal(t, "region_host", e.Fields[0].Path)
		assert.NotContains(t, strings.ReplaceAll(e.Message, strings.Join(hosts, ", "), ""), given, "it may be a token in the wrong field")
	}
}

func TestEveryRegionHostIsAllowed(t *testing.T) {
	for _, host := range hosts {
		credentials, err := json.Marshal(map[string]string{"api_token": "t", "region_host": host})
		require.NoError(t, err)
		_, err = newClient(sdk.NewCall(provider, "api_token", credentials, ""))
		require.NoError(t, err, host)
		assert.Contains(t, string(provider.Authentication[0].Schema), `"`+host+`"`, "the schema names it")
	}
}

func TestARefusedTokenIsTheAccountsFault(t *testing.T) {
	for _, body := range []string{"text", "json_message", "json_error", "html", "empty"} {
		t.Run(body, func(t *testing.T) {
			k := start(t, map[string]string{"error_body": body})
			require.NoError(t, checkConnection(providertest.Context(t), k.Call(t)))
			const wrong = "wrong-token-0123456789"
			err := checkConnection(providertest.Context(t), k.CallWith(t, map[string]any{"api_token": wrong}))
			e := providertest.RequireReason(t, err, errs.VendorUnauthenticated)
			assert.Contains(t, e.Message, "region_host", "a wrong region answers so too")
			assert.NotContains(t, e.Message, "<")
			assert.NotContains(t, e.Error(), wrong)
		})
	}
}

func TestCheckingAConnectionWantsAList(t *testing.T) {
	k := start(t, nil)
	answer(t, k, `{"message":"try again"}`)
	providertest.RequireReason(t, checkConnection(providertest.Context(t), k.Call(t)), errs.UnexpectedVendorAnswer)
	require.NoError(t, checkConnection(providertest.Context(t), k.Call(t)))
	calls := k.Emulator.Calls()
	assert.Equal(t, "GET /endusers?limit=1", calls[1].Method+" "+calls[1].Path+"?"+calls[1].Query)
}

func TestTheTokenIsInAHeaderAlone(t *testing.T) {
	k := start(t, nil)
	id := anyID(t, k)
	_, err := deleteContact(providertest.Context(t), k.Call(t), id)
	require.NoError(t, err)
	call := k.Emulator.Calls()[0]
	token := k.Emulator.Context()["api_token"].(string)
	assert.Equal(t, "Bearer "+token, call.Headers.Get("Authorization"))
	assert.NotContains(t, call.Path+call.Query+call.Body, token)
}

func TestLimitsAreToldWithTheError(t *testing.T) {
	k := start(t, map[string]string{"rate_limit": "0", "retry_after": "present"})
	_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5})
	e := providertest.RequireReason(t, err, errs.VendorRateLimited)
	require.NotNil(t, e.RateLimit)
	assert.EqualValues(t, 0, *e.RateLimit.Remaining)
	assert.NotZero(t, e.RetryAfter)
	assert.Len(t, k.Emulator.Calls(), 1, "a wait beyond the call's time is not begun")
}
