package main

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// filterParams are Sell's parameters for the filters by equality. A number can
// be in one of two fields, which cannot be asked for together.
var filterParams = map[string][]string{
	"first_name":            {"first_name"},
	"last_name":             {"last_name"},
	"name":                  {"name"},
	"email_addresses.email": {"email"},
	"phone_numbers.number":  {"phone", "mobile"},
}

// sortParams are Sell's names of the sort keys.
var sortParams = map[string]string{
	"id": "id", "first_name": "first_name", "last_name": "last_name", "name": "name", "created_at": "created_at", "updated_at": "updated_at",
}

// position is where the next page begins: Sell counts pages of one size.
type position struct {
	Page int `json:"page"`
	Size int `json:"size"`
}

// listContacts lists persons. Sell filters by equality alone and knows no
// "updated since", so spans of time are walked from the newest.
func listContacts(ctx context.Context, call *sdk.Call, query sdk.ListQuery) (sdk.Page[crm.Contact], error) {
	client, err := newClient(call)
	if err != nil {
		return sdk.Page[crm.Contact]{}, err
	}
	if len(query.Sort) > 1 {
		return sdk.Page[crm.Contact]{}, sdk.Unsupported("Zendesk Sell orders by one key at a time", "sort_by")
	}
	var page sdk.Page[crm.Contact]
	numbers := filterParams["phone_numbers.number"]
	if _, ok := query.Filters.Text("phone_numbers.number"); ok {
		page, err = sdk.Stages(query, len(numbers), func(stage int, query sdk.ListQuery) (sdk.Page[crm.Contact], error) {
			return listBy(ctx, client, query, numbers[stage])
		})
	} else {
		page, err = listBy(ctx, client, query, "")
	}
	if err != nil {
		return page, err
	}
	nameAccounts(ctx, call, client, page.Records)
	return page, nil
}

// listBy lists with one of the parameters for numbers.
func listBy(ctx context.Context, client *vendorhttp.Client, query sdk.ListQuery, number string) (sdk.Page[crm.Contact], error) {
	fixed := []vendorhttp.Param{{Name: "is_organization", Value: "false"}}
	for _, f := range query.Filters {
		if params := filterParams[f.Field]; len(params) == 1 {
			fixed = append(fixed, vendorhttp.Param{Name: params[0], Value: f.Value})
		} else if len(params) > 1 {
			fixed = append(fixed, vendorhttp.Param{Name: number, Value: f.Value})
		}
	}
	for _, field := range []string{"updated_at", "created_at"} {
		if span := query.Filters.Range(field); span.Bounded() {
			return walk(ctx, client, query, field, span, fixed)
		}
	}
	at := position{Page: 1, Size: query.PageSize}
	if err := sdk.DecodeToken(query.PageToken, &at); err != nil {
		return sdk.Page[crm.Contact]{}, err
	}
	if at.Page < 1 || at.Size < 1 || at.Size > query.PageSize {
		return sdk.Page[crm.Contact]{}, sdk.ErrPageToken
	}
	request := get("contacts")
	request.Fixed = fixed
	if len(query.Sort) == 0 {
		request.Query = []vendorhttp.Param{{Name: "sort_by", Value: "id:asc"}}
	} else {
		request.Fixed = append(request.Fixed, vendorhttp.Param{Name: "sort_by", Value: sortParam(query.Sort[0])})
	}
	records, next, err := fetch(ctx, client, request, at.Page, at.Size)
	page := sdk.Page[crm.Contact]{Records: records}
	if err == nil && next > 0 {
		page.Next = sdk.EncodeToken(position{Page: next, Size: at.Size})
	}
	return page, err
}

func sortParam(key sdk.SortKey) string {
	if key.Descending {
		return sortParams[key.Field] + ":desc"
	}
	return sortParams[key.Field] + ":asc"
}

