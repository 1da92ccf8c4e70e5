package api

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
)

// filter and sortKey remember how they were written, for messages.
type filter struct {
	raw string
	unified.Filter
}

type sortKey struct {
	raw string
	unified.SortKey
}

// rangeOperators are those that go in brackets behind a time.
var rangeOperators = []unified.Operator{unified.Greater, unified.GreaterOrEqual, unified.Less, unified.LessOrEqual}

// takeFilter reads a filter in the contract's forms, whether a provider can
// serve it or not.
func (q *query) takeFilter(p param, field unified.Field) error {
	f := filter{raw: p.raw, Filter: unified.Filter{Field: p.name, Operator: unified.Equal, Value: p.value}}
	if strings.TrimSpace(p.value) == "" {
		return badParam(p.raw, "it is empty; leave it out to have no filter")
	}
	switch {
	case p.name == "is_deleted":
		if len(p.path) > 0 {
			return badParam(p.raw, p.name+" takes a single value")
		}
		deleted, err := readBool(p)
		if err != nil || !deleted {
			return err // false is how lists are anyway
		}
	case p.name == "search" || field.Kind == unified.Text:
		if len(p.path) > 0 {
			return badParam(p.raw, p.name+" takes a single value")
		}
	case field.Kind == unified.Instant:
		if len(p.path) > 0 {
			f.Operator = unified.Operator(p.path[0])
		}
		if len(p.path) > 1 || (len(p.path) == 1 && !slices.Contains(rangeOperators, f.Operator)) {
			return badParam(p.raw, "write "+p.name+"[gte]=…, with gt, gte, lt or lte")
		}
		instant, err := time.Parse(time.RFC3339, p.value)
		if err != nil {
			if instant, err = time.Parse(time.DateOnly, p.value); err != nil {
				return badParam(p.raw, "it is not an ISO 8601 date or time")
			}
		}
		f.Value = unified.FormatInstant(instant)
	case field.Kind == unified.Objects:
		n := len(p.path)
		if n == 0 || n > 2 || (n == 2 && p.path[0] != "" && !isIndex(p.path[0])) ||
			!slices.ContainsFunc(field.Fields, func(part unified.Field) bool { return part.Name == p.path[n-1] }) {
			return badParam(p.raw, "write "+p.name+"[]["+field.Fields[1].Name+"]=…")
		}
		f.Field += "." + p.path[n-1]
	}
	q.filters = append(q.filters, f)
	return nil
}

func (q *query) takeSort(p param, schema *unified.Schema) error {
	if len(p.path) != 1 {
		return badParam(p.raw, "write sort_by[field]=asc or desc")
	}
	key := sortKey{raw: p.raw, SortKey: unified.SortKey{Field: p.path[0], Descending: p.value == "desc"}}
	if field, ok := schema.Field(key.Field); !ok || !field.Sortable {
		return badParam(p.raw, strconv.Quote(clip(key.Field))+" is not a sort key of "+schema.Resource)
	}
	if p.value != "asc" && p.value != "desc" {
		return badParam(p.raw, "it is neither asc nor desc")
	}
	if slices.ContainsFunc(q.sort, func(have sortKey) bool { return have.Field == key.Field }) {
		return badParam(p.raw, "it is given more than once")
	}
	q.sort = append(q.sort, key)
	return nil
}

// checkFilters refuses filters that say the same twice, or that only one value
// could fulfil: what a vendor would make of them nobody knows.
func (q *query) checkFilters() error {
	const (
		equal = 1 << iota
		from
		to
	)
	side := func(o unified.Operator) int {
		switch o {
		case unified.Greater, unified.GreaterOrEqual:
			return from
		case unified.Less, unified.LessOrEqual:
			return to
		default:
			return equal
		}
	}
	seen := map[string]int{}
	for _, f := range q.filters {
		now := side(f.Operator)
		if before := seen[f.Field]; before&now != 0 || (before|now) > equal && (before|now)&equal != 0 {
			return badParam(f.raw, "there is another filter on "+f.Field+"; give one at a time")
		}
		seen[f.Field] |= now
	}
	return nil
}

