package main_test

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheSandboxPrintsCommandsThatWorkWhenPasted(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl on this machine to paste into")
	}
	p, c := sandbox(t)
	deletes := map[string]string{}
	p.waitFor(t, "the commands", func() bool { return strings.Contains(p.log.String(), "sandbox.json\n") })
	for line := range strings.Lines(p.log.String()) {
		if !strings.HasPrefix(line, "curl ") {
			continue
		}
		out, err := exec.Command("sh", "-c", line).Output()
		require.NoError(t, err, line)
		if !strings.Contains(line, "-X DELETE") {
			assert.Contains(t, string(out), `"result":[{`, line)
			continue
		}
		assert.Regexp(t, `^\{"id":"[^"]+"`, string(out), line)
		deletes[line] = string(out)
		again, err := exec.Command("sh", "-c", line).Output()
		require.NoError(t, err)
		assert.Contains(t, string(again), `"statusCode":404`, line)
	}
	assert.Len(t, deletes, len(c.sandbox.Providers), "one DELETE for each provider")
}

func TestSandboxFile(t *testing.T) {
	p, c := sandbox(t, "--no-seed")
	info, err := os.Stat(filepath.Join(p.dataDir, "sandbox.json"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	for _, name := range []string{"unicrm.db"} {
		info, err := os.Stat(filepath.Join(p.dataDir, name))
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
	}
	_, err = os.Stat(filepath.Join(p.dataDir, "plugins", "unicrm.lock"))
	assert.NoError(t, err)
	assert.Len(t, c.sandbox.Providers, len(providers))
	for _, provider := range providers {
		got := c.sandbox.Providers[provider.slug]
		assert.Equal(t, got.EmulatorURL, got.Context["base_url"], provider.slug)
		posted, err := json.Marshal(map[string]any{"integration": provider.slug, "context": got.Context})
		require.NoError(t, err)
		made := c.send(http.MethodPost, "/integrated-account", string(posted))
		assert.Equal(t, 201, made.status, "%s: the context can be posted back: %s", provider.slug, made)
		list := c.contacts(http.MethodGet, provider.slug, "", "")
		require.Equal(t, 200, list.status, "%s", list)
		assert.Equal(t, []any{}, list.json(t)["result"], "%s was asked to be empty", provider.slug)
	}
}

func TestSandboxProviders(t *testing.T) {
	_, c := sandbox(t, "--providers", "zendesksell")
	assert.Len(t, c.sandbox.Providers, 1)
	p := run(t, shortDir(t), "sandbox", "--listen", "127.0.0.1:0", "--providers", "nonsense")
	<-p.done
	assert.Equal(t, 1, p.cmd.ProcessState.ExitCode())
	assert.Contains(t, p.log.String(), `no plugin "nonsense"`)
}

func TestAPortThatIsTakenIsToldInOneSentence(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	for _, command := range []string{"sandbox", "serve"} {
		p := run(t, shortDir(t), command, "--listen", listener.Addr().String())
		<-p.done
		assert.Equal(t, 1, p.cmd.ProcessState.ExitCode())
		assert.Contains(t, p.log.String(), listener.Addr().String()+" is taken by another program; stop it, or choose another address with --listen")
		assert.Empty(t, p.children(t))
	}
}

func TestTokensAndEnvironments(t *testing.T) {
	p, c := sandbox(t, "--providers", "zendesksell")
	out, err := exec.Command(binary(t), "token", "create", "--environment", "other", "--data-dir", p.dataDir).Output()
	require.NoError(t, err)
	other := *c
	other.token = strings.TrimSpace(string(out))
	require.True(t, strings.HasPrefix(other.token, "ucrm_"))

	stored, err := os.ReadFile(filepath.Join(p.dataDir, "unicrm.db"))
	require.NoError(t, err)
	wal, _ := os.ReadFile(filepath.Join(p.dataDir, "unicrm.db-wal"))
	assert.NotContains(t, string(stored)+string(wal), other.token, "only the hash is stored")

	id := c.sandbox.Providers["zendesksell"].AccountID
	requireError(t, other.contacts(http.MethodGet, "zendesksell", "400001", ""), 404, "account_not_found")
	requireError(t, other.contacts(http.MethodDelete, "zendesksell", "400001", ""), 404, "account_not_found")
	requireError(t, other.send(http.MethodGet, "/integrated-account/"+id, ""), 404, "account_not_found")
	requireError(t, other.send(http.MethodDelete, "/integrated-account/"+id, ""), 404, "account_not_found")
	assert.Empty(t, other.send(http.MethodGet, "/integrated-account", "").json(t)["result"])
	assert.Equal(t, 200, c.contacts(http.MethodGet, "zendesksell", "400001", "").status, "it is still there")

	for _, header := range []string{"", "Bearer", "Bearer ", "Bearer wrong", "Basic " + c.token, c.token, "Bearer " + c.token + "x", "bearer\t" + c.token} {
		anonymous := *c
		anonymous.token = ""
		got := anonymous.send(http.MethodGet, "/unified/crm/contacts?integrated_account_id="+id, "", "Authorization", header)
		requireError(t, got, 401, "unauthenticated")
		assert.Equal(t, "Bearer", got.header.Get("WWW-Authenticate"))
	}
	missing := requireError(t, c.send(http.MethodGet, "/unified/crm/contacts", ""), 400, "invalid_parameter")
	assert.Contains(t, missing["truto_error_insight"], "missing_required_query_parameters")
	requireError(t, c.send(http.MethodGet, "/unified/crm/contacts?integrated_account_id=x", ""), 400, "invalid_parameter")
	requireError(t, c.send(http.MethodGet, "/unified/crm/contacts?integrated_account_id=7b0f1d7e-1f3c-4a54-9a3f-1d1f6a0c0000", ""), 404, "account_not_found")

	var tokens []map[string]string
	out, err = exec.Command(binary(t), "token", "list", "--json", "--data-dir", p.dataDir).Output()
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(out, &tokens))
	require.Len(t, tokens, 2)
	assert.NotContains(t, string(out), other.token)
	require.NoError(t, exec.Command(binary(t), "token", "delete", tokens[1]["id"], "--data-dir", p.dataDir).Run())
	p.waitFor(t, "the deleted token's end", func() bool {
		return other.send(http.MethodGet, "/integration", "").status == 401
	})
}

func TestAccounts(t *testing.T) {
	_, c := sandbox(t, "--providers", "zendesksell")
	context, err := json.Marshal(c.sandbox.Providers["zendesksell"].Context)
	require.NoError(t, err)
	post := func(body string) answer { return c.send(http.MethodPost, "/integrated-account", body) }

	made := post(`{"integration":"zendesksell","tenant_id":"t1","authentication_method":"access_token","context":` + string(context) + `}`)
	require.Equal(t, 201, made.status, "%s", made)
	account := made.json(t)
	assert.Equal(t, "active", account["status"])
	assert.Equal(t, map[string]any{"base_url": c.sandbox.Providers["zendesksell"].EmulatorURL}, account["context"], "secrets are write-only")
	id := account["id"].(string)
	assert.Equal(t, account, c.send(http.MethodGet, "/integrated-account/"+id, "").json(t))
	assert.Len(t, c.send(http.MethodGet, "/integrated-account?tenant_id=t1", "").json(t)["result"], 1)
	page := c.send(http.MethodGet, "/integrated-account?limit=1", "").json(t)
	assert.Len(t, page["result"], 1)
	rest := c.send(http.MethodGet, "/integrated-account?limit=1&next_cursor="+page["next_cursor"].(string), "").json(t)
	assert.Len(t, rest["result"], 1)
	assert.Nil(t, rest["next_cursor"])
	assert.Equal(t, 200, c.send(http.MethodGet, "/unified/crm/contacts?integrated_account_id="+id, "").status)
	assert.Equal(t, map[string]any{"id": id}, c.send(http.MethodDelete, "/integrated-account/"+id, "").json(t))
	requireError(t, c.send(http.MethodGet, "/unified/crm/contacts?integrated_account_id="+id, ""), 404, "account_not_found")
	requireError(t, c.send(http.MethodDelete, "/integrated-account/"+id, ""), 404, "account_not_found")

	base := c.sandbox.Providers["zendesksell"].EmulatorURL
	refused := post(`{"integration":"zendesksell","context":{"access_token":"not-the-token","base_url":"` + base + `"}}`)
	body := requireError(t, refused, 401, "vendor_unauthenticated")
	assert.Equal(t, true, body["truto_is_remote_error"])
	assert.NotContains(t, string(refused.body), "not-the-token")

	for _, c := range []struct {
		body   string
		status int
		reason string
		says   string
	}{
		{``, 415, "unsupported_media_type", "application/json"},
		{`{`, 400, "invalid_body", "not JSON"},
		{`[]`, 400, "invalid_body", "type"},
		{`{} {}`, 400, "invalid_body", "more than one"},
		{`{"contxt":{}}`, 400, "invalid_body", "contxt"},
		{`{}`, 400, "invalid_body", "integration is missing"},
		{`{"integration":"nonsense","context":{}}`, 400, "invalid_body", "not installed"},
		{`{"integration":"zendesksell"}`, 400, "invalid_body", "context is missing"},
		{`{"integration":"zendesksell","context":[]}`, 400, "invalid_body", "not a JSON object"},
		{`{"integration":"zendesksell","context":{}}`, 400, "invalid_body", "access_token is missing"},
		{`{"integration":"zendesksell","context":{"access_token":7}}`, 400, "invalid_body", "access_token is not of type string"},
		{`{"integration":"zendesksell","context":{"access_token":"s3cret value"}}`, 400, "invalid_body", "right form"},
		{`{"integration":"zendesksell","context":{"access_token":"a","more":1}}`, 400, "invalid_body", `"more" is not known`},
		{`{"integration":"zendesksell","authentication_method":"magic","context":{"access_token":"a"}}`, 400, "invalid_body", "no method"},
		{`{"integration":"zendesksell","context":{"access_token":"a","base_url":"http://h/path"}}`, 400, "invalid_body", "without a path"},
		{`{"integration":"zendesksell","context":{"access_token":"a","base_url":"ftp://h"}}`, 400, "invalid_body", "http"},
		{`{"integration":"zendesksell","context":{"access_token":"a","base_url":"http://user:pw@h"}}`, 400, "invalid_body", "user"},
		{`{"integration":"zendesksell","context":{"oauth":{"token":{"access_token":"a"}}}}`, 400, "unsupported", "OAuth"},
		{`{"integration":"` + strings.Repeat("x", 2<<20) + `"}`, 413, "body_too_large", "larger"},
	} {
		got := post(c.body)
		e := requireError(t, got, c.status, c.reason)
		assert.Contains(t, e["message"], c.says)
		assert.NotContains(t, string(got.body), "s3cret")
	}
}

func TestBaseURLsAreRefusedUnlessTheOperatorAllowsThem(t *testing.T) {
	dir := shortDir(t)
	out, err := exec.Command(binary(t), "token", "create", "--environment", "prod", "--data-dir", dir).Output()
	require.NoError(t, err)
	p := run(t, dir, "serve", "--listen", "127.0.0.1:0")
	c := &client{t: t, token: strings.TrimSpace(string(out)), base: p.url(t)}
	requireError(t, c.send(http.MethodPost, "/integrated-account?skip_validation=true", `{"integration":"zendesksell","context":{"access_token":"a","base_url":"http://127.0.0.1:1"}}`), 400, "invalid_body")
	assert.Equal(t, 201, c.send(http.MethodPost, "/integrated-account?skip_validation=true", `{"integration":"zendesksell","context":{"access_token":"a"}}`).status)
	assert.Equal(t, 200, c.send(http.MethodGet, "/readyz", "").status)
}

func TestRoutesThatAreNotThere(t *testing.T) {
	_, c := sandbox(t, "--providers", "zendesksell")
	account := "?integrated_account_id=" + c.sandbox.Providers["zendesksell"].AccountID
	requireError(t, c.send(http.MethodGet, "/nonsense", ""), 404, "route_not_found")
	requireError(t, c.send(http.MethodGet, "/unified/crm/nonsense"+account, ""), 404, "route_not_found")
	requireError(t, c.send(http.MethodGet, "/unified/crm/leads"+account, ""), 400, "unsupported")
	requireError(t, c.send(http.MethodPost, "/unified/crm/leads"+account, `{}`), 400, "unsupported")
	requireError(t, c.send(http.MethodGet, "/unified/crm/leads/zendesksell/meta/list", ""), 400, "unsupported")
	requireError(t, c.send(http.MethodGet, "/unified/crm/contacts/zendesksell/meta/nonsense", ""), 404, "route_not_found")
	requireError(t, c.send(http.MethodGet, "/integration/nonsense/capabilities", ""), 404, "route_not_found")
	requireError(t, c.send(http.MethodGet, "/integrated-account/x/capabilities", ""), 404, "account_not_found")
	refused := c.send(http.MethodPut, "/unified/crm/contacts/1"+account, `{}`)
	requireError(t, refused, 405, "method_not_allowed")
	assert.Equal(t, "GET, PATCH, DELETE", refused.header.Get("Allow"))
	assert.Equal(t, 431, c.send(http.MethodGet, "/healthz", "", "X-Large", strings.Repeat("x", 64<<10)).status)
}

func TestHealthMetricsAndRequestIDs(t *testing.T) {
	_, c := sandbox(t, "--providers", "zendesksell")
	anonymous := *c
	anonymous.token = ""
	assert.JSONEq(t, `{"status":"ok"}`, string(anonymous.send(http.MethodGet, "/healthz", "").body))
	assert.JSONEq(t, `{"status":"ready","problems":[]}`, string(anonymous.send(http.MethodGet, "/readyz", "").body))
	assert.Equal(t, "mine-1", c.send(http.MethodGet, "/healthz", "", "X-Request-Id", "mine-1").header.Get("X-Request-Id"))
	assert.NotEqual(t, "a b", c.send(http.MethodGet, "/healthz", "", "X-Request-Id", "a b").header.Get("X-Request-Id"))
	c.contacts(http.MethodDelete, "zendesksell", "400001", "")
	c.contacts(http.MethodDelete, "zendesksell", "400001", "")
	metrics := string(anonymous.send(http.MethodGet, "/metrics", "").body)
	assert.Contains(t, metrics, `unicrm_requests_total{method="delete",provider="zendesksell",resource="contacts",status="200"} 1`)
	assert.Contains(t, metrics, `unicrm_requests_total{method="delete",provider="zendesksell",resource="contacts",status="404"} 1`)
	assert.Contains(t, metrics, `unicrm_request_duration_seconds_count{method="delete",provider="zendesksell",resource="contacts"} 2`)

	integrations := c.send(http.MethodGet, "/integration", "").json(t)["result"].([]any)
	require.Len(t, integrations, 1)
	one := c.send(http.MethodGet, "/integration/zendesksell", "").json(t)
	assert.Equal(t, "ready", one["state"])
	assert.Contains(t, one["authentication_methods"].([]any)[0], "context_schema")
	requireError(t, c.send(http.MethodGet, "/integration/nonsense", ""), 404, "route_not_found")
}

func TestAPluginThatIsKilledIsBackAtOnce(t *testing.T) {
	p, c := sandbox(t, "--providers", "zendesksell")
	for range 3 {
		pid := p.plugin(t, "zendesksell")
		require.NotZero(t, pid)
		require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		got := c.contacts(http.MethodGet, "zendesksell", "400001", "")
		assert.Equal(t, 200, got.status, "%s", got)
	}
}

func TestAWriteInFlightWhenItsPluginDiesIsNeverSentAgain(t *testing.T) {
	p, c := sandbox(t, "--providers", "zendesksell")
	c.fault("zendesksell", `{"match":{"method":"DELETE"},"fault":{"delay_ms":60000},"times":-1}`)
	answers := make(chan answer, 1)
	go func() { answers <- c.contacts(http.MethodDelete, "zendesksell", "400001", "") }()
	deletes := func() (n int) {
		for _, call := range c.calls("zendesksell") {
			if call.Method == http.MethodDelete {
				n++
			}
		}
		return n
	}
	p.waitFor(t, "the delete at the vendor", func() bool { return deletes() == 1 })
	require.NoError(t, syscall.Kill(p.plugin(t, "zendesksell"), syscall.SIGKILL))
	requireError(t, <-answers, 502, "outcome_unknown")
	assert.Equal(t, 200, c.contacts(http.MethodGet, "zendesksell", "400001", "").status)
	assert.Equal(t, 1, deletes())
}

func TestAReadInFlightWhenItsPluginDiesIsMadeOnTheNextOne(t *testing.T) {
	p, c := sandbox(t, "--providers", "zendesksell")
	c.fault("zendesksell", `{"match":{"path":"/v2/contacts/400001"},"fault":{"delay_ms":60000},"times":1}`)
	answers := make(chan answer, 1)
	go func() { answers <- c.contacts(http.MethodGet, "zendesksell", "400001", "") }()
	p.waitFor(t, "the read at the vendor", func() bool {
		for _, call := range c.calls("zendesksell") {
			if call.Path == "/v2/contacts/400001" {
				return true
			}
		}
		return false
	})
	require.NoError(t, syscall.Kill(p.plugin(t, "zendesksell"), syscall.SIGKILL))
	assert.Equal(t, 200, (<-answers).status)
}

func TestAPluginThatIsGoneIsUnavailableAndComesBack(t *testing.T) {
	p, c := sandbox(t, "--providers", "zendesksell")
	matches, err := filepath.Glob(filepath.Join(p.dataDir, "plugins", "zendesksell", "*", "unicrm-provider-zendesksell"))
	require.NoError(t, err)
	require.Len(t, matches, 1)
	require.NoError(t, os.Rename(matches[0], matches[0]+".away"))
	require.NoError(t, syscall.Kill(p.plugin(t, "zendesksell"), syscall.SIGKILL))
	p.waitFor(t, "the crash in the log", func() bool { return strings.Contains(p.log.String(), "plugin process ended") })
	requireError(t, c.contacts(http.MethodDelete, "zendesksell", "400001", ""), 503, "plugin_unavailable")
	p.waitFor(t, "not ready", func() bool {
		return c.send(http.MethodGet, "/readyz", "").status == 503 || c.contacts(http.MethodGet, "zendesksell", "400001", "").status != 503
	})
	require.NoError(t, os.Rename(matches[0]+".away", matches[0]))
	p.waitFor(t, "the plugin", func() bool { return c.contacts(http.MethodGet, "zendesksell", "400001", "").status == 200 })
}

func TestNoProcessIsLeftHoweverTheHostEnds(t *testing.T) {
	for _, end := range []struct {
		name   string
		signal syscall.Signal
		group  bool
	}{{"SIGTERM", syscall.SIGTERM, false}, {"SIGKILL", syscall.SIGKILL, false}, {"Ctrl-C, which the whole group gets", syscall.SIGINT, true}} {
		t.Run(end.name, func(t *testing.T) {
			p, _ := sandbox(t)
			children := p.children(t)
			require.Len(t, children, 2*len(providers), "a plugin and an emulator each")
			pid := p.cmd.Process.Pid
			if end.group {
				pid = -pid
			}
			require.NoError(t, syscall.Kill(pid, end.signal))
			<-p.done
			deadline := time.Now().Add(20 * time.Second)
			for len(p.children(t)) > 0 && time.Now().Before(deadline) {
				time.Sleep(20 * time.Millisecond)
			}
			assert.Empty(t, p.children(t))
			if end.signal != syscall.SIGKILL {
				assert.Equal(t, 0, p.cmd.ProcessState.ExitCode(), p.log.tail(2000))
				assert.NotContains(t, p.log.String(), "panic")
			}
		})
	}
}

func TestAFrozenPluginDoesNotBlockTheEnd(t *testing.T) {
	p, _ := sandbox(t, "--providers", "zendesksell")
	require.NoError(t, syscall.Kill(p.plugin(t, "zendesksell"), syscall.SIGSTOP))
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		t.Fatal("it did not end")
	}
	assert.Empty(t, p.children(t))
}

