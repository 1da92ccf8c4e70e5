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
	Emails:    providertest.Items{Most: 4, Types: []string{"main", "home", "work", ""}},
	Phones:    providertest.Items{Most: 4, Types: []string{"main", "home", "mobile", "work", "fax", ""}},
	Addresses: providertest.Items{Most: 3, Types: []string{"home", "work", "billing", "shipping", ""}},
	Tags:      []string{"VIP", "new one", "Größe"},
	CustomFields: map[string][]string{
		"custom.shoe-size": {`"41"`, `"a.b [c]"`, `null`}, "custom.loyalty-points-1": {`12345678901234567890.10`, `0`, `1.50`},
		"custom.first-purchase-7c1e": {`"2026-02-03"`, `null`}, "custom.website": {`"https://example.com/a?b=c"`},
	},
	// A contact needs a name, an address or a number, and may lose the other two.
	Contact: func(c *crm.Contact) {
		if c.LastName == nil {
			c.LastName = new("Quill")
		}
	},
	Kept: []string{"last_name"},
}

// The fields of Wix's own follow the rest of a contact, so that no field would
// be the only one that changes: the emulated site has none.
func TestRoundTrip(t *testing.T) {
	providertest.RoundTrip(t, start(t, map[string]string{"system_fields": "none"}), support)
}

func TestRoundTripWhereTheVendorKeepsOrDropsWhatAWriteLeavesOut(t *testing.T) {
	providertest.RoundTrip(t, start(t, map[string]string{
		"system_fields": "none", "extended_fields_patch": "merge", "name_patch": "replace", "null_clears": "ignore", "primary_default": "none", "label_revision": "keep", "first_revision": "1", "unknown_fields": "400",
	}), support)
}

func TestLists(t *testing.T) { providertest.Lists(t, start(t, nil)) }

func TestListsWhereTheVendorCountsOtherwise(t *testing.T) {
	providertest.Lists(t, start(t, map[string]string{"too_many_to_count": "true", "empty_list": "missing", "default_sort": "createdDate_desc"}))
}

func TestIncrementalReadingPassesNobodyOver(t *testing.T) { providertest.Incremental(t, start(t, nil)) }

