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

// contactFields are the unified fields that Wix can fill. Contacts v4 has no
// owners and no web pages, and a company is a mere text.
var contactFields = []string{
	"id", "first_name", "last_name", "name", "title", "account.name",
	"addresses", "email_addresses",
	"phone_numbers.id", "phone_numbers.number", "phone_numbers.type",
	"tags", "custom_fields", "last_activity_at", "created_at", "updated_at", "etag", "remote_data",
}

// contact is a record of /contacts/v4/contacts. Wix leaves out what is empty,
// whole wrappers too.
type contact struct {
	ID           vendorjson.Text `json:"id"`
	Revision     vendorjson.Text `json:"revision"`
	CreatedDate  vendorjson.Text `json:"createdDate"`
	UpdatedDate  vendorjson.Text `json:"updatedDate"`
	LastActivity struct {
		ActivityDate vendorjson.Text `json:"activityDate"`
	} `json:"lastActivity"`
	Info struct {
		Name struct {
			First vendorjson.Text `json:"first"`
			Last  vendorjson.Text `json:"last"`
		} `json:"name"`
		Company        vendorjson.Text        `json:"company"`
		JobTitle       vendorjson.Text        `json:"jobTitle"`
		Emails         items[email]           `json:"emails"`
		Phones         items[phone]           `json:"phones"`
		Addresses      items[place]           `json:"addresses"`
		LabelKeys      items[vendorjson.Text] `json:"labelKeys"`
		ExtendedFields struct {
			Items json.RawMessage `json:"items"`
		} `json:"extendedFields"`
	} `json:"info"`

	raw json.RawMessage // the record as it came
}

// items is how Wix wraps a list.
type items[T any] struct {
	Items vendorjson.List[T] `json:"items"`
}

type email struct {
	ID      vendorjson.Text `json:"id"`
	Tag     vendorjson.Text `json:"tag"`
	Email   vendorjson.Text `json:"email"`
	Primary vendorjson.Bool `json:"primary"`
}

type phone struct {
	ID        vendorjson.Text `json:"id"`
	Tag       vendorjson.Text `json:"tag"`
	Phone     vendorjson.Text `json:"phone"`
	E164Phone vendorjson.Text `json:"e164Phone"`
	Primary   vendorjson.Bool `json:"primary"`
}

// number is the number as it was given, else in the form that Wix makes of it.
func (p phone) number() *string {
	if number := p.Phone.Ptr(); number != nil {
		return number
	}
	return p.E164Phone.Ptr()
}

type place struct {
	ID      vendorjson.Text `json:"id"`
	Tag     vendorjson.Text `json:"tag"`
	Address json.RawMessage `json:"address"`
}

// contactFrom reads a record, which must be an object with an id. Any other
// field of a wrong type counts as absent: Unmarshal passes over it, and the
// error that it gives in the end is the only kind there can be here.
func contactFrom(raw json.RawMessage) (contact, error) {
	var c contact
	if vendorjson.Object(raw) == nil {
		return c, errNoRecord
	}
	_ = json.Unmarshal(raw, &c)
	if c.ID.Ptr() == nil {
		return c, errNoRecord
	}
	c.raw = raw
	return c, nil
}

var errNoRecord = errs.New(errs.UnexpectedVendorAnswer, "Wix answered without a contact")

func getContact(ctx context.Context, call *sdk.Call, id string) (*crm.Contact, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	request := get("contacts", id)
	request.Query = []vendorhttp.Param{{Name: "fieldsets", Value: "FULL"}}
	response, err := client.Main(ctx, request)
	if err != nil {
		return nil, err
	}
	unified, err := contactIn(response, id)
	if err != nil {
		return nil, err
	}
	one := []crm.Contact{*unified}
	nameLabels(ctx, call, client, one)
	return &one[0], nil
}

// deleteContact deletes for good: v4 has no trash bin. Wix answers 200 {};
// whether it answers so for an unknown id too is not documented.
func deleteContact(ctx context.Context, call *sdk.Call, id string) (*crm.Contact, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	response, err := client.Main(ctx, vendorhttp.Request{Method: http.MethodDelete, Path: []string{"contacts", id}})
	if err != nil {
		return nil, err
	}
	return &crm.Contact{RemoteData: response.JSON()}, nil
}

