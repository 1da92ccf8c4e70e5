package emulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// metaOf reads meta, -1 for what is absent.
func metaOf(t *testing.T, r reply) (pages, total int) {
	t.Helper()
	meta, fine := r.object(t).Get("meta").(*kit.Object)
	require.True(t, fine, "%s", r.body)
	read := func(key string) int {
		n, isNumber := meta.Get(key).(json.Number)
		if !isNumber {
			return -1
		}
		v, _ := strconv.Atoi(n.String())
		return v
	}
	return read("total_pages"), read("total")
}

func TestAPagingWalkSeesEveryLivingContactOnce(t *testing.T) {
	for _, query := range []string{"", "&per_page=7", "&per_page=100", "&per_page=11&sort=updated_at&sort_type=desc", "&per_page=11&sort=last_contacted&sort_type=asc"} {
		s := start(t, 40, nil)
		var ids []string
		for page := 1; ; page++ {
			r := call(t, s, "GET", fmt.Sprintf("%s/contacts/view/%s?page=%d%s", api, allView, page, query), "")
			require.Equal(t, http.StatusOK, r.status)
			pages, total := metaOf(t, r)
			assert.Equal(t, 43, total)
			ids = append(ids, idsOf(t, r, "contacts")...)
			if page >= pages {
				break
			}
		}
		assert.Len(t, ids, 43, query)
		slices.Sort(ids)
		assert.Len(t, slices.Compact(ids), 43, query)
		assert.NotContains(t, ids, contactID(43), "a soft-deleted contact is in the bin alone")
	}
}

func TestThePageAfterTheLastIsEmptyAndKeepsTheTotals(t *testing.T) {
	s := start(t, 30, nil)
	r := call(t, s, "GET", api+"/contacts/view/"+allView+"?page=3", "")
	pages, total := metaOf(t, r)
	assert.Equal(t, []int{2, 33}, []int{pages, total})
	assert.Empty(t, idsOf(t, r, "contacts"))
}

func TestAnEmptyViewHasNoPages(t *testing.T) {
	s := start(t, 0, nil)
	for _, view := range []string{allView, binView} {
		r := call(t, s, "GET", api+"/contacts/view/"+view, "")
		pages, total := metaOf(t, r)
		assert.Equal(t, []int{0, 0}, []int{pages, total})
		assert.Contains(t, string(r.body), `"contacts":[]`)
	}
}

func TestPagingParametersAreClampedOrRefused(t *testing.T) {
	cases := []struct {
		query string
		count int
	}{{"per_page=1000", 100}, {"per_page=101", 100}, {"per_page=0", 25}, {"per_page=x", 25}, {"page=0", 25}, {"page=-1", 25}, {"page=x", 25}, {"per_page=99999999999999999999", 25}}
	s := start(t, 120, nil)
	for _, c := range cases {
		r := call(t, s, "GET", api+"/contacts/view/"+allView+"?"+c.query, "")
		assert.Len(t, idsOf(t, r, "contacts"), c.count, c.query)
	}
	require.NoError(t, s.SetSwitch("paging_out_of_range", "400"))
	for _, c := range cases {
		requireError(t, call(t, s, "GET", api+"/contacts/view/"+allView+"?"+c.query, ""), http.StatusBadRequest, "")
	}
	assert.Equal(t, http.StatusOK, call(t, s, "GET", api+"/contacts/view/"+allView+"?page=1&per_page=100", "").status)
}

func TestSortingGoesBothWaysWithEmptyValuesLast(t *testing.T) {
	s := start(t, 30, nil)
	for _, key := range sortKeys {
		for _, direction := range []string{"asc", "desc"} {
			r := call(t, s, "GET", fmt.Sprintf("%s/contacts/view/%s?per_page=100&sort=%s&sort_type=%s", api, allView, key, direction), "")
			var last any = ""
			for at, item := range r.object(t).Get("contacts").([]any) {
				value := item.(*kit.Object).Get(key)
				if at > 0 && value != nil {
					require.NotNil(t, last, "%s %s: a value after an empty one", key, direction)
					order := compareValues(last, value)
					if direction == "desc" {
						order = -order
					}
					assert.LessOrEqual(t, order, 0, "%s %s: %v before %v", key, direction, last, value)
				}
				last = value
			}
		}
	}
}

