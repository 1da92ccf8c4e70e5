package main

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
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

// pageCap is the most contacts in a page; more is 400 ILLEGAL_LIMIT.
const pageCap = 1000

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
	return c, nil
}

var errNoRecord = errs.New(errs.UnexpectedVendorAnswer, "Wix answered without a contact")

// position is where the next page begins.
type position struct {
	Offset int `json:"offset"`
	Limit  int `json:"limit"`
}

// pagingMetadata goes with a list.
type pagingMetadata struct {
	Count          vendorjson.Text `json:"count"`
	Total          vendorjson.Text `json:"total"`
	TooManyToCount vendorjson.Bool `json:"tooManyToCount"`
}

// more tells whether there are contacts after a page of some that ends at an
// offset. total decides, unless Wix could not count or counted fewer than it
// has given; then a full page does.
func (m pagingMetadata) more(end, got, limit int) bool {
	if total, err := strconv.Atoi(m.Total.String()); err == nil && !bool(m.TooManyToCount) && total >= end {
		return got > 0 && total > end
	}
	return got == limit
}

func listContacts(ctx context.Context, call *sdk.Call, query sdk.ListQuery) (sdk.Page[crm.Contact], error) {
	var page sdk.Page[crm.Contact]
	at := position{Limit: query.PageSize}
	if err := sdk.DecodeToken(query.PageToken, &at); err != nil {
		return page, err
	}
	if at.Offset < 0 || at.Offset > math.MaxInt32 || at.Limit < 1 || at.Limit > pageCap {
		return page, sdk.ErrPageToken
	}
	at.Limit = min(at.Limit, query.PageSize) // an offset does not depend on the size of the pages
	client, err := newClient(call)
	if err != nil {
		return page, err
	}
	request := get("contacts")
	// One sort field is all that Wix takes; updatedDate is not sortable.
	request.Query = []vendorhttp.Param{
		{Name: "fieldsets", Value: "FULL"},
		{Name: "sort.fieldName", Value: "createdDate"},
		{Name: "sort.order", Value: "ASC"},
	}
	request.Fixed = []vendorhttp.Param{
		{Name: "paging.limit", Value: strconv.Itoa(at.Limit)},
		{Name: "paging.offset", Value: strconv.Itoa(at.Offset)},
	}
	response, err := client.Main(ctx, request)
	if err != nil {
		return page, err
	}
	records, paging, err := listIn(response)
	if err != nil {
		return page, err
	}
	if len(records) > at.Limit {
		return page, response.Error(errs.UnexpectedVendorAnswer, "Wix answered %d contacts where %d were asked for", len(records), at.Limit)
	}
	for _, raw := range records {
		record, err := contactFrom(raw)
		if err != nil {
			return page, response.Error(errs.UnexpectedVendorAnswer, "Wix answered a list with an item that is not a contact")
		}
		page.Records = append(page.Records, record.unified(raw))
	}
	nameLabels(ctx, call, client, page.Records)
	if end := at.Offset + len(records); paging.more(end, len(records), at.Limit) {
		page.Next = sdk.EncodeToken(position{Offset: end, Limit: at.Limit})
	}
	return page, nil
}

// listIn reads a list. Since Wix leaves out what is empty, a list without
// contacts may have none, but then its pagingMetadata must say so.
func listIn(response *vendorhttp.Response) ([]json.RawMessage, pagingMetadata, error) {
	var paging pagingMetadata
	var body struct {
		Contacts       []json.RawMessage `json:"contacts"`
		PagingMetadata json.RawMessage   `json:"pagingMetadata"`
	}
	if err := response.Decode(&body); err != nil {
		return nil, paging, err
	}
	_ = json.Unmarshal(body.PagingMetadata, &paging) // absent, or not an object: paging goes on without
	if count := paging.Count.String(); body.Contacts == nil && (vendorjson.Object(body.PagingMetadata) == nil || count != "" && count != "0") {
		return nil, paging, response.Error(errs.UnexpectedVendorAnswer, "Wix answered a list without contacts")
	}
	return body.Contacts, paging, nil
}

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

// contactIn reads a single-contact answer. For an id that was merged away Wix
// gives the contact that took it in, with responseType MERGED and an id of its
// own. Under the id asked for that one would be taken for the person who is
// gone, and deleted in their place; so the record is not found, and the
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
	if body.ResponseType.String() == "MERGED" || !strings.EqualFold(record.ID.String(), id) {
		return nil, response.Error(errs.RecordNotFound, "the contact %s was merged away; Wix answers %s in its place", id, record.ID)
	}
	unified := record.unified(body.Contact)
	return &unified, nil
}

// unified maps a contact. A revision of 0 is a version like any other.
func (c contact) unified(from json.RawMessage) crm.Contact {
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
		RemoteData:     from,
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
		number := item.Phone.Ptr()
		if number == nil {
			number = item.E164Phone.Ptr()
		}
		if number != nil {
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
