package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"time"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// contactFields are the unified fields that Insightly can fill.
var contactFields = []string{
	"id", "first_name", "last_name", "name", "title", "account", "owner",
	"addresses.id", "addresses.street_1", "addresses.city", "addresses.state", "addresses.postal_code", "addresses.country", "addresses.type",
	"email_addresses.email", "email_addresses.type",
	"phone_numbers.number", "phone_numbers.type",
	"urls", "tags.name", "custom_fields", "last_activity_at", "created_at", "updated_at", "etag", "remote_data",
}

// contact is a record of /v3.1/Contacts, which comes without an envelope.
type contact struct {
	ID             vendorjson.Text             `json:"CONTACT_ID"`
	FirstName      vendorjson.Text             `json:"FIRST_NAME"`
	LastName       vendorjson.Text             `json:"LAST_NAME"`
	Title          vendorjson.Text             `json:"TITLE"`
	OrganisationID vendorjson.Text             `json:"ORGANISATION_ID"`
	OwnerUserID    vendorjson.Text             `json:"OWNER_USER_ID"`
	Email          vendorjson.Text             `json:"EMAIL_ADDRESS"`
	Phone          vendorjson.Text             `json:"PHONE"`
	PhoneHome      vendorjson.Text             `json:"PHONE_HOME"`
	PhoneMobile    vendorjson.Text             `json:"PHONE_MOBILE"`
	PhoneOther     vendorjson.Text             `json:"PHONE_OTHER"`
	PhoneAssistant vendorjson.Text             `json:"PHONE_ASSISTANT"`
	PhoneFax       vendorjson.Text             `json:"PHONE_FAX"`
	MailStreet     vendorjson.Text             `json:"ADDRESS_MAIL_STREET"`
	MailCity       vendorjson.Text             `json:"ADDRESS_MAIL_CITY"`
	MailState      vendorjson.Text             `json:"ADDRESS_MAIL_STATE"`
	MailPostcode   vendorjson.Text             `json:"ADDRESS_MAIL_POSTCODE"`
	MailCountry    vendorjson.Text             `json:"ADDRESS_MAIL_COUNTRY"`
	OtherStreet    vendorjson.Text             `json:"ADDRESS_OTHER_STREET"`
	OtherCity      vendorjson.Text             `json:"ADDRESS_OTHER_CITY"`
	OtherState     vendorjson.Text             `json:"ADDRESS_OTHER_STATE"`
	OtherPostcode  vendorjson.Text             `json:"ADDRESS_OTHER_POSTCODE"`
	OtherCountry   vendorjson.Text             `json:"ADDRESS_OTHER_COUNTRY"`
	LinkedIn       vendorjson.Text             `json:"SOCIAL_LINKEDIN"`
	Facebook       vendorjson.Text             `json:"SOCIAL_FACEBOOK"`
	Twitter        vendorjson.Text             `json:"SOCIAL_TWITTER"`
	Tags           vendorjson.List[tag]        `json:"TAGS"`
	CustomFields   vendorjson.List[fieldValue] `json:"CUSTOMFIELDS"`
	LastActivity   vendorjson.Text             `json:"LAST_ACTIVITY_DATE_UTC"`
	Created        vendorjson.Text             `json:"DATE_CREATED_UTC"`
	Updated        vendorjson.Text             `json:"DATE_UPDATED_UTC"`
	ETag           vendorjson.Text             `json:"ETag"` // a property of every record but brief ones
}

type tag struct {
	Name vendorjson.Text `json:"TAG_NAME"`
}

type fieldValue struct {
	Name  vendorjson.Text `json:"FIELD_NAME"`
	Value json.RawMessage `json:"FIELD_VALUE"`
}

// contactIn reads one record.
func contactIn(raw json.RawMessage) (contact, error) {
	var c contact
	if vendorjson.Object(raw) == nil {
		return c, errNoRecord
	}
	err := json.Unmarshal(raw, &c)
	if err == nil && idOf(c.ID) == nil {
		err = errNoRecord
	}
	return c, err
}

var errNoRecord = errs.New(errs.UnexpectedVendorAnswer, "Insightly answered without a contact")

func getContact(ctx context.Context, call *sdk.Call, id string) (*crm.Contact, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	response, err := client.Main(ctx, get("Contacts", id))
	if err != nil {
		return nil, err
	}
	record, err := recordIn(response, id)
	if err != nil {
		return nil, err
	}
	one := []crm.Contact{*record}
	nameAccounts(ctx, call, client, one)
	return &one[0], nil
}

// deleteContact moves the contact to the recycle bin, for 30 days. The answer
// is 202 and empty; nobody saw the contact live on after it.
func deleteContact(ctx context.Context, call *sdk.Call, id string) (*crm.Contact, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	response, err := client.Main(ctx, vendorhttp.Request{Method: http.MethodDelete, Path: []string{"Contacts", id}})
	if err != nil {
		return nil, err
	}
	return &crm.Contact{RemoteData: response.JSON()}, nil
}

