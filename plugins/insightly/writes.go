package main

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
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

// writableFields are the unified fields that Insightly can hold. It has one
// field for a street, no extensions of numbers and no ids of tags.
var writableFields = []string{
	"first_name", "last_name", "name", "title", "account.id", "owner.id",
	"addresses.id", "addresses.street_1", "addresses.city", "addresses.state", "addresses.postal_code", "addresses.country", "addresses.type",
	"email_addresses.email", "email_addresses.type",
	"phone_numbers.number", "phone_numbers.type",
	"urls", "tags.name", "custom_fields", "remote_data",
}

// maxTries is how often a change that has to look first is tried while somebody
// else changes the contact between the look and the write.
const maxTries = 3

func createContact(ctx context.Context, call *sdk.Call, record crm.Contact) (*crm.Contact, error) {
	return write(ctx, call, vendorhttp.Request{Method: http.MethodPost, Path: []string{"Contacts"}}, sdk.Change[crm.Contact]{Record: record})
}

// updateContact changes a contact: the id goes into the body.
func updateContact(ctx context.Context, call *sdk.Call, change sdk.Change[crm.Contact]) (*crm.Contact, error) {
	if change.ETag != nil && !etagPattern.MatchString(*change.ETag) {
		return nil, sdk.ErrStale // no contact's, and nothing for a header
	}
	for try := 1; ; try++ {
		contact, err := write(ctx, call, vendorhttp.Request{Method: http.MethodPut, Path: []string{"Contacts"}}, change)
		if try == maxTries || change.ETag != nil || !errs.Is(err, errs.StaleVersion) {
			return contact, err
		}
	}
}

// etagPattern is what a version can be. A mere asterisk would match any.
var etagPattern = regexp.MustCompile(`^[!-)+-~][!-~]*$`)

// write sends a change, or a new contact. It looks first only where something
// has to be known that the write is to leave alone, and then makes sure that it
// is still so when it writes.
func write(ctx context.Context, call *sdk.Call, request vendorhttp.Request, change sdk.Change[crm.Contact]) (*crm.Contact, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	present, etag := &crm.Contact{}, change.ETag
	if change.ID != "" && (change.Record.CustomFields != nil || change.Clears("custom_fields") || change.Record.URLs != nil || change.Clears("urls")) {
		if present, err = lookAt(ctx, client, change.ID); err != nil {
			return nil, err
		}
		if present == nil { // nothing is sent
			present = &crm.Contact{}
		} else if err := change.CheckETag(present.ETag); err != nil {
			return nil, err
		}
		etag = cmp.Or(etag, present.ETag)
	}
	if etag != nil {
		request.Header = http.Header{"If-Match": {*etag}}
	}
	table, err := customFields.Check(ctx, call, client, change.Record.CustomFields)
	if err != nil {
		return nil, err
	}
	if change.Clears("custom_fields") {
		// Those that are there need no check, but some may not be editable.
		table, _ = customFields.Check(ctx, call, client, present.CustomFields)
	}
	body := contactBody(call, change, present, table)
	request.Body = body
	response, err := client.Main(ctx, request)
	if err != nil {
		return nil, body.Unified(refusal(ctx, client, change.ID, etag, err))
	}
	written, err := recordIn(response, change.ID)
	if err != nil {
		return nil, err
	}
	if written, err = settle(ctx, call, client, change, body, written); err != nil {
		return nil, err
	}
	one := []crm.Contact{*written}
	nameAccounts(ctx, call, client, one)
	return &one[0], nil
}

// refusal tells what a refused change is about. A 400 need not say so: it may
// be empty or a line of plain text, and the vendor's description has it also
// for a contact that is not there.
func refusal(ctx context.Context, client *vendorhttp.Client, id string, etag *string, err error) error {
	if id == "" || !errs.Is(err, errs.VendorRejected) {
		return err
	}
	present, lookErr := lookAt(ctx, client, id)
	switch {
	case errs.Is(lookErr, errs.RecordNotFound):
		return lookErr
	case lookErr == nil && etag != nil && (present.ETag == nil || *present.ETag != *etag):
		return sdk.ErrStale
	}
	return err
}

// contactBody maps a change to Insightly's fields; only what it names is in it.
func contactBody(call *sdk.Call, change sdk.Change[crm.Contact], present *crm.Contact, table map[string]customField) *vendorjson.Body {
	oneName(&change)
	sdk.SplitName(call, &change)
	r, body := change.Record, &vendorjson.Body{}
	if change.ID != "" {
		body.Set("CONTACT_ID", "id", json.Number(change.ID))
	}
	body.Text("FIRST_NAME", "first_name", r.FirstName, change.Clears("first_name"))
	body.Text("LAST_NAME", "last_name", r.LastName, change.Clears("last_name"))
	body.Text("TITLE", "title", r.Title, change.Clears("title"))
	body.Number("ORGANISATION_ID", "account.id", crm.AccountID(r.Account), change.Clears("account"))
	body.Number("OWNER_USER_ID", "owner.id", crm.OwnerID(r.Owner), change.Clears("owner"))
	if r.EmailAddresses != nil || change.Clears("email_addresses") {
		call.FillEmails(body, r.EmailAddresses, emailSlots)
	}
	if r.PhoneNumbers != nil || change.Clears("phone_numbers") {
		call.FillPhones(body, r.PhoneNumbers, phoneSlots)
	}
	if r.Addresses != nil || change.Clears("addresses") {
		addresses(call, body, r.Addresses)
	}
	if r.URLs != nil || change.Clears("urls") {
		call.FillURLs(body, r.URLs, present.URLs, urlSlots, webAddress.MatchString)
	}
	if r.Tags != nil || change.Clears("tags") {
		tags(body, r.Tags)
	}
	customFieldValues(call, body, change, present, table)
	body.MergeRemote(r.RemoteData)
	keepID(call, body, change.ID)
	return body
}

