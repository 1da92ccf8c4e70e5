package sdk

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/redact"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

type position struct {
	Page  int    `json:"page"`
	After string `json:"after,omitempty"`
}

func TestATokenComesBackAsItWas(t *testing.T) {
	for _, sent := range []position{{}, {Page: 7}, {Page: 1, After: "a/b?c#d&é日本\x00\"\\"}} {
		token := EncodeToken(sent)
		assert.Regexp(t, `^[A-Za-z0-9_-]+$`, token, "it can stand in a URL")
		var got position
		require.NoError(t, DecodeToken(token, &got))
		assert.Equal(t, sent, got)
	}
}

func TestNoTokenIsTheFirstPage(t *testing.T) {
	at := position{Page: 1}
	require.NoError(t, DecodeToken("", &at))
	assert.Equal(t, position{Page: 1}, at)
}

func TestATokenThatIsNotOursIsRefused(t *testing.T) {
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	for name, token := range map[string]string{
		"not base64":          "***",
		"padded":              base64.URLEncoding.EncodeToString([]byte(`{"page":1}`)),
		"not JSON":            encode("page 2"),
		"cut":                 encode(`{"page":1`),
		"another type":        encode(`[1]`),
		"a number":            encode(`5`),
		"a text":              encode(`"page"`),
		"white space":         encode(` `),
		"null":                encode(`null`),
		"an unknown name":     encode(`{"page":1,"offset":5}`),
		"a wrong type":        encode(`{"page":"1"}`),
		"two values":          encode(`{"page":1}{"page":2}`),
		"something behind":    encode(`{"page":1}]`),
		"something behind, 2": encode(`{"page":1}}`),
	} {
		t.Run(name, func(t *testing.T) {
			at := position{Page: 1}
			err := DecodeToken(token, &at)
			require.ErrorIs(t, err, ErrPageToken)
			assert.True(t, errs.Is(err, errs.InvalidParameter))
		})
	}
}

func TestATokenOfSomethingWithoutAJSONFormIsAMistakeAtOnce(t *testing.T) {
	assert.Panics(t, func() { EncodeToken(make(chan int)) })
}

func FuzzDecodeToken(f *testing.F) {
	f.Add(EncodeToken(position{Page: 1, After: "x"}))
	f.Add("bnVsbA")
	f.Add("e30")
	f.Fuzz(func(t *testing.T, token string) {
		at := position{Page: -1}
		if DecodeToken(token, &at) == nil && token != "" {
			var again position
			require.NoError(t, DecodeToken(EncodeToken(at), &again))
			require.Equal(t, at, again)
		}
	})
}

func callFor(id, revision, baseURL string) *Call {
	return newCall(newCallSecrets(redact.New(), nil), vendorhttp.NewPool(nil, ""), hclog.NewNullLogger(), &providerv1.CallContext{
		Account: &providerv1.Account{Id: id, Revision: revision, BaseUrl: baseURL},
	})
}

func TestACacheKeepsThingsForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cache := NewCache[[]string](time.Minute)
		call := callFor("a", "1", "")
		_, ok := cache.Get(call, "labels")
		assert.False(t, ok)
		cache.Put(call, "labels", []string{"vip"})
		time.Sleep(time.Minute)
		got, ok := cache.Get(call, "labels")
		assert.True(t, ok)
		assert.Equal(t, []string{"vip"}, got)
		time.Sleep(time.Nanosecond)
		got, ok = cache.Get(call, "labels")
		assert.False(t, ok)
		assert.Nil(t, got)
	})
}

func TestACacheNeverMixesAccountsCredentialsOrAddresses(t *testing.T) {
	cache := NewCache[string](time.Hour)
	owner := callFor("a", "1", "http://one")
	cache.Put(owner, "x", "secret of a")
	for _, other := range []*Call{callFor("b", "1", "http://one"), callFor("a", "2", "http://one"), callFor("a", "1", "http://two"), callFor("a", "", "http://one")} {
		_, ok := cache.Get(other, "x")
		assert.False(t, ok)
	}
	_, ok := cache.Get(owner, "y")
	assert.False(t, ok)
	got, ok := cache.Get(callFor("a", "1", "http://one"), "x")
	assert.True(t, ok)
	assert.Equal(t, "secret of a", got)
	cache.Forget(callFor("b", "1", "http://one"), "x")
	_, ok = cache.Get(owner, "x")
	assert.True(t, ok)
	cache.Forget(owner, "x")
	_, ok = cache.Get(owner, "x")
	assert.False(t, ok)
}

func TestWithoutARevisionNothingIsKept(t *testing.T) {
	cache := NewCache[int](time.Hour)
	call := callFor("a", "", "")
	cache.Put(call, "x", 1)
	_, ok := cache.Get(call, "x")
	assert.False(t, ok)
	assert.Empty(t, cache.entries)
}

func TestACacheDoesNotGrowWithoutEnd(t *testing.T) {
	cache := NewCache[int](time.Hour)
	call := callFor("a", "1", "")
	for i := range 3 * cacheEntries {
		cache.Put(call, fmt.Sprint(i), i)
		require.LessOrEqual(t, len(cache.entries), cacheEntries)
	}
	got, ok := cache.Get(call, fmt.Sprint(3*cacheEntries-1))
	assert.True(t, ok)
	assert.Equal(t, 3*cacheEntries-1, got)
}

func TestACacheIsSafeForManyCallsAtOnce(t *testing.T) {
	cache := NewCache[int](time.Hour)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			call := callFor("a", "1", "")
			for j := range 200 {
				cache.Put(call, fmt.Sprint(j%7), i)
				cache.Get(call, fmt.Sprint(j%5))
				cache.Forget(call, fmt.Sprint(j%3))
			}
		})
	}
	all.Wait()
}

func TestCredentialsThatDoNotFitAreToldWithoutThem(t *testing.T) {
	for _, credentials := range []string{`{"key": sekret}`, `"sekret"`, `{"key":{"sekret":1}}`, ``} {
		call := newCall(newCallSecrets(redact.New(), nil), vendorhttp.NewPool(nil, ""), hclog.NewNullLogger(), &providerv1.CallContext{Account: &providerv1.Account{Credentials: []byte(credentials)}})
		var into struct {
			Key string `json:"key"`
		}
		err := call.Credentials(&into)
		require.True(t, errs.Is(err, errs.InvalidParameter))
		assert.NotContains(t, err.Error(), "sekret")
	}
}

func TestACallForAProvidersOwnTests(t *testing.T) {
	call := NewCall(Provider{AllowedHosts: []string{"api.vendor.test"}}, "api_key", json.RawMessage(`{"api_key":"k"}`), "http://127.0.0.1:1", vendorhttp.Param{Name: "a", Value: "b"})
	assert.Equal(t, "api_key", call.AuthenticationMethod())
	assert.Equal(t, "test", call.AccountID())
	var credentials struct {
		Key string `json:"api_key"`
	}
	require.NoError(t, call.Credentials(&credentials))
	assert.Equal(t, "k", credentials.Key)
	assert.NotNil(t, call.Log())
	client, err := call.Client(vendorhttp.Vendor{Name: "Acme", BaseURL: "https://api.vendor.test/v2"})
	require.NoError(t, err)
	assert.NotNil(t, client)
	_, err = call.Client(vendorhttp.Vendor{Name: "Acme", BaseURL: "not a URL"})
	require.True(t, errs.Is(err, errs.InvalidParameter))
	assert.False(t, call.IsPartial())
	call.Partial("names", assert.AnError)
	assert.True(t, call.IsPartial())
}
