package emulator

import (
	"io"
	"maps"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk/exchange"
)

func TestEveryExchangeIsAnsweredAsDocumented(t *testing.T) {
	all, err := exchange.Load("../testdata/exchanges")
	require.NoError(t, err)
	for _, e := range all {
		t.Run(e.Name, func(t *testing.T) {
			if e.Switches["fault"] == "only" {
				t.Skip("only an injected fault answers like this")
			}
			s := start(t, 30, e.Switches)
			vars := map[string]string{"api_key": apiKey, "deleted_id": contactID(33), "job_id": "70000990001"}
			if e.Name == "job_status" {
				// One good and one bad record give both halves of the report.
				r := call(t, s, "POST", api+"/contacts/bulk_upsert", `{"contacts":[{"emails":"bulk@example.com"},{"emails":"bad"}]}`)
				require.Equal(t, http.StatusAccepted, r.status)
			}
			maps.DeleteFunc(vars, func(name, _ string) bool { _, used := e.Vars[name]; return !used })
			req, err := e.NewRequest(s.URL(), vars)
			require.NoError(t, err)
			res, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			defer func() { _ = res.Body.Close() }()
			body, err := io.ReadAll(res.Body)
			require.NoError(t, err)
			assert.Empty(t, e.CheckAnswer(res.StatusCode, res.Header, body, vars))
		})
	}
}
