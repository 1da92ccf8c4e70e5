package emulator

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestUsers(t *testing.T) {
	api := start(t, 0)
	assert.Equal(t, "7", api.ok("GET", "/v2/users/self", nil).id())
	assert.Equal(t, "Tomas Reed", api.ok("GET", "/v2/users/8", nil).data().Text("name"))
	assert.Equal(t, "user", api.ok("GET", "/v2/users/8", nil).meta().Text("type"))
	for query, want := range map[string][]string{
		"": {"7", "8", "9", "10", "11"}, "?ids=8,7": {"7", "8"}, "?role=admin": {"7"}, "?status=inactive": {"9", "10"},
		"?confirmed=false": {"9", "10"}, "?email=marta.bell@example.com": {"7"}, "?name=Ivy+Stone&status=inactive": {"9"},
		"?sort_by=id:desc&per_page=2": {"11", "10"},
	} {
		assert.Equal(t, want, api.ok("GET", "/v2/users"+query, nil).ids(), query)
	}
	assert.Equal(t, []string{"not_found"}, api.do("GET", "/v2/users/999", nil).errors())
	assert.Equal(t, []string{"incorrect_path"}, api.do("GET", "/v2/users/me", nil).errors())
	assert.NotNil(t, api.ok("GET", "/v2/users/10", nil).data().Get("deleted_at"))
	assert.Equal(t, "emulator", api.ok("GET", "/v2/accounts/self", nil).data().Text("subdomain"))
}

func TestTagsAreUniqueWithinAResourceType(t *testing.T) {
	api := start(t, 3)
	assert.Len(t, api.ok("GET", "/v2/tags?resource_type=contact", nil).ids(), 3)
	assert.Equal(t, []string{"700001", "700004"}, api.ok("GET", "/v2/tags?name=vip", nil).ids())
	made := api.ok("POST", "/v2/tags", attrs{"name": "press", "resource_type": "contact"})
	api.ok("POST", "/v2/tags", attrs{"name": "press", "resource_type": "deal"})
	for _, c := range []struct {
		send attrs
		want []string
	}{
		{attrs{"name": "press", "resource_type": "contact"}, []string{"already_exists /name"}},
		{attrs{"name": "x"}, []string{"missing /resource_type"}},
		{attrs{"name": "", "resource_type": nil}, []string{"blank /name", "blank /resource_type"}},
		{attrs{"name": 5, "resource_type": "contact"}, []string{"invalid_type /name"}},
		{attrs{"name": "x", "resource_type": "cat"}, []string{"incorrect_value /resource_type"}},
		{attrs{"name": "x", "resource_type": "contact", "id": 5}, []string{"unknown /id"}},
	} {
		a := api.do("POST", "/v2/tags", c.send)
		assert.Equal(t, http.StatusUnprocessableEntity, a.status, "%v", c.send)
		assert.ElementsMatch(t, c.want, a.errors(), "%v", c.send)
	}
	path := "/v2/tags/" + made.id()
	assert.Equal(t, []string{"already_exists /name"}, api.do("PUT", path, attrs{"name": "vip"}).errors())
	assert.Equal(t, "press", api.ok("PUT", path, attrs{"name": "press"}).data().Text("name"))
	assert.Equal(t, []string{"not_found"}, api.do("GET", "/v2/tags/1", nil).errors())

	require.Equal(t, []any{"vip", "newsletter"}, api.ok("GET", "/v2/contacts/400001", nil).data().Get("tags"))
	api.ok("PUT", "/v2/tags/700001", attrs{"name": "very important"})
	assert.Equal(t, []any{"very important", "newsletter"}, api.ok("GET", "/v2/contacts/400001", nil).data().Get("tags"))
	assert.Equal(t, 204, api.do("DELETE", "/v2/tags/700001", nil).status)
	assert.Equal(t, []any{"newsletter"}, api.ok("GET", "/v2/contacts/400001", nil).data().Get("tags"))
	assert.Equal(t, 404, api.do("DELETE", "/v2/tags/700001", nil).status)

	api.ok("PUT", "/v2/contacts/400001", attrs{"tags": []string{"made on the fly"}})
	assert.Len(t, api.ok("GET", "/v2/tags?name=made+on+the+fly&resource_type=contact", nil).ids(), 1)
}

func TestCustomFieldMetadata(t *testing.T) {
	api := start(t, 0)
	first := func() []string {
		return api.ok("GET", "/v2/contact/custom_fields", nil).body.Get("items").([]any)[0].(interface{ Get(string) any }).Get("data").(interface{ Keys() []string }).Keys()
	}
	assert.Equal(t, []string{"id", "name", "type", "choices", "for_company", "for_contact", "created_at", "updated_at"}, first())
	require.NoError(t, api.server.SetSwitch("custom_field_flags", "for_organisation"))
	require.NoError(t, api.server.SetSwitch("custom_field_choices", "options"))
	assert.Equal(t, []string{"id", "name", "type", "options", "for_organisation", "for_contact", "created_at", "updated_at"}, first())
	for resource, n := range map[string]int{"lead": 1, "deal": 1, "prospect_and_customer": 0} {
		assert.Len(t, api.ok("GET", "/v2/"+resource+"/custom_fields", nil).ids(), n, resource)
	}
}
