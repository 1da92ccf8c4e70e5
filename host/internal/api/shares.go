package api

import (
	"context"
	"sync"
	"time"

	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
)

const (
	// accountCalls is how many calls one account has under way at most. A plugin
	// has few enough places that one account whose vendor does not answer could
	// otherwise hold them all, and every other account of the provider would go
	// without.
	accountCalls = 96
	// accountBatches is the same for calls about many records, which may take
	// minutes.
	accountBatches = 2
	// accountWaiting is how many further calls of an account wait for a place,
	// each as long as shareWait.
	accountWaiting = 512
	shareWait      = 5 * time.Second
)

// shares gives each account its places.
type shares struct {
	mu    sync.Mutex
	using map[string]*share // guarded by mu
}

// share is one account's. users are those who have a place or wait for one.
type share struct {
	places chan struct{}
	users  int // guarded by the mutex of the shares
}

// take gives a place to a call of an account until release is called. It waits
// a while when the account has all of its own in use; then it is an error.
func (s *shares) take(ctx context.Context, account string, method unified.Method) (release func(), err error) {
	most := accountCalls
	if method == unified.BatchDelete {
		account, most = account+"\nbatches", accountBatches
	}
	mine, ok := s.join(account, most)
	if !ok {
		return nil, errBusy
	}
	wait := time.NewTimer(shareWait)
	defer wait.Stop()
	select {
	case mine.places <- struct{}{}:
		return func() {
			<-mine.places
			s.leave(account)
		}, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-wait.C:
		err = errBusy
	}
	s.leave(account)
	return nil, err
}

var errBusy = &errs.Error{Reason: errs.Overloaded, Message: "this account has too many calls under way at once", RetryAfter: time.Second}

func (s *shares) join(account string, most int) (*share, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	mine := s.using[account]
	if mine == nil {
		mine = &share{places: make(chan struct{}, most)}
		s.using[account] = mine
	}
	if mine.users >= most+accountWaiting {
		return nil, false
	}
	mine.users++
	return mine, true
}

// leave forgets an account that has nothing under way.
func (s *shares) leave(account string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if mine := s.using[account]; mine.users == 1 {
		delete(s.using, account)
	} else {
		mine.users--
	}
}
