package emulator

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

var goodAuthorization = "Basic " + base64.StdEncoding.EncodeToString([]byte(apiKey+":"))

// client speaks to an emulator without a server.
type client struct {
	t   testing.TB
	env *kit.Env
	e   *emulator
}

func newClient(t testing.TB, seed int, switches map[string]string) *client {
	t.Helper()
	env, err := kit.NewEnv(Definition, seed, switches)
	require.NoError(t, err)
	return &client{t: t, env: env, e: Definition.New(env).(*emulator)}
}

type reply struct {
	status int
	header http.Header
	body   []byte
}

// do sends a request below /v3.1 with the right key, body as its text.
func (c *client) do(method, path, body string, headers ...string) reply {
	c.t.Helper()
	r := httptest.NewRequest(method, "/v3.1"+path, strings.NewReader(body))
	r.Header.Set("Authorization", goodAuthorization)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return c.send(r)
}

func (c *client) send(r *http.Request) reply {
	w := httptest.NewRecorder()
	c.e.ServeHTTP(w, r)
	body, _ := io.ReadAll(w.Body)
	return reply{w.Code, w.Header(), body}
}

// object does a request that answers with one object.
func (c *client) object(status int, method, path, body string, headers ...string) *kit.Object {
	c.t.Helper()
	r := c.do(method, path, body, headers...)
	require.Equal(c.t, status, r.status, "%s %s: %s", method, path, r.body)
	o, err := kit.ParseObject(r.body)
	require.NoError(c.t, err)
	return o
}

// list gets a path that answers with an array of objects.
func (c *client) list(path string) []*kit.Object {
	c.t.Helper()
	r := c.do(http.MethodGet, path, "")
	require.Equal(c.t, http.StatusOK, r.status, "GET %s: %s", path, r.body)
	var all []*kit.Object
	require.NoError(c.t, json.NewDecoder(bytes.NewReader(r.body)).Decode(&all))
	return all
}

// create makes a contact of a JSON text and returns its id.
func (c *client) create(body string) string {
	c.t.Helper()
	return id(c.object(http.StatusCreated, http.MethodPost, "/Contacts", body))
}

func id(contact *kit.Object) string { return string(contact.Get("CONTACT_ID").(json.Number)) }

func ids(list []*kit.Object) []string {
	all := []string{}
	for _, contact := range list {
		all = append(all, id(contact))
	}
	return all
}

func (r reply) message(t testing.TB) string {
	t.Helper()
	o, err := kit.ParseObject(r.body)
	require.NoError(t, err, "body %s", r.body)
	require.Equal(t, []string{"Message"}, o.Keys())
	return o.Text("Message")
}

func compact(t testing.TB, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}
