package main

import (
	"math"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk"
	kit "github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

func TestListGivesEveryContactOnceWhateverThePageSize(t *testing.T) {
	for _, count := range []string{"false", "true"} { // too_many_to_count
		for _, empty := range []string{"array", "missing"} {
			k := start(t, map[string]string{"too_many_to_count": count, "empty_list": empty, "default_sort": "createdDate_desc"})
			for _, size := range []int{1, 7, 17, 34, 1000} { // 17 and 34 end on a full page
				ids := map[string]bool{}
				for _, c := range k.List(t, size) {
					assert.False(t, ids[*c.ID], "%s came twice with pages of %d", *c.ID, size)
					ids[*c.ID] = true
				}
				assert.Len(t, ids, 34, "30 plain and 4 awkward contacts with pages of %d", size)
			}
		}
	}
}

func TestListEndsWhereItShould(t *testing.T) {
	cases := []struct {
		name, paging  string
		got, from, to int // to 0: the last page
	}{
		{"a full page short of the total", `{"total":3}`, 2, 0, 2},
		{"a full page up to the total", `{"total":2,"tooManyToCount":false}`, 2, 0, 0},
		{"a short page short of the total", `{"total":3}`, 1, 0, 1},
		{"an empty page short of the total ends all the same", `{"total":3}`, 0, 0, 0},
		{"a full page with a total that cannot be trusted", `{"total":2,"tooManyToCount":true}`, 2, 0, 2},
		{"a full page with a total of 0", `{"total":0}`, 2, 0, 2},
		{"a full page with fewer in all than before it", `{"total":5}`, 2, 4, 6},
		{"a short page with a total that cannot be trusted", `{"total":9,"tooManyToCount":true}`, 1, 4, 0},
		{"a full page without a total", `{}`, 2, 4, 6},
		{"no metadata", `null`, 2, 4, 6},
		{"odd metadata", `"none"`, 1, 4, 0},
		{"odd values", `{"count":null,"total":{},"tooManyToCount":null}`, 2, 4, 6},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			k := start(t, nil)
			contacts := strings.TrimSuffix(strings.Repeat(`{"id":"`+plainID+`"},`, c.got), ",")
			require.NoError(t, k.Emulator.Inject(kit.Match{}, answer(`{"contacts":[`+contacts+`],"pagingMetadata":`+c.paging+`}`), 1))
			page, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 2, PageToken: sdk.EncodeToken(position{Offset: c.from, Limit: 2})})
			require.NoError(t, err)
			assert.Len(t, page.Records, c.got)
			want := ""
			if c.to > 0 {
				want = sdk.EncodeToken(position{Offset: c.to, Limit: 2})
			}
			assert.Equal(t, want, page.Next)
		})
	}
}

func TestAListThatHidesContactsFailsWhole(t *testing.T) {
	k := start(t, nil)
	for _, body := range []string{
		`{}`, `[]`, `"text"`, `""`, `{"contacts":{}}`, `{"contacts":"none"}`, `{"pagingMetadata":{"count":3}}`, `{"contacts":null,"pagingMetadata":null}`,
		`{"contacts":[null]}`, `{"contacts":["x"]}`, `{"contacts":[{}]}`, `{"contacts":[{"id":"` + plainID + `"},{"info":{}}]}`, `{"contacts":[{"id":null}]}`,
		`{"contacts":[{"id":"a"},{"id":"b"},{"id":"c"}]}`, // two were asked for
	} {
		require.NoError(t, k.Emulator.Inject(kit.Match{}, answer(body), 1))
		page, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 2})
		providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
		assert.Empty(t, page.Next, body)
	}
}

func TestAnEmptyListMayLeaveOutItsContacts(t *testing.T) {
	k := start(t, nil)
	for _, body := range []string{`{"contacts":[]}`, `{"pagingMetadata":{"count":0,"total":0}}`, `{"pagingMetadata":{}}`, `{"contacts":null,"pagingMetadata":{"total":0}}`} {
		require.NoError(t, k.Emulator.Inject(kit.Match{}, answer(body), 1))
		page, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 2})
		require.NoError(t, err, body)
		assert.Empty(t, page.Records)
		assert.Empty(t, page.Next)
	}
}

