package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	crm "github.com/unicrm/unicrm/proto/unicrm/crm/v1"
	pb "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/redact"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

// plugin implements the protocol for the made-up CRM.
type plugin struct {
	pb.UnimplementedProviderServiceServer
	crm.UnimplementedContactsServiceServer

	inFlight sync.WaitGroup
	first    atomic.Pointer[pb.Account] // for one that mixes up accounts
	last     atomic.Int64               // for one that shares what it should not

	gone sync.Map // ids that were deleted, for one that knows no others that are not there

	mu    sync.Mutex
	lists map[string][]*crm.Contact // guarded by mu: for one that keeps whole lists
	kept  [][]byte                  // guarded by mu: for one that leaks
}

var pool = vendorhttp.NewPool([]string{"api.bad.test"}, "unicrm-bad/1.0.0")

// account is one call's account, ready for use.
type account struct {
	key     string
	baseURL string
	client  *vendorhttp.Client
	secrets *redact.Secrets
}

type accountKey struct{}

func (p *plugin) intercept(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (response any, err error) {
	r, about := request.(interface{ GetCall() *pb.CallContext })
	if !about {
		return handler(ctx, request)
	}
	p.inFlight.Add(1)
	defer p.inFlight.Done()
	secrets := redact.New()
	defer func() {
		if err == nil {
			return
		}
		if s := status.Convert(err); s.Code() != codes.Unknown { // Unimplemented, or a status of our own
			err = s.Err()
			return
		}
		err = p.fail(err, secrets)
	}()
	call := r.GetCall()
	if bad("ends-without-an-account") && call == nil {
		panic("no call context")
	}
	if call.GetAccount() == nil {
		return nil, errs.New(errs.InvalidParameter, "the request has no account")
	}
	if at := call.GetDeadline(); at.IsValid() && !bad("ignores-the-calls-deadline") {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, at.AsTime().Add(-min(100*time.Millisecond, time.Until(at.AsTime())/10)))
		defer cancel()
	}
	p.misbehave(call)
	a, err := p.account(call, secrets)
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, errs.New(errs.VendorTimeout, "the call's time is up")
	}
	switch {
	case bad("ignores-cancellation"):
		deadline, _ := ctx.Deadline()
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(context.WithoutCancel(ctx), deadline)
		defer cancel()
	case bad("ignores-grpcs-deadline"):
		if at := call.GetDeadline(); !at.IsValid() {
			ctx = context.WithoutCancel(ctx)
		}
	}
	return handler(context.WithValue(ctx, accountKey{}, a), request)
}

// misbehave does what a call should not do beside its work.
func (p *plugin) misbehave(call *pb.CallContext) {
	switch {
	case bad("logs-credentials"):
		fmt.Fprintf(os.Stderr, "called with %s\n", base64.StdEncoding.EncodeToString(call.GetAccount().GetCredentials()))
	case bad("prints-in-calls"):
		_, _ = syscall.Write(1, []byte("called\n"))
	case bad("leaks-memory"):
		p.mu.Lock()
		p.kept = append(p.kept, bytes.Repeat([]byte("x"), 64<<10))
		p.mu.Unlock()
	case bad("leaks-descriptors"):
		if null, err := syscall.Open(os.DevNull, syscall.O_RDONLY, 0); err != nil || null < 0 {
			panic(err)
		}
	case bad("leaks-threads"):
		if p.last.Add(1)%4 == 0 { // a machine has fewer threads than descriptors
			go func() { runtime.LockOSThread(); select {} }()
		}
	case bad("leaks-goroutines"):
		go func() { select {} }()
	}
}

