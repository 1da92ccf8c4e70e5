package emulator

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

func TestSearchAndLookupFind(t *testing.T) {
	s := start(t, 30, nil)
	r := call(t, s, "GET", api+"/search?q=quill&include=contact,sales_account,deal", "")
	assert.Contains(t, string(r.body), `{"id":"70003771198","type":"sales_account","name":"Quill Ltd"`)
	assert.Contains(t, string(r.body), `{"id":"70011223344","type":"contact","name":"Ada Quill","email":"contact1@example.com","avatar":null,"company_name":"Quill Ltd"}`)
	requireError(t, call(t, s, "GET", api+"/search?include=contact", ""), http.StatusBadRequest, "")

	for query, want := range map[string]int{"q=Second16@example.com&f=email": 1, "q=(368)%20555-0100&f=phone": 2, "q=19265550013&f=mobile_number": 1, "q=ext-1&f=external_id": 1, "q=ada%20quill&f=name": 1, "q=quill&f=name": 0} {
		body := call(t, s, "GET", api+"/lookup?entities=contact&"+query, "").object(t)
		assert.Len(t, body.Get("contacts").(*kit.Object).Get("contacts"), want, query)
	}
	body := call(t, s, "GET", api+"/lookup?entities=sales_account,deal&f=name&q=Harbour%20Works", "").object(t)
	assert.Equal(t, []string{"sales_accounts"}, body.Keys())
	for _, query := range []string{"f=email&entities=contact", "q=x&entities=contact", "q=x&f=shoe&entities=contact", "q=x&f=email"} {
		requireError(t, call(t, s, "GET", api+"/lookup?"+query, ""), http.StatusBadRequest, "")
	}
}

func TestFilteredSearchHoldsEveryRule(t *testing.T) {
	s := start(t, 30, nil)
	find := func(rules string) reply {
		return call(t, s, "POST", api+"/filtered_search/contact?per_page=100", `{"filter_rule":[`+rules+`]}`)
	}
	for rules, want := range map[string]int{
		`{"attribute":"contact_email.email","operator":"is_in","value":"contact1@example.com"}`:                                                                          1,
		`{"attribute":"contact_email.email","operator":"is_in","value":["contact1@example.com","SECOND16@example.com"]}`:                                                 2,
		`{"attribute":"contact_email.email","operator":"is_in","value":"binned@example.com"}`:                                                                            0,
		`{"attribute":"created_at","operator":"is_after","value":"2024-02-09T02:00:00-06:00"}`:                                                                           4,
		`{"attribute":"city","operator":"equals","value":"Leeds"},{"attribute":"cf_region","operator":"equals","value":"EMEA"}`:                                          3,
		`{"attribute":"owner_id","operator":"equals","value":70000038923}`:                                                                                               13,
		`{"attribute":"tags","operator":"is_in","value":["vip"]},{"attribute":"created_at","operator":"is_after","value":"2024-01-20"}`:                                  4,
		`{"attribute":"created_at","operator":"is_after","value":"2024-01-20"},{"attribute":"created_at","operator":"is_after","value":"2034-01-20T00:00:00.000+02:00"}`: 0,
	} {
		r := find(rules)
		require.Equal(t, http.StatusOK, r.status, "%s", r.body)
		pages, total := metaOf(t, r)
		assert.Equal(t, []int{-1, want}, []int{pages, total}, rules)
	}
	for _, rules := range []string{
		`5`, `{"attribute":"shoe","operator":"equals","value":"1"}`, `{"attribute":"city","operator":"like","value":"1"}`, `{"attribute":"city","operator":"equals","value":null}`,
		`{"attribute":"city","operator":"is_in","value":[{}]}`, `{"attribute":"updated_at","operator":"is_after","value":"soon"}`, `{}`,
	} {
		requireError(t, find(rules), http.StatusBadRequest, "")
	}
	requireError(t, call(t, s, "POST", api+"/filtered_search/contact", `{}`), http.StatusBadRequest, "")
	// One client sends the page size in the body.
	r := call(t, s, "POST", api+"/filtered_search/contact", `{"filter_rule":[{"attribute":"updated_at","operator":"is_after","value":"2024-01-01"}],"per_page":10}`)
	assert.Len(t, idsOf(t, r, "contacts"), 10)
	require.NoError(t, s.SetSwitch("filtered_total_pages", "present"))
	pages, _ := metaOf(t, find(`{"attribute":"city","operator":"equals","value":"nowhere"}`))
	assert.Equal(t, 0, pages)
}
