package emulator

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEverySwitchIsDocumentedAndItsDefaultIsTheFirstValue(t *testing.T) {
	for _, s := range Definition.Switches {
		assert.NotEmpty(t, s.Doc, s.Name)
		if len(s.Values) > 0 {
			assert.Equal(t, s.Default, s.Values[0], s.Name)
		}
	}
}

// TestSwitchesSelectTheAnswer holds each value of the switches that change
// one answer to that answer's status and body.
func TestSwitchesSelectTheAnswer(t *testing.T) {
	const unknown, binned, restricted = "/Contacts/399999999", "/Contacts/312900007", "/Contacts/312900005"
	for _, tt := range []struct {
		name, value          string
		method, path, body   string
		status               int
		contains, contentTyp string
	}{
		{"unknown_id", "404", "GET", unknown, "", 404, "No Contact with ID = 399999999", textType},
		{"unknown_id", "404_json", "GET", unknown, "", 404, `{"Message":"No Contact with ID = 399999999"}`, jsonType},
		{"unknown_id", "404_empty", "DELETE", unknown, "", 404, "", ""},
		{"malformed_id", "400", "DELETE", "/Contacts/abc", "", 400, `{"Message":`, jsonType},
		{"malformed_id", "404", "DELETE", "/Contacts/abc", "", 404, `{"Message":`, jsonType},
		{"no_access", "403", "DELETE", restricted, "", 403, "access", jsonType},
		{"no_access", "404", "DELETE", restricted, "", 404, "No Contact", textType},
		{"second_delete", "404", "DELETE", binned, "", 404, "No Contact", textType},
		{"second_delete", "202", "DELETE", binned, "", 202, "", ""},
		{"second_delete", "417", "DELETE", binned, "", 417, "", ""},
		{"get_after_delete", "404", "GET", binned, "", 404, "No Contact", textType},
		{"get_after_delete", "200", "GET", binned, "", 200, `"CONTACT_ID":312900007`, jsonType},
		{"update_status", "200", "PUT", "/Contacts", `{"CONTACT_ID":312345001}`, 200, "ETag", jsonType},
		{"update_status", "201", "PUT", "/Contacts", `{"CONTACT_ID":312345001}`, 201, "ETag", jsonType},
		{"update_status", "201", "PUT", "/Contacts/312345001/Tags", `[]`, 201, "[]", jsonType},
		{"unknown_id_on_update", "404", "PUT", "/Contacts", `{"CONTACT_ID":5}`, 404, "No Contact", textType},
		{"unknown_id_on_update", "400", "PUT", "/Contacts", `{"CONTACT_ID":5}`, 400, "CONTACT_ID 5", jsonType},
		{"required_name", "any_name", "POST", "/Contacts", `{"LAST_NAME":"A"}`, 201, `"FIRST_NAME":null`, jsonType},
		{"required_name", "any_name", "POST", "/Contacts", `{"TITLE":"A"}`, 400, "required", jsonType},
		{"required_name", "first_name", "POST", "/Contacts", `{"LAST_NAME":"A"}`, 400, "required", jsonType},
		{"unknown_custom_field", "ignore", "POST", "/Contacts", `{"FIRST_NAME":"A","CUSTOMFIELDS":[{"FIELD_NAME":"No__c","FIELD_VALUE":1}]}`, 201, "Region__c", jsonType},
		{"unknown_custom_field", "400", "POST", "/Contacts", `{"FIRST_NAME":"A","CUSTOMFIELDS":[{"FIELD_NAME":"No__c","FIELD_VALUE":1}]}`, 400, "No__c", jsonType},
		{"unknown_reference", "ignore", "POST", "/Contacts", `{"FIRST_NAME":"A","ORGANISATION_ID":5}`, 201, `"ORGANISATION_ID":5`, jsonType},
		{"unknown_reference", "400", "POST", "/Contacts", `{"FIRST_NAME":"A","ORGANISATION_ID":5}`, 400, "ORGANISATION_ID 5", jsonType},
		{"unknown_keys", "ignore", "POST", "/Contacts", `{"FIRST_NAME":"A","FOO":1}`, 201, "", jsonType},
		{"unknown_keys", "400", "POST", "/Contacts", `{"FIRST_NAME":"A","FOO":1}`, 400, "FOO", jsonType},
		{"unknown_keys", "400", "POST", "/Contacts", `{"FIRST_NAME":"A","ETag":"x","CONTACT_ID":0,"TAGS":[]}`, 201, "", jsonType},
		{"read_only_keys", "ignore", "POST", "/Contacts", `{"FIRST_NAME":"A","IMAGE_URL":"x"}`, 201, `"IMAGE_URL":null`, jsonType},
		{"read_only_keys", "400", "POST", "/Contacts", `{"FIRST_NAME":"A","IMAGE_URL":"x"}`, 400, "IMAGE_URL", jsonType},
		{"body_keys", "any_case", "POST", "/Contacts", `{"first_name":"A"}`, 201, `"FIRST_NAME":"A"`, jsonType},
		{"body_keys", "exact", "POST", "/Contacts", `{"first_name":"A"}`, 400, "FIRST_NAME", jsonType},
		{"body_keys", "exact", "POST", "/Contacts", `{"FIRST_NAME":"A","ETag":"x"}`, 201, `"FIRST_NAME":"A"`, jsonType},
		{"record_limit", "off", "POST", "/Contacts", `{"FIRST_NAME":"A"}`, 201, "", jsonType},
		{"record_limit", "5", "POST", "/Contacts", `{"FIRST_NAME":"A"}`, 402, "limit", jsonType},
		{"record_limit", "50", "POST", "/Contacts", `{"FIRST_NAME":"A"}`, 201, "", jsonType},
		{"users_list", "200", "GET", "/Users", "", 200, "Olga", jsonType},
		{"users_list", "403", "GET", "/Users", "", 403, "access", jsonType},
		{"users_list", "403", "GET", "/Users/Me", "", 200, "Olga", jsonType},
		{"validation_body", "message", "POST", "/Contacts", `{}`, 400, `{"Message":`, jsonType},
		{"validation_body", "name_message", "POST", "/Contacts", `{}`, 400, `{"Name":`, jsonType},
		{"validation_body", "text", "POST", "/Contacts", `{}`, 400, "A server exception was thrown.", textType},
		{"validation_body", "empty", "POST", "/Contacts", `{}`, 400, "", ""},
		{"search_case", "ignore", "GET", "/Contacts/SearchByTag?tagName=VIP", "", 200, "312345001", jsonType},
		{"search_case", "exact", "GET", "/Contacts/SearchByTag?tagName=VIP", "", 200, "[]", jsonType},
	} {
		t.Run(tt.name+"="+tt.value+" "+tt.method+" "+tt.path, func(t *testing.T) {
			c := newClient(t, 1, map[string]string{tt.name: tt.value})
			r := c.do(tt.method, tt.path, tt.body)
			assert.Equal(t, tt.status, r.status, "%s", r.body)
			assert.Equal(t, tt.contentTyp, r.header.Get("Content-Type"))
			assert.Contains(t, string(r.body), tt.contains)
			if tt.contentTyp == "" {
				assert.Empty(t, r.body)
			}
		})
	}
}

