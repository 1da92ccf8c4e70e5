package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk"
	kit "github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// paths are what the emulator was asked for, below /contacts.
func paths(k *providertest.Kit) []string {
	var all []string
	for _, c := range k.Emulator.Calls() {
		all = append(all, strings.TrimPrefix(c.Path, "/crm/sales/api/contacts/"))
	}
	return all
}

func TestTheViewOfAllContacts(t *testing.T) {
	cases := []struct {
		name, views, want string
		named             bool
	}{
		{"by name", `[{"id":1,"name":"My Contacts","is_default":true},{"id":2,"name":"All Contacts"}]`, "2", true},
		{"by name in another case", `[{"id":1,"name":"My Contacts","is_default":true},{"id":2,"name":" all contacts "}]`, "2", true},
		{"the default one without the name", `[{"id":1,"name":"Mine"},{"id":2,"name":"Everyone","is_default":true}]`, "2", false},
		{"never the bin", `[{"id":1,"name":"Recycle Bin","is_default":true},{"id":2,"name":"Mine"}]`, "", false},
		{"ids as texts", `[{"id":"70008880002","name":"All Contacts"}]`, "70008880002", true},
		{"odd items are passed over", `[null,7,{"name":"All Contacts"},{"id":"../1","name":"All Contacts"},{"id":-1,"name":"All Contacts"},{"id":1.5,"name":"All Contacts"},{"id":3,"name":"All Contacts"}]`, "3", true},
		{"none", `[]`, "", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var views vendorjson.List[view]
			require.NoError(t, json.Unmarshal([]byte(c.views), &views))
			id, named := chooseView(views, allContactsName)
			assert.Equal(t, c.want, id)
			assert.Equal(t, c.named, named)
		})
	}
}

func TestListsGoThroughTheViewOfAllContacts(t *testing.T) {
	for _, value := range []string{"named", "renamed", "not_default"} {
		t.Run(value, func(t *testing.T) {
			k := start(t, map[string]string{"all_contacts_view": value})
			assert.Len(t, k.List(t, 100), living)
			assert.Equal(t, []string{"filters", "view/70008880002"}, paths(k))
		})
	}
}

func TestTheViewIsLookedForOnceForAnAccount(t *testing.T) {
	k := start(t, nil)
	list := func(revision string) {
		t.Helper()
		_, err := listContacts(providertest.Context(t), k.Call(t).WithRevision(revision), sdk.ListQuery{PageSize: 5})
		require.NoError(t, err)
	}
	list("1")
	list("1")
	list("1")
	assert.Equal(t, []string{"filters", "view/70008880002", "view/70008880002", "view/70008880002"}, paths(k))

	k.Emulator.ForgetCalls()
	list("2") // another key may be another user's, who has other views
	assert.Equal(t, []string{"filters", "view/70008880002"}, paths(k))
}

func TestAViewThatIsNoMoreIsLookedForAgain(t *testing.T) {
	k := start(t, nil)
	list := func() error {
		_, err := listContacts(providertest.Context(t), k.Call(t).WithRevision("1"), sdk.ListQuery{PageSize: 5})
		return err
	}
	require.NoError(t, list())
	require.NoError(t, k.Emulator.SetSwitch("view_ids", "second"))
	k.Emulator.ForgetCalls()
	require.NoError(t, list())
	asked := paths(k)
	require.Len(t, asked, 3)
	assert.Equal(t, []string{"view/70008880002", "filters"}, asked[:2])
	assert.NotEqual(t, asked[0], asked[2])

	k.Emulator.ForgetCalls()
	require.NoError(t, list())
	assert.Equal(t, asked[2:], paths(k), "the new one is remembered")
}

func TestAViewThatNeverComesBackIsLookedForOnlyOnce(t *testing.T) {
	k := start(t, nil)
	list := func() error {
		_, err := listContacts(providertest.Context(t), k.Call(t).WithRevision("1"), sdk.ListQuery{PageSize: 5})
		return err
	}
	require.NoError(t, list())
	k.Emulator.ForgetCalls()
	require.NoError(t, k.Emulator.Inject(kit.Match{Path: "*/view/*"}, providertest.Fault(t, exchanges, "contacts_list_unknown_view"), -1))
	e := providertest.RequireReason(t, list(), errs.VendorRejected) // a list is never a record that was not found
	assert.Equal(t, 404, e.HTTPStatus())
	assert.Equal(t, []string{"view/70008880002", "filters", "view/70008880002"}, paths(k))

	k.Emulator.ForgetCalls()
	providertest.RequireReason(t, list(), errs.VendorRejected)
	assert.Equal(t, []string{"filters", "view/70008880002"}, paths(k), "what failed is not remembered")
}

func TestADocumentedUnknownViewIsReplaced(t *testing.T) {
	call := vendor(t, "contacts_list_unknown_view", "contacts_filters", "contacts_list_include").WithRevision(t.Name())
	viewIDs.Put(call, allContactsName, unknown)
	page, err := listContacts(providertest.Context(t), call, sdk.ListQuery{PageSize: 25})
	require.NoError(t, err)
	assert.Len(t, page.Records, 1)
}

func TestOtherFailuresDoNotForgetTheView(t *testing.T) {
	k := start(t, nil)
	for _, status := range []int{403, 429, 500} {
		_, err := listContacts(providertest.Context(t), k.Call(t).WithRevision("1"), sdk.ListQuery{PageSize: 5})
		require.NoError(t, err)
		k.Emulator.ForgetCalls()
		require.NoError(t, k.Emulator.Inject(kit.Match{Path: "*/view/*"}, answer(status, ""), 1))
		_, err = listContacts(providertest.Context(t), k.Call(t).WithRevision("1"), sdk.ListQuery{PageSize: 5})
		require.Error(t, err)
		assert.Equal(t, []string{"view/70008880002"}, paths(k))
	}
}

func TestOddListsOfViews(t *testing.T) {
	k := start(t, nil)
	for _, body := range []string{``, `{}`, `{"filters":null}`, `[]`, `true`, `<html>log in</html>`} {
		require.NoError(t, k.Emulator.Inject(kit.Match{}, answer(200, body), 2))
		_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5})
		providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
		providertest.RequireReason(t, checkConnection(providertest.Context(t), k.Call(t)), errs.UnexpectedVendorAnswer)
	}
	require.NoError(t, k.Emulator.Inject(kit.Match{}, answer(200, `{"filters":[]}`), 2))
	_, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 5})
	e := providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
	assert.NotNil(t, e.Vendor)
	require.NoError(t, checkConnection(providertest.Context(t), k.Call(t)), "a key that sees no view can still read and delete by id")
}
