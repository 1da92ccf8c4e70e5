package emulator

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestUpsertFindsByItsIdentifier(t *testing.T) {
	s := start(t, 30, nil)
	for _, identifier := range []string{`"emails":"Contact1@example.com"`, `"id":` + firstContact, `"id":"` + firstContact + `"`, `"external_id":"ext-1"`} {
		r := call(t, s, "POST", api+"/contacts/upsert", `{"unique_identifier":{`+identifier+`},"contact":{"city":"Cork"}}`)
		require.Equal(t, http.StatusOK, r.status, "%s", r.body)
		assert.Equal(t, firstContact, fmt.Sprint(r.contact(t).Get("id")), identifier)
	}
	r := call(t, s, "POST", api+"/contacts/upsert", `{"unique_identifier":{"work_email":"work16@example.com"},"contact":{}}`)
	assert.Equal(t, contactID(15), fmt.Sprint(r.contact(t).Get("id")))
	r = call(t, s, "POST", api+"/contacts/upsert?include=owner", `{"unique_identifier":{"emails":"new@example.com"},"contact":{"first_name":"New"}}`)
	assert.Equal(t, "new@example.com", r.contact(t).Get("email"))
	assert.True(t, r.contact(t).Has("owner_id"))

	requireError(t, call(t, s, "POST", api+"/contacts/upsert", `{"unique_identifier":{"id":1},"contact":{}}`), http.StatusNotFound, "")
	for _, body := range []string{
		`{"contact":{}}`, `{"unique_identifier":{},"contact":{}}`, `{"unique_identifier":{"emails":"a@example.com"}}`, `{"unique_identifier":{"shoe":"1"},"contact":{}}`,
		`{"unique_identifier":{"emails":["a@example.com"]},"contact":{}}`, `{"unique_identifier":{"external_id":"nobody"},"contact":{}}`,
	} {
		requireError(t, call(t, s, "POST", api+"/contacts/upsert", body), http.StatusBadRequest, "")
	}
}

func TestABulkUpsertReportsThroughItsJob(t *testing.T) {
	s := start(t, 2, nil)
	r := call(t, s, "POST", api+"/contacts/bulk_upsert", `{"contacts":[{"emails":"contact1@example.com","city":"Cork"},{"emails":"new@example.com","data":{"first_name":"New"}},{"first_name":"Nobody"},5]}`)
	require.Equal(t, http.StatusAccepted, r.status)
	status := call(t, s, "GET", fmt.Sprint(api, "/job_statuses/", r.object(t).Get("job_id")), "")
	assert.Contains(t, string(status.body), `"record_status":{"succeeded":2,"failed":2}`)
	assert.Equal(t, "Cork", call(t, s, "GET", api+"/contacts/"+firstContact, "").contact(t).Get("city"))
	requireError(t, call(t, s, "GET", api+"/job_statuses/5", ""), http.StatusNotFound, "")
	for _, body := range []string{`{}`, `{"contacts":[]}`, `{"contacts":{}}`, `{"contacts":[` + strings.TrimSuffix(strings.Repeat(`{},`, 101), ",") + `]}`} {
		requireError(t, call(t, s, "POST", api+"/contacts/bulk_upsert", body), http.StatusBadRequest, "")
	}
	require.NoError(t, s.SetSwitch("bulk_upsert_status", "200"))
	assert.Equal(t, 200, call(t, s, "POST", api+"/contacts/bulk_upsert", `{"contacts":[{}]}`).status)
}

func TestBulkDestroyWantsIDs(t *testing.T) {
	s := start(t, 2, nil)
	for _, body := range []string{`{}`, `{"selected_ids":[]}`, `{"selected_ids":"1"}`, `{"selected_ids":["x"]}`, `{"ids":[1]}`} {
		requireError(t, call(t, s, "POST", api+"/contacts/bulk_destroy", body), http.StatusBadRequest, "")
	}
}

func TestACloneNeedsAnAddressOfItsOwn(t *testing.T) {
	s := start(t, 20, nil)
	requireError(t, call(t, s, "POST", api+"/contacts/"+firstContact+"/clone", ""), http.StatusBadRequest, textTaken)
	r := call(t, s, "POST", api+"/contacts/"+firstContact+"/clone?include=sales_accounts", `{"contact":{"emails":[{"value":"copy@example.com"}],"city":"Cork"}}`)
	require.Equal(t, http.StatusCreated, r.status, "%s", r.body)
	c := r.contact(t)
	assert.Equal(t, []any{"Ada", "Cork", "copy@example.com"}, []any{c.Get("first_name"), c.Get("city"), c.Get("email")})
	assert.Len(t, c.Get("sales_accounts"), 1)
	assert.Equal(t, http.StatusCreated, call(t, s, "POST", api+"/contacts/"+contactID(13)+"/clone", "").status, "one without an e-mail address")
	assert.Equal(t, "Leeds", call(t, s, "GET", api+"/contacts/"+firstContact, "").contact(t).Get("city"))
}
