package emulator

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// searchLimit bounds an answer of search, which has no pages here.
const searchLimit = 100

// search is fuzzy and answers a bare array whose ids are strings.
func (i *instance) search(in *request) (answer, *failure) {
	wanted := words(in.query.Get("include"))
	term := strings.ToLower(strings.TrimSpace(in.query.Get("q")))
	if term == "" {
		return answer{}, invalid("q is missing")
	}
	hits := []any{}
	asked := func(kind string) bool { return len(wanted) == 0 || slices.Contains(wanted, kind) }
	matches := func(values ...any) bool {
		return slices.ContainsFunc(values, func(v any) bool { return strings.Contains(strings.ToLower(textOf(v)), term) })
	}
	for _, c := range i.contacts {
		r := c.record
		values := []any{r.Get("display_name"), r.Get("work_email"), r.Get("work_number"), r.Get("mobile_number")}
		for _, e := range emailsOf(c) {
			values = append(values, e.(*kit.Object).Get("value"))
		}
		if asked("contact") && !c.deleted() && matches(values...) {
			hits = append(hits, kit.Pairs("id", textOf(r.Get("id")), "type", "contact", "name", r.Get("display_name"),
				"email", r.Get("email"), "avatar", r.Get("avatar"), "company_name", i.companyOf(c)))
		}
	}
	for _, a := range i.accounts {
		r := a.record
		if asked("sales_account") && !a.deleted() && matches(r.Get("name"), r.Get("website"), r.Get("phone")) {
			hits = append(hits, kit.Pairs("id", textOf(r.Get("id")), "type", "sales_account", "name", r.Get("name"),
				"email", nil, "avatar", r.Get("avatar"), "company_name", nil))
		}
	}
	return ok(hits[:min(len(hits), searchLimit)]), nil
}

func (i *instance) companyOf(c *contact) any {
	link, found := find(c.accounts, func(l accountLink) bool { return l.primary })
	if !found {
		return nil
	}
	a, known := i.accountByID(link.id)
	if !known {
		return nil
	}
	return a.record.Get("name")
}

// lookup finds by one exact field and answers doubly nested lists.
func (i *instance) lookup(in *request) (answer, *failure) {
	value, field := in.query.Get("q"), in.query.Get("f")
	entities := words(in.query.Get("entities"))
	switch {
	case value == "":
		return answer{}, invalid("q is missing")
	case len(entities) == 0:
		return answer{}, invalid("entities is missing")
	}
	var contactFields, accountFields []string
	switch field {
	case "email":
		contactFields = []string{"email"}
	case "mobile_number":
		contactFields = []string{"mobile_number"}
	case "phone":
		contactFields, accountFields = []string{"work_number", "mobile_number"}, []string{"phone"}
	case "external_id":
		contactFields = []string{"external_id"}
	case "name":
		contactFields, accountFields = []string{"display_name"}, []string{"name"}
	default:
		return answer{}, invalid("f is invalid")
	}
	has := func(record *kit.Object, keys []string) bool {
		return slices.ContainsFunc(keys, func(key string) bool { return strings.EqualFold(record.Text(key), value) })
	}
	body := &kit.Object{}
	for _, entity := range entities {
		list := []any{}
		switch entity {
		case "contact":
			for _, c := range i.contacts {
				if !c.deleted() && (has(c.record, contactFields) || field == "email" && indexOfValue(emailsOf(c), value) >= 0) {
					list = append(list, i.show(c, nil))
				}
			}
		case "sales_account":
			for _, a := range i.accounts {
				if !a.deleted() && has(a.record, accountFields) {
					list = append(list, a.record.Clone())
				}
			}
		default:
			continue // deals and the like are not emulated
		}
		body.Set(entity+"s", kit.Pairs(entity+"s", list))
	}
	return ok(body), nil
}

// partialKeys are what a filtered search shows of a contact.
var partialKeys = strings.Fields(`id job_title lead_score email work_number mobile_number open_deals_amount display_name avatar
	last_contacted_mode last_contacted first_name last_name city country created_at updated_at`)

