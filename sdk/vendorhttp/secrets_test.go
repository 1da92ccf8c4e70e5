package vendorhttp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/redact"
)

const planted = "canary-8Jq2xWv7/with+odd=chars"

// everything is all that an error could show to anybody, but for the cause,
// which never leaves the process.
func everything(err error) string {
	var e *errs.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	bare := *e
	bare.Cause, bare.Vendor = nil, nil
	text := fmt.Sprintf("%s %+v", err, bare)
	if e.Vendor != nil {
		text += " " + e.Vendor.ContentType + " " + string(e.Vendor.Body)
	}
	return text
}

func TestCredentialsThatTheVendorRepeatsAreStruckOut(t *testing.T) {
	quoted, err := json.Marshal(planted)
	require.NoError(t, err)
	for name, how := range map[string]step{
		"in a message":              answers(401, `{"message":"bad token `+planted+`"}`),
		"in plain text":             answers(401, "bad token "+planted, "Content-Type: text/plain"),
		"somewhere in the body":     answers(500, `{"request":{"headers":{"Authorization":"Bearer `+planted+`"}}}`),
		"quoted":                    answers(400, `{"error":`+string(quoted)+`}`),
		"escaped":                   answers(400, `{"error":"`+strings.ReplaceAll(strings.ReplaceAll(planted, "/", `\/`), "-", `\u002d`)+`"}`),
		"where the message is cut":  answers(400, `{"message":"`+strings.Repeat("x", 985)+planted+`"}`),
		"in a redirect":             answers(302, planted, "Location: https://evil.test/?token="+planted),
		"in a broken redirect":      answers(302, planted, "Location: http://[::1/"+planted),
		"in what is not HTTP":       cut("HTTP/1.1 " + planted + "\r\n\r\n"),
		"in a header that is wrong": cut("HTTP/1.1 200 OK\r\n" + planted + "\r\n\r\n"),
		"in a rate limit":           answers(429, `{"message":"`+planted+`"}`, "Retry-After: 100"),
	} {
		for _, method := range []string{http.MethodGet, http.MethodDelete, http.MethodPost} {
			t.Run(name+" "+method, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					client := script(t, how).client(Vendor{
						Header:  http.Header{"Authorization": {"Bearer " + planted}},
						Explain: func(r *Response) *errs.Error { return nil },
					})
					client.options.Secrets = redact.New(planted)
					_, err := client.Main(within(t, callTime), request(method))
					require.Error(t, err)
					shown := everything(err)
					for size := 12; size <= len(planted); size++ {
						require.NotContains(t, shown, planted[:size])
					}
					require.NotContains(t, shown, "u002d8Jq2")
				})
			})
		}
	}
}

func TestWhatAProviderSaysOfAnAnswerIsStruckToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := script(t, answers(200, `{"token":"`+planted+`"}`)).client(Vendor{})
		client.options.Secrets = redact.New(planted)
		response, err := client.Main(within(t, callTime), request(http.MethodGet))
		require.NoError(t, err)
		assert.Contains(t, string(response.Body), planted, "the provider itself sees what came")
		assert.NotContains(t, string(response.Answer().Body), planted)
		assert.NotContains(t, everything(response.Error(errs.UnexpectedVendorAnswer, "odd: %s", response.Body)), planted)
		var into []int
		assert.NotContains(t, everything(response.Decode(&into)), planted)
	})
}

func TestQueriesAndHeadersDoNotOccurInErrors(t *testing.T) {
	for name, how := range map[string]step{"refused": refused, "broken": cut(""), "hanging": hangs("")} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := script(t, how).client(Vendor{Header: http.Header{"X-Key": {"header-canary"}}})
				client.options.RemoteQuery = []Param{{"email", "ada@example.com"}}
				r := request(http.MethodGet)
				r.Fixed = []Param{{"api_key", "query-canary"}}
				_, err := client.Main(within(t, callTime), r)
				require.Error(t, err)
				for _, private := range []string{"canary", "ada@", "contacts/5"} {
					assert.NotContains(t, everything(err), private)
				}
			})
		})
	}
}

func TestTriesAreLoggedWithoutTheQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines bytes.Buffer
		client := script(t, refused, cut(""), answers(200, `{}`)).client(Vendor{})
		client.options.Log = hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: &lines})
		r := request(http.MethodGet)
		r.Fixed = []Param{{"api_key", "query-canary"}}
		_, err := client.Main(within(t, callTime), r)
		require.NoError(t, err)
		assert.Equal(t, 2, strings.Count(lines.String(), "sending again"))
		assert.NotContains(t, lines.String(), "canary")
	})
}
