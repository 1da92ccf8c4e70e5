package supervisor

import (
	"context"
	"fmt"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/timestamppb"

	crmv1 "github.com/unicrm/unicrm/proto/unicrm/crm/v1"
	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"

	"github.com/unicrm/unicrm/host/internal/unified"
	"github.com/unicrm/unicrm/sdk/errs"
)

// v1 speaks major 1 of the protocol: it turns the domain's requests into
// messages and back. The services are found through their descriptors, so that
// a resource added to the protocol needs nothing here.
type v1 struct{ conn grpc.ClientConnInterface }

// ParseManifest reads what `describe --json` prints.
func ParseManifest(data []byte) (*unified.Manifest, error) {
	var response providerv1.HandshakeResponse
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, &response); err != nil {
		return nil, fmt.Errorf("the manifest cannot be read: %w", err)
	}
	return manifestOf(&response), nil
}

func (c v1) handshake(ctx context.Context, hostVersion string) (*unified.Manifest, error) {
	response, err := providerv1.NewProviderServiceClient(c.conn).Handshake(ctx, &providerv1.HandshakeRequest{HostVersion: hostVersion})
	if err != nil {
		return nil, err
	}
	return manifestOf(response), nil
}

func (c v1) configure(ctx context.Context, userAgent string) error {
	_, err := providerv1.NewProviderServiceClient(c.conn).Configure(ctx, &providerv1.ConfigureRequest{UserAgent: userAgent})
	return err
}

func (c v1) checkHealth(ctx context.Context) error {
	_, err := providerv1.NewProviderServiceClient(c.conn).CheckHealth(ctx, &providerv1.CheckHealthRequest{})
	return err
}

func (c v1) shutdown(ctx context.Context) error {
	_, err := providerv1.NewProviderServiceClient(c.conn).Shutdown(ctx, &providerv1.ShutdownRequest{})
	return err
}

func (c v1) checkConnection(ctx context.Context, id string, account unified.Account) error {
	_, err := providerv1.NewProviderServiceClient(c.conn).CheckConnection(ctx, &providerv1.CheckConnectionRequest{
		Call: callContext(ctx, unified.Request{ID: id, Account: account}),
	})
	return err
}

// call makes one call about records.
func (c v1) call(ctx context.Context, r unified.Request) (*unified.Result, error) {
	rpc, ok := rpcs[rpcKey{r.Resource, r.Method}]
	if !ok {
		return nil, errs.New(errs.Unsupported, "the protocol has no %s for %s", r.Method, r.Resource)
	}
	request, response := rpc.input.New(), rpc.output.New()
	set := func(name string, value any) {
		if field := request.Descriptor().Fields().ByName(protoreflect.Name(name)); field != nil {
			request.Set(field, protoreflect.ValueOf(value))
		}
	}
	set("call", callContext(ctx, r).ProtoReflect())
	switch r.Method {
	case unified.List:
		set("page_size", int32(r.PageSize))
		set("page_token", r.PageToken)
	default:
		set("id", r.RecordID)
	}
	if err := c.conn.Invoke(ctx, rpc.path, request.Interface(), response.Interface()); err != nil {
		return nil, err
	}
	return resultOf(response), nil
}

func callContext(ctx context.Context, r unified.Request) *providerv1.CallContext {
	call := &providerv1.CallContext{
		Account: &providerv1.Account{
			Id: r.Account.ID, Revision: r.Account.Revision, AuthenticationMethod: r.Account.AuthenticationMethod,
			Credentials: r.Account.Credentials, BaseUrl: r.Account.BaseURL,
		},
		WantVendorAnswer: r.WantAnswer,
		RequestId:        r.ID,
	}
	if deadline, ok := ctx.Deadline(); ok {
		call.Deadline = timestamppb.New(deadline)
	}
	for _, p := range r.RemoteQuery {
		call.RemoteQuery = append(call.RemoteQuery, &providerv1.QueryParameter{Name: p.Name, Value: p.Value})
	}
	return call
}

