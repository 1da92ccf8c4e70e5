package supervisor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
)

// fakeProcess stands for a process; its behaviour is set by the test.
type fakeProcess struct {
	world  *world
	binary Binary
	number int
	dead   chan struct{}
	once   sync.Once
	why    string
	frozen atomic.Bool
	hold   time.Duration // how long a call takes
	killed atomic.Bool
}

func (p *fakeProcess) call(ctx context.Context, r unified.Request) (*unified.Result, error) {
	p.world.calls.Add(1)
	select {
	case <-time.After(p.hold):
		return &unified.Result{NextPageToken: p.binary.Version}, nil
	case <-p.dead:
		if p.number%2 == 0 { // either is what gRPC says, by chance
			return nil, status.Error(codes.Canceled, "grpc: the client connection is closing")
		}
		return nil, status.Error(codes.Unavailable, "connection closed")
	case <-ctx.Done():
		return nil, status.FromContextError(ctx.Err()).Err()
	}
}

func (p *fakeProcess) checkConnection(context.Context, string, unified.Account) error { return nil }

func (p *fakeProcess) checkHealth(ctx context.Context) error {
	if p.frozen.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (p *fakeProcess) died() <-chan struct{} { return p.dead }
func (p *fakeProcess) cause() string         { <-p.dead; return p.why }
func (p *fakeProcess) pid() int              { return p.number }

func (p *fakeProcess) condemn(reason string) {
	p.once.Do(func() {
		p.why = reason
		close(p.dead)
	})
}

func (p *fakeProcess) shutdown(context.Context) {}

func (p *fakeProcess) kill() {
	p.condemn("it was stopped")
	if p.killed.CompareAndSwap(false, true) {
		p.world.alive.Add(-1)
		p.world.mu.Lock()
		p.world.byVersion[p.binary.Version]--
		p.world.mu.Unlock()
	}
}

// world launches fake processes and counts.
type world struct {
	mu       sync.Mutex
	launched []*fakeProcess
	broken   map[string]string // version -> why it does not start
	takes    time.Duration
	hold     time.Duration
	alive    atomic.Int64
	calls    atomic.Int64

	byVersion map[string]int // processes that are alive
}

func (w *world) launch(ctx context.Context, b Binary) (process, error) {
	select {
	case <-time.After(w.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if why := w.broken[b.Version]; why != "" {
		return nil, errors.New(why)
	}
	p := &fakeProcess{world: w, binary: b, number: len(w.launched) + 1, dead: make(chan struct{}), hold: w.hold}
	w.launched = append(w.launched, p)
	w.alive.Add(1)
	if w.byVersion == nil {
		w.byVersion = map[string]int{}
	}
	w.byVersion[b.Version]++
	return p, nil
}

func (w *world) last() *fakeProcess {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.launched[len(w.launched)-1]
}

func (w *world) starts() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.launched)
}

func acme(version string) Binary { return Binary{Slug: "acme", Version: version} }

// only is a plan of one version.
func only(version string) Plan { return Plan{Active: acme(version)} }

// inWorld runs a test in a bubble of fake time and makes sure that nothing is
// left: synctest itself fails on goroutines that do not end.
func inWorld(t *testing.T, w *world, options Options, test func(t *testing.T, s *Supervisor)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newSupervisor([]Plan{only("1.0.0")}, options.withDefaults(), w.launch)
		test(t, s)
		s.Close(t.Context())
		assert.Zero(t, w.alive.Load(), "processes are left")
	})
}

func get(ctx context.Context, s *Supervisor, account string) (string, error) {
	result, err := s.Call(ctx, "acme", unified.Request{Method: unified.Get, Account: unified.Account{ID: account}})
	if err != nil {
		return "", err
	}
	return result.NextPageToken, nil
}

func stateOf(t *testing.T, s *Supervisor) Status {
	t.Helper()
	st, ok := s.Status("acme")
	require.True(t, ok)
	return st
}

func TestAPluginIsStartedWhenItIsFirstNeededAndOnce(t *testing.T) {
	w := &world{takes: time.Second}
	inWorld(t, w, Options{}, func(t *testing.T, s *Supervisor) {
		assert.Equal(t, Stopped, stateOf(t, s).State)
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				version, err := get(t.Context(), s, fmt.Sprint(i))
				assert.NoError(t, err)
				assert.Equal(t, "1.0.0", version)
			})
		}
		all.Wait()
		assert.Equal(t, 1, w.starts())
		assert.Equal(t, Ready, stateOf(t, s).State)
	})
}

