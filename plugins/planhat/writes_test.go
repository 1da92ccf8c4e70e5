package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	kit "github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
)

const (
	quill   = "64b0c1d2e3f4051627380001"
	harbour = "64b0c1d2e3f4051627380002"
)

var support = providertest.Support{
	Accounts: []string{quill, harbour},
	Emails:   providertest.Items{Most: 3, Types: []string{""}},
	Phones:   providertest.Items{Most: 1, Types: []string{""}},
	Tags:     []string{"new one", "Größe"},
	CustomFields: map[string][]string{
		"Seniority": {`"Exec"`, `"Staff"`}, "Renewal contact": {`true`, `false`}, "Score": {`12345678901234567890.10`, `0`, `null`},
		"Interests": {`["Looms","Ink, black"]`, `[]`}, "Signed on": {`"2026-02-03T00:00:00.000Z"`},
	},
}

// withEmail is the support of a vendor that insists on an address.
func withEmail(most int) providertest.Support {
	s := support
	s.Emails.Most = most
	s.Kept = []string{"email_addresses"}
	made := 0
	s.Contact = func(c *crm.Contact) {
		if len(c.EmailAddresses) == 0 {
			made++
			c.EmailAddresses = []crm.EmailAddress{{Email: new(fmt.Sprintf("somebody%d@example.com", made))}}
		}
	}
	return s
}

func TestRoundTrip(t *testing.T) { providertest.RoundTrip(t, start(t, nil), withEmail(3)) }

func TestRoundTripWhereTheVendorMergesCustomFieldsAndShowsNulls(t *testing.T) {
	providertest.RoundTrip(t, start(t, map[string]string{"custom_update": "merge", "null_write": "null", "missing_email": "accepted"}), support)
}

func TestRoundTripWhereTheVendorTakesNoOtherEmails(t *testing.T) {
	for _, mode := range []string{"merge", "ignored"} {
		t.Run(mode, func(t *testing.T) {
			providertest.RoundTrip(t, start(t, map[string]string{"other_emails": mode, "formula_write": "400", "unknown_custom": "400"}), withEmail(1))
		})
	}
}

func emails(addresses ...string) (list []crm.EmailAddress) {
	for _, address := range addresses {
		list = append(list, crm.EmailAddress{Email: &address})
	}
	return list
}

func full() crm.Contact {
	return crm.Contact{
		FirstName: new("Ada"), LastName: new("Quill"), Title: new("Buyer"),
		Account:        &crm.AccountReference{ID: new(quill)},
		EmailAddresses: emails("ada@quill.test", "ada@example.com"),
		PhoneNumbers:   []crm.PhoneNumber{{Number: new("+44 20 7946 0001")}},
		Tags:           []crm.Tag{{Name: new("vip")}},
		CustomFields:   json.RawMessage(`{"Seniority":"Exec","Score":12.50}`),
		CreatedAt:      new(time.Date(2020, 2, 3, 4, 5, 6, 7_000_000, time.UTC)),
		RemoteData:     json.RawMessage(`{"externalId":"u/1","featured":true}`),
	}
}

