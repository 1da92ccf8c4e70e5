package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/host/internal/catalog"
)

// long runs the counting tests at the size that the README's figures are of.
var long = os.Getenv("UNICRM_LONG") != ""

// unicrm runs a command to its end.
func unicrm(t testing.TB, args ...string) (stdout string, err error) {
	t.Helper()
	cmd := exec.Command(binary(t), args...)
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%w: %s", err, problems.String())
	}
	return out.String(), nil
}

func mustUnicrm(t testing.TB, args ...string) string {
	t.Helper()
	out, err := unicrm(t, args...)
	require.NoError(t, err, "unicrm %s", strings.Join(args, " "))
	return out
}

var builds sync.Map // of sync.OnceValues functions by slug and version

// release builds a provider of this repository under another version.
func release(t testing.TB, slug, version string) string {
	t.Helper()
	made, _ := builds.LoadOrStore(slug+"@"+version, sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp("", "release-")
		if err != nil {
			return "", err
		}
		root, err := filepath.Abs("..")
		if err != nil {
			return "", err
		}
		overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{
			filepath.Join(root, "plugins", slug, "VERSION"): filepath.Join(dir, "VERSION"),
		}})
		if err != nil {
			return "", err
		}
		for name, content := range map[string][]byte{"VERSION": []byte(version + "\n"), "overlay.json": overlay} {
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
				return "", err
			}
		}
		path := filepath.Join(dir, "unicrm-provider-"+slug)
		out, err := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-overlay", filepath.Join(dir, "overlay.json"), "-o", path, "../plugins/"+slug).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("%w: %s", err, out)
		}
		return path, nil
	}))
	path, err := made.(func() (string, error))()
	require.NoError(t, err)
	return path
}

func TestMain(m *testing.M) {
	code := m.Run()
	builds.Range(func(_, made any) bool {
		if path, err := made.(func() (string, error))(); err == nil {
			_ = os.RemoveAll(filepath.Dir(path))
		}
		return true
	})
	os.Exit(code)
}

// pluginList is what `unicrm plugin list --json` and GET /plugin tell.
type pluginList struct {
	PluginDir string `json:"plugin_dir"`
	Result    []struct {
		Slug, Active, Previous string
		Canary                 *struct {
			Version string
			Percent int
		}
		Versions []struct {
			Version, State, SHA256 string
			PID                    int    `json:"pid"`
			LastError              string `json:"last_error"`
		}
	}
	Problems []string
}

func (p *process) plugins(t testing.TB) pluginList {
	t.Helper()
	var list pluginList
	require.NoError(t, json.Unmarshal([]byte(mustUnicrm(t, "plugin", "list", "--json", "--data-dir", p.dataDir)), &list))
	return list
}

// version of a provider that a host serves with.
func (c *client) version(slug string) string {
	c.t.Helper()
	version, _ := c.send(http.MethodGet, "/integration/"+slug, "").json(c.t)["version"].(string)
	return version
}

// running are the versions of which the data directory's host has a process.
func (p *process) running(t testing.TB, slug string) []string {
	t.Helper()
	var versions []string
	for _, line := range p.children(t) {
		if strings.Contains(line, "unicrm-provider-"+slug) && !strings.Contains(line, "emulate") {
			versions = append(versions, filepath.Base(filepath.Dir(strings.Fields(line)[0])))
		}
	}
	sort.Strings(versions)
	return versions
}

