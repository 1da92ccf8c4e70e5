package sdk

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/unicrm/unicrm/sdk/errs"
)

// entry is a record of a made-up vendor's list.
type entry struct {
	id, version int
	stamp       *time.Time
}

// moving is a list that is ordered by the time of change, newest first, in
// whole seconds, and that changes while it is read.
type moving struct {
	entries    []entry
	nullsFirst bool
	fetched    int
}

func (v *moving) now() *time.Time { return new(time.Now().UTC().Truncate(time.Second)) }

func (v *moving) touch(i int) {
	v.entries[i].version++
	v.entries[i].stamp = v.now()
}

func (v *moving) fetch(page, size int) ([]entry, bool, error) {
	v.fetched++
	sorted := slices.Clone(v.entries)
	slices.SortFunc(sorted, func(a, b entry) int {
		switch {
		case a.stamp == nil && b.stamp == nil:
			return cmp.Compare(a.id, b.id)
		case a.stamp == nil || b.stamp == nil:
			if (a.stamp == nil) == v.nullsFirst {
				return -1
			}
			return 1
		default:
			return cmp.Or(b.stamp.Compare(*a.stamp), cmp.Compare(a.id, b.id))
		}
	})
	begin := min((page-1)*size, len(sorted))
	end := min(begin+size, len(sorted))
	return sorted[begin:end], end < len(sorted), nil
}

func stampOf(e *entry) *time.Time { return e.stamp }

// read walks the list and gives the latest version of each record that came.
// between is called after each page but the last.
func (v *moving) read(t require.TestingT, wanted Range, size int, between func()) map[int]int {
	came := map[int]int{}
	walk := NewestFirst[entry]{Stamp: stampOf, Fetch: v.fetch}
	query := ListQuery{PageSize: size}
	for range 20_000 {
		page, err := walk.Page(query, wanted)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Records), size)
		for _, e := range page.Records {
			came[e.id] = max(came[e.id], e.version)
		}
		if page.Next == "" {
			return came
		}
		query.PageToken = page.Next
		between()
	}
	require.Fail(t, "the walk does not end")
	return nil
}

func (r Range) holds(stamp *time.Time) bool {
	return stamp != nil && (r.From == nil || !stamp.Before(*r.From)) && (r.To == nil || !stamp.After(*r.To))
}

// drawn makes a list, some of it changed in the very same second, and a span.
func drawn(r *rapid.T) (*moving, Range) {
	// Stamps are whole seconds, so it matters when within one it begins.
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
	time.Sleep(time.Duration(rapid.IntRange(0, 999).Draw(r, "ms of the second")) * time.Millisecond)
	began := time.Now().UTC().Truncate(time.Second)
	v := &moving{nullsFirst: rapid.Bool().Draw(r, "records without a stamp first")}
	for i := range rapid.IntRange(0, 25).Draw(r, "records") {
		e := entry{id: i + 1, version: 1}
		if ago := rapid.SampledFrom([]int{-1, 0, 0, 0, 1, 2, 5, 5, 5, 60}).Draw(r, "seconds ago"); ago >= 0 {
			e.stamp = new(began.Add(-time.Duration(ago) * time.Second))
		}
		v.entries = append(v.entries, e)
	}
	var wanted Range
	if rapid.Bool().Draw(r, "has a beginning") {
		wanted.From = new(began.Add(-time.Duration(rapid.IntRange(0, 5).Draw(r, "from")) * time.Second))
	}
	if rapid.Bool().Draw(r, "has an end") {
		wanted.To = new(began.Add(time.Duration(rapid.IntRange(-2, 10).Draw(r, "to")) * time.Second))
	}
	return v, wanted
}

// bubble runs a property in a bubble, in which waiting takes no time.
func bubble(t *testing.T, property func(r *rapid.T)) {
	// rapid would ask for the test's deadline, which a bubble has none of.
	synctest.Test(t, func(t *testing.T) { rapid.Check(struct{ rapid.TB }{t}, property) })
}

