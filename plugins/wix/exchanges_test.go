package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
)

func TestDocumentedExchanges(t *testing.T) {
	const ok = errs.Reason(0)
	list := func(token string) func(*testing.T, *sdk.Call) error {
		return func(t *testing.T, call *sdk.Call) error {
			page, err := listContacts(providertest.Context(t), call, sdk.ListQuery{PageSize: 50, PageToken: token})
			assert.LessOrEqual(t, len(page.Records), 1)
			return err
		}
	}
	one := func(id string) func(*testing.T, *sdk.Call) error {
		return func(t *testing.T, call *sdk.Call) error {
			_, err := getContact(providertest.Context(t), call, id)
			return err
		}
	}
	remove := func(id string) func(*testing.T, *sdk.Call) error {
		return func(t *testing.T, call *sdk.Call) error {
			_, err := deleteContact(providertest.Context(t), call, id)
			return err
		}
	}
	atFour := list(sdk.EncodeToken(position{Offset: 4, Limit: 1}))
	cases := []struct {
		exchanges string
		do        func(*testing.T, *sdk.Call) error
		reason    errs.Reason
		message   string
	}{
		{"list-contacts list-labels", atFour, ok, ""},
		{"list-contacts-sorted list-labels", atFour, ok, ""},
		{"list-contacts-too-many-to-count list-labels", atFour, ok, ""},
		{"list-contacts-past-the-end", list(sdk.EncodeToken(position{Offset: 5000, Limit: 50})), ok, ""},
		{"get-contact list-labels", one(plainID), ok, ""},
		{"get-contact-unknown", one(unknownID), errs.RecordNotFound, "not found"},
		{"get-contact-merged-away", one(mergedID), errs.RecordNotFound, targetID},
		{"get-contact-malformed-id", one("4711"), errs.VendorRejected, "GUID"},
		{"error-without-details", one(unknownID), errs.RecordNotFound, "not found"},
		{"not-found-as-plain-text", one(plainID), errs.RecordNotFound, "Not Found"},
		{"gateway-error-as-html", one(plainID), errs.VendorUnavailable, "Wix answered 502"},
		{"server-error-with-an-empty-body", one(plainID), errs.VendorUnavailable, "Wix answered 500"},
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
			require.NotNil(t, e.Vendor, "the vendor's answer is attached")
		})
	}
}
