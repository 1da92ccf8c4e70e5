package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	kit "github.com/unicrm/unicrm/sdk/emulator"
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
