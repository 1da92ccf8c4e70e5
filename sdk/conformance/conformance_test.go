package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk/wire"
)

// scale makes every limit of time generous: a test that fails because the
// machine is busy would say nothing.
const scale = 10

// few is enough calls to see a leak of the test provider.
const few = 100

var buildDir string

func TestMain(m *testing.M) {
	var err error
	if buildDir, err = os.MkdirTemp("", "conformance-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(buildDir)
	os.Exit(code)
}

// build builds a program of this module, once.
func build(name, path string) func() string {
	return sync.OnceValue(func() string {
		binary := filepath.Join(buildDir, name)
		if out, err := exec.Command("go", "build", "-o", binary, path).CombinedOutput(); err != nil {
			panic(fmt.Sprintf("%v: %s", err, out))
		}
		return binary
	})
}

var badProvider = build("badprovider", "../internal/badprovider")

// provider gives the test provider a name, which is what it goes by.
func provider(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), wire.BinaryPrefix+name)
	require.NoError(t, os.Symlink(badProvider(), path))
	return path
}

func runSuite(t *testing.T, o Options) *Report {
	t.Helper()
	if o.TimeScale == 0 {
		o.TimeScale = scale
	}
	if o.Calls == 0 {
		o.Calls = few
	}
	report, err := Test(t.Context(), o)
	require.NoError(t, err)
	return report
}

func failed(r *Report) []string {
	var names []string
	for _, c := range r.Checks {
		if c.Status == Failed {
			names = append(names, c.Name)
		}
	}
	return names
}

func text(t *testing.T, r *Report) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, r.WriteText(&b))
	return b.String()
}

func TestAPluginThatDoesEverythingRightConforms(t *testing.T) {
	t.Parallel()
	report := runSuite(t, Options{Binary: provider(t, "good")})
	assert.Equal(t, Conforms, report.Verdict, text(t, report))
	assert.Empty(t, failed(report))
	for _, c := range report.Checks {
		assert.NotEqual(t, Skipped, c.Status, "%s: %s", c.Name, c.Reason)
		assert.Empty(t, c.Notes, c.Name)
	}
}