func full() crm.Contact {
	return crm.Contact{
		FirstName: new("Ada"), LastName: new("Quill"), Title: new("Buyer"), Account: &crm.AccountReference{Name: new("Quill Ltd")},
		Addresses:      []crm.Address{{Street1: new("1 Ink Lane"), Street2: new("Flat 2"), City: new("Leeds"), State: new("GB-ENG"), PostalCode: new("LS1 1AA"), Country: new("GB"), Type: new("home")}},
		EmailAddresses: []crm.EmailAddress{{Email: new("ada@quill.test"), Type: new("work")}, {Email: new("ada@example.com")}},
		PhoneNumbers:   []crm.PhoneNumber{{Number: new("+44 20 7946 0001"), Type: new("mobile")}, {Number: new("+44 20 7946 0002")}},
		Tags:           []crm.Tag{{Name: new("VIP")}, {Name: new("Fair 2026")}},
		CustomFields:   json.RawMessage(`{"custom.shoe-size":"41","custom.loyalty-points-1":12.50}`),
		RemoteData:     json.RawMessage(`{"info":{"birthdate":"1990-03-15","locale":"en-GB"}}`),
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
		assert.Equal(t, "Quill Ltd", *made.Account.Name)
		assert.Contains(t, string(made.RemoteData), `"birthdate":"1990-03-15"`)
	})
	k.GoldenRequests(t, "update", func() {
		_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: *made.ID, ETag: made.ETag, Record: crm.Contact{
			Title: new("Head of Ink"), PhoneNumbers: []crm.PhoneNumber{{Number: new("+44 20 7946 0003"), Type: new("fax")}, {Number: new("+44 20 7946 0002")}},
			Tags: []crm.Tag{{ID: new("custom.newsletter")}, {Name: new("VIP")}}, CustomFields: json.RawMessage(`{"custom.loyalty-points-1":null}`),
		}, Clear: map[string]bool{"account": true, "first_name": true, "addresses": true}})
		require.NoError(t, err)
	})
	k.GoldenRequests(t, "upsert-existing", func() {
		_, created, _, err := h.Upsert(t, crm.Contact{Title: new("Owner"), EmailAddresses: []crm.EmailAddress{{Email: new("ada@example.com")}}})
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
			{Field: "first_name", Operator: sdk.Equal, Value: "Ada"},
			{Field: "last_name", Operator: sdk.Equal, Value: "Quill"},
			{Field: "email_addresses.email", Operator: sdk.Equal, Value: "contact1@example.com"},
			{Field: "phone_numbers.number", Operator: sdk.Equal, Value: "+1 202 555 0100"},
			{Field: "search", Operator: sdk.Equal, Value: "Ada"},
		}}, nil)
		require.NoError(t, err)
	})
	k.GoldenRequests(t, "list-by-time", func() {
		_, err := h.All(t, sdk.ListQuery{PageSize: 2, Filters: sdk.Filters{
			{Field: "created_at", Operator: sdk.GreaterOrEqual, Value: "2024-01-12T00:00:00Z"},
			{Field: "created_at", Operator: sdk.Less, Value: "2024-01-15T00:00:00Z"},
			{Field: "updated_at", Operator: sdk.LessOrEqual, Value: "2024-06-01T00:00:00Z"},
			{Field: "last_activity_at", Operator: sdk.Greater, Value: "2024-01-01T00:00:00Z"},
		}}, nil)
		require.NoError(t, err)
	})
	k.GoldenRequests(t, "list-sorted", func() {
		query := sdk.ListQuery{PageSize: 20, Sort: []sdk.SortKey{{Field: "email_addresses", Descending: true}}}
		page, err := h.Page(t, query)
		require.NoError(t, err)
		query.PageToken = page.Next
		_, err = h.Page(t, query)
		require.NoError(t, err)
	})
	k.GoldenRequests(t, "merge", func() {
		merged, _, err := h.Merge(t, *made.ID, []string{plainID, targetID})
		require.NoError(t, err)
		assert.Len(t, merged.EmailAddresses, 4)
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
		var requests []string
		for _, r := range result.GetVendorRequests() {
			requests = append(requests, r.GetMethod()+" "+r.GetUrl()[len(k.Emulator.URL()+"/contacts/v4/"):])
			if r.GetMain() {
				assert.Equal(t, k.Emulator.URL()+"/contacts/v4/contacts", r.GetUrl())
				assert.Contains(t, string(r.GetBody()), `"last":"Quill"`)
			}
		}
		assert.Equal(t, []string{
			"GET extended-fields?namespace=custom&paging.limit=100&paging.offset=0", "GET labels?paging.limit=2000", "POST labels", "POST labels",
			"POST contacts", "POST contacts/%28the%20id%20of%20the%20new%20contact%29/labels",
		}, requests)
		assert.NotContains(t, result.String(), "emulator-wix-api-key")
		_, result, err = h.Update(t, sdk.Change[crm.Contact]{ID: plainID, ETag: new("0"), Record: crm.Contact{Title: new("x")}}, providertest.DryRun)
		require.NoError(t, err)
		require.Len(t, result.GetVendorRequests(), 2, "the look and the change")
		assert.JSONEq(t, `{"revision":0,"info":{"jobTitle":"x"},"allowDuplicates":false}`, string(result.GetVendorRequests()[1].GetBody()))
		result, err = h.Delete(t, plainID, providertest.DryRun)
		require.NoError(t, err)
		assert.Len(t, result.GetVendorRequests(), 1)
		_, result, err = h.BatchDelete(t, []string{plainID, unknownID}, providertest.DryRun)
		require.NoError(t, err)
		require.Len(t, result.GetVendorRequests(), 2)
		assert.JSONEq(t, `{"filter":{"id":{"$in":["`+plainID+`","`+unknownID+`"]}}}`, string(result.GetVendorRequests()[1].GetBody()))
		_, result, err = h.Merge(t, plainID, []string{targetID}, providertest.DryRun)
		require.NoError(t, err)
		assert.Len(t, result.GetVendorRequests(), 2)
		_, _, result, err = h.Upsert(t, full(), providertest.DryRun)
		require.NoError(t, err)
		assert.Equal(t, "POST", result.GetVendorRequests()[0].GetMethod(), "the search")
		_, _, err = h.Create(t, crm.Contact{EmailAddresses: []crm.EmailAddress{{Email: new("a@quill.test"), Type: new("pager")}}}, providertest.DryRun)
		providertest.RequireReason(t, err, errs.LossyWrite)
	})
}

