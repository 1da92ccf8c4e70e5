package main

import (
	"context"
	"strings"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// customFields knows the custom fields of contacts, by the names that start
// with cf_.
var customFields = sdk.NewFieldTable(loadCustomFields)

// customField is an entry of the metadata; nothing more of it matters, since
// the values are checked by the vendor.
type customField struct{}

func loadCustomFields(ctx context.Context, client *vendorhttp.Client) (map[string]customField, error) {
	response, err := client.Side(ctx, get("settings", "contacts", "fields"))
	if err != nil {
		return nil, err
	}
	var body struct {
		Fields *vendorjson.List[struct {
			Name vendorjson.Text `json:"name"`
		}] `json:"fields"`
	}
	if err := response.Decode(&body); err != nil {
		return nil, err
	}
	if body.Fields == nil {
		return nil, unexpected(response, "a list of fields")
	}
	table := map[string]customField{}
	for _, field := range *body.Fields {
		if name := field.Name.String(); strings.HasPrefix(name, "cf_") { // the others are attributes
			table[name] = customField{}
		}
	}
	return table, nil
}

// customFieldValues writes the given values; Freshsales leaves the others as
// they are.
func customFieldValues(body *vendorjson.Body, change sdk.Change[crm.Contact], present *contact) {
	given := vendorjson.Members(change.Record.CustomFields)
	if len(given) == 0 && !change.Clears("custom_fields") {
		return
	}
	object := body.Object("custom_field", "custom_fields")
	if change.Clears("custom_fields") {
		for _, m := range vendorjson.Members(present.CustomField) {
			if !m.Null() {
				object.Set(m.Key, "custom_fields."+m.Key, nil)
			}
		}
	}
	for _, m := range given {
		object.Set(m.Key, "custom_fields."+m.Key, m.Value)
	}
}
