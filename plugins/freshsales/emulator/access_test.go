package emulator

import (
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOnlyTheExactTokenHeaderIsAccepted(t *testing.T) {
	s := start(t, 1, nil)
	for _, header := range []string{
		"", apiKey, "Bearer " + apiKey, "Token " + apiKey, "token token=" + apiKey, "Token token=\"" + apiKey + "\"", "Token token=", "Token token=" + apiKey + " ,x",
		"Token  token=" + apiKey, "Token token=other", "Basic " + base64.StdEncoding.EncodeToString([]byte(apiKey+":x")),
		"Token token=" + base64.StdEncoding.EncodeToString([]byte(apiKey)),
	} {
		headers := map[string]string{}
		if header != "" {
			headers["Authorization"] = header
		}
		for _, path := range []string{"/contacts/filters", "/contacts/" + firstContact, "/nowhere"} {
			requireError(t, callWith(t, s, "GET", api+path, "", headers), http.StatusUnauthorized, "")
		}
		requireError(t, callWith(t, s, "DELETE", api+"/contacts/"+firstContact, "", headers), http.StatusUnauthorized, "")
	}
	assert.Equal(t, http.StatusOK, call(t, s, "GET", api+"/contacts/filters", "").status)
	assert.Equal(t, false, call(t, s, "GET", api+"/contacts/"+firstContact, "").contact(t).Get("is_deleted"))
}

func TestTheContextOpensTheAPI(t *testing.T) {
	s := start(t, 1, nil)
	context := s.Context()
	assert.Equal(t, s.URL(), context["base_url"])
	assert.Equal(t, "acme-emulator.myfreshworks.com/crm/sales", context["bundle_alias"])
	r := callWith(t, s, "GET", "/crm/sales/api/contacts/filters", "", map[string]string{"Authorization": "Token token=" + context["api_key"].(string)})
	assert.Equal(t, http.StatusOK, r.status)
}

func TestALoginFailureHasTheClassicFormBehindItsSwitch(t *testing.T) {
	s := start(t, 0, map[string]string{"unauthorized_body": "login_failed"})
	r := callWith(t, s, "GET", api+"/contacts/filters", "", nil)
	assert.Equal(t, http.StatusUnauthorized, r.status)
	assert.JSONEq(t, `{"login":"failed","message":"Invalid login"}`, string(r.body))
}

func TestAReadOnlyKeyReadsAndIsForbiddenToWrite(t *testing.T) {
	s := start(t, 3, map[string]string{"permission": "read_only"})
	assert.Equal(t, http.StatusOK, call(t, s, "GET", api+"/contacts/"+firstContact, "").status)
	search := `{"filter_rule":[{"attribute":"first_name","operator":"equals","value":"Ada"}]}`
	assert.Equal(t, http.StatusOK, call(t, s, "POST", api+"/filtered_search/contact", search).status)
	requireError(t, call(t, s, "POST", api+"/contacts", `{"contact":{"email":"a@example.com"}}`), http.StatusForbidden, "")
	requireError(t, call(t, s, "PUT", api+"/contacts/"+firstContact, `{"contact":{}}`), http.StatusForbidden, "")
	requireError(t, call(t, s, "DELETE", api+"/contacts/"+firstContact, ""), http.StatusForbidden, "")
	require.NoError(t, s.SetSwitch("permission", "none"))
	requireError(t, call(t, s, "GET", api+"/contacts/filters", ""), http.StatusForbidden, "")
}

func TestTheQuotaRefusesTheRequestAfterTheLast(t *testing.T) {
	s := start(t, 1, nil)
	for range 5 {
		r := call(t, s, "GET", api+"/contacts/filters", "")
		assert.Equal(t, "1000", r.header.Get("x-ratelimit-limit"))
	}
	require.NoError(t, s.SetSwitch("rate_limit", "2"))
	for _, remaining := range []string{"1", "0"} {
		r := call(t, s, "GET", api+"/contacts/filters", "")
		require.Equal(t, http.StatusOK, r.status)
		assert.Equal(t, "2", r.header.Get("x-ratelimit-limit"))
		assert.Equal(t, remaining, r.header.Get("x-ratelimit-remaining"))
		assert.Regexp(t, `^[0-9]{12}$`, r.header.Get("x-ratelimit-reset"))
	}
	r := call(t, s, "DELETE", api+"/contacts/"+firstContact, "")
	requireError(t, r, http.StatusTooManyRequests, "")
	assert.Equal(t, "0", r.header.Get("x-ratelimit-remaining"))
	assert.Empty(t, r.header.Get("Retry-After"))
	// A key that is no good costs nothing and learns nothing.
	r = callWith(t, s, "GET", api+"/contacts/filters", "", nil)
	assert.Equal(t, http.StatusUnauthorized, r.status)
	require.NoError(t, s.SetSwitch("rate_limit", "off"))
	assert.Equal(t, false, call(t, s, "GET", api+"/contacts/"+firstContact, "").contact(t).Get("is_deleted"), "a refused delete deletes nothing")
}

func TestRateLimitHeadersFollowTheirSwitches(t *testing.T) {
	for value, form := range map[string]string{"ddmmyyHHMMSS": `^[0-9]{12}$`, "epoch": `^1[0-9]{9}$`, "seconds": `^(3600|35[0-9]{2})$`} {
		s := start(t, 0, map[string]string{"ratelimit_reset_format": value, "rate_limit": "0", "retry_after": "7"})
		r := call(t, s, "GET", api+"/contacts/filters", "")
		assert.Regexp(t, form, r.header.Get("x-ratelimit-reset"), value)
		assert.Equal(t, "7", r.header.Get("Retry-After"))
	}
	s := start(t, 0, map[string]string{"ratelimit_headers": "off", "rate_limit": "0"})
	r := call(t, s, "GET", api+"/contacts/filters", "")
	assert.Equal(t, http.StatusTooManyRequests, r.status)
	for name := range r.header {
		assert.NotContains(t, name, "Ratelimit")
	}
}
