// Package catalog knows which provider plugins a host has: which versions are
// installed and which of them serves, where their binaries are, what each says
// of itself, and what a credential for it must look like.
//
// A plugin directory is laid out <slug>/<version>/unicrm-provider-<slug>, and
// its lock says what is in it. What a binary says of itself was read when it
// was installed, so no process is started to open a directory. A directory
// without a lock is taken too, also flat as a build leaves it, with the
// binaries side by side; each is then asked when the directory is opened.
package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/unicrm/unicrm/host/internal/executable"
	"github.com/unicrm/unicrm/host/internal/supervisor"
	"github.com/unicrm/unicrm/sdk/wire"
)

// Line is one provider with its installed versions.
type Line struct {
	Active *Plugin
	// Others are the further versions, the highest first.
	Others []*Plugin
	// Previous is the version that served before; empty when there is none.
	Previous string
	// Canary is the version that serves a share of the accounts, and the share;
	// empty without one.
	Canary        string
	CanaryPercent int
}

// All are the versions, the active one first.
func (l *Line) All() []*Plugin { return append([]*Plugin{l.Active}, l.Others...) }

// plan is what the supervisor is to run of a line.
func (l *Line) plan() supervisor.Plan {
	plan := supervisor.Plan{Active: l.Active.Binary, CanaryVersion: l.Canary, CanaryPercent: l.CanaryPercent}
	for _, p := range l.Others {
		plan.Others = append(plan.Others, p.Binary)
	}
	return plan
}

// snapshot is what was in the directory at one moment. It is never changed.
type snapshot struct {
	lines    map[string]*Line // by slug
	problems []problem
}

// problem tells of something that was left out and why. slug is there when the
// provider was meant to be there: it is then not taken for removed.
type problem struct{ slug, text string }

// Catalog is what a host has. It is safe for concurrent use.
type Catalog struct {
	dir string

	current atomic.Pointer[snapshot]
	reload  sync.Mutex // one at a time
}

// Open reads a plugin directory. What cannot be used is left out and told
// among the problems; a directory that cannot be read, that others can write
// to, or whose lock is broken is an error.
func Open(ctx context.Context, dir string) (*Catalog, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	c := &Catalog{dir: absolute}
	now, err := read(ctx, absolute)
	if err != nil {
		return nil, err
	}
	c.current.Store(now)
	return c, nil
}

func read(ctx context.Context, dir string) (*snapshot, error) {
	if _, err := os.ReadDir(dir); err != nil {
		return nil, fmt.Errorf("read the plugin directory: %w", err)
	}
	var problems []problem
	if err := executable.CheckFolder(dir); err != nil && !errors.Is(err, executable.ErrGroupWritable) {
		return nil, err
	} else if err != nil { // as some systems make folders by design: told, not refused
		problems = append(problems, problem{"", err.Error()})
	}
	lock, err := readLock(dir)
	if err != nil {
		return nil, err
	}
	places, misplaced, err := findPlaces(dir)
	if err != nil {
		return nil, err
	}
	s := &snapshot{lines: map[string]*Line{}, problems: append(problems, misplaced...)}
	if lock == nil {
		s.describeAll(ctx, places)
	} else {
		s.readLocked(ctx, dir, lock, places)
	}
	slices.SortFunc(s.problems, func(a, b problem) int { return strings.Compare(a.text, b.text) })
	return s, nil
}

// guarded refuses a file that others could replace, or a folder above it.
func guarded(path string) error {
	if err := executable.CheckFile(path); err != nil && !errors.Is(err, executable.ErrGroupWritable) {
		return err
	}
	return nil
}

// place is where a binary lies. The version is its folder's name, empty in a
// flat directory.
type place struct{ path, slug, version string }

// findPlaces looks at <dir>/unicrm-provider-* and
// <dir>/<slug>/<version>/unicrm-provider-*, and tells what looks like a plugin
// in the wrong place.
func findPlaces(dir string) (found []place, problems []problem, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("read the plugin directory: %w", err)
	}
	for _, entry := range entries {
		name := entry.Name()
		path := filepath.Join(dir, name)
		switch {
		case strings.HasPrefix(name, "."), name == LockFile:
		case strings.HasPrefix(name, wire.BinaryPrefix):
			found = append(found, place{path: path, slug: strings.TrimPrefix(name, wire.BinaryPrefix)})
		case entry.IsDir():
			versions, err := os.ReadDir(path)
			if err != nil {
				problems = append(problems, problem{"", fmt.Sprintf("%s: %v", path, err)})
				continue
			}
			for _, version := range versions {
				inside := filepath.Join(path, version.Name())
				binary := filepath.Join(inside, wire.BinaryPrefix+name)
				if strings.HasPrefix(version.Name(), ".") {
					continue
				}
				if _, err := os.Stat(binary); err != nil {
					problems = append(problems, problem{"", fmt.Sprintf("%s: left out, since it does not hold %s", inside, filepath.Base(binary))})
					continue
				}
				if err := checkName(name, version.Name()); err != nil {
					problems = append(problems, problem{"", fmt.Sprintf("%s: left out, since %v", inside, err)})
					continue
				}
				found = append(found, place{path: binary, slug: name, version: version.Name()})
			}
		}
	}
	return found, problems, nil
}

