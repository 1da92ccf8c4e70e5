package vendorhttp

import (
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk/errs"
)

func noWait(int) time.Duration { return 0 }

var vendorHosts = []string{"api.getbase.com", "*.myfreshworks.com"}

func TestOnlyTheVendorsHostsAreAllowed(t *testing.T) {
	pool := NewPool(vendorHosts, "")
	for text, allowed := range map[string]bool{
		"https://api.getbase.com":                        true,
		"https://api.getbase.com/v2/contacts?x=y":        true,
		"https://API.GetBase.COM":                        true,
		"https://api.getbase.com:443":                    true,
		"https://api.getbase.com.":                       true, // the same host, written from the root
		"https://acme.myfreshworks.com":                  true,
		"https://a.b.c.myfreshworks.com":                 true,
		"https://ACME.MYFRESHWORKS.com":                  true,
		"http://api.getbase.com":                         false,
		"ftp://api.getbase.com":                          false,
		"//api.getbase.com":                              false,
		"api.getbase.com":                                false,
		"https://":                                       false,
		"https://api.getbase.com:8443":                   false,
		"https://api.getbase.com:80":                     false,
		"https://api.getbase.com.evil.test":              false,
		"https://api.getbase.com.evil.test.":             false,
		"https://evil-api.getbase.com":                   false,
		"https://x.api.getbase.com":                      false,
		"https://getbase.com":                            false,
		"https://api-getbase.com":                        false,
		"https://apixgetbase.com":                        false,
		"https://evilmyfreshworks.com":                   false,
		"https://myfreshworks.com":                       false,
		"https://.myfreshworks.com":                      false,
		"https://..myfreshworks.com":                     false,
		"https://a..myfreshworks.com":                    false,
		"https://acme.myfreshworks.com..":                false,
		"https://acme.myfreshworks.com.evil.test":        false,
		"https://acme.myfreshworks.comevil":              false,
		"https://api.getbase.com@evil.test":              false,
		"https://api.getbase.com:443@evil.test/":         false,
		"https://evil.test/api.getbase.com":              false,
		"https://evil.test?api.getbase.com":              false,
		"https://evil.test#api.getbase.com":              false,
		"https://evil.test#@api.getbase.com":             false,
		"https://evil.test/.myfreshworks.com":            false,
		"https://evil.test%2f.myfreshworks.com":          false,
		`https://evil.test\.myfreshworks.com`:            false,
		"https://evil.test%00.myfreshworks.com":          false,
		"https://127.0.0.1":                              false,
		"https://[::1]":                                  false,
		"https://localhost":                              false,
		"https://xn--pi-7ka.getbase.com":                 false,
		"https://ａｐｉ.getbase.com":                        false,
		"https://api.getbase.com\u3002evil.test":         false,
		"https://acme\u2024myfreshworks.com":             false,
		"https://api.getbase.com:443:443":                false,
		"https://api.getbase.com:":                       true, // an empty port is the default one
		"https://169.254.169.254/latest/meta-data/":      false,
		"https://api.getbase.com%20":                     false,
		"https://acme.myfreshworks.com%2eevil.test":      false,
		"https://acme.myfreshworks.com%E3%80%82evil.com": false,
	} {
		u, err := url.Parse(text)
		if err == nil {
			err = pool.CheckHost(u)
		}
		assert.Equal(t, allowed, err == nil, "%s: %v", text, err)
	}
}

func TestAHostThatIsNotAllowedIsToldWithoutItsPassword(t *testing.T) {
	u, err := url.Parse("http://user:hunter22@evil.test/")
	require.NoError(t, err)
	assert.NotContains(t, NewPool(vendorHosts, "").CheckHost(u).Error(), "hunter22")
}

func TestABaseURLThatIsNotTheVendorsIsTheAccountsMistake(t *testing.T) {
	pool := NewPool(vendorHosts, "")
	for _, base := range []string{
		"https://evil.test/v2", "http://api.getbase.com/v2", "https://user:pass@api.getbase.com/v2", "https://api.getbase.com/v2?x=1",
		"https://api.getbase.com/v2#x", "https://api.getbase.com:8443/v2", "", "/v2", "https:///v2", "https://%zz/",
	} {
		_, err := pool.Client(Vendor{Name: "Acme CRM", BaseURL: base}, Options{})
		e := requireReason(t, err, errs.InvalidParameter)
		assert.NotContains(t, e.Message, "pass", base)
	}
	_, err := pool.Client(Vendor{BaseURL: "https://acme.myfreshworks.com/crm/sales"}, Options{})
	require.NoError(t, err)
}

