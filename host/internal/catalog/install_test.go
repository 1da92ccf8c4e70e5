package catalog

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/host/internal/supervisor"
)

// script is a provider's binary that can describe itself and nothing else. It
// notes each start in the file "starts" beside the test's folder.
func script(slug, version, extra string) string {
	return fmt.Sprintf(`#!/bin/sh
# %s
cat <<'EOT'
{"slug":%q,"display_name":"Acme","version":%q,"sdk_version":"test","protocol_versions":[1],"allowed_hosts":["api.acme.test"],
"authentication_methods":[{"name":"key","credentials_schema":"eyJ0eXBlIjoib2JqZWN0In0="}],
"resources":[{"resource":"contacts","record_id_pattern":"[0-9]+"}]}
EOT
`, extra, slug, version)
}

func sourceFile(t *testing.T, name, content string, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(content), mode))
	require.NoError(t, os.Chmod(path, mode))
	return path
}

func acme(t *testing.T, version, extra string) string {
	t.Helper()
	return sourceFile(t, "unicrm-provider-acme", script("acme", version, extra), 0o755)
}

// pluginDir is an empty plugin directory that only this user can write to.
func pluginDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "plugins")
	require.NoError(t, os.Mkdir(dir, 0o755))
	return dir
}

// changed makes a change and finishes it.
func changed(t *testing.T, dir string, do func(*Directory) error) error {
	t.Helper()
	d, err := Change(dir)
	require.NoError(t, err)
	defer d.Close()
	if err := do(d); err != nil {
		return err
	}
	require.NoError(t, d.Commit())
	d.Done()
	return nil
}

func install(t *testing.T, dir, source string, o InstallOptions) error {
	t.Helper()
	return changed(t, dir, func(d *Directory) error {
		_, err := d.Install(t.Context(), source, o)
		return err
	})
}

// contents lists every file below a folder with what is in it.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, _ := filepath.Rel(dir, path)
		if !entry.IsDir() {
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			files[relative] = string(data)
		} else if relative != "." {
			files[relative] = "folder"
		}
		return nil
	}))
	delete(files, ".lock")
	return files
}

func open(t *testing.T, dir string) *Catalog {
	t.Helper()
	c, err := Open(t.Context(), dir)
	require.NoError(t, err)
	return c
}

func TestAnInstalledPluginIsFoundWithoutBeingStarted(t *testing.T) {
	dir := pluginDir(t)
	require.NoError(t, install(t, dir, acme(t, "1.0.0", ""), InstallOptions{}))
	binary := filepath.Join(dir, "acme", "1.0.0", "unicrm-provider-acme")
	// Bytes that would not describe anything: whoever starts them is found out.
	require.NoError(t, os.Chmod(binary, 0o755))
	require.NoError(t, os.WriteFile(binary, []byte("#!/bin/sh\nexit 9\n"), 0o755))
	c := open(t, dir)
	assert.Empty(t, c.Problems())
	p, ok := c.Find("acme")
	require.True(t, ok)
	assert.Equal(t, "1.0.0", p.Version)
	assert.Equal(t, binary, p.Path)
	assert.Len(t, p.SHA256, 64)
	assert.True(t, p.AcceptsID("contacts", "12"))
	method, err := p.MatchCredentials("", []byte(`{}`))
	require.NoError(t, err)
	assert.Equal(t, "key", method)
}

func TestTheLockIsWhatTheDesignSays(t *testing.T) {
	dir := pluginDir(t)
	require.NoError(t, install(t, dir, acme(t, "1.0.0", ""), InstallOptions{}))
	data, err := os.ReadFile(filepath.Join(dir, LockFile))
	require.NoError(t, err)
	var lock struct {
		Plugins []struct {
			Name    string            `json:"name"`
			Version string            `json:"version"`
			SHA256  map[string]string `json:"sha256"`
		} `json:"plugins"`
	}
	require.NoError(t, json.Unmarshal(data, &lock))
	require.Len(t, lock.Plugins, 1)
	assert.Equal(t, "acme", lock.Plugins[0].Name)
	assert.Equal(t, "1.0.0", lock.Plugins[0].Version)
	assert.Len(t, lock.Plugins[0].SHA256[runtime.GOOS+"/"+runtime.GOARCH], 64)
}

