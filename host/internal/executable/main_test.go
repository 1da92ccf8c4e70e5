//go:build unix

package executable

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// roleEnv makes this test's binary play another process; see roles.
const roleEnv = "EXECUTABLE_TEST_ROLE"

// roles are what another process does. What it returns is its answer.
var roles = map[string]func() string{
	"hold":  hold,
	"sweep": sweepOnce,
}

func TestMain(m *testing.M) {
	if role, ok := roles[os.Getenv(roleEnv)]; ok {
		_, _ = io.WriteString(os.Stdout, role()+"\n")
		_, _ = io.Copy(io.Discard, os.Stdin) // until the test lets it go
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// another is a process beside this one.
type another struct {
	cmd    *exec.Cmd
	answer string
	stdin  io.Closer
}

// play starts a process in a role and waits for its answer. It ends with the test.
func play(t *testing.T, role string, args ...string) *another {
	t.Helper()
	p, err := tryToPlay(t, role, nil, args...)
	require.NoError(t, err)
	return p
}

func tryToPlay(t *testing.T, role string, attr *syscall.SysProcAttr, args ...string) (*another, error) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	p := &another{cmd: exec.Command(self, args...)}
	p.cmd.Env = append(os.Environ(), roleEnv+"="+role, "GORACE=atexit_sleep_ms=0")
	p.cmd.Stderr = os.Stderr
	p.cmd.SysProcAttr = attr
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	p.stdin, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	t.Cleanup(p.end)
	answer, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err, "it said %q", answer)
	p.answer = strings.TrimSpace(answer)
	return p, nil
}

func (p *another) end() {
	_ = p.stdin.Close()
	_ = p.cmd.Wait()
}

// kill is kill -9: nothing in the process runs any more.
func (p *another) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}
