package main_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// provider is what the contract leaves to each vendor.
type provider struct {
	slug string
	// first is the id of the first seeded contact.
	first string
	// contacts is how many the sandbox lists.
	contacts int
	// unknown fits the id pattern and names nobody.
	unknown string
	// malformed cannot be an id of this provider.
	malformed []string
	// deleteCalls are the vendor's routes that one delete costs, "{id}" for the id.
	deleteCalls []string
	// deleteBody is the vendor's body of a delete, "{id}" for the id; empty for none.
	deleteBody string
	// path is the vendor's route of one contact.
	path string
}

func (p provider) fill(text, id string) string { return strings.ReplaceAll(text, "{id}", id) }

// hostileIDs are refused for every provider, as escaped path segments.
var hostileIDs = []string{"%20", "a%2Fb", "..%2Fcontacts", "%2E%2E", "%2e", "a%3Fb", "a%23b", "a%25b", "1%00", "1%0d%0aX-Evil:1", "%F0%9F%92%A9", strings.Repeat("9", 300)}

var providers = []provider{
	{
		slug: "freshsales", first: "70011223344", contacts: 33, unknown: "123456789", malformed: []string{"abc", "0", "-1", "1.5", "01"},
		path: "/crm/sales/api/contacts/{id}", deleteCalls: []string{"DELETE /crm/sales/api/contacts/{id}"}, deleteBody: `true`,
	},
	{
		slug: "insightly", first: "312345001", contacts: 37, unknown: "123456789", malformed: []string{"abc", "0", "-1", "1.5", "01"},
		path: "/v3.1/Contacts/{id}", deleteCalls: []string{"DELETE /v3.1/Contacts/{id}"},
	},
	{
		slug: "pipeliner", first: "01900000-0328-fe7a-769f-715e471bd25f", contacts: 36, unknown: "00000000-0000-4000-8000-00000000ffff", malformed: []string{"abc", "1", "01a2b3c4-1111-4222-8333-0123456789a", "01a2b3c4-1111-4222-8333-0123456789abc"},
		path: "/api/v100/rest/spaces/em_Demo/entities/Contacts/{id}", deleteCalls: []string{"DELETE /api/v100/rest/spaces/em_Demo/entities/Contacts/{id}"}, deleteBody: `{"success":true,"data":"{id}"}`,
	},
	{
		slug: "planhat", first: "659cfd00e3f4051627000001", contacts: 38, unknown: "00000000e3f4051627ffffff", malformed: []string{"abc", "1", "659cfd00e3f405162700000", "659cfd00e3f40516270000011", "659cfd00e3f405162700000g", "extid-1"},
		path: "/endusers/{id}", deleteCalls: []string{"DELETE /endusers/{id}"}, deleteBody: `{"n":1,"ok":1,"deletedCount":1}`,
	},
	{
		slug: "wix", first: "3f2c1a10-0000-4000-8000-000000000001", contacts: 34, unknown: "00000000-0000-4000-8000-00000000ffff", malformed: []string{"abc", "1", "3f2c1a10-0000-4000-8000-00000000000", "3f2c1a10000040008000000000000001", "{3f2c1a10-0000-4000-8000-000000000001}"},
		path: "/contacts/v4/contacts/{id}", deleteCalls: []string{"DELETE /contacts/v4/contacts/{id}"}, deleteBody: `{}`,
	},
	{
		slug: "zendesksell", first: "400001", contacts: 38, unknown: "123456789", malformed: []string{"abc", "0", "-1", "1.5", "01"},
		path: "/v2/contacts/{id}", deleteCalls: []string{"GET /v2/contacts/{id}", "DELETE /v2/contacts/{id}"},
	},
}

// installed are the providers that were built.
func installed(t testing.TB) []provider {
	t.Helper()
	var found []provider
	for _, p := range providers {
		if _, err := os.Stat(filepath.Join("..", "bin", "plugins", "unicrm-provider-"+p.slug)); err == nil {
			found = append(found, p)
		}
	}
	require.Len(t, found, len(providers), "run `make build` first; `make test` does")
	return found
}

