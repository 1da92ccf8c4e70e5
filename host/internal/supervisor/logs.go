package supervisor

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/time/rate"
)

const (
	// maxLogLine is what a line of a plugin's output is cut to, in bytes.
	maxLogLine = 16 << 10
	// dropReportInterval is the time from the first line that was dropped to
	// the line that tells how many were.
	dropReportInterval = 5 * time.Second
)

// lines cuts what is written to it into lines and hands each to emit, without
// its end. Of a line longer than maxLogLine the beginning is handed over and
// the rest dropped. It is for one writer at a time and never fails.
type lines struct {
	emit func(line []byte, cut bool)
	part []byte // the line that has not ended yet
	cut  bool   // part lacks something
}

// Write implements io.Writer.
func (l *lines) Write(data []byte) (int, error) {
	for rest := data; len(rest) > 0; {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		room := maxLogLine - len(l.part)
		l.cut = l.cut || len(line) > room
		l.part = append(l.part, line[:min(len(line), room)]...)
		rest = after
		if ended {
			l.flush()
		}
	}
	return len(data), nil
}

// flush hands over a last line that has no end.
func (l *lines) flush() {
	if line := bytes.TrimRight(l.part, "\r"); len(line) > 0 {
		l.emit(line, l.cut)
	}
	l.part, l.cut = l.part[:0], false
}

// pluginLog brings what one process of a plugin says into the host's log.
type pluginLog struct {
	slug  string
	log   hclog.Logger
	limit *logLimit
	last  *lastLines
	crash bool // the lines that come are those of a Go program's end
}

func newPluginLog(binary Binary, log hclog.Logger, limit *logLimit) *pluginLog {
	return &pluginLog{slug: binary.Slug, log: log.Named("plugin").With("provider", binary.Slug, "version", binary.Version), limit: limit, last: &lastLines{}}
}

// cutMark ends a line that was cut.
const cutMark = "…(cut)"

// levelOfCut finds the level of an hclog line that is no longer JSON.
var levelOfCut = regexp.MustCompile(`"@level":"(trace|debug|info|warn|error)"`)

// stderr takes a line of standard error: as JSON of hclog with its level and
// values, as a Go program's last words at error, else as it is at debug.
func (p *pluginLog) stderr(line []byte, cut bool) {
	if level, message, pairs, ok := p.parse(line); ok && !cut {
		if level >= hclog.Warn {
			p.last.add(textOf(message, pairs))
		}
		p.write(level, message, pairs...)
		return
	}
	text := clean(strings.ToValidUTF8(string(line), "\uFFFD"))
	level := hclog.Debug
	switch {
	case cut:
		text += cutMark
		if found := levelOfCut.FindSubmatch(line); found != nil && line[0] == '{' {
			level = hclog.LevelFromString(string(found[1]))
		}
	case strings.HasPrefix(text, "panic: ") || strings.HasPrefix(text, "fatal error: "):
		p.crash = true
		p.last.pin()
	}
	if p.crash {
		level = hclog.Error
	}
	p.last.add(text)
	p.write(level, text)
}

// unexpected takes a line of standard output, where nothing is expected.
func (p *pluginLog) unexpected(line []byte, cut bool) {
	text := clean(strings.ToValidUTF8(string(line), "\uFFFD"))
	if cut {
		text += cutMark
	}
	p.write(hclog.Warn, "unexpected output", "line", text)
}

// writer gives go-plugin somewhere to bring what it calls synced output.
func (p *pluginLog) writer() *lines { return &lines{emit: p.unexpected} }

func (p *pluginLog) write(level hclog.Level, message string, pairs ...any) {
	if level >= p.log.GetLevel() && p.limit.allow() {
		p.log.Log(level, message, pairs...)
	}
}

// parse reads a line of hclog's JSON form; false when it is none.
func (p *pluginLog) parse(line []byte) (level hclog.Level, message string, pairs []any, ok bool) {
	var fields map[string]json.RawMessage
	if line[0] != '{' || json.Unmarshal(line, &fields) != nil {
		return 0, "", nil, false
	}
	if json.Unmarshal(fields["@message"], &message) != nil {
		return 0, "", nil, false
	}
	var name string
	_ = json.Unmarshal(fields["@level"], &name)
	if level = hclog.LevelFromString(name); level == hclog.NoLevel || level == hclog.Off {
		level = hclog.Debug
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		value := valueOf(fields[key])
		switch key {
		case "@level", "@message", "@timestamp":
			continue
		case "@module":
			if value == p.slug {
				continue
			}
		case "provider", "version": // these say who speaks
			key = "plugin_" + key
		}
		pairs = append(pairs, clean(strings.TrimLeft(key, "@")), value)
	}
	return level, clean(message), pairs, true
}

// valueOf makes a value for hclog of a JSON value, to the digit.
func valueOf(raw json.RawMessage) any {
	var value any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if decoder.Decode(&value) != nil {
		return clean(string(raw))
	}
	switch v := value.(type) {
	case string:
		return cleanBut(v, "\n\t") // hclog keeps a value with several lines apart from the next log line
	case map[string]any, []any:
		return clean(string(raw))
	}
	return value
}

// clean replaces what could move a terminal's cursor or begin a line by a
// space.
func clean(text string) string { return cleanBut(text, "") }

func cleanBut(text, kept string) string {
	return strings.Map(func(r rune) rune {
		if (unicode.IsControl(r) || r == '\u2028' || r == '\u2029') && !strings.ContainsRune(kept, r) {
			return ' '
		}
		return r
	}, text)
}

// sentence makes what a plugin has said fit to stand in an error: on one line
// and not too long.
func sentence(text string) string {
	const most = 8 << 10 // bytes; room for a reason and the last words
	if len(text) > most {
		text = text[:most] + cutMark
	}
	return clean(strings.ToValidUTF8(text, ""))
}

// logLimits are the limits of all plugins. A plugin has one for all its
// versions and processes: one that dies and is started over and over must not
// get a new allowance each time.
type logLimits struct {
	options Options

	mu     sync.Mutex
	bySlug map[string]*logLimit // guarded by mu
}

func newLogLimits(options Options) *logLimits {
	return &logLimits{options: options, bySlug: map[string]*logLimit{}}
}

func (l *logLimits) of(slug string) *logLimit {
	l.mu.Lock()
	defer l.mu.Unlock()
	limit, ok := l.bySlug[slug]
	if !ok {
		limit = newLogLimit(l.options.Log.With("provider", slug), l.options.LogLinesPerSecond, l.options.LogLinesBurst)
		l.bySlug[slug] = limit
	}
	return limit
}

// report tells at once what was dropped.
func (l *logLimits) report() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, limit := range l.bySlug {
		limit.report()
	}
}

// logLimit says which lines of a plugin get into the log, and counts the others.
type logLimit struct {
	log     hclog.Logger
	limiter *rate.Limiter

	mu      sync.Mutex
	dropped int         // guarded by mu: since the last report
	timer   *time.Timer // guarded by mu: of the next report; nil when nothing was dropped
}

func newLogLimit(log hclog.Logger, perSecond, burst int) *logLimit {
	return &logLimit{log: log, limiter: rate.NewLimiter(rate.Limit(perSecond), burst)}
}

func (l *logLimit) allow() bool {
	if l.limiter.Allow() {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropped++
	if l.timer == nil {
		l.timer = time.AfterFunc(dropReportInterval, l.report)
	}
	return false
}

func (l *logLimit) report() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer == nil {
		return
	}
	l.timer.Stop()
	l.log.Warn("plugin logs too much; lines were dropped", "lines", l.dropped)
	l.dropped, l.timer = 0, nil
}
