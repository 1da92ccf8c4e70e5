package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/plugins/insightly/emulator"
	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	kit "github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

const (
	apiKey      = "emulator-insightly-api-key"
	credentials = `{"pod":"na1","api_key":"` + apiKey + `"}`
)

func start(t *testing.T, switches map[string]string) *providertest.Kit {
	return providertest.Start(t, provider, emulator.Definition, "api_key", switches)
}

// vendor serves documented exchanges.
func vendor(t *testing.T, names ...string) *sdk.Call {
	call, _ := providertest.Vendor(t, provider, "api_key", credentials, "testdata/exchanges", names...)
	return call
}

// faultOf makes a documented answer into a fault.
func faultOf(t *testing.T, name string) kit.Fault {
	t.Helper()
	return providertest.Fault(t, "testdata/exchanges", name)
}

func unify(t *testing.T, record string) crm.Contact {
	t.Helper()
	c, err := contactIn(json.RawMessage(record))
	require.NoError(t, err)
	return c.unified(json.RawMessage(record))
}

func TestMapping(t *testing.T) {
	cases := []struct{ name, record, want string }{
		{
			"a record with nothing but an id",
			`{"CONTACT_ID":7}`,
			`{"id":"7"}`,
		},
		{
			"nulls, blanks and zero dates are as good as absent",
			`{"CONTACT_ID":7,"SALUTATION":null,"FIRST_NAME":null,"LAST_NAME":" ","TITLE":"","EMAIL_ADDRESS":null,"PHONE":"","PHONE_FAX":null,"ADDRESS_MAIL_STREET":null,"ADDRESS_MAIL_CITY":"","ADDRESS_OTHER_COUNTRY":null,
			  "SOCIAL_LINKEDIN":null,"ORGANISATION_ID":null,"OWNER_USER_ID":null,"CUSTOMFIELDS":null,"TAGS":null,"DATES":null,"LINKS":null,"ETag":null,
			  "DATE_CREATED_UTC":null,"DATE_UPDATED_UTC":"","LAST_ACTIVITY_DATE_UTC":"0000-00-00 00:00:00"}`,
			`{"id":"7"}`,
		},
		{
			"zero is no reference and empty lists hold nothing",
			`{"CONTACT_ID":7,"ORGANISATION_ID":0,"OWNER_USER_ID":0,"CUSTOMFIELDS":[],"TAGS":[]}`,
			`{"id":"7"}`,
		},
		{
			"ids beyond 2^53 keep their digits",
			`{"CONTACT_ID":9007199254740993,"ORGANISATION_ID":9007199254740995,"OWNER_USER_ID":9007199254740997}`,
			`{"id":"9007199254740993","account":{"id":"9007199254740995"},"owner":{"id":"9007199254740997"}}`,
		},
		{
			"values of the wrong type do not fail the record",
			`{"CONTACT_ID":"7","FIRST_NAME":5,"LAST_NAME":{"a":1},"TITLE":true,"EMAIL_ADDRESS":["x"],"TAGS":"vip","CUSTOMFIELDS":{"a":1},"PHONE":{},"ADDRESS_MAIL_CITY":[1],"DATE_CREATED_UTC":12,"DATE_UPDATED_UTC":"yesterday","ETag":{},"ORGANISATION_ID":[]}`,
			`{"id":"7","first_name":"5","name":"5","title":"true"}`,
		},
		{
			"the name leaves out the salutation",
			`{"CONTACT_ID":7,"SALUTATION":"Dr","FIRST_NAME":" Ada","LAST_NAME":"Quill"}`,
			`{"id":"7","first_name":" Ada","last_name":"Quill","name":"Ada Quill"}`,
		},
		{
			"a contact may have a last name only",
			`{"CONTACT_ID":7,"FIRST_NAME":null,"LAST_NAME":"Imported"}`,
			`{"id":"7","last_name":"Imported","name":"Imported"}`,
		},
		{
			"every phone has its type",
			`{"CONTACT_ID":7,"PHONE_FAX":"6","PHONE_ASSISTANT":"5","PHONE_OTHER":"4","PHONE_MOBILE":"3","PHONE_HOME":"2","PHONE":"1"}`,
			`{"id":"7","phone_numbers":[{"number":"1","type":"work"},{"number":"2","type":"home"},{"number":"3","type":"mobile"},{"number":"4","type":"other"},{"number":"5","type":"assistant"},{"number":"6","type":"fax"}]}`,
		},
		{
			"addresses are two, and lines stay in the street",
			`{"CONTACT_ID":7,"ADDRESS_MAIL_STREET":"1 Ink Lane\nFloor 3","ADDRESS_MAIL_CITY":"Leeds","ADDRESS_MAIL_STATE":"GB-ENG","ADDRESS_MAIL_POSTCODE":"LS1 1AA","ADDRESS_MAIL_COUNTRY":"United Kingdom","ADDRESS_OTHER_POSTCODE":5003}`,
			`{"id":"7","addresses":[{"id":"mail","type":"mailing","street_1":"1 Ink Lane\nFloor 3","city":"Leeds","state":"GB-ENG","postal_code":"LS1 1AA","country":"United Kingdom"},{"id":"other","type":"other","postal_code":"5003"}]}`,
		},
		{
			"the one e-mail address is the primary one",
			`{"CONTACT_ID":7,"EMAIL_ADDRESS":"ines@example.com","EMAIL_OPTED_OUT":true}`,
			`{"id":"7","email_addresses":[{"email":"ines@example.com","type":"primary"}]}`,
		},
		{
			"profiles are addresses, not handles",
			`{"CONTACT_ID":7,"SOCIAL_LINKEDIN":"https://www.linkedin.com/in/ada","SOCIAL_FACEBOOK":"facebook.com/ada","SOCIAL_TWITTER":"@ada"}`,
			`{"id":"7","urls":[{"url":"https://www.linkedin.com/in/ada","type":"linkedin"},{"url":"facebook.com/ada","type":"facebook"}]}`,
		},
		{
			"tags are names, odd ones are left out",
			`{"CONTACT_ID":7,"TAGS":[{"TAG_NAME":"vip"},{"TAG_NAME":null},{},"plain",null,{"TAG_NAME":"a,b ünï"}]}`,
			`{"id":"7","tags":[{"name":"vip"},{"name":"a,b ünï"}]}`,
		},
		{
			"only the organisation of the record itself is the account",
			`{"CONTACT_ID":7,"ORGANISATION_ID":145678901,"LINKS":[{"LINK_OBJECT_NAME":"Organisation","LINK_OBJECT_ID":145678902}]}`,
			`{"id":"7","account":{"id":"145678901"}}`,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			contact := unify(t, c.record)
			assert.Equal(t, c.record, string(contact.RemoteData), "remote_data is the record as it came")
			contact.RemoteData = nil
			assert.JSONEq(t, c.want, string(providertest.JSON(t, &contact)))
		})
	}
}