func TestAWalkFromTheNewestPassesNobodyOverWhileRecordsChangeAndCome(t *testing.T) {
	bubble(t, func(r *rapid.T) {
		v, wanted := drawn(r)
		changes := rapid.IntRange(0, 40).Draw(r, "changes")
		came := v.read(r, wanted, rapid.IntRange(1, 7).Draw(r, "page size"), func() {
			time.Sleep(time.Duration(rapid.SampledFrom([]int{0, 50, 400, 1000, 2500}).Draw(r, "ms between pages")) * time.Millisecond)
			for range min(changes, rapid.IntRange(0, 4).Draw(r, "changes now")) {
				changes--
				if i := rapid.IntRange(0, len(v.entries)).Draw(r, "which"); i < len(v.entries) {
					v.touch(i)
				} else {
					v.entries = append(v.entries, entry{id: i + 1, version: 1, stamp: v.now()})
				}
			}
		})
		if v.nullsFirst && len(came) == 0 {
			return // a record got the first stamp of all behind those without one, after they had been read
		}
		for _, e := range v.entries {
			if wanted.holds(e.stamp) {
				require.Equal(r, e.version, came[e.id], "the record %d, which was changed at %s, did not come as it is", e.id, e.stamp)
			}
		}
	})
}

func TestEachRecordThatLeavesAWalkedListTakesAtMostOneOtherWithIt(t *testing.T) {
	bubble(t, func(r *rapid.T) {
		v, wanted := drawn(r)
		before := slices.Clone(v.entries)
		gone := map[int]bool{}
		came := v.read(r, wanted, rapid.IntRange(1, 7).Draw(r, "page size"), func() {
			time.Sleep(time.Second)
			if len(v.entries) > 0 && len(gone) < 5 && rapid.Bool().Draw(r, "delete") {
				i := rapid.IntRange(0, len(v.entries)-1).Draw(r, "which")
				gone[v.entries[i].id] = true
				v.entries = slices.Delete(v.entries, i, i+1)
			}
		})
		missed := 0
		for _, e := range before {
			if wanted.holds(e.stamp) && !gone[e.id] && came[e.id] == 0 {
				missed++
			}
		}
		require.LessOrEqual(r, missed, len(gone))
	})
}

func TestAQuietListIsReadOnceAndItsFrontOnceMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now().UTC().Truncate(time.Second)
		v := &moving{}
		for i := range 30 {
			v.entries = append(v.entries, entry{id: i + 1, version: 1, stamp: new(began.Add(-time.Duration(i) * time.Hour))})
		}
		count := func(wanted Range, fixed bool) int {
			v.fetched = 0
			came, query := 0, ListQuery{PageSize: 10}
			for {
				page, err := NewestFirst[entry]{Stamp: stampOf, Fetch: v.fetch, Fixed: fixed}.Page(query, wanted)
				require.NoError(t, err)
				came += len(page.Records)
				if query.PageToken = page.Next; page.Next == "" {
					return came*1000 + v.fetched
				}
				time.Sleep(time.Second)
			}
		}
		assert.Equal(t, 31_004, count(Range{}, false), "three pages and the front, where the newest comes again")
		assert.Equal(t, 30_003, count(Range{}, true), "stamps that never change need no second look")
		assert.Equal(t, 5_001, count(Range{From: v.entries[4].stamp}, false), "one page is read at one moment")
		assert.Equal(t, 30_003, count(Range{To: new(began.Add(-time.Minute))}, false), "what has changed meanwhile would be too new")
		assert.Equal(t, 31_004, count(Range{To: &began}, false), "but not by so much as a second")
		assert.Equal(t, 1, count(Range{From: new(began.Add(time.Hour))}, false))
	})
}

func TestRecordsThatAllChangedInOneSecondAreNotReadForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &moving{}
		for i := range 100 { // an import
			v.entries = append(v.entries, entry{id: i + 1, version: 1, stamp: v.now()})
		}
		came := v.read(t, Range{}, 10, func() { time.Sleep(300 * time.Millisecond) })
		assert.Len(t, came, 100)
		assert.Equal(t, 21, v.fetched, "twice, and a look at the front")
		v.fetched = 0
		for i := range v.entries {
			v.touch(i)
		}
		began := time.Now()
		came = v.read(t, Range{}, 10, func() {})
		assert.Len(t, came, 100)
		assert.Equal(t, 31, v.fetched, "who reads so fast that all is done within the second reads it once more, when it is over")
		assert.LessOrEqual(t, time.Since(began), settleTime)
	})
}

