package main

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// orders are Planhat's properties behind the sort keys. created_at is none of
// them: it comes from one of two properties.
var orders = map[string]order{
	"id":              {property: "_id", key: func(e *entry) string { return e.ID.String() }, sorted: true, unique: true},
	"first_name":      {property: "firstName", key: func(e *entry) string { return e.FirstName.String() }},
	"last_name":       {property: "lastName", key: func(e *entry) string { return e.LastName.String() }},
	"name":            {property: "name", key: func(e *entry) string { return e.Name.String() }},
	"title":           {property: "position", key: func(e *entry) string { return e.Position.String() }},
	"email_addresses": {property: "email", key: func(e *entry) string { return e.Email.String() }},
	"updated_at":      {property: "updatedAt", key: func(e *entry) string { return instantKey(e.UpdatedAt) }, sorted: true},
}

// instantKey is a text that sorts as the instant does; "" without one, which
// is before all others.
func instantKey(text vendorjson.Text) string {
	at := firstTime(text)
	if at == nil {
		return ""
	}
	return at.Format("2006-01-02T15:04:05.000000000Z")
}

// entry is a contact of a list with its record.
type entry struct {
	contact
	raw json.RawMessage
}

// listContacts lists contacts that are not archived: those are in no list.
// Planhat filters by the main e-mail address alone and knows no "updated
// since", so spans of time are walked from the newest.
func listContacts(ctx context.Context, call *sdk.Call, query sdk.ListQuery) (sdk.Page[crm.Contact], error) {
	client, err := newClient(call)
	if err != nil {
		return sdk.Page[crm.Contact]{}, err
	}
	if len(query.Sort) > 1 {
		return sdk.Page[crm.Contact]{}, sdk.Unsupported("Planhat orders by one property at a time", "sort_by")
	}
	l := listing{call: call, ask: client.Main, order: orders["id"]}
	l.email, _ = query.Filters.Text("email_addresses.email")
	updated, created := query.Filters.Range("updated_at"), query.Filters.Range("created_at")
	var page sdk.Page[entry]
	switch {
	case updated.Bounded():
		page, err = l.changed(ctx, query, updated)
	case created.Bounded():
		page, err = l.made(ctx, query, created)
	default:
		page, err = l.all(ctx, query)
	}
	unified := sdk.Page[crm.Contact]{Next: page.Next}
	for _, e := range page.Records {
		unified.Records = append(unified.Records, e.unified(e.raw))
	}
	return unified, err
}

// all lists everybody in an order.
func (l listing) all(ctx context.Context, query sdk.ListQuery) (sdk.Page[entry], error) {
	if len(query.Sort) > 0 {
		l.order = orders[query.Sort[0].Field]
		l.descending = query.Sort[0].Descending
	}
	var at position
	if err := decodePosition(query.PageToken, &at, &at); err != nil {
		return sdk.Page[entry]{}, err
	}
	records, next, more, err := l.cut(ctx, at, query.PageSize)
	page := sdk.Page[entry]{Records: records}
	if more {
		page.Next = sdk.EncodeToken(next)
	}
	return page, err
}

// changed lists a span of updated_at. Each write moves updatedAt, which makes
// the newest the front.
func (l listing) changed(ctx context.Context, query sdk.ListQuery, span sdk.Range) (sdk.Page[entry], error) {
	if len(query.Sort) > 0 && query.Sort[0] != (sdk.SortKey{Field: "updated_at", Descending: true}) {
		return sdk.Page[entry]{}, sdk.Unsupported("with a span of updated_at Planhat can only order by it, newest first", "sort_by")
	}
	l.order = orders["updated_at"]
	return l.walk(ctx, query, span, false, func(e *entry) *time.Time { return firstTime(e.UpdatedAt) })
}

// made lists a span of created_at, which is createDate, or createdAt where that
// is not there. Sorting by one says nothing of the other, as createDate can be
// set by hand. So first those are walked that have createDate, then those are
// picked out of a walk by createdAt that have not, wherever Planhat puts records
// without the property.
func (l listing) made(ctx context.Context, query sdk.ListQuery, span sdk.Range) (sdk.Page[entry], error) {
	if len(query.Sort) > 0 {
		return sdk.Page[entry]{}, sdk.Unsupported("with a span of created_at Planhat cannot order by one property", "sort_by")
	}
	return sdk.Stages(query, 2, func(stage int, query sdk.ListQuery) (sdk.Page[entry], error) {
		property, text := "createDate", func(e *entry) vendorjson.Text { return e.CreateDate }
		if stage == 1 {
			property, text = "createdAt", func(e *entry) vendorjson.Text { return e.CreatedAt }
		}
		l.order = order{property: property, key: func(e *entry) string { return instantKey(text(e)) }, sorted: true}
		page, err := l.walk(ctx, query, span, true, func(e *entry) *time.Time { return firstTime(text(e)) })
		if stage == 1 {
			page.Records = slices.DeleteFunc(page.Records, func(e entry) bool { return firstTime(e.CreateDate) != nil })
		}
		return page, err
	})
}

