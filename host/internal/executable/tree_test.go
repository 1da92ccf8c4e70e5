//go:build unix

package executable

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// writeTree makes a plugin that is a folder, as npm packs one.
func writeTree(t *testing.T) (folder, entry string) {
	t.Helper()
	folder = t.TempDir()
	for path, content := range map[string]string{
		"unicrm-provider-test":      "#!/bin/sh\n. \"$(dirname \"$0\")/lib/say it.sh\"\n",
		"lib/say it.sh":             "echo \"$(cat \"$(dirname \"$0\")/node_modules/.bin/word\")\"\n",
		"lib/.hidden":               "",
		"node_modules/pkg/word.txt": "good",
		"node_modules/pkg/größe":    "ünï",
		"node_modules/pkg/tool":     "#!/bin/sh\n",
	} {
		path = filepath.Join(folder, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	require.NoError(t, os.Mkdir(filepath.Join(folder, "empty"), 0o755))
	require.NoError(t, os.Mkdir(filepath.Join(folder, "node_modules", ".bin"), 0o755))
	require.NoError(t, os.Symlink("../pkg/word.txt", filepath.Join(folder, "node_modules", ".bin", "word")))
	require.NoError(t, os.Chmod(filepath.Join(folder, "node_modules/pkg/tool"), 0o755))
	entry = filepath.Join(folder, "unicrm-provider-test")
	require.NoError(t, os.Chmod(entry, 0o755))
	return folder, entry
}

func hashOf(t *testing.T, path string) string {
	t.Helper()
	sum, err := Hash(path)
	require.NoError(t, err)
	return sum
}

func TestTheHashOfAFolderCanBeMadeByHand(t *testing.T) {
	if _, err := exec.LookPath("sha256sum"); err != nil {
		t.Skip("the commands in the package's text need sha256sum, which this system lacks")
	}
	source, err := os.ReadFile("executable.go")
	require.NoError(t, err)
	_, text, found := strings.Cut(string(source), "By hand, in the folder:\n//\n")
	require.True(t, found)
	text, _, found = strings.Cut(text, "\n//\n")
	require.True(t, found)
	commands := strings.ReplaceAll("\n"+text, "\n//", "\n")

	folder, _ := writeTree(t)
	cmd := exec.Command("sh", "-c", commands)
	cmd.Dir = folder
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Equal(t, "tree:"+strings.Fields(string(out))[0], hashOf(t, folder))
}

func TestEveryDifferenceOfAFolderChangesItsHash(t *testing.T) {
	changes := map[string]func(folder string) error{
		"a byte":            func(f string) error { return os.WriteFile(f+"/lib/say it.sh", []byte("echo evil\n"), 0o644) },
		"an execute bit":    func(f string) error { return os.Chmod(f+"/lib/say it.sh", 0o744) },
		"no execute bit":    func(f string) error { return os.Chmod(f+"/node_modules/pkg/tool", 0o655) },
		"a name":            func(f string) error { return os.Rename(f+"/lib/.hidden", f+"/lib/.Hidden") },
		"a place":           func(f string) error { return os.Rename(f+"/lib/.hidden", f+"/.hidden") },
		"one file more":     func(f string) error { return os.WriteFile(f+"/lib/more", nil, 0o644) },
		"one file less":     func(f string) error { return os.Remove(f + "/lib/.hidden") },
		"one folder more":   func(f string) error { return os.Mkdir(f+"/lib/more", 0o755) },
		"one folder less":   func(f string) error { return os.Remove(f + "/empty") },
		"a file for folder": func(f string) error { return os.WriteFile(replaced(f+"/empty"), nil, 0o644) },
		"a link's target":   func(f string) error { return os.Symlink("../pkg/tool", replaced(f+"/node_modules/.bin/word")) },
		"a file for a link": func(f string) error {
			return os.WriteFile(replaced(f+"/node_modules/.bin/word"), []byte("../pkg/word.txt"), 0o644)
		},
		"two contents swapped": func(f string) error {
			return swap(f+"/node_modules/pkg/größe", f+"/node_modules/pkg/word.txt")
		},
	}
	seen := map[string]string{}
	for name, change := range changes {
		folder, entry := writeTree(t)
		before := hashOf(t, folder)
		require.NoError(t, change(folder), name)
		after := hashOf(t, folder)
		assert.NotEqual(t, before, after, "%s makes no difference", name)
		assert.Empty(t, seen[after], "%s makes the same difference as another change", name)
		seen[after] = name
		_, err := Open(entry, before)
		var mismatch *MismatchError
		require.ErrorAs(t, err, &mismatch, name)
		assert.Equal(t, MismatchError{Path: entry, Want: before, Got: after}, *mismatch)
		assert.Equal(t, "the folder of unicrm-provider-test has the SHA-256 "+after+", but the lock says "+before+"; install it again, or find out who changed it", err.Error())
	}
}

func replaced(path string) string {
	_ = os.Remove(path)
	return path
}

func swap(a, b string) error {
	if err := os.Rename(a, a+"~"); err != nil {
		return err
	}
	if err := os.Rename(b, a); err != nil {
		return err
	}
	return os.Rename(a+"~", b)
}

func TestOwnersTimesAndOtherModesDoNotCount(t *testing.T) {
	folder, entry := writeTree(t)
	before := hashOf(t, folder)
	assert.Equal(t, before, hashOf(t, filepath.Dir(entry)))
	require.NoError(t, os.Chmod(folder+"/lib/.hidden", 0o600))
	require.NoError(t, os.Chmod(entry, 0o700))
	require.NoError(t, os.Chmod(folder+"/lib", 0o700))
	require.NoError(t, os.Chtimes(entry, time.Unix(0, 0), time.Unix(0, 0)))
	assert.Equal(t, before, hashOf(t, folder))
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(folder, link))
	assert.Equal(t, before, hashOf(t, link), "a link to the folder")
}

func TestTheFolderThatWasHashedIsTheOneThatRuns(t *testing.T) {
	folder, entry := writeTree(t)
	tmp := emptyTemp(t)
	f, err := Open(entry, hashOf(t, folder))
	require.NoError(t, err)
	assert.Equal(t, "good\n", output(t, f))

	require.NoError(t, os.WriteFile(folder+"/lib/say it.sh", []byte("echo evil\n"), 0o644))
	require.NoError(t, os.WriteFile(folder+"/node_modules/pkg/word.txt", []byte("evil"), 0o644))
	assert.Equal(t, "good\n", output(t, f), "what it loads was changed after the hash")
	require.NoError(t, os.RemoveAll(folder))
	assert.Equal(t, "good\n", output(t, f), "the folder is gone")

	for path, want := range map[string]os.FileMode{
		"unicrm-provider-test": 0o500, "node_modules/pkg/tool": 0o500, "lib/say it.sh": 0o400, "empty": os.ModeDir | 0o700,
	} {
		info, err := os.Lstat(filepath.Join(f.folder.Path, path))
		require.NoError(t, err)
		assert.Equal(t, want, info.Mode(), path)
	}
	f.Close()
	assert.Empty(t, names(t, tmp))
}

func TestAFolderCannotReachOutByLinks(t *testing.T) {
	for place, target := range map[string]string{
		"absolute":               "/etc/passwd",
		"above":                  "../outside",
		"node_modules/.bin/far":  "../../../outside",
		"node_modules/.bin/back": "../pkg/../../../outside",
		"node_modules/.bin/up":   "../..//../x",
		"through":                "self/../outside",  // self leads to ".": so this leads above
		"node_modules/through":   "./up/../x",        // up leads to "..": so this leads above
		"dots":                   "././../../x",      //
		"alone":                  "..",               //
		"lib/dir":                "../lib/../../x/y", //
	} {
		folder, entry := writeTree(t)
		require.NoError(t, os.Symlink(".", filepath.Join(folder, "self")))
		require.NoError(t, os.Symlink("..", filepath.Join(folder, "node_modules", "up")))
		require.NoError(t, os.Symlink(target, filepath.Join(folder, place)))
		tmp := emptyTemp(t)
		_, err := Hash(folder)
		require.ErrorContains(t, err, "must be relative, go up only at its beginning, and stay in the folder", "%s -> %s", place, target)
		assert.ErrorContains(t, err, place)
		_, err = Open(entry, treePrefix)
		require.ErrorContains(t, err, "must be relative")
		assert.Empty(t, names(t, tmp), "what was copied before the link was met stays")
	}
	for place, target := range map[string]string{
		"self": ".", "node_modules/.bin/root": "../..", "node_modules/.bin/tool": "../pkg/tool", "lib/absent": "./absent", "lib/..odd": "../..odd",
	} {
		folder, entry := writeTree(t)
		require.NoError(t, os.Symlink(target, filepath.Join(folder, place)))
		f, err := Open(entry, hashOf(t, folder))
		require.NoError(t, err, "%s -> %s", place, target)
		got, err := os.Readlink(filepath.Join(f.folder.Path, place))
		require.NoError(t, err)
		assert.Equal(t, target, got)
		f.Close()
	}
}

func TestAFolderHoldsFilesFoldersAndLinksOnly(t *testing.T) {
	folder, _ := writeTree(t)
	pipe := filepath.Join(folder, "lib", "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o644))
	_, err := Hash(folder)
	assert.EqualError(t, err, "read the folder "+folder+`: "lib/pipe": it is a named pipe, but a plugin consists of files, folders and links`)

	// And one put in place of a file between the look and the reading: opening
	// it must not wait for somebody who writes.
	_, _, err = openFile(pipe)
	assert.ErrorContains(t, err, "is not a file")
	_, err = Open(pipe, "x")
	assert.ErrorContains(t, err, "is not a file")
	require.NoError(t, os.Remove(pipe))

	_, err = Hash("/dev/null")
	assert.ErrorContains(t, err, "is not a file")

	for _, name := range []string{"two\nlines", `back\slash`, "bell\a", "not\xffutf8"} {
		odd := filepath.Join(folder, name)
		if err := os.WriteFile(odd, nil, 0o644); err != nil {
			continue // this file system refuses it, too
		}
		_, err = Hash(folder)
		assert.ErrorContains(t, err, "the name has a backslash, a control character or is not UTF-8", "%q", name)
		require.NoError(t, os.Remove(odd))
	}
}

func TestAFolderHasLimits(t *testing.T) {
	assert.Equal(t, limits{things: 20_000, bytes: 512 << 20, path: 1024}, defaultLimits)
	folder := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(folder, "a", "b"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "a", "one"), make([]byte, 3<<20), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "a", "b", "two"), make([]byte, 2<<20), 0o644))
	exact := limits{things: 4, bytes: 5 << 20, path: len("a/b/two")}
	_, err := readTree(folder, "", exact)
	require.NoError(t, err)

	for want, l := range map[string]limits{
		"there are more than 3 files, folders and links": {things: 3, bytes: exact.bytes, path: exact.path},
		"the files together are larger than 4 MiB":       {things: 4, bytes: 4 << 20, path: exact.path},
		"the path is longer than 6 bytes":                {things: 4, bytes: exact.bytes, path: exact.path - 1},
	} {
		_, err := readTree(folder, "", l)
		assert.ErrorContains(t, err, want)
	}

	// A file with a hole takes no room on the disk.
	huge := filepath.Join(folder, "huge")
	require.NoError(t, os.WriteFile(huge, nil, 0o755))
	require.NoError(t, os.Truncate(huge, defaultLimits.bytes+1))
	_, err = Hash(folder)
	assert.ErrorContains(t, err, "is larger than 512 MiB")
	_, err = Open(huge, "x")
	assert.ErrorContains(t, err, "is larger than 512 MiB")
}

