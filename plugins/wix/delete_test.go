package main

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk/crm"
	kit "github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
)

func TestDeleteIsOneCall(t *testing.T) {
	k := start(t, nil)
	deleted, err := deleteContact(providertest.Context(t), k.Call(t), plainID)
	require.NoError(t, err)
	assert.Equal(t, &crm.Contact{RemoteData: json.RawMessage(`{}`)}, deleted)
	calls := k.Emulator.Calls()
	require.Len(t, calls, 1)
	assert.Equal(t, "DELETE /contacts/v4/contacts/"+plainID, calls[0].Method+" "+calls[0].Path)
	assert.Empty(t, calls[0].Query)
	assert.Empty(t, calls[0].Body)

	_, err = getContact(providertest.Context(t), k.Call(t), plainID)
	providertest.RequireReason(t, err, errs.RecordNotFound)
	for _, c := range k.List(t, 100) {
		assert.NotEqual(t, plainID, *c.ID)
	}
}

func TestDeleteOfWhatIsNotThere(t *testing.T) {
	for name, id := range map[string]string{"unknown_id": unknownID, "second_delete": plainID, "delete_merged_id": mergedID} {
		for _, value := range []string{"404", "200"} {
			t.Run(name+" answers "+value, func(t *testing.T) {
				k := start(t, map[string]string{name: value})
				if name == "second_delete" {
					_, err := deleteContact(providertest.Context(t), k.Call(t), id)
					require.NoError(t, err)
				}
				deleted, err := deleteContact(providertest.Context(t), k.Call(t), id)
				if value == "200" {
					require.NoError(t, err)
					assert.JSONEq(t, `{}`, string(deleted.RemoteData))
				} else {
					e := providertest.RequireReason(t, err, errs.RecordNotFound)
					assert.Equal(t, 404, e.HTTPStatus())
				}
				contact, err := getContact(providertest.Context(t), k.Call(t), targetID)
				require.NoError(t, err, "nobody else was deleted")
				assert.Equal(t, targetID, *contact.ID)
			})
		}
	}
}

func TestDeleteAcceptsAnyBody(t *testing.T) {
	k := start(t, nil)
	for body, want := range map[string]string{`{}`: `{}`, `""`: ``, `true`: `true`, `{"contact":{"id":"x"}}`: `{"contact":{"id":"x"}}`, `"deleted"`: `"deleted"`, `[1]`: `[1]`} {
		for _, status := range []int{200, 204} {
			fault := answer(body)
			fault.Status = status
			require.NoError(t, k.Emulator.Inject(kit.Match{Method: http.MethodDelete}, fault, 1))
			deleted, err := deleteContact(providertest.Context(t), k.Call(t), plainID)
			require.NoError(t, err)
			if status == 204 {
				want = "" // which has no body
			}
			assert.Equal(t, want, string(deleted.RemoteData))
			assert.Nil(t, deleted.ID, "the SDK puts the id in")
		}
	}
}

func TestMembersSubscribersAndWixUsersStay428(t *testing.T) {
	for id, todo := range map[string]string{memberID: "delete the member", subscriberID: "cancel the subscription", wixUserID: "take that role"} {
		k := start(t, nil)
		_, err := deleteContact(providertest.Context(t), k.Call(t), id)
		e := providertest.RequireReason(t, err, errs.VendorPrecondition)
		assert.Equal(t, 428, e.HTTPStatus())
		assert.Contains(t, e.Message, todo)
		assert.Len(t, k.Emulator.Calls(), 1)
	}
}

func TestAHalfDoneDeleteIsNotAPassingFailure(t *testing.T) {
	k := start(t, map[string]string{"member_delete": "500"})
	_, err := deleteContact(providertest.Context(t), k.Call(t), memberID)
	e := providertest.RequireReason(t, err, errs.UnexpectedVendorAnswer)
	assert.Equal(t, 500, e.HTTPStatus())
	assert.Equal(t, "RETRY_AFTER_CHECK", errs.Rule(e.Reason).GetRetry().String())
	assert.Len(t, k.Emulator.Calls(), 1, "never sent again")
}

func TestABrokenConnectionIsToldApart(t *testing.T) {
	k := start(t, nil)
	require.NoError(t, k.Emulator.Inject(kit.Match{Method: http.MethodDelete}, kit.Fault{Cut: "after"}, 1))
	call := k.Call(t)
	_, err := deleteContact(providertest.Context(t), call, plainID)
	providertest.RequireReason(t, err, errs.RecordNotFound) // the SDK makes already-deleted of it
	assert.Len(t, k.Emulator.Calls(), 2, "sent again once")

	require.NoError(t, k.Emulator.Inject(kit.Match{Method: http.MethodGet}, kit.Fault{Cut: "during"}, 1))
	_, err = getContact(providertest.Context(t), k.Call(t), targetID)
	require.NoError(t, err)
}
