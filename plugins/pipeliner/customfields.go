package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// vendorFields are a contact's fields by the vendor's own description. Custom
// fields are all the other top-level keys: nothing in a record marks them, and
// an administrator can name them freely.
var vendorFields = map[string]bool{
	"is_delete_protected": true, "id": true, "is_deleted": true, "modified": true, "created": true,
	"contact_type": true, "contact_type_id": true,
	"currency_exchange_rates_list": true, "currency_exchange_rates_list_id": true,
	"owner": true, "owner_id": true, "picture": true, "picture_id": true, "unit": true, "unit_id": true,
	"address": true, "city": true, "state_province": true, "zip_code": true, "country": true, "comments": true,
	"email1": true, "email2": true, "email3": true, "email4": true, "email5": true,
	"phone1": true, "phone2": true, "phone3": true, "phone4": true, "phone5": true,
	"first_name": true, "middle_name": true, "last_name": true, "formatted_name": true, "title": true, "gender": true,
	"is_archived": true, "is_favorite": true, "is_unsubscribed": true, "share_mode": true, "revision": true,
	"position": true, "account_position": true, "quick_account_name": true,
	"primary_account": true, "primary_account_position": true, "primary_account_relationship": true, "primary_account_account_roles": true,
	"account_relations": true, "social_media": true, "sharing_units": true, "sharing_clients": true, "documents": true,
	"exchange_entity_id": true, "gapi_entity_id": true, "o365_entity_id": true,
	"tags": true, "static_profiles": true, "modified_by_user": true,
}

// split parts a record into the vendor's fields and the custom ones, each an
// object with the tokens and the order of the record. custom is nil when there
// are none. Names are compared exactly, so that a custom field "Title" is not
// taken for the vendor's "title".
func split(record json.RawMessage) (vendors, custom json.RawMessage, err error) {
	dec := json.NewDecoder(bytes.NewReader(record))
	if _, err := dec.Token(); err != nil { // the opening brace
		return nil, nil, err
	}
	vendors = append(vendors, '{')
	for dec.More() {
		start := dec.InputOffset()
		name, err := dec.Token()
		if err != nil {
			return nil, nil, err
		}
		token := bytes.TrimLeft(record[start:dec.InputOffset()], ", \t\r\n")
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, nil, err
		}
		if key, _ := name.(string); vendorFields[key] {
			vendors = appendMember(vendors, token, value)
		} else {
			if custom == nil {
				custom = json.RawMessage{'{'}
			}
			custom = appendMember(custom, token, value)
		}
	}
	if custom != nil {
		custom = append(custom, '}')
	}
	return append(vendors, '}'), custom, nil
}

func appendMember(object json.RawMessage, name, value []byte) json.RawMessage {
	if len(object) > 1 {
		object = append(object, ',')
	}
	object = append(object, name...)
	object = append(object, ':')
	return append(object, value...)
}

// customFields knows the custom fields of contacts, by their api names.
var customFields = sdk.NewFieldTable(loadCustomFields)

// customField is what matters of a field; the values are checked by the vendor.
type customField struct{ readOnly bool }

func loadCustomFields(ctx context.Context, client *vendorhttp.Client) (map[string]customField, error) {
	const most = 50 // pages
	table := map[string]customField{}
	cursor := ""
	for range most {
		request := get("Fields")
		request.Fixed = append(filter("entity_name", "eq", "Contact"), vendorhttp.Param{Name: "first", Value: strconv.Itoa(largestPage)})
		if cursor != "" {
			request.Fixed = append(request.Fixed, vendorhttp.Param{Name: "after", Value: cursor})
		}
		response, err := ask(ctx, client.Side, request)
		if err != nil {
			return nil, err
		}
		items, next, err := pageOf(response, largestPage, cursor)
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			field := members(item)
			name := text(field["api_name"]).String()
			if name != "" && text(field["entity_name"]).String() == "Contact" && !vendorFields[name] {
				table[name] = customField{readOnly: text(field["system_readonly"]).String() == "true"}
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	return table, nil
}

// customFieldValues writes the given values. Those that are as they are already
// are left out: who sends back what was read may have fields among them that
// nobody can write.
func customFieldValues(call *sdk.Call, body *vendorjson.Body, change *sdk.Change[crm.Contact], present *contact, table map[string]customField) {
	before := map[string]vendorjson.JSONMember{}
	for _, m := range vendorjson.Members(present.CustomFields) {
		before[m.Key] = m
		if change.Clears("custom_fields") && !m.Null() {
			body.Set(m.Key, "custom_fields."+m.Key, nil)
		}
	}
	for _, m := range vendorjson.Members(change.Record.CustomFields) {
		is, known := before[m.Key]
		switch {
		case known && bytes.Equal(compact(is.Value), compact(m.Value)):
		case table[m.Key].readOnly:
			call.Lose("custom_fields."+m.Key, "Pipeliner lets nobody write it")
		default:
			body.Set(m.Key, "custom_fields."+m.Key, m.Value)
		}
	}
}

// compact takes out the white space between tokens, which stay as they are.
func compact(value json.RawMessage) []byte {
	var out bytes.Buffer
	_ = json.Compact(&out, value)
	return out.Bytes()
}
