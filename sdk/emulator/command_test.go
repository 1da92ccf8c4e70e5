package emulator

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const roleEnv = "EMULATOR_TEST_ROLE"

// The test binary stands in for a provider's binary and for whoever starts it.
func TestMain(m *testing.M) {
	switch os.Getenv(roleEnv) {
	case "emulator":
		os.Exit(Command(toy, os.Args[1:], os.Stdout, os.Stderr))
	case "starter":
		child := exec.Command(os.Args[0], os.Args[1:]...)
		child.Env = append(os.Environ(), roleEnv+"=emulator")
		child.Stdout, child.Stderr = os.Stdout, os.Stderr
		if err := child.Start(); err != nil {
			panic(err)
		}
		_, _ = io.Copy(io.Discard, os.Stdin) // until told to end, without a word to the child
		os.Exit(0)
	}
	os.Exit(m.Run())
}

type announced struct {
	URL        string         `json:"url"`
	ControlURL string         `json:"control_url"`
	Context    map[string]any `json:"context"`
}

// process starts the test binary in a role and reads its first line.
func process(t *testing.T, role string, args ...string) (*exec.Cmd, io.WriteCloser, announced) {
	t.Helper()
	cmd := exec.Command(os.Args[0], append(args, "--json")...)
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	require.NoError(t, err)
	var where announced
	require.NoError(t, json.Unmarshal(line, &where))
	return cmd, stdin, where
}

func TestTheCommandSaysWhereItAllIsOnOneLine(t *testing.T) {
	cmd, _, where := process(t, "emulator", "--seed", "3", "--switch", "greeting=good day", "--switch=second_delete=204")
	assert.Equal(t, map[string]any{"api_key": "toy-key", "nested": map[string]any{"a": 1.0}, "base_url": where.URL}, where.Context)
	_, _, body := send(t, http.MethodGet, where.URL+"/", "")
	assert.Contains(t, body, "good day")
	_, _, body = send(t, http.MethodGet, where.ControlURL+"/switches", "")
	assert.JSONEq(t, `{"greeting":"good day","second_delete":"204"}`, body)
	for _, url := range []string{where.URL, where.ControlURL} {
		host, _, err := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
		require.NoError(t, err)
		assert.Equal(t, "127.0.0.1", host)
	}
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, cmd.Wait(), "a signal is how it is meant to end")
}

func TestTheCommandEndsOnAnInterrupt(t *testing.T) {
	cmd, _, _ := process(t, "emulator")
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	require.NoError(t, cmd.Wait())
}

func TestTheCommandEndsWhenItsStarterEnds(t *testing.T) {
	for _, how := range []string{"by itself", "killed"} {
		t.Run(how, func(t *testing.T) {
			starter, stdin, where := process(t, "starter")
			status, _, _ := send(t, http.MethodGet, where.URL+"/", "")
			require.Equal(t, 200, status)
			if how == "killed" {
				require.NoError(t, starter.Process.Kill())
			} else {
				require.NoError(t, stdin.Close())
			}
			_, err := starter.Process.Wait()
			require.NoError(t, err)
			for _, url := range []string{where.URL, where.ControlURL} {
				require.Eventually(t, func() bool {
					conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
					if err == nil {
						_ = conn.Close()
					}
					return errors.Is(err, syscall.ECONNREFUSED)
				}, 20*time.Second, 20*time.Millisecond)
			}
		})
	}
}

func TestTheCommandsHelpNamesEverything(t *testing.T) {
	for _, flag := range []string{"--help", "-h", "-help"} {
		var stdout, stderr bytes.Buffer
		assert.Zero(t, Command(toy, []string{flag}, &stdout, &stderr))
		for _, want := range []string{"unicrm-provider-toy emulate", "-listen", "-seed", "-json", "-switch", "second_delete=404", "(404, 204)", "greeting=hello", "(any value)", "example:"} {
			assert.Contains(t, stderr.String(), want)
		}
		assert.Empty(t, stdout.String())
	}
}

func TestTheCommandRefusesWhatItDoesNotUnderstand(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--nonsense"}, 2, "nonsense"},
		{[]string{"--seed", "many"}, 2, "many"},
		{[]string{"--seed", "-1"}, 2, "negative"},
		{[]string{"--switch", "second_delete"}, 2, "name=value"},
		{[]string{"--switch", "=1"}, 2, "name=value"},
		{[]string{"extra"}, 2, `"extra"`},
		{[]string{"--json", "extra"}, 2, `"extra"`},
		{[]string{"--switch", "nonsense=1"}, 1, "there are second_delete, greeting"},
		{[]string{"--switch", "second_delete=500"}, 1, "takes 404, 204"},
		{[]string{"--listen", taken.Addr().String()}, 1, taken.Addr().String()},
		{[]string{"--listen", "nowhere"}, 1, "nowhere"},
	} {
		var stdout, stderr bytes.Buffer
		assert.Equal(t, c.code, Command(toy, c.args, &stdout, &stderr), c.args)
		assert.Contains(t, stderr.String(), c.want, c.args)
		assert.Empty(t, stdout.String(), c.args)
	}
}

func TestASwitchMayHoldAnEqualsSign(t *testing.T) {
	switches := switchFlag{}
	require.NoError(t, switches.Set("greeting=a=b"))
	require.NoError(t, switches.Set("second_delete="))
	assert.Equal(t, switchFlag{"greeting": "a=b", "second_delete": ""}, switches)
	assert.Empty(t, switches.String())
}
