package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/plugins/pipeliner/emulator"
	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	kit "github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

// Contacts of the emulator's seed; its README names them.
const (
	plain       = "01900000-0328-fe7a-769f-715e471bd25f"
	protected   = "01f00000-c2a5-1382-e65c-8ba419625bef"
	archived    = "01f00001-319a-207a-5db1-0c2a7c0a24d3"
	deletedOne  = "01f00002-eb45-2853-4529-c648042783c7"
	fiveSlots   = "01f00003-f3eb-12c0-d3a6-0af2eaee7085"
	orphaned    = "01f00004-5c10-3a4e-8d1e-4b8cf0ef8e35"
	goneAccount = "01f00005-a92a-ac36-448b-9d80f62c9dab"
	unknown     = "ffffffff-0000-4000-8000-00000000dead"

	visible = 36 // 30 plain ones and 7 awkward ones, of which one is deleted

	collection = "/api/v100/rest/spaces/em_Demo/entities/Contacts"
	root       = "https://eu-central.api.pipelinersales.com/api/v100/rest/spaces/xx_Demo/entities/"
	someID     = "01a2b3c4-1111-4222-8333-0123456789ab"
	tagID      = "0d1d2e3f-0001-4fff-9109-843e45e9609c"
)

func start(t testing.TB, switches map[string]string) *providertest.Kit {
	return providertest.Start(t, provider, emulator.Definition, "api_key", switches)
}

// do makes one call and tells how it ended.
func do(t testing.TB, call *sdk.Call, method string) (err error) {
	t.Helper()
	ctx := providertest.Context(t)
	switch method {
	case "list":
		_, err = listContacts(ctx, call, sdk.ListQuery{PageSize: 5})
	case "get":
		_, err = getContact(ctx, call, plain)
	case "delete":
		_, err = deleteContact(ctx, call, plain)
	default:
		err = checkConnection(ctx, call)
	}
	return err
}

// answer makes the vendor answer a body, once.
func answer(t testing.TB, k *providertest.Kit, status int, body string) {
	t.Helper()
	raw := json.RawMessage(body)
	if !json.Valid(raw) {
		quoted, err := json.Marshal(body)
		require.NoError(t, err)
		raw = quoted
	}
	require.NoError(t, k.Emulator.Inject(kit.Match{}, kit.Fault{Status: status, Body: raw, Headers: map[string]string{"Content-Type": "application/json"}}, 1))
}

func unify(t *testing.T, record string) crm.Contact {
	t.Helper()
	from := envelope{Data: json.RawMessage(record)}
	c, err := from.contact()
	require.NoError(t, err)
	return c.unified()
}

