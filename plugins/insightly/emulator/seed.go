package emulator

import (
	"fmt"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// Ids of the seed. Plain contacts count up from firstContact; the awkward
// ones have fixed ids above, whatever the seed's size (up to half a million);
// what is created later comes above those.
const (
	keyUser      = 1067519 // the administrator whom the API key belongs to
	plainUser    = 1067520
	inactiveUser = 1067521

	firstOrganisation   = 145678901
	nextOrganisation    = 146000001
	missingOrganisation = 145999999

	firstContact   = 312345001
	awkwardContact = 312900001
	nextContact    = 313000001

	firstNote = 6100001
	nextNote  = 6200001
	firstPart = 8100001
)

// seeded makes the state to begin with.
func seeded(count int) *state {
	s := &state{
		records:  map[*kind][]*record{},
		nextID:   map[*kind]int64{contacts: nextContact, organisations: nextOrganisation, notes: nextNote},
		nextPart: firstPart - 1,
		tagNames: map[string][]string{"contacts": {"newsletter", "vip"}, "organisations": {"customer"}},
		users:    seededUsers(),
	}
	for i, name := range kit.Companies() {
		s.seedOrganisation(i, name)
	}
	// The awkward ones take their part ids first, so that these do not depend
	// on the seed's size either, but stand last in every list.
	var awkward []*record
	if count > 0 {
		awkward = s.awkwardContacts()
	}
	for i := range count {
		s.add(contacts, s.plainContact(i))
	}
	for _, rec := range awkward {
		s.add(contacts, rec)
	}
	return s
}

func seededUsers() []*kit.Object {
	user := func(id int64, first, last string, admin, active bool) *kit.Object {
		stamp := kit.Epoch.Format(stampForm)
		return kit.Pairs(
			"USER_ID", integerValue(id), "CONTACT_ID", integerValue(0), "FIRST_NAME", first, "LAST_NAME", last,
			"TIMEZONE_ID", "Central Standard Time", "EMAIL_ADDRESS", fmt.Sprintf("user%d@example.com", id),
			"EMAIL_DROPBOX_IDENTIFIER", nil, "EMAIL_DROPBOX_ADDRESS", nil,
			"ADMINISTRATOR", admin, "ACCOUNT_OWNER", admin, "ACTIVE", active,
			"DATE_CREATED_UTC", stamp, "DATE_UPDATED_UTC", stamp, "USER_CURRENCY", "USD",
			"CONTACT_DISPLAY", nil, "CONTACT_ORDER", nil, "TASK_WEEK_START", integerValue(1),
			"INSTANCE_ID", integerValue(500100), "PROFILE_ID", integerValue(1), "ROLE_ID", integerValue(1),
		)
	}
	return []*kit.Object{
		user(keyUser, "Olga", "Admin", true, true),
		user(plainUser, "Pavel", "Seller", false, true),
		user(inactiveUser, "Quinn", "Gone", false, false),
	}
}

func (s *state) seedOrganisation(i int, name string) {
	place := kit.PersonAt(i)
	id := int64(firstOrganisation + i)
	doc := organisations.blank(id)
	setAll(doc,
		"ORGANISATION_NAME", name, "OWNER_USER_ID", integerValue(keyUser), "CREATED_USER_ID", integerValue(keyUser),
		"PHONE", fmt.Sprintf("+1 202 555 %04d", 190+i), "WEBSITE", fmt.Sprintf("https://company%d.example.com", i+1),
		"ADDRESS_BILLING_STREET", place.Street, "ADDRESS_BILLING_CITY", place.City, "ADDRESS_BILLING_STATE", place.Region,
		"ADDRESS_BILLING_COUNTRY", place.Country, "ADDRESS_BILLING_POSTCODE", place.Postcode,
		"TAGS", []any{kit.Pairs("TAG_NAME", "customer")},
		"EMAILDOMAINS", []any{kit.Pairs("EMAIL_DOMAIN_ID", integerValue(int64(9100001+i)), "EMAIL_DOMAIN", fmt.Sprintf("company%d.example.com", i+1))},
	)
	setCustom(doc, "Segment__c", []string{"Manufacturing", "Logistics", "Textiles", "Retail"}[i%4])
	s.add(organisations, dated(organisations, doc, id, kit.Epoch, kit.Epoch))
}

// dated gives a document its stamps and its first ETag.
func dated(k *kind, doc *kit.Object, id int64, created, updated time.Time) *record {
	doc.Set("DATE_CREATED_UTC", created.Format(stampForm))
	doc.Set("DATE_UPDATED_UTC", updated.Format(stampForm))
	rec := &record{id: id, doc: doc, updated: updated}
	rec.seal(k)
	return rec
}

func setAll(doc *kit.Object, keysAndValues ...any) {
	pairs := kit.Pairs(keysAndValues...)
	for _, key := range pairs.Keys() {
		if !doc.Has(key) {
			panic("insightly emulator: the seed sets " + key + ", which the object has not")
		}
		doc.Set(key, pairs.Get(key))
	}
}

func setCustom(doc *kit.Object, name string, value any) {
	for _, pair := range objects(doc, "CUSTOMFIELDS") {
		if pair.Text("FIELD_NAME") == name {
			pair.Set("FIELD_VALUE", value)
		}
	}
}

func tagList(names ...string) []any {
	list := []any{}
	for _, name := range names {
		list = append(list, kit.Pairs("TAG_NAME", name))
	}
	return list
}
