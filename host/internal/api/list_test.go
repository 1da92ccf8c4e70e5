package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/unicrm/unicrm/host/internal/unified"
	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/errs"
)

// counted is a vendor that counts pages from 1: a page size that changes within
// a walk shows other records.
func counted(total int) func(context.Context, unified.Request) (*unified.Result, error) {
	return func(_ context.Context, r unified.Request) (*unified.Result, error) {
		page := 1
		if r.PageToken != "" {
			page, _ = strconv.Atoi(r.PageToken)
		}
		result := &unified.Result{}
		for i := (page - 1) * r.PageSize; i < min(total, page*r.PageSize); i++ {
			result.Records = append(result.Records, contact(fmt.Sprint(i+1)))
		}
		if page*r.PageSize < total {
			result.NextPageToken = fmt.Sprint(page + 1)
		}
		return result, nil
	}
}

// page is one answer of a list.
type page struct {
	ids        []string
	next, prev string
	body       map[string]any
}

func (w *world) page(query, cursor string) page {
	w.t.Helper()
	if cursor != "" {
		query += "&next_cursor=" + cursor
	}
	got := w.contacts(http.MethodGet, "", query, "")
	require.Equal(w.t, 200, got.status, "%s", got)
	p := page{body: got.json(w.t)}
	for _, record := range p.body["result"].([]any) {
		p.ids = append(p.ids, valueAt(record, "id").(string))
	}
	p.next, _ = p.body["next_cursor"].(string)
	p.prev, _ = p.body["prev_cursor"].(string)
	require.EqualValues(w.t, len(p.ids), p.body["result_count"])
	return p
}

func numbers(from, to int) []string {
	var all []string
	for i := from; i <= to; i++ {
		all = append(all, fmt.Sprint(i))
	}
	return all
}

func TestALimitAboveTheVendorsPagesIsFilledFromSeveralOfThem(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.does(counted(470))
	first := w.page("limit=150", "")
	assert.Equal(t, numbers(1, 150), first.ids)
	assert.Empty(t, first.prev)
	var sizes []int
	for _, r := range w.fake.requests() {
		sizes = append(sizes, r.PageSize)
	}
	assert.Equal(t, []int{75, 75}, sizes, "two even pages rather than one of 100 and half of another")
	second := w.page("limit=150", first.next)
	assert.Equal(t, numbers(151, 300), second.ids)
	third := w.page("", second.next)
	fourth := w.page("", third.next)
	assert.Equal(t, numbers(451, 470), fourth.ids)
	assert.Empty(t, fourth.next)
	back := w.page("limit=150", fourth.prev)
	assert.Equal(t, numbers(301, 450), back.ids)
	assert.Equal(t, numbers(1, 150), w.page("", w.page("", back.prev).prev).ids)
	assert.Empty(t, w.page("", w.page("", back.prev).prev).prev)

	assert.Equal(t, numbers(1, 470), w.page("limit=1000", "").ids)
	requireError(t, w.contacts(http.MethodGet, "", "limit=7&next_cursor="+first.next, ""), 400, "invalid_parameter")
	requireError(t, w.contacts(http.MethodGet, "", "search=x&next_cursor="+first.next, ""), 400, "invalid_parameter")
	requireError(t, w.contacts(http.MethodGet, "", "sort_by[last_name]=asc&next_cursor="+first.next, ""), 400, "invalid_parameter")
	requireError(t, w.contacts(http.MethodGet, "", "next_cursor=abc", ""), 400, "invalid_parameter")
}

// shape is a vendor with pages of any length, empty ones too.
type shape struct {
	total int
	holds []int // how many records the nth page holds, as far as they fit, over and over
}

func (s shape) give(_ context.Context, r unified.Request) (*unified.Result, error) {
	begin, number := 0, 0
	if r.PageToken != "" {
		if _, err := fmt.Sscanf(r.PageToken, "%d/%d", &begin, &number); err != nil {
			return nil, errs.New(errs.InvalidParameter, "not a token")
		}
	}
	end := min(s.total, begin+min(r.PageSize, s.holds[number%len(s.holds)]))
	result := &unified.Result{}
	for i := begin; i < end; i++ {
		result.Records = append(result.Records, contact(fmt.Sprint(i+1)))
	}
	if end < s.total {
		result.NextPageToken = fmt.Sprintf("%d/%d", end, number+1)
	}
	return result, nil
}

