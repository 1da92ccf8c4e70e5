package main

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// Pipeliner keeps lists in a fixed number of fields: five e-mail addresses and
// five numbers, which have an order but no types, and one address.
var (
	emailSlots   = fiveOf("email")
	phoneSlots   = fiveOf("phone")
	addressSlots = []sdk.Slot{{Any: true}} // its parts are fields of the contact
)

func fiveOf(field string) []sdk.Slot {
	slots := make([]sdk.Slot, 5)
	for i := range slots {
		slots[i] = sdk.Slot{Key: field + strconv.Itoa(i+1), Any: true}
	}
	return slots
}

func keysOf(slots []sdk.Slot) []string {
	var keys []string
	for _, slot := range slots {
		keys = append(keys, slot.Key)
	}
	return keys
}

func emailAddresses(call *sdk.Call, body *vendorjson.Body, change *sdk.Change[crm.Contact], present *contact) {
	var given []string
	for _, email := range change.Record.EmailAddresses {
		given = append(given, *email.Email)
	}
	texts(call, body, "email_addresses", "email", emailSlots, given, present.emails(), change.ID == "")
}

func phoneNumbers(call *sdk.Call, body *vendorjson.Body, change *sdk.Change[crm.Contact], present *contact) {
	var given []string
	for _, number := range change.Record.PhoneNumbers {
		given = append(given, *number.Number)
	}
	texts(call, body, "phone_numbers", "number", phoneSlots, given, present.phones(), change.ID == "")
}

// texts writes a list by position. A field is emptied by null alone. A list that
// is there already is left alone, with the gaps that it may have.
func texts(call *sdk.Call, body *vendorjson.Body, list, part string, slots []sdk.Slot, given, present []string, creating bool) {
	if slices.Equal(given, present) {
		return
	}
	for i, at := range call.Fill(list, make([]*string, len(given)), slots) {
		if at >= 0 {
			body.Set(slots[i].Key, fmt.Sprintf("%s[%d].%s", list, at, part), given[at])
		} else if !creating {
			body.Set(slots[i].Key, list, nil)
		}
	}
}

// addresses writes the one address whole: what it leaves out is emptied.
func addresses(call *sdk.Call, body *vendorjson.Body, change *sdk.Change[crm.Contact]) {
	given := change.Record.Addresses
	var address crm.Address
	path := "addresses"
	if at := call.Fill("addresses", make([]*string, len(given)), addressSlots)[0]; at >= 0 {
		address, path = given[at], "addresses[0]"
	}
	for _, part := range []struct {
		key, name string
		value     *string
	}{
		{"address", "street_1", address.Street1},
		{"city", "city", address.City},
		{"state_province", "state", address.State},
		{"zip_code", "postal_code", address.PostalCode},
		{"country", "country", address.Country},
	} {
		where := path
		if len(given) > 0 {
			where += "." + part.name
		}
		body.Text(part.key, where, part.value, change.ID != "")
	}
}
