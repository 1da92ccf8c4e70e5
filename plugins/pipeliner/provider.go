package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"slices"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

//go:embed VERSION
var version string

// provider is the table of contents: what Pipeliner offers through unicrm.
// The vendor documents no rate limit.
var provider = sdk.Provider{
	Slug:             "pipeliner",
	DisplayName:      "Pipeliner CRM",
	Version:          version,
	DocumentationURL: "https://developers.pipelinersales.com/api-docs",
	// The region cannot be derived, and the vendor writes its hosts with and
	// without ".api": us-east.api.pipelinersales.com, us-east.pipelinersales.com.
	AllowedHosts: []string{"*.pipelinersales.com"},
	Authentication: []sdk.AuthenticationMethod{{
		Name: "api_key",
		Schema: json.RawMessage(`{
			"$schema": "https://json-schema.org/draft/2020-12/schema",
			"type": "object",
			"properties": {
				"service_url": {
					"type": "string", "minLength": 1, "maxLength": 500, "pattern": "pipelinersales",
					"title": "Service URL",
					"description": "Stands beside the API key, such as https://eu-central.api.pipelinersales.com. It names the region in which the space lives. In Pipeliner: Administration, Unit/Users & Roles, Applications, the application, Show API Access."
				},
				"space_id": {
					"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[A-Za-z0-9_-]+$",
					"title": "Space ID",
					"description": "Stands on the same panel, such as nv3_Name."
				},
				"username": {
					"type": "string", "minLength": 1, "pattern": "^[!-9;-~]+$", "writeOnly": true,
					"title": "API key: username",
					"description": "The first half of the API key of an application, not a person's login. Make one under Administration, Unit/Users & Roles, Applications, New; both halves are shown once."
				},
				"password": {
					"type": "string", "minLength": 1, "pattern": "^[!-~]+$", "writeOnly": true,
					"title": "API key: password",
					"description": "The second half of the API key, shown once beside the first."
				}
			},
			"required": ["service_url", "space_id", "username", "password"],
			"additionalProperties": false
		}`),
	}},
	CheckConnection: checkConnection,
	Contacts: &sdk.Resource[crm.Contact]{
		IDPattern: idPattern,
		List: &sdk.List[crm.Contact]{
			Returned: contactFields, PageCap: largestPage, Do: listContacts,
			Filters:  slices.Concat(sdk.EqualTo("first_name", "last_name", "email_addresses.email", "phone_numbers.number", "is_deleted"), sdk.ByTime("created_at", "updated_at")),
			SortKeys: []string{"id", "first_name", "last_name", "created_at", "updated_at"},
		},
		Get: &sdk.Get[crm.Contact]{Returned: contactFields, Do: getContact},
		// Of the names a contact needs one, which is the vendor's to look after.
		Create:      &sdk.Create[crm.Contact]{Returned: contactFields, Writable: append([]string{"created_at"}, writableFields...), Required: []string{"owner.id"}, Do: createContact},
		Update:      &sdk.Update[crm.Contact]{Returned: contactFields, Writable: append([]string{"etag"}, writableFields...), Do: updateContact},
		Upsert:      &sdk.Upsert[crm.Contact]{Find: findByEmail},
		Delete:      &sdk.Delete[crm.Contact]{Kind: sdk.SoftDelete, Repeat: sdk.RepeatUnknown, Do: deleteContact}, // nothing says how long rows are kept
		BatchDelete: &sdk.BatchDelete{Do: batchDeleteContacts},
		Merge:       &sdk.Merge[crm.Contact]{Returned: contactFields, Do: mergeContacts},
	},
}

// idPattern is a UUID of any version: recorded ids are not all of version 4.
const idPattern = `[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}`

// largestPage is the most that a list gives at once.
const largestPage = 100

// checkConnection reads one contact: there is no call about the key itself.
func checkConnection(ctx context.Context, call *sdk.Call) error {
	client, err := newClient(call)
	if err != nil {
		return err
	}
	request := get("Contacts")
	request.Fixed = []vendorhttp.Param{{Name: "first", Value: "1"}}
	_, err = ask(ctx, client.Main, request)
	return aboutSpace(err)
}