func TestUnknownQueryValuesAreIgnoredOrRefused(t *testing.T) {
	s := start(t, 3, nil)
	for _, query := range []string{"sort=shoe_size", "sort=id&sort_type=sideways", "include=shoes", "include=owner,shoes"} {
		require.NoError(t, s.SetSwitch("unknown_query_value", "ignored"))
		assert.Equal(t, http.StatusOK, call(t, s, "GET", api+"/contacts/view/"+allView+"?"+query, "").status, query)
		require.NoError(t, s.SetSwitch("unknown_query_value", "400"))
		requireError(t, call(t, s, "GET", api+"/contacts/view/"+allView+"?"+query, ""), http.StatusBadRequest, "is invalid")
	}
	assert.Equal(t, http.StatusOK, call(t, s, "GET", api+"/contacts/"+firstContact+"?include=owner,source,updater,deals,tasks,campaign,territory&colour=red", "").status,
		"plausible includes and unknown parameters pass")
}

func TestViewsMoveAndAreRenamedBySwitch(t *testing.T) {
	s := start(t, 3, nil)
	names := func() (out []string) {
		for _, item := range call(t, s, "GET", api+"/contacts/filters", "").object(t).Get("filters").([]any) {
			v := item.(*kit.Object)
			out = append(out, fmt.Sprint(v.Text("name"), " ", v.Get("id"), " ", v.Get("is_default")))
		}
		return out
	}
	assert.Equal(t, []string{"My Contacts 70008880001 false", "All Contacts 70008880002 true", "Recycle Bin 70008880003 false"}, names())
	require.NoError(t, s.SetSwitch("all_contacts_view", "renamed"))
	assert.Equal(t, "Everyone 70008880002 true", names()[1])
	require.NoError(t, s.SetSwitch("all_contacts_view", "not_default"))
	assert.Equal(t, []string{"My Contacts 70008880001 true", "All Contacts 70008880002 false"}, names()[:2])
	require.NoError(t, s.SetSwitch("view_ids", "second"))
	require.NoError(t, s.SetSwitch("unknown_id", "403"))
	requireError(t, call(t, s, "GET", api+"/contacts/view/"+allView, ""), http.StatusNotFound, "")
	assert.Equal(t, http.StatusOK, call(t, s, "GET", api+"/contacts/view/70008880502", "").status)
}

func TestMyContactsAreThoseOfTheKeysUser(t *testing.T) {
	s := start(t, 10, nil)
	_, total := metaOf(t, call(t, s, "GET", api+"/contacts/view/70008880001", ""))
	assert.Equal(t, 5, total)
}

func TestIncludeDecidesWhatShows(t *testing.T) {
	s := start(t, 30, nil)
	plain := call(t, s, "GET", api+"/contacts/"+firstContact, "")
	for _, key := range []string{"owner_id", "sales_accounts", "contact_status_id", "lifecycle_stage_id", "creater_id", "appointment_ids"} {
		assert.False(t, plain.contact(t).Has(key), key)
	}
	assert.Equal(t, []string{"contact"}, plain.object(t).Keys())
	full := call(t, s, "GET", api+"/contacts/"+firstContact+"?include=owner,sales_accounts,contact_status,creater,appointments,notes", "")
	assert.Equal(t, json.Number("70000038922"), full.contact(t).Get("owner_id"))
	link := full.contact(t).Get("sales_accounts").([]any)[0].(*kit.Object)
	assert.Equal(t, []any{true, "Quill Ltd", true}, []any{link.Get("partial"), link.Get("name"), link.Get("is_primary")})
	assert.Equal(t, []string{"contact", "users", "contact_status", "appointments", "outcomes", "notes"}, full.object(t).Keys())
	assert.Len(t, full.object(t).Get("users"), 1, "owner and creater are one user")

	nobodys := call(t, s, "GET", api+"/contacts/"+contactID(17)+"?include=owner,sales_accounts", "")
	assert.Nil(t, nobodys.contact(t).Get("owner_id"))
	assert.True(t, nobodys.contact(t).Has("owner_id"))
	assert.Contains(t, string(nobodys.body), `"sales_accounts":[]`)

	list := call(t, s, "GET", api+"/contacts/view/"+allView+"?include=owner", "")
	assert.Equal(t, []string{"contacts", "users", "meta"}, list.object(t).Keys())
	assert.Len(t, list.object(t).Get("users"), 2)
}

func TestAccountsShowTheirOwnerAlways(t *testing.T) {
	s := start(t, 0, nil)
	r := call(t, s, "GET", api+"/sales_accounts/view/70008890002", "")
	_, total := metaOf(t, r)
	assert.Equal(t, 10, total)
	for _, item := range r.object(t).Get("sales_accounts").([]any) {
		assert.NotNil(t, item.(*kit.Object).Get("owner_id"))
	}
	_, total = metaOf(t, call(t, s, "GET", api+"/sales_accounts/view/70008890003", ""))
	assert.Equal(t, 1, total)
}
