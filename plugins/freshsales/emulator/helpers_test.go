package emulator

import (
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

const api = "/crm/sales/api"

// The whole view and the first records of the default seed.
const (
	allView      = "70008880002"
	binView      = "70008880003"
	firstContact = "70011223344"
	unknown      = "79999999999"
)

// reply is an answer as a test looks at it.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func start(t *testing.T, seed int, switches map[string]string) *kit.Server {
	t.Helper()
	s, err := kit.Start(Definition, kit.Options{Seed: seed, Switches: switches})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// call sends a request with the right key; body "" is none.
func call(t *testing.T, s *kit.Server, method, path, body string) reply {
	t.Helper()
	headers := map[string]string{"Authorization": "Token token=" + apiKey}
	if body != "" {
		headers["Content-Type"] = "application/json"
	}
	return callWith(t, s, method, path, body, headers)
}

func callWith(t *testing.T, s *kit.Server, method, path, body string, headers map[string]string) reply {
	t.Helper()
	req, err := http.NewRequest(method, s.URL()+path, strings.NewReader(body))
	require.NoError(t, err)
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return reply{res.StatusCode, res.Header, data}
}

// object reads the answer's body as an object.
func (r reply) object(t *testing.T) *kit.Object {
	t.Helper()
	o, err := kit.ParseObject(r.body)
	require.NoError(t, err, "%s", r.body)
	return o
}

// contact reads the record out of its envelope.
func (r reply) contact(t *testing.T) *kit.Object {
	t.Helper()
	c, fine := r.object(t).Get("contact").(*kit.Object)
	require.True(t, fine, "%s", r.body)
	return c
}

// idsOf collects the ids of a list answer.
func idsOf(t *testing.T, r reply, key string) []string {
	t.Helper()
	ids := []string{}
	list, fine := r.object(t).Get(key).([]any)
	require.True(t, fine, "%s", r.body)
	for _, item := range list {
		ids = append(ids, item.(*kit.Object).Get("id").(json.Number).String())
	}
	return ids
}

// contactID is the id of the n-th contact made, from zero.
func contactID(n int) string { return strconv.FormatInt(firstIDs["contact"]+int64(n), 10) }

func requireError(t *testing.T, r reply, status int, message string) {
	t.Helper()
	require.Equal(t, status, r.status, "%s", r.body)
	errors, fine := r.object(t).Get("errors").(*kit.Object)
	require.True(t, fine, "%s", r.body)
	require.Equal(t, json.Number(strconv.Itoa(status)), errors.Get("code"))
	if message != "" {
		require.Contains(t, string(r.body), message)
	}
}
