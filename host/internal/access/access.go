// Package access decides who may call: bearer tokens, each for one environment
// or for an operator. A token is shown once, when it is made; only its hash is
// kept.
package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
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
	local string                // hash of the process's own operator token; empty for none
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
	return t.keep(ctx, store.Token{Environment: environment, Name: name})
}

// CreateOperator makes a token that manages plugins and reaches no accounts.
func (t *Tokens) CreateOperator(ctx context.Context, name string) (secret string, made store.Token, err error) {
	return t.keep(ctx, store.Token{Operator: true, Name: name})
}

func (t *Tokens) keep(ctx context.Context, made store.Token) (string, store.Token, error) {
	secret := newSecret()
	made.ID, made.Hash, made.CreatedAt = uuid.NewString(), hash(secret), time.Now()
	return secret, made, t.store.PutToken(ctx, made)
}

// Local makes an operator token that lives and dies with this process and
// stands in no store. Call it before the first Check.
func (t *Tokens) Local() (secret string) {
	secret = newSecret()
	t.local = hash(secret)
	return secret
}

func newSecret() string {
	random := make([]byte, 32)
	_, _ = rand.Read(random) // never fails
	return Prefix + hex.EncodeToString(random)
}

// Check finds the token that a secret belongs to; ErrUnknownToken when none.
func (t *Tokens) Check(ctx context.Context, secret string) (store.Token, error) {
	key := hash(secret)
	if t.local != "" && subtle.ConstantTimeCompare([]byte(key), []byte(t.local)) == 1 {
		return store.Token{Operator: true, Name: "local"}, nil
	}
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
