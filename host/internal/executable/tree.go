package executable

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"unicode"
	"unicode/utf8"
)

const treePrefix = "tree:"

// limits are what a folder may hold. They end the reading of one that others
// fill without end.
type limits struct {
	things int   // files, folders and links together
	bytes  int64 // of all files together
	path   int   // bytes of one path within the folder
}

// What a plugin may hold: files, folders and links together, bytes of all files,
// bytes of one path.
const (
	MaxThings = 20_000
	MaxBytes  = 512 << 20
	MaxPath   = 1024
)

var defaultLimits = limits{things: MaxThings, bytes: MaxBytes, path: MaxPath}

// tree reads a folder once. Whatever happens to the folder meanwhile, the lines
// tell exactly what the copy holds.
type tree struct {
	to     string // an empty folder for the copy; empty: only hashed
	limits limits
	lines  []string
	bytes  int64
}

// CopyTree copies a folder into an empty one, readable by its owner alone, and
// tells the hash of what it copied.
func CopyTree(from, to string) (hash string, err error) { return readTree(from, to, defaultLimits) }

// readTree tells the hash of a folder and copies it, unless to is empty.
func readTree(from, to string, limits limits) (string, error) {
	// All is opened through the root, so that a link that is put in place of a
	// folder meanwhile does not lead out of it.
	root, err := os.OpenRoot(from)
	if err != nil {
		return "", err
	}
	defer func() { _ = root.Close() }()
	t := tree{to: to, limits: limits}
	folders := []string{"."}
	for len(folders) > 0 {
		last := len(folders) - 1
		inner, err := t.readFolder(root, folders[last])
		if err != nil {
			return "", fmt.Errorf("read the folder %s: %w", from, err)
		}
		folders = append(folders[:last], inner...)
	}
	slices.Sort(t.lines)
	sum := sha256.Sum256([]byte(strings.Join(t.lines, "")))
	return treePrefix + hex.EncodeToString(sum[:]), nil
}

// readFolder adds what lies directly in a folder and names the folders among it.
func (t *tree) readFolder(root *os.Root, folder string) (inner []string, err error) {
	here, err := root.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	defer func() { _ = here.Close() }()
	list, err := here.Open(".")
	if err != nil {
		return nil, err
	}
	defer list.Close()
	for {
		names, err := list.Readdirnames(256)
		for _, name := range names {
			place := path.Join(folder, name)
			isFolder, err := t.add(here, place)
			if err != nil {
				return nil, fmt.Errorf("%.200q: %w", place, err)
			}
			if isFolder {
				inner = append(inner, place)
			}
		}
		if errors.Is(err, io.EOF) {
			return inner, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// add takes one thing into the list and the copy.
func (t *tree) add(here *os.Root, place string) (isFolder bool, err error) {
	if len(t.lines) == t.limits.things {
		return false, fmt.Errorf("there are more than %d files, folders and links", t.limits.things)
	}
	if len(place) > t.limits.path {
		return false, fmt.Errorf("the path is longer than %d bytes", t.limits.path)
	}
	// Such names would make two folders have one list, or one that sha256sum
	// writes in another way.
	if !utf8.ValidString(place) || strings.ContainsFunc(place, func(r rune) bool { return r == '\\' || unicode.IsControl(r) }) {
		return false, errors.New("the name has a backslash, a control character or is not UTF-8")
	}
	name := path.Base(place)
	info, err := here.Lstat(name)
	if err != nil {
		return false, err
	}
	var kind, sum string
	switch mode := info.Mode(); {
	case mode.IsDir():
		kind, isFolder = "d", true
		if t.to != "" {
			err = os.Mkdir(t.copyOf(place), 0o700)
		}
	case mode.IsRegular():
		kind, sum, err = t.addFile(here, name, place)
	case mode&os.ModeSymlink != 0:
		kind = "l "
		sum, err = t.addLink(here, name, place)
	default:
		err = fmt.Errorf("it is a %s, but a plugin consists of files, folders and links", typeName(mode))
	}
	t.lines = append(t.lines, kind+sum+"  ./"+place+"\n")
	return isFolder, err
}

func (t *tree) addFile(here *os.Root, name, place string) (kind, sum string, err error) {
	file, info, err := regular(here.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0))
	if err != nil {
		return "", "", err
	}
	defer file.Close()
	if t.bytes += info.Size(); t.bytes > t.limits.bytes {
		return "", "", fmt.Errorf("the files together are larger than %d MiB", t.limits.bytes>>20)
	}
	kind, mode := "- ", os.FileMode(0o400)
	if hasExecuteBit(info) {
		kind, mode = "x ", 0o500
	}
	if t.to == "" {
		sum, err = digest(file, info.Size(), io.Discard)
	} else {
		sum, err = copyTo(t.copyOf(place), mode, file, info.Size())
	}
	return kind, sum, err
}

func (t *tree) addLink(here *os.Root, name, place string) (string, error) {
	target, err := here.Readlink(name)
	if err != nil {
		return "", err
	}
	if !staysInside(place, target) {
		return "", fmt.Errorf("the link leads to %.200q; it must be relative, go up only at its beginning, and stay in the folder", target)
	}
	if t.to != "" {
		err = os.Symlink(target, t.copyOf(place))
	}
	sum := sha256.Sum256([]byte(target))
	return hex.EncodeToString(sum[:]), err
}

// staysInside tells whether a link cannot lead out of the folder. A ".." after
// a name is refused: that name may be a link itself, and then ".." leads
// elsewhere than the text says.
func staysInside(place, target string) bool {
	below := strings.TrimPrefix(target, "./")
	for strings.HasPrefix(below+"/", "../") {
		below = strings.TrimPrefix(strings.TrimPrefix(below, ".."), "/")
	}
	return !path.IsAbs(target) && !slices.Contains(strings.Split(below, "/"), "..") &&
		filepath.IsLocal(path.Join(path.Dir(place), target))
}

func (t *tree) copyOf(place string) string { return filepath.Join(t.to, filepath.FromSlash(place)) }

func typeName(mode os.FileMode) string {
	switch {
	case mode.IsDir():
		return "folder"
	case mode&os.ModeNamedPipe != 0:
		return "named pipe"
	case mode&os.ModeSocket != 0:
		return "socket"
	default:
		return "device"
	}
}
