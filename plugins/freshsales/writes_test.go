package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/plugins/freshsales/emulator"
	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	kit "github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
)

const (
	acme, other = "70003771198", "70003771199" // companies
	nora, omar  = "70000038922", "70000038923" // users
)

var support = providertest.Support{
	Accounts: []string{acme, other}, Owners: []string{nora, omar},
	Emails:    providertest.Items{Most: 3, Types: []string{"primary", "work", ""}, Once: true},
	Phones:    providertest.Items{Most: 4, Types: []string{"work", "mobile", ""}, Once: true},
	Addresses: providertest.Items{Most: 1, Types: []string{""}},
	URLs:      providertest.Items{Most: 3, Types: []string{"linkedin", "facebook", "twitter"}, Once: true},
	Tags:      []string{"new one", "Größe"},
	CustomFields: map[string][]string{
		"cf_region": {`"EMEA"`, `"APAC"`}, "cf_is_active": {`true`, `false`}, "cf_no-go_types": {`"calls;visits"`, `"letters"`, `null`},
		"cf_badge_number": {`9007199254740993`, `0`}, "cf_renewal_date": {`"2026-02-03"`}, "cf_remarks": {`"first\nsecond, \"b\""`, `"x"`},
	},
	Contact: func(c *crm.Contact) {
		if !slices.ContainsFunc(c.PhoneNumbers, func(n crm.PhoneNumber) bool { return n.Type != nil && *n.Type == "mobile" }) && len(c.EmailAddresses) == 0 {
			c.EmailAddresses = []crm.EmailAddress{{Email: new(fmt.Sprintf("r%d@example.com", next()))}}
		}
		if len(c.EmailAddresses) == 1 && c.EmailAddresses[0].Type != nil && *c.EmailAddresses[0].Type == "work" {
			c.EmailAddresses[0].Type = nil // alone it is the primary one
		}
	},
}

var counter int

func next() int { counter++; return counter }

func TestRoundTrip(t *testing.T) { providertest.RoundTrip(t, start(t, nil), support) }

func TestRoundTripWhereTheVendorReplacesWhatItCouldAddTo(t *testing.T) {
	providertest.RoundTrip(t, start(t, map[string]string{"array_write": "replaces", "email_write": "adds"}), support)
}

func TestRoundTripWhereAWriteIgnoresInclude(t *testing.T) {
	providertest.RoundTrip(t, start(t, map[string]string{"write_include": "ignored", "create_status": "200", "get_after_delete": "404"}), support)
}

func TestLists(t *testing.T) { providertest.Lists(t, start(t, nil)) }

func TestIncrementalReadingPassesNobodyOver(t *testing.T) { providertest.Incremental(t, start(t, nil)) }

func full() crm.Contact {
	return crm.Contact{
		FirstName: new("Ada"), LastName: new("Quill"), Title: new("Buyer"),
		Account: &crm.AccountReference{ID: new(acme)}, Owner: &crm.UserReference{ID: new(omar)},
		Addresses:      []crm.Address{{Street1: new("1 Ink Lane"), City: new("Leeds"), PostalCode: new("LS1 1AA"), Country: new("GB")}},
		EmailAddresses: []crm.EmailAddress{{Email: new("ada@quill.test")}, {Email: new("ada@ink.test")}, {Email: new("desk@quill.test"), Type: new("work")}},
		PhoneNumbers:   []crm.PhoneNumber{{Number: new("+44 20 7946 0001"), Type: new("mobile")}, {Number: new("+44 20 7946 0002")}, {Number: new("+44 20 7946 0004")}},
		URLs:           []crm.URL{{URL: new("https://linkedin.com/in/quill"), Type: new("linkedin")}},
		Tags:           []crm.Tag{{Name: new("vip")}},
		CustomFields:   json.RawMessage(`{"cf_region":"EMEA","cf_badge_number":9007199254740993}`),
		RemoteData:     json.RawMessage(`{"external_id":"q-1","custom_field":{"cf_is_active":true}}`),
	}
}

