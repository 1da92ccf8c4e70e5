package emulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

func TestAContactsLife(t *testing.T) {
	api := start(t, 3)
	made := api.ok("POST", "/v2/contacts", attrs{"first_name": "Mara", "last_name": "Novak", "tags": []string{"press", "press"}})
	assert.Equal(t, contactKeys, made.data().Keys())
	assert.Equal(t, "Mara Novak", made.data().Text("name"))
	assert.Equal(t, []any{"press"}, made.data().Get("tags"))
	assert.Equal(t, json.Number("7"), made.data().Get("owner_id"), "the token's user is the default")
	assert.Equal(t, "contact", made.meta().Text("type"))
	assert.Equal(t, json.Number("1"), made.meta().Get("version"))
	assert.Equal(t, made.data().Text("created_at"), made.data().Text("updated_at"))
	path := "/v2/contacts/" + made.id()

	got := api.ok("GET", path, nil)
	assert.Equal(t, made.text, got.text)

	before := got.data().Text("updated_at")
	for i := range 3 {
		changed := api.ok("PUT", path, attrs{"title": fmt.Sprint("Buyer ", i)})
		assert.Equal(t, "Mara Novak", changed.data().Text("name"), "a PUT is partial")
		assert.Greater(t, changed.data().Text("updated_at"), before)
		assert.Equal(t, json.Number(fmt.Sprint(2+i)), changed.meta().Get("version"))
		before = changed.data().Text("updated_at")
	}
	assert.Equal(t, "Zed Novak", api.ok("PUT", path, attrs{"first_name": "Zed"}).data().Text("name"))
	assert.Equal(t, []any{}, api.ok("PUT", path, attrs{"tags": []string{}}).data().Get("tags"))

	gone := api.do("DELETE", path, nil)
	assert.Equal(t, http.StatusNoContent, gone.status)
	assert.Empty(t, gone.text)
	assert.Empty(t, gone.header.Get("Content-Type"))
	for _, method := range []string{"GET", "PUT", "DELETE", "HEAD"} {
		a := api.do(method, path, attrs{"title": "x"})
		assert.Equal(t, http.StatusNotFound, a.status, method)
		if method != "HEAD" {
			assert.Equal(t, []string{"not_found"}, a.errors(), method)
		}
	}
	assert.NotContains(t, api.ok("GET", "/v2/contacts?per_page=100", nil).ids(), made.id())
}

func TestDeletingTwice(t *testing.T) {
	api := start(t, 2)
	for i, want := range []int{204, 404, 404} {
		assert.Equal(t, want, api.do("DELETE", "/v2/contacts/400001", nil).status, "delete %d", i)
	}
	require.NoError(t, api.server.SetSwitch("second_delete", "204"))
	assert.Equal(t, 204, api.do("DELETE", "/v2/contacts/400001", nil).status)
	assert.Equal(t, 404, api.do("DELETE", "/v2/contacts/999999999", nil).status, "never was there")
	assert.Equal(t, 404, api.do("GET", "/v2/contacts/400001", nil).status)
}

func TestAnIDThatCannotBeOne(t *testing.T) {
	api := start(t, 1)
	for value, want := range map[string]struct {
		status int
		code   string
	}{"incorrect_path": {404, "incorrect_path"}, "not_found": {404, "not_found"}, "invalid_param": {400, "invalid_param"}} {
		require.NoError(t, api.server.SetSwitch("malformed_id", value))
		for _, id := range []string{"abc", "-1", "+1", "1.0", "9223372036854775808", "%2F", "1%2F2", "%20", "upsert", "4000é"} {
			for _, method := range []string{"GET", "PUT", "DELETE"} {
				a := api.do(method, "/v2/contacts/"+id, nil)
				assert.Equal(t, want.status, a.status, "%s %s", method, id)
				assert.Equal(t, []string{want.code}, a.errors(), "%s %s", method, id)
			}
		}
	}
	assert.Equal(t, []string{"not_found"}, api.do("GET", "/v2/contacts/9223372036854775807", nil).errors())
}

