//go:build unix

package executable

import (
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// hold is a host that uses a private folder and the copy of a script, whose
// path is its first argument.
func hold() string {
	folder, err := PrivateFolder()
	if err != nil {
		return err.Error()
	}
	sum, err := Hash(os.Args[1])
	if err != nil {
		return err.Error()
	}
	file, err := Open(os.Args[1], sum)
	if err != nil {
		return err.Error()
	}
	held = append(held, folder, file)
	return folder.Path + " " + file.folder.Path
}

// held keeps what a host uses from being garbage.
var held []any

// sweepOnce is a host that sweeps.
func sweepOnce() string {
	removed, err := Sweep()
	if err != nil {
		return err.Error()
	}
	return strconv.Itoa(removed)
}

// emptyTemp gives this test and its processes a folder of temporary files of their own.
func emptyTemp(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	return dir
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	all := []string{}
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}

func TestWhatADeadHostLeftIsSweptAndWhatALivingOneUsesStays(t *testing.T) {
	script, _ := write(t, []byte("#!/bin/sh\n"))
	emptyTemp(t)
	const dead = 5
	var left []string
	for range dead {
		host := play(t, "hold", script)
		left = append(left, strings.Fields(host.answer)...)
		host.kill()
	}
	living := strings.Fields(play(t, "hold", script).answer)
	require.Len(t, left, 2*dead)
	for _, path := range append(left, living...) {
		require.DirExists(t, path)
	}

	// Several hosts start at once and sweep.
	removed := make([]int, 3)
	var all sync.WaitGroup
	for i := range removed {
		all.Go(func() {
			var err error
			removed[i], err = strconv.Atoi(play(t, "sweep").answer)
			assert.NoError(t, err)
		})
	}
	all.Wait()
	assert.Equal(t, 2*dead, removed[0]+removed[1]+removed[2], "each folder is removed by one of them: %v", removed)
	for _, path := range left {
		assert.NoDirExists(t, path)
	}
	for _, path := range living {
		assert.DirExists(t, path)
	}
	assert.FileExists(t, filepath.Join(living[1], filepath.Base(script)))
}

func TestAFolderIsNeverSweptBetweenItsMakingAndItsMark(t *testing.T) {
	tmp := emptyTemp(t)

	// Swept before it was opened.
	path, err := os.MkdirTemp("", folderPrefix)
	require.NoError(t, err)
	removed, err := Sweep()
	require.NoError(t, err)
	require.Equal(t, 1, removed, "a folder without a mark is a dead host's")
	_, claimed, err := claim(path)
	require.NoError(t, err)
	assert.False(t, claimed, "the maker has to see that it is gone")

	// Swept, and made anew by somebody else, between opening and locking.
	path, err = os.MkdirTemp("", folderPrefix)
	require.NoError(t, err)
	open, err := os.Open(path)
	require.NoError(t, err)
	defer open.Close()
	removed, err = Sweep()
	require.NoError(t, err)
	require.Equal(t, 1, removed)
	require.NoError(t, os.Mkdir(path, 0o700))
	claimed, err = lock(open, path)
	require.NoError(t, err)
	assert.False(t, claimed, "the folder that is locked is not the one that is there")
	require.NoError(t, os.Remove(path))

	// Being swept at this moment: somebody else has the lock.
	path, err = os.MkdirTemp("", folderPrefix)
	require.NoError(t, err)
	mark, claimed, err := claim(path)
	require.NoError(t, err)
	require.True(t, claimed)
	_, claimed, err = claim(path)
	require.NoError(t, err)
	assert.False(t, claimed)
	require.NoError(t, os.Remove(path))
	require.NoError(t, mark.Close())
	assert.Empty(t, names(t, tmp))
}

func TestFoldersInUseOutliveEndlessSweeping(t *testing.T) {
	tmp := emptyTemp(t)
	stop := make(chan struct{})
	var sweepers, hosts sync.WaitGroup
	for range 2 {
		sweepers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				_, err := Sweep()
				assert.NoError(t, err)
			}
		})
	}
	for range 4 {
		hosts.Go(func() {
			for range 200 {
				folder, err := PrivateFolder()
				if !assert.NoError(t, err) {
					return
				}
				inside := filepath.Join(folder.Path, "socket")
				assert.NoError(t, os.WriteFile(inside, nil, 0o600))
				assert.FileExists(t, inside)
				folder.Close()
			}
		})
	}
	hosts.Wait()
	close(stop)
	sweepers.Wait()
	assert.Empty(t, names(t, tmp))
}

func TestSweepingLeavesAloneWhatIsNotOurs(t *testing.T) {
	tmp := emptyTemp(t)
	precious := t.TempDir()
	kept := filepath.Join(precious, "kept")
	require.NoError(t, os.WriteFile(kept, nil, 0o600))
	require.NoError(t, os.Symlink(precious, filepath.Join(tmp, folderPrefix+"link")))
	require.NoError(t, os.WriteFile(filepath.Join(tmp, folderPrefix+"file"), nil, 0o600))
	require.NoError(t, os.Mkdir(filepath.Join(tmp, "ucrm-123"), 0o700))
	require.NoError(t, os.Mkdir(filepath.Join(tmp, folderPrefix+"left"), 0o700))
	want := []string{"ucrm-123", folderPrefix + "file", folderPrefix + "link"}
	if os.Geteuid() == 0 { // only root can make another's folder
		foreign := filepath.Join(tmp, folderPrefix+"other")
		require.NoError(t, os.Mkdir(foreign, 0o700))
		require.NoError(t, os.Chown(foreign, 65534, 65534))
		want = append(want, filepath.Base(foreign))
	}
	removed, err := Sweep()
	require.NoError(t, err)
	assert.Equal(t, 1, removed)
	assert.ElementsMatch(t, want, names(t, tmp))
	assert.FileExists(t, kept)
}

func TestAProcessOfADeadHostDoesNotKeepItsFolder(t *testing.T) {
	tmp := emptyTemp(t)
	folder, err := PrivateFolder()
	require.NoError(t, err)
	child := exec.Command("cat")
	stdin, err := child.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	defer func() {
		_ = stdin.Close()
		_ = child.Wait()
	}()
	require.NoError(t, folder.mark.Close()) // as the host's death does
	removed, err := Sweep()
	require.NoError(t, err)
	assert.Equal(t, 1, removed, "the mark must be closed when the child executes its program")
	assert.Empty(t, names(t, tmp))
}

func TestAPrivateFolderIsPrivateShortAndGoneAfterwards(t *testing.T) {
	tmp := emptyTemp(t)
	folder, err := PrivateFolder()
	require.NoError(t, err)
	info, err := os.Stat(folder.Path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	assert.LessOrEqual(t, len(folder.Path), len(tmp)+20, "sockets need short paths: %s", folder.Path)
	require.NoError(t, os.MkdirAll(filepath.Join(folder.Path, "a", "b"), 0o700))
	folder.Close()
	assert.Empty(t, names(t, tmp))
	(*Folder)(nil).Close() // as a start that failed early does
}

func TestWithoutAFolderOfTemporaryFilesTheErrorSaysSo(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "absent"))
	_, err := PrivateFolder()
	require.ErrorIs(t, err, os.ErrNotExist)
	path, _ := write(t, []byte("#!/bin/sh\n"))
	_, err = Open(path, hex.EncodeToString(make([]byte, 32)))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Sweep()
	require.ErrorIs(t, err, os.ErrNotExist)
}
