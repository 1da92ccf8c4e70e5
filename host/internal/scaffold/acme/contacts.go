package main

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// YOUR VENDOR, 3 of 4: its record, what each field becomes, and the calls that
// read it. writes.go has those that write it.

// contactFields are the unified fields that the vendor can fill. The host shows
// these as null or empty when a record has no value for them.
var contactFields = []string{
	"id", "first_name", "last_name", "name", "account.name",
	"email_addresses.email", "phone_numbers.number", "created_at", "updated_at", "remote_data",
}

// person is the vendor's record. vendorjson forgives a null, or a number where
// text should be: one odd field must not fail a page.
type person struct {
	ID        vendorjson.Text `json:"id"`
	FirstName vendorjson.Text `json:"first_name"`
	LastName  vendorjson.Text `json:"last_name"`
	Email     vendorjson.Text `json:"email"`
	Phone     vendorjson.Text `json:"phone"`
	Company   vendorjson.Text `json:"company"`
	CreatedAt vendorjson.Text `json:"created_at"`
	UpdatedAt vendorjson.Text `json:"updated_at"`
}

// personIn reads a record and tells whether it is one.
func personIn(record json.RawMessage) (person, bool) {
	var p person
	if vendorjson.Object(record) == nil || json.Unmarshal(record, &p) != nil {
		return p, false
	}
	return p, p.ID.Ptr() != nil
}

// unified maps a person. record is kept as it came, so that it loses no digit.
func (p person) unified(record json.RawMessage) crm.Contact {
	contact := crm.Contact{
		ID:         p.ID.Ptr(),
		FirstName:  p.FirstName.Ptr(),
		LastName:   p.LastName.Ptr(),
		Name:       crm.FullName(p.FirstName.Ptr(), p.LastName.Ptr()),
		CreatedAt:  vendorjson.Time(p.CreatedAt, time.RFC3339),
		UpdatedAt:  vendorjson.Time(p.UpdatedAt, time.RFC3339),
		RemoteData: record,
	}
	if company := p.Company.Ptr(); company != nil {
		contact.Account = &crm.AccountReference{Name: company}
	}
	if email := p.Email.Ptr(); email != nil {
		contact.EmailAddresses = []crm.EmailAddress{{Email: email}}
	}
	if number := p.Phone.Ptr(); number != nil {
		contact.PhoneNumbers = []crm.PhoneNumber{{Number: number}}
	}
	return contact
}

// position is where the next page begins: all that a page token holds.
type position struct {
	Cursor string `json:"cursor"`
}

// listContacts gives one page. A caller's remote_query may add parameters, but
// not change the paging or the filter: what is Fixed is set by the provider, and
// cursor and email are Reserved because not every request sends them.
func listContacts(ctx context.Context, call *sdk.Call, query sdk.ListQuery) (sdk.Page[crm.Contact], error) {
	var page sdk.Page[crm.Contact]
	request := vendorhttp.Request{
		Method:   http.MethodGet,
		Path:     []string{"people"},
		Fixed:    []vendorhttp.Param{{Name: "limit", Value: strconv.Itoa(query.PageSize)}},
		Reserved: []string{"cursor", "email"},
	}
	if email, ok := query.Filters.Text("email_addresses.email"); ok {
		request.Fixed = append(request.Fixed, vendorhttp.Param{Name: "email", Value: email})
	}
	if query.PageToken != "" {
		var at position
		if err := sdk.DecodeToken(query.PageToken, &at); err != nil {
			return page, err
		}
		if at.Cursor == "" {
			return page, sdk.ErrPageToken
		}
		request.Fixed = append(request.Fixed, vendorhttp.Param{Name: "cursor", Value: at.Cursor})
	}
	client, err := newClient(call)
	if err != nil {
		return page, err
	}
	response, err := client.Main(ctx, request)
	if err != nil {
		return page, err
	}
	var answer struct {
		People     []json.RawMessage `json:"people"`
		NextCursor vendorjson.Text   `json:"next_cursor"`
	}
	// A page is whole or an error: a record that went missing would be missed
	// by nobody.
	if json.Unmarshal(response.Body, &answer) != nil || answer.People == nil || len(answer.People) > query.PageSize {
		return page, response.Error(errs.UnexpectedVendorAnswer, "Acme CRM answered without a page of at most %d people", query.PageSize)
	}
	for _, record := range answer.People {
		p, ok := personIn(record)
		if !ok {
			return page, response.Error(errs.UnexpectedVendorAnswer, "Acme CRM answered a list with an item that is not a person")
		}
		page.Records = append(page.Records, p.unified(record))
	}
	if cursor := answer.NextCursor.Ptr(); cursor != nil {
		page.Next = sdk.EncodeToken(position{Cursor: *cursor})
	}
	return page, nil
}

func getContact(ctx context.Context, call *sdk.Call, id string) (*crm.Contact, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	response, err := client.Main(ctx, vendorhttp.Request{Method: http.MethodGet, Path: []string{"people", id}})
	if err != nil {
		return nil, err
	}
	return contactIn(response)
}

// contactIn reads an answer that is one record.
func contactIn(response *vendorhttp.Response) (*crm.Contact, error) {
	p, ok := personIn(response.Body)
	if !ok {
		return nil, response.Error(errs.UnexpectedVendorAnswer, "Acme CRM answered without a person")
	}
	contact := p.unified(response.JSON())
	return &contact, nil
}

// deleteContact is one call, with no look-up first. A record that was not
// there is an error, which the vendor's 404 already is.
func deleteContact(ctx context.Context, call *sdk.Call, id string) (*crm.Contact, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	response, err := client.Main(ctx, vendorhttp.Request{Method: http.MethodDelete, Path: []string{"people", id}})
	if err != nil {
		return nil, err
	}
	return &crm.Contact{RemoteData: response.JSON()}, nil
}
