package api

import (
	"hash/maphash"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/unicrm/unicrm/sdk/errs"
)

// lines is the media type of one JSON value per line.
const lines = "application/x-ndjson"

// acceptsLines tells whether the caller names that type among those it takes.
func acceptsLines(r *http.Request) bool {
	for _, value := range r.Header.Values("Accept") {
		for one := range strings.SplitSeq(value, ",") {
			media, params, err := mime.ParseMediaType(one)
			if err != nil || media != lines {
				continue
			}
			weight, err := strconv.ParseFloat(params["q"], 64)
			if params["q"] == "" || (err == nil && weight > 0) {
				return true
			}
		}
	}
	return false
}

// streamLines gives the whole rest of a list, one record a line, each of the
// vendor's pages as it comes. Nothing is kept of a page that has been sent but
// its records' hashes, so that none is sent twice. Each page has the time of
// one call; the stream as a whole ends with the list, or with the caller.
//
// An error before the first record is an ordinary answer. After it, the error
// is the last line and the connection breaks, so that nobody takes what has
// come for the whole.
func (s *Server) streamLines(x *exchange, c *call, at place) error {
	view := c.view()
	seen := newSeen(generation)
	began := false
	for {
		cancel := x.within(s.RequestTimeout)
		result, err := s.page(x, c, at.PageToken)
		cancel()
		if err != nil {
			if !began {
				return err
			}
			s.breakOff(x, err)
		}
		if !began {
			rateLimitHeaders(x.Header(), result.RateLimit)
			x.Header().Set("Content-Type", lines)
			x.WriteHeader(http.StatusOK)
			began = true
		}
		var page []byte
		for _, record := range result.Records[min(at.Skip, len(result.Records)):] {
			if id, _ := record["id"].(string); id == "" || seen.add(id) {
				page = append(c.schema.Render(page, record, view), '\n')
			}
		}
		if !s.send(x, page) {
			x.reason = "caller_gone"
			panic(http.ErrAbortHandler)
		}
		if result.NextPageToken == "" || x.request.Method == http.MethodHead {
			return nil
		}
		at = place{PageToken: result.NextPageToken}
	}
}

// breakOff ends a stream that has begun: it tells the error and cuts the
// connection.
func (s *Server) breakOff(x *exchange, err error) {
	x.reason = "caller_gone"
	if e := s.explain(x, err); e != nil {
		x.reason = errs.Name(e.Reason)
		line := append([]byte(`{"error":`), strings.TrimSpace(string(encode(s.errorBody(x, err, e))))...)
		s.send(x, append(line, "}\n"...))
	}
	panic(http.ErrAbortHandler)
}

// seen remembers which ids have been sent, by 64-bit hashes: two ids of a
// million share one once in tens of millions of lists. Of more than a
// generation it keeps the last two.
type seen struct {
	seed        maphash.Seed
	generation  int // how many ids are remembered for certain
	now, before map[uint64]struct{}
}

// generation is half of the ids that a stream remembers at most.
const generation = 500_000

func newSeen(generation int) *seen {
	return &seen{seed: maphash.MakeSeed(), generation: generation, now: map[uint64]struct{}{}}
}

// add tells whether an id is new.
func (s *seen) add(id string) bool {
	hash := maphash.String(s.seed, id)
	if _, is := s.now[hash]; is {
		return false
	}
	if _, is := s.before[hash]; is {
		return false
	}
	if len(s.now) == s.generation {
		s.now, s.before = map[uint64]struct{}{}, s.now
	}
	s.now[hash] = struct{}{}
	return true
}
