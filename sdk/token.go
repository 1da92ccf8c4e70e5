package sdk

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/unicrm/unicrm/sdk/errs"
)

// EncodeToken packs where the next page begins into an opaque token. The host
// seals tokens before callers see them, so it need not hide anything.
func EncodeToken(position any) string {
	data, err := json.Marshal(position)
	if err != nil {
		panic("sdk: a page token cannot be encoded: " + err.Error()) // a type that has no JSON form
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// DecodeToken unpacks a token into position, which stays as it is for the
// empty token. A token that is not this provider's is an invalid_parameter.
func DecodeToken(token string, position any) error {
	if token == "" {
		return nil
	}
	data, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.DisallowUnknownFields()
		if err = dec.Decode(position); err == nil {
			if _, more := dec.Token(); !errors.Is(more, io.EOF) || bytes.Equal(data, []byte("null")) {
				err = errors.New("not one position")
			}
		}
	}
	if err != nil {
		return ErrPageToken
	}
	return nil
}

// ErrPageToken is what a page token that this provider cannot have made ends in.
var ErrPageToken error = &errs.Error{
	Reason: errs.InvalidParameter, Message: "next_cursor is not one that this provider gave",
	Fields: []errs.Field{{Path: "next_cursor", Description: "is not one that this provider gave"}},
}

// cacheEntries bounds a Cache; when it is full it starts anew.
const cacheEntries = 10_000

// Cache keeps small things that an account's pages need again and again, such
// as the names of labels, for a while. The zero value is not usable; see
// NewCache. It is safe for concurrent use.
type Cache[V any] struct {
	ttl time.Duration

	mu      sync.Mutex
	entries map[cacheKey]cacheEntry[V] // guarded by mu
}

type cacheKey struct{ account, revision, baseURL, name string }

type cacheEntry[V any] struct {
	value   V
	expires time.Time
}

// NewCache makes a cache whose entries live for ttl.
func NewCache[V any](ttl time.Duration) *Cache[V] {
	return &Cache[V]{ttl: ttl, entries: map[cacheKey]cacheEntry[V]{}}
}

// Get gives what was put for the call's account under a name. New credentials
// of the account find nothing.
func (c *Cache[V]) Get(call *Call, name string) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	entry, ok := c.entries[keyOf(call, name)]
	if !ok || time.Now().After(entry.expires) {
		var none V
		return none, false
	}
	return entry.value, true
}

// Put keeps a value for the call's account. Without a revision of the account
// there is nothing to tell old credentials by, and nothing is kept.
func (c *Cache[V]) Put(call *Call, name string, value V) {
	if call.account.GetRevision() == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.entries) >= cacheEntries {
		clear(c.entries)
	}
	c.entries[keyOf(call, name)] = cacheEntry[V]{value: value, expires: time.Now().Add(c.ttl)}
}

// Forget drops what was put, after the vendor no longer knew it.
func (c *Cache[V]) Forget(call *Call, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.entries, keyOf(call, name))
}

func keyOf(call *Call, name string) cacheKey {
	return cacheKey{account: call.account.GetId(), revision: call.account.GetRevision(), baseURL: call.account.GetBaseUrl(), name: name}
}
