package vendorhttp

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/redact"
)

// with makes a client that reaches only the scripted vendor.
func (v *scripted) with(vendor Vendor, options Options) *Client {
	client := v.client(vendor)
	options.BaseURLOverride = "http://vendor.test"
	return clientFor(v.t, client.pool, vendor, options)
}

func TestADryRunNotesRequestsAsTheyWouldGoOutAndSendsNone(t *testing.T) {
	vendor := script(t, answers(200, `{}`))
	client := vendor.with(
		Vendor{Header: http.Header{"Authorization": {"Bearer x"}, "X-Site": {"s1"}, "X-Key": {"secret-0123"}}},
		Options{DryRun: true, Secrets: redact.New("secret-0123"), RemoteQuery: []Param{{"notify", "a b&c"}, {"key", "secret-0123"}}},
	)
	look := Request{Method: http.MethodGet, Path: []string{"find"}, Fixed: []Param{{"email", "a+b@c.test"}}}
	for _, request := range []Request{look, {Method: http.MethodPost, Path: []string{"search"}, ReadOnly: true, Body: map[string]any{"q": 1}}} {
		response, err := client.Side(t.Context(), request)
		require.ErrorIs(t, err, ErrNotSent)
		assert.Nil(t, response)
	}
	write := Request{Method: http.MethodPut, Path: []string{"contacts", "a/b"}, Query: []Param{{"notify", "all"}}, Header: http.Header{"x-once": {"1"}}, Body: map[string]string{"name": "<Ada> secret-0123"}}
	_, err := client.Main(t.Context(), write)
	require.ErrorIs(t, err, ErrNotSent)
	noted := client.Noted()
	require.Len(t, noted, 3)
	assert.Equal(t, "http://vendor.test/v2/find?email=a%2Bb%40c.test", noted[0].URL)
	assert.Empty(t, noted[0].Body)
	assert.False(t, noted[0].Main)
	assert.Equal(t, `{"q":1}`, string(noted[1].Body))
	last := noted[2]
	assert.Equal(t, Sent{
		Method: "PUT", URL: "http://vendor.test/v2/contacts/a%2Fb?notify=a%20b%26c&key=[redacted]", Body: []byte(`{"name":"<Ada> [redacted]"}`), Main: true,
		Header: []errs.Header{{Name: "Accept", Value: "application/json"}, {Name: "Content-Type", Value: "application/json"}, {Name: "X-Key", Value: "[redacted]"}, {Name: "X-Once", Value: "1"}, {Name: "X-Site", Value: "s1"}},
	}, last)
	assert.Nil(t, client.MainResponse())
	assert.Nil(t, client.MainRequest(), "none was sent")
	assert.Nil(t, client.MainAnswer())
	assert.Zero(t, vendor.dialled())

	bad := write
	bad.Fixed = []Param{{"notify", "x"}}
	_, err = client.Main(t.Context(), bad)
	requireReason(t, err, errs.InvalidParameter)
	assert.Len(t, client.Noted(), 3, "what could not be sent is not shown as if it could")
}

func TestTheMainRequestIsToldAsItWentOut(t *testing.T) {
	vendor := script(t, answers(200, `{"echo":"secret-0123"}`, "X-Id: 7", "X-Echo: secret-0123", "Set-Cookie: a=b", "Www-Authenticate: Bearer"))
	client := vendor.with(Vendor{}, Options{Secrets: redact.New("secret-0123")})
	_, err := client.Side(t.Context(), request(http.MethodGet))
	require.NoError(t, err)
	assert.Nil(t, client.MainRequest())
	_, err = client.Main(t.Context(), request(http.MethodPost))
	require.NoError(t, err)
	sent := client.MainRequest()
	require.NotNil(t, sent)
	assert.Equal(t, "POST", sent.Method)
	assert.Equal(t, `{"name":"Ada"}`, string(sent.Body))
	answer := client.MainAnswer()
	assert.Equal(t, `{"echo":"[redacted]"}`, string(answer.Body))
	assert.Equal(t, []errs.Header{{Name: "Content-Length", Value: "22"}, {Name: "X-Echo", Value: "[redacted]"}, {Name: "X-Id", Value: "7"}}, answer.Headers)
	assert.Empty(t, client.Noted(), "notes are of dry runs")
}

func TestHeadersThatMayHoldSecretsAreLeftOutWhateverTheyHold(t *testing.T) {
	for name, secret := range map[string]bool{
		"Authorization": true, "Proxy-Authorization": true, "Cookie": true, "Set-Cookie": true, "X-Auth-Token": true, "X-Api-Key": true, "Apikey": true, "X-Csrf-Token": true,
		"X-Signature": true, "X-Session-Id": true, "Client-Secret": true, "Www-Authenticate": true,
		"Content-Type": false, "X-Request-Id": false, "X-Ratelimit-Remaining": false, "Idempotency-Key": false, "Retry-After": false, "Etag": false, "Wix-Site-Id": false,
	} {
		assert.Equal(t, secret, isSecretHeader(name), name)
	}
}

func TestASecretIsStruckOutOfAURLHoweverItIsEscapedThere(t *testing.T) {
	const secret = "a[b],c /+=&%é"
	vendor := script(t, answers(200, `{}`))
	client := vendor.with(Vendor{}, Options{DryRun: true, Secrets: redact.New(secret), RemoteQuery: []Param{{"q", secret}}})
	_, err := client.Main(t.Context(), Request{Method: http.MethodGet, Path: []string{"x", secret}})
	require.ErrorIs(t, err, ErrNotSent)
	assert.Equal(t, "http://vendor.test/v2/x/[redacted]?q=[redacted]", client.Noted()[0].URL)
}

