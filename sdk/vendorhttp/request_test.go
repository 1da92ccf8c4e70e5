package vendorhttp

import (
	"bufio"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk/errs"
)

func TestWhatEveryRequestCarries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := script(t, answers(200, `{}`))
		client := vendor.client(Vendor{Header: http.Header{"authorization": {"Bearer t"}, "X-Shared": {"vendor"}}})
		_, err := client.Main(within(t, callTime), request(http.MethodGet))
		require.NoError(t, err)
		_, err = client.Side(within(t, callTime), Request{
			Method: http.MethodPost, Path: []string{"search"}, Header: http.Header{"x-shared": {"request"}, "Accept": {"text/plain"}, "User-Agent": {"own"}},
			Body: map[string]any{"q": "<&>", "n": 1},
		})
		require.NoError(t, err)
		read, write := vendor.requests()[0], vendor.requests()[1]
		assert.Equal(t, http.Header{"Accept": {"application/json"}, "Accept-Encoding": {"gzip"}, "Authorization": {"Bearer t"}, "User-Agent": {"unicrm-test/1"}, "X-Shared": {"vendor"}}, read.header)
		assert.Zero(t, read.length, "a read has no body")
		assert.Empty(t, read.encoding)
		assert.Empty(t, read.body)
		assert.Equal(t, "application/json", write.header.Get("Content-Type"))
		assert.Equal(t, []string{"request"}, write.header["X-Shared"], "the request's own header counts")
		assert.Equal(t, "text/plain", write.header.Get("Accept"))
		assert.Equal(t, "own", write.header.Get("User-Agent"))
		assert.Equal(t, `{"n":1,"q":"<&>"}`, write.body)
		assert.Equal(t, "/v2/search", write.uri)
	})
}

func TestABodyThatHasNoJSONFormIsThePluginsMistake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := script(t, answers(200, `{}`))
		_, err := vendor.client(Vendor{}).Main(within(t, callTime), Request{Method: http.MethodPost, Path: []string{"x"}, Body: math.NaN()})
		requireReason(t, err, errs.PluginBug)
		assert.Empty(t, vendor.requests())
	})
}

func TestAMethodThatIsNoneIsThePluginsMistake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := script(t, answers(200, `{}`))
		_, err := vendor.client(Vendor{}).Main(within(t, callTime), Request{Method: "GET /evil", Path: []string{"x"}})
		requireReason(t, err, errs.PluginBug)
		assert.Zero(t, vendor.dialled())
	})
}

func TestACredentialThatCannotStandInAHeaderIsToldAtOnce(t *testing.T) {
	for _, secret := range []string{"sekret-1\n", "sekret-1\r\nX-Evil: 1", "sekret-1\x00", "sekret-1\x7f"} {
		synctest.Test(t, func(t *testing.T) {
			vendor := script(t, answers(200, `{}`))
			_, err := vendor.client(Vendor{Header: http.Header{"Authorization": {"Bearer " + secret}}}).Main(within(t, callTime), request(http.MethodPost))
			e := requireReason(t, err, errs.InvalidParameter)
			assert.Contains(t, e.Message, "Authorization")
			assert.NotContains(t, err.Error(), "sekret")
			assert.Zero(t, vendor.dialled(), "and nothing is tried")
		})
	}
}

func TestAnIDIsAlwaysOnePathSegment(t *testing.T) {
	for _, id := range []string{
		"5", "a/b", "a?b=c", "a#b", "a%b", "a%2fb", "%2e%2e", "%", "a b", "a+b", "a&b=c", "a;b", "a:b", "a@b", "..a", "a..", "...", "/", "//", "/..", "../..", "..%2f..", `a\b`, `..\..`,
		"é", "日本", "\u2028", "\x00", "\r\nHost: evil", "\xff\xfe", "~-_.!*'()", "[1]", "a,b", "$", "=",
	} {
		synctest.Test(t, func(t *testing.T) {
			vendor := script(t, answers(200, `{}`))
			_, err := vendor.client(Vendor{}).Main(within(t, callTime), Request{Method: http.MethodGet, Path: []string{"contacts", id, "tags"}})
			require.NoError(t, err, "%q", id)
			segments := strings.Split(vendor.requests()[0].uri, "/")
			require.Len(t, segments, 5, "%q became %s", id, vendor.requests()[0].uri)
			assert.Equal(t, []string{"", "v2", "contacts"}, segments[:3])
			assert.Equal(t, "tags", segments[4])
			got, err := url.PathUnescape(segments[3])
			require.NoError(t, err)
			assert.Equal(t, id, got)
		})
	}
}

