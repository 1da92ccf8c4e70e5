package emulator

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// Ids of the awkward records, which the README names.
const (
	memberContactID = "3f2c1a10-aaaa-4000-8000-000000000001"
	subscriberID    = "3f2c1a10-aaaa-4000-8000-000000000002"
	ownerContactID  = "3f2c1a10-aaaa-4000-8000-000000000003"
	mergedAwayID    = "3f2c1a10-aaaa-4000-8000-000000000004"
	mergeTargetID   = "3f2c1a10-aaaa-4000-8000-000000000005"
	deletedID       = "3f2c1a10-aaaa-4000-8000-000000000006"
	// memberID is the member's own id. It is not a contact's.
	memberID = "3f2c1a10-3e3b-4000-8000-000000000001"
)

// seedID is the id of the i-th plain contact, counted from zero.
func seedID(i int) string { return fmt.Sprintf("3f2c1a10-0000-4000-8000-%012x", i+1) }

func (s *state) seedCatalogues() {
	at := stamp(kit.Epoch)
	s.labels = &catalogue{entries: []*kit.Object{
		newLabel("contacts", "Contacts", "contacts.contacted-me", "Contacted Me", "SYSTEM", at),
		newLabel("stores", "Wix Stores", "stores.buyers", "Buyers", "WIX_APP_DEFINED", at),
		newLabel("custom", "Custom", "custom.vip", "VIP", "USER_DEFINED", at),
		newLabel("custom", "Custom", "custom.newsletter", "Newsletter", "USER_DEFINED", at),
		newLabel("custom", "Custom", "custom.k-ln-a-b", "Köln \"A\" </script> & B", "USER_DEFINED", at),
	}}
	s.fields = &catalogue{entries: []*kit.Object{
		newField("contacts", "contacts.displayByFirstName", "Display Name", "TEXT", "SYSTEM", at),
		newField("emailSubscriptions", "emailSubscriptions.subscriptionStatus", "Subscription Status", "TEXT", "SYSTEM", at),
		newField("emailSubscriptions", "emailSubscriptions.deliverabilityStatus", "Deliverability Status", "TEXT", "SYSTEM", at),
		newField("emailSubscriptions", "emailSubscriptions.effectiveEmail", "Effective Email", "TEXT", "SYSTEM", at),
		newField("members", "members.membershipStatus", "Membership Status", "TEXT", "SYSTEM", at),
		newField("invoices", "invoices.vatId", "VAT ID", "TEXT", "SYSTEM", at),
		newField("custom", "custom.shoe-size", "Shoe Size", "TEXT", "USER_DEFINED", at),
		newField("custom", "custom.loyalty-points-1", "Loyalty Points", "NUMBER", "USER_DEFINED", at),
		newField("custom", "custom.first-purchase-7c1e", "First Purchase", "DATE", "USER_DEFINED", at),
		newField("custom", "custom.website", "Website", "URL", "USER_DEFINED", at),
	}}
}

// seedContacts makes the plain contacts, of which the first ten are full, and
// after them the awkward ones.
func (s *state) seedContacts(count int) {
	if count == 0 {
		return
	}
	for i := range count {
		s.add(s.person(i))
	}
	s.seedAwkward(count)
}

func (s *state) add(c *contact) *contact {
	c.env = s.env
	s.contacts[c.id] = c
	if c.updated.After(s.lastStamp) {
		s.lastStamp = c.updated
	}
	return c
}

// item makes an entry of a list, with an id of its own.
func (s *state) item(tag, key, value string, more ...any) *kit.Object {
	o := kit.Pairs("id", s.newGUID(), "tag", tag)
	if strings.HasPrefix(value, "+44") {
		o.Set("countryCode", "GB")
	} else if key == "phone" && strings.HasPrefix(value, "+1") {
		o.Set("countryCode", "US")
	}
	o.Set(key, value)
	if full, _ := international(value, o.Text("countryCode")); full != "" {
		o.Set("e164Phone", full)
	}
	for i := 0; i < len(more); i += 2 {
		o.Set(more[i].(string), more[i+1])
	}
	return o
}

