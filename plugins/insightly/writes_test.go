package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	kit "github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
)

var support = providertest.Support{
	Accounts: []string{"145678901", "145678902"}, Owners: []string{"1067519", "1067520"},
	Emails:    providertest.Items{Most: 1, Types: []string{"primary", ""}},
	Phones:    providertest.Items{Most: 6, Types: []string{"work", "home", "mobile", "other", "assistant", "fax"}, Once: true},
	Addresses: providertest.Items{Most: 2, Types: []string{"mailing", "other"}, Once: true},
	URLs:      providertest.Items{Most: 3, Types: []string{"linkedin", "facebook", "twitter"}, Once: true},
	Tags:      []string{"new one", "Größe", "a,b"},
	CustomFields: map[string][]string{
		"Region__c": {`"EMEA"`, `"AMER"`, `null`}, "Score__c": {`12345678901234567.250`, `0`, `-1.50`}, "Newsletter__c": {`true`, `false`},
		"Renewal__c": {`"2026-02-03 00:00:00"`}, "Remarks__c": {`"two\nlines, \"quoted\" ünï"`, `"0"`},
	},
}

func TestRoundTrip(t *testing.T) { providertest.RoundTrip(t, start(t, nil), support) }

func TestRoundTripWhereTheVendorDoesWhatNobodyCouldConfirm(t *testing.T) {
	for name, switches := range map[string]map[string]string{
		"tags in a body are merged":          {"body_collections": "merge"},
		"tags in a body are ignored":         {"body_collections": "ignore", "tags_put": "merge"},
		"a write replaces all custom fields": {"custom_fields_update": "replace", "fixed_custom_field": "ignore"},
		"a stickler": {
			"unknown_keys": "400", "read_only_keys": "400", "body_keys": "exact", "unknown_query": "400", "top_over_max": "400",
			"update_status": "201", "required_name": "any_name", "validation_body": "empty", "unknown_id": "404_empty",
		},
	} {
		t.Run(name, func(t *testing.T) { providertest.RoundTrip(t, start(t, switches), support) })
	}
}

func full() crm.Contact {
	return crm.Contact{
		FirstName: new("Ada"), LastName: new("Quill"), Title: new("Buyer"),
		Account: &crm.AccountReference{ID: new("145678901")}, Owner: &crm.UserReference{ID: new("1067520")},
		Addresses:      []crm.Address{{Street1: new("1 Ink Lane"), City: new("Leeds"), PostalCode: new("LS1 1AA"), Country: new("GB")}},
		EmailAddresses: []crm.EmailAddress{{Email: new("ada@quill.test")}},
		PhoneNumbers:   []crm.PhoneNumber{{Number: new("+44 20 7946 0001"), Type: new("mobile")}, {Number: new("+44 20 7946 0002")}},
		URLs:           []crm.URL{{URL: new("https://www.linkedin.com/in/ada"), Type: new("linkedin")}},
		Tags:           []crm.Tag{{Name: new("vip")}},
		CustomFields:   json.RawMessage(`{"Region__c":"EMEA","Score__c":12.50}`),
		RemoteData:     json.RawMessage(`{"SALUTATION":"Dr","EMAIL_OPTED_OUT":true}`),
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
		_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: *made.ID, Record: crm.Contact{
			Title: new("Head of Ink"), PhoneNumbers: []crm.PhoneNumber{{Number: new("+44 20 7946 0003"), Type: new("fax")}}, Tags: []crm.Tag{{Name: new("lapsed")}},
		}, Clear: map[string]bool{"account": true, "addresses": true}})
		require.NoError(t, err)
	})
	k.GoldenRequests(t, "update-custom-fields", func() {
		_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: *made.ID, Record: crm.Contact{CustomFields: json.RawMessage(`{"Score__c":null,"Newsletter__c":true}`)}})
		require.NoError(t, err)
	})
	k.GoldenRequests(t, "upsert-existing", func() {
		_, created, _, err := h.Upsert(t, crm.Contact{Title: new("Owner"), EmailAddresses: []crm.EmailAddress{{Email: new("ada@quill.test")}}})
		require.NoError(t, err)
		assert.False(t, created)
	})
	k.GoldenRequests(t, "upsert-new", func() {
		_, created, _, err := h.Upsert(t, crm.Contact{FirstName: new("New"), EmailAddresses: []crm.EmailAddress{{Email: new("new@quill.test")}}})
		require.NoError(t, err)
		assert.True(t, created)
	})
	for name, filters := range map[string]sdk.Filters{
		"list-by-email":   {{Field: "email_addresses.email", Operator: sdk.Equal, Value: "ada@quill.test"}, {Field: "updated_at", Operator: sdk.Greater, Value: "2024-01-01T00:00:00.5Z"}},
		"list-by-number":  {{Field: "phone_numbers.number", Operator: sdk.Equal, Value: "+44 20 7946 0003"}},
		"list-by-updated": {{Field: "updated_at", Operator: sdk.GreaterOrEqual, Value: "2099-01-01T00:00:00Z"}, {Field: "updated_at", Operator: sdk.Less, Value: "2099-02-01T00:00:00Z"}},
	} {
		k.GoldenRequests(t, name, func() {
			_, err := h.All(t, sdk.ListQuery{PageSize: 50, Filters: filters}, nil)
			require.NoError(t, err)
		})
	}
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
		require.Len(t, requests, 2, "the names of custom fields, and the contact")
		last := requests[len(requests)-1]
		assert.Equal(t, "POST", last.GetMethod())
		assert.Equal(t, k.Emulator.URL()+"/v3.1/Contacts", last.GetUrl())
		assert.Contains(t, string(last.GetBody()), `"LAST_NAME":"Quill"`)
		assert.True(t, last.GetMain())
		_, result, err = h.Update(t, sdk.Change[crm.Contact]{ID: "312345001", ETag: new("abc"), Record: crm.Contact{Title: new("x")}}, providertest.DryRun)
		require.NoError(t, err)
		requests = result.GetVendorRequests()
		require.Len(t, requests, 1)
		assert.JSONEq(t, `{"CONTACT_ID":312345001,"TITLE":"x"}`, string(requests[0].GetBody()))
		assert.Contains(t, requests[0].String(), "If-Match")
		_, result, err = h.Update(t, sdk.Change[crm.Contact]{ID: "312345001", Record: crm.Contact{CustomFields: json.RawMessage(`{"Region__c":"x"}`)}}, providertest.DryRun)
		require.NoError(t, err)
		assert.Len(t, result.GetVendorRequests(), 3, "the look, the names of custom fields, and the change")
		result, err = h.Delete(t, "312345001", providertest.DryRun)
		require.NoError(t, err)
		assert.Len(t, result.GetVendorRequests(), 1)
		_, result, err = h.BatchDelete(t, thousand(), providertest.DryRun)
		require.NoError(t, err)
		assert.Len(t, result.GetVendorRequests(), 1000)
		_, _, result, err = h.Upsert(t, full(), providertest.DryRun)
		require.NoError(t, err)
		requests = result.GetVendorRequests()
		assert.Equal(t, "POST", requests[len(requests)-1].GetMethod(), "who would be found is not known")
		assert.NotContains(t, result.String(), apiKey)
		_, _, err = h.Create(t, crm.Contact{LastName: new("Quill")}, providertest.DryRun)
		providertest.RequireReason(t, err, errs.InvalidBody)
	})
}