func TestAPathWithoutIDIsAnotherPath(t *testing.T) {
	api := start(t, 3)
	for _, path := range []string{"/v2/contacts", "/v2/contacts/"} {
		a := api.do("DELETE", path, nil)
		assert.Equal(t, http.StatusNotFound, a.status, path)
		assert.Equal(t, []string{"incorrect_path"}, a.errors(), path)
		assert.Equal(t, []string{"incorrect_path"}, api.do("PUT", path, attrs{}).errors(), path)
		assert.Equal(t, http.StatusOK, api.do("GET", path, nil).status, path)
	}
	require.NoError(t, api.server.SetSwitch("unknown_path", "not_found"))
	assert.Equal(t, []string{"not_found"}, api.do("DELETE", "/v2/contacts", nil).errors())
}

func TestThereIsNo405(t *testing.T) {
	api := start(t, 1)
	for _, r := range [][2]string{
		{"PATCH", "/v2/contacts/400001"},
		{"POST", "/v2/contacts/400001"},
		{"PUT", "/v2/contacts"},
		{"PUT", "/v2/contacts/upsert/x"},
		{"DELETE", "/v2/users/7"},
		{"POST", "/v2/users"},
		{"PUT", "/v2/accounts/self"},
		{"GET", "/v2/accounts"},
		{"GET", "/v2/accounts/1"},
		{"GET", "/v2/contacts/400001/notes"},
		{"GET", "/v2/nothing"},
		{"GET", "/v2/contact/custom_fields/1"},
		{"POST", "/v2/contact/custom_fields"},
		{"OPTIONS", "/v2/contacts"},
		{"GET", "/v2//contacts"},
		{"GET", "/v2/contacts//"},
	} {
		a := api.do(r[0], r[1], nil)
		assert.Equal(t, http.StatusNotFound, a.status, r)
		assert.Equal(t, []string{"incorrect_path"}, a.errors(), r)
	}
	a := api.do("GET", "/nowhere", nil)
	assert.Equal(t, []string{"not_found"}, a.errors())
}

func TestDeletingAnOrganisation(t *testing.T) {
	for value, person := range map[string]struct {
		status    int
		contactID any
	}{
		"clear":   {200, nil},
		"keep":    {200, json.Number("900001")},
		"cascade": {404, nil},
	} {
		api := start(t, 5, "organization_delete", value)
		require.Equal(t, 204, api.do("DELETE", "/v2/contacts/900001", nil).status)
		a := api.do("GET", "/v2/contacts/400001", nil)
		assert.Equal(t, person.status, a.status, value)
		assert.Equal(t, person.contactID, a.data().Get("contact_id"), value)
		branch := api.ok("GET", "/v2/contacts/900011", nil)
		assert.Equal(t, value == "keep", branch.data().Get("parent_organization_id") != nil, value)
		assert.Equal(t, http.StatusOK, api.do("GET", "/v2/contacts/400002", nil).status, value)
	}
}

func TestUpsert(t *testing.T) {
	api := start(t, 3)
	made := api.ok("POST", "/v2/contacts/upsert?email=new@example.com", attrs{"last_name": "Novak", "email": "new@example.com"})
	again := api.ok("POST", "/v2/contacts/upsert?email=new@example.com", attrs{"title": "CFO"})
	assert.Equal(t, made.id(), again.id())
	assert.Equal(t, "CFO", again.data().Text("title"))
	assert.Equal(t, "Novak", again.data().Text("last_name"))

	twins := "/v2/contacts/upsert?email=contact1@example.com"
	assert.Equal(t, "400001", api.ok("POST", twins, attrs{"title": "CTO"}).id())
	require.NoError(t, api.server.SetSwitch("upsert_several", "refused"))
	a := api.do("POST", twins, attrs{"title": "CTO"})
	assert.Equal(t, http.StatusUnprocessableEntity, a.status)
	assert.Equal(t, []string{"incorrect_payload"}, a.errors())

	for _, query := range []string{"", "?inclusive=true", "?includes=x", "?page=1", "?per_page=5&email=x", "?sort_by=id", "?unknown=x"} {
		a := api.do("POST", "/v2/contacts/upsert"+query, attrs{"last_name": "x"})
		assert.Equal(t, http.StatusBadRequest, a.status, query)
		assert.Equal(t, []string{"invalid_param"}, a.errors(), query)
	}
	assert.Equal(t, []string{"missing /last_name"}, api.do("POST", "/v2/contacts/upsert?email=nobody", attrs{"title": "x"}).errors())
	assert.Equal(t, http.StatusOK, api.do("POST", "/v2/contacts/upsert?custom_fields%5BShoe%20size%20%5BEU%5D%5D=42", attrs{"title": "x"}).status)
}

