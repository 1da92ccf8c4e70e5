//go:build unix

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
