package conformance

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// growthChecks are about what a plugin that runs for months must not do. They
// look from outside, so that they hold for every language.
var growthChecks = []check{
	{
		name:   "growth/resources",
		title:  "memory, threads and descriptors do not grow with the number of calls",
		advice: "Close every answer's body, reuse one HTTP client for the process, bound every cache, and end what a call has begun when the call ends.",
		needs:  needsVendor,
		alone:  true,
		run:    resources,
	},
	{
		name:   "growth/goroutines",
		title:  "goroutines of a Go plugin do not grow with the number of calls",
		advice: "Let every goroutine that a call starts end with the call: by its context, or by a channel that is closed. SIGQUIT prints where they hang.",
		needs:  needsVendor,
		alone:  true,
		run:    goroutines,
	},
}

// What a round of calls may add without being called growth: a page of a heap
// here and a kept connection there. A leak of 2 KiB a call is more.
const (
	memoryPerCall = 2 << 10
	memoryLeast   = 1 << 20
	handfull      = 8 // threads and descriptors
	rounds        = 3
)

// usage is what a process group holds.
type usage struct{ memory, threads, descriptors int64 }

func resources(x *trial) {
	if _, err := os.Stat("/proc/self/smaps_rollup"); err != nil {
		x.skip("this system does not tell what a process holds (/proc/<pid>/smaps_rollup)")
		return
	}
	p, err := x.start(x.ctx, "info")
	if err != nil {
		x.problem("the plugin did not start: %v", err)
		return
	}
	defer p.stop()
	if !x.repeat(p, x.o.Calls) { // until pools and caches are filled
		return
	}
	// A heap may settle late. What leaks grows in every round.
	allowed := max(int64(x.o.Calls)*memoryPerCall, memoryLeast)
	least := usage{1 << 60, 1 << 60, 1 << 60}
	before := usageOf(p)
	for range rounds {
		if !x.repeat(p, x.o.Calls) {
			return
		}
		after := usageOf(p)
		least.memory = min(least.memory, after.memory-before.memory)
		least.threads = min(least.threads, after.threads-before.threads)
		least.descriptors = min(least.descriptors, after.descriptors-before.descriptors)
		before = after
		if least.memory <= allowed && least.threads <= handfull && least.descriptors <= handfull {
			return
		}
	}
	told := fmt.Sprintf("in each of %d rounds of %d calls", rounds, x.o.Calls)
	if least.memory > allowed {
		x.problem("private memory grew by at least %d KiB %s; %d KiB is the most", least.memory>>10, told, allowed>>10)
	}
	if least.threads > handfull {
		x.problem("threads grew by at least %d %s", least.threads, told)
	}
	if least.descriptors > handfull {
		x.problem("open descriptors grew by at least %d %s", least.descriptors, told)
	}
}

// repeat makes so many calls, good and failing ones, a few at a time.
func (x *trial) repeat(p *process, calls int) bool {
	var kinds []call
	for _, m := range x.asking() {
		c, there := x.about(m, x.account(x.vendor.emulator))
		if !there || m.writes() {
			continue
		}
		c.size = 20
		kinds = append(kinds, c)
		if m.takesID() {
			c.id = "" // refused
			kinds = append(kinds, c)
		}
		if m == connectionCheck && x.planted.json != nil {
			c.account = x.accountWith(x.planted, x.vendor.emulator)
			kinds = append(kinds, c)
		}
	}
	if len(kinds) == 0 {
		x.skip("nothing that only reads is advertised")
		return false
	}
	const few = 4
	numbers := make([]int, few)
	for i := range numbers {
		numbers[i] = i
	}
	each(numbers, func(first int) {
		for i := first; i < calls && x.ctx.Err() == nil && !p.over(); i += few {
			x.call(x.ctx, p, kinds[i%len(kinds)]) // not kept: that would be growth of our own
		}
	})
	if p.over() {
		x.problem("the process ended by itself: %s", p.lastWords())
		return false
	}
	return x.ctx.Err() == nil
}

// usageOf adds up what the processes of the plugin's group hold.
func usageOf(p *process) usage {
	var sum usage
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, err := os.ReadFile(path)
		// pid (name) state parent group …; the name may hold anything.
		_, rest, ok := bytes.Cut(text, []byte(") "))
		fields := strings.Fields(string(rest))
		if err != nil || !ok || len(fields) < 18 || fields[2] != strconv.FormatInt(p.pid.Load(), 10) {
			continue
		}
		threads, _ := strconv.ParseInt(fields[17], 10, 64)
		open, _ := os.ReadDir(filepath.Join(filepath.Dir(path), "fd"))
		sum.threads += threads
		sum.descriptors += int64(len(open))
		rollup, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "smaps_rollup"))
		for line := range strings.Lines(string(rollup)) {
			if value, found := strings.CutPrefix(line, "Private_Dirty:"); found {
				kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
				sum.memory += kib << 10
			}
		}
	}
	return sum
}

// goroutineForm is the head of a goroutine in what a Go program prints when it
// is told to quit.
var goroutineForm = regexp.MustCompile(`(?m)^goroutine \d+ `)

func goroutines(x *trial) {
	if _, err := buildinfo.ReadFile(x.o.Binary); err != nil {
		x.skip("the plugin is not a Go program")
		return
	}
	few := x.goroutinesAfter(40)
	many := x.goroutinesAfter(40 + x.o.Calls)
	if few == 0 || many == 0 {
		x.skip("the plugin does not print its goroutines upon SIGQUIT")
		return
	}
	if many > few+max(16, x.o.Calls/20) {
		x.problem("after 40 calls there were %d goroutines, after %d more %d", few, x.o.Calls, many)
	}
}

// goroutinesAfter counts the goroutines of a fresh process after some calls. A
// Go program prints them as it dies of SIGQUIT, without any help of its own.
func (x *trial) goroutinesAfter(calls int) int {
	p, err := x.start(x.ctx, "info")
	if err != nil {
		x.problem("the plugin did not start: %v", err)
		return 0
	}
	defer p.stop()
	if !x.repeat(p, calls) {
		return 0
	}
	ctx, cancel := context.WithTimeout(x.ctx, 100*time.Millisecond) // what is about to end may
	<-ctx.Done()
	cancel()
	_ = p.cmd.Process.Signal(syscall.SIGQUIT)
	if !p.endsWithin(x.limit(endTime)) {
		return 0
	}
	return len(goroutineForm.FindAll(p.stderr.bytes(), -1))
}
