package conformance

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/unicrm/unicrm/sdk/errs"
)

// loadChecks are about many calls at once and many accounts.
var loadChecks = []check{
	{
		name:   "load/concurrency",
		title:  "64 calls at once give what one call after another gives",
		advice: "Share nothing between calls that is not guarded: a variable outside of the functions, a buffer, a client with the last call's state.",
		needs:  needsVendor,
		alone:  true,
		run:    concurrency,
	},
	{
		name:   "load/accounts",
		title:  "accounts are never mixed up: each one's requests carry its own credentials to its own address",
		advice: "Build the vendor's client from the call's own account; key what is cached by the account's id, revision and base_url.",
		needs:  needsVendor,
		alone:  true,
		run:    accountsApart,
	},
}

// atOneTime is how many calls a plugin must be able to have in flight.
const atOneTime = 64

func concurrency(x *trial) {
	if !x.reset() {
		return
	}
	var calls []call
	for _, m := range x.of(list, get) {
		if m.kind == list {
			for _, size := range []int{1, 3, 10, 50} {
				calls = append(calls, call{method: m, size: size})
			}
			continue
		}
		if stock := x.stocks[m.resource]; stock != nil {
			for _, id := range stock.all[:min(len(stock.all), 12)] {
				calls = append(calls, call{method: m, id: id})
			}
		}
	}
	if len(calls) == 0 {
		x.skip("no list and no get is advertised")
		return
	}
	account := x.account(x.vendor.emulator)
	one := make([]*answer, len(calls))
	for i := range calls {
		calls[i].account = account
		if one[i] = x.do(calls[i]); !one[i].ok() {
			x.problem("%s answered %s", calls[i].method, one[i])
			return
		}
	}
	for range 4 {
		numbers := make([]int, atOneTime)
		for i := range numbers {
			numbers[i] = i % len(calls)
		}
		each(numbers, func(i int) {
			a := x.do(calls[i])
			if difference := differ(one[i], a); difference != "" {
				x.problem("%s: alone it gave %s, among %d calls %s: %s", calls[i].method, one[i], atOneTime, a, difference)
			}
		})
	}
}

// differ says how two answers to the same call differ.
func differ(a, b *answer) string {
	switch {
	case !b.ok():
		return "it failed"
	case strings.Join(a.ids(), ",") != strings.Join(b.ids(), ","):
		return fmt.Sprintf("other records: %s and %s", some(a.ids()), some(b.ids()))
	case a.next != b.next:
		return "another next_page_token"
	}
	for i := range a.records {
		if !proto.Equal(a.records[i].Interface(), b.records[i].Interface()) {
			return "the record " + idOf(a.records[i]) + " has other fields"
		}
	}
	return ""
}

func accountsApart(x *trial) {
	if x.planted.json == nil {
		x.skip("the credentials' schema takes no credentials that the suite could make up")
		return
	}
	here, there := x.vendor.open(nil), x.vendor.open(nil)
	mine, theirs := x.account(here.url), x.accountWith(x.planted, there.url)
	var calls []call
	for _, m := range x.of(list, get) {
		c, known := x.about(m, nil)
		if !known {
			continue
		}
		c.size = 5
		calls = append(calls, c)
	}
	if len(calls) == 0 {
		x.skip("no list and no get is advertised")
		return
	}
	numbers := make([]int, atOneTime)
	for i := range numbers {
		numbers[i] = i
	}
	each(numbers, func(i int) {
		c := calls[i/2%len(calls)]
		if c.account = mine; i%2 == 1 {
			c.account = theirs
		}
		a := x.do(c)
		if i%2 == 0 && !a.ok() {
			x.problem("%s: while another account made calls it answered %s", c.method, a)
		}
		if i%2 == 1 && a.ok() {
			x.problem("%s: with credentials that the vendor does not know it answered success while another account made calls", c.method)
		}
	})
	for _, d := range []struct {
		door  *door
		wrong []string
	}{{here, x.planted.secrets}, {there, x.credentials.secrets}} {
		for _, v := range d.door.visits() {
			for _, secret := range d.wrong {
				if holds(v.everything(), secret) {
					x.problem("a request carried the credentials of another account: %s", v)
				}
			}
		}
	}
	// The same account with new credentials, which its new revision tells.
	for _, c := range calls {
		c.account = x.account(x.vendor.emulator)
		if a := x.do(c); !a.ok() {
			continue
		}
		changed := x.accountWith(x.planted, x.vendor.emulator)
		changed.Id, changed.Revision = c.account.GetId(), "2"
		c.account = changed
		if a := x.do(c); a.ok() || a.reason() == errs.PluginBug {
			x.problem("%s: the account's credentials and revision changed to bad ones, and it answered %s", c.method, a)
		}
	}
}
