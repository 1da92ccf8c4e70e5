package sdk

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"

	crmv1 "github.com/unicrm/unicrm/proto/unicrm/crm/v1"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/wire"
)

// numbered are so many ids.
func numbered(n int) []string {
	var ids []string
	for i := range n {
		ids = append(ids, "n"+strconv.Itoa(i))
	}
	return ids
}

// status answers by the number in an id: 404 for every third, 500 for n1.
func byNumber(w http.ResponseWriter, r *http.Request) bool {
	n, _ := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/v2/contacts/n"))
	switch {
	case n == 1:
		w.WriteHeader(http.StatusInternalServerError)
	case n%3 == 0:
		w.WriteHeader(http.StatusNotFound)
	}
	_, _ = fmt.Fprintf(w, `{"n":%d}`, n)
	return true
}

func TestABatchMadeOfDeletesTellsOfEachInItsOrder(t *testing.T) {
	d := newDesk(t, byNumber)
	call := accountAt(d.url)
	call.WantVendorAnswer = true
	response, err := serve(t, writer()).contacts.BatchDeleteContacts(within(t, 20*time.Second), &crmv1.BatchDeleteContactsRequest{Call: call, Ids: numbered(50)})
	require.NoError(t, err)
	require.Len(t, response.GetOutcomes(), 50)
	for i, outcome := range response.GetOutcomes() {
		want := errs.Reason(0)
		switch {
		case i == 1:
			want = errs.VendorUnavailable
		case i%3 == 0:
			want = errs.RecordNotFound
		}
		assert.Equal(t, fmt.Sprint("n", i), outcome.GetId())
		assert.Equal(t, want, outcome.GetError().GetReason(), "%s", outcome.GetId())
		assert.False(t, outcome.GetAlreadyDeleted())
	}
	assert.Len(t, d.asked(), 50, "one request for each")
	assert.Equal(t, `{"n":49}`, string(response.GetResult().GetVendorAnswer().GetBody()), "of the last one")
	require.Len(t, response.GetResult().GetVendorRequests(), 1)
	assert.Contains(t, response.GetResult().GetVendorRequests()[0].GetUrl(), "/n49")
}

func TestPartsOfABatchDoNotGetIntoEachOthersWay(t *testing.T) { // above all with -race
	d := newDesk(t, byNumber)
	provider := writer()
	remove := &Delete[crm.Contact]{Do: func(ctx context.Context, call *Call, id string) (*crm.Contact, error) {
		client, err := clientOf(call) // whose Authorization makes a secret known
		if err != nil {
			return nil, err
		}
		call.Partial("a name", errors.New("of "+id))
		call.Lose("p."+id, "why")
		call.Log().Info("deleting", "id", id)
		_, err = client.Main(ctx, vendorhttp.Request{Method: http.MethodDelete, Path: []string{"contacts", id}})
		return nil, err
	}}
	provider.Contacts.BatchDelete = FanOut(remove, provider.Contacts.IDPattern, 10_000)
	p := serve(t, provider)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			call := accountAt(d.url)
			call.AllowLossy = true
			response, err := p.contacts.BatchDeleteContacts(within(t, 60*time.Second), &crmv1.BatchDeleteContactsRequest{Call: call, Ids: numbered(40)})
			if assert.NoError(t, err) {
				assert.Len(t, response.GetOutcomes(), 40)
				assert.Len(t, response.GetResult().GetWarnings(), 40, "each part's own")
				assert.True(t, response.GetResult().GetPartial())
			}
		})
	}
	all.Wait()
	noCanary(t, p.log.String())
}

func TestAPanicInOnePartOfABatchIsNotTheEndOfTheOthers(t *testing.T) {
	provider := writer()
	remove := &Delete[crm.Contact]{Do: func(_ context.Context, _ *Call, id string) (*crm.Contact, error) {
		if id == "n1" {
			panic("with " + canary)
		}
		return nil, nil
	}}
	provider.Contacts.BatchDelete = FanOut(remove, provider.Contacts.IDPattern, 10_000)
	p := serve(t, provider)
	response, err := p.contacts.BatchDeleteContacts(t.Context(), &crmv1.BatchDeleteContactsRequest{Call: accountAt(""), Ids: numbered(3)})
	require.NoError(t, err)
	assert.Nil(t, response.GetOutcomes()[0].GetError())
	assert.Equal(t, errs.PluginBug, response.GetOutcomes()[1].GetError().GetReason())
	assert.Nil(t, response.GetOutcomes()[2].GetError())
	_, incident, found := strings.Cut(response.GetOutcomes()[1].GetError().GetMessage(), "under incident ")
	require.True(t, found)
	assert.Contains(t, p.log.String(), incident)
	noCanary(t, response.String(), p.log.String())
}

