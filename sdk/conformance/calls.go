package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/timestamppb"

	crmv1 "github.com/unicrm/unicrm/proto/unicrm/crm/v1"
	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/errs"
)

// resources is the protocol's package of resources.
const resources = "unicrm.crm.v1"

// callTime is what a call has when nothing else is being tried.
const callTime = 20 * time.Second

// method is one rpc about a resource, found through the descriptors: a resource
// that is added to the protocol needs nothing here.
type method struct {
	resource      string
	kind          providerv1.Method
	path          string
	input, output protoreflect.MessageType
	// advertised is what the manifest says of it; nil when it says nothing.
	advertised *providerv1.MethodCapabilities
	of         *providerv1.ResourceCapabilities // nil when the resource is not there
	ids        *regexp.Regexp                   // nil when the pattern is none
}

// connectionCheck is CheckConnection, which asks the vendor like the others.
var connectionCheck = &method{
	path:   providerv1.ProviderService_CheckConnection_FullMethodName,
	input:  (&providerv1.CheckConnectionRequest{}).ProtoReflect().Type(),
	output: (&providerv1.CheckConnectionResponse{}).ProtoReflect().Type(),
}

// String is such as "contacts list".
func (m *method) String() string {
	if m == connectionCheck {
		return "CheckConnection"
	}
	return m.resource + " " + strings.ToLower(strings.TrimPrefix(m.kind.String(), "METHOD_"))
}

// writes tells whether the method changes something at the vendor.
func (m *method) writes() bool { return m != connectionCheck && m.kind != list && m.kind != get }

// takesID tells whether a call names one record.
func (m *method) takesID() bool { return m.takes("id") }

// takes tells whether a request has a field.
func (m *method) takes(name protoreflect.Name) bool {
	return m.input.Descriptor().Fields().ByName(name) != nil
}

// names tells whether a call names records that have to be there.
func (m *method) names() bool { return m.takes("id") || m.takes("ids") || m.takes("master_id") }

// methodsOf lists every method of the protocol's resources, with what the
// manifest says of each.
func methodsOf(manifest *providerv1.HandshakeResponse) []*method {
	var all []*method
	protoregistry.GlobalFiles.RangeFilesByPackage(resources, func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			resource, _ := proto.GetExtension(service.Options(), crmv1.E_Serves).(string)
			for j := range service.Methods().Len() {
				rpc := service.Methods().Get(j)
				m := &method{resource: resource, path: fmt.Sprintf("/%s/%s", service.FullName(), rpc.Name())}
				m.kind, _ = proto.GetExtension(rpc.Options(), crmv1.E_Method).(providerv1.Method)
				m.input, _ = protoregistry.GlobalTypes.FindMessageByName(rpc.Input().FullName())
				m.output, _ = protoregistry.GlobalTypes.FindMessageByName(rpc.Output().FullName())
				for _, r := range manifest.GetResources() {
					if r.GetResource() != resource {
						continue
					}
					m.of = r
					m.ids, _ = patternOf(r.GetRecordIdPattern())
					for _, capabilities := range r.GetMethods() {
						if capabilities.GetMethod() == m.kind {
							m.advertised = capabilities
						}
					}
				}
				all = append(all, m)
			}
		}
		return true
	})
	return all
}

// of gives the advertised methods of some kinds, all of them when none is named.
func (s *suite) of(kinds ...providerv1.Method) []*method {
	var found []*method
	for _, m := range s.methods {
		for _, kind := range kinds {
			if m.advertised != nil && m.kind == kind {
				found = append(found, m)
			}
		}
	}
	return found
}

// reset brings the emulator back to its start; false, and told, when it cannot.
func (x *trial) reset() bool {
	err := x.vendor.reset(x.ctx)
	if err != nil {
		x.problem("%v", err)
	}
	return err == nil
}