func equal(field, value string) sdk.Filters {
	return sdk.Filters{{Field: field, Operator: sdk.Equal, Value: value}}
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
			Title: new("Head of Ink"), EmailAddresses: []crm.EmailAddress{{Email: new("ada@ink.test"), Type: new("primary")}, {Email: new("new@ink.test")}},
			PhoneNumbers: []crm.PhoneNumber{{Number: new("+44 20 7946 0003"), Type: new("work")}}, Account: &crm.AccountReference{ID: new(other)}, CustomFields: json.RawMessage(`{"cf_badge_number":null}`),
		}, Clear: map[string]bool{"owner": true, "tags": true, "first_name": true, "addresses": true, "urls": true}})
		require.NoError(t, err)
	})
	k.GoldenRequests(t, "update-plain", func() {
		_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: *made.ID, Record: crm.Contact{Title: new("Owner")}})
		require.NoError(t, err)
	})
	k.GoldenRequests(t, "upsert-existing", func() {
		_, created, _, err := h.Upsert(t, crm.Contact{Title: new("Owner"), EmailAddresses: []crm.EmailAddress{{Email: new("ada@ink.test")}}})
		require.NoError(t, err)
		assert.False(t, created)
	})
	k.GoldenRequests(t, "upsert-new", func() {
		_, created, _, err := h.Upsert(t, crm.Contact{LastName: new("New"), EmailAddresses: []crm.EmailAddress{{Email: new("new@quill.test")}}})
		require.NoError(t, err)
		assert.True(t, created)
	})
	for _, list := range []struct {
		name    string
		filters sdk.Filters
	}{
		{"list-updated-at", sdk.Filters{{Field: "updated_at", Operator: sdk.Greater, Value: "2024-01-01T00:00:00Z"}}},
		{"list-created-at", sdk.Filters{{Field: "created_at", Operator: sdk.Greater, Value: "2024-01-01T00:00:00Z"}}},
		{"list-email", equal("email_addresses.email", "ada@ink.test")},
		{"list-number", equal("phone_numbers.number", "+44 20 7946 0003")},
		{"list-search", equal("search", "quill")},
		{"deleted", equal("is_deleted", "true")},
	} {
		k.GoldenRequests(t, list.name, func() {
			_, err := h.All(t, sdk.ListQuery{PageSize: 100, Filters: list.filters}, nil)
			require.NoError(t, err)
		})
	}
	k.GoldenRequests(t, "list-sorted", func() {
		_, err := h.All(t, sdk.ListQuery{PageSize: 100, Sort: []sdk.SortKey{{Field: "created_at"}}}, nil)
		require.NoError(t, err)
	})
	k.GoldenRequests(t, "batch-delete-few", func() {
		outcomes, _, err := h.BatchDelete(t, []string{*made.ID})
		require.NoError(t, err)
		assert.Equal(t, []error{nil}, outcomes)
	})
	k.GoldenRequests(t, "batch-delete", func() {
		outcomes, _, err := h.BatchDelete(t, []string{plain, "70011223345", "70011223346", "70011223347", "70011223348"})
		require.NoError(t, err)
		assert.Equal(t, make([]error, 5), outcomes)
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
		assert.Equal(t, k.Emulator.URL()+"/crm/sales/api/contacts?include=owner,sales_accounts", last.GetUrl())
		assert.Contains(t, string(last.GetBody()), `"last_name":"Quill"`)
		assert.True(t, last.GetMain())
		_, result, err = h.Update(t, sdk.Change[crm.Contact]{ID: plain, Record: crm.Contact{Title: new("x")}}, providertest.DryRun)
		require.NoError(t, err)
		assert.Len(t, result.GetVendorRequests(), 1)
		_, result, err = h.Update(t, sdk.Change[crm.Contact]{ID: plain, Record: crm.Contact{Account: &crm.AccountReference{ID: new(acme)}, EmailAddresses: full().EmailAddresses}}, providertest.DryRun)
		require.NoError(t, err)
		assert.Len(t, result.GetVendorRequests(), 2, "the look and the change")
		result, err = h.Delete(t, plain, providertest.DryRun)
		require.NoError(t, err)
		assert.Len(t, result.GetVendorRequests(), 1)
		_, result, err = h.BatchDelete(t, []string{plain, unknown}, providertest.DryRun)
		require.NoError(t, err)
		assert.Len(t, result.GetVendorRequests(), 2)
		_, result, err = h.BatchDelete(t, manyIDs(101), providertest.DryRun)
		require.NoError(t, err)
		assert.Len(t, result.GetVendorRequests(), 3, "the list of views, and two times bulk_destroy")
		_, _, result, err = h.Upsert(t, full(), providertest.DryRun)
		require.NoError(t, err)
		requests = result.GetVendorRequests()
		assert.Contains(t, string(requests[len(requests)-1].GetBody()), `{"unique_identifier":{"emails":"ada@quill.test"},"contact":{`)
		assert.NotContains(t, result.String(), "emulator-freshsales-key")
		_, _, err = h.Create(t, crm.Contact{FirstName: new("Ada")}, providertest.DryRun)
		providertest.RequireReason(t, err, errs.InvalidBody)
	})
}

func pathsOf(e *errs.Error) []string {
	var paths []string
	for _, f := range e.Fields {
		paths = append(paths, f.Path)
	}
	return paths
}

func TestWhatFreshsalesCannotHoldIsNotLostInSilence(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	much := crm.Contact{
		EmailAddresses: []crm.EmailAddress{{Email: new("a@quill.test"), Type: new("work")}, {Email: new("b@quill.test"), Type: new("home")}, {ID: new("5"), Email: new("c@quill.test")}, {Email: new("B@quill.test")}},
		PhoneNumbers:   []crm.PhoneNumber{{Number: new("1"), Type: new("home")}, {Number: new("2"), Type: new("work")}, {Number: new("3"), Type: new("work")}, {ID: new("9"), Number: new("1")}, {Number: new("1")}},
		Addresses:      []crm.Address{{City: new("Leeds")}, {City: new("York")}},
		URLs:           []crm.URL{{URL: new("https://quill.test"), Type: new("website")}, {URL: new("@quill"), Type: new("twitter")}},
	}
	k.RequireNoCalls(t, func() {
		_, _, err := h.Create(t, much)
		e := providertest.RequireReason(t, err, errs.LossyWrite)
		assert.Equal(t, []string{
			"email_addresses[2].id", "email_addresses[1].type", "email_addresses[3]",
			"phone_numbers[3].id", "phone_numbers[0].type", "phone_numbers[2].type", "phone_numbers[3]", "phone_numbers[4]",
			"addresses[1]", "urls[0]", "urls[1].url",
		}, pathsOf(e))
	})
	made, result, err := h.Create(t, much, providertest.AllowLossy)
	require.NoError(t, err)
	assert.Len(t, result.GetWarnings(), 11)
	assert.Equal(t, "b@quill.test primary, c@quill.test , a@quill.test work", emailsOf(made))
	assert.Equal(t, "2 work, 1 , 3 ", numbersOf(made))
	assert.Len(t, made.Addresses, 1)
	assert.Empty(t, made.URLs)
}

func emailsOf(c *crm.Contact) string {
	var all []string
	for _, e := range emailItems(c.EmailAddresses) {
		all = append(all, e.value+" "+e.kind)
	}
	return strings.Join(all, ", ")
}

func numbersOf(c *crm.Contact) string {
	var all []string
	for _, n := range phoneItems(c.PhoneNumbers) {
		all = append(all, n.value+" "+n.kind)
	}
	return strings.Join(all, ", ")
}

func TestANewContactNeedsAnAddressOrAMobileNumber(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	k.RequireNoCalls(t, func() {
		for _, c := range []crm.Contact{
			{LastName: new("Quill")},
			{LastName: new("Quill"), CustomFields: json.RawMessage(`{"cf_region":"EMEA"}`)},
			{PhoneNumbers: []crm.PhoneNumber{{Number: new("1"), Type: new("work")}}},
			{RemoteData: json.RawMessage(`{"emails":[],"email":"","mobile_number":null}`)},
		} {
			_, _, err := h.Create(t, c)
			e := providertest.RequireReason(t, err, errs.InvalidBody)
			assert.Equal(t, []string{"email_addresses", "phone_numbers"}, pathsOf(e))
			assert.True(t, e.Fields[0].Missing && e.Fields[1].Missing)
		}
	})
	for _, c := range []crm.Contact{
		{PhoneNumbers: []crm.PhoneNumber{{Number: new("1"), Type: new("Mobile")}}},
		{EmailAddresses: []crm.EmailAddress{{Email: new("a@quill.test")}}},
		{RemoteData: json.RawMessage(`{"email":"b@quill.test"}`)},
		{RemoteData: json.RawMessage(`{"emails":"c@quill.test"}`)},
	} {
		_, _, err := h.Create(t, c)
		require.NoError(t, err)
	}
}

