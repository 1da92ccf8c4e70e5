package scaffold

import (
	"go/format"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const version = "v0.1.0"

// root is this repository, a checkout of unicrm. It is looked for before any
// test changes the folder.
var root, _ = filepath.Abs(filepath.Join("..", "..", ".."))

// tree is what lies below a folder: the content of each file and "" for a folder.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		require.NoError(t, err)
		name, err := filepath.Rel(dir, path)
		require.NoError(t, err)
		found[name] = ""
		if entry.Type().IsRegular() {
			data, err := os.ReadFile(path)
			require.NoError(t, err)
			found[name] = string(data)
		}
		return nil
	}))
	return found
}

// files are the regular files of a tree.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := tree(t, dir)
	for name := range all {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.IsDir() {
			delete(all, name)
		}
	}
	return all
}

func TestTheModuleIsTheTemplateUnderTheAuthorsNames(t *testing.T) {
	for _, o := range []Options{
		{Slug: "zeta", SDKVersion: version},
		{Slug: "7-up-crm", DisplayName: "  Zoë's & Söhne (CRM), Inc. 日本 ", Module: "git.example.com/Zeta/unicrm-provider-7/v2", SDKVersion: version},
		{Slug: "a", DisplayName: "A", Module: "a.test/b", SDKPath: root, SDKVersion: version},
	} {
		o.Dir = filepath.Join(t.TempDir(), "new")
		written, err := Write(o)
		require.NoError(t, err)
		have := files(t, o.Dir)
		assert.Len(t, have, len(written))
		for _, name := range written {
			assert.Contains(t, have, name)
		}
		assert.Equal(t, slices.Sorted(slices.Values(written)), written)
		for name := range files(t, templateSlug) {
			assert.Contains(t, have, name, "of the template")
		}
		for name, content := range have {
			if name == "go.sum" {
				continue
			}
			assert.NotContains(t, strings.ToLower(content), templateSlug, "%s: a name of the template's is left in it", name)
			assert.NotContains(t, content, "internal/scaffold", name)
			if strings.HasSuffix(name, ".go") {
				formatted, err := format.Source([]byte(content))
				require.NoError(t, err, name)
				assert.Equal(t, string(formatted), content, "gofmt would write %s otherwise", name)
			}
		}
		entries, err := os.ReadDir(filepath.Dir(o.Dir))
		require.NoError(t, err)
		assert.Len(t, entries, 1, "nothing is left beside it")
	}
}

func TestNamesThatAreLeftOutComeFromTheSlug(t *testing.T) {
	t.Chdir(t.TempDir())
	_, err := Write(Options{Slug: "hub-one", SDKVersion: version})
	require.NoError(t, err)
	have := files(t, "unicrm-provider-hub-one")
	assert.Equal(t, "module example.com/unicrm-provider-hub-one\n\ngo 1.26.0\n\nrequire github.com/unicrm/unicrm v0.1.0\n", have["go.mod"])
	assert.NotContains(t, have, "go.sum", "only go mod tidy can know it")
	module, ok := readSDKModule(root)
	require.True(t, ok)
	assert.Equal(t, module.goVersion, goVersion, "what the SDK needs")
	assert.Contains(t, have["provider.go"], `DisplayName: "Hub One",`)
	assert.Contains(t, have["provider.go"], `Slug:        "hub-one",`)
}

func TestAnEmptyFolderIsFilled(t *testing.T) {
	t.Chdir(t.TempDir())
	written, err := Write(Options{Slug: "zeta", Dir: ".", SDKVersion: version})
	require.NoError(t, err)
	assert.Len(t, files(t, "."), len(written))
	entries, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, entry := range entries {
		assert.NotContains(t, entry.Name(), "unicrm-new", "what it was put together in is gone")
	}
}

