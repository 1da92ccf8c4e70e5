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
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"

	"github.com/unicrm/unicrm/host/internal/executable"
	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/wire"
)

const (
	// exitNotice is how long a broken connection waits for the process's own
	// end, which tells more.
	exitNotice = 100 * time.Millisecond
	// maxSocketPath is what a Unix socket's address holds on the strictest system.
	maxSocketPath = 100
)

// passedEnv are the only variables of the host that a plugin sees. The host's
// own environment holds database passwords and the like.
var passedEnv = []string{
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
	"SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "TZ", "LANG", "GOMEMLIMIT", "GOMAXPROCS", "GODEBUG",
}

// instance is one process of one plugin. It is started once and never again.
type instance struct {
	binary Binary
	facade v1
	output *pluginLog
	grace  time.Duration

	file     *executable.File
	client   *plugin.Client
	child    *child
	folder   *executable.Folder // private, for the socket and temporary files
	lifeline *os.File           // write end; closing it ends the plugin
	held     *os.File           // the plugin's end of it, open until it has been started

	dead     chan struct{} // closed when the process is no longer of use
	deadOnce sync.Once
	why      string // set before dead is closed
}

var _ process = (*instance)(nil)

// start runs a plugin's binary up to a healthy, configured process. On an
// error, also when ctx ends, nothing is left of it.
func start(ctx context.Context, binary Binary, options Options, limit *logLimit) (_ *instance, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, options.StartTimeout, fmt.Errorf("it was not ready within %s", options.StartTimeout))
	defer cancel()
	i := &instance{binary: binary, output: newPluginLog(binary, options.Log, limit), grace: options.KillGrace, dead: make(chan struct{})}
	defer func() {
		if err != nil {
			i.die("it did not start")
			i.kill()
			if said := i.output.last.String(); said != "" {
				err = fmt.Errorf("%w; its last words: %s", err, said)
			}
		}
	}()
	if i.folder, err = executable.PrivateFolder(); err != nil {
		return nil, err
	}
	dir := i.folder.Path
	if len(dir)+len("/plugin1234567890") > maxSocketPath {
		return nil, fmt.Errorf("the path of temporary files, %s, is too long for a socket; set TMPDIR to a shorter one", filepath.Dir(dir))
	}
	held, end, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make its lifeline: %w", err)
	}
	i.lifeline, i.held = end, held
	if i.file, err = executable.Open(binary.Path, binary.SHA256); err != nil {
		return nil, err
	}
	cmd := i.file.Command([]*os.File{held}) // descriptor 3 is the lifeline
	cmd.Dir = dir
	cmd.Env = environment(dir, options.Log)
	if options.Environment != nil {
		cmd.Env = append(cmd.Env, options.Environment(binary.Slug)...)
	}
	i.child = newChild(cmd, i.output, options.KillGrace)
	i.client = i.newClient(cmd, options)
	conn, err := i.connect(ctx)
	if err != nil {
		return nil, err
	}
	_ = held.Close()
	i.facade = v1{conn}
	if err := i.introduce(ctx, options); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, err
	}
	go i.watch(conn)
	return i, nil
}

// newClient is go-plugin's part of an instance. It is good for one start.
func (i *instance) newClient(cmd *exec.Cmd, options Options) *plugin.Client {
	// What go-plugin has to say is about its own parts; that a process does not
	// start, or has ended, is told by the supervisor.
	itsLog := hclog.New(&hclog.LoggerOptions{
		Name: "go-plugin", Level: hclog.Warn, DisableTime: true,
		Output: i.output.log.StandardWriter(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	})
	return plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  wire.Handshake,
		VersionedPlugins: map[int]plugin.PluginSet{wire.Protocol: {wire.PluginName: connector{}}},
		RunnerFunc: func(_ hclog.Logger, spec *exec.Cmd, folder string) (runner.Runner, error) {
			_ = os.Remove(folder) // the socket lies in the private one
			cmd.Env = append(cmd.Env, spec.Env...)
			cmd.Env = append(cmd.Env, plugin.EnvUnixSocketDir+"="+i.folder.Path)
			return i.child, nil
		},
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: i.folder.Path},
		SkipHostEnv:      true,
		AutoMTLS:         true,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		StartTimeout:     options.StartTimeout + time.Second, // connect gives up first
		Logger:           itsLog,
		SyncStdout:       i.output.writer(),
		SyncStderr:       i.output.writer(),
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(wire.MaxMessage), grpc.MaxCallSendMsgSize(wire.MaxMessage)),
			grpc.WithIdleTimeout(0), // an idle connection would leave READY, which means a crash here
		},
	})
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
			done <- outcome{err: i.explain(err)}
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
		return nil, context.Cause(ctx)
	}
}

