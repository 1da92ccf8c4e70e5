package emulator

import (
	"net/http"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

func (p *planhat) get(c *collection, id string) reply {
	record, wellFormed := c.find(id)
	if !wellFormed {
		return p.malformed(id)
	}
	if record == nil {
		return p.notFound()
	}
	return respond(http.StatusOK, c.render(record, false))
}

func (p *planhat) create(c *collection, body []byte) reply {
	sent, problem := parseObject(body)
	if problem != "" {
		return p.fail(http.StatusBadRequest, problem)
	}
	record, problem := p.insert(c, sent)
	if problem != "" {
		return p.fail(http.StatusBadRequest, problem)
	}
	status := http.StatusOK
	if p.env.Switch("create_status") == "201" {
		status = http.StatusCreated
	}
	return respond(status, c.render(record, false))
}

func (p *planhat) update(c *collection, id string, body []byte) reply {
	record, wellFormed := c.find(id)
	if !wellFormed {
		return p.malformed(id)
	}
	sent, problem := parseObject(body)
	if problem != "" {
		return p.fail(http.StatusBadRequest, problem)
	}
	if sent.Has("_id") {
		return p.fail(http.StatusBadRequest, "_id must not be sent")
	}
	if record == nil {
		return p.notFound()
	}
	if _, problem = p.change(c, record, sent); problem != "" {
		return p.fail(http.StatusBadRequest, problem)
	}
	return respond(http.StatusOK, c.render(record, false))
}

// remove deletes for good; nothing brings a record back. A record that is not
// there answers the same whether it was deleted or never existed.
func (p *planhat) remove(c *collection, id string) reply {
	record, wellFormed := c.find(id)
	if !wellFormed || (!objectID.MatchString(id) && p.env.Switch("delete_by_alias") == "refused") {
		return p.malformed(id)
	}
	if record == nil {
		if p.env.Switch("second_delete") == "404" {
			return p.notFound()
		}
		return p.deleted(0)
	}
	c.drop(record)
	return p.deleted(1)
}

// deleted answers with MongoDB's count object, which has no id in it.
func (p *planhat) deleted(n int) reply {
	switch p.env.Switch("delete_body") {
	case "n_ok":
		return respond(http.StatusOK, kit.Pairs("n", n, "ok", 1))
	case "empty":
		return reply{status: http.StatusOK}
	case "204":
		return reply{status: http.StatusNoContent}
	default:
		return respond(http.StatusOK, kit.Pairs("n", n, "ok", 1, "deletedCount", n))
	}
}

// insert makes a record of what was sent, or says what is wrong with it.
func (p *planhat) insert(c *collection, sent *kit.Object) (*kit.Object, string) {
	changes, problem := p.validate(c, sent, true)
	if problem != "" {
		return nil, problem
	}
	for _, name := range c.required {
		if value := changes.Get(name); value == nil || value == "" {
			return nil, name + " is required"
		}
	}
	at := p.stamp()
	record := kit.Pairs("_id", p.newID(at))
	c.prepare(record, formatTime(at))
	if problem := c.apply(record, changes, true); problem != "" {
		return nil, problem
	}
	c.touch(record, formatTime(at))
	c.add(record)
	return record, ""
}

// change applies what was sent to a record, or says what is wrong with it and
// leaves the record alone. The stamps move even when nothing else does.
func (p *planhat) change(c *collection, record, sent *kit.Object) (changed bool, problem string) {
	changes, problem := p.validate(c, sent, false)
	if problem != "" {
		return false, problem
	}
	for _, name := range c.required {
		if value, sent := changes.Lookup(name); sent && (value == nil || value == "") {
			return false, name + " is required"
		}
	}
	after := record.Clone()
	if problem := c.apply(after, changes, false); problem != "" {
		return false, problem
	}
	changed = !sameJSON(record, after)
	c.touch(after, formatTime(p.stamp()))
	*record = *after
	return changed, ""
}

// set writes one attribute, null in the way that the null_write switch says.
func (p *planhat) set(record *kit.Object, key string, value any) {
	if value == nil && p.env.Switch("null_write") == "absent" {
		record.Delete(key)
		return
	}
	record.Set(key, value)
}
