package emulator

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// maxBulk is how many records one bulk call takes.
const maxBulk = 100

// identifiers are the keys of unique_identifier that clients are known to use.
var identifiers = []string{"id", "emails", "external_id", "work_email"}

// upsertContact changes the contact that a unique identifier names, or makes
// one.
func (i *instance) upsertContact(in *request) (answer, *failure) {
	body, problem := i.object(in)
	if problem != nil {
		return answer{}, problem
	}
	identifier, fine := body.Get("unique_identifier").(*kit.Object)
	if !fine || identifier.Len() == 0 {
		return answer{}, invalid("unique_identifier is missing")
	}
	attributes, fine := body.Get("contact").(*kit.Object)
	if !fine {
		return answer{}, invalid("contact is missing")
	}
	include, problem := i.includes(in)
	if problem != nil {
		return answer{}, problem
	}
	c, inserted, problem := i.upsert(identifier, attributes)
	if problem != nil {
		return answer{}, problem
	}
	status := http.StatusOK
	if inserted {
		status, _ = strconv.Atoi(i.env.Switch("upsert_insert_status"))
	}
	return answer{status: status, body: i.showOne(c, include)}, nil
}

func (i *instance) upsert(identifier, attributes *kit.Object) (c *contact, inserted bool, problem *failure) {
	for _, key := range identifier.Keys() {
		value := textOf(identifier.Get(key))
		if !slices.Contains(identifiers, key) || value == "" {
			return nil, false, invalid("unique_identifier is invalid")
		}
		found, known := find(i.contacts, func(c *contact) bool { return !c.deleted() && c.identifiedBy(key, value) })
		if known {
			c, problem = i.changeContact(found, attributes)
			return c, false, problem
		}
		// What identified nobody becomes part of the new contact.
		switch {
		case key == "id":
			return nil, false, i.unknownID()
		case key == "emails" && !attributes.Has("emails") && !attributes.Has("email"),
			key != "emails" && !attributes.Has(key):
			attributes.Set(key, value)
		}
	}
	c, problem = i.insertContact(attributes)
	return c, true, problem
}

func (c *contact) identifiedBy(key, value string) bool {
	switch key {
	case "emails":
		return indexOfValue(emailsOf(c), value) >= 0
	case "work_email":
		return strings.EqualFold(c.record.Text(key), value)
	default:
		return textOf(c.record.Get(key)) == value
	}
}

// job is the outcome of a bulk upsert. The work is done when the call
// returns, so a job is complete from its first look on.
type job struct {
	id        int64
	at        string
	succeeded int
	failures  []any
}

// bulkUpsert takes up to a hundred contacts, each flat with its e-mail
// address, or as {"emails": ..., "data": {...}}. What the vendor answers is
// unconfirmed but for there being a job.
func (i *instance) bulkUpsert(in *request) (answer, *failure) {
	body, problem := i.object(in)
	if problem != nil {
		return answer{}, problem
	}
	items, isArray := body.Get("contacts").([]any)
	if !isArray || len(items) == 0 {
		return answer{}, invalid("contacts is missing")
	}
	if len(items) > maxBulk {
		return answer{}, invalid("contacts cannot be more than " + strconv.Itoa(maxBulk))
	}
	j := &job{id: i.newID("job"), at: i.now()}
	for _, item := range items {
		i.bulkUpsertOne(j, item)
	}
	i.jobs = append(i.jobs, j)
	status, _ := strconv.Atoi(i.env.Switch("bulk_upsert_status"))
	return answer{status: status, body: kit.Pairs("job_id", number(j.id))}, nil
}

func (i *instance) bulkUpsertOne(j *job, item any) {
	attributes, fine := item.(*kit.Object)
	if !fine {
		j.fail("", "Contact is invalid")
		return
	}
	if data, nested := attributes.Get("data").(*kit.Object); nested {
		for _, key := range attributes.Keys() {
			if key != "data" && !data.Has(key) {
				data.Set(key, attributes.Get(key))
			}
		}
		attributes = data
	}
	identifier := &kit.Object{}
	for _, key := range []string{"emails", "email", "external_id", "work_email"} {
		if value := attributes.Text(key); value != "" && identifier.Len() == 0 {
			name := key
			if key == "email" {
				name = "emails"
			}
			identifier.Set(name, value)
		}
	}
	if _, _, problem := i.upsert(identifier, attributes); problem != nil {
		j.fail(identifier.Text("emails"), problem.messages...)
		return
	}
	j.succeeded++
}

func (j *job) fail(email string, messages ...string) {
	report := &kit.Object{}
	if email != "" {
		report.Set("emails", email)
	}
	report.Set("error_message", messages)
	j.failures = append(j.failures, report)
}

func (i *instance) jobStatus(text string) (answer, *failure) {
	id, problem := i.parseID(text)
	if problem != nil {
		return answer{}, problem
	}
	j, known := find(i.jobs, func(j *job) bool { return j.id == id })
	if !known {
		return answer{}, i.unknownID()
	}
	return ok(kit.Pairs("status", "completed", "job_type_name", "Contact bulk upsert", "created_at", j.at, "status_updated_at", j.at,
		"progress", 100, "data", kit.Pairs("record_status", kit.Pairs("succeeded", j.succeeded, "failed", len(j.failures)),
			"detailed_failure_report", append([]any{}, j.failures...)))), nil
}
