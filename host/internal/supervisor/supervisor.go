// Package supervisor runs the provider plugins: it starts them when they are
// first needed, sends calls to them, notices when they die, starts them again
// with a growing wait, and stops them all within bounds.
//
// Callers never hold a process. They ask the supervisor for a call, which
// takes a lease on a living process and gives it back; a process that is being
// stopped is drained of its leases first.
package supervisor

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
)

const (
	backoffBase = 200 * time.Millisecond
	backoffMax  = 30 * time.Second
	// healthyAfter is how long a process must live for its start to count as
	// a success and the wait to begin anew.
	healthyAfter = 30 * time.Second
	// patience is the longest wait for a plugin's next start that a request
	// sits out rather than fail.
	patience = time.Second
)

// Binary is a plugin's binary as the catalog knows it.
type Binary struct {
	Slug, Version, Path string
}

// State is what a plugin is doing.
type State string

// The states.
const (
	Stopped  State = "stopped"
	Starting State = "starting"
	Ready    State = "ready"
	Backoff  State = "backoff"
)

// Status is a plugin's state at one moment.
type Status struct {
	State     State
	Starts    int    // successful starts since the host began
	LastError string // why the last start failed or the process died; empty when it never did
}

// Supervisor runs the plugins of a host. Its methods are safe for concurrent use.
type Supervisor struct {
	hostVersion string
	log         hclog.Logger

	mu     sync.Mutex
	units  map[string]*unit // guarded by mu
	closed bool             // guarded by mu
}

// unit is one plugin and at most one process of it.
type unit struct {
	binary Binary

	mu        sync.Mutex
	current   *instance     // guarded by mu: nil when there is none
	starting  chan struct{} // guarded by mu: closed when the start in progress ends; nil without one
	startErr  error         // guarded by mu: of the last start
	failures  int           // guarded by mu: in a row
	notBefore time.Time     // guarded by mu: no start before this
	starts    int           // guarded by mu
	lastError string        // guarded by mu
}

// New makes a supervisor for the binaries; nothing is started yet.
func New(binaries []Binary, hostVersion string, log hclog.Logger) *Supervisor {
	s := &Supervisor{hostVersion: hostVersion, log: log, units: map[string]*unit{}}
	for _, b := range binaries {
		s.units[b.Slug] = &unit{binary: b}
	}
	return s
}