func TestACallerGivesUpOnASlowStartWithoutStoppingIt(t *testing.T) {
	w := &world{takes: 5 * time.Second}
	inWorld(t, w, Options{}, func(t *testing.T, s *Supervisor) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := get(ctx, s, "a")
		assert.True(t, errs.Is(err, errs.PluginUnavailable), "%v", err)
		_, err = get(t.Context(), s, "a")
		assert.NoError(t, err)
		assert.Equal(t, 1, w.starts())
	})
}

func TestAFrozenProcessIsReplacedWithin15Seconds(t *testing.T) {
	w := &world{}
	inWorld(t, w, Options{}, func(t *testing.T, s *Supervisor) {
		_, err := get(t.Context(), s, "a")
		require.NoError(t, err)
		frozen := w.last()
		frozen.frozen.Store(true)
		began := time.Now()
		<-frozen.dead
		assert.LessOrEqual(t, time.Since(began), 15*time.Second)
		_, err = get(t.Context(), s, "a")
		require.NoError(t, err)
		assert.Equal(t, 2, w.starts())
		assert.Contains(t, stateOf(t, s).LastError, "missed 2 health checks")
	})
}

func TestAReadIsMadeAgainAfterADeathAWriteIsNot(t *testing.T) {
	w := &world{hold: time.Second}
	inWorld(t, w, Options{}, func(t *testing.T, s *Supervisor) {
		for _, request := range []unified.Request{
			{Method: unified.Get},
			{Method: unified.List},
			{Method: unified.Delete},
			{Method: unified.Create},
			{Method: unified.Update},
			{Method: unified.Upsert},
			{Method: unified.Merge},
			{Method: unified.BatchDelete},
			{Method: unified.BatchDelete, DryRun: true},
		} {
			method := request.Method
			_, err := s.Call(t.Context(), "acme", unified.Request{Method: unified.Get}) // a process is there
			require.NoError(t, err)
			w.calls.Store(0)
			go func() {
				time.Sleep(500 * time.Millisecond)
				w.last().condemn("killed")
			}()
			_, err = s.Call(t.Context(), "acme", request)
			if request.Writes() {
				assert.True(t, errs.Is(err, errs.OutcomeUnknown), "%s: %v", method, err)
				assert.EqualValues(t, 1, w.calls.Load(), method)
			} else {
				assert.NoError(t, err, method)
				assert.EqualValues(t, 2, w.calls.Load(), method)
			}
			time.Sleep(11 * time.Minute) // the budget is not what this is about
		}
	})
}

func TestAPluginThatKeepsFailingIsQuarantinedAndTriedLater(t *testing.T) {
	w := &world{broken: map[string]string{"1.0.0": "no such file"}}
	inWorld(t, w, Options{}, func(t *testing.T, s *Supervisor) {
		for stateOf(t, s).State != Quarantined {
			_, err := get(t.Context(), s, "a")
			require.True(t, errs.Is(err, errs.PluginUnavailable), "%v", err)
			time.Sleep(time.Second)
		}
		st := stateOf(t, s)
		assert.Contains(t, st.LastError, "6 failures")
		assert.Contains(t, st.LastError, "no such file")
		_, err := get(t.Context(), s, "a")
		var e *errs.Error
		require.ErrorAs(t, err, &e)
		assert.Positive(t, e.RetryAfter)
		w.mu.Lock()
		w.broken = nil
		w.mu.Unlock()
		time.Sleep(DefaultRestartPolicy.CoolDown)
		_, err = get(t.Context(), s, "a")
		assert.NoError(t, err)
	})
}

func TestASwapUnderLoadLosesNothingAndNobodyWaits(t *testing.T) {
	w := &world{hold: 50 * time.Millisecond, takes: 3 * time.Second}
	inWorld(t, w, Options{}, func(t *testing.T, s *Supervisor) {
		_, err := get(t.Context(), s, "a")
		require.NoError(t, err)
		stop := make(chan struct{})
		var all sync.WaitGroup
		var slowest atomic.Int64
		for i := range 16 {
			all.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					began := time.Now()
					_, err := get(t.Context(), s, fmt.Sprint(i))
					assert.NoError(t, err)
					if took := int64(time.Since(began)); took > slowest.Load() {
						slowest.Store(took)
					}
				}
			})
		}
		for i := range 20 {
			require.NoError(t, s.Apply(t.Context(), only(fmt.Sprintf("1.0.%d", i+1)), false))
		}
		close(stop)
		all.Wait()
		assert.Less(t, time.Duration(slowest.Load()), time.Second, "a call waited for a new process")
		version, err := get(t.Context(), s, "a")
		require.NoError(t, err)
		assert.Equal(t, "1.0.20", version)
		time.Sleep(time.Minute)
		assert.EqualValues(t, 1, w.alive.Load(), "the old ones are gone")
	})
}

