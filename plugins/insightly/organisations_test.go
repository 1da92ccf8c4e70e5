package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	kit "github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/providertest"
)

// directory is a vendor with as many organisations as a test wants. Contact n
// belongs to organisation n, counted from 1 modulo the organisations.
type directory struct {
	organisations int
	contacts      int
	noTotal       bool // X-Total-Count is left out
	listStatus    int  // of the list of organisations, when not 200
	single        func(w http.ResponseWriter, id string) bool

	mu            sync.Mutex
	pages, asked  int
	atOnce, limit int
}

func (d *directory) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	skip, _ := strconv.Atoi(r.URL.Query().Get("skip"))
	top, _ := strconv.Atoi(r.URL.Query().Get("top"))
	items := []string{}
	switch path := strings.TrimPrefix(r.URL.Path, "/v3.1/"); path {
	case "Contacts":
		for n := skip; n < min(skip+top, d.contacts); n++ {
			items = append(items, fmt.Sprintf(`{"CONTACT_ID":%d,"ORGANISATION_ID":%d}`, 1000+n, 1+n%d.organisations))
		}
	case "Organisations":
		d.mu.Lock()
		d.pages++
		d.mu.Unlock()
		if d.listStatus != 0 {
			w.WriteHeader(d.listStatus)
			return
		}
		for n := skip; n < min(skip+top, d.organisations); n++ {
			items = append(items, fmt.Sprintf(`{"ORGANISATION_ID":%d,"ORGANISATION_NAME":"Org %d"}`, 1+n, 1+n))
		}
		if !d.noTotal {
			w.Header().Set("X-Total-Count", strconv.Itoa(d.organisations))
		}
	default:
		d.mu.Lock()
		d.asked++
		d.atOnce++
		d.limit = max(d.limit, d.atOnce)
		d.mu.Unlock()
		defer func() {
			d.mu.Lock()
			d.atOnce--
			d.mu.Unlock()
		}()
		id := strings.TrimPrefix(path, "Organisations/")
		if d.single == nil || !d.single(w, id) {
			_, _ = fmt.Fprintf(w, `{"ORGANISATION_ID":%s,"ORGANISATION_NAME":"Org %s"}`, id, id)
		}
		return
	}
	_, _ = w.Write([]byte("[" + strings.Join(items, ",") + "]"))
}

// hurry lets look-ups follow one another without a pause.
func hurry(t *testing.T) {
	t.Helper()
	pace := lookupPace
	lookupPace = time.Millisecond
	t.Cleanup(func() { lookupPace = pace })
}

// listFrom lists one page from a directory.
func listFrom(t *testing.T, d *directory, size int) ([]crm.Contact, *sdk.Call) {
	t.Helper()
	hurry(t)
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	call := sdk.NewCall(provider, "api_key", json.RawMessage(credentials), server.URL)
	page, err := listContacts(providertest.Context(t), call, sdk.ListQuery{PageSize: size})
	require.NoError(t, err)
	require.Len(t, page.Records, min(size, d.contacts))
	return page.Records, call
}

func named(contacts []crm.Contact) (count int) {
	for _, c := range contacts {
		if c.Account.Name != nil && *c.Account.Name == "Org "+*c.Account.ID {
			count++
		}
	}
	return count
}

func TestNamesCostAsFewCallsAsCanBe(t *testing.T) {
	cases := []struct {
		name                    string
		organisations, contacts int
		pages, asked, named     int
		partial                 bool
	}{
		{"one organisation is asked for by its id", 1, 50, 0, 1, 50, false},
		{"few organisations are one page of the list", 2, 50, 1, 0, 50, false},
		{"a page of the list holds 500", 500, 500, 1, 0, 500, false},
		{"a part of the list may be enough", 1400, 500, 1, 0, 500, false},
		{"also of a list that is never read whole", 100_000, 10, 1, 0, 10, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := &directory{organisations: c.organisations, contacts: c.contacts}
			contacts, call := listFrom(t, d, c.contacts)
			assert.Equal(t, c.pages, d.pages, "pages of organisations")
			assert.Equal(t, c.asked, d.asked, "single organisations")
			assert.Equal(t, c.named, named(contacts))
			assert.Equal(t, c.partial, call.IsPartial())
		})
	}
}

