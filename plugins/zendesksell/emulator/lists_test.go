package emulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFollowingNextPageMeetsEveryContactOnce(t *testing.T) {
	for _, perPage := range []int{1, 7, 11, 25, 44, 100} {
		api := start(t, 30)
		seen := map[string]int{}
		path := fmt.Sprintf("/v2/contacts?per_page=%d&sort_by=id", perPage)
		pages := 0
		for path != "" {
			list := api.ok("GET", path, nil)
			pages++
			for _, id := range list.ids() {
				seen[id]++
			}
			assert.Equal(t, json.Number(fmt.Sprint(len(list.ids()))), list.meta().Get("count"))
			assert.Equal(t, "collection", list.meta().Text("type"))
			assert.Equal(t, pages > 1, list.links().Has("prev_page"))
			assert.True(t, list.links().Has("self") && list.links().Has("first_page"))
			next := list.links().Text("next_page")
			assert.Equal(t, next != "", list.links().Has("next_page"), "absent on the last page, never null")
			path, _ = strings.CutPrefix(next, api.server.URL())
			assert.False(t, strings.HasPrefix(path, "http"), "links stay on the emulator")
		}
		assert.Len(t, seen, 44)
		for id, times := range seen {
			assert.Equal(t, 1, times, id)
		}
		assert.Equal(t, (44+perPage-1)/perPage, pages)
		past := api.ok("GET", fmt.Sprintf("/v2/contacts?page=%d&per_page=%d", pages+1, perPage), nil)
		assert.Empty(t, past.ids())
		assert.Equal(t, json.Number("0"), past.meta().Get("count"))
	}
}

func TestPersonsComeFirstAndOrganisationsLast(t *testing.T) {
	api := start(t, 30)
	ids := api.ok("GET", "/v2/contacts?per_page=100", nil).ids()
	for _, id := range ids[:30] {
		assert.Regexp(t, "^4000", id)
	}
	for _, id := range ids[38:] {
		assert.Regexp(t, "^9000..$", id)
	}
	assert.Len(t, api.ok("GET", "/v2/contacts", nil).ids(), 25, "the default page")
}

func TestPagingOutOfRangeIsAnErrorNotAClamp(t *testing.T) {
	api := start(t, 1)
	for _, path := range []string{"/v2/contacts", "/v2/users", "/v2/tags", "/v2/contact/custom_fields"} {
		for _, query := range []string{"per_page=0", "per_page=101", "per_page=200", "per_page=-1", "per_page=ten", "per_page=", "per_page=1.0", "page=0", "page=-1", "page=x", "page=", "page=99999999999999999999"} {
			a := api.do("GET", path+"?"+query, nil)
			assert.Equal(t, http.StatusBadRequest, a.status, path+query)
			assert.Equal(t, []string{"invalid_param"}, a.errors(), path+query)
		}
		assert.Equal(t, http.StatusOK, api.do("GET", path+"?per_page=100&page=9223372036854775807", nil).status, path)
	}
}

func TestListSwitches(t *testing.T) {
	api := start(t, 30)
	require.NoError(t, api.server.SetSwitch("last_page_link", "null"))
	require.NoError(t, api.server.SetSwitch("total_count", "present"))
	a := api.ok("GET", "/v2/contacts?per_page=100", nil)
	for _, link := range []string{"prev_page", "next_page"} {
		value, there := a.links().Lookup(link)
		assert.True(t, there, link)
		assert.Nil(t, value, link)
	}
	assert.Equal(t, json.Number("44"), api.ok("GET", "/v2/contacts?per_page=5", nil).meta().Get("total_count"))
	require.NoError(t, api.server.SetSwitch("page_depth", "2"))
	assert.Equal(t, http.StatusOK, api.do("GET", "/v2/contacts?page=2&per_page=5", nil).status)
	assert.Equal(t, http.StatusBadRequest, api.do("GET", "/v2/contacts?page=3&per_page=5", nil).status)
}

func TestFilters(t *testing.T) {
	api := start(t, 30)
	for query, want := range map[string][]string{
		"ids=900001,400003,12":                                    {"400003", "900001"},
		"email=contact1@example.com":                              {"400001", "910006"},
		"email=CONTACT1@example.com":                              {},
		"name=Ada+Quill":                                          {"400001"},
		"name=Umber+%26+Sons":                                     {"900004"},
		"first_name=Zora&last_name=Zima":                          {"910003"},
		"first_name=Zora&last_name=Zima&inclusive=true":           {"910003"},
		"first_name=Zora&last_name=Quill&inclusive=true":          {},
		"last_name=Zima&name=Quill+Ltd&inclusive=false":           {"900001", "910003"},
		"owner_id=10":                                             {"910003"},
		"creator_id=8":                                            {},
		"contact_id=999999":                                       {"910002"},
		"customer_status=current":                                 {"910001"},
		"customer_status=past":                                    {},
		"is_organization=true":                                    {"900001", "900002", "900003", "900004", "900011", "900012"},
		"is_organization=1&name=Quill+Ltd":                        {"900001"},
		"is_organization=False&last_name=Zima":                    {"910003"},
		"phone=%2B1+202+555+0100&last_name=Quill":                 {"400001"},
		"mobile=%2B44+7700+900001":                                {"400002"},
		"billing_address[city]=Bergen":                            {"910001"},
		"shipping_address[country]=IE":                            {"910001"},
		"address[postal_code]=LS1+1AA&last_name=Zadek":            {"910001"},
		"custom_fields[Shoe size [EU]]=42":                        {"910007"},
		"custom_fields[field.with.dots]=a.b":                      {"910007"},
		"custom_fields[Budget]=1000.50":                           {"400001"},
		"custom_fields[Newsletter]=false&last_name=Zylinder":      {"910007"},
		"custom_fields[Known via]=Referral&last_name=Zylinder":    {"910007"},
		"custom_fields[Interests]=Looms, used&last_name=Zylinder": {"910007"},
		"includes=anything&last_name=Zima":                        {"910003"},
		"last_name=Nobody&last_name=Zima":                         {"910003"},
	} {
		parts := strings.Split(query, "&")
		for i, part := range parts {
			if name, value, _ := strings.Cut(part, "="); strings.Contains(name, "[") {
				parts[i] = url.QueryEscape(name) + "=" + value
			}
		}
		escaped := strings.ReplaceAll(strings.Join(parts, "&"), " ", "+")
		got := api.ok("GET", "/v2/contacts?sort_by=id&per_page=100&"+escaped, nil).ids()
		assert.Equal(t, want, got, query)
	}
}