// describeAll asks every binary what it is: the way of a directory without a lock.
func (s *snapshot) describeAll(ctx context.Context, places []place) {
	var (
		mu      sync.Mutex
		all     sync.WaitGroup
		limited = make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))
		plugins []*Plugin
	)
	for _, at := range places {
		all.Go(func() {
			limited <- struct{}{}
			defer func() { <-limited }()
			var p *Plugin
			err := guarded(at.path)
			if err == nil {
				p, _, err = Describe(ctx, at.path, "")
			}
			if err == nil {
				err = at.agrees(p)
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				s.problems = append(s.problems, problem{at.slug, fmt.Sprintf("%s: %v", at.path, err)})
				return
			}
			plugins = append(plugins, p)
		})
	}
	all.Wait()
	sort.Slice(plugins, func(i, j int) bool { return plugins[i].Path < plugins[j].Path })
	for _, p := range plugins {
		s.add(p)
	}
}

// agrees compares the folders' names with what the binary says.
func (at place) agrees(p *Plugin) error {
	if at.version != "" && (p.Slug != at.slug || p.Version != at.version) {
		return fmt.Errorf("it says that it is %s %s, but lies in the folder of %s %s", p.Slug, p.Version, at.slug, at.version)
	}
	return nil
}

// add puts a version into its line; the highest is the active one. Of two
// binaries that claim one slug and version neither can be trusted to be meant.
func (s *snapshot) add(p *Plugin) {
	line, ok := s.lines[p.Slug]
	if !ok {
		s.lines[p.Slug] = &Line{Active: p}
		return
	}
	for _, have := range line.All() {
		if have.Version == p.Version {
			s.problems = append(s.problems, problem{p.Slug, fmt.Sprintf("%s: left out, since %s claims to be %s %s too", p.Path, have.Path, p.Slug, p.Version)})
			return
		}
	}
	line.Others = append(line.Others, p)
	if compareVersions(p.Version, line.Active.Version) > 0 {
		line.Others[len(line.Others)-1] = line.Active
		line.Active = p
	}
	slices.SortFunc(line.Others, func(a, b *Plugin) int { return compareVersions(b.Version, a.Version) })
}

// readLocked takes what the lock names and starts nothing, unless a manifest
// is missing from those that were kept.
func (s *snapshot) readLocked(ctx context.Context, dir string, lock *Lock, places []place) {
	at := map[string]place{}
	for _, p := range places {
		if p.version == "" || lock.find(p.slug, p.version) == nil {
			s.problems = append(s.problems, problem{"", fmt.Sprintf("%s: left out, since it is not in %s; unicrm plugin install puts it there", p.path, LockFile)})
			continue
		}
		at[p.slug+"@"+p.version] = p
	}
	for _, locked := range lock.Plugins {
		key := locked.Name + "@" + locked.Version
		leaveOut := func(err error) {
			s.problems = append(s.problems, problem{locked.Name, fmt.Sprintf("%s: %v", key, err)})
		}
		where, ok := at[key]
		if !ok {
			leaveOut(fmt.Errorf("it is in %s, but its file is gone; install it again", LockFile))
			continue
		}
		sum := locked.SHA256[platform]
		if sum == "" {
			leaveOut(fmt.Errorf("%s has no hash of it for %s", LockFile, platform))
			continue
		}
		if err := guarded(where.path); err != nil {
			leaveOut(err)
			continue
		}
		p, err := readManifest(dir, where.path, sum)
		if errors.Is(err, os.ErrNotExist) {
			p, _, err = Describe(ctx, where.path, sum)
		}
		if err == nil {
			err = where.agrees(p)
		}
		if err != nil {
			leaveOut(err)
			continue
		}
		line := s.lines[p.Slug]
		if line == nil {
			line = &Line{}
			s.lines[p.Slug] = line
		}
		if lock.active(p.Slug).Version == p.Version {
			line.Active = p
		} else {
			line.Others = append(line.Others, p)
		}
		if locked.Previous {
			line.Previous = p.Version
		}
		if locked.CanaryPercent > 0 {
			line.Canary, line.CanaryPercent = p.Version, locked.CanaryPercent
		}
	}
	for slug, line := range s.lines {
		if line.Active == nil { // another version in its place would be a guess
			s.problems = append(s.problems, problem{slug, fmt.Sprintf("%s: left out, since its active version %s cannot be used", slug, lock.active(slug).Version)})
			delete(s.lines, slug)
			continue
		}
		slices.SortFunc(line.Others, func(a, b *Plugin) int { return compareVersions(b.Version, a.Version) })
	}
}

