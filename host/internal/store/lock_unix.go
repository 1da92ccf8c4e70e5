//go:build unix

package store

import (
	"os"
	"syscall"
)

// lockFolder keeps other processes from migrating the same store at once. It
// locks the folder itself, so that nothing is left lying about.
func lockFolder(path string) (unlock func(), err error) {
	folder, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX); err != nil {
		_ = folder.Close()
		return nil, err
	}
	return func() { _ = folder.Close() }, nil
}
