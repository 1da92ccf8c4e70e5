package supervisor

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
)

// settledVersions are the versions of acme once nothing is on its way out.
func settledVersions(t require.TestingT, s *Supervisor) []Status {
	time.Sleep(2 * s.options.DrainTimeout)
	synctest.Wait()
	all, ok := s.Versions("acme")
	require.True(t, ok)
	return all
}

func TestApplyStartsOnlyWhatIsNewOrFailing(t *testing.T) {
	w := &world{}
	inWorld(t, w, Options{}, func(t *testing.T, s *Supervisor) {
		apply := func(plan Plan, restart bool) int {
			t.Helper()
			before := w.starts()
			require.NoError(t, s.Apply(t.Context(), plan, restart))
			return w.starts() - before
		}
		assert.Zero(t, apply(only("1.0.0"), false), "it has not changed, so it waits until it is needed")
		assert.Equal(t, 1, apply(only("1.0.0"), true), "a restart proves it")
		assert.Zero(t, apply(only("1.0.0"), false))
		pid := settledVersions(t, s)[0].PID
		assert.Equal(t, 1, apply(only("1.0.0"), true), "a restart gives a fresh process")
		fresh := settledVersions(t, s)[0]
		assert.NotEqual(t, pid, fresh.PID)
		assert.Equal(t, 1, fresh.Starts)

		relocked := only("1.0.0")
		relocked.Active.SHA256 = "other bytes"
		assert.Equal(t, 1, apply(relocked, false))
		assert.Equal(t, "other bytes", settledVersions(t, s)[0].SHA256)
		moved := relocked
		moved.Active.Path = "/elsewhere"
		assert.Equal(t, 1, apply(moved, false))
		described := moved
		described.Active.Manifest = &unified.Manifest{AllowedHosts: []string{"a.test"}}
		assert.Zero(t, apply(described, false), "what was not known before is no change")
		described.Active.SHA256 = "new bytes"
		require.Equal(t, 1, apply(described, false))
		described.Active.Manifest = &unified.Manifest{AllowedHosts: []string{"b.test"}}
		assert.Equal(t, 1, apply(described, false), "a file that says something else is another")

		w.last().condemn("killed")
		synctest.Wait()
		require.Equal(t, Backoff, stateOf(t, s).State)
		assert.Equal(t, 1, apply(described, false), "a failing version is proven anew")
		st := stateOf(t, s)
		assert.Equal(t, Ready, st.State)
		assert.Zero(t, st.Failures)

		others := Plan{Active: described.Active, Others: []Binary{acme("0.8.0"), acme("0.9.0")}}
		assert.Zero(t, apply(others, false), "further versions wait until they are needed")
		for _, v := range settledVersions(t, s)[1:] {
			assert.Equal(t, Stopped, v.State, v.Version)
		}
	})
}

func TestACanaryThatIsNewIsProvenAndItsPromotionKeepsItsProcess(t *testing.T) {
	w := &world{}
	inWorld(t, w, Options{}, func(t *testing.T, s *Supervisor) {
		_, err := get(t.Context(), s, "a")
		require.NoError(t, err)
		old := stateOf(t, s).PID
		both := Plan{Active: acme("1.0.0"), Others: []Binary{acme("2.0.0")}, CanaryVersion: "2.0.0", CanaryPercent: 10}
		require.NoError(t, s.Apply(t.Context(), both, false))
		assert.Equal(t, 2, w.starts(), "the canary was proven")
		both.CanaryPercent = 50
		require.NoError(t, s.Apply(t.Context(), both, false))
		versions := settledVersions(t, s)
		canary := versions[1].PID
		assert.Equal(t, old, versions[0].PID)
		assert.Equal(t, 2, w.starts(), "another share starts nothing")

		promoted := Plan{Active: acme("2.0.0"), Others: []Binary{acme("1.0.0")}}
		require.NoError(t, s.Apply(t.Context(), promoted, false))
		versions = settledVersions(t, s)
		assert.Equal(t, canary, versions[0].PID, "it was proven already")
		assert.Equal(t, Stopped, versions[1].State, "the old one waits until a pinned account needs it")
		assert.Equal(t, map[string]int{"1.0.0": 0, "2.0.0": 1}, w.byVersion)

		_, err = get(t.Context(), s, "a")
		require.NoError(t, err)
		back := Plan{Active: acme("1.0.0"), Others: []Binary{acme("2.0.0")}, CanaryVersion: "2.0.0", CanaryPercent: 90}
		require.NoError(t, s.Apply(t.Context(), back, false))
		versions = settledVersions(t, s)
		assert.Equal(t, canary, versions[1].PID, "the active version that becomes the canary keeps its process")
		assert.Equal(t, "canary", versions[1].Role)
		assert.Equal(t, 3, w.starts())
	})
}