func paths(e *errs.Error) []string {
	var all []string
	for _, f := range e.Fields {
		all = append(all, f.Path)
	}
	return all
}

func TestWhatWixCannotHoldIsNotLostInSilence(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	odd := crm.Contact{
		LastName:       new("Quill"),
		EmailAddresses: []crm.EmailAddress{{ID: new("1"), Email: new("a@quill.test"), Type: new("primary")}, {Email: new("b@quill.test"), Type: new("WORK")}},
		PhoneNumbers:   []crm.PhoneNumber{{Number: new("1"), Type: new("untagged")}, {Number: new("2"), Type: new("other")}},
		Addresses:      []crm.Address{{ID: new("mailing"), City: new("Leeds"), Type: new("mailing")}, {City: new("York"), Type: new("billing")}},
		Tags:           []crm.Tag{{ID: new("7"), Name: new("VIP")}, {ID: new("custom.newsletter"), Name: new("News")}},
	}
	_, _, err := h.Create(t, odd)
	e := providertest.RequireReason(t, err, errs.LossyWrite)
	assert.ElementsMatch(t, []string{
		"email_addresses[0].id", "email_addresses[0].type", "phone_numbers[0].type", "phone_numbers[1].type",
		"addresses[0].id", "addresses[0].type", "tags[0].id", "tags[1].name",
	}, paths(e))
	for _, call := range k.Emulator.Calls() {
		assert.Equal(t, http.MethodGet, call.Method)
	}
	made, result, err := h.Create(t, odd, providertest.AllowLossy)
	require.NoError(t, err)
	assert.Len(t, result.GetWarnings(), 8)
	assert.Equal(t, "a@quill.test", *made.EmailAddresses[0].Email)
	assert.Nil(t, made.EmailAddresses[0].Type)
	assert.Equal(t, "work", *made.EmailAddresses[1].Type)
	require.Len(t, made.Addresses, 2)
	assert.Equal(t, "billing", *made.Addresses[1].Type)
	assert.Equal(t, []crm.Tag{{ID: new("custom.vip"), Name: new("VIP")}, {ID: new("custom.newsletter"), Name: new("Newsletter")}}, made.Tags)

	// Nor is it when nothing else would be written.
	_, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: *made.ID, Record: crm.Contact{Tags: []crm.Tag{{ID: new("custom.vip"), Name: new("Gold")}, {Name: new("Newsletter")}}}})
	assert.Equal(t, []string{"tags[0].name"}, paths(providertest.RequireReason(t, err, errs.LossyWrite)))
	for _, refused := range []crm.Contact{
		{Account: &crm.AccountReference{ID: new("1")}},
		{Owner: &crm.UserReference{ID: new("1")}},
		{URLs: []crm.URL{{URL: new("https://quill.test")}}},
		{PhoneNumbers: []crm.PhoneNumber{{Number: new("1"), Extension: new("2")}}},
	} {
		k.RequireNoCalls(t, func() {
			_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: plainID, Record: refused})
			providertest.RequireReason(t, err, errs.LossyWrite)
		})
	}
}

func TestRefusedFieldsAreNamedInTheCallersWords(t *testing.T) {
	k := start(t, map[string]string{"bare_subdivision": "400"})
	h := k.Host(t)
	long := make([]byte, 1001)
	for i := range long {
		long[i] = 'x'
	}
	_, _, err := h.Create(t, crm.Contact{
		FirstName: new(string(long)), Title: new(string(long)), Account: &crm.AccountReference{Name: new(string(long))},
		EmailAddresses: []crm.EmailAddress{{Email: new("a@quill.test")}, {Email: new("no address")}},
		PhoneNumbers:   []crm.PhoneNumber{{Number: new(string(long[:51]))}},
		Addresses: []crm.Address{
			{City: new("Leeds"), Country: new("United Kingdom"), State: new("NY"), PostalCode: new(string(long[:101]))},
			{Street1: new(string(long)), Street2: new(string(long))},
		},
		RemoteData: json.RawMessage(`{"info":{"birthdate":"yesterday"}}`),
	})
	e := providertest.RequireReason(t, err, errs.VendorRejected)
	assert.ElementsMatch(t, []string{
		"first_name", "title", "account.name", "email_addresses[1].email", "phone_numbers[0].number",
		"addresses[0].country", "addresses[0].state", "addresses[0].postal_code", "addresses[1].street_1", "addresses[1].street_2", "remote_data.info.birthdate",
	}, paths(e))
	_, _, err = h.Create(t, crm.Contact{LastName: new("Quill"), CustomFields: json.RawMessage(`{"custom.loyalty-points-1":"many"}`)})
	assert.Equal(t, []string{"custom_fields"}, paths(providertest.RequireReason(t, err, errs.VendorRejected)), "Wix does not say which one it is")
	_, _, err = h.Create(t, crm.Contact{LastName: new("Quill"), Tags: []crm.Tag{{Name: new("fine")}, {Name: new(string(long))}}})
	assert.Equal(t, []string{"tags[1].name"}, paths(providertest.RequireReason(t, err, errs.VendorRejected)))
	_, _, err = h.Create(t, crm.Contact{Title: new("nobody")})
	e = providertest.RequireReason(t, err, errs.InvalidBody)
	assert.Equal(t, []string{"name", "email_addresses", "phone_numbers"}, paths(e), "one of them, which Wix is not asked for")
	_, _, err = h.Create(t, crm.Contact{Title: new("nobody"), RemoteData: json.RawMessage(`{"info":{"locale":"en"}}`)})
	e = providertest.RequireReason(t, err, errs.VendorRejected)
	assert.Contains(t, e.Message, "a name, an e-mail address or a phone number")
}

