package main

import (
	"encoding/json"
	"net/http/httptest"
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
// asks as the sample does, by its own limit, offset and other parameters.
var documented = map[string]struct {
	reason  errs.Reason // none is success
	records int         // of a list
}{
	"contacts-list":                        {records: 2},
	"contacts-list-next-page":              {records: 1},
	"contacts-list-past-the-end":           {},
	"contacts-list-by-company":             {records: 1},
	"contacts-list-by-email":               {records: 1},
	"contacts-list-by-email-none":          {},
	"contacts-list-select":                 {records: 1},
	"list-is-not-an-array":                 {reason: errs.UnexpectedVendorAnswer},
	"contact-get":                          {},
	"contact-get-sparse":                   {},
	"contact-get-archived":                 {},
	"contact-get-unknown":                  {reason: errs.RecordNotFound},
	"contact-get-malformed-id":             {reason: errs.VendorRejected},
	"contact-delete":                       {},
	"contact-delete-204":                   {},
	"contact-delete-empty-body":            {},
	"contact-delete-without-deleted-count": {},
	"contact-delete-unknown":               {reason: errs.RecordNotFound},
	"contact-delete-unknown-count-zero":    {reason: errs.RecordNotFound},
	"contact-delete-malformed-id-400":      {reason: errs.VendorRejected},
	"contact-delete-malformed-id-404":      {reason: errs.RecordNotFound},
	"contact-delete-malformed-id-500":      {reason: errs.VendorUnavailable},
	"contact-create":                       {},
	"contact-create-201":                   {},
	"contact-create-with-other-emails":     {},
	"contact-create-without-email":         {reason: errs.VendorRejected},
	"contact-create-wrong-type":            {reason: errs.VendorRejected},
	"contact-archive":                      {},
	"contact-update":                       {},
	"contact-update-unknown":               {reason: errs.RecordNotFound},
	"error-empty":                          {reason: errs.RecordNotFound},
	"error-html":                           {reason: errs.RecordNotFound},
	"error-json-error":                     {reason: errs.RecordNotFound},
	"error-json-message":                   {reason: errs.RecordNotFound},
	"forbidden":                            {reason: errs.VendorForbidden},
	"unauthorised-bad-token":               {reason: errs.VendorUnauthenticated},
	"rate-limited":                         {reason: errs.VendorRateLimited},
	"rate-limited-empty-body":              {reason: errs.VendorRateLimited},
	"rate-limited-retry-after":             {reason: errs.VendorRateLimited},
	"server-error-html":                    {reason: errs.VendorUnavailable},
	"gateway-timeout-empty":                {reason: errs.VendorUnavailable},
}

// notAsked are exchanges with requests that this adapter does not make.
var notAsked = map[string]string{
	"contacts-list-basic-auth":   "the token goes as Bearer",
	"contact-get-by-external-id": "the id pattern refuses aliases",
	"contact-get-by-source-id":   "the id pattern refuses aliases",

	"contact-update-by-external-id":  "the id pattern refuses aliases",
	"contact-update-with-id-in-body": "_id is never sent",
	"contact-create-from-name":       "a name goes in its parts",
	"contact-create-without-company": "account.id is required",
}

func TestDocumentedExchanges(t *testing.T) {
	all, err := exchange.Load(exchanges)
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, e := range all {
		want, ok := documented[e.Name]
		if !ok {
			ours := strings.HasPrefix(e.Request.Path, "/endusers") && (e.Request.Method != "PUT" || strings.HasPrefix(e.Request.Path, "/endusers/"))
			assert.True(t, !ours || notAsked[e.Name] != "", "%s is not tested", e.Name)
			continue
		}
		seen[e.Name] = true
		t.Run(e.Name, func(t *testing.T) {
			t.Parallel()
			got, err := perform(t, all, e)
			if want.reason == 0 {
				require.NoError(t, err)
				assert.Len(t, got, want.records)
				return
			}
			problem := providertest.RequireReason(t, err, want.reason)
			require.NotNil(t, problem.Vendor, "the vendor's answer is attached")
			assert.Equal(t, e.Response.Status, problem.Vendor.Status)
			assert.Equal(t, string(e.Bytes(nil)), string(problem.Vendor.Body))
			assert.NotContains(t, problem.Message, "<", "a message is never HTML")
		})
	}
	for name := range documented {
		assert.True(t, seen[name], "there is no exchange %s", name)
	}
}

// recordOf is what a caller says for the sample's body: what has a field goes
// there, the rest into remote_data.
func recordOf(t *testing.T, e exchange.Exchange) crm.Contact {
	t.Helper()
	var rest map[string]any
	require.NoError(t, json.Unmarshal([]byte(e.Fill(string(e.Request.Body), nil)), &rest))
	text := func(name string) *string {
		value, ok := rest[name].(string)
		if !ok {
			return nil
		}
		delete(rest, name)
		return &value
	}
	c := crm.Contact{FirstName: text("firstName"), LastName: text("lastName"), Title: text("position")}
	if id := text("companyId"); id != nil {
		c.Account = &crm.AccountReference{ID: id}
	}
	if email := text("email"); email != nil {
		c.EmailAddresses = emails(*email)
	}
	if others, ok := rest["otherEmails"].([]any); ok {
		for _, other := range others {
			c.EmailAddresses = append(c.EmailAddresses, emails(other.(string))...)
		}
		delete(rest, "otherEmails")
	}
	if phone := text("phone"); phone != nil {
		c.PhoneNumbers = []crm.PhoneNumber{{Number: phone}}
	}
	if names, ok := rest["tags"].([]any); ok {
		for _, name := range names {
			c.Tags = append(c.Tags, crm.Tag{Name: new(name.(string))})
		}
		delete(rest, "tags")
	}
	if len(rest) > 0 {
		var err error
		c.RemoteData, err = json.Marshal(rest)
		require.NoError(t, err)
	}
	return c
}

// perform makes the adapter's call that ends in the exchange's request, and
// gives the records of a list.
func perform(t *testing.T, all []exchange.Exchange, e exchange.Exchange) ([]crm.Contact, error) {
	t.Helper()
	stub := exchange.NewStub(all, e.Name)
	server := httptest.NewServer(stub)
	t.Cleanup(func() {
		server.Close()
		assert.Empty(t, stub.Problems())
		assert.NotEmpty(t, stub.Seen())
	})
	query := sdk.ListQuery{PageSize: 50}
	var remote []vendorhttp.Param
	for name, value := range e.Request.Query {
		value = e.Fill(value, nil)
		switch name {
		case "limit":
			require.NoError(t, json.Unmarshal([]byte(value), &query.PageSize))
		case "offset":
			var at position
			require.NoError(t, json.Unmarshal([]byte(value), &at.Offset))
			query.PageToken = sdk.EncodeToken(at)
		case "sort": // sent unasked
		default:
			remote = append(remote, vendorhttp.Param{Name: name, Value: value})
		}
	}
	token := strings.TrimPrefix(e.Fill(e.Request.Headers["Authorization"], nil), "Bearer ")
	call := sdk.NewCall(provider, "api_token", json.RawMessage(`{"api_token":"`+token+`"}`), server.URL, remote...)
	id := strings.TrimPrefix(e.Fill(e.Request.Path, nil), "/endusers/")
	switch {
	case e.Request.Method == "GET" && e.Request.Path == "/endusers":
		page, err := listContacts(providertest.Context(t), call, query)
		return page.Records, err
	case e.Request.Method == "DELETE":
		deleted, err := deleteContact(providertest.Context(t), call, id)
		if err == nil && e.Response.Body != nil {
			assert.JSONEq(t, string(e.Bytes(nil)), string(deleted.RemoteData))
		}
		return nil, err
	case e.Request.Method == "POST":
		made, err := createContact(providertest.Context(t), call, recordOf(t, e))
		if err == nil {
			assert.JSONEq(t, string(e.Bytes(nil)), string(made.RemoteData))
		}
		return nil, err
	case e.Request.Method == "PUT":
		_, err := updateContact(providertest.Context(t), call, sdk.Change[crm.Contact]{ID: id, Record: recordOf(t, e)})
		return nil, err
	default:
		contact, err := getContact(providertest.Context(t), call, id)
		if err == nil {
			assert.Equal(t, id, *contact.ID)
			providertest.Golden(t, e.Name+".json", providertest.JSON(t, contact))
		}
		return nil, err
	}
}
