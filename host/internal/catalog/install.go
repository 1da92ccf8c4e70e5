package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// LockFile is the name of the lock beside the installed plugins.
const LockFile = "unicrm.lock"

// Lock pins what is installed.
type Lock struct {
	Plugins []LockedPlugin `json:"plugins"`
}

// LockedPlugin is one pinned binary, its SHA-256 by platform ("linux/amd64").
type LockedPlugin struct {
	Name    string            `json:"name"`
	Version string            `json:"version"`
	SHA256  map[string]string `json:"sha256"`
}

// Install copies the binaries into a plugin directory, laid out by slug and
// version, and writes the lock.
func Install(ctx context.Context, dir string, binaries []*Plugin) error {
	var lock Lock
	for _, p := range binaries {
		if err := ctx.Err(); err != nil {
			return err
		}
		target := filepath.Join(dir, p.Slug, p.Version, filepath.Base(p.Path))
		sum, err := copyBinary(p.Path, target)
		if err != nil {
			return fmt.Errorf("install %s %s: %w", p.Slug, p.Version, err)
		}
		lock.Plugins = append(lock.Plugins, LockedPlugin{Name: p.Slug, Version: p.Version, SHA256: map[string]string{runtime.GOOS + "/" + runtime.GOARCH: sum}})
		p.Path = target
	}
	data, err := json.MarshalIndent(lock, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, LockFile), 0o600, func(w io.Writer) error {
		_, err := w.Write(append(data, '\n'))
		return err
	})
}

// copyBinary copies with mode 0500 and tells the SHA-256 of what it copied.
func copyBinary(from, to string) (string, error) {
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return "", err
	}
	source, err := os.Open(from)
	if err != nil {
		return "", err
	}
	defer source.Close()
	sum := sha256.New()
	err = replaceFile(to, 0o500, func(w io.Writer) error {
		_, err := io.Copy(io.MultiWriter(w, sum), source)
		return err
	})
	return hex.EncodeToString(sum.Sum(nil)), err
}

// replaceFile writes a file beside its place and renames it, so that readers,
// and processes that run the old one, see the old file or the new one, whole.
func replaceFile(path string, mode os.FileMode, write func(io.Writer) error) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	err = errors.Join(write(temporary), temporary.Chmod(mode), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		_ = os.Remove(temporary.Name())
	}
	return err
}
