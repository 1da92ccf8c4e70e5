package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTheVendorsOfficialSDKWorksAgainstTheEmulator installs @wix/sdk and
// @wix/crm, as pinned in testdata, and lets them make the calls of
// contacts.mjs: with an API key under /_api, with an app's token on the public
// paths.
func TestTheVendorsOfficialSDKWorksAgainstTheEmulator(t *testing.T) {
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed, so the vendor's JavaScript SDK cannot run here", tool)
		}
	}
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "contacts.mjs"} {
		data, err := os.ReadFile(filepath.Join("testdata", "official-sdk", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	run(t, dir, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")

	c := start(t, 30)
	arguments, err := json.Marshal(map[string]string{
		"url": c.server.URL(), "apiKey": apiKey, "siteId": siteID,
		"clientId": clientID, "clientSecret": clientSecret, "instanceId": instanceID,
		"unknownId": "3f2c1a10-ffff-4000-8000-00000000ffff", "mergedAwayId": mergedAwayID, "memberContactId": memberContactID,
	})
	require.NoError(t, err)
	var report struct {
		Results                  map[string]sdkResult
		KeyRequests, AppRequests []string
	}
	require.NoError(t, json.Unmarshal(run(t, dir, "node", "contacts.mjs", string(arguments)), &report))

	left := report.Results
	take := func(name string) answer {
		t.Helper()
		result, ok := left[name]
		require.True(t, ok, "the script has no step %q", name)
		delete(left, name)
		return answer{body: map[string]any{"value": result.Value, "error": result.Error}}
	}
	gives := func(name string, want map[string]any) answer {
		t.Helper()
		a := take(name)
		require.Nil(t, a.at("error"), "%s", name)
		for path, value := range want {
			assert.EqualValues(t, value, a.at("value."+path), "%s: %s", name, path)
		}
		return a
	}
	fails := func(name string, status int, code any) answer {
		t.Helper()
		a := take(name)
		assert.EqualValues(t, status, a.at("error.status"), "%s: %v", name, a.body)
		if code != nil {
			assert.Equal(t, code, a.at("error.code"), name)
		}
		return a
	}

	created := gives("create", map[string]any{
		"contact.revision": 0, "contact.info.name.first": "Nia", "contact.primaryInfo.email": "nia.vale@example.com",
		"contact.info.emails.items.1.tag": "HOME", "contact.info.phones.items.0.e164Phone": "+442079460958",
		"contact.info.addresses.items.0.address.addressLine1": "2 Moss Row", "contact.lastActivity.activityType": "CONTACT_CREATED",
	})
	id := created.at("value.contact._id").(string)
	assert.Regexp(t, guidForm, id)
	duplicate := fails("create again", 409, "DUPLICATE_CONTACT_EXISTS")
	assert.Equal(t, id, duplicate.at("error.data.duplicateContactId"))
	second := gives("create a duplicate on purpose", map[string]any{"contact.info.jobTitle": "Gardener"}).at("value.contact._id")
	invalid := fails("create with a bad email", 400, nil)
	assert.Equal(t, "FORMAT", invalid.at("error.violations.0.violatedRule"))
	fails("create with nothing", 400, "INSUFFICIENT_CONTACT_DATA")
	gives("get", map[string]any{"_id": id, "info.company": "Vale Ltd", "primaryEmail.email": "nia.vale@example.com"})
	gives("get basic", map[string]any{"_id": id, "info.name.last": "Vale", "info.company": nil})
	fails("get unknown", 404, "CONTACT_NOT_FOUND")
	fails("get malformed", 400, nil)
	gives("get merged away", map[string]any{"_id": mergeTargetID})
	gives("query with the builder", map[string]any{"ids": []any{id, second}, "total": 2})
	gives("query with a query object", map[string]any{"items.0._id": second, "items.0.info.company": nil, "paging.total": 2, "paging.count": 1})
	pages := gives("query every page", nil).at("value.ids").([]any)
	assert.Len(t, pages, 36, "30 plain contacts, 4 awkward ones and 2 new ones")
	assert.Len(t, unique(pages), 36)
	fails("query what cannot be filtered", 400, "UNSUPPORTED_FILTER_FIELD_UNKNOWN")
	gives("list", map[string]any{"contacts.0._id": seedID(1), "contacts.1._id": seedID(2), "contacts.2": nil, "contacts.0.info.company": nil, "pagingMetadata.total": 36})
	gives("update", map[string]any{"contact.revision": 1, "contact.info.jobTitle": "Head Gardener", "contact.info.company": "Vale Ltd"})
	fails("update with an old revision", 409, "CONTACT_ALREADY_CHANGED")
	fails("update nothing", 400, "INSUFFICIENT_UPDATE_CONTACT_DATA")

	gives("make a label", map[string]any{"label.key": "custom.emulated", "label.labelType": "USER_DEFINED", "newLabel": true})
	gives("find the label", map[string]any{"label.key": "custom.emulated", "newLabel": false})
	gives("get the label", map[string]any{"displayName": "Emulated"})
	gives("rename the label", map[string]any{"key": "custom.emulated", "displayName": "Renamed"})
	gives("list labels", map[string]any{"labels.5.displayName": "Renamed", "metadata.total": 6})
	gives("query labels", map[string]any{"0.key": "custom.emulated", "1": nil})
	gives("label", map[string]any{"contact.info.labelKeys.items": []any{"custom.emulated", "custom.vip"}})
	gives("unlabel", map[string]any{"contact.info.labelKeys.items": []any{"custom.emulated"}})
	fails("label with a label that is not there", 400, nil)
	gives("delete the label", nil)
	fails("get the deleted label", 404, nil)

	fieldKey := gives("make a field", map[string]any{"newField": true, "field.dataType": "NUMBER"}).at("value.field.key").(string)
	gives("get before the field", map[string]any{"info.labelKeys": nil})
	items, _ := gives("set the field", nil).at("value.contact.info.extendedFields.items").(map[string]any)
	assert.EqualValues(t, 58, items[fieldKey])
	gives("query by the field", map[string]any{"0": id, "1": nil})
	assert.Contains(t, gives("list fields", nil).at("value"), fieldKey)
	gives("delete the field", nil)

	gives("merge", map[string]any{"through": id, "phones": []any{"020 7946 0958", "555 0142"}})
	assert.Regexp(t, guidForm, gives("bulk delete", nil).at("value.jobId"))
	fails("bulk delete without filter", 400, "NEITHER_FILTER_NOR_SEARCH")
	gives("delete", nil)
	fails("delete again", 404, "CONTACT_NOT_FOUND")
	fails("get deleted", 404, "CONTACT_NOT_FOUND")
	fails("delete a member", 428, "CANNOT_DELETE_MEMBER")
	fails("wrong key", 401, nil)

	appID := gives("app create", map[string]any{"contact.source.appId": clientID}).at("value.contact._id")
	gives("app get", map[string]any{"_id": appID})
	gives("app query", map[string]any{"0": appID, "1": nil})
	gives("app update", map[string]any{"contact.revision": 1, "contact.info.company": "App Ltd"})
	gives("app label", map[string]any{"label.key": "custom.vip", "newLabel": false})
	gives("app delete", nil)
	assert.NotNil(t, take("app with a wrong secret").at("error"))
	assert.NotContains(t, report.AppRequests, "GET /contacts/v4/contacts", "without a token nothing is listed")
	assert.Empty(t, left, "steps that nobody checked")

	for _, request := range report.KeyRequests {
		_, path, _ := strings.Cut(request, " ")
		assert.True(t, strings.HasPrefix(path, "/_api/contacts/v4/"), "with a host of its own the SDK asked for %s", path)
	}
	assert.Equal(t, "POST /oauth2/token", report.AppRequests[0])
	assert.Equal(t, "POST /contacts/v4/contacts", report.AppRequests[1])
	tokens := 0
	for _, request := range report.AppRequests {
		if request == "POST /oauth2/token" {
			tokens++
		}
	}
	assert.Equal(t, 2, tokens, "one token serves all calls of a client")
	assertEchoed(t, c)
}

type sdkResult struct {
	Value, Error any
}

// assertEchoed checks that the SDK took the consistency header up, so that the
// emulator's form of it is one that the SDK understands.
func assertEchoed(t *testing.T, c *client) {
	t.Helper()
	for _, call := range c.server.Calls() {
		if strings.HasPrefix(call.Headers.Get("X-Wix-Consistent"), consistentPrefix) {
			return
		}
	}
	assert.Fail(t, "the SDK never echoed x-wix-consistent")
}

func unique(list []any) map[any]bool {
	set := map[any]bool{}
	for _, item := range list {
		set[item] = true
	}
	return set
}

// run runs a program to its end and returns what it printed.
func run(t *testing.T, dir, name string, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	require.NoError(t, err, "%s %s\n%s\n%s", name, args[0], out.String(), errs.String())
	return out.Bytes()
}
