package sdk

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/timestamppb"

	crmv1 "github.com/unicrm/unicrm/proto/unicrm/crm/v1"
	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/internal/model"
	"github.com/unicrm/unicrm/sdk/redact"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/wire"
)

// canary is the secret of every test account.
const canary = `canary-5mN8/pQ2+r"s<T>9`

const schema = `{"type":"object","properties":{"api_key":{"type":"string","writeOnly":true},"region":{"type":"string"}}}`

// acme is a small provider whose vendor is at the account's base_url.
func acme() *Provider {
	client := func(call *Call) (*vendorhttp.Client, error) {
		var credentials struct {
			Key string `json:"api_key"`
		}
		if err := call.Credentials(&credentials); err != nil {
			return nil, err
		}
		return call.Client(vendorhttp.Vendor{
			Name: "Acme CRM", BaseURL: "https://api.acme.test/v2", Header: http.Header{"X-Key": {credentials.Key}},
			RateLimit: func(h http.Header) *errs.RateLimit { return vendorhttp.HeaderRateLimit(h, "X-Limit", "", "") },
		})
	}
	ask := func(ctx context.Context, call *Call, method, id string) (*crm.Contact, error) {
		c, err := client(call)
		if err != nil {
			return nil, err
		}
		response, err := c.Main(ctx, vendorhttp.Request{Method: method, Path: []string{"contacts", id}})
		if err != nil {
			return nil, err
		}
		return &crm.Contact{ID: new(id), Name: new("Ada"), RemoteData: response.JSON()}, nil
	}
	return &Provider{
		Slug: "acme", DisplayName: "Acme CRM", Version: "1.2.3\n", AllowedHosts: []string{"api.acme.test"},
		Authentication: []AuthenticationMethod{{Name: "api_key", Schema: json.RawMessage(schema)}},
		CheckConnection: func(ctx context.Context, call *Call) error {
			_, err := ask(ctx, call, http.MethodGet, "me")
			return err
		},
		Contacts: &Resource[crm.Contact]{
			IDPattern: `[a-z0-9]+`,
			List: &List[crm.Contact]{
				Returned: []string{"id", "name", "remote_data"}, PageCap: 100,
				Do: func(ctx context.Context, call *Call, query ListQuery) (Page[crm.Contact], error) {
					contact, err := ask(ctx, call, http.MethodGet, "list")
					if err != nil {
						return Page[crm.Contact]{}, err
					}
					return Page[crm.Contact]{Records: []crm.Contact{*contact}, Next: EncodeToken(query)}, nil
				},
			},
			Get: &Get[crm.Contact]{
				Returned: []string{"id", "name"},
				Do: func(ctx context.Context, call *Call, id string) (*crm.Contact, error) {
					return ask(ctx, call, http.MethodGet, id)
				},
			},
			Delete: &Delete[crm.Contact]{
				Kind: HardDelete, Repeat: RepeatNotFound,
				Do: func(ctx context.Context, call *Call, id string) (*crm.Contact, error) {
					contact, err := ask(ctx, call, http.MethodDelete, id)
					if err != nil {
						return nil, err
					}
					return &crm.Contact{RemoteData: contact.RemoteData}, nil
				},
			},
		},
	}
}

// lockedBuffer is a log that a test may read while it is written.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer // guarded by mu
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// running is a provider behind the gRPC stack that a process has.
type running struct {
	server   *server
	log      *lockedBuffer
	provider providerv1.ProviderServiceClient
	contacts crmv1.ContactsServiceClient
}

func newTestServer(t testing.TB, p *Provider) (*server, *lockedBuffer) {
	t.Helper()
	lines, secrets := &lockedBuffer{}, redact.New()
	log := hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, JSONFormat: true, Output: &logWriter{out: lines, secrets: secrets}})
	s, err := newServer(p, false, log, secrets)
	require.NoError(t, err)
	return s, lines
}

func serve(t testing.TB, p *Provider) *running {
	t.Helper()
	s, lines := newTestServer(t, p)
	listener := bufconn.Listen(1 << 20)
	g := grpc.NewServer(s.grpcOptions()...)
	s.register(g)
	go func() { _ = g.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///in-memory",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(wire.MaxMessage), grpc.MaxCallSendMsgSize(wire.MaxMessage)))
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = conn.Close()
		g.Stop()
		s.pool.Close()
	})
	return &running{server: s, log: lines, provider: providerv1.NewProviderServiceClient(conn), contacts: crmv1.NewContactsServiceClient(conn)}
}

// vendor answers the provider's requests.
func vendor(t testing.TB, handle http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return server.URL
}

func accountAt(baseURL string) *providerv1.CallContext {
	credentials, _ := json.Marshal(map[string]string{"api_key": canary, "region": "eu-central"})
	return &providerv1.CallContext{
		Account:   &providerv1.Account{Id: "account-1", Revision: "1", AuthenticationMethod: "api_key", Credentials: credentials, BaseUrl: baseURL},
		RequestId: "request-1",
	}
}

