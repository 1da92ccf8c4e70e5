package sdk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	crmv1 "github.com/unicrm/unicrm/proto/unicrm/crm/v1"
	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/internal/model"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// contactDescriptor describes the record.
var contactDescriptor = (&crmv1.Contact{}).ProtoReflect().Descriptor()

// ListContacts implements the protocol.
func (s *server) ListContacts(ctx context.Context, request *crmv1.ListContactsRequest) (*crmv1.ListContactsResponse, error) {
	list := s.provider.Contacts.List
	if list == nil {
		return s.UnimplementedContactsServiceServer.ListContacts(ctx, request)
	}
	if err := noDryRun(request.GetCall()); err != nil {
		return nil, err
	}
	query := ListQuery{PageSize: int(request.GetPageSize()), PageToken: request.GetPageToken()}
	if query.PageSize < 1 || query.PageSize > list.PageCap {
		query.PageSize = list.PageCap
	}
	var err error
	if query.Filters, err = readFilters(list.Filters, request.GetFilters(), contactDescriptor); err != nil {
		return nil, err
	}
	if query.Sort, err = readSort(list.SortKeys, request.GetSort()); err != nil {
		return nil, err
	}
	call := s.call(ctx, request.GetCall())
	page, err := list.Do(ctx, call, query)
	if err != nil {
		return nil, notARecord(err)
	}
	if len(page.Records) > query.PageSize {
		return nil, errs.New(errs.UnexpectedVendorAnswer, "%s gave %d records where %d were asked for", s.provider.DisplayName, len(page.Records), query.PageSize)
	}
	if page.Next != "" && page.Next == request.GetPageToken() {
		return nil, errs.New(errs.UnexpectedVendorAnswer, "%s gave the page that was asked for as the next one, so the list would never end", s.provider.DisplayName)
	}
	response := &crmv1.ListContactsResponse{NextPageToken: page.Next, Result: call.result(request.GetCall().GetWantVendorAnswer())}
	seen := map[string]bool{}
	for i := range page.Records {
		if err := soundContact(&page.Records[i]); err != nil {
			return nil, err
		}
		contact := page.Records[i].Proto()
		if !seen[contact.GetId()] && withinTimes(contact, query.Filters) {
			seen[contact.GetId()] = true
			response.Contacts = append(response.Contacts, contact)
		}
	}
	return response, nil
}

// GetContact implements the protocol.
func (s *server) GetContact(ctx context.Context, request *crmv1.GetContactRequest) (*crmv1.GetContactResponse, error) {
	if s.provider.Contacts.Get == nil {
		return s.UnimplementedContactsServiceServer.GetContact(ctx, request)
	}
	if err := noDryRun(request.GetCall()); err != nil {
		return nil, err
	}
	call := s.call(ctx, request.GetCall())
	contact, err := withID(ctx, call, s.provider.Contacts.IDPattern, request.GetId(), s.provider.Contacts.Get.Do)
	if err != nil {
		return nil, err
	}
	if contact == nil {
		return nil, errs.New(errs.PluginBug, "the provider returned neither a contact nor an error")
	}
	if err := soundContact(contact); err != nil {
		return nil, err
	}
	if err := s.sameRecord(*contact.ID, request.GetId()); err != nil {
		return nil, err
	}
	return &crmv1.GetContactResponse{Contact: contact.Proto(), Result: call.result(request.GetCall().GetWantVendorAnswer())}, nil
}

func (s *server) sameRecord(got, want string) error {
	if strings.EqualFold(got, want) {
		return nil
	}
	return errs.New(errs.UnexpectedVendorAnswer, "%s answered with the record %.100s where %s was asked for", s.provider.DisplayName, got, want)
}

// CreateContact implements the protocol.
func (s *server) CreateContact(ctx context.Context, request *crmv1.CreateContactRequest) (*crmv1.CreateContactResponse, error) {
	create := s.provider.Contacts.Create
	if create == nil {
		return s.UnimplementedContactsServiceServer.CreateContact(ctx, request)
	}
	change, err := changeOf(request.GetContact(), nil, create.Writable)
	if err != nil {
		return nil, err
	}
	if err := checkRequired(request.GetContact(), create.Required, create.Writable); err != nil {
		return nil, err
	}
	call := s.call(ctx, request.GetCall())
	contact, err := create.Do(ctx, call, change.Record)
	contact, err = written(call, contact, err)
	if err != nil {
		return nil, notARecord(err)
	}
	return &crmv1.CreateContactResponse{Contact: contact.Proto(), Result: call.result(request.GetCall().GetWantVendorAnswer())}, nil
}

