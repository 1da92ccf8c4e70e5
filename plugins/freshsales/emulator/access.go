package emulator

import (
	"net/http"
	"strconv"
	"time"
)

const quotaWindow = time.Hour

// announcedLimit is the quota of the smaller plans, announced while the
// rate_limit switch is off.
const announcedLimit = 1000

// quota counts the requests of one account, all keys together.
type quota struct {
	setting string // the switch's value when counting began
	began   time.Time
	used    int
}

// authenticate accepts exactly "Token token=<key>": no quotes, no base64, no
// other scheme. The header must be there once.
func (i *instance) authenticate(in *request) *failure {
	values := in.header.Values("Authorization")
	if len(values) != 1 || values[0] != "Token token="+apiKey {
		return &failure{status: http.StatusUnauthorized, messages: []string{textUnauthorized}}
	}
	return nil
}

// permit holds a request to what the key's user may do. The vendor reads with
// POST in filtered searches.
func (i *instance) permit(in *request) *failure {
	reads := in.method == http.MethodGet || len(in.path) > 0 && in.path[0] == "filtered_search"
	switch i.env.Switch("permission") {
	case "none":
		return forbidden()
	case "read_only":
		if !reads {
			return forbidden()
		}
	}
	return nil
}

// countRequest counts against the hourly quota and writes the limit headers,
// on refusals too.
func (i *instance) countRequest(header http.Header) *failure {
	now := time.Now()
	setting := i.env.Switch("rate_limit")
	if setting != i.quota.setting || now.Sub(i.quota.began) >= quotaWindow {
		i.quota = quota{setting: setting, began: now}
	}
	limit, err := strconv.Atoi(setting)
	limited := err == nil && limit >= 0
	remaining := announcedLimit - 1
	exceeded := false
	if limited {
		exceeded = i.quota.used >= limit
		if !exceeded {
			i.quota.used++
		}
		remaining = limit - i.quota.used
	} else {
		limit = announcedLimit
	}
	if i.env.Switch("ratelimit_headers") == "on" {
		header.Set("X-Ratelimit-Limit", strconv.Itoa(limit))
		header.Set("X-Ratelimit-Remaining", strconv.Itoa(remaining))
		header.Set("X-Ratelimit-Reset", i.resetText(now, i.quota.began.Add(quotaWindow)))
	}
	if !exceeded {
		return nil
	}
	if after := i.env.Switch("retry_after"); after != "none" {
		header.Set("Retry-After", after)
	}
	return &failure{status: http.StatusTooManyRequests, messages: []string{textRateLimit}}
}

func (i *instance) resetText(now, end time.Time) string {
	switch i.env.Switch("ratelimit_reset_format") {
	case "epoch":
		return strconv.FormatInt(end.Unix(), 10)
	case "seconds":
		return strconv.Itoa(int(end.Sub(now).Seconds()))
	default:
		return end.UTC().Format("020106150405")
	}
}
