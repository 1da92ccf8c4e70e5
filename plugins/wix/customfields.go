package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// customPrefix is the namespace of what a site has made itself, fields as well
// as labels. All others are Wix's own or its apps'.
const customPrefix = "custom."

// customFields knows the fields that a site has made, by key, which is how
// contacts hold the values.
var customFields = sdk.NewFieldTable(loadCustomFields)

// customField is an entry of the extended fields; nothing more of it matters,
// since the values are checked by the vendor.
type customField struct{}

func loadCustomFields(ctx context.Context, client *vendorhttp.Client) (map[string]customField, error) {
	const (
		atOnce = 100 // as many as a site can have made
		most   = 10  // pages
	)
	table := map[string]customField{}
	for page := range most {
		request := get("extended-fields")
		request.Fixed = []vendorhttp.Param{{Name: "namespace", Value: "custom"}, {Name: "paging.limit", Value: strconv.Itoa(atOnce)}, {Name: "paging.offset", Value: strconv.Itoa(page * atOnce)}}
		response, err := client.Side(ctx, request)
		if err != nil {
			return nil, err
		}
		var body struct {
			Fields vendorjson.List[struct {
				Key vendorjson.Text `json:"key"`
			}] `json:"fields"`
		}
		if err := response.Decode(&body); err != nil {
			return nil, err
		}
		for _, field := range body.Fields {
			if key := field.Key.String(); strings.HasPrefix(key, customPrefix) {
				table[key] = customField{}
			}
		}
		if len(body.Fields) < atOnce {
			break
		}
	}
	return table, nil
}

// checkCustomFields gives the custom fields of a change that are to be written,
// each of which must be one that the site has made. Those of Wix and its apps,
// which are in other namespaces, may stand there as they are read; another value
// is lost.
func checkCustomFields(ctx context.Context, call *sdk.Call, client *vendorhttp.Client, change sdk.Change[crm.Contact], present *crm.Contact) ([]vendorjson.JSONMember, error) {
	there := map[string]json.RawMessage{}
	for _, m := range vendorjson.Members(present.CustomFields) {
		there[m.Key] = m.Value
	}
	var given []vendorjson.JSONMember
	named, unknown := &vendorjson.Body{}, ""
	for _, m := range vendorjson.Members(change.Record.CustomFields) {
		switch own := strings.HasPrefix(m.Key, customPrefix); {
		case !own && sameJSON(m.Value, there[m.Key]):
		case !own && strings.Contains(m.Key, "."):
			call.Lose("custom_fields."+m.Key, "only fields that the site has made can be written, whose keys begin with "+customPrefix)
		default:
			given = append(given, m)
			named.Set(m.Key, "", nil)
			if !own {
				unknown = m.Key
			}
		}
	}
	names, err := named.MarshalJSON()
	if err != nil {
		return nil, err
	}
	if _, err := customFields.Check(ctx, call, client, names); err != nil {
		return nil, err
	}
	if unknown != "" { // where the vendor did not tell its fields
		e := errs.New(errs.InvalidBody, "custom_fields.%s is no key of a custom field, which begins with %s", unknown, customPrefix)
		e.Fields = []errs.Field{{Path: "custom_fields." + unknown, Description: "is no key of a custom field"}}
		return nil, e
	}
	return given, nil
}

// sameJSON compares but for white space.
func sameJSON(a, b json.RawMessage) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

// customFieldValues writes the given values beside those that are there: it is
// not known whether Wix keeps the keys that a write leaves out.
func customFieldValues(info *vendorjson.Body, given []vendorjson.JSONMember, clear bool, present *crm.Contact) {
	if len(given) == 0 && !clear {
		return
	}
	values := &vendorjson.Body{}
	for _, m := range vendorjson.Members(present.CustomFields) {
		switch {
		case !strings.HasPrefix(m.Key, customPrefix):
		case clear:
			values.Set(m.Key, "custom_fields."+m.Key, nil)
		default:
			values.Set(m.Key, "custom_fields."+m.Key, m.Value)
		}
	}
	for _, m := range given {
		values.Set(m.Key, "custom_fields."+m.Key, m.Value)
	}
	if !values.Empty() {
		info.Object("extendedFields", "custom_fields").Set("items", "custom_fields", values)
	}
}