func TestRequestsInFlightEndBeforeTheHostDoes(t *testing.T) {
	p, c := sandbox(t, "--providers", "zendesksell")
	c.fault("zendesksell", `{"match":{"path":"/v2/contacts/400001"},"fault":{"delay_ms":1500},"times":1}`)
	answers := make(chan answer, 1)
	go func() { answers <- c.contacts(http.MethodGet, "zendesksell", "400001", "") }()
	p.waitFor(t, "the read at the vendor", func() bool {
		return strings.Contains(string(c.control("zendesksell", http.MethodGet, "/calls", "")), "/v2/contacts/400001")
	})
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	assert.Equal(t, 200, (<-answers).status)
	<-p.done
}

func TestAPluginThatDoesNotStartLeavesTheOthersAlone(t *testing.T) {
	plugins := shortDir(t)
	for name, content := range map[string]string{"unicrm-provider-text": "just text", "unicrm-provider-script": "#!/bin/sh\necho '{}'\n"} {
		require.NoError(t, os.WriteFile(filepath.Join(plugins, name), []byte(content), 0o755))
	}
	require.NoError(t, os.Mkdir(filepath.Join(plugins, "unicrm-provider-folder"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(plugins, "unicrm-provider-plain"), nil, 0o644))
	good, err := os.ReadFile(filepath.Join("..", "bin", "plugins", "unicrm-provider-zendesksell"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(plugins, "unicrm-provider-zendesksell"), good, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(plugins, "unicrm-provider-truncated"), good[:len(good)/3], 0o755))
	p, c := sandbox(t, "--plugin-dir", plugins)
	assert.Len(t, c.sandbox.Providers, 1)
	for _, name := range []string{"text", "script", "folder", "plain", "truncated"} {
		assert.Contains(t, p.log.String(), "unicrm-provider-"+name+":", name)
	}
}

func TestManyRequestsAtOnce(t *testing.T) {
	_, c := sandbox(t, "--providers", "zendesksell")
	ids := c.ids("zendesksell", "")
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			got := c.contacts(http.MethodGet, "zendesksell", ids[i%len(ids)], "")
			assert.Equal(t, 200, got.status, "%s", got)
		})
	}
	all.Wait()
}

