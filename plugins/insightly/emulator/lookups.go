package emulator

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// recordTypes are what /Tags takes as record_type.
var recordTypes = []string{"contacts", "leads", "opportunities", "organisations", "projects", "emails"}

// routeUsers serves /Users, /Users/Me, /Users/Search and /Users/{id}.
func (e *emulator) routeUsers(r *request, rest []string) *answer {
	if len(rest) > 1 {
		return noRoute()
	}
	if r.Method != http.MethodGet {
		return notAllowed(r, "GET")
	}
	switch {
	case len(rest) == 0:
		return e.listUsers(r, func(*kit.Object) bool { return true })
	case strings.EqualFold(rest[0], "me"):
		return asJSON(http.StatusOK, e.state.user(keyUser))
	case strings.EqualFold(rest[0], "search"):
		return e.searchUsers(r)
	}
	id, err := strconv.ParseInt(rest[0], 10, 64)
	if err != nil {
		return e.unbindable()
	}
	user := e.state.user(id)
	if user == nil {
		return e.notFound("User", id)
	}
	return asJSON(http.StatusOK, user)
}

// listUsers needs an administrator's key, which the switch takes away.
func (e *emulator) listUsers(r *request, keep func(*kit.Object) bool, own ...string) *answer {
	if e.env.Switch("users_list") == "403" {
		return message(http.StatusForbidden, "API User does not have access to Record.")
	}
	p, refusal := e.page(r.query, own...)
	if refusal != nil {
		return refusal
	}
	found := []any{}
	for _, user := range e.state.users {
		if keep(user) {
			found = append(found, user)
		}
	}
	return p.cut(found)
}

// userKind describes users well enough to search them.
var userKind = &kind{object: "User", fields: fieldList(
	integer("USER_ID"), integer("CONTACT_ID"), line("FIRST_NAME"), line("LAST_NAME"), line("TIMEZONE_ID"), line("EMAIL_ADDRESS"),
	boolean("ADMINISTRATOR"), boolean("ACCOUNT_OWNER"), boolean("ACTIVE"), date("DATE_CREATED_UTC"), date("DATE_UPDATED_UTC"),
	line("USER_CURRENCY"), integer("INSTANCE_ID"), integer("PROFILE_ID"), integer("ROLE_ID"),
)}

func (e *emulator) searchUsers(r *request) *answer {
	after, refusal := e.updatedAfter(r.query)
	if refusal != nil {
		return refusal
	}
	match, refusal := e.fieldFilter(r.query, userKind)
	if refusal != nil {
		return refusal
	}
	return e.listUsers(r, func(user *kit.Object) bool {
		// The stamp's form sorts like its time.
		return (after.IsZero() || user.Text("DATE_UPDATED_UTC") > after.Format(stampForm)) && match(user)
	}, "field_name", "field_value", "updated_after_utc")
}

func (s *state) user(id int64) *kit.Object {
	for _, user := range s.users {
		if own, _ := integerOf(user.Get("USER_ID")); own == id {
			return user
		}
	}
	return nil
}

// rememberTag keeps a tag's name for /Tags after its last use too.
func (s *state) rememberTag(k *kind, name string) {
	recordType := strings.ToLower(k.path)
	if !slices.Contains(s.tagNames[recordType], name) {
		s.tagNames[recordType] = append(s.tagNames[recordType], name)
		slices.Sort(s.tagNames[recordType])
	}
}

func (e *emulator) routeTags(r *request, rest []string) *answer {
	if len(rest) > 0 {
		return noRoute()
	}
	if r.Method != http.MethodGet {
		return notAllowed(r, "GET")
	}
	p, refusal := e.page(r.query, "record_type")
	if refusal != nil {
		return refusal
	}
	recordType := strings.ToLower(r.query.Get("record_type"))
	if !slices.Contains(recordTypes, recordType) {
		return e.invalid("record_type is not valid.")
	}
	list := []any{}
	for _, name := range e.state.tagNames[recordType] {
		list = append(list, kit.Pairs("TAG_NAME", name))
	}
	return p.cut(list)
}

func (e *emulator) routeInstance(r *request, rest []string) *answer {
	if len(rest) > 0 {
		return noRoute()
	}
	if r.Method != http.MethodGet {
		return notAllowed(r, "GET")
	}
	return asJSON(http.StatusOK, kit.Pairs(
		"INSTANCE_NAME", "Quill Group", "INSTANCE_SUBDOMAIN", "quillgroup",
		"PLAN_NAME", "Enterprise", "NEW_USER_EXPERIENCE_ENABLED", true,
	))
}

func (e *emulator) routeRelationships(r *request, rest []string) *answer {
	if len(rest) > 0 {
		return noRoute()
	}
	if r.Method != http.MethodGet {
		return notAllowed(r, "GET")
	}
	p, refusal := e.page(r.query)
	if refusal != nil {
		return refusal
	}
	return p.cut([]any{
		kit.Pairs("RELATIONSHIP_ID", 1, "FORWARD_TITLE", "Partner", "FORWARD", "is a partner of", "REVERSE_TITLE", "Partner", "REVERSE", "is a partner of", "FOR_CONTACTS", false, "FOR_ORGANISATIONS", true),
		kit.Pairs("RELATIONSHIP_ID", 2, "FORWARD_TITLE", "Manager", "FORWARD", "manages", "REVERSE_TITLE", "Report", "REVERSE", "reports to", "FOR_CONTACTS", true, "FOR_ORGANISATIONS", false),
	})
}
