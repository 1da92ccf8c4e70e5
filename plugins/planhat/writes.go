package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// writableFields are the unified fields that Planhat can hold. Addresses and
// numbers have neither types nor ids, tags no ids, numbers no extensions.
var writableFields = []string{
	"first_name", "last_name", "name", "title", "account.id",
	"email_addresses.email", "phone_numbers.number", "tags.name", "custom_fields", "remote_data",
}

// readOnly are the attributes that no write may hold.
var readOnly = []string{"_id", "id", "companyName", "createdAt", "updatedAt", "emailMd5", "beatTrend", "beats", "beatsTotal", "convs14", "convsTotal", "__v"}

func createContact(ctx context.Context, call *sdk.Call, record crm.Contact) (*crm.Contact, error) {
	return write(ctx, call, vendorhttp.Request{Method: http.MethodPost, Path: []string{"endusers"}}, sdk.Change[crm.Contact]{Record: record})
}

func updateContact(ctx context.Context, call *sdk.Call, change sdk.Change[crm.Contact]) (*crm.Contact, error) {
	return write(ctx, call, vendorhttp.Request{Method: http.MethodPut, Path: []string{"endusers", change.ID}}, change)
}

// write sends a change, or a new contact. A change of custom fields looks
// first: what is to be left alone has to be known.
func write(ctx context.Context, call *sdk.Call, request vendorhttp.Request, change sdk.Change[crm.Contact]) (*crm.Contact, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	present := &crm.Contact{}
	if change.ID != "" && touchesCustomFields(change) {
		if present, err = lookAt(ctx, client, change.ID); err != nil {
			return nil, err
		}
	}
	body, err := contactBody(ctx, call, client, change, present)
	if err != nil {
		return nil, err
	}
	request.Body = body
	response, err := client.Main(ctx, request)
	if err != nil {
		return nil, asConflict(ctx, call, change, body.Unified(err))
	}
	written, err := contactFrom(response)
	if err != nil {
		return nil, err
	}
	return written, tellLost(call, change, written)
}

// lookAt reads the contact that a write is about. In a dry run there is nothing
// to be seen, and the contact is empty.
func lookAt(ctx context.Context, client *vendorhttp.Client, id string) (*crm.Contact, error) {
	response, err := client.Side(ctx, get("endusers", id))
	switch {
	case errors.Is(err, vendorhttp.ErrNotSent):
		return &crm.Contact{}, nil
	case err != nil:
		return nil, err
	}
	present, err := contactFrom(response)
	if err == nil && *present.ID != id {
		return nil, response.Error(errs.UnexpectedVendorAnswer, "Planhat answered with another contact than %s", id)
	}
	return present, err
}

// contactBody maps a change to Planhat's attributes; only what it names is in
// it, since an update is partial.
func contactBody(ctx context.Context, call *sdk.Call, client *vendorhttp.Client, change sdk.Change[crm.Contact], present *crm.Contact) (*vendorjson.Body, error) {
	sdk.SplitName(call, &change)
	r, body := change.Record, &vendorjson.Body{}
	body.Text("firstName", "first_name", r.FirstName, change.Clears("first_name"))
	body.Text("lastName", "last_name", r.LastName, change.Clears("last_name"))
	body.Text("position", "title", r.Title, change.Clears("title"))
	if r.Account != nil {
		body.Text("companyId", "account.id", r.Account.ID, false)
	}
	if change.Clears("account") {
		call.Lose("account", "a contact always has a company; name another one")
	}
	if r.EmailAddresses != nil || change.Clears("email_addresses") {
		emailAddresses(body, r.EmailAddresses, change.ID == "")
	}
	if r.PhoneNumbers != nil || change.Clears("phone_numbers") {
		phoneNumbers(call, body, r.PhoneNumbers)
	}
	if r.Tags != nil || change.Clears("tags") {
		tags(body, r.Tags)
	}
	if r.CreatedAt != nil {
		if !r.CreatedAt.Equal(r.CreatedAt.Truncate(time.Millisecond)) {
			call.Lose("created_at", "less than a millisecond is not kept")
		}
		body.Set("createDate", "created_at", r.CreatedAt.UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	if err := customFieldValues(ctx, call, client, body, change, present.CustomFields); err != nil {
		return nil, err
	}
	body.MergeRemote(call.Reserve(r.RemoteData, readOnly...))
	// What Planhat misses, it can only name by its own words.
	for attribute, path := range map[string]string{"email": "email_addresses", "companyId": "account.id"} {
		if !slices.Contains(body.Keys(), attribute) {
			body.Alias(attribute, path)
		}
	}
	return body, nil
}

// remoteMember is what the caller's remote_data has for an attribute.
func remoteMember(record crm.Contact, attribute string) json.RawMessage {
	for _, m := range vendorjson.Members(record.RemoteData) {
		if m.Key == attribute {
			return m.Value
		}
	}
	return nil
}

// asConflict looks who has the address where Planhat refuses one. Whether it
// wants addresses to be unique, and how it says so, is documented nowhere.
func asConflict(ctx context.Context, call *sdk.Call, change sdk.Change[crm.Contact], err error) error {
	var e *errs.Error
	if !errors.As(err, &e) || (e.Reason != errs.VendorRejected && e.Reason != errs.VendorConflict) || len(change.Record.EmailAddresses) == 0 {
		return err
	}
	if !slices.ContainsFunc(e.Fields, func(f errs.Field) bool { return f.Path == "email_addresses[0].email" }) {
		return err
	}
	found, _ := findByEmail(ctx, call, *change.Record.EmailAddresses[0].Email)
	for _, id := range found {
		if !strings.EqualFold(id, change.ID) {
			conflict := *e
			conflict.Reason, conflict.ExistingID = errs.VendorConflict, id
			return &conflict
		}
	}
	return err
}

// tellLost compares what Planhat has after a write with what was written, in
// the fields of which it is not known whether and how it takes them. By then
// the rest is written, and the answer has to say that, too.
func tellLost(call *sdk.Call, change sdk.Change[crm.Contact], written *crm.Contact) error {
	r := change.Record
	var lost []errs.Field
	if (r.EmailAddresses != nil || change.Clears("email_addresses")) && remoteMember(r, "email") == nil && remoteMember(r, "otherEmails") == nil {
		lost = append(lost, lostEmails(r.EmailAddresses, written.EmailAddresses)...)
	}
	if r.CreatedAt != nil && remoteMember(r, "createDate") == nil && (written.CreatedAt == nil || !written.CreatedAt.Equal(r.CreatedAt.Truncate(time.Millisecond))) {
		lost = append(lost, errs.Field{Path: "created_at", Description: "Planhat did not keep it"})
	}
	if remoteMember(r, "custom") == nil {
		lost = append(lost, lostCustomFields(r.CustomFields, written.CustomFields)...)
	}
	return call.NotKept(*written.ID, lost)
}
