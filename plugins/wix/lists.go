package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// list is one of the lists of a contact. A write replaces it whole, but items
// have ids, and more in them than the unified model knows: what is there is
// sent again beside what is given.
type list struct {
	key, path string
	tags      []string // beside UNTAGGED, which is no type
}

var (
	emailList   = list{"emails", "email_addresses", []string{"MAIN", "HOME", "WORK"}}
	phoneList   = list{"phones", "phone_numbers", []string{"MAIN", "HOME", "MOBILE", "WORK", "FAX"}}
	addressList = list{"addresses", "addresses", []string{"HOME", "WORK", "BILLING", "SHIPPING"}}
)

// entry is an item as it is given.
type entry struct {
	path     string
	id, kind *string
	value    string // what it is known by when it has no id
}

func emailAddresses(call *sdk.Call, info *vendorjson.Body, given []crm.EmailAddress, present *crm.Contact) {
	entries := make([]entry, len(given))
	for i, e := range given {
		entries[i] = entry{path: emailList.at(i), id: e.ID, kind: e.Type, value: strings.ToLower(text(e.Email))}
	}
	items, _ := emailList.items(call, info, entries, present, func(raw json.RawMessage) string {
		var e email
		_ = json.Unmarshal(raw, &e)
		return strings.ToLower(e.Email.String())
	})
	for i, item := range items {
		item.Set("email", entries[i].path+".email", given[i].Email)
		setPrimary(item, i)
	}
}

// phoneNumbers leaves countryCode as it is; the E.164 form follows from it and
// is Wix's to make.
func phoneNumbers(call *sdk.Call, info *vendorjson.Body, given []crm.PhoneNumber, present *crm.Contact) {
	entries := make([]entry, len(given))
	for i, n := range given {
		entries[i] = entry{path: phoneList.at(i), id: n.ID, kind: n.Type, value: text(n.Number)}
	}
	items, _ := phoneList.items(call, info, entries, present, func(raw json.RawMessage) string {
		var p phone
		_ = json.Unmarshal(raw, &p)
		return text(p.number())
	})
	for i, item := range items {
		item.Drop("e164Phone")
		item.Set("phone", entries[i].path+".number", given[i].Number)
		setPrimary(item, i)
	}
}

// setPrimary makes the first one the primary one, as it is read, and no other.
func setPrimary(item *vendorjson.Body, i int) {
	item.Drop("primary")
	if i == 0 {
		item.Set("primary", "", true)
	}
}

func addresses(call *sdk.Call, info *vendorjson.Body, given []crm.Address, present *crm.Contact) {
	var entries []entry
	var kept []crm.Address
	for i, a := range given {
		if partsOf(&a) == partsOf(&crm.Address{}) {
			call.Lose(addressList.at(i), "there is nothing in it")
			continue
		}
		entries = append(entries, entry{path: addressList.at(i), id: a.ID, kind: a.Type, value: partsOf(&a)})
		kept = append(kept, a)
	}
	items, was := addressList.items(call, info, entries, present, func(raw json.RawMessage) string { return partsOf(placeIn(raw)) })
	for i, item := range items {
		if value := item.Get("address"); partsOf(placeIn(was[i])) == entries[i].value {
			item.Set("address", entries[i].path, value)
		} else {
			address(item.Object("address", entries[i].path), entries[i].path, &kept[i], was[i])
		}
	}
}

// address maps an address. A street that is there as number and name stays so
// when it reads the same; Wix takes one of the two forms.
func address(body *vendorjson.Body, path string, a *crm.Address, was json.RawMessage) {
	var parts struct {
		Address struct {
			StreetAddress json.RawMessage `json:"streetAddress"`
		} `json:"address"`
	}
	_ = json.Unmarshal(was, &parts)
	set := func(key, field string, value *string) {
		if text(value) != "" {
			body.Set(key, path+"."+field, value)
		}
	}
	before, street := placeIn(was), vendorjson.Object(parts.Address.StreetAddress)
	if before != nil && street != nil && text(a.Street1) == text(before.Street1) {
		body.Set("streetAddress", path+".street_1", street)
	} else {
		set("addressLine", "street_1", a.Street1)
	}
	set("addressLine2", "street_2", a.Street2)
	set("city", "city", a.City)
	set("subdivision", "state", a.State)
	set("country", "country", a.Country)
	set("postalCode", "postal_code", a.PostalCode)
}

