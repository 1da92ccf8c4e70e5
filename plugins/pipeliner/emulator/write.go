package emulator

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// apply makes a checked write.
func (s *store) apply(ch *change) {
	r := ch.row
	if ch.creating {
		fields := s.fields(ch.c)
		for i := range fields {
			if f := &fields[i]; f.stores() {
				r.values.Set(f.name, f.initial)
			}
		}
		s.add(ch.c.name, r)
	}
	for _, key := range ch.values.Keys() {
		r.values.Set(key, ch.values.Get(key))
	}
	s.touch(r)
	if ch.creating {
		r.created = r.modified
	}
	if !ch.created.IsZero() {
		r.created = ch.created
	}
	if !ch.modified.IsZero() {
		r.modified = ch.modified
	}
	for _, n := range ch.nested {
		s.applyNested(ch, n)
	}
	if ch.c.apply != nil {
		ch.c.apply(s, ch)
	}
}

// write checks and makes one write; index is its place in a batch or nil.
func (s *store) write(c *collection, r *row, input *kit.Object, level int, index any) (*row, failure) {
	creating := r == nil
	if creating {
		r = &row{id: s.newID(c.name), values: &kit.Object{}}
	} else if failed := s.checkRevision(r, input); failed != nil {
		return nil, failed
	}
	ch, problems := s.prepare(c, r, creating, input, level, &kit.Object{})
	if len(problems) > 0 {
		return nil, validationError(s, c, r.id, index, problems)
	}
	s.apply(ch)
	return r, nil
}

// checkRevision refuses a write based on an older state, if the vendor does.
func (s *store) checkRevision(r *row, input *kit.Object) failure {
	if given, ok := wholeNumber(input.Get("revision")); ok && s.env.Switch("revision_lock") == "on" && given != int64(r.revision) {
		return unconfirmed(http.StatusConflict, "CONFLICT", "The record has changed since.")
	}
	return nil
}

// erase deletes a record softly; index is its place in a batch or nil.
func (s *store) erase(c *collection, r *row, index any) failure {
	if r.protected {
		switch s.env.Switch("protected_delete") {
		case "400":
			return badParameter("The record is protected against delete.")
		case "403":
			return unconfirmed(http.StatusForbidden, "FORBIDDEN", "The record is protected against delete.")
		default:
			return validationError(s, c, r.id, index, []problem{invalid("", c.entity+" is protected against delete.")})
		}
	}
	r.deleted = true
	s.touch(r)
	if c.name == fieldRows {
		s.readCustom()
	}
	return nil
}

func (q *request) create() failure {
	level, input, err := q.writeInput()
	if err != nil {
		return err
	}
	r, err := q.store.write(q.c, nil, input, level, nil)
	if err != nil {
		return err
	}
	status := http.StatusCreated
	if q.env.Switch("create_status") == "200" {
		status = http.StatusOK
	}
	return writeData(q.w, status, q.view.render(q.store, q.c, r))
}

func (q *request) update(id string) failure {
	level, input, err := q.writeInput()
	if err != nil {
		return err
	}
	if input.Len() == 0 && q.env.Switch("empty_change") == "400" {
		return badBody
	}
	r, err := q.resolve(id)
	if err != nil {
		return err
	}
	if r.deleted {
		if q.env.Switch("update_after_delete") == "422" {
			return validationError(q.store, q.c, r.id, nil, []problem{invalid("", q.c.entity+" is deleted.")})
		}
		return q.notFound(id)
	}
	if r, err = q.store.write(q.c, r, input, level, nil); err != nil {
		return err
	}
	return writeData(q.w, http.StatusOK, q.view.render(q.store, q.c, r))
}

func (q *request) remove(id string) failure {
	query, err := q.parameters("validation-level")
	if err != nil {
		return err
	}
	if _, err := integerParameter(query, "validation-level", 0); err != nil {
		return err
	}
	r, err := q.resolve(id)
	if err != nil {
		return err
	}
	if r.deleted {
		switch q.env.Switch("second_delete") {
		case "200":
			return writeData(q.w, http.StatusOK, r.id)
		case "500":
			return unconfirmed(http.StatusInternalServerError, "INTERNAL", "Unexpected error.")
		default:
			return q.notFound(id)
		}
	}
	if err := q.store.erase(q.c, r, nil); err != nil {
		return err
	}
	return writeData(q.w, http.StatusOK, r.id)
}

// resolve finds the record of an id in a path, deleted or not.
func (q *request) resolve(id string) (*row, failure) {
	if !isUUID(id) {
		switch q.env.Switch("malformed_id") {
		case "400":
			return nil, badParameter("badly formed hexadecimal UUID string")
		case "404_route":
			return nil, noRoute
		default:
			return nil, q.notFound(id)
		}
	}
	r := q.store.find(q.c.name, id)
	if r == nil {
		switch q.env.Switch("unknown_id") {
		case "422":
			return nil, validationError(q.store, q.c, id, nil, []problem{invalid("", q.c.entity+" does not exist.")})
		case "404_route":
			return nil, noRoute
		}
		return nil, q.notFound(id)
	}
	return r, nil
}

func (q *request) notFound(id string) failure {
	return unconfirmed(http.StatusNotFound, "NOT_FOUND", q.c.entity+" with id "+id+" was not found.")
}

// writeInput reads the parameters and the body of a create or update.
func (q *request) writeInput() (level int, input *kit.Object, err failure) {
	query, err := q.parameters("validation-level")
	if err != nil {
		return 0, nil, err
	}
	if level, err = integerParameter(query, "validation-level", 0); err != nil {
		return 0, nil, err
	}
	value, err := q.json()
	if err != nil {
		return 0, nil, err
	}
	input, ok := value.(*kit.Object)
	if !ok {
		return 0, nil, badBody
	}
	return level, input, nil
}

// json reads the body. Validity comes first: it bounds the nesting.
func (q *request) json() (any, failure) {
	if q.env.Switch("content_type") == "required" && !isJSON(q.r) {
		return nil, badBody
	}
	if !json.Valid(q.body) {
		return nil, badBody
	}
	value, err := kit.ParseValue(q.body)
	if err != nil {
		return nil, badBody
	}
	return value, nil
}

func integerParameter(query url.Values, name string, otherwise int) (int, failure) {
	if !query.Has(name) {
		return otherwise, nil
	}
	n, err := strconv.Atoi(query.Get(name))
	if err != nil || n < 0 {
		return 0, badParameter("Parameter " + name + " takes a whole number.")
	}
	return n, nil
}