// mistakes are what the test provider does wrong under a name, the checks that
// must find it, and the part of the suite that is run: none of the other checks
// in that part may fail.
var mistakes = []struct {
	name, part, found string
}{
	{"describes-with-noise", `^manifest/`, "manifest/describe"},
	{"has-no-version", `^(manifest|methods)/`, "manifest/contents"},
	{"takes-any-id", `^(manifest|methods|requests)/`, "manifest/id-pattern"},
	{"serves-anybody", `^(manifest|methods)/`, "manifest/without-host"},
	{"prints-first", `^(manifest|process)/`, "process/start"},
	{"says-two-things", `^(manifest|process)/`, "process/handshake"},
	{"talks-to-anybody", `^process/`, "process/tls"},
	{"outlives-its-host", `^process/lifeline`, "process/lifeline"},
	{"dies-of-sigterm", `^process/`, "process/signals"},
	{"never-ends", `^process/`, "process/shutdown"},
	{"drops-calls-at-its-end", `^process/`, "process/shutdown"},
	{"prints-in-calls", `^(process|methods)/`, "process/stray-prints"},
	{"misspells-its-credentials", `^(manifest|emulator|methods)/`, "emulator/start"},
	{"forgets-no-calls", `^(emulator|methods)/`, "emulator/control"},
	{"creates-unasked", `^methods/`, "methods/unadvertised"},
	{"believes-every-key", `^methods/`, "methods/connection"},
	{"gives-no-ids", `^methods/list`, "methods/list"},
	{"gives-another-record", `^methods/(get|delete|list)`, "methods/get"},
	{"makes-up-records", `^methods/`, "methods/get"},
	{"deletes-what-never-was", `^(methods|paging)/`, "methods/delete"},
	{"deletes-another-instead", `^methods/`, "methods/delete"},
	{"deletes-twice", `^(methods|paging)/`, "methods/delete"},
	{"ignores-filters", `^(methods|paging)/`, "methods/filters"},
	{"gives-no-vendor-answer", `^(methods|paging)/`, "methods/vendor-answer"},
	{"ignores-remote-query", `^methods/`, "methods/remote-query"},
	{"rounds-numbers", `^methods/`, "methods/remote-data"},
	{"gives-more-than-asked", `^(methods|paging/[^d])`, "paging/sizes"},
	{"ignores-the-page-size", `^(methods|paging)/`, "paging/sizes"},
	{"begins-with-the-second-page", `^(methods|paging/sizes)`, "methods/list paging/sizes"},
	{"takes-any-token", `^(paging|requests)/`, "paging/tokens requests/large"},
	{"keeps-whole-lists", `^paging/(tokens|deletions)`, "paging/deletions"},
	{"trusts-the-total", `^paging/`, "paging/additions"},
	{"repeats-a-record", `^paging/(sizes|tokens)`, "paging/sizes"},
	{"filters-nothing", `^(methods|lists)/`, "lists/filters"},
	{"filters-by-the-day", `^(methods|lists)/`, "lists/filters"},
	{"orders-nothing", `^(methods|lists)/`, "lists/order"},
	{"drops-a-field", `^(methods|writes)/`, "writes/create writes/update"},
	{"creates-twice", `^(methods|writes/create)`, "writes/create"},
	{"takes-any-field", `^(methods|writes)/`, "writes/create writes/update"},
	{"asks-before-it-checks", `^(methods|writes/create)`, "writes/create"},
	{"writes-whole-records", `^(methods|writes)/`, "writes/update writes/upsert"},
	{"never-empties", `^(methods|writes)/`, "writes/update"},
	{"adds-to-lists", `^(methods|writes)/`, "writes/update"},
	{"ignores-versions", `^(methods|writes)/`, "writes/etag"},
	{"always-creates", `^(methods|writes)/`, "writes/upsert"},
	{"takes-the-first", `^(methods|writes)/`, "writes/upsert"},
	{"answers-out-of-order", `^(methods|writes)/`, "writes/batch-delete"},
	{"says-all-went-well", `^(methods|writes)/`, "writes/batch-delete"},
	{"keeps-duplicates", `^(methods|writes)/`, "writes/merge"},
	{"sends-in-dry-runs", `^(methods|writes)/`, "writes/dry-run writes/losses"},
	{"shows-nothing", `^(methods|writes)/`, "writes/dry-run"},
	{"loses-in-silence", `^(methods|writes)/`, "writes/losses"},
	{"warns-of-nothing", `^(methods|writes)/`, "writes/losses"},
	{"sends-before-it-tells", `^(methods|writes)/`, "writes/losses"},
	{"forgets-remote-data", `^(methods|writes)/`, "writes/remote-data"},
	{"pastes-ids", `^(requests|methods)/`, "requests/hostile-ids"},
	{"forgives-odd-requests", `^(requests|methods)/`, "requests/odd"},
	{"splits-headers", `^(requests|methods)/`, "requests/header-injection"},
	{"reads-4-mib", `^(requests|methods)/`, "requests/large"},
	{"reads-4-mib-of-an-answer", `^(methods|answers/(huge-r|tiny|odd))`, "answers/huge-records"},
	{"needs-a-name", `^(methods|answers/tiny)`, "answers/tiny-records"},
	{"knows-all-fields", `^answers/odd`, "answers/odd-records"},
	{"reads-without-end", `^answers/huge-a`, "answers/huge-answers"},
	{"fails-with-its-look-ups", `^(methods|answers/(look|odd))`, "answers/look-ups"},
	{"says-rejected", `^faults/(unreachable|silent|stalled|cut|html|empty|truncated|foreign-json|40|42|5|429|redirect)`, "faults/unreachable faults/silent faults/stalled faults/cut-before faults/cut-during faults/cut-after faults/html faults/empty faults/truncated faults/foreign-json faults/401 faults/403 faults/409 faults/500 faults/502-html faults/503 faults/504 faults/503-retry-after-long faults/429 faults/429-retry-after-long"},
	{"says-conflict", `^faults/(40|422)`, "faults/400 faults/401 faults/403 faults/404 faults/422"},
	{"shows-html", `^faults/(html|502|500)`, "faults/html faults/502-html"},
	{"repeats-writes", `^faults/(cut|4\d\d$)`, "faults/cut-before faults/cut-during faults/cut-after"},
	{"hides-that-it-was-gone", `^faults/cut`, "faults/cut-after"},
	{"believes-every-page", `^faults/(html|empty|truncated|foreign)`, "faults/html"},
	{"hurries", `^faults/(429|503)`, "faults/503-retry-after faults/503-retry-after-long faults/429-retry-after faults/429-retry-after-long"},
	{"follows-redirects", `^faults/(redirect|foreign-l|5)`, "faults/redirect faults/redirected-write"},
	{"follows-links", `^faults/(redirect|foreign-l|5)`, "faults/foreign-links"},
	{"ignores-cancellation", `^time/cancellation`, "time/cancellation"},
	{"goes-on-after-the-end", `^time/cancelled-wait`, "time/cancelled-wait"},
	{"ignores-grpcs-deadline", `^time/grpc`, "time/grpc-deadline"},
	{"ignores-the-calls-deadline", `^time/call`, "time/call-deadline"},
	{"shares-its-place", `^load/`, "load/concurrency"},
	{"mixes-up-accounts", `^load/`, "load/accounts"},
	{"leaks-memory", `^growth/`, "growth/resources"},
	{"leaks-descriptors", `^growth/`, "growth/resources"},
	{"leaks-threads", `^growth/res`, "growth/resources"},
	{"leaks-goroutines", `^growth/`, "growth/goroutines"},
	{"shows-secrets", `^(secrets|errors)/`, "secrets/errors"},
	{"shows-half-of-keys", `^(secrets|errors)/`, "secrets/errors"},
	{"logs-credentials", `^(secrets|errors)/`, "secrets/output"},
	{"gives-the-wrong-code", `^(secrets|errors)/`, "errors/form"},
	{"ends-without-an-account", `^(requests/odd|errors/)`, "requests/odd errors/panics"},
}