// fail makes a status of an error.
func (p *plugin) fail(err error, secrets *redact.Secrets) error {
	var e *errs.Error
	if !errors.As(err, &e) {
		if errors.Is(err, context.Canceled) {
			return status.Error(codes.Canceled, "cancelled")
		}
		return errs.Status(errs.New(errs.PluginBug, "%v", err))
	}
	clean := p.clean(e, secrets)
	switch {
	case bad("gives-no-reason"):
		return status.Error(codes.Internal, clean.Message)
	case bad("gives-the-wrong-code"):
		s := status.New(codes.Aborted, clean.Message)
		withDetail, _ := s.WithDetails(&pb.Error{Reason: clean.Reason, Message: clean.Message})
		return withDetail.Err()
	}
	return errs.Status(clean)
}

// clean takes the secrets out of an error.
func (p *plugin) clean(e *errs.Error, secrets *redact.Secrets) *errs.Error {
	clean := *e
	clean.Message = secrets.Text(clean.Message)
	asked := clean.Reason != errs.InvalidParameter && clean.Reason != errs.InvalidID && clean.Reason != errs.InvalidBody
	switch {
	case bad("says-rejected") && (clean.Vendor != nil || asked):
		clean.Reason = errs.VendorRejected
	case bad("says-conflict") && clean.Vendor != nil:
		clean.Reason = errs.VendorConflict
	case bad("shows-html") && clean.Vendor != nil && bytes.Contains(clean.Vendor.Body, []byte("<html")):
		clean.Message = string(clean.Vendor.Body)
	}
	return &clean
}

func (p *plugin) account(call *pb.CallContext, secrets *redact.Secrets) (*account, error) {
	given := call.GetAccount()
	if bad("mixes-up-accounts") {
		p.first.CompareAndSwap(nil, given)
		address := given.GetBaseUrl()
		given = &pb.Account{Credentials: p.first.Load().GetCredentials(), BaseUrl: address}
	}
	var credentials struct {
		Key string `json:"api_key"`
	}
	if err := json.Unmarshal(given.GetCredentials(), &credentials); err != nil || credentials.Key == "" {
		if bad("forgives-odd-requests") {
			return nil, status.Error(codes.Internal, "odd credentials")
		}
		return nil, errs.New(errs.InvalidParameter, "the account's credentials do not fit the schema")
	}
	secrets.Add(credentials.Key)
	a := &account{key: credentials.Key, baseURL: given.GetBaseUrl(), secrets: secrets}
	header := http.Header{"Authorization": {"Bearer " + credentials.Key}}
	if key, injected, ok := strings.Cut(credentials.Key, "\r\n"); ok && bad("splits-headers") {
		name, value, _ := strings.Cut(injected, ": ")
		header = http.Header{"Authorization": {"Bearer " + key}, name: {value}}
	}
	vendor := vendorhttp.Vendor{Name: "Bad CRM", BaseURL: "https://api.bad.test", Header: header}
	switch {
	case bad("hurries"):
		vendor.RetryWait = func(*vendorhttp.Response, int) (time.Duration, bool) { return time.Millisecond, true }
	case bad("waits-in-vain"):
		vendor.RetryWait = func(r *vendorhttp.Response, _ int) (time.Duration, bool) {
			time.Sleep(3500 * time.Millisecond)
			return vendorhttp.RetryAfter(r.Header, time.Now())
		}
	}
	options := vendorhttp.Options{BaseURLOverride: given.GetBaseUrl(), Secrets: secrets, DryRun: call.GetDryRun() && !bad("sends-in-dry-runs")}
	if bad("shows-secrets") {
		options.Secrets = nil
		a.secrets = nil
	}
	if !bad("ignores-remote-query") {
		for _, q := range call.GetRemoteQuery() {
			options.RemoteQuery = append(options.RemoteQuery, vendorhttp.Param{Name: q.GetName(), Value: q.GetValue()})
		}
	}
	var err error
	a.client, err = pool.Client(vendor, options)
	return a, err
}

