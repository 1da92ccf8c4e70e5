package emulator

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryRequestIsRecordedAsItCame(t *testing.T) {
	server, _ := startToy(t)
	_, _ = raw(t, server.URL(), rawRequest("PATCH", "/a%2Fb/c//d/../e?x=%20&y=1&x=2", `{"name":"é"}`, "X-One: 1", "X-One: 2", "Authorization: Bearer k"))
	_, _ = raw(t, server.URL(), rawRequest("GET", "/", ""))
	calls := server.Calls()
	require.Len(t, calls, 2)
	assert.Equal(t, "PATCH", calls[0].Method)
	assert.Equal(t, "/a%2Fb/c//d/../e", calls[0].Path)
	assert.Equal(t, "x=%20&y=1&x=2", calls[0].Query)
	assert.Equal(t, `{"name":"é"}`, calls[0].Body)
	assert.Equal(t, []string{"1", "2"}, calls[0].Headers["X-One"])
	assert.Equal(t, "Bearer k", calls[0].Headers.Get("Authorization"))
	assert.Equal(t, "127.0.0.1", calls[0].Headers.Get("Host"))
	assert.Equal(t, Call{Method: "GET", Path: "/", Headers: calls[1].Headers}, calls[1])

	status, header, body := send(t, http.MethodGet, server.ControlURL()+"/calls", "")
	assert.Equal(t, 200, status)
	assert.Equal(t, "application/json; charset=utf-8", header.Get("Content-Type"))
	var told []Call
	require.NoError(t, json.Unmarshal([]byte(body), &told))
	assert.Equal(t, calls, told)
	assert.Len(t, server.Calls(), 2, "what is asked of the control interface is no call")
}

func TestTheVendorStillReadsTheBodyThatWasRecorded(t *testing.T) {
	server, _ := startToy(t)
	long := strings.Repeat("0123456789", 200_000)
	_, _, body := send(t, http.MethodPost, server.URL()+"/echo", long)
	assert.Equal(t, long, body)
	assert.Len(t, server.Calls()[0].Body, keptBody, "the record keeps the beginning")
}

