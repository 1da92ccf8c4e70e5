package emulator

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPagesHoldEveryContactOnce(t *testing.T) {
	c := start(t, 120)
	for _, sort := range []string{"", "createdDate", "info.name.first", "primaryInfo.email", "lastActivity.activityDate", "info.birthdate"} {
		for _, order := range []string{"ASC", "DESC"} {
			seen := map[string]bool{}
			offset := 0
			for {
				a := c.do("GET", fmt.Sprintf("%s?paging.limit=37&paging.offset=%d&sort.fieldName=%s&sort.order=%s", contactsPath, offset, sort, order), nil)
				require.Equal(t, 200, a.status, a.raw)
				page := a.at("contacts").([]any)
				assert.EqualValues(t, len(page), a.at("pagingMetadata.count"))
				assert.EqualValues(t, offset, a.at("pagingMetadata.offset"))
				assert.EqualValues(t, 124, a.at("pagingMetadata.total"))
				assert.Equal(t, false, a.at("pagingMetadata.tooManyToCount"))
				if len(page) == 0 {
					break
				}
				for _, item := range page {
					id := item.(map[string]any)["id"].(string)
					assert.False(t, seen[id], "%s came twice", id)
					seen[id] = true
				}
				offset += len(page)
			}
			assert.Len(t, seen, 124, "%s %s", sort, order)
		}
	}
	assert.Len(t, c.do("GET", contactsPath, nil).at("contacts"), 50, "the default page")
	assert.Len(t, c.do("POST", contactsPath+"/query", nil).at("contacts"), 50)
	assert.Len(t, c.do("GET", contactsPath+"?paging.limit=1000", nil).at("contacts"), 124)
}

func TestListParametersAreHeldToTheirForms(t *testing.T) {
	c := start(t, 5)
	for query, want := range map[string]string{
		"paging.limit=1001":                         "ILLEGAL_LIMIT",
		"paging.limit=0":                            "ILLEGAL_LIMIT",
		"paging.limit=-1":                           "ILLEGAL_LIMIT",
		"paging.limit=ten":                          "",
		"paging.limit=99999999999999999999":         "",
		"paging.offset=-1":                          "paging.offset MIN",
		"sort.fieldName=updatedDate":                "UNSUPPORTED_SORT_FIELD",
		"sort.fieldName=info.emails.email":          "UNSUPPORTED_SORT_FIELD",
		"sort.fieldName=_createdDate":               "UNSUPPORTED_SORT_FIELD",
		"sort.fieldName=createdDate&sort.order=asc": "",
		"fieldsets=EVERYTHING":                      "",
	} {
		a := c.do("GET", contactsPath+"?"+query, nil)
		assert.Equal(t, 400, a.status, query)
		switch {
		case strings.Contains(want, " "):
			assert.Equal(t, want, a.rule(), query)
		case want != "":
			assert.Equal(t, want, a.code(), query)
		}
	}
	for body, want := range map[string]any{
		`{"query":{"paging":{"limit":1001}}}`:                                              "ILLEGAL_LIMIT",
		`{"query":{"paging":{"limit":"10"}}}`:                                              nil,
		`{"query":{"sort":{"fieldName":"createdDate"}}}`:                                   nil,
		`{"query":{"sort":[{"fieldName":"createdDate"},{"fieldName":"info.name.first"}]}}`: nil,
		`{"query":{"sort":[{"fieldName":"updatedDate"}]}}`:                                 "UNSUPPORTED_SORT_FIELD",
		`{"query":[]}`:                                                                       nil,
		`{"query":{"fieldsets":"FULL"}}`:                                                     nil,
		`{"query":{"filter":[]}}`:                                                            "MALFORMED_FILTER",
		`{"query":{"filter":"id eq 1"}}`:                                                     "MALFORMED_FILTER",
		`{"query":{"filter":{"info.name.last":{}}}}`:                                         "MALFORMED_FILTER",
		`{"query":{"filter":{"$and":{}}}}`:                                                   "MALFORMED_FILTER",
		`{"query":{"filter":{"$not":null}}}`:                                                 "MALFORMED_FILTER",
		`{"query":{"filter":{"info.emails.items.email":"x"}}}`:                               "UNSUPPORTED_FILTER_FIELD_UNKNOWN",
		`{"query":{"filter":{"info.extendedFields.items.custom.shoe-size":"41"}}}`:           "UNSUPPORTED_FILTER_FIELD_UNKNOWN",
		`{"query":{"filter":{"email":"x"}}}`:                                                 "UNSUPPORTED_FILTER_FIELD_UNKNOWN",
		`{"query":{"filter":{"revision":1}}}`:                                                "UNSUPPORTED_FILTER_FIELD_UNKNOWN",
		`{"query":{"filter":{"$nor":[]}}}`:                                                   "UNSUPPORTED_FILTER_OPERATOR",
		`{"query":{"filter":{"id":{"$startsWith":"3f"}}}}`:                                   "UNSUPPORTED_FILTER_OPERATOR",
		`{"query":{"filter":{"updatedDate":{"$exists":true}}}}`:                              "UNSUPPORTED_FILTER_OPERATOR",
		`{"query":{"filter":{"info.labelKeys":"custom.vip"}}}`:                               "UNSUPPORTED_FILTER_OPERATOR",
		`{"query":{"filter":{"info.name.last":{"$contains":"x"}}}}`:                          "UNSUPPORTED_FILTER_OPERATOR",
		`{"query":{"filter":{"info.name.last":5}}}`:                                          "UNSUPPORTED_FILTER_VALUE_TYPE",
		`{"query":{"filter":{"info.name.last":null}}}`:                                       "UNSUPPORTED_FILTER_VALUE_TYPE",
		`{"query":{"filter":{"info.name.last":{"$in":"x"}}}}`:                                "UNSUPPORTED_FILTER_VALUE_TYPE",
		`{"query":{"filter":{"info.name.last":{"$exists":"yes"}}}}`:                          "UNSUPPORTED_FILTER_VALUE_TYPE",
		`{"query":{"filter":{"info.extendedFields.custom.loyalty-points-1":{"$gt":"ten"}}}}`: "UNSUPPORTED_FILTER_VALUE_TYPE",
		`{"query":{"filter":{"id":"12"}}}`:                                                   "UNSUPPORTED_FILTER_VALUE",
		`{"query":{"filter":{"updatedDate":{"$gte":"yesterday"}}}}`:                          "UNSUPPORTED_FILTER_VALUE",
		`{"query":{"filter":{"info.birthdate":"1990"}}}`:                                     "UNSUPPORTED_FILTER_VALUE",
	} {
		a := c.do("POST", contactsPath+"/query", body)
		assert.Equal(t, 400, a.status, body)
		if want != nil {
			assert.Equal(t, want, a.code(), body)
		}
	}
}

