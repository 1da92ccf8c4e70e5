// Package accounts keeps the integrated accounts: which customer is connected
// to which CRM, with which credentials. Credentials go in and on to the
// plugin with each call; they never come out again.
package accounts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/unicrm/unicrm/host/internal/catalog"
	"github.com/unicrm/unicrm/host/internal/store"
	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

// cacheFor is how long an account is used without asking the store again, and
// so how long a change by another process takes to be seen.
const cacheFor = 5 * time.Second

const (
	// maxContext is what a context may hold, in bytes.
	maxContext = 16 << 10
	// maxKnown is how many accounts are remembered at once.
	maxKnown = 1000
)

// Connector asks a vendor whether credentials work.
type Connector interface {
	CheckConnection(ctx context.Context, slug, requestID string, account unified.Account) error
}

// Accounts makes, finds and forgets accounts. It is safe for concurrent use.
type Accounts struct {
	store         *store.Store
	catalog       *catalog.Catalog
	connector     Connector
	allowBaseURLs bool

	mu    sync.Mutex
	known map[string]knownAccount // guarded by mu: by environment and id
	// changes counts what was forgotten, so that a read that began before is
	// not remembered after. Guarded by mu.
	changes int
}

type knownAccount struct {
	account store.Account
	expires time.Time
}

// New keeps accounts in a store. allowBaseURLs lets a context name the address
// that its calls go to, for emulators and proxies.
func New(s *store.Store, c *catalog.Catalog, connector Connector, allowBaseURLs bool) *Accounts {
	return &Accounts{store: s, catalog: c, connector: connector, allowBaseURLs: allowBaseURLs, known: map[string]knownAccount{}}
}

// Input is a new account as it is asked for.
type Input struct {
	Integration          string          `json:"integration"`
	TenantID             string          `json:"tenant_id"`
	AuthenticationMethod string          `json:"authentication_method"`
	Context              json.RawMessage `json:"context"`
}

// Create makes an account after the context fitted the provider's schema and,
// unless skipCheck, the vendor accepted the credentials.
func (a *Accounts) Create(ctx context.Context, environment, requestID string, in Input, skipCheck bool) (store.Account, error) {
	if in.Integration == "" {
		return store.Account{}, missing("integration")
	}
	plugin, ok := a.catalog.Find(in.Integration)
	if !ok {
		return store.Account{}, bodyError("integration", fmt.Sprintf("%q is not installed; GET /integration lists what is", in.Integration))
	}
	if len(in.Context) == 0 || string(in.Context) == "null" {
		return store.Account{}, missing("context")
	}
	if len(in.Context) > maxContext {
		return store.Account{}, bodyError("context", fmt.Sprintf("it is larger than %d bytes", maxContext))
	}
	credentials, baseURL, err := a.splitBaseURL(in.Context)
	if err != nil {
		return store.Account{}, err
	}
	method, err := plugin.MatchCredentials(in.AuthenticationMethod, credentials)
	if err != nil && isOAuth(in.AuthenticationMethod, credentials) {
		return store.Account{}, errs.New(errs.Unsupported, "accounts connected by OAuth are part of the contract but this version of the host does not have them yet; use an API key or an access token")
	}
	if err != nil {
		return store.Account{}, bodyError("context", err.Error())
	}
	now := time.Now().UTC()
	account := store.Account{
		ID: uuid.NewString(), Environment: environment, Integration: plugin.Slug, TenantID: in.TenantID, AuthenticationMethod: method,
		Context: credentials, BaseURL: baseURL, Revision: uuid.NewString(), CreatedAt: now, UpdatedAt: now,
	}
	if !skipCheck {
		err := a.connector.CheckConnection(ctx, plugin.Slug, requestID, ForProvider(account))
		if err != nil && !errs.Is(err, errs.Unsupported) {
			return store.Account{}, err
		}
	}
	if err := a.store.PutAccount(ctx, account); err != nil {
		return store.Account{}, fmt.Errorf("keep the account: %w", err)
	}
	return account, nil
}

// isOAuth tells the contexts of the contract that need a token endpoint.
func isOAuth(method string, credentials []byte) bool {
	var fields map[string]json.RawMessage
	if json.Unmarshal(credentials, &fields) != nil {
		return false
	}
	_, tokens := fields["oauth"]
	_, client := fields["client_secret"]
	return tokens || client || strings.HasPrefix(method, "oauth")
}

