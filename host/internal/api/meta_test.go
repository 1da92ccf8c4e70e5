package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/host/internal/unified"
	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
)

// compile reads a member of an answer as JSON Schema.
func compile(t *testing.T, r reply, member string) *jsonschema.Schema {
	t.Helper()
	var body map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(r.body, &body), "%s", r)
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(body[member]))
	require.NoError(t, err)
	require.Equal(t, "https://json-schema.org/draft/2020-12/schema", document.(map[string]any)["$schema"], member)
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	require.NoError(t, compiler.AddResource(member+".json", document))
	schema, err := compiler.Compile(member + ".json")
	require.NoError(t, err)
	return schema
}

func instance(t *testing.T, text string) any {
	t.Helper()
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	require.NoError(t, err, text)
	return value
}

func TestEveryMethodDescribesItself(t *testing.T) {
	w := newWorld(t, nil)
	for _, method := range unified.Methods {
		byIntegration := w.send(http.MethodGet, "/unified/crm/contacts/acme/meta/"+string(method), "")
		byAccount := w.contacts(http.MethodGet, "/meta/"+string(method), "", "")
		require.Equal(t, 200, byIntegration.status, "%s", byIntegration)
		require.Equal(t, 200, byAccount.status, "%s", byAccount)
		body := byIntegration.json(t)
		assert.NotContains(t, body, "response_mapping")
		mapped := byAccount.json(t)
		assert.Equal(t, map[string]any{}, mapped["response_mapping"])
		delete(mapped, "response_mapping")
		assert.Equal(t, body, mapped)
		assert.Equal(t, []any{string(method), "contacts", "acme", "1.0.0", true, "https://docs.acme.test/api", map[string]any{}, map[string]any{}}, []any{
			body["method"], body["resource"], body["integration"], body["version"], body["supported"], body["documentation_link"], body["default_query"], body["default_body"],
		})
		compile(t, byIntegration, "schema")
		compile(t, byIntegration, "response_schema")
		compile(t, byIntegration, "query_schema")
		switch method {
		case unified.List, unified.Get, unified.Delete:
			assert.Nil(t, body["request_body_schema"])
		default:
			compile(t, byIntegration, "request_body_schema")
		}
	}
	assert.Equal(t, map[string]any{"kind": "soft", "repeat": "not_found", "kept_seconds": float64(2592000)}, w.send(http.MethodGet, "/unified/crm/contacts/acme/meta/delete", "").json(t)["delete"])
	assert.Equal(t, map[string]any{"atomic": false}, w.send(http.MethodGet, "/unified/crm/contacts/acme/meta/upsert", "").json(t)["upsert"])
	assert.EqualValues(t, 100, w.send(http.MethodGet, "/unified/crm/contacts/acme/meta/list", "").json(t)["page_cap"])
	assert.EqualValues(t, 2, w.send(http.MethodGet, "/unified/crm/contacts/acme/meta/merge", "").json(t)["max_records"])
}

func TestTheFieldsTableSaysWhatTheMethodDoesWithEachField(t *testing.T) {
	w := newWorld(t, nil)
	rows := func(method string) map[string]map[string]any {
		all := map[string]map[string]any{}
		for _, row := range w.send(http.MethodGet, "/unified/crm/contacts/acme/meta/"+method, "").json(t)["fields"].([]any) {
			all[valueAt(row, "name").(string)] = row.(map[string]any)
		}
		return all
	}
	row := func(name, kind string, returned, writable, required bool, filterable []any, sortable bool) map[string]any {
		return map[string]any{"name": name, "type": kind, "returned": returned, "writable": writable, "required": required, "filterable": filterable, "sortable": sortable}
	}
	list := rows("list")
	assert.Equal(t, row("created_at", "date-time", true, false, false, []any{"eq", "gte", "lt"}, true), list["created_at"])
	assert.Equal(t, row("email_addresses.email", "string", true, false, false, []any{"eq"}, false), list["email_addresses.email"])
	assert.Equal(t, row("title", "string", false, false, false, []any{}, false), list["title"])
	assert.Equal(t, row("search", "string", false, false, false, []any{"eq"}, false), list["search"])
	assert.Equal(t, row("is_deleted", "boolean", false, false, false, []any{"eq"}, false), list["is_deleted"])
	create := rows("create")
	assert.Equal(t, row("account.id", "string", true, true, true, []any{}, false), create["account.id"])
	assert.Equal(t, row("account", "object", true, true, false, []any{}, false), create["account"], "a part of it")
	assert.Equal(t, row("account.name", "string", true, false, false, []any{}, false), create["account.name"])
	assert.Equal(t, row("email_addresses.type", "string", true, false, false, []any{}, false), create["email_addresses.type"])
	assert.Equal(t, row("addresses.city", "string", true, true, false, []any{}, false), create["addresses.city"], "all of it")
	assert.Equal(t, row("id", "string", true, false, false, []any{}, false), create["id"])
	assert.NotContains(t, create, "search")
	update := rows("update")
	assert.Equal(t, true, update["etag"]["writable"])
	assert.Equal(t, true, update["last_name"]["required"])
}

