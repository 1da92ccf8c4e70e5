// Package conformance is the suite that every provider plugin must pass. It
// takes a plugin's binary, in whatever language it is written, starts it as a
// host does, and holds it to the protocol: what proto/README.md and the
// comments of the .proto files say. The vendor is the binary's own emulator,
// behind a gateway of the suite that sees every request and can answer in the
// vendor's place: late, cut off, with HTML, with a 429.
//
// It runs as `unicrm plugin test <binary>` and, in an author's own tests, as
//
//	func TestConformance(t *testing.T) {
//		conformance.Run(t, conformance.Options{Binary: "bin/unicrm-provider-acme"})
//	}
//
// README.md beside this file tells of each check what it demands and what to do
// when it fails. The suite leaves no process, file or port behind.
package conformance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// Options are the choices of one run. Only Binary is needed.
type Options struct {
	// Binary is the path of the plugin's binary or script. Its name must be
	// unicrm-provider-<slug>.
	Binary string
	// TimeScale multiplies every limit of time, for slow machines, and up to
	// threefold the deadlines of calls that are to run out of time; 1 when zero.
	TimeScale float64
	// Calls is how many calls the checks of growth make; 1000 when zero.
	Calls int
	// Only runs the checks whose names match this regular expression (RE2), for
	// authors who mend one thing. A plugin is not proven by a part of the suite.
	Only string
	// Log is told of each check as it ends; nil for nobody.
	Log io.Writer
}

// Test runs the suite. The error tells that it could not run; what is wrong
// with the plugin stands in the report.
func Test(ctx context.Context, o Options) (*Report, error) {
	return run(ctx, o, func(c Check) {
		if o.Log != nil {
			fmt.Fprintf(o.Log, "%-7s %s (%d ms)\n", c.Status, c.Name, c.Milliseconds)
		}
	})
}

