package emulator

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestACreatedEnduserReadsBackWhole(t *testing.T) {
	s := start(t, 0, nil)
	created := s.object("POST", "/endusers", `{"email":"a@b.test","firstName":"Ada","lastName":"Quill","companyId":"`+strings.ToUpper(companyID)+`",
		"externalId":"x/1","sourceId":"s 1","position":"CFO","phone":"anything goes","tags":["a"],"otherEmails":["b@b.test"],"custom":{"Ätt ribute":1.50},"createDate":"2020-02-03"}`)
	assert.Equal(t, "Ada Quill", created["name"])
	assert.Equal(t, "Quill Ltd", created["companyName"])
	assert.Equal(t, companyID, created["companyId"])
	assert.Equal(t, "2020-02-03T00:00:00.000Z", created["createDate"])
	assert.Equal(t, created["createdAt"], created["updatedAt"])
	assert.Regexp(t, "^[0-9a-f]{24}$", created["_id"])
	assert.Len(t, created["emailMd5"], 32)
	for _, id := range []string{created["_id"].(string), strings.ToUpper(created["_id"].(string)), "extid-x%2F1", "srcid-" + url.PathEscape("s 1")} {
		assert.Equal(t, created, s.object("GET", "/endusers/"+id, ""), id)
	}
	assert.Equal(t, []any{created["_id"]}, column(s.list("/endusers"), "_id"))
	assert.Contains(t, s.call("GET", "/endusers/extid-x%2F1", "").body, `"Ätt ribute":1.50`, "digits survive")
}

func TestAnEnduserWithoutACompanyGetsTheOneOfItsDomain(t *testing.T) {
	s := start(t, 0, nil)
	assert.Equal(t, "Harbour Works", s.object("POST", "/endusers", `{"email":"x@HarbourWorks.example"}`)["companyName"])
	assert.Equal(t, 400, s.call("POST", "/endusers", `{"email":"x@nowhere.invalid"}`).status)
	require.NoError(t, s.SetSwitch("no_company", "accepted"))
	alone := s.object("POST", "/endusers", `{"email":"x@nowhere.invalid"}`)
	assert.NotContains(t, alone, "companyId")
	assert.NotContains(t, alone, "companyName")
	assert.NotContains(t, alone, "name")
}

func TestAWriteThatIsWrongIsRefusedAndChangesNothing(t *testing.T) {
	s := start(t, 1, nil)
	path := "/endusers/" + s.contact(0)
	before := s.call("GET", path, "").body
	for _, body := range []string{
		"", "{", "null", `"x"`, "[]", `{} {}`, strings.Repeat("[", 100_000), `{"sharedNotificationsPrefs":` + strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 201),
		`{"_id":"` + unknownID + `"}`, `{"companyName":"x"}`, `{"updatedAt":"2026-01-01T00:00:00.000Z"}`, `{"createdAt":"x"}`, `{"emailMd5":"x"}`, `{"beats":1}`, `{"__v":0}`,
		`{"email":1}`, `{"firstName":["x"]}`, `{"phone":{}}`, `{"tags":"x"}`, `{"tags":[1]}`, `{"tags":[{"name":"x"}]}`, `{"otherEmails":"x"}`, `{"featured":"true"}`, `{"archived":1}`,
		`{"custom":[]}`, `{"custom":{"a":{"b":1}}}`, `{"sharedNotificationsPrefs":[]}`, `{"companyId":"x"}`, `{"companyId":"` + unknownID + `"}`, `{"companyId":12}`,
	} {
		assert.Equal(t, 400, s.call("PUT", path, body).status, "PUT %.80s", body)
		assert.Equal(t, 400, s.call("POST", "/endusers", body).status, "POST %.80s", body)
	}
	for _, body := range []string{`{"createDate":"2020-01-01T00:00:00Z"}`, `{"email":null}`, `{"email":""}`} {
		assert.Equal(t, 400, s.call("PUT", path, body).status, body)
	}
	for _, body := range []string{`{}`, `{"firstName":"x","companyId":"` + companyID + `"}`, `{"email":"","companyId":"` + companyID + `"}`, `{"email":"x@example.com","createDate":"yesterday"}`, `{"email":"x@example.com","createDate":1}`} {
		assert.Equal(t, 400, s.call("POST", "/endusers", body).status, body)
	}
	assert.Equal(t, before, s.call("GET", path, "").body)
	assert.Len(t, s.list("/endusers"), 1+awkward-1)
}

func TestAnUpdateIsPartialAndMovesUpdatedAtEvenWhenNothingChanges(t *testing.T) {
	s := start(t, 1, nil)
	path := "/endusers/" + s.contact(0)
	before := s.object("GET", path, "")
	after := s.object("PUT", path, `{"position":"Chief","tags":["x"]}`)
	assert.Equal(t, "Chief", after["position"])
	assert.Equal(t, []any{"x"}, after["tags"])
	assert.Greater(t, after["updatedAt"], before["updatedAt"])
	for _, key := range []string{"email", "name", "phone", "custom", "createDate", "createdAt", "companyName", "emailMd5"} {
		assert.Equal(t, before[key], after[key], key)
	}
	last := after["updatedAt"]
	for range 3 {
		again := s.object("PUT", path, `{}`)
		assert.Greater(t, again["updatedAt"], last)
		last = again["updatedAt"]
	}
	assert.Equal(t, "Second", s.object("PUT", "/endusers/extid-u-1", `{"position":"Second"}`)["position"])
	assert.Equal(t, "Third", s.object("PUT", "/endusers/srcid-003XX0000001", `{"position":"Third"}`)["position"])
}

