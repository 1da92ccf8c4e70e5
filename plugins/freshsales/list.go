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

// lookupFields are the fields of a lookup, each asked for by itself. Clients
// ask for a number in both.
var lookupFields = map[string][]string{
	"email_addresses.email": {"email"},
	"phone_numbers.number":  {"mobile_number", "phone"},
}

// sortParams are Freshsales' names of the sort keys. It knows last_contacted
// too, which is not all that last_activity_at is made of.
var sortParams = map[string]string{"id": "id", "created_at": "created_at", "updated_at": "updated_at"}

// mostReads is how many contacts a page of found ones holds, since each costs
// a call.
const mostReads = 25

// position is where the next page begins: Freshsales counts pages of one size.
type position struct {
	Page int `json:"page"`
	Size int `json:"size"`
}

// listContacts lists contacts. A view takes an order but no filter, so spans of
// time are walked from the newest; what is looked up or searched for is read
// one by one, since it comes without owner and account, or in part.
func listContacts(ctx context.Context, call *sdk.Call, query sdk.ListQuery) (sdk.Page[crm.Contact], error) {
	client, err := newClient(call)
	if err != nil {
		return sdk.Page[crm.Contact]{}, err
	}
	if len(query.Sort) > 1 {
		return sdk.Page[crm.Contact]{}, sdk.Unsupported("Freshsales orders by one key at a time", "sort_by")
	}
	for _, field := range []string{"search", "email_addresses.email", "phone_numbers.number"} {
		if value, ok := query.Filters.Text(field); ok {
			return listFound(ctx, client, query, field, value)
		}
	}
	name := allContactsName
	if query.Filters.Deleted() {
		name = recycleBinName
	}
	return listView(ctx, call, client, query, name)
}

// listView lists a view; only the bin holds deleted contacts.
func listView(ctx context.Context, call *sdk.Call, client *vendorhttp.Client, query sdk.ListQuery, name string) (sdk.Page[crm.Contact], error) {
	fetch := func(request vendorhttp.Request, page, size int) ([]crm.Contact, bool, error) {
		records, more, err := readPage(ctx, call, client, client.Main, name, request, position{Page: page, Size: size})
		var contacts []crm.Contact
		for i := range records {
			if name == recycleBinName || !bool(records[i].IsDeleted) {
				contacts = append(contacts, records[i].unified())
			}
		}
		return contacts, more, err
	}
	for _, field := range []string{"updated_at", "created_at"} {
		if span := query.Filters.Range(field); span.Bounded() {
			return walk(query, field, span, fetch)
		}
	}
	at := position{Page: 1, Size: query.PageSize}
	if err := sdk.DecodeToken(query.PageToken, &at); err != nil {
		return sdk.Page[crm.Contact]{}, err
	}
	if at.Page < 1 || at.Size < 1 || at.Size > query.PageSize {
		return sdk.Page[crm.Contact]{}, sdk.ErrPageToken
	}
	request := vendorhttp.Request{Query: []vendorhttp.Param{include}}
	if len(query.Sort) == 0 {
		request.Query = append(sorted(sdk.SortKey{Field: "id"}), include)
	} else {
		request.Fixed = sorted(query.Sort[0])
	}
	records, more, err := fetch(request, at.Page, at.Size)
	page := sdk.Page[crm.Contact]{Records: records}
	if err == nil && more {
		page.Next = sdk.EncodeToken(position{Page: at.Page + 1, Size: at.Size})
	}
	return page, err
}

func sorted(key sdk.SortKey) []vendorhttp.Param {
	direction := "asc"
	if key.Descending {
		direction = "desc"
	}
	return []vendorhttp.Param{{Name: "sort", Value: sortParams[key.Field]}, {Name: "sort_type", Value: direction}}
}

