package emulator

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// subMethods are the verbs of each sub-resource.
var subMethods = map[string]string{
	"tags":            "GET, PUT, POST, DELETE",
	"dates":           "GET, PUT",
	"emaildomains":    "GET, PUT",
	"links":           "GET, PUT, POST",
	"notes":           "GET, PUT, POST",
	"follow":          "GET, POST, DELETE",
	"emails":          "GET",
	"events":          "GET",
	"tasks":           "GET",
	"fileattachments": "GET",
}

// routeSub serves what lies below a record.
func (e *emulator) routeSub(r *request, k *kind, id, sub string, rest []string) *answer {
	rec, refusal := e.locateParent(r, k, id)
	if refusal != nil {
		return refusal
	}
	if sub == "links" && len(rest) == 1 {
		if r.Method != http.MethodDelete {
			return notAllowed(r, "DELETE")
		}
		return e.deleteLink(k, rec, rest[0])
	}
	if len(rest) > 0 {
		return noRoute()
	}
	switch {
	case sub == "tags" && r.Method != http.MethodGet:
		return e.writeTags(r, k, rec)
	case (sub == "dates" || sub == "emaildomains") && r.Method == http.MethodPut:
		return e.putItems(r, k, rec, strings.ToUpper(sub))
	case sub == "links" && (r.Method == http.MethodPost || r.Method == http.MethodPut):
		return e.writeLink(r, k, rec)
	case sub == "notes" && r.Method == http.MethodPost:
		return e.addNote(r, k, rec)
	case sub == "notes" && r.Method == http.MethodPut:
		return e.update(r, notes)
	case sub == "follow":
		return follow(r, rec)
	case r.Method != http.MethodGet:
		return notAllowed(r, subMethods[sub])
	}
	switch sub {
	case "tags", "dates", "links", "emaildomains":
		return asJSON(http.StatusOK, rec.doc.Get(strings.ToUpper(sub)))
	case "notes":
		return e.listNotes(r, k, rec)
	default:
		// Nothing here makes e-mails, events, tasks or files.
		p, refusal := e.page(r.query, "updated_after_utc")
		if refusal != nil {
			return refusal
		}
		return p.cut([]any{})
	}
}

// locateParent is locate without the answers that only a deletion of the
// record itself has.
func (e *emulator) locateParent(r *request, k *kind, id string) (*record, *answer) {
	reading := *r.Request
	if r.Method == http.MethodDelete {
		reading.Method = http.MethodPut
	}
	return e.locate(&request{Request: &reading}, k, id)
}

// writeTags sets all tags, adds one or takes one away.
func (e *emulator) writeTags(r *request, k *kind, rec *record) *answer {
	if r.Method != http.MethodPut && r.Method != http.MethodPost && r.Method != http.MethodDelete {
		return notAllowed(r, subMethods["tags"])
	}
	var sent []any
	var refusal *answer
	if r.Method == http.MethodPut {
		sent, refusal = e.parseList(r.body)
	} else {
		var one *kit.Object
		one, refusal = e.parseObject(r.body)
		sent = []any{one}
	}
	if refusal != nil {
		return refusal
	}
	list, refusal := e.items(k, rec.id, rec.doc, "TAGS", sent)
	if refusal != nil {
		return refusal
	}
	old := objects(rec.doc, "TAGS")
	switch {
	case r.Method == http.MethodDelete:
		name := list[0].(*kit.Object).Text("TAG_NAME")
		list = []any{}
		for _, tag := range old {
			if tag.Text("TAG_NAME") != name {
				list = append(list, tag)
			}
		}
	case r.Method == http.MethodPost || e.env.Switch("tags_put") == "merge":
		list = merged(old, list, "TAGS")
	}
	rec.doc.Set("TAGS", list)
	e.store(k, rec, rec.doc)
	switch r.Method {
	case http.MethodDelete:
		return empty(http.StatusAccepted)
	case http.MethodPost:
		return asJSON(http.StatusCreated, sent[0])
	default:
		return asJSON(e.updateStatus(), list)
	}
}