func TestVersionsSideBySideAndTheWayBack(t *testing.T) {
	dir := pluginDir(t)
	for _, version := range []string{"1.0.0", "1.10.0", "1.9.0"} {
		require.NoError(t, install(t, dir, acme(t, version, ""), InstallOptions{}))
	}
	line := func() (active, previous string, others []string) {
		l, ok := open(t, dir).Line("acme")
		require.True(t, ok)
		for _, p := range l.Others {
			others = append(others, p.Version)
		}
		return l.Active.Version, l.Previous, others
	}
	active, previous, others := line()
	assert.Equal(t, "1.9.0", active, "what was installed last serves, also when it is not the highest")
	assert.Equal(t, "1.10.0", previous)
	assert.Equal(t, []string{"1.10.0", "1.0.0"}, others)

	back := func() (version string) {
		require.NoError(t, changed(t, dir, func(d *Directory) (err error) {
			version, err = d.GoBack("acme")
			return err
		}))
		return version
	}
	assert.Equal(t, "1.10.0", back())
	active, previous, _ = line()
	assert.Equal(t, "1.10.0", active)
	assert.Equal(t, "1.9.0", previous, "going back can be undone")

	require.NoError(t, install(t, dir, acme(t, "2.0.0", ""), InstallOptions{Inactive: true}))
	active, _, others = line()
	assert.Equal(t, "1.10.0", active)
	assert.Contains(t, others, "2.0.0")

	require.NoError(t, changed(t, dir, func(d *Directory) error { return d.Canary("acme", "2.0.0", 5) }))
	l, _ := open(t, dir).Line("acme")
	assert.Equal(t, "2.0.0", l.Canary)
	assert.Equal(t, 5, l.CanaryPercent)
	require.NoError(t, changed(t, dir, func(d *Directory) error { return d.Use("acme", "2.0.0") }))
	l, _ = open(t, dir).Line("acme")
	assert.Equal(t, "2.0.0", l.Active.Version)
	assert.Empty(t, l.Canary, "the canary has grown up")

	err := changed(t, dir, func(d *Directory) error { return d.Remove("acme", "2.0.0") })
	require.ErrorContains(t, err, "active version")
	require.NoError(t, changed(t, dir, func(d *Directory) error { return d.Remove("acme", "1.0.0") }))
	assert.NoDirExists(t, filepath.Join(dir, "acme", "1.0.0"))
	require.NoError(t, changed(t, dir, func(d *Directory) error { return d.Remove("acme", "") }))
	_, ok := open(t, dir).Find("acme")
	assert.False(t, ok)
	assert.Equal(t, map[string]string{LockFile: "{\n  \"plugins\": []\n}\n", manifestFolder: "folder"}, contents(t, dir), "nothing is left of it")
}

func TestWithoutAMarkTheHighestVersionServes(t *testing.T) {
	dir := pluginDir(t)
	for _, version := range []string{"1.10.0", "1.9.0"} {
		require.NoError(t, install(t, dir, acme(t, version, ""), InstallOptions{}))
	}
	path := filepath.Join(dir, LockFile)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	data = bytes.ReplaceAll(data, []byte(",\n      \"active\": true"), nil)
	data = bytes.ReplaceAll(data, []byte(",\n      \"previous\": true"), nil)
	require.NotContains(t, string(data), "active")
	require.NoError(t, os.WriteFile(path, data, 0o644))
	p, _ := open(t, dir).Find("acme")
	assert.Equal(t, "1.10.0", p.Version)
	// Another version beside it does not change what serves.
	require.NoError(t, install(t, dir, acme(t, "3.0.0", ""), InstallOptions{Inactive: true}))
	p, _ = open(t, dir).Find("acme")
	assert.Equal(t, "1.10.0", p.Version)
}

