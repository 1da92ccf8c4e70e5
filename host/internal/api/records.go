package api

import (
	"net/http"

	"github.com/unicrm/unicrm/host/internal/catalog"
	"github.com/unicrm/unicrm/host/internal/store"
	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
)

// call is one call about records: what is asked, of whom, and what they can do
// of it.
type call struct {
	schema       *unified.Schema
	method       unified.Method
	query        *query
	account      store.Account
	plugin       *catalog.Plugin
	capabilities *unified.MethodCapabilities
	// request holds what is the same in every call of the plugin that this one
	// takes.
	request unified.Request
	body    []byte // of writes that have one
	guard   string // the version that If-Match names; empty for any
	// ignored are the parameters that were left out of a list.
	ignored []string
	// left are what the host left out of a write, and fitted tells where the
	// rest of it stood in the caller's body.
	left   []unified.Warning
	fitted *unified.Fitted
}

// methods serve the methods of every resource.
var methods = map[unified.Method]func(*Server, *exchange, *call) error{
	unified.List:        (*Server).list,
	unified.Get:         (*Server).getRecord,
	unified.Create:      (*Server).write,
	unified.Update:      (*Server).write,
	unified.Upsert:      (*Server).write,
	unified.Delete:      (*Server).deleteRecord,
	unified.BatchDelete: (*Server).batchDelete,
	unified.Merge:       (*Server).merge,
}

// records handles one method on the records of any resource. It makes sure,
// before any call leaves, that the request is sound and that the provider does
// what is asked.
func records(method unified.Method) handler {
	return func(s *Server, x *exchange) error {
		x.method, x.resource = string(method), "unknown"
		schema, err := findSchema(x.params["resource"])
		if err != nil {
			return err
		}
		x.resource = schema.Resource
		c := &call{schema: schema, method: method}
		if c.query, err = readQuery(x.request.URL.RawQuery, method, schema); err != nil {
			return err
		}
		if err := c.readInput(x); err != nil {
			return err
		}
		if c.account, err = s.Accounts.Find(x.request.Context(), x.token.Environment, c.query.accountID); err != nil {
			return err
		}
		if err := s.address(x, c); err != nil {
			return err
		}
		release, err := s.shares.take(x.request.Context(), c.account.ID, method)
		if err != nil {
			return err
		}
		defer release()
		return methods[method](s, x, c)
	}
}

func findSchema(resource string) (*unified.Schema, error) {
	schema, ok := unified.SchemaOf(resource)
	switch {
	case !ok && unified.Planned(resource):
		return nil, notBuilt("the resource " + resource)
	case !ok:
		return nil, errs.New(errs.RouteNotFound, "there is no resource %q", clip(resource))
	}
	return schema, nil
}

// address finds the plugin that serves the account and what it can do.
func (s *Server) address(x *exchange, c *call) error {
	x.provider = c.account.Integration
	forProvider, err := s.Accounts.ForCall(c.account)
	if err != nil {
		return err
	}
	if c.plugin, err = s.serving(c.account.Integration, forProvider); err != nil {
		return err
	}
	if c.capabilities, err = findMethod(c.plugin, c.schema.Resource, c.method); err != nil {
		return err
	}
	c.request = unified.Request{
		ID: x.id, Account: forProvider, Resource: c.schema.Resource, Method: c.method, RemoteQuery: c.query.remoteQuery,
		WantAnswer: c.query.format == unified.Raw || c.query.format == unified.Stream || c.query.format == unified.Debug,
		DryRun:     c.query.dryRun, AllowLossy: c.query.allowLossy,
	}
	return nil
}

// findMethod gives what a provider does with a method; an error that names what
// it does instead when it has not got it.
func findMethod(plugin *catalog.Plugin, resource string, method unified.Method) (*unified.MethodCapabilities, error) {
	have, capabilities := plugin.Manifest.Find(resource, method)
	if capabilities != nil {
		return capabilities, nil
	}
	if have == nil {
		return nil, errs.New(errs.Unsupported, "%s does not have %s", plugin.Manifest.DisplayName, resource)
	}
	return nil, errs.New(errs.Unsupported, "%s does not support %s for %s; it has %s", plugin.Manifest.DisplayName, method, resource, joinMethods(have.Supports()))
}

// serving gives the version of a provider that an account's calls go to.
func (s *Server) serving(slug string, account unified.Account) (*catalog.Plugin, error) {
	version, err := s.Providers.Serving(slug, account)
	if err != nil {
		return nil, err
	}
	if plugin, ok := s.Catalog.Version(slug, version); ok {
		return plugin, nil
	}
	if plugin, ok := s.Catalog.Find(slug); ok { // it is being replaced at this moment
		return plugin, nil
	}
	return nil, errs.New(errs.PluginUnavailable, "the provider plugin %s is not installed", slug)
}

// checkID refuses an id that no record of this provider can have.
func (c *call) checkID(id string) error {
	if c.plugin.AcceptsID(c.schema.Resource, id) {
		return nil
	}
	return errs.New(errs.InvalidID, "no %s record can have the id %q", c.plugin.Manifest.DisplayName, clip(id))
}

func (s *Server) getRecord(x *exchange, c *call) error {
	c.request.RecordID = x.params["id"]
	if err := c.checkID(c.request.RecordID); err != nil {
		return err
	}
	result, err := s.Providers.Call(x.request.Context(), c.plugin.Slug, c.request)
	if err != nil {
		return err
	}
	record, err := c.oneRecord(result)
	if err != nil {
		return err
	}
	return s.answer(x, c, http.StatusOK, result, func() []byte { return c.render(record) })
}

// deleteRecord shows only what is known of a record that is no more.
func (s *Server) deleteRecord(x *exchange, c *call) error {
	c.request.RecordID = x.params["id"]
	if err := c.checkID(c.request.RecordID); err != nil {
		return err
	}
	result, err := s.Providers.Call(x.request.Context(), c.plugin.Slug, c.request)
	if err != nil {
		return err
	}
	deleted := unified.Record{}
	if len(result.Records) > 0 {
		deleted = result.Records[0]
	}
	deleted["id"] = c.request.RecordID
	return s.answer(x, c, http.StatusOK, result, func() []byte {
		view := c.view()
		view.OnlyGiven = true
		return c.schema.Render(nil, deleted, view)
	})
}

// oneRecord is what every answer but a list's has.
func (c *call) oneRecord(result *unified.Result) (unified.Record, error) {
	if c.request.DryRun {
		return nil, nil
	}
	if len(result.Records) != 1 || result.Records[0] == nil {
		return nil, errs.New(errs.PluginBug, "the provider plugin %s answered without a record", c.plugin.Slug)
	}
	return result.Records[0], nil
}
