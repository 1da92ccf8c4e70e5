package emulator

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const grant = `{"grant_type":"client_credentials","client_id":"` + clientID + `","client_secret":"` + clientSecret + `","instance_id":"` + instanceID + `"}`

func (c *client) token() string {
	c.t.Helper()
	a := c.do("POST", "/oauth2/token", grant)
	require.Equal(c.t, 200, a.status, a.raw)
	return a.at("access_token").(string)
}

func TestCredentialsAreHeldToTheVendorsForms(t *testing.T) {
	c := start(t, 3)
	none := c.with("Authorization", "").with("wix-site-id", "")
	token := c.token()
	cases := []struct {
		name     string
		headers  map[string]string
		settings map[string]string
		status   int
	}{
		{"the raw key with its site", map[string]string{"Authorization": apiKey, "wix-site-id": siteID}, nil, 200},
		{"the raw key with its account", map[string]string{"Authorization": apiKey, "wix-account-id": accountID}, nil, 200},
		{"the account where only sites count", map[string]string{"Authorization": apiKey, "wix-account-id": accountID}, map[string]string{"account_level_key": "403"}, 403},
		{"no credentials", nil, nil, 401},
		{"a site alone", map[string]string{"wix-site-id": siteID}, nil, 401},
		{"Bearer before the key", map[string]string{"Authorization": "Bearer " + apiKey, "wix-site-id": siteID}, nil, 401},
		{"something before the key", map[string]string{"Authorization": "IST." + apiKey, "wix-site-id": siteID}, nil, 401},
		{"another key", map[string]string{"Authorization": "other", "wix-site-id": siteID}, nil, 401},
		{"the key without an id header", map[string]string{"Authorization": apiKey}, nil, 403},
		{"the key of another site", map[string]string{"Authorization": apiKey, "wix-site-id": clientID}, nil, 403},
		{"the key of another account", map[string]string{"Authorization": apiKey, "wix-account-id": clientID}, nil, 403},
		{"both id headers", map[string]string{"Authorization": apiKey, "wix-site-id": siteID, "wix-account-id": accountID}, nil, 400},
		{"both id headers where that is accepted", map[string]string{"Authorization": apiKey, "wix-site-id": siteID, "wix-account-id": accountID}, map[string]string{"both_id_headers": "accept"}, 200},
		{"an app's token raw", map[string]string{"Authorization": token}, nil, 200},
		{"an app's token with Bearer", map[string]string{"Authorization": "Bearer " + token}, nil, 200},
		{"an app's token with Bearer where that is refused", map[string]string{"Authorization": "Bearer " + token}, map[string]string{"bearer_app_token": "401"}, 401},
		{"a token nobody issued", map[string]string{"Authorization": "emulator-access-token-0"}, nil, 401},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			for name, value := range tc.settings {
				c.set(name, value)
				defer c.set(name, defaultOf(name))
			}
			caller := none
			for name, value := range tc.headers {
				caller = caller.with(name, value)
			}
			a := caller.do("GET", contactsPath, nil)
			assert.Equal(t, tc.status, a.status, a.raw)
			assert.NotEmpty(t, a.header.Get("x-wix-request-id"))
			if a.status == 401 || a.status == 403 {
				assert.JSONEq(t, `{"message":"","details":{}}`, a.raw)
			}
		})
	}
}

func defaultOf(name string) string {
	for _, s := range switches {
		if s.Name == name {
			return s.Default
		}
	}
	return ""
}

func TestRefusalsTakeTheBodyThatTheSwitchNames(t *testing.T) {
	c := start(t, 1).with("Authorization", "wrong")
	for value, want := range map[string]string{
		"empty_message":     `{"message":"","details":{}}`,
		"no_details":        `{"message":""}`,
		"application_error": `{"message":"The caller is not known.","details":{"applicationError":{"code":"UNAUTHENTICATED","description":"The caller is not known.","data":{}}}}`,
	} {
		c.set("refusal_body", value)
		a := c.do("GET", contactsPath, nil)
		assert.Equal(t, 401, a.status)
		assert.JSONEq(t, want, a.raw, value)
	}
}

