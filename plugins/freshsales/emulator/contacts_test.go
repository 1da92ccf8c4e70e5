package emulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

func TestADeletedContactMovesToTheBin(t *testing.T) {
	s := start(t, 30, nil)
	before := call(t, s, "GET", api+"/contacts/"+firstContact, "").contact(t)
	r := call(t, s, "DELETE", api+"/contacts/"+firstContact, "")
	assert.Equal(t, http.StatusOK, r.status)
	assert.Equal(t, "true", string(r.body))
	assert.Equal(t, "application/json; charset=utf-8", r.header.Get("Content-Type"))

	after := call(t, s, "GET", api+"/contacts/"+firstContact, "").contact(t)
	assert.Equal(t, true, after.Get("is_deleted"))
	assert.NotEqual(t, before.Get("updated_at"), after.Get("updated_at"))
	assert.NotContains(t, idsOf(t, call(t, s, "GET", api+"/contacts/view/"+allView+"?per_page=100", ""), "contacts"), firstContact)
	assert.Contains(t, idsOf(t, call(t, s, "GET", api+"/contacts/view/"+binView+"?per_page=100", ""), "contacts"), firstContact)
	assert.Equal(t, "[]", string(call(t, s, "GET", api+"/search?q=contact1@example.com&include=contact", "").body))
	assert.JSONEq(t, `{"contacts":{"contacts":[]}}`, string(call(t, s, "GET", api+"/lookup?q=contact1@example.com&f=email&entities=contact", "").body))
	requireError(t, call(t, s, "DELETE", api+"/contacts/"+firstContact, ""), http.StatusNotFound, "")
	requireError(t, call(t, s, "PUT", api+"/contacts/"+firstContact, `{"contact":{"city":"x"}}`), http.StatusNotFound, "")
}

func TestSwitchesOfDeletion(t *testing.T) {
	cases := []struct {
		name, value, method, path, body string
		status                          int
	}{
		{"second_delete", "404", "DELETE", "", "", 404},
		{"second_delete", "200", "DELETE", "", "", 200},
		{"get_after_delete", "200", "GET", "", "", 200},
		{"get_after_delete", "404", "GET", "", "", 404},
		{"update_after_delete", "404", "PUT", "", `{"contact":{"city":"x"}}`, 404},
		{"update_after_delete", "200", "PUT", "", `{"contact":{"city":"x"}}`, 200},
		{"forget_answer", "true", "DELETE", "/forget", "", 200},
		{"forget_answer", "object", "DELETE", "/forget", "", 200},
		{"forget_answer", "empty", "DELETE", "/forget", "", 200},
		{"forget_answer", "204", "DELETE", "/forget", "", 204},
	}
	for _, c := range cases {
		s := start(t, 2, map[string]string{c.name: c.value})
		require.Equal(t, "true", string(call(t, s, "DELETE", api+"/contacts/"+firstContact, "").body))
		r := call(t, s, c.method, api+"/contacts/"+firstContact+c.path, c.body)
		assert.Equal(t, c.status, r.status, "%s=%s: %s", c.name, c.value, r.body)
	}
	for value, want := range map[string]string{"true": "200 true", "object": "200 {}", "empty": "200 ", "204": "204 "} {
		s := start(t, 2, map[string]string{"delete_answer": value, "bulk_destroy_answer": value})
		r := call(t, s, "DELETE", api+"/contacts/"+firstContact, "")
		assert.Equal(t, want, fmt.Sprintf("%d %s", r.status, r.body))
		r = call(t, s, "POST", api+"/contacts/bulk_destroy", `{"selected_ids":["`+contactID(1)+`",`+unknown+`]}`)
		assert.Equal(t, want, fmt.Sprintf("%d %s", r.status, r.body))
		assert.Equal(t, true, call(t, s, "GET", api+"/contacts/"+contactID(1), "").contact(t).Get("is_deleted"))
	}
}

func TestAForgottenContactIsGoneForGood(t *testing.T) {
	s := start(t, 2, nil)
	assert.Equal(t, http.StatusOK, call(t, s, "DELETE", api+"/contacts/"+firstContact+"/forget", "").status)
	for _, method := range []string{"GET", "DELETE"} {
		requireError(t, call(t, s, method, api+"/contacts/"+firstContact, ""), http.StatusNotFound, "")
	}
	requireError(t, call(t, s, "DELETE", api+"/contacts/"+firstContact+"/forget", ""), http.StatusNotFound, "")
	assert.NotContains(t, idsOf(t, call(t, s, "GET", api+"/contacts/view/"+binView, ""), "contacts"), firstContact)
}

