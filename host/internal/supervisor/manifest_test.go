package supervisor

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/host/internal/unified"
)

// fill gives every field of a value something that depends on the seed.
func fill(value reflect.Value, seed int) {
	switch value.Kind() {
	case reflect.Pointer:
		value.Set(reflect.New(value.Type().Elem()))
		fill(value.Elem(), seed)
	case reflect.Struct:
		for i := range value.NumField() {
			fill(value.Field(i), seed)
		}
	case reflect.Slice:
		value.Set(reflect.MakeSlice(value.Type(), 2, 2))
		for i := range value.Len() {
			fill(value.Index(i), seed)
		}
	case reflect.String:
		value.SetString(strings.Repeat("x", seed))
	case reflect.Bool:
		value.SetBool(seed%2 == 0)
	case reflect.Uint8:
		value.SetUint(uint64('0' + seed))
	default:
		value.SetInt(int64(seed))
	}
}

// leaves calls visit for every value that has no parts, and for every list.
func leaves(value reflect.Value, visit func(reflect.Value)) {
	switch value.Kind() {
	case reflect.Pointer:
		leaves(value.Elem(), visit)
	case reflect.Struct:
		for i := range value.NumField() {
			leaves(value.Field(i), visit)
		}
	case reflect.Slice:
		visit(value)
		for i := range value.Len() {
			leaves(value.Index(i), visit)
		}
	default:
		visit(value)
	}
}

func TestEveryPartOfAManifestIsCompared(t *testing.T) {
	described, running := &unified.Manifest{}, &unified.Manifest{}
	fill(reflect.ValueOf(described).Elem(), 3)
	fill(reflect.ValueOf(running).Elem(), 3)
	require.Empty(t, manifestDifference(described, running))
	told := map[string]bool{}
	leaves(reflect.ValueOf(running), func(leaf reflect.Value) {
		was := reflect.New(leaf.Type()).Elem()
		was.Set(leaf)
		if leaf.Kind() == reflect.Slice {
			leaf.Set(leaf.Slice(0, 1))
		} else {
			fill(leaf, 4)
		}
		found := manifestDifference(described, running)
		assert.NotEmpty(t, found)
		assert.NotContains(t, found, "\n")
		told[strings.SplitN(found, " ", 2)[0]] = true
		leaf.Set(was)
	})
	for _, path := range []string{"slug", "sdk_version", "documentation_url", "allowed_hosts", "authentication[1].schema", "resources", "resources[0].id_pattern", "resources[1].methods[0].delete.repeat", "rate_limits[1].shared_by", "has_emulator"} {
		assert.True(t, told[path], "%s, of %v", path, told)
	}
}

func TestTheFirstDifferenceIsToldInOneSentence(t *testing.T) {
	manifest := func() *unified.Manifest {
		return &unified.Manifest{
			Slug: "acme", AllowedHosts: []string{"a.test"}, RateLimits: []unified.RateLimitHint{{Calls: 5, Window: time.Second}},
			Authentication: []unified.AuthenticationMethod{{Name: "api_key", Schema: []byte(`{"type":"object"}`)}},
			Resources:      []unified.Capabilities{{Resource: "contacts", Methods: []unified.MethodCapabilities{{Method: unified.Delete, Delete: &unified.DeleteSemantics{Kind: "soft"}}}}},
		}
	}
	for want, change := range map[string]func(m *unified.Manifest){
		`slug is "evil" in the running process, but the binary described it as "acme"`:                        func(m *unified.Manifest) { m.Slug = "evil"; m.HasEmulator = true },
		`allowed_hosts is [a.test evil.test] in the running process, but the binary described it as [a.test]`: func(m *unified.Manifest) { m.AllowedHosts = append(m.AllowedHosts, "evil.test") },
		`allowed_hosts is [] in the running process, but the binary described it as [a.test]`:                 func(m *unified.Manifest) { m.AllowedHosts = nil },
		`authentication[0].schema is {} in the running process, but the binary described it as {"type":"obj`:  func(m *unified.Manifest) { m.Authentication[0].Schema = []byte("{}") },
		`resources[0].methods[0].delete is absent in the running process, but the binary described it as {Ki`: func(m *unified.Manifest) { m.Resources[0].Methods[0].Delete = nil },
		`rate_limits[0].window is 2s in the running process, but the binary described it as 1s`:               func(m *unified.Manifest) { m.RateLimits[0].Window = 2 * time.Second },
		`display_name is "a\u0085b` + strings.Repeat("x", 191) + cutMark + ` in the running process`:          func(m *unified.Manifest) { m.DisplayName = "a\u0085b" + strings.Repeat("x", 100_000) },
	} {
		running := manifest()
		change(running)
		assert.Contains(t, manifestDifference(manifest(), running), want)
	}
	empty := manifest()
	empty.ProtocolVersions = []int{}
	assert.Empty(t, manifestDifference(manifest(), empty), "no list and an empty one are the same")
}
