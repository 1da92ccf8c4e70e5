package emulator

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

func TestLabelsOnContacts(t *testing.T) {
	c := start(t, 10)
	path := contactsPath + "/" + seedID(5) + "/labels"
	a := c.do("POST", path, `{"labelKeys":["custom.newsletter","contacts.contacted-me"]}`)
	require.Equal(t, 200, a.status, a.raw)
	assert.Equal(t, []any{"custom.newsletter", "contacts.contacted-me"}, a.at("contact.info.labelKeys.items"))
	assert.EqualValues(t, 1, a.at("contact.revision"))
	a = c.do("DELETE", path+"?labelKeys=custom.newsletter&labelKeys=contacts.contacted-me", nil)
	assert.Nil(t, a.at("contact.info.labelKeys"))
	assert.EqualValues(t, 2, a.at("contact.revision"))
	assert.Equal(t, 400, c.do("DELETE", path, `{"labelKeys":["custom.vip"]}`).status, "the keys belong into the query")
	assert.Equal(t, 400, c.do("POST", path, `{"labelKeys":[]}`).status)
	assert.Equal(t, 400, c.do("POST", path, `{"labelKeys":["custom.none"]}`).status)
	assert.Equal(t, 400, c.do("POST", path, `{"labelKeys":"custom.vip"}`).status)
	assert.Equal(t, 400, c.do("POST", path, map[string]any{"labelKeys": make([]string, 101)}).status)
	assert.Equal(t, 404, c.do("POST", contactsPath+"/"+clientID+"/labels", `{"labelKeys":["custom.vip"]}`).status)
	c.set("label_revision", "keep")
	assert.EqualValues(t, 2, c.do("POST", path, `{"labelKeys":["custom.vip"]}`).at("contact.revision"))
}

func TestMergeAddsAndLeavesATrail(t *testing.T) {
	c := start(t, 10)
	body := `{"targetContactRevision":4,"sourceContactIds":["` + seedID(5) + `","` + seedID(6) + `"]}`
	preview := c.do("POST", contactsPath+"/"+seedID(4)+"/preview-merge", body)
	require.Equal(t, 200, preview.status, preview.raw)
	assert.Equal(t, 200, c.get(seedID(5)).status, "a preview changes nothing")
	a := c.do("POST", contactsPath+"/"+seedID(4)+"/merge", body)
	require.Equal(t, 200, a.status, a.raw)
	assert.Equal(t, preview.at("contact.info.emails"), a.at("contact.info.emails"))
	assert.EqualValues(t, 5, a.at("contact.revision"))
	assert.Len(t, a.at("contact.info.emails.items"), 4)
	assert.Equal(t, kit.PersonAt(4).Email, a.at("contact.primaryEmail.email"))
	assert.Equal(t, 1, strings.Count(a.raw, `"primary":true`)-1, "one primary email and one primary phone")
	got := c.get(seedID(6))
	assert.Equal(t, "MERGED", got.at("responseType"))
	assert.Equal(t, seedID(4), got.at("contact.id"))
	for _, tc := range []struct {
		name, target, body string
		status             int
		code               string
	}{
		{"stale target", seedID(4), `{"targetContactRevision":4,"sourceContactIds":["` + seedID(7) + `"]}`, 428, "FAILED_PRECONDITION"},
		{"unknown source", seedID(4), `{"targetContactRevision":5,"sourceContactIds":["` + seedID(6) + `"]}`, 404, "CONTACT_NOT_FOUND"},
		{"unknown target", clientID, `{"targetContactRevision":5,"sourceContactIds":["` + seedID(7) + `"]}`, 404, "CONTACT_NOT_FOUND"},
		{"itself", seedID(4), `{"targetContactRevision":5,"sourceContactIds":["` + seedID(4) + `"]}`, 428, "ILLEGAL_MERGE"},
		{"member as source", seedID(4), `{"targetContactRevision":5,"sourceContactIds":["` + memberContactID + `"]}`, 428, "ILLEGAL_MERGE"},
	} {
		a := c.do("POST", contactsPath+"/"+tc.target+"/merge", tc.body)
		assert.Equal(t, tc.status, a.status, tc.name)
		assert.Equal(t, tc.code, a.code(), tc.name)
	}
	assert.Equal(t, 400, c.do("POST", contactsPath+"/"+seedID(4)+"/merge", `{"targetContactRevision":5,"sourceContactIds":[]}`).status)
	assert.Equal(t, 400, c.do("POST", contactsPath+"/"+seedID(4)+"/merge", `{"sourceContactIds":["`+seedID(7)+`"]}`).status)
}
