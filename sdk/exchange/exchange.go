// Package exchange holds documented requests and answers of a vendor's API as
// files, so that an emulator and an adapter can each be held to them without
// knowing of one another: the emulator must answer the request in the sample's
// shape ([Exchange.CheckAnswer]), the adapter must send the request and
// understand the answer ([Stub]).
package exchange

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
)

// Exchange is one request and its answer, in a file of its own.
type Exchange struct {
	// Name is the file's name without ".json".
	Name string `json:"-"`
	// Source says where the vendor or a recording shows this, and how sure it is.
	Source string `json:"source"`
	// Vars are values for {name} placeholders in the request's path, query,
	// headers and body and in the answer. An emulator's test overrides them with ids of its seed.
	Vars     map[string]string `json:"vars,omitempty"`
	Switches map[string]string `json:"switches,omitempty"` // emulator switches that select this answer
	Request  Request           `json:"request"`
	Response Response          `json:"response"`
	// Free lists dotted paths of objects whose keys are data rather than
	// schema, such as "data.custom_fields". A step through an array has no index.
	Free []string `json:"free,omitempty"`
	// Open allows keys in an answer that the sample does not have, for
	// samples that their source cuts short.
	Open bool `json:"open,omitempty"`
}

// Request is what goes to the vendor.
type Request struct {
	Method string `json:"method"`
	Path   string `json:"path"` // escaped, from the root
	// Query holds the parameters that must be there, in any order.
	Query map[string]string `json:"query,omitempty"`
	// Headers must be there; the value "*" accepts any.
	Headers map[string]string `json:"headers,omitempty"`
	Body    json.RawMessage   `json:"body,omitempty"`
}

// Response is what the vendor answers.
type Response struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers,omitempty"`
	// Body is any JSON value. When Headers give a Content-Type that is not
	// JSON it is a string, sent as its text. Absent means an empty body.
	Body json.RawMessage `json:"body,omitempty"`
}

// Load reads every *.json of a folder, by name.
func Load(dir string) ([]Exchange, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no exchanges in %s", dir)
	}
	sort.Strings(files)
	all := make([]Exchange, 0, len(files))
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		var e Exchange
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&e); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		e.Name = strings.TrimSuffix(filepath.Base(file), ".json")
		all = append(all, e)
	}
	return all, nil
}

var placeholder = regexp.MustCompile(`\{([a-z][a-z0-9_]*)\}`)

// Fill replaces {name} placeholders by the exchange's variables, vars first.
func (e *Exchange) Fill(text string, vars map[string]string) string {
	return placeholder.ReplaceAllStringFunc(text, func(m string) string {
		name := m[1 : len(m)-1]
		if v, ok := vars[name]; ok {
			return v
		}
		if v, ok := e.Vars[name]; ok {
			return v
		}
		return m
	})
}

// NewRequest builds the request for a server at base (scheme and authority).
// Headers whose sample value is "*" are left for the caller to set.
func (e *Exchange) NewRequest(base string, vars map[string]string) (*http.Request, error) {
	query := url.Values{}
	for name, value := range e.Request.Query {
		query.Set(e.Fill(name, vars), e.Fill(value, vars))
	}
	target := base + e.Fill(e.Request.Path, vars)
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequest(e.Request.Method, target, strings.NewReader(e.Fill(string(e.Request.Body), vars)))
	if err != nil {
		return nil, err
	}
	for name, value := range e.Request.Headers {
		if value != "*" {
			req.Header.Set(name, e.Fill(value, vars))
		}
	}
	return req, nil
}

func (r *Response) isJSON() bool {
	for name, value := range r.Headers {
		if strings.EqualFold(name, "Content-Type") {
			media, _, _ := mime.ParseMediaType(value)
			return strings.HasSuffix(media, "json")
		}
	}
	return true
}

