package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/plugins/wix/emulator"
	"github.com/unicrm/unicrm/sdk"
	kit "github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
)

const otherID = "3f2c1a10-0000-4000-8000-000000000002"

func TestABatchTellsWhatBecameOfEach(t *testing.T) {
	k := start(t, map[string]string{"unknown_id": "200", "second_delete": "200", "delete_merged_id": "200"}) // the search knows better
	h := k.Host(t)
	ids := []string{strings.ToUpper(plainID), unknownID, memberID, otherID, mergedID, subscriberID, wixUserID, targetID}
	var outcomes []error
	calls := k.Calls(func() {
		var err error
		outcomes, _, err = h.BatchDelete(t, ids)
		require.NoError(t, err)
	})
	for id, reason := range map[int]errs.Reason{1: errs.RecordNotFound, 2: errs.VendorPrecondition, 4: errs.RecordNotFound, 5: errs.VendorPrecondition, 6: errs.VendorPrecondition} {
		providertest.RequireReason(t, outcomes[id], reason)
	}
	for _, id := range []int{0, 3, 7} {
		require.NoError(t, outcomes[id])
	}
	assert.Contains(t, outcomes[2].Error(), "delete the member at Wix first")
	assert.Contains(t, outcomes[5].Error(), "cancel the subscription")
	assert.Contains(t, outcomes[6].Error(), "take that role")
	require.Len(t, calls, 7)
	assert.Equal(t, []string{"POST /contacts/v4/contacts/query", "POST /contacts/v4/bulk/contacts/delete"}, calls[:2])
	assert.True(t, strings.HasPrefix(calls[2], "GET /contacts/v4/bulk/jobs/"))
	assert.ElementsMatch(t, []string{
		"POST /contacts/v4/contacts/query",
		"DELETE /contacts/v4/contacts/" + memberID, "DELETE /contacts/v4/contacts/" + subscriberID, "DELETE /contacts/v4/contacts/" + wixUserID,
	}, calls[3:], "what the job has left is deleted one by one")
	left := k.List(t, 100)
	assert.Len(t, left, 31)
}

func TestAThousandContactsCostThreeCalls(t *testing.T) {
	server, err := kit.Start(emulator.Definition, kit.Options{Seed: 1000})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	credentials := server.Context()
	delete(credentials, "base_url")
	call := func() *sdk.Call { return sdk.NewCall(provider, "api_key", marshal(t, credentials), server.URL()) }
	page, err := listContacts(providertest.Context(t), call(), sdk.ListQuery{PageSize: 999})
	require.NoError(t, err)
	ids := []string{unknownID}
	for _, c := range page.Records {
		ids = append(ids, *c.ID)
	}
	require.Len(t, ids, provider.Contacts.BatchDelete.MaxIDs)
	before := len(server.Calls())
	outcomes, err := deleteContacts(providertest.Context(t), call(), ids)
	require.NoError(t, err)
	require.Len(t, outcomes, 1000)
	providertest.RequireReason(t, outcomes[0].Err, errs.RecordNotFound)
	for i, outcome := range outcomes {
		assert.Equal(t, ids[i], outcome.ID)
		if i > 0 {
			require.NoError(t, outcome.Err)
		}
	}
	assert.Len(t, server.Calls()[before:], 3)
	again, err := deleteContacts(providertest.Context(t), call(), ids)
	require.NoError(t, err)
	for _, outcome := range again {
		providertest.RequireReason(t, outcome.Err, errs.RecordNotFound)
	}
	assert.Len(t, server.Calls()[before:], 4, "no filter without ids is sent")
}

func TestAJobIsWaitedFor(t *testing.T) {
	k := start(t, map[string]string{"job_delay_ms": "600"})
	calls := k.Calls(func() {
		outcomes, _, err := k.Host(t).BatchDelete(t, []string{plainID, otherID})
		require.NoError(t, err)
		assert.Equal(t, []error{nil, nil}, outcomes)
	})
	assert.Len(t, calls, 5, "asked for after a quarter of a second, then half a second later")
}

func TestAJobThatDoesNotEndInTimeLeavesTheOutcomeUnknown(t *testing.T) {
	k := start(t, map[string]string{"job_delay_ms": "60000"})
	ctx, cancel := context.WithTimeout(t.Context(), lookTime+time.Second)
	defer cancel()
	outcomes, err := deleteContacts(ctx, k.Call(t), []string{plainID, unknownID})
	require.NoError(t, err)
	e := providertest.RequireReason(t, outcomes[0].Err, errs.OutcomeUnknown)
	assert.Regexp(t, `the job [0-9a-f-]{36} at Wix`, e.Message)
	providertest.RequireReason(t, outcomes[1].Err, errs.RecordNotFound)
	require.NoError(t, ctx.Err(), "there is time left to tell")
}

