package emulator

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestBatchModifyCreatesAndUpdates(t *testing.T) {
	c := start(t, 2, nil)
	a := c.call("POST", "Contacts/batch-modify", []any{object{"id": contactID(0), "city": "Cork"}, object{"owner_id": firstOwner, "last_name": "New"}})
	require.Equal(t, 200, a.status, a.raw)
	ids := a.body["data"].([]any)
	assert.Equal(t, contactID(0), ids[0])
	assert.Equal(t, "Cork", c.get("Contacts/" + contactID(0)).data()["city"])
	assert.Equal(t, "New", c.get("Contacts/" + ids[1].(string)).data()["last_name"])
}

func TestBatchRollsBackAllOrOnlyWhatFailed(t *testing.T) {
	items := []any{
		object{"id": contactID(0), "city": "Cork"},
		object{"last_name": "No owner"},
		object{"id": unknownID, "city": "x"},
		object{"id": awkwardID(2), "city": "x"},
		object{"owner_id": firstOwner, "last_name": "New"},
		7,
	}
	for _, query := range []string{"", "?rollback-method=0"} {
		c := start(t, 2, nil)
		before := c.get("Contacts", "first", "100").raw
		a := c.call("POST", "Contacts/batch-modify"+query, items)
		assert.Equal(t, 422, a.status)
		assert.EqualValues(t, 1, a.body["entity_index"])
		assert.Equal(t, before, c.get("Contacts", "first", "100").raw)
	}
	c := start(t, 2, nil)
	a := c.call("POST", "Contacts/batch-modify?rollback-method=1", items)
	require.Equal(t, 200, a.status)
	assert.Equal(t, true, a.body["success"])
	data := a.body["data"].([]any)
	require.Len(t, data, 6)
	assert.Equal(t, contactID(0), data[0])
	assert.Equal(t, []any{422.0, 1.0, false}, []any{data[1].(object)["http_status"], data[1].(object)["entity_index"], data[1].(object)["success"]})
	assert.EqualValues(t, 404, data[2].(object)["http_status"])
	assert.EqualValues(t, 404, data[3].(object)["http_status"])
	assert.IsType(t, "", data[4])
	assert.EqualValues(t, 400, data[5].(object)["http_status"])
	assert.Equal(t, "Cork", c.get("Contacts/" + contactID(0)).data()["city"])
	assert.EqualValues(t, 9, c.get("Contacts").body["total"])
}

func TestBatchDeleteAndRestore(t *testing.T) {
	c := start(t, 3, nil)
	ids := []any{contactID(0), contactID(1)}
	a := c.call("POST", "Contacts/batch-delete", ids)
	assert.Equal(t, ids, a.body["data"], a.raw)
	assert.Equal(t, 404, c.get("Contacts/"+contactID(0)).status)

	a = c.call("POST", "Contacts/batch-delete?rollback-method=1", []any{contactID(0), contactID(2), awkwardID(0), "x"})
	data := a.body["data"].([]any)
	assert.Equal(t, contactID(2), data[1])
	var statuses []any
	for _, i := range []int{0, 2, 3} {
		statuses = append(statuses, data[i].(object)["http_status"])
	}
	assert.Equal(t, []any{404.0, 422.0, 404.0}, statuses)

	a = c.call("POST", "Contacts/batch-restore", []any{contactID(0), contactID(1), contactID(2)})
	assert.Len(t, a.body["data"], 3, a.raw)
	assert.Equal(t, false, c.get("Contacts/" + contactID(0)).data()["is_deleted"])

	a = c.call("POST", "Contacts/batch-delete", []any{contactID(0), awkwardID(0)})
	assert.Equal(t, 422, a.status)
	assert.Equal(t, 200, c.get("Contacts/"+contactID(0)).status, "all or nothing")
}

func TestBatchBodiesAreBareArrays(t *testing.T) {
	c := start(t, 1, map[string]string{"batch_max": "2"})
	for _, call := range []string{"batch-modify", "batch-delete", "batch-restore"} {
		for _, body := range []string{"", "{}", `{"data":[]}`, "null", `"x"`} {
			assert.Equal(t, 400, c.call("POST", "Contacts/"+call, body).status, "%s %s", call, body)
		}
		assert.Equal(t, `{"success":true,"data":[]}`, c.call("POST", "Contacts/"+call, "[]").raw)
		assert.Equal(t, 400, c.call("POST", "Contacts/"+call+"?rollback-method=2", "[]").status)
		assert.Equal(t, 400, c.call("POST", "Contacts/"+call, "[1,2,3]").status, "more than batch_max")
		assert.Equal(t, 404, c.call("PATCH", "Contacts/"+call, "{}").status, "not an id")
	}
}

func TestMergeInheritsAndDeletesTheDuplicates(t *testing.T) {
	c := start(t, 12, nil)
	// 10 has a name and nothing else; 1 has the rest.
	a := c.call("POST", "Contacts/merge", object{"master": object{"id": contactID(10), "city": "Merged"}, "secondary_ids": []any{contactID(0), contactID(1)}})
	require.Equal(t, 200, a.status, a.raw)
	r := a.data()
	assert.Equal(t, []any{contactID(10), "Merged", "contact1@example.com", "Ada"}, []any{r["id"], r["city"], r["email1"], r["first_name"]})
	assert.Len(t, r["account_relations"], 2)
	assert.True(t, strings.HasSuffix(r["primary_account"].(string), makeID(accountIDs, accounts)), "the first one stays the primary")
	assert.Len(t, r["tags"], 2)
	for _, i := range []int{0, 1} {
		assert.Equal(t, 404, c.get("Contacts/"+contactID(i)).status)
	}
}

func TestMergeChangesNothingWhenItFails(t *testing.T) {
	c := start(t, 3, nil)
	before := c.get("Contacts").raw
	for body, want := range map[string]int{
		`{}`: 400, `{"master":{"id":"` + contactID(0) + `"}}`: 400, `{"master":{"id":"` + unknownID + `"},"secondary_ids":["x"]}`: 404,
		`{"master":{"id":"` + contactID(0) + `"},"secondary_ids":["` + contactID(1) + `","` + unknownID + `"]}`:    404,
		`{"master":{"id":"` + contactID(0) + `"},"secondary_ids":["` + contactID(0) + `"]}`:                        400,
		`{"master":{"id":"` + contactID(0) + `","gender":9},"secondary_ids":["` + contactID(1) + `"]}`:             422,
		`{"master":{"id":"` + contactID(0) + `"},"secondary_ids":["` + contactID(1) + `","` + awkwardID(0) + `"]}`: 422,
	} {
		assert.Equal(t, want, c.call("POST", "Contacts/merge", body).status, body)
	}
	assert.Equal(t, before, c.get("Contacts").raw)
}

func TestAccountsMergeToo(t *testing.T) {
	c := start(t, 2, nil)
	a := c.call("POST", "Accounts/merge", object{"master": object{"id": makeID(accountIDs+1, accounts)}, "secondary_ids": []any{makeID(accountIDs, accounts)}})
	require.Equal(t, 200, a.status, a.raw)
	assert.True(t, strings.HasSuffix(c.get("Contacts/" + contactID(0)).data()["primary_account"].(string), makeID(accountIDs+1, accounts)))
}
