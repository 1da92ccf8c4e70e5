package supervisor

import (
	"fmt"
	"strings"
	"sync"
)

// What is kept of what a process said, to tell why it died.
const (
	keptLines    = 10
	keptLineSize = 512 // bytes
)

// lastLines keeps the last lines that were added.
type lastLines struct {
	mu     sync.Mutex
	lines  []string // guarded by mu
	pinned bool     // guarded by mu: it is full when it is full
}

func (l *lastLines) add(text string) {
	text = strings.TrimSpace(strings.ToValidUTF8(text[:min(len(text), keptLineSize)], ""))
	l.mu.Lock()
	defer l.mu.Unlock()
	if text == "" || (l.pinned && len(l.lines) >= keptLines) {
		return
	}
	if l.lines = append(l.lines, text); len(l.lines) > keptLines {
		l.lines = l.lines[1:]
	}
}

// pin keeps the lines that come next rather than the last ones: of a panic,
// the beginning tells the most.
func (l *lastLines) pin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.pinned {
		l.lines, l.pinned = nil, true
	}
}

// String joins the lines by " | ".
func (l *lastLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, " | ")
}

// textOf writes a log line for people: the message and its pairs.
func textOf(message string, pairs []any) string {
	var text strings.Builder
	text.WriteString(message)
	for i := 0; i+1 < len(pairs); i += 2 {
		fmt.Fprintf(&text, " %s=%v", pairs[i], pairs[i+1])
	}
	return clean(text.String())
}
