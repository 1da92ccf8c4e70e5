package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
)

const (
	// standardPageCap is that of a provider that does not say one.
	standardPageCap = 100
	// maxVendorPages is how many of the vendor's pages one page of ours is
	// filled from.
	maxVendorPages = 100
	// maxListBytes is how much of the vendor's data one page of ours holds, as
	// far as it can be told before: one more record may go beyond it.
	maxListBytes = 32 << 20
	// streamPage is how many records a stream asks for at once when the caller
	// does not say.
	streamPage = 100
)

// listing is one page of ours.
type listing struct {
	records []unified.Record
	partial bool
	next    *place          // nil at the end of the list
	last    *unified.Result // the vendor's page that was read last
}

func (s *Server) list(x *exchange, c *call) error {
	streams := c.query.format == unified.Stream && acceptsLines(x.request)
	bound := binding(c.account.ID, c.schema.Resource, c.query)
	at, err := s.readPlace(c, bound, streams)
	if err != nil {
		return err
	}
	if err := s.narrow(x, c, at.Ignored); err != nil {
		return err
	}
	c.request.PageSize = at.PageSize
	if streams {
		c.request.WantAnswer = false
		return s.streamLines(x, c, at.place)
	}
	if c.query.format == unified.Raw || c.query.format == unified.Stream {
		return s.listRaw(x, c, at, bound)
	}
	found, err := s.collect(x, c, at)
	if err != nil {
		return err
	}
	at.Ignored = c.ignored
	var next, prev *string
	if found.next != nil {
		next = new(s.sealCursor(at.next(*found.next), bound))
	}
	if before, ok := at.prev(); ok {
		prev = new(s.sealCursor(before, bound))
	}
	rateLimitHeaders(x.Header(), found.last.RateLimit)
	body := c.renderList(found, next, prev)
	if c.query.format == unified.Debug {
		body = debugBody(body, found.last, &debugList{NextCursor: next, IsEmptyResult: len(found.records) == 0, ResultCount: len(found.records)})
	}
	s.reply(x, http.StatusOK, body)
	return nil
}

// readPlace tells where a page begins and how large it and the vendor's are. A
// cursor remembers its limit; another one would shift the vendor's pages.
func (s *Server) readPlace(c *call, bound []byte, streams bool) (cursor, error) {
	q := c.query
	pageCap := c.capabilities.PageCap
	if pageCap <= 0 {
		pageCap = standardPageCap
	}
	raw := !streams && (q.format == unified.Raw || q.format == unified.Stream)
	if q.cursor != "" {
		at, err := s.openCursor(q.cursor, bound)
		switch {
		case err != nil:
			return at, err
		case q.limit != 0 && q.limit != at.Limit:
			return at, badParam("limit", "the cursor was made with limit="+strconv.Itoa(at.Limit)+"; keep it, or leave it out")
		case raw && at.Skip > 0:
			return at, badParam("next_cursor", "it points into the middle of a page of the vendor, which only records can be given from; use it with the format that it was made with")
		}
		at.PageSize = min(at.PageSize, pageCap) // the provider may be another version by now
		return at, nil
	}
	at := cursor{Limit: q.limit}
	if at.Limit == 0 {
		at.Limit = defaultLimit
		if streams {
			at.Limit = streamPage
		}
	}
	at.PageSize = min(at.Limit, pageCap)
	if !raw && !streams {
		at.PageSize = pageSize(at.Limit, pageCap)
	}
	return at, nil
}

// pageSize spreads a page of ours evenly over as few of the vendor's pages as
// can hold it.
func pageSize(limit, pageCap int) int {
	pages := (limit + pageCap - 1) / pageCap
	return (limit + pages - 1) / pages
}

// page makes one call of the plugin.
func (s *Server) page(x *exchange, c *call, token string) (*unified.Result, error) {
	request := c.request
	request.PageToken = token
	result, err := s.ask(x, c, request)
	switch {
	case err != nil:
		return nil, err
	case len(result.Records) > request.PageSize:
		return nil, errs.New(errs.PluginBug, "the provider plugin %s gave %d records where at most %d were wanted", c.plugin.Slug, len(result.Records), request.PageSize)
	case token != "" && result.NextPageToken == token:
		return nil, errs.New(errs.PluginBug, "the provider plugin %s says that a page is followed by itself", c.plugin.Slug)
	}
	return result, nil
}