// UpdateContact implements the protocol.
func (s *server) UpdateContact(ctx context.Context, request *crmv1.UpdateContactRequest) (*crmv1.UpdateContactResponse, error) {
	update := s.provider.Contacts.Update
	if update == nil {
		return s.UnimplementedContactsServiceServer.UpdateContact(ctx, request)
	}
	change, err := changeOf(request.GetContact(), request.GetClearFields(), update.Writable)
	if err != nil {
		return nil, err
	}
	if change.ETag = request.Etag; change.ETag != nil && !slices.Contains(update.Writable, "etag") {
		return nil, Unsupported(s.provider.DisplayName+" has no versions of records", "etag")
	}
	call := s.call(ctx, request.GetCall())
	contact, err := withID(ctx, call, s.provider.Contacts.IDPattern, request.GetId(), func(ctx context.Context, call *Call, id string) (*crm.Contact, error) {
		change.ID = id
		return update.Do(ctx, call, change)
	})
	if contact, err = written(call, contact, err); err != nil {
		return nil, err
	}
	if contact != nil {
		if err := s.sameRecord(*contact.ID, request.GetId()); err != nil {
			return nil, err
		}
	}
	return &crmv1.UpdateContactResponse{Contact: contact.Proto(), Result: call.result(request.GetCall().GetWantVendorAnswer())}, nil
}

// changeOf reads what is to be written, having held it to the protocol and to
// what is advertised. The host does so first; this is for hosts that do not.
func changeOf(contact *crmv1.Contact, clearFields, writable []string) (Change[crm.Contact], error) {
	if contact == nil {
		contact = &crmv1.Contact{}
	}
	change := Change[crm.Contact]{Record: *crm.ContactFromProto(contact), Clear: map[string]bool{}}
	for _, field := range clearFields {
		change.Clear[field] = true
	}
	if err := checkWrite(contact, clearFields, writable); err != nil {
		return change, err
	}
	return change, checkItems(contact)
}

// checkItems refuses items of lists without what makes them one: an e-mail
// address without an address would be written as an empty one. What is JSON
// has to be an object: anything else would be left out in silence.
func checkItems(contact *crmv1.Contact) error {
	var absent []string
	need := func(there bool, path string, i int) {
		if !there {
			absent = append(absent, fmt.Sprintf(path, i))
		}
	}
	for i, item := range contact.GetEmailAddresses() {
		need(strings.TrimSpace(item.GetEmail()) != "", "email_addresses[%d].email", i)
	}
	for i, item := range contact.GetPhoneNumbers() {
		need(strings.TrimSpace(item.GetNumber()) != "", "phone_numbers[%d].number", i)
	}
	for i, item := range contact.GetUrls() {
		need(strings.TrimSpace(item.GetUrl()) != "", "urls[%d].url", i)
	}
	for i, item := range contact.GetTags() {
		need(strings.TrimSpace(item.GetId()+item.GetName()) != "", "tags[%d].name", i)
	}
	for i, item := range contact.GetAddresses() {
		need(item.GetStreet_1()+item.GetStreet_2()+item.GetCity()+item.GetState()+item.GetPostalCode()+item.GetCountry() != "", "addresses[%d]", i)
	}
	if len(absent) > 0 {
		return missing(absent...)
	}
	for path, value := range map[string][]byte{"custom_fields": contact.CustomFields, "remote_data": contact.RemoteData} {
		if value != nil && (vendorjson.Object(value) == nil || !json.Valid(value)) {
			return badBody(path, "must be a JSON object")
		}
	}
	return nil
}

