package emulator

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

func TestAttributesThatAreRefused(t *testing.T) {
	api := start(t, 11)
	for _, c := range []struct {
		name string
		send attrs
		want []string
	}{
		{"unknown", attrs{"colour": 1}, []string{"unknown /colour"}},
		{"unified names", attrs{"email_addresses": []string{}, "account": nil}, []string{"unknown /account", "unknown /email_addresses"}},
		{"read-only", attrs{"id": 1, "creator_id": 7, "created_at": "x", "updated_at": "x"}, []string{"unknown /created_at", "unknown /creator_id", "unknown /id", "unknown /updated_at"}},
		{"blank last name", attrs{"last_name": " "}, []string{"blank /last_name"}},
		{"null last name", attrs{"last_name": nil}, []string{"blank /last_name"}},
		{"numeric last name", attrs{"last_name": 5}, []string{"invalid_type /last_name"}},
		{"array e-mail", attrs{"email": []string{"a@example.com"}}, []string{"invalid_type /email"}},
		{"boolean phone", attrs{"phone": true}, []string{"invalid_type /phone"}},
		{"text owner", attrs{"owner_id": "7"}, []string{"invalid_type /owner_id"}},
		{"fractional owner", attrs{"owner_id": 7.5}, []string{"invalid_type /owner_id"}},
		{"unknown owner", attrs{"owner_id": 999}, []string{"incorrect_value /owner_id"}},
		{"text organisation", attrs{"contact_id": "900001"}, []string{"invalid_type /contact_id"}},
		{"unknown organisation", attrs{"contact_id": 999999999}, []string{"incorrect_value /contact_id"}},
		{"person as organisation", attrs{"contact_id": 400002}, []string{"incorrect_value /contact_id"}},
		{"person with a parent", attrs{"parent_organization_id": 900001}, []string{"incorrect_value /parent_organization_id"}},
		{"status", attrs{"customer_status": "gone", "prospect_status": "past"}, []string{"incorrect_value /customer_status", "incorrect_value /prospect_status"}},
		{"null status", attrs{"customer_status": nil}, []string{"incorrect_value /customer_status"}},
		{"text is_organization", attrs{"is_organization": "false"}, []string{"invalid_type /is_organization"}},
		{"address text", attrs{"address": "1 Ink Lane"}, []string{"invalid_type /address"}},
		{"address list", attrs{"address": []any{}}, []string{"invalid_type /address"}},
		{"address parts", attrs{"address": attrs{"street": "x", "line2": "y", "city": 5}}, []string{"invalid_type /address/city", "unknown /address/line2", "unknown /address/street"}},
		{"billing", attrs{"billing_address": attrs{"city": "x"}, "customer_status": "none", "prospect_status": "none"}, []string{"incorrect_value /billing_address"}},
		{"tags text", attrs{"tags": "vip"}, []string{"invalid_type /tags"}},
		{"tags null", attrs{"tags": nil}, []string{"invalid_type /tags"}},
		{"tags objects", attrs{"tags": []any{attrs{"name": "vip"}, "", "ok"}}, []string{"invalid_type /tags/0", "blank /tags/1"}},
		{"custom fields list", attrs{"custom_fields": []any{1}}, []string{"invalid_type /custom_fields"}},
		{"custom fields text", attrs{"custom_fields": "x"}, []string{"invalid_type /custom_fields"}},
		{"custom fields", attrs{"custom_fields": attrs{"Nothing/~": "x"}}, []string{"unknown /custom_fields/Nothing~1~0"}},
		{"custom types", attrs{"custom_fields": attrs{"Budget": true, "Newsletter": "yes", "Known via": 5, "Interests": "Ink", "Second address": "x", "Blog": 5, "Renewal date": 5}}, []string{
			"invalid_type /custom_fields/Blog", "invalid_type /custom_fields/Budget", "invalid_type /custom_fields/Interests", "invalid_type /custom_fields/Known via",
			"invalid_type /custom_fields/Newsletter", "invalid_type /custom_fields/Renewal date", "invalid_type /custom_fields/Second address",
		}},
		{"custom values", attrs{"custom_fields": attrs{"Budget": "much", "Known via": "Radio", "Interests": []string{"Glue"}, "Renewal date": "soon", "Last visit": "2024-01-01", "Fiscal year": "2024"}}, []string{
			"incorrect_value /custom_fields/Budget", "incorrect_value /custom_fields/Fiscal year", "incorrect_value /custom_fields/Interests",
			"incorrect_value /custom_fields/Known via", "incorrect_value /custom_fields/Last visit", "incorrect_value /custom_fields/Renewal date",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			create := attrs{"last_name": "Novak"}
			for key, value := range c.send {
				create[key] = value
			}
			before := api.ok("GET", "/v2/contacts/400001", nil).text
			for _, a := range []answer{api.do("POST", "/v2/contacts", create), api.do("PUT", "/v2/contacts/400001", c.send)} {
				assert.Equal(t, http.StatusUnprocessableEntity, a.status, a.text)
				assert.ElementsMatch(t, c.want, a.errors())
				assert.Equal(t, "422 Unprocessable Entity", a.meta().Text("http_status"))
				assert.Equal(t, "application/json; charset=utf-8", a.header.Get("Content-Type"))
				assert.NotEmpty(t, a.header.Get("Content-Language"))
			}
			assert.Equal(t, before, api.ok("GET", "/v2/contacts/400001", nil).text, "a refused update changes nothing")
		})
	}
}