// anew gives the advertised methods of a kind on an emulator that was reset;
// that there are none is the reason to skip what they are wanted for.
func (x *trial) anew(kind providerv1.Method) []*method {
	if !x.reset() {
		return nil
	}
	methods := x.of(kind)
	if len(methods) == 0 {
		x.skip("no %s is advertised", strings.ToLower(strings.TrimPrefix(kind.String(), "METHOD_")))
	}
	return methods
}

// sibling is the advertised method of another kind of the same resource, or nil.
func (s *suite) sibling(m *method, kind providerv1.Method) *method {
	for _, other := range s.of(kind) {
		if other.resource == m.resource {
			return other
		}
	}
	return nil
}

const (
	list       = providerv1.Method_METHOD_LIST
	get        = providerv1.Method_METHOD_GET
	create     = providerv1.Method_METHOD_CREATE
	modify     = providerv1.Method_METHOD_UPDATE
	upsert     = providerv1.Method_METHOD_UPSERT
	remove     = providerv1.Method_METHOD_DELETE
	removeMany = providerv1.Method_METHOD_BATCH_DELETE
	merge      = providerv1.Method_METHOD_MERGE
)

// writing are the advertised methods that change something.
func (s *suite) writing() []*method { return s.of(create, modify, upsert, remove, removeMany, merge) }

// aboutRecords are all advertised methods.
func (s *suite) aboutRecords() []*method { return append(s.of(list, get), s.writing()...) }

// asking are the methods that ask the vendor.
func (s *suite) asking() []*method {
	found := s.aboutRecords()
	if s.connection {
		found = append(found, connectionCheck)
	}
	return found
}

// call is one call of the plugin.
type call struct {
	method  *method
	account *providerv1.Account
	id      string // of the record
	token   string // of the page
	size    int    // of the page; 0 leaves it to the plugin
	query   []*providerv1.QueryParameter
	// What is to be written, and what it is to be written to.
	record     protoreflect.Message
	clear      []string
	etag       *string
	ids        []string // of many records
	master     string
	duplicates []string
	dryRun     bool
	lossy      bool
	filters    []*providerv1.Filter
	sort       []*providerv1.SortKey
	// wantAnswer asks for the vendor's own answer.
	wantAnswer bool
	// time is the call's deadline from now; callTime when zero.
	time time.Duration
	// extra is how much later gRPC's own deadline is, so that what the plugin
	// does at the call's deadline can be told from what gRPC does.
	extra time.Duration
	// edit changes the request before it goes out.
	edit func(request protoreflect.Message)
}

// answer is what came of a call.
type answer struct {
	call    call
	code    codes.Code
	message string            // of the status
	detail  *providerv1.Error // nil where the status has none of ours
	details int               // how many the status has
	size    int               // of the status, in bytes
	records []protoreflect.Message
	next    string
	result  *providerv1.CallResult
	// outcomes are those of many records, created that of an upsert.
	outcomes []*providerv1.RecordOutcome
	created  bool
	took     time.Duration
}

// ask makes a call and keeps an error for the checks of the whole run.
func (s *suite) ask(ctx context.Context, p *process, c call) *answer {
	return s.askDuring(ctx, p, c, "the survey")
}

// do makes a call with the process that most checks use.
func (x *trial) do(c call) *answer { return x.doIn(x.ctx, c) }

func (x *trial) doIn(ctx context.Context, c call) *answer {
	p, err := x.living(ctx)
	if err != nil {
		return &answer{call: c, code: codes.Unavailable, message: err.Error()}
	}
	return x.askDuring(ctx, p, c, x.check.name)
}

func (s *suite) askDuring(ctx context.Context, p *process, c call, during string) *answer {
	a := s.call(ctx, p, c)
	s.keep(a, during)
	return a
}