// TestAWalkGivesEveryRecordOnce is the property of every walk: whatever the
// limit, the vendor's cap and the shape of its pages, all records come once and
// in order, with pages as large as they were asked for, and prev_cursor goes
// the same way back.
func TestAWalkGivesEveryRecordOnce(t *testing.T) {
	w := newWorld(t, nil)
	plugin, ok := w.server.Catalog.Find("acme")
	require.True(t, ok)
	_, list := plugin.Manifest.Find("contacts", unified.List)
	rapid.Check(t, func(t *rapid.T) {
		list.PageCap = rapid.IntRange(1, 30).Draw(t, "cap")
		limit := rapid.IntRange(1, 60).Draw(t, "limit")
		vendor := shape{total: rapid.IntRange(0, 150).Draw(t, "total"), holds: rapid.SliceOfN(rapid.IntRange(0, 30), 1, 6).Draw(t, "pages")}
		vendor.holds = append(vendor.holds, 1) // or it would never end
		if rapid.Bool().Draw(t, "counts pages") {
			w.fake.does(counted(vendor.total))
		} else {
			w.fake.does(vendor.give)
		}
		var (
			all    []string
			pages  []page
			cursor string
		)
		for {
			before := len(w.fake.requests())
			p := w.page(fmt.Sprintf("limit=%d", limit), cursor)
			pages = append(pages, p)
			all = append(all, p.ids...)
			if p.next == "" {
				break
			}
			if len(p.ids) != limit && len(w.fake.requests())-before < maxVendorPages {
				t.Fatalf("a page in the middle has %d records where %d were asked for", len(p.ids), limit)
			}
			cursor = p.next
		}
		if want := numbers(1, vendor.total); !slices.Equal(want, all) {
			t.Fatalf("want %v, got %v", want, all)
		}
		for _, r := range w.fake.requests() {
			if r.PageSize != w.fake.requests()[0].PageSize || r.PageSize > list.PageCap {
				t.Fatalf("pages of %d and %d with a cap of %d", w.fake.requests()[0].PageSize, r.PageSize, list.PageCap)
			}
		}
		last := pages[len(pages)-1]
		for i := len(pages) - 2; i >= max(0, len(pages)-1-maxBefore); i-- {
			if last.prev == "" {
				t.Fatalf("page %d of %d has no way back", i+1, len(pages))
			}
			last = w.page("", last.prev)
			if !slices.Equal(pages[i].ids, last.ids) {
				t.Fatalf("page %d was %v and is %v on the way back", i, pages[i].ids, last.ids)
			}
		}
	})
}

func TestARecordThatTheVendorGivesTwiceIsThereOnce(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.does(func(_ context.Context, r unified.Request) (*unified.Result, error) {
		if r.PageToken == "" {
			return &unified.Result{Records: []unified.Record{contact("1"), contact("2"), contact("2"), contact("3")}, NextPageToken: "b", Partial: true}, nil
		}
		return &unified.Result{Records: []unified.Record{contact("3"), contact("4")}}, nil
	})
	p := w.page("limit=10", "")
	assert.Equal(t, numbers(1, 4), p.ids)
	assert.Equal(t, true, p.body["is_partial_response"], "one partial page makes the whole partial")
	p = w.page("limit=4", "")
	assert.Equal(t, numbers(1, 4), p.ids)
	assert.Empty(t, p.next)
}

func TestPluginsThatBreakTheRulesOfPagingAreTold(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.answers(&unified.Result{Records: []unified.Record{contact("1"), contact("2")}}, nil)
	requireError(t, w.contacts(http.MethodGet, "", "limit=1", ""), 502, "plugin_bug")
	w.fake.answers(&unified.Result{NextPageToken: "again"}, nil)
	requireError(t, w.contacts(http.MethodGet, "", "limit=1", ""), 502, "plugin_bug")
	assert.Len(t, w.fake.requests(), 2, "a loop is seen at once")
}

