package emulator

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// seed makes the tenant anew: users, field definitions and companies always,
// end users as many as the environment asks for. The caller holds mu.
func (p *planhat) seed() {
	p.lastStamp, p.lastID = time.Time{}, 0
	p.collections = map[string]*collection{
		"endusers": p.endusers(), "companies": p.companies(), "users": p.users(), "customfields": p.customfields(),
	}
	p.seedUsers()
	p.seedCustomFields()
	p.seedCompanies()
	for i := range p.env.Seed {
		p.addSeeded(plainEnduser(i))
	}
	if p.env.Seed > 0 {
		p.seedAwkward()
	}
	p.lastID = p.env.Seed
}

// addSeeded adds an end user and keeps later stamps behind its own.
func (p *planhat) addSeeded(record *kit.Object) {
	p.collections["endusers"].add(record)
	if at, ok := parseTime(record.Get("updatedAt")); ok && at.After(p.lastStamp) {
		p.lastStamp = at
	}
}

// fixedID is the id of a seeded record other than a plain end user: class
// tells users (39), companies (38) and custom fields (3a) apart.
func fixedID(class string, n int) string {
	return fmt.Sprintf("64b0c1d2%s%s%04x", idMiddle, class, n)
}

func (p *planhat) seedUsers() {
	for i, user := range []struct {
		nick, last string
		inactive   bool
		roles      []any
	}{
		{"Ida", "Marlowe", false, []any{kit.Pairs("_id", "000000000000000000000001", "name", "Administrator")}},
		{"Jonas", "Novak", false, []any{"000000000000000000000002"}}, // roles are ids or objects
		{"Klara", "Okafor", true, []any{}},
	} {
		p.collections["users"].add(kit.Pairs(
			"_id", fixedID("39", i+1), "email", strings.ToLower(user.nick)+"@example.com", "nickName", user.nick,
			"firstName", user.nick, "lastName", user.last, "inactive", user.inactive, "roles", user.roles,
			"createDate", formatTime(kit.Epoch), "__v", 0))
	}
}

func (p *planhat) seedCustomFields() {
	for i, field := range []struct {
		name, kind, parent string
		values             []any
	}{
		{"Seniority", "list", "enduser", []any{"Exec", "Manager", "Staff"}},
		{"Renewal contact", "checkbox", "enduser", []any{}},
		{"Score", "number", "enduser", []any{}},
		{"Interests", "multipicklist", "enduser", []any{"Looms", "Ink", "Harbours"}},
		{"Signed on", "day", "enduser", []any{}},
		{"Region", "text", "company", []any{}},
		{"Days as contact", "number", "enduser", []any{}},
	} {
		p.collections["customfields"].add(kit.Pairs(
			"_id", fixedID("3a", i+1), "name", field.name, "type", field.kind, "parent", field.parent, "isHidden", false,
			"listValues", field.values, "isFormula", field.name == "Days as contact", "isLocked", false, "isMandatory", false, "__v", 0))
	}
}

func (p *planhat) seedCompanies() {
	statuses := []string{"customer", "customer", "prospect", "canceled"}
	for i, name := range kit.Companies() {
		domains := []any{slug(name) + ".example"}
		if i == 0 {
			// Whoever writes an end user at these domains without a company
			// gets this one.
			domains = append(domains, "example.com", "example.test")
		}
		p.collections["companies"].add(kit.Pairs(
			"_id", fixedID("38", i+1), "name", name, "slug", slug(name), "owner", fixedID("39", i%2+1), "coOwner", fixedID("39", (i+1)%2+1),
			"externalId", fmt.Sprintf("c-%d", i+1), "sourceId", fmt.Sprintf("001XX%07d", i+1), "phase", "Adoption", "status", statuses[i%len(statuses)],
			"domains", domains, "tags", []any{"key account"}, "h", 7, "mrr", 1250,
			"customerFrom", formatTime(kit.Epoch), "customerTo", formatTime(kit.Epoch.AddDate(3, 0, 0)), "lastTouch", formatTime(kit.Epoch.AddDate(0, 1, 0)),
			"custom", kit.Pairs("Region", "EMEA"), "createDate", formatTime(kit.Epoch),
			"lastUpdated", formatTime(kit.Epoch.AddDate(0, 1, i)), "updatedAt", formatTime(kit.Epoch.AddDate(0, 1, i)), "__v", 0))
	}
}

