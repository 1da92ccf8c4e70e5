package sdk

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	crmv1 "github.com/unicrm/unicrm/proto/unicrm/crm/v1"
	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/redact"
	"github.com/unicrm/unicrm/sdk/wire"
)

const roleEnv = "SDK_TEST_ROLE"

// patience is how long a test waits for a process to do what it must.
const patience = 30 * time.Second

var buildDir string

// The test binary stands in for a host that is killed.
func TestMain(m *testing.M) {
	if os.Getenv(roleEnv) == "host" {
		hostThatIsKilled()
		return
	}
	var err error
	if buildDir, err = os.MkdirTemp("", "sdk-test-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(buildDir)
	os.Exit(code)
}

// binary builds the provider of internal/testprovider, once.
var binary = sync.OnceValue(func() string {
	path := filepath.Join(buildDir, wire.BinaryPrefix+"testprovider")
	if out, err := exec.Command("go", "build", "-o", path, "./internal/testprovider").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("%v: %s", err, out))
	}
	return path
})

// process is a plugin's process as a host has it.
type process struct {
	client   *goplugin.Client
	cmd      *exec.Cmd
	lifeline *os.File
	dir      string // of the socket
	release  string // a file that ends a slow call
	stderr   *lockedBuffer
	synced   *lockedBuffer // what came through go-plugin's own streams
	hostLog  *lockedBuffer // what the host's logger made of it

	provider providerv1.ProviderServiceClient
	contacts crmv1.ContactsServiceClient
}

type connector struct {
	goplugin.NetRPCUnsupportedPlugin
}

func (connector) GRPCServer(*goplugin.GRPCBroker, *grpc.Server) error { return nil }
func (connector) GRPCClient(_ context.Context, _ *goplugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}

func startProcess(t testing.TB, habits string) *process {
	t.Helper()
	dir, err := os.MkdirTemp("", "ucrm-") // short: a socket's path is
	require.NoError(t, err)
	held, lifeline, err := os.Pipe()
	require.NoError(t, err)
	defer held.Close()
	p := &process{lifeline: lifeline, dir: dir, stderr: &lockedBuffer{}, synced: &lockedBuffer{}, hostLog: &lockedBuffer{}}
	p.cmd = exec.Command(binary())
	p.cmd.ExtraFiles = []*os.File{held}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.release = filepath.Join(dir, "release")
	p.cmd.Env = []string{"PATH=/usr/bin:/bin", "TESTPROVIDER_RELEASE=" + p.release, "PLUGIN_UNIX_SOCKET_DIR=" + dir, wire.LifelineEnv + "=3", "UNICRM_LOG_LEVEL=debug", "TESTPROVIDER=" + habits}
	p.client = goplugin.NewClient(&goplugin.ClientConfig{
		HandshakeConfig: wire.Handshake, VersionedPlugins: map[int]goplugin.PluginSet{wire.Protocol: {wire.PluginName: connector{}}},
		Cmd: p.cmd, SkipHostEnv: true, AutoMTLS: true, AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC}, StartTimeout: patience,
		Stderr: p.stderr, SyncStdout: p.synced, SyncStderr: p.synced, PluginLogBufferSize: 256 << 10,
		Logger: hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: p.hostLog, JSONFormat: true}),
	})
	t.Cleanup(func() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGCONT)
		p.client.Kill()
		_ = lifeline.Close()
		_ = os.RemoveAll(dir)
	})
	protocol, err := p.client.Client()
	require.NoError(t, err, "%s", p.stderr)
	raw, err := protocol.Dispense(wire.PluginName)
	require.NoError(t, err)
	conn := raw.(*grpc.ClientConn)
	p.provider, p.contacts = providerv1.NewProviderServiceClient(conn), crmv1.NewContactsServiceClient(conn)
	return p
}

func (p *process) get(t testing.TB, id string) error {
	t.Helper()
	response, err := p.contacts.GetContact(within(t, patience), &crmv1.GetContactRequest{Call: accountAt(""), Id: id})
	if err == nil {
		assert.Equal(t, id, response.GetContact().GetId())
	}
	return err
}

// run runs the binary as a person would.
func run(t testing.TB, habits string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(within(t, patience), binary(), args...)
	cmd.Env = []string{"TESTPROVIDER=" + habits}
	var out, err bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &err
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode(), out.String(), err.String()
}