func TestMapping(t *testing.T) {
	id := `"id":"` + someID + `"`
	cases := []struct{ name, record, want string }{
		{
			"a record with nothing but an id",
			`{` + id + `}`,
			`{` + id + `}`,
		},
		{
			"nulls and blanks are as good as absent",
			`{` + id + `,"first_name":null,"last_name":" ","formatted_name":"","account_position":null,"position":"","owner":null,"owner_id":null,
			  "primary_account":null,"account_relations":null,"quick_account_name":"","address":"","city":null,"email1":"","phone1":null,"tags":null,
			  "created":null,"modified":"","revision":null}`,
			`{` + id + `}`,
		},
		{
			"values of the wrong type do not fail the record",
			`{` + id + `,"first_name":5,"last_name":{"a":1},"email1":["x"],"tags":"vip","owner":7,"owner_id":[],"primary_account":false,
			  "account_relations":{"is_primary":true},"address":{},"created":"yesterday","modified":12,"revision":"r7"}`,
			`{` + id + `,"first_name":"5","name":"5","etag":"r7"}`,
		},
		{
			"hostile relations",
			`{` + id + `,"primary_account":"https://evil.test/..","owner":"%zz","account_relations":[null,7,"x",{"is_primary":true,"account":"/"},[]],
			  "tags":[null,7,"","https://evil.test/Tags/../..",{},{"tag":null},{"tag":7},{"tag":{"id":{}}},[]]}`,
			`{` + id + `}`,
		},
		{
			"the slots keep their order and gaps close",
			`{` + id + `,"email1":null,"email2":"b@example.com","email3":"","email4":"a@example.com","email5":"c@example.com",
			  "phone1":"+353 1 555 0100","phone3":"front desk","phone5":"+353 1 555 0105"}`,
			`{` + id + `,"email_addresses":[{"email":"b@example.com"},{"email":"a@example.com"},{"email":"c@example.com"}],
			  "phone_numbers":[{"number":"+353 1 555 0100"},{"number":"front desk"},{"number":"+353 1 555 0105"}]}`,
		},
		{
			"one address, its street in as many lines as it has",
			`{` + id + `,"address":"4 Quay Rd\nFloor 2","city":"Cork","state_province":"Munster","zip_code":"T12 AB34","country":"Ireland"}`,
			`{` + id + `,"addresses":[{"street_1":"4 Quay Rd\nFloor 2","city":"Cork","state":"Munster","postal_code":"T12 AB34","country":"Ireland"}]}`,
		},
		{
			"the name comes from its parts when the vendor gives none",
			`{` + id + `,"first_name":"Ada","middle_name":"X","last_name":"Quill","title":"Dr."}`,
			`{` + id + `,"first_name":"Ada","last_name":"Quill","name":"Ada Quill"}`,
		},
		{
			"the vendor's name has the salutation",
			`{` + id + `,"first_name":"Nora","last_name":"Quill","title":"Ms.","formatted_name":"Ms. Nora Quill"}`,
			`{` + id + `,"first_name":"Nora","last_name":"Quill","name":"Ms. Nora Quill"}`,
		},
		{
			"relations as URIs leave the ids",
			`{` + id + `,"owner":"` + root + `Clients/00000000-0000-0000-0000-00000000abcd","primary_account":"` + root + `Accounts/` + someID + `"}`,
			`{` + id + `,"owner":{"id":"00000000-0000-0000-0000-00000000abcd"},"account":{"id":"` + someID + `"}}`,
		},
		{
			"an owner_id goes before the owner",
			`{` + id + `,"owner_id":"o1","owner":"` + root + `Clients/` + someID + `"}`,
			`{` + id + `,"owner":{"id":"o1"}}`,
		},
		{
			"an expanded owner",
			`{` + id + `,"owner":{"id":"o2","name":"x"}}`,
			`{` + id + `,"owner":{"id":"o2"}}`,
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

func TestJobTitleIsAPositionAndNeverTheSalutation(t *testing.T) {
	cases := []struct{ fields, want string }{
		{`"title":"Ms.","account_position":"Head of Buying","position":"Buyer"`, "Head of Buying"},
		{`"title":"Ms.","account_position":null,"position":"Buyer"`, "Buyer"},
		{`"title":"Ms.","account_position":" ","position":"Buyer"`, "Buyer"},
		{`"title":"Ms."`, ""},
		{`"title":"Ms.","primary_account_position":"read-only"`, ""},
	}
	for _, c := range cases {
		contact := unify(t, `{"id":"`+someID+`",`+c.fields+`}`)
		if c.want == "" {
			assert.Nil(t, contact.Title, c.fields)
			continue
		}
		require.NotNil(t, contact.Title, c.fields)
		assert.Equal(t, c.want, *contact.Title, c.fields)
	}
}

func TestTimesHaveASpaceMicrosecondsOrNoZone(t *testing.T) {
	for given, want := range map[string]string{
		"2019-02-01 07:41:49.529970+00:00": "2019-02-01T07:41:49.52997Z",
		"2019-02-01 07:41:49+00:00":        "2019-02-01T07:41:49Z",
		"2019-02-01 09:41:49.5+02:00":      "2019-02-01T07:41:49.5Z",
		"2019-02-01 07:41:49Z":             "2019-02-01T07:41:49Z",
		"2019-02-01T07:41:49.529970+00:00": "2019-02-01T07:41:49.52997Z",
		"2019-01-01T00:00:00":              "2019-01-01T00:00:00Z",
		"2019-01-01 00:00:00":              "2019-01-01T00:00:00Z",
		"2019-01-01 00:00:00.000001":       "2019-01-01T00:00:00.000001Z",
		"0000-00-00 00:00:00":              "",
		"2019-02-30 00:00:00":              "",
		"soon":                             "",
		"":                                 "",
	} {
		contact := unify(t, `{"id":"`+someID+`","created":`+strconv.Quote(given)+`,"modified":`+strconv.Quote(given)+`}`)
		if want == "" {
			assert.Nil(t, contact.CreatedAt, given)
			assert.Nil(t, contact.UpdatedAt, given)
			continue
		}
		require.NotNil(t, contact.CreatedAt, given)
		assert.Equal(t, want, contact.CreatedAt.Format("2006-01-02T15:04:05.999999999Z07:00"), given)
		assert.Equal(t, contact.CreatedAt, contact.UpdatedAt)
	}
}

func TestETagIsTheRevisionToTheDigit(t *testing.T) {
	contact := unify(t, `{"id":"`+someID+`","revision":9007199254740993}`)
	assert.Equal(t, "9007199254740993", *contact.ETag)
}

func TestAccounts(t *testing.T) {
	account := func(id, name string) *crm.AccountReference {
		return &crm.AccountReference{ID: crm.Text(id), Name: crm.Text(name)}
	}
	expandedAccount := `"primary_account":{"Name":"custom","name":"Quill Ltd","id":"` + someID + `","ID":"custom"}`
	cases := []struct {
		name, fields string
		want         *crm.AccountReference
		unnamed      bool
	}{
		{"none", `"primary_account":null,"account_relations":[]`, nil, false},
		{"expanded", expandedAccount, account(someID, "Quill Ltd"), false},
		{"expanded without a name", `"primary_account":{"id":"a"},"quick_account_name":"Old"`, account("a", ""), false},
		{"a URI", `"primary_account":"` + root + `Accounts/` + someID + `"`, account(someID, ""), true},
		{"a URI with a slash and a query", `"primary_account":"` + root + `Accounts/` + someID + `/?x=1"`, account(someID, ""), true},
		{"a URI whose host lacks .api.", `"primary_account":"https://us-east.pipelinersales.com/api/v100/rest/spaces/x/entities/Accounts/` + someID + `"`, account(someID, ""), true},
		{"a bare id", `"primary_account":"` + someID + `"`, account(someID, ""), true},
		{"a linked account goes before the words", `"primary_account":"` + root + `Accounts/` + someID + `","quick_account_name":"Old"`, account(someID, ""), true},
		{"in words only", `"primary_account":null,"quick_account_name":"Quill & Sons"`, account("", "Quill & Sons"), false},
		{"by the primary relation", `"account_relations":["` + root + `ContactAccountRelations/` + tagID + `",{"is_primary":false,"account_id":"a"},{"is_primary":true,"account_id":"b"}]`, account("b", ""), false},
		{"by the primary relation, expanded", `"account_relations":[{"is_primary":true,"account_id":"b","account":{"id":"b","name":"B"}}]`, account("b", "B"), false},
		{"no primary relation", `"account_relations":[{"is_primary":false,"account_id":"a"}]`, nil, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			record := `{"id":"` + someID + `",` + c.fields + `}`
			assert.Equal(t, c.want, unify(t, record).Account)
			parsed, err := envelope{Data: json.RawMessage(record)}.contact()
			require.NoError(t, err)
			assert.Equal(t, c.unnamed, parsed.unnamed())
		})
	}
}

func TestTagsHaveTheIDOfTheTagNotOfTheRelation(t *testing.T) {
	tag := func(id, name string) []crm.Tag { return []crm.Tag{{ID: crm.Text(id), Name: crm.Text(name)}} }
	cases := []struct {
		name, tags string
		want       []crm.Tag
		unnamed    bool
	}{
		{"none", `[]`, nil, false},
		{"expanded twice", `[{"id":"relation","tag_id":"` + tagID + `","tag":{"id":"` + tagID + `","name":"vip"}}]`, tag(tagID, "vip"), false},
		{"expanded once", `[{"id":"relation","tag_id":"` + tagID + `","tag":"` + root + `Tags/` + tagID + `"}]`, tag(tagID, ""), true},
		{"expanded once, without tag_id", `[{"id":"relation","tag":"` + root + `Tags/` + tagID + `"}]`, tag(tagID, ""), true},
		{"expanded once, without tag", `[{"id":"relation","tag_id":"` + tagID + `"}]`, tag(tagID, ""), true},
		{"URIs of relations tell nothing of the tags", `["` + root + `TagRelations/` + someID + `"]`, nil, true},
		{"URIs of tags do", `["` + root + `Tags/` + tagID + `"]`, tag(tagID, ""), true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			record := `{"id":"` + someID + `","tags":` + c.tags + `}`
			assert.Equal(t, c.want, unify(t, record).Tags)
			parsed, err := envelope{Data: json.RawMessage(record)}.contact()
			require.NoError(t, err)
			assert.Equal(t, c.unnamed, parsed.unnamed())
		})
	}
}

func TestCustomFieldsAreTheUnknownKeysAsTheyCame(t *testing.T) {
	cases := []struct{ record, want string }{
		{`{"id":"` + someID + `","city":"Cork"}`, ``},
		{
			`{"z_last":1,"id":"` + someID + `","cf_score":12345678901234567890123,"city":"Cork","cf_discount":1.50,"cf_none":null,"a_first":[ 1, {"b":2} ]}`,
			`{"z_last":1,"cf_score":12345678901234567890123,"cf_discount":1.50,"cf_none":null,"a_first":[ 1, {"b":2} ]}`,
		},
		{
			"{ \"id\" : \"" + someID + "\" ,\n\t\"cf_a\" : \"x\" , \"caf\\u00e9 \\\"q\\\"\":\"\\u003cb\\u003e\\/\" }",
			`{"cf_a":"x","caf\u00e9 \"q\"":"\u003cb\u003e\/"}`,
		},
		{`{"id":"` + someID + `","":1,"a.b[c]":true}`, `{"":1,"a.b[c]":true}`},
	}
	for _, c := range cases {
		assert.Equal(t, c.want, string(unify(t, c.record).CustomFields))
	}
}

func TestACustomFieldThatDiffersInCaseOnlyIsNotTheVendors(t *testing.T) {
	contact := unify(t, `{"id":"`+someID+`","email1":"a@example.com","Email1":"b@example.com","ID":"x","FIRST_NAME":"y"}`)
	assert.Equal(t, someID, *contact.ID)
	assert.Nil(t, contact.FirstName)
	assert.Equal(t, "a@example.com", *contact.EmailAddresses[0].Email)
	assert.Equal(t, `{"Email1":"b@example.com","ID":"x","FIRST_NAME":"y"}`, string(contact.CustomFields))
}

func TestGetMapsEveryField(t *testing.T) {
	k := start(t, nil)
	contact, err := getContact(providertest.Context(t), k.Call(t), plain)
	require.NoError(t, err)
	golden := strings.ReplaceAll(string(providertest.JSON(t, contact)), k.Emulator.URL(), "http://emulator.test")
	providertest.Golden(t, "contact.json", []byte(golden))
}

func TestOnlyFieldsThatTheVendorHasArePromised(t *testing.T) {
	filled := map[string]bool{}
	k := start(t, nil)
	for _, c := range k.List(t, 100) {
		var fields map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(providertest.JSON(t, &c), &fields))
		for name := range fields {
			filled[name] = true
		}
	}
	promised := map[string]bool{}
	for _, path := range contactFields {
		name, _, _ := strings.Cut(path, ".")
		promised[name] = true
	}
	assert.Equal(t, filled, promised)
}

