package emulator

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// listed is how many contacts of the seed a list shows: two of the nine
// awkward ones, the restricted and the deleted one, are not in it.
func listed(seed int) int { return seed + 7 }

func TestPagesHoldEveryContactOnceInAscendingOrder(t *testing.T) {
	c := newClient(t, 30, nil)
	seen := []string{}
	pages := 0
	for skip := 0; ; skip += 10 {
		page := c.list(fmt.Sprintf("/Contacts?skip=%d&top=10", skip))
		pages++
		seen = append(seen, ids(page)...)
		if len(page) < 10 {
			break
		}
	}
	assert.Equal(t, 4, pages)
	assert.Len(t, seen, listed(30))
	assert.IsIncreasing(t, seen)
	assert.Empty(t, c.list("/Contacts?skip=1000"))
}

func TestTopIsAHundredByDefaultAndClampedAtFiveHundred(t *testing.T) {
	c := newClient(t, 600, nil)
	assert.Len(t, c.list("/Contacts"), 100)
	assert.Len(t, c.list("/Contacts?top=12000"), 500)
	require.NoError(t, c.env.SetSwitch("top_over_max", "400"))
	assert.Equal(t, 400, c.do("GET", "/Contacts?top=501", "").status)
	assert.Len(t, c.list("/Contacts?top=500"), 500)
}

func TestTheTotalIsAHeaderAndOnlyOnRequest(t *testing.T) {
	c := newClient(t, 30, nil)
	assert.Empty(t, c.do("GET", "/Contacts?top=1", "").header.Get("X-Total-Count"))
	for _, value := range []string{"true", "True"} {
		assert.Equal(t, fmt.Sprint(listed(30)), c.do("GET", "/Contacts?top=1&count_total="+value, "").header.Get("X-Total-Count"))
	}
	assert.Equal(t, "2", c.do("GET", "/Contacts/Search?field_name=EMAIL_ADDRESS&field_value=shared@example.com&top=1&count_total=true", "").header.Get("X-Total-Count"))
}

func TestBriefDropsCollectionsAndETag(t *testing.T) {
	c := newClient(t, 1, nil)
	full, brief := c.list("/Contacts?top=1")[0], c.list("/Contacts?top=1&brief=true")[0]
	assert.Equal(t, []string{"CUSTOMFIELDS", "TAGS", "DATES", "LINKS", "ETag"}, full.Keys()[brief.Len():])
	assert.Equal(t, full.Keys()[:brief.Len()], brief.Keys())
}

func TestWrongParametersAreRefused(t *testing.T) {
	c := newClient(t, 1, nil)
	for _, query := range []string{
		"top=abc", "top=0", "top=-1", "skip=-1", "skip=x", "skip=1.5", "top=99999999999", "brief=yes", "count_total=1",
	} {
		assert.Equal(t, 400, c.do("GET", "/Contacts?"+query, "").status, query)
	}
	for _, query := range []string{
		"field_name=NO_SUCH&field_value=x", "field_name=first_name&field_value=Ada", "field_name=No_Such__c&field_value=x",
		"field_name=FIRST_NAME", "field_value=Ada", "field_name=FIRST_NAME&field_value=", "field_name=TAGS&field_value=vip",
		"field_name=ORGANISATION_ID&field_value=abc", "field_name=EMAIL_OPTED_OUT&field_value=1",
		"field_name=DATE_OF_BIRTH&field_value=1960-01-01%2000:00:00",
		"updated_after_utc=2024-04-09%2016:58:14", "updated_after_utc=yesterday", "updated_after_utc=2024-04-09",
		"updated_after_utc=2024-04-09T16:58:14+02:00", // an unescaped plus is a blank
	} {
		assert.Equal(t, 400, c.do("GET", "/Contacts/Search?"+query, "").status, query)
	}
	assert.Equal(t, 400, c.do("GET", "/Contacts/SearchByTag", "").status)
	assert.Equal(t, 400, c.do("GET", "/Contacts/SearchByTag?tag_name=vip", "").status)
}

