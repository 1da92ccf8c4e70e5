package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/plugins/freshsales/emulator"
	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	kit "github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/exchange"
	"github.com/unicrm/unicrm/sdk/providertest"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

const (
	apiKey      = "sample-api-key"
	credentials = `{"bundle_alias":"acme.myfreshworks.com/crm/sales","api_key":"` + apiKey + `"}`
	exchanges   = "testdata/exchanges"

	// Seeded records of the emulator, from its README.
	plain       = "70011223344"
	tenAccounts = "70011223374"
	upperCase   = "70011223375"
	mobileOnly  = "70011223376"
	binned      = "70011223377"
	unknown     = "79999999999"
	living      = 33 // 30 plain ones and three of the awkward ones
)

func start(t *testing.T, switches map[string]string) *providertest.Kit {
	return providertest.Start(t, provider, emulator.Definition, "api_key", switches)
}

// vendor serves documented exchanges.
func vendor(t *testing.T, names ...string) *sdk.Call {
	call, _ := providertest.Vendor(t, provider, "api_key", credentials, exchanges, names...)
	return call
}

// answer makes a status and a body into a fault.
func answer(status int, body string) kit.Fault {
	text, _ := json.Marshal(body)
	return kit.Fault{Status: status, Body: text, Headers: map[string]string{"Content-Type": "application/json; charset=utf-8"}}
}

func unify(t *testing.T, record string) crm.Contact {
	t.Helper()
	from := envelope{Contact: json.RawMessage(record)}
	c, err := from.contact()
	require.NoError(t, err)
	return c.unified()
}

