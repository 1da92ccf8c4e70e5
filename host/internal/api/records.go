package api

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/unicrm/unicrm/host/internal/catalog"
	"github.com/unicrm/unicrm/host/internal/store"
	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
)

// records handles one method on the records of any resource.
func records(method unified.Method) handler {
	return func(s *Server, x *exchange) error {
		x.method, x.resource = string(method), "unknown"
		resource := x.params["resource"]
		schema, ok := unified.SchemaOf(resource)
		switch {
		case !ok && unified.Planned(resource):
			return notBuilt("the resource " + resource)
		case !ok:
			return errs.New(errs.RouteNotFound, "there is no resource %q", clip(resource))
		}
		x.resource = resource
		if method == unified.Create || method == unified.Update {
			return notBuilt(string(method) + " for " + resource)
		}
		q, err := readQuery(x.request.URL.RawQuery, method, schema)
		if err != nil {
			return err
		}
		account, err := s.Accounts.Find(x.request.Context(), x.token.Environment, q.accountID)
		if err != nil {
			return err
		}
		return s.serveRecords(x, schema, method, q, account)
	}
}

// serveRecords makes sure, before any call leaves, that the provider does what
// is asked, makes the call, and answers in the wanted format.
func (s *Server) serveRecords(x *exchange, schema *unified.Schema, method unified.Method, q *query, account store.Account) error {
	x.provider = account.Integration
	forProvider, err := s.Accounts.ForCall(account)
	if err != nil {
		return err
	}
	plugin, err := s.serving(account.Integration, forProvider)
	if err != nil {
		return err
	}
	_, capabilities := plugin.Manifest.Find(schema.Resource, method)
	if capabilities == nil {
		return errs.New(errs.Unsupported, "%s does not support %s for %s", plugin.Manifest.DisplayName, method, schema.Resource)
	}
	request := unified.Request{
		ID: x.id, Account: forProvider, Resource: schema.Resource, Method: method,
		RemoteQuery: q.remoteQuery, WantAnswer: q.format == unified.Raw,
	}
	bound := binding(account.ID, schema.Resource, q)
	limit := 0
	if method == unified.List {
		if err := s.refuseFilters(x, q, plugin); err != nil {
			return err
		}
		var err error
		if limit, request.PageToken, err = s.readPage(q, bound); err != nil {
			return err
		}
		request.PageSize = limit
		if capabilities.PageCap > 0 {
			request.PageSize = min(limit, capabilities.PageCap)
		}
	} else {
		request.RecordID = x.params["id"]
		if !plugin.AcceptsID(schema.Resource, request.RecordID) {
			return errs.New(errs.InvalidID, "no %s record can have the id %q", plugin.Manifest.DisplayName, clip(request.RecordID))
		}
	}
	result, err := s.Providers.Call(x.request.Context(), plugin.Slug, request)
	if err != nil {
		return err
	}
	if method == unified.List && len(result.Records) > request.PageSize {
		return errs.New(errs.PluginBug, "the provider plugin %s gave %d records where at most %d were wanted", plugin.Slug, len(result.Records), request.PageSize)
	}
	rateLimitHeaders(x.Header(), result.RateLimit)
	if result.AlreadyDeleted {
		x.Header().Set("Unicrm-Outcome", "already-deleted")
	}
	next := ""
	if result.NextPageToken != "" {
		next = s.sealCursor(cursor{PageToken: result.NextPageToken, Limit: limit, Made: time.Now().Unix()}, bound)
	}
	if q.format == unified.Raw {
		return s.replyRaw(x, result, next)
	}
	view := unified.View{Format: q.format, Returned: capabilities.Returned, Exclude: q.exclude}
	if q.ignoreRemoteData {
		view.Exclude.Add("remote_data")
	}
	switch method {
	case unified.List:
		s.reply(x, http.StatusOK, renderList(schema, result, view, next))
		return nil
	case unified.Delete:
		// Only what is known of a record that is no more.
		view.OnlyGiven = true
		deleted := unified.Record{}
		if len(result.Records) > 0 {
			deleted = result.Records[0]
		}
		deleted["id"] = request.RecordID
		result.Records = []unified.Record{deleted}
	}
	if len(result.Records) != 1 {
		return errs.New(errs.PluginBug, "the provider plugin %s answered without a record", plugin.Slug)
	}
	s.reply(x, http.StatusOK, schema.Render(nil, result.Records[0], view))
	return nil
}