// Run runs the suite as subtests, one for each check.
func Run(t *testing.T, o Options) {
	t.Helper()
	_, err := run(t.Context(), o, func(c Check) {
		t.Run(c.Name, func(t *testing.T) {
			for _, note := range c.Notes {
				t.Log(note)
			}
			switch c.Status {
			case Failed:
				t.Errorf("%s\n%s\nwhat to do: %s", c.Title, strings.Join(c.Problems, "\n"), c.Advice)
			case Skipped:
				t.Skip(c.Reason)
			}
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Checks lists the suite: names, titles and advice, in the order in which they
// are made.
func Checks() []Check {
	var list []Check
	for _, c := range checks {
		list = append(list, Check{Name: c.name, Title: c.title, Advice: c.advice})
	}
	return list
}

// need is what a check cannot do without. Each one includes those before it.
type need int

const (
	needsBinary need = iota
	needsManifest
	needsProcess
	needsVendor
)

// check is one demand on a plugin.
type check struct {
	name, title string
	// advice says what to do when it fails.
	advice string
	needs  need
	// alone keeps a check from running beside others: it changes what the
	// emulator holds, or looks at the whole run.
	alone bool
	run   func(x *trial)
}

// checks is the suite. The file of each theme says what its checks demand.
var checks = join(manifestChecks, lifeChecks, recordChecks, pagingChecks, listChecks, writeChecks, requestChecks, answerChecks, faultChecks, timeChecks, loadChecks, growthChecks, wholeRunChecks)

func join(themes ...[]check) []check {
	var all []check
	for _, theme := range themes {
		all = append(all, theme...)
	}
	return all
}

// maxProblems is how many problems a check tells; the first ones matter.
const maxProblems = 12

// trial is one check in the making.
type trial struct {
	*suite
	check *check
	ctx   context.Context

	mu       sync.Mutex
	problems []string // guarded by mu
	more     int      // guarded by mu: problems beyond maxProblems
	notes    []string // guarded by mu
	skipped  string   // guarded by mu
}

// problem notes what is wrong. A check may find several.
func (x *trial) problem(format string, args ...any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	for _, known := range x.problems {
		if known == text {
			return
		}
	}
	if len(x.problems) >= maxProblems {
		x.more++
		return
	}
	x.problems = append(x.problems, text)
}

// note tells an author something that is no failure.
func (x *trial) note(format string, args ...any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.notes = append(x.notes, fmt.Sprintf(format, args...))
}

// skip notes why the check cannot be made. Problems count for more.
func (x *trial) skip(format string, args ...any) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.skipped = fmt.Sprintf(format, args...)
}

// each runs a function for every item at once, and waits.
func each[T any](items []T, do func(item T)) {
	var all sync.WaitGroup
	for _, item := range items {
		all.Go(func() { do(item) })
	}
	all.Wait()
}

func (x *trial) result(took time.Duration) Check {
	x.mu.Lock()
	defer x.mu.Unlock()
	c := Check{Name: x.check.name, Title: x.check.title, Status: Passed, Notes: x.notes, Milliseconds: took.Milliseconds()}
	switch {
	case len(x.problems) > 0:
		c.Status, c.Problems, c.Advice = Failed, x.problems, x.check.advice
		if x.more > 0 {
			c.Problems = append(c.Problems, fmt.Sprintf("and %d more", x.more))
		}
	case x.skipped != "":
		c.Status, c.Reason = Skipped, x.skipped
	}
	return c
}

// run makes the checks in their order and tells of each as it ends.
func run(ctx context.Context, o Options, ended func(Check)) (*Report, error) {
	chosen, err := choose(o.Only)
	if err != nil {
		return nil, err
	}
	binary, err := filepath.Abs(o.Binary)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(binary)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the plugin's binary: %w", err)
	case info.IsDir():
		return nil, fmt.Errorf("%s is a folder; name the plugin's binary in it", binary)
	case info.Mode()&0o111 == 0:
		return nil, fmt.Errorf("%s may not be executed; chmod +x makes it so", binary)
	}
	o.Binary = binary
	if o.TimeScale <= 0 {
		o.TimeScale = 1
	}
	if o.Calls <= 0 {
		o.Calls = 1000
	}
	s := &suite{o: o}
	defer s.close()
	s.open(ctx)
	report := &Report{Binary: binary, Started: time.Now().UTC(), TimeScale: o.TimeScale, Calls: o.Calls}
	for len(chosen) > 0 && ctx.Err() == nil {
		batch := nextBatch(chosen)
		chosen = chosen[len(batch):]
		results := make([]Check, len(batch))
		before := s.deaths()
		each(indices(batch), func(i int) { results[i] = s.try(ctx, batch[i]) })
		if len(batch) > 1 && s.deaths() > before {
			// Whose doing it was cannot be told while they run side by side.
			for i, c := range batch {
				results[i] = s.try(ctx, c)
			}
		}
		if ctx.Err() != nil {
			break // what the end of the context did to them says nothing
		}
		for _, c := range results {
			report.add(c)
			ended(c)
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("the suite was interrupted: %w", err)
	}
	report.conclude(s, o.Only != "")
	return report, nil
}

// atOnce is how many checks run beside each other: more would take the time
// that others measure.
const atOnce = 8

// nextBatch is the next check or, where they do not disturb each other, several.
func nextBatch(list []*check) []*check {
	n := 0
	for n < len(list) && n < atOnce && !list[n].alone {
		n++
	}
	return list[:max(n, 1)]
}

func indices[T any](list []T) []int {
	all := make([]int, len(list))
	for i := range all {
		all[i] = i
	}
	return all
}

func choose(only string) ([]*check, error) {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return nil, fmt.Errorf("the choice of checks is not a regular expression: %w", err)
	}
	var chosen []*check
	for i := range checks {
		if pattern.MatchString(checks[i].name) {
			chosen = append(chosen, &checks[i])
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("no check has a name that matches " + only)
	}
	return chosen, nil
}

// try makes one check.
func (s *suite) try(ctx context.Context, c *check) Check {
	began := time.Now()
	x := &trial{suite: s, check: c, ctx: ctx}
	if why := s.lacks(c.needs); why != "" {
		x.skip("%s", why)
	} else {
		x.run()
	}
	return x.result(time.Since(began))
}

// run makes the check and notices when the plugin's process ends meanwhile.
func (x *trial) run() {
	if x.check.needs < needsProcess {
		x.check.run(x)
		return
	}
	p, err := x.living(x.ctx)
	if err != nil {
		x.skip("the plugin did not start: %v", err)
		return
	}
	x.check.run(x)
	if x.check.needs >= needsVendor && x.vendor.over() {
		x.problem("the emulator ended by itself: %s", x.vendor.said())
	}
	if p.over() {
		x.problem("the plugin's process ended by itself: %s", p.lastWords())
	}
}
