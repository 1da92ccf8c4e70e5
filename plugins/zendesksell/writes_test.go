package main

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
)

var support = providertest.Support{
	Accounts: []string{"900001", "900002"}, Owners: []string{"7", "8"},
	Emails:    providertest.Items{Most: 1, Types: []string{"primary", ""}},
	Phones:    providertest.Items{Most: 3, Types: []string{"work", "mobile", "fax"}, Once: true},
	Addresses: providertest.Items{Most: 1, Types: []string{"mailing"}},
	URLs:      providertest.Items{Most: 4, Types: []string{"website", "linkedin", "facebook", "twitter"}, Once: true},
	Tags:      []string{"new one", "Größe"},
	Kept:      []string{"owner"},
	CustomFields: map[string][]string{
		"Known via": {`"Fair"`, `"Web"`}, "Budget": {`"12345678901234567890.10"`, `"0"`}, "Newsletter": {`true`, `false`},
		"Interests": {`["Paper","Looms, used"]`, `["Ink"]`}, "Renewal date": {`"2026-02-03"`}, "field.with.dots": {`"a.b"`}, "Shoe size [EU]": {`"41"`, `null`}, "Größe": {`"groß"`},
	},
}

func TestRoundTrip(t *testing.T) { providertest.RoundTrip(t, start(t, nil), support) }

func TestRoundTripWhereTheVendorReplacesWhatItCouldMerge(t *testing.T) {
	providertest.RoundTrip(t, start(t, map[string]string{"put_custom_fields": "replace", "address_update": "merge"}), support)
}

func TestLists(t *testing.T) { providertest.Lists(t, start(t, nil)) }

func TestIncrementalReadingPassesNobodyOver(t *testing.T) { providertest.Incremental(t, start(t, nil)) }

func full() crm.Contact {
	return crm.Contact{
		FirstName: new("Ada"), LastName: new("Quill"), Title: new("Buyer"),
		Account: &crm.AccountReference{ID: new("900001")}, Owner: &crm.UserReference{ID: new("8")},
		Addresses:      []crm.Address{{Street1: new("1 Ink Lane"), City: new("Leeds"), PostalCode: new("LS1 1AA"), Country: new("GB")}},
		EmailAddresses: []crm.EmailAddress{{Email: new("ada@quill.test")}},
		PhoneNumbers:   []crm.PhoneNumber{{Number: new("+44 20 7946 0001"), Type: new("mobile")}, {Number: new("+44 20 7946 0002")}},
		URLs:           []crm.URL{{URL: new("https://quill.test")}},
		Tags:           []crm.Tag{{Name: new("vip")}},
		CustomFields:   json.RawMessage(`{"Known via":"Fair","Budget":"12.50"}`),
		RemoteData:     json.RawMessage(`{"description":"as is","customer_status":"past"}`),
	}
}

func TestWhatGoesOut(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	var made *crm.Contact
	k.GoldenRequests(t, "create", func() {
		var err error
		made, _, err = h.Create(t, full())
		require.NoError(t, err)
	})
	k.GoldenRequests(t, "update", func() {
		_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: *made.ID, ETag: made.ETag, Record: crm.Contact{
			Title: new("Head of Ink"), PhoneNumbers: []crm.PhoneNumber{{Number: new("+44 20 7946 0003"), Type: new("fax")}}, CustomFields: json.RawMessage(`{"Budget":null}`),
		}, Clear: map[string]bool{"account": true, "tags": true, "first_name": true, "addresses": true}})
		require.NoError(t, err)
	})
	k.GoldenRequests(t, "upsert-existing", func() {
		_, created, _, err := h.Upsert(t, crm.Contact{Title: new("Owner"), EmailAddresses: []crm.EmailAddress{{Email: new("ada@quill.test")}}})
		require.NoError(t, err)
		assert.False(t, created)
	})
	k.GoldenRequests(t, "upsert-new", func() {
		_, created, _, err := h.Upsert(t, crm.Contact{LastName: new("New"), EmailAddresses: []crm.EmailAddress{{Email: new("new@quill.test")}}})
		require.NoError(t, err)
		assert.True(t, created)
	})
	k.GoldenRequests(t, "list-filtered", func() {
		_, err := h.All(t, sdk.ListQuery{PageSize: 50, Filters: sdk.Filters{
			{Field: "phone_numbers.number", Operator: sdk.Equal, Value: "+44 20 7946 0003"}, {Field: "updated_at", Operator: sdk.Greater, Value: "2024-01-01T00:00:00Z"},
		}}, nil)
		require.NoError(t, err)
	})
	k.GoldenRequests(t, "batch-delete", func() {
		outcomes, _, err := h.BatchDelete(t, []string{*made.ID})
		require.NoError(t, err)
		assert.Equal(t, []error{nil}, outcomes)
	})
}