func TestPluginCommandsOnARunningHost(t *testing.T) {
	p, c := sandbox(t, "--providers", "planhat,wix")
	inDir := []string{"--data-dir", p.dataDir}
	do := func(args ...string) string {
		return mustUnicrm(t, append(append([]string{"plugin"}, args...), inDir...)...)
	}
	works := func() {
		require.Equal(t, 200, c.contacts(http.MethodGet, "planhat", "", "limit=1").status)
	}

	list := p.plugins(t)
	require.Len(t, list.Result, 2)
	assert.Equal(t, "planhat", list.Result[0].Slug)
	assert.Equal(t, filepath.Join(p.dataDir, "plugins"), list.PluginDir)
	first := c.version("planhat")
	assert.Equal(t, first, list.Result[0].Active)
	assert.Contains(t, do("list"), "planhat")

	assert.Contains(t, do("install", release(t, "planhat", "7.0.0")), "installed planhat 7.0.0")
	assert.Equal(t, "7.0.0", c.version("planhat"))
	works()
	p.waitFor(t, "the end of the old process", func() bool { return assert.ObjectsAreEqual([]string{"7.0.0"}, p.running(t, "planhat")) })
	list = p.plugins(t)
	assert.Equal(t, first, list.Result[0].Previous)
	assert.Equal(t, "ready", list.Result[0].Versions[0].State)
	assert.Equal(t, "wix", list.Result[1].Slug, "others are left alone")

	assert.Contains(t, do("rollback", "planhat"), first)
	assert.Equal(t, first, c.version("planhat"))
	works()

	account := c.sandbox.Providers["planhat"].AccountID
	do("pin", account, "planhat@7.0.0")
	works()
	assert.Contains(t, p.running(t, "planhat"), "7.0.0")
	assert.Equal(t, "7.0.0", c.send(http.MethodGet, "/integrated-account/"+account, "").json(t)["plugin_version"])
	_, err := unicrm(t, append([]string{"plugin", "remove", "planhat@7.0.0"}, inDir...)...)
	require.ErrorContains(t, err, "accounts that are pinned to planhat@7.0.0: 1")
	do("unpin", account)
	assert.Nil(t, c.send(http.MethodGet, "/integrated-account/"+account, "").json(t)["plugin_version"])

	do("canary", "planhat@7.0.0", "--percent", "100")
	works()
	require.NotNil(t, p.plugins(t).Result[0].Canary)
	assert.Equal(t, first, c.version("planhat"))
	do("canary", "planhat@7.0.0", "--percent", "0")
	p.waitFor(t, "the canary's end", func() bool { return assert.ObjectsAreEqual([]string{first}, p.running(t, "planhat")) })
	works()

	pid := p.plugin(t, "planhat")
	do("reload", "planhat")
	p.waitFor(t, "the old process's end", func() bool { return len(p.running(t, "planhat")) == 1 })
	assert.NotEqual(t, pid, p.plugin(t, "planhat"))
	works()

	assert.Contains(t, do("verify"), "planhat 7.0.0: as the lock says")
	do("remove", "planhat@7.0.0")
	assert.NoDirExists(t, filepath.Join(p.dataDir, "plugins", "planhat", "7.0.0"))
	_, err = unicrm(t, append([]string{"plugin", "remove", "planhat"}, inDir...)...)
	require.ErrorContains(t, err, "accounts that use planhat: 1")
	do("remove", "planhat", "--force")
	requireError(t, c.contacts(http.MethodGet, "planhat", "", ""), 503, "plugin_unavailable")
	requireError(t, c.send(http.MethodGet, "/integration/planhat", ""), 404, "route_not_found")
	assert.Equal(t, 200, c.contacts(http.MethodGet, "wix", "", "limit=1").status)
	assert.Empty(t, p.running(t, "planhat"))
}

func TestPluginCommandsOnAStoppedHost(t *testing.T) {
	dir := filepath.Join(shortDir(t), "plugins")
	data := shortDir(t)
	where := []string{"--plugin-dir", dir, "--data-dir", data}
	do := func(args ...string) string {
		return mustUnicrm(t, append(append([]string{"plugin"}, args...), where...)...)
	}
	do("install", filepath.Join("..", "bin", "plugins", "unicrm-provider-wix"), release(t, "wix", "9.0.0"))
	assert.Contains(t, do("verify"), "wix 9.0.0: as the lock says")
	assert.Contains(t, do("reload"), "no host runs")
	do("rollback", "wix")
	var list pluginList
	require.NoError(t, json.Unmarshal([]byte(do("list", "--json")), &list))
	require.Len(t, list.Result, 1)
	assert.Equal(t, "9.0.0", list.Result[0].Previous)
	assert.Empty(t, list.Result[0].Versions[0].State)
	do("canary", "wix@9.0.0", "--percent", "5")
	_, err := unicrm(t, append([]string{"plugin", "pin", "no-such-account", "wix@9.0.0"}, where...)...)
	require.ErrorContains(t, err, "holds no store")

	host := run(t, data, "serve", "--listen", "127.0.0.1:0", "--plugin-dir", dir, "--allow-base-url-override")
	c := &client{t: t, base: host.url(t), token: strings.TrimSpace(mustUnicrm(t, "token", "create", "--environment", "test", "--data-dir", data))}
	assert.Equal(t, list.Result[0].Active, c.version("wix"))
	account := c.send(http.MethodPost, "/integrated-account?skip_validation=true", `{"integration":"wix","tenant_id":"t","context":{"api_key":"IST.made.up","site_id":"2f7b6f3e-0000-4000-8000-000000000000"}}`)
	require.Equal(t, 201, account.status, "%s", account)
	id, _ := account.json(t)["id"].(string)
	require.NoError(t, host.cmd.Process.Signal(syscall.SIGTERM))
	<-host.done
	do("pin", id, "wix@9.0.0")
	_, err = unicrm(t, append([]string{"plugin", "pin", id, "wix@8.0.0"}, where...)...)
	require.ErrorContains(t, err, "not installed")
	_, err = unicrm(t, append([]string{"plugin", "pin", id, "planhat@9.0.0"}, where...)...)
	require.ErrorContains(t, err, "the account is one of wix")
	do("unpin", id)
	do("remove", "wix", "--force")
	require.NoError(t, json.Unmarshal([]byte(do("list", "--json")), &list))
	assert.Empty(t, list.Result)
}

