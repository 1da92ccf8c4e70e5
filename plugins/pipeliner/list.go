package main

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

// filterParams are Pipeliner's fields for the filters by equality. An address
// or a number can be in one of five, which cannot be asked for together. A
// letter's case makes no difference to an address.
var filterParams = map[string]struct {
	fields   []string
	operator string
}{
	"first_name":            {[]string{"first_name"}, "eq"},
	"last_name":             {[]string{"last_name"}, "eq"},
	"email_addresses.email": {keysOf(emailSlots), "ieq"},
	"phone_numbers.number":  {keysOf(phoneSlots), "eq"},
}

// sortParams are Pipeliner's names of the sort keys.
var sortParams = map[string]string{
	"id": "id", "first_name": "first_name", "last_name": "last_name", "created_at": "created", "updated_at": "modified",
}

// position is where the next page begins: after a cursor of the vendor's. A
// cursor does not depend on the page size, so each page has its own.
type position struct {
	After string `json:"after"`
}

// listContacts lists contacts. An address or a number is looked for in one of
// its five fields after the other.
func listContacts(ctx context.Context, call *sdk.Call, query sdk.ListQuery) (sdk.Page[crm.Contact], error) {
	client, err := newClient(call)
	if err != nil {
		return sdk.Page[crm.Contact]{}, err
	}
	var slots []string
	for _, f := range query.Filters {
		if fields := filterParams[f.Field].fields; len(fields) > 1 {
			if slots != nil {
				return sdk.Page[crm.Contact]{}, sdk.Unsupported("Pipeliner can be asked for an e-mail address or for a number, each in one of five fields at a time", "phone_numbers.number")
			}
			slots = fields
		}
	}
	if slots == nil {
		return listBy(ctx, call, client, query, "")
	}
	return sdk.Stages(query, len(slots), func(stage int, query sdk.ListQuery) (sdk.Page[crm.Contact], error) {
		return listBy(ctx, call, client, query, slots[stage])
	})
}

// listBy lists with one of the fields for addresses or numbers.
func listBy(ctx context.Context, call *sdk.Call, client *vendorhttp.Client, query sdk.ListQuery, slot string) (sdk.Page[crm.Contact], error) {
	var page sdk.Page[crm.Contact]
	var at position
	if err := sdk.DecodeToken(query.PageToken, &at); err != nil {
		return page, err
	}
	if query.PageToken != "" && at.After == "" {
		return page, sdk.ErrPageToken
	}
	request := get("Contacts")
	for _, f := range query.Filters {
		if by := filterParams[f.Field]; len(by.fields) == 1 {
			request.Fixed = append(request.Fixed, filter(by.fields[0], by.operator, f.Value)...)
		} else if len(by.fields) > 1 {
			request.Fixed = append(request.Fixed, filter(slot, by.operator, f.Value)...)
		}
	}
	var end *time.Time // of a list that is ordered by ended
	var ended string
	for _, field := range []string{"created_at", "updated_at"} {
		if span := query.Filters.Range(field); span.Bounded() {
			request.Fixed = append(request.Fixed, within(sortParams[field], span)...)
			end, ended = span.To, field
		}
	}
	switch {
	case len(query.Sort) > 0:
		if query.Filters.Has("updated_at") && movesBack(query.Sort) {
			return page, sdk.Unsupported("a list of what changed that is not in the order of the changes passes over who changes meanwhile", "sort_by")
		}
		request.Fixed = append(request.Fixed, vendorhttp.Param{Name: "order-by", Value: sortParam(query.Sort)})
		end = nil
	case ended != "":
		request.Fixed = append(request.Fixed, vendorhttp.Param{Name: "order-by", Value: sortParams[ended]})
	default: // cursors hold the sorted value and the id, so equal times do no harm
		request.Query = []vendorhttp.Param{{Name: "order-by", Value: "created"}}
	}
	records, next, err := fetch(ctx, call, client, request, query, at.After)
	if err != nil {
		return page, err
	}
	for i := range records {
		page.Records = append(page.Records, records[i].unified())
	}
	if n := len(page.Records); next != "" && (end == nil || n == 0 || !past(&page.Records[n-1], ended, *end)) {
		page.Next = sdk.EncodeToken(position{After: next})
	}
	return page, nil
}

// within asks for a span of time, by the one operator that a field can have.
// How "between" takes its two values is not documented; the other end is the
// SDK's to look after. Whole seconds are enough, and understood.
func within(field string, span sdk.Range) []vendorhttp.Param {
	const layout = "2006-01-02 15:04:05+00:00"
	if span.From != nil {
		return filter(field, "gte", span.From.UTC().Format(layout))
	}
	return filter(field, "lte", span.To.UTC().Add(time.Second).Format(layout))
}

