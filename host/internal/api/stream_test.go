package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/host/internal/unified"
	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/errs"
)

const streamed = "truto_response_format=stream"

// lineIDs are the ids of a stream's records.
func lineIDs(t *testing.T, body []byte) (ids []string) {
	t.Helper()
	for line := range strings.Lines(string(body)) {
		var record struct{ ID string }
		require.NoError(t, json.Unmarshal([]byte(line), &record), line)
		ids = append(ids, record.ID)
	}
	return ids
}

func TestAStreamGivesTheWholeListOneRecordALine(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.does(counted(250))
	got := w.contacts(http.MethodGet, "", streamed+"&truto_exclude_fields=custom_fields&truto_ignore_remote_data=true", "", "Accept", "text/html, application/x-ndjson; q=0.9")
	require.Equal(t, 200, got.status, "%s", got)
	require.NoError(t, got.err)
	assert.Equal(t, "application/x-ndjson", got.header.Get("Content-Type"))
	assert.Empty(t, got.header.Get("Content-Length"))
	assert.Equal(t, numbers(1, 250), lineIDs(t, got.body))
	first, _, _ := strings.Cut(string(got.body), "\n")
	assert.Equal(t, `{"id":"1","first_name":null,"last_name":"Quill 1","account":null,"owner":null,"addresses":[],"email_addresses":[],"phone_numbers":[],"created_at":null,"etag":null}`, first)
	assert.Equal(t, 100, w.fake.requests()[0].PageSize)
	assert.False(t, w.fake.requests()[0].WantAnswer)

	w.fake.does(counted(250))
	limited := w.contacts(http.MethodGet, "", streamed+"&limit=30", "", "Accept", lines)
	assert.Equal(t, numbers(1, 250), lineIDs(t, limited.body), "a limit is the size of pages underneath")
	assert.Equal(t, 30, w.fake.requests()[0].PageSize)
	next := w.page("limit=30", "").next
	assert.Equal(t, numbers(31, 250), lineIDs(t, w.contacts(http.MethodGet, "", streamed+"&next_cursor="+next, "", "Accept", lines).body), "a cursor is where it begins")

	empty := newWorld(t, nil)
	empty.fake.answers(&unified.Result{}, nil)
	none := empty.contacts(http.MethodGet, "", streamed, "", "Accept", lines)
	assert.Equal(t, 200, none.status)
	assert.Empty(t, none.body)
}

func TestOnlyAStreamThatAcceptsLinesIsLines(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.does(func(ctx context.Context, r unified.Request) (*unified.Result, error) {
		result, err := counted(3)(ctx, r)
		if r.WantAnswer {
			result.Answer = &errs.VendorAnswer{ContentType: "application/json", Body: []byte(strings.Repeat("x", 3*chunk+1))}
		}
		return result, err
	})
	for _, accept := range []string{"*/*", "application/json", "application/x-ndjson;q=0", "application/x-ndjson;q=0.0, */*"} {
		got := w.contacts(http.MethodGet, "", streamed, "", "Accept", accept)
		assert.Equal(t, "application/json", got.header.Get("Content-Type"), accept)
		assert.Len(t, got.body, 3*chunk+1, "the vendor's body")
		assert.Empty(t, got.header.Get("Content-Length"))
	}
	assert.Contains(t, w.contacts(http.MethodGet, "", "truto_response_format=unified", "", "Accept", lines).header.Get("Content-Type"), "application/json")
	assert.Contains(t, w.contacts(http.MethodGet, "", "", "", "Accept", lines).header.Get("Content-Type"), "application/json")
	w.fake.answers(&unified.Result{Records: []unified.Record{contact("5")}, Answer: &errs.VendorAnswer{}}, nil)
	assert.Equal(t, 204, w.contacts(http.MethodGet, "/5", streamed, "", "Accept", lines).status)
}

func TestAStreamGivesNoRecordTwice(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.does(func(_ context.Context, r unified.Request) (*unified.Result, error) {
		n := len(r.PageToken)
		result := &unified.Result{Records: []unified.Record{contact(fmt.Sprint(n + 1)), contact(fmt.Sprint(n + 2)), {"last_name": "without an id"}}}
		if n < 5 {
			result.NextPageToken = strings.Repeat("x", n+1)
		}
		return result, nil
	})
	got := w.contacts(http.MethodGet, "", streamed, "", "Accept", lines)
	var ids []string
	for _, id := range lineIDs(t, got.body) {
		if id != "" {
			ids = append(ids, id)
		}
	}
	assert.Equal(t, numbers(1, 7), ids)
}

func TestIDsAreRememberedForTwoGenerations(t *testing.T) {
	const size = 1000
	s := newSeen(size)
	for i := range 3 * size {
		require.True(t, s.add(fmt.Sprint(i)))
	}
	assert.False(t, s.add(fmt.Sprint(3*size-1)))
	assert.False(t, s.add(fmt.Sprint(2*size)), "a generation back for certain")
	assert.True(t, s.add("0"), "the oldest are forgotten")
	assert.LessOrEqual(t, len(s.now)+len(s.before), 2*size)
}

func TestAnErrorBeforeTheFirstRecordIsAnOrdinaryAnswer(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.answers(nil, errs.New(errs.VendorForbidden, "no"))
	requireError(t, w.contacts(http.MethodGet, "", streamed, "", "Accept", lines), 403, "vendor_forbidden")
	requireError(t, w.contacts(http.MethodGet, "", streamed+"&first_name=x", "", "Accept", lines), 400, "unsupported")
}