func TestWhatGoesOut(t *testing.T) {
	k := start(t, nil)
	id := anyID(t, k) // contact1@example.com
	h := k.Host(t)
	k.GoldenRequests(t, "create", func() {
		made, _, err := h.Create(t, full())
		require.NoError(t, err)
		assert.Equal(t, "2020-02-03T04:05:06.007Z", made.CreatedAt.Format(time.RFC3339Nano))
	})
	k.GoldenRequests(t, "update", func() {
		_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: id, Record: crm.Contact{
			Title: new("Head of Ink"), Account: &crm.AccountReference{ID: new(harbour)}, EmailAddresses: emails("contact1@example.com"), CustomFields: json.RawMessage(`{"Score":null}`),
		}, Clear: map[string]bool{"tags": true, "first_name": true, "phone_numbers": true}})
		require.NoError(t, err)
	})
	k.GoldenRequests(t, "upsert-existing", func() {
		_, created, _, err := h.Upsert(t, crm.Contact{Title: new("Owner"), EmailAddresses: emails("contact1@example.com")})
		require.NoError(t, err)
		assert.False(t, created)
	})
	k.GoldenRequests(t, "upsert-new", func() {
		_, created, _, err := h.Upsert(t, crm.Contact{Name: new("Ned van Loom"), Account: &crm.AccountReference{ID: new(quill)}, EmailAddresses: emails("new@quill.test")})
		require.NoError(t, err)
		assert.True(t, created)
	})
	for name, filter := range map[string]sdk.FilterValue{
		"list-filtered-by-email":   {Field: "email_addresses.email", Operator: sdk.Equal, Value: "contact1@example.com"},
		"list-filtered-by-updated": {Field: "updated_at", Operator: sdk.Greater, Value: "2024-03-01T00:00:00Z"},
		"list-filtered-by-created": {Field: "created_at", Operator: sdk.Greater, Value: "2024-02-01T00:00:00Z"},
	} {
		k.GoldenRequests(t, name, func() {
			got, err := h.All(t, sdk.ListQuery{PageSize: 10, Filters: sdk.Filters{filter}}, nil)
			require.NoError(t, err)
			assert.NotEmpty(t, got)
		})
	}
	k.GoldenRequests(t, "list-sorted", func() {
		_, err := h.Page(t, sdk.ListQuery{PageSize: 5, Sort: []sdk.SortKey{{Field: "last_name", Descending: true}}})
		require.NoError(t, err)
	})
	k.GoldenRequests(t, "batch-delete", func() {
		outcomes, _, err := h.BatchDelete(t, []string{id})
		require.NoError(t, err)
		assert.Equal(t, []error{nil}, outcomes)
	})
}

func TestADryRunSendsNothing(t *testing.T) {
	k := start(t, nil)
	id := anyID(t, k)
	h := k.Host(t)
	k.RequireNoCalls(t, func() {
		_, result, err := h.Create(t, full(), providertest.DryRun)
		require.NoError(t, err)
		requests := result.GetVendorRequests()
		last := requests[len(requests)-1]
		assert.Equal(t, "POST", last.GetMethod())
		assert.Equal(t, k.Emulator.URL()+"/endusers", last.GetUrl())
		assert.Contains(t, string(last.GetBody()), `"lastName":"Quill"`)
		assert.True(t, last.GetMain())
		_, result, err = h.Update(t, sdk.Change[crm.Contact]{ID: id, Record: crm.Contact{Title: new("x")}}, providertest.DryRun)
		require.NoError(t, err)
		assert.Len(t, result.GetVendorRequests(), 1)
		_, result, err = h.Update(t, sdk.Change[crm.Contact]{ID: id, Record: crm.Contact{CustomFields: json.RawMessage(`{"Score":1}`)}}, providertest.DryRun)
		require.NoError(t, err)
		assert.Len(t, result.GetVendorRequests(), 3, "the look, the custom fields and the change")
		result, err = h.Delete(t, id, providertest.DryRun)
		require.NoError(t, err)
		assert.Len(t, result.GetVendorRequests(), 1)
		_, result, err = h.BatchDelete(t, []string{id, unknownID}, providertest.DryRun)
		require.NoError(t, err)
		assert.Len(t, result.GetVendorRequests(), 2)
		_, _, result, err = h.Upsert(t, crm.Contact{Account: &crm.AccountReference{ID: new(quill)}, EmailAddresses: emails("x@quill.test")}, providertest.DryRun)
		require.NoError(t, err)
		requests = result.GetVendorRequests()
		assert.Equal(t, "POST", requests[len(requests)-1].GetMethod())
		assert.NotContains(t, result.String(), "emulator-planhat-token")
		_, _, err = h.Create(t, crm.Contact{FirstName: new("Ada")}, providertest.DryRun)
		e := providertest.RequireReason(t, err, errs.InvalidBody)
		assert.Equal(t, "account.id", e.Fields[0].Path)
	})
}

func paths(e *errs.Error) (list []string) {
	for _, f := range e.Fields {
		list = append(list, f.Path)
	}
	return list
}

