package conformance

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// seed is how many plain contacts the emulator begins with: more than a page of
// most vendors.
const seed = 130

// vendor is the binary's emulator, running.
type vendor struct {
	emulator string // its URL
	control  string // the URL of its control interface
	context  map[string]any
	line     string // what it printed first

	cmd    *exec.Cmd
	ended  chan struct{} // closed when the emulator has ended
	stderr *output
	http   *http.Client
	doors  doors
}

// startVendor runs `emulate`. The problem says why that did not work.
func (s *suite) startVendor(ctx context.Context) (_ *vendor, problem string) {
	v := &vendor{ended: make(chan struct{}), stderr: &output{}, http: &http.Client{
		Timeout:   s.limit(callTime),
		Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // what the vendor says is the plugin's to see
		},
	}}
	v.cmd = exec.Command(s.o.Binary, "emulate", "--listen", "127.0.0.1:0", "--seed", strconv.Itoa(seed), "--json")
	v.cmd.Env = environment(os.TempDir(), "info")
	v.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	v.cmd.WaitDelay = endTime
	read, write := io.Pipe()
	v.cmd.Stdout, v.cmd.Stderr = &firstLine{kept: &output{}, out: write}, v.stderr
	if err := v.cmd.Start(); err != nil {
		return nil, "the emulator did not start: " + err.Error()
	}
	go func() {
		_ = v.cmd.Wait()
		_ = write.Close()
		close(v.ended)
	}()
	first := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(read).ReadString('\n')
		first <- line
	}()
	select {
	case v.line = <-first:
	case <-time.After(s.limit(binaryTime)):
	case <-ctx.Done():
	}
	var told struct {
		URL        string         `json:"url"`
		ControlURL string         `json:"control_url"`
		Context    map[string]any `json:"context"`
	}
	if err := json.Unmarshal([]byte(v.line), &told); err != nil || told.URL == "" || told.ControlURL == "" || told.Context == nil {
		v.close()
		return nil, fmt.Sprintf(`the first line of "emulate --json" is not {"url", "control_url", "context"} but %q; on standard error: %s`, strings.TrimSpace(v.line), v.said())
	}
	v.emulator, v.control, v.context = strings.TrimSuffix(told.URL, "/"), strings.TrimSuffix(told.ControlURL, "/"), told.Context
	delete(v.context, "base_url")
	return v, ""
}

func (v *vendor) close() {
	v.doors.close()
	v.http.CloseIdleConnections()
	_ = syscall.Kill(-v.cmd.Process.Pid, syscall.SIGKILL)
	<-v.ended
}

// over tells whether the emulator has ended.
func (v *vendor) over() bool {
	select {
	case <-v.ended:
		return true
	default:
		return false
	}
}

// said is what the emulator wrote to standard error.
func (v *vendor) said() string { return strings.TrimSpace(string(v.stderr.bytes())) }

// controlled makes a request to the control interface and reads the answer.
func (v *vendor) controlled(ctx context.Context, method, path, body string) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, v.control+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := v.http.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	return response.StatusCode, data, err
}

// reset brings the emulator back to its seed.
func (v *vendor) reset(ctx context.Context) error {
	status, body, err := v.controlled(ctx, http.MethodPost, "/reset", "")
	if err == nil && status > 299 {
		err = fmt.Errorf("%d %s", status, body)
	}
	if err != nil {
		return fmt.Errorf("POST /reset at the emulator's control interface: %w", err)
	}
	return nil
}

// door is an address at which the vendor is reached: the base_url of an
// account. It sees every request and passes it on to the emulator, unless it
// has an answer of its own. Each call of the plugin can have its own door, so
// that what happens at one never gets into another's way.
type door struct {
	url    string
	vendor *vendor
	answer func(*visit) // nil passes everything on
	server *http.Server

	mu   sync.Mutex
	seen []*visit // guarded by mu
}

// visit is one request at a door.
type visit struct {
	*http.Request
	door *door
	n    int // its number, from 0
	at   time.Time
	body []byte
	w    http.ResponseWriter

	left  time.Time // guarded by door.mu: when the plugin's side closed; before that zero
	reply *reply    // guarded by door.mu: what was answered; nil while nothing was
}

// reply is an answer of the vendor.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// nobody is an address at which nobody listens: a door that was closed would
// leave its port to the next one.
const nobody = "http://127.0.0.1:1"

// open makes a door. The suite closes those that are still open at its end.
func (v *vendor) open(answer func(*visit)) *door {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic("conformance: no port is free: " + err.Error())
	}
	d := &door{url: "http://" + listener.Addr().String(), vendor: v, answer: answer}
	d.server = &http.Server{Handler: d, ReadHeaderTimeout: time.Minute, MaxHeaderBytes: 16 << 20, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = d.server.Serve(listener) }()
	v.doors.add(d)
	return d
}

