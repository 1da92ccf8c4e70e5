package vendorjson

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func TestTextReadsAnyScalarWithItsOwnDigits(t *testing.T) {
	for raw, want := range map[string]any{
		`"abc"`: "abc", `" padded "`: " padded ", `"é\u00e9\n"`: "éé\n", `"null"`: "null",
		`5`: "5", `-0`: "-0", `9007199254740993`: "9007199254740993", `1.50`: "1.50", `1e400`: "1e400", `true`: "true", `false`: "false",
		`""`: nil, `"  \t"`: nil, `null`: nil, `{}`: nil, `{"a":1}`: nil, `[]`: nil, `["a"]`: nil,
	} {
		var record struct {
			Field Text `json:"field"`
		}
		record.Field = TextOf("from before")
		require.NoError(t, json.Unmarshal([]byte(`{"field":`+raw+`}`), &record), raw)
		got := record.Field.Ptr()
		if want == nil {
			assert.Nil(t, got, raw)
			continue
		}
		if assert.NotNil(t, got, raw) {
			assert.Equal(t, want, *got, raw)
			assert.Equal(t, want, record.Field.String())
		}
	}
	var absent struct{ Field Text }
	require.NoError(t, json.Unmarshal([]byte(`{}`), &absent))
	assert.Nil(t, absent.Field.Ptr())
	assert.Empty(t, absent.Field.String())
	assert.Equal(t, "x", *TextOf("x").Ptr())
	assert.Nil(t, TextOf("").Ptr())
}

func TestAListIsReadAroundWhatDoesNotFit(t *testing.T) {
	type item struct {
		ID int `json:"id"`
	}
	for raw, want := range map[string]List[item]{
		`[{"id":1},{"id":2}]`:                        {{1}, {2}},
		`[{"id":1},null,{"id":"two"},5,[],{"id":3}]`: {{1}, {3}},
		`[]`: nil, `null`: nil, `{}`: nil, `{"0":{"id":1}}`: nil, `"[]"`: nil, `5`: nil, `true`: nil,
	} {
		got := List[item]{{9}}
		require.NoError(t, json.Unmarshal([]byte(raw), &got), raw)
		assert.Equal(t, want, got, raw)
	}
	var texts List[Text]
	require.NoError(t, json.Unmarshal([]byte(`["a",1,{"x":1},null,"b"]`), &texts))
	assert.Equal(t, List[Text]{TextOf("a"), TextOf("1"), {}, TextOf("b")}, texts, "an element that reads as absent is still one")
	var lists List[List[Text]]
	require.NoError(t, json.Unmarshal([]byte(`[["a"],"b",[]]`), &lists))
	assert.Equal(t, List[List[Text]]{{TextOf("a")}, nil, nil}, lists)
}

func TestABooleanIsTrueOnlyWhenItSaysSo(t *testing.T) {
	for raw, want := range map[string]Bool{
		`true`: true, `"true"`: true, `"TRUE"`: true, `1`: true, `"1"`: true,
		`false`: false, `"false"`: false, `0`: false, `null`: false, `""`: false, `"yes"`: false, `2`: false, `{}`: false, `[true]`: false, `"true "`: false,
	} {
		got := Bool(true)
		require.NoError(t, json.Unmarshal([]byte(raw), &got), raw)
		assert.Equal(t, want, got, raw)
	}
}

func TestAnObjectIsKeptVerbatimAndNothingElseIs(t *testing.T) {
	for raw, want := range map[string]string{
		`{}`: `{}`, ` {"b":1.50,"a":9007199254740993} `: `{"b":1.50,"a":9007199254740993}`,
		`null`: "", `[]`: "", `"{}"`: "", `5`: "", ``: "", `  `: "",
	} {
		assert.Equal(t, want, string(Object(json.RawMessage(raw))), raw)
	}
	assert.Nil(t, Object(nil))
}