// lenient tells whether the caller or the operator wants what a provider cannot
// serve ignored.
func (s *Server) lenient(q *query) bool {
	if q.ignoreUnsupported != nil {
		return *q.ignoreUnsupported
	}
	return s.LenientFilters
}

// narrow puts filters and sort keys into a list's request. What the provider
// cannot serve, or has refused together with others on the page before, is an
// error, unless it is to be ignored.
func (s *Server) narrow(x *exchange, c *call, ignored []string) error {
	var refused []string
	for _, f := range c.query.filters {
		if !c.capabilities.TakesFilter(f.Filter) || slices.Contains(ignored, f.raw) {
			refused = append(refused, f.raw)
			continue
		}
		c.request.Filters = append(c.request.Filters, f.Filter)
	}
	for _, k := range c.query.sort {
		if !slices.Contains(c.capabilities.SortKeys, k.Field) || slices.Contains(ignored, k.raw) {
			refused = append(refused, k.raw)
			continue
		}
		c.request.Sort = append(c.request.Sort, k.SortKey)
	}
	if len(refused) == 0 {
		return nil
	}
	if !s.lenient(c.query) {
		e := errs.New(errs.Unsupported, "%s cannot filter or sort by %s; leave it out, or send truto_ignore_unsupported=true to have it ignored", c.plugin.Manifest.DisplayName, clip(strings.Join(refused, ", ")))
		return refusal(e, unsupportedQuery, refused)
	}
	c.ignore(x, refused)
	return nil
}

// ignore tells the caller what was left out.
func (c *call) ignore(x *exchange, raws []string) {
	c.ignored = append(c.ignored, raws...)
	x.Header().Set("Unicrm-Ignored", headerList(c.ignored))
}

// ask makes one call of a list. A provider may refuse filters and sort keys
// that it can serve one by one but not together: those that it names are told
// in the caller's own words, or left out and the call made once more where
// they are to be ignored.
func (s *Server) ask(x *exchange, c *call, request unified.Request) (*unified.Result, error) {
	for {
		request.Filters, request.Sort = c.request.Filters, c.request.Sort
		result, err := s.Providers.Call(x.request.Context(), c.plugin.Slug, request)
		refused, err := c.refusedTogether(err)
		if len(refused) == 0 || !s.lenient(c.query) {
			return result, err
		}
		c.ignore(x, refused) // fewer are left each time
		c.request.Filters, c.request.Sort = nil, nil
		for _, f := range c.query.filters {
			if !slices.Contains(c.ignored, f.raw) {
				c.request.Filters = append(c.request.Filters, f.Filter)
			}
		}
		for _, k := range c.query.sort {
			if !slices.Contains(c.ignored, k.raw) {
				c.request.Sort = append(c.request.Sort, k.SortKey)
			}
		}
	}
}

// refusedTogether finds the parameters that a provider's error is about and
// gives the error with their names in place of the protocol's.
func (c *call) refusedTogether(err error) (raws []string, _ error) {
	e, ok := asError(err)
	if !ok || e.Reason != errs.Unsupported || e.Vendor != nil {
		return nil, err
	}
	add := func(raw string) {
		if !slices.Contains(raws, raw) {
			raws = append(raws, raw)
		}
	}
	var left []sortKey
	for _, k := range c.query.sort {
		if !slices.Contains(c.ignored, k.raw) {
			left = append(left, k)
		}
	}
	for _, field := range e.Fields {
		matched := false
		for _, f := range c.query.filters {
			if f.Field == field.Path && !slices.Contains(c.ignored, f.raw) {
				add(f.raw)
				matched = true
			}
		}
		for i, k := range left {
			switch {
			case field.Path == "sort_by" && (len(left) == 1 || i > 0): // of several keys the first may do
				add(k.raw)
			case field.Path == "sort_by."+k.Field, field.Path == k.Field && !matched:
				add(k.raw)
			}
		}
	}
	if len(raws) == 0 {
		return nil, err
	}
	told := errs.New(errs.Unsupported, "%s; leave out %s, or send truto_ignore_unsupported=true to have it ignored", clip(cmp.Or(e.Fields[0].Description, e.Message)), clip(strings.Join(raws, ", ")))
	return raws, refusal(told, unsupportedQuery, raws)
}
