package emulator

import (
	"net/http"
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

func (s *state) updateContact(q *request) (any, *failure) {
	id := q.params["id"]
	if fail := s.idProblem("contactId", id); fail != nil {
		return nil, fail
	}
	body, fail := parseBody(q.body)
	if fail != nil {
		return nil, fail
	}
	c := &check{}
	// The SDK repeats the id in the body; the path decides.
	c.known(body, "", "contactId", "revision", "info", "allowDuplicates")
	revision, p := c.integer(body, "revision", "revision")
	if p != given {
		c.violate("revision", "must not be empty", "REQUIRED_FIELD", "")
	}
	duplicates := c.boolean(body, "allowDuplicates", "allowDuplicates")
	wanted, _ := c.object(body, "info", "info")
	if wanted == nil {
		wanted = kit.Pairs()
	}
	patch := c.info(wanted, s.env)
	if fail := c.verdict(s.env); fail != nil {
		return nil, fail
	}
	found := s.find(id)
	if found == nil {
		return nil, contactNotFound()
	}
	if revision != found.revision {
		return nil, applicationError(http.StatusConflict, "CONTACT_ALREADY_CHANGED", "Contact was changed by somebody else.")
	}
	if fail := s.update(found, patch, !duplicates); fail != nil {
		return nil, fail
	}
	s.changed(q, found)
	return kit.Pairs("contact", found.render()), nil
}

// update changes a contact's info or says why it cannot.
func (s *state) update(c *contact, patch *kit.Object, refuseDuplicates bool) *failure {
	if fail := s.prepare(patch); fail != nil {
		return fail
	}
	if patch.Len() == 0 {
		return applicationError(http.StatusBadRequest, "INSUFFICIENT_UPDATE_CONTACT_DATA", "There is nothing to update.")
	}
	info := s.apply(c.info, patch)
	if !sufficient(info) {
		return insufficient()
	}
	if c.member {
		if email := primaryOf(info, "emails"); email == nil || !strings.EqualFold(email.Text("email"), c.login) {
			return applicationError(http.StatusPreconditionRequired, "CANNOT_UPDATE_MEMBER_EMAIL", "The email of a site member cannot be changed here.")
		}
	}
	// Only what the request sets is compared: a contact that was allowed to be
	// a duplicate can still get a new job title.
	if refuseDuplicates {
		emails, phones := listOf(info, "emails"), listOf(info, "phones")
		if len(emails) > 0 || !patch.Has("phones") {
			phones = nil
		}
		if !patch.Has("emails") {
			emails = nil
		}
		if fail := s.duplicate(c.id, emails, phones); fail != nil {
			return fail
		}
	}
	c.info = info
	return nil
}

func insufficient() *failure {
	return applicationError(http.StatusBadRequest, "INSUFFICIENT_CONTACT_DATA", "A contact needs a name, an email or a phone.")
}

// duplicate looks for another contact with one of the emails, or, where there
// is no email, with one of the phones.
func (s *state) duplicate(self string, emails, phones []*kit.Object) *failure {
	for _, other := range s.all() {
		if other.id == self {
			continue
		}
		for _, email := range emails {
			for _, theirs := range listOf(other.info, "emails") {
				if strings.EqualFold(email.Text("email"), theirs.Text("email")) {
					return duplicateExists(other.id, "email", "duplicateEmail", email.Text("email"))
				}
			}
		}
		if len(emails) > 0 {
			continue
		}
		for _, phone := range phones {
			for _, theirs := range listOf(other.info, "phones") {
				if samePhone(phone, theirs) {
					return duplicateExists(other.id, "phone", "duplicatePhone", phone.Text("phone"))
				}
			}
		}
	}
	return nil
}

func duplicateExists(id, what, key, value string) *failure {
	fail := applicationError(http.StatusConflict, "DUPLICATE_CONTACT_EXISTS", "A contact with this "+what+" exists already.")
	fail.data = kit.Pairs("duplicateContactId", id, key, value)
	return fail
}

func samePhone(a, b *kit.Object) bool {
	if full := a.Text("e164Phone"); full != "" && full == b.Text("e164Phone") {
		return true
	}
	return a.Text("phone") == b.Text("phone")
}
