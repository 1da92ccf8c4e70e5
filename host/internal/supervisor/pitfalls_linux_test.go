package supervisor

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/unicrm/unicrm/host/internal/executable"
	"github.com/unicrm/unicrm/host/internal/unified"
	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/errs"
)

// What breaks in plugin hosts, each with real processes: each of these tests
// fails when its remedy is taken away.

// hostThatIsKilled starts the versions named by its arguments, prints their
// process ids and waits for its end.
func hostThatIsKilled() {
	var plan Plan
	if err := json.Unmarshal([]byte(os.Args[1]), &plan); err != nil {
		panic(err)
	}
	s := New([]Plan{plan}, Options{})
	pids := map[string]int{}
	for _, b := range append([]Binary{plan.Active}, plan.Others...) {
		pinned := account
		pinned.PluginVersion = b.Version
		if _, err := s.Call(context.Background(), b.Slug, unified.Request{Resource: "contacts", Method: unified.Get, RecordID: "self", Account: pinned}); err != nil {
			panic(err)
		}
	}
	all, _ := s.Versions(plan.Active.Slug)
	for _, st := range all {
		pids[st.Version] = st.PID
	}
	_ = json.NewEncoder(os.Stdout).Encode(pids)
	select {}
}

func TestNoPluginOutlivesAHostThatIsKilled(t *testing.T) {
	b := newBed(t)
	plan := Plan{Active: b.binary("1.0.0"), Others: []Binary{b.binary("2.0.0"), b.bare("3.0.0"), b.bare("4.0.0")}}
	argument, err := json.Marshal(plan)
	require.NoError(t, err)
	host := exec.Command(os.Args[0], string(argument))
	host.Env = append(os.Environ(), roleEnv+"=host")
	host.Stderr = os.Stderr
	stdout, err := host.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, host.Start())
	t.Cleanup(func() { _ = host.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	require.NoError(t, err)
	pids := map[string]int{}
	require.NoError(t, json.Unmarshal(line, &pids))
	require.Len(t, pids, 4)
	for _, frozen := range []string{"2.0.0", "4.0.0"} {
		kill(t, pids[frozen], syscall.SIGSTOP)
		b.eventually("it to be frozen", func() bool { return state(pids[frozen]) == "T" })
	}
	require.NoError(t, host.Process.Kill())
	_ = host.Wait()
	for version, pid := range pids {
		b.eventually("the end of "+version, func() bool { return !alive(pid) })
	}
	// A plugin without the SDK leaves its folder; see executable.Sweep.
	left, err := filepath.Glob(filepath.Join(b.tmp, "*"))
	require.NoError(t, err)
	assert.Len(t, left, 2)
	for _, folder := range left {
		require.NoError(t, os.RemoveAll(folder))
	}
}

func TestAFrozenProcessIsReplacedAndBlocksNothing(t *testing.T) {
	b := newBed(t)
	s := b.supervise(b.binary("1.0.0"), Options{HealthInterval: 20 * time.Millisecond, HealthTimeout: time.Second, KillGrace: time.Hour})
	pid := mustFetch(t, s, "self").PID
	kill(t, pid, syscall.SIGSTOP)
	b.eventually("another process", func() bool { return mustFetch(t, s, "self").PID != pid })
	assert.False(t, alive(pid), "what is condemned is not asked to end")
	assert.Contains(t, stateOfTestPlugin(t, s).LastError, "it missed 2 health checks")
}

func TestClosingEndsAFrozenProcess(t *testing.T) {
	b := newBed(t)
	s := b.supervise(b.binary("1.0.0"), Options{HealthInterval: time.Hour, KillGrace: 100 * time.Millisecond})
	pid := mustFetch(t, s, "self").PID
	kill(t, pid, syscall.SIGSTOP)
	b.close(s)
	assert.False(t, alive(pid))
}

func TestAPluginThatDoesNotEndIsKilled(t *testing.T) {
	b := newBed(t)
	s := b.supervise(b.bare("1.0.0", "deaf"), Options{KillGrace: 100 * time.Millisecond})
	pid := mustFetch(t, s, "self").PID
	b.close(s)
	assert.False(t, alive(pid))
}

func stateOfTestPlugin(t testing.TB, s *Supervisor) Status {
	t.Helper()
	st, ok := s.Status("testplugin")
	require.True(t, ok)
	return st
}

func TestCallsInFlightEndOnTheProcessThatIsReplaced(t *testing.T) {
	b := newBed(t)
	s := b.supervise(b.binary("1.0.0"), Options{KillGrace: time.Millisecond, DrainTimeout: longest})
	old := mustFetch(t, s, "self").PID
	outcome := make(chan self, 1)
	go func() { outcome <- mustFetch(t, s, "slow-1") }()
	b.eventually("the slow call", func() bool { return b.marks("slow")["slow-1"] == 1 })
	require.NoError(t, s.Apply(t.Context(), Plan{Active: b.binary("2.0.0")}, false))
	assert.Equal(t, "2.0.0", mustFetch(t, s, "self").Version)
	assert.True(t, alive(old))
	b.release()
	assert.Equal(t, old, (<-outcome).PID)
	b.eventually("the old one's end", func() bool { return !alive(old) })
	assert.Equal(t, 1, b.marks("slow")["slow-1"])
}

func TestKillsEndInQuarantineByDefault(t *testing.T) {
	b := newBed(t)
	s := b.supervise(b.binary("1.0.0"), Options{})
	kills := 0
	for stateOfTestPlugin(t, s).State != Quarantined {
		pid := mustFetch(t, s, "self").PID
		kill(t, pid, syscall.SIGKILL)
		kills++
		b.eventually("the host to see it", func() bool { return stateOfTestPlugin(t, s).PID != pid })
		b.eventually("the end of the wait", func() bool {
			st := stateOfTestPlugin(t, s)
			return st.State == Quarantined || !time.Now().Before(st.NotBefore)
		})
	}
	assert.Equal(t, DefaultRestartPolicy.Budget+1, kills)
	assert.Contains(t, stateOfTestPlugin(t, s).LastError, "6 failures within 10m0s, the last: the process ended: signal: killed")
	_, err := fetch(t.Context(), s, "self")
	require.True(t, errs.Is(err, errs.PluginUnavailable), "%v", err)
	s.Forgive("testplugin")
	mustFetch(t, s, "self")
}

func TestAPluginThatDoesNotStartIsQuarantinedWithItsLastWords(t *testing.T) {
	b := newBed(t)
	policy := DefaultRestartPolicy
	policy.BackoffBase = time.Millisecond
	s := b.supervise(b.binary("1.0.0", "exit"), Options{Restart: policy})
	for stateOfTestPlugin(t, s).State != Quarantined {
		_, err := fetch(t.Context(), s, "self")
		require.True(t, errs.Is(err, errs.PluginUnavailable), "%v", err)
	}
	for _, want := range []string{"it ended before it had said where it listens: exit status 3", "its last words: there is no licence file"} {
		assert.Contains(t, stateOfTestPlugin(t, s).LastError, want)
	}
	require.NoError(t, s.Apply(t.Context(), Plan{Active: b.binary("1.0.0")}, false), "mended, and applied")
	mustFetch(t, s, "self")
}

func TestANewVersionThatIsNotWellLeavesTheOldOneServing(t *testing.T) {
	b := newBed(t)
	described := func(binary Binary) Binary {
		out, err := exec.Command(binary.Path, "describe", "--json").Output()
		require.NoError(t, err)
		binary.Manifest, err = ParseManifest(out)
		require.NoError(t, err)
		return binary
	}
	other := func(version string, content []byte) Binary {
		binary := b.binary(version)
		require.NoError(t, os.Remove(binary.Path))
		if content != nil {
			require.NoError(t, os.WriteFile(binary.Path, content, 0o700))
		}
		binary.SHA256 = ""
		return binary
	}
	built, sum := testPlugin()
	whole, err := os.ReadFile(built)
	require.NoError(t, err)
	wrongHash := b.binary("4.0.0")
	wrongHash.SHA256 = hex.EncodeToString(make([]byte, 32))
	folder := b.binary("4.1.0")
	folder.Path, folder.SHA256 = filepath.Dir(folder.Path), ""

	s := b.supervise(described(b.binary("1.0.0")), Options{})
	pid := mustFetch(t, s, "self").PID
	for says, binary := range map[string]Binary{
		"it ended before it had said where it listens: exit status 3; its last words: there is no licence file": b.binary("2.0.0", "exit"),
		`it printed "Loading configuration..." to standard output`:                                              b.bare("2.2.0", "print-first"),
		"incompatible API version with plugin. Plugin version: 7":                                               b.bare("2.3.0", "other-major"),
		"health: rpc error: code = Internal desc = the disk is full":                                            b.bare("2.4.0", "unhealthy"),
		"health: rpc error: code = Unavailable":                                                                 b.bare("2.5.0", "crash-on-health"),
		"health: rpc error: code = DeadlineExceeded":                                                            b.bare("2.6.0", "hang-on-health"),

		"has the SHA-256 " + sum + ", but the lock says " + wrongHash.SHA256: wrongHash,

		"its manifest lies: allowed_hosts is [api.vendor.test evil.te": described(b.binary("3.1.0", "greedy")),
		"says that it is testplugin 9.9.9, but the binary was":         b.binary("3.0.0", "other-version"),

		"configure: rpc error":   b.bare("2.7.0", "unconfigurable"),
		"permission denied":      folder,
		"no such file":           other("4.2.0", nil),
		"exec format error":      other("4.3.0", []byte("just text")),
		"it ended before it had": other("4.4.0", whole[:len(whole)/2]),
	} {
		err := s.Apply(t.Context(), Plan{Active: binary}, false)
		if assert.ErrorContains(t, err, says) {
			assert.NotContains(t, err.Error(), "\n", "one sentence")
			assert.Less(t, len(err.Error()), 10_000)
			assert.Contains(t, err.Error(), "testplugin "+binary.Version+" does not start: ")
		}
		assert.Equal(t, pid, mustFetch(t, s, "self").PID, says)
		assert.Equal(t, []int{pid}, children(t), says)
	}
	assert.Equal(t, 1, stateOfTestPlugin(t, s).Starts)
}

func TestWhatAPluginPrintsIsLoggedAndBlocksNobody(t *testing.T) {
	b := newBed(t)
	s := b.supervise(b.bare("1.0.0"), Options{})
	for range 5 {
		mustFetch(t, s, "print")
	}
	count := func(matches func(line string) bool) (n int) {
		for _, fields := range b.logged("unexpected output") {
			line, _ := fields["line"].(string)
			if matches(line) {
				n++
				assert.Equal(t, "testplugin", fields["provider"])
				assert.Equal(t, "1.0.0", fields["version"])
				assert.Equal(t, "warn", fields["@level"])
			}
		}
		return n
	}
	for _, want := range []string{"printed", "printed to its stderr", "raw"} {
		b.eventually(want, func() bool { return count(func(line string) bool { return line == want }) == 5 })
	}
	b.eventually("the long line", func() bool {
		return count(func(line string) bool { return strings.HasPrefix(line, "yyyy") && strings.HasSuffix(line, "y"+cutMark) }) == 5
	})
}

func TestLinesThatAreOnlyAlmostHclogsDoNoHarm(t *testing.T) {
	b := newBed(t)
	s := b.supervise(b.bare("1.0.0"), Options{})
	mustFetch(t, s, "stderr")
	b.eventually("the last line", func() bool { return len(b.logged("plain  [31mtext")) == 1 })
	assert.Len(t, b.logged(`{"@message": 5, "@level": 6}`), 1)
	require.Len(t, b.logged("from another language"), 1)
	assert.Equal(t, "error", b.logged("from another language")[0]["@level"])
	mustFetch(t, s, "self")
}

func TestLogLinesOfAPluginKeepTheirLevelAndValues(t *testing.T) {
	b := newBed(t)
	s := b.supervise(b.binary("1.0.0"), Options{})
	mustFetch(t, s, "log")
	b.eventually("both lines", func() bool { return len(b.logged("an error")) == 1 && len(b.logged("a detail")) == 1 })
	line := b.logged("an error")[0]
	assert.Equal(t, "error", line["@level"])
	assert.Equal(t, "plugin", line["@module"])
	assert.Equal(t, "testplugin", line["provider"])
	assert.Equal(t, "1.0.0", line["version"])
	assert.Equal(t, "account-1", line["account_id"])
	assert.Equal(t, "debug", b.logged("a detail")[0]["@level"])
	assert.Contains(t, b.log.String(), `"id":9007199254740993`, "to the digit")
}

func TestAPluginThatLogsTooMuchIsCutShortAndCounted(t *testing.T) {
	b := newBed(t)
	s := b.supervise(b.binary("1.0.0"), Options{LogLinesPerSecond: 1, LogLinesBurst: 50})
	mustFetch(t, s, "flood-2000")
	kill(t, mustFetch(t, s, "self").PID, syscall.SIGKILL)
	mustFetch(t, s, "flood-2000") // a new process has no new allowance
	b.close(s)
	kept, dropped := len(b.logged("flood")), 0.0
	for _, report := range b.logged("plugin logs too much; lines were dropped") {
		assert.Equal(t, "testplugin", report["provider"])
		dropped += report["lines"].(float64)
	}
	assert.GreaterOrEqual(t, kept, 40)
	assert.Less(t, kept, 1000)
	assert.GreaterOrEqual(t, kept+int(dropped), 4000)
}

func TestTheEndOfAPanicIsToldFromItsBeginning(t *testing.T) {
	b := newBed(t)
	s := b.supervise(b.binary("1.0.0"), Options{})
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	_, err := fetch(ctx, s, "panic")
	require.True(t, errs.Is(err, errs.PluginUnavailable), "%v", err)
	assert.Contains(t, err.Error(), "ended before its answer")
	assert.Contains(t, stateOfTestPlugin(t, s).LastError, "the process ended: exit status 2; its last words: panic: out of luck | goroutine ")
	require.NotEmpty(t, b.logged("panic: out of luck"))
	assert.Equal(t, "error", b.logged("panic: out of luck")[0]["@level"])
}

func TestAConnectionThatBreaksCountsAsACrash(t *testing.T) {
	b := newBed(t)
	s := b.supervise(b.bare("1.0.0"), Options{HealthInterval: time.Hour})
	kill(t, mustFetch(t, s, "self").PID, syscall.SIGKILL)
	b.eventually("the host to see it without a call", func() bool { return stateOfTestPlugin(t, s).State == Backoff })
	pid := mustFetch(t, s, "self").PID
	go func() { _, _ = fetch(t.Context(), s, "hang") }() // dies with it; read again on the next, and cut there
	_, err := fetch(t.Context(), s, "tear")
	require.Error(t, err)
	b.eventually("another process", func() bool {
		me, err := fetch(t.Context(), s, "self")
		return err == nil && me.PID != pid
	})
	b.eventually("the first one's end", func() bool { return !alive(pid) })
}

func TestMessagesHaveOneCapInBothDirections(t *testing.T) {
	b := newBed(t)
	s := b.supervise(b.binary("1.0.0"), Options{})
	large := account
	call := func(id string, keyLength int) error {
		large.Credentials = []byte(`{"api_key":"` + strings.Repeat("k", keyLength) + `"}`)
		_, err := s.Call(t.Context(), "testplugin", unified.Request{Resource: "contacts", Method: unified.Get, RecordID: id, Account: large})
		return err
	}
	require.NoError(t, call("big-5", 1), "an answer above gRPC's own cap")
	require.NoError(t, call("self", 5<<20), "a request above it")
	pid := mustFetch(t, s, "self").PID
	for _, err := range []error{call("big-40", 1), call("self", 40<<20)} {
		require.True(t, errs.Is(err, errs.PluginBug), "%v", err)
		assert.Contains(t, err.Error(), "too large")
	}
	assert.Equal(t, pid, mustFetch(t, s, "self").PID, "and the process lives on")
}

func TestAPluginSeesNothingOfItsHost(t *testing.T) {
	b := newBed(t)
	for name, value := range map[string]string{
		"UNICRM_DATABASE_URL": "postgres://u:secret@db.test", "AWS_SECRET_ACCESS_KEY": "secret", "PATH": "/opt/evil:" + os.Getenv("PATH"),
		"HTTPS_PROXY": "http://proxy.test:1", "TZ": "Europe/Vienna", "GOMEMLIMIT": "900MiB", "GOMAXPROCS": "7",
	} {
		t.Setenv(name, value)
	}
	held, end, err := os.Pipe()
	require.NoError(t, err)
	defer func(was *os.File) {
		os.Stdin = was
		_, _ = held.Close(), end.Close()
	}(os.Stdin)
	os.Stdin = held
	s := b.supervise(b.binary("1.0.0"), Options{Environment: func(slug string) []string {
		return []string{"GOMEMLIMIT=64MiB", "GOMAXPROCS=1", "OF_SLUG=" + slug}
	}})
	me := mustFetch(t, s, "self")
	env := map[string]string{}
	for _, pair := range me.Env {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	assert.Equal(t, "64MiB", env["GOMEMLIMIT"], "the setting wins")
	assert.Equal(t, "1", env["GOMAXPROCS"])
	assert.Equal(t, "testplugin", env["OF_SLUG"])
	assert.Equal(t, "http://proxy.test:1", env["HTTPS_PROXY"])
	assert.Equal(t, "Europe/Vienna", env["TZ"])
	assert.Equal(t, executable.SafePath, env["PATH"])
	for _, own := range []string{"HOME", "TMPDIR", "PLUGIN_UNIX_SOCKET_DIR"} {
		assert.Equal(t, me.Folder, env[own], own)
	}
	known := append([]string{
		"PATH", "HOME", "TMPDIR", "OF_SLUG", "UNICRM_LIFELINE_FD", "UNICRM_LOG_LEVEL", "UNICRM_PROVIDER_PLUGIN",
		"PLUGIN_UNIX_SOCKET_DIR", "PLUGIN_MIN_PORT", "PLUGIN_MAX_PORT", "PLUGIN_PROTOCOL_VERSIONS", "PLUGIN_CLIENT_CERT",
	}, passedEnv...)
	for name := range env {
		assert.Contains(t, known, name)
	}
	assert.Equal(t, me.PID, me.PGID, "a process group of its own, which signals to the host's do not reach")
	assert.Equal(t, "/dev/null", me.Stdin)
}

func TestAProcessHasAPrivateFolderThatGoesWithIt(t *testing.T) {
	b := newBed(t)
	s := b.supervise(b.binary("1.0.0"), Options{})
	folders := map[string]bool{}
	for range 3 {
		me := mustFetch(t, s, "self")
		for range 20 {
			mustFetch(t, s, "self")
		}
		info, err := os.Stat(me.Folder)
		require.NoError(t, err)
		assert.Equal(t, os.ModeDir|0o700, info.Mode())
		entries, err := os.ReadDir(me.Folder)
		require.NoError(t, err)
		require.Len(t, entries, 1, "its socket and no other, such as go-plugin's broker makes")
		assert.Equal(t, os.ModeSocket, entries[0].Type())
		others, err := os.ReadDir(b.tmp)
		require.NoError(t, err)
		assert.Len(t, others, 1)
		folders[me.Folder] = true
		kill(t, me.PID, syscall.SIGKILL)
		b.eventually("the folder's end", func() bool {
			_, err := os.Stat(me.Folder)
			return os.IsNotExist(err)
		})
	}
	assert.Len(t, folders, 3)
}

func TestAPathThatIsTooLongForASocketIsToldAsThat(t *testing.T) {
	b := newBed(t)
	long := filepath.Join(b.tmp, strings.Repeat("x", 80))
	require.NoError(t, os.Mkdir(long, 0o700))
	t.Setenv("TMPDIR", long)
	s := b.supervise(b.binary("1.0.0"), Options{})
	_, err := fetch(t.Context(), s, "self")
	require.ErrorContains(t, err, "is too long for a socket; set TMPDIR to a shorter one")
	require.NoError(t, os.Remove(long), "it is empty")
}

func TestOnlyItsHostCanTalkToAPlugin(t *testing.T) {
	b := newBed(t)
	s := b.supervise(b.binary("1.0.0"), Options{})
	sockets, err := filepath.Glob(filepath.Join(mustFetch(t, s, "self").Folder, "*"))
	require.NoError(t, err)
	require.Len(t, sockets, 1)
	for name, as := range map[string]credentials.TransportCredentials{
		"in plain text":         insecure.NewCredentials(),
		"without a certificate": credentials.NewTLS(&tls.Config{InsecureSkipVerify: true}),
	} {
		conn, err := grpc.NewClient("unix:"+sockets[0], grpc.WithTransportCredentials(as))
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(t.Context(), longest)
		_, err = providerv1.NewProviderServiceClient(conn).Handshake(ctx, &providerv1.HandshakeRequest{})
		require.ErrorContains(t, err, "Unavailable", name)
		cancel()
		require.NoError(t, conn.Close())
	}
	mustFetch(t, s, "self")
}

func TestAPluginThatNeverSpeaksIsGivenUp(t *testing.T) {
	b := newBed(t)
	s := b.supervise(b.binary("1.0.0", "mute"), Options{StartTimeout: 300 * time.Millisecond, KillGrace: time.Hour})
	_, err := fetch(t.Context(), s, "self")
	require.ErrorContains(t, err, "testplugin 1.0.0 does not start: it was not ready within 300ms")
	assert.Empty(t, children(t))
}

func TestAPluginThatNeverSpeaksHoldsNobodyUp(t *testing.T) {
	b := newBed(t)
	s := b.supervise(b.binary("1.0.0", "mute"), Options{StartTimeout: time.Hour, KillGrace: time.Hour})
	outcome := make(chan error, 1)
	go func() {
		_, err := fetch(t.Context(), s, "self")
		outcome <- err
	}()
	b.eventually("the process", func() bool { return len(children(t)) == 1 })
	assert.Equal(t, Starting, stateOfTestPlugin(t, s).State, "the state is told meanwhile")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := fetch(ctx, s, "self")
	require.ErrorContains(t, err, "is still starting", "a caller's own patience counts")
	require.NoError(t, s.Apply(t.Context(), Plan{Active: b.binary("2.0.0")}, false))
	require.NoError(t, <-outcome, "who waited for it is served by the next one")
	require.NoError(t, s.Apply(t.Context(), Plan{Active: b.binary("2.0.0"), Others: []Binary{b.binary("3.0.0", "mute")}}, false))
	go func() { _ = s.Apply(t.Context(), Plan{Active: b.binary("3.0.0", "mute")}, false) }()
	b.eventually("the start", func() bool { return len(children(t)) == 2 })
	b.close(s)
	assert.Empty(t, children(t))
}

func TestWhatAPluginLeavesBehindHoldsNothingUp(t *testing.T) {
	b := newBed(t)
	for _, habit := range []string{"child", "escaped-child"} {
		s := b.supervise(b.binary("1.0.0", habit), Options{KillGrace: 50 * time.Millisecond})
		pid := mustFetch(t, s, "self").PID
		text, err := os.ReadFile(filepath.Join(b.dir, "child"))
		require.NoError(t, err)
		child, err := strconv.Atoi(string(text))
		require.NoError(t, err)
		require.True(t, alive(child))
		kill(t, pid, syscall.SIGKILL)
		assert.NotEqual(t, pid, mustFetch(t, s, "self").PID)
		if habit == "child" {
			b.eventually("its child's end", func() bool { return !alive(child) })
		} else {
			kill(t, child, syscall.SIGKILL)
		}
		text, err = os.ReadFile(filepath.Join(b.dir, "child"))
		require.NoError(t, err)
		second, err := strconv.Atoi(string(text))
		require.NoError(t, err)
		b.close(s) // with the second one's child holding its output open
		if habit == "escaped-child" {
			kill(t, second, syscall.SIGKILL)
		}
		b.eventually("the second child's end", func() bool { return !alive(second) })
	}
}

func TestGoPluginIsNewEnoughNotToTakeAStrangersPIDForItsOwn(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", "github.com/hashicorp/go-plugin").Output()
	require.NoError(t, err)
	version, err := semver.NewVersion(strings.TrimSpace(string(out)))
	require.NoError(t, err)
	assert.False(t, version.LessThan(semver.MustParse("1.8.0")), "go-plugin %s", version)
}
