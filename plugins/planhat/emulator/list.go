package emulator

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

const (
	defaultLimit = 100
	defaultCap   = 5000
)

// list answers with a bare array: no envelope, no total, no cursor. Past the
// end it is empty.
func (p *planhat) list(c *collection, query url.Values) reply {
	known := []string{"limit", "offset", "sort", "select"}
	if c.companyKey != "" {
		known = append(known, "companyId")
	}
	if c.emailFilter {
		known = append(known, "email")
	}
	limit, offset, problem := p.paging(query)
	if problem == "" {
		problem = p.unknownQuery(query, known)
	}
	if problem != "" {
		return p.fail(http.StatusBadRequest, problem)
	}

	records := p.ordered(slices.DeleteFunc(slices.Clone(c.records), func(record *kit.Object) bool {
		return (c.hidden != nil && c.hidden(record)) || !c.matches(record, query)
	}))
	sortBy(records, query.Get("sort"))

	page := []any{}
	for _, record := range records[min(offset, len(records)):] {
		if len(page) == limit {
			break
		}
		page = append(page, p.project(c.render(record, true), query.Get("select")))
	}
	return respond(http.StatusOK, page)
}

// matches applies the filters. An empty parameter filters nothing.
func (c *collection) matches(record *kit.Object, query url.Values) bool {
	if email := query.Get("email"); c.emailFilter && email != "" && record.Text("email") != email {
		return false
	}
	companies := query.Get("companyId")
	if c.companyKey == "" || companies == "" {
		return true
	}
	return slices.ContainsFunc(strings.Split(companies, ","), func(id string) bool {
		id = strings.TrimSpace(id)
		return id != "" && strings.EqualFold(id, record.Text(c.companyKey))
	})
}

// paging reads limit and offset.
func (p *planhat) paging(query url.Values) (limit, offset int, problem string) {
	ceiling, _ := count(p.env.Switch("limit_cap"), defaultCap, 1)
	limit, goodLimit := count(query.Get("limit"), min(defaultLimit, ceiling), 1)
	offset, goodOffset := count(query.Get("offset"), 0, 0)
	if (!goodLimit || !goodOffset) && p.env.Switch("bad_paging") == "400" {
		return 0, 0, "limit and offset must be numbers"
	}
	if limit > ceiling {
		if p.env.Switch("over_cap") == "400" {
			return 0, 0, "limit is at most " + strconv.Itoa(ceiling)
		}
		limit = ceiling
	}
	return limit, offset, ""
}

// count reads a number of at least least. What is absent or wrong becomes
// fallback; only the latter is not ok.
func count(text string, fallback, least int) (n int, ok bool) {
	if text == "" {
		return fallback, true
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least {
		return fallback, false
	}
	return n, true
}

func (p *planhat) unknownQuery(query url.Values, known []string) string {
	if p.env.Switch("unknown_query") == "ignored" {
		return ""
	}
	for name := range query {
		if !slices.Contains(known, name) {
			return name + " is not a parameter of this call"
		}
	}
	return ""
}

// ordered puts records into the order that a list has without sort.
func (p *planhat) ordered(records []*kit.Object) []*kit.Object {
	p.lists++
	switch p.env.Switch("default_order") {
	case "newest":
		slices.Reverse(records)
	case "unstable":
		if len(records) > 0 {
			at := p.lists % len(records)
			return slices.Concat(records[at:], records[:at])
		}
	}
	return records
}

// sortBy sorts by one property, whose case counts; "-" in front reverses. A
// property that no record has leaves the order as it is.
func sortBy(records []*kit.Object, property string) {
	property, descending := strings.CutPrefix(property, "-")
	if property == "" {
		return
	}
	slices.SortStableFunc(records, func(a, b *kit.Object) int {
		if descending {
			a, b = b, a
		}
		return compare(a.Get(property), b.Get(property))
	})
}

// compare orders values as MongoDB does: by type first, absent ones before all.
func compare(a, b any) int {
	if byRank := cmp.Compare(rank(a), rank(b)); byRank != 0 {
		return byRank
	}
	switch left := a.(type) {
	case string:
		return strings.Compare(left, b.(string))
	case bool:
		return cmp.Compare(strconv.FormatBool(left), strconv.FormatBool(b.(bool)))
	case int, json.Number:
		return cmp.Compare(float(a), float(b))
	default:
		return 0
	}
}

func rank(value any) int {
	switch value.(type) {
	case nil:
		return 0
	case int, json.Number:
		return 1
	case string:
		return 2
	case *kit.Object:
		return 3
	case []any:
		return 4
	default:
		return 5
	}
}

func float(value any) float64 {
	switch v := value.(type) {
	case int:
		return float64(v)
	case json.Number:
		f, _ := v.Float64()
		return f
	default:
		return 0
	}
}

// project keeps the selected properties, in the record's order. ALL is a
// third-party client's way to ask for every one.
func (p *planhat) project(record *kit.Object, selected string) *kit.Object {
	if selected == "" && p.env.Switch("list_fields") == "id_and_name" {
		selected = "_id,name"
	}
	if selected == "" || selected == "ALL" {
		return record
	}
	wanted := strings.Split(selected, ",")
	if p.env.Switch("select_id") == "included" {
		wanted = append(wanted, "_id")
	}
	out := &kit.Object{}
	for _, key := range record.Keys() {
		if slices.Contains(wanted, key) {
			out.Set(key, record.Get(key))
		}
	}
	return out
}
