package api

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/unicrm/unicrm/host/internal/unified"
)

// cursorLife is how long a cursor can be used.
const cursorLife = 24 * time.Hour

// cursor is what a next_cursor holds, sealed: callers can neither read nor
// change it, nor use it for another account or query.
type cursor struct {
	PageToken string `json:"t"`
	Limit     int    `json:"l"`
	Made      int64  `json:"m"` // Unix seconds
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
		Filters           [][2]string
	}{accountID, resource, q.remoteQuery, filterPairs(q.filters)})
	sum := sha256.Sum256(bound)
	return sum[:]
}

func filterPairs(filters []param) [][2]string {
	var pairs [][2]string
	for _, f := range filters {
		pairs = append(pairs, [2]string{f.raw, f.value})
	}
	return pairs
}

func (s *Server) sealCursor(c cursor, bound []byte) string {
	plain, _ := json.Marshal(c)
	nonce := make([]byte, s.cursors.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	return base64.RawURLEncoding.EncodeToString(s.cursors.Seal(nonce, nonce, plain, bound))
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
	if err != nil || json.Unmarshal(plain, &c) != nil {
		return c, badParam("next_cursor", "it is not a cursor of this host for this account and query")
	}
	if time.Since(time.Unix(c.Made, 0)) > cursorLife {
		return c, badParam("next_cursor", "it is older than a day; begin the list anew")
	}
	return c, nil
}
