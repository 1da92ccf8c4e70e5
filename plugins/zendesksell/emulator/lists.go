package emulator

import (
	"cmp"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// Page sizes, as documented. Beyond the largest is an error, not a clamp.
const (
	defaultPerPage = 25
	maxPerPage     = 100
)

// item is a record with what its meta needs.
type item struct {
	data    *kit.Object
	version int
}

// listing is what the list of one resource can do.
type listing struct {
	resource string
	path     string
	items    []item // by ascending id
	// filterFor returns the filter that a query parameter is, nil for none.
	filterFor func(parameter string) filter
	// sortable returns what a record is sorted by, nil for an unknown name.
	// It is nil itself where sorting is not offered.
	sortable    func(name string) func(*kit.Object) any
	defaultSort string
	render      func(item) (data, meta *kit.Object)
}

// list answers a list request: filter, sort, cut out a page.
func (v *vendor) list(c *call, l *listing) reply {
	items, refusal := l.matching(c.query)
	if refusal != nil {
		return *refusal
	}
	order := l.defaultSort
	if values, ok := c.query["sort_by"]; ok {
		order = values[len(values)-1]
	}
	if problem := l.sort(items, order); problem != "" {
		return invalidParam("the request query parameter 'sort_by' %s", problem)
	}
	perPage, refusal := pageNumber(c.query, "per_page", defaultPerPage, maxPerPage)
	if refusal != nil {
		return *refusal
	}
	page, refusal := pageNumber(c.query, "page", 1, v.number("page_depth", math.MaxInt))
	if refusal != nil {
		return *refusal
	}
	return v.page(c, l, items, page, perPage)
}

// page cuts out one page and links its neighbours.
func (v *vendor) page(c *call, l *listing, items []item, page, perPage int) reply {
	// Comparing page numbers rather than offsets: those could overflow.
	last := (len(items) + perPage - 1) / perPage
	var cut []item
	if page <= last {
		cut = items[(page-1)*perPage : min(page*perPage, len(items))]
	}
	rendered := make([]any, 0, len(cut))
	for _, it := range cut {
		data, meta := l.render(it)
		rendered = append(rendered, kit.Pairs("data", data, "meta", meta))
	}
	link := func(n int) string {
		query := url.Values{}
		for name, values := range c.query {
			query[name] = values[len(values)-1:]
		}
		query.Set("page", strconv.Itoa(n))
		query.Set("per_page", strconv.Itoa(perPage))
		return v.env.BaseURL() + l.path + "?" + query.Encode()
	}
	links := kit.Pairs("self", link(page), "first_page", link(1))
	neighbour := func(name string, n int, exists bool) {
		if exists {
			links.Set(name, link(n))
		} else if v.env.Switch("last_page_link") == "null" {
			links.Set(name, nil)
		}
	}
	neighbour("prev_page", page-1, page > 1)
	neighbour("next_page", page+1, page < last)
	// count is what is on this page, not a total.
	meta := kit.Pairs("type", "collection", "count", len(cut))
	if v.env.Switch("total_count") == "present" {
		meta.Set("total_count", len(items))
	}
	meta.Set("links", links)
	return reply{status: http.StatusOK, body: kit.Pairs("items", rendered, "meta", meta)}
}

// pageNumber reads page or per_page.
func pageNumber(query url.Values, name string, fallback, most int) (int, *reply) {
	values, ok := query[name]
	if !ok {
		return fallback, nil
	}
	text := values[len(values)-1]
	n, err := strconv.Atoi(text)
	if err == nil && n >= 1 && n <= most {
		return n, nil
	}
	bounds := "must be a number from 1"
	if most != math.MaxInt {
		bounds = "must be between 1 and " + strconv.Itoa(most)
	}
	re := invalidParam("the request query parameter '%s' %s (given: %s)", name, bounds, text)
	return 0, &re
}

// sort orders items in place. The text says why it cannot.
func (l *listing) sort(items []item, order string) string {
	name, descending := order, false
	if before, ok := strings.CutSuffix(order, ":asc"); ok {
		name = before
	} else if before, ok := strings.CutSuffix(order, ":desc"); ok {
		name, descending = before, true
	}
	var key func(*kit.Object) any
	if l.sortable == nil {
		key = byAttribute(name)
	} else {
		key = l.sortable(name)
	}
	if key == nil {
		return "names an unknown field or order (given: " + order + ")"
	}
	// Items come by ascending id, and equal keys stay that way.
	slices.SortStableFunc(items, func(a, b item) int {
		n := compareValues(key(a.data), key(b.data))
		if descending {
			return -n
		}
		return n
	})
	return ""
}

// byAttribute sorts by a top-level attribute.
func byAttribute(name string) func(*kit.Object) any {
	return func(o *kit.Object) any { return o.Get(name) }
}

// compareValues orders two values of one attribute; null comes after all.
func compareValues(a, b any) int {
	if a == nil || b == nil {
		return cmp.Compare(rank(a), rank(b))
	}
	switch a := a.(type) {
	case int64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, b)
		}
	case bool:
		if b, ok := b.(bool); ok {
			return cmp.Compare(truth(a), truth(b))
		}
	}
	return cmp.Compare(textOf(a), textOf(b))
}

func rank(value any) int {
	if value == nil {
		return 1
	}
	return 0
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}