func TestDatesHaveNoZoneAndAreUTC(t *testing.T) {
	contact := unify(t, `{"CONTACT_ID":7,"DATE_CREATED_UTC":"2024-01-09 08:22:12","DATE_UPDATED_UTC":"2024-05-02T16:06:38Z","LAST_ACTIVITY_DATE_UTC":"2024-05-02 18:06:38.5"}`)
	assert.Equal(t, time.Date(2024, 1, 9, 8, 22, 12, 0, time.UTC), *contact.CreatedAt)
	assert.Equal(t, time.Date(2024, 5, 2, 16, 6, 38, 0, time.UTC), *contact.UpdatedAt)
	assert.Equal(t, time.Date(2024, 5, 2, 18, 6, 38, 5e8, time.UTC), *contact.LastActivityAt)
	assert.Equal(t, time.UTC, contact.CreatedAt.Location())
	for _, none := range []string{`null`, `""`, `"0000-00-00 00:00:00"`, `"2024-13-40 00:00:00"`, `"/Date(1489132800000-0800)/"`, `0`} {
		assert.Nil(t, unify(t, `{"CONTACT_ID":7,"DATE_CREATED_UTC":`+none+`}`).CreatedAt, none)
	}
}

func TestCustomFieldsKeepOrderTokensAndDigits(t *testing.T) {
	cases := []struct{ name, pairs, want string }{
		{
			"order, types and digits", `[{"FIELD_NAME":"Zone__c","FIELD_VALUE":"a\u00e9\/b"},{"FIELD_NAME":"Score__c","FIELD_VALUE":1.50},{"FIELD_NAME":"Big__c","FIELD_VALUE":12345678901234567890123},{"FIELD_NAME":"Flag__c","FIELD_VALUE":false}]`,
			`{"Zone__c":"a\u00e9\/b","Score__c":1.50,"Big__c":12345678901234567890123,"Flag__c":false}`,
		},
		{"a null stays", `[{"FIELD_NAME":"Remarks__c","FIELD_VALUE":null}]`, `{"Remarks__c":null}`},
		{"a value that is not there is null", `[{"FIELD_NAME":"Remarks__c"}]`, `{"Remarks__c":null}`},
		{"older payloads add an id", `[{"FIELD_NAME":"A__c","CUSTOM_FIELD_ID":"A__c","FIELD_VALUE":"x"}]`, `{"A__c":"x"}`},
		{"dates stay as the vendor writes them", `[{"FIELD_NAME":"Renewal__c","FIELD_VALUE":"2025-01-15 00:00:00"}]`, `{"Renewal__c":"2025-01-15 00:00:00"}`},
		{"objects and lists pass", `[{"FIELD_NAME":"O__c","FIELD_VALUE":{"b": 1,"a":[2]}}]`, `{"O__c":{"b": 1,"a":[2]}}`},
		{"of a name that comes twice the last counts", `[{"FIELD_NAME":"A__c","FIELD_VALUE":1},{"FIELD_NAME":"B__c","FIELD_VALUE":2},{"FIELD_NAME":"A__c","FIELD_VALUE":3}]`, `{"A__c":3,"B__c":2}`},
		{"odd names", `[{"FIELD_NAME":"R&D \"<x>\"__c","FIELD_VALUE":1},{"FIELD_NAME":" ","FIELD_VALUE":2},{"FIELD_NAME":null,"FIELD_VALUE":3},7,null,"x"]`, `{"R&D \"<x>\"__c":1}`},
		{"none", `[]`, ``},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, string(unify(t, `{"CONTACT_ID":7,"CUSTOMFIELDS":`+c.pairs+`}`).CustomFields))
		})
	}
}

