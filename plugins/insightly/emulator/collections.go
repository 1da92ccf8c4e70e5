package emulator

import (
	"slices"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// applyCollections writes the sub-collections that a record's body carries.
func (e *emulator) applyCollections(k *kind, rec *record, doc, body *kit.Object) *answer {
	mode := e.env.Switch("body_collections")
	for _, name := range k.collections {
		value, sent := body.Lookup(name)
		if !sent {
			continue
		}
		items, ok := value.([]any)
		if !ok && value != nil {
			return e.invalid("%s is not an array.", name)
		}
		if name == "CUSTOMFIELDS" {
			if refusal := e.applyCustomFields(k, doc, items, value == nil); refusal != nil {
				return refusal
			}
			continue
		}
		if mode == "ignore" {
			continue
		}
		list, refusal := e.items(k, rec.id, doc, name, items)
		if refusal != nil {
			return refusal
		}
		if mode == "merge" {
			list = merged(objects(doc, name), list, name)
		}
		doc.Set(name, list)
	}
	return nil
}

// itemKeys are what tells the items of a sub-collection apart.
var itemKeys = map[string]string{"TAGS": "TAG_NAME", "DATES": "DATE_ID", "LINKS": "LINK_ID", "EMAILDOMAINS": "EMAIL_DOMAIN_ID"}

// merged puts the new items over the old ones with the same key.
func merged(old []*kit.Object, list []any, collection string) []any {
	key := itemKeys[collection]
	result := []any{}
	for _, item := range old {
		result = append(result, item)
	}
	for _, item := range list {
		value := item.(*kit.Object).Get(key)
		at := slices.IndexFunc(result, func(o any) bool { return o.(*kit.Object).Get(key) == value })
		if at >= 0 {
			result[at] = item
		} else {
			result = append(result, item)
		}
	}
	return result
}

// items checks a sub-collection and completes its items.
func (e *emulator) items(k *kind, id int64, doc *kit.Object, collection string, items []any) ([]any, *answer) {
	list := []any{}
	for _, item := range items {
		sent, ok := item.(*kit.Object)
		if !ok {
			return nil, e.invalid("%s holds something that is not an object.", collection)
		}
		var made *kit.Object
		var refusal *answer
		switch collection {
		case "TAGS":
			made, refusal = e.tag(sent)
		case "DATES":
			made, refusal = e.date(doc, sent)
		case "LINKS":
			made, refusal = e.link(k, id, doc, sent)
		case "EMAILDOMAINS":
			made, refusal = e.emailDomain(doc, sent)
		}
		if refusal != nil {
			return nil, refusal
		}
		list = append(list, made)
	}
	if collection == "TAGS" {
		list = merged(nil, list, collection) // a tag is there once
	}
	return list, nil
}

func (e *emulator) tag(sent *kit.Object) (*kit.Object, *answer) {
	name, problem := line("TAG_NAME").check(sent.Get("TAG_NAME"))
	if problem != "" {
		return nil, e.invalid("%s", problem)
	}
	if name == nil || name == "" {
		return nil, e.invalid("TAG_NAME is required.")
	}
	return kit.Pairs("TAG_NAME", name), nil
}

func (e *emulator) date(doc, sent *kit.Object) (*kit.Object, *answer) {
	fields := []field{line("OCCASION_NAME"), date("OCCASION_DATE"), boolean("REPEAT_YEARLY"), boolean("CREATE_TASK_YEARLY")}
	return e.part(doc, sent, "DATES", "DATE_ID", "", fields)
}

func (e *emulator) emailDomain(doc, sent *kit.Object) (*kit.Object, *answer) {
	return e.part(doc, sent, "EMAILDOMAINS", "EMAIL_DOMAIN_ID", "EMAIL_DOMAIN", []field{line("EMAIL_DOMAIN")})
}

// part completes an item that has an id of its own.
func (e *emulator) part(doc, sent *kit.Object, collection, idKey, required string, fields []field) (*kit.Object, *answer) {
	id, refusal := e.ownID(doc, sent, collection, idKey)
	if refusal != nil {
		return nil, refusal
	}
	made := kit.Pairs(idKey, id)
	for _, f := range fields {
		value, problem := f.check(sent.Get(f.name))
		if problem != "" {
			return nil, e.invalid("%s", problem)
		}
		if f.name == required && (value == nil || value == "") {
			return nil, e.invalid("%s is required.", required)
		}
		made.Set(f.name, value)
	}
	return made, nil
}

// ownID keeps the id of an item that the record has, and gives a new one to
// an item without id or with 0.
func (e *emulator) ownID(doc, sent *kit.Object, collection, idKey string) (any, *answer) {
	value := sent.Get(idKey)
	if value == nil {
		return integerValue(e.state.partID()), nil
	}
	id, ok := integerOf(value)
	if !ok {
		return nil, e.invalid("%s is not an integer.", idKey)
	}
	if id == 0 {
		return integerValue(e.state.partID()), nil
	}
	if itemByID(doc, collection, idKey, id) == nil {
		return nil, e.invalid("%s %d is not valid.", idKey, id)
	}
	return integerValue(id), nil
}

func itemByID(doc *kit.Object, collection, idKey string, id int64) *kit.Object {
	for _, item := range objects(doc, collection) {
		if own, ok := integerOf(item.Get(idKey)); ok && own == id {
			return item
		}
	}
	return nil
}

// link completes a link. The other end's name is singular and must exist.
func (e *emulator) link(k *kind, id int64, doc, sent *kit.Object) (*kit.Object, *answer) {
	linkID, refusal := e.ownID(doc, sent, "LINKS", "LINK_ID")
	if refusal != nil {
		return nil, refusal
	}
	name, _ := sent.Get("LINK_OBJECT_NAME").(string)
	target, ok := integerOf(sent.Get("LINK_OBJECT_ID"))
	var other *kind
	for _, candidate := range kinds {
		if candidate.object == name {
			other = candidate
		}
	}
	if other == nil {
		return nil, e.invalid("LINK_OBJECT_NAME %s is not valid.", name)
	}
	if !ok || !e.state.exists(other, target) {
		return nil, e.invalid("LINK_OBJECT_ID is not valid.")
	}
	made := kit.Pairs(
		"LINK_ID", linkID, "OBJECT_NAME", k.object, "OBJECT_ID", integerValue(id),
		"LINK_OBJECT_NAME", name, "LINK_OBJECT_ID", integerValue(target),
		"ROLE", nil, "DETAILS", nil, "RELATIONSHIP_ID", integerValue(0), "IS_FORWARD", true,
	)
	for _, f := range []field{line("ROLE"), line("DETAILS"), integer("RELATIONSHIP_ID"), boolean("IS_FORWARD")} {
		if !sent.Has(f.name) {
			continue
		}
		value, problem := f.check(sent.Get(f.name))
		if problem != "" {
			return nil, e.invalid("%s", problem)
		}
		made.Set(f.name, value)
	}
	return made, nil
}

// applyCustomFields writes pairs of FIELD_NAME and FIELD_VALUE.
func (e *emulator) applyCustomFields(k *kind, doc *kit.Object, items []any, clearAll bool) *answer {
	stored := []any{}
	for _, pair := range objects(doc, "CUSTOMFIELDS") {
		copied := pair.Clone()
		if custom, _ := k.custom(pair.Text("FIELD_NAME")); custom.fixed {
			stored = append(stored, copied)
			continue
		}
		if clearAll || e.env.Switch("custom_fields_update") == "replace" {
			copied.Set("FIELD_VALUE", nil)
		}
		stored = append(stored, copied)
	}
	for _, item := range items {
		pair, ok := item.(*kit.Object)
		if !ok {
			return e.invalid("CUSTOMFIELDS holds something that is not an object.")
		}
		name, _ := pair.Get("FIELD_NAME").(string)
		custom, ok := k.custom(name)
		if !ok {
			if name != "" && e.env.Switch("unknown_custom_field") == "ignore" {
				continue
			}
			return e.invalid("Custom field %s is not valid.", name)
		}
		if custom.fixed {
			if e.env.Switch("fixed_custom_field") == "ignore" {
				continue
			}
			return e.invalid("Custom field %s cannot be edited.", name)
		}
		var value any
		if sent := pair.Get("FIELD_VALUE"); sent != nil {
			var problem string
			if value, problem = (field{name: name, typ: custom.typ}).check(sent); problem != "" {
				return e.invalid("%s", problem)
			}
		}
		at := slices.IndexFunc(stored, func(o any) bool { return o.(*kit.Object).Text("FIELD_NAME") == name })
		if at >= 0 {
			stored[at].(*kit.Object).Set("FIELD_VALUE", value)
		} else {
			stored = append(stored, kit.Pairs("FIELD_NAME", name, "FIELD_VALUE", value))
		}
	}
	doc.Set("CUSTOMFIELDS", stored)
	return nil
}
