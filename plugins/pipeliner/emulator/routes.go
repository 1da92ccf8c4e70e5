package emulator

import (
	"mime"
	"net/http"
	"net/url"
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// route is a path below /api/v100/rest/spaces.
type route struct {
	space, collection string
	// rest is what follows the collection: an id, a call's name, or "".
	rest string
}

// parseRoute splits a path by its own slashes, before unescaping: an id with
// an escaped slash is one segment. It neither cleans nor redirects. An empty
// last segment is the collection itself, which is what becomes of an empty id.
func parseRoute(escaped string) (route, bool) {
	parts := strings.Split(escaped, "/")
	if len(parts) < 8 || len(parts) > 9 || parts[0] != "" {
		return route{}, false
	}
	for i, part := range parts {
		text, err := url.PathUnescape(part)
		if err != nil {
			return route{}, false
		}
		parts[i] = text
	}
	if parts[1] != "api" || parts[2] != "v100" || parts[3] != "rest" || parts[4] != "spaces" || parts[6] != "entities" {
		return route{}, false
	}
	to := route{space: parts[5], collection: parts[7]}
	if to.space == "" || to.collection == "" {
		return route{}, false
	}
	if len(parts) == 9 {
		to.rest = parts[8]
	}
	return to, true
}

// request is one call on a known collection by an accepted key.
type request struct {
	store *store
	env   *kit.Env
	w     http.ResponseWriter
	r     *http.Request
	body  []byte
	c     *collection
	view  view
}

// serve picks the operation.
func (q *request) serve(to route) failure {
	var err failure
	if q.view, err = newView(q.env, q.r.Header.Get("Timezone")); err != nil {
		return err
	}
	method := q.r.Method
	if method != http.MethodGet && q.env.Switch("permission") == "read_only" {
		return unconfirmed(http.StatusForbidden, "FORBIDDEN", "The API key may not change records.")
	}
	if method == http.MethodPost && to.rest != "" {
		switch {
		case to.rest == "batch-modify" && q.c.writable:
			return q.batchModify()
		case to.rest == "batch-delete" && q.c.writable:
			return q.batchDelete()
		case to.rest == "batch-restore" && q.c.writable:
			return q.batchRestore()
		case to.rest == "merge" && q.c.merges:
			return q.merge()
		}
		return q.wrongMethod()
	}
	switch {
	case method == http.MethodGet && to.rest == "":
		return q.list()
	case method == http.MethodGet:
		return q.get(to.rest)
	case !q.c.writable:
		return q.wrongMethod()
	case method == http.MethodPost:
		return q.create()
	case method == http.MethodPatch && to.rest != "":
		return q.update(to.rest)
	case method == http.MethodDelete && to.rest != "":
		return q.remove(to.rest)
	default:
		return q.wrongMethod()
	}
}

// wrongMethod answers a method that the path has not. DELETE and PATCH with an
// empty id end here: their path is the collection's.
func (q *request) wrongMethod() failure {
	if q.env.Switch("wrong_method") == "405" {
		return routeError(http.StatusMethodNotAllowed, "The method is not allowed for the requested URL.")
	}
	return noRoute
}

// parameters checks the names of the query parameters against those that the
// operation knows. "filter" stands for filter[...] and filter-op[...].
func (q *request) parameters(known ...string) (url.Values, failure) {
	query := q.r.URL.Query()
	if q.env.Switch("unknown_query") != "refuse" {
		return query, nil
	}
	for name := range query {
		base := name
		if key, _, ok := bracketed(name); ok {
			base = key
		}
		found := false
		for _, k := range known {
			found = found || k == base || (k == "filter" && base == "filter-op")
		}
		if !found {
			return nil, badParameter("Unknown parameter " + name + ".")
		}
	}
	return query, nil
}

// bracketed splits "filter[email1]" into "filter" and "email1".
func bracketed(name string) (key, inner string, ok bool) {
	key, inner, ok = strings.Cut(name, "[")
	if !ok || !strings.HasSuffix(inner, "]") {
		return "", "", false
	}
	return key, strings.TrimSuffix(inner, "]"), true
}

// isJSON tells whether a request says that its body is JSON.
func isJSON(r *http.Request) bool {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && (media == "application/json" || strings.HasSuffix(media, "+json"))
}
