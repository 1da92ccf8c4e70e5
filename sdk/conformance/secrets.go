package conformance

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// This file looks for secrets by taking texts apart, where package redact
// strikes them out by putting forms of them together: the two would otherwise
// only prove each other right.

var base64Run = regexp.MustCompile(`[A-Za-z0-9+/_-]{8,}`)

// enough is how much of a planted secret gives it away, in bytes. Of a vendor's
// own secret only the whole counts: a part of it may be a common word.
const enough = 8

// holds tells whether a text gives a secret away: as it is, escaped for a URL
// or for JSON, or within base64. Of a planted secret a part is enough.
func holds(text, secret string) bool {
	needles := []string{secret}
	if strings.HasPrefix(secret, canary) {
		needles = nil
		for i := 0; i+enough <= len(secret); i++ {
			needles = append(needles, secret[i:i+enough])
		}
	}
	has := func(text string) bool {
		return slices.ContainsFunc(needles, func(needle string) bool { return strings.Contains(text, needle) })
	}
	forms := []string{text, unescaped(text), unquoted(text)}
	for i, form := range forms {
		if i > 0 && form == text {
			continue
		}
		if has(form) {
			return true
		}
		for _, run := range base64Run.FindAllString(form, -1) {
			if slices.ContainsFunc(decodings(run), has) {
				return true
			}
		}
	}
	return false
}

// decodings reads a run of base64 from each of the four places at which it may
// begin, for it may be glued to what stands before it.
func decodings(run string) []string {
	run = strings.NewReplacer("-", "+", "_", "/").Replace(run)
	var texts []string
	for start := range min(4, len(run)) {
		part := run[start:]
		part = part[:len(part)/4*4]
		if data, err := base64.StdEncoding.DecodeString(part); err == nil {
			texts = append(texts, string(data))
		}
		if rest := run[start:]; len(rest)%4 > 1 {
			if data, err := base64.RawStdEncoding.DecodeString(rest); err == nil {
				texts = append(texts, string(data))
			}
		}
	}
	return texts
}

func unescaped(text string) string {
	if plain, err := url.QueryUnescape(text); err == nil {
		return plain
	}
	return text
}

var jsonEscape = regexp.MustCompile(`(\\u[0-9a-fA-F]{4}|\\[/"\\bfnrt])+`)

// unquoted undoes the escapes of JSON wherever they stand.
func unquoted(text string) string {
	return jsonEscape.ReplaceAllStringFunc(text, func(escaped string) string {
		var plain string
		if json.Unmarshal([]byte(`"`+escaped+`"`), &plain) != nil {
			return escaped
		}
		return plain
	})
}

// everything is all that a request carries, as one text.
func (v *visit) everything() string {
	var b strings.Builder
	b.WriteString(v.String() + "\n")
	for name, values := range v.Header {
		b.WriteString(name + ": " + strings.Join(values, ", ") + "\n")
	}
	b.Write(v.body)
	return b.String()
}
