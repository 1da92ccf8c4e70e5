package api

import (
	"slices"
	"strings"

	"github.com/unicrm/unicrm/host/internal/unified"
)

// object makes the JSON Schema of an object that has no other members.
func object(properties map[string]any, required ...string) map[string]any {
	schema := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		schema["required"] = required
	}
	return schema
}

func typed(kind string) map[string]any { return map[string]any{"type": kind} }

func described(kind, description string) map[string]any {
	return map[string]any{"type": kind, "description": description}
}

// responseSchema is what of a record, or for a batch of an id's outcome, an
// answer of the provider fills.
func responseSchema(schema *unified.Schema, can *unified.MethodCapabilities) map[string]any {
	if can.Method != unified.BatchDelete {
		return schema.JSONSchema(false, can.Returned)
	}
	outcome := object(map[string]any{"id": typed("string"), "deleted": typed("boolean"), "already_deleted": typed("boolean"), "error": typed("object")}, "id", "deleted")
	outcome["$schema"] = unified.Dialect
	return outcome
}

// bodySchema is what of a record the provider takes; nil for methods without a
// body.
func bodySchema(schema *unified.Schema, can *unified.MethodCapabilities) map[string]any {
	var body map[string]any
	switch can.Method {
	case unified.Create:
		body = schema.BodySchema(can.Writable, can.Required)
	case unified.Update:
		body = schema.BodySchema(can.Writable, nil)
		for _, path := range can.Required { // there already, and to stay
			top, _, nested := strings.Cut(path, ".")
			if property, ok := body["properties"].(map[string]any)[top].(map[string]any); ok && !nested {
				property["type"] = notNull(property["type"])
				if property["type"] == "string" {
					property["minLength"] = 1
				}
			}
		}
	case unified.Upsert:
		body = schema.BodySchema(can.Writable, []string{"email_addresses.email"})
	case unified.Merge:
		record := object(map[string]any{"id": typed("string")}, "id")
		duplicates := map[string]any{"type": "array", "items": record, "minItems": 1, "maxItems": most(can)}
		body = object(map[string]any{"master_record": record, "duplicate_records": duplicates}, "master_record", "duplicate_records")
	case unified.BatchDelete:
		body = object(map[string]any{"id": map[string]any{"type": "array", "items": typed("string"), "minItems": 1, "maxItems": maxMany, "uniqueItems": true}}, "id")
	default:
		return nil
	}
	body["$schema"] = unified.Dialect
	return body
}

func most(can *unified.MethodCapabilities) int { return (&call{capabilities: can}).maxRecords() }

func notNull(kind any) any {
	if kinds, ok := kind.([]string); ok {
		return kinds[0]
	}
	return kind
}

// querySchema is the query string's parameters, brackets read as objects and
// lists.
func querySchema(schema *unified.Schema, can *unified.MethodCapabilities) map[string]any {
	properties := map[string]any{
		"integrated_account_id":    map[string]any{"type": "string", "format": "uuid"},
		"truto_response_format":    map[string]any{"enum": formats, "default": unified.Unified},
		"truto_ignore_remote_data": typed("boolean"),
		"truto_exclude_fields":     map[string]any{"type": "array", "items": typed("string")},
		"truto_ignore_unsupported": typed("boolean"),
		"remote_query":             described("object", "goes into the provider's query string"),
	}
	switch {
	case can.Method == unified.List:
		properties["limit"] = map[string]any{"type": "integer", "minimum": 1, "maximum": maxLimit, "default": defaultLimit}
		properties["next_cursor"] = typed("string")
		properties["truto_key_by"] = map[string]any{"enum": keyFields(schema)}
		addFilters(properties, schema, can)
	case can.Method.Writes():
		properties["truto_dry_run"] = typed("boolean")
		properties["truto_allow_lossy"] = typed("boolean")
	}
	query := object(properties, "integrated_account_id")
	query["$schema"] = unified.Dialect
	return query
}

func keyFields(schema *unified.Schema) []string {
	var names []string
	for _, f := range schema.Fields {
		if f.Kind == unified.Text || f.Kind == unified.Instant {
			names = append(names, f.Name)
		}
	}
	return names
}

// addFilters adds the filters and sort keys that the provider serves.
func addFilters(properties map[string]any, schema *unified.Schema, can *unified.MethodCapabilities) {
	for _, f := range can.Filters {
		name, part, nested := strings.Cut(f.Field, ".")
		field, _ := schema.Field(name)
		switch {
		case nested: // a list's item, of which one filter takes one
			items := object(map[string]any{})
			if have, ok := properties[name].(map[string]any); ok {
				items = have["items"].(map[string]any)
			}
			items["properties"].(map[string]any)[part] = typed("string")
			properties[name] = map[string]any{"type": "array", "items": items}
		case field.Kind == unified.Instant:
			properties[name] = instantFilter(f.Operators)
		case name == "is_deleted":
			properties[name] = typed("boolean")
		default:
			properties[name] = typed("string")
		}
	}
	if len(can.SortKeys) > 0 {
		keys := map[string]any{}
		for _, key := range can.SortKeys {
			keys[key] = map[string]any{"enum": []string{"asc", "desc"}}
		}
		properties["sort_by"] = object(keys)
	}
}

func instantFilter(operators []unified.Operator) map[string]any {
	plain := map[string]any{"type": "string", "format": "date-time"}
	ranges := map[string]any{}
	for _, o := range operators {
		if o != unified.Equal {
			ranges[string(o)] = plain
		}
	}
	switch {
	case len(ranges) == 0:
		return plain
	case !slices.Contains(operators, unified.Equal):
		return object(ranges)
	default:
		return map[string]any{"anyOf": []any{plain, object(ranges)}}
	}
}
