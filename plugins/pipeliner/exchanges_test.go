package main

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"path"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/exchange"
	"github.com/unicrm/unicrm/sdk/providertest"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

const exchanges = "testdata/exchanges"

// documented is what each documented exchange of this adapter comes to. A list
// asks as the sample does, by its own first, after and other parameters.
var documented = map[string]struct {
	reason  errs.Reason // none is success
	status  int         // of the failure, where it is not the sample's
	records int         // of a list
	more    bool        // the list goes on
	partial bool        // relations stayed URIs
}{
	"contacts-list":                      {records: 1, more: true, partial: true},
	"contacts-list-after":                {records: 1, more: true, partial: true},
	"contacts-list-expanded":             {records: 1},
	"contacts-list-filter-email":         {records: 1, partial: true},
	"contacts-list-include-deleted":      {records: 1, more: true, partial: true},
	"contacts-list-last-page-empty":      {},
	"contacts-list-legacy-offset":        {records: 1, partial: true},
	"contacts-list-load-only":            {records: 1},
	"contacts-list-max-page":             {records: 1, partial: true},
	"contacts-list-over-max":             {reason: errs.VendorRejected},
	"contacts-list-bad-filter-field":     {reason: errs.VendorRejected},
	"contacts-list-updated-since":        {records: 1, partial: true},
	"contacts-list-updated-since-zone":   {records: 1, partial: true},
	"contacts-get":                       {partial: true},
	"contacts-get-expanded":              {},
	"contacts-get-archived":              {partial: true},
	"contacts-get-deleted":               {reason: errs.RecordNotFound},
	"contacts-get-deleted-shown":         {reason: errs.RecordNotFound},
	"contacts-get-unknown":               {reason: errs.RecordNotFound},
	"contacts-get-malformed":             {reason: errs.RecordNotFound},
	"contacts-delete":                    {},
	"contacts-delete-unknown":            {reason: errs.RecordNotFound},
	"contacts-delete-second":             {reason: errs.RecordNotFound},
	"contacts-delete-second-200":         {},
	"contacts-delete-second-500":         {reason: errs.VendorUnavailable},
	"contacts-delete-protected":          {reason: errs.VendorPrecondition},
	"contacts-delete-malformed":          {reason: errs.RecordNotFound},
	"contacts-delete-malformed-400":      {reason: errs.VendorRejected},
	"contacts-delete-malformed-no-route": {reason: errs.RecordNotFound},
	"delete-echoes-another-id":           {reason: errs.UnexpectedVendorAnswer},
	"success-false":                      {reason: errs.RecordNotFound, status: 404},
	"forbidden":                          {reason: errs.VendorForbidden},
	"unauthorized":                       {reason: errs.VendorUnauthenticated},
	"unauthorized-empty":                 {reason: errs.VendorUnauthenticated},
	"unauthorized-text":                  {reason: errs.VendorUnauthenticated},
	"unauthorized-without-key":           {reason: errs.VendorUnauthenticated},
	"rate-limited":                       {reason: errs.VendorRateLimited},
	"rate-limited-empty":                 {reason: errs.VendorRateLimited},
	"rate-limited-retry-after":           {reason: errs.VendorRateLimited},
	"server-error":                       {reason: errs.VendorUnavailable},
	"server-error-html":                  {reason: errs.VendorUnavailable},
}

