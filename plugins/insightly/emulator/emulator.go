// Package emulator is a stateful stand-in for Insightly's REST API, version
// 3.1, as far as an adapter for contacts needs it: contacts with their tags,
// dates, links and notes, organisations, users, custom field metadata and the
// credential check. It follows the vendor's API reference where that speaks,
// recorded replies where they contradict it, and a switch where nobody could
// confirm either. It shares nothing with the adapter beside it.
package emulator

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// Definition is the emulator of Insightly's API.
var Definition = kit.Definition{
	Slug:     "insightly",
	Switches: switches,
	New: func(env *kit.Env) kit.Instance {
		e := &emulator{env: env, now: time.Now}
		e.Reset()
		return e
	},
}

const (
	apiKey = "emulator-insightly-api-key"
	pod    = "na1"
	// apiVersion is the first segment of every path.
	apiVersion = "v3.1"
	// maxBody bounds what is read of a request.
	maxBody = 16 << 20
)

type emulator struct {
	env *kit.Env
	now func() time.Time

	mu     sync.Mutex
	state  *state // guarded by mu
	limits limits // guarded by mu
}

// Context returns the account context that this instance accepts.
func (e *emulator) Context() map[string]any {
	return map[string]any{"pod": pod, "api_key": apiKey}
}

// Reset brings the seeded state back and forgets what was counted.
func (e *emulator) Reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.state = seeded(e.env.Seed)
	e.limits = limits{}
}

// ServeHTTP answers one request. The whole of it happens under one lock, the
// encoding too, so that an answer shows one moment's state.
func (e *emulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		body = nil // answered like any other body that is not JSON
	}
	e.mu.Lock()
	a := e.answer(r, body)
	for name, value := range e.limitHeaders() {
		a.set(name, value)
	}
	e.mu.Unlock()
	a.write(w, r)
}

// answer authenticates, counts and routes. The caller holds e.mu.
func (e *emulator) answer(r *http.Request, body []byte) *answer {
	if !authorized(r.Header.Get("Authorization")) {
		return message(http.StatusUnauthorized, "Authorization has been denied for this request.")
	}
	if refusal := e.limit(); refusal != nil {
		return refusal
	}
	return e.route(&request{Request: r, body: body, query: r.URL.Query()})
}

// write sends an answer, gzipped when the client takes that, as the vendor does.
func (a *answer) write(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Cache-Control", "no-cache")
	header.Set("Pragma", "no-cache")
	header.Set("Expires", "-1")
	for name, value := range a.headers {
		header.Set(name, value)
	}
	body := a.body
	if len(body) > 0 {
		header.Set("Content-Type", a.contentType)
		header.Set("Vary", "Accept-Encoding")
		if takesGzip(r.Header.Get("Accept-Encoding")) {
			var packed bytes.Buffer
			zip := gzip.NewWriter(&packed)
			_, _ = zip.Write(body) // a buffer takes everything
			_ = zip.Close()
			body = packed.Bytes()
			header.Set("Content-Encoding", "gzip")
		}
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

func takesGzip(accept string) bool {
	for offer := range strings.SplitSeq(accept, ",") {
		coding, parameter, _ := strings.Cut(strings.TrimSpace(offer), ";")
		quality := strings.TrimPrefix(strings.ReplaceAll(parameter, " ", ""), "q=")
		if weight, err := strconv.ParseFloat(quality, 64); err == nil && weight == 0 {
			continue
		}
		if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			return true
		}
	}
	return false
}
