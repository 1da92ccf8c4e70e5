package unified

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	crmv1 "github.com/unicrm/unicrm/proto/unicrm/crm/v1"
)

func TestABodyStatesWhatToWriteAndWhatToEmpty(t *testing.T) {
	for _, c := range []struct {
		name, body string
		record     Record
		empties    []string
	}{
		{"a text", `{"first_name":"Ada"}`, Record{"first_name": "Ada"}, nil},
		{"an empty text is a value", `{"first_name":""}`, Record{"first_name": ""}, nil},
		{"a null", `{"first_name":null}`, Record{}, []string{"first_name"}},
		{"an empty list", `{"tags":[]}`, Record{}, []string{"tags"}},
		{"an object of nulls", `{"account":{"id":null,"name":null}}`, Record{}, []string{"account"}},
		{"an object with one null", `{"account":{"id":"1","name":null}}`, Record{"account": Record{"id": "1"}}, nil},
		{"a null in a list's item is absent", `{"urls":[{"url":"a","type":null}]}`, Record{"urls": []Record{{"url": "a"}}}, nil},
		{"a null among custom fields travels", `{"custom_fields":{"a":null}}`, Record{"custom_fields": json.RawMessage(`{"a":null}`)}, nil},
		{"digits of custom fields are kept", `{"custom_fields":{"a": 1.50e3, "b":9007199254740993}}`, Record{"custom_fields": json.RawMessage(`{"a": 1.50e3, "b":9007199254740993}`)}, nil},
		{"no custom fields are nothing", `{"custom_fields":{ },"remote_data":{},"first_name":"a"}`, Record{"first_name": "a"}, nil},
		{"custom_fields can be emptied", `{"custom_fields":null}`, Record{}, []string{"custom_fields"}},
		{"remote_data is no field of the vendor's", `{"remote_data":null}`, Record{}, nil},
		{"a time in another zone", `{"created_at":"2024-05-01T12:00:00+02:00"}`, Record{"created_at": time.Date(2024, 5, 1, 10, 0, 0, 0, time.UTC)}, nil},
		{"escapes", `{"first_name":"\u00e9\ud83d\ude00\ufffd�"}`, Record{"first_name": "é😀\uFFFD\uFFFD"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			body, problems := contacts(t).ReadBody([]byte(c.body), true)
			require.Empty(t, problems)
			if at, ok := body.Record["created_at"].(time.Time); ok {
				body.Record["created_at"] = at.UTC()
			}
			assert.Equal(t, c.record, body.Record)
			assert.Equal(t, c.empties, body.Clear)
			created, problems := contacts(t).ReadBody([]byte(c.body), false)
			require.Empty(t, problems)
			assert.Empty(t, created.Clear, "nothing is emptied where there is nothing yet")
			assert.Equal(t, len(c.record), len(created.Record))
		})
	}
}

func TestAProblemNamesItsPlaceAndNeverAValue(t *testing.T) {
	for body, path := range map[string]string{
		`{"first_name":["SECRET"]}`: "first_name", `{"account":"SECRET"}`: "account", `{"account":{"id":{"a":"SECRET"}}}`: "account.id", `{"tags":{"a":"SECRET"}}`: "tags",
		`{"tags":["SECRET"]}`: "tags[0]", `{"tags":[{"name":"a"},{"name":true}]}`: "tags[1].name", `{"created_at":"SECRET"}`: "created_at", `{"created_at":"0000-01-01T00:00:00Z"}`: "created_at",
		`{"custom_fields":"SECRET"}`: "custom_fields", `{"remote_data":[1]}`: "remote_data", `{"etag":1}`: "etag", `{"etag":""}`: "etag", `{"tags":[{}]}`: "tags[0]", `{"account":{}}`: "account",
		`{"first_name":"\udc00"}`: "first_name", `{"custom_fields":{"a":{"b":1,"b":2}}}`: "custom_fields.a.b", `{"tags":[{"id":"1"},{"id":"1","id":"2"}]}`: "tags[1].id",
		`"SECRET"`: WholeBody, `{"SECRET`: WholeBody, ``: WholeBody,
	} {
		_, problems := contacts(t).ReadBody([]byte(body), true)
		require.Len(t, problems, 1, body)
		assert.Equal(t, path, problems[0].Path, body)
		assert.NotContains(t, problems[0].Description, "SECRET")
		assert.NotEmpty(t, problems[0].Description)
	}
	_, problems := contacts(t).ReadBody([]byte(`{"`+strings.Repeat("x", 1000)+`":1}`), true)
	assert.Less(t, len(problems[0].Path), 250)
}

