package main

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
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

// record is a contact of a list, made at a second of one minute.
func record(id string, second int) string {
	return fmt.Sprintf(`{"id":%q,"createdDate":"2024-01-09T08:00:%02d.000Z"}`, id, second)
}

const minute = "2024-01-09T08:00:"

func TestListEndsWhereItShould(t *testing.T) {
	cases := []struct {
		name, paging string
		got          int // contacts, a second apart
		more         bool
	}{
		{"a full page short of the total", `{"total":3}`, 2, true},
		{"a full page up to the total", `{"total":2,"tooManyToCount":false}`, 2, false},
		{"a short page short of the total", `{"total":3}`, 1, true},
		{"an empty page short of the total ends all the same", `{"total":3}`, 0, false},
		{"a full page with a total that cannot be trusted", `{"total":2,"tooManyToCount":true}`, 2, true},
		{"a full page with a total of 0", `{"total":0}`, 2, true},
		{"a short page with a total that cannot be trusted", `{"total":9,"tooManyToCount":true}`, 1, false},
		{"a full page without a total", `{}`, 2, true},
		{"no metadata", `null`, 2, true},
		{"odd metadata", `"none"`, 1, false},
		{"odd values", `{"count":null,"total":{},"tooManyToCount":null}`, 2, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			k := start(t, nil)
			var contacts []string
			for i := range c.got {
				contacts = append(contacts, record(fmt.Sprint(i), i))
			}
			require.NoError(t, k.Emulator.Inject(kit.Match{}, answer(`{"contacts":[`+strings.Join(contacts, ",")+`],"pagingMetadata":`+c.paging+`}`), 1))
			page, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 2})
			require.NoError(t, err)
			assert.Len(t, page.Records, c.got)
			assert.Equal(t, c.more, page.Next != "")
		})
	}
}

func TestTheNextPageBeginsWithTheInstantOfTheLastContact(t *testing.T) {
	page := func(seconds ...int) (records []contact) {
		for i, second := range seconds {
			raw := json.RawMessage(record(fmt.Sprint(i), second))
			if second < 0 {
				raw = json.RawMessage(`{"id":"x","createdDate":"once"}`)
			}
			c, err := contactFrom(raw)
			require.NoError(t, err)
			records = append(records, c)
		}
		return records
	}
	many := make([]int, mostGiven+1)
	cases := []struct {
		name string
		page []contact
		from position
		want position
	}{
		{"each of its own", page(1, 2, 3), position{}, position{At: minute + "03.000Z", Given: []string{"2"}}},
		{"two of one instant", page(1, 2, 2), position{}, position{At: minute + "02.000Z", Given: []string{"1", "2"}}},
		{"newest first", page(9, 8, 7), position{}, position{At: minute + "07.000Z", Given: []string{"2"}}},
		{"the same instant again", page(2, 2), position{At: minute + "02.000Z", Given: []string{"a", "0"}}, position{At: minute + "02.000Z", Given: []string{"a", "0", "1"}}},
		{"too many of one instant to name", page(many...), position{}, position{At: minute + "00.000Z", Offset: mostGiven + 1}},
		{"too many in the end", page(many...), position{At: minute + "00.000Z", Given: []string{"0", "1"}}, position{At: minute + "00.000Z", Offset: mostGiven + 1}},
		{"more of them", page(0, 0), position{At: minute + "00.000Z", Offset: 20}, position{At: minute + "00.000Z", Offset: 22}},
		{"their end", page(0, 1), position{At: minute + "00.000Z", Offset: 20}, position{At: minute + "01.000Z", Given: []string{"1"}}},
		{"no time to go by", page(1, -1), position{}, position{Offset: 2}},
		{"nor any further on", page(1, -1), position{At: minute + "00.000Z", Offset: 3}, position{At: minute + "00.000Z", Offset: 5}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			next := c.from.behind(c.page)
			assert.Equal(t, c.want, next)
			assert.True(t, next.valid())
		})
	}
}