func TestAFolderThatChangesWhileItIsReadNeverLeadsOutAndNeverLies(t *testing.T) {
	secrets := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(secrets, "word.txt"), []byte("secret"), 0o644))
	folder, _ := writeTree(t)
	stop := make(chan struct{})
	var changing sync.WaitGroup
	changing.Go(func() {
		pkg := filepath.Join(folder, "node_modules", "pkg")
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			// A folder becomes a link that leads out, and a folder again; a file grows.
			_ = os.Rename(pkg, pkg+"~")
			_ = os.Symlink(secrets, pkg)
			_ = os.Remove(pkg)
			_ = os.Rename(pkg+"~", pkg)
			_ = os.WriteFile(filepath.Join(folder, "lib", ".hidden"), make([]byte, i%3), 0o644)
		}
	})
	whole := 0
	for range 300 {
		to := t.TempDir()
		sum, err := readTree(folder, to, defaultLimits)
		if err == nil {
			whole++
			assert.Equal(t, sum, hashOf(t, to), "the copy is not what was hashed")
		}
		word, _ := os.ReadFile(filepath.Join(to, "node_modules", "pkg", "word.txt"))
		assert.NotEqual(t, "secret", string(word), "it was led out of the folder")
	}
	close(stop)
	changing.Wait()
	assert.NotZero(t, whole, "no reading succeeded, so this proved nothing")
}

