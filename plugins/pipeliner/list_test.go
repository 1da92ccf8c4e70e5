package main

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
)

func TestLists(t *testing.T) {
	for _, last := range []string{"with_cursor", "empty"} {
		t.Run("last_page="+last, func(t *testing.T) { providertest.Lists(t, start(t, map[string]string{"last_page": last})) })
	}
}

func TestIncrementalReadingPassesNobodyOver(t *testing.T) { providertest.Incremental(t, start(t, nil)) }

func equal(field, value string) sdk.FilterValue {
	return sdk.FilterValue{Field: field, Operator: sdk.Equal, Value: value}
}

func TestWhatListsAskFor(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	for name, query := range map[string]sdk.ListQuery{
		"list":                {},
		"list-filtered-names": {Filters: sdk.Filters{equal("first_name", "Nora"), equal("last_name", "O'Brien & Söhne")}},
		"list-filtered-email": {Filters: sdk.Filters{equal("email_addresses.email", "contact3@example.com")}},
		"list-filtered-phone": {Filters: sdk.Filters{equal("phone_numbers.number", "+1 202 555 0102")}},
		"list-filtered-updated": {Filters: sdk.Filters{
			{Field: "updated_at", Operator: sdk.Greater, Value: "2024-02-01T00:00:00.5Z"}, {Field: "updated_at", Operator: sdk.LessOrEqual, Value: "2024-02-10T00:00:00+02:00"},
		}},
		"list-filtered-created": {Filters: sdk.Filters{{Field: "created_at", Operator: sdk.Less, Value: "2024-01-12T00:00:00Z"}}},
		"list-filtered-deleted": {Filters: sdk.Filters{equal("is_deleted", "true")}},
		"list-sorted":           {Sort: []sdk.SortKey{{Field: "last_name"}, {Field: "created_at", Descending: true}, {Field: "id"}}},
	} {
		k.GoldenRequests(t, name, func() {
			query.PageSize = 100
			_, err := h.All(t, query, nil)
			require.NoError(t, err)
		})
	}
}

func TestAListOfAHundredCostsOneCall(t *testing.T) {
	k := start(t, nil)
	for _, query := range []sdk.ListQuery{
		{}, {Sort: []sdk.SortKey{{Field: "id"}}}, {Filters: sdk.Filters{{Field: "updated_at", Operator: sdk.Greater, Value: "2020-01-01T00:00:00Z"}}}, {Filters: sdk.Filters{equal("is_deleted", "true")}},
	} {
		query.PageSize = 100
		calls := k.Calls(func() {
			_, err := k.Host(t).All(t, query, nil)
			require.NoError(t, err)
		})
		assert.Equal(t, []string{"GET " + collection}, calls)
	}
}

func TestAnAddressIsFoundInAnyOfItsFiveFieldsWhateverItsCase(t *testing.T) {
	h := start(t, nil).Host(t)
	for i := range 5 {
		found, err := h.All(t, sdk.ListQuery{PageSize: 10, Filters: sdk.Filters{equal("email_addresses.email", fmt.Sprintf("FIFI%d@example.com", i+1))}}, nil)
		require.NoError(t, err)
		require.Len(t, found, 1)
		assert.Equal(t, fiveSlots, *found[0].ID)
		found, err = h.All(t, sdk.ListQuery{PageSize: 10, Filters: sdk.Filters{equal("phone_numbers.number", fmt.Sprintf("+1 202 555 019%d", i+1)), equal("last_name", "Fiveslots")}}, nil)
		require.NoError(t, err)
		require.Len(t, found, 1)
	}
}

func TestDeletedContactsAloneAreListedWhateverTheVendorMakesOfTheFilter(t *testing.T) {
	for _, value := range []string{"serve", "400", "ignore"} {
		k := start(t, map[string]string{"deleted_filter": value})
		h := k.Host(t)
		_, err := h.Delete(t, plain)
		require.NoError(t, err)
		found, err := h.All(t, sdk.ListQuery{PageSize: 7, Filters: sdk.Filters{equal("is_deleted", "true")}}, nil)
		require.NoError(t, err)
		var ids []string
		for _, c := range found {
			ids = append(ids, *c.ID)
		}
		assert.ElementsMatch(t, []string{plain, deletedOne}, ids)
		found, err = h.All(t, sdk.ListQuery{PageSize: 7, Filters: sdk.Filters{equal("is_deleted", "false")}}, nil)
		require.NoError(t, err)
		assert.Len(t, found, visible-1)
	}
}

