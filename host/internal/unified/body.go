package unified

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/unicrm/unicrm/sdk/errs"
)

const (
	// maxProblems is how many of a body's problems are told one by one.
	maxProblems = 100
	// maxItems is how many items a list has at most: no vendor takes as many, and
	// providers compare each with those that are there.
	maxItems = 500
	// WholeBody is the path of a problem with a body as a whole.
	WholeBody = "body"
)

// Body is what a caller wants written.
type Body struct {
	// Record holds the fields that are given.
	Record Record
	// Clear names the fields that are to be emptied, at the top level.
	Clear []string
	// ETag is the version that the change was made for; empty when none is
	// named. It is no field: it is never written.
	ETag string
}

// Empty tells that there is nothing to write.
func (b *Body) Empty() bool { return len(b.Record) == 0 && len(b.Clear) == 0 }

// ReadBody reads one JSON object as fields of the schema and tells all that is
// wrong with it; with a problem, the body holds what is right.
//
// A null is a field without a value, and so are an empty list and an object of
// nulls alone; with clears, such a field is to be emptied, else it is as good
// as absent. custom_fields and remote_data stay what they are to the last
// digit: a null in them is the provider's to understand. Values are never
// quoted in a problem: they may be anybody's data.
func (s *Schema) ReadBody(data []byte, clears bool) (*Body, []errs.Field) {
	body := &Body{Record: Record{}}
	if problem := checkJSON(data); problem != "" {
		return body, []errs.Field{{Path: WholeBody, Description: problem}}
	}
	r := &bodyReader{resource: s.Resource, clears: clears}
	for _, path := range duplicates(data) {
		r.bad(path, "is there more than once")
	}
	eachMember(data, func(name string, raw json.RawMessage) {
		f, ok := s.Field(name)
		switch {
		case name == "etag":
			body.ETag = r.etag(raw)
		case !ok:
			r.bad(name, r.unknown())
		default:
			value, emptied := r.value(f, raw, f.Name)
			switch {
			case value != nil:
				body.Record[f.Name] = value
			case emptied && clears && f.Name != "remote_data":
				body.Clear = append(body.Clear, f.Name)
			}
		}
	})
	return body, r.all()
}

// bodyReader collects what is wrong with a body.
type bodyReader struct {
	resource string
	clears   bool
	problems []errs.Field
	further  int // problems beyond the most that are told
}

func (r *bodyReader) bad(path, description string) {
	if len(r.problems) == maxProblems {
		r.further++
		return
	}
	if path == "" { // as a member's name may be
		path = `""`
	}
	if len(path) > 200 {
		path = strings.ToValidUTF8(path[:200], "") + "…"
	}
	r.problems = append(r.problems, errs.Field{Path: path, Description: description})
}

func (r *bodyReader) all() []errs.Field {
	if r.further > 0 {
		return append(r.problems, errs.Field{Path: WholeBody, Description: fmt.Sprintf("has %d further problems", r.further)})
	}
	return r.problems
}

func (r *bodyReader) unknown() string {
	if r.resource == "" {
		return "is not a field of this body"
	}
	return "is not a field of " + r.resource
}

func (r *bodyReader) etag(raw json.RawMessage) string {
	if isNull(raw) {
		return ""
	}
	text, problem := readText(raw)
	if problem == "" && text == "" {
		problem = "is empty; leave it out to write whichever version is there"
	}
	if problem != "" {
		r.bad("etag", problem)
	}
	return text
}

// value reads one field's value; nil when it has none, or a wrong one. emptied
// tells that it was given without a value.
func (r *bodyReader) value(f Field, raw json.RawMessage, path string) (value any, emptied bool) {
	if isNull(raw) {
		return nil, true
	}
	problem := ""
	switch f.Kind {
	case Text:
		var text string
		if text, problem = readText(raw); problem == "" {
			return text, false
		}
	case Boolean:
		var is bool
		if json.Unmarshal(raw, &is) == nil {
			return is, false
		}
		problem = "must be true or false"
	case Number:
		if number, ok := readNumber(raw); ok {
			return number, false
		}
		problem = "must be a number"
	case Instant:
		var instant time.Time
		if instant, problem = readInstant(raw); problem == "" {
			return instant, false
		}
	case JSON:
		switch {
		case raw[0] != '{':
			problem = "must be an object"
		case len(bytes.TrimSpace(raw[1:len(raw)-1])) == 0:
			return nil, false // nothing is said
		default:
			return raw, false
		}
	case Object:
		if raw[0] == '{' {
			return r.object(f, raw, path)
		}
		problem = "must be an object"
	case Objects:
		if raw[0] == '[' {
			return r.objects(f, raw, path)
		}
		problem = "must be a list of objects"
	case Texts:
		if raw[0] == '[' {
			return r.texts(raw, path)
		}
		problem = "must be a list of strings"
	}
	r.bad(path, problem)
	return nil, false
}

func (r *bodyReader) object(f Field, raw json.RawMessage, path string) (value any, emptied bool) {
	record, given := r.members(f, raw, path)
	switch {
	case len(record) > 0:
		return record, false
	case given == 0 && r.clears: // a client that strips fields leaves such a thing, and means nothing by it
		r.bad(path, "is an object that says nothing; send null to empty it")
		return nil, false
	default:
		return nil, r.clears && onlyNulls(raw)
	}
}

