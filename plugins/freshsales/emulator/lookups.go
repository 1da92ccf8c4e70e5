package emulator

import (
	kit "github.com/unicrm/unicrm/sdk/emulator"
)

const (
	firstStatus = 70000697854
	firstStage  = 71012139273
)

// ownerIDs are the users; the API key belongs to the first.
var ownerIDs = []int64{70000038922, 70000038923, 70000038924}

// owners lists the users. The key is "users".
func (i *instance) owners() (answer, *failure) {
	list := []any{}
	for _, u := range i.users {
		list = append(list, u.Clone())
	}
	return ok(kit.Pairs("users", list)), nil
}

// statuses are the contact statuses; the form of an item is unconfirmed but
// for id and name.
func statuses() []*kit.Object {
	list := []*kit.Object{}
	for at, name := range []string{"New", "Contacted", "Interested", "Won"} {
		list = append(list, kit.Pairs("partial", true, "id", number(firstStatus+int64(at)), "name", name, "position", number(int64(at+1))))
	}
	return list
}

func (i *instance) contactStatuses() (answer, *failure) {
	list := []any{}
	for _, s := range statuses() {
		list = append(list, s)
	}
	return ok(kit.Pairs("contact_statuses", list)), nil
}

func (i *instance) lifecycleStages() (answer, *failure) {
	stage := func(at int64, name string, statuses ...any) *kit.Object {
		return kit.Pairs("id", number(firstStage+at), "name", name, "position", number(at+1), "disabled", false,
			"default", true, "type", name, "contact_status_ids", statuses)
	}
	return ok(kit.Pairs("lifecycle_stages", []any{
		stage(0, "Lead", number(firstStatus), number(firstStatus+1)),
		stage(1, "Sales Qualified Lead", number(firstStatus+2)),
		stage(2, "Customer", number(firstStatus+3)),
	})), nil
}

func knownStatus(id int64) bool { return id >= firstStatus && id < firstStatus+4 }

func knownStage(id int64) bool { return id >= firstStage && id < firstStage+3 }

// list is a marketing list of contacts.
type list struct {
	id      int64
	name    string
	members []int64
}

func (i *instance) allLists(in *request) (answer, *failure) {
	var all []*kit.Object
	for _, l := range i.lists {
		all = append(all, kit.Pairs("id", number(l.id), "name", l.name))
	}
	page, meta, problem := pageOf(i, in, all, func(l *kit.Object) *kit.Object { return l })
	if problem != nil {
		return answer{}, problem
	}
	return ok(kit.Pairs("lists", append([]*kit.Object{}, page...), "meta", meta)), nil
}

func (i *instance) contactsOfList(in *request, text string) (answer, *failure) {
	id, problem := i.parseID(text)
	if problem != nil {
		return answer{}, problem
	}
	l, known := find(i.lists, func(l list) bool { return l.id == id })
	if !known {
		return answer{}, i.unknownID()
	}
	var all []*contact
	for _, member := range l.members {
		if c, known := i.contactByID(member); known && !c.deleted() {
			all = append(all, c)
		}
	}
	return i.pageOfContacts(in, all)
}
