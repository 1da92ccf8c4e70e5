package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// writableFields are the unified fields that Pipeliner can hold. Its addresses
// have no second line, its lists neither ids nor types.
var writableFields = []string{
	"first_name", "last_name", "name", "title", "account", "owner.id",
	"addresses.street_1", "addresses.city", "addresses.state", "addresses.postal_code", "addresses.country",
	"email_addresses.email", "phone_numbers.number",
	"tags", "custom_fields", "remote_data",
}

// unifiedNames are the unified fields behind Pipeliner's, for its errors about
// what a write left out.
var unifiedNames = map[string]string{
	"first_name": "first_name", "last_name": "last_name", "position": "title", "account_position": "title", "created": "created_at",
	"owner": "owner.id", "owner_id": "owner.id", "primary_account": "account.id", "account_relations": "account.id", "quick_account_name": "account.name",
	"address": "addresses[0].street_1", "city": "addresses[0].city", "state_province": "addresses[0].state", "zip_code": "addresses[0].postal_code", "country": "addresses[0].country",
	"email1": "email_addresses[0].email", "email2": "email_addresses[1].email", "email3": "email_addresses[2].email", "email4": "email_addresses[3].email", "email5": "email_addresses[4].email",
	"phone1": "phone_numbers[0].number", "phone2": "phone_numbers[1].number", "phone3": "phone_numbers[2].number", "phone4": "phone_numbers[3].number", "phone5": "phone_numbers[4].number",
	"tags": "tags",
}

func createContact(ctx context.Context, call *sdk.Call, record crm.Contact) (*crm.Contact, error) {
	created, err := write(ctx, call, vendorhttp.Request{Method: http.MethodPost, Path: []string{"Contacts"}}, sdk.Change[crm.Contact]{Record: record})
	return created, aboutSpace(err)
}

func updateContact(ctx context.Context, call *sdk.Call, change sdk.Change[crm.Contact]) (*crm.Contact, error) {
	return write(ctx, call, vendorhttp.Request{Method: http.MethodPatch, Path: []string{"Contacts", change.ID}}, change)
}

