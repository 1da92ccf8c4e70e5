// Package emulator is the kit for writing a vendor's emulator: a faithful,
// stateful stand-in for a CRM's HTTP API that tests, the sandbox and curious
// people run against instead of the real thing.
//
// An author supplies a [Definition]: a name, the switches that select between
// vendor behaviours nobody could confirm, and a constructor for an
// [Instance], which is an http.Handler with a seeded state. The kit supplies
// everything that is the same for all vendors: two loopback listeners (the API
// and its control interface), the record of every request, injected faults,
// switches, reset, and the `emulate` command that prints where it all is and
// ends when its starter ends.
//
// An emulator shares nothing with the adapter beside it. They would only prove
// each other right.
package emulator

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Definition describes one vendor's emulator.
type Definition struct {
	// Slug names the provider, such as "zendesksell".
	Slug string
	// Switches lists the behaviours that can be chosen, with their defaults.
	Switches []Switch
	// New makes an instance in its seeded state. The kit calls it once for
	// each server, before the first request.
	New func(env *Env) Instance
}

// Switch is one selectable behaviour, mostly something that the vendor's
// documentation leaves open.
type Switch struct {
	// Name is snake_case, such as "second_delete".
	Name string
	// Default is the value in force until somebody changes it.
	Default string
	// Values lists what the switch takes. Empty means any value.
	Values []string
	// Doc says in one sentence what the switch selects.
	Doc string
}

// Instance is a running emulator's state. ServeHTTP is called from many
// goroutines at once, Reset may be called between any two requests; an
// instance guards its own state.
type Instance interface {
	http.Handler
	// Context returns the credentials that this instance accepts, as the body
	// of an integrated account's "context", without base_url (the kit adds it).
	Context() map[string]any
	// Reset brings the state back to what New made of it.
	Reset()
}

// Env is what the kit tells an instance about the server that it runs in.
type Env struct {
	// Seed is how many plain, deletable contacts to begin with. Awkward
	// records (members, protected ones, companies) come on top and last.
	// Zero means none of either.
	Seed int

	mu       sync.Mutex
	baseURL  string            // guarded by mu
	switches map[string]string // guarded by mu
	known    []Switch
}

// NewEnv returns an Env for an instance that runs without a server, as in an
// instance's own unit tests. Switches not named have their defaults.
func NewEnv(def Definition, seed int, switches map[string]string) (*Env, error) {
	env := &Env{Seed: seed, switches: map[string]string{}, known: def.Switches, baseURL: "http://emulator.test"}
	env.resetSwitches()
	for name, value := range switches {
		if err := env.SetSwitch(name, value); err != nil {
			return nil, err
		}
	}
	return env, nil
}

// BaseURL returns the scheme and authority at which the emulator is reached,
// without a trailing slash, for the absolute links in a vendor's answers.
func (e *Env) BaseURL() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.baseURL
}

// Switch returns the value in force. It panics on a name that the definition
// does not list, which is a mistake in the emulator.
func (e *Env) Switch(name string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	value, ok := e.switches[name]
	if !ok {
		panic(fmt.Sprintf("emulator: no switch %q is defined", name))
	}
	return value
}

// SetSwitch changes a switch. The error names what would have been accepted.
func (e *Env) SetSwitch(name, value string) error {
	return e.setSwitches(map[string]string{name: value})
}

// setSwitches changes all of the switches or, on an error, none.
func (e *Env) setSwitches(wanted map[string]string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for name, value := range wanted {
		if err := e.checkSwitch(name, value); err != nil {
			return err
		}
	}
	maps.Copy(e.switches, wanted)
	return nil
}

func (e *Env) checkSwitch(name, value string) error {
	names := make([]string, len(e.known))
	for i, s := range e.known {
		if s.Name != name {
			names[i] = s.Name
			continue
		}
		if len(s.Values) > 0 && !slices.Contains(s.Values, value) {
			return fmt.Errorf("switch %s takes %s, not %q", name, strings.Join(s.Values, ", "), value)
		}
		return nil
	}
	return fmt.Errorf("no switch %q; there are %s", name, strings.Join(names, ", "))
}

func (e *Env) allSwitches() map[string]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := make(map[string]string, len(e.switches))
	for name, value := range e.switches {
		all[name] = value
	}
	return all
}

func (e *Env) resetSwitches() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range e.known {
		e.switches[s.Name] = s.Default
	}
}

// Epoch is when the oldest seeded record was made. Seeds count from it, so
// that two runs give the same records to the digit.
var Epoch = time.Date(2024, time.January, 9, 8, 0, 0, 0, time.UTC)
