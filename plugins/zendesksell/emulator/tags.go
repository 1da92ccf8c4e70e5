package emulator

import (
	"net/http"
	"slices"
	"sort"
	"strings"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

var tagResourceTypes = []string{"contact", "lead", "deal"}

// tagList is the list of tags. Nothing is known to lag there.
func (v *vendor) tagList() *listing {
	l := &listing{
		resource: "tag", path: "/v2/tags",
		filterFor: func(parameter string) filter {
			switch parameter {
			case "ids":
				return idsFilter
			case "creator_id":
				return idFilter(parameter)
			case "name", "resource_type":
				return textFilter(byAttribute(parameter))
			}
			return nil
		},
		sortable:    scalarSort("id", "creator_id", "name", "resource_type", "created_at", "updated_at"),
		defaultSort: "updated_at:asc",
		render:      renderAs("tag"),
	}
	for _, tag := range v.state.tags {
		l.items = append(l.items, item{data: tag})
	}
	sort.Slice(l.items, func(i, j int) bool { return l.items[i].data.Get("id").(int64) < l.items[j].data.Get("id").(int64) })
	return l
}

func (v *vendor) tagGet(c *call) reply {
	tag, refusal := v.tagAt(c)
	if refusal != nil {
		return *refusal
	}
	return single(renderAs("tag")(item{data: tag}))
}

func (v *vendor) tagCreate(c *call) reply {
	attrs, refusal := v.payload(c)
	if refusal != nil {
		return *refusal
	}
	name, resource, problems := v.checkTag(attrs, nil)
	if len(problems) > 0 {
		return refuse(http.StatusUnprocessableEntity, problems...)
	}
	return single(renderAs("tag")(item{data: v.state.ensureTag(name, resource, c.now)}))
}

// tagUpdate renames a tag, everywhere.
func (v *vendor) tagUpdate(c *call) reply {
	tag, refusal := v.tagAt(c)
	if refusal != nil {
		return *refusal
	}
	attrs, refusal := v.payload(c)
	if refusal != nil {
		return *refusal
	}
	name, resource, problems := v.checkTag(attrs, tag)
	if len(problems) > 0 {
		return refuse(http.StatusUnprocessableEntity, problems...)
	}
	old := tag.Text("name")
	if old != name && tag.Text("resource_type") == "contact" && resource == "contact" {
		v.eachTagged(old, c.now, func(tags []any, i int) []any { tags[i] = name; return tags })
	}
	tag.Set("name", name)
	tag.Set("resource_type", resource)
	tag.Set("updated_at", stamp(c.now))
	return single(renderAs("tag")(item{data: tag}))
}

// tagDelete deletes a tag and takes it from every contact.
func (v *vendor) tagDelete(c *call) reply {
	tag, refusal := v.tagAt(c)
	if refusal != nil {
		return *refusal
	}
	if tag.Text("resource_type") == "contact" {
		v.eachTagged(tag.Text("name"), c.now, func(tags []any, i int) []any { return slices.Delete(tags, i, i+1) })
	}
	delete(v.state.tags, tag.Get("id").(int64))
	return reply{status: http.StatusNoContent}
}

func (v *vendor) eachTagged(name string, now time.Time, change func(tags []any, i int) []any) {
	for _, c := range v.state.order {
		tags := c.data.Get("tags").([]any)
		if i := slices.Index(tags, any(name)); i >= 0 {
			c.data.Set("tags", change(slices.Clone(tags), i))
			c.touch(now)
		}
	}
}

func (v *vendor) tagAt(c *call) (*kit.Object, *reply) {
	id, text, ok := c.pathID()
	if !ok {
		re := v.malformedID("tag", text)
		return nil, &re
	}
	tag := v.state.tags[id]
	if tag == nil {
		re := notFound("tag", text)
		return nil, &re
	}
	return tag, nil
}

// checkTag returns a tag's name and resource type as they will be. current is
// nil for a new tag.
func (v *vendor) checkTag(attrs, current *kit.Object) (name, resource string, problems []problem) {
	refuse := func(key, code, format string, args ...any) {
		problems = append(problems, v.about("tag", "/"+key, code, format, args...))
	}
	for _, key := range attrs.Keys() {
		if key != "name" && key != "resource_type" {
			refuse(key, "unknown", "is not an attribute of tag that can be written")
		}
	}
	text := func(key string) string {
		value, ok := attrs.Lookup(key)
		if !ok {
			if current == nil {
				refuse(key, "missing", "must be present")
				return ""
			}
			return current.Text(key)
		}
		switch value := value.(type) {
		case string:
			if strings.TrimSpace(value) == "" {
				refuse(key, "blank", "must not be blank")
			}
			return value
		case nil:
			refuse(key, "blank", "must not be blank")
		default:
			refuse(key, "invalid_type", "must be a string")
		}
		return ""
	}
	name, resource = text("name"), text("resource_type")
	if len(problems) > 0 {
		return name, resource, problems
	}
	if !slices.Contains(tagResourceTypes, resource) {
		refuse("resource_type", "incorrect_value", "must be one of %s", strings.Join(tagResourceTypes, ", "))
		return name, resource, problems
	}
	if same := v.state.tagNamed(name, resource); same != nil && same != current {
		refuse("name", "already_exists", "must be unique within its resource type")
	}
	return name, resource, problems
}
