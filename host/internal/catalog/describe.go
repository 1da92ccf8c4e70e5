package catalog

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/unicrm/unicrm/host/internal/executable"
	"github.com/unicrm/unicrm/host/internal/supervisor"
)

const (
	describeTimeout = 10 * time.Second
	maxManifest     = 1 << 20
)

// Describe asks a binary for its manifest and checks that it can be used. With
// a hash, a binary that has another is not run. The manifest is given also as
// it was printed.
func Describe(ctx context.Context, path, sum string) (_ *Plugin, printed []byte, err error) {
	whole := ctx
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, err
	}
	if err := executable.Check(absolute); err != nil {
		return nil, nil, err
	}
	file, err := executable.Open(absolute, sum)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	cmd := file.Command(nil, "describe", "--json")
	cmd.Env = []string{"PATH=" + executable.SafePath}
	cmd.Dir = os.TempDir()
	cmd.WaitDelay = time.Second
	var out, problems bytes.Buffer
	cmd.Stdout = &limitedWriter{&out, maxManifest}
	cmd.Stderr = &limitedWriter{&problems, 4 << 10}
	err = runWithin(ctx, cmd)
	if whole.Err() != nil {
		return nil, nil, whole.Err()
	}
	if ctx.Err() != nil {
		return nil, nil, fmt.Errorf("it did not describe itself within %s", describeTimeout)
	}
	if err != nil {
		detail := plain(strings.TrimSpace(problems.String()))
		if detail != "" {
			detail = ": " + detail
		}
		return nil, nil, fmt.Errorf("it does not describe itself: %w%s", err, detail)
	}
	manifest, err := supervisor.ParseManifest(out.Bytes())
	if err != nil {
		return nil, nil, fmt.Errorf("it printed no manifest but %.60q", out.String())
	}
	p, err := newPlugin(absolute, sum, manifest)
	if err != nil {
		return nil, nil, err
	}
	if _, err := p.schemas(); err != nil {
		return nil, nil, err
	}
	return p, out.Bytes(), nil
}

// plain keeps what a plugin says from moving about on a terminal.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || !unicode.IsGraphic(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "?"))
}

// runWithin runs a command in a process group of its own, which has ended when
// it returns: with the command, or when ctx ends.
func runWithin(ctx context.Context, cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	killGroup := func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	stop := context.AfterFunc(ctx, killGroup)
	defer stop()
	err := cmd.Wait()
	killGroup() // what it left behind; the group's number is not given anew while one of it lives
	return err
}

type limitedWriter struct {
	w    io.Writer
	left int
}

func (l *limitedWriter) Write(data []byte) (int, error) {
	if keep := min(len(data), l.left); keep > 0 {
		_, _ = l.w.Write(data[:keep])
		l.left -= keep
	}
	return len(data), nil
}
