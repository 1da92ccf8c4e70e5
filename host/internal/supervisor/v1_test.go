package supervisor

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/unicrm/unicrm/host/internal/unified"
	crmv1 "github.com/unicrm/unicrm/proto/unicrm/crm/v1"
	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/errs"
)

// wireOf is a connection that notes the one request and gives the one answer.
type wireOf struct {
	path    string
	request proto.Message
	answer  proto.Message
}

func (w *wireOf) Invoke(_ context.Context, path string, request, response any, _ ...grpc.CallOption) error {
	w.path, w.request = path, proto.Clone(request.(proto.Message))
	if w.answer != nil {
		proto.Merge(response.(proto.Message), w.answer)
	}
	return nil
}

func (w *wireOf) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	panic("the protocol has no streams")
}

func TestRequestsBecomeTheProtocolsMessages(t *testing.T) {
	account := unified.Account{ID: "a", Revision: "r", AuthenticationMethod: "m", Credentials: []byte("{}")}
	record := unified.Record{
		"first_name": "Ada", "account": unified.Record{"id": "9"}, "email_addresses": []unified.Record{{"email": "a@b.test"}},
		"created_at": time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC), "custom_fields": json.RawMessage(`{"n": 9007199254740993}`),
	}
	contact := &crmv1.Contact{
		FirstName: new("Ada"), Account: &crmv1.AccountReference{Id: new("9")}, EmailAddresses: []*crmv1.EmailAddress{{Email: new("a@b.test")}},
		CreatedAt: timestamppb.New(time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)), CustomFields: []byte(`{"n": 9007199254740993}`),
	}
	call := func(change func(*providerv1.CallContext)) *providerv1.CallContext {
		c := &providerv1.CallContext{Account: &providerv1.Account{Id: "a", Revision: "r", AuthenticationMethod: "m", Credentials: []byte("{}")}, RequestId: "q"}
		if change != nil {
			change(c)
		}
		return c
	}
	for path, c := range map[string]struct {
		request unified.Request
		want    proto.Message
	}{
		"ListContacts": {
			unified.Request{
				Method: unified.List, PageSize: 7, PageToken: "t", Sort: []unified.SortKey{{Field: "name"}, {Field: "id", Descending: true}},
				Filters: []unified.Filter{{Field: "email_addresses.email", Operator: unified.Equal, Value: "x"}, {Field: "created_at", Operator: unified.GreaterOrEqual, Value: "y"}},
			},
			&crmv1.ListContactsRequest{
				Call: call(nil), PageSize: 7, PageToken: "t", Sort: []*providerv1.SortKey{{Field: "name"}, {Field: "id", Descending: true}},
				Filters: []*providerv1.Filter{{Field: "email_addresses.email", Operator: providerv1.Operator_OPERATOR_EQ, Value: "x"}, {Field: "created_at", Operator: providerv1.Operator_OPERATOR_GTE, Value: "y"}},
			},
		},
		"GetContact": {
			unified.Request{Method: unified.Get, RecordID: "5", WantAnswer: true},
			&crmv1.GetContactRequest{Call: call(func(c *providerv1.CallContext) { c.WantVendorAnswer = true }), Id: "5"},
		},
		"CreateContact": {
			unified.Request{Method: unified.Create, Record: record, DryRun: true},
			&crmv1.CreateContactRequest{Call: call(func(c *providerv1.CallContext) { c.DryRun = true }), Contact: contact},
		},
		"UpdateContact": {
			unified.Request{Method: unified.Update, RecordID: "5", Clear: []string{"title", "tags"}, ETag: "v", AllowLossy: true},
			&crmv1.UpdateContactRequest{Call: call(func(c *providerv1.CallContext) { c.AllowLossy = true }), Id: "5", Contact: &crmv1.Contact{}, ClearFields: []string{"title", "tags"}, Etag: new("v")},
		},
		"UpsertContact": {
			unified.Request{Method: unified.Upsert, Record: record, Clear: []string{"title"}},
			&crmv1.UpsertContactRequest{Call: call(nil), Contact: contact, ClearFields: []string{"title"}},
		},
		"DeleteContact": {unified.Request{Method: unified.Delete, RecordID: "5"}, &crmv1.DeleteContactRequest{Call: call(nil), Id: "5"}},
		"BatchDeleteContacts": {
			unified.Request{Method: unified.BatchDelete, IDs: []string{"1", "2"}}, &crmv1.BatchDeleteContactsRequest{Call: call(nil), Ids: []string{"1", "2"}},
		},
		"MergeContacts": {
			unified.Request{Method: unified.Merge, MasterID: "1", DuplicateIDs: []string{"2", "3"}},
			&crmv1.MergeContactsRequest{Call: call(nil), MasterId: "1", DuplicateIds: []string{"2", "3"}},
		},
	} {
		c.request.ID, c.request.Account, c.request.Resource = "q", account, "contacts"
		w := &wireOf{}
		_, err := v1{w}.call(t.Context(), c.request)
		require.NoError(t, err, path)
		assert.Equal(t, "/unicrm.crm.v1.ContactsService/"+path, w.path)
		assert.True(t, proto.Equal(c.want, w.request), "%s: want %v, got %v", path, c.want, w.request)
	}
}

