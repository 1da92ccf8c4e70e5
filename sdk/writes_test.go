package sdk

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	crmv1 "github.com/unicrm/unicrm/proto/unicrm/crm/v1"
	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
	"github.com/unicrm/unicrm/sdk/wire"
)

// desk is a vendor that says yes to everything, unless a test says otherwise,
// and keeps what it was asked.
type desk struct {
	url string
	say func(w http.ResponseWriter, r *http.Request) (said bool)

	mu   sync.Mutex
	seen []request // guarded by mu
}

// request is what reached the desk.
type request struct {
	line, body string
	at         time.Time
}

func newDesk(t testing.TB, say func(w http.ResponseWriter, r *http.Request) bool) *desk {
	d := &desk{say: say}
	d.url = vendor(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		d.mu.Lock()
		d.seen = append(d.seen, request{r.Method + " " + r.URL.RequestURI(), string(body), time.Now()})
		d.mu.Unlock()
		if d.say == nil || !d.say(w, r) {
			_, _ = io.WriteString(w, `{"ok":true}`)
		}
	})
	return d
}

// asked are the requests since it was last asked for them.
func (d *desk) asked() []request {
	d.mu.Lock()
	defer d.mu.Unlock()
	seen := d.seen
	d.seen = nil
	return seen
}

func lines(requests []request) []string {
	var all []string
	for _, r := range requests {
		all = append(all, r.line)
	}
	return all
}

// finds makes a desk that knows who has an e-mail address.
func finds(ids ...string) func(w http.ResponseWriter, r *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/v2/find" {
			_ = json.NewEncoder(w).Encode(map[string]any{"ids": ids})
		}
		return r.URL.Path == "/v2/find"
	}
}

func clientOf(call *Call) (*vendorhttp.Client, error) {
	var credentials struct {
		Key string `json:"api_key"`
	}
	if err := call.Credentials(&credentials); err != nil {
		return nil, err
	}
	return call.Client(vendorhttp.Vendor{
		Name: "Acme CRM", BaseURL: "https://api.acme.test/v2",
		Header: http.Header{"X-Key": {credentials.Key}, "Authorization": {"Bearer derived"}},
	})
}

// send writes a record; path has the id of one that is changed.
func send(ctx context.Context, call *Call, method string, path []string, change Change[crm.Contact]) (*crm.Contact, error) {
	client, err := clientOf(call)
	if err != nil {
		return nil, err
	}
	body, r := &vendorjson.Body{}, change.Record
	body.Text("first", "first_name", r.FirstName, change.Clears("first_name"))
	body.Text("last", "last_name", r.LastName, change.Clears("last_name"))
	if r.EmailAddresses != nil || change.Clears("email_addresses") {
		body.Set("email", "email_addresses", nil)
		types := TypesOf(r.EmailAddresses, func(e *crm.EmailAddress) *string { return e.Type })
		if at := call.Fill("email_addresses", types, []Slot{{Key: "email", Any: true}})[0]; at >= 0 {
			body.Set("email", "email_addresses[0].email", r.EmailAddresses[at].Email)
		}
	}
	call.LoseExtensions(r.PhoneNumbers)
	if r.CustomFields != nil {
		body.Set("custom", "custom_fields", r.CustomFields)
	}
	body.MergeRemote(r.RemoteData)
	response, err := client.Main(ctx, vendorhttp.Request{Method: method, Path: path, Body: body})
	if err != nil {
		return nil, body.Unified(err)
	}
	id := change.ID
	if id == "" {
		id = "new1"
	}
	return &crm.Contact{ID: &id, RemoteData: response.JSON()}, nil
}

// writer is a provider with every write. Its vendor has one place for an e-mail
// address, none for extensions of numbers, and the version v1 of every record.
func writer() *Provider {
	p := acme()
	writable := []string{"first_name", "last_name", "title", "account.id", "addresses", "email_addresses", "phone_numbers", "urls", "tags", "custom_fields", "remote_data"}
	p.Contacts.Create = &Create[crm.Contact]{
		Returned: []string{"id"}, Writable: writable, Required: []string{"last_name"},
		Do: func(ctx context.Context, call *Call, record crm.Contact) (*crm.Contact, error) {
			return send(ctx, call, http.MethodPost, []string{"contacts"}, Change[crm.Contact]{Record: record})
		},
	}
	p.Contacts.Update = &Update[crm.Contact]{
		Returned: []string{"id"}, Writable: append([]string{"etag"}, writable...),
		Do: func(ctx context.Context, call *Call, change Change[crm.Contact]) (*crm.Contact, error) {
			if err := change.CheckETag(new("v1")); err != nil {
				return nil, err
			}
			return send(ctx, call, http.MethodPut, []string{"contacts", change.ID}, change)
		},
	}
	p.Contacts.Upsert = &Upsert[crm.Contact]{Find: func(ctx context.Context, call *Call, email string) ([]string, error) {
		client, err := clientOf(call)
		if err != nil {
			return nil, err
		}
		response, err := client.Side(ctx, vendorhttp.Request{Method: http.MethodGet, Path: []string{"find"}, Fixed: []vendorhttp.Param{{Name: "email", Value: email}}})
		if err != nil {
			return nil, err
		}
		var found struct {
			IDs []string `json:"ids"`
		}
		err = response.Decode(&found)
		return found.IDs, err
	}}
	p.Contacts.BatchDelete = FanOut(p.Contacts.Delete, p.Contacts.IDPattern, 1000)
	p.Contacts.Merge = &Merge[crm.Contact]{
		Returned: []string{"id"}, MaxDuplicates: 2,
		Do: func(ctx context.Context, call *Call, master string, duplicates []string) (*crm.Contact, error) {
			client, err := clientOf(call)
			if err != nil {
				return nil, err
			}
			response, err := client.Main(ctx, vendorhttp.Request{Method: http.MethodPost, Path: []string{"merge"}, Body: map[string]any{"into": master, "from": duplicates}})
			if err != nil {
				return nil, err
			}
			return &crm.Contact{ID: &master, RemoteData: response.JSON()}, nil
		},
	}
	return p
}

