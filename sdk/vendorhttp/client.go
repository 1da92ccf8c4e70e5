package vendorhttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"

	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/redact"
)

// maxRetries is how often a request is sent again after the first try.
const maxRetries = 3

// Vendor is what a provider says of its vendor's API for one account.
type Vendor struct {
	// Name is how messages call the vendor, such as "Zendesk Sell".
	Name string
	// BaseURL is scheme, host and the path that all paths are below.
	BaseURL string
	// Header goes with every request; it holds the credentials.
	Header http.Header
	// Explain classifies a non-2xx answer where its status alone would mislead.
	// Nil, or a nil result, leaves it to the status. The answer is attached
	// by the client.
	Explain func(*Response) *errs.Error
	// RateLimit reads the vendor's limit headers. Optional.
	RateLimit func(http.Header) *errs.RateLimit
	// RetryWait says how long to wait before a 429 or a 503 with Retry-After
	// is sent again, and whether that can help at all. Optional: without it
	// Retry-After counts, and a growing wait where a 429 has none.
	RetryWait func(r *Response, try int) (wait time.Duration, again bool)
}

// Options are what a call brings.
type Options struct {
	BaseURLOverride string
	// RemoteQuery are the caller's own parameters for the main call.
	RemoteQuery []Param
	Secrets     *redact.Secrets
	Log         hclog.Logger
	// BeforeWrite is asked before every request that is no read; its error ends
	// the request unsent. Optional.
	BeforeWrite func() error
	// DryRun notes every request instead of sending it; see ErrNotSent.
	DryRun bool
	// Pace is waited for before every request. Optional.
	Pace *rate.Limiter
}

// ErrNotSent is what every request of a dry run ends in. Where a look-up ends
// so, go on without its answer, so that the requests after it are noted too.
var ErrNotSent = errors.New("nothing is sent in a dry run")

// Client talks to a vendor for one account, within one call of the protocol.
type Client struct {
	pool    *Pool
	vendor  Vendor
	options Options
	origin  origin

	main         *Response
	mainRequest  func() Sent // nil before one; described only when it is asked for
	noted        []Sent
	written      *Response // to the last Main request that changed something
	deleteResent bool
}

// Client makes a client. The error is an invalid_parameter when the
// account's credentials name a host that is not the vendor's.
func (p *Pool) Client(vendor Vendor, options Options) (*Client, error) {
	o, err := p.newOrigin(vendor.BaseURL, options.BaseURLOverride)
	if err != nil {
		return nil, errs.New(errs.InvalidParameter, "the account's address is not usable: %s", err)
	}
	if options.Log == nil {
		options.Log = hclog.NewNullLogger()
	}
	return &Client{pool: p, vendor: vendor, options: options, origin: o}, nil
}

// Main sends the request that the caller asked for: it carries the caller's
// remote_query, and its answer is what the raw format shows. The last Main
// call of a method counts. A non-2xx answer is an error.
func (c *Client) Main(ctx context.Context, request Request) (*Response, error) {
	response, resent, err := c.send(ctx, request, c.options.RemoteQuery, true)
	if response != nil {
		c.main = response
		if err == nil && !request.readOnly() {
			c.written = response
		}
	}
	c.deleteResent = resent
	return response, err
}

// Written is the 2xx answer to the last Main request that was no read, nil
// before one.
func (c *Client) Written() *Response { return c.written }

// Side sends a request beside the main one, such as a look-up of names. A
// non-2xx answer is an error; whether that matters is the provider's to say.
func (c *Client) Side(ctx context.Context, request Request) (*Response, error) {
	response, _, err := c.send(ctx, request, nil, false)
	return response, err
}

// MainResponse is the answer to the last Main call, nil before one.
func (c *Client) MainResponse() *Response { return c.main }

// DeleteResent tells whether the last Main call was a DELETE that was sent a
// second time because the connection broke after the first: a "not found" then
// means that it is gone.
func (c *Client) DeleteResent() bool { return c.deleteResent }

// PageLink takes the query of a next-page link, having made sure that the
// link points to where this client talks: the origin in use or, without an
// override, an allowed host of the vendor.
func (c *Client) PageLink(link string) (url.Values, error) {
	u, err := url.Parse(link)
	if err != nil {
		return nil, errs.New(errs.UnexpectedVendorAnswer, "%s gave a next-page link that is not a URL", c.vendor.Name)
	}
	if u.Host == "" || (u.Scheme == c.origin.base.Scheme && u.Host == c.origin.base.Host) {
		return u.Query(), nil
	}
	if err := c.pool.CheckHost(u); err != nil {
		return nil, errs.New(errs.UnexpectedVendorAnswer, "%s gave a next-page link that is not followed: %s", c.vendor.Name, err)
	}
	return u.Query(), nil
}