func within(t testing.TB, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

func reasonOf(t testing.TB, err error) string {
	t.Helper()
	require.Error(t, err)
	e := errs.FromStatus(err)
	require.NotNil(t, e, "%v", err)
	return errs.Name(e.Reason)
}

// shown is everything of an error that crosses the process boundary.
func shown(err error) string {
	text := err.Error()
	if e := errs.FromStatus(err); e != nil {
		text += fmt.Sprintf(" %s %+v %v", e.Message, e.Fields, e.MissingScopes)
		if e.Vendor != nil {
			text += " " + e.Vendor.ContentType + string(e.Vendor.Body)
		}
	}
	return text
}

func noCanary(t testing.TB, texts ...string) {
	t.Helper()
	quoted, _ := json.Marshal(canary)
	for _, text := range texts {
		for _, form := range []string{canary, string(quoted[1 : len(quoted)-1]), "canary"} {
			assert.NotContains(t, text, form)
		}
	}
}

func TestAProvidersMethodsAnswerOverTheProtocol(t *testing.T) {
	base := vendor(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, canary, r.Header.Get("X-Key"))
		assert.Equal(t, "unicrm-acme/1.2.3", r.Header.Get("User-Agent"))
		w.Header().Set("X-Limit", "7")
		_, _ = io.WriteString(w, `{"path":"`+r.URL.Path+`","query":"`+r.URL.RawQuery+`","big":9007199254740993}`)
	})
	p := serve(t, acme())
	ctx := within(t, 20*time.Second)

	handshake, err := p.provider.Handshake(ctx, &providerv1.HandshakeRequest{})
	require.NoError(t, err)
	assert.Equal(t, "acme", handshake.GetSlug())
	assert.Equal(t, "1.2.3", handshake.GetVersion(), "white space round an embedded file is dropped")
	assert.Equal(t, "unicrm-go "+Version, handshake.GetSdkVersion())
	require.Len(t, handshake.GetResources(), 1)
	require.Len(t, handshake.GetResources()[0].GetMethods(), 3)
	_, err = p.provider.CheckHealth(ctx, &providerv1.CheckHealthRequest{})
	require.NoError(t, err)
	_, err = p.provider.CheckConnection(ctx, &providerv1.CheckConnectionRequest{Call: accountAt(base)})
	require.NoError(t, err)

	call := accountAt(base)
	call.RemoteQuery = []*providerv1.QueryParameter{{Name: "fields[]", Value: "a&b"}, {Name: "fields[]", Value: ""}}
	got, err := p.contacts.GetContact(ctx, &crmv1.GetContactRequest{Call: call, Id: "5"})
	require.NoError(t, err)
	assert.Equal(t, "5", got.GetContact().GetId())
	assert.Equal(t, `{"path":"/v2/contacts/5","query":"fields[]=a%26b&fields[]=","big":9007199254740993}`, string(got.GetContact().GetRemoteData()))
	assert.EqualValues(t, 7, got.GetResult().GetRateLimit().GetLimit())
	assert.Nil(t, got.GetResult().GetVendorAnswer(), "nobody asked for it")
	assert.False(t, got.GetResult().GetPartial())

	list, err := p.contacts.ListContacts(ctx, &crmv1.ListContactsRequest{Call: accountAt(base), PageSize: 7, PageToken: "t"})
	require.NoError(t, err)
	require.Len(t, list.GetContacts(), 1)
	assert.Equal(t, EncodeToken(ListQuery{PageSize: 7, PageToken: "t"}), list.GetNextPageToken())

	deleted, err := p.contacts.DeleteContact(ctx, &crmv1.DeleteContactRequest{Call: accountAt(base), Id: "5"})
	require.NoError(t, err)
	assert.Equal(t, "5", deleted.GetContact().GetId())
	assert.NotEmpty(t, deleted.GetContact().GetRemoteData())
	assert.Nil(t, deleted.GetContact().Name, "nothing that the vendor did not say")
	assert.False(t, deleted.GetResult().GetAlreadyDeleted())
	noCanary(t, p.log.String())
}

func TestTheHostsUserAgentIsSentOnceItIsConfigured(t *testing.T) {
	base := vendor(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "unicrm/9 (acme/1.2.3)", r.Header.Get("User-Agent"))
		_, _ = io.WriteString(w, `{}`)
	})
	p := serve(t, acme())
	_, err := p.provider.Configure(t.Context(), &providerv1.ConfigureRequest{UserAgent: "unicrm/9 (acme/1.2.3)"})
	require.NoError(t, err)
	_, err = p.contacts.GetContact(within(t, 20*time.Second), &crmv1.GetContactRequest{Call: accountAt(base), Id: "5"})
	require.NoError(t, err)
}

func TestAPageIsAsLargeAsTheVendorAllows(t *testing.T) {
	var sizes []int
	provider := acme()
	provider.Contacts.List.Do = func(_ context.Context, _ *Call, query ListQuery) (Page[crm.Contact], error) {
		sizes = append(sizes, query.PageSize)
		return Page[crm.Contact]{}, nil
	}
	p := serve(t, provider)
	for _, size := range []int32{0, 1, 100, 101, -5, 1 << 30} {
		response, err := p.contacts.ListContacts(t.Context(), &crmv1.ListContactsRequest{Call: accountAt(""), PageSize: size})
		require.NoError(t, err)
		assert.Empty(t, response.GetNextPageToken())
	}
	assert.Equal(t, []int{100, 1, 100, 100, 100, 100}, sizes)
}

func TestFiltersAndSortKeysThatNobodyAdvertisedAreRefused(t *testing.T) {
	p := serve(t, acme())
	_, err := p.contacts.ListContacts(t.Context(), &crmv1.ListContactsRequest{Call: accountAt(""), Filters: []*providerv1.Filter{{Field: "name", Operator: Equal, Value: "Ada"}}})
	assert.Equal(t, "unsupported", reasonOf(t, err))
	_, err = p.contacts.ListContacts(t.Context(), &crmv1.ListContactsRequest{Call: accountAt(""), Sort: []*providerv1.SortKey{{Field: "name"}}})
	assert.Equal(t, "unsupported", reasonOf(t, err))
}

