package emulator

import (
	"encoding/base64"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	kit "github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/exchange"
)

func TestTheEmulatorAnswersEveryDocumentedExchange(t *testing.T) {
	all, err := exchange.Load("../testdata/exchanges")
	require.NoError(t, err)
	server, err := kit.Start(Definition, kit.Options{Seed: 30})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close()) })

	for _, e := range all {
		t.Run(e.Name, func(t *testing.T) {
			if e.Switches["fault"] == "only" {
				t.Skip("the vendor's machinery answers this when it breaks; the emulator does so for an injected fault")
			}
			server.Reset()
			vars := map[string]string{}
			if _, ok := e.Vars["etag"]; ok {
				vars["etag"] = currentETag(t, server.URL())
			}
			for name, value := range e.Switches {
				require.NoError(t, server.SetSwitch(name, value))
			}
			req, err := e.NewRequest(server.URL(), vars)
			require.NoError(t, err)
			if req.Header.Get("Authorization") == "" {
				key := apiKey
				if e.Response.Status == http.StatusUnauthorized {
					key = "wrong"
				}
				req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(key+":")))
			}
			res, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			// Content-Length reaches Go clients as a field, not as a header.
			if res.ContentLength == 0 {
				res.Header.Set("Content-Length", "0")
			}
			assert.Empty(t, e.CheckAnswer(res.StatusCode, res.Header, body, vars))
			if want := e.Response.Headers["X-RateLimit-Remaining"]; want == "0" {
				assert.Equal(t, want, res.Header.Get("X-RateLimit-Remaining"))
			} else {
				assert.NotEqual(t, "0", res.Header.Get("X-RateLimit-Remaining"))
			}
			if len(body) == 0 {
				assert.Empty(t, res.Header.Get("Content-Type"))
			}
		})
	}
}

func currentETag(t *testing.T, base string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, base+"/v3.1/Contacts/312345001", nil)
	require.NoError(t, err)
	req.SetBasicAuth(apiKey, "")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	contact, err := kit.ParseObject(body)
	require.NoError(t, err)
	return contact.Text("ETag")
}
