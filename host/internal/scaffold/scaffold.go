// Package scaffold writes the module that an author begins a provider with:
// what is in the folder acme, under the author's names. That is a provider like
// those in plugins/, for a vendor that does not exist; it is built, linted and
// tested here as it is.
package scaffold

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/unicrm/unicrm/sdk/wire"
)

//go:embed all:acme
var template embed.FS

// What the template calls itself, and nothing else: each is replaced wherever it
// stands.
const (
	templateModule = sdkModule + "/host/internal/scaffold/acme"
	templateName   = "Acme CRM"
	templateSlug   = "acme"
)

// sdkModule is the module that the SDK is in.
const sdkModule = "github.com/unicrm/unicrm"

// goVersion is the least that the SDK needs.
const goVersion = "1.26.0"

// Options say what to write and where.
type Options struct {
	// Slug names the provider: lower-case letters, digits and hyphens.
	Slug string
	// Module is the path of the new module; example.com/unicrm-provider-<slug>
	// when empty.
	Module string
	// DisplayName is the vendor's name for people; made of the slug when empty.
	DisplayName string
	// Dir is where to write; ./unicrm-provider-<slug> when empty. It may exist
	// when nothing is in it.
	Dir string
	// SDKPath is a checkout of unicrm to take the SDK from. Empty means the
	// published SDK. A relative path is written relative to the new module.
	SDKPath string
	// SDKVersion is the SDK's version to require, such as v0.1.0.
	SDKVersion string
}

var (
	slugPattern    = regexp.MustCompile(wire.SlugPattern)
	modulePattern  = regexp.MustCompile(`^[a-z0-9-]+(\.[a-z0-9-]+)+(/[A-Za-z0-9_-][A-Za-z0-9._~-]*)+$`)
	versionPattern = regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)
)

// complete checks the options and fills in what was left out.
func (o *Options) complete() error {
	if !slugPattern.MatchString(o.Slug) || len(o.Slug) > 40 {
		return fmt.Errorf("the slug %q is not lower-case letters and digits, with single hyphens between, and 40 at most: such as acme or acme-crm", o.Slug)
	}
	if o.Module == "" {
		o.Module = "example.com/unicrm-provider-" + o.Slug
	}
	if !modulePattern.MatchString(o.Module) || strings.HasPrefix(o.Module, sdkModule+"/") {
		return fmt.Errorf("%q is not a path for a module of yours: it begins with a domain, such as example.com/unicrm-provider-%s", o.Module, o.Slug)
	}
	if o.DisplayName == "" {
		for word := range strings.SplitSeq(o.Slug, "-") {
			o.DisplayName += " " + strings.ToUpper(word[:1]) + word[1:]
		}
	}
	o.DisplayName = strings.TrimSpace(o.DisplayName)
	// It goes into Go strings and into Markdown as it is.
	odd := func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune("\"\\`|<>%", r) }
	if o.DisplayName == "" || len(o.DisplayName) > 80 || strings.ContainsFunc(o.DisplayName, odd) {
		return fmt.Errorf("the name %q is not a line of at most 80 bytes without quotes, backslashes, bars, percent signs and angle brackets", o.DisplayName)
	}
	if o.Dir == "" {
		o.Dir = "unicrm-provider-" + o.Slug
	}
	if !versionPattern.MatchString(o.SDKVersion) {
		return fmt.Errorf("the SDK's version %q is not one such as v0.1.0", o.SDKVersion)
	}
	return nil
}