func TestIDsThatNothingHasAndIDsThatNothingCanHave(t *testing.T) {
	malformed := []string{"abc", "1.5", "-1", "+1", "0", "007", "1e10", "%20", firstContact + "%20", firstContact + "%2F", "..%2f" + firstContact, firstContact + "%00", "%E2%91%A0", "null", "'1'"}
	wellFormed := []string{unknown, "1", "99999999999999999999999999"}
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		body := ""
		if method == "PUT" {
			body = `{"contact":{}}`
		}
		s := start(t, 1, nil)
		for _, id := range append(malformed, wellFormed...) {
			requireError(t, call(t, s, method, api+"/contacts/"+id, body), http.StatusNotFound, "")
		}
		require.NoError(t, s.SetSwitch("malformed_id", "400"))
		require.NoError(t, s.SetSwitch("unknown_id", "403"))
		for _, id := range malformed {
			requireError(t, call(t, s, method, api+"/contacts/"+id, body), http.StatusBadRequest, "")
		}
		for _, id := range wellFormed {
			requireError(t, call(t, s, method, api+"/contacts/"+id, body), http.StatusForbidden, "")
		}
	}
}

func TestPathsThatDoNotExist(t *testing.T) {
	s := start(t, 2, nil)
	for _, c := range [][2]string{
		{"GET", "/contacts"},
		{"GET", "/contacts/"},
		{"DELETE", "/contacts"},
		{"DELETE", "/contacts/"},
		{"DELETE", "/contacts//"},
		{"PUT", "/contacts/"},
		{"PATCH", "/contacts/" + firstContact},
		{"POST", "/contacts/" + firstContact},
		{"DELETE", "/contacts//forget"},
		{"GET", "/contacts/view/"},
		{"GET", "/contacts/view"},
		{"POST", "/contacts/" + firstContact + "/restore"},
		{"GET", "/leads/1"},
		{"GET", ""},
		{"GET", "/"},
		{"GET", "/selector%2Fowners"},
		{"GET", "/deals/view/1"},
		{"OPTIONS", "/contacts/filters"},
		{"GET", "/sales_accounts"},
	} {
		r := call(t, s, c[0], api+c[1], "")
		requireError(t, r, http.StatusNotFound, "")
	}
	for _, path := range []string{"/api/contacts/" + firstContact, "/contacts/" + firstContact, "/crm/sales/contacts/" + firstContact, "/"} {
		requireError(t, call(t, s, "DELETE", path, ""), http.StatusNotFound, "")
	}
	assert.Equal(t, false, call(t, s, "GET", api+"/contacts/"+firstContact, "").contact(t).Get("is_deleted"))
}

func TestTwoSlashesCollapse(t *testing.T) {
	s := start(t, 1, nil)
	assert.Equal(t, http.StatusOK, call(t, s, "GET", "/crm//sales/api/contacts//"+firstContact, "").status)
	assert.Equal(t, http.StatusCreated, call(t, s, "POST", api+"/contacts/", `{"contact":{"mobile_number":"1"}}`).status)
}

func TestStampsGrowWithEveryWrite(t *testing.T) {
	s := start(t, 3, nil)
	last := time.Time{}
	for n := range 5 {
		c := call(t, s, "PUT", api+"/contacts/"+contactID(n%3), `{"contact":{"city":"Cork"}}`).contact(t)
		stamp, err := time.Parse(stampLayout, c.Text("updated_at"))
		require.NoError(t, err)
		assert.True(t, stamp.After(last), "%s after %s", stamp, last)
		last = stamp
	}
	assert.Regexp(t, `-06:00$`, last.In(accountZone).Format(stampLayout))
}

func TestANumberAboveTwoToThe53KeepsItsDigits(t *testing.T) {
	s := start(t, 1, nil)
	r := call(t, s, "GET", api+"/contacts/"+firstContact, "")
	assert.Contains(t, string(r.body), `"mcr_id":1450348061427834881,`)
	assert.Contains(t, string(r.body), `"record_type_id":"71010000001"`)
}