func TestAnErrorOnALaterPageFailsTheCall(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.does(func(_ context.Context, r unified.Request) (*unified.Result, error) {
		if r.PageToken == "" {
			return &unified.Result{Records: []unified.Record{contact("1")}, NextPageToken: "b"}, nil
		}
		return nil, errs.New(errs.VendorUnavailable, "gone")
	})
	requireError(t, w.contacts(http.MethodGet, "", "limit=2", ""), 502, "vendor_unavailable")
}

func TestAPageIsHandedOutBeforeTheTimeIsUp(t *testing.T) {
	w := newWorld(t, func(_ *providerv1.HandshakeResponse, c *Config) { c.RequestTimeout = 800 * time.Millisecond })
	vendor := shape{total: 50, holds: []int{1}}
	w.fake.does(func(ctx context.Context, r unified.Request) (*unified.Result, error) {
		time.Sleep(120 * time.Millisecond)
		return vendor.give(ctx, r)
	})
	p := w.page("limit=50", "")
	assert.NotEmpty(t, p.ids)
	assert.Less(t, len(p.ids), 50)
	require.NotEmpty(t, p.next)
	assert.Equal(t, fmt.Sprint(len(p.ids)+1), w.page("", p.next).ids[0])

	w.fake.does(func(_ context.Context, r unified.Request) (*unified.Result, error) {
		n, _ := strconv.Atoi(r.PageToken)
		return &unified.Result{NextPageToken: fmt.Sprint(n + 1)}, nil
	})
	p = w.page("limit=50", "")
	assert.Empty(t, p.ids)
	assert.NotEmpty(t, p.next, "a list that seems to have no end is left for another call")
	assert.Len(t, w.fake.requests(), maxVendorPages)
}

func TestCursorsStaySmall(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.does(func(_ context.Context, r unified.Request) (*unified.Result, error) {
		n := 1
		_, _ = fmt.Sscan(r.PageToken, &n)
		token := fmt.Sprint(n+1, " ")
		for i := range 8 { // 256 digits that nothing makes shorter
			token += fmt.Sprintf("%x", sha256.Sum256(fmt.Append(nil, n, i)))
		}
		return &unified.Result{Records: []unified.Record{contact(fmt.Sprint(n))}, NextPageToken: token}, nil
	})
	cursor := ""
	for range 30 {
		p := w.page("limit=1", cursor)
		assert.LessOrEqual(t, len(p.next), maxCursor)
		cursor = p.next
	}
	back := 0
	for p := w.page("limit=1", cursor); p.prev != ""; p = w.page("limit=1", p.prev) {
		back++
	}
	assert.Greater(t, back, 3)
	assert.Less(t, back, maxBefore, "as far back as fits")
}

func TestRawGivesOnePageOfTheVendorAndItsCursor(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.does(func(ctx context.Context, r unified.Request) (*unified.Result, error) {
		result, err := counted(250)(ctx, r)
		result.Answer = &errs.VendorAnswer{Status: 200, ContentType: "application/json", Body: []byte(`{"page":"` + r.PageToken + `"}`)}
		return result, err
	})
	raw := w.contacts(http.MethodGet, "", "limit=150&truto_response_format=raw", "")
	assert.Equal(t, `{"page":""}`, string(raw.body))
	assert.Equal(t, 100, w.fake.requests()[0].PageSize)
	assert.True(t, w.fake.requests()[0].WantAnswer)
	assert.Len(t, w.fake.requests(), 1)
	next := raw.header.Get("Unicrm-Next-Cursor")
	assert.Equal(t, `{"page":"2"}`, string(w.contacts(http.MethodGet, "", "truto_response_format=raw&next_cursor="+next, "").body))
	assert.Equal(t, numbers(101, 250), w.page("", next).ids, "records go on where the vendor's page ended")

	plugin, _ := w.server.Catalog.Find("acme")
	_, list := plugin.Manifest.Find("contacts", unified.List)
	list.PageCap = 7
	w.fake.does(shape{total: 50, holds: []int{3, 5}}.give)
	middle := w.page("limit=7", "").next
	requireError(t, w.contacts(http.MethodGet, "", "truto_response_format=raw&next_cursor="+middle, ""), 400, "invalid_parameter")
}

