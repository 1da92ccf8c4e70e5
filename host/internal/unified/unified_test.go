package unified

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	crmv1 "github.com/unicrm/unicrm/proto/unicrm/crm/v1"
)

func contacts(t *testing.T) *Schema {
	t.Helper()
	s, ok := SchemaOf("contacts")
	require.True(t, ok)
	return s
}

func TestTheSchemaHasEveryFieldOfTheContract(t *testing.T) {
	var names []string
	for _, f := range contacts(t).Fields {
		names = append(names, f.Name)
	}
	assert.Equal(t, []string{
		"id", "first_name", "last_name", "name", "title", "account", "owner", "addresses", "email_addresses", "phone_numbers",
		"urls", "tags", "custom_fields", "last_activity_at", "created_at", "updated_at", "etag", "remote_data",
	}, names)
	for path, want := range map[string][]string{
		"account": {"id", "name"}, "owner": {"id"}, "tags": {"id", "name"}, "urls": {"url", "type"},
		"addresses":       {"id", "street_1", "street_2", "city", "state", "postal_code", "country", "type"},
		"email_addresses": {"id", "email", "type"}, "phone_numbers": {"id", "number", "extension", "type"},
	} {
		f, _ := contacts(t).Field(path)
		var got []string
		for _, inner := range f.Fields {
			got = append(got, inner.Name)
		}
		assert.Equal(t, want, got, path)
	}
}

func paths(all ...string) Paths {
	p := Paths{}
	for _, path := range all {
		p.Add(path)
	}
	return p
}

func TestMembersAreLeftOutOfVendorJSONAtAnyDepthAndNothingElseChanges(t *testing.T) {
	for _, c := range []struct{ raw, exclude, want string }{
		{`{"a":1,"b":{"a":2,"c":[{"a":3}]},"a\"x":"}"}`, "a", `{"b":{"a":2,"c":[{"a":3}]},"a\"x":"}"}`},
		{`{"b":{"a":2,"c":[1,"]"],"d":{}}}`, "b.a", `{"b":{"c":[1,"]"],"d":{}}}`},
		{`{"b":{"a":2,"c":3}}`, "b.c", `{"b":{"a":2}}`},
		{`{"b":[{"a":1}],"c":null}`, "b.a", `{"b":[{"a":1}],"c":null}`},
		{`{"b":{},"c":{"x":"\\"},"d":-1.50e+9}`, "c.x", `{"b":{},"c":{},"d":-1.50e+9}`},
		{`{"\u0061":1,"b":2}`, "a", `{"b":2}`},
		{`{"a":1}`, "a", `{}`},
	} {
		got := contacts(t).Render(nil, Record{"custom_fields": json.RawMessage(c.raw)}, View{Format: Unified, Exclude: paths("custom_fields." + c.exclude)})
		assert.Equal(t, `{"custom_fields":`+c.want+`}`, string(got), "%s without %s", c.raw, c.exclude)
	}
}

func TestLeavingOutCostsNoMoreThanTheAnswerHoweverDeepItIs(t *testing.T) {
	const depth, size = 800, 1 << 20
	raw := strings.Repeat(`{"a":`, depth) + `"` + strings.Repeat("x", size) + `"` + strings.Repeat("}", depth)
	path := "custom_fields" + strings.Repeat(".a", depth-1) + ".b"
	record := Record{"custom_fields": json.RawMessage(raw)}
	allocated := testing.Benchmark(func(b *testing.B) {
		for b.Loop() {
			contacts(t).Render(nil, record, View{Format: Unified, Exclude: paths(path)})
		}
	}).AllocedBytesPerOp()
	assert.Less(t, allocated, int64(16*size), "bytes for one rendering of %d", size)
}

