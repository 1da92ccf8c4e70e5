package emulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// client talks to a started emulator in the vendor's own form.
type client struct {
	t      *testing.T
	server *kit.Server
	header http.Header
}

func start(t *testing.T, seed int, settings ...string) *client {
	t.Helper()
	options := kit.Options{Seed: seed, Switches: map[string]string{}}
	for i := 0; i < len(settings); i += 2 {
		options.Switches[settings[i]] = settings[i+1]
	}
	server, err := kit.Start(Definition, options)
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	return &client{t: t, server: server, header: http.Header{"Authorization": {apiKey}, "Wix-Site-Id": {siteID}}}
}

// answer is a parsed answer; body is nil when it is not a JSON object.
type answer struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

// at returns the value at a dotted path; numbers select from an array.
func (a answer) at(path string) any {
	var value any = a.body
	for _, step := range strings.Split(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[step]
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}

func (a answer) code() any { return a.at("details.applicationError.code") }

func (a answer) rule() string {
	v, _ := a.at("details.validationError.fieldViolations.0").(map[string]any)
	return fmt.Sprint(v["field"], " ", v["violatedRule"])
}

func (c *client) with(name, value string) *client {
	changed := *c
	changed.header = c.header.Clone()
	if value == "" {
		changed.header.Del(name)
	} else {
		changed.header.Set(name, value)
	}
	return &changed
}

func (c *client) do(method, path string, body any) answer {
	c.t.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		data, err := json.Marshal(b)
		require.NoError(c.t, err)
		reader = bytes.NewReader(data)
	}
	req, err := http.NewRequest(method, c.server.URL()+path, reader)
	require.NoError(c.t, err)
	req.Header = c.header.Clone()
	resp, err := http.DefaultClient.Do(req)
	require.NoError(c.t, err, "%s %s", method, path)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(c.t, err)
	a := answer{status: resp.StatusCode, header: resp.Header, raw: string(data)}
	_ = json.Unmarshal(data, &a.body)
	return a
}

const contactsPath = "/contacts/v4/contacts"

func (c *client) get(id string) answer { return c.do("GET", contactsPath+"/"+id, nil) }
func (c *client) del(id string) answer { return c.do("DELETE", contactsPath+"/"+id, nil) }

func (c *client) create(body string) answer {
	c.t.Helper()
	return c.do("POST", contactsPath, body)
}

func (c *client) patch(id string, revision int, info string) answer {
	c.t.Helper()
	return c.do("PATCH", contactsPath+"/"+id, fmt.Sprintf(`{"revision":%d,"info":%s}`, revision, info))
}

func (c *client) set(name, value string) {
	c.t.Helper()
	require.NoError(c.t, c.server.SetSwitch(name, value))
}

// created makes a contact and returns its id.
func (c *client) created(info string) string {
	c.t.Helper()
	a := c.create(`{"info":` + info + `,"allowDuplicates":true}`)
	require.Equal(c.t, 200, a.status, a.raw)
	return a.at("contact.id").(string)
}
