package sdk

import (
	"context"
	"sync"
)

// inFlight counts calls. Unlike a sync.WaitGroup it may be waited for while
// more of them come.
type inFlight struct {
	mu    sync.Mutex
	calls int           // guarded by mu
	none  chan struct{} // guarded by mu: closed when calls is 0; nil when nobody waits
}

func (f *inFlight) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
}

func (f *inFlight) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls--; f.calls == 0 && f.none != nil {
		close(f.none)
		f.none = nil
	}
}

// wait returns at the first moment without a call, or when ctx ends.
func (f *inFlight) wait(ctx context.Context) {
	f.mu.Lock()
	if f.calls == 0 {
		f.mu.Unlock()
		return
	}
	if f.none == nil {
		f.none = make(chan struct{})
	}
	none := f.none
	f.mu.Unlock()
	select {
	case <-none:
	case <-ctx.Done():
	}
}