func TestBodyCollectionsReplaceMergeOrAreIgnored(t *testing.T) {
	for value, want := range map[string]string{
		"replace": `[{"TAG_NAME":"new"}]`,
		"merge":   `[{"TAG_NAME":"vip"},{"TAG_NAME":"newsletter"},{"TAG_NAME":"new"}]`,
		"ignore":  `[{"TAG_NAME":"vip"},{"TAG_NAME":"newsletter"}]`,
	} {
		c := newClient(t, 1, map[string]string{"body_collections": value})
		contact := c.object(200, "PUT", "/Contacts", `{"CONTACT_ID":312345001,"TAGS":[{"TAG_NAME":"new"}]}`)
		assert.Equal(t, want, compact(t, contact.Get("TAGS")), value)
	}
	c := newClient(t, 1, map[string]string{"body_collections": "merge"})
	contact := c.object(200, "PUT", "/Contacts", `{"CONTACT_ID":312345001,"DATES":[{"DATE_ID":7100001,"OCCASION_NAME":"Changed"},{"OCCASION_NAME":"More"}]}`)
	dates := compact(t, contact.Get("DATES"))
	assert.Equal(t, 2, strings.Count(dates, "DATE_ID"))
	assert.Contains(t, dates, `"DATE_ID":7100001,"OCCASION_NAME":"Changed"`)
}

