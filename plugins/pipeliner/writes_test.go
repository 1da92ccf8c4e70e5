package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
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
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

// Records of the emulator's seed beside the contacts.
const (
	owner       = "00000000-0000-0000-0000-00000000abcd"
	secondOwner = "00000000-0000-0000-0000-00000000abce"
	company     = "0f4da000-947b-8807-70b8-97f8d4390514"
	otherFirm   = "0f4da001-d247-4d85-f471-aec1345f8435"
	vip         = "0d000000-d1c6-aaa9-5484-e5879179fa6e"
	newsletter  = "0d000001-6f30-2821-6fb7-3b45ff057865"
	gold        = "04444b00-1ded-a954-3dae-8ace71ba76a4"
	silver      = "04444b01-d330-cc22-b646-7bc9a69e960a"
	looms       = "04444b10-4dd6-3285-ba01-6d1843f1224e"
	ink         = "04444b11-1640-fad1-00c6-e6ef1930caad"
	titled      = "0190000c-fac3-ac5e-9fbf-8686f6abaa57" // a salutation and a middle name
	inWords     = "01900011-14d4-108c-b3fa-de6e24342db2" // a company in words only
	gaps        = "01900012-bec7-cc63-1e6c-d67dd0b36ded" // between the slots
	twoAccounts = "01900013-d6be-0ea5-15e2-4686b07e14f7"
)

var support = providertest.Support{
	Accounts: []string{company, otherFirm}, Owners: []string{owner, secondOwner},
	Emails: providertest.Items{Most: 5}, Phones: providertest.Items{Most: 5}, Addresses: providertest.Items{Most: 1},
	Tags: []string{"new one", "Größe", `"quoted" & <b>bold</b>`},
	Kept: []string{"owner", "last_name"},
	Contact: func(c *crm.Contact) {
		if c.LastName == nil {
			c.LastName = new("Quill")
		}
	},
	CustomFields: map[string][]string{
		"cf_loyalty_tier": {`"` + gold + `"`, `"` + silver + `"`}, "cf_customer_since": {`"2026-02-03"`, `null`}, "cf_score": {`9007199254740993`, `0`},
		"cf_discount": {`12345678901234567890.10`, `1.50`}, "cf_newsletter": {`true`, `false`}, "cf_interests": {`["` + looms + `","` + ink + `"]`, `["` + ink + `"]`},
		"shoe_size": {`"½ EU"`, `"41"`},
	},
}

func TestRoundTrip(t *testing.T) { providertest.RoundTrip(t, start(t, nil), support) }

func TestRoundTripWhereTheVendorIsAnotherOne(t *testing.T) {
	for _, switches := range []map[string]string{
		{"relation_update": "add", "empty_values": "absent", "create_status": "200", "empty_change": "400", "get_after_delete": "200"},
		{"revision_lock": "on", "uri_host": "bare", "required_names": "last", "readonly_fields": "ignore", "unknown_fields": "ignore"},
	} {
		t.Run(fmt.Sprint(switches), func(t *testing.T) { providertest.RoundTrip(t, start(t, switches), support) })
	}
}

func full() crm.Contact {
	return crm.Contact{
		FirstName: new("Ada"), LastName: new("Quill"), Title: new("Buyer"),
		Account: &crm.AccountReference{ID: new(company)}, Owner: &crm.UserReference{ID: new(owner)},
		Addresses:      []crm.Address{{Street1: new("1 Ink Lane"), City: new("Leeds"), PostalCode: new("LS1 1AA"), Country: new("GB")}},
		EmailAddresses: []crm.EmailAddress{{Email: new("ada@quill.test")}, {Email: new("a.quill@example.com")}},
		PhoneNumbers:   []crm.PhoneNumber{{Number: new("+44 20 7946 0001")}},
		Tags:           []crm.Tag{{Name: new("vip")}, {Name: new("brand new")}},
		CustomFields:   json.RawMessage(`{"cf_score":9007199254740993,"cf_loyalty_tier":"` + gold + `"}`),
		CreatedAt:      new(time.Date(2021, 5, 4, 8, 0, 0, 1000, time.UTC)),
		RemoteData:     json.RawMessage(`{"title":"Ms.","gender":1}`),
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
			Title: new("Head of Ink"), EmailAddresses: []crm.EmailAddress{{Email: new("quill@example.com")}}, CustomFields: json.RawMessage(`{"cf_score":null}`),
		}, Clear: map[string]bool{"first_name": true, "addresses": true}})
		require.NoError(t, err)
	})
	k.GoldenRequests(t, "update-account", func() {
		_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: *made.ID, Record: crm.Contact{Account: &crm.AccountReference{ID: new(otherFirm)}}})
		require.NoError(t, err)
	})
	k.GoldenRequests(t, "update-account-cleared", func() {
		_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: *made.ID, Clear: map[string]bool{"account": true}})
		require.NoError(t, err)
	})
	k.GoldenRequests(t, "update-tags", func() {
		_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: *made.ID, Record: crm.Contact{Tags: []crm.Tag{{Name: new("vip")}, {ID: new(newsletter)}}}})
		require.NoError(t, err)
	})
	k.GoldenRequests(t, "upsert-existing", func() {
		_, created, _, err := h.Upsert(t, crm.Contact{Title: new("Owner"), EmailAddresses: []crm.EmailAddress{{Email: new("Quill@Example.com")}}})
		require.NoError(t, err)
		assert.False(t, created)
	})
	k.GoldenRequests(t, "upsert-new", func() {
		_, created, _, err := h.Upsert(t, crm.Contact{LastName: new("New"), Owner: &crm.UserReference{ID: new(owner)}, EmailAddresses: []crm.EmailAddress{{Email: new("new@quill.test")}}})
		require.NoError(t, err)
		assert.True(t, created)
	})
	k.GoldenRequests(t, "merge", func() {
		_, _, err := h.Merge(t, *made.ID, []string{plain})
		require.NoError(t, err)
	})
	k.GoldenRequests(t, "batch-delete", func() {
		outcomes, _, err := h.BatchDelete(t, []string{*made.ID, gaps})
		require.NoError(t, err)
		assert.Equal(t, []error{nil, nil}, outcomes)
	})
}