func TestFiltersAndSortKeysReachTheProviderInTheProtocolsWords(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.answers(&unified.Result{}, nil)
	equal := func(field, value string) []unified.Filter {
		return []unified.Filter{{Field: field, Operator: unified.Equal, Value: value}}
	}
	for raw, want := range map[string][]unified.Filter{
		"email_addresses[][email]=a%2Bb@c.test":                equal("email_addresses.email", "a+b@c.test"),
		"email_addresses%5B0%5D%5Bemail%5D=a@b.test":           equal("email_addresses.email", "a@b.test"),
		"email_addresses[email]=a@b.test":                      equal("email_addresses.email", "a@b.test"),
		"phone_numbers[][type]=mobile":                         equal("phone_numbers.type", "mobile"),
		"search=a%20b":                                         equal("search", "a b"),
		"is_deleted=true":                                      equal("is_deleted", "true"),
		"is_deleted=false":                                     nil,
		"created_at=2024-05-01":                                equal("created_at", "2024-05-01T00:00:00Z"),
		"created_at=2024-05-01T12:00:00.5%2B02:00":             equal("created_at", "2024-05-01T10:00:00.5Z"),
		"created_at[gte]=2024-05-01&created_at[lt]=2025-01-01": {{Field: "created_at", Operator: "gte", Value: "2024-05-01T00:00:00Z"}, {Field: "created_at", Operator: "lt", Value: "2025-01-01T00:00:00Z"}},
	} {
		w.fake.answers(&unified.Result{}, nil)
		got := w.contacts(http.MethodGet, "", raw, "")
		require.Equal(t, 200, got.status, "%s: %s", raw, got)
		assert.Equal(t, want, w.fake.requests()[0].Filters, raw)
	}
	w.fake.answers(&unified.Result{}, nil)
	w.contacts(http.MethodGet, "", "sort_by[created_at]=desc&sort_by[last_name]=asc", "")
	assert.Equal(t, []unified.SortKey{{Field: "created_at", Descending: true}, {Field: "last_name"}}, w.fake.requests()[0].Sort, "in the caller's order")

	w.fake.answers(&unified.Result{}, nil)
	for _, raw := range []string{
		"search=", "search=%20", "last_name=a&last_name=b", "email_addresses[0][email]=a@b.test&email_addresses[1][email]=c@d.test",
		"created_at=2024-05-01&created_at[gte]=2024-01-01", "created_at[gt]=2024-05-01&created_at[gte]=2024-01-01", "is_deleted=yes", "is_deleted[]=true",
		"email_addresses[x][email]=a@b.test", "email_addresses[][mail]=a", "sort_by[last_name]=asc&sort_by[last_name]=desc", "sort_by[owner]=asc",
	} {
		requireError(t, w.contacts(http.MethodGet, "", raw, ""), 400, "invalid_parameter")
	}
	assert.Empty(t, w.fake.requests())
}

func TestFiltersThatTheProviderCannotServeAreRefusedOrIgnoredAndNamed(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.answers(&unified.Result{}, nil)
	query := "last_name=x&first_name=Ada&created_at[gt]=2024-01-01&email_addresses[0][type]=work&sort_by[name]=asc"
	body := requireError(t, w.contacts(http.MethodGet, "", query, ""), 400, "unsupported")
	names := []any{"first_name", "created_at[gt]", "email_addresses[0][type]", "sort_by[name]"}
	assert.Equal(t, names, valueAt(body, "truto_error_insight.unsupported_query_parameters.value"))
	assert.Empty(t, w.fake.requests())
	lenient := w.contacts(http.MethodGet, "", query+"&truto_ignore_unsupported=true", "")
	require.Equal(t, 200, lenient.status)
	assert.Equal(t, "first_name, created_at[gt], email_addresses[0][type], sort_by[name]", lenient.header.Get("Unicrm-Ignored"))
	assert.Equal(t, []unified.Filter{{Field: "last_name", Operator: unified.Equal, Value: "x"}}, w.fake.requests()[0].Filters, "the others still apply")
}

