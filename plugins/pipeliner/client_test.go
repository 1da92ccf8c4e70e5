package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	kit "github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

func TestServiceURLIsTakenAsPeoplePasteIt(t *testing.T) {
	const regional = "https://eu-central.api.pipelinersales.com/api/v100/rest/spaces/nv3_Name/entities"
	cases := map[string]string{
		"https://eu-central.api.pipelinersales.com":                                         regional,
		"https://eu-central.api.pipelinersales.com/":                                        regional,
		"http://eu-central.api.pipelinersales.com":                                          regional,
		"eu-central.api.pipelinersales.com":                                                 regional,
		"eu-central.api.pipelinersales.com/":                                                regional,
		"eu-central.api.pipelinersales.com/api":                                             regional,
		"eu-central.api.pipelinersales.com/api/":                                            regional,
		"https://eu-central.api.pipelinersales.com/api/v100/rest/spaces/other_Id/entities/": regional,
		"  HTTPS://EU-Central.API.PipelinerSales.com\n":                                     regional,
		"us-east.pipelinersales.com":                                                        "https://us-east.pipelinersales.com/api/v100/rest/spaces/nv3_Name/entities",
	}
	for given, want := range cases {
		got, err := spaceURL(given, "nv3_Name")
		require.NoError(t, err, "%q", given)
		assert.Equal(t, want, got, "%q", given)
	}
}

func TestServiceURLCannotLeadElsewhere(t *testing.T) {
	for _, given := range []string{
		"", " ", "https://", "eu-central", "evil.test", "https://evil.test/eu-central.api.pipelinersales.com",
		"https://eu-central.api.pipelinersales.com.evil.test", "https://evil.test#.pipelinersales.com", "https://evil.test?.pipelinersales.com",
		"https://evilpipelinersales.com", "https://pipelinersales.com", "https://.pipelinersales.com", "https://a.b.pipelinersales.com",
		"https://user:secret@eu-central.api.pipelinersales.com", "https://eu-central.api.pipelinersales.com@evil.test",
		"https://eu-central.api.pipelinersales.com:8443", "https://eu-central.api.pipelinersales.com:443",
		"https://eu-central.api.pipelinersales.com?x=1", "https://eu-central.api.pipelinersales.com/#x", "https://eu-central.api.pipelinersales.com/?",
		"https://crm.pipelinersales.com/space/view", "https://eu-central.api.pipelinersales.com/apix",
		"ftp://eu-central.api.pipelinersales.com", "//eu-central.api.pipelinersales.com", "https:/eu-central.api.pipelinersales.com",
		`https://evil.test\.pipelinersales.com`, "https://evil.test%2f.pipelinersales.com", "https://eu%2dcentral.api.pipelinersales.com",
		"https://127.0.0.1", "https://[::1]", "https://eu-central.api.pipelinersales.com\r\nX: y", "https://еu-central.api.pipelinersales.com", // a Cyrillic e
	} {
		_, err := spaceURL(given, "nv3_Name")
		e := providertest.RequireReason(t, err, errs.InvalidParameter)
		assert.Equal(t, "service_url", e.Fields[0].Path)
		assert.NotContains(t, e.Message, "secret", "what was given is not repeated")
	}
}

func TestSpaceIDsHaveUnderscoresAndNothingThatEndsASegment(t *testing.T) {
	for _, id := range []string{"nv3_Name", "fr_Name", "a-b", "42"} {
		base, err := spaceURL("eu-central.api.pipelinersales.com", id)
		require.NoError(t, err)
		assert.Contains(t, base, "/spaces/"+id+"/entities")
	}
	for _, id := range []string{"", " ", ".", "..", "a/b", "a%2Fb", "a?b", "a#b", "a b", "a\n", "../../x", "ä"} {
		_, err := spaceURL("eu-central.api.pipelinersales.com", id)
		e := providertest.RequireReason(t, err, errs.InvalidParameter)
		assert.Equal(t, "space_id", e.Fields[0].Path)
	}
}

func TestWrongCredentialsFailBeforeAnyCall(t *testing.T) {
	k := start(t, nil)
	for name, value := range map[string]string{"service_url": "https://evil.test", "space_id": "../x"} {
		credentials := k.Emulator.Context()
		delete(credentials, "base_url")
		credentials[name] = value
		_, err := getContact(providertest.Context(t), k.CallWith(t, credentials), plain)
		providertest.RequireReason(t, err, errs.InvalidParameter)
	}
	assert.Empty(t, k.Emulator.Calls())
}