func TestADryRunSendsNothing(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	k.RequireNoCalls(t, func() {
		_, result, err := h.Create(t, full(), providertest.DryRun)
		require.NoError(t, err)
		requests := result.GetVendorRequests()
		require.Len(t, requests, 6, "the custom fields, two tags looked for and made, the contact")
		last := requests[5]
		assert.Equal(t, "POST", last.GetMethod())
		assert.Equal(t, k.Emulator.URL()+collection, last.GetUrl())
		assert.Contains(t, string(last.GetBody()), `"last_name":"Quill"`)
		assert.Contains(t, string(last.GetBody()), `"tags":[{"tag_id":"(of the tag vip)"}`)
		assert.True(t, last.GetMain())
		assert.NotContains(t, result.String(), k.Emulator.Context()["password"])

		_, result, err = h.Update(t, sdk.Change[crm.Contact]{ID: plain, Record: crm.Contact{Title: new("x"), Tags: []crm.Tag{{ID: new(vip)}}, Account: &crm.AccountReference{ID: new(company)}}}, providertest.DryRun)
		require.NoError(t, err)
		var methods []string
		for _, request := range result.GetVendorRequests() {
			methods = append(methods, request.GetMethod()+" "+strings.TrimPrefix(request.GetUrl(), k.Emulator.URL()+strings.TrimSuffix(collection, "Contacts")))
		}
		assert.Equal(t, []string{"GET Contacts/" + plain + "?expand=primary_account,tags.tag,account_relations", "PATCH Contacts/" + plain, "POST ContactAccountRelations", "POST TagRelations"}, methods)

		result, err = h.Delete(t, plain, providertest.DryRun)
		require.NoError(t, err)
		assert.Len(t, result.GetVendorRequests(), 1)
		_, result, err = h.BatchDelete(t, []string{plain, gaps}, providertest.DryRun)
		require.NoError(t, err)
		assert.Len(t, result.GetVendorRequests(), 1)
		_, result, err = h.Merge(t, plain, []string{gaps}, providertest.DryRun)
		require.NoError(t, err)
		assert.Len(t, result.GetVendorRequests(), 1)
		_, _, result, err = h.Upsert(t, crm.Contact{LastName: new("x"), Owner: &crm.UserReference{ID: new(owner)}, EmailAddresses: []crm.EmailAddress{{Email: new("a@quill.test")}}}, providertest.DryRun)
		require.NoError(t, err)
		requests = result.GetVendorRequests()
		assert.True(t, requests[len(requests)-1].GetMain())
		_, _, err = h.Create(t, crm.Contact{LastName: new("Quill")}, providertest.DryRun)
		e := providertest.RequireReason(t, err, errs.InvalidBody)
		assert.Equal(t, "owner.id", e.Fields[0].Path)
	})
}

func post(collection string, body any) vendorhttp.Request {
	return vendorhttp.Request{Method: http.MethodPost, Path: []string{collection}, Body: body}
}

func pathsOf(e *errs.Error) []string {
	var paths []string
	for _, f := range e.Fields {
		paths = append(paths, f.Path)
	}
	return paths
}

func six(domain string) (emails []crm.EmailAddress, numbers []crm.PhoneNumber) {
	for i := range 6 {
		emails = append(emails, crm.EmailAddress{Email: new(fmt.Sprintf("p%d@%s", i, domain))})
		numbers = append(numbers, crm.PhoneNumber{Number: new(fmt.Sprint("+1 202 555 010", i))})
	}
	return emails, numbers
}

func TestWhatPipelinerCannotHoldIsNotLostInSilence(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	emails, numbers := six("quill.test")
	much := crm.Contact{
		FirstName: new("Ada"), LastName: new("Quill"), Name: new("Dr. Ada Quill"), Owner: &crm.UserReference{ID: new(owner)},
		Account: &crm.AccountReference{ID: new(company), Name: new("Another")}, EmailAddresses: emails, PhoneNumbers: numbers,
		Addresses: []crm.Address{{City: new("Leeds")}, {City: new("York")}}, CreatedAt: new(time.Date(2021, 5, 4, 8, 0, 0, 1, time.UTC)),
	}
	want := []string{"name", "account.name", "email_addresses[5]", "phone_numbers[5]", "addresses[1]", "created_at"}
	k.RequireNoCalls(t, func() {
		_, _, err := h.Create(t, much)
		assert.Equal(t, want, pathsOf(providertest.RequireReason(t, err, errs.LossyWrite)))
	})
	made, result, err := h.Create(t, much, providertest.AllowLossy)
	require.NoError(t, err)
	assert.Len(t, result.GetWarnings(), len(want))
	assert.Len(t, made.EmailAddresses, 5)
	assert.Equal(t, "p0@quill.test", *made.EmailAddresses[0].Email)
	assert.Equal(t, "Leeds", *made.Addresses[0].City)

	for field, record := range map[string]crm.Contact{
		"email_addresses.type":    {EmailAddresses: []crm.EmailAddress{{Email: new("a@quill.test"), Type: new("work")}}},
		"phone_numbers.id":        {PhoneNumbers: []crm.PhoneNumber{{Number: new("1"), ID: new("7")}}},
		"addresses.street_2":      {Addresses: []crm.Address{{Street2: new("Floor 2")}}},
		"urls.url":                {URLs: []crm.URL{{URL: new("https://quill.test")}}},
		"created_at":              {CreatedAt: new(time.Now())},
		"last_activity_at":        {LastActivityAt: new(time.Now())},
		"phone_numbers.extension": {PhoneNumbers: []crm.PhoneNumber{{Number: new("1"), Extension: new("7")}}},
	} {
		k.RequireNoCalls(t, func() {
			_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: *made.ID, Record: record})
			assert.Equal(t, []string{field}, pathsOf(providertest.RequireReason(t, err, errs.LossyWrite)))
		})
	}
}