func TestTheETagIsAPropertyOfTheRecord(t *testing.T) {
	assert.Equal(t, "5d41402abc4b2a76", *unify(t, `{"CONTACT_ID":7,"ETag":"5d41402abc4b2a76"}`).ETag)
	assert.Nil(t, unify(t, `{"CONTACT_ID":7,"DATE_UPDATED_UTC":"2024-05-02 16:06:38"}`).ETag, "brief records have none, and nothing stands in for it")
}

func TestWebAddressesAreToldFromHandles(t *testing.T) {
	for _, text := range []string{"https://www.linkedin.com/in/ada", "HTTP://x.test", "www.facebook.com", "linkedin.com/in/ada", "https://medium.com/@ada"} {
		assert.True(t, webAddress.MatchString(text), text)
	}
	for _, text := range []string{"", "@ada", "ada", "ada.quill", "ada quill", "in/ada", "ada@example.com", "javascript:alert(1.0)/x", "see www.x.test"} {
		assert.False(t, webAddress.MatchString(text), text)
	}
}

func TestGetMapsEveryField(t *testing.T) {
	k := start(t, nil)
	for name, id := range map[string]string{"contact.json": "312345001", "contact_collections.json": "312900001"} {
		contact, err := getContact(providertest.Context(t), k.Call(t), id)
		require.NoError(t, err)
		providertest.Golden(t, name, providertest.JSON(t, contact))
	}
}

