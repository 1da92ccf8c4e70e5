package emulator

import (
	"fmt"
	"strings"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// The bits of validation-level that matter here.
const (
	levelChanged  = 2  // check only the fields that change
	levelSystem   = 4  // check only system fields
	levelReadOnly = 8  // read-only fields may be written
	levelDeleted  = 16 // relations may point to deleted records
)

// change is a write that has been checked and not yet made.
type change struct {
	c        *collection
	row      *row // as it is; when creating, only with an id and no values yet
	creating bool
	level    int
	input    *kit.Object
	values   *kit.Object // what to store
	created  time.Time   // when given
	modified time.Time   // when given and allowed
	nested   []nested
}

// nested is what a write says about one relation to many.
type nested struct {
	f     *field
	items []*change
}

// result returns a stored field's value as the write leaves it.
func (ch *change) result(name string) any {
	if value, ok := ch.values.Lookup(name); ok {
		return value
	}
	return ch.row.values.Get(name)
}

func isEmpty(value any) bool { return value == nil || value == "" }

// prepare checks a write. linked are fields that the caller sets and whose
// records need not exist yet.
func (s *store) prepare(c *collection, r *row, creating bool, input *kit.Object, level int, linked *kit.Object) (*change, []problem) {
	ch := &change{c: c, row: r, creating: creating, level: level, input: input, values: &kit.Object{}}
	var problems []problem
	for _, key := range input.Keys() {
		value := input.Get(key)
		if linked.Has(key) {
			if text, _ := value.(string); !strings.EqualFold(text, linked.Text(key)) {
				problems = append(problems, invalid(key, key+" names another record than the one that is written."))
			}
			continue
		}
		f := s.field(c, key)
		if f == nil {
			if s.env.Switch("unknown_fields") == "refuse" {
				problems = append(problems, invalid(key, fmt.Sprintf("%s has no field %q.", c.entity, key)))
			}
			continue
		}
		if (creating && !f.onCreate) || (!creating && !f.onUpdate) {
			problems = append(problems, s.readOnly(ch, f, value)...)
			continue
		}
		problems = append(problems, s.accept(ch, f, value)...)
	}
	for _, key := range linked.Keys() {
		ch.values.Set(key, linked.Get(key))
	}
	if creating {
		s.fillIn(ch)
	}
	problems = append(problems, s.missing(ch)...)
	if c.check != nil {
		problems = append(problems, c.check(s, ch)...)
	}
	return ch, problems
}

// readOnly deals with a field that the input schema has not.
func (s *store) readOnly(ch *change, f *field, value any) []problem {
	text, _ := value.(string)
	if f.name == "id" && text != "" && strings.EqualFold(text, ch.row.id) {
		return nil
	}
	if ch.level&levelReadOnly != 0 && (f.name == "modified" || f.name == "created") {
		return s.accept(ch, f, value)
	}
	if ch.level&levelReadOnly != 0 || s.env.Switch("readonly_fields") == "ignore" {
		return nil
	}
	return []problem{invalid(f.name, fmt.Sprintf("Field '%s' is read only.", f.name))}
}

// accept checks a value's type and notes what to store.
func (s *store) accept(ch *change, f *field, value any) []problem {
	wrong := func(want string) []problem {
		return []problem{invalid(f.name, fmt.Sprintf("Field '%s' takes %s.", f.name, want))}
	}
	switch f.name {
	case "created", "modified":
		text, _ := value.(string)
		at, utc, ok := parseStamp(text)
		if !ok || !utc {
			return wrong("a time in UTC")
		}
		if f.name == "created" {
			ch.created = at
		} else {
			ch.modified = at
		}
		return nil
	case "revision":
		if _, ok := wholeNumber(value); !ok && value != nil {
			return wrong("a whole number")
		}
		return nil
	case "primary_account_relationship":
		if !isRelationship(value) {
			return wrong("0 to 3")
		}
		return nil
	}
	if f.kind == kindMany {
		return s.acceptMany(ch, f, value)
	}
	if f.kind == kindNoRows {
		if list, ok := value.([]any); value != nil && (!ok || len(list) > 0) {
			return wrong("no rows at this emulator")
		}
		return nil
	}
	stored, want := value, ""
	if value != nil {
		stored, want = convert(f, value)
	}
	if want != "" {
		return wrong(want)
	}
	if problems := s.checkRefs(ch, f, stored); len(problems) > 0 {
		return problems
	}
	if f.value == nil {
		ch.values.Set(f.name, stored)
	}
	return nil
}

// checkRefs finds ids that name no record, in the vendor's words.
func (s *store) checkRefs(ch *change, f *field, value any) []problem {
	var ids []any
	switch f.kind {
	case kindRef:
		if value != nil {
			ids = []any{value}
		}
	case kindOptions:
		ids, _ = value.([]any)
	}
	var problems []problem
	for _, id := range ids {
		to := s.find(f.target, id.(string))
		if to == nil || (to.deleted && ch.level&levelDeleted == 0) || (f.dataSet != "" && to.values.Text("data_set_id") != f.dataSet) {
			problems = append(problems, problem{f.name, codeRelation, fmt.Sprintf("[%s] Relation %s.%s=%s to %s doesn't exist!",
				f.name, ch.c.entity, f.name, id, s.schema[f.target].entity)})
		}
	}
	return problems
}

// missing finds required fields that the write leaves without a value.
func (s *store) missing(ch *change) []problem {
	var problems []problem
	fields := s.fields(ch.c)
	for i := range fields {
		f := &fields[i]
		if !f.required || (!ch.creating && !ch.values.Has(f.name)) || !isEmpty(ch.result(f.name)) {
			continue
		}
		if ch.creating && f.name == "unit_id" {
			continue // comes from the owner; without one the owner is the problem
		}
		if ch.creating && ch.input.Has(f.name) && ch.input.Get(f.name) != nil && ch.input.Get(f.name) != "" {
			continue // there, but refused already
		}
		if f.kind != kindRef {
			problems = append(problems, problem{"", codeMissing, fmt.Sprintf("Non-null field '%s' is null or empty.", f.name)})
			continue
		}
		for _, name := range []string{strings.TrimSuffix(f.name, "_id"), f.name} {
			problems = append(problems, problem{f.name, codeMissing, fmt.Sprintf("Non-null field '%s'[%s].%s' is null or empty.", ch.c.entity, ch.row.id, name)})
		}
	}
	return append(problems, s.missingByAdmin(ch)...)
}

// missingByAdmin checks the field that an administrator has made required.
func (s *store) missingByAdmin(ch *change) []problem {
	name := s.env.Switch("required_field")
	if name == "none" || ch.level&levelSystem != 0 || s.field(ch.c, name) == nil || ch.c.entity != "Contact" {
		return nil
	}
	if !ch.creating && ch.level&levelChanged != 0 && !ch.values.Has(name) {
		return nil
	}
	if !isEmpty(ch.result(name)) {
		return nil
	}
	return []problem{{name, codeMissing, fmt.Sprintf("Non-null field '%s' is null or empty.", name)}}
}

// fillIn sets what the vendor sets when a create leaves it out.
func (s *store) fillIn(ch *change) {
	if f := s.field(ch.c, "unit_id"); f != nil && f.required && ch.values.Get("unit_id") == nil {
		if owner := s.find(clients, ch.values.Text("owner_id")); owner != nil {
			ch.values.Set("unit_id", owner.values.Get("default_unit_id"))
		}
	}
	for name, target := range map[string]string{"contact_type_id": contactTypes, "account_type_id": accountTypes} {
		if s.field(ch.c, name) != nil && ch.values.Get(name) == nil && !ch.input.Has(name) {
			ch.values.Set(name, s.tables[target].rows[0].id)
		}
	}
}