func TestRequiredNames(t *testing.T) {
	api := start(t, 0)
	for _, c := range []struct {
		send attrs
		want []string
	}{
		{attrs{}, []string{"missing /last_name"}},
		{attrs{"first_name": "Ada"}, []string{"missing /last_name"}},
		{attrs{"name": "Ada Quill"}, []string{"missing /last_name"}},
		{attrs{"last_name": ""}, []string{"blank /last_name"}},
		{attrs{"is_organization": true}, []string{"missing /name"}},
		{attrs{"is_organization": true, "last_name": "Quill"}, []string{"incorrect_value /last_name", "missing /name"}},
		{attrs{"is_organization": true, "name": ""}, []string{"blank /name"}},
		{attrs{"is_organization": true, "name": "X", "title": "CEO", "contact_id": 900001}, []string{"incorrect_value /title", "incorrect_value /contact_id"}},
	} {
		a := api.do("POST", "/v2/contacts", c.send)
		assert.Equal(t, http.StatusUnprocessableEntity, a.status, "%v", c.send)
		assert.ElementsMatch(t, c.want, a.errors(), "%v", c.send)
	}
	org := api.ok("POST", "/v2/contacts", attrs{"is_organization": true, "name": "New Co", "parent_organization_id": 900001, "last_name": nil, "custom_fields": attrs{"Fiscal year": "2024"}})
	assert.Nil(t, org.data().Get("last_name"))
	path := "/v2/contacts/" + org.id()
	assert.Equal(t, []string{"incorrect_value /parent_organization_id"}, api.do("PUT", path, map[string]any{"parent_organization_id": org.data().Get("id")}).errors(), "its own parent")
	assert.Nil(t, api.ok("PUT", path, attrs{"parent_organization_id": nil}).data().Get("parent_organization_id"))
	assert.Equal(t, []string{"incorrect_value /custom_fields/Direct line"}, api.do("PUT", path, attrs{"custom_fields": attrs{"Direct line": "5"}}).errors())
	assert.Equal(t, []string{"blank /name"}, api.do("PUT", path, attrs{"name": nil}).errors())
}

func TestWhatTheVendorsOwnClientsSendIsTaken(t *testing.T) {
	api := start(t, 0)
	// Their tests create a person with a name as well; it is computed.
	a := api.ok("POST", "/v2/contacts", attrs{
		"description": "I know her", "email": "mark@example.com", "facebook": "m", "fax": "+44-208-1234567", "first_name": "Mark", "industry": "Design",
		"is_organization": false, "last_name": "Johnson", "linkedin": "m", "mobile": "508", "name": "Design Services", "phone": "508", "skype": "m",
		"tags": []string{"important"}, "title": "CEO", "twitter": "m", "website": "www.example.com",
	})
	assert.Equal(t, "Mark Johnson", a.data().Text("name"))
	// They update with everything that they have read, read-only keys left out.
	back := a.data().Clone()
	for _, key := range readOnly {
		back.Delete(key)
	}
	path := "/v2/contacts/" + a.id()
	again := api.ok("PUT", path, back)
	assert.Equal(t, "Mark Johnson", again.data().Text("name"))
	// The PHP client turns {} into [], the Java client always sends this null.
	api.ok("PUT", path, attrs{"custom_fields": []any{}, "parent_organization_id": nil, "owner_id": nil})
	// meta in an envelope is optional.
	raw := api.do("PUT", path, `{"meta":{"type":"contact"},"data":{"title":"x"}}`)
	assert.Equal(t, http.StatusOK, raw.status, raw.text)
	api.ok("PUT", path, attrs{})
}

func TestEnvelopesThatAreNot(t *testing.T) {
	api := start(t, 1)
	deep := strings.Repeat("[", 200_000)
	for body, want := range map[string]struct {
		status int
		code   string
	}{
		"": {400, "invalid_payload"}, "{": {400, "invalid_payload"}, "last_name=x": {400, "invalid_payload"}, `{"data":{}} x`: {400, "invalid_payload"}, deep: {400, "invalid_payload"},
		`{"data":{"last_name":"x",}}`: {400, "invalid_payload"},
		"{}":                          {422, "incorrect_payload"}, "[]": {422, "incorrect_payload"}, "null": {422, "incorrect_payload"}, `"x"`: {422, "incorrect_payload"}, "5": {422, "incorrect_payload"},
		`{"last_name":"x"}`: {422, "incorrect_payload"}, `{"data":null}`: {422, "incorrect_payload"}, `{"data":[]}`: {422, "incorrect_payload"}, `{"data":"x"}`: {422, "incorrect_payload"},
		`{"contact":{"last_name":"x"}}`: {422, "incorrect_payload"},
	} {
		for _, r := range [][2]string{{"POST", "/v2/contacts"}, {"PUT", "/v2/contacts/400001"}, {"POST", "/v2/contacts/upsert?email=x"}, {"POST", "/v2/tags"}, {"PUT", "/v2/tags/700001"}} {
			a := api.do(r[0], r[1], body)
			assert.Equal(t, want.status, a.status, "%v %.40s", r, body)
			assert.Equal(t, []string{want.code}, a.errors(), "%v %.40s", r, body)
		}
	}
}

