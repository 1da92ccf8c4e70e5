package api

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"github.com/unicrm/unicrm/host/internal/accounts"
	"github.com/unicrm/unicrm/host/internal/catalog"
	"github.com/unicrm/unicrm/host/internal/store"
	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
)

// accountBody is an integrated account as callers see it: no secrets.
type accountBody struct {
	ID                   string         `json:"id"`
	Integration          string         `json:"integration"`
	TenantID             string         `json:"tenant_id"`
	Environment          string         `json:"environment"`
	AuthenticationMethod string         `json:"authentication_method"`
	PluginVersion        *string        `json:"plugin_version"` // that it is pinned to
	Status               string         `json:"status"`
	Context              map[string]any `json:"context"`
	CreatedAt            string         `json:"created_at"`
	UpdatedAt            string         `json:"updated_at"`
}

const instant = "2006-01-02T15:04:05.000Z07:00"

func (s *Server) showAccount(a store.Account) accountBody {
	body := accountBody{
		ID: a.ID, Integration: a.Integration, TenantID: a.TenantID, Environment: a.Environment, AuthenticationMethod: a.AuthenticationMethod,
		Status: "active", Context: map[string]any{}, CreatedAt: a.CreatedAt.UTC().Format(instant), UpdatedAt: a.UpdatedAt.UTC().Format(instant),
	}
	var context map[string]any
	plugin, installed := s.Catalog.Find(a.Integration)
	if installed && json.Unmarshal(a.Context, &context) == nil {
		for key, value := range context {
			if !plugin.Secret(a.AuthenticationMethod, key) {
				body.Context[key] = value
			}
		}
	}
	if a.PluginVersion != "" {
		body.PluginVersion = &a.PluginVersion
	}
	if a.BaseURL != "" {
		body.Context["base_url"] = a.BaseURL
	}
	return body
}

func (s *Server) createAccount(x *exchange) error {
	x.resource, x.method = "integrated-account", "create"
	params, err := parseQuery(x.request.URL.RawQuery)
	if err != nil {
		return err
	}
	skipCheck := false
	for _, p := range params {
		if p.raw != "skip_validation" {
			return badParam(p.raw, "it is not a parameter of this route")
		}
		if skipCheck, err = readBool(p); err != nil {
			return err
		}
	}
	var input accounts.Input
	if err := readJSON(x, &input); err != nil {
		return err
	}
	account, err := s.Accounts.Create(x.request.Context(), x.token.Environment, x.id, input, skipCheck)
	if err != nil {
		return err
	}
	x.provider = account.Integration
	return s.replyValue(x, http.StatusCreated, s.showAccount(account))
}

func (s *Server) getAccount(x *exchange) error {
	x.resource, x.method = "integrated-account", "get"
	if err := noParams(x); err != nil {
		return err
	}
	account, err := s.Accounts.Find(x.request.Context(), x.token.Environment, x.params["id"])
	if err != nil {
		return err
	}
	return s.replyValue(x, http.StatusOK, s.showAccount(account))
}

func (s *Server) deleteAccount(x *exchange) error {
	x.resource, x.method = "integrated-account", "delete"
	if err := noParams(x); err != nil {
		return err
	}
	if err := s.Accounts.Delete(x.request.Context(), x.token.Environment, x.params["id"]); err != nil {
		return err
	}
	return s.replyValue(x, http.StatusOK, map[string]string{"id": x.params["id"]})
}