func TestADryRunSendsNothing(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	k.RequireNoCalls(t, func() {
		_, result, err := h.Create(t, full(), providertest.DryRun)
		require.NoError(t, err)
		requests := result.GetVendorRequests()
		last := requests[len(requests)-1]
		assert.Equal(t, "POST", last.GetMethod())
		assert.Equal(t, k.Emulator.URL()+"/v2/contacts", last.GetUrl())
		assert.Contains(t, string(last.GetBody()), `"last_name":"Quill"`)
		assert.True(t, last.GetMain())
		_, result, err = h.Update(t, sdk.Change[crm.Contact]{ID: "400001", Record: crm.Contact{Title: new("x")}}, providertest.DryRun)
		require.NoError(t, err)
		assert.Len(t, result.GetVendorRequests(), 2, "the look and the change")
		result, err = h.Delete(t, "400001", providertest.DryRun)
		require.NoError(t, err)
		assert.Len(t, result.GetVendorRequests(), 2)
		_, result, err = h.BatchDelete(t, []string{"400001", "400002"}, providertest.DryRun)
		require.NoError(t, err)
		assert.Len(t, result.GetVendorRequests(), 4)
		_, _, result, err = h.Upsert(t, full(), providertest.DryRun)
		require.NoError(t, err)
		assert.NotContains(t, result.String(), "emulator-personal-access-token")
		_, _, err = h.Create(t, crm.Contact{FirstName: new("Ada")}, providertest.DryRun)
		providertest.RequireReason(t, err, errs.InvalidBody)
	})
}

func TestWhatSellCannotHoldIsNotLostInSilence(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	two := crm.Contact{
		LastName:       new("Quill"),
		EmailAddresses: []crm.EmailAddress{{Email: new("a@quill.test"), Type: new("work")}, {Email: new("b@quill.test")}},
		PhoneNumbers:   []crm.PhoneNumber{{Number: new("1"), Type: new("home")}, {Number: new("2"), Type: new("pager")}},
	}
	k.RequireNoCalls(t, func() {
		_, _, err := h.Create(t, two)
		e := providertest.RequireReason(t, err, errs.LossyWrite)
		var paths []string
		for _, f := range e.Fields {
			paths = append(paths, f.Path)
		}
		assert.Equal(t, []string{"email_addresses[0].type", "email_addresses[1]", "phone_numbers[0].type", "phone_numbers[1]"}, paths)
	})
	made, result, err := h.Create(t, two, providertest.AllowLossy)
	require.NoError(t, err)
	assert.Len(t, result.GetWarnings(), 4)
	assert.Equal(t, "a@quill.test", *made.EmailAddresses[0].Email)
	assert.Equal(t, "1", *made.PhoneNumbers[0].Number)
}

func TestRefusedFieldsAreNamedInTheCallersWords(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	_, _, err := h.Create(t, crm.Contact{
		LastName: new("Quill"), Account: &crm.AccountReference{ID: new("not-a-number")},
		Addresses:    []crm.Address{{City: new("Leeds")}, {City: new("York"), Type: new("billing")}},
		CustomFields: json.RawMessage(`{"Known via":"Moon"}`), RemoteData: json.RawMessage(`{"nonsense":1}`),
	})
	e := providertest.RequireReason(t, err, errs.VendorRejected)
	paths := map[string]bool{}
	for _, f := range e.Fields {
		paths[f.Path] = true
	}
	assert.Equal(t, map[string]bool{"account.id": true, "addresses[1]": true, "custom_fields.Known via": true, "remote_data.nonsense": true}, paths)
}

