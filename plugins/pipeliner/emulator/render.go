package emulator

import (
	"strings"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// maxDepth bounds how deep relations are expanded.
const maxDepth = 8

// view says how records are shown.
type view struct {
	zone   *time.Location
	base   string // before "entities/" in relations
	empty  string // the switch empty_values
	expand tree
	only   tree // nil shows all
}

// tree is a comma list of dotted paths, such as "owner,tags.tag".
type tree map[string]tree

func parseTree(list string) tree {
	t := tree{}
	for _, path := range strings.Split(list, ",") {
		at := t
		for _, name := range strings.Split(path, ".") {
			if name = strings.TrimSpace(name); name == "" {
				break
			}
			if at[name] == nil {
				at[name] = tree{}
			}
			at = at[name]
		}
	}
	return t
}

func newView(env *kit.Env, zone string) (view, failure) {
	v := view{zone: time.UTC, base: env.BaseURL(), empty: env.Switch("empty_values")}
	if env.Switch("uri_host") == "bare" {
		v.base = strings.Replace(serviceURL, ".api.", ".", 1)
	}
	v.base += "/api/v100/rest/spaces/" + spaceID + "/entities/"
	if zone != "" {
		location, err := time.LoadLocation(zone)
		if err != nil {
			return v, badParameter("Unknown time zone " + zone + ".")
		}
		v.zone = location
	}
	return v, nil
}

// render makes a record's object.
func (v *view) render(s *store, c *collection, r *row) *kit.Object {
	return v.renderAt(s, c, r, v.expand, v.only, 0)
}

func (v *view) renderAt(s *store, c *collection, r *row, expand, only tree, depth int) *kit.Object {
	o := &kit.Object{}
	fields := s.fields(c)
	for i := range fields {
		f := &fields[i]
		if len(only) > 0 && only[f.name] == nil {
			continue
		}
		value := v.relation(s, r, f, expand[f.name], only[f.name], depth)
		if value == nil && f.kind != kindURI && f.kind != kindRef {
			switch v.empty {
			case "absent":
				continue
			case "empty_string":
				if f.kind == kindText && f.stores() {
					value = ""
				}
			}
		}
		o.Set(f.name, value)
	}
	return o
}

// relation returns what stands for a field: its value, a URI, the expanded
// record, or an array of those.
func (v *view) relation(s *store, r *row, f *field, expand, only tree, depth int) any {
	show := func(to *row, id string) any {
		c := s.schema[f.target]
		if to == nil || expand == nil || c == nil || depth >= maxDepth {
			return v.base + f.target + "/" + id
		}
		return v.renderAt(s, c, to, expand, only, depth+1)
	}
	switch f.kind {
	case kindURI:
		id := s.target(r, f)
		if id == "" {
			return nil
		}
		return show(s.find(f.target, id), id)
	case kindMany:
		list := []any{}
		for _, to := range s.linked(r, f) {
			list = append(list, show(to, to.id))
		}
		return list
	case kindNoRows:
		return []any{}
	case kindStamp:
		text, _ := s.value(r, f).(string)
		if text == "" {
			return nil
		}
		at, _, _ := parseStamp(text)
		return at.In(v.zone).Format(stampLayout)
	default:
		return s.value(r, f)
	}
}

// unknownRelation returns a name in a tree of relations that is none, or "".
func (s *store) unknownRelation(c *collection, t tree) string {
	for name, below := range t {
		f := s.field(c, name)
		if f == nil || (f.kind != kindURI && f.kind != kindMany && f.kind != kindNoRows) {
			return name
		}
		if next := s.schema[f.target]; next != nil {
			if bad := s.unknownRelation(next, below); bad != "" {
				return name + "." + bad
			}
		}
	}
	return ""
}
