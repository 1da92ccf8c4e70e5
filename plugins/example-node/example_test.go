// Package examplenode_test packs the example in JavaScript and holds it to what
// every plugin must do.
package examplenode_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk/conformance"
)

const name = "unicrm-provider-example-node"

func TestThePackedExamplePassesTheSuite(t *testing.T) {
	needs(t, "node", "npm")
	// Outside the repository: what is not packed is not there.
	folder := filepath.Join(t.TempDir(), name)
	run(t, "node", "pack.js", folder)
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			assert.True(t, entry.Type().IsRegular(), "%s is no plain file, which an installed plugin must be made of", path)
		}
		return err
	})
	require.NoError(t, err)
	conformance.Run(t, conformance.Options{Binary: filepath.Join(folder, name)})
}

func TestTheTestsInJavaScriptPass(t *testing.T) {
	needs(t, "node")
	files, err := filepath.Glob("test/*.test.js")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	run(t, "node", append([]string{"--test"}, files...)...)
}

func TestTheLockFileNamesNoRegistry(t *testing.T) {
	lock, err := os.ReadFile("package-lock.json")
	require.NoError(t, err)
	assert.Contains(t, string(lock), `"integrity"`)
	assert.NotContains(t, string(lock), `"resolved"`, "write it with: npm install --omit-lockfile-registry-resolved")
}

// needs skips the test where a program is missing.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed, so a plugin in JavaScript cannot run here", program)
		}
	}
}

func run(t *testing.T, program string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Run(), "%s %s\n%s", program, args[0], &out)
}