// walk lists a span of time, newest first, which is the only order that it can
// be had in.
func walk(query sdk.ListQuery, field string, span sdk.Range, fetch func(vendorhttp.Request, int, int) ([]crm.Contact, bool, error)) (sdk.Page[crm.Contact], error) {
	newest := sdk.SortKey{Field: field, Descending: true}
	if len(query.Sort) > 0 && query.Sort[0] != newest {
		return sdk.Page[crm.Contact]{}, sdk.Unsupported("with a span of "+field+" Freshsales can only order by it, newest first", "sort_by")
	}
	stamp := func(c *crm.Contact) *time.Time {
		if field == "created_at" {
			return c.CreatedAt
		}
		return c.UpdatedAt
	}
	request := vendorhttp.Request{Query: []vendorhttp.Param{include}, Fixed: sorted(newest)}
	return sdk.NewestFirst[crm.Contact]{
		Stamp: stamp,
		Fixed: field == "created_at",
		Fetch: func(page, size int) ([]crm.Contact, bool, error) {
			records, more, err := fetch(request, page, size)
			for i := 1; i < len(records); i++ {
				// Where the order does not hold, the walk would end too soon.
				if before, at := stamp(&records[i-1]), stamp(&records[i]); before != nil && at != nil && at.After(*before) {
					return nil, false, errs.New(errs.UnexpectedVendorAnswer, "Freshsales did not order its contacts by %s, so a span of it cannot be listed", field)
				}
			}
			return records, more, err
		},
	}.Page(query, span)
}

// isLast tells whether the list ends with a page of so many items. total_pages
// can be 0 or missing; then a page that is not full is the last one.
func isLast(at position, items int, rawMeta json.RawMessage) bool {
	var meta struct {
		TotalPages vendorjson.Text `json:"total_pages"`
	}
	_ = json.Unmarshal(rawMeta, &meta) // anything but an object says nothing
	if total, err := strconv.Atoi(meta.TotalPages.String()); err == nil && total > 0 {
		return items == 0 || at.Page >= total
	}
	return items < at.Size
}

// contactsIn reads a page of a view and tells whether another one follows.
func contactsIn(response *vendorhttp.Response, at position) (records []contact, more bool, _ error) {
	var body struct {
		Contacts []json.RawMessage `json:"contacts"`
		Meta     json.RawMessage   `json:"meta"`
	}
	if err := response.Decode(&body); err != nil {
		return nil, false, err
	}
	if body.Contacts == nil {
		return nil, false, unexpected(response, "a list of contacts")
	}
	if len(body.Contacts) > at.Size {
		return nil, false, response.Error(errs.UnexpectedVendorAnswer, "Freshsales answered %d contacts to a request for %d", len(body.Contacts), at.Size)
	}
	for _, item := range body.Contacts {
		record, err := envelope{Contact: item}.contact()
		if err != nil {
			return nil, false, response.Error(errs.UnexpectedVendorAnswer, "Freshsales answered a list with an item that is not a contact")
		}
		records = append(records, record)
	}
	return records, !isLast(at, len(body.Contacts), body.Meta), nil
}

// listFound lists what a lookup or a search finds. The other filters are held
// against the contacts themselves, where these tell.
func listFound(ctx context.Context, client *vendorhttp.Client, query sdk.ListQuery, field, value string) (sdk.Page[crm.Contact], error) {
	var page sdk.Page[crm.Contact]
	switch {
	case len(query.Sort) > 0:
		return page, sdk.Unsupported("Freshsales gives what it looks for in no order", "sort_by", field)
	case query.Filters.Deleted():
		return page, sdk.Unsupported("Freshsales does not look for deleted contacts", "is_deleted", field)
	}
	at := struct {
		Skip int `json:"skip"`
	}{}
	if err := sdk.DecodeToken(query.PageToken, &at); err != nil {
		return page, err
	}
	if at.Skip < 0 || at.Skip > 1_000_000 {
		return page, sdk.ErrPageToken
	}
	found, err := find(ctx, client.Main, field, value)
	if err != nil {
		return page, err
	}
	end := min(at.Skip+min(query.PageSize, mostReads), len(found))
	for _, id := range found[min(at.Skip, end):end] {
		record, err := read(ctx, client.Side, id)
		if errs.Is(err, errs.RecordNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			return page, err
		}
		if unified := record.unified(); fits(&unified, query.Filters) {
			page.Records = append(page.Records, unified)
		}
	}
	if end < len(found) {
		at.Skip = end
		page.Next = sdk.EncodeToken(at)
	}
	return page, nil
}