// splitBaseURL takes base_url out of a context, before the schema sees it.
func (a *Accounts) splitBaseURL(context json.RawMessage) (credentials []byte, baseURL string, err error) {
	var fields map[string]json.RawMessage
	dec := json.NewDecoder(bytes.NewReader(context))
	if err := dec.Decode(&fields); err != nil || fields == nil {
		return nil, "", bodyError("context", "it is not a JSON object")
	}
	if raw, ok := fields["base_url"]; ok {
		if !a.allowBaseURLs {
			return nil, "", bodyError("context.base_url", "this host does not allow it; start it with --allow-base-url-override")
		}
		if json.Unmarshal(raw, &baseURL) != nil {
			return nil, "", bodyError("context.base_url", "it is not a string")
		}
		u, err := vendorhttp.ParseBaseURL(baseURL)
		if err != nil {
			return nil, "", bodyError("context.base_url", err.Error())
		}
		baseURL = u.Scheme + "://" + u.Host
		delete(fields, "base_url")
	}
	credentials, err = json.Marshal(fields)
	return credentials, baseURL, err
}

// Find gives an account of an environment. An account of another environment
// is as good as none: an account_not_found.
func (a *Accounts) Find(ctx context.Context, environment, id string) (store.Account, error) {
	key := environment + "/" + id
	now := time.Now()
	a.mu.Lock()
	known, ok := a.known[key]
	changes := a.changes
	a.mu.Unlock()
	if ok && now.Before(known.expires) {
		return known.account, nil
	}
	account, err := a.store.Account(ctx, environment, id)
	if errors.Is(err, store.ErrNotFound) {
		a.forget(key)
		return store.Account{}, errs.New(errs.AccountNotFound, "no integrated account has the id %.100q in this token's environment", id)
	}
	if err != nil {
		return store.Account{}, fmt.Errorf("read the account: %w", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if changes == a.changes {
		for other, k := range a.known { // credentials are not kept for longer than they are believed
			if now.After(k.expires) || len(a.known) >= maxKnown {
				delete(a.known, other)
			}
		}
		a.known[key] = knownAccount{account: account, expires: now.Add(cacheFor)}
	}
	return account, nil
}

// List gives up to limit accounts after the id of another.
func (a *Accounts) List(ctx context.Context, environment, integration, tenant, after string, limit int) ([]store.Account, error) {
	return a.store.Accounts(ctx, environment, integration, tenant, after, limit)
}

// Delete forgets an account and its credentials. Nothing changes at the vendor.
func (a *Accounts) Delete(ctx context.Context, environment, id string) error {
	err := a.store.DeleteAccount(ctx, environment, id)
	a.forget(environment + "/" + id)
	if errors.Is(err, store.ErrNotFound) {
		return errs.New(errs.AccountNotFound, "no integrated account has the id %.100q in this token's environment", id)
	}
	return err
}

// Pin makes an account of any environment use one installed version of its
// provider, whose slug is named to be sure; without slug and version that ends.
func (a *Accounts) Pin(ctx context.Context, id, slug, version string) (store.Account, error) {
	account, err := a.store.AccountByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return store.Account{}, errs.New(errs.AccountNotFound, "no integrated account has the id %.100q", id)
	}
	if err != nil {
		return store.Account{}, fmt.Errorf("read the account: %w", err)
	}
	if version != "" {
		if account.Integration != slug {
			return store.Account{}, bodyError("plugin", fmt.Sprintf("the account is one of %s, not of %.60q", account.Integration, slug))
		}
		if _, ok := a.catalog.Version(slug, version); !ok {
			return store.Account{}, bodyError("plugin", fmt.Sprintf("%s %.60q is not installed", slug, version))
		}
	}
	if err := a.store.PinAccount(ctx, id, version); err != nil {
		return store.Account{}, fmt.Errorf("pin the account: %w", err)
	}
	a.forget(account.Environment + "/" + id)
	account.PluginVersion = version
	return account, nil
}

func (a *Accounts) forget(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.known, key)
	a.changes++
}

// ForCall is what a plugin gets to know of an account for a call. An account
// whose base_url was allowed once is refused by a host that does not allow
// them: its credentials must not go on flowing there.
func (a *Accounts) ForCall(account store.Account) (unified.Account, error) {
	if account.BaseURL != "" && !a.allowBaseURLs {
		return unified.Account{}, errs.New(errs.InvalidParameter, "the account names a base_url, which this host does not allow; start it with --allow-base-url-override")
	}
	return ForProvider(account), nil
}

// ForProvider is what a plugin gets to know of an account.
func ForProvider(a store.Account) unified.Account {
	return unified.Account{ID: a.ID, Revision: a.Revision, AuthenticationMethod: a.AuthenticationMethod, Credentials: a.Context, BaseURL: a.BaseURL, PluginVersion: a.PluginVersion}
}

func missing(field string) *errs.Error {
	return &errs.Error{Reason: errs.InvalidBody, Message: field + " is missing", Fields: []errs.Field{{Path: field, Description: "is missing", Missing: true}}}
}

func bodyError(field, problem string) *errs.Error {
	return &errs.Error{Reason: errs.InvalidBody, Message: field + ": " + problem, Fields: []errs.Field{{Path: field, Description: problem}}}
}