func TestABaseURLOverrideIsSchemeAndAuthorityAlone(t *testing.T) {
	for text, want := range map[string]string{
		"http://127.0.0.1:9001":               "http://127.0.0.1:9001",
		"http://127.0.0.1:9001/":              "http://127.0.0.1:9001",
		"https://proxy.test":                  "https://proxy.test",
		"HTTPS://proxy.test:8443":             "https://proxy.test:8443",
		"http://[::1]:9001":                   "http://[::1]:9001",
		"http://localhost:1":                  "http://localhost:1",
		"http://localhost:65535":              "http://localhost:65535",
		"":                                    "",
		"127.0.0.1:9001":                      "",
		"localhost":                           "",
		"//localhost":                         "",
		"http:localhost":                      "",
		"http://":                             "",
		"http:///":                            "",
		"http://:9001":                        "",
		"ftp://localhost":                     "",
		"file:///etc/passwd":                  "",
		"unix:///var/run/x.sock":              "",
		"javascript:alert(1)":                 "",
		"http://user@localhost":               "",
		"http://user:pass@localhost":          "",
		"http://@localhost":                   "",
		"http://localhost/v2":                 "",
		"http://localhost//":                  "",
		"http://localhost/?":                  "",
		"http://localhost?":                   "",
		"http://localhost?x=1":                "",
		"http://localhost#x":                  "",
		"http://localhost:99999":              "",
		"http://localhost:0":                  "",
		"http://localhost:":                   "",
		"http://localhost:http":               "",
		" http://localhost":                   "",
		"http://localhost ":                   "",
		"http://local host":                   "",
		"http://localhost\n":                  "",
		"http://localhost\\@evil.test":        "",
		"http://[::1":                         "",
		"http://localhost/../":                "",
		"http://localhost,evil.test":          "http://localhost,evil.test", // an odd name, but one name
		"http://127.0.0.1:9001/v2/contacts":   "",
		"https://127.0.0.1:9001/%2e%2e/":      "",
		"http://127.0.0.1:9001/;x":            "",
		"http://127.0.0.1:9001?base_url=1":    "",
		"http://127.0.0.1:9001/#":             "http://127.0.0.1:9001", // an empty fragment is none
		"http://xn--bcher-kva.test:80":        "http://xn--bcher-kva.test:80",
		"http://127.0.0.1:9001\u0000":         "",
		"http://127.0.0.1:9001\r\nHost: evil": "",
	} {
		u, err := ParseBaseURL(text)
		if want == "" {
			assert.Error(t, err, "%q gave %v", text, u)
			_, err = NewPool(vendorHosts, "").Client(Vendor{BaseURL: "https://api.getbase.com/v2"}, Options{BaseURLOverride: text})
			if text != "" {
				requireReason(t, err, errs.InvalidParameter)
			}
			continue
		}
		if assert.NoError(t, err, "%q", text) {
			assert.Equal(t, want, u.Scheme+"://"+u.Host, "%q", text)
		}
	}
}

func TestAnOverrideKeepsTheVendorsPath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := script(t, answers(200, `{}`))
		client := vendor.client(Vendor{BaseURL: "https://api.vendor.test/crm/sales/api/"})
		_, err := client.Main(within(t, callTime), Request{Method: http.MethodGet, Path: []string{"contacts", "5"}})
		require.NoError(t, err)
		seen := vendor.requests()[0]
		assert.Equal(t, "/crm/sales/api/contacts/5", seen.uri)
	})
}

func TestANextPageLinkIsHeldToTheOriginAndTheVendorsHosts(t *testing.T) {
	for name, c := range map[string]struct {
		override, link string
		want           string // the query's page; "" refuses
	}{
		"the vendor's own":                {"", "https://api.getbase.com/v2/contacts?page=2", "2"},
		"another host of the vendor":      {"", "https://eu.myfreshworks.com/contacts?page=3", "3"},
		"relative":                        {"", "/v2/contacts?page=4", "4"},
		"a bare query":                    {"", "?page=5", "5"},
		"upper case":                      {"", "https://API.GETBASE.COM/v2/contacts?page=6", "6"},
		"http":                            {"", "http://api.getbase.com/v2/contacts?page=2", ""},
		"a lookalike":                     {"", "https://api.getbase.com.evil.test/?page=2", ""},
		"another port":                    {"", "https://api.getbase.com:8443/?page=2", ""},
		"without a scheme, elsewhere":     {"", "//evil.test/?page=2", ""},
		"loopback without an override":    {"", "http://127.0.0.1:9001/?page=2", ""},
		"the override":                    {"http://127.0.0.1:9001", "http://127.0.0.1:9001/v2/contacts?page=2", "2"},
		"the vendor behind an override":   {"http://127.0.0.1:9001", "https://api.getbase.com/v2/contacts?page=2", "2"},
		"another port than the override":  {"http://127.0.0.1:9001", "http://127.0.0.1:9002/?page=2", ""},
		"another scheme than an override": {"http://127.0.0.1:9001", "https://127.0.0.1:9001/?page=2", ""},
		"user information":                {"http://127.0.0.1:9001", "http://127.0.0.1:9001@evil.test/?page=2", ""},
		"not a URL":                       {"", "https://api.getbase.com/%zz?page=2", ""},
		"a control character":             {"", "https://api.getbase.com/\x00?page=2", ""},
	} {
		t.Run(name, func(t *testing.T) {
			client := clientFor(t, NewPool(vendorHosts, ""), Vendor{BaseURL: "https://api.getbase.com/v2"}, Options{BaseURLOverride: c.override})
			query, err := client.PageLink(c.link)
			if c.want == "" {
				requireReason(t, err, errs.UnexpectedVendorAnswer)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.want, query.Get("page"))
		})
	}
}
