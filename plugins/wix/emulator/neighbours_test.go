package emulator

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	labelsPath = "/contacts/v4/labels"
	fieldsPath = "/contacts/v4/extended-fields"
	bulkPath   = "/contacts/v4/bulk"
)

func TestLabelsAreFoundOrMadeByTheirExactName(t *testing.T) {
	c := start(t, 10)
	a := c.do("POST", labelsPath, `{"displayName":"vip"}`)
	assert.Equal(t, true, a.at("newLabel"), "names have a case")
	assert.Equal(t, "custom.vip-1", a.at("label.key"))
	assert.Equal(t, false, c.do("POST", labelsPath, `{"displayName":"VIP"}`).at("newLabel"))
	renamed := c.do("PATCH", labelsPath+"/custom.vip", `{"label":{"key":"custom.other","displayName":"Gold"}}`)
	assert.Equal(t, "custom.vip", renamed.at("label.key"), "keys never change")
	assert.Greater(t, renamed.at("label.updatedDate"), renamed.at("label.createdDate"))
	assert.Equal(t, 400, c.do("POST", labelsPath, `{"displayName":""}`).status)
	assert.Equal(t, 400, c.do("POST", labelsPath, `{}`).status)
	assert.Equal(t, 400, c.do("POST", labelsPath, `{"displayName":"`+strings.Repeat("x", 181)+`"}`).status)
	assert.Equal(t, 400, c.do("PATCH", labelsPath+"/contacts.contacted-me", `{"label":{"displayName":"x"}}`).status)
	assert.Equal(t, 400, c.do("DELETE", labelsPath+"/contacts.contacted-me", nil).status)
	assert.Equal(t, 404, c.do("GET", labelsPath+"/custom.none", nil).status)

	require.NotNil(t, c.get(seedID(0)).at("contact.info.labelKeys"))
	assert.JSONEq(t, `{}`, c.do("DELETE", labelsPath+"/custom.vip", nil).raw)
	assert.Equal(t, 404, c.do("DELETE", labelsPath+"/custom.vip", nil).status)
	assert.NotContains(t, c.get(seedID(0)).raw, "custom.vip", "contacts lose a deleted label")
	assert.Equal(t, 200, c.do("DELETE", labelsPath+"/custom%2Evip-1", nil).status, "a key may come escaped")
}

func TestCataloguesAreListedAndQueried(t *testing.T) {
	c := start(t, 0)
	for path, want := range map[string]int{
		labelsPath: 5, labelsPath + "?labelType=USER_DEFINED": 3, labelsPath + "?namespace=contacts": 1,
		labelsPath + "?startsWith=V": 1, labelsPath + "?paging.limit=2": 2, labelsPath + "?paging.offset=4": 1,
		fieldsPath: 10, fieldsPath + "?fieldType=SYSTEM": 6, fieldsPath + "?namespace=custom&sort.fieldName=displayName": 4,
	} {
		assert.EqualValues(t, want, c.do("GET", path, nil).at("metadata.count"), path)
	}
	for _, path := range []string{labelsPath + "?paging.limit=2001", labelsPath + "?paging.limit=0", labelsPath + "?sort.fieldName=key", fieldsPath + "?paging.offset=-1"} {
		assert.Equal(t, 400, c.do("GET", path, nil).status, path)
	}
	for body, want := range map[string]int{
		`{}`: 5, `{"query":{"filter":{"displayName":{"$startsWith":"N"}}}}`: 1, `{"query":{"filter":{"labelType":"SYSTEM"}}}`: 1,
		`{"query":{"filter":{"key":{"$in":["custom.vip","custom.newsletter"]}}}}`: 2, `{"query":{"filter":{"createdDate":{"$gt":"2024-02-01T00:00:00Z"}}}}`: 0,
	} {
		assert.EqualValues(t, want, c.do("POST", labelsPath+"/query", body).at("pagingMetadata.total"), body)
	}
	assert.Equal(t, "UNSUPPORTED_FILTER_FIELD", c.do("POST", labelsPath+"/query", `{"query":{"filter":{"name":"x"}}}`).code())
	assert.Equal(t, "INVALID_SORT", c.do("POST", fieldsPath+"/query", `{"query":{"sort":[{"fieldName":"key"}]}}`).code())
	assert.EqualValues(t, 1, c.do("POST", fieldsPath+"/query", `{"query":{"filter":{"dataType":"NUMBER"}}}`).at("pagingMetadata.total"))
}

