package main

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// YOUR VENDOR, 2 of 4: where its API is, and how a call proves itself.

// newClient gives the HTTP client for one call, signed with the account's
// credentials. Retries, deadlines, size limits and the reasons of errors are
// its own. Explain reads what the status does not say; Vendor.RateLimit reads
// headers about limits.
func newClient(call *sdk.Call) (*vendorhttp.Client, error) {
	var credentials struct {
		APIKey string `json:"api_key"`
	}
	if err := call.Credentials(&credentials); err != nil {
		return nil, err
	}
	return call.Client(vendorhttp.Vendor{
		Name:    "Acme CRM",
		BaseURL: "https://api.acme.test/v1",
		Header:  http.Header{"Authorization": {"Bearer " + credentials.APIKey}},
		Explain: explain,
	})
}

// explain names the field that the vendor refused, by the vendor's own name: a
// write turns it into the caller's. Nil leaves the answer to its status.
func explain(response *vendorhttp.Response) *errs.Error {
	var body struct {
		Error struct {
			Field   vendorjson.Text `json:"field"`
			Message vendorjson.Text `json:"message"`
		} `json:"error"`
	}
	if response.Decode(&body) != nil || body.Error.Field.Ptr() == nil {
		return nil //nolint:nilerr // HTML, or an error of no field
	}
	e := errs.New(errs.VendorRejected, "%s", body.Error.Message)
	e.Fields = []errs.Field{{Path: body.Error.Field.String(), Description: body.Error.Message.String()}}
	return e
}

// checkConnection asks whether the credentials work, by a call that changes
// nothing.
func checkConnection(ctx context.Context, call *sdk.Call) error {
	client, err := newClient(call)
	if err != nil {
		return err
	}
	response, err := client.Main(ctx, vendorhttp.Request{Method: http.MethodGet, Path: []string{"me"}})
	if err != nil {
		return err
	}
	var me struct {
		ID vendorjson.Text `json:"id"`
	}
	if json.Unmarshal(response.Body, &me) != nil || me.ID.Ptr() == nil { // a proxy's page answers 200 too
		return response.Error(errs.UnexpectedVendorAnswer, "Acme CRM did not say whose API key it is")
	}
	return nil
}