func TestUnknownCustomFieldsAreRefusedWithTheNamesThatThereAre(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	_, _, err := h.Create(t, crm.Contact{LastName: new("Quill"), CustomFields: json.RawMessage(`{"custom.Shoe-Size":"1","shoe-size":"2"}`)})
	e := providertest.RequireReason(t, err, errs.InvalidBody)
	assert.Equal(t, []string{"custom_fields.custom.Shoe-Size", "custom_fields.shoe-size"}, paths(e))
	assert.Contains(t, e.Fields[0].Description, "which has: custom.shoe-size, ")
	for _, call := range k.Emulator.Calls() {
		assert.Equal(t, http.MethodGet, call.Method)
	}
	// Without the permission to read the fields Wix decides, but not about what can
	// be no key.
	k = start(t, map[string]string{"permissions": "no_extended_fields"})
	_, _, err = k.Host(t).Create(t, crm.Contact{LastName: new("Quill"), CustomFields: json.RawMessage(`{"custom.nonsense":"1"}`)})
	providertest.RequireReason(t, err, errs.VendorRejected)
	_, _, err = k.Host(t).Create(t, crm.Contact{LastName: new("Quill"), CustomFields: json.RawMessage(`{"shoe-size":"1"}`)})
	assert.Equal(t, []string{"custom_fields.shoe-size"}, paths(providertest.RequireReason(t, err, errs.InvalidBody)))
}

func TestFieldsOfWixItselfMayStandThereAsTheyAreRead(t *testing.T) {
	for _, patch := range []string{"replace", "merge"} {
		h := start(t, map[string]string{"extended_fields_patch": patch}).Host(t)
		before, err := h.Get(t, plainID)
		require.NoError(t, err)
		require.Contains(t, string(before.CustomFields), "emailSubscriptions.subscriptionStatus")
		after, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: plainID, Record: crm.Contact{CustomFields: before.CustomFields}})
		require.NoError(t, err)
		assert.JSONEq(t, string(before.CustomFields), string(after.CustomFields))
		_, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: plainID, Record: crm.Contact{CustomFields: json.RawMessage(`{"emailSubscriptions.subscriptionStatus":"SUBSCRIBED"}`)}})
		assert.Equal(t, []string{"custom_fields.emailSubscriptions.subscriptionStatus"}, paths(providertest.RequireReason(t, err, errs.LossyWrite)))
		_, _, err = h.Create(t, crm.Contact{LastName: new("Quill"), CustomFields: json.RawMessage(`{"invoices.vatId":"1","custom.shoe-size":"41"}`)})
		assert.Equal(t, []string{"custom_fields.invoices.vatId"}, paths(providertest.RequireReason(t, err, errs.LossyWrite)))

		after, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: plainID, Clear: map[string]bool{"custom_fields": true}})
		require.NoError(t, err)
		assert.NotContains(t, string(after.CustomFields), "custom.")
		assert.Contains(t, string(after.CustomFields), "emailSubscriptions.subscriptionStatus")
	}
}

