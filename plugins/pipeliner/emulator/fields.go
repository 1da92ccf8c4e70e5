package emulator

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// creatableTypes are the field types that the API can make.
var creatableTypes = []string{
	"input", "text_area", "dropdown", "checkbox", "multiselect_checkbox", "radio", "currency", "currency_foreign",
	"date", "datetime", "float", "integer", "sequence", "url", "email", "phone",
}

// fieldEntities are the entities that can have custom fields.
var fieldEntities = []string{
	"Account", "Contact", "Lead", "Opportunity", "Product", "LeadOpptyProductRelation", "Task", "Appointment", "Project",
}

func hasOptions(typeID string) bool {
	return typeID == "dropdown" || typeID == "radio" || typeID == "multiselect_checkbox"
}

// systemField marks the Fields rows that the product itself brings.
const systemField = 1

// readCustom brings the custom fields up to the Fields rows.
func (s *store) readCustom() {
	custom := map[string][]field{}
	for _, r := range s.tables[fieldRows].rows {
		if r.deleted || r.values.Get("system_type") != nil {
			continue
		}
		f := field{name: r.values.Text("api_name"), onCreate: true, onUpdate: true}
		switch typeID := r.values.Text("type_id"); typeID {
		case "dropdown", "radio":
			f.kind, f.target, f.dataSet = kindRef, options, r.values.Text("data_set_id")
		case "multiselect_checkbox":
			f.kind, f.target, f.dataSet = kindOptions, options, r.values.Text("data_set_id")
		case "checkbox":
			f.kind = kindBoolean
		case "float", "currency":
			f.kind = kindFloat
		case "integer":
			f.kind = kindInteger
		case "date":
			f.kind = kindDate
		case "datetime":
			f.kind = kindStamp
		case "currency_foreign":
			f.kind, f.noQuery = kindAnything, true
		case "sequence":
			f.onCreate, f.onUpdate = false, false
		}
		entity := r.values.Text("entity_name")
		custom[entity] = append(custom[entity], f)
	}
	s.custom = custom
}

// fieldID returns the id of a field's Fields row, or one in its place.
func (s *store) fieldID(entity, name string) string {
	for _, r := range s.tables[fieldRows].rows {
		if r.values.Text("entity_name") == entity && r.values.Text("api_name") == name {
			return r.id
		}
	}
	return makeID(0x20039800, entity+"."+name)
}

// checkField holds a new custom field to the vendor's rules and gives it the
// names that the vendor generates.
func checkField(s *store, ch *change) []problem {
	if !ch.creating {
		if ch.row.values.Get("system_type") != nil {
			return []problem{invalid("", "System fields cannot be changed.")}
		}
		return nil
	}
	var problems []problem
	typeID, entity := ch.values.Text("type_id"), ch.values.Text("entity_name")
	if typeID != "" && !slices.Contains(creatableTypes, typeID) {
		problems = append(problems, invalid("type_id", fmt.Sprintf("Field type %q cannot be made.", typeID)))
	}
	if entity != "" && !slices.Contains(fieldEntities, entity) {
		problems = append(problems, invalid("entity_name", fmt.Sprintf("%q has no custom fields.", entity)))
	}
	ch.values.Set("api_name", s.apiName(entity, ch.values.Text("name")))
	if hasOptions(typeID) && ch.values.Get("data_set_id") == nil {
		ch.values.Set("data_set_id", makeID(0x3c440000+s.made, "data sets"))
	}
	for _, name := range []string{"system_required", "system_readonly", "is_unique"} {
		ch.values.Set(name, false)
	}
	return problems
}

// apiName makes a free name of a custom field. The prefix is common lore.
func (s *store) apiName(entity, name string) string {
	base := "cf_" + strings.Trim(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return '_'
	}, name), "_")
	free := base
	for n := 2; ; n++ {
		taken := false
		for _, r := range s.tables[fieldRows].rows {
			taken = taken || (r.values.Text("entity_name") == entity && r.values.Text("api_name") == free)
		}
		if !taken {
			return free
		}
		free = fmt.Sprintf("%s%d", base, n)
	}
}

func applyField(s *store, _ *change) { s.readCustom() }
