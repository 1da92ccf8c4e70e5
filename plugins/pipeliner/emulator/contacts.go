package emulator

import (
	"encoding/json"
	"fmt"
	"strings"
)

// contactName joins what there is of a name, the salutation first.
func contactName(_ *store, r *row) any {
	var parts []string
	for _, name := range []string{"title", "first_name", "middle_name", "last_name"} {
		if part := r.values.Text(name); part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, " ")
}

// checkContact holds a contact to the rules beyond its single fields.
func checkContact(s *store, ch *change) []problem {
	var problems []problem
	first, last := isEmpty(ch.result("first_name")), isEmpty(ch.result("last_name"))
	touched := ch.creating || ch.values.Has("first_name") || ch.values.Has("last_name")
	switch s.env.Switch("required_names") {
	case "first_or_last":
		if touched && first && last {
			problems = append(problems, problem{"", codeMissing, "At least one of the fields 'first_name', 'last_name' is needed."})
		}
	case "last":
		if touched && last {
			problems = append(problems, problem{"", codeMissing, "Non-null field 'last_name' is null or empty."})
		}
	}
	if !ch.creating && ch.row.values.Get("is_archived") == true && ch.result("is_archived") == true && s.env.Switch("archived_update") == "422" {
		problems = append(problems, invalid("", "The record is archived and cannot be changed."))
	}
	return problems
}

// applyContact puts the fields that live on the link to the primary account
// where they belong.
func applyContact(s *store, ch *change) {
	link := s.primaryRelation(ch.row.id)
	if ch.input.Has("account_position") {
		if link != nil {
			link.values.Set("position", ch.input.Get("account_position"))
			s.touch(link)
		} else {
			ch.row.values.Set("position", ch.input.Get("account_position"))
		}
	}
	if value := ch.input.Get("primary_account_relationship"); value != nil && link != nil {
		link.values.Set("relationship", json.Number(fmt.Sprint(value)))
		s.touch(link)
	}
}
