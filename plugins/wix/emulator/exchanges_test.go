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

// TestEveryDocumentedExchangeIsAnsweredInItsShape replays the samples against
// the seed. The fifth person is the sample contact: revision 4, one email, one
// phone.
func TestEveryDocumentedExchangeIsAnsweredInItsShape(t *testing.T) {
	all, err := exchange.Load("../testdata/exchanges")
	require.NoError(t, err)
	server, err := kit.Start(Definition, kit.Options{Seed: 30})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })

	vars := map[string]string{
		"contact_id": seedID(4), "email": kit.PersonAt(4).Email, "phone": kit.PersonAt(4).Phone,
		"other_id": seedID(5), "other_email": kit.PersonAt(5).Email, "source_id": seedID(5),
		"unknown_id": "3f2c1a10-ffff-4000-8000-00000000ffff", "merged_id": mergedAwayID,
		"member_contact_id": memberContactID, "subscriber_id": subscriberID, "owner_contact_id": ownerContactID,
		"label_key": "custom.vip", "api_key": apiKey,
		"client_id": clientID, "client_secret": clientSecret, "instance_id": instanceID,
	}
	for _, e := range all {
		t.Run(e.Name, func(t *testing.T) {
			if e.Switches["fault"] == "only" {
				t.Skip("only an injected fault gives this answer")
			}
			server.Reset()
			if _, ok := e.Vars["job_id"]; ok {
				vars["job_id"] = startedJob(t, server, vars["contact_id"])
			}
			for name, value := range e.Switches {
				require.NoError(t, server.SetSwitch(name, value))
			}
			req, err := e.NewRequest(server.URL(), vars)
			require.NoError(t, err)
			fillHeaders(req, e.Request.Headers)
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			for _, problem := range e.CheckAnswer(resp.StatusCode, resp.Header, body, vars) {
				assert.Fail(t, problem, "%s", body)
			}
		})
	}
}

// fillHeaders puts the emulator's credentials where a sample accepts any.
func fillHeaders(req *http.Request, sample map[string]string) {
	for name, mine := range map[string]string{"Authorization": apiKey, "wix-site-id": siteID} {
		if sample[name] == "*" {
			req.Header.Set(name, mine)
		}
	}
}

func startedJob(t *testing.T, server *kit.Server, contact string) string {
	c := &client{t: t, server: server, header: http.Header{"Authorization": {apiKey}, "Wix-Site-Id": {siteID}}}
	a := c.do("POST", "/contacts/v4/bulk/contacts/delete", `{"filter":{"id":"`+contact+`"}}`)
	require.Equal(t, 200, a.status, a.raw)
	return a.at("jobId").(string)
}
