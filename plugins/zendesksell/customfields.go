package main

import (
	"context"
	"strconv"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// customFields knows the custom fields of persons, by display name, which is
// how Sell keys the values.
var customFields = sdk.NewFieldTable(loadCustomFields)

// customField is an entry of the metadata; nothing more of it matters, since
// the values are checked by the vendor.
type customField struct{}

func loadCustomFields(ctx context.Context, client *vendorhttp.Client) (map[string]customField, error) {
	const most = 50 // pages
	table := map[string]customField{}
	for page := 1; page <= most; page++ {
		request := get("contact", "custom_fields")
		request.Fixed = []vendorhttp.Param{{Name: "page", Value: strconv.Itoa(page)}, {Name: "per_page", Value: "100"}}
		response, err := client.Side(ctx, request)
		if err != nil {
			return nil, err
		}
		var body struct {
			Items vendorjson.List[struct {
				Data struct {
					Name       vendorjson.Text  `json:"name"`
					ForContact *vendorjson.Bool `json:"for_contact"`
				} `json:"data"`
			}] `json:"items"`
		}
		if err := response.Decode(&body); err != nil {
			return nil, err
		}
		for _, item := range body.Items {
			if item.Data.ForContact == nil || bool(*item.Data.ForContact) {
				table[item.Data.Name.String()] = customField{}
			}
		}
		if len(body.Items) < 100 {
			break
		}
	}
	return table, nil
}

// customFieldValues writes the given values beside those that are there: it is
// not known whether Sell keeps the keys that a write leaves out.
func customFieldValues(body *vendorjson.Body, change sdk.Change[crm.Contact], present *crm.Contact) {
	given := vendorjson.Members(change.Record.CustomFields)
	if len(given) == 0 && !change.Clears("custom_fields") {
		return
	}
	object := body.Object("custom_fields", "custom_fields")
	for _, m := range vendorjson.Members(present.CustomFields) {
		if change.Clears("custom_fields") {
			object.Set(m.Key, "custom_fields."+m.Key, nil)
		} else {
			object.Set(m.Key, "custom_fields."+m.Key, m.Value)
		}
	}
	for _, m := range given {
		object.Set(m.Key, "custom_fields."+m.Key, m.Value)
	}
}
