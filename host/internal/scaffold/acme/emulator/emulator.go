// Package emulator is a stateful stand-in for Acme CRM's API: its people, and
// the account that a key belongs to.
//
// YOUR VENDOR: write it from the vendor's documentation and never from the
// adapter beside it, of which it imports nothing: the two would only prove each
// other right. Be as strict as the vendor. What its documentation leaves open
// becomes a switch, and a test of the adapter tries each value.
package emulator

import (
	"encoding/base64"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

const (
	// apiKey is the one key that the emulator accepts.
	apiKey = "emulator-acme-key"

	defaultLimit = 25
	maxLimit     = 100

	firstID int64 = 70_000_000_001
	// sparseID is beyond 2^53: who reads ids as floating-point numbers shows it.
	sparseID int64 = 9_007_199_254_740_993
)

// Definition is the emulator of Acme CRM's API.
var Definition = kit.Definition{
	Slug: "acme",
	Switches: []kit.Switch{{
		Name: "delete_answer", Default: "empty", Values: []string{"empty", "record"},
		Doc: "what a delete answers: 204 without a body, or 200 with the person as it was",
	}},
	New: func(env *kit.Env) kit.Instance {
		v := &vendor{env: env, routes: http.NewServeMux()}
		v.routes.HandleFunc("GET /v1/me", v.me)
		v.routes.HandleFunc("GET /v1/people", v.list)
		v.routes.HandleFunc("POST /v1/people", v.create)
		v.routes.HandleFunc("GET /v1/people/{id}", v.get)
		v.routes.HandleFunc("PATCH /v1/people/{id}", v.update)
		v.routes.HandleFunc("DELETE /v1/people/{id}", v.remove)
		v.routes.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
			fail(w, http.StatusNotFound, "not_found", "there is no such path")
		})
		v.Reset()
		return v
	},
}

// vendor is one account at the CRM.
type vendor struct {
	env    *kit.Env
	routes *http.ServeMux

	mu     sync.Mutex
	people []*kit.Object // guarded by mu, in the order of ids; a change is another object
	nextID int64         // guarded by mu
}

// Context returns the credentials that the emulator accepts.
func (v *vendor) Context() map[string]any { return map[string]any{"api_key": apiKey} }

// Reset brings the seeded people back: plain ones first and, unless the seed is
// 0, a sparse one last.
func (v *vendor) Reset() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.people, v.nextID = nil, firstID+int64(v.env.Seed)
	for i := range v.env.Seed {
		p := kit.PersonAt(i)
		v.people = append(v.people, kit.Pairs(
			"id", firstID+int64(i), "first_name", p.First, "last_name", p.Last, "email", p.Email, "phone", p.Phone, "role", p.JobTitle,
			"company", p.Company, "created_at", p.Created.Format(time.RFC3339), "updated_at", p.Updated.Format(time.RFC3339)))
	}
	if v.env.Seed > 0 {
		v.people = append(v.people, kit.Pairs(
			"id", sparseID, "first_name", nil, "last_name", "", "email", nil, "phone", nil, "role", nil,
			"company", nil, "created_at", kit.Epoch.Format(time.RFC3339), "updated_at", nil))
	}
}

// ServeHTTP answers one request. A stranger learns nothing of the paths.
func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+apiKey {
		fail(w, http.StatusUnauthorized, "unauthorized", "the API key is not valid")
		return
	}
	v.routes.ServeHTTP(w, r)
}

func (v *vendor) me(w http.ResponseWriter, _ *http.Request) {
	kit.WriteJSON(w, http.StatusOK, kit.Pairs("id", 1, "name", "The key's account"))
}

// list gives a page in the order of ids, and a cursor where more follow; with
// email only the people who have exactly that address.
func (v *vendor) list(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	limit := defaultLimit
	if query.Has("limit") {
		var err error
		if limit, err = strconv.Atoi(query.Get("limit")); err != nil || limit < 1 || limit > maxLimit {
			fail(w, http.StatusBadRequest, "bad_parameter", "limit is 1 to 100")
			return
		}
	}
	after, ok := readCursor(query.Get("cursor"))
	if !ok {
		fail(w, http.StatusBadRequest, "bad_parameter", "cursor is not one of ours")
		return
	}
	v.mu.Lock()
	rest := slices.Clone(v.people)
	v.mu.Unlock()
	rest = slices.DeleteFunc(rest, func(p *kit.Object) bool {
		return idOf(p) <= after || query.Has("email") && p.Text("email") != query.Get("email")
	})
	var next any
	if len(rest) > limit {
		rest = rest[:limit]
		next = cursorAfter(idOf(rest[limit-1]))
	}
	kit.WriteJSON(w, http.StatusOK, kit.Pairs("people", append([]*kit.Object{}, rest...), "next_cursor", next))
}

