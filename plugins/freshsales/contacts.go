package main

import (
	"bytes"
	"context"
	"encoding/json"
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

// contactFields are the unified fields that Freshsales can fill. It keeps no
// versions, so there is no etag.
var contactFields = []string{
	"id", "first_name", "last_name", "name", "title", "account", "owner",
	"addresses.street_1", "addresses.city", "addresses.state", "addresses.postal_code", "addresses.country",
	"email_addresses.id", "email_addresses.email", "email_addresses.type",
	"phone_numbers.id", "phone_numbers.number", "phone_numbers.type",
	"urls", "tags.name", "custom_fields", "last_activity_at", "created_at", "updated_at", "remote_data",
}

// include asks for what a record holds only on demand: without it owner_id and
// sales_accounts are absent from a contact that has both.
var include = vendorhttp.Param{Name: "include", Value: "owner,sales_accounts"}

// contact is a record of /contacts.
type contact struct {
	ID                         vendorjson.Text                  `json:"id"`
	FirstName                  vendorjson.Text                  `json:"first_name"`
	LastName                   vendorjson.Text                  `json:"last_name"`
	DisplayName                vendorjson.Text                  `json:"display_name"` // the e-mail address where there is no name
	JobTitle                   vendorjson.Text                  `json:"job_title"`
	OwnerID                    vendorjson.Text                  `json:"owner_id"`
	SalesAccounts              vendorjson.List[salesAccount]    `json:"sales_accounts"`
	Address                    vendorjson.Text                  `json:"address"`
	City                       vendorjson.Text                  `json:"city"`
	State                      vendorjson.Text                  `json:"state"`
	Zipcode                    vendorjson.Text                  `json:"zipcode"`
	Country                    vendorjson.Text                  `json:"country"`
	Email                      vendorjson.Text                  `json:"email"` // repeats the primary one of emails
	Emails                     vendorjson.List[entry]           `json:"emails"`
	WorkEmail                  vendorjson.Text                  `json:"work_email"`
	WorkNumber                 vendorjson.Text                  `json:"work_number"`
	MobileNumber               vendorjson.Text                  `json:"mobile_number"`
	PhoneNumbers               vendorjson.List[entry]           `json:"phone_numbers"`
	LinkedIn                   vendorjson.Text                  `json:"linkedin"`
	Facebook                   vendorjson.Text                  `json:"facebook"`
	Twitter                    vendorjson.Text                  `json:"twitter"`
	Tags                       vendorjson.List[vendorjson.Text] `json:"tags"`
	CustomField                json.RawMessage                  `json:"custom_field"`
	LastContacted              vendorjson.Text                  `json:"last_contacted"`
	LastContactedSalesActivity vendorjson.Text                  `json:"last_contacted_via_sales_activity"`
	LastSeen                   vendorjson.Text                  `json:"last_seen"`
	CreatedAt                  vendorjson.Text                  `json:"created_at"`
	UpdatedAt                  vendorjson.Text                  `json:"updated_at"`
	IsDeleted                  vendorjson.Bool                  `json:"is_deleted"` // in the recycle bin

	raw json.RawMessage // the record as it came
}

type salesAccount struct {
	ID        vendorjson.Text `json:"id"`
	Name      vendorjson.Text `json:"name"`
	IsPrimary vendorjson.Bool `json:"is_primary"`
}

// entry is an item of emails or phone_numbers: an object or, as one client has
// it of phone numbers, the bare value.
type entry struct {
	ID        vendorjson.Text `json:"id"`
	Value     vendorjson.Text `json:"value"`
	Label     vendorjson.Text `json:"label"`
	IsPrimary vendorjson.Bool `json:"is_primary"`
}

// UnmarshalJSON implements json.Unmarshaler. It does not fail.
func (e *entry) UnmarshalJSON(data []byte) error {
	type object entry // without this method
	if vendorjson.Object(data) != nil {
		return json.Unmarshal(data, (*object)(e))
	}
	return e.Value.UnmarshalJSON(data)
}

// envelope wraps a record. In a list the items are bare.
type envelope struct {
	Contact json.RawMessage `json:"contact"`
}

func (e envelope) contact() (contact, error) {
	var c contact
	if vendorjson.Object(e.Contact) == nil {
		return c, errNoRecord
	}
	err := json.Unmarshal(e.Contact, &c)
	if err == nil && c.ID.Ptr() == nil {
		err = errNoRecord
	}
	c.raw = e.Contact
	return c, err
}

// shows tells whether the record has a key, with whatever value.
func (c *contact) shows(key string) bool {
	_, there := vendorjson.Member(c.raw, key)
	return there
}

var errNoRecord = errs.New(errs.UnexpectedVendorAnswer, "Freshsales answered without a contact")

func getContact(ctx context.Context, call *sdk.Call, id string) (*crm.Contact, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	record, err := read(ctx, client.Main, id)
	if err != nil {
		return nil, err
	}
	unified := record.unified()
	return &unified, nil
}

// sender is a client's Main or Side.
type sender func(context.Context, vendorhttp.Request) (*vendorhttp.Response, error)

// read gets a contact with owner and accounts.
func read(ctx context.Context, send sender, id string) (contact, error) {
	request := get("contacts", id)
	request.Query = []vendorhttp.Param{include}
	response, err := send(ctx, request)
	if err != nil {
		return contact{}, err
	}
	record, err := contactIn(response)
	if err == nil && record.ID.String() != id {
		return contact{}, response.Error(errs.UnexpectedVendorAnswer, "Freshsales answered with another contact than %s", id)
	}
	return record, err
}

// contactIn reads a single-contact answer. The bin keeps a record for 90 days,
// and an answer may still show it; it is not found.
func contactIn(response *vendorhttp.Response) (contact, error) {
	var body envelope
	if err := response.Decode(&body); err != nil {
		return contact{}, err
	}
	record, err := body.contact()
	if err != nil {
		return contact{}, unexpected(response, "a contact")
	}
	if record.IsDeleted {
		return record, response.Error(errs.RecordNotFound, "the contact %s is deleted", record.ID)
	}
	return record, nil
}

// deleteContact moves the contact to the recycle bin. The documented answer is
// 200 and the bare literal true; any 2xx counts, with any body or none, unless
// it says the opposite.
func deleteContact(ctx context.Context, call *sdk.Call, id string) (*crm.Contact, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	response, err := client.Main(ctx, vendorhttp.Request{Method: http.MethodDelete, Path: []string{"contacts", id}})
	if err != nil {
		return nil, err
	}
	if err := refusal(response); err != nil {
		return nil, err
	}
	if bytes.Equal(response.JSON(), []byte("false")) {
		return nil, response.Error(errs.UnexpectedVendorAnswer, "Freshsales answered the delete with false")
	}
	return &crm.Contact{RemoteData: response.JSON()}, nil
}

// unified maps a contact.
func (c *contact) unified() crm.Contact {
	u := crm.Contact{
		ID:             c.ID.Ptr(),
		FirstName:      c.FirstName.Ptr(),
		LastName:       c.LastName.Ptr(),
		Name:           c.DisplayName.Ptr(),
		Title:          c.JobTitle.Ptr(),
		Account:        c.account(),
		EmailAddresses: c.emails(),
		PhoneNumbers:   c.phones(),
		CustomFields:   vendorjson.Object(c.CustomField),
		CreatedAt:      vendorjson.Time(c.CreatedAt, time.RFC3339), // with the offset of the account's time zone
		UpdatedAt:      vendorjson.Time(c.UpdatedAt, time.RFC3339),
		RemoteData:     c.raw,
	}
	if u.Name == nil {
		u.Name = crm.FullName(u.FirstName, u.LastName)
	}
	if id := c.OwnerID.Ptr(); id != nil {
		u.Owner = &crm.UserReference{ID: id}
	}
	if address := (crm.Address{Street1: c.Address.Ptr(), City: c.City.Ptr(), State: c.State.Ptr(), PostalCode: c.Zipcode.Ptr(), Country: c.Country.Ptr()}); address != (crm.Address{}) {
		u.Addresses = []crm.Address{address}
	}
	for _, slot := range []struct {
		kind string
		url  vendorjson.Text
	}{{"linkedin", c.LinkedIn}, {"facebook", c.Facebook}, {"twitter", c.Twitter}} {
		if address := slot.url.Ptr(); address != nil && webAddress.MatchString(*address) {
			u.URLs = append(u.URLs, crm.URL{URL: address, Type: &slot.kind})
		}
	}
	for _, tag := range c.Tags {
		if name := tag.Ptr(); name != nil {
			u.Tags = append(u.Tags, crm.Tag{Name: name}) // mere names, without ids
		}
	}
	// The first of these that is there: a contact by whatever means, one by a
	// sales activity, a visit of the person's own.
	for _, at := range []vendorjson.Text{c.LastContacted, c.LastContactedSalesActivity, c.LastSeen} {
		if u.LastActivityAt = vendorjson.Time(at, time.RFC3339); u.LastActivityAt != nil {
			break
		}
	}
	return u
}

// webAddress tells an address from a bare handle, which the same fields hold.
var webAddress = regexp.MustCompile(`(?i)^\s*(https?://[^\s/]+|([a-z0-9-]+\.)+[a-z]{2,}/)\S*\s*$`)

// account is the primary company, else the first one.
func (c *contact) account() *crm.AccountReference {
	var chosen *crm.AccountReference
	for _, a := range c.SalesAccounts {
		if reference := (crm.AccountReference{ID: a.ID.Ptr(), Name: a.Name.Ptr()}); reference.ID != nil && (chosen == nil || bool(a.IsPrimary)) {
			chosen = &reference
			if a.IsPrimary {
				break
			}
		}
	}
	return chosen
}

// emails are the addresses of emails, then email and work_email when they are
// not among them; the primary one goes first.
func (c *contact) emails() []crm.EmailAddress {
	var all []crm.EmailAddress
	hasPrimary := false
	for _, e := range c.Emails {
		address := crm.EmailAddress{ID: e.ID.Ptr(), Email: e.Value.Ptr(), Type: kindOf(e.Label)}
		if address.Email == nil {
			continue
		}
		if e.IsPrimary {
			address.Type, hasPrimary = new("primary"), true
		}
		all = append(all, address)
	}
	add := func(email *string, kind string) {
		if email == nil {
			return
		}
		i := slices.IndexFunc(all, func(a crm.EmailAddress) bool { return strings.EqualFold(*a.Email, *email) })
		if i < 0 {
			i = len(all)
			all = append(all, crm.EmailAddress{Email: email})
		}
		if all[i].Type == nil || kind == "primary" {
			all[i].Type = crm.Text(kind)
		}
	}
	if hasPrimary {
		add(c.Email.Ptr(), "")
	} else {
		add(c.Email.Ptr(), "primary")
	}
	add(c.WorkEmail.Ptr(), "work")
	isPrimary := func(a crm.EmailAddress) bool { return a.Type != nil && *a.Type == "primary" }
	slices.SortStableFunc(all, func(a, b crm.EmailAddress) int {
		switch {
		case isPrimary(a) == isPrimary(b):
			return 0
		case isPrimary(a):
			return -1
		default:
			return 1
		}
	})
	return all
}

// phones are the numbers of the two slots, which have no ids, then the others.
func (c *contact) phones() []crm.PhoneNumber {
	var all []crm.PhoneNumber
	for _, slot := range []struct {
		kind   string
		number vendorjson.Text
	}{{"work", c.WorkNumber}, {"mobile", c.MobileNumber}} {
		if number := slot.number.Ptr(); number != nil {
			all = append(all, crm.PhoneNumber{Number: number, Type: &slot.kind})
		}
	}
	for _, p := range c.PhoneNumbers {
		if number := p.Value.Ptr(); number != nil {
			all = append(all, crm.PhoneNumber{ID: p.ID.Ptr(), Number: number, Type: kindOf(p.Label)})
		}
	}
	return all
}

// kindOf is a label as a type, in the lower case that types have.
func kindOf(label vendorjson.Text) *string {
	return crm.Text(strings.ToLower(strings.TrimSpace(label.String())))
}