// writes are calls of every write, each with something to write.
func writes(p *running, call func() *providerv1.CallContext) map[string]func(ctx context.Context) (*providerv1.CallResult, proto.Message, error) {
	person := func() *crmv1.Contact {
		return &crmv1.Contact{LastName: new("Quill"), EmailAddresses: []*crmv1.EmailAddress{{Email: new("ada@quill.test")}}}
	}
	record := func(c *crmv1.Contact) proto.Message {
		if c == nil {
			return nil
		}
		return c
	}
	return map[string]func(ctx context.Context) (*providerv1.CallResult, proto.Message, error){
		"create": func(ctx context.Context) (*providerv1.CallResult, proto.Message, error) {
			r, err := p.contacts.CreateContact(ctx, &crmv1.CreateContactRequest{Call: call(), Contact: person()})
			return r.GetResult(), record(r.GetContact()), err
		},
		"update": func(ctx context.Context) (*providerv1.CallResult, proto.Message, error) {
			r, err := p.contacts.UpdateContact(ctx, &crmv1.UpdateContactRequest{Call: call(), Id: "7", Contact: person()})
			return r.GetResult(), record(r.GetContact()), err
		},
		"upsert": func(ctx context.Context) (*providerv1.CallResult, proto.Message, error) {
			r, err := p.contacts.UpsertContact(ctx, &crmv1.UpsertContactRequest{Call: call(), Contact: person()})
			return r.GetResult(), record(r.GetContact()), err
		},
		"delete": func(ctx context.Context) (*providerv1.CallResult, proto.Message, error) {
			r, err := p.contacts.DeleteContact(ctx, &crmv1.DeleteContactRequest{Call: call(), Id: "7"})
			return r.GetResult(), record(r.GetContact()), err
		},
		"batch delete": func(ctx context.Context) (*providerv1.CallResult, proto.Message, error) {
			r, err := p.contacts.BatchDeleteContacts(ctx, &crmv1.BatchDeleteContactsRequest{Call: call(), Ids: []string{"7", "8"}})
			if len(r.GetOutcomes()) > 0 {
				return r.GetResult(), r.GetOutcomes()[0], err
			}
			return r.GetResult(), nil, err
		},
		"merge": func(ctx context.Context) (*providerv1.CallResult, proto.Message, error) {
			r, err := p.contacts.MergeContacts(ctx, &crmv1.MergeContactsRequest{Call: call(), MasterId: "7", DuplicateIds: []string{"8"}})
			return r.GetResult(), record(r.GetContact()), err
		},
	}
}

func TestADryRunShowsEveryRequestAndSendsNone(t *testing.T) {
	d := newDesk(t, nil)
	p := serve(t, writer())
	dry := func() *providerv1.CallContext {
		call := accountAt(d.url)
		call.DryRun = true
		call.RemoteQuery = []*providerv1.QueryParameter{{Name: "notify", Value: "no one"}}
		return call
	}
	want := map[string][]string{
		"create": {"POST /v2/contacts?notify=no%20one"}, "update": {"PUT /v2/contacts/7?notify=no%20one"}, "delete": {"DELETE /v2/contacts/7?notify=no%20one"},
		"upsert":       {"GET /v2/find?email=ada%40quill.test", "POST /v2/contacts?notify=no%20one"},
		"batch delete": {"DELETE /v2/contacts/7?notify=no%20one", "DELETE /v2/contacts/8?notify=no%20one"},
		"merge":        {"POST /v2/merge?notify=no%20one"},
	}
	for name, write := range writes(p, dry) {
		t.Run(name, func(t *testing.T) {
			result, record, err := write(within(t, 20*time.Second))
			require.NoError(t, err)
			assert.Nil(t, record, "nothing was done, so there is no record of it")
			var got []string
			for _, r := range result.GetVendorRequests() {
				got = append(got, r.GetMethod()+" "+strings.TrimPrefix(r.GetUrl(), d.url))
				assert.Equal(t, r.GetMethod() != "GET", r.GetMain())
			}
			assert.Equal(t, want[name], got)
			main := result.GetVendorRequests()[len(got)-1]
			if main.GetMethod() == "POST" && name != "merge" {
				assert.Equal(t, `{"last":"Quill","email":"ada@quill.test"}`, string(main.GetBody()))
			}
			var headers []string
			for _, h := range main.GetHeaders() {
				headers = append(headers, h.GetName()+": "+h.GetValue())
			}
			assert.Contains(t, headers, "Accept: application/json")
			assert.Contains(t, headers, "X-Key: [redacted]")
			assert.NotContains(t, strings.Join(headers, "\n"), "Authorization")
			noCanary(t, result.String(), p.log.String())
			assert.Empty(t, d.asked())
		})
	}
	refused := map[string]func() error{
		"list": func() error {
			_, err := p.contacts.ListContacts(t.Context(), &crmv1.ListContactsRequest{Call: dry()})
			return err
		},
		"get": func() error {
			_, err := p.contacts.GetContact(t.Context(), &crmv1.GetContactRequest{Call: dry(), Id: "7"})
			return err
		},
		"a check": func() error {
			_, err := p.provider.CheckConnection(t.Context(), &providerv1.CheckConnectionRequest{Call: dry()})
			return err
		},
	}
	for name, call := range refused {
		assert.Equal(t, "invalid_parameter", reasonOf(t, call()), "%s changes nothing anyway", name)
	}
	assert.Empty(t, d.asked())
}

