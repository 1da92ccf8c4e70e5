package emulator

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

const bulkMax = 5000

// bulk updates or inserts each item of a bare array. Items without a key, and
// keys that stand in two items, refuse the whole call; what is wrong with one
// item only fails that item and makes the answer a 206.
func (p *planhat) bulk(c *collection, body []byte) reply {
	items, keys, problem := p.bulkItems(c, body)
	if problem != "" {
		return p.fail(http.StatusBadRequest, problem)
	}
	var created, updated, same int
	inserts, updates, modified, upserted := []any{}, []any{}, []any{}, []any{}
	createdErrors, updatedErrors := []any{}, []any{}
	for _, item := range items {
		record := c.match(item, keys)
		fields := item.Clone()
		fields.Delete("_id")
		if record == nil {
			record, problem := p.insert(c, fields)
			if problem != "" {
				createdErrors = append(createdErrors, p.bulkError(item, problem))
				continue
			}
			created++
			inserts = append(inserts, keysOf(record))
			upserted = append(upserted, record.Get("_id"))
			continue
		}
		changed, problem := p.change(c, record, fields)
		switch {
		case problem != "":
			updatedErrors = append(updatedErrors, p.bulkError(item, problem))
		case changed:
			updated++
			updates = append(updates, keysOf(record))
			modified = append(modified, record.Get("_id"))
		default:
			same++
		}
	}
	status := http.StatusOK
	if len(createdErrors)+len(updatedErrors) > 0 {
		status = http.StatusPartialContent
	}
	return respond(status, kit.Pairs(
		"created", created, "createdErrors", createdErrors, "insertsKeys", inserts,
		"updated", updated, "updatedErrors", updatedErrors, "updatesKeys", updates,
		"nonupdates", same, "modified", modified, "upsertedIds", upserted, "permissionErrors", []any{}))
}

// bulkItems reads the array and checks what concerns it as a whole.
func (p *planhat) bulkItems(c *collection, body []byte) (items []*kit.Object, keys []string, problem string) {
	value, problem := parseBody(body)
	if problem != "" {
		return nil, nil, problem
	}
	array, isArray := value.([]any)
	if !isArray {
		return nil, nil, "the body must be an array"
	}
	if len(array) > bulkMax {
		return nil, nil, fmt.Sprintf("at most %d items are allowed", bulkMax)
	}
	keys = p.bulkKeys(c)
	seen := map[[2]string]bool{}
	for i, element := range array {
		item, isObject := element.(*kit.Object)
		if !isObject {
			return nil, nil, fmt.Sprintf("item %d is not an object", i)
		}
		identified := slices.ContainsFunc(c.required, func(name string) bool { return item.Text(name) != "" })
		for _, key := range keys {
			text := item.Text(key)
			if text == "" {
				continue
			}
			identified = true
			if seen[[2]string{key, text}] {
				return nil, nil, fmt.Sprintf("%s %s stands in more than one item", key, text)
			}
			seen[[2]string{key, text}] = true
		}
		if !identified {
			return nil, nil, fmt.Sprintf("item %d has none of %s", i, strings.Join(keys, ", "))
		}
		items = append(items, item)
	}
	return items, keys, ""
}

// bulkKeys is the collection's keys in the order that the switch asks for.
func (p *planhat) bulkKeys(c *collection) []string {
	keys := slices.Clone(c.keys)
	if p.env.Switch("bulk_precedence") == "external_id" {
		source, external := slices.Index(keys, "sourceId"), slices.Index(keys, "externalId")
		keys[source], keys[external] = keys[external], keys[source]
	}
	return keys
}

// match finds the record that a bulk item is about, archived ones included.
func (c *collection) match(item *kit.Object, keys []string) *kit.Object {
	for _, key := range keys {
		if text := item.Text(key); text != "" {
			if record := c.first(key, text); record != nil {
				return record
			}
		}
	}
	return nil
}

func keysOf(record *kit.Object) *kit.Object {
	keys := kit.Pairs("_id", record.Get("_id"))
	if external := record.Text("externalId"); external != "" {
		keys.Set("externalId", external)
	}
	return keys
}

// bulkError is an item of an error array, whose shape nobody has shown.
func (p *planhat) bulkError(item *kit.Object, problem string) any {
	if p.env.Switch("bulk_error_item") == "string" {
		return problem
	}
	failed := kit.Pairs("error", problem)
	for _, key := range []string{"_id", "sourceId", "externalId", "email"} {
		if text := item.Text(key); text != "" {
			failed.Set(key, text)
		}
	}
	return failed
}
