package vendorjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/unicrm/unicrm/sdk/errs"
)

// Body is a request's body in the making: a JSON object whose keys stay in the
// order in which they were set, each with the path of the unified field that it
// came from. So what the vendor says of one of its fields can be told to the
// caller in the caller's own words; see [Body.Unified]. The zero value is an
// empty object.
type Body struct {
	members []bodyMember
	index   map[string]int // of members by key, once there are many
	aliases []alias
}

// manyMembers is from when on keys are not looked for one by one: how many there
// are is the caller's to choose.
const manyMembers = 16

type bodyMember struct {
	key, path string
	value     any // *Body or []*Body for objects of ours, else anything that json.Marshal takes
}

type alias struct{ field, path string }

// Set writes a value under a key; a key that is there already is replaced. The
// path is "" for what comes from no field of the caller's.
func (b *Body) Set(key, path string, value any) {
	if i := b.find(key); i >= 0 {
		b.members[i].value, b.members[i].path = value, path
		return
	}
	b.members = append(b.members, bodyMember{key: key, path: path, value: value})
	if b.index != nil {
		b.index[key] = len(b.members) - 1
	}
}

// find gives the place of a key, -1 when there is none.
func (b *Body) find(key string) int {
	if len(b.members) < manyMembers {
		return slices.IndexFunc(b.members, func(m bodyMember) bool { return m.key == key })
	}
	if b.index == nil {
		b.index = map[string]int{}
		for i, m := range b.members {
			b.index[m.key] = i
		}
	}
	if i, ok := b.index[key]; ok {
		return i
	}
	return -1
}

// Text writes a text that is there, null when the field is to be emptied, and
// nothing otherwise.
func (b *Body) Text(key, path string, value *string, clear bool) {
	switch {
	case value != nil:
		b.Set(key, path, *value)
	case clear:
		b.Set(key, path, nil)
	}
}

// Number writes an id for vendors whose ids are numbers, with its own digits. One
// that is no number is written as it is, for the vendor to refuse.
func (b *Body) Number(key, path string, id *string, clear bool) {
	if id == nil {
		b.Text(key, path, nil, clear)
		return
	}
	b.Set(key, path, NumberOf(*id))
}

// NumberOf is an id as a JSON number, or as text when it is none.
func NumberOf(id string) any {
	if number, err := strconv.ParseInt(id, 10, 64); err == nil && strconv.FormatInt(number, 10) == id {
		return json.Number(id)
	}
	return id
}

// Object gives the object under a key, which is made when there is none.
func (b *Body) Object(key, path string) *Body {
	if inner, ok := b.Get(key).(*Body); ok {
		return inner
	}
	inner := &Body{}
	b.Set(key, path, inner)
	return inner
}

// Get gives the value under a key, nil when there is none.
func (b *Body) Get(key string) any {
	if i := b.find(key); i >= 0 {
		return b.members[i].value
	}
	return nil
}

// Drop takes a key out.
func (b *Body) Drop(key string) {
	b.members = slices.DeleteFunc(b.members, func(m bodyMember) bool { return m.key == key })
	b.index = nil
}

// Keys are the keys in order.
func (b *Body) Keys() []string {
	var keys []string
	for _, m := range b.members {
		keys = append(keys, m.key)
	}
	return keys
}

// Empty tells whether nothing was set.
func (b *Body) Empty() bool { return len(b.members) == 0 }

// Alias says which unified field stands behind a place in the vendor's errors
// that is no key of this body, such as "emails[2].value".
func (b *Body) Alias(field, path string) {
	b.aliases = append(b.aliases, alias{field: field, path: path})
}

// MergeRemote puts the caller's remote_data over the body: keys that were not
// mapped go in as they are, one that was is replaced, objects are merged key by
// key, lists are replaced. It comes last.
func (b *Body) MergeRemote(remote json.RawMessage) { b.merge(remote, "remote_data", 0) }

// maxMergeDepth is how deep objects are merged; below they are replaced. No
// vendor's records are as deep, and each level is read anew.
const maxMergeDepth = 32

func (b *Body) merge(raw json.RawMessage, path string, depth int) {
	for _, m := range Members(raw) {
		here := path + "." + m.Key
		if depth < maxMergeDepth && Object(m.Value) != nil {
			if there := b.opened(m.Key); there != nil {
				there.merge(m.Value, here, depth+1)
				continue
			}
		}
		b.Set(m.Key, here, m.Value)
	}
}

// opened gives the object under a key as one that can be written to; nil when
// what is there is none. Its members keep the path that it had.
func (b *Body) opened(key string) *Body {
	i := b.find(key)
	if i < 0 {
		return nil
	}
	if inner, ok := b.members[i].value.(*Body); ok && inner != nil {
		return inner
	}
	raw, err := encode(b.members[i].value)
	if err != nil || Object(raw) == nil {
		return nil
	}
	inner, path := &Body{}, b.members[i].path
	for _, m := range Members(raw) {
		at := ""
		if path != "" {
			at = path + "." + m.Key
		}
		inner.Set(m.Key, at, m.Value)
	}
	b.members[i].value = inner
	return inner
}