// Good options first, then one mutation per case.
func TestWhatCannotBeWrittenIsRefusedInOneSentenceAndChangesNothing(t *testing.T) {
	checkout := root
	for name, c := range map[string]struct {
		change func(o *Options)
		says   string
	}{
		"no slug":                      {func(o *Options) { o.Slug = "" }, `the slug "" is not lower-case letters`},
		"a slug with dots":             {func(o *Options) { o.Slug = ".." }, `the slug ".." is not lower-case letters`},
		"a slug with a slash":          {func(o *Options) { o.Slug = "a/b" }, `the slug "a/b" is not lower-case letters`},
		"a slug with capitals":         {func(o *Options) { o.Slug = "Acme" }, `the slug "Acme" is not lower-case letters`},
		"a slug with a line end":       {func(o *Options) { o.Slug = "acme\n" }, `the slug "acme\n" is not lower-case letters`},
		"a slug with a hyphen to end":  {func(o *Options) { o.Slug = "acme-" }, `the slug "acme-" is not lower-case letters`},
		"a slug beyond measure":        {func(o *Options) { o.Slug = strings.Repeat("a", 41) }, "and 40 at most"},
		"a module without a domain":    {func(o *Options) { o.Module = "acme" }, `"acme" is not a path for a module of yours`},
		"a module that climbs":         {func(o *Options) { o.Module = "example.com/../x" }, "is not a path for a module of yours"},
		"a module with a space":        {func(o *Options) { o.Module = "example.com/a b" }, "is not a path for a module of yours"},
		"a module within unicrm's":     {func(o *Options) { o.Module = sdkModule + "/plugins/acme" }, "is not a path for a module of yours"},
		"a name with a quote":          {func(o *Options) { o.DisplayName = `a"b` }, `the name "a\"b" is not a line`},
		"a name with a percent sign":   {func(o *Options) { o.DisplayName = "100% CRM" }, "percent signs"},
		"a name of two lines":          {func(o *Options) { o.DisplayName = "a\nb" }, "is not a line"},
		"a name of spaces":             {func(o *Options) { o.DisplayName = "  " }, "is not a line"},
		"a folder with something in":   {func(o *Options) { o.Dir = "full" }, "full is there and not empty; choose another folder with --dir"},
		"a file":                       {func(o *Options) { o.Dir = "full/file" }, "full/file is there and is not a folder"},
		"a folder without a parent":    {func(o *Options) { o.Dir = "no/such" }, "no/such cannot be made: there is no folder"},
		"a file for a parent":          {func(o *Options) { o.Dir = "full/file/x" }, "full/file/x is there and is not a folder"},
		"a link that leads nowhere":    {func(o *Options) { o.Dir = "dangling" }, "dangling is a link that leads nowhere"},
		"the repository itself":        {func(o *Options) { o.Dir = filepath.Join(checkout, "plugins", "acme") }, "lies inside unicrm's own repository, " + checkout + "; a provider of yours is a module of its own"},
		"the repository by a link":     {func(o *Options) { o.Dir = "link/acme" }, "lies inside unicrm's own repository, " + checkout},
		"an SDK that is not there":     {func(o *Options) { o.SDKPath = "no-such" }, "--sdk no-such is not a checkout of unicrm: there is no go.mod in it that says module github.com/unicrm/unicrm"},
		"an SDK that is another's":     {func(o *Options) { o.SDKPath = "other" }, "--sdk other is not a checkout of unicrm"},
		"an SDK without its checksums": {func(o *Options) { o.SDKPath = "half" }, "--sdk half is not a whole checkout of unicrm"},
		"a version that is none":       {func(o *Options) { o.SDKVersion = "(devel)" }, `the SDK's version "(devel)" is not one such as v0.1.0`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			write := func(name, content string) {
				require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
				require.NoError(t, os.WriteFile(name, []byte(content), 0o600))
			}
			write("full/file", "precious")
			write("other/go.mod", "module github.com/unicrm/unicrm-fork\n// module github.com/unicrm/unicrm\n")
			write("half/go.mod", "module github.com/unicrm/unicrm\n")
			require.NoError(t, os.Symlink(filepath.Join(checkout, "plugins"), "link"))
			require.NoError(t, os.Symlink("nowhere", "dangling"))
			before := tree(t, ".")

			o := Options{Slug: "zeta", SDKVersion: version, SDKPath: checkout}
			require.NoError(t, o.complete(), "the options are good but for the one change")
			o = Options{Slug: "zeta", SDKVersion: version, SDKPath: checkout}
			c.change(&o)
			written, err := Write(o)
			require.ErrorContains(t, err, c.says)
			assert.NotContains(t, err.Error(), "\n")
			assert.Empty(t, written)
			assert.Equal(t, before, tree(t, "."))
			assert.NoDirExists(t, filepath.Join(checkout, "plugins", "acme"))
		})
	}
}