func TestRefusedInstallationsChangeNothing(t *testing.T) {
	dir := pluginDir(t)
	require.NoError(t, install(t, dir, acme(t, "1.0.0", ""), InstallOptions{}))
	before := contents(t, dir)
	native, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Skip("the bad binaries are made from this test's own, read from /proc")
	}
	otherArchitecture := bytes.Clone(native)
	otherArchitecture[18], otherArchitecture[19] = 0xF3, 0 // e_machine: RISC-V
	several := filepath.Join(t.TempDir(), "several")
	require.NoError(t, os.Mkdir(several, 0o755))
	for _, name := range []string{"unicrm-provider-a", "unicrm-provider-b"} {
		require.NoError(t, os.WriteFile(filepath.Join(several, name), []byte(script("a", "1.0.0", "")), 0o755))
	}
	for name, c := range map[string]struct {
		source, sentence string
	}{
		"a directory without a plugin":    {t.TempDir(), "it holds no file unicrm-provider-<slug>"},
		"a directory with two":            {several, "several plugins"},
		"nothing":                         {filepath.Join(t.TempDir(), "unicrm-provider-none"), "no such file"},
		"a text file":                     {sourceFile(t, "unicrm-provider-text", "hello\n", 0o755), "unicrm-provider-text"},
		"another architecture":            {sourceFile(t, "unicrm-provider-acme", string(otherArchitecture), 0o755), "riscv"},
		"a truncated binary":              {sourceFile(t, "unicrm-provider-acme", string(native[:len(native)/2]), 0o755), "truncated"},
		"no execute bit":                  {sourceFile(t, "unicrm-provider-acme", script("acme", "2.0.0", ""), 0o644), "executable"},
		"another name than the slug":      {sourceFile(t, "unicrm-provider-other", script("acme", "2.0.0", ""), 0o755), "must be called unicrm-provider-acme"},
		"a name without the prefix":       {sourceFile(t, "acme", script("acme", "2.0.0", ""), 0o755), "does not begin with unicrm-provider-"},
		"a slug with dots":                {sourceFile(t, "unicrm-provider-..", script("..", "2.0.0", ""), 0o755), "slug"},
		"a slug with a slash":             {sourceFile(t, "unicrm-provider-acme", script("acme/../../x", "2.0.0", ""), 0o755), "slug"},
		"a version that is a path":        {sourceFile(t, "unicrm-provider-acme", script("acme", "../2", ""), 0o755), "version"},
		"no manifest":                     {sourceFile(t, "unicrm-provider-acme", "#!/bin/sh\necho hello\n", 0o755), "no manifest"},
		"one that fails":                  {sourceFile(t, "unicrm-provider-acme", "#!/bin/sh\necho broken >&2\nexit 3\n", 0o755), "broken"},
		"the same version with new bytes": {acme(t, "1.0.0", "changed"), "installed already"},
		"an archive that is none":         {sourceFile(t, "x.tar.gz", "hello", 0o644), "not a gzip file"},
		"a link that leads out":           {archive(t, &tar.Header{Typeflag: tar.TypeSymlink, Name: "unicrm-provider-acme", Linkname: "/bin/sh"}, ""), "holds no file"},
		"a path that leads out":           {archive(t, &tar.Header{Typeflag: tar.TypeReg, Name: "../unicrm-provider-acme", Mode: 0o755}, script("acme", "2.0.0", "")), "leads out"},
		"a path that is too deep":         {archive(t, &tar.Header{Typeflag: tar.TypeReg, Name: strings.Repeat("a/", 400) + "x", Mode: 0o755}, "x"), "more than 1024 bytes or 64 folders"},
		"an empty name":                   {"", "is empty"},
		"one that moves the cursor":       {sourceFile(t, "unicrm-provider-acme", "#!/bin/sh\nprintf '\\033[2Kinstalled\\007' >&2\nexit 3\n", 0o755), " [2kinstalled"},
		"a name that moves the cursor":    {sourceFile(t, "unicrm-provider-acme", strings.Replace(script("acme", "2.0.0", ""), `"Acme"`, `"Ac\u001b[2Kme"`, 1), 0o755), "control characters"},
		"a device":                        {archive(t, &tar.Header{Typeflag: tar.TypeChar, Name: "unicrm-provider-acme"}, ""), "neither a file"},
	} {
		t.Run(name, func(t *testing.T) {
			err := install(t, dir, c.source, InstallOptions{})
			require.Error(t, err)
			assert.Contains(t, strings.ToLower(err.Error()), strings.ToLower(c.sentence))
			assert.NotContains(t, strings.TrimSpace(err.Error()), "\n", "one sentence")
			assert.Equal(t, before, contents(t, dir))
		})
	}
	t.Run("one that does not start", func(t *testing.T) {
		err := install(t, dir, acme(t, "2.0.0", ""), InstallOptions{Prove: func(context.Context, supervisor.Binary) error { return errors.New("it crashed") }})
		require.ErrorContains(t, err, "it crashed")
		assert.Equal(t, before, contents(t, dir))
	})
}

