// Package api is the HTTP side of the host: routes, the query grammar,
// envelopes, error bodies, cursors. What a request means is decided here; what
// it does is done by the packages that it is given.
package api

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/unicrm/unicrm/host/internal/access"
	"github.com/unicrm/unicrm/host/internal/accounts"
	"github.com/unicrm/unicrm/host/internal/catalog"
	"github.com/unicrm/unicrm/host/internal/store"
	"github.com/unicrm/unicrm/host/internal/supervisor"
	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
)

const (
	// maxBody is what a request's body may hold, in bytes.
	maxBody = 1 << 20
	// maxConcurrent is how many requests are worked on at once; more are
	// refused at once rather than kept waiting.
	maxConcurrent = 2048
)

// Providers runs calls on plugins.
type Providers interface {
	Call(ctx context.Context, slug string, request unified.Request) (*unified.Result, error)
	// Serving tells which version a call of an account goes to.
	Serving(slug string, account unified.Account) (version string, err error)
	Status(slug string) (supervisor.Status, bool)
	Versions(slug string) ([]supervisor.Status, bool)
	catalog.Runner
}

// Config is what a Server is made of.
type Config struct {
	Store     *store.Store
	Tokens    *access.Tokens
	Accounts  *accounts.Accounts
	Catalog   *catalog.Catalog
	Providers Providers
	// RequestTimeout is what one API call has in all.
	RequestTimeout time.Duration
	// BatchTimeout is what a call about many records has in all.
	BatchTimeout time.Duration
	// LenientFilters ignores filters that a provider cannot serve, for all calls.
	LenientFilters bool
	Log            hclog.Logger
}

// Server answers the HTTP API.
type Server struct {
	Config
	cursors cipher.AEAD
	metrics *metrics
	slots   chan struct{}
	shares  shares
	// patience is how long a caller may take to read one part of a stream.
	patience time.Duration
}

// New makes a server. The store gives the key that cursors are sealed with.
func New(ctx context.Context, config Config) (*Server, error) {
	key, err := config.Store.Key(ctx, "cursors", 32)
	if err != nil {
		return nil, err
	}
	cursors, err := newSealer(key)
	if err != nil {
		return nil, err
	}
	return &Server{Config: config, cursors: cursors, metrics: newMetrics(), slots: make(chan struct{}, maxConcurrent), shares: shares{using: map[string]*share{}}, patience: readerPatience}, nil
}

// exchange is one request on its way.
type exchange struct {
	http.ResponseWriter
	request *http.Request
	arrived *http.Request // as request, but its context ends with the caller alone
	id      string
	token   store.Token
	params  map[string]string // from the path, unescaped

	status int
	// for metrics and the log
	provider, resource, method string
	reason                     string // of an error
}

