package main

import (
	_ "embed"
	"encoding/json"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
)

// version is the provider's own. It goes up with each release; CHANGELOG.md
// says what for.
//
//go:embed VERSION
var version string

// YOUR VENDOR, 1 of 4: who it is, which credentials it takes, and what it can
// do. What is advertised here must work; what is left out is refused by the
// host with a clear answer.

// provider is the table of contents: what Acme CRM offers through unicrm.
var provider = sdk.Provider{
	Slug:        "acme",
	DisplayName: "Acme CRM",
	Version:     version,
	// The plugin talks to these hosts and to no others.
	AllowedHosts: []string{"api.acme.test"},
	Authentication: []sdk.AuthenticationMethod{{
		Name: "api_key",
		// What is "writeOnly" is a secret: it never comes out again, and is
		// struck out of errors and logs. The pattern keeps out what cannot
		// stand in a header.
		Schema: json.RawMessage(`{
			"$schema": "https://json-schema.org/draft/2020-12/schema",
			"type": "object",
			"properties": {
				"api_key": {
					"type": "string", "minLength": 1, "pattern": "^[!-~]+$", "writeOnly": true,
					"title": "API key",
					"description": "Say here where a customer finds it."
				}
			},
			"required": ["api_key"],
			"additionalProperties": false
		}`),
	}},
	CheckConnection: checkConnection,
	Contacts: &sdk.Resource[crm.Contact]{
		IDPattern: idPattern,
		List: &sdk.List[crm.Contact]{
			Returned: contactFields, PageCap: 100, Do: listContacts,
			Filters: sdk.EqualTo("email_addresses.email"),
		},
		Get:         &sdk.Get[crm.Contact]{Returned: contactFields, Do: getContact},
		Create:      &sdk.Create[crm.Contact]{Returned: contactFields, Writable: writableFields, Required: []string{"last_name"}, Do: createContact},
		Update:      &sdk.Update[crm.Contact]{Returned: contactFields, Writable: writableFields, Do: updateContact},
		Delete:      deletion,
		BatchDelete: sdk.FanOut(deletion, idPattern, 10), // requests a second: the vendor's limit
	},
}

// idPattern matches whole ids of this vendor and nothing else: any other id is
// answered with 404 without asking anybody.
const idPattern = `[1-9][0-9]{0,18}`

var deletion = &sdk.Delete[crm.Contact]{Kind: sdk.HardDelete, Repeat: sdk.RepeatNotFound, Do: deleteContact}