// lookAt reads the contact that a write is about. In a dry run there is nothing
// to be seen, and the record is nil.
func lookAt(ctx context.Context, client *vendorhttp.Client, id string) (*crm.Contact, error) {
	request := get("contacts", id)
	request.Fixed = []vendorhttp.Param{{Name: "fieldsets", Value: "FULL"}}
	response, err := client.Side(ctx, request)
	switch {
	case errors.Is(err, vendorhttp.ErrNotSent):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return contactIn(response, id)
}

// contactIn reads a single-contact answer, for one id or, when that is empty,
// for a contact that was just made. For an id that was merged away Wix gives
// the contact that took it in, with responseType MERGED and an id of its own.
// Under the id asked for that one would be taken for the person who is gone,
// and changed or deleted in their place; so the record is not found, and the
// vendor's answer goes along for who wants to follow it.
func contactIn(response *vendorhttp.Response, id string) (*crm.Contact, error) {
	var body struct {
		Contact      json.RawMessage `json:"contact"`
		ResponseType vendorjson.Text `json:"responseType"`
	}
	if err := response.Decode(&body); err != nil {
		return nil, err
	}
	record, err := contactFrom(body.Contact)
	if err != nil {
		return nil, response.Error(errs.UnexpectedVendorAnswer, "Wix answered without a contact")
	}
	if id != "" && (body.ResponseType.String() == "MERGED" || !strings.EqualFold(record.ID.String(), id)) {
		return nil, response.Error(errs.RecordNotFound, "the contact %s was merged away; Wix answers %s in its place", id, record.ID)
	}
	unified := record.unified()
	return &unified, nil
}

// unified maps a contact. A revision of 0 is a version like any other.
func (c contact) unified() crm.Contact {
	u := crm.Contact{
		ID:             c.ID.Ptr(),
		FirstName:      c.Info.Name.First.Ptr(),
		LastName:       c.Info.Name.Last.Ptr(),
		Title:          c.Info.JobTitle.Ptr(),
		CustomFields:   vendorjson.Object(c.Info.ExtendedFields.Items),
		LastActivityAt: vendorjson.Time(c.LastActivity.ActivityDate, time.RFC3339),
		CreatedAt:      vendorjson.Time(c.CreatedDate, time.RFC3339),
		UpdatedAt:      vendorjson.Time(c.UpdatedDate, time.RFC3339),
		ETag:           c.Revision.Ptr(),
		RemoteData:     c.raw,
	}
	u.Name = crm.FullName(u.FirstName, u.LastName)
	if company := c.Info.Company.Ptr(); company != nil {
		u.Account = &crm.AccountReference{Name: company}
	}
	for _, item := range c.Info.Addresses.Items {
		if address := addressFrom(item); address != nil {
			u.Addresses = append(u.Addresses, *address)
		}
	}
	for _, item := range primaryFirst(c.Info.Emails.Items, func(e email) bool { return bool(e.Primary) }) {
		if address := item.Email.Ptr(); address != nil {
			u.EmailAddresses = append(u.EmailAddresses, crm.EmailAddress{ID: item.ID.Ptr(), Email: address, Type: typeFrom(item.Tag)})
		}
	}
	for _, item := range primaryFirst(c.Info.Phones.Items, func(p phone) bool { return bool(p.Primary) }) {
		if number := item.number(); number != nil {
			u.PhoneNumbers = append(u.PhoneNumbers, crm.PhoneNumber{ID: item.ID.Ptr(), Number: number, Type: typeFrom(item.Tag)})
		}
	}
	for _, key := range c.Info.LabelKeys.Items {
		if id := key.Ptr(); id != nil {
			u.Tags = append(u.Tags, crm.Tag{ID: id}) // nameLabels adds the name
		}
	}
	return u
}

// addressFrom maps an address. Its street is one line or a number with a name;
// an address with nothing in it is none.
func addressFrom(item place) *crm.Address {
	var a struct {
		AddressLine   vendorjson.Text `json:"addressLine"`
		AddressLine2  vendorjson.Text `json:"addressLine2"`
		StreetAddress struct {
			Number vendorjson.Text `json:"number"`
			Name   vendorjson.Text `json:"name"`
		} `json:"streetAddress"`
		City        vendorjson.Text `json:"city"`
		Subdivision vendorjson.Text `json:"subdivision"`
		PostalCode  vendorjson.Text `json:"postalCode"`
		Country     vendorjson.Text `json:"country"`
	}
	_ = json.Unmarshal(item.Address, &a) // as in contactFrom
	address := &crm.Address{
		Street1: a.AddressLine.Ptr(), Street2: a.AddressLine2.Ptr(), City: a.City.Ptr(),
		State: a.Subdivision.Ptr(), PostalCode: a.PostalCode.Ptr(), Country: a.Country.Ptr(),
	}
	if address.Street1 == nil {
		address.Street1 = crm.FullName(a.StreetAddress.Number.Ptr(), a.StreetAddress.Name.Ptr())
	}
	if *address == (crm.Address{}) {
		return nil
	}
	address.ID, address.Type = item.ID.Ptr(), typeFrom(item.Tag)
	return address
}

// primaryFirst moves the primary one to the front and keeps the order else.
func primaryFirst[T any](list []T, primary func(T) bool) []T {
	sorted := slices.Clone(list)
	slices.SortStableFunc(sorted, func(a, b T) int {
		switch {
		case primary(a) == primary(b):
			return 0
		case primary(a):
			return -1
		default:
			return 1
		}
	})
	return sorted
}

// typeFrom reads a tag, such as WORK. UNTAGGED says that there is none.
func typeFrom(tag vendorjson.Text) *string {
	if tag.String() == "UNTAGGED" {
		return nil
	}
	return crm.Text(strings.ToLower(tag.String()))
}
