// Package houserules holds the repository to its layout: which packages may
// import which, and what may lie at the top. Each rule is a sentence.
package houserules

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/unicrm/unicrm/"

type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// packages lists the module's packages by path without the module's prefix.
func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", module+"...")
	out, err := cmd.Output()
	require.NoError(t, err)
	dec := json.NewDecoder(strings.NewReader(string(out)))
	var all []pkg
	for {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			require.NotEmpty(t, all)
			return all
		}
		require.NoError(t, err)
		all = append(all, p)
	}
}

func (p pkg) in(folder string) bool {
	return strings.HasPrefix(p.ImportPath+"/", module+folder+"/")
}

// ours are the module's own imports of a package, without the prefix.
func ours(imports ...[]string) []string {
	var all []string
	for _, list := range imports {
		for _, path := range list {
			if rest, ok := strings.CutPrefix(path, module); ok {
				all = append(all, rest)
			}
		}
	}
	return all
}

func within(path string, folders ...string) bool {
	for _, folder := range folders {
		if strings.HasPrefix(path+"/", folder+"/") {
			return true
		}
	}
	return false
}

func TestImportsPointInwards(t *testing.T) {
	for _, p := range packages(t) {
		imports := ours(p.Imports, p.TestImports, p.XTestImports)
		name := strings.TrimPrefix(p.ImportPath, module)
		for _, path := range imports {
			switch {
			case p.in("host"):
				assert.False(t, within(path, "plugins"), "%s imports %s: the host knows no provider; it starts them as programs", name, path)
			case p.in("plugins"):
				own := strings.Join(strings.SplitN(name, "/", 3)[:2], "/")
				assert.True(t, within(path, "sdk", "proto", own), "%s imports %s: a provider imports only the SDK and the protocol", name, path)
			case p.in("sdk"):
				assert.True(t, within(path, "sdk", "proto"), "%s imports %s: the SDK imports only the protocol", name, path)
			case p.in("proto"):
				assert.True(t, within(path, "proto"), "%s imports %s: the protocol imports nothing of this module", name, path)
			}
		}
	}
}

func TestAnEmulatorSharesNothingWithItsAdapter(t *testing.T) {
	for _, p := range packages(t) {
		if !p.in("plugins") || !strings.HasSuffix(p.ImportPath, "/emulator") {
			continue
		}
		for _, path := range ours(p.Imports) {
			assert.Equal(t, "sdk/emulator", path, "%s: an emulator may use the emulator kit and nothing that an adapter uses, or the two only prove each other right", p.ImportPath)
		}
		for _, path := range ours(p.TestImports, p.XTestImports) {
			assert.True(t, within(path, "sdk/emulator", "sdk/exchange") || path == strings.TrimPrefix(p.ImportPath, module), "%s: its tests may use the emulator kit and documented exchanges alone", p.ImportPath)
		}
	}
}

func TestTheDomainKnowsNeitherHTTPNorGRPC(t *testing.T) {
	for _, p := range packages(t) {
		if !p.in("host/internal/unified") {
			continue
		}
		for _, path := range p.Imports {
			assert.False(t, path == "net/http" || strings.HasPrefix(path, "google.golang.org/grpc"), "host/internal/unified imports %s", path)
		}
	}
}

func TestNothingElseLiesAtTheTop(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	entries, err := os.ReadDir(root)
	require.NoError(t, err)
	allowed := map[string]bool{"host": true, "plugins": true, "sdk": true, "proto": true, "bin": true, "go.mod": true, "go.sum": true, "Makefile": true, "README.md": true, "LICENSE": true}
	for _, entry := range entries {
		name := entry.Name()
		assert.True(t, allowed[name] || strings.HasPrefix(name, "."), "%s does not belong at the top level", name)
	}
}

func TestStructIsBannedFromTheProtocol(t *testing.T) {
	err := filepath.WalkDir(filepath.Join("..", "..", "..", "proto"), func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".proto") {
			return err
		}
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.NotContains(t, string(text), "google/protobuf/struct.proto", "%s: Struct rounds 64-bit ids; vendor-owned data crosses as JSON bytes", path)
		return nil
	})
	require.NoError(t, err)
}
