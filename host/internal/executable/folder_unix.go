//go:build unix

package executable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// claim locks a folder until the file that it gives is closed. The lock is the
// kernel's (flock), so it ends with the process; cleaners such as
// systemd-tmpfiles respect it, too. False when somebody else has the lock, or
// had it and removed the folder.
func claim(path string) (mark *os.File, claimed bool, err error) {
	mark, err = os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_DIRECTORY, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if claimed, err = lock(mark, path); !claimed {
		_ = mark.Close()
		return nil, false, err
	}
	return mark, true, nil
}

// lock locks an open folder, and tells whether it is still the one at path.
func lock(folder *os.File, path string) (bool, error) {
	err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock: %w", err)
	}
	locked, err := folder.Stat()
	if err != nil {
		return false, err
	}
	there, err := os.Lstat(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, err
	}
	return err == nil && os.SameFile(locked, there), nil
}

// Sweep removes the private folders of this user's hosts that are dead, and
// tells how many. A host calls it when it starts. What a living process has
// marked stays, whatever the process does; what cannot be removed is told and
// does not keep the others.
func Sweep() (removed int, err error) {
	entries, err := os.ReadDir(os.TempDir())
	if err != nil {
		return 0, fmt.Errorf("look for what dead hosts left: %w", err)
	}
	var problems []error
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), folderPrefix) {
			continue
		}
		path := filepath.Join(os.TempDir(), entry.Name())
		info, err := os.Lstat(path)
		if err != nil || !info.IsDir() || owner(info) != os.Geteuid() {
			continue
		}
		mark, claimed, err := claim(path)
		if claimed {
			err = os.RemoveAll(path)
			_ = mark.Close()
		}
		switch {
		case err != nil:
			problems = append(problems, fmt.Errorf("remove what a dead host left: %w", err))
		case claimed:
			removed++
		}
	}
	return removed, errors.Join(problems...)
}

func owner(info os.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }

// hasExecuteBit tells whether its owner may execute a file.
func hasExecuteBit(info os.FileInfo) bool { return info.Mode()&0o100 != 0 }
