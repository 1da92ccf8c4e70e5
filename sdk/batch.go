package sdk

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

// What one record's failure may take: a thousand of them have to fit into one
// message.
const (
	maxOutcomeBody  = 2 << 10 // of the vendor's body
	maxOutcomeText  = 1 << 10
	maxOutcomeParts = 8 // fields and scopes
)

// proto gives the protocol's form, secrets struck out.
func (o Outcome) proto(secrets *callSecrets) *providerv1.RecordOutcome {
	p := &providerv1.RecordOutcome{Id: o.ID, AlreadyDeleted: o.AlreadyDeleted && o.Err == nil}
	if o.Err != nil {
		p.Error = outcomeError(o.Err, secrets).Proto()
	}
	return p
}

// outcomeError makes an error of one record short, secrets struck out.
func outcomeError(err error, secrets *callSecrets) *errs.Error {
	var e *errs.Error
	if errors.As(err, &e) { // what is not shown need not be looked through
		fewer := *e
		fewer.Fields = e.Fields[:min(len(e.Fields), maxOutcomeParts)]
		fewer.MissingScopes = e.MissingScopes[:min(len(e.MissingScopes), maxOutcomeParts)]
		err = &fewer
	}
	switch {
	case errors.As(strike(err, secrets.own), &e):
	case contextEnded(err):
		e = errs.New(errs.VendorTimeout, "the time was up before it came to this record")
	default:
		e = errs.New(errs.PluginBug, "%s", secrets.own.Text(err.Error()))
	}
	short := *e
	short.Message = clip(e.Message, maxOutcomeText)
	short.Fields = nil
	for _, f := range e.Fields {
		f.Description = clip(f.Description, maxOutcomeText/4)
		short.Fields = append(short.Fields, f)
	}
	if e.Vendor != nil {
		answer := *e.Vendor
		if len(answer.Body) > maxOutcomeBody {
			answer.Body, answer.Truncated = slices.Clone(answer.Body[:maxOutcomeBody]), true // a copy: the rest is not to be kept
		}
		short.Vendor = &answer
	}
	return &short
}

// checkIDs refuses a call about many records in which one could not be, or is
// there twice.
func checkIDs(pattern string, most int, ids []string) error {
	if len(ids) == 0 || (most > 0 && len(ids) > most) {
		return errs.New(errs.InvalidBody, "the number of ids is not between 1 and what this provider takes")
	}
	seen := map[string]bool{}
	for _, id := range ids {
		if !compiled(pattern).MatchString(id) {
			return errs.New(errs.InvalidID, "no record of this provider can have the id %.100q", id)
		}
		folded := strings.ToLower(id) // ids with letters are hexadecimal at most vendors
		if seen[folded] {
			return errs.New(errs.InvalidBody, "the id %.100q is there twice", id)
		}
		seen[folded] = true
	}
	return nil
}

// FanOut makes a BatchDelete of a Delete for vendors without a bulk route: one
// delete after the other, several at once, at most perSecond requests a second
// for one account, whatever number of calls share it. Where the time ends
// before it has come to a record, that one was not asked for and says so.
func FanOut[R any](method *Delete[R], pattern string, perSecond float64) *BatchDelete {
	const atOnce = 8
	paces := newPaces(perSecond)
	return &BatchDelete{Do: func(ctx context.Context, call *Call, ids []string) ([]Outcome, error) {
		begin, cancel := beginning(ctx)
		defer cancel()
		all := parts{outcomes: make([]Outcome, len(ids)), calls: make([]*Call, len(ids))}
		first := call.fork(paces.of(call))
		next := make(chan int)
		var workers sync.WaitGroup
		for range min(atOnce, len(ids)) {
			workers.Go(func() {
				for i := range next {
					if begin.Err() != nil {
						all.outcomes[i] = Outcome{ID: ids[i], Err: errs.New(errs.VendorTimeout, "the time was up before it came to this record, which was not touched")}
						continue
					}
					part := *first
					already, err := deletePart(ctx, &part, pattern, method, ids[i])
					all.ended(i, &part, Outcome{ID: ids[i], Err: err, AlreadyDeleted: already})
				}
			})
		}
		for i := range ids {
			next <- i
		}
		close(next)
		workers.Wait()
		call.join(all.calls)
		for _, outcome := range all.outcomes {
			if call.dryRun && outcome.Err != nil && !errors.Is(outcome.Err, vendorhttp.ErrNotSent) {
				return nil, outcome.Err // there is no other place to tell of it
			}
		}
		return all.outcomes, nil
	}}
}

// endTime is what a request that is begun must have to its end, where the call
// has so much: what became of one that is cut off nobody knows.
const endTime = time.Second

