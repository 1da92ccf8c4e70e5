package main

import (
	"fmt"
	"slices"
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
	for name, switches := range map[string]map[string]string{
		"as documented": nil,
		"an order among equals that changes from call to call": {"default_order": "unstable"},
		"records of only an id and a name":                     {"list_fields": "id_and_name"},
		"fields without a value are there":                     {"null_write": "null"},
		"pages shorter than the limit":                         {"limit_cap": "9"},
	} {
		t.Run(name, func(t *testing.T) { providertest.Lists(t, start(t, switches)) })
	}
}

func TestIncrementalReadingPassesNobodyOver(t *testing.T) {
	for _, switches := range []map[string]string{nil, {"limit_cap": "4"}, {"list_fields": "id_and_name"}, {"default_order": "unstable"}} {
		providertest.Incremental(t, start(t, switches))
	}
}

// Contacts that are deleted move those behind them up, past a reader who counts.
func TestDeletesMeanwhileHideNobody(t *testing.T) {
	queries := map[string]sdk.ListQuery{
		"plain":   {},
		"created": {Filters: sdk.Filters{{Field: "created_at", Operator: sdk.Greater, Value: "2000-01-01T00:00:00Z"}}},
		"updated": {Filters: sdk.Filters{{Field: "updated_at", Operator: sdk.Greater, Value: "2000-01-01T00:00:00Z"}}},
	}
	for key := range orders {
		queries[key] = sdk.ListQuery{Sort: []sdk.SortKey{{Field: key}}}
		queries["-"+key] = sdk.ListQuery{Sort: []sdk.SortKey{{Field: key, Descending: true}}}
	}
	for name, query := range queries {
		for which, gone := range map[string]func(page []crm.Contact) []crm.Contact{
			"the first of a page": func(page []crm.Contact) []crm.Contact { return page[:min(1, len(page))] },
			"the last of a page":  func(page []crm.Contact) []crm.Contact { return page[max(0, len(page)-1):] },
			"the last two":        func(page []crm.Contact) []crm.Contact { return page[max(0, len(page)-2):] },
			"all of a page":       func(page []crm.Contact) []crm.Contact { return page },
		} {
			t.Run(name+" "+which, func(t *testing.T) {
				k := start(t, map[string]string{"default_order": "unstable"})
				h := k.Host(t)
				seen := map[string]bool{}
				query := query
				query.PageSize = 5
				for n := 0; ; n++ {
					require.Less(t, n, 100, "the list does not end")
					page, err := h.Page(t, query)
					require.NoError(t, err)
					for _, c := range page.Records {
						seen[*c.ID] = true
					}
					for _, c := range gone(page.Records) {
						_, err := h.Delete(t, *c.ID)
						if !errs.Is(err, errs.RecordNotFound) { // it may have come twice
							require.NoError(t, err)
						}
					}
					if query.PageToken = page.Next; query.PageToken == "" {
						break
					}
				}
				assert.Len(t, seen, listed)
			})
		}
	}
}

func TestAnUndisturbedListGivesNobodyTwice(t *testing.T) {
	for key := range orders {
		for _, size := range []int{1, 2, 3, 7, 50} {
			k := start(t, map[string]string{"default_order": "unstable"})
			h := k.Host(t)
			query := sdk.ListQuery{PageSize: size, Sort: []sdk.SortKey{{Field: key, Descending: size%2 == 0}}}
			var ids []string
			for {
				page, err := h.Page(t, query)
				require.NoError(t, err)
				for _, c := range page.Records {
					assert.NotContains(t, ids, *c.ID, "%s, pages of %d", key, size)
					ids = append(ids, *c.ID)
				}
				if query.PageToken = page.Next; query.PageToken == "" {
					break
				}
			}
			assert.Len(t, ids, listed)
		}
	}
}

func TestAListOfAHundredCostsOneCallAndAnotherToKnowItsEnd(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	for i := range 100 - listed {
		_, _, err := h.Create(t, crm.Contact{Account: &crm.AccountReference{ID: new(quill)}, EmailAddresses: emails(fmt.Sprintf("more%d@quill.test", i))})
		require.NoError(t, err)
	}
	calls := k.Calls(func() {
		page, err := h.Page(t, sdk.ListQuery{PageSize: 100})
		require.NoError(t, err)
		assert.Len(t, page.Records, 100)
	})
	assert.Equal(t, []string{"GET /endusers"}, calls)
	calls = k.Calls(func() {
		all, err := h.All(t, sdk.ListQuery{PageSize: 100}, nil)
		require.NoError(t, err)
		assert.Len(t, all, 100)
	})
	assert.Len(t, calls, 2)
}

