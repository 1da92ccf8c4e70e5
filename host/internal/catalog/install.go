package catalog

import (
	"bytes"
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

	"github.com/unicrm/unicrm/sdk/wire"
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

// platform is this machine's key in LockedPlugin.SHA256.
const platform = runtime.GOOS + "/" + runtime.GOARCH

// readLock reads the lock of a plugin directory; nil when there is none.
func readLock(dir string) (*Lock, error) {
	data, err := os.ReadFile(filepath.Join(dir, LockFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil //nolint:nilnil // no lock is no error
	}
	if err != nil {
		return nil, fmt.Errorf("read the lock: %w", err)
	}
	var lock Lock
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&lock); err != nil {
		return nil, fmt.Errorf("the lock %s cannot be read: %w", filepath.Join(dir, LockFile), err)
	}
	return &lock, nil
}

// hash gives the pinned hash of a binary at its place in a plugin directory.
func (l *Lock) hash(dir, path string) (string, error) {
	place, err := filepath.Rel(dir, path)
	if err != nil {
		return "", err
	}
	for _, p := range l.Plugins {
		if filepath.Join(p.Name, p.Version, wire.BinaryPrefix+p.Name) == place {
			if sum := p.SHA256[platform]; sum != "" {
				return sum, nil
			}
			return "", fmt.Errorf("%s has no hash of it for %s", LockFile, platform)
		}
	}
	return "", fmt.Errorf("it is not in %s", LockFile)
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
		lock.Plugins = append(lock.Plugins, LockedPlugin{Name: p.Slug, Version: p.Version, SHA256: map[string]string{platform: sum}})
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
