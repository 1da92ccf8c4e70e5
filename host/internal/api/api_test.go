package api

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
)

const account = "integrated_account_id=7b0f1d7e-1f3c-4a54-9a3f-1d1f6a0c0000"

func schema(t testing.TB) *unified.Schema {
	t.Helper()
	s, ok := unified.SchemaOf("contacts")
	require.True(t, ok)
	return s
}

func TestRemoteQueryIsUnwrappedByOneLevel(t *testing.T) {
	for raw, want := range map[string][]unified.Param{
		"remote_query[a]=1":                          {{Name: "a", Value: "1"}},
		"remote_query%5Ba%5D=1":                      {{Name: "a", Value: "1"}},
		"remote_query[a][b]=1&remote_query[a][b]=2":  {{Name: "a[b]", Value: "1"}, {Name: "a[b]", Value: "2"}},
		"remote_query[a][]=1&remote_query[a][][b]=2": {{Name: "a[]", Value: "1"}, {Name: "a[][b]", Value: "2"}},
		"remote_query[a][0]=x%26y%3D1":               {{Name: "a[0]", Value: "x&y=1"}},
		"remote_query[a.b]=":                         {{Name: "a.b", Value: ""}},
		"remote_query[a]":                            {{Name: "a", Value: ""}},
		"remote_query[é]=ü+%2B":                      {{Name: "é", Value: "ü +"}},
	} {
		q, err := readQuery(account+"&"+raw, unified.Delete, schema(t))
		require.NoError(t, err, raw)
		assert.Equal(t, want, q.remoteQuery, raw)
	}
}

func TestExcludeFieldsTakesEveryFormOfList(t *testing.T) {
	for raw, want := range map[string]unified.Paths{
		"truto_exclude_fields[]=name&truto_exclude_fields[]=tags":   {"name": nil, "tags": nil},
		"truto_exclude_fields[0]=name&truto_exclude_fields[1]=tags": {"name": nil, "tags": nil},
		"truto_exclude_fields=name,%20tags,":                        {"name": nil, "tags": nil},
		"truto_exclude_fields=addresses.city,account.name":          {"addresses": {"city": nil}, "account": {"name": nil}},
		"truto_exclude_fields[]=custom_fields.a.b c":                {"custom_fields": {"a": {"b c": nil}}},
	} {
		q, err := readQuery(account+"&"+strings.ReplaceAll(raw, " ", "%20"), unified.Get, schema(t))
		require.NoError(t, err, raw)
		assert.Equal(t, want, q.exclude, raw)
	}
}

func TestBadQueriesNameWhatIsWrong(t *testing.T) {
	for raw, says := range map[string]string{
		"":                              "integrated_account_id is missing",
		"integrated_account_id=":        "not a UUID",
		"integrated_account_id[]=x":     "single value",
		account + "&" + account:         "more than once",
		account + "&a=1":                "not a parameter",
		account + "&a[=1":               "brackets",
		account + "&a]=1":               "brackets",
		account + "&a[b]c=1":            "brackets",
		account + "&[a]=1":              "brackets",
		account + "&=1":                 "brackets",
		account + "&%zz=1":              "percent-encoded",
		account + "&limit=1e3":          "whole number",
		account + "&limit=%EF%BC%91":    "whole number",
		strings.Repeat("limit=1&", 600): "more than",
		account + "&truto_exclude_fields=addresses.nonsense":     "not a field",
		account + "&truto_exclude_fields=account.name.x":         "not a field",
		account + "&truto_response_format=UNIFIED":               "not one of",
		account + "&truto_ignore_remote_data=TRUE":               "neither true nor false",
		"integrated_account_id=7b0f1d7e1f3c4a549a3f1d1f6a0c0000": "not a UUID",
	} {
		_, err := readQuery(raw, unified.List, schema(t))
		require.Error(t, err, raw)
		assert.True(t, errs.Is(err, errs.InvalidParameter), "%s: %v", raw, err)
		assert.Contains(t, err.Error(), says, raw)
	}
}

