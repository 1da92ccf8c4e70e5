package main

import (
	"context"
	"net/http"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// YOUR VENDOR, 4 of 4: what can be written, and how.

// writableFields are the unified fields that the vendor can hold. Whatever else
// a caller sends is refused before these functions are asked.
var writableFields = []string{
	"first_name", "last_name", "name", "account.name",
	"email_addresses.email", "phone_numbers.number", "remote_data",
}

func createContact(ctx context.Context, call *sdk.Call, record crm.Contact) (*crm.Contact, error) {
	request := vendorhttp.Request{Method: http.MethodPost, Path: []string{"people"}}
	return write(ctx, call, request, sdk.Change[crm.Contact]{Record: record})
}

// updateContact sends what the change names and nothing else: the vendor leaves
// the rest as it is. One that replaces whole records would have to be asked for
// the record first, by a Side call.
func updateContact(ctx context.Context, call *sdk.Call, change sdk.Change[crm.Contact]) (*crm.Contact, error) {
	return write(ctx, call, vendorhttp.Request{Method: http.MethodPatch, Path: []string{"people", change.ID}}, change)
}

// write makes the one Main call. In a dry run it ends in vendorhttp.ErrNotSent,
// and so it does when something was lost that the caller wants to keep.
func write(ctx context.Context, call *sdk.Call, request vendorhttp.Request, change sdk.Change[crm.Contact]) (*crm.Contact, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	body := personBody(call, change)
	request.Body = body
	response, err := client.Main(ctx, request)
	if err != nil {
		return nil, body.Unified(err) // which names the fields as the caller does
	}
	return contactIn(response)
}

// personBody maps a change to the vendor's fields. Each is set with the path of
// the unified field that it comes from.
func personBody(call *sdk.Call, change sdk.Change[crm.Contact]) *vendorjson.Body {
	sdk.SplitName(call, &change) // the vendor keeps the two parts
	r, body := change.Record, &vendorjson.Body{}
	body.Text("first_name", "first_name", r.FirstName, change.Clears("first_name"))
	body.Text("last_name", "last_name", r.LastName, change.Clears("last_name"))
	var company *string
	if r.Account != nil {
		company = r.Account.Name
	}
	body.Text("company", "account.name", company, change.Clears("account"))
	// A list is one field at this vendor: Fill tells which item goes there, and
	// tells the caller of those that have no place.
	if r.EmailAddresses != nil || change.Clears("email_addresses") {
		var email *string
		if at := call.Fill("email_addresses", make([]*string, len(r.EmailAddresses)), onePlace)[0]; at >= 0 {
			email = r.EmailAddresses[at].Email
		}
		body.Text("email", "email_addresses[0].email", email, email == nil)
	}
	if r.PhoneNumbers != nil || change.Clears("phone_numbers") {
		var number *string
		if at := call.Fill("phone_numbers", make([]*string, len(r.PhoneNumbers)), onePlace)[0]; at >= 0 {
			number = r.PhoneNumbers[at].Number
		}
		body.Text("phone", "phone_numbers[0].number", number, number == nil)
	}
	body.MergeRemote(r.RemoteData) // last: what is the caller's own replaces what was mapped
	return body
}

// onePlace is a list of which the vendor keeps one item, without a type.
var onePlace = []sdk.Slot{{Any: true}}
