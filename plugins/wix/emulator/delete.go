package emulator

import (
	"net/http"
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// deleteContact is permanent and answers {}.
func (s *state) deleteContact(q *request) (any, *failure) {
	id := q.params["id"]
	if fail := s.idProblem("contactId", id); fail != nil {
		return nil, fail
	}
	c := &check{}
	c.knownQuery(q, "contactId")
	if fail := c.verdict(s.env); fail != nil {
		return nil, fail
	}
	found := s.find(id)
	if found == nil {
		setting := "unknown_id"
		if s.deleted[strings.ToLower(id)] {
			setting = "second_delete"
		} else if _, ok := s.merged[strings.ToLower(id)]; ok {
			setting = "delete_merged_id"
		}
		if s.env.Switch(setting) == "200" {
			return kit.Pairs(), nil
		}
		return nil, contactNotFound()
	}
	if code, text := found.undeletable(); code != "" {
		if code == "CANNOT_DELETE_MEMBER" && s.env.Switch("member_delete") == "500" {
			return nil, applicationError(http.StatusInternalServerError, "FAILED_DELETE_CONTACT_AFTER_MEMBER_DELETION", "The member was deleted, the contact was not.")
		}
		return nil, applicationError(http.StatusPreconditionRequired, code, text)
	}
	s.remove(found)
	s.wrote(q)
	return kit.Pairs(), nil
}

func (s *state) remove(c *contact) {
	delete(s.contacts, c.id)
	s.deleted[c.id] = true
}

// undeletable gives the code and text of what keeps a contact, if anything.
func (c *contact) undeletable() (code, text string) {
	switch {
	case c.user:
		return "CANNOT_DELETE_MEMBER_OWNER_OR_CONTRIBUTOR", "The contact is a Wix user of this site."
	case c.member:
		return "CANNOT_DELETE_MEMBER", "The contact is a site member; delete the member first."
	case c.billing:
		return "CANNOT_DELETE_CONTACT_WITH_BILLING_SUBSCRIPTION", "The contact has a valid billing subscription."
	}
	return "", ""
}
