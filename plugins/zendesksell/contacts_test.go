package main

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/plugins/zendesksell/emulator"
	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	kit "github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

const (
	token       = "sample-access-token-0123456789-abcdefghijklmnopqrstuvwxyz-012345"
	credentials = `{"access_token":"` + token + `"}`
)

func start(t *testing.T, switches map[string]string) *providertest.Kit {
	return providertest.Start(t, provider, emulator.Definition, "access_token", switches)
}

// vendor serves documented exchanges.
func vendor(t *testing.T, names ...string) *sdk.Call {
	call, _ := providertest.Vendor(t, provider, "access_token", credentials, "testdata/exchanges", names...)
	return call
}

func unify(t *testing.T, record string) crm.Contact {
	t.Helper()
	from := envelope{Data: json.RawMessage(record)}
	c, err := from.contact()
	require.NoError(t, err)
	return c.unified(from)
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
			`{"id":7,"first_name":null,"last_name":" ","name":"","email":null,"phone":"","address":null,"billing_address":{"line1":null},"tags":null,"custom_fields":null,"owner_id":null,"contact_id":null,"created_at":null}`,
			`{"id":"7"}`,
		},
		{
			"an id beyond 2^53 keeps its digits",
			`{"id":9007199254740993,"contact_id":9007199254740995}`,
			`{"id":"9007199254740993","account":{"id":"9007199254740995"}}`,
		},
		{
			"values of the wrong type do not fail the record",
			`{"id":"7","first_name":5,"last_name":{"a":1},"email":["x"],"tags":"vip","custom_fields":[],"address":"somewhere","created_at":"yesterday"}`,
			`{"id":"7","first_name":"5","name":"5"}`,
		},
		{
			"every slot has its type",
			`{"id":7,"phone":"1","mobile":"2","fax":"3","email":"a@example.com","website":"example.com","linkedin":"handle","address":{"line1":"1 Ink Lane","city":"Leeds"},"shipping_address":{"country":"GB"}}`,
			`{"id":"7","addresses":[{"id":"mailing","street_1":"1 Ink Lane","city":"Leeds","type":"mailing"},{"id":"shipping","country":"GB","type":"shipping"}],
			  "email_addresses":[{"email":"a@example.com","type":"primary"}],
			  "phone_numbers":[{"number":"1","type":"work"},{"number":"2","type":"mobile"},{"number":"3","type":"fax"}],
			  "urls":[{"url":"example.com","type":"website"}]}`,
		},
		{
			"the name comes from its parts when the vendor gives none",
			`{"id":7,"first_name":"Ada","last_name":"Quill","updated_at":"2024-03-06T10:00:00Z"}`,
			`{"id":"7","first_name":"Ada","last_name":"Quill","name":"Ada Quill","updated_at":"2024-03-06T10:00:00Z","etag":"2024-03-06T10:00:00Z"}`,
		},
		{
			"custom fields keep odd names and digits",
			`{"id":7,"custom_fields":{"field.with [dots]":"1.50","n":12345678901234567890123,"none":null}}`,
			`{"id":"7","custom_fields":{"field.with [dots]":"1.50","n":12345678901234567890123,"none":null}}`,
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

func TestGetMapsEveryField(t *testing.T) {
	contact, err := getContact(providertest.Context(t), start(t, nil).Call(t), "400001")
	require.NoError(t, err)
	providertest.Golden(t, "contact.json", providertest.JSON(t, contact))
}

func TestDocumentedErrorsHaveTheirReasons(t *testing.T) {
	cases := []struct {
		exchange string
		reason   errs.Reason
	}{
		{"contact_get_unknown", errs.RecordNotFound},
		{"unauthorized", errs.VendorUnauthenticated},
		{"insufficient_scope", errs.VendorForbidden},
		{"rate_limited", errs.VendorRateLimited},
		{"rate_limited_empty_body", errs.VendorRateLimited},
		{"server_error_html", errs.VendorUnavailable},
		{"server_error_empty", errs.VendorUnavailable},
		{"temporarily_unavailable", errs.VendorUnavailable},
	}
	for _, c := range cases {
		t.Run(c.exchange, func(t *testing.T) {
			k := start(t, nil)
			fault := faultOf(t, c.exchange)
			require.NoError(t, k.Emulator.Inject(kit.Match{}, fault, -1))
			_, err := getContact(providertest.Context(t), k.Call(t), "400001")
			e := providertest.RequireReason(t, err, c.reason)
			require.NotNil(t, e.Vendor, "the vendor's answer is attached")
			assert.Equal(t, fault.Status, e.Vendor.Status)
			assert.NotContains(t, e.Message, "<", "a message is never HTML")
		})
	}
}

// faultOf makes a documented answer into a fault.
func faultOf(t *testing.T, name string) kit.Fault {
	t.Helper()
	return providertest.Fault(t, "testdata/exchanges", name)
}

func TestAPathThatSellDoesNotKnowIsOurMistake(t *testing.T) {
	k := start(t, nil)
	require.NoError(t, k.Emulator.Inject(kit.Match{}, faultOf(t, "unknown_path"), -1))
	_, err := deleteContact(providertest.Context(t), k.Call(t), "400001")
	providertest.RequireReason(t, err, errs.PluginBug)
}

func TestDeleteLooksFirstAndDeletesOnce(t *testing.T) {
	k := start(t, nil)
	deleted, err := deleteContact(providertest.Context(t), k.Call(t), "400001")
	require.NoError(t, err)
	assert.Empty(t, deleted.RemoteData, "204 without a body")
	calls := k.Emulator.Calls()
	require.Len(t, calls, 2)
	assert.Equal(t, "GET /v2/contacts/400001", calls[0].Method+" "+calls[0].Path)
	assert.Equal(t, "DELETE /v2/contacts/400001", calls[1].Method+" "+calls[1].Path)

	_, err = deleteContact(providertest.Context(t), k.Call(t), "400001")
	providertest.RequireReason(t, err, errs.RecordNotFound)
	for _, c := range k.List(t, 100) {
		assert.NotEqual(t, "400001", *c.ID)
	}
}

func TestACompanyIsNeverAContact(t *testing.T) {
	k := start(t, nil)
	_, err := getContact(providertest.Context(t), k.Call(t), "900001")
	providertest.RequireReason(t, err, errs.RecordNotFound)
	_, err = deleteContact(providertest.Context(t), k.Call(t), "900001")
	providertest.RequireReason(t, err, errs.RecordNotFound)
	for _, c := range k.Emulator.Calls() {
		assert.NotEqual(t, http.MethodDelete, c.Method)
	}
	for _, c := range k.List(t, 100) {
		assert.False(t, strings.HasPrefix(*c.ID, "9000"), "%s is a company", *c.ID)
	}
}

func TestListGivesEveryPersonOnceWhateverThePageSize(t *testing.T) {
	k := start(t, nil)
	for _, size := range []int{1, 7, 38, 100} {
		ids := map[string]bool{}
		for _, c := range k.List(t, size) {
			assert.False(t, ids[*c.ID], "%s came twice with pages of %d", *c.ID, size)
			ids[*c.ID] = true
		}
		assert.Len(t, ids, 38, "30 plain and 8 awkward persons with pages of %d", size)
	}
}

func TestAPageCostsTwoCalls(t *testing.T) {
	k := start(t, nil)
	_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 100})
	require.NoError(t, err)
	assert.Len(t, k.Emulator.Calls(), 2, "the list, and the names of all its companies")
}

