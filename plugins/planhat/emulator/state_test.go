package emulator

import (
	"fmt"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestSeedZeroHasLookupsButNoEndusers(t *testing.T) {
	s := start(t, 0, nil)
	assert.Equal(t, "[]", s.call("GET", "/endusers", "").body)
	assert.Len(t, s.list("/companies"), 4)
	assert.Len(t, s.list("/leancompanies"), 4)
	assert.Len(t, s.list("/users"), 3)
	assert.Len(t, s.list("/customfields"), 7)
	assert.Equal(t, []any{s.make("first@example.com")}, column(s.list("/endusers"), "_id"))
}

func TestTwoStartsSeedTheSameAndResetRestoresIt(t *testing.T) {
	one, two := start(t, seeded, nil), start(t, seeded, nil)
	before := one.call("GET", "/endusers?limit=1000", "").body
	assert.Equal(t, before, two.call("GET", "/endusers?limit=1000", "").body)
	id := one.contact(0)
	one.call("DELETE", "/endusers/"+id, "")
	one.object("PUT", "/endusers/"+one.contact(0), `{"position":"changed","custom":{}}`)
	one.object("PUT", "/companies/"+companyID, `{"name":"changed"}`)
	one.make("extra@example.com")
	require.NoError(t, one.SetSwitch("malformed_id", "500"))
	assert.NotEqual(t, before, one.call("GET", "/endusers?limit=1000", "").body)
	one.Reset()
	assert.Equal(t, before, one.call("GET", "/endusers?limit=1000", "").body)
	assert.Equal(t, 400, one.call("GET", "/endusers/x", "").status)
}

func TestEverySeededEnduserCanBeDeleted(t *testing.T) {
	s := start(t, seeded, nil)
	for _, record := range s.list("/endusers?limit=1000") {
		assert.Equal(t, 200, s.call("DELETE", "/endusers/"+record["_id"].(string), "").status, record["name"])
	}
	assert.Empty(t, s.list("/endusers"))
	assert.Equal(t, 200, s.call("DELETE", "/endusers/"+awkwardID(1), "").status)
}

func TestNewStampsAndIDsAreLaterThanEverySeededOne(t *testing.T) {
	s := start(t, 8_000, nil) // the dates of so many run past today's
	latest := s.list("/endusers?sort=-updatedAt&limit=1")[0]["updatedAt"]
	s.make("new@example.com")
	assert.Greater(t, s.list("/endusers?email=new@example.com")[0]["updatedAt"], latest)
}

func TestTheAwkwardEndusersAreWhatTheReadmeSays(t *testing.T) {
	s := start(t, 1, nil)
	awk := func(n int) map[string]any { return s.object("GET", "/endusers/"+awkwardID(n), "") }
	assert.Equal(t, awk(2)["email"], awk(3)["email"])
	assert.NotEqual(t, awk(2)["companyId"], awk(3)["companyId"])
	assert.NotContains(t, awk(4), "companyId")
	assert.Equal(t, 404, s.call("GET", "/companies/"+awk(5)["companyId"].(string), "").status)
	assert.Equal(t, "Gone & Co", awk(5)["companyName"])
	assert.NotContains(t, awk(6), "firstName")
	assert.Equal(t, "Oldname Awkward", awk(6)["name"])
	assert.Equal(t, awk(7), s.object("GET", "/endusers/extid-"+url.PathEscape(awk(7)["externalId"].(string)), ""))
	assert.NotContains(t, awk(8), "createDate")
	assert.Contains(t, s.call("GET", "/endusers/"+awkwardID(9), "").body, `"Big":9007199254740993`)
	assert.Contains(t, s.object("PUT", "/endusers/"+awkwardID(4), `{"position":"x"}`), "position", "what is missing does not hinder other writes")
	assert.Equal(t, "x", s.object("PUT", "/endusers/"+awkwardID(5), `{"position":"x"}`)["position"])
}

func TestCompaniesShowTheirOwnerInTwoTypes(t *testing.T) {
	s := start(t, 1, nil)
	path := "/companies/" + companyID
	assert.Equal(t, fixedID("39", 1), s.object("GET", path, "")["owner"])
	assert.Equal(t, map[string]any{"_id": fixedID("39", 1), "nickName": "Ida"}, s.list("/companies?sort=_id")[0]["owner"])
	assert.Equal(t, fixedID("39", 2), s.object("PUT", path, `{"owner":"`+fixedID("39", 2)+`"}`)["owner"])

	s.object("PUT", path, `{"name":"Renamed & Co"}`)
	assert.Equal(t, "Renamed & Co", s.object("GET", "/endusers/"+s.contact(0), "")["companyName"])
	assert.Equal(t, 200, s.call("DELETE", path, "").status)
	assert.Equal(t, "Quill Ltd", s.object("GET", "/endusers/"+s.contact(0), "")["companyName"], "the contact stays")

	assert.Equal(t, 400, s.call("POST", "/companies", `{}`).status)
	assert.Equal(t, 400, s.call("PUT", "/companies/"+fixedID("38", 2), `{"name":null}`).status)
	made := s.object("PUT", "/companies", `[{"externalId":"c-2","phase":"Late"},{"name":"Bulk Works"}]`)
	assert.EqualValues(t, 1, made["created"])
	assert.EqualValues(t, 1, made["updated"])
	assert.Len(t, s.list("/leancompanies?status=prospect"), 2)
	assert.Equal(t, []any{"Harbour Works"}, column(s.list("/leancompanies?externalId=c-2"), "name"))
	assert.Empty(t, s.list("/leancompanies?sourceId=none"))
}

func TestUsersAndCustomFieldsHaveTheirRequiredAttributes(t *testing.T) {
	s := start(t, 0, nil)
	user := s.object("POST", "/users", `{"email":"n@example.com","nickName":"N","firstName":"N","lastName":"O"}`)
	assert.Equal(t, true, user["inactive"])
	assert.Equal(t, 400, s.call("POST", "/users", `{"email":"n@example.com"}`).status)
	field := s.object("POST", "/customfields", `{"name":"Floor","type":"number","parent":"enduser","isHidden":false}`)
	assert.Equal(t, 400, s.call("POST", "/customfields", `{"name":"Floor","type":"number","parent":"enduser"}`).status)
	assert.Equal(t, "Storey", s.object("PUT", "/customfields/"+field["_id"].(string), `{"name":"Storey"}`)["name"])
	assert.Equal(t, 200, s.call("DELETE", "/customfields/"+field["_id"].(string), "").status)
}

func TestManyClientsAtOnceLoseNothing(t *testing.T) {
	s := start(t, seeded, nil)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 10 {
				id := s.make(fmt.Sprintf("c%d-%d@example.com", i, j))
				s.object("PUT", "/endusers/"+id, `{"custom":{"A":1},"tags":["x"]}`)
				s.list("/endusers?limit=1000&sort=updatedAt")
				if j%2 == 0 {
					s.call("DELETE", "/endusers/"+id, "")
				}
			}
		})
	}
	wg.Wait()
	stamps := map[any]bool{}
	all := s.list("/endusers?limit=5000")
	for _, record := range all {
		stamps[record["updatedAt"]] = true
	}
	assert.Len(t, all, seeded+awkward-1+40)
	assert.Len(t, stamps, len(all), "no two writes share a stamp")
}

