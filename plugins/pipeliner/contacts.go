package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// contactFields are the unified fields that Pipeliner can fill. Its addresses,
// e-mails and phones are numbered slots without ids or types; it has no web
// page and no last activity on a contact.
var contactFields = []string{
	"id", "first_name", "last_name", "name", "title", "account", "owner",
	"addresses.street_1", "addresses.city", "addresses.state", "addresses.postal_code", "addresses.country",
	"email_addresses.email", "phone_numbers.number",
	"tags", "custom_fields", "created_at", "updated_at", "etag", "remote_data",
}

// contact is a record of the collection Contacts.
type contact struct {
	ID               vendorjson.Text                  `json:"id"`
	IsDeleted        vendorjson.Bool                  `json:"is_deleted"`
	OwnerID          vendorjson.Text                  `json:"owner_id"`
	Owner            reference                        `json:"owner"`
	PrimaryAccount   reference                        `json:"primary_account"`
	AccountRelations vendorjson.List[accountRelation] `json:"account_relations"`
	QuickAccountName vendorjson.Text                  `json:"quick_account_name"` // a company that is not linked
	Salutation       vendorjson.Text                  `json:"title"`
	FormattedName    vendorjson.Text                  `json:"formatted_name"`
	FirstName        vendorjson.Text                  `json:"first_name"`
	MiddleName       vendorjson.Text                  `json:"middle_name"`
	LastName         vendorjson.Text                  `json:"last_name"`
	AccountPosition  vendorjson.Text                  `json:"account_position"` // at the primary account, else position
	Position         vendorjson.Text                  `json:"position"`
	Address          vendorjson.Text                  `json:"address"`
	City             vendorjson.Text                  `json:"city"`
	StateProvince    vendorjson.Text                  `json:"state_province"`
	ZipCode          vendorjson.Text                  `json:"zip_code"`
	Country          vendorjson.Text                  `json:"country"`
	Email1           vendorjson.Text                  `json:"email1"`
	Email2           vendorjson.Text                  `json:"email2"`
	Email3           vendorjson.Text                  `json:"email3"`
	Email4           vendorjson.Text                  `json:"email4"`
	Email5           vendorjson.Text                  `json:"email5"`
	Phone1           vendorjson.Text                  `json:"phone1"`
	Phone2           vendorjson.Text                  `json:"phone2"`
	Phone3           vendorjson.Text                  `json:"phone3"`
	Phone4           vendorjson.Text                  `json:"phone4"`
	Phone5           vendorjson.Text                  `json:"phone5"`
	Tags             vendorjson.List[tagRelation]     `json:"tags"`
	Created          vendorjson.Text                  `json:"created"`
	Modified         vendorjson.Text                  `json:"modified"`
	Revision         vendorjson.Text                  `json:"revision"`
	CustomFields     json.RawMessage                  `json:"-"` // what else the record has
	Record           json.RawMessage                  `json:"-"` // all of it, as it came
}

// envelope wraps a record, or what a delete has to say.
type envelope struct {
	Data json.RawMessage `json:"data"`
}

func (e envelope) contact() (contact, error) {
	var c contact
	record := vendorjson.Object(e.Data)
	if record == nil {
		return c, errNoRecord
	}
	vendors, custom, err := split(record)
	if err == nil {
		err = json.Unmarshal(vendors, &c)
	}
	if err != nil || c.ID.Ptr() == nil {
		return c, errNoRecord
	}
	c.CustomFields, c.Record = custom, e.Data
	return c, nil
}

var errNoRecord = errs.New(errs.UnexpectedVendorAnswer, "Pipeliner answered without a contact in data")

// isUUID is the shape of every id on record.
var isUUID = regexp.MustCompile(`^` + idPattern + `$`)

func getContact(ctx context.Context, call *sdk.Call, id string) (*crm.Contact, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	response, err := askExpanded(ctx, call, client.Main, get("Contacts", id), expanded)
	if err != nil {
		return nil, err
	}
	record, err := personIn(response, id)
	if err != nil {
		return nil, err
	}
	unified := record.unified()
	if record.unnamed() {
		call.Partial("names of account and tags", errNotExpanded)
	}
	return &unified, nil
}

