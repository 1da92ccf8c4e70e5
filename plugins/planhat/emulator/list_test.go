package emulator

import (
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAWalkMeetsEveryVisibleEnduserOnce(t *testing.T) {
	for name, switches := range map[string]map[string]string{
		"as it is":                       nil,
		"with an unstable default order": {"default_order": "unstable"},
		"with a cap below the limit":     {"limit_cap": "3"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, seeded, switches)
			seen := map[any]int{}
			offset := 0
			for {
				page := s.list(fmt.Sprintf("/endusers?limit=7&sort=_id&offset=%d", offset))
				if len(page) == 0 {
					break
				}
				offset += len(page)
				for _, record := range page {
					seen[record["_id"]]++
				}
			}
			assert.Len(t, seen, seeded+awkward-1, "all but the archived one")
			for id, times := range seen {
				assert.Equal(t, 1, times, "%v", id)
			}
			assert.NotContains(t, seen, awkwardID(1))
		})
	}
}

func TestAwkwardEndusersComeLast(t *testing.T) {
	s := start(t, seeded, nil)
	for _, order := range []string{"", "&sort=_id", "&sort=createdAt", "&sort=updatedAt"} {
		all := s.list("/endusers?limit=1000" + order)
		require.Len(t, all, seeded+awkward-1)
		assert.Equal(t, "Twinone Awkward", all[seeded]["name"], order)
	}
}

func TestTheFirstTenEndusersAreFull(t *testing.T) {
	s := start(t, seeded, nil)
	all := s.list("/endusers?limit=10&sort=_id")
	for _, record := range all {
		for key, value := range record {
			assert.NotNil(t, value, key)
			assert.NotEqual(t, "", value, key)
		}
		assert.Len(t, record, len(all[0]))
		assert.Len(t, record["custom"], 6)
	}
	assert.Equal(t, "Ada Quill", all[0]["name"])
}

func TestLimitAndOffset(t *testing.T) {
	s := start(t, 210, nil)
	for query, want := range map[string]int{
		"":                  100,
		"?limit=7":          7,
		"?limit=5000":       210 + awkward - 1,
		"?limit=999999":     210 + awkward - 1,
		"?offset=215":       210 + awkward - 1 - 215,
		"?offset=999999999": 0,
		"?limit=&offset=":   100,
		"?cursor=x&limit=2": 2,
	} {
		assert.Len(t, s.list("/endusers"+query), want, query)
	}
	for _, query := range []string{"?limit=0", "?limit=-1", "?limit=x", "?offset=-1", "?offset=1.5", "?limit=99999999999999999999"} {
		require.NoError(t, s.SetSwitch("bad_paging", "400"))
		assert.Equal(t, 400, s.call("GET", "/endusers"+query, "").status, query)
		require.NoError(t, s.SetSwitch("bad_paging", "ignored"))
		assert.Len(t, s.list("/endusers"+query), 100, query)
	}
	require.NoError(t, s.SetSwitch("limit_cap", "50"))
	assert.Len(t, s.list("/endusers"), 50)
	assert.Len(t, s.list("/endusers?limit=60"), 50)
	require.NoError(t, s.SetSwitch("over_cap", "400"))
	assert.Equal(t, 400, s.call("GET", "/endusers?limit=60", "").status)
	assert.Len(t, s.list("/endusers?limit=50"), 50)
	require.NoError(t, s.SetSwitch("limit_cap", "nonsense"))
	assert.Len(t, s.list("/endusers?limit=150"), 150)
	require.NoError(t, s.SetSwitch("unknown_query", "400"))
	assert.Equal(t, 400, s.call("GET", "/endusers?cursor=x", "").status)
	assert.Equal(t, 400, s.call("GET", "/users?email=x", "").status)
	assert.Equal(t, 400, s.call("GET", "/leancompanies?limit=1", "").status)
	assert.Equal(t, 200, s.call("GET", "/endusers?limit=1&offset=0&sort=_id&select=_id&companyId=x&email=y", "").status)
}

