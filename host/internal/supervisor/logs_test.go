package supervisor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// logOf is the log of a process and what the host's log holds then.
func logOf(level hclog.Level, perSecond, burst int) (*pluginLog, *buffer) {
	out := &buffer{}
	log := hclog.New(&hclog.LoggerOptions{Output: out, Level: level, JSONFormat: true, DisableTime: true})
	return newPluginLog(acme("1.2.3"), log, newLogLimit(log, perSecond, burst)), out
}

func TestALineOfAPluginBecomesALineOfTheHost(t *testing.T) {
	long := strings.Repeat("x", 70_000)
	for name, c := range map[string]struct{ said, want string }{
		"hclog's JSON": {
			`{"@level":"warn","@message":"slow vendor","@module":"acme","@timestamp":"2026-01-02T03:04:05.678900Z","took":1.50,"id":9007199254740993,"ok":true,"none":null,"list":[1,{"a":"b"}]}`,
			`{"@level":"warn","@message":"slow vendor","@module":"plugin","id":9007199254740993,"list":"[1,{\"a\":\"b\"}]","none":null,"ok":true,"provider":"acme","took":1.50,"version":"1.2.3"}`,
		},
		"another module": {
			`{"@level":"info","@message":"m","@module":"acme.http"}`,
			`{"@level":"info","@message":"m","@module":"plugin","module":"acme.http","provider":"acme","version":"1.2.3"}`,
		},
		"it cannot speak for others": {
			`{"@level":"error","@message":"m","provider":"wix","version":"9","@@level":"info"}`,
			`{"@level":"error","@message":"m","@module":"plugin","level":"info","plugin_provider":"wix","plugin_version":"9","provider":"acme","version":"1.2.3"}`,
		},
		"a level that is none": {
			`{"@level":"off","@message":"m"}`,
			`{"@level":"debug","@message":"m","@module":"plugin","provider":"acme","version":"1.2.3"}`,
		},
		"control characters": {
			`{"@level":"info","@message":"a\nb\u001b[31m\u2028","k\u0000":"c\r\u0007\u009b","stack":"one\n\ttwo"}`,
			`{"@level":"info","@message":"a b [31m ","@module":"plugin","k ":"c   ","provider":"acme","stack":"one\n\ttwo","version":"1.2.3"}`,
		},
		"plain text":             {"listening\ton port 1\r", `{"@level":"debug","@message":"listening on port 1","@module":"plugin","provider":"acme","version":"1.2.3"}`},
		"not quite UTF-8":        {"caf\xe9", `{"@level":"debug","@message":"caf` + "\uFFFD" + `","@module":"plugin","provider":"acme","version":"1.2.3"}`},
		"JSON of something else": {`{"msg":"hello"}`, `{"@level":"debug","@message":"{\"msg\":\"hello\"}","@module":"plugin","provider":"acme","version":"1.2.3"}`},
		"a message that is none": {`{"@message":5}`, `{"@level":"debug","@message":"{\"@message\":5}","@module":"plugin","provider":"acme","version":"1.2.3"}`},
		"a long line keeps its level": {
			`{"@level":"error","@message":"` + long + `"}`,
			`{"@level":"error","@message":"` + strings.ReplaceAll((`{"@level":"error","@message":"` + long)[:maxLogLine], `"`, `\"`) + cutMark + `","@module":"plugin","provider":"acme","version":"1.2.3"}`,
		},
		"a long text": {
			long + "@level\":\"error\"",
			`{"@level":"debug","@message":"` + long[:maxLogLine] + cutMark + `","@module":"plugin","provider":"acme","version":"1.2.3"}`,
		},
		"a panic": {"panic: no luck", `{"@level":"error","@message":"panic: no luck","@module":"plugin","provider":"acme","version":"1.2.3"}`},
		"nothing": {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			log, out := logOf(hclog.Trace, 100, 100)
			stderr := &lines{emit: log.stderr}
			n, err := stderr.Write([]byte(c.said + "\n"))
			require.NoError(t, err)
			require.Equal(t, len(c.said)+1, n)
			assert.Equal(t, c.want, strings.TrimSpace(out.String()))
		})
	}
}

func TestALineOfSeveralLinesCannotBeTakenForAnother(t *testing.T) {
	var out bytes.Buffer
	log := hclog.New(&hclog.LoggerOptions{Output: &out, DisableTime: true})
	p := newPluginLog(acme("1.2.3"), log, newLogLimit(log, 100, 100))
	p.stderr([]byte(`{"@level":"info","@message":"a\n[ERROR] forged: by=message","k\n[ERROR] forged":"v\n[ERROR] forged: by=value"}`), false)
	assert.Equal(t, 3, strings.Count(out.String(), "forged"))
	for line := range strings.Lines(out.String()) {
		assert.False(t, strings.HasPrefix(line, "[ERROR]"), "%q", line)
	}
}