func TestARecordThatGetsTheFirstStampOfAllIsNotPassedOver(t *testing.T) {
	for _, nullsFirst := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			v := &moving{nullsFirst: nullsFirst}
			for i := range 7 {
				v.entries = append(v.entries, entry{id: i + 1})
			}
			pages := 0
			came := v.read(t, Range{}, 2, func() {
				if pages++; pages == 1 {
					v.touch(0)
				}
			})
			assert.Equal(t, map[int]int{1: 1}, came, "records without a stamp first: %t", nullsFirst)
			v.entries[0].stamp, v.fetched = nil, 0
			assert.Empty(t, v.read(t, Range{}, 2, func() {}))
			assert.Equal(t, 9, v.fetched, "all of them twice, and the front")
		})
	}
}

func TestAListThatChangesFasterThanItIsReadIsAnErrorInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &moving{}
		for i := range 10 {
			v.entries = append(v.entries, entry{id: i + 1, version: 1, stamp: v.now()})
		}
		walk, query := NewestFirst[entry]{Stamp: stampOf, Fetch: v.fetch}, ListQuery{PageSize: 2}
		var err error
		for range 100_000 {
			var page Page[entry]
			if page, err = walk.Page(query, Range{}); err != nil {
				break
			}
			require.NotEmpty(t, page.Next, "it never ends as if it were whole")
			query.PageToken = page.Next
			time.Sleep(3 * time.Second)
			for i := range v.entries {
				v.touch(i)
			}
		}
		assert.True(t, errs.Is(err, errs.Conflict), "%v", err)
	})
}

func TestTokensOfAWalkThatWereTamperedWithAreRefused(t *testing.T) {
	now := time.Now().UTC()
	from, later, earlier := now.Add(-time.Hour), now, now.Add(-2*time.Hour)
	wanted := Range{From: &from}
	asked := false
	walk := NewestFirst[entry]{Stamp: stampOf, Fetch: func(int, int) ([]entry, bool, error) {
		asked = true
		return []entry{{id: 1, stamp: &later}}, false, nil
	}}
	second := newestPosition{Page: 2, Size: 10, From: &from, Began: &now, Head: &later, Seen: &now}
	again := newestPosition{Page: 1, Size: 10, Pass: 1, From: &later, Seen: &now}
	for name, good := range map[string]newestPosition{"second page": second, "second pass": again} {
		_, err := walk.Page(ListQuery{PageSize: 10, PageToken: EncodeToken(good)}, wanted)
		require.NoError(t, err, name)
	}
	change := func(p newestPosition, change func(*newestPosition)) newestPosition {
		change(&p)
		return p
	}
	asked = false
	for name, token := range map[string]any{
		"no page":                 change(second, func(p *newestPosition) { p.Page = 0 }),
		"a page before the first": change(second, func(p *newestPosition) { p.Page = -1 }),
		"no size":                 change(second, func(p *newestPosition) { p.Size = 0 }),
		"another size":            change(second, func(p *newestPosition) { p.Size = 11 }),
		"no beginning":            change(second, func(p *newestPosition) { p.From = nil }),
		"an earlier beginning":    change(second, func(p *newestPosition) { p.From = &earlier }),
		"a later beginning":       change(second, func(p *newestPosition) { p.From = &later }),
		"never began":             change(second, func(p *newestPosition) { p.Began = nil }),
		"never seen":              change(second, func(p *newestPosition) { p.Seen = nil }),
		"settled before it began": change(second, func(p *newestPosition) { p.Settled = true }),
		"a first page of its own": newestPosition{Page: 1, Size: 10, From: &from},
		"a pass before the first": change(again, func(p *newestPosition) { p.Pass = -1 }),
		"a pass beyond all":       change(again, func(p *newestPosition) { p.Pass = maxPasses + 1 }),
		"back to the past":        change(again, func(p *newestPosition) { p.From = &earlier }),
		"a pass from nowhere":     change(again, func(p *newestPosition) { p.From = nil }),
		"a pass never seen":       change(again, func(p *newestPosition) { p.Seen = nil }),
		"blank from nowhere":      change(second, func(p *newestPosition) { p.Blank = 1 }),
		"blank with another span": newestPosition{Page: 1, Size: 10, Pass: 1, Blank: 1, From: &earlier},
		"a wait in the middle":    change(second, func(p *newestPosition) { p.Repeated = true }),
		"a pass that has begun":   change(again, func(p *newestPosition) { p.Began = &now }),
		"another provider's":      map[string]any{"page": 2},
		"a list":                  []int{1},
		"a word":                  "x",
	} {
		_, err := walk.Page(ListQuery{PageSize: 10, PageToken: EncodeToken(token)}, wanted)
		assert.Equal(t, ErrPageToken, err, name)
	}
	for _, token := range []string{"%", "e30x", EncodeToken(second)[:9]} {
		_, err := walk.Page(ListQuery{PageSize: 10, PageToken: token}, wanted)
		assert.Equal(t, ErrPageToken, err, token)
	}
	assert.False(t, asked, "the vendor is not asked")
}