func TestRefusedFieldsAreNamedInTheCallersWords(t *testing.T) {
	for _, form := range []string{"mixed", "string", "array"} {
		k := start(t, map[string]string{"unknown_attribute": "400", "error_message": form})
		_, _, err := k.Host(t).Create(t, crm.Contact{
			LastName: new("Quill"), Account: &crm.AccountReference{ID: new("not-a-number")}, Owner: &crm.UserReference{ID: new("1")},
			EmailAddresses: []crm.EmailAddress{{Email: new("no address")}}, CustomFields: json.RawMessage(`{"cf_no-go_types":["calls"]}`), RemoteData: json.RawMessage(`{"city":7,"nonsense":1}`),
		})
		e := providertest.RequireReason(t, err, errs.VendorRejected)
		want := []string{"owner.id", "custom_fields.cf_no-go_types", "remote_data.city", "email_addresses", "account.id"}
		if form == "string" {
			want = want[:1] // the vendor tells one
		}
		assert.ElementsMatch(t, want, pathsOf(e), e.Message)
	}
}

func TestTextsAreReadForTheAttributesThatTheyAreAbout(t *testing.T) {
	for text, want := range map[string][]string{
		"Email has already been taken":                {"email"},
		"Invalid value for mobile_number.":            {"mobile_number"},
		"The mobile number already exists.":           {"mobile_number"},
		"Work email is invalid":                       {"work_email"},
		"Sales accounts is invalid, city is required": {"sales_accounts", "city"},
		"cf_no-go_types is invalid":                   {"custom_field.cf_no-go_types"},
		"Something else: estate, emailed":             nil,
		"":                                            nil,
	} {
		assert.Equal(t, want, fieldsIn(text), text)
	}
}

func TestAnAddressThatAnotherContactHasIsAConflict(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	before, err := h.Get(t, plain)
	require.NoError(t, err)
	_, _, err = h.Create(t, crm.Contact{EmailAddresses: []crm.EmailAddress{{Email: before.EmailAddresses[0].Email}}})
	e := providertest.RequireReason(t, err, errs.VendorConflict)
	assert.Equal(t, http.StatusConflict, e.HTTPStatus())
	assert.Equal(t, []string{"email_addresses"}, pathsOf(e))
	assert.Empty(t, e.ExistingID, "the vendor does not tell")
	_, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: tenAccounts, Record: crm.Contact{EmailAddresses: []crm.EmailAddress{{Email: before.EmailAddresses[0].Email}}}})
	providertest.RequireReason(t, err, errs.VendorConflict)
	require.NoError(t, k.Emulator.Inject(kit.Match{Method: http.MethodPost}, answer(400, `{"errors":{"code":400,"message":["The mobile number already exists."]}}`), 1))
	_, _, err = h.Create(t, crm.Contact{PhoneNumbers: []crm.PhoneNumber{{Number: new("1"), Type: new("mobile")}}})
	e = providertest.RequireReason(t, err, errs.VendorConflict)
	assert.Equal(t, []string{"phone_numbers[0].number"}, pathsOf(e))
}

func TestUnknownCustomFieldsAreRefusedWithTheNamesThatThereAre(t *testing.T) {
	k := start(t, nil)
	_, _, err := k.Host(t).Create(t, crm.Contact{EmailAddresses: full().EmailAddresses, CustomFields: json.RawMessage(`{"cf_regions":"1","first_name":"x"}`)})
	e := providertest.RequireReason(t, err, errs.InvalidBody)
	assert.Equal(t, []string{"custom_fields.cf_regions", "custom_fields.first_name"}, pathsOf(e))
	assert.Contains(t, e.Fields[0].Description, "which has: cf_region, ")
	for _, call := range k.Emulator.Calls() {
		assert.Equal(t, http.MethodGet, call.Method)
	}
}

func TestClearingCustomFieldsEmptiesThoseThatAreThere(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: plain, Clear: map[string]bool{"custom_fields": true}})
	require.NoError(t, err)
	got, err := h.Get(t, plain)
	require.NoError(t, err)
	assert.JSONEq(t, `{"cf_region":null,"cf_is_active":null,"cf_no-go_types":null,"cf_badge_number":null,"cf_renewal_date":null,"cf_remarks":null}`, string(got.CustomFields))
}

// labelled makes a contact by the emulator's own API, with labels, which are
// set by hand, and everything in odd places.
func labelled(t *testing.T, k *providertest.Kit) string {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, k.Emulator.URL()+"/crm/sales/api/contacts", strings.NewReader(`{"contact":{"last_name":"Label",
		"emails":[{"value":"first@label.test","is_primary":true,"label":"Main"},{"value":"second@label.test","label":"Home"},{"value":"third@label.test"}],
		"work_email":"desk@label.test","work_number":"1","mobile_number":"2","phone_numbers":[{"value":"3","label":"Home"},{"value":"4"}],
		"twitter":"@label","facebook":"https://facebook.com/label",
		"sales_accounts":[{"id":`+acme+`,"is_primary":false},{"id":`+other+`,"is_primary":true}]}}`))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Token token=emulator-freshsales-key")
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	var body struct {
		Contact struct {
			ID json.Number `json:"id"`
		} `json:"contact"`
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&body))
	return body.Contact.ID.String()
}

func TestWhatWasReadCanBeWrittenAndChangesNothing(t *testing.T) {
	for _, items := range []string{"objects", "strings"} {
		for _, arrays := range []string{"adds", "replaces"} {
			k := start(t, map[string]string{"phone_numbers_items": items, "array_write": arrays})
			h := k.Host(t)
			all := []string{labelled(t, k)}
			for _, c := range k.List(t, 100) {
				all = append(all, *c.ID)
			}
			for _, id := range all {
				before, err := h.Get(t, id)
				require.NoError(t, err)
				change := sdk.Change[crm.Contact]{ID: id, Record: crm.Contact{EmailAddresses: before.EmailAddresses, PhoneNumbers: before.PhoneNumbers, URLs: before.URLs, Tags: before.Tags, Addresses: before.Addresses}, Clear: map[string]bool{}}
				if before.Account != nil {
					change.Record.Account = &crm.AccountReference{ID: before.Account.ID}
				}
				after, _, err := h.Update(t, change)
				require.NoError(t, err)
				assert.Equal(t, lists(before), lists(after))
			}
		}
	}
}

func lists(c *crm.Contact) string {
	text, _ := json.Marshal([]any{c.EmailAddresses, c.PhoneNumbers, c.URLs, c.Tags, c.Addresses, c.Account})
	return string(text)
}

