// Package supervisor runs the provider plugins: it starts them when they are
// first needed, sends calls to them, notices when they die or freeze, starts
// them again within a budget, puts a new version in an old one's place without
// losing a call, and stops them all within bounds.
//
// Callers never hold a process. They ask the supervisor for a call, which
// takes a lease on a living process and gives it back; a process that is being
// stopped is drained of its leases first. What shall run of a plugin is a
// Plan; Apply makes it so.
package supervisor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
)

// Options say how plugins are run. Zero values mean the defaults.
type Options struct {
	HostVersion string
	Log         hclog.Logger
	Restart     RestartPolicy
	// HealthInterval is the time between health checks of a process, 4 s by
	// default; HealthTimeout what one may take, 2 s; HealthMisses how many in
	// a row condemn the process, 2.
	HealthInterval, HealthTimeout time.Duration
	HealthMisses                  int
	// StartTimeout is how long a process may take until it is healthy, 10 s by
	// default.
	StartTimeout time.Duration
	// DrainTimeout is how long calls in flight may take to end on a process
	// that is being replaced, 30 s by default.
	DrainTimeout time.Duration
	// KillGrace is how long a process may take to end by itself once it was
	// told to, 2 s by default; then its whole process group is killed.
	KillGrace time.Duration
	// MaxCalls is how many calls a process has in flight at once, 256 by
	// default; more are refused as overloaded.
	MaxCalls int
	// Environment gives further variables for a plugin's processes, as
	// "NAME=value": GOMEMLIMIT, GOMAXPROCS. They win over the host's own. It
	// may be nil.
	Environment func(slug string) []string
	// LogLinesPerSecond is how many of a plugin's log lines the host's log
	// takes, 100 by default, after LogLinesBurst at once, 500.
	LogLinesPerSecond, LogLinesBurst int
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Restart == (RestartPolicy{}) {
		o.Restart = DefaultRestartPolicy
	}
	orElse(&o.HealthInterval, 4*time.Second)
	orElse(&o.HealthTimeout, 2*time.Second)
	orElse(&o.HealthMisses, 2)
	orElse(&o.StartTimeout, 10*time.Second)
	orElse(&o.DrainTimeout, 30*time.Second)
	orElse(&o.KillGrace, 2*time.Second)
	orElse(&o.MaxCalls, 256)
	orElse(&o.LogLinesPerSecond, 100)
	orElse(&o.LogLinesBurst, 500)
	return o
}

func orElse[T comparable](value *T, standard T) {
	var zero T
	if *value == zero {
		*value = standard
	}
}

// Status is the state of one version of a plugin at one moment.
type Status struct {
	Version   string
	SHA256    string // that the lock pins; empty without a lock
	Role      string // "active"; "canary", which serves a share of the accounts; "other", which serves those that are pinned to it
	State     State
	Since     time.Time // when State began
	PID       int       // zero when no process is ready
	StartedAt time.Time // when the process was ready; zero when none is
	Calls     int       // in flight
	Starts    int       // that ended well, since the host began or the version was reloaded
	Failures  int       // that count against the restart budget
	LastError string    // why the last start failed or the process died; empty when it never did
	NotBefore time.Time // in backoff and quarantine: no start before this
}

// Supervisor runs the plugins of a host. Its methods are safe for concurrent use.
type Supervisor struct {
	options Options
	launch  launcher
	limits  *logLimits // nil where launch logs nothing

	mu     sync.Mutex
	lines  map[string]*line // guarded by mu: by slug; one that was removed stays, empty
	closed bool             // guarded by mu

	once    sync.Once      // of Close
	closing chan struct{}  // closed by Close: no start is waited for any more
	hurry   chan struct{}  // closed when Close may not wait longer
	drains  sync.WaitGroup // units on their way out
}

// New makes a supervisor for the plans, one of each plugin; nothing is started
// yet.
func New(plans []Plan, options Options) *Supervisor {
	options = options.withDefaults()
	limits := newLogLimits(options)
	s := newSupervisor(plans, options, func(ctx context.Context, b Binary) (process, error) {
		return start(ctx, b, options, limits.of(b.Slug))
	})
	s.limits = limits
	return s
}

func newSupervisor(plans []Plan, options Options, launch launcher) *Supervisor {
	s := &Supervisor{options: options, launch: launch, lines: map[string]*line{}, closing: make(chan struct{}), hurry: make(chan struct{})}
	for _, plan := range plans {
		l := &line{slug: plan.Active.Slug, active: s.newUnit(plan.Active), others: map[string]*unit{}, canaryVersion: plan.CanaryVersion, canaryPercent: plan.CanaryPercent}
		for _, b := range plan.Others {
			l.others[b.Version] = s.newUnit(b)
		}
		s.lines[l.slug] = l
	}
	return s
}