// WriteHeader notes the status.
func (x *exchange) WriteHeader(status int) {
	if x.status == 0 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Unwrap lets an http.ResponseController reach the connection.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

var saneRequestID = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,128}$`)

// ServeHTTP routes on the escaped path, so that an id with an escaped slash
// stays one segment, and never redirects.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	x := &exchange{ResponseWriter: w, request: r, arrived: r, id: r.Header.Get("X-Request-Id")}
	if !saneRequestID.MatchString(x.id) {
		x.id = rand.Text()
	}
	w.Header().Set("X-Request-Id", x.id)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	defer func() {
		if cause := recover(); cause != nil {
			if cause == http.ErrAbortHandler { //nolint:errorlint // net/http's own sentinel, compared as it does
				s.finish(x, time.Since(began))
				panic(cause)
			}
			s.Log.Error("panic", "request_id", x.id, "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
			if x.status == 0 {
				s.fail(x, errs.New(errs.Internal, "the host made a mistake"))
			}
		}
		s.finish(x, time.Since(began))
	}()
	s.route(x)
}

func (s *Server) finish(x *exchange, took time.Duration) {
	if x.method == "" {
		return // health, metrics and unknown routes are not worth a line each
	}
	if x.status == 0 {
		x.status = 499 // the caller went away
	}
	s.metrics.observe(x, took)
	line := []any{"request_id", x.id, "provider", x.provider, "resource", x.resource, "method", x.method, "status", x.status, "took", took.Round(time.Millisecond / 10)}
	if x.reason != "" {
		line = append(line, "reason", x.reason)
	}
	s.Log.Info("request", line...)
}

type handler func(s *Server, x *exchange) error

// route is one pattern with its handlers by HTTP method. Segments in braces
// match any one segment.
type route struct {
	pattern  []string
	open     bool // needs no token
	operator bool // needs an operator's token, where others need an environment's
	handlers map[string]handler
}

func at(pattern string, handlers map[string]handler) route {
	return route{pattern: strings.Split(strings.TrimPrefix(pattern, "/"), "/"), handlers: handlers}
}

func openAt(pattern string, handlers map[string]handler) route {
	r := at(pattern, handlers)
	r.open = true
	return r
}

func operatorAt(pattern string, handlers map[string]handler) route {
	r := at(pattern, handlers)
	r.operator = true
	return r
}

var routes = []route{
	openAt("/healthz", map[string]handler{http.MethodGet: (*Server).healthz}),
	openAt("/readyz", map[string]handler{http.MethodGet: (*Server).readyz}),
	openAt("/metrics", map[string]handler{http.MethodGet: (*Server).showMetrics}),
	at("/integrated-account", map[string]handler{http.MethodGet: (*Server).listAccounts, http.MethodPost: (*Server).createAccount}),
	at("/integrated-account/{id}", map[string]handler{http.MethodGet: (*Server).getAccount, http.MethodDelete: (*Server).deleteAccount}),
	operatorAt("/plugin", map[string]handler{http.MethodGet: (*Server).listPlugins}),
	operatorAt("/plugin/reload", map[string]handler{http.MethodPost: (*Server).reloadPlugins}),
	operatorAt("/plugin/{slug}", map[string]handler{http.MethodGet: (*Server).getPlugin}),
	operatorAt("/plugin/{slug}/reload", map[string]handler{http.MethodPost: (*Server).reloadPlugins}),
	operatorAt("/integrated-account/{id}/pin", map[string]handler{http.MethodPut: (*Server).pinAccount, http.MethodDelete: (*Server).unpinAccount}),
	at("/integration", map[string]handler{http.MethodGet: (*Server).listIntegrations}),
	at("/integration/{slug}", map[string]handler{http.MethodGet: (*Server).getIntegration}),
	at("/integration/{slug}/capabilities", map[string]handler{http.MethodGet: (*Server).integrationCapabilities}),
	at("/integrated-account/{id}/capabilities", map[string]handler{http.MethodGet: (*Server).accountCapabilities}),
	at("/unified/meta/crm/{integration}", map[string]handler{http.MethodGet: (*Server).showGuide}),
	at("/unified/crm/{resource}/meta/{method}", map[string]handler{http.MethodGet: (*Server).accountMeta}),
	at("/unified/crm/{resource}/{integration}/meta/{method}", map[string]handler{http.MethodGet: (*Server).integrationMeta}),
	at("/unified/crm/{resource}/batch-delete", map[string]handler{http.MethodPost: records(unified.BatchDelete)}),
	at("/unified/crm/{resource}/merge", map[string]handler{http.MethodPost: records(unified.Merge)}),
	at("/unified/crm/{resource}/upsert", map[string]handler{http.MethodPost: records(unified.Upsert)}),
	at("/unified/crm/{resource}", map[string]handler{http.MethodGet: records(unified.List), http.MethodPost: records(unified.Create)}),
	at("/unified/crm/{resource}/{id}", map[string]handler{http.MethodGet: records(unified.Get), http.MethodPatch: records(unified.Update), http.MethodDelete: records(unified.Delete)}),
}

func (s *Server) route(x *exchange) {
	segments, ok := splitPath(x.request.URL.EscapedPath())
	if !ok {
		s.fail(x, errs.New(errs.RouteNotFound, "the path is not validly escaped"))
		return
	}
	var matched *route
	allowed := map[string]bool{} // by all routes that match
	for i := range routes {
		params, ok := routes[i].match(segments)
		if !ok {
			continue
		}
		matched, x.params = &routes[i], params
		for method := range matched.handlers {
			allowed[method] = true
		}
		if _, ok := matched.handlers[methodOf(x.request)]; ok {
			break // a later route may take the method that this one does not
		}
	}
	if matched == nil {
		s.fail(x, errs.New(errs.RouteNotFound, "there is no route %s", clipPath(x.request.URL.EscapedPath())))
		return
	}
	if !matched.open {
		if err := s.authenticate(x, matched.operator); err != nil {
			s.fail(x, err)
			return
		}
	}
	handle, ok := matched.handlers[methodOf(x.request)]
	if !ok {
		x.Header().Set("Allow", listMethods(allowed))
		s.fail(x, errs.New(errs.MethodNotAllowed, "%s is not a method of this route; it takes %s", clip(x.request.Method), listMethods(allowed)))
		return
	}
	if err := s.run(handle, x, matched.open); err != nil {
		s.fail(x, err)
	}
}

func methodOf(r *http.Request) string {
	if r.Method == http.MethodHead {
		return http.MethodGet // net/http leaves the body out
	}
	return r.Method
}

// run calls a handler within the limits of time and number.
func (s *Server) run(handle handler, x *exchange, open bool) error {
	if !open {
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
		default:
			return &errs.Error{Reason: errs.Overloaded, Message: "the host has too many requests at once", RetryAfter: time.Second}
		}
	}
	ctx, cancel := context.WithTimeout(x.request.Context(), s.RequestTimeout)
	defer cancel()
	x.request = x.request.WithContext(ctx)
	return handle(s, x)
}

// slack is what a connection has beyond a call's time, for the answer to go out.
const slack = 30 * time.Second

// within gives an exchange a time of its own from now on, in place of that of
// one call. The connection's deadlines follow: net/http takes one that passes
// for a caller who has gone.
func (x *exchange) within(timeout time.Duration) context.CancelFunc {
	ctx, cancel := context.WithTimeout(x.arrived.Context(), timeout)
	x.request = x.arrived.WithContext(ctx)
	control := http.NewResponseController(x)
	_ = control.SetReadDeadline(time.Now().Add(timeout + slack)) // not every connection has them
	_ = control.SetWriteDeadline(time.Now().Add(timeout + slack))
	return cancel
}

func clipPath(path string) string {
	if len(path) > 200 {
		return path[:200] + "…"
	}
	return path
}

// splitPath unescapes each segment by itself.
func splitPath(escaped string) ([]string, bool) {
	segments := strings.Split(strings.TrimPrefix(escaped, "/"), "/")
	for i, segment := range segments {
		plain, err := unescape(segment)
		if err != nil {
			return nil, false
		}
		segments[i] = plain
	}
	return segments, true
}

func (r *route) match(segments []string) (map[string]string, bool) {
	if len(segments) != len(r.pattern) {
		return nil, false
	}
	params := map[string]string{}
	for i, want := range r.pattern {
		if strings.HasPrefix(want, "{") {
			params[strings.Trim(want, "{}")] = segments[i]
		} else if want != segments[i] {
			return nil, false
		}
	}
	return params, true
}

func listMethods(allowed map[string]bool) string {
	var methods []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if allowed[method] {
			methods = append(methods, method)
		}
	}
	return strings.Join(methods, ", ")
}

// authenticate finds the token of the request. One sentence serves for all
// refusals: what is wrong with a token is nobody else's business.
func (s *Server) authenticate(x *exchange, operator bool) error {
	scheme, secret, _ := strings.Cut(x.request.Header.Get("Authorization"), " ")
	refused := errs.New(errs.Unauthenticated, "the Authorization header does not hold \"Bearer\" and a token of this host")
	if !strings.EqualFold(scheme, "Bearer") || secret == "" || len(x.request.Header.Values("Authorization")) != 1 {
		return refused
	}
	token, err := s.Tokens.Check(x.request.Context(), strings.TrimSpace(secret))
	if errors.Is(err, access.ErrUnknownToken) {
		return refused
	}
	if err != nil {
		return fmt.Errorf("check the token: %w", err)
	}
	switch {
	case operator && !token.Operator:
		return errs.New(errs.Forbidden, "this route needs an operator's token; unicrm token create --operator makes one")
	case !operator && token.Operator:
		return errs.New(errs.Forbidden, "an operator's token manages plugins and reaches no accounts; use the token of an environment")
	}
	x.token = token
	return nil
}

// reply answers with JSON.
func (s *Server) reply(x *exchange, status int, body []byte) {
	x.Header().Set("Content-Type", "application/json; charset=utf-8")
	x.Header().Set("Content-Length", strconv.Itoa(len(body)))
	x.WriteHeader(status)
	_, _ = x.Write(body)
}

// replyValue answers with a value as JSON.
func (s *Server) replyValue(x *exchange, status int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	s.reply(x, status, body)
	return nil
}
