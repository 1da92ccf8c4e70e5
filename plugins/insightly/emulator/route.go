package emulator

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// request is a request with its body read and its query parsed.
type request struct {
	*http.Request
	body  []byte
	query url.Values
}

// wrongNumbers are the collection names in the number that the vendor does
// not use: singular where it has the plural and the reverse. They answer 405.
var wrongNumbers = []string{
	"contact", "organisation", "lead", "opportunity", "project", "task", "event", "note", "email",
	"milestone", "pipeline", "pipelinestage", "user", "tag", "team",
	"tickets", "products", "quotations", "pricebooks", "prospects", "instances", "knowledgearticles",
}

// route finds the operation by the escaped path, segment by segment and
// without any cleaning: an id with an escaped slash in it stays one segment.
// Names are matched without regard to case; one trailing slash is ignored, so
// that a missing id leaves the collection.
func (e *emulator) route(r *request) *answer {
	segments := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	for i, segment := range segments {
		plain, err := url.PathUnescape(segment)
		if err != nil {
			return e.unbindable()
		}
		segments[i] = plain
	}
	if last := len(segments) - 1; segments[last] == "" {
		segments = segments[:last]
	}
	if len(segments) < 2 || !strings.EqualFold(segments[0], apiVersion) {
		return noRoute()
	}
	name, rest := strings.ToLower(segments[1]), segments[2:]
	if k := kinds[name]; k != nil {
		return e.routeKind(r, k, rest)
	}
	switch name {
	case "users":
		return e.routeUsers(r, rest)
	case "customfields":
		return e.routeCustomFields(r, rest)
	case "tags":
		return e.routeTags(r, rest)
	case "instance":
		return e.routeInstance(r, rest)
	case "relationships":
		return e.routeRelationships(r, rest)
	}
	if slices.Contains(wrongNumbers, name) {
		return notAllowed(r, "")
	}
	return noRoute()
}

// routeKind serves a writable collection.
func (e *emulator) routeKind(r *request, k *kind, rest []string) *answer {
	if len(rest) == 0 {
		return e.routeCollection(r, k)
	}
	if len(rest) == 1 {
		switch strings.ToLower(rest[0]) {
		case "search":
			if r.Method != http.MethodGet {
				return notAllowed(r, "GET")
			}
			return e.search(r, k)
		case "searchbytag":
			if !slices.Contains(k.collections, "TAGS") {
				return noRoute()
			}
			if r.Method != http.MethodGet {
				return notAllowed(r, "GET")
			}
			return e.searchByTag(r, k)
		}
		if r.Method != http.MethodGet && r.Method != http.MethodDelete {
			// An update goes to the collection, with the id in the body.
			return notAllowed(r, "GET, DELETE")
		}
		rec, refusal := e.locate(r, k, rest[0])
		if refusal != nil {
			return refusal
		}
		if r.Method == http.MethodDelete {
			return e.remove(r, k, rec)
		}
		return asJSON(http.StatusOK, rec.doc)
	}
	if !slices.Contains(k.subs, strings.ToLower(rest[1])) {
		return noRoute()
	}
	return e.routeSub(r, k, rest[0], strings.ToLower(rest[1]), rest[2:])
}

func (e *emulator) routeCollection(r *request, k *kind) *answer {
	switch {
	case r.Method == http.MethodGet:
		return e.list(r, k)
	case r.Method == http.MethodPost && !k.noPost:
		return e.create(r, k, nil)
	case r.Method == http.MethodPut:
		return e.update(r, k)
	case k.noPost:
		return notAllowed(r, "GET, PUT")
	default:
		return notAllowed(r, "GET, POST, PUT")
	}
}

// locate finds the record that a path's id names, or gives the refusal. A
// deleted record is found by the requests that a switch lets see it.
func (e *emulator) locate(r *request, k *kind, segment string) (*record, *answer) {
	id, err := strconv.ParseInt(segment, 10, 64)
	if err != nil {
		if e.env.Switch("malformed_id") == "404" {
			return nil, noRoute()
		}
		return nil, e.unbindable()
	}
	rec := e.state.find(k, id)
	switch {
	case rec == nil:
		return nil, e.notFound(k.object, id)
	case rec.noAccess:
		return nil, e.noAccess(k, id)
	case rec.deleted && r.Method == http.MethodDelete:
		switch e.env.Switch("second_delete") {
		case "202":
			return nil, empty(http.StatusAccepted)
		case "417":
			return nil, empty(http.StatusExpectationFailed)
		}
		return nil, e.notFound(k.object, id)
	case rec.deleted && (r.Method != http.MethodGet || e.env.Switch("get_after_delete") != "200"):
		return nil, e.notFound(k.object, id)
	}
	return rec, nil
}

func (e *emulator) noAccess(k *kind, id int64) *answer {
	if e.env.Switch("no_access") == "404" {
		return e.notFound(k.object, id)
	}
	return message(http.StatusForbidden, "API User does not have access to Record.")
}
