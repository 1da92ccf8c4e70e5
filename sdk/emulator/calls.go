package emulator

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

// keptCalls bounds the memory of a long-running emulator; the oldest calls go
// first. keptBody bounds each one.
const (
	keptCalls = 20_000
	keptBody  = 1 << 20
)

// Call is one request that reached the emulator, whatever became of it.
type Call struct {
	Method string `json:"method"`
	// Path is the escaped path as it came.
	Path string `json:"path"`
	// Query is the raw query as it came, without "?".
	Query   string      `json:"query"`
	Headers http.Header `json:"headers"`
	Body    string      `json:"body"`
}

type calls struct {
	mu  sync.Mutex
	all []Call // guarded by mu
}

// record notes a request and gives its body back to be read again.
func (c *calls) record(r *http.Request) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, 64<<20))
	r.Body = io.NopCloser(bytes.NewReader(body))
	call := Call{Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Headers: r.Header.Clone(), Body: string(body[:min(len(body), keptBody)])}
	call.Headers.Set("Host", r.Host)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.all) >= keptCalls {
		c.all = append([]Call(nil), c.all[keptCalls/10:]...)
	}
	c.all = append(c.all, call)
	return err
}

func (c *calls) list() []Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Call{}, c.all...)
}

func (c *calls) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = nil
}
