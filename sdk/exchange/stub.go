package exchange

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync"
)

// Stub answers like the vendor in a list of exchanges: each request must match
// one of them by method and path and carry what that one demands. Where several
// share method and path, the first whose query fits answers. It is an
// http.Handler for an adapter's tests.
type Stub struct {
	exchanges []Exchange

	mu       sync.Mutex
	problems []string // guarded by mu
	seen     []string // guarded by mu
}

// NewStub serves the exchanges named, or all of them when no name is given.
// The first match in order answers.
func NewStub(all []Exchange, names ...string) *Stub {
	s := &Stub{}
	if len(names) == 0 {
		s.exchanges = all
	}
	for _, name := range names {
		found := false
		for _, e := range all {
			if e.Name == name {
				s.exchanges = append(s.exchanges, e)
				found = true
			}
		}
		if !found {
			panic(fmt.Sprintf("exchange: no %s.json", name))
		}
	}
	return s
}

// Problems tells, a sentence each, which requests did not fit.
func (s *Stub) Problems() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.problems...)
}

// Seen lists the names of the exchanges that were asked for, in order.
func (s *Stub) Seen() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.seen...)
}

// ServeHTTP answers with the first exchange whose method and path fit.
func (s *Stub) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if e := s.find(r); e != nil {
		s.mu.Lock()
		s.seen = append(s.seen, e.Name)
		s.problems = append(s.problems, e.checkRequest(r, body)...)
		s.mu.Unlock()
		for name, value := range e.Response.Headers {
			w.Header().Set(name, e.Fill(value, nil))
		}
		answer := e.Bytes(nil)
		if len(answer) > 0 && w.Header().Get("Content-Type") == "" {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
		}
		w.WriteHeader(e.Response.Status)
		_, _ = w.Write(answer)
		return
	}
	s.mu.Lock()
	s.problems = append(s.problems, fmt.Sprintf("no exchange for %s %s", r.Method, r.URL.RequestURI()))
	s.mu.Unlock()
	http.Error(w, "no exchange fits", http.StatusTeapot)
}

func (s *Stub) find(r *http.Request) *Exchange {
	var byPath *Exchange
	for i := range s.exchanges {
		e := &s.exchanges[i]
		if e.Request.Method != r.Method || e.Fill(e.Request.Path, nil) != r.URL.EscapedPath() {
			continue
		}
		if len(e.checkQuery(r)) == 0 {
			return e
		}
		if byPath == nil {
			byPath = e
		}
	}
	return byPath
}

func (e *Exchange) checkQuery(r *http.Request) []string {
	var problems []string
	query := r.URL.Query()
	for name, want := range e.Request.Query {
		if got := query.Get(e.Fill(name, nil)); want != "*" && got != e.Fill(want, nil) {
			problems = append(problems, fmt.Sprintf("%s: query %s is %q, want %q", e.Name, name, got, e.Fill(want, nil)))
		}
	}
	return problems
}

func (e *Exchange) checkRequest(r *http.Request, body []byte) []string {
	problems := e.checkQuery(r)
	for name, want := range e.Request.Headers {
		got := r.Header.Get(name)
		if strings.EqualFold(name, "Host") {
			continue
		}
		if got == "" || (want != "*" && got != e.Fill(want, nil)) {
			problems = append(problems, fmt.Sprintf("%s: header %s is %q, want %q", e.Name, name, got, e.Fill(want, nil)))
		}
	}
	if len(e.Request.Body) > 0 {
		var got, want any
		if json.Unmarshal(body, &got) != nil || json.Unmarshal([]byte(e.Fill(string(e.Request.Body), nil)), &want) != nil || !reflect.DeepEqual(got, want) {
			problems = append(problems, fmt.Sprintf("%s: body is %.300s, want %s", e.Name, body, e.Request.Body))
		}
	} else if len(body) > 0 {
		problems = append(problems, fmt.Sprintf("%s: body is %.300s, want none", e.Name, body))
	}
	return problems
}