func TestACombinationThatTheProviderRefusesIsToldInTheCallersWords(t *testing.T) {
	w := newWorld(t, nil)
	w.fake.does(func(ctx context.Context, r unified.Request) (*unified.Result, error) {
		if len(r.Filters) > 1 || (len(r.Filters) == 1 && len(r.Sort) > 0) {
			return nil, &errs.Error{Reason: errs.Unsupported, Message: "a search takes no other filter and no order", Fields: []errs.Field{{Path: "email_addresses.email"}, {Path: "sort_by"}}}
		}
		return counted(30)(ctx, r)
	})
	query := "limit=10&search=a&email_addresses[][email]=a@b.test&sort_by[last_name]=asc&sort_by[created_at]=asc"
	body := requireError(t, w.contacts(http.MethodGet, "", query, ""), 400, "unsupported")
	refused := []any{"email_addresses[][email]", "sort_by[created_at]"} // of two keys the first may do
	assert.Equal(t, refused, valueAt(body, "truto_error_insight.unsupported_query_parameters.value"))
	assert.Equal(t, "a search takes no other filter and no order; leave out email_addresses[][email], sort_by[created_at], or send truto_ignore_unsupported=true to have it ignored", body["message"])

	query += "&truto_ignore_unsupported=true"
	lenient := w.contacts(http.MethodGet, "", query, "")
	require.Equal(t, 200, lenient.status, "%s", lenient)
	assert.Equal(t, "email_addresses[][email], sort_by[created_at], sort_by[last_name]", lenient.header.Get("Unicrm-Ignored"))
	asked := w.fake.requests()
	assert.Equal(t, []unified.Filter{{Field: "search", Operator: unified.Equal, Value: "a"}}, asked[len(asked)-1].Filters)
	before := len(asked)
	next := w.contacts(http.MethodGet, "", query+"&next_cursor="+lenient.json(t)["next_cursor"].(string), "")
	require.Equal(t, 200, next.status, "%s", next)
	assert.ElementsMatch(t, strings.Split(lenient.header.Get("Unicrm-Ignored"), ", "), strings.Split(next.header.Get("Unicrm-Ignored"), ", "))
	assert.Len(t, w.fake.requests(), before+1, "the cursor remembers what was refused")
}

func TestAKeyedListLosesNobody(t *testing.T) {
	w := newWorld(t, nil)
	at := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	w.fake.answers(&unified.Result{Records: []unified.Record{
		{"id": "1", "last_name": "A", "created_at": at}, {"id": "2", "last_name": "A"}, {"id": "3"}, {"id": "4", "last_name": ""}, {"id": "5", "last_name": `B"`},
	}}, nil)
	body := w.contacts(http.MethodGet, "", "truto_key_by=last_name", "").json(t)
	assert.EqualValues(t, 5, body["result_count"])
	assert.Equal(t, "1", valueAt(body, "result.A.id"))
	assert.Equal(t, "5", valueAt(body, `result.B".id`))
	var left []any
	for _, r := range body["unkeyed"].([]any) {
		left = append(left, valueAt(r, "id"))
	}
	assert.Equal(t, []any{"2", "3", "4"}, left)
	assert.Equal(t, "1", valueAt(w.contacts(http.MethodGet, "", "truto_key_by=created_at", "").json(t), "result.2024-01-02T03:04:05Z.id"))
	assert.NotContains(t, w.contacts(http.MethodGet, "", "truto_key_by=id", "").json(t), "unkeyed")
	for _, bad := range []string{"truto_key_by=owner", "truto_key_by=nonsense", "truto_key_by=", "truto_key_by=id&truto_response_format=raw", "truto_key_by=id&truto_response_format=stream"} {
		requireError(t, w.contacts(http.MethodGet, "", bad, ""), 400, "invalid_parameter")
	}
	requireError(t, w.contacts(http.MethodGet, "/5", "truto_key_by=id", ""), 400, "invalid_parameter")
}