// url waits until a host serves and tells where.
func (p *process) url(t testing.TB) string {
	t.Helper()
	url := ""
	p.waitFor(t, "the host's address", func() bool {
		_, after, ok := strings.Cut(p.log.String(), "url=")
		if ok && strings.Contains(after, "\n") {
			url, _, _ = strings.Cut(after, "\n")
		}
		return url != ""
	})
	return strings.TrimSpace(url)
}

func TestASandboxOwnsItsDataDirectoryAndBeginsAnewInIt(t *testing.T) {
	p, c := sandbox(t, "--providers", "zendesksell")
	second := run(t, p.dataDir, "sandbox", "--listen", "127.0.0.1:0", "--providers", "zendesksell")
	<-second.done
	assert.Equal(t, 1, second.cmd.ProcessState.ExitCode())
	assert.Contains(t, second.log.String(), "another sandbox uses "+p.dataDir)
	assert.Equal(t, 200, c.contacts(http.MethodGet, "zendesksell", "400001", "").status)

	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	<-p.done
	_, err := os.Stat(filepath.Join(p.dataDir, "sandbox.json"))
	require.ErrorIs(t, err, os.ErrNotExist, "a program would read of a sandbox that is gone")
	again := run(t, p.dataDir, "sandbox", "--listen", "127.0.0.1:0", "--providers", "zendesksell")
	again.waitFor(t, "sandbox.json", func() bool {
		_, err := os.Stat(filepath.Join(p.dataDir, "sandbox.json"))
		return err == nil
	})
	data, err := os.ReadFile(filepath.Join(p.dataDir, "sandbox.json"))
	require.NoError(t, err)
	var file sandboxFile
	require.NoError(t, json.Unmarshal(data, &file))
	next := &client{t: t, sandbox: file, base: file.BaseURL, token: file.Token}
	assert.Len(t, next.send(http.MethodGet, "/integrated-account", "").json(t)["result"], 1)
}

