// Package emulator stands in for the HTTP API of Freshsales (Freshworks CRM,
// the "Suite" generation) below /crm/sales/api. It keeps contacts, accounts
// and notes in memory, answers with the vendor's statuses, envelopes and
// bodies, and is strict wherever the vendor is known to be. What nobody could
// confirm about the vendor is a switch; see the README beside this file. It
// promises the API alone: no web pages, no OAuth, no mail.
package emulator

import (
	"net/http"
	"sync"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

const (
	bundleAlias = "acme-emulator.myfreshworks.com/crm/sales"
	apiKey      = "emulator-freshsales-key"
)

// Definition is the emulator of Freshsales' API.
var Definition = kit.Definition{
	Slug:     "freshsales",
	Switches: switches,
	New: func(env *kit.Env) kit.Instance {
		i := &instance{env: env}
		i.Reset()
		return i
	},
}

// instance is one running emulator. Everything below mu is guarded by it; a
// request holds it from routing to the finished answer.
type instance struct {
	env *kit.Env

	mu       sync.Mutex
	contacts []*contact // by id, which is the order of making
	accounts []*account // by id
	notes    []*note    // by id
	jobs     []*job
	lists    []list
	users    []*kit.Object
	lastID   map[string]int64 // highest id given out, by kind
	stamp    time.Time        // latest created_at or updated_at given out
	quota    quota
}

// Context returns the account that the emulator accepts.
func (i *instance) Context() map[string]any {
	return map[string]any{"bundle_alias": bundleAlias, "api_key": apiKey}
}

// Reset brings the state back to the seed.
func (i *instance) Reset() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.contacts, i.accounts, i.notes, i.jobs, i.lists, i.users = nil, nil, nil, nil, nil, nil
	i.lastID = map[string]int64{}
	i.stamp = kit.Epoch
	i.quota = quota{}
	i.seed()
}

// ServeHTTP answers one request.
func (i *instance) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	in, problem := readRequest(r)
	i.mu.Lock()
	answer := i.answer(w.Header(), in, problem)
	// Rendered under the lock, since records may be shared with the state.
	body := answer.render(w.Header())
	i.mu.Unlock()
	w.WriteHeader(answer.status)
	_, _ = w.Write(body)
}

// answer is what a request gets, after the checks in the vendor's order: who
// asks, how often, what for.
func (i *instance) answer(header http.Header, in *request, problem *failure) answer {
	if problem == nil {
		problem = i.authenticate(in)
	}
	if problem == nil {
		problem = i.countRequest(header)
	}
	if problem == nil {
		problem = i.permit(in)
	}
	if problem != nil {
		return i.refuse(problem)
	}
	answer, problem := i.route(in)
	if problem != nil {
		return i.refuse(problem)
	}
	return answer
}