func TestAPanicIsAPluginBugAndNotTheEnd(t *testing.T) {
	var nothing map[string]int
	for name, cause := range map[string]func(){
		"with the credentials": func() { panic("cannot use " + canary) },
		"an error":             func() { panic(fmt.Errorf("with %s", canary)) },
		"of the runtime":       func() { nothing["a"] = 1 },
		"nil":                  func() { panic(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			provider := acme()
			provider.Contacts.Get.Do = func(context.Context, *Call, string) (*crm.Contact, error) {
				cause()
				return nil, nil
			}
			p := serve(t, provider)
			_, err := p.contacts.GetContact(t.Context(), &crmv1.GetContactRequest{Call: accountAt(""), Id: "5"})
			assert.Equal(t, "plugin_bug", reasonOf(t, err))
			message := errs.FromStatus(err).Message
			_, incident, found := strings.Cut(message, "under incident ")
			require.True(t, found, message)
			assert.Len(t, incident, 10)
			log := p.log.String()
			assert.Contains(t, log, incident, "the id stands in the log too")
			assert.Contains(t, log, "server_test.go", "with the stack")
			noCanary(t, log, shown(err))
			_, err = p.provider.CheckHealth(t.Context(), &providerv1.CheckHealthRequest{})
			require.NoError(t, err, "the process lives on")
		})
	}
}

func TestCredentialsInErrorsAndLogsAreStruckOut(t *testing.T) {
	returns := func(err error) func(context.Context, *Call, string) (*crm.Contact, error) {
		return func(context.Context, *Call, string) (*crm.Contact, error) { return nil, err }
	}
	wrapped := &errs.Error{
		Reason: errs.VendorRejected, Message: "no " + canary, Fields: []errs.Field{{Path: canary, Description: "has " + canary}},
		MissingScopes: []string{"scope-" + canary},
		Vendor:        &errs.VendorAnswer{Status: 400, ContentType: canary, Body: []byte(`"` + canary + `"`)},
	}
	for name, c := range map[string]struct {
		err    error
		reason string
	}{
		"an error of ours":      {wrapped, "vendor_rejected"},
		"a wrapped one":         {fmt.Errorf("look up %s: %w", canary, wrapped), "vendor_rejected"},
		"a joined one":          {errors.Join(errors.New(canary), wrapped), "vendor_rejected"},
		"one with a cause":      {&errs.Error{Reason: errs.VendorTimeout, Message: canary, Cause: context.DeadlineExceeded}, "vendor_timeout"},
		"a wrapped cause":       {fmt.Errorf("%s: %w", canary, &errs.Error{Reason: errs.VendorTimeout, Message: canary, Cause: context.DeadlineExceeded}), "vendor_timeout"},
		"any error":             {errors.New("odd " + canary), "plugin_bug"},
		"a status":              {status.Error(codes.Internal, "odd "+canary), ""},
		"a wrapped status":      {fmt.Errorf("%s: %w", canary, status.Error(codes.NotFound, canary)), ""},
		"the end of a context":  {fmt.Errorf("%s: %w", canary, context.Canceled), ""},
		"a status of ours":      {errs.Status(wrapped), "vendor_rejected"},
		"a message long enough": {errs.New(errs.VendorRejected, "%s", strings.Repeat("x", 4080)+canary), "vendor_rejected"},
	} {
		t.Run(name, func(t *testing.T) {
			provider := acme()
			provider.Contacts.Get.Do = returns(c.err)
			p := serve(t, provider)
			_, err := p.contacts.GetContact(t.Context(), &crmv1.GetContactRequest{Call: accountAt(""), Id: "5"})
			if c.reason != "" {
				assert.Equal(t, c.reason, reasonOf(t, err))
			} else {
				assert.Nil(t, errs.FromStatus(err))
			}
			noCanary(t, shown(err), p.log.String())
		})
	}
	assert.Contains(t, wrapped.Message, canary, "the provider's own value stays as it is")
	assert.Contains(t, string(wrapped.Vendor.Body), canary)
}

func TestCredentialsThatTheVendorRepeatsAreStruckOut(t *testing.T) {
	quoted, err := json.Marshal(canary)
	require.NoError(t, err)
	body := `{"message":` + string(quoted) + `,"headers":{"X-Key":` + string(quoted) + `}}`
	var code atomic.Int64
	base := vendor(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(int(code.Load()))
		_, _ = io.WriteString(w, body)
	})
	provider := acme()
	provider.Contacts.List.Do = func(_ context.Context, call *Call, _ ListQuery) (Page[crm.Contact], error) {
		call.Log().Warn("using "+canary, "key", canary, "nested", map[string]string{"a": canary})
		call.Partial("names of "+canary, errors.New(canary))
		return Page[crm.Contact]{}, nil
	}
	p := serve(t, provider)
	for _, c := range []int64{400, 401, 403, 404, 409, 422, 500, 503} {
		code.Store(c)
		_, err := p.contacts.GetContact(within(t, 20*time.Second), &crmv1.GetContactRequest{Call: accountAt(base), Id: "5"})
		require.Error(t, err)
		require.NotNil(t, errs.FromStatus(err).Vendor)
		noCanary(t, shown(err))
	}
	code.Store(200)
	call := accountAt(base)
	call.WantVendorAnswer = true
	got, err := p.contacts.GetContact(within(t, 20*time.Second), &crmv1.GetContactRequest{Call: call, Id: "5"})
	require.NoError(t, err)
	noCanary(t, string(got.GetResult().GetVendorAnswer().GetBody()))
	assert.True(t, json.Valid(got.GetResult().GetVendorAnswer().GetBody()))
	_, err = p.contacts.ListContacts(t.Context(), &crmv1.ListContactsRequest{Call: accountAt(base)})
	require.NoError(t, err)
	assert.Contains(t, p.log.String(), `"account_id":"account-1"`)
	assert.Contains(t, p.log.String(), `"request_id":"request-1"`)
	noCanary(t, p.log.String())
}