// Path gives the unified field behind a field of the vendor's: dotted, with
// indices in brackets or as parts of their own ("emails.0.value"), or a JSON
// pointer. A field that stands in no place of this body is given back as it is.
func (b *Body) Path(field string) string {
	want := splitField(field)
	best, rest := "", want
	b.walk(nil, func(at []string, path string) {
		behind, in := within(at, field, want)
		if path != "" && in && (best == "" || len(behind) < len(rest)) { // the longest place that fits
			best, rest = path, behind
		}
	})
	if best == "" {
		return field
	}
	return joinField(best, rest)
}

// within tells whether a field lies in a place, and what of it is behind the
// place's own part. A key may have dots and brackets itself.
func within(at []string, field string, want []string) (behind []string, in bool) {
	if len(at) <= len(want) && slices.EqualFunc(at, want[:len(at)], strings.EqualFold) {
		return want[len(at):], true
	}
	text := strings.Join(at, ".")
	if len(field) < len(text) || !strings.EqualFold(field[:len(text)], text) {
		return nil, false
	}
	rest := field[len(text):]
	if rest != "" && rest[0] != '.' && rest[0] != '[' {
		return nil, false
	}
	return splitField(strings.TrimPrefix(rest, ".")), true
}

// walk visits every place of the body and every alias.
func (b *Body) walk(at []string, visit func(at []string, path string)) {
	if b == nil {
		return
	}
	for _, a := range b.aliases {
		visit(append(slices.Clone(at), splitField(a.field)...), a.path)
	}
	for _, m := range b.members {
		here := append(slices.Clone(at), m.key)
		visit(here, m.path)
		switch inner := m.value.(type) {
		case *Body:
			inner.walk(here, visit)
		case []*Body:
			for i, item := range inner {
				item.walk(append(slices.Clone(here), strconv.Itoa(i)), visit)
			}
		}
	}
}

// splitField takes a dotted path or a JSON pointer apart, indices being parts.
func splitField(field string) []string {
	separator := "."
	if strings.HasPrefix(field, "/") {
		separator, field = "/", field[1:]
	}
	var parts []string
	for part := range strings.SplitSeq(field, separator) {
		if separator == "/" {
			parts = append(parts, strings.NewReplacer("~1", "/", "~0", "~").Replace(part))
			continue
		}
		name, indices, indexed := strings.Cut(part, "[")
		if name != "" {
			parts = append(parts, name)
		}
		if indexed {
			for index := range strings.SplitSeq(strings.TrimSuffix(indices, "]"), "][") {
				if index != "" {
					parts = append(parts, index)
				}
			}
		}
	}
	return parts
}

func joinField(path string, rest []string) string {
	for _, part := range rest {
		if _, err := strconv.Atoi(part); err == nil {
			path += "[" + part + "]"
		} else {
			path += "." + part
		}
	}
	return path
}

// Unified gives an error whose Fields, which the client's Explain read from the
// vendor's answer, name unified fields in place of the vendor's.
func (b *Body) Unified(err error) error {
	var e *errs.Error
	if !errors.As(err, &e) || e.Vendor == nil || len(e.Fields) == 0 {
		return err // a loss, say, has the caller's paths already
	}
	renamed := *e
	renamed.Fields = nil
	for _, f := range e.Fields {
		f.Path = b.Path(f.Path)
		renamed.Fields = append(renamed.Fields, f)
	}
	return &renamed
}

// MarshalJSON implements json.Marshaler.
func (b *Body) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, m := range b.members {
		if i > 0 {
			out = append(out, ',')
		}
		key, err := encode(m.key)
		if err != nil {
			return nil, err
		}
		value, err := encode(m.value)
		if err != nil {
			return nil, err
		}
		out = append(append(append(out, key...), ':'), value...)
	}
	return append(out, '}'), nil
}

// encode is json.Marshal without the escapes that are for HTML.
func encode(value any) ([]byte, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// Members gives the members of a JSON object in order, keys as they are and
// values verbatim; nil for anything else.
func Members(raw json.RawMessage) []JSONMember {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return nil
	}
	var members []JSONMember
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			return nil
		}
		m := JSONMember{}
		m.Key, _ = token.(string)
		if dec.Decode(&m.Value) != nil {
			return nil
		}
		members = append(members, m)
	}
	if !ends(dec) {
		return nil
	}
	return members
}

// ends tells whether an object is closed and nothing comes behind it.
func ends(dec *json.Decoder) bool {
	if end, err := dec.Token(); err != nil || end != json.Delim('}') {
		return false
	}
	_, err := dec.Token()
	return errors.Is(err, io.EOF)
}

// JSONMember is a key of a JSON object with its value.
type JSONMember struct {
	Key   string
	Value json.RawMessage
}

// Null tells whether the value is null.
func (m JSONMember) Null() bool { return string(m.Value) == "null" }
