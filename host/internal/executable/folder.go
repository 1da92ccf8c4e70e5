package executable

import (
	"errors"
	"fmt"
	"os"
)

// folderPrefix begins the names of private folders. It is short because the
// paths of sockets are.
const folderPrefix = "ucrm-run-"

// Folder is an empty private folder (0700) among the temporary files. It bears
// the mark that this process lives, so that no other host sweeps it away.
type Folder struct {
	Path string   // at most 20 bytes longer than os.TempDir()
	mark *os.File // holds the lock on the folder; closed when the process ends, however
}

// PrivateFolder makes one. Close it, or Sweep removes it once this process is dead.
func PrivateFolder() (*Folder, error) {
	for range 100 {
		path, err := os.MkdirTemp("", folderPrefix) // 0700
		if err != nil {
			return nil, fmt.Errorf("make a private folder: %w", err)
		}
		mark, claimed, err := claim(path)
		if err != nil {
			_ = os.Remove(path)
			return nil, fmt.Errorf("mark the private folder %s: %w", path, err)
		}
		if claimed {
			return &Folder{Path: path, mark: mark}, nil
		}
		// A host that sweeps was faster than the mark; it removes the folder.
	}
	return nil, errors.New("make a private folder: other processes keep removing it")
}

// Close removes the folder and all that is in it.
func (f *Folder) Close() {
	if f == nil {
		return
	}
	_ = os.RemoveAll(f.Path) // while it is still marked
	if f.mark != nil {
		_ = f.mark.Close()
	}
}