func TestWhatCannotBeMovedWholeIsTakenBack(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	for _, name := range []string{"a", "b/deep", "c/deep"} {
		require.NoError(t, os.MkdirAll(filepath.Join(from, filepath.Dir(name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(from, name), []byte("new"), 0o600))
	}
	// Somebody else was there in the meantime.
	require.NoError(t, os.MkdirAll(filepath.Join(to, "c", "full"), 0o755))
	before := tree(t, to)
	require.Error(t, moveInto(from, to))
	assert.Equal(t, before, tree(t, to))
}

func TestThePathOfTheSDKIsWrittenForTheModule(t *testing.T) {
	base := t.TempDir()
	t.Chdir(base)
	for sdk, want := range map[string]string{
		"unicrm":                         "../unicrm",
		"./unicrm/":                      "../unicrm",
		"../unicrm":                      "../../unicrm",
		"my code/unicrm":                 `"../my code/unicrm"`,
		filepath.Join(base, "unicrm"):    filepath.Join(base, "unicrm"),
		filepath.Join(base, "a,b") + "/": `"` + filepath.Join(base, "a,b") + `"`,
	} {
		got, err := replacementFor(filepath.Join(base, "new"), sdk)
		require.NoError(t, err)
		assert.Equal(t, want, got, sdk)
	}
}

func TestTheCIFileTakesTheSDKFromACheckoutOnlyWhereGoModDoes(t *testing.T) {
	for sdk, want := range map[string]bool{"": false, root: true} {
		dir := filepath.Join(t.TempDir(), "new")
		_, err := Write(Options{Slug: "zeta", Dir: dir, SDKPath: sdk, SDKVersion: version})
		require.NoError(t, err)
		have := files(t, dir)
		assert.Equal(t, want, strings.Contains(have["go.mod"], "replace "))
		assert.Equal(t, want, slices.ContainsFunc(ciSteps(t, have), func(step string) bool { return strings.Contains(step, "-replace") }))
	}
}

// ciSteps are the commands of a module's CI file, in order.
func ciSteps(t *testing.T, module map[string]string) []string {
	t.Helper()
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct{ Uses, Run string }
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(module[".github/workflows/ci.yml"]), &workflow))
	var steps []string
	for _, step := range workflow.Jobs["test"].Steps {
		require.True(t, (step.Uses == "") != (step.Run == ""))
		if step.Run != "" {
			steps = append(steps, step.Run)
		}
	}
	require.NotEmpty(t, steps)
	return steps
}

// TestTheModuleBuildsAndPassesOutsideTheRepository runs what the CI file of a
// new module runs, with what `go mod download` left in the module cache and
// nothing else. The conformance suite is left to the template's own tests.
func TestTheModuleBuildsAndPassesOutsideTheRepository(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	_, err := Write(Options{Slug: "zeta-7", DisplayName: "Zoë's & Söhne", Dir: dir, SDKPath: root, SDKVersion: version})
	require.NoError(t, err)
	run := func(command string) string {
		cmd := exec.CommandContext(t.Context(), "sh", "-c", command)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOPROXY=off", "GOWORK=off", "GOFLAGS=-short -mod=readonly -buildvcs=false")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s\n%s", command, out)
		return string(out)
	}

	// go.mod names what is used and nothing else, as `go mod tidy` has it.
	listed := strings.Fields(run(`go list -deps -test -f '{{with .Module}}{{.Path}}{{end}}' ./...`))
	slices.Sort(listed)
	needed := slices.DeleteFunc(slices.Compact(listed), func(module string) bool {
		return module == sdkModule || strings.HasPrefix(module, "example.com/")
	})
	assert.ElementsMatch(t, needed, slices.Concat(direct, indirect), "the lists direct and indirect are out of date")

	for _, imported := range strings.Fields(run(`go list -f '{{join .Imports "\n"}}' ./emulator`)) {
		assert.True(t, !strings.Contains(imported, ".") || imported == sdkModule+"/sdk/emulator", "the emulator imports %s: it may use the emulator kit alone", imported)
	}
	require.NoError(t, os.Symlink(root, filepath.Join(dir, ".unicrm"))) // what the CI file checks out
	for _, step := range ciSteps(t, files(t, dir)) {
		run(step)
	}
	out, err := exec.CommandContext(t.Context(), filepath.Join(dir, "unicrm-provider-zeta-7"), "describe").Output()
	require.NoError(t, err)
	assert.Contains(t, string(out), "zeta-7 0.1.0: Zoë's & Söhne")
}

func TestTheSDKsREADMEShowsTheTemplateAsItIs(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "sdk", "README.md"))
	require.NoError(t, err)
	var code strings.Builder
	for name, content := range files(t, templateSlug) {
		if strings.HasSuffix(name, ".go") {
			code.WriteString(content)
		}
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	require.NotEmpty(t, blocks)
	for _, block := range blocks {
		assert.Contains(t, code.String(), block[1], "what unicrm plugin new writes is otherwise")
	}
}
