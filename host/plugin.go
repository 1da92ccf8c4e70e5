package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/unicrm/unicrm/host/internal/accounts"
	"github.com/unicrm/unicrm/host/internal/api"
	"github.com/unicrm/unicrm/host/internal/catalog"
	"github.com/unicrm/unicrm/host/internal/control"
	"github.com/unicrm/unicrm/host/internal/store"
	"github.com/unicrm/unicrm/host/internal/supervisor"
	"github.com/unicrm/unicrm/sdk/errs"
)

type pluginCommand struct {
	List     pluginList     `cmd:"" help:"List the installed plugins and, of a running host, what they are doing."`
	Install  pluginInstall  `cmd:"" help:"Install plugins and let them serve."`
	Verify   pluginVerify   `cmd:"" help:"Compare the installed plugins with the lock."`
	Reload   pluginReload   `cmd:"" help:"Put fresh processes in the place of the running ones, without losing a call."`
	Rollback pluginRollback `cmd:"" help:"Go back to the version that served before."`
	Canary   pluginCanary   `cmd:"" help:"Let a version serve a share of the accounts first."`
	Pin      pluginPin      `cmd:"" help:"Make an account use one version."`
	Unpin    pluginUnpin    `cmd:"" help:"Make an account use whichever version serves."`
	Remove   pluginRemove   `cmd:"" help:"Remove a plugin, or one version of it."`
	New      pluginNew      `cmd:"" help:"Write a new plugin to begin with, complete and passing."`
	Test     pluginTest     `cmd:"" help:"Run the conformance suite against a plugin in any language."`
}

func (pluginCommand) Help() string {
	return `The commands change the plugin directory and tell the hosts that run on the
data directory, which then swap processes without losing a call. When a host
cannot start a new version, everything is put back and the old one serves on.
Without a running host they change the directory alone.

Examples:
  unicrm plugin install ./unicrm-provider-wix
  unicrm plugin install --inactive wix-0.2.0.tar.gz
  unicrm plugin canary wix@0.2.0 --percent 5
  unicrm plugin rollback wix`
}

// pluginFlags say which directory and which hosts a command is about.
type pluginFlags struct {
	PluginDir string `help:"Folder of the provider plugins; when left out, that of the host that runs on the data directory, else plugins/ beside this program." env:"UNICRM_PLUGIN_DIR" type:"path" placeholder:"DIR"`
	DataDir   string `help:"Folder of the store of the host." default:"unicrm-data" env:"UNICRM_DATA_DIR" type:"path"`
	Offline   bool   `help:"Change the plugin directory although a host that is not found seems to use it."`
	JSON      bool   `help:"Print JSON."`
}

// site is the plugin directory of a command and the running hosts that use it.
type site struct {
	dir   string
	hosts []control.Host
}

func (f pluginFlags) site() (site, error) {
	running, err := control.Find(f.DataDir)
	if err != nil {
		return site{}, err
	}
	s := site{dir: f.PluginDir}
	for _, h := range running {
		if s.dir == "" {
			s.dir = h.PluginDir
		}
		if sameFolder(h.PluginDir, s.dir) {
			s.hosts = append(s.hosts, h)
		} else {
			fmt.Fprintf(os.Stderr, "note: the host at %s uses another plugin directory, %s\n", h.URL, h.PluginDir)
		}
	}
	if s.dir == "" {
		s.dir = besideExecutable("plugins")
	}
	return s, nil
}

func sameFolder(a, b string) bool {
	left, leftErr := os.Stat(a)
	right, rightErr := os.Stat(b)
	if leftErr != nil || rightErr != nil {
		return filepath.Clean(a) == filepath.Clean(b)
	}
	return os.SameFile(left, right)
}

// reload makes the running hosts read the directory; those that did come back.
// Nothing is restarted that has not changed, unless restart says so.
func reload(ctx context.Context, hosts []control.Host, slug string, restart bool) (followed []control.Host, err error) {
	for _, h := range hosts {
		path := "/plugin/reload"
		if slug != "" {
			path = "/plugin/" + url.PathEscape(slug) + "/reload"
		}
		slow := time.AfterFunc(3*time.Second, func() { fmt.Fprintf(os.Stderr, "waiting for the host at %s\n", h.URL) })
		err := h.Call(ctx, http.MethodPost, fmt.Sprintf("%s?restart=%t", path, restart), nil, nil)
		slow.Stop()
		if err != nil {
			return followed, err
		}
		followed = append(followed, h)
	}
	return followed, nil
}

// change makes a change to the plugin directory and has the running hosts
// follow. When one of them cannot, everything is put back. do tells which
// providers it is about.
func (f pluginFlags) change(ctx context.Context, do func(*catalog.Directory) (slugs []string, err error)) error {
	s, err := f.site()
	if err != nil {
		return err
	}
	if err := s.known(f); err != nil {
		return err
	}
	d, err := catalog.Change(s.dir)
	if err != nil {
		return err
	}
	defer d.Close()
	slugs, err := do(d)
	if err != nil {
		return err
	}
	if err := d.Commit(); err != nil {
		return err
	}
	for _, slug := range slugs {
		followed, err := reload(ctx, s.hosts, slug, false)
		if err != nil {
			d.Rollback()
			if slug != slugs[0] {
				followed = s.hosts // they have followed for another plugin
			}
			// Hosts that followed go back; one that could not has not moved.
			if _, back := reload(context.WithoutCancel(ctx), followed, "", false); back != nil {
				err = errors.Join(err, fmt.Errorf("and going back failed too: %w", back))
			}
			return err
		}
	}
	d.Done()
	if len(s.hosts) == 0 {
		fmt.Fprintf(os.Stderr, "no host runs on %s; only %s was changed\n", f.DataDir, s.dir)
	}
	return nil
}

// known refuses to change a directory behind the back of a host that runs on
// another data directory than the command was told.
func (s site) known(f pluginFlags) error {
	if len(s.hosts) == 0 && !f.Offline && control.InUse(s.dir) {
		return fmt.Errorf("a host uses %s, but none runs on the data directory %s; name that host's with --data-dir, or say --offline", s.dir, f.DataDir)
	}
	return nil
}

// report prints what a command did, for people or programs.
func (f pluginFlags) report(value map[string]any, sentence string, words ...any) error {
	if f.JSON {
		return json.NewEncoder(os.Stdout).Encode(value)
	}
	fmt.Printf(sentence+"\n", words...)
	return nil
}

// versionArgument is "slug@version".
type versionArgument struct{ Slug, Version string }

// UnmarshalText implements encoding.TextUnmarshaler.
func (v *versionArgument) UnmarshalText(text []byte) error {
	var ok bool
	v.Slug, v.Version, ok = strings.Cut(string(text), "@")
	if !ok || v.Slug == "" || v.Version == "" {
		return fmt.Errorf("%.60q is not a slug and a version, as wix@0.1.0", text)
	}
	return nil
}

type pluginList struct{ pluginFlags }

func (c *pluginList) Run(ctx context.Context) error {
	s, err := c.site()
	if err != nil {
		return err
	}
	all := hostLists{Hosts: []hostList{}}
	for _, h := range s.hosts {
		list := hostList{URL: h.URL, PID: h.PID}
		if err := h.Call(ctx, http.MethodGet, "/plugin", nil, &list.PluginList); err != nil {
			return err
		}
		all.Hosts = append(all.Hosts, list)
	}
	installed, err := catalog.Open(ctx, s.dir)
	if err != nil && len(all.Hosts) == 0 {
		return err
	}
	switch {
	case len(all.Hosts) == 0:
		all.PluginList = api.ShowPlugins(installed, nil)
	case err != nil:
		all.Hosts[0].Problems = append(all.Hosts[0].Problems, err.Error())
	default:
		for i := range all.Hosts {
			all.Hosts[i].Problems = append(all.Hosts[i].Problems, disagreements(installed, all.Hosts[i])...)
		}
	}
	if len(all.Hosts) > 0 {
		all.PluginList = all.Hosts[0].PluginList
	}
	if c.JSON {
		return json.NewEncoder(os.Stdout).Encode(all)
	}
	if len(all.Hosts) == 0 {
		fmt.Printf("no host runs on %s; installed in %s:\n", c.DataDir, s.dir)
		return printPlugins(all.PluginList)
	}
	for _, h := range all.Hosts {
		if len(all.Hosts) > 1 {
			fmt.Printf("%s (pid %d)\n", h.URL, h.PID)
		}
		if err := printPlugins(h.PluginList); err != nil {
			return err
		}
	}
	return nil
}