func TestNameAndItsPartsStayInStep(t *testing.T) {
	s := start(t, 1, nil)
	path := "/endusers/" + s.contact(0)
	names := func(body string) string {
		record := s.object("PUT", path, body)
		return fmt.Sprintf("%v|%v|%v", record["firstName"], record["lastName"], record["name"])
	}
	assert.Equal(t, "Jo|Quill|Jo Quill", names(`{"firstName":"Jo"}`))
	assert.Equal(t, "Jo|van der Berg|Jo van der Berg", names(`{"name":" Jo  van der Berg "}`))
	assert.Equal(t, "Cher|<nil>|Cher", names(`{"name":"Cher"}`))
	assert.Equal(t, "A|B|A B", names(`{"name":"ignored here","firstName":"A","lastName":"B"}`))
	assert.Equal(t, "A|<nil>|A", names(`{"lastName":null}`))
	assert.Equal(t, "|<nil>|<nil>", names(`{"firstName":""}`))
	assert.Equal(t, "<nil>|<nil>|<nil>", names(`{"name":null}`))
	require.NoError(t, s.SetSwitch("name_case", "capitalised"))
	assert.Equal(t, "Éva-Lyn|O'Hara|Éva-Lyn O'Hara", names(`{"name":"ÉVA-lyn o'hara"}`))
}

func TestWritesFollowTheirSwitches(t *testing.T) {
	s := start(t, 1, nil)
	path := "/endusers/" + s.contact(0)
	put := func(body string) map[string]any { return s.object("PUT", path, body) }
	set := func(name, value string) { require.NoError(t, s.SetSwitch(name, value)) }

	computed := func(fields map[string]any) map[string]any {
		fields["Days as contact"] = 0.0
		return fields
	}
	assert.Equal(t, computed(map[string]any{"A": 1.0}), put(`{"custom":{"A":1}}`)["custom"])
	set("custom_update", "merge")
	assert.Equal(t, computed(map[string]any{"A": 1.0, "B": 2.0}), put(`{"custom":{"B":2}}`)["custom"])
	assert.Equal(t, computed(map[string]any{"B": 2.0}), put(`{"custom":{"A":null}}`)["custom"])
	assert.Equal(t, computed(map[string]any{"B": 2.0}), put(`{"custom":{"Days as contact":7}}`)["custom"], "what is computed stays")
	set("formula_write", "400")
	assert.Equal(t, 400, s.call("PUT", path, `{"custom":{"Days as contact":7}}`).status)
	set("unknown_custom", "ignored")
	assert.Equal(t, computed(map[string]any{"B": 2.0, "Score": 3.0}), put(`{"custom":{"C":1,"Score":3}}`)["custom"])
	set("unknown_custom", "400")
	assert.Equal(t, 400, s.call("PUT", path, `{"custom":{"C":1}}`).status)
	assert.Equal(t, 200, s.call("PUT", path, `{"custom":{"Score":1}}`).status)

	assert.Equal(t, []any{"a@x.test"}, put(`{"otherEmails":["a@x.test"]}`)["otherEmails"])
	set("other_emails", "merge")
	assert.Equal(t, []any{"a@x.test", "b@x.test"}, put(`{"otherEmails":["b@x.test","a@x.test"]}`)["otherEmails"])
	set("other_emails", "ignored")
	assert.Equal(t, []any{"a@x.test", "b@x.test"}, put(`{"otherEmails":[]}`)["otherEmails"])

	assert.NotContains(t, put(`{"phone":null}`), "phone")
	set("null_write", "null")
	cleared := put(`{"phone":null}`)
	assert.Contains(t, cleared, "phone")
	assert.Nil(t, cleared["phone"])

	assert.NotContains(t, put(`{"nickname":"x"}`), "nickname")
	set("unknown_attribute", "400")
	assert.Equal(t, 400, s.call("PUT", path, `{"nickname":"x"}`).status)

	set("read_only_attribute", "ignored")
	assert.Equal(t, "Quill Ltd", put(`{"companyName":"x"}`)["companyName"])
	assert.Equal(t, 400, s.call("PUT", path, `{"_id":"x"}`).status, "_id in a single update stays wrong")

	body := `{"phone":"1","companyId":"` + companyID + `"}`
	assert.Equal(t, 400, s.call("POST", "/endusers", body).status)
	set("missing_email", "accepted")
	assert.NotContains(t, s.object("POST", "/endusers", body), "email")
	assert.NotContains(t, put(`{"email":""}`), "emailMd5")

	set("create_date", "ignored")
	assert.NotEqual(t, "2020-01-02T00:00:00.000Z", s.object("POST", "/endusers", `{"email":"dated@example.com","createDate":"2020-01-02T00:00:00Z"}`)["createDate"])

	assert.Equal(t, "enduser", s.list("/customfields")[0]["parent"])
	set("custom_field_parent", "EndUser")
	assert.Equal(t, "EndUser", s.list("/customfields")[0]["parent"])
	assert.Equal(t, "company", s.list("/customfields")[5]["parent"])

	body = `{"email":"same@example.com"}`
	s.object("POST", "/endusers", body)
	s.object("POST", "/endusers", body)
	set("duplicate_email", "400")
	assert.Equal(t, 400, s.call("POST", "/endusers", body).status)
	assert.Equal(t, 400, s.call("PUT", path, body).status)
	set("create_status", "201")
	assert.Equal(t, 201, s.call("POST", "/endusers", `{"email":"fresh@example.com"}`).status)
}

