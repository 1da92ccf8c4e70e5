package emulator

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAnObjectKeepsItsOrderAndItsDigits(t *testing.T) {
	for _, text := range []string{
		`{}`, `{"z":1,"a":2,"m":3}`, `{"id":9007199254740993,"n":1.50,"e":1e400,"m":-0,"big":123456789012345678901234567890}`,
		`{"list":[1,"a",null,true,false,{"y":1,"x":[]}],"":{"":""}}`, `{"text":"é\n\"\\ 日本"}`,
	} {
		o, err := ParseObject([]byte(text))
		require.NoError(t, err, text)
		got, err := json.Marshal(o)
		require.NoError(t, err)
		assert.Equal(t, text, string(got))
		got, err = json.Marshal(map[string]any{"o": o, "nil": (*Object)(nil)})
		require.NoError(t, err)
		assert.Equal(t, `{"nil":null,"o":`+text+`}`, string(got))
		got, err = json.Marshal(o.Clone())
		require.NoError(t, err)
		assert.Equal(t, text, string(got))
	}
}

func TestWhatIsNotOneObjectIsRefused(t *testing.T) {
	for _, text := range []string{``, ` `, `null`, `[]`, `"a"`, `5`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{a:1}`, `{"a":1}{"b":2}`, `{"a":1} x`, `{"a":1}]`, `{]`, `{"a":[}`, `{"a" 1}`, `{1:2}`} {
		_, err := ParseObject([]byte(text))
		assert.Error(t, err, "%q", text)
	}
	for _, text := range []string{``, `1 2`, `[`, `]`, `}`, `[1,]`, `[1 2]`, `tru`, `"a`, `[}`, `{]`} {
		_, err := ParseValue([]byte(text))
		assert.Error(t, err, "%q", text)
	}
}

func TestAValueOfAnyKindIsRead(t *testing.T) {
	for text, want := range map[string]any{`null`: nil, `true`: true, ` "a" `: "a", `1.50`: json.Number("1.50"), `[]`: []any{}, `[1,[null]]`: []any{json.Number("1"), []any{nil}}} {
		got, err := ParseValue([]byte(text))
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}

// A body of ten megabytes of brackets must be an answer to the caller, not the
// end of the process: Go cannot recover from a stack that is used up.
func TestABodyThatIsTooDeepIsRefused(t *testing.T) {
	const deep = 5_000_000
	for name, text := range map[string]string{
		"arrays":          strings.Repeat("[", deep),
		"closed arrays":   strings.Repeat("[", deep) + strings.Repeat("]", deep),
		"objects":         strings.Repeat(`{"a":`, deep),
		"within a record": `{"name":"x","a":` + strings.Repeat("[", deep) + strings.Repeat("]", deep) + `}`,
	} {
		_, err := ParseValue([]byte(text))
		require.ErrorContains(t, err, "deep", name)
		_, err = ParseObject([]byte(text))
		require.Error(t, err, name)
	}
	_, err := ParseValue([]byte(strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth)))
	require.NoError(t, err)
	_, err = ParseValue([]byte(strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1)))
	require.Error(t, err)
	wide, err := ParseValue([]byte("[" + strings.Repeat("[],", 10*maxDepth) + "[]]"))
	require.NoError(t, err, "width is no depth")
	assert.Len(t, wide, 10*maxDepth+1)
	deepest, err := ParseObject([]byte(strings.Repeat(`{"a":`, maxDepth) + "1" + strings.Repeat("}", maxDepth)))
	require.NoError(t, err)
	_, err = json.Marshal(deepest.Clone())
	require.NoError(t, err, "what was read can be written")
}

func TestTheMethodsOfAnObject(t *testing.T) {
	o := Pairs("a", 1, "b", "two", "c", nil)
	assert.Equal(t, []string{"a", "b", "c"}, o.Keys())
	assert.Equal(t, 3, o.Len())
	assert.Equal(t, "two", o.Text("b"))
	assert.Empty(t, o.Text("a"))
	assert.Empty(t, o.Text("none"))
	assert.True(t, o.Has("c"))
	assert.Nil(t, o.Get("c"))
	assert.False(t, o.Has("d"))
	value, ok := o.Lookup("a")
	assert.True(t, ok)
	assert.Equal(t, 1, value)
	_, ok = o.Lookup("d")
	assert.False(t, ok)

	o.Set("a", 5)
	o.Set("d", 6)
	assert.Equal(t, []string{"a", "b", "c", "d"}, o.Keys(), "a key keeps its place")
	o.Delete("b")
	o.Delete("none")
	assert.Equal(t, []string{"a", "c", "d"}, o.Keys())
	o.Set("b", 7)
	assert.Equal(t, []string{"a", "c", "d", "b"}, o.Keys())
	keys := o.Keys()
	keys[0] = "mine"
	assert.Equal(t, "a", o.Keys()[0])

	var zero Object
	assert.Zero(t, zero.Len())
	assert.Nil(t, zero.Get("a"))
	zero.Delete("a")
	zero.Set("a", 1)
	assert.Equal(t, 1, zero.Len())
	odd := []any{"a"}
	assert.Panics(t, func() { Pairs(odd...) })
	assert.Panics(t, func() { Pairs(1, 2) })
}

func TestAKeyThatComesTwiceCountsOnceAndLast(t *testing.T) {
	o, err := ParseObject([]byte(`{"a":1,"b":2,"a":3}`))
	require.NoError(t, err)
	got, err := json.Marshal(o)
	require.NoError(t, err)
	assert.Equal(t, `{"a":3,"b":2}`, string(got))
}

func TestACloneSharesNothing(t *testing.T) {
	inner := Pairs("x", 1)
	o := Pairs("inner", inner, "list", []any{inner, []any{inner}}, "objects", []*Object{inner, nil}, "texts", []string{"a"}, "raw", json.RawMessage(`1`), "nil", (*Object)(nil))
	clone := o.Clone()
	before, err := json.Marshal(clone)
	require.NoError(t, err)
	inner.Set("x", 2)
	o.Get("list").([]any)[1].([]any)[0] = "changed"
	o.Get("texts").([]string)[0] = "changed"
	o.Get("raw").(json.RawMessage)[0] = '2'
	after, err := json.Marshal(clone)
	require.NoError(t, err)
	assert.Equal(t, string(before), string(after))
}

func FuzzParseObject(f *testing.F) {
	f.Add([]byte(`{"z":1.50,"a":[{"b":null}],"é":"\u00e9"}`))
	f.Add([]byte(`{"a":1,"a":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := ParseObject(data)
		var any map[string]any
		if stdErr := json.Unmarshal(data, &any); (stdErr == nil && any != nil) != (err == nil) {
			if err == nil || !strings.Contains(err.Error(), "deep") {
				t.Fatalf("encoding/json says %v, ParseObject %v", stdErr, err)
			}
			return
		}
		if err != nil {
			return
		}
		text, err := json.Marshal(o)
		require.NoError(t, err)
		again, err := ParseObject(text)
		require.NoError(t, err)
		require.Equal(t, o.Keys(), again.Keys())
		second, err := json.Marshal(again)
		require.NoError(t, err)
		require.Equal(t, string(text), string(second))
	})
}
