package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unicrm/unicrm/host/internal/executable"
	"github.com/unicrm/unicrm/host/internal/supervisor"
	"github.com/unicrm/unicrm/sdk/wire"
)

const (
	// staging begins the name of a folder in which an installation is prepared.
	staging = ".staging-"
	// maxDepth is how many folders a path in an archive may lead through.
	maxDepth = 64
	// folderMode lets every user read a plugin directory: who installs need not
	// be who runs the host.
	folderMode = os.FileMode(0o755)
)

// Directory is a plugin directory that is being changed. Hosts learn of a
// change by a reload; Rollback after a failed one puts everything back.
type Directory struct {
	dir    string
	lock   *Lock // as it is to be
	before *Lock // as it was; nil when there was none
	unlock func()
	undo   []func() // newest last
	finish []func() // what is done once it cannot fail any more
}

// Change opens a plugin directory for a change, made if absent. One process at
// a time can do that. Close must be called.
func Change(dir string) (*Directory, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(absolute, folderMode); err != nil {
		return nil, fmt.Errorf("make the plugin directory: %w", err)
	}
	if err := executable.CheckFolder(absolute); err != nil && !errors.Is(err, executable.ErrGroupWritable) {
		return nil, err
	}
	if err := refuseForeign(absolute); err != nil {
		return nil, err
	}
	unlock, err := lockFile(filepath.Join(absolute, ".lock"))
	if err != nil {
		return nil, fmt.Errorf("lock the plugin directory: %w", err)
	}
	d := &Directory{dir: absolute, unlock: unlock}
	if err := d.load(); err != nil {
		unlock()
		return nil, err
	}
	d.recoverStaging()
	return d, nil
}

// refuseForeign refuses a folder that is something else already: a build's
// output, a source tree, somebody's home.
func refuseForeign(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, LockFile)); err == nil {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), ".") {
			return fmt.Errorf("%s holds %s and no %s, so it is no plugin directory; name an empty or a new folder with --plugin-dir", dir, entry.Name(), LockFile)
		}
	}
	return nil
}

// setAside moves an installed version, or a whole provider, into a folder of
// its own until the change is final. Should this process be killed before, the
// next change puts it back from there.
func (d *Directory) setAside(folder string) (kept string, err error) {
	relative, err := filepath.Rel(d.dir, folder)
	if err != nil {
		return "", err
	}
	if kept, err = os.MkdirTemp(d.dir, staging); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(kept, "place"), []byte(relative), 0o600); err != nil {
		return "", err
	}
	err = os.Rename(folder, filepath.Join(kept, "old"))
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return kept, err
}

// putBack undoes setAside.
func (d *Directory) putBack(kept, folder string) {
	removeTree(folder)
	_ = os.MkdirAll(filepath.Dir(folder), folderMode)
	_ = os.Rename(filepath.Join(kept, "old"), folder)
	removeTree(kept)
}

// recoverStaging clears up after a command that was killed: what it had set
// aside and the lock still wants goes back, the rest goes.
func (d *Directory) recoverStaging() {
	entries, _ := os.ReadDir(d.dir)
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), staging) {
			continue
		}
		kept := filepath.Join(d.dir, entry.Name())
		place, err := os.ReadFile(filepath.Join(kept, "place"))
		if err == nil && filepath.IsLocal(string(place)) && d.wants(string(place), filepath.Join(kept, "old")) {
			d.putBack(kept, filepath.Join(d.dir, string(place)))
		}
		removeTree(kept)
	}
}

// wants tells whether the lock means what was set aside rather than what lies
// in its place, <slug> or <slug>/<version>.
func (d *Directory) wants(place, old string) bool {
	slug, version, one := strings.Cut(place, string(filepath.Separator))
	if _, err := os.Lstat(filepath.Join(d.dir, place)); !one || errors.Is(err, os.ErrNotExist) {
		return errors.Is(err, os.ErrNotExist) && d.installed(slug, version) == nil
	}
	locked := d.lock.find(slug, version)
	if locked == nil {
		return false
	}
	sum := locked.SHA256[platform]
	name := wire.BinaryPrefix + slug
	there, thereErr := executable.Hash(hashedPath(filepath.Join(d.dir, place, name), sum))
	aside, err := executable.Hash(hashedPath(filepath.Join(old, name), sum))
	return err == nil && aside == sum && (thereErr != nil || there != sum)
}

func (d *Directory) load() (err error) {
	if d.before, err = readLock(d.dir); err != nil {
		return err
	}
	d.lock = &Lock{Plugins: []LockedPlugin{}}
	if d.before != nil {
		d.lock = d.before.clone()
	}
	return nil
}

// Close lets others change the directory. What was not committed is undone.
func (d *Directory) Close() {
	d.Rollback()
	d.unlock()
}

