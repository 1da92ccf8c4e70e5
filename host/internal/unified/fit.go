package unified

import (
	"strconv"
	"strings"
)

// Fitted is a body reduced to what a provider can write.
type Fitted struct {
	Body
	// Left are the paths of what was left out, in the order of the schema.
	Left []string

	kept map[string][]int // the places that the items of shortened lists had
}

// Fit leaves out of a body what the writable paths do not cover. What callers
// cannot set is never covered, whatever a provider says.
func (s *Schema) Fit(body *Body, writable []string) *Fitted {
	fitted := &Fitted{Body: Body{Record: Record{}, ETag: body.ETag}, kept: map[string][]int{}}
	cleared := map[string]bool{}
	for _, name := range body.Clear {
		cleared[name] = true
	}
	for _, f := range s.Fields {
		if value, ok := body.Record[f.Name]; ok {
			if value = fitted.fit(f, value, f.Name, f.Name, writable); value != nil {
				fitted.Record[f.Name] = value
			}
		}
		if cleared[f.Name] {
			if _, some := covers(writable, f.Name); some && !f.ReadOnly {
				fitted.Clear = append(fitted.Clear, f.Name)
			} else {
				fitted.Left = append(fitted.Left, f.Name)
			}
		}
	}
	return fitted
}

// fit gives what of a value can be written; nil for nothing. path is without
// indices, as capabilities are; at is where the value stands.
func (t *Fitted) fit(f Field, value any, path, at string, writable []string) any {
	all, some := covers(writable, path)
	switch {
	case !some || f.ReadOnly:
		t.Left = append(t.Left, at)
		return nil
	case all || f.Kind == JSON: // what of a vendor's own fields is writable only the provider can tell
		return value
	}
	switch v := value.(type) {
	case Record:
		if fitting := t.members(f, v, path, at, writable); len(fitting) > 0 {
			return fitting
		}
	case []Record:
		var list []Record
		var places []int
		for i, item := range v {
			if fitting := t.members(f, item, path, at+"["+strconv.Itoa(i)+"]", writable); len(fitting) > 0 {
				list, places = append(list, fitting), append(places, i)
			}
		}
		if len(list) > 0 {
			t.kept[at] = places
			return list
		}
	}
	return nil
}

func (t *Fitted) members(f Field, record Record, path, at string, writable []string) Record {
	fitting := Record{}
	for _, inner := range f.Fields {
		if value, ok := record[inner.Name]; ok {
			if value = t.fit(inner, value, path+"."+inner.Name, at+"."+inner.Name, writable); value != nil {
				fitting[inner.Name] = value
			}
		}
	}
	return fitting
}

// Original gives the path that something in the fitted body has in the body
// that the caller sent.
func (t *Fitted) Original(path string) string {
	list, rest, indexed := strings.Cut(path, "[")
	places, shortened := t.kept[list]
	digits, rest, closed := strings.Cut(rest, "]")
	i, err := strconv.Atoi(digits)
	if !indexed || !closed || !shortened || err != nil || i < 0 || i >= len(places) {
		return path
	}
	return list + "[" + strconv.Itoa(places[i]) + "]" + rest
}

// Missing gives the required paths that a record has no value for: an empty
// text is none. Of a whole name that can be written the provider makes first and
// last name, when it comes without them.
func (s *Schema) Missing(record Record, required, writable []string) []string {
	_, splits := covers(writable, "name")
	splits = splits && has(record, "name") && !has(record, "first_name") && !has(record, "last_name")
	var missing []string
	for _, path := range required {
		if has(record, path) || (splits && (path == "first_name" || path == "last_name")) {
			continue
		}
		missing = append(missing, path)
	}
	return missing
}

func has(record Record, path string) bool {
	name, rest, nested := strings.Cut(path, ".")
	switch v := record[name].(type) {
	case nil:
		return false
	case string:
		return v != "" && !nested
	case Record:
		if nested {
			return has(v, rest)
		}
		return len(v) > 0
	case []Record:
		for _, item := range v {
			if !nested || has(item, rest) {
				return true
			}
		}
		return false
	default:
		return true
	}
}
