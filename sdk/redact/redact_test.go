package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestASecretIsStruckInEveryFormInWhichItTravels(t *testing.T) {
	for _, secret := range []string{
		"tok_4f9a8b7c6d5e", `quo"ted\back/slash`, "<amp&ersand>", "with space+plus%", "ключ-日本", "line\nend\ttab", `"inquotes"`, `""""`, "a:b@c;d", "\u2028sep", "abcd",
	} {
		s := New(secret)
		marshalled, err := json.Marshal(map[string]string{"k": secret})
		require.NoError(t, err)
		var plain bytes.Buffer
		encoder := json.NewEncoder(&plain)
		encoder.SetEscapeHTML(false)
		require.NoError(t, encoder.Encode(secret))
		basic, err := http.NewRequest(http.MethodGet, "http://x", nil)
		require.NoError(t, err)
		basic.SetBasicAuth(secret, "")
		for name, text := range map[string]string{
			"plain":               "Bearer " + secret + ".",
			"JSON":                string(marshalled),
			"JSON without HTML":   plain.String(),
			"query":               "https://x/?k=" + url.QueryEscape(secret) + "&y=1",
			"path":                "https://x/" + url.PathEscape(secret) + "/y",
			"base64":              base64.StdEncoding.EncodeToString([]byte(secret)),
			"base64 of URLs":      base64.URLEncoding.EncodeToString([]byte(secret)),
			"base64 unpadded":     base64.RawStdEncoding.EncodeToString([]byte(secret)),
			"Basic":               basic.Header.Get("Authorization"),
			"twice":               secret + secret,
			"beside its own mark": Mark + secret,
		} {
			got := s.Text(text)
			assert.Contains(t, got, Mark, "%s of %q", name, secret)
			assert.NotContains(t, got, secret, "%s of %q", name, secret)
			assert.Equal(t, got, string(s.Bytes([]byte(text))))
			if rest := strings.ReplaceAll(got, Mark, ""); strings.Contains(name, "ase64") {
				assert.LessOrEqual(t, len(strings.Trim(rest, "=")), 2, "%s of %q leaves %q", name, secret, rest)
			}
		}
	}
}

// A vendor that repeats the Authorization header repeats user and password in
// one run of base64, where either begins at any of three places.
func TestAPasswordIsStruckInsideBasicCredentials(t *testing.T) {
	const password = "S3cr3t-passphrase"
	s := New(password)
	for _, user := range []string{"", "u", "us", "use", "user", "ada@example.com"} {
		for _, after := range []string{"", "x", "xy"} {
			for name, encoding := range map[string]*base64.Encoding{"standard": base64.StdEncoding, "for URLs": base64.URLEncoding} {
				text := encoding.EncodeToString([]byte(user + ":" + password + after))
				got := s.Text("Basic " + text)
				require.Contains(t, got, Mark, "%s after %q", name, user)
				for _, rest := range strings.Split(strings.TrimPrefix(got, "Basic "), Mark) {
					decoded, _ := base64.RawStdEncoding.DecodeString(rest[:len(rest)/4*4])
					assert.NotContains(t, string(decoded), password[3:8], "%s after %q", name, user)
				}
			}
		}
	}
}

func TestOverlappingSecretsAreStruckWhole(t *testing.T) {
	for name, c := range map[string]struct {
		secrets    []string
		text, want string
	}{
		"one within another":            {[]string{"token", "token-long"}, "a token-long b token c", "a [redacted] b [redacted] c"},
		"the other way round":           {[]string{"token-long", "token"}, "a token-long b", "a [redacted] b"},
		"in the middle":                 {[]string{"ddle", "middle-name"}, "middle-name ddle", "[redacted] [redacted]"},
		"the same twice":                {[]string{"token", "token"}, "token", "[redacted]"},
		"end to end":                    {[]string{"abcd", "efgh"}, "abcdefgh", "[redacted][redacted]"},
		"one's end is another's start":  {[]string{"abcdef", "efghijk"}, "abcdefghijk", "abcd[redacted]"},
		"an account id that is no word": {[]string{"1234"}, `{"id":1234}`, `{"id":[redacted]}`},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, New(c.secrets...).Text(c.text))
		})
	}
}

func TestShortSecretsAreLeftSinceTheyAreWords(t *testing.T) {
	s := New("", "a", "ab", "abc", "    ", "\n\n\n\n")
	for _, text := range []string{"", "a cab", "    indented", "x\n\n\n\ny"} {
		assert.Equal(t, text, s.Text(text))
	}
	assert.Equal(t, Mark, New("abcd").Text("abcd"))
}

func TestNothingKnownStrikesNothing(t *testing.T) {
	var none *Secrets
	data := []byte("text")
	assert.Equal(t, "text", none.Text("text"))
	assert.Equal(t, data, none.Bytes(data))
	var zero Secrets
	assert.Equal(t, "text", zero.Text("text"))
	defer zero.Add("text")()
	assert.Equal(t, Mark, zero.Text("text"))
}

func TestTheDataThatWasGivenStaysAsItIs(t *testing.T) {
	data := []byte("a token b")
	got := New("token").Bytes(data)
	assert.Equal(t, "a [redacted] b", string(got))
	assert.Equal(t, "a token b", string(data))
}

