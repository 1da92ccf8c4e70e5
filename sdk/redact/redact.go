// Package redact strikes secrets out of what is about to be printed.
package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"slices"
	"sort"
	"strings"
	"sync"
)

// Mark stands where a secret stood.
const Mark = "[redacted]"

// minSecret is the shortest text that is struck out as a secret. Shorter ones,
// and white space alone, would strike ordinary text.
const minSecret = 4

// Secrets knows the texts that must never be printed, in the forms in which
// they travel: plain, quoted for JSON, escaped for URLs, in base64. The zero
// value and nil know none. It is safe for concurrent use.
type Secrets struct {
	mu    sync.RWMutex
	forms map[string]int // guarded by mu: form -> how often it was added
	order []string       // guarded by mu: longest first, so that no form cuts another in two
}

// New knows the given secrets.
func New(secrets ...string) *Secrets {
	s := &Secrets{}
	s.Add(secrets...)
	return s
}

// Add makes more secrets known. The function returned forgets them again.
func (s *Secrets) Add(secrets ...string) (forget func()) {
	var added []string
	for _, secret := range secrets {
		if len(secret) >= minSecret && strings.TrimSpace(secret) != "" {
			added = append(added, formsOf(secret)...)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.forms == nil {
		s.forms = map[string]int{}
	}
	for _, form := range added {
		s.forms[form]++
	}
	s.sort()
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, form := range added {
			if s.forms[form]--; s.forms[form] <= 0 {
				delete(s.forms, form)
			}
		}
		s.sort()
	})
}

func (s *Secrets) sort() {
	s.order = s.order[:0]
	for form := range s.forms {
		s.order = append(s.order, form)
	}
	sort.Slice(s.order, func(i, j int) bool {
		if len(s.order[i]) != len(s.order[j]) {
			return len(s.order[i]) > len(s.order[j])
		}
		return s.order[i] < s.order[j]
	})
}

func formsOf(secret string) []string {
	quoted, _ := json.Marshal(secret)
	var unescaped bytes.Buffer
	enc := json.NewEncoder(&unescaped)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(secret)
	forms := []string{
		secret, string(quoted[1 : len(quoted)-1]), strings.Trim(strings.TrimSpace(unescaped.String()), `"`),
		url.QueryEscape(secret), url.PathEscape(secret),
		strings.NewReplacer("%5B", "[", "%5D", "]", "%2C", ",", "+", "%20").Replace(url.QueryEscape(secret)), // as vendorhttp writes a query
		base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
		base64.StdEncoding.EncodeToString([]byte(secret + ":")), // HTTP Basic with an empty password
	}
	forms = append(forms, insideBase64(secret)...)
	slices.Sort(forms)
	return slices.Compact(forms)
}

// insideBase64 is what every run of base64 holds that the secret is a part of,
// such as HTTP Basic with a user's name: three bytes are four characters, so
// there are three ways for it to fall. Too little to tell it by is left out.
func insideBase64(secret string) []string {
	var forms []string
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			whole := encoding.EncodeToString([]byte("\x00\x00"[:before] + secret))
			if form := whole[(before*8+5)/6 : (before+len(secret))*8/6]; len(form) >= 8 {
				forms = append(forms, form)
			}
		}
	}
	return forms
}

// Text strikes the secrets out of a text.
func (s *Secrets) Text(text string) string {
	if s == nil {
		return text
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, form := range s.order {
		text = strings.ReplaceAll(text, form, Mark)
	}
	return text
}

// JSON strikes the secrets out of the strings of a JSON text also where its
// writer has escaped them in some way of its own, such as "\\/" or "\\u002D".
// Keys are strings too. What is not JSON is treated as bytes.
func (s *Secrets) JSON(data []byte) []byte {
	if s == nil || !json.Valid(data) {
		return s.Bytes(data)
	}
	var out []byte
	kept := 0
	for i := 0; i < len(data); i++ {
		if data[i] != '"' {
			continue
		}
		start, escaped := i, false
		for i++; data[i] != '"'; i++ {
			if data[i] == '\\' {
				escaped = true
				i++
			}
		}
		if !escaped {
			continue // Bytes sees it as it is
		}
		var text string
		if json.Unmarshal(data[start:i+1], &text) != nil {
			continue
		}
		if clean := s.Text(text); clean != text {
			quoted, _ := json.Marshal(clean)
			out = append(append(out, data[kept:start]...), quoted...)
			kept = i + 1
		}
	}
	return s.Bytes(append(out, data[kept:]...))
}

// Bytes strikes the secrets out of data, which stays as it is.
func (s *Secrets) Bytes(data []byte) []byte {
	if s == nil {
		return data
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, form := range s.order {
		if bytes.Contains(data, []byte(form)) {
			data = bytes.ReplaceAll(data, []byte(form), []byte(Mark))
		}
	}
	return data
}
