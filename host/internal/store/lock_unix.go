//go:build unix

package store

import (
	"errors"
	"os"
	"syscall"
)

// lockBeside keeps other processes from migrating the same store at once. The
// file that it locks is private: whoever can open it could hold it.
func lockBeside(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(file.Chmod(0o600), syscall.Flock(int(file.Fd()), syscall.LOCK_EX)); err != nil {
		_ = file.Close()
		return nil, err
	}
	return func() { _ = file.Close() }, nil
}
