package supervisor

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
)

// patience is the longest wait for a plugin's next start that a request sits
// out rather than fail.
const patience = time.Second

// process is one running process of a plugin, as a unit sees it.
type process interface {
	call(ctx context.Context, r unified.Request) (*unified.Result, error)
	checkConnection(ctx context.Context, id string, account unified.Account) error
	checkHealth(ctx context.Context) error
	// died is closed when the process is of no more use; cause then tells why.
	died() <-chan struct{}
	cause() string
	// condemn makes it of no more use: the connection broke, or it is frozen.
	condemn(reason string)
	// shutdown asks it to end, kill makes sure of it and removes what it left.
	shutdown(ctx context.Context)
	kill()
	pid() int
}

// launcher starts processes; see start.
type launcher func(ctx context.Context, binary Binary) (process, error)

// unit is one version of one plugin and at most one process of it. It is the
// one owner of that version's state: everybody else asks it for a lease.
type unit struct {
	binary  Binary
	launch  launcher
	options Options
	log     hclog.Logger

	mu      sync.Mutex
	machine *machine      // guarded by mu
	current process       // guarded by mu: there in Ready, and in Draining until it is stopped
	readyAt time.Time     // guarded by mu: when current was ready
	settled chan struct{} // guarded by mu: closed when the start in progress ends; nil without one
	giveUp  func()        // guarded by mu: ends the start in progress
	leases  int           // guarded by mu: calls in flight on current
	idle    chan struct{} // guarded by mu: closed when leases is 0; nil when nobody waits for that
	starts  int           // guarded by mu

	background sync.WaitGroup // starts, watches and burials
}

func newUnit(binary Binary, launch launcher, options Options) *unit {
	return &unit{
		binary: binary, launch: launch, options: options, machine: newMachine(options.Restart, time.Now()),
		log: options.Log.With("provider", binary.Slug, "version", binary.Version),
	}
}

// status is the unit's state at this moment.
func (u *unit) status() Status {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := Status{
		Version: u.binary.Version, SHA256: u.binary.SHA256, State: u.machine.state, Since: u.machine.since,
		Starts: u.starts, Failures: len(u.machine.failures), LastError: u.machine.reason, Calls: u.leases,
	}
	if u.machine.failing() {
		s.NotBefore = u.machine.notBefore
	}
	if u.current != nil && u.machine.state == Ready {
		s.PID, s.StartedAt = u.current.pid(), u.readyAt
	}
	return s
}

// failing tells that no process is to be had, or not before a wait.
func (u *unit) failing() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.machine.failing()
}

// running tells that there is a process or that one is being started.
func (u *unit) running() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.machine.state == Ready || u.machine.state == Starting
}

func (u *unit) forgive() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.machine.forgive(time.Now())
}

// prove makes sure that there is a process which is healthy.
func (u *unit) prove(ctx context.Context) error {
	p, err := u.lease(ctx)
	if errs.Is(err, errs.Overloaded) {
		return nil // it could not be more alive
	}
	if err != nil {
		return err
	}
	defer u.release()
	ctx, cancel := context.WithTimeout(ctx, u.options.HealthTimeout)
	defer cancel()
	if err := p.checkHealth(ctx); err != nil { // it may have frozen since it was started
		return fmt.Errorf("%s %s: health: %s", u.binary.Slug, u.binary.Version, sentence(err.Error()))
	}
	return nil
}

// lease gives a living process, starting one if need be, with a call counted
// in. The caller must call release with it.
func (u *unit) lease(ctx context.Context) (process, error) {
	for {
		u.mu.Lock()
		now := time.Now()
		verdict := u.machine.want(now)
		switch verdict {
		case useIt:
			p := u.current
			select {
			case <-p.died():
				u.buryLocked(p)
				u.mu.Unlock()
				continue
			default:
			}
			if u.leases >= u.options.MaxCalls {
				u.mu.Unlock()
				return nil, &errs.Error{Reason: errs.Overloaded, Message: "the provider plugin " + u.binary.Slug + " has too many calls in flight", RetryAfter: time.Second}
			}
			u.leases++
			u.mu.Unlock()
			return p, nil
		case startIt:
			u.settled = make(chan struct{})
			starting, giveUp := context.WithCancel(context.Background()) // not the caller's: others wait for it too
			u.giveUp = giveUp
			u.background.Go(func() { u.start(starting) })
		case waitout:
			wait, reason, state := u.machine.notBefore.Sub(now), u.machine.reason, u.machine.state
			u.mu.Unlock()
			if state == Backoff && wait <= patience && pause(ctx, wait) {
				continue
			}
			return nil, &errs.Error{
				Reason: errs.PluginUnavailable, RetryAfter: wait,
				Message: fmt.Sprintf("the provider plugin %s %s is in %s: %s", u.binary.Slug, u.binary.Version, state, reason),
			}
		case refused:
			u.mu.Unlock()
			return nil, errDraining
		case waitFor:
		}
		settled := u.settled
		u.mu.Unlock()
		select {
		case <-settled:
		case <-ctx.Done():
			return nil, errs.New(errs.PluginUnavailable, "the provider plugin %s %s is still starting", u.binary.Slug, u.binary.Version)
		}
		u.mu.Lock()
		state, reason := u.machine.state, u.machine.reason
		u.mu.Unlock()
		if state == Backoff || state == Quarantined {
			return nil, errs.New(errs.PluginUnavailable, "the provider plugin %s %s does not start: %s", u.binary.Slug, u.binary.Version, reason)
		}
	}
}

