package supervisor

import (
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// ownProcessGroup keeps signals to the host's group, such as Ctrl-C, away
// from the plugin: the host ends it in its own time. When the host is gone the
// kernel sends SIGTERM to a plugin that has not minded its lifeline. Not
// SIGKILL, or one that does could not clear its socket away.
func ownProcessGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

func killProcessGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// wait waits for a command and calls ended in between its end and the moment
// from which on its process id may be given to another process.
func wait(cmd *exec.Cmd, ended func()) error {
	for unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	ended()
	return cmd.Wait()
}
