package supervisor

// The tests with real processes look into /proc, which Linux alone has.

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/host/internal/unified"
)

// longest only turns a hang into a failure.
const longest = time.Minute

const roleEnv = "SUPERVISOR_TEST_ROLE"

var buildDir string

// The test binary stands in for a host that is killed.
func TestMain(m *testing.M) {
	if os.Getenv(roleEnv) == "host" {
		hostThatIsKilled()
		return
	}
	var err error
	if buildDir, err = os.MkdirTemp("", "supervisor-test-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(buildDir)
	os.Exit(code)
}

// testPlugin and barePlugin build the plugins of those names, once.
var (
	testPlugin = sync.OnceValues(func() (path, sum string) { return build("./internal/testplugin") })
	barePlugin = sync.OnceValues(func() (path, sum string) { return build("./internal/bareplugin") })
)

func build(pkg string, flags ...string) (path, sum string) {
	path = filepath.Join(buildDir, filepath.Base(pkg))
	args := append(append([]string{"build", "-o", path}, flags...), pkg)
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v: %s", err, out))
	}
	data, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	hash := sha256.Sum256(data)
	return path, hex.EncodeToString(hash[:])
}

// bed is a folder of versions of the test plugin and a log. When its test
// ends, nothing may be left of what was started.
type bed struct {
	t   testing.TB
	dir string // of the plugin
	tmp string // of the private folders
	log *buffer
}

func newBed(t testing.TB) *bed {
	t.Helper()
	testPlugin()
	barePlugin()
	dir, err := os.MkdirTemp(buildDir, "p")
	require.NoError(t, err)
	tmp, err := os.MkdirTemp("", "s") // short: a socket's path is
	require.NoError(t, err)
	t.Setenv("TMPDIR", tmp)
	b := &bed{t: t, dir: dir, tmp: tmp, log: &buffer{}}
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	t.Cleanup(func() {
		defer os.RemoveAll(tmp)
		b.eventually("nothing is left", func() bool {
			return len(children(t)) == 0 && runtime.NumGoroutine() <= goroutines && openFiles(t) <= files
		})
		if t.Failed() {
			stacks := make([]byte, 1<<20)
			t.Logf("children %v, %d goroutines of %d, %d files of %d; log:\n%.20000s\n%s", children(t), runtime.NumGoroutine(), goroutines, openFiles(t), files, b.log, stacks[:runtime.Stack(stacks, true)])
		}
		entries, err := os.ReadDir(tmp)
		require.NoError(t, err)
		assert.Empty(t, entries, "private folders are left")
	})
	return b
}

// binary makes a version with bad habits.
func (b *bed) binary(version string, habits ...string) Binary {
	b.t.Helper()
	return b.version(version, testPlugin, habits)
}

// bare makes one that is written without the SDK.
func (b *bed) bare(version string, habits ...string) Binary {
	b.t.Helper()
	return b.version(version, barePlugin, habits)
}

func (b *bed) version(version string, built func() (path, sum string), habits []string) Binary {
	b.t.Helper()
	source, sum := built()
	path := filepath.Join(b.dir, version, "unicrm-provider-testplugin")
	require.NoError(b.t, os.MkdirAll(filepath.Dir(path), 0o700))
	if _, err := os.Stat(path); err != nil {
		require.NoError(b.t, os.Link(source, path))
	}
	require.NoError(b.t, os.WriteFile(filepath.Join(b.dir, version, "habits"), []byte(strings.Join(habits, " ")), 0o600))
	return Binary{Slug: "testplugin", Version: version, Path: path, SHA256: sum}
}

// supervise begins with one version; it is closed when the test ends.
func (b *bed) supervise(first Binary, options Options) *Supervisor {
	options.Log = hclog.New(&hclog.LoggerOptions{Output: b.log, Level: hclog.Debug, JSONFormat: true})
	s := New([]Plan{{Active: first}}, options)
	b.t.Cleanup(func() { b.close(s) })
	return s
}

func (b *bed) close(s *Supervisor) {
	b.t.Helper()
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		s.Close(ctx)
	}()
	select {
	case <-closed:
	case <-time.After(longest):
		b.t.Fatal("it does not close")
	}
}

func (b *bed) eventually(what string, is func() bool) {
	b.t.Helper()
	for deadline := time.Now().Add(longest); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.t.Errorf("waited in vain: %s", what)
			return
		}
	}
}

// release lets slow calls end.
func (b *bed) release() {
	b.t.Helper()
	require.NoError(b.t, os.WriteFile(filepath.Join(b.dir, "release"), nil, 0o600))
}

// marks are what the plugin has noted in a shared file, with how often.
func (b *bed) marks(name string) map[string]int {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, name))
	if !os.IsNotExist(err) {
		require.NoError(b.t, err)
	}
	count := map[string]int{}
	for line := range strings.Lines(string(text)) {
		count[strings.TrimSpace(line)]++
	}
	return count
}

// logged are the log's lines with a message.
func (b *bed) logged(message string) (found []map[string]any) {
	for line := range strings.Lines(b.log.String()) {
		var fields map[string]any
		require.NoError(b.t, json.Unmarshal([]byte(line), &fields), "%s", line)
		if fields["@message"] == message {
			found = append(found, fields)
		}
	}
	return found
}

// account is one that fits the test plugin.
var account = unified.Account{ID: "account-1", Credentials: []byte(`{"api_key":"k"}`)}

// self is what the test plugin tells of its process.
type self struct {
	PID, PGID              int
	Version, Stdin, Folder string
	Env                    []string
}

func fetch(ctx context.Context, s *Supervisor, id string) (me self, err error) {
	result, err := s.Call(ctx, "testplugin", unified.Request{Resource: "contacts", Method: unified.Get, RecordID: id, Account: account})
	if err != nil {
		return me, err
	}
	data, _ := result.Records[0]["remote_data"].(json.RawMessage)
	return me, json.Unmarshal(data, &me)
}

func remove(ctx context.Context, s *Supervisor, id string) error {
	_, err := s.Call(ctx, "testplugin", unified.Request{Resource: "contacts", Method: unified.Delete, RecordID: id, Account: account})
	return err
}

func mustFetch(t testing.TB, s *Supervisor, id string) self {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	me, err := fetch(ctx, s, id)
	require.NoError(t, err)
	return me
}

// state is a process's in the kernel's letters, "" when there is none.
func state(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	return after[:1]
}

// alive tells whether a process runs; one that nobody has reaped does not.
func alive(pid int) bool { return state(pid) != "" && state(pid) != "Z" }

// children are the processes that this one has started, reaped or not.
func children(t testing.TB) (pids []int) {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)
	for _, path := range stats {
		stat, _ := os.ReadFile(path) // it may have ended
		_, after, _ := strings.Cut(string(stat), ") ")
		if fields := strings.Fields(after); len(fields) > 1 && fields[1] == strconv.Itoa(os.Getpid()) {
			pid, _ := strconv.Atoi(strings.Split(path, "/")[2])
			pids = append(pids, pid)
		}
	}
	return pids
}

func openFiles(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}

func kill(t testing.TB, pid int, signal syscall.Signal) {
	t.Helper()
	require.NoError(t, syscall.Kill(pid, signal))
}
