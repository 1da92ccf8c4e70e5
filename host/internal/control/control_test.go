package control

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAHostIsFoundAsLongAsItLives(t *testing.T) {
	data, plugins := t.TempDir(), t.TempDir()
	assert.False(t, InUse(plugins))
	withdraw, err := Announce(Host{URL: "http://127.0.0.1:1", Token: "t", PluginDir: plugins, DataDir: data})
	require.NoError(t, err)
	second, err := Announce(Host{URL: "http://127.0.0.1:2", Token: "t", PluginDir: plugins, DataDir: data})
	require.NoError(t, err, "several hosts may share both")
	hosts, err := Find(data)
	require.NoError(t, err)
	assert.Len(t, hosts, 2)
	assert.True(t, InUse(plugins))
	withdraw()
	withdraw()
	second()
	hosts, err = Find(data)
	require.NoError(t, err)
	assert.Empty(t, hosts)
	assert.False(t, InUse(plugins))
}

// A lock on a folder can be taken by whoever can read it.
func TestNobodyKeepsAHostFromStartingByALock(t *testing.T) {
	data, plugins := t.TempDir(), t.TempDir()
	stranger, err := os.Open(plugins)
	require.NoError(t, err)
	defer stranger.Close()
	require.NoError(t, syscall.Flock(int(stranger.Fd()), syscall.LOCK_EX))
	withdraw, err := Announce(Host{URL: "http://127.0.0.1:1", Token: "t", PluginDir: plugins, DataDir: data})
	require.NoError(t, err)
	defer withdraw()
	hosts, err := Find(data)
	require.NoError(t, err)
	assert.Len(t, hosts, 1)
}

func TestWhatAHostThatIsGoneLeftIsRemoved(t *testing.T) {
	data := t.TempDir()
	left := filepath.Join(data, folder, "host-x.json")
	require.NoError(t, os.MkdirAll(filepath.Dir(left), 0o700))
	require.NoError(t, os.WriteFile(left, []byte(`{"url":"http://127.0.0.1:1"}`), 0o600))
	hosts, err := Find(data)
	require.NoError(t, err)
	assert.Empty(t, hosts)
	assert.NoFileExists(t, left)
}