func TestEmailsAreToldApartByIDAndAddress(t *testing.T) {
	cases := []struct {
		name  string
		given []crm.EmailAddress
		want  string
		lost  []string
	}{
		{"another primary one", []crm.EmailAddress{{Email: new("first@label.test")}, {Email: new("second@label.test"), Type: new("primary")}}, "second@label.test primary, first@label.test main", nil},
		{"the first is the primary one", []crm.EmailAddress{{Email: new("third@label.test")}, {Email: new("second@label.test"), Type: new("home")}}, "third@label.test primary, second@label.test home", nil},
		{"all new", []crm.EmailAddress{{Email: new("new@label.test")}}, "new@label.test primary", nil},
		{"one that only stays for work", []crm.EmailAddress{{Email: new("desk@label.test"), Type: new("work")}}, "desk@label.test work", nil},
		{"the one for work becomes the primary one", []crm.EmailAddress{{Email: new("desk@label.test"), Type: new("primary")}}, "desk@label.test primary", nil},
		{"another one for work", []crm.EmailAddress{{Email: new("first@label.test")}, {Email: new("new@label.test"), Type: new("work")}}, "first@label.test primary, new@label.test work", nil},
		{"types that are not there", []crm.EmailAddress{{Email: new("first@label.test"), Type: new("main")}, {Email: new("third@label.test"), Type: new("home")}, {Email: new("second@label.test"), Type: new("HOME")}}, "first@label.test primary, second@label.test home, third@label.test ", []string{"email_addresses[0].type", "email_addresses[1].type"}},
		{"two primary ones", []crm.EmailAddress{{Email: new("first@label.test"), Type: new("primary")}, {Email: new("third@label.test"), Type: new("primary")}}, "first@label.test primary, third@label.test ", []string{"email_addresses[1].type"}},
		{"none", []crm.EmailAddress{}, "", nil},
	}
	for _, arrays := range []string{"adds", "replaces"} {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				k := start(t, map[string]string{"array_write": arrays})
				h := k.Host(t)
				id := labelled(t, k)
				change := sdk.Change[crm.Contact]{ID: id, Record: crm.Contact{EmailAddresses: c.given}, Clear: map[string]bool{}}
				if len(c.given) == 0 {
					change.Clear["email_addresses"] = true
				}
				after, _, err := h.Update(t, change)
				if c.lost != nil {
					assert.Equal(t, c.lost, pathsOf(providertest.RequireReason(t, err, errs.LossyWrite)))
					after, _, err = h.Update(t, change, providertest.AllowLossy)
				}
				require.NoError(t, err)
				assert.Equal(t, c.want, emailsOf(after))
			})
		}
	}
}

func TestAnEmailIsChangedByItsID(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	before, err := h.Get(t, labelled(t, k))
	require.NoError(t, err)
	emails := before.EmailAddresses
	emails[1].Email = new("moved@label.test")
	after, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: *before.ID, Record: crm.Contact{EmailAddresses: emails}})
	require.NoError(t, err)
	assert.Equal(t, "first@label.test primary, moved@label.test home, third@label.test , desk@label.test work", emailsOf(after))
	assert.Equal(t, *before.EmailAddresses[1].ID, *after.EmailAddresses[1].ID)
}

func TestNumbersGoToTheirPlaces(t *testing.T) {
	n := func(number, kind string) crm.PhoneNumber {
		return crm.PhoneNumber{Number: &number, Type: crm.Text(kind)}
	}
	cases := []struct {
		name  string
		given []crm.PhoneNumber
		want  string
		lost  []string
	}{
		{"they stay where they are without types", []crm.PhoneNumber{n("4", ""), n("3", ""), n("2", ""), n("1", "")}, "1 work, 2 mobile, 3 home, 4 ", nil},
		{"a new one for work makes the old one go", []crm.PhoneNumber{n("9", "work"), n("2", "mobile")}, "9 work, 2 mobile", nil},
		{"a new one without a type takes the free place", []crm.PhoneNumber{n("9", ""), n("8", "")}, "9 work, 8 ", nil},
		{"one of the others becomes the mobile one", []crm.PhoneNumber{n("4", "mobile")}, "4 mobile", nil},
		{"types that are not there", []crm.PhoneNumber{n("1", "work"), n("4", "fax"), n("9", "work")}, "1 work, 4 , 9 ", []string{"phone_numbers[1].type", "phone_numbers[2].type"}},
		{"none", nil, "", nil},
	}
	for _, arrays := range []string{"adds", "replaces"} {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				k := start(t, map[string]string{"array_write": arrays})
				h := k.Host(t)
				change := sdk.Change[crm.Contact]{ID: labelled(t, k), Record: crm.Contact{PhoneNumbers: c.given}, Clear: map[string]bool{}}
				if c.given == nil {
					change.Clear["phone_numbers"] = true
				}
				after, _, err := h.Update(t, change)
				if c.lost != nil {
					assert.Equal(t, c.lost, pathsOf(providertest.RequireReason(t, err, errs.LossyWrite)))
					after, _, err = h.Update(t, change, providertest.AllowLossy)
				}
				require.NoError(t, err)
				assert.Equal(t, c.want, numbersOf(after))
			})
		}
	}
}

func TestANumberWithoutAnIDCannotBeTakenOut(t *testing.T) {
	k := start(t, map[string]string{"phone_numbers_items": "strings"})
	h := k.Host(t)
	id := labelled(t, k)
	_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: id, Clear: map[string]bool{"phone_numbers": true}})
	assert.Equal(t, []string{"phone_numbers", "phone_numbers"}, pathsOf(providertest.RequireReason(t, err, errs.LossyWrite)))
	after, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: id, Clear: map[string]bool{"phone_numbers": true}}, providertest.AllowLossy)
	require.NoError(t, err)
	assert.Equal(t, "3 , 4 ", numbersOf(after))
}

func accountsOf(t *testing.T, c *crm.Contact) string {
	t.Helper()
	var body struct {
		SalesAccounts []struct {
			ID        json.Number `json:"id"`
			IsPrimary bool        `json:"is_primary"`
		} `json:"sales_accounts"`
	}
	require.NoError(t, json.Unmarshal(c.RemoteData, &body))
	var all []string
	for _, a := range body.SalesAccounts {
		all = append(all, fmt.Sprint(a.ID, " ", a.IsPrimary))
	}
	return strings.Join(all, ", ")
}

