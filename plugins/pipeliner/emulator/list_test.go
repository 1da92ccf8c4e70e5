package emulator

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// walk follows the cursors and returns the ids, in order, and the last page.
func (c *client) walk(params ...string) (ids []string, last answer) {
	c.t.Helper()
	after := ""
	for range 200 {
		p := params
		if after != "" {
			p = append(append([]string{}, params...), "after", after)
		}
		last = c.get("Contacts", p...)
		require.Equal(c.t, 200, last.status, last.raw)
		for _, r := range last.list() {
			ids = append(ids, r["id"].(string))
		}
		info := last.body["page_info"].(object)
		if info["has_next_page"] != true {
			return ids, last
		}
		after = info["end_cursor"].(string)
	}
	c.t.Fatal("the pages do not end")
	return nil, last
}

func TestPagesShowEveryContactOnce(t *testing.T) {
	c := start(t, 30, nil)
	for _, params := range [][]string{
		nil,
		{"first", "1"},
		{"first", "7", "order-by", "modified"},
		{"first", "5", "order-by", "-email2,last_name"},
		{"first", "36"},
		{"first", "4", "order-by", "-gender,created"},
		{"first", "9", "order-by", "cf_score"},
		{"first", "9", "order-by", "-cf_discount"},
		{"first", "9", "order-by", "is_archived,-revision"},
	} {
		ids, last := c.walk(params...)
		seen := map[string]bool{}
		for _, id := range ids {
			assert.False(t, seen[id], "%v shows %s twice", params, id)
			seen[id] = true
		}
		assert.Len(t, ids, 36, params) // 30 plain, 7 awkward, of which one deleted
		assert.NotNil(t, last.body["page_info"].(object)["end_cursor"])
		assert.EqualValues(t, 36, last.body["total"])
	}
}

func TestDefaultPageHasThirtyContactsByID(t *testing.T) {
	c := start(t, 40, nil)
	a := c.get("Contacts")
	require.Len(t, a.list(), 30)
	assert.Equal(t, contactID(0), a.list()[0]["id"])
	assert.Equal(t, object{
		"start_cursor":      base64.StdEncoding.EncodeToString([]byte(`["` + contactID(0) + `"]`)),
		"end_cursor":        base64.StdEncoding.EncodeToString([]byte(`["` + contactID(29) + `"]`)),
		"has_previous_page": false, "has_next_page": true,
	}, a.body["page_info"])
}

func TestSortedCursorCarriesTheSortValues(t *testing.T) {
	c := start(t, 12, nil)
	a := c.get("Contacts", "first", "1", "order-by", "first_name,-cf_score")
	text, err := base64.StdEncoding.DecodeString(a.body["page_info"].(object)["end_cursor"].(string))
	require.NoError(t, err)
	assert.Equal(t, `["Ada", 0, "`+contactID(0)+`"]`, string(text))
}

func TestLastPageCanBeAnEmptyOne(t *testing.T) {
	c := start(t, 10, map[string]string{"last_page": "empty"})
	ids, last := c.walk("first", "4")
	assert.Len(t, ids, 16)
	assert.Equal(t, object{"start_cursor": nil, "end_cursor": nil, "has_previous_page": false, "has_next_page": false}, last.body["page_info"])
	assert.Equal(t, []any{}, last.body["data"])
	assert.EqualValues(t, 16, last.body["total"])
}

func TestCursorSurvivesTheDeletionOfItsRecord(t *testing.T) {
	c := start(t, 12, nil)
	end := c.get("Contacts", "first", "3").body["page_info"].(object)["end_cursor"].(string)
	require.Equal(t, 200, c.call("DELETE", "Contacts/"+contactID(2), nil).status)
	assert.Equal(t, contactID(3), c.get("Contacts", "first", "3", "after", end).list()[0]["id"])
}

func TestPagesGoBackwardsToo(t *testing.T) {
	c := start(t, 12, nil)
	cursor := func(i int) string { return base64.StdEncoding.EncodeToString([]byte(`["` + contactID(i) + `"]`)) }
	ids := func(params ...string) string {
		var all []string
		for _, r := range c.get("Contacts", params...).list() {
			for i := range 12 {
				if r["id"] == contactID(i) {
					all = append(all, fmt.Sprint(i))
				}
			}
		}
		return strings.Join(all, " ")
	}
	assert.Equal(t, "2 3 4", ids("before", cursor(5), "last", "3"))
	assert.Equal(t, "0 1 2 3 4", ids("before", cursor(5)))
	assert.Equal(t, "0 1", ids("before", cursor(5), "first", "2"))
	assert.Equal(t, "3 4", ids("first", "5", "last", "2"))
	assert.Equal(t, "4 5 6", ids("after", cursor(3), "before", cursor(7)))
}

