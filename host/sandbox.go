package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/unicrm/unicrm/host/internal/accounts"
	"github.com/unicrm/unicrm/host/internal/catalog"
	"github.com/unicrm/unicrm/host/internal/sandbox"
	"github.com/unicrm/unicrm/host/internal/unified"
)

// environment is the one that a sandbox's token and accounts belong to. It is
// emptied at each start.
const environment = "sandbox"

// sandboxSeed is how many plain contacts each emulator begins with.
const sandboxSeed = 30

type sandboxCommand struct {
	hostFlags
	DataDir   string   `help:"Folder of the store and of sandbox.json, made if absent; a temporary one when left out." env:"UNICRM_DATA_DIR" type:"path"`
	Providers []string `help:"Providers to run; all that have an emulator when left out." placeholder:"SLUG,..." env:"UNICRM_PROVIDERS"`
	NoSeed    bool     `help:"Begin with empty CRMs; the accounts are there all the same." env:"UNICRM_NO_SEED"`
}

func (sandboxCommand) Help() string {
	return `The plugins are copied into the data directory, anew at each start: what
unicrm plugin install --data-dir puts there lasts as long as the sandbox runs.

Examples:
  unicrm sandbox
  unicrm sandbox --listen 127.0.0.1:0 --data-dir ./try --providers wix,planhat`
}

func (c *sandboxCommand) Run(ctx context.Context) error {
	log := c.logger()
	if c.DataDir == "" {
		temporary, err := os.MkdirTemp("", "unicrm-sandbox-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(temporary)
		c.DataDir = temporary
	}
	if err := os.MkdirAll(c.DataDir, 0o700); err != nil {
		return fmt.Errorf("make the data directory: %w", err)
	}
	unlock, err := sandbox.Lock(c.DataDir)
	if err != nil {
		return err
	}
	defer unlock()
	// Nobody shall read of a sandbox that is gone.
	file := filepath.Join(c.DataDir, "sandbox.json")
	if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("remove the old sandbox.json: %w", err)
	}
	defer func() { _ = os.Remove(file) }()
	built, err := catalog.Open(ctx, c.PluginDir)
	if err != nil {
		return err
	}
	for _, problem := range built.Problems() {
		log.Error("plugin directory", "problem", problem)
	}
	chosen, err := c.choose(built)
	if err != nil {
		return err
	}
	installed := filepath.Join(c.DataDir, "plugins")
	if err := os.RemoveAll(installed); err != nil { // what an earlier run installed
		return err
	}
	if err := installAll(ctx, installed, chosen); err != nil {
		return err
	}
	plugins, err := catalog.Open(ctx, installed)
	if err != nil {
		return err
	}
	h, err := newHost(ctx, c.hostFlags, c.DataDir, plugins, true, log)
	if err != nil {
		return err
	}
	defer h.close()
	if err := h.listen(); err != nil { // before anything is started that would have to be stopped
		return err
	}
	seed := sandboxSeed
	if c.NoSeed {
		seed = 0
	}
	emulators, err := sandbox.StartEmulators(ctx, plugins.Plugins(), seed)
	if err != nil {
		return err
	}
	defer sandbox.StopEmulators(emulators)
	if err := h.start(ctx); err != nil {
		return err
	}
	access, first, err := c.connect(ctx, h, emulators)
	if err != nil {
		return err
	}
	if err := access.Write(c.DataDir); err != nil {
		return err
	}
	c.print(plugins, access, first)
	return h.wait(ctx)
}