// archive makes a .tar.gz with one entry.
func archive(t *testing.T, header *tar.Header, content string) string {
	t.Helper()
	var data bytes.Buffer
	zipped := gzip.NewWriter(&data)
	w := tar.NewWriter(zipped)
	header.Size = int64(len(content))
	require.NoError(t, w.WriteHeader(header))
	_, err := w.Write([]byte(content))
	require.NoError(t, err)
	require.NoError(t, errors.Join(w.Close(), zipped.Close()))
	return sourceFile(t, "plugin.tar.gz", data.String(), 0o644)
}

func TestAFolderOrArchiveIsInstalledAsAWhole(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "acme-1.0.0")
	require.NoError(t, os.MkdirAll(filepath.Join(folder, "lib"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "unicrm-provider-acme"), []byte("#!/bin/sh\nexec \"$(dirname \"$0\")/lib/real\" \"$@\"\n"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "lib", "real"), []byte(script("acme", "1.0.0", "")), 0o755))
	var data bytes.Buffer
	zipped := gzip.NewWriter(&data)
	w := tar.NewWriter(zipped)
	require.NoError(t, w.AddFS(os.DirFS(filepath.Dir(folder))))
	require.NoError(t, errors.Join(w.Close(), zipped.Close()))
	for name, source := range map[string]string{"folder": folder, "archive": sourceFile(t, "acme.tar.gz", data.String(), 0o644)} {
		t.Run(name, func(t *testing.T) {
			dir := pluginDir(t)
			require.NoError(t, install(t, dir, source, InstallOptions{}))
			p, ok := open(t, dir).Find("acme")
			require.True(t, ok)
			assert.True(t, strings.HasPrefix(p.SHA256, "tree:"), p.SHA256)
			findings, err := Verify(t.Context(), dir)
			require.NoError(t, err)
			assert.Equal(t, []Finding{{Name: "acme", Version: "1.0.0"}}, findings)

			// A file beside the binary belongs to it.
			require.NoError(t, os.WriteFile(filepath.Join(dir, "acme", "1.0.0", "lib", "real"), []byte(script("acme", "1.0.0", "evil")), 0o755))
			findings, err = Verify(t.Context(), dir)
			require.NoError(t, err)
			assert.Contains(t, findings[0].Problem, p.SHA256)
		})
	}
}

func TestTheSameBytesAgainAreFine(t *testing.T) {
	dir := pluginDir(t)
	source := acme(t, "1.0.0", "")
	require.NoError(t, install(t, dir, source, InstallOptions{}))
	before := contents(t, dir)
	require.NoError(t, install(t, dir, source, InstallOptions{}))
	assert.Equal(t, before, contents(t, dir))
}