// A site can have imported everybody at once.
func TestContactsOfOneInstantAreAllGivenOnce(t *testing.T) {
	for _, count := range []int{7, 40} {
		var all []string
		for i := range count {
			all = append(all, record(fmt.Sprintf("c%02d", i), 0))
		}
		all = append(all, record("last", 1))
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var body struct {
				Query struct {
					Filter map[string]map[string]string
					Paging struct{ Limit, Offset int }
				}
			}
			assert.NoError(t, json.NewDecoder(r.Body).Decode(&body))
			assert.Contains(t, []string{"", minute + "00.000Z"}, body.Query.Filter["createdDate"]["$gte"])
			page := all[min(body.Query.Paging.Offset, len(all)):]
			page = page[:min(body.Query.Paging.Limit, len(page))]
			_, _ = fmt.Fprintf(w, `{"contacts":[%s],"pagingMetadata":{"total":%d}}`, strings.Join(page, ","), len(all))
		}))
		t.Cleanup(server.Close)
		for _, size := range []int{1, 3, 4, 9, 40, 41, 1000} {
			var ids []string
			for query := (sdk.ListQuery{PageSize: size}); ; {
				page, err := listContacts(providertest.Context(t), sdk.NewCall(provider, "api_key", json.RawMessage(credentials), server.URL), query)
				require.NoError(t, err)
				for _, c := range page.Records {
					ids = append(ids, *c.ID)
				}
				if query.PageToken = page.Next; page.Next == "" {
					break
				}
			}
			assert.Len(t, slices.Compact(slices.Sorted(slices.Values(ids))), count+1, "pages of %d", size)
			assert.Len(t, ids, count+1, "pages of %d", size)
		}
	}
}

func TestDeletionsBetweenPagesPassNobodyOver(t *testing.T) {
	for _, descending := range []bool{false, true} {
		for _, lag := range []int{1, 2, 5} {
			k := start(t, nil)
			h := k.Host(t)
			query := sdk.ListQuery{PageSize: 5, Sort: []sdk.SortKey{{Field: "created_at", Descending: descending}}}
			everybody, err := h.All(t, query, nil)
			require.NoError(t, err)
			gone := map[string]bool{}
			got, err := h.All(t, query, func(page int) {
				for _, at := range []int{5*page - lag, 5*page + lag} { // the last one given among them
					if at < len(everybody) && !gone[*everybody[at].ID] {
						if _, err := h.Delete(t, *everybody[at].ID); err == nil {
							gone[*everybody[at].ID] = true
						}
					}
				}
			})
			require.NoError(t, err)
			require.NotEmpty(t, gone)
			seen := map[string]bool{}
			for _, c := range got {
				seen[*c.ID] = true
			}
			for _, c := range everybody {
				assert.True(t, seen[*c.ID] || gone[*c.ID], "%s was passed over", *c.ID)
			}
		}
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
		"%%%", "e30x", sdk.EncodeToken("x"), sdk.EncodeToken(nil) + "AA", sdk.EncodeToken(map[string]any{"o": 1, "sort": 1}), sdk.EncodeToken(map[string]any{"o": 1e30}), sdk.EncodeToken(map[string]any{"a": 7}),
		sdk.EncodeToken(position{Offset: -1}), sdk.EncodeToken(position{Offset: math.MaxInt}), sdk.EncodeToken(position{pass: pass{Number: -1}}), sdk.EncodeToken(position{pass: pass{Number: maxPasses + 1}}),
		sdk.EncodeToken(position{At: "yesterday"}), sdk.EncodeToken(position{Given: []string{"a"}}), sdk.EncodeToken(position{At: minute + "01Z", Given: make([]string, mostGiven+1)}),
	} {
		for _, filters := range []sdk.Filters{nil, {{Field: "phone_numbers.number", Operator: sdk.Equal, Value: "+12025550100"}}} {
			_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5, PageToken: token, Filters: filters})
			providertest.RequireReason(t, err, errs.InvalidParameter)
		}
	}
	assert.Empty(t, k.Emulator.Calls())
}

func TestATokenOfLargerPagesDoesNotOverfillASmallOne(t *testing.T) {
	k := start(t, nil)
	everybody := k.List(t, 100)
	first, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 20})
	require.NoError(t, err)
	page, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 3, PageToken: first.Next})
	require.NoError(t, err)
	require.Len(t, page.Records, 3)
	assert.Equal(t, *everybody[20].ID, *page.Records[0].ID)
}

func TestAListOfAHundredCostsOneCall(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	_, err := h.Get(t, plainID) // the names of the labels are at hand from here on
	require.NoError(t, err)
	assert.Equal(t, []string{"POST /contacts/v4/contacts/query"}, k.Calls(func() {
		_, err := h.Page(t, sdk.ListQuery{PageSize: 100})
		require.NoError(t, err)
	}))
	assert.JSONEq(t, `{"query":{"sort":[{"fieldName":"createdDate","order":"ASC"}],"paging":{"limit":100,"offset":0},"fieldsets":["FULL"]}}`, k.Emulator.Calls()[len(k.Emulator.Calls())-1].Body)
}

