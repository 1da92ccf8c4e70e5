// Package vendorjson reads the JSON of vendors as it comes rather than as it
// is documented: a number where a string should be, null where a list should
// be, three kinds of dates. One odd field of one record must not fail a page.
package vendorjson

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/unicrm/unicrm/sdk/crm"
)

// Text is a scalar read as text: a string as it is, a number or boolean with
// its own digits. Null, objects and arrays read as absent.
type Text struct {
	text  string
	there bool
}

// UnmarshalJSON implements json.Unmarshaler. It does not fail.
func (t *Text) UnmarshalJSON(data []byte) error {
	*t = Text{}
	switch {
	case len(data) == 0, data[0] == 'n', data[0] == '{', data[0] == '[':
	case data[0] == '"':
		t.there = json.Unmarshal(data, &t.text) == nil
	default:
		t.text, t.there = string(data), true
	}
	return nil
}

// String is the text, "" when absent.
func (t Text) String() string { return t.text }

// Ptr is the text, nil when absent or blank: vendors write "" for nothing.
func (t Text) Ptr() *string {
	if !t.there {
		return nil
	}
	return crm.Text(t.text)
}

// TextOf is a Text with a value, for tests and for values computed on the way.
func TextOf(s string) Text { return Text{text: s, there: true} }

// List is an array; anything else reads as an empty one, and an element that
// does not decode is left out.
type List[T any] []T

// UnmarshalJSON implements json.Unmarshaler. It does not fail.
func (l *List[T]) UnmarshalJSON(data []byte) error {
	*l = nil
	var elements []json.RawMessage
	if json.Unmarshal(data, &elements) != nil {
		return nil //nolint:nilerr // what is no array reads as an empty one
	}
	for _, element := range elements {
		var value T
		if string(element) != "null" && json.Unmarshal(element, &value) == nil {
			*l = append(*l, value)
		}
	}
	return nil
}

// Bool is a boolean; true for true, "true" and 1, false for anything else.
type Bool bool

// UnmarshalJSON implements json.Unmarshaler. It does not fail.
func (b *Bool) UnmarshalJSON(data []byte) error {
	switch strings.ToLower(strings.Trim(string(data), `"`)) {
	case "true", "1":
		*b = true
	default:
		*b = false
	}
	return nil
}

// Object gives raw when it is a JSON object, else nil.
func Object(raw json.RawMessage) json.RawMessage {
	if trimmed := bytes.TrimSpace(raw); len(trimmed) > 0 && trimmed[0] == '{' {
		return trimmed
	}
	return nil
}

// Member gives the raw value of one member of a JSON object by its exact key.
// It is not there when raw is no object, when the key is absent, and when a key
// that is alike but for its case, or the same one, stands there a second time:
// for decisions that must not rest on which of two a reader prefers.
func Member(raw json.RawMessage, key string) (json.RawMessage, bool) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return nil, false
	}
	var found json.RawMessage
	alike := 0
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil, false
		}
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			return nil, false
		}
		if name, _ := token.(string); strings.EqualFold(name, key) {
			alike++
			if name == key {
				found = value
			}
		}
	}
	return found, found != nil && alike == 1 && ends(dec)
}

// Unix reads an instant from seconds since 1970, whole ones or with a fraction
// of which nothing is kept, in a number or a string. Zero and less, and what is
// no such number, read as absent: vendors write 0 for nothing.
func Unix(text Text) *time.Time {
	whole, _, _ := strings.Cut(strings.TrimSpace(text.text), ".")
	seconds, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || seconds <= 0 || seconds > lastSecond {
		return nil
	}
	return new(time.Unix(seconds, 0).UTC())
}

// lastSecond is the end of the year 9999.
const lastSecond = 253402300799

// Time reads an instant by the first layout that fits; one without a zone is
// in UTC. Text that fits none, and zero dates such as "0000-00-00 00:00:00",
// read as absent.
func Time(text Text, layouts ...string) *time.Time {
	trimmed := strings.TrimSpace(text.text)
	if trimmed == "" {
		return nil
	}
	for _, layout := range layouts {
		if parsed, err := time.Parse(layout, trimmed); err == nil {
			utc := parsed.UTC()
			if utc.Year() <= 1 || utc.Year() > 9999 { // year 1 is .NET's way of saying "never"
				return nil
			}
			return &utc
		}
	}
	return nil
}
