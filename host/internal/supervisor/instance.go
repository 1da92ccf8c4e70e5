package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"

	"github.com/unicrm/unicrm/host/internal/executable"
	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/wire"
)

const (
	startTimeout = 10 * time.Second
	// killGrace is how long a process may take to end by itself once it was
	// told to, before its whole process group is killed.
	killGrace = 2 * time.Second
	// maxSocketPath is what a Unix socket's address holds on the strictest system.
	maxSocketPath = 100
)

// safePath is the PATH of every plugin.
const safePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// passedEnv are the only variables of the host that a plugin sees. The host's
// own environment holds database passwords and the like.
var passedEnv = []string{
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "TZ", "LANG", "GOMEMLIMIT", "GOMAXPROCS", "GODEBUG",
}

// instance is one process of one plugin. It is started once and never again.
type instance struct {
	binary   Binary
	manifest *unified.Manifest
	facade   v1
	log      hclog.Logger

	file     *executable.File
	client   *plugin.Client
	cmd      *exec.Cmd
	dir      string   // private folder for the socket and temporary files
	lifeline *os.File // write end; closing it ends the plugin

	dead     chan struct{} // closed when the process is no longer of use
	deadOnce sync.Once
	why      string     // set before dead is closed
	errors   *lastLines // what it wrote to standard error last
}

var _ process = (*instance)(nil)

// start runs a plugin's binary up to a healthy, configured process. On an
// error nothing is left of it.
func start(ctx context.Context, binary Binary, options Options) (_ *instance, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	log, hostVersion := options.Log, options.HostVersion
	i := &instance{binary: binary, log: log, dead: make(chan struct{}), errors: &lastLines{}}
	defer func() {
		if err != nil {
			i.kill()
			if said := i.errors.String(); said != "" {
				err = fmt.Errorf("%w; its last words: %s", err, said)
			}
		}
	}()
	if i.dir, err = os.MkdirTemp("", "ucrm-"); err != nil { // 0700
		return nil, fmt.Errorf("make a folder for its socket: %w", err)
	}
	if len(i.dir)+len("/plugin1234567890") > maxSocketPath {
		return nil, fmt.Errorf("the path of temporary files, %s, is too long for a socket; set TMPDIR to a shorter one", filepath.Dir(i.dir))
	}
	held, end, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make its lifeline: %w", err)
	}
	defer held.Close()
	i.lifeline = end
	if i.file, err = executable.Open(binary.Path, binary.SHA256); err != nil {
		return nil, err
	}
	i.cmd = i.file.Command([]*os.File{held}) // descriptor 3 is the lifeline
	i.cmd.Dir = i.dir
	i.cmd.Env = append(environment(i.dir, log), options.Environment...)
	ownProcessGroup(i.cmd)
	unexpected := log.Named(binary.Slug).StandardWriter(&hclog.StandardLoggerOptions{ForceLevel: hclog.Warn})
	i.client = plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:     wire.Handshake,
		VersionedPlugins:    map[int]plugin.PluginSet{wire.Protocol: {wire.PluginName: connector{}}},
		Cmd:                 i.cmd,
		SkipHostEnv:         true,
		AutoMTLS:            true,
		AllowedProtocols:    []plugin.Protocol{plugin.ProtocolGRPC},
		StartTimeout:        startTimeout - time.Second, // go-plugin gives up before connect does
		Logger:              log,
		SyncStdout:          unexpected,
		SyncStderr:          unexpected,
		Stderr:              i.errors,
		PluginLogBufferSize: 256 << 10,
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(wire.MaxMessage), grpc.MaxCallSendMsgSize(wire.MaxMessage)),
			grpc.WithIdleTimeout(0), // an idle connection would leave READY, which means a crash here
		},
	})
	conn, err := i.connect(ctx)
	if err != nil {
		return nil, err
	}
	i.facade = v1{conn}
	if i.manifest, err = i.facade.handshake(ctx, hostVersion); err != nil {
		return nil, fmt.Errorf("handshake: %w", err)
	}
	if i.manifest.Slug != binary.Slug || i.manifest.Version != binary.Version {
		return nil, fmt.Errorf("the process says that it is %s %s, but the binary was catalogued as %s %s", i.manifest.Slug, i.manifest.Version, binary.Slug, binary.Version)
	}
	if err = i.facade.configure(ctx, "unicrm/"+hostVersion+" ("+binary.Slug+"/"+binary.Version+")"); err != nil {
		return nil, fmt.Errorf("configure: %w", err)
	}
	healthCtx, cancelHealth := context.WithTimeout(ctx, options.HealthTimeout)
	defer cancelHealth()
	if err = i.facade.checkHealth(healthCtx); err != nil {
		return nil, fmt.Errorf("health: %w", err)
	}
	go i.watch(conn)
	return i, nil
}