func TestDocumentedExchanges(t *testing.T) {
	all, err := exchange.Load(exchanges)
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, e := range all {
		want, ok := documented[e.Name]
		if !ok {
			ours := strings.Contains(e.Request.Path, "/Contacts") && (e.Request.Method == "GET" || e.Request.Method == "DELETE")
			assert.False(t, ours, "%s is not tested", e.Name)
			continue
		}
		seen[e.Name] = true
		// Some samples ask for one id and answer with another, or ask for what
		// is after a record and answer with that record. That is their shorthand
		// and not the vendor's behaviour.
		for _, name := range []string{"archived_id", "deleted_id"} {
			if contact, ok := e.Vars["contact_id"]; ok && e.Vars[name] != "" {
				e.Vars[name] = contact
			}
		}
		if e.Vars["cursor"] != "" {
			e.Vars["cursor"] = "WyIwMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDAiXQ=="
		}
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			call, page, err := perform(t, e)
			if want.reason != 0 {
				problem := providertest.RequireReason(t, err, want.reason)
				require.NotNil(t, problem.Vendor, "the vendor's answer is attached")
				status := e.Response.Status
				if want.status != 0 {
					status = want.status
				}
				assert.Equal(t, status, problem.Vendor.Status)
				assert.Equal(t, string(e.Bytes(nil)), string(problem.Vendor.Body))
				assert.NotContains(t, problem.Message, "<", "a message is never HTML")
				assert.NotContains(t, problem.Message, "\n")
				return
			}
			require.NoError(t, err)
			assert.Len(t, page.Records, want.records)
			assert.Equal(t, want.more, page.Next != "")
			assert.Equal(t, want.partial, call.IsPartial())
		})
	}
	for name := range documented {
		assert.True(t, seen[name], "there is no exchange %s", name)
	}
}

// perform makes the call that the sample documents, to a vendor that knows
// nothing else.
func perform(t *testing.T, e exchange.Exchange) (*sdk.Call, sdk.Page[crm.Contact], error) {
	t.Helper()
	stub := exchange.NewStub([]exchange.Exchange{e})
	server := httptest.NewServer(stub)
	t.Cleanup(func() {
		server.Close()
		assert.Empty(t, stub.Problems())
	})
	credentials := map[string]string{"service_url": "eu-central.api.pipelinersales.com", "space_id": e.Vars["space_id"], "username": "key-username", "password": "key-password"}
	if e.Request.Headers["Authorization"] == "Basic d3Jvbmc6d3Jvbmc=" {
		credentials["username"], credentials["password"] = "wrong", "wrong"
	}
	data, err := json.Marshal(credentials)
	require.NoError(t, err)
	query := sdk.ListQuery{PageSize: 30}
	var remote []vendorhttp.Param
	for name, value := range e.Request.Query {
		value = e.Fill(value, nil)
		switch name {
		case "first":
			query.PageSize, err = strconv.Atoi(value)
			require.NoError(t, err)
		case "after":
			query.PageToken = sdk.EncodeToken(position{After: value})
		case "expand": // the adapter's own
		default:
			remote = append(remote, vendorhttp.Param{Name: name, Value: value})
		}
	}
	call := sdk.NewCall(provider, "api_key", data, server.URL, remote...)
	ctx := providertest.Context(t)
	var page sdk.Page[crm.Contact]
	id := path.Base(e.Fill(e.Request.Path, nil))
	switch {
	case e.Request.Method == "DELETE":
		_, err = deleteContact(ctx, call, id)
	case id == "Contacts":
		page, err = listContacts(ctx, call, query)
	default:
		_, err = getContact(ctx, call, id)
	}
	return call, page, err
}