// TestContacts runs the same cases against all providers.
func TestContacts(t *testing.T) {
	all := installed(t)
	_, c := sandbox(t, "--request-timeout", "4s")
	cases := []struct {
		name string
		run  func(*testing.T, *client, provider)
	}{
		{"the list gives every contact once, whatever the page size", listsEverything},
		{"get gives what the list gives", getsOne},
		{"delete answers the id, a second one 404, and the list no longer shows it", deletesOnce},
		{"an unknown id is the vendor's 404", unknownID},
		{"an id that cannot be is 404 without a vendor call", malformedIDs},
		{"a company or nobody's id is never deleted through an empty id", emptyID},
		{"formats", formats},
		{"golden answers", goldenAnswers},
		{"remote_query reaches the vendor on every method", remoteQuery},
		{"vendor errors keep their status in every body shape", vendorErrors},
		{"the connection breaks before, during and after a delete", cutDeletes},
		{"the connection breaks on reads", cutReads},
		{"the vendor does not answer in time", vendorTimeouts},
		{"the vendor's rate limit", rateLimits},
		{"cursors belong to their account and query", cursors},
		{"nothing secret is printed", secrets},
		{"the vendor answers far too much", tooMuch},
	}
	for _, p := range all {
		t.Run(p.slug, func(t *testing.T) {
			t.Parallel() // each has an emulator of its own
			for _, test := range cases {
				t.Run(test.name, func(t *testing.T) {
					own := *c
					own.t = t
					own.reset(p.slug)
					test.run(t, &own, p)
				})
			}
		})
	}
}

func listsEverything(t *testing.T, c *client, p provider) {
	for _, limit := range []string{"1", "7", "50", "1000"} {
		ids := c.ids(p.slug, "truto_ignore_remote_data=true&limit="+limit)
		assert.Len(t, ids, p.contacts, "limit=%s", limit)
		unique := slices.Compact(slices.Sorted(slices.Values(ids)))
		assert.Len(t, unique, len(ids), "limit=%s gives some twice", limit)
	}
	page := c.contacts(http.MethodGet, p.slug, "", "limit=3").json(t)
	assert.EqualValues(t, "3", page["result_count"].(json.Number).String())
	assert.Contains(t, page, "prev_cursor")
	assert.Equal(t, false, page["is_partial_response"])
	for _, query := range []string{"limit=0", "limit=1001", "limit=-1", "limit=x", "limit=", "limit=1&limit=2", "limit[]=1", "limit=01", "truto_exclude_fields=id", "sort_by=name", "sort_by[name]=up", "sort_by[title2]=asc", "created_at[foo]=1", "created_at[gte]=yesterday", "first_name[x]=1", "email_addresses=x", "next_cursor=", "next_cursor=abc", "next_cursor=%00"} {
		requireError(t, c.contacts(http.MethodGet, p.slug, "", query), 400, "invalid_parameter")
	}
}

func getsOne(t *testing.T, c *client, p provider) {
	list := c.contacts(http.MethodGet, p.slug, "", "limit=5").json(t)["result"].([]any)
	for _, item := range list {
		fromList := item.(map[string]any)
		got := c.contacts(http.MethodGet, p.slug, fromList["id"].(string), "").json(t)
		assert.Equal(t, fromList["id"], got["id"])
		for _, name := range []string{"first_name", "last_name", "name", "email_addresses", "phone_numbers", "created_at", "account", "owner", "tags"} {
			assert.Equal(t, fromList[name], got[name], name)
		}
		require.IsType(t, map[string]any{}, got["remote_data"])
	}
}

func deletesOnce(t *testing.T, c *client, p provider) {
	c.forgetCalls(p.slug)
	deleted := c.contacts(http.MethodDelete, p.slug, p.first, "")
	require.Equal(t, 200, deleted.status, "%s", deleted)
	want := map[string]any{"id": p.first}
	if p.deleteBody != "" {
		var remote any
		require.NoError(t, json.Unmarshal([]byte(p.fill(p.deleteBody, p.first)), &remote))
		want["remote_data"] = remote
	}
	var got map[string]any
	require.NoError(t, json.Unmarshal(deleted.body, &got))
	assert.Equal(t, want, got)
	var calls, wantCalls []string
	for _, call := range c.calls(p.slug) {
		calls = append(calls, call.Method+" "+call.Path)
	}
	for _, call := range p.deleteCalls {
		wantCalls = append(wantCalls, p.fill(call, p.first))
	}
	assert.Equal(t, wantCalls, calls, "what one delete costs")

	second := c.contacts(http.MethodDelete, p.slug, p.first, "")
	body := requireError(t, second, 404, "record_not_found")
	assert.Equal(t, true, body["truto_is_remote_error"])
	requireError(t, c.contacts(http.MethodGet, p.slug, p.first, ""), 404, "record_not_found")
	assert.NotContains(t, c.ids(p.slug, ""), p.first)
}

