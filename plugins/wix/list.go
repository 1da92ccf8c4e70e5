package main

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"regexp"
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

// pageCap is the most contacts in a page; more is 400 ILLEGAL_LIMIT.
const pageCap = 1000

// filterFields are Wix's names of the filters by equality. Any address and any
// number of a contact counts, not the primary one alone.
var filterFields = map[string]string{
	"first_name":            "info.name.first",
	"last_name":             "info.name.last",
	"email_addresses.email": "info.emails.email",
	"phone_numbers.number":  "info.phones.phone",
}

// timeFields are Wix's names of the instants. It can sort by all of them but
// updatedDate.
var timeFields = map[string]string{
	"created_at":       "createdDate",
	"updated_at":       "updatedDate",
	"last_activity_at": "lastActivity.activityDate",
}

// sortFields are Wix's names of the sort keys.
var sortFields = map[string]string{
	"created_at":       timeFields["created_at"],
	"last_activity_at": timeFields["last_activity_at"],
	"first_name":       "info.name.first",
	"last_name":        "info.name.last",
	"title":            "info.jobTitle",
	"email_addresses":  "primaryInfo.email",
}

// e164Form is a number as Wix writes it in e164Phone, beside the form in which
// it was given.
var e164Form = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

func listContacts(ctx context.Context, call *sdk.Call, query sdk.ListQuery) (sdk.Page[crm.Contact], error) {
	client, err := newClient(call)
	if err != nil {
		return sdk.Page[crm.Contact]{}, err
	}
	if len(query.Sort) > 1 {
		return sdk.Page[crm.Contact]{}, sdk.Unsupported("Wix orders by one key at a time", "sort_by")
	}
	var page sdk.Page[crm.Contact]
	numbers := []string{filterFields["phone_numbers.number"], "info.phones.e164Phone"}
	if number, _ := query.Filters.Text("phone_numbers.number"); e164Form.MatchString(number) {
		page, err = sdk.Stages(query, len(numbers), func(stage int, query sdk.ListQuery) (sdk.Page[crm.Contact], error) {
			return listBy(ctx, client, query, numbers[stage])
		})
	} else {
		page, err = listBy(ctx, client, query, numbers[0])
	}
	if err != nil {
		return page, err
	}
	nameLabels(ctx, call, client, page.Records)
	return page, nil
}

// position is where the next page begins. By the time of creation, which never
// changes, a list is walked from contact to contact, so that nobody is passed
// over when others are deleted meanwhile or are no longer meant: it goes on with
// the instant of the last one given, less those of it that were given. Other
// orders are counted from the beginning.
type position struct {
	At     string   `json:"a,omitempty"` // as Wix writes it
	Given  []string `json:"g,omitempty"` // ids, of the contacts made at that instant
	Offset int      `json:"o,omitempty"` // behind it, where they are too many to name
	pass
}

// mostGiven is how many contacts made at one instant a token names.
const mostGiven = 10

// pass is one reading of a list of what was updated since some time. Who is
// updated while it takes place may have been made before the place that was
// reached, and is not seen. So one that took several pages is followed by another,
// of what was updated since it began.
type pass struct {
	Number int       `json:"n,omitempty"`
	Since  time.Time `json:"s,omitzero"` // in place of the filter's; zero in the first one
	// Began is an instant, by Wix's clock, that was no later than when the pass
	// began; zero on its first page.
	Began time.Time `json:"b,omitzero"`
	// Newest is the latest update that was seen so far: by Wix's clock it cannot be
	// earlier any more.
	Newest time.Time `json:"m,omitzero"`
}

// maxPasses is for a list that changes faster than it is read.
const maxPasses = 1000

func (p *position) valid() bool {
	_, err := time.Parse(time.RFC3339, p.At)
	return (err == nil || p.At == "" && len(p.Given) == 0) && len(p.Given) <= mostGiven && p.Offset >= 0 && p.Offset <= math.MaxInt32 && p.Number >= 0 && p.Number <= maxPasses
}

// first tells whether it is the beginning of a pass.
func (p *position) first() bool { return p.At == "" && p.Offset == 0 }

