package emulator

import (
	"net/http"
	"net/url"
	"strings"
)

// route finds the call by the escaped path: /collection or /collection/id. A
// blank id leaves the collection, as the vendor's own collapsed path does, so
// that PUT /endusers/ is the bulk call.
func (p *planhat) route(r *http.Request, body []byte) reply {
	path, rooted := strings.CutPrefix(r.URL.EscapedPath(), "/")
	name, rawID, hasID := strings.Cut(path, "/")
	if !rooted {
		return p.notFound()
	}
	if name == "leancompanies" && rawID == "" && r.Method == http.MethodGet {
		return p.leanCompanies(r.URL.Query())
	}
	c, known := p.collections[name]
	if !known {
		return p.notFound()
	}
	if !hasID || rawID == "" {
		switch {
		case r.Method == http.MethodGet:
			return p.list(c, r.URL.Query())
		case r.Method == http.MethodPost:
			return p.create(c, body)
		case r.Method == http.MethodPut && c.keys != nil:
			return p.bulk(c, body)
		default:
			return p.notFound()
		}
	}
	id, err := url.PathUnescape(rawID)
	if err != nil || strings.Contains(rawID, "/") {
		return p.notFound()
	}
	switch r.Method {
	case http.MethodGet:
		return p.get(c, id)
	case http.MethodPut:
		return p.update(c, id, body)
	case http.MethodDelete:
		return p.remove(c, id)
	default:
		return p.notFound()
	}
}
