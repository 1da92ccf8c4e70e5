package supervisor

import (
	"context"
	"io"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-plugin/runner"
)

// child is a plugin's operating-system process. It runs once. To go-plugin it
// is a runner, which sees of its output the handshake line alone; the rest is
// ours: go-plugin's own reader of standard error can be made to panic by a
// line, and the one of standard output stops at a long line, whose writer then
// blocks for ever.
type child struct {
	cmd    *exec.Cmd
	output *pluginLog

	handshake *io.PipeReader
	told      *io.PipeWriter // the other end of handshake
	ended     chan struct{}  // closed when it has ended, no process of its group is left and its output is read

	mu     sync.Mutex
	pid    int    // guarded by mu: zero before the start
	ours   bool   // guarded by mu: pid is still the child's and its group's
	doomed bool   // guarded by mu: it was killed, maybe before its start
	spoke  bool   // guarded by mu: it has written a first line
	first  string // guarded by mu: that line
	how    string // guarded by mu: how it ended, such as "exit status 1"
}

var _ runner.Runner = (*child)(nil)

// newChild makes a child of a command that was not started. Once it has ended,
// whoever else holds its output open has grace to let go of it.
func newChild(cmd *exec.Cmd, output *pluginLog, grace time.Duration) *child {
	c := &child{cmd: cmd, output: output, ended: make(chan struct{})}
	c.handshake, c.told = io.Pipe()
	ownProcessGroup(cmd)
	cmd.Stdin = nil // the host's is not for plugins
	cmd.WaitDelay = grace
	return c
}

// Start implements runner.Runner.
func (c *child) Start(context.Context) error {
	stdout, stderr := &lines{emit: c.stdoutLine}, &lines{emit: c.output.stderr}
	c.cmd.Stdout, c.cmd.Stderr = stdout, stderr
	started := make(chan error)
	go func() {
		// On Linux the child is sent a signal when the thread that started it
		// ends, which has to mean that the host has ended.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		if err == nil {
			c.mu.Lock()
			c.pid, c.ours = c.cmd.Process.Pid, true
			if c.doomed {
				killProcessGroup(c.pid)
			}
			c.mu.Unlock()
		}
		started <- err
		if err != nil {
			return
		}
		_ = wait(c.cmd, c.sweep)
		stdout.flush()
		stderr.flush()
		_ = c.told.Close()
		c.mu.Lock()
		c.how = c.cmd.ProcessState.String()
		c.mu.Unlock()
		close(c.ended)
	}()
	return <-started
}

// sweep kills what the child has started and left behind, as long as the
// group's number is surely its own.
func (c *child) sweep() {
	c.mu.Lock()
	defer c.mu.Unlock()
	killProcessGroup(c.pid)
	c.ours = false
}

// kill ends the child and its group, frozen or not.
func (c *child) kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.doomed = true
	if c.ours {
		killProcessGroup(c.pid)
	}
}

// stdoutLine hands the first line to go-plugin. There should be no other.
func (c *child) stdoutLine(line []byte, cut bool) {
	c.mu.Lock()
	isFirst := !c.spoke
	if isFirst {
		c.spoke, c.first = true, clean(strings.ToValidUTF8(string(line), "\uFFFD"))
	}
	c.mu.Unlock()
	if !isFirst {
		c.output.unexpected(line, cut)
		return
	}
	_, _ = c.told.Write(append(line[:len(line):len(line)], '\n'))
	_ = c.told.Close()
}

// firstLine is what it wrote to standard output first; false when nothing.
func (c *child) firstLine() (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.first, c.spoke
}

// fate tells how it ended, such as "signal: killed"; "" when it has not
// within the given time.
func (c *child) fate(within time.Duration) string {
	select {
	case <-c.ended:
	case <-time.After(within):
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.how
}

// ID implements runner.Runner: the process id, "" before the start.
func (c *child) ID() string {
	if pid := c.processID(); pid > 0 {
		return strconv.Itoa(pid)
	}
	return ""
}

func (c *child) processID() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pid
}

// Wait implements runner.Runner.
func (c *child) Wait(context.Context) error {
	<-c.ended
	return nil
}

// Kill implements runner.Runner.
func (c *child) Kill(context.Context) error {
	c.kill()
	return nil
}

// Stdout implements runner.Runner.
func (c *child) Stdout() io.ReadCloser { return c.handshake }

// Stderr implements runner.Runner: there is nothing in it for go-plugin.
func (c *child) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Name implements runner.Runner.
func (c *child) Name() string { return c.cmd.Args[0] }

// Diagnose implements runner.Runner; what is known is told by instance.connect.
func (c *child) Diagnose(context.Context) string { return "" }

// PluginToHost implements runner.Runner.
func (c *child) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin implements runner.Runner.
func (c *child) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}
