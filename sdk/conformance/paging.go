package conformance

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/unicrm/unicrm/sdk/errs"
)

// pagingChecks are about lists that take more than one page, and about what
// happens to the records meanwhile.
//
// What can be demanded of every vendor is less than one would wish. A vendor
// that counts records or pages shifts them when one is deleted or added before
// the place that was reached. So a record may be passed over for each one that
// was deleted, and one may come twice for each that was added; never the other
// way round, and never more.
var pagingChecks = []check{
	{
		name:   "paging/sizes",
		title:  "pages of every size give the same records, each once, and never more than were asked for",
		advice: "Ask the vendor for pages in an order that stays the same, such as by id; cap page_size at page_cap; give an empty next_page_token on the last page.",
		needs:  needsVendor,
		alone:  true,
		run:    pageSizes,
	},
	{
		name:   "paging/tokens",
		title:  "a page token that the plugin did not make is refused without asking the vendor",
		advice: "Wrap what the vendor needs into a token that can be told from others (sdk.EncodeToken) and answer INVALID_PARAMETER to all else; do not pass a caller's text on.",
		needs:  needsVendor,
		run:    pageTokens,
	},
	{
		name:   "paging/deletions",
		title:  "records deleted between pages do not come again, disturb the list or make others come twice",
		advice: "Let the token hold a place that survives a deletion: the vendor's cursor, or how many records were given; go on when a page is shorter than asked for.",
		needs:  needsVendor,
		alone:  true,
		run:    pageDeletions,
	},
	{
		name:   "paging/additions",
		title:  "records added between pages make no other record be passed over",
		advice: "Order the list so that new records come last, such as by id or time of creation, and do not end it at a total that was read before.",
		needs:  needsVendor,
		alone:  true,
		run:    pageAdditions,
	},
}

// pageCap is the most records that a list gives at once.
func (m *method) pageCap() int {
	if limit := int(m.advertised.GetPageCap()); limit > 0 {
		return limit
	}
	return 100
}

func pageSizes(x *trial) {
	methods := x.anew(list)
	for _, m := range methods {
		p, err := x.living(x.ctx)
		if err != nil {
			return
		}
		var first []string
		for _, size := range []int{7, 50, 1, m.pageCap(), m.pageCap() + 1, 0} {
			pages := x.walk(x.ctx, p, m, x.account(x.vendor.emulator), size, "")
			ids := x.whole(pages, m.String())
			most := size
			if size == 0 || size > m.pageCap() {
				most = m.pageCap()
			}
			for i, page := range pages {
				if len(page.records) > most {
					x.problem("%s: page %d has %d records; page_size was %d and page_cap is %d", m, i+1, len(page.records), size, m.pageCap())
				}
			}
			slices.Sort(ids)
			if twice := repeated(ids); len(twice) > 0 {
				x.problem("%s: in pages of %d %s came twice, and nothing had changed", m, size, some(twice))
			}
			ids = slices.Compact(ids)
			if first == nil {
				first = ids
			} else if !slices.Equal(first, ids) {
				x.problem("%s: pages of 7 give %d records and pages of %d give %d; only the former have %s, only the latter %s", m, len(first), size, len(ids), some(without(first, ids)), some(without(ids, first)))
			}
		}
	}
}

// repeated gives what stands more than once in a sorted list.
func repeated(sorted []string) []string {
	var twice []string
	for i := 1; i < len(sorted); i++ {
		if sorted[i] == sorted[i-1] {
			twice = append(twice, sorted[i])
		}
	}
	return slices.Compact(twice)
}

func pageTokens(x *trial) {
	methods := x.of(list)
	if len(methods) == 0 {
		x.skip("no list is advertised")
	}
	for _, m := range methods {
		page := x.do(call{method: m, account: x.account(x.vendor.emulator), size: 7})
		if !page.ok() {
			x.problem("%s answered %s", m, page)
			continue
		}
		encoded := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
		tokens := map[string]string{
			"a word":                         "nonsense",
			"white space":                    " ",
			"a path":                         "../../x?y#z",
			"HTML":                           "<script>",
			"a negative number":              "-1",
			"base64 of another JSON":         encoded(`{"conformance":1}`),
			"base64 of null":                 encoded("null"),
			"base64 of a list":               encoded("[1]"),
			"base64 of noise":                encoded("\x00\xff\x10conformance"),
			"a text of 1 MiB":                strings.Repeat("x", 1<<20),
			"the id of a record":             x.lasting(m),
			"a URL of another host":          "http://conformance.test/?page=2",
			"base64 of a URL":                encoded("http://conformance.test/?page=2"),
			"the plugin's own token, twice":  page.next + page.next,
			"the plugin's own token, halved": page.next[:len(page.next)/2],
		}
		for what, token := range tokens {
			if token == "" || (strings.HasPrefix(what, "the plugin's") && len(page.next) < 8) {
				continue
			}
			d := x.vendor.open(nil)
			a := x.do(call{method: m, account: x.account(d.url), size: 7, token: token})
			if a.reason() != errs.InvalidParameter {
				x.problem("%s: with %s as page token it answered %s instead of invalid_parameter", m, what, a)
			}
			if n := len(d.visits()); n > 0 {
				x.problem("%s: with %s as page token it asked the vendor: %v", m, what, d.visits())
			}
		}
	}
}

