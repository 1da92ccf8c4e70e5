package emulator

import (
	"net/http"
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// customField is a field that a customer defined, with its metadata.
type customField struct {
	name, label string
	typ         fieldType
	fieldType   string // the vendor's FIELD_TYPE
	options     []string
	fixed       bool // the vendor fills it in; nobody can edit it
}

var (
	contactCustomFields = []customField{
		{name: "Region__c", label: "Region", typ: textField, fieldType: "DROPDOWN", options: []string{"EMEA", "AMER", "APAC"}},
		{name: "Score__c", label: "Score", typ: numberField, fieldType: "NUMERIC"},
		{name: "Newsletter__c", label: "Newsletter", typ: booleanField, fieldType: "BIT"},
		{name: "Renewal__c", label: "Renewal", typ: dateField, fieldType: "DATE"},
		{name: "Remarks__c", label: "Remarks", typ: textField, fieldType: "MULTILINETEXT"},
		{name: "Member_Number__c", label: "Member number", typ: textField, fieldType: "AUTONUMBER", fixed: true},
	}
	organisationCustomFields = []customField{
		{name: "Segment__c", label: "Segment", typ: textField, fieldType: "TEXT"},
	}
)

// metadata is one custom field as /CustomFields shows it.
func (c customField) metadata(k *kind, order int) *kit.Object {
	options := []any{}
	for i, option := range c.options {
		options = append(options, kit.Pairs("OPTION_ID", i+1, "OPTION_VALUE", option, "OPTION_DEFAULT", false))
	}
	return kit.Pairs(
		"FIELD_NAME", c.name,
		"FIELD_ORDER", order,
		"FIELD_FOR", strings.ToUpper(k.object),
		"FIELD_LABEL", c.label,
		"FIELD_TYPE", c.fieldType,
		"FIELD_HELP_TEXT", nil,
		"DEFAULT_VALUE", nil,
		"EDITABLE", !c.fixed,
		"VISIBLE", true,
		"CUSTOM_FIELD_OPTIONS", options,
		"DEPENDENCY", nil,
		"JOIN_OBJECT", nil,
	)
}

// routeCustomFields serves /CustomFields/{object} and its Search.
func (e *emulator) routeCustomFields(r *request, rest []string) *answer {
	if len(rest) == 0 || len(rest) > 2 {
		return noRoute()
	}
	if r.Method != http.MethodGet {
		return notAllowed(r, "GET")
	}
	k := kinds[strings.ToLower(rest[0])]
	if k == nil {
		return e.invalid("Object %s is not valid.", rest[0])
	}
	if len(rest) == 1 {
		list := []any{}
		for i, c := range k.customs {
			list = append(list, c.metadata(k, i+1))
		}
		return asJSON(http.StatusOK, list)
	}
	if !strings.EqualFold(rest[1], "search") {
		return noRoute()
	}
	// The vendor's description calls the parameter fieldName, a client in
	// production sends field_name.
	name := r.query.Get("fieldName")
	if name == "" {
		name = r.query.Get("field_name")
	}
	for i, c := range k.customs {
		if c.name == name {
			return asJSON(http.StatusOK, c.metadata(k, i+1))
		}
	}
	return e.invalid("Custom field %s is not valid.", name)
}
