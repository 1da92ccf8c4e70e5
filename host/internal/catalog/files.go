package catalog

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// replaceFile writes a file beside its place and renames it, so that readers,
// and processes that run the old one, see the old file or the new one, whole.
func replaceFile(path string, mode os.FileMode, write func(io.Writer) error) error {
	temporary, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	err = errors.Join(write(temporary), temporary.Chmod(mode), temporary.Sync(), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		_ = os.Remove(temporary.Name())
	}
	return err
}

// removeTree removes a folder also where it is not writable.
func removeTree(path string) {
	_ = eachInside(path, func(root *os.Root, inside string, info fs.FileInfo) error {
		if info.IsDir() {
			_ = root.Chmod(inside, 0o700)
		}
		return nil
	})
	_ = os.RemoveAll(path)
}

// eachInside goes through the files and folders of a folder, itself included,
// and through no link.
func eachInside(folder string, do func(root *os.Root, path string, info fs.FileInfo) error) error {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	return fs.WalkDir(root.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type()&fs.ModeSymlink != 0 {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return do(root, path, info)
	})
}