func (d *door) close() { _ = d.server.Close() }

// ServeHTTP implements http.Handler.
func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, maxKept))
	v := &visit{Request: r, door: d, at: time.Now(), body: body, w: w}
	d.mu.Lock()
	v.n = len(d.seen)
	d.seen = append(d.seen, v)
	d.mu.Unlock()
	if d.answer != nil {
		d.answer(v)
		return
	}
	v.pass()
}

// visits are the requests seen so far, as they are now.
func (d *door) visits() []*visit {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all []*visit
	for _, v := range d.seen {
		now := *v
		all = append(all, &now)
	}
	return all
}

// writes counts the requests that may change something.
func (d *door) writes() int {
	n := 0
	for _, v := range d.visits() {
		if v.writes() {
			n++
		}
	}
	return n
}

func (v *visit) writes() bool {
	return v.Method != http.MethodGet && v.Method != http.MethodHead && v.Method != http.MethodOptions
}

// what is the method and the path, as it came.
func (v *visit) what() string { return v.Method + " " + v.URL.EscapedPath() }

// String is the request line.
func (v *visit) String() string { return v.Method + " " + v.URL.RequestURI() }

// fetch asks the emulator. The emulator's own address in the answer becomes
// that of the door, for the plugin is to know no other.
func (v *visit) fetch() reply {
	target, err := url.Parse(v.door.vendor.emulator)
	if err != nil {
		return reply{status: http.StatusBadGateway}
	}
	u := *v.URL
	u.Scheme, u.Host = target.Scheme, target.Host
	request := (&http.Request{Method: v.Method, URL: &u, Host: v.Host, Header: v.Header.Clone(), Body: io.NopCloser(bytes.NewReader(v.body)), ContentLength: int64(len(v.body))}).WithContext(v.Context())
	request.Header.Del("Accept-Encoding") // or the address could not be replaced
	response, err := v.door.vendor.http.Do(request)
	if err != nil {
		return reply{status: http.StatusBadGateway, body: []byte("the suite did not reach the emulator: " + err.Error())}
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	answer := reply{status: response.StatusCode, header: response.Header.Clone(), body: bytes.ReplaceAll(body, []byte(v.door.vendor.emulator), []byte(v.door.url))}
	answer.header.Del("Content-Length")
	for name, values := range answer.header {
		for i, value := range values {
			answer.header[name][i] = strings.ReplaceAll(value, v.door.vendor.emulator, v.door.url)
		}
	}
	return answer
}

// same tells whether another request is for the same thing.
func (v *visit) same(other *visit) bool {
	return v.Method == other.Method && v.URL.EscapedPath() == other.URL.EscapedPath()
}

// change gives what a door has to do to change the body of every answer to the
// same request, and to pass on the others.
func (v *visit) change(do func(body []byte) []byte) func(*visit) {
	return func(other *visit) {
		r := other.fetch()
		if v.same(other) {
			r.body = do(r.body)
		}
		other.write(r)
	}
}

// pass answers as the emulator does.
func (v *visit) pass() { v.write(v.fetch()) }

func (v *visit) write(r reply) {
	v.door.mu.Lock()
	v.reply = &r
	v.door.mu.Unlock()
	for name, values := range r.header {
		v.w.Header()[name] = values
	}
	v.w.WriteHeader(r.status)
	_, _ = v.w.Write(r.body)
}

// say answers in the vendor's place.
func (v *visit) say(status int, contentType, body string, header ...string) {
	r := reply{status: status, header: http.Header{"Content-Type": {contentType}}, body: []byte(body)}
	for i := 0; i+1 < len(header); i += 2 {
		r.header.Set(header[i], header[i+1])
	}
	v.write(r)
}

// wait holds the connection without a word until the plugin's side closes it
// or the limit is over.
func (v *visit) wait(limit time.Duration) {
	select {
	case <-v.Context().Done():
		v.door.mu.Lock()
		v.left = time.Now()
		v.door.mu.Unlock()
	case <-time.After(limit):
	}
}

// cut writes raw bytes, if any, and closes the connection: at once, so that
// the other side sees it break, when there is nothing to write.
func (v *visit) cut(raw []byte) {
	conn, _, err := http.NewResponseController(v.w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if len(raw) > 0 {
		_, _ = conn.Write(raw)
	} else if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// half is the first half of an answer, with the length of the whole.
func (r reply) half() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", r.status, http.StatusText(r.status))
	if len(r.body) < 2 {
		return b.Bytes()[:b.Len()/2]
	}
	_ = r.header.Write(&b)
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n", len(r.body))
	b.Write(r.body[:len(r.body)/2])
	return b.Bytes()
}

// doors are those that were opened.
type doors struct {
	mu  sync.Mutex
	all []*door // guarded by mu
}

func (d *doors) add(one *door) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, one)
}

func (d *doors) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, one := range d.all {
		one.close()
	}
}