func TestRemoteDataIsTheRecordWithoutItsEnvelope(t *testing.T) {
	const record = `{"id" : "` + plain + `",  "revision": 1.0, "cf_x":"\u00e9\/", "first_name":"N"}`
	k := start(t, nil)
	require.NoError(t, k.Emulator.Inject(kit.Match{}, verbatim(`{"success":true,"data": `+record+` }`), 1))
	contact, err := getContact(providertest.Context(t), k.Call(t), plain)
	require.NoError(t, err)
	assert.Equal(t, record, string(contact.RemoteData))

	require.NoError(t, k.Emulator.Inject(kit.Match{}, verbatim(`{"success":true,"data":[ `+record+` ],"page_info":{"has_next_page":false}}`), 1))
	page, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5})
	require.NoError(t, err)
	assert.Equal(t, record, string(page.Records[0].RemoteData))
}

// verbatim sends a body byte for byte.
func verbatim(body string) kit.Fault {
	quoted, _ := json.Marshal(body)
	return kit.Fault{Status: 200, Body: quoted, Headers: map[string]string{"Content-Type": "application/json"}}
}

func TestGetCostsOneCallNamesIncluded(t *testing.T) {
	k := start(t, nil)
	call := k.Call(t)
	contact, err := getContact(providertest.Context(t), call, plain)
	require.NoError(t, err)
	require.NotNil(t, contact.Account)
	assert.NotNil(t, contact.Account.Name)
	require.NotEmpty(t, contact.Tags)
	assert.NotNil(t, contact.Tags[0].Name)
	assert.False(t, call.IsPartial())
	require.Len(t, k.Emulator.Calls(), 1)
	assert.Equal(t, "expand=primary_account,tags.tag", k.Emulator.Calls()[0].Query)
}

