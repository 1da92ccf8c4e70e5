// Package emulator is a stateful stand-in for the Core API v2 of Zendesk Sell
// (formerly Base CRM), as far as contacts need it: persons and organisations,
// users, the account, tags, custom field metadata and the OAuth token
// endpoint. It is as strict as the vendor is known to be; where nobody knows,
// a switch selects between the candidates. The README lists the seeded
// records, the credentials, the switches and what is left out.
package emulator

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// Definition is the emulator of Zendesk Sell's API.
var Definition = kit.Definition{Slug: "zendesksell", Switches: switches, New: newVendor}

// vendor is one running emulator. One mutex guards everything that changes;
// answers are rendered to bytes under it and written after it is released.
type vendor struct {
	env *kit.Env

	mu       sync.Mutex
	requests int // guarded by mu; never reset, so that request ids stay unique
	state    *state
	limiter  limiter
}

func newVendor(env *kit.Env) kit.Instance {
	v := &vendor{env: env}
	v.Reset()
	return v
}

// Context returns the account context: the personal access token of user 7.
func (v *vendor) Context() map[string]any {
	return map[string]any{"access_token": personalToken}
}

// Reset brings the state back to the seed.
func (v *vendor) Reset() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.state = seeded(v.env.Seed)
	v.limiter = limiter{}
}

// call is one request on its way through the emulator.
type call struct {
	method string
	// path holds the escaped segments after the version.
	path   []string
	query  url.Values
	header http.Header
	body   []byte
	now    time.Time
	id     string
}

// reply is an answer before it is rendered. A nil body is an empty one.
type reply struct {
	status   int
	body     any
	text     string // instead of body, as text/plain
	header   http.Header
	problems []problem // instead of body, as the vendor's error envelope
}

// ServeHTTP answers like api.getbase.com.
func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	status, header, body := v.answer(r)
	for name, values := range header {
		w.Header()[name] = values
	}
	w.WriteHeader(status)
	if len(body) > 0 {
		_, _ = w.Write(body) // net/http drops it for HEAD
	}
}

// answer does the whole request under the lock.
func (v *vendor) answer(r *http.Request) (int, http.Header, []byte) {
	body, bodyErr := readBody(r)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.requests++
	sum := sha256.Sum256([]byte("request " + strconv.Itoa(v.requests)))
	c := &call{
		// The vendor's PHP client sends its verbs in lower case.
		method: strings.ToUpper(r.Method),
		header: r.Header,
		body:   body,
		now:    time.Now().UTC(),
		id:     hex.EncodeToString(sum[:8]) + "-EMU",
	}
	var re reply
	if bodyErr != nil {
		re = refuse(http.StatusBadRequest, problem{code: "invalid_payload", details: "the payload could not be read"})
	} else {
		re = v.dispatch(c, r)
	}
	return v.render(c, re)
}

// render turns a reply into what goes over the wire.
func (v *vendor) render(c *call, re reply) (int, http.Header, []byte) {
	header := http.Header{"X-Request-Id": {c.id}}
	for name, values := range re.header {
		header[name] = values
	}
	value := re.body
	if len(re.problems) > 0 {
		value = v.errorEnvelope(c, re)
		header.Set("Content-Language", "en")
	}
	if re.text != "" {
		header.Set("Content-Type", "text/plain; charset=utf-8")
		return re.status, header, []byte(re.text)
	}
	if value == nil {
		return re.status, header, nil
	}
	body, err := json.Marshal(value)
	if err != nil {
		panic("emulator: a record does not marshal: " + err.Error())
	}
	header.Set("Content-Type", "application/json; charset=utf-8")
	return re.status, header, body
}

// dispatch goes through the checks in the vendor's order, as far as that is
// known: what every request needs first, then the path, then the rest.
func (v *vendor) dispatch(c *call, r *http.Request) reply {
	path := strings.TrimSuffix(r.URL.EscapedPath(), "/")
	if path == "/oauth2/token" {
		return v.token(c, r)
	}
	rest, ok := strings.CutPrefix(path, "/v2/")
	if !ok {
		// Seen by a third party without credentials: outside the versioned
		// paths a gateway answers not_found before it looks at the token.
		return refuse(http.StatusNotFound, problem{code: "not_found", details: "there is nothing at this path"})
	}
	c.path = strings.Split(rest, "/")
	if strings.TrimSpace(r.Header.Get("User-Agent")) == "" {
		return refuse(http.StatusBadRequest, problem{code: v.env.Switch("user_agent_code"), message: messages["invalid_header"], details: "the request header 'User-Agent' is missing"})
	}
	holder, ok := v.authenticate(c)
	if !ok {
		return refuse(http.StatusUnauthorized, problem{code: "unauthorized", details: "the access token is missing, malformed, expired or wrong"})
	}
	if refusal, limited := v.limit(c, holder); limited {
		return refusal
	}
	route, ok := v.route(c)
	if !ok {
		return v.incorrectPath()
	}
	if !holder.scopes[route.scope] {
		return refuse(http.StatusForbidden, problem{code: "insufficient_scope", details: "this request needs the scope '" + route.scope + "'"})
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return invalidParam("the query could not be read")
	}
	c.query = query
	if refusal, unknown := route.unknownParameter(query); unknown {
		return refusal
	}
	return route.handle(c)
}
