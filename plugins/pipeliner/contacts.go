package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
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
	FormattedName    vendorjson.Text                  `json:"formatted_name"`
	FirstName        vendorjson.Text                  `json:"first_name"`
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
	c.CustomFields = custom
	return c, nil
}

var errNoRecord = errs.New(errs.UnexpectedVendorAnswer, "Pipeliner answered without a contact in data")

// isUUID is the shape of every id on record.
var isUUID = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// position is where the next page begins: after a cursor of the vendor's. A
// cursor does not depend on the page size, so each page has its own.
type position struct {
	After string `json:"after"`
}

func listContacts(ctx context.Context, call *sdk.Call, query sdk.ListQuery) (sdk.Page[crm.Contact], error) {
	var page sdk.Page[crm.Contact]
	var at position
	if err := sdk.DecodeToken(query.PageToken, &at); err != nil {
		return page, err
	}
	if query.PageToken != "" && at.After == "" {
		return page, sdk.ErrPageToken
	}
	client, err := newClient(call)
	if err != nil {
		return page, err
	}
	request := get("Contacts")
	// Cursors hold the sorted value and the id, so equal times do no harm.
	request.Query = []vendorhttp.Param{{Name: "order-by", Value: "created"}}
	request.Fixed = []vendorhttp.Param{{Name: "first", Value: strconv.Itoa(query.PageSize)}}
	request.Reserved = []string{"after", "last", "before"} // the other ways through the pages
	if at.After != "" {
		request.Fixed = append(request.Fixed, vendorhttp.Param{Name: "after", Value: at.After})
	}
	response, err := askExpanded(ctx, call, client, request)
	if err != nil {
		return page, aboutSpace(err)
	}
	var body struct {
		Data     []json.RawMessage `json:"data"`
		PageInfo struct {
			EndCursor   vendorjson.Text `json:"end_cursor"`
			HasNextPage vendorjson.Text `json:"has_next_page"`
		} `json:"page_info"`
	}
	if err := response.Decode(&body); err != nil {
		return page, err
	}
	if body.Data == nil {
		return page, response.Error(errs.UnexpectedVendorAnswer, "Pipeliner answered a list without data")
	}
	if len(body.Data) > query.PageSize {
		return page, response.Error(errs.UnexpectedVendorAnswer, "Pipeliner answered %d contacts where %d were asked for", len(body.Data), query.PageSize)
	}
	unnamed := false
	for _, item := range body.Data {
		from := envelope{Data: item}
		record, err := from.contact()
		if err != nil {
			return page, response.Error(errs.UnexpectedVendorAnswer, "Pipeliner answered a list with an item that is not a contact")
		}
		unnamed = unnamed || record.unnamed()
		page.Records = append(page.Records, record.unified(from))
	}
	if unnamed {
		call.Partial("names of accounts and tags", errNotExpanded)
	}
	// The last page may be empty with null cursors, or full with a cursor that
	// leads to nothing: has_next_page alone tells.
	cursor := body.PageInfo.EndCursor.String()
	switch more := body.PageInfo.HasNextPage.String(); {
	case more == "true" && (cursor == "" || cursor == at.After):
		return page, response.Error(errs.UnexpectedVendorAnswer, "Pipeliner says that the list goes on but gives no new cursor")
	case more == "true":
		page.Next = sdk.EncodeToken(position{After: cursor})
	case more == "" && len(body.Data) == query.PageSize:
		return page, response.Error(errs.UnexpectedVendorAnswer, "Pipeliner answered a full page without page_info, so whether the list goes on is not known; remote_query[limit] and [offset] make it do so")
	}
	return page, nil
}

func getContact(ctx context.Context, call *sdk.Call, id string) (*crm.Contact, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	response, err := askExpanded(ctx, call, client, get("Contacts", id))
	if err != nil {
		return nil, err
	}
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
	if record.unnamed() {
		call.Partial("names of account and tags", errNotExpanded)
	}
	unified := record.unified(body)
	return &unified, nil
}

// deleteContact moves a contact to where batch-restore can fetch it from. The
// answer repeats the id.
func deleteContact(ctx context.Context, call *sdk.Call, id string) (*crm.Contact, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	response, err := ask(ctx, client, vendorhttp.Request{Method: http.MethodDelete, Path: []string{"Contacts", id}})
	if e := refusal(err, "40000", "ERROR_ENTITY_VALIDATION"); e != nil {
		// Nothing was sent that could be invalid: it is the record, by
		// is_delete_protected or a rule of the space, that must not go.
		refused := *e
		refused.Reason = errs.VendorPrecondition
		return nil, &refused
	}
	if err != nil {
		return nil, err
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

// askExpanded asks for contacts with the names of their accounts and tags.
// Expanding is not documented in every description of the API: when the vendor
// calls a parameter invalid, names are given up rather than contacts.
func askExpanded(ctx context.Context, call *sdk.Call, client *vendorhttp.Client, request vendorhttp.Request) (*vendorhttp.Response, error) {
	plain := request
	request.Query = append(slices.Clone(request.Query), vendorhttp.Param{Name: "expand", Value: expanded})
	response, err := ask(ctx, client, request)
	if refusal(err, "117", "ERROR_PARAMETER_INVALID") == nil {
		return response, err
	}
	call.Log().Warn("asking again without expand", "cause", err)
	return ask(ctx, client, plain)
}

var errNotExpanded = errors.New("relations came as URIs")

// unified maps a contact. The vendor's title is a salutation and not used.
func (c contact) unified(from envelope) crm.Contact {
	u := crm.Contact{
		ID:           c.ID.Ptr(),
		FirstName:    c.FirstName.Ptr(),
		LastName:     c.LastName.Ptr(),
		Name:         c.FormattedName.Ptr(), // with the salutation
		Title:        c.AccountPosition.Ptr(),
		Account:      c.account(),
		CustomFields: c.CustomFields,
		CreatedAt:    vendorTime(c.Created),
		UpdatedAt:    vendorTime(c.Modified),
		ETag:         c.Revision.Ptr(), // counts the changes of the whole space
		RemoteData:   from.Data,
	}
	if u.Name == nil {
		u.Name = crm.FullName(u.FirstName, u.LastName)
	}
	if u.Title == nil {
		u.Title = c.Position.Ptr()
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
	for _, slot := range []vendorjson.Text{c.Email1, c.Email2, c.Email3, c.Email4, c.Email5} {
		if email := slot.Ptr(); email != nil {
			u.EmailAddresses = append(u.EmailAddresses, crm.EmailAddress{Email: email})
		}
	}
	for _, slot := range []vendorjson.Text{c.Phone1, c.Phone2, c.Phone3, c.Phone4, c.Phone5} {
		if number := slot.Ptr(); number != nil {
			u.PhoneNumbers = append(u.PhoneNumbers, crm.PhoneNumber{Number: number})
		}
	}
	for _, row := range c.Tags {
		if row.tag != (crm.Tag{}) {
			u.Tags = append(u.Tags, row.tag)
		}
	}
	return u
}

// vendorTime reads times as they are recorded, with a space, and as they are
// described, with a T and without a zone.
func vendorTime(stamp vendorjson.Text) *time.Time {
	return vendorjson.Time(stamp, "2006-01-02 15:04:05Z07:00", time.RFC3339, "2006-01-02 15:04:05", "2006-01-02T15:04:05")
}
