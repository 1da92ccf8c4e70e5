package conformance

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
		advice: "Close every answer's body, reuse one HTTP client for the process, bound every cache, and end what a call has begun when the call ends. To tell a leak from a heap that settles late, give --calls 5000: what is a leak grows with it, call by call.",
		needs:  needsVendor,
		alone:  true,
		run:    resourcesHeld,
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

// What a round of calls may add without being called growth: a few pages of a
// heap, a kept connection. Some heaps settle late and then saw up and down, so
// it takes many rounds to tell growth from that.
const (
	memoryPerCall = 3 << 10
	memoryLeast   = 1 << 20
	handful       = 8 // threads and descriptors
	rounds        = 12
)

// usage is what a process group holds: bytes of private memory, threads and
// open descriptors.
type usage [3]int64

func (u usage) minus(v usage) usage { return usage{u[0] - v[0], u[1] - v[1], u[2] - v[2]} }

func (u usage) within(limit usage) bool {
	return u[0] <= limit[0] && u[1] <= limit[1] && u[2] <= limit[2]
}

func resourcesHeld(x *trial) {
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
	limit := usage{max(int64(x.o.Calls)*memoryPerCall, memoryLeast), handful, handful}
	var held []usage
	for range 1 + rounds { // after the first one pools and caches are filled
		if !x.repeat(p, x.o.Calls) {
			return
		}
		held = append(held, usageOf(p))
		if n := len(held); n > 2 && held[n-1].minus(held[n-3]).within(limit) {
			return // two rounds added less than one may
		}
	}
	for i, what := range []string{"bytes of private memory", "threads", "open descriptors"} {
		var grown []int64
		for round := range rounds {
			grown = append(grown, held[round+1][i]-held[round][i])
		}
		slices.Sort(grown)
		if median := grown[rounds/2]; median > limit[i] {
			x.problem("%d calls add %d %s, again and again: in %d rounds there were %v in all; %d a round is the most", x.o.Calls, median, what, rounds, held[rounds][i]-held[0][i], limit[i])
		}
	}
}

// repeat makes so many calls, good and failing ones, a few at a time.
func (x *trial) repeat(p *process, calls int) bool {
	var kinds []call
	for _, m := range x.asking() {
		if m.writes() {
			continue
		}
		c, there := x.about(m, x.account(x.vendor.emulator))
		if !there {
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
		sum[1] += threads
		sum[2] += int64(len(open))
		rollup, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "smaps_rollup"))
		for line := range strings.Lines(string(rollup)) {
			if value, found := strings.CutPrefix(line, "Private_Dirty:"); found {
				kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
				sum[0] += kib << 10
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
