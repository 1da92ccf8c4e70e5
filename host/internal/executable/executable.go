// Package executable runs a plugin only when it is what a lock says, and makes
// sure that the bytes that were hashed are the bytes that run. A check of a
// file that is started by its path afterwards proves nothing: somebody may
// have replaced it in between. So what runs is a copy that was made while it
// was hashed. The package also tells in plain words why a file cannot be a
// plugin, and removes the copies of hosts that were killed.
//
// # Hashes
//
// The hash of a file is its SHA-256 in hexadecimal. A plugin may also be a
// folder; its hash is "tree:" and the SHA-256 of a list with one line for each
// thing in it, the lines sorted by their bytes:
//
//	d  ./lib                   a folder
//	- <SHA-256>  ./lib/map.js  a file
//	x <SHA-256>  ./start       a file that its owner may execute
//	l <SHA-256>  ./lib/link    a symbolic link; the hash is that of its target's text
//
// Owners, times and other modes do not count. By hand, in the folder:
//
//	{
//	  find . -mindepth 1 -type d -exec printf 'd  %s\n' {} +
//	  find . -type f ! -perm -100 -exec sha256sum {} + | sed 's/^/- /'
//	  find . -type f -perm -100 -exec sha256sum {} + | sed 's/^/x /'
//	  find . -type l -exec sh -c 'for link; do
//	    printf "l %s  %s\n" "$(readlink -n "$link" | sha256sum | cut -c -64)" "$link"
//	  done' sh {} +
//	} | LC_ALL=C sort | sha256sum
//
// A folder holds at most 20,000 things and 512 MiB; a file is at most as large.
// Links must be relative and stay inside; devices, sockets and pipes are refused.
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
	"strings"
	"syscall"
)

// File is a plugin that is ready to run. Close it when its process has ended.
type File struct {
	path   string   // where it was found; what processes are called
	run    string   // what to start when there is no sealed copy in memory
	sealed *os.File // a copy in memory that nobody can change; nil where there is none
	folder *Folder  // private folder of a copy on disk; removed by Close
}

// MismatchError means that a file or folder is not what the lock says. The
// hashes are as Hash gives them; Path is that of the file to execute.
type MismatchError struct{ Path, Want, Got string }

func (e *MismatchError) Error() string {
	what := filepath.Base(e.Path)
	if isTree(e.Got) {
		what = "the folder of " + what
	}
	return fmt.Sprintf("%s has the SHA-256 %s, but the lock says %s; install it again, or find out who changed it", what, e.Got, e.Want)
}

// Hash tells the hash of a file or a folder, as the package's text defines it.
func Hash(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.IsDir() {
		return readTree(path, "", defaultLimits)
	}
	source, info, err := openFile(path)
	if err != nil {
		return "", err
	}
	defer source.Close()
	return digest(source, info.Size(), io.Discard)
}

// Open makes a plugin ready. Path is the file to execute, want the hash of that
// file or, "tree:…", of the folder that it lies in: a copy is made and hashed
// in one reading, and the copy is what runs. Another hash is a *MismatchError.
// Without a hash the file itself runs.
func Open(path, want string) (*File, error) {
	f := &File{path: path, run: path}
	var (
		got string
		err error
	)
	switch {
	case want == "":
		return f, nil
	case isTree(want):
		got, err = f.copyTree()
	default:
		got, err = f.copyFile()
	}
	if err == nil && got != want {
		err = &MismatchError{Path: path, Want: want, Got: got}
	}
	if err == nil && isTree(want) {
		err = startable(f.run)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// copyFile takes a file into sealed memory where that works, which is for
// native binaries on Linux, else into a private folder.
func (f *File) copyFile() (sum string, err error) {
	source, info, err := openFile(f.path)
	if err != nil {
		return "", err
	}
	defer source.Close()
	if sealed, ok := newSealed(source, filepath.Base(f.path)); ok {
		f.sealed = sealed
		if sum, err = digest(source, info.Size(), sealed); err == nil {
			err = seal(sealed)
		}
	} else if err = f.makeFolder(); err == nil {
		sum, err = copyTo(f.run, 0o500, source, info.Size())
	}
	if err != nil {
		return "", fmt.Errorf("copy %s: %w", f.path, err)
	}
	return sum, nil
}

// copyTree takes the folder that the file lies in into a private one.
func (f *File) copyTree() (sum string, err error) {
	if err := f.makeFolder(); err != nil {
		return "", fmt.Errorf("copy %s: %w", f.path, err)
	}
	return readTree(filepath.Dir(f.path), f.folder.Path, defaultLimits)
}

func (f *File) makeFolder() (err error) {
	if f.folder, err = PrivateFolder(); err != nil {
		return err
	}
	if forbidsExec(f.folder.Path) {
		return fmt.Errorf("no program can run from %s, which is mounted noexec; set TMPDIR to a folder from which one can", filepath.Dir(f.folder.Path))
	}
	f.run = filepath.Join(f.folder.Path, filepath.Base(f.path))
	return nil
}

// Command makes a command of the plugin with further open files, which the
// process finds from descriptor 3 on.
func (f *File) Command(files []*os.File, args ...string) *exec.Cmd {
	run := f.run
	if f.sealed != nil {
		// The child looks its own descriptor up, so the number is the child's.
		run = fmt.Sprintf("/proc/self/fd/%d", 3+len(files))
		files = append(files[:len(files):len(files)], f.sealed)
	}
	cmd := exec.Command(run, args...) //nolint:gosec // starting what the lock vouches for is the purpose
	cmd.Args[0] = f.path              // for people who look at processes
	cmd.ExtraFiles = files
	return cmd
}

// Close gives back what Open took. A process that runs already keeps its sealed
// copy, but not its files in a private folder.
func (f *File) Close() {
	if f == nil {
		return
	}
	if f.sealed != nil {
		_ = f.sealed.Close()
	}
	f.folder.Close()
}

// startable tells whether a copy of a folder has the file to execute.
func startable(run string) error {
	info, err := os.Lstat(run)
	switch {
	case err != nil:
		return fmt.Errorf("its folder has no file %s", filepath.Base(run))
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a file", filepath.Base(run))
	case !hasExecuteBit(info):
		return fmt.Errorf("%s has no execute bit", filepath.Base(run))
	}
	return nil
}

// openFile opens a regular file. Opening a named pipe would wait for a writer;
// this does not.
func openFile(path string) (*os.File, os.FileInfo, error) {
	return regular(os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0))
}

func regular(file *os.File, err error) (*os.File, os.FileInfo, error) {
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s is not a file", file.Name())
	case info.Size() > defaultLimits.bytes:
		err = fmt.Errorf("%s is larger than %d MiB", file.Name(), defaultLimits.bytes>>20)
	default:
		return file, info, nil
	}
	_ = file.Close()
	return nil, nil, err
}

// digest copies a file of that size and tells the SHA-256 of what it copied.
func digest(source io.Reader, size int64, to io.Writer) (string, error) {
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(to, hash), io.LimitReader(source, size+1))
	if err == nil && n != size {
		err = errors.New("it changed while it was read")
	}
	return hex.EncodeToString(hash.Sum(nil)), err
}

// copyTo is digest into a new file.
func copyTo(path string, mode os.FileMode, source io.Reader, size int64) (string, error) {
	// A process forked meanwhile would hold the file open for writing until it
	// executes its program, and what is open for writing cannot be executed
	// ("text file busy", golang.org/issue/22315).
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	target, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return "", err
	}
	sum, err := digest(source, size, target)
	return sum, errors.Join(err, target.Close())
}

func isTree(hash string) bool { return strings.HasPrefix(hash, treePrefix) }
