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

// YOUR VENDOR: what this test has to know of the emulator, which is a key that
// it accepts and a person of its seed.
const (
	goodKey    = "emulator-acme-key"
	goodPerson = "70000000001"
)

func start(t *testing.T, seed int, switches map[string]string) *kit.Server {
	t.Helper()
	server, err := kit.Start(Definition, kit.Options{Seed: seed, Switches: switches})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	return server
}

// send performs a request and reads its answer.
func send(t *testing.T, request *http.Request) (*http.Response, []byte) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response, body
}

// call makes a call with a key.
func call(t *testing.T, s *kit.Server, method, path, key string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+key)
	response, data := send(t, request)
	return response.StatusCode, string(data)
}

func status(t *testing.T, s *kit.Server, method, path, key string) int {
	t.Helper()
	status, _ := call(t, s, method, path, key)
	return status
}

func TestEveryDocumentedExchangeIsAnsweredInItsShape(t *testing.T) {
	all, err := exchange.Load("../testdata/exchanges")
	require.NoError(t, err)
	for _, e := range all {
		t.Run(e.Name, func(t *testing.T) {
			vars := map[string]string{"api_key": goodKey, "person_id": goodPerson}
			request, err := e.NewRequest(start(t, 3, e.Switches).URL(), vars)
			require.NoError(t, err)
			response, body := send(t, request)
			assert.Empty(t, e.CheckAnswer(response.StatusCode, response.Header, body, vars))
		})
	}
}

func TestAStrangerLearnsNothingOfThePaths(t *testing.T) {
	s := start(t, 1, nil)
	for _, path := range []string{"/v1/me", "/v1/people", "/v1/people/5", "/nothing"} {
		assert.Equal(t, 401, status(t, s, "GET", path, "wrong"), path)
	}
}

func TestWhatTheVendorDoesNotKnowIsRefused(t *testing.T) {
	s := start(t, 1, nil)
	for path, want := range map[string]int{
		"/v1/people?limit=0":      400,
		"/v1/people?limit=101":    400,
		"/v1/people?limit=":       400,
		"/v1/people?cursor=%25":   400,
		"/v1/people?cursor=aGk":   400,
		"/v1/people/5":            404,
		"/v1/people/070000000001": 404,
		"/v2/people":              404,
	} {
		assert.Equal(t, want, status(t, s, "GET", path, goodKey), path)
	}
}

func TestADeleteIsForGoodUntilTheReset(t *testing.T) {
	for answer, want := range map[string]int{"empty": 204, "record": 200} {
		s := start(t, 1, map[string]string{"delete_answer": answer})
		path := "/v1/people/" + goodPerson
		_, before := call(t, s, "GET", "/v1/people", goodKey)
		assert.Equal(t, want, status(t, s, "DELETE", path, goodKey))
		assert.Equal(t, 404, status(t, s, "DELETE", path, goodKey))
		assert.Equal(t, 404, status(t, s, "GET", path, goodKey))
		s.Reset()
		_, after := call(t, s, "GET", "/v1/people", goodKey)
		assert.Equal(t, before, after)
	}
}
