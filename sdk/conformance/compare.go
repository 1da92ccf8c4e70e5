package conformance

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	crmv1 "github.com/unicrm/unicrm/proto/unicrm/crm/v1"
)

// This file compares what was written with what is read. A vendor may say more
// than it was told: a type for an item that had none, a name of an account. It
// may write an address of the web or a telephone number in a way of its own.
// But what it was told must be there.

// lacks tells what of a record that was written another one does not show.
func lacks(given, got protoreflect.Message) []string {
	var missing []string
	given.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		name := string(field.Name())
		switch {
		case name == "remote_data":
		case name == "name" && sameName(given, got):
		case field.IsList():
			missing = append(missing, lacksItems(name, value.List(), got.Get(field).List())...)
		case name == "custom_fields":
			missing = append(missing, lacksMembers(value.Bytes(), got.Get(field).Bytes())...)
		case !holdsValue(field, value, got):
			missing = append(missing, fmt.Sprintf("%s: %s was written and %s is there", name, show(field, value), show(field, got.Get(field))))
		}
		return true
	})
	slices.Sort(missing)
	return missing
}

// sameName tells whether a full name is there, as one or in its parts.
func sameName(given, got protoreflect.Message) bool {
	fields := got.Descriptor().Fields()
	wanted := textIn(given, "name")
	return wanted == textIn(got, "name") || wanted == strings.TrimSpace(textAt(got, fields.ByName("first_name"))+" "+textAt(got, fields.ByName("last_name")))
}

func holdsValue(field protoreflect.FieldDescriptor, value protoreflect.Value, got protoreflect.Message) bool {
	switch {
	case isTimestamp(field):
		return got.Has(field) && proto.Equal(value.Message().Interface(), got.Get(field).Message().Interface())
	case field.Message() != nil:
		return got.Has(field) && len(lacks(value.Message(), got.Get(field).Message())) == 0
	case field.Kind() == protoreflect.StringKind:
		return alike(field, value.String(), got.Get(field).String())
	default:
		return value.Equal(got.Get(field))
	}
}

// alike compares two texts as far as vendors leave them alone.
func alike(field protoreflect.FieldDescriptor, a, b string) bool {
	a, b = strings.TrimSpace(a), strings.TrimSpace(b)
	switch {
	case formatOf(field) == crmv1.Format_FORMAT_PHONE:
		return digitsOf(a) == digitsOf(b)
	case formatOf(field) == crmv1.Format_FORMAT_EMAIL, field.Name() == "type":
		return strings.EqualFold(a, b)
	case field.Name() == "url":
		plain := func(text string) string {
			_, rest, found := strings.Cut(text, "://")
			if !found {
				rest = text
			}
			return strings.TrimSuffix(rest, "/")
		}
		return plain(a) == plain(b)
	default:
		return a == b
	}
}

func digitsOf(text string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
}

// lacksItems tells which items of a list have no item of their own in another,
// and whether that one has more: a list that is written is the whole list.
func lacksItems(name string, given, got protoreflect.List) []string {
	var missing []string
	taken := make([]bool, got.Len())
	for i := range given.Len() {
		found := false
		for j := range got.Len() {
			if !taken[j] && len(lacks(given.Get(i).Message(), got.Get(j).Message())) == 0 {
				taken[j], found = true, true
				break
			}
		}
		if !found {
			missing = append(missing, fmt.Sprintf("%s[%d]: %s was written and is not among %s", name, i, inShort(given.Get(i).Message().Interface()), listInShort(got)))
		}
	}
	if len(missing) == 0 && got.Len() > given.Len() {
		missing = append(missing, fmt.Sprintf("%s: %d items were written and %d are there: %s", name, given.Len(), got.Len(), listInShort(got)))
	}
	return missing
}