func unknownID(t *testing.T, c *client, p provider) {
	for _, method := range []string{http.MethodGet, http.MethodDelete} {
		body := requireError(t, c.contacts(method, p.slug, p.unknown, ""), 404, "record_not_found")
		assert.Equal(t, true, body["truto_is_remote_error"])
		insight := body["truto_error_insight"].(map[string]any)
		assert.Contains(t, insight, "remote_error")
	}
}

func malformedIDs(t *testing.T, c *client, p provider) {
	c.forgetCalls(p.slug)
	for _, id := range append(slices.Clone(p.malformed), hostileIDs...) {
		for _, method := range []string{http.MethodGet, http.MethodDelete} {
			body := requireError(t, c.contacts(method, p.slug, id, ""), 404, "invalid_id")
			assert.NotContains(t, body, "truto_is_remote_error")
		}
	}
	assert.Empty(t, c.calls(p.slug), "the vendor was asked")
}

func emptyID(t *testing.T, c *client, p provider) {
	c.forgetCalls(p.slug)
	account := "?integrated_account_id=" + c.sandbox.Providers[p.slug].AccountID
	requireError(t, c.send(http.MethodDelete, "/unified/crm/contacts/"+account, ""), 404, "invalid_id")
	refused := c.send(http.MethodDelete, "/unified/crm/contacts"+account, "")
	requireError(t, refused, 405, "method_not_allowed")
	assert.Equal(t, "GET, POST", refused.header.Get("Allow"))
	requireError(t, c.send(http.MethodDelete, "/unified/crm//contacts/"+p.first+account, ""), 404, "route_not_found")
	requireError(t, c.send(http.MethodDelete, "/unified/crm/contacts/x/../"+p.first+account, ""), 404, "route_not_found")
	assert.Empty(t, c.calls(p.slug), "the vendor was asked")
}

func formats(t *testing.T, c *client, p provider) {
	unified := c.contacts(http.MethodGet, p.slug, p.first, "truto_response_format=unified").json(t)
	normalized := c.contacts(http.MethodGet, p.slug, p.first, "truto_response_format=normalized").json(t)
	for _, field := range []string{"id", "first_name", "last_name", "name", "title", "account", "owner", "addresses", "email_addresses", "phone_numbers", "urls", "tags", "custom_fields", "last_activity_at", "created_at", "updated_at", "etag", "remote_data"} {
		assert.Contains(t, normalized, field)
	}
	assert.Equal(t, unified["remote_data"], normalized["remote_data"])

	bare := c.contacts(http.MethodGet, p.slug, p.first, "truto_ignore_remote_data=true&truto_exclude_fields[]=email_addresses&truto_exclude_fields%5B%5D=custom_fields&truto_exclude_fields[0]=tags&truto_exclude_fields=title,name").json(t)
	for _, field := range []string{"remote_data", "email_addresses", "custom_fields", "tags", "title", "name"} {
		assert.NotContains(t, bare, field)
	}
	assert.Contains(t, bare, "first_name")
	list := c.contacts(http.MethodGet, p.slug, "", "limit=2&truto_ignore_remote_data=true").json(t)
	for _, item := range list["result"].([]any) {
		assert.NotContains(t, item, "remote_data")
	}

	c.forgetCalls(p.slug)
	raw := c.contacts(http.MethodGet, p.slug, p.first, "truto_response_format=raw")
	require.Equal(t, 200, raw.status)
	assert.Contains(t, raw.header.Get("Content-Type"), "application/json")
	rawList := c.contacts(http.MethodGet, p.slug, "", "truto_response_format=raw&limit=2")
	require.Equal(t, 200, rawList.status)
	require.True(t, json.Valid(rawList.body))
	next := rawList.header.Get("Unicrm-Next-Cursor")
	require.NotEmpty(t, next)
	assert.Equal(t, 200, c.contacts(http.MethodGet, p.slug, "", "truto_response_format=raw&limit=2&next_cursor="+next).status)
	deleted := c.contacts(http.MethodDelete, p.slug, p.first, "truto_response_format=raw")
	if p.deleteBody == "" {
		assert.Equal(t, 204, deleted.status)
		assert.Empty(t, deleted.body)
	} else {
		assert.Equal(t, 200, deleted.status)
		assert.JSONEq(t, p.fill(p.deleteBody, p.first), string(deleted.body))
	}
	requireError(t, c.contacts(http.MethodDelete, p.slug, p.first, "truto_response_format=raw"), 404, "record_not_found")

	for _, query := range []string{"truto_ignore_limit=true", "truto_body_passthrough=true", "truto_super_query=wnam", "truto_skip_api_call=true"} {
		requireError(t, c.contacts(http.MethodGet, p.slug, "", query), 400, "unsupported")
	}
	for _, query := range []string{"truto_response_format=xml", "truto_ignore_remote_data=1", "truto_exclude_fields[]=nonsense", "truto_exclude_fields[a]=id", "unknown=1", "remote_query=1", "remote_query[]=1", "remote_query[a=1", "a%zz=1"} {
		requireError(t, c.contacts(http.MethodGet, p.slug, "", query), 400, "invalid_parameter")
	}
	requireError(t, c.contacts(http.MethodGet, p.slug, p.first, "limit=1"), 400, "invalid_parameter")
	requireError(t, c.contacts(http.MethodDelete, p.slug, p.first, "first_name=x"), 400, "invalid_parameter")
}