// TestTheSchemasAgreeWithTheAPI sends bodies to both: what the one takes the
// other takes, and what the API answers fits.
func TestTheSchemasAgreeWithTheAPI(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.does(func(_ context.Context, r unified.Request) (*unified.Result, error) {
		record := unified.Record{"id": "5", "account": unified.Record{"id": "1"}, "email_addresses": []unified.Record{{"email": "a"}, {}}, "remote_data": json.RawMessage(`true`), "custom_fields": json.RawMessage(`{"a":null}`)}
		return wrote(record), nil
	})
	answers := compile(t, w.send(http.MethodGet, "/unified/crm/contacts/acme/meta/get", ""), "response_schema")
	for _, query := range []string{"", "truto_response_format=normalized"} {
		got := w.contacts(http.MethodGet, "/5", query, "")
		assert.NoError(t, answers.Validate(instance(t, string(got.body))), "%s", got)
	}
	for method, route := range map[string][]string{"create": {http.MethodPost, ""}, "update": {http.MethodPatch, "/5"}, "upsert": {http.MethodPost, "/upsert"}, "merge": {http.MethodPost, "/merge"}, "batch-delete": {http.MethodPost, "/batch-delete"}} {
		schema := compile(t, w.send(http.MethodGet, "/unified/crm/contacts/acme/meta/"+method, ""), "request_body_schema")
		for _, body := range []string{
			`{"last_name":"Q","account":{"id":"1"}}`, `{"last_name":"Q","account":{"id":"1"},"addresses":[{"city":"Bergen"}],"custom_fields":{"a":1},"created_at":"2024-01-01T00:00:00Z"}`,
			`{"email_addresses":[{"email":"a@b.test"}]}`, `{"first_name":null}`, `{"phone_numbers":[]}`, `{"account":null}`, `{"last_name":null}`, `{"last_name":""}`, `{"first_name":5}`, `{"nonsense":1}`, `{}`, `{"title":"x"}`,
			`{"account":{"id":"1","name":"x"}}`, `{"email_addresses":"x"}`, `{"created_at":"x"}`, `{"custom_fields":[]}`, `{"master_record":{"id":"1"},"duplicate_records":[{"id":"2"}]}`,
			`{"master_record":{"id":"1"},"duplicate_records":[]}`, `{"master_record":{"id":"1"},"duplicate_records":[{"id":"2"},{"id":"3"},{"id":"4"}]}`, `{"id":["1"]}`, `{"id":[]}`, `{"id":["1","1"]}`, `{"id":"1"}`,
		} {
			got := w.contacts(route[0], route[1], "", body)
			err := schema.Validate(instance(t, body))
			assert.Equal(t, got.status < 300 || got.json(t)["reason"] == "plugin_bug", err == nil, "%s of %s: %s; by the schema %v", method, body, got, err)
		}
	}
}

func TestTheQuerySchemaHasWhatTheProviderServes(t *testing.T) {
	w := newWorld(t, nil)
	list := compile(t, w.send(http.MethodGet, "/unified/crm/contacts/acme/meta/list", ""), "query_schema")
	account := `{"integrated_account_id":"` + w.account + `"`
	for query, fits := range map[string]bool{
		``: true, `,"limit":5,"search":"x"`: true, `,"created_at":{"gte":"2024-01-01T00:00:00Z"}`: true, `,"created_at":{"gt":"2024-01-01T00:00:00Z"}`: false, `,"first_name":"x"`: false,
		`,"email_addresses":[{"email":"a@b.test"}]`: true, `,"email_addresses":[{"type":"work"}]`: false, `,"sort_by":{"last_name":"asc"}`: true, `,"sort_by":{"name":"asc"}`: false,
		`,"truto_key_by":"id","is_deleted":true`: true, `,"truto_dry_run":true`: false, `,"limit":1001`: false,
	} {
		assert.Equal(t, fits, list.Validate(instance(t, account+query+`}`)) == nil, query)
	}
}

