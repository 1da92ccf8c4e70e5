package sdk

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"

	"github.com/unicrm/unicrm/sdk/wire"
)

// inherited is what the process was given by the host that started it.
//
// File descriptor 1 is for go-plugin's handshake line alone: a stray print
// there would break the start, and one after it would block when nobody reads.
// So descriptor 1 leads to standard error from the very beginning, and of what
// go-plugin prints only its own line reaches the host.
type inherited struct {
	handshake *os.File // where standard output led
	stderr    *os.File
	lifeline  *os.File // nil when the host watches in its own way
	err       error    // what is wrong with it

	restored sync.Once
}

// fromHost is taken before main and before the init of any package that
// imports this one, which may print; nil when no host started the process.
var fromHost = inherit()

func startedByHost() bool {
	return len(os.Args) == 1 && os.Getenv(wire.Handshake.MagicCookieKey) == wire.Handshake.MagicCookieValue
}

func inherit() *inherited {
	if !startedByHost() {
		return nil
	}
	i := &inherited{stderr: os.Stderr}
	// The lifeline first: what is open now was given, not opened here.
	if i.lifeline, i.err = inheritLifeline(os.Getenv(wire.LifelineEnv)); i.err != nil {
		return i
	}
	handshake, err := syscall.Dup(1)
	if err != nil {
		i.err = fmt.Errorf("duplicate standard output: %w", err)
		return i
	}
	syscall.CloseOnExec(handshake)
	i.handshake = os.NewFile(uintptr(handshake), "handshake")
	if err := dup2(2, 1); err != nil {
		i.err = fmt.Errorf("redirect standard output: %w", err)
	}
	return i
}

func inheritLifeline(fd string) (*os.File, error) {
	if fd == "" {
		return nil, nil
	}
	number, err := strconv.Atoi(fd)
	if err != nil || number < 3 {
		return nil, fmt.Errorf("%s=%q is not a file descriptor", wire.LifelineEnv, fd)
	}
	var stat syscall.Stat_t
	if err := syscall.Fstat(number, &stat); err != nil || (stat.Mode&syscall.S_IFMT != syscall.S_IFIFO && stat.Mode&syscall.S_IFMT != syscall.S_IFSOCK) {
		return nil, fmt.Errorf("%s=%q is not the read end of a pipe", wire.LifelineEnv, fd)
	}
	syscall.CloseOnExec(number)
	return os.NewFile(uintptr(number), "lifeline"), nil
}

// handshakeLine is go-plugin's line within what is printed to os.Stdout.
var handshakeLine = regexp.MustCompile(`1\|\d+\|(?:unix|tcp)\|.*\n`)

// expectHandshake gives go-plugin an os.Stdout of which its own line goes to
// the host, and all else that anybody prints meanwhile to standard error.
func (i *inherited) expectHandshake() error {
	read, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe for the handshake: %w", err)
	}
	os.Stdout = write
	go func() {
		printed := bufio.NewReader(read)
		for {
			line, err := printed.ReadBytes('\n')
			at := handshakeLine.FindIndex(line)
			if at != nil {
				_, _ = i.handshake.Write(line[at[0]:])
				line = line[:at[0]]
			}
			_, _ = i.stderr.Write(line)
			if at != nil || err != nil {
				break
			}
		}
		_, _ = io.Copy(i.stderr, printed)
	}()
	return nil
}

// restore undoes what go-plugin did to os.Stdout and os.Stderr, which it leads
// into streams that block or vanish when the host's connection is renewed.
func (i *inherited) restore() {
	i.restored.Do(func() {
		os.Stdout = i.stderr
		os.Stderr = i.stderr
	})
}

// watchLifeline ends the process when the host has gone, also when the host
// was killed. While the lifeline holds, signals meant for the host's process
// group do not end the plugin: the host drains it.
func (i *inherited) watchLifeline() {
	if i.lifeline == nil {
		return
	}
	signal.Ignore(syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		_, _ = io.Copy(io.Discard, i.lifeline)
		removeSockets(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"))
		os.Exit(0)
	}()
}

// removeSockets takes away what the host can no longer remove: the sockets in
// their private folder, and the folder when it is empty then.
func removeSockets(folder string) {
	entries, err := os.ReadDir(folder)
	if folder == "" || err != nil {
		return
	}
	for _, entry := range entries {
		if entry.Type() == os.ModeSocket {
			_ = os.Remove(filepath.Join(folder, entry.Name()))
		}
	}
	_ = os.Remove(folder)
}