func TestAPageCostsOneCallNamesIncluded(t *testing.T) {
	k := start(t, nil)
	call := k.Call(t)
	_, err := listContacts(providertest.Context(t), call, sdk.ListQuery{PageSize: 100})
	require.NoError(t, err)
	assert.False(t, call.IsPartial())
	require.Len(t, k.Emulator.Calls(), 1)
	assert.Equal(t, "order-by=created&expand=primary_account,tags.tag&first=100", k.Emulator.Calls()[0].Query)
}

func TestRelationsThatStayURIsLeaveTheIDsAndSaySo(t *testing.T) {
	for _, host := range []string{"base", "bare"} {
		k := start(t, map[string]string{"uri_host": host})
		named, err := getContact(providertest.Context(t), k.Call(t), plain)
		require.NoError(t, err)
		for _, method := range []string{"get", "list"} {
			// Expanding something else has the vendor leave these as URIs.
			call := k.Call(t, vendorhttp.Param{Name: "expand", Value: "owner"})
			var contact *crm.Contact
			if method == "get" {
				contact, err = getContact(providertest.Context(t), call, plain)
				require.NoError(t, err)
			} else {
				page, err := listContacts(providertest.Context(t), call, sdk.ListQuery{PageSize: 100})
				require.NoError(t, err)
				for i := range page.Records {
					if *page.Records[i].ID == plain {
						contact = &page.Records[i]
					}
				}
			}
			require.NotNil(t, contact.Account)
			assert.Equal(t, named.Account.ID, contact.Account.ID)
			assert.Nil(t, contact.Account.Name)
			assert.Equal(t, named.Owner, contact.Owner)
			assert.Empty(t, contact.Tags, "the URI of a relation is not the id of a tag")
			assert.True(t, call.IsPartial(), "%s, uri_host=%s", method, host)
		}
	}
}