func TestMapping(t *testing.T) {
	cases := []struct{ name, record, want string }{
		{
			"a record with nothing but an id",
			`{"id":7}`,
			`{"id":"7"}`,
		},
		{
			"nulls and blanks are as good as absent",
			`{"id":7,"first_name":null,"last_name":" ","display_name":"","job_title":null,"address":null,"city":"","email":null,"emails":null,"work_email":"","work_number":null,"mobile_number":" ","phone_numbers":null,"linkedin":null,"facebook":"","tags":null,"custom_field":null,"owner_id":null,"sales_accounts":null,"last_contacted":null,"last_seen":null,"created_at":null,"updated_at":"","is_deleted":null}`,
			`{"id":"7"}`,
		},
		{
			"ids are numbers here and strings there, and keep their digits",
			`{"id":"9007199254740993","owner_id":9007199254740995,"sales_accounts":[{"id":9007199254740997}]}`,
			`{"id":"9007199254740993","owner":{"id":"9007199254740995"},"account":{"id":"9007199254740997"}}`,
		},
		{
			"values of the wrong type do not fail the record",
			`{"id":7,"first_name":5,"last_name":{"a":1},"display_name":[],"job_title":true,"address":{"street":"x"},"email":["x"],"emails":{"value":"a@example.com"},"work_number":{},"phone_numbers":"12","tags":"vip","custom_field":[],"sales_accounts":{"id":1},"owner_id":[],"last_contacted":17,"created_at":"yesterday","is_deleted":"no"}`,
			`{"id":"7","first_name":"5","name":"5","title":"true"}`,
		},
		{
			"the name comes from its parts when the vendor gives none",
			`{"id":7,"first_name":"Ines","last_name":"Okafor"}`,
			`{"id":"7","first_name":"Ines","last_name":"Okafor","name":"Ines Okafor"}`,
		},
		{
			"the displayed name may be an address",
			`{"id":7,"first_name":null,"last_name":null,"display_name":"ines@acme.test"}`,
			`{"id":"7","name":"ines@acme.test"}`,
		},
		{
			"one address, from five flat fields",
			`{"id":7,"address":"12 Quay St\nFloor 3","city":"Bergen","state":null,"zipcode":5003,"country":"Norway"}`,
			`{"id":"7","addresses":[{"street_1":"12 Quay St\nFloor 3","city":"Bergen","postal_code":"5003","country":"Norway"}]}`,
		},
		{
			"the primary e-mail address goes first, labels are types",
			`{"id":7,"email":"b@example.com","emails":[{"id":1,"value":"a@example.com","is_primary":false,"label":"Home"},{"id":2,"value":"b@example.com","is_primary":true,"label":"Work"},{"id":3,"value":"c@example.com","is_primary":false,"label":null}]}`,
			`{"id":"7","email_addresses":[{"id":"2","email":"b@example.com","type":"primary"},{"id":"1","email":"a@example.com","type":"home"},{"id":"3","email":"c@example.com"}]}`,
		},
		{
			"email tells the primary one where emails does not",
			`{"id":7,"email":"B@example.com","emails":[{"id":1,"value":"a@example.com"},{"id":2,"value":"b@example.com"}]}`,
			`{"id":"7","email_addresses":[{"id":"2","email":"b@example.com","type":"primary"},{"id":"1","email":"a@example.com"}]}`,
		},
		{
			"email alone is the primary one, work_email comes on top",
			`{"id":7,"email":"a@example.com","emails":[],"work_email":"w@example.com"}`,
			`{"id":"7","email_addresses":[{"email":"a@example.com","type":"primary"},{"email":"w@example.com","type":"work"}]}`,
		},
		{
			"work_email is not repeated when it is among the others",
			`{"id":7,"emails":[{"id":1,"value":"a@example.com","is_primary":true},{"id":2,"value":"w@example.com"}],"work_email":"W@example.com"}`,
			`{"id":"7","email_addresses":[{"id":"1","email":"a@example.com","type":"primary"},{"id":"2","email":"w@example.com","type":"work"}]}`,
		},
		{
			"addresses that are bare texts, and items that are nothing",
			`{"id":7,"emails":["a@example.com",null,{"id":2,"value":null},[],{"value":"b@example.com","is_primary":true}]}`,
			`{"id":"7","email_addresses":[{"email":"b@example.com","type":"primary"},{"email":"a@example.com"}]}`,
		},
		{
			"phone numbers are objects or bare texts, and are never reformatted",
			`{"id":7,"work_number":"(368) 555-0100","mobile_number":19265550111,"phone_numbers":[{"id":5,"value":"+254 700","label":"Fax","_destroy":false},"1-926-555-0111",null,{}]}`,
			`{"id":"7","phone_numbers":[{"number":"(368) 555-0100","type":"work"},{"number":"19265550111","type":"mobile"},{"id":"5","number":"+254 700","type":"fax"},{"number":"1-926-555-0111"}]}`,
		},
		{
			"the primary account is the account",
			`{"id":7,"sales_accounts":[{"id":1,"name":"First","is_primary":false},{"partial":true,"id":2,"name":"Second","is_primary":true},{"id":3,"name":"Third","is_primary":true}]}`,
			`{"id":"7","account":{"id":"2","name":"Second"}}`,
		},
		{
			"without a primary account it is the first one that has an id",
			`{"id":7,"sales_accounts":["odd",null,{"name":"No id"},{"id":2,"name":null},{"id":3,"name":"Third"}]}`,
			`{"id":"7","account":{"id":"2"}}`,
		},
		{
			"urls are addresses, not handles",
			`{"id":7,"linkedin":"linkedin.com/in/ines","facebook":"ines.okafor","twitter":"@ines"}`,
			`{"id":"7","urls":[{"url":"linkedin.com/in/ines","type":"linkedin"}]}`,
		},
		{
			"each kind of url has its type",
			`{"id":7,"linkedin":"https://www.linkedin.com/in/ines","facebook":"http://facebook.com/ines","twitter":"HTTPS://twitter.com/ines?a=b#c"}`,
			`{"id":"7","urls":[{"url":"https://www.linkedin.com/in/ines","type":"linkedin"},{"url":"http://facebook.com/ines","type":"facebook"},{"url":"HTTPS://twitter.com/ines?a=b#c","type":"twitter"}]}`,
		},
		{
			"tags are names",
			`{"id":7,"tags":["vip","",null,"two words"],"system_tags":["hidden"]}`,
			`{"id":"7","tags":[{"name":"vip"},{"name":"two words"}]}`,
		},
		{
			"custom fields keep odd names, digits and order",
			`{"id":7,"custom_field":{"cf_no-go types":null,"cf_n":12345678901234567890123,"cf_a":"x;y","cf_f":1.50}}`,
			`{"id":"7","custom_fields":{"cf_no-go types":null,"cf_n":12345678901234567890123,"cf_a":"x;y","cf_f":1.50}}`,
		},
		{
			"instants are in UTC whatever the account's time zone",
			`{"id":7,"created_at":"2024-01-09T03:22:12-06:00","updated_at":"2024-05-02T10:06:38Z","last_contacted":"2024-05-02T10:06:38.123+05:30"}`,
			`{"id":"7","created_at":"2024-01-09T09:22:12Z","updated_at":"2024-05-02T10:06:38Z","last_activity_at":"2024-05-02T04:36:38.123Z"}`,
		},
		{
			"last_contacted goes before later times of other kinds",
			`{"id":7,"last_contacted":"2024-01-01T00:00:00Z","last_contacted_via_sales_activity":"2024-02-01T00:00:00Z","last_seen":"2024-03-01T00:00:00Z"}`,
			`{"id":"7","last_activity_at":"2024-01-01T00:00:00Z"}`,
		},
		{
			"a sales activity goes before a visit",
			`{"id":7,"last_contacted":null,"last_contacted_via_sales_activity":"2024-02-01T00:00:00Z","last_seen":"2024-03-01T00:00:00Z"}`,
			`{"id":"7","last_activity_at":"2024-02-01T00:00:00Z"}`,
		},
		{
			"a visit is better than nothing",
			`{"id":7,"last_seen":"2024-03-01T00:00:00Z"}`,
			`{"id":"7","last_activity_at":"2024-03-01T00:00:00Z"}`,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			contact := unify(t, c.record)
			assert.Equal(t, c.record, string(contact.RemoteData), "remote_data is the record as it came")
			contact.RemoteData = nil
			if fields := contact.CustomFields; fields != nil {
				assert.Contains(t, c.record, string(fields), "custom_fields are as they came")
			}
			assert.JSONEq(t, c.want, string(providertest.JSON(t, &contact)))
		})
	}
}

