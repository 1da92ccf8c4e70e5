package main

import (
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/plugins/planhat/emulator"
	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	kit "github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

const (
	unknownID = "64b0c1d2e3f40516273fffff"
	listed    = 38 // contacts in the seed of 30: those and the 8 awkward ones that are not archived
)

func start(t *testing.T, switches map[string]string) *providertest.Kit {
	return providertest.Start(t, provider, emulator.Definition, "api_token", switches)
}

// anyID is the id of a contact that the emulator has.
func anyID(t *testing.T, k *providertest.Kit) string {
	t.Helper()
	page, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 1})
	require.NoError(t, err)
	require.Len(t, page.Records, 1)
	k.Emulator.ForgetCalls()
	return *page.Records[0].ID
}

func unify(t *testing.T, record string) crm.Contact {
	t.Helper()
	c, ok := contactIn(json.RawMessage(record))
	require.True(t, ok, record)
	return c.unified(json.RawMessage(record))
}

// answer arms the emulator with a 200 and a JSON body.
func answer(t *testing.T, k *providertest.Kit, body string) {
	t.Helper()
	fault := kit.Fault{Status: http.StatusOK, Body: json.RawMessage(body), Headers: map[string]string{"Content-Type": "application/json; charset=utf-8"}}
	require.NoError(t, k.Emulator.Inject(kit.Match{}, fault, 1))
}

func TestMapping(t *testing.T) {
	cases := []struct{ name, record, want string }{
		{
			"a record with nothing but an id",
			`{"_id":"64b0c1d2e3f405162738495a"}`,
			`{"id":"64b0c1d2e3f405162738495a"}`,
		},
		{
			"nulls and blanks are as good as absent",
			`{"_id":"a","firstName":null,"lastName":" ","name":"","position":null,"companyId":null,"companyName":"","email":"","otherEmails":null,"phone":" ","tags":null,"custom":null,"lastActive":null,"createDate":null,"createdAt":null,"updatedAt":""}`,
			`{"id":"a"}`,
		},
		{
			"values of the wrong type do not fail the record",
			`{"_id":"a","firstName":5,"lastName":{"x":1},"email":["x"],"otherEmails":"y","phone":353.10,"companyId":{"_id":"c"},"tags":"vip","custom":[],"createDate":true,"updatedAt":[],"archived":"no"}`,
			`{"id":"a","first_name":"5","name":"5","phone_numbers":[{"number":"353.10"}]}`,
		},
		{
			"odd elements of lists are left out",
			`{"_id":"a","otherEmails":[null,"",{"email":"x"},"b@example.com"],"tags":["VIP",null,[],7," "]}`,
			`{"id":"a","email_addresses":[{"email":"b@example.com"}],"tags":[{"name":"VIP"},{"name":"7"}]}`,
		},
		{
			"the main e-mail comes before the others, without types",
			`{"_id":"a","otherEmails":["z@example.org","b@example.org"],"email":"n@example.com"}`,
			`{"id":"a","email_addresses":[{"email":"n@example.com"},{"email":"z@example.org"},{"email":"b@example.org"}]}`,
		},
		{
			"the name comes from its parts when the vendor gives none",
			`{"_id":"a","firstName":"Nora","lastName":"Quill"}`,
			`{"id":"a","first_name":"Nora","last_name":"Quill","name":"Nora Quill"}`,
		},
		{
			"a name without its parts is not taken apart",
			`{"_id":"a","name":"Nora Quill"}`,
			`{"id":"a","name":"Nora Quill"}`,
		},
		{
			"a company of which only the name is there",
			`{"_id":"a","companyName":"Harbour Ltd"}`,
			`{"id":"a","account":{"name":"Harbour Ltd"}}`,
		},
		{
			"an owner in the record is not the contact's",
			`{"_id":"a","owner":"64b0c1d2e3f4051627390001","ownerId":"64b0c1d2e3f4051627390001"}`,
			`{"id":"a"}`,
		},
		{
			"createDate goes before createdAt, and updatedAt before lastUpdated",
			`{"_id":"a","createdAt":"2026-01-20T11:42:02.565Z","createDate":"2026-01-19T11:42:02.562Z","lastUpdated":"2026-01-21T00:00:00Z","updatedAt":"2026-02-11T10:00:00+01:00"}`,
			`{"id":"a","created_at":"2026-01-19T11:42:02.562Z","updated_at":"2026-02-11T09:00:00Z"}`,
		},
		{
			"a date that is none gives way to the next",
			`{"_id":"a","createDate":"soon","createdAt":"2026-01-20T11:42:02.565Z","updatedAt":20500,"lastUpdated":"2026-01-21T00:00:00.000Z"}`,
			`{"id":"a","created_at":"2026-01-20T11:42:02.565Z","updated_at":"2026-01-21T00:00:00Z"}`,
		},
		{
			"the last activity is text; a number has no known unit",
			`{"_id":"a","lastActive":1769000000000}`,
			`{"id":"a"}`,
		},
		{
			"the last activity where it is there",
			`{"_id":"a","lastActive":"2026-02-10T08:00:00.000Z"}`,
			`{"id":"a","last_activity_at":"2026-02-10T08:00:00Z"}`,
		},
		{
			"custom fields keep odd names, digits and order",
			`{"_id":"a","custom":{"Z €.[x]":1.50,"":null,"A":12345678901234567890123,"list":["b","a"]}}`,
			`{"id":"a","custom_fields":{"Z €.[x]":1.50,"":null,"A":12345678901234567890123,"list":["b","a"]}}`,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			contact := unify(t, c.record)
			assert.Equal(t, c.record, string(contact.RemoteData), "remote_data is the record as it came")
			if contact.CustomFields != nil {
				assert.Contains(t, c.record, string(contact.CustomFields), "custom_fields are cut from the record")
			}
			contact.RemoteData = nil
			assert.JSONEq(t, c.want, string(providertest.JSON(t, &contact)))
		})
	}
}