func TestAVendorThatRefusesExpandIsAskedWithoutIt(t *testing.T) {
	const refusal = `{"code":117,"name":"ERROR_PARAMETER_INVALID","message":"expand","http_status":400,"success":false}`
	for _, status := range []int{400, 200} {
		for _, method := range []string{"get", "list"} {
			k := start(t, nil)
			answer(t, k, status, refusal)
			call := k.Call(t)
			require.NoError(t, do(t, call, method))
			calls := k.Emulator.Calls()
			require.Len(t, calls, 2)
			assert.Contains(t, calls[0].Query, "expand=")
			assert.NotContains(t, calls[1].Query, "expand=")
			if method == "list" {
				assert.Equal(t, "order-by=created&first=5", calls[1].Query)
			} else {
				assert.True(t, call.IsPartial())
			}
		}
	}
	t.Run("once", func(t *testing.T) {
		k := start(t, nil)
		require.NoError(t, k.Emulator.Inject(kit.Match{}, kit.Fault{Status: 400, Body: json.RawMessage(refusal)}, -1))
		providertest.RequireReason(t, do(t, k.Call(t), "list"), errs.VendorRejected)
		assert.Len(t, k.Emulator.Calls(), 2)
	})
	t.Run("other refusals stand", func(t *testing.T) {
		k := start(t, nil)
		answer(t, k, 400, `{"message":"no"}`)
		providertest.RequireReason(t, do(t, k.Call(t), "get"), errs.VendorRejected)
		assert.Len(t, k.Emulator.Calls(), 1)
	})
}

func TestListGivesEveryContactOnceWhateverThePageSizeAndLastPage(t *testing.T) {
	for _, last := range []string{"with_cursor", "empty"} {
		k := start(t, map[string]string{"last_page": last})
		for _, size := range []int{1, 7, 12, 36, 100} {
			ids := map[string]bool{}
			for _, c := range k.List(t, size) {
				assert.False(t, ids[*c.ID], "%s came twice with pages of %d", *c.ID, size)
				ids[*c.ID] = true
			}
			assert.Len(t, ids, visible, "pages of %d, last_page=%s", size, last)
			assert.NotContains(t, ids, deletedOne)
		}
	}
}

func TestListOrderIsStableWhenRecordsChange(t *testing.T) {
	k := start(t, nil)
	page, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 20})
	require.NoError(t, err)
	_, err = deleteContact(providertest.Context(t), k.Call(t), *page.Records[19].ID) // the cursor's own record
	require.NoError(t, err)
	rest, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 100, PageToken: page.Next})
	require.NoError(t, err)
	assert.Len(t, rest.Records, visible-20)
	assert.Empty(t, rest.Next)
}

func TestBothFormsOfALastPageEndTheList(t *testing.T) {
	k := start(t, nil)
	record := `{"id":"` + plain + `"}`
	for _, body := range []string{
		`{"success":true,"total":40,"page_info":{"start_cursor":null,"end_cursor":null,"has_previous_page":false,"has_next_page":false},"data":[]}`,
		`{"success":true,"page_info":{"start_cursor":"a","end_cursor":"b","has_previous_page":true,"has_next_page":false},"data":[` + record + `]}`,
		`{"success":true,"page_info":{"end_cursor":"b","has_next_page":false},"data":[` + record + `,` + record + `]}`,
		`{"success":true,"page_info":{"end_cursor":null,"has_next_page":null},"data":[` + record + `]}`,
		`{"success":true,"page_info":{},"data":[]}`,
		`{"success":true,"page_info":null,"data":[` + record + `]}`,
		`{"success":true,"data":[` + record + `]}`,
		`{"data":[]}`,
	} {
		answer(t, k, 200, body)
		page, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 2})
		require.NoError(t, err, body)
		assert.Empty(t, page.Next, body)
	}
}

func TestTheCursorIsInPageInfoAndTravelsUntouched(t *testing.T) {
	k := start(t, nil)
	const cursor = "WyIwNSIsICJmMjZhIl0+/==&first=1 é"
	quoted, err := json.Marshal(cursor)
	require.NoError(t, err)
	answer(t, k, 200, `{"success":true,"end_cursor":"decoy","page_info":{"end_cursor":`+string(quoted)+`,"has_next_page":true},"data":[{"id":"`+plain+`"}]}`)
	page, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 1})
	require.NoError(t, err)
	answer(t, k, 200, `{"success":true,"page_info":{"has_next_page":false},"data":[]}`)
	_, err = listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 1, PageToken: page.Next})
	require.NoError(t, err)
	query, err := url.ParseQuery(k.Emulator.Calls()[1].Query)
	require.NoError(t, err)
	assert.Equal(t, url.Values{"after": {cursor}, "first": {"1"}, "order-by": {"created"}, "expand": {expanded}}, query)
}

func TestAPagingThatCannotGoOnFails(t *testing.T) {
	k := start(t, nil)
	record := `{"id":"` + plain + `"}`
	for name, body := range map[string]string{
		"more without a cursor":        `{"data":[` + record + `],"page_info":{"has_next_page":true,"end_cursor":null}}`,
		"more after the same cursor":   `{"data":[` + record + `],"page_info":{"has_next_page":true,"end_cursor":"same"}}`,
		"a full page and no page_info": `{"data":[` + record + `,` + record + `]}`,
		"more records than asked for":  `{"data":[` + record + `,` + record + `,` + record + `],"page_info":{"has_next_page":false}}`,
	} {
		answer(t, k, 200, body)
		_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 2, PageToken: sdk.EncodeToken(position{After: "same"})})
		e := providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
		assert.Equal(t, 502, e.HTTPStatus(), name)
	}
}