func TestWhatPlanhatCannotHoldIsNotLostInSilence(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	c := full()
	c.CustomFields = nil
	c.Name = new("Somebody Else")
	c.PhoneNumbers = append(c.PhoneNumbers, crm.PhoneNumber{Number: new("2")})
	c.CreatedAt = new(c.CreatedAt.Add(time.Microsecond))
	c.RemoteData = json.RawMessage(`{"_id":"64b0c1d2e3f4051627390001","emailMd5":"x","featured":true}`)
	k.RequireNoCalls(t, func() {
		_, _, err := h.Create(t, c)
		assert.Equal(t, []string{"name", "phone_numbers[1]", "created_at", "remote_data._id", "remote_data.emailMd5"}, paths(providertest.RequireReason(t, err, errs.LossyWrite)))
	})
	made, result, err := h.Create(t, c, providertest.AllowLossy)
	require.NoError(t, err)
	assert.Len(t, result.GetWarnings(), 5)
	assert.Equal(t, "Ada Quill", *made.Name)
	assert.Len(t, made.PhoneNumbers, 1)

	k.RequireNoCalls(t, func() {
		for path, contact := range map[string]crm.Contact{
			"email_addresses.type":    {EmailAddresses: []crm.EmailAddress{{Email: new("a@quill.test"), Type: new("work")}}},
			"phone_numbers.extension": {PhoneNumbers: []crm.PhoneNumber{{Number: new("1"), Extension: new("2")}}},
			"tags.id":                 {Tags: []crm.Tag{{ID: new("1"), Name: new("x")}}},
			"account.name":            {Account: &crm.AccountReference{ID: new(quill), Name: new("x")}},
			"owner.id":                {Owner: &crm.UserReference{ID: new(quill)}},
			"urls.url":                {URLs: []crm.URL{{URL: new("https://quill.test")}}},
			"addresses.city":          {Addresses: []crm.Address{{City: new("Leeds")}}},
			"created_at":              {CreatedAt: new(time.Now())},
		} {
			_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: *made.ID, Record: contact})
			assert.Equal(t, []string{path}, paths(providertest.RequireReason(t, err, errs.LossyWrite)))
		}
		_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: *made.ID, Clear: map[string]bool{"account": true}})
		assert.Equal(t, []string{"account"}, paths(providertest.RequireReason(t, err, errs.LossyWrite)))
	})
}

func TestOtherEmailsThatPlanhatDoesNotKeepOrDropAreTold(t *testing.T) {
	for mode, want := range map[string]struct{ added, dropped []string }{
		"replace": {},
		"merge":   {dropped: []string{"email_addresses"}},
		"ignored": {added: []string{"email_addresses[1]"}, dropped: []string{"email_addresses"}},
	} {
		t.Run(mode, func(t *testing.T) {
			k := start(t, map[string]string{"other_emails": mode})
			h := k.Host(t)
			check := func(err error, want []string) {
				t.Helper()
				if want == nil {
					require.NoError(t, err)
					return
				}
				e := providertest.RequireReason(t, err, errs.LossyWrite)
				assert.Equal(t, want, paths(e))
				require.NotNil(t, e.Vendor, "the contact as it is now is attached")
				assert.NotContains(t, e.Message, "@")
			}
			_, _, err := h.Create(t, crm.Contact{Account: &crm.AccountReference{ID: new(quill)}, EmailAddresses: emails("a@quill.test", "b@quill.test")})
			check(err, want.added)
			found, err := h.All(t, sdk.ListQuery{Filters: sdk.Filters{{Field: "email_addresses.email", Operator: sdk.Equal, Value: "a@quill.test"}}}, nil)
			require.NoError(t, err)
			require.Len(t, found, 1)
			if want.added != nil {
				_, _, err = h.Create(t, crm.Contact{Account: &crm.AccountReference{ID: new(quill)}, EmailAddresses: emails("x@quill.test", "y@quill.test")})
				assert.ErrorContains(t, err, "should not be written again")
			}

			seeded := anyID(t, k) // has another address
			drop := sdk.Change[crm.Contact]{ID: seeded, Record: crm.Contact{Title: new("written"), EmailAddresses: emails("c@quill.test")}}
			_, _, err = h.Update(t, drop)
			check(err, want.dropped)
			changed, result, err := h.Update(t, drop, providertest.AllowLossy)
			require.NoError(t, err)
			assert.Len(t, result.GetWarnings(), len(want.dropped))
			assert.Equal(t, "written", *changed.Title)
			assert.Equal(t, "c@quill.test", *changed.EmailAddresses[0].Email)
		})
	}
}

