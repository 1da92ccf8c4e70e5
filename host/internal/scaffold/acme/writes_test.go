package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
)

// The calls of a Host go through the protocol, as a real host's do: what the SDK
// does around the functions is part of the test.

// RoundTrip makes random contacts of what is advertised as writable and holds
// creates, updates and deletes to it.
func TestRoundTrip(t *testing.T) {
	providertest.RoundTrip(t, start(t, nil), providertest.Support{
		Emails: providertest.Items{Most: 1},
		Phones: providertest.Items{Most: 1},
	})
}

// Lists holds every filter and sort key to what it promises.
func TestLists(t *testing.T) { providertest.Lists(t, start(t, nil)) }

func nora() crm.Contact {
	return crm.Contact{
		FirstName: new("Nora"), LastName: new("Quill"), Account: &crm.AccountReference{Name: new("Harbour Works")},
		EmailAddresses: []crm.EmailAddress{{Email: new("nora@example.com")}},
		PhoneNumbers:   []crm.PhoneNumber{{Number: new("+1 202 555 0100")}},
	}
}

// The request has to be the documented one, to the last key of its body.
func TestDocumentedWritesAreSentAndUnderstood(t *testing.T) {
	made, err := createContact(providertest.Context(t), documented(t, "create-person"), nora())
	require.NoError(t, err)
	assert.Equal(t, "70000000077", *made.ID)
	change := sdk.Change[crm.Contact]{ID: "70000000077", Record: crm.Contact{LastName: new("Okafor")}, Clear: map[string]bool{"phone_numbers": true}}
	changed, err := updateContact(providertest.Context(t), documented(t, "update-person"), change)
	require.NoError(t, err)
	assert.Equal(t, "Nora Okafor", *changed.Name)
	assert.Empty(t, changed.PhoneNumbers)
}

func TestARefusedFieldIsNamedAsTheCallerKnowsIt(t *testing.T) {
	record := crm.Contact{LastName: new("Quill"), EmailAddresses: []crm.EmailAddress{{Email: new("nobody")}}}
	_, err := createContact(providertest.Context(t), documented(t, "create-person-invalid"), record)
	e := providertest.RequireReason(t, err, errs.VendorRejected)
	assert.Equal(t, []errs.Field{{Path: "email_addresses[0].email", Description: "email must be an e-mail address"}}, e.Fields)
}

func TestWhatTheVendorHasNoPlaceForIsToldAndNotLostInSilence(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	two := nora()
	two.PhoneNumbers = append(two.PhoneNumbers, crm.PhoneNumber{Number: new("+1 202 555 0101")})
	k.RequireNoCalls(t, func() {
		_, _, err := h.Create(t, two)
		e := providertest.RequireReason(t, err, errs.LossyWrite)
		assert.Equal(t, "phone_numbers[1]", e.Fields[0].Path)
	})
	made, result, err := h.Create(t, two, providertest.AllowLossy)
	require.NoError(t, err)
	assert.Len(t, result.GetWarnings(), 1)
	assert.Len(t, made.PhoneNumbers, 1)
}

func TestADryRunShowsTheRequestAndSendsNothing(t *testing.T) {
	k := start(t, nil)
	k.RequireNoCalls(t, func() {
		_, result, err := k.Host(t).Create(t, nora(), providertest.DryRun)
		require.NoError(t, err)
		require.Len(t, result.GetVendorRequests(), 1)
		assert.Equal(t, k.Emulator.URL()+"/v1/people", result.GetVendorRequests()[0].GetUrl())
		assert.JSONEq(t, `{"first_name":"Nora","last_name":"Quill","company":"Harbour Works","email":"nora@example.com","phone":"+1 202 555 0100"}`, string(result.GetVendorRequests()[0].GetBody()))
	})
}

func TestRemoteDataGoesIntoTheBodyAsItIs(t *testing.T) {
	k := start(t, nil)
	contact := nora()
	contact.RemoteData = json.RawMessage(`{"role":"Head of Ops","phone":"0100"}`)
	made, _, err := k.Host(t).Create(t, contact)
	require.NoError(t, err)
	assert.Contains(t, string(made.RemoteData), `"role":"Head of Ops"`)
	assert.Equal(t, "0100", *made.PhoneNumbers[0].Number, "it replaces what was mapped")
}

func TestOfManyDeletesEachIsToldOf(t *testing.T) {
	k := start(t, nil)
	id := anyID(t, k)
	outcomes, _, err := k.Host(t).BatchDelete(t, []string{id, unknownID})
	require.NoError(t, err)
	require.NoError(t, outcomes[0])
	providertest.RequireReason(t, outcomes[1], errs.RecordNotFound)
}