func TestABadNewBinaryLeavesTheOldOneServing(t *testing.T) {
	w := &world{broken: map[string]string{"2.0.0": "it answers the wrong protocol"}}
	inWorld(t, w, Options{}, func(t *testing.T, s *Supervisor) {
		_, err := get(t.Context(), s, "a")
		require.NoError(t, err)
		err = s.Apply(t.Context(), only("2.0.0"), false)
		assert.ErrorContains(t, err, "it answers the wrong protocol")
		version, err := get(t.Context(), s, "a")
		require.NoError(t, err)
		assert.Equal(t, "1.0.0", version)
		assert.Equal(t, 1, w.starts())
	})
}

func TestDrainingLetsCallsEndAndCutsThemAtItsDeadline(t *testing.T) {
	w := &world{hold: 10 * time.Second}
	inWorld(t, w, Options{DrainTimeout: 20 * time.Second}, func(t *testing.T, s *Supervisor) {
		outcome := make(chan error, 1)
		go func() {
			version, err := get(t.Context(), s, "a")
			assert.Equal(t, "1.0.0", version, "it ended on the old process")
			outcome <- err
		}()
		time.Sleep(time.Second)
		require.NoError(t, s.Apply(t.Context(), only("1.0.1"), false))
		assert.NoError(t, <-outcome)

		w.last().hold = time.Hour
		go func() {
			_, err := s.Call(t.Context(), "acme", unified.Request{Method: unified.Delete})
			outcome <- err
		}()
		time.Sleep(time.Second)
		require.NoError(t, s.Apply(t.Context(), only("1.0.2"), false))
		assert.True(t, errs.Is(<-outcome, errs.OutcomeUnknown))
	})
}

func TestPinnedAccountsAndCanariesAreServedByTheirVersion(t *testing.T) {
	w := &world{}
	inWorld(t, w, Options{}, func(t *testing.T, s *Supervisor) {
		require.NoError(t, s.Apply(t.Context(), Plan{Active: acme("2.0.0"), Others: []Binary{acme("1.0.0")}}, false))
		version := func(account unified.Account) string {
			result, err := s.Call(t.Context(), "acme", unified.Request{Method: unified.Get, Account: account})
			if err != nil {
				return err.Error()
			}
			serving, err := s.Serving("acme", account)
			require.NoError(t, err)
			assert.Equal(t, serving, result.NextPageToken)
			return result.NextPageToken
		}
		assert.Equal(t, "2.0.0", version(unified.Account{ID: "a"}))
		assert.Equal(t, "1.0.0", version(unified.Account{ID: "b", PluginVersion: "1.0.0"}))
		assert.Contains(t, version(unified.Account{ID: "b", PluginVersion: "0.9.0"}), "which is not installed")
		_, err := s.Serving("acme", unified.Account{PluginVersion: "0.9.0"})
		assert.ErrorContains(t, err, "which is not installed")
		_, err = s.Serving("nonsense", unified.Account{})
		assert.ErrorContains(t, err, "nonsense is not installed")

		share := func(percent int) map[string]bool {
			require.NoError(t, s.Apply(t.Context(), Plan{
				Active: acme("2.0.0"), Others: []Binary{acme("1.0.0"), acme("3.0.0")}, CanaryVersion: "3.0.0", CanaryPercent: percent,
			}, false))
			moved := map[string]bool{}
			for i := range 1000 {
				id := fmt.Sprintf("account-%d", i)
				if version(unified.Account{ID: id}) == "3.0.0" {
					moved[id] = true
				}
			}
			return moved
		}
		five, twenty := share(5), share(20)
		assert.InDelta(t, 50, len(five), 30)
		assert.InDelta(t, 200, len(twenty), 60)
		for id := range five {
			assert.True(t, twenty[id], "a higher share keeps everybody of a lower one")
		}
		assert.Len(t, share(100), 1000)
		assert.Equal(t, "1.0.0", version(unified.Account{ID: "account-1", PluginVersion: "1.0.0"}), "a pin wins over a canary")
		assert.Equal(t, "2.0.0", version(unified.Account{ID: "account-1", PluginVersion: "2.0.0"}), "so does one to the active version")
		versions, ok := s.Versions("acme")
		require.True(t, ok)
		var roles []string
		for _, v := range versions {
			roles = append(roles, v.Version+" "+v.Role)
		}
		assert.Equal(t, []string{"2.0.0 active", "1.0.0 other", "3.0.0 canary"}, roles)

		require.NoError(t, s.Apply(t.Context(), Plan{Active: acme("2.0.0"), Others: []Binary{acme("1.0.0")}}, false))
		assert.Equal(t, "2.0.0", version(unified.Account{ID: "account-1"}))
		versions, _ = s.Versions("acme")
		assert.Len(t, versions, 2)
	})
}

