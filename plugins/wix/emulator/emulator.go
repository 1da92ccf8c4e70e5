// Package emulator is a stateful stand-in for the Wix Contacts v4 API and the
// neighbours that a contact needs: labels, extended fields, bulk jobs and the
// token endpoint of Wix apps. The vendor's official SDK works against it, on
// the public paths (/contacts/v4/...) and on the ones that the SDK uses with
// another host (/_api/contacts/v4/...).
//
// It is strict where the vendor is: the API key goes raw, exactly one id header
// goes with it, revisions must fit, filters name only what can be filtered.
// What nobody could confirm is a switch; the README lists them with the
// evidence, and what is left out.
package emulator

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// Definition is the emulator of Wix's API.
var Definition = kit.Definition{Slug: "wix", Switches: switches, New: newInstance}

// The credentials that the emulator accepts; all made up.
const (
	apiKey       = "emulator-wix-api-key-0123456789abcdef0123456789abcdef"
	siteID       = "3f2c1a10-5173-4000-8000-000000000001"
	accountID    = "3f2c1a10-acc0-4000-8000-000000000001"
	clientID     = "3f2c1a10-a990-4000-8000-000000000001"
	clientSecret = "emulator-wix-client-secret"
	instanceID   = "3f2c1a10-1257-4000-8000-000000000001"
)

type instance struct {
	env *kit.Env

	mu       sync.Mutex
	state    *state // guarded by mu
	requests int    // guarded by mu
}

func newInstance(env *kit.Env) kit.Instance {
	return &instance{env: env, state: newState(env)}
}

// Context returns the API key's form of the credentials; the README has those
// of an app.
func (e *instance) Context() map[string]any {
	return map[string]any{"api_key": apiKey, "site_id": siteID}
}

// Reset seeds anew and forgets issued tokens.
func (e *instance) Reset() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.state = newState(e.env)
}

// request is one call as the handlers see it.
type request struct {
	method string
	params map[string]string // from the path, unescaped
	query  url.Values
	header http.Header
	body   []byte

	app   bool // authenticated with an app's token
	wrote bool // set by a handler that changed something
}

// ServeHTTP answers one request at a time: the state has a single lock, and
// the answer is rendered under it.
func (e *instance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, "the body could not be read", http.StatusBadRequest)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.requests++
	w.Header().Set("x-wix-request-id", "1709629811."+strconv.Itoa(100_000_000+e.requests))
	q := &request{method: r.Method, query: r.URL.Query(), header: r.Header, body: body}
	answer, fail := e.state.serve(q, segments(r.URL))
	if fail != nil {
		fail.write(w, e.env)
		return
	}
	if q.wrote {
		// The SDK echoes this header, so that it reads what it wrote.
		w.Header().Set("x-wix-consistent", consistentPrefix+strconv.Itoa(e.state.writes))
	}
	// Rendered here: everything that succeeds is a 200 with a JSON object.
	data, err := json.Marshal(answer)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(data)
}

// segments splits the escaped path, so that an escaped slash stays inside its
// segment, and takes off the prefix that the SDK puts before every path when
// its host is not the public one.
func segments(u *url.URL) []string {
	parts := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	if len(parts) > 1 && parts[0] == "_api" {
		parts = parts[1:]
	}
	for i, part := range parts {
		if plain, err := url.PathUnescape(part); err == nil {
			parts[i] = plain
		}
	}
	return parts
}