func TestASegmentThatWouldChangeThePathIsRefusedBeforeSending(t *testing.T) {
	for _, id := range []string{"", ".", ".."} {
		for at := range 3 {
			synctest.Test(t, func(t *testing.T) {
				vendor := script(t, answers(200, `{}`))
				path := []string{"contacts", "5", "tags"}
				path[at] = id
				_, err := vendor.client(Vendor{}).Main(within(t, callTime), Request{Method: http.MethodDelete, Path: path})
				requireReason(t, err, errs.PluginBug)
				assert.Zero(t, vendor.dialled())
			})
		}
	}
}

func TestTheVendorsBasePathStaysAsItIsEscaped(t *testing.T) {
	for base, want := range map[string]string{
		"https://api.vendor.test":            "/contacts",
		"https://api.vendor.test/":           "/contacts",
		"https://api.vendor.test/v2/":        "/v2/contacts",
		"https://api.vendor.test/a%2Fb":      "/a%2Fb/contacts",
		"https://api.vendor.test/spaces/%20": "/spaces/%20/contacts",
	} {
		synctest.Test(t, func(t *testing.T) {
			vendor := script(t, answers(200, `{}`))
			client := vendor.client(Vendor{BaseURL: base})
			_, err := client.Main(within(t, callTime), Request{Method: http.MethodGet, Path: []string{"contacts"}})
			require.NoError(t, err)
			assert.Equal(t, want, vendor.requests()[0].uri)
		})
	}
}

func FuzzPathSegment(f *testing.F) {
	for _, seed := range []string{"5", "..", "a/b", "%2e%2e", "é", "\x00", "\xff", "?", "#", ";"} {
		f.Add(seed)
	}
	origin, err := NewPool([]string{"api.vendor.test"}, "").newOrigin("https://api.vendor.test/v2", "")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, id string) {
		r := Request{Method: http.MethodGet, Path: []string{"contacts", id, "tags"}}
		u, err := r.url(origin, nil)
		if id == "" || id == "." || id == ".." {
			require.Error(t, err)
			return
		}
		require.NoError(t, err)
		arrived := arrive(t, u)
		require.Equal(t, "api.vendor.test", arrived.Host)
		require.Empty(t, arrived.URL.RawQuery)
		segments := strings.Split(arrived.URL.EscapedPath(), "/")
		require.Len(t, segments, 5)
		got, err := url.PathUnescape(segments[3])
		require.NoError(t, err)
		require.Equal(t, id, got)
	})
}

// arrive sends a request for the URL through net/http's own writer and reader.
func arrive(t testing.TB, u *url.URL) *http.Request {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, u.String(), nil)
	require.NoError(t, err)
	var wire strings.Builder
	require.NoError(t, r.Write(&wire))
	arrived, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire.String())))
	require.NoError(t, err)
	return arrived
}