// listAccounts pages by id; the cursor is the last id of the page before.
func (s *Server) listAccounts(x *exchange) error {
	x.resource, x.method = "integrated-account", "list"
	params, err := parseQuery(x.request.URL.RawQuery)
	if err != nil {
		return err
	}
	limit, after, integration, tenant := defaultLimit, "", "", ""
	for _, p := range params {
		switch p.raw {
		case "limit":
			if limit, err = strconv.Atoi(p.value); err != nil || limit < 1 || limit > maxLimit {
				return badParam("limit", "it is not a whole number from 1 to "+strconv.Itoa(maxLimit))
			}
		case "next_cursor":
			if uuid.Validate(p.value) != nil {
				return badParam("next_cursor", "it is not a cursor of this host")
			}
			after = p.value
		case "integration":
			integration = p.value
		case "tenant_id":
			tenant = p.value
		default:
			return badParam(p.raw, "it is not a parameter of this route")
		}
	}
	found, err := s.Accounts.List(x.request.Context(), x.token.Environment, integration, tenant, after, limit+1)
	if err != nil {
		return err
	}
	answer := struct {
		Result     []accountBody `json:"result"`
		NextCursor *string       `json:"next_cursor"`
		Limit      int           `json:"limit"`
	}{Result: []accountBody{}, Limit: limit}
	for i, a := range found {
		if i == limit {
			answer.NextCursor = &found[i-1].ID
			break
		}
		answer.Result = append(answer.Result, s.showAccount(a))
	}
	return s.replyValue(x, http.StatusOK, answer)
}

// integrationBody is what a provider is and can do.
type integrationBody struct {
	Slug             string             `json:"slug"`
	Name             string             `json:"name"`
	Version          string             `json:"version"`
	SDKVersion       string             `json:"sdk_version"`
	DocumentationURL string             `json:"documentation_url,omitempty"`
	State            string             `json:"state"`
	LastError        string             `json:"last_error,omitempty"`
	Authentication   []authMethodBody   `json:"authentication_methods"`
	Resources        []capabilitiesBody `json:"resources"`
	RateLimits       []rateLimitBody    `json:"rate_limits"`
}

type authMethodBody struct {
	Name   string          `json:"name"`
	Schema json.RawMessage `json:"context_schema"`
}

type capabilitiesBody struct {
	Resource  string                `json:"resource"`
	IDPattern string                `json:"id_pattern"`
	Methods   map[string]methodBody `json:"methods"`
}

type methodBody struct {
	Returned   []string     `json:"returned_fields,omitempty"`
	Writable   []string     `json:"writable_fields,omitempty"`
	Required   []string     `json:"required_fields,omitempty"`
	Filters    []filterBody `json:"filters,omitempty"`
	SortKeys   []string     `json:"sort_keys,omitempty"`
	PageCap    int          `json:"page_cap,omitempty"`
	MaxRecords int          `json:"max_records,omitempty"`
	Delete     *deleteBody  `json:"delete,omitempty"`
	Upsert     *upsertBody  `json:"upsert,omitempty"`
}

type filterBody struct {
	Field     string             `json:"field"`
	Operators []unified.Operator `json:"operators"`
}

type upsertBody struct {
	Atomic bool `json:"atomic"`
}

type deleteBody struct {
	Kind        string `json:"kind,omitempty"`
	Repeat      string `json:"repeat,omitempty"`
	KeptSeconds int64  `json:"kept_seconds,omitempty"`
}

type rateLimitBody struct {
	Calls         int64  `json:"calls"`
	WindowSeconds int64  `json:"window_seconds"`
	SharedBy      string `json:"shared_by,omitempty"`
}

func (s *Server) showIntegration(p *catalog.Plugin) integrationBody {
	m := p.Manifest
	body := integrationBody{
		Slug: m.Slug, Name: m.DisplayName, Version: m.Version, SDKVersion: m.SDKVersion, DocumentationURL: m.DocumentationURL,
		Authentication: []authMethodBody{}, Resources: []capabilitiesBody{}, RateLimits: []rateLimitBody{},
	}
	if status, ok := s.Providers.Status(m.Slug); ok {
		body.State, body.LastError = string(status.State), status.LastError
	}
	for _, a := range m.Authentication {
		body.Authentication = append(body.Authentication, authMethodBody{Name: a.Name, Schema: a.Schema})
	}
	for _, r := range m.Resources {
		capabilities := capabilitiesBody{Resource: r.Resource, IDPattern: r.IDPattern, Methods: map[string]methodBody{}}
		for _, method := range r.Methods {
			capabilities.Methods[string(method.Method)] = showMethod(method)
		}
		body.Resources = append(body.Resources, capabilities)
	}
	for _, r := range m.RateLimits {
		body.RateLimits = append(body.RateLimits, rateLimitBody{Calls: r.Calls, WindowSeconds: int64(r.Window.Seconds()), SharedBy: r.SharedBy})
	}
	return body
}

