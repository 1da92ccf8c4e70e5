// Package catalog knows which provider plugins a host has: where their
// binaries are, what each says of itself, and what a credential for it must
// look like.
//
// A plugin directory is laid out <slug>/<version>/unicrm-provider-<slug>. The
// flat folder that a build leaves, with the binaries side by side, is taken
// too. Nothing is kept running: a binary is asked once for its manifest.
package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/unicrm/unicrm/host/internal/executable"
	"github.com/unicrm/unicrm/host/internal/supervisor"
	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/wire"
)

const (
	describeTimeout = 10 * time.Second
	maxManifest     = 1 << 20
)

// Plugin is one installed provider.
type Plugin struct {
	supervisor.Binary
	Manifest *unified.Manifest

	schemas  map[string]*jsonschema.Schema // by authentication method
	patterns map[string]*regexp.Regexp     // of ids, by resource
}

// Catalog is what a host has. It does not change once it is open.
type Catalog struct {
	plugins map[string]*Plugin
	// Problems are the binaries that were left out, a sentence each.
	Problems []string
}

// Open reads a plugin directory. A binary that cannot be used is left out and
// told among the problems; a directory that cannot be read is an error.
func Open(ctx context.Context, dir string) (*Catalog, error) {
	found, problems, err := findBinaries(dir)
	if err != nil {
		return nil, err
	}
	lock, err := readLock(dir)
	if err != nil {
		return nil, err
	}
	c := &Catalog{plugins: map[string]*Plugin{}, Problems: problems}
	var (
		mu      sync.Mutex
		all     sync.WaitGroup
		limited = make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))
	)
	for _, path := range found {
		all.Go(func() {
			limited <- struct{}{}
			defer func() { <-limited }()
			p, err := describeLocked(ctx, lock, dir, path)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				c.Problems = append(c.Problems, fmt.Sprintf("%s: %v", path, err))
				return
			}
			c.add(p)
		})
	}
	all.Wait()
	sort.Strings(c.Problems)
	return c, nil
}

// add keeps the higher of two versions.
func (c *Catalog) add(p *Plugin) {
	have, ok := c.plugins[p.Slug]
	if ok {
		old, oldErr := semver.NewVersion(have.Version)
		latest, newErr := semver.NewVersion(p.Version)
		if oldErr == nil && newErr == nil && !latest.GreaterThan(old) {
			return
		}
	}
	c.plugins[p.Slug] = p
}

// findBinaries looks at <dir>/unicrm-provider-* and
// <dir>/<slug>/<version>/unicrm-provider-<slug>.
func findBinaries(dir string) (found, problems []string, err error) {
	if _, err := os.ReadDir(dir); err != nil {
		return nil, nil, fmt.Errorf("read the plugin directory: %w", err)
	}
	for _, pattern := range []string{wire.BinaryPrefix + "*", filepath.Join("*", "*", wire.BinaryPrefix+"*")} {
		matches, err := filepath.Glob(filepath.Join(globEscape(dir), pattern))
		if err != nil {
			return nil, nil, fmt.Errorf("read the plugin directory: %w", err)
		}
		for _, path := range matches {
			info, err := os.Stat(path)
			switch {
			case err != nil:
				problems = append(problems, fmt.Sprintf("%s: %v", path, err))
			case info.IsDir():
				problems = append(problems, path+": it is a directory, not a binary")
			case info.Mode().Perm()&0o111 == 0:
				problems = append(problems, path+": it is not executable")
			default:
				found = append(found, path)
			}
		}
	}
	sort.Strings(found)
	return found, problems, nil
}

func globEscape(path string) string {
	return regexp.MustCompile(`[*?\[\\]`).ReplaceAllString(path, `\$0`)
}

// describeLocked asks a binary for its manifest after the lock, where there is
// one, has vouched for it.
func describeLocked(ctx context.Context, lock *Lock, dir, path string) (*Plugin, error) {
	if lock == nil {
		return Describe(ctx, path, "")
	}
	sum, err := lock.hash(dir, path)
	if err != nil {
		return nil, err
	}
	return Describe(ctx, path, sum)
}

// Describe asks a binary for its manifest and checks that it can be used. With
// a hash, a binary that has another is not run.
func Describe(ctx context.Context, path, sum string) (*Plugin, error) {
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	file, err := executable.Open(absolute, sum)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	cmd := file.Command(nil, "describe", "--json")
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	cmd.Dir = os.TempDir()
	cmd.WaitDelay = time.Second
	var out, problems bytes.Buffer
	cmd.Stdout = &limitedWriter{&out, maxManifest}
	cmd.Stderr = &limitedWriter{&problems, 4 << 10}
	err = runWithin(ctx, cmd)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("it did not describe itself within %s", describeTimeout)
	}
	if err != nil {
		detail := strings.TrimSpace(problems.String())
		if detail != "" {
			detail = ": " + detail
		}
		return nil, fmt.Errorf("it does not describe itself: %w%s", err, detail)
	}
	manifest, err := supervisor.ParseManifest(out.Bytes())
	if err != nil {
		return nil, fmt.Errorf("it printed no manifest but %.60q", out.String())
	}
	p, err := newPlugin(absolute, manifest)
	if err == nil {
		p.SHA256 = sum
	}
	return p, err
}

// runWithin runs a command and kills it when ctx ends.
func runWithin(ctx context.Context, cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	return cmd.Wait()
}