func TestWhatDoesNotStartChangesNothing(t *testing.T) {
	w := &world{}
	inWorld(t, w, Options{}, func(t *testing.T, s *Supervisor) {
		plan := Plan{Active: acme("1.0.0"), Others: []Binary{acme("2.0.0"), acme("3.0.0")}, CanaryVersion: "2.0.0", CanaryPercent: 20}
		require.NoError(t, s.Apply(t.Context(), plan, true))
		before := settledVersions(t, s)
		w.mu.Lock()
		w.broken = map[string]string{"3.0.0": "bad magic", "4.0.0": "bad magic"}
		w.mu.Unlock()
		for name, bad := range map[string]Plan{
			"an active version":                     only("4.0.0"),
			"one that was installed":                {Active: acme("3.0.0"), Others: []Binary{acme("1.0.0")}},
			"a canary":                              {Active: acme("1.0.0"), Others: []Binary{acme("4.0.0")}, CanaryVersion: "4.0.0", CanaryPercent: 1},
			"a canary beside a good active version": {Active: acme("5.0.0"), Others: []Binary{acme("4.0.0")}, CanaryVersion: "4.0.0", CanaryPercent: 1},
		} {
			err := s.Apply(t.Context(), bad, false)
			require.ErrorContains(t, err, "does not start: bad magic", name)
			assert.Equal(t, before, settledVersions(t, s), name)
			assert.EqualValues(t, 2, w.alive.Load(), name)
		}
		elsewhere := Plan{Active: Binary{Slug: "other", Version: "4.0.0"}}
		require.ErrorContains(t, s.Apply(t.Context(), elsewhere, false), "other 4.0.0 does not start: bad magic")
		_, ok := s.Versions("other")
		assert.False(t, ok, "a plugin that does not start is not added")
		_, err := s.Call(t.Context(), "other", unified.Request{Method: unified.Get})
		require.ErrorContains(t, err, "other is not installed")
		elsewhere.Active.Version = "1.0.0"
		require.NoError(t, s.Apply(t.Context(), elsewhere, false))
		serving, err := s.Serving("other", unified.Account{})
		require.NoError(t, err)
		assert.Equal(t, "1.0.0", serving)
	})
}

func TestPlansThatMakeNoSenseAreRefused(t *testing.T) {
	w := &world{}
	inWorld(t, w, Options{}, func(t *testing.T, s *Supervisor) {
		require.NoError(t, s.Apply(t.Context(), only("1.0.0"), true))
		before := settledVersions(t, s)
		for says, plan := range map[string]Plan{
			"without a slug or a version":            {Active: Binary{Slug: "acme"}},
			"has a binary of other":                  {Active: acme("1.0.0"), Others: []Binary{{Slug: "other", Version: "2.0.0"}}},
			"has the version 1.0.0 twice":            {Active: acme("1.0.0"), Others: []Binary{acme("1.0.0")}},
			"is not one of its further versions":     {Active: acme("1.0.0"), CanaryVersion: "1.0.0", CanaryPercent: 5},
			"which is not between 0 and 100":         {Active: acme("1.0.0"), Others: []Binary{acme("2.0.0")}, CanaryVersion: "2.0.0", CanaryPercent: 101},
			"to serve -1 percent of the accounts":    {Active: acme("1.0.0"), Others: []Binary{acme("2.0.0")}, CanaryVersion: "2.0.0", CanaryPercent: -1},
			`plan of the provider plugin "" has a b`: {},
		} {
			assert.ErrorContains(t, s.Apply(t.Context(), plan, true), says)
		}
		assert.Equal(t, before, settledVersions(t, s))
	})
}

