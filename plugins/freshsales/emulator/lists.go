package emulator

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

const (
	defaultPage = 25
	maxPage     = 100
)

// view is a saved filter. Its id differs per account and user in real life.
type view struct {
	id        int64
	name      string
	isDefault bool
	kind      viewKind
}

type viewKind int

const (
	viewAll viewKind = iota
	viewMine
	viewBin
)

func viewsFrom(env *kit.Env, first int64, allName string) []view {
	if env.Switch("view_ids") == "second" {
		first += 500
	}
	// The whole view is not the first: clients must go by name or default.
	return []view{
		{id: first, name: strings.Replace(allName, "All", "My", 1), kind: viewMine},
		{id: first + 1, name: allName, isDefault: true, kind: viewAll},
		{id: first + 2, name: "Recycle Bin", kind: viewBin},
	}
}

func contactViews(env *kit.Env) (string, []view) {
	views := viewsFrom(env, 70008880001, "All Contacts")
	switch env.Switch("all_contacts_view") {
	case "renamed":
		views[1].name = "Everyone"
	case "not_default":
		views[0].isDefault, views[1].isDefault = true, false
	}
	return "Contact", views
}

func accountViews(env *kit.Env) (string, []view) {
	return "SalesAccount", viewsFrom(env, 70008890001, "All Accounts")
}

// filters lists the views.
func (i *instance) filters(model string, views []view) (answer, *failure) {
	list := []any{}
	for _, v := range views {
		list = append(list, kit.Pairs("id", number(v.id), "name", v.name, "model_class_name", model,
			"user_id", number(ownerIDs[0]), "is_default", v.isDefault, "is_public", true, "updated_at", stampOf(kit.Epoch)))
	}
	return ok(kit.Pairs("filters", list)), nil
}

// viewKindOf finds a view of a path. A view that has gone away answers 404
// whatever unknown_id says: that switch is about records.
func (i *instance) viewKindOf(text string, views []view) (viewKind, *failure) {
	id, problem := i.parseID(text)
	if problem != nil {
		return 0, problem
	}
	v, known := find(views, func(v view) bool { return v.id == id })
	if !known {
		return 0, notFound()
	}
	return v.kind, nil
}

func (i *instance) listContacts(in *request, viewID string) (answer, *failure) {
	_, views := contactViews(i.env)
	kind, problem := i.viewKindOf(viewID, views)
	if problem != nil {
		return answer{}, problem
	}
	var all []*contact
	for _, c := range i.contacts {
		if c.deleted() == (kind == viewBin) && (kind != viewMine || c.owner == ownerIDs[0]) {
			all = append(all, c)
		}
	}
	return i.pageOfContacts(in, all)
}

func (i *instance) pageOfContacts(in *request, all []*contact) (answer, *failure) {
	include, problem := i.includes(in)
	if problem != nil {
		return answer{}, problem
	}
	page, meta, problem := pageOf(i, in, all, func(c *contact) *kit.Object { return c.record })
	if problem != nil {
		return answer{}, problem
	}
	return ok(i.showMany(page, include, meta)), nil
}

// pageOf sorts and cuts a list. meta of an empty list has total_pages 0.
func pageOf[T any](i *instance, in *request, all []T, record func(T) *kit.Object) ([]T, *kit.Object, *failure) {
	page, problem := i.positive(in, "page", 1, 0)
	if problem != nil {
		return nil, nil, problem
	}
	perPage, problem := i.positive(in, "per_page", defaultPage, maxPage)
	if problem != nil {
		return nil, nil, problem
	}
	compare, problem := i.order(in)
	if problem != nil {
		return nil, nil, problem
	}
	all = slices.Clone(all)
	if compare != nil {
		slices.SortStableFunc(all, func(a, b T) int { return compare(record(a), record(b)) })
	}
	pages := (len(all) + perPage - 1) / perPage
	meta := kit.Pairs("total_pages", pages, "total", len(all))
	if page > pages {
		return nil, meta, nil
	}
	return all[(page-1)*perPage : min(page*perPage, len(all))], meta, nil
}

// positive reads a paging parameter; atMost 0 is no cap.
func (i *instance) positive(in *request, name string, fallback, atMost int) (int, *failure) {
	text := in.query.Get(name)
	if text == "" {
		return fallback, nil
	}
	strict := i.env.Switch("paging_out_of_range") == "400"
	n, err := strconv.Atoi(text)
	switch {
	case err != nil || n < 1:
		if strict {
			return 0, invalid(name + " is invalid")
		}
		return fallback, nil
	case atMost > 0 && n > atMost:
		if strict {
			return 0, invalid(name + " cannot be more than " + strconv.Itoa(atMost))
		}
		return atMost, nil
	}
	return n, nil
}

var sortKeys = []string{"id", "created_at", "updated_at", "lead_score", "open_deals_amount", "last_contacted"}

// order reads sort and sort_type. nil keeps the order of ids. Empty values
// come last in either direction, ties go by id.
func (i *instance) order(in *request) (func(a, b *kit.Object) int, *failure) {
	key, direction := in.query.Get("sort"), in.query.Get("sort_type")
	badKey := key != "" && !slices.Contains(sortKeys, key)
	badDirection := direction != "" && direction != "asc" && direction != "desc"
	if (badKey || badDirection) && i.env.Switch("unknown_query_value") == "400" {
		return nil, invalid("sort is invalid")
	}
	if key == "" || badKey {
		return nil, nil
	}
	return func(a, b *kit.Object) int {
		x, y := a.Get(key), b.Get(key)
		if x == nil || y == nil {
			switch {
			case x == nil && y != nil:
				return 1
			case x != nil && y == nil:
				return -1
			}
			return 0
		}
		if direction == "desc" {
			return compareValues(y, x)
		}
		return compareValues(x, y)
	}, nil
}

func compareValues(a, b any) int {
	x, y := textOf(a), textOf(b)
	if s, err := time.Parse(time.RFC3339, x); err == nil {
		if t, err := time.Parse(time.RFC3339, y); err == nil {
			return s.Compare(t)
		}
	}
	// Decimal amounts are strings, so they are compared as numbers too.
	if s, err := strconv.ParseFloat(x, 64); err == nil {
		if t, err := strconv.ParseFloat(y, 64); err == nil {
			return cmp.Compare(s, t)
		}
	}
	return strings.Compare(x, y)
}
