package api

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/host/internal/unified"
	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/errs"
)

// deletesAll is a plugin whose every delete works.
func deletesAll(_ context.Context, r unified.Request) (*unified.Result, error) {
	result := &unified.Result{}
	for _, id := range r.IDs {
		result.Outcomes = append(result.Outcomes, unified.Outcome{ID: id})
	}
	return result, nil
}

func manyIDs(n int) string { return `{"id":["` + strings.Join(numbers(1, n), `","`) + `"]}` }

func TestABatchTellsWhatBecameOfEachIDInTheOrderOfTheRequest(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.answers(&unified.Result{Outcomes: []unified.Outcome{
		{ID: "3", AlreadyDeleted: true},
		{ID: "2", Err: &errs.Error{Reason: errs.RecordNotFound, Message: "no such contact", Vendor: &errs.VendorAnswer{Status: 404, Body: []byte(`{"a":"` + strings.Repeat("x", 9000) + `"}`)}}},
		{ID: "1"},
	}}, nil)
	got := w.contacts(http.MethodPost, "/batch-delete", "", `{"id":["1","x","2","3","4"]}`)
	require.Equal(t, 200, got.status, "%s", got)
	assert.Equal(t, []string{"1", "2", "3", "4"}, w.fake.requests()[0].IDs, "what cannot be an id is not sent")
	body := got.json(t)
	var told []string
	for _, one := range body["result"].([]any) {
		told = append(told, strings.TrimSpace(fmt.Sprintln(valueAt(one, "id"), valueAt(one, "deleted"), valueAt(one, "already_deleted"), valueAt(one, "error.reason"), valueAt(one, "error.statusCode"))))
	}
	assert.Equal(t, []string{
		"1 true <nil> <nil> <nil>", "x false <nil> invalid_id 404", "2 false <nil> record_not_found 404", "3 true true <nil> <nil>", "4 false <nil> outcome_unknown 500",
	}, told)
	assert.EqualValues(t, 2, body["deleted_count"])
	assert.EqualValues(t, 3, body["failed_count"])
	assert.Equal(t, true, valueAt(body, "result.2.error.truto_is_remote_error"))
	assert.Equal(t, true, valueAt(body, "result.2.error.raw_response_truncated"), "a thousand of them must fit into an answer")
	assert.Equal(t, got.header.Get("X-Request-Id"), valueAt(body, "result.2.error.request_id"))
}

func TestABatchIsSplitByThePluginsLimit(t *testing.T) {
	for most, want := range map[int32][]int{0: {100, 100, 50}, 120: {120, 120, 10}, 5000: {250}} {
		w := newWorld(t, func(m *providerv1.HandshakeResponse, _ *Config) {
			method(m, providerv1.Method_METHOD_BATCH_DELETE).MaxRecords = most
		})
		w.fake.does(deletesAll)
		got := w.contacts(http.MethodPost, "/batch-delete", "", manyIDs(250))
		require.Equal(t, 200, got.status, "%s", got)
		assert.EqualValues(t, 250, got.json(t)["deleted_count"])
		var sizes []int
		for _, r := range w.fake.requests() {
			sizes = append(sizes, len(r.IDs))
		}
		assert.Equal(t, want, sizes, "with a limit of %d", most)
	}
}

func TestWhatIsKnownOfABatchIsNotLostWhenALaterPartFails(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.does(func(ctx context.Context, r unified.Request) (*unified.Result, error) {
		if r.IDs[0] == "101" {
			return nil, errs.New(errs.OutcomeUnknown, "the plugin ended")
		}
		return deletesAll(ctx, r)
	})
	body := w.contacts(http.MethodPost, "/batch-delete", "", manyIDs(300)).json(t)
	assert.EqualValues(t, 100, body["deleted_count"])
	assert.Equal(t, "outcome_unknown", valueAt(body, "result.100.error.reason"))
	assert.Equal(t, "outcome_unknown", valueAt(body, "result.199.error.reason"))
	assert.Equal(t, "overloaded", valueAt(body, "result.200.error.reason"), "these were not tried, and can be again")
	assert.Len(t, w.fake.requests(), 2)

	w.fake.answers(nil, errs.New(errs.VendorUnauthenticated, "no"))
	requireError(t, w.contacts(http.MethodPost, "/batch-delete", "", manyIDs(300)), 401, "vendor_unauthenticated")
}

func TestBatchBodiesAreHeldToTheirForm(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.does(deletesAll)
	for body, fields := range map[string][]string{
		`{}`: {"id"}, `{"id":[]}`: {"id"}, `{"id":"1"}`: {"id"}, `{"id":["1",2,null]}`: {"id[1]", "id[2]"}, `{"id":["1","2","1"]}`: {"id[2]"}, manyIDs(1001): {"id"}, `{"id":["1"],"ids":["2"]}`: {"ids"},
	} {
		assert.Equal(t, fields, failures(requireError(t, w.contacts(http.MethodPost, "/batch-delete", "", body), 400, "invalid_body")), "%.60s", body)
	}
	requireError(t, w.contacts(http.MethodPost, "/batch-delete", "truto_response_format=raw", `{"id":["1"]}`), 400, "unsupported")
	assert.Empty(t, w.fake.requests())
	assert.EqualValues(t, 1000, w.contacts(http.MethodPost, "/batch-delete", "", manyIDs(1000)).json(t)["deleted_count"])
	assert.EqualValues(t, 2, w.contacts(http.MethodPost, "/batch-delete", "", `{"id":["a","b"]}`).json(t)["failed_count"], "nobody is asked for none")
}

func TestABatchHasATimeOfItsOwnWhateverTheConnectionsIs(t *testing.T) {
	w := newWorld(t, func(_ *providerv1.HandshakeResponse, c *Config) { c.RequestTimeout = 100 * time.Millisecond })
	short := httptest.NewUnstartedServer(w.server)
	short.Config.ReadTimeout, short.Config.WriteTimeout = 200*time.Millisecond, 200*time.Millisecond
	short.Start()
	defer short.Close()
	w.http.URL, short.URL = short.URL, w.http.URL
	w.fake.does(func(ctx context.Context, r unified.Request) (*unified.Result, error) {
		select {
		case <-time.After(500 * time.Millisecond):
			return deletesAll(ctx, r)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	assert.EqualValues(t, 3, w.contacts(http.MethodPost, "/batch-delete", "", manyIDs(3)).json(t)["deleted_count"])
	requireError(t, w.contacts(http.MethodDelete, "/5", "", ""), 504, "vendor_timeout")

	w.server.BatchTimeout = 600 * time.Millisecond
	body := w.contacts(http.MethodPost, "/batch-delete", "", manyIDs(250)).json(t)
	assert.EqualValues(t, 100, body["deleted_count"], "what was done in time is told")
	assert.Equal(t, "overloaded", valueAt(body, "result.249.error.reason"))
}