func TestADryRunOfWhatCannotBeDoneSaysSo(t *testing.T) {
	d := newDesk(t, nil)
	p := serve(t, writer())
	dry := accountAt(d.url)
	dry.DryRun = true
	_, err := p.contacts.CreateContact(t.Context(), &crmv1.CreateContactRequest{Call: dry, Contact: &crmv1.Contact{FirstName: new("Ada")}})
	assert.Equal(t, "invalid_body", reasonOf(t, err))
	_, err = p.contacts.UpdateContact(t.Context(), &crmv1.UpdateContactRequest{Call: dry, Id: "a/b", Contact: &crmv1.Contact{LastName: new("Quill")}})
	assert.Equal(t, "invalid_id", reasonOf(t, err))
	two := &crmv1.Contact{LastName: new("Quill"), EmailAddresses: []*crmv1.EmailAddress{{Email: new("a@b.test")}, {Email: new("c@d.test")}}}
	_, err = p.contacts.CreateContact(t.Context(), &crmv1.CreateContactRequest{Call: dry, Contact: two})
	assert.Equal(t, "lossy_write", reasonOf(t, err))
	odd := accountAt(d.url)
	odd.DryRun, odd.Account.Credentials = true, []byte(`[]`)
	_, err = p.contacts.BatchDeleteContacts(t.Context(), &crmv1.BatchDeleteContactsRequest{Call: odd, Ids: []string{"7"}})
	assert.Equal(t, "invalid_parameter", reasonOf(t, err))

	// Whether somebody has the address is not known, so what a new record must
	// have is told and no more.
	upsert, err := p.contacts.UpsertContact(t.Context(), &crmv1.UpsertContactRequest{Call: dry, Contact: &crmv1.Contact{EmailAddresses: two.EmailAddresses[:1]}})
	require.NoError(t, err)
	require.Len(t, upsert.GetResult().GetVendorRequests(), 1)
	assert.Contains(t, upsert.GetResult().String(), "is required where nobody has the address yet")
	assert.False(t, upsert.GetCreated())
	assert.Empty(t, d.asked())
}

func TestLossesStopAWriteBeforeAnythingIsSentOrBecomeWarnings(t *testing.T) {
	d := newDesk(t, finds())
	p := serve(t, writer())
	person := func() *crmv1.Contact {
		return &crmv1.Contact{
			LastName:       new("Quill"),
			EmailAddresses: []*crmv1.EmailAddress{{Email: new("a@b.test"), Type: new("work")}, {Email: new("c@d.test")}},
			PhoneNumbers:   []*crmv1.PhoneNumber{{Number: new("1"), Extension: new("9")}},
		}
	}
	calls := map[string]func(call *providerv1.CallContext) (*providerv1.CallResult, error){
		"create": func(call *providerv1.CallContext) (*providerv1.CallResult, error) {
			r, err := p.contacts.CreateContact(t.Context(), &crmv1.CreateContactRequest{Call: call, Contact: person()})
			return r.GetResult(), err
		},
		"update": func(call *providerv1.CallContext) (*providerv1.CallResult, error) {
			r, err := p.contacts.UpdateContact(t.Context(), &crmv1.UpdateContactRequest{Call: call, Id: "7", Contact: person()})
			return r.GetResult(), err
		},
		"upsert": func(call *providerv1.CallContext) (*providerv1.CallResult, error) {
			r, err := p.contacts.UpsertContact(t.Context(), &crmv1.UpsertContactRequest{Call: call, Contact: person()})
			return r.GetResult(), err
		},
	}
	want := []string{"email_addresses[0].type", "email_addresses[1]", "phone_numbers[0].extension"}
	for name, write := range calls {
		_, err := write(accountAt(d.url))
		assert.Equal(t, "lossy_write", reasonOf(t, err), name)
		var paths []string
		for _, f := range errs.FromStatus(err).Fields {
			paths = append(paths, f.Path)
		}
		assert.Equal(t, want, paths, name)
		assert.Contains(t, errs.FromStatus(err).Message, "email_addresses[1] (there is no place left for it)")
		for _, r := range d.asked() {
			assert.Contains(t, r.line, "GET ", "%s: nothing is changed", name)
		}

		lossy := accountAt(d.url)
		lossy.AllowLossy = true
		result, err := write(lossy)
		require.NoError(t, err, name)
		paths = nil
		for _, w := range result.GetWarnings() {
			paths = append(paths, w.GetField())
			assert.NotEmpty(t, w.GetDescription())
		}
		assert.Equal(t, want, paths, name)
		seen := d.asked()
		assert.Contains(t, seen[len(seen)-1].body, `"email":"a@b.test"`, name)
	}
}