func TestNamesOfCompaniesAreOptional(t *testing.T) {
	k := start(t, nil)
	require.NoError(t, k.Emulator.Inject(kit.Match{Path: "/v2/contacts"}, kit.Fault{Status: 500, Body: json.RawMessage(`"<html>oops</html>"`)}, -1))
	call := k.Call(t)
	contact, err := getContact(providertest.Context(t), call, "400001")
	require.NoError(t, err)
	require.NotNil(t, contact.Account)
	assert.Equal(t, "900001", *contact.Account.ID)
	assert.Nil(t, contact.Account.Name)
	assert.True(t, call.IsPartial())
}

func TestRemoteQueryReachesTheVendorButNotThePaging(t *testing.T) {
	k := start(t, nil)
	_, err := listContacts(providertest.Context(t), k.Call(t, vendorhttp.Param{Name: "sort_by", Value: "updated_at:desc"}, vendorhttp.Param{Name: "address[city]", Value: "Leeds"}), sdk.ListQuery{PageSize: 5})
	require.NoError(t, err)
	query := k.Emulator.Calls()[0].Query
	assert.Contains(t, query, "sort_by=updated_at%3Adesc")
	assert.Contains(t, query, "address[city]=Leeds")
	assert.NotContains(t, query, "id%3Aasc")
	for _, name := range []string{"page", "per_page", "is_organization"} {
		_, err := listContacts(providertest.Context(t), k.Call(t, vendorhttp.Param{Name: name, Value: "1"}), sdk.ListQuery{PageSize: 5})
		providertest.RequireReason(t, err, errs.InvalidParameter)
	}
}

