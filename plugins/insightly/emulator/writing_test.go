package emulator

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

func TestACreatedContactIsReadBackWhole(t *testing.T) {
	c := newClient(t, 1, nil)
	r := c.do("POST", "/Contacts", `{"CONTACT_ID":0,"first_name":"Ines","LAST_NAME":null,"DATE_OF_BIRTH":"1990-03-01 00:00:00",
		"ORGANISATION_ID":145678902,"UNKNOWN":1,"DATE_CREATED_UTC":"2001-01-01 00:00:00","EMAIL_OPTED_OUT":true,
		"CUSTOMFIELDS":[{"FIELD_NAME":"Score__c","FIELD_VALUE":12345678901234567.25},{"field_name":"Newsletter__c","field_value":true}],
		"TAGS":[{"TAG_NAME":"new"},{"TAG_NAME":"new"}],
		"DATES":[{"OCCASION_NAME":"Birthday","OCCASION_DATE":"1990-03-01 00:00:00"}],
		"LINKS":[{"LINK_OBJECT_NAME":"Organisation","LINK_OBJECT_ID":145678903,"ROLE":"Advisor"}]}`)
	require.Equal(t, 201, r.status, "%s", r.body)
	assert.Equal(t, "http://emulator.test/v3.1/Contacts/313000001", r.header.Get("Location"))
	made, err := kit.ParseObject(r.body)
	require.NoError(t, err)
	assert.Equal(t, "313000001", id(made))
	assert.Equal(t, "Ines", made.Text("FIRST_NAME"))
	assert.Equal(t, json.Number("1067519"), made.Get("OWNER_USER_ID"))
	assert.Equal(t, made.Get("DATE_UPDATED_UTC"), made.Get("DATE_CREATED_UTC"))
	assert.False(t, made.Has("UNKNOWN"))
	assert.Equal(t, `[{"TAG_NAME":"new"}]`, compact(t, made.Get("TAGS")))
	assert.Equal(t, `[{"FIELD_NAME":"Region__c","FIELD_VALUE":null},{"FIELD_NAME":"Score__c","FIELD_VALUE":12345678901234567.25},{"FIELD_NAME":"Newsletter__c","FIELD_VALUE":true},{"FIELD_NAME":"Renewal__c","FIELD_VALUE":null},{"FIELD_NAME":"Remarks__c","FIELD_VALUE":null}]`, compact(t, made.Get("CUSTOMFIELDS")))
	assert.Contains(t, compact(t, made.Get("LINKS")), `"OBJECT_NAME":"Contact","OBJECT_ID":313000001,"LINK_OBJECT_NAME":"Organisation","LINK_OBJECT_ID":145678903,"ROLE":"Advisor"`)
	assert.Equal(t, r.body, c.do("GET", "/Contacts/313000001", "").body)
	assert.Equal(t, c.list("/Contacts?top=1")[0].Keys(), made.Keys())
	assert.Len(t, c.list("/Tags?record_type=contacts"), 6)
}

func TestBadBodiesAreRefusedAndChangeNothing(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	cases := map[string]string{
		"empty":                       ``,
		"not JSON":                    `{"FIRST_NAME":`,
		"two values":                  `{"FIRST_NAME":"A"}{}`,
		"an array":                    `[{"FIRST_NAME":"A"}]`,
		"a string":                    `"A"`,
		"null":                        `null`,
		"no name":                     `{}`,
		"last name only":              `{"LAST_NAME":"A"}`,
		"null name":                   `{"FIRST_NAME":null}`,
		"blank name":                  `{"FIRST_NAME":"  "}`,
		"number as name":              `{"FIRST_NAME":5}`,
		"object as name":              `{"FIRST_NAME":{"a":1}}`,
		"long name":                   `{"FIRST_NAME":"` + long(256) + `"}`,
		"long salutation":             `{"FIRST_NAME":"A","SALUTATION":"` + long(51) + `"}`,
		"long postcode":               `{"FIRST_NAME":"A","ADDRESS_MAIL_POSTCODE":"` + long(129) + `"}`,
		"long background":             `{"FIRST_NAME":"A","BACKGROUND":"` + long(4001) + `"}`,
		"date with T and Z":           `{"FIRST_NAME":"A","DATE_OF_BIRTH":"1990-03-01T00:00:00Z"}`,
		"date alone":                  `{"FIRST_NAME":"A","DATE_OF_BIRTH":"1990-03-01"}`,
		"date with fraction":          `{"FIRST_NAME":"A","DATE_OF_BIRTH":"1990-03-01 00:00:00.5"}`,
		"impossible date":             `{"FIRST_NAME":"A","DATE_OF_BIRTH":"1990-02-31 00:00:00"}`,
		"date as number":              `{"FIRST_NAME":"A","DATE_OF_BIRTH":5}`,
		"organisation as string":      `{"FIRST_NAME":"A","ORGANISATION_ID":"145678901"}`,
		"organisation with fraction":  `{"FIRST_NAME":"A","ORGANISATION_ID":145678901.5}`,
		"unknown organisation":        `{"FIRST_NAME":"A","ORGANISATION_ID":5}`,
		"unknown owner":               `{"FIRST_NAME":"A","OWNER_USER_ID":5}`,
		"opt-out as string":           `{"FIRST_NAME":"A","EMAIL_OPTED_OUT":"true"}`,
		"custom fields as object":     `{"FIRST_NAME":"A","CUSTOMFIELDS":{"Region__c":"EMEA"}}`,
		"custom fields of strings":    `{"FIRST_NAME":"A","CUSTOMFIELDS":["Region__c"]}`,
		"custom field without a name": `{"FIRST_NAME":"A","CUSTOMFIELDS":[{"FIELD_VALUE":"x"}]}`,
		"unknown custom field":        `{"FIRST_NAME":"A","CUSTOMFIELDS":[{"FIELD_NAME":"No__c","FIELD_VALUE":"x"}]}`,
		"custom text of a number":     `{"FIRST_NAME":"A","CUSTOMFIELDS":[{"FIELD_NAME":"Region__c","FIELD_VALUE":5}]}`,
		"custom number of a text":     `{"FIRST_NAME":"A","CUSTOMFIELDS":[{"FIELD_NAME":"Score__c","FIELD_VALUE":"5"}]}`,
		"custom flag of a text":       `{"FIRST_NAME":"A","CUSTOMFIELDS":[{"FIELD_NAME":"Newsletter__c","FIELD_VALUE":"true"}]}`,
		"custom date in ISO form":     `{"FIRST_NAME":"A","CUSTOMFIELDS":[{"FIELD_NAME":"Renewal__c","FIELD_VALUE":"2025-01-15T00:00:00Z"}]}`,
		"custom list":                 `{"FIRST_NAME":"A","CUSTOMFIELDS":[{"FIELD_NAME":"Region__c","FIELD_VALUE":["EMEA"]}]}`,
		"tags of strings":             `{"FIRST_NAME":"A","TAGS":["vip"]}`,
		"tags as string":              `{"FIRST_NAME":"A","TAGS":"vip"}`,
		"tag without a name":          `{"FIRST_NAME":"A","TAGS":[{}]}`,
		"long tag":                    `{"FIRST_NAME":"A","TAGS":[{"TAG_NAME":"` + long(256) + `"}]}`,
		"date of the wrong form":      `{"FIRST_NAME":"A","DATES":[{"OCCASION_DATE":"1990-03-01"}]}`,
		"date id of nobody":           `{"FIRST_NAME":"A","DATES":[{"DATE_ID":5}]}`,
		"plural link":                 `{"FIRST_NAME":"A","LINKS":[{"LINK_OBJECT_NAME":"Organisations","LINK_OBJECT_ID":145678901}]}`,
		"link to nothing":             `{"FIRST_NAME":"A","LINKS":[{"LINK_OBJECT_NAME":"Organisation","LINK_OBJECT_ID":5}]}`,
		"very deep":                   strings.Repeat("[", 200_000),
	}
	c := newClient(t, 1, nil)
	before := c.do("GET", "/Contacts", "").body
	tags := c.do("GET", "/Tags?record_type=contacts", "").body
	for name, body := range cases {
		t.Run("creating: "+name, func(t *testing.T) {
			r := c.do("POST", "/Contacts", body)
			assert.Equal(t, 400, r.status, "%s", r.body)
			assert.NotEmpty(t, r.message(t))
		})
		t.Run("updating: "+name, func(t *testing.T) {
			if name == "no name" || name == "last name only" {
				t.Skip("an update is partial")
			}
			body := strings.Replace(body, `"FIRST_NAME"`, `"CONTACT_ID":312345001,"FIRST_NAME"`, 1)
			assert.Equal(t, 400, c.do("PUT", "/Contacts", body).status)
		})
	}
	assert.Equal(t, string(before), string(c.do("GET", "/Contacts", "").body))
	assert.Equal(t, string(tags), string(c.do("GET", "/Tags?record_type=contacts", "").body))
}

