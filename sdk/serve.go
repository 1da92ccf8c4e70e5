package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	standardlog "log"
	"os"

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
	case len(args) == 0 && fromHost != nil:
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
	if fromHost.err != nil {
		fmt.Fprintln(os.Stderr, fromHost.err)
		return 1
	}
	fromHost.watchLifeline()
	secrets := redact.New()
	log := hclog.New(&hclog.LoggerOptions{
		Name: p.provider.Slug, Level: hclog.LevelFromString(os.Getenv("UNICRM_LOG_LEVEL")), JSONFormat: true,
		Output: &logWriter{out: fromHost.stderr, secrets: secrets},
	})
	standardlog.SetOutput(&logWriter{out: fromHost.stderr, secrets: secrets}) // for libraries that use it
	s, err := newServer(&p.provider, p.emulator != nil, log, secrets)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := fromHost.expectHandshake(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig:  wire.Handshake,
		VersionedPlugins: map[int]plugin.PluginSet{wire.Protocol: {wire.PluginName: &served{server: s}}},
		Logger:           log,
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			options = append(options, grpc.ChainUnaryInterceptor(func(ctx context.Context, request any, _ *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
				fromHost.restore()
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
	clean := w.strike(line)
	if len(clean) > maxLogLine {
		clean = shorten(clean)
	}
	if _, err := w.out.Write(clean); err != nil {
		return 0, err
	}
	return len(line), nil
}

// strike works on the values of a line and not on its text: a secret that
// looks like a piece of the line itself must not break it.
func (w *logWriter) strike(line []byte) []byte {
	if bytes.Equal(w.secrets.JSON(line), line) {
		return line
	}
	var fields map[string]any
	if json.Unmarshal(line, &fields) != nil {
		return w.secrets.Bytes(line)
	}
	for key, value := range fields {
		switch v := value.(type) {
		case string:
			if key != "@level" && key != "@timestamp" {
				fields[key] = w.secrets.Text(v)
			}
		case bool, float64, nil:
		default: // a list or an object that somebody has logged
			text, _ := json.Marshal(v)
			fields[key] = w.secrets.Text(string(text))
		}
	}
	clean, err := json.Marshal(fields)
	if err != nil {
		return w.secrets.Bytes(line)
	}
	return append(clean, '\n')
}

// shorten cuts the longest values until the line fits.
func shorten(line []byte) []byte {
	var fields map[string]json.RawMessage
	if json.Unmarshal(line, &fields) != nil {
		return append(append([]byte{}, line[:maxLogLine-1]...), '\n')
	}
	for limit := maxLogLine / 2; limit > 64; limit /= 2 {
		for key, value := range fields {
			if len(value) > limit {
				fields[key] = cutValue(value, limit)
			}
		}
		if short, err := json.Marshal(fields); err == nil && len(short) < maxLogLine {
			return append(short, '\n')
		}
	}
	rest := map[string]json.RawMessage{"cut": json.RawMessage(`"too many values to keep"`)}
	for _, key := range []string{"@level", "@message", "@module", "@timestamp"} {
		if value, ok := fields[key]; ok {
			rest[key] = value
		}
	}
	short, _ := json.Marshal(rest) // of pieces of valid JSON
	return append(short, '\n')
}

// cutValue makes a long value into a text that holds its beginning.
func cutValue(value json.RawMessage, limit int) json.RawMessage {
	text := string(value)
	if text[0] == '"' {
		_ = json.Unmarshal(value, &text)
	}
	cut, _ := json.Marshal(text[:min(limit, len(text))] + "…(cut)")
	return cut
}
