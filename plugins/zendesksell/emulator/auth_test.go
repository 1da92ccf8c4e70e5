package emulator

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

func TestTokensHaveTheLengthThatTheVendorsClientsDemand(t *testing.T) {
	for _, token := range []string{personalToken, readOnlyToken, oauthTokenPrefix + "000000001"} {
		assert.Len(t, token, 64, token)
		assert.NotContains(t, token, " ")
	}
	assert.Equal(t, personalToken, start(t, 0).server.Context()["access_token"])
}

func TestEveryOtherAuthorizationIsUnauthorizedWithOneText(t *testing.T) {
	api := start(t, 1)
	api.token = ""
	texts := map[string]bool{}
	for name, header := range map[string]string{
		"none":          "",
		"wrong token":   "Bearer " + readOnlyToken[:63] + "x",
		"short token":   "Bearer abc",
		"no scheme":     personalToken,
		"basic":         "Basic " + base64.StdEncoding.EncodeToString([]byte(personalToken+":")),
		"two spaces":    "Bearer  " + personalToken,
		"trailing text": "Bearer " + personalToken + " x",
		"empty bearer":  "Bearer ",
	} {
		headers := []string{}
		if header != "" {
			headers = []string{"Authorization", header}
		}
		a := api.do("GET", "/v2/contacts", nil, headers...)
		assert.Equal(t, http.StatusUnauthorized, a.status, name)
		assert.Equal(t, []string{"unauthorized"}, a.errors(), name)
		assert.Equal(t, "401 Unauthorized", a.meta().Text("http_status"), name)
		assert.Equal(t, a.header.Get("X-Request-Id"), a.meta().Text("logref"), name)
		texts[a.body.Get("errors").([]any)[0].(*kit.Object).Get("error").(*kit.Object).Text("details")] = true
	}
	assert.Len(t, texts, 1)
}

func TestTheSchemeIsBearerInAnyCase(t *testing.T) {
	api := start(t, 1)
	api.token = ""
	assert.Equal(t, http.StatusOK, api.do("GET", "/v2/users/self", nil, "Authorization", "bearer "+personalToken).status)
}

func TestARequestWithoutUserAgentIsRefusedFirst(t *testing.T) {
	api := start(t, 1)
	api.token = ""
	a := api.do("GET", "/v2/contacts", nil, "User-Agent", "")
	assert.Equal(t, http.StatusBadRequest, a.status)
	assert.Equal(t, []string{"invalid_header"}, a.errors())
	require.NoError(t, api.server.SetSwitch("user_agent_code", "invalid_user_agent"))
	a = api.do("GET", "/v2/contacts", nil, "User-Agent", " ")
	assert.Equal(t, http.StatusBadRequest, a.status)
	assert.Equal(t, []string{"invalid_user_agent"}, a.errors())
}

func TestAReadOnlyTokenNeitherWritesNorSeesUsers(t *testing.T) {
	api := start(t, 2)
	api.token = readOnlyToken
	api.ok("GET", "/v2/contacts/400001", nil)
	api.ok("GET", "/v2/tags", nil)
	for _, r := range [][2]string{
		{"POST", "/v2/contacts"},
		{"PUT", "/v2/contacts/400001"},
		{"DELETE", "/v2/contacts/400001"},
		{"DELETE", "/v2/contacts/999999999"},
		{"POST", "/v2/contacts/upsert?email=x"},
		{"POST", "/v2/tags"},
		{"GET", "/v2/users"},
		{"GET", "/v2/users/self"},
		{"GET", "/v2/accounts/self"},
	} {
		a := api.do(r[0], r[1], nil)
		assert.Equal(t, http.StatusForbidden, a.status, r)
		assert.Equal(t, []string{"insufficient_scope"}, a.errors(), r)
	}
	api.token = personalToken
	api.ok("GET", "/v2/contacts/400001", nil)
}

// refresh asks the token endpoint with the OAuth client's credentials.
func (c *client) refresh(form string, headers ...string) answer {
	c.t.Helper()
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(oauthClientID+":"+oauthClientSecret))
	all := append([]string{"Content-Type", "application/x-www-form-urlencoded", "Authorization", basic}, headers...)
	return c.do("POST", "/oauth2/token", form, all...)
}

func TestARefreshRotatesBothTokens(t *testing.T) {
	api := start(t, 1)
	a := api.refresh("grant_type=refresh_token&refresh_token=" + firstRefreshToken)
	require.Equal(t, http.StatusOK, a.status, a.text)
	assert.Equal(t, []string{"access_token", "token_type", "expires_in", "refresh_token", "scope"}, a.body.Keys())
	assert.Equal(t, "bearer", a.body.Text("token_type"))
	assert.Equal(t, "read write profile sync", a.body.Text("scope"))
	assert.NotEqual(t, firstRefreshToken, a.body.Text("refresh_token"))
	api.token = a.body.Text("access_token")
	assert.Len(t, api.token, 64)
	api.ok("GET", "/v2/users/self", nil)

	again := api.refresh("grant_type=refresh_token&refresh_token=" + firstRefreshToken)
	assert.Equal(t, http.StatusBadRequest, again.status)
	assert.Equal(t, "invalid_grant", again.body.Text("error"))
	next := api.refresh("grant_type=refresh_token&refresh_token=" + a.body.Text("refresh_token"))
	assert.Equal(t, http.StatusOK, next.status)
	assert.NotEqual(t, api.token, next.body.Text("access_token"))
}

