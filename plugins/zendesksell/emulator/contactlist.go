package emulator

import (
	"slices"
	"strings"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

var (
	customerStatuses = []string{"none", "current", "past"}
	prospectStatuses = []string{"none", "current", "lost"}
	addressSlots     = []string{"address", "billing_address", "shipping_address"}
	addressKeys      = []string{"line1", "city", "postal_code", "state", "country"}
	// filteredAddressKeys are the parts of an address that lists filter by.
	filteredAddressKeys = []string{"city", "postal_code", "state", "country"}
)

// contactList is what the list of contacts can do, without its records.
func (v *vendor) contactList() *listing {
	return &listing{
		resource: "contact", path: "/v2/contacts",
		filterFor:   contactFilter,
		sortable:    contactSort,
		defaultSort: "last_name:asc",
		render:      v.renderContact,
	}
}

// contactListAt adds the records that lists show at a time.
func (v *vendor) contactListAt(now time.Time) *listing {
	l := v.contactList()
	lag := v.lag()
	var shown []*contact
	for _, c := range v.state.order {
		if c.made.IsZero() || now.Sub(c.made) >= lag {
			shown = append(shown, c)
		}
	}
	if lag > 0 {
		for _, c := range v.state.gone {
			if now.Sub(c.gone) < lag && (c.made.IsZero() || now.Sub(c.made) >= lag) {
				shown = append(shown, c)
			}
		}
		slices.SortFunc(shown, byID)
	}
	l.items = make([]item, len(shown))
	for i, c := range shown {
		l.items[i] = c.item
	}
	return l
}

// contactFilter returns the filter that a parameter of the contacts list is.
func contactFilter(parameter string) filter {
	switch parameter {
	case "ids":
		return idsFilter
	case "creator_id", "owner_id", "contact_id":
		return idFilter(parameter)
	case "is_organization":
		return boolFilter(parameter)
	case "customer_status":
		return enumFilter(parameter, customerStatuses...)
	case "prospect_status":
		return enumFilter(parameter, prospectStatuses...)
	case "name", "first_name", "last_name", "email", "phone", "mobile":
		return textFilter(byAttribute(parameter))
	case "inclusive":
		return func(text string) (condition, string) {
			if _, ok := parseBool(text); !ok {
				return nil, "must be true or false"
			}
			return nil, ""
		}
	case "includes":
		// Documented by name only: whatever it asks for, it gets nothing more.
		return func(string) (condition, string) { return nil, "" }
	}
	for _, slot := range addressSlots {
		if key, ok := bracketed(parameter, slot); ok && slices.Contains(filteredAddressKeys, key) {
			return textFilter(func(o *kit.Object) any {
				address, ok := o.Get(slot).(*kit.Object)
				if !ok {
					return nil
				}
				return address.Get(key)
			})
		}
	}
	if name, ok := bracketed(parameter, "custom_fields"); ok {
		if field := contactField(name); field != nil && field.filterable {
			return customFieldFilter(field)
		}
	}
	return nil
}

// contactSort returns what contacts are sorted by: any attribute that is a
// scalar, or custom_fields:Name.
func contactSort(name string) func(*kit.Object) any {
	if field, ok := strings.CutPrefix(name, "custom_fields:"); ok {
		if contactField(field) == nil {
			return nil
		}
		return func(o *kit.Object) any {
			value := o.Get("custom_fields").(*kit.Object).Get(field)
			switch value.(type) {
			case string, bool:
				return value
			default:
				return nil
			}
		}
	}
	if !slices.Contains(contactKeys, name) || slices.Contains(addressSlots, name) || name == "tags" || name == "custom_fields" {
		return nil
	}
	return byAttribute(name)
}