func TestALossIsToldBeforeAnythingIsMade(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	emails, _ := six("quill.test")
	for _, change := range []sdk.Change[crm.Contact]{
		{Record: crm.Contact{EmailAddresses: emails, Tags: []crm.Tag{{Name: new("never made")}}}},
		{Record: crm.Contact{Tags: []crm.Tag{{Name: new("never made")}, {ID: new(vip), Name: new("not its name")}}}},
		{Clear: map[string]bool{"owner": true}},
		{Clear: map[string]bool{"name": true}},
	} {
		change.ID = plain
		before := len(k.Emulator.Calls())
		_, _, err := h.Update(t, change)
		providertest.RequireReason(t, err, errs.LossyWrite)
		for _, call := range k.Emulator.Calls()[before:] {
			assert.Equal(t, http.MethodGet, call.Method)
		}
	}
}

func TestRefusedFieldsAreNamedInTheCallersWords(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	made := full()
	made.Owner.ID, made.Account.ID = new(unknown), new(unknown)
	made.CustomFields = json.RawMessage(`{"cf_score":"many","cf_loyalty_tier":"` + looms + `"}`)
	made.RemoteData = json.RawMessage(`{"nonsense":1,"gender":9,"country":7}`)
	made.Tags = []crm.Tag{{ID: new(unknown)}}
	_, _, err := h.Create(t, made)
	e := providertest.RequireReason(t, err, errs.VendorRejected)
	assert.ElementsMatch(t, []string{"owner.id", "account.id", "tags", "custom_fields.cf_score", "custom_fields.cf_loyalty_tier", "remote_data.nonsense", "remote_data.gender", "remote_data.country"}, pathsOf(e))
	for _, f := range e.Fields {
		assert.NotEmpty(t, f.Description)
		assert.False(t, f.Missing)
	}
	for given, path := range map[string]string{"city": "addresses[0].city", "email2": "email_addresses[1].email", "comments": "remote_data.comments", "shoe_size": "custom_fields.shoe_size"} {
		require.NoError(t, k.Emulator.SetSwitch("required_field", given))
		_, _, err := h.Create(t, crm.Contact{LastName: new("Quill"), Owner: &crm.UserReference{ID: new(owner)}})
		e := providertest.RequireReason(t, err, errs.VendorRejected)
		assert.Equal(t, []string{path}, pathsOf(e))
		assert.True(t, e.Fields[0].Missing, "an administrator made it required")
	}
}

func TestARecordsErrorsAreToldBesideThoseOfItsFields(t *testing.T) {
	k := start(t, nil)
	answer(t, k, 422, `{"success":false,"http_status":422,"code":40000,"entity_errors":[{"code":119,"message":"\none name is needed"}],
		"field_errors":[{"field_name":"owner_id","errors":[{"code":120,"message":"no such owner"},{"name":"ERROR_PARAMETER_MISSING"}]},{"field_name":null,"errors":[]}]}`)
	_, err := createContact(providertest.Context(t), k.Call(t), crm.Contact{Owner: &crm.UserReference{ID: new(unknown)}})
	e := providertest.RequireReason(t, err, errs.VendorRejected)
	assert.Equal(t, "one name is needed; no such owner; ERROR_PARAMETER_MISSING", e.Message)
	assert.Equal(t, []errs.Field{{Path: "owner.id", Description: "no such owner; ERROR_PARAMETER_MISSING", Missing: true}}, e.Fields)

	answer(t, k, 200, `{"success":false,"http_status":422,"code":40000,"message":"m","field_errors":[{"field_name":"last_name","errors":[{"message":"too long"}]}]}`)
	_, err = createContact(providertest.Context(t), k.Call(t), crm.Contact{LastName: new("Q")})
	e = providertest.RequireReason(t, err, errs.VendorRejected)
	assert.Equal(t, []errs.Field{{Path: "last_name", Description: "too long"}}, e.Fields, "a 2xx that means failure")
}

func TestADeletesRefusalNamesFieldsInTheCallersWordsToo(t *testing.T) {
	const refused = `{"success":false,"http_status":422,"code":40000,"message":"m","field_errors":[{"field_name":"owner_id","errors":[{"message":"held"}]}]}`
	k := start(t, nil)
	answer(t, k, 422, refused)
	_, err := deleteContact(providertest.Context(t), k.Call(t), plain)
	assert.Equal(t, []string{"owner.id"}, pathsOf(providertest.RequireReason(t, err, errs.VendorPrecondition)))
	answer(t, k, 200, `{"success":true,"data":[`+refused+`]}`)
	outcomes, err := batchDeleteContacts(providertest.Context(t), k.Call(t), []string{plain})
	require.NoError(t, err)
	assert.Equal(t, []string{"owner.id"}, pathsOf(providertest.RequireReason(t, outcomes[0].Err, errs.VendorPrecondition)))
	answer(t, k, 422, refused)
	_, err = mergeContacts(providertest.Context(t), k.Call(t), plain, []string{gaps})
	assert.Equal(t, []string{"owner.id"}, pathsOf(providertest.RequireReason(t, err, errs.VendorRejected)))
}