func TestAListWithAnItemThatIsNoContactFailsWhole(t *testing.T) {
	k := start(t, nil)
	for _, body := range []string{
		`{"data":[null]}`, `{"data":["` + plain + `"]}`, `{"data":[[]]}`, `{"data":[{}]}`, `{"data":[{"id":null}]}`, `{"data":[{"id":" "}]}`, `{"data":[{"ID":"` + plain + `"}]}`,
		`{"data":null}`, `{"data":{}}`, `{"data":"x"}`, `{"success":true}`, `[]`, `null`, `"text"`, `<html></html>`, ``,
	} {
		answer(t, k, 200, body)
		_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5})
		e := providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
		assert.Equal(t, 502, e.HTTPStatus(), body)
	}
}

func TestHostilePageTokensAreRefused(t *testing.T) {
	k := start(t, nil)
	for _, token := range []string{"%%%", "e30", "e30x", sdk.EncodeToken("x"), sdk.EncodeToken(position{}), sdk.EncodeToken(map[string]int{"page": 2}), sdk.EncodeToken(map[string]any{"after": 7})} {
		_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5, PageToken: token})
		providertest.RequireReason(t, err, errs.InvalidParameter)
	}
	assert.Empty(t, k.Emulator.Calls())
}

func TestRemoteQueryReachesTheVendorButNotThePaging(t *testing.T) {
	k := start(t, nil)
	page, err := listContacts(providertest.Context(t), k.Call(t,
		vendorhttp.Param{Name: "order-by", Value: "-created"},
		vendorhttp.Param{Name: "filter[email1]", Value: "contact1@example.com"},
		vendorhttp.Param{Name: "expand", Value: "primary_account"},
	), sdk.ListQuery{PageSize: 5})
	require.NoError(t, err)
	require.Len(t, page.Records, 1)
	assert.Equal(t, plain, *page.Records[0].ID)
	assert.Equal(t, "first=5&order-by=-created&filter[email1]=contact1%40example.com&expand=primary_account", k.Emulator.Calls()[0].Query)
	for _, name := range []string{"first", "after"} {
		_, err := listContacts(providertest.Context(t), k.Call(t, vendorhttp.Param{Name: name, Value: "1"}), sdk.ListQuery{PageSize: 5, PageToken: sdk.EncodeToken(position{After: "c"})})
		providertest.RequireReason(t, err, errs.InvalidParameter)
	}
}

func TestDeletedContactsAreListedWhenAskedFor(t *testing.T) {
	k := start(t, nil)
	page, err := listContacts(providertest.Context(t), k.Call(t, vendorhttp.Param{Name: "include-deleted", Value: "true"}), sdk.ListQuery{PageSize: 100})
	require.NoError(t, err)
	assert.Len(t, page.Records, visible+1)
}

func TestAwkwardContactsAreRead(t *testing.T) {
	k := start(t, nil)
	read := func(id string) *crm.Contact {
		contact, err := getContact(providertest.Context(t), k.Call(t), id)
		require.NoError(t, err)
		return contact
	}
	assert.Len(t, read(fiveSlots).EmailAddresses, 5)
	assert.Len(t, read(fiveSlots).PhoneNumbers, 5)
	assert.Nil(t, read(goneAccount).Account)
	assert.NotNil(t, read(orphaned).Owner, "the id of a user who is gone stays")
	assert.Equal(t, archived, *read(archived).ID, "archived is not deleted")
}

func TestEmptyValuesOfEveryKindReadAlike(t *testing.T) {
	var want []string
	for _, value := range []string{"null", "empty_string", "absent"} {
		k := start(t, map[string]string{"empty_values": value})
		var got []string
		for _, c := range k.List(t, 100) {
			c.RemoteData, c.CustomFields = nil, nil
			got = append(got, string(providertest.JSON(t, &c)))
		}
		if want == nil {
			want = got
		}
		assert.Equal(t, want, got, "empty_values=%s", value)
	}
}

func TestGetOfADeletedContactIsNotFoundWhateverTheVendorSays(t *testing.T) {
	for _, value := range []string{"404", "200"} {
		k := start(t, map[string]string{"get_after_delete": value})
		require.NoError(t, do(t, k.Call(t), "delete"))
		for _, id := range []string{plain, deletedOne} {
			_, err := getContact(providertest.Context(t), k.Call(t), id)
			e := providertest.RequireReason(t, err, errs.RecordNotFound)
			assert.Equal(t, 404, e.HTTPStatus())
			assert.NotNil(t, e.Vendor)
		}
	}
}

