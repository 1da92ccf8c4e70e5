package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/plugins/wix/emulator"
	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	kit "github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
)

const (
	apiKey      = "sample-api-key-0123456789abcdefghijklmnopqrstuvwxyz"
	siteID      = "3f2c1a10-5173-4000-8000-00000000aaaa"
	credentials = `{"api_key":"` + apiKey + `","site_id":"` + siteID + `"}`
	exchanges   = "testdata/exchanges"

	plainID      = "3f2c1a10-0000-4000-8000-000000000001" // revision 0
	memberID     = "3f2c1a10-aaaa-4000-8000-000000000001"
	subscriberID = "3f2c1a10-aaaa-4000-8000-000000000002"
	wixUserID    = "3f2c1a10-aaaa-4000-8000-000000000003"
	mergedID     = "3f2c1a10-aaaa-4000-8000-000000000004"
	targetID     = "3f2c1a10-aaaa-4000-8000-000000000005"
	unknownID    = "3f2c1a10-ffff-4000-8000-00000000ffff"
)

func start(t *testing.T, switches map[string]string) *providertest.Kit {
	return providertest.Start(t, provider, emulator.Definition, "api_key", switches)
}

// vendor serves documented exchanges.
func vendor(t *testing.T, names ...string) *sdk.Call {
	call, _ := providertest.Vendor(t, provider, "api_key", credentials, exchanges, names...)
	return call
}

// answer makes a 200 of a body that no switch of the emulator gives.
func answer(body string) kit.Fault {
	return kit.Fault{Status: 200, Body: json.RawMessage(body), Headers: map[string]string{"Content-Type": "application/json"}}
}

// refusal makes an error of a body that no switch of the emulator gives.
func refusal(status int, body string) kit.Fault {
	fault := answer(body)
	fault.Status = status
	return fault
}

func unify(t *testing.T, record string) crm.Contact {
	t.Helper()
	c, err := contactFrom(json.RawMessage(record))
	require.NoError(t, err)
	return c.unified()
}

