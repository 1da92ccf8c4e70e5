package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

func TestLists(t *testing.T) {
	for _, switches := range []map[string]string{nil, {"unknown_query": "400", "top_over_max": "400", "search_case": "ignore"}} {
		providertest.Lists(t, start(t, switches))
	}
}

func TestIncrementalReadingPassesNobodyOver(t *testing.T) { providertest.Incremental(t, start(t, nil)) }

func since(at string) sdk.Filters {
	return sdk.Filters{{Field: "updated_at", Operator: sdk.GreaterOrEqual, Value: at}}
}

func idsOf(contacts []crm.Contact) (ids []string) {
	for _, c := range contacts {
		ids = append(ids, *c.ID)
	}
	return ids
}

// titled changes a contact.
func titled(t *testing.T, h *providertest.Host, id string) {
	t.Helper()
	_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: id, Record: crm.Contact{Title: new("changed")}})
	require.NoError(t, err)
}

func TestWhoChangesBehindTheWalksBackIsNotPassedOver(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	from := time.Now().UTC().Format(time.RFC3339)
	for n := range 12 { // those in the middle; the first ones come in while the list is read
		titled(t, h, strconv.Itoa(312345015+n))
	}
	late := []string{"312345001", "312345002", "312345003"}
	got, err := h.All(t, sdk.ListQuery{PageSize: 4, Filters: since(from)}, func(page int) {
		if page <= len(late) {
			titled(t, h, late[page-1])
		}
	})
	require.NoError(t, err)
	for _, id := range late {
		assert.Contains(t, idsOf(got), id)
	}
	assert.Len(t, got, 15, "and nobody else")
}

func TestAnIncrementalListLooksOnceMoreOnlyWhenItHadToTurnPages(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	list := func(size int, filters sdk.Filters) []string {
		return k.Calls(func() {
			_, err := h.All(t, sdk.ListQuery{PageSize: size, Filters: filters}, nil)
			require.NoError(t, err)
		})
	}
	list(100, since("2024-01-01T00:00:00Z")) // the names are known from here on
	assert.Len(t, list(100, since("2024-01-01T00:00:00Z")), 1, "one page is of one moment")
	assert.Len(t, list(20, since("2024-01-01T00:00:00Z")), 2+1, "two pages, and one look at who changed since")
	span := append(since("2024-01-01T00:00:00Z"), sdk.FilterValue{Field: "updated_at", Operator: sdk.Less, Value: "2025-01-01T00:00:00Z"})
	assert.Len(t, list(20, span), 2, "who changes now is not in a span of the past")
	assert.Len(t, list(20, nil), 2)
}

func TestAWalkThatSeesNoEndGivesUp(t *testing.T) {
	p := position{Skip: 5, Last: "7", Pass: maxPasses, Since: new(time.Now()), Mark: new(time.Now().Add(time.Hour))}
	assert.Empty(t, p.next(sdk.Range{From: new(time.Now())}, 5, nil, false))
	p.Pass = 1
	assert.NotEmpty(t, p.next(sdk.Range{From: new(time.Now())}, 5, nil, false))
	p.Mark = p.Since
	assert.Empty(t, p.next(sdk.Range{From: new(time.Now())}, 5, nil, false), "no time has passed")
}

func TestWhoIsDeletedWhileTheListIsReadHidesNobody(t *testing.T) {
	for _, filters := range []sdk.Filters{nil, since("2020-01-01T00:00:00Z"), {{Field: "last_name", Operator: sdk.Equal, Value: "Twin"}}} {
		for _, size := range []int{1, 2, 5, 7, 30} {
			// Every contact is deleted as soon as it was given, and now and then one that was not.
			t.Run(fmt.Sprintf("%v by %d", filters, size), func(t *testing.T) {
				k := start(t, nil)
				all, err := k.Host(t).All(t, sdk.ListQuery{PageSize: 100, Filters: filters}, nil)
				require.NoError(t, err)
				query, seen := sdk.ListQuery{PageSize: size, Filters: filters}, map[string]bool{}
				for {
					page, err := listContacts(providertest.Context(t), k.Call(t), query)
					require.NoError(t, err)
					for _, c := range page.Records {
						seen[*c.ID] = true
						if *c.ID != "312900006" { // which cannot be deleted
							_, err := deleteContact(providertest.Context(t), k.Call(t), *c.ID)
							require.True(t, err == nil || errs.Is(err, errs.RecordNotFound))
						}
					}
					if query.PageToken = page.Next; page.Next == "" {
						break
					}
				}
				for _, c := range all {
					assert.True(t, seen[*c.ID], "%s was passed over", *c.ID)
				}
			})
		}
	}
}

// book is a vendor whose list changes as a test wants.
type book struct {
	mu  sync.Mutex
	ids []int
	log []string
}