func TestAPluginsProcessSpeaksTheProtocol(t *testing.T) {
	p := startProcess(t, "")
	handshake, err := p.provider.Handshake(within(t, patience), &providerv1.HandshakeRequest{})
	require.NoError(t, err)
	assert.Equal(t, "testprovider", handshake.GetSlug())
	assert.True(t, handshake.GetHasEmulator())
	require.NoError(t, p.get(t, "5"))

	_, described, _ := run(t, "", "describe", "--json")
	var manifest providerv1.HandshakeResponse
	require.NoError(t, protojson.Unmarshal([]byte(described), &manifest))
	assert.True(t, proto.Equal(handshake, &manifest), "describe --json is the handshake's answer")

	entries, err := os.ReadDir(p.dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	assert.Equal(t, os.ModeSocket, entries[0].Type(), "its socket is where the host wants it, and nothing else")

	_, err = p.provider.Shutdown(within(t, patience), &providerv1.ShutdownRequest{})
	require.NoError(t, err)
	p.client.Kill()
	assert.True(t, p.client.Exited())
	assert.True(t, p.cmd.ProcessState.Success(), "%s", p.cmd.ProcessState)
}

func TestTheFirstLineOfStandardOutputIsTheHandshakeAndTheOnlyOne(t *testing.T) {
	for _, habits := range []string{"", "print-init,print-main,print-always"} {
		for range 3 {
			dir, err := os.MkdirTemp("", "ucrm-")
			require.NoError(t, err)
			defer os.RemoveAll(dir)
			held, lifeline, err := os.Pipe()
			require.NoError(t, err)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			cmd := exec.CommandContext(ctx, binary())
			cmd.ExtraFiles = []*os.File{held}
			cmd.Env = []string{wire.Handshake.MagicCookieKey + "=" + wire.Handshake.MagicCookieValue, "PLUGIN_PROTOCOL_VERSIONS=1", "PLUGIN_UNIX_SOCKET_DIR=" + dir, wire.LifelineEnv + "=3", "TESTPROVIDER=" + habits}
			var stderr lockedBuffer
			cmd.Stderr = &stderr
			stdout, err := cmd.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, cmd.Start())
			require.NoError(t, held.Close())
			lines := bufio.NewReader(stdout)
			first, err := lines.ReadString('\n')
			require.NoError(t, err)
			assert.Regexp(t, `^1\|1\|unix\|`+dir+`/plugin\d+\|grpc\|\n$`, first)
			if habits != "" {
				require.Eventually(t, func() bool { return strings.Contains(stderr.String(), "raw all the time") }, patience, time.Millisecond)
				for _, want := range []string{"printed in init", "printed in main without an end of line", "raw in main"} {
					assert.Contains(t, stderr.String(), want, "prints go to standard error")
				}
			}
			require.NoError(t, lifeline.Close())
			rest, err := io.ReadAll(lines)
			require.NoError(t, err)
			assert.Empty(t, string(rest))
			_ = cmd.Wait()
			cancel()
		}
	}
}

func TestAProviderThatPrintsDoesNotBreakAnything(t *testing.T) {
	p := startProcess(t, "print-init,print-main,print-always")
	for range 20 {
		require.NoError(t, p.get(t, "print"))
	}
	require.NoError(t, p.get(t, "flood"), "600 kB of prints block nobody")
	require.NoError(t, p.get(t, "oneline"))
	require.NoError(t, p.get(t, "5"))
	for _, want := range []string{"printed in a call\n", "printed to standard error in a call\n", "raw in a call\n", "echoed by a child in a call\n"} {
		require.Eventually(t, func() bool { return strings.Count(p.stderr.String(), want) == 20 }, patience, 10*time.Millisecond, "%q is in the host's log as often as it was printed", want)
	}
	assert.NotContains(t, p.synced.String(), "in a call")
}

func TestAPluginEndsWithItsHostsLifeline(t *testing.T) {
	p := startProcess(t, "")
	require.NoError(t, p.get(t, "5"))
	require.NoError(t, p.lifeline.Close())
	require.Eventually(t, p.client.Exited, patience, 10*time.Millisecond)
}

func hostThatIsKilled() {
	held, _, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(os.Args[1])
	cmd.ExtraFiles = []*os.File{held}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), wire.LifelineEnv+"=3", wire.Handshake.MagicCookieKey+"="+wire.Handshake.MagicCookieValue)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	select {}
}