func TestGetMapsEveryField(t *testing.T) {
	contact, err := getContact(providertest.Context(t), start(t, nil).Call(t), plain)
	require.NoError(t, err)
	providertest.Golden(t, "contact.json", providertest.JSON(t, contact))
}

func TestEveryFieldThatIsFilledIsAdvertised(t *testing.T) {
	contact := unify(t, `{"id":7,"first_name":"a","last_name":"b","display_name":"c","job_title":"d","owner_id":1,"sales_accounts":[{"id":1,"name":"x"}],
		"address":"s","city":"c","state":"s","zipcode":"z","country":"c","emails":[{"id":1,"value":"a@example.com","is_primary":true}],
		"phone_numbers":[{"id":1,"value":"1","label":"home"}],"linkedin":"https://linkedin.com/in/x","tags":["t"],"custom_field":{"cf_a":1},
		"last_contacted":"2024-01-01T00:00:00Z","created_at":"2024-01-01T00:00:00Z","updated_at":"2024-01-01T00:00:00Z"}`)
	var filled map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(providertest.JSON(t, &contact), &filled))
	advertised := map[string]bool{}
	for _, path := range contactFields {
		top, sub, nested := strings.Cut(path, ".")
		advertised[top] = true
		require.Contains(t, filled, top, "%s is advertised", path)
		if nested {
			var items []map[string]any
			require.NoError(t, json.Unmarshal(filled[top], &items))
			assert.Contains(t, items[0], sub, "%s is advertised", path)
			assert.Len(t, items, 1)
			for key := range items[0] {
				assert.Contains(t, contactFields, top+"."+key)
			}
		}
	}
	for field := range filled {
		assert.True(t, advertised[field], "%s is filled", field)
	}
}

func TestDigitsBeyond2to53SurviveInRemoteData(t *testing.T) {
	contact, err := getContact(providertest.Context(t), vendor(t, "contact_get_include"), plain)
	require.NoError(t, err)
	assert.Contains(t, string(contact.RemoteData), "1450348061427834881")
	all, err := exchange.Load(exchanges)
	require.NoError(t, err)
	for _, e := range all {
		if e.Name == "contact_get_include" {
			var body envelope
			require.NoError(t, json.Unmarshal(e.Response.Body, &body))
			assert.Equal(t, string(body.Contact), string(contact.RemoteData), "the vendor's record, byte for byte, without its envelope")
		}
	}

	k := start(t, nil)
	contact, err = getContact(providertest.Context(t), k.Call(t), upperCase)
	require.NoError(t, err)
	assert.Regexp(t, `"mcr_id":\s*\d{19}\b`, string(contact.RemoteData))
	assert.Regexp(t, `"cf_badge_number":\s*9007199254740993\b`, string(contact.CustomFields), "a custom number above 2^53")
}

func TestGetAsksForOwnerAndAccount(t *testing.T) {
	contact, err := getContact(providertest.Context(t), vendor(t, "contact_get_include"), plain)
	require.NoError(t, err)
	require.NotNil(t, contact.Owner)
	assert.Equal(t, "70000038922", *contact.Owner.ID)
	require.NotNil(t, contact.Account)
	assert.Equal(t, "70003771198", *contact.Account.ID)
	assert.Equal(t, "Acme", *contact.Account.Name)
}

func TestAnAnswerThatIgnoresIncludeIsStillARecord(t *testing.T) {
	contact, err := getContact(providertest.Context(t), vendor(t, "contact_get"), plain)
	require.NoError(t, err)
	assert.Nil(t, contact.Owner)
	assert.Nil(t, contact.Account)
	assert.Equal(t, "Ines Okafor", *contact.Name)
}