// walk lists a span of time, newest first, which is the only order that it can
// be had in.
func walk(ctx context.Context, client *vendorhttp.Client, query sdk.ListQuery, field string, span sdk.Range, fixed []vendorhttp.Param) (sdk.Page[crm.Contact], error) {
	newest := sdk.SortKey{Field: field, Descending: true}
	if len(query.Sort) > 0 && query.Sort[0] != newest {
		return sdk.Page[crm.Contact]{}, sdk.Unsupported("with a span of "+field+" Zendesk Sell can only order by it, newest first", "sort_by")
	}
	request := get("contacts")
	request.Fixed = append(fixed, vendorhttp.Param{Name: "sort_by", Value: sortParam(newest)})
	return sdk.NewestFirst[crm.Contact]{
		Stamp: func(c *crm.Contact) *time.Time {
			if field == "created_at" {
				return c.CreatedAt
			}
			return c.UpdatedAt
		},
		Fixed: field == "created_at",
		Fetch: func(page, size int) ([]crm.Contact, bool, error) {
			records, next, err := fetch(ctx, client, request, page, size)
			return records, next > 0, err
		},
	}.Page(query, span)
}

// fetch reads a page of persons; next is the number of the page after it, zero
// for none.
func fetch(ctx context.Context, client *vendorhttp.Client, request vendorhttp.Request, page, size int) (records []crm.Contact, next int, _ error) {
	request.Fixed = append(request.Fixed[:len(request.Fixed):len(request.Fixed)],
		vendorhttp.Param{Name: "page", Value: strconv.Itoa(page)}, vendorhttp.Param{Name: "per_page", Value: strconv.Itoa(size)})
	response, err := client.Main(ctx, request)
	if err != nil {
		return nil, 0, err
	}
	var body struct {
		Items []envelope `json:"items"`
		Meta  struct {
			Links struct {
				NextPage vendorjson.Text `json:"next_page"`
			} `json:"links"`
		} `json:"meta"`
	}
	if err := response.Decode(&body); err != nil {
		return nil, 0, err
	}
	if len(body.Items) > size {
		return nil, 0, response.Error(errs.UnexpectedVendorAnswer, "Zendesk Sell gave more contacts than were asked for")
	}
	if body.Items == nil {
		return nil, 0, response.Error(errs.UnexpectedVendorAnswer, "Zendesk Sell answered a list without items")
	}
	for _, item := range body.Items {
		record, err := item.contact()
		if err != nil {
			return nil, 0, response.Error(errs.UnexpectedVendorAnswer, "Zendesk Sell answered a list with an item that is not a contact")
		}
		if !record.IsOrganization {
			records = append(records, record.unified(item))
		}
	}
	if link := body.Meta.Links.NextPage.String(); link != "" && len(body.Items) > 0 {
		var values url.Values
		if values, err = client.PageLink(link); err != nil {
			return nil, 0, err
		}
		if next, err = strconv.Atoi(values.Get("page")); err != nil || next <= page {
			return nil, 0, response.Error(errs.UnexpectedVendorAnswer, "Zendesk Sell gave a next-page link that leads nowhere new")
		}
	}
	return records, next, nil
}

// findByEmail gives the persons who have exactly this address.
func findByEmail(ctx context.Context, call *sdk.Call, email string) ([]string, error) {
	client, err := newClient(call)
	if err != nil {
		return nil, err
	}
	request := get("contacts")
	request.Fixed = []vendorhttp.Param{{Name: "is_organization", Value: "false"}, {Name: "email", Value: email}, {Name: "per_page", Value: "10"}}
	response, err := client.Side(ctx, request)
	if err != nil {
		return nil, err
	}
	var body struct {
		Items []envelope `json:"items"`
	}
	if err := response.Decode(&body); err != nil {
		return nil, err
	}
	var ids []string
	for _, item := range body.Items {
		record, err := item.contact()
		if err != nil || record.IsOrganization || record.Email.String() != email {
			return nil, response.Error(errs.UnexpectedVendorAnswer, "Zendesk Sell answered a search for an address with another record")
		}
		ids = append(ids, record.ID.String())
	}
	return ids, nil
}