func TestTheKeyGoesInTheHeaderAndTheTimezoneDoesNot(t *testing.T) {
	k := start(t, nil)
	_, err := getContact(providertest.Context(t), k.Call(t), plain)
	require.NoError(t, err)
	call := k.Emulator.Calls()[0]
	credentials := k.Emulator.Context()
	key := credentials["username"].(string) + ":" + credentials["password"].(string)
	assert.Equal(t, "Basic "+base64.StdEncoding.EncodeToString([]byte(key)), call.Headers.Get("Authorization"))
	assert.Equal(t, "application/json", call.Headers.Get("Accept"))
	assert.Empty(t, call.Headers.Get("Timezone"), "without it all times are in UTC")
	assert.NotContains(t, call.Path+call.Query, credentials["password"].(string))
}

func TestAnEchoOfTheKeyIsStruckOut(t *testing.T) {
	k := start(t, nil)
	joined := base64.StdEncoding.EncodeToString([]byte(k.Emulator.Context()["username"].(string) + ":" + k.Emulator.Context()["password"].(string)))
	body, err := json.Marshal(map[string]any{"success": false, "http_status": 500, "message": "header Basic " + joined})
	require.NoError(t, err)
	require.NoError(t, k.Emulator.Inject(kit.Match{}, kit.Fault{Status: 500, Body: body}, -1))
	_, err = getContact(providertest.Context(t), k.Call(t), plain)
	e := providertest.RequireReason(t, err, errs.VendorUnavailable)
	assert.NotContains(t, e.Message, joined)
	assert.NotContains(t, string(e.Vendor.Body), joined)
}

func TestErrorBodiesOfEveryShape(t *testing.T) {
	cases := []struct {
		name    string
		status  int
		body    string
		reason  errs.Reason
		message string // "" leaves it to the status
	}{
		{"the usual body", 400, `{"code":117,"name":"ERROR_PARAMETER_INVALID","message":"no body","http_status":400,"success":false}`, errs.VendorRejected, "no body"},
		{"several messages in lines, the first empty", 422, `{"code":40000,"name":"ERROR_ENTITY_VALIDATION","message":"\nfirst\nsecond","entity_errors":[],"success":false,"http_status":422}`, errs.VendorRejected, "first second"},
		{"nothing but what is always there", 500, `{"http_status":500,"success":false}`, errs.VendorUnavailable, ""},
		{"a name without a message", 409, `{"name":"ERROR_X","http_status":409,"success":false}`, errs.VendorConflict, "ERROR_X"},
		{"a name that is no text, a message that is null", 403, `{"name":{},"message":null,"success":false}`, errs.VendorForbidden, ""},
		{"no route", 404, `{"status":404,"message":"The requested URL was not found on the server.","errorcode":null,"traceback":null}`, errs.RecordNotFound, "The requested URL was not found on the server."},
		{"the HTTP status goes before the one in the body", 401, `{"http_status":404,"success":false,"message":"who?"}`, errs.VendorUnauthenticated, "who?"},
		{"unknown collection by code", 404, `{"code":2006,"http_status":404,"success":false}`, errs.PluginBug, "Pipeliner does not know the collection that the plugin asked for"},
		{"unknown collection by name", 404, `{"name":"ERROR_UNKNOWN_TYPE","http_status":404,"success":false}`, errs.PluginBug, "Pipeliner does not know the collection that the plugin asked for"},
		{"a message of HTML is none", 400, `{"message":"<html><body>x</body></html>","success":false,"http_status":400}`, errs.VendorRejected, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			e := explain(&vendorhttp.Response{Status: c.status, Header: http.Header{}, Body: []byte(c.body)})
			require.NotNil(t, e)
			assert.Equal(t, errs.Name(c.reason), errs.Name(e.Reason))
			assert.Equal(t, c.message, e.Message)
		})
	}
	for _, body := range []string{"", "Unauthorized", "<html>", "[]", `"text"`, "7"} {
		assert.Nil(t, explain(&vendorhttp.Response{Status: 401, Header: http.Header{}, Body: []byte(body)}), "%q is left to the status", body)
	}
}