// goldenAnswers holds whole answers: one contact in each format, a page of
// two, and a delete. UNICRM_UPDATE_GOLDEN=1 rewrites them.
func goldenAnswers(t *testing.T, c *client, p provider) {
	for name, get := range map[string]func() answer{
		"get.unified.json":    func() answer { return c.contacts(http.MethodGet, p.slug, p.first, "") },
		"get.normalized.json": func() answer { return c.contacts(http.MethodGet, p.slug, p.first, "truto_response_format=normalized") },
		"get.raw.json":        func() answer { return c.contacts(http.MethodGet, p.slug, p.first, "truto_response_format=raw") },
	} {
		got := get()
		require.Equal(t, 200, got.status, "%s", got)
		var pretty strings.Builder
		text := strings.ReplaceAll(string(got.body), c.sandbox.Providers[p.slug].EmulatorURL, "http://emulator.test")
		pretty.WriteString(indent(t, text))
		path := filepath.Join("testdata", "golden", p.slug, name)
		if os.Getenv("UNICRM_UPDATE_GOLDEN") != "" {
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
			require.NoError(t, os.WriteFile(path, []byte(pretty.String()), 0o644))
		}
		want, err := os.ReadFile(path)
		require.NoError(t, err, "UNICRM_UPDATE_GOLDEN=1 writes it")
		assert.Equal(t, string(want), pretty.String(), name)
	}
}

func remoteQuery(t *testing.T, c *client, p provider) {
	query := "remote_query[probe]=a%26b%3Dc%20%C3%A9&remote_query[deep][er][]=1&remote_query%5Bdeep%5D%5Ber%5D%5B%5D=2&remote_query[host]=evil.test&remote_query[..%2F..%2Fx]=%23"
	for _, request := range []struct{ method, id string }{{http.MethodGet, ""}, {http.MethodGet, p.first}, {http.MethodDelete, p.first}} {
		c.reset(p.slug)
		c.contacts(request.method, p.slug, request.id, query) // a strict vendor refuses it, which is its right
		var seen []emulatorCall
		for _, call := range c.calls(p.slug) {
			if strings.Contains(call.Query, "probe") {
				seen = append(seen, call)
			}
		}
		require.NotEmpty(t, seen, "%s %s: remote_query did not arrive", request.method, request.id)
		values, err := url.ParseQuery(seen[0].Query)
		require.NoError(t, err)
		assert.Equal(t, "a&b=c é", values.Get("probe"))
		assert.Equal(t, []string{"1", "2"}, values["deep[er][]"])
		assert.Equal(t, "evil.test", values.Get("host"))
		if request.id != "" {
			assert.Equal(t, p.fill(p.path, request.id), seen[0].Path, "the path is the provider's")
		}
	}
}

