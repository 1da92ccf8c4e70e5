package api

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
)

// maxMany is how many records one call is about at most.
const maxMany = 1000

var reference = []unified.Field{{Name: "id", Kind: unified.Text}}

// mergeBody is what a merge takes.
var mergeBody = &unified.Schema{Fields: []unified.Field{
	{Name: "master_record", Kind: unified.Object, Fields: reference},
	{Name: "duplicate_records", Kind: unified.Objects, Fields: reference},
}}

var mergeRequires = []string{"master_record.id", "duplicate_records"}

// merge makes several records into one.
func (s *Server) merge(x *exchange, c *call) error {
	body, problems := mergeBody.ReadBody(c.body, false)
	if len(problems) == 0 {
		problems = bodyMissing(mergeBody.Missing(body.Record, mergeRequires, nil))
	}
	if len(problems) > 0 {
		return badBody(problems)
	}
	if err := c.takeGuard(body); err != nil {
		return err
	}
	c.request.MasterID = body.Record["master_record"].(unified.Record)["id"].(string)
	for _, r := range body.Record["duplicate_records"].([]unified.Record) {
		id, _ := r["id"].(string)
		c.request.DuplicateIDs = append(c.request.DuplicateIDs, id)
	}
	if problems := c.checkDuplicates(); len(problems) > 0 {
		return badBody(problems)
	}
	for _, id := range append([]string{c.request.MasterID}, c.request.DuplicateIDs...) {
		if err := c.checkID(id); err != nil {
			return err
		}
	}
	result, err := s.Providers.Call(x.request.Context(), c.plugin.Slug, c.request)
	if err != nil {
		return err
	}
	record, err := c.oneRecord(result)
	if err != nil {
		return err
	}
	return s.answer(x, c, http.StatusOK, result, func() []byte {
		b := append([]byte(`{"result":`), c.render(record)...)
		return withWarnings(append(b, '}'), c.warnings(result))
	})
}

func (c *call) checkDuplicates() []errs.Field {
	if most := c.maxRecords(); len(c.request.DuplicateIDs) > most {
		return []errs.Field{{Path: "duplicate_records", Description: fmt.Sprintf("has %d records; %s merges at most %d at once", len(c.request.DuplicateIDs), c.plugin.Manifest.DisplayName, most)}}
	}
	var problems []errs.Field
	seen := map[string]bool{}
	for i, id := range c.request.DuplicateIDs {
		at := fmt.Sprintf("duplicate_records[%d].id", i)
		switch {
		case strings.EqualFold(id, c.request.MasterID):
			problems = append(problems, errs.Field{Path: at, Description: "is the master's: a record cannot go into itself"})
		case seen[strings.ToLower(id)]: // ids with letters are hexadecimal at most vendors
			problems = append(problems, errs.Field{Path: at, Description: "is there more than once"})
		}
		seen[strings.ToLower(id)] = true
	}
	return problems
}

// maxRecords is how many ids one call of the plugin takes.
func (c *call) maxRecords() int {
	if most := c.capabilities.MaxRecords; most > 0 {
		return min(most, maxMany)
	}
	return maxMany
}
