package emulator

import (
	"strconv"
	"strings"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// Where the seeded ids begin.
const (
	firstPersonID       = int64(400001)
	firstTagID          = int64(700001)
	firstOrganizationID = int64(900001)
)

// seeded makes the state that an emulator begins with: n plain persons and,
// unless there are none, the awkward records. Users, companies and tags are
// always there.
func seeded(n int) *state {
	s := &state{
		contacts: map[int64]*contact{}, gone: map[int64]*contact{},
		users: seedUsers(), tags: map[int64]*kit.Object{}, nextID: firstNewID,
		holders: map[string]*holder{
			personalToken: newHolder(personalToken, allScopes, time.Time{}),
			readOnlyToken: newHolder(readOnlyToken, "read", time.Time{}),
		},
		refreshTokens: map[string]bool{firstRefreshToken: true},
		code:          firstCode,
	}
	for i, tag := range []struct{ name, resource string }{
		{"vip", "contact"}, {"newsletter", "contact"}, {"partner", "contact"}, {"vip", "deal"},
	} {
		id := firstTagID + int64(i)
		s.tags[id] = newTag(id, tag.name, tag.resource, kit.Epoch)
	}
	for i, name := range kit.Companies() {
		s.seedCompany(i, name)
	}
	for i := range n {
		s.seedPerson(i)
	}
	if n > 0 {
		s.seedAwkward()
	}
	return s
}

func seedUsers() []*kit.Object {
	user := func(id int64, name, role, status string, reportsTo, deletedAt any) *kit.Object {
		return kit.Pairs(
			"id", id,
			"name", name,
			"email", strings.ToLower(strings.ReplaceAll(name, " ", "."))+"@example.com",
			"status", status,
			"invited", true,
			"confirmed", status == "active",
			"phone_number", "+1 202 555 "+leftPad(int(id), 4),
			"role", role,
			"roles", []any{},
			"team_name", "North",
			"group", kit.Pairs("id", int64(1), "name", "Sales"),
			"reports_to", reportsTo,
			"timezone", "UTC+01:00",
			"zendesk_user_id", "36000000000"+strconv.FormatInt(id, 10),
			"identity_type", "person",
			"created_at", stamp(kit.Epoch),
			"updated_at", stamp(kit.Epoch.Add(time.Hour)),
			"deleted_at", deletedAt,
		)
	}
	integration := user(11, "Import Robot", "user", "active", nil, nil)
	integration.Set("identity_type", "integration")
	integration.Set("group", nil)
	integration.Set("team_name", nil)
	return []*kit.Object{
		user(7, "Marta Bell", "admin", "active", nil, nil),
		user(8, "Tomas Reed", "user", "active", ownUserID, nil),
		user(9, "Ivy Stone", "user", "inactive", ownUserID, nil),
		user(10, "Paul Gone", "user", "inactive", nil, stamp(kit.Epoch.Add(48*time.Hour))),
		integration,
	}
}

// add puts a record into the state. Its version is made up from its id, since
// recorded ones differ from record to record.
func (s *state) add(id int64, o *kit.Object, created, updated time.Time) *kit.Object {
	o.Set("id", id)
	o.Set("creator_id", ownUserID)
	if o.Get("owner_id") == nil {
		o.Set("owner_id", ownUserID)
	}
	o.Set("created_at", stamp(created))
	o.Set("updated_at", stamp(updated))
	s.insert(&contact{item: item{data: o, version: 2 + int(id%3)}, id: id})
	return o
}

func (s *state) seedCompany(i int, name string) {
	p := kit.PersonAt(i)
	o := blankContact()
	o.Set("is_organization", true)
	o.Set("name", name)
	o.Set("website", "https://company"+strconv.Itoa(i+1)+".example.com")
	o.Set("industry", "Manufacturing")
	o.Set("email", "office"+strconv.Itoa(i+1)+"@example.com")
	o.Set("phone", "+1 202 555 "+leftPad(10+i, 4))
	o.Set("address", seedAddress(p))
	created := kit.Epoch.Add(-time.Duration(i+1) * time.Hour)
	s.add(firstOrganizationID+int64(i), o, created, created.Add(time.Minute))
}

// seedPerson makes the i-th plain person. From the eleventh on some are sparse
// and some carry text that breaks what handles it carelessly.
func (s *state) seedPerson(i int) {
	p := kit.PersonAt(i)
	o := blankContact()
	switch {
	case i >= 10 && i%7 == 3:
		o.Set("last_name", p.Last)
	case i >= 10 && i%7 == 5:
		s.fullPerson(o, p, i)
		hostile := hostileTexts[(i/7)%len(hostileTexts)]
		o.Set("first_name", hostile)
		o.Set("description", "first line\nsecond line\t\""+hostile+"\"")
		o.Set("custom_fields", kit.Pairs("field.with.dots", hostile, "Größe", "straße & sons"))
	default:
		s.fullPerson(o, p, i)
	}
	o.Set("name", strings.TrimSpace(o.Text("first_name")+" "+o.Text("last_name")))
	s.add(firstPersonID+int64(i), o, p.Created, p.Updated)
}

var hostileTexts = []string{
	`Zoë "Zed" O'Néill`,
	`</script><script>alert(1)</script>`,
	"שלום \u202e 名前 🦊",
	`back\slash %2F ${x} {{y}}`,
}

func (s *state) fullPerson(o *kit.Object, p kit.Person, i int) {
	o.Set("first_name", p.First)
	o.Set("last_name", p.Last)
	o.Set("owner_id", ownUserID+int64(i%2))
	o.Set("contact_id", firstOrganizationID+int64(p.CompanyIndex))
	o.Set("prospect_status", prospectStatuses[i%2])
	o.Set("title", p.JobTitle)
	o.Set("description", "Works at "+p.Company)
	o.Set("industry", "Manufacturing")
	o.Set("website", "https://person"+strconv.Itoa(i+1)+".example.com")
	o.Set("email", p.Email)
	o.Set("phone", p.Phone)
	o.Set("mobile", p.Mobile)
	o.Set("fax", "+1 202 555 0199")
	handle := strings.ToLower(p.First) + strconv.Itoa(i+1)
	for _, network := range []string{"twitter", "facebook", "linkedin", "skype"} {
		o.Set(network, handle)
	}
	o.Set("address", seedAddress(p))
	tags := []any{}
	for _, tag := range p.Tags {
		tags = append(tags, tag)
	}
	if len(tags) == 0 {
		tags = append(tags, "partner")
	}
	o.Set("tags", tags)
	known := contactFields[0].choices
	o.Set("custom_fields", kit.Pairs(
		"Known via", known[i%len(known)],
		"Budget", strconv.Itoa(1000+i)+".50",
		"Newsletter", i%2 == 0,
		"Interests", []any{"Paper", "Looms, used"},
		"Renewal date", p.Created.AddDate(1, 0, 0).Format("2006-01-02"),
		"Last visit", stamp(p.Updated),
	))
}

func seedAddress(p kit.Person) *kit.Object {
	return kit.Pairs("line1", p.Street, "city", p.City, "postal_code", p.Postcode, "state", p.Region, "country", p.CountryCode)
}