func TestGetOfAnUnknownContact(t *testing.T) {
	for value, reason := range map[string]errs.Reason{"404": errs.RecordNotFound, "404_route": errs.RecordNotFound, "422": errs.VendorRejected} {
		k := start(t, map[string]string{"unknown_id": value})
		_, err := getContact(providertest.Context(t), k.Call(t), unknown)
		providertest.RequireReason(t, err, reason)
	}
}

func TestGetThatAnswersWithAnotherRecordIsUnexpected(t *testing.T) {
	k := start(t, nil)
	answer(t, k, 200, `{"success":true,"data":{"id":"`+someID+`"}}`)
	_, err := getContact(providertest.Context(t), k.Call(t), plain)
	providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)

	answer(t, k, 200, `{"success":true,"data":{"id":"`+strings.ToUpper(plain)+`"}}`)
	_, err = getContact(providertest.Context(t), k.Call(t), plain)
	require.NoError(t, err, "letter case aside")

	for _, body := range []string{`{"success":true}`, `{"success":true,"data":null}`, `{"data":[]}`, `{"data":"` + plain + `"}`, `{"data":{}}`, `[]`, `null`, ``, `<html></html>`} {
		answer(t, k, 200, body)
		_, err := getContact(providertest.Context(t), k.Call(t), plain)
		providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
	}
}

func TestDeleteIsOneCallWithoutABodyAndGivesTheWholeAnswer(t *testing.T) {
	k := start(t, nil)
	deleted, err := deleteContact(providertest.Context(t), k.Call(t), plain)
	require.NoError(t, err)
	assert.JSONEq(t, `{"success":true,"data":"`+plain+`"}`, string(deleted.RemoteData))
	assert.Equal(t, &crm.Contact{ID: new(plain), RemoteData: deleted.RemoteData}, deleted, "nothing that the vendor did not say")
	calls := k.Emulator.Calls()
	require.Len(t, calls, 1)
	assert.Equal(t, "DELETE "+collection+"/"+plain, calls[0].Method+" "+calls[0].Path)
	assert.Empty(t, calls[0].Query)
	assert.Empty(t, calls[0].Body)
	for _, c := range k.List(t, 100) {
		assert.NotEqual(t, plain, *c.ID)
	}
}

func TestDeleteTakesAnySuccess(t *testing.T) {
	for _, c := range []struct {
		status           int
		body, remoteData string
	}{
		{200, `{"success":true,"data":"` + strings.ToUpper(plain) + `"}`, `{"success":true,"data":"` + strings.ToUpper(plain) + `"}`},
		{200, `{"success":true,"data":{"id":"` + plain + `"}}`, `{"success":true,"data":{"id":"` + plain + `"}}`},
		{200, `{"success":true,"data":null}`, `{"success":true,"data":null}`},
		{200, `{"success":true,"data":"deleted"}`, `{"success":true,"data":"deleted"}`},
		{200, `{"success":true}`, `{"success":true}`},
		{202, `{"data":[]}`, `{"data":[]}`},
		{200, `true`, `true`},
		{200, `done`, `"done"`},
		{200, ``, ``},
		{204, ``, ``},
	} {
		k := start(t, nil)
		answer(t, k, c.status, c.body)
		deleted, err := deleteContact(providertest.Context(t), k.Call(t), plain)
		require.NoError(t, err, c.body)
		assert.Equal(t, c.remoteData, string(deleted.RemoteData))
	}
}

func TestDeleteThatNamesAnotherRecordIsUnexpected(t *testing.T) {
	for _, data := range []string{`"` + someID + `"`, `{"id":"` + someID + `"}`} {
		k := start(t, nil)
		answer(t, k, 200, `{"success":true,"data":`+data+`}`)
		_, err := deleteContact(providertest.Context(t), k.Call(t), plain)
		e := providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
		assert.Equal(t, 502, e.HTTPStatus())
		assert.Contains(t, e.Message, someID)
		assert.NotNil(t, e.Vendor)
		assert.Len(t, k.Emulator.Calls(), 1)
	}
}

func TestDeleteInTheOtherLetterCase(t *testing.T) {
	k := start(t, nil)
	deleted, err := deleteContact(providertest.Context(t), k.Call(t), strings.ToUpper(plain))
	require.NoError(t, err)
	assert.Equal(t, plain, *deleted.ID, "as the vendor wrote it")
}

func TestSecondDelete(t *testing.T) {
	for value, reason := range map[string]errs.Reason{"404": errs.RecordNotFound, "500": errs.VendorUnavailable} {
		k := start(t, map[string]string{"second_delete": value})
		require.NoError(t, do(t, k.Call(t), "delete"))
		e := providertest.RequireReason(t, do(t, k.Call(t), "delete"), reason)
		assert.Equal(t, value, strconv.Itoa(e.HTTPStatus()))
		assert.Len(t, k.Emulator.Calls(), 2, "no look-up, no second try")
	}
	k := start(t, map[string]string{"second_delete": "200"})
	require.NoError(t, do(t, k.Call(t), "delete"))
	require.NoError(t, do(t, k.Call(t), "delete"))
}