// What was read can be written, and then nothing has changed but the version.
func TestWhatWasReadCanBeWrittenAgain(t *testing.T) {
	for _, switches := range []map[string]string{nil, {"primary_default": "none", "extended_fields_patch": "merge", "null_clears": "ignore"}} {
		k := start(t, switches)
		h := k.Host(t)
		for _, before := range k.List(t, 100) {
			before, err := h.Get(t, *before.ID)
			require.NoError(t, err)
			after, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: *before.ID, ETag: before.ETag, Record: crm.Contact{
				FirstName: before.FirstName, LastName: before.LastName, Name: before.Name, Title: before.Title, Account: before.Account,
				Addresses: before.Addresses, EmailAddresses: before.EmailAddresses, PhoneNumbers: before.PhoneNumbers, Tags: before.Tags, CustomFields: before.CustomFields,
			}})
			require.NoError(t, err, *before.ID)
			info := func(c *crm.Contact) string {
				var record struct{ Info json.RawMessage }
				require.NoError(t, json.Unmarshal(c.RemoteData, &record))
				return string(record.Info)
			}
			assert.JSONEq(t, info(before), info(after))
		}
	}
}

func TestItemsKeepWhatTheUnifiedModelDoesNotKnow(t *testing.T) {
	h := start(t, nil).Host(t)
	before, err := h.Get(t, "3f2c1a10-0000-4000-8000-000000000002") // two addresses, two numbers
	require.NoError(t, err)
	after, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: *before.ID, Record: crm.Contact{
		// The second one becomes the primary one, known by its value; the other is
		// changed, known by its id.
		EmailAddresses: []crm.EmailAddress{{Email: new("HOME2@example.com"), Type: new("home")}, {ID: before.EmailAddresses[0].ID, Email: new("other@example.com")}, {Email: new("third@example.com")}},
		PhoneNumbers:   []crm.PhoneNumber{{ID: before.PhoneNumbers[1].ID, Number: new("07700 900999")}},
	}})
	require.NoError(t, err)
	require.Len(t, after.EmailAddresses, 3)
	assert.Equal(t, before.EmailAddresses[1].ID, after.EmailAddresses[0].ID)
	assert.Equal(t, before.EmailAddresses[0].ID, after.EmailAddresses[1].ID)
	assert.Equal(t, "other@example.com", *after.EmailAddresses[1].Email)
	assert.Nil(t, after.EmailAddresses[1].Type, "a list is written whole, types too")
	require.Len(t, after.PhoneNumbers, 1)
	assert.Equal(t, before.PhoneNumbers[1].ID, after.PhoneNumbers[0].ID)
	var record struct {
		PrimaryEmail struct{ Email string }
		Info         struct {
			Emails struct{ Items []struct{ Primary bool } }
			Phones struct{ Items []map[string]any }
		}
	}
	require.NoError(t, json.Unmarshal(after.RemoteData, &record))
	assert.Equal(t, "HOME2@example.com", record.PrimaryEmail.Email)
	assert.Equal(t, []struct{ Primary bool }{{true}, {false}, {false}}, record.Info.Emails.Items)
	assert.Equal(t, "GB", record.Info.Phones.Items[0]["countryCode"])
	assert.Equal(t, "+447700900999", record.Info.Phones.Items[0]["e164Phone"], "it follows from the number")
}

func TestAStreetInTwoPartsStaysSo(t *testing.T) {
	h := start(t, nil).Host(t)
	const id = "3f2c1a10-0000-4000-8000-000000000010"
	street := func(change func(*crm.Address)) string {
		before, err := h.Get(t, id)
		require.NoError(t, err)
		change(&before.Addresses[0])
		after, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: id, Record: crm.Contact{Addresses: before.Addresses}})
		require.NoError(t, err)
		assert.Equal(t, before.Addresses, after.Addresses)
		return string(after.RemoteData)
	}
	assert.Contains(t, street(func(a *crm.Address) { a.City = new("Albany") }), `"streetAddress":{"number":"77","name":"Example Ave"}`)
	now := street(func(a *crm.Address) { a.Street1 = new("78 Example Ave") })
	assert.NotContains(t, now, "streetAddress")
	assert.Contains(t, now, `"addressLine":"78 Example Ave"`)
}