func TestThePluginRoutesNeedAnOperatorsToken(t *testing.T) {
	p, c := sandbox(t, "--providers", "planhat")
	operator := *c
	operator.token = strings.TrimSpace(mustUnicrm(t, "token", "create", "--operator", "--name", "ops", "--data-dir", p.dataDir))
	for _, route := range []string{"GET /plugin", "GET /plugin/planhat", "POST /plugin/planhat/reload", "POST /plugin/reload", "DELETE /integrated-account/x/pin"} {
		method, path, _ := strings.Cut(route, " ")
		requireError(t, c.send(method, path, ""), 403, "forbidden")
		anonymous := *c
		anonymous.token = ""
		requireError(t, anonymous.send(method, path, ""), 401, "unauthenticated")
	}
	requireError(t, operator.contacts(http.MethodGet, "planhat", "", ""), 403, "forbidden")
	requireError(t, operator.send(http.MethodGet, "/integrated-account", ""), 403, "forbidden")

	pid := p.plugin(t, "planhat")
	var list pluginList
	require.NoError(t, json.Unmarshal(operator.send(http.MethodGet, "/plugin", "").body, &list))
	assert.Equal(t, pid, list.Result[0].Versions[0].PID)
	assert.Equal(t, 200, operator.send(http.MethodPost, "/plugin/reload?restart=false", "").status)
	assert.Equal(t, pid, p.plugin(t, "planhat"), "nothing has changed")
	reloaded := operator.send(http.MethodPost, "/plugin/planhat/reload", "")
	require.Equal(t, 200, reloaded.status, "%s", reloaded)
	p.waitFor(t, "the old process's end", func() bool { return len(p.running(t, "planhat")) == 1 })
	assert.NotEqual(t, pid, p.plugin(t, "planhat"))
	requireError(t, operator.send(http.MethodPost, "/plugin/nothing/reload", ""), 404, "route_not_found")
	requireError(t, operator.send(http.MethodPost, "/plugin/..%2F..%2Fetc/reload", ""), 404, "route_not_found")
	requireError(t, operator.send(http.MethodGet, "/plugin?x=1", ""), 400, "invalid_parameter")
	requireError(t, operator.send(http.MethodPost, "/plugin", ""), 405, "method_not_allowed")
}

// broken are plugins that describe themselves well and then go wrong. Each is
// a folder with a script; "real" in it is the working binary of another version.
var broken = map[string]struct{ serve, sentence string }{
	"does not start":             {`echo "cannot open the moon" >&2; exit 7`, "cannot open the moon"},
	"speaks another protocol":    {`echo "1|9|unix|/nowhere|grpc|"; sleep 60`, "version"},
	"answers on nothing":         {`echo "1|1|unix|$PLUGIN_UNIX_SOCKET_DIR/none|grpc|"; sleep 60`, "planhat 8.0.0 does not start"},
	"prints before it speaks":    {`echo "hello world"; sleep 60`, "hello world"},
	"says that it is another":    {`exec "$(dirname "$0")/real"`, "8.0.0"},
	"is killed while it starts":  {`kill -9 $$`, "planhat 8.0.0 does not start"},
	"is slow beyond the timeout": {`sleep 60`, "planhat 8.0.0 does not start"},
}