func TestTokenRequestsAreRefusedPartByPart(t *testing.T) {
	c := start(t, 0)
	cases := []struct{ name, body, rule string }{
		{"another grant", strings.Replace(grant, "client_credentials", "authorization_code", 1), "<nil> <nil>"},
		{"another app", strings.Replace(grant, clientID, "other", 1), "getBy.app FORMAT"},
		{"another secret", strings.Replace(grant, clientSecret, "other", 1), "<nil> <nil>"},
		{"another instance", strings.Replace(grant, instanceID, "other", 1), "<nil> <nil>"},
		{"a form", "grant_type=client_credentials&client_id=" + clientID, "<nil> <nil>"},
		{"nothing", "", "<nil> <nil>"},
		{"numbers", `{"grant_type":1}`, "<nil> <nil>"},
	}
	for _, tc := range cases {
		a := c.do("POST", "/oauth2/token", tc.body)
		assert.Equal(t, 400, a.status, tc.name)
		assert.Equal(t, tc.rule, a.rule(), tc.name)
	}
	for _, status := range []string{"401", "403"} {
		c.set("token_refusal", status)
		a := c.do("POST", "/oauth2/token", strings.Replace(grant, clientSecret, "other", 1))
		assert.Equal(t, status, intText(a.status))
	}
}

func TestTokensLiveAsLongAsTheySay(t *testing.T) {
	c := start(t, 1)
	a := c.do("POST", "/oauth2/token", grant)
	assert.EqualValues(t, 14400, a.at("expires_in"))
	assert.Nil(t, a.at("refresh_token"))
	c.set("token_lifetime", "1")
	short := c.token()
	app := c.with("wix-site-id", "").with("Authorization", short)
	assert.Equal(t, 200, app.do("GET", contactsPath, nil).status)
	info := c.do("POST", "/oauth2/token-info", `{"token":"`+short+`"}`)
	assert.Equal(t, true, info.at("active"))
	assert.Equal(t, "APP", info.at("subjectType"))
	assert.Equal(t, instanceID, info.at("instanceId"))
	require.Eventually(t, func() bool { return app.do("GET", contactsPath, nil).status == 401 }, 5*time.Second, 50*time.Millisecond)
	assert.Equal(t, false, c.do("POST", "/oauth2/token-info", `{"token":"other"}`).at("active"))
}

func TestTokensDoNotOutliveAReset(t *testing.T) {
	c := start(t, 1)
	app := c.with("wix-site-id", "").with("Authorization", c.token())
	assert.Equal(t, 200, app.do("GET", contactsPath, nil).status)
	c.server.Reset()
	assert.Equal(t, 401, app.do("GET", contactsPath, nil).status)
}

func TestPermissionsDecideWhatIsForbidden(t *testing.T) {
	c := start(t, 3)
	c.set("permissions", "read_only")
	assert.Equal(t, 200, c.get(seedID(0)).status)
	assert.Equal(t, 403, c.del(seedID(0)).status)
	assert.Equal(t, 403, c.create(`{"info":{"name":{"first":"x"}}}`).status)
	assert.Equal(t, 200, c.do("POST", contactsPath+"/query", `{}`).status)
	c.set("permissions", "no_extended_fields")
	assert.Equal(t, 200, c.del(seedID(0)).status)
	assert.Equal(t, 403, c.do("GET", "/contacts/v4/extended-fields", nil).status)
}

func TestRateLimitAnswers429(t *testing.T) {
	c := start(t, 1)
	c.set("rate_limit", "2")
	assert.Equal(t, 200, c.get(seedID(0)).status)
	assert.Equal(t, 401, c.with("Authorization", "x").get(seedID(0)).status, "who is not known is not counted")
	assert.Equal(t, 200, c.get(seedID(0)).status)
	limited := c.get(seedID(0))
	assert.Equal(t, 429, limited.status)
	assert.Empty(t, limited.header.Get("Retry-After"))
	assert.JSONEq(t, `{"message":"","details":{}}`, limited.raw)
	c.set("rate_limit_headers", "retry_after")
	assert.Regexp(t, `^[1-9][0-9]?$`, c.get(seedID(0)).header.Get("Retry-After"))
	c.set("rate_limit", "3")
	assert.Equal(t, 200, c.get(seedID(0)).status, "a new setting begins a new window")
	c.set("rate_limit", "off")
	for range 10 {
		assert.Equal(t, 200, c.get(seedID(0)).status)
	}
}
