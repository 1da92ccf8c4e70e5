package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/unicrm/unicrm/sdk/emulator"
)

// person is a record of the made-up CRM.
type person struct {
	ID      int            `json:"id"`
	Name    string         `json:"name"`
	Email   string         `json:"email"`
	Company int            `json:"company_id"`
	Custom  map[string]any `json:"custom"`
}

// vendor is the made-up CRM's API.
type vendor struct {
	env *emulator.Env

	mu     sync.Mutex
	people []person // guarded by mu
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
		v.people = append(v.people, person{ID: 1000 + i, Name: p.First + " " + p.Last, Email: p.Email, Company: 1 + p.CompanyIndex, Custom: map[string]any{"size": i}})
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
	case path[0] != "people" || len(path) > 2:
		fail(http.StatusNotFound, "no such path")
	case len(path) == 1:
		offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
		limit, _ := strconv.Atoi(r.URL.Query().Get("limit"))
		offset = min(max(offset, 0), len(v.people))
		end := min(offset+max(limit, 1), len(v.people))
		answer := map[string]any{"people": v.people[offset:end], "total": len(v.people)}
		if end < len(v.people) {
			answer["next"] = fmt.Sprintf("%s/people?offset=%d&limit=%d", v.env.BaseURL(), end, limit)
		}
		data, _ := json.Marshal(answer)
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(data)
	default:
		i := slices.IndexFunc(v.people, func(p person) bool { return strconv.Itoa(p.ID) == path[1] })
		switch {
		case i < 0:
			fail(http.StatusNotFound, "no such person")
		case r.Method == http.MethodDelete:
			v.people = slices.Delete(v.people, i, i+1)
			emulator.WriteJSON(w, http.StatusOK, map[string]bool{"deleted": true})
		default:
			emulator.WriteJSON(w, http.StatusOK, v.people[i])
		}
	}
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
