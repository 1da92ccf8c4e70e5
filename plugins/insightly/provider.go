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

// provider is the table of contents: what Insightly offers through unicrm.
var provider = sdk.Provider{
	Slug:             "insightly",
	DisplayName:      "Insightly",
	Version:          version,
	DocumentationURL: "https://api.na1.insightly.com/v3.1/",
	AllowedHosts:     []string{"*.insightly.com"}, // a host for each pod, and new pods come
	Authentication: []sdk.AuthenticationMethod{{
		Name: "api_key",
		Schema: json.RawMessage(`{
			"$schema": "https://json-schema.org/draft/2020-12/schema",
			"type": "object",
			"properties": {
				"pod": {
					"type": "string", "minLength": 1, "maxLength": 100, "pattern": "^\\s*[A-Za-z]{1,6}[0-9]{0,3}\\s*$|insightly",
					"title": "Pod",
					"description": "The part of the instance that the API URL names, such as na1 in https://api.na1.insightly.com: User Settings, API, under the API key. The whole API URL will do too."
				},
				"api_key": {
					"type": "string", "minLength": 1, "pattern": "^[!-9;-~]+$", "writeOnly": true,
					"title": "API key",
					"description": "User Settings, API, API Key. The key carries its user's permissions; an administrator can switch API access off for a user."
				}
			},
			"required": ["pod", "api_key"],
			"additionalProperties": false
		}`),
	}},
	// The limit of each day, 1,000 calls and up, depends on the plan; every
	// answer says what is left of it.
	RateLimits:      []sdk.RateLimitHint{{Calls: 10, Window: time.Second, SharedBy: "vendor account"}},
	CheckConnection: checkConnection,
	Contacts: &sdk.Resource[crm.Contact]{
		IDPattern: idPattern,
		List: &sdk.List[crm.Contact]{
			Returned: contactFields, PageCap: maxTop, Do: listContacts,
			Filters: slices.Concat(sdk.EqualTo("first_name", "last_name", "email_addresses.email", "phone_numbers.number"), sdk.ByTime("updated_at")),
		},
		Get:         &sdk.Get[crm.Contact]{Returned: contactFields, Do: getContact},
		Create:      &sdk.Create[crm.Contact]{Returned: contactFields, Writable: writableFields, Required: []string{"first_name"}, Do: createContact},
		Update:      &sdk.Update[crm.Contact]{Returned: contactFields, Writable: append([]string{"etag"}, writableFields...), Do: updateContact},
		Upsert:      &sdk.Upsert[crm.Contact]{Find: findByEmail},
		Delete:      deletion,
		BatchDelete: sdk.FanOut(deletion, idPattern, 10), // a second: the vendor's limit
	},
}

const idPattern = `[1-9][0-9]{0,18}` // 64-bit integers

var deletion = &sdk.Delete[crm.Contact]{Kind: sdk.SoftDelete, Repeat: sdk.RepeatUnknown, Kept: 30 * 24 * time.Hour, Do: deleteContact}

// checkConnection reads the key's own user, which every key may.
func checkConnection(ctx context.Context, call *sdk.Call) error {
	client, err := newClient(call)
	if err != nil {
		return err
	}
	_, err = client.Main(ctx, get("Users", "Me"))
	return err
}
