package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// Contacts hold only the ids of their organisations, and Insightly gives
// organisations by one id or by the page, not by several ids. So the list is
// read where that takes fewer calls than asking for each, which it does for
// most accounts: one call for up to 500 organisations. The names are kept for
// a while, since the next page has many of the same.
const (
	// maxLookups bounds the calls for names per page of contacts. Every call
	// counts against a quota of the day that may be as low as 1,000.
	maxLookups = 25
	// maxListPages bounds the pages of organisations among them: a full one
	// may well be megabytes.
	maxListPages = 4
	// organisationPage is the most that the vendor gives at once.
	organisationPage = 500
	// lookupTime bounds the time for names, along with half of what is left of
	// the call's: a contact without its company's name is better than none.
	lookupTime = 10 * time.Second
	// lookupWorkers bounds the calls for names at one time.
	lookupWorkers = 4
)

// lookupPace is the time between two calls for names. Insightly takes ten
// calls a second from all that an account runs. Tests replace it.
var lookupPace = 150 * time.Millisecond

var (
	organisationNames = sdk.NewCache[string](10 * time.Minute) // by id; "" for one that cannot be had
	organisationCount = sdk.NewCache[int](10 * time.Minute)
	organisationID    = regexp.MustCompile(`\A[1-9][0-9]{0,18}\z`)
)

// organisation is what a look-up needs of a record of /v3.1/Organisations.
type organisation struct {
	ID   vendorjson.Text `json:"ORGANISATION_ID"`
	Name vendorjson.Text `json:"ORGANISATION_NAME"`
}

// lookup is the search for the names of one page's organisations.
type lookup struct {
	call   *sdk.Call
	client *vendorhttp.Client
	ids    []string          // still without a name, in the order of the page
	names  map[string]string // found; "" for one that cannot be had
	calls  int
	err    error // the first that went wrong
}

// nameAccounts fills in the names of the contacts' organisations, as far as
// they can be had; the answer is partial when one cannot.
func nameAccounts(ctx context.Context, call *sdk.Call, client *vendorhttp.Client, contacts []crm.Contact) {
	l := lookup{call: call, client: client, names: map[string]string{}}
	for _, c := range contacts {
		if c.Account == nil || slices.Contains(l.ids, *c.Account.ID) || !organisationID.MatchString(*c.Account.ID) {
			continue
		}
		if name, ok := organisationNames.Get(call, *c.Account.ID); ok {
			l.names[*c.Account.ID] = name
		} else {
			l.ids = append(l.ids, *c.Account.ID)
		}
	}
	if len(l.ids) > 0 {
		limit := lookupTime
		if deadline, ok := ctx.Deadline(); ok {
			limit = min(limit, time.Until(deadline)/2)
		}
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		if l.fromList(ctx) {
			l.oneByOne(ctx)
		}
	}
	unnamed := 0
	for i := range contacts {
		if a := contacts[i].Account; a != nil {
			if a.Name = crm.Text(l.names[*a.ID]); a.Name == nil {
				unnamed++
			}
		}
	}
	if unnamed > 0 {
		call.Partial("names of organisations", errors.Join(fmt.Errorf("%d contacts have one without a name", unnamed), l.err))
	}
}

// fromList reads the list of organisations while that takes fewer calls than
// asking for each id, and tells whether it is any use to ask on.
func (l *lookup) fromList(ctx context.Context) bool {
	count, known := organisationCount.Get(l.call, "")
	for seen, pages := 0, 0; ; pages++ {
		left := 1 // the first page tells how many there are
		if known {
			left = (count - seen + organisationPage - 1) / organisationPage
		}
		if left < 1 || left >= len(l.ids) || pages+left > maxListPages {
			return true
		}
		request := get("Organisations")
		request.Query = []vendorhttp.Param{
			{Name: "brief", Value: "true"},
			{Name: "skip", Value: strconv.Itoa(seen)},
			{Name: "top", Value: strconv.Itoa(organisationPage)},
			{Name: "count_total", Value: "true"},
		}
		l.calls++
		response, err := l.client.Side(ctx, request)
		var items vendorjson.List[organisation]
		if err == nil {
			err = response.Decode(&items)
		}
		if err != nil {
			l.err = err
			return !isHopeless(ctx, err)
		}
		for _, item := range items {
			if id, name := item.ID.String(), item.Name.String(); id != "" && name != "" {
				l.found(id, name)
			}
		}
		l.ids = slices.DeleteFunc(l.ids, func(id string) bool { return l.names[id] != "" })
		seen += len(items)
		count, known = totalIn(response.Header)
		if !known || len(items) == 0 {
			return true // no telling how much more there is
		}
		organisationCount.Put(l.call, "", count)
	}
}

// oneByOne asks for each organisation that is left, within the bounds.
func (l *lookup) oneByOne(ctx context.Context) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var (
		mu      sync.Mutex // guards what the answers change in l
		workers sync.WaitGroup
		free    = make(chan struct{}, lookupWorkers)
	)
	ids := l.ids[:min(len(l.ids), maxLookups-l.calls)]
	for i, id := range ids {
		if i > 0 {
			select {
			case <-time.After(lookupPace):
			case <-ctx.Done():
			}
		}
		select {
		case free <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		workers.Go(func() {
			defer func() { <-free }()
			name, err := l.ask(ctx, id)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				l.found(id, name)
			case errs.Is(err, errs.RecordNotFound), errs.Is(err, errs.VendorForbidden):
				l.found(id, "") // deleted, or hidden from the key's user
			case isHopeless(ctx, err):
				stop(err)
			}
			if l.err == nil {
				l.err = err
			}
		})
	}
	workers.Wait()
}

// ask reads one organisation. Side calls of one client may run side by side.
func (l *lookup) ask(ctx context.Context, id string) (string, error) {
	response, err := l.client.Side(ctx, get("Organisations", id))
	if err != nil {
		return "", err
	}
	var body organisation
	if err := response.Decode(&body); err != nil {
		return "", err
	}
	if body.ID.String() != id || body.Name.Ptr() == nil {
		return "", response.Error(errs.UnexpectedVendorAnswer, "Insightly answered without the name of the organisation %s", id)
	}
	return body.Name.String(), nil
}

func (l *lookup) found(id, name string) {
	l.names[id] = name
	organisationNames.Put(l.call, id, name)
}

// isHopeless tells whether the next call would fare no better.
func isHopeless(ctx context.Context, err error) bool {
	return ctx.Err() != nil || slices.ContainsFunc([]errs.Reason{
		errs.VendorRateLimited, errs.VendorUnavailable, errs.VendorTimeout, errs.VendorUnauthenticated,
	}, func(reason errs.Reason) bool { return errs.Is(err, reason) })
}

// totalIn reads the header that count_total=true asks for.
func totalIn(header http.Header) (int, bool) {
	total, err := strconv.Atoi(header.Get("X-Total-Count"))
	return total, err == nil && total >= 0
}