func showMethod(method unified.MethodCapabilities) methodBody {
	mb := methodBody{
		Returned: method.Returned, Writable: method.Writable, Required: method.Required, SortKeys: method.SortKeys,
		PageCap: method.PageCap, MaxRecords: method.MaxRecords, Delete: showDelete(method.Delete), Upsert: showUpsert(method.Upsert),
	}
	for _, f := range method.Filters {
		mb.Filters = append(mb.Filters, filterBody(f))
	}
	return mb
}

func showDelete(d *unified.DeleteSemantics) *deleteBody {
	if d == nil {
		return nil
	}
	return &deleteBody{Kind: d.Kind, Repeat: d.Repeat, KeptSeconds: int64(d.Kept.Seconds())}
}

func showUpsert(u *unified.UpsertSemantics) *upsertBody {
	if u == nil {
		return nil
	}
	return &upsertBody{Atomic: u.Atomic}
}

func (s *Server) listIntegrations(x *exchange) error {
	x.resource, x.method = "integration", "list"
	if err := noParams(x); err != nil {
		return err
	}
	answer := struct {
		Result     []integrationBody `json:"result"`
		NextCursor *string           `json:"next_cursor"`
	}{Result: []integrationBody{}}
	for _, p := range s.Catalog.Plugins() {
		answer.Result = append(answer.Result, s.showIntegration(p))
	}
	return s.replyValue(x, http.StatusOK, answer)
}

func (s *Server) getIntegration(x *exchange) error {
	x.resource, x.method = "integration", "get"
	if err := noParams(x); err != nil {
		return err
	}
	plugin, err := s.findIntegration(x.params["slug"])
	if err != nil {
		return err
	}
	return s.replyValue(x, http.StatusOK, s.showIntegration(plugin))
}

func (s *Server) findIntegration(slug string) (*catalog.Plugin, error) {
	plugin, ok := s.Catalog.Find(slug)
	if !ok {
		return nil, errs.New(errs.RouteNotFound, "no integration %q is installed; GET /integration lists what is", clip(slug))
	}
	return plugin, nil
}

func noParams(x *exchange) error {
	params, err := parseQuery(x.request.URL.RawQuery)
	if err == nil && len(params) > 0 {
		return badParam(params[0].raw, "it is not a parameter of this route")
	}
	return err
}

// readJSON reads the body as one JSON object without unknown fields.
func readJSON(x *exchange, into any) error {
	media, _, err := mime.ParseMediaType(x.request.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return errs.New(errs.UnsupportedMediaType, "send the body as Content-Type: application/json")
	}
	dec := json.NewDecoder(http.MaxBytesReader(x, x.request.Body, maxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return bodyProblem(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		if err != nil {
			return bodyProblem(err)
		}
		return errs.New(errs.InvalidBody, "the body is more than one JSON value")
	}
	return nil
}

// bodyProblem tells what is wrong with a body without quoting its values,
// which may be secrets.
func bodyProblem(err error) error {
	var tooLarge *http.MaxBytesError
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &tooLarge):
		return errs.New(errs.BodyTooLarge, "the body is larger than %d bytes", tooLarge.Limit)
	case errors.As(err, &wrongType):
		field := wrongType.Field
		if field == "" {
			field = "the body"
		}
		return errs.New(errs.InvalidBody, "%s is not of the right type", field)
	case errors.Is(err, io.EOF):
		return errs.New(errs.InvalidBody, "the body is empty")
	default:
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) {
			return errs.New(errs.InvalidBody, "the body is not JSON")
		}
		return errs.New(errs.InvalidBody, "the body does not fit: %s", clip(err.Error()))
	}
}
