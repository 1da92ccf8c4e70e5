package executable

import (
	"bytes"
	"debug/elf"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func init() {
	roles["no memory"] = openWithoutMemory
	roles["noexec"] = openOnNoexec
}

// runCopy opens the file that the process was told, runs its copy and tells
// what that printed.
func runCopy() (*File, string) {
	sum, err := Hash(os.Args[1])
	if err != nil {
		return nil, err.Error()
	}
	f, err := Open(os.Args[1], sum)
	if err != nil {
		return nil, err.Error()
	}
	out, err := f.Command(nil, "good").CombinedOutput()
	if err != nil {
		return f, err.Error()
	}
	return f, strings.TrimSpace(string(out))
}

// openWithoutMemory is a host where the kernel lets nothing run from memory.
func openWithoutMemory() string {
	if err := os.WriteFile("/proc/sys/vm/memfd_noexec", []byte("2"), 0o600); err != nil {
		return "cannot: " + err.Error()
	}
	f, said := runCopy()
	defer f.Close()
	if f != nil && f.sealed != nil {
		return "it took a copy in memory, and then: " + said
	}
	return said
}

// openOnNoexec is a host whose temporary files lie where nothing may run.
func openOnNoexec() string {
	tmp := os.TempDir()
	// Private, or the mount would show outside.
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if err == nil {
		err = unix.Mount("tmpfs", tmp, "tmpfs", unix.MS_NOEXEC, "")
	}
	if err != nil {
		return "cannot: " + err.Error()
	}
	f, said := runCopy()
	f.Close()
	return said
}

// playIn plays a role in namespaces of its own; skips where that is not allowed.
func playIn(t *testing.T, namespaces uintptr, role string, args ...string) string {
	t.Helper()
	p, err := tryToPlay(t, role, &syscall.SysProcAttr{Cloneflags: namespaces}, args...)
	if errors.Is(err, os.ErrPermission) {
		t.Skipf("only root may make the namespace that keeps this test's settings from the machine: %v", err)
	}
	require.NoError(t, err)
	if reason, ok := strings.CutPrefix(p.answer, "cannot: "); ok {
		t.Skipf("this machine does not let the test make the setting: %s", reason)
	}
	return p.answer
}

func echoBinary(t *testing.T) string {
	t.Helper()
	echo, err := exec.LookPath("echo")
	require.NoError(t, err)
	return echo
}

func TestWhereTheKernelForbidsMemoryToRunACopyOnDiskRuns(t *testing.T) {
	if _, err := os.Stat("/proc/sys/vm/memfd_noexec"); err != nil {
		t.Skip("this kernel cannot forbid it")
	}
	tmp := emptyTemp(t)
	assert.Equal(t, "good", playIn(t, unix.CLONE_NEWPID, "no memory", echoBinary(t)))
	assert.Empty(t, names(t, tmp))
}

func TestMemoryThatCannotRunIsFoundOutByATrial(t *testing.T) {
	require.NoError(t, tryMemory(newMemory), "it runs here")
	refused := errors.New("refused")
	assert.ErrorIs(t, tryMemory(func(string) (*os.File, error) { return nil, refused }), refused, "memory cannot be made")

	// Made and sealed, but not to be executed: so it is with security modules.
	err := tryMemory(func(name string) (*os.File, error) {
		fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_NOEXEC_SEAL)
		if err != nil {
			t.Skipf("this kernel has no memory that cannot be executed: %v", err)
		}
		return os.NewFile(uintptr(fd), name), nil
	})
	assert.ErrorIs(t, err, os.ErrPermission)
}

func TestAHostWhoseTrialFailedUsesCopiesOnDisk(t *testing.T) {
	tmp := emptyTemp(t)
	before := memoryRuns
	defer func() { memoryRuns = before }()
	memoryRuns = func() bool { return false }
	echo := echoBinary(t)
	sum, err := Hash(echo)
	require.NoError(t, err)
	f, err := Open(echo, sum)
	require.NoError(t, err)
	assert.Nil(t, f.sealed)
	assert.Equal(t, "good\n", output(t, f, "good"))
	f.Close()
	assert.Empty(t, names(t, tmp))
}

func TestTrialProgramsAreForTheirArchitecture(t *testing.T) {
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		program, err := trialProgram(arch)
		require.NoError(t, err)
		f, err := elf.NewFile(bytes.NewReader(program))
		require.NoError(t, err, arch)
		assert.Equal(t, machine, f.Machine)
		require.Len(t, f.Progs, 1)
		assert.EqualValues(t, len(program), f.Progs[0].Filesz)
		assert.Greater(t, f.Progs[0].Vaddr+f.Progs[0].Filesz, f.Entry)
	}
	_, err := trialProgram("wasm")
	assert.Error(t, err, "no trial, no memory")
}

func TestTemporaryFilesThatMayNotRunAreNamed(t *testing.T) {
	script, _ := write(t, []byte("#!/bin/sh\necho \"$@\"\n"))
	tmp := emptyTemp(t)
	assert.Equal(t, "copy "+script+": no program can run from "+tmp+", which is mounted noexec; set TMPDIR to a folder from which one can",
		playIn(t, unix.CLONE_NEWNS, "noexec", script))
	assert.Empty(t, names(t, tmp))
}

func TestWhatCannotBeReadIsTold(t *testing.T) {
	path, _ := write(t, []byte("#!/bin/sh\n"))
	folder := filepath.Dir(path)
	require.NoError(t, os.Chmod(path, 0o100))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if os.Geteuid() == 0 { // root reads all
			// The kernel keeps this per thread, and the thread ends with the
			// goroutine that stays locked to it.
			runtime.LockOSThread()
			if !assert.NoError(t, unix.Setfsuid(65534)) {
				return
			}
		}
		assert.EqualError(t, Check(path), path+" cannot be read: permission denied; let the user who runs the host read it")
		_, err := Open(path, "x")
		assert.ErrorIs(t, err, os.ErrPermission)
		_, err = Hash(folder)
		assert.ErrorIs(t, err, os.ErrPermission)
	}()
	<-done
}