func TestClosingRefusesNewCallsAndWaitsForTheOthers(t *testing.T) {
	w := &world{hold: 2 * time.Second}
	inWorld(t, w, Options{}, func(t *testing.T, s *Supervisor) {
		outcome := make(chan error, 1)
		go func() {
			_, err := get(t.Context(), s, "a")
			outcome <- err
		}()
		time.Sleep(time.Second)
		s.Close(t.Context())
		assert.NoError(t, <-outcome)
		_, err := get(t.Context(), s, "a")
		assert.ErrorContains(t, err, "shutting down")
	})
}

func TestClosingWhileAPluginStartsLeavesNothing(t *testing.T) {
	w := &world{takes: 5 * time.Second}
	inWorld(t, w, Options{}, func(t *testing.T, s *Supervisor) {
		go func() { _, _ = get(t.Context(), s, "a") }()
		time.Sleep(time.Second)
		s.Close(t.Context())
		assert.Zero(t, w.alive.Load())
	})
}

func TestReasonsThatBelongToTheHostCountAsThePluginsBug(t *testing.T) {
	for reason := range hostsOwn {
		err := explain(t.Context(), errs.Status(errs.New(reason, "from a plugin")), false, "acme")
		assert.True(t, errs.Is(err, errs.PluginBug), "%s: %v", errs.Name(reason), err)
		ofOne := errs.New(reason, "of one record of many")
		hold(ofOne, "acme")
		assert.Equal(t, errs.PluginBug, ofOne.Reason)
	}
	hold(nil, "acme")
	for _, reason := range []errs.Reason{errs.RecordNotFound, errs.InvalidParameter, errs.VendorUnauthenticated, errs.OutcomeUnknown, errs.Unsupported} {
		err := explain(t.Context(), errs.Status(errs.New(reason, "from a plugin")), true, "acme")
		assert.True(t, errs.Is(err, reason), "%s: %v", errs.Name(reason), err)
	}
}

func TestWhatGRPCSaysIsExplained(t *testing.T) {
	for _, c := range []struct {
		code   codes.Code
		writes bool
		want   errs.Reason
	}{
		{codes.Unavailable, false, errs.PluginUnavailable},
		{codes.Unavailable, true, errs.OutcomeUnknown},
		{codes.DeadlineExceeded, false, errs.PluginUnavailable},
		{codes.DeadlineExceeded, true, errs.OutcomeUnknown},
		{codes.ResourceExhausted, false, errs.PluginBug},
		{codes.ResourceExhausted, true, errs.OutcomeUnknown},
		{codes.Unimplemented, true, errs.Unsupported},
		{codes.Internal, true, errs.PluginBug},
		{codes.Canceled, false, errs.PluginUnavailable}, // the connection was being closed
		{codes.Canceled, true, errs.OutcomeUnknown},
	} {
		err := explain(t.Context(), status.Error(c.code, "x"), c.writes, "acme")
		assert.True(t, errs.Is(err, c.want), "%s, writes %v: %v", c.code, c.writes, err)
	}
}

func TestAPluginTakesOnlySoManyCallsAtOnce(t *testing.T) {
	w := &world{hold: time.Second}
	inWorld(t, w, Options{MaxCalls: 4}, func(t *testing.T, s *Supervisor) {
		_, err := get(t.Context(), s, "a")
		require.NoError(t, err)
		var refused, served atomic.Int64
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() {
				if _, err := get(t.Context(), s, "a"); errs.Is(err, errs.Overloaded) {
					refused.Add(1)
				} else if err == nil {
					served.Add(1)
				}
			})
		}
		all.Wait()
		assert.EqualValues(t, 4, served.Load())
		assert.EqualValues(t, 6, refused.Load())
	})
}