func TestACreationDateThatPlanhatDoesNotKeepIsTold(t *testing.T) {
	h := start(t, map[string]string{"create_date": "ignored"}).Host(t)
	_, _, err := h.Create(t, full())
	assert.Equal(t, []string{"created_at"}, paths(providertest.RequireReason(t, err, errs.LossyWrite)))
}

func TestRefusedFieldsAreNamedInTheCallersWords(t *testing.T) {
	for _, body := range []string{"text", "json_message", "json_error"} {
		t.Run(body, func(t *testing.T) {
			h := start(t, map[string]string{"error_body": body}).Host(t)
			for path, contact := range map[string]crm.Contact{
				"email_addresses":      {Account: &crm.AccountReference{ID: new(quill)}},
				"account.id":           {Account: &crm.AccountReference{ID: new(unknownID)}, EmailAddresses: emails("a@quill.test")},
				"custom_fields":        {Account: &crm.AccountReference{ID: new(quill)}, EmailAddresses: emails("a@quill.test"), CustomFields: json.RawMessage(`{"Score":{"a":1}}`)},
				"remote_data.featured": {Account: &crm.AccountReference{ID: new(quill)}, EmailAddresses: emails("a@quill.test"), RemoteData: json.RawMessage(`{"featured":"x"}`)},
			} {
				_, _, err := h.Create(t, contact)
				assert.Equal(t, []string{path}, paths(providertest.RequireReason(t, err, errs.VendorRejected)))
			}
		})
	}
	for _, body := range []string{"html", "empty"} {
		_, _, err := start(t, map[string]string{"error_body": body}).Host(t).Create(t, crm.Contact{Account: &crm.AccountReference{ID: new(quill)}})
		assert.Empty(t, providertest.RequireReason(t, err, errs.VendorRejected).Fields)
	}
}

func TestAContactWithoutAnAddressIsTheVendorsToRefuse(t *testing.T) {
	made, _, err := start(t, map[string]string{"missing_email": "accepted"}).Host(t).Create(t, crm.Contact{Account: &crm.AccountReference{ID: new(quill)}, PhoneNumbers: []crm.PhoneNumber{{Number: new("1")}}})
	require.NoError(t, err)
	assert.Empty(t, made.EmailAddresses)
}

func TestUnknownCustomFieldsAreRefusedWithTheNamesThatThereAre(t *testing.T) {
	for _, parent := range []string{"enduser", "EndUser", "endusers"} {
		k := start(t, map[string]string{"custom_field_parent": parent})
		h := k.Host(t)
		_, _, err := h.Create(t, crm.Contact{Account: &crm.AccountReference{ID: new(quill)}, CustomFields: json.RawMessage(`{"score":1,"Region":"EMEA"}`)})
		e := providertest.RequireReason(t, err, errs.InvalidBody)
		assert.Equal(t, []string{"custom_fields.score", "custom_fields.Region"}, paths(e), "Region is a company's")
		assert.Contains(t, e.Fields[0].Description, "which has: Score, ")
		for _, call := range k.Emulator.Calls() {
			assert.Equal(t, http.MethodGet, call.Method)
		}
	}
}

func TestCustomFieldsThatNobodyDefinesAreWrittenWhereTheyAreAndWhereNoneAreKnown(t *testing.T) {
	const odd = "7f000000e3f40516273b0009" // keys that are no custom fields
	k := start(t, nil)
	h := k.Host(t)
	before, err := h.Get(t, odd)
	require.NoError(t, err)
	after, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: odd, Record: crm.Contact{CustomFields: before.CustomFields}})
	require.NoError(t, err)
	assert.Equal(t, string(before.CustomFields), string(after.CustomFields))

	write := crm.Contact{Account: &crm.AccountReference{ID: new(quill)}, EmailAddresses: emails("a@quill.test"), CustomFields: json.RawMessage(`{"Mystery":1}`)}
	hide := func() {
		fault := kit.Fault{Status: http.StatusForbidden, Body: json.RawMessage(`"Forbidden"`)}
		require.NoError(t, k.Emulator.Inject(kit.Match{Path: "/customfields"}, fault, 1))
	}
	k = start(t, nil)
	hide()
	made, _, err := k.Host(t).Create(t, write)
	require.NoError(t, err)
	assert.Equal(t, `{"Mystery":1}`, string(made.CustomFields))

	k = start(t, map[string]string{"unknown_custom": "ignored"})
	hide()
	_, _, err = k.Host(t).Create(t, write)
	assert.Equal(t, []string{"custom_fields.Mystery"}, paths(providertest.RequireReason(t, err, errs.LossyWrite)))
}