func TestReplacingAVersionCanBeUndone(t *testing.T) {
	dir := pluginDir(t)
	require.NoError(t, install(t, dir, acme(t, "1.0.0", ""), InstallOptions{}))
	before := contents(t, dir)
	d, err := Change(dir)
	require.NoError(t, err)
	_, err = d.Install(t.Context(), acme(t, "1.0.0", "changed"), InstallOptions{Replace: true})
	require.NoError(t, err)
	require.NoError(t, d.Commit())
	assert.NotEqual(t, before["acme/1.0.0/unicrm-provider-acme"], contents(t, dir)["acme/1.0.0/unicrm-provider-acme"])
	d.Rollback()
	d.Close()
	after := contents(t, dir)
	for name := range after {
		if strings.HasPrefix(name, manifestFolder) {
			delete(after, name)
			delete(before, name)
		}
	}
	assert.Equal(t, before, after)
}

func TestOneCommandAtATimeChangesADirectory(t *testing.T) {
	dir := pluginDir(t)
	d, err := Change(dir)
	require.NoError(t, err)
	_, err = Change(dir)
	require.ErrorContains(t, err, "another plugin command")
	d.Close()
	d, err = Change(dir)
	require.NoError(t, err)
	d.Close()
}

func TestABuildsFolderIsNotTurnedIntoAPluginDirectory(t *testing.T) {
	dir := pluginDir(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "unicrm-provider-acme"), []byte(script("acme", "1.0.0", "")), 0o755))
	_, err := Change(dir)
	require.ErrorContains(t, err, "--plugin-dir")
	p, ok := open(t, dir).Find("acme")
	require.True(t, ok, "but it is served from")
	assert.Empty(t, p.SHA256)
}

func TestAFolderOfSomethingElseIsNotTurnedIntoAPluginDirectory(t *testing.T) {
	dir := pluginDir(t) // as the folder plugins of this repository
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "wix", "emulator"), 0o755))
	before := contents(t, dir)
	_, err := Change(dir)
	require.ErrorContains(t, err, "so it is no plugin directory")
	assert.Equal(t, before, contents(t, dir))
	assert.NoFileExists(t, filepath.Join(dir, ".lock"))
}