func TestFurtherCompaniesStayWhenTheAccountChanges(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	id := labelled(t, k)
	const third = "70003771200"
	after, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: id, Record: crm.Contact{Account: &crm.AccountReference{ID: new(third)}}})
	require.NoError(t, err)
	assert.Equal(t, third+" true, "+acme+" false, "+other+" false", accountsOf(t, after))
	after, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: id, Record: crm.Contact{Account: &crm.AccountReference{ID: new(acme)}}})
	require.NoError(t, err)
	assert.Equal(t, acme, *after.Account.ID, "one that is there becomes the primary one")
	assert.Equal(t, acme+" true, "+third+" false, "+other+" false", accountsOf(t, after))

	clearing := sdk.Change[crm.Contact]{ID: id, Clear: map[string]bool{"account": true}}
	_, _, err = h.Update(t, clearing)
	assert.Equal(t, []string{"account"}, pathsOf(providertest.RequireReason(t, err, errs.LossyWrite)), "one of the others has to be primary")
	after, _, err = h.Update(t, clearing, providertest.AllowLossy)
	require.NoError(t, err)
	assert.Equal(t, third+" true, "+other+" false", accountsOf(t, after))
}

func TestATenthCompanyIsTheLast(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	after, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: tenAccounts, Record: crm.Contact{Account: &crm.AccountReference{ID: new(acme)}}})
	require.NoError(t, err, "one of the ten")
	assert.Equal(t, acme, *after.Account.ID)
	_, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: tenAccounts, Record: crm.Contact{Account: &crm.AccountReference{ID: new("70003771299")}}})
	assert.Equal(t, []string{"account.id"}, pathsOf(providertest.RequireReason(t, err, errs.LossyWrite)))
}

func TestCompaniesThatAreNotShownAreNotReplaced(t *testing.T) {
	k := start(t, nil)
	body := strings.ReplaceAll(string(exchangeBody(t, "contact_get")), "70011223399", plain)
	require.NoError(t, k.Emulator.Inject(kit.Match{Method: http.MethodGet}, answer(200, body), 1))
	_, _, err := k.Host(t).Update(t, sdk.Change[crm.Contact]{ID: plain, Record: crm.Contact{Account: &crm.AccountReference{ID: new(acme)}}})
	providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
	for _, call := range k.Emulator.Calls() {
		assert.Equal(t, http.MethodGet, call.Method)
	}
}

func exchangeBody(t *testing.T, name string) []byte {
	var text string
	require.NoError(t, json.Unmarshal(providertest.Fault(t, exchanges, name).Body, &text))
	return []byte(text)
}

func TestAWriteWhoseAnswerIgnoresIncludeIsLookedAtAgain(t *testing.T) {
	k := start(t, map[string]string{"write_include": "ignored"})
	h := k.Host(t)
	made, _, err := h.Create(t, full())
	require.NoError(t, err)
	assert.Equal(t, omar, *made.Owner.ID)
	assert.Equal(t, acme, *made.Account.ID)
	assert.NotContains(t, string(made.RemoteData), "sales_accounts", "the answer of the write is what is shown")
	require.NoError(t, k.Emulator.Inject(kit.Match{Method: http.MethodGet}, kit.Fault{Status: 500}, -1))
	after, result, err := h.Update(t, sdk.Change[crm.Contact]{ID: plain, Record: crm.Contact{Title: new("x")}})
	require.NoError(t, err, "the write is done")
	assert.Nil(t, after.Owner)
	assert.True(t, result.GetPartial())
}

func TestADeletedContactIsNotChanged(t *testing.T) {
	for _, value := range []string{"404", "200"} {
		k := start(t, map[string]string{"update_after_delete": value})
		h := k.Host(t)
		for _, change := range []crm.Contact{{Title: new("x")}, {PhoneNumbers: []crm.PhoneNumber{{Number: new("1")}}}} {
			_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: binned, Record: change})
			providertest.RequireReason(t, err, errs.RecordNotFound)
		}
	}
}

func TestThereAreNoVersions(t *testing.T) {
	k := start(t, nil)
	k.RequireNoCalls(t, func() {
		_, _, err := k.Host(t).Update(t, sdk.Change[crm.Contact]{ID: plain, ETag: new("1"), Record: crm.Contact{Title: new("x")}})
		providertest.RequireReason(t, err, errs.Unsupported)
	})
}

func TestBareHandlesSurviveAWriteOfWebAddresses(t *testing.T) {
	k := start(t, nil)
	after, _, err := k.Host(t).Update(t, sdk.Change[crm.Contact]{ID: labelled(t, k), Record: crm.Contact{URLs: []crm.URL{{URL: new("https://linkedin.com/in/label"), Type: new("linkedin")}}}})
	require.NoError(t, err)
	assert.Contains(t, string(after.RemoteData), `"twitter":"@label"`)
	assert.Contains(t, string(after.RemoteData), `"facebook":null`)
}

func TestAnUpsertFindsAnyAddressOfAContactWhateverItsCase(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	id := labelled(t, k)
	after, created, _, err := h.Upsert(t, crm.Contact{Title: new("x"), EmailAddresses: []crm.EmailAddress{{Email: new("SECOND@label.test")}}})
	require.NoError(t, err)
	assert.False(t, created)
	assert.Equal(t, id, *after.ID)
	assert.Len(t, after.EmailAddresses, 4, "the others stay")
}

func TestALookupThatGivesSomebodyElseIsNoUpsert(t *testing.T) {
	k := start(t, nil)
	for _, body := range []string{`{"contacts":{"contacts":[{"id":` + plain + `,"email":"contact1@example.com"}]}}`, `{"contacts":{"contacts":[7]}}`, `{}`, `[]`, `{"contacts":[]}`} {
		require.NoError(t, k.Emulator.Inject(kit.Match{Path: "*/lookup"}, answer(200, body), 1))
		_, _, _, err := k.Host(t).Upsert(t, crm.Contact{Title: new("x"), EmailAddresses: []crm.EmailAddress{{Email: new("somebody@else.test")}}})
		providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
	}
	for _, call := range k.Emulator.Calls() {
		assert.Equal(t, http.MethodGet, call.Method)
	}
}

func TestAContactWhoGotTheAddressMeanwhileIsChangedByAnUpsert(t *testing.T) {
	k := start(t, map[string]string{"upsert_insert_status": "201"})
	require.NoError(t, k.Emulator.Inject(kit.Match{Path: "*/lookup"}, answer(200, `{"contacts":{"contacts":[]}}`), 1))
	h := k.Host(t)
	before, err := h.Get(t, plain)
	require.NoError(t, err)
	after, _, _, err := h.Upsert(t, crm.Contact{Title: new("Changed"), EmailAddresses: []crm.EmailAddress{{Email: before.EmailAddresses[0].Email}}})
	require.NoError(t, err)
	assert.Equal(t, plain, *after.ID)
}

