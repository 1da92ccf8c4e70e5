// Package emulator stands in for the REST API v100 of Pipeliner CRM (now
// branded Coevera): one space with its contacts, accounts, users, tags, fields
// and notes, held in memory.
//
// It promises the vendor's envelopes, error bodies, cursors, soft deletes and
// validation as the vendor's description and recorded replies show them, and
// is strict where the vendor is. What nobody could confirm is a switch. It
// leaves faults, the record of requests and the control interface to the kit,
// and shares nothing with the adapter beside it.
package emulator

import (
	"crypto/subtle"
	"io"
	"net/http"
	"sync"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// Definition is the emulator of Pipeliner's API.
var Definition = kit.Definition{Slug: "pipeliner", Switches: switches, New: newInstance}

// The one space that the emulator holds, and the API key that opens it.
const (
	serviceURL = "https://eu-central.api.pipelinersales.com"
	spaceID    = "em_Demo"
	username   = "emulator-eu_em_Demo_0123456789ABCDEF"
	password   = "emulator-password-0123456789abcdef"
)

// maxBody bounds a request; the vendor's own bound is not known.
const maxBody = 32 << 20

type instance struct {
	env *kit.Env

	mu    sync.Mutex
	store *store  // guarded by mu
	limit limiter // guarded by mu
}

func newInstance(env *kit.Env) kit.Instance {
	i := &instance{env: env}
	i.Reset()
	return i
}

// Context returns the account context that the emulator accepts.
func (i *instance) Context() map[string]any {
	return map[string]any{"service_url": serviceURL, "space_id": spaceID, "username": username, "password": password}
}

// Reset brings the seeded state back.
func (i *instance) Reset() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.store = newStore(i.env)
	i.limit = limiter{}
	seed(i.store, i.env.Seed)
}

// ServeHTTP answers one request of the API.
func (i *instance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil || len(body) > maxBody {
		badParameter("the request's body cannot be read").write(w)
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if wait, ok := i.limit.take(i.env.Switch("rate_limit")); !ok {
		i.refuseRate(w, wait)
		return
	}
	to, ok := parseRoute(r.URL.EscapedPath())
	if !ok {
		noRoute.write(w)
		return
	}
	if !authorized(r) {
		i.refuseKey(w)
		return
	}
	if to.space != spaceID {
		i.refuseSpace(w)
		return
	}
	c := i.store.schema[to.collection]
	if c == nil {
		unknownType(to.collection).write(w)
		return
	}
	q := &request{store: i.store, env: i.env, w: w, r: r, body: body, c: c}
	if err := q.serve(to); err != nil {
		err.write(w)
	}
}

// authorized tells whether a request carries the two halves of the API key.
func authorized(r *http.Request) bool {
	user, pass, ok := r.BasicAuth()
	return ok && subtle.ConstantTimeCompare([]byte(user), []byte(username)) == 1 &&
		subtle.ConstantTimeCompare([]byte(pass), []byte(password)) == 1
}

func (i *instance) refuseKey(w http.ResponseWriter) {
	switch i.env.Switch("unauthorized_body") {
	case "text":
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, "Unauthorized")
	case "empty":
		w.WriteHeader(http.StatusUnauthorized)
	default:
		unconfirmed(http.StatusUnauthorized, "UNAUTHORIZED", "The API key is missing or not accepted.").write(w)
	}
}

// refuseSpace answers a good key at a space that it does not open. A key
// belongs to one space, hence 401 unless the switch says otherwise.
func (i *instance) refuseSpace(w http.ResponseWriter) {
	switch i.env.Switch("wrong_space") {
	case "403":
		unconfirmed(http.StatusForbidden, "FORBIDDEN", "The API key does not open this space.").write(w)
	case "404":
		unconfirmed(http.StatusNotFound, "NOT_FOUND", "There is no such space.").write(w)
	default:
		i.refuseKey(w)
	}
}
