package emulator

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	kit "github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/exchange"
)

const entities = "/api/v100/rest/spaces/" + spaceID + "/entities/"

// client calls a started emulator with its key.
type client struct {
	t      *testing.T
	server *kit.Server
}

func start(t *testing.T, seeded int, switches map[string]string) *client {
	t.Helper()
	server, err := kit.Start(Definition, kit.Options{Seed: seeded, Switches: switches})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	return &client{t, server}
}

func (c *client) set(name, value string) {
	c.t.Helper()
	require.NoError(c.t, c.server.SetSwitch(name, value))
}

// answer is what came back, its body as an object when it is one.
type answer struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

func (a answer) data() map[string]any { m, _ := a.body["data"].(map[string]any); return m }

func (a answer) list() []map[string]any {
	list, _ := a.body["data"].([]any)
	var rows []map[string]any
	for _, item := range list {
		m, _ := item.(map[string]any)
		rows = append(rows, m)
	}
	return rows
}

func (c *client) do(req *http.Request) answer {
	c.t.Helper()
	res, err := http.DefaultClient.Do(req)
	require.NoError(c.t, err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(c.t, err)
	a := answer{status: res.StatusCode, header: res.Header, raw: string(raw)}
	_ = json.Unmarshal(raw, &a.body)
	return a
}

// call sends a request below entities/. body is a string or is made JSON.
func (c *client) call(method, path string, body any) answer {
	c.t.Helper()
	var reader io.Reader
	if text, ok := body.(string); ok {
		reader = strings.NewReader(text)
	} else if body != nil {
		raw, err := json.Marshal(body)
		require.NoError(c.t, err)
		reader = strings.NewReader(string(raw))
	}
	req, err := http.NewRequest(method, c.server.URL()+entities+path, reader)
	require.NoError(c.t, err)
	req.SetBasicAuth(username, password)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return c.do(req)
}

func (c *client) get(path string, params ...string) answer {
	c.t.Helper()
	query := url.Values{}
	for i := 0; i < len(params); i += 2 {
		query.Add(params[i], params[i+1])
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return c.call(http.MethodGet, path, nil)
}

// create makes a contact and returns its id.
func (c *client) create(fields map[string]any) string {
	c.t.Helper()
	body := map[string]any{"owner_id": firstOwner, "last_name": "Quill"}
	for key, value := range fields {
		body[key] = value
	}
	a := c.call("POST", "Contacts", body)
	require.Equal(c.t, 201, a.status, a.raw)
	return a.data()["id"].(string)
}

func contactID(i int) string { return makeID(contactIDs+i, contacts) }
func awkwardID(i int) string { return makeID(awkwardIDs+i, contacts) }

const unknownID = "ffffffff-0000-4000-8000-00000000dead"

type object = map[string]any

func TestEmulatorAnswersEveryDocumentedExchange(t *testing.T) {
	all, err := exchange.Load("../testdata/exchanges")
	require.NoError(t, err)
	cursor := func(id string) string { return base64.StdEncoding.EncodeToString([]byte(`["` + id + `"]`)) }
	vars := map[string]string{
		"space_id": spaceID, "contact_id": contactID(0), "second_contact_id": contactID(1), "unknown_id": unknownID,
		"protected_id": awkwardID(0), "archived_id": awkwardID(1), "deleted_id": awkwardID(2),
		"owner_id": firstOwner, "unit_id": makeID(unitIDs, salesUnits), "account_id": makeID(accountIDs, accounts),
		"account_relation_id": makeID(linkIDs, accountRelations), "tag_id": makeID(tagIDs, tags), "tag_relation_id": makeID(tagLinkIDs, tagRelations),
		"option_id": optionID(0, 0), "interest_id": optionID(1, 0), "note_id": makeID(noteIDs, notes), "email": "contact1@example.com",
		"cursor": cursor(contactID(0)), "last_cursor": cursor(awkwardID(6)),
	}
	for _, e := range all {
		t.Run(e.Name, func(t *testing.T) {
			if e.Switches["fault"] == "only" {
				t.Skip("only an injected fault answers so")
			}
			c := start(t, 30, e.Switches)
			req, err := e.NewRequest(c.server.URL(), vars)
			require.NoError(t, err)
			if e.Request.Headers["Authorization"] == "*" {
				req.SetBasicAuth(username, password)
			}
			a := c.do(req)
			assert.Empty(t, e.CheckAnswer(a.status, a.header, []byte(a.raw), vars))
		})
	}
}

func TestContextHasTheKeysOfAnAccount(t *testing.T) {
	c := start(t, 1, nil)
	assert.Equal(t, object{
		"service_url": serviceURL, "space_id": spaceID, "username": username, "password": password, "base_url": c.server.URL(),
	}, c.server.Context())
}

func TestOnlyTheKeyOfTheSpaceIsAccepted(t *testing.T) {
	c := start(t, 1, nil)
	basic := func(text string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(text)) }
	for name, header := range map[string]string{
		"none": "", "wrong password": basic(username + ":no"), "wrong user": basic("no:" + password), "empty halves": basic(":"),
		"no colon": basic(username), "not base64": "Basic %%%", "bearer": "Bearer " + password, "halves swapped": basic(password + ":" + username),
	} {
		req, err := http.NewRequest("GET", c.server.URL()+entities+"Contacts", nil)
		require.NoError(t, err)
		if header != "" {
			req.Header.Set("Authorization", header)
		}
		a := c.do(req)
		assert.Equal(t, 401, a.status, name)
		assert.Equal(t, false, a.body["success"], name)
	}
	req, err := http.NewRequest("GET", c.server.URL()+entities+"Contacts", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "basic "+base64.StdEncoding.EncodeToString([]byte(username+":"+password)))
	assert.Equal(t, 200, c.do(req).status, "the scheme's case does not matter")
}

func TestAnotherSpaceIsRefusedAsTheSwitchSays(t *testing.T) {
	c := start(t, 1, nil)
	for value, want := range map[string]int{"401": 401, "403": 403, "404": 404} {
		c.set("wrong_space", value)
		req, err := http.NewRequest("GET", c.server.URL()+"/api/v100/rest/spaces/xx_Other/entities/Contacts", nil)
		require.NoError(t, err)
		req.SetBasicAuth(username, password)
		assert.Equal(t, want, c.do(req).status)
	}
}

func TestResetBringsTheSeedBack(t *testing.T) {
	c := start(t, 12, nil)
	before := c.get("Contacts", "first", "100").raw
	c.set("second_delete", "200")
	require.Equal(t, 200, c.call("DELETE", "Contacts/"+contactID(0), nil).status)
	c.create(nil)
	require.NotEqual(t, before, c.get("Contacts", "first", "100").raw)
	c.server.Reset()
	assert.Equal(t, before, c.get("Contacts", "first", "100").raw)
	require.Equal(t, 200, c.call("DELETE", "Contacts/"+contactID(0), nil).status)
	assert.Equal(t, 404, c.call("DELETE", "Contacts/"+contactID(0), nil).status)
}

func TestSeedZeroHasNoContactsButEverythingElse(t *testing.T) {
	c := start(t, 0, nil)
	a := c.get("Contacts", "include-deleted", "true")
	assert.Equal(t, object{"success": true, "total": 0.0, "data": []any{}, "page_info": object{
		"start_cursor": nil, "end_cursor": nil, "has_previous_page": false, "has_next_page": false,
	}}, a.body)
	for _, name := range []string{"Accounts", "Clients", "SalesUnits", "ContactTypes", "AccountTypes", "Tags", "Fields", "Data"} {
		assert.NotEmpty(t, c.get(name).list(), name)
	}
	c.create(nil)
	assert.Len(t, c.get("Contacts").list(), 1)
}

func TestFirstTenContactsAreFullAndPlain(t *testing.T) {
	c := start(t, 30, nil)
	rows := c.get("Contacts", "first", "10", "expand", "primary_account").list()
	require.Len(t, rows, 10)
	for i, r := range rows {
		p := kit.PersonAt(i)
		assert.Equal(t, []any{contactID(i), p.First, p.Last, p.First + " " + p.Last, p.Email, p.Phone, p.JobTitle, p.City},
			[]any{r["id"], r["first_name"], r["last_name"], r["formatted_name"], r["email1"], r["phone1"], r["account_position"], r["city"]})
		assert.Equal(t, p.Company, r["primary_account"].(object)["name"])
	}
}

func TestManyCallersAtOnceDoNotRace(t *testing.T) {
	c := start(t, 20, nil)
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for i := range 10 {
				id := c.create(object{"first_name": fmt.Sprint(n, i), "tags": []object{{"tag_id": makeID(tagIDs, tags)}}})
				assert.Equal(t, 200, c.call("PATCH", "Contacts/"+id, object{"city": "Cork"}).status)
				assert.Equal(t, 200, c.get("Contacts", "expand", "tags.tag", "order-by", "-modified").status)
				assert.Equal(t, 200, c.call("DELETE", "Contacts/"+id, nil).status)
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, 26, c.get("Contacts").body["total"])
}

func TestNoRequestBreaksTheServer(t *testing.T) {
	c := start(t, 12, nil)
	deep := strings.Repeat("[", 200_000)
	bodies := []string{
		"", "{", "null", "1", `"x"`, "[]", "[null]", "[[1]]", `[{"id":7}]`, "{}", `{"owner_id":{}}`, `{"tags":{}}`, `{"tags":[1]}`, `{"tags":[{}]}`,
		`{"account_relations":[{"id":null}]}`, `{"master":[]}`, `{"master":{"id":1},"secondary_ids":[{}]}`, `{"revision":"x","created":7}`,
		`{"owner_id":"` + firstOwner + `","last_name":"x","gender":1e400,"cf_interests":[{}],"account_position":{},"primary_account_relationship":[]}`,
		deep, "\x00\xff", `{"data_set":[{"option_name":[]}],"type_id":5}`,
	}
	paths := []string{
		"Contacts", "Contacts/", "Contacts//", "Contacts/..", "Contacts/%2e%2e", "Contacts/a%2Fb", "Contacts/%00", "Contacts/" + contactID(0), "Contacts/" + contactID(0) + "/",
		"Contacts/batch-modify", "Contacts/batch-delete", "Contacts/batch-restore", "Contacts/merge", "Clients/merge", "Fields", "Fields/" + makeID(fieldIDs, fieldRows),
		"TagRelations", "ContactAccountRelations", "Notes", "", "/", "%2F", "nosuch", "Contacts/" + strings.Repeat("x", 5000),
		"Contacts?first=-1", "Contacts?first=" + strings.Repeat("9", 400), "Contacts?after=%ff", "Contacts?after=W10=", "Contacts?after=WzFd", "Contacts?filter%5Bcreated%5D=x",
		"Contacts?filter[=1&filter]=2&filter-op[]=3", "Contacts?expand=" + strings.Repeat("account_relations.contact.", 40) + "owner", "Contacts?%zz=1;2",
		"Contacts?order-by=-,,--,x", "Contacts?offset=-1", "Contacts?limit=0", "Contacts?last=0&before=x", "Contacts?load-only=.,..", "Contacts?filter[id]=" + strings.Repeat("a", 9000),
		"Contacts?order-by=cf_interests&first=2", "Contacts?filter[cf_interests]=x&filter-op[cf_interests]=gt",
	}
	for _, method := range []string{"GET", "POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS", "TRACE"} {
		for _, path := range paths {
			for _, body := range bodies {
				if (method == "GET" || method == "DELETE") && body != "" {
					continue
				}
				req, err := http.NewRequest(method, c.server.URL(), strings.NewReader(body))
				require.NoError(t, err)
				req.URL.Opaque = "//" + req.URL.Host + entities + path
				req.SetBasicAuth(username, password)
				req.Header.Set("Content-Type", "application/json")
				a := c.do(req)
				if a.status >= 500 {
					t.Errorf("%s %.100s with %.60q answers %d: %.200s", method, path, body, a.status, a.raw)
				}
			}
		}
	}
	req, err := http.NewRequest("OPTIONS", c.server.URL(), nil)
	require.NoError(t, err)
	req.URL.Opaque = "*"
	assert.Less(t, c.do(req).status, 500)
}