func TestASecretIsKnownAsLongAsSomebodyNeedsIt(t *testing.T) {
	s := New()
	first := s.Add("token", "other")
	second := s.Add("token")
	first()
	assert.Equal(t, "[redacted] other", s.Text("token other"))
	first()
	assert.Equal(t, "[redacted]", s.Text("token"), "forgetting twice forgets once")
	second()
	assert.Equal(t, "token", s.Text("token"))
	assert.Empty(t, s.forms)
	assert.Empty(t, s.order)
	s.Add("token", "token")()
	assert.Empty(t, s.forms)
}

func TestSecretsComeAndGoWhileTextsAreStruck(t *testing.T) {
	s := New("always-known")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			own := fmt.Sprintf("own-secret-%d", i)
			for range 200 {
				forget := s.Add(own, "shared-secret")
				text := s.Text("always-known " + own + " shared-secret")
				assert.Equal(t, "[redacted] [redacted] [redacted]", text)
				assert.Equal(t, text, string(s.Bytes([]byte("always-known "+own+" shared-secret"))))
				forget()
			}
		})
	}
	all.Wait()
	assert.Equal(t, "[redacted] shared-secret", s.Text("always-known shared-secret"))
}

func FuzzNoSecretIsLeft(f *testing.F) {
	f.Add("token", "token-long", "a token b token-long")
	f.Add("abab", "baba", "abababababab")
	f.Add("\xff\xfe\xfd\xfc", `\"\"`, "\xff\xfe\xfd\xfc\\\"\\\"")
	f.Add("aaaa", "aaaaa", "aaaaaaaaaaaaaaaaaaa")
	f.Fuzz(func(t *testing.T, one, other, text string) {
		s := New(one, other)
		got := s.Text(text)
		require.Equal(t, got, string(s.Bytes([]byte(text))))
		for _, secret := range []string{one, other} {
			// What the mark itself, or the mark and its neighbour, spells out
			// was never in the text.
			if len(secret) < minSecret || strings.TrimSpace(secret) == "" || strings.ContainsAny(secret, "[]") || strings.Contains(Mark, secret) {
				continue
			}
			require.NotContains(t, got, secret)
		}
	})
}

func TestASecretIsStruckOutOfJSONHoweverItsWriterEscapes(t *testing.T) {
	const secret = "tok/en-4f9a<8b>é"
	s := New(secret)
	for name, text := range map[string]string{
		"plain":           `{"k":"tok/en-4f9a<8b>é"}`,
		"slashes":         `{"k":"tok\/en-4f9a<8b>é"}`,
		"HTML":            `{"k":"tok/en-4f9a\u003c8b\u003eé"}`,
		"upper case":      `{"k":"tok/en-4f9a\u003C8b\u003Eé"}`,
		"ASCII alone":     `{"k":"tok\/en-4f9a<8b>\u00e9"}`,
		"every one":       `{"k":"\u0074\u006F\u006b\u002f\u0065\u006e\u002d\u0034\u0066\u0039\u0061\u003c\u0038\u0062\u003e\u00e9"}`,
		"in a sentence":   `{"k":"bad \"tok\/en-4f9a<8b>é\" given"}`,
		"in a key":        `{"tok\/en-4f9a<8b>é":1}`,
		"in a list":       `["a\n",["tok\/en-4f9a<8b>é"],"b\\"]`,
		"a text alone":    `"tok\/en-4f9a<8b>é"`,
		"JSON in JSON":    `{"k":"{\"k\":\"tok\/en-4f9a<8b>é\"}"}`,
		"what is no JSON": `{"k":"tok/en-4f9a<8b>é"`,
	} {
		given := []byte(text)
		got := s.JSON(given)
		assert.Equal(t, text, string(given), "what was given stays as it is")
		assert.Equal(t, json.Valid(given), json.Valid(got), "%s: %s", name, got)
		assert.Contains(t, string(got), Mark, name)
		var value any
		if json.Unmarshal(got, &value) == nil {
			assert.NotContains(t, fmt.Sprint(value), secret, name)
		}
		assert.NotContains(t, string(got), "4f9a", name)
	}
	untouched := `{"a":1.50,"b":"x\/y","c":"\u003c"}`
	assert.Equal(t, untouched, string(s.JSON([]byte(untouched))), "the rest keeps its own escapes and digits")
	var none *Secrets
	assert.Equal(t, "x", string(none.JSON([]byte("x"))))
}

func FuzzNoSecretIsLeftInJSON(f *testing.F) {
	f.Add("token", []byte(`{"a":"tok\u0065n","b":["\\token"]}`))
	f.Add(`a"b\c`, []byte(`"a\"b\\c"`))
	f.Add("1234", []byte(`{"id":1234}`))
	f.Fuzz(func(t *testing.T, secret string, data []byte) {
		if len(secret) < minSecret || strings.TrimSpace(secret) == "" || strings.ContainsAny(secret, `[]"\{}:,`) || strings.Contains(Mark, secret) || !json.Valid(data) {
			return
		}
		got := New(secret).JSON(data)
		require.NotContains(t, string(got), secret)
		var value any
		if json.Unmarshal(got, &value) == nil {
			requireNowhere(t, value, secret)
		}
	})
}

func requireNowhere(t *testing.T, value any, secret string) {
	t.Helper()
	switch value := value.(type) {
	case string:
		require.NotContains(t, value, secret)
	case []any:
		for _, item := range value {
			requireNowhere(t, item, secret)
		}
	case map[string]any:
		for key, inner := range value {
			requireNowhere(t, key, secret)
			requireNowhere(t, inner, secret)
		}
	}
}