// contactsOf serves contacts of the given organisations before the directory.
func contactsOf(t *testing.T, d *directory, ids ...int) ([]crm.Contact, *sdk.Call) {
	t.Helper()
	hurry(t)
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	call := sdk.NewCall(provider, "api_key", json.RawMessage(credentials), server.URL)
	client, err := newClient(call)
	require.NoError(t, err)
	var contacts []crm.Contact
	for i, id := range ids {
		contacts = append(contacts, crm.Contact{ID: new(strconv.Itoa(i)), Account: &crm.AccountReference{ID: new(strconv.Itoa(id))}})
	}
	nameAccounts(providertest.Context(t), call, client, contacts)
	return contacts, call
}

// last gives the ids of the last n organisations of a directory.
func last(total, n int) (ids []int) {
	for id := total - n + 1; id <= total; id++ {
		ids = append(ids, id)
	}
	return ids
}

func TestTheListIsReadOnWhileThatIsCheaper(t *testing.T) {
	d := &directory{organisations: 1400}
	contacts, call := contactsOf(t, d, last(1400, 10)...)
	assert.Equal(t, 3, d.pages)
	assert.Zero(t, d.asked)
	assert.Equal(t, 10, named(contacts))
	assert.False(t, call.IsPartial())
}

func TestTheListIsLeftWhenAskingForEachIsCheaper(t *testing.T) {
	d := &directory{organisations: 1400}
	contacts, call := contactsOf(t, d, 1399, 1400)
	assert.Equal(t, 1, d.pages, "one look at the list")
	assert.Equal(t, 2, d.asked)
	assert.Equal(t, 2, named(contacts))
	assert.False(t, call.IsPartial())
}

func TestLookUpsAreBounded(t *testing.T) {
	d := &directory{organisations: 100_000}
	contacts, call := contactsOf(t, d, last(100_000, 300)...)
	assert.Equal(t, 1, d.pages, "a list of 200 pages is not read")
	assert.Equal(t, maxLookups-1, d.asked)
	assert.Equal(t, maxLookups-1, named(contacts))
	assert.LessOrEqual(t, d.limit, lookupWorkers)
	assert.True(t, call.IsPartial(), "the other names are absent")
	for _, c := range contacts {
		assert.NotNil(t, c.Account.ID)
	}
}

func TestAListWithoutATotalIsReadOnce(t *testing.T) {
	d := &directory{organisations: 700, noTotal: true}
	contacts, call := contactsOf(t, d, 1, 2, 699, 700)
	assert.Equal(t, 1, d.pages)
	assert.Equal(t, 2, d.asked)
	assert.Equal(t, 4, named(contacts))
	assert.False(t, call.IsPartial())
}

func TestARefusedListLeavesAskingForEach(t *testing.T) {
	d := &directory{organisations: 9, listStatus: http.StatusForbidden}
	contacts, _ := contactsOf(t, d, 1, 2, 3)
	assert.Equal(t, 3, d.asked)
	assert.Equal(t, 3, named(contacts))
}

func TestADeletedOrHiddenOrganisationHasNoName(t *testing.T) {
	for _, status := range []int{http.StatusNotFound, http.StatusForbidden} {
		d := &directory{organisations: 9, single: func(w http.ResponseWriter, id string) bool {
			w.WriteHeader(status)
			return true
		}}
		contacts, call := contactsOf(t, d, 5, 77, 78, 79)
		assert.Equal(t, 1, d.pages)
		assert.Equal(t, 3, d.asked, "the one after the other")
		assert.Equal(t, 1, named(contacts))
		assert.True(t, call.IsPartial())
	}
}

func TestOddAnswersAboutOrganisationsGiveNoName(t *testing.T) {
	for _, body := range []string{``, `null`, `[]`, `{}`, `true`, `<html>`, `{"ORGANISATION_ID":5}`, `{"ORGANISATION_ID":5,"ORGANISATION_NAME":null}`, `{"ORGANISATION_ID":5,"ORGANISATION_NAME":" "}`, `{"ORGANISATION_ID":6,"ORGANISATION_NAME":"another one"}`} {
		d := &directory{organisations: 9, single: func(w http.ResponseWriter, _ string) bool {
			_, _ = w.Write([]byte(body))
			return true
		}}
		contacts, call := contactsOf(t, d, 5)
		assert.Equal(t, "5", *contacts[0].Account.ID, body)
		assert.Nil(t, contacts[0].Account.Name, body)
		assert.True(t, call.IsPartial(), body)
	}
}

