package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"maps"
	"slices"
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
					"description": "The token of a Private App (Service Account in older tenants), which an administrator creates in Planhat's App Center or Settings. It is shown once. The app needs permission to view, create, update and delete end users, and to view companies and custom fields."
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
		IDPattern: idPattern,
		List: &sdk.List[crm.Contact]{
			Returned: contactFields, PageCap: 1000, Do: listContacts,
			Filters:  slices.Concat(sdk.EqualTo("email_addresses.email"), sdk.ByTime("created_at", "updated_at")),
			SortKeys: slices.Sorted(maps.Keys(orders)),
		},
		Get: &sdk.Get[crm.Contact]{Returned: contactFields, Do: getContact},
		// email is marked as required, too, and so is companyId, which the same
		// page says is found by the address where it is missing. So it is left to
		// the vendor whether a contact can do without an address.
		Create: &sdk.Create[crm.Contact]{Returned: contactFields, Writable: append([]string{"created_at"}, writableFields...), Required: []string{"account.id"}, Do: createContact},
		Update: &sdk.Update[crm.Contact]{Returned: contactFields, Writable: writableFields, Do: updateContact},
		// The bulk upsert matches ids before addresses, says nothing of two at the
		// same moment, and answers without the contact: a create does as well.
		Upsert:      &sdk.Upsert[crm.Contact]{Find: findByEmail},
		Delete:      deletion,
		BatchDelete: sdk.FanOut(deletion, idPattern, deletesPerSecond),
	},
}

// idPattern takes ObjectIds alone. The aliases extid-… and srcid-… work for
// reads and updates, but whether a delete takes them is not known, and one
// pattern is for all methods.
const idPattern = `[0-9a-fA-F]{24}`

// deletesPerSecond keeps to the vendor's 200 calls a minute.
const deletesPerSecond = 200.0 / 60

var deletion = &sdk.Delete[crm.Contact]{Kind: sdk.HardDelete, Repeat: sdk.RepeatNotFound, Do: deleteContact}

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
