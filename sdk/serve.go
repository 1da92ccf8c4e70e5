package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/redact"
	"github.com/unicrm/unicrm/sdk/wire"
)

// Option adds to what a provider's binary can do.
type Option func(*program)

// WithEmulator gives the binary the `emulate` command.
func WithEmulator(definition emulator.Definition) Option {
	return func(p *program) { p.emulator = &definition }
}

// program is a provider's binary.
type program struct {
	provider Provider
	emulator *emulator.Definition
}

// Serve is a provider's main. It does not return.
//
// Started by a host it serves the protocol; started by a person it describes
// itself (`describe`), runs the vendor's emulator (`emulate`), or says what it
// is.
func Serve(provider Provider, options ...Option) {
	p := &program{provider: provider}
	for _, option := range options {
		option(p)
	}
	os.Exit(p.run(os.Args[1:]))
}

func (p *program) run(args []string) int {
	manifest, err := p.provider.manifest(p.emulator != nil)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%v\n", err)
		return 1
	}
	name := wire.BinaryPrefix + p.provider.Slug
	switch {
	case len(args) > 0 && args[0] == "describe":
		if len(args) > 1 && args[1] == "--json" {
			fmt.Println(protojson.MarshalOptions{UseProtoNames: true}.Format(manifest))
			return 0
		}
		fmt.Printf("%s %s: %s\nSDK %s, protocol %v\n", manifest.Slug, manifest.Version, manifest.DisplayName, manifest.SdkVersion, manifest.ProtocolVersions)
		for _, resource := range manifest.Resources {
			for _, method := range resource.Methods {
				fmt.Printf("  %s %s\n", resource.Resource, method.Method)
			}
		}
		return 0
	case len(args) > 0 && args[0] == "emulate" && p.emulator != nil:
		return emulator.Command(*p.emulator, args[1:], os.Stdout, os.Stderr)
	case len(args) > 0 && (args[0] == "version" || args[0] == "--version"):
		fmt.Println(manifest.Version)
		return 0
	case len(args) == 0 && os.Getenv(wire.Handshake.MagicCookieKey) == wire.Handshake.MagicCookieValue:
		return p.serve()
	default:
		fmt.Fprintf(os.Stderr, "%s %s is a provider plugin for unicrm, which starts it by itself.\n\n", name, manifest.Version)
		fmt.Fprintf(os.Stderr, "usage:\n  %s describe [--json]   what it is and what it can do\n", name)
		if p.emulator != nil {
			fmt.Fprintf(os.Stderr, "  %s emulate [flags]     run an emulator of the vendor's API (--help lists the flags)\n", name)
		}
		fmt.Fprintf(os.Stderr, "  %s version             the version alone\n", name)
		if len(args) > 0 && (args[0] == "--help" || args[0] == "-h" || args[0] == "help") {
			return 0
		}
		return 2
	}
}

// serve speaks the protocol with the host that started this process.
func (p *program) serve() int {
	stdio, err := takeStdio()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := watchLifeline(os.Getenv(wire.LifelineEnv)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	secrets := redact.New()
	log := hclog.New(&hclog.LoggerOptions{
		Name: p.provider.Slug, Level: hclog.LevelFromString(os.Getenv("UNICRM_LOG_LEVEL")), JSONFormat: true,
		Output: &logWriter{out: stdio.stderr, secrets: secrets},
	})
	s, err := newServer(&p.provider, p.emulator != nil, log, secrets)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  wire.Handshake,
		VersionedPlugins: map[int]plugin.PluginSet{wire.Protocol: {wire.PluginName: &served{server: s}}},
		Logger:           log,
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			options = append(options, grpc.ChainUnaryInterceptor(func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
				stdio.restore()
				return handler(ctx, request)
			}))
			return grpc.NewServer(append(options, s.grpcOptions()...)...)
		},
	})
	return 0
}

// served puts the services on go-plugin's gRPC server.
type served struct {
	plugin.NetRPCUnsupportedPlugin
	server *server
}

func (p *served) GRPCServer(_ *plugin.GRPCBroker, g *grpc.Server) error {
	p.server.register(g)
	return nil
}

func (p *served) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("this is the plugin's side")
}

// stdio is what became of standard output and error. File descriptor 1 is for
// go-plugin's handshake line alone: a stray print there would break the start,
// and one after it would block when nobody reads. So descriptor 1 leads to
// standard error, and only os.Stdout leads to the host until the first call.
type stdio struct {
	stderr *os.File
	once   sync.Once
}

func takeStdio() (*stdio, error) {
	handshake, err := syscall.Dup(1)
	if err != nil {
		return nil, fmt.Errorf("duplicate standard output: %w", err)
	}
	syscall.CloseOnExec(handshake)
	if err := dup2(2, 1); err != nil {
		return nil, fmt.Errorf("redirect standard output: %w", err)
	}
	s := &stdio{stderr: os.Stderr}
	os.Stdout = os.NewFile(uintptr(handshake), "handshake")
	return s, nil
}

// restore undoes what go-plugin did to os.Stdout and os.Stderr, which it leads
// into streams that block or vanish when the host's connection is renewed.
func (s *stdio) restore() {
	s.once.Do(func() {
		os.Stdout = s.stderr
		os.Stderr = s.stderr
	})
}

// watchLifeline ends the process when the host has gone, also when the host
// was killed. While the lifeline holds, signals meant for the host's process
// group do not end the plugin: the host drains it.
func watchLifeline(fd string) error {
	if fd == "" {
		return nil // started by a tool that watches in its own way
	}
	number, err := strconv.Atoi(fd)
	if err != nil || number < 3 {
		return fmt.Errorf("%s=%q is not a file descriptor", wire.LifelineEnv, fd)
	}
	syscall.CloseOnExec(number)
	lifeline := os.NewFile(uintptr(number), "lifeline")
	signal.Ignore(syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		_, _ = io.Copy(io.Discard, lifeline)
		os.Exit(0)
	}()
	return nil
}

// maxLogLine is what a log line is cut to: the host's reader gives up on the
// level of longer ones.
const maxLogLine = 16 << 10

// logWriter strikes secrets out of log lines and cuts long ones. hclog writes
// one JSON object a line, so a cut line is written anew as a short one.
type logWriter struct {
	out     io.Writer
	secrets *redact.Secrets
}

func (w *logWriter) Write(line []byte) (int, error) {
	clean := w.secrets.Bytes(line)
	if len(clean) > maxLogLine {
		clean = shorten(clean)
	}
	if _, err := w.out.Write(clean); err != nil {
		return 0, err
	}
	return len(line), nil
}

// shorten cuts the longest values until the line fits.
func shorten(line []byte) []byte {
	var fields map[string]any
	if json.Unmarshal(line, &fields) != nil {
		return append(append([]byte{}, line[:maxLogLine-1]...), '\n')
	}
	for limit := maxLogLine / 2; limit > 64; limit /= 2 {
		for key, value := range fields {
			if text, ok := value.(string); ok && len(text) > limit {
				fields[key] = text[:limit] + "…(cut)"
			}
		}
		if short, err := json.Marshal(fields); err == nil && len(short) < maxLogLine {
			return append(short, '\n')
		}
	}
	return []byte(`{"@level":"warn","@message":"a log line was too long to keep"}` + "\n")
}