func TestABadNewVersionLeavesTheOldOneServing(t *testing.T) {
	p, c := sandbox(t, "--providers", "planhat", "--plugin-start-timeout", "3s")
	real := filepath.Join("..", "bin", "plugins", "unicrm-provider-planhat")
	manifest, err := exec.Command(real, "describe", "--json").Output()
	require.NoError(t, err)
	var described map[string]any
	require.NoError(t, json.Unmarshal(manifest, &described))
	version := described["version"].(string)
	described["version"] = "8.0.0"
	lying, err := json.Marshal(described)
	require.NoError(t, err)
	before, err := os.ReadFile(filepath.Join(p.dataDir, "plugins", "unicrm.lock"))
	require.NoError(t, err)
	pid := p.plugin(t, "planhat")
	for name, b := range broken {
		t.Run(name, func(t *testing.T) {
			source := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(source, "unicrm-provider-planhat"),
				[]byte("#!/bin/sh\nif [ \"$1\" = describe ]; then cat <<'EOT'\n"+string(lying)+"\nEOT\nexit 0; fi\n"+b.serve+"\n"), 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(source, "real"), must(os.ReadFile(real)), 0o755))
			_, err := unicrm(t, "plugin", "install", source, "--data-dir", p.dataDir, "--plugin-start-timeout", "3s")
			require.Error(t, err)
			assert.Contains(t, err.Error(), b.sentence)
			assert.Equal(t, version, c.version("planhat"))
			assert.Equal(t, pid, p.plugin(t, "planhat"), "the same process serves on")
			assert.Equal(t, 200, c.contacts(http.MethodGet, "planhat", "", "limit=1").status)
			now, err := os.ReadFile(filepath.Join(p.dataDir, "plugins", "unicrm.lock"))
			require.NoError(t, err)
			assert.Equal(t, string(before), string(now))
			assert.NoDirExists(t, filepath.Join(p.dataDir, "plugins", "planhat", "8.0.0"))
		})
	}
	t.Run("has another hash", func(t *testing.T) {
		// As if somebody had changed the file and the lock were right.
		path := filepath.Join(p.dataDir, "plugins", "planhat", version, "unicrm-provider-planhat")
		good := must(os.ReadFile(path))
		require.NoError(t, os.Chmod(path, 0o700))
		require.NoError(t, os.WriteFile(path, append(bytes.Clone(good), 0), 0o700))
		_, err := unicrm(t, "plugin", "reload", "planhat", "--data-dir", p.dataDir)
		require.Error(t, err)
		assert.Regexp(t, `has the SHA-256 [0-9a-f]{64}, but the lock says [0-9a-f]{64}`, err.Error())
		assert.Equal(t, pid, p.plugin(t, "planhat"))
		assert.Equal(t, 200, c.contacts(http.MethodGet, "planhat", "", "limit=1").status)
		_, err = unicrm(t, "plugin", "verify", "--data-dir", p.dataDir)
		require.Error(t, err)
		require.NoError(t, os.WriteFile(path, good, 0o700))
	})
}

func must(data []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return data
}

// bigCRM is a host with one account at an emulator that holds many contacts.
type bigCRM struct {
	*client
	host     *process
	operator *client
	ids      []string // to be deleted
	kept     string   // the id of one that is only read

	mu      sync.Mutex
	deletes map[string]int // guarded by mu: deletes that reached the vendor, by path
}

