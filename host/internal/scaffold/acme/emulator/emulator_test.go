package emulator

import (
	"io"
	"net/http"
	"strings"
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

func TestWhatIsWrittenIsThereAndTheRestStays(t *testing.T) {
	s := start(t, 2, nil)
	write := func(method, path, body string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), method, s.URL()+path, strings.NewReader(body))
		require.NoError(t, err)
		request.Header.Set("Authorization", "Bearer "+goodKey)
		response, data := send(t, request)
		return response.StatusCode, string(data)
	}
	code, made := write("POST", "/v1/people", `{"last_name":"Quill","role":"Buyer"}`)
	require.Equal(t, 201, code, made)
	path := "/v1/people/70000000003"
	_, got := call(t, s, "GET", path, goodKey)
	assert.Equal(t, made, got)
	code, changed := write("PATCH", path, `{"first_name":"Ada","role":null}`)
	require.Equal(t, 200, code)
	assert.Contains(t, changed, `"first_name":"Ada","last_name":"Quill","email":null,"phone":null,"role":null`)
	_, list := call(t, s, "GET", "/v1/people?email=contact2@example.com", goodKey)
	assert.Contains(t, list, `"id":70000000002`)
	assert.NotContains(t, list, `"id":70000000001`)
	_, before := call(t, s, "GET", path, goodKey)
	for body, want := range map[string]int{``: 400, `[]`: 400, `{"id":5}`: 422, `{"planet":"x"}`: 422, `{"last_name":" "}`: 422, `{"phone":5}`: 422, `{"email":"x"}`: 422} {
		code, _ := write("PATCH", path, body)
		assert.Equal(t, want, code, body)
	}
	code, _ = write("PATCH", "/v1/people/5", `{"last_name":"x"}`)
	assert.Equal(t, 404, code)
	_, after := call(t, s, "GET", path, goodKey)
	assert.Equal(t, before, after, "what is refused changes nothing")
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
