package vendorjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/unicrm/unicrm/sdk/errs"
)

// written is a body as vendorhttp sends it.
func written(t testing.TB, b *Body) string {
	t.Helper()
	data, err := encode(b)
	require.NoError(t, err)
	return string(data)
}

func TestABodyKeepsTheOrderInWhichItsKeysWereSet(t *testing.T) {
	var b Body
	assert.True(t, b.Empty())
	assert.Equal(t, `{}`, written(t, &b))
	for _, key := range []string{"z", "a", "ä", "a b", `q"`} {
		b.Set(key, "", 1)
	}
	b.Set("a", "name", "second")
	assert.False(t, b.Empty())
	assert.Equal(t, []string{"z", "a", "ä", "a b", `q"`}, b.Keys())
	assert.Equal(t, `{"z":1,"a":"second","ä":1,"a b":1,"q\"":1}`, written(t, &b))
	assert.Equal(t, "second", b.Get("a"))
	assert.Nil(t, b.Get("A"), "the case of a key counts")
	b.Drop("z")
	b.Drop("nothing")
	b.Set("z", "", true)
	assert.Equal(t, []string{"a", "ä", "a b", `q"`, "z"}, b.Keys())
}

func TestABodyOfManyKeysKeepsOrderReplacesAndDropsAsOneOfFewDoes(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		var b Body
		var keys []string // what it should hold, in order
		values := map[string]int{}
		for i := range rapid.IntRange(0, 3*manyMembers).Draw(r, "steps") {
			key := fmt.Sprint("k", rapid.IntRange(0, 2*manyMembers).Draw(r, "key"))
			if rapid.IntRange(0, 4).Draw(r, "drop") == 0 {
				b.Drop(key)
				delete(values, key)
				for j, k := range keys {
					if k == key {
						keys = append(keys[:j:j], keys[j+1:]...)
						break
					}
				}
				continue
			}
			if _, there := values[key]; !there {
				keys = append(keys, key)
			}
			values[key] = i
			b.Set(key, "", i)
		}
		require.True(r, slices.Equal(keys, b.Keys()), "%v, want %v", b.Keys(), keys)
		for _, key := range keys {
			require.Equal(r, values[key], b.Get(key))
		}
	})
}

func TestHundredsOfThousandsOfKeysTakeNoTime(t *testing.T) {
	var remote strings.Builder
	remote.WriteByte('{')
	for i := range 200_000 {
		fmt.Fprintf(&remote, `"k%d":1,`, i)
	}
	remote.WriteString(`"last":1}`)
	began := time.Now()
	var b Body
	b.MergeRemote(json.RawMessage(remote.String()))
	assert.Len(t, b.Keys(), 200_001)
	assert.Less(t, time.Since(began), 20*time.Second, "each key must not be looked for among all others")
}

func TestATextIsWrittenClearedOrLeftOut(t *testing.T) {
	var b Body
	b.Text("given", "a", new("x"), false)
	b.Text("empty", "b", new(""), false)
	b.Text("cleared", "c", nil, true)
	b.Text("absent", "d", nil, false)
	b.Text("both", "e", new("y"), true)
	assert.Equal(t, `{"given":"x","empty":"","cleared":null,"both":"y"}`, written(t, &b))
}

func TestObjectsInABodyAreMadeOnceAndNested(t *testing.T) {
	var b Body
	b.Object("info", "").Object("name", "").Set("first", "first_name", "Ada")
	b.Object("info", "elsewhere").Set("title", "title", nil)
	assert.Equal(t, `{"info":{"name":{"first":"Ada"},"title":null}}`, written(t, &b))
	b.Set("info", "", "no object any more")
	b.Object("info", "").Set("a", "", 1)
	assert.Equal(t, `{"info":{"a":1}}`, written(t, &b), "what is no object gives way")
}

func TestNumbersAndTextsOfTheCallersKeepEveryDigitAndSign(t *testing.T) {
	var b Body
	b.Set("raw", "", json.RawMessage(`{"id": 9007199254740993, "f":1.10,"e":1E+2,"u":"\u00fc\/"}`))
	b.Set("number", "", json.Number("12345678901234567890.10"))
	b.Set("html", "", "a<b>&c\u2028")
	b.MergeRemote(json.RawMessage(` {"more": 0.10 , "deep":{"x":[ 1.0 ]}} `))
	assert.Equal(t, `{"raw":{"id":9007199254740993,"f":1.10,"e":1E+2,"u":"\u00fc\/"},"number":12345678901234567890.10,"html":"a<b>&c\u2028","more":0.10,"deep":{"x":[1.0]}}`, written(t, &b))
}