// fieldPaths are the paths that an error names, with what it says of each.
func fieldPaths(e *errs.Error) map[string]string {
	paths := map[string]string{}
	for _, f := range e.Fields {
		paths[f.Path] = f.Description
	}
	return paths
}

func TestWhatInsightlyCannotHoldIsNotLostInSilence(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	tooMuch := crm.Contact{
		FirstName:      new("Ada"),
		EmailAddresses: []crm.EmailAddress{{Email: new("a@quill.test"), Type: new("work")}, {Email: new("b@quill.test")}},
		PhoneNumbers: []crm.PhoneNumber{
			{Number: new("1"), Type: new("work")},
			{Number: new("2"), Type: new("work")},
			{Number: new("3"), Type: new("pager")},
			{Number: new("4")},
		},
		Addresses: []crm.Address{{City: new("Leeds"), Type: new("home")}, {City: new("York"), ID: new("a1")}, {City: new("Hull")}},
		URLs:      []crm.URL{{URL: new("https://quill.test"), Type: new("website")}, {URL: new("@ada"), Type: new("twitter")}},
	}
	want := map[string]string{
		"email_addresses[0].type": "there is no place for the type work", "email_addresses[1]": "there is no place left for it",
		"phone_numbers[1].type": "there is no place for the type work", "phone_numbers[2]": "there is no place left for it", "phone_numbers[3]": "there is no place left for it",
		"addresses[0].type": "there is no place for the type home", "addresses[1].id": "an address has no id but the name of its place, other", "addresses[2]": "there is no place left for it",
		"urls[0]": "there is no place left for it", "urls[1].url": "it is no web address",
	}
	k.RequireNoCalls(t, func() {
		_, _, err := h.Create(t, tooMuch)
		assert.Equal(t, want, fieldPaths(providertest.RequireReason(t, err, errs.LossyWrite)))
	})
	made, result, err := h.Create(t, tooMuch, providertest.AllowLossy)
	require.NoError(t, err)
	assert.Len(t, result.GetWarnings(), len(want))
	made.RemoteData, made.ETag, made.CreatedAt, made.UpdatedAt, made.CustomFields, made.ID = nil, nil, nil, nil, nil, nil
	assert.JSONEq(t, `{"first_name":"Ada","name":"Ada","owner":{"id":"1067519"},"email_addresses":[{"email":"a@quill.test","type":"primary"}],
		"phone_numbers":[{"number":"1","type":"work"},{"number":"2","type":"other"}],
		"addresses":[{"id":"mail","type":"mailing","city":"Leeds"},{"id":"other","type":"other","city":"York"}]}`, string(providertest.JSON(t, made)))
}