func TestEveryMistakeIsFoundByItsCheckAndNoOther(t *testing.T) {
	t.Parallel()
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			o := Options{Binary: provider(t, m.name), Only: m.part}
			if strings.HasPrefix(m.found, "time/") || m.found == "process/lifeline" {
				o.TimeScale = 1 // it waits for what never comes
			}
			report := runSuite(t, o)
			assert.ElementsMatch(t, strings.Fields(m.found), failed(report), text(t, report))
			assert.Equal(t, Fails, report.Verdict)
			said := text(t, report)
			for _, c := range report.Checks {
				if c.Status == Failed {
					assert.NotEmpty(t, c.Problems)
					assert.Contains(t, said, c.Name)
					assert.Contains(t, said, c.Advice)
				}
			}
		})
	}
}

func TestEveryCheckCanFail(t *testing.T) {
	var found []string
	for _, m := range mistakes {
		found = append(found, strings.Fields(m.found)...)
	}
	for _, c := range Checks() {
		assert.Contains(t, found, c.Name, "no mistake of the test provider makes it fail")
	}
}

func TestARealProviderConforms(t *testing.T) {
	t.Parallel()
	// The slow parts are tried with the test provider.
	Run(t, Options{Binary: build("unicrm-provider-planhat", "../../plugins/planhat")(), TimeScale: scale, Only: `^(manifest|process|methods|paging|requests|load|faults/\d)`})
}

func TestWithoutAnEmulatorAPluginIsNotProven(t *testing.T) {
	t.Parallel()
	report := runSuite(t, Options{Binary: provider(t, "has-no-emulator"), Only: `^(manifest|methods|process)/`})
	assert.Equal(t, NotProven, report.Verdict)
	assert.Empty(t, failed(report), text(t, report))
	assert.Contains(t, report.Unproven, "no emulator")
	assert.Contains(t, text(t, report), "NOT PROVEN")
	for _, c := range report.Checks {
		if c.Name == "methods/list" {
			assert.Equal(t, Skipped, c.Status)
			assert.Contains(t, c.Reason, "no emulator")
		}
		if c.Name == "process/lifeline" {
			assert.Equal(t, Passed, c.Status)
		}
	}
}

func TestAFieldThatIsNeverFilledIsNoted(t *testing.T) {
	t.Parallel()
	report := runSuite(t, Options{Binary: provider(t, "promises-what-it-never-fills"), Only: "^methods/(list|get)"})
	assert.Empty(t, failed(report), text(t, report))
	require.Equal(t, "methods/list", report.Checks[0].Name)
	require.Len(t, report.Checks[0].Notes, 1)
	assert.Contains(t, report.Checks[0].Notes[0], "returned_fields has first_name, urls.url, which no record")
	assert.Contains(t, text(t, report), "note: contacts list: returned_fields has first_name")
	assert.Empty(t, report.Checks[1].Notes, "the list tells of it")
}

func TestAPartOfTheSuiteProvesNothing(t *testing.T) {
	t.Parallel()
	report := runSuite(t, Options{Binary: provider(t, "good"), Only: "^manifest/"})
	assert.Equal(t, NotProven, report.Verdict)
	assert.Empty(t, failed(report))
	assert.Len(t, report.Checks, 4)
}

func TestWhatCannotBeTested(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "unicrm-provider-plain")
	require.NoError(t, os.WriteFile(plain, []byte("text"), 0o600))
	for name, want := range map[string]struct {
		o    Options
		says string
	}{
		"no file":       {Options{Binary: filepath.Join(dir, "none")}, "no such file"},
		"a folder":      {Options{Binary: dir}, "is a folder"},
		"not runnable":  {Options{Binary: plain}, "chmod +x"},
		"bad choice":    {Options{Binary: plain, Only: "("}, "regular expression"},
		"chose nothing": {Options{Binary: plain, Only: "nothing"}, "no check has a name"},
	} {
		report, err := Test(t.Context(), want.o)
		require.Error(t, err, name)
		assert.Contains(t, err.Error(), want.says)
		assert.Nil(t, report)
	}
}