func TestATagThatWixDoesNotListCanStay(t *testing.T) {
	c := unify(t, `{"id":"a","info":{"addresses":{"items":[{"id":"y","tag":"HARBOUR","address":{"city":"Leeds"}}]}}}`)
	for _, kind := range []string{"harbour", "Harbour"} {
		call := start(t, nil).Call(t).AllowLossy()
		c.Addresses[0].Type = &kind
		body := contactBody(call, sdk.Change[crm.Contact]{ID: "a", Record: crm.Contact{Addresses: c.Addresses}}, nil, &c)
		data, err := body.MarshalJSON()
		require.NoError(t, err)
		assert.Contains(t, string(data), `"tag":"HARBOUR"`)
		assert.Empty(t, call.Warnings())
	}
}

func TestAStaleVersionChangesNothing(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	before, err := h.Get(t, plainID)
	require.NoError(t, err)
	require.Equal(t, "0", *before.ETag, "a version like any other")
	_, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: plainID, ETag: before.ETag, Record: crm.Contact{Title: new("first")}})
	require.NoError(t, err)
	for _, etag := range []string{"0", "00", "1.0", "x"} {
		_, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: plainID, ETag: &etag, Record: crm.Contact{Title: new("second"), Tags: []crm.Tag{{Name: new("never made")}}}})
		providertest.RequireReason(t, err, errs.StaleVersion)
	}
	after, err := h.Get(t, plainID)
	require.NoError(t, err)
	assert.Equal(t, "first", *after.Title)
	for _, call := range k.Emulator.Calls() {
		assert.NotContains(t, call.Body, "never made")
	}
}

// Wix itself holds the write to the revision that was looked at.
func TestAChangeBetweenTheLookAndTheWriteIsSeen(t *testing.T) {
	for _, etag := range []*string{nil, new("0")} {
		k := start(t, nil)
		require.NoError(t, k.Emulator.Inject(matchPatch, providertest.Fault(t, exchanges, "update-contact-stale-revision"), 1))
		_, _, err := k.Host(t).Update(t, sdk.Change[crm.Contact]{ID: plainID, ETag: etag, Record: crm.Contact{Title: new("x")}})
		e := providertest.RequireReason(t, err, errs.StaleVersion)
		assert.Equal(t, 409, e.HTTPStatus())
		require.NotNil(t, e.Vendor)
	}
}

func TestADuplicateIsAConflictThatNamesWhoIsThere(t *testing.T) {
	h := start(t, nil).Host(t)
	_, _, err := h.Create(t, crm.Contact{LastName: new("Quill"), EmailAddresses: []crm.EmailAddress{{Email: new("Contact1@example.com")}}})
	e := providertest.RequireReason(t, err, errs.VendorConflict)
	assert.Equal(t, plainID, e.ExistingID)
	assert.Equal(t, []string{"email_addresses"}, paths(e))
	_, _, err = h.Create(t, crm.Contact{LastName: new("Quill"), PhoneNumbers: []crm.PhoneNumber{{Number: new("+1 202 555 0100")}}})
	e = providertest.RequireReason(t, err, errs.VendorConflict)
	assert.Equal(t, plainID, e.ExistingID)
	assert.Equal(t, []string{"phone_numbers"}, paths(e))
	_, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: targetID, Record: crm.Contact{EmailAddresses: []crm.EmailAddress{{Email: new("contact1@example.com")}}}})
	e = providertest.RequireReason(t, err, errs.VendorConflict)
	assert.Equal(t, plainID, e.ExistingID)
	made, _, err := h.Create(t, crm.Contact{LastName: new("Quill"), EmailAddresses: []crm.EmailAddress{{Email: new("contact1@example.com")}}, RemoteData: json.RawMessage(`{"allowDuplicates":true}`)})
	require.NoError(t, err, "who wants it so can have it")
	_, _, _, err = h.Upsert(t, crm.Contact{Title: new("x"), EmailAddresses: []crm.EmailAddress{{Email: new("contact1@example.com")}}})
	e = providertest.RequireReason(t, err, errs.Conflict)
	assert.Contains(t, e.Message, *made.ID, "both are named")
}

func TestAMembersLoginStays(t *testing.T) {
	h := start(t, nil).Host(t)
	_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: memberID, Record: crm.Contact{EmailAddresses: []crm.EmailAddress{{Email: new("other@example.com")}}}})
	e := providertest.RequireReason(t, err, errs.VendorPrecondition)
	assert.Equal(t, 428, e.HTTPStatus())
	assert.Equal(t, []string{"email_addresses"}, paths(e))
	after, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: memberID, Record: crm.Contact{Title: new("Member"), EmailAddresses: []crm.EmailAddress{{Email: new("maud.member@example.com")}, {Email: new("other@example.com")}}}})
	require.NoError(t, err, "a second address may come beside it")
	assert.Len(t, after.EmailAddresses, 2)
}

