package emulator

import (
	"encoding/base64"
	"strings"
)

// authorized tells whether an Authorization header holds the API key: as a
// user name with an empty password ("key:"), which is what the reference
// shows, or bare ("key"), which the help page tells people to encode and
// clients in production send.
func authorized(header string) bool {
	scheme, encoded, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return false
	}
	credentials, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return false
	}
	return string(credentials) == apiKey || string(credentials) == apiKey+":"
}
