package emulator

import (
	"slices"
	"strconv"
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

func (k *checker) address(key string, value any) {
	if value == nil {
		k.changes.Set(key, nil)
		return
	}
	given, ok := value.(*kit.Object)
	if !ok {
		k.refuse("/"+key, "invalid_type", "must be an object")
		return
	}
	address := &kit.Object{}
	for _, part := range addressKeys {
		address.Set(part, nil)
	}
	if old, ok := k.old(key).(*kit.Object); ok && k.v.env.Switch("address_update") == "merge" {
		address = old.Clone()
	}
	for _, part := range given.Keys() {
		field := "/" + key + "/" + part
		if !slices.Contains(addressKeys, part) {
			k.refuse(field, "unknown", "is not an attribute of contact")
			continue
		}
		switch text := given.Get(part).(type) {
		case nil, string:
			address.Set(part, text)
		default:
			k.refuse(field, "invalid_type", "must be a string")
		}
	}
	k.changes.Set(key, address)
}

func (k *checker) old(key string) any {
	if k.current == nil {
		return nil
	}
	return k.current.Get(key)
}

func (k *checker) tags(value any) {
	list, ok := value.([]any)
	if !ok {
		k.refuse("/tags", "invalid_type", "must be an array of strings")
		return
	}
	tags := []any{}
	for i, entry := range list {
		field := "/tags/" + strconv.Itoa(i)
		name, ok := entry.(string)
		switch {
		case !ok:
			k.refuse(field, "invalid_type", "must be a string")
		case strings.TrimSpace(name) == "":
			k.refuse(field, "blank", "must not be blank")
		case !slices.Contains(tags, any(name)):
			tags = append(tags, name)
		}
	}
	k.changes.Set("tags", tags)
}
