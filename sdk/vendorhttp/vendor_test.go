package vendorhttp

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk/errs"
)

// scripted is a vendor that does what a test wrote down with each request, the
// last step again and again, and keeps what it saw. It talks over an in-memory
// network, so that tests within a synctest bubble run in no time at all.
type scripted struct {
	t *testing.T

	mu    sync.Mutex
	steps []step    // guarded by mu
	seen  []seen    // guarded by mu
	dials int       // guarded by mu
	times []instant // guarded by mu: when each dial and request came
}

type instant = time.Time

// seen is a request as it arrived.
type seen struct {
	method, uri, body string
	header            http.Header
	length            int64
	encoding          []string
}

// step is what becomes of one request. A nil step refuses the connection.
type step func(conn net.Conn) (keep bool)

// refused refuses the connection: no byte of the request can have been sent.
var refused step

// answers sends a whole answer and keeps the connection.
func answers(status int, body string, headers ...string) step {
	return func(conn net.Conn) bool {
		_, err := io.WriteString(conn, head(status, len(body), headers...)+body)
		return err == nil
	}
}

func head(status, length int, headers ...string) string {
	text := fmt.Sprintf("HTTP/1.1 %d %s\r\nContent-Length: %d\r\n", status, http.StatusText(status), length)
	if len(headers) > 0 {
		text += strings.Join(headers, "\r\n") + "\r\n"
	}
	return text + "\r\n"
}

// cut closes the connection after the request was read, having sent raw.
func cut(raw string) step {
	return func(conn net.Conn) bool {
		_, _ = io.WriteString(conn, raw)
		return false
	}
}

// hangs sends raw and then nothing, until the client has had enough.
func hangs(raw string) step {
	return func(conn net.Conn) bool {
		_, _ = io.WriteString(conn, raw)
		_, _ = io.Copy(io.Discard, conn)
		return false
	}
}

func script(t *testing.T, steps ...step) *scripted {
	return &scripted{t: t, steps: steps}
}

func (v *scripted) next() step {
	s := v.steps[0]
	if len(v.steps) > 1 {
		v.steps = v.steps[1:]
	}
	return s
}

func (v *scripted) dial(context.Context, string, string) (net.Conn, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.dials++
	if v.steps[0] == nil {
		v.next()
		v.times = append(v.times, time.Now())
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	client, server := net.Pipe()
	go v.serve(server)
	return client, nil
}

func (v *scripted) serve(conn net.Conn) {
	defer conn.Close()
	reader := bufio.NewReader(conn)
	for {
		r, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		v.mu.Lock()
		v.seen = append(v.seen, seen{method: r.Method, uri: r.RequestURI, body: string(body), header: r.Header, length: r.ContentLength, encoding: r.TransferEncoding})
		v.times = append(v.times, time.Now())
		s := v.next()
		v.mu.Unlock()
		if s == nil {
			v.t.Error("a refusal was written down for a connection that was there already")
			return
		}
		if !s(conn) {
			return
		}
	}
}

func (v *scripted) requests() []seen {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]seen(nil), v.seen...)
}

func (v *scripted) dialled() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.dials
}

// waits are the times between one try and the next.
func (v *scripted) waits() []time.Duration {
	v.mu.Lock()
	defer v.mu.Unlock()
	var all []time.Duration
	for i := 1; i < len(v.times); i++ {
		all = append(all, v.times[i].Sub(v.times[i-1]))
	}
	return all
}

// client makes a client that reaches only the scripted vendor.
func (v *scripted) client(vendor Vendor) *Client {
	v.t.Helper()
	pool := NewPool([]string{"api.vendor.test"}, "unicrm-test/1")
	transportOf(pool).DialContext = v.dial
	v.t.Cleanup(pool.Close)
	return clientFor(v.t, pool, vendor, Options{BaseURLOverride: "http://vendor.test"})
}

func clientFor(t testing.TB, pool *Pool, vendor Vendor, options Options) *Client {
	t.Helper()
	if vendor.Name == "" {
		vendor.Name = "Acme CRM"
	}
	if vendor.BaseURL == "" {
		vendor.BaseURL = "https://api.vendor.test/v2"
	}
	client, err := pool.Client(vendor, options)
	require.NoError(t, err)
	return client
}

func transportOf(pool *Pool) *http.Transport {
	return pool.http.Transport.(once).Transport
}

// within is a context with the time of one call.
func within(t testing.TB, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

// requireReason asserts an error's reason and that it has a message.
func requireReason(t testing.TB, err error, reason errs.Reason) *errs.Error {
	t.Helper()
	var e *errs.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, errs.Name(reason), errs.Name(e.Reason), "%v", err)
	assert.NotEmpty(t, e.Message)
	return e
}

func request(method string) Request {
	r := Request{Method: method, Path: []string{"contacts", "5"}}
	if method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch {
		r.Body = map[string]string{"name": "Ada"}
	}
	return r
}
