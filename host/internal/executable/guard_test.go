//go:build unix

package executable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// guarded is a folder that nobody else can write to, as are those above it.
func guarded(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o700))
	err = CheckFolder(dir)
	if errors.Is(err, ErrGroupWritable) || err != nil && strings.Contains(err.Error(), " belongs to the user ") {
		t.Skipf("on this machine others can replace the folder of temporary files itself: %v", err)
	}
	require.NoError(t, err)
	return dir
}

func TestAPluginFolderThatOthersCanWriteToIsNamed(t *testing.T) {
	for mode, want := range map[os.FileMode]string{
		0o700: "", 0o755: "", 0o500: "", 0o711: "",
		0o777:                 "everybody can write to %[1]s (mode 0777), and so replace the plugins in %[2]s; mend it with: chmod go-w %[1]s",
		0o757:                 "everybody can write to %[1]s (mode 0757), and so replace the plugins in %[2]s; mend it with: chmod go-w %[1]s",
		0o775:                 "the group of %[1]s can write to it (mode 0775), and so replace the plugins in %[2]s; mend it with: chmod g-w %[1]s",
		0o777 | os.ModeSticky: "everybody can put files into %[1]s (mode 1777), so plugins must not lie there; make a folder of their own in it",
	} {
		t.Run(mode.String(), func(t *testing.T) {
			above := guarded(t)
			dir := filepath.Join(above, "plugins")
			require.NoError(t, os.Mkdir(dir, 0o700))
			require.NoError(t, os.Chmod(dir, mode))
			says(t, CheckFolder(dir), want, dir, dir)
			require.NoError(t, os.Chmod(dir, 0o700))

			require.NoError(t, os.Chmod(above, mode|0o100))
			if mode&os.ModeSticky != 0 {
				want = "" // in such a folder nobody can replace what is another's
			}
			says(t, CheckFolder(dir), want, above, dir)
		})
	}
}

func says(t *testing.T, err error, want, place, dir string) {
	t.Helper()
	if want == "" {
		require.NoError(t, err)
		return
	}
	require.EqualError(t, err, fmt.Sprintf(want, place, dir))
}

func TestWritingByAGroupIsTheLesserProblem(t *testing.T) {
	above := guarded(t)
	dir := filepath.Join(above, "plugins")
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.Chmod(above, 0o770))
	require.ErrorIs(t, CheckFolder(dir), ErrGroupWritable)
	require.NoError(t, os.Chmod(dir, 0o707))
	err := CheckFolder(dir)
	require.ErrorContains(t, err, "everybody can write to "+dir, "the greater one is told")
	require.NotErrorIs(t, err, ErrGroupWritable)
}

func TestAPluginFolderOfSomebodyElseIsNamed(t *testing.T) {
	above := guarded(t)
	dir := filepath.Join(above, "plugins")
	require.NoError(t, os.Mkdir(dir, 0o700))
	user := os.Geteuid() + 1 // to whom this user is somebody else
	if os.Geteuid() == 0 {   // root is nobody else to anybody
		require.NoError(t, os.Chown(above, 4242, 4242))
		user = 0
	}
	uid := os.Geteuid()
	if uid == 0 {
		uid = 4242
	}
	err := checkFolder(dir, user)
	require.Error(t, err)
	info, statErr := os.Lstat(above)
	require.NoError(t, statErr)
	require.Equal(t, uid, owner(info))
	assert.Contains(t, err.Error(), fmt.Sprintf(" belongs to the user %d, not to root or the user %d who runs the host, and so others could replace the plugins in %s; mend it with: chown -h %d ", uid, user, dir, user))
	assert.NotErrorIs(t, err, ErrGroupWritable)
}

func TestTheFoldersThatLinksLeadThroughCount(t *testing.T) {
	base := guarded(t)
	for _, dir := range []string{"real/plugins", "open", "links"} {
		require.NoError(t, os.MkdirAll(filepath.Join(base, dir), 0o700))
	}
	// links/first -> ../open/second -> real/plugins: whoever writes to open
	// decides where the path leads, though neither end is there.
	first, second := filepath.Join(base, "links", "first"), filepath.Join(base, "open", "second")
	require.NoError(t, os.Symlink("../open/second", first))
	require.NoError(t, os.Symlink(filepath.Join(base, "real", "plugins"), second))
	require.NoError(t, CheckFolder(first))
	require.NoError(t, os.Chmod(filepath.Join(base, "open"), 0o777))
	assert.ErrorContains(t, CheckFolder(first), "everybody can write to "+filepath.Join(base, "open")+" (mode 0777)")
	require.NoError(t, os.Chmod(filepath.Join(base, "open"), 0o700))

	require.NoError(t, os.Chmod(filepath.Join(base, "real"), 0o777))
	assert.ErrorContains(t, CheckFolder(first), "everybody can write to "+filepath.Join(base, "real")+" (mode 0777)")
	require.NoError(t, os.Chmod(filepath.Join(base, "real"), 0o700))

	if os.Geteuid() == 0 { // only root can give a link away
		require.NoError(t, os.Lchown(second, 4242, 4242))
		assert.ErrorContains(t, CheckFolder(first), second+" belongs to the user 4242")
	}
}

func TestWhatIsNoFolderIsTold(t *testing.T) {
	base := guarded(t)
	file := filepath.Join(base, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	assert.EqualError(t, CheckFolder(file), file+" is not a folder")
	absent := filepath.Join(base, "absent")
	assert.EqualError(t, CheckFolder(absent), absent+" cannot be read: no such file or directory")
	loop := filepath.Join(base, "loop")
	require.NoError(t, os.Symlink("loop", loop))
	assert.ErrorContains(t, CheckFolder(loop), loop+" cannot be read: ")
}

func TestARelativePluginFolderIsCheckedFromTheRoot(t *testing.T) {
	base := guarded(t)
	require.NoError(t, os.Mkdir(filepath.Join(base, "plugins"), 0o700))
	t.Chdir(base)
	require.NoError(t, CheckFolder("plugins"))
	require.NoError(t, os.Chmod(base, 0o777))
	assert.EqualError(t, CheckFolder("plugins"), "everybody can write to "+base+" (mode 0777), and so replace the plugins in plugins; mend it with: chmod go-w "+base)
}