// deleteContact moves a contact to where batch-restore can fetch it from. The
// answer repeats the id.
func deleteContact(ctx context.Context, call *sdk.Call, id string) (*crm.Contact, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	response, err := ask(ctx, client.Main, vendorhttp.Request{Method: http.MethodDelete, Path: []string{"Contacts", id}})
	if err != nil {
		return nil, heldBack(err)
	}
	deleted := &crm.Contact{RemoteData: response.JSON()}
	var body envelope
	if json.Unmarshal(response.Body, &body) == nil {
		deleted.ID = deletedID(body.Data)
	}
	if deleted.ID != nil && !strings.EqualFold(*deleted.ID, id) {
		return nil, response.Error(errs.UnexpectedVendorAnswer, "Pipeliner was asked to delete the contact %s and answered that it deleted %s", id, *deleted.ID)
	}
	return deleted, nil
}

// heldBack corrects a delete's refusal by validation: nothing was sent that
// could be invalid, so it is the record, by is_delete_protected or a rule of
// the space, that must not go.
func heldBack(err error) error {
	e := refusal(err, "40000", "ERROR_ENTITY_VALIDATION")
	if e == nil {
		return err
	}
	corrected := *e
	corrected.Reason = errs.VendorPrecondition
	return inCallersWords(&vendorjson.Body{}, &corrected)
}

// deletedID is the record that a delete's data names, nil when it names none:
// the id as a string or, against the documentation, a record.
func deletedID(data json.RawMessage) *string {
	id := text(data)
	if record := members(data); record != nil {
		id = text(record["id"])
	}
	if !isUUID.MatchString(id.String()) {
		return nil
	}
	return id.Ptr()
}

// batchDeleteContacts uses the vendor's bulk route, told to let those records
// stand that fail and to delete the others. How many it takes at once is not
// documented; a page's worth is not too many.
func batchDeleteContacts(ctx context.Context, call *sdk.Call, ids []string) ([]sdk.Outcome, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	return sdk.InChunks(ids, largestPage, func(chunk []string) ([]sdk.Outcome, error) {
		request := vendorhttp.Request{Method: http.MethodPost, Path: []string{"Contacts", "batch-delete"}, Body: chunk}
		request.Fixed = []vendorhttp.Param{{Name: "rollback-method", Value: "1"}}
		response, err := ask(ctx, client.Main, request)
		if err != nil {
			return nil, aboutSpace(err)
		}
		return outcomesIn(response, chunk)
	})
}

// outcomesIn reads what became of each record: its id, or an error in its place.
func outcomesIn(response *vendorhttp.Response, ids []string) ([]sdk.Outcome, error) {
	var body struct {
		Data []json.RawMessage `json:"data"`
	}
	if err := response.Decode(&body); err != nil {
		return nil, err
	}
	gone := map[string]bool{}
	for _, item := range body.Data {
		if id := deletedID(item); id != nil {
			gone[strings.ToLower(*id)] = true
		}
	}
	failed := map[string]error{}
	for i, id := range ids {
		if gone[strings.ToLower(id)] {
			continue
		}
		failed[id] = response.Error(errs.UnexpectedVendorAnswer, "Pipeliner did not say what became of the contact %s", id)
		if len(body.Data) == len(ids) {
			part := *response
			part.Body = body.Data[i]
			if e := failure(&part); e != nil {
				failed[id] = heldBack(e)
			}
		}
	}
	return sdk.OutcomesOf(ids, failed), nil
}

