package unified

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/biter777/countries"
	"github.com/nyaruka/phonenumbers"

	crmv1 "github.com/unicrm/unicrm/proto/unicrm/crm/v1"
)

// Format is how records look in an answer.
type Format string

// The formats. Raw and Stream are no looks of records: the vendor's answer goes
// out as it came. Debug is Unified with the vendor's answer beside it.
const (
	Unified    Format = "unified"
	Normalized Format = "normalized"
	Raw        Format = "raw"
	Stream     Format = "stream"
	Debug      Format = "debug"
)

// View says what of a record goes into an answer.
type View struct {
	Format Format
	// Returned are the paths that the provider can fill. With Unified, these
	// are given even when empty and the others only when they have a value.
	Returned []string
	// Exclude is what is left out.
	Exclude Paths
	// OnlyGiven leaves out every field without a value, as a delete does.
	OnlyGiven bool
}

// Paths are dotted paths as a tree: a name leads to what of it is meant, nil
// for all of it.
type Paths map[string]Paths

// Add puts a dotted path into the tree.
func (p Paths) Add(path string) {
	name, rest, nested := strings.Cut(path, ".")
	inner, there := p[name]
	switch {
	case !nested:
		p[name] = nil
	case there && inner == nil: // all of it already
	default:
		if inner == nil {
			inner = Paths{}
			p[name] = inner
		}
		inner.Add(rest)
	}
}

// Render appends the record as one JSON object to b.
func (s *Schema) Render(b []byte, record Record, view View) []byte {
	return renderObject(b, s.Fields, record, "", view, view.Exclude)
}

func renderObject(b []byte, fields []Field, record Record, prefix string, view View, exclude Paths) []byte {
	b = append(b, '{')
	first := true
	for _, f := range fields {
		path := prefix + f.Name
		value, given := record[f.Name]
		inner, entered := exclude[f.Name]
		if (entered && inner == nil) || (!given && (view.OnlyGiven || (view.Format == Unified && !canReturn(view.Returned, path)))) {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = AppendString(b, f.Name)
		b = append(b, ':')
		b = renderValue(b, f, value, path, view, inner)
	}
	return append(b, '}')
}

func renderValue(b []byte, f Field, value any, path string, view View, exclude Paths) []byte {
	switch v := value.(type) {
	case string:
		if view.Format == Normalized {
			v = normalize(f.Format, v)
		}
		return AppendString(b, v)
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
		return AppendString(b, FormatInstant(v))
	case json.RawMessage:
		return appendJSON(b, f, v, exclude)
	case Record:
		return renderObject(b, f.Fields, v, path+".", view, exclude)
	case []Record:
		b = append(b, '[')
		for i, item := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = renderObject(b, f.Fields, item, path+".", view, exclude)
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
func appendJSON(b []byte, f Field, raw json.RawMessage, exclude Paths) []byte {
	if !json.Valid(raw) {
		return append(b, empty(f)...)
	}
	if !utf8.Valid(raw) { // which JSON has to be, though vendors forget it
		raw = bytes.ToValidUTF8(raw, []byte("\uFFFD"))
	}
	var compact bytes.Buffer
	compact.Grow(len(raw))
	_ = json.Compact(&compact, raw)
	if len(exclude) == 0 {
		return append(b, compact.Bytes()...)
	}
	b, _ = appendWithout(b, compact.Bytes(), 0, exclude)
	return b
}

// appendWithout copies the value that begins at raw[i], leaving out excluded
// members, and tells where it ends. raw is valid and compact JSON. It looks at
// each byte once and copies none twice, however deep the value is: only the
// members that a path leads into are entered, and paths are short.
func appendWithout(b, raw []byte, i int, exclude Paths) ([]byte, int) {
	if raw[i] != '{' {
		end := valueEnd(raw, i)
		return append(b, raw[i:end]...), end
	}
	b = append(b, '{')
	first := true
	for i++; raw[i] != '}'; {
		if raw[i] == ',' {
			i++
		}
		nameEnd := valueEnd(raw, i)
		var name string
		_ = json.Unmarshal(raw[i:nameEnd], &name)
		inner, entered := exclude[name]
		if entered && inner == nil {
			i = valueEnd(raw, nameEnd+1)
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, raw[i:nameEnd+1]...)
		if entered {
			b, i = appendWithout(b, raw, nameEnd+1, inner)
		} else {
			i = valueEnd(raw, nameEnd+1)
			b = append(b, raw[nameEnd+1:i]...)
		}
	}
	return append(b, '}'), i + 1
}

// valueEnd tells where the value that begins at raw[i] ends.
func valueEnd(raw []byte, i int) int {
	for depth := 0; i < len(raw); {
		switch raw[i] {
		case '"':
			for i++; raw[i] != '"'; i++ {
				if raw[i] == '\\' {
					i++
				}
			}
			i++
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			depth--
			i++
		case ',', ':':
			i++
			continue
		default:
			for i < len(raw) && !strings.ContainsRune(",:]}", rune(raw[i])) {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
	return i
}

// canReturn tells whether a path is advertised: itself, something in it, or
// something that it is in.
func canReturn(returned []string, path string) bool {
	_, some := covers(returned, path)
	return some
}

// AppendString appends a text as JSON.
func AppendString(b []byte, s string) []byte {
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