func TestIdsAreStillPaged(t *testing.T) {
	api := start(t, 60)
	ids := make([]string, 60)
	for i := range ids {
		ids[i] = fmt.Sprint(400001 + i)
	}
	list := api.ok("GET", "/v2/contacts?ids="+strings.Join(ids, ","), nil)
	assert.Len(t, list.ids(), 25)
	assert.True(t, list.links().Has("next_page"))
}

func TestQueriesThatTheVendorWouldNotTake(t *testing.T) {
	api := start(t, 1)
	for _, target := range []string{
		"/v2/contacts?updated_since=2024-01-01", "/v2/contacts?q=x", "/v2/contacts?title=Buyer", "/v2/contacts?per-page=5", "/v2/contacts?=", "/v2/contacts?limit=5",
		"/v2/contacts?address=x", "/v2/contacts?address[line1]=x", "/v2/contacts?address[city=x", "/v2/contacts?city=x",
		"/v2/contacts?custom_fields[Nothing]=x", "/v2/contacts?custom_fields[Renewal%20date]=2024-01-01", "/v2/contacts?custom_fields=x",
		"/v2/contacts?ids=", "/v2/contacts?ids=1,,2", "/v2/contacts?ids=a", "/v2/contacts?ids=[1]", "/v2/contacts?owner_id=me", "/v2/contacts?contact_id=",
		"/v2/contacts?is_organization=maybe", "/v2/contacts?inclusive=2", "/v2/contacts?customer_status=gone", "/v2/contacts?prospect_status=",
		"/v2/contacts?sort_by=", "/v2/contacts?sort_by=nothing", "/v2/contacts?sort_by=id:up", "/v2/contacts?sort_by=id,name", "/v2/contacts?sort_by=-id",
		"/v2/contacts?sort_by=tags", "/v2/contacts?sort_by=address", "/v2/contacts?sort_by=custom_fields", "/v2/contacts?sort_by=custom_fields:Nothing",
		"/v2/contacts?name=%zz", "/v2/contacts?a;b",
		"/v2/contacts/400001?includes=x", "/v2/contacts/400001?page=1", "/v2/users?sort_by=phone", "/v2/users?q=x", "/v2/users/7?x=1", "/v2/accounts/self?x=1",
		"/v2/tags?sort_by=x", "/v2/contact/custom_fields?sort_by=id", "/v2/contact/custom_fields?resource_type=contact",
	} {
		a := api.do("GET", target, nil)
		assert.Equal(t, http.StatusBadRequest, a.status, target)
		assert.Equal(t, []string{"invalid_param"}, a.errors(), target)
	}
	for _, r := range [][2]string{{"POST", "/v2/contacts?x=1"}, {"PUT", "/v2/contacts/400001?x=1"}, {"DELETE", "/v2/contacts/400001?x=1"}} {
		assert.Equal(t, http.StatusBadRequest, api.do(r[0], r[1], attrs{"last_name": "x"}).status, r)
	}
	api.ok("GET", "/v2/contacts/400001", nil)
}

func TestSorting(t *testing.T) {
	api := start(t, 30)
	value := func(a answer, i int, key string) any {
		return a.body.Get("items").([]any)[i].(interface{ Get(string) any }).Get("data").(interface{ Get(string) any }).Get(key)
	}
	for _, key := range []string{"last_name", "first_name", "updated_at", "created_at", "name", "email"} {
		up := api.ok("GET", "/v2/contacts?is_organization=false&ids=400001,400002,400003,400004,400005&sort_by="+key, nil)
		down := api.ok("GET", "/v2/contacts?is_organization=false&ids=400001,400002,400003,400004,400005&sort_by="+key+":desc", nil)
		var texts []string
		for i := range 5 {
			texts = append(texts, value(up, i, key).(string))
		}
		assert.True(t, slices.IsSorted(texts), "%s %v", key, texts)
		reversed := down.ids()
		slices.Reverse(reversed)
		assert.Equal(t, up.ids(), reversed, key)
	}
	ids := api.ok("GET", "/v2/contacts?sort_by=id:asc&per_page=100", nil).ids()
	assert.Equal(t, "400001", ids[0])
	assert.Equal(t, "9007199254740993", ids[len(ids)-1], "ids sort as numbers")
	assert.Equal(t, "910007", api.ok("GET", "/v2/contacts?first_name=Zora&sort_by=custom_fields:Shoe+size+%5BEU%5D:asc", nil).ids()[0])
	api.ok("GET", "/v2/contacts?sort_by=custom_fields:Interests", nil)
	api.ok("GET", "/v2/contacts?sort_by=is_organization:desc", nil)
}

func TestHEADIsAGETWithoutBody(t *testing.T) {
	api := start(t, 1)
	a := api.do("HEAD", "/v2/contacts", nil)
	assert.Equal(t, http.StatusOK, a.status)
	assert.Empty(t, a.text)
}
