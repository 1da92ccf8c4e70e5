// Package access decides who may call: bearer tokens, each for one
// environment. A token is shown once, when it is made; only its hash is kept.
package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/unicrm/unicrm/host/internal/store"
)

// Prefix begins every token, so that a leaked one is recognised.
const Prefix = "ucrm_"

// cacheFor is how long a token is believed without asking the store again,
// and so how long one that was deleted by another process still works.
const cacheFor = 5 * time.Second

// ErrUnknownToken means that no such token was made, or that it was deleted.
var ErrUnknownToken = errors.New("the bearer token is not known")

var environmentPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// Tokens makes and checks tokens. It is safe for concurrent use.
type Tokens struct {
	store *store.Store

	mu    sync.Mutex
	known map[string]knownToken // guarded by mu: by hash
}

type knownToken struct {
	token   store.Token
	expires time.Time
}

// New checks tokens against a store.
func New(s *store.Store) *Tokens { return &Tokens{store: s, known: map[string]knownToken{}} }

// Create makes a token for an environment and returns it, the only time that
// it can be seen.
func (t *Tokens) Create(ctx context.Context, environment, name string) (secret string, made store.Token, err error) {
	if !environmentPattern.MatchString(environment) {
		return "", made, fmt.Errorf("environment %q must be 1 to 63 lower-case letters, digits, hyphens and underscores", environment)
	}
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails
	secret = Prefix + hex.EncodeToString(random)
	made = store.Token{ID: uuid.NewString(), Hash: hash(secret), Environment: environment, Name: name, CreatedAt: time.Now()}
	return secret, made, t.store.PutToken(ctx, made)
}

// Check finds the token that a secret belongs to; ErrUnknownToken when none.
func (t *Tokens) Check(ctx context.Context, secret string) (store.Token, error) {
	key := hash(secret)
	now := time.Now()
	t.mu.Lock()
	known, ok := t.known[key]
	t.mu.Unlock()
	if ok && now.Before(known.expires) {
		return known.token, nil
	}
	token, err := t.store.TokenByHash(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		t.mu.Lock()
		delete(t.known, key)
		t.mu.Unlock()
		return store.Token{}, ErrUnknownToken
	}
	if err != nil {
		return store.Token{}, err
	}
	t.mu.Lock()
	t.known[key] = knownToken{token: token, expires: now.Add(cacheFor)}
	t.mu.Unlock()
	return token, nil
}

// hash is plain SHA-256: the secret has 256 random bits, so there is nothing
// for a slow hash to protect.
func hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
