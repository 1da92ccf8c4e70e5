package conformance

import (
	"compress/gzip"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOnlyRecordsAreChanged(t *testing.T) {
	for body, want := range map[string]string{
		// What stands around the records may be alike to an id.
		`{"total":2,"page":{"limit":1},"data":[{"id":1},{"id":"2","links":[{"id":1}]},{"id":3}]}`: `{"total":2,"page":{"limit":1},"data":[{"id":1,"x":0},{"id":"2","links":[{"id":1}],"x":0},{"id":3}]}`,
		`[{"id":1},{"edge":{"id":2}}]`: `[{"id":1,"x":0},{"edge":{"id":2,"x":0}}]`,
		`{"people":{"1":{"id":1}}}`:    `{"people":{"1":{"id":1,"x":0}}}`,
	} {
		assert.JSONEq(t, want, string(addToRecords([]byte(body), []string{"1", "2"}, "x", "0")), body)
	}
	one := `{"id":1,"tags":[{"id":1}]}`
	assert.JSONEq(t, `{"id":1,"x":0,"tags":[{"id":1}]}`, string(addToRecords([]byte(one), []string{"1"}, "x", "0")), "a record by itself")
	assert.Equal(t, "no JSON", string(addToRecords([]byte("no JSON"), []string{"1"}, "x", "0")))
}

func TestTheSmallAnswerUnpacksToFourTimesTheCap(t *testing.T) {
	unpack, err := gzip.NewReader(strings.NewReader(packed()))
	require.NoError(t, err)
	n, err := io.Copy(io.Discard, unpack)
	require.NoError(t, err)
	assert.EqualValues(t, 4*maxBody, n)
	assert.Less(t, len(packed()), 1<<20)
}
