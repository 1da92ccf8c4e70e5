package emulator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Match selects the requests that a fault falls on.
type Match struct {
	// Method is an HTTP method; empty matches every one.
	Method string `json:"method,omitempty"`
	// Path is compared with the request's escaped path; "*" stands for any
	// run of characters, slashes too. Empty matches every path.
	Path string `json:"path,omitempty"`
}

// Fault is what happens instead of, or around, the vendor's answer.
type Fault struct {
	// Status answers in the vendor's place, with Headers and Body; the request
	// then changes nothing. Zero lets the vendor answer.
	Status  int               `json:"status,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	// Body is a JSON string, sent as its text, or any other JSON value, sent
	// as it is with application/json unless Headers say otherwise. Null, or
	// leaving it out, sends none.
	Body json.RawMessage `json:"body,omitempty"`
	// DelayMS waits that many milliseconds first, or until the client has gone.
	DelayMS int `json:"delay_ms,omitempty"`
	// Cut closes the connection: "before" the request is acted on, "during"
	// the answer (acted on, half the answer sent), or "after" the request was
	// acted on but before a byte of the answer.
	Cut string `json:"cut,omitempty"`
}

type armedFault struct {
	Match Match `json:"match"`
	Fault Fault `json:"fault"`
	// Times is how many matching requests it falls on: one when left out,
	// every one when negative.
	Times *int `json:"times,omitempty"`
}

// faults holds the injected faults; the first armed match wins.
type faults struct {
	mu    sync.Mutex
	armed []*armedFault // guarded by mu
}

func (f *faults) add(fault armedFault) error {
	switch fault.Fault.Cut {
	case "", "before", "during", "after":
	default:
		return fmt.Errorf("cut takes before, during or after, not %q", fault.Fault.Cut)
	}
	if s := fault.Fault.Status; s != 0 && (s < 200 || s > 599) {
		return fmt.Errorf("status %d is not between 200 and 599", s)
	}
	if fault.Fault.DelayMS < 0 {
		return errors.New("delay_ms is negative")
	}
	times := 1
	if fault.Times != nil {
		times = *fault.Times
	}
	if times == 0 {
		return errors.New("times is 0: the fault would never fall; use a positive count, or -1 for always")
	}
	fault.Times = &times
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = append(f.armed, &fault)
	return nil
}

func (f *faults) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = nil
}

// take returns the fault for a request, counting it down, or nil.
func (f *faults) take(r *http.Request) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, a := range f.armed {
		if a.Match.Method != "" && !strings.EqualFold(a.Match.Method, r.Method) {
			continue
		}
		if a.Match.Path != "" && !matchPath(a.Match.Path, r.URL.EscapedPath()) {
			continue
		}
		if *a.Times > 0 {
			*a.Times--
			if *a.Times == 0 {
				f.armed = append(f.armed[:i:i], f.armed[i+1:]...)
			}
		}
		return &a.Fault
	}
	return nil
}

// matchPath compares with "*" standing for any run of characters.
func matchPath(pattern, path string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == path
	}
	if !strings.HasPrefix(path, parts[0]) {
		return false
	}
	rest := path[len(parts[0]):]
	for _, part := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, part)
		if i < 0 {
			return false
		}
		rest = rest[i+len(part):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// serve lets the fault fall on a request.
func (f *Fault) serve(w http.ResponseWriter, r *http.Request, vendor http.Handler) {
	if f.DelayMS > 0 {
		timer := time.NewTimer(time.Duration(f.DelayMS) * time.Millisecond)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
	}
	if f.Cut == "before" {
		cut(w, nil)
		return
	}
	if f.Cut == "" && f.Status == 0 {
		vendor.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	if f.Status != 0 {
		f.write(answer)
	} else {
		vendor.ServeHTTP(answer, r)
	}
	switch f.Cut {
	case "after":
		cut(w, nil)
	case "during":
		cut(w, halfOf(answer))
	default:
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = io.Copy(w, answer.Body)
	}
}

func (f *Fault) write(w http.ResponseWriter) {
	body := []byte(f.Body)
	var text string
	if len(body) > 0 {
		if json.Unmarshal(body, &text) == nil {
			body = []byte(text)
		} else {
			w.Header().Set("Content-Type", "application/json")
		}
	}
	for name, value := range f.Headers {
		w.Header().Set(name, value)
	}
	w.WriteHeader(f.Status)
	_, _ = w.Write(body)
}

// halfOf renders the first half of an answer: the head with the true length
// and half the body, or half the status line when there is no body.
func halfOf(answer *httptest.ResponseRecorder) []byte {
	status := "HTTP/1.1 " + strconv.Itoa(answer.Code) + " " + http.StatusText(answer.Code) + "\r\n"
	body := answer.Body.Bytes()
	if len(body) < 2 {
		return []byte(status[:len(status)/2])
	}
	var b strings.Builder
	b.WriteString(status)
	answer.Header().Del("Content-Length")
	_ = answer.Header().Write(&b)
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n", len(body))
	return append([]byte(b.String()), body[:len(body)/2]...)
}

// cut writes raw bytes, if any, and closes the connection.
func cut(w http.ResponseWriter, raw []byte) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2 or a recorder: aborting is the nearest thing
	}
	if len(raw) > 0 {
		_, _ = conn.Write(raw)
	}
	if tcp, ok := conn.(*net.TCPConn); ok && len(raw) == 0 {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