func TestSwitchesOfTheRecord(t *testing.T) {
	api := start(t, 1)
	set := func(name, value string) {
		t.Helper()
		require.NoError(t, api.server.SetSwitch(name, value))
	}
	every := "/v2/contacts/910007"
	got := api.ok("GET", every, nil)
	assert.Equal(t, "Referral", got.field("Known via"))
	assert.Equal(t, []any{"Looms, used"}, got.field("Interests"))
	assert.Equal(t, "9999-12-31", got.field("Renewal date"))
	set("list_value", "object")
	set("custom_field_dates", "us")
	set("meta_version", "absent")
	got = api.ok("GET", every, nil)
	assert.Equal(t, "Referral", got.field("Known via").(*kit.Object).Text("name"))
	assert.Equal(t, "Looms, used", got.field("Interests").([]any)[0].(*kit.Object).Text("name"))
	assert.Equal(t, "12/31/9999", got.field("Renewal date"))
	assert.False(t, got.meta().Has("version"))
	// What is read in any form can be written back.
	assert.Equal(t, http.StatusOK, api.do("PUT", every, attrs{"custom_fields": got.data().Get("custom_fields")}).status)
	set("list_value", "string")
	assert.Equal(t, "Referral", api.ok("GET", every, nil).field("Known via"))

	set("fresh_stamps", "apart")
	made := api.ok("POST", "/v2/contacts", attrs{"last_name": "x"})
	assert.Greater(t, made.data().Text("updated_at"), made.data().Text("created_at"))

	set("put_custom_fields", "replace")
	assert.Equal(t, []string{"Budget"}, api.ok("PUT", every, attrs{"custom_fields": attrs{"Budget": "1"}}).data().Get("custom_fields").(*kit.Object).Keys())
	set("put_custom_fields", "merge")
	assert.Equal(t, []string{"Budget", "Blog"}, api.ok("PUT", every, attrs{"custom_fields": attrs{"Blog": "x.test"}}).data().Get("custom_fields").(*kit.Object).Keys())

	address := func() *kit.Object {
		return api.ok("PUT", "/v2/contacts/400001", attrs{"address": attrs{"line1": "9 New Rd"}}).data().Get("address").(*kit.Object)
	}
	set("address_update", "merge")
	assert.Equal(t, "Leeds", address().Text("city"))
	set("address_update", "replace")
	assert.Nil(t, address().Get("city"))
	assert.Equal(t, addressKeys, address().Keys())
}

func TestListsCanLagBehind(t *testing.T) {
	api := start(t, 2, "query_lag", "300000")
	made := api.ok("POST", "/v2/contacts", attrs{"last_name": "x"})
	require.Equal(t, 204, api.do("DELETE", "/v2/contacts/400001", nil).status)
	api.ok("GET", "/v2/contacts/"+made.id(), nil)
	assert.Equal(t, 404, api.do("GET", "/v2/contacts/400001", nil).status)
	ids := api.ok("GET", "/v2/contacts?per_page=100", nil).ids()
	assert.NotContains(t, ids, made.id())
	assert.Contains(t, ids, "400001")
	require.NoError(t, api.server.SetSwitch("query_lag", "0"))
	ids = api.ok("GET", "/v2/contacts?per_page=100", nil).ids()
	assert.Contains(t, ids, made.id())
	assert.NotContains(t, ids, "400001")
}