func TestTheDeletesOfABatchKeepTheVendorsPaceWhoeverAsks(t *testing.T) {
	d := newDesk(t, nil)
	provider := writer()
	const perSecond = 40
	provider.Contacts.BatchDelete = FanOut(provider.Contacts.Delete, provider.Contacts.IDPattern, perSecond)
	p := serve(t, provider)
	began := time.Now()
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			_, err := p.contacts.BatchDeleteContacts(within(t, 20*time.Second), &crmv1.BatchDeleteContactsRequest{Call: accountAt(d.url), Ids: numbered(10)})
			assert.NoError(t, err)
		})
	}
	both.Wait()
	assert.Len(t, d.asked(), 20)
	assert.GreaterOrEqual(t, time.Since(began), 19*time.Second/perSecond, "two calls of one account share one pace, without a burst")
	one, other := testCall(), testCall()
	other.account.Id = "another"
	limits := newPaces(perSecond)
	assert.Same(t, limits.of(one), limits.of(testCall()))
	assert.NotSame(t, limits.of(one), limits.of(other), "accounts do not wait for each other")
}

func TestWhatABatchHasNoTimeForIsNotTouchedAndSaysSo(t *testing.T) {
	d := newDesk(t, func(http.ResponseWriter, *http.Request) bool {
		time.Sleep(60 * time.Millisecond)
		return false
	})
	for name, perSecond := range map[string]float64{"a slow vendor": 10_000, "a slow pace": 20} {
		t.Run(name, func(t *testing.T) {
			provider := writer()
			provider.Contacts.BatchDelete = FanOut(provider.Contacts.Delete, provider.Contacts.IDPattern, perSecond)
			response, err := serve(t, provider).contacts.BatchDeleteContacts(within(t, 1500*time.Millisecond), &crmv1.BatchDeleteContactsRequest{Call: accountAt(d.url), Ids: numbered(400)})
			require.NoError(t, err, "the answer comes in time")
			require.Len(t, response.GetOutcomes(), 400)
			var untouched []string
			for _, outcome := range response.GetOutcomes() {
				if outcome.GetError() == nil {
					continue
				}
				assert.Equal(t, errs.VendorTimeout, outcome.GetError().GetReason(), "none is cut off in the middle: %s", outcome)
				assert.Regexp(t, "not touched|nothing was done", outcome.GetError().GetMessage())
				untouched = append(untouched, "DELETE /v2/contacts/"+outcome.GetId())
			}
			assert.NotEmpty(t, untouched)
			sent := lines(d.asked())
			assert.NotEmpty(t, sent)
			assert.Len(t, sent, 400-len(untouched))
			for _, line := range sent {
				assert.NotContains(t, untouched, line)
			}
		})
	}
}

func TestARecordThatASecondTryDidNotFindIsGone(t *testing.T) {
	var tries sync.Map
	d := newDesk(t, func(w http.ResponseWriter, r *http.Request) bool {
		if n, _ := tries.LoadOrStore(r.URL.Path, new(atomic.Int32)); n.(*atomic.Int32).Add(1) == 1 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusNotFound)
		return true
	})
	response, err := serve(t, writer()).contacts.BatchDeleteContacts(within(t, 20*time.Second), &crmv1.BatchDeleteContactsRequest{Call: accountAt(d.url), Ids: numbered(3)})
	require.NoError(t, err)
	for _, outcome := range response.GetOutcomes() {
		assert.True(t, outcome.GetAlreadyDeleted())
		assert.Nil(t, outcome.GetError())
	}
}