func TestATimeIsReadByTheFirstLayoutThatFits(t *testing.T) {
	layouts := []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02"}
	noon := time.Date(2024, 5, 6, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]*time.Time{
		"2024-05-06T12:00:00Z":       &noon,
		"2024-05-06T14:00:00+02:00":  &noon,
		" 2024-05-06 12:00:00 ":      &noon,
		"2024-05-06T12:00:00.000Z":   &noon,
		"":                           nil,
		"   ":                        nil,
		"soon":                       nil,
		"1715000000":                 nil,
		"2024-13-06":                 nil,
		"2024-02-30":                 nil,
		"0000-00-00 00:00:00":        nil,
		"0000-00-00":                 nil,
		"0000-01-01T00:00:00Z":       nil,
		"0001-01-01T00:00:00Z":       nil, // the zero date of .NET
		"0001-01-01 00:00:00":        nil,
		"0001-01-01T00:00:00+14:00":  nil, // the year before the first
		"9999-12-31T23:59:59-12:00":  nil, // the year after the last
		"10000-01-01T00:00:00Z":      nil,
		"2024-05-06T12:00:00":        nil,
		"2024-05-06 12:00:00 -07:00": nil,
	} {
		got := Time(TextOf(text), layouts...)
		if want == nil {
			assert.Nil(t, got, "%q", text)
			continue
		}
		if assert.NotNil(t, got, "%q", text) {
			assert.True(t, want.Equal(*got), "%q is %s", text, got)
			assert.Equal(t, time.UTC, got.Location())
		}
	}
	assert.Nil(t, Time(Text{}, layouts...))
	assert.Nil(t, Time(TextOf("2024-05-06")))
}

func TestEveryTimeThatIsReadCanCrossTheProtocol(t *testing.T) {
	for _, text := range []string{"0002-01-01T00:00:00Z", "0002-01-02T00:00:00+14:00", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59Z"} {
		got := Time(TextOf(text), time.RFC3339)
		require.NotNil(t, got, text)
		assert.NoError(t, timestamppb.New(*got).CheckValid(), text)
	}
}

func FuzzOddFields(f *testing.F) {
	for _, seed := range []string{`"a"`, `5`, `null`, `[1,"a",{}]`, `{"a":[]}`, `true`, `"2024-05-06T12:00:00Z"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if !json.Valid(raw) {
			return
		}
		var record struct {
			A Text                         `json:"a"`
			B List[Text]                   `json:"b"`
			C Bool                         `json:"c"`
			D List[struct{ X List[Text] }] `json:"d"`
			E map[string]Text              `json:"-"`
			F json.RawMessage              `json:"f"`
		}
		body := `{"a":` + string(raw) + `,"b":` + string(raw) + `,"c":` + string(raw) + `,"d":` + string(raw) + `,"f":` + string(raw) + `}`
		require.NoError(t, json.Unmarshal([]byte(body), &record), "one odd field must not fail a page")
		if instant := Time(record.A, time.RFC3339, time.RFC3339Nano, "2006-01-02"); instant != nil {
			require.NoError(t, timestamppb.New(*instant).CheckValid())
		}
		if object := Object(record.F); object != nil {
			require.True(t, json.Valid(object))
		}
	})
}

func TestUnixSecondsAreAnInstant(t *testing.T) {
	at := time.Date(2024, 2, 29, 12, 0, 5, 0, time.UTC)
	for raw, want := range map[string]*time.Time{
		`1709208005`: &at, `"1709208005"`: &at, `" 1709208005 "`: &at, `1709208005.75`: &at,
		`253402300799`: new(time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)),
		`0`:            nil, `-5`: nil, `null`: nil, `""`: nil, `"soon"`: nil, `1e9`: nil, `{}`: nil, `true`: nil,
		`1709208005000`:        nil, // milliseconds
		`99999999999999999999`: nil,
	} {
		var text Text
		require.NoError(t, json.Unmarshal([]byte(raw), &text), raw)
		assert.Equal(t, want, Unix(text), raw)
	}
}