func TestAWriteOfWhichNothingHasAPlaceIsNoSuccess(t *testing.T) {
	provider := writer()
	provider.Contacts.Update.Do = func(_ context.Context, call *Call, change Change[crm.Contact]) (*crm.Contact, error) {
		call.Lose("phone_numbers[0]", "there is no place left for it")
		return &crm.Contact{ID: &change.ID}, nil // nothing to send
	}
	p := serve(t, provider)
	update := func(call *providerv1.CallContext) (*crmv1.UpdateContactResponse, error) {
		return p.contacts.UpdateContact(t.Context(), &crmv1.UpdateContactRequest{Call: call, Id: "7"})
	}
	_, err := update(accountAt(""))
	assert.Equal(t, "lossy_write", reasonOf(t, err))
	dry, lossy := accountAt(""), accountAt("")
	dry.DryRun, lossy.AllowLossy = true, true
	_, err = update(dry)
	assert.Equal(t, "lossy_write", reasonOf(t, err))
	response, err := update(lossy)
	require.NoError(t, err)
	assert.Len(t, response.GetResult().GetWarnings(), 1)
}

func TestWarningsAreBoundedValidAndWithoutSecrets(t *testing.T) {
	provider := writer()
	provider.Contacts.Create.Do = func(_ context.Context, call *Call, _ crm.Contact) (*crm.Contact, error) {
		call.Lose(strings.Repeat("p", 1000)+"\xff", "it holds "+canary)
		long := strings.Repeat("é", 2000)
		for range 200_000 {
			call.Lose("phone_numbers[5]", long)
		}
		return &crm.Contact{ID: new("1")}, nil
	}
	p := serve(t, provider)
	call := accountAt("")
	call.AllowLossy = true
	response, err := p.contacts.CreateContact(within(t, 20*time.Second), &crmv1.CreateContactRequest{Call: call, Contact: &crmv1.Contact{LastName: new("Quill")}})
	require.NoError(t, err)
	warnings := response.GetResult().GetWarnings()
	assert.Len(t, warnings, maxWarnings)
	assert.Less(t, proto.Size(response), wire.MaxMessage/4)
	assert.Contains(t, warnings[0].GetDescription(), "it holds [redacted]")
	assert.Contains(t, warnings[maxWarnings-1].GetDescription(), "and 199001 further parts were left out")
	noCanary(t, response.String())
}

