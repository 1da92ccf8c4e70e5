// Package supervisor runs the provider plugins: it starts them when they are
// first needed, sends calls to them, notices when they die or freeze, starts
// them again within a budget, puts a new version in an old one's place without
// losing a call, and stops them all within bounds.
//
// Callers never hold a process. They ask the supervisor for a call, which
// takes a lease on a living process and gives it back; a process that is being
// stopped is drained of its leases first.
package supervisor

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sort"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
)

// Binary is a plugin's binary as the catalog knows it.
type Binary struct {
	Slug, Version, Path string
	// SHA256 is what the lock pins; empty when there is no lock.
	SHA256 string
}

// Options say how plugins are run. Zero values mean the defaults.
type Options struct {
	HostVersion string
	Log         hclog.Logger
	Restart     RestartPolicy
	// HealthInterval is the time between health checks of a process,
	// HealthTimeout what one may take, and HealthMisses how many in a row
	// condemn the process.
	HealthInterval, HealthTimeout time.Duration
	HealthMisses                  int
	// DrainTimeout is how long calls in flight may take to end on a process
	// that is being replaced.
	DrainTimeout time.Duration
	// MaxCalls is how many calls a process has in flight at once; more are
	// refused as overloaded.
	MaxCalls int
	// Environment is added to that of every plugin, such as GOMEMLIMIT.
	Environment []string
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = hclog.NewNullLogger()
	}
	if o.Restart == (RestartPolicy{}) {
		o.Restart = DefaultRestartPolicy
	}
	if o.HealthInterval == 0 {
		o.HealthInterval = 4 * time.Second
	}
	if o.HealthTimeout == 0 {
		o.HealthTimeout = 2 * time.Second
	}
	if o.HealthMisses == 0 {
		o.HealthMisses = 2
	}
	if o.MaxCalls == 0 {
		o.MaxCalls = 256
	}
	if o.DrainTimeout == 0 {
		o.DrainTimeout = 30 * time.Second
	}
	return o
}

// Status is the state of one version of a plugin at one moment.
type Status struct {
	Version   string
	State     State
	PID       int       // zero when no process is ready
	Calls     int       // in flight
	Starts    int       // that ended well, since the host began
	Failures  int       // that count against the restart budget
	LastError string    // why the last start failed or the process died; empty when it never did
	NotBefore time.Time // in backoff and quarantine: no start before this
}

// Supervisor runs the plugins of a host. Its methods are safe for concurrent use.
type Supervisor struct {
	options Options
	launch  launcher

	mu     sync.Mutex
	lines  map[string]*line // guarded by mu: by slug
	closed bool             // guarded by mu

	drains sync.WaitGroup // units on their way out
}

// line is one plugin with its versions.
type line struct {
	slug string
	swap sync.Mutex // one swap at a time

	mu            sync.Mutex
	active        *unit            // guarded by mu
	others        map[string]*unit // guarded by mu: further versions, for pinned accounts and canaries
	canaryVersion string           // guarded by mu: empty without a canary
	canaryPercent int              // guarded by mu
}

// New makes a supervisor for the binaries, one version of each plugin; nothing
// is started yet.
func New(binaries []Binary, options Options) *Supervisor {
	options = options.withDefaults()
	return newSupervisor(binaries, options, func(ctx context.Context, b Binary) (process, error) { return start(ctx, b, options) })
}

func newSupervisor(binaries []Binary, options Options, launch launcher) *Supervisor {
	s := &Supervisor{options: options, launch: launch, lines: map[string]*line{}}
	for _, b := range binaries {
		s.lines[b.Slug] = &line{slug: b.Slug, active: newUnit(b, launch, options), others: map[string]*unit{}}
	}
	return s
}

func (s *Supervisor) line(slug string) (*line, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errs.New(errs.PluginUnavailable, "the host is shutting down")
	}
	l, ok := s.lines[slug]
	if !ok {
		return nil, errs.New(errs.PluginUnavailable, "the provider plugin %s is not installed", slug)
	}
	return l, nil
}