func TestAContactNeedsANameByTheVendorsRule(t *testing.T) {
	nameless := crm.Contact{Owner: &crm.UserReference{ID: new(owner)}, EmailAddresses: []crm.EmailAddress{{Email: new("a@quill.test")}}}
	for rule, works := range map[string][]bool{"first_or_last": {false, true}, "last": {false, false}, "none": {true, true}} {
		h := start(t, map[string]string{"required_names": rule}).Host(t)
		for i, contact := range []crm.Contact{nameless, {Owner: nameless.Owner, FirstName: new("Ada")}} {
			_, _, err := h.Create(t, contact)
			if works[i] {
				require.NoError(t, err, rule)
			} else {
				providertest.RequireReason(t, err, errs.VendorRejected)
			}
		}
	}
}

func TestUnknownCustomFieldsAreRefusedWithTheNamesThatThereAre(t *testing.T) {
	k := start(t, nil)
	_, _, err := k.Host(t).Create(t, crm.Contact{LastName: new("Quill"), Owner: &crm.UserReference{ID: new(owner)}, CustomFields: json.RawMessage(`{"score":1,"title":"Ms.","first_name":"x"}`)})
	e := providertest.RequireReason(t, err, errs.InvalidBody)
	assert.Equal(t, []string{"custom_fields.score", "custom_fields.title", "custom_fields.first_name"}, pathsOf(e), "the vendor's own fields are none")
	assert.Contains(t, e.Fields[0].Description, "which has: cf_score, ")
	for _, call := range k.Emulator.Calls() {
		assert.Equal(t, http.MethodGet, call.Method)
	}
}

func TestTheNamesOfCustomFieldsAreReadPageByPage(t *testing.T) {
	k := start(t, nil)
	field := func(name, entity string) string {
		return `{"id":"x","api_name":"` + name + `","entity_name":"` + entity + `"}`
	}
	answer(t, k, 200, `{"data":[`+field("cf_a", "Contact")+`,`+field("cf_account", "Account")+`],"page_info":{"has_next_page":true,"end_cursor":"c1"}}`)
	answer(t, k, 200, `{"data":[],"page_info":{"has_next_page":false,"end_cursor":null}}`)
	_, _, err := k.Host(t).Create(t, crm.Contact{LastName: new("Quill"), Owner: &crm.UserReference{ID: new(owner)}, CustomFields: json.RawMessage(`{"cf_account":1}`)})
	e := providertest.RequireReason(t, err, errs.InvalidBody)
	assert.Equal(t, "is not a custom field of this account, which has: cf_a", e.Fields[0].Description)
	assert.Contains(t, k.Emulator.Calls()[1].Query, "after=c1")
}

func TestCustomFieldsThatNobodyCanWriteAreTakenBackAsTheyAre(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	answer := `{"data":[{"id":"x","api_name":"cf_score","entity_name":"Contact","system_readonly":true}],"page_info":{"has_next_page":false}}`
	for range 2 {
		require.NoError(t, k.Emulator.Inject(kit.Match{Path: strings.TrimSuffix(collection, "Contacts") + "Fields"}, kit.Fault{Status: 200, Body: json.RawMessage(answer)}, 1))
	}
	_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: plain, Record: crm.Contact{CustomFields: json.RawMessage(`{"cf_score": 0 }`)}})
	require.NoError(t, err)
	_, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: plain, Record: crm.Contact{CustomFields: json.RawMessage(`{"cf_score":1}`)}})
	assert.Equal(t, []string{"custom_fields.cf_score"}, pathsOf(providertest.RequireReason(t, err, errs.LossyWrite)))
}

func TestAStaleVersionChangesNothing(t *testing.T) {
	for _, lock := range []string{"off", "on"} {
		k := start(t, map[string]string{"revision_lock": lock})
		h := k.Host(t)
		before, err := h.Get(t, plain)
		require.NoError(t, err)
		_, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: plain, ETag: before.ETag, Record: crm.Contact{Title: new("first")}})
		require.NoError(t, err)
		_, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: plain, ETag: before.ETag, Record: crm.Contact{Title: new("second"), Tags: []crm.Tag{{Name: new("late")}}}})
		providertest.RequireReason(t, err, errs.StaleVersion)
		after, err := h.Get(t, plain)
		require.NoError(t, err)
		assert.Equal(t, "first", *after.Title)
	}
	k := start(t, map[string]string{"revision_lock": "on"})
	_, _, err := k.Host(t).Update(t, sdk.Change[crm.Contact]{ID: plain, Record: crm.Contact{FirstName: new("x"), RemoteData: json.RawMessage(`{"revision":1}`)}})
	e := providertest.RequireReason(t, err, errs.VendorConflict)
	assert.Equal(t, 409, e.HTTPStatus(), "the vendor's own refusal, where it has one")
}

func TestUpdateOfARecordThatIsGone(t *testing.T) {
	for switches, want := range map[string]errs.Reason{"404": errs.RecordNotFound, "422": errs.RecordNotFound} {
		k := start(t, map[string]string{"update_after_delete": switches, "get_after_delete": "200"})
		for _, id := range []string{deletedOne, unknown} {
			_, _, err := k.Host(t).Update(t, sdk.Change[crm.Contact]{ID: id, Record: crm.Contact{FirstName: new("x")}})
			providertest.RequireReason(t, err, want)
		}
	}
}