var sample = Record{
	"id": "7", "first_name": "Ada", "name": "Ada </b> & \u2028 Quill",
	"account":         Record{"id": "9"},
	"addresses":       []Record{{"country": "Norway", "city": "Bergen"}, {"country": "Atlantis"}},
	"email_addresses": []Record{{"email": " Ada.Q@EXAMPLE.com "}, {"email": "odd"}},
	"phone_numbers":   []Record{{"number": "+44 (0)20 7946 0000"}, {"number": "555 0100"}},
	"custom_fields":   json.RawMessage("{\"b\": null, \"a\" : 1.50, \"x\":{\"y\":1,\"z\":2}}"),
	"created_at":      time.Date(2024, 3, 5, 10, 10, 11, 120_000_000, time.FixedZone("", 3600)),
	"remote_data":     json.RawMessage("{\n \"id\": 9007199254740993, \"f\": 1e2}"),
}

func TestFormats(t *testing.T) {
	returned := []string{"id", "first_name", "last_name", "name", "account", "addresses.city", "addresses.country", "email_addresses.email", "phone_numbers", "tags.name", "custom_fields", "last_activity_at", "created_at", "remote_data"}
	cases := []struct {
		name string
		view View
		want string
	}{
		{
			"unified gives what the provider can fill, empty ones as null or []",
			View{Format: Unified, Returned: returned},
			`{"id":"7","first_name":"Ada","last_name":null,"name":"Ada </b> & \u2028 Quill","account":{"id":"9","name":null},"addresses":[{"city":"Bergen","country":"Norway"},{"city":null,"country":"Atlantis"}],"email_addresses":[{"email":" Ada.Q@EXAMPLE.com "},{"email":"odd"}],"phone_numbers":[{"id":null,"number":"+44 (0)20 7946 0000","extension":null,"type":null},{"id":null,"number":"555 0100","extension":null,"type":null}],"tags":[],"custom_fields":{"b":null,"a":1.50,"x":{"y":1,"z":2}},"last_activity_at":null,"created_at":"2024-03-05T09:10:11.12Z","remote_data":{"id":9007199254740993,"f":1e2}}`,
		},
		{
			"excluded fields are left out, nested ones too",
			View{Format: Unified, Returned: []string{"id"}, Exclude: paths("addresses", "phone_numbers", "email_addresses", "name", "account.id", "custom_fields.x.y", "custom_fields.b", "remote_data")},
			`{"id":"7","first_name":"Ada","account":{},"custom_fields":{"a":1.50,"x":{"z":2}},"created_at":"2024-03-05T09:10:11.12Z"}`,
		},
		{
			"only what is given, as for a delete",
			View{Format: Unified, Returned: returned, OnlyGiven: true, Exclude: paths("addresses", "phone_numbers", "email_addresses", "name", "custom_fields", "created_at")},
			`{"id":"7","first_name":"Ada","account":{"id":"9"},"remote_data":{"id":9007199254740993,"f":1e2}}`,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, string(contacts(t).Render(nil, sample, c.view)))
		})
	}
}

func TestNormalizedHasEveryFieldAndCanonicalValues(t *testing.T) {
	var got map[string]any
	require.NoError(t, json.Unmarshal(contacts(t).Render(nil, sample, View{Format: Normalized}), &got))
	for _, f := range contacts(t).Fields {
		assert.Contains(t, got, f.Name)
	}
	address := got["addresses"].([]any)[0].(map[string]any)
	assert.Equal(t, "NO", address["country"])
	assert.Contains(t, address, "street_2")
	assert.Equal(t, "Atlantis", got["addresses"].([]any)[1].(map[string]any)["country"], "what is not recognised stays")
	assert.Equal(t, "Ada.Q@example.com", got["email_addresses"].([]any)[0].(map[string]any)["email"])
	assert.Equal(t, "+442079460000", got["phone_numbers"].([]any)[0].(map[string]any)["number"])
	assert.Equal(t, "555 0100", got["phone_numbers"].([]any)[1].(map[string]any)["number"], "without a country code nothing is guessed")
	assert.Equal(t, []any{}, got["tags"])
	assert.Nil(t, got["owner"])
}

