package emulator

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// catalogue is a set of definitions that contacts refer to by key: the labels
// or the extended fields. Both have the same calls under other names.
type catalogue struct {
	entries []*kit.Object
}

func (c *catalogue) find(key string) *kit.Object {
	for _, entry := range c.entries {
		if entry.Text("key") == key {
			return entry
		}
	}
	return nil
}

// catalogueKind is what the two catalogues differ in.
type catalogueKind struct {
	one, many, isNew string
	typeKey          string
	maxName          int
	defaultLimit     int64
	maxLimit         int64
	of               func(*state) *catalogue
}

var (
	labelCatalogue = &catalogueKind{
		one: "label", many: "labels", isNew: "newLabel", typeKey: "labelType", maxName: 180, defaultLimit: 1000, maxLimit: 2000,
		of: func(s *state) *catalogue { return s.labels },
	}
	// No cap on a page of fields is documented; there are few of them.
	fieldCatalogue = &catalogueKind{
		one: "field", many: "fields", isNew: "newField", typeKey: "fieldType", maxName: 150, defaultLimit: 100, maxLimit: 1000,
		of: func(s *state) *catalogue { return s.fields },
	}
)

func (k *catalogueKind) filterField(name string) *filterField {
	spec, ok := map[string]filterField{
		"key":         {kind: textValue, operators: "$eq $ne $in"},
		"displayName": {kind: textValue, operators: "$eq $ne $in $startsWith", sortable: true},
		"createdDate": {kind: timeValue, operators: opsTime, sortable: true},
		"updatedDate": {kind: timeValue, operators: opsTime, sortable: true},
		"namespace":   {kind: textValue, operators: "$eq $ne"},
		k.typeKey:     {kind: textValue, operators: "$eq"},
	}[name]
	if name == "dataType" && k == fieldCatalogue {
		spec, ok = filterField{kind: textValue, operators: "$eq $ne"}, true
	}
	if !ok {
		return nil
	}
	spec.paths = []string{name}
	return &spec
}

func (k *catalogueKind) list(s *state, q *request) (any, *failure) {
	c := &check{}
	c.knownQuery(q, k.typeKey, "namespace", "startsWith", "sort.fieldName", "sort.order", "paging.limit", "paging.offset", "language")
	p := page{limit: c.queryInteger(q, "paging.limit", k.defaultLimit), offset: c.queryInteger(q, "paging.offset", 0)}
	order := c.sorting(q.query.Get("sort.fieldName"), q.query.Get("sort.order"), "sort")
	typ, namespace, start := q.query.Get(k.typeKey), q.query.Get("namespace"), q.query.Get("startsWith")
	return k.page(s, c, p, order, "metadata", func(entry *kit.Object) bool {
		return (typ == "" || entry.Text(k.typeKey) == typ) &&
			(namespace == "" || entry.Text("namespace") == namespace) &&
			strings.HasPrefix(entry.Text("displayName"), start)
	})
}

func (k *catalogueKind) query(s *state, q *request) (any, *failure) {
	body, fail := parseBody(q.body)
	if fail != nil {
		return nil, fail
	}
	c := &check{}
	c.known(body, "", "query", "language")
	query, _ := c.object(body, "query", "query")
	if query == nil {
		query = kit.Pairs()
	}
	c.known(query, "query", "filter", "sort", "paging")
	p := c.paging(query, "query", defaultLimit)
	order := c.sort(query, "query", 1)
	if fail := c.verdict(s.env); fail != nil {
		return nil, fail
	}
	matches, fail := compileFilter(query.Get("filter"), k.filterField)
	if fail != nil {
		if fail.code == "UNSUPPORTED_FILTER_FIELD_UNKNOWN" {
			fail.code = "UNSUPPORTED_FILTER_FIELD" // the name in these two APIs
		}
		return nil, fail
	}
	return k.page(s, c, p, order, "pagingMetadata", matches)
}

func (k *catalogueKind) page(s *state, c *check, p page, order sorting, metadataKey string, wanted predicate) (any, *failure) {
	c.offset(p)
	if p.limit < 1 || p.limit > k.maxLimit {
		c.violate("paging.limit", "must be between 1 and "+strconv.FormatInt(k.maxLimit, 10), "MAX", "")
	}
	if fail := c.verdict(s.env); fail != nil {
		return nil, fail
	}
	var found []*kit.Object
	for _, entry := range k.of(s).entries {
		if wanted(entry) {
			found = append(found, entry)
		}
	}
	if order.field != "" {
		if spec := k.filterField(order.field); spec == nil || !spec.sortable {
			return nil, applicationError(http.StatusBadRequest, "INVALID_SORT", "Sorting by "+order.field+" is not supported.")
		}
		slices.SortStableFunc(found, func(a, b *kit.Object) int {
			if order.descending {
				a, b = b, a
			}
			return strings.Compare(a.Text(order.field), b.Text(order.field))
		})
	}
	shown, metadata := cut(found, p)
	list := make([]any, len(shown))
	for i, entry := range shown {
		list[i] = entry
	}
	return kit.Pairs(k.many, list, metadataKey, metadata), nil
}