func TestRemoteQueryGoesOutInOrderWithEveryRepeat(t *testing.T) {
	for name, c := range map[string]struct {
		query, fixed, remote []Param
		want                 string
	}{
		"nothing":            {nil, nil, nil, ""},
		"the adapter's own":  {[]Param{{"sort", "id:asc"}}, []Param{{"page", "2"}}, nil, "sort=id%3Aasc&page=2"},
		"order":              {nil, nil, []Param{{"z", "1"}, {"a", "2"}, {"m", "3"}}, "z=1&a=2&m=3"},
		"repeats":            {nil, nil, []Param{{"a", "1"}, {"b", "x"}, {"a", "2"}, {"a", "1"}}, "a=1&b=x&a=2&a=1"},
		"brackets":           {nil, nil, []Param{{"filter[name]", "x"}, {"ids[]", "1"}, {"ids[]", "2"}, {"a[b][c]", "[d]"}}, "filter[name]=x&ids[]=1&ids[]=2&a[b][c]=[d]"},
		"commas":             {nil, nil, []Param{{"fields", "id,name"}}, "fields=id,name"},
		"replaced":           {[]Param{{"sort", "id"}, {"keep", "1"}}, nil, []Param{{"sort", "name"}}, "keep=1&sort=name"},
		"replaced by many":   {[]Param{{"sort", "id"}}, nil, []Param{{"sort", "a"}, {"sort", "b"}}, "sort=a&sort=b"},
		"replaced by empty":  {[]Param{{"sort", "id"}}, nil, []Param{{"sort", ""}}, "sort="},
		"a default twice":    {[]Param{{"inc", "a"}, {"inc", "b"}}, nil, []Param{{"inc", "c"}}, "inc=c"},
		"another case":       {[]Param{{"sort", "id"}}, nil, []Param{{"SORT", "x"}}, "sort=id&SORT=x"},
		"separators":         {nil, nil, []Param{{"a&b", "c=d&e#f?g"}, {"h;i", "j;k"}}, "a%26b=c%3Dd%26e%23f%3Fg&h%3Bi=j%3Bk"},
		"spaces and plusses": {nil, nil, []Param{{"q", "a b+c"}}, "q=a%20b%2Bc"},
		"escapes":            {nil, nil, []Param{{"q", "%5B%2C%20%25"}}, "q=%255B%252C%2520%2525"},
		"unicode":            {nil, nil, []Param{{"né", "日本 é"}}, "n%C3%A9=%E6%97%A5%E6%9C%AC%20%C3%A9"},
		"line ends":          {nil, nil, []Param{{"q", "\r\nX: y\x00"}}, "q=%0D%0AX%3A%20y%00"},
		"an empty name":      {nil, nil, []Param{{"", "x"}}, "=x"},
		"an empty value":     {nil, nil, []Param{{"x", ""}}, "x="},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				vendor := script(t, answers(200, `{}`))
				client := vendor.client(Vendor{})
				client.options.RemoteQuery = c.remote
				r := request(http.MethodGet)
				r.Query, r.Fixed = c.query, c.fixed
				_, err := client.Main(within(t, callTime), r)
				require.NoError(t, err)
				want := "/v2/contacts/5"
				if c.want != "" {
					want += "?" + c.want
				}
				assert.Equal(t, want, vendor.requests()[0].uri)
			})
		})
	}
}

func TestRemoteQueryIsForTheMainCallAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := script(t, answers(200, `{}`))
		client := vendor.client(Vendor{})
		client.options.RemoteQuery = []Param{{"a", "1"}}
		_, err := client.Side(within(t, callTime), request(http.MethodGet))
		require.NoError(t, err)
		assert.Equal(t, "/v2/contacts/5", vendor.requests()[0].uri)
	})
}

func TestWhatTheProviderSetsItselfIsRefusedBeforeSending(t *testing.T) {
	for _, name := range []string{"page", "PAGE", "Page", "page[]", "page[x]", "api_key"} {
		synctest.Test(t, func(t *testing.T) {
			vendor := script(t, answers(200, `{}`))
			client := vendor.client(Vendor{})
			client.options.RemoteQuery = []Param{{"fine", "1"}, {name, "7"}}
			r := request(http.MethodGet)
			r.Fixed = []Param{{"page", "2"}, {"api_key", "sekret"}}
			_, err := client.Main(within(t, callTime), r)
			e := requireReason(t, err, errs.InvalidParameter)
			require.Len(t, e.Fields, 1)
			assert.Equal(t, "remote_query["+name+"]", e.Fields[0].Path)
			assert.NotContains(t, err.Error(), "sekret")
			assert.Zero(t, vendor.dialled())
		})
	}
}

func TestWhatTheProviderReservesIsRefusedAlsoWhenItIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := script(t, answers(200, `{}`))
		client := vendor.client(Vendor{})
		r := request(http.MethodGet)
		r.Reserved = []string{"cursor"}
		_, err := client.Main(within(t, callTime), r)
		require.NoError(t, err)
		assert.Equal(t, "/v2/contacts/5", vendor.requests()[0].uri)
		client.options.RemoteQuery = []Param{{"Cursor", "7"}}
		_, err = client.Main(within(t, callTime), r)
		requireReason(t, err, errs.InvalidParameter)
		assert.Len(t, vendor.requests(), 1)
	})
}

