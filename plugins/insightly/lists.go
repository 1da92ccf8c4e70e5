package main

import (
	"fmt"
	"slices"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// Insightly keeps lists in a fixed number of fields: one e-mail address, six
// numbers, two addresses of five fields each, three profiles.
var (
	emailSlots = []sdk.Slot{{Key: "EMAIL_ADDRESS", Type: "primary", Any: true}}
	phoneSlots = []sdk.Slot{
		{Key: "PHONE", Type: "work", Any: true},
		{Key: "PHONE_HOME", Type: "home"},
		{Key: "PHONE_MOBILE", Type: "mobile"},
		{Key: "PHONE_OTHER", Type: "other", Any: true},
		{Key: "PHONE_ASSISTANT", Type: "assistant"},
		{Key: "PHONE_FAX", Type: "fax"},
	}
	addressSlots = []sdk.Slot{{Key: "ADDRESS_MAIL", Type: "mailing", Any: true}, {Key: "ADDRESS_OTHER", Type: "other", Any: true}}
	urlSlots     = []sdk.Slot{{Key: "SOCIAL_LINKEDIN", Type: "linkedin"}, {Key: "SOCIAL_FACEBOOK", Type: "facebook"}, {Key: "SOCIAL_TWITTER", Type: "twitter"}}
)

// addressIDs are the names that stand in for ids, by type, and addressTypes the
// reverse.
var (
	addressIDs   = map[string]string{"mailing": "mail", "other": "other"}
	addressTypes = map[string]string{"mail": "mailing", "other": "other"}
)

// addresses writes all fields of both addresses.
func addresses(call *sdk.Call, body *vendorjson.Body, given []crm.Address) {
	types := sdk.TypesOf(given, func(a *crm.Address) *string {
		if a.Type == nil && a.ID != nil && addressTypes[*a.ID] != "" {
			return new(addressTypes[*a.ID])
		}
		return a.Type
	})
	for i, at := range call.Fill("addresses", types, addressSlots) {
		slot, a, path := addressSlots[i], crm.Address{}, "addresses"
		part := func(string) string { return path }
		if at >= 0 {
			a, path = given[at], fmt.Sprintf("addresses[%d]", at)
			part = func(name string) string { return path + "." + name }
			if a.ID != nil && *a.ID != "" && *a.ID != addressIDs[slot.Type] {
				call.Lose(part("id"), "an address has no id but the name of its place, "+addressIDs[slot.Type])
			}
			if isBlank(a.Street1, a.City, a.State, a.PostalCode, a.Country) {
				call.Lose(path, "there is nothing in it")
			}
		}
		body.Set(slot.Key+"_STREET", part("street_1"), a.Street1)
		body.Set(slot.Key+"_CITY", part("city"), a.City)
		body.Set(slot.Key+"_STATE", part("state"), a.State)
		body.Set(slot.Key+"_POSTCODE", part("postal_code"), a.PostalCode)
		body.Set(slot.Key+"_COUNTRY", part("country"), a.Country)
	}
}

func isBlank(texts ...*string) bool { return crm.FullName(texts...) == nil }

// tags are a set of names, which Insightly makes as they come.
func tags(body *vendorjson.Body, given []crm.Tag) {
	names := []tagName{}
	for _, t := range given {
		if t.Name != nil && !slices.Contains(names, tagName{*t.Name}) {
			names = append(names, tagName{*t.Name})
		}
	}
	body.Set("TAGS", "tags", names)
	body.Alias("TAG_NAME", "tags")
}

// tagName is a tag in a body.
type tagName struct {
	Name string `json:"TAG_NAME"`
}