func TestWhatARemoveLeftWhenItWasKilledAfterItsEndGoes(t *testing.T) {
	dir := pluginDir(t)
	require.NoError(t, install(t, dir, acme(t, "1.0.0", ""), InstallOptions{}))
	d, err := Change(dir)
	require.NoError(t, err)
	require.NoError(t, d.Remove("acme", ""))
	require.NoError(t, d.Commit())
	d.unlock() // it was killed
	d, err = Change(dir)
	require.NoError(t, err)
	d.Close()
	assert.NoDirExists(t, filepath.Join(dir, "acme"))
	left, err := filepath.Glob(filepath.Join(dir, staging+"*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestADirectoryThatOthersCanWriteToIsRefused(t *testing.T) {
	dir := pluginDir(t)
	require.NoError(t, install(t, dir, acme(t, "1.0.0", ""), InstallOptions{}))
	require.NoError(t, os.Chmod(dir, 0o777))
	_, err := Open(t.Context(), dir)
	require.ErrorContains(t, err, dir)
	_, err = Change(dir)
	require.ErrorContains(t, err, dir)
}

func TestWhatOthersCouldChangeInItIsNotTrusted(t *testing.T) {
	for _, path := range []string{LockFile, manifestFolder, "acme", "acme/1.0.0", "acme/1.0.0/unicrm-provider-acme"} {
		dir := pluginDir(t)
		require.NoError(t, install(t, dir, acme(t, "1.0.0", ""), InstallOptions{}))
		require.NoError(t, os.Chmod(filepath.Join(dir, path), 0o777))
		c, err := Open(t.Context(), dir)
		if path == LockFile {
			assert.ErrorContains(t, err, LockFile, "it chooses what runs")
			continue
		}
		require.NoError(t, err, path)
		assert.Empty(t, c.Lines(), path)
		assert.Contains(t, strings.Join(c.Problems(), "\n"), filepath.Join(dir, path))
		findings, err := Verify(t.Context(), dir)
		require.NoError(t, err)
		assert.Contains(t, findings[0].Problem, filepath.Join(dir, path))
	}
	t.Run("without a lock", func(t *testing.T) {
		dir := pluginDir(t)
		path := filepath.Join(dir, "unicrm-provider-acme")
		require.NoError(t, os.WriteFile(path, []byte(script("acme", "1.0.0", "")), 0o755))
		require.NoError(t, os.Chmod(path, 0o777))
		assert.Empty(t, open(t, dir).Lines())
	})
}

func TestACommandThatWasKilledIsClearedUpAfter(t *testing.T) {
	dir := pluginDir(t)
	require.NoError(t, install(t, dir, acme(t, "1.0.0", ""), InstallOptions{}))
	before := contents(t, dir)
	for name, kill := range map[string]func(*Directory){
		"while it replaced": func(d *Directory) {
			_, err := d.setAside(filepath.Join(dir, "acme", "1.0.0"))
			require.NoError(t, err)
		},
		"when it had replaced and not yet said so": func(d *Directory) {
			_, err := d.Install(t.Context(), acme(t, "1.0.0", "changed"), InstallOptions{Replace: true})
			require.NoError(t, err)
			require.NoError(t, os.RemoveAll(filepath.Join(dir, manifestFolder)))
			require.NoError(t, os.MkdirAll(filepath.Join(dir, manifestFolder), 0o755))
			for name, content := range before {
				if filepath.Dir(name) == manifestFolder {
					require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
				}
			}
		},
		"while it removed": func(d *Directory) { require.NoError(t, d.Remove("acme", "")) },
		"while it installed": func(d *Directory) {
			require.NoError(t, os.MkdirAll(filepath.Join(dir, staging+"x", "content"), 0o755))
		},
	} {
		d, err := Change(dir)
		require.NoError(t, err)
		kill(d)
		d.unlock() // and nothing else: it was killed
		d, err = Change(dir)
		require.NoError(t, err)
		d.Close()
		assert.Equal(t, before, contents(t, dir), name)
	}
}

func TestNobodyElseCanHoldTheDirectorysLock(t *testing.T) {
	dir := pluginDir(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".lock"), nil, 0o644))
	d, err := Change(dir)
	require.NoError(t, err)
	d.Close()
	info, err := os.Stat(filepath.Join(dir, ".lock"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestWhatDescribingLeavesBehindIsEnded(t *testing.T) {
	dir := pluginDir(t)
	mark := filepath.Join(t.TempDir(), "mark")
	require.NoError(t, syscall.Mkfifo(mark, 0o600))
	source := sourceFile(t, "unicrm-provider-acme", strings.Replace(script("acme", "1.0.0", ""), "cat <<", "(exec 3>"+mark+"; sleep 600) >/dev/null 2>&1 &\ncat <<", 1), 0o755)
	ended := make(chan error, 1)
	go func() { // it reads to its end when the last that holds the other side has gone
		_, err := os.ReadFile(mark)
		ended <- err
	}()
	require.NoError(t, install(t, dir, source, InstallOptions{}))
	select {
	case err := <-ended:
		require.NoError(t, err)
	case <-time.After(20 * time.Second):
		t.Fatal("a child of describe lives on")
	}
}

func TestEndingTheCanaryOfAnotherVersionIsRefused(t *testing.T) {
	dir := pluginDir(t)
	for _, version := range []string{"1.0.0", "2.0.0", "3.0.0"} {
		require.NoError(t, install(t, dir, acme(t, version, ""), InstallOptions{Inactive: true}))
	}
	require.NoError(t, changed(t, dir, func(d *Directory) error { return d.Canary("acme", "2.0.0", 10) }))
	require.ErrorContains(t, changed(t, dir, func(d *Directory) error { return d.Canary("acme", "3.0.0", 0) }), "is no canary")
	l, _ := open(t, dir).Line("acme")
	assert.Equal(t, "2.0.0", l.Canary)
}

func TestALockThatCannotBeTrustedIsRefused(t *testing.T) {
	for name, lock := range map[string]string{
		"no JSON":          `{`,
		"an unknown key":   `{"plugins":[],"more":1}`,
		"a slug as path":   `{"plugins":[{"name":"../acme","version":"1.0.0","sha256":{}}]}`,
		"a version path":   `{"plugins":[{"name":"acme","version":"../1.0.0","sha256":{}}]}`,
		"twice":            `{"plugins":[{"name":"acme","version":"1.0.0","sha256":{}},{"name":"acme","version":"1.0.0","sha256":{}}]}`,
		"two active":       `{"plugins":[{"name":"acme","version":"1.0.0","sha256":{},"active":true},{"name":"acme","version":"2.0.0","sha256":{},"active":true}]}`,
		"an active canary": `{"plugins":[{"name":"acme","version":"1.0.0","sha256":{},"active":true,"canary_percent":5}]}`,
		"a wrong share":    `{"plugins":[{"name":"acme","version":"1.0.0","sha256":{},"canary_percent":101}]}`,
		"a wrong hash":     `{"plugins":[{"name":"acme","version":"1.0.0","sha256":{"linux/amd64":"../x"}}]}`,
	} {
		dir := pluginDir(t)
		require.NoError(t, os.WriteFile(filepath.Join(dir, LockFile), []byte(lock), 0o644))
		_, err := Open(t.Context(), dir)
		assert.ErrorContains(t, err, LockFile, name)
	}
}

func TestWhatIsInTheWrongPlaceIsTold(t *testing.T) {
	dir := pluginDir(t)
	require.NoError(t, install(t, dir, acme(t, "1.0.0", ""), InstallOptions{}))
	for _, path := range []string{"unicrm-provider-flat", "acme/2.0.0/unicrm-provider-acme", "acme/3.0.0/acme", "acme/latest/unicrm-provider-acme"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, path), []byte(script("acme", "2.0.0", "")), 0o755))
	}
	problems := strings.Join(open(t, dir).Problems(), "\n")
	for _, sentence := range []string{
		"unicrm-provider-flat: left out, since it is not in unicrm.lock", "2.0.0/unicrm-provider-acme: left out, since it is not in unicrm.lock",
		"3.0.0: left out, since it does not hold unicrm-provider-acme", `latest: left out, since the version "latest" is not semantic`,
	} {
		assert.Contains(t, problems, sentence)
	}
}

