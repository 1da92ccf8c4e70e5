package emulator

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

func TestDeletingAnAccountCutsOrCascades(t *testing.T) {
	s := start(t, 8, nil)
	account := api + "/sales_accounts/70003771198"
	require.Equal(t, "true", string(call(t, s, "DELETE", account, "").body))
	requireError(t, call(t, s, "DELETE", account, ""), http.StatusNotFound, "")
	assert.Equal(t, true, call(t, s, "GET", account, "").object(t).Get("sales_account").(*kit.Object).Get("is_deleted"))
	c := call(t, s, "GET", api+"/contacts/"+firstContact+"?include=sales_accounts", "").contact(t)
	assert.Equal(t, []any{[]any{}, false}, []any{c.Get("sales_accounts"), c.Get("is_deleted")})
	require.Equal(t, "true", string(call(t, s, "DELETE", api+"/sales_accounts/70003771199?delete_associated_contacts_deals=true", "").body))
	assert.Equal(t, true, call(t, s, "GET", api+"/contacts/"+contactID(1), "").contact(t).Get("is_deleted"))
	assert.Equal(t, http.StatusOK, call(t, s, "POST", api+"/sales_accounts/bulk_destroy", `{"selected_ids":[70003771200]}`).status)
	assert.Equal(t, http.StatusOK, call(t, s, "DELETE", api+"/sales_accounts/70003771200/forget", "").status)
	requireError(t, call(t, s, "GET", api+"/sales_accounts/70003771200", ""), http.StatusNotFound, "")
}

func TestAccountWritesAreChecked(t *testing.T) {
	s := start(t, 0, nil)
	for _, body := range []string{
		`{}`, `{"sales_account":{"name":" "}}`, `{"sales_account":{"name":5}}`, `{"sales_account":{"name":"x","owner_id":1}}`, `{"sales_account":{"name":"x","tags":[1]}}`,
		`{"sales_account":{"name":"x","number_of_employees":"many"}}`, `{"sales_account":{"name":"x","city":{}}}`, `{"sales_account":{"name":"x","custom_field":{"cf_tier":[]}}}`,
	} {
		requireError(t, call(t, s, "POST", api+"/sales_accounts", body), http.StatusBadRequest, "")
	}
	r := call(t, s, "POST", api+"/sales_accounts/upsert", `{"unique_identifier":{"name":"Brand New"},"sales_account":{"city":"Cork","custom_field":{"cf_tier":"gold"}}}`)
	require.Equal(t, http.StatusOK, r.status, "%s", r.body)
	requireError(t, call(t, s, "POST", api+"/sales_accounts/upsert", `{"sales_account":{}}`), http.StatusBadRequest, "")
	requireError(t, call(t, s, "PUT", api+"/sales_accounts/70003771198", `{"sales_account":{"name":null}}`), http.StatusBadRequest, "")
}

func TestNotesLiveOnTheirContact(t *testing.T) {
	s := start(t, 3, nil)
	r := call(t, s, "POST", api+"/notes", `{"note":{"description":"<b>hello</b>","targetable_type":"Contact","targetable_id":`+contactID(1)+`}}`)
	require.Equal(t, http.StatusCreated, r.status, "%s", r.body)
	id := fmt.Sprint(r.object(t).Get("note").(*kit.Object).Get("id"))
	notes := api + "/contacts/" + contactID(1) + "/notes"
	assert.Equal(t, []string{id}, idsOf(t, call(t, s, "GET", notes, ""), "notes"))
	assert.Equal(t, []string{"notes"}, call(t, s, "GET", notes, "").object(t).Keys())
	assert.Equal(t, http.StatusOK, call(t, s, "PUT", api+"/notes/"+id, `{"note":{"description":"bye"}}`).status)
	assert.Len(t, call(t, s, "GET", api+"/contacts/"+contactID(1)+"/activities", "").object(t).Get("activities"), 2)
	assert.Equal(t, "true", string(call(t, s, "DELETE", api+"/notes/"+id, "").body))
	requireError(t, call(t, s, "DELETE", api+"/notes/"+id, ""), http.StatusNotFound, "")
	for _, note := range []string{`{}`, `{"description":"x"}`, `{"description":"x","targetable_type":"Deal","targetable_id":1}`, `{"description":"x","targetable_type":"Contact","targetable_id":1}`} {
		requireError(t, call(t, s, "POST", api+"/notes", `{"note":`+note+`}`), http.StatusBadRequest, "")
	}
}
