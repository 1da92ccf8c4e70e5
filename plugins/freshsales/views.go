package main

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// viewIDs remembers which view lists all contacts. The ids of views differ by
// account and by user, and change seldom.
var viewIDs = sdk.NewCache[string](time.Hour)

const allContactsName = "All Contacts"

// view is a saved filter. GET /contacts does not exist: lists go through views.
type view struct {
	ID        vendorjson.Text `json:"id"`
	Name      vendorjson.Text `json:"name"`
	IsDefault vendorjson.Bool `json:"is_default"`
}

// readPage gets a page of the view of all contacts. A remembered view that is
// no more is looked for again, once.
func readPage(ctx context.Context, call *sdk.Call, client *vendorhttp.Client, at position) (*vendorhttp.Response, error) {
	for try := 0; ; try++ {
		id, remembered, err := allContactsView(ctx, call, client)
		if err != nil {
			return nil, err
		}
		request := get("contacts", "view", id)
		request.Query = []vendorhttp.Param{{Name: "sort", Value: "id"}, {Name: "sort_type", Value: "asc"}, include}
		request.Fixed = []vendorhttp.Param{
			{Name: "page", Value: strconv.Itoa(at.Page)},
			{Name: "per_page", Value: strconv.Itoa(at.Size)},
		}
		response, err := client.Main(ctx, request)
		if !errs.Is(err, errs.RecordNotFound) {
			return response, err
		}
		viewIDs.Forget(call, allContactsName)
		if !remembered || try > 0 {
			return nil, response.Error(errs.VendorRejected, "Freshsales does not know the view that it has just named")
		}
	}
}

// allContactsView is the id of the view that lists all contacts; remembered
// tells that the vendor was not asked.
func allContactsView(ctx context.Context, call *sdk.Call, client *vendorhttp.Client) (id string, remembered bool, err error) {
	if id, ok := viewIDs.Get(call, allContactsName); ok {
		return id, true, nil
	}
	views, response, err := readViews(ctx, client.Side)
	if err != nil {
		return "", false, err
	}
	id, named := allContacts(views)
	if id == "" {
		return "", false, response.Error(errs.UnexpectedVendorAnswer, "Freshsales shows this user neither a view named All Contacts nor a default view, so contacts cannot be listed")
	}
	if !named { // nothing tells whether the default view holds every contact
		call.Log().Warn("no view is named All Contacts, so the default view is listed", "view_id", id)
	}
	viewIDs.Put(call, allContactsName, id)
	return id, false, nil
}

// readViews gives the views that the key's user sees, and the answer they
// came in.
func readViews(ctx context.Context, send func(context.Context, vendorhttp.Request) (*vendorhttp.Response, error)) ([]view, *vendorhttp.Response, error) {
	response, err := send(ctx, get("contacts", "filters"))
	if errs.Is(err, errs.RecordNotFound) {
		return nil, nil, response.Error(errs.VendorRejected, "Freshsales has no contacts at the account's bundle_alias, which may be mistyped")
	}
	if err != nil {
		return nil, nil, err
	}
	var body struct {
		Filters *vendorjson.List[view] `json:"filters"`
	}
	if err := response.Decode(&body); err != nil {
		return nil, nil, err
	}
	if body.Filters == nil {
		return nil, nil, unexpected(response, "a list of views")
	}
	return *body.Filters, response, nil
}

// allContacts chooses the view named "All Contacts", else the default one, as
// other clients do. The bin is never chosen. The id is "" when there is neither.
func allContacts(views []view) (id string, named bool) {
	for _, v := range views {
		name := strings.TrimSpace(v.Name.String())
		_, err := strconv.ParseUint(v.ID.String(), 10, 64)
		switch {
		case err != nil || strings.EqualFold(name, "Recycle Bin"):
		case strings.EqualFold(name, allContactsName):
			return v.ID.String(), true
		case id == "" && bool(v.IsDefault):
			id = v.ID.String()
		}
	}
	return id, false
}