func TestAnAddressWithNothingInItIsALoss(t *testing.T) {
	k := start(t, nil)
	_, _, err := k.Host(t).Create(t, crm.Contact{FirstName: new("Ada"), Addresses: []crm.Address{{Type: new("mailing"), City: new(" ")}}})
	assert.Equal(t, map[string]string{"addresses[0]": "there is nothing in it"}, fieldPaths(providertest.RequireReason(t, err, errs.LossyWrite)))
}

func TestFieldsWithoutAPlaceAreRefused(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	k.RequireNoCalls(t, func() {
		for path, contact := range map[string]crm.Contact{
			"addresses.street_2":      {Addresses: []crm.Address{{Street2: new("Floor 3")}}},
			"phone_numbers.extension": {PhoneNumbers: []crm.PhoneNumber{{Number: new("1"), Extension: new("2")}}},
			"phone_numbers.id":        {PhoneNumbers: []crm.PhoneNumber{{Number: new("1"), ID: new("2")}}},
			"email_addresses.id":      {EmailAddresses: []crm.EmailAddress{{Email: new("a@quill.test"), ID: new("2")}}},
			"tags.id":                 {Tags: []crm.Tag{{ID: new("2"), Name: new("vip")}}},
			"account.name":            {Account: &crm.AccountReference{Name: new("Quill Ltd")}},
		} {
			contact.FirstName = new("Ada")
			_, _, err := h.Create(t, contact)
			assert.Contains(t, fieldPaths(providertest.RequireReason(t, err, errs.LossyWrite)), path)
		}
	})
}

func TestWritingBackWhatWasReadChangesNothing(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	for _, id := range []string{"312345001", "312345016", "312345019", "312900001", "312900002", "312900003"} {
		before, err := h.Get(t, id)
		require.NoError(t, err)
		record := *before
		record.ID, record.Name, record.RemoteData, record.ETag, record.CreatedAt, record.UpdatedAt, record.LastActivityAt = nil, nil, nil, nil, nil, nil, nil
		if record.Account != nil {
			record.Account.Name = nil
		}
		after, result, err := h.Update(t, sdk.Change[crm.Contact]{ID: id, ETag: before.ETag, Record: record})
		require.NoError(t, err, id)
		assert.Empty(t, result.GetWarnings())
		again, err := h.Get(t, id)
		require.NoError(t, err)
		before, err = h.Get(t, id)
		require.NoError(t, err)
		for _, c := range []*crm.Contact{before, after, again} {
			c.ETag, c.UpdatedAt, c.RemoteData = nil, nil, nil
		}
		assert.Equal(t, providertest.JSON(t, before), providertest.JSON(t, again))
		assert.Equal(t, providertest.JSON(t, before), providertest.JSON(t, after))
	}
}

func TestRefusedFieldsAreNamedInTheCallersWords(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	refused := func(contact crm.Contact, paths ...string) {
		t.Helper()
		contact.FirstName = new("Ada")
		_, _, err := h.Create(t, contact)
		e := providertest.RequireReason(t, err, errs.VendorRejected)
		for _, path := range paths {
			assert.Contains(t, fieldPaths(e), path)
		}
		assert.Len(t, e.Fields, len(paths))
	}
	refused(crm.Contact{Account: &crm.AccountReference{ID: new("not-a-number")}}, "account.id")
	refused(crm.Contact{Account: &crm.AccountReference{ID: new("5")}}, "account.id")
	refused(crm.Contact{Owner: &crm.UserReference{ID: new("5")}}, "owner.id")
	long := new(strings.Repeat("x", 256))
	refused(crm.Contact{Title: long}, "title")
	refused(crm.Contact{PhoneNumbers: []crm.PhoneNumber{{Number: long, Type: new("home")}}}, "phone_numbers[0].number")
	refused(crm.Contact{Addresses: []crm.Address{{City: new("Leeds")}, {City: long}}}, "addresses[1].city")
	refused(crm.Contact{EmailAddresses: []crm.EmailAddress{{Email: long}}}, "email_addresses[0].email")
	refused(crm.Contact{Tags: []crm.Tag{{Name: long}}}, "tags")
	refused(crm.Contact{CustomFields: json.RawMessage(`{"Region__c":"EMEA","Score__c":"many"}`)}, "custom_fields.Score__c")
	refused(crm.Contact{RemoteData: json.RawMessage(`{"DATE_OF_BIRTH":"1990-03-01T00:00:00Z"}`)}, "remote_data.DATE_OF_BIRTH")

	// Several at once, in whatever words: the body of a 400 nobody could confirm.
	require.NoError(t, k.Emulator.Inject(kit.Match{Method: "POST"}, kit.Fault{Status: 400, Body: json.RawMessage(`{"Message":"FIRST_NAME is too short; ORGANISATION_ID and Region__c (FIRST_NAME again) are NOT valid."}`)}, 1))
	refused(crm.Contact{Account: &crm.AccountReference{ID: new("145678901")}, CustomFields: json.RawMessage(`{"Region__c":"EMEA"}`)}, "first_name", "account.id", "custom_fields.Region__c")
}