func (s *Supervisor) newUnit(b Binary) *unit { return newUnit(b, s.launch, s.options) }

var errClosed = errs.New(errs.PluginUnavailable, "the host is shutting down")

// line finds a plugin's line. It may be empty: see line.choose.
func (s *Supervisor) line(slug string) (*line, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	l, ok := s.lines[slug]
	if !ok {
		return nil, notInstalled(slug)
	}
	return l, nil
}

func notInstalled(slug string) error {
	return errs.New(errs.PluginUnavailable, "the provider plugin %s is not installed", slug)
}

// Serving tells which version of a plugin a call of the account goes to now.
func (s *Supervisor) Serving(slug string, account unified.Account) (version string, err error) {
	l, err := s.line(slug)
	if err != nil {
		return "", err
	}
	u, err := l.choose(account)
	if err != nil {
		return "", err
	}
	return u.binary.Version, nil
}

// Status tells the state of a plugin's active version; false when there is no
// such plugin.
func (s *Supervisor) Status(slug string) (Status, bool) {
	all, ok := s.Versions(slug)
	if !ok {
		return Status{}, false
	}
	return all[0], true
}

// Versions tells the states of all versions of a plugin, the active one first;
// false when there is no such plugin.
func (s *Supervisor) Versions(slug string) ([]Status, bool) {
	s.mu.Lock()
	l, ok := s.lines[slug]
	s.mu.Unlock()
	if !ok {
		return nil, false
	}
	units, canary := l.units()
	if len(units) == 0 {
		return nil, false
	}
	others := units[1:]
	sort.Slice(others, func(i, j int) bool { return others[i].binary.Version < others[j].binary.Version })
	all := make([]Status, len(units))
	for i, u := range units {
		all[i] = u.status()
		switch {
		case i == 0:
			all[i].Role = "active"
		case u == canary:
			all[i].Role = "canary"
		default:
			all[i].Role = "other"
		}
	}
	return all, true
}

// Start starts the active versions of the named plugins, or of all when none
// is named, and waits until they are ready. The error joins what went wrong
// with each; those are tried again when they are needed.
func (s *Supervisor) Start(ctx context.Context, slugs ...string) error {
	if len(slugs) == 0 {
		s.mu.Lock()
		slugs = slices.Sorted(maps.Keys(s.lines))
		s.mu.Unlock()
	}
	failures := make([]error, len(slugs))
	var all sync.WaitGroup
	for i, slug := range slugs {
		all.Go(func() { failures[i] = s.startActive(ctx, slug) })
	}
	all.Wait()
	return errors.Join(failures...)
}

func (s *Supervisor) startActive(ctx context.Context, slug string) error {
	for {
		l, err := s.line(slug)
		if err != nil {
			return err
		}
		units, _ := l.units()
		if len(units) == 0 {
			return notInstalled(slug)
		}
		if err := units[0].prove(ctx); !errors.Is(err, errDraining) || ctx.Err() != nil {
			return err
		}
	}
}

// Call makes one call. A read whose process dies is made once more on the next
// process; a write is not, since the vendor may have acted on it.
func (s *Supervisor) Call(ctx context.Context, slug string, request unified.Request) (*unified.Result, error) {
	var result *unified.Result
	err := s.withProcess(ctx, slug, request.Account, request.Writes(), func(p process) (err error) {
		result, err = p.call(ctx, request)
		return err
	})
	if err == nil {
		for _, o := range result.Outcomes {
			hold(o.Err, slug)
		}
	}
	return result, err
}

// CheckConnection asks the vendor whether an account's credentials work.
func (s *Supervisor) CheckConnection(ctx context.Context, slug, requestID string, account unified.Account) error {
	return s.withProcess(ctx, slug, account, false, func(p process) error {
		return p.checkConnection(ctx, requestID, account)
	})
}

func (s *Supervisor) withProcess(ctx context.Context, slug string, account unified.Account, writes bool, call func(process) error) error {
	retried := false
	for {
		l, err := s.line(slug)
		if err != nil {
			return err
		}
		u, err := l.choose(account)
		if err != nil {
			return err
		}
		p, err := u.lease(ctx)
		if errors.Is(err, errDraining) && ctx.Err() == nil {
			continue // its successor is in place already, or the host is closing
		}
		if err != nil {
			return err
		}
		err = call(p)
		died := diedOn(ctx, err)
		if died {
			p.condemn("its connection broke") // whatever the watcher has seen yet
		}
		u.release()
		if !died || writes || retried {
			return explain(ctx, err, writes, slug)
		}
		retried = true
	}
}

// diedOn tells whether a call ended because its process did: the connection
// broke, or it was being closed for a process that was dead already.
func diedOn(ctx context.Context, err error) bool {
	if err == nil || errs.FromStatus(err) != nil {
		return false
	}
	code := status.Code(err)
	return code == codes.Unavailable || (code == codes.Canceled && ctx.Err() == nil)
}