func TestBareListsAreAskedForWholeAndTheAccountIsRemembered(t *testing.T) {
	k := start(t, map[string]string{"list_fields": "id_and_name"})
	h := k.Host(t)
	for _, want := range []int{2, 1} {
		calls := k.Calls(func() {
			page, err := h.Page(t, sdk.ListQuery{PageSize: 5})
			require.NoError(t, err)
			assert.NotNil(t, page.Records[0].UpdatedAt)
		})
		assert.Len(t, calls, want)
	}
}

// One that has createdAt alone is at one end of any list by createDate.
func TestAContactWithoutACreateDateIsFoundByWhenItWasCreated(t *testing.T) {
	const without = "7f000000e3f40516273b0008"
	k := start(t, nil)
	h := k.Host(t)
	c, err := h.Get(t, without)
	require.NoError(t, err)
	dated, _, err := h.Create(t, crm.Contact{Account: &crm.AccountReference{ID: new(quill)}, EmailAddresses: emails("dated@quill.test"), CreatedAt: new(time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC))})
	require.NoError(t, err)
	for _, size := range []int{1, 4, 100} {
		got, err := h.All(t, sdk.ListQuery{PageSize: size, Filters: sdk.Filters{{Field: "created_at", Operator: sdk.GreaterOrEqual, Value: c.CreatedAt.Format(time.RFC3339Nano)}}}, nil)
		require.NoError(t, err)
		ids := func(id string) bool { return slices.ContainsFunc(got, func(c crm.Contact) bool { return *c.ID == id }) }
		assert.True(t, ids(without))
		assert.True(t, ids("7f000000e3f40516273b0009"))
		assert.False(t, ids(*dated.ID), "it was made last, but its date is older")
		assert.False(t, ids("7f000000e3f40516273b0007"))
		got, err = h.All(t, sdk.ListQuery{PageSize: size, Filters: sdk.Filters{{Field: "created_at", Operator: sdk.Less, Value: "2002-01-01T00:00:00Z"}}}, nil)
		require.NoError(t, err)
		require.Len(t, got, 1)
		assert.True(t, ids(*dated.ID))
	}
}

func TestWhatPlanhatCannotServeTogetherIsRefused(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	since := func(field string) sdk.Filters {
		return sdk.Filters{{Field: field, Operator: sdk.Greater, Value: "2024-01-01T00:00:00Z"}}
	}
	k.RequireNoCalls(t, func() {
		for _, query := range []sdk.ListQuery{
			{Sort: []sdk.SortKey{{Field: "id"}, {Field: "name"}}},
			{Sort: []sdk.SortKey{{Field: "updated_at"}}, Filters: since("updated_at")},
			{Sort: []sdk.SortKey{{Field: "id"}}, Filters: since("created_at")},
			{Sort: []sdk.SortKey{{Field: "created_at"}}},
			{Filters: sdk.Filters{{Field: "last_name", Operator: sdk.Equal, Value: "Quill"}}},
			{Filters: sdk.Filters{{Field: "is_deleted", Operator: sdk.Equal, Value: "true"}}},
		} {
			_, err := h.Page(t, query)
			e := providertest.RequireReason(t, err, errs.Unsupported)
			assert.NotEmpty(t, e.Fields)
		}
		_, err := h.Page(t, sdk.ListQuery{Filters: since("updated_at")}, providertest.RemoteQuery("select", "email"))
		providertest.RequireReason(t, err, errs.InvalidParameter)
	})
	got, err := h.All(t, sdk.ListQuery{PageSize: 9, Sort: []sdk.SortKey{{Field: "updated_at", Descending: true}}, Filters: append(since("updated_at"), since("created_at")...)}, nil)
	require.NoError(t, err)
	assert.NotEmpty(t, got)
}

// A contact that changes goes to the end of a list by updated_at, and those
// behind its place move up.
func TestChangesMeanwhileHideNobodyFromAListByTheTimeOfChange(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	seen := map[string]bool{}
	query := sdk.ListQuery{PageSize: 5, Sort: []sdk.SortKey{{Field: "updated_at"}}}
	for n := 0; ; n++ {
		page, err := h.Page(t, query)
		require.NoError(t, err)
		for i, c := range page.Records {
			seen[*c.ID] = true
			if n < 4 && i%2 == 0 {
				_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: *c.ID, Record: crm.Contact{Title: new("changed")}})
				require.NoError(t, err)
			}
		}
		if query.PageToken = page.Next; query.PageToken == "" {
			break
		}
	}
	assert.Len(t, seen, listed)
}