func TestCreateReadsBackWhatWasWritten(t *testing.T) {
	s := start(t, 0, nil)
	body := `{"contact":{"first_name":"Ada","last_name":null,"emails":[{"value":"one@example.com","is_primary":false},{"value":"two@example.com","is_primary":true,"label":"work"}],
	"phone_numbers":["+1 555 0100",{"value":"+1 555 0101","label":"Home"}],"tags":["a","b"],"custom_field":{"cf_region":"EMEA","cf_no-go_types":"calls;visits","cf_is_active":true,"cf_badge_number":9007199254740993},
	"owner_id":"70000038923","subscription_status":"2","id":5,"display_name":"no","is_deleted":true,"lead_score":99,"created_at":"2001-01-01T00:00:00Z","shoe_size":44}}`
	r := call(t, s, "POST", api+"/contacts?include=owner", body)
	require.Equal(t, http.StatusCreated, r.status, "%s", r.body)
	c := r.contact(t)
	assert.Equal(t, "Ada", c.Get("display_name"))
	assert.Equal(t, "two@example.com", c.Get("email"))
	assert.Len(t, c.Get("emails"), 2)
	assert.Equal(t, "+1 555 0100", c.Get("phone_numbers").([]any)[0].(*kit.Object).Get("value"))
	assert.Equal(t, json.Number("70000038923"), c.Get("owner_id"))
	assert.Equal(t, json.Number("2"), c.Get("subscription_status"))
	assert.Equal(t, json.Number("0"), c.Get("lead_score"))
	assert.Equal(t, false, c.Get("is_deleted"))
	assert.Equal(t, json.Number(contactID(0)), c.Get("id"))
	assert.NotContains(t, c.Text("created_at"), "2001")
	assert.False(t, c.Has("shoe_size"))
	fields := c.Get("custom_field").(*kit.Object)
	assert.Equal(t, json.Number("9007199254740993"), fields.Get("cf_badge_number"))
	assert.True(t, fields.Has("cf_remarks"), "fields without a value are there with null")
	again := call(t, s, "GET", api+"/contacts/"+contactID(0)+"?include=owner", "").contact(t)
	assert.Equal(t, c, again)
}

