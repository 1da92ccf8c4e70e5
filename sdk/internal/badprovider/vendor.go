package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/unicrm/unicrm/sdk/emulator"
)

// person is a record of the made-up CRM.
type person struct {
	ID      int            `json:"id"`
	Name    string         `json:"name"`
	Title   *string        `json:"title"`
	Email   *string        `json:"email"`
	Phones  []string       `json:"phones"`
	Company *int           `json:"company_id"`
	Custom  map[string]any `json:"custom"`
	Created time.Time      `json:"created"`
	Updated time.Time      `json:"updated"`
	Version int            `json:"version"`
}

// maxPhones is how many numbers a person can have.
const maxPhones = 3

// vendor is the made-up CRM's API.
type vendor struct {
	env *emulator.Env

	mu     sync.Mutex
	people []person // guarded by mu, in the order of their ids
}

const vendorKey = "emulator-bad-key-0123456789"

func newVendor(env *emulator.Env) emulator.Instance {
	v := &vendor{env: env}
	v.Reset()
	return v
}

func (v *vendor) Context() map[string]any {
	if bad("misspells-its-credentials") {
		return map[string]any{"apikey": vendorKey}
	}
	return map[string]any{"api_key": vendorKey}
}

func (v *vendor) Reset() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.people = nil
	for i := range v.env.Seed {
		p := emulator.PersonAt(i)
		v.people = append(v.people, person{
			ID: 1000 + i, Name: p.First + " " + p.Last, Title: &p.JobTitle, Email: &p.Email, Phones: []string{p.Phone}, Company: new(1 + p.CompanyIndex),
			Custom: map[string]any{"size": i}, Created: p.Created, Updated: p.Updated, Version: 1,
		})
	}
}

func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	path := strings.Split(strings.Trim(r.URL.EscapedPath(), "/"), "/")
	fail := func(status int, message string) {
		emulator.WriteJSON(w, status, map[string]string{"message": message})
	}
	switch {
	case r.Header.Get("Authorization") != "Bearer "+vendorKey:
		fail(http.StatusUnauthorized, "no such key")
	case path[0] == "me":
		emulator.WriteJSON(w, http.StatusOK, map[string]string{"user": "conformance"})
	case path[0] == "companies":
		names := map[string]string{}
		for i, name := range emulator.Companies() {
			names[strconv.Itoa(i+1)] = name
		}
		emulator.WriteJSON(w, http.StatusOK, names)
	case path[0] != "people" || len(path) > 3:
		fail(http.StatusNotFound, "no such path")
	case len(path) == 1 && r.Method == http.MethodPost:
		v.write(w, r, person{ID: v.nextID(), Created: time.Now().UTC()}, fail)
	case len(path) == 1:
		v.list(w, r)
	default:
		i := v.find(path[1])
		switch {
		case i < 0:
			fail(http.StatusNotFound, "no such person")
		case len(path) == 3:
			v.merge(w, r, i, fail)
		case r.Method == http.MethodDelete:
			v.people = slices.Delete(v.people, i, i+1)
			emulator.WriteJSON(w, http.StatusOK, map[string]bool{"deleted": true})
		case r.Method == http.MethodPut:
			v.write(w, r, v.people[i], fail)
		default:
			emulator.WriteJSON(w, http.StatusOK, v.people[i])
		}
	}
}

func (v *vendor) find(id string) int {
	return slices.IndexFunc(v.people, func(p person) bool { return strconv.Itoa(p.ID) == id })
}

func (v *vendor) nextID() int {
	last := 1000
	for _, p := range v.people {
		last = max(last, p.ID)
	}
	return last + 1
}

// list gives a page, narrowed by name or email, ordered by id, name or updated.
func (v *vendor) list(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	people := slices.DeleteFunc(slices.Clone(v.people), func(p person) bool {
		return query.Has("name") && p.Name != query.Get("name") || query.Has("email") && (p.Email == nil || *p.Email != query.Get("email"))
	})
	key, descending := strings.CutPrefix(query.Get("order"), "-")
	slices.SortStableFunc(people, func(a, b person) int {
		c := a.ID - b.ID
		if key == "name" {
			c = strings.Compare(a.Name, b.Name)
		}
		if descending {
			return -c
		}
		return c
	})
	offset, _ := strconv.Atoi(query.Get("offset"))
	limit, _ := strconv.Atoi(query.Get("limit"))
	offset = min(max(offset, 0), len(people))
	end := min(offset+max(limit, 1), len(people))
	answer := map[string]any{"people": people[offset:end], "total": len(people)}
	if end < len(people) {
		answer["next"] = fmt.Sprintf("%s/people?offset=%d&limit=%d", v.env.BaseURL(), end, limit)
	}
	data, _ := json.Marshal(answer)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(data)
}

// write changes what the body names in a person, and stores it.
func (v *vendor) write(w http.ResponseWriter, r *http.Request, p person, fail func(status int, message string)) {
	body, err := io.ReadAll(r.Body)
	custom := p.Custom
	p.Custom = nil
	if err == nil {
		var given map[string]json.RawMessage
		if err = json.Unmarshal(body, &given); err == nil {
			delete(given, "id")
			if string(given["custom"]) == "null" {
				custom = nil
			}
			data, _ := json.Marshal(given)
			err = json.Unmarshal(data, &p)
		}
	}
	switch {
	case err != nil:
		fail(http.StatusBadRequest, "the body cannot be read")
		return
	case strings.TrimSpace(p.Name) == "":
		fail(http.StatusUnprocessableEntity, "name is missing")
		return
	case len(p.Phones) > maxPhones:
		fail(http.StatusUnprocessableEntity, "too many phones")
		return
	}
	merged := map[string]any{}
	for _, values := range []map[string]any{custom, p.Custom} {
		for key, value := range values {
			merged[key] = value
		}
	}
	p.Custom, p.Updated, p.Version = merged, time.Now().UTC().Truncate(time.Second), p.Version+1
	if i := v.find(strconv.Itoa(p.ID)); i >= 0 {
		v.people[i] = p
		emulator.WriteJSON(w, http.StatusOK, p)
		return
	}
	v.people = append(v.people, p)
	emulator.WriteJSON(w, http.StatusCreated, p)
}

// merge ends the people in the body's list, whose place the i-th takes.
func (v *vendor) merge(w http.ResponseWriter, r *http.Request, i int, fail func(status int, message string)) {
	var body struct {
		From []string `json:"from"`
	}
	data, _ := io.ReadAll(r.Body)
	if json.Unmarshal(data, &body) != nil {
		fail(http.StatusBadRequest, "the body cannot be read")
		return
	}
	for _, id := range body.From {
		if v.find(id) < 0 {
			fail(http.StatusNotFound, "no such person")
			return
		}
	}
	kept := v.people[i]
	v.people = slices.DeleteFunc(v.people, func(p person) bool { return slices.Contains(body.From, strconv.Itoa(p.ID)) })
	emulator.WriteJSON(w, http.StatusOK, kept)
}

// listenAndServe serves on a free port and tells its address.
func listenAndServe(handler http.HandlerFunc) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() { _ = http.Serve(listener, handler) }() //nolint:gosec // it ends with the test
	return listener.Addr().String()
}