// hostsOwn are the reasons that a plugin may not give: "unauthenticated" from a
// plugin would tell a caller that the bearer token is bad.
var hostsOwn = map[errs.Reason]bool{
	errs.Unauthenticated: true, errs.Forbidden: true, errs.AccountNotFound: true, errs.IdempotencyMismatch: true,
	errs.RateLimited: true, errs.Overloaded: true, errs.PluginUnavailable: true, errs.Internal: true, errs.RouteNotFound: true,
	errs.MethodNotAllowed: true, errs.BodyTooLarge: true, errs.UnsupportedMediaType: true,
}

// hold makes an error that a plugin gave one that it may give; nil stays nil.
func hold(e *errs.Error, slug string) {
	if e != nil && hostsOwn[e.Reason] {
		e.Message = fmt.Sprintf("the provider plugin %s gave the reason %s, which only a host may give: %s", slug, errs.Name(e.Reason), e.Message)
		e.Reason = errs.PluginBug
	}
}

// explain turns what a call ended with into one of our errors.
func explain(ctx context.Context, err error, writes bool, slug string) error {
	if err == nil {
		return nil
	}
	if e := errs.FromStatus(err); e != nil {
		hold(e, slug)
		return e
	}
	if own := (*errs.Error)(nil); errors.As(err, &own) {
		return err // it never left the host
	}
	code := status.Code(err)
	switch {
	case code == codes.Unimplemented:
		return errs.New(errs.Unsupported, "the provider %s does not do this", slug)
	case code == codes.Canceled && errors.Is(ctx.Err(), context.Canceled):
		return ctx.Err()
	case diedOn(ctx, err):
		if writes {
			return errs.New(errs.OutcomeUnknown, "the provider plugin %s ended before its answer, so whether the call took effect is not known", slug)
		}
		return errs.New(errs.PluginUnavailable, "the provider plugin %s ended before its answer", slug)
	case code == codes.DeadlineExceeded:
		if writes {
			return errs.New(errs.OutcomeUnknown, "the provider %s did not answer in time, so whether the call took effect is not known", slug)
		}
		// A plugin that is well tells of a slow vendor before the time is up.
		return errs.New(errs.PluginUnavailable, "the provider plugin %s did not answer in time", slug)
	case code == codes.ResourceExhausted:
		if writes {
			return errs.New(errs.OutcomeUnknown, "the answer of the provider plugin %s is too large, so whether the call took effect is not known", slug)
		}
		return errs.New(errs.PluginBug, "the answer of the provider plugin %s is too large; ask for fewer records at once", slug)
	}
	return errs.New(errs.PluginBug, "the provider plugin %s failed: %s", slug, sentence(status.Convert(err).Message()))
}

// Forgive takes a plugin's versions out of backoff and quarantine.
func (s *Supervisor) Forgive(slug string) {
	l, err := s.line(slug)
	if err != nil {
		return
	}
	units, _ := l.units()
	for _, u := range units {
		u.forgive()
	}
}

// Remove ends a plugin with all its versions. Calls in flight end on them.
func (s *Supervisor) Remove(slug string) {
	l, err := s.line(slug)
	if err != nil {
		return
	}
	l.change.Lock()
	defer l.change.Unlock()
	if _, err := s.line(slug); err != nil { // closed meanwhile
		return
	}
	units, _ := l.units()
	l.set(nil, nil, "", 0)
	for _, u := range units {
		s.retire(u)
	}
}

// retire drains a unit behind the caller's back. Nobody may find it any more.
func (s *Supervisor) retire(u *unit) {
	s.drains.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), s.options.DrainTimeout)
		defer cancel()
		ctx, stop := until(ctx, s.hurry)
		defer stop()
		u.stop(ctx)
	})
}

// until gives a context that ends with ctx or when the channel is closed.
func until(ctx context.Context, end <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-end:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// Close drains and stops every process; those that are starting are stopped
// at once. When ctx ends, calls in flight are cut; no process is left in
// either case. Closing twice is harmless.
func (s *Supervisor) Close(ctx context.Context) { s.once.Do(func() { s.close(ctx) }) }

func (s *Supervisor) close(ctx context.Context) {
	s.mu.Lock()
	s.closed = true
	lines := slices.Collect(maps.Values(s.lines))
	s.mu.Unlock()
	close(s.closing)
	stop := context.AfterFunc(ctx, func() { close(s.hurry) })
	defer stop()
	for _, l := range lines {
		l.change.Lock() // what is being changed ends first; nothing is begun after that
		units, _ := l.units()
		for _, u := range units {
			s.drains.Go(func() { u.stop(ctx) })
		}
		l.change.Unlock()
	}
	s.drains.Wait()
	if s.limits != nil {
		s.limits.report()
	}
}
