package sdk

import (
	"fmt"

	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// FillEmails writes a whole list of e-mail addresses into a vendor's slots and
// empties those that stay free; see [Call.Fill] for what has no place.
func (c *Call) FillEmails(body *vendorjson.Body, emails []crm.EmailAddress, slots []Slot) {
	for i, at := range c.Fill("email_addresses", TypesOf(emails, func(e *crm.EmailAddress) *string { return e.Type }), slots) {
		if at < 0 {
			body.Set(slots[i].Key, "email_addresses", nil)
		} else {
			body.Set(slots[i].Key, fmt.Sprintf("email_addresses[%d].email", at), emails[at].Email)
		}
	}
}

// FillPhones is FillEmails for telephone numbers.
func (c *Call) FillPhones(body *vendorjson.Body, numbers []crm.PhoneNumber, slots []Slot) {
	for i, at := range c.Fill("phone_numbers", TypesOf(numbers, func(n *crm.PhoneNumber) *string { return n.Type }), slots) {
		if at < 0 {
			body.Set(slots[i].Key, "phone_numbers", nil)
		} else {
			body.Set(slots[i].Key, fmt.Sprintf("phone_numbers[%d].number", at), numbers[at].Number)
		}
	}
}

// FillURLs is FillEmails for web addresses. Vendors keep bare handles in the
// same fields: what isAddress does not take is lost, and a slot that does not
// show as one of the present web addresses is left alone.
func (c *Call) FillURLs(body *vendorjson.Body, given, present []crm.URL, slots []Slot, isAddress func(string) bool) {
	for i, at := range c.Fill("urls", TypesOf(given, func(u *crm.URL) *string { return u.Type }), slots) {
		if at >= 0 {
			if path := fmt.Sprintf("urls[%d].url", at); given[at].URL == nil || !isAddress(*given[at].URL) {
				c.Lose(path, "it is no web address")
			} else {
				body.Set(slots[i].Key, path, given[at].URL)
			}
			continue
		}
		for _, p := range present {
			if p.Type != nil && *p.Type == slots[i].Type {
				body.Set(slots[i].Key, "urls", nil)
			}
		}
	}
}