func TestAnArchivedContactIsTheVendorsToRefuse(t *testing.T) {
	for value, reason := range map[string]errs.Reason{"422": errs.VendorRejected, "accept": 0} {
		_, _, err := start(t, map[string]string{"archived_update": value}).Host(t).Update(t, sdk.Change[crm.Contact]{ID: archived, Record: crm.Contact{FirstName: new("x")}})
		if reason == 0 {
			require.NoError(t, err)
		} else {
			providertest.RequireReason(t, err, reason)
		}
	}
}

func TestAnUpdateCostsALookAndAWrite(t *testing.T) {
	k := start(t, nil)
	calls := k.Calls(func() {
		changed, _, err := k.Host(t).Update(t, sdk.Change[crm.Contact]{ID: plain, Record: crm.Contact{FirstName: new("x")}})
		require.NoError(t, err)
		assert.NotNil(t, changed.Account.Name, "the look knows the names")
		assert.NotNil(t, changed.Tags[0].Name)
	})
	assert.Equal(t, []string{"GET " + collection + "/" + plain, "PATCH " + collection + "/" + plain}, calls)
}

func TestClearingASlotTakesAnExplicitNull(t *testing.T) {
	k := start(t, nil)
	after, _, err := k.Host(t).Update(t, sdk.Change[crm.Contact]{ID: fiveSlots, Record: crm.Contact{EmailAddresses: []crm.EmailAddress{{Email: new("b@quill.test")}, {Email: new("a@quill.test")}}}})
	require.NoError(t, err)
	calls := k.Emulator.Calls()
	assert.JSONEq(t, `{"email1":"b@quill.test","email2":"a@quill.test","email3":null,"email4":null,"email5":null}`, calls[len(calls)-1].Body)
	assert.Len(t, after.PhoneNumbers, 5, "what was not named stays")
	assert.Equal(t, []string{"b@quill.test", "a@quill.test"}, []string{*after.EmailAddresses[0].Email, *after.EmailAddresses[1].Email}, "the order stays")
}

func TestWhatWasReadAndComesBackChangesNothing(t *testing.T) {
	k := start(t, map[string]string{"empty_change": "400"})
	h := k.Host(t)
	for _, id := range []string{plain, titled, gaps, twoAccounts, inWords, fiveSlots, goneAccount} {
		before, err := h.Get(t, id)
		require.NoError(t, err)
		same := *before
		same.ID, same.CreatedAt, same.UpdatedAt, same.RemoteData, same.ETag = nil, nil, nil, nil, nil
		after, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: id, ETag: before.ETag, Record: same})
		require.NoError(t, err, id)
		for _, field := range []string{"email1", "email2", "email3", "email4", "email5", "phone1", "phone2", "phone5", "position", "account_position", "cf_score", "shoe_size", "quick_account_name", "formatted_name"} {
			assert.Equal(t, members(before.RemoteData)[field], members(after.RemoteData)[field], "%s of %s", field, id)
		}
		assert.Equal(t, before.Tags, after.Tags)
		assert.Equal(t, before.Account, after.Account)
		assert.Equal(t, before.Title, after.Title)
	}
	for _, call := range k.Emulator.Calls() {
		assert.NotContains(t, call.Path, "Relations")
	}
}

func TestTheNameHasTheSalutationInIt(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: titled, Record: crm.Contact{Name: new("Somebody Else")}})
	assert.Equal(t, []string{"name"}, pathsOf(providertest.RequireReason(t, err, errs.LossyWrite)))
	after, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: titled, Record: crm.Contact{FirstName: new("Somebody"), LastName: new("Else")}})
	require.NoError(t, err)
	assert.Equal(t, "Dr. Somebody van der Else", *after.Name)
	after, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: plain, Record: crm.Contact{Name: new("Somebody Else")}})
	require.NoError(t, err)
	assert.Equal(t, []string{"Somebody", "Else", "Somebody Else"}, []string{*after.FirstName, *after.LastName, *after.Name})
}

func TestTheTitleIsAPositionAtTheAccountOrWithoutOne(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	made, _, err := h.Create(t, crm.Contact{LastName: new("Quill"), Owner: &crm.UserReference{ID: new(owner)}, Title: new("Buyer"), RemoteData: json.RawMessage(`{"title":"Ms."}`)})
	require.NoError(t, err)
	step := func(change sdk.Change[crm.Contact], title string, positions ...string) {
		t.Helper()
		change.ID = *made.ID
		after, _, err := h.Update(t, change)
		require.NoError(t, err)
		var got []string
		for _, field := range []string{"position", "account_position", "title"} {
			got = append(got, string(members(after.RemoteData)[field]))
		}
		assert.Equal(t, append(positions, `"Ms."`), got)
		if title == "" {
			assert.Nil(t, after.Title)
		} else {
			assert.Equal(t, title, *after.Title)
		}
	}
	step(sdk.Change[crm.Contact]{Record: crm.Contact{Title: new("Scribe")}}, "Scribe", `"Scribe"`, `"Scribe"`)
	step(sdk.Change[crm.Contact]{Record: crm.Contact{Account: &crm.AccountReference{ID: new(company)}}}, "Scribe", `"Scribe"`, `"Scribe"`)
	step(sdk.Change[crm.Contact]{Record: crm.Contact{Title: new("Head")}}, "Head", `"Scribe"`, `"Head"`)
	step(sdk.Change[crm.Contact]{Record: crm.Contact{Account: &crm.AccountReference{ID: new(otherFirm)}, Title: new("Boss")}}, "Boss", `"Scribe"`, `"Boss"`)
	step(sdk.Change[crm.Contact]{Record: crm.Contact{Account: &crm.AccountReference{ID: new(company)}}}, "Head", `"Scribe"`, `"Head"`) // a link that was there has its own
	step(sdk.Change[crm.Contact]{Clear: map[string]bool{"account": true}}, "Head", `"Head"`, `"Head"`)
	step(sdk.Change[crm.Contact]{Record: crm.Contact{Account: &crm.AccountReference{ID: new(otherFirm)}}, Clear: map[string]bool{"title": true}}, "", `null`, `null`)
	step(sdk.Change[crm.Contact]{Record: crm.Contact{Title: new("Owner")}}, "Owner", `null`, `"Owner"`)
	step(sdk.Change[crm.Contact]{Clear: map[string]bool{"title": true}}, "", `null`, `null`)
	step(sdk.Change[crm.Contact]{Clear: map[string]bool{"account": true}, Record: crm.Contact{Title: new("Free")}}, "Free", `"Free"`, `"Free"`)
}