// resultOf reads any of the services' responses: records, the next page's
// token, and what came beside.
func resultOf(response protoreflect.Message) *unified.Result {
	result := &unified.Result{}
	fields := response.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		value := response.Get(field)
		switch {
		case field.Name() == "result":
			if r, ok := value.Message().Interface().(*providerv1.CallResult); ok {
				result.Answer = errs.VendorAnswerFromProto(r.GetVendorAnswer())
				result.RateLimit = errs.RateLimitFromProto(r.GetRateLimit())
				result.Partial, result.AlreadyDeleted = r.GetPartial(), r.GetAlreadyDeleted()
			}
		case field.Name() == "next_page_token":
			result.NextPageToken = value.String()
		case field.IsList() && isRecord(field.Message()):
			for j := range value.List().Len() {
				result.Records = append(result.Records, unified.RecordOf(value.List().Get(j).Message()))
			}
		case isRecord(field.Message()) && response.Has(field):
			result.Records = append(result.Records, unified.RecordOf(value.Message()))
		}
	}
	return result
}

func isRecord(message protoreflect.MessageDescriptor) bool {
	if message == nil {
		return false
	}
	name, _ := proto.GetExtension(message.Options(), crmv1.E_Resource).(string)
	return name != ""
}

type rpcKey struct {
	resource string
	method   unified.Method
}

type rpc struct {
	path          string
	input, output protoreflect.MessageType
}

var methodNames = map[providerv1.Method]unified.Method{
	providerv1.Method_METHOD_LIST:   unified.List,
	providerv1.Method_METHOD_GET:    unified.Get,
	providerv1.Method_METHOD_CREATE: unified.Create,
	providerv1.Method_METHOD_UPDATE: unified.Update,
	providerv1.Method_METHOD_DELETE: unified.Delete,
}

// rpcs are the methods of every service that is marked as serving a resource.
var rpcs = findRPCs()

func findRPCs() map[rpcKey]rpc {
	found := map[rpcKey]rpc{}
	protoregistry.GlobalFiles.RangeFilesByPackage("unicrm.crm.v1", func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			resource, _ := proto.GetExtension(service.Options(), crmv1.E_Serves).(string)
			for j := range service.Methods().Len() {
				method := service.Methods().Get(j)
				kind, _ := proto.GetExtension(method.Options(), crmv1.E_Method).(providerv1.Method)
				input, inErr := protoregistry.GlobalTypes.FindMessageByName(method.Input().FullName())
				output, outErr := protoregistry.GlobalTypes.FindMessageByName(method.Output().FullName())
				if resource != "" && inErr == nil && outErr == nil {
					found[rpcKey{resource, methodNames[kind]}] = rpc{path: fmt.Sprintf("/%s/%s", service.FullName(), method.Name()), input: input, output: output}
				}
			}
		}
		return true
	})
	return found
}

func manifestOf(response *providerv1.HandshakeResponse) *unified.Manifest {
	m := &unified.Manifest{
		Slug: response.GetSlug(), DisplayName: response.GetDisplayName(), Version: response.GetVersion(), SDKVersion: response.GetSdkVersion(),
		DocumentationURL: response.GetDocumentationUrl(), AllowedHosts: response.GetAllowedHosts(), HasEmulator: response.GetHasEmulator(),
	}
	for _, v := range response.GetProtocolVersions() {
		m.ProtocolVersions = append(m.ProtocolVersions, int(v))
	}
	for _, a := range response.GetAuthenticationMethods() {
		m.Authentication = append(m.Authentication, unified.AuthenticationMethod{Name: a.GetName(), Schema: a.GetCredentialsSchema()})
	}
	for _, h := range response.GetRateLimits() {
		m.RateLimits = append(m.RateLimits, unified.RateLimitHint{Calls: h.GetCalls(), Window: h.GetWindow().AsDuration(), SharedBy: h.GetSharedBy()})
	}
	for _, r := range response.GetResources() {
		capabilities := unified.Capabilities{Resource: r.GetResource(), IDPattern: r.GetRecordIdPattern()}
		for _, method := range r.GetMethods() {
			mc := unified.MethodCapabilities{Method: methodNames[method.GetMethod()], Returned: method.GetReturnedFields(), PageCap: int(method.GetPageCap())}
			if d := method.GetDelete(); d != nil {
				mc.Delete = &unified.DeleteSemantics{Kind: suffix(d.GetKind().String(), "KIND_"), Repeat: suffix(d.GetRepeat().String(), "REPEAT_"), Kept: d.GetKept().AsDuration()}
			}
			capabilities.Methods = append(capabilities.Methods, mc)
		}
		m.Resources = append(m.Resources, capabilities)
	}
	return m
}

// suffix writes an enum's value in lower case without its prefix, "" for
// UNSPECIFIED.
func suffix(name, prefix string) string {
	text := strings.ToLower(strings.TrimPrefix(name, prefix))
	if text == "unspecified" {
		return ""
	}
	return text
}