func TestLimitsOfLengthAreInclusive(t *testing.T) {
	c := newClient(t, 0, nil)
	c.create(`{"FIRST_NAME":"` + strings.Repeat("é", 255) + `","SALUTATION":"` + strings.Repeat("x", 50) + `"}`)
	// The vendor counts UTF-16 units, so that an emoji is two.
	assert.Equal(t, 400, c.do("POST", "/Contacts", `{"FIRST_NAME":"`+strings.Repeat("🚀", 128)+`"}`).status)
}

func TestAnUpdateTouchesOnlyWhatItNamesAndNullClears(t *testing.T) {
	c := newClient(t, 1, nil)
	before := c.object(200, "GET", "/Contacts/312345001", "")
	after := c.object(200, "PUT", "/Contacts", `{"CONTACT_ID":312345001,"TITLE":"CFO","PHONE":null,"ORGANISATION_ID":null,"EMAIL_OPTED_OUT":null}`)
	for _, key := range before.Keys() {
		switch key {
		case "TITLE":
			assert.Equal(t, "CFO", after.Text(key))
		case "PHONE", "ORGANISATION_ID":
			assert.True(t, after.Has(key))
			assert.Nil(t, after.Get(key))
		case "DATE_UPDATED_UTC", "ETag":
			assert.NotEqual(t, before.Get(key), after.Get(key))
		default:
			assert.Equal(t, before.Get(key), after.Get(key), key)
		}
	}
	assert.Equal(t, before.Keys(), after.Keys())
	assert.Equal(t, compact(t, after), string(c.do("GET", "/Contacts/312345001", "").body))
}

func TestStampsAndETagsMoveOnEveryWriteOfARecord(t *testing.T) {
	c := newClient(t, 1, nil)
	now := time.Date(2026, 3, 1, 10, 0, 0, 500, time.UTC)
	c.e.now = func() time.Time { return now }
	stamps, etags := []string{}, map[string]bool{}
	for range 3 {
		contact := c.object(200, "PUT", "/Contacts", `{"CONTACT_ID":312345001,"TITLE":"CFO"}`)
		stamps = append(stamps, contact.Text("DATE_UPDATED_UTC"))
		etags[contact.Text("ETag")] = true
	}
	assert.Equal(t, []string{"2026-03-01 10:00:00", "2026-03-01 10:00:01", "2026-03-01 10:00:02"}, stamps)
	assert.Len(t, etags, 3)
}

func TestAnImportedContactWithoutFirstNameCanBeUpdated(t *testing.T) {
	c := newClient(t, 1, nil)
	c.object(200, "PUT", "/Contacts", `{"CONTACT_ID":312900003,"TITLE":"CFO"}`)
	assert.Equal(t, 400, c.do("PUT", "/Contacts", `{"CONTACT_ID":312900003,"FIRST_NAME":null}`).status)
	c.object(200, "PUT", "/Contacts", `{"CONTACT_ID":312900003,"FIRST_NAME":"Ivo"}`)
}