func TestAnotherAccountLeavesTheOthersLinked(t *testing.T) {
	for _, update := range []string{"replace", "add"} {
		for _, expand := range []string{"serve", "ignore", "400"} {
			k := start(t, map[string]string{"relation_update": update, "get_expand": expand})
			h := k.Host(t)
			links := func() map[string]bool { // account to primary
				found := map[string]bool{}
				for _, row := range rowsOf(t, k, "ContactAccountRelations", twoAccounts) {
					found[text(row["account_id"]).String()] = text(row["is_primary"]).String() == "true"
				}
				return found
			}
			before := links()
			require.Len(t, before, 2)
			_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: twoAccounts, Record: crm.Contact{FirstName: new("x"), Account: &crm.AccountReference{ID: new(strings.ToUpper(otherFirm))}}})
			require.NoError(t, err)
			after := links()
			assert.True(t, after[otherFirm])
			for account := range before {
				primary, linked := after[account]
				assert.True(t, linked, "%s is still linked", account)
				assert.Equal(t, account == otherFirm, primary)
			}
			changed, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: twoAccounts, Clear: map[string]bool{"account": true}})
			require.NoError(t, err)
			assert.Nil(t, changed.Account)
			ended := links()
			delete(after, otherFirm)
			assert.Equal(t, after, ended, "the others stay")
		}
	}
}

// rowsOf asks the emulator for the rows beside a contact.
func rowsOf(t *testing.T, k *providertest.Kit, name, contact string) []map[string]json.RawMessage {
	t.Helper()
	client, err := newClient(k.Call(t))
	require.NoError(t, err)
	request := get(name)
	request.Fixed = filter("contact_id", "eq", contact)
	response, err := ask(providertest.Context(t), client.Side, request)
	require.NoError(t, err)
	items, _, err := pageOf(response, largestPage, "")
	require.NoError(t, err)
	var rows []map[string]json.RawMessage
	for _, item := range items {
		rows = append(rows, members(item))
	}
	return rows
}

func TestACompanyInWordsIsAnAccountWithoutAnID(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	made, _, err := h.Create(t, crm.Contact{LastName: new("Quill"), Owner: &crm.UserReference{ID: new(owner)}, Account: &crm.AccountReference{Name: new("Quill & Sons")}})
	require.NoError(t, err)
	assert.Equal(t, &crm.AccountReference{Name: new("Quill & Sons")}, made.Account)
	linked, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: *made.ID, Record: crm.Contact{Account: &crm.AccountReference{ID: new(company)}}})
	require.NoError(t, err)
	assert.Equal(t, company, *linked.Account.ID)
	_, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: *made.ID, Record: crm.Contact{Account: &crm.AccountReference{Name: new("Others")}}})
	assert.Equal(t, []string{"account.name"}, pathsOf(providertest.RequireReason(t, err, errs.LossyWrite)))
	_, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: *made.ID, Record: crm.Contact{Account: linked.Account}})
	require.NoError(t, err, "its own name is no loss")
	cleared, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: *made.ID, Clear: map[string]bool{"account": true}})
	require.NoError(t, err)
	assert.Nil(t, cleared.Account, "the words do not come back")
}

func TestTagsAreChangedRowByRow(t *testing.T) {
	for _, update := range []string{"replace", "add"} {
		for _, expand := range []string{"serve", "ignore", "400"} {
			k := start(t, map[string]string{"relation_update": update, "get_expand": expand})
			h := k.Host(t)
			made, _, err := h.Create(t, crm.Contact{LastName: new("Quill"), Owner: &crm.UserReference{ID: new(owner)}, Tags: []crm.Tag{{ID: new(vip)}, {Name: new("fresh")}}})
			require.NoError(t, err)
			before := rowsOf(t, k, "TagRelations", *made.ID)
			require.Len(t, before, 2)
			calls := k.Calls(func() {
				_, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: *made.ID, Record: crm.Contact{Tags: []crm.Tag{{Name: new("newsletter")}, {Name: new("fresh")}, {ID: new(newsletter)}}}})
				require.NoError(t, err)
			})
			after := rowsOf(t, k, "TagRelations", *made.ID)
			require.Len(t, after, 2)
			assert.Equal(t, before[1], after[0], "the row that stays is not touched")
			assert.Equal(t, newsletter, text(after[1]["tag_id"]).String())
			root := strings.TrimSuffix(collection, "Contacts")
			assert.Contains(t, calls, "DELETE "+root+"TagRelations/"+text(before[0]["id"]).String())
			assert.Equal(t, 1, count(calls, "POST "+root+"TagRelations"))
			assert.Equal(t, 0, count(calls, "POST "+root+"Tags"))

			_, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: *made.ID, Clear: map[string]bool{"tags": true}})
			require.NoError(t, err)
			assert.Empty(t, rowsOf(t, k, "TagRelations", *made.ID))
		}
	}
}

func count(all []string, one string) (n int) {
	for _, each := range all {
		if each == one {
			n++
		}
	}
	return n
}