// Dir is the plugin directory's absolute path.
func (c *Catalog) Dir() string { return c.dir }

// Problems tell what was left out and why, a sentence each.
func (c *Catalog) Problems() []string {
	var sentences []string
	for _, p := range c.current.Load().problems {
		sentences = append(sentences, p.text)
	}
	return sentences
}

// Lines lists what is installed, by slug.
func (c *Catalog) Lines() []*Line {
	lines := slices.Collect(maps.Values(c.current.Load().lines))
	sort.Slice(lines, func(i, j int) bool { return lines[i].Active.Slug < lines[j].Active.Slug })
	return lines
}

// Plugins lists the active versions, by slug.
func (c *Catalog) Plugins() []*Plugin {
	var all []*Plugin
	for _, line := range c.Lines() {
		all = append(all, line.Active)
	}
	return all
}

// Plans are what a supervisor is to run.
func (c *Catalog) Plans() []supervisor.Plan {
	var plans []supervisor.Plan
	for _, line := range c.Lines() {
		plans = append(plans, line.plan())
	}
	return plans
}

// Line gives the line of a provider.
func (c *Catalog) Line(slug string) (*Line, bool) {
	line, ok := c.current.Load().lines[slug]
	return line, ok
}

// Find gives the active version of a provider.
func (c *Catalog) Find(slug string) (*Plugin, bool) {
	line, ok := c.Line(slug)
	if !ok {
		return nil, false
	}
	return line.Active, true
}

// Version gives an installed version of a provider.
func (c *Catalog) Version(slug, version string) (*Plugin, bool) {
	line, ok := c.Line(slug)
	if !ok {
		return nil, false
	}
	for _, p := range line.All() {
		if p.Version == version {
			return p, true
		}
	}
	return nil, false
}

// Runner runs what a catalog says; a supervisor is one.
type Runner interface {
	Apply(ctx context.Context, plan supervisor.Plan, restart bool) error
	Remove(slug string)
	Status(slug string) (supervisor.Status, bool)
}

// Reload reads the directory anew and has the runner run what it says now: of
// one provider or, with an empty slug, of all. With restart, what has not
// changed gets a fresh process too; of all only those that have one. A provider
// whose new version does not start is left as it was, and the error says why.
func (c *Catalog) Reload(ctx context.Context, runner Runner, slug string, restart bool) error {
	c.reload.Lock()
	defer c.reload.Unlock()
	next, err := read(ctx, c.dir)
	if err != nil {
		return err
	}
	now := c.current.Load()
	slugs, all := []string{slug}, slug == ""
	if all {
		both := maps.Clone(now.lines)
		maps.Copy(both, next.lines)
		slugs = slices.Sorted(maps.Keys(both))
	}
	var failures []error
	for _, slug := range slugs {
		_, had := now.lines[slug]
		line, has := next.lines[slug]
		switch {
		case has:
			fresh := restart
			if all { // what nobody has used yet need not start now
				status, there := runner.Status(slug)
				fresh = restart && there && status.State != supervisor.Stopped
			}
			if err := runner.Apply(ctx, line.plan(), fresh); err != nil {
				failures = append(failures, err)
				continue
			}
			c.publish(slug, line, next.problems)
		case had && next.problemsOf(slug) != "":
			failures = append(failures, fmt.Errorf("%s", next.problemsOf(slug)))
		case had:
			c.publish(slug, nil, next.problems)
			runner.Remove(slug)
		case next.problemsOf(slug) != "":
			failures = append(failures, fmt.Errorf("%.60q %w: %s", slug, ErrNotInstalled, next.problemsOf(slug)))
		default:
			failures = append(failures, fmt.Errorf("%.60q %w", slug, ErrNotInstalled))
		}
	}
	return errors.Join(failures...)
}

// ErrNotInstalled means that no usable version of a provider is installed.
var ErrNotInstalled = errors.New("is not installed")

// problemsOf joins what is wrong with a provider that was meant to be there.
func (s *snapshot) problemsOf(slug string) string {
	var ours []string
	for _, p := range s.problems {
		if p.slug == slug {
			ours = append(ours, p.text)
		}
	}
	return strings.Join(ours, "; ")
}

// publish shows readers a new line of one provider; nil takes it away.
func (c *Catalog) publish(slug string, line *Line, problems []problem) {
	lines := maps.Clone(c.current.Load().lines)
	if line == nil {
		delete(lines, slug)
	} else {
		lines[slug] = line
	}
	c.current.Store(&snapshot{lines: lines, problems: problems})
}