func TestNoRequestMakesTheServerFail(t *testing.T) {
	s := start(t, 3, nil)
	long := make([]byte, 100_000)
	for i := range long {
		long[i] = 'a'
	}
	paths := []string{
		"/", "//", "///", "/endusers", "/endusers/", "/endusers//", "/endusers/%00", "/endusers/%2F", "/endusers/..", "/endusers/../users", "/endusers/.",
		"/endusers/extid-", "/endusers/srcid-%FF", "/endusers/" + string(long), "/endusers?" + string(long), "/endusers?limit=" + string(long), "/endusers?select=,,,&sort=-",
		"/endusers?sort=custom", "/endusers?sort=tags", "/endusers?sort=featured", "/endusers?sort=sharedNotificationsPrefs", "/endusers?sort=score&companyId=,,", "/endusers?%zz=1&;=2",
		"/companies/x", "/users/x", "/customfields/x", "/leancompanies?status=%FF", "/endusers/" + s.contact(0), "/endusers/" + unknownID,
	}
	bodies := []string{
		"", "{", "[", "null", "1e999", `"x"`, "\x00\xff", `{"email":"\ud800"}`, `{"custom":{"a":1e400,"":null}}`, `[[]]`, `[{"_id":{}}]`, `[{"email":"z@example.com","custom":null,"tags":null}]`,
		`{"email":"y@example.com","name":" ","custom":{"x":[[[]]]},"sharedNotificationsPrefs":null}`, `{"tags":[],"personas":null,"otherEmails":null}`,
	}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"} {
		for _, path := range paths {
			for _, body := range bodies {
				got := s.call(method, path, body)
				assert.Less(t, got.status, 500, "%s %.60s %.60s", method, path, body)
			}
		}
	}
}