func TestATagThatIsNotForContactsIsNotTaken(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	for _, kinds := range []int{2, 1} {
		client, err := newClient(k.Call(t))
		require.NoError(t, err)
		_, err = client.Side(providertest.Context(t), post("Tags", map[string]any{"name": "shared", "color": 1, "supported_entities": kinds}))
		require.NoError(t, err)
	}
	made, _, err := h.Create(t, crm.Contact{LastName: new("Quill"), Owner: &crm.UserReference{ID: new(owner)}, Tags: []crm.Tag{{Name: new("shared")}, {Name: new("VIP")}, {Name: new("VIP")}}})
	require.NoError(t, err)
	require.Len(t, made.Tags, 2)
	for _, tag := range made.Tags {
		assert.NotEqual(t, vip, *tag.ID, "a name counts to the letter")
	}
	client, err := newClient(k.Call(t))
	require.NoError(t, err)
	tag, err := findTag(providertest.Context(t), client, "shared")
	require.NoError(t, err)
	assert.Equal(t, made.Tags[0].ID, tag.ID)
}

func TestARowThatIsRefusedSaysThatTheRestIsDone(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	for path, record := range map[string]crm.Contact{
		"account.id": {FirstName: new("done"), Account: &crm.AccountReference{ID: new(unknown)}},
		"tags[0]":    {FirstName: new("done"), Tags: []crm.Tag{{ID: new(unknown)}}},
	} {
		_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: plain, Record: record})
		e := providertest.RequireReason(t, err, errs.VendorRejected)
		assert.Equal(t, []string{path}, pathsOf(e))
		assert.Contains(t, e.Message, "own fields have been changed")
		after, err := h.Get(t, plain)
		require.NoError(t, err)
		assert.Equal(t, "done", *after.FirstName)
	}
	for path, record := range map[string]crm.Contact{
		"account.id": {Account: &crm.AccountReference{ID: new("not-a-uuid")}},
		"tags[0].id": {Tags: []crm.Tag{{ID: new("..")}}},
	} {
		before := len(k.Emulator.Calls())
		_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: plain, Record: record})
		assert.Equal(t, []string{path}, pathsOf(providertest.RequireReason(t, err, errs.InvalidBody)))
		assert.Len(t, k.Emulator.Calls(), before+1, "nothing is written")
	}
	_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: plain, Record: crm.Contact{Tags: []crm.Tag{{ID: new(unknown), Name: new("x")}}}})
	assert.Equal(t, []string{"tags[0].id"}, pathsOf(providertest.RequireReason(t, err, errs.VendorRejected)))
}

func TestAWriteDoesNotFailForItsReadingBack(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	require.NoError(t, k.Emulator.Inject(kit.Match{Method: http.MethodGet, Path: collection + "/*"}, kit.Fault{Status: 500}, -1))
	made, _, err := h.Create(t, crm.Contact{LastName: new("Quill"), Owner: &crm.UserReference{ID: new(owner)}, Account: &crm.AccountReference{ID: new(company)}, Tags: []crm.Tag{{ID: new(vip)}}})
	require.NoError(t, err)
	assert.Equal(t, company, *made.Account.ID)
	assert.Nil(t, made.Account.Name)
}

func TestWhenTheRecordWasMadeIsKeptToTheMicrosecond(t *testing.T) {
	k := start(t, nil)
	made, _, err := k.Host(t).Create(t, full())
	require.NoError(t, err)
	assert.Equal(t, "2021-05-04T08:00:00.000001Z", made.CreatedAt.Format(time.RFC3339Nano))
}

func TestAnAddressThatSeveralHaveIsNoUpsert(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	made, _, err := h.Create(t, crm.Contact{LastName: new("Quill"), Owner: &crm.UserReference{ID: new(owner)}, EmailAddresses: []crm.EmailAddress{{Email: new("a@quill.test")}, {Email: new("CONTACT1@example.com")}}})
	require.NoError(t, err)
	_, _, _, err = h.Upsert(t, crm.Contact{Title: new("x"), EmailAddresses: []crm.EmailAddress{{Email: new("contact1@example.com")}}})
	e := providertest.RequireReason(t, err, errs.Conflict)
	assert.Contains(t, e.Message, *made.ID, "in any of the five fields, whatever the letters' case")
	assert.Contains(t, e.Message, plain)
	_, _, _, err = h.Upsert(t, crm.Contact{LastName: new("x"), EmailAddresses: []crm.EmailAddress{{Email: new("nobody@quill.test")}}})
	e = providertest.RequireReason(t, err, errs.InvalidBody)
	assert.Equal(t, "owner.id", e.Fields[0].Path, "a new one needs an owner")
}

func TestASearchThatFindsSomebodyElseIsUnexpected(t *testing.T) {
	k := start(t, nil)
	answer(t, k, 200, `{"data":[{"id":"`+plain+`","email1":"other@example.com"}],"page_info":{"has_next_page":false}}`)
	_, err := findByEmail(providertest.Context(t), k.Call(t), "contact1@example.com")
	providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
}

func TestBatchDeleteTellsWhatBecameOfEach(t *testing.T) {
	for status, reason := range map[string]errs.Reason{"422": errs.VendorPrecondition, "403": errs.VendorForbidden} {
		k := start(t, map[string]string{"protected_delete": status})
		h := k.Host(t)
		ids := []string{plain, protected, unknown, strings.ToUpper(gaps), deletedOne}
		outcomes, _, err := h.BatchDelete(t, ids)
		require.NoError(t, err)
		require.NoError(t, outcomes[0])
		e := providertest.RequireReason(t, outcomes[1], reason)
		assert.Equal(t, status, fmt.Sprint(e.HTTPStatus()))
		providertest.RequireReason(t, outcomes[2], errs.RecordNotFound)
		require.NoError(t, outcomes[3])
		providertest.RequireReason(t, outcomes[4], errs.RecordNotFound)
		_, err = h.Get(t, protected)
		require.NoError(t, err)
		assert.Len(t, k.Emulator.Calls(), 2)
	}
}