// write sends a change, or a new contact. Before a change it looks: whether
// Pipeliner checks revisions is not known, and where the title goes and which
// rows of accounts and tags there are has to be.
func write(ctx context.Context, call *sdk.Call, request vendorhttp.Request, change sdk.Change[crm.Contact]) (*crm.Contact, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	present := &contact{}
	if change.ID != "" {
		if present, err = lookAt(ctx, call, client, change.ID); err != nil {
			return nil, err
		}
		if present == nil { // nothing is sent
			present = &contact{}
		} else if err := change.CheckETag(present.Revision.Ptr()); err != nil {
			return nil, err
		}
	}
	fields, err := customFields.Check(ctx, call, client, change.Record.CustomFields)
	if err != nil {
		return nil, err
	}
	body := contactBody(call, &change, present, fields)
	if id := newAccount(&change); id != nil && !isUUID.MatchString(*id) {
		return nil, noID("account.id")
	}
	tags, err := wantedTags(ctx, call, client, change.Record.Tags, present)
	if err != nil {
		return nil, err
	}
	if change.ID == "" {
		newRelations(body, change.Record, tags)
	}
	body.MergeRemote(call.Reserve(change.Record.RemoteData, "id"))
	if body.Empty() { // whether that would be taken is not known; a name that stays does no harm
		body.Text("first_name", "", present.FirstName.Ptr(), false)
		body.Text("last_name", "", present.LastName.Ptr(), false)
	}
	request.Body = body
	response, err := ask(ctx, client.Main, request)
	if err != nil && !errors.Is(err, vendorhttp.ErrNotSent) {
		return nil, inCallersWords(body, err)
	}
	related, err := changeRelations(ctx, client, &change, present, tags)
	if err != nil {
		return nil, afterwards(err)
	}
	if response == nil {
		return nil, vendorhttp.ErrNotSent
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
	written.nameBy(present)
	if related || written.unnamed() {
		written = readBack(ctx, call, client, written, related)
	}
	unified := written.unified()
	return &unified, nil
}

// newID reads the id of a record that was just made.
func newID(response *vendorhttp.Response) (string, error) {
	record, err := dataOf(response)
	if err != nil {
		return "", err
	}
	return text(record["id"]).String(), nil
}

// readBack reads a contact that was just written once more: for the names of
// its account and tags, or because rows beside it have changed since. What was
// written does not fail for that.
func readBack(ctx context.Context, call *sdk.Call, client *vendorhttp.Client, written *contact, related bool) *contact {
	id := written.ID.String()
	response, err := askExpanded(ctx, call, client.Side, get("Contacts", id), expanded)
	if err == nil {
		var again *contact
		if again, err = personIn(response, id); err == nil {
			if again.unnamed() {
				call.Partial("names of account and tags", errNotExpanded)
			}
			return again
		}
	}
	call.Partial("account and tags", err)
	if related {
		written.PrimaryAccount, written.Tags = reference{}, nil // as they were before
	}
	return written
}

// inCallersWords gives an error of the vendor's with unified fields in place of
// its own, also of those that the write should have had.
func inCallersWords(body *vendorjson.Body, err error) error {
	var e *errs.Error
	if !errors.As(err, &e) || e.Vendor == nil {
		return err
	}
	for _, f := range e.Fields {
		path, known := unifiedNames[f.Path]
		switch {
		case slices.Contains(body.Keys(), f.Path):
			continue
		case !known && vendorFields[f.Path]:
			path = "remote_data." + f.Path
		case !known:
			path = "custom_fields." + f.Path
		}
		body.Alias(f.Path, path)
	}
	return body.Unified(err)
}

// afterwards makes it plain that a change which failed at a row beside the
// contact has been made otherwise. A row that was not found is not the contact.
func afterwards(err error) error {
	var e *errs.Error
	if !errors.As(err, &e) {
		return err
	}
	told := *e
	if told.Reason == errs.RecordNotFound {
		told.Reason = errs.VendorRejected
	}
	told.Message = strings.TrimSuffix(told.Message, ".") + ". The contact's own fields have been changed, its account and tags not all"
	return &told
}

// contactBody maps a change to Pipeliner's fields; only what it names is in it.
// Accounts and tags are rows beside the contact.
func contactBody(call *sdk.Call, change *sdk.Change[crm.Contact], present *contact, fields map[string]customField) *vendorjson.Body {
	nameParts(call, change, present)
	accountPart(call, change, present)
	r, body := &change.Record, &vendorjson.Body{}
	body.Text("first_name", "first_name", r.FirstName, change.Clears("first_name"))
	body.Text("last_name", "last_name", r.LastName, change.Clears("last_name"))
	jobTitle(body, change, present)
	if r.Account != nil {
		body.Text("quick_account_name", "account.name", r.Account.Name, false)
	}
	body.Text("quick_account_name", "account", nil, change.Clears("account"))
	if r.Owner != nil {
		body.Text("owner_id", "owner.id", r.Owner.ID, false)
	}
	if change.Clears("owner") {
		call.Lose("owner", "a contact always has an owner; name another one")
	}
	if r.EmailAddresses != nil || change.Clears("email_addresses") {
		emailAddresses(call, body, change, present)
	}
	if r.PhoneNumbers != nil || change.Clears("phone_numbers") {
		phoneNumbers(call, body, change, present)
	}
	if r.Addresses != nil || change.Clears("addresses") {
		addresses(call, body, change)
	}
	if r.CreatedAt != nil {
		if r.CreatedAt.Nanosecond()%1000 != 0 {
			call.Lose("created_at", "there is no place for anything below a microsecond")
		}
		body.Set("created", "created_at", r.CreatedAt.UTC().Format("2006-01-02 15:04:05.000000+00:00"))
	}
	customFieldValues(call, body, change, present, fields)
	return body
}

// nameParts makes first and last name of a name that comes alone. Pipeliner's own
// has the salutation and the middle name in it: the one that is there already is
// taken as such, another one cannot be had where there are such.
func nameParts(call *sdk.Call, change *sdk.Change[crm.Contact], present *contact) {
	r, before := &change.Record, present.name()
	stays := func(given, before *string, field string) bool {
		return !change.Clears(field) && (given == nil || (before != nil && *given == *before))
	}
	switch {
	case r.Name == nil:
	case before != nil && *r.Name == *before && stays(r.FirstName, present.FirstName.Ptr(), "first_name") && stays(r.LastName, present.LastName.Ptr(), "last_name"):
		r.Name = nil
	case r.FirstName == nil && r.LastName == nil && (present.Salutation.Ptr() != nil || present.MiddleName.Ptr() != nil):
		call.Lose("name", "the contact's salutation and middle name are a part of it; write first_name and last_name")
		r.Name = nil
	}
	sdk.SplitName(call, change)
}

// accountPart leaves of the account what is to be changed: an id that is another
// one, or a name in words where no account is linked.
func accountPart(call *sdk.Call, change *sdk.Change[crm.Contact], present *contact) {
	given, before := change.Record.Account, present.account()
	if given == nil {
		return
	}
	if before == nil {
		before = &crm.AccountReference{}
	}
	linked := given.ID != nil || before.ID != nil
	same := given.ID == nil || (before.ID != nil && strings.EqualFold(*given.ID, *before.ID))
	if given.Name != nil && linked && (!same || before.Name == nil || *given.Name != *before.Name) {
		call.Lose("account.name", "an account that is linked has a name of its own")
	}
	wanted := &crm.AccountReference{ID: given.ID, Name: given.Name}
	if same {
		wanted.ID = nil
	}
	if linked {
		wanted.Name = nil
	}
	change.Record.Account = wanted
}

// newAccount is the account that the change links, nil for none.
func newAccount(change *sdk.Change[crm.Contact]) *string {
	if change.Record.Account == nil {
		return nil
	}
	return change.Record.Account.ID
}

// noID refuses what cannot be an id before anything is written.
func noID(path string) error {
	e := errs.New(errs.InvalidBody, "%s is not an id of Pipeliner's, which is a UUID", path)
	e.Fields = []errs.Field{{Path: path, Description: "is not an id of Pipeliner's, which is a UUID"}}
	return e
}

// jobTitle writes the title where it is read: at the account or, where there is
// none, in the field for contacts without an account. It outlives the account.
// With another account it goes into that one's row; see linkAccount.
func jobTitle(body *vendorjson.Body, change *sdk.Change[crm.Contact], present *contact) {
	title := change.Record.Title
	before := present.account()
	linked := before != nil && before.ID != nil
	switch {
	case change.Clears("title"):
		body.Set("position", "title", nil)
		if linked && newAccount(change) == nil && !change.Clears("account") {
			body.Set("account_position", "title", nil)
		}
	case newAccount(change) != nil:
		if change.ID == "" {
			body.Text("account_position", "title", title, false)
		}
	case linked && !change.Clears("account"):
		body.Text("account_position", "title", title, false)
	case title == nil && linked:
		body.Text("position", "", present.jobTitle(), false)
	default:
		body.Text("position", "title", title, false)
	}
}

// mergeContacts moves what the duplicates have to the master.
func mergeContacts(ctx context.Context, call *sdk.Call, master string, duplicates []string) (*crm.Contact, error) {
	for _, duplicate := range duplicates {
		if strings.EqualFold(duplicate, master) {
			return nil, errs.New(errs.InvalidBody, "the contact %s cannot be its own duplicate", master)
		}
	}
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	request := vendorhttp.Request{Method: http.MethodPost, Path: []string{"Contacts", "merge"}}
	request.Body = map[string]any{"master": map[string]any{"id": master}, "secondary_ids": duplicates}
	response, err := ask(ctx, client.Main, request)
	if err != nil {
		return nil, inCallersWords(&vendorjson.Body{}, err)
	}
	merged, err := personIn(response, master)
	if err != nil {
		return nil, err
	}
	if merged.unnamed() {
		merged = readBack(ctx, call, client, merged, false)
	}
	unified := merged.unified()
	return &unified, nil
}