func TestARefusalThatSaysNothingIsPassedOn(t *testing.T) {
	for _, body := range []string{"name_message", "text", "empty"} {
		k := start(t, map[string]string{"validation_body": body})
		_, _, err := k.Host(t).Update(t, sdk.Change[crm.Contact]{ID: "312345001", Record: crm.Contact{Account: &crm.AccountReference{ID: new("5")}}})
		e := providertest.RequireReason(t, err, errs.VendorRejected)
		assert.Equal(t, 400, e.Vendor.Status)
	}
}

func TestAFullPlanIsTheVendorsRefusal(t *testing.T) {
	k := start(t, map[string]string{"record_limit": "5"})
	_, _, err := k.Host(t).Create(t, crm.Contact{FirstName: new("Ada")})
	e := providertest.RequireReason(t, err, errs.VendorRejected)
	assert.Equal(t, "Record limit reached.", e.Message)
}

func TestADuplicateThatInsightlyRefusesIsAConflict(t *testing.T) {
	k := start(t, nil)
	require.NoError(t, k.Emulator.Inject(kit.Match{Method: "POST"}, kit.Fault{Status: 409, Body: json.RawMessage(`{"Message":"Duplicate."}`)}, 1))
	_, _, err := k.Host(t).Create(t, crm.Contact{FirstName: new("Ada")})
	providertest.RequireReason(t, err, errs.VendorConflict)
}

func TestUnknownCustomFieldsAreRefusedWithTheNamesThatThereAre(t *testing.T) {
	k := start(t, map[string]string{"unknown_custom_field": "ignore"})
	_, _, err := k.Host(t).Create(t, crm.Contact{FirstName: new("Ada"), CustomFields: json.RawMessage(`{"region":"EMEA","Fiscal_Year__c":"2026"}`)})
	e := providertest.RequireReason(t, err, errs.InvalidBody)
	require.Len(t, e.Fields, 2)
	assert.Equal(t, "custom_fields.region", e.Fields[0].Path)
	assert.Contains(t, e.Fields[0].Description, "which has: Region__c, ")
	for _, call := range k.Emulator.Calls() {
		assert.Equal(t, http.MethodGet, call.Method)
	}
}

func TestACustomFieldThatInsightlyIgnoresIsTold(t *testing.T) {
	k := start(t, map[string]string{"unknown_custom_field": "ignore"})
	h := k.Host(t)
	for _, body := range []string{`{"Message":"no"}`, `null`, `{}`, `[5]`} {
		status := 200
		if body == `{"Message":"no"}` {
			status = 403
		}
		require.NoError(t, k.Emulator.Inject(kit.Match{Path: "/v3.1/CustomFields/Contacts"}, kit.Fault{Status: status, Body: quoted(body)}, 2))
		_, _, err := h.Create(t, crm.Contact{FirstName: new("Ada"), CustomFields: json.RawMessage(`{"Region__c":"EMEA","Fiscal_Year__c":"2026"}`)})
		e := providertest.RequireReason(t, err, errs.LossyWrite)
		assert.Equal(t, map[string]string{"custom_fields.Fiscal_Year__c": "is not as it was to be"}, fieldPaths(e))
		made, result, err := h.Create(t, crm.Contact{FirstName: new("Ada"), CustomFields: json.RawMessage(`{"Region__c":"EMEA","Fiscal_Year__c":"2026"}`)}, providertest.AllowLossy)
		require.NoError(t, err)
		assert.Len(t, result.GetWarnings(), 1)
		assert.Contains(t, string(made.CustomFields), `"Region__c":"EMEA"`)
	}
}

