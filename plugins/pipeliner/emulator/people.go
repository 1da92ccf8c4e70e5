package emulator

import (
	"encoding/json"
	"fmt"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// plainPeople is how many contacts come full and plain before the variety.
const plainPeople = 10

// seedPerson makes the i-th deletable contact.
func seedPerson(s *store, i int) {
	p := kit.PersonAt(i)
	owner, unit := firstOwner, makeID(unitIDs, salesUnits)
	if i%2 == 1 {
		owner, unit = secondOwner, makeID(unitIDs+1, salesUnits)
	}
	r := s.put(contacts, makeID(contactIDs+i, contacts), p.Created, p.Updated,
		"contact_type_id", makeID(typeIDs, contactTypes), "owner_id", owner, "unit_id", unit, "modified_by_user", formatStamp(p.Updated.Add(-time.Minute)),
		"first_name", p.First, "last_name", p.Last, "email1", p.Email, "phone1", p.Phone, "phone2", p.Mobile, "position", p.JobTitle,
		"address", p.Street, "city", p.City, "state_province", p.Region, "zip_code", p.Postcode, "country", p.Country,
		"cf_loyalty_tier", optionID(0, i%3), "cf_customer_since", p.Created.Format(time.DateOnly), "cf_score", i, "cf_discount", json.Number(fmt.Sprintf("%d.25", i%50)),
		"cf_newsletter", i%4 == 0, "cf_interests", []any{optionID(1, i%3)}, "shoe_size", fmt.Sprintf("EU %d", 36+i%10))
	set := func(pairs ...any) {
		given := kit.Pairs(pairs...)
		for _, key := range given.Keys() {
			r.values.Set(key, given.Get(key))
		}
	}
	linked, twice := true, false
	if i >= plainPeople {
		switch i % 10 {
		case 0: // a name and nothing else
			set("first_name", nil, "email1", nil, "phone1", nil, "phone2", nil, "position", nil, "address", nil, "city", nil, "state_province", nil,
				"zip_code", nil, "country", nil, "cf_loyalty_tier", nil, "cf_customer_since", nil, "cf_score", nil, "cf_discount", nil,
				"cf_newsletter", nil, "cf_interests", nil, "shoe_size", nil, "modified_by_user", nil)
			linked, p.Tags = false, nil
		case 1: // one name
			set("last_name", nil, "phone2", nil)
		case 2: // a salutation and a middle name
			set("title", "Dr.", "middle_name", "van der", "gender", 2)
		case 3: // hostile text
			set("first_name", `Zoë "Z" </script><script>alert(1)</script>`, "last_name", "O'Brien; DROP TABLE contacts;--", "city", "東京\n\tУфа",
				"comments", "line one\r\nline two\u2028three \\ {{7*7}} %s", "shoe_size", "½ \U0001F45F")
		case 5: // no address to write to
			set("email1", nil, "phone1", nil, "phone2", nil)
		case 6: // "" where others have null, as in a recorded reply
			set("email2", "", "email3", "", "email4", "", "email5", "", "phone3", "", "phone4", "", "phone5", "", "title", "", "middle_name", "", "comments", "", "quick_account_name", "", "country", "", "city", "")
		case 7: // a company in words only
			set("quick_account_name", p.Company+" (not linked)")
			linked = false
		case 8: // gaps between the slots
			set("email3", fmt.Sprintf("third%d@example.com", i), "phone2", nil, "phone5", p.Mobile)
		case 9:
			twice = true
		}
	}
	if linked {
		s.link(2*i, r, p.CompanyIndex, p.JobTitle, !twice)
	}
	if twice { // the second link is the primary one
		s.link(2*i+1, r, (p.CompanyIndex+1)%len(kit.Companies()), "Adviser", true)
	}
	s.tag(i, r, p.Tags)
	if i == 0 {
		s.put(notes, makeID(noteIDs, notes), p.Created, p.Created, "note", "call back on Monday", "contact_id", r.id, "owner_id", owner)
	}
}

// link ties a contact to a seeded account.
func (s *store) link(n int, r *row, account int, position any, primary bool) {
	s.put(accountRelations, makeID(linkIDs+n, accountRelations), r.created, r.created,
		"account_id", makeID(accountIDs+account, accounts), "contact_id", r.id, "position", position, "is_primary", primary)
}

func (s *store) tag(n int, r *row, names []string) {
	for _, t := range s.tables[tags].rows {
		for k, name := range names {
			if t.values.Text("name") == name {
				s.put(tagRelations, makeID(tagLinkIDs+4*n+k, tagRelations), r.created, r.created, "tag_id", t.id, "contact_id", r.id)
			}
		}
	}
}

// seedAwkward makes the contacts that trip adapters; README.md names them. They
// are younger than the plain people, so that a list by creation ends with them.
func seedAwkward(s *store, after int) {
	youngest := kit.PersonAt(after).Created
	gone := len(kit.Companies()) // the deleted account
	people := []struct {
		first, last string
		change      func(r *row, n int)
	}{
		{"Priya", "Protected", func(r *row, _ int) { r.protected = true }},
		{"Archie", "Archived", func(r *row, _ int) { r.values.Set("is_archived", true) }},
		{"Della", "Deleted", func(r *row, _ int) { r.deleted = true }},
		{"Fifi", "Fiveslots", func(r *row, _ int) {
			for i := 1; i <= 5; i++ {
				r.values.Set(fmt.Sprintf("email%d", i), fmt.Sprintf("fifi%d@example.com", i))
				r.values.Set(fmt.Sprintf("phone%d", i), fmt.Sprintf("+1 202 555 019%d", i))
			}
		}},
		{"Orla", "Orphaned", func(r *row, _ int) { r.values.Set("owner_id", formerOwner) }},
		{"Gus", "Goneaccount", func(r *row, n int) { s.link(n, r, gone, "Liquidator", true) }},
		{"Una", "Unsubscribed", func(r *row, _ int) {
			r.values.Set("share_mode", 1)
			r.values.Set("is_unsubscribed", true)
		}},
	}
	for i, p := range people {
		at := youngest.Add(time.Duration(i+1) * 24 * time.Hour)
		r := s.put(contacts, makeID(awkwardIDs+i, contacts), at, at, "contact_type_id", makeID(typeIDs+1, contactTypes), "owner_id", firstOwner,
			"unit_id", makeID(unitIDs, salesUnits), "first_name", p.first, "last_name", p.last, "email1", fmt.Sprintf("awkward%d@example.com", i+1))
		p.change(r, 0x00e00000+i)
	}
}
