package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// customFields knows the custom fields of endusers, by display name, which is
// how Planhat keys the values.
var customFields = sdk.NewFieldTable(loadCustomFields)

// customField is a definition; the values are checked by the vendor.
type customField struct {
	computed bool // by a formula
}

// loadCustomFields reads the definitions, of which only an empty page is the
// end. They name the model that they are for, in a spelling that is nowhere
// documented: where none seems to be for endusers, nothing is known of them.
func loadCustomFields(ctx context.Context, client *vendorhttp.Client) (map[string]customField, error) {
	const most = 50 // pages
	table := map[string]customField{}
	for page, offset := 0, 0; page < most; page++ {
		request := get("customfields")
		request.Fixed = []vendorhttp.Param{{Name: "sort", Value: "_id"}, {Name: "limit", Value: strconv.Itoa(largestPage)}, {Name: "offset", Value: strconv.Itoa(offset)}}
		response, err := client.Side(ctx, request)
		if err != nil {
			return nil, err
		}
		items, err := listIn(response)
		if err != nil {
			return nil, err
		}
		if len(items) == 0 {
			break
		}
		offset += len(items)
		for _, item := range items {
			var field struct {
				Name      vendorjson.Text `json:"name"`
				Parent    vendorjson.Text `json:"parent"`
				IsFormula vendorjson.Bool `json:"isFormula"`
			}
			if json.Unmarshal(item, &field) == nil && strings.TrimSuffix(strings.ToLower(field.Parent.String()), "s") == "enduser" {
				table[field.Name.String()] = customField{computed: bool(field.IsFormula)}
			}
		}
	}
	if len(table) == 0 {
		return nil, errors.New("no custom field is said to be for endusers")
	}
	return table, nil
}

// touchesCustomFields tells whether a change writes any, be it in Planhat's own
// words.
func touchesCustomFields(change sdk.Change[crm.Contact]) bool {
	return len(vendorjson.Members(change.Record.CustomFields)) > 0 || change.Clears("custom_fields") || remoteMember(change.Record, "custom") != nil
}

// customFieldValues writes the given values beside those that are there: it is
// not known whether Planhat keeps the keys that a write leaves out. What a
// formula computes cannot be written, and stays by itself.
func customFieldValues(ctx context.Context, call *sdk.Call, client *vendorhttp.Client, body *vendorjson.Body, change sdk.Change[crm.Contact], present json.RawMessage) error {
	if !touchesCustomFields(change) {
		return nil
	}
	there := map[string]json.RawMessage{}
	for _, m := range vendorjson.Members(present) {
		there[m.Key] = m.Value
	}
	given, asked := vendorjson.Members(change.Record.CustomFields), change.Record.CustomFields
	if len(given) == 0 {
		asked = present // which is written again, but for what is computed
	}
	table, err := customFields.Check(ctx, call, client, asked)
	if table != nil {
		// What the contact has can be written, defined or not.
		var unknown []string
		for _, m := range given {
			if there[m.Key] == nil {
				unknown = append(unknown, m.Key)
			}
		}
		err = sdk.UnknownFields(unknown, slices.Sorted(maps.Keys(table)))
	}
	if err != nil {
		return err
	}
	object := body.Object("custom", "custom_fields")
	for _, m := range vendorjson.Members(present) {
		switch {
		case table[m.Key].computed:
		case change.Clears("custom_fields"):
			object.Set(m.Key, "custom_fields."+m.Key, nil)
		default:
			object.Set(m.Key, "custom_fields."+m.Key, m.Value)
		}
	}
	for _, m := range given {
		if !table[m.Key].computed {
			object.Set(m.Key, "custom_fields."+m.Key, m.Value)
		} else if !sameJSON(m.Value, there[m.Key]) {
			call.Lose("custom_fields."+m.Key, "it is computed by a formula")
		}
	}
	return nil
}

func sameJSON(a, b json.RawMessage) bool {
	var left, right bytes.Buffer
	return json.Compact(&left, a) == nil && json.Compact(&right, b) == nil && bytes.Equal(left.Bytes(), right.Bytes())
}

// lostCustomFields compares the custom fields that Planhat has with those that
// were written: names that it does not know, it may ignore.
func lostCustomFields(given, stored json.RawMessage) (lost []errs.Field) {
	there := map[string]bool{}
	for _, m := range vendorjson.Members(stored) {
		there[m.Key] = !m.Null()
	}
	for _, m := range vendorjson.Members(given) {
		if !m.Null() && !there[m.Key] {
			lost = append(lost, errs.Field{Path: "custom_fields." + m.Key, Description: "Planhat did not keep it"})
		}
	}
	return lost
}