// plainEnduser is the i-th person as an end user. The first ten are full;
// among the later ones some lack fields and some hold hostile text.
func plainEnduser(i int) *kit.Object {
	person := kit.PersonAt(i)
	tags := []any{}
	for _, tag := range person.Tags {
		tags = append(tags, tag)
	}
	record := kit.Pairs(
		"_id", objectIDAt(person.Created, i+1), "email", person.Email, "otherEmails", []any{fmt.Sprintf("contact%d@example.org", i+1)},
		"firstName", person.First, "lastName", person.Last, "name", person.First+" "+person.Last,
		"companyId", fixedID("38", person.CompanyIndex+1), "companyName", person.Company,
		"externalId", fmt.Sprintf("u-%d", i+1), "sourceId", fmt.Sprintf("003XX%07d", i+1), "position", person.JobTitle, "phone", person.Phone,
		"tags", tags)
	prepared := kit.Pairs()
	prepareEnduser(prepared, formatTime(person.Created))
	for _, key := range prepared.Keys() {
		if !record.Has(key) {
			record.Set(key, prepared.Get(key))
		}
	}
	record.Set("featured", i%6 == 0)
	record.Set("primary", i < len(kit.Companies()))
	record.Set("convsTotal", i%7)
	record.Set("custom", kit.Pairs(
		"Seniority", []string{"Exec", "Manager", "Staff"}[i%3], "Renewal contact", i%2 == 0, "Score", json.Number(fmt.Sprintf("%d.5", i)),
		"Interests", []any{"Looms", "Ink"}, "Signed on", formatTime(person.Created.Truncate(24*time.Hour)), "Days as contact", 3*i))
	record.Set("createdAt", formatTime(person.Created.Add(3*time.Millisecond)))
	record.Set("updatedAt", formatTime(person.Updated))
	record.Set("emailMd5", emailHash(person.Email))
	if i%2 == 0 {
		record.Set("lastActive", formatTime(person.Updated))
	}
	if i >= 10 {
		vary(record, i)
	}
	return record
}

// vary takes fields from an end user, or puts text into it that has to survive
// every encoder on its way.
func vary(record *kit.Object, i int) {
	without := func(names ...string) {
		for _, name := range names {
			record.Delete(name)
		}
	}
	named := func(first, last string) {
		record.Set("firstName", first)
		record.Set("lastName", last)
		record.Set("name", first+" "+last)
	}
	switch i % 20 {
	case 11:
		without("firstName", "lastName", "name", "position", "externalId", "sourceId")
	case 13:
		without("email", "emailMd5", "phone", "position", "firstName", "lastName", "name", "externalId", "sourceId", "lastActive")
		record.Set("otherEmails", []any{})
		record.Set("tags", []any{})
		record.Set("custom", &kit.Object{})
	case 15:
		named("Zoë 🧵", "Ødegård-王")
		record.Set("tags", []any{"café", "日本"})
	case 17:
		named(`O"Brien`, `</script><b>\ & 'so on'`)
		record.Set("position", "line one\nline two\ttabbed")
	case 19:
		without("phone", "sharedNotificationsPrefs", "lastName")
		record.Set("name", record.Get("firstName"))
	}
}

// seedAwkward adds the end users that README.md names, after the plain ones
// in every usual order: their ids and dates are later.
func (p *planhat) seedAwkward() {
	quill, harbour := fixedID("38", 1), fixedID("38", 2)
	add := func(n int, email, first string, change func(record *kit.Object)) {
		record := plainEnduser(0)
		at := kit.Epoch.Add(time.Duration(p.env.Seed+n) * 26 * time.Hour)
		record.Set("_id", awkwardID(n))
		record.Set("email", email)
		record.Set("emailMd5", emailHash(email))
		record.Set("otherEmails", []any{})
		record.Set("firstName", first)
		record.Set("lastName", "Awkward")
		record.Set("name", first+" Awkward")
		record.Set("externalId", fmt.Sprintf("awkward-%d", n))
		record.Set("sourceId", fmt.Sprintf("003YY%07d", n))
		record.Set("createDate", formatTime(at))
		record.Set("createdAt", formatTime(at.Add(3*time.Millisecond)))
		record.Set("updatedAt", formatTime(at.Add(time.Hour)))
		change(record)
		p.addSeeded(record)
	}
	add(1, "archived@example.com", "Archived", func(record *kit.Object) { record.Set("archived", true) })
	add(2, "twin@example.com", "Twinone", func(record *kit.Object) { record.Set("companyId", quill) })
	add(3, "twin@example.com", "Twintwo", func(record *kit.Object) {
		record.Set("companyId", harbour)
		record.Set("companyName", kit.Companies()[1])
	})
	add(4, "nocompany@example.com", "Nocompany", func(record *kit.Object) {
		record.Delete("companyId")
		record.Delete("companyName")
	})
	add(5, "gonecompany@example.com", "Gonecompany", func(record *kit.Object) {
		record.Set("companyId", fixedID("38", 0xffff))
		record.Set("companyName", "Gone & Co")
	})
	add(6, "oldname@example.com", "Oldname", func(record *kit.Object) {
		record.Delete("firstName")
		record.Delete("lastName")
	})
	add(7, "oddid@example.com", "Oddid", func(record *kit.Object) { record.Set("externalId", "a/b c%20d?é") })
	add(8, "nocreatedate@example.com", "Nocreatedate", func(record *kit.Object) { record.Delete("createDate") })
	add(9, "oddcustom@example.com", "Oddcustom", func(record *kit.Object) {
		record.Set("custom", kit.Pairs("a.b $c", "dots", "Größe (m²)", json.Number("1.80"), "", "empty name", "nothing", nil, "Big", json.Number("9007199254740993")))
	})
}

// awkwardID sorts after the ids of plain end users and of new ones.
func awkwardID(n int) string { return fmt.Sprintf("7f000000%s3b%04x", idMiddle, n) }
