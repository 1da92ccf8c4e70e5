package main

import (
	"context"
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

const (
	// maxTop is the most records that the vendor gives at once.
	maxTop = 500
	// maxPasses bounds how often a walk looks once more for what changed.
	maxPasses = 10
	// maxReturns bounds how often a walk goes back where there is no order to find
	// its place by.
	maxReturns = 20
	// clockSlack is how far the clock of an answer may be ahead of the one that
	// stamps records.
	clockSlack = 10 * time.Second
)

// filterFields are Insightly's fields for the filters by equality. A number can
// be in any of six, which cannot be asked for together.
var filterFields = map[string][]string{
	"first_name":            {"FIRST_NAME"},
	"last_name":             {"LAST_NAME"},
	"email_addresses.email": {"EMAIL_ADDRESS"},
	"phone_numbers.number":  {"PHONE", "PHONE_HOME", "PHONE_MOBILE", "PHONE_OTHER", "PHONE_ASSISTANT", "PHONE_FAX"},
}

// position is where the next page begins. There is no cursor, only a count of
// records to skip, which means others as soon as one before them is deleted.
type position struct {
	Skip int `json:"skip"`
	// Last is the record that was given last: the page begins behind it.
	Last string `json:"last,omitempty"`
	// Since is what a pass after the first asks for in place of the filter.
	Since *time.Time `json:"since,omitempty"`
	// Mark is when this pass began, by the vendor's clock, where another pass
	// may follow.
	Mark    *time.Time `json:"mark,omitempty"`
	Pass    int        `json:"pass,omitempty"`
	Returns int        `json:"returns,omitempty"`
}

func (p position) sound() bool {
	return p.Skip >= 0 && p.Skip <= math.MaxInt32 && // the vendor counts in 32 bits
		(p.Last == "" || p.Skip > 0) && (p.Pass > 0) == (p.Since != nil) && p.Pass >= 0 && p.Pass <= maxPasses && p.Returns >= 0
}

// listContacts lists contacts. Insightly searches by one field at a time, and
// by "updated since" beside it; it takes no order.
func listContacts(ctx context.Context, call *sdk.Call, query sdk.ListQuery) (sdk.Page[crm.Contact], error) {
	client, err := newClient(call)
	if err != nil {
		return sdk.Page[crm.Contact]{}, err
	}
	texts := query.Filters.Others("updated_at")
	if len(texts) > 1 {
		return sdk.Page[crm.Contact]{}, sdk.Unsupported("Insightly searches by one field at a time", texts[1:]...)
	}
	fields := []string{""}
	if len(texts) == 1 {
		fields = filterFields[texts[0]]
	}
	var page sdk.Page[crm.Contact]
	if len(fields) > 1 {
		page, err = sdk.Stages(query, len(fields), func(stage int, query sdk.ListQuery) (sdk.Page[crm.Contact], error) {
			return listBy(ctx, client, query, fields[stage])
		})
	} else {
		page, err = listBy(ctx, client, query, fields[0])
	}
	if err != nil {
		return page, err
	}
	nameAccounts(ctx, call, client, page.Records)
	return page, nil
}

// listBy gives a page of the contacts that have the value in a field, or of
// all where that is "". It asks for the record before the page as well, and
// goes back when that stands elsewhere, so that nobody is passed over for a
// deletion. A record can come twice.
func listBy(ctx context.Context, client *vendorhttp.Client, query sdk.ListQuery, field string) (page sdk.Page[crm.Contact], _ error) {
	var at position
	if err := sdk.DecodeToken(query.PageToken, &at); err != nil {
		return page, err
	}
	if !at.sound() {
		return page, sdk.ErrPageToken
	}
	span := query.Filters.Range("updated_at")
	since := span.From
	if at.Since != nil {
		since = at.Since
	}
	request := search(query.Filters, field, since)
	skip, top := at.Skip, query.PageSize
	overlap := at.Last != "" && at.Returns < maxReturns
	if overlap {
		skip, top = skip-1, min(top+1, maxTop)
	}
	records, answered, err := fetch(ctx, client, request, skip, top)
	begin := 0
	for step := query.PageSize; overlap && err == nil; step *= 2 {
		var found bool
		if begin, found = resume(records, at.Last); found || skip == 0 {
			break
		}
		skip = max(0, skip-step)
		records, _, err = fetch(ctx, client, request, skip, top)
	}
	if err != nil {
		return page, err
	}
	if overlap && skip < at.Skip-1 && !ascending(records) {
		at.Returns++
	}
	if at.Mark == nil && span.From != nil {
		at.Mark = new(answered.Add(-clockSlack).UTC())
	}
	page.Records = records[begin:min(len(records), begin+query.PageSize)]
	page.Next = at.next(span, skip+begin, page.Records, len(records) >= top || begin+len(page.Records) < len(records))
	return page, nil
}

// next is the token of what comes after the records at a place.
func (p position) next(span sdk.Range, skip int, records []crm.Contact, more bool) string {
	paged := p.Last != ""
	if p.Skip = skip + len(records); len(records) > 0 {
		p.Last = *records[len(records)-1].ID
	}
	switch {
	case more:
		return sdk.EncodeToken(p)
	case !paged, span.From == nil, p.Mark == nil, p.Pass == maxPasses, span.To != nil && span.To.Before(*p.Mark):
		return "" // one page is of one moment; and where all are listed, nobody comes in by a change
	}
	// Who changed in the meantime may have come in before the place that the
	// walk had got to. So it looks at those once more.
	again := position{Since: p.Mark, Pass: p.Pass + 1}
	if p.Pass == 0 && p.Mark.Before(*span.From) {
		again.Since = span.From // later than the clock says it is
	} else if p.Pass > 0 && !p.Mark.After(*p.Since) {
		return "" // no time has passed
	}
	return sdk.EncodeToken(again)
}

// resume finds where a page goes on behind the record that was given last. That
// one may be gone; ids were seen to ascend, and where they do its place is known
// all the same.
func resume(records []crm.Contact, last string) (begin int, found bool) {
	if i := slices.IndexFunc(records, func(c crm.Contact) bool { return *c.ID == last }); i >= 0 {
		return i + 1, true
	}
	if !ascending(records) {
		return 0, false
	}
	begin = slices.IndexFunc(records, func(c crm.Contact) bool { return byID(*c.ID, last) > 0 })
	if begin < 0 {
		begin = len(records)
	}
	return begin, begin > 0
}

func ascending(records []crm.Contact) bool {
	return slices.IsSortedFunc(records, func(a, b crm.Contact) int { return byID(*a.ID, *b.ID) })
}

// byID compares two whole numbers.
func byID(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// search asks for the contacts that have the filter's value in a field and were
// updated since. The plain list knows neither and would ignore both.
func search(filters sdk.Filters, field string, since *time.Time) vendorhttp.Request {
	request := get("Contacts")
	request.Query = []vendorhttp.Param{{Name: "brief", Value: "false"}}
	request.Reserved = []string{"field_name", "field_value", "updated_after_utc"}
	for _, f := range filters {
		if field != "" && f.Field != "updated_at" {
			request.Fixed = append(request.Fixed, vendorhttp.Param{Name: "field_name", Value: field}, vendorhttp.Param{Name: "field_value", Value: f.Value})
		}
	}
	if since != nil && since.Unix() > 0 {
		// It is exclusive, to the second.
		after := since.UTC().Truncate(time.Second).Add(-time.Second)
		request.Fixed = append(request.Fixed, vendorhttp.Param{Name: "updated_after_utc", Value: after.Format(time.RFC3339)})
	}
	if len(request.Fixed) > 0 {
		request.Path = append(request.Path, "Search")
	}
	return request
}

// fetch reads a page of contacts, and when it was answered.
func fetch(ctx context.Context, client *vendorhttp.Client, request vendorhttp.Request, skip, top int) (records []crm.Contact, answered time.Time, _ error) {
	request.Fixed = append(request.Fixed[:len(request.Fixed):len(request.Fixed)],
		vendorhttp.Param{Name: "skip", Value: strconv.Itoa(skip)}, vendorhttp.Param{Name: "top", Value: strconv.Itoa(top)})
	response, err := client.Main(ctx, request)
	if err != nil {
		return nil, answered, err
	}
	var items []json.RawMessage
	if err := response.Decode(&items); err != nil {
		return nil, answered, err
	}
	if items == nil {
		return nil, answered, response.Error(errs.UnexpectedVendorAnswer, "Insightly answered without a list")
	}
	for _, item := range items {
		record, err := contactIn(item)
		if err != nil {
			return nil, answered, response.Error(errs.UnexpectedVendorAnswer, "Insightly answered a list with an item that is not a contact")
		}
		records = append(records, record.unified(item))
	}
	if answered, err = http.ParseTime(response.Header.Get("Date")); err != nil {
		answered = time.Now()
	}
	return records, answered, nil
}

// findByEmail gives the contacts who have this address. Whether the search
// minds the case of letters is not known.
func findByEmail(ctx context.Context, call *sdk.Call, email string) ([]string, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	request := get("Contacts", "Search")
	request.Fixed = []vendorhttp.Param{{Name: "field_name", Value: "EMAIL_ADDRESS"}, {Name: "field_value", Value: email}, {Name: "brief", Value: "true"}, {Name: "top", Value: "10"}}
	response, err := client.Side(ctx, request)
	if err != nil {
		return nil, err
	}
	var items []json.RawMessage
	if err := response.Decode(&items); err != nil {
		return nil, err
	}
	if items == nil {
		return nil, response.Error(errs.UnexpectedVendorAnswer, "Insightly answered without a list")
	}
	var ids []string
	for _, item := range items {
		record, err := contactIn(item)
		if err != nil || !strings.EqualFold(record.Email.String(), email) {
			return nil, response.Error(errs.UnexpectedVendorAnswer, "Insightly answered a search for an address with another record")
		}
		ids = append(ids, record.ID.String())
	}
	return ids, nil
}