func TestABrokenBatchIsToldApart(t *testing.T) {
	bulk := kit.Match{Path: "/contacts/v4/bulk/contacts/delete"}
	k := start(t, nil)
	h := k.Host(t)
	require.NoError(t, k.Emulator.Inject(bulk, kit.Fault{Cut: "after"}, 1))
	outcomes, _, err := h.BatchDelete(t, []string{plainID, unknownID})
	require.NoError(t, err)
	providertest.RequireReason(t, outcomes[0], errs.OutcomeUnknown)
	providertest.RequireReason(t, outcomes[1], errs.RecordNotFound)

	require.NoError(t, k.Emulator.Inject(bulk, refusal(403, `{"message":"","details":{}}`), 1))
	_, _, err = h.BatchDelete(t, []string{otherID, unknownID})
	providertest.RequireReason(t, err, errs.VendorForbidden)

	require.NoError(t, k.Emulator.Inject(bulk, answer(`{}`), 1)) // no job to ask for, and nothing done
	outcomes, _, err = h.BatchDelete(t, []string{otherID})
	require.NoError(t, err)
	providertest.RequireReason(t, outcomes[0], errs.OutcomeUnknown)

	require.NoError(t, k.Emulator.Inject(matchQuery, refusal(500, `{}`), -1))
	_, _, err = h.BatchDelete(t, []string{otherID})
	providertest.RequireReason(t, err, errs.VendorUnavailable)
}

// wix is a vendor that answers each route as a test has it, the last answer
// again and again.
func wix(t *testing.T, routes map[string][]string) (*sdk.Call, *[]string) {
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/contacts/v4/")
		seen = append(seen, route)
		answers := routes[route]
		if len(answers) == 0 {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		if len(answers) > 1 {
			routes[route] = answers[1:]
		}
		_, _ = w.Write([]byte(answers[0]))
	}))
	t.Cleanup(server.Close)
	return sdk.NewCall(provider, "api_key", json.RawMessage(credentials), server.URL), &seen
}

func TestASearchThatLagsBehindAJobMisleadsNobody(t *testing.T) {
	both := `{"contacts":[{"id":"` + plainID + `"},{"id":"` + otherID + `"}]}`
	call, seen := wix(t, map[string][]string{
		"POST contacts/query":        {both},
		"POST bulk/contacts/delete":  {`{"jobId":"1"}`},
		"GET bulk/jobs/1":            {`{"job":{"status":"NEW"}}`, `{"job":{"status":"COMPLETED","totalItems":1,"successTotal":1,"failedTotal":0}}`},
		"DELETE contacts/" + otherID: {`{}`}, // the job had not found this one
	})
	outcomes, err := deleteContacts(providertest.Context(t), call, []string{plainID, otherID})
	require.NoError(t, err)
	assert.Equal(t, []sdk.Outcome{{ID: plainID}, {ID: otherID}}, outcomes)
	assert.Len(t, *seen, 7)
}

func TestAJobIsReadWithoutAnEnvelopeToo(t *testing.T) {
	for _, job := range []string{
		`{"status":"COMPLETED","successTotal":1,"failedTotal":0}`, `{"job":{"status":"COMPLETED","successTotal":"1","failedTotal":"0"}}`,
		`{"job":{"status":"INDEXING","finishedDate":"2024-03-06T10:00:00.200Z","successTotal":1,"failedTotal":0}}`,
	} {
		call, seen := wix(t, map[string][]string{
			"POST contacts/query": {`{"contacts":[{"id":"` + plainID + `"}]}`}, "POST bulk/contacts/delete": {`{"jobId":"1"}`},
			"GET bulk/jobs/1": {"<html>", `[]`, `{"job":{"status":"INDEXING"}}`, job},
		})
		outcomes, err := deleteContacts(providertest.Context(t), call, []string{plainID})
		require.NoError(t, err)
		require.NoError(t, outcomes[0].Err)
		assert.Len(t, *seen, 6)
	}
}

func TestASearchForManyIsReadToItsEnd(t *testing.T) {
	call, _ := wix(t, map[string][]string{
		"POST contacts/query": {
			`{"contacts":[{"id":"` + plainID + `"}],"pagingMetadata":{"total":2}}`, `{"contacts":[{"id":"` + otherID + `"}],"pagingMetadata":{"total":2}}`,
		},
		"POST bulk/contacts/delete": {`{"jobId":"1"}`}, "GET bulk/jobs/1": {`{"job":{"status":"COMPLETED","successTotal":2,"failedTotal":0}}`},
	})
	outcomes, err := deleteContacts(providertest.Context(t), call, []string{plainID, otherID, unknownID})
	require.NoError(t, err)
	require.NoError(t, outcomes[0].Err)
	require.NoError(t, outcomes[1].Err)
	providertest.RequireReason(t, outcomes[2].Err, errs.RecordNotFound)
}