// ask makes the call's main request.
func (p *plugin) ask(ctx context.Context, request vendorhttp.Request) (*account, *vendorhttp.Response, error) {
	a := ctx.Value(accountKey{}).(*account)
	if bad("reads-without-end") {
		if response, err := a.raw(ctx, request); err != nil || len(response.Body) > vendorhttp.MaxBody {
			return a, nil, errs.New(errs.UnexpectedVendorAnswer, "that was a lot")
		}
	}
	response, err := a.client.Main(ctx, request)
	if err == nil && bad("reads-4-mib-of-an-answer") && len(response.Body) > 4<<20 {
		err = response.Error(errs.UnexpectedVendorAnswer, "that was a lot")
	}
	if err != nil && bad("follows-redirects") && response != nil && response.Status/100 == 3 {
		return a, a.follow(ctx, response), nil
	}
	if err != nil && bad("repeats-writes") && request.Method != http.MethodGet && response == nil && !errors.Is(err, vendorhttp.ErrNotSent) {
		_, _ = a.client.Main(ctx, request)
		response, err = a.client.Main(ctx, request)
	}
	if e := (*errs.Error)(nil); errors.As(err, &e) && bad("shows-half-of-keys") {
		e.Message += " (key " + a.key[:len(a.key)/2] + "…)"
	}
	if errors.Is(err, context.Canceled) && bad("goes-on-after-the-end") {
		_, _ = a.client.Main(context.WithoutCancel(ctx), request)
	}
	return a, response, err
}

// raw reads an answer to its end.
func (a *account) raw(ctx context.Context, request vendorhttp.Request) (*vendorhttp.Response, error) {
	query := ""
	var sent io.Reader
	if request.Body != nil {
		data, _ := json.Marshal(request.Body)
		sent = bytes.NewReader(data)
	}
	for _, q := range request.Fixed {
		query += q.Name + "=" + q.Value + "&"
	}
	r, err := http.NewRequestWithContext(ctx, request.Method, a.baseURL+"/"+strings.Join(request.Path, "/")+"?"+query, sent)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+a.key)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return &vendorhttp.Response{Status: answer.StatusCode, Header: answer.Header, Body: body}, err
}

// follow goes where a redirect leads, with the credentials.
func (a *account) follow(ctx context.Context, response *vendorhttp.Response) *vendorhttp.Response {
	to := response.Header.Get("Location")
	if strings.HasPrefix(to, "/") {
		to = a.baseURL + to
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, to, nil)
	if err != nil {
		return response
	}
	r.Header.Set("Authorization", "Bearer "+a.key)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return response
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return &vendorhttp.Response{Status: answer.StatusCode, Header: answer.Header, Body: body}
}

func (a *account) result(call *pb.CallContext, response *vendorhttp.Response) *pb.CallResult {
	result := &pb.CallResult{}
	if call.GetWantVendorAnswer() && !bad("gives-no-vendor-answer") && response != nil {
		given := response.Answer()
		result.VendorAnswer = given.Proto()
	}
	return result
}

func (p *plugin) Handshake(context.Context, *pb.HandshakeRequest) (*pb.HandshakeResponse, error) {
	m := manifest()
	if bad("says-two-things") {
		m.DisplayName = "Good CRM"
	}
	return m, nil
}

func (p *plugin) Configure(context.Context, *pb.ConfigureRequest) (*pb.ConfigureResponse, error) {
	return &pb.ConfigureResponse{}, nil
}

func (p *plugin) CheckHealth(context.Context, *pb.CheckHealthRequest) (*pb.CheckHealthResponse, error) {
	return &pb.CheckHealthResponse{}, nil
}

func (p *plugin) Shutdown(context.Context, *pb.ShutdownRequest) (*pb.ShutdownResponse, error) {
	if bad("drops-calls-at-its-end") {
		os.Exit(0)
	}
	p.inFlight.Wait()
	return &pb.ShutdownResponse{}, nil
}