func TestThePlainListIgnoresFiltersUnlessTheSwitchRefusesThem(t *testing.T) {
	c := newClient(t, 5, nil)
	const filtered = "/Contacts?updated_after_utc=2099-01-01T00:00:00Z&field_name=FIRST_NAME&field_value=Ada"
	assert.Len(t, c.list(filtered), listed(5))
	require.NoError(t, c.env.SetSwitch("unknown_query", "400"))
	assert.Equal(t, 400, c.do("GET", filtered, "").status)
	assert.Len(t, c.list("/Contacts?brief=true&skip=0&top=100&count_total=true"), listed(5))
	assert.Empty(t, c.list("/Contacts/Search?updated_after_utc=2099-01-01T00:00:00Z"))
}

func TestSearchComparesOneFieldExactly(t *testing.T) {
	c := newClient(t, 30, nil)
	search := func(name, value string) int {
		return len(c.list("/Contacts/Search?field_name=" + name + "&field_value=" + url.QueryEscape(value)))
	}
	for _, tt := range []struct {
		name, value string
		want        int
	}{
		{"EMAIL_ADDRESS", "contact1@example.com", 1},
		{"EMAIL_ADDRESS", "contact1", 0},
		{"EMAIL_ADDRESS", "CONTACT1@example.com", 0},
		{"EMAIL_ADDRESS", "shared@example.com", 2},
		{"EMAIL_ADDRESS", "bea.binned@example.com", 0},
		{"FIRST_NAME", "Rhea", 0},
		{"CONTACT_ID", "312345001", 1},
		{"ORGANISATION_ID", "145999999", 1},
		{"EMAIL_OPTED_OUT", "true", 0},
		{"DATE_OF_BIRTH", "1960-01-01T00:00:00Z", 1},
		{"Region__c", "nowhere", 0},
		{"Score__c", "3.5", 1},
		{"Renewal__c", "2025-01-15T00:00:00Z", 3},
	} {
		assert.Equal(t, tt.want, search(tt.name, tt.value), "%s=%s", tt.name, tt.value)
	}
	assert.Positive(t, search("Newsletter__c", "true"))
	require.NoError(t, c.env.SetSwitch("search_case", "ignore"))
	assert.Equal(t, 1, search("EMAIL_ADDRESS", "CONTACT1@example.com"))
}

func TestUpdatedAfterIsExclusiveToTheSecond(t *testing.T) {
	c := newClient(t, 10, nil)
	stamp := c.list("/Contacts?top=10")[9].Text("DATE_UPDATED_UTC")
	at, err := time.Parse(stampForm, stamp)
	require.NoError(t, err)
	after := func(at time.Time) int {
		return len(c.list("/Contacts/Search?updated_after_utc=" + at.Format("2006-01-02T15:04:05Z")))
	}
	assert.Equal(t, 0, after(at))
	assert.Equal(t, 1, after(at.Add(-time.Second)))
	assert.Len(t, c.list("/Contacts/Search?updated_after_utc=2024-01-01T00:00:00%2B02:00"), listed(10))
	assert.Len(t, c.list("/Contacts/Search"), listed(10))
}

func TestSearchByTagFindsTheCarriers(t *testing.T) {
	c := newClient(t, 10, nil)
	assert.Len(t, c.list("/Contacts/SearchByTag?tagName=vip"), 5)
	assert.Len(t, c.list("/Contacts/SearchByTag?tagName=two+words"), 1)
	assert.Empty(t, c.list("/Contacts/SearchByTag?tagName=VIP"))
	assert.Len(t, c.list("/Organisations/SearchByTag?tagName=customer"), 4)
	assert.Equal(t, 404, c.do("GET", "/Notes/SearchByTag?tagName=vip", "").status)
}

func TestTheFirstTenContactsAreFullAndPlain(t *testing.T) {
	c := newClient(t, 30, nil)
	for i, contact := range c.list("/Contacts?top=10") {
		person := kit.PersonAt(i)
		assert.Equal(t, json.Number(fmt.Sprint(firstContact+i)), contact.Get("CONTACT_ID"))
		assert.Equal(t, person.First, contact.Text("FIRST_NAME"))
		assert.Equal(t, person.Last, contact.Text("LAST_NAME"))
		assert.Equal(t, person.Email, contact.Text("EMAIL_ADDRESS"))
		assert.Equal(t, person.Created.Format(stampForm), contact.Text("DATE_CREATED_UTC"))
		for _, key := range []string{"PHONE", "PHONE_MOBILE", "TITLE", "ADDRESS_MAIL_STREET", "ORGANISATION_ID", "ETag"} {
			assert.NotNil(t, contact.Get(key), key)
		}
		organisation := c.object(200, "GET", fmt.Sprintf("/Organisations/%s", contact.Get("ORGANISATION_ID")), "")
		assert.Equal(t, person.Company, organisation.Text("ORGANISATION_NAME"))
	}
}

