package main_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTheWalkThroughOfTheSDKWorksAsItIsWritten does what a reader of
// sdk/README.md does: its section "Walk-through", from the first command to the
// last, in one shell in an empty folder beside a checkout.
//
//   - "$ " begins a command. It must succeed and print what stands below it, to
//     the end; a … there is any text.
//   - A … in a command is what an earlier command printed in that place.
//   - A command that ends in & runs on; the next one waits until it has printed
//     what stands below it. "kill %1" ends it.
//   - A block in diff form is an edit.
//
// Nothing is fetched: what the module needs must be in the module cache.
func TestTheWalkThroughOfTheSDKWorksAsItIsWritten(t *testing.T) {
	program := binary(t)
	checkout, err := filepath.EvalSymlinks(filepath.Dir(filepath.Dir(program)))
	require.NoError(t, err)
	readme, err := os.ReadFile(filepath.Join(checkout, "sdk", "README.md"))
	require.NoError(t, err)
	steps := walkThrough(t, string(readme))
	require.NotEmpty(t, steps)

	dir := shortDir(t)
	require.NoError(t, os.Symlink(checkout, filepath.Join(dir, "unicrm")))
	reader := startShell(t, dir)
	for _, step := range steps {
		t.Logf("$ %s", step.command)
		reader.do(t, step)
	}
}

// step is a command of the walk-through with what it shows, or an edit.
type step struct {
	command string
	shows   string
	edit    string
}

func walkThrough(t *testing.T, readme string) []step {
	t.Helper()
	_, section, found := strings.Cut(readme, "\n## Walk-through\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	var steps []step
	for _, block := range regexp.MustCompile("(?s)```(console|diff)\n(.*?)```").FindAllStringSubmatch(section, -1) {
		if block[1] == "diff" {
			steps = append(steps, step{command: "git apply", edit: block[2]})
			continue
		}
		for text := range strings.Lines(block[2]) {
			if command, is := strings.CutPrefix(text, "$ "); is {
				steps = append(steps, step{command: strings.TrimSpace(command)})
				continue
			}
			require.NotEmpty(t, steps, "a block begins with a command")
			steps[len(steps)-1].shows += text
		}
	}
	return steps
}

// shell is the reader's terminal.
type shell struct {
	dir  string // for the outputs of commands that run on
	kill func() // ends it and all that it runs
	in   *os.File
	out  *bufio.Reader
	seen string // all that was printed
	jobs int
}

// startShell starts a shell that ends with the test, and what it started too.
func startShell(t *testing.T, dir string) *shell {
	t.Helper()
	inRead, inWrite, err := os.Pipe()
	require.NoError(t, err)
	outRead, outWrite, err := os.Pipe()
	require.NoError(t, err)
	cmd := exec.Command("sh")
	cmd.Dir = dir
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "UNICRM_") {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	// With -trimpath the packages that `make build` has compiled serve again.
	cmd.Env = append(cmd.Env, "GOPROXY=off", "GOWORK=off", "GOFLAGS=-trimpath -buildvcs=false", "PWD="+dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = inRead, outWrite, outWrite
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, cmd.Start())
	_ = inRead.Close()
	_ = outWrite.Close()
	signal := func(sig syscall.Signal) error { return syscall.Kill(-cmd.Process.Pid, sig) }
	t.Cleanup(func() {
		_ = inWrite.Close()
		_ = signal(syscall.SIGTERM)
		_ = cmd.Wait()
		_ = outRead.Close()
		for range 400 { // until those in the background have ended as well
			if signal(0) != nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		_ = signal(syscall.SIGKILL)
		t.Error("what the walk-through started did not end within 20 s")
	})
	return &shell{dir: dir, kill: func() { _ = signal(syscall.SIGKILL) }, in: inWrite, out: bufio.NewReader(outRead)}
}

// These only turn a hang into a failure: how long a command may take, and how
// long one that runs on may take to print what the text shows.
const (
	stepTime = 8 * time.Minute
	jobTime  = time.Minute
)

// do takes one step and holds what it prints to what the text shows.
func (s *shell) do(t *testing.T, step step) {
	t.Helper()
	command := s.complete(t, step.command)
	wanted := showsPattern(step.shows)
	switch runsOn := strings.HasSuffix(command, "&"); {
	case step.edit != "":
		s.run(t, command+" --recount - <<'END-OF-EDIT'\n"+step.edit+"END-OF-EDIT\n")
	case command == "kill %1":
		s.run(t, "kill $! && wait $!") // %1 is for shells with a terminal
	case runsOn:
		s.jobs++
		log := filepath.Join(s.dir, fmt.Sprintf("job-%d", s.jobs))
		s.run(t, strings.TrimSuffix(command, "&")+">"+log+" 2>&1 &")
		var printed []byte
		for deadline := time.Now().Add(jobTime); ; time.Sleep(50 * time.Millisecond) {
			printed, _ = os.ReadFile(log)
			if wanted.Match(printed) {
				break
			}
			require.True(t, time.Now().Before(deadline), "%s\nprinted\n%s\nand the text shows\n%s", command, printed, step.shows)
		}
		s.seen += string(printed)
	default:
		printed := s.run(t, command)
		s.seen += printed
		assert.True(t, wanted.MatchString(printed), "%s\nprinted\n%s\nand the text shows\n%s", command, printed, step.shows)
	}
}

// showsPattern matches the whole of an output, a … being any text.
func showsPattern(shows string) *regexp.Regexp {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(shows)), "…", ".*")
	return regexp.MustCompile(`(?s)\A\s*` + pattern + `\s*\z`)
}

// complete puts what was printed before in the place of each … in a command:
// what came, last, after the same beginning of a word.
func (s *shell) complete(t *testing.T, command string) string {
	t.Helper()
	for {
		before, after, found := strings.Cut(command, "…")
		if !found {
			return command
		}
		word := before[strings.LastIndexAny(before, " '\"")+1:]
		all := regexp.MustCompile(regexp.QuoteMeta(word)+`([A-Za-z0-9_-]+)`).FindAllStringSubmatch(s.seen, -1)
		require.NotEmpty(t, all, "nothing was printed that begins with %q, for %s", word, command)
		command = before + all[len(all)-1][1] + after
	}
}

// run gives a command to the shell, waits for its end and requires success.
func (s *shell) run(t *testing.T, command string) (printed string) {
	t.Helper()
	const mark = "end-of-command-"
	_, err := fmt.Fprintf(s.in, "%s\nstatus=$?; echo; echo %s$status\n", command, mark)
	require.NoError(t, err)
	timer := time.AfterFunc(stepTime, s.kill)
	defer timer.Stop()
	for {
		line, err := s.out.ReadString('\n')
		require.NoError(t, err, "%s\nprinted\n%s", command, printed)
		if status, is := strings.CutPrefix(line, mark); is {
			require.Equal(t, "0", strings.TrimSpace(status), "%s\nprinted\n%s", command, printed)
			return printed
		}
		printed += line
	}
}
