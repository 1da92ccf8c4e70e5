package emulator

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// toy is a vendor with one record that can be deleted once.
var toy = Definition{
	Slug: "toy",
	Switches: []Switch{
		{Name: "second_delete", Default: "404", Values: []string{"404", "204"}, Doc: "what a second delete answers"},
		{Name: "greeting", Default: "hello", Doc: "what GET / says"},
	},
	New: func(env *Env) Instance { return &toyInstance{env: env, left: env.Seed} },
}

type toyInstance struct {
	env    *Env
	mu     sync.Mutex
	left   int // guarded by mu
	acted  int // guarded by mu
	resets int // guarded by mu
}

func (i *toyInstance) Context() map[string]any {
	return map[string]any{"api_key": "toy-key", "nested": map[string]any{"a": 1}}
}

func (i *toyInstance) Reset() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.left, i.acted = i.env.Seed, 0
	i.resets++
}

func (i *toyInstance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	i.mu.Lock()
	i.acted++
	i.left--
	left := i.left
	i.mu.Unlock()
	switch {
	case r.URL.Path == "/nothing":
		w.WriteHeader(http.StatusNoContent)
	case r.Method == http.MethodDelete && left < 0 && i.env.Switch("second_delete") == "404":
		WriteJSON(w, http.StatusNotFound, map[string]string{"message": "gone"})
	case r.URL.Path == "/echo":
		w.Header().Set("X-Toy", "yes")
		_, _ = w.Write(body)
	default:
		WriteJSON(w, http.StatusOK, map[string]any{"greeting": i.env.Switch("greeting"), "base": i.env.BaseURL()})
	}
}

func (i *toyInstance) actions() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.acted
}

func startToy(t *testing.T) (*Server, *toyInstance) {
	t.Helper()
	server, err := Start(toy, Options{Seed: 2})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	return server, server.instance.(*toyInstance)
}

// raw sends bytes over TCP and gives all that comes back, until the end.
func raw(t *testing.T, url, text string) (string, error) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.WriteString(conn, text)
	require.NoError(t, err)
	answer, err := io.ReadAll(conn)
	return string(answer), err
}

func rawRequest(method, path, body string, headers ...string) string {
	text := method + " " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
	for _, header := range headers {
		text += header + "\r\n"
	}
	if body != "" {
		text += "Content-Length: " + itoa(len(body)) + "\r\n"
	}
	return text + "\r\n" + body
}

func itoa(n int) string { return strconv.Itoa(n) }

// send makes a request and gives status, header and body.
func send(t *testing.T, method, url, body string, headers ...string) (int, http.Header, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	require.NoError(t, err)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		if name == "Host" {
			r.Host = value
		}
		r.Header.Set(name, value)
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, answer.Header, string(data)
}
