package sdk

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
)

// Slot is one place that a vendor has for an item of a list, such as its field
// for mobile numbers.
type Slot struct {
	// Key is the vendor's field.
	Key string
	// Type is what an item that is read from it has for a type; "" where it has
	// none.
	Type string
	// Any says that an item of a type which has no slot of its own may go here
	// when it is free. Its type is then lost.
	Any bool
}

// Fill puts the items of a list into a vendor's slots and gives the index of
// the item in each slot, -1 in those that stay empty: first those whose type is
// the slot's, then the others into free slots that take any or, where they have
// no type, whose items have none either. What has no place is told to
// [Call.Lose]: an item under its path, such as "phone_numbers[2]", a type under
// that of the item. types are the items' types, nil for none.
func (c *Call) Fill(path string, types []*string, slots []Slot) []int {
	placed := make([]int, len(slots))
	for i := range placed {
		placed[i] = -1
	}
	done := make([]bool, len(types))
	for i, kind := range types {
		for j, slot := range slots {
			if !done[i] && placed[j] < 0 && kind != nil && *kind != "" && strings.EqualFold(*kind, slot.Type) {
				placed[j], done[i] = i, true
			}
		}
	}
	for i, kind := range types {
		for j, slot := range slots {
			untyped := kind == nil || *kind == ""
			if !done[i] && placed[j] < 0 && (slot.Any || untyped && slot.Type == "") {
				placed[j], done[i] = i, true
				if !untyped {
					c.Lose(fmt.Sprintf("%s[%d].type", path, i), "there is no place for the type "+*kind)
				}
			}
		}
		if !done[i] {
			c.Lose(fmt.Sprintf("%s[%d]", path, i), "there is no place left for it")
		}
	}
	return placed
}

// TypesOf are the types of a list's items, for [Call.Fill].
func TypesOf[T any](items []T, typeOf func(*T) *string) []*string {
	types := make([]*string, len(items))
	for i := range items {
		types[i] = typeOf(&items[i])
	}
	return types
}

// LoseExtensions tells of the extensions of telephone numbers, for vendors that
// keep none.
func (c *Call) LoseExtensions(numbers []crm.PhoneNumber) {
	for i, number := range numbers {
		if number.Extension != nil && *number.Extension != "" {
			c.Lose(fmt.Sprintf("phone_numbers[%d].extension", i), "there is no place for an extension")
		}
	}
}

// LoseIDs tells of ids in a list's items, for vendors that give their items
// none: an id that was read from another vendor means nothing.
func LoseIDs[T any](c *Call, path string, items []T, idOf func(*T) *string) {
	for i := range items {
		if id := idOf(&items[i]); id != nil && *id != "" {
			c.Lose(fmt.Sprintf("%s[%d].id", path, i), "there is no place for an id")
		}
	}
}

// SplitName makes first and last name of a name that comes alone, for vendors
// that keep the two apart: the last word is the last name. A name that comes
// with its parts must be what they make; one that is not is lost.
func SplitName(call *Call, change *Change[crm.Contact]) {
	r := &change.Record
	split := r.FirstName != nil || r.LastName != nil || change.Clears("first_name") || change.Clears("last_name")
	switch {
	case change.Clears("name") && (!change.Clears("first_name") || !change.Clears("last_name")):
		call.Lose("name", "it is made of first_name and last_name; empty those")
	case r.Name == nil:
	case split:
		if whole := crm.FullName(r.FirstName, r.LastName); whole == nil || *whole != strings.TrimSpace(*r.Name) {
			call.Lose("name", "it is made of first_name and last_name, which say something else")
		}
	default:
		words := strings.Fields(*r.Name)
		if len(words) == 0 {
			call.Lose("name", "it is blank")
			break
		}
		r.LastName = &words[len(words)-1]
		if first := strings.Join(words[:len(words)-1], " "); first != "" {
			r.FirstName = &first
		} else if change.ID != "" {
			clear := map[string]bool{"first_name": true} // a copy: the map may be another's too
			maps.Copy(clear, change.Clear)
			change.Clear = clear
		}
	}
	r.Name = nil
}

// UnknownFields is the error of custom fields that the vendor does not have;
// nil when it has all that are given. The vendor's own names are suggested, the
// most alike first.
func UnknownFields(given, known []string) error {
	const (
		mostShown    = 20    // suggestions for a name
		mostCompared = 2_000 // of the known ones
		mostTold     = 64    // unknown names
	)
	has := map[string]bool{}
	for _, name := range known {
		has[name] = true
	}
	plain := make([]string, min(len(known), mostCompared))
	for i := range plain {
		plain[i] = plainName(known[i])
	}
	e := &errs.Error{Reason: errs.InvalidBody}
	for _, name := range given {
		if has[name] || len(e.Fields) == mostTold {
			continue
		}
		description := "is not a custom field of this account, which has none"
		if len(plain) > 0 {
			description = "is not a custom field of this account, which has: " + strings.Join(mostAlike(plainName(name), known[:len(plain)], plain, mostShown), ", ")
		}
		e.Fields = append(e.Fields, errs.Field{Path: "custom_fields." + name, Description: description})
	}
	if len(e.Fields) == 0 {
		return nil
	}
	e.Message = e.Fields[0].Path + " " + e.Fields[0].Description
	return e
}

// mostAlike gives the known names that are most alike, the best first.
func mostAlike(name string, known, plain []string, most int) []string {
	order := make([]int, len(known))
	scores := make([]int, len(known))
	for i := range known {
		order[i], scores[i] = i, alike(name, plain[i])
	}
	slices.SortStableFunc(order, func(a, b int) int { return scores[b] - scores[a] })
	var names []string
	for _, i := range order[:min(most, len(order))] {
		names = append(names, known[i])
	}
	return names
}

// plainName is a name without case and signs and the vendors' own prefixes and
// suffixes, and no longer than what can be compared in no time.
func plainName(name string) string {
	const longest = 256 // bytes
	name = strings.ToLower(strings.ToValidUTF8(name[:min(len(name), longest)], ""))
	for _, affix := range []string{"cf_", "custom."} {
		name = strings.TrimPrefix(name, affix)
	}
	name = strings.TrimSuffix(name, "__c")
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(" _-.[]()", r) {
			return -1
		}
		return r
	}, name)
}

// alike is how many letters two plain names share at their beginning and end.
func alike(a, b string) int {
	if a == b {
		return len(a) + len(b) + 1
	}
	front := 0
	for front < min(len(a), len(b)) && a[front] == b[front] {
		front++
	}
	back := 0
	for back < min(len(a), len(b))-front && a[len(a)-1-back] == b[len(b)-1-back] {
		back++
	}
	return front + back
}