func TestACustomFieldThatIsNotEditableIsLeftAlone(t *testing.T) {
	for _, switches := range []map[string]string{nil, {"fixed_custom_field": "ignore", "custom_fields_update": "replace"}} {
		k := start(t, switches)
		h := k.Host(t)
		after, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: "312900001", Record: crm.Contact{CustomFields: json.RawMessage(`{"Member_Number__c":"M-0001","Region__c":"APAC"}`)}})
		require.NoError(t, err)
		assert.JSONEq(t, `{"Region__c":"APAC","Score__c":7.5,"Newsletter__c":null,"Renewal__c":null,"Remarks__c":null,"Member_Number__c":"M-0001"}`, string(after.CustomFields))
		for _, change := range []sdk.Change[crm.Contact]{
			{ID: "312900001", Record: crm.Contact{CustomFields: json.RawMessage(`{"Member_Number__c":"mine"}`)}},
			{ID: "312900001", Clear: map[string]bool{"custom_fields": true}},
		} {
			_, _, err = h.Update(t, change)
			e := providertest.RequireReason(t, err, errs.LossyWrite)
			assert.Equal(t, map[string]string{"custom_fields.Member_Number__c": "Insightly fills it in itself"}, fieldPaths(e))
			after, result, err := h.Update(t, change, providertest.AllowLossy)
			require.NoError(t, err)
			assert.Len(t, result.GetWarnings(), 1)
			assert.Contains(t, string(after.CustomFields), `"Member_Number__c":"M-0001"`)
		}
		after, err = h.Get(t, "312900001")
		require.NoError(t, err)
		assert.JSONEq(t, `{"Region__c":null,"Score__c":null,"Newsletter__c":null,"Renewal__c":null,"Remarks__c":null,"Member_Number__c":"M-0001"}`, string(after.CustomFields))
	}
}

func TestAStaleVersionChangesNothing(t *testing.T) {
	for _, switches := range []map[string]string{nil, {"stale_if_match": "412"}, {"validation_body": "text"}, {"validation_body": "empty"}} {
		k := start(t, switches)
		h := k.Host(t)
		before, err := h.Get(t, "312345001")
		require.NoError(t, err)
		_, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: "312345001", ETag: before.ETag, Record: crm.Contact{Title: new("first")}})
		require.NoError(t, err)
		for _, etag := range []*string{before.ETag, new("*"), new(""), new("no\nheader")} {
			for _, record := range []crm.Contact{{Title: new("second")}, {Title: new("second"), URLs: []crm.URL{{URL: new("https://x.test/a"), Type: new("twitter")}}}} {
				_, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: "312345001", ETag: etag, Record: record})
				providertest.RequireReason(t, err, errs.StaleVersion)
			}
		}
		after, err := h.Get(t, "312345001")
		require.NoError(t, err)
		assert.Equal(t, "first", *after.Title)
	}
}

func TestAChangeBetweenTheLookAndTheWriteIsNotOverwritten(t *testing.T) {
	k := start(t, map[string]string{"custom_fields_update": "replace"})
	h := k.Host(t)
	change := sdk.Change[crm.Contact]{ID: "312345001", Record: crm.Contact{Name: new("Cher"), CustomFields: json.RawMessage(`{"Region__c":"APAC"}`)}}
	stale := kit.Match{Method: "PUT", Path: "/v3.1/Contacts"}
	require.NoError(t, k.Emulator.Inject(stale, faultOf(t, "contact-update-stale"), maxTries-1))
	var after *crm.Contact
	routes := k.Calls(func() {
		var err error
		after, _, err = h.Update(t, change)
		require.NoError(t, err)
	})
	assert.Equal(t, []string{
		"GET /v3.1/Contacts/312345001", "GET /v3.1/CustomFields/Contacts", "PUT /v3.1/Contacts",
		"GET /v3.1/Contacts/312345001", "PUT /v3.1/Contacts",
		"GET /v3.1/Contacts/312345001", "PUT /v3.1/Contacts", "GET /v3.1/Organisations/145678901",
	}, routes, "looked at anew each time")
	assert.Equal(t, "Cher", *after.Name)
	calls := k.Emulator.Calls()
	assert.NotEmpty(t, calls[2].Headers.Get("If-Match"), "guarded, though nobody asked for it")

	require.NoError(t, k.Emulator.Inject(stale, faultOf(t, "contact-update-stale"), maxTries))
	_, _, err := h.Update(t, change)
	providertest.RequireReason(t, err, errs.StaleVersion)
}

func TestAChangeOfAContactThatIsNotThereIsNotFound(t *testing.T) {
	for _, switches := range []map[string]string{nil, {"unknown_id_on_update": "400"}, {"unknown_id_on_update": "400", "validation_body": "empty"}} {
		k := start(t, switches)
		h := k.Host(t)
		for _, id := range []string{"399999999", "312900007"} {
			for _, record := range []crm.Contact{{Title: new("x")}, {CustomFields: json.RawMessage(`{"Region__c":"x"}`)}} {
				_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: id, Record: record})
				providertest.RequireReason(t, err, errs.RecordNotFound)
			}
		}
		_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: "312900005", Record: crm.Contact{Title: new("x")}})
		providertest.RequireReason(t, err, errs.VendorForbidden)
	}
}

func TestTheVendorsDescriptionHas201ForAnUpdate(t *testing.T) {
	after, _, err := start(t, map[string]string{"update_status": "201"}).Host(t).Update(t, sdk.Change[crm.Contact]{ID: "312345001", Record: crm.Contact{Title: new("CFO")}})
	require.NoError(t, err)
	assert.Equal(t, "CFO", *after.Title)
}

