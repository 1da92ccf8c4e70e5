package emulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

var (
	guidForm     = regexp.MustCompile(`^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$`)
	emailForm    = regexp.MustCompile(`^[^@\s]+@[^@\s.]+(\.[^@\s.]+)+$`)
	countryForm  = regexp.MustCompile(`^[A-Z]{2}$`)
	languageForm = regexp.MustCompile(`^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$`)
	isoPartForm  = regexp.MustCompile(`^[A-Z]{2}-[A-Z0-9]{1,3}$`)
)

// parseBody reads a JSON object; no body at all counts as an empty one.
func parseBody(data []byte) (*kit.Object, *failure) {
	if len(strings.TrimSpace(string(data))) == 0 {
		return kit.Pairs(), nil
	}
	// Valid comes first because it bounds how deep a value may be nested.
	if !json.Valid(data) {
		return nil, plain(http.StatusBadRequest, "Unexpected JSON in the request's body")
	}
	body, err := kit.ParseObject(data)
	if err != nil {
		return nil, plain(http.StatusBadRequest, "Expected an object in the request's body")
	}
	return body, nil
}

// presence tells a missing value from a null and a given one.
type presence int

const (
	absent presence = iota
	null
	given
)

// check collects what is wrong with a request. A value of the wrong JSON type
// makes the whole request unreadable and is answered before all else.
type check struct {
	malformed  string
	unknown    []string
	violations []violation
}

func (c *check) wrongType(want, path string) {
	if c.malformed == "" {
		c.malformed = fmt.Sprintf("Expected %s at %s", want, path)
	}
}

func (c *check) violate(field, description, rule string, typ string) {
	v := violation{field: field, description: description, rule: rule}
	if typ != "" {
		v.data = kit.Pairs("type", typ)
		v.ruleName = "INVALID_" + typ
		if typ == "GUID" {
			v.ruleName = ""
		}
	}
	c.violations = append(c.violations, v)
}

// known notes the keys that the vendor does not know.
func (c *check) known(o *kit.Object, path string, keys ...string) {
	for _, key := range o.Keys() {
		if !slices.Contains(keys, key) {
			c.unknown = append(c.unknown, join(path, key))
		}
	}
}

func (c *check) verdict(env *kit.Env) *failure {
	switch {
	case c.malformed != "":
		return plain(http.StatusBadRequest, "%s", c.malformed)
	case len(c.unknown) > 0 && env.Switch("unknown_fields") == "400":
		return plain(http.StatusBadRequest, "Unknown field %s", c.unknown[0])
	case len(c.violations) > 0:
		return invalid(c.violations...)
	}
	return nil
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

func (c *check) object(o *kit.Object, key, path string) (*kit.Object, presence) {
	value, ok := o.Lookup(key)
	if !ok {
		return nil, absent
	}
	switch v := value.(type) {
	case nil:
		return nil, null
	case *kit.Object:
		return v, given
	}
	c.wrongType("an object", path)
	return nil, absent
}

func (c *check) array(o *kit.Object, key, path string) ([]any, presence) {
	value, ok := o.Lookup(key)
	if !ok {
		return nil, absent
	}
	switch v := value.(type) {
	case nil:
		return nil, null
	case []any:
		return v, given
	}
	c.wrongType("an array", path)
	return nil, absent
}

func (c *check) text(o *kit.Object, key, path string) (string, presence) {
	value, ok := o.Lookup(key)
	if !ok {
		return "", absent
	}
	switch v := value.(type) {
	case nil:
		return "", null
	case string:
		return v, given
	}
	c.wrongType("a string", path)
	return "", absent
}

// length reads a text and bounds its characters.
func (c *check) length(o *kit.Object, key, path string, least, most int) (string, presence) {
	value, p := c.text(o, key, path)
	if p != given {
		return value, p
	}
	switch n := utf8.RuneCountInString(value); {
	case n < least:
		c.violate(path, fmt.Sprintf("has a size of %d, expected at least %d", n, least), "MIN_LENGTH", "")
	case n > most:
		c.violate(path, fmt.Sprintf("has a size of %d, expected at most %d", n, most), "MAX_LENGTH", "")
	}
	return value, p
}

func (c *check) boolean(o *kit.Object, key, path string) bool {
	value, ok := o.Lookup(key)
	if !ok || value == nil {
		return false
	}
	b, ok := value.(bool)
	if !ok {
		c.wrongType("a boolean", path)
	}
	return b
}

// integer wants a JSON number without a fraction; digits in quotes are not one.
func (c *check) integer(o *kit.Object, key, path string) (int64, presence) {
	value, ok := o.Lookup(key)
	if !ok {
		return 0, absent
	}
	if value == nil {
		return 0, null
	}
	number, ok := value.(json.Number)
	if ok {
		if n, err := strconv.ParseInt(number.String(), 10, 64); err == nil {
			return n, given
		}
	}
	c.wrongType("an integer", path)
	return 0, absent
}

// texts reads an array of strings.
func (c *check) texts(o *kit.Object, key, path string) ([]string, presence) {
	list, p := c.array(o, key, path)
	all := make([]string, 0, len(list))
	for i, item := range list {
		text, ok := item.(string)
		if !ok {
			c.wrongType("a string", fmt.Sprintf("%s[%d]", path, i))
			continue
		}
		all = append(all, text)
	}
	return all, p
}

func (c *check) oneOf(o *kit.Object, key, path string, values ...string) string {
	value, p := c.text(o, key, path)
	if p == given && !slices.Contains(values, value) {
		c.wrongType("one of "+strings.Join(values, ", "), path)
	}
	return value
}

func (c *check) guid(path, value string) {
	if !guidForm.MatchString(value) {
		c.violate(path, "is not a valid GUID", "FORMAT", "GUID")
	}
}

// idProblem answers for an id in the path that is not a GUID.
func (s *state) idProblem(field, id string) *failure {
	if guidForm.MatchString(id) {
		return nil
	}
	if s.env.Switch("malformed_id") == "404" {
		return contactNotFound()
	}
	return invalid(violation{field: field, description: "is not a valid GUID", rule: "FORMAT", data: kit.Pairs("type", "GUID")})
}

func isLocalDate(text string) bool {
	_, err := time.Parse(time.DateOnly, text)
	return err == nil
}