func TestFiltersFindWhatTheySay(t *testing.T) {
	c := start(t, 20)
	count := func(filter string) int {
		t.Helper()
		a := c.do("POST", contactsPath+"/query", `{"query":{"filter":`+filter+`,"paging":{"limit":1000}}}`)
		require.Equal(t, 200, a.status, "%s: %s", filter, a.raw)
		return len(a.at("contacts").([]any))
	}
	for filter, want := range map[string]int{
		`{}`:                         24,
		`null`:                       24,
		`{"id":"` + seedID(3) + `"}`: 1,
		`{"id":{"$in":["` + seedID(3) + `","` + clientID + `"]}}`:                              1,
		`{"id":{"$ne":"` + seedID(3) + `"}}`:                                                   23,
		`{"primaryInfo.email":"contact4@example.com"}`:                                         1,
		`{"primaryInfo.email":{"$startsWith":"contact1"}}`:                                     9,
		`{"primaryInfo.email":{"$exists":false}}`:                                              2,
		`{"info.emails.email":"home2@example.com"}`:                                            1,
		`{"info.name.last":{"$exists":false}}`:                                                 2,
		`{"info.company":{"$in":["Quill Ltd"]},"info.jobTitle":"Buyer"}`:                       1,
		`{"info.labelKeys":{"$hasSome":["custom.vip"]}}`:                                       6,
		`{"info.labelKeys":{"$hasAll":["custom.vip","custom.newsletter"]}}`:                    1,
		`{"info.addresses.city":"Bergen"}`:                                                     5,
		`{"info.addresses.street":"Example Ave"}`:                                              1,
		`{"info.addresses.subdivision":{"$ne":"NY"}}`:                                          23,
		`{"createdDate":{"$gte":"2024-01-10T10:00:00Z","$lt":"2024-01-12T14:00:00.000Z"}}`:     2,
		`{"updatedDate":{"$gte":"2999-01-01T00:00:00Z"}}`:                                      0,
		`{"info.birthdate":{"$lt":"1963-01-01"}}`:                                              3,
		`{"info.extendedFields.custom.shoe-size":"36"}`:                                        1,
		`{"info.extendedFields.custom.loyalty-points-1":{"$gt":175}}`:                          2,
		`{"info.extendedFields.emailSubscriptions.subscriptionStatus":{"$in":["SUBSCRIBED"]}}`: 5,
		`{"primaryEmail.subscriptionStatus":{"$nin":["SUBSCRIBED","NOT_SET"]}}`:                10,
		`{"primaryPhone.countryCode":"US"}`:                                                    17,
		`{"$or":[{"info.name.first":"Ada"},{"info.name.first":"Bruno"}]}`:                      4,
		`{"$and":[{"info.company":"Quill Ltd"},{"$not":{"info.name.first":"Ada"}}]}`:           3,
		`{"info.phones.e164Phone":{"$startsWith":"+447700"}}`:                                  10,
		`{"lastActivity.activityDate":{"$lte":"2024-01-09T08:00:00.000Z"}}`:                    1,
		`{"info.locale":{"$in":["nb-NO","en-IE"]}}`:                                            9,
	} {
		assert.Equal(t, want, count(filter), filter)
	}
	a := c.do("POST", contactsPath+"/query", `{"search":"contact4@example.com"}`)
	assert.EqualValues(t, 1, a.at("pagingMetadata.total"))
	a = c.do("POST", contactsPath+"/query", `{"filter":{"id":"`+seedID(3)+`"}}`)
	assert.EqualValues(t, 24, a.at("pagingMetadata.total"), "a filter outside query is not one")
}

