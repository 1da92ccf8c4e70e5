package sdk

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	crmv1 "github.com/unicrm/unicrm/proto/unicrm/crm/v1"
	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/redact"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/wire"
)

// replyMargin is kept back from a call's deadline, so that the sentence about
// what took too long still reaches the host.
const replyMargin = 250 * time.Millisecond

// server implements the protocol's services over a Provider.
type server struct {
	providerv1.UnimplementedProviderServiceServer
	crmv1.UnimplementedContactsServiceServer

	provider *Provider
	manifest *providerv1.HandshakeResponse
	pool     *vendorhttp.Pool
	log      hclog.Logger
	// secrets are those of the calls in flight, for the process's log.
	secrets *redact.Secrets

	inFlight inFlight
}

func newServer(p *Provider, hasEmulator bool, log hclog.Logger, secrets *redact.Secrets) (*server, error) {
	manifest, err := p.manifest(hasEmulator)
	if err != nil {
		return nil, fmt.Errorf("provider %q: %w", p.Slug, err)
	}
	return &server{
		provider: p, manifest: manifest, log: log, secrets: secrets,
		pool: vendorhttp.NewPool(p.AllowedHosts, "unicrm-"+p.Slug+"/"+manifest.Version),
	}, nil
}

// register puts the services on a gRPC server.
func (s *server) register(g *grpc.Server) {
	providerv1.RegisterProviderServiceServer(g, s)
	if s.provider.Contacts != nil {
		crmv1.RegisterContactsServiceServer(g, s)
	}
}

// grpcOptions are the caps and the interceptor that every call passes.
func (s *server) grpcOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(wire.MaxMessage),
		grpc.MaxSendMsgSize(wire.MaxMessage),
		grpc.ChainUnaryInterceptor(s.intercept),
	}
}

// callRequest is a request that carries a CallContext.
type callRequest interface {
	GetCall() *providerv1.CallContext
}

// intercept turns panics and errors into statuses without secrets and keeps
// the deadline's margin.
func (s *server) intercept(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (response any, err error) {
	if info.FullMethod != providerv1.ProviderService_Shutdown_FullMethodName { // which waits for the others
		s.inFlight.begin()
		defer s.inFlight.end()
	}
	secrets := newCallSecrets(s.secrets, nil)
	defer secrets.end()
	if r, ok := request.(callRequest); ok {
		if r.GetCall().GetAccount() == nil {
			return nil, errs.Status(errs.New(errs.InvalidParameter, "the request has no account"))
		}
		secrets.add(s.provider.secretsIn(r.GetCall().GetAccount())...)
		if at := r.GetCall().GetDeadline(); at.IsValid() {
			// A deadline by the clock also counts for a process that was frozen
			// while the call waited for it; gRPC's would begin anew.
			var cancel context.CancelFunc
			ctx, cancel = context.WithDeadline(ctx, at.AsTime())
			defer cancel()
		}
	}
	ctx = context.WithValue(ctx, secretsKey{}, secrets)
	if deadline, ok := ctx.Deadline(); ok {
		margin := min(replyMargin, time.Until(deadline)/10)
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-margin))
		defer cancel()
	}
	defer func() {
		if cause := recover(); cause != nil {
			response, err = nil, errs.Status(panicked(s.log, info.FullMethod, cause))
		}
	}()
	response, err = handler(ctx, request)
	if err != nil {
		clean := strike(err, secrets.own)
		level := hclog.Debug
		if errs.Is(clean, errs.PluginBug) {
			level = hclog.Error // whoever wrote this provider wants to know
		}
		s.log.Log(level, "call failed", "method", info.FullMethod, "error", err.Error())
		return nil, errs.Status(clean)
	}
	return response, nil
}

