package emulator

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// client talks to a running emulator as an adapter would.
type client struct {
	t      *testing.T
	server *kit.Server
	token  string
}

// answer is what came back; JSON numbers keep their digits.
type answer struct {
	status int
	header http.Header
	text   string
	body   *kit.Object
}

func start(t *testing.T, seed int, switches ...string) *client {
	t.Helper()
	set := map[string]string{}
	for i := 0; i < len(switches); i += 2 {
		set[switches[i]] = switches[i+1]
	}
	server, err := kit.Start(Definition, kit.Options{Seed: seed, Switches: set})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close()) })
	return &client{t: t, server: server, token: personalToken}
}

// do sends a request. A string body goes as it is, anything else as the data
// of an envelope.
func (c *client) do(method, target string, body any, headers ...string) answer {
	c.t.Helper()
	var payload io.Reader
	switch body := body.(type) {
	case nil:
	case string:
		payload = strings.NewReader(body)
	default:
		raw, err := json.Marshal(map[string]any{"data": body})
		require.NoError(c.t, err)
		payload = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, c.server.URL()+target, payload)
	require.NoError(c.t, err)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	req.Header.Set("User-Agent", "emulator-test")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	noRedirects := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := noRedirects.Do(req)
	require.NoError(c.t, err)
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	a := answer{status: resp.StatusCode, header: resp.Header, text: string(raw), body: &kit.Object{}}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") && len(raw) > 0 {
		a.body, err = kit.ParseObject(raw)
		require.NoError(c.t, err, "body %s", raw)
	}
	return a
}

func (c *client) ok(method, target string, body any) answer {
	c.t.Helper()
	a := c.do(method, target, body)
	require.Equal(c.t, http.StatusOK, a.status, "%s %s: %s", method, target, a.text)
	return a
}

// data is the record of a single answer.
func (a answer) data() *kit.Object {
	o, _ := a.body.Get("data").(*kit.Object)
	if o == nil {
		o = &kit.Object{}
	}
	return o
}

func (a answer) meta() *kit.Object { return a.body.Get("meta").(*kit.Object) }

func (a answer) links() *kit.Object { return a.meta().Get("links").(*kit.Object) }

func (a answer) id() string { return string(a.data().Get("id").(json.Number)) }

// ids are the ids of a list's records.
func (a answer) ids() []string {
	ids := []string{}
	list, _ := a.body.Get("items").([]any)
	for _, entry := range list {
		ids = append(ids, string(entry.(*kit.Object).Get("data").(*kit.Object).Get("id").(json.Number)))
	}
	return ids
}

// errors are an error body's entries as "code field".
func (a answer) errors() []string {
	found := []string{}
	list, _ := a.body.Get("errors").([]any)
	for _, entry := range list {
		e := entry.(*kit.Object).Get("error").(*kit.Object)
		found = append(found, strings.TrimSpace(e.Text("code")+" "+e.Text("field")))
	}
	return found
}

// field reads a record's custom field.
func (a answer) field(name string) any {
	return a.data().Get("custom_fields").(*kit.Object).Get(name)
}

type attrs = map[string]any
