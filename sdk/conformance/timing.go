package conformance

import (
	"context"
	"net/http"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
)

// letGo is how soon a plugin must let go of a call that is over.
const letGo = 100 * time.Millisecond

// tries is how often a limit of time may be missed on a machine that is busy
// with something else. A plugin that does not keep it misses it always.
const tries = 3

// timeChecks are about calls that nobody waits for any more. What counts is
// what the vendor sees: gRPC's client returns at once by itself.
var timeChecks = []check{
	{
		name:   "time/cancellation",
		title:  "a call that is cancelled lets go of the vendor within 100 ms and sends nothing more",
		advice: "Hand the call's context (its cancellation) to the HTTP request and to every wait; close the connection instead of waiting for the answer.",
		needs:  needsVendor,
		alone:  true,
		run:    cancellation,
	},
	{
		name:   "time/cancelled-wait",
		title:  "a call that is cancelled while it waits to send again sends nothing more",
		advice: "Make the wait before another try end with the call's context.",
		needs:  needsVendor,
		alone:  true,
		run:    cancelledWait,
	},
	{
		name:   "time/grpc-deadline",
		title:  "a call whose gRPC deadline passes lets go of the vendor within 100 ms",
		advice: "Take the deadline that gRPC gives to the call for the vendor's request too.",
		needs:  needsVendor,
		alone:  true,
		run:    grpcDeadline,
	},
	{
		name:   "time/call-deadline",
		title:  "the deadline in the call context holds as gRPC's does, and after it nothing is sent",
		advice: "End the call at CallContext.deadline where that is earlier than gRPC's, with an error that says what was too slow; send nothing when it has passed already.",
		needs:  needsVendor,
		alone:  true,
		run:    callDeadline,
	},
}

// silent is a door whose vendor takes requests and never answers. arrived is
// told of each.
func (x *trial) silent(own *func(*visit) bool) (d *door, arrived chan struct{}) {
	arrived = make(chan struct{}, 64)
	d = x.vendor.open(func(v *visit) {
		if !(*own)(v) {
			v.pass()
			return
		}
		arrived <- struct{}{}
		v.wait(x.limit(callTime))
	})
	return d, arrived
}

// leftAt tells when the plugin's side closed the last request's connection; it
// waits for that no longer than the limit.
func (d *door) leftAt(limit time.Duration) (time.Time, bool) {
	for end := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		visits := d.visits()
		if n := len(visits); n > 0 && !visits[n-1].left.IsZero() {
			return visits[n-1].left, true
		}
		if time.Now().After(end) {
			return time.Time{}, false
		}
	}
}

// hold makes a call at a silent vendor and says how long after the end of the
// call the plugin's side closed the connection. begin gives the call's context
// and, when called, the moment of the end.
func (x *trial) hold(m *method, c call, begin func(arrived <-chan struct{}) (context.Context, func() time.Time)) (late time.Duration, problem string) {
	var own func(*visit) bool
	d, arrived := x.silent(&own)
	defer d.close()
	sample, there := x.about(m, x.account(d.url))
	if !there {
		return 0, ""
	}
	sample.time, sample.extra, sample.edit, sample.size = c.time, c.extra, c.edit, 5
	c, own = sample, x.own(x.ctx, sample)
	ctx, end := begin(arrived)
	done := make(chan *answer, 1)
	go func() { done <- x.doIn(ctx, c) }()
	ended := end()
	left, gone := d.leftAt(x.limit(letGo) + time.Until(ended) + time.Second)
	seen := len(d.visits())
	if !gone {
		return 0, "kept the connection to the vendor open"
	}
	<-done
	time.Sleep(50 * time.Millisecond)
	if more := len(d.visits()) - seen; more > 0 {
		return 0, "asked the vendor again"
	}
	return left.Sub(ended), ""
}

