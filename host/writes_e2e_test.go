package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// record is a contact as JSON.
type record = map[string]any

// write sends a body to a route below /unified/crm/contacts for a provider's
// account.
func (c *client) write(method, slug, path, query string, body any, header ...string) answer {
	c.t.Helper()
	data, err := json.Marshal(body)
	require.NoError(c.t, err)
	route := "/unified/crm/contacts"
	if path != "" {
		route += "/" + path
	}
	route += "?integrated_account_id=" + c.sandbox.Providers[slug].AccountID
	if query != "" {
		route += "&" + query
	}
	return c.send(method, route, string(data), header...)
}

// seeded is what a test's own contacts can point to: ids, labels and custom
// fields of contacts that are there.
type seeded struct {
	account, owner any
	tag            any
	custom         map[string]json.RawMessage
}

// look reads a provider's contacts for values that exist there.
func look(t *testing.T, c *client, slug string) seeded {
	t.Helper()
	var page struct {
		Result []struct {
			Account      *struct{ ID *string } `json:"account"`
			Owner        *struct{ ID *string } `json:"owner"`
			Tags         []struct{ Name *string }
			CustomFields map[string]json.RawMessage `json:"custom_fields"`
		} `json:"result"`
	}
	answer := c.contacts(http.MethodGet, slug, "", "limit=30")
	require.NoError(t, json.Unmarshal(answer.body, &page), "%s", answer)
	s := seeded{custom: map[string]json.RawMessage{}}
	for _, r := range page.Result {
		if s.account == nil && r.Account != nil && r.Account.ID != nil {
			s.account = *r.Account.ID
		}
		if s.owner == nil && r.Owner != nil && r.Owner.ID != nil {
			s.owner = *r.Owner.ID
		}
		if s.tag == nil && len(r.Tags) > 0 && r.Tags[0].Name != nil {
			s.tag = *r.Tags[0].Name
		}
		for name, value := range r.CustomFields {
			if string(value) != "null" && value[0] != '{' {
				s.custom[name] = value
			}
		}
	}
	return s
}

// metaField is a row of a method's self-description.
type metaField struct {
	Name       string
	Returned   bool
	Writable   bool
	Required   bool
	Filterable []string
	Sortable   bool
}

func meta(t *testing.T, c *client, slug, method string) []metaField {
	t.Helper()
	answer := c.send(http.MethodGet, "/unified/crm/contacts/"+slug+"/meta/"+method, "")
	require.Equal(t, 200, answer.status, "%s", answer)
	var body struct{ Fields []metaField }
	require.NoError(t, json.Unmarshal(answer.body, &body))
	require.NotEmpty(t, body.Fields)
	return body.Fields
}

func has(fields []metaField, name string, is func(metaField) bool) bool {
	return slices.ContainsFunc(fields, func(f metaField) bool { return f.Name == name && is(f) })
}

func isWritable(f metaField) bool { return f.Writable }

// minimal is the least that a provider takes for a new contact.
func minimal(fields []metaField, s seeded, n int) record {
	r := record{"last_name": fmt.Sprint("Least", n), "email_addresses": []record{{"email": fmt.Sprintf("least%d@example.com", n)}}}
	for _, f := range fields {
		if !f.Required {
			continue
		}
		switch f.Name {
		case "first_name":
			r["first_name"] = "Lea"
		case "account", "account.id":
			r["account"] = record{"id": s.account}
		case "owner", "owner.id":
			r["owner"] = record{"id": s.owner}
		}
	}
	return r
}

