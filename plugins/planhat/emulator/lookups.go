package emulator

import kit "github.com/unicrm/unicrm/sdk/emulator"

// users is the collection of the tenant's own people, who own companies.
func (p *planhat) users() *collection {
	c := p.plain()
	c.attributes = map[string]kind{
		"email": kindText, "nickName": kindText, "firstName": kindText, "lastName": kindText,
		"inactive": kindBoolean, "roles": kindList, "externalId": kindText, "sourceId": kindText,
	}
	c.readOnly = []string{"_id", "createDate", "__v"}
	c.keys = []string{"_id", "sourceId", "externalId", "email"}
	c.required = []string{"email", "nickName", "firstName", "lastName"}
	c.prepare = func(record *kit.Object, at string) {
		// The reference documents true as the default, odd as it is.
		record.Set("inactive", true)
		record.Set("roles", []any{})
		record.Set("createDate", at)
		record.Set("__v", 0)
	}
	return c
}

// customfields is the collection of field definitions. It has no bulk call.
func (p *planhat) customfields() *collection {
	c := p.plain()
	c.attributes = map[string]kind{
		"name": kindText, "type": kindText, "parent": kindText, "isHidden": kindBoolean,
		"listValues": kindTexts, "isFormula": kindBoolean, "isLocked": kindBoolean, "isMandatory": kindBoolean,
	}
	c.readOnly = []string{"_id", "__v"}
	c.required = []string{"name", "type", "parent", "isHidden"}
	c.render = func(record *kit.Object, _ bool) *kit.Object {
		shown := record.Clone()
		if shown.Get("parent") == "enduser" {
			shown.Set("parent", p.env.Switch("custom_field_parent"))
		}
		return shown
	}
	c.prepare = func(record *kit.Object, _ string) {
		record.Set("listValues", []any{})
		for _, name := range []string{"isFormula", "isLocked", "isMandatory"} {
			record.Set(name, false)
		}
		record.Set("__v", 0)
	}
	return c
}

// plain is a collection whose records are what was written to them.
func (p *planhat) plain() *collection {
	return &collection{
		apply: func(record, changes *kit.Object, _ bool) string {
			for _, name := range changes.Keys() {
				p.set(record, name, changes.Get(name))
			}
			return ""
		},
		touch:  func(*kit.Object, string) {},
		render: func(record *kit.Object, _ bool) *kit.Object { return record.Clone() },
		byID:   map[string]*kit.Object{},
	}
}