func TestHostilePageTokensAreRefused(t *testing.T) {
	k := start(t, nil)
	for _, token := range []string{"%%%", "e30x", sdk.EncodeToken("x"), sdk.EncodeToken(position{Page: -1, Size: 5}), sdk.EncodeToken(position{Page: 1, Size: 1e6})} {
		_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5, PageToken: token})
		providertest.RequireReason(t, err, errs.InvalidParameter)
	}
	assert.Empty(t, k.Emulator.Calls())
}

func TestANextPageOnAnotherHostIsNotFollowed(t *testing.T) {
	k := start(t, nil)
	for _, link := range []string{"https://evil.example.com/v2/contacts?page=2", "http://api.getbase.com/v2/contacts?page=2", "https://api.getbase.com.evil.test/v2/contacts?page=2"} {
		body := `{"items":[{"data":{"id":1}}],"meta":{"links":{"next_page":` + strconv.Quote(link) + `}}}`
		require.NoError(t, k.Emulator.Inject(kit.Match{}, kit.Fault{Status: 200, Body: json.RawMessage(body)}, 1))
		_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5})
		providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
	}
}

func TestAListWithAnItemThatIsNoContactFailsWhole(t *testing.T) {
	k := start(t, nil)
	for _, body := range []string{`{"items":[{"data":null}]}`, `{"items":[{}]}`, `{"items":[{"data":{"name":"no id"}}]}`, `{"items":null}`, `[]`, `"text"`} {
		require.NoError(t, k.Emulator.Inject(kit.Match{}, kit.Fault{Status: 200, Body: json.RawMessage(body), Headers: map[string]string{"Content-Type": "application/json"}}, 1))
		_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5})
		providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
	}
}

func TestRequestsLookAsDocumented(t *testing.T) {
	_, err := listContacts(providertest.Context(t), vendor(t, "contact_list", "contact_list_by_ids"), sdk.ListQuery{PageSize: 25})
	require.NoError(t, err)
	_, err = deleteContact(providertest.Context(t), vendor(t, "contact_get", "contact_delete"), "401235")
	require.NoError(t, err)
}

func TestARefusedTokenIsTheAccountsFault(t *testing.T) {
	k := start(t, nil)
	require.NoError(t, checkConnection(providertest.Context(t), k.Call(t)))
	call := k.CallWith(t, map[string]any{"access_token": token})
	err := checkConnection(providertest.Context(t), call)
	e := providertest.RequireReason(t, err, errs.VendorUnauthenticated)
	assert.NotContains(t, e.Error(), token)
}

func TestNothingIsDeletedUnlessSellSaysThatItIsAPerson(t *testing.T) {
	for _, answer := range []string{
		`{"data":{"id":400001,"name":"X Ltd"}}`,
		`{"data":{"id":400001,"is_organization":null}}`,
		`{"data":{"id":400001,"is_organization":"yes"}}`,
		`{"data":{"id":400001,"is_organization":"false"}}`,
		`{"data":{"id":400001,"is_organization":true,"IS_ORGANIZATION":false}}`,
		`{"data":{"id":400001,"is_organization":true,"is_organization":false}}`,
		`{"data":{"id":400002,"is_organization":false}}`,
		`{"data":{"id":400001,"is_organization":true},"Data":{"id":400001,"is_organization":false}}`,
		`{"data":[]}`,
		`{}`,
	} {
		k := start(t, nil)
		require.NoError(t, k.Emulator.Inject(kit.Match{Method: http.MethodGet}, kit.Fault{Status: 200, Body: json.RawMessage(answer)}, -1))
		_, err := deleteContact(providertest.Context(t), k.Call(t), "400001")
		require.Error(t, err, answer)
		for _, c := range k.Emulator.Calls() {
			require.NotEqual(t, http.MethodDelete, c.Method, answer)
		}
	}
}

func TestAPageWithMoreThanWasAskedForIsRefused(t *testing.T) {
	k := start(t, nil)
	require.NoError(t, k.Emulator.Inject(kit.Match{}, kit.Fault{Status: 200, Body: json.RawMessage(`{"items":[{"data":{"id":1}},{"data":{"id":2}}]}`)}, 1))
	_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 1})
	providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
}
