package emulator

import (
	"fmt"
	"net/http"
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// create adds a record; parent is the link to the record above, if any.
func (e *emulator) create(r *request, k *kind, parent *kit.Object) *answer {
	body, refusal := e.parseObject(r.body)
	if refusal != nil {
		return refusal
	}
	if most, limited := number(e.env.Switch("record_limit")); limited && e.state.live(contacts)+e.state.live(organisations) >= most {
		return message(http.StatusPaymentRequired, "Record limit reached.")
	}
	rec := &record{id: e.state.nextID[k]}
	doc := k.blank(rec.id)
	if refusal := e.applyFields(k, doc, body); refusal != nil {
		return refusal
	}
	if refusal := e.applyCollections(k, rec, doc, body); refusal != nil {
		return refusal
	}
	for _, key := range []string{"OWNER_USER_ID", "CREATED_USER_ID"} {
		if doc.Has(key) && doc.Get(key) == nil {
			doc.Set(key, integerValue(keyUser))
		}
	}
	if parent != nil {
		parent.Set("OBJECT_ID", integerValue(rec.id))
		doc.Set("LINKS", append([]any{parent}, doc.Get("LINKS").([]any)...))
	}
	e.store(k, rec, doc)
	doc.Set("DATE_CREATED_UTC", doc.Get("DATE_UPDATED_UTC"))
	e.state.add(k, rec)
	a := asJSON(http.StatusCreated, doc)
	a.set("Location", fmt.Sprintf("%s/%s/%s/%d", e.env.BaseURL(), apiVersion, k.path, rec.id))
	return a
}

// update changes the fields that the body names. All of it is checked before
// any of it is stored.
func (e *emulator) update(r *request, k *kind) *answer {
	body, refusal := e.parseObject(r.body)
	if refusal != nil {
		return refusal
	}
	if body.Get(k.idKey) == nil {
		return e.invalid("%s is required.", k.idKey)
	}
	id, ok := integerOf(body.Get(k.idKey))
	if !ok {
		return e.invalid("%s is not an integer.", k.idKey)
	}
	rec := e.state.find(k, id)
	switch {
	case rec != nil && rec.noAccess:
		return e.noAccess(k, id)
	case rec == nil || rec.deleted:
		if e.env.Switch("unknown_id_on_update") == "400" {
			return e.invalid("%s %d is not valid.", k.idKey, id)
		}
		return e.notFound(k.object, id)
	}
	if refusal := e.checkIfMatch(r, rec); refusal != nil {
		return refusal
	}
	doc := rec.doc.Clone()
	if refusal := e.applyFields(k, doc, body); refusal != nil {
		return refusal
	}
	if refusal := e.applyCollections(k, rec, doc, body); refusal != nil {
		return refusal
	}
	e.store(k, rec, doc)
	return asJSON(e.updateStatus(), doc)
}

// store makes doc the record's content and moves its stamps.
func (e *emulator) store(k *kind, rec *record, doc *kit.Object) {
	rec.doc = doc
	rec.touch(k, e.now())
	for _, tag := range objects(doc, "TAGS") {
		e.state.rememberTag(k, tag.Text("TAG_NAME"))
	}
}

// updateStatus is 200 as observed, or 201 as the vendor's description has it.
func (e *emulator) updateStatus() int {
	if e.env.Switch("update_status") == "201" {
		return http.StatusCreated
	}
	return http.StatusOK
}

// checkIfMatch refuses a write against another revision than the stored one.
func (e *emulator) checkIfMatch(r *request, rec *record) *answer {
	sent := r.Header.Get("If-Match")
	if sent == "" || strings.Trim(sent, `"`) == rec.etag() {
		return nil
	}
	if e.env.Switch("stale_if_match") == "412" {
		return message(http.StatusPreconditionFailed, fmt.Sprintf("If-Match header value %s is not valid.", sent))
	}
	return e.invalid("If-Match header value %s is not valid.", sent)
}

// remove puts a record, and the notes that hang on it, into the recycle bin.
func (e *emulator) remove(r *request, k *kind, rec *record) *answer {
	if e.env.Switch("delete_if_match") == "honour" {
		if refusal := e.checkIfMatch(r, rec); refusal != nil {
			return refusal
		}
	}
	if rec.undeletable {
		return empty(http.StatusExpectationFailed)
	}
	rec.deleted = true
	rec.lag, _ = number(e.env.Switch("query_lag"))
	for _, note := range e.notesOf(k, rec.id) {
		note.deleted = true
	}
	return empty(http.StatusAccepted)
}