func TestWritesThatAreRefused(t *testing.T) {
	account := func(n int, primary bool) string {
		return fmt.Sprintf(`{"id":%d,"is_primary":%t}`, firstIDs["account"]+int64(n), primary)
	}
	eleven := account(0, true)
	for n := 1; n < 11; n++ {
		eleven += "," + account(n, false)
	}
	cases := []struct{ name, contact, message string }{
		{"a taken address", `{"email":"contact2@example.com"}`, "has already been taken"},
		{"a taken address in other case", `{"email":"CONTACT2@example.com"}`, "has already been taken"},
		{"a taken address in the array", `{"emails":[{"value":"contact2@example.com"}]}`, "has already been taken"},
		{"a taken address as emails string", `{"emails":"contact2@example.com"}`, "has already been taken"},
		{"an address without form", `{"email":"nobody"}`, "Email is invalid"},
		{"an address that is a number", `{"email":5}`, "Email is invalid"},
		{"an array of plain addresses", `{"emails":["a@example.com"]}`, "Emails is invalid"},
		{"emails as an object", `{"emails":{"value":"a@example.com"}}`, "Emails is invalid"},
		{"an e-mail id of somebody else", `{"emails":[{"id":1,"value":"a@example.com"}]}`, "Emails is invalid"},
		{"an e-mail without value", `{"emails":[{"is_primary":true}]}`, "Email is invalid"},
		{"a work address without form", `{"email":"x@example.com","work_email":"nobody"}`, "Work email is invalid"},
		{"a name that is a number", `{"email":"x@example.com","first_name":5}`, "First name is invalid"},
		{"a name that is an object", `{"email":"x@example.com","first_name":{}}`, "First name is invalid"},
		{"an address that is an array", `{"email":"x@example.com","address":["1 Ink Lane"]}`, "Address is invalid"},
		{"a status that is no number", `{"email":"x@example.com","subscription_status":"on"}`, "Subscription status is invalid"},
		{"tags as a string", `{"email":"x@example.com","tags":"vip"}`, "Tags is invalid"},
		{"tags as objects", `{"email":"x@example.com","tags":[{"name":"vip"}]}`, "Tags is invalid"},
		{"phones as a string", `{"email":"x@example.com","phone_numbers":"1"}`, "Phone numbers is invalid"},
		{"a phone without value", `{"email":"x@example.com","phone_numbers":[{"label":"Home"}]}`, "Phone numbers is invalid"},
		{"an owner that nobody is", `{"email":"x@example.com","owner_id":5}`, "Owner id is invalid"},
		{"a life cycle stage that is none", `{"email":"x@example.com","lifecycle_stage_id":5}`, "Lifecycle stage id is invalid"},
		{"a status that is none", `{"email":"x@example.com","contact_status_id":5}`, "Contact status id is invalid"},
		{"an unknown account", `{"email":"x@example.com","sales_accounts":[{"id":5,"is_primary":true}]}`, "Sales accounts is invalid"},
		{"a binned account", `{"email":"x@example.com","sales_accounts":[` + account(10, true) + `]}`, "Sales accounts is invalid"},
		{"accounts as ids", `{"email":"x@example.com","sales_accounts":[70003771198]}`, "Sales accounts is invalid"},
		{"an account twice", `{"email":"x@example.com","sales_accounts":[` + account(0, true) + `,` + account(0, false) + `]}`, "Sales accounts is invalid"},
		{"no primary account", `{"email":"x@example.com","sales_accounts":[` + account(0, false) + `]}`, "Exactly one"},
		{"two primary accounts", `{"email":"x@example.com","sales_accounts":[` + account(0, true) + `,` + account(1, true) + `]}`, "Exactly one"},
		{"eleven accounts", `{"email":"x@example.com","sales_accounts":[` + eleven + `]}`, "at most 10"},
		{"an unknown single account", `{"email":"x@example.com","sales_account_id":5}`, "Sales account id is invalid"},
		{"custom fields as an array", `{"email":"x@example.com","custom_field":[]}`, "Custom field is invalid"},
		{"a multi-select as an array", `{"email":"x@example.com","custom_field":{"cf_no-go_types":["calls"]}}`, "cf_no-go_types is invalid"},
	}
	s := start(t, 3, nil)
	before := call(t, s, "GET", api+"/contacts/"+firstContact+"?include=owner,sales_accounts", "")
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			requireError(t, call(t, s, "POST", api+"/contacts", `{"contact":`+c.contact+`}`), http.StatusBadRequest, c.message)
			requireError(t, call(t, s, "PUT", api+"/contacts/"+firstContact, `{"contact":`+c.contact+`}`), http.StatusBadRequest, c.message)
		})
	}
	for _, c := range []string{`{}`, `{"first_name":"Ada","work_email":"a@example.com"}`, `{"email":null,"mobile_number":""}`} {
		requireError(t, call(t, s, "POST", api+"/contacts", `{"contact":`+c+`}`), http.StatusBadRequest, "email or a mobile number")
	}
	after := call(t, s, "GET", api+"/contacts/"+firstContact+"?include=owner,sales_accounts", "")
	assert.Equal(t, string(before.body), string(after.body), "a refused write changes nothing")
	_, total := metaOf(t, call(t, s, "GET", api+"/contacts/view/"+allView, ""))
	assert.Equal(t, 6, total)
}

func TestBodiesThatAreNoEnvelope(t *testing.T) {
	s := start(t, 1, nil)
	for _, body := range []string{`{`, `[]`, `"x"`, `null`, `{"contact":[]}`, `{"contact":null}`, `{"contact":{}} {}`, `{"contact":{"email":"a@example.com",}}`, "email=a@example.com", " "} {
		requireError(t, call(t, s, "POST", api+"/contacts", body), http.StatusBadRequest, "")
		requireError(t, call(t, s, "PUT", api+"/contacts/"+firstContact, body), http.StatusBadRequest, "")
	}
	requireError(t, call(t, s, "POST", api+"/contacts", ""), http.StatusBadRequest, "")
}

func TestPartialUpdatesLeaveTheRest(t *testing.T) {
	s := start(t, 2, nil)
	before := call(t, s, "GET", api+"/contacts/"+firstContact, "").contact(t)
	r := call(t, s, "PUT", api+"/contacts/"+firstContact, `{"contact":{"job_title":null,"custom_field":{"cf_region":"APAC"}}}`)
	require.Equal(t, http.StatusOK, r.status)
	after := r.contact(t)
	for _, key := range contactKeys {
		switch key {
		case "job_title":
			assert.Nil(t, after.Get(key))
		case "custom_field":
			assert.Equal(t, "APAC", after.Get(key).(*kit.Object).Get("cf_region"))
			assert.Equal(t, json.Number("1000"), after.Get(key).(*kit.Object).Get("cf_badge_number"))
		case "updated_at":
			assert.NotEqual(t, before.Get(key), after.Get(key))
		default:
			assert.Equal(t, before.Get(key), after.Get(key), key)
		}
	}
}

