package emulator

import (
	"net/http"
	"slices"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// contact is a person or an organisation in the state.
type contact struct {
	item
	id int64
	// made and gone are when this run created and deleted it, for lists that
	// lag behind; zero for never.
	made, gone time.Time
}

// contactKeys are the keys of every contact, in order. All are always there.
var contactKeys = []string{
	"id", "creator_id", "owner_id", "is_organization", "contact_id", "parent_organization_id",
	"name", "first_name", "last_name", "customer_status", "prospect_status", "title",
	"description", "industry", "website", "email", "phone", "mobile", "fax",
	"twitter", "facebook", "linkedin", "skype",
	"address", "billing_address", "shipping_address", "tags", "custom_fields",
	"created_at", "updated_at",
}

// blankContact returns a record with the vendor's empty values.
func blankContact() *kit.Object {
	o := &kit.Object{}
	for _, key := range contactKeys {
		o.Set(key, nil)
	}
	o.Set("is_organization", false)
	o.Set("customer_status", "none")
	o.Set("prospect_status", "none")
	o.Set("tags", []any{})
	o.Set("custom_fields", &kit.Object{})
	return o
}

func (v *vendor) contactsList(c *call) reply { return v.list(c, v.contactListAt(c.now)) }

func (v *vendor) contactGet(c *call) reply {
	found, refusal := v.contactAt(c)
	if refusal != nil {
		return *refusal
	}
	return single(v.renderContact(found.item))
}

func (v *vendor) contactCreate(c *call) reply {
	attrs, refusal := v.payload(c)
	if refusal != nil {
		return *refusal
	}
	return v.create(c, attrs)
}

func (v *vendor) create(c *call, attrs *kit.Object) reply {
	changes, problems := v.validate(attrs, nil)
	if len(problems) > 0 {
		return refuse(http.StatusUnprocessableEntity, problems...)
	}
	id := v.state.newID()
	record := blankContact()
	record.Set("id", id)
	record.Set("creator_id", ownUserID)
	record.Set("owner_id", ownUserID)
	created := c.now.Truncate(time.Second)
	record.Set("created_at", stamp(created))
	if v.env.Switch("fresh_stamps") == "apart" {
		created = created.Add(time.Second)
	}
	record.Set("updated_at", stamp(created))
	v.apply(record, changes, c.now)
	made := &contact{item: item{data: record, version: 1}, id: id, made: c.now}
	v.state.insert(made)
	return single(v.renderContact(made.item))
}

func (v *vendor) contactUpdate(c *call) reply {
	found, refusal := v.contactAt(c)
	if refusal != nil {
		return *refusal
	}
	attrs, refusal := v.payload(c)
	if refusal != nil {
		return *refusal
	}
	return v.update(c, found, attrs)
}

func (v *vendor) update(c *call, found *contact, attrs *kit.Object) reply {
	changes, problems := v.validate(attrs, found.data)
	if len(problems) > 0 {
		return refuse(http.StatusUnprocessableEntity, problems...)
	}
	v.apply(found.data, changes, c.now)
	found.touch(c.now)
	return single(v.renderContact(found.item))
}

func (v *vendor) contactDelete(c *call) reply {
	found, refusal := v.contactAt(c)
	if refusal != nil {
		id, _, ok := c.pathID()
		if ok && v.state.gone[id] != nil && v.env.Switch("second_delete") == "204" {
			return reply{status: http.StatusNoContent}
		}
		return *refusal
	}
	v.remove(found, c.now)
	return reply{status: http.StatusNoContent}
}

// remove deletes a contact and, for an organisation, does to those that name
// it what the switch says.
func (v *vendor) remove(found *contact, now time.Time) {
	id := found.id
	found.gone = now
	v.state.drop(found)
	mode := v.env.Switch("organization_delete")
	if found.data.Get("is_organization") != true || mode == "keep" {
		return
	}
	for _, other := range slices.Clone(v.state.order) {
		if mode == "cascade" && other.data.Get("contact_id") == id {
			v.remove(other, now)
			continue
		}
		touched := false
		for _, key := range []string{"contact_id", "parent_organization_id"} {
			if other.data.Get(key) == id {
				other.data.Set(key, nil)
				touched = true
			}
		}
		if touched {
			other.touch(now)
		}
	}
}

func (v *vendor) contactUpsert(c *call) reply {
	list := v.contactListAt(c.now)
	filtered := false
	for name := range c.query {
		filtered = filtered || (name != "inclusive" && name != "includes")
	}
	if !filtered {
		return invalidParam("an upsert needs at least one filter")
	}
	matches, refusal := list.matching(c.query)
	if refusal != nil {
		return *refusal
	}
	attrs, refusal := v.payload(c)
	if refusal != nil {
		return *refusal
	}
	// A list that lags may still hold what is deleted.
	matches = slices.DeleteFunc(matches, func(it item) bool { return v.state.contacts[it.data.Get("id").(int64)] == nil })
	if len(matches) == 0 {
		return v.create(c, attrs)
	}
	if len(matches) > 1 && v.env.Switch("upsert_several") == "refused" {
		return refuse(http.StatusUnprocessableEntity, problem{code: "incorrect_payload", details: "several contacts match"})
	}
	return v.update(c, v.state.contacts[matches[0].data.Get("id").(int64)], attrs)
}

// contactAt finds the contact that the path names.
func (v *vendor) contactAt(c *call) (*contact, *reply) {
	id, text, ok := c.pathID()
	if !ok {
		re := v.malformedID("contact", text)
		return nil, &re
	}
	found := v.state.contacts[id]
	if found == nil {
		re := notFound("contact", text)
		return nil, &re
	}
	return found, nil
}

// renderContact returns a copy of the record as the vendor shows it.
func (v *vendor) renderContact(it item) (data, meta *kit.Object) {
	data = it.data.Clone()
	data.Set("custom_fields", v.renderCustomFields(data.Get("custom_fields").(*kit.Object)))
	meta = kit.Pairs("type", "contact")
	if v.env.Switch("meta_version") == "present" {
		meta.Set("version", it.version)
	}
	return data, meta
}

// touch moves the record's stamp and version with a write. Stamps have whole
// seconds, so that a quick second write has to move into the future.
func (it *contact) touch(now time.Time) {
	now = now.Truncate(time.Second)
	if before, err := time.Parse(time.RFC3339, it.data.Text("updated_at")); err == nil && !now.After(before) {
		now = before.Add(time.Second)
	}
	it.data.Set("updated_at", stamp(now))
	it.version++
}

// stamp writes a time as the vendor does: UTC, no fraction.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }
