package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/unicrm/unicrm/host/internal/access"
	"github.com/unicrm/unicrm/host/internal/accounts"
	"github.com/unicrm/unicrm/host/internal/catalog"
	"github.com/unicrm/unicrm/host/internal/store"
	"github.com/unicrm/unicrm/host/internal/supervisor"
	"github.com/unicrm/unicrm/host/internal/unified"
	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
)

// fakeProviders answers in the place of plugins as a test says, and notes what
// it was asked.
type fakeProviders struct {
	mu    sync.Mutex
	do    func(ctx context.Context, r unified.Request) (*unified.Result, error) // guarded by mu
	asked []unified.Request                                                     // guarded by mu
}

var _ Providers = (*fakeProviders)(nil)

func (f *fakeProviders) Call(ctx context.Context, _ string, r unified.Request) (*unified.Result, error) {
	f.mu.Lock()
	f.asked = append(f.asked, r)
	do := f.do
	f.mu.Unlock()
	return do(ctx, r)
}

func (f *fakeProviders) CheckConnection(context.Context, string, string, unified.Account) error {
	return nil
}
func (f *fakeProviders) Serving(string, unified.Account) (string, error) { return "1.0.0", nil }
func (f *fakeProviders) Status(string) (supervisor.Status, bool) {
	return supervisor.Status{State: "ready"}, true
}
func (f *fakeProviders) Versions(string) ([]supervisor.Status, bool)        { return nil, false }
func (f *fakeProviders) Apply(context.Context, supervisor.Plan, bool) error { return nil }
func (f *fakeProviders) Remove(string)                                      {}

// answers has every call answered alike.
func (f *fakeProviders) answers(result *unified.Result, err error) {
	f.does(func(context.Context, unified.Request) (*unified.Result, error) { return result, err })
}

func (f *fakeProviders) does(do func(ctx context.Context, r unified.Request) (*unified.Result, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.do, f.asked = do, nil
}

func (f *fakeProviders) requests() []unified.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]unified.Request{}, f.asked...)
}

// world is an API on HTTP, with one integrated account of the provider acme.
type world struct {
	t       testing.TB
	server  *Server
	fake    *fakeProviders
	http    *httptest.Server
	token   string
	account string
}

// acme is a provider that can do everything, though not with every field.
func acme() *providerv1.HandshakeResponse {
	returned := []string{"id", "first_name", "last_name", "account", "owner", "addresses", "email_addresses", "phone_numbers", "custom_fields", "created_at", "etag", "remote_data"}
	writable := []string{"first_name", "last_name", "account.id", "email_addresses.email", "phone_numbers", "addresses", "custom_fields", "created_at", "remote_data"}
	times := []providerv1.Operator{providerv1.Operator_OPERATOR_EQ, providerv1.Operator_OPERATOR_GTE, providerv1.Operator_OPERATOR_LT}
	equal := []providerv1.Operator{providerv1.Operator_OPERATOR_EQ}
	return &providerv1.HandshakeResponse{
		Slug: "acme", DisplayName: "Acme", Version: "1.0.0", SdkVersion: "test 1", ProtocolVersions: []int32{1}, DocumentationUrl: "https://docs.acme.test/api",
		AuthenticationMethods: []*providerv1.AuthenticationMethod{{
			Name: "api_key", CredentialsSchema: []byte(`{"type":"object","properties":{"api_key":{"type":"string","writeOnly":true,"description":"from Settings | <API>"}},"required":["api_key"],"additionalProperties":false}`),
		}},
		RateLimits: []*providerv1.RateLimitHint{{Calls: 10, Window: durationpb.New(time.Second), SharedBy: "token"}},
		Resources: []*providerv1.ResourceCapabilities{{
			Resource: "contacts", RecordIdPattern: `[1-9][0-9]*`,
			Methods: []*providerv1.MethodCapabilities{
				{
					Method: providerv1.Method_METHOD_LIST, ReturnedFields: returned, PageCap: 100, SortKeys: []string{"last_name", "created_at"},
					Filters: []*providerv1.FilterCapability{
						{Field: "email_addresses.email", Operators: equal},
						{Field: "phone_numbers.type", Operators: equal},
						{Field: "last_name", Operators: equal},
						{Field: "search", Operators: equal},
						{Field: "is_deleted", Operators: equal},
						{Field: "created_at", Operators: times},
					},
				},
				{Method: providerv1.Method_METHOD_GET, ReturnedFields: returned},
				{Method: providerv1.Method_METHOD_CREATE, ReturnedFields: returned, WritableFields: writable, RequiredFields: []string{"last_name", "account.id"}},
				{Method: providerv1.Method_METHOD_UPDATE, ReturnedFields: returned, WritableFields: append([]string{"etag"}, writable...), RequiredFields: []string{"last_name"}},
				{Method: providerv1.Method_METHOD_UPSERT, ReturnedFields: returned, WritableFields: writable, RequiredFields: []string{"last_name", "account.id"}, Upsert: &providerv1.UpsertSemantics{}},
				{Method: providerv1.Method_METHOD_DELETE, Delete: &providerv1.DeleteSemantics{Kind: providerv1.DeleteSemantics_KIND_SOFT, Repeat: providerv1.DeleteSemantics_REPEAT_NOT_FOUND, Kept: durationpb.New(30 * 24 * time.Hour)}},
				{Method: providerv1.Method_METHOD_BATCH_DELETE},
				{Method: providerv1.Method_METHOD_MERGE, ReturnedFields: returned, MaxRecords: 2},
			},
		}},
	}
}