func TestWhatAFormulaComputesIsNotWritten(t *testing.T) {
	for _, update := range []string{"replace", "merge"} {
		k := start(t, map[string]string{"formula_write": "400", "custom_update": update})
		id := anyID(t, k)
		h := k.Host(t)
		before, err := h.Get(t, id)
		require.NoError(t, err)
		require.Contains(t, string(before.CustomFields), "Days as contact")
		same, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: id, Record: crm.Contact{CustomFields: before.CustomFields}})
		require.NoError(t, err, "what was read can be written")
		assert.JSONEq(t, string(before.CustomFields), string(same.CustomFields))
		_, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: id, Record: crm.Contact{CustomFields: json.RawMessage(`{"Days as contact":5}`)}})
		assert.Equal(t, []string{"custom_fields.Days as contact"}, paths(providertest.RequireReason(t, err, errs.LossyWrite)))
		cleared, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: id, Clear: map[string]bool{"custom_fields": true}})
		require.NoError(t, err)
		assert.NotContains(t, string(cleared.CustomFields), "Exec")
	}
}

func TestPlanhatsOwnWordsForCustomFieldsDropNoOthers(t *testing.T) {
	for _, update := range []string{"replace", "merge"} {
		k := start(t, map[string]string{"custom_update": update})
		id := anyID(t, k)
		after, _, err := k.Host(t).Update(t, sdk.Change[crm.Contact]{ID: id, Record: crm.Contact{RemoteData: json.RawMessage(`{"custom":{"Score":7.0}}`)}})
		require.NoError(t, err)
		assert.Contains(t, string(after.CustomFields), `"Score":7.0`)
		assert.Contains(t, string(after.CustomFields), `"Seniority"`)
	}
}

func TestGetThenUpdateWithTheSameListsChangesNothing(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	everybody, err := h.All(t, sdk.ListQuery{PageSize: 100}, nil)
	require.NoError(t, err)
	for _, c := range everybody {
		after, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: *c.ID, Record: crm.Contact{EmailAddresses: c.EmailAddresses, PhoneNumbers: c.PhoneNumbers, Tags: c.Tags, CustomFields: c.CustomFields, Title: new("x")}})
		require.NoError(t, err)
		assert.Equal(t, c.EmailAddresses, after.EmailAddresses)
		assert.Equal(t, c.PhoneNumbers, after.PhoneNumbers)
		assert.Equal(t, c.Tags, after.Tags)
		assert.JSONEq(t, string(c.CustomFields), string(after.CustomFields))
	}
}

func TestPlanhatMayChangeTheCaseOfNames(t *testing.T) {
	made, _, err := start(t, map[string]string{"name_case": "capitalised"}).Host(t).Create(t, crm.Contact{Name: new("ada de quill"), Account: &crm.AccountReference{ID: new(quill)}, EmailAddresses: emails("a@quill.test")})
	require.NoError(t, err)
	assert.Equal(t, "Ada De Quill", *made.Name, "the answer is what is stored")
	assert.Equal(t, "Ada De", *made.FirstName)
}