func TestRemoteDataIsTheRecordVerbatim(t *testing.T) {
	record := `{"CONTACT_ID" : 312345001, "N":12345678901234567890.10, "U":"\u00e9\/", "z":1,"a":2,"CUSTOMFIELDS":[ ]}`
	k := start(t, nil)
	inject := func(body string) {
		require.NoError(t, k.Emulator.Inject(kit.Match{Path: "/v3.1/Contacts*"}, kit.Fault{Status: 200, Body: quoted(body)}, 1))
	}
	inject(" " + record + "\n")
	contact, err := getContact(providertest.Context(t), k.Call(t), "312345001")
	require.NoError(t, err)
	assert.Equal(t, record, string(contact.RemoteData))
	inject("[ " + record + ",\n" + record + "]")
	page, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5})
	require.NoError(t, err)
	require.Len(t, page.Records, 2)
	assert.Equal(t, record, string(page.Records[1].RemoteData))
}

func TestRequestsLookAsDocumented(t *testing.T) {
	page, err := listContacts(providertest.Context(t), vendor(t, "contacts-list", "organisation-get"), sdk.ListQuery{PageSize: 2})
	require.NoError(t, err)
	require.Len(t, page.Records, 2)
	assert.Equal(t, "Quill Ltd", *page.Records[0].Account.Name)
	assert.Equal(t, "Quill Ltd", *page.Records[1].Account.Name)
	assert.NotEmpty(t, page.Next, "the page is full")

	contact, err := getContact(providertest.Context(t), vendor(t, "contact-get", "organisation-get"), "312345001")
	require.NoError(t, err)
	assert.Equal(t, "5d41402abc4b2a76", *contact.ETag)

	_, err = deleteContact(providertest.Context(t), vendor(t, "contact-delete"), "312345001")
	require.NoError(t, err)
}

func TestDocumentedAnswersToListGetAndDelete(t *testing.T) {
	cases := []struct {
		exchange string
		reason   errs.Reason
	}{
		{"contact-get-unknown", errs.RecordNotFound},
		{"contact-get-unknown-json", errs.RecordNotFound},
		{"contact-get-deleted", errs.RecordNotFound},
		{"contact-get-no-access", errs.VendorForbidden},
		{"error-html-500", errs.VendorUnavailable},
		{"rate-limited-day", errs.VendorRateLimited},
		{"contact-delete-unknown", errs.RecordNotFound},
		{"contact-delete-again", errs.RecordNotFound},
		{"contact-delete-again-202", errs.Reason(0)},
		{"contact-delete-no-access", errs.VendorForbidden},
		{"contact-delete-failed", errs.VendorRejected},
	}
	ids := map[string]string{"unknown": "399999999", "deleted": "312900007", "again": "312900007", "no-access": "312900005", "failed": "312900006"}
	for _, c := range cases {
		t.Run(c.exchange, func(t *testing.T) {
			id := "312345001"
			for part, other := range ids {
				if strings.Contains(c.exchange, part) {
					id = other
				}
			}
			call := vendor(t, c.exchange)
			var err error
			if strings.Contains(c.exchange, "delete-") {
				_, err = deleteContact(providertest.Context(t), call, id)
			} else {
				_, err = getContact(providertest.Context(t), call, id)
			}
			if c.reason == 0 {
				require.NoError(t, err)
				return
			}
			providertest.RequireReason(t, err, c.reason)
		})
	}
}