// serving gives the version of a provider that an account's calls go to.
func (s *Server) serving(slug string, account unified.Account) (*catalog.Plugin, error) {
	version, err := s.Providers.Serving(slug, account)
	if err != nil {
		return nil, err
	}
	if plugin, ok := s.Catalog.Version(slug, version); ok {
		return plugin, nil
	}
	if plugin, ok := s.Catalog.Find(slug); ok { // it is being replaced at this moment
		return plugin, nil
	}
	return nil, errs.New(errs.PluginUnavailable, "the provider plugin %s is not installed", slug)
}

// refuseFilters answers filters and sort keys that the provider cannot serve:
// an error unless the caller or the operator wants them ignored.
func (s *Server) refuseFilters(x *exchange, q *query, plugin *catalog.Plugin) error {
	if len(q.filters) == 0 {
		return nil
	}
	var names []string
	for _, f := range q.filters {
		names = append(names, clip(f.raw))
	}
	ignore := s.LenientFilters
	if q.ignoreUnsupported != nil {
		ignore = *q.ignoreUnsupported
	}
	if ignore {
		x.Header().Set("Unicrm-Ignored", strings.Map(printable, strings.Join(names, ", ")))
		q.filters = nil
		return nil
	}
	e := errs.New(errs.Unsupported, "%s cannot filter or sort by %s; leave it out, or send truto_ignore_unsupported=true to have it ignored", plugin.Manifest.DisplayName, strings.Join(names, ", "))
	return &unsupportedParams{cause: e, names: names}
}

// printable keeps a header's value to plain characters.
func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return '?'
	}
	return r
}

// readPage gives the limit and where the page begins. A cursor remembers its
// limit; another one would shift the vendor's pages.
func (s *Server) readPage(q *query, bound []byte) (limit int, token string, err error) {
	limit = q.limit
	if q.cursor != "" {
		c, err := s.openCursor(q.cursor, bound)
		if err != nil {
			return 0, "", err
		}
		if limit != 0 && limit != c.Limit {
			return 0, "", badParam("limit", "the cursor was made with limit="+strconv.Itoa(c.Limit)+"; keep it, or leave it out")
		}
		return c.Limit, c.PageToken, nil
	}
	if limit == 0 {
		limit = defaultLimit
	}
	return limit, "", nil
}

func renderList(schema *unified.Schema, result *unified.Result, view unified.View, next string) []byte {
	b := []byte(`{"result":[`)
	for i, record := range result.Records {
		if i > 0 {
			b = append(b, ',')
		}
		b = schema.Render(b, record, view)
	}
	b = append(b, `],"next_cursor":`...)
	if next == "" {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendQuote(b, next) // base64: nothing to escape
	}
	b = append(b, `,"prev_cursor":null,"result_count":`...)
	b = strconv.AppendInt(b, int64(len(result.Records)), 10)
	b = append(b, `,"is_partial_response":`...)
	b = strconv.AppendBool(b, result.Partial)
	return append(b, '}')
}

// replyRaw gives the vendor's answer as it came. Its content type goes with it,
// and nothing that would let a browser run it as a page of this host.
func (s *Server) replyRaw(x *exchange, result *unified.Result, next string) error {
	if next != "" {
		x.Header().Set("Unicrm-Next-Cursor", next)
	}
	if result.Answer == nil || len(result.Answer.Body) == 0 {
		x.WriteHeader(http.StatusNoContent)
		return nil
	}
	contentType := result.Answer.ContentType
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	x.Header().Set("Content-Type", contentType)
	x.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'")
	x.Header().Set("Content-Length", strconv.Itoa(len(result.Answer.Body)))
	x.WriteHeader(http.StatusOK)
	_, _ = x.Write(result.Answer.Body)
	return nil
}