func vendorErrors(t *testing.T, c *client, p provider) {
	bodies := map[string]string{
		"json":  `{"message":"the vendor's own words"}`,
		"text":  `"no such luck"`,
		"html":  `"<html><body><h1>Runtime Error</h1></body></html>"`,
		"empty": `""`,
		"array": `["odd"]`,
	}
	reasons := map[int]string{400: "vendor_rejected", 401: "vendor_unauthenticated", 403: "vendor_forbidden", 404: "record_not_found", 409: "vendor_conflict", 422: "vendor_rejected", 428: "vendor_precondition", 429: "vendor_rate_limited", 500: "vendor_unavailable", 502: "vendor_unavailable", 503: "vendor_unavailable", 504: "vendor_unavailable"}
	for status, reason := range reasons {
		for shape, body := range bodies {
			contentType := map[string]string{"text": "text/plain", "html": "text/html"}[shape]
			if contentType == "" {
				contentType = "application/json"
			}
			for _, method := range []string{http.MethodGet, http.MethodDelete} {
				c.reset(p.slug)
				c.fault(p.slug, fmt.Sprintf(`{"fault":{"status":%d,"headers":{"Content-Type":%q,"Retry-After":"3600"},"body":%s},"times":-1}`, status, contentType, body))
				got := c.contacts(method, p.slug, p.first, "")
				e := requireError(t, got, status, reason)
				assert.Equal(t, true, e["truto_is_remote_error"], "%d %s", status, shape)
				switch shape {
				case "json":
					assert.Equal(t, map[string]any{"message": "the vendor's own words"}, e["raw_response"])
				case "text":
					assert.Equal(t, "no such luck", e["raw_response"])
				case "html":
					assert.Contains(t, e["raw_response"], "Runtime Error")
				case "empty":
					assert.NotContains(t, e, "raw_response")
				}
				if status == 429 {
					assert.Equal(t, "3600", got.header.Get("Retry-After"))
					assert.Contains(t, e["truto_error_insight"], "rate_limit_error")
				}
				if status == 403 {
					assert.Contains(t, e["truto_error_insight"], "forbidden_error")
				}
			}
		}
	}
}

func cutDeletes(t *testing.T, c *client, p provider) {
	cut := func(how string, times int) answer {
		c.reset(p.slug)
		c.fault(p.slug, fmt.Sprintf(`{"match":{"method":"DELETE"},"fault":{"cut":%q},"times":%d}`, how, times))
		return c.contacts(http.MethodDelete, p.slug, p.first, "")
	}
	deletes := func() int {
		n := 0
		for _, call := range c.calls(p.slug) {
			if call.Method == http.MethodDelete {
				n++
			}
		}
		return n
	}
	before := cut("before", 1)
	assert.Equal(t, 200, before.status, "%s", before)
	assert.Empty(t, before.header.Get("Unicrm-Outcome"), "the second try deleted it")
	assert.Equal(t, 2, deletes())
	for _, how := range []string{"during", "after"} {
		got := cut(how, 1)
		require.Equal(t, 200, got.status, "%s: %s", how, got)
		assert.Equal(t, p.first, got.json(t)["id"])
		assert.Equal(t, 2, deletes(), how)
		if deletes() == 2 && got.header.Get("Unicrm-Outcome") != "already-deleted" {
			t.Errorf("%s: the outcome header is %q", how, got.header.Get("Unicrm-Outcome"))
		}
	}
	for _, how := range []string{"before", "during", "after"} {
		got := cut(how, -1)
		body := requireError(t, got, 502, "outcome_unknown")
		assert.NotContains(t, body, "truto_is_remote_error")
		assert.Equal(t, 2, deletes(), "a delete is sent again once")
	}
}

func cutReads(t *testing.T, c *client, p provider) {
	for _, how := range []string{"before", "during", "after"} {
		c.reset(p.slug)
		c.fault(p.slug, fmt.Sprintf(`{"match":{"path":%q},"fault":{"cut":%q},"times":1}`, p.fill(p.path, p.first), how))
		assert.Equal(t, 200, c.contacts(http.MethodGet, p.slug, p.first, "").status, "%s, once", how)
	}
	c.reset(p.slug)
	c.fault(p.slug, `{"fault":{"cut":"after"},"times":-1}`)
	requireError(t, c.contacts(http.MethodGet, p.slug, p.first, ""), 502, "vendor_unavailable")
}

func vendorTimeouts(t *testing.T, c *client, p provider) {
	c.fault(p.slug, `{"fault":{"delay_ms":60000},"times":-1}`)
	requireError(t, c.contacts(http.MethodGet, p.slug, p.first, ""), 504, "vendor_timeout")
	c.reset(p.slug)
	c.fault(p.slug, `{"match":{"method":"DELETE"},"fault":{"delay_ms":60000},"times":-1}`)
	requireError(t, c.contacts(http.MethodDelete, p.slug, p.first, ""), 502, "outcome_unknown")
}

func rateLimits(t *testing.T, c *client, p provider) {
	c.fault(p.slug, `{"fault":{"status":429,"headers":{"Retry-After":"0"}},"times":2}`)
	assert.Equal(t, 200, c.contacts(http.MethodDelete, p.slug, p.first, "").status, "a passing 429 is waited out")
}

