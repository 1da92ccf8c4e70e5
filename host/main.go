// Unicrm serves one HTTP API over many CRMs. Each CRM is a provider plugin, a
// separate program that the host starts and talks to.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
	"github.com/hashicorp/go-hclog"
)

// cli is the command line. Every flag can also be set by its UNICRM_ variable
// or in a YAML file, in that order of precedence.
type cli struct {
	Config kong.ConfigFlag `help:"YAML file with flags as keys, such as \"listen: 127.0.0.1:8080\"; keys that the command has no flag for are left to the others." placeholder:"FILE" env:"UNICRM_CONFIG"`

	Serve   serveCommand   `cmd:"" help:"Serve the HTTP API."`
	Sandbox sandboxCommand `cmd:"" help:"Run everything on this machine against emulated CRMs: no credentials needed."`
	Plugin  pluginCommand  `cmd:"" help:"Install, list, swap and remove provider plugins."`
	Token   tokenCommand   `cmd:"" help:"Make, list and delete API tokens."`
	Version versionCommand `cmd:"" help:"Print the version."`
}

type versionCommand struct{}

func (versionCommand) Run() error {
	fmt.Println(version)
	return nil
}

// logFlags are shared by the commands that run for long.
type logFlags struct {
	LogLevel string `help:"Least level of log lines: trace, debug, info, warn, error." enum:"trace,debug,info,warn,error" default:"info" env:"UNICRM_LOG_LEVEL"`
	LogJSON  bool   `name:"log-json" help:"Log JSON lines." env:"UNICRM_LOG_JSON"`
}

func (f logFlags) logger() hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Name: "unicrm", Level: hclog.LevelFromString(f.LogLevel), JSONFormat: f.LogJSON, Output: os.Stderr,
		TimeFormat: time.RFC3339,
	})
}

// besideExecutable is a path beside the running program, whatever the working
// directory: bin/unicrm finds bin/plugins.
func besideExecutable(name string) string {
	executable, err := os.Executable()
	if err != nil {
		return name
	}
	if resolved, err := filepath.EvalSymlinks(executable); err == nil {
		executable = resolved
	}
	return filepath.Join(filepath.Dir(executable), name)
}

func main() {
	// The first signal drains; a second one, no longer caught, ends at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	var c cli
	parser := kong.Must(
		&c,
		kong.Name("unicrm"),
		kong.Description("One HTTP API over your customers' CRMs, run by yourself.\n\nTry it: unicrm sandbox"),
		kong.ShortUsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Configuration(loadConfig),
		kong.Vars{"plugins": besideExecutable("plugins")},
		kong.BindTo(ctx, (*context.Context)(nil)),
	)
	command, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
	err = command.Run()
	serves := command.Command() == "serve" || command.Command() == "sandbox"
	switch {
	case err == nil, serves && errors.Is(err, context.Canceled):
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "unicrm: interrupted; what was not finished was put back")
		os.Exit(130)
	default:
		fmt.Fprintf(os.Stderr, "unicrm: %v\n", err)
		os.Exit(1)
	}
}
