package executable

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// SafePath is the PATH of every plugin process, whatever the host's own is.
const SafePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

const (
	// maxHead is how much of a file is looked at to tell what it is.
	maxHead = 4096
	// maxFirstLine is what Linux reads of a script's first line after "#!".
	maxFirstLine = 253
)

// Check tells in one sentence why a file cannot be run as a plugin on this
// machine; nil when nothing speaks against it. The sentence begins with the
// path and is for people. Nothing is run.
func Check(path string) error { return check(path, runtime.GOOS, runtime.GOARCH, SafePath) }

func check(path, system, arch, searched string) error {
	info, err := os.Stat(path)
	if err != nil {
		return unreadable(path, err)
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		return fmt.Errorf("%s is a folder, where the plugin's file to execute should be", path)
	case !mode.IsRegular():
		return fmt.Errorf("%s is a %s, not a file", path, typeName(mode))
	case info.Size() == 0:
		return fmt.Errorf("%s is empty", path)
	}
	file, info, err := openFile(path)
	if err != nil {
		return unreadable(path, err)
	}
	defer file.Close()
	head := make([]byte, min(info.Size(), maxHead))
	if _, err := file.ReadAt(head, 0); err != nil {
		return unreadable(path, err)
	}
	if bytes.HasPrefix(head, []byte("#!")) {
		err = checkScript(head, searched)
	} else {
		err = checkNative(file, head, info.Size(), system, arch)
	}
	if err != nil {
		return fmt.Errorf("%s %w", path, err)
	}
	if !hasExecuteBit(info) {
		return fmt.Errorf("%s is not executable (mode %04o); mend it with: chmod u+x %s", path, info.Mode().Perm(), path)
	}
	return nil
}

// unreadable names the path once and the reason without the system call's name.
func unreadable(path string, err error) error {
	var failed *fs.PathError
	if errors.As(err, &failed) {
		err = failed.Err
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s cannot be read: %w; let the user who runs the host read it", path, err)
	}
	return fmt.Errorf("%s cannot be read: %w", path, err)
}

// notAProgram says what a file is instead, as far as its first bytes tell.
func notAProgram(head []byte) error {
	what := "data"
	if strings.HasPrefix(http.DetectContentType(head), "text/") {
		what = "a text file"
	}
	return fmt.Errorf("is %s, not a program: it is no native binary (ELF, Mach-O, PE) and no script, which would begin with #!", what)
}

// checkScript looks for the interpreter of a script as the kernel and env would.
func checkScript(head []byte, searched string) error {
	line, _, _ := bytes.Cut(head[len("#!"):], []byte("\n"))
	if len(line) > maxFirstLine {
		return fmt.Errorf("is a script with a first line longer than %d bytes, which systems cut", maxFirstLine)
	}
	if bytes.HasSuffix(line, []byte("\r")) {
		return errors.New("is a script with the line ends of Windows, which hide its interpreter; save it with plain line feeds")
	}
	interpreter, argument := strings.Trim(string(line), " \t"), ""
	if end := strings.IndexAny(interpreter, " \t"); end >= 0 {
		interpreter, argument = interpreter[:end], strings.TrimLeft(interpreter[end:], " \t")
	}
	if !filepath.IsAbs(interpreter) {
		return fmt.Errorf("is a script for %.100q, but an interpreter is named by its whole path", interpreter)
	}
	if !canRun(interpreter) {
		return fmt.Errorf("is a script for %.100q, which is not on this machine", interpreter)
	}
	if filepath.Base(interpreter) != "env" {
		return nil
	}
	name := programOfEnv(argument)
	if name == "" {
		return errors.New("is a script for env that names no program")
	}
	if strings.ContainsRune(name, filepath.Separator) {
		if !canRun(name) {
			return fmt.Errorf("is a script for %.100q, which is not on this machine", name)
		}
		return nil
	}
	for folder := range strings.SplitSeq(searched, ":") {
		if canRun(filepath.Join(folder, name)) {
			return nil
		}
	}
	return fmt.Errorf("is a script for %.100q, which is not in the PATH that plugins get, %s", name, searched)
}

// programOfEnv is what env runs: the whole argument or, after -S, its first
// word that is no option and sets no variable.
func programOfEnv(argument string) string {
	if !strings.HasPrefix(argument, "-") {
		return argument
	}
	words := strings.Fields(strings.Replace(argument, "-S", " ", 1))
	for _, word := range words {
		if !strings.HasPrefix(word, "-") && !strings.Contains(word, "=") {
			return word
		}
	}
	return ""
}

func canRun(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}
