package emulator

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// Tokens are 64 characters without white space: the vendor's own clients send
// nothing with any other.
const (
	personalToken = "emulator-personal-access-token-0000000000000000000000000000000-7"
	readOnlyToken = "emulator-read-only-access-token-00000000000000000000000000000-07"
	// Issued tokens end in nine digits.
	oauthTokenPrefix = "emulator-oauth-access-token-00000000000000000000000000-"
)

// The OAuth client and what it begins with.
const (
	oauthClientID     = "emulator-client-id"
	oauthClientSecret = "emulator-client-secret"
	firstRefreshToken = "emulator-refresh-token-1"
	firstCode         = "emulator-authorization-code"
)

// allScopes is what the vendor's own integration asks for.
const allScopes = "read write profile sync"

// holder is who a token stands for.
type holder struct {
	token   string
	userID  int64
	scopes  map[string]bool
	expires time.Time // zero for never
}

func newHolder(token, scopes string, expires time.Time) *holder {
	h := &holder{token: token, userID: ownUserID, scopes: map[string]bool{}, expires: expires}
	for _, scope := range strings.Fields(scopes) {
		h.scopes[scope] = true
	}
	return h
}

// authenticate finds the token's holder. Missing, malformed, expired and wrong
// tokens are told apart by nobody: the vendor has one answer for all.
func (v *vendor) authenticate(c *call) (*holder, bool) {
	if len(c.header.Values("Authorization")) != 1 {
		return nil, false
	}
	scheme, token, _ := strings.Cut(c.header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return nil, false
	}
	h, ok := v.state.holders[token]
	if !ok || (!h.expires.IsZero() && !c.now.Before(h.expires)) {
		return nil, false
	}
	return h, true
}

// token is the OAuth token endpoint, for the grants refresh_token and
// authorization_code. How the vendor words its refusals is not known; these
// are the ones of RFC 6749.
func (v *vendor) token(c *call, r *http.Request) reply {
	if c.method != http.MethodPost {
		return refuse(http.StatusNotFound, problem{code: "not_found", details: "there is nothing at this path"})
	}
	oauthError := func(status int, code string) reply {
		return reply{status: status, body: kit.Pairs("error", code)}
	}
	id, secret, ok := r.BasicAuth()
	if !ok || id != oauthClientID || secret != oauthClientSecret {
		return oauthError(http.StatusUnauthorized, "invalid_client")
	}
	form, ok := parseForm(c)
	if !ok {
		return oauthError(http.StatusBadRequest, "invalid_request")
	}
	switch form.Get("grant_type") {
	case "refresh_token":
		old := form.Get("refresh_token")
		if !v.state.refreshTokens[old] {
			return oauthError(http.StatusBadRequest, "invalid_grant")
		}
		if v.env.Switch("old_refresh_token") == "dies" {
			delete(v.state.refreshTokens, old)
		}
	case "authorization_code":
		if code := form.Get("code"); code == "" || code != v.state.code {
			return oauthError(http.StatusBadRequest, "invalid_grant")
		}
		v.state.code = ""
	case "":
		return oauthError(http.StatusBadRequest, "invalid_request")
	default:
		return oauthError(http.StatusBadRequest, "unsupported_grant_type")
	}
	lifetime := v.number("token_lifetime", 3600)
	v.state.grants++
	access := oauthTokenPrefix + leftPad(v.state.grants, 9)
	refresh := "emulator-refresh-token-" + strconv.Itoa(v.state.grants+1)
	v.state.holders[access] = newHolder(access, allScopes, c.now.Add(time.Duration(lifetime)*time.Second))
	v.state.refreshTokens[refresh] = true
	return reply{status: http.StatusOK, body: kit.Pairs(
		"access_token", access,
		"token_type", "bearer",
		"expires_in", lifetime,
		"refresh_token", refresh,
		"scope", allScopes,
	)}
}

// leftPad fills a number up with zeros.
func leftPad(n, width int) string {
	s := strconv.Itoa(n)
	if len(s) < width {
		s = strings.Repeat("0", width-len(s)) + s
	}
	return s
}
