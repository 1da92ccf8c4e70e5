package emulator

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	kit "github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/exchange"
)

func TestEveryDocumentedExchangeIsAnsweredInTheSamplesShape(t *testing.T) {
	all, err := exchange.Load("../testdata/exchanges")
	require.NoError(t, err)
	vars := map[string]string{
		"access_token": personalToken, "read_only_token": readOnlyToken,
		"contact_id": "400001", "sparse_id": "400011", "deleted_id": "400002", "organization_id": "900001",
		"unknown_id": "999999999", "malformed_id": "abc", "user_id": "7", "tag_id": "700001",
		"last_page": "3",
	}
	for _, e := range all {
		t.Run(e.Name, func(t *testing.T) {
			if e.Switches["fault"] == "only" {
				t.Skip("only an injected fault produces this answer")
			}
			server, err := kit.Start(Definition, kit.Options{Seed: 30})
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, server.Close()) })
			api := &client{t: t, server: server, token: personalToken}
			require.Equal(t, http.StatusNoContent, api.do("DELETE", "/v2/contacts/400002", nil).status)
			for name, value := range e.Switches {
				require.NoError(t, server.SetSwitch(name, value))
			}

			req, err := e.NewRequest(server.URL(), vars)
			require.NoError(t, err)
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			for _, problem := range e.CheckAnswer(resp.StatusCode, resp.Header, body, vars) {
				t.Error(problem)
			}
		})
	}
}