func TestAnUpdateCostsOneCallUnlessItHasToLook(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	routes := k.Calls(func() {
		_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: "312900002", ETag: nil, Record: crm.Contact{
			FirstName: new("Zeno"), Tags: []crm.Tag{{Name: new("new")}}, PhoneNumbers: []crm.PhoneNumber{{Number: new("1")}}, EmailAddresses: []crm.EmailAddress{{Email: new("z@quill.test")}}, Addresses: []crm.Address{{City: new("Leeds")}},
		}})
		require.NoError(t, err)
	})
	assert.Equal(t, []string{"PUT /v3.1/Contacts"}, routes)
}

func TestTagsAreASetWhateverTheVendorMakesOfThoseInABody(t *testing.T) {
	for mode, costs := range map[string]int{"replace": 0, "merge": 4 + 1, "ignore": 1 + 4 + 1} {
		for _, put := range []string{"replace", "merge"} {
			k := start(t, map[string]string{"body_collections": mode, "tags_put": put})
			h := k.Host(t)
			var after *crm.Contact
			// Five tags, of which one stays and another one comes.
			routes := k.Calls(func() {
				var err error
				after, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: "312900001", Record: crm.Contact{Tags: []crm.Tag{{Name: new("vip")}, {Name: new("lapsed")}, {Name: new("lapsed")}}}})
				require.NoError(t, err)
			})
			assert.Equal(t, []crm.Tag{{Name: new("vip")}, {Name: new("lapsed")}}, after.Tags, mode)
			assert.Len(t, routes, 1+costs+1, "%s: the change, a call for each tag that is not right, one to read, and the organisation's name", mode)
			again, err := h.Get(t, "312900001")
			require.NoError(t, err)
			assert.Equal(t, after, again, "the etag is that of the contact as it is now")
			after, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: "312900001", Clear: map[string]bool{"tags": true}})
			require.NoError(t, err)
			assert.Empty(t, after.Tags)
			made, _, err := h.Create(t, crm.Contact{FirstName: new("Ada"), Tags: []crm.Tag{{Name: new("vip")}}})
			require.NoError(t, err)
			assert.Equal(t, []crm.Tag{{Name: new("vip")}}, made.Tags)
		}
	}
}

func TestTagsThatTheVendorWritesInAnotherCaseAreThoseThatWereMeant(t *testing.T) {
	missing, extra := compareTags([]tagName{{"VIP"}, {"new "}}, []crm.Tag{{Name: new("vip")}, {Name: new("new")}})
	assert.Empty(t, missing)
	assert.Empty(t, extra)
}

func TestTagsThatCannotBeSetAreTold(t *testing.T) {
	k := start(t, map[string]string{"body_collections": "ignore"})
	h := k.Host(t)
	// The contact is there already when its tags are refused.
	for _, status := range []int{400, 403, 404, 500} {
		require.NoError(t, k.Emulator.Inject(kit.Match{Method: "POST", Path: "/v3.1/Contacts/*/Tags"}, kit.Fault{Status: status, Body: json.RawMessage(`{"Message":"no"}`)}, 1))
		_, _, err := h.Create(t, crm.Contact{FirstName: new("Ada"), Tags: []crm.Tag{{Name: new("vip")}}})
		e := providertest.RequireReason(t, err, errs.VendorConflict)
		assert.Regexp(t, `^the record 3130000\d\d was written but for its tags, or a part of them: no$`, e.Message)
		assert.Regexp(t, `^3130000\d\d$`, e.ExistingID)
		assert.Equal(t, map[string]string{"tags": "no"}, fieldPaths(e))
	}
	// Taken, and yet not there.
	require.NoError(t, k.Emulator.Inject(kit.Match{Method: "POST", Path: "/v3.1/Contacts/*/Tags"}, kit.Fault{Status: 201, Body: json.RawMessage(`{"TAG_NAME":"vip"}`)}, 2))
	_, _, err := h.Create(t, crm.Contact{FirstName: new("Ada"), Tags: []crm.Tag{{Name: new("vip")}}})
	e := providertest.RequireReason(t, err, errs.LossyWrite)
	assert.Equal(t, map[string]string{"tags": "are not as they were to be"}, fieldPaths(e))
	_, result, err := h.Create(t, crm.Contact{FirstName: new("Ada"), Tags: []crm.Tag{{Name: new("vip")}}}, providertest.AllowLossy)
	require.NoError(t, err)
	require.Len(t, result.GetWarnings(), 1)
	assert.Equal(t, "tags", result.GetWarnings()[0].GetField())
}