func TestAWalkThatFailsFailsAsTheVendorDid(t *testing.T) {
	broken := errors.New("broken")
	page, err := NewestFirst[entry]{Stamp: stampOf, Fetch: func(int, int) ([]entry, bool, error) { return []entry{{id: 1}}, true, broken }}.Page(ListQuery{PageSize: 1}, Range{})
	assert.Equal(t, broken, err)
	assert.Empty(t, page)
}

// stagesOf walks a number of lists of so many records, in pages.
func stagesOf(t *testing.T, size int, lists ...int) (came []string, pages int) {
	t.Helper()
	query := ListQuery{PageSize: size}
	for range 1000 {
		page, err := Stages(query, len(lists), func(stage int, query ListQuery) (Page[string], error) {
			require.Equal(t, size, query.PageSize)
			at := struct{ Offset int }{}
			require.NoError(t, DecodeToken(query.PageToken, &at))
			var page Page[string]
			for ; at.Offset < lists[stage] && len(page.Records) < size; at.Offset++ {
				page.Records = append(page.Records, fmt.Sprintf("%d.%d", stage, at.Offset))
			}
			if at.Offset < lists[stage] {
				page.Next = EncodeToken(at)
			}
			return page, nil
		})
		require.NoError(t, err)
		pages++
		came = append(came, page.Records...)
		if query.PageToken = page.Next; page.Next == "" {
			return came, pages
		}
	}
	t.Fatal("it does not end")
	return nil, 0
}

func TestStagesAreReadOneAfterTheOtherToTheirEnds(t *testing.T) {
	came, pages := stagesOf(t, 2, 3, 0, 1)
	assert.Equal(t, []string{"0.0", "0.1", "0.2", "2.0"}, came)
	assert.Equal(t, 4, pages, "an empty stage is an empty page")
	came, pages = stagesOf(t, 5, 0)
	assert.Empty(t, came)
	assert.Equal(t, 1, pages)
}

func TestTokensOfStagesThatWereTamperedWithAreRefused(t *testing.T) {
	for _, token := range []string{"%", EncodeToken(map[string]any{"i": 2}), EncodeToken(map[string]any{"i": -1}), EncodeToken(map[string]any{"i": 0, "x": 1}), EncodeToken("x")} {
		_, err := Stages(ListQuery{PageSize: 5, PageToken: token}, 2, func(int, ListQuery) (Page[string], error) {
			t.Error("the vendor was asked")
			return Page[string]{}, nil
		})
		assert.Equal(t, ErrPageToken, err, token)
	}
	broken := errors.New("broken")
	_, err := Stages(ListQuery{PageSize: 5}, 2, func(int, ListQuery) (Page[string], error) { return Page[string]{}, broken })
	assert.Equal(t, broken, err)
}

func TestAListOfRecordsWithoutAStampAndOldOnesEndsWithNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := &moving{nullsFirst: true}
		for i := range 12 {
			v.entries = append(v.entries, entry{id: i + 1})
		}
		v.entries[11].stamp = new(time.Now().Add(-time.Hour))
		came := v.read(t, Range{From: new(time.Now().Add(-time.Minute))}, 5, func() { time.Sleep(time.Second) })
		assert.Empty(t, came)
		assert.Less(t, v.fetched, 20)
	})
}