func (p *plugin) RefreshCredentials(context.Context, *pb.RefreshCredentialsRequest) (*pb.RefreshCredentialsResponse, error) {
	return nil, errs.New(errs.Unsupported, "keys do not expire")
}

func (p *plugin) CheckConnection(ctx context.Context, _ *pb.CheckConnectionRequest) (*pb.CheckConnectionResponse, error) {
	if bad("believes-every-key") {
		return &pb.CheckConnectionResponse{}, nil
	}
	_, response, err := p.ask(ctx, vendorhttp.Request{Method: http.MethodGet, Path: []string{"me"}})
	if err != nil {
		if e := (*errs.Error)(nil); errors.As(err, &e) && e.Reason == errs.RecordNotFound {
			e.Reason = errs.VendorRejected
		}
		return nil, err
	}
	var me struct {
		User string `json:"user"`
	}
	if err := response.Decode(&me); err != nil && !bad("believes-every-page") {
		return nil, err
	}
	return &pb.CheckConnectionResponse{}, nil
}

// unified reads one person.
func (p *plugin) unified(record json.RawMessage) (*crm.Contact, error) {
	var fields struct {
		ID      json.Number     `json:"id"`
		Name    any             `json:"name"`
		Title   any             `json:"title"`
		Email   any             `json:"email"`
		Phones  any             `json:"phones"`
		Company any             `json:"company_id"`
		Custom  json.RawMessage `json:"custom"`
		Created any             `json:"created"`
		Updated any             `json:"updated"`
		Version any             `json:"version"`
	}
	dec := json.NewDecoder(bytes.NewReader(record))
	dec.UseNumber()
	if bad("knows-all-fields") {
		dec.DisallowUnknownFields()
	}
	if err := dec.Decode(&fields); err != nil || fields.ID == "" {
		return nil, errs.New(errs.UnexpectedVendorAnswer, "Bad CRM gave a person without an id")
	}
	contact := &crm.Contact{Id: new(string(fields.ID)), RemoteData: slices.Clone(record)}
	name, ok := fields.Name.(string)
	if ok {
		contact.Name = &name
	} else if bad("needs-a-name") {
		panic("a person without a name")
	}
	if title, ok := fields.Title.(string); ok && title != "" {
		contact.Title = new(strings.ToValidUTF8(title, "?"))
	}
	if email, ok := fields.Email.(string); ok && email != "" {
		contact.EmailAddresses = []*crm.EmailAddress{{Email: new(strings.ToValidUTF8(email, "?"))}}
	}
	phones, _ := fields.Phones.([]any)
	for _, phone := range phones {
		if number, ok := phone.(string); ok && number != "" {
			contact.PhoneNumbers = append(contact.PhoneNumbers, &crm.PhoneNumber{Number: new(strings.ToValidUTF8(number, "?"))})
		}
	}
	for _, stamp := range []struct {
		text  any
		place **timestamppb.Timestamp
	}{{fields.Created, &contact.CreatedAt}, {fields.Updated, &contact.UpdatedAt}} {
		text, _ := stamp.text.(string)
		if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
			*stamp.place = timestamppb.New(at)
		}
	}
	if version, ok := fields.Version.(json.Number); ok {
		contact.Etag = new(version.String())
	}
	if number, ok := fields.Company.(json.Number); ok && number != "0" {
		contact.Account = &crm.AccountReference{Id: new(number.String())}
	}
	if custom := bytes.TrimSpace(fields.Custom); len(custom) > 0 && custom[0] == '{' {
		contact.CustomFields = custom
	}
	if bad("rounds-numbers") {
		var value any
		_ = json.Unmarshal(record, &value)
		contact.RemoteData, _ = json.Marshal(value)
	}
	return contact, nil
}

