// Package emulator is a stateful stand-in for Planhat's REST API: end users
// (Planhat's contacts) with all their calls, and the companies, users and
// custom fields that a client of end users needs beside them.
//
// It answers as the vendor's reference, recorded replies and third-party
// clients show it. What none of them settles is a switch; README.md lists the
// switches with the evidence for each default.
package emulator

import (
	"io"
	"net/http"
	"sync"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// token is the API access token that the emulator accepts.
const token = "emulator-planhat-token"

// Definition is the emulator of Planhat's API.
var Definition = kit.Definition{
	Slug:     "planhat",
	Switches: switches,
	New: func(env *kit.Env) kit.Instance {
		p := &planhat{env: env, now: time.Now}
		p.Reset()
		return p
	},
}

// planhat is one tenant. Every request is answered under mu and written to
// the network after it, so that a slow reader holds nobody up.
type planhat struct {
	env *kit.Env
	now func() time.Time

	mu          sync.Mutex
	limit       limiter                // guarded by mu
	collections map[string]*collection // guarded by mu, by path segment
	lastStamp   time.Time              // guarded by mu
	lastID      int                    // guarded by mu
	lists       int                    // guarded by mu; how many lists were served
}

// Context returns the credentials that the emulator accepts.
func (p *planhat) Context() map[string]any {
	return map[string]any{"api_token": token}
}

// Reset brings the seeded records back and forgets the rate limit's count.
func (p *planhat) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limit = limiter{}
	p.lists = 0
	p.seed()
}

// ServeHTTP answers one request of the vendor's API.
func (p *planhat) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		p.fail(http.StatusBadRequest, "the body could not be read").write(w)
		return
	}
	p.mu.Lock()
	answer := p.answer(r, body, w.Header())
	p.mu.Unlock()
	answer.write(w)
}

// answer goes through a request's gates in order: who asks, how often, whether
// they may, and what for. A stranger gets 401 whatever the path.
func (p *planhat) answer(r *http.Request, body []byte, header http.Header) reply {
	known := authorised(r)
	if !p.admit(known, header) {
		return p.fail(http.StatusTooManyRequests, "Too Many Requests")
	}
	if !known {
		return p.fail(http.StatusUnauthorized, "Unauthorized")
	}
	switch p.env.Switch("permissions") {
	case "none":
		return p.fail(http.StatusForbidden, "Forbidden")
	case "read_only":
		if r.Method != http.MethodGet {
			return p.fail(http.StatusForbidden, "Forbidden")
		}
	}
	return p.route(r, body)
}