func TestARunLeavesNothingBehind(t *testing.T) {
	for name, interrupt := range map[string]bool{"at its end": false, "when it is interrupted": true} {
		t.Run(name, func(t *testing.T) {
			binary := provider(t, "good")
			temporary, err := os.MkdirTemp("", "c-") // short, for it will hold sockets
			require.NoError(t, err)
			t.Cleanup(func() { _ = os.RemoveAll(temporary) })
			t.Setenv("TMPDIR", temporary)
			goroutines := runtime.NumGoroutine()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			o := Options{Binary: binary, TimeScale: scale, Only: "^(manifest|process|methods|load)/"}
			if interrupt {
				o.Log = cancelling(cancel)
			}
			_, err = Test(ctx, o)
			if interrupt {
				require.ErrorIs(t, err, context.Canceled)
			} else {
				require.NoError(t, err)
			}
			for end := time.Now().Add(time.Minute); runtime.NumGoroutine() > goroutines && time.Now().Before(end); {
				time.Sleep(10 * time.Millisecond) // connections take a moment to close
			}
			assert.LessOrEqual(t, runtime.NumGoroutine(), goroutines, "goroutines")
			left, err := os.ReadDir(temporary)
			require.NoError(t, err)
			assert.Empty(t, left)
			for _, path := range commandLines(t) {
				line, _ := os.ReadFile(path) // the process may be gone by now
				assert.NotContains(t, string(line), binary)
			}
		})
	}
}

func commandLines(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	return paths
}

// cancelling is a log that cancels with its first line.
type cancelling func()

func (c cancelling) Write(p []byte) (int, error) {
	c()
	return len(p), nil
}

func TestTheReportCanBeReadByPrograms(t *testing.T) {
	t.Parallel()
	report := runSuite(t, Options{Binary: provider(t, "has-no-version"), Only: "^manifest/"})
	data, err := json.Marshal(report)
	require.NoError(t, err)
	var read map[string]any
	require.NoError(t, json.Unmarshal(data, &read))
	assert.Equal(t, "has-no-version", read["slug"])
	assert.Equal(t, "fails", read["verdict"])
	assert.EqualValues(t, 1, read["failed"])
	assert.EqualValues(t, 3, read["passed"])
	check := read["checks"].([]any)[1].(map[string]any)
	assert.Equal(t, "manifest/contents", check["name"])
	assert.Equal(t, "failed", check["status"])
	assert.Contains(t, check["problems"].([]any)[0], `version: "one"`)
	assert.NotEmpty(t, check["advice"])
}

var update = flag.Bool("update", false, "write the tables of README.md")

var tableForm = regexp.MustCompile(`(?s)(<!-- checks ([a-z ]+) -->\n).*?(<!-- end -->)`)

func TestTheREADMETellsOfEveryCheck(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	told := 0
	want := tableForm.ReplaceAllStringFunc(string(readme), func(part string) string {
		match := tableForm.FindStringSubmatch(part)
		table, rows := tableOf(strings.Fields(match[2])...)
		told += rows
		return match[1] + table + match[3]
	})
	if *update {
		require.NoError(t, os.WriteFile("README.md", []byte(want), 0o644))
		readme = []byte(want)
	}
	if want != string(readme) {
		t.Error("the tables of README.md are not those of the checks; go test -run README -update writes them")
	}
	assert.Equal(t, len(Checks()), told, "checks with a table in the README")
}

// tableOf writes the checks of some themes as a table.
func tableOf(themes ...string) (table string, rows int) {
	table = "| check | what it demands | when it fails |\n|---|---|---|\n"
	if slices.Contains(themes, "faults") {
		table = "| check | the vendor | a read | CheckConnection | a write | when it fails |\n|---|---|---|---|---|---|\n"
		outcomes := func(text string) string {
			return strings.ReplaceAll(strings.ReplaceAll(text, anyVendorReason, "vendor_*"), " ", ", ")
		}
		for _, f := range faults {
			table += fmt.Sprintf("| `faults/%s` | %s | %s | %s | %s | %s |\n", f.name, f.title, outcomes(f.reads), outcomes(f.connection), outcomes(f.writes), f.advice)
		}
		return table, len(faults)
	}
	for _, c := range Checks() {
		if theme, _, _ := strings.Cut(c.Name, "/"); slices.Contains(themes, theme) {
			table += fmt.Sprintf("| `%s` | %s | %s |\n", c.Name, c.Title, strings.ReplaceAll(c.Advice, "|", `\|`))
			rows++
		}
	}
	return table, rows
}