func newBigCRM(t testing.TB, contacts int, serveArgs ...string) *bigCRM {
	t.Helper()
	plugins := filepath.Join(shortDir(t), "plugins")
	data := shortDir(t)
	mustUnicrm(t, "plugin", "install", filepath.Join("..", "bin", "plugins", "unicrm-provider-planhat"), release(t, "planhat", "7.0.0"), "--plugin-dir", plugins, "--data-dir", data)
	emulator := exec.Command(filepath.Join("..", "bin", "plugins", "unicrm-provider-planhat"), "emulate", "--seed", strconv.Itoa(contacts), "--json")
	out, err := emulator.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, emulator.Start())
	t.Cleanup(func() {
		_ = emulator.Process.Kill()
		_ = emulator.Wait()
	})
	var at struct {
		ControlURL string         `json:"control_url"`
		Context    map[string]any `json:"context"`
	}
	require.NoError(t, json.NewDecoder(out).Decode(&at))
	go func() { _, _ = io.Copy(io.Discard, out) }()
	b := &bigCRM{deletes: map[string]int{}}
	// What reaches the vendor is counted on the way: the emulator remembers its
	// last calls only.
	vendor, err := url.Parse(at.Context["base_url"].(string))
	require.NoError(t, err)
	forward := httputil.NewSingleHostReverseProxy(vendor)
	forward.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	counter := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete {
			b.mu.Lock()
			b.deletes[r.URL.Path]++
			b.mu.Unlock()
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(counter.Close)
	at.Context["base_url"] = counter.URL
	host := run(t, data, append([]string{"serve", "--listen", "127.0.0.1:0", "--plugin-dir", plugins, "--allow-base-url-override", "--log-level", "warn"}, serveArgs...)...)
	host.waitFor(t, "its announcement", func() bool {
		files, _ := filepath.Glob(filepath.Join(data, "running", "*.json"))
		return len(files) == 1
	})
	var announced struct{ URL string }
	files, _ := filepath.Glob(filepath.Join(data, "running", "*.json"))
	require.NoError(t, json.Unmarshal(must(os.ReadFile(files[0])), &announced))
	b.host, b.client = host, &client{t: t, base: announced.URL}
	b.token = strings.TrimSpace(mustUnicrm(t, "token", "create", "--environment", "test", "--data-dir", data))
	b.operator = &client{t: t, base: b.base, token: strings.TrimSpace(mustUnicrm(t, "token", "create", "--operator", "--data-dir", data))}
	body, err := json.Marshal(map[string]any{"integration": "planhat", "context": at.Context})
	require.NoError(t, err)
	account := b.send(http.MethodPost, "/integrated-account", string(body))
	require.Equal(t, 201, account.status, "%s", account)
	id, _ := account.json(t)["id"].(string)
	provider := b.sandbox.Providers["planhat"]
	provider.AccountID, provider.ControlURL, provider.Context = id, at.ControlURL, at.Context
	b.sandbox.Providers = map[string]struct {
		AccountID   string         `json:"integrated_account_id"`
		EmulatorURL string         `json:"emulator_url"`
		ControlURL  string         `json:"control_url"`
		Context     map[string]any `json:"context"`
	}{"planhat": provider}
	b.ids = b.client.ids("planhat", "limit=1000")
	require.GreaterOrEqual(t, len(b.ids), contacts)
	b.kept, b.ids = b.ids[0], b.ids[1:]
	return b
}

// load sends reads and deletes on 64 connections until stop is closed. It
// tells of every answer.
func (b *bigCRM) load(stop <-chan struct{}, tell func(method, id string, got answer, err error)) (wait func()) {
	transport := &http.Transport{MaxIdleConnsPerHost: 64, MaxConnsPerHost: 64}
	client := &http.Client{Transport: transport}
	var (
		next    atomic.Int64
		workers sync.WaitGroup
	)
	account := b.sandbox.Providers["planhat"].AccountID
	for worker := range 64 {
		workers.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(worker)))
			for {
				select {
				case <-stop:
					return
				default:
				}
				method, id := http.MethodGet, ""
				if random.IntN(4) == 0 {
					if n := int(next.Add(1)) - 1; n < len(b.ids) {
						method, id = http.MethodDelete, b.ids[n]
					}
				}
				path := id
				if path == "" {
					path = b.kept
				}
				target := b.base + "/unified/crm/contacts/" + path + "?integrated_account_id=" + account
				request, err := http.NewRequestWithContext(context.Background(), method, target, nil)
				if err != nil {
					tell(method, id, answer{}, err)
					return
				}
				request.Header.Set("Authorization", "Bearer "+b.token)
				response, err := client.Do(request)
				if err != nil {
					tell(method, id, answer{}, err)
					continue
				}
				data, err := io.ReadAll(response.Body)
				_ = response.Body.Close()
				tell(method, id, answer{status: response.StatusCode, header: response.Header, body: data}, err)
			}
		})
	}
	return func() {
		workers.Wait()
		transport.CloseIdleConnections()
	}
}

