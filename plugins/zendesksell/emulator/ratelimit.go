package emulator

import (
	"net/http"
	"strconv"
	"time"
)

// limiter counts requests per token in windows that begin with a request.
type limiter struct {
	setting string // the switch's value that the windows belong to
	windows map[string]*window
}

type window struct {
	start time.Time
	count int
}

// limit refuses a request over the limit. Setting the switch anew begins anew.
func (v *vendor) limit(c *call, h *holder) (reply, bool) {
	setting := v.env.Switch("rate_limit")
	if setting != v.limiter.setting {
		v.limiter = limiter{setting: setting, windows: map[string]*window{}}
	}
	allowed, err := strconv.Atoi(setting)
	if err != nil {
		return reply{}, false
	}
	length := time.Duration(v.number("rate_limit_window", 1)) * time.Second
	w := v.limiter.windows[h.token]
	if w == nil || c.now.Sub(w.start) >= length {
		w = &window{start: c.now}
		v.limiter.windows[h.token] = w
	}
	w.count++
	if w.count <= allowed {
		return reply{}, false
	}
	var re reply
	switch v.env.Switch("rate_limit_body") {
	case "empty":
		re = reply{status: http.StatusTooManyRequests}
	case "text":
		re = reply{status: http.StatusTooManyRequests, text: http.StatusText(http.StatusTooManyRequests)}
	default:
		re = refuse(http.StatusTooManyRequests, problem{code: "rate_limit_exceeded", details: "the rate limit of this token is exceeded"})
	}
	if after := v.env.Switch("retry_after"); after != "off" {
		re.header = http.Header{"Retry-After": {after}}
	}
	return re, true
}
