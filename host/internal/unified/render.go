package unified

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/biter777/countries"
	"github.com/nyaruka/phonenumbers"

	crmv1 "github.com/unicrm/unicrm/proto/unicrm/crm/v1"
)

// Format is how records look in an answer.
type Format string

// The formats. Raw is not here a look of records: the vendor's answer goes out
// as it came.
const (
	Unified    Format = "unified"
	Normalized Format = "normalized"
	Raw        Format = "raw"
)

// View says what of a record goes into an answer.
type View struct {
	Format Format
	// Returned are the paths that the provider can fill. With Unified, these
	// are given even when empty and the others only when they have a value.
	Returned []string
	// Exclude are dotted paths that are left out.
	Exclude []string
	// OnlyGiven leaves out every field without a value, as a delete does.
	OnlyGiven bool
}

// Render appends the record as one JSON object to b.
func (s *Schema) Render(b []byte, record Record, view View) []byte {
	return renderObject(b, s.Fields, record, "", view)
}

func renderObject(b []byte, fields []Field, record Record, prefix string, view View) []byte {
	b = append(b, '{')
	first := true
	for _, f := range fields {
		path := prefix + f.Name
		value, given := record[f.Name]
		if excluded(view.Exclude, path) || (!given && (view.OnlyGiven || (view.Format == Unified && !canReturn(view.Returned, path)))) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendString(b, f.Name)
		b = append(b, ':')
		b = renderValue(b, f, value, path, view)
	}
	return append(b, '}')
}

func renderValue(b []byte, f Field, value any, path string, view View) []byte {
	switch v := value.(type) {
	case string:
		if view.Format == Normalized {
			v = normalize(f.Format, v)
		}
		return appendString(b, v)
	case bool:
		return strconv.AppendBool(b, v)
	case int32:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case float64:
		number, err := json.Marshal(v)
		if err != nil {
			return append(b, "null"...)
		}
		return append(b, number...)
	case time.Time:
		return appendString(b, formatInstant(v))
	case json.RawMessage:
		return appendJSON(b, f, v, path, view)
	case Record:
		return renderObject(b, f.Fields, v, path+".", view)
	case []Record:
		b = append(b, '[')
		for i, item := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = renderObject(b, f.Fields, item, path+".", view)
		}
		return append(b, ']')
	default:
		return append(b, empty(f)...)
	}
}

// empty is how a field without a value looks.
func empty(f Field) string {
	switch {
	case f.Kind == Objects:
		return "[]"
	case f.Kind == JSON && f.Name == "custom_fields":
		return "{}"
	default:
		return "null"
	}
}

// appendJSON writes the vendor's own JSON with its tokens and digits; only
// white space between tokens goes. What is not JSON is a provider's mistake
// and reads as absent rather than break the whole answer.
func appendJSON(b []byte, f Field, raw json.RawMessage, path string, view View) []byte {
	if !json.Valid(raw) {
		return append(b, empty(f)...)
	}
	var compact bytes.Buffer
	_ = json.Compact(&compact, raw)
	if under := below(view.Exclude, path); len(under) > 0 {
		return appendWithout(b, compact.Bytes(), under)
	}
	return append(b, compact.Bytes()...)
}

// appendWithout leaves members out of a JSON object, keeping the rest to the digit.
func appendWithout(b, raw []byte, exclude []string) []byte {
	if len(raw) == 0 || raw[0] != '{' {
		return append(b, raw...)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	_, _ = dec.Token()
	b = append(b, '{')
	first := true
	for dec.More() {
		token, err := dec.Token()
		if err != nil {
			break
		}
		name, _ := token.(string)
		var member json.RawMessage
		if dec.Decode(&member) != nil {
			break
		}
		if excluded(exclude, name) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(appendString(b, name), ':')
		if under := below(exclude, name); len(under) > 0 {
			b = appendWithout(b, member, under)
		} else {
			b = append(b, member...)
		}
	}
	return append(b, '}')
}

func excluded(exclude []string, path string) bool {
	for _, e := range exclude {
		if e == path {
			return true
		}
	}
	return false
}

// below gives the rest of the paths that lead into path.
func below(exclude []string, path string) []string {
	var rest []string
	for _, e := range exclude {
		if inner, ok := strings.CutPrefix(e, path+"."); ok {
			rest = append(rest, inner)
		}
	}
	return rest
}

// canReturn tells whether a path is advertised: itself, something in it, or
// something that it is in.
func canReturn(returned []string, path string) bool {
	for _, r := range returned {
		if r == path || strings.HasPrefix(r, path+".") || strings.HasPrefix(path, r+".") {
			return true
		}
	}
	return false
}

func appendString(b []byte, s string) []byte {
	var quoted bytes.Buffer
	enc := json.NewEncoder(&quoted)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s)
	return append(b, bytes.TrimSuffix(quoted.Bytes(), []byte("\n"))...)
}

// normalize makes a text canonical where it is understood, and leaves it as
// it is where it is not.
func normalize(format crmv1.Format, text string) string {
	switch format {
	case crmv1.Format_FORMAT_EMAIL:
		trimmed := strings.TrimSpace(text)
		if at := strings.LastIndexByte(trimmed, '@'); at >= 0 {
			return trimmed[:at] + strings.ToLower(trimmed[at:])
		}
		return trimmed
	case crmv1.Format_FORMAT_PHONE:
		// Without a region only numbers with their country code can be told.
		number, err := phonenumbers.Parse(text, "ZZ")
		if err != nil || !phonenumbers.IsPossibleNumber(number) {
			return text
		}
		return phonenumbers.Format(number, phonenumbers.E164)
	case crmv1.Format_FORMAT_COUNTRY:
		if country := countries.ByName(strings.TrimSpace(text)); country != countries.Unknown {
			return country.Alpha2()
		}
		return text
	default:
		return text
	}
}
