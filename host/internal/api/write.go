package api

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
)

// write serves create, update and upsert.
func (s *Server) write(x *exchange, c *call) error {
	if c.method == unified.Update {
		c.request.RecordID = x.params["id"]
		if err := c.checkID(c.request.RecordID); err != nil {
			return err
		}
	}
	body, problems := c.schema.ReadBody(c.body, c.method != unified.Create)
	if problems = c.checkBody(body, problems); len(problems) > 0 {
		return badBody(problems)
	}
	if err := c.takeGuard(body); err != nil {
		return err
	}
	c.dropEmptied(body)
	if err := c.fit(body); err != nil {
		return s.withProvidersLosses(x, c, err)
	}
	result, err := s.Providers.Call(x.request.Context(), c.plugin.Slug, c.request)
	if err != nil {
		return c.inOriginalPaths(err)
	}
	record, err := c.oneRecord(result)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if c.method == unified.Create || result.Created {
		status = http.StatusCreated
	}
	return s.answer(x, c, status, result, func() []byte {
		answer := c.render(record)
		if c.method == unified.Upsert {
			answer = c.envelope(answer, result.Created)
		}
		return withWarnings(answer, c.warnings(result))
	})
}

// envelope says beside an upsert's record what became of it, and whether
// another one at the same time could have made a second record.
func (c *call) envelope(record []byte, created bool) []byte {
	outcome := "updated"
	if created {
		outcome = "created"
	}
	b := append([]byte(`{"result":`), record...)
	b = append(b, `,"outcome":"`+outcome+`","atomic":`...)
	b = strconv.AppendBool(b, c.capabilities.Upsert != nil && c.capabilities.Upsert.Atomic)
	return append(b, '}')
}

// checkBody adds what is wrong with a body beyond its form, what is missing
// first.
func (c *call) checkBody(body *unified.Body, problems []errs.Field) []errs.Field {
	if len(problems) == 1 && problems[0].Path == unified.WholeBody {
		return problems // nothing of it could be read
	}
	var missing []string
	switch c.method {
	case unified.Create:
		missing = c.schema.Missing(body.Record, c.capabilities.Required, c.capabilities.Writable)
	case unified.Upsert:
		missing = missingEmail(body)
	case unified.Update:
		problems = append(problems, c.checkOwnID(body)...)
		problems = append(problems, c.checkEmptied(body)...)
	}
	missing = slices.DeleteFunc(missing, func(path string) bool { // what is wrong is not missing
		return slices.ContainsFunc(problems, func(p errs.Field) bool { return touch(p.Path, path) })
	})
	problems = append(bodyMissing(missing), problems...)
	if len(problems) == 0 && body.Empty() {
		problems = []errs.Field{{Path: unified.WholeBody, Description: "names nothing to write"}}
	}
	return problems
}

// touch tells whether a path into a body and a path without indices lie on one
// another's way.
func touch(at, path string) bool {
	plain := at
	for open := strings.IndexByte(plain, '['); open >= 0; open = strings.IndexByte(plain, '[') {
		end := strings.IndexByte(plain[open:], ']')
		if end < 0 {
			break
		}
		plain = plain[:open] + plain[open+end+1:]
	}
	return plain == path || strings.HasPrefix(plain, path+".") || strings.HasPrefix(path, plain+".")
}

// missingEmail names what an upsert finds its record by, when it is not there.
func missingEmail(body *unified.Body) []string {
	list, _ := body.Record["email_addresses"].([]unified.Record)
	if len(list) == 0 {
		return []string{"email_addresses"}
	}
	if email, _ := list[0]["email"].(string); email == "" {
		return []string{"email_addresses[0].email"}
	}
	return nil
}

// checkOwnID lets an update name its own record, as bodies that were read
// before do, but no other.
func (c *call) checkOwnID(body *unified.Body) []errs.Field {
	id, given := body.Record["id"]
	delete(body.Record, "id")
	if i := slices.Index(body.Clear, "id"); i >= 0 {
		body.Clear = slices.Delete(body.Clear, i, i+1)
		given = true
	}
	if given && id != c.request.RecordID {
		return []errs.Field{{Path: "id", Description: "is not the id in the path"}}
	}
	return nil
}