func TestBadCursorsAreRefused(t *testing.T) {
	c := start(t, 12, nil)
	encode := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	for _, cursor := range []string{"x", encode("x"), encode("[]"), encode("[1]"), encode(`["a","b"]`), encode(`{}`)} {
		assert.Equal(t, 400, c.get("Contacts", "after", cursor).status, cursor)
	}
	assert.Equal(t, 400, c.get("Contacts", "after", encode(`["`+contactID(1)+`"]`), "order-by", "created").status, "a cursor of another order")
}

func TestPageSizesAreHeldToTheirBounds(t *testing.T) {
	c := start(t, 120, nil)
	for _, size := range []string{"0", "-1", "x", "1.5", "101", ""} {
		a := c.get("Contacts", "first", size)
		assert.Equal(t, 400, a.status, size)
		assert.Equal(t, "ERROR_PARAMETER_INVALID", a.body["name"])
	}
	assert.Equal(t, 100, len(c.get("Contacts", "first", "100").list()))
	c.set("page_over_max", "clamp")
	assert.Equal(t, 100, len(c.get("Contacts", "first", "500").list()))
}

func TestLegacyOffsetsHaveNoPageInfo(t *testing.T) {
	c := start(t, 12, nil)
	a := c.get("Contacts", "limit", "2", "offset", "3")
	require.Len(t, a.list(), 2)
	assert.Equal(t, contactID(3), a.list()[0]["id"])
	assert.NotContains(t, a.body, "page_info")
	assert.Empty(t, c.get("Contacts", "offset", "1000").list())
}

func TestFilters(t *testing.T) {
	c := start(t, 30, nil)
	for _, tt := range []struct {
		name   string
		params []string
		want   int
	}{
		{"exact by default", []string{"filter[email1]", "contact1@example.com"}, 1},
		{"exact means case too", []string{"filter[email1]", "CONTACT1@example.com"}, 0},
		{"ieq", []string{"filter[email1]", "CONTACT1@example.com", "filter-op[email1]", "ieq"}, 1},
		{"contains", []string{"filter[email1]", "contact1", "filter-op[email1]", "contains"}, 9},
		{"icontains", []string{"filter[email1]", "CONTACT1", "filter-op[email1]", "icontains"}, 9},
		{"starts", []string{"filter[email1]", "contact1@", "filter-op[email1]", "starts"}, 1},
		{"istarts", []string{"filter[email1]", "CONTACT1@", "filter-op[email1]", "istarts"}, 1},
		{"ends", []string{"filter[email1]", "1@example.com", "filter-op[email1]", "ends"}, 3},
		{"iends", []string{"filter[email1]", "1@EXAMPLE.com", "filter-op[email1]", "iends"}, 3},
		{"not-eq leaves nulls out", []string{"filter[email1]", "contact1@example.com", "filter-op[email1]", "not-eq"}, 31},
		{"not-ieq", []string{"filter[email1]", "CONTACT1@example.com", "filter-op[email1]", "not-ieq"}, 31},
		{"null needs no value", []string{"filter-op[email1]", "null"}, 4},
		{"not-null", []string{"filter-op[email1]", "not-null"}, 32},
		{"empty counts the empty string", []string{"filter-op[comments]", "empty", "filter[title]", "", "filter-op[title]", "eq"}, 2},
		{"not-empty", []string{"filter-op[comments]", "not-empty"}, 2},
		{"two filters", []string{"filter[owner_id]", firstOwner, "filter[last_name]", "Quill"}, 3},
		{"ids in capitals", []string{"filter[owner_id]", strings.ToUpper(secondOwner)}, 15},
		{"a flag", []string{"filter[is_archived]", "true"}, 1},
		{"a number", []string{"filter[cf_score]", "5", "filter-op[cf_score]", "lt"}, 5},
		{"a fraction", []string{"filter[cf_discount]", "3.25"}, 1},
		{"between", []string{"filter[cf_score]", "3,6", "filter-op[cf_score]", "between"}, 4},
		{"a time with zone", []string{"filter[created]", kit.PersonAt(5).Created.Format("2006-01-02 15:04:05.000000") + "+00:00", "filter-op[created]", "lte"}, 6},
		{"a time without zone", []string{"filter[created]", kit.PersonAt(5).Created.Format("2006-01-02 15:04:05"), "filter-op[created]", "lt"}, 5},
		{"a time with T", []string{"filter[created]", kit.PersonAt(5).Created.Format("2006-01-02T15:04:05Z"), "filter-op[created]", "gt"}, 30},
		{"a computed name", []string{"filter[formatted_name]", "Ada Quill"}, 1},
		{"one of several options", []string{"filter[cf_interests]", optionID(1, 0)}, 10},
		{"with deleted", []string{"filter[first_name]", "Della", "include-deleted", "true"}, 1},
		{"without deleted", []string{"filter[first_name]", "Della"}, 0},
	} {
		a := c.get("Contacts", append(tt.params, "first", "100")...)
		assert.Equal(t, 200, a.status, "%s: %s", tt.name, a.raw)
		assert.Equal(t, tt.want, len(a.list()), tt.name)
		assert.EqualValues(t, tt.want, a.body["total"], tt.name)
	}
}