func TestDeleteIsOneCallAndAnEmpty202IsSuccess(t *testing.T) {
	k := start(t, nil)
	deleted, err := deleteContact(providertest.Context(t), k.Call(t), "312345001")
	require.NoError(t, err)
	assert.Equal(t, &crm.Contact{}, deleted, "the answer says nothing")
	calls := k.Emulator.Calls()
	require.Len(t, calls, 1, "no look-up, no reading back")
	assert.Equal(t, "DELETE /v3.1/Contacts/312345001", calls[0].Method+" "+calls[0].Path)
	assert.Empty(t, calls[0].Query)
	assert.Empty(t, calls[0].Body)
	assert.Empty(t, calls[0].Headers.Get("If-Match"))
	for _, c := range k.List(t, 100) {
		assert.NotEqual(t, "312345001", *c.ID)
	}
}

func TestDeleteTakesAnySuccessWithAnyBody(t *testing.T) {
	k := start(t, nil)
	for _, c := range []struct {
		status     int
		body, want string
	}{{200, "", ""}, {202, "", ""}, {204, "", ""}, {200, `{"a": 1}`, `{"a": 1}`}, {202, `true`, `true`}, {202, `null`, `null`}, {200, `Deleted <b>it</b>`, `"Deleted \u003cb\u003eit\u003c/b\u003e"`}} {
		require.NoError(t, k.Emulator.Inject(kit.Match{}, kit.Fault{Status: c.status, Body: quoted(c.body)}, 1))
		deleted, err := deleteContact(providertest.Context(t), k.Call(t), "312345001")
		require.NoError(t, err)
		assert.Equal(t, c.want, string(deleted.RemoteData))
		deleted.RemoteData = nil
		assert.Equal(t, &crm.Contact{}, deleted)
	}
}

func TestSwitches(t *testing.T) {
	const plain, unknown, restricted, undeletable, binned = "312345001", "399999999", "312900005", "312900006", "312900007"
	type outcome struct {
		do     func(*testing.T, *providertest.Kit, string) error
		id     string
		reason errs.Reason // zero for success
	}
	get := func(t *testing.T, k *providertest.Kit, id string) error {
		_, err := getContact(providertest.Context(t), k.Call(t), id)
		return err
	}
	del := func(t *testing.T, k *providertest.Kit, id string) error {
		_, err := deleteContact(providertest.Context(t), k.Call(t), id)
		return err
	}
	delThenGet := func(t *testing.T, k *providertest.Kit, id string) error {
		require.NoError(t, del(t, k, id))
		return get(t, k, id)
	}
	cases := []struct {
		name, value string
		outcomes    []outcome
	}{
		{"unknown_id", "404", []outcome{{get, unknown, errs.RecordNotFound}, {del, unknown, errs.RecordNotFound}}},
		{"unknown_id", "404_json", []outcome{{get, unknown, errs.RecordNotFound}, {del, unknown, errs.RecordNotFound}}},
		{"unknown_id", "404_empty", []outcome{{get, unknown, errs.RecordNotFound}, {del, unknown, errs.RecordNotFound}}},
		{"malformed_id", "400", []outcome{{get, "abc", errs.VendorRejected}, {del, "abc", errs.VendorRejected}}}, // the SDK lets none through
		{"malformed_id", "404", []outcome{{get, "abc", errs.RecordNotFound}, {del, "abc", errs.RecordNotFound}}},
		{"no_access", "403", []outcome{{get, restricted, errs.VendorForbidden}, {del, restricted, errs.VendorForbidden}}},
		{"no_access", "404", []outcome{{get, restricted, errs.RecordNotFound}, {del, restricted, errs.RecordNotFound}}},
		{"second_delete", "404", []outcome{{del, plain, 0}, {del, plain, errs.RecordNotFound}, {del, binned, errs.RecordNotFound}}},
		{"second_delete", "202", []outcome{{del, plain, 0}, {del, plain, 0}, {del, binned, 0}}},
		{"second_delete", "417", []outcome{{del, plain, 0}, {del, plain, errs.VendorRejected}, {del, binned, errs.VendorRejected}}},
		{"get_after_delete", "404", []outcome{{delThenGet, plain, errs.RecordNotFound}}},
		{"get_after_delete", "200", []outcome{{delThenGet, plain, 0}}},
		{"delete_if_match", "honour", []outcome{{del, plain, 0}}},
		{"query_lag", "3", []outcome{{del, plain, 0}}},
		{"unknown_query", "400", []outcome{{get, plain, 0}, {del, undeletable, errs.VendorRejected}}},
	}
	for _, c := range cases {
		t.Run(c.name+"="+c.value, func(t *testing.T) {
			k := start(t, map[string]string{c.name: c.value})
			for _, o := range c.outcomes {
				err := o.do(t, k, o.id)
				if o.reason == 0 {
					require.NoError(t, err)
				} else {
					providertest.RequireReason(t, err, o.reason)
				}
			}
			_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 100})
			require.NoError(t, err)
		})
	}
}

