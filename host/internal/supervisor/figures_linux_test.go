package supervisor

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk/errs"
)

// longEnv makes the tests of this file count as far as they promise. Without
// it they do the same less often, which takes seconds rather than minutes.
const longEnv = "UNICRM_LONG"

func times(short, long int) int {
	if os.Getenv(longEnv) != "" {
		return long
	}
	return short
}

func TestNothingIsLeftAfterAThousandStartsAndStops(t *testing.T) {
	b := newBed(t)
	good, bad := b.binary("1.0.0"), b.binary("2.0.0", "exit")
	cycles, workers := times(24, 1000), 4
	var next atomic.Int64
	work := func() {
		for {
			cycle := int(next.Add(1))
			if cycle > cycles {
				return
			}
			plan := Plan{Active: good, Others: []Binary{bad}}
			s := New([]Plan{plan}, Options{})
			me, err := fetch(t.Context(), s, "self")
			assert.NoError(t, err)
			switch cycle % 4 {
			case 1: // it dies by itself
				assert.NoError(t, syscall.Kill(me.PID, syscall.SIGKILL))
			case 2: // it is replaced
				assert.NoError(t, s.Apply(t.Context(), plan, true))
			case 3: // another does not start
				assert.Error(t, s.Apply(t.Context(), Plan{Active: bad}, false))
			}
			b.close(s)
			assert.False(t, alive(me.PID))
		}
	}
	run := func() {
		var all sync.WaitGroup
		for range workers {
			all.Go(work)
		}
		all.Wait()
	}
	began := time.Now()
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	run()
	t.Logf("%d cycles of start, call and stop in %s; before and after: goroutines %d and %d, files %d and %d, children %d, folders %d",
		cycles, time.Since(began).Round(time.Second), goroutines, runtime.NumGoroutine(), files, openFiles(t), len(children(t)), len(entries(t, b.tmp)))
	// newBed holds the rest.
}

func entries(t testing.TB, dir string) []os.DirEntry {
	t.Helper()
	all, err := os.ReadDir(dir)
	require.NoError(t, err)
	return all
}

// load keeps calls going until stop. Nothing may fail but what excuse allows.
type load struct {
	t         *testing.T
	s         *Supervisor
	cancel    context.CancelFunc
	all       sync.WaitGroup
	readers   []atomic.Int64 // reads that ended well, by reader
	mu        sync.Mutex
	deletes   map[string]error // guarded by mu: by id; what each ended with
	versions  map[string]int   // guarded by mu: reads by the version that served
	forgiving func(error) bool // of a write's error
}

func startLoad(t *testing.T, s *Supervisor, readers, writers int, forgiving func(error) bool) *load {
	l := &load{t: t, s: s, readers: make([]atomic.Int64, readers), deletes: map[string]error{}, versions: map[string]int{}, forgiving: forgiving}
	ctx, cancel := context.WithCancel(t.Context())
	l.cancel = cancel
	for i := range readers {
		l.all.Go(func() {
			for ctx.Err() == nil {
				me, err := fetch(t.Context(), s, "hold")
				if !assert.NoError(t, err, "a read") {
					return
				}
				l.readers[i].Add(1)
				l.mu.Lock()
				l.versions[me.Version]++
				l.mu.Unlock()
			}
		})
	}
	for i := range writers {
		l.all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				id := fmt.Sprintf("w%d-%d", i, n)
				err := remove(t.Context(), s, id)
				assert.True(t, err == nil || forgiving(err), "a write: %v", err)
				l.mu.Lock()
				l.deletes[id] = err
				l.mu.Unlock()
			}
		})
	}
	return l
}

// round waits until every reader has begun and ended a read.
func (l *load) round(b *bed) {
	l.t.Helper()
	before := make([]int64, len(l.readers))
	for i := range l.readers {
		before[i] = l.readers[i].Load()
	}
	b.eventually("every reader's next read", func() bool {
		for i := range l.readers {
			if l.readers[i].Load() < before[i]+2 {
				return false
			}
		}
		return true
	})
}

func (l *load) reads() (sum int64) {
	for i := range l.readers {
		sum += l.readers[i].Load()
	}
	return sum
}

// stop ends the load and holds what the plugins saw to what callers were told.
func (l *load) stop(b *bed) (writes, unknown int) {
	l.t.Helper()
	l.cancel()
	l.all.Wait()
	seen := b.marks("calls")
	for id, err := range l.deletes {
		if err == nil {
			assert.Equal(l.t, 1, seen[id], "%s succeeded, so it was made once", id)
		} else {
			unknown++
			assert.LessOrEqual(l.t, seen[id], 1, "%s was made again", id)
		}
		delete(seen, id)
	}
	assert.Empty(l.t, seen, "calls that nobody made")
	return len(l.deletes), unknown
}

