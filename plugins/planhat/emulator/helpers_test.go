package emulator

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

const (
	unknownID = "64b0c1d2e3f40516273fffff"
	companyID = "64b0c1d2e3f4051627380001"
	seeded    = 30
	awkward   = 9
)

// session is a started emulator and the credentials to talk to it.
type session struct {
	*kit.Server
	t    *testing.T
	auth string
}

func start(t *testing.T, seed int, switches map[string]string) *session {
	t.Helper()
	server, err := kit.Start(Definition, kit.Options{Seed: seed, Switches: switches})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	return &session{Server: server, t: t, auth: "Bearer " + server.Context()["api_token"].(string)}
}

// answer is one answer, read to its end.
type answer struct {
	status int
	header http.Header
	body   string
}

// call sends one request; body may be empty.
func (s *session) call(method, path, body string) answer {
	s.t.Helper()
	request, err := http.NewRequest(method, s.URL()+path, strings.NewReader(body))
	require.NoError(s.t, err)
	if s.auth != "" {
		request.Header.Set("Authorization", s.auth)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(s.t, err)
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	return answer{response.StatusCode, response.Header, string(read)}
}

// object reads a 200 whose body is an object.
func (s *session) object(method, path, body string) map[string]any {
	s.t.Helper()
	got := s.call(method, path, body)
	require.Equal(s.t, http.StatusOK, got.status, got.body)
	var value map[string]any
	require.NoError(s.t, json.Unmarshal([]byte(got.body), &value), got.body)
	return value
}

// list reads a 200 whose body is an array of objects.
func (s *session) list(path string) []map[string]any {
	s.t.Helper()
	got := s.call("GET", path, "")
	require.Equal(s.t, http.StatusOK, got.status, got.body)
	require.True(s.t, strings.HasPrefix(got.body, "["), "a list is a bare array: %.100s", got.body)
	var value []map[string]any
	require.NoError(s.t, json.Unmarshal([]byte(got.body), &value))
	return value
}

// contact returns the id of the i-th seeded end user.
func (s *session) contact(i int) string {
	s.t.Helper()
	return s.list(fmt.Sprintf("/endusers?limit=1&sort=_id&offset=%d", i))[0]["_id"].(string)
}

// make creates an end user and returns its id.
func (s *session) make(email string) string {
	s.t.Helper()
	return s.object("POST", "/endusers", fmt.Sprintf(`{"email":%q,"companyId":%q}`, email, companyID))["_id"].(string)
}

func column(records []map[string]any, key string) []any {
	values := []any{}
	for _, record := range records {
		values = append(values, record[key])
	}
	return values
}
