package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"slices"
	"time"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
)

//go:embed VERSION
var version string

// provider is the table of contents: what Freshsales offers through unicrm.
var provider = sdk.Provider{
	Slug:             "freshsales",
	DisplayName:      "Freshsales",
	Version:          version,
	DocumentationURL: "https://developers.freshworks.com/crm/api/",
	AllowedHosts:     []string{"*.myfreshworks.com", "*.freshworks.com", "*.freshsales.io"},
	Authentication: []sdk.AuthenticationMethod{{
		Name: "api_key",
		Schema: json.RawMessage(`{
			"$schema": "https://json-schema.org/draft/2020-12/schema",
			"type": "object",
			"properties": {
				"bundle_alias": {
					"type": "string", "minLength": 1, "maxLength": 300, "pattern": "\\.(myfreshworks|freshworks|freshsales)\\.",
					"title": "Bundle alias",
					"description": "The whole address that stands under the API key, such as acme.myfreshworks.com/crm/sales. An account of the older product has acme.freshsales.io, without a path."
				},
				"api_key": {
					"type": "string", "minLength": 1, "pattern": "^[!-~]+$", "writeOnly": true,
					"title": "API key",
					"description": "Profile picture, Profile settings (Personal settings in an older interface), API Settings. The key may do what its user may do."
				}
			},
			"required": ["bundle_alias", "api_key"],
			"additionalProperties": false
		}`),
	}},
	// The vendor's smallest plans; Pro has 2000 calls and Enterprise 5000. All
	// users, keys and integrations of the vendor account draw on the same ones.
	RateLimits:      []sdk.RateLimitHint{{Calls: 1000, Window: time.Hour, SharedBy: "vendor account"}},
	CheckConnection: checkConnection,
	Contacts: &sdk.Resource[crm.Contact]{
		IDPattern: idPattern,
		List: &sdk.List[crm.Contact]{
			Returned: contactFields, PageCap: 100, Do: listContacts,
			Filters:  slices.Concat(sdk.EqualTo("email_addresses.email", "phone_numbers.number", "search", "is_deleted"), sdk.ByTime("created_at", "updated_at")),
			SortKeys: []string{"id", "created_at", "updated_at"},
		},
		Get: &sdk.Get[crm.Contact]{Returned: contactFields, Do: getContact},
		// What is required is one of two, which no list of fields can say; see write.
		Create: &sdk.Create[crm.Contact]{Returned: contactFields, Writable: writableFields, Do: createContact},
		Update: &sdk.Update[crm.Contact]{Returned: contactFields, Writable: writableFields, Do: updateContact},
		// No two contacts can have an address: Freshsales refuses the second.
		Upsert:      &sdk.Upsert[crm.Contact]{Atomic: true, Find: findByEmail, Insert: insertContact},
		Delete:      deletion,
		BatchDelete: &sdk.BatchDelete{Do: deleteContacts},
	},
}

const idPattern = `[1-9][0-9]{0,18}` // integers; 10 to 12 digits on record

// deletion: what a repeated delete answers could not be confirmed.
var deletion = &sdk.Delete[crm.Contact]{Kind: sdk.SoftDelete, Repeat: sdk.RepeatUnknown, Kept: 90 * 24 * time.Hour, Do: deleteContact}

// checkConnection reads the list of views, since Freshsales has no "who am I".
func checkConnection(ctx context.Context, call *sdk.Call) error {
	client, err := newClient(call)
	if err != nil {
		return err
	}
	_, _, err = readViews(ctx, client.Main)
	return err
}
