// Package executable runs a plugin's binary only when it is what a lock says,
// and makes sure that the bytes that were hashed are the bytes that run. A
// check of a file that is started by its path afterwards proves nothing:
// somebody may have replaced it in between.
package executable

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// File is a binary that is ready to run. Close it when its process has ended.
type File struct {
	path   string   // where it was found; what processes are called
	run    string   // what to start when there is no sealed copy in memory
	sealed *os.File // a copy in memory that nobody can change; nil where there is none
	folder string   // private folder of a copy on disk; removed by Close
}

// MismatchError means that a file is not what the lock says.
type MismatchError struct{ Path, Want, Got string }

func (e *MismatchError) Error() string {
	return fmt.Sprintf("%s has the SHA-256 %s, but the lock says %s; install it again, or find out who changed it", filepath.Base(e.Path), e.Got, e.Want)
}

// Open makes a binary ready. With a hash (SHA-256, hexadecimal) it is copied
// while it is hashed, and the copy is what runs. Without one the file itself runs.
func Open(path, want string) (*File, error) {
	if want == "" {
		return &File{path: path, run: path}, nil
	}
	source, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	if info, err := source.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("%s is not a file", path), err)
	}
	f := &File{path: path}
	got, err := f.copy(source)
	if err == nil && got != want {
		err = &MismatchError{Path: path, Want: want, Got: got}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// copy takes the binary into sealed memory where that works, which is for
// native binaries on Linux, else into a private folder.
func (f *File) copy(source *os.File) (sum string, err error) {
	if sealed, ok := newSealed(source, filepath.Base(f.path)); ok {
		f.sealed = sealed
		hash := sha256.New()
		if _, err := io.Copy(io.MultiWriter(sealed, hash), source); err != nil {
			return "", fmt.Errorf("copy %s: %w", f.path, err)
		}
		return hex.EncodeToString(hash.Sum(nil)), seal(sealed)
	}
	if f.folder, err = os.MkdirTemp("", "ucrm-"); err != nil { // 0700
		return "", fmt.Errorf("copy %s: %w", f.path, err)
	}
	f.run = filepath.Join(f.folder, filepath.Base(f.path))
	target, err := os.OpenFile(f.run, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o500)
	if err != nil {
		return "", fmt.Errorf("copy %s: %w", f.path, err)
	}
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(target, hash), source)
	if err := errors.Join(err, target.Close()); err != nil {
		return "", fmt.Errorf("copy %s: %w", f.path, err)
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// Command makes a command of the binary with further open files, which the
// process finds from descriptor 3 on.
func (f *File) Command(files []*os.File, args ...string) *exec.Cmd {
	run := f.run
	if f.sealed != nil {
		// The child looks its own descriptor up, so the number is the child's.
		run = fmt.Sprintf("/proc/self/fd/%d", 3+len(files))
		files = append(files[:len(files):len(files)], f.sealed)
	}
	cmd := exec.Command(run, args...)
	cmd.Args[0] = f.path // for people who look at processes
	cmd.ExtraFiles = files
	return cmd
}

// Close gives back what Open took. A process that runs already is not affected.
func (f *File) Close() {
	if f == nil {
		return
	}
	if f.sealed != nil {
		_ = f.sealed.Close()
	}
	if f.folder != "" {
		_ = os.RemoveAll(f.folder)
	}
}