func TestThePageCapIsTheVendors(t *testing.T) {
	k := start(t, nil)
	_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: provider.Contacts.List.PageCap})
	require.NoError(t, err)
	assert.Contains(t, k.Emulator.Calls()[0].Body, `"limit":1000`)
}

func TestRemoteQueryReachesTheVendorButWhatHasNoEffectIsRefused(t *testing.T) {
	k := start(t, nil)
	_, err := listContacts(providertest.Context(t), k.Call(t, vendorhttp.Param{Name: "a[b]", Value: "c d"}), sdk.ListQuery{PageSize: 5})
	require.NoError(t, err)
	query, err := url.ParseQuery(k.Emulator.Calls()[0].Query)
	require.NoError(t, err)
	assert.Equal(t, url.Values{"a[b]": {"c d"}}, query)
	for _, name := range []string{"paging.limit", "paging.offset", "Paging.Limit", "sort.fieldName", "sort.order", "fields", "fieldsets"} {
		_, err := listContacts(providertest.Context(t), k.Call(t, vendorhttp.Param{Name: name, Value: "1"}), sdk.ListQuery{PageSize: 5})
		providertest.RequireReason(t, err, errs.InvalidParameter)
	}
	contact, err := getContact(providertest.Context(t), k.Call(t, vendorhttp.Param{Name: "fieldsets", Value: "BASIC"}), plainID)
	require.NoError(t, err)
	assert.Equal(t, "0", *contact.ETag, "id and revision come with any fieldset")
	assert.Empty(t, contact.Tags)
}

func TestOneSortKeyAtATime(t *testing.T) {
	k := start(t, nil)
	k.RequireNoCalls(t, func() {
		_, err := k.Host(t).Page(t, sdk.ListQuery{PageSize: 5, Sort: []sdk.SortKey{{Field: "last_name"}, {Field: "first_name"}}})
		e := providertest.RequireReason(t, err, errs.Unsupported)
		assert.Equal(t, "sort_by", e.Fields[0].Path)
		_, err = k.Host(t).Page(t, sdk.ListQuery{PageSize: 5, Sort: []sdk.SortKey{{Field: "updated_at"}}})
		providertest.RequireReason(t, err, errs.Unsupported) // Wix filters by updatedDate but cannot sort by it
	})
}

func TestAnyAddressAndAnyNumberIsFound(t *testing.T) {
	h := start(t, nil).Host(t)
	for filter, value := range map[string]string{"email_addresses.email": "home2@example.com", "phone_numbers.number": "+44 7700 900001"} {
		got, err := h.All(t, sdk.ListQuery{PageSize: 5, Filters: sdk.Filters{{Field: filter, Operator: sdk.Equal, Value: value}}}, nil)
		require.NoError(t, err)
		require.Len(t, got, 1, "%s is not the primary one", value)
		assert.Equal(t, "Bruno", *got[0].FirstName)
	}
}

func TestANumberInE164IsFoundHoweverItIsWritten(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	made, _, err := h.Create(t, crm.Contact{LastName: new("Quill"), PhoneNumbers: []crm.PhoneNumber{{Number: new("+447700900123")}}})
	require.NoError(t, err)
	k.GoldenRequests(t, "list-by-number", func() {
		got, err := h.All(t, sdk.ListQuery{PageSize: 5, Filters: sdk.Filters{{Field: "phone_numbers.number", Operator: sdk.Equal, Value: "+447700900123"}}}, nil)
		require.NoError(t, err)
		require.Len(t, got, 1)
		assert.Equal(t, *made.ID, *got[0].ID)
	})
	got, err := h.All(t, sdk.ListQuery{PageSize: 5, Filters: sdk.Filters{{Field: "phone_numbers.number", Operator: sdk.Equal, Value: "+447700900001"}}}, nil)
	require.NoError(t, err)
	require.Len(t, got, 1)
	assert.Equal(t, "+44 7700 900001", *got[0].PhoneNumbers[1].Number)
}