// objects reads a list. Its items keep their places, so that paths into it
// mean the same to everybody.
func (r *bodyReader) objects(f Field, raw json.RawMessage, path string) (value any, emptied bool) {
	var list []Record
	given := 0
	eachItem(raw, func(item json.RawMessage) {
		at := path + "[" + strconv.Itoa(given) + "]"
		if given++; given > maxItems {
			if given == maxItems+1 {
				r.bad(path, fmt.Sprintf("has more than %d items", maxItems))
			}
			return
		}
		if item[0] != '{' {
			r.bad(at, "must be an object")
			return
		}
		before := len(r.problems) + r.further
		record, _ := r.members(f, item, at)
		if len(record) == 0 && before == len(r.problems)+r.further {
			r.bad(at, "is an object that says nothing")
		}
		list = append(list, record)
	})
	if given == 0 {
		return nil, true
	}
	return list, false
}

func (r *bodyReader) texts(raw json.RawMessage, path string) (value any, emptied bool) {
	list := []string{}
	eachItem(raw, func(item json.RawMessage) {
		text, problem := readText(item)
		if problem != "" {
			r.bad(path+"["+strconv.Itoa(len(list))+"]", problem)
		}
		list = append(list, text)
	})
	return list, false
}

// members reads an object's members; given counts them all, also those without
// a value.
func (r *bodyReader) members(f Field, raw json.RawMessage, path string) (record Record, given int) {
	record = Record{}
	eachMember(raw, func(name string, member json.RawMessage) {
		given++
		inner, ok := find(f.Fields, name)
		if !ok {
			r.bad(path+"."+name, r.unknown())
			return
		}
		if value, _ := r.value(inner, member, path+"."+name); value != nil {
			record[name] = value
		}
	})
	return record, given
}

func onlyNulls(raw json.RawMessage) bool {
	only := true
	eachMember(raw, func(_ string, member json.RawMessage) { only = only && isNull(member) })
	return only
}

func isNull(raw json.RawMessage) bool { return string(raw) == "null" }

// readText reads a string that loses nothing in UTF-8: half a surrogate pair
// would silently become something else.
func readText(raw json.RawMessage) (text, problem string) {
	if raw[0] != '"' || json.Unmarshal(raw, &text) != nil {
		return "", "must be a string"
	}
	replaced := strings.Count(text, "\uFFFD") - bytes.Count(raw, []byte("\uFFFD")) - bytes.Count(bytes.ToLower(raw), []byte(`\ufffd`))
	if replaced > 0 {
		return "", "holds half a surrogate pair, which is no character"
	}
	return text, ""
}

func readNumber(raw json.RawMessage) (any, bool) {
	if whole, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return whole, true
	}
	var number float64
	return number, json.Unmarshal(raw, &number) == nil
}

func readInstant(raw json.RawMessage) (time.Time, string) {
	text, problem := readText(raw)
	if problem != "" {
		return time.Time{}, problem
	}
	instant, err := time.Parse(time.RFC3339, text)
	if err != nil || !timestamppb.New(instant).IsValid() {
		return time.Time{}, "must be a date and time as RFC 3339 writes them, such as 2024-05-01T09:30:00Z"
	}
	return instant, ""
}

// checkJSON tells why bytes are not one JSON object, in words that follow a
// subject; "" when they are.
func checkJSON(data []byte) string {
	dec := json.NewDecoder(bytes.NewReader(data))
	var first json.RawMessage
	err := dec.Decode(&first)
	switch {
	case errors.Is(err, io.EOF):
		return "is empty"
	case err != nil:
		return "is not JSON"
	case !utf8.Valid(data):
		return "is not UTF-8"
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return "is more than one JSON value"
	}
	if first[0] != '{' {
		return "is not a JSON object"
	}
	return ""
}

// eachMember visits the members of a valid JSON object in their order.
func eachMember(object []byte, visit func(name string, value json.RawMessage)) {
	dec := json.NewDecoder(bytes.NewReader(object))
	_, _ = dec.Token()
	for dec.More() {
		name, _ := dec.Token()
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			return
		}
		visit(name.(string), value)
	}
}

// eachItem visits the items of a valid JSON list in their order.
func eachItem(list []byte, visit func(item json.RawMessage)) {
	dec := json.NewDecoder(bytes.NewReader(list))
	_, _ = dec.Token()
	for dec.More() {
		var item json.RawMessage
		if dec.Decode(&item) != nil {
			return
		}
		visit(item)
	}
}

// duplicates gives the paths of members that their object has already, at any
// depth. Readers differ about which of two counts, so neither may.
func duplicates(data []byte) []string {
	type level struct {
		names map[string]bool // of an object; nil for a list
		name  string          // of the member being read
		index int             // of the item being read
		value bool            // a member's name has been read, its value follows
	}
	var (
		levels []level
		found  []string
	)
	path := func() string {
		var b strings.Builder
		for i, l := range levels {
			switch {
			case l.names == nil:
				fmt.Fprintf(&b, "[%d]", l.index)
			case i > 0:
				b.WriteString("." + l.name)
			default:
				b.WriteString(l.name)
			}
			if b.Len() > 300 {
				break
			}
		}
		return b.String()
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber() // any number will do
	for {
		token, err := dec.Token()
		if err != nil || len(found) > maxProblems {
			return found
		}
		var top *level
		if len(levels) > 0 {
			top = &levels[len(levels)-1]
		}
		if name, is := token.(string); is && top != nil && top.names != nil && !top.value {
			top.name, top.value = name, true
			if top.names[name] {
				found = append(found, path())
			}
			top.names[name] = true
			continue
		}
		switch token {
		case json.Delim('{'):
			levels = append(levels, level{names: map[string]bool{}})
			continue
		case json.Delim('['):
			levels = append(levels, level{})
			continue
		case json.Delim('}'), json.Delim(']'):
			levels = levels[:len(levels)-1]
			if len(levels) == 0 {
				return found
			}
			top = &levels[len(levels)-1]
		}
		if top != nil { // a value has ended
			top.value = false
			top.index++
		}
	}
}