func TestTheSeedIsTheSameEveryTime(t *testing.T) {
	assert.Equal(t, newClient(t, 30, nil).do("GET", "/Contacts", "").body, newClient(t, 30, nil).do("GET", "/Contacts", "").body)
	assert.Equal(t,
		newClient(t, 3, nil).do("GET", "/Contacts/312900001", "").body,
		newClient(t, 30, nil).do("GET", "/Contacts/312900001", "").body)
}

func TestAnEmptySeedKeepsEverythingButContacts(t *testing.T) {
	c := newClient(t, 0, nil)
	assert.Equal(t, "[]", string(c.do("GET", "/Contacts", "").body))
	assert.Equal(t, "[]", string(c.do("GET", "/Notes", "").body))
	assert.Equal(t, 404, c.do("GET", "/Contacts/312900006", "").status)
	assert.Len(t, c.list("/Organisations"), 4)
	assert.Len(t, c.list("/Users"), 3)
	assert.Len(t, c.list("/CustomFields/Contacts"), 6)
	assert.Len(t, c.list("/Tags?record_type=contacts"), 2)
	assert.Equal(t, "313000001", c.create(`{"FIRST_NAME":"Ines"}`))
}

func TestTheAwkwardContactsAreAsTheReadmeSays(t *testing.T) {
	c := newClient(t, 1, nil)
	get := func(id int) *kit.Object { return c.object(200, "GET", fmt.Sprintf("/Contacts/%d", id), "") }
	cora := get(312900001)
	assert.Len(t, cora.Get("LINKS"), 2)
	assert.Len(t, cora.Get("TAGS"), 5)
	assert.Len(t, c.list("/Contacts/312900001/Notes"), 1)
	assert.Equal(t, "0000-00-00 00:00:00", get(312900002).Text("DATE_OF_BIRTH"))
	assert.Equal(t, "", get(312900002).Get("LAST_ACTIVITY_DATE_UTC"))
	assert.Nil(t, get(312900003).Get("FIRST_NAME"))
	assert.Empty(t, get(312900003).Get("CUSTOMFIELDS"))
	assert.Equal(t, 404, c.do("GET", "/Organisations/"+string(get(312900004).Get("ORGANISATION_ID").(json.Number)), "").status)
	assert.Equal(t, 403, c.do("GET", "/Contacts/312900005", "").status)
	assert.Equal(t, 417, c.do("DELETE", "/Contacts/312900006", "").status)
	get(312900006)
	assert.Equal(t, 404, c.do("GET", "/Contacts/312900007", "").status)
	assert.Equal(t, get(312900008).Text("EMAIL_ADDRESS"), get(312900009).Text("EMAIL_ADDRESS"))
}

func TestLookupsAnswer(t *testing.T) {
	c := newClient(t, 1, nil)
	assert.Equal(t, json.Number("1067519"), c.object(200, "GET", "/Users/me", "").Get("USER_ID"))
	assert.Equal(t, "Pavel", c.object(200, "GET", "/Users/1067520", "").Text("FIRST_NAME"))
	assert.Equal(t, "No User with ID = 5", string(c.do("GET", "/Users/5", "").body))
	assert.Equal(t, 400, c.do("GET", "/Users/abc", "").status)
	assert.Len(t, c.list("/Users/Search?field_name=ACTIVE&field_value=false"), 1)
	assert.Len(t, c.list("/Users?top=2"), 2)
	assert.Equal(t, "Score__c", c.object(200, "GET", "/CustomFields/contacts/Search?field_name=Score__c", "").Text("FIELD_NAME"))
	assert.Len(t, c.list("/CustomFields/Organisations"), 1)
	assert.Len(t, c.list("/Relationships"), 2)
	assert.Empty(t, c.list("/Tags?record_type=leads"))
	for _, path := range []string{"/Tags", "/Tags?record_type=contact", "/CustomFields/Nothing", "/CustomFields/Contacts/Search?fieldName=x"} {
		assert.Equal(t, 400, c.do("GET", path, "").status, path)
	}
	assert.Equal(t, 405, c.do("POST", "/Users", "{}").status)
}

