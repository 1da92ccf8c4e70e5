package emulator

import (
	"slices"
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

func emailsOf(c *contact) []any { return c.record.Get("emails").([]any) }

// applyEmail writes the single form: the primary address.
func (i *instance) applyEmail(c *contact, value any) []string {
	if value == nil || value == "" {
		c.record.Set("emails", withPrimary(slices.DeleteFunc(slices.Clone(emailsOf(c)), isPrimary)))
		return nil
	}
	address, isText := value.(string)
	if !isText || !i.emailFits(address) {
		return []string{"Email is invalid"}
	}
	if i.emailTaken(c, address) {
		return []string{textTaken}
	}
	list := emailsOf(c)
	if at := indexOfValue(list, address); at >= 0 {
		makePrimary(list, at)
		return nil
	}
	if at := slices.IndexFunc(list, isPrimary); at >= 0 && i.env.Switch("email_write") == "replaces" {
		list[at].(*kit.Object).Set("value", address)
		return nil
	}
	list = append(list, i.newEmail(address))
	makePrimary(list, len(list)-1)
	c.record.Set("emails", list)
	return nil
}

// applyEmails writes the array form, which adds and changes: what it does not
// name stays, unless a switch says otherwise. To remove an address its object comes with its id and _destroy
// true; _destroy without an id is about nothing and is passed over. The value
// may also be one address as a string.
func (i *instance) applyEmails(c *contact, value any) []string {
	var items []any
	switch v := value.(type) {
	case nil:
	case string:
		items = []any{kit.Pairs("value", v)}
	case []any:
		items = v
	default:
		return []string{"Emails is invalid"}
	}
	list := slices.Clone(emailsOf(c))
	named := map[any]bool{} // the entries that the array is about
	primary := ""           // the address that is to be primary
	for _, item := range items {
		o, isObject := item.(*kit.Object)
		if !isObject {
			return []string{"Emails is invalid"}
		}
		at := -1
		if o.Get("id") != nil {
			id, _ := idOf(o.Get("id"))
			at = slices.IndexFunc(list, func(e any) bool { return e.(*kit.Object).Get("id") == number(id) })
			if at < 0 {
				return []string{"Emails is invalid"}
			}
		}
		if o.Get("_destroy") == true {
			if at >= 0 {
				list = slices.Delete(list, at, at+1)
			}
			continue
		}
		address, isText := o.Get("value").(string)
		if at >= 0 && o.Get("value") == nil {
			address, isText = list[at].(*kit.Object).Text("value"), true
		}
		if !isText || !i.emailFits(address) {
			return []string{"Email is invalid"}
		}
		if i.emailTaken(c, address) {
			return []string{textTaken}
		}
		if at < 0 {
			at = indexOfValue(list, address)
		}
		if at < 0 {
			list = append(list, i.newEmail(address))
			at = len(list) - 1
		}
		entry := list[at].(*kit.Object)
		named[entry] = true
		entry.Set("value", address)
		if text, given := o.Get("label").(string); given {
			entry.Set("label", text)
		}
		if o.Get("is_primary") == true && primary == "" {
			primary = address
		}
	}
	list = i.withoutOthers(list, named)
	if at := indexOfValue(list, primary); primary != "" && at >= 0 {
		makePrimary(list, at)
	}
	c.record.Set("emails", withPrimary(list))
	return nil
}

// withoutOthers leaves out the entries that an array did not name, where it
// replaces what was there.
func (i *instance) withoutOthers(list []any, named map[any]bool) []any {
	if i.env.Switch("array_write") == "adds" {
		return list
	}
	return slices.DeleteFunc(list, func(entry any) bool { return !named[entry] })
}

func (i *instance) newEmail(address string) *kit.Object {
	return kit.Pairs("id", number(i.newID("email")), "value", address, "is_primary", false, "label", nil, "_destroy", false)
}

func isPrimary(e any) bool { return e.(*kit.Object).Get("is_primary") == true }

func makePrimary(list []any, primary int) {
	for at, e := range list {
		e.(*kit.Object).Set("is_primary", at == primary)
	}
}

// withPrimary makes the first address primary when none is.
func withPrimary(list []any) []any {
	if len(list) > 0 && !slices.ContainsFunc(list, isPrimary) {
		makePrimary(list, 0)
	}
	return list
}

func indexOfValue(list []any, value string) int {
	return slices.IndexFunc(list, func(e any) bool { return strings.EqualFold(e.(*kit.Object).Text("value"), value) })
}

// emailTaken tells whether another contact has an address that this one does
// not have yet.
func (i *instance) emailTaken(c *contact, address string) bool {
	if indexOfValue(emailsOf(c), address) >= 0 {
		return false
	}
	return slices.ContainsFunc(i.contacts, func(other *contact) bool {
		if other.id == c.id || other.deleted() && i.env.Switch("email_of_deleted") == "free" {
			return false
		}
		return indexOfValue(emailsOf(other), address) >= 0
	})
}

// emailFits checks the bare form of an address, one "@" with something on
// either side and no white space.
func (i *instance) emailFits(value any) bool {
	address, isText := value.(string)
	if !isText {
		return false
	}
	if i.env.Switch("invalid_email") == "stored" {
		return true
	}
	local, domain, found := strings.Cut(address, "@")
	return found && local != "" && domain != "" && !strings.Contains(domain, "@") && !strings.ContainsAny(address, " \t\r\n")
}

// applyPhones writes phone_numbers as applyEmails writes emails. Its items are
// unconfirmed: objects like those of emails, and plain strings, are accepted.
func (i *instance) applyPhones(c *contact, value any) []string {
	items, isArray := value.([]any)
	if !isArray && value != nil {
		return []string{"Phone numbers is invalid"}
	}
	list := slices.Clone(c.record.Get("phone_numbers").([]any))
	named := map[any]bool{}
	for _, item := range items {
		if text, isText := item.(string); isText {
			item = kit.Pairs("value", text)
		}
		o, isObject := item.(*kit.Object)
		if !isObject {
			return []string{"Phone numbers is invalid"}
		}
		at := -1
		if o.Get("id") != nil {
			id, _ := idOf(o.Get("id"))
			at = slices.IndexFunc(list, func(p any) bool { return p.(*kit.Object).Get("id") == number(id) })
			if at < 0 {
				return []string{"Phone numbers is invalid"}
			}
		}
		if o.Get("_destroy") == true {
			if at >= 0 {
				list = slices.Delete(list, at, at+1)
			}
			continue
		}
		text, isText := o.Get("value").(string)
		if at >= 0 && o.Get("value") == nil {
			text, isText = list[at].(*kit.Object).Text("value"), true
		}
		if !isText {
			return []string{"Phone numbers is invalid"}
		}
		if at < 0 {
			at = indexOfValue(list, text)
		}
		if at < 0 {
			list = append(list, kit.Pairs("id", number(i.newID("phone")), "value", text, "label", nil, "_destroy", false))
			at = len(list) - 1
		}
		entry := list[at].(*kit.Object)
		named[entry] = true
		entry.Set("value", text)
		if kind, given := o.Get("label").(string); given {
			entry.Set("label", kind)
		}
	}
	c.record.Set("phone_numbers", i.withoutOthers(list, named))
	return nil
}
