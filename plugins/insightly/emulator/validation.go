package emulator

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// parse reads a body's one JSON value with its keys in the vendor's case.
func (e *emulator) parse(body []byte) (any, *answer) {
	// Valid also bounds the depth, which parsing into objects does not.
	if !json.Valid(body) {
		return nil, e.unbindable()
	}
	value, err := kit.ParseValue(body)
	if err != nil {
		return nil, e.unbindable()
	}
	if e.env.Switch("body_keys") == "any_case" {
		value = upperKeys(value)
	}
	return value, nil
}

func (e *emulator) parseObject(body []byte) (*kit.Object, *answer) {
	value, refusal := e.parse(body)
	if refusal != nil {
		return nil, refusal
	}
	object, ok := value.(*kit.Object)
	if !ok {
		return nil, e.unbindable()
	}
	return object, nil
}

// parseList reads an array of objects; one object stands for a list of one,
// which is how the vendor's description shows these bodies.
func (e *emulator) parseList(body []byte) ([]any, *answer) {
	value, refusal := e.parse(body)
	if refusal != nil {
		return nil, refusal
	}
	switch v := value.(type) {
	case []any:
		return v, nil
	case *kit.Object:
		return []any{v}, nil
	default:
		return nil, e.unbindable()
	}
}

func upperKeys(value any) any {
	switch v := value.(type) {
	case *kit.Object:
		upper := &kit.Object{}
		for _, key := range v.Keys() {
			upper.Set(strings.ToUpper(key), upperKeys(v.Get(key)))
		}
		return upper
	case []any:
		for i := range v {
			v[i] = upperKeys(v[i])
		}
	}
	return value
}

// applyFields writes the body's standard fields into doc. Only keys that the
// body has are touched; null clears.
func (e *emulator) applyFields(k *kind, doc, body *kit.Object) *answer {
	for _, key := range body.Keys() {
		f, known := k.field(key)
		switch {
		case !known && (slices.Contains(k.collections, key) || strings.EqualFold(key, "ETag")):
			continue
		case !known:
			if e.env.Switch("unknown_keys") == "400" {
				return e.invalid("Field %s is not valid.", key)
			}
			continue
		case key == k.idKey:
			continue // clients send 0 when creating; an update has read it
		case f.readOnly:
			if e.env.Switch("read_only_keys") == "400" {
				return e.invalid("%s is read-only.", key)
			}
			continue
		}
		value, problem := f.check(body.Get(key))
		if problem != "" {
			return e.invalid("%s", problem)
		}
		if refusal := e.checkReference(key, value); refusal != nil {
			return refusal
		}
		if key == "OWNER_USER_ID" && value == nil && e.env.Switch("owner_null") == "keep" {
			continue
		}
		doc.Set(key, value)
	}
	return e.checkRequired(k, doc, body)
}

// checkRequired holds the result to the required name. A record that came
// without one, by an import, may keep lacking it as long as no write names it.
func (e *emulator) checkRequired(k *kind, doc, body *kit.Object) *answer {
	names := []string{k.required}
	if k == contacts && e.env.Switch("required_name") == "any_name" {
		names = append(names, "LAST_NAME")
	}
	named := !doc.Has("ETag") // a new record
	for _, name := range names {
		named = named || body.Has(name)
		if strings.TrimSpace(doc.Text(name)) != "" {
			return nil
		}
	}
	if !named {
		return nil
	}
	return e.invalid("%s is required.", k.required)
}

// checkReference refuses ids of records and users that do not exist.
func (e *emulator) checkReference(key string, value any) *answer {
	id, ok := integerOf(value)
	if !ok || e.env.Switch("unknown_reference") == "ignore" {
		return nil
	}
	switch key {
	case "ORGANISATION_ID":
		ok = e.state.exists(organisations, id)
	case "OWNER_USER_ID":
		ok = e.state.user(id) != nil
	}
	if !ok {
		return e.invalid("%s %d is not valid.", key, id)
	}
	return nil
}

// check gives the value to store, or says what is wrong with it.
func (f field) check(value any) (stored any, problem string) {
	if value == nil {
		return f.zero(), ""
	}
	switch f.typ {
	case textField:
		s, ok := value.(string)
		if !ok {
			return nil, f.name + " is not a string."
		}
		if f.max > 0 && len(utf16.Encode([]rune(s))) > f.max {
			return nil, fmt.Sprintf("%s is longer than %d characters.", f.name, f.max)
		}
		return s, ""
	case integerField:
		if _, ok := integerOf(value); !ok {
			return nil, f.name + " is not an integer."
		}
	case numberField:
		if _, ok := value.(json.Number); !ok {
			return nil, f.name + " is not a number."
		}
	case booleanField:
		if _, ok := value.(bool); !ok {
			return nil, f.name + " is not a boolean."
		}
	case dateField:
		return checkDate(f.name, value)
	}
	return value, ""
}

// checkDate takes the body's form only. The two spellings of "no date" that
// occur in answers are taken back as null.
func checkDate(name string, value any) (stored any, problem string) {
	s, ok := value.(string)
	if !ok {
		return nil, name + " is not a valid date."
	}
	if s == "" || s == "0000-00-00 00:00:00" {
		return nil, ""
	}
	// Parse alone would take a fraction of a second too.
	if _, err := time.Parse(stampForm, s); err != nil || len(s) != len(stampForm) {
		return nil, name + " is not a valid date."
	}
	return s, ""
}
