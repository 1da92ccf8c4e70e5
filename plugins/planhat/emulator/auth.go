package emulator

import (
	"encoding/base64"
	"net/http"
	"strings"
)

// authorised accepts the two documented forms: the token as a bearer, or as
// the user of Basic credentials, with the colon and an empty password.
func authorised(r *http.Request) bool {
	scheme, credentials, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	if !ok {
		return false
	}
	switch strings.ToLower(scheme) {
	case "bearer":
		return credentials == token
	case "basic":
		plain, err := base64.StdEncoding.DecodeString(credentials)
		return err == nil && string(plain) == token+":"
	default:
		return false
	}
}
