package emulator

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// stampForm is how dates look in bodies: UTC without a zone marker.
const stampForm = "2006-01-02 15:04:05"

// record is a stored object of one kind.
type record struct {
	id       int64
	doc      *kit.Object // as it is answered, ETag included
	revision int
	updated  time.Time

	deleted     bool // in the recycle bin
	lag         int  // list answers that still show it
	noAccess    bool // invisible to the key's user
	undeletable bool
	following   bool
}

// state is everything that Reset forgets.
type state struct {
	records  map[*kind][]*record // by ascending id
	nextID   map[*kind]int64
	nextPart int64               // for ids of links, dates and e-mail domains
	tagNames map[string][]string // by record type, as /Tags takes it
	users    []*kit.Object
}

func (s *state) find(k *kind, id int64) *record {
	i, found := slices.BinarySearchFunc(s.records[k], id, func(r *record, id int64) int {
		switch {
		case r.id < id:
			return -1
		case r.id > id:
			return 1
		default:
			return 0
		}
	})
	if !found {
		return nil
	}
	return s.records[k][i]
}

// exists tells whether a record can be referred to by id.
func (s *state) exists(k *kind, id int64) bool {
	r := s.find(k, id)
	return r != nil && !r.deleted
}

// add appends a record; ids only grow, so the order stays.
func (s *state) add(k *kind, r *record) {
	s.records[k] = append(s.records[k], r)
	s.nextID[k] = max(s.nextID[k], r.id+1)
}

// live counts what is not in the recycle bin.
func (s *state) live(k *kind) int {
	n := 0
	for _, r := range s.records[k] {
		if !r.deleted {
			n++
		}
	}
	return n
}

func (s *state) partID() int64 {
	s.nextPart++
	return s.nextPart
}

// touch moves a record's stamp and ETag. Stamps have whole seconds; one
// record's own stamp moves on every write, even within a second, while two
// records may share theirs, as they do at the vendor.
func (r *record) touch(k *kind, now time.Time) {
	now = now.UTC().Truncate(time.Second)
	if r.revision > 0 && !now.After(r.updated) {
		now = r.updated.Add(time.Second)
	}
	r.updated = now
	r.doc.Set("DATE_UPDATED_UTC", now.Format(stampForm))
	r.seal(k)
}

// seal gives the record its next ETag, as the last key.
func (r *record) seal(k *kind) {
	r.revision++
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %d", k.object, r.id, r.revision))
	r.doc.Delete("ETag")
	r.doc.Set("ETag", hex.EncodeToString(sum[:8]))
}

func (r *record) etag() string { return r.doc.Text("ETag") }

// blank makes a document with every key that the kind has, in order.
func (k *kind) blank(id int64) *kit.Object {
	doc := &kit.Object{}
	for _, f := range k.fields {
		doc.Set(f.name, f.zero())
	}
	doc.Set(k.idKey, integerValue(id))
	for _, name := range k.collections {
		doc.Set(name, []any{})
	}
	if len(k.customs) > 0 {
		doc.Set("CUSTOMFIELDS", k.layout())
	}
	return doc
}

// layout lists the custom fields that can be edited, empty. What is on a
// record's layout is there with null; what is not on it is absent.
func (k *kind) layout() []any {
	list := []any{}
	for _, c := range k.customs {
		if !c.fixed {
			list = append(list, kit.Pairs("FIELD_NAME", c.name, "FIELD_VALUE", nil))
		}
	}
	return list
}

func (f field) zero() any {
	if f.typ == booleanField {
		return false
	}
	return nil
}

// brief copies a document without sub-collections and ETag.
func (k *kind) brief(doc *kit.Object) *kit.Object {
	short := &kit.Object{}
	for _, f := range k.fields {
		short.Set(f.name, doc.Get(f.name))
	}
	return short
}

func integerValue(n int64) json.Number { return json.Number(strconv.FormatInt(n, 10)) }

// integerOf reads a stored or sent whole number.
func integerOf(value any) (int64, bool) {
	n, ok := value.(json.Number)
	if !ok {
		return 0, false
	}
	i, err := strconv.ParseInt(n.String(), 10, 64)
	return i, err == nil
}

// objects are the items of a sub-collection.
func objects(doc *kit.Object, collection string) []*kit.Object {
	list, _ := doc.Get(collection).([]any)
	items := make([]*kit.Object, 0, len(list))
	for _, item := range list {
		if o, ok := item.(*kit.Object); ok {
			items = append(items, o)
		}
	}
	return items
}
