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

// contactFields are the unified fields that Planhat can fill. An enduser has
// no owner, no address and no web page; __v is no version to guard a write by.
var contactFields = []string{
	"id", "first_name", "last_name", "name", "title", "account",
	"email_addresses.email", "phone_numbers.number", "tags.name", "custom_fields",
	"last_activity_at", "created_at", "updated_at", "remote_data",
}

// contact is a record of /endusers. A field without a value is left out.
type contact struct {
	ID          vendorjson.Text                  `json:"_id"`
	FirstName   vendorjson.Text                  `json:"firstName"`
	LastName    vendorjson.Text                  `json:"lastName"`
	Name        vendorjson.Text                  `json:"name"`
	Position    vendorjson.Text                  `json:"position"` // the job title
	CompanyID   vendorjson.Text                  `json:"companyId"`
	CompanyName vendorjson.Text                  `json:"companyName"`
	Email       vendorjson.Text                  `json:"email"`
	OtherEmails vendorjson.List[vendorjson.Text] `json:"otherEmails"`
	Phone       vendorjson.Text                  `json:"phone"`
	Tags        vendorjson.List[vendorjson.Text] `json:"tags"`
	Custom      json.RawMessage                  `json:"custom"`
	LastActive  vendorjson.Text                  `json:"lastActive"`
	CreateDate  vendorjson.Text                  `json:"createDate"`
	CreatedAt   vendorjson.Text                  `json:"createdAt"`
	UpdatedAt   vendorjson.Text                  `json:"updatedAt"`
	LastUpdated vendorjson.Text                  `json:"lastUpdated"`
}

// contactIn reads a record, which comes bare, and tells whether it is one.
func contactIn(record json.RawMessage) (contact, bool) {
	var c contact
	if vendorjson.Object(record) == nil || json.Unmarshal(record, &c) != nil {
		return c, false
	}
	return c, c.ID.Ptr() != nil
}

func getContact(ctx context.Context, call *sdk.Call, id string) (*crm.Contact, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	response, err := client.Main(ctx, get("endusers", id))
	if err != nil {
		return nil, err
	}
	return contactFrom(response)
}

// contactFrom reads an answer that is one contact.
func contactFrom(response *vendorhttp.Response) (*crm.Contact, error) {
	record, ok := contactIn(response.Body)
	if !ok {
		return nil, response.Error(errs.UnexpectedVendorAnswer, "Planhat answered without a contact")
	}
	unified := record.unified(response.JSON())
	return &unified, nil
}

// deleteContact deletes for good. The answer counts the records deleted and
// has no id; for endusers it was never recorded, so an empty one is as good.
func deleteContact(ctx context.Context, call *sdk.Call, id string) (*crm.Contact, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	response, err := client.Main(ctx, vendorhttp.Request{Method: http.MethodDelete, Path: []string{"endusers", id}})
	if err != nil {
		return nil, err
	}
	var result struct {
		OK           vendorjson.Text `json:"ok"`
		N            vendorjson.Text `json:"n"`
		DeletedCount vendorjson.Text `json:"deletedCount"`
	}
	if json.Unmarshal(response.Body, &result) == nil {
		// The result is MongoDB's, where ok 0 means that the command failed.
		if isZero(result.OK) {
			return nil, response.Error(errs.UnexpectedVendorAnswer, "Planhat answered that the delete did not work")
		}
		count := result.DeletedCount
		if count.Ptr() == nil {
			count = result.N
		}
		if isZero(count) {
			return nil, response.Error(errs.RecordNotFound, "Planhat has no contact %s: it answered that nothing was deleted", id)
		}
	}
	return &crm.Contact{RemoteData: response.JSON()}, nil
}

// isZero tells whether a number is there and is 0, however it is written.
func isZero(t vendorjson.Text) bool {
	number, err := strconv.ParseFloat(t.String(), 64)
	return err == nil && number == 0
}

// unified maps an enduser. Both e-mails and tags are bare strings.
func (c contact) unified(from json.RawMessage) crm.Contact {
	u := crm.Contact{
		ID:             c.ID.Ptr(),
		FirstName:      c.FirstName.Ptr(),
		LastName:       c.LastName.Ptr(),
		Name:           c.Name.Ptr(),
		Title:          c.Position.Ptr(),
		CustomFields:   vendorjson.Object(c.Custom),
		LastActivityAt: firstTime(c.LastActive),
		CreatedAt:      firstTime(c.CreateDate, c.CreatedAt), // the first can be set by hand
		UpdatedAt:      firstTime(c.UpdatedAt, c.LastUpdated),
		RemoteData:     from,
	}
	if u.Name == nil {
		u.Name = crm.FullName(u.FirstName, u.LastName)
	}
	if account := (crm.AccountReference{ID: c.CompanyID.Ptr(), Name: c.CompanyName.Ptr()}); account != (crm.AccountReference{}) {
		u.Account = &account
	}
	for _, email := range append([]vendorjson.Text{c.Email}, c.OtherEmails...) {
		if address := email.Ptr(); address != nil {
			u.EmailAddresses = append(u.EmailAddresses, crm.EmailAddress{Email: address})
		}
	}
	if number := c.Phone.Ptr(); number != nil {
		u.PhoneNumbers = []crm.PhoneNumber{{Number: number}}
	}
	for _, tag := range c.Tags {
		if name := tag.Ptr(); name != nil {
			u.Tags = append(u.Tags, crm.Tag{Name: name})
		}
	}
	return u
}

// firstTime is the first text that is an instant. The API writes ISO 8601 in
// UTC; the few fields that it writes as numbers differ in their unit.
func firstTime(texts ...vendorjson.Text) *time.Time {
	for _, text := range texts {
		if instant := vendorjson.Time(text, time.RFC3339); instant != nil {
			return instant
		}
	}
	return nil
}