// UpsertContact implements the protocol.
func (s *server) UpsertContact(ctx context.Context, request *crmv1.UpsertContactRequest) (*crmv1.UpsertContactResponse, error) {
	resource := s.provider.Contacts
	if resource.Upsert == nil {
		return s.UnimplementedContactsServiceServer.UpsertContact(ctx, request)
	}
	change, err := changeOf(request.GetContact(), request.GetClearFields(), resource.Update.Writable)
	if err != nil {
		return nil, err
	}
	emails := change.Record.EmailAddresses
	if len(emails) == 0 { // whose items are not empty
		return nil, missing("email_addresses")
	}
	emails[0].Email = new(strings.TrimSpace(*emails[0].Email)) // as it is looked for
	call := s.call(ctx, request.GetCall())
	contact, created, err := upsert(ctx, call, resource, change, request.GetContact(), *emails[0].Email)
	if contact, err = written(call, contact, err); err != nil {
		if created {
			err = notARecord(err)
		}
		return nil, err
	}
	return &crmv1.UpsertContactResponse{Contact: contact.Proto(), Created: created && contact != nil, Result: call.result(request.GetCall().GetWantVendorAnswer())}, nil
}

func upsert(ctx context.Context, call *Call, resource *Resource[crm.Contact], change Change[crm.Contact], contact *crmv1.Contact, email string) (_ *crm.Contact, created bool, _ error) {
	found, err := resource.Upsert.Find(ctx, call, email)
	slices.Sort(found) // a search by parts can find one twice
	found = slices.Compact(found)
	switch {
	case errors.Is(err, vendorhttp.ErrNotSent):
		call.warnings = append(call.warnings, errs.Field{
			Path: "email_addresses[0].email", Description: "nobody was looked for: what is shown makes a contact; one that has the address would be changed instead",
		})
	case err != nil:
		return nil, false, notARecord(err)
	case len(found) == 1:
		change.ID = found[0]
		if !compiled(resource.IDPattern).MatchString(change.ID) {
			return nil, false, errs.New(errs.UnexpectedVendorAnswer, "the search for the address gave the id %.100q, which no record can have", change.ID)
		}
		if len(change.Record.EmailAddresses) == 1 {
			// It says who is meant. The addresses that the record has beside it are
			// not to go for that.
			change.Record.EmailAddresses = nil
		}
		if resource.Get != nil && len(change.Clear) == 0 && len(model.SetPaths(change.Record.Proto().ProtoReflect())) == 0 {
			record, err := resource.Get.Do(ctx, call, change.ID)
			return record, false, err
		}
		record, err := resource.Update.Do(ctx, call, change)
		if err == nil && record != nil && record.ID != nil && !strings.EqualFold(*record.ID, change.ID) {
			return nil, false, errs.New(errs.UnexpectedVendorAnswer, "the record %s was to be changed, and the answer has the record %.100s", change.ID, *record.ID)
		}
		return record, false, err
	case len(found) > 1:
		return nil, false, errs.New(errs.Conflict, "%d contacts have this e-mail address: %s; update the one that is meant", len(found), strings.Join(found, ", "))
	}
	if err := checkWrite(contact, nil, resource.Create.Writable); err != nil {
		return nil, false, err
	}
	if err := checkRequired(contact, resource.Create.Required, resource.Create.Writable); err != nil {
		if call.dryRun { // nobody was looked for, so there may be one to change
			for _, field := range fieldsOf(err) {
				field.Description = "is required where nobody has the address yet"
				call.warnings = append(call.warnings, field)
			}
			return nil, false, vendorhttp.ErrNotSent
		}
		return nil, false, err
	}
	if resource.Upsert.Insert != nil {
		return resource.Upsert.Insert(ctx, call, change.Record)
	}
	record, err := resource.Create.Do(ctx, call, change.Record)
	return record, true, err
}

// written looks at what a write came to. In a dry run there is no record.
func written(call *Call, contact *crm.Contact, err error) (*crm.Contact, error) {
	if call.dryRun && (err == nil || errors.Is(err, vendorhttp.ErrNotSent)) {
		// Losses count although nothing that would change anything was built.
		return nil, call.checkLosses()
	}
	if err != nil {
		return nil, afterWrite(call, err)
	}
	if err := call.checkLosses(); err != nil { // all that was to be written has no place, so nothing was sent
		return nil, err
	}
	if contact == nil {
		return nil, errs.New(errs.PluginBug, "the provider returned neither a contact nor an error")
	}
	return contact, soundContact(contact)
}

