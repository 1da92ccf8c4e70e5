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

// minSecret is the shortest text that is struck out as a secret. Shorter ones
// would strike ordinary words.
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
		if len(secret) >= minSecret {
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
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, form := range added {
			if s.forms[form]--; s.forms[form] <= 0 {
				delete(s.forms, form)
			}
		}
		s.sort()
	}
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
		base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
		base64.StdEncoding.EncodeToString([]byte(secret + ":")), // HTTP Basic with an empty password
	}
	slices.Sort(forms)
	return slices.Compact(forms)
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
