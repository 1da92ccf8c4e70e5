package emulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// infoKeys is the order in which a contact's info is kept and answered.
var infoKeys = []string{"name", "emails", "phones", "addresses", "company", "jobTitle", "birthdate", "locale", "labelKeys", "extendedFields", "picture"}

// prepare takes out of a patch what has no effect, so that what is left tells
// whether there is anything to change.
func (s *state) prepare(patch *kit.Object) *failure {
	if s.env.Switch("label_keys_in_info") == "ignore" {
		patch.Delete("labelKeys")
	} else if keys, ok := patch.Get("labelKeys").([]string); ok {
		if fail := s.knownLabels("info.labelKeys.items", keys); fail != nil {
			return fail
		}
	}
	if s.env.Switch("null_clears") == "ignore" {
		for _, key := range patch.Keys() {
			if patch.Get(key) == nil {
				patch.Delete(key)
			}
		}
	}
	for _, key := range []string{"emails", "phones"} {
		list, _ := patch.Get(key).([]any)
		primaries := 0
		for _, item := range list {
			if item.(*kit.Object).Has("primary") {
				primaries++
			}
		}
		if primaries > 1 {
			return applicationError(http.StatusBadRequest, "CANNOT_HAVE_MULTIPLE_PRIMARY_INFO", "Only one email and one phone can be primary.")
		}
	}
	return s.prepareFields(patch)
}

// prepareFields holds extended fields to their definitions.
func (s *state) prepareFields(patch *kit.Object) *failure {
	items, _ := patch.Get("extendedFields").(*kit.Object)
	if items == nil {
		return nil
	}
	bad := func(text string) *failure {
		return applicationError(http.StatusBadRequest, "INVALID_EXTENDED_FIELD_VALUE", text)
	}
	for _, key := range items.Keys() {
		field := s.fields.find(key)
		if field == nil {
			return bad("There is no field " + key + ".")
		}
		if !strings.HasPrefix(key, "custom.") {
			switch s.env.Switch("system_field_write") {
			case "400":
				return bad("The field " + key + " cannot be written.")
			case "ignore":
				items.Delete(key)
				continue
			}
		}
		value := items.Get(key)
		text, isText := value.(string)
		switch field.Text("dataType") {
		case "NUMBER":
			_, isNumber := value.(json.Number)
			isText = isNumber
		case "DATE":
			isText = isText && (text == "" || isLocalDate(text))
		case "URL":
			if isText && text != "" && !strings.Contains(text, "://") {
				items.Set(key, "https://"+text)
			}
		}
		if value != nil && !isText {
			return bad("The value of " + key + " does not fit its type.")
		}
	}
	return nil
}

// apply returns the info that a prepared patch makes of the old one.
func (s *state) apply(old, patch *kit.Object) *kit.Object {
	merged := old.Clone()
	for _, key := range patch.Keys() {
		value := patch.Get(key)
		switch v := value.(type) {
		case nil:
			merged.Delete(key)
		case string:
			merged.Delete(key)
			setText(merged, key, v)
		case []any:
			merged.Set(key, s.itemsWithIDs(key, v, old))
		case []string:
			merged.Set(key, slices.Clone(v))
		case *kit.Object:
			switch key {
			case "name":
				merged.Set(key, s.applyName(old, v))
			case "extendedFields":
				merged.Set(key, s.applyFields(old, v))
			default:
				merged.Set(key, v.Clone())
			}
		}
	}
	return tidy(merged)
}

func (s *state) applyName(old, patch *kit.Object) *kit.Object {
	name := kit.Pairs()
	if before, ok := old.Get("name").(*kit.Object); ok && s.env.Switch("name_patch") == "merge" {
		name = before.Clone()
	}
	for _, key := range []string{"first", "last"} {
		value, ok := patch.Lookup(key)
		if !ok || (value == nil && s.env.Switch("null_clears") == "ignore") {
			continue
		}
		name.Delete(key)
		if text, _ := value.(string); text != "" {
			name.Set(key, text)
		}
	}
	ordered := kit.Pairs()
	setText(ordered, "first", name.Text("first"))
	setText(ordered, "last", name.Text("last"))
	return ordered
}

func (s *state) applyFields(old, patch *kit.Object) *kit.Object {
	fields := kit.Pairs()
	if before, ok := old.Get("extendedFields").(*kit.Object); ok {
		for _, key := range before.Keys() {
			if s.env.Switch("extended_fields_patch") == "merge" || !strings.HasPrefix(key, "custom.") {
				fields.Set(key, before.Get(key))
			}
		}
	}
	for _, key := range patch.Keys() {
		if value := patch.Get(key); value == nil || value == "" {
			fields.Delete(key)
		} else {
			fields.Set(key, value)
		}
	}
	return fields
}

// itemsWithIDs replaces a whole list. An item that names the id of one in the
// old list keeps it; ids are read-only, so any other is dropped for a new one.
func (s *state) itemsWithIDs(key string, list []any, old *kit.Object) []any {
	before := map[string]bool{}
	for _, item := range listOf(old, key) {
		before[item.Text("id")] = true
	}
	out := make([]any, 0, len(list))
	hasPrimary := false
	for _, value := range list {
		item := value.(*kit.Object)
		id := item.Text("id")
		if !before[id] {
			id = s.newGUID()
		}
		delete(before, id)
		stored := kit.Pairs("id", id)
		for _, k := range item.Keys() {
			if k != "id" {
				stored.Set(k, item.Get(k))
			}
		}
		hasPrimary = hasPrimary || stored.Has("primary")
		out = append(out, stored)
	}
	if key != "addresses" && !hasPrimary && len(out) > 0 && s.env.Switch("primary_default") == "first" {
		out[0].(*kit.Object).Set("primary", true)
	}
	return out
}

// tidy leaves empty values out and brings the keys into the vendor's order.
func tidy(info *kit.Object) *kit.Object {
	out := kit.Pairs()
	for _, key := range infoKeys {
		switch v := info.Get(key).(type) {
		case nil:
		case string:
			setText(out, key, v)
		case []any:
			if len(v) > 0 {
				out.Set(key, v)
			}
		case []string:
			if len(v) > 0 {
				out.Set(key, v)
			}
		case *kit.Object:
			if v.Len() > 0 {
				out.Set(key, v)
			}
		}
	}
	return out
}

// listOf returns the stored items of emails, phones or addresses.
func listOf(info *kit.Object, key string) []*kit.Object {
	list, _ := info.Get(key).([]any)
	out := make([]*kit.Object, len(list))
	for i, item := range list {
		out[i] = item.(*kit.Object)
	}
	return out
}

// primaryOf returns the primary email or phone, nil without one.
func primaryOf(info *kit.Object, key string) *kit.Object {
	for _, item := range listOf(info, key) {
		if item.Has("primary") {
			return item
		}
	}
	return nil
}