// afterWrite makes what failed after the vendor had accepted a write, such as a
// look at the new record, an outcome that is not known: as it came it would say
// that nothing was done, and whoever goes by it would write again.
func afterWrite(call *Call, err error) error {
	var e *errs.Error
	if call.client == nil || call.client.Written() == nil || !errors.As(err, &e) {
		return err
	}
	switch verdict := call.client.Written(); {
	case e.Vendor != nil && e.Vendor.Status == verdict.Status:
		return err // a 2xx that means failure is what became of the write itself
	case e.Reason == errs.RecordNotFound && e.Vendor != nil, errs.Rule(e.Reason).GetRetry() == providerv1.Retry_RETRY_LATER:
	default:
		return err
	}
	unknown := *e
	unknown.Reason, unknown.RetryAfter = errs.OutcomeUnknown, 0
	unknown.Message = "the vendor accepted the write, and then: " + e.Message
	return &unknown
}

// checkWrite refuses what is not writable, and fields that are written and
// emptied at once.
func checkWrite(record proto.Message, clearFields, writable []string) error {
	e := &errs.Error{Reason: errs.LossyWrite}
	refuse := func(path, why string) {
		e.Fields = append(e.Fields, errs.Field{Path: path, Description: why})
	}
	writable = without(writable, "etag") // which guards and is not written
	message := record.ProtoReflect()
	for _, path := range model.SetPaths(message) {
		if !model.Covers(writable, path) {
			refuse(path, "cannot be written at this provider")
		}
	}
	for _, path := range clearFields {
		field := message.Descriptor().Fields().ByName(protoreflect.Name(path))
		switch {
		case field == nil:
			return badBody(path, "is no field that can be emptied; fields are emptied as a whole")
		case message.Has(field):
			return badBody(path, "is to be written and emptied at once")
		case path == "remote_data" || !model.Touches(writable, path):
			refuse(path, "cannot be emptied at this provider")
		}
	}
	if len(e.Fields) == 0 {
		return nil
	}
	e.Message = e.Fields[0].Path + " " + e.Fields[0].Description
	return e
}

// checkRequired refuses a new record without what it must have.
//
// Of a whole name that can be written the provider makes first and last name,
// when it comes without them.
func checkRequired(record proto.Message, required, writable []string) error {
	is := func(path string) bool { return model.IsSet(record.ProtoReflect(), path) }
	splits := slices.Contains(writable, "name") && is("name") && !is("first_name") && !is("last_name")
	var absent []string
	for _, path := range required {
		if !is(path) && (!splits || path != "first_name" && path != "last_name") {
			absent = append(absent, path)
		}
	}
	if len(absent) > 0 {
		return missing(absent...)
	}
	return nil
}

// missing is the error of a write without fields that it must have.
func missing(paths ...string) error {
	e := errs.New(errs.InvalidBody, "required and missing: %s", strings.Join(paths, ", "))
	for _, path := range paths {
		e.Fields = append(e.Fields, errs.Field{Path: path, Description: "is required", Missing: true})
	}
	return e
}

// badBody is the error of a write with a field that is not what it has to be.
func badBody(path, why string) error {
	e := errs.New(errs.InvalidBody, "%.100s %s", path, why)
	e.Fields = []errs.Field{{Path: path, Description: why}}
	return e
}

// fieldsOf are the fields that an error names.
func fieldsOf(err error) []errs.Field {
	var e *errs.Error
	if !errors.As(err, &e) {
		return nil
	}
	return e.Fields
}

// noDryRun refuses a dry run of what changes nothing anyway.
func noDryRun(call *providerv1.CallContext) error {
	if call.GetDryRun() {
		return errs.New(errs.InvalidParameter, "a dry run is of a write")
	}
	return nil
}

// soundContact holds a record to what the protocol promises of every one.
func soundContact(contact *crm.Contact) error {
	switch {
	case contact.ID == nil || *contact.ID == "":
		return errs.New(errs.PluginBug, "the provider returned a contact without an id")
	case contact.RemoteData != nil && !json.Valid(contact.RemoteData):
		return errs.New(errs.PluginBug, "the RemoteData of the contact %.100s is not JSON", *contact.ID)
	case contact.CustomFields != nil && (vendorjson.Object(contact.CustomFields) == nil || !json.Valid(contact.CustomFields)):
		return errs.New(errs.PluginBug, "the CustomFields of the contact %.100s are not a JSON object", *contact.ID)
	}
	return nil
}

