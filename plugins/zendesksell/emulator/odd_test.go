package emulator

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

func TestNoRequestIsAnsweredWith5xxOrARedirect(t *testing.T) {
	paths := []string{
		"/", "", "//", "/v2", "/v2/", "/v2//", "/v2/contacts", "/v2/contacts/", "/v2/contacts//", "/v2/contacts/..", "/v2/contacts/../users", "/v2/./contacts",
		"/v2/contacts/%", "/v2/contacts/%00", "/v2/contacts/%2e%2e", "/v2/contacts/400001%2Fx", "/v2/contacts/400001/", "/v2/contacts/400001/x/y", "/v2/contacts/" + strings.Repeat("9", 5000),
		"/v2/contacts/upsert", "/v2/contacts/upsert/", "/v2/users", "/v2/users/self", "/v2/users/self/x", "/v2/users/", "/v2/tags", "/v2/tags/700001", "/v2/tags/x",
		"/v2/contact", "/v2/contact/custom_fields", "/v2/lead/custom_fields", "/v2/accounts/self", "/v2/accounts", "/v3/contacts", "/oauth2/token", "/oauth2/authorize", "/V2/contacts", "*",
	}
	queries := []string{"", "page=1&per_page=3", "&&&", "%", "a;b", "sort_by=custom_fields:", "sort_by=:desc", "custom_fields[]=x", "custom_fields[=x", "ids=" + strings.Repeat("1,", 20000) + "1", "inclusive=false", strings.Repeat("x", 50000) + "=1"}
	bodies := []string{"", "{", `{"data":{"last_name":"x","tags":[[]],"custom_fields":{"":null}}}`, `{"data":{"custom_fields":{"Known via":{}}}}`, `{"data":{"owner_id":1e400}}`, `{"data":{"address":{"":{}}}}`, "\x00\xff", strings.Repeat("[", 100000), "grant_type=refresh_token"}
	env, err := kit.NewEnv(Definition, 12, nil)
	require.NoError(t, err)
	v := newVendor(env)
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", "ODD"} {
		for _, path := range paths {
			for i, query := range queries {
				u := &url.URL{Path: path, RawQuery: query}
				if decoded, err := url.PathUnescape(path); err == nil {
					u.Path, u.RawPath = decoded, path
				}
				r := httptest.NewRequest("GET", "/", strings.NewReader(bodies[i%len(bodies)]))
				r.Method, r.URL = method, u
				r.Header.Set("Authorization", "Bearer "+personalToken)
				r.Header.Set("User-Agent", "odd")
				w := httptest.NewRecorder()
				require.NotPanics(t, func() { v.ServeHTTP(w, r) }, "%s %s?%.60s", method, path, query)
				if w.Code >= 500 || (w.Code >= 300 && w.Code < 400) {
					t.Errorf("%s %s?%.60s answers %d", method, path, query, w.Code)
				}
			}
		}
	}
}

func TestEverySwitchTakesItsDefaultAndSaysWhatItIsFor(t *testing.T) {
	names := map[string]bool{}
	for _, s := range Definition.Switches {
		assert.False(t, names[s.Name], "%s twice", s.Name)
		names[s.Name] = true
		assert.Regexp(t, "^[a-z_]+$", s.Name)
		assert.NotEmpty(t, s.Doc, s.Name)
		if len(s.Values) > 0 {
			assert.Equal(t, s.Default, s.Values[0], "the default comes first: %s", s.Name)
		}
	}
}

func TestGarbageInANumericSwitchIsTheDefault(t *testing.T) {
	api := start(t, 1, "query_lag", "soon", "page_depth", "-3", "token_lifetime", "x", "rate_limit", "many", "rate_limit_window", "")
	assert.Equal(t, http.StatusOK, api.do("GET", "/v2/contacts?page=5", nil).status)
	a := api.refresh("grant_type=refresh_token&refresh_token=" + firstRefreshToken)
	assert.Equal(t, "3600", fmt.Sprint(a.body.Get("expires_in")))
}

func TestTwoStartsSeedTheSameToTheByte(t *testing.T) {
	list := func() string {
		api := start(t, 60)
		text := ""
		for page := 1; page <= 3; page++ {
			text += api.ok("GET", fmt.Sprintf("/v2/contacts?page=%d&per_page=50", page), nil).text
		}
		return strings.ReplaceAll(text, api.server.URL(), "")
	}
	assert.Equal(t, list(), list())
}
