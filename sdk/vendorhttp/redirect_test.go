package vendorhttp

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk/errs"
)

// site is a server on loopback that counts connections and requests.
type site struct {
	*httptest.Server
	connections atomic.Int64
	mu          sync.Mutex
	paths       []string // guarded by mu
	handle      http.HandlerFunc
}

func newSite(t *testing.T, secure bool, handle http.HandlerFunc) *site {
	t.Helper()
	s := &site{handle: handle}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if secure {
		s.EnableHTTP2 = true
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.paths = append(s.paths, r.Method+" "+r.URL.Path)
	s.mu.Unlock()
	s.handle(w, r)
}

func (s *site) seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.paths...)
}

// clientOf makes a client for a site that trusts every site's certificate.
func clientOf(t *testing.T, origin string, sites ...*site) *Client {
	t.Helper()
	pool := NewPool([]string{"*.vendor.test"}, "unicrm-test/1")
	trusted := x509.NewCertPool()
	for _, s := range sites {
		if s.TLS != nil {
			trusted.AddCert(s.Certificate())
		}
	}
	transportOf(pool).TLSClientConfig = &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}
	t.Cleanup(pool.Close)
	return clientFor(t, pool, Vendor{Header: http.Header{"Authorization": {"Bearer s3cret-token"}}}, Options{BaseURLOverride: origin})
}

func redirectTo(target *string, status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/contacts/5" {
			w.Header().Set("Location", *target)
			w.WriteHeader(status)
			return
		}
		_, _ = io.WriteString(w, `{"moved":true,"authorization":"`+r.Header.Get("Authorization")+`"}`)
	}
}

var redirects = []int{301, 302, 303, 307, 308}

func TestAReadFollowsARedirectWithinItsOrigin(t *testing.T) {
	for _, status := range redirects {
		for _, secure := range []bool{false, true} {
			target := "/v3/contacts/5"
			s := newSite(t, secure, redirectTo(&target, status))
			response, err := clientOf(t, s.URL, s).Main(within(t, callTime), request(http.MethodGet))
			require.NoError(t, err)
			assert.JSONEq(t, `{"moved":true,"authorization":"Bearer s3cret-token"}`, string(response.Body))
			assert.Equal(t, []string{"GET /v2/contacts/5", "GET /v3/contacts/5"}, s.seen())

			target = s.URL + "/v3/contacts/5"
			_, err = clientOf(t, s.URL, s).Main(within(t, callTime), request(http.MethodGet))
			require.NoError(t, err)
		}
	}
}

func TestAWriteNeverFollowsARedirectAndNeverTakesOneForSuccess(t *testing.T) {
	search := request(http.MethodPost)
	search.ReadOnly = true
	for _, status := range redirects {
		for _, r := range []Request{request(http.MethodDelete), request(http.MethodPost), request(http.MethodPatch), request(http.MethodPut), search} {
			target := "/v3/contacts/5"
			s := newSite(t, false, redirectTo(&target, status))
			client := clientOf(t, s.URL)
			response, err := client.Main(within(t, callTime), r)
			e := requireReason(t, err, errs.UnexpectedVendorAnswer)
			assert.Equal(t, status, e.Vendor.Status)
			assert.Equal(t, 502, e.HTTPStatus(), "a 3xx is not the caller's business")
			require.NotNil(t, response)
			assert.False(t, response.OK())
			assert.Equal(t, []string{r.Method + " /v2/contacts/5"}, s.seen(), "exactly one request, and nothing at the redirect's target")
			assert.False(t, client.DeleteResent())
		}
	}
}

func TestARedirectThatCannotBeReadIsAnAnswerLikeAnyOther(t *testing.T) {
	for _, location := range []string{"http://[::1", "http://%zz/", ":nonsense", "http://a b/"} {
		for _, method := range methods {
			s := newSite(t, false, redirectTo(&location, http.StatusFound))
			client := clientOf(t, s.URL)
			_, err := client.Main(within(t, callTime), request(method))
			e := requireReason(t, err, errs.UnexpectedVendorAnswer)
			assert.Equal(t, 302, e.Vendor.Status)
			assert.NotContains(t, err.Error(), location)
			assert.Len(t, s.seen(), 1, "%s to %q", method, location)
			assert.False(t, client.DeleteResent())
		}
	}
}

func TestARedirectWithoutATargetIsAnAnswerLikeAnyOther(t *testing.T) {
	s := newSite(t, false, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusFound) })
	_, err := clientOf(t, s.URL).Main(within(t, callTime), request(http.MethodGet))
	requireReason(t, err, errs.UnexpectedVendorAnswer)
	assert.Len(t, s.seen(), 1)
}