// Status tells a plugin's state; false when there is no such plugin.
func (s *Supervisor) Status(slug string) (Status, bool) {
	s.mu.Lock()
	u, ok := s.units[slug]
	s.mu.Unlock()
	if !ok {
		return Status{}, false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	status := Status{State: Stopped, Starts: u.starts, LastError: u.lastError}
	switch {
	case u.current != nil && !u.current.isDead():
		status.State = Ready
	case u.starting != nil:
		status.State = Starting
	case time.Now().Before(u.notBefore):
		status.State = Backoff
	}
	return status, true
}

// Call makes one call. A read whose process dies is made once more on the next
// process; a write is not, since the vendor may have acted on it.
func (s *Supervisor) Call(ctx context.Context, slug string, request unified.Request) (*unified.Result, error) {
	var result *unified.Result
	err := s.withInstance(ctx, slug, request.Method.Writes(), func(i *instance) (err error) {
		result, err = i.facade.call(ctx, request)
		return err
	})
	return result, err
}

// CheckConnection asks the vendor whether an account's credentials work.
func (s *Supervisor) CheckConnection(ctx context.Context, slug, requestID string, account unified.Account) error {
	return s.withInstance(ctx, slug, false, func(i *instance) error {
		return i.facade.checkConnection(ctx, requestID, account)
	})
}

func (s *Supervisor) withInstance(ctx context.Context, slug string, writes bool, call func(*instance) error) error {
	for try := 0; ; try++ {
		i, err := s.lease(ctx, slug)
		if err != nil {
			return err
		}
		err = call(i)
		died := err != nil && status.Code(err) == codes.Unavailable && errs.FromStatus(err) == nil
		i.release()
		if !died {
			return explain(ctx, err, writes, slug)
		}
		i.declareDead() // a broken connection is a crash, whatever the watcher has seen yet
		if writes || try > 0 {
			return explain(ctx, err, writes, slug)
		}
	}
}

// explain turns what a call ended with into one of our errors.
func explain(ctx context.Context, err error, writes bool, slug string) error {
	if err == nil {
		return nil
	}
	if e := errs.FromStatus(err); e != nil {
		return e
	}
	switch status.Code(err) {
	case codes.Unimplemented:
		return errs.New(errs.Unsupported, "the provider %s does not do this", slug)
	case codes.Canceled:
		if errors.Is(ctx.Err(), context.Canceled) {
			return ctx.Err()
		}
	case codes.Unavailable:
		if writes {
			return errs.New(errs.OutcomeUnknown, "the provider plugin %s ended before its answer, so whether the call took effect is not known", slug)
		}
		return errs.New(errs.PluginUnavailable, "the provider plugin %s ended before its answer", slug)
	case codes.DeadlineExceeded:
		if writes {
			return errs.New(errs.OutcomeUnknown, "the provider %s did not answer in time, so whether the call took effect is not known", slug)
		}
		return errs.New(errs.VendorTimeout, "the provider %s did not answer in time", slug)
	case codes.ResourceExhausted:
		return errs.New(errs.PluginBug, "the answer of the provider plugin %s is too large; ask for fewer records at once", slug)
	}
	return errs.New(errs.PluginBug, "the provider plugin %s failed: %s", slug, status.Convert(err).Message())
}

// lease gives a living process with a call counted in, starting one if need be.
func (s *Supervisor) lease(ctx context.Context, slug string) (*instance, error) {
	s.mu.Lock()
	u, ok := s.units[slug]
	closed := s.closed
	s.mu.Unlock()
	if !ok {
		return nil, errs.New(errs.PluginUnavailable, "the provider plugin %s is not installed", slug)
	}
	if closed {
		return nil, errs.New(errs.PluginUnavailable, "the host is shutting down")
	}
	for {
		u.mu.Lock()
		if u.current != nil {
			if u.current.lease() {
				i := u.current
				u.mu.Unlock()
				return i, nil
			}
			s.buryLocked(u)
		}
		if u.starting == nil {
			if wait := time.Until(u.notBefore); wait > 0 {
				lastError := u.lastError
				u.mu.Unlock()
				if wait <= patience && pause(ctx, wait) {
					continue
				}
				return nil, &errs.Error{Reason: errs.PluginUnavailable, Message: fmt.Sprintf("the provider plugin %s does not start: %s", slug, lastError), RetryAfter: wait}
			}
			u.starting = make(chan struct{})
			go s.startUnit(u) // not in the caller's context: others wait for it too
		}
		starting := u.starting
		u.mu.Unlock()
		select {
		case <-starting:
		case <-ctx.Done():
			return nil, errs.New(errs.PluginUnavailable, "the provider plugin %s is still starting", slug)
		}
		u.mu.Lock()
		err := u.startErr
		u.mu.Unlock()
		if err != nil {
			return nil, errs.New(errs.PluginUnavailable, "the provider plugin %s does not start: %s", slug, err)
		}
	}
}

// pause waits, unless ctx ends first.
func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// buryLocked takes a dead process away; u.mu is held.
func (s *Supervisor) buryLocked(u *unit) {
	dead := u.current
	u.current = nil
	u.lastError = "the process ended"
	u.failLocked()
	s.log.Warn("plugin process ended", "provider", u.binary.Slug, "version", u.binary.Version)
	go dead.kill()
}

// failLocked counts a failure. The first one costs no wait: a plugin that
// crashed after a long life is back at once.
func (u *unit) failLocked() {
	u.failures++
	if u.failures < 2 {
		return
	}
	limit := min(backoffBase<<min(u.failures-2, 20), backoffMax)
	u.notBefore = time.Now().Add(time.Duration(rand.Int64N(int64(limit))))
}

func (s *Supervisor) startUnit(u *unit) {
	began := time.Now()
	i, err := start(context.Background(), u.binary, s.hostVersion, s.log)
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	u.mu.Lock()
	defer u.mu.Unlock()
	if err == nil && closed {
		go i.kill()
		err = errors.New("the host is shutting down")
	}
	u.startErr = err
	if err != nil {
		u.lastError = err.Error()
		u.failLocked()
		s.log.Error("plugin does not start", "provider", u.binary.Slug, "version", u.binary.Version, "error", err)
	} else {
		u.current = i
		u.starts++
		s.log.Info("plugin ready", "provider", u.binary.Slug, "version", u.binary.Version, "pid", i.cmd.Process.Pid, "took", time.Since(began).Round(time.Millisecond))
		time.AfterFunc(healthyAfter, func() {
			u.mu.Lock()
			defer u.mu.Unlock()
			if u.current == i && !i.isDead() {
				u.failures = 0
			}
		})
	}
	close(u.starting)
	u.starting = nil
}

// Close drains and stops every process. When ctx ends, calls in flight are
// cut; no process is left in either case.
func (s *Supervisor) Close(ctx context.Context) {
	s.mu.Lock()
	s.closed = true
	units := make([]*unit, 0, len(s.units))
	for _, u := range s.units {
		units = append(units, u)
	}
	s.mu.Unlock()
	var all sync.WaitGroup
	for _, u := range units {
		all.Go(func() {
			u.mu.Lock()
			starting := u.starting
			u.mu.Unlock()
			if starting != nil {
				<-starting // bounded by the start's own timeout
			}
			u.mu.Lock()
			current := u.current
			u.current = nil
			u.mu.Unlock()
			if current != nil {
				current.stop(ctx)
			}
		})
	}
	all.Wait()
}