func TestRemoteQueryReplacesInclude(t *testing.T) {
	k := start(t, nil)
	contact, err := getContact(providertest.Context(t), k.Call(t, vendorhttp.Param{Name: "include", Value: "contact_status"}), plain)
	require.NoError(t, err)
	assert.Nil(t, contact.Owner)
	require.Len(t, k.Emulator.Calls(), 1)
	assert.Equal(t, "include=contact_status", k.Emulator.Calls()[0].Query)
}

func TestGetTellsWhatTheVendorTells(t *testing.T) {
	cases := []struct {
		exchange, id string
		reason       errs.Reason
	}{
		{"contact_get_unknown", unknown, errs.RecordNotFound},
		{"contact_get_unknown_403", unknown, errs.VendorForbidden},
		{"contact_get_deleted", "70011223399", errs.RecordNotFound},
		{"contact_get_deleted_404", "70011223399", errs.RecordNotFound},
		{"rate_limited", plain, errs.VendorRateLimited},
		{"rate_limited_empty", plain, errs.VendorRateLimited},
		{"server_error_500", plain, errs.VendorUnavailable},
		{"html_502", plain, errs.VendorUnavailable},
	}
	for _, c := range cases {
		t.Run(c.exchange, func(t *testing.T) {
			_, err := getContact(providertest.Context(t), vendor(t, c.exchange), c.id)
			e := providertest.RequireReason(t, err, c.reason)
			require.NotNil(t, e.Vendor, "the vendor's answer is attached")
			assert.NotContains(t, e.Message, "<", "a message is never HTML")
		})
	}
}

func TestADeletedContactIsNotFound(t *testing.T) {
	for _, value := range []string{"200", "404"} {
		t.Run(value, func(t *testing.T) {
			k := start(t, map[string]string{"get_after_delete": value})
			_, err := getContact(providertest.Context(t), k.Call(t), binned)
			e := providertest.RequireReason(t, err, errs.RecordNotFound)
			assert.Equal(t, http.StatusNotFound, e.HTTPStatus())
			_, err = deleteContact(providertest.Context(t), k.Call(t), plain)
			require.NoError(t, err)
			_, err = getContact(providertest.Context(t), k.Call(t), plain)
			providertest.RequireReason(t, err, errs.RecordNotFound)
			for _, c := range k.List(t, 100) {
				assert.NotContains(t, []string{plain, binned}, *c.ID)
			}
		})
	}
}

func TestAnAnswerWithoutAContactIsUnexpected(t *testing.T) {
	k := start(t, nil)
	for _, body := range []string{``, `{}`, `{"contact":null}`, `{"contact":[]}`, `{"contact":{}}`, `{"contact":{"id":null}}`, `{"contact":{"id":""}}`, `{"contact":{"id":{}}}`, `[]`, `true`, `"text"`, `<html>log in</html>`, `{"contact":{"id":1}`} {
		require.NoError(t, k.Emulator.Inject(kit.Match{}, answer(200, body), 1))
		_, err := getContact(providertest.Context(t), k.Call(t), plain)
		e := providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
		assert.NotContains(t, e.Message, "<html>")
	}
}

func TestDeleteCostsOneCallAndAnswersTrue(t *testing.T) {
	k := start(t, nil)
	deleted, err := deleteContact(providertest.Context(t), k.Call(t), plain)
	require.NoError(t, err)
	assert.Equal(t, crm.Contact{RemoteData: json.RawMessage("true")}, *deleted)
	calls := k.Emulator.Calls()
	require.Len(t, calls, 1)
	assert.Equal(t, "DELETE /crm/sales/api/contacts/"+plain, calls[0].Method+" "+calls[0].Path)
	assert.Empty(t, calls[0].Query)
	assert.Empty(t, calls[0].Body)
	assert.Equal(t, []string{"application/json"}, calls[0].Headers["Content-Type"])
}

