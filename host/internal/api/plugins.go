package api

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/unicrm/unicrm/host/internal/catalog"
	"github.com/unicrm/unicrm/host/internal/supervisor"
	"github.com/unicrm/unicrm/sdk/errs"
)

// Plugin is one provider as operators see it.
type Plugin struct {
	Slug     string          `json:"slug"`
	Name     string          `json:"name"`
	Active   string          `json:"active"`
	Previous string          `json:"previous,omitempty"` // what a rollback goes back to
	Canary   *PluginCanary   `json:"canary"`
	Versions []PluginVersion `json:"versions"` // the active one first
}

// PluginCanary is a version that serves a share of the accounts.
type PluginCanary struct {
	Version string `json:"version"`
	Percent int    `json:"percent"`
}

// PluginVersion is one installed version and what its process is doing.
type PluginVersion struct {
	Version          string `json:"version"`
	Path             string `json:"path"`
	SHA256           string `json:"sha256,omitempty"` // that the lock pins
	SDKVersion       string `json:"sdk_version"`
	ProtocolVersions []int  `json:"protocol_versions"`
	// State is stopped, starting, ready, draining, backoff or quarantined;
	// empty when no host runs.
	State     string `json:"state,omitempty"`
	PID       int    `json:"pid,omitempty"`
	Calls     int    `json:"calls_in_flight"`
	Starts    int    `json:"starts"`
	Failures  int    `json:"recent_failures"`
	LastError string `json:"last_error,omitempty"`
	NotBefore string `json:"not_before,omitempty"` // no start before this, RFC 3339
}

// PluginList is the answer of GET /plugin.
type PluginList struct {
	PluginDir string   `json:"plugin_dir"`
	Result    []Plugin `json:"result"`
	// Problems tell what was left out and why, a sentence each.
	Problems []string `json:"problems"`
}

// ShowPlugins makes the list of what a catalog holds; status gives the states
// of a provider's processes and may be nil.
func ShowPlugins(c *catalog.Catalog, status func(slug string) ([]supervisor.Status, bool)) PluginList {
	list := PluginList{PluginDir: c.Dir(), Result: []Plugin{}, Problems: c.Problems()}
	if list.Problems == nil {
		list.Problems = []string{}
	}
	for _, line := range c.Lines() {
		list.Result = append(list.Result, showPlugin(line, status))
	}
	return list
}

func showPlugin(line *catalog.Line, status func(slug string) ([]supervisor.Status, bool)) Plugin {
	shown := Plugin{Slug: line.Active.Slug, Name: line.Active.Manifest.DisplayName, Active: line.Active.Version, Previous: line.Previous}
	if line.Canary != "" {
		shown.Canary = &PluginCanary{Version: line.Canary, Percent: line.CanaryPercent}
	}
	states := map[string]supervisor.Status{}
	if status != nil {
		all, _ := status(line.Active.Slug)
		for _, s := range all {
			states[s.Version] = s
		}
	}
	for _, p := range line.All() {
		version := PluginVersion{
			Version: p.Version, Path: p.Path, SHA256: p.SHA256, SDKVersion: p.Manifest.SDKVersion, ProtocolVersions: p.Manifest.ProtocolVersions,
		}
		if s, ok := states[p.Version]; ok {
			version.State, version.PID, version.Calls, version.Starts = string(s.State), s.PID, s.Calls, s.Starts
			version.Failures, version.LastError = s.Failures, s.LastError
			if !s.NotBefore.IsZero() {
				version.NotBefore = s.NotBefore.UTC().Format(time.RFC3339)
			}
		}
		shown.Versions = append(shown.Versions, version)
	}
	return shown
}

func (s *Server) listPlugins(x *exchange) error {
	x.resource, x.method = "plugin", "list"
	if err := noParams(x); err != nil {
		return err
	}
	return s.replyValue(x, http.StatusOK, ShowPlugins(s.Catalog, s.Providers.Versions))
}

