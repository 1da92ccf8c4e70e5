package supervisor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestMachine plays random lives and holds each step to what must always be
// true, beside a model of the budget that counts failures in its own way.
func TestMachine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		policy := RestartPolicy{
			Budget: rapid.IntRange(0, 5).Draw(t, "budget"), Window: 10 * time.Minute, CoolDown: 5 * time.Minute,
			BackoffBase: 200 * time.Millisecond, BackoffMax: 30 * time.Second,
		}
		now := time.Unix(1_700_000_000, 0)
		m := newMachine(policy, now)
		var failures []time.Time // the model
		trial, drained := false, false
		fail := func(t *rapid.T) {
			before := m.state
			m.failed(now, "broken")
			if before != Starting && before != Ready {
				require.Equal(t, before, m.state, "a failure of what is not running changes nothing")
				return
			}
			failures = append(failures, now)
			recent := 0
			for _, at := range failures {
				if now.Sub(at) < policy.Window {
					recent++
				}
			}
			if trial || recent > policy.Budget {
				require.Equal(t, Quarantined, m.state)
				require.Equal(t, now.Add(policy.CoolDown), m.notBefore)
			} else {
				require.Equal(t, Backoff, m.state)
				limit := min(policy.BackoffBase<<max(recent-2, 0), policy.BackoffMax)
				if recent == 1 {
					limit = 0
				}
				require.LessOrEqual(t, m.notBefore.Sub(now), limit)
			}
			require.NotEmpty(t, m.reason)
			trial = false
		}
		state, since := m.state, now
		t.Repeat(map[string]func(*rapid.T){
			"": func(t *rapid.T) {
				if m.state != state {
					state, since = m.state, m.since
					require.Equal(t, now, m.since, "a new state begins now")
				}
				require.Equal(t, since, m.since, "a state that stays keeps its beginning")
			},
			"time passes": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.Int64Range(0, int64(6*time.Minute)).Draw(t, "wait")))
			},
			"somebody wants it": func(t *rapid.T) {
				before := m.state
				switch m.want(now) {
				case useIt:
					require.Equal(t, Ready, before)
				case startIt:
					require.False(t, drained, "it was stopped for good")
					require.Contains(t, []State{Stopped, Backoff, Quarantined}, before)
					require.Equal(t, Starting, m.state)
					if before != Stopped {
						require.False(t, now.Before(m.notBefore), "a start before its time")
					}
					trial = before == Quarantined
				case waitFor:
					require.Equal(t, Starting, before)
				case waitout:
					require.Contains(t, []State{Backoff, Quarantined}, before)
					require.True(t, now.Before(m.notBefore))
				case refused:
					require.True(t, drained)
				}
				if drained {
					require.Contains(t, []State{Draining, Stopped}, m.state, "what drains is never started again")
				}
			},
			"the start ends well": func(t *rapid.T) {
				before := m.state
				ok := m.started(now)
				require.Equal(t, before == Starting, ok)
				if ok {
					require.Equal(t, Ready, m.state)
					if trial {
						failures, trial = nil, false
					}
				}
			},
			"it fails": fail,
			"an operator forgives": func(t *rapid.T) {
				before := m.state
				m.forgive(now)
				failures = nil
				if before == Backoff || before == Quarantined {
					require.Equal(t, Stopped, m.state)
				} else {
					require.Equal(t, before, m.state)
				}
			},
			"it is drained": func(t *rapid.T) {
				if rapid.IntRange(0, 9).Draw(t, "rarely") > 0 {
					return
				}
				ended := m.ended
				m.drain(now)
				require.Equal(t, ended, m.state == Stopped, "what has ended does not begin to drain again")
				drained = true
			},
			"draining is over": func(*rapid.T) {
				if drained {
					m.end(now)
				}
			},
		})
	})
}

func TestTheDefaultBudgetEndsInQuarantineAndATrial(t *testing.T) {
	m := newMachine(DefaultRestartPolicy, time.Unix(0, 0))
	now := time.Unix(0, 0)
	for range DefaultRestartPolicy.Budget {
		require.Equal(t, startIt, m.want(now))
		m.failed(now, "broken")
		require.Equal(t, Backoff, m.state)
		now = m.notBefore
	}
	require.Equal(t, startIt, m.want(now))
	m.failed(now, "broken")
	require.Equal(t, Quarantined, m.state)
	assert.Contains(t, m.reason, "6 failures within 10m0s, the last: broken")
	assert.Equal(t, waitout, m.want(now.Add(5*time.Minute-1)))
	require.Equal(t, startIt, m.want(now.Add(5*time.Minute)), "one trial after the cool-down")
	m.failed(now.Add(5*time.Minute), "still broken")
	require.Equal(t, Quarantined, m.state, "a failed trial goes straight back")
	require.Equal(t, startIt, m.want(now.Add(10*time.Minute)))
	require.True(t, m.started(now))
	assert.Empty(t, m.failures, "a good trial begins anew")
}