// TestDocumentedWrites holds the bodies of writes, and what is made of their
// answers, to the documented exchanges.
func TestDocumentedWrites(t *testing.T) {
	const (
		credentials = `{"service_url":"eu-central.api.pipelinersales.com","space_id":"xx_Demo","username":"key-username","password":"key-password"}`
		second      = "01a2b3c4-2222-4222-8333-0123456789ab"
		accountID   = "0f4daaff-0001-4fff-9109-843e45e9609c"
	)
	nora := crm.Contact{FirstName: new("Nora"), Owner: &crm.UserReference{ID: new(owner)}}
	create := func(change func(c *crm.Contact)) func(context.Context, *sdk.Call) error {
		c := nora
		change(&c)
		return func(ctx context.Context, call *sdk.Call) error {
			_, err := createContact(ctx, call, c)
			return err
		}
	}
	update := func(id string, c crm.Contact) func(context.Context, *sdk.Call) error {
		return func(ctx context.Context, call *sdk.Call) error {
			_, err := updateContact(ctx, call, sdk.Change[crm.Contact]{ID: id, Record: c})
			return err
		}
	}
	remote := func(raw string) func(*crm.Contact) {
		return func(c *crm.Contact) { c.RemoteData = json.RawMessage(raw) }
	}
	quill := func(c *crm.Contact) { c.LastName = new("Quill") }
	for _, c := range []struct {
		names  string
		do     func(context.Context, *sdk.Call) error
		fields []string // that are refused
	}{
		{"contacts-create", create(quill), nil},
		{"contacts-create-200", create(quill), nil},
		{"contacts-create-full contacts-get-expanded", create(func(c *crm.Contact) {
			quill(c)
			c.Title, c.Account, c.Tags = new("Head of Buying"), &crm.AccountReference{ID: new(accountID)}, []crm.Tag{{ID: new(tagID)}}
			c.EmailAddresses = []crm.EmailAddress{{Email: new("nora@example.com")}, {Email: new("nora.quill@example.com")}}
			c.PhoneNumbers = []crm.PhoneNumber{{Number: new("+353 1 555 0100")}}
			c.Addresses = []crm.Address{{Street1: new("4 Quay Rd"), City: new("Cork"), State: new("Munster"), PostalCode: new("T12 AB34"), Country: new("Ireland")}}
			c.CreatedAt = new(time.Date(2025, 11, 20, 8, 0, 0, 1000, time.UTC))
			c.RemoteData = json.RawMessage(`{"unit_id":"7d9467e0-0001-4777-877e-5c9e1e057b4a","title":"Ms.","middle_name":"J.","position":"Buyer",
				"cf_score":42,"cf_loyalty_tier":"04444b3a-0001-03bc-2c49-bcd7f047d41a","cf_interests":["04444b3b-0001-03bc-2c49-bcd7f047d41a"]}`)
		}), nil},
		{"contacts-create-unknown-owner", create(func(c *crm.Contact) { c.Owner = &crm.UserReference{ID: new(unknown)} }), []string{"owner.id"}},
		{"contacts-create-unknown-field", create(remote(`{"account_id":"` + accountID + `"}`)), []string{"remote_data.account_id"}},
		{"contacts-create-bad-enum", create(remote(`{"gender":9}`)), []string{"remote_data.gender"}},
		{"contacts-create-without-owner", create(func(c *crm.Contact) { c.Owner = nil }), []string{"owner.id"}},
		{"contacts-create-without-names", create(func(c *crm.Contact) {
			c.FirstName, c.EmailAddresses = nil, []crm.EmailAddress{{Email: new("nora@example.com")}}
		}), []string{}},
		{"contacts-get contacts-update", update(someID, crm.Contact{LastName: new("Marlowe")}), nil},
		{"contacts-get contacts-update-owner-cleared", update(someID, crm.Contact{RemoteData: json.RawMessage(`{"owner_id":null}`)}), []string{"remote_data.owner_id"}},
		{"contacts-merge contacts-get-expanded", func(ctx context.Context, call *sdk.Call) error {
			_, err := mergeContacts(ctx, call, someID, []string{second})
			return err
		}, nil},
		{"contacts-batch-delete", func(ctx context.Context, call *sdk.Call) error {
			outcomes, err := batchDeleteContacts(ctx, call, []string{someID, second})
			assert.Equal(t, []sdk.Outcome{{ID: someID}, {ID: second}}, outcomes)
			return err
		}, nil},
		{"contacts-batch-delete-partial", func(ctx context.Context, call *sdk.Call) error {
			outcomes, err := batchDeleteContacts(ctx, call, []string{unknown})
			providertest.RequireReason(t, outcomes[0].Err, errs.RecordNotFound)
			return err
		}, nil},
	} {
		t.Run(c.names, func(t *testing.T) {
			call, stub := providertest.Vendor(t, provider, "api_key", credentials, exchanges, strings.Fields(c.names)...)
			err := c.do(providertest.Context(t), call)
			if c.fields == nil {
				require.NoError(t, err)
			} else {
				e := providertest.RequireReason(t, err, errs.VendorRejected)
				assert.ElementsMatch(t, c.fields, pathsOf(e))
			}
			assert.Subset(t, stub.Seen(), strings.Fields(c.names))
		})
	}
}