func TestARedirectElsewhereIsNotFollowedAndCarriesNoCredentials(t *testing.T) {
	ok := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{}`) }
	for name, where := range map[string]func(home, other *site) string{
		"another port":                  func(_, other *site) string { return other.URL + "/v2/contacts/5" },
		"another name of the same host": func(home, _ *site) string { return strings.Replace(home.URL, "127.0.0.1", "localhost", 1) + "/x" },
		"without a scheme":              func(_, other *site) string { return strings.TrimPrefix(other.URL, "http:") + "/x" },
		"user information": func(home, other *site) string {
			return "http://" + strings.TrimPrefix(home.URL, "http://") + "@" + strings.TrimPrefix(other.URL, "http://") + "/x"
		},
		"the vendor's own host": func(*site, *site) string { return "https://api.vendor.test/v2/contacts/5" },
	} {
		t.Run(name, func(t *testing.T) {
			var target string
			home, other := newSite(t, false, redirectTo(&target, http.StatusFound)), newSite(t, false, ok)
			target = where(home, other)
			_, err := clientOf(t, home.URL).Main(within(t, callTime), request(http.MethodGet))
			e := requireReason(t, err, errs.UnexpectedVendorAnswer)
			assert.Contains(t, e.Message, "redirect")
			assert.Len(t, home.seen(), 1)
			assert.Zero(t, other.connections.Load(), "not even a connection reaches the other server")
		})
	}
	t.Run("from https to http on the same host and port", func(t *testing.T) {
		var target string
		home := newSite(t, true, redirectTo(&target, http.StatusFound))
		target = strings.Replace(home.URL, "https:", "http:", 1) + "/x"
		_, err := clientOf(t, home.URL, home).Main(within(t, callTime), request(http.MethodGet))
		requireReason(t, err, errs.UnexpectedVendorAnswer)
		assert.EqualValues(t, 1, home.connections.Load())
	})
	t.Run("from https to http elsewhere", func(t *testing.T) {
		var target string
		home, other := newSite(t, true, redirectTo(&target, http.StatusFound)), newSite(t, false, ok)
		target = other.URL
		_, err := clientOf(t, home.URL, home).Main(within(t, callTime), request(http.MethodGet))
		requireReason(t, err, errs.UnexpectedVendorAnswer)
		assert.Zero(t, other.connections.Load())
	})
	t.Run("from http to https", func(t *testing.T) {
		var target string
		home, other := newSite(t, false, redirectTo(&target, http.StatusFound)), newSite(t, true, ok)
		target = other.URL
		_, err := clientOf(t, home.URL, other).Main(within(t, callTime), request(http.MethodGet))
		requireReason(t, err, errs.UnexpectedVendorAnswer)
		assert.Zero(t, other.connections.Load())
	})
	t.Run("elsewhere in a second step", func(t *testing.T) {
		other := newSite(t, false, ok)
		home := newSite(t, false, nil)
		home.handle = func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v2/contacts/5" {
				http.Redirect(w, r, "/step", http.StatusFound)
				return
			}
			http.Redirect(w, r, other.URL, http.StatusFound)
		}
		_, err := clientOf(t, home.URL).Main(within(t, callTime), request(http.MethodGet))
		requireReason(t, err, errs.UnexpectedVendorAnswer)
		assert.Len(t, home.seen(), 2)
		assert.Zero(t, other.connections.Load())
	})
}

func TestThreeRedirectsAreFollowedAndNoMore(t *testing.T) {
	for hops, fine := range map[int]bool{3: true, 4: false, 100: false} {
		var left atomic.Int64
		left.Store(int64(hops))
		s := newSite(t, false, func(w http.ResponseWriter, r *http.Request) {
			if left.Add(-1) >= 0 {
				http.Redirect(w, r, "/again", http.StatusFound)
				return
			}
			_, _ = io.WriteString(w, `{}`)
		})
		_, err := clientOf(t, s.URL).Main(within(t, callTime), request(http.MethodGet))
		if fine {
			require.NoError(t, err)
		} else {
			requireReason(t, err, errs.UnexpectedVendorAnswer)
		}
		assert.Len(t, s.seen(), 4, "%d hops", hops)
	}
}

func TestACallHasItsConnectionToItself(t *testing.T) {
	var protocol atomic.Value
	s := newSite(t, true, func(w http.ResponseWriter, r *http.Request) {
		protocol.Store(r.Proto)
		_, _ = io.WriteString(w, `{}`)
	})
	_, err := clientOf(t, s.URL, s).Main(within(t, callTime), request(http.MethodGet))
	require.NoError(t, err)
	assert.Equal(t, "HTTP/1.1", protocol.Load(), "over HTTP/2 one broken connection would take every call to the vendor with it")
}

func TestACertificateThatIsNotTrustedIsNeverTalkedTo(t *testing.T) {
	s := newSite(t, true, func(http.ResponseWriter, *http.Request) {})
	client := clientOf(t, s.URL)
	client.pool.backoff = noWait
	_, err := client.Main(within(t, callTime), request(http.MethodPost))
	requireReason(t, err, errs.VendorUnavailable)
	assert.Empty(t, s.seen())
	u, parseErr := url.Parse(s.URL)
	require.NoError(t, parseErr)
	assert.NotContains(t, err.Error(), u.Port())
}