func TestAnUpsertGoesByAnAddressThatALookupFinds(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	contact := crm.Contact{EmailAddresses: []crm.EmailAddress{{Email: new("a@quill.test"), Type: new("work")}, {Email: new("b@quill.test"), Type: new("primary")}}}
	_, _, _, err := h.Upsert(t, contact)
	assert.Equal(t, []string{"email_addresses[0].type"}, pathsOf(providertest.RequireReason(t, err, errs.LossyWrite)), "work_email is not looked up")
	made, created, _, err := h.Upsert(t, contact, providertest.AllowLossy)
	require.NoError(t, err)
	assert.True(t, created)
	assert.Equal(t, "b@quill.test primary, a@quill.test ", emailsOf(made))
	again, created, _, err := h.Upsert(t, contact, providertest.AllowLossy)
	require.NoError(t, err)
	assert.False(t, created)
	assert.Equal(t, *made.ID, *again.ID)
}

func TestAnAddressThatTheBinHoldsIsAConflict(t *testing.T) {
	k := start(t, map[string]string{"email_of_deleted": "taken"})
	_, _, _, err := k.Host(t).Upsert(t, crm.Contact{EmailAddresses: []crm.EmailAddress{{Email: new("binned@example.com")}}})
	providertest.RequireReason(t, err, errs.VendorConflict)
}

func TestTheBinIsAList(t *testing.T) {
	for _, value := range []string{"first", "second"} {
		k := start(t, map[string]string{"view_ids": value})
		h := k.Host(t)
		_, err := h.Delete(t, plain)
		require.NoError(t, err)
		found, err := h.All(t, sdk.ListQuery{PageSize: 2, Filters: equal("is_deleted", "true")}, nil)
		require.NoError(t, err)
		assert.Equal(t, []string{plain, binned, "70011223378"}, idsIn(found))
		found, err = h.All(t, sdk.ListQuery{PageSize: 2, Filters: append(equal("is_deleted", "true"), sdk.FilterValue{Field: "updated_at", Operator: sdk.Greater, Value: found[1].UpdatedAt.Format("2006-01-02T15:04:05Z07:00")})}, nil)
		require.NoError(t, err)
		assert.Contains(t, idsIn(found), plain)
		assert.NotContains(t, idsIn(found), binned)
		found, err = h.All(t, sdk.ListQuery{PageSize: 100, Filters: equal("is_deleted", "false")}, nil)
		require.NoError(t, err)
		assert.Len(t, found, living-1)
	}
}

func idsIn(contacts []crm.Contact) []string {
	var ids []string
	for _, c := range contacts {
		ids = append(ids, *c.ID)
	}
	return ids
}

func TestWithoutABinToBeSeenThereIsNoListOfIt(t *testing.T) {
	k := start(t, nil)
	require.NoError(t, k.Emulator.Inject(kit.Match{Path: "*/filters"}, answer(200, `{"filters":[{"id":70008880002,"name":"All Contacts","is_default":true}]}`), -1))
	_, err := k.Host(t).Page(t, sdk.ListQuery{PageSize: 5, Filters: equal("is_deleted", "true")})
	e := providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
	assert.Contains(t, e.Message, "Recycle Bin")
}

func TestASearchReadsEachContactThatItFinds(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	found, err := h.All(t, sdk.ListQuery{PageSize: 100, Filters: equal("search", "example.com")}, nil)
	require.NoError(t, err)
	assert.Greater(t, len(found), mostReads)
	for _, c := range found {
		assert.NotNil(t, c.CreatedAt, "whole records")
	}
	k.Emulator.ForgetCalls()
	page, err := h.Page(t, sdk.ListQuery{PageSize: 100, Filters: equal("search", "example.com")})
	require.NoError(t, err)
	assert.NotEmpty(t, page.Next)
	assert.Len(t, k.Emulator.Calls(), 1+mostReads, "a page has a bounded number of calls")
	found, err = h.All(t, sdk.ListQuery{PageSize: 100, Filters: equal("search", "nobody at all")}, nil)
	require.NoError(t, err)
	assert.Empty(t, found)
	k.Emulator.ForgetCalls()
	found, err = h.All(t, sdk.ListQuery{PageSize: 100, Filters: append(equal("search", "example.com"), sdk.FilterValue{Field: "created_at", Operator: sdk.Less, Value: "2001-01-01T00:00:00Z"})}, nil)
	require.NoError(t, err)
	assert.Empty(t, found, "other filters apply")
}

func TestOddAnswersToASearch(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	require.NoError(t, k.Emulator.Inject(kit.Match{Path: "*/search"}, answer(200, `[{"id":"`+plain+`","type":"contact"},{"id":`+plain+`,"type":"contact"},{"id":"7","type":"deal"},{"id":"../x","type":"contact"},{"id":"`+unknown+`","type":"contact"},{}]`), 1))
	page, err := h.Page(t, sdk.ListQuery{PageSize: 100, Filters: equal("search", "x")})
	require.NoError(t, err)
	assert.Equal(t, []string{plain}, idsIn(page.Records), "one that is gone by now is passed over")
	for _, body := range []string{`{}`, `null`, `"x"`, ``, `{"errors":{"code":200,"message":"no"}}`} {
		require.NoError(t, k.Emulator.Inject(kit.Match{Path: "*/search"}, answer(200, body), 1))
		_, err := h.Page(t, sdk.ListQuery{PageSize: 100, Filters: equal("search", "x")})
		providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
	}
}

func TestANumberIsFoundInBothPlacesHoweverItIsWritten(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	for _, number := range []string{"1", "2"} {
		id := labelled(t, k)
		found, err := h.All(t, sdk.ListQuery{PageSize: 100, Filters: equal("phone_numbers.number", number)}, nil)
		require.NoError(t, err)
		assert.Equal(t, []string{id}, idsIn(found))
		_, err = h.Delete(t, id)
		require.NoError(t, err)
	}
	record := &crm.Contact{PhoneNumbers: []crm.PhoneNumber{{Number: new("+1 (926) 555-0111")}, {Number: new("ext")}}}
	for number, want := range map[string]bool{"1-926-555-0111": true, "926-555-0111": false, "ext": true, "": false, "()": false} {
		assert.Equal(t, want, fits(record, equal("phone_numbers.number", number)), number)
	}
}

