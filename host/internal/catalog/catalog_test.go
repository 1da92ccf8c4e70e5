package catalog

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/host/internal/unified"
)

func plugin(t *testing.T, schemas map[string]string) *Plugin {
	t.Helper()
	m := &unified.Manifest{Slug: "acme", Version: "1.0.0", Resources: []unified.Capabilities{{Resource: "contacts", IDPattern: `[^x]+|a b`}}}
	for name, schema := range schemas {
		m.Authentication = append(m.Authentication, unified.AuthenticationMethod{Name: name, Schema: []byte(schema)})
	}
	p, err := checked("/somewhere/unicrm-provider-acme", m)
	require.NoError(t, err)
	return p
}

// checked is newPlugin with all that an installation checks.
func checked(path string, m *unified.Manifest) (*Plugin, error) {
	p, err := newPlugin(path, "", m)
	if err != nil {
		return nil, err
	}
	_, err = p.schemas()
	return p, err
}

const (
	keySchema  = `{"type":"object","properties":{"key":{"type":"string","pattern":"^[a-z]+$","writeOnly":true},"region":{"enum":["eu","us"]}},"required":["key"],"additionalProperties":false}`
	pairSchema = `{"type":"object","properties":{"id":{"type":"string"},"secret":{"type":"string","minLength":8,"writeOnly":true}},"required":["id","secret"],"additionalProperties":false}`
)

func TestCredentialsFindTheirMethod(t *testing.T) {
	p := plugin(t, map[string]string{"key": keySchema, "pair": pairSchema})
	method, err := p.MatchCredentials("", json.RawMessage(`{"key":"abc"}`))
	require.NoError(t, err)
	assert.Equal(t, "key", method)
	method, err = p.MatchCredentials("pair", json.RawMessage(`{"id":"1","secret":"12345678"}`))
	require.NoError(t, err)
	assert.Equal(t, "pair", method)
	_, err = p.MatchCredentials("key", json.RawMessage(`{"id":"1","secret":"12345678"}`))
	assert.ErrorIs(t, err, ErrNoMethod)

	both := plugin(t, map[string]string{"a": `{"type":"object"}`, "b": `{"type":"object"}`})
	_, err = both.MatchCredentials("", json.RawMessage(`{}`))
	assert.ErrorContains(t, err, "name one in authentication_method")
}

func TestComplaintsAboutCredentialsNeverQuoteThem(t *testing.T) {
	p := plugin(t, map[string]string{"key": keySchema, "pair": pairSchema})
	for _, credentials := range []string{`{"key":"SECRET"}`, `{"key":7,"region":"SECRET"}`, `{"id":"SECRET","secret":"SECRET"}`, `"SECRET"`, `{"key":{"a":"SECRET"}}`, `["SECRET"]`} {
		_, err := p.MatchCredentials("", json.RawMessage(credentials))
		require.ErrorIs(t, err, ErrNoMethod, credentials)
		assert.NotContains(t, err.Error(), "SECRET", credentials)
	}
}

func TestOnlyDeclaredReadableKeysAreShown(t *testing.T) {
	p := plugin(t, map[string]string{"key": keySchema})
	assert.True(t, p.Secret("key", "key"))
	assert.True(t, p.Secret("key", "unheard_of"))
	assert.True(t, p.Secret("unheard_of", "region"))
	assert.False(t, p.Secret("key", "region"))
}

func TestIDsThatWouldChangeAPathAreNeverAccepted(t *testing.T) {
	p := plugin(t, map[string]string{"key": keySchema})
	for _, id := range []string{"", ".", "..", "a/b", `a\b`, "a?b", "a#b", "a%2f", "a b", "a\nb", "a\x00", "x"} {
		assert.False(t, p.AcceptsID("contacts", id), "%q", id)
	}
	assert.True(t, p.AcceptsID("contacts", "12-ab_.é"))
	assert.False(t, p.AcceptsID("leads", "1"))
}

func TestAManifestThatCannotBeRightIsRefused(t *testing.T) {
	base := func() *unified.Manifest {
		return &unified.Manifest{Slug: "acme", Version: "1.0.0", Authentication: []unified.AuthenticationMethod{{Name: "key", Schema: []byte(keySchema)}}}
	}
	for name, change := range map[string]func(*unified.Manifest){
		"another slug than the file": func(m *unified.Manifest) { m.Slug = "other" },
		"a slug that is a path":      func(m *unified.Manifest) { m.Slug = "../acme" },
		"a schema that is not JSON":  func(m *unified.Manifest) { m.Authentication[0].Schema = []byte("{") },
		"a schema that reads a file": func(m *unified.Manifest) { m.Authentication[0].Schema = []byte(`{"$ref":"file:///etc/passwd"}`) },
		"a schema that fetches":      func(m *unified.Manifest) { m.Authentication[0].Schema = []byte(`{"$ref":"http://example.test/"}`) },
		"an id pattern that is none": func(m *unified.Manifest) {
			m.Resources = []unified.Capabilities{{Resource: "contacts", IDPattern: "("}}
		},
		"no id pattern":            func(m *unified.Manifest) { m.Resources = []unified.Capabilities{{Resource: "contacts"}} },
		"a version that is a path": func(m *unified.Manifest) { m.Version = "../1" },
	} {
		m := base()
		change(m)
		_, err := checked("/somewhere/unicrm-provider-acme", m)
		assert.Error(t, err, name)
	}
}
