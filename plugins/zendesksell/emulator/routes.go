package emulator

import (
	"io"
	"net/http"
	"net/url"
	"sort"
	"strconv"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// route is what one path and verb do.
type route struct {
	scope  string
	handle func(*call) reply
	// list is set where the request takes the parameters of a list: as
	// filters, and for a GET as paging and order too.
	list *listing
	// paged tells whether list's paging and order apply.
	paged bool
}

// route finds a request's route by its path and verb.
func (v *vendor) route(c *call) (route, bool) {
	get := c.method == http.MethodGet || c.method == http.MethodHead
	resource, rest := c.path[0], c.path[1:]
	switch resource {
	case "contacts":
		return v.contactRoute(c, get, rest)
	case "tags":
		return v.tagRoute(c, get, rest)
	case "users":
		switch {
		case !get || len(rest) > 1:
		case len(rest) == 0:
			list := v.users()
			return route{scope: "profile", list: list, paged: true, handle: func(c *call) reply { return v.list(c, list) }}, true
		case rest[0] == "":
		case rest[0] == "self":
			return route{scope: "profile", handle: v.userSelf}, true
		default:
			return route{scope: "profile", handle: v.userGet}, true
		}
	case "accounts":
		if get && len(rest) == 1 && rest[0] == "self" {
			return route{scope: "profile", handle: v.accountSelf}, true
		}
	case "contact", "lead", "deal", "prospect_and_customer":
		if get && len(rest) == 1 && rest[0] == "custom_fields" {
			list := v.customFieldList(resource)
			return route{scope: "read", list: list, paged: true, handle: func(c *call) reply { return v.list(c, list) }}, true
		}
	}
	return route{}, false
}

func (v *vendor) contactRoute(c *call, get bool, rest []string) (route, bool) {
	switch {
	case len(rest) == 0 && get:
		return route{scope: "read", list: v.contactList(), paged: true, handle: v.contactsList}, true
	case len(rest) == 0 && c.method == http.MethodPost:
		return route{scope: "write", handle: v.contactCreate}, true
	case len(rest) == 1 && rest[0] == "upsert" && c.method == http.MethodPost:
		return route{scope: "write", list: v.contactList(), handle: v.contactUpsert}, true
	case len(rest) != 1 || rest[0] == "":
	case get:
		return route{scope: "read", handle: v.contactGet}, true
	case c.method == http.MethodPut:
		return route{scope: "write", handle: v.contactUpdate}, true
	case c.method == http.MethodDelete:
		return route{scope: "write", handle: v.contactDelete}, true
	}
	return route{}, false
}

func (v *vendor) tagRoute(c *call, get bool, rest []string) (route, bool) {
	switch {
	case len(rest) == 0 && get:
		list := v.tagList()
		return route{scope: "read", list: list, paged: true, handle: func(c *call) reply { return v.list(c, list) }}, true
	case len(rest) == 0 && c.method == http.MethodPost:
		return route{scope: "write", handle: v.tagCreate}, true
	case len(rest) != 1 || rest[0] == "":
	case get:
		return route{scope: "read", handle: v.tagGet}, true
	case c.method == http.MethodPut:
		return route{scope: "write", handle: v.tagUpdate}, true
	case c.method == http.MethodDelete:
		return route{scope: "write", handle: v.tagDelete}, true
	}
	return route{}, false
}

// unknownParameter refuses a query that has a parameter the route does not
// know. That is confirmed for a GET; here it holds for every verb.
func (r route) unknownParameter(query url.Values) (reply, bool) {
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		known := r.list != nil && r.list.filterFor(name) != nil
		if r.paged {
			known = known || name == "page" || name == "per_page" || (name == "sort_by" && r.list.sortable != nil)
		}
		if !known {
			return invalidParam("the request query parameter '%s' is not known", name), true
		}
	}
	return reply{}, false
}

// pathID reads the id at the end of a path. The text is for the answer.
func (c *call) pathID() (id int64, text string, ok bool) {
	text, err := url.PathUnescape(c.path[len(c.path)-1])
	if err != nil {
		return 0, c.path[len(c.path)-1], false
	}
	id, ok = parseID(text)
	return id, text, ok
}

// parseID takes decimal digits that fit 64 bits, and no sign.
func parseID(text string) (int64, bool) {
	for _, r := range text {
		if r < '0' || r > '9' {
			return 0, false
		}
	}
	id, err := strconv.ParseInt(text, 10, 64)
	return id, err == nil
}

func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	return io.ReadAll(r.Body)
}

func parseForm(c *call) (url.Values, bool) {
	if mediaType(c.header) != "application/x-www-form-urlencoded" {
		return nil, false
	}
	form, err := url.ParseQuery(string(c.body))
	return form, err == nil
}

// single is the vendor's envelope of one record.
func single(data *kit.Object, meta *kit.Object) reply {
	return reply{status: http.StatusOK, body: kit.Pairs("data", data, "meta", meta)}
}
