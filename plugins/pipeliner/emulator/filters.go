package emulator

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

var operators = []string{
	"eq", "ieq", "not-eq", "not-ieq", "contains", "starts", "ends", "icontains", "istarts", "iends",
	"null", "not-null", "empty", "not-empty", "gt", "gte", "lt", "lte", "between",
}

// caseless names the operator that each one without regard to case is like.
var caseless = map[string]string{
	"ieq": "eq", "not-ieq": "not-eq", "icontains": "contains", "istarts": "starts", "iends": "ends",
}

// test is one filter.
type test struct {
	f        *field
	operator string
	values   []any // in the field's own form, one or, for between, two
}

// filters reads filter[field] and filter-op[field].
func (q *request) filters(query url.Values) ([]test, failure) {
	names := map[string]bool{}
	for key := range query {
		if base, inner, ok := bracketed(key); ok && (base == "filter" || base == "filter-op") {
			names[inner] = true
		}
	}
	var tests []test
	for name := range names {
		f := q.store.field(q.c, name)
		if asked := q.env.Switch("deleted_filter"); name == "is_deleted" && asked != "serve" {
			if asked == "ignore" {
				continue
			}
			return nil, badParameter("Cannot filter by " + name + ".")
		}
		if f == nil || f.noQuery {
			if q.env.Switch("unknown_filter") == "ignore" {
				continue
			}
			return nil, badParameter("Cannot filter by " + name + ".")
		}
		t := test{f: f, operator: "eq"}
		if given := query.Get("filter-op[" + name + "]"); given != "" {
			t.operator = given
		}
		if !slices.Contains(operators, t.operator) {
			return nil, badParameter("Unknown filter operator " + t.operator + ".")
		}
		var err failure
		if t.values, err = q.filterValues(t, query["filter["+name+"]"]); err != nil {
			return nil, err
		}
		tests = append(tests, t)
	}
	return tests, nil
}

// filterValues reads the values in the form of the field. How "between"
// carries its two is not known, hence a switch.
func (q *request) filterValues(t test, given []string) ([]any, failure) {
	switch t.operator {
	case "null", "not-null", "empty", "not-empty":
		return nil, nil
	case "between":
		if q.env.Switch("between_values") == "comma" && len(given) == 1 {
			given = strings.Split(given[0], ",")
		}
		if len(given) != 2 {
			return nil, badParameter("Operator between takes two values.")
		}
	default:
		if len(given) == 0 {
			return nil, badParameter("filter[" + t.f.name + "] is missing.")
		}
		given = given[:1]
	}
	var values []any
	for _, text := range given {
		value, ok := parseFor(t.f, strings.TrimSpace(text))
		if t.f.kind == kindText || t.f.kind == kindDerived {
			value = text
		}
		if !ok {
			return nil, badParameter(fmt.Sprintf("%q is not a value of %s.", text, t.f.name))
		}
		values = append(values, value)
	}
	return values, nil
}

// parseFor reads a query's text as a value of a field.
func parseFor(f *field, text string) (any, bool) {
	switch f.kind {
	case kindInteger, kindFloat:
		_, err := strconv.ParseFloat(text, 64)
		return json.Number(text), err == nil && json.Valid([]byte(text))
	case kindBoolean:
		switch text {
		case "true", "True", "1":
			return true, true
		case "false", "False", "0":
			return false, true
		}
		return nil, false
	case kindStamp:
		at, _, ok := parseStamp(text)
		return formatStamp(at), ok
	case kindRef:
		return strings.ToLower(text), isUUID(text)
	default:
		if f.name == "id" {
			return strings.ToLower(text), isUUID(text)
		}
		return text, true
	}
}

// fits tells whether a value has the form of a field's values.
func fits(f *field, value any) bool {
	switch f.kind {
	case kindInteger, kindFloat:
		_, ok := value.(json.Number)
		return ok
	case kindBoolean:
		_, ok := value.(bool)
		return ok
	default:
		_, ok := value.(string)
		return ok
	}
}

// compare orders two values of a field, neither null.
func compare(f *field, a, b any) int {
	switch f.kind {
	case kindInteger, kindFloat:
		x, y := asFloat(a), asFloat(b)
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	case kindBoolean:
		x, y := a == true, b == true
		switch {
		case x == y:
			return 0
		case x:
			return 1
		}
		return -1
	default:
		// Times are in one form and UTC, so text compares as time.
		return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
	}
}

func asFloat(value any) float64 {
	n, _ := strconv.ParseFloat(fmt.Sprint(value), 64)
	return n
}

// passes tells whether a record meets every test. As in SQL a null meets
// none but those that ask for it.
func (s *store) passes(r *row, tests []test) bool {
	for _, t := range tests {
		if !t.passes(s.value(r, t.f)) {
			return false
		}
	}
	return true
}

func (t test) passes(value any) bool {
	switch t.operator {
	case "null":
		return value == nil
	case "not-null":
		return value != nil
	case "empty":
		return isEmpty(value)
	case "not-empty":
		return !isEmpty(value)
	}
	if value == nil {
		return false
	}
	if list, ok := value.([]any); ok { // several options: one of them is enough
		return slices.ContainsFunc(list, t.passes)
	}
	switch t.operator {
	case "eq":
		return compare(t.f, value, t.values[0]) == 0
	case "not-eq":
		return compare(t.f, value, t.values[0]) != 0
	case "gt":
		return compare(t.f, value, t.values[0]) > 0
	case "gte":
		return compare(t.f, value, t.values[0]) >= 0
	case "lt":
		return compare(t.f, value, t.values[0]) < 0
	case "lte":
		return compare(t.f, value, t.values[0]) <= 0
	case "between":
		return compare(t.f, value, t.values[0]) >= 0 && compare(t.f, value, t.values[1]) <= 0
	}
	text, part, operator := fmt.Sprint(value), fmt.Sprint(t.values[0]), t.operator
	if sensitive, ok := caseless[operator]; ok {
		text, part, operator = strings.ToLower(text), strings.ToLower(part), sensitive
	}
	switch operator {
	case "eq":
		return text == part
	case "not-eq":
		return text != part
	case "contains":
		return strings.Contains(text, part)
	case "starts":
		return strings.HasPrefix(text, part)
	default: // ends
		return strings.HasSuffix(text, part)
	}
}
