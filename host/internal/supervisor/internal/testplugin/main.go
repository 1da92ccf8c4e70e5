// Command testplugin is a provider for the supervisor's tests with real
// processes. It lies in <folder>/<version>/, and that is its version; the file
// "habits" beside it names its bad habits, separated by white space, so that
// they can change from one start to the next. With the habit "raw" it is
// written without the SDK, as a stranger's plugin may be, and keeps none of
// the SDK's promises.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
)

var (
	home    = filepath.Dir(os.Args[0]) // of this version
	version = filepath.Base(home)
	shared  = filepath.Dir(home) // of all versions
	habits  = func() []string {
		text, _ := os.ReadFile(filepath.Join(home, "habits"))
		return strings.Fields(string(text))
	}()
)

func has(habit string) bool { return slices.Contains(habits, habit) }

func main() {
	started := len(os.Args) == 1
	if started && has("exit") {
		fmt.Fprintln(os.Stderr, "there is no licence file")
		os.Exit(3)
	}
	if started && has("mute") {
		time.Sleep(time.Hour)
	}
	if started && has("child") {
		leaveChild(&syscall.SysProcAttr{})
	}
	if started && has("escaped-child") {
		leaveChild(&syscall.SysProcAttr{Setsid: true})
	}
	provider := sdk.Provider{
		Slug: "testplugin", DisplayName: "Test CRM", Version: version, AllowedHosts: []string{"api.vendor.test"},
		Authentication: []sdk.AuthenticationMethod{{
			Name: "api_key", Schema: json.RawMessage(`{"type":"object","properties":{"api_key":{"type":"string","writeOnly":true}}}`),
		}},
		CheckConnection: func(context.Context, *sdk.Call) error { return nil },
		Contacts: &sdk.Resource[crm.Contact]{
			IDPattern: `[a-z0-9-]+`,
			Get:       &sdk.Get[crm.Contact]{Returned: []string{"id", "remote_data"}, Do: get},
			Delete:    &sdk.Delete[crm.Contact]{Kind: sdk.HardDelete, Repeat: sdk.RepeatNotFound, Do: remove},
		},
	}
	if has("other-version") {
		provider.Version = "9.9.9"
	}
	if started && has("greedy") {
		provider.AllowedHosts = append(provider.AllowedHosts, "evil.test")
	}
	sdk.Serve(provider)
}

// leaveChild starts a process that holds this one's output open and outlives it.
func leaveChild(attributes *syscall.SysProcAttr) {
	child := exec.Command("/bin/sleep", "600")
	child.Stdout, child.Stderr, child.SysProcAttr = os.Stdout, os.Stderr, attributes
	if err := child.Start(); err != nil {
		panic(err)
	}
	if err := os.WriteFile(filepath.Join(shared, "child"), []byte(strconv.Itoa(child.Process.Pid)), 0o600); err != nil {
		panic(err)
	}
}

// self is what a record holds by default.
type self struct {
	PID     int      `json:"pid"`
	Version string   `json:"version"`
	PGID    int      `json:"pgid,omitempty"`
	Stdin   string   `json:"stdin,omitempty"`
	Folder  string   `json:"folder,omitempty"`
	Env     []string `json:"env,omitempty"`
}

// get does what the id says.
func get(ctx context.Context, call *sdk.Call, id string) (*crm.Contact, error) {
	me := self{PID: os.Getpid(), Version: version}
	kind, argument, _ := strings.Cut(id, "-")
	switch kind {
	case "self":
		me.PGID, _ = syscall.Getpgid(0)
		me.Stdin, _ = os.Readlink("/proc/self/fd/0")
		me.Folder, _ = os.Getwd()
		me.Env = os.Environ()
	case "slow":
		mark("slow", id)
		awaitRelease(ctx)
	case "hold":
		time.Sleep(5 * time.Millisecond)
	case "panic":
		go func() { panic("out of luck") }()
		<-ctx.Done()
	case "log":
		call.Log().Error("an error", "id", json.Number("9007199254740993"))
		call.Log().Debug("a detail")
	case "flood":
		lines, _ := strconv.Atoi(argument)
		for i := range lines {
			call.Log().Info("flood", "number", i)
		}
	case "big":
		mebibytes, _ := strconv.Atoi(argument)
		data, err := json.Marshal(strings.Repeat("x", mebibytes<<20))
		return &crm.Contact{ID: &id, RemoteData: data}, err
	}
	data, err := json.Marshal(me)
	return &crm.Contact{ID: &id, RemoteData: data}, err
}

// remove notes the call where the test can count it, whatever becomes of this
// process.
func remove(ctx context.Context, _ *sdk.Call, id string) (*crm.Contact, error) {
	mark("calls", id)
	if strings.HasPrefix(id, "slow-") {
		awaitRelease(ctx)
	}
	time.Sleep(5 * time.Millisecond)
	return nil, nil
}

// mark adds a line to a shared file.
func mark(name, line string) {
	f, err := os.OpenFile(filepath.Join(shared, name), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if _, err := f.WriteString(line + "\n"); err != nil {
		panic(err)
	}
}

// awaitRelease waits until the test makes the file "release".
func awaitRelease(ctx context.Context) {
	for ctx.Err() == nil {
		if _, err := os.Stat(filepath.Join(shared, "release")); err == nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}
