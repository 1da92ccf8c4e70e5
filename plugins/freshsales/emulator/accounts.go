package emulator

import (
	"slices"
	"strconv"
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

var accountTexts = strings.Fields(`name address city state zipcode country website phone facebook twitter linkedin avatar`)

func (i *instance) routeAccounts(in *request, rest []string) (answer, *failure) {
	switch in.method + " " + strings.Join(rest, "/") {
	case "GET filters":
		return i.filters(accountViews(i.env))
	case "POST ":
		return i.createAccount(in)
	case "POST upsert":
		return i.upsertAccount(in)
	case "POST bulk_destroy":
		return i.bulkDestroyAccounts(in)
	}
	switch {
	case len(rest) == 2 && in.method == "GET" && rest[0] == "view":
		return i.listAccounts(in, rest[1])
	case len(rest) == 2 && in.method == "DELETE" && rest[1] == "forget":
		return i.forgetAccount(rest[0])
	case len(rest) != 1:
		return answer{}, notFound()
	}
	switch in.method {
	case "GET":
		return i.getAccount(rest[0])
	case "PUT":
		return i.updateAccount(in, rest[0])
	case "DELETE":
		return i.deleteAccount(in, rest[0])
	}
	return answer{}, notFound()
}

func (i *instance) accountAt(text string) (*account, *failure) {
	id, problem := i.parseID(text)
	if problem != nil {
		return nil, problem
	}
	a, known := i.accountByID(id)
	if !known {
		return nil, i.unknownID()
	}
	return a, nil
}

func showAccount(a *account) *kit.Object { return kit.Pairs("sales_account", a.record.Clone()) }

func (i *instance) listAccounts(in *request, viewID string) (answer, *failure) {
	_, views := accountViews(i.env)
	kind, problem := i.viewKindOf(viewID, views)
	if problem != nil {
		return answer{}, problem
	}
	var all []*account
	for _, a := range i.accounts {
		if a.deleted() == (kind == viewBin) && (kind != viewMine || a.record.Get("owner_id") == number(ownerIDs[0])) {
			all = append(all, a)
		}
	}
	page, meta, problem := pageOf(i, in, all, func(a *account) *kit.Object { return a.record })
	if problem != nil {
		return answer{}, problem
	}
	list := []any{}
	for _, a := range page {
		list = append(list, a.record.Clone())
	}
	return ok(kit.Pairs("sales_accounts", list, "meta", meta)), nil
}

func (i *instance) getAccount(id string) (answer, *failure) {
	a, problem := i.accountAt(id)
	if problem == nil && a.deleted() && i.env.Switch("get_after_delete") == "404" {
		problem = notFound()
	}
	if problem != nil {
		return answer{}, problem
	}
	return ok(showAccount(a)), nil
}

func (i *instance) createAccount(in *request) (answer, *failure) {
	attributes, problem := i.envelope(in, "sales_account")
	if problem != nil {
		return answer{}, problem
	}
	a, problem := i.insertAccount(attributes)
	if problem != nil {
		return answer{}, problem
	}
	return answer{status: i.createStatus(), body: showAccount(a)}, nil
}

func (i *instance) insertAccount(attributes *kit.Object) (*account, *failure) {
	if strings.TrimSpace(attributes.Text("name")) == "" {
		return nil, invalid("Name can't be blank")
	}
	a := i.newAccount(i.now())
	if messages := i.applyToAccount(a.record, attributes); len(messages) > 0 {
		return nil, invalid(messages...)
	}
	i.accounts = append(i.accounts, a)
	return a, nil
}

func (i *instance) updateAccount(in *request, id string) (answer, *failure) {
	a, problem := i.accountAt(id)
	if problem == nil && a.deleted() && i.env.Switch("update_after_delete") == "404" {
		problem = notFound()
	}
	if problem != nil {
		return answer{}, problem
	}
	attributes, problem := i.envelope(in, "sales_account")
	if problem != nil {
		return answer{}, problem
	}
	return i.changeAccount(a, attributes)
}

func (i *instance) changeAccount(a *account, attributes *kit.Object) (answer, *failure) {
	record := a.record.Clone()
	record.Set("updated_at", i.now())
	if messages := i.applyToAccount(record, attributes); len(messages) > 0 {
		return answer{}, invalid(messages...)
	}
	a.record = record
	return ok(showAccount(a)), nil
}

// upsertAccount goes by name.
func (i *instance) upsertAccount(in *request) (answer, *failure) {
	body, problem := i.object(in)
	if problem != nil {
		return answer{}, problem
	}
	identifier, _ := body.Get("unique_identifier").(*kit.Object)
	attributes, fine := body.Get("sales_account").(*kit.Object)
	if identifier == nil || identifier.Text("name") == "" || !fine {
		return answer{}, invalid("unique_identifier is missing")
	}
	a, known := find(i.accounts, func(a *account) bool {
		return !a.deleted() && strings.EqualFold(a.record.Text("name"), identifier.Text("name"))
	})
	if known {
		return i.changeAccount(a, attributes)
	}
	if !attributes.Has("name") {
		attributes.Set("name", identifier.Get("name"))
	}
	a, problem = i.insertAccount(attributes)
	if problem != nil {
		return answer{}, problem
	}
	status, _ := strconv.Atoi(i.env.Switch("upsert_insert_status"))
	return answer{status: status, body: showAccount(a)}, nil
}

func (i *instance) applyToAccount(record, attributes *kit.Object) []string {
	var messages []string
	for _, key := range attributes.Keys() {
		value := attributes.Get(key)
		bad := label(key) + " is invalid"
		switch {
		case slices.Contains(accountTexts, key):
			text, isText := value.(string)
			if !isText && value != nil || key == "name" && strings.TrimSpace(text) == "" {
				messages = append(messages, bad)
				continue
			}
			record.Set(key, value)
		case key == "number_of_employees" || key == "annual_revenue":
			if _, err := strconv.ParseFloat(textOf(value), 64); err != nil && value != nil {
				messages = append(messages, bad)
				continue
			}
			record.Set(key, value)
		case key == "owner_id" || key == "parent_sales_account_id":
			known := i.knownAccount
			if key == "owner_id" {
				known = func(id int64) bool { _, is := i.userByID(id); return is }
			}
			id, fine := reference(value, known)
			if !fine {
				messages = append(messages, bad)
				continue
			}
			record.Set(key, orNull(id))
		case key == "tags":
			tags, fine := tagList(value)
			if !fine {
				messages = append(messages, bad)
				continue
			}
			record.Set(key, tags)
		case key == "custom_field":
			messages = append(messages, i.applyCustomFields(record, value, accountCustomFields)...)
		case !slices.Contains(accountKeys, key) && i.env.Switch("unknown_attribute") == "400":
			messages = append(messages, label(key)+" is not a known attribute")
		}
	}
	return messages
}

// deleteAccount bins an account. With the cascade parameter its contacts go
// along, without it they lose the link for good.
func (i *instance) deleteAccount(in *request, id string) (answer, *failure) {
	a, problem := i.accountAt(id)
	if problem == nil && a.deleted() && i.env.Switch("second_delete") == "404" {
		problem = notFound()
	}
	if problem != nil {
		return answer{}, problem
	}
	i.binAccount(a, in.query.Get("delete_associated_contacts_deals") == "true")
	return i.removed("delete_answer"), nil
}

func (i *instance) binAccount(a *account, cascade bool) {
	i.bin(a.record)
	for _, c := range i.contacts {
		linked := slices.ContainsFunc(c.accounts, func(l accountLink) bool { return l.id == a.id })
		switch {
		case linked && cascade:
			i.bin(c.record)
		case linked:
			c.accounts = slices.DeleteFunc(c.accounts, func(l accountLink) bool { return l.id == a.id })
		}
	}
}

func (i *instance) forgetAccount(id string) (answer, *failure) {
	a, problem := i.accountAt(id)
	if problem != nil {
		return answer{}, problem
	}
	i.binAccount(a, false)
	i.accounts = slices.DeleteFunc(i.accounts, func(other *account) bool { return other == a })
	return i.removed("forget_answer"), nil
}

func (i *instance) bulkDestroyAccounts(in *request) (answer, *failure) {
	ids, problem := i.selectedIDs(in)
	if problem != nil {
		return answer{}, problem
	}
	for _, id := range ids {
		if a, known := i.accountByID(id); known {
			i.binAccount(a, false)
		}
	}
	return i.removed("bulk_destroy_answer"), nil
}
