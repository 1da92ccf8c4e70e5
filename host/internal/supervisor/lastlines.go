package supervisor

import (
	"bytes"
	"strings"
	"sync"
)

// What is kept of a plugin's standard error, to tell why it died.
const (
	keptLines    = 10
	keptLineSize = 512
)

// lastLines keeps the last lines written to it. Log lines of a level below
// warn are left out: they tell nothing about an end.
type lastLines struct {
	mu    sync.Mutex
	lines []string // guarded by mu
	part  []byte   // guarded by mu: the line that has not ended yet
}

// Write implements io.Writer. It does not fail.
func (l *lastLines) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for rest := data; len(rest) > 0; {
		line, after, ended := bytes.Cut(rest, []byte("\n"))
		if room := keptLineSize - len(l.part); room > 0 {
			l.part = append(l.part, line[:min(len(line), room)]...)
		}
		rest = after
		if !ended {
			break
		}
		text := strings.ToValidUTF8(strings.TrimSpace(string(l.part)), "\uFFFD")
		l.part = l.part[:0]
		if text == "" || strings.Contains(text, `"@level":"debug"`) || strings.Contains(text, `"@level":"trace"`) || strings.Contains(text, `"@level":"info"`) {
			continue
		}
		if l.lines = append(l.lines, text); len(l.lines) > keptLines {
			l.lines = l.lines[1:]
		}
	}
	return len(data), nil
}

// String joins the lines by " | ".
func (l *lastLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, " | ")
}
