package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk"
	kit "github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
	"github.com/unicrm/unicrm/sdk/vendorhttp"

	"github.com/unicrm/unicrm/host/internal/scaffold/acme/emulator"
)

// Two kinds of tests: the adapter against the emulator, which has a state, and
// against documented exchanges, which are the vendor's own words.

const (
	seeded    = 31 // the seed of 30 and the sparse one
	unknownID = "5"
)

func start(t *testing.T, switches map[string]string) *providertest.Kit {
	return providertest.Start(t, provider, emulator.Definition, "api_key", switches)
}

// documented gives a call to the vendor of the named exchanges.
func documented(t *testing.T, names ...string) *sdk.Call {
	call, _ := providertest.Vendor(t, provider, "api_key", `{"api_key":"sample-key-0123456789"}`, "testdata/exchanges", names...)
	return call
}

// anyID is the id of a contact that the emulator has.
func anyID(t *testing.T, k *providertest.Kit) string {
	t.Helper()
	page, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 1})
	require.NoError(t, err)
	k.Emulator.ForgetCalls()
	return *page.Records[0].ID
}

// answer makes the emulator answer the next call with 200 and a JSON body.
func answer(t *testing.T, k *providertest.Kit, body string) {
	t.Helper()
	require.NoError(t, k.Emulator.Inject(kit.Match{}, kit.Fault{Status: http.StatusOK, Body: json.RawMessage(body)}, 1))
}

// `go test -update` rewrites the golden file: read the difference.
func TestADocumentedPersonBecomesThisContact(t *testing.T) {
	contact, err := getContact(providertest.Context(t), documented(t, "get-person"), "70000000077")
	require.NoError(t, err)
	providertest.Golden(t, "contact.json", providertest.JSON(t, contact))
}

func TestDocumentedAnswersAreUnderstood(t *testing.T) {
	page, err := listContacts(providertest.Context(t), documented(t, "list-people"), sdk.ListQuery{PageSize: 2})
	require.NoError(t, err)
	require.Len(t, page.Records, 2)
	assert.Equal(t, "Okafor", *page.Records[1].Name)
	assert.NotEmpty(t, page.Next)
	byEmail := sdk.Filters{{Field: "email_addresses.email", Operator: sdk.Equal, Value: "contact1@example.com"}}
	page, err = listContacts(providertest.Context(t), documented(t, "list-people-by-email"), sdk.ListQuery{PageSize: 2, Filters: byEmail})
	require.NoError(t, err)
	assert.Len(t, page.Records, 1)
	assert.Empty(t, page.Next)
	for name, remoteData := range map[string]bool{"delete-person": false, "delete-person-record": true} {
		deleted, err := deleteContact(providertest.Context(t), documented(t, name), "70000000077")
		require.NoError(t, err)
		assert.Equal(t, remoteData, deleted.RemoteData != nil, name)
	}
	_, err = getContact(providertest.Context(t), documented(t, "get-person-unknown"), unknownID)
	providertest.RequireReason(t, err, errs.RecordNotFound)
	_, err = deleteContact(providertest.Context(t), documented(t, "delete-person-unknown"), unknownID)
	providertest.RequireReason(t, err, errs.RecordNotFound)
}

func TestFieldsWithoutAValueAreAbsentAndDigitsAreKept(t *testing.T) {
	const record = `{"id":9007199254740993,"first_name":null,"last_name":" ","email":"","phone":353.10,"company":["x"],"created_at":"soon"}`
	p, ok := personIn(json.RawMessage(record))
	require.True(t, ok)
	contact := p.unified(json.RawMessage(record))
	assert.Equal(t, record, string(contact.RemoteData), "remote_data is the record as it came")
	contact.RemoteData = nil
	assert.JSONEq(t, `{"id":"9007199254740993","phone_numbers":[{"number":"353.10"}]}`, string(providertest.JSON(t, &contact)))
}

func TestEveryFieldOfTheMappingIsAdvertised(t *testing.T) {
	contact, err := getContact(providertest.Context(t), documented(t, "get-person"), "70000000077")
	require.NoError(t, err)
	var filled map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(providertest.JSON(t, contact), &filled))
	advertised := map[string]bool{}
	for _, path := range contactFields {
		name, _, _ := strings.Cut(path, ".")
		advertised[name] = true
		assert.True(t, filled[name] != nil, "%s is advertised, and a full record does not fill it", path)
	}
	for name := range filled {
		assert.True(t, advertised[name], "a full record fills %s, and it is not advertised", name)
	}
}

func TestAListGivesEveryContactOnceWhateverThePageSize(t *testing.T) {
	k := start(t, nil)
	for _, size := range []int{1, 7, seeded, 100} {
		ids := map[string]bool{}
		for _, contact := range k.List(t, size) {
			assert.False(t, ids[*contact.ID], "%s came twice with pages of %d", *contact.ID, size)
			ids[*contact.ID] = true
		}
		assert.Len(t, ids, seeded, "with pages of %d", size)
	}
}

