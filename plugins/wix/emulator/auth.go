package emulator

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// token is an access token of the app.
type token struct {
	issued, expires time.Time
}

// authenticate accepts the raw API key with one id header, or an app's token.
func (s *state) authenticate(q *request) *failure {
	credential := q.header.Get("Authorization")
	if credential == apiKey {
		return s.checkIDHeaders(q.header)
	}
	if rest, ok := strings.CutPrefix(credential, "Bearer "); ok && s.env.Switch("bearer_app_token") == "accept" {
		credential = rest
	}
	if t := s.tokens[credential]; t != nil && time.Now().Before(t.expires) {
		// The instance decides the site, so id headers are not looked at.
		q.app = true
		return nil
	}
	return refused(http.StatusUnauthorized, "UNAUTHENTICATED", "The caller is not known.")
}

// checkIDHeaders wants exactly one of the two headers that say what an API key
// is used on.
func (s *state) checkIDHeaders(h http.Header) *failure {
	site, account := h.Get("wix-site-id"), h.Get("wix-account-id")
	switch {
	case site == "" && account == "":
		return refused(http.StatusForbidden, "PERMISSION_DENIED", "Send wix-site-id with an API key.")
	case site != "" && account != "" && s.env.Switch("both_id_headers") == "400":
		return plain(http.StatusBadRequest, "Send wix-site-id or wix-account-id, not both")
	case site != "" && !strings.EqualFold(site, siteID),
		account != "" && !strings.EqualFold(account, accountID):
		return refused(http.StatusForbidden, "PERMISSION_DENIED", "The API key belongs to another account.")
	case site == "" && s.env.Switch("account_level_key") == "403":
		return refused(http.StatusForbidden, "PERMISSION_DENIED", "Contacts are reached with wix-site-id.")
	}
	return nil
}

// issueToken is POST /oauth2/token for client credentials.
func (s *state) issueToken(q *request) (any, *failure) {
	body, fail := parseBody(q.body)
	if fail != nil {
		return nil, fail
	}
	c := &check{}
	grant, _ := c.text(body, "grant_type", "grant_type")
	client, _ := c.text(body, "client_id", "client_id")
	secret, _ := c.text(body, "client_secret", "client_secret")
	inst, _ := c.text(body, "instance_id", "instance_id")
	if fail := c.verdict(s.env); fail != nil {
		return nil, fail
	}
	if grant != "client_credentials" {
		return nil, plain(http.StatusBadRequest, "Unsupported grant_type")
	}
	if client != clientID {
		return nil, invalid(violation{field: "getBy.app", description: "is not a valid app", rule: "FORMAT"})
	}
	if secret != clientSecret || inst != instanceID {
		status, _ := strconv.Atoi(s.env.Switch("token_refusal"))
		return nil, plain(status, "The app's credentials do not fit")
	}
	lifetime, err := strconv.Atoi(s.env.Switch("token_lifetime"))
	if err != nil || lifetime < 0 {
		lifetime = 14400
	}
	value := "emulator-access-token-" + s.newGUID()
	now := time.Now()
	s.tokens[value] = &token{issued: now, expires: now.Add(time.Duration(lifetime) * time.Second)}
	return kit.Pairs("access_token", value, "token_type", "Bearer", "expires_in", lifetime), nil
}

// tokenInfo is POST /oauth2/token-info.
func (s *state) tokenInfo(q *request) (any, *failure) {
	body, fail := parseBody(q.body)
	if fail != nil {
		return nil, fail
	}
	c := &check{}
	value, _ := c.text(body, "token", "token")
	if fail := c.verdict(s.env); fail != nil {
		return nil, fail
	}
	t := s.tokens[value]
	if t == nil {
		return kit.Pairs("active", false), nil
	}
	return kit.Pairs(
		"active", time.Now().Before(t.expires),
		"subjectType", "APP", "subjectId", clientID,
		"exp", t.expires.Unix(), "iat", t.issued.Unix(),
		"clientId", clientID, "siteId", siteID, "instanceId", instanceID,
	), nil
}

// window counts the requests of a minute.
type window struct {
	setting string
	start   time.Time
	used    int
}

// withinLimit counts an authenticated request against the switch rate_limit.
func (s *state) withinLimit() *failure {
	setting := s.env.Switch("rate_limit")
	allowed, err := strconv.Atoi(setting)
	if err != nil {
		s.window = window{}
		return nil
	}
	now := time.Now()
	if setting != s.window.setting || now.Sub(s.window.start) >= time.Minute {
		s.window = window{setting: setting, start: now}
	}
	s.window.used++
	if s.window.used <= allowed {
		return nil
	}
	fail := refused(http.StatusTooManyRequests, "RESOURCE_EXHAUSTED", "Too many requests.")
	if s.env.Switch("rate_limit_headers") == "retry_after" {
		left := time.Minute - now.Sub(s.window.start)
		fail.header = map[string]string{"Retry-After": strconv.Itoa(int(left/time.Second) + 1)}
	}
	return fail
}
