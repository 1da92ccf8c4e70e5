package emulator

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

const (
	defaultLimit = 50
	maxLimit     = 1000
)

// page is an offset page of a list.
type page struct {
	limit, offset int64
}

// sorting is one field and its direction.
type sorting struct {
	field      string
	descending bool
}

func (s *state) listContacts(q *request) (any, *failure) {
	c := &check{}
	c.knownQuery(q, "paging.limit", "paging.offset", "sort.fieldName", "sort.order", "fields", "fieldsets")
	p := page{limit: c.queryInteger(q, "paging.limit", defaultLimit), offset: c.queryInteger(q, "paging.offset", 0)}
	order := c.sorting(q.query.Get("sort.fieldName"), q.query.Get("sort.order"), "sort")
	show := c.project(q.query["fields"], q.query["fieldsets"], "")
	c.offset(p)
	if fail := c.verdict(s.env); fail != nil {
		return nil, fail
	}
	return s.contactPage(q, func(*contact) bool { return true }, order, p, show)
}

func (s *state) queryContacts(q *request) (any, *failure) {
	body, fail := parseBody(q.body)
	if fail != nil {
		return nil, fail
	}
	c := &check{}
	c.known(body, "", "query", "search")
	search, _ := c.length(body, "search", "search", 0, 100)
	query, _ := c.object(body, "query", "query")
	if query == nil {
		query = kit.Pairs()
	}
	c.known(query, "query", "filter", "sort", "paging", "fields", "fieldsets")
	p := c.paging(query, "query", defaultLimit)
	order := c.sort(query, "query", 1)
	fields, _ := c.texts(query, "fields", "query.fields")
	fieldsets, _ := c.texts(query, "fieldsets", "query.fieldsets")
	show := c.project(fields, fieldsets, "query")
	c.offset(p)
	if fail := c.verdict(s.env); fail != nil {
		return nil, fail
	}
	matches, fail := s.compile(query.Get("filter"))
	if fail != nil {
		return nil, fail
	}
	wanted := func(c *contact) bool { return matches(c.render()) && (search == "" || c.hasText(search)) }
	return s.contactPage(q, wanted, order, p, show)
}

// contactPage filters, sorts and cuts, and wraps the page in its envelope.
func (s *state) contactPage(q *request, wanted func(*contact) bool, order sorting, p page, show projection) (any, *failure) {
	if p.limit < 1 || p.limit > maxLimit {
		return nil, applicationError(http.StatusBadRequest, "ILLEGAL_LIMIT", "Limit must be between 1 and "+strconv.Itoa(maxLimit)+".")
	}
	if order.field != "" {
		if spec := s.filterField(order.field); spec == nil || !spec.sortable {
			return nil, applicationError(http.StatusBadRequest, "UNSUPPORTED_SORT_FIELD", "Sorting by "+order.field+" is not supported.")
		}
	}
	var found []*contact
	for _, c := range s.visible(q) {
		if wanted(c) {
			found = append(found, c)
		}
	}
	s.sortContacts(found, order)
	shown, metadata := cut(found, p)
	list := make([]any, len(shown))
	for i, c := range shown {
		list[i] = show.of(c)
	}
	if s.env.Switch("too_many_to_count") == "true" {
		metadata.Set("total", 0)
		metadata.Set("tooManyToCount", true)
	}
	out := kit.Pairs()
	if len(list) > 0 || s.env.Switch("empty_list") == "array" {
		out.Set("contacts", list)
	}
	out.Set("pagingMetadata", metadata)
	return out, nil
}

// cut returns a page and its metadata.
func cut[T any](all []T, p page) ([]T, *kit.Object) {
	total := int64(len(all))
	from := min(p.offset, total)
	shown := all[from : from+min(p.limit, total-from)]
	return shown, kit.Pairs("count", len(shown), "offset", p.offset, "total", total, "tooManyToCount", false)
}

// sortContacts keeps the order of creation among equals, so that pages do not
// overlap. Contacts without a value come first in ascending order.
func (s *state) sortContacts(list []*contact, order sorting) {
	if order.field == "" {
		order = sorting{field: "createdDate", descending: s.env.Switch("default_sort") == "createdDate_desc"}
	}
	spec := s.filterField(order.field)
	type keyed struct {
		value string
		c     *contact
	}
	keys := make([]keyed, len(list))
	for i, c := range list {
		keys[i].c = c
		if values := spec.values(c.render()); len(values) > 0 {
			text, _ := values[0].(string)
			keys[i].value = strings.ToLower(text) // dates sort as text too
		}
	}
	slices.SortStableFunc(keys, func(a, b keyed) int {
		if order.descending {
			a, b = b, a
		}
		return strings.Compare(a.value, b.value)
	})
	for i := range keys {
		list[i] = keys[i].c
	}
}

func (c *check) knownQuery(q *request, keys ...string) {
	for key := range q.query {
		if !slices.Contains(keys, key) {
			c.unknown = append(c.unknown, key)
		}
	}
	slices.Sort(c.unknown)
}

func (c *check) queryInteger(q *request, key string, otherwise int64) int64 {
	text := q.query.Get(key)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		c.wrongType("an integer", key)
	}
	return n
}

// sorting reads one field name and its direction.
func (c *check) sorting(field, order, path string) sorting {
	switch order {
	case "", "ASC", "DESC":
	default:
		c.wrongType("one of ASC, DESC", path+".order")
	}
	return sorting{field: field, descending: order == "DESC"}
}

func (c *check) paging(query *kit.Object, path string, otherwise int64) page {
	p := page{limit: otherwise}
	paging, _ := c.object(query, "paging", path+".paging")
	if paging == nil {
		return p
	}
	c.known(paging, path+".paging", "limit", "offset")
	if limit, given := c.integer(paging, "limit", path+".paging.limit"); given > null {
		p.limit = limit
	}
	p.offset, _ = c.integer(paging, "offset", path+".paging.offset")
	return p
}

func (c *check) offset(p page) {
	if p.offset < 0 {
		c.violate("paging.offset", "must be greater than or equal to 0", "MIN", "")
	}
}

// sort reads query.sort, of which only the first entry has an effect where the
// vendor allows one.
func (c *check) sort(query *kit.Object, path string, most int) sorting {
	list, _ := c.array(query, "sort", path+".sort")
	if len(list) > most {
		c.violate(path+".sort", "has size "+strconv.Itoa(len(list))+", expected "+strconv.Itoa(most)+" or less", "MAX_SIZE", "")
	}
	var order sorting
	for i, value := range list {
		at := path + ".sort[" + strconv.Itoa(i) + "]"
		entry, ok := value.(*kit.Object)
		if !ok {
			c.wrongType("an object", at)
			continue
		}
		c.known(entry, at, "fieldName", "order")
		field, _ := c.text(entry, "fieldName", at+".fieldName")
		direction, _ := c.text(entry, "order", at+".order")
		if read := c.sorting(field, direction, at); i == 0 {
			order = read
		}
	}
	return order
}