// nameCompanies looks up the names of the contacts' companies.
func (p *plugin) nameCompanies(ctx context.Context, a *account, result *pb.CallResult, contacts ...*crm.Contact) error {
	wanted := false
	for _, c := range contacts {
		wanted = wanted || c.GetAccount().GetId() != ""
	}
	if !wanted {
		return nil
	}
	response, err := a.client.Side(ctx, vendorhttp.Request{Method: http.MethodGet, Path: []string{"companies"}})
	names := map[string]string{}
	if err == nil {
		err = response.Decode(&names)
	}
	if err != nil {
		result.Partial = true
		if bad("fails-with-its-look-ups") {
			return err
		}
		return nil
	}
	for _, c := range contacts {
		if name, ok := names[c.GetAccount().GetId()]; ok {
			c.Account.Name = &name
		}
	}
	return nil
}

// position is where the next page begins.
type position struct {
	Offset int `json:"offset"`
	Total  int `json:"total"`
}

func (p *plugin) ListContacts(ctx context.Context, r *crm.ListContactsRequest) (*crm.ListContactsResponse, error) {
	narrow, err := narrowed(r)
	if err != nil {
		return nil, err
	}
	size := int(r.GetPageSize())
	if size < 1 || size > 100 {
		size = 100
	}
	var at position
	if token := r.GetPageToken(); token != "" {
		data, err := base64.RawURLEncoding.DecodeString(token)
		if err == nil {
			dec := json.NewDecoder(bytes.NewReader(data))
			dec.DisallowUnknownFields()
			if err = dec.Decode(&at); err == nil && (dec.More() || at.Offset < 1) {
				err = errors.New("not a position")
			}
		}
		if err != nil && !bad("takes-any-token") {
			return nil, errs.New(errs.InvalidParameter, "the page token is not one of this provider's")
		}
	}
	if bad("shares-its-place") { // two calls at once disturb each other
		p.last.Store(int64(at.Offset))
		time.Sleep(time.Millisecond)
		at.Offset = int(p.last.Load()) + size%2*int(p.last.Load())
		p.last.Store(int64(size))
		time.Sleep(time.Millisecond)
		size = int(p.last.Load())
	}
	if bad("keeps-whole-lists") && at.Offset > 0 {
		p.mu.Lock()
		kept := p.lists[r.GetCall().GetAccount().GetId()]
		p.mu.Unlock()
		if len(kept) > 0 {
			return page(kept, at, size), nil
		}
	}
	limit := size
	switch {
	case bad("gives-more-than-asked") && size > 1:
		limit = size + 1
	case bad("ignores-the-page-size"):
		limit = 25
	case bad("begins-with-the-second-page") && r.GetPageToken() == "":
		at.Offset = size
	}
	if bad("keeps-whole-lists") {
		limit = 1000
	}
	paging := []vendorhttp.Param{{Name: "limit", Value: strconv.Itoa(limit)}, {Name: "offset", Value: strconv.Itoa(at.Offset)}}
	a, response, err := p.ask(ctx, vendorhttp.Request{Method: http.MethodGet, Path: []string{"people"}, Fixed: append(paging, narrow...)})
	if err != nil {
		if e := (*errs.Error)(nil); errors.As(err, &e) && e.Reason == errs.RecordNotFound {
			e.Reason = errs.VendorRejected
		}
		return nil, err
	}
	var body struct {
		People []json.RawMessage `json:"people"`
		Total  int               `json:"total"`
		Next   any               `json:"next"`
	}
	if err := response.Decode(&body); err != nil {
		return nil, err
	}
	if body.People == nil {
		return nil, response.Error(errs.UnexpectedVendorAnswer, "Bad CRM answered a list without people")
	}
	answer := &crm.ListContactsResponse{Result: a.result(r.GetCall(), response)}
	for _, record := range body.People {
		contact, err := p.unified(record)
		if err != nil {
			return nil, err
		}
		answer.Contacts = append(answer.Contacts, contact)
	}
	if bad("gives-no-ids") && len(answer.Contacts) > 0 {
		answer.Contacts[0].Id = nil
	}
	if bad("keeps-whole-lists") {
		p.mu.Lock()
		if p.lists == nil {
			p.lists = map[string][]*crm.Contact{}
		}
		p.lists[r.GetCall().GetAccount().GetId()] = answer.Contacts
		p.mu.Unlock()
		kept := page(answer.Contacts, at, size)
		kept.Result = answer.Result
		return kept, nil
	}
	if link, ok := body.Next.(string); ok {
		if bad("follows-links") {
			if next, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil); err == nil {
				next.Header.Set("Authorization", "Bearer "+a.key)
				if ahead, err := http.DefaultClient.Do(next); err == nil {
					_ = ahead.Body.Close()
				}
			}
		}
		next := position{Offset: at.Offset + len(body.People), Total: body.Total}
		if at.Total > 0 && bad("trusts-the-total") {
			next.Total = at.Total
		}
		if bad("repeats-a-record") && at.Offset > 0 {
			next.Offset--
		}
		if !bad("trusts-the-total") || next.Offset < next.Total {
			data, _ := json.Marshal(next)
			answer.NextPageToken = base64.RawURLEncoding.EncodeToString(data)
		}
	}
	if bad("trusts-the-total") && at.Total > 0 && at.Offset+len(answer.Contacts) > at.Total {
		answer.Contacts = answer.Contacts[:max(at.Total-at.Offset, 0)]
	}
	answer.Contacts = slices.DeleteFunc(answer.Contacts, func(c *crm.Contact) bool { return !fits(c, r.GetFilters()) })
	return answer, p.nameCompanies(ctx, a, answer.GetResult(), answer.GetContacts()...)
}