func TestAnUpdateNeedsAnExistingID(t *testing.T) {
	c := newClient(t, 1, nil)
	for body, want := range map[string]int{
		`{"TITLE":"x"}`:                             400,
		`{"CONTACT_ID":null,"TITLE":"x"}`:           400,
		`{"CONTACT_ID":"312345001","TITLE":"x"}`:    400,
		`{"CONTACT_ID":1.5}`:                        400,
		`{"CONTACT_ID":0,"TITLE":"x"}`:              404,
		`{"CONTACT_ID":399999999,"TITLE":"x"}`:      404,
		`{"CONTACT_ID":312900007,"TITLE":"x"}`:      404,
		`{"CONTACT_ID":312900005,"TITLE":"x"}`:      403,
		`{"contact_id":312345001,"title":"x"}`:      200,
		`{"CONTACT_ID":312345001}`:                  200,
		`{"CONTACT_ID":312345001,"LINKS":[],"a":0}`: 200,
	} {
		assert.Equal(t, want, c.do("PUT", "/Contacts", body).status, body)
	}
}

func TestIfMatchTakesTheCurrentETagOnly(t *testing.T) {
	c := newClient(t, 1, nil)
	const body = `{"CONTACT_ID":312345001,"TITLE":"CFO"}`
	etag := c.object(200, "GET", "/Contacts/312345001", "").Text("ETag")
	c.object(200, "PUT", "/Contacts", body, "If-Match", etag)
	stale := c.do("PUT", "/Contacts", body, "If-Match", etag)
	assert.Equal(t, 400, stale.status)
	assert.Equal(t, "If-Match header value "+etag+" is not valid.", stale.message(t))
	require.NoError(t, c.env.SetSwitch("stale_if_match", "412"))
	assert.Equal(t, 412, c.do("PUT", "/Contacts", body, "If-Match", etag).status)
}

func TestDeletingAnswers202WithNothingAndTwiceNotFound(t *testing.T) {
	c := newClient(t, 30, nil)
	first := c.do("DELETE", "/Contacts/312345001", "")
	assert.Equal(t, 202, first.status)
	assert.Empty(t, first.body)
	assert.Equal(t, "0", first.header.Get("Content-Length"))
	assert.Empty(t, first.header.Values("Content-Type"))

	second := c.do("DELETE", "/Contacts/312345001", "")
	assert.Equal(t, 404, second.status)
	assert.Equal(t, "text/plain; charset=utf-8", second.header.Get("Content-Type"))
	assert.Equal(t, "No Contact with ID = 312345001", string(second.body))

	assert.Equal(t, 404, c.do("GET", "/Contacts/312345001", "").status)
	assert.Equal(t, 404, c.do("GET", "/Contacts/312345001/Tags", "").status)
	assert.Equal(t, 404, c.do("DELETE", "/Contacts/312345001/Tags", `{"TAG_NAME":"vip"}`).status)
	assert.NotContains(t, ids(c.list("/Contacts")), "312345001")
	assert.Empty(t, c.list("/Contacts/Search?field_name=CONTACT_ID&field_value=312345001"))
	assert.Equal(t, 404, c.do("DELETE", "/Contacts/399999999", "").status)
	assert.Equal(t, 400, c.do("DELETE", "/Contacts/abc", "").status)
}

func TestAContactsNotesGoWithIt(t *testing.T) {
	c := newClient(t, 1, nil)
	before := c.object(200, "GET", "/Contacts/312345001", "")
	note := c.object(201, "POST", "/Contacts/312345001/Notes", `{"TITLE":"Call","BODY":"<p>x</p>"}`)
	path := fmt.Sprintf("/Notes/%s", note.Get("NOTE_ID"))
	assert.Equal(t, 400, c.do("POST", "/Contacts/312345001/Notes", `{"BODY":"x"}`).status)
	assert.Len(t, c.list("/Contacts/312345001/Notes"), 1)
	assert.Len(t, c.list("/Notes"), 2)
	c.object(200, "PUT", "/Notes", fmt.Sprintf(`{"NOTE_ID":%s,"TITLE":"Called"}`, note.Get("NOTE_ID")))
	assert.Equal(t, "Called", c.object(200, "GET", path, "").Text("TITLE"))
	assert.NotEqual(t, before.Text("LAST_ACTIVITY_DATE_UTC"), c.object(200, "GET", "/Contacts/312345001", "").Text("LAST_ACTIVITY_DATE_UTC"))
	require.Equal(t, 202, c.do("DELETE", "/Contacts/312345001", "").status)
	assert.Equal(t, 404, c.do("GET", path, "").status)
	assert.Len(t, c.list("/Notes"), 1)
}