// TestWrites runs the same cases of writes and lists against all providers.
func TestWrites(t *testing.T) {
	all := installed(t)
	_, c := sandbox(t)
	cases := []struct {
		name string
		run  func(*testing.T, *client, provider)
	}{
		{"every field that is advertised goes in and comes out, every other one is refused", claimsOfWrites},
		{"every filter and sort key that is advertised works, every other one is refused", claimsOfLists},
		{"create, change, clear, and a stale version", lifeOfAContact},
		{"what is required is asked for before the vendor is", requiredFields},
		{"a dry run of any write sends nothing and shows no credentials", dryRuns},
		{"upsert finds by address, and makes where there is none", upserts},
		{"a batch tells what became of each", batches},
		{"merge where the vendor has it", merges},
		{"pages of any size, forwards and back", pagesBothWays},
		{"keyed, debugged and streamed lists hold the same contacts", listFormats},
		{"hostile bodies are refused and change nothing", hostileBodies},
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

// sample gives a value for a field of the unified model, by its path.
func sample(path string, s seeded, n int) any {
	switch path {
	case "account.id":
		return or(s.account, "1")
	case "owner.id":
		return or(s.owner, "1")
	case "tags.name":
		return or(s.tag, "vip")
	case "email_addresses.email":
		return fmt.Sprintf("claim%d@example.com", n)
	case "phone_numbers.number":
		return fmt.Sprintf("+44 20 7946 %04d", n)
	case "urls.url":
		return fmt.Sprintf("https://example.com/%d", n)
	case "addresses.country":
		return "GB"
	case "addresses.state":
		return "GB-ENG"
	case "created_at", "updated_at", "last_activity_at":
		return "2024-02-03T04:05:06Z"
	default:
		return fmt.Sprint("Sample ", n)
	}
}

func or(value, otherwise any) any {
	if value == nil {
		return otherwise
	}
	return value
}

// bodyOf is a contact that has nothing but one field.
func bodyOf(path string, value any) record {
	top, rest, nested := strings.Cut(path, ".")
	switch {
	case !nested:
		return record{top: value}
	case top == "account" || top == "owner":
		return record{top: record{rest: value}}
	case top == "urls":
		return record{top: []record{{rest: value, "type": "linkedin"}}}
	default:
		return record{top: []record{{rest: value}}}
	}
}

// merge puts one contact's fields over another's, objects member by member.
func merge(into, from record) record {
	for name, value := range from {
		inner, ok := into[name].(record)
		if over, both := value.(record); ok && both {
			into[name] = merge(inner, over)
		} else {
			into[name] = value
		}
	}
	return into
}

// valueAt reads a path of a contact; of a list, its first item.
func valueAt(r any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		if list, ok := r.([]any); ok {
			if len(list) == 0 {
				return nil
			}
			r = list[0]
		}
		object, _ := r.(map[string]any)
		r = object[name]
	}
	return r
}

func claimsOfWrites(t *testing.T, c *client, p provider) {
	s := look(t, c, p.slug)
	n := 0
	for _, method := range []string{"create", "update"} {
		fields := meta(t, c, p.slug, method)
		creating := meta(t, c, p.slug, "create")
		for _, f := range fields {
			top, rest, nested := strings.Cut(f.Name, ".")
			if rest == "type" || rest == "id" && top != "account" && top != "owner" || top == "custom_fields" || top == "remote_data" || f.Name == "etag" || f.Name == "id" ||
				(!nested && slices.ContainsFunc(fields, func(o metaField) bool { return strings.HasPrefix(o.Name, f.Name+".") })) {
				continue // held by the providers' own tests, or by what is in it
			}
			n++
			body := bodyOf(f.Name, sample(f.Name, s, n))
			if rest == "extension" {
				body = record{top: []record{{"number": "+44 20 7946 0000", rest: "12"}}}
			}
			if f.Name == "name" && f.Writable { // it has to agree with its parts
				body = record{"name": fmt.Sprint("Ada Sample", n)}
				if method == "create" {
					body = record{"first_name": "Ada", "last_name": fmt.Sprint("Sample", n), "name": fmt.Sprint("Ada Sample", n)}
				}
			}
			var got answer
			if method == "create" {
				got = c.write(http.MethodPost, p.slug, "", "", merge(minimal(creating, s, n), body))
			} else {
				made := c.write(http.MethodPost, p.slug, "", "", minimal(creating, s, n)).json(t)
				require.NotNil(t, made["id"], "%v", made)
				c.forgetCalls(p.slug)
				got = c.write(http.MethodPatch, p.slug, made["id"].(string), "", body)
			}
			if !f.Writable {
				refused := requireError(t, got, 422, "lossy_write")
				assert.Contains(t, refused["message"], top, "%s %s", method, f.Name)
				continue
			}
			require.Contains(t, []int{200, 201}, got.status, "%s of %s: %s", method, f.Name, got)
			again := c.contacts(http.MethodGet, p.slug, got.json(t)["id"].(string), "").json(t)
			if f.Name == "created_at" {
				assert.Equal(t, "2024-02-03T04:05:06Z", again["created_at"], "%s of %s", method, f.Name)
				continue
			}
			if f.Returned {
				assert.Equal(t, valueAt(toAny(t, body), f.Name), valueAt(again, f.Name), "%s of %s", method, f.Name)
			}
		}
		if !has(fields, "custom_fields", isWritable) {
			continue
		}
		names := slices.Sorted(maps.Keys(s.custom))
		held := 0
		for _, name := range names {
			n++
			made := c.write(http.MethodPost, p.slug, "", "", merge(minimal(creating, s, n), record{"custom_fields": record{name: s.custom[name]}}))
			if made.status == 422 { // one that the vendor fills in itself
				requireError(t, made, 422, "lossy_write")
				continue
			}
			require.Equal(t, 201, made.status, "%s: %s", name, made)
			assert.JSONEq(t, string(s.custom[name]), jsonText(t, made.json(t)["custom_fields"].(map[string]any)[name]))
			held++
		}
		require.NotZero(t, held)
		unknown := c.write(http.MethodPost, p.slug, "", "", merge(minimal(creating, s, n+5000), record{"custom_fields": record{"no such field": 1}}))
		assert.Contains(t, requireError(t, unknown, 400, "invalid_body")["message"], "which has", "the known ones are suggested")
	}
}

func toAny(t *testing.T, value any) any {
	t.Helper()
	var any any
	require.NoError(t, json.Unmarshal([]byte(jsonText(t, value)), &any))
	return any
}

func jsonText(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	require.NoError(t, err)
	return string(data)
}

func claimsOfLists(t *testing.T, c *client, p provider) {
	s := c.contacts(http.MethodGet, p.slug, p.first, "").json(t)
	fields := meta(t, c, p.slug, "list")
	for _, path := range []string{"first_name", "last_name", "name", "search", "email_addresses.email", "phone_numbers.number", "created_at", "updated_at", "last_activity_at"} {
		value := fmt.Sprint(valueAt(s, path))
		if path == "search" {
			value = fmt.Sprint(s["last_name"])
		}
		param := url.QueryEscape(path) + "="
		if top, rest, nested := strings.Cut(path, "."); nested {
			param = top + "[][" + rest + "]="
		}
		operators := []string{"eq"}
		if strings.HasSuffix(path, "_at") {
			operators = []string{"gt", "gte", "lt", "lte"}
			value = "2024-06-01T00:00:00Z"
		}
		for _, operator := range operators {
			query := param + url.QueryEscape(value)
			if operator != "eq" {
				query = path + "[" + operator + "]=" + url.QueryEscape(value)
			}
			got := c.contacts(http.MethodGet, p.slug, "", query+"&limit=100")
			if !has(fields, path, func(f metaField) bool { return slices.Contains(f.Filterable, operator) }) {
				body := requireError(t, got, 400, "unsupported")
				assert.Contains(t, body["truto_error_insight"], "unsupported_query_parameters", query)
				lenient := c.contacts(http.MethodGet, p.slug, "", query+"&truto_ignore_unsupported=true")
				assert.Equal(t, 200, lenient.status)
				assert.NotEmpty(t, lenient.header.Get("Unicrm-Ignored"))
				continue
			}
			require.Equal(t, 200, got.status, "%s: %s", query, got)
			result := got.json(t)["result"].([]any)
			if operator == "eq" {
				assert.True(t, slices.ContainsFunc(result, func(r any) bool { return valueAt(r, "id") == p.first }), "%s does not find %s", query, p.first)
				assert.Less(t, len(result), p.contacts, "%s finds everybody", query)
			}
			for _, r := range result {
				if operator == "eq" {
					continue
				}
				at := fmt.Sprint(valueAt(r, path))
				assert.True(t, (operator[0] == 'g') == (at > value) || at == value, "%s gave %s", query, at)
			}
		}
	}
	for _, key := range []string{"created_at", "email_addresses", "first_name", "id", "last_activity_at", "last_name", "name", "title", "updated_at"} {
		got := c.contacts(http.MethodGet, p.slug, "", "sort_by["+key+"]=desc&limit=100")
		if has(fields, key, func(f metaField) bool { return f.Sortable }) {
			require.Equal(t, 200, got.status, "%s", got)
			assert.Len(t, got.json(t)["result"], p.contacts, "sorting by %s loses nobody", key)
		} else {
			requireError(t, got, 400, "unsupported")
		}
	}
	deleted := c.contacts(http.MethodDelete, p.slug, p.first, "")
	require.Equal(t, 200, deleted.status)
	bin := c.contacts(http.MethodGet, p.slug, "", "is_deleted=true&limit=100")
	if has(fields, "is_deleted", func(f metaField) bool { return len(f.Filterable) > 0 }) {
		require.Equal(t, 200, bin.status, "%s", bin)
		assert.True(t, slices.ContainsFunc(bin.json(t)["result"].([]any), func(r any) bool { return valueAt(r, "id") == p.first }), "the deleted one is not found")
	} else {
		requireError(t, bin, 400, "unsupported")
	}
}

func lifeOfAContact(t *testing.T, c *client, p provider) {
	s := look(t, c, p.slug)
	fields := meta(t, c, p.slug, "update")
	body := merge(minimal(meta(t, c, p.slug, "create"), s, 1), record{"first_name": "Ada", "title": "Buyer", "phone_numbers": []record{{"number": "+44 20 7946 0001"}}})
	created := c.write(http.MethodPost, p.slug, "", "", body)
	require.Equal(t, 201, created.status, "%s", created)
	made := created.json(t)
	id := made["id"].(string)
	got := c.contacts(http.MethodGet, p.slug, id, "").json(t)
	assert.Equal(t, made, got, "the answer of a create is what a get gives")
	for _, name := range []string{"first_name", "last_name", "title"} {
		assert.Equal(t, body[name], got[name])
	}

	changed := c.write(http.MethodPatch, p.slug, id, "", record{"title": "Head of Ink", "phone_numbers": nil})
	require.Equal(t, 200, changed.status, "%s", changed)
	after := changed.json(t)
	assert.Equal(t, "Head of Ink", after["title"])
	assert.Empty(t, after["phone_numbers"], "null clears")
	assert.Equal(t, got["first_name"], after["first_name"], "absent leaves")
	assert.Equal(t, got["email_addresses"], after["email_addresses"], "absent leaves")

	if has(fields, "etag", isWritable) {
		require.NotNil(t, after["etag"])
		assert.NotEmpty(t, changed.header.Get("ETag"))
		stale := c.write(http.MethodPatch, p.slug, id, "", record{"title": "lost"}, "If-Match", fmt.Sprintf("%q", got["etag"]))
		requireError(t, stale, 409, "stale_version")
		requireError(t, c.write(http.MethodPatch, p.slug, id, "", record{"title": "lost", "etag": got["etag"]}), 409, "stale_version")
		assert.Equal(t, "Head of Ink", c.contacts(http.MethodGet, p.slug, id, "").json(t)["title"], "nothing is overwritten")
		fresh := c.write(http.MethodPatch, p.slug, id, "", record{"title": "Owner", "etag": after["etag"]})
		require.Equal(t, 200, fresh.status, "%s", fresh)
	} else {
		c.forgetCalls(p.slug)
		requireError(t, c.write(http.MethodPatch, p.slug, id, "", record{"title": "x"}, "If-Match", `"1"`), 400, "unsupported")
		assert.Empty(t, c.calls(p.slug))
	}
	same := c.write(http.MethodPatch, p.slug, id, "", record{"email_addresses": after["email_addresses"]})
	require.Equal(t, 200, same.status, "what was read can be written: %s", same)
	assert.Equal(t, after["email_addresses"], same.json(t)["email_addresses"])

	require.Equal(t, 200, c.contacts(http.MethodDelete, p.slug, id, "").status)
	requireError(t, c.write(http.MethodPatch, p.slug, id, "", record{"title": "x"}), 404, "record_not_found")
}

func requiredFields(t *testing.T, c *client, p provider) {
	fields := meta(t, c, p.slug, "create")
	c.forgetCalls(p.slug)
	var required []string
	for _, f := range fields {
		if f.Required {
			required = append(required, f.Name)
		}
	}
	if len(required) > 0 {
		body := requireError(t, c.write(http.MethodPost, p.slug, "", "", record{"title": "nobody"}), 400, "invalid_body")
		insight := body["truto_error_insight"].(map[string]any)["missing_required_body_fields"].(map[string]any)
		var named []string
		for _, name := range insight["value"].([]any) {
			named = append(named, name.(string))
		}
		assert.ElementsMatch(t, required, named)
	}
	body := requireError(t, c.write(http.MethodPost, p.slug, "upsert", "", record{"title": "nobody"}), 400, "invalid_body")
	assert.Contains(t, fmt.Sprint(body["truto_error_insight"]), "email_addresses")
	assert.Empty(t, c.calls(p.slug), "the vendor was asked")
}

func dryRuns(t *testing.T, c *client, p provider) {
	s := look(t, c, p.slug)
	body := minimal(meta(t, c, p.slug, "create"), s, 1)
	c.forgetCalls(p.slug)
	for _, w := range []struct {
		method, path string
		body         any
	}{
		{http.MethodPost, "", body},
		{http.MethodPatch, p.first, record{"title": "x"}},
		{http.MethodDelete, p.first, nil},
		{http.MethodPost, "upsert", body},
		{http.MethodPost, "batch-delete", record{"id": []string{p.first}}},
	} {
		var got answer
		if w.body == nil {
			got = c.contacts(w.method, p.slug, w.path, "truto_dry_run=true")
		} else {
			got = c.write(w.method, p.slug, w.path, "truto_dry_run=true", w.body)
		}
		require.Equal(t, 200, got.status, "%s %s: %s", w.method, w.path, got)
		answer := got.json(t)
		assert.Equal(t, true, answer["dry_run"])
		requests := answer["requests"].([]any)
		require.NotEmpty(t, requests)
		assert.True(t, slices.ContainsFunc(requests, func(r any) bool { return valueAt(r, "main") == true }), "%s", got)
		for _, secret := range c.sandbox.Providers[p.slug].Context {
			if text, ok := secret.(string); ok && len(text) > 12 && !strings.HasPrefix(text, "http") && !strings.Contains(text, ".myfreshworks.com") && text != fmt.Sprint(c.sandbox.Providers[p.slug].Context["site_id"]) {
				assert.NotContains(t, string(got.body), text)
			}
		}
	}
	assert.Empty(t, c.calls(p.slug), "a dry run sends nothing")
	requireError(t, c.contacts(http.MethodGet, p.slug, p.first, "truto_dry_run=true"), 400, "invalid_parameter")
}

func upserts(t *testing.T, c *client, p provider) {
	s := look(t, c, p.slug)
	body := minimal(meta(t, c, p.slug, "create"), s, 1)
	first := c.write(http.MethodPost, p.slug, "upsert", "", body)
	require.Equal(t, 201, first.status, "%s", first)
	assert.Equal(t, "created", first.json(t)["outcome"])
	id := first.json(t)["result"].(map[string]any)["id"]
	second := c.write(http.MethodPost, p.slug, "upsert", "", record{"title": "Changed", "email_addresses": body["email_addresses"]})
	require.Equal(t, 200, second.status, "%s", second)
	assert.Equal(t, "updated", second.json(t)["outcome"])
	assert.Contains(t, second.json(t), "atomic")
	result := second.json(t)["result"].(map[string]any)
	assert.Equal(t, id, result["id"])
	assert.Equal(t, "Changed", result["title"])
	assert.Equal(t, "Least1", result["last_name"])
}

func batches(t *testing.T, c *client, p provider) {
	ids := c.ids(p.slug, "limit=5")[:3]
	body := record{"id": []string{ids[0], p.unknown, ids[1], p.malformed[0]}}
	got := c.write(http.MethodPost, p.slug, "batch-delete", "", body)
	require.Equal(t, 200, got.status, "%s", got)
	result := got.json(t)["result"].([]any)
	require.Len(t, result, 4)
	for i, want := range []struct {
		id      string
		deleted bool
		reason  any
	}{{ids[0], true, nil}, {p.unknown, false, "record_not_found"}, {ids[1], true, nil}, {p.malformed[0], false, "invalid_id"}} {
		assert.Equal(t, want.id, valueAt(result[i], "id"))
		assert.Equal(t, want.deleted, valueAt(result[i], "deleted"), "%v", result[i])
		assert.Equal(t, want.reason, valueAt(result[i], "error.reason"), "%v", result[i])
	}
	left := c.ids(p.slug, "")
	assert.NotContains(t, left, ids[0])
	assert.NotContains(t, left, ids[1])
	assert.Contains(t, left, ids[2])
	for _, bad := range []any{record{}, record{"id": "x"}, record{"id": []string{}}, record{"id": []any{1}}, record{"id": []string{ids[2], ids[2]}}, record{"id": make([]string, 1001)}, []string{ids[2]}} {
		requireError(t, c.write(http.MethodPost, p.slug, "batch-delete", "", bad), 400, "invalid_body")
	}
	assert.Contains(t, c.ids(p.slug, ""), ids[2])
}

func merges(t *testing.T, c *client, p provider) {
	ids := c.ids(p.slug, "limit=5")[:3]
	body := record{"master_record": record{"id": ids[0]}, "duplicate_records": []record{{"id": ids[1]}, {"id": ids[2]}}}
	c.forgetCalls(p.slug)
	got := c.write(http.MethodPost, p.slug, "merge", "", body)
	if p.slug != "wix" && p.slug != "pipeliner" {
		requireError(t, got, 400, "unsupported")
		assert.Empty(t, c.calls(p.slug))
		return
	}
	require.Equal(t, 200, got.status, "%s", got)
	assert.Equal(t, ids[0], valueAt(got.json(t), "result.id"))
	left := c.ids(p.slug, "")
	assert.Contains(t, left, ids[0])
	assert.NotContains(t, left, ids[1])
	assert.NotContains(t, left, ids[2])
	for _, bad := range []any{record{"master_record": record{"id": ids[0]}}, record{"master_record": record{"id": ids[0]}, "duplicate_records": []record{{"id": ids[0]}}}, record{"duplicate_records": []record{{"id": ids[0]}}}} {
		requireError(t, c.write(http.MethodPost, p.slug, "merge", "", bad), 400, "invalid_body")
	}
}

func pagesBothWays(t *testing.T, c *client, p provider) {
	everybody := c.ids(p.slug, "limit=1000")
	require.Len(t, everybody, p.contacts)
	for _, limit := range []int{1, 7, 30} {
		query := fmt.Sprintf("limit=%d&truto_ignore_remote_data=true", limit)
		var pages [][]any
		cursor := ""
		last := record{}
		for range 100 {
			last = c.contacts(http.MethodGet, p.slug, "", query+cursor).json(t)
			result := last["result"].([]any)
			assert.Equal(t, fmt.Sprint(len(result)), fmt.Sprint(last["result_count"]))
			pages = append(pages, result)
			if last["next_cursor"] == nil {
				break
			}
			cursor = "&next_cursor=" + last["next_cursor"].(string)
		}
		for back := len(pages) - 2; back >= 0 && len(pages)-back < 8; back-- {
			require.NotNil(t, last["prev_cursor"], "limit=%d: page %d has no way back", limit, back+1)
			last = c.contacts(http.MethodGet, p.slug, "", query+"&next_cursor="+last["prev_cursor"].(string)).json(t)
			assert.Equal(t, pages[back], last["result"], "limit=%d, back on page %d", limit, back)
		}
	}
}

func listFormats(t *testing.T, c *client, p provider) {
	everybody := c.ids(p.slug, "limit=1000")
	keyed := c.contacts(http.MethodGet, p.slug, "", "limit=1000&truto_key_by=id").json(t)
	assert.Len(t, keyed["result"], len(everybody))
	for _, id := range everybody {
		assert.Equal(t, id, valueAt(keyed["result"].(map[string]any)[id], "id"))
	}
	byName := c.contacts(http.MethodGet, p.slug, "", "limit=1000&truto_key_by=last_name").json(t)
	unkeyed, _ := byName["unkeyed"].([]any)
	assert.Len(t, everybody, len(byName["result"].(map[string]any))+len(unkeyed), "nobody is lost")

	debugged := c.contacts(http.MethodGet, p.slug, p.first, "truto_response_format=debug").json(t)
	assert.Equal(t, c.contacts(http.MethodGet, p.slug, p.first, "").json(t), debugged["result"])
	for _, name := range []string{"requestUrl", "requestOptions", "data", "responseHeaders"} {
		assert.Contains(t, debugged["debug"], name)
	}
	assert.NotContains(t, strings.ToLower(jsonText(t, valueAt(debugged, "debug.requestOptions"))), "authorization")
	list := c.contacts(http.MethodGet, p.slug, "", "limit=3&truto_response_format=debug").json(t)
	assert.Contains(t, list["debug"], "nextCursor")
	assert.Equal(t, "3", fmt.Sprint(valueAt(list, "debug.resultCount")))

	streamed := c.send(http.MethodGet, "/unified/crm/contacts?truto_response_format=stream&limit=7&integrated_account_id="+c.sandbox.Providers[p.slug].AccountID, "", "Accept", "application/x-ndjson")
	require.Equal(t, 200, streamed.status, "%s", streamed)
	assert.Equal(t, "application/x-ndjson", streamed.header.Get("Content-Type"))
	var ids []string
	lines := bufio.NewScanner(bytes.NewReader(streamed.body))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var r record
		require.NoError(t, json.Unmarshal(lines.Bytes(), &r))
		ids = append(ids, r["id"].(string))
	}
	assert.Equal(t, everybody, ids)

	raw := c.contacts(http.MethodGet, p.slug, p.first, "truto_response_format=raw")
	stream := c.contacts(http.MethodGet, p.slug, p.first, "truto_response_format=stream")
	assert.Equal(t, string(raw.body), string(stream.body))
	assert.Equal(t, raw.header.Get("Content-Type"), stream.header.Get("Content-Type"))
}

