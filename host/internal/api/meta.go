package api

import (
	"net/http"
	"slices"
	"strings"

	"github.com/unicrm/unicrm/host/internal/catalog"
	"github.com/unicrm/unicrm/host/internal/store"
	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
)

// metaBody describes one method of one provider.
type metaBody struct {
	Method      unified.Method `json:"method"`
	Resource    string         `json:"resource"`
	Integration string         `json:"integration"`
	Version     string         `json:"version"`
	Supported   bool           `json:"supported"` // always: what is not there is an error
	// Schema is the whole resource, ResponseSchema what of it this provider
	// fills, RequestBodySchema what of it this provider takes.
	Schema            map[string]any `json:"schema"`
	ResponseSchema    map[string]any `json:"response_schema"`
	QuerySchema       map[string]any `json:"query_schema"`
	RequestBodySchema map[string]any `json:"request_body_schema"` // null without a body
	// DefaultQuery and DefaultBody are empty: a mapping is code of the plugin
	// and adds what it adds. So is ResponseMapping, which the account form has.
	DefaultQuery      struct{}    `json:"default_query"`
	DefaultBody       struct{}    `json:"default_body"`
	ResponseMapping   *struct{}   `json:"response_mapping,omitempty"`
	DocumentationLink *string     `json:"documentation_link"`
	Fields            []fieldBody `json:"fields"`
	Delete            *deleteBody `json:"delete,omitempty"`
	Upsert            *upsertBody `json:"upsert,omitempty"`
	PageCap           int         `json:"page_cap,omitempty"`
	MaxRecords        int         `json:"max_records,omitempty"`
}

// fieldBody is what a provider does with one field in one method.
type fieldBody struct {
	Name       string             `json:"name"`
	Type       string             `json:"type"`
	Returned   bool               `json:"returned"`
	Writable   bool               `json:"writable"`
	Required   bool               `json:"required"`
	Filterable []unified.Operator `json:"filterable"`
	Sortable   bool               `json:"sortable"`
}

func showFields(schema *unified.Schema, method *unified.MethodCapabilities) []fieldBody {
	rows := []fieldBody{}
	for _, f := range schema.Support(method) {
		row := fieldBody{Name: f.Path, Type: f.Type, Returned: f.Returned, Writable: f.Writable, Required: f.Required, Filterable: f.Filters, Sortable: f.Sortable}
		if row.Filterable == nil {
			row.Filterable = []unified.Operator{}
		}
		rows = append(rows, row)
	}
	return rows
}

func (s *Server) integrationMeta(x *exchange) error {
	x.resource, x.method = "meta", "get"
	if err := noParams(x); err != nil {
		return err
	}
	plugin, err := s.findIntegration(x.params["integration"])
	if err != nil {
		return err
	}
	body, err := describeMethod(x, plugin)
	if err != nil {
		return err
	}
	return s.replyValue(x, http.StatusOK, body)
}

func (s *Server) accountMeta(x *exchange) error {
	x.resource, x.method = "meta", "get"
	schema, err := findSchema(x.params["resource"])
	if err != nil {
		return err
	}
	params, err := parseQuery(x.request.URL.RawQuery)
	if err != nil {
		return err
	}
	for _, p := range params {
		if p.name != "integrated_account_id" {
			return badParam(p.raw, "it is not a parameter of this route")
		}
	}
	q, err := readQuery(x.request.URL.RawQuery, unified.Get, schema)
	if err != nil {
		return err
	}
	_, plugin, err := s.findAccount(x, q.accountID)
	if err != nil {
		return err
	}
	body, err := describeMethod(x, plugin)
	if err != nil {
		return err
	}
	body.ResponseMapping = &struct{}{}
	return s.replyValue(x, http.StatusOK, body)
}

// findAccount gives an account of the token's environment and the version of
// its provider that serves it.
func (s *Server) findAccount(x *exchange, id string) (store.Account, *catalog.Plugin, error) {
	account, err := s.Accounts.Find(x.request.Context(), x.token.Environment, id)
	if err != nil {
		return account, nil, err
	}
	x.provider = account.Integration
	plugin, err := s.serving(account.Integration, unified.Account{ID: account.ID, PluginVersion: account.PluginVersion})
	return account, plugin, err
}

func describeMethod(x *exchange, plugin *catalog.Plugin) (*metaBody, error) {
	x.provider = plugin.Slug
	schema, err := findSchema(x.params["resource"])
	if err != nil {
		return nil, err
	}
	method := unified.Method(x.params["method"])
	if !slices.Contains(unified.Methods, method) {
		return nil, errs.New(errs.RouteNotFound, "there is no method %q; there are %s", clip(string(method)), joinMethods(unified.Methods))
	}
	can, err := findMethod(plugin, schema.Resource, method)
	if err != nil {
		return nil, err
	}
	return &metaBody{
		Method: method, Resource: schema.Resource, Integration: plugin.Slug, Version: plugin.Version, Supported: true,
		Schema: schema.JSONSchema(true, nil), ResponseSchema: responseSchema(schema, can), QuerySchema: querySchema(schema, can), RequestBodySchema: bodySchema(schema, can),
		DocumentationLink: documentation(plugin), Fields: showFields(schema, can),
		Delete: showDelete(can.Delete), Upsert: showUpsert(can.Upsert), PageCap: can.PageCap, MaxRecords: can.MaxRecords,
	}, nil
}

