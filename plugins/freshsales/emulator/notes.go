package emulator

import (
	"fmt"
	"slices"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// note hangs on a contact or an account and is read through it.
type note struct {
	id     int64
	record *kit.Object
}

func (n *note) about(kind string, id int64) bool {
	return n.record.Get("targetable_type") == kind && n.record.Get("targetable_id") == number(id)
}

func (i *instance) routeNotes(in *request, rest []string) (answer, *failure) {
	switch {
	case in.method == "POST" && len(rest) == 0:
		return i.createNote(in)
	case len(rest) != 1 || in.method != "PUT" && in.method != "DELETE":
		return answer{}, notFound()
	}
	id, problem := i.parseID(rest[0])
	if problem != nil {
		return answer{}, problem
	}
	n, known := find(i.notes, func(n *note) bool { return n.id == id })
	if !known {
		return answer{}, i.unknownID()
	}
	if in.method == "DELETE" {
		i.notes = slices.DeleteFunc(i.notes, func(other *note) bool { return other == n })
		return i.removed("delete_answer"), nil
	}
	attributes, problem := i.envelope(in, "note")
	if problem != nil {
		return answer{}, problem
	}
	if text, given := attributes.Lookup("description"); given {
		description, isText := text.(string)
		if !isText || description == "" {
			return answer{}, invalid("Description can't be blank")
		}
		set(n.record, "description", description, "updated_at", i.now())
	}
	return ok(kit.Pairs("note", n.record.Clone())), nil
}

func (i *instance) createNote(in *request) (answer, *failure) {
	attributes, problem := i.envelope(in, "note")
	if problem != nil {
		return answer{}, problem
	}
	kind, description := attributes.Text("targetable_type"), attributes.Text("description")
	id, fine := idOf(attributes.Get("targetable_id"))
	switch kind {
	case "Contact":
		c, known := i.contactByID(id)
		fine = fine && known && !c.deleted()
	case "SalesAccount":
		fine = fine && i.knownAccount(id)
	default:
		fine = false // deals and leads are not emulated
	}
	switch {
	case description == "":
		return answer{}, invalid("Description can't be blank")
	case !fine:
		return answer{}, invalid("Targetable is invalid")
	}
	n := i.addNote(kind, id, description, i.now())
	return answer{status: i.createStatus(), body: kit.Pairs("note", n.record.Clone())}, nil
}

func (i *instance) addNote(kind string, id int64, description, stamp string) *note {
	n := &note{id: i.newID("note")}
	n.record = kit.Pairs("id", number(n.id), "description", description, "targetable_type", kind, "targetable_id", number(id),
		"creater_id", number(ownerIDs[0]), "created_at", stamp, "updated_at", stamp)
	i.notes = append(i.notes, n)
	return n
}

// contactNotes answers the notes of a contact and, with include=creater, who
// wrote them.
func (i *instance) contactNotes(in *request, id string) (answer, *failure) {
	c, problem := i.liveContactAt(id)
	if problem != nil {
		return answer{}, problem
	}
	list := []any{}
	for _, n := range i.notes {
		if n.about("Contact", c.id) {
			list = append(list, n.record.Clone())
		}
	}
	body := kit.Pairs("notes", list)
	if slices.Contains(words(in.query.Get("include")), "creater") {
		users := []any{}
		if len(list) > 0 {
			users = append(users, i.users[0].Clone())
		}
		body.Set("users", users)
	}
	return ok(body), nil
}

// contactActivities answers the one activity that every contact has here, its
// making, and one for each note.
func (i *instance) contactActivities(_ *request, id string) (answer, *failure) {
	c, problem := i.liveContactAt(id)
	if problem != nil {
		return answer{}, problem
	}
	activity := func(kind, stamp string, about any) *kit.Object {
		return kit.Pairs("composite_id", fmt.Sprintf("%s_%d_%s", kind, c.id, textOf(about)), "action_type", kind, "action_data", &kit.Object{},
			"created_at", stamp, "user_activity", true, "targetable_type", "Contact", "targetable_id", number(c.id),
			"actionable_type", nil, "actionable_id", nil, "targetable_name", c.record.Get("display_name"), "user_id", number(c.creater))
	}
	list := []any{activity("contact_create", c.record.Text("created_at"), nil)}
	for _, n := range i.notes {
		if n.about("Contact", c.id) {
			list = append(list, activity("note_create", n.record.Text("created_at"), number(n.id)))
		}
	}
	user := i.users[0]
	users := []any{kit.Pairs("id", user.Get("id"), "display_name", user.Get("display_name"), "email", user.Get("email"))}
	return ok(kit.Pairs("users", users, "activities", list)), nil
}
