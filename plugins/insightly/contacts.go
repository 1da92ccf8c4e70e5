package main

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"net/http"
	"regexp"
	"strconv"
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
	if err == nil && reference(c.ID) == nil {
		err = errNoRecord
	}
	return c, err
}

var errNoRecord = errs.New(errs.UnexpectedVendorAnswer, "Insightly answered without a contact")

// position is where the next page begins. There is no cursor, only a count of
// records to skip, so it does not depend on the size of pages.
type position struct {
	Skip int `json:"skip"`
}

func listContacts(ctx context.Context, call *sdk.Call, query sdk.ListQuery) (sdk.Page[crm.Contact], error) {
	var page sdk.Page[crm.Contact]
	var at position
	if err := sdk.DecodeToken(query.PageToken, &at); err != nil {
		return page, err
	}
	if at.Skip < 0 || at.Skip > math.MaxInt32 { // the vendor counts in 32 bits
		return page, sdk.ErrPageToken
	}
	client, err := newClient(call)
	if err != nil {
		return page, err
	}
	request := get("Contacts")
	// The list takes no order; ascending ids were seen.
	request.Query = []vendorhttp.Param{{Name: "brief", Value: "false"}}
	request.Fixed = []vendorhttp.Param{
		{Name: "skip", Value: strconv.Itoa(at.Skip)},
		{Name: "top", Value: strconv.Itoa(query.PageSize)},
	}
	response, err := client.Main(ctx, request)
	if err != nil {
		return page, err
	}
	var items []json.RawMessage
	if err := response.Decode(&items); err != nil {
		return page, err
	}
	if items == nil {
		return page, response.Error(errs.UnexpectedVendorAnswer, "Insightly answered without a list")
	}
	for _, item := range items[:min(len(items), query.PageSize)] {
		record, err := contactIn(item)
		if err != nil {
			return page, response.Error(errs.UnexpectedVendorAnswer, "Insightly answered a list with an item that is not a contact")
		}
		page.Records = append(page.Records, record.unified(item))
	}
	nameAccounts(ctx, call, client, page.Records)
	// A short page is the last one. The total is no help: it moves while the
	// pages are read.
	if len(items) >= query.PageSize {
		page.Next = sdk.EncodeToken(position{Skip: at.Skip + len(page.Records)})
	}
	return page, nil
}

func getContact(ctx context.Context, call *sdk.Call, id string) (*crm.Contact, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	response, err := client.Main(ctx, get("Contacts", id))
	if err != nil {
		return nil, err
	}
	raw := response.JSON()
	record, err := contactIn(raw)
	if err != nil {
		return nil, response.Error(errs.UnexpectedVendorAnswer, "Insightly answered without a contact")
	}
	one := []crm.Contact{record.unified(raw)}
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

// unified maps a contact. The name leaves out the salutation.
func (c contact) unified(from json.RawMessage) crm.Contact {
	u := crm.Contact{
		ID:             reference(c.ID),
		FirstName:      c.FirstName.Ptr(),
		LastName:       c.LastName.Ptr(),
		Title:          c.Title.Ptr(),
		CustomFields:   customFields(c.CustomFields),
		LastActivityAt: instant(c.LastActivity),
		CreatedAt:      instant(c.Created),
		UpdatedAt:      instant(c.Updated),
		ETag:           c.ETag.Ptr(),
		RemoteData:     from,
	}
	u.Name = crm.FullName(u.FirstName, u.LastName)
	if id := reference(c.OrganisationID); id != nil {
		u.Account = &crm.AccountReference{ID: id}
	}
	if id := reference(c.OwnerUserID); id != nil {
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

// reference is an id, nil when there is none: the vendor's own clients write 0
// for no record as well.
func reference(id vendorjson.Text) *string {
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

// customFields makes an object of the pairs, in their order and with values as
// they came. A field that is null stays; one that is not on the record's
// layout is not among the pairs.
func customFields(pairs []fieldValue) json.RawMessage {
	values := map[string]json.RawMessage{}
	var names []string
	for _, pair := range pairs {
		name := pair.Name.Ptr()
		if name == nil {
			continue
		}
		if _, twice := values[*name]; !twice {
			names = append(names, *name)
		}
		if pair.Value == nil {
			pair.Value = json.RawMessage("null")
		}
		values[*name] = pair.Value
	}
	if names == nil {
		return nil
	}
	var object bytes.Buffer
	for i, name := range names {
		object.WriteByte("{,"[min(i, 1)])
		object.Write(quoted(name))
		object.WriteByte(':')
		object.Write(values[name])
	}
	object.WriteByte('}')
	return object.Bytes()
}

// quoted writes a name in JSON without the escapes that are meant for HTML.
func quoted(name string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(name) // a string always encodes
	return bytes.TrimSpace(b.Bytes())
}