// narrowed are the vendor's parameters for filters and order; an error for those
// that are not advertised or make no sense.
func narrowed(r *crm.ListContactsRequest) ([]vendorhttp.Param, error) {
	var params []vendorhttp.Param
	for _, f := range r.GetFilters() {
		param, known := map[string]string{"name": "name", "email_addresses.email": "email", "updated_at": ""}[f.GetField()]
		_, wrong := time.Parse(time.RFC3339Nano, f.GetValue())
		switch {
		case bad("ignores-filters"):
			continue
		case !known, param != "" && f.GetOperator() != pb.Operator_OPERATOR_EQ:
			return nil, errs.New(errs.Unsupported, "there is no such filter")
		case f.GetOperator() == 0, f.GetValue() == "", param == "" && wrong != nil:
			return nil, errs.New(errs.InvalidParameter, "the filter makes no sense")
		case param != "" && !bad("filters-nothing"):
			params = append(params, vendorhttp.Param{Name: param, Value: f.GetValue()})
		}
	}
	for _, k := range r.GetSort() {
		switch {
		case bad("ignores-filters"):
		case k.GetField() != "name" && k.GetField() != "id":
			return nil, errs.New(errs.Unsupported, "there is no such order")
		case k.GetDescending() && !bad("orders-nothing"):
			params = append(params, vendorhttp.Param{Name: "order", Value: "-" + k.GetField()})
		case !bad("orders-nothing"):
			params = append(params, vendorhttp.Param{Name: "order", Value: k.GetField()})
		}
	}
	return params, nil
}

// fits tells whether a contact is within the filters of instants.
func fits(c *crm.Contact, filters []*pb.Filter) bool {
	for _, f := range filters {
		want, err := time.Parse(time.RFC3339Nano, f.GetValue())
		if f.GetField() != "updated_at" || err != nil {
			continue
		}
		got := c.GetUpdatedAt().AsTime()
		if bad("filters-by-the-day") {
			got, want = got.Truncate(24*time.Hour), want.Truncate(24*time.Hour)
		}
		at := got.Compare(want)
		within := map[pb.Operator]bool{pb.Operator_OPERATOR_EQ: at == 0, pb.Operator_OPERATOR_GT: at > 0, pb.Operator_OPERATOR_GTE: at >= 0, pb.Operator_OPERATOR_LT: at < 0, pb.Operator_OPERATOR_LTE: at <= 0}
		if c.UpdatedAt == nil || !within[f.GetOperator()] {
			return false
		}
	}
	return true
}