// inTime makes several tries of holding and notes the best when it is bad.
func (x *trial) inTime(m *method, c call, what string, begin func(arrived <-chan struct{}) (context.Context, func() time.Time)) {
	var late time.Duration
	var problem string
	for range tries {
		if late, problem = x.hold(m, c, begin); problem == "" && late <= x.limit(letGo) {
			return
		}
	}
	if problem == "" {
		problem = "closed the connection to the vendor " + late.Round(time.Millisecond).String() + " late"
	}
	x.problem("%s: %s it %s; the limit is %s", m, what, problem, x.limit(letGo))
}

func cancellation(x *trial) {
	each(x.asking(), func(m *method) {
		x.inTime(m, call{}, "after being cancelled", func(arrived <-chan struct{}) (context.Context, func() time.Time) {
			ctx, cancel := context.WithCancel(x.ctx)
			return ctx, func() time.Time {
				select {
				case <-arrived:
				case <-time.After(x.limit(callTime)):
				}
				cancel()
				return time.Now()
			}
		})
	})
}

func cancelledWait(x *trial) {
	each(x.asking(), func(m *method) {
		arrived := make(chan struct{}, 64)
		var own func(*visit) bool
		d := x.vendor.open(func(v *visit) {
			if !own(v) {
				v.pass()
				return
			}
			v.say(http.StatusTooManyRequests, "application/json", "{}", "Retry-After", "1")
			arrived <- struct{}{}
		})
		defer d.close()
		c, there := x.about(m, x.account(d.url))
		if !there {
			return
		}
		own = x.own(x.ctx, c)
		ctx, cancel := context.WithCancel(x.ctx)
		defer cancel()
		done := make(chan *answer, 1)
		go func() { done <- x.doIn(ctx, c) }()
		select {
		case <-arrived:
		case <-time.After(x.limit(callTime)):
		}
		cancel()
		<-done
		before := len(d.visits())
		time.Sleep(1500 * time.Millisecond)
		if more := len(d.visits()) - before; more > 0 {
			x.problem("%s: after being cancelled it sent %d more requests", m, more)
		}
	})
}

// brief is the time of calls that are to run out of it.
const brief = 700 * time.Millisecond

func grpcDeadline(x *trial) {
	each(x.asking(), func(m *method) {
		// Without the deadline in the call context gRPC's counts alone.
		c := call{time: x.limit(callTime), edit: func(r protoreflect.Message) {
			if context, ok := r.Mutable(r.Descriptor().Fields().ByName("call")).Message().Interface().(*providerv1.CallContext); ok {
				context.Deadline = nil
			}
		}}
		x.inTime(m, c, "after its gRPC deadline", func(<-chan struct{}) (context.Context, func() time.Time) {
			ends := time.Now().Add(x.deadline(brief))
			ctx, cancel := context.WithDeadline(x.ctx, ends)
			context.AfterFunc(ctx, cancel)
			return ctx, func() time.Time { return ends }
		})
	})
}

func callDeadline(x *trial) {
	each(x.asking(), func(m *method) {
		// gRPC's deadline is far off, so that only the one in the context can
		// end the call.
		var ends time.Time
		c := call{time: x.limit(callTime)}
		c.edit = func(r protoreflect.Message) {
			if context, ok := r.Mutable(r.Descriptor().Fields().ByName("call")).Message().Interface().(*providerv1.CallContext); ok {
				context.Deadline = timestamppb.New(ends)
			}
		}
		x.inTime(m, c, "after the deadline in the call context", func(<-chan struct{}) (context.Context, func() time.Time) {
			ends = time.Now().Add(x.deadline(brief))
			return x.ctx, func() time.Time { return ends }
		})
		d := x.vendor.open(nil)
		defer d.close()
		past, there := x.about(m, x.account(d.url))
		if !there {
			return
		}
		ends = time.Now().Add(-time.Second)
		past.edit = c.edit
		a := x.do(past)
		if n := len(d.visits()); n > 0 || a.ok() {
			x.problem("%s: with a deadline that had passed it sent %d requests and answered %s", m, n, a)
		}
	})
}
