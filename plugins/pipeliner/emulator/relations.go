package emulator

import (
	"encoding/json"
	"fmt"
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// acceptMany checks an array of related rows: one with an id changes that
// row, one without makes a row.
func (s *store) acceptMany(ch *change, f *field, value any) []problem {
	list, ok := value.([]any)
	if !ok && value != nil {
		return []problem{invalid(f.name, fmt.Sprintf("Field '%s' takes an array of objects.", f.name))}
	}
	target := s.schema[f.target]
	n := nested{f: f}
	for _, entry := range list {
		item, ok := entry.(*kit.Object)
		if !ok {
			return []problem{invalid(f.name, fmt.Sprintf("Field '%s' takes an array of objects.", f.name))}
		}
		linked := &kit.Object{}
		if f.target != options {
			linked.Set(f.via, ch.row.id)
		}
		existing := s.match(ch, f, item)
		if existing == nil && item.Has("id") {
			return []problem{{f.name, codeRelation, fmt.Sprintf("[%s] Relation %s.%s=%v to %s doesn't exist!", f.name, ch.c.entity, f.name, item.Get("id"), target.entity)}}
		}
		creating := existing == nil
		if creating {
			existing = &row{id: s.newID(f.target), values: &kit.Object{}}
		}
		input := item.Clone()
		input.Delete("id")
		sub, problems := s.prepare(target, existing, creating, input, ch.level, linked)
		if len(problems) > 0 {
			for i := range problems {
				problems[i].field = f.name
			}
			return problems
		}
		n.items = append(n.items, sub)
	}
	ch.nested = append(ch.nested, n)
	return nil
}

// match finds the row that an item of a relation speaks of: by its id, as such
// or as a URI, else by the record at the row's other end.
func (s *store) match(ch *change, f *field, item *kit.Object) *row {
	if ch.creating {
		return nil
	}
	id := item.Text("id")
	id = strings.ToLower(id[strings.LastIndex(id, "/")+1:])
	other := map[string]string{accountRelations: "account_id", tagRelations: "tag_id"}[f.target]
	for _, r := range s.linked(ch.row, f) {
		if item.Has("id") {
			if r.id == id {
				return r
			}
		} else if other != "" && strings.EqualFold(r.values.Text(other), item.Text(other)) {
			return r
		}
	}
	return nil
}

// applyNested makes the rows of a relation. Whether an array in a PATCH
// replaces the rows or adds to them is a switch.
func (s *store) applyNested(ch *change, n nested) {
	kept := map[string]bool{}
	for _, item := range n.items {
		kept[item.row.id] = true
		if n.f.target == options {
			item.values.Set(n.f.via, ch.row.values.Get(n.f.via))
		}
		s.apply(item)
	}
	if ch.creating || s.env.Switch("relation_update") == "add" {
		return
	}
	for _, r := range s.linked(ch.row, n.f) {
		if !kept[r.id] {
			r.deleted = true
			s.touch(r)
		}
	}
}

// applyAccountRelation keeps one primary account: setting one row clears the
// others.
func applyAccountRelation(s *store, ch *change) {
	if ch.row.values.Get("is_primary") != true {
		return
	}
	for _, r := range s.tables[accountRelations].rows {
		if r != ch.row && r.values.Text("contact_id") == ch.row.values.Text("contact_id") && r.values.Get("is_primary") == true {
			r.values.Set("is_primary", false)
			s.touch(r)
		}
	}
}

// primaryRelation returns a contact's link to its primary account, or nil.
func (s *store) primaryRelation(contact string) *row {
	for _, r := range s.rowsWhere(accountRelations, "contact_id", contact) {
		if r.values.Get("is_primary") == true {
			return r
		}
	}
	return nil
}

func primaryAccount(s *store, r *row) any {
	if link := s.primaryRelation(r.id); link != nil {
		return link.values.Get("account_id")
	}
	return nil
}

func primaryPosition(s *store, r *row) any {
	if link := s.primaryRelation(r.id); link != nil {
		return link.values.Get("position")
	}
	return nil
}

// accountPosition is the position at the primary account, or the quick one
// when there is no such account.
func accountPosition(s *store, r *row) any {
	if link := s.primaryRelation(r.id); link != nil {
		return link.values.Get("position")
	}
	return r.values.Get("position")
}

// primaryRelationship is a string in the vendor's description and an integer
// in a reply; none at all is null.
func primaryRelationship(s *store, r *row) any {
	link := s.primaryRelation(r.id)
	if link == nil {
		return nil
	}
	if value := fmt.Sprint(link.values.Get("relationship")); value != "0" && value != "<nil>" {
		return json.Number(value)
	}
	return nil
}

// isRelationship accepts both forms, and null.
func isRelationship(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return len(v) == 1 && v[0] >= '0' && v[0] <= '3'
	default:
		n, ok := wholeNumber(v)
		return ok && n >= 0 && n <= 3
	}
}

// checkOwner holds rows that belong to one contact or one account to that.
func checkOwner(_ *store, ch *change) []problem {
	named := 0
	for _, name := range []string{"contact_id", "account_id"} {
		// An id that was refused is named too, and has its problem already.
		if !isEmpty(ch.result(name)) || !isEmpty(ch.input.Get(name)) {
			named++
		}
	}
	if named == 1 {
		return nil
	}
	return []problem{{"", codeMissing, "Exactly one of the fields 'account_id', 'contact_id' is needed."}}
}