// Write writes the module, whole or not at all, and tells the files, relative
// to its folder. An error is a sentence for people, and then nothing was
// written.
func Write(o Options) (files []string, err error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	dir, exists, err := place(o.Dir)
	if err != nil {
		return nil, err
	}
	contents, err := o.render(dir)
	if err != nil {
		return nil, err
	}
	// In a folder beside or, where that one is there already, inside the place:
	// what is on the same file system can be moved at once.
	beside := filepath.Dir(dir)
	if exists {
		beside = dir
	}
	stage, err := os.MkdirTemp(beside, ".unicrm-new-*")
	if err != nil {
		return nil, fmt.Errorf("write into %s: %w", beside, err)
	}
	defer os.RemoveAll(stage)
	module := filepath.Join(stage, "module")
	for name, content := range contents {
		path := filepath.Join(module, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // an author's folder, like any that mkdir makes
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
		files = append(files, name)
	}
	slices.Sort(files)
	if !exists {
		err = os.Rename(module, dir)
	} else {
		err = moveInto(module, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("put the module into its place: %w", err)
	}
	return files, nil
}

// place checks the target and tells its absolute path and whether it exists.
func place(target string) (dir string, exists bool, err error) {
	dir, err = filepath.Abs(target)
	if err != nil {
		return "", false, err
	}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if info, err := os.Stat(filepath.Dir(dir)); err != nil || !info.IsDir() {
			return "", false, fmt.Errorf("%s cannot be made: there is no folder %s", target, filepath.Dir(dir))
		}
		if _, err := os.Lstat(dir); err == nil {
			return "", false, fmt.Errorf("%s is a link that leads nowhere", target)
		}
	case err != nil:
		return "", false, fmt.Errorf("%s is there and is not a folder that can be written to: %w", target, err)
	case len(entries) > 0:
		return "", false, fmt.Errorf("%s is there and not empty; choose another folder with --dir", target)
	default:
		exists = true
	}
	folder := dir
	if !exists {
		folder = filepath.Dir(dir)
	}
	if folder, err = filepath.EvalSymlinks(folder); err != nil {
		return "", false, err
	}
	for parent := ""; parent != folder; folder, parent = filepath.Dir(folder), folder {
		if _, ok := readSDKModule(folder); ok {
			return "", false, fmt.Errorf("%s lies inside unicrm's own repository, %s; a provider of yours is a module of its own, so choose a folder outside it with --dir", target, folder)
		}
	}
	return dir, exists, nil
}

// moveInto moves what is in one folder into another, all or nothing.
func moveInto(from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for i, entry := range entries {
		if err := os.Rename(filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())); err != nil {
			for _, moved := range entries[:i] {
				_ = os.RemoveAll(filepath.Join(to, moved.Name()))
			}
			return err
		}
	}
	return nil
}

// replaceSteps are the steps of the CI file that a module with a published SDK
// does not need.
var replaceSteps = regexp.MustCompile(`(?s) *# replace: .*# end of replace\n`)

// render gives the content of each file by its slash path.
func (o *Options) render(dir string) (map[string]string, error) {
	contents := map[string]string{}
	names := strings.NewReplacer(templateModule, o.Module, templateName, o.DisplayName, templateSlug, o.Slug)
	err := fs.WalkDir(template, templateSlug, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := template.ReadFile(path)
		contents[strings.TrimPrefix(path, templateSlug+"/")] = names.Replace(string(data))
		return err
	})
	if err != nil {
		return nil, err
	}
	const ci = ".github/workflows/ci.yml"
	if o.SDKPath == "" {
		contents["go.mod"] = o.goMod(goVersion, nil, "")
		contents[ci] = replaceSteps.ReplaceAllString(contents[ci], "")
		return contents, nil
	}
	module, ok := readSDKModule(o.SDKPath)
	if !ok {
		return nil, fmt.Errorf("--sdk %s is not a checkout of unicrm: there is no go.mod in it that says module %s", o.SDKPath, sdkModule)
	}
	sums, err := os.ReadFile(filepath.Join(o.SDKPath, "go.sum"))
	if err != nil {
		return nil, fmt.Errorf("--sdk %s is not a whole checkout of unicrm: %w", o.SDKPath, err)
	}
	replacement, err := replacementFor(dir, o.SDKPath)
	if err != nil {
		return nil, err
	}
	contents["go.mod"] = o.goMod(module.goVersion, module.versions, replacement)
	// More than the module needs, which is no harm: go mod tidy drops the rest.
	contents["go.sum"] = string(sums)
	return contents, nil
}

