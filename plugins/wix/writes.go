package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// writableFields are the unified fields that Wix can hold. Contacts v4 has no
// owners, no companies but their names, no web pages, and no extensions of
// numbers.
var writableFields = []string{
	"first_name", "last_name", "name", "title", "account.name",
	"addresses", "email_addresses",
	"phone_numbers.id", "phone_numbers.number", "phone_numbers.type",
	"tags", "custom_fields", "remote_data",
}

func createContact(ctx context.Context, call *sdk.Call, record crm.Contact) (*crm.Contact, error) {
	if err := enough(record); err != nil {
		return nil, err
	}
	return write(ctx, call, vendorhttp.Request{Method: http.MethodPost, Path: []string{"contacts"}}, sdk.Change[crm.Contact]{Record: record})
}

// enough refuses a new contact without one of the things by which Wix takes it
// for one, unless remote_data may bring it.
func enough(r crm.Contact) error {
	if r.FirstName != nil || r.LastName != nil || r.Name != nil || len(r.EmailAddresses) > 0 || len(r.PhoneNumbers) > 0 || r.RemoteData != nil {
		return nil
	}
	e := errs.New(errs.InvalidBody, "a new contact at Wix needs a name, an e-mail address or a telephone number")
	for _, path := range []string{"name", "email_addresses", "phone_numbers"} {
		e.Fields = append(e.Fields, errs.Field{Path: path, Description: "is missing, as are the others: one of them is required", Missing: true})
	}
	return e
}

// insertContact makes a contact. When somebody has the address after all, a
// contact that the search did not show yet or that has come about meanwhile,
// Wix refuses and says who; that one is changed then, as by an update.
func insertContact(ctx context.Context, call *sdk.Call, record crm.Contact) (_ *crm.Contact, created bool, _ error) {
	record.RemoteData = call.Reserve(record.RemoteData, "allowDuplicates") // or there could be two
	made, err := createContact(ctx, call, record)
	if holder := holderOf(err, strings.TrimSpace(*record.EmailAddresses[0].Email)); holder != "" {
		if len(record.EmailAddresses) == 1 {
			record.EmailAddresses = nil // it says who is meant
		}
		changed, err := updateContact(ctx, call, sdk.Change[crm.Contact]{ID: holder, Record: record})
		return changed, false, err
	}
	return made, true, err
}

func updateContact(ctx context.Context, call *sdk.Call, change sdk.Change[crm.Contact]) (*crm.Contact, error) {
	return write(ctx, call, vendorhttp.Request{Method: http.MethodPatch, Path: []string{"contacts", change.ID}}, change)
}

// write sends a change, or a new contact. Before a change it looks: Wix wants
// the revision, and lists go out whole, with what is there in their items. The
// labels have calls of their own: new ones are made before, when nothing is
// lost yet if that fails, and the contact gets them after the rest.
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
			present = &crm.Contact{ETag: change.ETag}
		} else if err := change.CheckETag(present.ETag); err != nil {
			return nil, err
		}
	}
	fields, err := checkCustomFields(ctx, call, client, change, present)
	if err != nil {
		return nil, err
	}
	body := contactBody(call, change, fields, present)
	tags, err := resolveTags(ctx, call, client, &change, present.Tags)
	if err != nil {
		return nil, err
	}
	if err := tags.make(ctx, call, client); err != nil {
		return nil, err
	}
	id, record := change.ID, present
	written := id == "" || !body.Object("info", "").Empty()
	if written {
		request.Body = body
		response, err := client.Main(ctx, request)
		switch {
		case errors.Is(err, vendorhttp.ErrNotSent):
			id = cmp.Or(id, "(the id of the new contact)")
		case err != nil:
			return nil, body.Unified(err)
		default:
			if record, err = contactIn(response, id); err != nil {
				return nil, err
			}
			id = *record.ID
		}
	}
	labelled, err := tags.put(ctx, call, client, id, present.Tags, written)
	if err != nil {
		return nil, err
	}
	if labelled != nil {
		record = labelled
	}
	one := []crm.Contact{*record}
	nameLabels(ctx, call, client, one)
	return &one[0], nil
}

