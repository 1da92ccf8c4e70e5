package main

import (
	"fmt"
	"strings"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// Sell keeps lists in a fixed number of attributes: one e-mail address, three
// numbers, three addresses, four web addresses.
var (
	emailSlots   = []sdk.Slot{{Key: "email", Type: "primary", Any: true}}
	phoneSlots   = []sdk.Slot{{Key: "phone", Type: "work", Any: true}, {Key: "mobile", Type: "mobile"}, {Key: "fax", Type: "fax"}}
	addressSlots = []sdk.Slot{{Key: "address", Type: "mailing", Any: true}, {Key: "billing_address", Type: "billing"}, {Key: "shipping_address", Type: "shipping"}}
	urlSlots     = []sdk.Slot{{Key: "website", Type: "website", Any: true}, {Key: "linkedin", Type: "linkedin"}, {Key: "facebook", Type: "facebook"}, {Key: "twitter", Type: "twitter"}}
)

// addresses writes whole addresses: whether the vendor merges the parts of one
// is not known. An empty slot that was empty before is left out, since billing
// and shipping are for customers and prospects alone.
func addresses(call *sdk.Call, body *vendorjson.Body, given, present []crm.Address) {
	types := sdk.TypesOf(given, func(a *crm.Address) *string {
		if a.Type == nil {
			return a.ID // which is the name of the slot, as it is read
		}
		return a.Type
	})
	for i, at := range call.Fill("addresses", types, addressSlots) {
		slot := addressSlots[i]
		if at < 0 {
			for _, p := range present {
				if p.Type != nil && *p.Type == slot.Type {
					body.Set(slot.Key, "addresses", nil)
				}
			}
			continue
		}
		a, path := given[at], fmt.Sprintf("addresses[%d]", at)
		if a.ID != nil && !strings.EqualFold(*a.ID, slot.Type) && a.Type != nil {
			call.Lose(path+".id", "an address has no id but the name of its place, "+slot.Type)
		}
		object := body.Object(slot.Key, path)
		object.Set("line1", path+".street_1", a.Street1)
		object.Set("city", path+".city", a.City)
		object.Set("postal_code", path+".postal_code", a.PostalCode)
		object.Set("state", path+".state", a.State)
		object.Set("country", path+".country", a.Country)
	}
}

// isWebAddress tells one from a bare handle, which Sell keeps in the same field.
func isWebAddress(text string) bool { return strings.ContainsRune(text, '.') }

// tags are a set of names, which Sell makes as they come. A write replaces all.
func tags(body *vendorjson.Body, given []crm.Tag) {
	names := []*string{}
	for i := range given {
		names = append(names, given[i].Name)
		body.Alias(fmt.Sprintf("tags[%d]", i), fmt.Sprintf("tags[%d].name", i))
	}
	body.Set("tags", "tags", names)
}
