package emulator

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Object is a JSON object that keeps the order of its keys and the digits of
// its numbers (json.Number), as a vendor's records do. The zero value is an
// empty object.
type Object struct {
	keys   []string
	values map[string]any
}

// Pairs makes an object of alternating keys and values.
func Pairs(keysAndValues ...any) *Object {
	if len(keysAndValues)%2 != 0 {
		panic("emulator: Pairs wants keys and values in turn")
	}
	o := &Object{}
	for i := 0; i < len(keysAndValues); i += 2 {
		o.Set(keysAndValues[i].(string), keysAndValues[i+1])
	}
	return o
}

// ParseObject reads exactly one JSON object.
func ParseObject(data []byte) (*Object, error) {
	o := &Object{}
	if err := json.Unmarshal(data, o); err != nil {
		return nil, err
	}
	return o, nil
}

// Set stores a value, at the end when the key is new.
func (o *Object) Set(key string, value any) {
	if o.values == nil {
		o.values = map[string]any{}
	}
	if _, ok := o.values[key]; !ok {
		o.keys = append(o.keys, key)
	}
	o.values[key] = value
}

// Get returns a key's value, nil when it is absent.
func (o *Object) Get(key string) any { return o.values[key] }

// Lookup returns a key's value and whether it is there.
func (o *Object) Lookup(key string) (any, bool) {
	value, ok := o.values[key]
	return value, ok
}

// Has tells whether a key is there, also with null.
func (o *Object) Has(key string) bool {
	_, ok := o.values[key]
	return ok
}

// Delete takes a key out.
func (o *Object) Delete(key string) {
	if !o.Has(key) {
		return
	}
	delete(o.values, key)
	for i, k := range o.keys {
		if k == key {
			o.keys = append(o.keys[:i:i], o.keys[i+1:]...)
			return
		}
	}
}

// Keys returns the keys in order. The slice is the caller's.
func (o *Object) Keys() []string { return append([]string(nil), o.keys...) }

// Len is the number of keys.
func (o *Object) Len() int { return len(o.keys) }

// Text returns a key's value when it is a string, else "".
func (o *Object) Text(key string) string {
	s, _ := o.values[key].(string)
	return s
}

// Clone copies the object and the objects, arrays, []*Object, []string and
// json.RawMessage in it; values of other types are shared.
func (o *Object) Clone() *Object {
	c := &Object{}
	for _, key := range o.keys {
		c.Set(key, cloneValue(o.values[key]))
	}
	return c
}

func cloneValue(value any) any {
	switch v := value.(type) {
	case *Object:
		if v == nil {
			return nil
		}
		return v.Clone()
	case []any:
		c := make([]any, len(v))
		for i := range v {
			c[i] = cloneValue(v[i])
		}
		return c
	case []*Object:
		c := make([]*Object, len(v))
		for i := range v {
			c[i], _ = cloneValue(v[i]).(*Object)
		}
		return c
	case []string:
		return slices.Clone(v)
	case json.RawMessage:
		return slices.Clone(v)
	default:
		return v
	}
}

// MarshalJSON writes the keys in order.
func (o *Object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, key := range o.keys {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(key)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		value, err := json.Marshal(o.values[key])
		if err != nil {
			return nil, err
		}
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON reads an object: nested objects as *Object, arrays as []any,
// numbers as json.Number.
func (o *Object) UnmarshalJSON(data []byte) error {
	value, err := ParseValue(data)
	if err != nil {
		return err
	}
	parsed, ok := value.(*Object)
	if !ok {
		return errors.New("not a JSON object")
	}
	*o = *parsed
	return nil
}

// ParseValue reads exactly one JSON value of any type, objects as *Object,
// arrays as []any, numbers as json.Number.
func ParseValue(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	value, err := parseValue(dec, 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return value, nil
}

// maxDepth is how deep a value may nest. Reading takes stack for each level,
// and Go ends the process when that is used up.
const maxDepth = 1000

func parseValue(dec *json.Decoder, depth int) (any, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	if depth >= maxDepth {
		return nil, fmt.Errorf("the JSON value is more than %d levels deep", maxDepth)
	}
	switch delim {
	case '{':
		o := &Object{}
		for dec.More() {
			key, err := dec.Token()
			if err != nil {
				return nil, err
			}
			value, err := parseValue(dec, depth+1)
			if err != nil {
				return nil, err
			}
			o.Set(key.(string), value)
		}
		_, err := dec.Token()
		return o, err
	case '[':
		list := []any{}
		for dec.More() {
			value, err := parseValue(dec, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, value)
		}
		_, err := dec.Token()
		return list, err
	default:
		return nil, fmt.Errorf("unexpected %v", delim)
	}
}