func TestAnArchivedEnduserLeavesTheListsAndCanComeBack(t *testing.T) {
	s := start(t, 3, nil)
	id := s.contact(0)
	s.object("PUT", "/endusers/"+id, `{"archived":true}`)
	assert.NotContains(t, column(s.list("/endusers"), "_id"), id)
	assert.Empty(t, s.list("/endusers?email=contact1@example.com"))
	assert.Equal(t, true, s.object("GET", "/endusers/"+id, "")["archived"])
	s.object("PUT", "/endusers/"+id, `{"archived":false}`)
	assert.Contains(t, column(s.list("/endusers"), "_id"), id)
	assert.Equal(t, true, s.object("GET", "/endusers/"+awkwardID(1), "")["archived"])
}

func TestADeleteIsForGood(t *testing.T) {
	s := start(t, 3, nil)
	id := s.contact(0)
	first := s.call("DELETE", "/endusers/"+id, "")
	assert.Equal(t, 200, first.status)
	assert.Equal(t, `{"n":1,"ok":1,"deletedCount":1}`, first.body)
	assert.Equal(t, 404, s.call("GET", "/endusers/"+id, "").status)
	assert.Equal(t, 404, s.call("GET", "/endusers/extid-u-1", "").status)
	assert.Equal(t, 404, s.call("PUT", "/endusers/"+id, `{"archived":false}`).status)
	assert.NotContains(t, column(s.list("/endusers"), "_id"), id)
	for _, gone := range []string{id, unknownID} {
		require.NoError(t, s.SetSwitch("second_delete", "404"))
		assert.Equal(t, 404, s.call("DELETE", "/endusers/"+gone, "").status)
		require.NoError(t, s.SetSwitch("second_delete", "200_zero"))
		again := s.call("DELETE", "/endusers/"+gone, "")
		assert.Equal(t, 200, again.status)
		assert.Equal(t, `{"n":0,"ok":1,"deletedCount":0}`, again.body)
	}
}

func TestADeleteAnswersAsItsSwitchSays(t *testing.T) {
	s := start(t, 0, nil)
	for mode, want := range map[string]string{"counts": `200 {"n":1,"ok":1,"deletedCount":1}`, "n_ok": `200 {"n":1,"ok":1}`, "empty": "200 ", "204": "204 "} {
		require.NoError(t, s.SetSwitch("delete_body", mode))
		got := s.call("DELETE", "/endusers/"+s.make("x@example.com"), "")
		assert.Equal(t, want, fmt.Sprint(got.status, " ", got.body), mode)
	}
	assert.Empty(t, s.list("/endusers"))
}

func TestADeleteTakesAnAliasOnlyWhenTheSwitchSaysSo(t *testing.T) {
	s := start(t, 3, nil)
	for _, alias := range []string{"extid-u-1", "srcid-003XX0000001"} {
		require.NoError(t, s.SetSwitch("delete_by_alias", "refused"))
		assert.Equal(t, 400, s.call("DELETE", "/endusers/"+alias, "").status)
	}
	require.NoError(t, s.SetSwitch("delete_by_alias", "accepted"))
	assert.Equal(t, 200, s.call("DELETE", "/endusers/extid-u-1", "").status)
	assert.Equal(t, 404, s.call("DELETE", "/endusers/srcid-003XX0000001", "").status)
}

func TestAMalformedIDAnswersAsItsSwitchSays(t *testing.T) {
	s := start(t, 1, nil)
	for _, id := range []string{"1", "not-an-id", "%20", "a%2Fb", strings.Repeat("0", 25), "64b0c1d2e3f4051627380g01", "..", "null"} {
		for _, status := range []int{400, 404, 500} {
			require.NoError(t, s.SetSwitch("malformed_id", fmt.Sprint(status)))
			for _, method := range []string{"GET", "PUT", "DELETE"} {
				assert.Equal(t, status, s.call(method, "/endusers/"+id, "{}").status, "%s %s", method, id)
			}
		}
	}
	assert.Equal(t, 404, s.call("GET", "/endusers/extid-", "").status, "an empty alias names nobody")
}
