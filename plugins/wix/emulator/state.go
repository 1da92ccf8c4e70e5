package emulator

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

const consistentPrefix = "emulator-write-"

// state is everything that a reset throws away. The instance's lock guards it.
type state struct {
	env      *kit.Env
	contacts map[string]*contact
	merged   map[string]string // id merged away to the id that took it in
	deleted  map[string]bool
	labels   *catalogue
	fields   *catalogue
	jobs     []*job
	tokens   map[string]*token
	window   window

	lastStamp time.Time
	guids     int
	writes    int
	reads     int // lists and queries
}

func newState(env *kit.Env) *state {
	s := &state{
		env: env, contacts: map[string]*contact{}, merged: map[string]string{}, deleted: map[string]bool{},
		tokens: map[string]*token{}, lastStamp: kit.Epoch,
	}
	s.seedCatalogues()
	s.seedContacts(env.Seed)
	return s
}

// newGUID returns ids that are the same in every run.
func (s *state) newGUID() string {
	s.guids++
	return fmt.Sprintf("9b1d5e70-0000-4000-8000-%012x", s.guids)
}

// now returns the time of a write, later than that of every earlier one.
func (s *state) now() time.Time {
	t := time.Now().UTC().Truncate(time.Millisecond)
	if !t.After(s.lastStamp) {
		t = s.lastStamp.Add(time.Millisecond)
	}
	s.lastStamp = t
	return t
}

// changed notes a write to a contact: it moves the revision and the stamp.
func (s *state) changed(q *request, c *contact) {
	c.revision++
	c.updated = s.now()
	s.wrote(q)
}

func (s *state) wrote(q *request) {
	s.writes++
	if q != nil {
		q.wrote = true
	}
}

// find returns the contact with an id, in either case of letters.
func (s *state) find(id string) *contact { return s.contacts[strings.ToLower(id)] }

// all returns every contact, oldest first.
func (s *state) all() []*contact {
	list := make([]*contact, 0, len(s.contacts))
	for _, c := range s.contacts {
		list = append(list, c)
	}
	sort.Slice(list, func(i, j int) bool {
		if !list[i].created.Equal(list[j].created) {
			return list[i].created.Before(list[j].created)
		}
		return list[i].id < list[j].id
	})
	return list
}

// visible is all, less what the caller cannot see yet under query_lag.
func (s *state) visible(q *request) []*contact {
	s.reads++
	seen := 0
	if echo, ok := strings.CutPrefix(q.header.Get("x-wix-consistent"), consistentPrefix); ok {
		seen, _ = strconv.Atoi(echo)
	}
	all := s.all()
	list := all[:0]
	for _, c := range all {
		if s.reads >= c.visibleFrom || c.write <= seen {
			list = append(list, c)
		}
	}
	return list
}

// lag is how many lists and queries a new contact stays unseen.
func (s *state) lag() int {
	n, err := strconv.Atoi(s.env.Switch("query_lag"))
	if err != nil || n < 0 {
		return 0
	}
	return n
}
