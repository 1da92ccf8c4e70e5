package emulator

import (
	"slices"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// shownIncludes change an answer; acceptedIncludes are plausible, were never
// seen on the wire, and change nothing here.
var (
	shownIncludes    = []string{"sales_accounts", "owner", "creater", "contact_status", "appointments", "notes"}
	acceptedIncludes = []string{"source", "updater", "deals", "tasks", "campaign", "territory"}
)

// includes reads include=. Without it a contact shows neither its owner nor
// its accounts.
func (i *instance) includes(in *request) ([]string, *failure) {
	list := words(in.query.Get("include"))
	if i.env.Switch("unknown_query_value") == "400" {
		for _, word := range list {
			if !slices.Contains(shownIncludes, word) && !slices.Contains(acceptedIncludes, word) {
				return nil, invalid("include is invalid")
			}
		}
	}
	return list, nil
}

// writeIncludes reads include= of a create, an update or a clone.
func (i *instance) writeIncludes(in *request) ([]string, *failure) {
	if i.env.Switch("write_include") == "ignored" {
		return nil, nil
	}
	return i.includes(in)
}

// show renders a contact with what include asks for.
func (i *instance) show(c *contact, include []string) *kit.Object {
	record := c.record.Clone()
	if i.env.Switch("phone_numbers_items") == "strings" {
		phones := []any{}
		for _, item := range record.Get("phone_numbers").([]any) {
			phones = append(phones, item.(*kit.Object).Get("value"))
		}
		record.Set("phone_numbers", phones)
	}
	for _, word := range include {
		switch word {
		case "owner":
			record.Set("owner_id", orNull(c.owner))
		case "creater":
			record.Set("creater_id", orNull(c.creater))
		case "contact_status":
			record.Set("contact_status_id", orNull(c.status))
			record.Set("lifecycle_stage_id", orNull(c.stage))
		case "appointments":
			record.Set("appointment_ids", []any{})
		case "sales_accounts":
			links := []any{}
			for _, link := range c.accounts {
				a, known := i.accountByID(link.id)
				if !known {
					continue
				}
				links = append(links, kit.Pairs("partial", true, "id", number(a.id), "name", a.record.Get("name"),
					"avatar", a.record.Get("avatar"), "website", a.record.Get("website"),
					"last_contacted", a.record.Get("last_contacted"), "record_type_id", accountRecordType,
					"is_primary", link.primary))
			}
			record.Set("sales_accounts", links)
		}
	}
	return record
}

// showOne is the envelope of one contact: {"contact": {...}} and the included
// objects beside it.
func (i *instance) showOne(c *contact, include []string) *kit.Object {
	body := kit.Pairs("contact", i.show(c, include))
	i.sideload(body, []*contact{c}, include)
	return body
}

// showMany is the envelope of a list.
func (i *instance) showMany(all []*contact, include []string, meta *kit.Object) *kit.Object {
	list := []any{}
	for _, c := range all {
		list = append(list, i.show(c, include))
	}
	body := kit.Pairs("contacts", list)
	i.sideload(body, all, include)
	body.Set("meta", meta)
	return body
}

// sideload puts the included objects beside the records, each once.
func (i *instance) sideload(body *kit.Object, all []*contact, include []string) {
	add := func(key string, object *kit.Object) {
		list, _ := body.Get(key).([]any)
		for _, item := range list {
			if item.(*kit.Object).Get("id") == object.Get("id") {
				return
			}
		}
		body.Set(key, append(list, object.Clone()))
	}
	open := func(keys ...string) {
		for _, key := range keys {
			if !body.Has(key) {
				body.Set(key, []any{})
			}
		}
	}
	for _, word := range include {
		switch word {
		case "owner", "creater":
			open("users")
			for _, c := range all {
				id := c.owner
				if word == "creater" {
					id = c.creater
				}
				if user, known := i.userByID(id); known {
					add("users", user)
				}
			}
		case "contact_status":
			open("contact_status")
			for _, c := range all {
				for _, s := range statuses() {
					if s.Get("id") == number(c.status) {
						add("contact_status", s)
					}
				}
			}
		case "appointments":
			open("appointments", "outcomes")
		case "notes":
			open("notes")
			for _, c := range all {
				for _, n := range i.notes {
					if n.about("Contact", c.id) {
						add("notes", n.record)
					}
				}
			}
		}
	}
}
