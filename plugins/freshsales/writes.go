package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// writableFields are the unified fields that Freshsales can hold. It has no
// second line of an address, no extensions of numbers, and addresses have
// neither id nor type.
var writableFields = []string{
	"first_name", "last_name", "name", "title", "account.id", "owner.id",
	"addresses.street_1", "addresses.city", "addresses.state", "addresses.postal_code", "addresses.country",
	"email_addresses.id", "email_addresses.email", "email_addresses.type",
	"phone_numbers.id", "phone_numbers.number", "phone_numbers.type",
	"urls", "tags.name", "custom_fields", "remote_data",
}

// idForm is that of the ids that the vendor could have issued.
var idForm = regexp.MustCompile(`^` + idPattern + `$`)

func createContact(ctx context.Context, call *sdk.Call, record crm.Contact) (*crm.Contact, error) {
	return write(ctx, call, vendorhttp.Request{Method: http.MethodPost, Path: []string{"contacts"}}, sdk.Change[crm.Contact]{Record: record}, "")
}

// insertContact uses Freshsales' own upsert, so that a person who has got the
// address in the meantime is changed.
func insertContact(ctx context.Context, call *sdk.Call, record crm.Contact) (*crm.Contact, bool, error) {
	request := vendorhttp.Request{Method: http.MethodPost, Path: []string{"contacts", "upsert"}}
	if first := &record.EmailAddresses[0]; len(record.EmailAddresses) > 1 && first.Type != nil && strings.EqualFold(*first.Type, "work") {
		call.Lose("email_addresses[0].type", "an upsert goes by this address, which the place for work is not looked up for")
		first.Type = nil
	}
	made, err := write(ctx, call, request, sdk.Change[crm.Contact]{Record: record}, *record.EmailAddresses[0].Email)
	return made, true, err
}

func updateContact(ctx context.Context, call *sdk.Call, change sdk.Change[crm.Contact]) (*crm.Contact, error) {
	return write(ctx, call, vendorhttp.Request{Method: http.MethodPut, Path: []string{"contacts", change.ID}}, change, "")
}

// write sends a change, or a new person; email is what an upsert goes by.
// Before a change it looks where what is there has to be known.
func write(ctx context.Context, call *sdk.Call, request vendorhttp.Request, change sdk.Change[crm.Contact], email string) (*crm.Contact, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	present := &contact{}
	if change.ID != "" && dependsOnWhatIsThere(&change) {
		if present, err = lookAt(ctx, client, &change); err != nil {
			return nil, err
		}
	}
	body := contactBody(call, change, present)
	if change.ID == "" && !reachable(body) {
		return nil, errUnreachable
	}
	if _, err := customFields.Check(ctx, call, client, change.Record.CustomFields); err != nil {
		return nil, err
	}
	whole := &vendorjson.Body{}
	if email != "" {
		whole.Object("unique_identifier", "").Set("emails", "", email)
	}
	whole.Set("contact", "", body)
	request.Body = whole
	request.Query = []vendorhttp.Param{include}
	response, err := client.Main(ctx, request)
	if errs.Is(err, errs.LossyWrite) {
		return nil, err // in the caller's words already, some of which are the vendor's too
	}
	if err != nil {
		return nil, body.Unified(err)
	}
	written, err := contactIn(response)
	if err != nil {
		return nil, err
	}
	if !written.shows("owner_id") && !written.shows("sales_accounts") {
		lookAgain(ctx, call, client, &written)
	}
	unified := written.unified()
	return &unified, nil
}

// dependsOnWhatIsThere tells whether a change is of something that is written
// as a whole but not shown as a whole, or by the ids of its parts.
func dependsOnWhatIsThere(change *sdk.Change[crm.Contact]) bool {
	r := &change.Record
	return r.EmailAddresses != nil || r.PhoneNumbers != nil || r.URLs != nil || r.Account != nil ||
		slices.ContainsFunc([]string{"email_addresses", "phone_numbers", "urls", "account", "custom_fields"}, change.Clears)
}