// Commit writes the lock. It can still be undone by Rollback until Done.
func (d *Directory) Commit() error {
	before := d.before
	if err := d.lock.check(); err != nil {
		return err
	}
	if err := d.lock.write(d.dir); err != nil {
		return fmt.Errorf("write %s: %w", LockFile, err)
	}
	d.undo = append(d.undo, func() {
		if before == nil {
			_ = os.Remove(filepath.Join(d.dir, LockFile))
		} else {
			_ = before.write(d.dir)
		}
	})
	return nil
}

// Rollback puts everything back as it was.
func (d *Directory) Rollback() {
	for _, undo := range slices.Backward(d.undo) {
		undo()
	}
	d.undo, d.finish = nil, nil
}

// Done makes the change final.
func (d *Directory) Done() {
	for _, finish := range d.finish {
		finish()
	}
	d.undo, d.finish = nil, nil
}

// InstallOptions say how a plugin is installed.
type InstallOptions struct {
	// Inactive leaves the active version as it is, for a canary or pins.
	Inactive bool
	// Replace takes the place of the same version with other bytes.
	Replace bool
	// Prove starts the binary before anything is changed; nil trusts it.
	Prove func(ctx context.Context, binary supervisor.Binary) error
}

// Install adds a plugin from a file, a folder that holds one with what it
// needs, or a .tar.gz of either, and makes it the active version. An error
// changes nothing. Commit has to follow.
func (d *Directory) Install(ctx context.Context, source string, o InstallOptions) (*Plugin, error) {
	if source == "" {
		return nil, errors.New("the name of what to install is empty")
	}
	stage, err := os.MkdirTemp(d.dir, staging) // the same file system, so that it can be renamed
	if err != nil {
		return nil, fmt.Errorf("prepare the installation: %w", err)
	}
	defer removeTree(stage)
	p, err := d.install(ctx, source, filepath.Join(stage, "content"), o)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil { // in the words of whoever gave the source
		text := strings.ReplaceAll(err.Error(), filepath.Join(stage, "content")+string(filepath.Separator), "")
		if !strings.HasPrefix(text, source) {
			text = source + ": " + text
		}
		return nil, errors.New(text)
	}
	return p, nil
}

func (d *Directory) install(ctx context.Context, source, content string, o InstallOptions) (*Plugin, error) {
	binary, tree, err := bring(ctx, source, content)
	if err != nil {
		return nil, err
	}
	if err := executable.Check(binary); err != nil {
		return nil, err
	}
	hashed := binary
	if tree {
		hashed = filepath.Dir(binary)
	}
	sum, err := executable.Hash(hashed)
	if err != nil {
		return nil, err
	}
	p, printed, err := Describe(ctx, binary, sum)
	if err != nil {
		return nil, err
	}
	if o.Prove != nil {
		if err := o.Prove(ctx, p.Binary); err != nil {
			return nil, err
		}
	}
	if err := d.put(p, hashed, tree, printed, o); err != nil {
		return nil, err
	}
	return p, nil
}

// put moves what was staged to its place and into the lock.
func (d *Directory) put(p *Plugin, staged string, tree bool, printed []byte, o InstallOptions) error {
	folder := filepath.Join(d.dir, p.Slug, p.Version)
	entry := d.lock.find(p.Slug, p.Version)
	have := ""
	if entry != nil {
		have = entry.SHA256[platform]
	}
	p.Path = filepath.Join(folder, wire.BinaryPrefix+p.Slug)
	if have != "" && have != p.SHA256 && !o.Replace {
		return fmt.Errorf("%s %s is installed already with the hash %s, and this one has %s; give it another version, or replace that one with --replace", p.Slug, p.Version, have, p.SHA256)
	}
	if present, err := executable.Hash(hashedPath(p.Path, p.SHA256)); err != nil || present != p.SHA256 {
		if err := d.move(staged, folder, filepath.Base(p.Path), tree); err != nil {
			return err
		}
	}
	if err := writeManifest(d.dir, p.SHA256, printed); err != nil {
		return err
	}
	if entry == nil {
		before := d.lock.active(p.Slug)
		if before != nil && !before.Active { // an unmarked lock: the highest serves, and shall go on to
			before.Active = true
		}
		d.lock.Plugins = append(d.lock.Plugins, LockedPlugin{Name: p.Slug, Version: p.Version, SHA256: map[string]string{}})
		entry = d.lock.find(p.Slug, p.Version)
	}
	entry.SHA256[platform] = p.SHA256
	if !o.Inactive || len(d.lock.versions(p.Slug)) == 1 {
		d.lock.use(p.Slug, p.Version)
	}
	return nil
}