// filteredSearch finds by rules, all of which must hold, and answers partial
// records. Paging comes in the query; a client sends per_page in the body.
func (i *instance) filteredSearch(in *request) (answer, *failure) {
	body, problem := i.object(in)
	if problem != nil {
		return answer{}, problem
	}
	rules, isArray := body.Get("filter_rule").([]any)
	if !isArray || len(rules) == 0 {
		return answer{}, invalid("filter_rule is missing")
	}
	var holds []func(*contact) bool
	for _, rule := range rules {
		hold, problem := filterRule(rule)
		if problem != nil {
			return answer{}, problem
		}
		holds = append(holds, hold)
	}
	for _, name := range []string{"page", "per_page", "sort", "sort_type"} {
		if text := textOf(body.Get(name)); text != "" && !in.query.Has(name) {
			in.query.Set(name, text)
		}
	}
	var all []*contact
	for _, c := range i.contacts {
		if !c.deleted() && !slices.ContainsFunc(holds, func(hold func(*contact) bool) bool { return !hold(c) }) {
			all = append(all, c)
		}
	}
	page, meta, problem := pageOf(i, in, all, func(c *contact) *kit.Object { return c.record })
	if problem != nil {
		return answer{}, problem
	}
	list := []any{}
	for _, c := range page {
		partial := kit.Pairs("partial", true)
		for _, key := range partialKeys {
			partial.Set(key, c.record.Get(key))
		}
		list = append(list, partial)
	}
	if i.env.Switch("filtered_total_pages") == "absent" {
		meta.Delete("total_pages")
	}
	return ok(kit.Pairs("contacts", list, "meta", meta)), nil
}

// filterRule reads {"attribute", "operator", "value"}.
func filterRule(rule any) (func(*contact) bool, *failure) {
	o, isObject := rule.(*kit.Object)
	if !isObject {
		return nil, invalid("filter_rule is invalid")
	}
	attribute, operator, value := o.Text("attribute"), o.Text("operator"), o.Get("value")
	values, fine := filterable(attribute)
	if !fine {
		return nil, invalid("attribute is invalid")
	}
	switch operator {
	case "equals", "is_in":
		wanted, isArray := value.([]any)
		if !isArray || operator == "equals" {
			wanted = []any{value}
		}
		for _, w := range wanted {
			switch w.(type) {
			case string, bool, json.Number:
			default:
				return nil, invalid("value is invalid")
			}
		}
		return func(c *contact) bool {
			return slices.ContainsFunc(values(c), func(v any) bool {
				return v != nil && slices.ContainsFunc(wanted, func(w any) bool { return strings.EqualFold(textOf(v), textOf(w)) })
			})
		}, nil
	case "is_after":
		after, err := parseTime(textOf(value))
		if err != nil {
			return nil, invalid("value is invalid")
		}
		return func(c *contact) bool {
			return slices.ContainsFunc(values(c), func(v any) bool {
				t, err := parseTime(textOf(v))
				return err == nil && t.After(after)
			})
		}, nil
	default:
		return nil, invalid("operator is invalid")
	}
}

// filterable returns how to read an attribute's values of a contact.
func filterable(attribute string) (func(*contact) []any, bool) {
	isCustom := func(f customField) bool { return f.name == attribute }
	switch {
	case attribute == "contact_email.email":
		return func(c *contact) []any {
			var values []any
			for _, e := range emailsOf(c) {
				values = append(values, e.(*kit.Object).Get("value"))
			}
			return values
		}, true
	case attribute == "owner_id":
		return func(c *contact) []any { return []any{orNull(c.owner)} }, true
	case attribute == "tags":
		return func(c *contact) []any { return c.record.Get("tags").([]any) }, true
	case slices.Contains(contactKeys, attribute):
		return func(c *contact) []any { return []any{c.record.Get(attribute)} }, true
	case slices.ContainsFunc(contactCustomFields, isCustom):
		return func(c *contact) []any {
			return []any{c.record.Get("custom_field").(*kit.Object).Get(attribute)}
		}, true
	}
	return nil, false
}

// parseTime reads a timestamp or a plain date, which is taken as UTC.
func parseTime(text string) (time.Time, error) {
	if t, err := time.Parse(time.DateOnly, text); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC3339, text)
}
