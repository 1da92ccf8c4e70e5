package emulator

import (
	"net/http"
	"strconv"
	"time"
)

const (
	// softQuota is the documented number of calls a minute; it is what the
	// headers say as long as the rate_limit switch is off.
	softQuota = 200
	// quotaWindow is the shorter of the two documented window lengths.
	quotaWindow = time.Minute
)

// limiter counts the requests of one window.
type limiter struct {
	setting string // the switch's value that used counts under
	used    int
	ends    time.Time
}

// admit counts a request against the quota and sets the limit headers. An
// unauthorised request belongs to no tenant and uses nobody's quota up.
func (p *planhat) admit(counts bool, header http.Header) bool {
	setting := p.env.Switch("rate_limit")
	now := p.now()
	if setting != p.limit.setting || !now.Before(p.limit.ends) {
		p.limit = limiter{setting: setting, ends: now.Add(quotaWindow)}
	}
	quota, err := strconv.Atoi(setting)
	if err != nil || quota < 0 {
		// Off: every request is the first of its window, so that a client
		// that watches the headers is not slowed down.
		p.limitHeaders(header, softQuota, softQuota-1)
		return true
	}
	if !counts {
		p.limitHeaders(header, quota, max(quota-p.limit.used, 0))
		return true
	}
	if p.limit.used >= quota {
		p.limitHeaders(header, quota, 0)
		if p.env.Switch("retry_after") == "present" {
			wait := p.limit.ends.Sub(now)
			header.Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
		}
		return false
	}
	p.limit.used++
	p.limitHeaders(header, quota, quota-p.limit.used)
	return true
}

func (p *planhat) limitHeaders(header http.Header, quota, remaining int) {
	if p.env.Switch("rate_limit_headers") == "off" {
		return
	}
	header.Set("X-Rate-Limit-Limit", strconv.Itoa(quota))
	header.Set("X-Rate-Limit-Remaining", strconv.Itoa(remaining))
}
