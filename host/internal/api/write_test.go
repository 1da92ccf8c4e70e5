package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/host/internal/unified"
	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/errs"
)

func wrote(record unified.Record) *unified.Result {
	return &unified.Result{Records: []unified.Record{record}}
}

func TestACreateReachesTheProviderWithEveryField(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.answers(wrote(unified.Record{"id": "5", "last_name": "Quill", "etag": "v1"}), nil)
	got := w.contacts(http.MethodPost, "", "remote_query[a]=b", `{
		"first_name": null, "last_name": "Quill \u00e9", "account": {"id": "9", "name": null}, "email_addresses": [{"email": "a@b.test", "type": null}, {"email": "c@d.test"}],
		"phone_numbers": [{"number": "1", "extension": "22", "type": "work"}], "addresses": [],
		"custom_fields": {"n": 9007199254740993, "f": 1.50, "x": null}, "created_at": "2024-05-01T12:00:00+02:00", "remote_data": {"z": 1e2}, "etag": null}`)
	require.Equal(t, 201, got.status, "%s", got)
	assert.Equal(t, `{"id":"5","first_name":null,"last_name":"Quill","account":null,"owner":null,"addresses":[],"email_addresses":[],"phone_numbers":[],"custom_fields":{},"created_at":null,"etag":"v1","remote_data":null}`, string(got.body))
	assert.Equal(t, `"v1"`, got.header.Get("ETag"))
	r := w.fake.requests()[0]
	assert.Equal(t, unified.Record{
		"last_name": "Quill é", "account": unified.Record{"id": "9"}, "email_addresses": []unified.Record{{"email": "a@b.test"}, {"email": "c@d.test"}},
		"phone_numbers": []unified.Record{{"number": "1", "extension": "22", "type": "work"}},
		"custom_fields": json.RawMessage(`{"n": 9007199254740993, "f": 1.50, "x": null}`), "remote_data": json.RawMessage(`{"z": 1e2}`),
		"created_at": r.Record["created_at"],
	}, r.Record)
	assert.Equal(t, "2024-05-01T10:00:00Z", unified.FormatInstant(r.Record["created_at"].(time.Time)))
	assert.Empty(t, r.Clear, "null means nothing on create")
	assert.Equal(t, []unified.Param{{Name: "a", Value: "b"}}, r.RemoteQuery)
	assert.False(t, r.DryRun || r.AllowLossy || r.WantAnswer)
}

func TestAnUpdateLeavesWhatIsAbsentAndEmptiesWhatIsNull(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.answers(wrote(contact("5")), nil)
	got := w.contacts(http.MethodPatch, "/5", "", `{"id": "5", "first_name": null, "account": {"id": null}, "phone_numbers": [], "email_addresses": [{"email": "a@b.test"}], "custom_fields": {}, "addresses": null, "remote_data": null}`)
	require.Equal(t, 200, got.status, "%s", got)
	r := w.fake.requests()[0]
	assert.Equal(t, "5", r.RecordID)
	assert.Equal(t, unified.Record{"email_addresses": []unified.Record{{"email": "a@b.test"}}}, r.Record)
	assert.ElementsMatch(t, []string{"first_name", "account", "phone_numbers", "addresses"}, r.Clear)

	w.fake.answers(wrote(contact("5")), nil)
	require.Equal(t, 200, w.contacts(http.MethodPatch, "/5", "", `{"custom_fields": null}`).status)
	assert.Equal(t, []string{"custom_fields"}, w.fake.requests()[0].Clear)
}

func TestAllProblemsOfABodyAreNamedAtOnceWhatIsMissingFirst(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.answers(wrote(contact("5")), nil)
	body := requireError(t, w.contacts(http.MethodPost, "", "", `{"first_name": 5, "nonsense": 1, "account": {"id": 7}, "email_addresses": [{"email": "a@b.test"}, {"mail": "x"}, "y", {}], "custom_fields": [], "created_at": "yesterday", "phone_numbers": {}, "last_name": ""}`), 400, "invalid_body")
	assert.Equal(t, []string{"last_name", "first_name", "nonsense", "account.id", "email_addresses[1].mail", "email_addresses[2]", "email_addresses[3]", "custom_fields", "created_at", "phone_numbers"}, failures(body))
	assert.Equal(t, []any{"last_name"}, valueAt(body, "truto_error_insight.missing_required_body_fields.value"), "account.id is wrong rather than missing")
	for _, name := range failures(body) {
		assert.Contains(t, body["message"], name)
	}

	body = requireError(t, w.contacts(http.MethodPost, "", "", `{"account": {"id": null}}`), 400, "invalid_body")
	assert.Equal(t, []any{"last_name", "account.id"}, valueAt(body, "truto_error_insight.missing_required_body_fields.value"))
	body = requireError(t, w.contacts(http.MethodPatch, "/5", "", `{"last_name": null}`), 400, "invalid_body")
	assert.Equal(t, []string{"last_name"}, failures(body))
	requireError(t, w.contacts(http.MethodPatch, "/5", "", `{"last_name": ""}`), 400, "invalid_body")
	assert.Empty(t, w.fake.requests())
}

