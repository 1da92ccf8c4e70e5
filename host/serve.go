package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/unicrm/unicrm/host/internal/access"
	"github.com/unicrm/unicrm/host/internal/accounts"
	"github.com/unicrm/unicrm/host/internal/api"
	"github.com/unicrm/unicrm/host/internal/catalog"
	"github.com/unicrm/unicrm/host/internal/control"
	"github.com/unicrm/unicrm/host/internal/executable"
	"github.com/unicrm/unicrm/host/internal/store"
	"github.com/unicrm/unicrm/host/internal/supervisor"
)

// hostFlags are shared by the commands that serve.
type hostFlags struct {
	Listen         string        `help:"Address to serve on; port 0 takes a free one." default:"127.0.0.1:8080" env:"UNICRM_LISTEN"`
	PluginDir      string        `help:"Folder of the provider plugins." default:"${plugins}" env:"UNICRM_PLUGIN_DIR" type:"path"`
	RequestTimeout time.Duration `help:"Time that one API call has in all, retries and waits included." default:"30s" env:"UNICRM_REQUEST_TIMEOUT"`
	BatchTimeout   time.Duration `help:"Time that one call about many records, a batch-delete, has in all." default:"5m" env:"UNICRM_BATCH_TIMEOUT"`
	DrainTimeout   time.Duration `help:"Time that requests in flight have to end after SIGTERM." default:"30s" env:"UNICRM_DRAIN_TIMEOUT"`
	LenientFilters bool          `help:"Ignore filters and sort keys that a provider cannot serve, and name them in the header Unicrm-Ignored." env:"UNICRM_LENIENT_FILTERS"`
	processFlags
	logFlags
}

type serveCommand struct {
	hostFlags
	DataDir              string `help:"Folder of the store, made if absent." default:"unicrm-data" env:"UNICRM_DATA_DIR" type:"path"`
	AllowBaseURLOverride bool   `help:"Let accounts name the address that their calls go to (base_url): for emulators and proxies." env:"UNICRM_ALLOW_BASE_URL_OVERRIDE"`
}

func (serveCommand) Help() string {
	return `Examples:
  unicrm token create --environment prod
  unicrm serve --listen 127.0.0.1:8080 --data-dir /var/lib/unicrm`
}

func (c *serveCommand) Run(ctx context.Context) error {
	log := c.logger()
	plugins, err := catalog.Open(ctx, c.PluginDir)
	if err != nil {
		return err
	}
	for _, problem := range plugins.Problems() {
		log.Error("plugin directory", "problem", problem)
	}
	if len(plugins.Lines()) == 0 {
		log.Warn("no provider plugin is installed", "plugin_dir", c.PluginDir)
	}
	h, err := newHost(ctx, c.hostFlags, c.DataDir, plugins, c.AllowBaseURLOverride, log)
	if err != nil {
		return err
	}
	defer h.close()
	if err := h.listen(); err != nil {
		return err
	}
	if err := h.start(ctx); err != nil {
		return err
	}
	return h.wait(ctx)
}

// host is a running host: everything between the listener and the plugins.
type host struct {
	flags      hostFlags
	dataDir    string
	log        hclog.Logger
	catalog    *catalog.Catalog
	store      *store.Store
	tokens     *access.Tokens
	accounts   *accounts.Accounts
	supervisor *supervisor.Supervisor
	server     *http.Server
	listener   net.Listener
	failed     chan error // gets one value, when serving ends
	withdraw   func()     // ends the announcement to commands; nil before there is one
}

func storePath(dataDir string) string { return filepath.Join(dataDir, "unicrm.db") }

