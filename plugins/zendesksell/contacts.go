package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// contactFields are the unified fields that Sell can fill.
var contactFields = []string{
	"id", "first_name", "last_name", "name", "title", "account", "owner",
	"addresses.id", "addresses.street_1", "addresses.city", "addresses.state", "addresses.postal_code", "addresses.country", "addresses.type",
	"email_addresses.email", "email_addresses.type",
	"phone_numbers.number", "phone_numbers.type",
	"urls", "tags.name", "custom_fields", "created_at", "updated_at", "etag", "remote_data",
}

// contact is a record of /v2/contacts. Persons and organizations share the
// table; is_organization tells them apart.
type contact struct {
	ID             vendorjson.Text                  `json:"id"`
	OwnerID        vendorjson.Text                  `json:"owner_id"`
	IsOrganization vendorjson.Bool                  `json:"is_organization"`
	ContactID      vendorjson.Text                  `json:"contact_id"` // a person's organization
	Name           vendorjson.Text                  `json:"name"`
	FirstName      vendorjson.Text                  `json:"first_name"`
	LastName       vendorjson.Text                  `json:"last_name"`
	Title          vendorjson.Text                  `json:"title"`
	Website        vendorjson.Text                  `json:"website"`
	Email          vendorjson.Text                  `json:"email"`
	Phone          vendorjson.Text                  `json:"phone"`
	Mobile         vendorjson.Text                  `json:"mobile"`
	Fax            vendorjson.Text                  `json:"fax"`
	Twitter        vendorjson.Text                  `json:"twitter"`
	Facebook       vendorjson.Text                  `json:"facebook"`
	LinkedIn       vendorjson.Text                  `json:"linkedin"`
	Address        json.RawMessage                  `json:"address"`
	Billing        json.RawMessage                  `json:"billing_address"`
	Shipping       json.RawMessage                  `json:"shipping_address"`
	Tags           vendorjson.List[vendorjson.Text] `json:"tags"`
	CustomFields   json.RawMessage                  `json:"custom_fields"`
	CreatedAt      vendorjson.Text                  `json:"created_at"`
	UpdatedAt      vendorjson.Text                  `json:"updated_at"`
}

// envelope wraps a record. meta.version was seen on recorded contacts as a
// counter of edits; nothing documents it.
type envelope struct {
	Data json.RawMessage `json:"data"`
	Meta struct {
		Version vendorjson.Text `json:"version"`
	} `json:"meta"`
}

func (e envelope) contact() (contact, error) {
	var c contact
	if vendorjson.Object(e.Data) == nil {
		return c, errNoRecord
	}
	err := json.Unmarshal(e.Data, &c)
	if err == nil && c.ID.String() == "" {
		err = errNoRecord
	}
	return c, err
}

var errNoRecord = errs.New(errs.UnexpectedVendorAnswer, "Zendesk Sell answered without a contact in data")

func getContact(ctx context.Context, call *sdk.Call, id string) (*crm.Contact, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	response, err := client.Main(ctx, get("contacts", id))
	if err != nil {
		return nil, err
	}
	unified, err := personIn(response, id)
	if err != nil {
		return nil, err
	}
	one := []crm.Contact{*unified}
	nameAccounts(ctx, call, client, one)
	return &one[0], nil
}

// deleteContact looks first: the same path deletes companies as readily as
// people, and a company must not be deleted through this door.
func deleteContact(ctx context.Context, call *sdk.Call, id string) (*crm.Contact, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	if _, err := lookAt(ctx, client, id); err != nil {
		return nil, err
	}
	response, err := client.Main(ctx, vendorhttp.Request{Method: http.MethodDelete, Path: []string{"contacts", id}})
	if err != nil {
		return nil, err
	}
	return &crm.Contact{RemoteData: response.JSON()}, nil // 204 and empty, as a rule
}

// lookAt reads the person that a write is about and makes sure that it is one.
// In a dry run there is nothing to be seen, and the record is nil.
func lookAt(ctx context.Context, client *vendorhttp.Client, id string) (*crm.Contact, error) {
	response, err := client.Side(ctx, get("contacts", id))
	switch {
	case errors.Is(err, vendorhttp.ErrNotSent):
		return nil, nil
	case err != nil:
		return nil, err
	}
	person, err := personIn(response, id)
	if err != nil {
		return nil, err
	}
	if !surelyPerson(response.Body) {
		return nil, response.Error(errs.UnexpectedVendorAnswer, "Zendesk Sell did not say that the record %s is no company, so it was left alone", id)
	}
	return person, nil
}

// surelyPerson tells whether a single-contact answer says in so many words
// that the record is no organization. encoding/json forgives the case of keys
// and takes the last of two; before a write nothing is forgiven.
func surelyPerson(body []byte) bool {
	data, ok := vendorjson.Member(body, "data")
	if !ok {
		return false
	}
	flag, ok := vendorjson.Member(data, "is_organization")
	return ok && string(flag) == "false"
}

// personIn reads the answer for one id; an organization is not found, and
// another record is no answer.
func personIn(response *vendorhttp.Response, id string) (*crm.Contact, error) {
	var body envelope
	if err := response.Decode(&body); err != nil {
		return nil, err
	}
	record, err := body.contact()
	if err != nil {
		return nil, response.Error(errs.UnexpectedVendorAnswer, "Zendesk Sell answered without a contact in data")
	}
	if record.ID.String() != id {
		return nil, response.Error(errs.UnexpectedVendorAnswer, "Zendesk Sell answered with another record than %s", id)
	}
	if record.IsOrganization {
		return nil, response.Error(errs.RecordNotFound, "the record %s is a company, not a contact", record.ID)
	}
	unified := record.unified(body)
	return &unified, nil
}