// choose finds the version that serves an account: the one that it is pinned
// to, the canary for a share of the accounts that stays the same, else the
// active one.
func (l *line) choose(account unified.Account) (*unit, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if pinned := account.PluginVersion; pinned != "" && pinned != l.active.binary.Version {
		u, ok := l.others[pinned]
		if !ok {
			return nil, errs.New(errs.PluginUnavailable, "the account is pinned to version %s of the provider plugin %s, which is not installed", pinned, l.slug)
		}
		return u, nil
	}
	if u, ok := l.others[l.canaryVersion]; ok && account.PluginVersion == "" && inShare(account.ID, l.canaryPercent) {
		return u, nil
	}
	return l.active, nil
}

// inShare tells whether an account is among the given percentage. It depends
// on the account's id alone, and a higher percentage keeps everybody of a
// lower one.
func inShare(accountID string, percent int) bool {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(accountID))
	return int(sum.Sum32()%100) < percent
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

// Versions tells the states of all versions of a plugin, the active one first.
func (s *Supervisor) Versions(slug string) ([]Status, bool) {
	s.mu.Lock()
	l, ok := s.lines[slug]
	s.mu.Unlock()
	if !ok {
		return nil, false
	}
	l.mu.Lock()
	active := l.active
	others := make([]*unit, 0, len(l.others))
	for _, u := range l.others {
		others = append(others, u)
	}
	l.mu.Unlock()
	sort.Slice(others, func(i, j int) bool { return others[i].binary.Version < others[j].binary.Version })
	all := []Status{active.status()}
	for _, u := range others {
		all = append(all, u.status())
	}
	return all, true
}

