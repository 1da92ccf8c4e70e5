package vendorhttp

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/errs"
)

// Sent is a request as it goes out, credentials struck out: for callers who
// want to see what a write would do, or what a call did.
type Sent struct {
	Method, URL string
	Header      []errs.Header
	Body        []byte
	// Main tells it from the look-ups beside it.
	Main bool
}

// Noted are the requests of a dry run, in order.
func (c *Client) Noted() []Sent { return c.noted }

// MainRequest is the last Main request that was sent, nil before one.
func (c *Client) MainRequest() *Sent {
	if c.mainRequest == nil {
		return nil
	}
	return new(c.mainRequest())
}

// Proto gives the protocol's form.
func (s Sent) Proto() *providerv1.VendorRequest {
	p := &providerv1.VendorRequest{Method: s.Method, Url: strings.ToValidUTF8(s.URL, "\uFFFD"), Body: s.Body, Main: s.Main}
	for _, h := range s.Header {
		p.Headers = append(p.Headers, h.Proto())
	}
	return p
}

// Join takes over what another client of the same call noted and was answered.
func (c *Client) Join(other *Client) {
	c.noted = append(c.noted, other.noted...)
	if other.main != nil {
		c.main, c.mainRequest = other.main, other.mainRequest
	}
	if other.written != nil {
		c.written = other.written
	}
}

func (c *Client) describe(request *Request, target *url.URL, body []byte, isMain bool) Sent {
	sent := Sent{Method: request.Method, URL: c.options.Secrets.Text(target.String()), Main: isMain}
	if body != nil {
		sent.Body = c.options.Secrets.JSON(body)
	}
	header := http.Header{"Accept": {"application/json"}}
	if body != nil {
		header.Set("Content-Type", "application/json")
	}
	for _, more := range []http.Header{c.vendor.Header, request.Header} {
		for name, values := range more {
			header[http.CanonicalHeaderKey(name)] = values
		}
	}
	sent.Header = c.plainHeaders(header)
	return sent
}

// secretHeaders are parts of the names of headers that are left out whatever
// they hold: what is in them may be derived from a secret, and then it is not
// known.
var secretHeaders = []string{"auth", "cookie", "secret", "token", "password", "credential", "signature", "session", "api-key", "apikey"}

func isSecretHeader(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc(secretHeaders, func(part string) bool { return strings.Contains(name, part) })
}

// plainHeaders are the headers that may be shown, in the order of their names.
func (c *Client) plainHeaders(header http.Header) []errs.Header {
	var plain []errs.Header
	for name, values := range header {
		if isSecretHeader(name) || c.options.Secrets.Text(name) != name || c.options.Secrets.Text(strings.ToLower(name)) != strings.ToLower(name) {
			continue
		}
		for _, value := range values {
			plain = append(plain, errs.Header{Name: name, Value: c.options.Secrets.Text(value)})
		}
	}
	slices.SortStableFunc(plain, func(a, b errs.Header) int { return strings.Compare(a.Name, b.Name) })
	return plain
}

// MainAnswer is the answer to the last Main request with its headers; nil
// before one.
func (c *Client) MainAnswer() *errs.VendorAnswer {
	if c.main == nil {
		return nil
	}
	answer := c.main.Answer()
	answer.Headers = c.plainHeaders(c.main.Header)
	return answer
}