// lookAt reads the contact that a write is about. In a dry run there is nothing
// to be seen, and the record is nil.
func lookAt(ctx context.Context, client *vendorhttp.Client, id string) (*crm.Contact, error) {
	response, err := client.Side(ctx, get("Contacts", id))
	switch {
	case errors.Is(err, vendorhttp.ErrNotSent):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return recordIn(response, id)
}

// recordIn reads the answer for one id, or for a new contact where that is "".
func recordIn(response *vendorhttp.Response, id string) (*crm.Contact, error) {
	raw := response.JSON()
	record, err := contactIn(raw)
	if err != nil {
		return nil, response.Error(errs.UnexpectedVendorAnswer, "Insightly answered without a contact")
	}
	if id != "" && record.ID.String() != id {
		return nil, response.Error(errs.UnexpectedVendorAnswer, "Insightly answered with another record than %s", id)
	}
	unified := record.unified(raw)
	return &unified, nil
}

// unified maps a contact. The name leaves out the salutation.
func (c contact) unified(from json.RawMessage) crm.Contact {
	u := crm.Contact{
		ID:             idOf(c.ID),
		FirstName:      c.FirstName.Ptr(),
		LastName:       c.LastName.Ptr(),
		Title:          c.Title.Ptr(),
		CustomFields:   customFieldsOf(c.CustomFields),
		LastActivityAt: instant(c.LastActivity),
		CreatedAt:      instant(c.Created),
		UpdatedAt:      instant(c.Updated),
		ETag:           c.ETag.Ptr(),
		RemoteData:     from,
	}
	u.Name = crm.FullName(u.FirstName, u.LastName)
	if id := idOf(c.OrganisationID); id != nil {
		u.Account = &crm.AccountReference{ID: id}
	}
	if id := idOf(c.OwnerUserID); id != nil {
		u.Owner = &crm.UserReference{ID: id}
	}
	for _, slot := range []struct {
		id, kind                               string
		street, city, state, postcode, country vendorjson.Text
	}{
		{"mail", "mailing", c.MailStreet, c.MailCity, c.MailState, c.MailPostcode, c.MailCountry},
		{"other", "other", c.OtherStreet, c.OtherCity, c.OtherState, c.OtherPostcode, c.OtherCountry},
	} {
		address := crm.Address{Street1: slot.street.Ptr(), City: slot.city.Ptr(), State: slot.state.Ptr(), PostalCode: slot.postcode.Ptr(), Country: slot.country.Ptr()}
		if address != (crm.Address{}) { // one with nothing in it is none
			address.ID, address.Type = &slot.id, &slot.kind
			u.Addresses = append(u.Addresses, address)
		}
	}
	if email := c.Email.Ptr(); email != nil {
		u.EmailAddresses = []crm.EmailAddress{{Email: email, Type: new("primary")}}
	}
	for _, slot := range []struct {
		kind   string
		number vendorjson.Text
	}{{"work", c.Phone}, {"home", c.PhoneHome}, {"mobile", c.PhoneMobile}, {"other", c.PhoneOther}, {"assistant", c.PhoneAssistant}, {"fax", c.PhoneFax}} {
		if number := slot.number.Ptr(); number != nil {
			u.PhoneNumbers = append(u.PhoneNumbers, crm.PhoneNumber{Number: number, Type: &slot.kind})
		}
	}
	for _, slot := range []struct {
		kind string
		url  vendorjson.Text
	}{{"linkedin", c.LinkedIn}, {"facebook", c.Facebook}, {"twitter", c.Twitter}} {
		if webAddress.MatchString(slot.url.String()) {
			u.URLs = append(u.URLs, crm.URL{URL: slot.url.Ptr(), Type: &slot.kind})
		}
	}
	for _, tag := range c.Tags {
		if name := tag.Name.Ptr(); name != nil {
			u.Tags = append(u.Tags, crm.Tag{Name: name}) // tags are mere names
		}
	}
	return u
}

// idOf is an id, nil when there is none: the vendor's own clients write 0
// for no record as well.
func idOf(id vendorjson.Text) *string {
	if id.String() == "0" {
		return nil
	}
	return id.Ptr()
}

// instant reads a date of a body: UTC, without a zone and with a blank in the
// middle. "0000-00-00 00:00:00" and "" mean that there is none. The vendor's
// description has ISO 8601 instead, which nobody saw.
func instant(text vendorjson.Text) *time.Time {
	return vendorjson.Time(text, time.DateTime, time.RFC3339, "2006-01-02T15:04:05")
}

// webAddress tells an address from a mere handle; the fields take both.
var webAddress = regexp.MustCompile(`(?i)^\s*(?:https?://|www\.|[^\s/@:]+\.[^\s/@:]+/)\S+\s*$`)
