package emulator

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDeleteIsPermanentAndOnce(t *testing.T) {
	c := start(t, 10)
	a := c.del(seedID(3))
	assert.Equal(t, 200, a.status)
	assert.JSONEq(t, `{}`, a.raw)
	assert.Equal(t, "application/json; charset=utf-8", a.header.Get("Content-Type"))
	assert.Equal(t, "CONTACT_NOT_FOUND", c.del(seedID(3)).code())
	assert.Equal(t, "CONTACT_NOT_FOUND", c.get(seedID(3)).code())
	assert.Equal(t, 404, c.patch(seedID(3), 3, `{"company":"x"}`).status)
	assert.NotContains(t, c.do("GET", contactsPath, nil).raw, seedID(3))
	assert.Equal(t, 200, c.del(strings.ToUpper(seedID(4))).status, "a GUID's letters have no case")
	assert.Equal(t, 404, c.del(memberID).status, "a member's id is not a contact's")

	for id, code := range map[string]string{
		memberContactID: "CANNOT_DELETE_MEMBER", subscriberID: "CANNOT_DELETE_CONTACT_WITH_BILLING_SUBSCRIPTION",
		ownerContactID: "CANNOT_DELETE_MEMBER_OWNER_OR_CONTRIBUTOR",
	} {
		a := c.del(id)
		assert.Equal(t, 428, a.status, code)
		assert.Equal(t, code, a.code())
		assert.Equal(t, 200, c.get(id).status, "%s stays", code)
	}
}

func TestDeleteSwitchesTakeEachValue(t *testing.T) {
	c := start(t, 10)
	gone := seedID(0)
	require.Equal(t, 200, c.del(gone).status)
	for name, id := range map[string]string{"second_delete": gone, "unknown_id": clientID, "delete_merged_id": mergedAwayID} {
		for _, value := range []string{"200", "404"} {
			c.set(name, value)
			a := c.del(id)
			assert.Equal(t, value, intText(a.status), name)
			if value == "200" {
				assert.JSONEq(t, `{}`, a.raw)
			}
		}
		assert.Equal(t, 404, c.del(deletedID).status)
	}
	assert.Equal(t, 200, c.get(mergeTargetID).status, "the target stays")
	c.set("member_delete", "500")
	for range 2 {
		a := c.del(memberContactID)
		assert.Equal(t, 500, a.status)
		assert.Equal(t, "FAILED_DELETE_CONTACT_AFTER_MEMBER_DELETION", a.code())
	}
	assert.Equal(t, 428, c.del(ownerContactID).status)
	for value, code := range map[string]any{"404": "CONTACT_NOT_FOUND", "400": nil} {
		c.set("malformed_id", value)
		for _, a := range []answer{c.del("x"), c.get("x"), c.patch("x", 1, `{"company":"x"}`)} {
			assert.Equal(t, value, intText(a.status))
			assert.Equal(t, code, a.code())
		}
	}
}
