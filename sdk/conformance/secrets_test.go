package conformance

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestASecretIsSeenInEveryForm(t *testing.T) {
	secret := canary + "00"
	for _, text := range []string{
		"x " + secret,
		`{"a":"\u0063` + canary[1:] + `"}`,
		"a=" + strings.ReplaceAll(secret, "c", "%63"),
		"half of it: " + secret[:len(secret)/2] + "…",
		"its end: …" + secret[len(secret)-enough:],
	} {
		assert.True(t, holds(text, secret), text)
	}
	for before := range 4 {
		for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
			text := `"Basic ` + encoding.EncodeToString([]byte(strings.Repeat("u", before)+":"+secret)) + `"`
			assert.True(t, holds(text, secret), text)
		}
	}
	assert.False(t, holds("nothing of the sort, "+canary[:enough-1], secret))
	assert.True(t, holds("the vendor's own: abc-123", "abc-123"))
	assert.False(t, holds("the vendor's own: abc-12", "abc-123"), "of a secret that the suite did not make up the whole counts")
}