func TestDeleteTakesAnySuccess(t *testing.T) {
	cases := []struct{ exchange, want string }{
		{"contact_delete", `true`},
		{"contact_delete_answer_object", `{}`},
		{"contact_delete_answer_empty", ``},
		{"contact_delete_answer_204", ``},
		{"contact_delete_twice_200", `true`},
	}
	for _, c := range cases {
		t.Run(c.exchange, func(t *testing.T) {
			id := plain
			if c.exchange == "contact_delete_twice_200" {
				id = "70011223399"
			}
			deleted, err := deleteContact(providertest.Context(t), vendor(t, c.exchange), id)
			require.NoError(t, err)
			assert.Equal(t, c.want, string(deleted.RemoteData))
		})
	}
	for _, value := range []string{"true", "object", "empty", "204"} {
		k := start(t, map[string]string{"delete_answer": value})
		_, err := deleteContact(providertest.Context(t), k.Call(t), plain)
		require.NoError(t, err, "delete_answer %s", value)
	}
	k := start(t, nil)
	for _, body := range []string{`null`, `{"message":"gone"}`, `{"errors":{}}`, `{"errors":null}`, `{"errors":{"message":null}}`, `plain text`} {
		for _, status := range []int{200, 202} {
			require.NoError(t, k.Emulator.Inject(kit.Match{}, answer(status, body), 1))
			_, err := deleteContact(providertest.Context(t), k.Call(t), plain)
			require.NoError(t, err, "%d with %s", status, body)
		}
	}
}

func TestASuccessThatSaysFailureIsNone(t *testing.T) {
	cases := []struct {
		body   string
		reason errs.Reason
	}{
		{`false`, errs.UnexpectedVendorAnswer},
		{`{"errors":{"code":400,"message":["no"]}}`, errs.VendorRejected},
		{`{"errors":{"code":"404","message":"no"}}`, errs.RecordNotFound},
		{`{"errors":{"code":200,"message":"no"}}`, errs.UnexpectedVendorAnswer},
		{`{"errors":{"message":"no"}}`, errs.UnexpectedVendorAnswer},
		{`{"login":"failed","message":"Invalid login"}`, errs.VendorUnauthenticated},
	}
	k := start(t, nil)
	for _, c := range cases {
		require.NoError(t, k.Emulator.Inject(kit.Match{}, answer(200, c.body), 4))
		_, err := deleteContact(providertest.Context(t), k.Call(t), plain)
		e := providertest.RequireReason(t, err, c.reason)
		assert.Equal(t, c.body, string(e.Vendor.Body))
		if c.body == `false` {
			k.Emulator.Reset()
			continue
		}
		_, err = getContact(providertest.Context(t), k.Call(t), plain)
		providertest.RequireReason(t, err, c.reason)
		_, err = listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5})
		providertest.RequireReason(t, err, c.reason)
		providertest.RequireReason(t, checkConnection(providertest.Context(t), k.Call(t)), c.reason)
	}
}

func TestDeleteTellsWhatTheVendorTells(t *testing.T) {
	cases := []struct {
		exchange, id string
		reason       errs.Reason
		status       int
	}{
		{"contact_delete_twice", "70011223399", errs.RecordNotFound, 404},
		{"contact_delete_unknown", unknown, errs.RecordNotFound, 404},
		{"contact_delete_forbidden", plain, errs.VendorForbidden, 403},
		{"rate_limited_delete", plain, errs.VendorRateLimited, 429},
		{"server_error_500_empty", plain, errs.VendorUnavailable, 500},
	}
	for _, c := range cases {
		t.Run(c.exchange, func(t *testing.T) {
			call, stub := providertest.Vendor(t, provider, "api_key", credentials, exchanges, c.exchange)
			_, err := deleteContact(providertest.Context(t), call, c.id)
			e := providertest.RequireReason(t, err, c.reason)
			assert.Equal(t, c.status, e.HTTPStatus())
			assert.Len(t, stub.Seen(), 1, "sent once")
		})
	}
}

func TestASecondDeleteIsNeverASilentSuccessOfOurs(t *testing.T) {
	for value, reason := range map[string]errs.Reason{"404": errs.RecordNotFound, "200": 0} {
		k := start(t, map[string]string{"second_delete": value})
		_, err := deleteContact(providertest.Context(t), k.Call(t), plain)
		require.NoError(t, err)
		_, err = deleteContact(providertest.Context(t), k.Call(t), plain)
		if reason == 0 {
			require.NoError(t, err, "the vendor said so")
		} else {
			providertest.RequireReason(t, err, reason)
		}
	}
}

func TestAnUnknownContact(t *testing.T) {
	for value, reason := range map[string]errs.Reason{"404": errs.RecordNotFound, "403": errs.VendorForbidden} {
		k := start(t, map[string]string{"unknown_id": value})
		_, err := getContact(providertest.Context(t), k.Call(t), unknown)
		providertest.RequireReason(t, err, reason)
		_, err = deleteContact(providertest.Context(t), k.Call(t), unknown)
		providertest.RequireReason(t, err, reason)
	}
}

func TestAMalformedIDIsRefusedByTheVendorAtTheLatest(t *testing.T) {
	for value, reason := range map[string]errs.Reason{"404": errs.RecordNotFound, "400": errs.VendorRejected} {
		k := start(t, map[string]string{"malformed_id": value})
		_, err := getContact(providertest.Context(t), k.Call(t), "abc")
		providertest.RequireReason(t, err, reason)
		_, err = deleteContact(providertest.Context(t), k.Call(t), "abc")
		providertest.RequireReason(t, err, reason)
	}
}

