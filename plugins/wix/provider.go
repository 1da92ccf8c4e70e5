package main

import (
	"context"
	_ "embed"
	"encoding/json"
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
		IDPattern: `[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`, // GUIDs
		List:      &sdk.List[crm.Contact]{Returned: contactFields, PageCap: pageCap, Do: listContacts},
		Get:       &sdk.Get[crm.Contact]{Returned: contactFields, Do: getContact},
		// A repeat may be 404 or success: Wix documents neither.
		Delete: &sdk.Delete[crm.Contact]{Kind: sdk.HardDelete, Repeat: sdk.RepeatUnknown, Do: deleteContact},
	},
}

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