func TestARestartForgivesFurtherVersionsThatFail(t *testing.T) {
	w := &world{broken: map[string]string{"2.0.0": "bad magic"}}
	inWorld(t, w, Options{Restart: RestartPolicy{Budget: 0, Window: time.Hour, CoolDown: time.Hour}}, func(t *testing.T, s *Supervisor) {
		plan := Plan{Active: acme("1.0.0"), Others: []Binary{acme("2.0.0"), acme("3.0.0")}}
		require.NoError(t, s.Apply(t.Context(), plan, false))
		pinned := func(version string) error {
			_, err := s.Call(t.Context(), "acme", unified.Request{Method: unified.Get, Account: unified.Account{PluginVersion: version}})
			return err
		}
		require.NoError(t, pinned("3.0.0"))
		require.Error(t, pinned("2.0.0"))
		w.mu.Lock()
		w.broken = nil
		w.mu.Unlock()
		require.NoError(t, s.Apply(t.Context(), plan, false))
		require.ErrorContains(t, pinned("2.0.0"), "quarantined")
		running := settledVersions(t, s)[2]
		require.NoError(t, s.Apply(t.Context(), plan, true))
		require.NoError(t, pinned("2.0.0"))
		assert.Equal(t, running, settledVersions(t, s)[2], "the others keep their process")
		s.Forgive("acme")
		s.Forgive("nonsense")
	})
}

func TestAnApplyThatIsGivenUpChangesNothing(t *testing.T) {
	w := &world{takes: time.Second}
	inWorld(t, w, Options{}, func(t *testing.T, s *Supervisor) {
		_, err := get(t.Context(), s, "a")
		require.NoError(t, err)
		w.takes = time.Hour
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.ErrorContains(t, s.Apply(ctx, only("2.0.0"), false), "the start of acme 2.0.0 was given up")
		version, err := get(t.Context(), s, "a")
		require.NoError(t, err)
		assert.Equal(t, "1.0.0", version)
		assert.EqualValues(t, 1, w.alive.Load())
	})
}

func TestClosingDoesNotWaitForStarts(t *testing.T) {
	w := &world{takes: time.Hour}
	inWorld(t, w, Options{}, func(t *testing.T, s *Supervisor) {
		outcomes := make(chan error, 3)
		go func() { outcomes <- s.Apply(t.Context(), only("2.0.0"), false) }()
		go func() { outcomes <- s.Start(t.Context()) }()
		go func() {
			_, err := get(t.Context(), s, "a")
			outcomes <- err
		}()
		time.Sleep(time.Second)
		began := time.Now()
		s.Close(t.Context())
		assert.Zero(t, time.Since(began))
		for range 3 {
			assert.Error(t, <-outcomes)
		}
		assert.ErrorContains(t, s.Apply(t.Context(), only("1.0.0"), false), "shutting down")
		assert.ErrorContains(t, s.Start(t.Context(), "acme"), "shutting down")
		_, err := s.Serving("acme", unified.Account{})
		assert.ErrorContains(t, err, "shutting down")
		s.Remove("acme")
		s.Forgive("acme")
		s.Close(t.Context())
	})
}

func TestClosingCutsDrainsThatWouldTakeLonger(t *testing.T) {
	w := &world{hold: time.Hour}
	inWorld(t, w, Options{DrainTimeout: time.Hour}, func(t *testing.T, s *Supervisor) {
		outcome := make(chan error, 1)
		go func() {
			_, err := s.Call(t.Context(), "acme", unified.Request{Method: unified.Delete})
			outcome <- err
		}()
		time.Sleep(time.Second)
		require.NoError(t, s.Apply(t.Context(), only("2.0.0"), false))
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		s.Close(ctx)
		assert.Equal(t, 3*time.Second, time.Since(began))
		assert.True(t, errs.Is(<-outcome, errs.OutcomeUnknown))
	})
}

