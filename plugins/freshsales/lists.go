package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// Numbers and profiles have places by type. E-mail addresses and further
// numbers are arrays of objects with ids: what is to go is sent with _destroy,
// what is to stay is sent too, so that it does not matter whether an array adds
// to what is there or replaces it.
var (
	phoneSlots = []sdk.Slot{{Key: "work_number", Type: "work"}, {Key: "mobile_number", Type: "mobile"}}
	urlSlots   = []sdk.Slot{{Key: "linkedin", Type: "linkedin"}, {Key: "facebook", Type: "facebook"}, {Key: "twitter", Type: "twitter"}}
)

const (
	noLabels   = "there is no place for this type"
	noSuchID   = "the contact has nothing with this id"
	notByValue = "Freshsales shows %s without an id, by which alone it could be taken out"
	// mostAccounts is how many companies a contact can belong to.
	mostAccounts = 10
)

// item is a part of a list as it is compared with what is there.
type item struct{ id, value, kind string }

func itemOf(id, value, kind *string) item {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	return item{id: text(id), value: text(value), kind: strings.ToLower(strings.TrimSpace(text(kind)))}
}

// alike tells whether two addresses or numbers are one to Freshsales.
func alike(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) }

func emailItems(emails []crm.EmailAddress) []item {
	var items []item
	for _, e := range emails {
		items = append(items, itemOf(e.ID, e.Email, e.Type))
	}
	return items
}

func phoneItems(numbers []crm.PhoneNumber) []item {
	var items []item
	for _, n := range numbers {
		items = append(items, itemOf(n.ID, n.Number, n.Type))
	}
	return items
}

// match tells for each given item which present one it is, by its id or else by
// its value; -1 for a new one. An id that is not there is lost.
func match(call *sdk.Call, path string, given, present []item) []int {
	found := make([]int, len(given))
	taken := map[int]bool{}
	find := func(i int, is func(item) bool) {
		for j, p := range present {
			if found[i] < 0 && !taken[j] && is(p) {
				found[i], taken[j] = j, true
			}
		}
	}
	for i, g := range given {
		found[i] = -1
		if g.id != "" {
			if find(i, func(p item) bool { return p.id == g.id }); found[i] < 0 {
				call.Lose(fmt.Sprintf("%s[%d].id", path, i), noSuchID)
			}
		}
	}
	for i, g := range given {
		find(i, func(p item) bool { return alike(p.value, g.value) })
	}
	return found
}

// entries is an array of the vendor's in the making.
type entries struct {
	call      *sdk.Call
	body      *vendorjson.Body
	key, path string
	list      []*vendorjson.Body
	values    []string
	changed   bool
}

// keep writes an item, with the id that it has; is is the present one. Labels
// are left as they are: nobody is on record to write them.
func (e *entries) keep(i int, g item, is *item, field string) *vendorjson.Body {
	entry := &vendorjson.Body{}
	if slices.ContainsFunc(e.values, func(other string) bool { return alike(other, g.value) }) {
		e.call.Lose(fmt.Sprintf("%s[%d]", e.path, i), "it is there twice")
		return entry
	}
	if is != nil && is.id != "" {
		entry.Set("id", "", vendorjson.NumberOf(is.id))
	}
	entry.Set("value", "", g.value)
	e.body.Alias(fmt.Sprintf("%s[%d]", e.key, len(e.list)), fmt.Sprintf("%s[%d]", e.path, i))
	e.body.Alias(fmt.Sprintf("%s[%d].value", e.key, len(e.list)), fmt.Sprintf("%s[%d].%s", e.path, i, field))
	e.list, e.values = append(e.list, entry), append(e.values, g.value)
	e.changed = e.changed || is == nil || is.value != g.value
	return entry
}

// destroy takes a present item out.
func (e *entries) destroy(is item) {
	if is.id == "" {
		e.call.Lose(e.path, fmt.Sprintf(notByValue, is.value))
		return
	}
	entry := &vendorjson.Body{}
	entry.Set("id", "", vendorjson.NumberOf(is.id))
	entry.Set("_destroy", "", true)
	e.list = append(e.list, entry)
	e.changed = true
}

// emailAddresses writes emails and, for one of type work beside others,
// work_email, which is no part of it. The primary one is the one of that type,
// else the first.
func emailAddresses(call *sdk.Call, body *vendorjson.Body, emails []crm.EmailAddress, present *contact) {
	given, shown := emailItems(emails), emailItems(present.emails())
	inWorkEmail := func(p item) bool { return p.id == "" && p.kind == "work" }
	is := match(call, "email_addresses", given, shown)
	work := slices.IndexFunc(is, func(j int) bool { return j >= 0 && inWorkEmail(shown[j]) })
	if work >= 0 && given[work].kind != "work" && given[work].kind != "" {
		work = -1
	}
	for i, g := range given {
		others := slices.ContainsFunc(given, func(other item) bool { return !alike(other.value, g.value) })
		twice := slices.IndexFunc(given, func(other item) bool { return alike(other.value, g.value) }) < i
		if work < 0 && g.kind == "work" && is[i] < 0 && others && !twice {
			work = i
		}
	}
	primary := slices.IndexFunc(given, func(g item) bool { return g.kind == "primary" })
	for i := range given {
		if primary < 0 && i != work {
			primary = i
		}
	}
	array := &entries{call: call, body: body, key: "emails", path: "email_addresses"}
	for i, g := range given {
		if i == work {
			continue
		}
		var there *item
		shownAs := ""
		if is[i] >= 0 {
			there = &shown[is[i]]
			shownAs = there.kind
		}
		if i == primary {
			shownAs = "primary"
		}
		if g.kind != "" && (g.kind != shownAs || g.kind == "primary" && i != primary) {
			call.Lose(fmt.Sprintf("email_addresses[%d].type", i), noLabels)
		}
		array.keep(i, g, there, "email").Set("is_primary", "", i == primary)
	}
	workStays := work >= 0 || present.WorkEmail.Ptr() == nil
	for j, p := range shown {
		if slices.Contains(is, j) {
			workStays = workStays || alike(p.value, present.WorkEmail.String())
		} else if !inWorkEmail(p) {
			array.destroy(p)
		}
	}
	body.Set("emails", "email_addresses", append([]*vendorjson.Body{}, array.list...))
	body.Alias("email", "email_addresses")
	switch {
	case work >= 0:
		body.Set("work_email", fmt.Sprintf("email_addresses[%d].email", work), given[work].value)
	case !workStays:
		body.Set("work_email", "email_addresses", nil)
	}
}