func TestSwapsUnderLoadLoseNothing(t *testing.T) {
	swaps, contacts := 20, 3000
	if long {
		swaps, contacts = 200, 12000
	}
	b := newBigCRM(t, contacts)
	var failures, reads, deleted atomic.Int64
	stop := make(chan struct{})
	wait := b.load(stop, func(method, id string, got answer, err error) {
		switch {
		case err != nil || got.status != 200:
			failures.Add(1)
			t.Errorf("%s %s: %v %s", method, id, err, got)
		case method == http.MethodDelete:
			deleted.Add(1)
		default:
			reads.Add(1)
		}
	})
	for i := range swaps {
		if i%2 == 0 {
			_, err := unicrm(t, "plugin", "rollback", "planhat", "--data-dir", b.host.dataDir)
			assert.NoError(t, err)
			continue
		}
		got := b.operator.send(http.MethodPost, "/plugin/planhat/reload", "")
		assert.Equal(t, 200, got.status, "%s", got)
	}
	close(stop)
	wait()
	for path, count := range b.deletes {
		assert.Equal(t, 1, count, path)
	}
	assert.Len(t, b.deletes, int(deleted.Load()))
	assert.Zero(t, failures.Load())
	assert.Positive(t, reads.Load())
	b.host.waitFor(t, "the end of the old processes", func() bool { return len(pluginProcesses(t, b.host)) == 1 })
	t.Logf("%d swaps under 64 connections: %d reads, %d deletes, %d failures, no delete twice", swaps, reads.Load(), deleted.Load(), failures.Load())
}

// pluginProcesses are the children of a host.
func pluginProcesses(t testing.TB, p *process) []int {
	t.Helper()
	out, _ := exec.Command("ps", "-o", "pid=", "--ppid", strconv.Itoa(p.cmd.Process.Pid)).Output()
	var pids []int
	for _, field := range strings.Fields(string(out)) {
		pid, err := strconv.Atoi(field)
		require.NoError(t, err)
		pids = append(pids, pid)
	}
	return pids
}

func TestAPluginThatIsKilledUnderLoad(t *testing.T) {
	kills, contacts := 10, 3000
	if long {
		kills, contacts = 100, 12000
	}
	b := newBigCRM(t, contacts, "--restart-budget", "1000", "--restart-backoff", "10ms", "--restart-backoff-max", "20ms")
	var reads, deleted, unknown atomic.Int64
	stop := make(chan struct{})
	wait := b.load(stop, func(method, id string, got answer, err error) {
		switch {
		case err != nil:
			t.Errorf("%s %s: %v", method, id, err)
		case got.status == 200 && method == http.MethodDelete:
			deleted.Add(1)
		case got.status == 200:
			reads.Add(1)
		case method == http.MethodDelete && got.status == 502 && bytes.Contains(got.body, []byte(`"outcome_unknown"`)):
			unknown.Add(1)
		default:
			t.Errorf("%s %s: %s", method, id, got)
		}
	})
	var back []time.Duration
	for range kills {
		pids := pluginProcesses(t, b.host)
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		killed := time.Now()
		// The one that answers next is the successor: the old one is dead.
		got := b.contacts(http.MethodGet, "planhat", b.kept, "")
		back = append(back, time.Since(killed))
		assert.Equal(t, 200, got.status, "%s", got)
		// A read is made on the next process once: let those of this kill end
		// before the next one.
		for enough := reads.Load() + 2*64; reads.Load() < enough && !t.Failed(); {
			time.Sleep(5 * time.Millisecond)
		}
	}
	close(stop)
	wait()
	for path, count := range b.deletes {
		assert.Equal(t, 1, count, "%s was sent again", path)
	}
	assert.Positive(t, reads.Load())
	sort.Slice(back, func(i, j int) bool { return back[i] < back[j] })
	t.Logf("%d kills under 64 connections: %d reads, %d deletes, %d of unknown outcome, nothing sent twice; back after %s in the median, %s at most",
		kills, reads.Load(), deleted.Load(), unknown.Load(), back[len(back)/2].Round(time.Millisecond), back[len(back)-1].Round(time.Millisecond))
}

