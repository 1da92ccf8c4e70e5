package api

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
)

// standardBatch is how many ids one call of a plugin gets that takes any
// number: a process that dies leaves the outcome of that many unknown, and one
// that is being replaced has that many to end with.
const standardBatch = 100

// batchBody is what a batch delete takes.
var batchBody = &unified.Schema{Fields: []unified.Field{{Name: "id", Kind: unified.Texts}}}

// deletion is what became of one id.
type deletion struct {
	ID             string     `json:"id"`
	Deleted        bool       `json:"deleted"`
	AlreadyDeleted bool       `json:"already_deleted,omitempty"`
	Error          *errorBody `json:"error,omitempty"`
}

// batch is a batch delete on its way.
type batch struct {
	deletions []deletion
	wanted    []int // the places of those that are to be sent
	beside    unified.Result
}

// batchDelete ends many records and tells for each what became of it. An error
// of the whole is answered only when nothing was sent.
func (s *Server) batchDelete(x *exchange, c *call) error {
	if c.query.format == unified.Raw || c.query.format == unified.Stream {
		return errs.New(errs.Unsupported, "a batch-delete takes many calls of the vendor, so truto_response_format=%s has no one answer to give", c.query.format)
	}
	ids, err := c.readIDs()
	if err != nil {
		return err
	}
	cancel := x.within(s.BatchTimeout)
	defer cancel()
	b := &batch{deletions: make([]deletion, len(ids))}
	for i, id := range ids {
		b.deletions[i].ID = id
		if err := c.checkID(id); err != nil {
			b.fail(s, x, i, err)
			if c.request.DryRun {
				c.left = append(c.left, unified.Warning{Field: fmt.Sprintf("id[%d]", i), Message: "would not be sent: no " + c.plugin.Manifest.DisplayName + " record can have it"})
			}
			continue
		}
		b.wanted = append(b.wanted, i)
	}
	if err := s.deleteAll(x, c, b); err != nil {
		return err
	}
	return s.answer(x, c, http.StatusOK, &b.beside, b.render)
}

func (c *call) readIDs() ([]string, error) {
	body, problems := batchBody.ReadBody(c.body, false)
	ids, _ := body.Record["id"].([]string)
	seen := map[string]bool{}
	switch {
	case len(problems) > 0:
	case body.Record["id"] == nil:
		problems = bodyMissing([]string{"id"})
	case len(ids) == 0:
		problems = []errs.Field{{Path: "id", Description: "is an empty list"}}
	case len(ids) > maxMany:
		problems = []errs.Field{{Path: "id", Description: fmt.Sprintf("has %d ids, of at most %d", len(ids), maxMany)}}
	default:
		for i, id := range ids {
			folded := strings.ToLower(id) // ids with letters are hexadecimal at most vendors
			if seen[folded] && len(problems) < maxNamed {
				problems = append(problems, errs.Field{Path: fmt.Sprintf("id[%d]", i), Description: "is there more than once"})
			}
			seen[folded] = true
		}
	}
	if len(problems) > 0 {
		return nil, badBody(problems)
	}
	return ids, c.takeGuard(body)
}

// deleteAll makes as many calls of the plugin as its limit asks for, one after
// the other. Once one has failed as a whole no further one is made.
func (s *Server) deleteAll(x *exchange, c *call, b *batch) error {
	most := standardBatch
	if c.capabilities.MaxRecords > 0 {
		most = c.maxRecords()
	}
	for begin := 0; begin < len(b.wanted); begin += most {
		part := b.wanted[begin:min(begin+most, len(b.wanted))]
		request := c.request
		request.IDs = nil
		for _, i := range part {
			request.IDs = append(request.IDs, b.deletions[i].ID)
		}
		result, err := s.Providers.Call(x.request.Context(), c.plugin.Slug, request)
		switch {
		case err == nil:
			b.take(s, x, c, part, result)
			continue
		case begin == 0:
			return err
		}
		e := s.explain(x, err)
		if e == nil {
			return err // the caller has gone
		}
		for _, i := range part {
			b.fail(s, x, i, e)
		}
		for _, i := range b.wanted[begin+len(part):] {
			b.fail(s, x, i, errs.New(errs.Overloaded, "it was not tried, since the call for others before it failed: %s", e.Message))
		}
		return nil
	}
	return nil
}

// take notes what became of the records of one call. What the plugin does not
// tell is not known.
func (b *batch) take(s *Server, x *exchange, c *call, part []int, result *unified.Result) {
	b.beside.Requests = append(b.beside.Requests, result.Requests...)
	b.beside.Warnings = append(b.beside.Warnings, result.Warnings...)
	b.beside.Answer = result.Answer
	if result.RateLimit != nil {
		b.beside.RateLimit = result.RateLimit
	}
	if c.request.DryRun {
		return
	}
	told := map[string]unified.Outcome{}
	for _, o := range result.Outcomes {
		told[o.ID] = o
	}
	for _, i := range part {
		outcome, ok := told[b.deletions[i].ID]
		switch {
		case !ok:
			b.fail(s, x, i, errs.New(errs.OutcomeUnknown, "the provider plugin %s did not tell what became of it", c.plugin.Slug))
		case outcome.Err != nil:
			b.fail(s, x, i, outcome.Err)
		default:
			b.deletions[i].Deleted, b.deletions[i].AlreadyDeleted = true, outcome.AlreadyDeleted
		}
	}
}

// maxRawOfMany is what one of many errors shows of the vendor's body, in bytes.
const maxRawOfMany = 4 << 10

func (b *batch) fail(s *Server, x *exchange, i int, err error) {
	e, _ := asError(err)
	if e.Vendor != nil && len(e.Vendor.Body) > maxRawOfMany {
		short, answer := *e, *e.Vendor
		answer.Body, answer.Truncated = answer.Body[:maxRawOfMany], true
		short.Vendor = &answer
		e = &short
	}
	body := s.errorBody(x, e, e)
	b.deletions[i].Error = &body
}

func (b *batch) render() []byte {
	answer := struct {
		Result  []deletion `json:"result"`
		Deleted int        `json:"deleted_count"`
		Failed  int        `json:"failed_count"`
	}{Result: b.deletions}
	for _, d := range b.deletions {
		if d.Deleted {
			answer.Deleted++
		} else {
			answer.Failed++
		}
	}
	return encode(answer)
}
