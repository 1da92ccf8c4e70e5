package providertest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// GoldenRequests does something and compares what reached the vendor meanwhile,
// call by call, with testdata/golden/requests/<name>.txt: method, path, query
// and body. Headers are not part of it.
func (k *Kit) GoldenRequests(t testing.TB, name string, do func()) {
	t.Helper()
	before := len(k.Emulator.Calls())
	do()
	var out bytes.Buffer
	for _, call := range k.Emulator.Calls()[before:] {
		fmt.Fprintf(&out, "%s %s", call.Method, call.Path)
		if call.Query != "" {
			fmt.Fprintf(&out, "?%s", call.Query)
		}
		out.WriteByte('\n')
		if call.Body != "" {
			var body bytes.Buffer
			if json.Indent(&body, []byte(call.Body), "", "  ") != nil {
				body.WriteString(call.Body)
			}
			out.Write(body.Bytes())
			out.WriteByte('\n')
		}
		out.WriteByte('\n')
	}
	Golden(t, "requests/"+name+".txt", out.Bytes())
}

// Calls gives the vendor's routes that were asked for while something was
// done, as "GET /path".
func (k *Kit) Calls(do func()) []string {
	before := len(k.Emulator.Calls())
	do()
	var routes []string
	for _, call := range k.Emulator.Calls()[before:] {
		routes = append(routes, call.Method+" "+call.Path)
	}
	return routes
}

// RequireNoCalls fails when the vendor was asked anything meanwhile.
func (k *Kit) RequireNoCalls(t testing.TB, do func()) {
	t.Helper()
	calls := k.Calls(do)
	require.Empty(t, calls, "the vendor was asked")
}