func TestTwoBinariesThatClaimOneSlug(t *testing.T) {
	dir := pluginDir(t)
	for _, path := range []string{"unicrm-provider-acme", "acme/1.0.0/unicrm-provider-acme"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, path), []byte(script("acme", "1.0.0", "")), 0o755))
	}
	c := open(t, dir)
	require.Len(t, c.Problems(), 1)
	assert.Contains(t, c.Problems()[0], "claims to be acme 1.0.0 too")
}

func TestAFolderOfAnotherVersionIsNotBelieved(t *testing.T) {
	dir := pluginDir(t)
	path := filepath.Join(dir, "acme", "9.0.0", "unicrm-provider-acme")
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(script("acme", "1.0.0", "")), 0o755))
	c := open(t, dir)
	assert.Empty(t, c.Lines())
	assert.Contains(t, strings.Join(c.Problems(), ""), "lies in the folder of acme 9.0.0")
}

func TestWithoutTheActiveVersionNoOtherServesInItsPlace(t *testing.T) {
	dir := pluginDir(t)
	require.NoError(t, install(t, dir, acme(t, "1.0.0", ""), InstallOptions{}))
	require.NoError(t, install(t, dir, acme(t, "2.0.0", ""), InstallOptions{}))
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "acme", "2.0.0")))
	c := open(t, dir)
	assert.Empty(t, c.Lines())
	problems := strings.Join(c.Problems(), "\n")
	assert.Contains(t, problems, "acme@2.0.0: it is in unicrm.lock, but its file is gone")
	assert.Contains(t, problems, "acme: left out, since its active version 2.0.0 cannot be used")
}