func TestASpanEndsWithoutReadingToTheEnd(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	everybody, err := h.All(t, sdk.ListQuery{PageSize: 100, Sort: []sdk.SortKey{{Field: "created_at"}}}, nil)
	require.NoError(t, err)
	from, to := everybody[4].CreatedAt.Format(time.RFC3339Nano), everybody[9].CreatedAt.Format(time.RFC3339Nano)
	var found []crm.Contact
	calls := k.Calls(func() {
		found, err = h.All(t, sdk.ListQuery{PageSize: 4, Filters: sdk.Filters{{Field: "created_at", Operator: sdk.GreaterOrEqual, Value: from}, {Field: "created_at", Operator: sdk.LessOrEqual, Value: to}}}, nil)
		require.NoError(t, err)
	})
	assert.Len(t, found, 6)
	assert.Len(t, calls, 2)
	for _, call := range k.Emulator.Calls() {
		query, err := url.ParseQuery(call.Query)
		require.NoError(t, err)
		assert.NotContains(t, query, "filter-op[created]=between")
		assert.LessOrEqual(t, len(query["filter-op[created]"]), 1, "a field has one operator")
	}
}

func TestTimesInAQueryAreInUTCWithTheirPlusEscaped(t *testing.T) {
	k := start(t, nil)
	_, err := k.Host(t).All(t, sdk.ListQuery{PageSize: 100, Filters: sdk.Filters{{Field: "updated_at", Operator: sdk.Greater, Value: "2024-02-01T01:00:00.7+02:00"}}}, nil)
	require.NoError(t, err)
	assert.Contains(t, k.Emulator.Calls()[0].Query, "filter[modified]=2024-01-31%2023%3A00%3A00%2B00%3A00&filter-op[modified]=gte&order-by=modified")
}

func TestWhatPipelinerCannotServeTogetherIsRefused(t *testing.T) {
	k := start(t, nil)
	since := sdk.FilterValue{Field: "updated_at", Operator: sdk.Greater, Value: "2024-02-01T00:00:00Z"}
	k.RequireNoCalls(t, func() {
		for path, query := range map[string]sdk.ListQuery{
			"phone_numbers.number": {Filters: sdk.Filters{equal("email_addresses.email", "a@quill.test"), equal("phone_numbers.number", "1")}},
			"sort_by":              {Filters: sdk.Filters{since}, Sort: []sdk.SortKey{{Field: "updated_at", Descending: true}}},
		} {
			query.PageSize = 5
			_, err := k.Host(t).Page(t, query)
			e := providertest.RequireReason(t, err, errs.Unsupported)
			assert.Equal(t, path, e.Fields[0].Path)
		}
	})
	for keys, refused := range map[string]bool{
		"updated_at": false, "id": false, "created_at": false, "-created_at": false, "-created_at,updated_at": false, "updated_at,last_name": false,
		"last_name": true, "first_name": true, "created_at,last_name": true, "id,-updated_at": true,
	} {
		query := sdk.ListQuery{PageSize: 5, Filters: sdk.Filters{since}}
		for name := range strings.SplitSeq(keys, ",") {
			query.Sort = append(query.Sort, sdk.SortKey{Field: strings.TrimPrefix(name, "-"), Descending: strings.HasPrefix(name, "-")})
		}
		_, err := k.Host(t).Page(t, query)
		assert.Equal(t, refused, errs.Is(err, errs.Unsupported), "%s: a change could move a contact to where nobody looks any more", keys)
	}
}

func TestSeveralSortKeysApplyInTheirOrder(t *testing.T) {
	h := start(t, nil).Host(t)
	got, err := h.All(t, sdk.ListQuery{PageSize: 7, Sort: []sdk.SortKey{{Field: "last_name", Descending: true}, {Field: "created_at", Descending: true}}}, nil)
	require.NoError(t, err)
	require.Len(t, got, visible)
	assert.True(t, slices.IsSortedFunc(got, func(a, b crm.Contact) int {
		if a.LastName == nil || b.LastName == nil || *a.LastName != *b.LastName {
			return 0
		}
		return b.CreatedAt.Compare(*a.CreatedAt)
	}))
}

func TestFiltersAreTheProvidersAndOthersTheCallers(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	query := sdk.ListQuery{PageSize: 5, Filters: sdk.Filters{equal("first_name", "Nora")}}
	_, err := h.Page(t, query, providertest.RemoteQuery("filter[first_name]", "Ada"))
	providertest.RequireReason(t, err, errs.InvalidParameter)
	_, err = h.Page(t, query, providertest.RemoteQuery("filter[city]", "Cork"))
	require.NoError(t, err)
}