func TestDeletingAFieldDeletesItsData(t *testing.T) {
	c := start(t, 3)
	assert.Contains(t, c.get(seedID(0)).raw, "custom.shoe-size")
	assert.Equal(t, 200, c.do("DELETE", fieldsPath+"/custom.shoe-size", nil).status)
	assert.NotContains(t, c.get(seedID(0)).raw, "custom.shoe-size")
	assert.Equal(t, 400, c.do("DELETE", fieldsPath+"/invoices.vatId", nil).status)
	a := c.do("POST", fieldsPath, `{"displayName":"Shoe Size","dataType":"TEXT"}`)
	assert.Equal(t, true, a.at("newField"))
	assert.Regexp(t, `^custom\.shoe-size-[0-9a-f]{4}$`, a.at("field.key"), "the suffix cannot be guessed from the name")
	assert.Equal(t, 400, c.do("POST", fieldsPath, `{"displayName":"x","dataType":"BOOLEAN"}`).status)
}

func TestASiteHasAHundredCustomFields(t *testing.T) {
	c := start(t, 0)
	for i := 4; i < 100; i++ {
		require.Equal(t, 200, c.do("POST", fieldsPath, fmt.Sprintf(`{"displayName":"F%d"}`, i)).status)
	}
	a := c.do("POST", fieldsPath, `{"displayName":"one more"}`)
	assert.Equal(t, 428, a.status)
	assert.Equal(t, "FIELDS_QUOTA_EXCEEDED", a.code())
	assert.Equal(t, 200, c.do("POST", fieldsPath, `{"displayName":"F4"}`).status, "finding is still possible")
}

func TestBulkDeleteIsAJobThatReportsWhatStayed(t *testing.T) {
	c := start(t, 5)
	c.set("job_delay_ms", "300")
	a := c.do("POST", bulkPath+"/contacts/delete", `{"filter":{"id":{"$in":["`+seedID(0)+`","`+memberContactID+`","`+subscriberID+`","`+ownerContactID+`"]}}}`)
	require.Equal(t, 200, a.status, a.raw)
	path := bulkPath + "/jobs/" + a.at("jobId").(string)
	assert.Equal(t, "RUNNING", c.do("GET", path, nil).at("job.status"))
	assert.Equal(t, 200, c.get(seedID(0)).status, "the job has yet to take effect")
	require.Eventually(t, func() bool { return c.do("GET", path, nil).at("job.status") == "COMPLETED" }, 5*time.Second, 20*time.Millisecond)
	job := c.do("GET", path, nil)
	assert.EqualValues(t, 4, job.at("job.totalItems"))
	assert.EqualValues(t, 1, job.at("job.successTotal"))
	assert.EqualValues(t, 3, job.at("job.failedTotal"))
	for _, code := range []string{"CANNOT_DELETE_SITE_MEMBERS", "CANNOT_DELETE_CONTACT_WITH_BILLING_SUBSCRIPTION", "CANNOT_DELETE_MEMBER_OWNER_OR_CONTRIBUTOR"} {
		assert.Contains(t, job.raw, code)
	}
	assert.Equal(t, 404, c.get(seedID(0)).status)
	assert.EqualValues(t, 1, c.do("GET", bulkPath+"/jobs", nil).at("pagingMetadata.total"))
	assert.Equal(t, 404, c.do("GET", bulkPath+"/jobs/"+clientID, nil).status)
	assert.Equal(t, 400, c.do("GET", bulkPath+"/jobs/1", nil).status)
}

func TestBulkCallsNeedAFilterOrASearch(t *testing.T) {
	c := start(t, 5)
	for _, body := range []string{``, `{}`, `{"filter":null}`, `{"search":""}`} {
		for _, kind := range []string{"delete", "update", "add-remove-labels"} {
			a := c.do("POST", bulkPath+"/contacts/"+kind, body)
			assert.Equal(t, 400, a.status)
			assert.Equal(t, "NEITHER_FILTER_NOR_SEARCH", a.code(), "%s %s", kind, body)
		}
	}
	assert.Equal(t, 400, c.do("POST", bulkPath+"/contacts/delete", `{"search":"`+strings.Repeat("x", 101)+`"}`).status)
	c.set("empty_filter", "400")
	assert.Equal(t, 400, c.do("POST", bulkPath+"/contacts/delete", `{"filter":{}}`).status)
	c.set("empty_filter", "all")
	assert.Equal(t, 200, c.do("POST", bulkPath+"/contacts/delete", `{"filter":{}}`).status)
	assert.EqualValues(t, 3, c.do("GET", contactsPath, nil).at("pagingMetadata.total"), "an empty filter is everyone who can be deleted")
}