func TestPluginsThatAreNotUsedCostNothing(t *testing.T) {
	manifest, err := exec.Command(filepath.Join("..", "bin", "plugins", "unicrm-provider-wix"), "describe", "--json").Output()
	require.NoError(t, err)
	var described map[string]any
	require.NoError(t, json.Unmarshal(manifest, &described))
	many := filepath.Join(shortDir(t), "plugins")
	started := filepath.Join(t.TempDir(), "started")
	d, err := catalog.Change(many)
	require.NoError(t, err)
	for i := range 100 {
		slug := fmt.Sprintf("vendor%03d", i)
		described["slug"] = slug
		text, err := json.Marshal(described)
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), "unicrm-provider-"+slug)
		require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\nif [ \"$1\" = describe ]; then cat <<'EOT'\n"+string(text)+"\nEOT\nexit 0; fi\ntouch "+started+"\n"), 0o755))
		_, err = d.Install(t.Context(), path, catalog.InstallOptions{})
		require.NoError(t, err)
	}
	require.NoError(t, d.Commit())
	d.Done()
	d.Close()
	none := filepath.Join(shortDir(t), "plugins")
	require.NoError(t, os.Mkdir(none, 0o755))

	host := func(dir string) int {
		p := run(t, shortDir(t), "serve", "--listen", "127.0.0.1:0", "--plugin-dir", dir)
		url := p.url(t)
		c := &client{t: t, base: url, token: strings.TrimSpace(mustUnicrm(t, "token", "create", "--environment", "test", "--data-dir", p.dataDir))}
		require.Equal(t, 200, c.send(http.MethodGet, "/integration", "").status)
		assert.Empty(t, pluginProcesses(t, p))
		private := memory(t, p.cmd.Process.Pid, "Private_")
		require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
		<-p.done
		return private
	}
	without, with := host(none), host(many)
	t.Logf("a host's private memory: %d KiB without plugins, %d KiB with 100 installed", without, with)
	assert.Less(t, with-without, 10<<10)
	assert.NoFileExists(t, started)
}

// memory of a process in KiB: the sum of the kernel's figures with a prefix.
func memory(t testing.TB, pid int, prefix string) int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	require.NoError(t, err)
	total := 0
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) == 3 && strings.HasPrefix(fields[0], prefix) {
			size, err := strconv.Atoi(fields[1])
			require.NoError(t, err)
			total += size
		}
	}
	return total
}

// A plugin's own memory is what is anonymous in it. The sealed copy of its
// binary is shared memory that only it maps, so the kernel counts that as
// private too; it is reported beside.
func TestAnIdlePluginIsSmall(t *testing.T) {
	p, c := sandbox(t)
	for slug := range c.sandbox.Providers {
		pid := p.plugin(t, slug)
		own := memory(t, pid, "Anonymous:")
		t.Logf("%s: %d KiB of its own, %d KiB with the sealed copy of its binary", slug, own, memory(t, pid, "Private_"))
		assert.Less(t, own, 10<<10, slug)
	}
}

func TestAMistypedCommandChangesNothing(t *testing.T) {
	p, c := sandbox(t, "--providers", "planhat")
	plugins := filepath.Join(p.dataDir, "plugins")
	before := must(os.ReadFile(filepath.Join(plugins, "unicrm.lock")))
	elsewhere := shortDir(t)
	for _, args := range [][]string{
		{"remove", "planhat", "--plugin-dir", plugins, "--data-dir", elsewhere},
		{"install", release(t, "planhat", "7.0.0"), "--plugin-dir", plugins, "--data-dir", elsewhere},
		{"reload", "--plugin-dir", plugins, "--data-dir", elsewhere},
	} {
		_, err := unicrm(t, append([]string{"plugin"}, args...)...)
		require.ErrorContains(t, err, "name that host's with --data-dir", args[0])
	}
	for what, sentence := range map[string]string{"planhat@": "neither a slug", "@0.1.0": "neither a slug", "planhat@9.9.9": "not installed", "nothing": "not installed"} {
		_, err := unicrm(t, "plugin", "remove", what, "--force", "--data-dir", p.dataDir)
		require.ErrorContains(t, err, sentence, what)
	}
	// Of two plugins one is bad: neither is installed.
	bad := filepath.Join(t.TempDir(), "unicrm-provider-wix")
	require.NoError(t, os.WriteFile(bad, []byte("hello"), 0o755))
	_, err := unicrm(t, "plugin", "install", release(t, "planhat", "7.0.0"), bad, "--data-dir", p.dataDir)
	require.ErrorContains(t, err, "is a text file")
	assert.Equal(t, string(before), string(must(os.ReadFile(filepath.Join(plugins, "unicrm.lock")))))
	assert.NoDirExists(t, filepath.Join(plugins, "planhat", "7.0.0"))
	assert.Equal(t, 200, c.contacts(http.MethodGet, "planhat", "", "limit=1").status)
}