func TestAnAddressThatSomebodyHasIsAConflictWhereTheVendorWantsThemUnique(t *testing.T) {
	k := start(t, map[string]string{"duplicate_email": "400"})
	id := anyID(t, k)
	h := k.Host(t)
	has, err := h.Get(t, id)
	require.NoError(t, err)
	taken := has.EmailAddresses[:1]
	_, _, err = h.Create(t, crm.Contact{Account: &crm.AccountReference{ID: new(quill)}, EmailAddresses: taken})
	e := providertest.RequireReason(t, err, errs.VendorConflict)
	assert.Equal(t, id, e.ExistingID)
	assert.Equal(t, 409, e.HTTPStatus())
	assert.Equal(t, []string{"email_addresses[0].email"}, paths(e))
	_, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: "7f000000e3f40516273b0002", Record: crm.Contact{EmailAddresses: taken}})
	assert.Equal(t, id, providertest.RequireReason(t, err, errs.VendorConflict).ExistingID)
	// Archived contacts are in no list, so who has it is not known.
	_, _, err = h.Create(t, crm.Contact{Account: &crm.AccountReference{ID: new(quill)}, EmailAddresses: emails("archived@example.com")})
	providertest.RequireReason(t, err, errs.VendorRejected)

	require.NoError(t, k.Emulator.SetSwitch("duplicate_email", "accepted"))
	_, _, err = h.Create(t, crm.Contact{Account: &crm.AccountReference{ID: new(quill)}, EmailAddresses: taken})
	require.NoError(t, err)
}

func TestAnAddressThatSeveralHaveIsNoUpsert(t *testing.T) {
	h := start(t, nil).Host(t)
	_, _, _, err := h.Upsert(t, crm.Contact{Title: new("x"), EmailAddresses: emails("twin@example.com")})
	e := providertest.RequireReason(t, err, errs.Conflict)
	assert.Contains(t, e.Message, "7f000000e3f40516273b0002, 7f000000e3f40516273b0003")
}

func TestAnUpsertLeavesTheAddressesOfTheOneItFinds(t *testing.T) {
	k := start(t, map[string]string{"list_fields": "id_and_name"})
	id := anyID(t, k)
	h := k.Host(t)
	before, err := h.Get(t, id)
	require.NoError(t, err)
	require.Len(t, before.EmailAddresses, 2)
	after, created, _, err := h.Upsert(t, crm.Contact{Title: new("x"), EmailAddresses: before.EmailAddresses[:1]})
	require.NoError(t, err)
	assert.False(t, created)
	assert.Equal(t, before.EmailAddresses, after.EmailAddresses)
}

func TestAVendorThatDoesNotSearchByAddressFindsNobody(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	answer(t, k, `[{"_id":"64b0c1d2e3f405162738495a","email":"somebody@else.test"}]`)
	_, _, _, err := h.Upsert(t, crm.Contact{EmailAddresses: emails("a@quill.test"), Account: &crm.AccountReference{ID: new(quill)}})
	providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
	answer(t, k, `[{"_id":"64b0c1d2e3f405162738495a","email":"somebody@else.test"}]`)
	_, err = h.Page(t, sdk.ListQuery{Filters: sdk.Filters{{Field: "email_addresses.email", Operator: sdk.Equal, Value: "a@quill.test"}}})
	providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
}

func TestAnUpdateNeverFallsThroughToTheBulkCall(t *testing.T) {
	k := start(t, nil)
	k.RequireNoCalls(t, func() {
		for _, id := range []string{"", ".", ".."} {
			_, err := updateContact(providertest.Context(t), k.Call(t), sdk.Change[crm.Contact]{ID: id, Record: crm.Contact{Title: new("x")}})
			require.Error(t, err)
		}
	})
}

func TestWritesNeedPermission(t *testing.T) {
	k := start(t, map[string]string{"permissions": "read_only"})
	_, _, err := k.Host(t).Create(t, crm.Contact{Account: &crm.AccountReference{ID: new(quill)}})
	providertest.RequireReason(t, err, errs.VendorForbidden)
}

func TestAnUpdateOfNobodyIsNotFound(t *testing.T) {
	h := start(t, nil).Host(t)
	for _, record := range []crm.Contact{{Title: new("x")}, {CustomFields: json.RawMessage(`{"Score":1}`)}} {
		_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: unknownID, Record: record})
		providertest.RequireReason(t, err, errs.RecordNotFound)
	}
}

