package main

import (
	"bytes"
	"context"
	"encoding/json"
	"reflect"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// customFields knows the custom fields of contacts, by FIELD_NAME, which is how
// Insightly keys the values.
var customFields = sdk.NewFieldTable(loadCustomFields)

// customField is an entry of the metadata. The values are checked by the
// vendor.
type customField struct {
	fixed bool // cannot be edited: the vendor fills it in itself
}

func loadCustomFields(ctx context.Context, client *vendorhttp.Client) (map[string]customField, error) {
	response, err := client.Side(ctx, get("CustomFields", "Contacts"))
	if err != nil {
		return nil, err
	}
	var items []struct {
		Name     vendorjson.Text  `json:"FIELD_NAME"`
		Editable *vendorjson.Bool `json:"EDITABLE"`
	}
	if err := response.Decode(&items); err != nil {
		return nil, err
	}
	if items == nil {
		return nil, response.Error(errs.UnexpectedVendorAnswer, "Insightly answered without a list of custom fields")
	}
	table := map[string]customField{}
	for _, item := range items {
		table[item.Name.String()] = customField{fixed: item.Editable != nil && !bool(*item.Editable)}
	}
	return table, nil
}

// customValue is a pair of CUSTOMFIELDS in a body.
type customValue struct {
	Name  string          `json:"FIELD_NAME"`
	Value json.RawMessage `json:"FIELD_VALUE"`
}

// customFieldValues writes the given values beside those that are there: it is
// not known whether Insightly keeps the fields that a write leaves out. What
// cannot be edited is left out; a write that would change it loses that.
func customFieldValues(call *sdk.Call, body *vendorjson.Body, change sdk.Change[crm.Contact], present *crm.Contact, table map[string]customField) {
	given := vendorjson.Members(change.Record.CustomFields)
	if len(given) == 0 && !change.Clears("custom_fields") {
		return
	}
	there, values, names := map[string]json.RawMessage{}, map[string]json.RawMessage{}, []string{}
	want := func(m vendorjson.JSONMember) {
		if _, twice := values[m.Key]; !twice {
			names = append(names, m.Key)
		}
		values[m.Key] = m.Value
	}
	for _, m := range vendorjson.Members(present.CustomFields) {
		if there[m.Key] = m.Value; m.Null() {
			continue
		}
		if change.Clears("custom_fields") {
			m.Value = null
		}
		want(m)
	}
	for _, m := range given {
		want(m)
	}
	pairs := []customValue{}
	for _, name := range names {
		path := "custom_fields." + name
		if !table[name].fixed {
			body.Alias(name, path)
			pairs = append(pairs, customValue{Name: name, Value: values[name]})
		} else if !sameJSON(values[name], there[name]) {
			call.Lose(path, "Insightly fills it in itself")
		}
	}
	body.Set("CUSTOMFIELDS", "custom_fields", pairs)
}

var null = json.RawMessage("null")

// sameJSON compares two values; what is not there is as good as null.
func sameJSON(a, b json.RawMessage) bool {
	read := func(raw json.RawMessage) (value any) {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.UseNumber()
		_ = dec.Decode(&value) // nothing reads as nil
		return value
	}
	return reflect.DeepEqual(read(a), read(b))
}

// customFieldsOf makes an object of the pairs, in their order and with values as
// they came. A field that is null stays; one that is not on the record's
// layout is not among the pairs.
func customFieldsOf(pairs []fieldValue) json.RawMessage {
	values := map[string]json.RawMessage{}
	var names []string
	for _, pair := range pairs {
		name := pair.Name.Ptr()
		if name == nil {
			continue
		}
		if _, twice := values[*name]; !twice {
			names = append(names, *name)
		}
		if pair.Value == nil {
			pair.Value = null
		}
		values[*name] = pair.Value
	}
	if names == nil {
		return nil
	}
	var object bytes.Buffer
	for i, name := range names {
		object.WriteByte("{,"[min(i, 1)])
		object.Write(quoted(name))
		object.WriteByte(':')
		object.Write(values[name])
	}
	object.WriteByte('}')
	return object.Bytes()
}

// quoted writes a name in JSON without the escapes that are meant for HTML.
func quoted(name string) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(name) // a string always encodes
	return bytes.TrimSpace(b.Bytes())
}