func TestDeleteOfAnUnknownContact(t *testing.T) {
	for value, reason := range map[string]errs.Reason{"404": errs.RecordNotFound, "404_route": errs.RecordNotFound, "422": errs.VendorPrecondition} {
		k := start(t, map[string]string{"unknown_id": value})
		_, err := deleteContact(providertest.Context(t), k.Call(t), unknown)
		e := providertest.RequireReason(t, err, reason)
		assert.Equal(t, value[:3], strconv.Itoa(e.HTTPStatus()))
		assert.Len(t, k.Emulator.Calls(), 1)
	}
}

func TestDeleteOfAProtectedContactIsRefusedForItsState(t *testing.T) {
	for value, reason := range map[string]errs.Reason{"422": errs.VendorPrecondition, "400": errs.VendorRejected, "403": errs.VendorForbidden} {
		k := start(t, map[string]string{"protected_delete": value})
		_, err := deleteContact(providertest.Context(t), k.Call(t), protected)
		e := providertest.RequireReason(t, err, reason)
		assert.Equal(t, value, strconv.Itoa(e.HTTPStatus()), "the vendor's status stays")
		assert.Len(t, k.Emulator.Calls(), 1)
	}
	k := start(t, nil)
	answer(t, k, 200, `{"success":false,"http_status":422,"code":40000,"name":"ERROR_ENTITY_VALIDATION","message":"\nprotected"}`)
	e := providertest.RequireReason(t, do(t, k.Call(t), "delete"), errs.VendorPrecondition)
	assert.Equal(t, 422, e.HTTPStatus())
	assert.Equal(t, "protected", e.Message)
}

func TestADeleteWhoseConnectionBreaksIsSentOnceMore(t *testing.T) {
	k := start(t, nil)
	require.NoError(t, k.Emulator.Inject(kit.Match{Method: http.MethodDelete}, kit.Fault{Cut: "after"}, 1))
	_, err := deleteContact(providertest.Context(t), k.Call(t), plain)
	var e *errs.Error
	require.True(t, errors.As(err, &e))
	assert.Equal(t, errs.RecordNotFound, e.Reason, "the SDK makes it a success, since the first may have taken effect")
	assert.Len(t, k.Emulator.Calls(), 2)
}

func TestIDsAreUUIDsOfAnyVersionAndNothingElse(t *testing.T) {
	pattern := regexp.MustCompile(`\A(?:` + provider.Contacts.IDPattern + `)\z`)
	for _, id := range []string{plain, strings.ToUpper(plain), "0190978c-0000-f000-0000-000000000000", "00000000-0000-0000-0000-000000008e97"} {
		assert.True(t, pattern.MatchString(id), id)
	}
	for _, id := range []string{"", " ", ".", "..", "42", "not-a-uuid", plain + "/", plain + "\n", "{" + plain + "}", plain + "?validation-level=8", strings.ReplaceAll(plain, "-", ""), plain[:35], plain + "0", strings.Replace(plain, "0", "%", 1)} {
		assert.False(t, pattern.MatchString(id), "%q", id)
	}
}

func TestMalformedIDsThatReachTheVendorAllTheSame(t *testing.T) {
	for value, reason := range map[string]errs.Reason{"404": errs.RecordNotFound, "404_route": errs.RecordNotFound, "400": errs.VendorRejected} {
		k := start(t, map[string]string{"malformed_id": value})
		_, err := deleteContact(providertest.Context(t), k.Call(t), "not-a-uuid")
		providertest.RequireReason(t, err, reason)
		_, err = getContact(providertest.Context(t), k.Call(t), "not-a-uuid")
		providertest.RequireReason(t, err, reason)
	}
}

func TestAnEmptyIDNeverBecomesTheCollection(t *testing.T) {
	k := start(t, nil)
	for _, id := range []string{"", ".", ".."} {
		_, err := deleteContact(providertest.Context(t), k.Call(t), id)
		require.Error(t, err)
		_, err = getContact(providertest.Context(t), k.Call(t), id)
		require.Error(t, err)
	}
	assert.Empty(t, k.Emulator.Calls())
}

func FuzzContact(f *testing.F) {
	f.Add(`{"id":"` + someID + `","tags":[{"tag":{"id":"x"}}],"primary_account":"a/b","cf":1}`)
	f.Add(`{"id":7,"id":8,"":{}}`)
	f.Add(` { "id" : "x" , "\u0069d2" : [ ] } `)
	f.Fuzz(func(t *testing.T, record string) {
		if !json.Valid([]byte(record)) {
			return
		}
		from := envelope{Data: json.RawMessage(record)}
		c, err := from.contact()
		if err != nil {
			return
		}
		u := c.unified()
		require.NotNil(t, u.ID)
		if u.CustomFields != nil {
			require.True(t, json.Valid(u.CustomFields), "%s", u.CustomFields)
		}
		_ = c.unnamed()
	})
}
