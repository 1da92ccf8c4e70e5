package sdk

import (
	"bytes"
	"encoding/json"
	"strings"

	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
)

// secretsIn collects the values of the credentials that the schemas mark as
// writeOnly, at any depth.
func (p *Provider) secretsIn(account *providerv1.Account) []string {
	credentials, err := decodeAny(account.GetCredentials())
	if err != nil {
		return nil
	}
	var secrets []string
	for _, method := range p.Authentication {
		if root, err := decodeAny(method.Schema); err == nil {
			walk := schemaWalk{root: root}
			walk.along(root, credentials, 0)
			secrets = append(secrets, walk.found...)
		}
	}
	return secrets
}

func decodeAny(data []byte) (value any, _ error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	err := dec.Decode(&value)
	return value, err
}

// schemaWalk follows a value along its JSON Schema. Where a schema has
// alternatives it follows them all: striking too much does no harm.
type schemaWalk struct {
	root  any
	found []string
}

// maxSchemaDepth ends the walk along a schema that refers to itself.
const maxSchemaDepth = 32

func (w *schemaWalk) along(schema, value any, depth int) {
	node, ok := schema.(map[string]any)
	if !ok || value == nil || depth > maxSchemaDepth {
		return
	}
	if node["writeOnly"] == true {
		w.collect(value)
		return
	}
	if ref, ok := node["$ref"].(string); ok {
		w.along(w.resolve(ref), value, depth+1)
	}
	for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
		alternatives, _ := node[keyword].([]any)
		for _, alternative := range alternatives {
			w.along(alternative, value, depth+1)
		}
	}
	for _, keyword := range []string{"then", "else"} {
		w.along(node[keyword], value, depth+1)
	}
	switch value := value.(type) {
	case map[string]any:
		properties, _ := node["properties"].(map[string]any)
		for name, inner := range value {
			if property, ok := properties[name]; ok {
				w.along(property, inner, depth+1)
			} else {
				w.along(node["additionalProperties"], inner, depth+1)
			}
		}
	case []any:
		for _, item := range value {
			w.along(node["items"], item, depth+1)
		}
	}
}

// collect takes every text and number of a value.
func (w *schemaWalk) collect(value any) {
	switch value := value.(type) {
	case string:
		w.found = append(w.found, value)
	case json.Number:
		w.found = append(w.found, value.String())
	case []any:
		for _, item := range value {
			w.collect(item)
		}
	case map[string]any:
		for _, inner := range value {
			w.collect(inner)
		}
	}
}

// resolve finds what a reference within the schema, such as "#/$defs/secret",
// points to.
func (w *schemaWalk) resolve(ref string) any {
	path, within := strings.CutPrefix(ref, "#")
	if !within {
		return nil
	}
	at := w.root
	for name := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if object, ok := at.(map[string]any); ok && name != "" {
			at = object[name]
		}
	}
	return at
}
