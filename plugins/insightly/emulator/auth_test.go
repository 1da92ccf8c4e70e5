package emulator

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTheKeyIsAcceptedWithAndWithoutTheColonAndNothingElseIs(t *testing.T) {
	basic := func(credentials string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(credentials))
	}
	for name, c := range map[string]struct {
		header string
		want   int
	}{
		"key and colon":          {basic(apiKey + ":"), 200},
		"bare key":               {basic(apiKey), 200},
		"lower-case scheme":      {"basic " + base64.StdEncoding.EncodeToString([]byte(apiKey+":")), 200},
		"no header":              {"", 401},
		"another key":            {basic("other:"), 401},
		"key as password":        {basic(":" + apiKey), 401},
		"key with a password":    {basic(apiKey + ":x"), 401},
		"key not encoded":        {"Basic " + apiKey, 401},
		"another scheme":         {"Bearer " + apiKey, 401},
		"scheme alone":           {"Basic", 401},
		"not base64":             {"Basic ***", 401},
		"key in upper case only": {basic("EMULATOR-INSIGHTLY-API-KEY:"), 401},
	} {
		t.Run(name, func(t *testing.T) {
			client := newClient(t, 1, nil)
			r := httptest.NewRequest(http.MethodGet, "/v3.1/Users/Me", nil)
			r.Header.Set("Authorization", c.header)
			got := client.send(r)
			assert.Equal(t, c.want, got.status)
			assert.Equal(t, "application/json; charset=utf-8", got.header.Get("Content-Type"))
			assert.NotEmpty(t, got.header.Get("X-RateLimit-Remaining"))
			if c.want == 401 {
				assert.Equal(t, `{"Message":"Authorization has been denied for this request."}`, string(got.body))
			}
		})
	}
}

func TestTheContextHoldsWhatAnAccountNeeds(t *testing.T) {
	assert.Equal(t, map[string]any{"pod": "na1", "api_key": "emulator-insightly-api-key"}, newClient(t, 0, nil).e.Context())
}