func TestDescriptionsOfWhatIsNotThereAreErrors(t *testing.T) {
	w := newWorld(t, func(m *providerv1.HandshakeResponse, _ *Config) {
		m.GetResources()[0].Methods = m.GetResources()[0].GetMethods()[:3]
	})
	body := requireError(t, w.send(http.MethodGet, "/unified/crm/contacts/acme/meta/merge", ""), 400, "unsupported")
	assert.Contains(t, body["message"], "it has list, get, create")
	requireError(t, w.send(http.MethodGet, "/unified/crm/contacts/acme/meta/explode", ""), 404, "route_not_found")
	requireError(t, w.send(http.MethodGet, "/unified/crm/contacts/nobody/meta/list", ""), 404, "route_not_found")
	requireError(t, w.send(http.MethodGet, "/unified/crm/nonsense/acme/meta/list", ""), 404, "route_not_found")
	requireError(t, w.send(http.MethodGet, "/unified/crm/leads/acme/meta/list", ""), 400, "unsupported")
	requireError(t, w.send(http.MethodGet, "/unified/crm/contacts/acme/meta/list?integrated_account_id="+w.account, ""), 400, "invalid_parameter")
	requireError(t, w.send(http.MethodGet, "/unified/crm/contacts/meta/list", ""), 400, "invalid_parameter")
	requireError(t, w.contacts(http.MethodGet, "/meta/list", "limit=1", ""), 400, "invalid_parameter")
	requireError(t, w.send(http.MethodGet, "/unified/crm/contacts/meta/list?integrated_account_id=7b0f1d7e-1f3c-4a54-9a3f-1d1f6a0c0000", ""), 404, "account_not_found")
	w.token = "ucrm_wrong"
	for _, path := range []string{"/unified/crm/contacts/acme/meta/list", "/integration/acme/capabilities", "/unified/meta/crm/acme", "/integrated-account/" + w.account + "/capabilities"} {
		requireError(t, w.send(http.MethodGet, path, ""), 401, "unauthenticated")
	}
}

func TestCapabilitiesListWhatCanBeCalled(t *testing.T) {
	w := newWorld(t, nil)
	all := w.send(http.MethodGet, "/integration/acme/capabilities", "").json(t)
	resource := all["unified"].([]any)[0].(map[string]any)
	fields := resource["fields"].(map[string]any)
	delete(resource, "fields")
	assert.Equal(t, map[string]any{
		"model": "crm", "resource": "contacts", "env_overridden": false, "docs_url": "https://docs.acme.test/api",
		"methods": []any{"list", "get", "create", "update", "delete", "upsert", "batch-delete", "merge"},
	}, resource)
	assert.Equal(t, w.send(http.MethodGet, "/unified/crm/contacts/acme/meta/create", "").json(t)["fields"], fields["create"])
	assert.Equal(t, []any{}, all["proxy"])
	assert.Equal(t, []any{"api_key"}, all["auth"])
	assert.NotContains(t, all, "account")
	account := w.send(http.MethodGet, "/integrated-account/"+w.account+"/capabilities", "").json(t)
	assert.Equal(t, map[string]any{"id": w.account, "status": "active", "authentication_method": "api_key", "is_blocked": false}, account["account"])

	for query, methods := range map[string]any{
		"type=unified": nil, "type=proxy": []any{}, "methods=get,delete": []any{"get", "delete"}, "methods[]=merge": []any{"merge"}, "methods[0]=merge&methods[1]=get": []any{"get", "merge"},
		"resource=contacts": nil, "resource=leads": []any{}, "has_description=true": nil, "has_description=false": []any{},
	} {
		got := w.send(http.MethodGet, "/integration/acme/capabilities?"+query, "")
		require.Equal(t, 200, got.status, "%s", got)
		switch shown := got.json(t)["unified"].([]any); {
		case methods == nil:
			assert.Len(t, shown, 1, query)
		case len(methods.([]any)) == 0:
			assert.Empty(t, shown, query)
		default:
			assert.Equal(t, methods, valueAt(shown, "0.methods"), query)
			assert.Len(t, valueAt(shown, "0.fields"), len(methods.([]any)), query)
		}
	}
	for _, query := range []string{"type=x", "methods=x", "methods=", "resource=x", "has_description=1", "limit=1", "type[]=unified"} {
		requireError(t, w.send(http.MethodGet, "/integration/acme/capabilities?"+query, ""), 400, "invalid_parameter")
	}
	requireError(t, w.send(http.MethodGet, "/integration/nobody/capabilities", ""), 404, "route_not_found")
}