func TestOddListsOfOrganisationsDoNoHarm(t *testing.T) {
	hurry(t)
	k := start(t, nil)
	for _, body := range []string{``, `null`, `{}`, `[null,1,{"ORGANISATION_ID":145678901},{"ORGANISATION_NAME":"x"}]`, `<html>`} {
		require.NoError(t, k.Emulator.Inject(kit.Match{Path: "/v3.1/Organisations"}, kit.Fault{Status: 200, Body: quoted(body), Headers: map[string]string{"X-Total-Count": "-7"}}, 1))
		call := k.Call(t)
		page, err := listContacts(providertest.Context(t), call, sdk.ListQuery{PageSize: 10})
		require.NoError(t, err)
		assert.Equal(t, "Quill Ltd", *page.Records[0].Account.Name)
		assert.False(t, call.IsPartial())
	}
}

func TestAnIDThatNoOrganisationHasIsNotAskedFor(t *testing.T) {
	d := &directory{organisations: 9}
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	call := sdk.NewCall(provider, "api_key", json.RawMessage(credentials), server.URL)
	client, err := newClient(call)
	require.NoError(t, err)
	contacts := []crm.Contact{unify(t, `{"CONTACT_ID":7,"ORGANISATION_ID":"../Users/Me"}`), unify(t, `{"CONTACT_ID":8,"ORGANISATION_ID":-4}`)}
	nameAccounts(providertest.Context(t), call, client, contacts)
	assert.Zero(t, d.asked+d.pages)
	assert.True(t, call.IsPartial())
}

func TestTroubleEndsTheLookUps(t *testing.T) {
	k := start(t, nil)
	for _, fault := range []kit.Fault{faultOf(t, "error-html-500"), faultOf(t, "rate-limited-day"), faultOf(t, "unauthorized")} {
		k.Emulator.ForgetCalls()
		require.NoError(t, k.Emulator.Inject(kit.Match{Path: "/v3.1/Organisations*"}, fault, 1))
		call := k.Call(t)
		page, err := listContacts(providertest.Context(t), call, sdk.ListQuery{PageSize: 100})
		require.NoError(t, err)
		assert.Len(t, page.Records, 37)
		assert.Equal(t, "145678901", *page.Records[0].Account.ID)
		assert.Nil(t, page.Records[0].Account.Name)
		assert.True(t, call.IsPartial())
		assert.Len(t, k.Emulator.Calls(), 2, "the page and one look-up in vain")
	}
}

func TestTroubleWithOneEndsTheLookUpsOfTheRest(t *testing.T) {
	d := &directory{organisations: 9, listStatus: http.StatusForbidden, single: func(w http.ResponseWriter, _ string) bool {
		w.WriteHeader(http.StatusBadGateway)
		return true
	}}
	contacts, call := contactsOf(t, d, last(300, 300)...)
	assert.Zero(t, named(contacts))
	assert.LessOrEqual(t, d.asked, 2*lookupWorkers)
	assert.True(t, call.IsPartial())
}

func TestAGetCostsTwoCallsAtMost(t *testing.T) {
	k := start(t, nil)
	contact, err := getContact(providertest.Context(t), k.Call(t), "312345001")
	require.NoError(t, err)
	assert.Equal(t, "Quill Ltd", *contact.Account.Name)
	calls := k.Emulator.Calls()
	require.Len(t, calls, 2)
	assert.Equal(t, "/v3.1/Organisations/145678901", calls[1].Path)
	assert.Empty(t, calls[1].Query)
}

func TestAGetWithoutAnOrganisationCostsOneCall(t *testing.T) {
	k := start(t, nil)
	_, err := getContact(providertest.Context(t), k.Call(t), "312900002")
	require.NoError(t, err)
	assert.Len(t, k.Emulator.Calls(), 1)
}