// Bytes is the answer's body as it goes over the wire.
func (e *Exchange) Bytes(vars map[string]string) []byte {
	if len(e.Response.Body) == 0 {
		return nil
	}
	var text string
	if !e.Response.isJSON() && json.Unmarshal(e.Response.Body, &text) == nil {
		return []byte(e.Fill(text, vars))
	}
	return []byte(e.Fill(string(e.Response.Body), vars))
}

// CheckAnswer compares an emulator's answer with the sample: the same status,
// the sample's headers (Content-Type by media type, others by presence), and a
// body of the same shape. It returns one sentence for each difference.
func (e *Exchange) CheckAnswer(status int, header http.Header, body []byte, vars map[string]string) []string {
	var problems []string
	if status != e.Response.Status {
		problems = append(problems, fmt.Sprintf("status is %d, the sample has %d (body %.300s)", status, e.Response.Status, body))
	}
	for name, want := range e.Response.Headers {
		got := header.Get(name)
		if strings.EqualFold(name, "Content-Type") {
			gotMedia, _, _ := mime.ParseMediaType(got)
			wantMedia, _, _ := mime.ParseMediaType(want)
			if gotMedia != wantMedia {
				problems = append(problems, fmt.Sprintf("content type is %q, the sample has %q", got, want))
			}
		} else if got == "" {
			problems = append(problems, fmt.Sprintf("header %s is absent", name))
		}
	}
	want := e.Bytes(vars)
	switch {
	case len(want) == 0:
		if len(body) > 0 {
			problems = append(problems, fmt.Sprintf("body is %.300q, the sample has none", body))
		}
	case !e.Response.isJSON():
		if !bytes.Equal(bytes.TrimSpace(body), bytes.TrimSpace(want)) {
			problems = append(problems, fmt.Sprintf("body is %.300q, the sample has %.300q", body, want))
		}
	default:
		var gotValue, wantValue any
		if err := json.Unmarshal(body, &gotValue); err != nil {
			return append(problems, fmt.Sprintf("body %.300q is not JSON: %v", body, err))
		}
		if err := json.Unmarshal(want, &wantValue); err != nil {
			return append(problems, fmt.Sprintf("the sample's body is not JSON: %v", err))
		}
		problems = append(problems, e.compareShape("", gotValue, wantValue)...)
	}
	return problems
}

// compareShape holds got to want's keys and kinds. Null and an empty array
// stand for any kind, since a sample need not fill every field.
func (e *Exchange) compareShape(path string, got, want any) []string {
	if got == nil || want == nil {
		return nil
	}
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s is %s, the sample has an object", orRoot(path), kind(got))}
		}
		if slices.Contains(e.Free, path) {
			return nil
		}
		var problems []string
		for _, key := range sortedKeys(w) {
			if _, ok := g[key]; !ok {
				problems = append(problems, fmt.Sprintf("%s lacks %q", orRoot(path), key))
				continue
			}
			problems = append(problems, e.compareShape(join(path, key), g[key], w[key])...)
		}
		for _, key := range sortedKeys(g) {
			if _, ok := w[key]; !ok && !e.Open {
				problems = append(problems, fmt.Sprintf("%s has %q, which the sample has not", orRoot(path), key))
			}
		}
		return problems
	case []any:
		g, ok := got.([]any)
		if !ok {
			return []string{fmt.Sprintf("%s is %s, the sample has an array", orRoot(path), kind(got))}
		}
		if len(w) == 0 {
			return nil
		}
		var problems []string
		for _, item := range g {
			problems = append(problems, e.compareShape(path, item, w[0])...)
		}
		return problems
	default:
		if kind(got) != kind(want) {
			return []string{fmt.Sprintf("%s is %s, the sample has %s", orRoot(path), kind(got), kind(want))}
		}
		return nil
	}
}

func kind(value any) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case float64, json.Number:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "an array"
	default:
		return "an object"
	}
}

func orRoot(path string) string {
	if path == "" {
		return "the body"
	}
	return path
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
