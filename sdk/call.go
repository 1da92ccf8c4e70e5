package sdk

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"

	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/redact"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
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

	dryRun, allowLossy bool
	pace               *rate.Limiter

	client   *vendorhttp.Client
	partial  bool
	losses   []errs.Field
	warnings []errs.Field
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

// DryRun makes it a call that sends nothing. It is for tests.
func (c *Call) DryRun() *Call {
	c.dryRun = true
	return c
}

// AllowLossy makes it a call that may lose parts of a write. It is for tests.
func (c *Call) AllowLossy() *Call {
	c.allowLossy = true
	return c
}

// Noted are the requests of a dry run. It is for tests.
func (c *Call) Noted() []vendorhttp.Sent {
	if c.client == nil {
		return nil
	}
	return c.client.Noted()
}

// WithRevision gives the account a revision, without which caches keep nothing.
// It is for tests; the host sets its own.
func (c *Call) WithRevision(revision string) *Call {
	c.account.Revision = revision
	return c
}

func newCall(secrets *callSecrets, pool *vendorhttp.Pool, log hclog.Logger, context *providerv1.CallContext) *Call {
	call := &Call{account: context.GetAccount(), secrets: secrets, pool: pool, log: log.With("account_id", context.GetAccount().GetId(), "request_id", context.GetRequestId())}
	call.dryRun, call.allowLossy = context.GetDryRun(), context.GetAllowLossy()
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

// Client gives the HTTP client for this call. What its last Main request was
// answered is the answer of the call; a client that is asked for later takes
// over what the one before it sent. What the vendor's
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
		BeforeWrite:     c.checkLosses,
		DryRun:          c.dryRun,
		Pace:            c.pace,
	})
	if err != nil {
		return nil, err
	}
	if c.client != nil {
		client.Join(c.client) // an upsert looks with one and writes with the next
	}
	c.client = client
	return client, nil
}

// Lose says that the vendor has no place for a part of a write, by its path in
// the unified model, such as "email_addresses[1]", and why. Leave that part out
// and go on: unless the caller allows losses, the next request that would
// change anything is not sent but ends in a lossy_write that names every part;
// else they become warnings.
func (c *Call) Lose(path, why string) {
	field := errs.Field{Path: path, Description: why}
	if c.allowLossy {
		c.warnings = append(c.warnings, field)
	} else {
		c.losses = append(c.losses, field)
	}
}

// checkLosses stops a write that would lose something.
func (c *Call) checkLosses() error {
	if len(c.losses) == 0 {
		return nil
	}
	var parts []string
	for _, loss := range c.losses {
		parts = append(parts, loss.Path+" ("+loss.Description+")")
	}
	return &errs.Error{
		Reason:  errs.LossyWrite,
		Message: "not everything can be written: " + strings.Join(parts, "; ") + ". Leave it out, or send truto_allow_lossy=true to write the rest",
		Fields:  c.losses,
	}
}

// Reserve takes keys out of the caller's remote_data that are not for it to set,
// such as the record's id, in whatever case they are written: they would lead
// the write somewhere else. What is taken out counts as lost.
func (c *Call) Reserve(remote json.RawMessage, keys ...string) json.RawMessage {
	kept := &vendorjson.Body{}
	taken := false
	for _, m := range vendorjson.Members(remote) {
		if slices.ContainsFunc(keys, func(key string) bool { return strings.EqualFold(key, m.Key) }) {
			c.Lose("remote_data."+m.Key, "is not for remote_data to set")
			taken = true
			continue
		}
		kept.Set(m.Key, "", m.Value)
	}
	if !taken {
		return remote
	}
	rest, err := json.Marshal(kept)
	if err != nil {
		return nil // it was JSON a moment ago
	}
	return rest
}

// IsDryRun tells whether nothing is to be sent. Providers seldom ask: their
// requests end in vendorhttp.ErrNotSent.
func (c *Call) IsDryRun() bool { return c.dryRun }

// Warnings are what Lose was told of a call that allows losses.
func (c *Call) Warnings() []errs.Field { return c.warnings }

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
	result := &providerv1.CallResult{Partial: c.partial, Warnings: c.protoWarnings()}
	if c.client == nil {
		return result
	}
	for _, sent := range c.client.Noted() {
		result.VendorRequests = append(result.VendorRequests, sent.Proto())
	}
	main := c.client.MainResponse()
	if main == nil {
		return result
	}
	result.RateLimit = main.RateLimit.Proto()
	if wantAnswer {
		result.VendorAnswer = c.client.MainAnswer().Proto()
		if sent := c.client.MainRequest(); sent != nil {
			result.VendorRequests = append(result.VendorRequests, sent.Proto())
		}
	}
	return result
}

// What of the warnings crosses the process boundary: their number and the bytes
// of each text are the caller's to choose, and the answer has to fit a message.
const (
	maxWarnings    = 1000
	maxWarningText = 512
)

func (c *Call) protoWarnings() []*providerv1.Warning {
	var warnings []*providerv1.Warning
	for i, w := range c.warnings {
		if i == maxWarnings-1 && len(c.warnings) > maxWarnings {
			w = errs.Field{Path: w.Path, Description: fmt.Sprintf("and %d further parts were left out", len(c.warnings)-i-1)}
		}
		warnings = append(warnings, &providerv1.Warning{
			Field: clip(c.secrets.own.Text(w.Path), maxWarningText), Description: clip(c.secrets.own.Text(w.Description), maxWarningText),
		})
		if len(warnings) == maxWarnings {
			break
		}
	}
	return warnings
}

// clip makes a text valid UTF-8 of at most so many bytes.
func clip(text string, most int) string {
	if len(text) > most {
		text = text[:most-len("…")] + "…"
	}
	return strings.ToValidUTF8(text, "")
}

// callSecrets are the secrets of one call: its own, for its errors, and a share
// in those of the process, for the log.
type callSecrets struct {
	own, process *redact.Secrets

	mu     sync.Mutex      // parts of a call add at the same time
	known  map[string]bool // guarded by mu
	forget []func()        // guarded by mu
}

func newCallSecrets(process *redact.Secrets, texts []string) *callSecrets {
	s := &callSecrets{own: redact.New(), process: process, known: map[string]bool{}}
	s.add(texts...)
	return s
}

func (s *callSecrets) add(texts ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	texts = slices.DeleteFunc(slices.Clone(texts), func(text string) bool { return s.known[text] })
	if len(texts) == 0 {
		return
	}
	for _, text := range texts {
		s.known[text] = true
	}
	s.own.Add(texts...)
	s.forget = append(s.forget, s.process.Add(texts...))
}

// end takes the call's secrets out of those of the process.
func (s *callSecrets) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, forget := range s.forget {
		forget()
	}
	s.forget = nil
}