// refusals are writes that are refused without a request, by their reason and
// the fields that they name.
func TestWritesThatCannotBeDoneAreRefusedBeforeAnythingIsSent(t *testing.T) {
	d := newDesk(t, finds())
	p := serve(t, writer())
	person := func(change func(c *crmv1.Contact)) *crmv1.Contact {
		c := &crmv1.Contact{LastName: new("Quill"), EmailAddresses: []*crmv1.EmailAddress{{Email: new("ada@quill.test")}}}
		change(c)
		return c
	}
	for name, c := range map[string]struct {
		contact *crmv1.Contact
		clear   []string
		reason  string
		fields  []string
		only    string // the one method that it holds for; "" for all
	}{
		"nothing at all":            {nil, nil, "invalid_body", []string{"last_name"}, "create"},
		"an empty record":           {&crmv1.Contact{}, nil, "invalid_body", []string{"last_name"}, "create"},
		"a blank required text":     {person(func(c *crmv1.Contact) { c.LastName = new(" \t") }), nil, "invalid_body", []string{"last_name"}, "create"},
		"a field nobody advertised": {person(func(c *crmv1.Contact) { c.Name = new("x") }), nil, "lossy_write", []string{"name"}, ""},
		"a part nobody advertised":  {person(func(c *crmv1.Contact) { c.Account = &crmv1.AccountReference{Id: new("1"), Name: new("x")} }), nil, "lossy_write", []string{"account.name"}, ""},
		"an instant":                {person(func(c *crmv1.Contact) { c.UpdatedAt = timestamppb.Now() }), nil, "lossy_write", []string{"updated_at"}, ""},
		"an id of its own":          {person(func(c *crmv1.Contact) { c.Id = new("5") }), nil, "lossy_write", []string{"id"}, ""},
		"a version as a field":      {person(func(c *crmv1.Contact) { c.Etag = new("v1") }), nil, "lossy_write", []string{"etag"}, ""},
		"an address without one":    {person(func(c *crmv1.Contact) { c.EmailAddresses[0].Email = new(" ") }), nil, "invalid_body", []string{"email_addresses[0].email"}, ""},
		"a type alone": {person(func(c *crmv1.Contact) {
			c.EmailAddresses = append(c.EmailAddresses, &crmv1.EmailAddress{Type: new("work")})
		}), nil, "invalid_body", []string{"email_addresses[1].email"}, ""},
		"a number without one":        {person(func(c *crmv1.Contact) { c.PhoneNumbers = []*crmv1.PhoneNumber{{Extension: new("1")}} }), nil, "invalid_body", []string{"phone_numbers[0].number"}, ""},
		"a web address without one":   {person(func(c *crmv1.Contact) { c.Urls = []*crmv1.Url{{Url: new("x")}, {Type: new("website")}} }), nil, "invalid_body", []string{"urls[1].url"}, ""},
		"a tag without a name":        {person(func(c *crmv1.Contact) { c.Tags = []*crmv1.Tag{{}} }), nil, "invalid_body", []string{"tags[0].name"}, ""},
		"a place that is none":        {person(func(c *crmv1.Contact) { c.Addresses = []*crmv1.Address{{City: new("Leeds")}, {}} }), nil, "invalid_body", []string{"addresses[1]"}, ""},
		"fields that are no object":   {person(func(c *crmv1.Contact) { c.CustomFields = []byte(`[1]`) }), nil, "invalid_body", []string{"custom_fields"}, ""},
		"fields that were cut off":    {person(func(c *crmv1.Contact) { c.CustomFields = []byte(`{"a":1`) }), nil, "invalid_body", []string{"custom_fields"}, ""},
		"remote data that is a text":  {person(func(c *crmv1.Contact) { c.RemoteData = []byte(`"x"`) }), nil, "invalid_body", []string{"remote_data"}, ""},
		"remote data of two values":   {person(func(c *crmv1.Contact) { c.RemoteData = []byte(`{} {}`) }), nil, "invalid_body", []string{"remote_data"}, ""},
		"emptying what is not there":  {person(func(*crmv1.Contact) {}), []string{"birthday"}, "invalid_body", []string{"birthday"}, "not create"},
		"emptying a part":             {person(func(*crmv1.Contact) {}), []string{"account.id"}, "invalid_body", []string{"account.id"}, "not create"},
		"emptying what is written":    {person(func(*crmv1.Contact) {}), []string{"email_addresses"}, "invalid_body", []string{"email_addresses"}, "not create"},
		"emptying what cannot be":     {person(func(*crmv1.Contact) {}), []string{"created_at", "name"}, "lossy_write", []string{"created_at", "name"}, "not create"},
		"emptying remote data":        {person(func(*crmv1.Contact) {}), []string{"remote_data"}, "lossy_write", []string{"remote_data"}, "not create"},
		"an upsert without addresses": {&crmv1.Contact{LastName: new("Quill")}, nil, "invalid_body", []string{"email_addresses"}, "upsert"},
		"an upsert of nothing":        {nil, nil, "invalid_body", []string{"email_addresses"}, "upsert"},
	} {
		t.Run(name, func(t *testing.T) {
			calls := map[string]func() error{
				"create": func() error {
					_, err := p.contacts.CreateContact(t.Context(), &crmv1.CreateContactRequest{Call: accountAt(d.url), Contact: c.contact})
					return err
				},
				"update": func() error {
					_, err := p.contacts.UpdateContact(t.Context(), &crmv1.UpdateContactRequest{Call: accountAt(d.url), Id: "7", Contact: c.contact, ClearFields: c.clear})
					return err
				},
				"upsert": func() error {
					_, err := p.contacts.UpsertContact(t.Context(), &crmv1.UpsertContactRequest{Call: accountAt(d.url), Contact: c.contact, ClearFields: c.clear})
					return err
				},
			}
			for method, call := range calls {
				if c.only != "" && c.only != method && (c.only != "not create" || method == "create") {
					continue
				}
				err := call()
				assert.Equal(t, c.reason, reasonOf(t, err), method)
				var paths []string
				for _, f := range errs.FromStatus(err).Fields {
					paths = append(paths, f.Path)
				}
				assert.Equal(t, c.fields, paths, method)
				assert.Empty(t, d.asked(), method)
			}
		})
	}
}

func TestAChangeIsGuardedByItsVersionOrRefusedWhereThereAreNone(t *testing.T) {
	d := newDesk(t, nil)
	p := serve(t, writer())
	update := func(p *running, etag *string) error {
		_, err := p.contacts.UpdateContact(t.Context(), &crmv1.UpdateContactRequest{Call: accountAt(d.url), Id: "7", Contact: &crmv1.Contact{LastName: new("Quill")}, Etag: etag})
		return err
	}
	require.NoError(t, update(p, nil))
	require.NoError(t, update(p, new("v1")))
	assert.Len(t, d.asked(), 2)
	for _, stale := range []string{"v0", "", "V1"} {
		assert.Equal(t, "stale_version", reasonOf(t, update(p, &stale)), "%q", stale)
	}
	without := writer()
	without.Contacts.Update.Writable = without.Contacts.Update.Writable[1:]
	assert.Equal(t, "unsupported", reasonOf(t, update(serve(t, without), new("v1"))))
	assert.Empty(t, d.asked())
}