func TestARequestThatWasCutIsRecordedToo(t *testing.T) {
	server, instance := startToy(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(server.URL(), "http://"))
	require.NoError(t, err)
	_, err = io.WriteString(conn, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234")
	require.NoError(t, err)
	require.NoError(t, conn.(*net.TCPConn).CloseWrite())
	answer, _ := io.ReadAll(conn)
	require.NoError(t, conn.Close())
	assert.Contains(t, string(answer), "400 Bad Request")
	require.Len(t, server.Calls(), 1)
	assert.Equal(t, "01234", server.Calls()[0].Body)
	assert.Zero(t, instance.actions())
}

func TestTheRecordForgetsTheOldestFirst(t *testing.T) {
	var c calls
	for i := range keptCalls + 5 {
		r, err := http.NewRequest(http.MethodGet, "http://x/"+itoa(i), http.NoBody)
		require.NoError(t, err)
		require.NoError(t, c.record(r))
	}
	all := c.list()
	assert.LessOrEqual(t, len(all), keptCalls)
	assert.Equal(t, "/"+itoa(keptCalls+4), all[len(all)-1].Path)
	assert.NotEqual(t, "/0", all[0].Path)
}

func TestCallsCanBeForgottenAlone(t *testing.T) {
	server, instance := startToy(t)
	_, _, _ = send(t, http.MethodGet, server.URL()+"/", "")
	status, _, body := send(t, http.MethodDelete, server.ControlURL()+"/calls", "")
	assert.Equal(t, 204, status)
	assert.Empty(t, body)
	_, _, body = send(t, http.MethodGet, server.ControlURL()+"/calls", "")
	assert.Equal(t, "[]", body, "an empty list, not null")
	assert.Equal(t, 1, instance.actions(), "the state stays")
	_, _, _ = send(t, http.MethodGet, server.URL()+"/", "")
	server.ForgetCalls()
	assert.Empty(t, server.Calls())
}

func TestFaultsComeOverTheControlInterface(t *testing.T) {
	server, _ := startToy(t)
	for body, want := range map[string]int{
		`{"match":{"method":"GET","path":"/x"},"fault":{"status":500,"headers":{"X-A":"1"},"body":{"m":1},"delay_ms":1},"times":2}`: 204,
		`{"fault":{"cut":"after"},"match":{"path":"/y"}}`: 204,
		`{"fault":{"cut":"sometimes"}}`:                   400,
		`{"fault":{"status":500},"times":0}`:              400,
		`{"fault":{"status":500},"tiems":1}`:              400,
		`{"fault":{"stauts":500}}`:                        400,
		`{"match":{"url":"/x"},"fault":{}}`:               400,
		`{"fault":{"status":"500"}}`:                      400,
		`not JSON`:                                        400,
		``:                                                400,
		`[]`:                                              400,
		`{"fault":{"delay_ms":-5}}`:                       400,
		`{"fault":{"status":500}} {"fault":1}`:            400,
	} {
		status, _, answer := send(t, http.MethodPost, server.ControlURL()+"/faults", body)
		assert.Equal(t, want, status, "%s: %s", body, answer)
		if want == 400 {
			var told struct{ Message string }
			require.NoError(t, json.Unmarshal([]byte(answer), &told))
			assert.NotEmpty(t, told.Message)
		}
	}
	for range 2 {
		status, header, body := send(t, http.MethodGet, server.URL()+"/x", "")
		assert.Equal(t, 500, status)
		assert.Equal(t, "1", header.Get("X-A"))
		assert.JSONEq(t, `{"m":1}`, body)
	}
	status, _, _ := send(t, http.MethodGet, server.URL()+"/x", "")
	assert.Equal(t, 200, status)
	status, _, _ = send(t, http.MethodDelete, server.ControlURL()+"/faults", "")
	assert.Equal(t, 204, status)
	status, _, _ = send(t, http.MethodGet, server.URL()+"/y", "")
	assert.Equal(t, 200, status, "the fault on /y was taken away")
}

func TestSwitchesSelectBehaviour(t *testing.T) {
	server, _ := startToy(t)
	_, _, body := send(t, http.MethodGet, server.ControlURL()+"/switches", "")
	assert.JSONEq(t, `{"second_delete":"404","greeting":"hello"}`, body)
	status, _, body := send(t, http.MethodPut, server.ControlURL()+"/switches", `{"greeting":"good day"}`)
	assert.Equal(t, 200, status)
	assert.JSONEq(t, `{"second_delete":"404","greeting":"good day"}`, body)
	_, _, body = send(t, http.MethodGet, server.URL()+"/", "")
	assert.Contains(t, body, "good day")
	require.NoError(t, server.SetSwitch("second_delete", "204"))
	require.ErrorContains(t, server.SetSwitch("second_delete", "500"), `takes 404, 204, not "500"`)
	require.ErrorContains(t, server.SetSwitch("secnod_delete", "204"), "there are second_delete, greeting")
}

func TestSwitchesAreSetAllOrNone(t *testing.T) {
	server, _ := startToy(t)
	for body, want := range map[string]string{
		`{"greeting":"hi","second_delete":"500"}`:  "takes 404, 204",
		`{"greeting":"hi","nonsense":"1"}`:         "no switch",
		`{"greeting":"hi","second_delete":404}`:    "",
		`{"greeting":"hi"}{"second_delete":"204"}`: "",
		`["greeting"]`: "",
		`{`:            "",
		``:             "",
	} {
		for range 10 {
			status, _, answer := send(t, http.MethodPut, server.ControlURL()+"/switches", body)
			require.Equal(t, 400, status, body)
			require.Contains(t, answer, want)
			require.Equal(t, map[string]string{"second_delete": "404", "greeting": "hello"}, server.env.allSwitches(), body)
		}
	}
}

func TestResetBringsBackTheStart(t *testing.T) {
	server, err := Start(toy, Options{Seed: 2, Switches: map[string]string{"greeting": "from the start"}})
	require.NoError(t, err)
	defer server.Close()
	instance := server.instance.(*toyInstance)
	require.NoError(t, server.SetSwitch("greeting", "later"))
	require.NoError(t, server.SetSwitch("second_delete", "204"))
	require.NoError(t, server.Inject(Match{Path: "/x"}, Fault{Status: 500}, -1))
	_, _, _ = send(t, http.MethodGet, server.URL()+"/", "")
	status, _, _ := send(t, http.MethodPost, server.ControlURL()+"/reset", "")
	assert.Equal(t, 204, status)
	assert.Equal(t, map[string]string{"second_delete": "404", "greeting": "from the start"}, server.env.allSwitches())
	assert.Empty(t, server.Calls())
	assert.Zero(t, instance.actions())
	status, _, _ = send(t, http.MethodGet, server.URL()+"/x", "")
	assert.Equal(t, 200, status)
}

func TestTheControlInterfaceDoesNotTalkToBrowsers(t *testing.T) {
	server, _ := startToy(t)
	_, port, err := net.SplitHostPort(server.controlAddr)
	require.NoError(t, err)
	for header, want := range map[string]int{
		"X-Nothing: 1":                           204,
		"Host: localhost:" + port:                204,
		"Host: 127.0.0.1:" + port:                204,
		"Host: 127.0.0.1":                        204,
		"Host: [::1]:" + port:                    204,
		"Origin: http://evil.test":               403,
		"Origin: null":                           403,
		"Origin: http://127.0.0.1:" + port:       403,
		"Host: evil.test:" + port:                403,
		"Host: 127.0.0.1.evil.test:" + port:      403,
		"Host: localhost.evil.test":              403,
		"Host: 10.0.0.1:" + port:                 403,
		"Host: rebound.test":                     403,
		"Host: 0.0.0.0:" + port:                  403,
		"Host: [::ffff:10.0.0.1]:" + port:        403,
		"Host: 127.0.0.1:" + port + "@evil.test": 403,
	} {
		status, _, _ := send(t, http.MethodPost, server.ControlURL()+"/reset", "", header)
		assert.Equal(t, want, status, header)
	}
	host, _, err := net.SplitHostPort(server.controlAddr)
	require.NoError(t, err)
	assert.True(t, net.ParseIP(host).IsLoopback())
}

func TestTheControlInterfaceKnowsItsRoutesAlone(t *testing.T) {
	server, instance := startToy(t)
	for request, want := range map[string]int{"GET /": 404, "GET /reset": 405, "POST /calls": 405, "PATCH /switches": 405, "GET /contacts": 404} {
		method, path, _ := strings.Cut(request, " ")
		status, _, _ := send(t, method, server.ControlURL()+path, "")
		assert.Equal(t, want, status, request)
	}
	assert.Zero(t, instance.actions())
	status, _, body := send(t, http.MethodPost, server.URL()+"/reset", "")
	assert.Equal(t, 200, status, "the vendor's own listener has no control routes")
	assert.Contains(t, body, "hello")
}

func TestTheContextCanBePosted(t *testing.T) {
	server, instance := startToy(t)
	assert.Equal(t, map[string]any{"api_key": "toy-key", "nested": map[string]any{"a": 1}, "base_url": server.URL()}, server.Context())
	assert.NotContains(t, instance.Context(), "base_url", "the instance's own map stays as it is")
	_, _, body := send(t, http.MethodGet, server.URL()+"/", "")
	assert.Contains(t, body, server.URL(), "links lead back to the emulator")
}

func TestAStartThatCannotBeSaysWhy(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	_, err = Start(toy, Options{Listen: taken.Addr().String()})
	require.ErrorContains(t, err, taken.Addr().String())
	_, err = Start(toy, Options{Switches: map[string]string{"nonsense": "1"}})
	require.ErrorContains(t, err, `no switch "nonsense"`)
	_, err = Start(toy, Options{Switches: map[string]string{"second_delete": "maybe"}})
	require.ErrorContains(t, err, "second_delete takes 404, 204")
}

func TestCloseEndsBothListenersAndEveryConnection(t *testing.T) {
	server, err := Start(toy, Options{})
	require.NoError(t, err)
	conn, err := net.Dial("tcp", server.apiAddr)
	require.NoError(t, err)
	defer conn.Close()
	_, err = io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	buffer := make([]byte, 1)
	_, err = io.ReadFull(conn, buffer)
	require.NoError(t, err)
	require.NoError(t, server.Close())
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.ReadAll(conn)
	if err != nil {
		assert.NotErrorIs(t, err, context.DeadlineExceeded)
	}
	for _, address := range []string{server.apiAddr, server.controlAddr} {
		_, err := net.Dial("tcp", address)
		assert.Error(t, err)
	}
}

func TestAnInstanceRunsWithoutAServerToo(t *testing.T) {
	env, err := NewEnv(toy, 3, map[string]string{"greeting": "hi"})
	require.NoError(t, err)
	assert.Equal(t, "hi", env.Switch("greeting"))
	assert.Equal(t, "404", env.Switch("second_delete"))
	assert.Equal(t, "http://emulator.test", env.BaseURL())
	assert.Panics(t, func() { env.Switch("no_such") })
	_, err = NewEnv(toy, 3, map[string]string{"no_such": "1"})
	require.Error(t, err)
}

func TestWhatHasNoJSONFormIsAServersMistake(t *testing.T) {
	definition := toy
	definition.New = func(*Env) Instance { return unwritable{} }
	server, err := Start(definition, Options{})
	require.NoError(t, err)
	defer server.Close()
	status, _, _ := send(t, http.MethodGet, server.URL()+"/", "")
	assert.Equal(t, 500, status)
}

type unwritable struct{ lengthy }

func (unwritable) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	WriteJSON(w, http.StatusOK, make(chan int))
}