// slugPattern is what a slug may be: it becomes a folder and part of URLs.
var slugPattern = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

func newPlugin(path string, m *unified.Manifest) (*Plugin, error) {
	if !slugPattern.MatchString(m.Slug) {
		return nil, fmt.Errorf("its slug %q is not lower-case letters, digits and hyphens", m.Slug)
	}
	if _, err := semver.StrictNewVersion(m.Version); err != nil {
		return nil, fmt.Errorf("its version %q is not semantic: %w", m.Version, err)
	}
	if want := wire.BinaryPrefix + m.Slug; filepath.Base(path) != want {
		return nil, fmt.Errorf("it says that it is %q, so its file must be called %s", m.Slug, want)
	}
	p := &Plugin{
		Binary:   supervisor.Binary{Slug: m.Slug, Version: m.Version, Path: path},
		Manifest: m, schemas: map[string]*jsonschema.Schema{}, patterns: map[string]*regexp.Regexp{},
	}
	for _, method := range m.Authentication {
		schema, err := compile(method.Schema)
		if err != nil {
			return nil, fmt.Errorf("the credentials schema of %s: %w", method.Name, err)
		}
		p.schemas[method.Name] = schema
	}
	for _, r := range m.Resources {
		pattern, err := regexp.Compile(`\A(?:` + r.IDPattern + `)\z`)
		if err != nil || r.IDPattern == "" {
			return nil, fmt.Errorf("the id pattern of %s: %q is not a regular expression", r.Resource, r.IDPattern)
		}
		p.patterns[r.Resource] = pattern
	}
	return p, nil
}

func compile(schema []byte) (*jsonschema.Schema, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(noLoader{})
	if err := compiler.AddResource("credentials.json", document); err != nil {
		return nil, err
	}
	return compiler.Compile("credentials.json")
}

// noLoader keeps a schema from making the host read files or URLs.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("a credentials schema must stand alone, without %s", url)
}

// Plugins lists what is installed, by slug.
func (c *Catalog) Plugins() []*Plugin {
	all := make([]*Plugin, 0, len(c.plugins))
	for _, p := range c.plugins {
		all = append(all, p)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Slug < all[j].Slug })
	return all
}

// Find gives the plugin with a slug.
func (c *Catalog) Find(slug string) (*Plugin, bool) {
	p, ok := c.plugins[slug]
	return p, ok
}

// AcceptsID tells whether a record of the resource can have this id. Ids that
// would change a path are never accepted, whatever the plugin's pattern says.
func (p *Plugin) AcceptsID(resource, id string) bool {
	if id == "" || id == "." || id == ".." || strings.ContainsAny(id, "/?#% \t\r\n\v\f\\\x00") {
		return false
	}
	pattern, ok := p.patterns[resource]
	return ok && pattern.MatchString(id)
}

// ErrNoMethod means that credentials fit no authentication method, or more than one.
var ErrNoMethod = errors.New("the context fits no authentication method")

// MatchCredentials finds the authentication method that credentials fit: the
// named one or, without a name, the only one. The error's text names fields
// and rules, never values.
func (p *Plugin) MatchCredentials(method string, credentials json.RawMessage) (string, error) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(credentials))
	if err != nil {
		return "", fmt.Errorf("%w: it is not JSON", ErrNoMethod)
	}
	if method != "" {
		schema, ok := p.schemas[method]
		if !ok {
			return "", fmt.Errorf("%w: %s has no method %q; it has %s", ErrNoMethod, p.Slug, method, strings.Join(p.methodNames(), ", "))
		}
		if err := schema.Validate(value); err != nil {
			return "", fmt.Errorf("%w: %s", ErrNoMethod, problemsOf(err))
		}
		return method, nil
	}
	var fits, complaints []string
	for _, name := range p.methodNames() {
		if err := p.schemas[name].Validate(value); err != nil {
			complaints = append(complaints, name+": "+problemsOf(err))
		} else {
			fits = append(fits, name)
		}
	}
	switch len(fits) {
	case 1:
		return fits[0], nil
	case 0:
		return "", fmt.Errorf("%w (%s)", ErrNoMethod, strings.Join(complaints, "; "))
	default:
		return "", fmt.Errorf("the context fits several authentication methods; name one in authentication_method: %s", strings.Join(fits, ", "))
	}
}

func (p *Plugin) methodNames() []string {
	var names []string
	for _, method := range p.Manifest.Authentication {
		names = append(names, method.Name)
	}
	return names
}

// Secret tells whether a top-level key of a context is to be kept from readers:
// every key that some schema does not declare as readable.
func (p *Plugin) Secret(method, key string) bool {
	schema, ok := p.schemas[method]
	if !ok {
		return true
	}
	property, ok := schema.Properties[key]
	return !ok || property.WriteOnly || len(property.Properties) > 0
}

type limitedWriter struct {
	w    io.Writer
	left int
}

func (l *limitedWriter) Write(data []byte) (int, error) {
	if keep := min(len(data), l.left); keep > 0 {
		_, _ = l.w.Write(data[:keep])
		l.left -= keep
	}
	return len(data), nil
}

// Choose is a catalog with only the named plugins of c.
func (c *Catalog) Choose(slugs []string) *Catalog {
	chosen := &Catalog{plugins: map[string]*Plugin{}, Problems: c.Problems}
	for _, slug := range slugs {
		if p, ok := c.plugins[slug]; ok {
			chosen.plugins[slug] = p
		}
	}
	return chosen
}
