package emulator

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// collection is one resource: what its records look like and the records.
type collection struct {
	// attributes lists what may be written, readOnly what may not.
	attributes map[string]kind
	readOnly   []string
	// createOnly lists attributes that are read-only after the create.
	createOnly []string
	// keys are what a bulk item is matched on, in order; nil means no bulk call.
	keys []string
	// required lists the attributes that every create must have.
	required []string
	// companyKey is what the companyId filter compares; empty means no filter.
	companyKey string
	// emailFilter tells whether the list can be filtered by e-mail.
	emailFilter bool

	// prepare completes a new record before it is checked.
	prepare func(record *kit.Object, at string)
	// apply brings validated changes into a record and says what is wrong with
	// the outcome, or "".
	apply func(record, changes *kit.Object, creating bool) string
	// touch moves the stamps of a record on each write.
	touch func(record *kit.Object, at string)
	// render copies a record as a read shows it.
	render func(record *kit.Object, inList bool) *kit.Object
	// hidden tells which records do not appear in lists; nil means none.
	hidden func(record *kit.Object) bool

	records []*kit.Object // in order of creation
	byID    map[string]*kit.Object
}

func (c *collection) add(record *kit.Object) {
	c.records = append(c.records, record)
	c.byID[record.Text("_id")] = record
}

func (c *collection) drop(record *kit.Object) {
	delete(c.byID, record.Text("_id"))
	c.records = slices.DeleteFunc(c.records, func(other *kit.Object) bool { return other == record })
}

// first returns the first record whose key has that text.
func (c *collection) first(key, text string) *kit.Object {
	if key == "_id" {
		return c.byID[strings.ToLower(text)]
	}
	for _, record := range c.records {
		if record.Text(key) == text {
			return record
		}
	}
	return nil
}

var objectID = regexp.MustCompile(`^[0-9a-fA-F]{24}$`)

// find resolves an id of the path: the vendor's own, or a prefixed
// alternative. wellFormed is false for anything else.
func (c *collection) find(id string) (record *kit.Object, wellFormed bool) {
	if external, ok := strings.CutPrefix(id, "extid-"); ok {
		return c.firstNamed("externalId", external), true
	}
	if source, ok := strings.CutPrefix(id, "srcid-"); ok {
		return c.firstNamed("sourceId", source), true
	}
	if !objectID.MatchString(id) {
		return nil, false
	}
	return c.first("_id", id), true
}

// firstNamed is first, except that an empty text names nothing.
func (c *collection) firstNamed(key, text string) *kit.Object {
	if text == "" {
		return nil
	}
	return c.first(key, text)
}

// idMiddle stands where an object id carries its machine and process.
const idMiddle = "e3f4051627"

// newID makes an object id whose leading digits are the time, as MongoDB does.
func (p *planhat) newID(at time.Time) string {
	p.lastID++
	return objectIDAt(at, p.lastID)
}

func objectIDAt(at time.Time, n int) string {
	return fmt.Sprintf("%08x%s%06x", uint32(at.Unix()), idMiddle, n&0xffffff)
}

// stamp returns the time of a write, later by at least a millisecond than
// every stamp before it.
func (p *planhat) stamp() time.Time {
	at := p.now().UTC().Truncate(time.Millisecond)
	if !at.After(p.lastStamp) {
		at = p.lastStamp.Add(time.Millisecond)
	}
	p.lastStamp = at
	return at
}

// formatTime writes a time as the vendor does: UTC, milliseconds, Z.
func formatTime(at time.Time) string {
	return at.UTC().Format("2006-01-02T15:04:05.000Z")
}
