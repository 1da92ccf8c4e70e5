package emulator

import (
	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// customField is a field that somebody added to the emulated account.
type customField struct {
	name, label, kind string
	choices           []string
}

// Names of custom fields may hold a dash. A multi-select is one string with
// ";" between the choices.
var contactCustomFields = []customField{
	{name: "cf_region", label: "Region", kind: "dropdown", choices: []string{"EMEA", "APAC", "AMER"}},
	{name: "cf_is_active", label: "Is active", kind: "checkbox"},
	{name: "cf_no-go_types", label: "No-go types", kind: "multi_select_dropdown", choices: []string{"calls", "letters", "visits"}},
	{name: "cf_badge_number", label: "Badge number", kind: "number"},
	{name: "cf_renewal_date", label: "Renewal date", kind: "date"},
	{name: "cf_remarks", label: "Remarks", kind: "textarea"},
}

var accountCustomFields = []customField{
	{name: "cf_tier", label: "Tier", kind: "dropdown", choices: []string{"gold", "silver"}},
}

func emptyCustomFields(fields []customField) *kit.Object {
	o := &kit.Object{}
	for _, f := range fields {
		o.Set(f.name, nil)
	}
	return o
}

func contactFields() (answer, *failure) {
	return fieldList("Contact", contactCustomFields, []customField{
		{name: "first_name", label: "First name", kind: "text"},
		{name: "last_name", label: "Last name", kind: "text"},
		{name: "job_title", label: "Job title", kind: "text"},
		{name: "emails", label: "Emails", kind: "email"},
		{name: "work_number", label: "Work", kind: "text"},
		{name: "mobile_number", label: "Mobile", kind: "text"},
		{name: "address", label: "Address", kind: "text"},
		{name: "city", label: "City", kind: "text"},
		{name: "state", label: "State", kind: "text"},
		{name: "zipcode", label: "Zipcode", kind: "text"},
		{name: "country", label: "Country", kind: "text"},
	})
}

func accountFields() (answer, *failure) {
	return fieldList("SalesAccount", accountCustomFields, []customField{
		{name: "name", label: "Name", kind: "text"},
		{name: "website", label: "Website", kind: "text"},
		{name: "phone", label: "Phone", kind: "text"},
	})
}

// fieldList describes built-in fields (default true) and custom ones. The
// items of choices are unconfirmed.
func fieldList(model string, custom, builtIn []customField) (answer, *failure) {
	list := []any{}
	add := func(f customField, isDefault bool) {
		at := int64(len(list) + 1)
		choices := []any{}
		for n, value := range f.choices {
			choices = append(choices, kit.Pairs("id", number(71000000000+at*100+int64(n)), "value", value))
		}
		list = append(list, kit.Pairs("id", number(71000000000+at), "label", f.label, "name", f.name, "type", f.kind,
			"default", isDefault, "actionable", true, "position", number(at), "choices", choices,
			"base_model", model, "required", model == "SalesAccount" && f.name == "name"))
	}
	for _, f := range builtIn {
		add(f, true)
	}
	for _, f := range custom {
		add(f, false)
	}
	return ok(kit.Pairs("fields", list)), nil
}