func TestAStreamThatBreaksSaysWhyAndIsNeverTakenForWhole(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.does(func(ctx context.Context, r unified.Request) (*unified.Result, error) {
		if r.PageToken == "3" {
			return nil, &errs.Error{Reason: errs.VendorUnavailable, Message: "gone", Vendor: &errs.VendorAnswer{Status: 503, Body: []byte(`{"a":1}`)}}
		}
		return counted(450)(ctx, r)
	})
	got := w.contacts(http.MethodGet, "", streamed, "", "Accept", lines)
	require.Equal(t, 200, got.status)
	require.ErrorIs(t, got.err, io.ErrUnexpectedEOF, "the connection was cut")
	all := strings.Split(strings.TrimSuffix(string(got.body), "\n"), "\n")
	require.Len(t, all, 201)
	var last map[string]any
	require.NoError(t, json.Unmarshal([]byte(all[200]), &last))
	assert.Equal(t, "vendor_unavailable", valueAt(last, "error.reason"))
	assert.EqualValues(t, 503, valueAt(last, "error.statusCode"))
	assert.Equal(t, got.header.Get("X-Request-Id"), valueAt(last, "error.request_id"))
	metrics := w.send(http.MethodGet, "/metrics", "")
	assert.Contains(t, string(metrics.body), `unicrm_requests_total{method="list",provider="acme",resource="contacts",status="200"} 1`, "it is counted")
}

func TestEveryPageOfAStreamHasATimeOfItsOwn(t *testing.T) {
	w := newWorld(t, func(_ *providerv1.HandshakeResponse, c *Config) { c.RequestTimeout = 300 * time.Millisecond })
	slow := func(wait time.Duration) {
		w.fake.does(func(ctx context.Context, r unified.Request) (*unified.Result, error) {
			select {
			case <-time.After(wait):
				return counted(500)(ctx, r)
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		})
	}
	slow(100 * time.Millisecond)
	got := w.contacts(http.MethodGet, "", streamed, "", "Accept", lines)
	require.NoError(t, got.err)
	assert.Len(t, lineIDs(t, got.body), 500, "half a second in all")
	slow(time.Minute)
	requireError(t, w.contacts(http.MethodGet, "", streamed, "", "Accept", lines), 504, "vendor_timeout")
}

// endless is a list without an end, whose pages are as large as they may be.
func endless(_ context.Context, r unified.Request) (*unified.Result, error) {
	n := 0
	_, _ = fmt.Sscan(r.PageToken, &n)
	result := &unified.Result{NextPageToken: fmt.Sprint(n + 1)}
	for i := range r.PageSize {
		record := contact(fmt.Sprint(n*r.PageSize + i + 1))
		record["remote_data"] = json.RawMessage(`"` + strings.Repeat("x", 5<<10) + `"`)
		result.Records = append(result.Records, record)
	}
	return result, nil
}

func TestAStreamEndsWithItsReader(t *testing.T) {
	for name, leave := range map[string]func(net.Conn){
		"who goes away":       func(conn net.Conn) { _ = conn.Close() },
		"who no longer reads": func(net.Conn) {},
	} {
		t.Run(name, func(t *testing.T) { endsWithItsReader(t, leave) })
	}
}

func endsWithItsReader(t *testing.T, leave func(net.Conn)) {
	w := newWorld(t, nil)
	w.server.patience = 300 * time.Millisecond
	w.fake.does(endless)
	address := strings.TrimPrefix(w.http.URL, "http://")
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	_, err = fmt.Fprintf(conn, "GET /unified/crm/contacts?integrated_account_id=%s&%s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nAccept: %s\r\n\r\n", w.account, streamed, w.token, lines)
	require.NoError(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	assert.Contains(t, line, "200 OK")
	defer conn.Close()
	leave(conn)
	require.Eventually(t, func() bool {
		return strings.Contains(string(w.send(http.MethodGet, "/metrics", "").body), `unicrm_requests_total{method="list"`)
	}, 10*time.Second, 20*time.Millisecond, "the call goes on for nobody")
}

// TestAStreamsMemoryDoesNotGrowWithItsLength reads ten thousand records of
// 5 KiB, 50 MiB in all, and looks at the heap while it does.
func TestAStreamsMemoryDoesNotGrowWithItsLength(t *testing.T) {
	w := newWorld(t, nil)
	var most uint64
	w.fake.does(func(ctx context.Context, r unified.Request) (*unified.Result, error) {
		if strings.HasSuffix(r.PageToken, "0") {
			runtime.GC()
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
		}
		result, err := endless(ctx, r)
		if r.PageToken == "99" {
			result.NextPageToken = ""
		}
		return result, err
	})
	request, err := http.NewRequest(http.MethodGet, w.http.URL+"/unified/crm/contacts?integrated_account_id="+w.account+"&"+streamed, nil)
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+w.token)
	request.Header.Set("Accept", lines)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	read, err := io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	assert.Greater(t, read, int64(50<<20))
	t.Logf("%d MiB on the heap at most", most>>20)
	assert.Less(t, most, uint64(32<<20), "bytes on the heap between pages")
}
