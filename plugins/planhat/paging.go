package main

import (
	"context"
	"slices"
	"strings"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

// listing is the list of contacts in one order. Planhat only knows offsets, so
// when a contact is deleted or moves while a list is read, those behind it move
// up, past the reader; and among contacts that are ordered by the same value it
// may give another order each time. A listing cuts pages so that neither hides
// anybody.
type listing struct {
	call  *sdk.Call
	ask   func(context.Context, vendorhttp.Request) (*vendorhttp.Response, error)
	email string // the main address that is wanted; "" for any

	order
	descending bool
	tooOld     func(*entry) bool // to be wanted, with an order by time; nil for never
}

// order is what a list can be ordered by.
type order struct {
	property string
	// key is what a contact has there, as text.
	key func(*entry) string
	// sorted says that the list goes by the texts of the keys, byte by byte. How
	// Planhat compares names is not known.
	sorted bool
	// unique says that no two contacts have the same key.
	unique bool
}

// position is where a page begins: after the contact that came last. It holds
// no page size: an offset counts records, so each page may have its own.
type position struct {
	Offset int    `json:"offset"`          // of the first contact with Key; of the page, when ID is empty
	Key    string `json:"key,omitempty"`   // of the contact that came last
	ID     string `json:"id,omitempty"`    // its id; contacts with Key come by their ids
	Given  int    `json:"given,omitempty"` // how many with Key have come
}

// has tells whether a contact with the position's key has come.
func (p position) has(key, id string) bool { return p.ID != "" && key == p.Key && id <= p.ID }

// overlap is how many records that have come are read again, when nothing has
// changed meanwhile.
func (p position) overlap() int {
	if p.ID != "" && p.Offset > 0 {
		return p.Given + 1
	}
	return p.Given
}

// largestPage is what clients ask endusers for at most; the reference has a
// limit, of 5000, for companies alone.
const largestPage = 2000

// decodePosition reads a page token with a position in it.
func decodePosition(token string, into any, at *position) error {
	if err := sdk.DecodeToken(token, into); err != nil {
		return err
	}
	if at.Offset < 0 || at.Given < 0 || at.Given > largestPage || (at.ID == "") != (at.Given == 0) {
		return sdk.ErrPageToken
	}
	return nil
}

// cut gives the page at a position, where the next one begins, and whether there
// may be one.
func (l *listing) cut(ctx context.Context, at position, size int) ([]entry, position, bool, error) {
	limit := at.overlap() + size
	if !l.unique {
		limit++ // to see whether the last key goes on
	}
	return l.cutFrom(ctx, at, size, min(limit, largestPage))
}

func (l *listing) cutFrom(ctx context.Context, at position, size, limit int) (page []entry, next position, more bool, err error) {
	window, start, ended, err := l.window(ctx, at, size, limit)
	if err != nil {
		return nil, at, false, err
	}
	read := len(window)
	passed := l.passed(window, at)
	window = window[passed:]
	l.orderEquals(window)
	given := 0
	for given < len(window) && at.has(l.key(&window[given]), window[given].ID.String()) {
		given++
	}
	end := len(window)
	if end > 0 && read == limit && !l.unique {
		// More may have the last key. They have to come together, to be told apart.
		if end = l.first(window, l.key(&window[end-1])); end <= given {
			if limit < largestPage {
				return l.cutFrom(ctx, at, size, largestPage)
			}
			end = len(window) // more than can be had at once, so as Planhat orders them
		}
	}
	page = window[given:min(end, given+size)]
	if len(page) == 0 {
		return nil, position{Offset: start + read}, !ended && read != at.overlap(), nil
	}
	last := &page[len(page)-1]
	first := l.first(window, l.key(last))
	next = position{Offset: start + passed + first, Key: l.key(last), ID: last.ID.String(), Given: given + len(page) - first}
	return page, next, !ended || given+len(page) < len(window), nil
}

// window reads the records that the page is cut from. It begins with the one
// before those with the position's key, to see that it is still before them;
// where it is not, records have gone, and those behind them have moved up. Where
// it is not known how keys compare, and the key itself has gone, one page back
// has to do.
func (l *listing) window(ctx context.Context, at position, size, limit int) (window []entry, start int, ended bool, err error) {
	start = at.Offset
	if at.ID != "" {
		start = max(0, start-1)
	}
	for back := false; ; back = true {
		window, ended, err = l.fill(ctx, at, start, limit)
		if err != nil || at.ID == "" || start == 0 || l.begins(window, at.Key) || (back && !l.sorted && len(window) > 0) {
			return window, start, ended, err
		}
		start = max(0, start-size)
	}
}

// fill reads as many records as asked for; ended says that there are no more.
// Planhat may give fewer anywhere, and only nothing at all is the end. It does
// not go on where the rest is too old to be wanted. Where keys are unique it is
// content with any record that has not come, and takes nothing but what has come
// for the end, which saves a call.
func (l *listing) fill(ctx context.Context, at position, start, limit int) (window []entry, ended bool, err error) {
	for {
		part, err := l.read(ctx, start+len(window), limit-len(window))
		if err != nil || len(part) == 0 {
			return window, true, err
		}
		window = append(window, part...)
		last := &part[len(part)-1]
		switch {
		case len(window) == limit, l.tooOld != nil && l.tooOld(last):
			return window, false, nil
		case l.unique && (at.ID == "" || l.precedes(at.Key, l.key(last)) || len(window) == at.overlap()):
			return window, false, nil
		}
	}
}

// begins tells whether the records begin before all those with the key.
func (l *listing) begins(window []entry, key string) bool {
	switch {
	case len(window) == 0:
		return false
	case l.sorted:
		return l.precedes(l.key(&window[0]), key)
	default:
		return l.first(window, key) > 0
	}
}

// passed is how many of the records are before those with the position's key.
func (l *listing) passed(window []entry, at position) int {
	switch {
	case at.ID == "":
		return 0
	case !l.sorted:
		return max(0, l.first(window, at.Key))
	}
	i := 0
	for i < len(window) && l.precedes(l.key(&window[i]), at.Key) {
		i++
	}
	return i
}

// first is the index of the first record with a key, -1 for none.
func (l *listing) first(window []entry, key string) int {
	return slices.IndexFunc(window, func(e entry) bool { return l.key(&e) == key })
}

func (l *listing) precedes(a, b string) bool {
	if l.descending {
		a, b = b, a
	}
	return a < b
}

// orderEquals puts neighbours with the same key into the order of their ids.
func (l *listing) orderEquals(window []entry) {
	for i := 0; i < len(window); {
		end := i + 1
		for end < len(window) && l.key(&window[end]) == l.key(&window[i]) {
			end++
		}
		slices.SortStableFunc(window[i:end], func(a, b entry) int { return strings.Compare(a.ID.String(), b.ID.String()) })
		i = end
	}
}
