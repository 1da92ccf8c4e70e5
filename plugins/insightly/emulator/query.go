package emulator

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

const (
	defaultTop = 100
	maxTop     = 500
)

// page is what every list and search takes.
type page struct {
	skip, top  int
	brief      bool
	countTotal bool
}

// page reads the paging parameters. Others that the operation has are named
// in own; what it does not have is mostly ignored, see switch unknown_query.
func (e *emulator) page(query url.Values, own ...string) (page, *answer) {
	p := page{top: defaultTop}
	if e.env.Switch("unknown_query") == "400" {
		known := append([]string{"skip", "top", "brief", "count_total"}, own...)
		for name := range query {
			if !slices.Contains(known, name) {
				return p, e.invalid("Parameter %s is not valid.", name)
			}
		}
	}
	var bad bool
	whole := func(name string, value, least int) int {
		text := query.Get(name)
		if text == "" {
			return value
		}
		n, err := strconv.ParseInt(text, 10, 32)
		bad = bad || err != nil || int(n) < least
		return int(n)
	}
	flag := func(name string) bool {
		switch strings.ToLower(query.Get(name)) {
		case "", "false":
			return false
		case "true":
			return true
		}
		bad = true
		return false
	}
	p.skip, p.top = whole("skip", 0, 0), whole("top", defaultTop, 1)
	p.brief, p.countTotal = flag("brief"), flag("count_total")
	if bad {
		return p, e.unbindable()
	}
	if p.top > maxTop {
		if e.env.Switch("top_over_max") == "400" {
			return p, e.invalid("top must not be above %d.", maxTop)
		}
		p.top = maxTop
	}
	return p, nil
}

// cut answers with the page of a whole result.
func (p page) cut(all []any) *answer {
	from := min(p.skip, len(all))
	a := asJSON(http.StatusOK, all[from:min(from+p.top, len(all))])
	if p.countTotal {
		a.set("X-Total-Count", strconv.Itoa(len(all)))
	}
	return a
}

// list is the plain list: no filter, no sorting, by ascending id.
func (e *emulator) list(r *request, k *kind) *answer {
	p, refusal := e.page(r.query)
	if refusal != nil {
		return refusal
	}
	return e.matching(k, p, func(*record) bool { return true })
}

// matching answers with the visible records that keep keeps.
func (e *emulator) matching(k *kind, p page, keep func(*record) bool) *answer {
	found := []any{}
	for _, rec := range e.state.records[k] {
		if rec.noAccess || (rec.deleted && rec.lag == 0) {
			continue
		}
		if rec.deleted {
			rec.lag--
		}
		if !keep(rec) {
			continue
		}
		if p.brief {
			found = append(found, k.brief(rec.doc))
		} else {
			found = append(found, rec.doc)
		}
	}
	return p.cut(found)
}

// search filters by one field, by the time of the last update, or both.
func (e *emulator) search(r *request, k *kind) *answer {
	p, refusal := e.page(r.query, "field_name", "field_value", "updated_after_utc")
	if refusal != nil {
		return refusal
	}
	after, refusal := e.updatedAfter(r.query)
	if refusal != nil {
		return refusal
	}
	match, refusal := e.fieldFilter(r.query, k)
	if refusal != nil {
		return refusal
	}
	return e.matching(k, p, func(rec *record) bool {
		return (after.IsZero() || rec.updated.After(after)) && match(rec.doc)
	})
}

// updatedAfter reads updated_after_utc: exclusive, to the second.
func (e *emulator) updatedAfter(query url.Values) (time.Time, *answer) {
	text := query.Get("updated_after_utc")
	if text == "" {
		return time.Time{}, nil
	}
	after, ok := parseQueryTime(text)
	if !ok {
		return time.Time{}, e.unbindable()
	}
	return after.Truncate(time.Second), nil
}

// parseQueryTime reads ISO 8601 as query strings carry it. The body's form,
// with a blank instead of the T, is refused as the vendor refuses it.
func parseQueryTime(text string) (time.Time, bool) {
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(form, text); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// fieldFilter makes the comparison of field_name with field_value.
func (e *emulator) fieldFilter(query url.Values, k *kind) (func(*kit.Object) bool, *answer) {
	name, value := query.Get("field_name"), query.Get("field_value")
	if !query.Has("field_name") && !query.Has("field_value") {
		return func(*kit.Object) bool { return true }, nil
	}
	if name == "" || value == "" {
		return nil, e.invalid("field_name and field_value must both be given.")
	}
	var typ fieldType
	read := func(doc *kit.Object) any { return doc.Get(name) }
	if f, ok := k.field(name); ok {
		typ = f.typ
	} else if c, ok := k.custom(name); ok {
		typ = c.typ
		read = func(doc *kit.Object) any { return customValue(doc, name) }
	} else {
		return nil, e.invalid("Field %s is not valid.", name)
	}
	equal, ok := comparison(typ, value, e.env.Switch("search_case") == "ignore")
	if !ok {
		return nil, e.unbindable()
	}
	return func(doc *kit.Object) bool { return equal(read(doc)) }, nil
}

// comparison compares stored values of a type with a parameter's text. It
// fails on a text that cannot be of the type.
func comparison(typ fieldType, text string, anyCase bool) (func(any) bool, bool) {
	switch typ {
	case integerField, numberField:
		want, err := strconv.ParseFloat(text, 64)
		return func(stored any) bool {
			n, ok := stored.(interface{ Float64() (float64, error) })
			if !ok {
				return false
			}
			got, err := n.Float64()
			return err == nil && got == want
		}, err == nil
	case booleanField:
		want := strings.ToLower(text)
		return func(stored any) bool { return stored == (want == "true") }, want == "true" || want == "false"
	case dateField:
		want, ok := parseQueryTime(text)
		return func(stored any) bool { return stored == want.Format(stampForm) }, ok
	default:
		return func(stored any) bool {
			got, ok := stored.(string)
			return ok && (got == text || anyCase && strings.EqualFold(got, text))
		}, true
	}
}

// searchByTag lists the records that carry a tag.
func (e *emulator) searchByTag(r *request, k *kind) *answer {
	p, refusal := e.page(r.query, "tagName")
	if refusal != nil {
		return refusal
	}
	tag := r.query.Get("tagName")
	if tag == "" {
		return e.invalid("tagName is required.")
	}
	equal, _ := comparison(textField, tag, e.env.Switch("search_case") == "ignore")
	return e.matching(k, p, func(rec *record) bool {
		for _, item := range objects(rec.doc, "TAGS") {
			if equal(item.Get("TAG_NAME")) {
				return true
			}
		}
		return false
	})
}

func customValue(doc *kit.Object, name string) any {
	for _, pair := range objects(doc, "CUSTOMFIELDS") {
		if pair.Text("FIELD_NAME") == name {
			return pair.Get("FIELD_VALUE")
		}
	}
	return nil
}
