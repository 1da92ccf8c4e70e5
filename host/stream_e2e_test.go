package main_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// emulate runs a provider's emulator with many contacts and gives the context
// of an account that talks to it.
func emulate(t *testing.T, slug string, seed int) map[string]any {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "bin", "plugins", "unicrm-provider-"+slug))
	require.NoError(t, err)
	cmd := exec.Command(path, "emulate", "--listen", "127.0.0.1:0", "--seed", strconv.Itoa(seed), "--json")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadBytes('\n')
	require.NoError(t, err)
	var started struct {
		Context map[string]any `json:"context"`
	}
	require.NoError(t, json.Unmarshal(line, &started), "%s", line)
	return started.Context
}

var residentPeak = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peak is the most memory that a process has had resident, in KiB.
func peak(t *testing.T, pid int) int {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	found := residentPeak.FindSubmatch(data)
	require.NotNil(t, found)
	kib, err := strconv.Atoi(string(found[1]))
	require.NoError(t, err)
	return kib
}

// TestTenThousandContactsStreamInBoundedMemory reads ten thousand contacts line
// by line and looks at the most memory that host and plugin had meanwhile.
// UNICRM_LONG=1 does so at every provider.
func TestTenThousandContactsStreamInBoundedMemory(t *testing.T) {
	const contacts = 10_000
	slugs := []string{"freshsales"}
	if os.Getenv("UNICRM_LONG") != "" {
		slugs = nil
		for _, p := range installed(t) {
			slugs = append(slugs, p.slug)
		}
	}
	for _, slug := range slugs {
		t.Run(slug, func(t *testing.T) {
			p, c := sandbox(t, "--providers", slug)
			body, err := json.Marshal(map[string]any{"integration": slug, "tenant_id": "many", "context": emulate(t, slug, contacts)})
			require.NoError(t, err)
			made := c.send(http.MethodPost, "/integrated-account", string(body))
			require.Equal(t, http.StatusCreated, made.status, "%s", made)
			req, err := http.NewRequest(http.MethodGet, c.base+"/unified/crm/contacts?truto_response_format=stream&integrated_account_id="+made.json(t)["id"].(string), nil)
			require.NoError(t, err)
			req.Header.Set("Authorization", "Bearer "+c.token)
			req.Header.Set("Accept", "application/x-ndjson")
			res, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			defer res.Body.Close()
			require.Equal(t, http.StatusOK, res.StatusCode)
			seen := map[string]bool{}
			lines := bufio.NewScanner(res.Body)
			lines.Buffer(nil, 16<<20)
			for lines.Scan() {
				var contact struct{ ID string }
				require.NoError(t, json.Unmarshal(lines.Bytes(), &contact))
				require.NotEmpty(t, contact.ID, "%.200s", lines.Text())
				require.False(t, seen[contact.ID], "%s came twice", contact.ID)
				seen[contact.ID] = true
			}
			require.NoError(t, lines.Err())
			assert.GreaterOrEqual(t, len(seen), contacts)
			host, plugin := peak(t, p.cmd.Process.Pid), peak(t, p.plugin(t, slug))
			t.Logf("%s: %d contacts, at most %d KiB resident in the host, %d KiB in the plugin", slug, len(seen), host, plugin)
			assert.Less(t, host, 64<<10, "KiB resident in the host")
			assert.Less(t, plugin, 64<<10, "KiB resident in the plugin")
			assert.True(t, strings.HasPrefix(res.Header.Get("Content-Type"), "application/x-ndjson"))
		})
	}
}
