package emulator

import (
	"net/http"
	"strconv"
	"time"
)

// dailyLimit is what the largest plan has.
const dailyLimit = 100_000

// limits counts requests against the switches rate_limit (each second) and
// daily_quota. Both count from the moment that the switch takes its value.
type limits struct {
	perSecond   string // the switch's value that inWindow belongs to
	windowStart time.Time
	inWindow    int

	quota string // the switch's value that today belongs to
	today int    // requests carried out
}

// limit counts a request, or refuses it. The caller holds e.mu.
func (e *emulator) limit() *answer {
	l := &e.limits
	if quota := e.env.Switch("daily_quota"); quota != l.quota {
		l.quota, l.today = quota, 0
	}
	if perSecond := e.env.Switch("rate_limit"); perSecond != l.perSecond {
		l.perSecond, l.inWindow, l.windowStart = perSecond, 0, time.Time{}
	}
	if now := e.now(); now.Sub(l.windowStart) >= time.Second {
		l.windowStart, l.inWindow = now, 0
	}
	if left, limited := e.quotaLeft(); limited && left == 0 {
		return e.tooMany()
	}
	if most, limited := number(l.perSecond); limited && l.inWindow >= most {
		return e.tooMany()
	}
	l.inWindow++
	l.today++
	return nil
}

// quotaLeft is how many requests the day has left. Without a quota it never
// reaches zero, so that a long test is not refused by surprise.
func (e *emulator) quotaLeft() (left int, limited bool) {
	if quota, limited := number(e.env.Switch("daily_quota")); limited {
		used := e.limits.today
		if e.limits.quota != e.env.Switch("daily_quota") {
			used = 0
		}
		return max(0, quota-used), true
	}
	return max(1, dailyLimit-e.limits.today), false
}

// limitHeaders go with every answer. They tell of the day's quota only.
func (e *emulator) limitHeaders() map[string]string {
	left, _ := e.quotaLeft()
	limit := dailyLimit
	if quota, limited := number(e.env.Switch("daily_quota")); limited {
		limit = quota
	}
	return map[string]string{
		"X-RateLimit-Limit":     strconv.Itoa(limit),
		"X-RateLimit-Remaining": strconv.Itoa(left),
	}
}

func (e *emulator) tooMany() *answer {
	const cause = "Too many requests."
	var a *answer
	switch e.env.Switch("rate_limit_body") {
	case "text":
		a = text(http.StatusTooManyRequests, cause)
	case "empty":
		a = empty(http.StatusTooManyRequests)
	default:
		a = message(http.StatusTooManyRequests, cause)
	}
	if wait := e.env.Switch("retry_after"); wait != "off" {
		a.set("Retry-After", wait)
	}
	return a
}

// number reads a switch that is "off" or a count.
func number(value string) (int, bool) {
	n, err := strconv.Atoi(value)
	return n, err == nil && n >= 0
}
