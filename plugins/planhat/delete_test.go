package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	kit "github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
)

func TestDeleteIsOneCallWhateverTheAnswer(t *testing.T) {
	for body, remote := range map[string]string{
		"counts": `{"n":1,"ok":1,"deletedCount":1}`,
		"n_ok":   `{"n":1,"ok":1}`,
		"empty":  "",
		"204":    "",
	} {
		t.Run(body, func(t *testing.T) {
			k := start(t, map[string]string{"delete_body": body})
			id := anyID(t, k)
			deleted, err := deleteContact(providertest.Context(t), k.Call(t), id)
			require.NoError(t, err)
			if remote == "" {
				assert.Nil(t, deleted.RemoteData)
			} else {
				assert.JSONEq(t, remote, string(deleted.RemoteData))
			}
			assert.Nil(t, deleted.ID, "the vendor's answer has no id")
			calls := k.Emulator.Calls()
			require.Len(t, calls, 1)
			assert.Equal(t, "DELETE /endusers/"+id, calls[0].Method+" "+calls[0].Path)
			assert.Empty(t, calls[0].Query)

			_, err = getContact(providertest.Context(t), k.Call(t), id)
			providertest.RequireReason(t, err, errs.RecordNotFound)
			assert.Len(t, k.List(t, 100), listed-1)
		})
	}
}

func TestASecondDeleteIsNotFound(t *testing.T) {
	for _, second := range []string{"404", "200_zero"} {
		for _, body := range []string{"text", "json_message", "json_error", "html", "empty"} {
			t.Run(second+" "+body, func(t *testing.T) {
				k := start(t, map[string]string{"second_delete": second, "error_body": body})
				id := anyID(t, k)
				_, err := deleteContact(providertest.Context(t), k.Call(t), id)
				require.NoError(t, err)
				for _, gone := range []string{id, unknownID} {
					_, err = deleteContact(providertest.Context(t), k.Call(t), gone)
					e := providertest.RequireReason(t, err, errs.RecordNotFound)
					require.NotNil(t, e.Vendor, "the vendor's answer is attached")
					assert.Equal(t, 404, e.HTTPStatus())
					assert.NotContains(t, e.Message, "<", "a message is never HTML")
				}
				assert.Len(t, k.List(t, 100), listed-1)
			})
		}
	}
}

func TestWhatTheCountsOfADeleteMean(t *testing.T) {
	cases := []struct {
		body   string
		reason errs.Reason // none is success
	}{
		{body: `{"n":0,"ok":1,"deletedCount":0}`, reason: errs.RecordNotFound},
		{body: `{"n":0,"ok":1}`, reason: errs.RecordNotFound},
		{body: `{"deletedCount":0}`, reason: errs.RecordNotFound},
		{body: `{"acknowledged":true,"deletedCount":0}`, reason: errs.RecordNotFound},
		{body: `{"deletedCount":"0"}`, reason: errs.RecordNotFound},
		{body: `{"deletedCount":0.0}`, reason: errs.RecordNotFound},
		{body: `{"n":0,"ok":1,"deletedCount":null}`, reason: errs.RecordNotFound},
		{body: `{"n":1,"deletedCount":0}`, reason: errs.RecordNotFound},
		{body: `{"n":0,"ok":0}`, reason: errs.UnexpectedVendorAnswer},
		{body: `{"ok":0,"errmsg":"not primary"}`, reason: errs.UnexpectedVendorAnswer},
		{body: `{"n":1,"ok":1,"deletedCount":1}`},
		{body: `{"n":1.0,"ok":1.0}`},
		{body: `{"ok":1}`},
		{body: `{}`},
		{body: `{"_id":"64b0c1d2e3f405162738495a"}`},
		{body: `[]`},
		{body: `true`},
		{body: `0`},
		{body: `"OK"`},
	}
	k := start(t, nil)
	for _, c := range cases {
		t.Run(c.body, func(t *testing.T) {
			answer(t, k, c.body)
			deleted, err := deleteContact(providertest.Context(t), k.Call(t), unknownID)
			if c.reason != 0 {
				e := providertest.RequireReason(t, err, c.reason)
				require.NotNil(t, e.Vendor)
				assert.Equal(t, c.body, string(e.Vendor.Body))
				return
			}
			require.NoError(t, err)
			assert.True(t, json.Valid(deleted.RemoteData))
		})
	}
	require.NoError(t, k.Emulator.Inject(kit.Match{}, kit.Fault{Status: 202, Body: json.RawMessage(`"Accepted"`), Headers: map[string]string{"Content-Type": "text/plain"}}, 1))
	deleted, err := deleteContact(providertest.Context(t), k.Call(t), unknownID)
	require.NoError(t, err)
	assert.Equal(t, `"Accepted"`, string(deleted.RemoteData), "text is kept as a JSON string")
}

// The SDK sends a DELETE again when the connection broke, and takes "not
// found" for done then. Both of Planhat's ways to say so must read alike.
func TestADeleteWhoseAnswerWasLostIsFoundGone(t *testing.T) {
	for _, second := range []string{"404", "200_zero"} {
		t.Run(second, func(t *testing.T) {
			k := start(t, map[string]string{"second_delete": second})
			id := anyID(t, k)
			require.NoError(t, k.Emulator.Inject(kit.Match{Method: "DELETE"}, kit.Fault{Cut: "after"}, 1))
			_, err := deleteContact(providertest.Context(t), k.Call(t), id)
			providertest.RequireReason(t, err, errs.RecordNotFound)
			assert.Len(t, k.Emulator.Calls(), 2)
		})
	}
}

func TestPermissionsBoundWhatTheTokenMayDo(t *testing.T) {
	k := start(t, map[string]string{"permissions": "read_only"})
	id := anyID(t, k)
	_, err := getContact(providertest.Context(t), k.Call(t), id)
	require.NoError(t, err)
	_, err = deleteContact(providertest.Context(t), k.Call(t), id)
	providertest.RequireReason(t, err, errs.VendorForbidden)

	require.NoError(t, k.Emulator.SetSwitch("permissions", "none"))
	providertest.RequireReason(t, checkConnection(providertest.Context(t), k.Call(t)), errs.VendorForbidden)
}
