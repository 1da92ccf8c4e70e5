package emulator

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"sort"
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// sortKey is one name of order-by.
type sortKey struct {
	f          *field
	descending bool
}

// order reads order-by, such as "created,-modified". Without it records come
// by id.
func (q *request) order(list string) ([]sortKey, failure) {
	var keys []sortKey
	for _, name := range strings.Split(list, ",") {
		name = strings.TrimSpace(name)
		if name == "" {
			continue
		}
		key := sortKey{descending: strings.HasPrefix(name, "-")}
		name = strings.TrimPrefix(name, "-")
		if key.f = q.store.field(q.c, name); key.f == nil || key.f.noQuery || key.f.kind == kindOptions {
			if q.env.Switch("unknown_filter") == "ignore" {
				continue
			}
			return nil, badParameter("Cannot order by " + name + ".")
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// place is where a record stands in an order.
type place struct {
	values []any
	id     string
}

func (s *store) placeOf(r *row, order []sortKey) place {
	p := place{id: r.id}
	for _, key := range order {
		p.values = append(p.values, s.value(r, key.f))
	}
	return p
}

// less compares two places; records equal in all keys stand by id.
func less(a, b place, order []sortKey) bool {
	for i, key := range order {
		c := compareNulls(key.f, a.values[i], b.values[i])
		if key.descending {
			c = -c
		}
		if c != 0 {
			return c < 0
		}
	}
	return a.id < b.id
}

// compareNulls puts nulls last, or first when descending, as a database does.
func compareNulls(f *field, a, b any) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	}
	return compare(f, a, b)
}

func (s *store) sort(rows []*row, order []sortKey) {
	places := make(map[*row]place, len(rows))
	for _, r := range rows {
		places[r] = s.placeOf(r, order)
	}
	sort.Slice(rows, func(i, j int) bool { return less(places[rows[i]], places[rows[j]], order) })
}

// cursor makes a record's cursor in the vendor's form: base64 of a JSON array
// of the sort values and the id, spaced as Python spaces it.
func (s *store) cursor(r *row, order []sortKey) string {
	var b bytes.Buffer
	b.WriteByte('[')
	for _, value := range s.placeOf(r, order).values {
		text, _ := json.Marshal(value)
		b.Write(text)
		b.WriteString(", ")
	}
	fmt.Fprintf(&b, "%q]", r.id)
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// position returns the index in rows at which a cursor cuts: of the first
// record after it, or of the first one not before it.
func (q *request) position(cursor string, rows []*row, order []sortKey, after bool) (int, failure) {
	wrong := badParameter("The cursor is not valid.")
	text, err := base64.StdEncoding.DecodeString(cursor)
	if err != nil || !json.Valid(text) {
		return 0, wrong
	}
	value, err := kit.ParseValue(text)
	if err != nil {
		return 0, wrong
	}
	list, ok := value.([]any)
	if !ok || len(list) != len(order)+1 {
		return 0, wrong
	}
	id, ok := list[len(list)-1].(string)
	if !ok {
		return 0, wrong
	}
	at := place{values: list[:len(list)-1], id: id}
	for i, key := range order {
		if at.values[i] != nil && !fits(key.f, at.values[i]) {
			return 0, wrong
		}
	}
	return sort.Search(len(rows), func(i int) bool {
		p := q.store.placeOf(rows[i], order)
		if after {
			return less(at, p, order)
		}
		return !less(p, at, order)
	}), nil
}
