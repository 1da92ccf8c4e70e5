package emulator

import (
	"net/http"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// batch reads a bare array and handles its items in turn. With
// rollback-method 0, the default, the first failure is the whole answer and
// nothing has happened; with 1 a failed item leaves an Error in its place.
func (q *request) batch(handle func(item any, level, index int) (string, failure)) failure {
	query, err := q.parameters("validation-level", "rollback-method")
	if err != nil {
		return err
	}
	level, err := integerParameter(query, "validation-level", 0)
	if err != nil {
		return err
	}
	rollback, err := integerParameter(query, "rollback-method", 0)
	if err != nil {
		return err
	}
	if rollback > 1 {
		return badParameter("Parameter rollback-method takes 0 or 1.")
	}
	value, err := q.json()
	if err != nil {
		return err
	}
	items, ok := value.([]any)
	if !ok {
		return badBody
	}
	if most, _ := parseLimit(q.env.Switch("batch_max")); most >= 0 && len(items) > most {
		return badParameter("Too many items.")
	}
	before := q.store.snapshot()
	results := []any{}
	for index, item := range items {
		id, failed := handle(item, level, index)
		switch {
		case failed == nil:
			results = append(results, id)
		case rollback == 0:
			q.store.restore(before)
			return failed
		default:
			results = append(results, failed.object())
		}
	}
	return writeData(q.w, http.StatusOK, results)
}

func (q *request) batchModify() failure {
	return q.batch(func(item any, level, index int) (string, failure) {
		input, ok := item.(*kit.Object)
		if !ok {
			return "", badBody
		}
		var r *row
		if input.Get("id") != nil {
			id, _ := input.Get("id").(string)
			var failed failure
			if r, failed = q.live(id); failed != nil {
				return "", failed
			}
		}
		input = input.Clone()
		input.Delete("id")
		r, failed := q.store.write(q.c, r, input, level, index)
		if failed != nil {
			return "", failed
		}
		return r.id, nil
	})
}

func (q *request) batchDelete() failure {
	return q.batch(func(item any, _, index int) (string, failure) {
		id, _ := item.(string)
		r, failed := q.live(id)
		if failed != nil {
			return "", failed
		}
		if failed := q.store.erase(q.c, r, index); failed != nil {
			return "", failed
		}
		return r.id, nil
	})
}

// batchRestore brings deleted records back. One that is not deleted stays.
func (q *request) batchRestore() failure {
	return q.batch(func(item any, _, _ int) (string, failure) {
		id, _ := item.(string)
		r, failed := q.resolve(id)
		if failed != nil {
			return "", failed
		}
		if r.deleted {
			r.deleted = false
			q.store.touch(r)
			q.store.readCustom()
		}
		return r.id, nil
	})
}

// live finds a record that is not deleted.
func (q *request) live(id string) (*row, failure) {
	r, failed := q.resolve(id)
	if failed == nil && r.deleted {
		return nil, q.notFound(id)
	}
	return r, failed
}

// merge moves what duplicates have to the master record and deletes them.
func (q *request) merge() failure {
	if _, err := q.parameters(); err != nil {
		return err
	}
	value, err := q.json()
	if err != nil {
		return err
	}
	input, ok := value.(*kit.Object)
	if !ok {
		return badBody
	}
	fields, _ := input.Get("master").(*kit.Object)
	list, _ := input.Get("secondary_ids").([]any)
	if fields == nil || len(list) == 0 {
		return badParameter("master and secondary_ids are needed.")
	}
	master, failed := q.live(fields.Text("id"))
	if failed != nil {
		return failed
	}
	before := q.store.snapshot()
	for _, item := range list {
		id, _ := item.(string)
		duplicate, failed := q.live(id)
		if failed == nil && duplicate == master {
			failed = badParameter("The master cannot be its own duplicate.")
		}
		if failed == nil {
			q.store.inherit(q.c, master, duplicate)
			failed = q.store.erase(q.c, duplicate, nil)
		}
		if failed != nil {
			q.store.restore(before)
			return failed
		}
	}
	fields = fields.Clone()
	fields.Delete("id")
	if _, failed := q.store.write(q.c, master, fields, 0, nil); failed != nil {
		q.store.restore(before)
		return failed
	}
	return writeData(q.w, http.StatusOK, q.view.render(q.store, q.c, master))
}

// inherit fills the master's empty fields and moves the links to it.
func (s *store) inherit(c *collection, master, duplicate *row) {
	for _, key := range duplicate.values.Keys() {
		if isEmpty(master.values.Get(key)) {
			master.values.Set(key, duplicate.values.Get(key))
		}
	}
	via := map[string]string{contacts: "contact_id", accounts: "account_id"}[c.name]
	for _, name := range []string{accountRelations, tagRelations, notes} {
		for _, r := range s.rowsWhere(name, via, duplicate.id) {
			r.values.Set(via, master.id)
			if name == accountRelations && c.name == contacts && s.primaryRelation(master.id) != r && s.primaryRelation(master.id) != nil {
				r.values.Set("is_primary", false)
			}
			s.touch(r)
		}
	}
}