func TestTheOldRefreshTokenCanBeLeftAlive(t *testing.T) {
	api := start(t, 1, "old_refresh_token", "lives")
	for range 2 {
		assert.Equal(t, http.StatusOK, api.refresh("grant_type=refresh_token&refresh_token="+firstRefreshToken).status)
	}
}

func TestAnOAuthTokenExpires(t *testing.T) {
	api := start(t, 1, "token_lifetime", "0")
	a := api.refresh("grant_type=authorization_code&redirect_uri=x&code=" + firstCode)
	require.Equal(t, http.StatusOK, a.status, a.text)
	api.token = a.body.Text("access_token")
	assert.Equal(t, http.StatusUnauthorized, api.do("GET", "/v2/users/self", nil).status)
	assert.Equal(t, http.StatusBadRequest, api.refresh("grant_type=authorization_code&code="+firstCode).status, "a code works once")
}

func TestTheTokenEndpointRefuses(t *testing.T) {
	api := start(t, 1)
	for _, c := range []struct {
		form   string
		header []string
		status int
		code   string
	}{
		{"grant_type=refresh_token&refresh_token=" + firstRefreshToken, []string{"Authorization", "Basic eDp5"}, 401, "invalid_client"},
		{"grant_type=refresh_token&refresh_token=" + firstRefreshToken, []string{"Content-Type", "application/json"}, 400, "invalid_request"},
		{"grant_type=refresh_token&refresh_token=x", nil, 400, "invalid_grant"},
		{"grant_type=magic", nil, 400, "unsupported_grant_type"},
		{"", nil, 400, "invalid_request"},
	} {
		a := api.refresh(c.form, c.header...)
		assert.Equal(t, c.status, a.status, c.form)
		assert.Equal(t, c.code, a.body.Text("error"), c.form)
	}
	assert.Equal(t, http.StatusNotFound, api.do("GET", "/oauth2/token", nil).status)
}

func TestTheRateLimitCountsPerTokenFromTheMomentItIsSet(t *testing.T) {
	api := start(t, 1, "rate_limit_window", "3600")
	for range 5 {
		api.ok("GET", "/v2/users/self", nil)
	}
	require.NoError(t, api.server.SetSwitch("rate_limit", "2"))
	api.ok("GET", "/v2/users/self", nil)
	api.ok("GET", "/v2/users/self", nil)
	a := api.do("GET", "/v2/users/self", nil)
	assert.Equal(t, http.StatusTooManyRequests, a.status)
	assert.Equal(t, []string{"rate_limit_exceeded"}, a.errors())
	assert.Empty(t, a.header.Get("Retry-After"))
	api.token = readOnlyToken
	api.ok("GET", "/v2/contacts", nil)
	api.token = personalToken

	require.NoError(t, api.server.SetSwitch("retry_after", "7"))
	require.NoError(t, api.server.SetSwitch("rate_limit_body", "empty"))
	a = api.do("GET", "/v2/users/self", nil)
	assert.Equal(t, http.StatusTooManyRequests, a.status)
	assert.Equal(t, "7", a.header.Get("Retry-After"))
	assert.Empty(t, a.text)
	require.NoError(t, api.server.SetSwitch("rate_limit_body", "text"))
	a = api.do("GET", "/v2/users/self", nil)
	assert.Equal(t, "text/plain; charset=utf-8", a.header.Get("Content-Type"))
	assert.NotEmpty(t, a.text)

	require.NoError(t, api.server.SetSwitch("rate_limit", "off"))
	api.ok("GET", "/v2/users/self", nil)
}

func TestARateLimitsWindowEnds(t *testing.T) {
	env, err := kit.NewEnv(Definition, 0, map[string]string{"rate_limit": "1"})
	require.NoError(t, err)
	v := newVendor(env).(*vendor)
	h := newHolder("x", "", time.Time{})
	now := time.Now()
	for i, limited := range []bool{false, true, false, true} {
		_, got := v.limit(&call{now: now.Add(time.Duration(i/2) * time.Second)}, h)
		assert.Equal(t, limited, got, "request %d", i)
	}
}

func TestVerbsMayComeInLowerCaseAsThePHPClientSendsThem(t *testing.T) {
	env, err := kit.NewEnv(Definition, 1, nil)
	require.NoError(t, err)
	v := newVendor(env)
	r := httptest.NewRequest("delete", "/v2/contacts/400001", nil)
	r.Header.Set("Authorization", "Bearer "+personalToken)
	r.Header.Set("User-Agent", "php")
	w := httptest.NewRecorder()
	v.ServeHTTP(w, r)
	assert.Equal(t, http.StatusNoContent, w.Code)
}
