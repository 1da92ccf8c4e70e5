package api

import (
	"sync"
	"time"

	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
)

const (
	// accountCalls is how many calls one account has under way at most. A plugin
	// has few enough places that one account whose vendor does not answer could
	// otherwise hold them all, and every other account of the provider would wait.
	accountCalls = 96
	// accountBatches is the same for calls about many records, which may take
	// minutes.
	accountBatches = 2
)

// shares counts what each account has under way.
type shares struct {
	mu    sync.Mutex
	taken map[string]int // guarded by mu
}

// take gives a place to a call of an account until release is called; an error
// when the account has its share.
func (s *shares) take(account string, method unified.Method) (release func(), err error) {
	most := accountCalls
	if method == unified.BatchDelete {
		account, most = account+"\nbatches", accountBatches
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken[account] >= most {
		return nil, &errs.Error{Reason: errs.Overloaded, Message: "this account has too many calls under way at once", RetryAfter: time.Second}
	}
	s.taken[account]++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.taken[account]--; s.taken[account] == 0 {
			delete(s.taken, account)
		}
	}, nil
}