// page cuts a page out of a list that was kept.
func page(all []*crm.Contact, at position, size int) *crm.ListContactsResponse {
	end := min(at.Offset+size, len(all))
	answer := &crm.ListContactsResponse{Contacts: all[min(at.Offset, end):end]}
	if end < len(all) {
		data, _ := json.Marshal(position{Offset: end})
		answer.NextPageToken = base64.RawURLEncoding.EncodeToString(data)
	}
	return answer
}

var idForm = regexp.MustCompile(`\A[1-9][0-9]{0,9}\z`)

// at is the path of a record.
func (p *plugin) at(id string) ([]string, error) {
	if bad("pastes-ids") && id != "" {
		return strings.FieldsFunc("people/"+id, func(r rune) bool { return r == '/' }), nil
	}
	if !idForm.MatchString(id) {
		return nil, errs.New(errs.InvalidID, "no record of this provider can have the id %.100q", id)
	}
	return []string{"people", id}, nil
}

func (p *plugin) GetContact(ctx context.Context, r *crm.GetContactRequest) (*crm.GetContactResponse, error) {
	path, err := p.at(r.GetId())
	if err != nil {
		return nil, err
	}
	a, response, err := p.ask(ctx, vendorhttp.Request{Method: http.MethodGet, Path: path})
	if errs.Is(err, errs.RecordNotFound) && bad("makes-up-records") && !p.wasDeleted(r.GetId()) {
		return &crm.GetContactResponse{Contact: &crm.Contact{Id: new(r.GetId())}, Result: a.result(r.GetCall(), response)}, nil
	}
	if err != nil {
		return nil, err
	}
	contact, err := p.unified(response.Body)
	if err != nil {
		e := response.Error(errs.UnexpectedVendorAnswer, "Bad CRM answered without a person")
		return nil, e
	}
	if bad("gives-another-record") {
		contact.Id = new("999999")
	}
	result := a.result(r.GetCall(), response)
	return &crm.GetContactResponse{Contact: contact, Result: result}, p.nameCompanies(ctx, a, result, contact)
}

func (p *plugin) wasDeleted(id string) bool {
	_, was := p.gone.Load(id)
	return was
}

func (p *plugin) DeleteContact(ctx context.Context, r *crm.DeleteContactRequest) (*crm.DeleteContactResponse, error) {
	path, err := p.at(r.GetId())
	if err != nil {
		return nil, err
	}
	a, response, err := p.ask(ctx, vendorhttp.Request{Method: http.MethodDelete, Path: path})
	if shown, ok := a.shown(err); ok {
		return &crm.DeleteContactResponse{Result: &pb.CallResult{VendorRequests: shown}}, nil
	}
	result := a.result(r.GetCall(), response)
	if errs.Is(err, errs.RecordNotFound) && !p.wasDeleted(r.GetId()) {
		switch {
		case bad("deletes-what-never-was"):
			err = nil
		case bad("deletes-another-instead"):
			_, _ = a.client.Side(ctx, vendorhttp.Request{Method: http.MethodDelete, Path: []string{"people", "1099"}})
		}
	}
	if err == nil {
		p.gone.Store(r.GetId(), true)
	}
	if errs.Is(err, errs.RecordNotFound) && a.client.DeleteResent() {
		result.AlreadyDeleted, err = !bad("hides-that-it-was-gone"), nil
	}
	if errs.Is(err, errs.RecordNotFound) && bad("deletes-twice") {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	return &crm.DeleteContactResponse{Contact: &crm.Contact{Id: new(r.GetId()), RemoteData: response.JSON()}, Result: result}, nil
}