func TestStartStartsTheActiveVersionsAndTellsWhichDoNot(t *testing.T) {
	w := &world{broken: map[string]string{"6.6.6": "bad magic"}}
	synctest.Test(t, func(t *testing.T) {
		s := newSupervisor([]Plan{
			{Active: acme("1.0.0"), Others: []Binary{acme("0.9.0")}},
			{Active: Binary{Slug: "good", Version: "1.0.0"}},
			{Active: Binary{Slug: "bad", Version: "6.6.6"}},
		}, Options{}.withDefaults(), w.launch)
		require.NoError(t, s.Start(t.Context(), "acme"))
		assert.Equal(t, 1, w.starts())
		err := s.Start(t.Context(), "bad", "good", "nonsense")
		assert.ErrorContains(t, err, "bad 6.6.6 does not start: bad magic")
		assert.ErrorContains(t, err, "nonsense is not installed")
		assert.Equal(t, 2, w.starts())
		require.ErrorContains(t, s.Start(t.Context()), "bad 6.6.6", "all, when none is named")
		assert.Equal(t, 2, w.starts(), "what runs is not started again")
		s.Close(t.Context())
		assert.Zero(t, w.alive.Load())
	})
}

func TestAPluginThatWasRemovedCanBeAddedAgain(t *testing.T) {
	w := &world{hold: time.Second}
	inWorld(t, w, Options{}, func(t *testing.T, s *Supervisor) {
		outcome := make(chan error, 1)
		go func() {
			_, err := get(t.Context(), s, "a")
			outcome <- err
		}()
		time.Sleep(time.Millisecond)
		s.Remove("acme")
		s.Remove("acme")
		s.Remove("nonsense")
		_, err := get(t.Context(), s, "a")
		require.ErrorContains(t, err, "acme is not installed")
		require.ErrorContains(t, s.Start(t.Context(), "acme"), "acme is not installed")
		_, ok := s.Status("acme")
		assert.False(t, ok)
		assert.NoError(t, <-outcome, "calls in flight end well")
		require.NoError(t, s.Apply(t.Context(), only("1.0.0"), false))
		_, err = get(t.Context(), s, "a")
		require.NoError(t, err)
	})
}

func TestAFrozenProcessIsNotTakenOver(t *testing.T) {
	w := &world{}
	inWorld(t, w, Options{HealthInterval: time.Hour}, func(t *testing.T, s *Supervisor) {
		plan := Plan{Active: acme("1.0.0"), Others: []Binary{acme("2.0.0")}, CanaryVersion: "2.0.0", CanaryPercent: 10}
		require.NoError(t, s.Apply(t.Context(), plan, true))
		w.last().frozen.Store(true)
		require.ErrorContains(t, s.Apply(t.Context(), only("2.0.0"), false), "acme 2.0.0: health")
		serving, err := s.Serving("acme", unified.Account{ID: "a", PluginVersion: "1.0.0"})
		require.NoError(t, err)
		assert.Equal(t, "1.0.0", serving)
	})
}

// TestRandomPlans plays random plans, crashes and calls, and holds what is
// served and what runs to a model that knows the plans alone.
func TestRandomPlans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// In a bubble a test must not be asked for its deadline, as rapid would.
		rapid.Check(struct{ rapid.TB }{t}, func(t *rapid.T) {
			w := &world{broken: map[string]string{}}
			policy := RestartPolicy{Budget: 2, Window: 10 * time.Minute, CoolDown: 5 * time.Minute, BackoffBase: time.Second, BackoffMax: time.Minute}
			options := Options{Restart: policy, DrainTimeout: time.Second, HealthInterval: time.Hour}.withDefaults()
			versions := []string{"1.0.0", "2.0.0", "3.0.0"}
			binary := rapid.Custom(func(t *rapid.T) Binary {
				b := acme(rapid.SampledFrom(versions).Draw(t, "version"))
				b.SHA256 = rapid.SampledFrom([]string{"a", "b"}).Draw(t, "hash")
				return b
			})
			plans := rapid.Custom(func(t *rapid.T) Plan {
				p := Plan{Active: binary.Draw(t, "active")}
				for _, b := range rapid.SliceOfNDistinct(binary, 0, 2, func(b Binary) string { return b.Version }).Draw(t, "others") {
					if b.Version != p.Active.Version {
						p.Others = append(p.Others, b)
					}
				}
				if len(p.Others) > 0 && rapid.Bool().Draw(t, "with a canary") {
					p.CanaryVersion = rapid.SampledFrom(p.Others).Draw(t, "canary").Version
					p.CanaryPercent = rapid.IntRange(1, 100).Draw(t, "percent")
				}
				return p
			})
			plan := plans.Draw(t, "first plan") // the model
			s := newSupervisor([]Plan{plan}, options, w.launch)
			defer func() {
				s.Close(context.Background())
				require.Zero(t, w.alive.Load(), "processes are left")
			}()
			// An account is in the canary's share from some percentage on: above
			// one at which it was not, up to one at which it was.
			type bounds struct{ outside, inside int }
			shares := map[string]bounds{}
			byVersion := func() map[string]Status {
				all := map[string]Status{}
				for _, st := range settledVersions(t, s) {
					all[st.Version] = st
				}
				return all
			}
			// starts tells whether the plan needs a process of b that is not there.
			starts := func(b Binary, now map[string]Status, fresh bool) bool {
				st, ok := now[b.Version]
				return fresh || !ok || st.SHA256 != b.SHA256 || st.State != Ready
			}
			t.Repeat(map[string]func(*rapid.T){
				"": func(t *rapid.T) {
					now := settledVersions(t, s)
					require.Len(t, now, 1+len(plan.Others))
					require.Equal(t, plan.Active.Version, now[0].Version)
					require.Equal(t, "active", now[0].Role)
					for _, st := range now {
						ready := 0
						if st.State == Ready {
							ready = 1
						}
						w.mu.Lock()
						alive := w.byVersion[st.Version]
						w.mu.Unlock()
						require.Equal(t, ready, alive, "processes of %s, which is %s", st.Version, st.State)
						if st.Version == plan.CanaryVersion {
							require.Equal(t, "canary", st.Role)
						}
					}
					running := 0
					for _, st := range now {
						if st.State == Ready {
							running++
						}
					}
					require.EqualValues(t, running, w.alive.Load(), "a process of a version that is not in the plan")
				},
				"a plan is applied": func(t *rapid.T) {
					next, restart := plans.Draw(t, "plan"), rapid.Bool().Draw(t, "restart")
					before := byVersion()
					activeNow := before[plan.Active.Version]
					broken := ""
					if restart || next.Active != plan.Active || activeNow.State == Backoff || activeNow.State == Quarantined {
						if starts(next.Active, before, restart) {
							broken = w.broken[next.Active.Version]
						}
					}
					if b, ok := next.canary(); ok && broken == "" {
						was, had := plan.canary()
						if (!had || was != b) && starts(b, before, false) {
							broken = w.broken[b.Version]
						}
					}
					err := s.Apply(context.Background(), next, restart)
					after := byVersion()
					if broken != "" {
						require.ErrorContains(t, err, broken)
						require.Equal(t, before, after, "an error changes nothing")
						return
					}
					require.NoError(t, err)
					for _, b := range next.Others {
						was, had := before[b.Version]
						stays := was.Role == "other" || (was.Role == "canary" && next.CanaryPercent > 0 && next.CanaryVersion == b.Version)
						if had && stays && was.SHA256 == b.SHA256 && was.State == Ready {
							require.Equal(t, was.PID, after[b.Version].PID, "%s has not changed and lost its process", b.Version)
						}
					}
					if next.Active == plan.Active && !restart && activeNow.State == Ready {
						require.Equal(t, activeNow.PID, after[next.Active.Version].PID)
					}
					if restart {
						require.NotEqual(t, activeNow.PID, after[next.Active.Version].PID)
						require.Equal(t, Ready, after[next.Active.Version].State)
					}
					if b, ok := plan.canary(); ok && next.CanaryVersion != b.Version && next.Active.Version != b.Version {
						if now, there := after[b.Version]; there {
							require.Zero(t, now.PID, "what is no canary any more keeps no process")
						}
					}
					plan = next
				},
				"an account calls": func(t *rapid.T) {
					account := unified.Account{ID: fmt.Sprint(rapid.IntRange(0, 30).Draw(t, "account"))}
					account.PluginVersion = rapid.SampledFrom(append([]string{""}, versions...)).Draw(t, "pin")
					installed := slices.ContainsFunc(append([]Binary{plan.Active}, plan.Others...), func(b Binary) bool { return b.Version == account.PluginVersion })
					serving, err := s.Serving("acme", account)
					if account.PluginVersion != "" && !installed {
						require.ErrorContains(t, err, "which is not installed")
						return
					}
					require.NoError(t, err)
					switch {
					case account.PluginVersion != "":
						require.Equal(t, account.PluginVersion, serving)
					case plan.CanaryPercent > 0:
						b, ok := shares[account.ID]
						if !ok {
							b.inside = 100
						}
						if serving == plan.CanaryVersion {
							b.inside = min(b.inside, plan.CanaryPercent)
						} else {
							require.Equal(t, plan.Active.Version, serving)
							b.outside = max(b.outside, plan.CanaryPercent)
						}
						require.Less(t, b.outside, b.inside, "account %s changed sides", account.ID)
						shares[account.ID] = b
					default:
						require.Equal(t, plan.Active.Version, serving)
					}
					result, err := s.Call(context.Background(), "acme", unified.Request{Method: unified.Get, Account: account})
					if err == nil {
						require.Equal(t, serving, result.NextPageToken)
					} else {
						require.True(t, errs.Is(err, errs.PluginUnavailable), "%v", err)
					}
				},
				"a process dies": func(*rapid.T) {
					w.mu.Lock()
					defer w.mu.Unlock()
					for _, p := range slices.Backward(w.launched) {
						if !p.killed.Load() {
							p.condemn("killed")
							return
						}
					}
				},
				"a version breaks or is mended": func(t *rapid.T) {
					version := rapid.SampledFrom(versions).Draw(t, "version")
					w.mu.Lock()
					defer w.mu.Unlock()
					if _, broken := w.broken[version]; broken {
						delete(w.broken, version)
					} else {
						w.broken = maps.Clone(w.broken)
						w.broken[version] = "it is broken: " + version
					}
				},
				"time passes": func(t *rapid.T) {
					time.Sleep(time.Duration(rapid.Int64Range(0, int64(6*time.Minute)).Draw(t, "wait")))
				},
				"an operator forgives": func(*rapid.T) { s.Forgive("acme") },
			})
		})
	})
}

// TestEveryKindOfChangeUnderLoadLosesNothing keeps calls going while versions
// are swapped, restarted, promoted and pinned.
func TestEveryKindOfChangeUnderLoadLosesNothing(t *testing.T) {
	w := &world{hold: 7 * time.Millisecond, takes: 90 * time.Millisecond}
	inWorld(t, w, Options{}, func(t *testing.T, s *Supervisor) {
		require.NoError(t, s.Start(t.Context()))
		ctx, cancel := context.WithCancel(t.Context())
		var served atomic.Int64
		done := make(chan error, 32)
		for i := range 32 {
			go func() {
				for ctx.Err() == nil {
					method := unified.Get
					if i%2 == 0 {
						method = unified.Delete
					}
					if _, err := s.Call(t.Context(), "acme", unified.Request{Method: method, Account: unified.Account{ID: fmt.Sprint(i)}}); err != nil {
						done <- err
						return
					}
					served.Add(1)
				}
				done <- nil
			}()
		}
		for i := range 40 {
			a, b := acme(fmt.Sprintf("1.0.%d", i)), acme(fmt.Sprintf("1.0.%d", i+1))
			require.NoError(t, s.Apply(t.Context(), Plan{Active: a, Others: []Binary{b}, CanaryVersion: b.Version, CanaryPercent: 30}, false))
			require.NoError(t, s.Apply(t.Context(), Plan{Active: b, Others: []Binary{a}}, i%3 == 0))
			require.NoError(t, s.Apply(t.Context(), Plan{Active: b, Others: []Binary{a}, CanaryVersion: a.Version, CanaryPercent: 50}, i%5 == 0))
		}
		cancel()
		for range 32 {
			require.NoError(t, <-done)
		}
		assert.Greater(t, served.Load(), int64(10_000))
		assert.EqualValues(t, served.Load(), w.calls.Load(), "each call was made once")
	})
}