func TestAPluginEndsWhenItsHostIsKilled(t *testing.T) {
	dir, err := os.MkdirTemp("", "ucrm-")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	host := exec.Command(os.Args[0], binary())
	host.Env = append(os.Environ(), roleEnv+"=host", "PLUGIN_UNIX_SOCKET_DIR="+dir)
	stdout, err := host.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, host.Start())
	t.Cleanup(func() { _ = host.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	socket := strings.Split(line, "|")[3]
	conn, err := net.Dial("unix", socket)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	require.NoError(t, host.Process.Kill())
	_, _ = host.Process.Wait()
	require.Eventually(t, func() bool {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	}, patience, 10*time.Millisecond)
}

func TestSignalsForTheHostsGroupAreLeftToTheHost(t *testing.T) {
	p := startProcess(t, "")
	require.NoError(t, p.get(t, "5"))
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM} {
		require.NoError(t, p.cmd.Process.Signal(signal))
		require.NoError(t, p.get(t, "5"), "%s", signal)
	}
	assert.False(t, p.client.Exited())
}

func TestWithoutALifelineSIGTERMEndsAPlugin(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.CommandContext(within(t, patience), binary())
	cmd.Env = []string{wire.Handshake.MagicCookieKey + "=" + wire.Handshake.MagicCookieValue, "PLUGIN_UNIX_SOCKET_DIR=" + dir}
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.Error(t, cmd.Wait())
	assert.Equal(t, syscall.SIGTERM, cmd.ProcessState.Sys().(syscall.WaitStatus).Signal())
}

func TestALifelineThatIsNoneIsToldAtStart(t *testing.T) {
	for _, number := range []string{"three", "-1", "0", "2", "3", "4", "5", "6", "99", "99999999999"} {
		cmd := exec.CommandContext(within(t, patience), binary())
		cmd.Env = []string{wire.Handshake.MagicCookieKey + "=" + wire.Handshake.MagicCookieValue, "PLUGIN_UNIX_SOCKET_DIR=" + t.TempDir(), wire.LifelineEnv + "=" + number}
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		require.Error(t, cmd.Run(), "%s", number)
		assert.Equal(t, 1, cmd.ProcessState.ExitCode(), number)
		assert.Contains(t, stderr.String(), wire.LifelineEnv, number)
		assert.Empty(t, stdout.String(), number)
	}
}

func TestABinarySaysWhatItIs(t *testing.T) {
	code, stdout, stderr := run(t, "", "describe")
	assert.Zero(t, code)
	assert.Contains(t, stdout, "testprovider 1.2.3-test.1: Test CRM\n")
	assert.Contains(t, stdout, "contacts METHOD_GET")
	assert.Empty(t, stderr)

	code, stdout, stderr = run(t, "", "describe", "--json")
	assert.Zero(t, code)
	assert.True(t, json.Valid([]byte(stdout)))
	assert.Contains(t, stdout, `"authentication_methods"`, "names as in the protocol")
	assert.Empty(t, stderr)

	for _, arg := range []string{"version", "--version"} {
		code, stdout, stderr = run(t, "", arg)
		assert.Zero(t, code)
		assert.Equal(t, "1.2.3-test.1\n", stdout)
		assert.Empty(t, stderr)
	}
}

func TestABinaryThatIsStartedWrongSaysHowToStartIt(t *testing.T) {
	for _, args := range [][]string{{}, {"nonsense"}, {"serve"}, {"--json"}} {
		code, stdout, stderr := run(t, "", args...)
		assert.Equal(t, 2, code, args)
		assert.Empty(t, stdout)
		for _, want := range []string{"unicrm-provider-testprovider 1.2.3-test.1 is a provider plugin", "usage:", "describe [--json]", "emulate [flags]", "version"} {
			assert.Contains(t, stderr, want, args)
		}
	}
	for _, arg := range []string{"--help", "-h", "help"} {
		code, _, stderr := run(t, "", arg)
		assert.Zero(t, code)
		assert.Contains(t, stderr, "usage:")
	}
}

func TestABinaryHasTheEmulateCommandWhenItHasAnEmulator(t *testing.T) {
	code, _, stderr := run(t, "", "emulate", "--help")
	assert.Zero(t, code)
	assert.Contains(t, stderr, "-listen")
	code, _, stderr = run(t, "no-emulator", "emulate", "--help")
	assert.Equal(t, 2, code)
	assert.NotContains(t, stderr, "emulate [flags]")
	_, stdout, _ := run(t, "no-emulator", "describe", "--json")
	assert.NotContains(t, stdout, "has_emulator")
}

