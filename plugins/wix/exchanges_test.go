package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
)

func TestDocumentedExchanges(t *testing.T) {
	const ok = errs.Reason(0)
	list := func(t *testing.T, call *sdk.Call) error {
		page, err := listContacts(providertest.Context(t), call, sdk.ListQuery{PageSize: 50, Filters: sdk.Filters{{Field: "email_addresses.email", Operator: sdk.Equal, Value: "ada@quill.test"}}})
		assert.Len(t, page.Records, 1)
		assert.Empty(t, page.Next)
		return err
	}
	one := func(id string) func(*testing.T, *sdk.Call) error {
		return func(t *testing.T, call *sdk.Call) error {
			_, err := getContact(providertest.Context(t), call, id)
			return err
		}
	}
	create := func(record crm.Contact) func(*testing.T, *sdk.Call) error {
		return func(t *testing.T, call *sdk.Call) error {
			_, err := createContact(providertest.Context(t), call, record)
			return err
		}
	}
	update := func(change sdk.Change[crm.Contact]) func(*testing.T, *sdk.Call) error {
		change.ID = plainID
		return func(t *testing.T, call *sdk.Call) error {
			_, err := updateContact(providertest.Context(t), call, change)
			return err
		}
	}
	title := func(etag *string) func(*testing.T, *sdk.Call) error {
		return update(sdk.Change[crm.Contact]{ETag: etag, Record: crm.Contact{Title: new("Head of Ink")}})
	}
	remove := func(id string) func(*testing.T, *sdk.Call) error {
		return func(t *testing.T, call *sdk.Call) error {
			_, err := deleteContact(providertest.Context(t), call, id)
			return err
		}
	}
	batch := func(ids ...string) func(*testing.T, *sdk.Call) error {
		return func(t *testing.T, call *sdk.Call) error {
			outcomes, err := deleteContacts(providertest.Context(t), call, ids)
			for _, outcome := range outcomes {
				require.NoError(t, outcome.Err)
			}
			return err
		}
	}
	merge := func(t *testing.T, call *sdk.Call) error {
		_, err := mergeContacts(providertest.Context(t), call, plainID, []string{"3f2c1a10-0000-4000-8000-000000000002"})
		return err
	}
	nia := crm.Contact{
		FirstName: new("Nia"), LastName: new("Vale"), Title: new("Gardener"), Account: &crm.AccountReference{Name: new("Vale Ltd")},
		EmailAddresses: []crm.EmailAddress{{Email: new("nia.vale@example.com"), Type: new("work")}},
		Addresses:      []crm.Address{{Street1: new("2 Moss Row"), City: new("York"), State: new("GB-ENG"), Country: new("GB"), PostalCode: new("YO1 7HH"), Type: new("work")}},
		RemoteData:     json.RawMessage(`{"info":{"phones":{"items":[{"tag":"WORK","countryCode":"GB","phone":"020 7946 0958","primary":true}]}}}`),
	}
	cases := []struct {
		exchanges string
		do        func(*testing.T, *sdk.Call) error
		reason    errs.Reason
		message   string
	}{
		{"query-contacts-by-any-email list-labels", list, ok, ""},
		{"query-contacts-too-many-to-count list-labels", list, ok, ""},
		{"get-contact list-labels", one(plainID), ok, ""},
		{"get-contact-unknown", one(unknownID), errs.RecordNotFound, "not found"},
		{"get-contact-merged-away", one(mergedID), errs.RecordNotFound, targetID},
		{"get-contact-malformed-id", one("4711"), errs.VendorRejected, "GUID"},
		{"error-without-details", one(unknownID), errs.RecordNotFound, "not found"},
		{"not-found-as-plain-text", one(plainID), errs.RecordNotFound, "Not Found"},
		{"gateway-error-as-html", one(plainID), errs.VendorUnavailable, "Wix answered 502"},
		{"server-error-with-an-empty-body", one(plainID), errs.VendorUnavailable, "Wix answered 500"},
		{"create-contact", create(nia), ok, ""},
		{"get-contact update-contact list-labels", title(nil), ok, ""},
		{"get-contact update-contact list-labels", title(new("4")), ok, ""},
		{"get-contact", title(new("3")), errs.StaleVersion, "has changed"},
		{"get-contact list-labels label-contact", update(sdk.Change[crm.Contact]{Record: crm.Contact{Tags: []crm.Tag{{ID: new("custom.newsletter")}, {ID: new("custom.vip")}}}}), ok, ""},
		{"merge-contacts get-contact list-labels", merge, ok, ""},
		{"query-contacts-by-id bulk-delete-contacts get-bulk-job", batch(plainID), ok, ""},
		{"delete-contact", remove(plainID), ok, ""},
		{"delete-contact-unknown", remove(unknownID), errs.RecordNotFound, "not found"},
		{"delete-contact-unknown-answered-with-success", remove(unknownID), ok, ""},
		{"delete-contact-malformed-id", remove("4711"), errs.VendorRejected, "GUID"},
		{"delete-contact-without-permission", remove(plainID), errs.VendorForbidden, "lacks the permission"},
		{"delete-contact-member", remove(memberID), errs.VendorPrecondition, "delete the member at Wix first"},
		{"delete-contact-with-subscription", remove(subscriberID), errs.VendorPrecondition, "cancel the subscription at Wix first"},
		{"delete-contact-wix-user", remove(wixUserID), errs.VendorPrecondition, "take that role from them at Wix first"},
		{"delete-contact-half-done", remove(memberID), errs.UnexpectedVendorAnswer, "member but not the contact"},
	}
	for _, c := range cases {
		t.Run(c.exchanges, func(t *testing.T) {
			err := c.do(t, vendor(t, strings.Fields(c.exchanges)...))
			if c.reason == ok {
				require.NoError(t, err)
				return
			}
			e := providertest.RequireReason(t, err, c.reason)
			assert.Contains(t, e.Message, c.message)
			if c.reason != errs.StaleVersion {
				require.NotNil(t, e.Vendor, "the vendor's answer is attached")
			}
		})
	}
}