func TestSettingsComeFromFlagsThenVariablesThenTheFile(t *testing.T) {
	free := func() string {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer listener.Close()
		return listener.Addr().String()
	}
	flag, variable, file := free(), free(), free()
	path := filepath.Join(shortDir(t), "unicrm.yaml")
	require.NoError(t, os.WriteFile(path, []byte("listen: "+file+"\nlog-level: info\nrequest-timeout: 7s\nlenient-filters: true\nenvironment: prod\n"), 0o600))

	assert.Equal(t, "http://"+file, run(t, shortDir(t), "serve", "--config", path).url(t))
	t.Setenv("UNICRM_LISTEN", variable)
	assert.Equal(t, "http://"+variable, run(t, shortDir(t), "serve", "--config", path).url(t))
	assert.Equal(t, "http://"+flag, run(t, shortDir(t), "serve", "--config", path, "--listen", flag).url(t))

	for content, says := range map[string]string{
		"lissten: x":            "no command has the flags lissten",
		"serve:\n  listen: x":   "no command has the flags serve",
		"- a":                   "not a YAML mapping",
		"request-timeout: 5":    "request-timeout",
		"request-timeout: soon": "request-timeout",
	} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		p := run(t, shortDir(t), "serve", "--config", path)
		<-p.done
		assert.NotZero(t, p.cmd.ProcessState.ExitCode(), content)
		assert.Contains(t, p.log.String(), says, content)
	}
}

