package sdk

import (
	"slices"
	"time"

	"github.com/unicrm/unicrm/sdk/errs"
)

// NewestFirst walks a list that the vendor can only order by a time stamp,
// newest first, with pages that are counted from 1, and cannot narrow: it stops
// at the first record that is older than the filters want.
//
// A record that changes in the meantime moves to the front, past the pages that
// are already read. So when a walk over several pages has come to its end, it
// begins anew, down to what was on top when it last began, until that is one
// page or nothing has moved meanwhile. A record can therefore come twice, but
// none is passed over, save that each one that leaves the list (it is deleted, or
// no longer fits another filter) may take one other with it, as with all lists
// whose pages are counted. Where more records than a page have the newest stamp,
// one page waits up to two seconds, until no other can get it.
type NewestFirst[R any] struct {
	// Stamp gives a record's time stamp, nil when it has none.
	Stamp func(*R) *time.Time
	// Fixed says that stamps never change, as the times of creation; nothing
	// moves to the front then but new records.
	Fixed bool
	// Fetch gives a page of records, newest first, and whether more follow. Among
	// those with the same stamp the order has to stay the same.
	Fetch func(page, size int) (records []R, more bool, err error)
}

// newestPosition is where a page of such a walk begins.
type newestPosition struct {
	Page int `json:"p"`
	Size int `json:"s"`
	// Pass is 0 for the first one and grows by one whenever a pass has seen
	// something newer than the one before.
	Pass int `json:"n,omitempty"`
	// From ends the pass: older records are not wanted. In the first pass it is
	// the filter's, in others the Head of the one before.
	From *time.Time `json:"f,omitempty"`
	// Began is when, by this machine's clock, the pass read its first page.
	Began *time.Time `json:"b,omitempty"`
	// Head is the first stamp that this pass saw, and so the newest; Seen is when,
	// by this machine's clock, a pass first saw it.
	Head *time.Time `json:"h,omitempty"`
	Seen *time.Time `json:"o,omitempty"`
	// Settled says that the pass before this one began when From had been on top
	// for so long that no change could still get that stamp.
	Settled bool `json:"d,omitempty"`
	// Repeated says that the pass before this one had the same From, and could not
	// be sure: this one waits until it can.
	Repeated bool `json:"r,omitempty"`
	// Blank is how many passes before this one, one after the other, have seen no
	// stamp at all.
	Blank int `json:"k,omitempty"`
}

const (
	// maxPasses bounds how often a walk looks at the front again. Each pass reads
	// what has changed since the one before, so this many are needed only where
	// more changes than can be read.
	maxPasses = 1000
	// settleTime is how long after a stamp was on top no change gets it any more:
	// vendors count whole seconds, and plugins on several machines have several
	// clocks.
	settleTime = 2 * time.Second
)

// sound tells whether a position can be one of a walk over that span.
func (p newestPosition) sound(query ListQuery, wanted Range) bool {
	switch {
	case p.Page < 1, p.Size < 1, p.Size > query.PageSize, p.Pass < 0, p.Pass > maxPasses:
		return false
	case p.Page == 1 && (p.Pass == 0 || p.Began != nil || p.Head != nil), p.Page > 1 && p.Began == nil:
		return false
	case p.Seen == nil && (p.Pass > 0 && p.Blank == 0 || p.Head != nil), p.Repeated && (p.Page > 1 || p.Pass == 0):
		return false
	case p.Blank < 0, p.Blank > p.Pass, p.Blank > 0 && p.Repeated:
		return false
	case p.Pass == 0:
		return !p.Settled && (p.From == nil) == (wanted.From == nil) && (p.From == nil || p.From.Equal(*wanted.From))
	case p.From == nil:
		return p.Blank > 0 && wanted.From == nil
	default:
		return wanted.From == nil || !p.From.Before(*wanted.From)
	}
}