// lookAt reads the contact that a write is about, with the rows of its accounts
// and tags. In a dry run there is nothing to be seen, and the record is nil.
func lookAt(ctx context.Context, call *sdk.Call, client *vendorhttp.Client, id string) (*contact, error) {
	response, err := askExpanded(ctx, call, client.Side, get("Contacts", id), expanded+",account_relations")
	switch {
	case errors.Is(err, vendorhttp.ErrNotSent):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return personIn(response, id)
}

// personIn reads the answer for one id; another record is no answer.
func personIn(response *vendorhttp.Response, id string) (*contact, error) {
	var body envelope
	if err := response.Decode(&body); err != nil {
		return nil, err
	}
	record, err := body.contact()
	switch {
	case err != nil:
		return nil, response.Error(errs.UnexpectedVendorAnswer, "Pipeliner answered without a contact in data")
	case !strings.EqualFold(record.ID.String(), id):
		return nil, response.Error(errs.UnexpectedVendorAnswer, "Pipeliner was asked for the contact %s and answered with %s", id, record.ID)
	case bool(record.IsDeleted):
		// Lists hide it too; whether the vendor answers 404 is not documented.
		return nil, response.Error(errs.RecordNotFound, "the contact %s is deleted", record.ID)
	}
	return &record, nil
}

// askExpanded asks for contacts with the names of their accounts and tags.
// Expanding is not documented in every description of the API: when the vendor
// calls a parameter invalid, names are given up rather than contacts.
func askExpanded(ctx context.Context, call *sdk.Call, send send, request vendorhttp.Request, expand string) (*vendorhttp.Response, error) {
	plain := request
	request.Query = append(slices.Clone(request.Query), vendorhttp.Param{Name: "expand", Value: expand})
	response, err := ask(ctx, send, request)
	if refusal(err, "117", "ERROR_PARAMETER_INVALID") == nil {
		return response, err
	}
	call.Log().Warn("asking again without expand", "cause", err)
	return ask(ctx, send, plain)
}

var errNotExpanded = errors.New("relations came as URIs")

// unified maps a contact. The vendor's title is a salutation and not used.
func (c *contact) unified() crm.Contact {
	u := crm.Contact{
		ID:           c.ID.Ptr(),
		FirstName:    c.FirstName.Ptr(),
		LastName:     c.LastName.Ptr(),
		Name:         c.name(),
		Title:        c.jobTitle(),
		Account:      c.account(),
		CustomFields: c.CustomFields,
		CreatedAt:    vendorTime(c.Created),
		UpdatedAt:    vendorTime(c.Modified),
		ETag:         c.Revision.Ptr(), // the space's count of changes, as it was at the contact's last one
		RemoteData:   c.Record,
	}
	owner := c.OwnerID.Ptr()
	if owner == nil {
		owner = c.Owner.id
	}
	if owner != nil {
		u.Owner = &crm.UserReference{ID: owner}
	}
	address := crm.Address{Street1: c.Address.Ptr(), City: c.City.Ptr(), State: c.StateProvince.Ptr(), PostalCode: c.ZipCode.Ptr(), Country: c.Country.Ptr()}
	if address != (crm.Address{}) {
		u.Addresses = []crm.Address{address}
	}
	for _, email := range c.emails() {
		u.EmailAddresses = append(u.EmailAddresses, crm.EmailAddress{Email: &email})
	}
	for _, number := range c.phones() {
		u.PhoneNumbers = append(u.PhoneNumbers, crm.PhoneNumber{Number: &number})
	}
	for _, row := range c.Tags {
		if row.tag != (crm.Tag{}) {
			u.Tags = append(u.Tags, row.tag)
		}
	}
	return u
}

// name is the vendor's, which has the salutation and the middle name in it.
func (c *contact) name() *string {
	if name := c.FormattedName.Ptr(); name != nil {
		return name
	}
	return crm.FullName(c.FirstName.Ptr(), c.LastName.Ptr())
}

// jobTitle is the position at the account or, where there is none, the one that
// is kept for contacts without an account.
func (c *contact) jobTitle() *string {
	if title := c.AccountPosition.Ptr(); title != nil {
		return title
	}
	return c.Position.Ptr()
}

func (c *contact) emails() []string {
	return there(c.Email1, c.Email2, c.Email3, c.Email4, c.Email5)
}

func (c *contact) phones() []string {
	return there(c.Phone1, c.Phone2, c.Phone3, c.Phone4, c.Phone5)
}

// there are the slots that hold something, in order.
func there(slots ...vendorjson.Text) []string {
	var texts []string
	for _, slot := range slots {
		if value := slot.Ptr(); value != nil {
			texts = append(texts, *value)
		}
	}
	return texts
}

// vendorTime reads times as they are recorded, with a space, and as they are
// described, with a T and without a zone.
func vendorTime(stamp vendorjson.Text) *time.Time {
	return vendorjson.Time(stamp, "2006-01-02 15:04:05Z07:00", time.RFC3339, "2006-01-02 15:04:05", "2006-01-02T15:04:05")
}
