package emulator

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

type predicate func(contact *kit.Object) bool

func filterError(code, text string) *failure {
	return applicationError(http.StatusBadRequest, code, text)
}

func malformedFilter() *failure {
	return filterError("MALFORMED_FILTER", "The filter cannot be read.")
}

// compile turns a filter into a predicate. No filter matches everything.
func (s *state) compile(filter any) (predicate, *failure) {
	return compileFilter(filter, s.filterField)
}

func compileFilter(filter any, lookup func(string) *filterField) (predicate, *failure) {
	if filter == nil {
		return func(*kit.Object) bool { return true }, nil
	}
	object, ok := filter.(*kit.Object)
	if !ok {
		return nil, malformedFilter()
	}
	var all []predicate
	for _, key := range object.Keys() {
		part, fail := compileEntry(key, object.Get(key), lookup)
		if fail != nil {
			return nil, fail
		}
		all = append(all, part)
	}
	return func(c *kit.Object) bool {
		for _, part := range all {
			if !part(c) {
				return false
			}
		}
		return true
	}, nil
}

func compileEntry(key string, value any, lookup func(string) *filterField) (predicate, *failure) {
	switch key {
	case "$and", "$or":
		return compileMany(key == "$or", value, lookup)
	case "$not":
		inner, fail := compileFilter(value, lookup)
		if fail != nil || value == nil {
			return nil, malformedFilter()
		}
		return func(c *kit.Object) bool { return !inner(c) }, nil
	}
	if strings.HasPrefix(key, "$") {
		return nil, filterError("UNSUPPORTED_FILTER_OPERATOR", "Operator "+key+" is not supported.")
	}
	spec := lookup(key)
	if spec == nil {
		return nil, filterError("UNSUPPORTED_FILTER_FIELD_UNKNOWN", "Unknown field "+key+".")
	}
	conditions, ok := value.(*kit.Object)
	if !ok {
		conditions = kit.Pairs("$eq", value)
	}
	if conditions.Len() == 0 {
		return nil, malformedFilter()
	}
	var all []func(values []any) bool
	for _, operator := range conditions.Keys() {
		if !strings.HasPrefix(operator, "$") {
			return nil, malformedFilter()
		}
		if !slices.Contains(strings.Fields(spec.operators), operator) {
			return nil, filterError("UNSUPPORTED_FILTER_OPERATOR", "Operator "+operator+" is not supported for "+key+".")
		}
		test, fail := spec.test(key, operator, conditions.Get(operator))
		if fail != nil {
			return nil, fail
		}
		all = append(all, test)
	}
	return func(c *kit.Object) bool {
		values := spec.values(c)
		for _, test := range all {
			if !test(values) {
				return false
			}
		}
		return true
	}, nil
}

func compileMany(either bool, value any, lookup func(string) *filterField) (predicate, *failure) {
	list, ok := value.([]any)
	if !ok || len(list) == 0 {
		return nil, malformedFilter()
	}
	all := make([]predicate, len(list))
	for i, item := range list {
		if item == nil {
			return nil, malformedFilter()
		}
		part, fail := compileFilter(item, lookup)
		if fail != nil {
			return nil, fail
		}
		all[i] = part
	}
	return func(c *kit.Object) bool {
		for _, part := range all {
			if part(c) == either {
				return either
			}
		}
		return !either
	}, nil
}

// test builds the comparison of one operator with one operand.
func (f *filterField) test(field, operator string, operand any) (func([]any) bool, *failure) {
	switch operator {
	case "$exists":
		want, ok := operand.(bool)
		if !ok {
			return nil, filterError("UNSUPPORTED_FILTER_VALUE_TYPE", "$exists takes true or false.")
		}
		return func(values []any) bool { return (len(values) > 0) == want }, nil
	case "$in", "$nin", "$hasSome", "$hasAll":
		list, ok := operand.([]any)
		if !ok {
			return nil, filterError("UNSUPPORTED_FILTER_VALUE_TYPE", operator+" takes an array.")
		}
		for _, item := range list {
			if fail := f.fits(field, item); fail != nil {
				return nil, fail
			}
		}
		return func(values []any) bool {
			hits := 0
			for _, item := range list {
				if slices.ContainsFunc(values, func(v any) bool { return f.compare(v, item) == 0 }) {
					hits++
				}
			}
			switch operator {
			case "$nin":
				return hits == 0
			case "$hasAll":
				return hits == len(list)
			default:
				return hits > 0
			}
		}, nil
	}
	if fail := f.fits(field, operand); fail != nil {
		return nil, fail
	}
	holds := func(v any) bool {
		order := f.compare(v, operand)
		switch operator {
		case "$gt":
			return order > 0
		case "$gte":
			return order >= 0
		case "$lt":
			return order < 0
		case "$lte":
			return order <= 0
		case "$startsWith":
			return strings.HasPrefix(v.(string), operand.(string))
		default:
			return order == 0
		}
	}
	if operator == "$ne" {
		return func(values []any) bool { return !slices.ContainsFunc(values, holds) }, nil
	}
	return func(values []any) bool { return slices.ContainsFunc(values, holds) }, nil
}

// fits holds an operand to the field's kind.
func (f *filterField) fits(field string, operand any) *failure {
	text, isText := operand.(string)
	number, isNumber := operand.(json.Number)
	if f.kind == numberValue && isNumber {
		if _, err := number.Float64(); err == nil {
			return nil
		}
	}
	if !isText || f.kind == numberValue {
		return filterError("UNSUPPORTED_FILTER_VALUE_TYPE", "The value's type does not fit "+field+".")
	}
	ok := true
	switch f.kind {
	case guidValue:
		ok = guidForm.MatchString(text)
	case timeValue:
		_, err := time.Parse(time.RFC3339, text)
		ok = err == nil
	case dateValue:
		ok = isLocalDate(text)
	}
	if !ok {
		return filterError("UNSUPPORTED_FILTER_VALUE", "The value does not fit "+field+".")
	}
	return nil
}

// compare orders a stored value and an operand of a kind that fits.
func (f *filterField) compare(value, operand any) int {
	if f.kind == numberValue {
		a, _ := value.(json.Number)
		b, _ := operand.(json.Number)
		x, _ := a.Float64()
		y, _ := b.Float64()
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	}
	a, _ := value.(string)
	b, _ := operand.(string)
	switch f.kind {
	case guidValue:
		return strings.Compare(a, strings.ToLower(b))
	case timeValue:
		x, _ := time.Parse(time.RFC3339, a)
		y, _ := time.Parse(time.RFC3339, b)
		return x.Compare(y)
	}
	return strings.Compare(a, b)
}

// hasText is the free-text search: the whole text of a name part, an email or
// a phone.
func (c *contact) hasText(search string) bool {
	name, _ := c.info.Get("name").(*kit.Object)
	if name != nil && (name.Text("first") == search || name.Text("last") == search) {
		return true
	}
	return slices.ContainsFunc(listOf(c.info, "emails"), func(o *kit.Object) bool { return o.Text("email") == search }) ||
		slices.ContainsFunc(listOf(c.info, "phones"), func(o *kit.Object) bool { return o.Text("phone") == search })
}