func TestAnOwnerThatCannotBeEmptiedIsTold(t *testing.T) {
	h := start(t, map[string]string{"owner_null": "keep"}).Host(t)
	change := sdk.Change[crm.Contact]{ID: "312345001", Record: crm.Contact{Title: new("x")}, Clear: map[string]bool{"owner": true}}
	_, _, err := h.Update(t, change)
	e := providertest.RequireReason(t, err, errs.LossyWrite)
	assert.Equal(t, map[string]string{"owner": "cannot be emptied"}, fieldPaths(e))
	_, result, err := h.Update(t, change, providertest.AllowLossy)
	require.NoError(t, err)
	assert.Len(t, result.GetWarnings(), 1)
	after, _, err := start(t, nil).Host(t).Update(t, change)
	require.NoError(t, err)
	assert.Nil(t, after.Owner)
}

func TestRemoteDataLeadsToNoOtherContact(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	for _, remote := range []string{`{"CONTACT_ID":312345002}`, `{"contact_id":312345002}`, `{"CONTACT_ID":null}`, `{"CONTACT_ID":"312345001"}`} {
		change := sdk.Change[crm.Contact]{ID: "312345001", Record: crm.Contact{Title: new("x"), RemoteData: json.RawMessage(remote)}}
		_, _, err := h.Update(t, change)
		providertest.RequireReason(t, err, errs.LossyWrite)
		after, _, err := h.Update(t, change, providertest.AllowLossy)
		require.NoError(t, err)
		assert.Equal(t, "312345001", *after.ID)
		var last string
		for _, call := range k.Emulator.Calls() {
			if call.Method == http.MethodPut {
				last = call.Body
			}
		}
		assert.JSONEq(t, `{"CONTACT_ID":312345001,"TITLE":"x"}`, last)
	}
	_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: "312345001", Record: crm.Contact{RemoteData: json.RawMessage(`{"CONTACT_ID":312345001,"BACKGROUND":"as is"}`)}})
	require.NoError(t, err)
	_, _, err = h.Create(t, crm.Contact{FirstName: new("Ada"), RemoteData: json.RawMessage(`{"CONTACT_ID":312345001}`)})
	assert.Contains(t, fieldPaths(providertest.RequireReason(t, err, errs.LossyWrite)), "remote_data.CONTACT_ID")
}

func TestRemoteDataComesLast(t *testing.T) {
	k := start(t, nil)
	made, _, err := k.Host(t).Create(t, crm.Contact{FirstName: new("Ada"), Title: new("mapped"), Tags: []crm.Tag{{Name: new("mapped")}}, RemoteData: json.RawMessage(`{"TITLE":"raw","TAGS":[{"TAG_NAME":"raw"}],"DATES":[{"OCCASION_NAME":"Party","OCCASION_DATE":"2025-01-01 00:00:00"}]}`)})
	require.NoError(t, err)
	assert.Equal(t, "raw", *made.Title)
	assert.Equal(t, []crm.Tag{{Name: new("raw")}}, made.Tags)
	assert.Contains(t, string(made.RemoteData), "Party")
}

func TestOtherCollectionsOutliveAWrite(t *testing.T) {
	for _, mode := range []string{"replace", "merge", "ignore"} {
		k := start(t, map[string]string{"body_collections": mode, "custom_fields_update": "replace"})
		h := k.Host(t)
		before, err := h.Get(t, "312345001")
		require.NoError(t, err)
		after, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: "312345001", Record: crm.Contact{Title: new("x"), Tags: []crm.Tag{{Name: new("only")}}, CustomFields: json.RawMessage(`{"Region__c":"APAC"}`)}})
		require.NoError(t, err)
		for _, key := range []string{"DATES", "LINKS"} {
			assert.JSONEq(t, member(t, before.RemoteData, key), member(t, after.RemoteData, key), mode)
		}
		assert.Contains(t, string(after.CustomFields), `"Score__c":0.5,"Newsletter__c":true,"Renewal__c":"2025-01-15 00:00:00"`)
	}
}

func member(t *testing.T, record json.RawMessage, key string) string {
	t.Helper()
	members := map[string]json.RawMessage{}
	require.NoError(t, json.Unmarshal(record, &members))
	return string(members[key])
}

func TestANameThatComesAlone(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	for name, want := range map[string][2]string{"Ada Mary Quill": {"Ada Mary", "Quill"}, "Cher": {"Cher", ""}, " Grace  Hopper ": {"Grace", "Hopper"}} {
		after, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: "312345001", Record: crm.Contact{Name: &name}})
		require.NoError(t, err)
		assert.Equal(t, want[0], *after.FirstName)
		if want[1] == "" {
			assert.Nil(t, after.LastName)
		} else {
			assert.Equal(t, want[1], *after.LastName)
		}
	}
	_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: "312345001", Record: crm.Contact{Name: new("Ada Quill"), LastName: new("Other")}})
	assert.Contains(t, fieldPaths(providertest.RequireReason(t, err, errs.LossyWrite)), "name")
}

