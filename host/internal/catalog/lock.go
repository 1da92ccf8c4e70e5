package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// LockFile is the name of the lock beside the installed plugins.
const LockFile = "unicrm.lock"

// Lock says what is installed and which of it is used. It is the whole truth
// about a plugin directory: a host does what it says, at start and at each
// reload, and only plugin commands write it.
type Lock struct {
	Plugins []LockedPlugin `json:"plugins"`
}

// LockedPlugin is one installed version of a plugin.
type LockedPlugin struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// SHA256 is by platform ("linux/amd64"): of the file, or "tree:" and the
	// hash of the folder.
	SHA256 map[string]string `json:"sha256"`
	// Active marks the version that serves; without any the highest does.
	Active bool `json:"active,omitempty"`
	// Previous marks the version that served before: what rollback goes back to.
	Previous bool `json:"previous,omitempty"`
	// CanaryPercent is the share of accounts that this version serves before
	// it becomes the active one.
	CanaryPercent int `json:"canary_percent,omitempty"`
}

// platform is this machine's key in LockedPlugin.SHA256.
const platform = runtime.GOOS + "/" + runtime.GOARCH

var sumPattern = regexp.MustCompile(`^(tree:)?[0-9a-f]{64}$`)

// readLock reads the lock of a plugin directory; nil when there is none.
func readLock(dir string) (*Lock, error) {
	path := filepath.Join(dir, LockFile)
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilnil // no lock is no error
	}
	if err != nil {
		return nil, fmt.Errorf("read the lock: %w", err)
	}
	if err := guarded(path); err != nil {
		return nil, err
	}
	var lock Lock
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	err = dec.Decode(&lock)
	if _, more := dec.Token(); err == nil && !errors.Is(more, io.EOF) {
		err = errors.New("it is more than one JSON value")
	}
	if err == nil {
		err = lock.check()
	}
	if err != nil {
		return nil, fmt.Errorf("the lock %s cannot be used: %w", path, err)
	}
	return &lock, nil
}

// check refuses what would be ambiguous or lead out of the directory.
func (l *Lock) check() error {
	active, canary := map[string]bool{}, map[string]bool{}
	seen := map[string]bool{}
	for _, p := range l.Plugins {
		if err := checkName(p.Name, p.Version); err != nil {
			return err
		}
		key := p.Name + "@" + p.Version
		switch {
		case seen[key]:
			return fmt.Errorf("%s is there twice", key)
		case p.Active && active[p.Name]:
			return fmt.Errorf("%s has two active versions", p.Name)
		case p.CanaryPercent < 0 || p.CanaryPercent > 100:
			return fmt.Errorf("the canary_percent of %s is not from 0 to 100", key)
		case p.CanaryPercent > 0 && (p.Active || canary[p.Name]):
			return fmt.Errorf("%s has a canary that is active, or two", p.Name)
		}
		for where, sum := range p.SHA256 {
			if !sumPattern.MatchString(sum) {
				return fmt.Errorf("the sha256 of %s for %s is not one", key, where)
			}
		}
		seen[key] = true
		active[p.Name] = active[p.Name] || p.Active
		canary[p.Name] = canary[p.Name] || p.CanaryPercent > 0
	}
	return nil
}

// write replaces the lock of a plugin directory.
func (l *Lock) write(dir string) error {
	slices.SortFunc(l.Plugins, func(a, b LockedPlugin) int {
		if c := strings.Compare(a.Name, b.Name); c != 0 {
			return c
		}
		return compareVersions(a.Version, b.Version)
	})
	data, err := json.MarshalIndent(l, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, LockFile), 0o644, func(w io.Writer) error {
		_, err := w.Write(append(data, '\n'))
		return err
	})
}

func (l *Lock) clone() *Lock {
	copied := &Lock{Plugins: slices.Clone(l.Plugins)}
	for i, p := range copied.Plugins {
		sums := map[string]string{}
		for where, sum := range p.SHA256 {
			sums[where] = sum
		}
		copied.Plugins[i].SHA256 = sums
	}
	return copied
}

// find gives an installed version to change; nil when there is none.
func (l *Lock) find(name, version string) *LockedPlugin {
	for i := range l.Plugins {
		if l.Plugins[i].Name == name && l.Plugins[i].Version == version {
			return &l.Plugins[i]
		}
	}
	return nil
}

// versions are the installed versions of a plugin.
func (l *Lock) versions(name string) []*LockedPlugin {
	var all []*LockedPlugin
	for i := range l.Plugins {
		if l.Plugins[i].Name == name {
			all = append(all, &l.Plugins[i])
		}
	}
	return all
}

// active is the version that serves: the marked one, else the highest. Nil
// when the plugin is not installed.
func (l *Lock) active(name string) *LockedPlugin {
	var highest *LockedPlugin
	for _, p := range l.versions(name) {
		if p.Active {
			return p
		}
		if highest == nil || compareVersions(p.Version, highest.Version) > 0 {
			highest = p
		}
	}
	return highest
}

// use makes a version the active one and remembers which was before.
func (l *Lock) use(name, version string) {
	before := l.active(name)
	if before != nil && before.Version == version {
		before.Active, before.CanaryPercent = true, 0
		return
	}
	for _, p := range l.versions(name) {
		p.Active = p.Version == version
		p.Previous = before != nil && p.Version == before.Version
		if p.Active {
			p.CanaryPercent = 0
		}
	}
}

func compareVersions(a, b string) int {
	left, leftErr := semver.NewVersion(a)
	right, rightErr := semver.NewVersion(b)
	if leftErr != nil || rightErr != nil {
		return strings.Compare(a, b)
	}
	return left.Compare(right)
}