func TestResetRestoresTheSeed(t *testing.T) {
	api := start(t, 5)
	before := api.ok("GET", "/v2/contacts?per_page=100", nil)
	api.ok("POST", "/v2/contacts", attrs{"last_name": "x", "tags": []string{"new"}})
	api.ok("PUT", "/v2/contacts/400002", attrs{"title": "x", "custom_fields": attrs{"Blog": "x"}, "tags": []string{}, "address": nil})
	require.Equal(t, 204, api.do("DELETE", "/v2/contacts/400001", nil).status)
	require.Equal(t, 204, api.do("DELETE", "/v2/tags/700001", nil).status)
	require.Equal(t, 200, api.refresh("grant_type=refresh_token&refresh_token="+firstRefreshToken).status)
	api.server.Reset()
	assert.Equal(t, before.text, api.ok("GET", "/v2/contacts?per_page=100", nil).text)
	assert.Len(t, api.ok("GET", "/v2/tags", nil).ids(), 4)
	assert.Equal(t, 200, api.refresh("grant_type=refresh_token&refresh_token="+firstRefreshToken).status)
}

func TestSeedZeroHasCompaniesAndNobody(t *testing.T) {
	api := start(t, 0)
	assert.Empty(t, api.ok("GET", "/v2/contacts?is_organization=false", nil).ids())
	assert.Equal(t, []string{"900001", "900002", "900003", "900004"}, api.ok("GET", "/v2/contacts", nil).ids())
	assert.Len(t, api.ok("GET", "/v2/users", nil).ids(), 5)
	assert.Len(t, api.ok("GET", "/v2/tags", nil).ids(), 4)
	assert.Len(t, api.ok("GET", "/v2/contact/custom_fields", nil).ids(), len(contactFields))
}

func TestTheFirstTenAreFullPersonsAndAllCanBeDeleted(t *testing.T) {
	api := start(t, 30)
	for i := range 10 {
		o := api.ok("GET", fmt.Sprintf("/v2/contacts/%d", 400001+i), nil).data()
		for _, key := range contactKeys {
			switch key {
			case "parent_organization_id", "billing_address", "shipping_address":
				assert.Nil(t, o.Get(key), key)
			default:
				assert.NotNil(t, o.Get(key), "%s of person %d", key, i)
			}
		}
		assert.NotEmpty(t, o.Get("tags"))
		assert.Equal(t, kit.PersonAt(i).Email, o.Text("email"))
	}
	seen := 0
	for page := 1; ; page++ {
		list := api.ok("GET", "/v2/contacts?page=1&per_page=100", nil)
		if len(list.ids()) == 0 {
			break
		}
		for _, id := range list.ids() {
			require.Equal(t, 204, api.do("DELETE", "/v2/contacts/"+id, nil).status)
			seen++
		}
		require.Less(t, page, 5)
	}
	assert.Equal(t, 44, seen)
}

func TestLargeIDsKeepTheirDigits(t *testing.T) {
	api := start(t, 1)
	assert.Contains(t, api.ok("GET", "/v2/contacts/9007199254740993", nil).text, `"id":9007199254740993,`)
	assert.Equal(t, 404, api.do("GET", "/v2/contacts/9007199254740992", nil).status)
}

func TestConcurrentUse(t *testing.T) {
	api := start(t, 20)
	version := func() int64 {
		n, err := api.ok("GET", "/v2/contacts/400001", nil).meta().Get("version").(json.Number).Int64()
		require.NoError(t, err)
		return n
	}
	before := version()
	var wg sync.WaitGroup
	var mu sync.Mutex
	ids := map[string]bool{}
	for w := range 8 {
		wg.Go(func() {
			for i := range 10 {
				made := api.do("POST", "/v2/contacts", attrs{"last_name": fmt.Sprint(w, "-", i), "tags": []string{fmt.Sprint("t", i)}})
				if !assert.Equal(t, 200, made.status, made.text) {
					return
				}
				mu.Lock()
				ids[made.id()] = true
				mu.Unlock()
				assert.Equal(t, 200, api.do("GET", "/v2/contacts?sort_by=updated_at:desc&per_page=100", nil).status)
				assert.Equal(t, 200, api.do("PUT", "/v2/contacts/400001", attrs{"title": made.id()}).status)
				if i%2 == 0 {
					assert.Equal(t, 204, api.do("DELETE", "/v2/contacts/"+made.id(), nil).status)
				}
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			_ = api.server.SetSwitch("list_value", "object")
			_ = api.server.Calls()
			time.Sleep(time.Millisecond)
		}
	})
	wg.Wait()
	assert.Len(t, ids, 80)
	assert.Equal(t, before+80, version(), "no update is lost")
}
