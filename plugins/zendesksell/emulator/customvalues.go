package emulator

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// customFields checks the values of a request. Changes hold null for a field
// that is to be cleared.
func (k *checker) customFields(value any) {
	if list, ok := value.([]any); ok && len(list) == 0 {
		// The vendor's PHP client cannot tell {} from [] when it sends back
		// what it has read.
		value = &kit.Object{}
	}
	given, ok := value.(*kit.Object)
	if !ok {
		k.refuse("/custom_fields", "invalid_type", "must be an object")
		return
	}
	changes := &kit.Object{}
	for _, name := range given.Keys() {
		pointer := "/custom_fields/" + escapePointer(name)
		field := contactField(name)
		if field == nil {
			k.refuse(pointer, "unknown", "is not a custom field of contact")
			continue
		}
		value := given.Get(name)
		if value == nil || value == "" {
			changes.Set(name, nil)
			continue
		}
		if (field.companyOnly && !k.organization) || (field.humanOnly && k.organization) {
			if k.v.env.Switch("wrong_kind_attribute") == "refused" {
				k.refuse(pointer, "incorrect_value", "does not go with this value of is_organization")
			}
			continue
		}
		stored, code, wrong := field.check(value)
		if code != "" {
			k.refuse(pointer, code, "%s", wrong)
			continue
		}
		changes.Set(name, stored)
	}
	k.changes.Set("custom_fields", changes)
}

// applyCustomFields writes checked values into a record's custom fields.
func (v *vendor) applyCustomFields(stored, changes *kit.Object) {
	if v.env.Switch("put_custom_fields") == "replace" {
		for _, name := range stored.Keys() {
			stored.Delete(name)
		}
	}
	for _, name := range changes.Keys() {
		if value := changes.Get(name); value == nil {
			stored.Delete(name)
		} else {
			stored.Set(name, value)
		}
	}
}

var decimal = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

// check returns a value in the form that is stored, or an error's code and
// what would have been right.
func (f *customField) check(value any) (stored any, code, wrong string) {
	text, isText := value.(string)
	switch f.kind {
	case "bool":
		if b, ok := value.(bool); ok {
			return b, "", ""
		}
		return nil, "invalid_type", "must be a boolean"
	case "number":
		if number, ok := value.(json.Number); ok {
			text, isText = number.String(), true
		}
		if !isText {
			return nil, "invalid_type", "must be a number"
		}
		if !decimal.MatchString(text) {
			return nil, "incorrect_value", "must be a decimal number"
		}
		return text, "", "" // read back as a string, with all digits
	case "address":
		return checkAddress(value)
	case "multi_select_list":
		return f.checkChoices(value)
	case "list":
		name, ok := chosen(value)
		if !ok {
			return nil, "invalid_type", "must be a string"
		}
		if !slices.Contains(f.choices, name) {
			return nil, "incorrect_value", "must be one of " + strings.Join(f.choices, ", ")
		}
		return name, "", ""
	}
	if !isText {
		return nil, "invalid_type", "must be a string"
	}
	switch f.kind {
	case "date":
		return checkTime(text, "2006-01-02", "2006-01-02", "01/02/2006")
	case "datetime":
		return checkTime(text, "2006-01-02T15:04:05Z", time.RFC3339, "2006-01-02T15:04:05")
	}
	return text, "", ""
}

func (f *customField) checkChoices(value any) (stored any, code, wrong string) {
	list, ok := value.([]any)
	if !ok {
		return nil, "invalid_type", "must be an array"
	}
	names := []any{}
	for _, entry := range list {
		name, ok := chosen(entry)
		if !ok {
			return nil, "invalid_type", "must be an array of strings"
		}
		if !slices.Contains(f.choices, name) {
			return nil, "incorrect_value", "must be among " + strings.Join(f.choices, ", ")
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil, "", ""
	}
	return names, "", ""
}

// chosen takes a choice by name, or as the object that reading may give.
func chosen(value any) (string, bool) {
	if o, ok := value.(*kit.Object); ok {
		value = o.Get("name")
	}
	name, ok := value.(string)
	return name, ok
}

func checkAddress(value any) (stored any, code, wrong string) {
	given, ok := value.(*kit.Object)
	if !ok {
		return nil, "invalid_type", "must be an object"
	}
	address := &kit.Object{}
	for _, part := range addressKeys {
		text := given.Get(part)
		if _, ok := text.(string); text != nil && !ok {
			return nil, "invalid_type", "must be an object of strings"
		}
		address.Set(part, text)
	}
	for _, part := range given.Keys() {
		if !slices.Contains(addressKeys, part) {
			return nil, "unknown", "has no part '" + part + "'"
		}
	}
	return address, "", ""
}

// checkTime takes a time in one of some layouts and stores it in the first.
// Zones are dropped, not converted: these fields do not know any.
func checkTime(text, store string, layouts ...string) (stored any, code, wrong string) {
	for _, layout := range layouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.Format(store), "", ""
		}
	}
	return nil, "incorrect_value", "must be like " + store
}

// escapePointer writes a name as a step of a JSON pointer.
func escapePointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}