// hostLists is what plugin list prints as JSON: the plugins of the first host
// that runs, or of the directory, and those of every host.
type hostLists struct {
	api.PluginList
	Hosts []hostList `json:"hosts"`
}

type hostList struct {
	URL string `json:"url"`
	PID int    `json:"pid"`
	api.PluginList
}

// disagreements tell where a host does not do what the lock says: it was not
// told, or could not.
func disagreements(installed *catalog.Catalog, h hostList) []string {
	var problems []string
	serving := map[string]string{}
	for _, p := range h.Result {
		serving[p.Slug] = p.Active
	}
	for _, p := range installed.Plugins() {
		if serving[p.Slug] != p.Version {
			problems = append(problems, fmt.Sprintf("%s: the lock says %s, but the host at %s serves %s; unicrm plugin reload %s", p.Slug, p.Version, h.URL, orNone(serving[p.Slug]), p.Slug))
		}
		delete(serving, p.Slug)
	}
	for slug, version := range serving {
		problems = append(problems, fmt.Sprintf("%s: it is not installed any more, but the host at %s serves %s; unicrm plugin reload", slug, h.URL, version))
	}
	return problems
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

func printPlugins(list api.PluginList) error {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PLUGIN\tVERSION\tROLE\tSTATE\tCALLS\tPID\tSDK\tHASH")
	for _, p := range list.Result {
		for _, v := range p.Versions {
			role := ""
			switch {
			case v.Version == p.Active:
				role = "active"
			case p.Canary != nil && v.Version == p.Canary.Version:
				role = fmt.Sprintf("canary %d%%", p.Canary.Percent)
			case v.Version == p.Previous:
				role = "previous"
			}
			state, pid := v.State, ""
			if state == "" {
				state = "-"
			}
			if v.PID != 0 {
				pid = fmt.Sprint(v.PID)
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%.17s\n", p.Slug, v.Version, role, state, v.Calls, pid, v.SDKVersion, v.SHA256)
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, p := range list.Result {
		for _, v := range p.Versions {
			if v.LastError != "" {
				fmt.Printf("%s %s: %s\n", p.Slug, v.Version, v.LastError)
			}
		}
	}
	for _, problem := range list.Problems {
		fmt.Println(problem)
	}
	return nil
}

type pluginInstall struct {
	pluginFlags
	Source   []string `arg:"" help:"Plugin to install: a file unicrm-provider-<slug>, a folder that holds one with what it needs, or a .tar.gz of either." type:"path"`
	Inactive bool     `help:"Leave the active version as it is: for a canary, or for pinned accounts."`
	Replace  bool     `help:"Take the place of the same version with other bytes, while developing."`

	PluginStartTimeout time.Duration `help:"Time that a plugin has to start." default:"10s" env:"UNICRM_PLUGIN_START_TIMEOUT"`
}

func (c *pluginInstall) Run(ctx context.Context) error {
	var installed []*catalog.Plugin
	err := c.change(ctx, func(d *catalog.Directory) (slugs []string, err error) {
		for _, source := range c.Source { // all of them or none
			p, err := d.Install(ctx, source, catalog.InstallOptions{Inactive: c.Inactive, Replace: c.Replace, Prove: c.prove})
			if err != nil {
				return nil, err
			}
			installed = append(installed, p)
			if !slices.Contains(slugs, p.Slug) {
				slugs = append(slugs, p.Slug)
			}
		}
		return slugs, nil
	})
	if err != nil {
		return err
	}
	for _, p := range installed {
		err = errors.Join(err, c.report(map[string]any{"slug": p.Slug, "version": p.Version, "sha256": p.SHA256, "path": p.Path, "active": !c.Inactive},
			"installed %s %s, %s", p.Slug, p.Version, p.SHA256))
	}
	return err
}

// prove starts a plugin as a host does, up to its first health check, and ends it.
func (c *pluginInstall) prove(ctx context.Context, binary supervisor.Binary) error {
	s := supervisor.New(nil, supervisor.Options{HostVersion: version, Log: hclog.NewNullLogger(), StartTimeout: c.PluginStartTimeout})
	defer s.Close(context.WithoutCancel(ctx))
	return s.Apply(ctx, supervisor.Plan{Active: binary}, false)
}

type pluginVerify struct{ pluginFlags }

func (c *pluginVerify) Run(ctx context.Context) error {
	s, err := c.site()
	if err != nil {
		return err
	}
	findings, err := catalog.Verify(ctx, s.dir)
	if err != nil {
		return err
	}
	wrong := 0
	for _, finding := range findings {
		if finding.Problem != "" {
			wrong++
		}
	}
	if c.JSON {
		if findings == nil {
			findings = []catalog.Finding{}
		}
		err = json.NewEncoder(os.Stdout).Encode(findings)
	} else {
		for _, f := range findings {
			problem, name := f.Problem, f.Name
			if problem == "" {
				problem = "as the lock says"
			}
			if f.Version != "" {
				name += " " + f.Version + ": "
			}
			fmt.Println(name + problem)
		}
	}
	if wrong > 0 {
		return errors.Join(err, fmt.Errorf("%d problems in %s", wrong, s.dir))
	}
	return err
}

type pluginReload struct {
	pluginFlags
	Slug string `arg:"" optional:"" help:"Plugin to reload; all when left out."`
}

func (c *pluginReload) Run(ctx context.Context) error {
	s, err := c.site()
	if err != nil {
		return err
	}
	if err := s.known(c.pluginFlags); err != nil {
		return err
	}
	if len(s.hosts) == 0 {
		return c.report(map[string]any{"hosts": 0}, "no host runs on %s; one that starts reads the plugin directory anew", c.DataDir)
	}
	if _, err := reload(ctx, s.hosts, c.Slug, true); err != nil {
		return err
	}
	return c.report(map[string]any{"hosts": len(s.hosts)}, "reloaded")
}

type pluginRollback struct {
	pluginFlags
	Slug string `arg:"" help:"Plugin to roll back."`
}

func (c *pluginRollback) Run(ctx context.Context) error {
	var back string
	err := c.change(ctx, func(d *catalog.Directory) (slugs []string, err error) {
		back, err = d.GoBack(c.Slug)
		return []string{c.Slug}, err
	})
	if err != nil {
		return err
	}
	return c.report(map[string]any{"slug": c.Slug, "version": back}, "%s %s serves again", c.Slug, back)
}

type pluginCanary struct {
	pluginFlags
	Plugin  versionArgument `arg:"" help:"Installed version, as wix@0.2.0."`
	Percent int             `help:"Share of the accounts, 0 to 100; 0 ends the canary." required:"" placeholder:"N"`
}

func (c *pluginCanary) Run(ctx context.Context) error {
	err := c.change(ctx, func(d *catalog.Directory) ([]string, error) {
		return []string{c.Plugin.Slug}, d.Canary(c.Plugin.Slug, c.Plugin.Version, c.Percent)
	})
	if err != nil {
		return err
	}
	if c.Percent == 0 {
		return c.report(map[string]any{"slug": c.Plugin.Slug, "version": c.Plugin.Version, "percent": 0}, "the canary of %s %s has ended", c.Plugin.Slug, c.Plugin.Version)
	}
	return c.report(map[string]any{"slug": c.Plugin.Slug, "version": c.Plugin.Version, "percent": c.Percent},
		"%s %s serves %d%% of the accounts that are not pinned", c.Plugin.Slug, c.Plugin.Version, c.Percent)
}

type pluginPin struct {
	pluginFlags
	Account string          `arg:"" help:"Id of the integrated account."`
	Plugin  versionArgument `arg:"" help:"Installed version, as wix@0.1.0."`
}

func (c *pluginPin) Run(ctx context.Context) error {
	if err := c.pin(ctx, c.Account, c.Plugin); err != nil {
		return err
	}
	return c.report(map[string]any{"id": c.Account, "slug": c.Plugin.Slug, "version": c.Plugin.Version},
		"account %s uses %s %s", c.Account, c.Plugin.Slug, c.Plugin.Version)
}

type pluginUnpin struct {
	pluginFlags
	Account string `arg:"" help:"Id of the integrated account."`
}

func (c *pluginUnpin) Run(ctx context.Context) error {
	if err := c.pin(ctx, c.Account, versionArgument{}); err != nil {
		return err
	}
	return c.report(map[string]any{"id": c.Account}, "account %s uses whichever version serves", c.Account)
}

// pin asks a running host, which then knows at once, or changes the store.
func (f pluginFlags) pin(ctx context.Context, account string, to versionArgument) error {
	s, err := f.site()
	if err != nil {
		return err
	}
	if len(s.hosts) > 0 {
		path := "/integrated-account/" + url.PathEscape(account) + "/pin"
		if to.Version == "" {
			return s.hosts[0].Call(ctx, http.MethodDelete, path, nil, nil)
		}
		return s.hosts[0].Call(ctx, http.MethodPut, path, api.PinInput{Plugin: to.Slug + "@" + to.Version}, nil)
	}
	return f.withStore(ctx, func(kept *store.Store) error {
		plugins, err := catalog.Open(ctx, s.dir)
		if err != nil {
			return err
		}
		_, err = accounts.New(kept, plugins, nil, false).Pin(ctx, account, to.Slug, to.Version)
		var e *errs.Error
		if errors.As(err, &e) {
			return errors.New(e.Message)
		}
		return err
	})
}

// withStore opens the store of the data directory, which must be there.
func (f pluginFlags) withStore(ctx context.Context, do func(*store.Store) error) error {
	if _, err := os.Stat(storePath(f.DataDir)); err != nil {
		return fmt.Errorf("%s holds no store; name the host's folder with --data-dir", f.DataDir)
	}
	return storeFlags{DataDir: f.DataDir}.withStore(ctx, do)
}

type pluginRemove struct {
	pluginFlags
	Plugin string `arg:"" help:"Plugin to remove, as wix, or one version of it, as wix@0.1.0."`
	Force  bool   `help:"Remove it although accounts use it."`
}

func (c *pluginRemove) Run(ctx context.Context) error {
	slug, version, named := strings.Cut(c.Plugin, "@")
	if slug == "" || (named && version == "") {
		return fmt.Errorf("%.60q is neither a slug, as wix, nor a slug and a version, as wix@0.1.0", c.Plugin)
	}
	err := c.change(ctx, func(d *catalog.Directory) ([]string, error) {
		if err := d.Has(slug, version); err != nil {
			return nil, err
		}
		if !c.Force {
			if err := c.refuseUsed(ctx, slug, version); err != nil {
				return nil, err
			}
		}
		return []string{slug}, d.Remove(slug, version)
	})
	if err != nil {
		return err
	}
	return c.report(map[string]any{"slug": slug, "version": version}, "removed %s", c.Plugin)
}

// refuseUsed keeps accounts from losing their provider by mistake.
func (c *pluginRemove) refuseUsed(ctx context.Context, slug, version string) error {
	if _, err := os.Stat(storePath(c.DataDir)); err != nil {
		return fmt.Errorf("%s holds no store, so whether accounts use %s is not known; name the host's folder with --data-dir, or say --force", c.DataDir, c.Plugin)
	}
	return c.withStore(ctx, func(kept *store.Store) error {
		all, pinned, err := kept.CountAccounts(ctx, slug, version)
		switch {
		case err != nil:
			return err
		case version == "" && all > 0:
			return fmt.Errorf("accounts that use %s: %d; delete them first, or say --force", slug, all)
		case version != "" && pinned > 0:
			return fmt.Errorf("accounts that are pinned to %s: %d; unpin them first, or say --force", c.Plugin, pinned)
		}
		return nil
	})
}