// fits tells whether a contact has the address and the number that are asked
// for; a number whatever signs it is written with.
func fits(c *crm.Contact, filters sdk.Filters) bool {
	if email, ok := filters.Text("email_addresses.email"); ok && !slices.ContainsFunc(c.EmailAddresses, func(e crm.EmailAddress) bool { return alike(*e.Email, email) }) {
		return false
	}
	number, ok := filters.Text("phone_numbers.number")
	return !ok || slices.ContainsFunc(c.PhoneNumbers, func(n crm.PhoneNumber) bool {
		return *n.Number == number || digits(*n.Number) != "" && digits(*n.Number) == digits(number)
	})
}

func digits(number string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, number)
}

// find gives the ids of the contacts that a lookup or a search finds.
func find(ctx context.Context, send sender, field, value string) ([]string, error) {
	if field == "search" {
		return search(ctx, send, value)
	}
	var found []string
	for _, name := range lookupFields[field] {
		records, err := lookup(ctx, send, name, value)
		if err != nil {
			return nil, err
		}
		for i := range records {
			if id := records[i].ID.String(); !slices.Contains(found, id) {
				found = append(found, id)
			}
		}
	}
	return found, nil
}

// lookup finds contacts by the exact value of a field. Its answer is nested
// twice: {"contacts":{"contacts":[…]}}.
func lookup(ctx context.Context, send sender, field, value string) ([]contact, error) {
	request := get("lookup")
	request.Fixed = []vendorhttp.Param{{Name: "q", Value: value}, {Name: "f", Value: field}, {Name: "entities", Value: "contact"}}
	response, err := send(ctx, request)
	if err != nil {
		return nil, err
	}
	var body struct {
		Contacts struct {
			Contacts []json.RawMessage `json:"contacts"`
		} `json:"contacts"`
	}
	if err := response.Decode(&body); err != nil {
		return nil, err
	}
	if body.Contacts.Contacts == nil {
		return nil, unexpected(response, "a list of contacts")
	}
	var records []contact
	for _, item := range body.Contacts.Contacts {
		record, err := envelope{Contact: item}.contact()
		if err != nil {
			return nil, response.Error(errs.UnexpectedVendorAnswer, "Freshsales answered a lookup with an item that is not a contact")
		}
		if !record.IsDeleted {
			records = append(records, record)
		}
	}
	return records, nil
}

// search finds contacts by what is like a text. Its answer is a bare list, with
// ids that are texts.
func search(ctx context.Context, send sender, text string) ([]string, error) {
	request := get("search")
	request.Fixed = []vendorhttp.Param{{Name: "q", Value: text}, {Name: "include", Value: "contact"}}
	response, err := send(ctx, request)
	if err != nil {
		return nil, err
	}
	var hits []struct {
		ID   vendorjson.Text `json:"id"`
		Type vendorjson.Text `json:"type"`
	}
	if err := response.Decode(&hits); err != nil {
		if refused := refusal(response); refused != nil {
			return nil, refused
		}
		return nil, err
	}
	if hits == nil {
		return nil, unexpected(response, "a list of hits")
	}
	var found []string
	for _, hit := range hits {
		if id := hit.ID.String(); hit.Type.String() == "contact" && idForm.MatchString(id) && !slices.Contains(found, id) {
			found = append(found, id)
		}
	}
	return found, nil
}

// findByEmail gives the contacts that have exactly this address.
func findByEmail(ctx context.Context, call *sdk.Call, email string) ([]string, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	records, err := lookup(ctx, client.Side, "email", email)
	if err != nil {
		return nil, err
	}
	var found []string
	for i := range records {
		unified := records[i].unified()
		if !fits(&unified, sdk.Filters{{Field: "email_addresses.email", Operator: sdk.Equal, Value: email}}) {
			return nil, errs.New(errs.UnexpectedVendorAnswer, "Freshsales answered a search for an address with another contact, %s", records[i].ID)
		}
		found = append(found, *unified.ID)
	}
	return found, nil
}