func TestTagsAreSetAddedAndTakenAway(t *testing.T) {
	c := newClient(t, 1, nil)
	tags := func() string { return string(c.do("GET", "/Contacts/312345001/Tags", "").body) }
	const path = "/Contacts/312345001/Tags"
	require.Equal(t, 200, c.do("PUT", path, `[{"TAG_NAME":"a"},{"TAG_NAME":"b"}]`).status)
	assert.Equal(t, `[{"TAG_NAME":"a"},{"TAG_NAME":"b"}]`, tags())
	require.Equal(t, 201, c.do("POST", path, `{"TAG_NAME":"c"}`).status)
	require.Equal(t, 201, c.do("POST", path, `{"TAG_NAME":"c"}`).status)
	require.Equal(t, 202, c.do("DELETE", path, `{"TAG_NAME":"a"}`).status)
	assert.Equal(t, `[{"TAG_NAME":"b"},{"TAG_NAME":"c"}]`, tags())
	require.Equal(t, 200, c.do("PUT", path, `{"TAG_NAME":"one"}`).status)
	assert.Equal(t, `[{"TAG_NAME":"one"}]`, tags())
	for _, body := range []string{`["a"]`, `"a"`, `[{}]`, ``, `5`} {
		assert.Equal(t, 400, c.do("PUT", path, body).status, body)
	}
	assert.Equal(t, 400, c.do("POST", path, `[{"TAG_NAME":"a"}]`).status)
	assert.Equal(t, 400, c.do("DELETE", path, ``).status)
	assert.Equal(t, 405, c.do("PATCH", path, `{}`).status)
}

func TestLinksDatesAndFollowing(t *testing.T) {
	c := newClient(t, 1, nil)
	const links = "/Contacts/312345001/Links"
	link := c.object(201, "POST", links, `{"LINK_OBJECT_NAME":"Organisation","LINK_OBJECT_ID":145678902}`)
	assert.Len(t, c.list(links), 1)
	changed := c.object(200, "PUT", links, fmt.Sprintf(`{"LINK_ID":%s,"LINK_OBJECT_NAME":"Organisation","LINK_OBJECT_ID":145678903,"ROLE":"x"}`, link.Get("LINK_ID")))
	assert.Equal(t, link.Get("LINK_ID"), changed.Get("LINK_ID"))
	assert.Len(t, c.list(links), 1)
	assert.Equal(t, 404, c.do("PUT", links, `{"LINK_ID":5,"LINK_OBJECT_NAME":"Organisation","LINK_OBJECT_ID":145678903}`).status)
	assert.Equal(t, 400, c.do("PUT", links, `{}`).status)
	assert.Equal(t, 400, c.do("POST", links, `{"LINK_OBJECT_NAME":"Organisations","LINK_OBJECT_ID":145678902}`).status)
	assert.Equal(t, 400, c.do("DELETE", links+"/x", "").status)
	assert.Equal(t, 202, c.do("DELETE", fmt.Sprintf("%s/%s", links, link.Get("LINK_ID")), "").status)
	assert.Equal(t, 404, c.do("DELETE", fmt.Sprintf("%s/%s", links, link.Get("LINK_ID")), "").status)

	const dates = "/Contacts/312345001/Dates"
	require.Equal(t, 200, c.do("PUT", dates, `[{"OCCASION_NAME":"Party","OCCASION_DATE":"2025-01-01 00:00:00"}]`).status)
	assert.Equal(t, "Party", c.list(dates)[0].Text("OCCASION_NAME"))
	assert.Equal(t, 405, c.do("POST", dates, `{}`).status)

	const follow = "/Contacts/312345001/Follow"
	assert.Equal(t, false, c.object(200, "GET", follow, "").Get("FOLLOWING"))
	assert.Equal(t, true, c.object(201, "POST", follow, "").Get("FOLLOWING"))
	assert.Equal(t, true, c.object(200, "GET", follow, "").Get("FOLLOWING"))
	assert.Equal(t, 202, c.do("DELETE", follow, "").status)
	assert.Equal(t, false, c.object(200, "GET", follow, "").Get("FOLLOWING"))
}

