package emulator

import (
	"fmt"
	"strings"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// Ids of the seed. Those of users have the form that recorded replies show.
const (
	firstOwner   = "00000000-0000-0000-0000-00000000abcd"
	secondOwner  = "00000000-0000-0000-0000-00000000abce"
	formerOwner  = "00000000-0000-0000-0000-00000000abcf" // deleted
	supportOwner = "00000000-0000-0000-0000-00000000abd0"
)

// Where the ids of each collection begin; new records come after all.
const (
	contactIDs  = 0x01900000
	awkwardIDs  = 0x01f00000
	noteIDs     = 0x01a00000
	optionIDs   = 0x04444b00
	linkIDs     = 0x0c000000
	tagIDs      = 0x0d000000
	tagLinkIDs  = 0x0e000000
	accountIDs  = 0x0f4da000
	fieldIDs    = 0x10000000
	dataSetIDs  = 0x3c439b00
	unitIDs     = 0x7d9467e0
	typeIDs     = 0x24562300
	masterRight = 0x5d9467e0
)

func seed(s *store, plain int) {
	seedSpace(s)
	seedFields(s)
	seedAccounts(s)
	for i := range plain {
		seedPerson(s, i)
	}
	if plain > 0 {
		seedAwkward(s, plain)
	}
}

// put adds a seeded record; pairs are its fields that are not left empty.
func (s *store) put(collection, id string, created, modified time.Time, pairs ...any) *row {
	s.revision++
	r := &row{id: id, created: created, modified: modified, revision: s.revision, values: &kit.Object{}}
	fields := s.fields(s.schema[collection])
	for i := range fields {
		if f := &fields[i]; f.stores() {
			r.values.Set(f.name, f.initial)
		}
	}
	given := kit.Pairs(pairs...)
	for _, key := range given.Keys() {
		r.values.Set(key, given.Get(key))
	}
	if modified.After(s.last) {
		s.last = modified
	}
	return s.add(collection, r)
}

// seedSpace makes what every space has: units, types, users, tags.
func seedSpace(s *store) {
	at := kit.Epoch
	company, europe := makeID(unitIDs, salesUnits), makeID(unitIDs+1, salesUnits)
	s.put(salesUnits, company, at, at, "name", "Demo Company").protected = true
	s.put(salesUnits, europe, at, at, "name", "Europe", "parent_id", company)
	for _, name := range []string{contactTypes, accountTypes} {
		s.put(name, makeID(typeIDs, name), at, at, "name", "Standard").protected = true
		s.put(name, makeID(typeIDs+1, name), at, at, "name", "Partner")
	}
	for i, u := range []struct {
		id, first, last, unit string
		kind                  int
	}{
		{firstOwner, "Olive", "Okoro", company, 0},
		{secondOwner, "Sven", "Lund", europe, 0},
		{formerOwner, "Fay", "Former", europe, 0},
		{supportOwner, "Support", "Desk", company, 1},
	} {
		r := s.put(clients, u.id, at, at, "default_unit_id", u.unit, "email", fmt.Sprintf("owner%d@example.com", i+1),
			"first_name", u.first, "last_name", u.last, "last_active", formatStamp(at), "master_right_id", makeID(masterRight, "MasterRights"),
			"position", "Sales", "type", u.kind, "timezone_name", "Europe/Dublin")
		r.protected = i == 0
		r.deleted = u.id == formerOwner
	}
	for i, name := range []string{"vip", "newsletter", `"quoted" & <b>bold</b>`} {
		s.put(tags, makeID(tagIDs+i, tags), at, at, "name", name, "color", 0xff0000>>(8*i), "creator_id", firstOwner, "supported_entities", 3)
	}
}

// seedAccounts makes the companies that people work for, and one that is gone.
func seedAccounts(s *store) {
	for i, name := range append(kit.Companies(), "Gone GmbH") {
		at := kit.Epoch.Add(time.Duration(i) * time.Hour)
		slug := strings.ToLower(strings.Fields(name)[0])
		// The text fields that nobody filled are "", as in the recorded reply.
		pairs := []any{
			"account_type_id", makeID(typeIDs, accountTypes), "unit_id", makeID(unitIDs, salesUnits), "owner_id", firstOwner, "name", name,
			"address", "1 Ink Lane", "home_page", "www." + slug + ".example.com", "email1", "hello@" + slug + ".example.com", "phone1", fmt.Sprintf("+1 202 555 %04d", 10+i),
		}
		for _, empty := range []string{"comments", "country", "city", "state_province", "zip_code", "quick_parent_account_name", "email2", "email3", "email4", "email5", "phone2", "phone3", "phone4", "phone5"} {
			pairs = append(pairs, empty, "")
		}
		s.put(accounts, makeID(accountIDs+i, accounts), at, at, pairs...).deleted = name == "Gone GmbH"
	}
}

// seedFields makes the Fields rows of system fields whose type is known, and
// seven custom fields of contacts.
func seedFields(s *store) {
	at, n := kit.Epoch, 0
	put := func(entity, api, name, typeID string, pairs ...any) {
		pairs = append(pairs, "entity_name", entity, "api_name", api, "name", name, "type_id", typeID,
			"system_required", false, "system_readonly", false, "is_unique", false, "use_in_global_search", false, "settings", &kit.Object{})
		s.put(fieldRows, makeID(fieldIDs+n, fieldRows), at, at, pairs...)
		n++
	}
	for i, set := range [][]string{{"Gold", "Silver", "Bronze"}, {"Looms", "Ink", "Harbours"}} {
		for j, name := range set {
			s.put(options, optionID(i, j), at, at, "option_name", name, "calc_value", j+1, "sort_order", j, "data_set_id", makeID(dataSetIDs+i, "data sets"))
		}
	}
	put("Contact", "cf_loyalty_tier", "Loyalty tier", "dropdown", "data_set_id", makeID(dataSetIDs, "data sets"))
	put("Contact", "cf_customer_since", "Customer since", "date")
	put("Contact", "cf_score", "Score", "integer")
	put("Contact", "cf_discount", "Discount", "float")
	put("Contact", "cf_newsletter", "Newsletter", "checkbox")
	put("Contact", "cf_interests", "Interests", "multiselect_checkbox", "data_set_id", makeID(dataSetIDs+1, "data sets"))
	put("Contact", "shoe_size", "Shoe size", "input") // without the usual prefix
	for _, name := range []string{contacts, accounts} {
		c := s.schema[name]
		for i := range c.fields {
			f := &c.fields[i]
			if typeID := systemType(f); typeID != "" {
				put(c.entity, f.name, strings.ReplaceAll(f.name, "_", " "), typeID, "system_type", systemField)
			}
		}
	}
	s.readCustom()
}

func optionID(set, i int) string { return makeID(optionIDs+0x10*set+i, options) }

// systemType names a system field's type where the vendor's pages name one.
func systemType(f *field) string {
	switch {
	case !f.stores() || !f.onUpdate:
		return ""
	case f.kind == kindBoolean:
		return "checkbox"
	case f.kind != kindText:
		return ""
	case strings.HasPrefix(f.name, "email"):
		return "email"
	case strings.HasPrefix(f.name, "phone"):
		return "phone"
	case f.name == "address" || f.name == "comments":
		return "text_area"
	case f.name == "home_page":
		return "url"
	default:
		return "input"
	}
}
