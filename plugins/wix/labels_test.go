package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	kit "github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
)

func TestAPageCostsTwoCalls(t *testing.T) {
	k := start(t, nil)
	page, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 1000})
	require.NoError(t, err)
	calls := k.Emulator.Calls()
	require.Len(t, calls, 2, "the list, and the names of all labels")
	assert.Equal(t, "/contacts/v4/labels?paging.limit=2000", calls[1].Path+"?"+calls[1].Query)
	labelled := 0
	for _, c := range page.Records {
		for _, tag := range c.Tags {
			labelled++
			assert.NotNil(t, tag.Name, "%s has no name", *tag.ID)
		}
	}
	assert.Positive(t, labelled)
}

func TestContactsWithoutLabelsCostNoLookUp(t *testing.T) {
	k := start(t, nil)
	contact, err := getContact(providertest.Context(t), k.Call(t), targetID)
	require.NoError(t, err)
	assert.Empty(t, contact.Tags)
	assert.Len(t, k.Emulator.Calls(), 1)
}

func TestNamesOfLabelsAreOptional(t *testing.T) {
	label := func(key, name string) string { return `{"key":"` + key + `","displayName":"` + name + `"}` }
	cases := []struct {
		name  string
		fault kit.Fault
		names []string // of custom.vip and custom.newsletter
	}{
		{"an HTML error", kit.Fault{Status: 500, Body: []byte(`"<html>oops</html>"`)}, []string{"", ""}},
		{"no permission", refusal(403, `{"message":"","details":{}}`), []string{"", ""}},
		{"a rate limit", kit.Fault{Status: 429, Headers: map[string]string{"Retry-After": "3600"}}, []string{"", ""}},
		{"an empty body", answer(`""`), []string{"", ""}},
		{"not an object", answer(`[]`), []string{"", ""}},
		{"no labels", answer(`{}`), []string{"", ""}},
		{"labels of another type", answer(`{"labels":"many"}`), []string{"", ""}},
		{"odd labels", answer(`{"labels":[null,7,{"key":{},"displayName":"x"},{"key":"custom.vip","displayName":null},` + label("custom.newsletter", "News") + `]}`), []string{"", "News"}},
		{"too few labels", answer(`{"labels":[` + label("custom.vip", "VIP") + `],"metadata":{"tooManyToCount":true}}`), []string{"VIP", ""}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			k := start(t, nil)
			require.NoError(t, k.Emulator.Inject(kit.Match{Path: "/contacts/v4/labels"}, c.fault, -1))
			call := k.Call(t)
			contact, err := getContact(providertest.Context(t), call, plainID)
			require.NoError(t, err)
			assert.Equal(t, []crm.Tag{{ID: new("custom.vip"), Name: crm.Text(c.names[0])}, {ID: new("custom.newsletter"), Name: crm.Text(c.names[1])}}, contact.Tags)
			assert.True(t, call.IsPartial())

			call = k.Call(t)
			page, err := listContacts(providertest.Context(t), call, sdk.ListQuery{PageSize: 5})
			require.NoError(t, err)
			assert.Len(t, page.Records, 5)
			assert.True(t, call.IsPartial())
		})
	}
}

func TestKnownNamesNeedNoLookUp(t *testing.T) {
	contacts := []crm.Contact{{}, {Tags: []crm.Tag{{ID: new("custom.vip")}, {ID: new("custom.new")}}}}
	assert.Equal(t, 2, putNames(contacts, nil))
	assert.Equal(t, 1, putNames(contacts, map[string]string{"custom.vip": "VIP"}), "one is left to be looked up")
	assert.Equal(t, 0, putNames(contacts, map[string]string{"custom.new": "New"}))
	assert.Equal(t, []crm.Tag{{ID: new("custom.vip"), Name: new("VIP")}, {ID: new("custom.new"), Name: new("New")}}, contacts[1].Tags)
}

func TestAWholeAnswerIsNotPartial(t *testing.T) {
	call := start(t, nil).Call(t)
	_, err := listContacts(providertest.Context(t), call, sdk.ListQuery{PageSize: 1000})
	require.NoError(t, err)
	assert.False(t, call.IsPartial())
}

func TestTagsAreFoundByKeyOrNameAndMadeWhereThereAreNone(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	before, err := h.Get(t, plainID) // custom.vip and custom.newsletter
	require.NoError(t, err)
	update := func(tags ...crm.Tag) (*crm.Contact, []string) {
		var after *crm.Contact
		calls := k.Calls(func() {
			after, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: plainID, Record: crm.Contact{Tags: tags}})
		})
		require.NoError(t, err)
		return after, calls
	}
	const contact = "/contacts/v4/contacts/" + plainID
	after, calls := update(before.Tags...)
	assert.Equal(t, before.ETag, after.ETag, "the same tags are no change")
	assert.Equal(t, []string{"GET " + contact}, calls)

	after, calls = update(crm.Tag{Name: new("VIP")}, crm.Tag{Name: new("Größe")}, crm.Tag{ID: new("custom.vip")}, crm.Tag{ID: new("contacts.contacted-me")})
	assert.Equal(t, []string{"GET " + contact, "GET /contacts/v4/labels", "POST /contacts/v4/labels", "POST " + contact + "/labels", "DELETE " + contact + "/labels"}, calls)
	assert.Equal(t, []crm.Tag{{ID: new("custom.vip"), Name: new("VIP")}, {ID: new("custom.gr-e"), Name: new("Größe")}, {ID: new("contacts.contacted-me"), Name: new("Contacted Me")}}, after.Tags)
	assert.Equal(t, "2", *after.ETag, "each of the two calls makes a version")

	got, err := h.Get(t, plainID)
	require.NoError(t, err)
	assert.Equal(t, after, got)
	after, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: plainID, Clear: map[string]bool{"tags": true}})
	require.NoError(t, err)
	assert.Equal(t, []crm.Tag{{ID: new("contacts.contacted-me"), Name: new("Contacted Me")}}, after.Tags, "what Wix put there stays")
}

func TestAnUnknownKeyIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	k := start(t, nil)
	_, _, err := k.Host(t).Create(t, crm.Contact{LastName: new("Quill"), Tags: []crm.Tag{{ID: new("custom.vip")}, {ID: new("custom.none")}, {ID: new("VIP")}}})
	e := providertest.RequireReason(t, err, errs.InvalidBody)
	assert.Equal(t, []string{"tags[1].id", "tags[2].id"}, paths(e))
	assert.Equal(t, []string{"GET"}, []string{k.Emulator.Calls()[0].Method})
	assert.Len(t, k.Emulator.Calls(), 1)
}

func TestWithoutTheListOfLabelsWixDecides(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	require.NoError(t, k.Emulator.Inject(kit.Match{Method: "GET", Path: "/contacts/v4/labels"}, refusal(403, `{}`), -1))
	made, result, err := h.Create(t, crm.Contact{LastName: new("Quill"), Tags: []crm.Tag{{ID: new("custom.vip")}, {Name: new("Newsletter")}}})
	require.NoError(t, err)
	assert.Equal(t, []crm.Tag{{ID: new("custom.vip")}, {ID: new("custom.newsletter")}}, made.Tags)
	assert.True(t, result.GetPartial())
	_, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: plainID, Record: crm.Contact{Tags: []crm.Tag{{ID: new("custom.none")}}}})
	e := providertest.RequireReason(t, err, errs.VendorRejected)
	assert.Equal(t, []string{"tags"}, paths(e), "nothing else was to be written, and nothing was")
}

func TestTheSitesOwnLabelIsTheOneThatANameMeans(t *testing.T) {
	labels, all := find([]crm.Tag{{Name: new("Buyers")}}, nil, map[string]string{"app.buyers": "Buyers", "custom.b": "Buyers", "custom.a": "Buyers", "zeta.x": "Buyers"})
	assert.True(t, all)
	assert.Equal(t, "custom.a", labels[0].key)
}

func TestMoreThanAHundredLabelsTakeSeveralCalls(t *testing.T) {
	k := start(t, nil)
	h := k.Host(t)
	var tags []crm.Tag
	for i := range 101 {
		tags = append(tags, crm.Tag{Name: new(fmt.Sprint("label ", i))})
	}
	made, _, err := h.Create(t, crm.Contact{LastName: new("Quill"), Tags: tags})
	require.NoError(t, err)
	assert.Len(t, made.Tags, 101)
	calls := k.Calls(func() {
		after, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: *made.ID, Clear: map[string]bool{"tags": true}})
		require.NoError(t, err)
		assert.Empty(t, after.Tags)
	})
	assert.Len(t, calls, 3)
}

// The fields are written before the labels. Whoever is told of a failure that
// passes would send the whole once more.
func TestTagsThatCannotBePutOnAreToldWithWhatWasWritten(t *testing.T) {
	for _, fault := range []kit.Fault{refusal(400, `{"message":"No.","details":{}}`), {Status: 429, Headers: map[string]string{"Retry-After": "3600"}}, {Cut: "after"}, refusal(404, `{}`)} {
		k := start(t, nil)
		h := k.Host(t)
		require.NoError(t, k.Emulator.Inject(kit.Match{Method: "POST", Path: "/contacts/v4/contacts/*/labels"}, fault, -1))
		_, _, err := h.Create(t, crm.Contact{LastName: new("Quill"), Tags: []crm.Tag{{Name: new("VIP")}}})
		e := providertest.RequireReason(t, err, errs.VendorConflict)
		assert.Equal(t, []string{"tags"}, paths(e))
		assert.Contains(t, e.Message, "was written but for its tags")
		assert.Equal(t, 409, e.HTTPStatus())
		assert.Zero(t, e.RetryAfter)
		got, err := h.Get(t, e.ExistingID)
		require.NoError(t, err)
		assert.Equal(t, "Quill", *got.LastName)

		_, _, _, err = h.Upsert(t, crm.Contact{Title: new("x"), EmailAddresses: []crm.EmailAddress{{Email: new("new@example.com")}}, Tags: []crm.Tag{{Name: new("VIP")}}})
		e = providertest.RequireReason(t, err, errs.VendorConflict)
		assert.NotEmpty(t, e.ExistingID)
		_, _, err = h.Update(t, sdk.Change[crm.Contact]{ID: targetID, Record: crm.Contact{Title: new("x"), Tags: []crm.Tag{{Name: new("VIP")}}}})
		assert.Equal(t, targetID, providertest.RequireReason(t, err, errs.VendorConflict).ExistingID)
	}
	k := start(t, nil)
	require.NoError(t, k.Emulator.Inject(kit.Match{Method: "POST", Path: "/contacts/v4/labels"}, refusal(428, `{"message":"Full.","details":{"applicationError":{"code":"LABELS_QUOTA_REACHED"}}}`), -1))
	_, _, err := k.Host(t).Create(t, crm.Contact{LastName: new("Quill"), Tags: []crm.Tag{{Name: new("brand new")}}})
	providertest.RequireReason(t, err, errs.VendorPrecondition)
	assert.Len(t, k.List(t, 100), 34, "a label that cannot be made is found out before anything is written")
}