func TestBadFiltersAreRefused(t *testing.T) {
	c := start(t, 12, nil)
	for _, params := range [][]string{
		{"filter[nosuch]", "1"},
		{"filter[tags]", "vip"},
		{"filter[primary_account]", "x"},
		{"filter[email1]", "x", "filter-op[email1]", "like"},
		{"filter-op[email1]", "eq"},
		{"filter[modified]", "yesterday"},
		{"filter[modified]", "2026-01-31 09:00:00 00:00"}, // a plus that was not escaped
		{"filter[owner_id]", "7"},
		{"filter[gender]", "male"},
		{"filter[is_archived]", "maybe"},
		{"filter[cf_score]", "1", "filter-op[cf_score]", "between"},
		{"order-by", "nosuch"},
		{"order-by", "-tags"},
		{"include-deleted", "perhaps"},
	} {
		assert.Equal(t, 400, c.get("Contacts", params...).status, params)
	}
	c.set("unknown_filter", "ignore")
	assert.Equal(t, 200, c.get("Contacts", "filter[nosuch]", "1", "order-by", "nosuch").status)
}

func TestBetweenTakesTwoParametersWhenTheSwitchSaysSo(t *testing.T) {
	c := start(t, 12, map[string]string{"between_values": "repeat"})
	assert.Equal(t, 4, len(c.get("Contacts", "filter[cf_score]", "3", "filter[cf_score]", "6", "filter-op[cf_score]", "between").list()))
	assert.Equal(t, 400, c.get("Contacts", "filter[cf_score]", "3,6", "filter-op[cf_score]", "between").status)
}

func TestUpdatedSinceFindsWhatChanged(t *testing.T) {
	c := start(t, 12, nil)
	before := c.get("Contacts", "order-by", "-modified", "first", "1").list()[0]["modified"].(string)
	require.Equal(t, 200, c.call("PATCH", "Contacts/"+contactID(4), object{"city": "Cork"}).status)
	id := c.create(nil)
	ids, _ := c.walk("filter[modified]", before, "filter-op[modified]", "gt", "order-by", "modified")
	assert.Equal(t, []string{contactID(4), id}, ids)
}

func TestUnknownParametersAreIgnoredUnlessTheSwitchRefusesThem(t *testing.T) {
	c := start(t, 1, nil)
	assert.Equal(t, 200, c.get("Contacts", "order_by", "x").status)
	c.set("unknown_query", "refuse")
	assert.Equal(t, 400, c.get("Contacts", "order_by", "x").status)
	assert.Equal(t, 400, c.get("Contacts/"+contactID(0), "load-only", "id").status)
	assert.Equal(t, 400, c.call("DELETE", "Contacts/"+contactID(0)+"?rollback-method=1", nil).status)
	assert.Equal(t, 200, c.get("Contacts", "first", "1", "expand", "owner", "filter[city]", "Cork", "filter-op[city]", "eq").status)
	assert.Equal(t, 200, c.call("DELETE", "Contacts/"+contactID(0)+"?validation-level=0", nil).status)
}

func TestExpandReplacesURIsByRecords(t *testing.T) {
	c := start(t, 12, nil)
	plain := c.get("Contacts/" + contactID(0)).data()
	base := c.server.URL() + entities
	assert.Equal(t, base+"Clients/"+firstOwner, plain["owner"])
	assert.Equal(t, []any{base + "ContactAccountRelations/" + makeID(linkIDs, accountRelations)}, plain["account_relations"])

	r := c.get("Contacts/"+contactID(0), "expand", "owner.default_unit,account_relations.account,tags.tag,primary_account,picture").data()
	assert.Equal(t, "Demo Company", r["owner"].(object)["default_unit"].(object)["name"])
	assert.Equal(t, "Quill Ltd", r["account_relations"].([]any)[0].(object)["account"].(object)["name"])
	assert.Equal(t, base+"Contacts/"+contactID(0), r["account_relations"].([]any)[0].(object)["contact"])
	var names []any
	for _, tag := range r["tags"].([]any) {
		names = append(names, tag.(object)["tag"].(object)["name"])
	}
	assert.Equal(t, []any{"vip", "newsletter"}, names)
	assert.Equal(t, "Quill Ltd", r["primary_account"].(object)["name"])
	assert.Nil(t, r["picture"])
}