func TestAThousandFailuresFitOneMessageAndShowNoSecrets(t *testing.T) {
	secrets := []string{canary, url.QueryEscape(canary), base64.StdEncoding.EncodeToString([]byte("user:" + canary))}
	noise := strings.Repeat("x", 2000) + strings.Join(secrets, " ") + strings.Repeat("y", 64<<10)
	long := noise[:3000]
	var fields []errs.Field
	for range 200 {
		fields = append(fields, errs.Field{Path: "custom_fields." + long, Description: long})
	}
	provider := writer()
	provider.Contacts.BatchDelete = &BatchDelete{Do: func(_ context.Context, _ *Call, ids []string) ([]Outcome, error) {
		failed := map[string]error{}
		for i, id := range ids {
			switch i % 3 {
			case 0:
				failed[id] = &errs.Error{
					Reason: errs.VendorRejected, Message: long, Fields: fields, MissingScopes: []string{long, long}, ExistingID: long,
					Vendor: &errs.VendorAnswer{Status: 422, ContentType: long, Body: []byte(noise)},
				}
			case 1:
				failed[id] = errors.New(long)
			}
		}
		return OutcomesOf(ids, failed), nil
	}}
	for name, batch := range map[string]*BatchDelete{
		"a vendor's bulk route": provider.Contacts.BatchDelete,
		"one by one": FanOut(&Delete[crm.Contact]{Do: func(_ context.Context, _ *Call, id string) (*crm.Contact, error) {
			return nil, &errs.Error{Reason: errs.VendorRejected, Message: long, Fields: fields, Vendor: &errs.VendorAnswer{Status: 422, Body: []byte(noise)}}
		}}, provider.Contacts.IDPattern, 1e6),
	} {
		t.Run(name, func(t *testing.T) {
			provider.Contacts.BatchDelete = batch
			response, err := serve(t, provider).contacts.BatchDeleteContacts(within(t, 60*time.Second), &crmv1.BatchDeleteContactsRequest{Call: accountAt(""), Ids: numbered(1000)})
			require.NoError(t, err)
			require.Len(t, response.GetOutcomes(), 1000)
			assert.Less(t, proto.Size(response), wire.MaxMessage/2, "with room for the vendor's whole answer")
			first := response.GetOutcomes()[0].GetError()
			assert.Equal(t, errs.VendorRejected, first.GetReason())
			assert.NotEmpty(t, first.GetFields())
			assert.True(t, first.GetVendor().GetTruncated())
			text := response.String()
			for _, secret := range append(secrets, "canary") {
				assert.NotContains(t, text, secret)
			}
		})
	}
}

func TestABatchThatCannotBeIsRefusedAsAWhole(t *testing.T) {
	d := newDesk(t, nil)
	provider := writer()
	provider.Contacts.BatchDelete.MaxIDs = 3
	p := serve(t, provider)
	for name, c := range map[string]struct {
		ids    []string
		reason string
	}{
		"none": {nil, "invalid_body"}, "too many": {numbered(4), "invalid_body"}, "one twice": {[]string{"a", "b", "a"}, "invalid_body"},
		"an odd one": {[]string{"a", "b/c"}, "invalid_id"}, "an empty one": {[]string{""}, "invalid_id"},
	} {
		_, err := p.contacts.BatchDeleteContacts(t.Context(), &crmv1.BatchDeleteContactsRequest{Call: accountAt(d.url), Ids: c.ids})
		assert.Equal(t, c.reason, reasonOf(t, err), name)
	}
	assert.Empty(t, d.asked())
}

func TestABatchThatTellsOfOtherRecordsThanItWasAskedForIsABug(t *testing.T) {
	for name, outcomes := range map[string][]Outcome{"none": nil, "too few": {{ID: "a"}}, "others": {{ID: "a"}, {ID: "c"}}, "another order": {{ID: "b"}, {ID: "a"}}} {
		provider := writer()
		provider.Contacts.BatchDelete = &BatchDelete{Do: func(context.Context, *Call, []string) ([]Outcome, error) { return outcomes, nil }}
		_, err := serve(t, provider).contacts.BatchDeleteContacts(t.Context(), &crmv1.BatchDeleteContactsRequest{Call: accountAt(""), Ids: []string{"a", "b"}})
		assert.Equal(t, "plugin_bug", reasonOf(t, err), name)
	}
}

