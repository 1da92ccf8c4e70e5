package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"

	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/wire"
)

const (
	// startTime is what a host allows for the start, up to the first answer.
	startTime = 10 * time.Second
	// endTime is how long a process may take to end by itself once it was told
	// to, before a host kills its process group.
	endTime = 2 * time.Second
	// maxSocketPath is what a Unix socket's address holds on the strictest system.
	maxSocketPath = 100
	// maxKept is how much of a process's output is kept, in bytes.
	maxKept = 64 << 20
)

// environment is what a host gives to a plugin; see proto/README.md.
func environment(dir, level string) []string {
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" + dir, "TMPDIR=" + dir,
		wire.LifelineEnv + "=3",
		"UNICRM_LOG_LEVEL=" + level,
	}
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "TZ", "LANG"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// process is a plugin that was started as a host starts it.
type process struct {
	cmd      *exec.Cmd
	client   *plugin.Client
	conn     *grpc.ClientConn
	dir      string   // private folder for the socket and temporary files
	lifeline *os.File // write end; closing it ends the plugin
	stdout   *output
	stderr   *output

	pid    atomic.Int64  // 0 before the start; also the id of its process group
	ended  chan struct{} // closed when the process has ended
	err    error         // of the end; set before ended is closed
	killed atomic.Bool   // the suite has killed it
}

// launch starts the plugin up to the handshake line and the connection. On an
// error nothing is left of it; what it printed is still there.
func (s *suite) launch(ctx context.Context, level string) (_ *process, err error) {
	p := &process{stdout: &output{}, stderr: &output{}, ended: make(chan struct{})}
	s.remember(p)
	defer func() {
		if err != nil {
			p.stop()
		}
	}()
	if p.dir, err = os.MkdirTemp("", "ucrm-"); err != nil {
		return p, fmt.Errorf("make a folder for its socket: %w", err)
	}
	if len(p.dir)+len("/plugin1234567890") > maxSocketPath {
		return p, fmt.Errorf("the path of temporary files, %s, is too long for a socket; set TMPDIR to a shorter one", filepath.Dir(p.dir))
	}
	held, end, err := os.Pipe()
	if err != nil {
		return p, fmt.Errorf("make its lifeline: %w", err)
	}
	defer held.Close()
	p.lifeline = end
	config := &plugin.ClientConfig{
		HandshakeConfig:  wire.Handshake,
		VersionedPlugins: map[int]plugin.PluginSet{wire.Protocol: {wire.PluginName: connector{}}},
		SkipHostEnv:      true,
		AutoMTLS:         true,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		StartTimeout:     s.limit(startTime),
		Logger:           hclog.NewNullLogger(),
		UnixSocketConfig: &plugin.UnixSocketConfig{TempDir: p.dir},
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(wire.MaxMessage), grpc.MaxCallSendMsgSize(wire.MaxMessage)),
			grpc.WithIdleTimeout(0),
		},
	}
	// A runner of our own, and not an exec.Cmd, keeps everything that the
	// process prints, to the byte, before go-plugin makes something of it.
	config.RunnerFunc = func(_ hclog.Logger, spec *exec.Cmd, _ string) (runner.Runner, error) {
		p.cmd = exec.Command(s.o.Binary)
		p.cmd.Dir = p.dir
		p.cmd.Env = append(environment(p.dir, level), spec.Env...)
		p.cmd.Env = append(p.cmd.Env, "PLUGIN_UNIX_SOCKET_DIR="+p.dir)
		p.cmd.ExtraFiles = []*os.File{held} // descriptor 3
		p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		p.cmd.WaitDelay = endTime // a child of its own may hold the pipes
		return &started{process: p}, nil
	}
	p.client = plugin.NewClient(config)
	connected := make(chan error, 1)
	go func() {
		protocol, err := p.client.Client()
		if err == nil {
			var raw any
			if raw, err = protocol.Dispense(wire.PluginName); err == nil {
				p.conn, _ = raw.(*grpc.ClientConn)
			}
		}
		connected <- err
	}()
	select {
	case err = <-connected:
	case <-ctx.Done():
		p.killGroup()
		err = <-connected
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n") // go-plugin goes on with unrelated causes
		return p, fmt.Errorf("%s%s", line, p.said())
	}
	return p, nil
}

// prepare makes the first calls of a host.
func (s *suite) prepare(ctx context.Context, p *process) error {
	ctx, cancel := context.WithTimeout(ctx, s.limit(startTime))
	defer cancel()
	client := providerv1.NewProviderServiceClient(p.conn)
	if _, err := client.Handshake(ctx, &providerv1.HandshakeRequest{HostVersion: "0.0.0-conformance"}); err != nil {
		return fmt.Errorf("Handshake: %w", err)
	}
	if _, err := client.Configure(ctx, &providerv1.ConfigureRequest{UserAgent: userAgent}); err != nil {
		return fmt.Errorf("Configure: %w", err)
	}
	if _, err := client.CheckHealth(ctx, &providerv1.CheckHealthRequest{}); err != nil {
		return fmt.Errorf("CheckHealth: %w", err)
	}
	return nil
}

