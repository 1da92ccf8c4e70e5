package emulator

import (
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

func (s *state) getContact(q *request) (any, *failure) {
	id := q.params["id"]
	if fail := s.idProblem("id", id); fail != nil {
		return nil, fail
	}
	c := &check{}
	c.knownQuery(q, "id", "fields", "fieldsets")
	show := c.project(q.query["fields"], q.query["fieldsets"], "")
	if fail := c.verdict(s.env); fail != nil {
		return nil, fail
	}
	kind := "REGULAR"
	found := s.find(id)
	for target, ok := s.merged[strings.ToLower(id)]; ok && found == nil; target, ok = s.merged[target] {
		kind, found = "MERGED", s.contacts[target]
	}
	if found == nil {
		return nil, contactNotFound()
	}
	return kit.Pairs("contact", show.of(found), "responseType", kind), nil
}

func (s *state) createContact(q *request) (any, *failure) {
	body, fail := parseBody(q.body)
	if fail != nil {
		return nil, fail
	}
	c := &check{}
	c.known(body, "", "info", "allowDuplicates")
	duplicates := c.boolean(body, "allowDuplicates", "allowDuplicates")
	wanted, _ := c.object(body, "info", "info")
	if wanted == nil {
		wanted = kit.Pairs()
		c.violate("info", "must not be empty", "REQUIRED_FIELD", "")
	}
	patch := c.info(wanted, s.env)
	if fail := c.verdict(s.env); fail != nil {
		return nil, fail
	}
	if fail := s.prepare(patch); fail != nil {
		return nil, fail
	}
	info := s.apply(kit.Pairs(), patch)
	if !sufficient(info) {
		return nil, insufficient()
	}
	if !duplicates {
		if fail := s.duplicate("", listOf(info, "emails"), listOf(info, "phones")); fail != nil {
			return nil, fail
		}
	}
	now := s.now()
	made := &contact{
		env: s.env, id: s.newGUID(), created: now, updated: now, activity: now, source: kit.Pairs("sourceType", "OTHER"),
		info: info, subscription: "NOT_SET", deliverability: "NOT_SET",
	}
	if q.app {
		made.source.Set("appId", clientID)
	}
	if s.env.Switch("first_revision") == "1" {
		made.revision = 1
	}
	s.wrote(q)
	made.write = s.writes
	made.visibleFrom = s.reads + 1 + s.lag()
	s.contacts[made.id] = made
	return kit.Pairs("contact", made.render()), nil
}