// putItems sets a record's dates or e-mail domains.
func (e *emulator) putItems(r *request, k *kind, rec *record, collection string) *answer {
	sent, refusal := e.parseList(r.body)
	if refusal != nil {
		return refusal
	}
	list, refusal := e.items(k, rec.id, rec.doc, collection, sent)
	if refusal != nil {
		return refusal
	}
	rec.doc.Set(collection, list)
	e.store(k, rec, rec.doc)
	return asJSON(http.StatusOK, list)
}

// writeLink adds a link (POST) or changes the one whose LINK_ID it has (PUT).
func (e *emulator) writeLink(r *request, k *kind, rec *record) *answer {
	sent, refusal := e.parseObject(r.body)
	if refusal != nil {
		return refusal
	}
	status := http.StatusOK
	if r.Method == http.MethodPost {
		status = http.StatusCreated
		sent.Delete("LINK_ID")
	} else {
		id, ok := integerOf(sent.Get("LINK_ID"))
		if !ok {
			return e.invalid("LINK_ID is required.")
		}
		if itemByID(rec.doc, "LINKS", "LINK_ID", id) == nil {
			return e.notFound("Link", id)
		}
	}
	link, refusal := e.link(k, rec.id, rec.doc, sent)
	if refusal != nil {
		return refusal
	}
	rec.doc.Set("LINKS", merged(objects(rec.doc, "LINKS"), []any{link}, "LINKS"))
	e.store(k, rec, rec.doc)
	return asJSON(status, link)
}

func (e *emulator) deleteLink(k *kind, rec *record, segment string) *answer {
	id, err := strconv.ParseInt(segment, 10, 64)
	if err != nil {
		return e.unbindable()
	}
	gone := itemByID(rec.doc, "LINKS", "LINK_ID", id)
	if gone == nil {
		return e.notFound("Link", id)
	}
	list := slices.DeleteFunc(rec.doc.Clone().Get("LINKS").([]any), func(o any) bool {
		own, _ := integerOf(o.(*kit.Object).Get("LINK_ID"))
		return own == id
	})
	rec.doc.Set("LINKS", list)
	e.store(k, rec, rec.doc)
	return empty(http.StatusAccepted)
}

// addNote creates a note below a record, which is the only way to make one.
// It counts as an activity of the record.
func (e *emulator) addNote(r *request, k *kind, rec *record) *answer {
	a := e.create(r, notes, kit.Pairs(
		"LINK_ID", integerValue(e.state.partID()), "OBJECT_NAME", notes.object, "OBJECT_ID", nil,
		"LINK_OBJECT_NAME", k.object, "LINK_OBJECT_ID", integerValue(rec.id),
		"ROLE", nil, "DETAILS", nil, "RELATIONSHIP_ID", integerValue(0), "IS_FORWARD", true,
	))
	if a.status == http.StatusCreated && rec.doc.Has("LAST_ACTIVITY_DATE_UTC") {
		rec.doc.Set("LAST_ACTIVITY_DATE_UTC", e.now().UTC().Format(stampForm))
		rec.seal(k)
	}
	return a
}

func (e *emulator) listNotes(r *request, k *kind, rec *record) *answer {
	p, refusal := e.page(r.query, "updated_after_utc")
	if refusal != nil {
		return refusal
	}
	after, refusal := e.updatedAfter(r.query)
	if refusal != nil {
		return refusal
	}
	own := e.notesOf(k, rec.id)
	return e.matching(notes, p, func(note *record) bool {
		return slices.Contains(own, note) && note.updated.After(after)
	})
}

// notesOf are the notes linked to a record, without deleted ones.
func (e *emulator) notesOf(k *kind, id int64) []*record {
	var own []*record
	for _, note := range e.state.records[notes] {
		if note.deleted {
			continue
		}
		for _, link := range objects(note.doc, "LINKS") {
			target, _ := integerOf(link.Get("LINK_OBJECT_ID"))
			if link.Text("LINK_OBJECT_NAME") == k.object && target == id {
				own = append(own, note)
				break
			}
		}
	}
	return own
}

func follow(r *request, rec *record) *answer {
	status := http.StatusOK
	switch r.Method {
	case http.MethodGet:
	case http.MethodPost:
		rec.following = true
		status = http.StatusCreated
	case http.MethodDelete:
		rec.following = false
		return empty(http.StatusAccepted)
	default:
		return notAllowed(r, subMethods["follow"])
	}
	return asJSON(status, kit.Pairs("FOLLOWING", rec.following))
}