// TestLinesComeOutAsTheyWereWritten writes random lines in random pieces.
func TestLinesComeOutAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lengths := rapid.SliceOf(rapid.OneOf(rapid.IntRange(1, 50), rapid.IntRange(maxLogLine-2, maxLogLine+2), rapid.IntRange(maxLogLine, 5*maxLogLine))).Draw(t, "lengths")
		var all bytes.Buffer
		for i, n := range lengths {
			all.WriteString(strings.Repeat(string(rune('a'+i%26)), n))
			if i < len(lengths)-1 || rapid.Bool().Draw(t, "with an end") {
				all.WriteByte('\n')
			}
		}
		i := 0
		l := &lines{emit: func(line []byte, cut bool) {
			require.Less(t, i, len(lengths))
			require.Equal(t, strings.Repeat(string(rune('a'+i%26)), min(lengths[i], maxLogLine)), string(line))
			require.Equal(t, lengths[i] > maxLogLine, cut)
			i++
		}}
		for all.Len() > 0 {
			_, err := l.Write(all.Next(rapid.IntRange(1, 40_000).Draw(t, "piece")))
			require.NoError(t, err)
		}
		l.flush()
		l.flush()
		require.Equal(t, len(lengths), i)
		require.LessOrEqual(t, cap(l.part), 2*maxLogLine)
	})
}

func TestTooManyLinesAreDroppedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, out := logOf(hclog.Info, 10, 20)
		report := func(lines int) string {
			return fmt.Sprintf(`{"@level":"warn","@message":"plugin logs too much; lines were dropped","lines":%d}`+"\n", lines)
		}
		say := func(times int) {
			for range times {
				log.stderr([]byte(`{"@level":"info","@message":"m"}`), false)
				log.stderr([]byte("a detail that nobody wants to see uses nothing up"), false)
			}
		}
		kept := func() int { return strings.Count(out.String(), `"@message":"m"`) }
		say(20)
		assert.Equal(t, 20, kept())
		say(5)
		log.unexpected([]byte("x"), false)
		assert.Equal(t, 20, kept())
		time.Sleep(time.Second)
		say(12)
		assert.Equal(t, 30, kept(), "ten a second")
		assert.NotContains(t, out.String(), "too much", "not a report for every line")
		time.Sleep(dropReportInterval)
		synctest.Wait()
		assert.Equal(t, 1, strings.Count(out.String(), report(5+1+2)), out)
		time.Sleep(time.Minute)
		assert.Equal(t, 1, strings.Count(out.String(), "too much"), "nothing more to tell")
		say(21)
		log.limit.report()
		log.limit.report()
		assert.Equal(t, 1, strings.Count(out.String(), report(1)), out)
		time.Sleep(time.Minute)
		assert.Equal(t, 2, strings.Count(out.String(), "too much"))
	})
}

func TestAPluginHasOneAllowanceForAllItsProcesses(t *testing.T) {
	limits := newLogLimits(Options{}.withDefaults())
	assert.Same(t, limits.of("acme"), limits.of("acme"))
	assert.NotSame(t, limits.of("acme"), limits.of("other"))
	for range 500 {
		require.True(t, limits.of("acme").allow())
	}
	limits.of("acme").limiter.SetLimit(0)
	assert.False(t, limits.of("acme").allow())
	assert.True(t, limits.of("other").allow())
	limits.report()
}

func TestTheLastWordsTellWhyAProcessEnded(t *testing.T) {
	log, _ := logOf(hclog.Error, 1, 1) // whatever the host's log takes
	for i := range 30 {
		log.stderr(fmt.Appendf(nil, "line %d", i), false)
	}
	log.stderr([]byte(`{"@level":"info","@message":"all is well"}`), false)
	log.stderr([]byte(`{"@level":"error","@message":"disk full","path":"/x"}`), false)
	log.stderr([]byte(strings.Repeat("y", 10_000)), false)
	said := log.last.String()
	assert.Contains(t, said, "line 28 | line 29 | disk full path=/x | yyy")
	assert.NotContains(t, said, "line 5 ")
	assert.NotContains(t, said, "all is well")
	assert.LessOrEqual(t, len(said), keptLines*(keptLineSize+3))

	log.stderr([]byte("fatal error: all goroutines are asleep"), false)
	for i := range 30 {
		log.stderr(fmt.Appendf(nil, "goroutine %d", i), false)
	}
	said = log.last.String()
	assert.True(t, strings.HasPrefix(said, "fatal error: all goroutines are asleep | goroutine 0 | "), said)
	assert.True(t, strings.HasSuffix(said, "goroutine 8"), said)
}

// FuzzLogLine holds that no line of a plugin does harm: it neither panics nor
// makes more than one line, nor one without the plugin's name.
func FuzzLogLine(f *testing.F) {
	for _, seed := range []string{`{"@level":"error","@message":"m","n":1e999}`, `{"@message":5}`, "panic: x", "{", `{"@message":"a","":"b","@":[{}]}`, "\x00\x1b[2J", `{"@level":{},"@message":"x"}`} {
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, line []byte, cut bool) {
		if len(line) == 0 {
			return
		}
		log, out := logOf(hclog.Trace, 10, 10)
		log.stderr(line, cut)
		var fields map[string]json.RawMessage // a number may be larger than any type
		require.NoError(t, json.Unmarshal([]byte(out.String()), &fields), "%q", out)
		require.Equal(t, `"acme"`, string(fields["provider"]))
		require.Equal(t, `"1.2.3"`, string(fields["version"]))
		require.Equal(t, `"plugin"`, string(fields["@module"]))
		require.Equal(t, 1, strings.Count(out.String(), "\n"))
	})
}

// buffer is a log that many write to.
type buffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *buffer) Write(data []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(data)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}