// Call makes one call. A read whose process dies is made once more on the next
// process; a write is not, since the vendor may have acted on it.
func (s *Supervisor) Call(ctx context.Context, slug string, request unified.Request) (*unified.Result, error) {
	var result *unified.Result
	err := s.withProcess(ctx, slug, request.Account, request.Method.Writes(), func(p process) (err error) {
		result, err = p.call(ctx, request)
		return err
	})
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

// explain turns what a call ended with into one of our errors.
func explain(ctx context.Context, err error, writes bool, slug string) error {
	if err == nil {
		return nil
	}
	if e := errs.FromStatus(err); e != nil {
		if hostsOwn[e.Reason] {
			e.Message = fmt.Sprintf("the provider plugin %s gave the reason %s, which only a host may give: %s", slug, errs.Name(e.Reason), e.Message)
			e.Reason = errs.PluginBug
		}
		return e
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
	return errs.New(errs.PluginBug, "the provider plugin %s failed: %s", slug, status.Convert(err).Message())
}

// Swap puts a new binary in the place of a plugin's active version: start it,
// make sure that it is what it says and healthy, send new calls to it, drain
// the old one. On an error nothing has changed and the old one serves on.
// keepOld keeps the old version for accounts that are pinned to it. A plugin
// that is not there yet is added.
func (s *Supervisor) Swap(ctx context.Context, binary Binary, keepOld bool) error {
	l := s.lineFor(binary)
	if l == nil {
		return errs.New(errs.PluginUnavailable, "the host is shutting down")
	}
	l.swap.Lock()
	defer l.swap.Unlock()
	next, err := s.prove(ctx, binary)
	if err != nil {
		return err
	}
	l.mu.Lock()
	old := l.active
	replaced := l.others[binary.Version]
	delete(l.others, binary.Version)
	l.active = next
	if keepOld && old.binary.Version != binary.Version {
		l.others[old.binary.Version] = old
		old = nil
	}
	if l.canaryVersion == binary.Version {
		l.canaryVersion, l.canaryPercent = "", 0
	}
	l.mu.Unlock()
	s.retire(old)
	s.retire(replaced)
	return nil
}

// lineFor finds a plugin's line or begins one with the binary; nil when the
// host is closing.
func (s *Supervisor) lineFor(binary Binary) *line {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	l, ok := s.lines[binary.Slug]
	if !ok {
		l = &line{slug: binary.Slug, active: newUnit(binary, s.launch, s.options), others: map[string]*unit{}}
		s.lines[binary.Slug] = l
	}
	return l
}

// prove starts a version and leaves nothing of it when that fails.
func (s *Supervisor) prove(ctx context.Context, binary Binary) (*unit, error) {
	u := newUnit(binary, s.launch, s.options)
	if _, err := u.lease(ctx); err != nil {
		u.stop(ctx)
		var e *errs.Error
		if reason := u.status().LastError; reason != "" {
			return nil, fmt.Errorf("%s %s does not start: %s", binary.Slug, binary.Version, reason)
		} else if errors.As(err, &e) {
			return nil, errors.New(e.Message)
		}
		return nil, err
	}
	u.release()
	return u, nil
}

// Beside runs a further version of a plugin, for accounts that are pinned to
// it or, with a percentage, for that share of the others. It is started and
// proven first.
func (s *Supervisor) Beside(ctx context.Context, binary Binary, canaryPercent int) error {
	l, err := s.line(binary.Slug)
	if err != nil {
		return err
	}
	l.swap.Lock()
	defer l.swap.Unlock()
	l.mu.Lock()
	_, there := l.others[binary.Version]
	isActive := l.active.binary.Version == binary.Version
	l.mu.Unlock()
	if isActive {
		return fmt.Errorf("%s %s is the active version", binary.Slug, binary.Version)
	}
	if !there {
		u, err := s.prove(ctx, binary)
		if err != nil {
			return err
		}
		l.mu.Lock()
		l.others[binary.Version] = u
		l.mu.Unlock()
	}
	if canaryPercent > 0 {
		l.mu.Lock()
		l.canaryVersion, l.canaryPercent = binary.Version, canaryPercent
		l.mu.Unlock()
	}
	return nil
}

// Drop ends a further version of a plugin. Accounts that are pinned to it get
// errors; those of its canary share go back to the active version.
func (s *Supervisor) Drop(slug, version string) {
	l, err := s.line(slug)
	if err != nil {
		return
	}
	l.mu.Lock()
	u := l.others[version]
	delete(l.others, version)
	if l.canaryVersion == version {
		l.canaryVersion, l.canaryPercent = "", 0
	}
	l.mu.Unlock()
	s.retire(u)
}

// Remove ends a plugin with all its versions.
func (s *Supervisor) Remove(slug string) {
	s.mu.Lock()
	l := s.lines[slug]
	delete(s.lines, slug)
	s.mu.Unlock()
	if l == nil {
		return
	}
	for _, u := range l.units() {
		s.retire(u)
	}
}

// Forgive takes a plugin out of backoff and quarantine.
func (s *Supervisor) Forgive(slug string) {
	l, err := s.line(slug)
	if err != nil {
		return
	}
	for _, u := range l.units() {
		u.mu.Lock()
		u.machine.forgive()
		u.mu.Unlock()
	}
}

func (l *line) units() []*unit {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := []*unit{l.active}
	for _, u := range l.others {
		all = append(all, u)
	}
	return all
}

// retire drains a unit behind the caller's back.
func (s *Supervisor) retire(u *unit) {
	if u == nil {
		return
	}
	s.drains.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), s.options.DrainTimeout)
		defer cancel()
		u.stop(ctx)
	})
}

// Close drains and stops every process. When ctx ends, calls in flight are
// cut; no process is left in either case.
func (s *Supervisor) Close(ctx context.Context) {
	s.mu.Lock()
	s.closed = true
	lines := s.lines
	s.lines = map[string]*line{}
	s.mu.Unlock()
	var all sync.WaitGroup
	for _, l := range lines {
		l.swap.Lock() // a swap that is under way ends first
		for _, u := range l.units() {
			all.Go(func() { u.stop(ctx) })
		}
		l.swap.Unlock()
	}
	all.Wait()
	s.drains.Wait()
}
