package main

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// viewIDs remembers the views by name. Their ids differ by account and by user,
// and change seldom.
var viewIDs = sdk.NewCache[string](time.Hour)

const (
	allContactsName = "All Contacts"
	recycleBinName  = "Recycle Bin"
)

// view is a saved filter. GET /contacts does not exist: lists go through views.
type view struct {
	ID        vendorjson.Text `json:"id"`
	Name      vendorjson.Text `json:"name"`
	IsDefault vendorjson.Bool `json:"is_default"`
}

// readPage gets a page of the view of that name; the request says in what
// order. A remembered view that is no more is looked for again, once.
func readPage(ctx context.Context, call *sdk.Call, client *vendorhttp.Client, send sender, name string, request vendorhttp.Request, at position) ([]contact, bool, error) {
	for try := 0; ; try++ {
		id, remembered, err := viewID(ctx, call, client, name)
		if err != nil {
			return nil, false, err
		}
		page := request
		page.Method, page.Path = http.MethodGet, []string{"contacts", "view", id}
		page.Fixed = append(page.Fixed[:len(page.Fixed):len(page.Fixed)],
			vendorhttp.Param{Name: "page", Value: strconv.Itoa(at.Page)}, vendorhttp.Param{Name: "per_page", Value: strconv.Itoa(at.Size)})
		response, err := send(ctx, page)
		if err == nil {
			return contactsIn(response, at)
		}
		if !errs.Is(err, errs.RecordNotFound) {
			return nil, false, err
		}
		viewIDs.Forget(call, name)
		if !remembered || try > 0 {
			return nil, false, response.Error(errs.VendorRejected, "Freshsales does not know the view that it has just named")
		}
	}
}

// errNoView says that the key's user does not see a view.
var errNoView = errors.New("no such view")

// viewID is the id of the view of that name; remembered tells that the vendor
// was not asked.
func viewID(ctx context.Context, call *sdk.Call, client *vendorhttp.Client, name string) (id string, remembered bool, err error) {
	if id, ok := viewIDs.Get(call, name); ok {
		return id, true, nil
	}
	views, response, err := readViews(ctx, client.Side)
	if err != nil {
		return "", false, err
	}
	for _, known := range []string{allContactsName, recycleBinName} {
		found, named := chooseView(views, known)
		if found == "" {
			continue
		}
		viewIDs.Put(call, known, found)
		if known == name {
			id = found
		}
		if !named { // nothing tells whether the default view holds every contact
			call.Log().Warn("no view is named All Contacts, so the default view is listed", "view_id", found)
		}
	}
	if id == "" {
		e := response.Error(errs.UnexpectedVendorAnswer, "Freshsales shows this user no view named %s, so its contacts cannot be listed", name)
		e.Cause = errNoView
		return "", false, e
	}
	return id, false, nil
}

// readViews gives the views that the key's user sees, and the answer they
// came in.
func readViews(ctx context.Context, send sender) ([]view, *vendorhttp.Response, error) {
	response, err := send(ctx, get("contacts", "filters"))
	if err != nil {
		if errs.Is(err, errs.RecordNotFound) {
			return nil, nil, response.Error(errs.VendorRejected, "Freshsales has no contacts at the account's bundle_alias, which may be mistyped")
		}
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

// chooseView chooses the view of that name. For all contacts the default view
// will do, as for other clients, unless it is the bin. The id is "" when there
// is none.
func chooseView(views []view, want string) (id string, named bool) {
	for _, v := range views {
		name := strings.TrimSpace(v.Name.String())
		_, err := strconv.ParseUint(v.ID.String(), 10, 64)
		switch {
		case err != nil:
		case strings.EqualFold(name, want):
			return v.ID.String(), true
		case id == "" && bool(v.IsDefault) && want == allContactsName && !strings.EqualFold(name, recycleBinName):
			id = v.ID.String()
		}
	}
	return id, false
}