func TestWhatIsNotARecordIsNoContact(t *testing.T) {
	for _, record := range []string{``, `null`, `5`, `"a"`, `[]`, `{}`, `{"_id":null}`, `{"_id":" "}`, `{"_id":{"$oid":"64b0c1d2e3f405162738495a"}}`, `{"_id":"a"`} {
		_, ok := contactIn(json.RawMessage(record))
		assert.False(t, ok, record)
	}
}

func TestGetKeepsTheRecordVerbatim(t *testing.T) {
	const record = `{"_id":"64b0c1d2e3f405162738495a",  "nps" : 9.10, "usage":{"b":1e3,"a":12345678901234567890},"custom":{ "b":"1","a":"\u00e9" }}`
	k := start(t, nil)
	answer(t, k, record)
	contact, err := getContact(providertest.Context(t), k.Call(t), "64b0c1d2e3f405162738495a")
	require.NoError(t, err)
	assert.Equal(t, record, string(contact.RemoteData))
	assert.Equal(t, `{ "b":"1","a":"\u00e9" }`, string(contact.CustomFields))
}

func TestGetOfSomethingElseThanAContactIsUnexpected(t *testing.T) {
	k := start(t, nil)
	for _, body := range []string{`[]`, `[{"_id":"64b0c1d2e3f405162738495a"}]`, `{}`, `null`, `"text"`, `{"message":"try again"}`} {
		answer(t, k, body)
		_, err := getContact(providertest.Context(t), k.Call(t), "64b0c1d2e3f405162738495a")
		e := providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
		require.NotNil(t, e.Vendor)
	}
}

func TestAwkwardRecordsAreRead(t *testing.T) {
	k := start(t, map[string]string{"last_active": "present"})
	fetch := func(id string) *crm.Contact {
		contact, err := getContact(providertest.Context(t), k.Call(t), id)
		require.NoError(t, err)
		assert.Equal(t, id, *contact.ID)
		return contact
	}
	assert.Nil(t, fetch("7f000000e3f40516273b0004").Account, "no company")
	assert.NotNil(t, fetch("7f000000e3f40516273b0005").Account, "a company that is gone")
	old := fetch("7f000000e3f40516273b0006")
	assert.NotNil(t, old.Name)
	assert.Nil(t, old.FirstName)
	assert.NotNil(t, fetch("7f000000e3f40516273b0008").CreatedAt, "createdAt alone")
	var record struct {
		Custom json.RawMessage `json:"custom"`
	}
	custom := fetch("7f000000e3f40516273b0009")
	require.NoError(t, json.Unmarshal(custom.RemoteData, &record))
	assert.Equal(t, string(record.Custom), string(custom.CustomFields))
	assert.NotNil(t, fetch(anyID(t, k)).LastActivityAt)
}