// explain says why go-plugin's start failed. Of its own words, which list
// unrelated causes, the first line is kept where nothing better is known.
func (i *instance) explain(err error) error {
	said, _, _ := strings.Cut(err.Error(), "\n")
	if !strings.HasPrefix(said, "Unrecognized remote plugin message") {
		return errors.New(said)
	}
	if line, ok := i.child.firstLine(); ok {
		return fmt.Errorf("it printed %.200q to standard output, where nothing but the handshake line may come first", line)
	}
	if fate := i.child.fate(exitNotice); fate != "" {
		return fmt.Errorf("it ended before it had said where it listens: %s", fate)
	}
	return errors.New("it closed its standard output without having said where it listens")
}

// introduce makes sure that the process is the plugin that it should be, and
// well.
func (i *instance) introduce(ctx context.Context, options Options) error {
	manifest, err := i.facade.handshake(ctx, options.HostVersion)
	if err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	if manifest.Slug != i.binary.Slug || manifest.Version != i.binary.Version {
		return fmt.Errorf("the process says that it is %s %s, but the binary was catalogued as %s %s", manifest.Slug, manifest.Version, i.binary.Slug, i.binary.Version)
	}
	if described := i.binary.Manifest; described != nil {
		if found := manifestDifference(described, manifest); found != "" {
			return fmt.Errorf("its manifest lies: %s", found)
		}
	}
	if err := i.facade.configure(ctx, "unicrm/"+options.HostVersion+" ("+i.binary.Slug+"/"+i.binary.Version+")"); err != nil {
		return fmt.Errorf("configure: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, options.HealthTimeout)
	defer cancel()
	if err := i.facade.checkHealth(ctx); err != nil {
		return fmt.Errorf("health: %w", err)
	}
	return nil
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
		"PATH=" + executable.SafePath, "HOME=" + dir, "TMPDIR=" + dir,
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
			i.condemn("its connection broke")
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
	if said := i.output.last.String(); said != "" {
		return i.why + "; its last words: " + said
	}
	return i.why
}

func (i *instance) pid() int { return i.child.processID() }

func (i *instance) condemn(reason string) {
	i.deadOnce.Do(func() {
		i.why = reason
		if fate := i.child.fate(exitNotice); fate != "" {
			i.why = "the process ended: " + fate
		}
		close(i.dead)
	})
}

// die is condemn for a process whose own end is not of interest.
func (i *instance) die(reason string) {
	i.deadOnce.Do(func() {
		i.why = reason
		close(i.dead)
	})
}

// shutdown asks the process to end, within the grace for that.
func (i *instance) shutdown(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, i.grace)
	defer cancel()
	if i.facade.shutdown(ctx) != nil {
		i.die("it was told to end and did not answer")
	}
}

// kill ends the process for certain and removes what it left. go-plugin's own
// Kill has no deadline, and a frozen process never answers it.
func (i *instance) kill() {
	if i.child != nil {
		select {
		case <-i.dead:
			i.child.kill() // it is of no use to ask
		default:
			i.die("it was stopped")
		}
		killed := make(chan struct{})
		go func() {
			i.client.Kill()
			close(killed)
		}()
		select {
		case <-killed:
		case <-time.After(i.grace):
			i.child.kill()
			<-killed
		}
	}
	if i.lifeline != nil {
		_ = i.held.Close()
		_ = i.lifeline.Close()
	}
	i.file.Close()
	i.folder.Close()
}