func TestWhatTheProtocolCannotSayIsAnErrorAndNotLost(t *testing.T) {
	for _, r := range []unified.Request{
		{Method: unified.Create, ETag: "v"}, {Method: unified.Delete, RecordID: "1", ETag: "v"}, {Method: unified.Create, Clear: []string{"title"}}, {Method: unified.Get, RecordID: "1", Filters: []unified.Filter{{Field: "search"}}},
	} {
		r.Resource = "contacts"
		w := &wireOf{}
		_, err := v1{w}.call(t.Context(), r)
		assert.True(t, errs.Is(err, errs.Unsupported), "%v: %v", r, err)
		assert.Nil(t, w.request)
	}
	_, err := v1{&wireOf{}}.call(t.Context(), unified.Request{Resource: "contacts", Method: unified.Create, Record: unified.Record{"nonsense": "x"}})
	assert.True(t, errs.Is(err, errs.Internal))
}

func TestAnswersBringWhatStandsBesideTheRecords(t *testing.T) {
	beside := &providerv1.CallResult{
		Warnings:       []*providerv1.Warning{{Field: "tags", Description: "left out"}},
		VendorRequests: []*providerv1.VendorRequest{{Method: "POST", Url: "https://a.test/", Headers: []*providerv1.Header{{Name: "A", Value: "b"}}, Body: []byte("{}"), Main: true}},
		VendorAnswer:   &providerv1.VendorAnswer{Status: 200, Headers: []*providerv1.Header{{Name: "C", Value: "d"}}},
	}
	result, err := v1{&wireOf{answer: &crmv1.UpsertContactResponse{Contact: &crmv1.Contact{Id: new("5")}, Created: true, Result: beside}}}.call(t.Context(), unified.Request{Resource: "contacts", Method: unified.Upsert})
	require.NoError(t, err)
	assert.Equal(t, &unified.Result{
		Records: []unified.Record{{"id": "5"}}, Created: true, Warnings: []unified.Warning{{Field: "tags", Message: "left out"}},
		Requests: []unified.VendorRequest{{Method: "POST", URL: "https://a.test/", Headers: []errs.Header{{Name: "A", Value: "b"}}, Body: []byte("{}"), Main: true}},
		Answer:   &errs.VendorAnswer{Status: 200, Headers: []errs.Header{{Name: "C", Value: "d"}}},
	}, result)

	result, err = v1{&wireOf{answer: &crmv1.BatchDeleteContactsResponse{Outcomes: []*providerv1.RecordOutcome{
		{Id: "1", AlreadyDeleted: true}, {Id: "2", Error: &providerv1.Error{Reason: providerv1.Reason_REASON_RECORD_NOT_FOUND, Message: "gone"}},
	}}}}.call(t.Context(), unified.Request{Resource: "contacts", Method: unified.BatchDelete})
	require.NoError(t, err)
	assert.Equal(t, []unified.Outcome{{ID: "1", AlreadyDeleted: true}, {ID: "2", Err: errs.New(errs.RecordNotFound, "gone")}}, result.Outcomes)
}

func TestAManifestSaysAllThatAMethodCan(t *testing.T) {
	m := manifestOf(&providerv1.HandshakeResponse{Resources: []*providerv1.ResourceCapabilities{{Resource: "contacts", Methods: []*providerv1.MethodCapabilities{
		{
			Method: providerv1.Method_METHOD_LIST, ReturnedFields: []string{"id"}, PageCap: 5, SortKeys: []string{"name"},
			Filters: []*providerv1.FilterCapability{{Field: "search", Operators: []providerv1.Operator{providerv1.Operator_OPERATOR_EQ, 77, providerv1.Operator_OPERATOR_LTE}}},
		},
		{Method: providerv1.Method_METHOD_UPSERT, WritableFields: []string{"name"}, RequiredFields: []string{"title"}, Upsert: &providerv1.UpsertSemantics{Atomic: true}},
		{Method: providerv1.Method_METHOD_MERGE, MaxRecords: 3},
		{Method: 99},
		{Method: providerv1.Method_METHOD_DELETE, Delete: &providerv1.DeleteSemantics{Kind: providerv1.DeleteSemantics_KIND_HARD, Kept: durationpb.New(time.Hour)}},
	}}}})
	assert.Equal(t, []unified.MethodCapabilities{
		{Method: unified.List, Returned: []string{"id"}, PageCap: 5, SortKeys: []string{"name"}, Filters: []unified.FilterCapability{{Field: "search", Operators: []unified.Operator{unified.Equal, unified.LessOrEqual}}}},
		{Method: unified.Upsert, Writable: []string{"name"}, Required: []string{"title"}, Upsert: &unified.UpsertSemantics{Atomic: true}},
		{Method: unified.Merge, MaxRecords: 3},
		{Method: unified.Delete, Delete: &unified.DeleteSemantics{Kind: "hard", Kept: time.Hour}},
	}, m.Resources[0].Methods, "a later protocol's methods and operators are of no use here")
}