func emailValues(t *testing.T, c *kit.Object) (all []string) {
	t.Helper()
	for _, item := range c.Get("emails").([]any) {
		e := item.(*kit.Object)
		text := e.Text("value")
		if e.Get("is_primary") == true {
			text += "*"
			assert.Equal(t, e.Get("value"), c.Get("email"))
		}
		all = append(all, text)
	}
	return all
}

func TestTheEmailsArrayAddsAndDestroys(t *testing.T) {
	steps := []struct {
		emails string
		want   []string
	}{
		{`[{"value":"b@example.com"}]`, []string{"contact1@example.com*", "b@example.com"}},
		{`[]`, []string{"contact1@example.com*", "b@example.com"}},
		{`null`, []string{"contact1@example.com*", "b@example.com"}},
		{`[{"value":"contact1@example.com","_destroy":true}]`, []string{"contact1@example.com*", "b@example.com"}}, // no id, no effect
		{`[{"value":"B@example.com","is_primary":true}]`, []string{"contact1@example.com", "B@example.com*"}},
		{`[{"id":70055667788,"value":"a@example.com"}]`, []string{"a@example.com", "B@example.com*"}},
		{`"c@example.com"`, []string{"a@example.com", "B@example.com*", "c@example.com"}},
		{`[{"id":70055667788,"_destroy":true}]`, []string{"B@example.com*", "c@example.com"}},
	}
	s := start(t, 1, nil)
	for _, step := range steps {
		r := call(t, s, "PUT", api+"/contacts/"+firstContact, `{"contact":{"emails":`+step.emails+`}}`)
		require.Equal(t, http.StatusOK, r.status, "%s", r.body)
		assert.Equal(t, step.want, emailValues(t, r.contact(t)), step.emails)
	}
	r := call(t, s, "PUT", api+"/contacts/"+firstContact, `{"contact":{"email":null}}`)
	assert.Equal(t, []string{"c@example.com*"}, emailValues(t, r.contact(t)))
}

func TestAnArrayCanReplaceWhatItDoesNotName(t *testing.T) {
	s := start(t, 1, map[string]string{"array_write": "replaces"})
	put := func(attributes string) *kit.Object {
		r := call(t, s, "PUT", api+"/contacts/"+firstContact, `{"contact":{`+attributes+`}}`)
		require.Equal(t, http.StatusOK, r.status, "%s", r.body)
		return r.contact(t)
	}
	assert.Equal(t, []string{"contact1@example.com*", "b@example.com"}, emailValues(t, put(`"emails":[{"id":70055667788},{"value":"b@example.com"}]`)))
	assert.Equal(t, []string{"b@example.com*"}, emailValues(t, put(`"emails":[{"value":"b@example.com"}]`)))
	put(`"phone_numbers":["1","2"]`)
	list := put(`"phone_numbers":["2","3"]`).Get("phone_numbers").([]any)
	require.Len(t, list, 2)
	assert.Equal(t, "2", list[0].(*kit.Object).Get("value"))
	assert.Equal(t, "3", list[1].(*kit.Object).Get("value"))
}

func TestWhenABulkDestroyTakesEffectAndWhatADeletionMoves(t *testing.T) {
	s := start(t, 2, map[string]string{"bulk_destroy_effect": "not_yet", "deletion_stamp": "kept"})
	r := call(t, s, "POST", api+"/contacts/bulk_destroy", `{"selected_ids":[`+firstContact+`]}`)
	assert.Equal(t, "true", string(r.body))
	before := call(t, s, "GET", api+"/contacts/"+firstContact, "").contact(t)
	assert.Equal(t, false, before.Get("is_deleted"))
	call(t, s, "DELETE", api+"/contacts/"+firstContact, "")
	after := call(t, s, "GET", api+"/contacts/"+firstContact, "").contact(t)
	assert.Equal(t, true, after.Get("is_deleted"))
	assert.Equal(t, before.Get("updated_at"), after.Get("updated_at"))
}

func TestTheSingleEmailReplacesOrAdds(t *testing.T) {
	for value, want := range map[string][]string{"replaces": {"new@example.com*"}, "adds": {"contact1@example.com", "new@example.com*"}} {
		s := start(t, 1, map[string]string{"email_write": value})
		r := call(t, s, "PUT", api+"/contacts/"+firstContact, `{"contact":{"email":"new@example.com"}}`)
		assert.Equal(t, want, emailValues(t, r.contact(t)), value)
	}
}