func TestAnUpdateIsOfTheRecordThatWasAskedFor(t *testing.T) {
	provider := writer()
	provider.Contacts.Update.Do = func(_ context.Context, _ *Call, change Change[crm.Contact]) (*crm.Contact, error) {
		switch change.ID {
		case "other":
			return &crm.Contact{ID: new("another")}, nil
		case "none":
			return nil, nil
		case "nameless":
			return &crm.Contact{}, nil
		}
		return &crm.Contact{ID: &change.ID}, nil
	}
	p := serve(t, provider)
	for id, reason := range map[string]string{"other": "unexpected_vendor_answer", "none": "plugin_bug", "nameless": "plugin_bug", "A/B": "invalid_id"} {
		_, err := p.contacts.UpdateContact(t.Context(), &crmv1.UpdateContactRequest{Call: accountAt(""), Id: id})
		assert.Equal(t, reason, reasonOf(t, err), id)
	}
	_, err := p.contacts.UpdateContact(t.Context(), &crmv1.UpdateContactRequest{Call: accountAt(""), Id: "7"})
	require.NoError(t, err, "a request without a record changes nothing and breaks nothing")
}

func TestAVendors404ForANewRecordDoesNotReadAsARecordThatIsNotThere(t *testing.T) {
	d := newDesk(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet {
			return false
		}
		w.WriteHeader(http.StatusNotFound)
		return true
	})
	for name, write := range writes(serve(t, writer()), func() *providerv1.CallContext { return accountAt(d.url) }) {
		_, outcome, err := write(within(t, 20*time.Second))
		switch name {
		case "create", "upsert":
			assert.Equal(t, "vendor_rejected", reasonOf(t, err), name)
		case "batch delete":
			require.NoError(t, err)
			assert.Equal(t, errs.RecordNotFound, outcome.(*providerv1.RecordOutcome).GetError().GetReason())
		default:
			assert.Equal(t, "record_not_found", reasonOf(t, err), name)
		}
	}
}

func TestAnUpsertChangesTheOneThatIsFoundOrMakesOne(t *testing.T) {
	one := []*crmv1.EmailAddress{{Email: new(" ada@quill.test ")}}
	two := []*crmv1.EmailAddress{{Email: new("ada@quill.test")}, {Email: new("b@quill.test")}}
	for name, c := range map[string]struct {
		found   []string
		contact *crmv1.Contact
		clear   []string
		want    []string // the requests
		body    string   // of the last one
		created bool
		reason  string
		says    string
	}{
		"nobody has it": {nil, &crmv1.Contact{LastName: new("Quill"), EmailAddresses: one}, nil, []string{"GET /v2/find?email=ada%40quill.test", "POST /v2/contacts"}, `{"last":"Quill","email":"ada@quill.test"}`, true, "", ""},
		"nobody has it, and something required is missing": {nil, &crmv1.Contact{FirstName: new("Ada"), EmailAddresses: one}, nil, []string{"GET /v2/find?email=ada%40quill.test"}, "", false, "invalid_body", "last_name"},
		"one has it: the address is only who is meant":     {[]string{"7"}, &crmv1.Contact{FirstName: new("Ada"), EmailAddresses: one}, nil, []string{"GET /v2/find?email=ada%40quill.test", "PUT /v2/contacts/7"}, `{"first":"Ada"}`, false, "", ""},
		"one has it, found twice":                          {[]string{"7", "7"}, &crmv1.Contact{FirstName: new("Ada"), EmailAddresses: one}, nil, []string{"GET /v2/find?email=ada%40quill.test", "PUT /v2/contacts/7"}, `{"first":"Ada"}`, false, "", ""},
		"fields can be emptied":                            {[]string{"7"}, &crmv1.Contact{EmailAddresses: one}, []string{"first_name"}, []string{"GET /v2/find?email=ada%40quill.test", "PUT /v2/contacts/7"}, `{"first":null}`, false, "", ""},
		"nothing but the address is nothing to change":     {[]string{"7"}, &crmv1.Contact{EmailAddresses: one}, nil, []string{"GET /v2/find?email=ada%40quill.test", "GET /v2/contacts/7"}, "", false, "", ""},
		"several addresses are a list to be written":       {[]string{"7"}, &crmv1.Contact{EmailAddresses: two}, nil, []string{"GET /v2/find?email=ada%40quill.test"}, "", false, "lossy_write", "email_addresses[1]"},
		"several have it":                                  {[]string{"9", "7"}, &crmv1.Contact{LastName: new("Quill"), EmailAddresses: one}, nil, []string{"GET /v2/find?email=ada%40quill.test"}, "", false, "conflict", "7, 9"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, finds(c.found...))
			response, err := serve(t, writer()).contacts.UpsertContact(t.Context(), &crmv1.UpsertContactRequest{Call: accountAt(d.url), Contact: c.contact, ClearFields: c.clear})
			seen := d.asked()
			assert.Equal(t, c.want, lines(seen))
			if c.reason != "" {
				assert.Equal(t, c.reason, reasonOf(t, err))
				assert.Contains(t, shown(err), c.says)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.body, seen[len(seen)-1].body)
			assert.Equal(t, c.created, response.GetCreated())
			assert.NotEmpty(t, response.GetContact().GetId())
		})
	}
}

