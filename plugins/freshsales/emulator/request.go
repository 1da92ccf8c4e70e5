package emulator

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// maxBody is far above any contact; more is refused like any other bad body.
const maxBody = 4 << 20

// request is a request as the handlers see it.
type request struct {
	method string
	path   []string // unescaped segments below /crm/sales/api, empty ones left out
	inside bool     // whether the path is below /crm/sales/api
	query  url.Values
	header http.Header
	body   []byte
}

func readRequest(r *http.Request) (*request, *failure) {
	in := &request{method: r.Method, query: r.URL.Query(), header: r.Header}
	if in.method == http.MethodHead {
		in.method = http.MethodGet
	}
	in.path, in.inside = segments(r.URL.EscapedPath())
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil || len(body) > maxBody {
		return in, invalid("The request body could not be read")
	}
	in.body = body
	return in, nil
}

// segments splits an escaped path below the API's root. Empty segments
// collapse, so that DELETE /contacts/ is DELETE /contacts, which does not
// exist. A segment is unescaped after the split, unless a slash would come out
// of it: an escaped slash stays within its id.
func segments(escaped string) (path []string, inside bool) {
	for _, part := range strings.Split(escaped, "/") {
		if part == "" {
			continue
		}
		if text, err := url.PathUnescape(part); err == nil && !strings.Contains(text, "/") {
			part = text
		}
		path = append(path, part)
	}
	if len(path) < 3 || path[0] != "crm" || path[1] != "sales" || path[2] != "api" {
		return nil, false
	}
	return path[3:], true
}

var decimal = regexp.MustCompile(`^[1-9][0-9]*$`)

// parseID reads an id of a path. Zero is an id that is well formed but too
// large to be anybody's.
func (i *instance) parseID(text string) (int64, *failure) {
	if !decimal.MatchString(text) {
		return 0, i.malformedID()
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, nil
	}
	return id, nil
}

// idOf reads an id of a body: a number or a string of digits.
func idOf(value any) (int64, bool) {
	var text string
	switch v := value.(type) {
	case json.Number:
		text = v.String()
	case string:
		text = v
	}
	if !decimal.MatchString(text) {
		return 0, false
	}
	id, err := strconv.ParseInt(text, 10, 64)
	return id, err == nil
}

// object reads the body as one JSON object.
func (i *instance) object(in *request) (*kit.Object, *failure) {
	media, _, _ := mime.ParseMediaType(in.header.Get("Content-Type"))
	if media != "application/json" && i.env.Switch("missing_content_type") == "400" {
		return nil, invalid("The request body is not declared as application/json")
	}
	body, err := kit.ParseObject(in.body)
	if err != nil {
		return nil, invalid("The request body is not a JSON object")
	}
	return body, nil
}

// envelope reads a write: {"<name>": {...}}, or the attributes alone where a
// flat body is accepted.
func (i *instance) envelope(in *request, name string) (*kit.Object, *failure) {
	body, problem := i.object(in)
	if problem != nil {
		return nil, problem
	}
	inner, enveloped := body.Lookup(name)
	if !enveloped {
		if i.env.Switch("flat_body") == "400" {
			return nil, invalid(name + " is missing")
		}
		return body, nil
	}
	attributes, isObject := inner.(*kit.Object)
	if !isObject {
		return nil, invalid(name + " is invalid")
	}
	return attributes, nil
}

// words splits a comma list of a query parameter.
func words(text string) []string {
	var out []string
	for _, word := range strings.Split(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			out = append(out, word)
		}
	}
	return out
}
