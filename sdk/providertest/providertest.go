// Package providertest helps a provider's own tests: it starts the emulator
// in process, makes calls as the host would, holds the adapter to documented
// exchanges, and compares golden files.
package providertest

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/exchange"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// callTime is what a test's call has in all.
const callTime = 20 * time.Second

// Kit is a provider with its emulator.
type Kit struct {
	Provider sdk.Provider
	Emulator *emulator.Server
	method   string
}

// Start runs the emulator until the test ends. method is the authentication
// method that the emulator's context fits; switches may be nil.
func Start(t testing.TB, provider sdk.Provider, definition emulator.Definition, method string, switches map[string]string) *Kit {
	t.Helper()
	server, err := emulator.Start(definition, emulator.Options{Seed: 30, Switches: switches})
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	return &Kit{Provider: provider, Emulator: server, method: method}
}

// Context is a context with the time of one call.
func Context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), callTime)
	t.Cleanup(cancel)
	return ctx
}

// Call makes a call to the emulator with its own credentials.
func (k *Kit) Call(t testing.TB, remoteQuery ...vendorhttp.Param) *sdk.Call {
	t.Helper()
	credentials := k.Emulator.Context()
	delete(credentials, "base_url")
	return k.CallWith(t, credentials, remoteQuery...)
}

// CallWith makes a call to the emulator with other credentials.
func (k *Kit) CallWith(t testing.TB, credentials map[string]any, remoteQuery ...vendorhttp.Param) *sdk.Call {
	t.Helper()
	data, err := json.Marshal(credentials)
	require.NoError(t, err)
	return sdk.NewCall(k.Provider, k.method, data, k.Emulator.URL(), remoteQuery...)
}

// List gives every contact by following the pages, each of the given size.
func (k *Kit) List(t testing.TB, size int) []crm.Contact {
	t.Helper()
	var all []crm.Contact
	token := ""
	for range 1000 {
		page, err := k.Provider.Contacts.List.Do(Context(t), k.Call(t), sdk.ListQuery{PageSize: size, PageToken: token})
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Records), size, "a page holds more than was asked for")
		all = append(all, page.Records...)
		if page.Next == "" {
			return all
		}
		token = page.Next
	}
	t.Fatal("the list does not end")
	return nil
}

// Vendor serves documented exchanges in the vendor's place, all of them or the
// named ones, and gives a call to it. When the test ends, every request that
// did not match its sample fails it.
func Vendor(t testing.TB, provider sdk.Provider, method, credentials, dir string, names ...string) (*sdk.Call, *exchange.Stub) {
	t.Helper()
	all, err := exchange.Load(dir)
	require.NoError(t, err)
	stub := exchange.NewStub(all, names...)
	server := httptest.NewServer(stub)
	t.Cleanup(func() {
		server.Close()
		for _, problem := range stub.Problems() {
			t.Error(problem)
		}
	})
	return sdk.NewCall(provider, method, json.RawMessage(credentials), server.URL), stub
}

// RequireReason fails unless err is one of ours with the reason, and gives it.
func RequireReason(t testing.TB, err error, reason errs.Reason) *errs.Error {
	t.Helper()
	var e *errs.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, errs.Name(reason), errs.Name(e.Reason), "%v", err)
	require.NotEmpty(t, e.Message)
	return e
}

// JSON shows a contact as JSON with the unified model's names: vendor-owned
// JSON verbatim, fields without a value left out.
func JSON(t testing.TB, contact *crm.Contact) []byte {
	t.Helper()
	bare := *contact
	bare.CustomFields, bare.RemoteData = nil, nil
	data, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(bare.Proto())
	require.NoError(t, err)
	fields := map[string]json.RawMessage{}
	require.NoError(t, json.Unmarshal(data, &fields))
	if contact.CustomFields != nil {
		fields["custom_fields"] = contact.CustomFields
	}
	if contact.RemoteData != nil {
		fields["remote_data"] = contact.RemoteData
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	require.NoError(t, enc.Encode(fields))
	return out.Bytes()
}

// Golden compares with testdata/golden/<name>; `go test -update` rewrites it.
func Golden(t testing.TB, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run go test -update to write it")
	require.Equal(t, string(want), string(got))
}

// Fault makes the answer of a documented exchange into a fault for the emulator.
func Fault(t testing.TB, dir, name string) emulator.Fault {
	t.Helper()
	all, err := exchange.Load(dir)
	require.NoError(t, err)
	for i := range all {
		if all[i].Name != name {
			continue
		}
		body := all[i].Bytes(nil)
		fault := emulator.Fault{Status: all[i].Response.Status, Headers: all[i].Response.Headers}
		if body != nil {
			text, err := json.Marshal(string(body))
			require.NoError(t, err)
			fault.Body = text
			if fault.Headers["Content-Type"] == "" {
				fault.Headers = map[string]string{"Content-Type": "application/json; charset=utf-8"}
			}
		}
		return fault
	}
	t.Fatalf("no exchange %s in %s", name, dir)
	return emulator.Fault{}
}