func TestAnUpsertThatCannotLookDoesNotWrite(t *testing.T) {
	for status, reason := range map[int]string{404: "vendor_rejected", 401: "vendor_unauthenticated", 500: "vendor_unavailable"} {
		d := newDesk(t, func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(status)
			return true
		})
		_, err := serve(t, writer()).contacts.UpsertContact(t.Context(), &crmv1.UpsertContactRequest{Call: accountAt(d.url), Contact: &crmv1.Contact{LastName: new("Quill"), EmailAddresses: []*crmv1.EmailAddress{{Email: new("a@b.test")}}}})
		assert.Equal(t, reason, reasonOf(t, err))
		assert.Len(t, d.asked(), 1)
	}
}

func TestAnUpsertUsesTheVendorsOwnWhereThereIsOne(t *testing.T) {
	provider := writer()
	provider.Contacts.Upsert.Insert = func(ctx context.Context, call *Call, record crm.Contact) (*crm.Contact, bool, error) {
		made, err := send(ctx, call, http.MethodPost, []string{"upsert"}, Change[crm.Contact]{Record: record})
		return made, true, err
	}
	provider.Contacts.Upsert.Atomic = true
	d := newDesk(t, finds())
	p := serve(t, provider)
	response, err := p.contacts.UpsertContact(t.Context(), &crmv1.UpsertContactRequest{Call: accountAt(d.url), Contact: &crmv1.Contact{LastName: new("Quill"), EmailAddresses: []*crmv1.EmailAddress{{Email: new("a@b.test")}}}})
	require.NoError(t, err)
	assert.True(t, response.GetCreated())
	assert.Equal(t, []string{"GET /v2/find?email=a%40b.test", "POST /v2/upsert"}, lines(d.asked()))
	for _, m := range p.server.manifest.GetResources()[0].GetMethods() {
		if m.GetMethod() == providerv1.Method_METHOD_UPSERT {
			assert.True(t, m.GetUpsert().GetAtomic())
			assert.NotContains(t, m.GetWritableFields(), "etag")
			assert.Equal(t, []string{"last_name"}, m.GetRequiredFields())
		}
	}
}

func TestAMergeIsOfRecordsThatCanBeAndOfNoMoreThanTheVendorTakes(t *testing.T) {
	d := newDesk(t, nil)
	p := serve(t, writer())
	merge := func(master string, duplicates ...string) error {
		_, err := p.contacts.MergeContacts(t.Context(), &crmv1.MergeContactsRequest{Call: accountAt(d.url), MasterId: master, DuplicateIds: duplicates})
		return err
	}
	require.NoError(t, merge("1", "2", "3"))
	assert.Equal(t, `{"from":["2","3"],"into":"1"}`, d.asked()[0].body)
	for reason, c := range map[string][][]string{
		"invalid_body": {{"1"}, {"1", "2", "3", "4"}, {"1", "1"}, {"1", "2", "2"}},
		"invalid_id":   {{"1", "a/b"}, {"", "1"}, {"1", ""}},
	} {
		for _, ids := range c {
			assert.Equal(t, reason, reasonOf(t, merge(ids[0], ids[1:]...)), "%v", ids)
		}
	}
	assert.Empty(t, d.asked())
	other := writer()
	other.Contacts.Merge.Do = func(context.Context, *Call, string, []string) (*crm.Contact, error) {
		return &crm.Contact{ID: new("2")}, nil
	}
	_, err := serve(t, other).contacts.MergeContacts(t.Context(), &crmv1.MergeContactsRequest{Call: accountAt(d.url), MasterId: "1", DuplicateIds: []string{"2"}})
	assert.Equal(t, "unexpected_vendor_answer", reasonOf(t, err), "the master keeps its id")
}

func TestMethodsThatAProviderDoesNotHaveAreUnimplemented(t *testing.T) {
	p := serve(t, acme())
	for name, write := range writes(p, func() *providerv1.CallContext { return accountAt("") }) {
		if name == "delete" {
			continue
		}
		_, _, err := write(t.Context())
		assert.ErrorContains(t, err, "Unimplemented", name)
	}
}

