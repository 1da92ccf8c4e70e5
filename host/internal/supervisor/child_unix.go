//go:build unix && !linux

package supervisor

import (
	"os/exec"
	"syscall"
)

// ownProcessGroup keeps signals to the host's group, such as Ctrl-C, away
// from the plugin: the host ends it in its own time.
func ownProcessGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

func killProcessGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// wait waits for a command and calls ended at once. The process id may be
// another's by then, which Linux's version prevents.
func wait(cmd *exec.Cmd, ended func()) error {
	err := cmd.Wait()
	ended()
	return err
}
