package emulator

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

func (s *state) mergeContacts(q *request) (any, *failure) { return s.merge(q, true) }
func (s *state) previewMerge(q *request) (any, *failure)  { return s.merge(q, false) }

// merge adds to the target what the sources have and it has not. Sources
// disappear; a get by their ids gives the target from then on.
func (s *state) merge(q *request, forReal bool) (any, *failure) {
	if fail := s.idProblem("targetContactId", q.params["id"]); fail != nil {
		return nil, fail
	}
	body, fail := parseBody(q.body)
	if fail != nil {
		return nil, fail
	}
	c := &check{}
	c.known(body, "", "targetContactId", "targetContactRevision", "sourceContactIds")
	revision, p := c.integer(body, "targetContactRevision", "targetContactRevision")
	if forReal && p != given {
		c.violate("targetContactRevision", "must not be empty", "REQUIRED_FIELD", "")
	}
	ids, _ := c.texts(body, "sourceContactIds", "sourceContactIds")
	if len(ids) == 0 || len(ids) > 5 {
		c.violate("sourceContactIds", fmt.Sprintf("has size %d, expected 1 to 5", len(ids)), "MAX_SIZE", "")
	}
	for i, id := range ids {
		c.guid(fmt.Sprintf("sourceContactIds[%d]", i), id)
	}
	if fail := c.verdict(s.env); fail != nil {
		return nil, fail
	}
	target := s.find(q.params["id"])
	if target == nil {
		return nil, contactNotFound()
	}
	sources := make([]*contact, 0, len(ids))
	for _, id := range ids {
		source := s.find(id)
		switch {
		case source == nil:
			return nil, contactNotFound()
		case source == target || slices.Contains(sources, source):
			return nil, applicationError(http.StatusPreconditionRequired, "ILLEGAL_MERGE", "A contact cannot be merged with itself.")
		case source.member || source.user:
			return nil, applicationError(http.StatusPreconditionRequired, "ILLEGAL_MERGE", "A site member can only be the target of a merge.")
		}
		sources = append(sources, source)
	}
	if forReal && revision != target.revision {
		return nil, applicationError(http.StatusPreconditionRequired, "FAILED_PRECONDITION", "The target's revision does not fit.")
	}
	result := *target
	for _, source := range sources {
		result.info = mergeInfo(result.info, source.info)
	}
	if !forReal {
		return kit.Pairs("contact", result.render()), nil
	}
	target.info = result.info
	for _, source := range sources {
		delete(s.contacts, source.id)
		s.merged[source.id] = target.id
	}
	s.changed(q, target)
	return kit.Pairs("contact", target.render()), nil
}

// mergeInfo overwrites nothing: single values stay, lists grow by what is new.
func mergeInfo(target, source *kit.Object) *kit.Object {
	out := target.Clone()
	for _, key := range source.Keys() {
		switch key {
		case "emails", "phones", "addresses":
			out.Set(key, mergeItems(listOf(target, key), listOf(source, key)))
		case "labelKeys":
			all := labelsOf(target)
			for _, label := range labelsOf(source) {
				if !slices.Contains(all, label) {
					all = append(all, label)
				}
			}
			out.Set(key, all)
		case "extendedFields":
			fields := kit.Pairs()
			if own, ok := target.Get(key).(*kit.Object); ok {
				fields = own.Clone()
			}
			theirs := source.Get(key).(*kit.Object)
			for _, name := range theirs.Keys() {
				if !fields.Has(name) {
					fields.Set(name, theirs.Get(name))
				}
			}
			out.Set(key, fields)
		default:
			if !out.Has(key) {
				out.Set(key, source.Get(key))
			}
		}
	}
	return tidy(out)
}

func mergeItems(own, theirs []*kit.Object) []any {
	out := make([]any, 0, len(own)+len(theirs))
	seen := map[string]bool{}
	for i, item := range slices.Concat(own, theirs) {
		mark := strings.ToLower(item.Text("email") + item.Text("phone"))
		if address, ok := item.Get("address").(*kit.Object); ok {
			text, _ := address.MarshalJSON()
			mark = string(text)
		}
		if seen[mark] {
			continue
		}
		seen[mark] = true
		if i >= len(own) && len(own) > 0 {
			item = item.Clone()
			item.Delete("primary") // the target's own stays primary
		}
		out = append(out, item)
	}
	return out
}
