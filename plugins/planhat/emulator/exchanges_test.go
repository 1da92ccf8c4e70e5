package emulator

import (
	"io"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk/exchange"
)

func TestEveryDocumentedExchangeIsAnsweredInItsShape(t *testing.T) {
	all, err := exchange.Load("../testdata/exchanges")
	require.NoError(t, err)
	for _, e := range all {
		t.Run(e.Name, func(t *testing.T) {
			if e.Switches["fault"] == "only" {
				t.Skip("only an injected fault produces this answer")
			}
			s := start(t, seeded, e.Switches)
			first := plainEnduser(0)
			vars := map[string]string{
				"api_token":        token,
				"contact_id":       first.Text("_id"),
				"other_contact_id": plainEnduser(1).Text("_id"),
				"sparse_id":        plainEnduser(13).Text("_id"),
				"archived_id":      awkwardID(1),
				"external_id":      first.Text("externalId"),
				"source_id":        first.Text("sourceId"),
				"email":            first.Text("email"),
				"past_end":         strconv.Itoa(seeded + awkward),
				"company_id":       companyID,
				"unknown_id":       unknownID,
				"user_id":          fixedID("39", 1),
			}
			request, err := e.NewRequest(s.URL(), vars)
			require.NoError(t, err)
			response, err := http.DefaultClient.Do(request)
			require.NoError(t, err)
			defer func() { _ = response.Body.Close() }()
			body, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			assert.Empty(t, e.CheckAnswer(response.StatusCode, response.Header, body, vars))
		})
	}
}