func TestSuccessFalseIsAFailureWithTheStatusInTheBody(t *testing.T) {
	cases := []struct {
		body   string
		reason errs.Reason
		status int
	}{
		{`{"success":false,"http_status":404,"message":"gone"}`, errs.RecordNotFound, 404},
		{`{"success":false,"http_status":"404"}`, errs.RecordNotFound, 404},
		{`{"success":false,"http_status":401}`, errs.VendorUnauthenticated, 401},
		{`{"success":false,"http_status":403}`, errs.VendorForbidden, 403},
		{`{"success":false,"http_status":409}`, errs.VendorConflict, 409},
		{`{"success":false,"http_status":418}`, errs.VendorRejected, 418},
		{`{"success":false,"http_status":422,"code":1,"name":"ERROR_X"}`, errs.VendorRejected, 422},
		{`{"success":false,"http_status":429}`, errs.VendorRateLimited, 429},
		{`{"success":false,"http_status":503}`, errs.VendorUnavailable, 503},
		{`{"success":false,"http_status":599}`, errs.VendorUnavailable, 599},
		{`{"success":"false","http_status":404}`, errs.RecordNotFound, 404},
		{`{"success":false}`, errs.UnexpectedVendorAnswer, 502},
		{`{"success":false,"http_status":null}`, errs.UnexpectedVendorAnswer, 502},
		{`{"success":false,"http_status":200}`, errs.UnexpectedVendorAnswer, 502},
		{`{"success":false,"http_status":302}`, errs.UnexpectedVendorAnswer, 502},
		{`{"success":false,"http_status":600}`, errs.UnexpectedVendorAnswer, 502},
		{`{"success":false,"http_status":-404}`, errs.UnexpectedVendorAnswer, 502},
		{`{"success":false,"http_status":"soon"}`, errs.UnexpectedVendorAnswer, 502},
		{`{"success":false,"http_status":{}}`, errs.UnexpectedVendorAnswer, 502},
		// What a delete echoes does not make it a success.
		{`{"success":false,"data":"` + plain + `"}`, errs.UnexpectedVendorAnswer, 502},
	}
	k := start(t, nil)
	for _, c := range cases {
		for _, method := range []string{"list", "get", "delete", "check"} {
			t.Run(method+" "+c.body, func(t *testing.T) {
				require.NoError(t, k.Emulator.Inject(kit.Match{}, kit.Fault{Status: 200, Body: json.RawMessage(c.body)}, 1))
				err := do(t, k.Call(t), method)
				var e *errs.Error
				require.ErrorAs(t, err, &e)
				want := c.reason
				if want == errs.RecordNotFound && (method == "list" || method == "check") {
					want = errs.VendorRejected // see TestACollectionThatIsNotFoundIsTheSpaces
				}
				assert.Equal(t, errs.Name(want), errs.Name(e.Reason))
				assert.Equal(t, c.status, e.HTTPStatus(), "the status that the caller sees")
				assert.NotEmpty(t, e.Message)
				require.NotNil(t, e.Vendor, "the vendor's answer is attached")
				assert.JSONEq(t, c.body, string(e.Vendor.Body))
			})
		}
	}
	for _, body := range []string{"", "x", "[]", "7", `{}`, `{"success":true}`, `{"success":null}`, `{"data":null}`} {
		assert.Nil(t, failure(&vendorhttp.Response{Status: 200, Header: http.Header{}, Body: []byte(body)}), "%q", body)
	}
}

func TestAnUnknownCollectionIsOurMistake(t *testing.T) {
	for _, method := range []string{"list", "get", "delete", "check"} {
		k := start(t, nil)
		require.NoError(t, k.Emulator.Inject(kit.Match{}, providertest.Fault(t, exchanges, "unknown-collection"), -1))
		providertest.RequireReason(t, do(t, k.Call(t), method), errs.PluginBug)
	}
}

func TestACollectionThatIsNotFoundIsTheSpaces(t *testing.T) {
	k := start(t, nil)
	for _, name := range []string{"unknown-route", "contacts-get-unknown"} {
		for _, method := range []string{"list", "check"} {
			require.NoError(t, k.Emulator.Inject(kit.Match{}, providertest.Fault(t, exchanges, name), 1))
			e := providertest.RequireReason(t, do(t, k.Call(t), method), errs.VendorRejected)
			assert.Equal(t, 404, e.HTTPStatus())
			assert.Contains(t, e.Message, "space_id")
		}
	}
}

