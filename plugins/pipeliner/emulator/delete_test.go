package emulator

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDeleteEchoesTheIDAndIsSoft(t *testing.T) {
	c := start(t, 3, nil)
	a := c.call("DELETE", "Contacts/"+strings.ToUpper(contactID(1)), nil)
	assert.Equal(t, 200, a.status)
	assert.Equal(t, `{"success":true,"data":"`+contactID(1)+`"}`, a.raw)
	assert.Equal(t, 404, c.get("Contacts/"+contactID(1)).status)
	assert.Equal(t, 404, c.call("PATCH", "Contacts/"+contactID(1), object{"city": "x"}).status)
	assert.EqualValues(t, 8, c.get("Contacts").body["total"])
	var shown object
	for _, r := range c.get("Contacts", "include-deleted", "true").list() {
		if r["id"] == contactID(1) {
			shown = r
		}
	}
	assert.Equal(t, true, shown["is_deleted"])
}

func TestEveryDeleteSwitchInEveryValue(t *testing.T) {
	for _, tt := range []struct {
		name, value, method, id string
		want                    int
		success                 any // of the body; nil in the other shape
	}{
		{"second_delete", "404", "DELETE", awkwardID(2), 404, false},
		{"second_delete", "200", "DELETE", awkwardID(2), 200, true},
		{"second_delete", "500", "DELETE", awkwardID(2), 500, false},
		{"unknown_id", "404", "DELETE", unknownID, 404, false},
		{"unknown_id", "404_route", "DELETE", unknownID, 404, nil},
		{"unknown_id", "422", "DELETE", unknownID, 422, false},
		{"unknown_id", "404", "GET", unknownID, 404, false},
		{"unknown_id", "404", "PATCH", unknownID, 404, false},
		{"malformed_id", "404", "DELETE", "7", 404, false},
		{"malformed_id", "404_route", "DELETE", "7", 404, nil},
		{"malformed_id", "400", "DELETE", "7", 400, false},
		{"malformed_id", "400", "GET", "a%2Fb", 400, false},
		{"malformed_id", "400", "PATCH", contactID(0) + "%20", 400, false},
		{"get_after_delete", "404", "GET", awkwardID(2), 404, false},
		{"get_after_delete", "200", "GET", awkwardID(2), 200, true},
		{"update_after_delete", "404", "PATCH", awkwardID(2), 404, false},
		{"update_after_delete", "422", "PATCH", awkwardID(2), 422, false},
		{"protected_delete", "422", "DELETE", awkwardID(0), 422, false},
		{"protected_delete", "400", "DELETE", awkwardID(0), 400, false},
		{"protected_delete", "403", "DELETE", awkwardID(0), 403, false},
		{"archived_update", "422", "PATCH", awkwardID(1), 422, false},
		{"archived_update", "accept", "PATCH", awkwardID(1), 200, true},
	} {
		c := start(t, 1, map[string]string{tt.name: tt.value})
		var body any
		if tt.method == "PATCH" {
			body = object{"city": "Cork"}
		}
		a := c.call(tt.method, "Contacts/"+tt.id, body)
		label := fmt.Sprintf("%s=%s on %s", tt.name, tt.value, tt.method)
		assert.Equal(t, tt.want, a.status, "%s: %s", label, a.raw)
		assert.Equal(t, tt.success, a.body["success"], label)
	}
}

func TestArchivedContactsCanBeTakenBackAndDeleted(t *testing.T) {
	c := start(t, 1, nil)
	assert.Equal(t, 200, c.call("PATCH", "Contacts/"+awkwardID(1), object{"is_archived": false, "city": "Cork"}).status)
	c.server.Reset()
	assert.Equal(t, 200, c.call("DELETE", "Contacts/"+awkwardID(1), nil).status)
}

func TestDeletedRecordsCanBeReadWithTheParameterOfThePages(t *testing.T) {
	c := start(t, 1, nil)
	path := "Contacts/" + awkwardID(2)
	assert.Equal(t, 404, c.get(path, "include-deleted", "true").status)
	assert.EqualValues(t, 7, c.get("Contacts", "include_deleted", "true").body["total"])
	c.set("include_deleted", "docs")
	assert.Equal(t, 200, c.get(path, "include-deleted", "true").status)
	assert.Equal(t, 200, c.get(path, "include_deleted", "true").status)
	assert.Equal(t, 404, c.get(path).status)
	assert.EqualValues(t, 8, c.get("Contacts", "include_deleted", "true").body["total"])
}

func TestEmptyIDIsTheCollection(t *testing.T) {
	c := start(t, 1, nil)
	assert.EqualValues(t, 7, c.get("Contacts/").body["total"])
	for value, want := range map[string]int{"404": 404, "405": 405} {
		c.set("wrong_method", value)
		for _, path := range []string{"Contacts", "Contacts/"} {
			for _, method := range []string{"DELETE", "PATCH", "PUT"} {
				a := c.call(method, path, nil)
				assert.Equal(t, want, a.status)
				assert.NotContains(t, a.body, "success", "the other shape")
			}
		}
	}
	assert.EqualValues(t, 7, c.get("Contacts").body["total"], "nothing is gone")
}

