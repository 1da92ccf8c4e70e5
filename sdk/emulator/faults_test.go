package emulator

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestACutBeforeActsOnNothingAndAnswersNothing(t *testing.T) {
	server, instance := startToy(t)
	require.NoError(t, server.Inject(Match{}, Fault{Cut: "before"}, 1))
	answer, _ := raw(t, server.URL(), rawRequest("POST", "/echo", "hello"))
	assert.Empty(t, answer)
	assert.Zero(t, instance.actions())
	require.Len(t, server.Calls(), 1, "the request was seen all the same")
	assert.Equal(t, "hello", server.Calls()[0].Body)
}

func TestACutAfterActsAndAnswersNothing(t *testing.T) {
	server, instance := startToy(t)
	require.NoError(t, server.Inject(Match{}, Fault{Cut: "after"}, 1))
	answer, _ := raw(t, server.URL(), rawRequest("POST", "/echo", "hello"))
	assert.Empty(t, answer)
	assert.Equal(t, 1, instance.actions())
}

func TestACutDuringActsAndSendsHalfAnAnswer(t *testing.T) {
	server, instance := startToy(t)
	require.NoError(t, server.Inject(Match{}, Fault{Cut: "during"}, 1))
	answer, _ := raw(t, server.URL(), rawRequest("POST", "/echo", "0123456789"))
	assert.Equal(t, 1, instance.actions())
	parsed, err := http.ReadResponse(bufio.NewReader(strings.NewReader(answer)), nil)
	require.NoError(t, err, "%q", answer)
	assert.Equal(t, 200, parsed.StatusCode)
	assert.Equal(t, "yes", parsed.Header.Get("X-Toy"))
	assert.EqualValues(t, 10, parsed.ContentLength, "the head promises the whole body")
	body, err := io.ReadAll(parsed.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	assert.Equal(t, "01234", string(body))
}

func TestACutDuringAnAnswerWithoutABodyBreaksItsFirstLine(t *testing.T) {
	for _, path := range []string{"/nothing", "/echo"} {
		server, instance := startToy(t)
		require.NoError(t, server.Inject(Match{}, Fault{Cut: "during"}, 1))
		answer, _ := raw(t, server.URL(), rawRequest("POST", path, ""))
		assert.Equal(t, 1, instance.actions())
		assert.True(t, strings.HasPrefix("HTTP/1.1 20", answer[:min(len(answer), 11)]), "%q", answer)
		assert.NotEmpty(t, answer)
		assert.NotContains(t, answer, "\r\n")
	}
}

func TestACutDuringSendsOneContentLength(t *testing.T) {
	definition := toy
	definition.New = func(*Env) Instance { return lengthy{} }
	server, err := Start(definition, Options{})
	require.NoError(t, err)
	defer server.Close()
	require.NoError(t, server.Inject(Match{}, Fault{Cut: "during"}, 1))
	answer, _ := raw(t, server.URL(), rawRequest("GET", "/", ""))
	assert.Equal(t, 1, strings.Count(answer, "Content-Length"), "%q", answer)
}

// lengthy says itself how long its answers are.
type lengthy struct{}

func (lengthy) Context() map[string]any { return nil }
func (lengthy) Reset()                  {}
func (lengthy) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "4")
	_, _ = io.WriteString(w, "1234")
}

func TestACutMayEndAnInjectedAnswer(t *testing.T) {
	server, instance := startToy(t)
	require.NoError(t, server.Inject(Match{}, Fault{Status: 500, Body: json.RawMessage(`"0123456789"`), Cut: "during"}, 1))
	answer, _ := raw(t, server.URL(), rawRequest("POST", "/echo", "x"))
	assert.True(t, strings.HasPrefix(answer, "HTTP/1.1 500 "), "%q", answer)
	assert.True(t, strings.HasSuffix(answer, "\r\n\r\n01234"), "%q", answer)
	assert.Zero(t, instance.actions())
}

func TestAStatusAnswersInTheVendorsPlace(t *testing.T) {
	for name, c := range map[string]struct {
		fault             Fault
		body, contentType string
	}{
		"text":               {Fault{Status: 503, Body: json.RawMessage(`"come back\nlater"`), Headers: map[string]string{"Retry-After": "7"}}, "come back\nlater", "text/plain; charset=utf-8"},
		"JSON":               {Fault{Status: 503, Body: json.RawMessage(`{"b":1.50,"a":2}`)}, `{"b":1.50,"a":2}`, "application/json"},
		"JSON of a kind":     {Fault{Status: 503, Body: json.RawMessage(`[1]`), Headers: map[string]string{"content-type": "application/problem+json"}}, `[1]`, "application/problem+json"},
		"HTML":               {Fault{Status: 503, Body: json.RawMessage(`"<html>"`), Headers: map[string]string{"Content-Type": "text/html"}}, `<html>`, "text/html"},
		"null is nothing":    {Fault{Status: 503, Body: json.RawMessage(`null`)}, ``, ""},
		"false is JSON":      {Fault{Status: 503, Body: json.RawMessage(`false`)}, `false`, "application/json"},
		"nothing":            {Fault{Status: 503}, ``, ""},
		"an empty text":      {Fault{Status: 503, Body: json.RawMessage(`""`)}, ``, ""},
		"headers of its own": {Fault{Status: 503, Headers: map[string]string{"x-rate": "1"}}, ``, ""},
	} {
		t.Run(name, func(t *testing.T) {
			server, instance := startToy(t)
			require.NoError(t, server.Inject(Match{}, c.fault, 1))
			status, header, body := send(t, http.MethodDelete, server.URL()+"/x", "")
			assert.Equal(t, 503, status)
			assert.Equal(t, c.body, body)
			if c.contentType != "" {
				assert.Equal(t, c.contentType, header.Get("Content-Type"))
			}
			for name, value := range c.fault.Headers {
				assert.Equal(t, value, header.Get(name))
			}
			assert.Zero(t, instance.actions(), "the request changes nothing")
			status, _, _ = send(t, http.MethodDelete, server.URL()+"/x", "")
			assert.Equal(t, 200, status, "and the fault is used up")
		})
	}
}