func TestOrganisationsAreKeptLikeContacts(t *testing.T) {
	c := newClient(t, 0, nil)
	made := c.object(201, "POST", "/Organisations", `{"ORGANISATION_NAME":"Tidal Foundry","EMAILDOMAINS":[{"EMAIL_DOMAIN":"tidal.test"}]}`)
	assert.Equal(t, json.Number("146000001"), made.Get("ORGANISATION_ID"))
	assert.Contains(t, compact(t, made.Get("EMAILDOMAINS")), `"EMAIL_DOMAIN":"tidal.test"`)
	assert.Equal(t, 400, c.do("POST", "/Organisations", `{"PHONE":"1"}`).status)
	assert.Equal(t, 400, c.do("POST", "/Organisations", `{"ORGANISATION_NAME":"x","EMAILDOMAINS":[{}]}`).status)
	const domains = "/Organisations/146000001/EmailDomains"
	require.Equal(t, 200, c.do("PUT", domains, `[{"EMAIL_DOMAIN":"a.test"},{"EMAIL_DOMAIN":"b.test"}]`).status)
	assert.Len(t, c.list(domains), 2)
	c.object(200, "PUT", "/Organisations", `{"ORGANISATION_ID":146000001,"WEBSITE":"https://tidal.test"}`)
	assert.Len(t, c.list("/Organisations/Search?field_name=ORGANISATION_NAME&field_value=Tidal+Foundry"), 1)
	assert.Equal(t, 202, c.do("DELETE", "/Organisations/146000001", "").status)
	assert.Equal(t, "No Organisation with ID = 146000001", string(c.do("GET", "/Organisations/146000001", "").body))
}

func TestResetRestoresTheSeed(t *testing.T) {
	c := newClient(t, 30, nil)
	before := c.do("GET", "/Contacts", "").body
	c.create(`{"FIRST_NAME":"Ines","TAGS":[{"TAG_NAME":"new"}]}`)
	c.do("DELETE", "/Contacts/312345001", "")
	c.do("PUT", "/Contacts", `{"CONTACT_ID":312345002,"FIRST_NAME":"Changed"}`)
	require.NotEqual(t, string(before), string(c.do("GET", "/Contacts", "").body))
	c.e.Reset()
	assert.Equal(t, string(before), string(c.do("GET", "/Contacts", "").body))
	assert.Equal(t, "313000001", c.create(`{"FIRST_NAME":"Ines"}`))
}

func TestManyClientsAtOnceKeepTheStateWhole(t *testing.T) {
	c := newClient(t, 10, nil)
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := range 20 {
				r := c.do("POST", "/Contacts", fmt.Sprintf(`{"FIRST_NAME":"W%d","TITLE":"%d"}`, worker, i))
				assert.Equal(t, 201, r.status)
				made, err := kit.ParseObject(r.body)
				if !assert.NoError(t, err) {
					return
				}
				c.do("GET", "/Contacts?top=500", "")
				c.do("PUT", "/Contacts", `{"CONTACT_ID":312345001,"TITLE":"x"}`)
				if i%2 == 0 {
					assert.Equal(t, 202, c.do("DELETE", "/Contacts/"+id(made), "").status)
				}
			}
		})
	}
	group.Wait()
	all := ids(c.list("/Contacts?top=500"))
	assert.Len(t, all, listed(10)+8*10)
	assert.IsIncreasing(t, all)
}