func TestWhatIsAskedBeforeAWriteStopsItAndNoRead(t *testing.T) {
	stop := errors.New("not like this")
	vendor := script(t, answers(200, `{}`))
	client := vendor.with(Vendor{}, Options{BeforeWrite: func() error { return stop }})
	for _, method := range methods {
		_, err := client.Main(t.Context(), request(method))
		_, side := client.Side(t.Context(), request(method))
		if method == http.MethodGet {
			require.NoError(t, err)
			require.NoError(t, side)
			continue
		}
		require.ErrorIs(t, err, stop, method)
		require.ErrorIs(t, side, stop, method)
	}
	_, err := client.Side(t.Context(), Request{Method: http.MethodPost, Path: []string{"search"}, ReadOnly: true})
	require.NoError(t, err)
	assert.Len(t, vendor.requests(), 3)
	dry := vendor.with(Vendor{}, Options{DryRun: true, BeforeWrite: func() error { return stop }})
	_, err = dry.Main(t.Context(), request(http.MethodPost))
	require.ErrorIs(t, err, stop, "a dry run tells of it too")
}

func TestOneClientTakesOverWhatAnotherWasAnswered(t *testing.T) {
	vendor := script(t, answers(200, `{"n":1}`), answers(200, `{"n":2}`))
	first := vendor.with(Vendor{}, Options{})
	second := clientFor(t, first.pool, Vendor{}, Options{BaseURLOverride: "http://vendor.test"})
	none := clientFor(t, first.pool, Vendor{}, Options{BaseURLOverride: "http://vendor.test"})
	for _, c := range []*Client{first, second} {
		_, err := c.Main(t.Context(), request(http.MethodPut))
		require.NoError(t, err)
	}
	first.Join(second)
	first.Join(none)
	assert.Equal(t, `{"n":2}`, string(first.MainAnswer().Body))
	assert.NotNil(t, first.MainRequest())
}

func TestRequestsWaitForTheirTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := script(t, answers(200, `{}`))
		client := vendor.with(Vendor{}, Options{Pace: rate.NewLimiter(2, 1)})
		began := time.Now()
		for range 3 {
			_, err := client.Main(within(t, callTime), request(http.MethodDelete))
			require.NoError(t, err)
		}
		assert.Equal(t, time.Second, time.Since(began))
		client.pool.Close()
		synctest.Wait()
	})
}

func TestATurnThatComesTooLateIsNotTakenAndNothingIsSent(t *testing.T) {
	for name, left := range map[string]time.Duration{"beyond the call's time": 5 * time.Second, "at its very end": 10*time.Second + paceMargin/2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				vendor := script(t, answers(200, `{}`))
				client := vendor.with(Vendor{}, Options{Pace: rate.NewLimiter(rate.Every(10*time.Second), 1)})
				_, err := client.Main(within(t, callTime), request(http.MethodDelete))
				require.NoError(t, err)
				began := time.Now()
				_, err = client.Main(within(t, left), request(http.MethodDelete))
				e := requireReason(t, err, errs.VendorTimeout)
				assert.Contains(t, e.Message, "before the DELETE was sent to Acme CRM, so nothing was done")
				assert.Less(t, time.Since(began), time.Second, "it is known at once")
				assert.Len(t, vendor.requests(), 1)
				client.pool.Close()
				synctest.Wait()
			})
		})
	}
}

func TestACallThatIsCancelledWhileItWaitsForItsTurnSendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		vendor := script(t, answers(200, `{}`))
		client := vendor.with(Vendor{}, Options{Pace: rate.NewLimiter(rate.Every(10*time.Second), 1)})
		_, err := client.Main(within(t, callTime), request(http.MethodDelete))
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(within(t, callTime))
		time.AfterFunc(time.Second, cancel)
		_, err = client.Main(ctx, request(http.MethodDelete))
		require.ErrorIs(t, err, context.Canceled)
		assert.Len(t, vendor.requests(), 1)
		client.pool.Close()
		synctest.Wait()
	})
}

// The wait for a turn between two tries must not hide what the first one came
// to: a caller goes by the reason.
func TestATryThatGetsNoTurnEndsAsTheOneBeforeIt(t *testing.T) {
	lost := func(conn net.Conn) bool { return false }
	for name, c := range map[string]struct {
		method string
		first  step
		reason errs.Reason
	}{
		"refused for its rate": {http.MethodPost, answers(429, `{}`), errs.VendorRateLimited},
		"a broken read":        {http.MethodGet, lost, errs.VendorUnavailable},
		"a broken delete":      {http.MethodDelete, lost, errs.OutcomeUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				vendor := script(t, c.first, func(conn net.Conn) bool {
					_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
					return true
				})
				client := vendor.with(Vendor{}, Options{Pace: rate.NewLimiter(rate.Every(time.Hour), 1)})
				_, err := client.Main(within(t, callTime), request(c.method))
				requireReason(t, err, c.reason)
				assert.Len(t, vendor.requests(), 1)
				client.pool.Close()
				synctest.Wait()
			})
		})
	}
}

func TestSentRequestsAndHeadersCrossTheProtocolWhateverIsInThem(t *testing.T) {
	sent := Sent{Method: "GET", URL: "http://v.test/\xff", Header: []errs.Header{{Name: "X", Value: strings.Repeat("é", 5000) + "\xff"}}, Body: []byte("{}"), Main: true}
	p := sent.Proto()
	assert.Equal(t, "http://v.test/\uFFFD", p.GetUrl())
	assert.LessOrEqual(t, len(p.GetHeaders()[0].GetValue()), 4<<10)
	assert.True(t, p.GetMain())
}