func TestADelayWaitsAndThenLetsTheVendorAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env, err := NewEnv(toy, 1, nil)
		require.NoError(t, err)
		vendor := toy.New(env)
		start := time.Now()
		w := httptest.NewRecorder()
		(&Fault{DelayMS: 90_000}).serve(w, httptest.NewRequest(http.MethodGet, "/", nil), vendor)
		assert.Equal(t, 90*time.Second, time.Since(start))
		assert.Equal(t, 200, w.Code)

		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		start = time.Now()
		(&Fault{DelayMS: 90_000}).serve(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil).WithContext(ctx), vendor)
		assert.Equal(t, time.Second, time.Since(start), "a client that has gone is not waited for")
		assert.Equal(t, 1, vendor.(*toyInstance).actions(), "and what it asked is not done")
	})
}

func TestAFaultFallsAsOftenAsItIsToldTo(t *testing.T) {
	server, _ := startToy(t)
	require.NoError(t, server.Inject(Match{Path: "/a"}, Fault{Status: 500}, 2))
	require.NoError(t, server.Inject(Match{Path: "/a"}, Fault{Status: 501}, 1))
	require.NoError(t, server.Inject(Match{Path: "/b"}, Fault{Status: 502}, -1))
	var got []int
	for range 5 {
		status, _, _ := send(t, http.MethodGet, server.URL()+"/a", "")
		got = append(got, status)
		status, _, _ = send(t, http.MethodGet, server.URL()+"/b", "")
		assert.Equal(t, 502, status)
	}
	assert.Equal(t, []int{500, 500, 501, 200, 200}, got, "the one that was injected first goes first")
}

func TestAFaultFallsOnWhatItMatchesAlone(t *testing.T) {
	server, _ := startToy(t)
	require.NoError(t, server.Inject(Match{Method: "delete", Path: "/contacts/*"}, Fault{Status: 500}, -1))
	for request, want := range map[string]int{
		"DELETE /contacts/5": 500, "DELETE /contacts/": 500, "DELETE /contacts/5/tags": 500, "DELETE /contacts/a%2Fb": 500,
		"GET /contacts/5": 200, "DELETE /contact/5": 404, "DELETE /v2/contacts/5": 404, "DELETE /contacts": 404, "DELETE /?x=/contacts/5": 404,
	} {
		method, path, _ := strings.Cut(request, " ")
		status, _, _ := send(t, method, server.URL()+path, "")
		if want == 404 {
			assert.NotEqual(t, 500, status, request)
			continue
		}
		assert.Equal(t, want, status, request)
	}
}

func TestAStarStandsForAnyRunOfCharacters(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"/a", "/a", true},
		{"/a", "/ab", false},
		{"/a", "/", false},
		{"", "/", false},
		{"*", "", true},
		{"*", "/a/b", true},
		{"**", "/a", true},
		{"/a*", "/a", true},
		{"/a*", "/abc/d", true},
		{"/a*", "/b/a", false},
		{"*/a", "/x/a", true},
		{"*/a", "/x/ab", false},
		{"*/a", "/a", true},
		{"/a*a", "/a", false},
		{"/a*a", "/aa", true},
		{"/a*a", "/abca", true},
		{"/v*/contacts/*", "/v2/contacts/5", true},
		{"/v*/contacts/*", "/v2/contact/5", false},
		{"/v*/contacts/*", "/contacts/5", false},
		{"*b*b*", "/ab", false},
		{"*b*b*", "/abb", true},
		{"/a*b*c", "/a1b2c", true},
		{"/a*b*c", "/acb", false},
	} {
		assert.Equal(t, c.want, matchPath(c.pattern, c.path), "%q on %q", c.pattern, c.path)
	}
}

func TestAFaultThatMakesNoSenseIsRefused(t *testing.T) {
	server, _ := startToy(t)
	for _, c := range []struct {
		fault Fault
		times int
		want  string
	}{
		{Fault{Cut: "later"}, 1, "cut takes before, during or after"},
		{Fault{Status: 99}, 1, "status 99"},
		{Fault{Status: 600}, 1, "status 600"},
		{Fault{Status: 100}, 1, "status 100"},
		{Fault{Status: -1}, 1, "status -1"},
		{Fault{DelayMS: -1}, 1, "delay_ms is negative"},
		{Fault{Status: 500}, 0, "times is 0"},
	} {
		require.ErrorContains(t, server.Inject(Match{}, c.fault, c.times), c.want)
	}
	status, _, _ := send(t, http.MethodGet, server.URL()+"/", "")
	assert.Equal(t, 200, status)
}

func TestFaultsAreCountedUnderManyRequestsAtOnce(t *testing.T) {
	server, _ := startToy(t)
	require.NoError(t, server.Inject(Match{}, Fault{Status: 500}, 20))
	var all sync.WaitGroup
	var failed atomic.Int64
	for range 8 {
		all.Go(func() {
			for range 10 {
				if status, _, _ := send(t, http.MethodGet, server.URL()+"/", ""); status == 500 {
					failed.Add(1)
				}
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, 20, failed.Load())
	assert.Len(t, server.Calls(), 80)
}