// Page gives the page that a query asks for; wanted is the span of the filters.
func (w NewestFirst[R]) Page(query ListQuery, wanted Range) (Page[R], error) {
	at := newestPosition{Page: 1, Size: query.PageSize, From: wanted.From}
	if query.PageToken != "" {
		at = newestPosition{}
		if err := DecodeToken(query.PageToken, &at); err != nil {
			return Page[R]{}, err
		}
		if !at.sound(query, wanted) {
			return Page[R]{}, ErrPageToken
		}
	}
	if at.Page == 1 {
		if at.Repeated {
			time.Sleep(min(time.Until(at.Seen.Add(settleTime)), settleTime))
			at.Repeated = false
		}
		at.Began = new(time.Now())
	}
	page, ended, err := w.fetch(&at)
	if err != nil {
		return Page[R]{}, err
	}
	switch {
	case at.Settled && at.Head != nil && !at.newer():
		return page, nil // the pass before this one saw a list in which nothing moved
	case at.Blank > 1 && at.Page == 1 && at.Head == nil:
		return page, nil // no stamp before this look at the front, nor behind all that have none
	case !ended:
		at.Page++
		page.Next = EncodeToken(at)
	case !w.whole(at, wanted):
		again := at.again()
		if again.Pass > maxPasses {
			return Page[R]{}, errs.New(errs.Conflict, "the list changes faster than it is read; ask for larger pages, or wait")
		}
		page.Next = EncodeToken(again)
	}
	return page, nil
}

// newer tells whether a pass after the first has seen something newer than what
// was on top before it.
func (p newestPosition) newer() bool { return p.Pass == 0 || p.Blank > 0 || p.Head.After(*p.From) }

// again is the beginning of the next pass.
func (p newestPosition) again() newestPosition {
	if p.Head == nil {
		return newestPosition{Page: 1, Size: p.Size, Pass: p.Pass + 1, From: p.From, Blank: p.Blank + 1}
	}
	next := newestPosition{Page: 1, Size: p.Size, Pass: p.Pass, From: p.Head, Seen: p.Seen, Settled: p.Began.Sub(*p.Seen) >= settleTime}
	if p.newer() {
		next.Pass++
	} else {
		next.Repeated = !next.Settled
	}
	if p.From != nil && next.From.Before(*p.From) {
		next.From = p.From
	}
	return next
}

// whole tells whether nothing can have moved to the front unseen while the pass
// that has ended was read.
func (w NewestFirst[R]) whole(at newestPosition, wanted Range) bool {
	return at.Page == 1 || // which is read at one moment
		w.Fixed ||
		at.Head != nil && wanted.To != nil && wanted.To.Before(*at.Head) // whatever has changed meanwhile is too new
}

// fetch gives the records of a page that the pass wants, and whether it ends
// with them.
func (w NewestFirst[R]) fetch(at *newestPosition) (page Page[R], ended bool, err error) {
	records, more, err := w.Fetch(at.Page, at.Size)
	if err != nil {
		return page, false, err
	}
	// Where records without a stamp come first, one of them may have got a stamp
	// after its page was read, and be on top there: behind what looks like the top.
	for at.Head == nil && at.Page > 1 && len(records) > 0 && w.Stamp(&records[0]) != nil {
		before, _, err := w.Fetch(at.Page-1, at.Size)
		if err != nil {
			return page, false, err
		}
		if !slices.ContainsFunc(before, func(r R) bool { return w.Stamp(&r) != nil }) {
			break
		}
		at.Page--
		records, more = before, true
	}
	for i := range records {
		stamp := w.Stamp(&records[i])
		if stamp == nil {
			continue // sorted to some end; the filters do not want it
		}
		if at.Head == nil {
			if at.Head = stamp; at.newer() {
				at.Seen = new(time.Now())
			}
		}
		if at.From != nil && stamp.Before(*at.From) {
			return page, true, nil
		}
		page.Records = append(page.Records, records[i])
	}
	return page, !more, nil
}

// Stages walks several lists one after the other as if they were one, for
// vendors that can ask for a value in one of their fields at a time: "phone" and
// then "mobile". A record that is in two of them comes twice.
func Stages[R any](query ListQuery, count int, list func(stage int, query ListQuery) (Page[R], error)) (Page[R], error) {
	at := struct {
		Stage int    `json:"i"`
		Token string `json:"t,omitempty"`
	}{}
	if err := DecodeToken(query.PageToken, &at); err != nil {
		return Page[R]{}, err
	}
	if at.Stage < 0 || at.Stage >= count {
		return Page[R]{}, ErrPageToken
	}
	query.PageToken = at.Token
	page, err := list(at.Stage, query)
	if err != nil {
		return page, err
	}
	if at.Token = page.Next; at.Token == "" {
		at.Stage++
	}
	if page.Next = ""; at.Stage < count {
		page.Next = EncodeToken(at)
	}
	return page, nil
}
