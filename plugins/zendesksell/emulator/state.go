package emulator

import (
	"cmp"
	"slices"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// ownUserID is the user that every token stands for.
const ownUserID = int64(7)

// firstNewID is where the ids of new records begin, above all seeded ones but
// the one that is there for its size.
const firstNewID = int64(1000001)

// state is everything that a reset brings back. The vendor's mutex guards it.
type state struct {
	contacts map[int64]*contact
	order    []*contact // the contacts by ascending id
	gone     map[int64]*contact
	users    []*kit.Object // by id
	tags     map[int64]*kit.Object
	nextID   int64

	holders       map[string]*holder
	refreshTokens map[string]bool
	code          string // the authorization code, empty once it is used
	grants        int
}

func (s *state) newID() int64 {
	id := s.nextID
	s.nextID++
	return id
}

func (s *state) user(id int64) *kit.Object {
	for _, u := range s.users {
		if u.Get("id") == id {
			return u
		}
	}
	return nil
}

// insert adds a contact.
func (s *state) insert(c *contact) {
	s.contacts[c.id] = c
	i, _ := slices.BinarySearchFunc(s.order, c, byID)
	s.order = slices.Insert(s.order, i, c)
}

// drop moves a contact to the deleted ones.
func (s *state) drop(c *contact) {
	delete(s.contacts, c.id)
	s.gone[c.id] = c
	if i, found := slices.BinarySearchFunc(s.order, c, byID); found {
		s.order = slices.Delete(s.order, i, i+1)
	}
}

func byID(a, b *contact) int { return cmp.Compare(a.id, b.id) }

func (s *state) tagNamed(name, resource string) *kit.Object {
	for _, tag := range s.tags {
		if tag.Text("name") == name && tag.Text("resource_type") == resource {
			return tag
		}
	}
	return nil
}

// ensureTag returns the tag of that name, made on the fly when it is new.
func (s *state) ensureTag(name, resource string, now time.Time) *kit.Object {
	if tag := s.tagNamed(name, resource); tag != nil {
		return tag
	}
	tag := newTag(s.newID(), name, resource, now)
	s.tags[tag.Get("id").(int64)] = tag
	return tag
}

func newTag(id int64, name, resource string, now time.Time) *kit.Object {
	return kit.Pairs(
		"id", id,
		"creator_id", ownUserID,
		"name", name,
		"resource_type", resource,
		"created_at", stamp(now),
		"updated_at", stamp(now),
	)
}