func newHost(ctx context.Context, flags hostFlags, dataDir string, plugins *catalog.Catalog, allowBaseURLs bool, log hclog.Logger) (*host, error) {
	if flags.RequestTimeout < time.Second {
		return nil, fmt.Errorf("--request-timeout %s is less than a second", flags.RequestTimeout)
	}
	if flags.BatchTimeout < time.Second {
		return nil, fmt.Errorf("--batch-timeout %s is less than a second", flags.BatchTimeout)
	}
	options, err := flags.supervisorOptions(log)
	if err != nil {
		return nil, err
	}
	if removed, err := executable.Sweep(); err != nil || removed > 0 {
		log.Info("removed what hosts that were killed left", "folders", removed, "error", err)
	}
	s, err := store.Open(ctx, storePath(dataDir))
	if err != nil {
		return nil, err
	}
	// The migrations were parsed in pooled buffers of 4 MiB each. Left there, they
	// let the heap grow to twice their size before it is first collected; a pool
	// is empty after two collections.
	runtime.GC()
	runtime.GC()
	for _, slug := range flags.named() {
		if _, ok := plugins.Find(slug); !ok {
			log.Warn("a setting names a plugin that is not installed", "plugin", slug)
		}
	}
	h := &host{
		flags: flags, dataDir: dataDir, log: log, catalog: plugins, store: s, tokens: access.New(s),
		supervisor: supervisor.New(plugins.Plans(), options),
	}
	h.accounts = accounts.New(s, plugins, h.supervisor, allowBaseURLs)
	handler, err := api.New(ctx, api.Config{
		Store: s, Tokens: h.tokens, Accounts: h.accounts, Catalog: plugins, Providers: h.supervisor,
		RequestTimeout: flags.RequestTimeout, BatchTimeout: flags.BatchTimeout, LenientFilters: flags.LenientFilters, Log: log,
	})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	h.server = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		// One that passes while a request is worked on ends it, so it is longer
		// than a call; calls that may take longer still move both.
		ReadTimeout:    flags.RequestTimeout + 30*time.Second,
		WriteTimeout:   flags.RequestTimeout + 30*time.Second,
		IdleTimeout:    120 * time.Second,
		MaxHeaderBytes: 32 << 10,
		ErrorLog:       log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
	return h, nil
}

// listen takes the port, with a sentence for the usual mistakes.
func (h *host) listen() error {
	listener, err := net.Listen("tcp", h.flags.Listen)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is taken by another program; stop it, or choose another address with --listen", h.flags.Listen)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("this user may not listen on %s; choose a port above 1023 with --listen", h.flags.Listen)
	case err != nil:
		return fmt.Errorf("listen: %w", err)
	}
	h.listener = listener
	if address, ok := listener.Addr().(*net.TCPAddr); ok && !address.IP.IsLoopback() {
		h.log.Warn("plain HTTP is open beyond this machine; put a TLS proxy before it, or listen on 127.0.0.1", "address", listener.Addr().String())
	}
	return nil
}

// baseURL is where the API is reached from this machine.
func (h *host) baseURL() string {
	address := h.listener.Addr().String()
	for _, any := range []string{"[::]:", "0.0.0.0:"} {
		if port, ok := strings.CutPrefix(address, any); ok {
			address = "127.0.0.1:" + port
		}
	}
	return "http://" + address
}

// start begins to answer, after the plugins that are to run from the start do.
func (h *host) start(ctx context.Context) error {
	if slugs := h.flags.StartPlugins; len(slugs) > 0 {
		if slices.Contains(slugs, "all") {
			slugs = nil
		}
		if err := h.supervisor.Start(ctx, slugs...); err != nil {
			h.log.Error("not all plugins started; they are tried again when they are needed", "error", err)
		}
	}
	var err error
	h.withdraw, err = control.Announce(control.Host{URL: h.baseURL(), Token: h.tokens.Local(), PluginDir: h.catalog.Dir(), DataDir: h.dataDir, Version: version})
	if err != nil {
		return err
	}
	h.failed = make(chan error, 1)
	go func() { h.failed <- h.server.Serve(h.listener) }()
	h.log.Info("serving", "version", version, "url", h.baseURL())
	return nil
}

// wait returns when ctx has ended and the requests in flight are answered.
func (h *host) wait(ctx context.Context) error {
	select {
	case err := <-h.failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	h.withdraw() // nobody shall take the port and get what commands send
	h.log.Info("draining; a second signal ends at once", "timeout", h.flags.DrainTimeout.String())
	drain, cancel := context.WithTimeout(context.Background(), h.flags.DrainTimeout)
	defer cancel()
	if err := h.server.Shutdown(drain); err != nil {
		h.log.Warn("requests were cut because draining took too long")
		_ = h.server.Close()
	}
	return nil
}

// close ends the plugins and the store; no process is left.
func (h *host) close() {
	if h.withdraw != nil {
		h.withdraw()
	}
	stopping, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	h.supervisor.Close(stopping)
	if h.listener != nil {
		_ = h.listener.Close() // also where serving never began
	}
	_ = h.store.Close()
}
