package api

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/unicrm/unicrm/host/internal/unified"
)

// cursorLife is how long a cursor can be used.
const cursorLife = 24 * time.Hour

const (
	// maxBefore is how many pages a cursor can lead back.
	maxBefore = 20
	// maxCursor is how long a cursor may grow for their sake, in bytes.
	maxCursor = 3 << 10
)

// place is where a page of ours begins: in which of the vendor's pages, and
// after how many of its records.
type place struct {
	PageToken string `json:"t,omitempty"`
	Skip      int    `json:"s,omitempty"`
}

// cursor is what a next_cursor or prev_cursor holds, sealed: callers can
// neither read nor change it, nor use it for another account or query.
type cursor struct {
	place
	Limit int `json:"l"`
	// PageSize is that of the vendor's pages. It stays the same for a whole
	// walk: a vendor that counts pages would otherwise skip or repeat records.
	PageSize int `json:"p"`
	// Before are the beginnings of the pages before, the nearest last. The
	// farthest are forgotten.
	Before []place `json:"b,omitempty"`
	// Ignored are the parameters that the provider refused together.
	Ignored []string `json:"i,omitempty"`
	Made    int64    `json:"m"` // Unix seconds
}

// next gives the cursor of the page that begins at a place, after this one.
func (c cursor) next(at place) cursor {
	c.Before = append(slices.Clone(c.Before), c.place)
	c.Before = c.Before[max(0, len(c.Before)-maxBefore):]
	c.place = at
	return c
}

// prev gives the cursor of the page before this one; false when there is none,
// or when it is forgotten.
func (c cursor) prev() (cursor, bool) {
	last := len(c.Before) - 1
	if last < 0 {
		return c, false
	}
	c.place, c.Before = c.Before[last], c.Before[:last]
	return c, true
}

func newSealer(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// binding is what a cursor is good for: the account, the resource and
// everything of the query that chooses records.
func binding(accountID, resource string, q *query) []byte {
	bound, _ := json.Marshal(struct {
		Account, Resource string
		RemoteQuery       []unified.Param
		Filters           []unified.Filter
		Sort              []unified.SortKey
	}{accountID, resource, q.remoteQuery, q.wantedFilters(), q.wantedSort()})
	sum := sha256.Sum256(bound)
	return sum[:]
}

func (q *query) wantedFilters() (all []unified.Filter) {
	for _, f := range q.filters {
		all = append(all, f.Filter)
	}
	return all
}

func (q *query) wantedSort() (all []unified.SortKey) {
	for _, k := range q.sort {
		all = append(all, k.SortKey)
	}
	return all
}

func (s *Server) sealCursor(c cursor, bound []byte) string {
	c.Made = time.Now().Unix()
	plain := pack(c)
	for len(c.Before) > 0 && base64.RawURLEncoding.EncodedLen(len(plain)+s.cursors.NonceSize()+s.cursors.Overhead()) > maxCursor {
		c.Before = c.Before[1:]
		plain = pack(c)
	}
	nonce := make([]byte, s.cursors.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return base64.RawURLEncoding.EncodeToString(s.cursors.Seal(nonce, nonce, plain, bound))
}

// deflaters are large, and a cursor is made with every page.
var deflaters = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, flate.BestSpeed) // a level that there is
	return w
}}

// pack makes a cursor small: the tokens of neighbouring pages are much alike.
func pack(c cursor) []byte {
	var packed bytes.Buffer
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	w.Reset(&packed)
	_ = json.NewEncoder(w).Encode(c) // into memory
	_ = w.Close()
	return packed.Bytes()
}

func unpack(packed []byte) (c cursor, err error) {
	err = json.NewDecoder(flate.NewReader(bytes.NewReader(packed))).Decode(&c)
	return c, err
}

// openCursor refuses what is not ours, what is too old, and what was made for
// another account or query; which of them it was is told as far as it is known.
func (s *Server) openCursor(text string, bound []byte) (cursor, error) {
	var c cursor
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(sealed) < s.cursors.NonceSize() {
		return c, badParam("next_cursor", "it is not a cursor of this host")
	}
	nonce := sealed[:s.cursors.NonceSize()]
	plain, err := s.cursors.Open(nil, nonce, sealed[len(nonce):], bound)
	if err == nil {
		c, err = unpack(plain)
	}
	if err != nil {
		return c, badParam("next_cursor", "it is not a cursor of this host for this account and query")
	}
	if time.Since(time.Unix(c.Made, 0)) > cursorLife {
		return c, badParam("next_cursor", "it is older than a day; begin the list anew")
	}
	return c, nil
}
