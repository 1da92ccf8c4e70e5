//go:build unix

package executable

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// maxLinks is how many links one path may lead through.
const maxLinks = 40

// CheckFolder tells in one sentence why others could replace what lies in a
// plugin folder; nil when nobody can. Somebody can when the folder, a folder
// above it, or one that its links lead through belongs to another user than
// root and this one, or can be written to by its group or everybody. A sticky
// folder such as /tmp may be above it, but not be it. The sentence names the
// folder, its mode or owner, and the command that mends it. Where writing by a
// group is all that is wrong, the error is ErrGroupWritable.
func CheckFolder(dir string) error { return checkFolder(dir, os.Geteuid()) }

func checkFolder(dir string, user int) error {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return fmt.Errorf("%s is not a folder", dir)
	}
	return checkPath(dir, user)
}

// CheckFile is CheckFolder for a file, and so for every folder above it too.
func CheckFile(path string) error { return checkPath(path, os.Geteuid()) }

func checkPath(dir string, user int) error {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	end, err := filepath.EvalSymlinks(absolute)
	if err != nil {
		return unreadable(dir, err)
	}
	var byGroup error
	err = along(absolute, func(place string, info os.FileInfo) error {
		// A link's mode says nothing, but who owns it can change it.
		if uid := owner(info); uid != 0 && uid != user {
			return fmt.Errorf("%s belongs to the user %d, not to root or the user %d who runs the host, and so others could replace the plugins in %s; mend it with: chown -h %d %s", place, uid, user, dir, user, place)
		}
		sticky := info.Mode()&os.ModeSticky != 0
		if info.Mode()&os.ModeSymlink != 0 || sticky && place != end {
			return nil
		}
		mode := info.Mode().Perm()
		switch {
		case mode&0o002 != 0 && sticky:
			return fmt.Errorf("everybody can put files into %s (mode 1%03o), so plugins must not lie there; make a folder of their own in it", place, mode)
		case mode&0o002 != 0:
			return fmt.Errorf("everybody can write to %s (mode %04o), and so replace the plugins in %s; mend it with: chmod go-w %s", place, mode, dir, place)
		case mode&0o020 != 0 && byGroup == nil:
			byGroup = groupWritable(fmt.Sprintf("the group of %s can write to it (mode %04o), and so replace the plugins in %s; mend it with: chmod g-w %s", place, mode, dir, place))
		}
		return nil
	})
	if err == nil {
		err = byGroup
	}
	return err
}

// along visits each folder and link that a path leads through, from the root on.
func along(path string, visit func(place string, info os.FileInfo) error) error {
	place, names, links := "/", append([]string{"."}, strings.Split(path, "/")...), 0
	for len(names) > 0 {
		next := filepath.Join(place, names[0]) // place has no links in it, so ".." is the folder above
		names = names[1:]
		info, err := os.Lstat(next)
		if err != nil {
			return unreadable(next, err)
		}
		if err := visit(next, info); err != nil {
			return err
		}
		if info.Mode()&os.ModeSymlink == 0 {
			place = next
			continue
		}
		target, err := os.Readlink(next)
		if err != nil {
			return unreadable(next, err)
		}
		if links++; links > maxLinks {
			return fmt.Errorf("%s leads through more than %d links", path, maxLinks)
		}
		if filepath.IsAbs(target) {
			place = "/"
		}
		names = append(strings.Split(target, "/"), names...)
	}
	return nil
}