func TestAnIntegrationShowsItsCapabilities(t *testing.T) {
	w := newWorld(t, nil)
	methods := valueAt(w.send(http.MethodGet, "/integration/acme", "").json(t), "resources.0.methods")
	assert.Equal(t, []any{"last_name", "account.id"}, valueAt(methods, "create.required_fields"))
	assert.Contains(t, valueAt(methods, "update.writable_fields"), "etag")
	assert.Equal(t, []any{"last_name", "created_at"}, valueAt(methods, "list.sort_keys"))
	assert.Equal(t, map[string]any{"field": "created_at", "operators": []any{"eq", "gte", "lt"}}, valueAt(methods, "list.filters.5"))
	assert.Equal(t, map[string]any{"atomic": false}, valueAt(methods, "upsert.upsert"))
	assert.EqualValues(t, 2, valueAt(methods, "merge.max_records"))
}

func TestTheGuideIsOneDocumentInThreeForms(t *testing.T) {
	hostile := `<script>alert(1)</script> | [x](javascript:y)` + "\n# no heading"
	w := newWorld(t, func(m *providerv1.HandshakeResponse, _ *Config) {
		m.AuthenticationMethods[0].CredentialsSchema = []byte(`{"type":"object","properties":{"api_key":{"type":"string","writeOnly":true,"description":` + fmt.Sprintf("%q", hostile) + `}},"required":["api_key"]}`)
	})
	plain := w.send(http.MethodGet, "/unified/meta/crm/acme", "").json(t)
	assert.Equal(t, []any{}, plain["pricing_plan"])
	assert.Equal(t, []any{}, plain["user_role"])
	assert.Equal(t, []any{}, plain["scopes"])
	md := w.send(http.MethodGet, "/unified/meta/crm/acme?format=md", "")
	assert.Equal(t, plain["instructions"], string(md.body))
	assert.Equal(t, "text/markdown; charset=utf-8", md.header.Get("Content-Type"))
	for _, line := range []string{
		"# Acme", "## contacts", "| merge | POST /unified/crm/contacts/merge | yes | at most 2 records at once |", "| delete | DELETE /unified/crm/contacts/{id} | yes | to a recycle bin; kept for 30 days; a second delete is 404 |",
		"| last_name | string | rs eq | r | rw! | rw! | | rw! | | r |", "| 10 | 1s | token |", `| api_key | yes | yes | \<script\>alert(1)\</script\> \| \[x\](javascript:y) \# no heading |`,
		"The vendor's documentation: <https://docs.acme.test/api>", "| upsert | POST /unified/crm/contacts/upsert | yes | two at once can make two records |",
	} {
		assert.Contains(t, strings.ReplaceAll(string(md.body), "|  |", "| |")+"\n", line+"\n")
	}
	page := w.send(http.MethodGet, "/unified/meta/crm/acme?format=html", "")
	assert.Equal(t, "text/html; charset=utf-8", page.header.Get("Content-Type"))
	assert.Contains(t, page.header.Get("Content-Security-Policy"), "sandbox")
	assert.NotContains(t, string(page.body), "<script")
	assert.Contains(t, string(page.body), "&lt;script&gt;alert(1)&lt;/script&gt; | [x](javascript:y) # no heading</td>")
	assert.Contains(t, string(page.body), `<a href="https://docs.acme.test/api">`)
	for _, query := range []string{"format=xml", "format=", "a=b"} {
		requireError(t, w.send(http.MethodGet, "/unified/meta/crm/acme?"+query, ""), 400, "invalid_parameter")
	}
	requireError(t, w.send(http.MethodGet, "/unified/meta/crm/nobody", ""), 404, "route_not_found")
}
