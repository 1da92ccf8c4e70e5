package emulator

import (
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// valueKind is what a filter compares.
type valueKind int

const (
	textValue valueKind = iota
	guidValue
	timeValue
	dateValue
	numberValue
)

// filterField says what can be done with one field.
type filterField struct {
	kind      valueKind
	operators string // space separated
	sortable  bool
	paths     []string // where its values are in the wire form
}

const (
	opsID     = "$eq $ne $in $exists"
	opsTime   = "$eq $ne $gt $gte $lt $lte"
	opsText   = "$eq $ne $in $exists $startsWith"
	opsStatus = "$eq $ne $in $nin"
	opsKeys   = "$hasSome $hasAll"
)

// filterFields is the vendor's table of what contacts can be filtered and
// sorted by. Paths never contain the items wrapper.
var filterFields = map[string]*filterField{
	"id":                        {guidValue, opsID, false, []string{"id"}},
	"createdDate":               {timeValue, opsTime, true, []string{"createdDate"}},
	"updatedDate":               {timeValue, opsTime, false, []string{"updatedDate"}},
	"lastActivity.activityDate": {timeValue, opsTime, true, []string{"lastActivity.activityDate"}},
	"primaryInfo.email":         {textValue, opsText, true, []string{"primaryInfo.email"}},
	"primaryInfo.phone":         {textValue, opsText, false, []string{"primaryInfo.phone"}},

	"primaryEmail.email":                {textValue, opsText, true, []string{"primaryEmail.email"}},
	"primaryEmail.subscriptionStatus":   {textValue, opsStatus, false, []string{"primaryEmail.subscriptionStatus"}},
	"primaryEmail.deliverabilityStatus": {textValue, opsStatus, false, []string{"primaryEmail.deliverabilityStatus"}},
	"primaryPhone.phone":                {textValue, opsText, false, []string{"primaryPhone.phone"}},
	"primaryPhone.e164Phone":            {textValue, opsText, false, []string{"primaryPhone.e164Phone"}},
	"primaryPhone.formattedPhone":       {textValue, opsText, true, []string{"primaryPhone.formattedPhone"}},
	"primaryPhone.countryCode":          {textValue, opsText, true, []string{"primaryPhone.countryCode"}},
	"primaryPhone.subscriptionStatus":   {textValue, opsStatus, false, []string{"primaryPhone.subscriptionStatus"}},

	"info.name.first":            {textValue, opsText, true, []string{"info.name.first"}},
	"info.name.last":             {textValue, opsText, true, []string{"info.name.last"}},
	"info.company":               {textValue, opsText, true, []string{"info.company"}},
	"info.jobTitle":              {textValue, opsText, true, []string{"info.jobTitle"}},
	"info.birthdate":             {dateValue, opsTime, true, []string{"info.birthdate"}},
	"info.locale":                {textValue, opsID, false, []string{"info.locale"}},
	"info.emails.email":          {textValue, opsText, false, []string{"info.emails.items.email"}},
	"info.phones.phone":          {textValue, opsText, false, []string{"info.phones.items.phone"}},
	"info.phones.e164Phone":      {textValue, opsText, false, []string{"info.phones.items.e164Phone"}},
	"info.addresses.street":      {textValue, opsText, false, []string{"info.addresses.items.address.addressLine", "info.addresses.items.address.streetAddress.name"}},
	"info.addresses.city":        {textValue, opsText, false, []string{"info.addresses.items.address.city"}},
	"info.addresses.subdivision": {textValue, opsID, false, []string{"info.addresses.items.address.subdivision"}},
	"info.addresses.country":     {textValue, opsID, false, []string{"info.addresses.items.address.country"}},
	"info.labelKeys":             {textValue, opsKeys, false, []string{"info.labelKeys.items"}},
	"info.locations":             {textValue, opsKeys, false, []string{"info.locations.items"}},
}

const extendedPrefix = "info.extendedFields."

// filterField returns what is known of a name in a filter, nil for nothing.
func (s *state) filterField(name string) *filterField {
	key, ok := strings.CutPrefix(name, extendedPrefix)
	if !ok {
		return filterFields[name]
	}
	field := s.fields.find(key)
	if field == nil {
		return nil
	}
	spec := &filterField{kind: textValue, operators: opsText, paths: []string{extendedPrefix + "items\x00" + key}}
	switch {
	case strings.HasSuffix(key, "Status"):
		spec.operators = opsStatus
	case field.Text("dataType") == "NUMBER":
		spec.kind, spec.operators = numberValue, opsTime+" $in $exists"
	case field.Text("dataType") == "DATE":
		spec.kind, spec.operators = dateValue, opsTime+" $exists"
	}
	return spec
}

// values returns what a contact in its wire form holds at the field's paths.
func (f *filterField) values(contact *kit.Object) []any {
	var out []any
	for _, path := range f.paths {
		// An extended field's key has dots in it and comes whole, at the end.
		path, key, _ := strings.Cut(path, "\x00")
		steps := strings.Split(path, ".")
		if key != "" {
			steps = append(steps, key)
		}
		out = append(out, walk(contact, steps)...)
	}
	return out
}

func walk(value any, steps []string) []any {
	switch v := value.(type) {
	case nil:
		return nil
	case []any:
		var out []any
		for _, item := range v {
			out = append(out, walk(item, steps)...)
		}
		return out
	case []string:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = item
		}
		return out
	case *kit.Object:
		if len(steps) == 0 {
			return nil
		}
		return walk(v.Get(steps[0]), steps[1:])
	default:
		if len(steps) > 0 {
			return nil
		}
		return []any{v}
	}
}