// unified maps a person. Sell has no last activity on contacts.
func (c contact) unified(from envelope) crm.Contact {
	u := crm.Contact{
		ID:           c.ID.Ptr(),
		FirstName:    c.FirstName.Ptr(),
		LastName:     c.LastName.Ptr(),
		Name:         c.Name.Ptr(),
		Title:        c.Title.Ptr(),
		CustomFields: vendorjson.Object(c.CustomFields),
		CreatedAt:    vendorjson.Time(c.CreatedAt, time.RFC3339),
		UpdatedAt:    vendorjson.Time(c.UpdatedAt, time.RFC3339),
		RemoteData:   from.Data,
	}
	if u.Name == nil {
		u.Name = crm.FullName(u.FirstName, u.LastName)
	}
	if id := c.ContactID.Ptr(); id != nil {
		u.Account = &crm.AccountReference{ID: id}
	}
	if id := c.OwnerID.Ptr(); id != nil {
		u.Owner = &crm.UserReference{ID: id}
	}
	// There is no server-side check of versions; the counter of edits, where
	// it is there, tells more than a time stamp of one second.
	if u.ETag = from.Meta.Version.Ptr(); u.ETag == nil {
		u.ETag = c.UpdatedAt.Ptr()
	}
	for _, slot := range []struct {
		name string
		raw  json.RawMessage
	}{{"mailing", c.Address}, {"billing", c.Billing}, {"shipping", c.Shipping}} {
		if address := addressFrom(slot.raw, slot.name); address != nil {
			u.Addresses = append(u.Addresses, *address)
		}
	}
	if email := c.Email.Ptr(); email != nil {
		u.EmailAddresses = []crm.EmailAddress{{Email: email, Type: new("primary")}}
	}
	for _, slot := range []struct {
		kind   string
		number vendorjson.Text
	}{{"work", c.Phone}, {"mobile", c.Mobile}, {"fax", c.Fax}} {
		if number := slot.number.Ptr(); number != nil {
			u.PhoneNumbers = append(u.PhoneNumbers, crm.PhoneNumber{Number: number, Type: &slot.kind})
		}
	}
	for _, slot := range []struct {
		kind string
		url  vendorjson.Text
	}{{"website", c.Website}, {"linkedin", c.LinkedIn}, {"facebook", c.Facebook}, {"twitter", c.Twitter}} {
		if address := slot.url.Ptr(); address != nil && isWebAddress(*address) {
			u.URLs = append(u.URLs, crm.URL{URL: address, Type: &slot.kind})
		}
	}
	for _, tag := range c.Tags {
		if name := tag.Ptr(); name != nil {
			u.Tags = append(u.Tags, crm.Tag{Name: name}) // names alone: real ids cost a call
		}
	}
	return u
}

// addressFrom maps a slot; the slot's name stands in for an id. An address
// with nothing in it is none.
func addressFrom(raw json.RawMessage, slot string) *crm.Address {
	var a struct {
		Line1      vendorjson.Text `json:"line1"`
		City       vendorjson.Text `json:"city"`
		PostalCode vendorjson.Text `json:"postal_code"`
		State      vendorjson.Text `json:"state"`
		Country    vendorjson.Text `json:"country"`
	}
	if vendorjson.Object(raw) == nil || json.Unmarshal(raw, &a) != nil {
		return nil
	}
	address := &crm.Address{Street1: a.Line1.Ptr(), City: a.City.Ptr(), PostalCode: a.PostalCode.Ptr(), State: a.State.Ptr(), Country: a.Country.Ptr()}
	if *address == (crm.Address{}) {
		return nil
	}
	address.ID, address.Type = &slot, &slot
	return address
}

// nameAccounts fills in the names of the contacts' companies by one call for
// the whole page. Contacts hold only the ids.
func nameAccounts(ctx context.Context, call *sdk.Call, client *vendorhttp.Client, contacts []crm.Contact) {
	var ids []string
	seen := map[string]bool{}
	for _, c := range contacts {
		if c.Account != nil && c.Account.ID != nil && !seen[*c.Account.ID] {
			seen[*c.Account.ID] = true
			ids = append(ids, *c.Account.ID)
		}
	}
	if len(ids) == 0 {
		return
	}
	request := get("contacts")
	request.Query = []vendorhttp.Param{{Name: "ids", Value: strings.Join(ids, ",")}, {Name: "per_page", Value: "100"}}
	response, err := client.Side(ctx, request)
	var body struct {
		Items vendorjson.List[struct {
			Data struct {
				ID   vendorjson.Text `json:"id"`
				Name vendorjson.Text `json:"name"`
			} `json:"data"`
		}] `json:"items"`
	}
	if err == nil {
		err = response.Decode(&body)
	}
	if err != nil {
		call.Partial("names of accounts", err)
		return
	}
	names := map[string]*string{}
	for _, item := range body.Items {
		names[item.Data.ID.String()] = item.Data.Name.Ptr()
	}
	for i := range contacts {
		if a := contacts[i].Account; a != nil && a.ID != nil {
			a.Name = names[*a.ID]
		}
	}
}