func TestAnswersAreGzippedForClientsThatTakeIt(t *testing.T) {
	c := newClient(t, 1, nil)
	r := c.do("GET", "/Instance", "", "Accept-Encoding", "deflate, gzip;q=1.0")
	require.Equal(t, "gzip", r.header.Get("Content-Encoding"))
	plain := c.do("GET", "/Instance", "")
	assert.Empty(t, plain.header.Get("Content-Encoding"))
	assert.Empty(t, c.do("GET", "/Instance", "", "Accept-Encoding", "gzip;q=0").header.Get("Content-Encoding"))
	server, err := kit.Start(Definition, kit.Options{Seed: 1})
	require.NoError(t, err)
	defer server.Close()
	req, err := http.NewRequest("GET", server.URL()+"/v3.1/Instance", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", goodAuthorization)
	req.Header.Set("Accept-Encoding", "gzip")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	unpacked, err := gzip.NewReader(res.Body)
	require.NoError(t, err)
	body, err := io.ReadAll(unpacked)
	require.NoError(t, err)
	assert.Equal(t, string(plain.body), string(body))
}

func TestPathsAreMatchedSegmentBySegment(t *testing.T) {
	for _, tt := range []struct {
		method, target string
		want           int
	}{
		{"GET", "/v3.1/contacts/312345001", 200},
		{"GET", "/V3.1/CONTACTS/312345001", 200},
		{"GET", "/v3.1/Contacts/", 200},
		{"GET", "/v3.1/Contacts/312345001/", 200},
		{"DELETE", "/v3.1/Contacts/", 405},
		{"DELETE", "/v3.1/Contacts", 405},
		{"PUT", "/v3.1/Contacts/312345001", 405},
		{"PATCH", "/v3.1/Contacts/312345001", 405},
		{"POST", "/v3.1/Contacts/312345001", 405},
		{"POST", "/v3.1/Notes", 405},
		{"GET", "/v3.1/Contact", 405},
		{"GET", "/v3.1/Organisation/145678901", 405},
		{"GET", "/v3.1/Tickets", 405},
		{"GET", "/v3.1/Organizations", 404},
		{"GET", "/v3.1/Nothing", 404},
		{"GET", "/v3.1", 404},
		{"GET", "/", 404},
		{"GET", "/Contacts", 404},
		{"GET", "/v2.1/Contacts", 404},
		{"GET", "/v3.1//Contacts", 404},
		{"GET", "//v3.1/Contacts", 404},
		{"GET", "/v3.1/Contacts//", 400},
		{"GET", "/v3.1/Contacts/..", 400},
		{"GET", "/v3.1/Contacts/../Users/Me", 404},
		{"GET", "/v3.1/Contacts/abc", 400},
		{"GET", "/v3.1/Contacts/1.5", 400},
		{"GET", "/v3.1/Contacts/99999999999999999999", 400},
		{"GET", "/v3.1/Contacts/312345001%2FTags", 400},
		{"DELETE", "/v3.1/Contacts/312345001%2F..%2F312345002", 400},
		{"GET", "/v3.1/Contacts/%20", 400},
		{"GET", "/v3.1/Contacts/-1", 404},
		{"GET", "/v3.1/Contacts/0", 404},
		{"GET", "/v3.1/Contacts/312345001/Nothing", 404},
		{"GET", "/v3.1/Contacts/312345001/Tags/1", 404},
		{"GET", "/v3.1/Contacts/312345001/Emails", 200},
		{"POST", "/v3.1/Contacts/312345001/Tasks", 405},
		{"DELETE", "/v3.1/Contacts/Search", 405},
		{"HEAD", "/v3.1/Contacts", 405},
	} {
		t.Run(tt.method+" "+tt.target, func(t *testing.T) {
			c := newClient(t, 1, nil)
			r := httptest.NewRequest(tt.method, "http://emulator.test"+tt.target, nil)
			r.Header.Set("Authorization", goodAuthorization)
			assert.Equal(t, tt.want, c.send(r).status)
		})
	}
}
