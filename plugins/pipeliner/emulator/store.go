package emulator

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// row is one record.
type row struct {
	id                string
	protected         bool
	deleted           bool
	modified, created time.Time
	revision          int
	values            *kit.Object // the stored fields; see field.stores
}

func (r *row) clone() *row {
	c := *r
	c.values = r.values.Clone()
	return &c
}

type table struct {
	rows []*row // in order of creation
	byID map[string]*row
}

// store is a space's state. Its user holds the lock.
type store struct {
	env      *kit.Env
	schema   map[string]*collection
	tables   map[string]*table
	revision int // of the whole space; every write takes the next
	made     int // records made since the seed
	last     time.Time
	// custom holds the custom fields by entity; see readCustom.
	custom map[string][]field
	// index finds rows by a field's value. It holds while the revision is
	// indexed; see rowsWhere.
	index   map[string]map[string][]*row
	indexed int
}

func newStore(env *kit.Env) *store {
	s := &store{env: env, schema: newSchema(), tables: map[string]*table{}, revision: 1000, custom: map[string][]field{}}
	for name := range s.schema {
		s.tables[name] = &table{byID: map[string]*row{}}
	}
	return s
}

// snapshot copies everything that a write can change.
func (s *store) snapshot() *store {
	c := *s
	c.index = nil
	c.tables = map[string]*table{}
	for name, t := range s.tables {
		copied := &table{byID: map[string]*row{}}
		for _, r := range t.rows {
			r = r.clone()
			copied.rows = append(copied.rows, r)
			copied.byID[r.id] = r
		}
		c.tables[name] = copied
	}
	return &c
}

// restore goes back to a snapshot, which must not be used again.
func (s *store) restore(from *store) { *s = *from }

// find returns a record by id, whatever its letter case, deleted or not.
func (s *store) find(collection, id string) *row {
	t := s.tables[collection]
	if t == nil {
		return nil
	}
	return t.byID[strings.ToLower(id)]
}

func (s *store) add(collection string, r *row) *row {
	t := s.tables[collection]
	t.rows = append(t.rows, r)
	t.byID[r.id] = r
	return r
}

// stamp returns the time of a write, each later than all before.
func (s *store) stamp() time.Time {
	now := time.Now().UTC().Truncate(time.Microsecond)
	if !now.After(s.last) {
		now = s.last.Add(time.Microsecond)
	}
	s.last = now
	return now
}

// touch notes that a record has been written.
func (s *store) touch(r *row) {
	s.revision++
	r.revision = s.revision
	r.modified = s.stamp()
}

// newID makes the id of a record that comes after all seeded ones in order.
func (s *store) newID(collection string) string {
	s.made++
	return makeID(0x20000000+s.made, collection)
}

// makeID makes a UUID whose order is the number's. As with the vendor's own
// ids the digit for the version means nothing.
func makeID(number int, collection string) string {
	h := sha256.Sum256(fmt.Appendf(nil, "pipeliner/%s/%d", collection, number))
	return fmt.Sprintf("%08x-%x-%x-%x-%x", number, h[0:2], h[2:4], h[4:6], h[6:12])
}

// fields returns a collection's fields with its custom ones at the end.
func (s *store) fields(c *collection) []field {
	return append(c.fields[:len(c.fields):len(c.fields)], s.custom[c.entity]...)
}

// field returns a field of a collection, also a custom one, or nil.
func (s *store) field(c *collection, name string) *field {
	if i, ok := c.index[name]; ok {
		return &c.fields[i]
	}
	for i := range s.custom[c.entity] {
		if s.custom[c.entity][i].name == name {
			return &s.custom[c.entity][i]
		}
	}
	return nil
}

// stores tells whether the field's value lies in row.values.
func (f *field) stores() bool {
	switch f.kind {
	case kindURI, kindMany, kindNoRows, kindDerived:
		return false
	}
	switch f.name {
	case "id", "is_deleted", "modified", "created", "revision":
		return false
	}
	return f.value == nil
}

// value returns a field's value as it is answered, relations aside.
func (s *store) value(r *row, f *field) any {
	switch f.name {
	case "id":
		return r.id
	case "is_deleted":
		return r.deleted
	case "modified":
		return formatStamp(r.modified)
	case "created":
		return formatStamp(r.created)
	case "revision":
		return r.revision
	}
	if f.value != nil {
		return f.value(s, r)
	}
	return r.values.Get(f.name)
}

// target returns the id behind a kindURI, "" for none. A record that has been
// deleted since is still named.
func (s *store) target(r *row, f *field) string {
	var id any
	if f.value != nil {
		id = f.value(s, r)
	} else {
		id = r.values.Get(f.via)
	}
	text, _ := id.(string)
	return text
}

// linked returns the rows of a kindMany. Rows whose other end is deleted do
// not count: they come back with it.
func (s *store) linked(r *row, f *field) []*row {
	key := r.id
	if f.target == options {
		key = r.values.Text(f.via)
	}
	return s.rowsWhere(f.target, f.via, key)
}

// rowsWhere returns the live rows of a collection with a value in a field.
func (s *store) rowsWhere(collection, name, value string) []*row {
	if s.index == nil || s.indexed != s.revision {
		s.index, s.indexed = map[string]map[string][]*row{}, s.revision
	}
	byValue := s.index[collection+"."+name]
	if byValue == nil {
		byValue = map[string][]*row{}
		for _, r := range s.tables[collection].rows {
			text := r.values.Text(name)
			byValue[text] = append(byValue[text], r)
		}
		s.index[collection+"."+name] = byValue
	}
	var found []*row
	for _, r := range byValue[value] {
		if !r.deleted && value != "" && !s.dangling(collection, r) {
			found = append(found, r)
		}
	}
	return found
}

// dangling tells whether a link row misses one of its ends.
func (s *store) dangling(collection string, r *row) bool {
	var end *row
	switch collection {
	case accountRelations:
		end = s.find(accounts, r.values.Text("account_id"))
	case tagRelations:
		end = s.find(tags, r.values.Text("tag_id"))
	default:
		return false
	}
	return end == nil || end.deleted
}