// oneName makes a name of one word that comes alone the first name, which is
// the one that Insightly requires.
func oneName(change *sdk.Change[crm.Contact]) {
	r := &change.Record
	if r.Name == nil || r.FirstName != nil || r.LastName != nil || change.Clears("first_name") || change.Clears("last_name") {
		return
	}
	if words := strings.Fields(*r.Name); len(words) == 1 {
		r.FirstName, r.Name = &words[0], nil
		if change.ID != "" {
			cleared := map[string]bool{"last_name": true}
			maps.Copy(cleared, change.Clear)
			change.Clear = cleared // the caller's stays as it is
		}
	}
}

// keepID makes sure that remote_data leads to no other contact: it is the id in
// the body that says which one is changed, and keys are matched without regard
// to case.
func keepID(call *sdk.Call, body *vendorjson.Body, id string) {
	for _, key := range body.Keys() {
		if !strings.EqualFold(key, "CONTACT_ID") {
			continue
		}
		if value, ours := body.Get(key).(json.Number); ours && value.String() == id {
			continue
		}
		if value, given := body.Get(key).(json.RawMessage); given && string(value) != id {
			call.Lose("remote_data."+key, "the contact's id is not for a body to say")
		}
		if body.Drop(key); id != "" {
			body.Set("CONTACT_ID", "id", json.Number(id))
		}
	}
}

// settle holds the contact as it was answered against what was to be written,
// where it is not known that Insightly does as told. Its reference has tags in
// bodies and its machine-readable description has not; whether they replace
// those that are there, neither says. What differs is put right one by one, by
// routes that leave nothing open. The rest cannot be put right and is told.
func settle(ctx context.Context, call *sdk.Call, client *vendorhttp.Client, change sdk.Change[crm.Contact], body *vendorjson.Body, written *crm.Contact) (*crm.Contact, error) {
	var left []errs.Field
	if names, ours := body.Get("TAGS").([]tagName); ours {
		var err error
		if written, err = settleTags(ctx, client, names, written); err != nil {
			return nil, sdk.Unfinished(*written.ID, "tags", err)
		}
		if missing, extra := compareTags(names, written.Tags); len(missing)+len(extra) > 0 {
			left = append(left, errs.Field{Path: "tags", Description: "are not as they were to be"})
		}
	}
	if pairs, ours := body.Get("CUSTOMFIELDS").([]customValue); ours {
		there := map[string]bool{}
		for _, m := range vendorjson.Members(written.CustomFields) {
			there[m.Key] = holdsValue(m.Value)
		}
		for _, pair := range pairs {
			if holdsValue(pair.Value) != there[pair.Name] {
				left = append(left, errs.Field{Path: "custom_fields." + pair.Name, Description: "is not as it was to be"})
			}
		}
	}
	if change.Clears("owner") && body.Get("OWNER_USER_ID") == nil && written.Owner != nil {
		left = append(left, errs.Field{Path: "owner", Description: "cannot be emptied"})
	}
	return written, call.NotKept(*written.ID, left)
}

// holdsValue tells a custom field with a value from an empty one; a flag that is
// off may be either.
func holdsValue(value json.RawMessage) bool {
	return !slices.Contains([]string{"null", `""`, "false"}, string(value))
}

// settleTags adds the tags that are missing and takes away those that are too
// many, and gives the contact as it is then.
func settleTags(ctx context.Context, client *vendorhttp.Client, names []tagName, written *crm.Contact) (*crm.Contact, error) {
	missing, extra := compareTags(names, written.Tags)
	if len(missing)+len(extra) == 0 {
		return written, nil
	}
	path := []string{"Contacts", *written.ID, "Tags"}
	for _, name := range missing {
		if _, err := client.Side(ctx, vendorhttp.Request{Method: http.MethodPost, Path: path, Body: name}); err != nil {
			return written, err
		}
	}
	for _, name := range extra {
		if _, err := client.Side(ctx, vendorhttp.Request{Method: http.MethodDelete, Path: path, Body: name}); err != nil {
			return written, err
		}
	}
	settled, err := lookAt(ctx, client, *written.ID)
	return cmp.Or(settled, written), err
}

// compareTags gives the tags that are missing and those that are too many. Case
// makes no difference: the vendor may write a tag as it has it already.
func compareTags(names []tagName, present []crm.Tag) (missing, extra []tagName) {
	same := func(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) }
	for _, name := range names {
		if !slices.ContainsFunc(present, func(t crm.Tag) bool { return same(*t.Name, name.Name) }) {
			missing = append(missing, name)
		}
	}
	for _, t := range present {
		if !slices.ContainsFunc(names, func(name tagName) bool { return same(*t.Name, name.Name) }) {
			extra = append(extra, tagName{*t.Name})
		}
	}
	return missing, extra
}