func TestWhatAWriteSentComesWithTheAnswerWithoutSecrets(t *testing.T) {
	d := newDesk(t, func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/v2/find" {
			return finds("7")(w, r)
		}
		w.Header().Set("X-Echo", r.Header.Get("X-Key"))
		w.Header().Set("X-Auth-Token", "derived")
		w.Header().Set("Set-Cookie", "session=1")
		w.Header().Set("X-Request-Id", "r1")
		_, _ = io.WriteString(w, `{"echo":`+quoted(r.Header.Get("X-Key"))+`}`)
		return true
	})
	call := accountAt(d.url)
	call.WantVendorAnswer = true
	call.RemoteQuery = []*providerv1.QueryParameter{{Name: "key", Value: canary}, {Name: "plain", Value: "a b"}}
	response, err := serve(t, writer()).contacts.UpsertContact(t.Context(), &crmv1.UpsertContactRequest{
		Call: call, Contact: &crmv1.Contact{FirstName: new("Ada " + canary), EmailAddresses: []*crmv1.EmailAddress{{Email: new("a@b.test")}}},
	})
	require.NoError(t, err)
	result := response.GetResult()
	require.Len(t, result.GetVendorRequests(), 1, "the main one, without the look-ups")
	sent := result.GetVendorRequests()[0]
	assert.Equal(t, "PUT", sent.GetMethod())
	assert.True(t, sent.GetMain())
	assert.Contains(t, sent.GetUrl(), "/v2/contacts/7?key=[redacted]&plain=a%20b")
	assert.Equal(t, `{"first":"Ada [redacted]"}`, string(sent.GetBody()))
	assert.Equal(t, `{"echo":"[redacted]"}`, string(result.GetVendorAnswer().GetBody()))
	var headers []string
	for _, h := range result.GetVendorAnswer().GetHeaders() {
		headers = append(headers, h.GetName()+": "+h.GetValue())
	}
	assert.Contains(t, headers, "X-Request-Id: r1")
	assert.Contains(t, headers, "X-Echo: [redacted]")
	assert.NotContains(t, strings.Join(headers, "\n"), "session")
	assert.NotContains(t, strings.Join(headers, "\n"), "derived", "what is in such a header may be a secret of the vendor's")
	noCanary(t, result.String())
}

func quoted(text string) string {
	data, _ := json.Marshal(text)
	return string(data)
}

// A look at the record after a write must not read as if nothing was written.
func TestWhatFailsAfterAWriteWasAcceptedIsAnOutcomeThatIsNotKnown(t *testing.T) {
	for name, c := range map[string]struct {
		fail   func(w http.ResponseWriter)
		reason string
	}{
		"a failure": {func(w http.ResponseWriter) { w.WriteHeader(http.StatusInternalServerError) }, "outcome_unknown"},
		"a limit": {func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
		}, "outcome_unknown"},
		"not found yet":  {func(w http.ResponseWriter) { w.WriteHeader(http.StatusNotFound) }, "outcome_unknown"},
		"no permission":  {func(w http.ResponseWriter) { w.WriteHeader(http.StatusForbidden) }, "vendor_forbidden"},
		"nothing at all": {func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, "outcome_unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, func(w http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodGet {
					return false
				}
				c.fail(w)
				return true
			})
			provider := writer()
			look := func(ctx context.Context, call *Call, contact *crm.Contact, err error) (*crm.Contact, error) {
				if err != nil {
					return nil, err
				}
				_, err = call.client.Side(ctx, vendorhttp.Request{Method: http.MethodGet, Path: []string{"contacts", *contact.ID}})
				return contact, err
			}
			create, update := provider.Contacts.Create.Do, provider.Contacts.Update.Do
			provider.Contacts.Create.Do = func(ctx context.Context, call *Call, record crm.Contact) (*crm.Contact, error) {
				contact, err := create(ctx, call, record)
				return look(ctx, call, contact, err)
			}
			provider.Contacts.Update.Do = func(ctx context.Context, call *Call, change Change[crm.Contact]) (*crm.Contact, error) {
				contact, err := update(ctx, call, change)
				return look(ctx, call, contact, err)
			}
			p := serve(t, provider)
			_, err := p.contacts.CreateContact(within(t, 20*time.Second), &crmv1.CreateContactRequest{Call: accountAt(d.url), Contact: &crmv1.Contact{LastName: new("Quill")}})
			assert.Equal(t, c.reason, reasonOf(t, err))
			_, err = p.contacts.UpdateContact(within(t, 20*time.Second), &crmv1.UpdateContactRequest{Call: accountAt(d.url), Id: "7", Contact: &crmv1.Contact{LastName: new("Quill")}})
			assert.Equal(t, c.reason, reasonOf(t, err))
			if c.reason == "outcome_unknown" {
				assert.Contains(t, errs.FromStatus(err).Message, "the vendor accepted the write, and then: ")
			}
		})
	}
}

func TestA2xxThatMeansFailureStaysWhatItIs(t *testing.T) {
	for _, reason := range []errs.Reason{errs.VendorRateLimited, errs.VendorUnavailable, errs.RecordNotFound, errs.VendorRejected} {
		provider := writer()
		provider.Contacts.Update.Do = func(ctx context.Context, call *Call, change Change[crm.Contact]) (*crm.Contact, error) {
			client, err := clientOf(call)
			if err != nil {
				return nil, err
			}
			response, err := client.Main(ctx, vendorhttp.Request{Method: http.MethodPut, Path: []string{"contacts", change.ID}})
			if err != nil {
				return nil, err
			}
			return nil, response.Error(reason, "success: false")
		}
		d := newDesk(t, nil)
		_, err := serve(t, provider).contacts.UpdateContact(t.Context(), &crmv1.UpdateContactRequest{Call: accountAt(d.url), Id: "7"})
		assert.Equal(t, errs.Name(reason), reasonOf(t, err))
	}
}
