package catalog

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/unicrm/unicrm/host/internal/executable"
	"github.com/unicrm/unicrm/sdk/wire"
)

// bring copies a source into a new folder and tells where the binary is,
// and whether the folder it lies in belongs to it.
func bring(ctx context.Context, source, content string) (binary string, tree bool, err error) {
	info, err := os.Stat(source)
	if err != nil {
		return "", false, err
	}
	if err := os.Mkdir(content, folderMode); err != nil {
		return "", false, err
	}
	switch {
	case info.IsDir():
		if _, err := executable.CopyTree(source, content); err != nil {
			return "", false, err
		}
	case strings.HasSuffix(source, ".tar.gz") || strings.HasSuffix(source, ".tgz"):
		if err := unpack(ctx, source, content); err != nil {
			return "", false, err
		}
	default:
		if err := executable.Check(source); err != nil {
			return "", false, err
		}
		if err := copyFile(source, filepath.Join(content, filepath.Base(source))); err != nil {
			return "", false, err
		}
	}
	if err := openToAll(content); err != nil {
		return "", false, err
	}
	return findBinary(content)
}

// openToAll lets every user read what is installed, and nobody write to it.
func openToAll(folder string) error {
	return eachInside(folder, func(root *os.Root, path string, info fs.FileInfo) error {
		switch {
		case info.IsDir():
			return root.Chmod(path, folderMode)
		case info.Mode()&0o100 != 0:
			return root.Chmod(path, 0o555)
		}
		return root.Chmod(path, 0o444)
	})
}

func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o700)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}

// findBinary looks for the one plugin in a folder, or in the one folder in it.
func findBinary(folder string) (binary string, tree bool, err error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return "", false, err
	}
	var binaries []string
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), wire.BinaryPrefix) && entry.Type().IsRegular() {
			binaries = append(binaries, entry.Name())
		}
	}
	switch {
	case len(binaries) == 1:
		return filepath.Join(folder, binaries[0]), len(entries) > 1, nil
	case len(binaries) > 1:
		return "", false, fmt.Errorf("it holds several plugins, %s; install them one by one", strings.Join(binaries, ", "))
	case len(entries) == 1 && entries[0].IsDir():
		return findBinary(filepath.Join(folder, entries[0].Name()))
	case len(entries) == 1 && entries[0].Type().IsRegular():
		return "", false, fmt.Errorf("its name does not begin with %s, as a plugin's has to", wire.BinaryPrefix)
	}
	return "", false, fmt.Errorf("it holds no file %s<slug>", wire.BinaryPrefix)
}

// unpack extracts a .tar.gz. Nothing in it can reach out of the target.
func unpack(ctx context.Context, source, target string) error {
	file, err := os.Open(source)
	if err != nil {
		return err
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return errors.New("it is not a gzip file")
	}
	root, err := os.OpenRoot(target)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	archive := tar.NewReader(unzipped)
	left := int64(executable.MaxBytes)
	for files := 0; ; files++ {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("it is not a whole tar archive: %w", err)
		}
		name := filepath.Clean(filepath.FromSlash(header.Name))
		if files >= executable.MaxThings || header.Size > left {
			return fmt.Errorf("it holds more than %d files or %d MiB", executable.MaxThings, executable.MaxBytes>>20)
		}
		// Every folder of a path is one more thing to make: short ones only.
		if len(name) > executable.MaxPath || strings.Count(name, string(filepath.Separator)) >= maxDepth {
			return fmt.Errorf("the archive holds a path of more than %d bytes or %d folders", executable.MaxPath, maxDepth)
		}
		if !filepath.IsLocal(name) {
			return fmt.Errorf("the archive holds %.100q, which leads out of it", header.Name)
		}
		left -= header.Size
		if err := extract(root, archive, header, name); err != nil {
			return err
		}
	}
}

func extract(root *os.Root, archive io.Reader, header *tar.Header, name string) error {
	if err := root.MkdirAll(filepath.Dir(name), folderMode); err != nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, folderMode)
	case tar.TypeReg:
		mode := 0o644 | os.FileMode(header.Mode)&0o111
		target, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		if err != nil {
			return err
		}
		_, err = io.Copy(target, archive)
		return errors.Join(err, target.Chmod(mode), target.Close())
	case tar.TypeSymlink: // where it may lead is checked with the hash
		return root.Symlink(header.Linkname, name)
	case tar.TypeXGlobalHeader:
		return nil
	}
	return fmt.Errorf("the archive holds %.100q, which is neither a file, a folder nor a link", header.Name)
}
