package main_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The tests of this package run the real binaries, real processes and real
// HTTP. They need what `make build` makes.

func binary(t testing.TB) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "bin", "unicrm"))
	require.NoError(t, err)
	_, err = os.Stat(path)
	require.NoError(t, err, "run `make build` first; `make test` does")
	return path
}

// process is a running unicrm.
type process struct {
	cmd     *exec.Cmd
	dataDir string
	log     *lockedBuffer
	done    chan struct{}
}

// sandboxFile is sandbox.json, read as a stranger's program would.
type sandboxFile struct {
	BaseURL   string `json:"base_url"`
	Token     string `json:"token"`
	Providers map[string]struct {
		AccountID   string         `json:"integrated_account_id"`
		EmulatorURL string         `json:"emulator_url"`
		ControlURL  string         `json:"control_url"`
		Context     map[string]any `json:"context"`
	} `json:"providers"`
}

// run starts unicrm with arguments and a data directory of its own, in a
// process group of its own, and makes sure that it ends with the test.
func run(t testing.TB, dataDir string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(binary(t), append(args, "--data-dir", dataDir)...), dataDir: dataDir, log: &lockedBuffer{}, done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, p.cmd.Start())
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.done:
		case <-time.After(20 * time.Second):
			_ = p.cmd.Process.Kill()
			t.Errorf("unicrm did not end within 20 s of SIGTERM\n%s", p.log)
		}
		if t.Failed() {
			t.Logf("log of unicrm %s:\n%s", strings.Join(args, " "), p.log.tail(8000))
		}
	})
	return p
}

// sandbox starts a sandbox and waits until it has written sandbox.json.
func sandbox(t testing.TB, args ...string) (*process, *client) {
	t.Helper()
	p := run(t, shortDir(t), append([]string{"sandbox", "--listen", "127.0.0.1:0", "--log-level", "debug"}, args...)...)
	path := filepath.Join(p.dataDir, "sandbox.json")
	p.waitFor(t, "sandbox.json", func() bool {
		_, err := os.Stat(path)
		return err == nil
	})
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var file sandboxFile
	require.NoError(t, json.Unmarshal(data, &file))
	return p, &client{t: t, sandbox: file, base: file.BaseURL, token: file.Token}
}

// shortDir is a temporary folder with a path short enough for sockets.
func shortDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "e2e-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func (p *process) waitFor(t testing.TB, what string, ready func() bool) {
	t.Helper()
	for range 600 {
		if ready() {
			return
		}
		select {
		case <-p.done:
			require.Fail(t, "unicrm ended before "+what, p.log.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	require.Fail(t, "no "+what+" after 30 s", p.log.String())
}

// children are the processes whose program lies in the data directory: the
// plugins and the emulators.
func (p *process) children(t testing.TB) map[int]string {
	t.Helper()
	found := map[int]string{}
	entries, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, entry := range entries {
		data, err := os.ReadFile(entry)
		if err != nil || !bytes.HasPrefix(data, []byte(p.dataDir+"/")) {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(entry, "/")[2])
		require.NoError(t, err)
		found[pid] = strings.ReplaceAll(string(data), "\x00", " ")
	}
	return found
}

// plugin is the process id of a provider's plugin, not of its emulator.
func (p *process) plugin(t testing.TB, slug string) int {
	t.Helper()
	for pid, line := range p.children(t) {
		if strings.Contains(line, "unicrm-provider-"+slug) && !strings.Contains(line, "emulate") {
			return pid
		}
	}
	return 0
}

// client is a caller of the API.
type client struct {
	t       testing.TB
	sandbox sandboxFile
	base    string
	token   string
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) json(t testing.TB) map[string]any {
	t.Helper()
	var value map[string]any
	dec := json.NewDecoder(bytes.NewReader(a.body))
	dec.UseNumber()
	require.NoError(t, dec.Decode(&value), "%d %s", a.status, a.body)
	return value
}

func (a answer) String() string { return fmt.Sprintf("%d %s", a.status, a.body) }

func (c *client) send(method, path, body string, header ...string) answer {
	c.t.Helper()
	req, err := http.NewRequest(method, c.base+path, strings.NewReader(body))
	require.NoError(c.t, err)
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	require.NoError(c.t, err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	return answer{status: res.StatusCode, header: res.Header, body: data}
}

// contacts calls a route below /unified/crm/contacts for a provider's account.
func (c *client) contacts(method, slug, id, query string) answer {
	c.t.Helper()
	path := "/unified/crm/contacts"
	if id != "" {
		path += "/" + id
	}
	path += "?integrated_account_id=" + c.sandbox.Providers[slug].AccountID
	if query != "" {
		path += "&" + query
	}
	return c.send(method, path, "")
}

// ids walks the list of a provider.
func (c *client) ids(slug, query string) []string {
	c.t.Helper()
	var ids []string
	cursor := ""
	for range 500 {
		page := c.contacts(http.MethodGet, slug, "", strings.Trim(query+cursor, "&"))
		require.Equal(c.t, http.StatusOK, page.status, "%s", page)
		body := page.json(c.t)
		for _, item := range body["result"].([]any) {
			ids = append(ids, item.(map[string]any)["id"].(string))
		}
		next, _ := body["next_cursor"].(string)
		if next == "" {
			return ids
		}
		cursor = "&next_cursor=" + next
	}
	require.Fail(c.t, "the list does not end")
	return nil
}

// emulatorCall is a request that an emulator has seen.
type emulatorCall struct{ Method, Path, Query, Body string }

func (c *client) calls(slug string) []emulatorCall {
	c.t.Helper()
	var calls []emulatorCall
	require.NoError(c.t, json.Unmarshal(c.control(slug, http.MethodGet, "/calls", ""), &calls))
	return calls
}

func (c *client) control(slug, method, path, body string) []byte {
	c.t.Helper()
	req, err := http.NewRequest(method, c.sandbox.Providers[slug].ControlURL+path, strings.NewReader(body))
	require.NoError(c.t, err)
	res, err := http.DefaultClient.Do(req)
	require.NoError(c.t, err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	require.Less(c.t, res.StatusCode, 300, "%s %s: %s", method, path, data)
	return data
}

func (c *client) reset(slug string)        { c.control(slug, http.MethodPost, "/reset", "") }
func (c *client) forgetCalls(slug string)  { c.control(slug, http.MethodDelete, "/calls", "") }
func (c *client) fault(slug, fault string) { c.control(slug, http.MethodPost, "/faults", fault) }

// lockedBuffer collects a process's output while tests read it.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (b *lockedBuffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(data)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *lockedBuffer) tail(size int) string {
	text := b.String()
	return text[max(0, len(text)-size):]
}
