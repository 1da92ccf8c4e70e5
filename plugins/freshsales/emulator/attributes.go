package emulator

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// The attributes that a caller may write, by kind. The others of a contact
// are the vendor's: a write of them is accepted and changes nothing.
var (
	textAttributes = strings.Fields(`first_name last_name avatar job_title address city state zipcode country work_email
		work_number mobile_number time_zone locale external_id keyword medium facebook twitter linkedin
		subscription_types unsubscription_reason other_unsubscription_reason`)
	numberAttributes = strings.Fields(`subscription_status whatsapp_subscription_status sms_subscription_status`)
	// specialAttributes have a rule each in apply.
	specialAttributes = strings.Fields(`email emails phone_numbers tags custom_field owner_id contact_status_id
		lifecycle_stage_id sales_accounts sales_account_id created_at updated_at`)
)

// apply writes attributes to a contact and returns what is wrong with them.
// Only the keys that are there change. The contact is half written when there
// are messages: callers work on a copy.
func (i *instance) apply(c *contact, attributes *kit.Object) []string {
	var messages []string
	complain := func(key, text string) { messages = append(messages, label(key)+" "+text) }
	for _, key := range attributes.Keys() {
		value := attributes.Get(key)
		switch {
		case slices.Contains(textAttributes, key):
			if _, isText := value.(string); !isText && value != nil {
				complain(key, "is invalid")
				continue
			}
			c.record.Set(key, value)
		case slices.Contains(numberAttributes, key):
			n, err := strconv.ParseInt(textOf(value), 10, 32)
			switch {
			case value == nil:
				c.record.Set(key, nil)
			case err != nil:
				complain(key, "is invalid")
			default:
				c.record.Set(key, number(n)) // some callers send a string
			}
		case slices.Contains(specialAttributes, key):
			messages = append(messages, i.applySpecial(c, key, value)...)
		case !slices.Contains(contactKeys, key) && i.env.Switch("unknown_attribute") == "400":
			complain(key, "is not a known attribute")
		}
	}
	// The array and the single form may come together; the array has the say
	// and goes last.
	if value, there := attributes.Lookup("emails"); there {
		messages = append(messages, i.applyEmails(c, value)...)
	}
	if value, there := attributes.Lookup("sales_accounts"); there {
		messages = append(messages, i.applyAccounts(c, value)...)
	}
	if email := c.record.Get("work_email"); attributes.Has("work_email") && email != nil && !i.emailFits(email) {
		complain("work_email", "is invalid")
	}
	c.settle()
	return slices.Compact(messages)
}

func (i *instance) applySpecial(c *contact, key string, value any) []string {
	bad := []string{label(key) + " is invalid"}
	switch key {
	case "email":
		return i.applyEmail(c, value)
	case "phone_numbers":
		return i.applyPhones(c, value)
	case "custom_field":
		return i.applyCustomFields(c.record, value, contactCustomFields)
	case "tags":
		tags, fine := tagList(value)
		if !fine {
			return bad
		}
		c.record.Set(key, tags)
	case "owner_id":
		owner, fine := reference(value, func(id int64) bool { _, known := i.userByID(id); return known })
		if !fine {
			return bad
		}
		if owner != c.owner && owner != 0 {
			c.record.Set("last_assigned_at", c.record.Get("updated_at"))
		}
		c.owner = owner
	case "contact_status_id":
		status, fine := reference(value, knownStatus)
		if !fine {
			return bad
		}
		c.status = status
	case "lifecycle_stage_id":
		stage, fine := reference(value, knownStage)
		if !fine {
			return bad
		}
		c.stage = stage
	case "sales_account_id":
		id, fine := reference(value, i.knownAccount)
		if !fine {
			return bad
		}
		c.accounts = nil
		if id != 0 {
			c.accounts = []accountLink{{id: id, primary: true}}
		}
	case "created_at", "updated_at":
		text, _ := value.(string)
		if t, err := time.Parse(time.RFC3339, text); err == nil && i.env.Switch("write_timestamps") == "stored" {
			c.record.Set(key, stampOf(t))
		}
	}
	return nil
}

// applyAccounts replaces the accounts of a contact: at most ten, exactly one
// of them primary.
func (i *instance) applyAccounts(c *contact, value any) []string {
	list, isArray := value.([]any)
	if !isArray && value != nil {
		return []string{"Sales accounts is invalid"}
	}
	if len(list) > 10 {
		return []string{"A contact can have at most 10 sales accounts"}
	}
	var links []accountLink
	primaries := 0
	for _, item := range list {
		o, isObject := item.(*kit.Object)
		if !isObject {
			return []string{"Sales accounts is invalid"}
		}
		id, fine := idOf(o.Get("id"))
		primary, isBool := o.Get("is_primary").(bool)
		if !fine || !i.knownAccount(id) || !isBool && o.Get("is_primary") != nil {
			return []string{"Sales accounts is invalid"}
		}
		if slices.ContainsFunc(links, func(l accountLink) bool { return l.id == id }) {
			return []string{"Sales accounts is invalid"}
		}
		if primary {
			primaries++
		}
		links = append(links, accountLink{id: id, primary: primary})
	}
	if len(links) > 0 && primaries != 1 {
		return []string{"Exactly one sales account must be primary"}
	}
	c.accounts = links
	return nil
}

func (i *instance) knownAccount(id int64) bool {
	a, known := i.accountByID(id)
	return known && !a.deleted()
}

// applyCustomFields changes the fields that are named; their values are
// scalars, a multi-select too (one string with ";").
func (i *instance) applyCustomFields(record *kit.Object, value any, fields []customField) []string {
	if value == nil {
		return nil
	}
	wanted, isObject := value.(*kit.Object)
	if !isObject {
		return []string{"Custom field is invalid"}
	}
	var messages []string
	stored := record.Get("custom_field").(*kit.Object)
	for _, key := range wanted.Keys() {
		if !slices.ContainsFunc(fields, func(f customField) bool { return f.name == key }) {
			if i.env.Switch("unknown_attribute") == "400" {
				messages = append(messages, key+" is not a known custom field")
			}
			continue
		}
		switch wanted.Get(key).(type) {
		case nil, bool, string, json.Number:
			stored.Set(key, wanted.Get(key))
		default:
			messages = append(messages, key+" is invalid")
		}
	}
	return messages
}

// reference reads an id of something else; null and absent are zero.
func reference(value any, known func(int64) bool) (int64, bool) {
	if value == nil {
		return 0, true
	}
	id, fine := idOf(value)
	return id, fine && known(id)
}

func tagList(value any) ([]any, bool) {
	list, isArray := value.([]any)
	if !isArray {
		return []any{}, value == nil
	}
	for _, tag := range list {
		if _, isText := tag.(string); !isText {
			return nil, false
		}
	}
	return list, true
}

// textOf is a scalar as text, "" for anything else.
func textOf(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	default:
		return ""
	}
}

// label is an attribute's name in a message: "First name".
func label(key string) string {
	if key == "" {
		return "Attribute"
	}
	text := strings.ReplaceAll(key, "_", " ")
	return strings.ToUpper(text[:1]) + text[1:]
}
