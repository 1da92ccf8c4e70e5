package sdk

import (
	"encoding/json"
	"strings"

	"github.com/hashicorp/go-hclog"

	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/redact"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

// Call is one call of the host: the account that it is for and what the
// caller asked beside. It is used by one goroutine at a time and is of no use
// after the function that it was given to has returned.
type Call struct {
	account     *providerv1.Account
	remoteQuery []vendorhttp.Param
	secrets     *callSecrets
	log         hclog.Logger
	pool        *vendorhttp.Pool

	client  *vendorhttp.Client
	partial bool
}

// NewCall makes a call outside a plugin process, for a provider's own tests:
// credentials are the account's context, baseURL the emulator's address.
func NewCall(provider Provider, method string, credentials json.RawMessage, baseURL string, remoteQuery ...vendorhttp.Param) *Call {
	account := &providerv1.Account{Id: "test", AuthenticationMethod: method, Credentials: credentials, BaseUrl: baseURL}
	secrets := newCallSecrets(redact.New(), provider.secretsIn(account))
	call := newCall(secrets, vendorhttp.NewPool(provider.AllowedHosts, "unicrm-test"), hclog.NewNullLogger(), &providerv1.CallContext{Account: account})
	call.remoteQuery = remoteQuery
	return call
}

// WithRevision gives the account a revision, without which caches keep nothing.
// It is for tests; the host sets its own.
func (c *Call) WithRevision(revision string) *Call {
	c.account.Revision = revision
	return c
}

func newCall(secrets *callSecrets, pool *vendorhttp.Pool, log hclog.Logger, context *providerv1.CallContext) *Call {
	call := &Call{account: context.GetAccount(), secrets: secrets, pool: pool, log: log.With("account_id", context.GetAccount().GetId(), "request_id", context.GetRequestId())}
	for _, p := range context.GetRemoteQuery() {
		call.remoteQuery = append(call.remoteQuery, vendorhttp.Param{Name: p.GetName(), Value: p.GetValue()})
	}
	return call
}

// AccountID is the host's id of the account, for caches and logs. It is not
// sent to the vendor.
func (c *Call) AccountID() string { return c.account.GetId() }

// AuthenticationMethod is the name of the method that the credentials fit.
func (c *Call) AuthenticationMethod() string { return c.account.GetAuthenticationMethod() }

// Credentials decodes the account's credentials into v.
func (c *Call) Credentials(v any) error {
	if err := json.Unmarshal(c.account.GetCredentials(), v); err != nil {
		// The decoder's error can quote the credentials.
		return errs.New(errs.InvalidParameter, "the account's credentials do not fit the provider's schema")
	}
	return nil
}

// Log writes to the host's log, with the account and the request.
func (c *Call) Log() hclog.Logger { return c.log }

// Client gives the HTTP client for this call. A call has one client: what its
// last Main request was answered is the answer of the call. What the vendor's
// Authorization header holds is struck out of errors and logs from here on, in
// whatever way the provider has put it together.
func (c *Call) Client(vendor vendorhttp.Vendor) (*vendorhttp.Client, error) {
	for _, value := range vendor.Header.Values("Authorization") {
		_, credentials, _ := strings.Cut(value, " ")
		c.secrets.add(value, credentials)
	}
	client, err := c.pool.Client(vendor, vendorhttp.Options{
		BaseURLOverride: c.account.GetBaseUrl(),
		RemoteQuery:     c.remoteQuery,
		Secrets:         c.secrets.own,
		Log:             c.log,
	})
	if err != nil {
		return nil, err
	}
	c.client = client
	return client, nil
}

// Partial notes that something beside the records could not be had, such as
// the names of companies. The call still succeeds, without the missing part.
func (c *Call) Partial(what string, err error) {
	c.partial = true
	c.log.Warn("left out of the answer", "what", what, "cause", err)
}

// IsPartial tells whether Partial was called.
func (c *Call) IsPartial() bool { return c.partial }

// result is what goes to the host beside the records.
func (c *Call) result(wantAnswer bool) *providerv1.CallResult {
	result := &providerv1.CallResult{Partial: c.partial}
	if c.client == nil || c.client.MainResponse() == nil {
		return result
	}
	main := c.client.MainResponse()
	result.RateLimit = main.RateLimit.Proto()
	if wantAnswer {
		result.VendorAnswer = main.Answer().Proto()
	}
	return result
}

// callSecrets are the secrets of one call: its own, for its errors, and a share
// in those of the process, for the log.
type callSecrets struct {
	own, process *redact.Secrets
	forget       []func()
}

func newCallSecrets(process *redact.Secrets, texts []string) *callSecrets {
	s := &callSecrets{own: redact.New(), process: process}
	s.add(texts...)
	return s
}

func (s *callSecrets) add(texts ...string) {
	s.own.Add(texts...)
	s.forget = append(s.forget, s.process.Add(texts...))
}

// end takes the call's secrets out of those of the process.
func (s *callSecrets) end() {
	for _, forget := range s.forget {
		forget()
	}
}
