package unified

import (
	"slices"
	"strings"
)

// Dialect names the JSON Schema dialect of everything in this file.
const Dialect = "https://json-schema.org/draft/2020-12/schema"

// JSONSchema describes a record of the resource as JSON Schema: the whole of
// it, or of an answer that can fill the returned paths when all is false.
func (s *Schema) JSONSchema(all bool, returned []string) map[string]any {
	d := describer{includes: func(_ Field, path string) bool { return all || path == "id" || canReturn(returned, path) }, marks: all}
	root := d.members(s.Fields, "")
	root["$schema"] = Dialect
	root["title"] = s.Resource
	root["required"] = []string{"id"}
	root["properties"].(map[string]any)["id"] = map[string]any{"type": "string", "readOnly": true}
	return root
}

// BodySchema describes what a write takes as JSON Schema.
func (s *Schema) BodySchema(writable, required []string) map[string]any {
	d := describer{
		includes: func(f Field, path string) bool { return !f.ReadOnly && canReturn(writable, path) },
		required: required, closed: true,
	}
	root := d.members(s.Fields, "")
	root["$schema"] = Dialect
	root["title"] = s.Resource
	if len(required) == 0 {
		root["minProperties"] = 1
	}
	return root
}

// describer turns fields into JSON Schema.
type describer struct {
	includes func(f Field, path string) bool
	required []string // dotted paths
	closed   bool     // other members than those described are refused
	marks    bool     // of what callers cannot set
}

// members describes an object by its fields.
func (d describer) members(fields []Field, prefix string) map[string]any {
	properties := map[string]any{}
	var required []string
	for _, f := range fields {
		path := prefix + f.Name
		if !d.includes(f, path) {
			continue
		}
		properties[f.Name] = d.field(f, path)
		if d.needs(path) {
			required = append(required, f.Name)
		}
	}
	object := map[string]any{"type": "object", "properties": properties}
	if required != nil {
		object["required"] = required
	}
	if d.closed {
		object["additionalProperties"] = false
	}
	return object
}

// needs tells whether a path, or something in it, is required.
func (d describer) needs(path string) bool {
	return slices.ContainsFunc(d.required, func(r string) bool { return r == path || strings.HasPrefix(r, path+".") })
}

func (d describer) field(f Field, path string) map[string]any {
	needed := d.needs(path)
	orNull := func(kind string) any {
		if needed {
			return kind
		}
		return []string{kind, "null"}
	}
	var described map[string]any
	switch f.Kind {
	case Text:
		described = map[string]any{"type": orNull("string")}
		if needed {
			described["minLength"] = 1
		}
	case Boolean:
		described = map[string]any{"type": orNull("boolean")}
	case Number:
		described = map[string]any{"type": orNull("number")}
	case Instant:
		described = map[string]any{"type": orNull("string"), "format": "date-time"}
	case JSON:
		described = map[string]any{"type": []string{"object", "null"}}
		if !d.closed { // a vendor's answer may be anything, and of a body nothing else is taken
			if f.Name == "remote_data" {
				delete(described, "type")
			} else {
				described["type"] = "object"
			}
		}
	case Object:
		described = d.members(f.Fields, path+".")
		described["type"] = orNull("object")
	case Objects:
		described = map[string]any{"type": "array", "items": d.members(f.Fields, path+".")}
		switch {
		case needed:
			described["minItems"] = 1
		case d.closed:
			described["type"] = orNull("array")
		}
	case Texts:
		described = map[string]any{"type": "array", "items": map[string]any{"type": "string"}}
	}
	if d.marks && f.ReadOnly {
		described["readOnly"] = true
	}
	return described
}

// TypeName is a field's type in words that JSON Schema has, or its format
// where that says more.
func (f Field) TypeName() string {
	switch f.Kind {
	case Text:
		return "string"
	case Boolean:
		return "boolean"
	case Number:
		return "number"
	case Instant:
		return "date-time"
	case Objects, Texts:
		return "array"
	default:
		return "object"
	}
}

// FieldSupport is what a provider does with one field in one method.
type FieldSupport struct {
	Path, Type                   string
	Returned, Writable, Required bool
	Filters                      []Operator
	Sortable                     bool
}

// Support tells for every field of the schema, parts after what they are part
// of, what a method of a provider does with it. Filters that are no fields come
// last.
func (s *Schema) Support(method *MethodCapabilities) []FieldSupport {
	var rows []FieldSupport
	filters := map[string][]Operator{}
	for _, f := range method.Filters {
		filters[f.Field] = f.Operators
	}
	var add func(fields []Field, prefix string)
	add = func(fields []Field, prefix string) {
		for _, f := range fields {
			path := prefix + f.Name
			rows = append(rows, FieldSupport{
				Path: path, Type: f.TypeName(), Returned: canReturn(method.Returned, path), Writable: !f.ReadOnly && method.Takes(path),
				Required: slices.Contains(method.Required, path), Filters: filters[path], Sortable: slices.Contains(method.SortKeys, path),
			})
			delete(filters, path)
			add(f.Fields, path+".")
		}
	}
	add(s.Fields, "")
	for _, f := range method.Filters {
		if operators, left := filters[f.Field]; left {
			kind := Field{Kind: Text}
			if f.Field == "is_deleted" {
				kind.Kind = Boolean
			}
			rows = append(rows, FieldSupport{Path: f.Field, Type: kind.TypeName(), Filters: operators})
		}
	}
	return rows
}