// call makes a call.
func (s *suite) call(ctx context.Context, p *process, c call) *answer {
	if c.time == 0 {
		c.time = s.limit(callTime)
	}
	deadline := time.Now().Add(c.time)
	ctx, cancel := context.WithDeadline(ctx, deadline.Add(c.extra))
	defer cancel()
	request, response := c.method.input.New(), c.method.output.New()
	set := func(name string, value any) {
		if field := request.Descriptor().Fields().ByName(protoreflect.Name(name)); field != nil {
			request.Set(field, protoreflect.ValueOf(value))
		}
	}
	set("call", (&providerv1.CallContext{
		Account: c.account, RemoteQuery: c.query, WantVendorAnswer: c.wantAnswer, RequestId: "conformance", Deadline: timestamppb.New(deadline),
		DryRun: c.dryRun, AllowLossy: c.lossy,
	}).ProtoReflect())
	set("id", c.id)
	set("page_token", c.token)
	set("page_size", int32(c.size))
	set("master_id", c.master)
	if c.etag != nil {
		set("etag", *c.etag)
	}
	texts := func(name protoreflect.Name, values []string) {
		if field := request.Descriptor().Fields().ByName(name); field != nil {
			for _, value := range values {
				request.Mutable(field).List().Append(protoreflect.ValueOfString(value))
			}
		}
	}
	texts("clear_fields", c.clear)
	texts("ids", c.ids)
	texts("duplicate_ids", c.duplicates)
	for _, f := range c.filters {
		appendTo(request, "filters", f)
	}
	for _, k := range c.sort {
		appendTo(request, "sort", k)
	}
	if field := recordField(request.Descriptor()); field != nil && c.record != nil {
		request.Set(field, protoreflect.ValueOfMessage(c.record))
	}
	if c.edit != nil {
		c.edit(request)
	}
	began := time.Now()
	err := p.conn.Invoke(ctx, c.method.path, request.Interface(), response.Interface())
	a := &answer{call: c, took: time.Since(began)}
	if err == nil {
		a.read(response)
		a.single()
	} else {
		a.fail(err)
		if a.code == codes.Unavailable && a.detail == nil {
			p.endsWithin(s.limit(endTime) / 4) // the call knows before the process has been waited for
		}
	}
	return a
}

// read takes an answer apart.
func (a *answer) read(response protoreflect.Message) {
	fields := response.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		value := response.Get(field)
		switch {
		case field.Name() == "result":
			a.result, _ = value.Message().Interface().(*providerv1.CallResult)
		case field.Name() == "next_page_token":
			a.next = value.String()
		case field.Name() == "created":
			a.created = value.Bool()
		case field.Name() == "outcomes":
			for j := range value.List().Len() {
				if o, ok := value.List().Get(j).Message().Interface().(*providerv1.RecordOutcome); ok {
					a.outcomes = append(a.outcomes, o)
				}
			}
		case field.IsList() && isRecord(field.Message()):
			for j := range value.List().Len() {
				a.records = append(a.records, value.List().Get(j).Message())
			}
		case isRecord(field.Message()) && response.Has(field):
			a.records = append(a.records, value.Message())
		}
	}
}

// single makes what became of the one record of a call about many what became
// of the call, so that both are held to the same.
func (a *answer) single() {
	if len(a.call.ids) != 1 || len(a.outcomes) != 1 {
		return
	}
	if a.outcomes[0].GetAlreadyDeleted() && a.result != nil {
		a.result.AlreadyDeleted = true
	}
	if e := a.outcomes[0].GetError(); e != nil {
		a.code, a.message, a.detail, a.details = codes.Code(errs.Rule(e.GetReason()).GetGrpcCode()), e.GetMessage(), e, 1
	}
}

// recordField is the field of a request that holds a record, nil when it has none.
func recordField(request protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	for i := range request.Fields().Len() {
		if field := request.Fields().Get(i); !field.IsList() && isRecord(field.Message()) {
			return field
		}
	}
	return nil
}

func isRecord(message protoreflect.MessageDescriptor) bool {
	if message == nil {
		return false
	}
	name, _ := proto.GetExtension(message.Options(), crmv1.E_Resource).(string)
	return name != ""
}

func (a *answer) fail(err error) {
	s := status.Convert(err)
	a.code, a.message, a.size = s.Code(), s.Message(), proto.Size(s.Proto())
	for _, d := range s.Details() {
		a.details++
		if detail, ok := d.(*providerv1.Error); ok && a.detail == nil {
			a.detail = detail
		}
	}
}

