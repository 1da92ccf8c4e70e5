package catalog

import (
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/unicrm/unicrm/host/internal/supervisor"
)

// manifestFolder holds what the installed binaries say of themselves, by hash.
const manifestFolder = ".manifests"

func manifestPath(dir, sum string) string {
	return filepath.Join(dir, manifestFolder, strings.ReplaceAll(sum, ":", "-")+".json")
}

func writeManifest(dir, sum string, printed []byte) error {
	path := manifestPath(dir, sum)
	if err := os.MkdirAll(filepath.Dir(path), folderMode); err != nil {
		return err
	}
	return replaceFile(path, 0o644, func(w io.Writer) error {
		_, err := w.Write(printed)
		return err
	})
}

// readManifest makes a plugin of what its binary said at install;
// os.ErrNotExist when that was not kept.
func readManifest(dir, binary, sum string) (*Plugin, error) {
	path := manifestPath(dir, sum)
	printed, err := os.ReadFile(path)
	if err == nil {
		err = guarded(path)
	}
	if err != nil {
		return nil, err
	}
	manifest, err := supervisor.ParseManifest(printed)
	if err != nil {
		return nil, err
	}
	return newPlugin(binary, sum, manifest)
}