func (b *book) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	skip, _ := strconv.Atoi(r.URL.Query().Get("skip"))
	top, _ := strconv.Atoi(r.URL.Query().Get("top"))
	b.log = append(b.log, fmt.Sprintf("%d+%d", skip, top))
	var items []string
	for _, id := range b.ids[min(skip, len(b.ids)):min(skip+top, len(b.ids))] {
		items = append(items, fmt.Sprintf(`{"CONTACT_ID":%d}`, id))
	}
	_, _ = w.Write([]byte("[" + strings.Join(items, ",") + "]"))
}

// read lists a book, with something done before each page after the first.
func (b *book) read(t *testing.T, size int, between func(page int)) (ids []string) {
	t.Helper()
	server := httptest.NewServer(b)
	defer server.Close()
	query := sdk.ListQuery{PageSize: size}
	for n := 1; ; n++ {
		require.Less(t, n, 200, "the list does not end")
		page, err := listContacts(providertest.Context(t), sdk.NewCall(provider, "api_key", json.RawMessage(credentials), server.URL), query)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Records), size)
		ids = append(ids, idsOf(page.Records)...)
		if query.PageToken = page.Next; page.Next == "" {
			return ids
		}
		if between != nil {
			between(n)
		}
	}
}

func numbers(from, to int) (ids []int) {
	for id := from; id <= to; id++ {
		ids = append(ids, id)
	}
	return ids
}

func TestAQuietWalkAsksForOneRecordTwiceAndNothingElse(t *testing.T) {
	b := &book{ids: numbers(1, 25)}
	assert.Len(t, b.read(t, 10, nil), 25)
	assert.Equal(t, []string{"0+10", "9+11", "19+11"}, b.log)
	b = &book{ids: numbers(1, 1000)}
	assert.Len(t, b.read(t, 500, nil), 1000)
	assert.Equal(t, []string{"0+500", "499+500", "998+500"}, b.log, "never more than 500")
}

func TestAShiftIsMadeGood(t *testing.T) {
	cases := []struct {
		name   string
		ids    []int
		change func(ids []int) []int
		log    []string
	}{
		{"one before the place is gone", numbers(1, 25), func(ids []int) []int { return ids[1:] }, []string{"0+10", "9+11", "0+11", "10+11", "20+11"}},
		{"the last one given is gone", numbers(1, 25), func(ids []int) []int { return slices.Delete(ids, 9, 10) }, nil},
		{"all that were given are gone", numbers(1, 25), func(ids []int) []int { return ids[10:] }, nil},
		{"all but the last few are gone", numbers(1, 25), func(ids []int) []int { return ids[23:] }, nil},
		{"some came in before the place", numbers(101, 125), func(ids []int) []int { return append(numbers(1, 30), ids...) }, nil},
		{"the last one given is gone and another came in", numbers(101, 125), func(ids []int) []int { return append([]int{1}, slices.Delete(ids, 9, 10)...) }, nil},
		{"no order, one is gone", []int{9, 3, 7, 1, 8, 2, 6, 4, 5, 30, 23, 41, 11, 17, 13, 12}, func(ids []int) []int { return ids[1:] }, nil},
		{"no order, the last one given is gone", []int{9, 3, 7, 1, 8, 2, 6, 4, 5, 30, 23, 41, 11, 17, 13, 12}, func(ids []int) []int { return slices.Delete(ids, 9, 10) }, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := &book{ids: slices.Clone(c.ids)}
			want := c.change(slices.Clone(c.ids))
			got := b.read(t, 10, func(page int) {
				b.mu.Lock()
				defer b.mu.Unlock()
				if page == 1 {
					b.ids = want
				}
			})
			for _, id := range want {
				if slices.Contains(c.ids, id) {
					assert.Contains(t, got, strconv.Itoa(id))
				}
			}
			if c.log != nil {
				assert.Equal(t, c.log, b.log)
			}
		})
	}
}

func TestAListInNoOrderAtAllEnds(t *testing.T) {
	b := &book{ids: numbers(1, 40)}
	got := b.read(t, 10, func(int) {
		b.mu.Lock()
		defer b.mu.Unlock()
		slices.Reverse(b.ids[3:])
		b.ids = append(b.ids[7:], b.ids[:7]...)
	})
	assert.GreaterOrEqual(t, len(got), 40)
}

func TestAListOfAHundredCostsTwoCalls(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	for n := range 70 {
		_, _, err := h.Create(t, crm.Contact{FirstName: new("N"), LastName: new(strconv.Itoa(n)), Account: &crm.AccountReference{ID: new("145678902")}})
		require.NoError(t, err)
	}
	routes := k.Calls(func() {
		page, err := h.Page(t, sdk.ListQuery{PageSize: 100})
		require.NoError(t, err)
		require.Len(t, page.Records, 100)
	})
	assert.Equal(t, []string{"GET /v3.1/Contacts", "GET /v3.1/Organisations"}, routes[:2])
	assert.LessOrEqual(t, len(routes), 3, "the page, the organisations, and the one that is gone: %v", routes)
	assert.Equal(t, []string{"GET /v3.1/Contacts"}, k.Calls(func() {
		_, err := h.Page(t, sdk.ListQuery{PageSize: 100})
		require.NoError(t, err)
	}), "the names are known for a while")
}