func TestPuttingTagsReplacesOrMerges(t *testing.T) {
	for value, want := range map[string]string{
		"replace": `[{"TAG_NAME":"new"}]`,
		"merge":   `[{"TAG_NAME":"vip"},{"TAG_NAME":"newsletter"},{"TAG_NAME":"new"}]`,
	} {
		c := newClient(t, 1, map[string]string{"tags_put": value})
		assert.Equal(t, want, string(c.do("PUT", "/Contacts/312345001/Tags", `[{"TAG_NAME":"new"}]`).body), value)
	}
}

func TestCustomFieldsMergeOrReplaceAndNullClears(t *testing.T) {
	for value, want := range map[string]string{"merge": "EMEA", "replace": ""} {
		c := newClient(t, 1, map[string]string{"custom_fields_update": value})
		contact := c.object(200, "PUT", "/Contacts", `{"CONTACT_ID":312345001,"CUSTOMFIELDS":[{"FIELD_NAME":"Score__c","FIELD_VALUE":7}]}`)
		region, _ := customValue(contact, "Region__c").(string)
		assert.Equal(t, want, region, value)
		assert.Len(t, contact.Get("CUSTOMFIELDS"), 5)
	}
	c := newClient(t, 1, nil)
	contact := c.object(200, "PUT", "/Contacts", `{"CONTACT_ID":312345001,"CUSTOMFIELDS":[{"FIELD_NAME":"Region__c","FIELD_VALUE":null}]}`)
	assert.Nil(t, customValue(contact, "Region__c"))
	assert.NotNil(t, customValue(contact, "Score__c"))
	contact = c.object(200, "PUT", "/Contacts", `{"CONTACT_ID":312345001,"CUSTOMFIELDS":null,"TAGS":null}`)
	assert.Nil(t, customValue(contact, "Score__c"))
	assert.Equal(t, "[]", compact(t, contact.Get("TAGS")))
}

func TestACustomFieldThatIsNotEditableKeepsItsValue(t *testing.T) {
	const number = "Member_Number__c"
	for _, write := range []string{`[{"FIELD_NAME":"Member_Number__c","FIELD_VALUE":"mine"}]`, `[{"FIELD_NAME":"Member_Number__c","FIELD_VALUE":null}]`} {
		c := newClient(t, 1, nil)
		assert.Equal(t, 400, c.do("PUT", "/Contacts", `{"CONTACT_ID":312900001,"CUSTOMFIELDS":`+write+`}`).status)
		require.NoError(t, c.env.SetSwitch("fixed_custom_field", "ignore"))
		assert.Equal(t, "M-0001", customValue(c.object(200, "PUT", "/Contacts", `{"CONTACT_ID":312900001,"CUSTOMFIELDS":`+write+`}`), number))
	}
	c := newClient(t, 1, map[string]string{"custom_fields_update": "replace"})
	assert.Equal(t, "M-0001", customValue(c.object(200, "PUT", "/Contacts", `{"CONTACT_ID":312900001,"CUSTOMFIELDS":null}`), number))
	for _, field := range c.list("/CustomFields/Contacts") {
		assert.Equal(t, field.Text("FIELD_NAME") != number, field.Get("EDITABLE"))
	}
}