// send makes the request, again where design and vendor allow it:
//
//   - it provably was not sent (no connection): any method;
//   - 429, or 503 with Retry-After, when the wait fits the deadline;
//   - the connection broke after it was written: a read, and a DELETE once.
//
// resent tells whether a DELETE went out again by the last of these.
func (c *Client) send(ctx context.Context, request Request, remoteQuery []Param, isMain bool) (_ *Response, resent bool, _ error) {
	if !request.readOnly() && c.options.BeforeWrite != nil {
		if err := c.options.BeforeWrite(); err != nil {
			return nil, false, err
		}
	}
	target, err := request.url(c.origin, remoteQuery)
	if err != nil {
		return nil, false, err
	}
	body, err := request.encodeBody()
	if err != nil {
		return nil, false, err
	}
	if c.options.DryRun {
		c.noted = append(c.noted, c.describe(&request, target, body, isMain))
		return nil, false, ErrNotSent
	}
	if isMain {
		c.mainRequest = sync.OnceValue(func() Sent { return c.describe(&request, target, body, isMain) })
	}
	var response *Response
	for try := 0; ; try++ {
		if !c.turn(ctx) {
			switch {
			case errors.Is(ctx.Err(), context.Canceled):
				return nil, resent, ctx.Err()
			case try == 0:
				err = errs.New(errs.VendorTimeout, "the time was up before the %s was sent to %s, so nothing was done", request.Method, c.vendor.Name)
			}
			return response, resent, c.final(err, resent) // that of the try before
		}
		var written bool
		response, written, err = c.try(ctx, &request, target, body)
		wait, again, broke := time.Duration(0), false, false
		var ours *errs.Error
		switch {
		case err == nil && response.OK():
			return response, resent, nil
		case err == nil:
			wait, again = c.retryWait(response, try)
			e := c.explain(response)
			if again && e.RetryAfter == 0 && c.vendor.RetryWait != nil {
				e.RetryAfter = wait // the provider read it elsewhere
			}
			err = e
		case errors.As(err, &ours):
		case ctx.Err() != nil:
			return nil, resent, c.timeIsUp(ctx, &request, written || resent)
		case request.readOnly(), !written && !resent:
			wait, again = c.pool.backoff(try), true
			err = c.unreachable(err)
		default:
			broke = true
			wait, again = c.pool.backoff(try), request.Method == http.MethodDelete && !resent
			err = c.outcomeUnknown(err)
		}
		if !again || try >= maxRetries || !sleep(ctx, wait) {
			if again && errors.Is(ctx.Err(), context.Canceled) {
				return nil, resent, ctx.Err()
			}
			return response, resent, c.final(err, resent)
		}
		resent = resent || broke
		c.options.Log.Debug("sending again", "method", request.Method, "try", try+2, "after", wait, "cause", err)
	}
}

// final is the error of a request that is not sent again: of a DELETE that was
// sent twice the first may have taken effect, whatever the second came to.
func (c *Client) final(err error, resent bool) error {
	if resent && !errs.Is(err, errs.RecordNotFound) {
		return c.outcomeUnknown(err)
	}
	return err
}

// paceMargin is what must be left of a call's time for a request that had to
// wait for its turn: one that is cut off at once is worse than one not sent.
const paceMargin = 250 * time.Millisecond

// turn waits until a request may go out; it may not when that takes too long.
func (c *Client) turn(ctx context.Context) bool {
	if c.options.Pace == nil {
		return true
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-paceMargin))
		defer cancel()
	}
	return c.options.Pace.Wait(ctx) == nil
}