// lacksMembers tells which custom fields have another value, to the digit.
func lacksMembers(given, got []byte) []string {
	var want, have map[string]json.RawMessage
	_ = json.Unmarshal(given, &want)
	_ = json.Unmarshal(got, &have)
	var missing []string
	for name, value := range want {
		if saysNothing(value) && saysNothing(have[name]) {
			continue
		}
		if string(compact(value)) != string(compact(have[name])) {
			missing = append(missing, fmt.Sprintf("custom_fields.%s: %.100s was written and %.100s is there", name, value, have[name]))
		}
	}
	return missing
}

// changedBeside tells which fields differ between two readings of a record,
// beside those that were named and those that follow from any change. Of the
// custom fields only those count that members names: others may be computed.
func changedBeside(before, after protoreflect.Message, named []string, members map[string]bool) []string {
	var changed []string
	fields := before.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		name := string(field.Name())
		switch name {
		case "remote_data", "etag", "updated_at", "last_activity_at":
			continue
		case "name": // which is made of others, at a few vendors of an address where there is no name
			if slices.ContainsFunc([]string{"first_name", "last_name", "email_addresses", "phone_numbers"}, func(part string) bool { return contains(named, part) }) {
				continue
			}
		case "first_name", "last_name":
			if contains(named, "name") {
				continue
			}
		case "custom_fields":
			if contains(named, name) {
				continue
			}
			was, is := only(before.Get(field).Bytes(), members), only(after.Get(field).Bytes(), members)
			changed = append(append(changed, lacksMembers(was, is)...), lacksMembers(is, was)...)
			continue
		}
		if contains(named, name) || sameField(field, before, after) {
			continue
		}
		changed = append(changed, fmt.Sprintf("%s was %s and is %s", name, show(field, before.Get(field)), show(field, after.Get(field))))
	}
	return changed
}

// only leaves of a JSON object the members that are named.
func only(object []byte, members map[string]bool) []byte {
	var all map[string]json.RawMessage
	if json.Unmarshal(object, &all) != nil {
		return nil
	}
	for name := range all {
		if !members[name] {
			delete(all, name)
		}
	}
	data, _ := json.Marshal(all)
	return data
}

func sameField(field protoreflect.FieldDescriptor, a, b protoreflect.Message) bool {
	one, other := typeOf(a.Descriptor()).New(), typeOf(a.Descriptor()).New()
	if a.Has(field) {
		one.Set(field, a.Get(field))
	}
	if b.Has(field) {
		other.Set(field, b.Get(field))
	}
	return proto.Equal(one.Interface(), other.Interface())
}

// isEmpty tells whether a record shows nothing for a field.
func isEmpty(record protoreflect.Message, field protoreflect.FieldDescriptor, members map[string]bool) bool {
	switch {
	case !record.Has(field):
		return true
	case field.Name() == "custom_fields":
		var left map[string]json.RawMessage
		_ = json.Unmarshal(only(record.Get(field).Bytes(), members), &left)
		for _, value := range left {
			if !saysNothing(value) {
				return false
			}
		}
		return true
	case field.Kind() == protoreflect.StringKind && !field.IsList():
		return strings.TrimSpace(record.Get(field).String()) == ""
	default:
		return false
	}
}

// show writes a value for a person.
func show(field protoreflect.FieldDescriptor, value protoreflect.Value) string {
	switch {
	case field.IsList():
		return listInShort(value.List())
	case field.Message() != nil:
		return inShort(value.Message().Interface())
	case field.Kind() == protoreflect.BytesKind:
		return fmt.Sprintf("%.200s", value.Bytes())
	default:
		return fmt.Sprintf("%.100q", value.String())
	}
}

func listInShort(list protoreflect.List) string {
	var items []string
	for i := range min(list.Len(), 5) {
		items = append(items, inShort(list.Get(i).Message().Interface()))
	}
	return "[" + strings.Join(items, ", ") + "]"
}

func inShort(message proto.Message) string {
	var parts []string
	message.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		text := value.String()
		if isTimestamp(field) {
			text = inShort(value.Message().Interface())
		}
		parts = append(parts, fmt.Sprintf("%s %.60s", field.Name(), text))
		return true
	})
	slices.Sort(parts)
	return "{" + strings.Join(parts, ", ") + "}"
}