// runner notes what it is told and refuses what it is told to.
type runner struct {
	refuse  string // a version
	running string // a slug
	applied []string
	removed []string
}

func (r *runner) Apply(_ context.Context, plan supervisor.Plan, restart bool) error {
	if plan.Active.Version == r.refuse {
		return fmt.Errorf("%s %s does not start", plan.Active.Slug, plan.Active.Version)
	}
	r.applied = append(r.applied, fmt.Sprintf("%s@%s restart=%t", plan.Active.Slug, plan.Active.Version, restart))
	return nil
}

func (r *runner) Remove(slug string) { r.removed = append(r.removed, slug) }

func (r *runner) Status(slug string) (supervisor.Status, bool) {
	state := supervisor.Stopped
	if slug == r.running {
		state = supervisor.Ready
	}
	return supervisor.Status{State: state}, true
}

func TestAReloadOfAllRestartsOnlyWhatRuns(t *testing.T) {
	dir := pluginDir(t)
	for _, slug := range []string{"acme", "busy"} {
		require.NoError(t, install(t, dir, sourceFile(t, "unicrm-provider-"+slug, script(slug, "1.0.0", ""), 0o755), InstallOptions{}))
	}
	r := &runner{running: "busy"}
	require.NoError(t, open(t, dir).Reload(t.Context(), r, "", true))
	assert.Equal(t, []string{"acme@1.0.0 restart=false", "busy@1.0.0 restart=true"}, r.applied)
}

func TestAReloadShowsOnlyWhatRuns(t *testing.T) {
	dir := pluginDir(t)
	require.NoError(t, install(t, dir, acme(t, "1.0.0", ""), InstallOptions{}))
	c := open(t, dir)
	r := &runner{refuse: "3.0.0"}
	serving := func() string {
		p, ok := c.Find("acme")
		if !ok {
			return "none"
		}
		return p.Version
	}
	require.NoError(t, install(t, dir, acme(t, "2.0.0", ""), InstallOptions{}))
	assert.Equal(t, "1.0.0", serving(), "nothing changes before the reload")
	require.NoError(t, c.Reload(t.Context(), r, "acme", true))
	assert.Equal(t, "2.0.0", serving())

	require.NoError(t, install(t, dir, acme(t, "3.0.0", ""), InstallOptions{}))
	require.ErrorContains(t, c.Reload(t.Context(), r, "", false), "acme 3.0.0 does not start")
	assert.Equal(t, "2.0.0", serving())

	require.NoError(t, os.RemoveAll(filepath.Join(dir, "acme", "3.0.0")))
	require.ErrorContains(t, c.Reload(t.Context(), r, "acme", false), "its file is gone")
	assert.Equal(t, "2.0.0", serving(), "a file that is gone is not an order to stop")

	require.ErrorIs(t, c.Reload(t.Context(), r, "other", false), ErrNotInstalled)
	require.NoError(t, os.WriteFile(filepath.Join(dir, LockFile), []byte("{"), 0o644))
	require.Error(t, c.Reload(t.Context(), r, "", false))
	assert.Equal(t, "2.0.0", serving())

	require.NoError(t, os.WriteFile(filepath.Join(dir, LockFile), []byte(`{"plugins":[]}`), 0o644))
	require.NoError(t, c.Reload(t.Context(), r, "", false))
	assert.Equal(t, "none", serving())
	assert.Equal(t, []string{"acme"}, r.removed)
	assert.Equal(t, []string{"acme@2.0.0 restart=true"}, r.applied)
}
