package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/Masterminds/semver/v3"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/unicrm/unicrm/host/internal/supervisor"
	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/wire"
)

// Plugin is one installed version of a provider.
type Plugin struct {
	supervisor.Binary

	patterns map[string]*regexp.Regexp // of ids, by resource
	// schemas are compiled when they are first needed: most of what is
	// installed is not used.
	schemas func() (map[string]*jsonschema.Schema, error) // by authentication method
}

const (
	// maxResources and maxPattern bound what a manifest makes the host keep.
	maxResources = 100
	maxPattern   = 500
)

// slugPattern keeps slugs from being paths.
var slugPattern = regexp.MustCompile(wire.SlugPattern)

// checkName refuses what could not be a folder of a plugin directory.
func checkName(slug, version string) error {
	if !slugPattern.MatchString(slug) {
		return fmt.Errorf("the slug %.60q is not lower-case letters, digits and hyphens", slug)
	}
	if _, err := semver.StrictNewVersion(version); err != nil {
		return fmt.Errorf("the version %.60q is not semantic, as 1.2.3 is", version)
	}
	return nil
}

// newPlugin makes a plugin of its binary's place and its manifest.
func newPlugin(path, sum string, m *unified.Manifest) (*Plugin, error) {
	if err := checkName(m.Slug, m.Version); err != nil {
		return nil, err
	}
	if want := wire.BinaryPrefix + m.Slug; filepath.Base(path) != want {
		return nil, fmt.Errorf("it says that it is %q, so its file must be called %s", m.Slug, want)
	}
	for what, text := range map[string]string{"name": m.DisplayName, "SDK version": m.SDKVersion, "documentation's address": m.DocumentationURL} {
		if text != plain(text) || len(text) > 500 {
			return nil, fmt.Errorf("its %s holds control characters, or is longer than 500 bytes", what)
		}
	}
	if len(m.Resources) > maxResources || len(m.Authentication) > maxResources {
		return nil, fmt.Errorf("it has more than %d resources or authentication methods", maxResources)
	}
	p := &Plugin{
		Binary:   supervisor.Binary{Slug: m.Slug, Version: m.Version, Path: path, SHA256: sum, Manifest: m},
		patterns: map[string]*regexp.Regexp{},
	}
	p.schemas = sync.OnceValues(func() (map[string]*jsonschema.Schema, error) { return compileAll(m.Authentication) })
	for _, r := range m.Resources {
		if len(r.IDPattern) > maxPattern {
			return nil, fmt.Errorf("the id pattern of %.60q is longer than %d bytes", r.Resource, maxPattern)
		}
		pattern, err := regexp.Compile(`\A(?:` + r.IDPattern + `)\z`)
		if err != nil || r.IDPattern == "" {
			return nil, fmt.Errorf("the id pattern of %s: %q is not a regular expression", r.Resource, r.IDPattern)
		}
		p.patterns[r.Resource] = pattern
	}
	return p, nil
}

func compileAll(methods []unified.AuthenticationMethod) (map[string]*jsonschema.Schema, error) {
	schemas := map[string]*jsonschema.Schema{}
	for _, method := range methods {
		schema, err := compile(method.Schema)
		if err != nil {
			return nil, fmt.Errorf("the credentials schema of %s: %w", method.Name, err)
		}
		schemas[method.Name] = schema
	}
	return schemas, nil
}

func compile(schema []byte) (*jsonschema.Schema, error) {
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(noLoader{})
	if err := compiler.AddResource("credentials.json", document); err != nil {
		return nil, err
	}
	return compiler.Compile("credentials.json")
}

// noLoader keeps a schema from making the host read files or URLs.
type noLoader struct{}

func (noLoader) Load(url string) (any, error) {
	return nil, fmt.Errorf("a credentials schema must stand alone, without %s", url)
}

// schema gives the compiled schema of an authentication method.
func (p *Plugin) schema(method string) (*jsonschema.Schema, bool) {
	schemas, err := p.schemas()
	if err != nil { // it was checked when it was installed
		return nil, false
	}
	schema, ok := schemas[method]
	return schema, ok
}

// AcceptsID tells whether a record of the resource can have this id. Ids that
// would change a path are never accepted, whatever the plugin's pattern says.
func (p *Plugin) AcceptsID(resource, id string) bool {
	if id == "" || id == "." || id == ".." || strings.ContainsAny(id, "/?#% \t\r\n\v\f\\\x00") {
		return false
	}
	pattern, ok := p.patterns[resource]
	return ok && pattern.MatchString(id)
}

// ErrNoMethod means that credentials fit no authentication method, or more than one.
var ErrNoMethod = errors.New("the context fits no authentication method")

// MatchCredentials finds the authentication method that credentials fit: the
// named one or, without a name, the only one. The error's text names fields
// and rules, never values.
func (p *Plugin) MatchCredentials(method string, credentials json.RawMessage) (string, error) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(credentials))
	if err != nil {
		return "", fmt.Errorf("%w: it is not JSON", ErrNoMethod)
	}
	if method != "" {
		schema, ok := p.schema(method)
		if !ok {
			return "", fmt.Errorf("%w: %s has no method %q; it has %s", ErrNoMethod, p.Slug, method, strings.Join(p.methodNames(), ", "))
		}
		if err := schema.Validate(value); err != nil {
			return "", fmt.Errorf("%w: %s", ErrNoMethod, problemsOf(err))
		}
		return method, nil
	}
	var fits, complaints []string
	for _, name := range p.methodNames() {
		schema, ok := p.schema(name)
		if !ok {
			continue
		}
		if err := schema.Validate(value); err != nil {
			complaints = append(complaints, name+": "+problemsOf(err))
		} else {
			fits = append(fits, name)
		}
	}
	switch len(fits) {
	case 1:
		return fits[0], nil
	case 0:
		return "", fmt.Errorf("%w (%s)", ErrNoMethod, strings.Join(complaints, "; "))
	default:
		return "", fmt.Errorf("the context fits several authentication methods; name one in authentication_method: %s", strings.Join(fits, ", "))
	}
}

func (p *Plugin) methodNames() []string {
	var names []string
	for _, method := range p.Manifest.Authentication {
		names = append(names, method.Name)
	}
	return names
}

// Secret tells whether a top-level key of a context is to be kept from readers:
// every key that some schema does not declare as readable.
func (p *Plugin) Secret(method, key string) bool {
	schema, ok := p.schema(method)
	if !ok {
		return true
	}
	property, ok := schema.Properties[key]
	return !ok || property.WriteOnly || len(property.Properties) > 0
}