func TestABinaryWithAMistakeSaysSoWhateverItIsAskedFor(t *testing.T) {
	for _, args := range [][]string{{}, {"describe", "--json"}, {"version"}} {
		code, stdout, stderr := run(t, "broken", args...)
		assert.Equal(t, 1, code)
		assert.Empty(t, stdout)
		assert.Contains(t, stderr, `version "one" is not semantic`)
		assert.Contains(t, stderr, `IDPattern accepts ""`)
	}
}

// logLines are the JSON lines of a text, by their message.
func logLines(t testing.TB, text string) map[string]map[string]any {
	t.Helper()
	lines := map[string]map[string]any{}
	for line := range strings.Lines(text) {
		var fields map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &fields), "%.200q", line)
		message, _ := fields["@message"].(string)
		lines[message] = fields
	}
	return lines
}

func TestLogLinesAreJSONWithALevelAndWithoutSecrets(t *testing.T) {
	p := startProcess(t, "")
	require.NoError(t, p.get(t, "log"))
	require.Error(t, p.get(t, "panic"))
	require.Error(t, p.get(t, "fail"))
	require.Eventually(t, func() bool { return strings.Contains(p.stderr.String(), "call failed") }, patience, 10*time.Millisecond)
	lines := logLines(t, p.stderr.String())
	for message, level := range map[string]string{"an error": "error", "a warning": "warn", "something to know": "info", "a detail": "debug", "panic": "error"} {
		require.Contains(t, lines, message)
		assert.Equal(t, level, lines[message]["@level"])
		assert.Equal(t, "testprovider", lines[message]["@module"])
		assert.NotEmpty(t, lines[message]["@timestamp"])
	}
	assert.Equal(t, "account-1", lines["an error"]["account_id"])
	assert.Equal(t, "request-1", lines["an error"]["request_id"])
	assert.EqualValues(t, 7, lines["an error"]["count"])
	assert.Equal(t, redact.Mark, lines["an error"]["key"])
	noCanary(t, p.stderr.String(), p.hostLog.String())
}

func TestLongLogLinesAreCutAndKeepTheirLevel(t *testing.T) {
	p := startProcess(t, "")
	require.NoError(t, p.get(t, "longlog"))
	require.Eventually(t, func() bool { return strings.Contains(p.stderr.String(), "many values") }, patience, 10*time.Millisecond)
	for line := range strings.Lines(p.stderr.String()) {
		assert.LessOrEqual(t, len(line), maxLogLine)
	}
	lines := logLines(t, p.stderr.String())
	for _, message := range []string{"a long value", "a long list", "many values"} {
		require.Contains(t, lines, message)
		assert.Equal(t, "error", lines[message]["@level"], message)
		assert.NotEmpty(t, lines[message]["@timestamp"], message)
	}
	assert.Equal(t, "kept", lines["a long value"]["short"])
	assert.Contains(t, lines["a long value"]["text"], "(cut)")
	require.Eventually(t, func() bool { return strings.Contains(p.hostLog.String(), "many values") }, patience, 10*time.Millisecond)
	found := 0
	for line := range strings.Lines(p.hostLog.String()) {
		for _, message := range []string{"a long value", "a long message: mmm", "a long list", "many values"} {
			if strings.Contains(line, message) {
				found++
				assert.Contains(t, line, `"@level":"error"`, "the host's logger knows the level too")
			}
		}
	}
	assert.Equal(t, 4, found)
}

func TestShutdownOfAProcessWaitsForItsCalls(t *testing.T) {
	p := startProcess(t, "")
	done := make(chan error, 1)
	go func() { done <- p.get(t, "slow") }()
	require.Eventually(t, func() bool { return strings.Contains(p.stderr.String(), "slow began") }, patience, time.Millisecond)
	_, err := p.provider.Shutdown(within(t, 300*time.Millisecond), &providerv1.ShutdownRequest{})
	if err == nil {
		assert.NotContains(t, p.stderr.String(), "slow ended", "the host's patience ended first")
	}
	require.NoError(t, os.WriteFile(p.release, nil, 0o600))
	_, err = p.provider.Shutdown(within(t, patience), &providerv1.ShutdownRequest{})
	require.NoError(t, err)
	require.NoError(t, <-done)
}