// DeleteContact implements the protocol.
func (s *server) DeleteContact(ctx context.Context, request *crmv1.DeleteContactRequest) (*crmv1.DeleteContactResponse, error) {
	if s.provider.Contacts.Delete == nil {
		return s.UnimplementedContactsServiceServer.DeleteContact(ctx, request)
	}
	call := s.call(ctx, request.GetCall())
	contact, already, err := deleteOne(ctx, call, s.provider.Contacts.IDPattern, s.provider.Contacts.Delete, request.GetId())
	result := call.result(request.GetCall().GetWantVendorAnswer())
	switch {
	case call.dryRun && (err == nil || errors.Is(err, vendorhttp.ErrNotSent)):
		return &crmv1.DeleteContactResponse{Result: result}, nil
	case err != nil:
		return nil, err
	case contact == nil:
		contact = &crm.Contact{}
	}
	contact.ID = new(request.GetId())
	result.AlreadyDeleted = already
	return &crmv1.DeleteContactResponse{Contact: contact.Proto(), Result: result}, nil
}

// deleteOne deletes. already tells that a "not found" is the doing of a first
// try whose answer was lost.
func deleteOne[R any](ctx context.Context, call *Call, pattern string, method *Delete[R], id string) (_ *R, already bool, _ error) {
	record, err := withID(ctx, call, pattern, id, method.Do)
	if err != nil && errs.Is(err, errs.RecordNotFound) && call.client != nil && call.client.DeleteResent() {
		return record, true, nil
	}
	return record, false, err
}

// BatchDeleteContacts implements the protocol.
func (s *server) BatchDeleteContacts(ctx context.Context, request *crmv1.BatchDeleteContactsRequest) (*crmv1.BatchDeleteContactsResponse, error) {
	batch := s.provider.Contacts.BatchDelete
	if batch == nil {
		return s.UnimplementedContactsServiceServer.BatchDeleteContacts(ctx, request)
	}
	ids := request.GetIds()
	if err := checkIDs(s.provider.Contacts.IDPattern, batch.MaxIDs, ids); err != nil {
		return nil, err
	}
	call := s.call(ctx, request.GetCall())
	outcomes, err := batch.Do(ctx, call, ids)
	response := &crmv1.BatchDeleteContactsResponse{}
	switch {
	case call.dryRun && (err == nil || errors.Is(err, vendorhttp.ErrNotSent)):
	case err != nil:
		return nil, notARecord(err)
	case len(outcomes) != len(ids):
		return nil, errs.New(errs.PluginBug, "the provider told of %d records where %d were to be deleted", len(outcomes), len(ids))
	default:
		secrets, _ := ctx.Value(secretsKey{}).(*callSecrets)
		for i, outcome := range outcomes {
			if outcome.ID != ids[i] {
				return nil, errs.New(errs.PluginBug, "the provider told of %.100s where %.100s was to be deleted", outcome.ID, ids[i])
			}
			response.Outcomes = append(response.Outcomes, outcome.proto(secrets))
		}
	}
	response.Result = call.result(request.GetCall().GetWantVendorAnswer())
	return response, nil
}

// MergeContacts implements the protocol.
func (s *server) MergeContacts(ctx context.Context, request *crmv1.MergeContactsRequest) (*crmv1.MergeContactsResponse, error) {
	merge := s.provider.Contacts.Merge
	if merge == nil {
		return s.UnimplementedContactsServiceServer.MergeContacts(ctx, request)
	}
	duplicates := request.GetDuplicateIds()
	if len(duplicates) == 0 {
		return nil, missing("duplicate_records")
	}
	if merge.MaxDuplicates > 0 && len(duplicates) > merge.MaxDuplicates {
		return nil, errs.New(errs.InvalidBody, "%s merges at most %d duplicates at once", s.provider.DisplayName, merge.MaxDuplicates)
	}
	if err := checkIDs(s.provider.Contacts.IDPattern, 0, append([]string{request.GetMasterId()}, duplicates...)); err != nil {
		return nil, err
	}
	call := s.call(ctx, request.GetCall())
	contact, err := merge.Do(ctx, call, request.GetMasterId(), duplicates)
	if contact, err = written(call, contact, err); err != nil {
		return nil, err
	}
	if contact != nil {
		if err := s.sameRecord(*contact.ID, request.GetMasterId()); err != nil {
			return nil, err
		}
	}
	return &crmv1.MergeContactsResponse{Contact: contact.Proto(), Result: call.result(request.GetCall().GetWantVendorAnswer())}, nil
}
