package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// Command is `unicrm-provider-<slug> emulate`: it parses args, runs the
// emulator until a signal comes or the starting process ends, and returns the
// exit code.
func Command(def Definition, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("unicrm-provider-"+def.Slug+" emulate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	switches := switchFlag{}
	listen := flags.String("listen", "127.0.0.1:0", "address of the vendor's API; port 0 takes a free one")
	seed := flags.Int("seed", 30, "plain contacts to begin with; 0 begins with an empty CRM")
	asJSON := flags.Bool("json", false, `print {"url", "control_url", "context"} on one line`)
	flags.Var(switches, "switch", "name=value, may be repeated")
	flags.Usage = func() {
		fmt.Fprintf(stderr, "Runs an emulator of the %s API on this machine until interrupted.\n\nusage: unicrm-provider-%s emulate [flags]\n\n", def.Slug, def.Slug)
		flags.PrintDefaults()
		if len(def.Switches) > 0 {
			fmt.Fprintf(stderr, "\nswitches (the default first):\n")
		}
		for _, s := range def.Switches {
			others := strings.Join(s.Values, ", ")
			if others == "" {
				others = "any value"
			}
			fmt.Fprintf(stderr, "  %s=%s\n      %s (%s)\n", s.Name, s.Default, s.Doc, others)
		}
		fmt.Fprintf(stderr, "\nexample:\n  unicrm-provider-%s emulate --listen 127.0.0.1:9001 --seed 30 --json\n", def.Slug)
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "unexpected argument %q; --help lists the flags\n", flags.Arg(0))
		return 2
	}
	if *seed < 0 {
		fmt.Fprintln(stderr, "--seed is negative")
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go endWithStarter(ctx, os.Getppid(), cancel)
	err := Run(ctx, def, Options{Listen: *listen, Seed: *seed, Switches: switches}, func(s *Server) {
		if *asJSON {
			line, _ := json.Marshal(map[string]any{"url": s.URL(), "control_url": s.ControlURL(), "context": s.Context()})
			fmt.Fprintf(stdout, "%s\n", line)
			return
		}
		account, _ := json.MarshalIndent(s.Context(), "", "  ")
		fmt.Fprintf(stdout, "%s API at %s\ncontrol interface at %s\naccount context:\n%s\n", def.Slug, s.URL(), s.ControlURL(), account)
	})
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// endWithStarter cancels when the process that started this one has gone: the
// kernel then gives it another parent. Polling works on every Unix and does
// not, like a parent-death signal, fire when merely the starting thread ends.
func endWithStarter(ctx context.Context, parent int, cancel func()) {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if os.Getppid() != parent {
				cancel()
				return
			}
		}
	}
}

type switchFlag map[string]string

func (s switchFlag) String() string { return "" }

func (s switchFlag) Set(value string) error {
	name, setting, ok := strings.Cut(value, "=")
	if !ok || name == "" {
		return errors.New("want name=value")
	}
	s[name] = setting
	return nil
}