// checkEmptied keeps an update from emptying what a record must have.
func (c *call) checkEmptied(body *unified.Body) []errs.Field {
	var problems []errs.Field
	for _, path := range c.capabilities.Required {
		top, _, _ := strings.Cut(path, ".")
		if slices.Contains(body.Clear, top) || body.Record[path] == "" {
			problems = append(problems, errs.Field{Path: path, Description: "cannot be emptied: " + c.plugin.Manifest.DisplayName + " requires it"})
		}
	}
	return problems
}

// takeGuard puts the version that the change was made for into the request.
func (c *call) takeGuard(body *unified.Body) error {
	switch {
	case body.ETag == "" && c.guard == "":
		return nil
	case body.ETag != "" && c.guard != "" && body.ETag != c.guard:
		return badBody([]errs.Field{{Path: "etag", Description: "is another version than the one in If-Match"}})
	case c.method == unified.Update && c.capabilities.Takes("etag"):
		c.request.ETag = cmp.Or(body.ETag, c.guard)
		return nil
	case body.ETag != "":
		return c.refuseGuard(unsupportedBody, "etag")
	default:
		return c.refuseGuard(unsupportedHeaders, "If-Match")
	}
}

// dropEmptied takes out of a change the emptying of fields that the provider
// does not have at all: they are empty. So a record that was read with every
// field can be sent back.
func (c *call) dropEmptied(body *unified.Body) {
	rest := slices.DeleteFunc(slices.Clone(body.Clear), func(name string) bool {
		return !c.capabilities.Takes(name) && !c.capabilities.Gives(name)
	})
	if len(rest)+len(body.Record) > 0 {
		body.Clear = rest
	}
}

// withProvidersLosses adds to a loss that the host has found those that only the
// provider can tell, such as an address too many: who allows the loss is to know
// all of it. They are found out by a dry run.
func (s *Server) withProvidersLosses(x *exchange, c *call, err error) error {
	e, ok := asError(err)
	if !ok || e.Reason != errs.LossyWrite || c.query.allowLossy || c.fitted.Empty() {
		return err
	}
	request := c.request
	request.DryRun, request.AllowLossy, request.WantAnswer = true, true, false
	result, dryErr := s.Providers.Call(x.request.Context(), c.plugin.Slug, request)
	if dryErr != nil || len(result.Warnings) == 0 {
		return err
	}
	whole := *e
	var paths []string
	for _, w := range result.Warnings {
		path := c.fitted.Original(w.Field)
		if len(whole.Fields) < maxNamed {
			whole.Fields = append(whole.Fields, errs.Field{Path: path, Description: w.Message})
			paths = append(paths, path)
		}
	}
	whole.Message = clipTo(4000, e.Message+"; nor for "+strings.Join(paths, ", "))
	return &whole
}

// fit puts what the provider can write into the request. The rest is an error,
// or a warning where the caller allows a loss and something is left.
func (c *call) fit(body *unified.Body) error {
	c.fitted = c.schema.Fit(body, c.capabilities.Writable)
	c.request.Record, c.request.Clear = c.fitted.Record, c.fitted.Clear
	if len(c.fitted.Left) == 0 {
		return nil
	}
	name := c.plugin.Manifest.DisplayName
	paths, rest := named(c.fitted.Left)
	if rest != "" {
		paths = append(slices.Clone(paths), rest)
	}
	if c.query.allowLossy && !c.fitted.Empty() {
		for _, path := range paths {
			c.left = append(c.left, unified.Warning{Field: path, Message: "was left out: " + name + " has no place for it"})
		}
		return nil
	}
	advice := "leave it out, or send truto_allow_lossy=true to write the rest"
	if c.fitted.Empty() {
		advice = "and nothing else is to be written"
	}
	e := errs.New(errs.LossyWrite, "%s has no place for %s; %s", name, clipTo(2000, strings.Join(paths, ", ")), advice)
	for _, path := range paths {
		e.Fields = append(e.Fields, errs.Field{Path: path, Description: name + " has no place for it"})
	}
	return e
}

// inOriginalPaths gives an error about fields with the paths that they have in
// the caller's body.
func (c *call) inOriginalPaths(err error) error {
	e, ok := asError(err)
	if !ok || len(e.Fields) == 0 {
		return err
	}
	told := *e
	told.Fields = slices.Clone(e.Fields)
	for i := range told.Fields {
		told.Fields[i].Path = c.fitted.Original(told.Fields[i].Path)
	}
	return &told
}
