package emulator

import (
	"fmt"
	"slices"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

func (s *state) labelContact(q *request) (any, *failure) {
	body, fail := parseBody(q.body)
	if fail != nil {
		return nil, fail
	}
	c := &check{}
	c.known(body, "", "contactId", "labelKeys")
	keys, _ := c.texts(body, "labelKeys", "labelKeys")
	return s.relabel(q, c, keys, addLabels)
}

// unlabelContact takes the keys from the query, where each has a labelKeys of
// its own.
func (s *state) unlabelContact(q *request) (any, *failure) {
	c := &check{}
	c.knownQuery(q, "contactId", "labelKeys")
	return s.relabel(q, c, q.query["labelKeys"], removeLabels)
}

func (s *state) relabel(q *request, c *check, keys []string, change func(c *contact, keys []string)) (any, *failure) {
	id := q.params["id"]
	if fail := s.idProblem("contactId", id); fail != nil {
		return nil, fail
	}
	if len(keys) == 0 {
		c.violate("labelKeys", "must not be empty", "MIN_SIZE", "")
	}
	if len(keys) > 100 {
		c.violate("labelKeys", fmt.Sprintf("has size %d, expected 100 or less", len(keys)), "MAX_SIZE", "")
	}
	if fail := c.verdict(s.env); fail != nil {
		return nil, fail
	}
	found := s.find(id)
	if found == nil {
		return nil, contactNotFound()
	}
	if fail := s.knownLabels("labelKeys", keys); fail != nil {
		return nil, fail
	}
	change(found, keys)
	if s.env.Switch("label_revision") == "bump" {
		s.changed(q, found)
	} else {
		s.wrote(q)
	}
	return kit.Pairs("contact", found.render()), nil
}

// knownLabels refuses keys of labels that do not exist.
func (s *state) knownLabels(field string, keys []string) *failure {
	for _, key := range keys {
		if s.labels.find(key) == nil {
			return invalid(violation{field: field, description: "names a label that does not exist: " + key, rule: "CUSTOM"})
		}
	}
	return nil
}

func labelsOf(info *kit.Object) []string {
	keys, _ := info.Get("labelKeys").([]string)
	return slices.Clone(keys)
}

func addLabels(c *contact, keys []string) {
	all := labelsOf(c.info)
	for _, key := range keys {
		if !slices.Contains(all, key) {
			all = append(all, key)
		}
	}
	setLabels(c, all)
}

func removeLabels(c *contact, keys []string) {
	setLabels(c, slices.DeleteFunc(labelsOf(c.info), func(key string) bool { return slices.Contains(keys, key) }))
}

func setLabels(c *contact, keys []string) {
	info := c.info.Clone()
	info.Set("labelKeys", keys)
	c.info = tidy(info)
}