// panicked logs a panic and makes the error that tells of it. It is called
// where the panic was recovered, while the stack is still there.
func panicked(log hclog.Logger, method string, cause any) error {
	incident := rand.Text()[:10]
	log.Error("panic", "method", method, "incident", incident, "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
	return errs.New(errs.PluginBug, "the provider plugin panicked; its log has the details under incident %s", incident)
}

// maxStruck is how many fields and scopes of an error are looked through. No
// more of them cross the process boundary.
const maxStruck = 64

// strike takes the secrets out of an error.
func strike(err error, secrets *redact.Secrets) error {
	var e *errs.Error
	if !errors.As(err, &e) {
		if e = errs.FromStatus(err); e == nil {
			if s, isStatus := status.FromError(err); isStatus {
				return status.Error(s.Code(), secrets.Text(s.Message()))
			}
			if contextEnded(err) {
				return err // of which nothing is shown
			}
			return errs.New(errs.PluginBug, "%s", secrets.Text(err.Error()))
		}
	}
	clean := *e
	clean.Message = secrets.Text(e.Message)
	clean.Fields, clean.MissingScopes = nil, nil
	clean.ExistingID = secrets.Text(e.ExistingID)
	for _, f := range e.Fields[:min(len(e.Fields), maxStruck)] {
		clean.Fields = append(clean.Fields, errs.Field{Path: secrets.Text(f.Path), Description: secrets.Text(f.Description), Missing: f.Missing})
	}
	for _, scope := range e.MissingScopes[:min(len(e.MissingScopes), maxStruck)] {
		clean.MissingScopes = append(clean.MissingScopes, secrets.Text(scope))
	}
	if e.Vendor != nil {
		answer := *e.Vendor
		answer.ContentType = secrets.Text(answer.ContentType)
		answer.Body = secrets.JSON(answer.Body)
		clean.Vendor = &answer
	}
	return &clean
}

// secretsKey leads to the *callSecrets of a call's context.
type secretsKey struct{}

func (s *server) call(ctx context.Context, c *providerv1.CallContext) *Call {
	secrets, _ := ctx.Value(secretsKey{}).(*callSecrets)
	return newCall(secrets, s.pool, s.log, c)
}

// Handshake implements the protocol.
func (s *server) Handshake(context.Context, *providerv1.HandshakeRequest) (*providerv1.HandshakeResponse, error) {
	return s.manifest, nil
}

// Configure implements the protocol.
func (s *server) Configure(_ context.Context, request *providerv1.ConfigureRequest) (*providerv1.ConfigureResponse, error) {
	if agent := request.GetUserAgent(); agent != "" {
		s.pool = vendorhttp.NewPool(s.provider.AllowedHosts, agent) // before the first call, so without a lock
	}
	return &providerv1.ConfigureResponse{}, nil
}

// CheckHealth implements the protocol.
func (s *server) CheckHealth(context.Context, *providerv1.CheckHealthRequest) (*providerv1.CheckHealthResponse, error) {
	return &providerv1.CheckHealthResponse{}, nil
}

// CheckConnection implements the protocol.
func (s *server) CheckConnection(ctx context.Context, request *providerv1.CheckConnectionRequest) (*providerv1.CheckConnectionResponse, error) {
	if s.provider.CheckConnection == nil {
		return nil, errs.New(errs.Unsupported, "%s offers no way to check a connection", s.provider.DisplayName)
	}
	if err := noDryRun(request.GetCall()); err != nil {
		return nil, err
	}
	call := s.call(ctx, request.GetCall())
	if err := s.provider.CheckConnection(ctx, call); err != nil {
		return nil, notARecord(err)
	}
	// A proxy's or a sign-in page's 200 says nothing of the credentials.
	if call.client != nil {
		if r := call.client.MainResponse(); r != nil && !r.Empty() && !json.Valid(r.Body) {
			return nil, r.Error(errs.UnexpectedVendorAnswer, "%s answered %d with something that is not JSON, so whether the credentials work is not known", s.provider.DisplayName, r.Status)
		}
	}
	return &providerv1.CheckConnectionResponse{}, nil
}

// Shutdown implements the protocol: it answers when the calls in flight are
// done or the host's patience ends; the host then ends the process.
func (s *server) Shutdown(ctx context.Context, _ *providerv1.ShutdownRequest) (*providerv1.ShutdownResponse, error) {
	s.inFlight.wait(ctx)
	return &providerv1.ShutdownResponse{}, nil
}

// notARecord keeps a vendor's 404 from reading as "no such record" where no
// record was asked for: there it is the vendor's address that is wrong.
func notARecord(err error) error {
	var e *errs.Error
	if !errors.As(err, &e) || e.Reason != errs.RecordNotFound {
		return err
	}
	rejected := *e
	rejected.Reason = errs.VendorRejected
	return &rejected
}

func contextEnded(err error) bool {
	code := status.FromContextError(err).Code()
	return code == codes.Canceled || code == codes.DeadlineExceeded
}