func TestBodiesThatAreNoneAreRefused(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.answers(wrote(contact("5")), nil)
	for body, says := range map[string]string{
		`[]`: "the body is not a JSON object", `{`: "the body is not JSON", ` `: "the body is empty", `{"last_name":"a"} {}`: "the body is more than one JSON value", `null`: "not a JSON object",
		`{"last_name":"a","last_name":"b"}`: "last_name is there more than once", `{"custom_fields":{"a":[{"b":1,"\u0062":2}]}}`: "custom_fields.a[0].b is there more than once",
		"{\"last_name\":\"\xff\"}": "is not UTF-8", `{"last_name":"\ud800"}`: "half a surrogate pair", `{}`: "names nothing to write", `{"custom_fields":{},"remote_data":{}}`: "names nothing to write",
		`{"etag":"1"}`: "names nothing to write", `{"id":"6","first_name":"a"}`: "id is not the id in the path", `{"id":null,"first_name":"a"}`: "id is not the id in the path", `{"account":{}}`: "send null to empty it",
	} {
		got := requireError(t, w.contacts(http.MethodPatch, "/5", "", body), 400, "invalid_body")
		assert.Contains(t, got["message"], says, body)
		assert.NotEmpty(t, failures(got), body)
	}
	requireError(t, w.contacts(http.MethodPatch, "/5", "", `{"first_name":"a"}`, "Content-Type", "text/plain"), 415, "unsupported_media_type")
	requireError(t, w.contacts(http.MethodPatch, "/5", "", ""), 415, "unsupported_media_type")
	requireError(t, w.contacts(http.MethodPatch, "/5", "", `{"first_name":"`+strings.Repeat("a", maxBody)+`"}`), 413, "body_too_large")
	requireError(t, w.contacts(http.MethodPatch, "/abc", "", `{"first_name":"a"}`), 404, "invalid_id")
	many := requireError(t, w.contacts(http.MethodPatch, "/5", "", `{"email_addresses":[`+strings.Repeat(`1,`, 5000)+`1]}`), 400, "invalid_body")
	assert.Len(t, failures(many), 101)
	assert.Contains(t, fmt.Sprint(valueAt(many, "details.failures.100.message")), "401 further problems")
	assert.Empty(t, w.fake.requests())
}