func TestAnAccountWithABaseURLIsRefusedByAHostThatDoesNotAllowThem(t *testing.T) {
	p, c := sandbox(t, "--providers", "zendesksell")
	host := run(t, p.dataDir, "serve", "--listen", "127.0.0.1:0")
	other := *c
	other.base = host.url(t)
	c.forgetCalls("zendesksell")
	requireError(t, other.contacts(http.MethodDelete, "zendesksell", "400001", ""), 400, "invalid_parameter")
	assert.Empty(t, c.calls("zendesksell"))
}

func TestAFrozenPluginIsReplaced(t *testing.T) {
	p, c := sandbox(t, "--providers", "zendesksell", "--request-timeout", "2s")
	require.NoError(t, syscall.Kill(p.plugin(t, "zendesksell"), syscall.SIGSTOP))
	requireError(t, c.contacts(http.MethodGet, "zendesksell", "400001", ""), 503, "plugin_unavailable")
	p.waitFor(t, "the plugin's successor", func() bool { return c.contacts(http.MethodGet, "zendesksell", "400001", "").status == 200 })
}

func TestNoTemporaryFolderIsLeftWhenTheHostIsKilled(t *testing.T) {
	tmp := shortDir(t)
	t.Setenv("TMPDIR", tmp)
	p, _ := sandbox(t, "--providers", "zendesksell")
	require.NoError(t, syscall.Kill(p.cmd.Process.Pid, syscall.SIGKILL))
	<-p.done
	for range 200 {
		left, err := filepath.Glob(filepath.Join(tmp, "ucrm-*"))
		require.NoError(t, err)
		if len(left) == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Error("the plugin's private folder is still there")
}

func TestABinaryThatIsNotWhatTheLockSaysDoesNotStart(t *testing.T) {
	p, c := sandbox(t, "--providers", "zendesksell")
	matches, err := filepath.Glob(filepath.Join(p.dataDir, "plugins", "zendesksell", "*", "unicrm-provider-zendesksell"))
	require.NoError(t, err)
	require.Len(t, matches, 1)
	good, err := os.ReadFile(matches[0])
	require.NoError(t, err)
	require.NoError(t, os.Chmod(matches[0], 0o700))
	require.NoError(t, os.WriteFile(matches[0], append(good, 0), 0o700))
	assert.Equal(t, 200, c.contacts(http.MethodGet, "zendesksell", "400001", "").status, "what runs is the copy that was hashed")

	require.NoError(t, syscall.Kill(p.plugin(t, "zendesksell"), syscall.SIGKILL))
	p.waitFor(t, "the crash in the log", func() bool { return strings.Contains(p.log.String(), "plugin process ended") })
	body := requireError(t, c.contacts(http.MethodGet, "zendesksell", "400001", ""), 503, "plugin_unavailable")
	assert.Regexp(t, `has the SHA-256 [0-9a-f]{64}, but the lock says [0-9a-f]{64}`, body["message"])

	host := run(t, p.dataDir, "serve", "--listen", "127.0.0.1:0", "--plugin-dir", filepath.Join(p.dataDir, "plugins"), "--start-plugins", "all")
	host.url(t)
	assert.Contains(t, host.log.String(), "but the lock says", "with the plugins started at once it is told at once")

	require.NoError(t, os.WriteFile(matches[0], good, 0o700))
	p.waitFor(t, "the plugin", func() bool { return c.contacts(http.MethodGet, "zendesksell", "400001", "").status == 200 })
}
