package emulator

import (
	"net/http"
	"strings"
)

// permission is what a route asks of the credentials.
type permission int

const (
	readContacts permission = iota
	manageContacts
	manageFields
)

type route struct {
	method     string
	pattern    []string
	permission permission
	handle     func(*state, *request) (any, *failure)
}

// routes is searched in order, so fixed paths stand before those with an id.
var routes = []route{
	on("GET", "contacts", readContacts, (*state).listContacts),
	on("POST", "contacts", manageContacts, (*state).createContact),
	on("POST", "contacts/query", readContacts, (*state).queryContacts),
	on("GET", "contacts/{id}", readContacts, (*state).getContact),
	on("PATCH", "contacts/{id}", manageContacts, (*state).updateContact),
	on("DELETE", "contacts/{id}", manageContacts, (*state).deleteContact),
	on("POST", "contacts/{id}/labels", manageContacts, (*state).labelContact),
	on("DELETE", "contacts/{id}/labels", manageContacts, (*state).unlabelContact),
	on("POST", "contacts/{id}/merge", manageContacts, (*state).mergeContacts),
	on("POST", "contacts/{id}/preview-merge", readContacts, (*state).previewMerge),

	on("POST", "bulk/contacts/delete", manageContacts, (*state).bulkDelete),
	on("POST", "bulk/contacts/update", manageContacts, (*state).bulkUpdate),
	on("POST", "bulk/contacts/add-remove-labels", manageContacts, (*state).bulkLabels),
	on("GET", "bulk/jobs", readContacts, (*state).listJobs),
	on("GET", "bulk/jobs/{id}", readContacts, (*state).getJob),

	on("GET", "labels", readContacts, labelCatalogue.list),
	on("POST", "labels", manageContacts, labelCatalogue.findOrCreate),
	on("POST", "labels/query", readContacts, labelCatalogue.query),
	on("GET", "labels/{key}", readContacts, labelCatalogue.get),
	on("PATCH", "labels/{key}", manageContacts, labelCatalogue.rename),
	on("DELETE", "labels/{key}", manageContacts, labelCatalogue.delete),

	on("GET", "extended-fields", manageFields, fieldCatalogue.list),
	on("POST", "extended-fields", manageFields, fieldCatalogue.findOrCreate),
	on("POST", "extended-fields/query", manageFields, fieldCatalogue.query),
	on("GET", "extended-fields/{key}", manageFields, fieldCatalogue.get),
	on("PATCH", "extended-fields/{key}", manageFields, fieldCatalogue.rename),
	on("DELETE", "extended-fields/{key}", manageFields, fieldCatalogue.delete),
}

func on(method, pattern string, p permission, handle func(*state, *request) (any, *failure)) route {
	return route{method: method, pattern: strings.Split("contacts/v4/"+pattern, "/"), permission: p, handle: handle}
}

// match returns the path's parameters. An empty segment is never an id.
func (r *route) match(method string, path []string) (map[string]string, bool) {
	if r.method != method || len(r.pattern) != len(path) {
		return nil, false
	}
	params := map[string]string{}
	for i, want := range r.pattern {
		switch {
		case strings.HasPrefix(want, "{"):
			if path[i] == "" {
				return nil, false
			}
			params[strings.Trim(want, "{}")] = path[i]
		case want != path[i]:
			return nil, false
		}
	}
	return params, true
}

// serve finds the route, checks the caller and runs the handler.
func (s *state) serve(q *request, path []string) (any, *failure) {
	s.finishJobs()
	if len(path) == 2 && path[0] == "oauth2" && q.method == http.MethodPost {
		switch path[1] {
		case "token":
			return s.issueToken(q)
		case "token-info":
			return s.tokenInfo(q)
		}
	}
	for i := range routes {
		params, ok := routes[i].match(q.method, path)
		if !ok {
			continue
		}
		q.params = params
		if fail := s.authenticate(q); fail != nil {
			return nil, fail
		}
		if fail := s.withinLimit(); fail != nil {
			return nil, fail
		}
		if fail := s.permit(routes[i].permission); fail != nil {
			return nil, fail
		}
		return routes[i].handle(s, q)
	}
	return nil, noSuchRoute()
}

func (s *state) permit(p permission) *failure {
	switch allowed := s.env.Switch("permissions"); {
	case allowed == "read_only" && p != readContacts,
		allowed == "no_extended_fields" && p == manageFields:
		return refused(http.StatusForbidden, "PERMISSION_DENIED", "The caller lacks the permission for this method.")
	}
	return nil
}