func TestAKeyThatMayNotDeleteMayRead(t *testing.T) {
	k := start(t, map[string]string{"permission": "read_only"})
	_, err := deleteContact(providertest.Context(t), k.Call(t), plain)
	providertest.RequireReason(t, err, errs.VendorForbidden)
	_, err = getContact(providertest.Context(t), k.Call(t), plain)
	require.NoError(t, err)

	k = start(t, map[string]string{"permission": "none"})
	providertest.RequireReason(t, checkConnection(providertest.Context(t), k.Call(t)), errs.VendorForbidden)
	_, err = listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5})
	providertest.RequireReason(t, err, errs.VendorForbidden)
}

func TestHostileIDsNeverReachTheVendor(t *testing.T) {
	k := start(t, nil)
	for _, id := range []string{"", ".", ".."} {
		_, err := deleteContact(providertest.Context(t), k.Call(t), id)
		providertest.RequireReason(t, err, errs.PluginBug) // the pattern has refused it long before
	}
	assert.Empty(t, k.Emulator.Calls())
	for _, id := range []string{"abc", "0", "01", "-1", "1e3", "1/forget", "1?x", "１２"} {
		assert.NotRegexp(t, `\A(?:`+provider.Contacts.IDPattern+`)\z`, id)
	}
	assert.Regexp(t, `\A(?:`+provider.Contacts.IDPattern+`)\z`, plain)

	// Whatever comes through stays one segment: "1/forget" would purge.
	_, err := deleteContact(providertest.Context(t), k.Call(t), plain+"/forget")
	require.Error(t, err)
	assert.Equal(t, "/crm/sales/api/contacts/"+plain+"%2Fforget", k.Emulator.Calls()[0].Path)
}

func TestListGivesEveryContactOnceWhateverThePageSize(t *testing.T) {
	k := start(t, nil)
	for _, size := range []int{1, 7, living, 100} {
		ids := map[string]bool{}
		for _, c := range k.List(t, size) {
			assert.False(t, ids[*c.ID], "%s came twice with pages of %d", *c.ID, size)
			ids[*c.ID] = true
		}
		assert.Len(t, ids, living, "pages of %d", size)
		assert.True(t, ids[tenAccounts] && ids[mobileOnly])
		assert.False(t, ids[binned])
	}
}

func TestAListedContactIsTheOneThatGetGives(t *testing.T) {
	k := start(t, nil)
	for _, listed := range k.List(t, 100) {
		got, err := getContact(providertest.Context(t), k.Call(t), *listed.ID)
		require.NoError(t, err)
		assert.Equal(t, string(providertest.JSON(t, got)), string(providertest.JSON(t, &listed)))
		if *listed.ID == tenAccounts {
			assert.Contains(t, string(listed.RemoteData), `"is_primary":true`)
			var remote struct {
				SalesAccounts []struct {
					ID        json.Number `json:"id"`
					IsPrimary bool        `json:"is_primary"`
				} `json:"sales_accounts"`
			}
			require.NoError(t, json.Unmarshal(listed.RemoteData, &remote))
			last := remote.SalesAccounts[len(remote.SalesAccounts)-1]
			require.True(t, last.IsPrimary)
			assert.Equal(t, last.ID.String(), *listed.Account.ID, "the primary account, not the first one")
		}
	}
}

func TestListsLookAsDocumented(t *testing.T) {
	cases := []struct {
		exchange string
		page     int
		records  int
		next     bool
	}{
		{"contacts_list", 1, 1, true},
		{"contacts_list_include", 1, 1, true},
		{"contacts_list_empty_view", 1, 0, false},
		{"contacts_list_last_page", 999, 0, false},
	}
	for _, c := range cases {
		t.Run(c.exchange, func(t *testing.T) {
			query := sdk.ListQuery{PageSize: 25, PageToken: sdk.EncodeToken(position{Page: c.page, Size: 25})}
			page, err := listContacts(providertest.Context(t), vendor(t, "contacts_filters", c.exchange), query)
			require.NoError(t, err)
			assert.Len(t, page.Records, c.records)
			wantNext := ""
			if c.next {
				wantNext = sdk.EncodeToken(position{Page: c.page + 1, Size: 25})
			}
			if c.exchange == "contacts_list_include" {
				assert.Equal(t, "Acme", *page.Records[0].Account.Name)
			}
			assert.Equal(t, wantNext, page.Next)
		})
	}
}