func TestADisagreementOfLockAndHostIsTold(t *testing.T) {
	p, c := sandbox(t, "--providers", "planhat")
	lock := filepath.Join(p.dataDir, "plugins", "unicrm.lock")
	before := must(os.ReadFile(lock))
	mustUnicrm(t, "plugin", "install", release(t, "planhat", "7.0.0"), "--data-dir", p.dataDir)
	assert.Empty(t, p.plugins(t).Problems)
	require.NoError(t, os.WriteFile(lock, before, 0o644)) // as a command that was killed leaves it
	assert.Contains(t, strings.Join(p.plugins(t).Problems, "\n"), "serves 7.0.0; unicrm plugin reload planhat")
	mustUnicrm(t, "plugin", "reload", "planhat", "--data-dir", p.dataDir)
	assert.NotEqual(t, "7.0.0", c.version("planhat"))
}

func TestAnInterruptedCommandSaysSo(t *testing.T) {
	dir := filepath.Join(shortDir(t), "plugins")
	slow := filepath.Join(t.TempDir(), "unicrm-provider-slow")
	began := filepath.Join(t.TempDir(), "began")
	require.NoError(t, os.WriteFile(slow, []byte("#!/bin/sh\ntouch "+began+"\nsleep 600\n"), 0o755))
	cmd := exec.Command(binary(t), "plugin", "install", slow, "--plugin-dir", dir, "--data-dir", shortDir(t))
	var said bytes.Buffer
	cmd.Stderr = &said
	require.NoError(t, cmd.Start())
	for range 400 {
		if _, err := os.Stat(began); err == nil {
			break
		}
		time.Sleep(25 * time.Millisecond)
	}
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	err := cmd.Wait()
	require.Error(t, err)
	assert.Equal(t, 130, cmd.ProcessState.ExitCode(), said.String())
	assert.Contains(t, said.String(), "interrupted")
	assert.NoFileExists(t, filepath.Join(dir, "unicrm.lock"))
}

func TestSettingsPerPluginComeFromTheFileToo(t *testing.T) {
	file := filepath.Join(t.TempDir(), "unicrm.yaml")
	require.NoError(t, os.WriteFile(file, []byte("plugin-memory:\n  planhat: 48MiB\n  \"*\": 96MiB\nplugin-cpus: {planhat: 1}\n"), 0o600))
	p, c := sandbox(t, "--providers", "planhat,wix", "--config", file)
	environment := func(slug string) string {
		return string(must(os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.plugin(t, slug)))))
	}
	assert.Contains(t, environment("planhat"), "GOMEMLIMIT=48MiB\x00")
	assert.Contains(t, environment("planhat"), "GOMAXPROCS=1\x00")
	assert.Contains(t, environment("wix"), "GOMEMLIMIT=96MiB\x00")
	assert.Equal(t, 200, c.contacts(http.MethodGet, "planhat", "", "limit=1").status)
}

func TestEachPluginReportsItsOwnVersion(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "plugins", "*", "VERSION"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		folder := filepath.Dir(file)
		version := strings.TrimSpace(string(must(os.ReadFile(file))))
		assert.Contains(t, string(must(os.ReadFile(filepath.Join(folder, "CHANGELOG.md")))), version, folder)
		if _, err := os.Stat(filepath.Join(folder, "main.go")); err != nil {
			continue // not in Go: its own test holds it
		}
		slug := filepath.Base(folder)
		out, err := exec.Command(filepath.Join("..", "bin", "plugins", "unicrm-provider-"+slug), "version").Output()
		require.NoError(t, err)
		assert.Equal(t, version, strings.TrimSpace(string(out)), slug)
	}
	// Another version of one changes that one alone.
	out, err := exec.Command(release(t, "planhat", "7.0.0"), "version").Output()
	require.NoError(t, err)
	assert.Equal(t, "7.0.0", strings.TrimSpace(string(out)))
}

func TestCommandsDoNotBelieveAHostThatIsGone(t *testing.T) {
	p, _ := sandbox(t, "--providers", "planhat")
	require.NoError(t, syscall.Kill(p.cmd.Process.Pid, syscall.SIGKILL))
	<-p.done
	files, err := filepath.Glob(filepath.Join(p.dataDir, "running", "*.json"))
	require.NoError(t, err)
	require.Len(t, files, 1, "it had no time to take it away")
	info, err := os.Stat(files[0])
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "it holds a token")
	out := mustUnicrm(t, "plugin", "reload", "--data-dir", p.dataDir, "--plugin-dir", filepath.Join(p.dataDir, "plugins"))
	assert.Contains(t, out, "no host runs")
}