func TestWhatTheProviderHasNoPlaceForIsRefusedOrLeftOutAndTold(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.does(func(_ context.Context, r unified.Request) (*unified.Result, error) {
		result := wrote(contact("5"))
		result.Warnings = []unified.Warning{{Field: "email_addresses[1].email", Message: "there is one slot"}}
		return result, nil
	})
	body := `{"title": "Dr", "name": null, "urls": null, "last_name": "Q", "account": {"id": "1", "name": "Ink"}, "email_addresses": [{"email": "a@b.test", "type": "work"}, {"type": "home"}, {"email": "c@d.test"}], "updated_at": "2024-01-01T00:00:00Z"}`
	refused := requireError(t, w.contacts(http.MethodPatch, "/5", "", body), 422, "lossy_write")
	left := []string{"title", "account.name", "email_addresses[0].type", "email_addresses[1].type", "updated_at"} // name and urls are empty anyway
	assert.Equal(t, append(slices.Clone(left), "email_addresses[2].email"), failures(refused), "with what only the plugin can tell: its second address is the caller's third")
	require.Len(t, w.fake.requests(), 1)
	assert.True(t, w.fake.requests()[0].DryRun, "nothing was sent to find that out")

	got := w.contacts(http.MethodPatch, "/5", "truto_allow_lossy=true", body)
	require.Equal(t, 200, got.status, "%s", got)
	r := w.fake.requests()[1]
	assert.True(t, r.AllowLossy)
	assert.False(t, r.DryRun)
	assert.Equal(t, unified.Record{"last_name": "Q", "account": unified.Record{"id": "1"}, "email_addresses": []unified.Record{{"email": "a@b.test"}, {"email": "c@d.test"}}}, r.Record)
	assert.Empty(t, r.Clear)
	var fields []string
	for _, warning := range got.json(t)["warnings"].([]any) {
		fields = append(fields, valueAt(warning, "field").(string))
		assert.NotEmpty(t, valueAt(warning, "message"))
	}
	assert.Equal(t, append(left, "email_addresses[2].email"), fields, "the plugin's second address is the caller's third")
	assert.True(t, strings.HasSuffix(string(got.body), "}]}"), "warnings come last")

	requireError(t, w.contacts(http.MethodPatch, "/5", "truto_allow_lossy=true", `{"title": "Dr"}`), 422, "lossy_write")
	raw := w.contacts(http.MethodPatch, "/5", "truto_allow_lossy=true&truto_response_format=raw", `{"title": "Dr", "last_name": "Q"}`)
	assert.Equal(t, "title, email_addresses[1].email", raw.header.Get("Unicrm-Warnings"))

	w.fake.answers(nil, &errs.Error{Reason: errs.VendorRejected, Message: "no", Vendor: &errs.VendorAnswer{Status: 422, Body: []byte(`{}`)}, Fields: []errs.Field{{Path: "email_addresses[1].email", Description: "is not valid"}, {Path: "last_name", Description: "is too long"}}})
	body422 := requireError(t, w.contacts(http.MethodPatch, "/5", "truto_allow_lossy=true", body), 422, "vendor_rejected")
	assert.Equal(t, []string{"email_addresses[2].email", "last_name"}, failures(body422))
	for _, read := range []string{"", "/5"} {
		requireError(t, w.contacts(http.MethodGet, read, "truto_allow_lossy=true", ""), 400, "invalid_parameter")
		requireError(t, w.contacts(http.MethodGet, read, "truto_dry_run=true", ""), 400, "invalid_parameter")
	}
}

func TestAVersionGuardsAnUpdateAndNothingElse(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.answers(wrote(contact("5")), nil)
	for _, c := range []struct{ body, header, want string }{
		{`{"first_name":"a"}`, `"v1"`, "v1"},
		{`{"first_name":"a"}`, `W/"v1"`, "v1"},
		{`{"first_name":"a"}`, `v1`, "v1"},
		{`{"first_name":"a"}`, `*`, ""},
		{`{"first_name":"a","etag":"v1"}`, ``, "v1"},
		{`{"first_name":"a","etag":"v1"}`, `"v1"`, "v1"},
		{`{"first_name":"a","etag":"v1"}`, `*`, "v1"},
		{`{"first_name":"a","etag":null}`, ``, ""},
	} {
		w.fake.answers(wrote(contact("5")), nil)
		var header []string
		if c.header != "" {
			header = []string{"If-Match", c.header}
		}
		got := w.contacts(http.MethodPatch, "/5", "", c.body, header...)
		require.Equal(t, 200, got.status, "%s", got)
		r := w.fake.requests()[0]
		assert.Equal(t, c.want, r.ETag, "%s with %s", c.body, c.header)
		assert.NotContains(t, r.Record, "etag")
	}
	w.fake.answers(wrote(contact("5")), nil)
	requireError(t, w.contacts(http.MethodPatch, "/5", "", `{"first_name":"a","etag":"v1"}`, "If-Match", `"v2"`), 400, "invalid_body")
	for _, header := range []string{`"v1", "v2"`, `""`, `"v1`, `W/`} {
		requireError(t, w.contacts(http.MethodPatch, "/5", "", `{"first_name":"a"}`, "If-Match", header), 400, "invalid_parameter")
	}
	requireError(t, w.contacts(http.MethodPatch, "/5", "", `{"first_name":"a","etag":""}`), 400, "invalid_body")
	requireError(t, w.contacts(http.MethodPatch, "/5", "", `{"first_name":"a","etag":5}`), 400, "invalid_body")

	create := `{"last_name":"Q","account":{"id":"1"},"email_addresses":[{"email":"a@b.test"}]%s}`
	for _, other := range []struct{ method, path, body string }{
		{http.MethodPost, "", create},
		{http.MethodPost, "/upsert", create},
		{http.MethodDelete, "/5", "{%s}"},
		{http.MethodPost, "/batch-delete", `{"id":["1"]%s}`},
		{http.MethodPost, "/merge", `{"master_record":{"id":"1"},"duplicate_records":[{"id":"2"}]%s}`},
	} {
		body := requireError(t, w.contacts(other.method, other.path, "", fmt.Sprintf(other.body, ""), "If-Match", `"v1"`), 400, "unsupported")
		assert.Equal(t, []any{"If-Match"}, valueAt(body, "truto_error_insight.unsupported_headers.value"))
		comma := ","
		if other.method == http.MethodDelete {
			comma = ""
		}
		body = requireError(t, w.contacts(other.method, other.path, "", fmt.Sprintf(other.body, comma+`"etag":"v1"`)), 400, "unsupported")
		assert.Equal(t, []any{"etag"}, valueAt(body, "truto_error_insight.unsupported_body_fields.value"))
	}
	assert.Empty(t, w.fake.requests())

	without := newWorld(t, func(m *providerv1.HandshakeResponse, _ *Config) {
		method(m, providerv1.Method_METHOD_UPDATE).WritableFields = []string{"first_name"}
	})
	without.fake.answers(wrote(contact("5")), nil)
	requireError(t, without.contacts(http.MethodPatch, "/5", "", `{"first_name":"a"}`, "If-Match", `"v1"`), 400, "unsupported")
	body := requireError(t, without.contacts(http.MethodPatch, "/5", "", `{"first_name":"a","etag":"v1"}`), 400, "unsupported")
	assert.Contains(t, body["message"], "Acme")
	assert.Empty(t, without.fake.requests())
}