func hostileBodies(t *testing.T, c *client, p provider) {
	c.forgetCalls(p.slug)
	account := "?integrated_account_id=" + c.sandbox.Providers[p.slug].AccountID
	for _, body := range []string{
		`[]`, `"x"`, `null`, `{`, `{"first_name":"a"}{"first_name":"b"}`, `{"first_name":1}`, `{"first_name":"a","first_name":"b"}`, `{"nonsense":1}`,
		`{"email_addresses":{}}`, `{"email_addresses":["a@b.test"]}`, `{"email_addresses":[{"mail":"x"}]}`, `{"account":"1"}`, `{"custom_fields":[]}`, `{"remote_data":"x"}`,
		`{"created_at":"yesterday"}`, `{}`, `{"first_name":"` + "\xff" + `"}`, strings.Repeat(`{"account":`, 5000) + `1` + strings.Repeat(`}`, 5000),
	} {
		for _, route := range []struct{ method, path string }{{http.MethodPost, ""}, {http.MethodPatch, "/" + p.first}} {
			requireError(t, c.send(route.method, "/unified/crm/contacts"+route.path+account, body), 400, "invalid_body")
		}
	}
	requireError(t, c.send(http.MethodPost, "/unified/crm/contacts"+account, `{"first_name":"a"}`, "Content-Type", "text/plain"), 415, "unsupported_media_type")
	requireError(t, c.send(http.MethodPost, "/unified/crm/contacts"+account, `{"first_name":"`+strings.Repeat("a", 2<<20)+`"}`), 413, "body_too_large")
	assert.Empty(t, c.calls(p.slug), "the vendor was asked")
}

// TestAWriteWhoseAnswerIsLostIsNotSentAgain cuts the connection after a create.
func TestAWriteWhoseAnswerIsLostIsNotSentAgain(t *testing.T) {
	_, c := sandbox(t)
	for _, p := range installed(t) {
		t.Run(p.slug, func(t *testing.T) {
			own := *c
			own.t = t
			s := look(t, &own, p.slug)
			body := minimal(meta(t, &own, p.slug, "create"), s, 1)
			own.forgetCalls(p.slug)
			own.fault(p.slug, `{"match":{"method":"POST"},"fault":{"cut":"after"},"times":-1}`)
			got := own.write(http.MethodPost, p.slug, "", "", body)
			requireError(t, got, 500, "outcome_unknown")
			posts := 0
			for _, call := range own.calls(p.slug) {
				if call.Method == http.MethodPost && !strings.HasSuffix(call.Path, "/query") {
					posts++
				}
			}
			assert.Equal(t, 1, posts)
		})
	}
}
