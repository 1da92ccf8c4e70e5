package supervisor

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"sync"

	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
)

// Binary is a plugin's binary as the catalog knows it.
type Binary struct {
	Slug, Version, Path string
	// SHA256 is what the lock pins, in a form that executable.Open takes;
	// empty without a lock.
	SHA256 string
	// Manifest is what the binary said of itself when it was installed; a
	// process that says anything else is not used. Nil is not compared.
	Manifest *unified.Manifest
}

// is tells whether two binaries are the same, as far as is known.
func (b Binary) is(c Binary) bool {
	return b.Slug == c.Slug && b.Version == c.Version && b.Path == c.Path && b.SHA256 == c.SHA256 &&
		(b.Manifest == nil || c.Manifest == nil || manifestDifference(b.Manifest, c.Manifest) == "")
}

// Plan is what shall run of one plugin.
type Plan struct {
	Active Binary
	// Others are further installed versions, for accounts that are pinned to
	// them and for the canary. They are started when they are first needed.
	Others []Binary
	// CanaryVersion is the one of Others that serves CanaryPercent of the
	// accounts. Zero percent: no canary.
	CanaryVersion string
	CanaryPercent int
}

// canary finds the canary's binary; false when there is none.
func (p Plan) canary() (Binary, bool) {
	i := slices.IndexFunc(p.Others, func(b Binary) bool { return b.Version == p.CanaryVersion })
	if p.CanaryPercent == 0 || i < 0 {
		return Binary{}, false
	}
	return p.Others[i], true
}

func (p Plan) check() error {
	slug := p.Active.Slug
	seen := map[string]bool{}
	for _, b := range append([]Binary{p.Active}, p.Others...) {
		switch {
		case b.Slug == "" || b.Version == "":
			return fmt.Errorf("the plan of the provider plugin %q has a binary without a slug or a version", slug)
		case b.Slug != slug:
			return fmt.Errorf("the plan of the provider plugin %s has a binary of %s", slug, b.Slug)
		case seen[b.Version]:
			return fmt.Errorf("the plan of the provider plugin %s has the version %s twice", slug, b.Version)
		}
		seen[b.Version] = true
	}
	if p.CanaryPercent < 0 || p.CanaryPercent > 100 {
		return fmt.Errorf("the canary of the provider plugin %s is to serve %d percent of the accounts, which is not between 0 and 100", slug, p.CanaryPercent)
	}
	if _, ok := p.canary(); p.CanaryPercent > 0 && !ok {
		return fmt.Errorf("the canary of the provider plugin %s, version %q, is not one of its further versions", slug, p.CanaryVersion)
	}
	return nil
}

// line is one plugin with its versions, empty when the plugin is not there.
type line struct {
	slug   string
	change sync.Mutex // one change of the fields below at a time; held while a version is proven

	mu            sync.Mutex
	active        *unit            // guarded by mu: nil when the line is empty
	others        map[string]*unit // guarded by mu: by version
	canaryVersion string           // guarded by mu: without effect when it is not one of others
	canaryPercent int              // guarded by mu
}

// units are those of the line, the active one first, and the canary's, nil
// without one.
func (l *line) units() (all []*unit, canary *unit) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.active == nil {
		return nil, nil
	}
	if l.canaryPercent > 0 {
		canary = l.others[l.canaryVersion]
	}
	return append([]*unit{l.active}, slices.Collect(maps.Values(l.others))...), canary
}

func (l *line) set(active *unit, others map[string]*unit, canaryVersion string, canaryPercent int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.active, l.others, l.canaryVersion, l.canaryPercent = active, others, canaryVersion, canaryPercent
}

// choose finds the version that serves an account: the one that it is pinned
// to, the canary for a share of the accounts that stays the same, else the
// active one.
func (l *line) choose(account unified.Account) (*unit, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.active == nil {
		return nil, notInstalled(l.slug)
	}
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

// Apply makes a plugin's versions be what the plan says; a plugin that is not
// there yet is added.
//
// What would take traffic and is not running well already is started and
// proven first: the active version when it is another one, when it is failing,
// or when restart asks for a fresh process, and a canary that is new. Proven
// means that it is what its manifest says and healthy. Then new calls go to
// it, and the old process is drained behind the caller's back. On an error
// nothing has changed and what served before serves on.
//
// Further versions are only registered; those that have not changed keep their
// process, but a restart gives failing ones a new budget. The versions that
// were active or the canary before keep no process unless they are again.
func (s *Supervisor) Apply(ctx context.Context, plan Plan, restart bool) error {
	if err := plan.check(); err != nil {
		return err
	}
	l, err := s.lineFor(plan.Active.Slug)
	if err != nil {
		return err
	}
	l.change.Lock()
	defer l.change.Unlock()
	if _, err := s.line(l.slug); err != nil { // closed meanwhile
		return err
	}
	ctx, cancel := until(ctx, s.closing)
	defer cancel()

	before, oldCanary := l.units()
	// Nobody else changes the line now, so what is found in it stays.
	find := func(b Binary) *unit {
		i := slices.IndexFunc(before, func(u *unit) bool { return u.binary.is(b) })
		if i < 0 {
			return nil
		}
		return before[i]
	}
	active := find(plan.Active)
	if restart || active == nil || active != before[0] || active.failing() {
		if active, err = s.prove(ctx, plan.Active, active, restart); err != nil {
			return err
		}
	}
	var canary *unit
	if b, ok := plan.canary(); ok {
		if canary = find(b); canary == nil || canary != oldCanary {
			if canary, err = s.prove(ctx, b, canary, false); err != nil {
				if !slices.Contains(before, active) {
					active.stop(ctx)
				}
				return err
			}
		}
	}
	others := map[string]*unit{}
	for _, b := range plan.Others {
		u := find(b)
		switch {
		case canary != nil && b.Version == plan.CanaryVersion:
			u = canary
		case u == nil || u == before[0] || u == oldCanary || (restart && u.failing()):
			u = s.newUnit(b)
		}
		others[b.Version] = u
	}
	l.set(active, others, plan.CanaryVersion, plan.CanaryPercent)
	after, _ := l.units()
	for _, u := range before {
		if !slices.Contains(after, u) {
			s.retire(u)
		}
	}
	return nil
}

// lineFor finds a plugin's line or makes an empty one.
func (s *Supervisor) lineFor(slug string) (*line, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	l, ok := s.lines[slug]
	if !ok {
		l = &line{slug: slug}
		s.lines[slug] = l
	}
	return l, nil
}

// prove gives a unit of the binary whose process is well: the one that is
// there if it is running, unless a fresh one is asked for, else a new one. On
// an error nothing of a new one is left.
func (s *Supervisor) prove(ctx context.Context, b Binary, there *unit, fresh bool) (*unit, error) {
	if there != nil && !fresh && there.running() {
		return there, there.prove(ctx)
	}
	u := s.newUnit(b)
	err := u.prove(ctx)
	if err == nil {
		return u, nil
	}
	u.stop(ctx)
	if errors.Is(err, errDraining) || ctx.Err() != nil {
		err = fmt.Errorf("the start of %s %s was given up: %w", b.Slug, b.Version, context.Cause(ctx))
	}
	return nil, err
}