func TestPathsOfNoRouteHaveTheOtherShape(t *testing.T) {
	c := start(t, 1, nil)
	for _, path := range []string{"", "/", "/api", "/api/v100/rest/spaces/" + spaceID, entities, entities + "/Contacts", entities + "Contacts/x/y", entities + "Contacts//", "/api/v99/rest/spaces/em_Demo/entities/Contacts", "/rest_services/v1/em_Demo/Contacts"} {
		req, err := http.NewRequest("GET", c.server.URL()+path, nil)
		require.NoError(t, err)
		req.SetBasicAuth(username, password)
		a := c.do(req)
		assert.Equal(t, 404, a.status, path)
		assert.Equal(t, []any{404.0, nil, nil}, []any{a.body["status"], a.body["errorcode"], a.body["success"]}, path)
	}
	for _, name := range []string{"Contact", "contacts", "Leads", "%43ontact"} {
		assert.EqualValues(t, 2006, c.get(name).body["code"], name)
	}
	assert.Equal(t, 200, c.get("%43ontacts").status, "an escaped letter is the letter")
}

func TestLookUpsCannotBeWritten(t *testing.T) {
	c := start(t, 1, nil)
	for _, name := range []string{"Clients", "SalesUnits", "ContactTypes", "AccountTypes", "Data"} {
		id := c.get(name).list()[0]["id"].(string)
		assert.Equal(t, 200, c.get(name+"/"+id).status, name)
		assert.Equal(t, 404, c.call("POST", name, object{"name": "x"}).status, name)
		assert.Equal(t, 404, c.call("DELETE", name+"/"+id, nil).status, name)
		assert.Equal(t, 404, c.call("POST", name+"/batch-delete", []string{id}).status, name)
	}
}

func TestReadOnlyKeyMayOnlyRead(t *testing.T) {
	c := start(t, 1, map[string]string{"permission": "read_only"})
	assert.Equal(t, 200, c.get("Contacts").status)
	for _, status := range []int{
		c.call("POST", "Contacts", object{}).status, c.call("PATCH", "Contacts/"+contactID(0), object{}).status,
		c.call("DELETE", "Contacts/"+contactID(0), nil).status, c.call("POST", "Contacts/batch-delete", []string{}).status,
	} {
		assert.Equal(t, 403, status)
	}
}

func TestUnauthorizedBodyIsTheSwitchs(t *testing.T) {
	c := start(t, 1, nil)
	ask := func() answer {
		req, err := http.NewRequest("GET", c.server.URL()+entities+"Contacts", nil)
		require.NoError(t, err)
		return c.do(req)
	}
	assert.Equal(t, false, ask().body["success"])
	c.set("unauthorized_body", "text")
	assert.Equal(t, "Unauthorized", ask().raw)
	c.set("unauthorized_body", "empty")
	assert.Equal(t, "", ask().raw)
	assert.Equal(t, 401, ask().status)
}

func TestRateLimitCountsFromTheSwitchOn(t *testing.T) {
	c := start(t, 1, nil)
	for range 5 {
		require.Equal(t, 200, c.get("Contacts").status)
	}
	c.set("rate_limit", "2")
	assert.Equal(t, []int{200, 200, 429, 429}, []int{c.get("Contacts").status, c.get("Tags").status, c.get("Contacts").status, c.get("Contacts").status})
	assert.Empty(t, c.get("Contacts").header.Get("Retry-After"))
	c.set("rate_limit_headers", "retry_after")
	assert.Regexp(t, `^[1-6]?[0-9]$`, c.get("Contacts").header.Get("Retry-After"))
	c.set("rate_limit", "off")
	assert.Equal(t, 200, c.get("Contacts").status)
}

func TestRateLimitWindowEnds(t *testing.T) {
	c := start(t, 1, map[string]string{"rate_limit": "1/1"})
	require.Equal(t, 200, c.get("Contacts").status)
	require.Equal(t, 429, c.get("Contacts").status)
	require.Eventually(t, func() bool { return c.get("Contacts").status == 200 }, 5*time.Second, 50*time.Millisecond)
}

func TestAwkwardContactsAreAsTheReadmeSays(t *testing.T) {
	c := start(t, 1, nil)
	r := func(i int, params ...string) object { return c.get("Contacts/"+awkwardID(i), params...).data() }
	assert.Equal(t, true, r(0)["is_delete_protected"])
	assert.Equal(t, true, r(1)["is_archived"])
	assert.Equal(t, "fifi5@example.com", r(3)["email5"])
	assert.Equal(t, formerOwner, r(4)["owner_id"])
	assert.Equal(t, true, r(4, "expand", "owner")["owner"].(object)["is_deleted"])
	assert.Nil(t, r(5)["primary_account"])
	assert.Equal(t, []any{1.0, true}, []any{r(6)["share_mode"], r(6)["is_unsubscribed"]})
	ids, _ := c.walk()
	assert.Equal(t, awkwardID(6), ids[len(ids)-1], "they come last")
}
