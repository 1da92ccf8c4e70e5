package main

import (
	"fmt"
	"strings"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// phoneSlots are the one telephone number of an enduser.
var phoneSlots = []sdk.Slot{{Key: "phone", Any: true}}

// emailAddresses writes the first address as the main one and the rest beside
// it. A new contact has no others that would have to go.
func emailAddresses(body *vendorjson.Body, emails []crm.EmailAddress, isNew bool) {
	var main *string
	others := []*string{}
	for i := range emails {
		path := fmt.Sprintf("email_addresses[%d].email", i)
		if i == 0 {
			main = emails[i].Email
			body.Set("email", path, main)
			continue
		}
		body.Alias(fmt.Sprintf("otherEmails[%d]", len(others)), path)
		others = append(others, emails[i].Email)
	}
	if main == nil {
		body.Set("email", "email_addresses", nil)
	}
	if len(others) > 0 || !isNew {
		body.Set("otherEmails", "email_addresses", others)
	}
}

func phoneNumbers(call *sdk.Call, body *vendorjson.Body, numbers []crm.PhoneNumber) {
	for i, at := range call.Fill("phone_numbers", sdk.TypesOf(numbers, func(n *crm.PhoneNumber) *string { return n.Type }), phoneSlots) {
		if at < 0 {
			body.Set(phoneSlots[i].Key, "phone_numbers", nil)
		} else {
			body.Set(phoneSlots[i].Key, fmt.Sprintf("phone_numbers[%d].number", at), numbers[at].Number)
		}
	}
}

// tags are a set of names, which Planhat makes as they come. A write replaces
// all.
func tags(body *vendorjson.Body, given []crm.Tag) {
	names := []*string{}
	for i := range given {
		names = append(names, given[i].Name)
		body.Alias(fmt.Sprintf("tags[%d]", i), fmt.Sprintf("tags[%d].name", i))
	}
	body.Set("tags", "tags", names)
}

// lostEmails compares the addresses that Planhat has with those that were
// written.
func lostEmails(given, stored []crm.EmailAddress) (lost []errs.Field) {
	has := func(list []crm.EmailAddress, wanted crm.EmailAddress) bool {
		for _, e := range list {
			if strings.EqualFold(*e.Email, *wanted.Email) {
				return true
			}
		}
		return false
	}
	for i, e := range given {
		if !has(stored, e) {
			lost = append(lost, errs.Field{Path: fmt.Sprintf("email_addresses[%d]", i), Description: "Planhat did not keep it"})
		}
	}
	for _, e := range stored {
		if !has(given, e) {
			return append(lost, errs.Field{Path: "email_addresses", Description: "Planhat kept addresses that are not among them"})
		}
	}
	return lost
}