func TestBatchDeleteTakesAThousandInTens(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	var batch []map[string]any
	for i := range 999 {
		batch = append(batch, map[string]any{"owner_id": owner, "last_name": fmt.Sprint("Quill ", i)})
	}
	client, err := newClient(k.Call(t))
	require.NoError(t, err)
	request := post("Contacts", batch)
	request.Path = append(request.Path, "batch-modify")
	response, err := client.Side(providertest.Context(t), request)
	require.NoError(t, err)
	var made struct{ Data []string }
	require.NoError(t, response.Decode(&made))
	require.Len(t, made.Data, 999)
	ids := slices.Insert(made.Data, 500, protected)
	calls := k.Calls(func() {
		outcomes, _, err := h.BatchDelete(t, ids)
		require.NoError(t, err)
		require.Len(t, outcomes, 1000)
		for i, outcome := range outcomes {
			assert.Equal(t, ids[i] == protected, outcome != nil)
		}
	})
	assert.Equal(t, slices.Repeat([]string{"POST " + collection + "/batch-delete"}, 10), calls)
	left, err := h.All(t, sdk.ListQuery{PageSize: 100}, nil)
	require.NoError(t, err)
	assert.Len(t, left, visible)
}

func TestABatchThatDoesNotAccountForARecordIsUnexpected(t *testing.T) {
	for body, reasons := range map[string][2]errs.Reason{
		`{"success":true,"data":[]}`:                                         {errs.UnexpectedVendorAnswer, errs.UnexpectedVendorAnswer},
		`{"success":true,"data":["` + gaps + `"]}`:                           {errs.UnexpectedVendorAnswer, 0},
		`{"success":true,"data":["` + gaps + `","` + plain + `"]}`:           {0, 0},
		`{"success":true,"data":["` + someID + `","` + gaps + `"]}`:          {errs.UnexpectedVendorAnswer, 0},
		`{"success":true,"data":[{"success":false},"` + gaps + `"]}`:         {errs.UnexpectedVendorAnswer, 0},
		`{"success":true,"data":[null,{"success":false,"http_status":404}]}`: {errs.UnexpectedVendorAnswer, errs.RecordNotFound},
	} {
		k := start(t, nil)
		answer(t, k, 200, body)
		outcomes, _, err := k.Host(t).BatchDelete(t, []string{plain, gaps})
		require.NoError(t, err)
		for i, reason := range reasons {
			if reason == 0 {
				require.NoError(t, outcomes[i], body)
			} else {
				providertest.RequireReason(t, outcomes[i], reason)
			}
		}
	}
	for body, reason := range map[string]errs.Reason{`{"success":true}`: errs.UnexpectedVendorAnswer, `{"success":false,"http_status":422,"code":40000}`: errs.VendorRejected, `[]`: errs.UnexpectedVendorAnswer} {
		k := start(t, nil)
		answer(t, k, 200, body)
		outcomes, _, err := k.Host(t).BatchDelete(t, []string{plain, gaps})
		if err == nil {
			err = outcomes[0]
		}
		providertest.RequireReason(t, err, reason)
	}
	k := start(t, map[string]string{"batch_max": "1"})
	_, _, err := k.Host(t).BatchDelete(t, []string{plain, gaps})
	providertest.RequireReason(t, err, errs.VendorRejected)
}

func TestMergeGivesTheMasterWithItsNames(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	merged, _, err := h.Merge(t, plain, []string{gaps, twoAccounts})
	require.NoError(t, err)
	assert.Equal(t, plain, *merged.ID)
	assert.NotNil(t, merged.Account.Name)
	for _, id := range []string{gaps, twoAccounts} {
		_, err := h.Get(t, id)
		providertest.RequireReason(t, err, errs.RecordNotFound)
	}
	_, _, err = h.Merge(t, plain, []string{unknown})
	providertest.RequireReason(t, err, errs.RecordNotFound)
	_, _, err = h.Merge(t, plain, []string{protected})
	providertest.RequireReason(t, err, errs.VendorRejected)
	k.RequireNoCalls(t, func() {
		_, _, err := h.Merge(t, plain, []string{strings.ToUpper(plain)})
		providertest.RequireReason(t, err, errs.InvalidBody)
	})
	answer(t, k, 200, `{"success":true,"data":{"id":"`+someID+`"}}`)
	_, _, err = h.Merge(t, plain, []string{inWords})
	providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
}

func TestEveryWriteSaysThatItIsJSON(t *testing.T) {
	k := start(t, map[string]string{"content_type": "required"})
	_, _, err := k.Host(t).Create(t, full())
	require.NoError(t, err)
	for _, call := range k.Emulator.Calls() {
		if call.Method != http.MethodGet {
			assert.Equal(t, "application/json", call.Headers.Get("Content-Type"), "the vendor's description has spaces in it")
		}
	}
}

func TestNumbersOfCustomFieldsKeepTheirDigits(t *testing.T) {
	k := start(t, nil)
	_, _, err := k.Host(t).Update(t, sdk.Change[crm.Contact]{ID: plain, Record: crm.Contact{CustomFields: json.RawMessage(`{"cf_discount":1.50,"cf_score":9007199254740993}`)}})
	require.NoError(t, err)
	calls := k.Emulator.Calls()
	assert.True(t, bytes.Contains([]byte(calls[len(calls)-1].Body), []byte(`"cf_discount":1.50,"cf_score":9007199254740993`)))
}
