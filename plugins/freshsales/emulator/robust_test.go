package emulator

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestManyAtOnceLeaveAConsistentState(t *testing.T) {
	s := start(t, 5, nil)
	var wait sync.WaitGroup
	for worker := range 8 {
		wait.Go(func() {
			for n := range 10 {
				body := fmt.Sprintf(`{"contact":{"email":"w%d-%d@example.com"}}`, worker, n)
				call(t, s, "POST", api+"/contacts?include=owner,sales_accounts", body)
				call(t, s, "GET", api+"/contacts/view/"+allView+"?include=owner,sales_accounts,notes", "")
				call(t, s, "PUT", api+"/contacts/"+firstContact, `{"contact":{"custom_field":{"cf_region":"AMER"},"tags":["x"]}}`)
				_ = s.SetSwitch("create_status", []string{"200", "201"}[n%2])
			}
			call(t, s, "DELETE", api+"/contacts/"+contactID(1), "")
		})
	}
	wait.Wait()
	_, total := metaOf(t, call(t, s, "GET", api+"/contacts/view/"+allView, ""))
	assert.Equal(t, 5+3+80-1, total)
}

func TestNoRequestMakesTheServerFail(t *testing.T) {
	s := start(t, 15, nil)
	paths := []string{
		"/", "//", "/..", "/crm/sales/api", api + "/", api + "/%00", api + "/contacts/%2e%2e", api + "/contacts/view/%ff", api + "/contacts/view/" + allView,
		api + "/contacts/" + firstContact, api + "/contacts/" + firstContact + "/clone", api + "/contacts/" + firstContact + "/notes", api + "/contacts/" + firstContact + "/activities",
		api + "/contacts", api + "/contacts/upsert", api + "/contacts/bulk_upsert", api + "/contacts/bulk_destroy", api + "/filtered_search/contact", api + "/search", api + "/lookup",
		api + "/sales_accounts", api + "/sales_accounts/70003771198", api + "/sales_accounts/upsert", api + "/notes", api + "/notes/70000770001", api + "/contacts/lists/70000053624", api + "/job_statuses/1",
		api + "/contacts/" + strings.Repeat("9", 5000), api + "/" + strings.Repeat("a/", 500),
	}
	bodies := []string{
		"", "{", "null", "[]", "{}", `"x"`, "5", `{"contact":5}`, `{"contact":{"emails":[null]}}`, `{"contact":{"":1,"custom_field":{"":{}}}}`, `{"contact":{"email":"a@b","emails":[{"_destroy":true}]}}`,
		`{"contact":{"emails":[{"id":{}},[]]}}`, `{"contact":{"phone_numbers":[null,{}]}}`, `{"contact":{"subscription_status":1e400,"owner_id":1e400}}`, `{"contact":{"subscription_status":"+5","sms_subscription_status":"007"}}`,
		`{"contact":{"sales_accounts":[null]}}`, `{"unique_identifier":{"emails":{}},"contact":{}}`, `{"contacts":[null,[],{"data":{}}]}`, `{"selected_ids":[null]}`, `{"filter_rule":[null]}`,
		`{"filter_rule":[{"attribute":"links","operator":"equals","value":"x"},{"attribute":"emails","operator":"is_after","value":"2024-01-01"}]}`, `{"note":{"description":{}}}`, `{"sales_account":{"name":"x","annual_revenue":"NaN"}}`,
		strings.Repeat("[", 100_000), `{"contact":{"first_name":"` + strings.Repeat("x", 1<<20) + `","mobile_number":"1"}}`, "\xff\xfe", `{"contact":{"first_name":"\ud800","mobile_number":"2"}}`,
	}
	queries := []string{"", "?page=-9223372036854775808&per_page=9223372036854775807", "?sort=open_deals_amount&sort_type=desc&include=,,owner,,", "?%zz&;&=&q=%ff&f=email&entities=,contact", "?q=" + strings.Repeat("x", 8000)}
	for _, path := range paths {
		for at, body := range bodies {
			methods := []string{"GET", "POST", "PUT", "DELETE"}
			if at == 0 {
				methods = append(methods, "PATCH", "HEAD", "OPTIONS")
			}
			for _, method := range methods {
				r := call(t, s, method, path+queries[at%len(queries)], body)
				assert.Less(t, r.status, 500, "%s %.80s %.80s", method, path, body)
			}
		}
	}
}

func TestEverySwitchIsDocumentedAndHasItsDefaultFirst(t *testing.T) {
	for _, s := range switches {
		assert.NotEmpty(t, s.Doc, s.Name)
		if len(s.Values) > 0 {
			assert.Equal(t, s.Default, s.Values[0], s.Name)
		}
	}
}