// movesBack tells whether a change can move a contact to a place in the list
// that has been passed already. Ascending changes move to the end.
func movesBack(keys []sdk.SortKey) bool {
	for _, key := range keys {
		switch key.Field {
		case "updated_at":
			return key.Descending
		case "id", "created_at":
		default:
			return true
		}
	}
	return false
}

// past tells whether a record's instant is after the end of what is wanted.
func past(record *crm.Contact, field string, end time.Time) bool {
	stamp := record.UpdatedAt
	if field == "created_at" {
		stamp = record.CreatedAt
	}
	return stamp != nil && stamp.After(end)
}

func sortParam(keys []sdk.SortKey) string {
	var names []string
	for _, key := range keys {
		name := sortParams[key.Field]
		if key.Descending {
			name = "-" + name
		}
		names = append(names, name)
	}
	return strings.Join(names, ",")
}

// fetch reads a page of contacts; next is the cursor of the page after it.
func fetch(ctx context.Context, call *sdk.Call, client *vendorhttp.Client, request vendorhttp.Request, query sdk.ListQuery, after string) (records []contact, next string, _ error) {
	request.Fixed = append(request.Fixed, vendorhttp.Param{Name: "first", Value: strconv.Itoa(query.PageSize)})
	request.Reserved = []string{"after", "last", "before"} // the other ways through the pages
	if after != "" {
		request.Fixed = append(request.Fixed, vendorhttp.Param{Name: "after", Value: after})
	}
	deleted := query.Filters.Deleted()
	response, err := askListed(ctx, call, client, request, deleted)
	if err != nil {
		return nil, "", aboutSpace(err)
	}
	items, next, err := pageOf(response, query.PageSize, after)
	if err != nil {
		return nil, "", err
	}
	unnamed := false
	for _, item := range items {
		record, err := envelope{Data: item}.contact()
		if err != nil {
			return nil, "", response.Error(errs.UnexpectedVendorAnswer, "Pipeliner answered a list with an item that is not a contact")
		}
		if deleted && !bool(record.IsDeleted) {
			continue
		}
		unnamed = unnamed || record.unnamed()
		records = append(records, record)
	}
	if unnamed {
		call.Partial("names of accounts and tags", errNotExpanded)
	}
	return records, next, nil
}

// askListed asks for a page, of the deleted contacts alone where these are
// wanted. That a list can be filtered by is_deleted is not documented in so many
// words: when the vendor calls a parameter invalid, it is asked for all.
func askListed(ctx context.Context, call *sdk.Call, client *vendorhttp.Client, request vendorhttp.Request, deleted bool) (*vendorhttp.Response, error) {
	if !deleted {
		return askExpanded(ctx, call, client.Main, request, expanded)
	}
	request.Fixed = append(slices.Clone(request.Fixed), vendorhttp.Param{Name: "include-deleted", Value: "true"})
	alone := request
	alone.Fixed = slices.Concat(request.Fixed, filter("is_deleted", "eq", "true"))
	response, err := askExpanded(ctx, call, client.Main, alone, expanded)
	if refusal(err, "117", "ERROR_PARAMETER_INVALID") == nil {
		return response, err
	}
	return askExpanded(ctx, call, client.Main, request, expanded)
}

// findByEmail gives the contacts who have the address in one of their five
// fields, whatever its letters' case.
func findByEmail(ctx context.Context, call *sdk.Call, email string) ([]string, error) {
	const most = 10 // of each field; two are too many already
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	var ids []string
	var notSent error
	for _, slot := range emailSlots {
		request := get("Contacts")
		request.Fixed = append(filter(slot.Key, "ieq", email), vendorhttp.Param{Name: "first", Value: strconv.Itoa(most)})
		response, err := ask(ctx, client.Side, request)
		if errors.Is(err, vendorhttp.ErrNotSent) {
			notSent = err
			continue
		}
		if err != nil {
			return nil, aboutSpace(err)
		}
		items, _, err := pageOf(response, most, "")
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			record, err := envelope{Data: item}.contact()
			if err != nil || !slices.ContainsFunc(record.emails(), func(has string) bool { return strings.EqualFold(has, email) }) {
				return nil, response.Error(errs.UnexpectedVendorAnswer, "Pipeliner answered a search for an address with another record")
			}
			if id := record.ID.String(); !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids, notSent
}