func TestUnknownCustomFieldsAreRefusedWithTheNamesThatThereAre(t *testing.T) {
	k := start(t, nil)
	_, _, err := k.Host(t).Create(t, crm.Contact{LastName: new("Quill"), CustomFields: json.RawMessage(`{"budget":"1","Fiscal year":"2026"}`)})
	e := providertest.RequireReason(t, err, errs.InvalidBody)
	require.Len(t, e.Fields, 2)
	assert.Equal(t, "custom_fields.budget", e.Fields[0].Path)
	assert.Contains(t, e.Fields[0].Description, "which has: Budget, ")
	for _, call := range k.Emulator.Calls() {
		assert.Equal(t, http.MethodGet, call.Method)
	}
}

func TestAStaleVersionChangesNothing(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	before, err := h.Get(t, "400001")
	require.NoError(t, err)
	_, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: "400001", ETag: before.ETag, Record: crm.Contact{Title: new("first")}})
	require.NoError(t, err)
	_, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: "400001", ETag: before.ETag, Record: crm.Contact{Title: new("second")}})
	providertest.RequireReason(t, err, errs.StaleVersion)
	after, err := h.Get(t, "400001")
	require.NoError(t, err)
	assert.Equal(t, "first", *after.Title)
}

func TestACompanyIsNotChangedThroughTheContactsDoor(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: "900001", Record: crm.Contact{Title: new("x")}})
	providertest.RequireReason(t, err, errs.RecordNotFound)
	outcomes, _, err := h.BatchDelete(t, []string{"900001", "400001", "123456789"})
	require.NoError(t, err)
	providertest.RequireReason(t, outcomes[0], errs.RecordNotFound)
	require.NoError(t, outcomes[1])
	providertest.RequireReason(t, outcomes[2], errs.RecordNotFound)
	for _, call := range k.Emulator.Calls() {
		assert.NotEqual(t, "/v2/contacts/900001", map[bool]string{true: call.Path}[call.Method != http.MethodGet])
	}
}

func TestAnAddressThatSeveralHaveIsNoUpsert(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	shared, err := h.Get(t, "400001")
	require.NoError(t, err)
	_, _, _, err = h.Upsert(t, crm.Contact{Title: new("x"), EmailAddresses: []crm.EmailAddress{{Email: shared.EmailAddresses[0].Email}}})
	e := providertest.RequireReason(t, err, errs.Conflict)
	assert.Contains(t, e.Message, "910006", "both are named")
}

func TestBareHandlesSurviveAWriteOfWebAddresses(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	made, _, err := h.Create(t, crm.Contact{LastName: new("Quill"), RemoteData: json.RawMessage(`{"twitter":"quill"}`)})
	require.NoError(t, err)
	after, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: *made.ID, Record: crm.Contact{URLs: []crm.URL{{URL: new("https://quill.test")}}}})
	require.NoError(t, err)
	assert.Contains(t, string(after.RemoteData), `"twitter":"quill"`)
}

func TestNoCompanyIsMadeThroughTheContactsDoor(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	k.RequireNoCalls(t, func() {
		_, _, err := h.Create(t, crm.Contact{LastName: new("B"), RemoteData: json.RawMessage(`{"Is_Organization":true,"id":7,"name":"Ink Ltd"}`)})
		e := providertest.RequireReason(t, err, errs.LossyWrite)
		assert.Len(t, e.Fields, 2)
		_, _, _, err = h.Upsert(t, full(), providertest.DryRun, providertest.RemoteQuery("id", "400002"))
		providertest.RequireReason(t, err, errs.InvalidParameter)
	})
	made, _, err := h.Create(t, crm.Contact{LastName: new("B"), RemoteData: json.RawMessage(`{"is_organization":true}`)}, providertest.AllowLossy)
	require.NoError(t, err)
	assert.Contains(t, string(made.RemoteData), `"is_organization":false`)
}

func TestAWholeNameIsEnough(t *testing.T) {
	made, _, err := start(t, nil).Host(t).Create(t, crm.Contact{Name: new("Mary Jane Watson")})
	require.NoError(t, err)
	assert.Equal(t, "Mary Jane", *made.FirstName)
	assert.Equal(t, "Watson", *made.LastName)
}