// try sends once. written tells whether any of the request may have reached
// the vendor.
func (c *Client) try(ctx context.Context, request *Request, target *url.URL, body []byte) (_ *Response, written bool, _ error) {
	var sent atomic.Bool
	traced := httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// From the moment a connection is at hand nothing is provable any more.
		GotConn: func(httptrace.GotConnInfo) { sent.Store(true) },
	})
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	req, err := http.NewRequestWithContext(traced, request.Method, target.String(), reader)
	if err != nil {
		return nil, false, errs.New(errs.PluginBug, "make the request: %v", err)
	}
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.pool.userAgent != "" {
		req.Header.Set("User-Agent", c.pool.userAgent)
	}
	for _, header := range []http.Header{c.vendor.Header, request.Header} {
		for name, values := range header {
			if slices.ContainsFunc(values, hasControl) {
				return nil, false, errs.New(errs.InvalidParameter, "the account's credentials cannot be sent in the header %s: they hold a line end or another control character", name)
			}
			req.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	answer, err := c.pool.http.Do(req)
	if err != nil {
		return nil, sent.Load(), err
	}
	defer answer.Body.Close()
	limit := MaxBody
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		limit = maxErrorBody
	}
	data, err := io.ReadAll(io.LimitReader(answer.Body, int64(limit)+1))
	if err != nil {
		return nil, true, fmt.Errorf("read the answer: %w", err)
	}
	response := &Response{Status: answer.StatusCode, Header: answer.Header, Body: data, secrets: c.options.Secrets}
	switch {
	case len(data) > limit && limit == maxErrorBody:
		response.Body, response.truncated = data[:limit], true
	case len(data) > limit:
		tooLong := response.Error(errs.UnexpectedVendorAnswer, "%s answered %d with more than %d MiB; ask for fewer records at once", c.vendor.Name, answer.StatusCode, MaxBody>>20)
		tooLong.Vendor.Body, tooLong.Vendor.Truncated = tooLong.Vendor.Body[:errs.MaxDetail], true
		return nil, true, tooLong
	}
	if len(answer.Status) > 4 {
		response.Reason = answer.Status[4:]
	}
	if c.vendor.RateLimit != nil {
		response.RateLimit = c.vendor.RateLimit(answer.Header)
	}
	return response, true, nil
}

// hasControl tells whether a text cannot stand in a header. net/http would say
// so only after the fact, like a connection that could not be made.
func hasControl(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return (r < ' ' && r != '\t') || r == 0x7f })
}

func (c *Client) explain(response *Response) *errs.Error {
	if response.Status >= 300 && response.Status < 400 {
		return response.Error(errs.UnexpectedVendorAnswer, "%s answered %d with a redirect that is not followed", c.vendor.Name, response.Status)
	}
	if c.vendor.Explain != nil {
		if e := c.vendor.Explain(response); e != nil {
			e := new(*e) // it may be shared between calls
			if e.Vendor == nil {
				attached := response.Error(e.Reason, "%s", e.Message)
				e.Message, e.Vendor, e.RateLimit = attached.Message, attached.Vendor, attached.RateLimit
				if e.RetryAfter == 0 {
					e.RetryAfter = attached.RetryAfter
				}
			}
			if e.Message == "" {
				e.Message = response.defaultError(c.vendor.Name).Message
			}
			return e
		}
	}
	return response.defaultError(c.vendor.Name)
}

func (c *Client) retryWait(response *Response, try int) (time.Duration, bool) {
	after, given := RetryAfter(response.Header, time.Now())
	if response.Status != http.StatusTooManyRequests && (response.Status != http.StatusServiceUnavailable || !given) {
		return 0, false
	}
	if c.vendor.RetryWait != nil {
		return c.vendor.RetryWait(response, try)
	}
	if given {
		return after, true
	}
	return c.pool.backoff(try), true
}

// timeIsUp is the error of a request that the call's time does not suffice for.
func (c *Client) timeIsUp(ctx context.Context, request *Request, written bool) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	if written && !request.readOnly() {
		return errs.New(errs.OutcomeUnknown, "%s did not answer the %s in time, so whether it took effect is not known", c.vendor.Name, request.Method)
	}
	return errs.New(errs.VendorTimeout, "%s did not answer in time", c.vendor.Name)
}

func (c *Client) unreachable(err error) error {
	return &errs.Error{Reason: errs.VendorUnavailable, Message: c.vendor.Name + " could not be reached: " + c.options.Secrets.Text(plainCause(err)), Cause: err}
}

func (c *Client) outcomeUnknown(err error) error {
	return &errs.Error{
		Reason:  errs.OutcomeUnknown,
		Message: "the connection to " + c.vendor.Name + " broke before its answer, so whether the call took effect is not known",
		Cause:   err,
	}
}

// plainCause leaves out the URL that net/http puts before the cause: its query
// may hold the caller's data.
func plainCause(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "it closed the connection before the end of its answer"
	}
	return err.Error()
}

// fullJitter is a random wait of up to 0.5, 1, 2 seconds and so on.
func fullJitter(try int) time.Duration {
	return time.Duration(rand.Int64N(int64(500*time.Millisecond) << min(try, 6)))
}

// sleep waits, unless that would outlast the context.
func sleep(ctx context.Context, wait time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
