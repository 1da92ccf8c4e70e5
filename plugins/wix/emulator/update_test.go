package emulator

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestUpdateHoldsToItsRules(t *testing.T) {
	c := start(t, 10)
	path := contactsPath + "/" + seedID(0)
	cases := []struct {
		name, path, body string
		status           int
		want             string
	}{
		{"no revision", path, `{"info":{"company":"x"}}`, 400, "revision REQUIRED_FIELD"},
		{"null revision", path, `{"revision":null,"info":{"company":"x"}}`, 400, "revision REQUIRED_FIELD"},
		{"revision as text", path, `{"revision":"0","info":{"company":"x"}}`, 400, ""},
		{"revision with a fraction", path, `{"revision":0.5,"info":{"company":"x"}}`, 400, ""},
		{"revision of the future", path, `{"revision":1,"info":{"company":"x"}}`, 409, "CONTACT_ALREADY_CHANGED"},
		{"nothing", path, `{"revision":0,"info":{}}`, 400, "INSUFFICIENT_UPDATE_CONTACT_DATA"},
		{"no info", path, `{"revision":0}`, 400, "INSUFFICIENT_UPDATE_CONTACT_DATA"},
		{"read-only parts alone", path, `{"revision":0,"info":{"labelKeys":{"items":["custom.vip"]}}}`, 400, "INSUFFICIENT_UPDATE_CONTACT_DATA"},
		{"all of what is needed taken away", path, `{"revision":0,"info":{"name":null,"emails":{"items":[]},"phones":{"items":[]}}}`, 400, "INSUFFICIENT_CONTACT_DATA"},
		{"a bad email", path, `{"revision":0,"info":{"emails":{"items":[{"email":"x"}]}}}`, 400, "info.emails.items[0].email FORMAT"},
		{"unknown contact", contactsPath + "/" + clientID, `{"revision":0,"info":{"company":"x"}}`, 404, "CONTACT_NOT_FOUND"},
		{"merged away", contactsPath + "/" + mergedAwayID, `{"revision":4,"info":{"company":"x"}}`, 404, "CONTACT_NOT_FOUND"},
		{"a member's id", contactsPath + "/" + memberID, `{"revision":4,"info":{"company":"x"}}`, 404, "CONTACT_NOT_FOUND"},
		{"malformed id", contactsPath + "/12", `{"revision":0,"info":{"company":"x"}}`, 400, "contactId FORMAT"},
		{"member's email", contactsPath + "/" + memberContactID, `{"revision":4,"info":{"emails":{"items":[{"email":"other@example.com"}]}}}`, 428, "CANNOT_UPDATE_MEMBER_EMAIL"},
		{"not JSON", path, `revision=0`, 400, ""},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			a := c.do("PATCH", tc.path, tc.body)
			assert.Equal(t, tc.status, a.status, a.raw)
			switch {
			case strings.Contains(tc.want, " "):
				assert.Equal(t, tc.want, a.rule())
			case tc.want != "":
				assert.Equal(t, tc.want, a.code())
			}
		})
	}
	assert.EqualValues(t, 0, c.get(seedID(0)).at("contact.revision"), "a refused update changes nothing")
	assert.Equal(t, 200, c.patch(memberContactID, 4, `{"jobTitle":"Member"}`).status)
}

func TestUpdateIsPartialByFieldAndWholeByList(t *testing.T) {
	c := start(t, 10)
	before := c.get(seedID(1))
	kept := before.at("contact.info.emails.items.1.id").(string)
	a := c.patch(seedID(1), 1, `{"jobTitle":null,"name":{"last":"Other"},"emails":{"items":[{"id":"`+kept+`","email":"moved@example.com"},{"id":"`+clientID+`","email":"extra@example.com","primary":true}]}}`)
	require.Equal(t, 200, a.status, a.raw)
	assert.EqualValues(t, 2, a.at("contact.revision"))
	assert.Greater(t, a.at("contact.updatedDate"), before.at("contact.updatedDate"))
	assert.Equal(t, before.at("contact.createdDate"), a.at("contact.createdDate"))
	assert.Nil(t, a.at("contact.info.jobTitle"))
	assert.Equal(t, map[string]any{"first": "Bruno", "last": "Other"}, a.at("contact.info.name"))
	assert.Len(t, a.at("contact.info.emails.items"), 2)
	assert.Equal(t, kept, a.at("contact.info.emails.items.0.id"), "an item that is known keeps its id")
	assert.NotEqual(t, clientID, a.at("contact.info.emails.items.1.id"), "ids are read-only")
	assert.Equal(t, "extra@example.com", a.at("contact.primaryEmail.email"))
	assert.Equal(t, before.at("contact.primaryEmail.subscriptionStatus"), a.at("contact.primaryEmail.subscriptionStatus"), "the state moves with the flag")
	assert.Equal(t, before.at("contact.info.phones"), a.at("contact.info.phones"))
	stamps := []string{a.at("contact.updatedDate").(string)}
	for revision := 2; revision < 6; revision++ {
		stamps = append(stamps, c.patch(seedID(1), revision, `{"company":"x"}`).at("contact.updatedDate").(string))
		assert.Greater(t, stamps[len(stamps)-1], stamps[len(stamps)-2], "stamps never stand still")
	}
}

func TestFieldsOfWixsOwnFollowTheContactUnlessTheSiteHasNone(t *testing.T) {
	c := start(t, 10)
	a := c.patch(seedID(0), 0, `{"name":{"first":"Zoe"}}`)
	assert.Contains(t, a.raw, `"contacts.displayByFirstName":"Zoe Quill"`)
	assert.Contains(t, a.raw, `"emailSubscriptions.effectiveEmail"`)
	c.set("system_fields", "none")
	fields, _ := c.get(seedID(0)).at("contact.info.extendedFields.items").(map[string]any)
	require.NotEmpty(t, fields)
	for key := range fields {
		assert.True(t, strings.HasPrefix(key, "custom."), key)
	}
}