func TestAGetNeverFailsForAName(t *testing.T) {
	k := start(t, nil)
	require.NoError(t, k.Emulator.Inject(kit.Match{Path: "/v3.1/Organisations/*"}, faultOf(t, "error-html-500"), -1))
	call := k.Call(t)
	contact, err := getContact(providertest.Context(t), call, "312345001")
	require.NoError(t, err)
	assert.Equal(t, "145678901", *contact.Account.ID)
	assert.Nil(t, contact.Account.Name)
	assert.True(t, call.IsPartial())

	call = k.Call(t) // an organisation that is gone
	contact, err = getContact(providertest.Context(t), call, "312900004")
	require.NoError(t, err)
	assert.NotNil(t, contact.Account.ID)
	assert.Nil(t, contact.Account.Name)
	assert.True(t, call.IsPartial())
}

func TestAPageOfTheEmulatorCostsAFewCalls(t *testing.T) {
	k := start(t, nil)
	page, err := listContacts(providertest.Context(t), k.Call(t), sdk.ListQuery{PageSize: 500})
	require.NoError(t, err)
	require.Len(t, page.Records, 37)
	var paths []string
	for _, c := range k.Emulator.Calls() {
		paths = append(paths, c.Path)
	}
	require.Len(t, paths, 3, "the contacts, the organisations, and the one organisation that is gone: %v", paths)
	assert.Equal(t, []string{"/v3.1/Contacts", "/v3.1/Organisations"}, paths[:2])
	assert.True(t, strings.HasPrefix(paths[2], "/v3.1/Organisations/"))
}

func TestTheRequestForTheListOfOrganisationsLooksAsDocumented(t *testing.T) {
	call := vendor(t, "organisations-list-brief")
	client, err := newClient(call)
	require.NoError(t, err)
	l := lookup{call: call, client: client, ids: []string{"145678901", "145678902"}, names: map[string]string{}}
	assert.True(t, l.fromList(providertest.Context(t)))
	assert.Equal(t, map[string]string{"145678901": "Quill Ltd"}, l.names)
	assert.Equal(t, []string{"145678902"}, l.ids)
}

func TestNamesDoNotTakeTheTimeOfTheRecords(t *testing.T) {
	k := start(t, nil)
	require.NoError(t, k.Emulator.Inject(kit.Match{Path: "/v3.1/Organisations*"}, kit.Fault{DelayMS: 10_000}, -1))
	ctx, cancel := context.WithTimeout(t.Context(), 1200*time.Millisecond)
	defer cancel()
	call := k.Call(t)
	page, err := listContacts(ctx, call, sdk.ListQuery{PageSize: 100})
	require.NoError(t, err)
	assert.Len(t, page.Records, 37)
	assert.True(t, call.IsPartial())
	assert.NoError(t, ctx.Err(), "time is left to answer")
}

func TestLookUpsKeepToTheLimitOfTheSecond(t *testing.T) {
	k := start(t, map[string]string{"rate_limit": "10"})
	require.NoError(t, k.Emulator.Inject(kit.Match{Path: "/v3.1/Organisations"}, kit.Fault{Status: 403}, -1)) // so that each is asked for
	call := k.Call(t)
	page, err := listContacts(providertest.Context(t), call, sdk.ListQuery{PageSize: 500})
	require.NoError(t, err)
	assert.Equal(t, "Quill Ltd", *page.Records[0].Account.Name)
	calls := k.Emulator.Calls()
	assert.Len(t, calls, 2+5, "no call was refused and sent again")
}

func TestWhatIsHopeless(t *testing.T) {
	for _, reason := range []errs.Reason{errs.VendorRateLimited, errs.VendorUnavailable, errs.VendorTimeout, errs.VendorUnauthenticated} {
		assert.True(t, isHopeless(t.Context(), errs.New(reason, "x")))
	}
	for _, reason := range []errs.Reason{errs.RecordNotFound, errs.VendorForbidden, errs.VendorRejected, errs.UnexpectedVendorAnswer} {
		assert.False(t, isHopeless(t.Context(), errs.New(reason, "x")))
	}
}