// walk lists a span of the time that the listing is ordered by, newest first.
func (l listing) walk(ctx context.Context, query sdk.ListQuery, span sdk.Range, fixed bool, stamp func(*entry) *time.Time) (sdk.Page[entry], error) {
	l.descending = true
	l.tooOld = func(e *entry) bool {
		at := stamp(e)
		return span.From != nil && at != nil && at.Before(*span.From)
	}
	var token struct {
		Walk string   `json:"walk"`
		At   position `json:"at"`
	}
	if err := decodePosition(query.PageToken, &token, &token.At); err != nil {
		return sdk.Page[entry]{}, err
	}
	query.PageToken = token.Walk
	page, err := sdk.NewestFirst[entry]{
		Stamp: stamp,
		Fixed: fixed,
		Fetch: func(page, size int) (records []entry, more bool, err error) {
			if page == 1 {
				token.At = position{}
			}
			records, token.At, more, err = l.cut(ctx, token.At, size)
			return records, more, err
		},
	}.Page(query, span)
	if page.Next != "" {
		token.Walk = page.Next
		page.Next = sdk.EncodeToken(token)
	}
	return page, err
}

// read gives a part of the list. An address that was asked for is looked at
// once more: a vendor that did not know the parameter would give everybody.
func (l *listing) read(ctx context.Context, offset, limit int) ([]entry, error) {
	request := get("endusers")
	if l.email != "" {
		request.Fixed = append(request.Fixed, vendorhttp.Param{Name: "email", Value: l.email})
	}
	sort := l.property
	if l.descending {
		sort = "-" + sort
	}
	request.Fixed = append(request.Fixed, vendorhttp.Param{Name: "sort", Value: sort},
		vendorhttp.Param{Name: "limit", Value: strconv.Itoa(limit)}, vendorhttp.Param{Name: "offset", Value: strconv.Itoa(offset)})
	if l.property != "_id" {
		request.Reserved = []string{"select"} // what the list is ordered by has to be in it
	}
	_, selectAll := bareLists.Get(l.call, "endusers")
	for {
		if selectAll {
			request.Query = []vendorhttp.Param{{Name: "select", Value: "ALL"}}
		}
		response, err := l.ask(ctx, request)
		if err != nil {
			return nil, err
		}
		items, err := listIn(response)
		if err != nil {
			return nil, err
		}
		var entries []entry
		bare := len(items) > 0
		for _, item := range items[:min(len(items), limit)] {
			record, ok := contactIn(item)
			if !ok {
				return nil, response.Error(errs.UnexpectedVendorAnswer, "Planhat answered a list with an item that is not a contact")
			}
			entries = append(entries, entry{record, item})
			bare = bare && !slices.ContainsFunc(vendorjson.Members(item), func(m vendorjson.JSONMember) bool { return m.Key != "_id" && m.Key != "name" })
		}
		if !bare || selectAll {
			for _, e := range entries {
				if l.email != "" && !strings.EqualFold(e.Email.String(), l.email) {
					return nil, response.Error(errs.UnexpectedVendorAnswer, "Planhat answered a search for an address with a contact that does not have it")
				}
			}
			return entries, nil
		}
		selectAll = true
		bareLists.Put(l.call, "endusers", struct{}{})
	}
}

// bareLists remembers the accounts whose lists hold nothing but _id and name
// unless select=ALL is sent. A third-party client says so of all; recorded
// lists are whole without it, and the reference knows no such value.
var bareLists = sdk.NewCache[struct{}](10 * time.Minute)

// findByEmail gives the contacts whose main address it is. Planhat does not
// look through the other ones, nor through archived contacts.
func findByEmail(ctx context.Context, call *sdk.Call, email string) ([]string, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	l := listing{call: call, ask: client.Side, order: orders["id"], email: email}
	entries, err := l.read(ctx, 0, 10)
	var ids []string
	for _, e := range entries {
		ids = append(ids, e.ID.String())
	}
	return ids, err
}
