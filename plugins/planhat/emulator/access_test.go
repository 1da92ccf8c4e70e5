package emulator

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

func TestOnlyTheTwoDocumentedFormsOfTheTokenAreLetIn(t *testing.T) {
	basic := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	for name, c := range map[string]struct {
		auth   string
		status int
	}{
		"the token as a bearer":                      {"Bearer " + token, 200},
		"the token as a user with an empty password": {basic(token + ":"), 200},
		"Basic without the colon":                    {basic(token), 401},
		"Basic with a password":                      {basic(token + ":x"), 401},
		"the token as the password":                  {basic(":" + token), 401},
		"Basic that is not base64":                   {"Basic " + token, 401},
		"another token":                              {"Bearer " + token + "x", 401},
		"an empty token":                             {"Bearer ", 401},
		"no scheme":                                  {token, 401},
		"a scheme that the vendor has not":           {"Token " + token, 401},
		"no header":                                  {"", 401},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, 1, nil)
			s.auth = c.auth
			assert.Equal(t, c.status, s.call("GET", "/endusers", "").status)
		})
	}
}

func TestAStrangerLearnsNothingOfThePaths(t *testing.T) {
	s := start(t, 1, nil)
	s.auth = ""
	for _, path := range []string{"/endusers", "/endusers/" + unknownID, "/no-such-thing", "/"} {
		assert.Equal(t, 401, s.call("GET", path, "").status, path)
	}
}

func TestPermissionsBoundWhatTheTokenMayDo(t *testing.T) {
	s := start(t, 1, map[string]string{"permissions": "read_only"})
	assert.Equal(t, 200, s.call("GET", "/endusers", "").status)
	assert.Equal(t, 403, s.call("POST", "/endusers", `{}`).status)
	assert.Equal(t, 403, s.call("PUT", "/endusers", `[]`).status)
	require.NoError(t, s.SetSwitch("permissions", "none"))
	assert.Equal(t, 403, s.call("GET", "/endusers", "").status)
}

func TestUnknownPathsAndMethodsAreNotFound(t *testing.T) {
	s := start(t, 1, nil)
	contact := s.contact(0)
	for _, c := range [][2]string{
		{"GET", "/"},
		{"GET", "/notes"},
		{"GET", "/activities"},
		{"GET", "/Endusers"},
		{"GET", "//endusers"},
		{"DELETE", "/endusers"},
		{"DELETE", "/endusers/"},
		{"PATCH", "/endusers/" + contact},
		{"POST", "/endusers/" + contact},
		{"GET", "/endusers/" + contact + "/"},
		{"GET", "/endusers/" + contact + "/x"},
		{"GET", "/endusers//"},
		{"PUT", "/customfields"},
		{"POST", "/leancompanies"},
		{"GET", "/leancompanies/1"},
	} {
		assert.Equal(t, 404, s.call(c[0], c[1], "").status, "%v", c)
	}
	assert.Len(t, s.list("/endusers"), 1+awkward-1, "nothing was deleted")
}

func TestABlankIDIsTheCollectionCall(t *testing.T) {
	s := start(t, 3, nil)
	assert.Len(t, s.list("/endusers/"), 3+awkward-1)
	assert.EqualValues(t, 1, s.object("PUT", "/endusers/", `[{"externalId":"u-1","position":"Chief"}]`)["updated"])
	assert.Equal(t, 400, s.call("PUT", "/endusers/", `{"position":"Chief"}`).status)
}

func TestErrorsHaveTheBodyThatTheSwitchSays(t *testing.T) {
	s := start(t, 0, nil)
	for mode, want := range map[string][2]string{
		"text":         {"text/plain; charset=utf-8", "Not Found"},
		"json_message": {"application/json; charset=utf-8", `{"message":"Not Found"}`},
		"json_error":   {"application/json; charset=utf-8", `{"error":"Not Found"}`},
		"html":         {"text/html; charset=utf-8", "<html><body><h1>404 Not Found</h1></body></html>"},
		"empty":        {"", ""},
	} {
		require.NoError(t, s.SetSwitch("error_body", mode))
		got := s.call("GET", "/endusers/"+unknownID, "")
		assert.Equal(t, 404, got.status, mode)
		assert.Equal(t, want, [2]string{got.header.Get("Content-Type"), got.body}, mode)
	}
}

func TestTheQuotaRunsOutAndComesBackWithTheNextWindow(t *testing.T) {
	env, err := kit.NewEnv(Definition, 1, map[string]string{"rate_limit": "2"})
	require.NoError(t, err)
	p := Definition.New(env).(*planhat)
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	p.now = func() time.Time { return now }
	get := func(auth string) *httptest.ResponseRecorder {
		request := httptest.NewRequest(http.MethodGet, "/endusers", nil)
		request.Header.Set("Authorization", auth)
		w := httptest.NewRecorder()
		p.ServeHTTP(w, request)
		return w
	}
	seen := func(w *httptest.ResponseRecorder) string {
		return fmt.Sprint(w.Code, " ", w.Header().Get("X-Rate-Limit-Limit"), " ", w.Header().Get("X-Rate-Limit-Remaining"), " ", w.Header().Get("Retry-After"))
	}
	bearer := "Bearer " + token
	assert.Equal(t, "200 2 1 ", seen(get(bearer)))
	assert.Equal(t, "401 2 1 ", seen(get("Bearer wrong")), "a stranger uses nothing up")
	assert.Equal(t, "200 2 0 ", seen(get(bearer)))
	assert.Equal(t, "429 2 0 ", seen(get(bearer)))

	require.NoError(t, env.SetSwitch("retry_after", "present"))
	now = now.Add(20 * time.Second)
	assert.Equal(t, "429 2 0 40", seen(get(bearer)))

	require.NoError(t, env.SetSwitch("rate_limit", "1"))
	assert.Equal(t, "200 1 0 ", seen(get(bearer)), "a new setting begins a new window")
	assert.Equal(t, "429 1 0 60", seen(get(bearer)))
	now = now.Add(time.Minute)
	assert.Equal(t, "200 1 0 ", seen(get(bearer)))

	require.NoError(t, env.SetSwitch("rate_limit", "off"))
	for range 3 {
		assert.Equal(t, "200 200 199 ", seen(get(bearer)))
	}
	require.NoError(t, env.SetSwitch("rate_limit_headers", "off"))
	assert.Equal(t, "200   ", seen(get(bearer)))
}
