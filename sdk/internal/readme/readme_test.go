// Package readme holds the SDK's README to what it shows: its programs are
// built and run.
package readme

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var goBlock = regexp.MustCompile("(?s)```go\n(package main.*?)```")

func TestTheProgramsOfTheREADMEBuildAndDescribeThemselves(t *testing.T) {
	root, err := filepath.Abs(filepath.Join("..", "..", ".."))
	require.NoError(t, err)
	readme, err := os.ReadFile(filepath.Join(root, "sdk", "README.md"))
	require.NoError(t, err)
	programs := goBlock.FindAllStringSubmatch(string(readme), -1)
	require.NotEmpty(t, programs)
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	module, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	requires := regexp.MustCompile(`(?s)require \(.*`).FindString(string(module))
	for _, program := range programs {
		dir := t.TempDir()
		write := func(name, content string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600))
		}
		write("main.go", program[1])
		write("go.sum", string(sums))
		write("go.mod", "module example.com/acme\n\ngo 1.26\n\nrequire github.com/unicrm/unicrm v0.0.0\n\nreplace github.com/unicrm/unicrm => "+root+"\n\n"+requires)
		binary := filepath.Join(dir, "unicrm-provider-acme")
		build := exec.Command("go", "build", "-mod=mod", "-o", binary, ".")
		build.Dir = dir
		build.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=-buildvcs=false")
		out, err := build.CombinedOutput()
		require.NoError(t, err, "%s", out)
		out, err = exec.Command(binary, "describe", "--json").Output()
		require.NoError(t, err)
		assert.Contains(t, string(out), `"acme"`)
	}
}