func (v *vendor) get(w http.ResponseWriter, r *http.Request) {
	if person := v.find(r.PathValue("id"), false); person != nil {
		kit.WriteJSON(w, http.StatusOK, person)
		return
	}
	notFound(w)
}

// create makes a person of what the body says.
func (v *vendor) create(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now().UTC().Format(time.RFC3339)
	person := kit.Pairs("id", v.nextID, "first_name", nil, "last_name", nil, "email", nil, "phone", nil, "role", nil, "company", nil, "created_at", now, "updated_at", now)
	if !change(w, r, person) {
		return
	}
	v.nextID++
	at := slices.IndexFunc(v.people, func(p *kit.Object) bool { return idOf(p) > idOf(person) })
	if at < 0 {
		at = len(v.people)
	}
	v.people = slices.Insert(v.people, at, person)
	kit.WriteJSON(w, http.StatusCreated, person)
}

// update changes what the body names and leaves the rest as it is.
func (v *vendor) update(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	i := v.index(r.PathValue("id"))
	if i < 0 {
		notFound(w)
		return
	}
	person := v.people[i].Clone()
	person.Set("updated_at", time.Now().UTC().Format(time.RFC3339))
	if change(w, r, person) {
		v.people[i] = person
		kit.WriteJSON(w, http.StatusOK, person)
	}
}

// change writes a request's body into a person, or answers why it cannot be.
func change(w http.ResponseWriter, r *http.Request, person *kit.Object) (ok bool) {
	data, err := io.ReadAll(r.Body)
	body, wrong := kit.ParseObject(data)
	if err != nil || wrong != nil {
		fail(w, http.StatusBadRequest, "bad_body", "the body is not a JSON object")
		return false
	}
	for _, key := range body.Keys() {
		text, isText := body.Get(key).(string)
		switch {
		case !slices.Contains([]string{"first_name", "last_name", "email", "phone", "role", "company"}, key):
			refuse(w, key, "is no field of a person that can be written")
			return false
		case body.Get(key) != nil && !isText:
			refuse(w, key, "must be a string or null")
			return false
		case key == "email" && isText && !strings.Contains(text, "@"):
			refuse(w, key, "must be an e-mail address")
			return false
		}
		person.Set(key, body.Get(key))
	}
	if strings.TrimSpace(person.Text("last_name")) == "" {
		refuse(w, "last_name", "must not be blank")
		return false
	}
	return true
}

// remove deletes for good. A second time is a 404 like any other.
func (v *vendor) remove(w http.ResponseWriter, r *http.Request) {
	person := v.find(r.PathValue("id"), true)
	switch {
	case person == nil:
		notFound(w)
	case v.env.Switch("delete_answer") == "record":
		kit.WriteJSON(w, http.StatusOK, person)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// find gives the person with an id, nil when there is none, and takes it out
// when it is to be deleted.
func (v *vendor) find(id string, take bool) *kit.Object {
	v.mu.Lock()
	defer v.mu.Unlock()
	i := v.index(id)
	if i < 0 {
		return nil
	}
	person := v.people[i]
	if take {
		v.people = slices.Delete(v.people, i, i+1)
	}
	return person
}

// index gives the place of the person with an id, -1 when there is none.
func (v *vendor) index(id string) int { // mu is held
	return slices.IndexFunc(v.people, func(p *kit.Object) bool { return strconv.FormatInt(idOf(p), 10) == id })
}

func idOf(person *kit.Object) int64 { return person.Get("id").(int64) }

func cursorAfter(id int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte("after " + strconv.FormatInt(id, 10)))
}

func readCursor(cursor string) (after int64, ok bool) {
	if cursor == "" {
		return 0, true
	}
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	number, is := strings.CutPrefix(string(text), "after ")
	after, wrong := strconv.ParseInt(number, 10, 64)
	return after, err == nil && is && wrong == nil
}

func notFound(w http.ResponseWriter) {
	fail(w, http.StatusNotFound, "not_found", "there is no such person")
}

// refuse answers that a field is not what it has to be.
func refuse(w http.ResponseWriter, field, why string) {
	kit.WriteJSON(w, http.StatusUnprocessableEntity, kit.Pairs("error", kit.Pairs("code", "invalid", "message", field+" "+why, "field", field)))
}

// fail answers with an error in the vendor's shape.
func fail(w http.ResponseWriter, status int, code, message string) {
	kit.WriteJSON(w, status, kit.Pairs("error", kit.Pairs("code", code, "message", message)))
}