func TestArchivedContactsAreInNoListButCanBeReadAndDeleted(t *testing.T) {
	const archived = "7f000000e3f40516273b0001"
	k := start(t, nil)
	for _, c := range k.List(t, 100) {
		assert.NotEqual(t, archived, *c.ID)
	}
	_, err := getContact(providertest.Context(t), k.Call(t), archived)
	require.NoError(t, err)
	_, err = deleteContact(providertest.Context(t), k.Call(t), archived)
	require.NoError(t, err)
}

func TestIDsAreObjectIDsAlone(t *testing.T) {
	pattern := regexp.MustCompile(`\A(?:` + provider.Contacts.IDPattern + `)\z`)
	for _, id := range []string{"64b0c1d2e3f405162738495a", "64B0C1D2E3F405162738495A"} {
		assert.True(t, pattern.MatchString(id), id)
	}
	for _, id := range []string{"", "extid-u-77", "srcid-003XX0000001", "not-an-id", "64b0c1d2e3f405162738495", "64b0c1d2e3f405162738495a0", "64b0c1d2e3f405162738495g", "twelve chars", "64b0c1d2e3f405162738495a\n", "64b0c1d2e3f4/5162738495a", " 64b0c1d2e3f405162738495a"} {
		assert.False(t, pattern.MatchString(id), "%q", id)
	}
}

func TestABlankIDNeverReachesTheCollection(t *testing.T) {
	k := start(t, nil)
	for _, id := range []string{"", ".", ".."} {
		_, err := deleteContact(providertest.Context(t), k.Call(t), id)
		require.Error(t, err)
		_, err = getContact(providertest.Context(t), k.Call(t), id)
		require.Error(t, err)
	}
	assert.Empty(t, k.Emulator.Calls())
}

func TestListGivesEveryContactOnceWhateverThePageSize(t *testing.T) {
	for name, switches := range map[string]map[string]string{
		"as documented":                    nil,
		"no order of its own":              {"default_order": "unstable"},
		"newest first by default":          {"default_order": "newest"},
		"pages shorter than the limit":     {"limit_cap": "7"},
		"pages shorter and no order":       {"limit_cap": "4", "default_order": "unstable"},
		"records of only an id and a name": {"list_fields": "id_and_name"},
		"fields without a value are there": {"null_write": "null"},
		"no headers of limits":             {"rate_limit_headers": "off"},
		"unknown parameters are refused":   {"unknown_query": "400", "bad_paging": "400"},
	} {
		t.Run(name, func(t *testing.T) {
			k := start(t, switches)
			for _, size := range []int{1, 7, listed, 100, 1000} {
				ids := map[string]bool{}
				for _, c := range k.List(t, size) {
					assert.False(t, ids[*c.ID], "%s came twice with pages of %d", *c.ID, size)
					ids[*c.ID] = true
				}
				assert.Len(t, ids, listed, "with pages of %d", size)
			}
		})
	}
}

func TestAShortPageIsNotTheEnd(t *testing.T) {
	k := start(t, map[string]string{"limit_cap": "7"})
	page, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 100})
	require.NoError(t, err)
	assert.Len(t, page.Records, 7)
	last := *page.Records[6].ID
	assert.Equal(t, sdk.EncodeToken(position{Offset: 6, Key: last, ID: last, Given: 1}), page.Next, "the next page begins after the records received")
}

func TestAnEmptyPageIsTheEnd(t *testing.T) {
	k := start(t, nil)
	page, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 100, PageToken: sdk.EncodeToken(position{Offset: listed})})
	require.NoError(t, err)
	assert.Empty(t, page.Records)
	assert.Empty(t, page.Next)
}

func TestNoPageHoldsMoreThanWasAskedFor(t *testing.T) {
	k := start(t, nil)
	answer(t, k, `[{"_id":"a"},{"_id":"b"},{"_id":"c"}]`)
	page, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 2})
	require.NoError(t, err)
	assert.Len(t, page.Records, 2)
	last := *page.Records[1].ID
	assert.Equal(t, sdk.EncodeToken(position{Offset: 1, Key: last, ID: last, Given: 1}), page.Next, "the third one is not lost")
}

func TestAPageCostsOneCallWithAnOrder(t *testing.T) {
	k := start(t, nil)
	_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 100})
	require.NoError(t, err)
	calls := k.Emulator.Calls()
	require.Len(t, calls, 1)
	assert.Equal(t, "GET /endusers?sort=_id&limit=100&offset=0", calls[0].Method+" "+calls[0].Path+"?"+calls[0].Query)
}

