package supervisor

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// State is what one version of a plugin is doing.
type State string

// The states. A plugin begins stopped. Draining ends in stopped, and what was
// stopped on purpose is never started again: a new unit takes its place.
const (
	Stopped     State = "stopped"
	Starting    State = "starting"
	Ready       State = "ready"
	Backoff     State = "backoff"
	Quarantined State = "quarantined"
	Draining    State = "draining"
)

// RestartPolicy says how often and how fast a plugin that fails is started again.
type RestartPolicy struct {
	// Budget is how many failures within Window are borne; with the next one
	// the plugin is quarantined for CoolDown and then tried once.
	Budget   int
	Window   time.Duration
	CoolDown time.Duration
	// BackoffBase is the longest wait after the second failure in the window;
	// it doubles with each further one up to BackoffMax. The wait itself is
	// random, from nothing to that. The first failure costs no wait: a plugin
	// that dies after a long life is back at once.
	BackoffBase time.Duration
	BackoffMax  time.Duration
}

// DefaultRestartPolicy is what a host does unless it is told otherwise.
var DefaultRestartPolicy = RestartPolicy{
	Budget: 5, Window: 10 * time.Minute, CoolDown: 5 * time.Minute,
	BackoffBase: 200 * time.Millisecond, BackoffMax: 30 * time.Second,
}

// machine is the life of one version of a plugin as a state machine: no
// process, no goroutine, no clock of its own. Its owner, a unit, tells it what
// happened and does what it says.
type machine struct {
	policy RestartPolicy
	// jitter gives a random duration below its argument; tests replace it.
	jitter func(time.Duration) time.Duration

	state     State
	since     time.Time   // when state began
	failures  []time.Time // within the window, oldest first
	notBefore time.Time   // in Backoff and Quarantined: no start before this
	trial     bool        // the start in progress is the trial after a quarantine
	ended     bool        // it was drained and stopped: never to be started again
	reason    string      // why the last start failed or the process died
}

func newMachine(policy RestartPolicy, now time.Time) *machine {
	return &machine{policy: policy, state: Stopped, since: now, jitter: func(limit time.Duration) time.Duration {
		if limit <= 0 {
			return 0
		}
		return time.Duration(rand.Int64N(int64(limit)))
	}}
}

func (m *machine) enter(state State, now time.Time) {
	if m.state != state {
		m.state, m.since = state, now
	}
}

// verdict is what a caller who wants a process is told.
type verdict int

const (
	useIt   verdict = iota // there is a process
	startIt                // start one; the machine counts as starting from now on
	waitFor                // one is being started
	waitout                // none may be started before notBefore
	refused                // it is draining or stopped for good
)

// want is called by whoever needs a process.
func (m *machine) want(now time.Time) verdict {
	if m.ended {
		return refused
	}
	switch m.state {
	case Ready:
		return useIt
	case Starting:
		return waitFor
	case Draining:
		return refused
	case Backoff, Quarantined:
		if now.Before(m.notBefore) {
			return waitout
		}
		m.trial = m.state == Quarantined
	case Stopped:
		m.trial = false
	}
	m.enter(Starting, now)
	return startIt
}

// started tells that the start in progress ended well; false when nobody wants
// the process any more and it has to be stopped.
func (m *machine) started(now time.Time) bool {
	if m.state != Starting {
		return false
	}
	m.enter(Ready, now)
	if m.trial {
		m.failures = nil // it has shown that it is well again
		m.trial = false
	}
	return true
}

// failed tells that the start in progress or the running process failed.
func (m *machine) failed(now time.Time, reason string) {
	if m.state != Starting && m.state != Ready {
		return // what is draining may end as it likes
	}
	m.reason = reason
	wasTrial := m.trial
	m.trial = false
	first := 0
	for first < len(m.failures) && now.Sub(m.failures[first]) >= m.policy.Window {
		first++
	}
	m.failures = append(m.failures[first:], now)
	if wasTrial || len(m.failures) > m.policy.Budget {
		m.enter(Quarantined, now)
		m.notBefore = now.Add(m.policy.CoolDown)
		m.reason = fmt.Sprintf("%d failures within %s, the last: %s", len(m.failures), m.policy.Window, reason)
		if wasTrial {
			m.reason = "the trial start after the quarantine failed: " + reason
		}
		return
	}
	m.enter(Backoff, now)
	m.notBefore = now
	if n := len(m.failures); n > 1 {
		m.notBefore = now.Add(m.jitter(min(m.policy.BackoffBase<<min(n-2, 20), m.policy.BackoffMax)))
	}
}

// drain tells that no more calls shall go to this version, for good. A process
// that is starting is stopped when started returns false.
func (m *machine) drain(now time.Time) {
	if !m.ended {
		m.enter(Draining, now)
	}
}

// end tells that draining is over and no process is left.
func (m *machine) end(now time.Time) {
	m.enter(Stopped, now)
	m.ended = true
}

// failing tells that starts or processes have failed and the next one waits.
func (m *machine) failing() bool { return m.state == Backoff || m.state == Quarantined }

// forgive takes a plugin out of backoff and quarantine, after an operator
// asked for it.
func (m *machine) forgive(now time.Time) {
	if m.failing() {
		m.enter(Stopped, now)
	}
	m.failures = nil
}