func (s *Server) getPlugin(x *exchange) error {
	x.resource, x.method = "plugin", "get"
	if err := noParams(x); err != nil {
		return err
	}
	return s.replyPlugin(x, x.params["slug"])
}

func (s *Server) replyPlugin(x *exchange, slug string) error {
	line, ok := s.Catalog.Line(slug)
	if !ok {
		return errs.New(errs.RouteNotFound, "no plugin %q is installed; GET /plugin lists what is", clip(slug))
	}
	return s.replyValue(x, http.StatusOK, showPlugin(line, s.Providers.Versions))
}

// reloadPlugins reads the plugin directory anew and has the supervisor run what
// it says now, without losing a call: of one provider or of all. One provider
// gets a fresh process even when nothing has changed, all of them only with
// restart=true. What does not start leaves the old one serving.
func (s *Server) reloadPlugins(x *exchange) error {
	x.resource, x.method = "plugin", "reload"
	params, err := parseQuery(x.request.URL.RawQuery)
	if err != nil {
		return err
	}
	slug := x.params["slug"]
	restart := slug != ""
	for _, p := range params {
		if p.raw != "restart" {
			return badParam(p.raw, "it is not a parameter of this route")
		}
		if restart, err = readBool(p); err != nil {
			return err
		}
	}
	x.provider = s.knownSlug(slug)
	err = s.Catalog.Reload(x.request.Context(), s.Providers, slug, restart)
	switch {
	case errors.Is(err, catalog.ErrNotInstalled):
		return errs.New(errs.RouteNotFound, "%v", err)
	case err != nil:
		return errs.New(errs.PluginUnavailable, "nothing has changed for what could not be reloaded: %v", err)
	case slug == "":
		return s.replyValue(x, http.StatusOK, ShowPlugins(s.Catalog, s.Providers.Versions))
	}
	if _, ok := s.Catalog.Line(slug); !ok {
		return s.replyValue(x, http.StatusOK, map[string]any{"slug": slug, "versions": []PluginVersion{}})
	}
	return s.replyPlugin(x, slug)
}

// knownSlug keeps what callers send out of metrics.
func (s *Server) knownSlug(slug string) string {
	if _, ok := s.Catalog.Find(slug); ok {
		return slug
	}
	return ""
}

// PinInput names the version that an account is to use, as "slug@version".
type PinInput struct {
	Plugin string `json:"plugin"`
}

// Pin tells which version an account uses; null for whichever serves.
type Pin struct {
	ID            string  `json:"id"`
	Integration   string  `json:"integration"`
	PluginVersion *string `json:"plugin_version"`
}

func (s *Server) pinAccount(x *exchange) error {
	x.resource, x.method = "plugin", "pin"
	if err := noParams(x); err != nil {
		return err
	}
	var input PinInput
	if err := readJSON(x, &input); err != nil {
		return err
	}
	slug, version, _ := strings.Cut(input.Plugin, "@")
	if slug == "" || version == "" {
		return &errs.Error{Reason: errs.InvalidBody, Message: "plugin must be a slug and a version, as wix@0.1.0", Fields: []errs.Field{{Path: "plugin", Description: "must be a slug and a version, as wix@0.1.0"}}}
	}
	return s.pin(x, slug, version)
}

func (s *Server) unpinAccount(x *exchange) error {
	x.resource, x.method = "plugin", "unpin"
	if err := noParams(x); err != nil {
		return err
	}
	return s.pin(x, "", "")
}

func (s *Server) pin(x *exchange, slug, version string) error {
	account, err := s.Accounts.Pin(x.request.Context(), x.params["id"], slug, version)
	if err != nil {
		return err
	}
	x.provider = s.knownSlug(account.Integration)
	pin := Pin{ID: account.ID, Integration: account.Integration}
	if account.PluginVersion != "" {
		pin.PluginVersion = &account.PluginVersion
	}
	return s.replyValue(x, http.StatusOK, pin)
}
