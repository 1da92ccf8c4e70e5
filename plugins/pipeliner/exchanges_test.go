package main

import (
	"encoding/json"
	"net/http/httptest"
	"path"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/exchange"
	"github.com/unicrm/unicrm/sdk/providertest"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

const exchanges = "testdata/exchanges"

// documented is what each documented exchange of this adapter comes to. A list
// asks as the sample does, by its own first, after and other parameters.
var documented = map[string]struct {
	reason  errs.Reason // none is success
	status  int         // of the failure, where it is not the sample's
	records int         // of a list
	more    bool        // the list goes on
	partial bool        // relations stayed URIs
}{
	"contacts-list":                      {records: 1, more: true, partial: true},
	"contacts-list-after":                {records: 1, more: true, partial: true},
	"contacts-list-expanded":             {records: 1},
	"contacts-list-filter-email":         {records: 1, partial: true},
	"contacts-list-include-deleted":      {records: 1, more: true, partial: true},
	"contacts-list-last-page-empty":      {},
	"contacts-list-legacy-offset":        {records: 1, partial: true},
	"contacts-list-load-only":            {records: 1},
	"contacts-list-max-page":             {records: 1, partial: true},
	"contacts-list-over-max":             {reason: errs.VendorRejected},
	"contacts-list-bad-filter-field":     {reason: errs.VendorRejected},
	"contacts-list-updated-since":        {records: 1, partial: true},
	"contacts-list-updated-since-zone":   {records: 1, partial: true},
	"contacts-get":                       {partial: true},
	"contacts-get-expanded":              {},
	"contacts-get-archived":              {partial: true},
	"contacts-get-deleted":               {reason: errs.RecordNotFound},
	"contacts-get-deleted-shown":         {reason: errs.RecordNotFound},
	"contacts-get-unknown":               {reason: errs.RecordNotFound},
	"contacts-get-malformed":             {reason: errs.RecordNotFound},
	"contacts-delete":                    {},
	"contacts-delete-unknown":            {reason: errs.RecordNotFound},
	"contacts-delete-second":             {reason: errs.RecordNotFound},
	"contacts-delete-second-200":         {},
	"contacts-delete-second-500":         {reason: errs.VendorUnavailable},
	"contacts-delete-protected":          {reason: errs.VendorPrecondition},
	"contacts-delete-malformed":          {reason: errs.RecordNotFound},
	"contacts-delete-malformed-400":      {reason: errs.VendorRejected},
	"contacts-delete-malformed-no-route": {reason: errs.RecordNotFound},
	"delete-echoes-another-id":           {reason: errs.UnexpectedVendorAnswer},
	"success-false":                      {reason: errs.RecordNotFound, status: 404},
	"forbidden":                          {reason: errs.VendorForbidden},
	"unauthorized":                       {reason: errs.VendorUnauthenticated},
	"unauthorized-empty":                 {reason: errs.VendorUnauthenticated},
	"unauthorized-text":                  {reason: errs.VendorUnauthenticated},
	"unauthorized-without-key":           {reason: errs.VendorUnauthenticated},
	"rate-limited":                       {reason: errs.VendorRateLimited},
	"rate-limited-empty":                 {reason: errs.VendorRateLimited},
	"rate-limited-retry-after":           {reason: errs.VendorRateLimited},
	"server-error":                       {reason: errs.VendorUnavailable},
	"server-error-html":                  {reason: errs.VendorUnavailable},
}

func TestDocumentedExchanges(t *testing.T) {
	all, err := exchange.Load(exchanges)
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, e := range all {
		want, ok := documented[e.Name]
		if !ok {
			ours := strings.Contains(e.Request.Path, "/Contacts") && (e.Request.Method == "GET" || e.Request.Method == "DELETE")
			assert.False(t, ours, "%s is not tested", e.Name)
			continue
		}
		seen[e.Name] = true
		// Some samples ask for one id and answer with another, or ask for what
		// is after a record and answer with that record. That is their shorthand
		// and not the vendor's behaviour.
		for _, name := range []string{"archived_id", "deleted_id"} {
			if contact, ok := e.Vars["contact_id"]; ok && e.Vars[name] != "" {
				e.Vars[name] = contact
			}
		}
		if e.Vars["cursor"] != "" {
			e.Vars["cursor"] = "WyIwMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDAiXQ=="
		}
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			call, page, err := perform(t, e)
			if want.reason != 0 {
				problem := providertest.RequireReason(t, err, want.reason)
				require.NotNil(t, problem.Vendor, "the vendor's answer is attached")
				status := e.Response.Status
				if want.status != 0 {
					status = want.status
				}
				assert.Equal(t, status, problem.Vendor.Status)
				assert.Equal(t, string(e.Bytes(nil)), string(problem.Vendor.Body))
				assert.NotContains(t, problem.Message, "<", "a message is never HTML")
				assert.NotContains(t, problem.Message, "\n")
				return
			}
			require.NoError(t, err)
			assert.Len(t, page.Records, want.records)
			assert.Equal(t, want.more, page.Next != "")
			assert.Equal(t, want.partial, call.IsPartial())
		})
	}
	for name := range documented {
		assert.True(t, seen[name], "there is no exchange %s", name)
	}
}

// perform makes the call that the sample documents, to a vendor that knows
// nothing else.
func perform(t *testing.T, e exchange.Exchange) (*sdk.Call, sdk.Page[crm.Contact], error) {
	t.Helper()
	stub := exchange.NewStub([]exchange.Exchange{e})
	server := httptest.NewServer(stub)
	t.Cleanup(func() {
		server.Close()
		assert.Empty(t, stub.Problems())
	})
	credentials := map[string]string{"service_url": "eu-central.api.pipelinersales.com", "space_id": e.Vars["space_id"], "username": "key-username", "password": "key-password"}
	if e.Request.Headers["Authorization"] == "Basic d3Jvbmc6d3Jvbmc=" {
		credentials["username"], credentials["password"] = "wrong", "wrong"
	}
	data, err := json.Marshal(credentials)
	require.NoError(t, err)
	query := sdk.ListQuery{PageSize: 30}
	var remote []vendorhttp.Param
	for name, value := range e.Request.Query {
		value = e.Fill(value, nil)
		switch name {
		case "first":
			query.PageSize, err = strconv.Atoi(value)
			require.NoError(t, err)
		case "after":
			query.PageToken = sdk.EncodeToken(position{After: value})
		case "expand": // the adapter's own
		default:
			remote = append(remote, vendorhttp.Param{Name: name, Value: value})
		}
	}
	call := sdk.NewCall(provider, "api_key", data, server.URL, remote...)
	ctx := providertest.Context(t)
	var page sdk.Page[crm.Contact]
	id := path.Base(e.Fill(e.Request.Path, nil))
	switch {
	case e.Request.Method == "DELETE":
		_, err = deleteContact(ctx, call, id)
	case id == "Contacts":
		page, err = listContacts(ctx, call, query)
	default:
		_, err = getContact(ctx, call, id)
	}
	return call, page, err
}