func never(error) bool { return false }

func TestSwapsUnderLoadLoseAndRepeatNothing(t *testing.T) {
	b := newBed(t)
	one, two := b.binary("1.0.0"), b.binary("2.0.0")
	s := b.supervise(one, Options{})
	mustFetch(t, s, "self")
	l := startLoad(t, s, 32, 32, never)
	swaps := times(10, 200)
	for i := range swaps {
		active, other := one, two
		if i%2 == 0 {
			active, other = two, one
		}
		plan := Plan{Active: active}
		if i%3 == 0 {
			plan.Others, plan.CanaryVersion, plan.CanaryPercent = []Binary{other}, other.Version, 30
		}
		require.NoError(t, s.Apply(t.Context(), plan, i%5 == 0))
	}
	l.round(b)
	writes, _ := l.stop(b)
	t.Logf("%d swaps at 64 calls at once: %d reads and %d writes, none failed, none made twice; by version %v", swaps, l.reads(), writes, l.versions)
	assert.Len(t, l.versions, 2)
	b.eventually("one process", func() bool { return len(children(t)) <= 2 })
}

func TestAPluginThatIsKilledUnderLoadLosesNoReadAndRepeatsNoWrite(t *testing.T) {
	b := newBed(t)
	s := b.supervise(b.binary("1.0.0"), Options{Restart: RestartPolicy{
		Budget: 1_000_000, Window: time.Hour, CoolDown: time.Hour, BackoffBase: time.Millisecond, BackoffMax: 10 * time.Millisecond,
	}})
	pid := mustFetch(t, s, "self").PID
	l := startLoad(t, s, 24, 8, func(err error) bool { return errs.Is(err, errs.OutcomeUnknown) })
	kills := times(10, 100)
	var back []time.Duration
	for i := range kills {
		l.round(b)                                             // a read is made again once, so each has to have ended before the next kill
		time.Sleep(time.Duration(i%11) * time.Millisecond / 2) // at different moments of the calls
		began := time.Now()
		kill(t, pid, syscall.SIGKILL)
		for was := pid; pid == was; {
			pid = mustFetch(t, s, "self").PID
		}
		back = append(back, time.Since(began))
	}
	l.round(b)
	writes, unknown := l.stop(b)
	slices.Sort(back)
	t.Logf("%d kills under load: %d reads, none failed; %d writes, %d of them with an unknown outcome, none made twice; back after %s in the median, %s at most",
		kills, l.reads(), writes, unknown, back[len(back)/2].Round(time.Millisecond), back[len(back)-1].Round(time.Millisecond))
	assert.Positive(t, unknown, "no kill hit a write, so nothing was shown")
}

// privateMemory is what a process has for itself, in KiB: the anonymous pages,
// and all that no other process has mapped, which counts those of its binary
// too.
func privateMemory(t testing.TB, pid int) (anonymous, all int) {
	t.Helper()
	rollup, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	require.NoError(t, err)
	for line := range strings.Lines(string(rollup)) {
		fields := strings.Fields(line)
		if len(fields) < 3 {
			continue
		}
		kib, _ := strconv.Atoi(fields[1])
		switch fields[0] {
		case "Private_Clean:", "Private_Dirty:", "Private_Hugetlb:":
			all += kib
		case "Anonymous:":
			anonymous = kib
		}
	}
	return anonymous, all
}

func TestAnIdlePluginIsSmall(t *testing.T) {
	b := newBed(t)
	path, sum := build("../../../plugins/zendesksell", "-trimpath", "-ldflags", "-s -w") // as make builds it
	described, err := exec.Command(path, "describe", "--json").Output()
	require.NoError(t, err)
	manifest, err := ParseManifest(described)
	require.NoError(t, err)
	binary := Binary{Slug: manifest.Slug, Version: manifest.Version, Path: path, SHA256: sum, Manifest: manifest}
	figures := map[string]string{}
	for how, pinned := range map[string]string{"from sealed memory": sum, "from its file": ""} {
		binary.SHA256 = pinned
		s := New([]Plan{{Active: binary}}, Options{})
		require.NoError(t, s.Start(t.Context()))
		st, _ := s.Status(manifest.Slug)
		anonymous, all := privateMemory(t, st.PID)
		figures[how] = fmt.Sprintf("%d KiB anonymous, %d KiB with the binary's own pages", anonymous, all)
		assert.Less(t, anonymous, 10<<10, how)
		b.close(s)
	}
	for _, how := range slices.Sorted(maps.Keys(figures)) {
		t.Logf("an idle %s %s: %s", manifest.Slug, how, figures[how])
	}
	info, err := os.Stat(filepath.Clean(path))
	require.NoError(t, err)
	t.Logf("its binary has %d KiB", info.Size()>>10)
}
