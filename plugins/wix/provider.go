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

// provider is the table of contents: what Wix offers through unicrm.
var provider = sdk.Provider{
	Slug:             "wix",
	DisplayName:      "Wix",
	Version:          version,
	DocumentationURL: "https://dev.wix.com/docs/rest/crm/members-contacts/contacts/contacts/contact-v4/introduction",
	AllowedHosts:     []string{"www.wixapis.com"},
	Authentication: []sdk.AuthenticationMethod{{
		Name: "api_key",
		Schema: json.RawMessage(`{
			"$schema": "https://json-schema.org/draft/2020-12/schema",
			"type": "object",
			"properties": {
				"api_key": {
					"type": "string", "minLength": 1, "pattern": "^[!-~]+$", "writeOnly": true,
					"title": "API key",
					"description": "Made by the account's owner or co-owner in the API Keys Manager, manage.wix.com/account/api-keys, with the permission to manage contacts. Without Bearer in front."
				},
				"site_id": {
					"type": "string", "pattern": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
					"title": "Site id",
					"description": "The site whose contacts are meant: the id behind /dashboard/ in the address of the site's dashboard. Contacts belong to a site, so this is the one to give."
				},
				"account_id": {
					"type": "string", "pattern": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
					"title": "Account id",
					"description": "In place of the site id, for a key used at the level of the Wix account: shown in the API Keys Manager."
				}
			},
			"required": ["api_key"],
			"oneOf": [{"required": ["site_id"]}, {"required": ["account_id"]}],
			"additionalProperties": false
		}`),
	}},
	RateLimits:      []sdk.RateLimitHint{{Calls: 200, Window: time.Minute, SharedBy: "app instance"}},
	CheckConnection: checkConnection,
	Contacts: &sdk.Resource[crm.Contact]{
		IDPattern: idPattern,
		List: &sdk.List[crm.Contact]{
			Returned: contactFields, PageCap: pageCap, Do: listContacts,
			Filters: slices.Concat(
				sdk.EqualTo("first_name", "last_name", "email_addresses.email", "phone_numbers.number", "search"),
				sdk.ByTime("created_at", "updated_at", "last_activity_at"),
			),
			SortKeys: []string{"created_at", "last_activity_at", "first_name", "last_name", "title", "email_addresses"},
		},
		Get:         &sdk.Get[crm.Contact]{Returned: contactFields, Do: getContact},
		Create:      &sdk.Create[crm.Contact]{Returned: contactFields, Writable: writableFields, Do: createContact},
		Update:      &sdk.Update[crm.Contact]{Returned: contactFields, Writable: append([]string{"etag"}, writableFields...), Do: updateContact},
		Upsert:      &sdk.Upsert[crm.Contact]{Atomic: true, Find: findByEmail, Insert: insertContact},
		Delete:      deletion,
		BatchDelete: &sdk.BatchDelete{MaxIDs: maxBatch, Do: deleteContacts},
		Merge:       &sdk.Merge[crm.Contact]{Returned: contactFields, MaxDuplicates: 5, Do: mergeContacts},
	},
}

const idPattern = `[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}` // GUIDs

// A repeat may be 404 or success: Wix documents neither.
var deletion = &sdk.Delete[crm.Contact]{Kind: sdk.HardDelete, Repeat: sdk.RepeatUnknown, Do: deleteContact}

// checkConnection reads one contact, which needs the same permission as the
// rest.
func checkConnection(ctx context.Context, call *sdk.Call) error {
	client, err := newClient(call)
	if err != nil {
		return err
	}
	request := get("contacts")
	request.Fixed = []vendorhttp.Param{{Name: "paging.limit", Value: "1"}}
	_, err = client.Main(ctx, request)
	return err
}
