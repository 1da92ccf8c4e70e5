package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

// tableau is a vendor's list: what is ordered by equal values comes in another
// order on each call.
type tableau struct {
	records    []map[string]string
	property   string
	descending bool
	random     *rand.Rand
	atMost     int
}

func (v *tableau) ask(_ context.Context, request vendorhttp.Request) (*vendorhttp.Response, error) {
	query := map[string]int{}
	for _, p := range request.Fixed {
		query[p.Name], _ = strconv.Atoi(p.Value)
	}
	records := append([]map[string]string{}, v.records...)
	v.random.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	slices.SortStableFunc(records, func(a, b map[string]string) int {
		if v.descending {
			a, b = b, a
		}
		return cmp.Compare(a[v.property], b[v.property])
	})
	from := min(query["offset"], len(records))
	body, err := json.Marshal(records[from:min(from+min(query["limit"], v.atMost), len(records))])
	return &vendorhttp.Response{Status: 200, Body: body}, err
}

func TestNobodyIsPassedOverWhateverIsDeletedAndHoweverEqualsAreOrdered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		by := orders[rapid.SampledFrom([]string{"id", "last_name", "updated_at"}).Draw(t, "order")]
		v := &tableau{property: by.property, descending: rapid.Bool().Draw(t, "descending"), random: rand.New(rand.NewPCG(1, rapid.Uint64().Draw(t, "seed"))), atMost: 5000}
		if by.unique {
			v.atMost = rapid.IntRange(3, 40).Draw(t, "at most")
		}
		values := rapid.IntRange(1, 30).Draw(t, "values")
		for i := range rapid.IntRange(0, 40).Draw(t, "records") {
			value := v.random.IntN(values)
			v.records = append(v.records, map[string]string{
				"_id": fmt.Sprintf("%024x", i), "lastName": []string{"", "a", "b", "c"}[value%4], "updatedAt": fmt.Sprintf("2026-01-01T00:00:%02dZ", value),
			})
		}
		size := rapid.IntRange(1, 12).Draw(t, "size")
		disturbed := rapid.Bool().Draw(t, "disturbed")
		l := listing{call: sdk.NewCall(provider, "api_token", json.RawMessage(`{"api_token":"t"}`), ""), ask: v.ask, order: by, descending: v.descending}
		missing, times := map[string]bool{}, map[string]int{}
		for _, r := range v.records {
			missing[r["_id"]] = true
		}
		var at position
		for n, more := 0, true; more; n++ {
			require.Less(t, n, 300, "the list does not end")
			var page []entry
			var err error
			page, at, more, err = l.cut(t.Context(), at, size)
			require.NoError(t, err)
			require.LessOrEqual(t, len(page), size)
			for _, e := range page {
				delete(missing, e.ID.String())
				times[e.ID.String()]++
				require.True(t, disturbed || times[e.ID.String()] == 1, "twice")
			}
			if !disturbed {
				continue
			}
			most := len(v.records)
			if !by.sorted {
				most = min(most, size)
			}
			for range rapid.IntRange(0, most).Draw(t, "deletes") {
				gone := v.random.IntN(len(v.records))
				delete(missing, v.records[gone]["_id"])
				v.records = slices.Delete(v.records, gone, gone+1)
			}
		}
		require.Empty(t, missing)
	})
}