// connect waits for go-plugin's start, which cannot be cancelled, no longer
// than ctx allows.
func (i *instance) connect(ctx context.Context) (*grpc.ClientConn, error) {
	type outcome struct {
		conn *grpc.ClientConn
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		protocol, err := i.client.Client()
		if err != nil {
			done <- outcome{err: firstSentence(err)}
			return
		}
		raw, err := protocol.Dispense(wire.PluginName)
		if err != nil {
			done <- outcome{err: err}
			return
		}
		done <- outcome{conn: raw.(*grpc.ClientConn)}
	}()
	select {
	case o := <-done:
		return o.conn, o.err
	case <-ctx.Done():
		return nil, fmt.Errorf("it did not speak within %s", startTimeout)
	}
}

// firstSentence drops the list of unrelated causes that go-plugin adds.
func firstSentence(err error) error {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return errors.New(line)
}

// connector hands out the connection itself; the services are generated.
type connector struct{ plugin.NetRPCUnsupportedPlugin }

func (connector) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error {
	return errors.New("this is the host's side")
}

func (connector) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}

func environment(dir string, log hclog.Logger) []string {
	env := []string{
		"PATH=" + safePath, "HOME=" + dir, "TMPDIR=" + dir,
		"PLUGIN_UNIX_SOCKET_DIR=" + dir,
		wire.LifelineEnv + "=3",
		"UNICRM_LOG_LEVEL=" + log.GetLevel().String(),
	}
	for _, name := range passedEnv {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// watch declares the instance dead as soon as its connection is anything but
// ready. gRPC would dial again by itself, to a process that is half alive.
func (i *instance) watch(conn *grpc.ClientConn) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		<-i.dead
		cancel()
	}()
	for {
		state := conn.GetState()
		if state != connectivity.Ready {
			i.condemn("its connection broke or the process ended")
			return
		}
		if !conn.WaitForStateChange(ctx, state) {
			return
		}
	}
}

func (i *instance) call(ctx context.Context, r unified.Request) (*unified.Result, error) {
	return i.facade.call(ctx, r)
}

func (i *instance) checkConnection(ctx context.Context, id string, account unified.Account) error {
	return i.facade.checkConnection(ctx, id, account)
}

func (i *instance) checkHealth(ctx context.Context) error { return i.facade.checkHealth(ctx) }

func (i *instance) died() <-chan struct{} { return i.dead }

// cause tells why the process is of no more use, with what it said last.
func (i *instance) cause() string {
	<-i.dead
	if said := i.errors.String(); said != "" {
		return i.why + "; its last words: " + said
	}
	return i.why
}

func (i *instance) pid() int { return i.cmd.Process.Pid }

func (i *instance) condemn(reason string) {
	i.deadOnce.Do(func() {
		i.why = reason
		close(i.dead)
	})
}

// shutdown asks the process to end, within the grace for that.
func (i *instance) shutdown(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, killGrace)
	defer cancel()
	_ = i.facade.shutdown(ctx)
}

// kill ends the process for certain and removes what it left. go-plugin's own
// Kill has no deadline, and a frozen process never answers it.
func (i *instance) kill() {
	i.condemn("it was stopped")
	if i.client != nil {
		killed := make(chan struct{})
		go func() {
			i.client.Kill()
			close(killed)
		}()
		select {
		case <-killed:
		case <-time.After(killGrace):
		}
		if i.cmd.Process != nil {
			killProcessGroup(i.cmd.Process.Pid)
		}
		<-killed
	}
	if i.lifeline != nil {
		_ = i.lifeline.Close()
	}
	i.file.Close()
	if i.dir != "" {
		_ = os.RemoveAll(i.dir)
	}
}
