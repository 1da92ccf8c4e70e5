package emulator

import (
	"net/http"
	"net/url"
	"strings"
	"unicode"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

func (p *planhat) companies() *collection {
	return &collection{
		attributes: map[string]kind{
			"name": kindText, "owner": kindID, "coOwner": kindID, "externalId": kindText, "sourceId": kindText, "phase": kindText,
			"status": kindText, "domains": kindTexts, "tags": kindTexts, "h": kindNumber, "mrr": kindNumber,
			"customerFrom": kindDate, "customerTo": kindDate, "custom": kindCustom,
		},
		readOnly:   []string{"_id", "slug", "lastTouch", "createDate", "lastUpdated", "updatedAt", "__v"},
		keys:       []string{"_id", "sourceId", "externalId"},
		required:   []string{"name"},
		companyKey: "_id",
		prepare: func(record *kit.Object, at string) {
			record.Set("slug", "")
			record.Set("status", "prospect")
			record.Set("domains", []any{})
			record.Set("tags", []any{})
			record.Set("mrr", 0)
			record.Set("custom", &kit.Object{})
			record.Set("createDate", at)
			record.Set("__v", 0)
		},
		apply: func(record, changes *kit.Object, _ bool) string {
			for _, name := range changes.Keys() {
				if name == "custom" {
					p.applyCustom(record, changes.Get(name))
					continue
				}
				p.set(record, name, changes.Get(name))
			}
			record.Set("slug", slug(record.Text("name")))
			return ""
		},
		touch: func(record *kit.Object, at string) {
			record.Set("lastUpdated", at)
			record.Set("updatedAt", at)
		},
		render: p.renderCompany,
		byID:   map[string]*kit.Object{},
	}
}

// slug keeps a name's letters and digits, in lower case.
func slug(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

// renderCompany shows the owners as id strings, but in a list as objects: the
// vendor gives the same field two types.
func (p *planhat) renderCompany(record *kit.Object, inList bool) *kit.Object {
	shown := record.Clone()
	if !inList {
		return shown
	}
	for _, name := range []string{"owner", "coOwner"} {
		if user := p.collections["users"].first("_id", record.Text(name)); user != nil {
			shown.Set(name, kit.Pairs("_id", user.Get("_id"), "nickName", user.Get("nickName")))
		}
	}
	return shown
}

// leanCompanies lists five fields of every company. It knows no paging.
func (p *planhat) leanCompanies(query url.Values) reply {
	filters := []string{"externalId", "sourceId", "status"}
	if problem := p.unknownQuery(query, filters); problem != "" {
		return p.fail(http.StatusBadRequest, problem)
	}
	lean := []any{}
companies:
	for _, record := range p.collections["companies"].records {
		for _, name := range filters {
			if want := query.Get(name); want != "" && record.Text(name) != want {
				continue companies
			}
		}
		shown := &kit.Object{}
		for _, name := range []string{"_id", "name", "externalId", "sourceId", "slug"} {
			if value, ok := record.Lookup(name); ok {
				shown.Set(name, value)
			}
		}
		lean = append(lean, shown)
	}
	return respond(http.StatusOK, lean)
}