func TestADeleteBetweenPagesLosesNobody(t *testing.T) {
	k := start(t, nil)
	first, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 10})
	require.NoError(t, err)
	_, err = deleteContact(providertest.Context(t), k.Call(t), *first.Records[0].ID)
	require.NoError(t, err)
	rest, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 100, PageToken: first.Next})
	require.NoError(t, err)
	assert.Len(t, rest.Records, seeded-10)
}

func TestPageTokensOfOthersAreRefused(t *testing.T) {
	k := start(t, nil)
	for _, token := range []string{"%%%", "e30x", sdk.EncodeToken("x"), sdk.EncodeToken(position{}), sdk.EncodeToken(map[string]any{"page": 2})} {
		_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5, PageToken: token})
		providertest.RequireReason(t, err, errs.InvalidParameter)
	}
	assert.Empty(t, k.Emulator.Calls(), "the vendor is not asked")
}

func TestRemoteQueryReachesTheVendorButNotThePaging(t *testing.T) {
	k := start(t, nil)
	_, err := listContacts(providertest.Context(t), k.Call(t, vendorhttp.Param{Name: "company", Value: "Harbour Works"}), sdk.ListQuery{PageSize: 5})
	require.NoError(t, err)
	assert.Equal(t, "limit=5&company=Harbour%20Works", k.Emulator.Calls()[0].Query)
	for _, name := range []string{"limit", "cursor", "email"} {
		_, err := listContacts(providertest.Context(t), k.Call(t, vendorhttp.Param{Name: name, Value: "1"}), sdk.ListQuery{PageSize: 5})
		providertest.RequireReason(t, err, errs.InvalidParameter)
	}
}

func TestADeleteIsOneCallAndASecondOneIsNotFound(t *testing.T) {
	for switched, sent := range map[string]bool{"empty": false, "record": true} {
		k := start(t, map[string]string{"delete_answer": switched})
		id := anyID(t, k)
		deleted, err := deleteContact(providertest.Context(t), k.Call(t), id)
		require.NoError(t, err)
		assert.Equal(t, sent, deleted.RemoteData != nil, "remote_data is what the vendor sent")
		require.Len(t, k.Emulator.Calls(), 1)
		for _, gone := range []string{id, unknownID} {
			_, err = deleteContact(providertest.Context(t), k.Call(t), gone)
			providertest.RequireReason(t, err, errs.RecordNotFound)
			_, err = getContact(providertest.Context(t), k.Call(t), gone)
			providertest.RequireReason(t, err, errs.RecordNotFound)
		}
	}
}

func TestARefusedKeyIsTheAccountsFault(t *testing.T) {
	k := start(t, nil)
	require.NoError(t, checkConnection(providertest.Context(t), k.Call(t)))
	err := checkConnection(providertest.Context(t), k.CallWith(t, map[string]any{"api_key": "wrong-key-0123456789"}))
	e := providertest.RequireReason(t, err, errs.VendorUnauthenticated)
	assert.NotContains(t, e.Error(), "wrong-key-0123456789")
}

func TestErrorsOfTheVendorHaveTheirReasons(t *testing.T) {
	page := json.RawMessage(`"<html><h1>Oops</h1></html>"`)
	for status, reason := range map[int]errs.Reason{
		400: errs.VendorRejected,
		401: errs.VendorUnauthenticated,
		403: errs.VendorForbidden,
		404: errs.RecordNotFound,
		429: errs.VendorRateLimited,
		500: errs.VendorUnavailable,
		503: errs.VendorUnavailable,
	} {
		k := start(t, nil)
		fault := kit.Fault{Status: status, Body: page, Headers: map[string]string{"Content-Type": "text/html", "Retry-After": "3600"}}
		require.NoError(t, k.Emulator.Inject(kit.Match{}, fault, -1))
		_, err := getContact(providertest.Context(t), k.Call(t), unknownID)
		e := providertest.RequireReason(t, err, reason)
		assert.NotContains(t, e.Message, "<", "a message is never HTML")
		require.NotNil(t, e.Vendor, "the vendor's answer is attached")
		assert.Len(t, k.Emulator.Calls(), 1, "a wait beyond the call's time is not begun")
	}
}

func TestAnAnswerOfAnotherShapeIsAnErrorAndNeverAShorterList(t *testing.T) {
	k := start(t, nil)
	shapes := []string{`{}`, `null`, `[]`, `"text"`, `{"people":null}`, `{"people":{}}`, `{"people":[null]}`, `{"people":[{}]}`, `{"people":[{"id":1},{"name":"no id"}]}`}
	for _, body := range slices.Concat(shapes, []string{`{"people":[{"id":1},{"id":2},{"id":3}]}`}) {
		answer(t, k, body)
		_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 2})
		providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
	}
	for _, body := range shapes {
		answer(t, k, body)
		_, err := getContact(providertest.Context(t), k.Call(t), unknownID)
		providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
		answer(t, k, body)
		providertest.RequireReason(t, checkConnection(providertest.Context(t), k.Call(t)), errs.UnexpectedVendorAnswer)
	}
}
