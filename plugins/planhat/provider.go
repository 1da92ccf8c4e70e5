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

// provider is the table of contents: what Planhat offers through unicrm.
var provider = sdk.Provider{
	Slug:             "planhat",
	DisplayName:      "Planhat",
	Version:          version,
	DocumentationURL: "https://www.planhat.com/developers/api/enduser",
	AllowedHosts:     hosts,
	Authentication: []sdk.AuthenticationMethod{{
		Name: "api_token",
		Schema: json.RawMessage(`{
			"$schema": "https://json-schema.org/draft/2020-12/schema",
			"type": "object",
			"properties": {
				"api_token": {
					"type": "string", "minLength": 1, "pattern": "^[!-~]+$", "writeOnly": true,
					"title": "API access token",
					"description": "The token of a Private App (Service Account in older tenants), which an administrator creates in Planhat's App Center or Settings. It is shown once. The app needs permission to view and to delete end users."
				},
				"region_host": {
					"type": "string", "maxLength": 100, "pattern": "^$|planhat",
					"title": "API host of the region",
					"description": "Only where Planhat told you another API host than api.planhat.com: api-eu, api-eu2, api-eu3 or api-us2.planhat.com, or api.planhatdemo.com for a demo tenant.",
					"examples": ["api.planhat.com", "api-eu.planhat.com", "api-eu2.planhat.com", "api-eu3.planhat.com", "api-us2.planhat.com", "api.planhatdemo.com"]
				}
			},
			"required": ["api_token"],
			"additionalProperties": false
		}`),
	}},
	// Who shares them, the vendor does not say.
	RateLimits:      []sdk.RateLimitHint{{Calls: 200, Window: time.Minute}, {Calls: 150, Window: time.Second}},
	CheckConnection: checkConnection,
	Contacts: &sdk.Resource[crm.Contact]{
		// ObjectIds alone. The aliases extid-… and srcid-… work for reads, but
		// whether a delete takes them is not known, and one pattern is for all
		// methods.
		IDPattern: `[0-9a-fA-F]{24}`,
		// The reference says at most 5000 for companies and nothing for
		// endusers; clients ask for 2000.
		List:   &sdk.List[crm.Contact]{Returned: contactFields, PageCap: 2000, Do: listContacts},
		Get:    &sdk.Get[crm.Contact]{Returned: contactFields, Do: getContact},
		Delete: &sdk.Delete[crm.Contact]{Kind: sdk.HardDelete, Repeat: sdk.RepeatNotFound, Do: deleteContact},
	},
}

// checkConnection lists one enduser: Planhat has no call about the token
// itself, and contacts are what the token is for.
func checkConnection(ctx context.Context, call *sdk.Call) error {
	client, err := newClient(call)
	if err != nil {
		return err
	}
	request := get("endusers")
	request.Fixed = []vendorhttp.Param{{Name: "limit", Value: "1"}}
	response, err := client.Main(ctx, request)
	if err != nil {
		return err
	}
	_, err = listIn(response)
	return err
}