// installAll fills a plugin directory as `unicrm plugin install` would, but for
// the trial start: what does not start is seen at once here.
func installAll(ctx context.Context, dir string, plugins []*catalog.Plugin) error {
	d, err := catalog.Change(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	for _, p := range plugins {
		if _, err := d.Install(ctx, p.Path, catalog.InstallOptions{}); err != nil {
			return err
		}
	}
	if err := d.Commit(); err != nil {
		return err
	}
	d.Done()
	return nil
}

// choose picks the providers asked for, or all that have an emulator.
func (c *sandboxCommand) choose(built *catalog.Catalog) ([]*catalog.Plugin, error) {
	var chosen []*catalog.Plugin
	for _, slug := range c.Providers {
		if slug == "" {
			continue
		}
		p, ok := built.Find(slug)
		if !ok {
			return nil, fmt.Errorf("no plugin %q in %s, or it was left out for the reason above", slug, c.PluginDir)
		}
		if !slices.Contains(chosen, p) {
			chosen = append(chosen, p)
		}
	}
	if len(c.Providers) == 0 {
		for _, p := range built.Plugins() {
			if p.Manifest.HasEmulator {
				chosen = append(chosen, p)
			}
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no plugin in %s; `make build` makes them", c.PluginDir)
	}
	return chosen, nil
}

// connect makes a token, and an account for each emulator. first holds an id of
// each provider's first contact, for the commands to paste.
func (c *sandboxCommand) connect(ctx context.Context, h *host, emulators []*sandbox.Emulator) (file sandbox.File, first map[string]string, err error) {
	if err := h.store.Clear(ctx, environment); err != nil { // what an earlier run left points nowhere
		return file, nil, fmt.Errorf("clear the sandbox's environment: %w", err)
	}
	token, _, err := h.tokens.Create(ctx, environment, "sandbox")
	if err != nil {
		return file, nil, err
	}
	first = map[string]string{}
	file = sandbox.File{BaseURL: h.baseURL(), Token: token, Providers: map[string]sandbox.ProviderFile{}}
	for _, e := range emulators {
		account, err := json.Marshal(e.Context)
		if err != nil {
			return file, nil, err
		}
		made, err := h.accounts.Create(ctx, environment, "sandbox", accounts.Input{Integration: e.Slug, TenantID: "sandbox", Context: account}, false)
		if err != nil {
			return file, nil, fmt.Errorf("connect %s to its emulator: %w", e.Slug, err)
		}
		file.Providers[e.Slug] = sandbox.ProviderFile{IntegratedAccountID: made.ID, EmulatorURL: e.URL, ControlURL: e.ControlURL, Context: e.Context}
		if c.NoSeed {
			continue
		}
		list, err := h.supervisor.Call(ctx, e.Slug, unified.Request{ID: "sandbox", Account: accounts.ForProvider(made), Resource: "contacts", Method: unified.List, PageSize: 1})
		if err != nil {
			h.log.Warn("there is no contact to show", "provider", e.Slug, "error", err)
			continue
		}
		if len(list.Records) > 0 {
			first[e.Slug], _ = list.Records[0]["id"].(string)
		}
	}
	return file, first, nil
}

func (c *sandboxCommand) print(plugins *catalog.Catalog, file sandbox.File, first map[string]string) {
	curl := "curl -s -H 'Authorization: Bearer " + file.Token + "'"
	fmt.Printf("unicrm %s sandbox at %s (Ctrl-C ends it)\n\ntoken: %s\n", version, file.BaseURL, file.Token)
	for _, p := range plugins.Plugins() {
		account := "integrated_account_id=" + file.Providers[p.Slug].IntegratedAccountID
		fmt.Printf("\n# %s: list contacts", p.Manifest.DisplayName)
		if id := first[p.Slug]; id != "" {
			fmt.Printf(", then delete the first\n%s '%s/unified/crm/contacts?limit=5&%s'\n", curl, file.BaseURL, account)
			fmt.Printf("%s -X DELETE '%s/unified/crm/contacts/%s?%s'\n", curl, file.BaseURL, id, account)
		} else {
			fmt.Printf("\n%s '%s/unified/crm/contacts?limit=5&%s'\n", curl, file.BaseURL, account)
		}
	}
	fmt.Printf("\naccounts, emulators and credentials for programs: %s\n\n", filepath.Join(c.DataDir, "sandbox.json"))
}