func TestListGivesEveryContactOnceWhateverThePageSize(t *testing.T) {
	k := start(t, nil)
	for _, size := range []int{1, 7, 37, 100, 500} { // 37 fills the last page
		ids := map[string]bool{}
		for _, c := range k.List(t, size) {
			assert.False(t, ids[*c.ID], "%s came twice with pages of %d", *c.ID, size)
			ids[*c.ID] = true
		}
		assert.Len(t, ids, 37, "30 plain and 7 visible awkward ones with pages of %d", size)
	}
}

func TestAFullPageIsFollowedByAnotherThoughTheTotalSaysOtherwise(t *testing.T) {
	k := start(t, nil)
	body := `[{"CONTACT_ID":1},{"CONTACT_ID":2}]`
	require.NoError(t, k.Emulator.Inject(kit.Match{}, kit.Fault{Status: 200, Body: json.RawMessage(body), Headers: map[string]string{"X-Total-Count": "2"}}, 1))
	page, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 2})
	require.NoError(t, err)
	assert.Equal(t, sdk.EncodeToken(position{Skip: 2, Last: "2"}), page.Next)

	page, err = listContacts(providertest.Context(t), vendor(t, "contacts-list-past-the-end"), sdk.ListQuery{PageSize: 2, PageToken: sdk.EncodeToken(position{Skip: 100000})})
	require.NoError(t, err)
	assert.Empty(t, page.Records)
	assert.Empty(t, page.Next)
}

func TestAPageNeverHoldsMoreThanWasAskedFor(t *testing.T) {
	k := start(t, nil)
	require.NoError(t, k.Emulator.Inject(kit.Match{}, kit.Fault{Status: 200, Body: json.RawMessage(`[{"CONTACT_ID":1},{"CONTACT_ID":2},{"CONTACT_ID":3}]`)}, 1))
	page, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 2})
	require.NoError(t, err)
	assert.Len(t, page.Records, 2)
	assert.Equal(t, sdk.EncodeToken(position{Skip: 2, Last: "2"}), page.Next, "the third is not skipped")
}

func TestTheListTellsWhereItIsAndAsksForWholeRecords(t *testing.T) {
	k := start(t, nil)
	_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 500, PageToken: sdk.EncodeToken(position{Skip: 12})})
	require.NoError(t, err)
	assert.Equal(t, "/v3.1/Contacts?brief=false&skip=12&top=500", k.Emulator.Calls()[0].Path+"?"+k.Emulator.Calls()[0].Query)
}

func TestRemoteQueryReachesTheVendorButNotThePaging(t *testing.T) {
	k := start(t, nil)
	call := k.Call(t, vendorhttp.Param{Name: "brief", Value: "true"}, vendorhttp.Param{Name: "count_total", Value: "true"})
	page, err := listContacts(providertest.Context(t), call, sdk.ListQuery{PageSize: 5})
	require.NoError(t, err)
	require.Len(t, page.Records, 5)
	assert.Nil(t, page.Records[0].ETag)
	assert.Nil(t, page.Records[0].CustomFields)
	assert.Equal(t, "skip=0&top=5&brief=true&count_total=true", k.Emulator.Calls()[0].Query)
	for _, name := range []string{"skip", "top", "TOP"} {
		_, err := listContacts(providertest.Context(t), k.Call(t, vendorhttp.Param{Name: name, Value: "1"}), sdk.ListQuery{PageSize: 5})
		providertest.RequireReason(t, err, errs.InvalidParameter)
	}
}

