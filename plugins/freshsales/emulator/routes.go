package emulator

import "strings"

// route finds the handler. A path or method that the vendor does not have is
// a 404: there is no 405 among its documented statuses.
func (i *instance) route(in *request) (answer, *failure) {
	if !in.inside || len(in.path) == 0 {
		return answer{}, notFound()
	}
	rest := in.path[1:]
	switch in.path[0] {
	case "contacts":
		return i.routeContacts(in, rest)
	case "sales_accounts":
		return i.routeAccounts(in, rest)
	case "notes":
		return i.routeNotes(in, rest)
	}
	switch in.method + " " + strings.Join(in.path, "/") {
	case "GET search":
		return i.search(in)
	case "GET lookup":
		return i.lookup(in)
	case "POST filtered_search/contact":
		return i.filteredSearch(in)
	case "GET selector/owners":
		return i.owners()
	case "GET selector/contact_statuses":
		return i.contactStatuses()
	case "GET selector/lifecycle_stages":
		return i.lifecycleStages()
	case "GET settings/contacts/fields":
		return contactFields()
	case "GET settings/sales_accounts/fields":
		return accountFields()
	case "GET lists":
		return i.allLists(in)
	}
	if in.method == "GET" && in.path[0] == "job_statuses" && len(rest) == 1 {
		return i.jobStatus(rest[0])
	}
	return answer{}, notFound()
}

func (i *instance) routeContacts(in *request, rest []string) (answer, *failure) {
	switch in.method + " " + strings.Join(rest, "/") {
	case "GET filters":
		return i.filters(contactViews(i.env))
	case "POST ":
		return i.createContact(in)
	case "POST upsert":
		return i.upsertContact(in)
	case "POST bulk_upsert":
		return i.bulkUpsert(in)
	case "POST bulk_destroy":
		return i.bulkDestroyContacts(in)
	}
	switch {
	case len(rest) == 2 && in.method == "GET" && rest[0] == "view":
		return i.listContacts(in, rest[1])
	case len(rest) == 2 && in.method == "GET" && rest[0] == "lists":
		return i.contactsOfList(in, rest[1])
	case len(rest) == 0 || len(rest) > 2:
		return answer{}, notFound()
	}
	action := in.method
	if len(rest) == 2 {
		action += " " + rest[1]
	}
	handler := map[string]func(*request, string) (answer, *failure){
		"GET":            i.getContact,
		"PUT":            i.updateContact,
		"DELETE":         i.deleteContact,
		"DELETE forget":  i.forgetContact,
		"POST clone":     i.cloneContact,
		"GET activities": i.contactActivities,
		"GET notes":      i.contactNotes,
	}[action]
	if handler == nil {
		return answer{}, notFound()
	}
	return handler(in, rest[0])
}