func TestSortGoesByOneCaseSensitiveProperty(t *testing.T) {
	s := start(t, seeded, nil)
	ids := func(query string) []any { return column(s.list("/endusers?limit=1000"+query), "_id") }
	ascending, descending := ids("&sort=createdAt"), ids("&sort=-createdAt")
	assert.NotEqual(t, ascending, descending)
	slices.Reverse(descending)
	assert.Equal(t, ascending, descending)
	assert.Equal(t, ids(""), ids("&sort=CreatedAt"), "a property that nobody has sorts nothing")
	assert.Nil(t, s.list("/endusers?limit=1&sort=email")[0]["email"], "absent ones come first")
	names := column(s.list("/endusers?limit=1000&sort=-convsTotal"), "convsTotal")
	assert.EqualValues(t, 6, names[0])
}

func TestDefaultOrderFollowsItsSwitch(t *testing.T) {
	s := start(t, seeded, nil)
	ids := func() []any { return column(s.list("/endusers?limit=1000"), "_id") }
	created := ids()
	assert.Equal(t, created, ids())
	require.NoError(t, s.SetSwitch("default_order", "newest"))
	newest := ids()
	slices.Reverse(newest)
	assert.Equal(t, created, newest)
	require.NoError(t, s.SetSwitch("default_order", "unstable"))
	one, two := ids(), ids()
	assert.NotEqual(t, one, two)
	assert.ElementsMatch(t, one, two)
}

func TestFiltersOfTheEnduserList(t *testing.T) {
	s := start(t, seeded, nil)
	count := func(query string) int { return len(s.list("/endusers?limit=1000&" + query)) }
	assert.Equal(t, 1, count("email=contact1@example.com"))
	assert.Equal(t, 0, count("email=CONTACT1@example.com"), "the match is exact")
	assert.Equal(t, 0, count("email=contact1@example.org"), "other e-mails do not count")
	assert.Equal(t, 2, count("email=twin@example.com"))
	assert.Equal(t, 0, count("email=archived@example.com"))
	assert.Equal(t, seeded+awkward-1, count("email="), "an empty parameter filters nothing")

	one, two := fixedID("38", 1), fixedID("38", 2)
	assert.Positive(t, count("companyId="+one))
	assert.Equal(t, count("companyId="+one)+count("companyId="+two), count("companyId="+one+","+two))
	assert.Equal(t, 0, count("companyId="+unknownID))
	assert.Equal(t, 0, count("companyId=nonsense"))
	assert.Equal(t, seeded+awkward-1, count("c="+one), "the parameter's old name is not known")
	assert.Equal(t, 1, len(s.list("/companies?companyId="+one)))
}

func TestSelectKeepsTheNamedProperties(t *testing.T) {
	s := start(t, 3, nil)
	keys := func(query string) []string {
		record := s.list("/endusers?limit=1&sort=_id" + query)[0]
		names := []string{}
		for key := range record {
			names = append(names, key)
		}
		slices.Sort(names)
		return names
	}
	all := keys("")
	assert.Equal(t, []string{"_id", "email", "tags"}, keys("&select="+url.QueryEscape("email,tags,Phone")))
	assert.Equal(t, all, keys("&select=ALL"))
	require.NoError(t, s.SetSwitch("select_id", "as_asked"))
	assert.Equal(t, []string{"email"}, keys("&select=email"))
	require.NoError(t, s.SetSwitch("list_fields", "id_and_name"))
	assert.Equal(t, []string{"_id", "name"}, keys(""))
	assert.Equal(t, all, keys("&select=ALL"))
	assert.Equal(t, []string{"email"}, keys("&select=email"))
}

func TestLastActiveFollowsItsSwitch(t *testing.T) {
	s := start(t, 1, nil)
	path := "/endusers/" + s.contact(0)
	assert.NotContains(t, s.object("GET", path, ""), "lastActive")
	require.NoError(t, s.SetSwitch("last_active", "present"))
	assert.Contains(t, s.object("GET", path, ""), "lastActive")
}