// placeIn reads an item of the list of addresses as it is shown; nil for one
// that is not.
func placeIn(raw json.RawMessage) *crm.Address {
	var p place
	_ = json.Unmarshal(raw, &p)
	return addressFrom(p)
}

// partsOf are the parts of an address in one text; of none, those of an empty
// one.
func partsOf(a *crm.Address) string {
	if a == nil {
		a = &crm.Address{}
	}
	return strings.Join([]string{text(a.Street1), text(a.Street2), text(a.City), text(a.State), text(a.PostalCode), text(a.Country)}, "\x00")
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func (l list) at(i int) string { return fmt.Sprintf("%s[%d]", l.path, i) }

// items puts an item for each one given into the body, an empty list to take
// all away. It begins with what is there in its place, which it gives beside:
// the one with its id, else the one with its value.
func (l list) items(call *sdk.Call, info *vendorjson.Body, given []entry, present *crm.Contact, valueOf func(json.RawMessage) string) (made []*vendorjson.Body, was []json.RawMessage) {
	var record struct {
		Info map[string]json.RawMessage `json:"info"`
	}
	_ = json.Unmarshal(present.RemoteData, &record)
	var there items[json.RawMessage]
	_ = json.Unmarshal(record.Info[l.key], &there)
	was, taken := make([]json.RawMessage, len(given)), make([]bool, len(there.Items))
	pair := func(same func(entry, json.RawMessage) bool) {
		for i, e := range given {
			for j, raw := range there.Items {
				if was[i] == nil && !taken[j] && same(e, raw) {
					was[i], taken[j] = raw, true
				}
			}
		}
	}
	pair(func(e entry, raw json.RawMessage) bool {
		return e.id != nil && strings.EqualFold(*e.id, headOf(raw).ID.String())
	})
	pair(func(e entry, raw json.RawMessage) bool { return e.value == valueOf(raw) })
	made = []*vendorjson.Body{}
	for i, e := range given {
		item := &vendorjson.Body{}
		for _, m := range vendorjson.Members(was[i]) {
			item.Set(m.Key, "", m.Value)
		}
		if text(e.id) != "" && !strings.EqualFold(*e.id, headOf(was[i]).ID.String()) {
			call.Lose(e.path+".id", "Wix gives the ids, and none of the contact's is this one")
		}
		item.Set("tag", e.path+".type", l.tagOf(call, e, was[i]))
		made = append(made, item)
	}
	info.Object(l.key, l.path).Set("items", l.path, made)
	return made, was
}

// head is what the items of all lists have.
type head struct {
	ID  vendorjson.Text `json:"id"`
	Tag vendorjson.Text `json:"tag"`
}

func headOf(raw json.RawMessage) (h head) {
	_ = json.Unmarshal(raw, &h)
	return h
}

// tagOf is the tag of a type: one that Wix has, or the one that is there.
func (l list) tagOf(call *sdk.Call, e entry, was json.RawMessage) string {
	if text(e.kind) == "" {
		return "UNTAGGED"
	}
	if tag := strings.ToUpper(*e.kind); slices.Contains(l.tags, tag) {
		return tag
	}
	there := headOf(was).Tag
	if kind := typeFrom(there); kind != nil && strings.EqualFold(*kind, *e.kind) {
		return there.String()
	}
	call.Lose(e.path+".type", "Wix has no tag for the type "+*e.kind)
	return "UNTAGGED"
}