func TestAVendorsDuplicateNamesTheRecordThatIsThere(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.answers(nil, &errs.Error{Reason: errs.VendorConflict, Message: "the address is taken", ExistingID: "77", Vendor: &errs.VendorAnswer{Status: 400, Body: []byte(`{}`)}})
	body := requireError(t, w.contacts(http.MethodPost, "", "", `{"last_name":"Q","account":{"id":"1"}}`), 409, "vendor_conflict")
	assert.Equal(t, "77", body["existing_id"])
	assert.Equal(t, true, body["truto_is_remote_error"])
}

func TestAnUpsertTellsWhatItDidAndWhetherItCanRace(t *testing.T) {
	w := newWorld(t, nil)
	result := wrote(contact("5"))
	result.Created, result.Warnings = true, []unified.Warning{{Field: "title", Message: "left out"}}
	w.fake.answers(result, nil)
	got := w.contacts(http.MethodPost, "/upsert", "truto_ignore_remote_data=true&truto_exclude_fields=account,owner,addresses,email_addresses,phone_numbers,custom_fields,created_at,etag,first_name", `{"first_name":null,"email_addresses":[{"email":"a@b.test"}]}`)
	require.Equal(t, 201, got.status, "%s", got)
	assert.Equal(t, `{"result":{"id":"5","last_name":"Quill 5"},"outcome":"created","atomic":false,"warnings":[{"field":"title","message":"left out"}]}`, string(got.body))
	assert.Equal(t, []string{"first_name"}, w.fake.requests()[0].Clear)
	w.fake.answers(wrote(contact("5")), nil)
	updated := w.contacts(http.MethodPost, "/upsert", "", `{"email_addresses":[{"email":"a@b.test"}]}`)
	assert.Equal(t, 200, updated.status)
	assert.Equal(t, "updated", updated.json(t)["outcome"])

	w.fake.answers(wrote(contact("5")), nil)
	for body, missing := range map[string]string{`{"last_name":"Q"}`: "email_addresses", `{"email_addresses":[]}`: "email_addresses", `{"email_addresses":[{"email":""}]}`: "email_addresses[0].email"} {
		e := requireError(t, w.contacts(http.MethodPost, "/upsert", "", body), 400, "invalid_body")
		assert.Equal(t, []any{missing}, valueAt(e, "truto_error_insight.missing_required_body_fields.value"), body)
	}
	assert.Empty(t, w.fake.requests())
}

