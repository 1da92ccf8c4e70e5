package main

import (
	"context"
	"net/http"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// writableFields are the unified fields that Sell can hold. It has no second
// line of an address and no extensions of numbers.
var writableFields = []string{
	"first_name", "last_name", "name", "title", "account.id", "owner.id",
	"addresses.id", "addresses.street_1", "addresses.city", "addresses.state", "addresses.postal_code", "addresses.country", "addresses.type",
	"email_addresses.email", "email_addresses.type",
	"phone_numbers.number", "phone_numbers.type",
	"urls", "tags.name", "custom_fields", "remote_data",
}

func createContact(ctx context.Context, call *sdk.Call, record crm.Contact) (*crm.Contact, error) {
	return write(ctx, call, vendorhttp.Request{Method: http.MethodPost, Path: []string{"contacts"}}, sdk.Change[crm.Contact]{Record: record})
}

// insertContact uses Sell's own upsert, so that a person who has got the
// address in the meantime is changed. Whether two of them at the same moment
// make one person, the vendor does not say.
func insertContact(ctx context.Context, call *sdk.Call, record crm.Contact) (*crm.Contact, bool, error) {
	request := vendorhttp.Request{Method: http.MethodPost, Path: []string{"contacts", "upsert"}, Closed: true}
	request.Fixed = []vendorhttp.Param{{Name: "is_organization", Value: "false"}, {Name: "email", Value: *record.EmailAddresses[0].Email}}
	made, err := write(ctx, call, request, sdk.Change[crm.Contact]{Record: record})
	return made, true, err
}

func updateContact(ctx context.Context, call *sdk.Call, change sdk.Change[crm.Contact]) (*crm.Contact, error) {
	return write(ctx, call, vendorhttp.Request{Method: http.MethodPut, Path: []string{"contacts", change.ID}}, change)
}

// write sends a change, or a new person. Before a change it looks: companies
// share the path, Sell does not check versions, and what is to be left alone
// has to be known.
func write(ctx context.Context, call *sdk.Call, request vendorhttp.Request, change sdk.Change[crm.Contact]) (*crm.Contact, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	present := &crm.Contact{}
	if change.ID != "" {
		if present, err = lookAt(ctx, client, change.ID); err != nil {
			return nil, err
		}
		if present == nil { // nothing is sent
			present = &crm.Contact{}
		} else if err := change.CheckETag(present.ETag); err != nil {
			return nil, err
		}
	}
	if _, err := customFields.Check(ctx, call, client, change.Record.CustomFields); err != nil {
		return nil, err
	}
	body := contactBody(call, change, present)
	request.Body = map[string]any{"data": body}
	response, err := client.Main(ctx, request)
	if err != nil {
		return nil, body.Unified(err)
	}
	id := change.ID
	if id == "" {
		if id, err = newID(response); err != nil {
			return nil, err
		}
	}
	written, err := personIn(response, id)
	if err != nil {
		return nil, err
	}
	one := []crm.Contact{*written}
	nameAccounts(ctx, call, client, one)
	return &one[0], nil
}

// newID reads the id of a person who was just made.
func newID(response *vendorhttp.Response) (string, error) {
	var body envelope
	if err := response.Decode(&body); err != nil {
		return "", err
	}
	record, err := body.contact()
	if err != nil {
		return "", response.Error(errs.UnexpectedVendorAnswer, "Zendesk Sell answered without a contact in data")
	}
	return record.ID.String(), nil
}

// contactBody maps a change to Sell's attributes; only what it names is in it.
func contactBody(call *sdk.Call, change sdk.Change[crm.Contact], present *crm.Contact) *vendorjson.Body {
	sdk.SplitName(call, &change)
	r, body := change.Record, &vendorjson.Body{}
	body.Text("first_name", "first_name", r.FirstName, change.Clears("first_name"))
	body.Text("last_name", "last_name", r.LastName, change.Clears("last_name"))
	body.Text("title", "title", r.Title, change.Clears("title"))
	body.Number("contact_id", "account.id", crm.AccountID(r.Account), change.Clears("account"))
	body.Number("owner_id", "owner.id", crm.OwnerID(r.Owner), false)
	if change.Clears("owner") {
		call.Lose("owner", "a contact always has an owner; name another one")
	}
	if r.EmailAddresses != nil || change.Clears("email_addresses") {
		call.FillEmails(body, r.EmailAddresses, emailSlots)
	}
	if r.PhoneNumbers != nil || change.Clears("phone_numbers") {
		call.FillPhones(body, r.PhoneNumbers, phoneSlots)
	}
	if r.Addresses != nil || change.Clears("addresses") {
		addresses(call, body, r.Addresses, present.Addresses)
	}
	if r.URLs != nil || change.Clears("urls") {
		call.FillURLs(body, r.URLs, present.URLs, urlSlots, isWebAddress)
	}
	if r.Tags != nil || change.Clears("tags") {
		tags(body, r.Tags)
	}
	customFieldValues(body, change, present)
	body.MergeRemote(call.Reserve(r.RemoteData, "id", "is_organization")) // companies share the path
	return body
}