func TestRemoteQueryReachesTheVendorButNotThePaging(t *testing.T) {
	k := start(t, nil)
	_, err := listContacts(providertest.Context(t), k.Call(t, vendorhttp.Param{Name: "select", Value: "email"}, vendorhttp.Param{Name: "companyId", Value: "64b0c1d2e3f4051627380001,64b0c1d2e3f4051627380002"}), sdk.ListQuery{PageSize: 5})
	require.NoError(t, err)
	query := k.Emulator.Calls()[0].Query
	assert.Contains(t, query, "select=email")
	assert.Contains(t, query, "companyId=64b0c1d2e3f4051627380001,64b0c1d2e3f4051627380002")
	for _, name := range []string{"limit", "offset", "Offset", "sort"} {
		_, err := listContacts(providertest.Context(t), k.Call(t, vendorhttp.Param{Name: name, Value: "1"}), sdk.ListQuery{PageSize: 5})
		providertest.RequireReason(t, err, errs.InvalidParameter)
	}
}

func TestHostilePageTokensAreRefused(t *testing.T) {
	k := start(t, nil)
	for _, token := range []string{"%%%", "e30x", sdk.EncodeToken("x"), sdk.EncodeToken([]int{1}), sdk.EncodeToken(position{Offset: -1}), sdk.EncodeToken(map[string]any{"offset": "5"}), sdk.EncodeToken(map[string]any{"offset": 1e30}), sdk.EncodeToken(map[string]any{"page": 2}), sdk.EncodeToken(position{Offset: 1, Given: -1, ID: "a"}), sdk.EncodeToken(position{Given: 1}), sdk.EncodeToken(position{ID: "a", Given: 1 << 62}), sdk.EncodeToken(position{ID: "a"})} {
		_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5, PageToken: token})
		providertest.RequireReason(t, err, errs.InvalidParameter)
	}
	assert.Empty(t, k.Emulator.Calls())
}

func TestAListThatIsNoArrayOrHoldsNoContactFailsWhole(t *testing.T) {
	k := start(t, nil)
	for _, body := range []string{`{"message":"try again"}`, `{}`, `null`, `"text"`, `5`, `[null]`, `[5]`, `[[]]`, `[{}]`, `[{"_id":"a"},{"name":"no id"}]`} {
		answer(t, k, body)
		_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5})
		e := providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
		require.NotNil(t, e.Vendor, "the vendor's answer is attached")
	}
	for _, fault := range []kit.Fault{{Status: 200}, {Status: 204}, {Status: 200, Body: json.RawMessage(`"<html></html>"`), Headers: map[string]string{"Content-Type": "text/html"}}} {
		require.NoError(t, k.Emulator.Inject(kit.Match{}, fault, 1))
		_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5})
		providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
	}
}

func TestListItemsAreKeptVerbatim(t *testing.T) {
	k := start(t, nil)
	answer(t, k, `[ {"_id":"a" , "x":1.0} ,{"z":[ ],"_id":"b","n":12345678901234567890}]`)
	page, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5})
	require.NoError(t, err)
	assert.Equal(t, `{"_id":"a" , "x":1.0}`, string(page.Records[0].RemoteData))
	assert.Equal(t, `{"z":[ ],"_id":"b","n":12345678901234567890}`, string(page.Records[1].RemoteData))
}

func TestEveryFieldOfTheMappingIsAdvertised(t *testing.T) {
	full := unify(t, `{"_id":"a","firstName":"b","lastName":"c","name":"d","position":"e","companyId":"f","companyName":"g","email":"h","otherEmails":["i"],"phone":"j","tags":["k"],"custom":{},"lastActive":"2026-01-20T11:42:02Z","createDate":"2026-01-20T11:42:02Z","updatedAt":"2026-01-20T11:42:02Z"}`)
	var fields map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(providertest.JSON(t, &full), &fields))
	advertised := map[string]bool{}
	for _, path := range contactFields {
		name, _, _ := strings.Cut(path, ".")
		advertised[name] = true
	}
	for name := range fields {
		assert.True(t, advertised[name], name)
	}
	assert.Len(t, advertised, len(fields), "and nothing else is")
}

func TestTheReadmeNamesEveryField(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, path := range contactFields {
		if path == "account" {
			path = "account.id"
		}
		assert.Contains(t, string(readme), "`"+path+"`")
	}
}