func TestRemoteDataIsMergedKeyByKeyAndReplacesAllElse(t *testing.T) {
	body := func() *Body {
		b := &Body{}
		b.Set("plain", "title", "mapped")
		inner := b.Object("address", "addresses[0]")
		inner.Set("city", "addresses[0].city", "Leeds")
		inner.Set("lines", "addresses[0].street_1", []string{"a", "b"})
		b.Set("custom", "custom_fields", json.RawMessage(`{"a":1,"b":{"c":2}}`))
		b.Set("map", "tags", map[string]any{"x": 1})
		b.Set("list", "urls", []string{"u"})
		return b
	}
	for name, c := range map[string]struct{ remote, want string }{
		"nothing":                 {``, `{"plain":"mapped","address":{"city":"Leeds","lines":["a","b"]},"custom":{"a":1,"b":{"c":2}},"map":{"x":1},"list":["u"]}`},
		"an empty object":         {`{}`, `{"plain":"mapped","address":{"city":"Leeds","lines":["a","b"]},"custom":{"a":1,"b":{"c":2}},"map":{"x":1},"list":["u"]}`},
		"a new key":               {`{"new":null}`, `{"plain":"mapped","address":{"city":"Leeds","lines":["a","b"]},"custom":{"a":1,"b":{"c":2}},"map":{"x":1},"list":["u"],"new":null}`},
		"one in an object":        {`{"address":{"zip":"LS1","city":"York"}}`, `{"plain":"mapped","address":{"city":"York","lines":["a","b"],"zip":"LS1"},"custom":{"a":1,"b":{"c":2}},"map":{"x":1},"list":["u"]}`},
		"lists replace lists":     {`{"address":{"lines":["c"]},"list":[]}`, `{"plain":"mapped","address":{"city":"Leeds","lines":["c"]},"custom":{"a":1,"b":{"c":2}},"map":{"x":1},"list":[]}`},
		"raw objects too":         {`{"custom":{"b":{"d":3},"e":1.50}}`, `{"plain":"mapped","address":{"city":"Leeds","lines":["a","b"]},"custom":{"a":1,"b":{"c":2,"d":3},"e":1.50},"map":{"x":1},"list":["u"]}`},
		"and those made by Go":    {`{"map":{"y":2}}`, `{"plain":"mapped","address":{"city":"Leeds","lines":["a","b"]},"custom":{"a":1,"b":{"c":2}},"map":{"x":1,"y":2},"list":["u"]}`},
		"null replaces an object": {`{"address":null,"plain":{"a":1},"list":{"b":2}}`, `{"plain":{"a":1},"address":null,"custom":{"a":1,"b":{"c":2}},"map":{"x":1},"list":{"b":2}}`},
		"what is no object":       {`[1]`, `{"plain":"mapped","address":{"city":"Leeds","lines":["a","b"]},"custom":{"a":1,"b":{"c":2}},"map":{"x":1},"list":["u"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			b := body()
			b.MergeRemote(json.RawMessage(c.remote))
			assert.Equal(t, c.want, written(t, b))
		})
	}
}

func TestAMergeWithoutEndEnds(t *testing.T) {
	deep := json.RawMessage(strings.Repeat(`{"a":`, 9000) + "1" + strings.Repeat("}", 9000))
	var b Body
	b.Set("a", "custom_fields", deep)
	began := time.Now()
	b.MergeRemote(json.RawMessage(`{"a":` + string(deep) + `}`))
	assert.Less(t, len(written(t, &b)), 3*len(deep))
	assert.Less(t, time.Since(began), 20*time.Second)
}

func TestMembersAreThoseOfOneWholeObject(t *testing.T) {
	members := Members(json.RawMessage(" {\"b\": 1.50 ,\"a\":[1, 2],\"\\u00fc\":null} \n"))
	require.Len(t, members, 3)
	assert.Equal(t, JSONMember{"b", json.RawMessage(`1.50`)}, members[0])
	assert.Equal(t, JSONMember{"a", json.RawMessage(`[1, 2]`)}, members[1])
	assert.Equal(t, "ü", members[2].Key)
	assert.True(t, members[2].Null())
	assert.False(t, members[0].Null())
	for _, other := range []string{``, ` `, `null`, `[]`, `"x"`, `5`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1}}`, `{"a":1} 2`, `{"a":1,"b":}`, `{a:1}`} {
		assert.Nil(t, Members(json.RawMessage(other)), other)
	}
	assert.Nil(t, Members(nil))
	_, there := Member(json.RawMessage(`{"a":true`), "a")
	assert.False(t, there, "an object that was cut off says nothing")
	_, there = Member(json.RawMessage(`{"a":true}`), "a")
	assert.True(t, there)
}

func TestFieldsOfTheVendorsErrorsAreNamedInTheCallersWords(t *testing.T) {
	b := &Body{}
	b.Set("fname", "first_name", "Ada")
	b.Set("internal", "", 1)
	b.Object("address", "addresses[1]").Set("town", "addresses[1].city", "Leeds")
	b.Set("emails", "email_addresses", []map[string]string{{"value": "a"}})
	b.Alias("emails[0].value", "email_addresses[0].email")
	custom := b.Object("cf", "custom_fields")
	custom.Set("field.with.dots", "custom_fields.field.with.dots", 1)
	custom.Set("Shoe size [EU]", "custom_fields.Shoe size [EU]", 1)
	custom.Set("a/b~c", "custom_fields.a/b~c", 1)
	phone := &Body{}
	phone.Set("nr", "phone_numbers[0].number", "1")
	b.Set("phones", "phone_numbers", []*Body{phone, nil})
	b.MergeRemote(json.RawMessage(`{"address":{"geo":{"lat":1}},"own":2}`))
	for field, want := range map[string]string{
		"fname":              "first_name",
		"FName":              "first_name",
		"/fname":             "first_name",
		"address":            "addresses[1]",
		"address.town":       "addresses[1].city",
		"/address/town":      "addresses[1].city",
		"address.county":     "addresses[1].county",
		"address.geo":        "remote_data.address.geo",
		"address.geo.lat":    "remote_data.address.geo.lat",
		"own":                "remote_data.own",
		"emails":             "email_addresses",
		"emails[0]":          "email_addresses[0]",
		"emails.0.value":     "email_addresses[0].email",
		"emails[0].value":    "email_addresses[0].email",
		"/emails/0/value":    "email_addresses[0].email",
		"emails[1].value":    "email_addresses[1].value",
		"emails[0][1]":       "email_addresses[0][1]",
		"phones[0].nr":       "phone_numbers[0].number",
		"/phones/0/nr":       "phone_numbers[0].number",
		"phones.1.nr":        "phone_numbers[1].nr",
		"cf.field.with.dots": "custom_fields.field.with.dots",
		"cf.Shoe size [EU]":  "custom_fields.Shoe size [EU]",
		"/cf/Shoe size [EU]": "custom_fields.Shoe size [EU]",
		"/cf/a~1b~0c":        "custom_fields.a/b~c",
		"cf.other":           "custom_fields.other",
		"internal":           "internal",
		"unheard.of":         "unheard.of",
		"fnames":             "fnames",
		"address_town":       "address_town",
		"":                   "",
		"/":                  "/",
		".":                  ".",
		"[":                  "[",
		"emails[":            "email_addresses",
		"emails[]":           "email_addresses",
		"emails[].value":     "email_addresses.value",
	} {
		assert.Equal(t, want, b.Path(field), "%q", field)
	}
}

func TestAnErrorIsRenamedAndTheOneItCameFromIsNot(t *testing.T) {
	b := &Body{}
	b.Set("fname", "first_name", "Ada")
	given := &errs.Error{Reason: errs.VendorRejected, Message: "no", Fields: []errs.Field{{Path: "/fname", Description: "is odd"}, {Path: "zzz", Description: "is too"}}, Vendor: &errs.VendorAnswer{Status: 422}}
	got := b.Unified(fmt.Errorf("wrapped: %w", given))
	var e *errs.Error
	require.ErrorAs(t, got, &e)
	assert.Equal(t, []errs.Field{{Path: "first_name", Description: "is odd"}, {Path: "zzz", Description: "is too"}}, e.Fields)
	assert.Equal(t, 422, e.Vendor.Status)
	assert.Equal(t, "/fname", given.Fields[0].Path, "an error may be shared")
	plain := errors.New("plain")
	assert.Equal(t, plain, b.Unified(plain))
	require.NoError(t, b.Unified(nil))
}

func FuzzBody(f *testing.F) {
	f.Add(`{"a":{"b":1}}`, `{"a":{"c":[1.0]}}`, "a.b[0]")
	f.Add(`{"a":1,"A":2}`, `{"":null}`, "/a~1/b")
	f.Add(``, `{"\ud83d":"\ud83d"}`, "][.[")
	f.Fuzz(func(t *testing.T, first, second, field string) {
		var b Body
		b.Set("mapped", "title", "x")
		b.Object("mapped too", "name").Set("inner", "first_name", 1)
		b.MergeRemote(json.RawMessage(first))
		b.MergeRemote(json.RawMessage(second))
		data, err := json.Marshal(&b)
		if err != nil {
			t.Fatalf("what was read as JSON cannot be written: %v", err)
		}
		if !json.Valid(data) {
			t.Fatalf("%q is no JSON", data)
		}
		b.Path(field)
	})
}