func TestAContactNeedsAFirstName(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	k.RequireNoCalls(t, func() {
		_, _, err := h.Create(t, crm.Contact{LastName: new("Quill")})
		assert.Contains(t, fieldPaths(providertest.RequireReason(t, err, errs.InvalidBody)), "first_name")
	})
	_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: "312345001", Clear: map[string]bool{"first_name": true}})
	assert.Contains(t, fieldPaths(providertest.RequireReason(t, err, errs.VendorRejected)), "first_name")
	after, _, err := start(t, map[string]string{"required_name": "any_name"}).Host(t).Update(t, sdk.Change[crm.Contact]{ID: "312345001", Clear: map[string]bool{"first_name": true}})
	require.NoError(t, err)
	assert.Nil(t, after.FirstName)
	// One that was imported without is changed all the same.
	_, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: "312900003", Record: crm.Contact{Title: new("x")}})
	require.NoError(t, err)
}

func TestBareHandlesSurviveAWriteOfWebAddresses(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	made, _, err := h.Create(t, crm.Contact{FirstName: new("Ada"), URLs: []crm.URL{{URL: new("facebook.com/ada"), Type: new("facebook")}}, RemoteData: json.RawMessage(`{"SOCIAL_TWITTER":"@ada"}`)})
	require.NoError(t, err)
	after, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: *made.ID, Record: crm.Contact{URLs: []crm.URL{{URL: new("https://www.linkedin.com/in/ada"), Type: new("linkedin")}}}})
	require.NoError(t, err)
	assert.Contains(t, string(after.RemoteData), `"SOCIAL_TWITTER":"@ada"`)
	assert.Equal(t, []crm.URL{{URL: new("https://www.linkedin.com/in/ada"), Type: new("linkedin")}}, after.URLs)
}

func TestAWriteThatAnswersAnotherRecordFails(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	for _, body := range []string{`{"CONTACT_ID":5}`, `{}`, `[]`, `null`, ``} {
		require.NoError(t, k.Emulator.Inject(kit.Match{Method: "PUT"}, kit.Fault{Status: 200, Body: quoted(body)}, 1))
		_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: "312345001", Record: crm.Contact{Title: new("x")}})
		providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
	}
}

func TestAnAddressThatSeveralHaveIsNoUpsert(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	_, _, _, err := h.Upsert(t, crm.Contact{Title: new("x"), EmailAddresses: []crm.EmailAddress{{Email: new("shared@example.com")}}})
	e := providertest.RequireReason(t, err, errs.Conflict)
	assert.Contains(t, e.Message, "312900008, 312900009", "both are named")
}

func TestAnUpsertTakesTheVendorsWordForTheCaseOfAnAddress(t *testing.T) {
	h := start(t, map[string]string{"search_case": "ignore"}).Host(t)
	after, created, _, err := h.Upsert(t, crm.Contact{Title: new("x"), EmailAddresses: []crm.EmailAddress{{Email: new("CONTACT1@example.com")}}})
	require.NoError(t, err)
	assert.False(t, created)
	assert.Equal(t, "312345001", *after.ID)

	k := start(t, nil)
	for _, body := range []string{`[{"CONTACT_ID":1,"EMAIL_ADDRESS":"other@example.com"}]`, `[{}]`, `null`, `{}`} {
		require.NoError(t, k.Emulator.Inject(kit.Match{Path: "/v3.1/Contacts/Search"}, kit.Fault{Status: 200, Body: quoted(body)}, 1))
		_, _, _, err = k.Host(t).Upsert(t, crm.Contact{FirstName: new("x"), EmailAddresses: []crm.EmailAddress{{Email: new("new@example.com")}}})
		providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
	}
}

func TestABatchDeleteTellsOfEachContact(t *testing.T) {
	for again, reason := range map[string]errs.Reason{"404": errs.RecordNotFound, "417": errs.VendorRejected} {
		k := start(t, map[string]string{"second_delete": again})
		ids := []string{"312345001", "312900006", "399999999", "312900005", "312900007", "312345002"}
		outcomes, _, err := k.Host(t).BatchDelete(t, ids)
		require.NoError(t, err)
		require.NoError(t, outcomes[0])
		providertest.RequireReason(t, outcomes[1], errs.VendorRejected)
		providertest.RequireReason(t, outcomes[2], errs.RecordNotFound)
		providertest.RequireReason(t, outcomes[3], errs.VendorForbidden)
		providertest.RequireReason(t, outcomes[4], reason)
		require.NoError(t, outcomes[5])
		assert.Len(t, k.Emulator.Calls(), len(ids), "one call each, no look-up first")
	}
}

func TestABatchDeleteKeepsToTheLimitOfTheSecond(t *testing.T) {
	k := start(t, map[string]string{"rate_limit": "10"})
	var ids []string
	for _, c := range k.List(t, 100)[:25] {
		ids = append(ids, *c.ID)
	}
	outcomes, _, err := k.Host(t).BatchDelete(t, ids)
	require.NoError(t, err)
	for i, outcome := range outcomes {
		assert.NoError(t, outcome, ids[i])
	}
}
