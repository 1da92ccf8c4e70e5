package emulator

import (
	"net/http"
	"net/url"
	"strconv"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

const (
	defaultPage = 30
	largestPage = 100
)

// list answers a collection: filtered, sorted, and cut by cursors.
func (q *request) list() failure {
	query, err := q.parameters("first", "last", "after", "before", "limit", "offset", "order-by", "filter", "include-deleted", "include_deleted", "expand", "load-only")
	if err != nil {
		return err
	}
	if err := q.shape(query); err != nil {
		return err
	}
	tests, err := q.filters(query)
	if err != nil {
		return err
	}
	order, err := q.order(query.Get("order-by"))
	if err != nil {
		return err
	}
	deleted, err := q.includeDeleted(query)
	if err != nil {
		return err
	}
	var rows []*row
	for _, r := range q.store.tables[q.c.name].rows {
		if (r.deleted && !deleted) || q.hidden(r, query) || !q.store.passes(r, tests) {
			continue
		}
		rows = append(rows, r)
	}
	q.store.sort(rows, order)
	if query.Has("limit") || query.Has("offset") {
		return q.legacyPage(query, rows)
	}
	return q.page(query, rows, order)
}

// shape reads what each record of the answer looks like.
func (q *request) shape(query url.Values) failure {
	q.view.expand = parseTree(query.Get("expand"))
	q.view.only = parseTree(query.Get("load-only"))
	if q.env.Switch("unknown_expand") == "400" {
		if name := q.store.unknownRelation(q.c, q.view.expand); name != "" {
			return badParameter("Cannot expand " + name + ".")
		}
	}
	return nil
}

// includeDeleted reads include-deleted, or include_deleted where the switch
// follows the vendor's pages.
func (q *request) includeDeleted(query url.Values) (bool, failure) {
	name := "include-deleted"
	if q.env.Switch("include_deleted") == "docs" && query.Has("include_deleted") {
		name = "include_deleted"
	}
	switch query.Get(name) {
	case "", "0", "false", "False":
		return false, nil
	case "1", "true", "True":
		return true, nil
	}
	return false, badParameter("Parameter " + name + " takes true or false.")
}

// hidden tells whether an archived record is left out: never when it is asked
// for by a filter.
func (q *request) hidden(r *row, query url.Values) bool {
	return r.values.Get("is_archived") == true && q.env.Switch("archived_list") == "hidden" && !query.Has("filter[is_archived]")
}

// pageSize reads a parameter that counts records.
func (q *request) pageSize(query url.Values, name string, otherwise int) (int, failure) {
	if !query.Has(name) {
		return otherwise, nil
	}
	n, err := strconv.Atoi(query.Get(name))
	if err != nil || n < 1 {
		return 0, badParameter("Parameter " + name + " takes a whole number from 1.")
	}
	if n > largestPage {
		if q.env.Switch("page_over_max") == "400" {
			return 0, badParameter("Parameter " + name + " is at most " + strconv.Itoa(largestPage) + ".")
		}
		n = largestPage
	}
	return n, nil
}

// legacyPage answers limit and offset, without page_info.
func (q *request) legacyPage(query url.Values, rows []*row) failure {
	limit, err := q.pageSize(query, "limit", defaultPage)
	if err != nil {
		return err
	}
	offset, err := integerParameter(query, "offset", 0)
	if err != nil {
		return err
	}
	from := min(offset, len(rows))
	to := min(from+limit, len(rows))
	writeJSON(q.w, http.StatusOK, kit.Pairs("success", true, "total", len(rows), "data", q.renderAll(rows[from:to])))
	return nil
}

// page answers one page between cursors. A page without records has neither
// cursors nor neighbours, as the recorded last page.
func (q *request) page(query url.Values, rows []*row, order []sortKey) failure {
	total := len(rows)
	from, to := 0, total
	if query.Get("after") != "" {
		at, err := q.position(query.Get("after"), rows, order, true)
		if err != nil {
			return err
		}
		from = at
	}
	if query.Get("before") != "" {
		at, err := q.position(query.Get("before"), rows, order, false)
		if err != nil {
			return err
		}
		to = max(from, at)
	}
	backwards := query.Has("last") || query.Get("before") != ""
	if query.Has("first") || !backwards {
		first, err := q.pageSize(query, "first", defaultPage)
		if err != nil {
			return err
		}
		to = min(to, from+first)
	}
	if backwards && (query.Has("last") || !query.Has("first")) {
		last, err := q.pageSize(query, "last", defaultPage)
		if err != nil {
			return err
		}
		from = max(from, to-last)
	}
	info := kit.Pairs("start_cursor", nil, "end_cursor", nil, "has_previous_page", false, "has_next_page", false)
	if from < to {
		info.Set("start_cursor", q.store.cursor(rows[from], order))
		info.Set("end_cursor", q.store.cursor(rows[to-1], order))
		info.Set("has_previous_page", from > 0)
		info.Set("has_next_page", to < total || q.env.Switch("last_page") == "empty")
	}
	writeJSON(q.w, http.StatusOK, kit.Pairs("success", true, "total", total, "page_info", info, "data", q.renderAll(rows[from:to])))
	return nil
}

func (q *request) renderAll(rows []*row) []any {
	data := []any{}
	for _, r := range rows {
		data = append(data, q.view.render(q.store, q.c, r))
	}
	return data
}

// get answers one record.
func (q *request) get(id string) failure {
	known := []string{"expand"}
	docs := q.env.Switch("include_deleted") == "docs"
	if docs {
		known = append(known, "include-deleted", "include_deleted")
	}
	query, err := q.parameters(known...)
	if err != nil {
		return err
	}
	query.Del("load-only") // the vendor has it on lists only
	if asked := q.env.Switch("get_expand"); asked != "serve" && query.Has("expand") {
		if asked == "400" {
			return badParameter("Unknown parameter expand.")
		}
		query.Del("expand")
	}
	if err := q.shape(query); err != nil {
		return err
	}
	r, err := q.resolve(id)
	if err != nil {
		return err
	}
	if r.deleted && q.env.Switch("get_after_delete") != "200" {
		wanted := false
		if docs {
			if wanted, err = q.includeDeleted(query); err != nil {
				return err
			}
		}
		if !wanted {
			return q.notFound(id)
		}
	}
	return writeData(q.w, http.StatusOK, q.view.render(q.store, q.c, r))
}