func TestAFileThatGrowsOrShrinksWhileItIsReadIsRefused(t *testing.T) {
	for _, size := range []int64{3, 30} {
		var copied bytes.Buffer
		_, err := digest(strings.NewReader("these are twenty-six bytes"), size, &copied)
		require.EqualError(t, err, "it changed while it was read")
		assert.LessOrEqual(t, copied.Len(), int(size)+1, "a file that grows for ever would be read for ever")
	}
}

func TestTheFileToExecuteMustBeInItsFolder(t *testing.T) {
	emptyTemp(t)
	for want, spoil := range map[string]func(entry string) error{
		"its folder has no file unicrm-provider-test": os.Remove,
		"unicrm-provider-test has no execute bit":     func(entry string) error { return os.Chmod(entry, 0o644) },
		"unicrm-provider-test is not a file":          func(entry string) error { return os.Symlink("lib/say it.sh", replaced(entry)) },
	} {
		folder, entry := writeTree(t)
		require.NoError(t, spoil(entry))
		_, err := Open(entry, hashOf(t, folder))
		assert.EqualError(t, err, want)
	}
	_, err := Open(filepath.Join(t.TempDir(), "absent", "unicrm-provider-test"), treePrefix+"x")
	assert.ErrorIs(t, err, os.ErrNotExist)
	_, err = Hash(filepath.Join(t.TempDir(), "absent"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// TestCopiesRunWhileOtherProcessesStart: without care, "text file busy".
func TestCopiesRunWhileOtherProcessesStart(t *testing.T) {
	emptyTemp(t)
	path, sum := write(t, []byte("#!/bin/sh\necho \"$@\"\n"))
	stop := make(chan struct{})
	var starting sync.WaitGroup
	for range 4 {
		starting.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = exec.Command("/bin/true").Run()
				}
			}
		})
	}
	for range 100 {
		f, err := Open(path, sum)
		require.NoError(t, err)
		out, err := f.Command(nil, "good").Output()
		assert.NoError(t, err)
		assert.Equal(t, "good\n", string(out))
		f.Close()
	}
	close(stop)
	starting.Wait()
}