func TestCountriesAndPhonesAreNormalizedOnlyWhereTheyAreUnderstood(t *testing.T) {
	for text, want := range map[string]string{"Norway": "NO", "norway": "NO", "NO": "NO", "NOR": "NO", "United States": "US", "USA": "US", "GB": "GB", "United Kingdom": "GB", "somewhere": "somewhere", "": "", "Ireland": "IE"} {
		assert.Equal(t, want, normalize(crmv1.Format_FORMAT_COUNTRY, text), "country %q", text)
	}
	for text, want := range map[string]string{"+1 202 555 0100": "+12025550100", "0047 22 22 22 22": "0047 22 22 22 22", "call me": "call me", "+999999": "+999999", "": ""} {
		assert.Equal(t, want, normalize(crmv1.Format_FORMAT_PHONE, text), "phone %q", text)
	}
}

// TestRemoteDataComesOutWithTheSameTokens is the property that vendor data is
// never decoded and encoded on its way: whatever JSON goes in, the same tokens
// and digits come out, in the same order.
func TestRemoteDataComesOutWithTheSameTokens(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	for range 2000 {
		raw := randomJSON(random, 0)
		out := contacts(t).Render(nil, Record{"id": "1", "remote_data": json.RawMessage(raw)}, View{Format: Unified})
		var got struct {
			RemoteData json.RawMessage `json:"remote_data"`
		}
		require.NoError(t, json.Unmarshal(out, &got), "%s", raw)
		require.Equal(t, tokens(t, []byte(raw)), tokens(t, got.RemoteData), "%s", raw)
	}
}

func FuzzRenderedRecordsAreValidJSON(f *testing.F) {
	f.Add("a", `{"x":1}`, "custom_fields.x")
	f.Add("\xff\u2028", `not json`, "remote_data")
	f.Fuzz(func(t *testing.T, text, raw, exclude string) {
		record := Record{"id": text, "name": text, "custom_fields": json.RawMessage(raw), "remote_data": json.RawMessage(raw), "email_addresses": []Record{{"email": text}}, "phone_numbers": []Record{{"number": text}}, "addresses": []Record{{"country": text}}}
		for _, format := range []Format{Unified, Normalized} {
			out := contacts(t).Render(nil, record, View{Format: format, Exclude: paths(exclude)})
			if !json.Valid(out) {
				t.Fatalf("not JSON: %q", out)
			}
		}
	})
}

// tokens splits JSON into its tokens with their exact spelling.
func tokens(t *testing.T, raw []byte) string {
	t.Helper()
	var compact bytes.Buffer
	require.NoError(t, json.Compact(&compact, raw))
	return compact.String()
}

func randomJSON(r *rand.Rand, depth int) string {
	space := strings.Repeat(" ", r.IntN(3)) + strings.Repeat("\n", r.IntN(2))
	kind := r.IntN(8)
	if depth > 4 {
		kind = r.IntN(6)
	}
	switch kind {
	case 0:
		return "null" + space
	case 1:
		return "true" + space
	case 2:
		return strconv.FormatUint(r.Uint64(), 10) + space
	case 3:
		return fmt.Sprintf("-%d.%d0e+%02d", r.IntN(1000), r.IntN(1000), r.IntN(20))
	case 4:
		return `"` + []string{`\u003c`, `</script>`, `é`, `\/`, `\ud83d\ude00`, "\u2028", `\"`, `%5B`}[r.IntN(8)] + `"`
	case 5:
		return "0.10" + space
	case 6:
		var items []string
		for range r.IntN(4) {
			items = append(items, space+randomJSON(r, depth+1))
		}
		return "[" + strings.Join(items, ",") + "]"
	default:
		var members []string
		for i := range r.IntN(4) {
			members = append(members, fmt.Sprintf("%s\"k%d\"%s:%s", space, 9-i, space, randomJSON(r, depth+1)))
		}
		return "{" + strings.Join(members, ",") + "}"
	}
}