func TestSecretsAreFoundWhereverTheSchemaMarksThem(t *testing.T) {
	for name, c := range map[string]struct {
		schema, credentials string
		want                []string
	}{
		"a property":              {`{"properties":{"k":{"writeOnly":true},"p":{}}}`, `{"k":"s1","p":"open"}`, []string{"s1"}},
		"deep within":             {`{"properties":{"o":{"properties":{"t":{"properties":{"k":{"writeOnly":true}}}}}}}`, `{"o":{"t":{"k":"s1","x":"open"}}}`, []string{"s1"}},
		"all of an object":        {`{"properties":{"o":{"writeOnly":true,"properties":{"a":{}}}}}`, `{"o":{"a":"s1","b":{"c":["s2"]}}}`, []string{"s1", "s2"}},
		"each of a list":          {`{"properties":{"l":{"items":{"writeOnly":true}}}}`, `{"l":["s1","s2"]}`, []string{"s1", "s2"}},
		"within a list's objects": {`{"properties":{"l":{"items":{"properties":{"k":{"writeOnly":true}}}}}}`, `{"l":[{"k":"s1","x":"open"}]}`, []string{"s1"}},
		"an alternative":          {`{"oneOf":[{"properties":{"k":{"writeOnly":true}}},{"properties":{"m":{"writeOnly":true}}}]}`, `{"k":"s1","m":"s2"}`, []string{"s1", "s2"}},
		"any of":                  {`{"anyOf":[{"properties":{"k":{"writeOnly":true}}}]}`, `{"k":"s1"}`, []string{"s1"}},
		"all of":                  {`{"allOf":[{"properties":{"k":{"writeOnly":true}}}]}`, `{"k":"s1"}`, []string{"s1"}},
		"a definition":            {`{"$defs":{"secret":{"writeOnly":true}},"properties":{"k":{"$ref":"#/$defs/secret"}}}`, `{"k":"s1"}`, []string{"s1"}},
		"a definition of itself":  {`{"$defs":{"n":{"properties":{"k":{"writeOnly":true},"n":{"$ref":"#/$defs/n"}}}},"$ref":"#/$defs/n"}`, `{"n":{"n":{"k":"s1"}}}`, []string{"s1"}},
		"the whole by reference":  {`{"properties":{"o":{"$ref":"#"},"k":{"writeOnly":true}}}`, `{"o":{"o":{"k":"s1"}}}`, []string{"s1"}},
		"a reference elsewhere":   {`{"properties":{"o":{"$ref":"https://x/y"},"k":{"writeOnly":true}}}`, `{"o":"open","k":"s1"}`, []string{"s1"}},
		"a loop":                  {`{"$ref":"#","properties":{"k":{"writeOnly":true}}}`, `{}`, nil},
		"any other property":      {`{"properties":{"p":{}},"additionalProperties":{"writeOnly":true}}`, `{"p":"open","k":"s1"}`, []string{"s1"}},
		"a number":                {`{"properties":{"pin":{"writeOnly":true}}}`, `{"pin":12345678901234567890}`, []string{"12345678901234567890"}},
		"nothing secret":          {`{"properties":{"k":{"writeOnly":false}}}`, `{"k":"open"}`, nil},
		"a schema that is true":   {`{"properties":{"k":true,"s":{"writeOnly":true}}}`, `{"k":"open","s":"s1"}`, []string{"s1"}},
		"no credentials":          {`{"properties":{"k":{"writeOnly":true}}}`, ``, nil},
		"absent":                  {`{"properties":{"k":{"writeOnly":true}}}`, `{"x":"open"}`, nil},
		"null":                    {`{"properties":{"k":{"writeOnly":true}}}`, `{"k":null}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			provider := &Provider{Authentication: []AuthenticationMethod{{Name: "a", Schema: json.RawMessage(c.schema)}}}
			assert.ElementsMatch(t, c.want, provider.secretsIn(&providerv1.Account{Credentials: []byte(c.credentials)}))
		})
	}
	t.Run("of every method, since it costs nothing to strike too much", func(t *testing.T) {
		provider := &Provider{Authentication: []AuthenticationMethod{
			{Name: "a", Schema: json.RawMessage(`{"properties":{"k":{"writeOnly":true}}}`)}, {Name: "b", Schema: json.RawMessage(`{"properties":{"m":{"writeOnly":true}}}`)},
		}}
		assert.ElementsMatch(t, []string{"s1", "s2"}, provider.secretsIn(&providerv1.Account{AuthenticationMethod: "a", Credentials: []byte(`{"k":"s1","m":"s2"}`)}))
	})
}

func TestARequestWithoutAnAccountIsRefused(t *testing.T) {
	p := serve(t, acme())
	ctx := t.Context()
	for name, call := range map[string]*providerv1.CallContext{"no call": nil, "no account": {RequestId: "r"}} {
		for method, do := range map[string]func() error{
			"list": func() error {
				_, err := p.contacts.ListContacts(ctx, &crmv1.ListContactsRequest{Call: call})
				return err
			},
			"get": func() error {
				_, err := p.contacts.GetContact(ctx, &crmv1.GetContactRequest{Call: call, Id: "5"})
				return err
			},
			"create": func() error {
				_, err := p.contacts.CreateContact(ctx, &crmv1.CreateContactRequest{Call: call})
				return err
			},
			"update": func() error {
				_, err := p.contacts.UpdateContact(ctx, &crmv1.UpdateContactRequest{Call: call})
				return err
			},
			"delete": func() error {
				_, err := p.contacts.DeleteContact(ctx, &crmv1.DeleteContactRequest{Call: call, Id: "5"})
				return err
			},
			"check": func() error {
				_, err := p.provider.CheckConnection(ctx, &providerv1.CheckConnectionRequest{Call: call})
				return err
			},
			"refresh": func() error {
				_, err := p.provider.RefreshCredentials(ctx, &providerv1.RefreshCredentialsRequest{Call: call})
				return err
			},
		} {
			err := do()
			assert.Equal(t, "invalid_parameter", reasonOf(t, err), "%s with %s", method, name)
		}
	}
}

func TestWhatAProviderHasNotIsUnimplemented(t *testing.T) {
	provider := acme()
	provider.CheckConnection = nil
	provider.Contacts = &Resource[crm.Contact]{IDPattern: `\d+`}
	p := serve(t, provider)
	ctx := t.Context()
	for method, do := range map[string]func() error{
		"list": func() error {
			_, err := p.contacts.ListContacts(ctx, &crmv1.ListContactsRequest{Call: accountAt("")})
			return err
		},
		"get": func() error {
			_, err := p.contacts.GetContact(ctx, &crmv1.GetContactRequest{Call: accountAt(""), Id: "../5"})
			return err
		},
		"create": func() error {
			_, err := p.contacts.CreateContact(ctx, &crmv1.CreateContactRequest{Call: accountAt("")})
			return err
		},
		"update": func() error {
			_, err := p.contacts.UpdateContact(ctx, &crmv1.UpdateContactRequest{Call: accountAt("")})
			return err
		},
		"delete": func() error {
			_, err := p.contacts.DeleteContact(ctx, &crmv1.DeleteContactRequest{Call: accountAt(""), Id: "5"})
			return err
		},
		"refresh": func() error {
			_, err := p.provider.RefreshCredentials(ctx, &providerv1.RefreshCredentialsRequest{Call: accountAt("")})
			return err
		},
	} {
		assert.Equal(t, codes.Unimplemented, status.Code(do()), method)
	}
	_, err := p.provider.CheckConnection(ctx, &providerv1.CheckConnectionRequest{Call: accountAt("")})
	assert.Equal(t, "unsupported", reasonOf(t, err))
	assert.Equal(t, codes.Unimplemented, status.Code(err))

	provider = acme()
	provider.Contacts = nil
	p = serve(t, provider)
	_, err = p.contacts.GetContact(ctx, &crmv1.GetContactRequest{Call: accountAt(""), Id: "5"})
	assert.Equal(t, codes.Unimplemented, status.Code(err), "no contacts at all")
	handshake, err := p.provider.Handshake(ctx, &providerv1.HandshakeRequest{})
	require.NoError(t, err)
	assert.Empty(t, handshake.GetResources())
}

func TestAnIDThatNoRecordCanHaveReachesNobody(t *testing.T) {
	provider := acme()
	reached := func(_ context.Context, _ *Call, id string) (*crm.Contact, error) {
		t.Errorf("the id %q reached the provider", id)
		return &crm.Contact{}, nil
	}
	provider.Contacts.Get.Do, provider.Contacts.Delete.Do = reached, reached
	p := serve(t, provider)
	for _, id := range append([]string{"A", "1-2", "1\n2", "a/../b", "é", "1\u00a0", "\u202e1", strings.Repeat("/", 100_000)}, model.HostileIDs...) {
		_, err := p.contacts.GetContact(t.Context(), &crmv1.GetContactRequest{Call: accountAt(""), Id: id})
		assert.Equal(t, "invalid_id", reasonOf(t, err), "%.50q", id)
		assert.Less(t, len(errs.FromStatus(err).Message), 1000)
		_, err = p.contacts.DeleteContact(t.Context(), &crmv1.DeleteContactRequest{Call: accountAt(""), Id: id})
		assert.Equal(t, "invalid_id", reasonOf(t, err), "%.50q", id)
	}
}

func TestAnAlternativeInAnIDPatternMatchesWholeIDsToo(t *testing.T) {
	provider := acme()
	provider.Contacts.IDPattern = `\d+|me`
	provider.Contacts.Get.Do = func(_ context.Context, _ *Call, id string) (*crm.Contact, error) { return &crm.Contact{ID: &id}, nil }
	p := serve(t, provider)
	for id, fits := range map[string]bool{"5": true, "me": true, "5/..": false, "x/me": false, "mex": false} {
		_, err := p.contacts.GetContact(t.Context(), &crmv1.GetContactRequest{Call: accountAt(""), Id: id})
		assert.Equal(t, fits, err == nil, id)
	}
}

// cutting is a vendor that closes the first connections with a DELETE unanswered.
func cutting(t *testing.T, cuts int, then http.HandlerFunc) (string, *atomic.Int64) {
	var deletes atomic.Int64
	base := vendor(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodDelete && deletes.Add(1) <= int64(cuts) {
			conn, _, err := http.NewResponseController(w).Hijack()
			assert.NoError(t, err)
			_ = conn.Close()
			return
		}
		then(w, r)
	})
	return base, &deletes
}

func TestANotFoundAfterABrokenDeleteIsASuccess(t *testing.T) {
	base, deletes := cutting(t, 1, http.NotFound)
	p := serve(t, acme())
	response, err := p.contacts.DeleteContact(within(t, 20*time.Second), &crmv1.DeleteContactRequest{Call: accountAt(base), Id: "5"})
	require.NoError(t, err)
	assert.True(t, response.GetResult().GetAlreadyDeleted())
	assert.Equal(t, "5", response.GetContact().GetId())
	assert.Nil(t, response.GetContact().RemoteData, "the vendor said nothing of the record")
	assert.EqualValues(t, 2, deletes.Load())
}

func TestASuccessAfterABrokenDeleteIsAPlainSuccess(t *testing.T) {
	base, _ := cutting(t, 1, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	p := serve(t, acme())
	response, err := p.contacts.DeleteContact(within(t, 20*time.Second), &crmv1.DeleteContactRequest{Call: accountAt(base), Id: "5"})
	require.NoError(t, err)
	assert.False(t, response.GetResult().GetAlreadyDeleted())
}

func TestANotFoundWithoutABrokenDeleteIsANotFound(t *testing.T) {
	base, deletes := cutting(t, 0, http.NotFound)
	p := serve(t, acme())
	_, err := p.contacts.DeleteContact(within(t, 20*time.Second), &crmv1.DeleteContactRequest{Call: accountAt(base), Id: "5"})
	assert.Equal(t, "record_not_found", reasonOf(t, err))
	assert.EqualValues(t, 1, deletes.Load())
}

func TestADeleteThatBreaksTwiceIsOutcomeUnknown(t *testing.T) {
	base, deletes := cutting(t, 2, http.NotFound)
	p := serve(t, acme())
	_, err := p.contacts.DeleteContact(within(t, 20*time.Second), &crmv1.DeleteContactRequest{Call: accountAt(base), Id: "5"})
	assert.Equal(t, "outcome_unknown", reasonOf(t, err))
	assert.EqualValues(t, 2, deletes.Load())
}

func TestANotFoundOfTheLookUpFirstIsNeverTakenForADelete(t *testing.T) {
	base, deletes := cutting(t, 1, http.NotFound)
	provider := acme()
	provider.Contacts.Delete.Do = func(ctx context.Context, call *Call, id string) (*crm.Contact, error) {
		client, err := call.Client(vendorhttp.Vendor{Name: "Acme CRM", BaseURL: "https://api.acme.test/v2"})
		if err != nil {
			return nil, err
		}
		if _, err := client.Side(ctx, vendorhttp.Request{Method: http.MethodDelete, Path: []string{"links", id}}); !errs.Is(err, errs.RecordNotFound) {
			return nil, err
		}
		_, err = client.Main(ctx, vendorhttp.Request{Method: http.MethodDelete, Path: []string{"contacts", id}})
		return nil, fmt.Errorf("delete: %w", err)
	}
	p := serve(t, provider)
	_, err := p.contacts.DeleteContact(within(t, 20*time.Second), &crmv1.DeleteContactRequest{Call: accountAt(base), Id: "5"})
	assert.Equal(t, "record_not_found", reasonOf(t, err))
	assert.EqualValues(t, 3, deletes.Load())
}

func TestADeletedRecordCarriesTheIDThatWasAskedFor(t *testing.T) {
	for name, record := range map[string]*crm.Contact{"nothing": nil, "an empty record": {}, "another id": {ID: new("9")}} {
		provider := acme()
		provider.Contacts.Delete.Do = func(context.Context, *Call, string) (*crm.Contact, error) { return record, nil }
		p := serve(t, provider)
		response, err := p.contacts.DeleteContact(t.Context(), &crmv1.DeleteContactRequest{Call: accountAt(""), Id: "5"})
		require.NoError(t, err, name)
		assert.Equal(t, "5", response.GetContact().GetId(), name)
	}
}

func TestAMethodThatReturnsNeitherARecordNorAnErrorIsAPluginBug(t *testing.T) {
	provider := acme()
	provider.Contacts.Get.Do = func(context.Context, *Call, string) (*crm.Contact, error) { return nil, nil }
	p := serve(t, provider)
	_, err := p.contacts.GetContact(t.Context(), &crmv1.GetContactRequest{Call: accountAt(""), Id: "5"})
	assert.Equal(t, "plugin_bug", reasonOf(t, err))

	provider.Contacts.Get.Do = func(context.Context, *Call, string) (*crm.Contact, error) {
		var none *errs.Error
		return nil, none // Go's most common trap
	}
	_, err = p.contacts.GetContact(t.Context(), &crmv1.GetContactRequest{Call: accountAt(""), Id: "5"})
	assert.Equal(t, "plugin_bug", reasonOf(t, err))
}

func TestWhatIsMissingBesideTheRecordsIsTold(t *testing.T) {
	provider := acme()
	provider.Contacts.Get.Do = func(_ context.Context, call *Call, id string) (*crm.Contact, error) {
		call.Partial("names", errors.New("down"))
		return &crm.Contact{ID: &id}, nil
	}
	p := serve(t, provider)
	response, err := p.contacts.GetContact(t.Context(), &crmv1.GetContactRequest{Call: accountAt(""), Id: "5"})
	require.NoError(t, err)
	assert.True(t, response.GetResult().GetPartial())
}

func TestTheVendorsAnswerComesWholeWhenItIsWanted(t *testing.T) {
	body := `{"text":"` + strings.Repeat("x", 10<<20) + `"}`
	base := vendor(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.acme+json")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, body)
	})
	p := serve(t, acme())
	call := accountAt(base)
	call.WantVendorAnswer = true
	response, err := p.contacts.GetContact(within(t, 60*time.Second), &crmv1.GetContactRequest{Call: call, Id: "5"})
	require.NoError(t, err, "20 MiB in one message")
	answer := response.GetResult().GetVendorAnswer()
	assert.EqualValues(t, 202, answer.GetStatus())
	assert.Equal(t, "application/vnd.acme+json", answer.GetContentType())
	assert.Len(t, answer.GetBody(), len(body))
	assert.False(t, answer.GetTruncated())
}

func TestAVendorsHugeFailureDoesNotTearDownTheConnection(t *testing.T) {
	base := vendor(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, strings.Repeat("x", 14<<20))
	})
	p := serve(t, acme())
	for range 2 {
		_, err := p.contacts.GetContact(within(t, 60*time.Second), &crmv1.GetContactRequest{Call: accountAt(base), Id: "5"})
		assert.Equal(t, "vendor_rejected", reasonOf(t, err))
		assert.True(t, errs.FromStatus(err).Vendor.Truncated)
	}
}

func TestACallEndsALittleBeforeTheHostsPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newTestServer(t, acme())
		for budget, margin := range map[time.Duration]time.Duration{
			30 * time.Second: replyMargin, 3 * time.Second: replyMargin, time.Second: 100 * time.Millisecond, 10 * time.Millisecond: time.Millisecond,
		} {
			ctx, cancel := context.WithTimeout(t.Context(), budget)
			_, err := s.intercept(ctx, &crmv1.GetContactRequest{Call: accountAt("")}, &grpc.UnaryServerInfo{}, func(ctx context.Context, _ any) (any, error) {
				deadline, ok := ctx.Deadline()
				assert.True(t, ok)
				assert.Equal(t, budget-margin, time.Until(deadline))
				<-ctx.Done()
				return nil, errs.New(errs.VendorTimeout, "too slow")
			})
			require.Error(t, err)
			assert.NoError(t, ctx.Err(), "there is time left to say so")
			cancel()
		}
		_, err := s.intercept(t.Context(), &providerv1.CheckHealthRequest{}, &grpc.UnaryServerInfo{}, func(ctx context.Context, _ any) (any, error) {
			_, ok := ctx.Deadline()
			assert.False(t, ok, "no deadline is made up")
			return nil, nil
		})
		require.NoError(t, err)
	})
}

func TestATimeThatIsUpIsToldInWordsNotByACutCall(t *testing.T) {
	release := make(chan struct{})
	base := vendor(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	p := serve(t, acme())
	_, err := p.contacts.GetContact(within(t, 2*time.Second), &crmv1.GetContactRequest{Call: accountAt(base), Id: "5"})
	assert.Equal(t, "vendor_timeout", reasonOf(t, err))
	_, err = p.contacts.DeleteContact(within(t, 2*time.Second), &crmv1.DeleteContactRequest{Call: accountAt(base), Id: "5"})
	assert.Equal(t, "outcome_unknown", reasonOf(t, err))
}

func TestShutdownWaitsForTheCallsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newTestServer(t, acme())
		release := make(chan struct{})
		for range 3 {
			go func() {
				_, _ = s.intercept(t.Context(), &crmv1.GetContactRequest{Call: accountAt("")}, &grpc.UnaryServerInfo{}, func(context.Context, any) (any, error) {
					<-release
					return nil, nil
				})
			}()
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, err := s.intercept(ctx, &providerv1.ShutdownRequest{}, &grpc.UnaryServerInfo{FullMethod: providerv1.ProviderService_Shutdown_FullMethodName}, func(ctx context.Context, request any) (any, error) {
				return s.Shutdown(ctx, request.(*providerv1.ShutdownRequest))
			})
			assert.NoError(t, err)
		}()
		for range 3 {
			synctest.Wait()
			select {
			case <-done:
				t.Fatal("it did not wait")
			default:
			}
			release <- struct{}{}
		}
		<-done
	})
}

func TestShutdownEndsWithTheHostsPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newTestServer(t, acme())
		release := make(chan struct{})
		go func() {
			_, _ = s.intercept(t.Context(), &crmv1.GetContactRequest{Call: accountAt("")}, &grpc.UnaryServerInfo{}, func(context.Context, any) (any, error) {
				<-release
				return nil, nil
			})
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		start := time.Now()
		_, err := s.Shutdown(ctx, &providerv1.ShutdownRequest{})
		require.NoError(t, err)
		assert.Equal(t, 2*time.Second, time.Since(start))
		close(release)
	})
}

// A host should send nothing after Shutdown, but its health checks may.
func TestCallsThatComeDuringShutdownDoNoHarm(t *testing.T) {
	p := serve(t, acme())
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 200 {
				_, err := p.provider.CheckHealth(t.Context(), &providerv1.CheckHealthRequest{})
				assert.NoError(t, err)
			}
		})
		all.Go(func() {
			for range 100 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				_, err := p.provider.Shutdown(ctx, &providerv1.ShutdownRequest{})
				cancel()
				assert.NoError(t, err)
			}
		})
	}
	all.Wait()
}

func TestManyAccountsAtOnceKeepTheirSecretsApart(t *testing.T) {
	base := vendor(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"message":"bad key `+r.Header.Get("X-Key")+`"}`)
	})
	p := serve(t, acme())
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			secret := fmt.Sprintf("canary-%d-abcdefgh", i)
			for range 20 {
				call := accountAt(base)
				call.Account.Credentials = []byte(`{"api_key":"` + secret + `"}`)
				_, err := p.contacts.GetContact(within(t, 60*time.Second), &crmv1.GetContactRequest{Call: call, Id: "5"})
				assert.Equal(t, "bad key [redacted]", errs.FromStatus(err).Message)
			}
		})
	}
	all.Wait()
	noCanary(t, p.log.String())
	assert.Equal(t, "canary-1-abcdefgh", p.server.secrets.Text("canary-1-abcdefgh"), "what no call needs any more is forgotten")
}