func TestAContactThatWasMergedAwayIsNotChanged(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	for _, id := range []string{mergedID, unknownID} {
		_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: id, Record: crm.Contact{Title: new("x")}})
		providertest.RequireReason(t, err, errs.RecordNotFound)
		_, _, err = h.Merge(t, id, []string{plainID})
		providertest.RequireReason(t, err, errs.RecordNotFound)
	}
	for _, call := range k.Emulator.Calls() {
		assert.Equal(t, http.MethodGet, call.Method)
	}
	_, _, err := h.Merge(t, plainID, []string{unknownID})
	providertest.RequireReason(t, err, errs.RecordNotFound)
	_, _, err = h.Merge(t, plainID, []string{memberID})
	e := providertest.RequireReason(t, err, errs.VendorPrecondition)
	assert.Equal(t, 428, e.HTTPStatus())
	_, _, err = h.Merge(t, plainID, []string{unknownID, mergedID, memberID, subscriberID, wixUserID, targetID})
	providertest.RequireReason(t, err, errs.InvalidBody) // five at most
}

// A search may lag behind; Wix refuses to make the address a second time and
// says who has it.
func TestAnUpsertChangesWhoTheSearchDidNotShow(t *testing.T) {
	k := start(t, map[string]string{"query_lag": "5"})
	h := k.Host(t)
	made, _, err := h.Create(t, crm.Contact{LastName: new("Quill"), EmailAddresses: []crm.EmailAddress{{Email: new("ada@quill.test")}, {Email: new("ada@example.com")}}})
	require.NoError(t, err)
	after, _, _, err := h.Upsert(t, crm.Contact{Title: new("Owner"), EmailAddresses: []crm.EmailAddress{{Email: new("ADA@quill.test")}}, Tags: []crm.Tag{{Name: new("seen")}}})
	require.NoError(t, err)
	assert.Equal(t, *made.ID, *after.ID)
	assert.Equal(t, "Owner", *after.Title)
	assert.Equal(t, "Quill", *after.LastName)
	assert.Len(t, after.EmailAddresses, 2, "the other address is kept")
	assert.Equal(t, "seen", *after.Tags[0].Name)
	_, _, _, err = h.Upsert(t, crm.Contact{EmailAddresses: []crm.EmailAddress{{Email: new("new@quill.test")}, {Email: new("ada@example.com")}}})
	e := providertest.RequireReason(t, err, errs.VendorConflict)
	assert.Equal(t, *made.ID, e.ExistingID, "somebody else has the second one")
}

func TestASearchThatAnswersWithSomebodyElseIsNoUpsert(t *testing.T) {
	k := start(t, nil)
	require.NoError(t, k.Emulator.Inject(matchQuery, answer(`{"contacts":[{"id":"`+plainID+`","info":{"emails":{"items":[{"email":"other@example.com"}]}}}]}`), 1))
	_, _, _, err := k.Host(t).Upsert(t, crm.Contact{Title: new("x"), EmailAddresses: []crm.EmailAddress{{Email: new("contact1@example.com")}}})
	providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
}

func TestAnUpsertThatFindsSomebodyAtTheLastMomentSaysThatItChangedThem(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	there, _, err := h.Create(t, crm.Contact{FirstName: new("Case"), EmailAddresses: []crm.EmailAddress{{Email: new("case@example.com")}}})
	require.NoError(t, err)
	changed, created, _, err := h.Upsert(t, crm.Contact{Title: new("New"), EmailAddresses: []crm.EmailAddress{{Email: new("CASE@example.com")}}})
	require.NoError(t, err)
	assert.False(t, created)
	assert.Equal(t, *there.ID, *changed.ID)
	_, _, _, err = h.Upsert(t, crm.Contact{Title: new("New"), EmailAddresses: []crm.EmailAddress{{Email: new("other@example.com")}}, RemoteData: json.RawMessage(`{"allowDuplicates":true}`)})
	providertest.RequireReason(t, err, errs.LossyWrite)
	_, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: *there.ID, Record: crm.Contact{Title: new("x"), RemoteData: json.RawMessage(`{"revision":1}`)}})
	providertest.RequireReason(t, err, errs.LossyWrite)
}
