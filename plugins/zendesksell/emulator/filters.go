package emulator

import (
	"fmt"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// condition tells whether a record matches. A nil one asks for nothing.
type condition func(*kit.Object) bool

// filter makes a condition of a parameter's value, or says what is wrong.
type filter func(value string) (condition, string)

// matching returns the items that a query's filters leave, in a new slice.
func (l *listing) matching(query url.Values) ([]item, *reply) {
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	sort.Strings(names)
	var conditions []condition
	for _, name := range names {
		makeCondition := l.filterFor(name)
		if makeCondition == nil {
			continue // page, per_page and sort_by
		}
		values := query[name]
		condition, wrong := makeCondition(values[len(values)-1])
		if wrong != "" {
			re := invalidParam("the request query parameter '%s' %s (given: %s)", name, wrong, values[len(values)-1])
			return nil, &re
		}
		if condition != nil {
			conditions = append(conditions, condition)
		}
	}
	either := false
	if values := query["inclusive"]; len(values) > 0 {
		all, _ := parseBool(values[len(values)-1])
		either = !all
	}
	matches := func(o *kit.Object) bool {
		for _, holds := range conditions {
			if holds(o) == either {
				return either
			}
		}
		return !either || len(conditions) == 0
	}
	found := make([]item, 0, len(l.items))
	for _, it := range l.items {
		if matches(it.data) {
			found = append(found, it)
		}
	}
	return found, nil
}

// textFilter matches exactly, with case.
func textFilter(value func(*kit.Object) any) filter {
	return func(want string) (condition, string) {
		return func(o *kit.Object) bool {
			got, ok := value(o).(string)
			return ok && got == want
		}, ""
	}
}

func idFilter(attribute string) filter {
	return func(text string) (condition, string) {
		want, ok := parseID(text)
		if !ok {
			return nil, "must be an integer"
		}
		return func(o *kit.Object) bool { return o.Get(attribute) == want }, ""
	}
}

// idsFilter is the comma list of ids. More than fit a page are allowed: they
// are paged like everything else.
func idsFilter(list string) (condition, string) {
	wanted := map[any]bool{}
	for _, text := range strings.Split(list, ",") {
		id, ok := parseID(text)
		if !ok {
			return nil, "must be a comma-separated list of integers"
		}
		wanted[id] = true
	}
	return func(o *kit.Object) bool { return wanted[o.Get("id")] }, ""
}

func boolFilter(attribute string) filter {
	return func(text string) (condition, string) {
		want, ok := parseBool(text)
		if !ok {
			return nil, "must be true or false"
		}
		return func(o *kit.Object) bool { return o.Get(attribute) == want }, ""
	}
}

func enumFilter(attribute string, values ...string) filter {
	return func(want string) (condition, string) {
		if !slices.Contains(values, want) {
			return nil, "must be one of " + strings.Join(values, ", ")
		}
		return func(o *kit.Object) bool { return o.Get(attribute) == want }, ""
	}
}

// parseBool takes true and false, and what the vendor's Python and PHP clients
// make of a boolean: True, False, 1 and 0.
func parseBool(text string) (value, ok bool) {
	switch strings.ToLower(text) {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}

// bracketed takes the name out of prefix[name]. Names may hold brackets.
func bracketed(parameter, prefix string) (string, bool) {
	rest, ok := strings.CutPrefix(parameter, prefix+"[")
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, "]")
}

// textOf writes a scalar as filters and sorting see it.
func textOf(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case bool:
		return strconv.FormatBool(value)
	default:
		return fmt.Sprint(value)
	}
}
