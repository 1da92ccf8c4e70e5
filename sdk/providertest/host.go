package providertest

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	crmv1 "github.com/unicrm/unicrm/proto/unicrm/crm/v1"
	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
)

// Host makes calls as a host does, through the protocol: what the SDK does
// around a provider's functions is part of the test.
type Host struct {
	kit      *Kit
	contacts crmv1.ContactsServiceClient
	account  *providerv1.Account
}

// Host starts the provider's services in process until the test ends.
func (k *Kit) Host(t testing.TB) *Host {
	t.Helper()
	conn, stop, err := sdk.InProcess(k.Provider)
	require.NoError(t, err)
	t.Cleanup(stop)
	credentials := k.Emulator.Context()
	delete(credentials, "base_url")
	data, err := json.Marshal(credentials)
	require.NoError(t, err)
	return &Host{
		kit: k, contacts: crmv1.NewContactsServiceClient(conn),
		account: &providerv1.Account{Id: "test", Revision: "1", AuthenticationMethod: k.method, Credentials: data, BaseUrl: k.Emulator.URL()},
	}
}

// Option changes a call.
type Option func(*providerv1.CallContext)

// DryRun sends nothing.
func DryRun(c *providerv1.CallContext) { c.DryRun = true }

// AllowLossy lets parts of a write be left out.
func AllowLossy(c *providerv1.CallContext) { c.AllowLossy = true }

// WantAnswer asks for the vendor's answer.
func WantAnswer(c *providerv1.CallContext) { c.WantVendorAnswer = true }

// RemoteQuery adds a parameter for the vendor.
func RemoteQuery(name, value string) Option {
	return func(c *providerv1.CallContext) {
		c.RemoteQuery = append(c.RemoteQuery, &providerv1.QueryParameter{Name: name, Value: value})
	}
}

func (h *Host) call(options []Option) *providerv1.CallContext {
	call := &providerv1.CallContext{Account: h.account}
	for _, option := range options {
		option(call)
	}
	return call
}

// readable turns a status back into one of our errors.
func readable(err error) error {
	if e := errs.FromStatus(err); e != nil {
		return e
	}
	return err
}

// Create makes a contact.
func (h *Host) Create(t testing.TB, contact crm.Contact, options ...Option) (*crm.Contact, *providerv1.CallResult, error) {
	t.Helper()
	r, err := h.contacts.CreateContact(Context(t), &crmv1.CreateContactRequest{Call: h.call(options), Contact: contact.Proto()})
	return crm.ContactFromProto(r.GetContact()), r.GetResult(), readable(err)
}

// Update changes a contact.
func (h *Host) Update(t testing.TB, change sdk.Change[crm.Contact], options ...Option) (*crm.Contact, *providerv1.CallResult, error) {
	t.Helper()
	request := &crmv1.UpdateContactRequest{Call: h.call(options), Id: change.ID, Contact: change.Record.Proto(), Etag: change.ETag}
	for field := range change.Clear {
		request.ClearFields = append(request.ClearFields, field)
	}
	r, err := h.contacts.UpdateContact(Context(t), request)
	return crm.ContactFromProto(r.GetContact()), r.GetResult(), readable(err)
}

// Upsert changes or makes a contact.
func (h *Host) Upsert(t testing.TB, contact crm.Contact, options ...Option) (_ *crm.Contact, created bool, _ *providerv1.CallResult, _ error) {
	t.Helper()
	r, err := h.contacts.UpsertContact(Context(t), &crmv1.UpsertContactRequest{Call: h.call(options), Contact: contact.Proto()})
	return crm.ContactFromProto(r.GetContact()), r.GetCreated(), r.GetResult(), readable(err)
}

// Get reads a contact.
func (h *Host) Get(t testing.TB, id string, options ...Option) (*crm.Contact, error) {
	t.Helper()
	r, err := h.contacts.GetContact(Context(t), &crmv1.GetContactRequest{Call: h.call(options), Id: id})
	return crm.ContactFromProto(r.GetContact()), readable(err)
}

// Delete ends a contact.
func (h *Host) Delete(t testing.TB, id string, options ...Option) (*providerv1.CallResult, error) {
	t.Helper()
	r, err := h.contacts.DeleteContact(Context(t), &crmv1.DeleteContactRequest{Call: h.call(options), Id: id})
	return r.GetResult(), readable(err)
}

// BatchDelete ends contacts; the errors are those of each id, in order.
func (h *Host) BatchDelete(t testing.TB, ids []string, options ...Option) ([]error, *providerv1.CallResult, error) {
	t.Helper()
	r, err := h.contacts.BatchDeleteContacts(Context(t), &crmv1.BatchDeleteContactsRequest{Call: h.call(options), Ids: ids})
	var outcomes []error
	for _, outcome := range r.GetOutcomes() {
		if e := errs.FromProto(outcome.GetError()); e != nil {
			outcomes = append(outcomes, e)
		} else {
			outcomes = append(outcomes, nil)
		}
	}
	return outcomes, r.GetResult(), readable(err)
}

// Merge makes one contact of several.
func (h *Host) Merge(t testing.TB, master string, duplicates []string, options ...Option) (*crm.Contact, *providerv1.CallResult, error) {
	t.Helper()
	r, err := h.contacts.MergeContacts(Context(t), &crmv1.MergeContactsRequest{Call: h.call(options), MasterId: master, DuplicateIds: duplicates})
	return crm.ContactFromProto(r.GetContact()), r.GetResult(), readable(err)
}

// Page gives a page of a list.
func (h *Host) Page(t testing.TB, query sdk.ListQuery, options ...Option) (sdk.Page[crm.Contact], error) {
	t.Helper()
	request := &crmv1.ListContactsRequest{Call: h.call(options), PageSize: int32(query.PageSize), PageToken: query.PageToken}
	for _, f := range query.Filters {
		request.Filters = append(request.Filters, &providerv1.Filter{Field: f.Field, Operator: f.Operator, Value: f.Value})
	}
	for _, k := range query.Sort {
		request.Sort = append(request.Sort, &providerv1.SortKey{Field: k.Field, Descending: k.Descending})
	}
	r, err := h.contacts.ListContacts(Context(t), request)
	page := sdk.Page[crm.Contact]{Next: r.GetNextPageToken()}
	for _, contact := range r.GetContacts() {
		page.Records = append(page.Records, *crm.ContactFromProto(contact))
	}
	return page, readable(err)
}

// All follows a list to its end, each contact once as it came first; between
// is called before each page after the first.
func (h *Host) All(t testing.TB, query sdk.ListQuery, between func(page int)) ([]crm.Contact, error) {
	t.Helper()
	var all []crm.Contact
	seen := map[string]bool{}
	for n := 0; n < 1000; n++ {
		if n > 0 && between != nil {
			between(n)
		}
		page, err := h.Page(t, query)
		if err != nil {
			return all, err
		}
		for _, contact := range page.Records {
			if !seen[*contact.ID] {
				seen[*contact.ID] = true
				all = append(all, contact)
			}
		}
		if page.Next == "" {
			return all, nil
		}
		query.PageToken = page.Next
	}
	t.Fatal("the list does not end")
	return nil, nil
}