func TestArchivedContactsCanBeChanged(t *testing.T) {
	after, _, err := start(t, nil).Host(t).Update(t, sdk.Change[crm.Contact]{ID: "7f000000e3f40516273b0001", Record: crm.Contact{RemoteData: json.RawMessage(`{"archived":false}`)}})
	require.NoError(t, err)
	assert.Contains(t, string(after.RemoteData), `"archived":false`)
}

// fast is the provider with deletes that do not wait for the minute's quota.
func fast(k *providertest.Kit) *providertest.Kit {
	resource := *k.Provider.Contacts
	resource.BatchDelete = sdk.FanOut(deletion, idPattern, 100_000)
	k.Provider.Contacts = &resource
	return k
}

func TestABatchDeleteTellsOfEachContact(t *testing.T) {
	for _, second := range []string{"404", "200_zero"} {
		k := fast(start(t, map[string]string{"second_delete": second}))
		id := anyID(t, k)
		outcomes, _, err := k.Host(t).BatchDelete(t, []string{unknownID, id, "7f000000e3f40516273b0001"})
		require.NoError(t, err)
		providertest.RequireReason(t, outcomes[0], errs.RecordNotFound)
		require.NoError(t, outcomes[1])
		require.NoError(t, outcomes[2])
		assert.Len(t, k.List(t, 100), listed-1)
	}
}

func TestAThousandContactsAreDeletedInOneCall(t *testing.T) {
	k := fast(start(t, nil))
	h := k.Host(t)
	var ids []string
	for i := range 1000 {
		ids = append(ids, fmt.Sprintf("64b0c1d2e3f40516273f%04x", i))
	}
	copy(ids[10:], []string{anyID(t, k), "7f000000e3f40516273b0002"})
	outcomes, _, err := h.BatchDelete(t, ids)
	require.NoError(t, err)
	require.Len(t, outcomes, 1000)
	for i, outcome := range outcomes {
		if i == 10 || i == 11 {
			require.NoError(t, outcome)
		} else {
			assert.True(t, errs.Is(outcome, errs.RecordNotFound))
		}
	}
}

func TestDeletesKeepToTheQuotaAndAThousandTakeFiveMinutes(t *testing.T) {
	assert.LessOrEqual(t, deletesPerSecond*60, 200.0)
	assert.LessOrEqual(t, 1000/deletesPerSecond, 300.0)
}

func TestTheMinutesQuotaIsWaitedFor(t *testing.T) {
	k := start(t, map[string]string{"rate_limit": "0"})
	_, err := k.Host(t).Get(t, unknownID)
	e := providertest.RequireReason(t, err, errs.VendorRateLimited)
	assert.Equal(t, time.Minute, e.RetryAfter)
	assert.Len(t, k.Emulator.Calls(), 1)
	assert.False(t, strings.Contains(e.Message, "<"))
}

func TestASearchThatAnswersWithSomebodyElseChangesNobody(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	for _, answer := range []string{`[{"_id":"659cfd00e3f4051627000011","name":"x","phone":"1"}]`, `[{"_id":"659cfd00e3f4051627000011","name":"x"}]`, `[{"_id":"659cfd00e3f4051627000011","email":"other@example.com"}]`} {
		require.NoError(t, k.Emulator.Inject(kit.Match{Method: http.MethodGet, Path: "/endusers"}, kit.Fault{Status: 200, Body: json.RawMessage(answer)}, 2))
		_, _, _, err := h.Upsert(t, crm.Contact{FirstName: new("Hacked"), EmailAddresses: []crm.EmailAddress{{Email: new("nobody@example.net")}}})
		providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
		k.Emulator.Reset()
	}
	// Nor is what another contact has taken for what this one has.
	require.NoError(t, k.Emulator.Inject(kit.Match{Method: http.MethodGet, Path: "/endusers/659cfd00e3f4051627000001"}, kit.Fault{Status: 200, Body: json.RawMessage(`{"_id":"659cfd00e3f4051627000002","custom":{"Score":99}}`)}, 1))
	_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: "659cfd00e3f4051627000001", Record: crm.Contact{CustomFields: json.RawMessage(`{"Seniority":"Exec"}`)}})
	providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
	for _, call := range k.Emulator.Calls() {
		assert.Equal(t, http.MethodGet, call.Method, "%s %s", call.Method, call.Path)
	}
}