func FuzzRemoteQuery(f *testing.F) {
	f.Add("a", "1", "b", "2", "a", "3")
	f.Add("filter[x]", "&", "=", "#", "%5B", "%")
	f.Add("page", "1", "sort", "", "", "")
	f.Add("a;b", "\r\nHost: evil", "?", "/../", "\xff", "日本")
	f.Add("//evil.test", "@", "https://evil.test/", ":", "\x00", "+")
	origin, err := NewPool([]string{"api.vendor.test"}, "").newOrigin("https://api.vendor.test/v2", "")
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, name1, value1, name2, value2, name3, value3 string) {
		remote := []Param{{name1, value1}, {name2, value2}, {name3, value3}}
		r := Request{Method: http.MethodGet, Path: []string{"contacts", "5"}, Query: []Param{{"sort", "id"}}, Fixed: []Param{{"page", "2"}}}
		u, err := r.url(origin, remote)
		for _, p := range remote {
			if base, _, _ := strings.Cut(strings.TrimSpace(p.Name), "["); strings.EqualFold(strings.TrimSpace(base), "page") || oddName(p.Name) {
				requireReason(t, err, errs.InvalidParameter)
				return
			}
		}
		require.NoError(t, err)
		arrived := arrive(t, u)
		require.Equal(t, "https", u.Scheme)
		require.Equal(t, "api.vendor.test", arrived.Host)
		require.Nil(t, u.User)
		require.Equal(t, "/v2/contacts/5", arrived.URL.EscapedPath())
		require.Empty(t, arrived.URL.Fragment)
		require.True(t, utf8.ValidString(arrived.URL.RawQuery))
		got, err := url.ParseQuery(arrived.URL.RawQuery)
		require.NoError(t, err)
		want := url.Values{"page": {"2"}}
		replaced := false
		for _, p := range remote {
			want.Add(p.Name, p.Value)
			replaced = replaced || p.Name == "sort"
		}
		if !replaced {
			want.Set("sort", "id")
		}
		require.Equal(t, want, got)
	})
}

func TestNamesThatAServerCouldReadAsAnotherAreRefused(t *testing.T) {
	vendor := script(t, answers(200, `{}`))
	for _, name := range []string{" page", "[page", "]page", "\tpage", "page\x00", "\u00a0page", "page ", "page [x]", " x"} {
		client := vendor.client(Vendor{})
		client.options.RemoteQuery = []Param{{name, "7"}}
		r := request(http.MethodGet)
		r.Fixed = []Param{{"page", "1"}}
		_, err := client.Main(within(t, callTime), r)
		requireReason(t, err, errs.InvalidParameter)
	}
	client := vendor.client(Vendor{})
	client.options.RemoteQuery = []Param{{"anything", "7"}}
	r := request(http.MethodGet)
	r.Closed = true
	_, err := client.Main(within(t, callTime), r)
	requireReason(t, err, errs.InvalidParameter)
	assert.Empty(t, vendor.requests())
}

// A server that is not Go's sees the same thing: the raw line holds neither
// white space nor anything below it.
func TestARequestLineHoldsNothingButPrintableASCII(t *testing.T) {
	var line string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { line = r.RequestURI }))
	defer server.Close()
	pool := NewPool(nil, "")
	defer pool.Close()
	var all strings.Builder
	for b := range 256 {
		all.WriteByte(byte(b))
	}
	plain := "x" + strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(all.String(), "é"))
	client := clientFor(t, pool, Vendor{}, Options{BaseURLOverride: server.URL, RemoteQuery: []Param{{plain, all.String()}}})
	_, err := client.Main(within(t, callTime), Request{Method: http.MethodGet, Path: []string{all.String()}})
	require.NoError(t, err)
	for _, b := range []byte(line) {
		require.True(t, b > ' ' && b < 0x7f, "%q", line)
	}
}
