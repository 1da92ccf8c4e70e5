// Package vendorhttp is the HTTP client kit for talking to a vendor. It owns
// what every provider needs and none should write again: one pooled client for
// the process, deadlines, a cap on answers, an allow-list of hosts that also
// holds for redirects and next-page links, escaping of path segments, bounded
// retries, classification of errors, and the striking of secrets.
//
// What it leaves to a provider: which requests to make, and what a vendor's
// answer means beyond its status.
package vendorhttp

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MaxBody is the most that is read of a vendor's answer, in bytes.
const MaxBody = 16 << 20

// maxErrorBody is the most that is read of an answer other than 2xx. Callers
// see 64 KiB of it; reading it as JSON costs many times its size.
const maxErrorBody = 256 << 10

// maxRedirects is how many redirects a read follows, all to the same origin.
const maxRedirects = 3

// Pool is the connection pool of a process. It is safe for concurrent use.
type Pool struct {
	http         *http.Client
	allowedHosts []string
	userAgent    string
	// backoff is the wait before a try counted from zero; tests replace it.
	backoff func(try int) time.Duration
}

// NewPool makes a pool that talks to the allowed hosts only: names, or
// "*.example.com" for every name below one. userAgent is sent with each
// request that sets none of its own.
func NewPool(allowedHosts []string, userAgent string) *Pool {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns = 256
	transport.MaxIdleConnsPerHost = 64
	transport.IdleConnTimeout = 60 * time.Second
	transport.TLSHandshakeTimeout = 10 * time.Second
	transport.MaxResponseHeaderBytes = 1 << 20
	// One connection carries one call at a time: when it breaks, no other
	// customer's write is in doubt with it.
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(true)
	transport.DialContext = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	return &Pool{
		http: &http.Client{
			Transport:     once{transport},
			CheckRedirect: checkRedirect,
		},
		allowedHosts: allowedHosts,
		userAgent:    userAgent,
		backoff:      fullJitter,
	}
}

// Close ends the idle connections.
func (p *Pool) Close() { p.http.CloseIdleConnections() }

// once sends each request once. http.Transport by itself sends some again when
// a kept connection breaks, uncounted: reads, and writes with an idempotency
// key. It does so only with a body that it can have anew.
type once struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (t once) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Header.Get("Idempotency-Key") != "" || r.Header.Get("X-Idempotency-Key") != "" {
		r = r.WithContext(r.Context()) // a copy: the caller's must stay as it is
		r.GetBody = nil
		if r.Body == nil {
			r.Body = io.NopCloser(strings.NewReader("")) // goes out as no body at all
		}
	}
	answer, err := t.Transport.RoundTrip(r)
	if err == nil {
		// http.Client would make an error of a Location that it cannot read,
		// which looks like a connection that broke.
		if _, bad := r.URL.Parse(answer.Header.Get("Location")); bad != nil {
			answer.Header.Del("Location")
		}
	}
	return answer, err
}

// checkRedirect follows a redirect only for a read, only to the very origin of
// the first request. Anything else would either carry credentials to a place
// that the operator did not name or, as with a DELETE answered by a 302, turn
// a write into a read whose success means nothing.
func checkRedirect(next *http.Request, via []*http.Request) error {
	first := via[0]
	safe := first.Method == http.MethodGet || first.Method == http.MethodHead
	if !safe || len(via) > maxRedirects || next.URL.Scheme != first.URL.Scheme || next.URL.Host != first.URL.Host {
		return http.ErrUseLastResponse
	}
	return nil
}

// origin is where an account's calls go.
type origin struct {
	base       *url.URL // scheme, authority and the vendor's own base path
	overridden bool
}

// newOrigin combines a vendor's base URL with an override. Without one the
// URL must be https at an allowed host and the default port.
func (p *Pool) newOrigin(base, override string) (origin, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return origin{}, errors.New("it is not a URL with a host and a path") // not shown: people paste keys into the wrong box
	}
	if override != "" {
		o, err := ParseBaseURL(override)
		if err != nil {
			return origin{}, err
		}
		u.Scheme, u.Host = o.Scheme, o.Host
		return origin{base: u, overridden: true}, nil
	}
	if err := p.CheckHost(u); err != nil {
		return origin{}, err
	}
	return origin{base: u}, nil
}

// ParseBaseURL reads a base_url override: scheme://host[:port], nothing more.
func ParseBaseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.Hostname() == "":
		return nil, errors.New("base_url must be http:// or https:// and a host")
	case u.User != nil:
		return nil, errors.New("base_url must not hold a user or password")
	case strings.HasSuffix(u.Host, ":"), u.Port() != "" && !validPort(u.Port()):
		return nil, errors.New("base_url has a port that is not between 1 and 65535")
	case u.Path != "" && u.Path != "/", u.RawQuery != "", u.ForceQuery, u.Fragment != "":
		return nil, errors.New("base_url must be scheme://host[:port] without a path, query or fragment")
	}
	return u, nil
}

func validPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return err == nil && port > 0
}

// CheckHost tells whether a URL is https at an allowed host on the default port.
func (p *Pool) CheckHost(u *url.URL) error {
	if u.Scheme != "https" {
		return fmt.Errorf("%s is not https", u.Redacted())
	}
	if port := u.Port(); port != "" && port != "443" {
		return fmt.Errorf("port %s is not allowed", port)
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	for _, allowed := range p.allowedHosts {
		if suffix, wild := strings.CutPrefix(allowed, "*."); wild {
			if labels, ok := strings.CutSuffix(host, "."+suffix); ok && !slices.Contains(strings.Split(labels, "."), "") {
				return nil
			}
		} else if host == allowed {
			return nil
		}
	}
	return fmt.Errorf("host %q is not one of the vendor's", host)
}