// beginning is a context that ends when nothing new is to be begun any more.
func beginning(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, deadline.Add(-min(endTime, time.Until(deadline)/5)))
}

// deletePart deletes one of many. It runs in a goroutine of its own, where
// nobody else would catch a panic.
func deletePart[R any](ctx context.Context, part *Call, pattern string, method *Delete[R], id string) (already bool, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			already, err = false, panicked(part.log, "delete of many", cause)
		}
	}()
	_, already, err = deleteOne(ctx, part, pattern, method, id)
	return already, err
}

// parts are what has become of the parts of a call.
type parts struct {
	outcomes []Outcome

	mu    sync.Mutex
	calls []*Call // guarded by mu: those with something to be joined
	last  int     // guarded by mu: the last of them that was answered
}

// ended keeps what is needed of a part: answers of a thousand are too much.
func (p *parts) ended(i int, part *Call, outcome Outcome) {
	if outcome.Err != nil && !part.dryRun {
		outcome.Err = outcomeError(outcome.Err, part.secrets)
	}
	p.outcomes[i] = outcome
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls[i] = part
	if part.dryRun || part.client == nil {
		return
	}
	if i < p.last {
		part.client = nil
		return
	}
	if before := p.calls[p.last]; before != nil && before != part {
		before.client = nil
	}
	p.last = i
}

// fork makes a call for a part of this one: with a client and a main answer of
// its own, so that several can be under way at once.
func (c *Call) fork(pace *rate.Limiter) *Call {
	part := *c
	part.client, part.partial, part.losses, part.warnings, part.pace = nil, false, nil, nil, pace
	return &part
}

// join takes over what the parts bring for the answer.
func (c *Call) join(parts []*Call) {
	for _, part := range parts {
		if part == nil {
			continue
		}
		c.partial = c.partial || part.partial
		c.warnings = append(c.warnings, part.warnings...)
		if part.client == nil {
			continue
		}
		if c.client == nil {
			c.client = part.client
		} else {
			c.client.Join(part.client)
		}
	}
}

// paces keeps one limiter for each account that has been seen of late.
type paces struct {
	perSecond float64

	mu       sync.Mutex
	limiters map[string]*paced // guarded by mu
}

type paced struct {
	limiter *rate.Limiter
	used    time.Time
}

func newPaces(perSecond float64) *paces {
	return &paces{perSecond: perSecond, limiters: map[string]*paced{}}
}

func (p *paces) of(call *Call) *rate.Limiter {
	key := call.account.GetId() + "\n" + call.account.GetBaseUrl()
	p.mu.Lock()
	defer p.mu.Unlock()
	for other, entry := range p.limiters {
		if time.Since(entry.used) > time.Minute {
			delete(p.limiters, other)
		}
	}
	entry, ok := p.limiters[key]
	if !ok {
		// One at a time: with a burst the first second would have twice as many.
		entry = &paced{limiter: rate.NewLimiter(rate.Limit(p.perSecond), 1)}
		p.limiters[key] = entry
	}
	entry.used = time.Now()
	return entry.limiter
}

// OutcomesOf makes the outcomes of a vendor's bulk answer: failed says why for
// each id that failed.
func OutcomesOf(ids []string, failed map[string]error) []Outcome {
	outcomes := make([]Outcome, len(ids))
	for i, id := range ids {
		outcomes[i] = Outcome{ID: id, Err: failed[id]}
	}
	return outcomes
}

// InChunks calls do for so many ids at a time, for vendors whose bulk route
// takes no more, and puts the outcomes together. A chunk that fails as a whole
// ends it: when it is the first one and was refused, that is the error; else its
// records fail with it and those after it too, so that what was done before is
// told.
func InChunks(ids []string, size int, do func(chunk []string) ([]Outcome, error)) ([]Outcome, error) {
	var all []Outcome
	for chunk := range slices.Chunk(ids, size) {
		outcomes, err := do(chunk)
		if err == nil || errors.Is(err, vendorhttp.ErrNotSent) {
			all = append(all, outcomes...)
			continue
		}
		// Of a chunk whose outcome is not known something may have been done.
		unknown := errs.Is(err, errs.OutcomeUnknown)
		if len(all) == 0 && !unknown {
			return nil, err
		}
		for _, id := range chunk {
			all = append(all, Outcome{ID: id, Err: err})
		}
		if unknown {
			err = errs.New(errs.VendorUnavailable, "this record was not touched, since what became of others before it is not known")
		}
		for _, id := range ids[len(all):] {
			all = append(all, Outcome{ID: id, Err: err})
		}
		return all, nil
	}
	return all, nil
}