func TestNotFoundWithoutARecordIsARefusal(t *testing.T) {
	base := vendor(t, http.NotFound)
	p := serve(t, acme())
	_, err := p.contacts.ListContacts(within(t, 20*time.Second), &crmv1.ListContactsRequest{Call: accountAt(base)})
	assert.Equal(t, "vendor_rejected", reasonOf(t, err))
	_, err = p.provider.CheckConnection(within(t, 20*time.Second), &providerv1.CheckConnectionRequest{Call: accountAt(base)})
	assert.Equal(t, "vendor_rejected", reasonOf(t, err))
	_, err = p.contacts.GetContact(within(t, 20*time.Second), &crmv1.GetContactRequest{Call: accountAt(base), Id: "5"})
	assert.Equal(t, "record_not_found", reasonOf(t, err))
}

func TestASignInPageDoesNotMeanThatCredentialsWork(t *testing.T) {
	base := vendor(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html><body>Please sign in</body></html>")
	})
	_, err := serve(t, acme()).provider.CheckConnection(within(t, 20*time.Second), &providerv1.CheckConnectionRequest{Call: accountAt(base)})
	assert.Equal(t, "unexpected_vendor_answer", reasonOf(t, err))
}

func TestARecordIsHeldToWhatTheProtocolPromises(t *testing.T) {
	for name, c := range map[string]struct {
		record crm.Contact
		reason string
	}{
		"no id":                 {crm.Contact{}, "plugin_bug"},
		"an empty id":           {crm.Contact{ID: new("")}, "plugin_bug"},
		"broken remote data":    {crm.Contact{ID: new("5"), RemoteData: json.RawMessage(`{"a":`)}, "plugin_bug"},
		"custom fields in text": {crm.Contact{ID: new("5"), CustomFields: json.RawMessage(`"a"`)}, "plugin_bug"},
		"broken custom fields":  {crm.Contact{ID: new("5"), CustomFields: json.RawMessage(`{"a"`)}, "plugin_bug"},
		"another record":        {crm.Contact{ID: new("6")}, "unexpected_vendor_answer"},
		"a sound one":           {crm.Contact{ID: new("5"), RemoteData: json.RawMessage(`1`), CustomFields: json.RawMessage(` {}`)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			provider := acme()
			provider.Contacts.Get.Do = func(context.Context, *Call, string) (*crm.Contact, error) { return new(c.record), nil }
			provider.Contacts.List.Do = func(context.Context, *Call, ListQuery) (Page[crm.Contact], error) {
				return Page[crm.Contact]{Records: []crm.Contact{{ID: new("1")}, c.record}}, nil
			}
			p := serve(t, provider)
			_, err := p.contacts.GetContact(t.Context(), &crmv1.GetContactRequest{Call: accountAt(""), Id: "5"})
			if c.reason == "" {
				require.NoError(t, err)
			} else {
				assert.Equal(t, c.reason, reasonOf(t, err))
			}
			_, err = p.contacts.ListContacts(t.Context(), &crmv1.ListContactsRequest{Call: accountAt("")})
			if c.reason == "plugin_bug" {
				assert.Equal(t, c.reason, reasonOf(t, err))
			} else {
				require.NoError(t, err)
			}
		})
	}
}