const userAgent = "unicrm-conformance"

// start launches the plugin and makes the first calls.
func (s *suite) start(ctx context.Context, level string) (*process, error) {
	p, err := s.launch(ctx, level)
	if err != nil {
		return nil, err
	}
	if err := s.prepare(ctx, p); err != nil {
		p.stop()
		return nil, fmt.Errorf("%w%s", err, p.said())
	}
	return p, nil
}

// stop ends the process for certain and removes what it left. It may be called
// twice.
func (p *process) stop() {
	p.killed.Store(true)
	p.killGroup()
	if p.client != nil {
		p.client.Kill() // returns at once: the process is dead
	}
	if p.lifeline != nil {
		_ = p.lifeline.Close()
	}
	if p.dir != "" {
		_ = os.RemoveAll(p.dir)
	}
}

// endsWithin tells whether the process ends by itself in time.
func (p *process) endsWithin(limit time.Duration) bool {
	select {
	case <-p.ended:
		return true
	default:
	}
	select {
	case <-p.ended:
		return true
	case <-time.After(limit):
		return false
	}
}

// over tells whether the process has ended.
func (p *process) over() bool { return p.endsWithin(0) }

// groupLives tells whether a process of the plugin's group is still there.
func (p *process) groupLives() bool {
	return !errors.Is(syscall.Kill(-int(p.pid.Load()), 0), syscall.ESRCH)
}

// lastWords tells how the process ended and what it wrote last.
func (p *process) lastWords() string {
	how := "exit status 0"
	if p.err != nil {
		how = p.err.Error()
	}
	return how + p.said()
}

// said quotes the end of standard error.
func (p *process) said() string {
	text := strings.TrimSpace(string(p.stderr.bytes()))
	if text == "" {
		return ""
	}
	const most = 600
	if len(text) > most {
		text = "…" + strings.ToValidUTF8(text[len(text)-most:], "")
	}
	return "; on standard error: " + text
}

func (p *process) killGroup() {
	if pid := p.pid.Load(); pid != 0 {
		_ = syscall.Kill(-int(pid), syscall.SIGKILL)
	}
}

// connector hands out the connection itself; the services are generated.
type connector struct{ plugin.NetRPCUnsupportedPlugin }

func (connector) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error {
	return errors.New("this is the host's side")
}

func (connector) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}

// started is the process as go-plugin wants it.
type started struct {
	*process
	line *io.PipeReader
}

var _ runner.Runner = (*started)(nil)

// Start implements runner.Runner.
func (r *started) Start(context.Context) error {
	read, write := io.Pipe()
	r.line = read
	r.cmd.Stdout = &firstLine{kept: r.stdout, out: write}
	r.cmd.Stderr = r.stderr
	if err := r.cmd.Start(); err != nil {
		_ = write.Close()
		close(r.ended)
		return err
	}
	r.pid.Store(int64(r.cmd.Process.Pid))
	go func() {
		r.err = r.cmd.Wait()
		_ = write.Close()
		close(r.ended)
	}()
	return nil
}

// Stdout implements runner.Runner: the first line alone, for go-plugin stops
// reading at a line that is too long.
func (r *started) Stdout() io.ReadCloser { return r.line }

// Stderr implements runner.Runner: nothing, for it is kept already.
func (r *started) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Wait implements runner.Runner.
func (r *started) Wait(context.Context) error {
	<-r.ended
	return r.err
}

// Kill implements runner.Runner.
func (r *started) Kill(context.Context) error {
	r.killed.Store(true)
	r.killGroup()
	return nil
}

// Diagnose implements runner.Runner.
func (r *started) Diagnose(context.Context) string { return "" }

// Name implements runner.Runner.
func (r *started) Name() string { return filepath.Base(r.cmd.Path) }

// ID implements runner.Runner.
func (r *started) ID() string { return fmt.Sprint(r.cmd.Process.Pid) }

// PluginToHost implements runner.Runner.
func (r *started) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin implements runner.Runner.
func (r *started) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// firstLine keeps all that is written and passes on the first line of it.
type firstLine struct {
	kept *output
	out  *io.PipeWriter
	done bool
}

func (w *firstLine) Write(data []byte) (int, error) {
	_, _ = w.kept.Write(data)
	if !w.done {
		line := data
		if i := bytes.IndexByte(data, '\n'); i >= 0 {
			line, w.done = data[:i+1], true
		}
		_, _ = w.out.Write(line) // fails when go-plugin no longer reads
	}
	return len(data), nil
}

// output keeps what a process writes.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (o *output) Write(data []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if room := maxKept - o.text.Len(); room > 0 {
		o.text.Write(data[:min(room, len(data))])
	}
	return len(data), nil
}

func (o *output) bytes() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.text.Bytes())
}