func joinMethods(methods []unified.Method) string {
	var names []string
	for _, method := range methods {
		names = append(names, string(method))
	}
	return strings.Join(names, ", ")
}

func documentation(plugin *catalog.Plugin) *string {
	if plugin.Manifest.DocumentationURL == "" {
		return nil
	}
	return &plugin.Manifest.DocumentationURL
}

// routesBody is what can be called of a provider, or of an account.
type routesBody struct {
	Unified []resourceBody    `json:"unified"`
	Proxy   []struct{}        `json:"proxy"` // there are none
	Auth    []string          `json:"auth"`
	Account *accountStateBody `json:"account,omitempty"`
}

type resourceBody struct {
	Model         string                         `json:"model"`
	Resource      string                         `json:"resource"`
	Methods       []unified.Method               `json:"methods"`
	EnvOverridden bool                           `json:"env_overridden"`
	DocsURL       *string                        `json:"docs_url"`
	Fields        map[unified.Method][]fieldBody `json:"fields"`
}

type accountStateBody struct {
	ID                   string `json:"id"`
	Status               string `json:"status"`
	AuthenticationMethod string `json:"authentication_method"`
	IsBlocked            bool   `json:"is_blocked"`
}

func (s *Server) integrationCapabilities(x *exchange) error {
	x.resource, x.method = "capabilities", "get"
	want, err := readWanted(x.request.URL.RawQuery)
	if err != nil {
		return err
	}
	plugin, err := s.findIntegration(x.params["slug"])
	if err != nil {
		return err
	}
	x.provider = plugin.Slug
	return s.replyValue(x, http.StatusOK, showRoutes(plugin, want))
}

func (s *Server) accountCapabilities(x *exchange) error {
	x.resource, x.method = "capabilities", "get"
	want, err := readWanted(x.request.URL.RawQuery)
	if err != nil {
		return err
	}
	account, plugin, err := s.findAccount(x, x.params["id"])
	if err != nil {
		return err
	}
	body := showRoutes(plugin, want)
	body.Account = &accountStateBody{ID: account.ID, Status: "active", AuthenticationMethod: account.AuthenticationMethod}
	return s.replyValue(x, http.StatusOK, body)
}

func showRoutes(plugin *catalog.Plugin, want *wanted) *routesBody {
	body := &routesBody{Unified: []resourceBody{}, Proxy: []struct{}{}, Auth: []string{}}
	for _, method := range plugin.Manifest.Authentication {
		body.Auth = append(body.Auth, method.Name)
	}
	docs := documentation(plugin)
	for _, r := range plugin.Manifest.Resources {
		schema, ok := unified.SchemaOf(r.Resource)
		if !ok || !want.takes(r.Resource, docs != nil) {
			continue
		}
		shown := resourceBody{Model: "crm", Resource: r.Resource, Methods: []unified.Method{}, DocsURL: docs, Fields: map[unified.Method][]fieldBody{}}
		for _, method := range r.Supports() {
			if len(want.methods) > 0 && !slices.Contains(want.methods, method) {
				continue
			}
			_, can := plugin.Manifest.Find(r.Resource, method)
			shown.Methods = append(shown.Methods, method)
			shown.Fields[method] = showFields(schema, can)
		}
		if len(shown.Methods) > 0 {
			body.Unified = append(body.Unified, shown)
		}
	}
	return body
}

// wanted narrows what is shown of a provider.
type wanted struct {
	kind        string // "unified", "proxy", or empty for both
	methods     []unified.Method
	resource    string
	description *bool
}

func (w *wanted) takes(resource string, described bool) bool {
	return w.kind != "proxy" && (w.resource == "" || w.resource == resource) && (w.description == nil || *w.description == described)
}

func readWanted(rawQuery string) (*wanted, error) {
	params, err := parseQuery(rawQuery)
	if err != nil {
		return nil, err
	}
	want := &wanted{}
	for _, p := range params {
		isList := len(p.path) == 1 && (p.path[0] == "" || isIndex(p.path[0]))
		switch {
		case p.name == "methods" && (len(p.path) == 0 || isList):
			for name := range strings.SplitSeq(p.value, ",") {
				method := unified.Method(strings.TrimSpace(name))
				if !slices.Contains(unified.Methods, method) {
					return nil, badParam(p.raw, "there is no method "+clip(string(method))+"; there are "+joinMethods(unified.Methods))
				}
				want.methods = append(want.methods, method)
			}
		case len(p.path) > 0:
			return nil, badParam(p.raw, "it is not a parameter of this route")
		case p.name == "type":
			if p.value != "unified" && p.value != "proxy" {
				return nil, badParam(p.raw, "it is neither unified nor proxy")
			}
			want.kind = p.value
		case p.name == "resource":
			if _, known := unified.SchemaOf(p.value); !known && !unified.Planned(p.value) {
				return nil, badParam(p.raw, "there is no such resource")
			}
			want.resource = p.value
		case p.name == "has_description":
			described, err := readBool(p)
			if err != nil {
				return nil, err
			}
			want.description = &described
		default:
			return nil, badParam(p.raw, "it is not a parameter of this route")
		}
	}
	return want, nil
}