func TestHostilePageTokensAreRefused(t *testing.T) {
	k := start(t, nil)
	for _, token := range []string{
		"%%%", "e30x", sdk.EncodeToken("x"), sdk.EncodeToken(nil) + "AA", sdk.EncodeToken(map[string]int{"offset": 1, "limit": 5, "sort": 1}), sdk.EncodeToken(map[string]any{"offset": 1e30, "limit": 5}),
		sdk.EncodeToken(position{Offset: -1, Limit: 5}), sdk.EncodeToken(position{Offset: math.MaxInt, Limit: 5}),
		sdk.EncodeToken(position{Limit: 0}), sdk.EncodeToken(position{Limit: -5}), sdk.EncodeToken(position{Limit: 1001}),
	} {
		_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5, PageToken: token})
		providertest.RequireReason(t, err, errs.InvalidParameter)
	}
	assert.Empty(t, k.Emulator.Calls())
}

func TestATokenOfLargerPagesDoesNotOverfillASmallOne(t *testing.T) {
	page, err := listContacts(providertest.Context(t), start(t, nil).Call(t), sdk.ListQuery{PageSize: 3, PageToken: sdk.EncodeToken(position{Offset: 5, Limit: 20})})
	require.NoError(t, err)
	assert.Len(t, page.Records, 3)
	assert.Equal(t, sdk.EncodeToken(position{Offset: 8, Limit: 3}), page.Next)
}

func TestListAsksForAFixedOrder(t *testing.T) {
	k := start(t, nil)
	_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 25})
	require.NoError(t, err)
	query, err := url.ParseQuery(k.Emulator.Calls()[0].Query)
	require.NoError(t, err)
	assert.Equal(t, url.Values{"fieldsets": {"FULL"}, "sort.fieldName": {"createdDate"}, "sort.order": {"ASC"}, "paging.limit": {"25"}, "paging.offset": {"0"}}, query)
}

func TestRemoteQueryReachesTheVendorButNotThePaging(t *testing.T) {
	k := start(t, nil)
	page, err := listContacts(providertest.Context(t), k.Call(t, vendorhttp.Param{Name: "sort.order", Value: "DESC"}, vendorhttp.Param{Name: "fieldsets", Value: "BASIC"}), sdk.ListQuery{PageSize: 5})
	require.NoError(t, err)
	query, err := url.ParseQuery(k.Emulator.Calls()[0].Query)
	require.NoError(t, err)
	assert.Equal(t, url.Values{"fieldsets": {"BASIC"}, "sort.fieldName": {"createdDate"}, "sort.order": {"DESC"}, "paging.limit": {"5"}, "paging.offset": {"0"}}, query)
	assert.Equal(t, targetID, *page.Records[0].ID, "the latest one")
	for _, name := range []string{"paging.limit", "paging.offset", "Paging.Limit"} {
		_, err := listContacts(providertest.Context(t), k.Call(t, vendorhttp.Param{Name: name, Value: "1"}), sdk.ListQuery{PageSize: 5})
		providertest.RequireReason(t, err, errs.InvalidParameter)
	}
	contact, err := getContact(providertest.Context(t), k.Call(t, vendorhttp.Param{Name: "fieldsets", Value: "BASIC"}), plainID)
	require.NoError(t, err)
	assert.Equal(t, "0", *contact.ETag, "id and revision come with any fieldset")
	assert.Empty(t, contact.Tags)
}

func TestAnUnsupportedSortIsTheCallersFault(t *testing.T) {
	_, err := listContacts(providertest.Context(t), start(t, nil).Call(t, vendorhttp.Param{Name: "sort.fieldName", Value: "updatedDate"}), sdk.ListQuery{PageSize: 5})
	e := providertest.RequireReason(t, err, errs.VendorRejected)
	assert.Equal(t, 400, e.HTTPStatus())
}

func TestThePageCapIsTheVendors(t *testing.T) {
	k := start(t, nil)
	_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: provider.Contacts.List.PageCap})
	require.NoError(t, err)
	assert.Contains(t, k.Emulator.Calls()[0].Query, "paging.limit="+strconv.Itoa(1000))
}