// keep remembers an error, and the secrets that it must not hold, as well as
// what of the vendor's came with a success.
func (s *suite) keep(a *answer, during string) {
	if a.code == codes.OK && a.result.GetVendorAnswer() == nil && len(a.result.GetVendorRequests()) == 0 && len(a.outcomes) == 0 {
		return
	}
	f := failure{during: during, answer: a}
	for _, c := range []credentials{s.credentials, s.planted} {
		if string(a.call.account.GetCredentials()) == string(c.json) {
			f.secrets = c.secrets
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failures = append(s.failures, f)
}

func (a *answer) ok() bool { return a.code == codes.OK }

// reason is the one of our list; UNSPECIFIED where the status has none.
func (a *answer) reason() errs.Reason { return a.detail.GetReason() }

// outcome names what came of the call in a word: "success", a reason such as
// "vendor_timeout", or a gRPC code such as "DeadlineExceeded" where the status
// holds no reason.
func (a *answer) outcome() string {
	switch {
	case a.ok():
		return "success"
	case a.detail != nil:
		return errs.Name(a.detail.GetReason())
	default:
		return a.code.String()
	}
}

// String describes an outcome for a person.
func (a *answer) String() string {
	switch {
	case a.ok() && len(a.records) > 0:
		return fmt.Sprintf("success with %d records", len(a.records))
	case a.ok():
		return "success"
	}
	return fmt.Sprintf("%s (%.200s)", a.outcome(), a.message)
}

// id is a record's id, "" where it has none.
func idOf(record protoreflect.Message) string {
	field := record.Descriptor().Fields().ByName("id")
	if field == nil {
		return ""
	}
	return record.Get(field).String()
}

// bytesOf is a field that holds JSON, nil where the record has none.
func bytesOf(record protoreflect.Message, name protoreflect.Name) json.RawMessage {
	field := record.Descriptor().Fields().ByName(name)
	if field == nil || !record.Has(field) {
		return nil
	}
	return record.Get(field).Bytes()
}

func (a *answer) ids() []string {
	var ids []string
	for _, record := range a.records {
		ids = append(ids, idOf(record))
	}
	return ids
}

// walk reads a whole list, page by page, and gives every page's answer. It ends
// with the first one that fails.
func (s *suite) walk(ctx context.Context, p *process, m *method, account *providerv1.Account, size int, token string) []*answer {
	var pages []*answer
	for range maxPages {
		page := s.askDuring(ctx, p, call{method: m, account: account, size: size, token: token}, "the reading of a list")
		pages = append(pages, page)
		if !page.ok() || page.next == "" {
			return pages
		}
		token = page.next
	}
	return pages
}

// maxPages ends a list that has no end.
const maxPages = 3 * seed

// whole gives the ids of a list that was read to its end, and notes what is
// wrong with it.
func (x *trial) whole(pages []*answer, what string) []string {
	var ids []string
	last := pages[len(pages)-1]
	switch {
	case !last.ok():
		x.problem("%s: page %d answered %s", what, len(pages), last)
	case last.next != "":
		x.problem("%s: the list does not end: %d pages were read and there is still a next_page_token", what, len(pages))
	}
	for _, page := range pages {
		ids = append(ids, page.ids()...)
	}
	return ids
}

// deletable gives the id of a record that can be deleted, another one each
// time; "" when there are no more.
func (s *suite) deletable(m *method) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	stock := s.stocks[m.resource]
	if stock == nil || len(stock.deletable) == 0 {
		s.ranOut = s.ranOut || stock != nil && stock.plenty
		return ""
	}
	id := stock.deletable[0]
	stock.deletable = stock.deletable[1:]
	return id
}

// lasting gives the id of a plain record that no check deletes for good; ""
// when none is known.
func (s *suite) lasting(m *method) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stock := s.stocks[m.resource]; stock != nil {
		return stock.lasting
	}
	return ""
}