// sdkGoMod is what a checkout's go.mod says.
type sdkGoMod struct {
	goVersion string
	versions  map[string]string // by module
}

var (
	moduleLine  = regexp.MustCompile(`(?m)^module\s+"?` + regexp.QuoteMeta(sdkModule) + `"?\s*(?://.*)?$`)
	goLine      = regexp.MustCompile(`(?m)^go\s+(\S+)`)
	requireLine = regexp.MustCompile(`(?m)^(?:require)?\s+(\S+)\s+(v\S+)`)
)

// readSDKModule reads the go.mod of a folder; not ok when it is not unicrm's.
func readSDKModule(dir string) (sdkGoMod, bool) {
	data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil || !moduleLine.Match(data) {
		return sdkGoMod{}, false
	}
	m := sdkGoMod{goVersion: goVersion, versions: map[string]string{}}
	if version := goLine.FindSubmatch(data); version != nil {
		m.goVersion = string(version[1])
	}
	for _, require := range requireLine.FindAllSubmatch(data, -1) {
		m.versions[string(require[1])] = string(require[2])
	}
	return m, true
}

// The modules that the new one needs beside the SDK's: those that it imports,
// and those that come with them. They stand in go.mod as `go mod tidy` would
// have it; a test holds them to that.
var (
	direct   = []string{"github.com/stretchr/testify"}
	indirect = []string{
		"github.com/Masterminds/semver/v3",
		"github.com/fatih/color",
		"github.com/golang/protobuf",
		"github.com/hashicorp/go-hclog",
		"github.com/hashicorp/go-plugin",
		"github.com/hashicorp/yamux",
		"github.com/mattn/go-colorable",
		"github.com/mattn/go-isatty",
		"github.com/oklog/run",
		"github.com/santhosh-tekuri/jsonschema/v6",
		"go.yaml.in/yaml/v3",
		"golang.org/x/net",
		"golang.org/x/sys",
		"golang.org/x/text",
		"golang.org/x/time",
		"google.golang.org/genproto/googleapis/rpc",
		"google.golang.org/grpc",
		"google.golang.org/protobuf",
		"pgregory.net/rapid",
	}
)

// goMod writes go.mod. Without versions it names the SDK alone, and `go mod
// tidy` does the rest; with them the module builds as it is.
func (o *Options) goMod(goVersion string, versions map[string]string, replacement string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "module %s\n\ngo %s\n", o.Module, goVersion)
	require := func(modules []string, comment string) {
		fmt.Fprintf(&b, "\nrequire (\n")
		for _, module := range modules {
			if version := versions[module]; version != "" {
				fmt.Fprintf(&b, "\t%s %s%s\n", module, version, comment)
			}
		}
		fmt.Fprintf(&b, ")\n")
	}
	if versions == nil {
		fmt.Fprintf(&b, "\nrequire %s %s\n", sdkModule, o.SDKVersion)
		return b.String()
	}
	versions[sdkModule] = o.SDKVersion
	require(append(slices.Clone(direct), sdkModule), "")
	require(indirect, " // indirect")
	fmt.Fprintf(&b, "\nreplace %s => %s\n", sdkModule, replacement)
	return b.String()
}

// plainPath is what go.mod takes without quotes.
var plainPath = regexp.MustCompile(`^[A-Za-z0-9._/~+@-]+$`)

// replacementFor writes the path of the SDK as go.mod wants it: an absolute one
// as it is, a relative one relative to the module.
func replacementFor(dir, sdk string) (string, error) {
	path := filepath.Clean(sdk)
	if !filepath.IsAbs(path) {
		absolute, err := filepath.Abs(path)
		if err != nil {
			return "", err
		}
		if path, err = filepath.Rel(dir, absolute); err != nil {
			return "", err
		}
	}
	if !plainPath.MatchString(path) {
		path = strconv.Quote(path)
	}
	return path, nil
}