func TestHostilePageTokensAreRefused(t *testing.T) {
	k := start(t, nil)
	for _, token := range []string{"%%%", "e30x", sdk.EncodeToken("x"), sdk.EncodeToken(map[string]any{"page": 2}), sdk.EncodeToken(map[string]any{"skip": "1&top=9"}), sdk.EncodeToken(map[string]any{"skip": 1.5}), sdk.EncodeToken(position{Skip: -1}), sdk.EncodeToken(position{Skip: 1 << 31}), sdk.EncodeToken(position{Last: "7"}), sdk.EncodeToken(position{Pass: -1}), sdk.EncodeToken(position{Pass: 1}), sdk.EncodeToken(position{Pass: 99, Since: new(time.Now())}), sdk.EncodeToken(position{Since: new(time.Now())}), sdk.EncodeToken(position{Returns: -1})} {
		_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5, PageToken: token})
		providertest.RequireReason(t, err, errs.InvalidParameter)
	}
	assert.Empty(t, k.Emulator.Calls())
}

func TestAListWithAnItemThatIsNoContactFailsWhole(t *testing.T) {
	k := start(t, nil)
	for _, body := range []string{`[null]`, `[{}]`, `[{"CONTACT_ID":1},{"FIRST_NAME":"no id"}]`, `[{"CONTACT_ID":null}]`, `[{"CONTACT_ID":0}]`, `[{"CONTACT_ID":{}}]`, `[[]]`, `["text"]`, `null`, `{}`, `{"Message":"oops"}`, `"text"`, `<html>`, ``} {
		require.NoError(t, k.Emulator.Inject(kit.Match{}, kit.Fault{Status: 200, Body: quoted(body)}, 1))
		_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5})
		providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
	}
}

func TestAGetThatAnswersNoContactFails(t *testing.T) {
	k := start(t, nil)
	for _, body := range []string{`null`, `[]`, `{}`, `{"CONTACT_ID":null}`, `true`, `"text"`, `<html>`, ``} {
		require.NoError(t, k.Emulator.Inject(kit.Match{}, kit.Fault{Status: 200, Body: quoted(body)}, 1))
		_, err := getContact(providertest.Context(t), k.Call(t), "312345001")
		e := providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
		assert.NotNil(t, e.Vendor)
	}
}

func TestRecordsTooLargeForAPageAskForFewer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte(" "), vendorhttp.MaxBody+1)) // hundreds of custom fields on 500 records
	}))
	t.Cleanup(server.Close)
	_, err := listContacts(providertest.Context(t), sdk.NewCall(provider, "api_key", json.RawMessage(credentials), server.URL), sdk.ListQuery{PageSize: 500})
	e := providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
	assert.Contains(t, e.Message, "ask for fewer records")
}

func TestIDsAreThoseOf64BitIntegers(t *testing.T) {
	pattern := regexp.MustCompile(`\A(?:` + provider.Contacts.IDPattern + `)\z`)
	for _, id := range []string{"1", "312345001", "9223372036854775807"} {
		assert.True(t, pattern.MatchString(id), id)
	}
	for _, id := range []string{"", "0", "01", "-1", "+1", "1.0", "abc", "1e3", "12345678901234567890", "1/Notes", "Search", "١"} {
		assert.False(t, pattern.MatchString(id), id)
	}
}

func TestZeroDatesAreAbsent(t *testing.T) {
	contact, err := getContact(providertest.Context(t), start(t, nil).Call(t), "312900002")
	require.NoError(t, err)
	assert.Nil(t, contact.LastActivityAt)
	assert.NotNil(t, contact.CreatedAt)
	assert.Nil(t, contact.Account)
}
