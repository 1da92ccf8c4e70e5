package emulator

import (
	"slices"
	"strings"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// contact is one contact. What it shares with others is never changed in
// place: info is replaced as a whole.
type contact struct {
	env              *kit.Env
	id               string
	revision         int64
	created, updated time.Time
	activity         time.Time
	source           *kit.Object
	info             *kit.Object

	subscription   string // of the primary email, whichever that is
	deliverability string

	member  bool   // a site member
	login   string // a member's login email
	user    bool   // an owner or contributor of the site
	billing bool   // holds a valid billing subscription

	write       int // number of the write that created it
	visibleFrom int // number of the first list or query that shows it
}

// stamp is the vendor's form of a time.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// render gives the contact's wire form, derived parts included.
func (c *contact) render() *kit.Object {
	out := kit.Pairs(
		"id", c.id,
		"revision", c.revision,
		"source", c.source,
		"createdDate", stamp(c.created),
		"updatedDate", stamp(c.updated),
		"lastActivity", kit.Pairs("activityDate", stamp(c.activity), "activityType", "CONTACT_CREATED"),
	)
	email, phone := primaryOf(c.info, "emails"), primaryOf(c.info, "phones")
	primary := kit.Pairs()
	if email != nil {
		primary.Set("email", email.Text("email"))
	}
	if phone != nil {
		primary.Set("phone", phone.Text("phone"))
	}
	if primary.Len() > 0 {
		out.Set("primaryInfo", primary)
	}
	if email != nil {
		out.Set("primaryEmail", kit.Pairs("email", email.Text("email"), "subscriptionStatus", c.subscription, "deliverabilityStatus", c.deliverability))
	}
	if phone != nil {
		out.Set("primaryPhone", renderPhone(phone))
	}
	info := c.info.Clone()
	if fields := c.renderFields(email); fields.Len() > 0 {
		info.Set("extendedFields", kit.Pairs("items", fields))
	}
	for _, key := range []string{"emails", "phones", "addresses", "labelKeys"} {
		if list, ok := info.Lookup(key); ok {
			info.Set(key, kit.Pairs("items", list))
		}
	}
	out.Set("info", tidy(info))
	return out
}

func renderPhone(phone *kit.Object) *kit.Object {
	out := kit.Pairs()
	setText(out, "countryCode", phone.Text("countryCode"))
	status := "NO_SUBSCRIPTION_STATUS"
	if full := phone.Text("e164Phone"); full != "" {
		_, formatted := international(phone.Text("phone"), phone.Text("countryCode"))
		out.Set("e164Phone", full)
		setText(out, "formattedPhone", formatted)
		status = "NOT_SET"
	}
	out.Set("phone", phone.Text("phone"))
	out.Set("subscriptionStatus", status)
	return out
}

// renderFields adds the system fields, which follow the rest of the contact.
func (c *contact) renderFields(email *kit.Object) *kit.Object {
	fields := kit.Pairs()
	if stored, ok := c.info.Get("extendedFields").(*kit.Object); ok {
		fields = stored.Clone()
	}
	if c.env.Switch("system_fields") == "none" {
		return fields
	}
	name, _ := c.info.Get("name").(*kit.Object)
	if name != nil {
		fields.Set("contacts.displayByFirstName", strings.TrimSpace(name.Text("first")+" "+name.Text("last")))
	}
	if email != nil {
		fields.Set("emailSubscriptions.subscriptionStatus", c.subscription)
		fields.Set("emailSubscriptions.deliverabilityStatus", c.deliverability)
		fields.Set("emailSubscriptions.effectiveEmail", email.Text("email"))
	}
	if c.member {
		fields.Set("members.membershipStatus", "ACTIVE")
	}
	return fields
}

// sufficient tells whether a contact has what every contact needs one of.
func sufficient(info *kit.Object) bool {
	return info.Has("name") || info.Has("emails") || info.Has("phones")
}

// projection is what an answer shows of a contact; nil shows all of it.
type projection []string

// projectable are the names that fields may hold.
var projectable = []string{
	"id", "revision", "source", "createdDate", "updatedDate", "lastActivity", "primaryInfo", "primaryEmail", "primaryPhone", "info",
	"info.name", "info.emails", "info.phones", "info.addresses", "info.company", "info.jobTitle", "info.picture",
	"info.birthdate", "info.locale", "info.labelKeys", "info.locations", "info.extendedFields",
}

// project reads fields and fieldsets, whose union is shown.
func (c *check) project(fields, fieldsets []string, path string) projection {
	if len(fields) == 0 && len(fieldsets) == 0 {
		return nil
	}
	show := projection{"id", "revision"}
	for _, name := range fields {
		if !slices.Contains(projectable, name) {
			c.unknown = append(c.unknown, join(path, "fields."+name))
		}
		show = append(show, name)
	}
	full := false
	for _, set := range fieldsets {
		switch set {
		case "BASIC":
			show = append(show, "primaryInfo", "info.name")
		case "COMMUNICATION_DETAILS":
			show = append(show, "primaryInfo", "info.name", "info.emails", "info.phones", "info.addresses")
		case "EXTENDED":
			show = append(show, "primaryInfo", "info.name", "info.extendedFields")
		case "FULL":
			full = true
		default:
			c.wrongType("one of BASIC, COMMUNICATION_DETAILS, EXTENDED, FULL", join(path, "fieldsets"))
		}
	}
	if full {
		return nil
	}
	return show
}

func (p projection) of(c *contact) *kit.Object {
	whole := c.render()
	if p == nil {
		return whole
	}
	out := kit.Pairs()
	for _, key := range whole.Keys() {
		if slices.Contains(p, key) {
			out.Set(key, whole.Get(key))
			continue
		}
		if key != "info" {
			continue
		}
		all, part := whole.Get("info").(*kit.Object), kit.Pairs()
		for _, inner := range all.Keys() {
			if slices.Contains(p, "info."+inner) {
				part.Set(inner, all.Get(inner))
			}
		}
		if part.Len() > 0 {
			out.Set("info", part)
		}
	}
	return out
}