func TestShorteningALine(t *testing.T) {
	secrets := redact.New(canary)
	write := func(line string) string {
		var out bytes.Buffer
		w := &logWriter{out: &out, secrets: secrets}
		n, err := w.Write([]byte(line))
		require.NoError(t, err)
		assert.Equal(t, len(line), n, "a writer that says less is taken for a broken one")
		assert.LessOrEqual(t, out.Len(), maxLogLine)
		assert.True(t, strings.HasSuffix(out.String(), "\n"))
		return out.String()
	}
	long := strings.Repeat("x", 40<<10)
	assert.Equal(t, "{\"@level\":\"info\"}\n", write("{\"@level\":\"info\"}\n"))
	for name, line := range map[string]string{
		"text":            `{"@level":"error","@message":"m","@timestamp":"t","a":"` + long + `"}`,
		"nested":          `{"@level":"error","@message":"m","@timestamp":"t","a":{"b":["` + long + `"]}}`,
		"a number":        `{"@level":"error","@message":"m","@timestamp":"t","a":` + strings.Repeat("1", 40<<10) + `}`,
		"a long key":      `{"@level":"error","@message":"m","@timestamp":"t","` + long + `":1}`,
		"secrets":         `{"@level":"error","@message":"m","@timestamp":"t","a":"` + strings.Repeat("canary-5mN8/pQ2+r\\\"s<T>9 ", 2000) + `"}`,
		"everything long": `{"@level":"error","@message":"m","@timestamp":"t","a":"` + long + `","b":"` + long + `","c":["` + long + `"]}`,
	} {
		var fields map[string]any
		got := write(line + "\n")
		require.NoError(t, json.Unmarshal([]byte(got), &fields), name)
		assert.Equal(t, "error", fields["@level"], name)
		assert.Equal(t, "m", fields["@message"], name)
		noCanary(t, got)
	}
	write(long + "\n")
	write("\xff\xfe" + long)
	var fields map[string]any
	require.NoError(t, json.Unmarshal([]byte(write(`{"@level":"error","@message":"`+long+`","id":9007199254740993}`+"\n")), &fields))
	assert.Equal(t, "error", fields["@level"])
	assert.Contains(t, write(`{"@level":"error","@message":"`+long+`","id":9007199254740993}`+"\n"), "9007199254740993", "digits stay")
}

func TestAnErrorOfTheLogIsPassedOn(t *testing.T) {
	_, err := (&logWriter{out: failing{}, secrets: redact.New()}).Write([]byte("{}\n"))
	require.ErrorIs(t, err, io.ErrClosedPipe)
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestErrorsOfAProcessCarryTheirReason(t *testing.T) {
	p := startProcess(t, "")
	for id, reason := range map[string]string{"fail": "plugin_bug", "panic": "plugin_bug", "UPPER": "invalid_id"} {
		err := p.get(t, id)
		assert.Equal(t, reason, reasonOf(t, err))
		noCanary(t, shown(err))
	}
	require.NoError(t, p.get(t, "5"), "and the process lives on")
}

func TestOfWhatIsPrintedBesideTheHandshakeOnlyTheHandshakeReachesTheHost(t *testing.T) {
	const line = "1|1|unix|/tmp/plugin1|grpc|abc\n"
	for name, c := range map[string]struct{ printed, handshake, stderr string }{
		"alone":              {line, line, ""},
		"before":             {"one\ntwo\n" + line, line, "one\ntwo\n"},
		"in the same line":   {"progress: 7" + line, line, "progress: 7"},
		"behind":             {line + "one\n" + line + "two", line, "one\n" + line + "two"},
		"a long line before": {strings.Repeat("x", 200_000) + "\n" + line, line, strings.Repeat("x", 200_000) + "\n"},
		"nothing like it":    {"1|2\nunix\n", "", "1|2\nunix\n"},
		"cut":                {strings.TrimSpace(line), "", strings.TrimSpace(line)},
	} {
		t.Run(name, func(t *testing.T) {
			handshake, err := os.Create(filepath.Join(t.TempDir(), "handshake"))
			require.NoError(t, err)
			defer handshake.Close()
			read, stderr, err := os.Pipe()
			require.NoError(t, err)
			defer read.Close()
			stdout := os.Stdout
			i := &inherited{handshake: handshake, stderr: stderr}
			require.NoError(t, i.expectHandshake())
			printed := os.Stdout
			os.Stdout = stdout
			go func() {
				_, _ = io.WriteString(printed, c.printed)
				_ = printed.Close()
			}()
			got := make([]byte, len(c.stderr))
			_, err = io.ReadFull(read, got)
			require.NoError(t, err)
			assert.Equal(t, c.stderr, string(got))
			require.Eventually(t, func() bool {
				told, err := os.ReadFile(handshake.Name())
				return err == nil && string(told) == c.handshake
			}, patience, time.Millisecond)
			require.NoError(t, stderr.Close())
		})
	}
}
