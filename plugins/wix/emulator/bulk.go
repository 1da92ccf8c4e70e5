package emulator

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// job is a bulk job. It works on the contacts that matched when it was asked
// for, and takes effect all at once when it ends.
type job struct {
	id, kind          string
	started, finishes time.Time
	contacts          []string
	run               func(*contact) (code string)
	finished          bool
	failures          []any
	succeeded         int
}

func (s *state) bulkDelete(q *request) (any, *failure) {
	body, fail := parseBody(q.body)
	if fail != nil {
		return nil, fail
	}
	c := &check{}
	c.known(body, "", "filter", "search")
	return s.startJob(q, c, body, "DELETE", func(c *contact) string {
		switch code, _ := c.undeletable(); code {
		case "":
			s.remove(c)
			return ""
		case "CANNOT_DELETE_MEMBER":
			return "CANNOT_DELETE_SITE_MEMBERS" // the bulk call has its own name for it
		default:
			return code
		}
	})
}

func (s *state) bulkUpdate(q *request) (any, *failure) {
	body, fail := parseBody(q.body)
	if fail != nil {
		return nil, fail
	}
	c := &check{}
	c.known(body, "", "filter", "search", "info")
	wanted, _ := c.object(body, "info", "info")
	if wanted == nil {
		wanted = kit.Pairs()
	}
	patch := c.info(wanted, s.env)
	return s.startJob(q, c, body, "UPDATE", func(c *contact) string {
		if fail := s.update(c, patch, false); fail != nil {
			return fail.code
		}
		s.changed(nil, c)
		return ""
	})
}

func (s *state) bulkLabels(q *request) (any, *failure) {
	body, fail := parseBody(q.body)
	if fail != nil {
		return nil, fail
	}
	c := &check{}
	c.known(body, "", "filter", "search", "labelKeysToAdd", "labelKeysToRemove")
	add, _ := c.texts(body, "labelKeysToAdd", "labelKeysToAdd")
	remove, _ := c.texts(body, "labelKeysToRemove", "labelKeysToRemove")
	if len(add) > 100 || len(remove) > 100 {
		c.violate("labelKeysToAdd", "and labelKeysToRemove take 100 keys each", "MAX_SIZE", "")
	}
	if c.malformed == "" {
		if fail := s.knownLabels("labelKeysToAdd", add); fail != nil {
			return nil, fail
		}
	}
	return s.startJob(q, c, body, "ADD_REMOVE_LABELS", func(c *contact) string {
		addLabels(c, add)
		removeLabels(c, remove)
		if s.env.Switch("label_revision") == "bump" {
			s.changed(nil, c)
		}
		return ""
	})
}

// startJob selects the contacts and answers with the job's id at once.
func (s *state) startJob(q *request, c *check, body *kit.Object, kind string, run func(*contact) string) (any, *failure) {
	search, searching := c.length(body, "search", "search", 0, 100)
	if fail := c.verdict(s.env); fail != nil {
		return nil, fail
	}
	filter := body.Get("filter")
	empty := false
	if object, ok := filter.(*kit.Object); ok {
		empty = object.Len() == 0
	}
	if (filter == nil && (searching != given || search == "")) || (empty && s.env.Switch("empty_filter") == "400") {
		return nil, applicationError(http.StatusBadRequest, "NEITHER_FILTER_NOR_SEARCH", "Give a filter or a search.")
	}
	matches, fail := s.compile(filter)
	if fail != nil {
		return nil, fail
	}
	delay, err := strconv.Atoi(s.env.Switch("job_delay_ms"))
	if err != nil || delay < 0 {
		delay = 0
	}
	now := time.Now().UTC()
	j := &job{id: s.newGUID(), kind: kind, started: now, finishes: now.Add(time.Duration(delay) * time.Millisecond), run: run}
	for _, c := range s.all() {
		if matches(c.render()) && (search == "" || c.hasText(search)) {
			j.contacts = append(j.contacts, c.id)
		}
	}
	s.jobs = append(s.jobs, j)
	s.wrote(q)
	return kit.Pairs("jobId", j.id), nil
}

// finishJobs lets the jobs take effect whose time has come. Every request
// calls it first, so nothing runs beside the requests.
func (s *state) finishJobs() {
	now := time.Now()
	for _, j := range s.jobs {
		if j.finished || now.Before(j.finishes) {
			continue
		}
		j.finished = true
		for _, id := range j.contacts {
			c := s.contacts[id]
			if c == nil {
				j.failures = append(j.failures, kit.Pairs("code", "CONTACT_NOT_FOUND", "message", "Contact was not found."))
				continue
			}
			if code := j.run(c); code != "" {
				j.failures = append(j.failures, kit.Pairs("code", code, "message", "Contact "+id+" was not processed."))
				continue
			}
			j.succeeded++
		}
	}
}

func (j *job) render() *kit.Object {
	out := kit.Pairs("id", j.id, "type", j.kind, "status", "RUNNING", "startedDate", stamp(j.started))
	if j.finished {
		out.Set("status", "COMPLETED")
		out.Set("finishedDate", stamp(j.finishes))
	}
	out.Set("totalItems", len(j.contacts))
	out.Set("successTotal", j.succeeded)
	out.Set("failedTotal", len(j.failures))
	errors := j.failures
	if errors == nil {
		errors = []any{}
	}
	out.Set("errors", errors)
	return out
}

func (s *state) getJob(q *request) (any, *failure) {
	id := q.params["id"]
	if !guidForm.MatchString(id) {
		return nil, invalid(violation{field: "id", description: "is not a valid GUID", rule: "FORMAT", data: kit.Pairs("type", "GUID")})
	}
	i := slices.IndexFunc(s.jobs, func(j *job) bool { return j.id == id })
	if i < 0 {
		return nil, plain(http.StatusNotFound, "Bulk job was not found.")
	}
	return kit.Pairs("job", s.jobs[i].render()), nil
}

func (s *state) listJobs(q *request) (any, *failure) {
	c := &check{}
	p := page{limit: c.queryInteger(q, "paging.limit", 100), offset: c.queryInteger(q, "paging.offset", 0)}
	c.offset(p)
	if p.limit < 1 || p.limit > 100 {
		c.violate("paging.limit", "must be between 1 and 100", "MAX", "")
	}
	if fail := c.verdict(s.env); fail != nil {
		return nil, fail
	}
	shown, metadata := cut(s.jobs, p)
	list := make([]any, len(shown))
	for i, j := range shown {
		list[i] = j.render()
	}
	return kit.Pairs("jobs", list, "pagingMetadata", metadata), nil
}
