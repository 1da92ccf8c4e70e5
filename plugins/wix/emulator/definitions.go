package emulator

import (
	"fmt"
	"hash/crc32"
	"net/http"
	"slices"
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// maxCustomFields is what one site can have.
const maxCustomFields = 100

// findOrCreate returns the entry with exactly this name, made if need be.
func (k *catalogueKind) findOrCreate(s *state, q *request) (any, *failure) {
	body, fail := parseBody(q.body)
	if fail != nil {
		return nil, fail
	}
	c := &check{}
	keys := []string{"displayName", "language"}
	dataType := ""
	if k == fieldCatalogue {
		keys = []string{"displayName", "dataType"}
		dataType = c.oneOf(body, "dataType", "dataType", "TEXT", "NUMBER", "DATE", "URL")
	}
	c.known(body, "", keys...)
	name := k.name(c, body, "displayName")
	if fail := c.verdict(s.env); fail != nil {
		return nil, fail
	}
	custom := 0
	for _, entry := range k.of(s).entries {
		if entry.Text("displayName") == name {
			return kit.Pairs(k.one, entry, k.isNew, false), nil
		}
		if entry.Text("namespace") == "custom" {
			custom++
		}
	}
	now := stamp(s.now())
	var made *kit.Object
	if k == labelCatalogue {
		made = newLabel("custom", "Custom", s.freeKey(k, slug(name)), name, "USER_DEFINED", now)
	} else {
		if custom >= maxCustomFields {
			return nil, applicationError(http.StatusPreconditionRequired, "FIELDS_QUOTA_EXCEEDED", "The site has all the custom fields it can have.")
		}
		if dataType == "" {
			dataType = "TEXT"
		}
		// The suffix keeps callers from computing keys, which the vendor's
		// own keys do not allow either.
		suffix := fmt.Sprintf("-%04x", crc32.ChecksumIEEE([]byte(name))&0xffff)
		made = newField("custom", s.freeKey(k, slug(name)+suffix), name, dataType, "USER_DEFINED", now)
	}
	k.of(s).entries = append(k.of(s).entries, made)
	s.wrote(q)
	return kit.Pairs(k.one, made, k.isNew, true), nil
}

func (k *catalogueKind) name(c *check, o *kit.Object, path string) string {
	name, p := c.length(o, "displayName", path, 1, k.maxName)
	if p != given {
		c.violate(path, "must not be empty", "REQUIRED_FIELD", "")
	}
	return name
}

func (k *catalogueKind) lookup(s *state, q *request) (*kit.Object, *failure) {
	entry := k.of(s).find(q.params["key"])
	if entry == nil {
		return nil, plain(http.StatusNotFound, "%s was not found.", strings.ToUpper(k.one[:1])+k.one[1:])
	}
	return entry, nil
}

func (k *catalogueKind) get(s *state, q *request) (any, *failure) {
	entry, fail := k.lookup(s, q)
	if fail != nil {
		return nil, fail
	}
	return kit.Pairs(k.one, entry), nil
}

// rename changes the display name; the key never changes.
func (k *catalogueKind) rename(s *state, q *request) (any, *failure) {
	body, fail := parseBody(q.body)
	if fail != nil {
		return nil, fail
	}
	c := &check{}
	c.known(body, "", k.one, "language")
	wanted, _ := c.object(body, k.one, k.one)
	if wanted == nil {
		wanted = kit.Pairs()
	}
	name := k.name(c, wanted, k.one+".displayName")
	if fail := c.verdict(s.env); fail != nil {
		return nil, fail
	}
	entry, fail := k.own(s, q)
	if fail != nil {
		return nil, fail
	}
	changed := entry.Clone()
	changed.Set("displayName", name)
	changed.Set("updatedDate", stamp(s.now()))
	entries := k.of(s).entries
	entries[slices.Index(entries, entry)] = changed
	s.wrote(q)
	return kit.Pairs(k.one, changed), nil
}

// delete takes a definition away and with it what contacts hold of it.
func (k *catalogueKind) delete(s *state, q *request) (any, *failure) {
	entry, fail := k.own(s, q)
	if fail != nil {
		return nil, fail
	}
	key := entry.Text("key")
	all := k.of(s)
	all.entries = slices.DeleteFunc(all.entries, func(e *kit.Object) bool { return e == entry })
	for _, c := range s.contacts {
		if k == labelCatalogue {
			removeLabels(c, []string{key})
			continue
		}
		info := c.info.Clone()
		if fields, ok := info.Get("extendedFields").(*kit.Object); ok {
			fields.Delete(key)
		}
		c.info = tidy(info)
	}
	s.wrote(q)
	return kit.Pairs(), nil
}

// own finds an entry that callers may change: one of their own, not Wix's.
func (k *catalogueKind) own(s *state, q *request) (*kit.Object, *failure) {
	entry, fail := k.lookup(s, q)
	if fail != nil {
		return nil, fail
	}
	if entry.Text(k.typeKey) != "USER_DEFINED" {
		return nil, plain(http.StatusBadRequest, "A %s of Wix cannot be changed.", k.one)
	}
	return entry, nil
}

// slug makes the readable part of a key.
func slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		if (r >= 'a' && r <= 'z') || (r >= '0' && r <= '9') {
			b.WriteRune(r)
		} else if b.Len() > 0 && !strings.HasSuffix(b.String(), "-") {
			b.WriteByte('-')
		}
	}
	text := strings.Trim(b.String(), "-")
	if text == "" {
		text = "unnamed"
	}
	return text[:min(len(text), 60)]
}

func (s *state) freeKey(k *catalogueKind, wanted string) string {
	key := "custom." + wanted
	for n := 1; k.of(s).find(key) != nil; n++ {
		key = fmt.Sprintf("custom.%s-%d", wanted, n)
	}
	return key
}

func newLabel(namespace, namespaceName, key, name, typ, at string) *kit.Object {
	return kit.Pairs("namespace", namespace, "namespaceDisplayName", namespaceName, "key", key, "displayName", name,
		"labelType", typ, "createdDate", at, "updatedDate", at)
}

func newField(namespace, key, name, dataType, typ, at string) *kit.Object {
	return kit.Pairs("namespace", namespace, "key", key, "displayName", name, "dataType", dataType,
		"fieldType", typ, "createdDate", at, "updatedDate", at)
}