func TestBulkUpdateAndLabels(t *testing.T) {
	c := start(t, 5)
	require.Equal(t, 200, c.do("POST", bulkPath+"/contacts/update", `{"search":"contact1@example.com","info":{"company":"Bulk Ltd"}}`).status)
	assert.Equal(t, "Bulk Ltd", c.get(seedID(0)).at("contact.info.company"))
	assert.EqualValues(t, 1, c.get(seedID(0)).at("contact.revision"))
	require.Equal(t, 200, c.do("POST", bulkPath+"/contacts/add-remove-labels", `{"filter":{"id":"`+seedID(1)+`"},"labelKeysToAdd":["custom.vip","custom.newsletter"],"labelKeysToRemove":["custom.vip"]}`).status)
	assert.Equal(t, []any{"custom.newsletter"}, c.get(seedID(1)).at("contact.info.labelKeys.items"))
	assert.Equal(t, 400, c.do("POST", bulkPath+"/contacts/add-remove-labels", `{"filter":{"id":"`+seedID(1)+`"},"labelKeysToAdd":["custom.none"]}`).status)
}

// TestNothingMakesTheEmulatorFail sends what a confused caller might.
func TestNothingMakesTheEmulatorFail(t *testing.T) {
	c := start(t, 30)
	paths := []string{
		"/", "", "//", "/_api", "/_api/", "/contacts", "/contacts/v4", contactsPath, contactsPath + "/", contactsPath + "//", "//contacts/v4/contacts",
		contactsPath + "/" + seedID(0), contactsPath + "/" + seedID(0) + "/", contactsPath + "/%2F", contactsPath + "/..%2f..", contactsPath + "/%00", contactsPath + "/query", contactsPath + "/" + seedID(0) + "/labels",
		contactsPath + "/" + seedID(0) + "%2Flabels", contactsPath + "//labels", contactsPath + "/" + seedID(1) + "/merge", contactsPath + "/" + seedID(1) + "/preview-merge", contactsPath + "/" + strings.Repeat("x", 5000),
		"/contacts/v5/contacts", bulkPath + "/contacts/delete", bulkPath + "/contacts/update", bulkPath + "/contacts/add-remove-labels", bulkPath + "/jobs", bulkPath + "/jobs/", bulkPath + "/jobs/x",
		labelsPath, labelsPath + "/", labelsPath + "/x", labelsPath + "/query", labelsPath + "/custom.vip", fieldsPath, fieldsPath + "/query", fieldsPath + "/custom.website", "/oauth2/token", "/oauth2/token-info", "/oauth2/", "/oauth/access",
	}
	queries := []string{"", "?" + strings.Repeat("a=b&", 5000), "?paging.limit=%zz", "?paging.limit=1e9&paging.offset=1e9", "?paging.offset=2147483647", "?fields=&fieldsets=&sort.fieldName=", "?;;;&&==", "?labelKeys=custom.vip"}
	bodies := []any{
		nil, "", "{", "[]", "null", "1", `"x"`, `{}`, "\xff\xfe", strings.Repeat(`{"a":`, 20_000), `{"info":{"name":{}}}`, `{"info":{"emails":{"items":[null]}}}`,
		`{"info":{"emails":{"items":null},"extendedFields":{"items":null},"labelKeys":{"items":[1]},"picture":{"image":null},"addresses":{"items":[{"address":null}]}},"revision":0}`,
		`{"revision":1e400,"info":{"company":{}}}`, `{"query":null}`, `{"query":{"filter":{"$and":[null]}}}`, `{"query":{"filter":{"$or":[{"id":{"$in":[null]}}]}}}`, `{"filter":{"info.name.first":{"$startsWith":""}},"info":{"company":"x"}}`,
		`{"labelKeys":[null]}`, `{"sourceContactIds":[null],"targetContactRevision":0}`, `{"label":null}`, `{"label":{"displayName":5}}`, `{"displayName":"😀"}`, `{"token":5}`,
	}
	for _, method := range []string{"GET", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"} {
		for i, path := range paths {
			for j, body := range bodies {
				a := c.do(method, path+queries[(i+j)%len(queries)], body)
				if a.status >= 500 || a.status < 200 {
					t.Errorf("%s %.80s %.80v: %d %.200s", method, path, body, a.status, a.raw)
				}
				if a.status >= 300 && a.status < 400 {
					t.Errorf("%s %.80s: redirected", method, path)
				}
			}
		}
	}
	for _, method := range []string{"GET", "POST", "PATCH", "DELETE"} {
		for _, path := range []string{contactsPath + "/", contactsPath + "//labels", "//contacts/v4/contacts"} {
			assert.Equal(t, 404, c.do(method, path, `{}`).status, "%s %s: an empty segment is no id", method, path)
		}
	}
	assert.Equal(t, 400, c.do("DELETE", contactsPath+"/"+seedID(0)+"%2Flabels", nil).status, "an escaped slash stays in its segment")
}