func TestProjectionsAlwaysShowIDAndRevision(t *testing.T) {
	c := start(t, 5)
	keys := func(query string) []string {
		a := c.do("GET", contactsPath+"/"+seedID(0)+"?"+query, nil)
		require.Equal(t, 200, a.status, a.raw)
		contact := a.at("contact").(map[string]any)
		var all []string
		for key := range contact {
			if key != "info" {
				all = append(all, key)
			}
		}
		info, _ := contact["info"].(map[string]any)
		for key := range info {
			all = append(all, "info."+key)
		}
		return all
	}
	basic := []string{"id", "revision", "primaryInfo", "info.name"}
	assert.ElementsMatch(t, basic, keys("fieldsets=BASIC"))
	assert.ElementsMatch(t, append([]string{"info.emails", "info.phones", "info.addresses"}, basic...), keys("fieldsets=COMMUNICATION_DETAILS"))
	assert.ElementsMatch(t, append([]string{"info.extendedFields"}, basic...), keys("fieldsets=EXTENDED"))
	assert.ElementsMatch(t, []string{"id", "revision", "info.company"}, keys("fields=info.company"))
	assert.ElementsMatch(t, append([]string{"info.company", "createdDate"}, basic...), keys("fields=info.company&fields=createdDate&fieldsets=BASIC"))
	assert.ElementsMatch(t, keys(""), keys("fieldsets=FULL&id="+seedID(0)))
	assert.ElementsMatch(t, []string{"id", "revision"}, keys("fields="+url.QueryEscape("info.name,info.emails")), "names are not joined by commas")
}

func TestListSwitchesTakeEachValue(t *testing.T) {
	c := start(t, 5)
	c.set("too_many_to_count", "true")
	a := c.do("GET", contactsPath, nil)
	assert.Equal(t, true, a.at("pagingMetadata.tooManyToCount"))
	assert.EqualValues(t, 0, a.at("pagingMetadata.total"))
	assert.EqualValues(t, 9, a.at("pagingMetadata.count"))
	c.set("empty_list", "missing")
	assert.NotContains(t, c.do("GET", contactsPath+"?paging.offset=100", nil).raw, "contacts")
	c.set("default_sort", "createdDate_desc")
	assert.Equal(t, mergeTargetID, c.do("GET", contactsPath, nil).at("contacts.0.id"))
	assert.Equal(t, seedID(0), c.do("GET", contactsPath+"?sort.fieldName=createdDate", nil).at("contacts.0.id"), "ASC is the default of a named field")
}

func TestQueryLagHidesANewContactForAWhile(t *testing.T) {
	c := start(t, 0)
	total := func(c *client) any { return c.do("GET", contactsPath, nil).at("pagingMetadata.total") }
	c.created(`{"name":{"first":"a"}}`)
	assert.EqualValues(t, 1, total(c), "no lag by default")
	c.set("query_lag", "2")
	made := c.create(`{"info":{"name":{"first":"b"}}}`)
	assert.Equal(t, 200, c.get(made.at("contact.id").(string)).status, "a get sees it at once")
	assert.EqualValues(t, 2, total(c.with("x-wix-consistent", made.header.Get("x-wix-consistent"))), "who echoes the header sees it")
	assert.EqualValues(t, 1, total(c))
	assert.EqualValues(t, 2, total(c))
}