// saw notes a page of the pass.
func (p *pass) saw(response *vendorhttp.Response, records []contact) {
	if p.Began.IsZero() {
		p.Began = latest(dateOf(response), p.Newest)
	}
	for _, record := range records {
		if at := vendorjson.Time(record.UpdatedDate, time.RFC3339); at != nil {
			p.Newest = latest(p.Newest, *at)
		}
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// dateOf is when Wix answered, by its own clock and with a minute to spare: the
// clocks of the machine that answers and of the one that keeps the contacts may
// differ.
func dateOf(response *vendorhttp.Response) time.Time {
	at, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		at = time.Now()
	}
	return at.Add(-time.Minute).UTC()
}

// listBy lists with one of the fields for numbers.
func listBy(ctx context.Context, client *vendorhttp.Client, query sdk.ListQuery, number string) (sdk.Page[crm.Contact], error) {
	var page sdk.Page[crm.Contact]
	var at position
	if err := sdk.DecodeToken(query.PageToken, &at); err != nil {
		return page, err
	}
	if !at.valid() {
		return page, sdk.ErrPageToken
	}
	order := sdk.SortKey{Field: "created_at"}
	if len(query.Sort) > 0 {
		order = query.Sort[0]
	}
	direction, notBefore := "ASC", "$gte"
	if order.Descending {
		direction, notBefore = "DESC", "$lte"
	}
	filter := filterOf(query.Filters, number)
	if !at.Since.IsZero() {
		filter.Object(timeFields["updated_at"], "").Set("$gte", "", stamp(at.Since))
	}
	if at.At != "" {
		filter.Object(timeFields["created_at"], "").Set(notBefore, "", at.At)
	}
	limit := min(query.PageSize+len(at.Given), pageCap)
	body := querying(filter, limit, at.Offset, "FULL")
	body.Object("query", "").Set("sort", "", []map[string]string{{"fieldName": sortFields[order.Field], "order": direction}})
	if text, ok := query.Filters.Text("search"); ok {
		body.Set("search", "", text)
	}
	response, err := client.Main(ctx, queryRequest(body))
	if err != nil {
		return page, err
	}
	records, paging, err := listIn(response, limit)
	if err != nil {
		return page, err
	}
	span := query.Filters.Range("updated_at")
	if span.From != nil {
		at.saw(response, records)
	}
	read := 0
	for ; read < len(records) && len(page.Records) < query.PageSize; read++ {
		if record := records[read]; !slices.Contains(at.Given, record.ID.String()) {
			page.Records = append(page.Records, record.unified())
		}
	}
	switch {
	case read < len(records) || paging.more(at.Offset+len(records), len(records), limit):
		next := at
		next.Offset += read
		if order.Field == "created_at" {
			next = at.behind(records[:read])
		}
		page.Next = sdk.EncodeToken(next)
	case at.first(), span.From == nil, span.To != nil && span.To.Before(at.Began):
		// One page is read at one moment, and into a span that is past nobody comes.
	case at.Number == maxPasses:
		return page, errs.New(errs.Conflict, "the list changes faster than it is read; ask for larger pages, or wait")
	default:
		page.Next = sdk.EncodeToken(position{pass: pass{Number: at.Number + 1, Since: at.Began, Newest: at.Newest}})
	}
	return page, nil
}

// behind is the position behind contacts that were read from this one on, in
// the order of their creation.
func (p position) behind(records []contact) position {
	next := position{At: records[len(records)-1].made(), pass: p.pass}
	if next.At == p.At {
		next.Given = slices.Clone(p.Given)
	}
	for _, record := range records {
		if id := record.ID.String(); record.made() == next.At && !slices.Contains(next.Given, id) {
			next.Given = append(next.Given, id)
		}
	}
	switch {
	case next.At == "", next.At == p.At && (p.Offset > 0 || len(next.Given) > mostGiven): // no time to go by, or none but the one before
		next.At, next.Given, next.Offset = p.At, nil, p.Offset+len(records)
	case len(next.Given) > mostGiven:
		next.Offset, next.Given = len(next.Given), nil
	}
	return next
}

// made is when a contact was made, in Wix's own words; "" when it does not say.
func (c contact) made() string {
	if vendorjson.Time(c.CreatedDate, time.RFC3339) == nil {
		return ""
	}
	return c.CreatedDate.String()
}

// filterOf gives Wix's filter. Instants are cut to the milliseconds that Wix
// has; the SDK looks at them once more.
func filterOf(filters sdk.Filters, number string) *vendorjson.Body {
	filter := &vendorjson.Body{}
	for _, f := range filters {
		switch field := filterFields[f.Field]; {
		case f.Field == "phone_numbers.number":
			filter.Object(number, f.Field).Set("$eq", "", f.Value)
		case field != "":
			filter.Object(field, f.Field).Set("$eq", "", f.Value)
		case timeFields[f.Field] != "":
			span, object := filters.Range(f.Field), filter.Object(timeFields[f.Field], f.Field)
			if span.From != nil {
				object.Set("$gte", "", stamp(*span.From))
			}
			if span.To != nil {
				object.Set("$lte", "", stamp(*span.To))
			}
		}
	}
	return filter
}

// stamp is an instant as Wix writes it.
func stamp(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

// querying makes the body of contacts/query. No filter at all is left out.
func querying(filter *vendorjson.Body, limit, offset int, fieldset string) *vendorjson.Body {
	body := &vendorjson.Body{}
	query := body.Object("query", "")
	if !filter.Empty() {
		query.Set("filter", "", filter)
	}
	query.Set("paging", "", map[string]int{"limit": limit, "offset": offset})
	query.Set("fieldsets", "", []string{fieldset})
	return body
}

// queryRequest asks by contacts/query, whose parameters are in the body. Those
// that GET contacts takes in the URL would have no effect there, so they are
// refused.
func queryRequest(body *vendorjson.Body) vendorhttp.Request {
	return vendorhttp.Request{
		Method: http.MethodPost, Path: []string{"contacts", "query"}, Body: body, ReadOnly: true,
		Reserved: []string{"paging.limit", "paging.offset", "sort.fieldName", "sort.order", "fields", "fieldsets"},
	}
}

// pagingMetadata goes with a list.
type pagingMetadata struct {
	Count          vendorjson.Text `json:"count"`
	Total          vendorjson.Text `json:"total"`
	TooManyToCount vendorjson.Bool `json:"tooManyToCount"`
}

// more tells whether there are contacts after a page of some that ends at an
// offset. total decides, unless Wix could not count or counted fewer than it
// has given; then a full page does.
func (m pagingMetadata) more(end, got, limit int) bool {
	if total, err := strconv.Atoi(m.Total.String()); err == nil && !bool(m.TooManyToCount) && total >= end {
		return got > 0 && total > end
	}
	return got == limit
}

// listIn reads a list of so many contacts at most. Since Wix leaves out what is
// empty, a list without contacts may have none, but then its pagingMetadata
// must say so.
func listIn(response *vendorhttp.Response, limit int) ([]contact, pagingMetadata, error) {
	var paging pagingMetadata
	var body struct {
		Contacts       []json.RawMessage `json:"contacts"`
		PagingMetadata json.RawMessage   `json:"pagingMetadata"`
	}
	if err := response.Decode(&body); err != nil {
		return nil, paging, err
	}
	_ = json.Unmarshal(body.PagingMetadata, &paging) // absent, or not an object: paging goes on without
	if count := paging.Count.String(); body.Contacts == nil && (vendorjson.Object(body.PagingMetadata) == nil || count != "" && count != "0") {
		return nil, paging, response.Error(errs.UnexpectedVendorAnswer, "Wix answered a list without contacts")
	}
	if len(body.Contacts) > limit {
		return nil, paging, response.Error(errs.UnexpectedVendorAnswer, "Wix answered %d contacts where %d were asked for", len(body.Contacts), limit)
	}
	var records []contact
	for _, raw := range body.Contacts {
		record, err := contactFrom(raw)
		if err != nil {
			return nil, paging, response.Error(errs.UnexpectedVendorAnswer, "Wix answered a list with an item that is not a contact")
		}
		records = append(records, record)
	}
	return records, paging, nil
}

// findByEmail gives the contacts that have an address, be it the primary one or
// another.
func findByEmail(ctx context.Context, call *sdk.Call, email string) ([]string, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	const enough = 10
	filter := filterOf(sdk.Filters{{Field: "email_addresses.email", Operator: sdk.Equal, Value: email}}, "")
	response, err := client.Side(ctx, queryRequest(querying(filter, enough, 0, "COMMUNICATION_DETAILS")))
	if err != nil {
		return nil, err
	}
	records, _, err := listIn(response, enough)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, record := range records {
		if !record.hasEmail(email) {
			return nil, response.Error(errs.UnexpectedVendorAnswer, "Wix answered a search for an address with a contact that does not have it")
		}
		ids = append(ids, record.ID.String())
	}
	return ids, nil
}

func (c contact) hasEmail(address string) bool {
	for _, item := range c.Info.Emails.Items {
		if strings.EqualFold(item.Email.String(), address) {
			return true
		}
	}
	return false
}