func TestDebugShowsTheVendorsSideBesideTheUnifiedAnswer(t *testing.T) {
	w := newWorld(t, nil)
	result := func() *unified.Result {
		return &unified.Result{
			Records: []unified.Record{{"id": "5", "custom_fields": json.RawMessage(`{"n":9007199254740993}`)}},
			Answer:  &errs.VendorAnswer{Status: 200, ContentType: "application/json", Body: []byte(`{"id":9007199254740993}`), Headers: []errs.Header{{Name: "Etag", Value: "1"}, {Name: "X", Value: "a"}, {Name: "X", Value: "b"}}},
			Requests: []unified.VendorRequest{
				{Method: "GET", URL: "https://api.acme.test/names"},
				{Method: "GET", URL: "https://api.acme.test/people/5?a=1", Headers: []errs.Header{{Name: "Accept", Value: "*/*"}}, Main: true},
			},
		}
	}
	w.fake.does(func(context.Context, unified.Request) (*unified.Result, error) { return result(), nil })
	plain := w.contacts(http.MethodGet, "/5", "", "")
	got := w.contacts(http.MethodGet, "/5", "truto_response_format=debug", "")
	require.Equal(t, 200, got.status)
	assert.True(t, w.fake.requests()[1].WantAnswer)
	var parts struct{ Result, Debug json.RawMessage }
	require.NoError(t, json.Unmarshal(got.body, &parts))
	assert.Equal(t, string(plain.body), string(parts.Result), "exactly the unified answer")
	assert.Equal(t, `{"requestUrl":"https://api.acme.test/people/5?a=1","requestOptions":{"method":"GET","headers":{"Accept":"*/*"},"body":null},"data":{"id":9007199254740993},"responseHeaders":{"Etag":"1","X":"a, b"}}`, string(parts.Debug))

	list := w.contacts(http.MethodGet, "", "truto_response_format=debug", "").json(t)
	assert.Equal(t, "5", valueAt(list, "result.result.0.id"))
	assert.Equal(t, map[string]any{"nextCursor": nil, "isLooping": false, "isEmptyResult": false, "resultCount": float64(1)}, map[string]any{
		"nextCursor": valueAt(list, "debug.nextCursor"), "isLooping": valueAt(list, "debug.isLooping"), "isEmptyResult": valueAt(list, "debug.isEmptyResult"), "resultCount": valueAt(list, "debug.resultCount"),
	})
	deleted := w.contacts(http.MethodDelete, "/5", "truto_response_format=debug", "").json(t)
	assert.Equal(t, "5", valueAt(deleted, "result.id"))
	assert.NotNil(t, deleted["debug"])

	w.fake.answers(&unified.Result{Records: []unified.Record{contact("5")}}, nil)
	assert.Nil(t, w.contacts(http.MethodGet, "/5", "truto_response_format=debug", "").json(t)["debug"], "null where the vendor was not asked")
}

func TestAPageOfHugeRecordsIsCutByItsSize(t *testing.T) {
	w := newWorld(t, nil)
	huge := json.RawMessage(`"` + strings.Repeat("x", 10<<20) + `"`)
	w.fake.does(func(_ context.Context, r unified.Request) (*unified.Result, error) {
		at, _ := strconv.Atoi(r.PageToken)
		return &unified.Result{Records: []unified.Record{{"id": strconv.Itoa(at + 1), "remote_data": huge}}, NextPageToken: strconv.Itoa(at + 1)}, nil
	})
	first := w.contacts(http.MethodGet, "", "limit=1000", "")
	require.Equal(t, 200, first.status)
	body := first.json(t)
	assert.Len(t, body["result"], 4, "the first that goes beyond the bound is the last")
	next := w.contacts(http.MethodGet, "", "next_cursor="+body["next_cursor"].(string), "").json(t)
	assert.Equal(t, "5", valueAt(next, "result.0.id"), "and nobody is passed over")
}