func TestADryRunTellsWhatWouldBeSentAfterWholeValidation(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.does(func(_ context.Context, r unified.Request) (*unified.Result, error) {
		require.True(t, r.DryRun)
		return &unified.Result{Requests: []unified.VendorRequest{
			{Method: "GET", URL: "https://api.acme.test/look?e=a%40b"},
			{Method: "POST", URL: "https://api.acme.test/a%2Fb/people", Body: []byte(`{"n": 9007199254740993}`), Main: true},
			{Method: "PUT", URL: "https://api.acme.test/x", Body: []byte("a=1&b=2")},
		}, Warnings: []unified.Warning{{Field: "phone_numbers[1]", Message: "one slot"}}}, nil
	})
	want := `{"dry_run":true,"requests":[` +
		`{"method":"GET","path":"/look","query":"e=a%40b","url":"https://api.acme.test/look?e=a%40b","main":false},` +
		`{"method":"POST","path":"/a%2Fb/people","query":"","url":"https://api.acme.test/a%2Fb/people","body":{"n":9007199254740993},"main":true},` +
		`{"method":"PUT","path":"/x","query":"","url":"https://api.acme.test/x","body":"a=1&b=2","main":false}],` +
		`"warnings":[{"field":"phone_numbers[1]","message":"one slot"}]}` + "\n"
	for _, write := range []struct{ method, path, body string }{
		{http.MethodPost, "", `{"last_name":"Q","account":{"id":"1"}}`},
		{http.MethodPatch, "/5", `{"last_name":"Q"}`},
		{http.MethodDelete, "/5", ""},
		{http.MethodPost, "/upsert", `{"email_addresses":[{"email":"a@b.test"}]}`},
		{http.MethodPost, "/batch-delete", `{"id":["1","2"]}`},
		{http.MethodPost, "/merge", `{"master_record":{"id":"1"},"duplicate_records":[{"id":"2"}]}`},
	} {
		for _, format := range []string{"", "&truto_response_format=debug"} {
			got := w.contacts(write.method, write.path, "truto_dry_run=true"+format, write.body)
			require.Equal(t, 200, got.status, "%s %s: %s", write.method, write.path, got)
			assert.Equal(t, want, string(got.body), "%s %s", write.method, write.path)
		}
	}
	w.fake.answers(nil, nil)
	requireError(t, w.contacts(http.MethodPost, "", "truto_dry_run=true", `{"title":"x"}`), 400, "invalid_body")
	requireError(t, w.contacts(http.MethodPatch, "/5", "truto_dry_run=true", `{"title":"x"}`), 422, "lossy_write")
	assert.Empty(t, w.fake.requests())
	w.fake.answers(&unified.Result{}, nil)
	partly := w.contacts(http.MethodPost, "/batch-delete", "truto_dry_run=true", `{"id":["1","x"]}`).json(t)
	assert.Equal(t, "id[1]", valueAt(partly, "warnings.0.field"), "an id that cannot be is told")
	lossy := w.contacts(http.MethodPatch, "/5", "truto_dry_run=true&truto_allow_lossy=true", `{"title":"x","last_name":"Q"}`).json(t)
	assert.Equal(t, "title", valueAt(lossy, "warnings.0.field"))
}

func TestAWriteOfUnknownOutcomeIs500ForPostAndPatchAnd502ForDelete(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.answers(nil, errs.New(errs.OutcomeUnknown, "cut"))
	requireError(t, w.contacts(http.MethodPost, "", "", `{"last_name":"Q","account":{"id":"1"}}`), 500, "outcome_unknown")
	requireError(t, w.contacts(http.MethodPatch, "/5", "", `{"last_name":"Q"}`), 500, "outcome_unknown")
	requireError(t, w.contacts(http.MethodPost, "/upsert", "", `{"email_addresses":[{"email":"a@b.test"}]}`), 500, "outcome_unknown")
	requireError(t, w.contacts(http.MethodPost, "/merge", "", `{"master_record":{"id":"1"},"duplicate_records":[{"id":"2"}]}`), 500, "outcome_unknown")
	requireError(t, w.contacts(http.MethodPost, "/batch-delete", "", `{"id":["1"]}`), 500, "outcome_unknown")
	requireError(t, w.contacts(http.MethodDelete, "/5", "", ""), 502, "outcome_unknown")
	w.fake.answers(&unified.Result{}, nil)
	requireError(t, w.contacts(http.MethodPost, "", "", `{"last_name":"Q","account":{"id":"1"}}`), 500, "plugin_bug")
	w.fake.answers(nil, errs.New(errs.UnexpectedVendorAnswer, "made, and not told what"))
	requireError(t, w.contacts(http.MethodPost, "", "", `{"last_name":"Q","account":{"id":"1"}}`), 500, "unexpected_vendor_answer")
	requireError(t, w.contacts(http.MethodGet, "/5", "", ""), 502, "unexpected_vendor_answer")
}