// collect fills one page of ours from as many of the vendor's as it takes. A
// record that the vendor gives twice, as it does when records are made while
// it is paged through, is there once. What a slow vendor has given is handed
// out before the request's time is up, with a cursor for the rest.
func (s *Server) collect(x *exchange, c *call, from cursor) (*listing, error) {
	found := &listing{}
	seen := map[string]bool{}
	size := 0
	at := from.place
	for pages := 1; ; pages++ {
		result, err := s.page(x, c, at.PageToken)
		if err != nil {
			return nil, err
		}
		found.last = result
		found.partial = found.partial || result.Partial
		for i := min(at.Skip, len(result.Records)); i < len(result.Records); i++ {
			record := result.Records[i]
			id, _ := record["id"].(string)
			if id != "" && seen[id] {
				continue
			}
			if len(found.records) == from.Limit || size > maxListBytes {
				found.next = &place{PageToken: at.PageToken, Skip: i}
				return found, nil
			}
			seen[id] = true
			found.records = append(found.records, record)
			size += sizeOf(record)
		}
		if result.NextPageToken == "" {
			return found, nil
		}
		at = place{PageToken: result.NextPageToken}
		if len(found.records) == from.Limit || size > maxListBytes || pages == maxVendorPages || s.hurry(x.request.Context()) {
			found.next = &at
			return found, nil
		}
	}
}

// sizeOf is about how large a record is, by what of it can be large.
func sizeOf(record unified.Record) int {
	size := 1 << 10
	for _, value := range record {
		switch v := value.(type) {
		case json.RawMessage:
			size += len(v)
		case string:
			size += len(v)
		case unified.Record:
			size += sizeOf(v)
		case []unified.Record:
			for _, item := range v {
				size += sizeOf(item)
			}
		}
	}
	return size
}

// hurry tells that too little of a request's time is left for another page.
func (s *Server) hurry(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < s.RequestTimeout/4
}

// listRaw gives one page of the vendor.
func (s *Server) listRaw(x *exchange, c *call, at cursor, bound []byte) error {
	result, err := s.page(x, c, at.PageToken)
	if err != nil {
		return err
	}
	at.Ignored = c.ignored
	if result.NextPageToken != "" {
		x.Header().Set("Unicrm-Next-Cursor", s.sealCursor(at.next(place{PageToken: result.NextPageToken}), bound))
	}
	return s.answer(x, c, http.StatusOK, result, nil)
}

func (c *call) renderList(found *listing, next, prev *string) []byte {
	view := c.view()
	b := []byte(`{"result":`)
	if c.query.keyBy == "" {
		b = c.appendArray(b, found.records, view)
	} else {
		b = c.appendKeyed(b, found.records, view)
	}
	b = append(b, `,"next_cursor":`...)
	b = appendCursor(b, next)
	b = append(b, `,"prev_cursor":`...)
	b = appendCursor(b, prev)
	b = append(b, `,"result_count":`...)
	b = strconv.AppendInt(b, int64(len(found.records)), 10)
	b = append(b, `,"is_partial_response":`...)
	b = strconv.AppendBool(b, found.partial)
	return append(b, '}')
}

func appendCursor(b []byte, cursor *string) []byte {
	if cursor == nil {
		return append(b, "null"...)
	}
	return strconv.AppendQuote(b, *cursor) // base64: nothing to escape
}

func (c *call) appendArray(b []byte, records []unified.Record, view unified.View) []byte {
	b = append(b, '[')
	for i, record := range records {
		if i > 0 {
			b = append(b, ',')
		}
		b = c.schema.Render(b, record, view)
	}
	return append(b, ']')
}

// appendKeyed gives the records by a field's value. Those without one, and
// those whose value another record has taken, stand in a list of their own: a
// second one under the same key would be lost.
func (c *call) appendKeyed(b []byte, records []unified.Record, view unified.View) []byte {
	taken := map[string]bool{}
	var unkeyed []unified.Record
	b = append(b, '{')
	for _, record := range records {
		key := keyOf(record[c.query.keyBy])
		if key == "" || taken[key] {
			unkeyed = append(unkeyed, record)
			continue
		}
		if len(taken) > 0 {
			b = append(b, ',')
		}
		taken[key] = true
		b = unified.AppendString(b, key)
		b = append(b, ':')
		b = c.schema.Render(b, record, view)
	}
	b = append(b, '}')
	if len(unkeyed) > 0 {
		b = append(b, `,"unkeyed":`...)
		b = c.appendArray(b, unkeyed, view)
	}
	return b
}

func keyOf(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case time.Time:
		return unified.FormatInstant(v)
	default:
		return ""
	}
}