func TestAPageIsHeldToWhatWasAskedFor(t *testing.T) {
	provider := acme()
	provider.Contacts.List.Do = func(_ context.Context, _ *Call, query ListQuery) (Page[crm.Contact], error) {
		return Page[crm.Contact]{Records: []crm.Contact{{ID: new("1")}, {ID: new("2")}, {ID: new("3")}}, Next: query.PageToken}, nil
	}
	p := serve(t, provider)
	_, err := p.contacts.ListContacts(t.Context(), &crmv1.ListContactsRequest{Call: accountAt(""), PageSize: 3})
	require.NoError(t, err)
	_, err = p.contacts.ListContacts(t.Context(), &crmv1.ListContactsRequest{Call: accountAt(""), PageSize: 2})
	assert.Equal(t, "unexpected_vendor_answer", reasonOf(t, err), "more than were asked for")
	_, err = p.contacts.ListContacts(t.Context(), &crmv1.ListContactsRequest{Call: accountAt(""), PageSize: 3, PageToken: "same"})
	assert.Equal(t, "unexpected_vendor_answer", reasonOf(t, err), "a list without end")
}

func TestADeadlineByTheClockCountsToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newTestServer(t, acme())
		call := accountAt("")
		call.Deadline = timestamppb.New(time.Now().Add(10 * time.Second))
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		_, err := s.intercept(ctx, &crmv1.GetContactRequest{Call: call}, &grpc.UnaryServerInfo{}, func(ctx context.Context, _ any) (any, error) {
			deadline, _ := ctx.Deadline()
			assert.Equal(t, 10*time.Second-replyMargin, time.Until(deadline))
			return nil, nil
		})
		require.NoError(t, err)
	})
}

func TestCredentialsAreStruckInTheFormInWhichTheyWereSent(t *testing.T) {
	base := vendor(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"message":"bad `+r.Header.Get("Authorization")+`"}`)
	})
	provider := acme()
	provider.Contacts.Get.Do = func(ctx context.Context, call *Call, id string) (*crm.Contact, error) {
		client, err := call.Client(vendorhttp.Vendor{Name: "Acme CRM", BaseURL: "https://api.acme.test/v2", Header: http.Header{"Authorization": {"Custom composed-of-parts"}}})
		if err != nil {
			return nil, err
		}
		_, err = client.Main(ctx, vendorhttp.Request{Method: http.MethodGet, Path: []string{id}})
		call.Log().Error("it failed with composed-of-parts")
		return nil, err
	}
	p := serve(t, provider)
	_, err := p.contacts.GetContact(within(t, 20*time.Second), &crmv1.GetContactRequest{Call: accountAt(base), Id: "5"})
	assert.NotContains(t, shown(err), "composed-of-parts")
	assert.NotContains(t, p.log.String(), "composed-of-parts")
	assert.Equal(t, "composed-of-parts", p.server.secrets.Text("composed-of-parts"), "and forgotten after the call")
}
