package emulator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// kind is the type of an attribute. Every kind takes null as well.
type kind string

const (
	kindText    kind = "a string"
	kindBoolean kind = "a boolean"
	kindNumber  kind = "a number"
	kindTexts   kind = "an array of strings"
	kindList    kind = "an array"
	kindObject  kind = "an object"
	kindCustom  kind = "an object of one level"
	kindDate    kind = "an ISO 8601 date"
	kindID      kind = "an id of 24 hexadecimal digits"
)

// maxDepth is how deep MongoDB lets documents nest.
const maxDepth = 100

// parseBody reads exactly one JSON value. json.Valid goes first because it
// bounds the nesting before anything recurses into it.
func parseBody(body []byte) (any, string) {
	if !json.Valid(body) {
		return nil, "the body is not JSON"
	}
	value, err := kit.ParseValue(body)
	if err != nil {
		return nil, "the body is not JSON"
	}
	if depth(value) > maxDepth {
		return nil, "the body is nested too deeply"
	}
	return value, ""
}

func parseObject(body []byte) (*kit.Object, string) {
	value, problem := parseBody(body)
	if problem != "" {
		return nil, problem
	}
	sent, ok := value.(*kit.Object)
	if !ok {
		return nil, "the body must be an object"
	}
	return sent, ""
}

func depth(value any) int {
	deepest := 0
	switch v := value.(type) {
	case *kit.Object:
		for _, key := range v.Keys() {
			deepest = max(deepest, depth(v.Get(key)))
		}
	case []any:
		for _, item := range v {
			deepest = max(deepest, depth(item))
		}
	default:
		return 0
	}
	return deepest + 1
}

// validate returns the attributes of a write that take effect, in the form in
// which they are stored, or the first thing wrong with it.
func (p *planhat) validate(c *collection, sent *kit.Object, creating bool) (*kit.Object, string) {
	changes := &kit.Object{}
	for _, name := range sent.Keys() {
		readOnly := slices.Contains(c.readOnly, name) || (!creating && slices.Contains(c.createOnly, name))
		want, known := c.attributes[name]
		switch {
		case readOnly:
			if p.env.Switch("read_only_attribute") == "400" {
				return nil, name + " is read-only"
			}
		case !known:
			if p.env.Switch("unknown_attribute") == "400" {
				return nil, name + " is not an attribute"
			}
		default:
			value := sent.Get(name)
			if value != nil && !want.fits(value) {
				return nil, fmt.Sprintf("%s must be %s", name, want)
			}
			if value != nil && want == kindDate {
				at, _ := parseTime(value)
				value = formatTime(at)
			}
			changes.Set(name, value)
		}
	}
	return changes, ""
}

func (k kind) fits(value any) bool {
	switch k {
	case kindText:
		_, ok := value.(string)
		return ok
	case kindBoolean:
		_, ok := value.(bool)
		return ok
	case kindNumber:
		_, ok := value.(json.Number)
		return ok
	case kindTexts:
		items, ok := value.([]any)
		return ok && !slices.ContainsFunc(items, func(item any) bool { return !kindText.fits(item) })
	case kindList:
		_, ok := value.([]any)
		return ok
	case kindObject:
		_, ok := value.(*kit.Object)
		return ok
	case kindCustom:
		fields, ok := value.(*kit.Object)
		return ok && !slices.ContainsFunc(fields.Keys(), func(key string) bool { return kindObject.fits(fields.Get(key)) })
	case kindDate:
		_, ok := parseTime(value)
		return ok
	case kindID:
		s, ok := value.(string)
		return ok && objectID.MatchString(s)
	default:
		return false
	}
}

func parseTime(value any) (time.Time, bool) {
	s, ok := value.(string)
	if !ok {
		return time.Time{}, false
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if at, err := time.Parse(layout, s); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

func sameJSON(a, b *kit.Object) bool {
	left, errLeft := json.Marshal(a)
	right, errRight := json.Marshal(b)
	return errLeft == nil && errRight == nil && bytes.Equal(left, right)
}
