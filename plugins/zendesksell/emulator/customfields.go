package emulator

import (
	"slices"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// customField is one definition. Values are keyed by its display name.
type customField struct {
	id                     int64
	name, kind             string
	choices                []string
	filterable             bool // set in the vendor's settings, not in its metadata
	companyOnly, humanOnly bool
}

// contactFields are the contacts' custom fields: one of each type, with names
// that break dotted paths, query parameters and ASCII.
var contactFields = []customField{
	{id: 800001, name: "Known via", kind: "list", choices: []string{"Fair", "Web", "Referral"}, filterable: true},
	{id: 800002, name: "Budget", kind: "number", filterable: true},
	{id: 800003, name: "Newsletter", kind: "bool", filterable: true},
	{id: 800004, name: "Interests", kind: "multi_select_list", choices: []string{"Paper", "Ink", "Looms, used"}, filterable: true},
	{id: 800005, name: "Renewal date", kind: "date"},
	{id: 800006, name: "Last visit", kind: "datetime"},
	{id: 800007, name: "Second address", kind: "address"},
	{id: 800008, name: "field.with.dots", kind: "string", filterable: true},
	{id: 800009, name: "Shoe size [EU]", kind: "string", filterable: true},
	{id: 800010, name: "Größe", kind: "text"},
	{id: 800011, name: "Backup email", kind: "email"},
	{id: 800012, name: "Direct line", kind: "phone", humanOnly: true},
	{id: 800013, name: "Blog", kind: "url"},
	{id: 800014, name: "Fiscal year", kind: "string", companyOnly: true},
}

// otherFields are those of the other resource types. One name has another
// type there than on contacts, which the vendor allows.
var otherFields = map[string][]customField{
	"lead":                  {{id: 810001, name: "Budget", kind: "string"}},
	"deal":                  {{id: 820001, name: "Known via", kind: "list", choices: []string{"Fair", "Web"}}},
	"prospect_and_customer": nil,
}

func contactField(name string) *customField {
	for i := range contactFields {
		if contactFields[i].name == name {
			return &contactFields[i]
		}
	}
	return nil
}

// customFieldList is the metadata of a resource type's custom fields.
func (v *vendor) customFieldList(resource string) *listing {
	fields := contactFields
	if resource != "contact" {
		fields = otherFields[resource]
	}
	l := &listing{
		resource: "custom_field", path: "/v2/" + resource + "/custom_fields",
		filterFor:   func(string) filter { return nil },
		defaultSort: "id:asc",
		render: func(it item) (data, meta *kit.Object) {
			return it.data, kit.Pairs("type", "custom_field")
		},
	}
	made := stamp(kit.Epoch)
	for _, field := range fields {
		o := kit.Pairs("id", field.id, "name", field.name, "type", field.kind)
		var choices any
		if field.choices != nil {
			list := []any{}
			for _, name := range field.choices {
				list = append(list, field.choice(name))
			}
			choices = list
		}
		o.Set(v.env.Switch("custom_field_choices"), choices)
		if resource == "contact" {
			o.Set(v.env.Switch("custom_field_flags"), !field.humanOnly)
			o.Set("for_contact", !field.companyOnly)
		}
		o.Set("created_at", made)
		o.Set("updated_at", made)
		l.items = append(l.items, item{data: o})
	}
	return l
}

// choice is a chosen value as an object.
func (f *customField) choice(name string) *kit.Object {
	return kit.Pairs("id", f.id*100+int64(slices.Index(f.choices, name))+1, "name", name)
}

// renderCustomFields returns stored values in the form that switches select.
func (v *vendor) renderCustomFields(stored *kit.Object) *kit.Object {
	out := &kit.Object{}
	objects, us := v.env.Switch("list_value") == "object", v.env.Switch("custom_field_dates") == "us"
	for _, name := range stored.Keys() {
		value := stored.Get(name)
		field := contactField(name)
		text, _ := value.(string)
		switch {
		case field.kind == "list" && objects:
			value = field.choice(text)
		case field.kind == "multi_select_list" && objects:
			list := []any{}
			for _, entry := range value.([]any) {
				list = append(list, field.choice(entry.(string)))
			}
			value = list
		case field.kind == "date" && us:
			if t, err := time.Parse("2006-01-02", text); err == nil {
				value = t.Format("01/02/2006")
			}
		}
		out.Set(name, value)
	}
	return out
}

// customFieldFilter matches a field's value exactly; one of a multi-select's
// values is enough.
func customFieldFilter(field *customField) filter {
	return func(want string) (condition, string) {
		return func(o *kit.Object) bool {
			value, ok := o.Get("custom_fields").(*kit.Object).Lookup(field.name)
			if list, isList := value.([]any); isList {
				return slices.Contains(list, any(want))
			}
			return ok && textOf(value) == want
		}, ""
	}
}