func cursors(t *testing.T, c *client, p provider) {
	page := c.contacts(http.MethodGet, p.slug, "", "limit=5").json(t)
	next := page["next_cursor"].(string)
	assert.Equal(t, 200, c.contacts(http.MethodGet, p.slug, "", "next_cursor="+next).status, "the cursor remembers its limit")
	assert.Equal(t, 200, c.contacts(http.MethodGet, p.slug, "", "limit=5&next_cursor="+next).status)
	requireError(t, c.contacts(http.MethodGet, p.slug, "", "limit=6&next_cursor="+next), 400, "invalid_parameter")
	requireError(t, c.contacts(http.MethodGet, p.slug, "", "next_cursor="+next[:len(next)-2]+"AA"), 400, "invalid_parameter")
	requireError(t, c.contacts(http.MethodGet, p.slug, "", "remote_query[a]=b&next_cursor="+next), 400, "invalid_parameter")
	context, err := json.Marshal(c.sandbox.Providers[p.slug].Context)
	require.NoError(t, err)
	made := c.send(http.MethodPost, "/integrated-account?skip_validation=true", `{"integration":"`+p.slug+`","context":`+string(context)+`}`)
	require.Equal(t, 201, made.status, "%s", made)
	other := made.json(t)["id"].(string)
	requireError(t, c.send(http.MethodGet, "/unified/crm/contacts?integrated_account_id="+other+"&next_cursor="+next, ""), 400, "invalid_parameter")
}

func secrets(t *testing.T, c *client, p provider) {
	var planted []string
	for key, value := range c.sandbox.Providers[p.slug].Context {
		if text, ok := value.(string); ok && (strings.Contains(key, "key") || strings.Contains(key, "token") || strings.Contains(key, "password")) {
			planted = append(planted, text)
		}
	}
	require.NotEmpty(t, planted)
	echo, err := json.Marshal(map[string]any{"message": "you sent " + strings.Join(planted, " and ")})
	require.NoError(t, err)
	c.fault(p.slug, fmt.Sprintf(`{"fault":{"status":400,"body":%s},"times":-1}`, echo))
	got := c.contacts(http.MethodGet, p.slug, p.first, "")
	requireError(t, got, 400, "")
	account := c.send(http.MethodGet, "/integrated-account/"+c.sandbox.Providers[p.slug].AccountID, "")
	require.Equal(t, 200, account.status)
	for _, secret := range planted {
		assert.NotContains(t, string(got.body), secret)
		assert.NotContains(t, string(account.body), secret)
	}
}

// requireError holds an answer to the one shape of all errors. An empty reason
// is not looked at.
func requireError(t testing.TB, a answer, status int, reason string) map[string]any {
	t.Helper()
	require.Equal(t, status, a.status, "%s", a)
	body := a.json(t)
	require.Equal(t, fmt.Sprint(status), body["statusCode"].(json.Number).String())
	require.NotEmpty(t, body["error"])
	require.NotEmpty(t, body["message"], "%s", a)
	require.NotContains(t, body["message"], "<", "a message is never HTML")
	require.Equal(t, a.header.Get("X-Request-Id"), body["request_id"])
	if reason != "" {
		require.Equal(t, reason, body["reason"], "%s", a)
	}
	return body
}

func indent(t testing.TB, text string) string {
	t.Helper()
	var value json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(text), &value))
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	require.NoError(t, enc.Encode(value))
	return b.String()
}

// tooMuch holds the host's and the plugin's limits against a vendor that has lost its mind.
func tooMuch(t *testing.T, c *client, p provider) {
	huge := strings.Repeat(`[`, 900<<10)
	c.fault(p.slug, fmt.Sprintf(`{"fault":{"status":400,"headers":{"Content-Type":"application/json"},"body":%q},"times":1}`, huge))
	body := requireError(t, c.contacts(http.MethodGet, p.slug, p.first, ""), 400, "vendor_rejected")
	assert.Equal(t, true, body["raw_response_truncated"])
	assert.Less(t, len(body["raw_response"].(string)), 64<<10)
	c.reset(p.slug)
	deep := strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000)
	c.fault(p.slug, fmt.Sprintf(`{"fault":{"status":200,"headers":{"Content-Type":"application/json"},"body":%q},"times":-1}`, deep))
	requireError(t, c.contacts(http.MethodGet, p.slug, p.first, ""), 502, "unexpected_vendor_answer")
	c.reset(p.slug)
	assert.Equal(t, 200, c.contacts(http.MethodGet, p.slug, p.first, "").status)
}