func TestUnknownExpandsAreTheSwitchs(t *testing.T) {
	c := start(t, 1, nil)
	assert.Equal(t, 200, c.get("Contacts", "expand", "owner,sales_unit,account_relations.account").status, "the vendor's own example")
	c.set("unknown_expand", "400")
	assert.Equal(t, 400, c.get("Contacts", "expand", "sales_unit").status)
	assert.Equal(t, 400, c.get("Contacts/"+contactID(0), "expand", "tags.nosuch").status)
	assert.Equal(t, 200, c.get("Contacts", "expand", "unit,tags.tag").status)
}

func TestLoadOnlyLeavesTheRestOut(t *testing.T) {
	c := start(t, 1, nil)
	r := c.get("Contacts", "load-only", "id,owner.id,owner.email", "expand", "owner").list()[0]
	assert.Equal(t, object{"id": contactID(0), "owner": object{"id": firstOwner, "email": "owner1@example.com"}}, r)
}

func TestURIsCanHaveAnotherHost(t *testing.T) {
	c := start(t, 1, map[string]string{"uri_host": "bare"})
	assert.Equal(t, "https://eu-central.pipelinersales.com"+entities+"Clients/"+firstOwner, c.get("Contacts/" + contactID(0)).data()["owner"])
}

func TestEmptyValuesAreShownAsTheSwitchSays(t *testing.T) {
	c := start(t, 30, nil)
	sparse := func() object { return c.get("Contacts/" + contactID(10)).data() }
	assert.Nil(t, sparse()["email1"])
	assert.Contains(t, sparse(), "email1")
	c.set("empty_values", "empty_string")
	assert.Equal(t, "", sparse()["email1"])
	assert.Nil(t, sparse()["primary_account"])
	assert.Nil(t, sparse()["cf_score"])
	c.set("empty_values", "absent")
	assert.NotContains(t, sparse(), "email1")
	assert.NotContains(t, sparse(), "cf_score")
	assert.Contains(t, sparse(), "primary_account")
}

func TestTimezoneHeaderShiftsEveryTime(t *testing.T) {
	c := start(t, 1, nil)
	ask := func(zone string) answer {
		req, err := http.NewRequest("GET", c.server.URL()+entities+"Contacts/"+contactID(0), nil)
		require.NoError(t, err)
		req.SetBasicAuth(username, password)
		req.Header.Set("Timezone", zone)
		return c.do(req)
	}
	assert.Equal(t, "2024-01-09 08:00:00.000000+00:00", c.get("Contacts/" + contactID(0)).data()["created"])
	assert.Equal(t, "2024-01-09 17:00:00.000000+09:00", ask("Asia/Tokyo").data()["created"])
	assert.Equal(t, 400, ask("Nowhere/City").status)
}

func TestArchivedContactsCanBeHiddenFromLists(t *testing.T) {
	c := start(t, 1, nil)
	assert.EqualValues(t, 7, c.get("Contacts").body["total"])
	c.set("archived_list", "hidden")
	assert.EqualValues(t, 6, c.get("Contacts").body["total"])
	assert.EqualValues(t, 1, c.get("Contacts", "filter[is_archived]", "true").body["total"])
	assert.Equal(t, 200, c.get("Contacts/"+awkwardID(1)).status)
}

func TestAFilterByDeletedIsTheSwitchs(t *testing.T) {
	c := start(t, 1, nil)
	ask := func() answer { return c.get("Contacts", "include-deleted", "true", "filter[is_deleted]", "true") }
	assert.EqualValues(t, 1, ask().body["total"])
	c.set("deleted_filter", "ignore")
	assert.EqualValues(t, 8, ask().body["total"])
	c.set("deleted_filter", "400")
	assert.EqualValues(t, 117, ask().body["code"])
}

func TestExpandOnReadingOneRecordIsTheSwitchs(t *testing.T) {
	c := start(t, 1, nil)
	ask := func() answer { return c.get("Contacts/"+contactID(0), "expand", "primary_account") }
	assert.IsType(t, object{}, ask().data()["primary_account"])
	c.set("get_expand", "ignore")
	assert.IsType(t, "", ask().data()["primary_account"])
	c.set("get_expand", "400")
	assert.EqualValues(t, 117, ask().body["code"])
	assert.Equal(t, 200, c.get("Contacts/"+contactID(0)).status)
	assert.Equal(t, 200, c.get("Contacts", "expand", "primary_account").status, "lists have it in any case")
}
