package emulator

import "time"

// stampLayout is the vendor's form of a time: a space, microseconds, +00:00.
const stampLayout = "2006-01-02 15:04:05.000000-07:00"

func formatStamp(t time.Time) string { return t.UTC().Format(stampLayout) }

var zonedLayouts = []string{"2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05Z07:00", "2006-01-02 15:04Z07:00", "2006-01-02T15:04Z07:00"}

var plainLayouts = []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", time.DateOnly}

// parseStamp reads a time in any of the vendor's forms. Without a zone it is
// UTC. utc tells whether it was: the vendor asks for UTC on writes.
func parseStamp(text string) (t time.Time, utc, ok bool) {
	for _, layout := range zonedLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			_, offset := t.Zone()
			return t.UTC().Truncate(time.Microsecond), offset == 0, true
		}
	}
	for _, layout := range plainLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.Truncate(time.Microsecond), true, true
		}
	}
	return time.Time{}, false, false
}