// method finds what a manifest says of a method, to be changed.
func method(m *providerv1.HandshakeResponse, which providerv1.Method) *providerv1.MethodCapabilities {
	for _, have := range m.GetResources()[0].GetMethods() {
		if have.GetMethod() == which {
			return have
		}
	}
	panic("no such method")
}

// newWorld starts an API; change may be nil and changes what acme is or the
// server's settings.
func newWorld(t testing.TB, change func(m *providerv1.HandshakeResponse, c *Config)) *world {
	t.Helper()
	w := &world{t: t, fake: &fakeProviders{}}
	manifest, config := acme(), Config{Providers: w.fake, RequestTimeout: 20 * time.Second, BatchTimeout: time.Minute, Log: hclog.NewNullLogger()}
	if change != nil {
		change(manifest, &config)
	}
	var err error
	config.Catalog, err = catalog.Open(t.Context(), install(t, manifest))
	require.NoError(t, err)
	require.Empty(t, config.Catalog.Problems())
	config.Store, err = store.Open(t.Context(), filepath.Join(t.TempDir(), "unicrm.db"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = config.Store.Close() })
	config.Tokens = access.New(config.Store)
	w.token, _, err = config.Tokens.Create(t.Context(), "test", "test")
	require.NoError(t, err)
	config.Accounts = accounts.New(config.Store, config.Catalog, w.fake, false)
	made, err := config.Accounts.Create(t.Context(), "test", "test", accounts.Input{Integration: "acme", Context: json.RawMessage(`{"api_key":"x"}`)}, true)
	require.NoError(t, err)
	w.account = made.ID
	w.server, err = New(t.Context(), config)
	require.NoError(t, err)
	w.http = httptest.NewServer(w.server)
	t.Cleanup(w.http.Close)
	return w
}

// install makes a plugin directory whose one plugin is never started.
func install(t testing.TB, manifest *providerv1.HandshakeResponse) string {
	t.Helper()
	dir := t.TempDir()
	sum := strings.Repeat("a", 64)
	folder := filepath.Join(dir, "acme", manifest.GetVersion())
	require.NoError(t, os.MkdirAll(folder, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "unicrm-provider-acme"), []byte("#!/bin/false"), 0o700))
	printed, err := protojson.Marshal(manifest)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(dir, ".manifests"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".manifests", sum+".json"), printed, 0o600))
	lock, err := json.Marshal(catalog.Lock{Plugins: []catalog.LockedPlugin{{Name: "acme", Version: manifest.GetVersion(), Active: true, SHA256: map[string]string{runtime.GOOS + "/" + runtime.GOARCH: sum}}}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, catalog.LockFile), lock, 0o600))
	return dir
}

// reply is what came back.
type reply struct {
	status int
	header http.Header
	body   []byte
	err    error // of reading the body: the connection was cut
}

func (r reply) String() string { return fmt.Sprintf("%d %s", r.status, r.body) }

func (r reply) json(t testing.TB) map[string]any {
	t.Helper()
	var value map[string]any
	require.NoError(t, json.Unmarshal(r.body, &value), "%s", r)
	return value
}

// valueAt reads a dotted path of a decoded answer; digits are places in a list.
func valueAt(value any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[name]
		case []any:
			var i int
			if _, err := fmt.Sscan(name, &i); err != nil || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}

func (w *world) send(method, path, body string, header ...string) reply {
	w.t.Helper()
	request, err := http.NewRequest(method, w.http.URL+path, strings.NewReader(body))
	require.NoError(w.t, err)
	request.Header.Set("Authorization", "Bearer "+w.token)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(w.t, err)
	defer response.Body.Close()
	var data bytes.Buffer
	_, err = io.Copy(&data, response.Body)
	return reply{status: response.StatusCode, header: response.Header, body: data.Bytes(), err: err}
}

// contacts calls a route below /unified/crm/contacts for the account.
func (w *world) contacts(method, path, query, body string, header ...string) reply {
	w.t.Helper()
	return w.send(method, "/unified/crm/contacts"+path+"?integrated_account_id="+w.account+"&"+query, body, header...)
}

// requireError holds an answer to the one shape of all errors.
func requireError(t testing.TB, r reply, status int, reason string) map[string]any {
	t.Helper()
	require.Equal(t, status, r.status, "%s", r)
	body := r.json(t)
	require.EqualValues(t, status, body["statusCode"])
	require.Equal(t, reason, body["reason"], "%s", r)
	require.NotEmpty(t, body["message"])
	require.Equal(t, r.header.Get("X-Request-Id"), body["request_id"])
	return body
}

// failures are the fields that an error names.
func failures(body map[string]any) []string {
	var fields []string
	list, _ := valueAt(body, "details.failures").([]any)
	for _, f := range list {
		fields = append(fields, valueAt(f, "field").(string))
	}
	return fields
}

func contact(id string) unified.Record { return unified.Record{"id": id, "last_name": "Quill " + id} }