// errDraining tells a caller that the unit is being replaced: ask again for
// the one in its place.
var errDraining = errs.New(errs.PluginUnavailable, "the provider plugin is being stopped")

func (u *unit) release() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.leases--
	if u.leases == 0 && u.idle != nil {
		close(u.idle)
		u.idle = nil
	}
}

// start launches a process and tells everybody who waits.
func (u *unit) start(ctx context.Context) {
	began := time.Now()
	p, err := u.launch(ctx, u.binary)
	u.mu.Lock()
	defer u.mu.Unlock()
	defer func() {
		close(u.settled)
		u.giveUp()
		u.settled, u.giveUp = nil, nil
	}()
	if err != nil && u.machine.state != Starting {
		return // nobody wants it any more
	}
	if err != nil {
		reason := sentence(err.Error())
		u.machine.failed(time.Now(), reason)
		u.log.Error("plugin does not start", "state", u.machine.state, "error", reason)
		return
	}
	if !u.machine.started(time.Now()) {
		u.background.Go(p.kill)
		return
	}
	u.current, u.readyAt = p, time.Now()
	u.starts++
	u.log.Info("plugin ready", "pid", p.pid(), "took", time.Since(began).Round(time.Millisecond))
	u.background.Go(func() { u.watch(p) })
}

// watch asks the process for its health until it has died. A process that
// does not answer, as a frozen one, is condemned after some misses.
func (u *unit) watch(p process) {
	tick := time.NewTicker(u.options.HealthInterval)
	defer tick.Stop()
	misses := 0
	for {
		select {
		case <-p.died():
			u.mu.Lock()
			u.buryLocked(p)
			u.mu.Unlock()
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), u.options.HealthTimeout)
		err := p.checkHealth(ctx)
		cancel()
		if err == nil {
			misses = 0
			continue
		}
		misses++
		u.log.Warn("plugin missed a health check", "misses", misses, "error", err)
		if misses >= u.options.HealthMisses {
			tick.Stop()
			p.condemn(fmt.Sprintf("it missed %d health checks", misses))
		}
	}
}

// buryLocked takes a dead process away; u.mu is held.
func (u *unit) buryLocked(p process) {
	if u.current != p {
		return // somebody has done it
	}
	u.current = nil
	if u.machine.state == Ready {
		u.machine.failed(time.Now(), p.cause())
		u.log.Warn("plugin process ended", "state", u.machine.state, "cause", p.cause())
	}
	u.background.Go(p.kill)
}

// stop drains the unit: no new leases, a start in progress is given up, calls
// in flight end by themselves until ctx ends, then the process is stopped. No
// process is left when it returns. Stopping twice is harmless.
func (u *unit) stop(ctx context.Context) {
	u.mu.Lock()
	u.machine.drain(time.Now())
	settled := u.settled
	if settled != nil {
		u.giveUp()
	}
	u.mu.Unlock()
	if settled != nil {
		<-settled
	}
	u.mu.Lock()
	p := u.current
	if u.leases > 0 && u.idle == nil {
		u.idle = make(chan struct{})
	}
	idle := u.idle
	u.mu.Unlock()
	if p != nil {
		if idle != nil {
			select {
			case <-idle:
			case <-p.died():
			case <-ctx.Done():
			}
		}
		u.mu.Lock()
		cut := u.leases
		u.current = nil
		u.mu.Unlock()
		select {
		case <-p.died():
		default:
			if cut > 0 {
				u.log.Warn("calls were cut because draining took too long", "calls", cut)
			}
			p.shutdown(context.Background())
		}
		p.kill()
	}
	u.background.Wait()
	u.mu.Lock()
	u.machine.end(time.Now())
	u.mu.Unlock()
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