func TestFiltersThatCannotBeServedTogetherAreRefused(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	both := func(a, b sdk.Filters) sdk.Filters { return append(slices.Clone(a), b...) }
	email, search, deleted := equal("email_addresses.email", "contact1@example.com"), equal("search", "x"), equal("is_deleted", "true")
	span := sdk.Filters{{Field: "updated_at", Operator: sdk.Less, Value: "2030-01-01T00:00:00Z"}}
	k.RequireNoCalls(t, func() {
		for _, q := range []sdk.ListQuery{
			{Filters: both(email, deleted)},
			{Filters: both(search, deleted)},
			{Filters: email, Sort: []sdk.SortKey{{Field: "id"}}},
			{Filters: span, Sort: []sdk.SortKey{{Field: "id"}}},
			{Filters: span, Sort: []sdk.SortKey{{Field: "updated_at"}}},
			{Sort: []sdk.SortKey{{Field: "id"}, {Field: "created_at"}}},
		} {
			q.PageSize = 10
			_, err := h.Page(t, q)
			e := providertest.RequireReason(t, err, errs.Unsupported)
			assert.NotEmpty(t, e.Fields)
		}
	})
	before, err := h.Get(t, plain)
	require.NoError(t, err)
	found, err := h.All(t, sdk.ListQuery{PageSize: 10, Filters: both(both(email, equal("phone_numbers.number", *before.PhoneNumbers[0].Number)), span)}, nil)
	require.NoError(t, err)
	assert.Equal(t, []string{plain}, idsIn(found))
	found, err = h.All(t, sdk.ListQuery{PageSize: 10, Filters: both(equal("search", "example.com"), email)}, nil)
	require.NoError(t, err)
	assert.Equal(t, []string{plain}, idsIn(found))
	found, err = h.All(t, sdk.ListQuery{PageSize: 10, Filters: both(email, equal("phone_numbers.number", "0"))}, nil)
	require.NoError(t, err)
	assert.Empty(t, found)
}

func TestASpanIsNotListedInAnotherOrder(t *testing.T) {
	k := start(t, nil)
	require.NoError(t, k.Emulator.Inject(kit.Match{Path: "*/view/*"}, answer(200, `{"contacts":[{"id":1,"updated_at":"2024-01-01T00:00:00Z"},{"id":2,"updated_at":"2024-01-02T00:00:00Z"}],"meta":{"total_pages":9}}`), 1))
	_, err := k.Host(t).Page(t, sdk.ListQuery{PageSize: 5, Filters: sdk.Filters{{Field: "updated_at", Operator: sdk.Greater, Value: "2024-01-01T12:00:00Z"}}})
	providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
}

func TestAListOfAHundredCostsOneCall(t *testing.T) {
	server, err := kit.Start(emulator.Definition, kit.Options{Seed: 150})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	k := start(t, nil)
	k.Emulator = server
	h := k.Host(t)
	calls := k.Calls(func() {
		page, err := h.Page(t, sdk.ListQuery{PageSize: 100})
		require.NoError(t, err)
		assert.Len(t, page.Records, 100)
		assert.NotNil(t, page.Records[0].Account.Name)
		assert.NotNil(t, page.Records[0].Owner.ID)
	})
	assert.Len(t, calls, 2, "the first time, the view is looked for")
	assert.Len(t, k.Calls(func() {
		_, err := h.Page(t, sdk.ListQuery{PageSize: 100})
		require.NoError(t, err)
	}), 1)
}

// manyIDs are ids of contacts in the order of making.
func manyIDs(count int) []string {
	ids := make([]string, count)
	for i := range ids {
		ids[i] = fmt.Sprint(70011223344 + i)
	}
	return ids
}

// crowd is an emulator with so many contacts.
func crowd(t *testing.T, seed int, switches map[string]string) *providertest.Kit {
	t.Helper()
	server, err := kit.Start(emulator.Definition, kit.Options{Seed: seed, Switches: switches})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	k := start(t, nil)
	k.Emulator = server
	return k
}

func TestABatchOfAThousandIsToldIDByID(t *testing.T) {
	k := crowd(t, 1010, nil)
	h := k.Host(t)
	ids := manyIDs(1000)
	ids[17], ids[500] = unknown, "70011224357" // binned already
	calls := k.Calls(func() {
		outcomes, _, err := h.BatchDelete(t, ids)
		require.NoError(t, err)
		for i, outcome := range outcomes {
			if i == 17 || i == 500 {
				providertest.RequireReason(t, outcome, errs.RecordNotFound)
			} else {
				require.NoError(t, outcome, ids[i])
			}
		}
	})
	calls = slices.DeleteFunc(calls, func(call string) bool { return strings.HasSuffix(call, "/filters") }) // the ids of the views, once an hour
	assert.Len(t, calls, 1+10+10+1, "the bin before, ten times bulk_destroy, the bin after, one look")
	for _, id := range []string{ids[0], ids[999]} {
		_, err := h.Get(t, id)
		providertest.RequireReason(t, err, errs.RecordNotFound)
	}
	_, err := h.Get(t, "70011223361")
	require.NoError(t, err, "it was not among them")
}

func TestABatchDeleteTakesAnySuccess(t *testing.T) {
	for _, form := range []string{"true", "object", "empty", "204"} {
		outcomes, _, err := start(t, map[string]string{"bulk_destroy_answer": form}).Host(t).BatchDelete(t, append(manyIDs(5), unknown))
		require.NoError(t, err)
		assert.Equal(t, make([]error, 5), outcomes[:5])
		providertest.RequireReason(t, outcomes[5], errs.RecordNotFound)
	}
}

func TestAContactThatWasInTheBinBeforeIsNotDeletedOnceMore(t *testing.T) {
	for _, c := range []struct {
		switches map[string]string
		last     errs.Reason // of one that was deleted long ago
	}{
		{nil, errs.RecordNotFound},
		{map[string]string{"get_after_delete": "404"}, errs.RecordNotFound},
	} {
		k := crowd(t, 200, c.switches)
		h := k.Host(t)
		first := manyIDs(160)
		outcomes, _, err := h.BatchDelete(t, first)
		require.NoError(t, err)
		require.Equal(t, make([]error, 160), outcomes)
		// The first of them lies behind the others, beyond the first page of the bin.
		second := append(manyIDs(190)[160:], first[0], first[159], unknown)
		outcomes, _, err = h.BatchDelete(t, second)
		require.NoError(t, err)
		require.Equal(t, make([]error, 30), outcomes[:30])
		for _, outcome := range outcomes[30:] {
			providertest.RequireReason(t, outcome, c.last)
		}
	}
}

