package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"slices"
	"time"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

//go:embed VERSION
var version string

// provider is the table of contents: what Zendesk Sell offers through unicrm.
var provider = sdk.Provider{
	Slug:             "zendesksell",
	DisplayName:      "Zendesk Sell",
	Version:          version,
	DocumentationURL: "https://developer.zendesk.com/api-reference/sales-crm/introduction/",
	AllowedHosts:     []string{"api.getbase.com"},
	Authentication: []sdk.AuthenticationMethod{{
		Name: "access_token",
		Schema: json.RawMessage(`{
			"$schema": "https://json-schema.org/draft/2020-12/schema",
			"type": "object",
			"properties": {
				"access_token": {
					"type": "string", "minLength": 1, "pattern": "^[!-~]+$", "writeOnly": true,
					"title": "Access token",
					"description": "A personal access token: Sell settings, OAuth, Access Tokens. It needs the scopes read and write."
				}
			},
			"required": ["access_token"],
			"additionalProperties": false
		}`),
	}},
	RateLimits:      []sdk.RateLimitHint{{Calls: 36_000, Window: time.Hour, SharedBy: "token"}},
	CheckConnection: checkConnection,
	Contacts: &sdk.Resource[crm.Contact]{
		IDPattern: idPattern,
		List: &sdk.List[crm.Contact]{
			Returned: contactFields, PageCap: 100, Do: listContacts,
			Filters:  slices.Concat(sdk.EqualTo("first_name", "last_name", "name", "email_addresses.email", "phone_numbers.number"), sdk.ByTime("created_at", "updated_at")),
			SortKeys: []string{"id", "first_name", "last_name", "name", "created_at", "updated_at"},
		},
		Get:         &sdk.Get[crm.Contact]{Returned: contactFields, Do: getContact},
		Create:      &sdk.Create[crm.Contact]{Returned: contactFields, Writable: writableFields, Required: []string{"last_name"}, Do: createContact},
		Update:      &sdk.Update[crm.Contact]{Returned: contactFields, Writable: append([]string{"etag"}, writableFields...), Do: updateContact},
		Upsert:      &sdk.Upsert[crm.Contact]{Find: findByEmail, Insert: insertContact},
		Delete:      deletion,
		BatchDelete: sdk.FanOut(deletion, idPattern, 10), // a second: the vendor's limit
	},
}

const idPattern = `[1-9][0-9]{0,18}` // 64-bit integers

var deletion = &sdk.Delete[crm.Contact]{Kind: sdk.HardDelete, Repeat: sdk.RepeatNotFound, Do: deleteContact}

// checkConnection reads one contact: users/self would tell as much but needs
// the scope profile, which nothing else here needs.
func checkConnection(ctx context.Context, call *sdk.Call) error {
	client, err := newClient(call)
	if err != nil {
		return err
	}
	request := get("contacts")
	request.Fixed = []vendorhttp.Param{{Name: "per_page", Value: "1"}}
	_, err = client.Main(ctx, request)
	return err
}