// phoneNumbers writes the two places by type and the others to phone_numbers. A
// new one without a type goes to the place for work when it is free.
func phoneNumbers(call *sdk.Call, body *vendorjson.Body, numbers []crm.PhoneNumber, present *contact) {
	given, shown := phoneItems(numbers), phoneItems(present.phones())
	places := 0 // of what is shown, those before the array
	for _, n := range []vendorjson.Text{present.WorkNumber, present.MobileNumber} {
		if n.Ptr() != nil {
			places++
		}
	}
	is := match(call, "phone_numbers", given, shown)
	in := []int{-1, -1} // which item is in each place
	placed := make([]bool, len(given))
	put := func(fits func(i, slot int) bool) {
		for i := range given {
			for slot := range phoneSlots {
				if !placed[i] && in[slot] < 0 && fits(i, slot) {
					in[slot], placed[i] = i, true
				}
			}
		}
	}
	inArray := func(i int) bool { return is[i] >= places }
	put(func(i, slot int) bool {
		return given[i].kind == phoneSlots[slot].Type && (!inArray(i) || shown[is[i]].kind != given[i].kind)
	})
	put(func(i, slot int) bool {
		return given[i].kind == "" && is[i] >= 0 && !inArray(i) && shown[is[i]].kind == phoneSlots[slot].Type
	})
	put(func(i, slot int) bool { return given[i].kind == "" && is[i] < 0 && phoneSlots[slot].Type == "work" })
	for slot, i := range in {
		if i < 0 {
			body.Set(phoneSlots[slot].Key, "phone_numbers", nil)
		} else {
			body.Set(phoneSlots[slot].Key, fmt.Sprintf("phone_numbers[%d].number", i), given[i].value)
		}
	}
	array := &entries{call: call, body: body, key: "phone_numbers", path: "phone_numbers"}
	kept := map[int]bool{}
	for i, g := range given {
		if placed[i] {
			continue
		}
		var there *item
		if inArray(i) {
			there, kept[is[i]] = &shown[is[i]], true
		}
		if g.kind != "" && (there == nil || there.kind != g.kind) {
			call.Lose(fmt.Sprintf("phone_numbers[%d].type", i), noLabels)
		}
		array.keep(i, g, there, "number")
	}
	for j := places; j < len(shown); j++ {
		if !kept[j] {
			array.destroy(shown[j])
		}
	}
	if array.changed {
		body.Set("phone_numbers", "phone_numbers", array.list)
	}
}

// address writes the one address that there is, whole.
func address(call *sdk.Call, body *vendorjson.Body, given []crm.Address) {
	one, path := crm.Address{}, "addresses"
	if len(given) > 0 {
		one, path = given[0], "addresses[0]"
	}
	for _, part := range []struct {
		key, field string
		value      *string
	}{{"address", "street_1", one.Street1}, {"city", "city", one.City}, {"state", "state", one.State}, {"zipcode", "postal_code", one.PostalCode}, {"country", "country", one.Country}} {
		at := path
		if len(given) > 0 {
			at += "." + part.field
		}
		body.Text(part.key, at, part.value, true)
	}
	for i := 1; i < len(given); i++ {
		call.Lose(fmt.Sprintf("addresses[%d]", i), "a contact has one address")
	}
}

// tags are a set of names. A write replaces all.
func tags(body *vendorjson.Body, given []crm.Tag) {
	names := []*string{}
	for i := range given {
		names = append(names, given[i].Name)
		body.Alias(fmt.Sprintf("tags[%d]", i), fmt.Sprintf("tags[%d].name", i))
	}
	body.Set("tags", "tags", names)
}

// account makes a company the primary one, or takes the primary one out. The
// array replaces all of a contact's companies, so the others are sent with it:
// they are not shown in the unified model and nobody asked for them to go.
func account(call *sdk.Call, body *vendorjson.Body, id *string, present *contact) {
	list := []*vendorjson.Body{}
	add := func(id string, primary bool) {
		entry := &vendorjson.Body{}
		entry.Set("id", "", vendorjson.NumberOf(id))
		entry.Set("is_primary", "", primary)
		list = append(list, entry)
	}
	was := ""
	if primary := present.account(); primary != nil {
		was = *primary.ID
	}
	if id != nil {
		add(*id, true)
	}
	for _, a := range present.SalesAccounts {
		if other := a.ID.Ptr(); other != nil && (id == nil && *other != was || id != nil && *other != *id) {
			add(*other, len(list) == 0)
		}
	}
	switch {
	case len(list) > mostAccounts:
		call.Lose("account.id", fmt.Sprintf("the contact belongs to %d companies already, which is the most", mostAccounts))
		return
	case id == nil && len(list) > 0:
		call.Lose("account", "the contact belongs to further companies, the first of which becomes its account")
	}
	path := "account"
	if id != nil {
		path = "account.id"
	}
	body.Set("sales_accounts", path, list)
}
