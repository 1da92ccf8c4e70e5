package sdk

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

// tabled is a table over a vendor whose fields a test can change.
type tabled struct {
	table  *FieldTable[int]
	fields map[string]int
	err    error
	loads  int
}

func newTabled(fields ...string) *tabled {
	t := &tabled{fields: map[string]int{}}
	for i, name := range fields {
		t.fields[name] = i
	}
	t.table = NewFieldTable(func(context.Context, *vendorhttp.Client) (map[string]int, error) {
		t.loads++
		found := map[string]int{}
		for name, i := range t.fields {
			found[name] = i
		}
		return found, t.err
	})
	return t
}

func (x *tabled) check(call *Call, fields string) (map[string]int, error) {
	return x.table.Check(context.Background(), call, nil, json.RawMessage(fields))
}

func TestFieldsAreLookedUpOnceForAnAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newTabled("a", "b")
		call := testCall().WithRevision("1")
		for range 3 {
			table, err := x.check(call, `{"a":1,"b":null}`)
			require.NoError(t, err)
			assert.Equal(t, map[string]int{"a": 0, "b": 1}, table)
		}
		assert.Equal(t, 1, x.loads)
		_, err := x.check(testCall().WithRevision("2"), `{"a":1}`)
		require.NoError(t, err)
		assert.Equal(t, 2, x.loads, "new credentials may see other fields")
		time.Sleep(time.Hour)
		_, err = x.check(call, `{"a":1}`)
		require.NoError(t, err)
		assert.Equal(t, 3, x.loads, "nothing is believed for ever")
	})
}

func TestWithoutCustomFieldsNothingIsAsked(t *testing.T) {
	x := newTabled("a")
	for _, none := range []string{``, `{}`, ` {} `, `null`} {
		table, err := x.check(testCall(), none)
		require.NoError(t, err)
		assert.Nil(t, table)
	}
	assert.Zero(t, x.loads)
}

func TestAFieldThatIsNewIsLookedForAgain(t *testing.T) {
	x := newTabled("a")
	call := testCall().WithRevision("1")
	_, err := x.check(call, `{"a":1}`)
	require.NoError(t, err)
	_, err = x.check(call, `{"a":1,"new":2}`)
	var e *errs.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, errs.InvalidBody, e.Reason)
	assert.Equal(t, "custom_fields.new", e.Fields[0].Path)
	x.fields["new"] = 1
	table, err := x.check(call, `{"a":1,"new":2}`)
	require.NoError(t, err)
	assert.Contains(t, table, "new")
	_, err = x.check(call, `{"new":2}`)
	require.NoError(t, err)
	assert.Equal(t, 3, x.loads)
}

func TestWhereTheVendorDoesNotTellItsFieldsItDecides(t *testing.T) {
	x := newTabled("a")
	x.err = errs.New(errs.VendorForbidden, "no scope for fields")
	table, err := x.check(testCall().WithRevision("1"), `{"whatever":1}`)
	require.NoError(t, err)
	assert.Nil(t, table)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	x.err = ctx.Err()
	_, err = x.table.Check(ctx, testCall(), nil, json.RawMessage(`{"a":1}`))
	require.ErrorIs(t, err, context.Canceled, "but nobody goes on after the end")
}

func TestADryRunShowsTheLookUpOfFieldsAndGoesOnWithoutIt(t *testing.T) {
	var asked atomic.Int32
	base := vendor(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	table := NewFieldTable(func(ctx context.Context, client *vendorhttp.Client) (map[string]int, error) {
		_, err := client.Side(ctx, vendorhttp.Request{Method: http.MethodGet, Path: []string{"fields"}})
		return nil, err
	})
	call := NewCall(*acme(), "api_key", json.RawMessage(`{}`), base).DryRun()
	client, err := call.Client(vendorhttp.Vendor{Name: "Acme", BaseURL: "https://api.acme.test/v2"})
	require.NoError(t, err)
	known, err := table.Check(t.Context(), call, client, json.RawMessage(`{"a":1}`))
	require.NoError(t, err)
	assert.Nil(t, known)
	require.Len(t, call.Noted(), 1)
	assert.Equal(t, base+"/v2/fields", call.Noted()[0].URL)
	assert.False(t, call.Noted()[0].Main)
	assert.Zero(t, asked.Load())
}