// move takes the staged file or folder to a version's folder. What lay there
// before is kept aside until the change is final.
func (d *Directory) move(staged, folder, name string, tree bool) error {
	if err := os.MkdirAll(filepath.Dir(folder), folderMode); err != nil {
		return err
	}
	if _, err := os.Lstat(folder); err == nil {
		kept, err := d.setAside(folder)
		if err != nil {
			return err
		}
		d.undo = append(d.undo, func() { d.putBack(kept, folder) })
		d.finish = append(d.finish, func() { removeTree(kept) })
	} else {
		d.undo = append(d.undo, func() {
			removeTree(folder)
			_ = os.Remove(filepath.Dir(folder)) // when it is empty
		})
	}
	if tree {
		return os.Rename(staged, folder)
	}
	if err := os.Mkdir(folder, folderMode); err != nil {
		return err
	}
	return os.Rename(staged, filepath.Join(folder, name))
}

// hashedPath is what a lock's hash is of: the file, or the folder it lies in.
func hashedPath(binary, sum string) string {
	if strings.HasPrefix(sum, "tree:") {
		return filepath.Dir(binary)
	}
	return binary
}

// Has tells in an error when a version, or with an empty version any, is not
// installed.
func (d *Directory) Has(slug, version string) error { return d.installed(slug, version) }

// Use makes an installed version the active one.
func (d *Directory) Use(slug, version string) error {
	if err := d.installed(slug, version); err != nil {
		return err
	}
	d.lock.use(slug, version)
	return nil
}

// GoBack makes the version active that was so before, and tells which.
func (d *Directory) GoBack(slug string) (version string, err error) {
	if err := d.installed(slug, ""); err != nil {
		return "", err
	}
	for _, p := range d.lock.versions(slug) {
		if p.Previous {
			version = p.Version
		}
	}
	if version == "" {
		return "", fmt.Errorf("%s has no earlier version to go back to", slug)
	}
	d.lock.use(slug, version)
	return version, nil
}

// Canary lets a version serve a share of the accounts; 0 ends that.
func (d *Directory) Canary(slug, version string, percent int) error {
	if err := d.installed(slug, version); err != nil {
		return err
	}
	if percent < 0 || percent > 100 {
		return fmt.Errorf("--percent %d is not from 0 to 100", percent)
	}
	if d.lock.active(slug).Version == version {
		return fmt.Errorf("%s %s is the active version: it serves every account already", slug, version)
	}
	if percent == 0 && d.lock.find(slug, version).CanaryPercent == 0 {
		return fmt.Errorf("%s %s is no canary", slug, version)
	}
	for _, p := range d.lock.versions(slug) {
		p.CanaryPercent = 0
	}
	d.lock.find(slug, version).CanaryPercent = percent
	return nil
}

// Remove takes one version out, or with an empty version all of them. The
// files go once the change is final.
func (d *Directory) Remove(slug, version string) error {
	if err := d.installed(slug, version); err != nil {
		return err
	}
	folder := filepath.Join(d.dir, slug)
	if version != "" {
		if len(d.lock.versions(slug)) > 1 && d.lock.active(slug).Version == version {
			return fmt.Errorf("%s %s is the active version; install another or roll back first, or remove %s as a whole", slug, version, slug)
		}
		folder = filepath.Join(folder, version)
	}
	var gone []string
	d.lock.Plugins = slices.DeleteFunc(d.lock.Plugins, func(p LockedPlugin) bool {
		out := p.Name == slug && (version == "" || p.Version == version)
		if out {
			gone = append(gone, p.SHA256[platform])
		}
		return out
	})
	// Away at once, so that hosts do not find files that the lock does not know;
	// what runs, runs from its own copy.
	kept, err := d.setAside(folder)
	if err != nil {
		return err
	}
	d.undo = append(d.undo, func() { d.putBack(kept, folder) })
	_ = os.Remove(filepath.Join(d.dir, slug)) // when it is empty
	d.finish = append(d.finish, func() {
		removeTree(kept)
		for _, sum := range gone {
			_ = os.Remove(manifestPath(d.dir, sum))
		}
	})
	return nil
}

// installed tells what is wrong when a version, or any with an empty version,
// is not in the lock.
func (d *Directory) installed(slug, version string) error {
	versions := d.lock.versions(slug)
	if len(versions) == 0 {
		return fmt.Errorf("%.60q %w in %s", slug, ErrNotInstalled, d.dir)
	}
	if version == "" || d.lock.find(slug, version) != nil {
		return nil
	}
	var have []string
	for _, p := range versions {
		have = append(have, p.Version)
	}
	return fmt.Errorf("version %.60q of %s %w; there is %s", version, slug, ErrNotInstalled, strings.Join(have, ", "))
}