// lookAt reads the contact that a write is about. In a dry run there is nothing
// to be seen.
func lookAt(ctx context.Context, client *vendorhttp.Client, change *sdk.Change[crm.Contact]) (*contact, error) {
	present, err := read(ctx, client.Side, change.ID)
	switch {
	case errors.Is(err, vendorhttp.ErrNotSent):
		return &contact{}, nil
	case err != nil:
		return nil, err
	case (change.Record.Account != nil || change.Clears("account")) && !present.shows("sales_accounts"):
		return nil, errs.New(errs.UnexpectedVendorAnswer, "Freshsales did not show which companies the contact %s belongs to, all of which a write replaces, so it was left alone", change.ID)
	}
	return &present, nil
}

// lookAgain fills in owner and accounts after a write whose answer has neither:
// whether include works there is not confirmed.
func lookAgain(ctx context.Context, call *sdk.Call, client *vendorhttp.Client, written *contact) {
	again, err := read(ctx, client.Side, written.ID.String())
	if err != nil {
		call.Partial("owner and account", err)
		return
	}
	written.OwnerID, written.SalesAccounts = again.OwnerID, again.SalesAccounts
}

// reachable tells whether a new contact has what Freshsales wants of one: an
// e-mail address or a mobile number.
func reachable(body *vendorjson.Body) bool {
	return slices.ContainsFunc([]string{"emails", "email", "mobile_number"}, func(key string) bool {
		value, err := json.Marshal(body.Get(key))
		return err == nil && !slices.Contains([]string{"null", `""`, "[]"}, string(value))
	})
}

var errUnreachable error = &errs.Error{
	Reason: errs.InvalidBody, Message: "required and missing: Freshsales wants an e-mail address or a phone number of type mobile",
	Fields: []errs.Field{
		{Path: "email_addresses", Description: "is required, unless there is a phone number of type mobile", Missing: true},
		{Path: "phone_numbers", Description: "one of type mobile is required, unless there is an e-mail address", Missing: true},
	},
}

// contactBody maps a change to Freshsales' attributes; only what it names is in
// it.
func contactBody(call *sdk.Call, change sdk.Change[crm.Contact], present *contact) *vendorjson.Body {
	sdk.SplitName(call, &change)
	r, body := change.Record, &vendorjson.Body{}
	body.Text("first_name", "first_name", r.FirstName, change.Clears("first_name"))
	body.Text("last_name", "last_name", r.LastName, change.Clears("last_name"))
	body.Text("job_title", "title", r.Title, change.Clears("title"))
	if r.Account != nil && r.Account.ID != nil {
		account(call, body, r.Account.ID, present)
	} else if change.Clears("account") {
		account(call, body, nil, present)
	}
	if r.Owner != nil && r.Owner.ID != nil {
		body.Set("owner_id", "owner.id", vendorjson.NumberOf(*r.Owner.ID))
	} else if change.Clears("owner") {
		body.Set("owner_id", "owner", nil)
	}
	if r.EmailAddresses != nil || change.Clears("email_addresses") {
		emailAddresses(call, body, r.EmailAddresses, present)
	}
	if r.PhoneNumbers != nil || change.Clears("phone_numbers") {
		phoneNumbers(call, body, r.PhoneNumbers, present)
	}
	if r.Addresses != nil || change.Clears("addresses") {
		address(call, body, r.Addresses)
	}
	if r.URLs != nil || change.Clears("urls") {
		shown := present.unified()
		call.FillURLs(body, r.URLs, shown.URLs, urlSlots, webAddress.MatchString)
	}
	if r.Tags != nil || change.Clears("tags") {
		tags(body, r.Tags)
	}
	customFieldValues(body, change, present)
	body.MergeRemote(call.Reserve(r.RemoteData, "id"))
	return body
}