func TestADocumentedSortReplacesOurs(t *testing.T) {
	all, err := exchange.Load(exchanges)
	require.NoError(t, err)
	stub := exchange.NewStub(all, "contacts_filters", "contacts_list_sorted")
	server := httptest.NewServer(stub)
	t.Cleanup(server.Close)
	call := sdk.NewCall(provider, "api_key", json.RawMessage(credentials), server.URL,
		vendorhttp.Param{Name: "sort", Value: "updated_at"}, vendorhttp.Param{Name: "sort_type", Value: "desc"})
	page, err := listContacts(providertest.Context(t), call, sdk.ListQuery{PageSize: 25})
	require.NoError(t, err)
	assert.Len(t, page.Records, 1)
	assert.Empty(t, page.Next)
	assert.Empty(t, stub.Problems())
}

func TestListSortsByIDUnlessTheCallerSorts(t *testing.T) {
	k := start(t, nil)
	_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5})
	require.NoError(t, err)
	assert.Equal(t, "sort=id&sort_type=asc&include=owner,sales_accounts&page=1&per_page=5", k.Emulator.Calls()[1].Query)

	k.Emulator.ForgetCalls()
	page, err := listContacts(providertest.Context(t), k.Call(t, vendorhttp.Param{Name: "sort", Value: "updated_at"}, vendorhttp.Param{Name: "sort_type", Value: "desc"}), sdk.ListQuery{PageSize: 5})
	require.NoError(t, err)
	assert.Equal(t, "include=owner,sales_accounts&page=1&per_page=5&sort=updated_at&sort_type=desc", k.Emulator.Calls()[1].Query)
	for i := 1; i < len(page.Records); i++ {
		assert.False(t, page.Records[i].UpdatedAt.After(*page.Records[i-1].UpdatedAt))
	}
	assert.Empty(t, k.Emulator.Calls()[0].Query, "the look-up of the view is not the caller's query")

	for _, name := range []string{"page", "per_page", "Page"} {
		_, err := listContacts(providertest.Context(t), k.Call(t, vendorhttp.Param{Name: name, Value: "1"}), sdk.ListQuery{PageSize: 5})
		providertest.RequireReason(t, err, errs.InvalidParameter)
	}
}

func TestTheListEndsWhateverTotalPagesSays(t *testing.T) {
	cases := []struct {
		name, meta string
		page       int
		items      int
		last       bool
	}{
		{"the last of several", `{"total_pages":3}`, 3, 5, true},
		{"not the last", `{"total_pages":3}`, 2, 5, false},
		{"past the end", `{"total_pages":3}`, 4, 0, true},
		{"a short page in the middle", `{"total_pages":3}`, 1, 4, false},
		{"nothing where more was promised", `{"total_pages":9}`, 2, 0, true},
		{"zero pages of nothing", `{"total_pages":0,"total":0}`, 1, 0, true},
		{"zero pages, yet a full one", `{"total_pages":0}`, 1, 5, false},
		{"zero pages, and a short one", `{"total_pages":0}`, 1, 4, true},
		{"a text", `{"total_pages":"2"}`, 1, 5, false},
		{"only a total", `{"total":9}`, 1, 5, false},
		{"only a total, at the end", `{"total":9}`, 2, 4, true},
		{"null", `{"total_pages":null}`, 1, 4, true},
		{"no meta", ``, 1, 5, false},
		{"no object", `[]`, 1, 4, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.last, isLast(position{Page: c.page, Size: 5}, c.items, json.RawMessage(c.meta)))
		})
	}

	k := start(t, nil)
	require.NoError(t, k.Emulator.Inject(kit.Match{Path: "*/view/*"}, answer(200, `{"contacts":[],"meta":{"total_pages":0,"total":0}}`), -1))
	assert.Empty(t, k.List(t, 5))
	assert.Len(t, k.Emulator.Calls(), 2)
}

func TestDeletedContactsInAViewAreLeftOut(t *testing.T) {
	call := vendor(t, "contacts_recycle_bin").WithRevision(t.Name())
	viewIDs.Put(call, allContactsName, "70008880003")
	page, err := listContacts(providertest.Context(t), call, sdk.ListQuery{PageSize: 25})
	require.NoError(t, err)
	assert.Empty(t, page.Records)
}

