package executable

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func write(t *testing.T, content []byte) (path, sum string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "unicrm-provider-test")
	require.NoError(t, os.WriteFile(path, content, 0o755))
	hash := sha256.Sum256(content)
	return path, hex.EncodeToString(hash[:])
}

func output(t *testing.T, f *File, args ...string) string {
	t.Helper()
	out, err := f.Command(nil, args...).Output()
	require.NoError(t, err)
	return string(out)
}

func TestTheBytesThatWereHashedAreTheBytesThatRun(t *testing.T) {
	echo, err := exec.LookPath("echo")
	require.NoError(t, err)
	native, err := os.ReadFile(echo)
	require.NoError(t, err)
	for name, content := range map[string][]byte{"a native binary": native, "a script": []byte("#!/bin/sh\necho \"$@\"\n")} {
		t.Run(name, func(t *testing.T) {
			path, sum := write(t, content)
			f, err := Open(path, sum)
			require.NoError(t, err)
			defer f.Close()
			require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\necho evil\n"), 0o755))
			assert.Equal(t, "good\n", output(t, f, "good"))
			require.NoError(t, os.Remove(path))
			assert.Equal(t, "good\n", output(t, f, "good"), "and again")
		})
	}
}

func TestANativeBinaryOnLinuxRunsFromSealedMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("sealed memory is Linux's; elsewhere the copy lies in a private folder")
	}
	content, err := os.ReadFile("/proc/self/exe")
	require.NoError(t, err)
	path, sum := write(t, content)
	f, err := Open(path, sum)
	require.NoError(t, err)
	defer f.Close()
	require.NotNil(t, f.sealed)
	_, err = f.sealed.Write([]byte("x"))
	assert.Error(t, err, "it can be written to")
	assert.Error(t, f.sealed.Truncate(1), "it can be cut")
}

func TestAFileThatIsNotWhatTheLockSaysIsRefusedWithBothHashes(t *testing.T) {
	path, sum := write(t, []byte("#!/bin/sh\necho evil\n"))
	want := hex.EncodeToString(make([]byte, 32))
	_, err := Open(path, want)
	var mismatch *MismatchError
	require.ErrorAs(t, err, &mismatch)
	assert.Contains(t, err.Error(), sum)
	assert.Contains(t, err.Error(), want)
}

func TestWhatIsNoFileIsRefused(t *testing.T) {
	_, err := Open(t.TempDir(), "x")
	assert.ErrorContains(t, err, "is not a file")
	_, err = Open(filepath.Join(t.TempDir(), "absent"), "x")
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestClosingLeavesNothing(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	path, sum := write(t, []byte("#!/bin/sh\n"))
	f, err := Open(path, sum)
	require.NoError(t, err)
	f.Close()
	left, err := os.ReadDir(tmp)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestWithoutAHashTheFileItselfRuns(t *testing.T) {
	path, _ := write(t, []byte("#!/bin/sh\necho \"$@\"\n"))
	f, err := Open(path, "")
	require.NoError(t, err)
	defer f.Close()
	assert.Equal(t, "a b\n", output(t, f, "a", "b"))
}