// changing reads a list while the emulator's records change after the first
// page, and gives the ids of the first page and of the rest.
func (x *trial) changing(m *method, size int, between func(first []string)) (first, rest []string, ok bool) {
	account := x.account(x.vendor.emulator)
	page := x.do(call{method: m, account: account, size: size})
	if !page.ok() || page.next == "" || len(page.records) == 0 {
		x.problem("%s: the first page of %d answered %s, next_page_token %q", m, size, page, page.next)
		return nil, nil, false
	}
	between(page.ids())
	p, err := x.living(x.ctx)
	if err != nil {
		return nil, nil, false
	}
	pages := x.walk(x.ctx, p, m, account, size, page.next)
	return page.ids(), x.whole(pages, m.String()+" after the records changed"), true
}

func pageDeletions(x *trial) {
	for _, m := range x.of(list) {
		remover := x.sibling(m, remove)
		if remover == nil {
			x.skip("no delete is advertised, so nothing can be deleted between pages")
			continue
		}
		if !x.reset() {
			return
		}
		all := x.stocks[m.resource].all
		var gone []string
		del := func(ids []string, n int) {
			for _, id := range ids {
				if n > 0 && x.do(call{method: remover, account: x.account(x.vendor.emulator), id: id}).ok() {
					gone = append(gone, id)
					n--
				}
			}
		}
		// Of the page that was read, its last record among them, and of those
		// still to come, the very next one among them.
		first, rest, ok := x.changing(m, 10, func(first []string) {
			reversed := slices.Clone(first)
			slices.Reverse(reversed)
			del(reversed, 3)
			del(without(all, first), 3)
		})
		if !ok || len(gone) == 0 {
			continue
		}
		for _, id := range gone {
			if contains(rest, id) {
				x.problem("%s: the record %s came after it had been deleted", m, id)
			}
		}
		if twice := repeated(sorted(append(first, rest...))); len(twice) > 0 {
			x.problem("%s: after deletions %s came twice", m, some(twice))
		}
		if missing := without(all, append(append(first, rest...), gone...)); len(missing) > len(gone) {
			x.problem("%s: %d records were deleted and %d others were passed over: %s", m, len(gone), len(missing), some(missing))
		}
	}
}

func pageAdditions(x *trial) {
	for _, m := range x.of(list) {
		remover := x.sibling(m, remove)
		if remover == nil {
			x.skip("no delete is advertised, and without one the suite cannot bring records back")
			continue
		}
		if !x.reset() {
			return
		}
		account := x.account(x.vendor.emulator)
		page := x.do(call{method: m, account: account, size: 10})
		_ = x.vendor.reset(x.ctx)
		if !x.do(call{method: m, account: account, size: 10, token: page.next}).ok() {
			x.skip("the emulator's page tokens do not outlive a reset, by which the suite brings records back")
			continue
		}
		// A reset brings back what was deleted before the first page: to the one
		// who reads the list those records are new.
		all := x.stocks[m.resource].all
		var added []string
		for i := 5; i < len(all) && len(added) < 4; i += 20 {
			if x.do(call{method: remover, account: x.account(x.vendor.emulator), id: all[i]}).ok() {
				added = append(added, all[i])
			}
		}
		var reset error
		first, rest, ok := x.changing(m, 10, func([]string) { reset = x.vendor.reset(x.ctx) })
		if !ok || reset != nil {
			continue
		}
		if missing := without(all, append(append(first, rest...), added...)); len(missing) > 0 {
			x.problem("%s: %d records were added and %d others were passed over: %s", m, len(added), len(missing), some(missing))
		}
		if twice := repeated(sorted(append(first, rest...))); len(twice) > len(added) {
			x.problem("%s: %d records were added and %d came twice: %s", m, len(added), len(twice), some(twice))
		}
	}
}

// without gives what is in the first list and not in the second.
func without(all, others []string) []string {
	var rest []string
	for _, one := range all {
		if !contains(others, one) {
			rest = append(rest, one)
		}
	}
	return rest
}

func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return list
}

// some names the first few of a list.
func some(list []string) string {
	switch {
	case len(list) == 0:
		return "none"
	case len(list) > 5:
		return strings.Join(list[:5], ", ") + ", …"
	}
	return strings.Join(list, ", ")
}