func TestADeepBodyCostsNoMoreThanItsLength(t *testing.T) {
	deep := `{"custom_fields":` + strings.Repeat(`{"a":`, 9000) + `1` + strings.Repeat(`}`, 9000) + `}`
	began := time.Now()
	_, problems := contacts(t).ReadBody([]byte(deep), true)
	assert.Empty(t, problems)
	assert.Less(t, time.Since(began), 2*time.Second)
	_, problems = contacts(t).ReadBody([]byte(strings.Repeat(`{"account":`, 20_000)), true)
	assert.Len(t, problems, 1)
}

func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{"first_name":"a","account":{"id":null}}`, `{"email_addresses":[{"email":"a"},{}]}`, `{"custom_fields":{"a":[1,{"b":null,"b":1}]},"remote_data":null}`,
		`{"created_at":"2024-01-01T00:00:00Z","etag":"x"}`, `{"a":{"b":`, `[]`, "{\"first_name\":\"\\ud800\"}",
	} {
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, data []byte, clears bool) {
		schema, _ := SchemaOf("contacts")
		body, problems := schema.ReadBody(data, clears)
		for _, p := range problems {
			if p.Path == "" || p.Description == "" {
				t.Fatalf("a problem without a place or words: %+v", p)
			}
		}
		if len(problems) > 0 {
			return
		}
		if !json.Valid(data) {
			t.Fatalf("taken though no JSON: %q", data)
		}
		// What is taken fits the protocol, and comes back as it was given.
		message := (&crmv1.Contact{}).ProtoReflect()
		if err := body.Record.Fill(message); err != nil {
			t.Fatal(err)
		}
		out := schema.Render(nil, RecordOf(message), View{OnlyGiven: true})
		again, problems := schema.ReadBody(out, false)
		if len(problems) > 0 {
			t.Fatalf("%q became %q: %v", data, out, problems)
		}
		if want := schema.Render(nil, again.Record, View{OnlyGiven: true}); !bytes.Equal(want, out) {
			t.Fatalf("%q became %q and then %q", data, out, want)
		}
		for _, name := range body.Clear {
			if _, both := body.Record[name]; both || !clears {
				t.Fatalf("%s is emptied", name)
			}
		}
		fitted := schema.Fit(body, []string{"first_name", "email_addresses.email", "custom_fields"})
		for name := range fitted.Record {
			if !slices.Contains([]string{"first_name", "email_addresses", "custom_fields"}, name) {
				t.Fatalf("%s is left to be written", name)
			}
		}
	})
}

func TestFillIsTheInverseOfReading(t *testing.T) {
	record := Record{
		"first_name": "Ada", "account": Record{"id": "1"}, "email_addresses": []Record{{"email": "a"}, {"email": "b", "type": "work"}},
		"created_at": time.Date(2024, 1, 2, 3, 4, 5, 6000, time.UTC), "custom_fields": json.RawMessage(`{"a": 1.50}`),
	}
	message := (&crmv1.Contact{}).ProtoReflect()
	require.NoError(t, record.Fill(message))
	assert.Equal(t, record, RecordOf(message))
	for _, wrong := range []Record{{"nonsense": "x"}, {"first_name": 1.5}, {"account": "x"}, {"account": []Record{}}, {"tags": Record{}}, {"tags": "x"}, {"created_at": "x"}, {"first_name": json.RawMessage("{}")}, {"first_name": true}, {"first_name": time.Time{}}} {
		assert.Error(t, wrong.Fill((&crmv1.Contact{}).ProtoReflect()), "%v", wrong)
	}
}

func TestFitLeavesOutWhatIsNotWritable(t *testing.T) {
	body := &Body{Record: Record{
		"id": "1", "first_name": "Ada", "title": "Dr", "account": Record{"id": "1", "name": "Ink"}, "custom_fields": json.RawMessage(`{}`),
		"phone_numbers": []Record{{"type": "work"}, {"number": "1", "type": "home"}, {"extension": "2"}, {"number": "3"}},
	}, Clear: []string{"name", "tags", "updated_at"}, ETag: "v"}
	fitted := contacts(t).Fit(body, []string{"id", "first_name", "account.id", "phone_numbers.number", "custom_fields.a", "tags.name", "updated_at"})
	assert.Equal(t, Record{"first_name": "Ada", "account": Record{"id": "1"}, "custom_fields": json.RawMessage(`{}`), "phone_numbers": []Record{{"number": "1"}, {"number": "3"}}}, fitted.Record)
	assert.Equal(t, []string{"tags"}, fitted.Clear, "a list of which something can be written can be emptied")
	assert.Equal(t, []string{"id", "name", "title", "account.name", "phone_numbers[0].type", "phone_numbers[1].type", "phone_numbers[2].extension", "updated_at"}, fitted.Left, "what callers cannot set is not writable whatever a provider says")
	assert.Equal(t, "v", fitted.ETag)
	for path, want := range map[string]string{
		"phone_numbers[0].number": "phone_numbers[1].number", "phone_numbers[1]": "phone_numbers[3]", "phone_numbers[2]": "phone_numbers[2]", "phone_numbers": "phone_numbers",
		"addresses[0].city": "addresses[0].city", "phone_numbers[x]": "phone_numbers[x]", "phone_numbers[-1]": "phone_numbers[-1]", "phone_numbers[0": "phone_numbers[0",
	} {
		assert.Equal(t, want, fitted.Original(path))
	}
	assert.Empty(t, contacts(t).Fit(body, nil).Record)
}

// TestFitSplitsABodyInTwo is the property of fitting: what fits and what is
// left are the whole, and what fits fits again.
func TestFitSplitsABodyInTwo(t *testing.T) {
	schema := contacts(t)
	var all []string
	var collect func(fields []Field, prefix string)
	collect = func(fields []Field, prefix string) {
		for _, f := range fields {
			all = append(all, prefix+f.Name)
			collect(f.Fields, prefix+f.Name+".")
		}
	}
	collect(schema.Fields, "")
	rapid.Check(t, func(t *rapid.T) {
		record := Record{}
		leaves := 0
		for _, f := range schema.Fields {
			if !rapid.Bool().Draw(t, f.Name) {
				continue
			}
			item := func() Record {
				r := Record{}
				for _, inner := range f.Fields {
					if len(r) == 0 || rapid.Bool().Draw(t, inner.Name) {
						r[inner.Name] = "x"
						leaves++
					}
				}
				return r
			}
			switch f.Kind {
			case Text:
				record[f.Name] = "x"
				leaves++
			case Object:
				record[f.Name] = item()
			case Objects:
				list := []Record{}
				for range rapid.IntRange(1, 3).Draw(t, "items") {
					list = append(list, item())
				}
				record[f.Name] = list
			}
		}
		writable := rapid.SliceOf(rapid.SampledFrom(all)).Draw(t, "writable")
		fitted := schema.Fit(&Body{Record: record}, writable)
		again := schema.Fit(&fitted.Body, writable)
		if len(again.Left) > 0 {
			t.Fatalf("of what fitted %v does not fit", again.Left)
		}
		if len(fitted.Left) == 0 && countLeaves(fitted.Record) != leaves {
			t.Fatalf("%d of %d values are there and nothing is said to be left out", countLeaves(fitted.Record), leaves)
		}
		if countLeaves(fitted.Record) == leaves && len(fitted.Left) > 0 {
			t.Fatalf("nothing is gone, but %v is said to be", fitted.Left)
		}
	})
}

func countLeaves(value any) int {
	n := 0
	switch v := value.(type) {
	case Record:
		for _, inner := range v {
			n += countLeaves(inner)
		}
	case []Record:
		for _, inner := range v {
			n += countLeaves(inner)
		}
	default:
		n++
	}
	return n
}

func TestMissingIsWhatHasNoValue(t *testing.T) {
	record := Record{"first_name": "", "last_name": "Q", "account": Record{"name": "x"}, "owner": Record{"id": "1"}, "email_addresses": []Record{{"type": "a"}, {"email": "b"}}, "custom_fields": json.RawMessage(`{"a":1}`)}
	assert.Equal(t, []string{"first_name", "account.id", "tags", "phone_numbers.number", "last_name.x"}, contacts(t).Missing(record, []string{
		"first_name", "last_name", "account", "account.id", "owner.id", "tags", "email_addresses", "email_addresses.email", "phone_numbers.number", "custom_fields", "last_name.x",
	}, nil))
	alone := Record{"name": "Mary Jane Watson"}
	assert.Empty(t, contacts(t).Missing(alone, []string{"last_name"}, []string{"name", "last_name"}), "the provider takes it apart")
	assert.Equal(t, []string{"last_name"}, contacts(t).Missing(alone, []string{"last_name"}, []string{"last_name"}))
	assert.Equal(t, []string{"last_name"}, contacts(t).Missing(Record{"name": "Ada", "first_name": "Ada"}, []string{"last_name"}, []string{"name"}))
}
