package api

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
)

// maxNamed is how many parts of a body one answer names.
const maxNamed = 100

// readInput reads what a write has beside its query: the guard in If-Match, and
// the body.
func (c *call) readInput(x *exchange) (err error) {
	if !c.method.Writes() {
		return nil
	}
	if c.guard, err = readIfMatch(x.request.Header); err != nil {
		return err
	}
	if c.guard != "" && c.method != unified.Update {
		return c.refuseGuard(unsupportedHeaders, "If-Match")
	}
	if c.method == unified.Delete {
		return c.checkNoGuard(x)
	}
	c.body, err = readBody(x)
	return err
}

// readBody reads a body that says of itself that it is JSON.
func readBody(x *exchange) ([]byte, error) {
	media, _, err := mime.ParseMediaType(x.request.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return nil, errs.New(errs.UnsupportedMediaType, "send the body as Content-Type: application/json")
	}
	return readAll(x)
}

func readAll(x *exchange) ([]byte, error) {
	data, err := io.ReadAll(http.MaxBytesReader(x, x.request.Body, maxBody))
	if err != nil {
		return nil, bodyProblem(err)
	}
	return data, nil
}

// checkNoGuard looks into a body that a delete need not have: clients send
// empty ones, but a version in it must not be passed over.
func (c *call) checkNoGuard(x *exchange) error {
	data, err := readAll(x)
	if err != nil {
		return err
	}
	var guard struct {
		ETag json.RawMessage `json:"etag"`
	}
	if json.Unmarshal(data, &guard) == nil && len(guard.ETag) > 0 && string(guard.ETag) != "null" {
		return c.refuseGuard(unsupportedBody, "etag")
	}
	return nil
}

// refuseGuard answers a version that would guard nothing.
func (c *call) refuseGuard(key, name string) error {
	who := string(c.method)
	if c.method == unified.Update { // the only method that can be guarded
		who = c.plugin.Manifest.DisplayName
	}
	return refusal(errs.New(errs.Unsupported, "%s cannot be held to a version; leave %s out", who, name), key, []string{name})
}

// readIfMatch reads the version that a write is held to: the tag without its
// quotes, "" for whichever is there.
func readIfMatch(h http.Header) (string, error) {
	values := h.Values("If-Match")
	if len(values) == 0 {
		return "", nil
	}
	tag := strings.TrimSpace(values[0])
	if tag == "*" && len(values) == 1 {
		return "", nil
	}
	tag = strings.TrimPrefix(tag, "W/")
	if inner, quoted := strings.CutPrefix(tag, `"`); quoted {
		tag, quoted = strings.CutSuffix(inner, `"`)
		if !quoted {
			tag = ""
		}
	}
	if len(values) > 1 || tag == "" || strings.ContainsAny(tag, "\"\x00\r\n") {
		return "", badParam("If-Match", "it is not one entity tag")
	}
	return tag, nil
}

// badBody is the error about all problems of a body.
func badBody(problems []errs.Field) error {
	var said []string
	for _, p := range problems {
		name := p.Path
		if name == unified.WholeBody {
			name = "the body"
		}
		said = append(said, name+" "+p.Description)
	}
	return &errs.Error{Reason: errs.InvalidBody, Message: clipTo(2000, strings.Join(said, "; ")), Fields: problems}
}

// bodyMissing are the problems of fields that are not there.
func bodyMissing(paths []string) []errs.Field {
	var missing []errs.Field
	for _, path := range paths {
		missing = append(missing, errs.Field{Path: path, Description: "is missing", Missing: true})
	}
	return missing
}

// named gives the first of many paths, and what is to be said of the rest.
func named(paths []string) (first []string, rest string) {
	if len(paths) <= maxNamed {
		return paths, ""
	}
	return paths[:maxNamed], fmt.Sprintf("%d further fields", len(paths)-maxNamed)
}