func TestTheConnectionIsCheckedByOneContact(t *testing.T) {
	k := start(t, nil)
	require.NoError(t, checkConnection(providertest.Context(t), k.Call(t)))
	require.Len(t, k.Emulator.Calls(), 1)
	assert.Equal(t, "first=1", k.Emulator.Calls()[0].Query)
}

func TestARefusedKeyIsTheAccountsFault(t *testing.T) {
	for _, body := range []string{"error", "text", "empty"} {
		k := start(t, map[string]string{"unauthorized_body": body})
		credentials := k.Emulator.Context()
		delete(credentials, "base_url")
		credentials["password"] = "wrong-password-0123456789"
		for _, method := range []string{"list", "get", "delete", "check"} {
			e := providertest.RequireReason(t, do(t, k.CallWith(t, credentials), method), errs.VendorUnauthenticated)
			assert.NotContains(t, e.Error(), "wrong-password")
			assert.Equal(t, 401, e.HTTPStatus())
		}
	}
}

func TestAnotherSpaceThanTheKeys(t *testing.T) {
	for value, reason := range map[string]errs.Reason{"401": errs.VendorUnauthenticated, "403": errs.VendorForbidden, "404": errs.VendorRejected} {
		k := start(t, map[string]string{"wrong_space": value})
		credentials := k.Emulator.Context()
		delete(credentials, "base_url")
		credentials["space_id"] = "other_Space"
		providertest.RequireReason(t, do(t, k.CallWith(t, credentials), "check"), reason)
	}
}

func TestAMissingPermissionIsSaid(t *testing.T) {
	k := start(t, map[string]string{"permission": "read_only"})
	require.NoError(t, do(t, k.Call(t), "get"))
	e := providertest.RequireReason(t, do(t, k.Call(t), "delete"), errs.VendorForbidden)
	assert.Equal(t, 403, e.HTTPStatus())
}

func TestRateLimits(t *testing.T) {
	t.Run("Retry-After beyond the call's time is passed on", func(t *testing.T) {
		t.Parallel()
		k := start(t, map[string]string{"rate_limit": "0", "rate_limit_headers": "retry_after"})
		e := providertest.RequireReason(t, do(t, k.Call(t), "list"), errs.VendorRateLimited)
		assert.Positive(t, e.RetryAfter)
		assert.Len(t, k.Emulator.Calls(), 1)
	})
	t.Run("Retry-After that fits is waited for", func(t *testing.T) {
		t.Parallel()
		k := start(t, nil)
		fault := providertest.Fault(t, exchanges, "rate-limited-retry-after")
		fault.Headers = map[string]string{"Content-Type": "application/json", "Retry-After": "0"}
		require.NoError(t, k.Emulator.Inject(kit.Match{}, fault, 1))
		require.NoError(t, do(t, k.Call(t), "delete"))
		assert.Len(t, k.Emulator.Calls(), 2)
	})
	t.Run("without it the waits grow and end", func(t *testing.T) {
		t.Parallel()
		k := start(t, map[string]string{"rate_limit": "0"})
		e := providertest.RequireReason(t, do(t, k.Call(t), "get"), errs.VendorRateLimited)
		assert.Equal(t, 429, e.HTTPStatus())
		assert.Len(t, k.Emulator.Calls(), 4, "the first try and three more")
	})
}

func TestTheManifestIsComplete(t *testing.T) {
	var schema struct {
		Properties map[string]struct {
			WriteOnly          bool `json:"writeOnly"`
			Title, Description string
		}
		Required             []string
		AdditionalProperties *bool
	}
	require.NoError(t, json.Unmarshal(provider.Authentication[0].Schema, &schema))
	require.NotNil(t, schema.AdditionalProperties)
	assert.False(t, *schema.AdditionalProperties)
	assert.ElementsMatch(t, []string{"service_url", "space_id", "username", "password"}, schema.Required)
	for name, property := range schema.Properties {
		assert.NotEmpty(t, property.Title, name)
		assert.NotEmpty(t, property.Description, name)
		assert.Equal(t, name == "username" || name == "password", property.WriteOnly, name)
	}
	assert.Regexp(t, `^\d+\.\d+\.\d+$`, strings.TrimSpace(version))
}
