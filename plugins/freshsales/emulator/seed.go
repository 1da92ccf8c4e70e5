package emulator

import (
	"fmt"
	"strings"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// seed fills an empty state: users, accounts and lists always, contacts by
// Env.Seed, the awkward ones last. Every run gives the same records.
func (i *instance) seed() {
	i.seedUsers()
	i.seedAccounts()
	i.lists = []list{{id: 70000053624, name: "Sample list"}, {id: 70000056575, name: "Nobody yet"}}
	for n := range i.env.Seed {
		i.seedPerson(n)
	}
	if i.env.Seed > 0 {
		first := i.contacts[0]
		i.addNote("Contact", first.id, "Met at the fair", first.record.Text("created_at"))
		for _, c := range i.contacts[:min(5, len(i.contacts))] {
			i.lists[0].members = append(i.lists[0].members, c.id)
		}
		i.seedAwkward()
	}
	for _, c := range i.contacts {
		if t, err := time.Parse(time.RFC3339, c.record.Text("updated_at")); err == nil && t.After(i.stamp) {
			i.stamp = t
		}
	}
}

func (i *instance) seedUsers() {
	for n, name := range []string{"Nora Owner", "Omar Owner", "Pia Owner"} {
		i.users = append(i.users, kit.Pairs("id", number(ownerIDs[n]), "display_name", name,
			"email", fmt.Sprintf("owner%d@example.com", n+1), "is_active", n < 2, "work_number", nil, "mobile_number", nil))
	}
}

// seedAccounts makes the companies that people work for, more of them up to
// the ten that one contact may have, and one in the recycle bin.
func (i *instance) seedAccounts() {
	names := kit.Companies()
	for n := len(names); n < 10; n++ {
		names = append(names, fmt.Sprintf("Subsidiary %d", n-3))
	}
	names = append(names, "Sunken Ventures")
	for n, name := range names {
		stamp := stampOf(kit.Epoch.Add(time.Duration(n-20) * time.Hour))
		a := i.newAccount(stamp)
		place := kit.PersonAt(n)
		set(a.record, "name", name, "address", place.Street, "city", place.City, "zipcode", place.Postcode, "country", place.Country,
			"owner_id", number(ownerIDs[n%2]), "website", strings.ReplaceAll(strings.ToLower(strings.Fields(name)[0]), "&", "")+".example.com")
		if n%3 == 0 {
			set(a.record, "number_of_employees", number(11), "annual_revenue", number(1000), "phone", place.Phone)
		}
		a.record.Get("custom_field").(*kit.Object).Set("cf_tier", []any{"gold", "silver", nil}[n%3])
		a.record.Set("is_deleted", name == "Sunken Ventures")
		i.accounts = append(i.accounts, a)
	}
}

// seedPerson makes the n-th made-up person. The first ten are full and plain;
// after them every ten bring the same varieties.
func (i *instance) seedPerson(n int) {
	p := kit.PersonAt(n)
	c := i.newContact(stampOf(p.Created))
	set(c.record, "first_name", p.First, "last_name", p.Last, "job_title", p.JobTitle, "address", p.Street, "city", p.City,
		"state", p.Region, "zipcode", p.Postcode, "country", p.Country, "work_number", p.Phone, "mobile_number", p.Mobile,
		"emails", []any{i.primaryEmail(p.Email)}, "tags", texts(p.Tags), "updated_at", stampOf(p.Updated),
		"lead_score", number(int64(n*7%100)), "customer_fit", number(int64(n%3)),
		"open_deals_amount", "0.0", "open_deals_count", number(0), "last_assigned_at", stampOf(p.Created),
		"last_contacted", stampOf(p.Updated.Add(-30*time.Minute)), "last_contacted_mode", "Email Opened",
		"external_id", fmt.Sprintf("ext-%d", n+1))
	set(c.record.Get("custom_field").(*kit.Object), "cf_region", []string{"EMEA", "APAC", "AMER"}[n%3], "cf_is_active", n%2 == 0,
		"cf_no-go_types", "calls;letters", "cf_badge_number", number(int64(1000+n)), "cf_renewal_date", p.Created.Format(time.DateOnly))
	c.owner = ownerIDs[n%2]
	c.accounts = []accountLink{{id: i.accounts[p.CompanyIndex].id, primary: true}}
	if n >= 10 {
		i.vary(c, n)
	}
	c.settle()
	i.contacts = append(i.contacts, c)
}

func (i *instance) vary(c *contact, n int) {
	r := c.record
	switch n % 10 {
	case 1: // nothing but a name and an address
		for _, key := range []string{"job_title", "address", "city", "state", "zipcode", "country", "work_number", "mobile_number", "last_contacted", "last_contacted_mode", "external_id", "open_deals_amount", "open_deals_count"} {
			r.Set(key, nil)
		}
		set(r, "tags", []any{}, "custom_field", emptyCustomFields(contactCustomFields))
	case 2: // the display name is the e-mail address
		set(r, "first_name", nil, "last_name", nil)
	case 3: // a mobile number and no e-mail address
		set(r, "emails", []any{}, "mobile_number", fmt.Sprintf("19265550%03d", n%1000))
	case 4: // text that breaks careless escaping
		set(r, "first_name", "Zoë \"Żółw\" <b>", "last_name", "O'Brien</script>\n🦆", "address", "Line one\nLine two, \\ 日本", "tags", []any{"ünïcode", "a;b", "\"quoted\""})
		r.Get("custom_field").(*kit.Object).Set("cf_remarks", "first\r\nsecond\t<script>alert(1)</script>")
	case 5: // two addresses, two accounts
		set(r, "emails", append(r.Get("emails").([]any), i.newEmail(fmt.Sprintf("second%d@example.com", n+1))), "work_email", fmt.Sprintf("work%d@example.com", n+1))
		other := i.accounts[(n+1)%4].id
		if other != c.accounts[0].id {
			c.accounts = append(c.accounts, accountLink{id: other})
		}
	case 6: // more numbers than the two slots
		set(r, "work_number", "(368) 555-0100", "mobile_number", "1-926-555-0111", "phone_numbers", []any{
			kit.Pairs("id", number(i.newID("phone")), "value", "+254 20 555 0199", "label", "Home", "_destroy", false),
		})
	case 7: // nobody's, of no company
		c.owner, c.accounts = 0, nil
		r.Set("last_assigned_at", nil)
	case 8: // deals
		set(r, "open_deals_amount", "7700.0", "open_deals_count", number(2), "won_deals_amount", "11000.0", "won_deals_count", number(4))
	}
}

// seedAwkward makes the contacts that the README names, in this order.
func (i *instance) seedAwkward() {
	after := kit.PersonAt(i.env.Seed - 1).Created
	add := func(first, last, email string, change func(c *contact)) {
		after = after.Add(time.Hour)
		c := i.newContact(stampOf(after))
		set(c.record, "first_name", first, "last_name", last)
		if email != "" {
			c.record.Set("emails", []any{i.primaryEmail(email)})
		}
		change(c)
		c.settle()
		i.contacts = append(i.contacts, c)
	}
	add("Tenfold", "Marlowe", "tenfold@example.com", func(c *contact) {
		for n := range 10 {
			c.accounts = append(c.accounts, accountLink{id: i.accounts[n].id, primary: n == 9})
		}
	})
	add("Upper", "Case", "Upper.Case@EXAMPLE.com", func(c *contact) {
		fields := c.record.Get("custom_field").(*kit.Object)
		fields.Set("cf_badge_number", number(9007199254740993))
		fields.Set("cf_no-go_types", "calls;letters;visits")
	})
	add("", "", "", func(c *contact) {
		set(c.record, "first_name", nil, "last_name", nil, "mobile_number", "+44 7700 900999")
	})
	add("Binned", "Tanaka", "binned@example.com", func(c *contact) {
		c.accounts = []accountLink{{id: i.accounts[0].id, primary: true}}
		c.record.Set("is_deleted", true)
	})
	// Its address is that of a living contact.
	add("Binned", "Twin", kit.PersonAt(0).Email, func(c *contact) { c.record.Set("is_deleted", true) })
}

func (i *instance) primaryEmail(address string) *kit.Object {
	e := i.newEmail(address)
	e.Set("is_primary", true)
	return e
}

func texts(list []string) []any {
	out := []any{}
	for _, text := range list {
		out = append(out, text)
	}
	return out
}