func TestAMergeTakesAMasterAndItsDuplicates(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.answers(wrote(contact("1")), nil)
	got := w.contacts(http.MethodPost, "/merge", "", `{"master_record":{"id":"1"},"duplicate_records":[{"id":"2"},{"id":"3"}]}`)
	require.Equal(t, 200, got.status, "%s", got)
	assert.Equal(t, "1", valueAt(got.json(t), "result.id"))
	r := w.fake.requests()[0]
	assert.Equal(t, "1", r.MasterID)
	assert.Equal(t, []string{"2", "3"}, r.DuplicateIDs)

	w.fake.answers(wrote(contact("1")), nil)
	for body, fields := range map[string][]string{
		`{}`: {"master_record.id", "duplicate_records"}, `{"master_record":{"id":"1"}}`: {"duplicate_records"}, `{"master_record":{"id":"1"},"duplicate_records":[]}`: {"duplicate_records"},
		`{"master_record":{"id":"1"},"duplicate_records":[{"id":"2"},{"id":"1"},{"id":"2"}]}`: {"duplicate_records"},
		`{"master_record":{"id":"1"},"duplicate_records":[{"id":"2"},{"id":"2"}]}`:            {"duplicate_records[1].id"},
		`{"master_record":{"id":"1"},"duplicate_records":[{"id":"1"}]}`:                       {"duplicate_records[0].id"},
		`{"master_record":{"id":"1"},"duplicate_records":[{"id":2},{}]}`:                      {"duplicate_records[0].id", "duplicate_records[1]"},
		`{"master_record":{"id":"1","x":1},"duplicate_records":"2","more":1}`:                 {"master_record.x", "duplicate_records", "more"},
	} {
		assert.Equal(t, fields, failures(requireError(t, w.contacts(http.MethodPost, "/merge", "", body), 400, "invalid_body")), body)
	}
	requireError(t, w.contacts(http.MethodPost, "/merge", "", `{"master_record":{"id":"x"},"duplicate_records":[{"id":"2"}]}`), 404, "invalid_id")
	requireError(t, w.contacts(http.MethodPost, "/merge", "", `{"master_record":{"id":"1"},"duplicate_records":[{"id":"x"}]}`), 404, "invalid_id")
	assert.Empty(t, w.fake.requests())
}

func TestMethodsThatTheProviderLacksAreRefusedWithThoseItHas(t *testing.T) {
	w := newWorld(t, func(m *providerv1.HandshakeResponse, _ *Config) {
		m.GetResources()[0].Methods = m.GetResources()[0].GetMethods()[:2]
	})
	body := requireError(t, w.contacts(http.MethodPost, "/merge", "", `{}`), 400, "unsupported")
	assert.Equal(t, "Acme does not support merge for contacts; it has list, get", body["message"])
}

func TestTheAllowHeaderNamesTheMethodsOfEveryRouteThatMatches(t *testing.T) {
	w := newWorld(t, nil)
	for path, want := range map[string]string{
		"/unified/crm/contacts/merge": "GET, POST, PATCH, DELETE", "/unified/crm/contacts/5": "GET, PATCH, DELETE", "/unified/crm/contacts": "GET, POST",
		"/unified/crm/contacts/meta/list": "GET", "/unified/crm/contacts/acme/meta/list": "GET",
	} {
		got := w.send(http.MethodPut, path, "")
		requireError(t, got, 405, "method_not_allowed")
		assert.Equal(t, want, got.header.Get("Allow"), path)
	}
	requireError(t, w.send(http.MethodPost, "/unified/crm/contacts/5", ""), 405, "method_not_allowed")
	requireError(t, w.contacts(http.MethodGet, "/batch-delete", "", ""), 404, "invalid_id")
	requireError(t, w.contacts(http.MethodPatch, "/upsert", "", `{"first_name":"a"}`), 404, "invalid_id")
}