func TestSearchIsForTheWholeOfANameAnAddressOrANumber(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	search := func(text string) []crm.Contact {
		got, err := h.All(t, sdk.ListQuery{PageSize: 5, Filters: sdk.Filters{{Field: "search", Operator: sdk.Equal, Value: text}}}, nil)
		require.NoError(t, err)
		return got
	}
	assert.Len(t, search("Maud"), 1)
	assert.Len(t, search("home2@example.com"), 1)
	assert.Len(t, search("+44 7700 900001"), 1)
	assert.Empty(t, search("Mau"))
	_, err := h.Page(t, sdk.ListQuery{PageSize: 5, Filters: sdk.Filters{{Field: "search", Operator: sdk.Equal, Value: strings.Repeat("x", 101)}}})
	e := providertest.RequireReason(t, err, errs.VendorRejected)
	assert.Equal(t, "search", e.Fields[0].Path)
}

// A contact that is updated while the list is read may have been made before
// the place that was reached; it must not be missing for that.
func TestWhoIsUpdatedBehindThePlaceThatWasReachedIsReadInAFurtherPass(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	everybody := k.List(t, 100)
	since := time.Now().Add(-time.Minute).UTC().Format(time.RFC3339)
	touch := func(c crm.Contact) {
		_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: *c.ID, Record: crm.Contact{Title: new("touched")}})
		require.NoError(t, err)
	}
	for _, c := range everybody[10:25] {
		touch(c)
	}
	for _, sort := range [][]sdk.SortKey{nil, {{Field: "created_at", Descending: true}}, {{Field: "title"}}} {
		behind := []crm.Contact{everybody[0], everybody[30]}
		calls := k.Calls(func() {
			got, err := h.All(t, sdk.ListQuery{PageSize: 5, Sort: sort, Filters: sdk.Filters{{Field: "updated_at", Operator: sdk.Greater, Value: since}}}, func(page int) {
				if page == 2 {
					touch(behind[0])
					touch(behind[1])
				}
			})
			require.NoError(t, err)
			var ids []string
			for _, c := range got {
				ids = append(ids, *c.ID)
			}
			for _, c := range slices.Concat(everybody[10:25], behind) {
				assert.Contains(t, ids, *c.ID)
			}
		})
		assert.LessOrEqual(t, len(calls), 30, "what was updated of late once more, what was updated meanwhile, and that again")
	}
	// A span that ended before the list began gains nobody, and one page is whole.
	for _, filters := range []sdk.Filters{
		{{Field: "updated_at", Operator: sdk.Greater, Value: "2024-01-01T00:00:00Z"}, {Field: "updated_at", Operator: sdk.Less, Value: "2024-06-01T00:00:00Z"}},
		{{Field: "updated_at", Operator: sdk.Less, Value: "2024-06-01T00:00:00Z"}},
	} {
		calls := k.Calls(func() {
			got, err := h.All(t, sdk.ListQuery{PageSize: 10, Filters: filters}, nil)
			require.NoError(t, err)
			assert.Len(t, got, 17)
		})
		assert.Len(t, calls, 2)
	}
	assert.Len(t, k.Calls(func() {
		_, err := h.All(t, sdk.ListQuery{PageSize: 100, Filters: sdk.Filters{{Field: "updated_at", Operator: sdk.Greater, Value: since}}}, nil)
		require.NoError(t, err)
	}), 1)
}

func TestAnAnswerWithoutADateIsDatedByOurOwnClock(t *testing.T) {
	assert.WithinDuration(t, time.Now().Add(-time.Minute), dateOf(&vendorhttp.Response{}), 5*time.Second)
	got := dateOf(&vendorhttp.Response{Header: map[string][]string{"Date": {"Tue, 05 Mar 2024 09:10:11 GMT"}}})
	assert.Equal(t, "2024-03-05T09:09:11.000Z", stamp(got))
}

func TestInstantsAreSentInTheVendorsForm(t *testing.T) {
	filter := filterOf(sdk.Filters{
		{Field: "created_at", Operator: sdk.GreaterOrEqual, Value: "2024-03-05T10:10:11.1239+01:00"},
		{Field: "created_at", Operator: sdk.Less, Value: "2024-03-06T00:00:00Z"},
		{Field: "last_activity_at", Operator: sdk.Equal, Value: "2024-03-05T09:10:11Z"},
	}, "")
	body, err := filter.MarshalJSON()
	require.NoError(t, err)
	assert.JSONEq(t, `{"createdDate":{"$gte":"2024-03-05T09:10:11.123Z","$lte":"2024-03-06T00:00:00.000Z"},"lastActivity.activityDate":{"$gte":"2024-03-05T09:10:11.000Z","$lte":"2024-03-05T09:10:11.000Z"}}`, string(body))
}