func TestMapping(t *testing.T) {
	cases := []struct{ name, record, want string }{
		{
			"a record with nothing but an id",
			`{"id":"a"}`,
			`{"id":"a"}`,
		},
		{
			"nulls and blanks are as good as absent",
			`{"id":"a","revision":null,"createdDate":null,"updatedDate":"","lastActivity":null,"info":{"name":null,"company":" ","jobTitle":"","emails":null,
			  "phones":{"items":null},"addresses":{"items":[null,{"id":"x","tag":"HOME","address":null}]},"labelKeys":{"items":[null,""]},"extendedFields":null}}`,
			`{"id":"a"}`,
		},
		{
			"a record without info",
			`{"id":"a","revision":3,"info":null}`,
			`{"id":"a","etag":"3"}`,
		},
		{
			"values of the wrong type do not fail the record",
			`{"id":"a","revision":{"n":1},"createdDate":["x"],"updatedDate":"yesterday","lastActivity":"never","info":{"name":"Ada Quill","company":["Quill"],"jobTitle":7,
			  "emails":[{"email":"lost@example.com"}],"phones":"020","addresses":{"items":["somewhere",{"address":{"streetAddress":"1 Ink Lane","city":"Leeds"}}]},
			  "labelKeys":{"items":{"custom.vip":true}},"extendedFields":{"items":["41"]}}}`,
			`{"id":"a","title":"7","addresses":[{"city":"Leeds"}]}`,
		},
		{
			"one odd item does not lose its neighbours",
			`{"id":"a","info":{"emails":{"items":[null,7,{"email":["x"]},{"id":"e","email":"a@example.com"}]},"phones":{"items":[{"tag":"MOBILE"},{"phone":5}]},"labelKeys":{"items":["custom.vip",{"key":"x"}]}}}`,
			`{"id":"a","email_addresses":[{"id":"e","email":"a@example.com"}],"phone_numbers":[{"number":"5"}],"tags":[{"id":"custom.vip"}]}`,
		},
		{
			"the primary e-mail and phone come first, the rest keep their order",
			`{"id":"a","info":{"emails":{"items":[{"email":"1@example.com","tag":"HOME"},{"email":"2@example.com","tag":"MAIN"},{"email":"3@example.com","tag":"WORK","primary":true}]},
			  "phones":{"items":[{"phone":"1","tag":"MOBILE","primary":false},{"phone":"2","tag":"FAX"},{"phone":"3","tag":"UNTAGGED","primary":true}]}}}`,
			`{"id":"a","email_addresses":[{"email":"3@example.com","type":"work"},{"email":"1@example.com","type":"home"},{"email":"2@example.com","type":"main"}],
			  "phone_numbers":[{"number":"3"},{"number":"1","type":"mobile"},{"number":"2","type":"fax"}]}`,
		},
		{
			"a phone with the E.164 form alone",
			`{"id":"a","info":{"phones":{"items":[{"id":"p","e164Phone":"+442070000000"}]}}}`,
			`{"id":"a","phone_numbers":[{"id":"p","number":"+442070000000"}]}`,
		},
		{
			"both forms of a street, a bare state, an unknown tag",
			`{"id":"a","info":{"addresses":{"items":[
			  {"id":"x","tag":"SHIPPING","address":{"addressLine":"1 Ink Lane","addressLine2":"Flat 2","city":"Leeds","subdivision":"GB-ENG","country":"GB","postalCode":"LS1 1AA"}},
			  {"id":"y","tag":"HARBOUR","address":{"streetAddress":{"number":"350","name":"Example Ave"},"subdivision":"NY"}},
			  {"id":"z","tag":"UNTAGGED","address":{"streetAddress":{"name":"Example Ave"}}}]}}}`,
			`{"id":"a","addresses":[
			  {"id":"x","street_1":"1 Ink Lane","street_2":"Flat 2","city":"Leeds","state":"GB-ENG","postal_code":"LS1 1AA","country":"GB","type":"shipping"},
			  {"id":"y","street_1":"350 Example Ave","state":"NY","type":"harbour"},
			  {"id":"z","street_1":"Example Ave"}]}`,
		},
		{
			"the name comes from its parts, never from a system field",
			`{"id":"a","info":{"name":{"last":"Quill"},"extendedFields":{"items":{"contacts.displayByFirstName":"Ada Quill"}}}}`,
			`{"id":"a","last_name":"Quill","name":"Quill","custom_fields":{"contacts.displayByFirstName":"Ada Quill"}}`,
		},
		{
			"a company is a text without an id",
			`{"id":"a","info":{"company":"Quill Ltd","jobTitle":"Buyer"}}`,
			`{"id":"a","account":{"name":"Quill Ltd"},"title":"Buyer"}`,
		},
		{
			"custom fields keep odd keys, digits and nulls",
			`{"id":"a","info":{"extendedFields":{"items":{"custom.b [x]":"1.50","custom.a":12345678901234567890123,"invoices.vatId":null,"custom.n":1.0}}}}`,
			`{"id":"a","custom_fields":{"custom.b [x]":"1.50","custom.a":12345678901234567890123,"invoices.vatId":null,"custom.n":1.0}}`,
		},
		{
			"dates come out in UTC",
			`{"id":"a","createdDate":"2024-03-05T09:10:11.123Z","updatedDate":"2024-03-06T12:00:00+02:00","lastActivity":{"activityDate":"2024-03-06T10:00:00.000Z"}}`,
			`{"id":"a","created_at":"2024-03-05T09:10:11.123Z","updated_at":"2024-03-06T10:00:00Z","last_activity_at":"2024-03-06T10:00:00Z"}`,
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

func TestRevisionZeroIsAVersion(t *testing.T) {
	assert.Equal(t, "0", *unify(t, `{"id":"a","revision":0}`).ETag)
	assert.Equal(t, "12", *unify(t, `{"id":"a","revision":"12"}`).ETag, "other APIs of Wix write it as a string")
	assert.Nil(t, unify(t, `{"id":"a"}`).ETag)
	for _, first := range []string{"0", "1"} {
		contact, err := getContact(providertest.Context(t), start(t, map[string]string{"first_revision": first}).Call(t), plainID)
		require.NoError(t, err)
		assert.NotNil(t, contact.ETag)
	}
}

func TestCustomFieldsAreVerbatim(t *testing.T) {
	const items = `{ "custom.b":"\u0026 <é>", "custom.a" : 1.50e2,"custom.b":2 }`
	assert.Equal(t, items, string(unify(t, `{"id":"a","info":{"extendedFields":{"items":`+items+`}}}`).CustomFields))
}

func TestGetMapsEveryField(t *testing.T) {
	contact, err := getContact(providertest.Context(t), start(t, nil).Call(t), plainID)
	require.NoError(t, err)
	providertest.Golden(t, "contact.json", providertest.JSON(t, contact))
}

func TestRemoteDataIsTheRecordAsItCame(t *testing.T) {
	const record = `{"id":"` + plainID + `",  "revision": 12345678901234567890, "b":1.50,"a":"\u0026\/", "nothing":null}`
	k := start(t, nil)
	for path, body := range map[string]string{"/contacts/v4/contacts/query": `{"contacts":[` + record + `]}`, "/contacts/v4/contacts/" + plainID: `{"contact":` + record + `,"responseType":"REGULAR"}`} {
		// As a JSON string the body is sent as it is here.
		require.NoError(t, k.Emulator.Inject(kit.Match{Path: path}, answer(string(marshal(t, body))), 1))
	}
	page, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5})
	require.NoError(t, err)
	require.Len(t, page.Records, 1)
	assert.Equal(t, record, string(page.Records[0].RemoteData))
	assert.Equal(t, "12345678901234567890", *page.Records[0].ETag)
	contact, err := getContact(providertest.Context(t), k.Call(t), plainID)
	require.NoError(t, err)
	assert.Equal(t, record, string(contact.RemoteData))
}

func marshal(t *testing.T, v any) json.RawMessage {
	t.Helper()
	data, err := json.Marshal(v)
	require.NoError(t, err)
	return data
}

func TestAMergedContactIsGone(t *testing.T) {
	k := start(t, nil)
	_, err := getContact(providertest.Context(t), k.Call(t), mergedID)
	e := providertest.RequireReason(t, err, errs.RecordNotFound)
	assert.Contains(t, e.Message, targetID)
	require.NotNil(t, e.Vendor)
	assert.Contains(t, string(e.Vendor.Body), targetID, "for who wants to follow it")

	for name, body := range map[string]string{
		"another id without MERGED": `{"contact":{"id":"` + targetID + `"},"responseType":"REGULAR"}`,
		"MERGED alone":              `{"contact":{"id":"` + plainID + `"},"responseType":"MERGED"}`,
		"another id alone":          `{"contact":{"id":"` + targetID + `"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, k.Emulator.Inject(kit.Match{}, answer(body), 1))
			_, err := getContact(providertest.Context(t), k.Call(t), plainID)
			providertest.RequireReason(t, err, errs.RecordNotFound)
		})
	}
}

func TestAnIDInCapitalsIsTheSameID(t *testing.T) {
	k := start(t, nil)
	require.NoError(t, k.Emulator.Inject(kit.Match{}, answer(`{"contact":{"id":"`+mergedID+`"},"responseType":"REGULAR"}`), 1))
	contact, err := getContact(providertest.Context(t), k.Call(t), strings.ToUpper(mergedID))
	require.NoError(t, err)
	assert.Equal(t, mergedID, *contact.ID)
}

func TestAMalformedIDIsRefusedInEitherWay(t *testing.T) {
	pattern := regexp.MustCompile(`\A(?:` + provider.Contacts.IDPattern + `)\z`)
	assert.True(t, pattern.MatchString(plainID))
	assert.True(t, pattern.MatchString(strings.ToUpper(mergedID)))
	for _, id := range []string{"", "4711", ".", "..", plainID + "/", plainID + "\n", plainID + "?a=b", plainID + "0", "{" + plainID + "}", strings.ReplaceAll(plainID, "-", ""), "custom.vip", plainID[:35] + "g"} {
		assert.False(t, pattern.MatchString(id), "%q", id)
	}
	for value, reason := range map[string]errs.Reason{"400": errs.VendorRejected, "404": errs.RecordNotFound} {
		k := start(t, map[string]string{"malformed_id": value})
		_, err := deleteContact(providertest.Context(t), k.Call(t), "4711")
		providertest.RequireReason(t, err, reason)
		_, err = getContact(providertest.Context(t), k.Call(t), "4711")
		providertest.RequireReason(t, err, reason)
	}
}

func TestAnAnswerWithoutAContactIsUnexpected(t *testing.T) {
	k := start(t, nil)
	for _, body := range []string{`{}`, `{"contact":null}`, `{"contact":[]}`, `{"contact":{}}`, `{"contact":{"id":""}}`, `[]`, `"text"`, `""`} {
		require.NoError(t, k.Emulator.Inject(kit.Match{}, answer(body), 1))
		_, err := getContact(providertest.Context(t), k.Call(t), plainID)
		providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
	}
}

var (
	matchPatch = kit.Match{Method: "PATCH"}
	matchQuery = kit.Match{Path: "/contacts/v4/contacts/query"}
)
