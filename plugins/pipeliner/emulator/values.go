package emulator

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// convert returns the value to store, or what the field would have taken.
func convert(f *field, value any) (stored any, want string) {
	text, isText := value.(string)
	switch f.kind {
	case kindText:
		if !isText {
			return nil, "a string"
		}
	case kindInteger:
		n, ok := wholeNumber(value)
		if !ok || (f.enum != nil && !slices.Contains(f.enum, n)) {
			if f.enum != nil {
				return nil, fmt.Sprintf("one of %v", f.enum)
			}
			return nil, "a whole number"
		}
	case kindFloat:
		if _, ok := value.(json.Number); !ok {
			return nil, "a number"
		}
	case kindBoolean:
		if _, ok := value.(bool); !ok {
			return nil, "true or false"
		}
	case kindStamp:
		at, utc, ok := parseStamp(text)
		if !ok || !utc {
			return nil, "a time in UTC"
		}
		return formatStamp(at), ""
	case kindDate:
		if _, err := time.Parse(time.DateOnly, text); err != nil {
			return nil, "a day such as 2026-03-02"
		}
	case kindRef:
		if !isUUID(text) {
			return nil, "the id of a record"
		}
		return strings.ToLower(text), ""
	case kindOptions:
		list, ok := value.([]any)
		if !ok {
			return nil, "an array of ids"
		}
		ids := []any{}
		for _, item := range list {
			id, _ := item.(string)
			if !isUUID(id) {
				return nil, "an array of ids"
			}
			ids = append(ids, strings.ToLower(id))
		}
		return ids, ""
	}
	return value, ""
}

func wholeNumber(value any) (int64, bool) {
	n, ok := value.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := n.Int64()
	return i, err == nil
}

// isUUID looks at the form only: the vendor's ids leave out the version.
func isUUID(id string) bool {
	if len(id) != 36 {
		return false
	}
	for i, c := range []byte(id) {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if (c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F') {
				return false
			}
		}
	}
	return true
}