// contactBody maps a change to Wix's attributes; only what it names is in it.
func contactBody(call *sdk.Call, change sdk.Change[crm.Contact], fields []vendorjson.JSONMember, present *crm.Contact) *vendorjson.Body {
	sdk.SplitName(call, &change)
	r, body := change.Record, &vendorjson.Body{}
	if change.ID != "" {
		body.Set("revision", "etag", revisionOf(present))
	}
	info := body.Object("info", "")
	name(info, change, present)
	setText(info, "company", "account.name", nameOfAccount(r.Account), change.Clears("account"))
	setText(info, "jobTitle", "title", r.Title, change.Clears("title"))
	if r.EmailAddresses != nil || change.Clears("email_addresses") {
		emailAddresses(call, info, r.EmailAddresses, present)
	}
	if r.PhoneNumbers != nil || change.Clears("phone_numbers") {
		phoneNumbers(call, info, r.PhoneNumbers, present)
	}
	if r.Addresses != nil || change.Clears("addresses") {
		addresses(call, info, r.Addresses, present)
	}
	customFieldValues(info, fields, change.Clears("custom_fields"), present)
	body.Set("allowDuplicates", "", false)
	body.MergeRemote(call.Reserve(r.RemoteData, "id", "contactId", "revision"))
	return body
}

// name writes both parts of a name when one changes: whether Wix keeps the one
// that a write leaves out is not known.
func name(info *vendorjson.Body, change sdk.Change[crm.Contact], present *crm.Contact) {
	parts := &vendorjson.Body{}
	setText(parts, "first", "first_name", change.Record.FirstName, change.Clears("first_name"))
	setText(parts, "last", "last_name", change.Record.LastName, change.Clears("last_name"))
	if parts.Empty() {
		return
	}
	object := info.Object("name", "name")
	for _, part := range []struct {
		key, path string
		present   *string
	}{{"first", "first_name", present.FirstName}, {"last", "last_name", present.LastName}} {
		if value := parts.Get(part.key); value != nil {
			object.Set(part.key, part.path, value)
		} else if part.present != nil {
			object.Set(part.key, "", *part.present)
		}
	}
}

// setText writes a text. One that is to be emptied goes out as an empty one:
// whether null empties or counts as left out is not known.
func setText(body *vendorjson.Body, key, path string, value *string, clear bool) {
	if value == nil && clear {
		value = new("")
	}
	body.Text(key, path, value, false)
}

func nameOfAccount(a *crm.AccountReference) *string {
	if a == nil {
		return nil
	}
	return a.Name
}

// revisionOf is the revision of what was looked at: an integer, of which 0 is
// one like any other. It is null in a dry run that names no etag.
func revisionOf(present *crm.Contact) any {
	if present == nil || present.ETag == nil {
		return nil
	}
	if _, err := strconv.ParseInt(*present.ETag, 10, 64); err != nil {
		return *present.ETag
	}
	return json.Number(*present.ETag)
}

// mergeContacts adds to the master what the duplicates have and it has not; the
// duplicates are gone then. Wix wants the master's revision.
func mergeContacts(ctx context.Context, call *sdk.Call, master string, duplicates []string) (*crm.Contact, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	present, err := lookAt(ctx, client, master)
	if err != nil {
		return nil, err
	}
	body := &vendorjson.Body{}
	body.Set("targetContactRevision", "", revisionOf(present))
	body.Set("sourceContactIds", "duplicate_records", duplicates)
	response, err := client.Main(ctx, vendorhttp.Request{Method: http.MethodPost, Path: []string{"contacts", master, "merge"}, Body: body})
	if err != nil {
		return nil, body.Unified(err)
	}
	merged, err := contactIn(response, master)
	if err != nil {
		return nil, err
	}
	one := []crm.Contact{*merged}
	nameLabels(ctx, call, client, one)
	return &one[0], nil
}