func TestWhereTheBinDoesNotTellNothingIsClaimed(t *testing.T) {
	cases := []struct {
		name     string
		switches map[string]string
	}{
		{"bulk_destroy takes its time", map[string]string{"bulk_destroy_effect": "not_yet"}},
		{"a deletion does not move a contact to the front", map[string]string{"deletion_stamp": "kept"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			k := crowd(t, 30, c.switches)
			h := k.Host(t)
			_, err := h.Delete(t, "70011223373") // the last one, so that the bin is newer than the others
			require.NoError(t, err)
			outcomes, _, err := h.BatchDelete(t, append(manyIDs(6), unknown, binned))
			require.NoError(t, err)
			for _, outcome := range outcomes[:6] {
				providertest.RequireReason(t, outcome, errs.OutcomeUnknown)
			}
			providertest.RequireReason(t, outcomes[6], errs.RecordNotFound)
			providertest.RequireReason(t, outcomes[7], errs.RecordNotFound)
		})
	}
}

func TestAnUnknownIDThatIsForbiddenIsNotDeleted(t *testing.T) {
	k := start(t, map[string]string{"unknown_id": "403"})
	outcomes, _, err := k.Host(t).BatchDelete(t, append(manyIDs(5), unknown))
	require.NoError(t, err)
	require.Equal(t, make([]error, 5), outcomes[:5])
	providertest.RequireReason(t, outcomes[5], errs.VendorForbidden)
}

func TestABatchThatFailsHalfwayTellsHowFarItCame(t *testing.T) {
	k := crowd(t, 300, nil)
	h := k.Host(t)
	require.NoError(t, k.Emulator.SetSwitch("rate_limit", "4")) // views, bin, and two times bulk_destroy
	outcomes, _, err := h.BatchDelete(t, manyIDs(300))
	require.NoError(t, err)
	for i, outcome := range outcomes {
		if i < 200 {
			providertest.RequireReason(t, outcome, errs.OutcomeUnknown) // the bin cannot be read any more
		} else {
			providertest.RequireReason(t, outcome, errs.VendorRateLimited)
		}
	}

	k = crowd(t, 300, nil)
	h = k.Host(t)
	require.NoError(t, k.Emulator.Inject(kit.Match{Path: "*/bulk_destroy"}, kit.Fault{Cut: "after"}, 1))
	outcomes, _, err = h.BatchDelete(t, manyIDs(150))
	require.NoError(t, err)
	assert.Equal(t, make([]error, 150), outcomes, "an answer that was lost is made up for by the bin")
}

func TestABatchThatIsRefusedDeletesNothing(t *testing.T) {
	for _, c := range []struct {
		path, body string
		status     int
		reason     errs.Reason
	}{
		{"*/bulk_destroy", `{"errors":{"code":403,"message":"no"}}`, 403, errs.VendorForbidden},
		{"*/bulk_destroy", `{"errors":{"code":400,"message":"no"}}`, 200, errs.VendorRejected},
		{"*/view/*", ``, 429, errs.VendorRateLimited},
		{"*/filters", ``, 500, errs.VendorUnavailable},
	} {
		k := start(t, nil)
		require.NoError(t, k.Emulator.Inject(kit.Match{Path: c.path}, answer(c.status, c.body), -1))
		_, _, err := k.Host(t).BatchDelete(t, manyIDs(6))
		providertest.RequireReason(t, err, c.reason)
		_, err = k.Host(t).Get(t, plain)
		require.NoError(t, err)
	}
}

func TestWithoutABinToBeSeenABatchGoesOneByOne(t *testing.T) {
	for _, fault := range []kit.Fault{answer(200, `{"filters":[{"id":70008880002,"name":"All Contacts","is_default":true}]}`), answer(403, "")} {
		k := start(t, nil)
		require.NoError(t, k.Emulator.Inject(kit.Match{Path: "*/filters"}, fault, -1))
		calls := k.Calls(func() {
			outcomes, _, err := k.Host(t).BatchDelete(t, append(manyIDs(5), unknown, binned))
			require.NoError(t, err)
			require.Equal(t, make([]error, 5), outcomes[:5])
			providertest.RequireReason(t, outcomes[5], errs.RecordNotFound)
			providertest.RequireReason(t, outcomes[6], errs.RecordNotFound)
		})
		assert.Len(t, calls, 1+7)
	}
}

func TestRemoteQueryGoesToTheMainCallAlone(t *testing.T) {
	k := start(t, nil)
	_, _, err := k.Host(t).Update(t, sdk.Change[crm.Contact]{ID: plain, Record: crm.Contact{Account: &crm.AccountReference{ID: new(other)}}}, providertest.RemoteQuery("include", "contact_status"))
	require.NoError(t, err)
	var queries []string
	for _, call := range k.Emulator.Calls() {
		queries = append(queries, call.Method+" "+call.Query)
	}
	assert.Equal(t, []string{"GET include=owner,sales_accounts", "PUT include=contact_status", "GET include=owner,sales_accounts"}, queries)
	_, err = k.Host(t).Page(t, sdk.ListQuery{PageSize: 5, Filters: equal("search", "x")}, providertest.RemoteQuery("q", "y"))
	providertest.RequireReason(t, err, errs.InvalidParameter)
}

func TestALookThatAnswersWithSomebodyElseChangesNobody(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	require.NoError(t, k.Emulator.Inject(kit.Match{Method: http.MethodGet, Path: "/crm/sales/api/contacts/70011223344"}, kit.Fault{Status: 200, Body: json.RawMessage(`{"contact":{"id":70011223345,"emails":[{"id":7,"value":"other@example.com","is_primary":true}],"sales_accounts":[{"id":70003771199,"is_primary":true}]}}`)}, -1))
	for _, change := range []crm.Contact{
		{EmailAddresses: []crm.EmailAddress{{Email: new("new@example.com")}}},
		{Account: &crm.AccountReference{ID: new("70003771198")}},
	} {
		_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: "70011223344", Record: change})
		providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
	}
	for _, call := range k.Emulator.Calls() {
		assert.Equal(t, http.MethodGet, call.Method)
	}
}

func TestRemoteDataLeadsToNoOtherContact(t *testing.T) {
	k := start(t, nil)
	_, _, err := k.Host(t).Update(t, sdk.Change[crm.Contact]{ID: "70011223344", Record: crm.Contact{Title: new("x"), RemoteData: json.RawMessage(`{"ID":70011223345}`)}})
	e := providertest.RequireReason(t, err, errs.LossyWrite)
	assert.Equal(t, "remote_data.ID", e.Fields[0].Path)
}