func TestTheFirstSecondOfASpanIsPartOfIt(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	contact, err := h.Get(t, "312345010")
	require.NoError(t, err)
	at := contact.UpdatedAt.Format(time.RFC3339)
	got, err := h.All(t, sdk.ListQuery{PageSize: 100, Filters: since(at)}, nil)
	require.NoError(t, err)
	assert.Contains(t, idsOf(got), "312345010", "updated_after_utc leaves out its own second")
	calls := k.Emulator.Calls()
	query := calls[len(calls)-1].Query
	for _, c := range calls {
		if strings.HasSuffix(c.Path, "/Search") {
			query = c.Query
		}
	}
	assert.Contains(t, query, "updated_after_utc="+strings.ReplaceAll(contact.UpdatedAt.Add(-time.Second).Format(time.RFC3339), ":", "%3A"))
}

func TestTimesThatNoVendorTakesAreLeftOut(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	for _, at := range []string{"0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"} {
		_, err := h.All(t, sdk.ListQuery{PageSize: 100, Filters: since(at)}, nil)
		require.NoError(t, err, at)
	}
}

func TestTwoFieldsAtOnceAreRefused(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	k.RequireNoCalls(t, func() {
		_, err := h.Page(t, sdk.ListQuery{PageSize: 5, Filters: sdk.Filters{{Field: "first_name", Operator: sdk.Equal, Value: "Ada"}, {Field: "updated_at", Operator: sdk.Less, Value: "2025-01-01T00:00:00Z"}, {Field: "phone_numbers.number", Operator: sdk.Equal, Value: "1"}}})
		e := providertest.RequireReason(t, err, errs.Unsupported)
		assert.Equal(t, map[string]string{"phone_numbers.number": "Insightly searches by one field at a time"}, fieldPaths(e))
	})
}

func TestANumberIsFoundInEveryFieldForOne(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	for n := range 6 {
		found, err := h.All(t, sdk.ListQuery{PageSize: 5, Filters: sdk.Filters{{Field: "phone_numbers.number", Operator: sdk.Equal, Value: fmt.Sprintf("+1 202 555 017%d", n+1)}}}, nil)
		require.NoError(t, err)
		assert.Contains(t, idsOf(found), "312900001")
	}
}

func TestThePlainListIsNeverAskedToFilter(t *testing.T) {
	k := start(t, nil) // it would ignore a filter in silence
	h := k.Host(t)
	for _, filter := range provider.Contacts.List.Filters {
		value := "x"
		if filter.Field == "updated_at" {
			value = "2099-01-01T00:00:00Z"
		}
		for _, route := range k.Calls(func() {
			found, err := h.All(t, sdk.ListQuery{PageSize: 100, Filters: sdk.Filters{{Field: filter.Field, Operator: sdk.Equal, Value: value}}}, nil)
			require.NoError(t, err)
			assert.Empty(t, found)
		}) {
			assert.Equal(t, "GET /v3.1/Contacts/Search", route)
		}
	}
}

func TestTheCallersQueryCannotWidenASearch(t *testing.T) {
	k := start(t, nil)
	k.RequireNoCalls(t, func() {
		for _, name := range []string{"field_name", "field_value", "updated_after_utc", "skip", "top"} {
			for _, filters := range []sdk.Filters{nil, since("2024-01-01T00:00:00Z")} {
				_, err := listContacts(providertest.Context(t), k.Call(t, vendorhttp.Param{Name: name, Value: "x"}), sdk.ListQuery{PageSize: 5, Filters: filters})
				providertest.RequireReason(t, err, errs.InvalidParameter)
			}
		}
	})
}

// thousand are ids that no contact has.
func thousand() (ids []string) {
	for n := range 1000 {
		ids = append(ids, strconv.Itoa(390000000+n))
	}
	return ids
}

func TestABatchOfAThousandTellsWhatTheTimeDidNotSufficeFor(t *testing.T) {
	k := start(t, nil)
	ids := append([]string{"312345001"}, thousand()[1:]...)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	outcomes, err := provider.Contacts.BatchDelete.Do(ctx, k.Call(t), ids)
	require.NoError(t, err)
	require.Len(t, outcomes, 1000)
	require.NoError(t, outcomes[0].Err)
	asked, open := 0, 0
	for i, outcome := range outcomes[1:] {
		assert.Equal(t, ids[i+1], outcome.ID)
		switch {
		case errs.Is(outcome.Err, errs.RecordNotFound):
			asked++
		case errs.Is(outcome.Err, errs.OutcomeUnknown): // under way when the time ended: it may have arrived
			open++
		default:
			providertest.RequireReason(t, outcome.Err, errs.VendorTimeout)
		}
	}
	calls := len(k.Emulator.Calls())
	assert.GreaterOrEqual(t, calls, asked+1)
	assert.LessOrEqual(t, calls, asked+1+open, "what is told to be untouched was not asked for")
	assert.LessOrEqual(t, calls, 40, "ten a second for three seconds")
}