func TestAnOwnerOfNullIsNoneOrTheOneBefore(t *testing.T) {
	for value, want := range map[string]any{"clear": nil, "keep": integerValue(keyUser)} {
		c := newClient(t, 1, map[string]string{"owner_null": value})
		assert.Equal(t, want, c.object(200, "PUT", "/Contacts", `{"CONTACT_ID":312345001,"OWNER_USER_ID":null}`).Get("OWNER_USER_ID"), value)
	}
}

func TestDeleteLooksAtIfMatchOnlyWhenTheSwitchSaysSo(t *testing.T) {
	c := newClient(t, 5, nil)
	assert.Equal(t, 202, c.do("DELETE", "/Contacts/312345001", "", "If-Match", "stale").status)
	require.NoError(t, c.env.SetSwitch("delete_if_match", "honour"))
	assert.Equal(t, 400, c.do("DELETE", "/Contacts/312345002", "", "If-Match", "stale").status)
	etag := c.object(200, "GET", "/Contacts/312345002", "").Text("ETag")
	assert.Equal(t, 202, c.do("DELETE", "/Contacts/312345002", "", "If-Match", etag).status)
}

func TestQueryLagShowsADeletedContactForSoManyAnswers(t *testing.T) {
	c := newClient(t, 5, map[string]string{"query_lag": "2"})
	c.do("DELETE", "/Contacts/312345001", "")
	assert.Equal(t, 404, c.do("GET", "/Contacts/312345001", "").status)
	assert.Len(t, c.list("/Contacts"), listed(5))
	assert.Len(t, c.list("/Contacts/Search"), listed(5))
	assert.Len(t, c.list("/Contacts"), listed(5)-1)
}

func TestTheLimitOfASecondLeavesTheQuotaAlone(t *testing.T) {
	c := newClient(t, 1, nil)
	now := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	c.e.now = func() time.Time { return now }
	require.Equal(t, 200, c.do("GET", "/Instance", "").status)
	require.NoError(t, c.env.SetSwitch("rate_limit", "2"))
	assert.Equal(t, 200, c.do("GET", "/Instance", "").status)
	assert.Equal(t, 200, c.do("GET", "/Instance", "").status)
	refused := c.do("GET", "/Instance", "")
	assert.Equal(t, 429, refused.status)
	assert.Equal(t, "99997", refused.header.Get("X-RateLimit-Remaining"))
	assert.Equal(t, "100000", refused.header.Get("X-RateLimit-Limit"))
	assert.Empty(t, refused.header.Get("Retry-After"))
	assert.Equal(t, 429, c.do("DELETE", "/Contacts/312345001", "").status)
	now = now.Add(time.Second)
	assert.Equal(t, 200, c.do("GET", "/Contacts/312345001", "").status)
	require.NoError(t, c.env.SetSwitch("rate_limit", "off"))
	for range 5 {
		assert.Equal(t, 200, c.do("GET", "/Instance", "").status)
	}
}

func TestTheDaysQuotaRunsOutAndStaysOut(t *testing.T) {
	c := newClient(t, 1, map[string]string{"daily_quota": "2", "retry_after": "30"})
	assert.Equal(t, "1", c.do("GET", "/Instance", "").header.Get("X-RateLimit-Remaining"))
	last := c.do("GET", "/Instance", "")
	assert.Equal(t, 200, last.status)
	assert.Equal(t, "0", last.header.Get("X-RateLimit-Remaining"))
	assert.Equal(t, "2", last.header.Get("X-RateLimit-Limit"))
	for _, body := range []string{"json", "text", "empty"} {
		require.NoError(t, c.env.SetSwitch("rate_limit_body", body))
		refused := c.do("GET", "/Instance", "")
		assert.Equal(t, 429, refused.status)
		assert.Equal(t, "0", refused.header.Get("X-RateLimit-Remaining"))
		assert.Equal(t, "30", refused.header.Get("Retry-After"))
		assert.Equal(t, map[string]string{"json": jsonType, "text": textType, "empty": ""}[body], refused.header.Get("Content-Type"))
	}
	c.e.Reset()
	assert.Equal(t, 200, c.do("GET", "/Instance", "").status)
}
