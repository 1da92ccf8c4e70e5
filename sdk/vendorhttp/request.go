package vendorhttp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/unicrm/unicrm/sdk/errs"
)

// Param is one query parameter, decoded.
type Param struct{ Name, Value string }

// Request is one call to the vendor.
type Request struct {
	Method string
	// Path is appended to the vendor's base path, each segment escaped as one:
	// a slash in an id stays inside its segment.
	Path []string
	// Query are parameters that the caller's remote_query may replace.
	Query []Param
	// Fixed are parameters that it may not: paging and credentials.
	Fixed []Param
	// Reserved are names that remote_query may not set either though this
	// request does not send them, such as a cursor on the first page.
	Reserved []string
	// Header overrides the client's headers.
	Header http.Header
	// Body is encoded as JSON; nil sends none.
	Body any
	// Closed refuses every parameter of the caller's: for requests whose query
	// chooses the record that is written.
	Closed bool
	// ReadOnly marks a POST that changes nothing, such as a search, so that it
	// is sent again as freely as a GET.
	ReadOnly bool
}

func (r *Request) readOnly() bool {
	return r.ReadOnly || r.Method == http.MethodGet || r.Method == http.MethodHead
}

// url builds the request's URL below the origin.
func (r *Request) url(o origin, remoteQuery []Param) (*url.URL, error) {
	escaped := strings.TrimSuffix(o.base.EscapedPath(), "/")
	for _, segment := range r.Path {
		if segment == "" || segment == "." || segment == ".." {
			return nil, errs.New(errs.PluginBug, "a path segment of the request is %q", segment)
		}
		escaped += "/" + url.PathEscape(segment)
	}
	u := *o.base
	u.RawPath = escaped
	path, err := url.PathUnescape(escaped)
	if err != nil {
		return nil, errs.New(errs.PluginBug, "path %q cannot be unescaped", escaped)
	}
	u.Path = path
	query, err := r.rawQuery(remoteQuery)
	if err != nil {
		return nil, err
	}
	u.RawQuery = query
	return &u, nil
}

func (r *Request) reserved() []string {
	names := r.Reserved
	for _, fixed := range r.Fixed {
		names = append(names[:len(names):len(names)], fixed.Name)
	}
	return names
}

// rawQuery is the adapter's parameters with the caller's put over them.
func (r *Request) rawQuery(remoteQuery []Param) (string, error) {
	if r.Closed && len(remoteQuery) > 0 {
		return "", &errs.Error{
			Reason: errs.InvalidParameter, Message: "remote_query cannot go with this call: its query chooses the record that is written",
			Fields: []errs.Field{{Path: "remote_query", Description: "cannot go with this call"}},
		}
	}
	replaced := map[string]bool{}
	for _, p := range remoteQuery {
		if oddName(p.Name) {
			return "", &errs.Error{
				Reason:  errs.InvalidParameter,
				Message: fmt.Sprintf("remote_query[%q]: its name begins with white space or a bracket, or holds a control character", p.Name),
				Fields:  []errs.Field{{Path: "remote_query", Description: "has a name that begins with white space or a bracket, or holds a control character"}},
			}
		}
		for _, reserved := range r.reserved() {
			if base, _, _ := strings.Cut(strings.TrimSpace(p.Name), "["); strings.EqualFold(strings.TrimSpace(base), reserved) || strings.EqualFold(p.Name, reserved) {
				return "", &errs.Error{
					Reason:  errs.InvalidParameter,
					Message: "remote_query[" + p.Name + "] is set by the provider itself; use limit and next_cursor for paging",
					Fields:  []errs.Field{{Path: "remote_query[" + p.Name + "]", Description: "is set by the provider itself"}},
				}
			}
		}
		replaced[p.Name] = true
	}
	var b strings.Builder
	add := func(p Param) {
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(escapeQuery(p.Name) + "=" + escapeQuery(p.Value))
	}
	for _, p := range r.Query {
		if !replaced[p.Name] {
			add(p)
		}
	}
	for _, p := range r.Fixed {
		add(p)
	}
	for _, p := range remoteQuery {
		add(p)
	}
	return b.String(), nil
}

// oddName tells whether a server might read another name in a parameter's than
// is written there: one or another of them drops white space and brackets before
// a name, control characters, and all that follows a NUL.
func oddName(name string) bool {
	return strings.TrimLeftFunc(name, func(c rune) bool { return unicode.IsSpace(c) || c == '[' || c == ']' }) != name || strings.ContainsFunc(name, unicode.IsControl)
}

// escapeQuery escapes like url.QueryEscape but leaves brackets and commas,
// which some vendors look for unescaped, and writes a space as %20, which all
// of them read.
func escapeQuery(s string) string {
	return strings.NewReplacer("%5B", "[", "%5D", "]", "%2C", ",", "+", "%20").Replace(url.QueryEscape(s))
}

func (r *Request) encodeBody() ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r.Body); err != nil {
		return nil, errs.New(errs.PluginBug, "encode the request: %v", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