func TestContentTypeCanBeDemanded(t *testing.T) {
	api := start(t, 0)
	post := func(media string) int {
		return api.do("POST", "/v2/contacts", `{"data":{"last_name":"x"}}`, "Content-Type", media).status
	}
	assert.Equal(t, 200, post("text/plain"))
	require.NoError(t, api.server.SetSwitch("content_type", "required"))
	assert.Equal(t, 400, post("text/plain"))
	assert.Equal(t, 200, post("application/json; charset=utf-8"))
}

func TestBillingAddressesFollowTheStatus(t *testing.T) {
	api := start(t, 1)
	made := api.ok("POST", "/v2/contacts", attrs{"last_name": "x", "prospect_status": "current", "billing_address": attrs{"city": "Leeds"}, "shipping_address": nil})
	assert.Equal(t, addressKeys, made.data().Get("billing_address").(*kit.Object).Keys())
	path := "/v2/contacts/" + made.id()
	assert.Equal(t, http.StatusOK, api.do("PUT", path, attrs{"shipping_address": attrs{"city": "Cork"}}).status)
	after := api.ok("PUT", path, attrs{"prospect_status": "none"})
	assert.Nil(t, after.data().Get("billing_address"))
	assert.Nil(t, after.data().Get("shipping_address"))
}

func TestCustomFieldValuesComeBackInTheVendorsForm(t *testing.T) {
	api := start(t, 1)
	a := api.ok("PUT", "/v2/contacts/400001", `{"data":{"custom_fields":{"Budget":12345678901234567890.50,"Renewal date":"03/05/2024","Last visit":"2024-03-05T09:10:11+09:00",
		"Known via":null,"Interests":[],"Second address":{"city":"Cork"},"Größe":"x"}}}`)
	assert.Equal(t, "12345678901234567890.50", a.field("Budget"))
	assert.Equal(t, "2024-03-05", a.field("Renewal date"))
	assert.Equal(t, "2024-03-05T09:10:11Z", a.field("Last visit"), "zones are dropped")
	assert.Equal(t, addressKeys, a.field("Second address").(*kit.Object).Keys())
	fields := a.data().Get("custom_fields").(*kit.Object)
	assert.False(t, fields.Has("Known via"), "null clears")
	assert.False(t, fields.Has("Interests"), "so does an empty set")
	assert.Equal(t, true, a.field("Newsletter"), "what is omitted survives")
}

func TestValidationSwitches(t *testing.T) {
	api := start(t, 1)
	set := func(name, value string) {
		t.Helper()
		require.NoError(t, api.server.SetSwitch(name, value))
	}
	put := func(send attrs) answer { return api.do("PUT", "/v2/contacts/400001", send) }

	set("read_only_attribute", "ignored")
	a := put(attrs{"id": 5, "created_at": "x"})
	assert.Equal(t, http.StatusOK, a.status)
	assert.Equal(t, "400001", a.id())

	assert.Equal(t, "Ada Quill", put(attrs{"name": "Other"}).data().Text("name"))
	set("person_name", "refused")
	assert.Equal(t, []string{"incorrect_value /name"}, put(attrs{"name": "Other"}).errors())

	assert.Equal(t, []string{"incorrect_value /is_organization"}, put(attrs{"is_organization": true}).errors())
	assert.Equal(t, http.StatusOK, put(attrs{"is_organization": false}).status)
	set("change_kind", "ignored")
	assert.Equal(t, false, put(attrs{"is_organization": true}).data().Get("is_organization"))

	assert.Equal(t, []string{"incorrect_value /parent_organization_id"}, put(attrs{"parent_organization_id": 900001}).errors())
	set("wrong_kind_attribute", "ignored")
	assert.Nil(t, put(attrs{"parent_organization_id": 900001, "custom_fields": attrs{"Fiscal year": "x"}}).data().Get("parent_organization_id"))

	set("field_pointer", "data")
	assert.Equal(t, []string{"unknown /data/colour"}, put(attrs{"colour": 1}).errors())
	set("logref", "absent")
	set("error_meta_type", "collection")
	a = put(attrs{"colour": 1})
	assert.Equal(t, []string{"type", "http_status", "links"}, a.meta().Keys())
	assert.Equal(t, "collection", a.meta().Text("type"))
}
