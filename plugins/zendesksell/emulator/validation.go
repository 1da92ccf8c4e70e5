package emulator

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// validate checks a request's attributes against the record that it changes,
// nil for a new one. It returns what to change, or everything that is wrong.
func (v *vendor) validate(attrs, current *kit.Object) (*kit.Object, []problem) {
	check := &checker{v: v, attrs: attrs, current: current, changes: &kit.Object{}}
	if current != nil {
		check.organization = current.Get("is_organization") == true
	} else {
		check.organization, _ = attrs.Get("is_organization").(bool)
	}
	for _, key := range attrs.Keys() {
		check.attribute(key, attrs.Get(key))
	}
	check.required()
	check.needCustomerOrProspect()
	return check.changes, check.problems
}

type checker struct {
	v              *vendor
	attrs, current *kit.Object
	organization   bool
	changes        *kit.Object
	problems       []problem
}

func (k *checker) refuse(field, code, format string, args ...any) {
	k.problems = append(k.problems, k.v.about("contact", field, code, format, args...))
}

func (k *checker) attribute(key string, value any) {
	field := "/" + key
	if slices.Contains(readOnly, key) {
		if k.v.env.Switch("read_only_attribute") == "refused" {
			k.refuse(field, "unknown", "is not an attribute of contact that can be written")
		}
		return
	}
	attr, ok := writable[key]
	if !ok {
		k.refuse(field, "unknown", "is not an attribute of contact")
		return
	}
	if (attr.whose == personOnly && k.organization) || (attr.whose == organizationOnly && !k.organization) {
		k.wrongKind(key, value)
		return
	}
	switch attr.kind {
	case textKind:
		k.text(key, value)
	case integerKind:
		k.reference(key, value)
	case booleanKind:
		k.kindOfContact(value)
	case enumKind:
		if text, ok := value.(string); ok && slices.Contains(attr.enum, text) {
			k.changes.Set(key, text)
		} else {
			k.refuse(field, "incorrect_value", "must be one of %s", strings.Join(attr.enum, ", "))
		}
	case addressKind:
		k.address(key, value)
	case tagsKind:
		k.tags(value)
	case customKind:
		k.customFields(value)
	}
}

// wrongKind is for a person's attribute on an organisation and the reverse.
// Null is always fine: the vendor's clients send back what they have read.
func (k *checker) wrongKind(key string, value any) {
	if value == nil {
		return
	}
	name := "wrong_kind_attribute"
	if key == "name" {
		// The vendor's own tests create persons with a name.
		name = "person_name"
	}
	if k.v.env.Switch(name) == "refused" {
		k.refuse("/"+key, "incorrect_value", "does not go with this value of is_organization")
	}
}

func (k *checker) text(key string, value any) {
	required := key == "last_name" || key == "name"
	switch value := value.(type) {
	case string:
		if required && strings.TrimSpace(value) == "" {
			k.refuse("/"+key, "blank", "must not be blank")
			return
		}
		k.changes.Set(key, value)
	case nil:
		if required {
			k.refuse("/"+key, "blank", "must not be blank")
			return
		}
		k.changes.Set(key, nil)
	default:
		k.refuse("/"+key, "invalid_type", "must be a string")
	}
}

// reference checks owner_id, contact_id and parent_organization_id.
func (k *checker) reference(key string, value any) {
	if value == nil {
		if key != "owner_id" { // an owner there always is
			k.changes.Set(key, nil)
		}
		return
	}
	number, ok := value.(json.Number)
	id, err := strconv.ParseInt(string(number), 10, 64)
	if !ok || err != nil {
		k.refuse("/"+key, "invalid_type", "must be an integer")
		return
	}
	if key == "owner_id" {
		if k.v.state.user(id) == nil {
			k.refuse("/"+key, "incorrect_value", "must be the id of a user")
			return
		}
	} else {
		named := k.v.state.contacts[id]
		itself := k.current != nil && k.current.Get("id") == id
		if unchanged := k.current != nil && k.current.Get(key) == id; !unchanged && (named == nil || itself || named.data.Get("is_organization") != true) {
			k.refuse("/"+key, "incorrect_value", "must be the id of an organisation")
			return
		}
	}
	k.changes.Set(key, id)
}

func (k *checker) kindOfContact(value any) {
	wanted, ok := value.(bool)
	switch {
	case !ok:
		k.refuse("/is_organization", "invalid_type", "must be a boolean")
	case k.current == nil:
		k.changes.Set("is_organization", wanted)
	case wanted != k.organization && k.v.env.Switch("change_kind") == "refused":
		k.refuse("/is_organization", "incorrect_value", "cannot be changed")
	}
}

// required demands the name that a new contact needs.
func (k *checker) required() {
	if k.current != nil {
		return
	}
	key := "last_name"
	if k.organization {
		key = "name"
	}
	if !k.attrs.Has(key) {
		k.refuse("/"+key, "missing", "must be present")
	}
}

// needCustomerOrProspect holds billing and shipping addresses to their
// condition, with the statuses as they will be.
func (k *checker) needCustomerOrProspect() {
	if k.customerOrProspect() {
		return
	}
	for _, key := range []string{"billing_address", "shipping_address"} {
		if k.changes.Get(key) != nil {
			k.refuse("/"+key, "incorrect_value", "is for customers and prospects")
		} else if k.old(key) != nil {
			k.changes.Set(key, nil)
		}
	}
}

// customerOrProspect takes any status but none for one: a past customer and a
// lost prospect have one too.
func (k *checker) customerOrProspect() bool {
	for _, key := range []string{"customer_status", "prospect_status"} {
		status, changed := k.changes.Lookup(key)
		if !changed {
			status = k.old(key)
		}
		if status != nil && status != "none" {
			return true
		}
	}
	return false
}

// apply writes checked changes into a record.
func (v *vendor) apply(record, changes *kit.Object, now time.Time) {
	for _, key := range changes.Keys() {
		value := changes.Get(key)
		switch key {
		case "tags":
			for _, name := range value.([]any) {
				v.state.ensureTag(name.(string), "contact", now)
			}
		case "custom_fields":
			v.applyCustomFields(record.Get("custom_fields").(*kit.Object), value.(*kit.Object))
			continue
		}
		record.Set(key, value)
	}
	if record.Get("is_organization") != true {
		record.Set("name", strings.TrimSpace(record.Text("first_name")+" "+record.Text("last_name")))
	}
}