func TestHostilePageTokensAreRefused(t *testing.T) {
	k := start(t, nil)
	for _, token := range []string{
		"%%%", "e30x", sdk.EncodeToken("x"), sdk.EncodeToken(map[string]any{"page": 2, "size": 5, "view": "../x"}), sdk.EncodeToken(map[string]any{"page": "2"}),
		sdk.EncodeToken(position{Page: -1, Size: 5}), sdk.EncodeToken(position{Page: 0, Size: 5}), sdk.EncodeToken(position{Page: 2, Size: 0}),
		sdk.EncodeToken(position{Page: 2, Size: -5}), sdk.EncodeToken(position{Page: 2, Size: 1e6}), sdk.EncodeToken(position{Page: 2, Size: 6}),
	} {
		_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5, PageToken: token})
		providertest.RequireReason(t, err, errs.InvalidParameter)
	}
	for _, token := range []string{"%%%", sdk.EncodeToken(position{Page: 1, Size: 5}), sdk.EncodeToken(map[string]int{"skip": -1}), sdk.EncodeToken(map[string]int{"skip": 1 << 62})} {
		_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5, PageToken: token, Filters: equal("search", "x")})
		providertest.RequireReason(t, err, errs.InvalidParameter)
	}
	assert.Empty(t, k.Emulator.Calls())
}

func TestAListWithAnItemThatIsNoContactFailsWhole(t *testing.T) {
	k := start(t, nil)
	for _, body := range []string{
		`{"contacts":[null]}`, `{"contacts":[{}]}`, `{"contacts":[{"id":1},{"first_name":"no id"}]}`, `{"contacts":["x"]}`, `{"contacts":[{"contact":{"id":1}}]}`,
		`{"contacts":null}`, `{}`, `{"contacts":{"contacts":[{"id":1}]}}`, `[]`, `"text"`, `true`, ``, `<html></html>`,
		`{"contacts":[{"id":1},{"id":2},{"id":3},{"id":4},{"id":5},{"id":6}]}`, // more than a page
	} {
		require.NoError(t, k.Emulator.Inject(kit.Match{Path: "*/view/*"}, answer(200, body), 1))
		_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5})
		e := providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
		assert.Equal(t, body, string(e.Vendor.Body))
	}
}

func TestOneOddRecordDoesNotFailThePage(t *testing.T) {
	k := start(t, nil)
	body := `{"contacts":[{"id":1,"emails":7,"sales_accounts":"x","tags":{},"custom_field":null,"created_at":0},{"id":"2"}],"meta":[]}`
	require.NoError(t, k.Emulator.Inject(kit.Match{Path: "*/view/*"}, answer(200, body), 1))
	page, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5})
	require.NoError(t, err)
	require.Len(t, page.Records, 2)
	assert.Equal(t, "2", *page.Records[1].ID)
	assert.Empty(t, page.Next)
}

func TestPhoneNumbersAreReadInBothShapes(t *testing.T) {
	for _, value := range []string{"objects", "strings"} {
		k := start(t, map[string]string{"phone_numbers_items": value})
		most := 0
		for _, c := range k.List(t, 100) {
			for _, p := range c.PhoneNumbers {
				require.NotNil(t, p.Number)
			}
			most = max(most, len(c.PhoneNumbers))
		}
		assert.GreaterOrEqual(t, most, 3, "a third number, with %s", value)
	}
}

func TestABrokenDeleteIsSentAgainOnce(t *testing.T) {
	k := start(t, nil)
	require.NoError(t, k.Emulator.Inject(kit.Match{Method: http.MethodDelete}, kit.Fault{Cut: "after"}, 1))
	_, err := deleteContact(providertest.Context(t), k.Call(t), plain)
	providertest.RequireReason(t, err, errs.RecordNotFound) // the host knows that the DELETE was sent again
	assert.Len(t, k.Emulator.Calls(), 2)
}

func TestPagesOfAHundredAreTheMost(t *testing.T) {
	assert.Equal(t, 100, provider.Contacts.List.PageCap)
	assert.Equal(t, 90*24*time.Hour, provider.Contacts.Delete.Kept)
	k := start(t, nil)
	_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 100})
	require.NoError(t, err)
	assert.Contains(t, k.Emulator.Calls()[1].Query, "per_page=100")
}

func FuzzMapping(f *testing.F) {
	f.Add([]byte(`{"id":1,"emails":[{"value":"a@example.com","is_primary":true}],"sales_accounts":[{"id":2}],"custom_field":{"cf":1}}`))
	f.Add([]byte(`{"id":"1","emails":["x",{}],"email":"y","work_email":"Y","phone_numbers":[[],1]}`))
	f.Fuzz(func(t *testing.T, record []byte) {
		from := envelope{Contact: record}
		c, err := from.contact()
		if err != nil {
			return
		}
		u := c.unified()
		require.NotNil(t, u.ID)
		require.Equal(t, string(record), string(u.RemoteData))
		for _, e := range u.EmailAddresses {
			require.NotNil(t, e.Email)
		}
	})
}
