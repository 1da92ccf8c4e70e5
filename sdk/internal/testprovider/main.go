// Command testprovider is a provider for the SDK's own tests of a real
// process. The variable TESTPROVIDER names its bad habits, separated by commas.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/emulator"
)

func has(habit string) bool {
	return slices.Contains(strings.Split(os.Getenv("TESTPROVIDER"), ","), habit)
}

func init() {
	if has("print-init") {
		fmt.Println("printed in init")
	}
}

func main() {
	if has("print-main") {
		fmt.Print("printed in main without an end of line")
		_, _ = syscall.Write(1, []byte("raw in main\n"))
	}
	if has("print-always") {
		go func() {
			for {
				fmt.Println("printed all the time")
				_, _ = syscall.Write(1, []byte("raw all the time\n"))
				time.Sleep(time.Millisecond)
			}
		}()
	}
	provider := sdk.Provider{
		Slug: "testprovider", DisplayName: "Test CRM", Version: "1.2.3-test.1", AllowedHosts: []string{"api.vendor.test"},
		Authentication: []sdk.AuthenticationMethod{{
			Name: "api_key", Schema: json.RawMessage(`{"type":"object","properties":{"api_key":{"type":"string","writeOnly":true}}}`),
		}},
		Contacts: &sdk.Resource[crm.Contact]{IDPattern: `[a-z0-9]+`, Get: &sdk.Get[crm.Contact]{Returned: []string{"id"}, Do: get}},
	}
	if has("broken") {
		provider.Version, provider.Contacts.IDPattern = "one", ".*"
	}
	if has("no-emulator") {
		sdk.Serve(provider)
	}
	sdk.Serve(provider, sdk.WithEmulator(emulator.Definition{Slug: "testprovider", New: func(*emulator.Env) emulator.Instance { return vendor{} }}))
}

// get does what the id says.
func get(_ context.Context, call *sdk.Call, id string) (*crm.Contact, error) {
	var credentials struct {
		Key string `json:"api_key"`
	}
	if err := call.Credentials(&credentials); err != nil {
		return nil, err
	}
	switch id {
	case "print":
		fmt.Println("printed in a call")
		fmt.Fprintln(os.Stderr, "printed to standard error in a call")
		_, _ = syscall.Write(1, []byte("raw in a call\n"))
		child := exec.Command("/bin/echo", "echoed by a child in a call")
		child.Stdout = os.Stdout
		if err := child.Run(); err != nil {
			return nil, err
		}
	case "flood":
		line := strings.Repeat("x", 1000) + "\n"
		for range 300 {
			fmt.Print(line)
			_, _ = syscall.Write(1, []byte(line))
		}
	case "oneline":
		fmt.Println(strings.Repeat("y", 300_000))
	case "log":
		call.Log().Error("an error", "count", 7, "key", credentials.Key)
		call.Log().Warn("a warning")
		call.Log().Info("something to know")
		call.Log().Debug("a detail")
	case "longlog":
		call.Log().Error("a long value", "text", strings.Repeat("é", 100_000), "short", "kept")
		call.Log().Error("a long message: " + strings.Repeat("m", 100_000))
		call.Log().Error("a long list", "list", slices.Repeat([]string{"item"}, 20_000))
		many := []any{}
		for i := range 2000 {
			many = append(many, fmt.Sprintf("key%d", i), "a value of its own")
		}
		call.Log().Error("many values", many...)
	case "panic":
		panic("with " + credentials.Key)
	case "fail":
		return nil, errors.New("odd " + credentials.Key)
	case "slow":
		call.Log().Info("slow began")
		for range 6000 {
			if _, err := os.Stat(os.Getenv("TESTPROVIDER_RELEASE")); err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		call.Log().Info("slow ended")
	}
	return &crm.Contact{ID: &id}, nil
}

// vendor is the smallest emulator there is.
type vendor struct{}

func (vendor) Context() map[string]any                          { return map[string]any{"api_key": "k"} }
func (vendor) Reset()                                           {}
func (vendor) ServeHTTP(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }
