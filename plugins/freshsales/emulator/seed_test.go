package emulator

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

func TestTheSeedBeginsPlainAndEndsAwkward(t *testing.T) {
	s := start(t, 30, nil)
	r := call(t, s, "GET", api+"/contacts/view/"+allView+"?per_page=100&include=owner,sales_accounts", "")
	list := r.object(t).Get("contacts").([]any)
	require.Len(t, list, 33)
	for n, item := range list[:10] {
		c, p := item.(*kit.Object), kit.PersonAt(n)
		assert.Equal(t, contactID(n), fmt.Sprint(c.Get("id")))
		assert.Equal(t, p.Email, c.Get("email"))
		for _, key := range []string{"first_name", "last_name", "job_title", "address", "city", "zipcode", "country", "work_number", "mobile_number", "last_contacted", "owner_id"} {
			assert.NotNil(t, c.Get(key), "%d %s", n, key)
		}
		assert.Len(t, c.Get("sales_accounts"), 1)
	}
	assert.Equal(t, "contact13@example.com", list[12].(*kit.Object).Get("display_name"))
	assert.Nil(t, list[13].(*kit.Object).Get("email"))
	assert.Equal(t, "+44 7700 900999", list[32].(*kit.Object).Get("display_name"))
	assert.Len(t, list[30].(*kit.Object).Get("sales_accounts"), 10)
	assert.Contains(t, string(r.body), `"cf_badge_number":9007199254740993`)
	assert.Equal(t, []string{contactID(33), contactID(34)}, idsOf(t, call(t, s, "GET", api+"/contacts/view/"+binView, ""), "contacts"))
}

func TestAnEmptySeedKeepsEverythingButContacts(t *testing.T) {
	s := start(t, 0, nil)
	for _, path := range []string{"/contacts/filters", "/selector/owners", "/selector/contact_statuses", "/selector/lifecycle_stages", "/settings/contacts/fields", "/settings/sales_accounts/fields", "/lists", "/contacts/lists/70000053624"} {
		assert.Equal(t, http.StatusOK, call(t, s, "GET", api+path, "").status, path)
	}
	assert.Len(t, call(t, s, "GET", api+"/selector/owners", "").object(t).Get("users"), 3)
	r := call(t, s, "POST", api+"/contacts", `{"contact":{"email":"first@example.com"}}`)
	assert.Equal(t, contactID(0), fmt.Sprint(r.contact(t).Get("id")))
}

func TestResetBringsTheSeedBack(t *testing.T) {
	s := start(t, 12, nil)
	look := func() []byte {
		return call(t, s, "GET", api+"/contacts/view/"+allView+"?per_page=100&include=owner,sales_accounts,notes", "").body
	}
	before := look()
	call(t, s, "DELETE", api+"/contacts/"+firstContact, "")
	call(t, s, "POST", api+"/contacts", `{"contact":{"email":"x@example.com"}}`)
	call(t, s, "PUT", api+"/contacts/"+contactID(1), `{"contact":{"city":"x"}}`)
	require.NoError(t, s.SetSwitch("rate_limit", "1"))
	assert.False(t, bytes.Equal(before, look()))
	s.Reset()
	assert.Equal(t, string(before), string(look()))
}