func TestChunksArePutTogether(t *testing.T) {
	ids := numbered(7)
	var sizes []int
	outcomes, err := InChunks(ids, 3, func(chunk []string) ([]Outcome, error) {
		sizes = append(sizes, len(chunk))
		return OutcomesOf(chunk, map[string]error{"n4": errs.New(errs.RecordNotFound, "gone")}), nil
	})
	require.NoError(t, err)
	assert.Equal(t, []int{3, 3, 1}, sizes)
	require.Len(t, outcomes, 7)
	for i, outcome := range outcomes {
		assert.Equal(t, ids[i], outcome.ID)
		assert.Equal(t, i == 4, outcome.Err != nil)
	}
}

func TestWhatWasDoneBeforeAChunkFailedIsTold(t *testing.T) {
	refused, unknown := errs.New(errs.VendorRateLimited, "later"), errs.New(errs.OutcomeUnknown, "the connection broke")
	for name, c := range map[string]struct {
		fails int
		with  error
		whole error
		want  []errs.Reason
	}{
		"the first is refused":     {0, refused, refused, nil},
		"the second is refused":    {1, refused, nil, []errs.Reason{0, 0, errs.VendorRateLimited, errs.VendorRateLimited, errs.VendorRateLimited}},
		"the first is not known":   {0, unknown, nil, []errs.Reason{errs.OutcomeUnknown, errs.OutcomeUnknown, errs.VendorUnavailable, errs.VendorUnavailable, errs.VendorUnavailable}},
		"the last is not known":    {2, unknown, nil, []errs.Reason{0, 0, 0, 0, errs.OutcomeUnknown}},
		"nothing is sent at all":   {0, vendorhttp.ErrNotSent, nil, []errs.Reason{0, 0, 0}},
		"nothing is sent any more": {1, vendorhttp.ErrNotSent, nil, []errs.Reason{0, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			n := -1
			outcomes, err := InChunks(numbered(5), 2, func(chunk []string) ([]Outcome, error) {
				if n++; n == c.fails {
					return nil, c.with
				}
				return OutcomesOf(chunk, nil), nil
			})
			require.Equal(t, c.whole, err)
			if c.with == vendorhttp.ErrNotSent { //nolint:errorlint // the very one
				assert.Equal(t, 2, n, "a dry run shows every chunk")
				return
			}
			var got []errs.Reason
			for i, outcome := range outcomes {
				assert.Equal(t, numbered(5)[i], outcome.ID)
				var e *errs.Error
				if errors.As(outcome.Err, &e) {
					got = append(got, e.Reason)
				} else {
					got = append(got, 0)
				}
			}
			assert.Equal(t, c.want, got)
		})
	}
}

func TestAPaceOfAnAccountThatIsQuietIsForgotten(t *testing.T) {
	p := newPaces(1)
	for i := range 100 {
		call := testCall()
		call.account.Id = strconv.Itoa(i)
		p.of(call)
	}
	assert.Len(t, p.limiters, 100)
	same := testCall()
	assert.Same(t, p.of(same), p.of(testCall()))
	for _, entry := range p.limiters {
		entry.used = time.Now().Add(-time.Hour)
	}
	p.of(same)
	assert.Len(t, p.limiters, 1)
}

// A batch of long answers must not keep them all.
func TestABatchKeepsOnlyTheAnswerThatItShows(t *testing.T) {
	body := strings.Repeat(" ", 1<<20) + "{}"
	d := newDesk(t, func(w http.ResponseWriter, _ *http.Request) bool {
		_, _ = io.WriteString(w, body)
		return true
	})
	provider := writer()
	call := NewCall(*provider, "api_key", []byte(`{"api_key":"k-0123456789"}`), d.url)
	ids := numbered(60)
	outcomes, err := provider.Contacts.BatchDelete.Do(t.Context(), call, ids)
	require.NoError(t, err)
	assert.Len(t, outcomes, 60)
	all := parts{outcomes: make([]Outcome, 3), calls: make([]*Call, 3)}
	for _, i := range []int{1, 0, 2} {
		part := call.fork(nil)
		part.client = &vendorhttp.Client{}
		all.ended(i, part, Outcome{ID: ids[i]})
	}
	assert.Nil(t, all.calls[0].client)
	assert.Nil(t, all.calls[1].client)
	assert.NotNil(t, all.calls[2].client)
}
