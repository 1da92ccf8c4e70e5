package emulator

import (
	"slices"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// users is the list of users.
func (v *vendor) users() *listing {
	l := &listing{
		resource: "user", path: "/v2/users",
		filterFor: func(parameter string) filter {
			switch parameter {
			case "ids":
				return idsFilter
			case "name", "email":
				return textFilter(byAttribute(parameter))
			case "role":
				return enumFilter(parameter, "user", "admin")
			case "status":
				return enumFilter(parameter, "active", "inactive")
			case "confirmed":
				return boolFilter(parameter)
			}
			return nil
		},
		sortable:    scalarSort("id", "name", "email", "status", "role", "created_at", "updated_at"),
		defaultSort: "id:asc",
		render:      renderAs("user"),
	}
	for _, u := range v.state.users {
		l.items = append(l.items, item{data: u})
	}
	return l
}

func (v *vendor) userSelf(*call) reply {
	return single(renderAs("user")(item{data: v.state.user(ownUserID)}))
}

func (v *vendor) userGet(c *call) reply {
	id, text, ok := c.pathID()
	if !ok {
		return v.malformedID("user", text)
	}
	u := v.state.user(id)
	if u == nil {
		return notFound("user", text)
	}
	return single(renderAs("user")(item{data: u}))
}

func (v *vendor) accountSelf(*call) reply {
	return single(kit.Pairs(
		"id", int64(1),
		"name", "Emulator Ltd",
		"currency", "EUR",
		"time_format", "24H",
		"timezone", "UTC+01:00",
		"phone", "+1 202 555 0001",
		"subdomain", "emulator",
	), kit.Pairs("type", "account"))
}

// renderAs shows a record as it is, with its type.
func renderAs(resource string) func(item) (data, meta *kit.Object) {
	return func(it item) (data, meta *kit.Object) {
		return it.data.Clone(), kit.Pairs("type", resource)
	}
}

func scalarSort(names ...string) func(string) func(*kit.Object) any {
	return func(name string) func(*kit.Object) any {
		if !slices.Contains(names, name) {
			return nil
		}
		return byAttribute(name)
	}
}