func TestTheAccountsArrayReplaces(t *testing.T) {
	s := start(t, 2, nil)
	path := api + "/contacts/" + firstContact + "?include=sales_accounts"
	names := func(r reply) (out []string) {
		for _, item := range r.contact(t).Get("sales_accounts").([]any) {
			out = append(out, item.(*kit.Object).Text("name"))
		}
		return out
	}
	r := call(t, s, "PUT", path, `{"contact":{"sales_accounts":[{"id":70003771200,"is_primary":false},{"id":70003771199,"is_primary":true}]}}`)
	assert.Equal(t, []string{"Northwind Looms", "Harbour Works"}, names(r))
	assert.Equal(t, []string{"Quill Ltd"}, names(call(t, s, "PUT", path, `{"contact":{"sales_account_id":70003771198}}`)))
	assert.Empty(t, names(call(t, s, "PUT", path, `{"contact":{"sales_accounts":[]}}`)))
	require.NoError(t, s.SetSwitch("write_include", "ignored"))
	assert.False(t, call(t, s, "PUT", path, `{"contact":{"city":"x"}}`).contact(t).Has("sales_accounts"))
}

func TestSwitchesOfWrites(t *testing.T) {
	post := func(switches map[string]string, body string) reply {
		return call(t, start(t, 3, switches), "POST", api+"/contacts", body)
	}
	fresh := `{"contact":{"email":"x@example.com"}}`
	assert.Equal(t, 200, post(map[string]string{"create_status": "200"}, fresh).status)
	assert.Equal(t, 400, post(map[string]string{"flat_body": "400"}, `{"email":"x@example.com"}`).status)
	assert.Equal(t, 201, post(map[string]string{"flat_body": "400"}, fresh).status)
	assert.Equal(t, 201, post(map[string]string{"invalid_email": "stored"}, `{"contact":{"email":"nobody"}}`).status)
	assert.Equal(t, 400, post(map[string]string{"unknown_attribute": "400"}, `{"contact":{"email":"x@example.com","shoe_size":4}}`).status)
	assert.Equal(t, 400, post(map[string]string{"unknown_attribute": "400"}, `{"contact":{"email":"x@example.com","custom_field":{"cf_shoe":4}}}`).status)
	assert.Equal(t, 201, post(map[string]string{"unknown_attribute": "400"}, `{"contact":{"email":"x@example.com","display_name":"x","lead_score":4}}`).status)
	stored := post(map[string]string{"write_timestamps": "stored"}, `{"contact":{"email":"x@example.com","created_at":"2001-02-03T04:05:06Z"}}`)
	assert.Equal(t, "2001-02-02T22:05:06-06:00", stored.contact(t).Get("created_at"))
	// The address of a contact in the bin.
	assert.Equal(t, 201, post(nil, `{"contact":{"email":"binned@example.com"}}`).status)
	assert.Equal(t, 400, post(map[string]string{"email_of_deleted": "taken"}, `{"contact":{"email":"binned@example.com"}}`).status)
	phones := post(map[string]string{"phone_numbers_items": "strings"}, `{"contact":{"email":"x@example.com","phone_numbers":[{"value":"1"},"2"]}}`)
	assert.Equal(t, []any{"1", "2"}, phones.contact(t).Get("phone_numbers"))

	for value, forms := range map[string][2]string{"mixed": {`["`, `"The`}, "string": {`"`, `"The`}, "array": {`["`, `["The`}} {
		s := start(t, 1, map[string]string{"error_message": value})
		assert.Contains(t, string(call(t, s, "POST", api+"/contacts", `{"contact":{}}`).body), `"message":`+forms[0]+"Please", value)
		assert.Contains(t, string(call(t, s, "GET", api+"/contacts/1", "").body), `"message":`+forms[1], value)
	}
	for value, status := range map[string]int{"400": 400, "accepted": 201} {
		s := start(t, 1, map[string]string{"missing_content_type": value})
		for _, media := range []string{"", "text/plain", "application/x-www-form-urlencoded"} {
			r := callWith(t, s, "POST", api+"/contacts", `{"contact":{"mobile_number":"1"}}`, map[string]string{"Authorization": "Token token=" + apiKey, "Content-Type": media})
			assert.Equal(t, status, r.status, "%s %q", value, media)
		}
		r := callWith(t, s, "POST", api+"/contacts", `{"contact":{"mobile_number":"1"}}`, map[string]string{"Authorization": "Token token=" + apiKey, "Content-Type": "application/json; charset=utf-8"})
		assert.Equal(t, 201, r.status)
	}
}