// person is the i-th made-up person in Wix's form. From the tenth on some lack
// things or hold text that careless programs trip over.
func (s *state) person(i int) *contact {
	p := kit.PersonAt(i)
	emails := []any{s.item("WORK", "email", p.Email, "primary", true)}
	if i%5 == 1 {
		emails = append(emails, s.item("HOME", "email", fmt.Sprintf("home%d@example.com", i+1)))
	}
	phones := []any{s.item("WORK", "phone", p.Phone, "primary", true)}
	if i%2 == 1 {
		phones = append(phones, s.item("MOBILE", "phone", p.Mobile))
	}
	address := kit.Pairs("addressLine", p.Street, "city", p.City, "subdivision", p.Region, "country", p.CountryCode, "postalCode", p.Postcode)
	if i%4 == 3 {
		address.Set("addressLine2", "Floor 2")
	}
	fields := kit.Pairs("custom.shoe-size", fmt.Sprint(36+i%12), "custom.loyalty-points-1", json.Number(fmt.Sprintf("%d.5", i*10)))
	if i%2 == 0 {
		fields.Set("custom.first-purchase-7c1e", p.Created.Format(time.DateOnly))
		fields.Set("custom.website", fmt.Sprintf("https://www%d.example.com/a?b=c&d", i))
	}
	var labels []string
	for _, tag := range p.Tags {
		labels = append(labels, "custom."+tag)
	}
	info := kit.Pairs(
		"name", kit.Pairs("first", p.First, "last", p.Last),
		"emails", emails, "phones", phones,
		"addresses", []any{kit.Pairs("id", s.newGUID(), "tag", "WORK", "address", address)},
		"company", p.Company, "jobTitle", p.JobTitle,
		"birthdate", fmt.Sprintf("%04d-%02d-15", p.BirthYear, p.BirthMonth),
		"locale", map[string]string{"GB": "en-GB", "NO": "nb-NO", "IE": "en-IE", "US": "en-US"}[p.CountryCode],
		"labelKeys", labels, "extendedFields", fields,
	)
	if i >= 10 {
		s.vary(info, i)
	}
	return &contact{
		id: seedID(i), revision: int64(i % 5), created: p.Created, updated: p.Updated, activity: p.Created,
		source: kit.Pairs("sourceType", "ADMIN"), info: tidy(info),
		subscription:   []string{"NOT_SET", "SUBSCRIBED", "UNSUBSCRIBED", "PENDING"}[i%4],
		deliverability: []string{"NOT_SET", "VALID"}[i%2],
	}
}

// vary makes seven of every ten contacts less than plain.
func (s *state) vary(info *kit.Object, i int) {
	name := info.Get("name").(*kit.Object)
	without := func(keys ...string) {
		for _, key := range keys {
			info.Delete(key)
		}
	}
	switch i % 10 {
	case 0: // a name and nothing else
		without(infoKeys[1:]...)
	case 1: // a first name and a phone
		name.Delete("last")
		without("emails", "addresses", "company", "jobTitle", "birthdate", "locale", "labelKeys", "extendedFields")
	case 2: // an email and nothing else
		without("name", "phones", "addresses", "company", "jobTitle", "birthdate", "locale", "labelKeys", "extendedFields")
	case 3: // hostile text
		info.Set("company", "O'Brien & \"Sons\" </script><b>")
		info.Set("jobTitle", "Line one\nline two\t\\ {{x}} %s")
		info.Set("labelKeys", []string{"custom.k-ln-a-b", "contacts.contacted-me"})
	case 4: // beyond ASCII
		info.Set("name", kit.Pairs("first", "Žofie 李", "last", "Łąkowa-Ñandú 🦜"))
		info.Set("extendedFields", kit.Pairs("custom.shoe-size", "مقاس 38", "invoices.vatId", "CZ12345678"))
	case 5: // the other form of a street, a bare state, a picture
		info.Set("addresses", []any{kit.Pairs("id", s.newGUID(), "tag", "SHIPPING", "address", kit.Pairs(
			"streetAddress", kit.Pairs("number", "77", "name", "Example Ave"), "city", "Buffalo", "subdivision", "NY", "country", "US", "postalCode", "14201"))})
		info.Set("picture", kit.Pairs("image", kit.Pairs("id", fmt.Sprintf("emulator_%d.png", i), "url", "https://static.example.com/p.png", "height", 100, "width", 100)))
	case 6: // a phone without a country, an untagged email, no labels
		info.Set("phones", []any{kit.Pairs("id", s.newGUID(), "tag", "UNTAGGED", "phone", "555 0100 ext. 7", "primary", true)})
		info.Get("emails").([]any)[0].(*kit.Object).Set("tag", "UNTAGGED")
		without("labelKeys")
	}
}

// seedAwkward makes what cannot be deleted, and ids that lead elsewhere.
func (s *state) seedAwkward(after int) {
	add := func(id, first, last, mail string) *contact {
		after++
		at := kit.Epoch.Add(time.Duration(after-1) * 26 * time.Hour)
		return s.add(&contact{
			id: id, revision: 4, created: at, updated: at.Add(time.Hour), activity: at,
			source: kit.Pairs("sourceType", "WIX_SITE_MEMBERS"), subscription: "NOT_SET", deliverability: "NOT_SET",
			info: tidy(kit.Pairs("name", kit.Pairs("first", first, "last", last), "emails", []any{s.item("MAIN", "email", mail, "primary", true)})),
		})
	}
	member := add(memberContactID, "Maud", "Member", "maud.member@example.com")
	member.member, member.login = true, "maud.member@example.com"
	add(subscriberID, "Sid", "Subscriber", "sid.subscriber@example.com").billing = true
	owner := add(ownerContactID, "Olga", "Owner", "olga.owner@example.com")
	owner.member, owner.user, owner.login = true, true, "olga.owner@example.com"
	add(mergeTargetID, "Tess", "Target", "tess.target@example.com")
	s.merged[mergedAwayID] = mergeTargetID
	s.deleted[deletedID] = true
}