func FuzzQuery(f *testing.F) {
	f.Add("remote_query[a][b][]=1&limit=5")
	f.Add("%5B%5D=&a[[]]=1&truto_exclude_fields[a]=")
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := readQuery(account+"&"+raw, unified.List, schema(t))
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Fatal("an error without words")
			}
			return
		}
		// What is taken for the vendor is exactly what was sent for it.
		sent := 0
		for pair := range strings.SplitSeq(raw, "&") {
			key, _, _ := strings.Cut(pair, "=")
			if plain, err := url.QueryUnescape(key); err == nil && strings.HasPrefix(plain, "remote_query[") {
				sent++
			}
		}
		if sent != len(q.remoteQuery) {
			t.Fatalf("%d remote_query parameters sent, %d taken", sent, len(q.remoteQuery))
		}
	})
}

func TestCursorsAreSealedAndBound(t *testing.T) {
	sealer, err := newSealer(make([]byte, 32))
	require.NoError(t, err)
	s := &Server{cursors: sealer}
	list := func(raw string) *query {
		q, err := readQuery(account+raw, unified.List, schema(t))
		require.NoError(t, err)
		return q
	}
	bound := binding("account-1", "contacts", list(""))
	sealed := s.sealCursor(cursor{place: place{PageToken: "secret position"}, Limit: 5}, bound)
	plain, err := base64.RawURLEncoding.DecodeString(sealed)
	require.NoError(t, err)
	assert.NotContains(t, string(plain), "secret position")
	got, err := s.openCursor(sealed, bound)
	require.NoError(t, err)
	assert.Equal(t, "secret position", got.PageToken)

	for name, other := range map[string][]byte{
		"another account":      binding("account-2", "contacts", list("")),
		"another resource":     binding("account-1", "accounts", list("")),
		"another remote_query": binding("account-1", "contacts", list("&remote_query[a]=1")),
		"another filter":       binding("account-1", "contacts", list("&search=a")),
	} {
		_, err := s.openCursor(sealed, other)
		assert.Error(t, err, name)
	}
	assert.Equal(t, bound, binding("account-1", "contacts", list("&limit=9&truto_response_format=raw&truto_ignore_remote_data=true")), "what does not choose records does not bind")
	assert.Equal(t, binding("account-1", "contacts", list("&email_addresses[][email]=a@b.c")), binding("account-1", "contacts", list("&email_addresses[0][email]=a@b.c")), "nor does how it is written")
	synctest.Test(t, func(t *testing.T) {
		old := s.sealCursor(cursor{}, bound)
		time.Sleep(cursorLife)
		_, err := s.openCursor(old, bound)
		assert.NoError(t, err)
		time.Sleep(time.Second)
		_, err = s.openCursor(old, bound)
		assert.ErrorContains(t, err, "older than a day")
	})
	for i := range plain {
		changed := append([]byte{}, plain...)
		changed[i] ^= 1
		_, err := s.openCursor(base64.RawURLEncoding.EncodeToString(changed), bound)
		require.Error(t, err)
	}
}

func TestPathsAreSplitBeforeTheyAreUnescaped(t *testing.T) {
	for path, want := range map[string][]string{
		"/unified/crm/contacts/a%2Fb": {"unified", "crm", "contacts", "a/b"},
		"/unified/crm/contacts/":      {"unified", "crm", "contacts", ""},
		"//x/../y":                    {"", "x", "..", "y"},
		"/a%00b":                      {"a\x00b"},
	} {
		got, ok := splitPath(path)
		require.True(t, ok, path)
		assert.Equal(t, want, got, path)
	}
	_, ok := splitPath("/a%zz")
	assert.False(t, ok)
}

func TestRawResponsesAreCutAndNeverBroken(t *testing.T) {
	raw, cut := rawResponse(&errs.VendorAnswer{Body: []byte(`{"a":9007199254740993}`)})
	assert.Equal(t, `{"a":9007199254740993}`, string(*raw))
	assert.False(t, cut)
	raw, cut = rawResponse(&errs.VendorAnswer{Body: []byte(strings.Repeat("é", 64<<10))})
	assert.True(t, cut)
	assert.True(t, strings.HasPrefix(string(*raw), `"éé`))
	raw, _ = rawResponse(&errs.VendorAnswer{Body: []byte("\xff<b>")})
	assert.NotContains(t, string(*raw), "\xff")
	raw, _ = rawResponse(&errs.VendorAnswer{Body: []byte(" \n")})
	assert.Nil(t, raw)
}
