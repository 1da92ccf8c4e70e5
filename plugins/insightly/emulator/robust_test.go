package emulator

import (
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestNoRequestMakesTheEmulatorFail(t *testing.T) {
	c := newClient(t, 30, nil)
	paths := []string{
		"", "/", "//", "/v3.1", "/v3.1/", "/v3.1//", "/v3.1/%2F", "/v3.1/%00", "/v3.1/Contacts/%00", "/v3.1/Contacts/%FF%FE",
		"/v3.1/Contacts", "/v3.1/Contacts/", "/v3.1/Contacts//", "/v3.1/Contacts///Tags", "/v3.1/Contacts/312345001", "/v3.1/Contacts/312345001/",
		"/v3.1/Contacts/312345002/Tags", "/v3.1/Contacts/312345002/Dates", "/v3.1/Contacts/312345002/Links", "/v3.1/Contacts/312345002/Links/1",
		"/v3.1/Contacts/312345002/Links/x", "/v3.1/Contacts/312345002/Notes", "/v3.1/Contacts/312345002/Follow", "/v3.1/Contacts/312345002/Follow/1",
		"/v3.1/Contacts/312345002/Emails", "/v3.1/Contacts/312345002/Image", "/v3.1/Contacts/Search", "/v3.1/Contacts/SearchByTag",
		"/v3.1/Contacts/Search/x", "/v3.1/Contacts/9223372036854775807", "/v3.1/Contacts/-9223372036854775808", "/v3.1/Contacts/" + strings.Repeat("9", 5000),
		"/v3.1/Organisations", "/v3.1/Organisations/145678901/EmailDomains", "/v3.1/Notes", "/v3.1/Notes/6100001", "/v3.1/Notes/6100001/Tags", "/v3.1/Notes/6100001/Links",
		"/v3.1/Users", "/v3.1/Users/Me", "/v3.1/Users/Search", "/v3.1/Users/0", "/v3.1/Users/Me/x", "/v3.1/Tags", "/v3.1/Tags/x", "/v3.1/CustomFields", "/v3.1/CustomFields/Notes",
		"/v3.1/CustomFields/Notes/Search", "/v3.1/CustomFields/Contacts/x/y", "/v3.1/Instance", "/v3.1/Instance/x", "/v3.1/Relationships", "/v3.1/Leads", "/v3.1/Contact/5",
	}
	queries := []string{
		"", "top=-1", "skip=9223372036854775807", "skip=2147483647&top=500", "top=1&top=2", "%zz", "a=%", ";;;", "field_name=CONTACT_ID&field_value=NaN",
		"field_name=Score__c&field_value=1e999", "updated_after_utc=9999-12-31T23:59:59Z", "updated_after_utc=%00", "record_type=contacts&skip=5",
		"q=" + strings.Repeat("x", 100_000), "tagName=%FF", "brief=true&count_total=true",
	}
	bodies := []string{
		"", "{", "null", "[]", "{}", "5", `"x"`, "[[[]]]", `{"CONTACT_ID":312345003,"TAGS":[null],"CUSTOMFIELDS":[null]}`,
		`{"CONTACT_ID":1e400}`, `{"FIRST_NAME":"\ud800","LINKS":[{"LINK_OBJECT_NAME":5,"LINK_OBJECT_ID":"x"}]}`, `[null]`, `[{"TAG_NAME":null}]`,
		`{"FIRST_NAME":"A","LINKS":null,"DATES":null,"CUSTOMFIELDS":null}`, `{"TAG_NAME":{"a":[1]}}`, `{"LINK_ID":9.5}`, "\x00\xff",
		`{"NOTE_ID":6100001,"LINKS":[]}`, `{"TITLE":"x","LINKS":[{"LINK_OBJECT_NAME":"Contact","LINK_OBJECT_ID":312345004}]}`,
		strings.Repeat(`{"a":`, 50_000),
	}
	try := func(method, path, query, body string) {
		r := httptest.NewRequest(method, "http://emulator.test/", strings.NewReader(body))
		plain, err := url.PathUnescape(path)
		if err != nil {
			t.Fatal(err)
		}
		r.URL.Path, r.URL.RawPath, r.URL.RawQuery = plain, path, query
		r.Header.Set("Authorization", goodAuthorization)
		if got := c.send(r); got.status >= 500 {
			assert.Fail(t, "the emulator failed", "%s %s?%.80s %.80s: %d", method, path, query, body, got.status)
		}
	}
	for _, path := range paths {
		for _, query := range queries {
			try("GET", path, query, "")
		}
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "BREW"} {
			for _, body := range bodies {
				try(method, path, "", body)
			}
		}
	}
	assert.Equal(t, 200, c.do("GET", "/Contacts?top=500", "").status)
}
