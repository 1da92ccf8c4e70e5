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
	request.Set(request.Descriptor().Fields().ByName("call"), protoreflect.ValueOfMessage(callContext(ctx, r).ProtoReflect()))
	if err := fillRequest(request, r); err != nil {
		return nil, err
	}
	if err := c.conn.Invoke(ctx, rpc.path, request.Interface(), response.Interface()); err != nil {
		return nil, err
	}
	return resultOf(response), nil
}

// fillRequest sets what a request says beside its context. What the method's
// message has no field for is an error rather than lost: a guard that does not
// arrive guards nothing.
func fillRequest(request protoreflect.Message, r unified.Request) error {
	fields := request.Descriptor().Fields()
	var filters, sort []proto.Message
	for _, f := range r.Filters {
		filters = append(filters, &providerv1.Filter{Field: f.Field, Operator: operators[f.Operator], Value: f.Value})
	}
	for _, k := range r.Sort {
		sort = append(sort, &providerv1.SortKey{Field: k.Field, Descending: k.Descending})
	}
	var problem error
	set := func(name protoreflect.Name, given bool, fill func(protoreflect.FieldDescriptor)) {
		field := fields.ByName(name)
		switch {
		case !given:
		case field == nil:
			problem = errs.New(errs.Unsupported, "the protocol has no %s in a %s of %s", name, r.Method, r.Resource)
		default:
			fill(field)
		}
	}
	text := func(name protoreflect.Name, value string) {
		set(name, value != "", func(d protoreflect.FieldDescriptor) { request.Set(d, protoreflect.ValueOfString(value)) })
	}
	texts := func(name protoreflect.Name, values []string) {
		set(name, len(values) > 0, func(d protoreflect.FieldDescriptor) {
			list := request.Mutable(d).List()
			for _, value := range values {
				list.Append(protoreflect.ValueOfString(value))
			}
		})
	}
	messages := func(name protoreflect.Name, values []proto.Message) {
		set(name, len(values) > 0, func(d protoreflect.FieldDescriptor) {
			list := request.Mutable(d).List()
			for _, value := range values {
				list.Append(protoreflect.ValueOfMessage(value.ProtoReflect()))
			}
		})
	}
	set("page_size", r.PageSize > 0, func(d protoreflect.FieldDescriptor) { request.Set(d, protoreflect.ValueOfInt32(int32(r.PageSize))) })
	text("page_token", r.PageToken)
	text("id", r.RecordID)
	text("etag", r.ETag)
	text("master_id", r.MasterID)
	texts("clear_fields", r.Clear)
	texts("ids", r.IDs)
	texts("duplicate_ids", r.DuplicateIDs)
	messages("filters", filters)
	messages("sort", sort)
	for i := range fields.Len() { // the record has the resource's own name
		if field := fields.Get(i); isRecord(field.Message()) && !field.IsList() {
			if err := r.Record.Fill(request.Mutable(field).Message()); err != nil {
				return errs.New(errs.Internal, "the record does not fit the protocol: %v", err)
			}
		}
	}
	return problem
}

func callContext(ctx context.Context, r unified.Request) *providerv1.CallContext {
	call := &providerv1.CallContext{
		Account: &providerv1.Account{
			Id: r.Account.ID, Revision: r.Account.Revision, AuthenticationMethod: r.Account.AuthenticationMethod,
			Credentials: r.Account.Credentials, BaseUrl: r.Account.BaseURL,
		},
		WantVendorAnswer: r.WantAnswer,
		RequestId:        r.ID,
		DryRun:           r.DryRun,
		AllowLossy:       r.AllowLossy,
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
				readBeside(result, r)
			}
		case field.Name() == "next_page_token":
			result.NextPageToken = value.String()
		case field.Name() == "created":
			result.Created = value.Bool()
		case field.Name() == "outcomes":
			for j := range value.List().Len() {
				if o, ok := value.List().Get(j).Message().Interface().(*providerv1.RecordOutcome); ok {
					result.Outcomes = append(result.Outcomes, unified.Outcome{ID: o.GetId(), Err: errs.FromProto(o.GetError()), AlreadyDeleted: o.GetAlreadyDeleted()})
				}
			}
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

// readBeside reads what a write brings beside its record.
func readBeside(result *unified.Result, r *providerv1.CallResult) {
	for _, w := range r.GetWarnings() {
		result.Warnings = append(result.Warnings, unified.Warning{Field: w.GetField(), Message: w.GetDescription()})
	}
	for _, v := range r.GetVendorRequests() {
		request := unified.VendorRequest{Method: v.GetMethod(), URL: v.GetUrl(), Body: v.GetBody(), Main: v.GetMain()}
		for _, h := range v.GetHeaders() {
			request.Headers = append(request.Headers, errs.Header{Name: h.GetName(), Value: h.GetValue()})
		}
		result.Requests = append(result.Requests, request)
	}
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
	providerv1.Method_METHOD_LIST:         unified.List,
	providerv1.Method_METHOD_GET:          unified.Get,
	providerv1.Method_METHOD_CREATE:       unified.Create,
	providerv1.Method_METHOD_UPDATE:       unified.Update,
	providerv1.Method_METHOD_DELETE:       unified.Delete,
	providerv1.Method_METHOD_UPSERT:       unified.Upsert,
	providerv1.Method_METHOD_BATCH_DELETE: unified.BatchDelete,
	providerv1.Method_METHOD_MERGE:        unified.Merge,
}

var operators = map[unified.Operator]providerv1.Operator{
	unified.Equal:          providerv1.Operator_OPERATOR_EQ,
	unified.Greater:        providerv1.Operator_OPERATOR_GT,
	unified.GreaterOrEqual: providerv1.Operator_OPERATOR_GTE,
	unified.Less:           providerv1.Operator_OPERATOR_LT,
	unified.LessOrEqual:    providerv1.Operator_OPERATOR_LTE,
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
				name, known := methodNames[kind]
				if resource != "" && known && inErr == nil && outErr == nil {
					found[rpcKey{resource, name}] = rpc{path: fmt.Sprintf("/%s/%s", service.FullName(), method.Name()), input: input, output: output}
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
			if _, known := methodNames[method.GetMethod()]; known { // a later protocol's methods are of no use here
				capabilities.Methods = append(capabilities.Methods, methodCapabilitiesOf(method))
			}
		}
		m.Resources = append(m.Resources, capabilities)
	}
	return m
}

func methodCapabilitiesOf(method *providerv1.MethodCapabilities) unified.MethodCapabilities {
	mc := unified.MethodCapabilities{
		Method: methodNames[method.GetMethod()], Returned: method.GetReturnedFields(), Writable: method.GetWritableFields(), Required: method.GetRequiredFields(),
		SortKeys: method.GetSortKeys(), PageCap: int(method.GetPageCap()), MaxRecords: int(method.GetMaxRecords()),
	}
	for _, f := range method.GetFilters() {
		filter := unified.FilterCapability{Field: f.GetField()}
		for _, have := range f.GetOperators() {
			for name, operator := range operators {
				if operator == have {
					filter.Operators = append(filter.Operators, name)
				}
			}
		}
		mc.Filters = append(mc.Filters, filter)
	}
	if d := method.GetDelete(); d != nil {
		mc.Delete = &unified.DeleteSemantics{Kind: suffix(d.GetKind().String(), "KIND_"), Repeat: suffix(d.GetRepeat().String(), "REPEAT_"), Kept: d.GetKept().AsDuration()}
	}
	if u := method.GetUpsert(); u != nil {
		mc.Upsert = &unified.UpsertSemantics{Atomic: u.GetAtomic()}
	}
	return mc
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
