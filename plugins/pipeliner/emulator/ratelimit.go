package emulator

import (
	"strconv"
	"strings"
	"time"
)

// limiter counts requests in fixed windows. The vendor documents no limit at
// all, so the numbers come from the switch: "5" allows five requests a
// minute, "5/2" five in two seconds, "off" all.
type limiter struct {
	setting string
	started time.Time
	count   int
}

// take counts a request and tells whether it may pass, else for how many
// seconds to wait. A changed setting begins a new window.
func (l *limiter) take(setting string) (wait int, ok bool) {
	allowed, window := parseLimit(setting)
	if allowed < 0 {
		l.setting = setting
		return 0, true
	}
	now := time.Now()
	if setting != l.setting || now.Sub(l.started) >= window {
		l.setting, l.started, l.count = setting, now, 0
	}
	l.count++
	if l.count <= allowed {
		return 0, true
	}
	left := window - now.Sub(l.started)
	return max(1, int((left+time.Second-1)/time.Second)), false
}

// parseLimit reads the switch; anything it cannot read allows everything.
func parseLimit(setting string) (allowed int, window time.Duration) {
	count, seconds, given := strings.Cut(setting, "/")
	allowed, err := strconv.Atoi(count)
	if err != nil || allowed < 0 {
		return -1, 0
	}
	window = time.Minute
	if given {
		if n, err := strconv.Atoi(seconds); err == nil && n > 0 {
			window = time.Duration(n) * time.Second
		}
	}
	return allowed, window
}
