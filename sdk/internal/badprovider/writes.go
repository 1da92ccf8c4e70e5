package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	crm "github.com/unicrm/unicrm/proto/unicrm/crm/v1"
	pb "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/internal/model"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// writable are the fields that a write takes.
var writable = []string{"name", "title", "account.id", "email_addresses.email", "phone_numbers.number", "custom_fields", "remote_data"}

// maxIDs is how many people are deleted in one call.
const maxIDs = 100

// change is a write: of a new person where there is no id.
type change struct {
	id      string
	contact *crm.Contact
	clear   []string
}

func (c change) clears(field string) bool { return slices.Contains(c.clear, field) }

// check refuses what cannot be written before anything is asked.
func (c change) check() error {
	e := &errs.Error{Reason: errs.LossyWrite, Message: "not all of it can be written"}
	paths := model.SetPaths(c.contact.ProtoReflect())
	for _, path := range paths {
		if !model.Covers(writable, path) && !bad("takes-any-field") {
			e.Fields = append(e.Fields, errs.Field{Path: path, Description: "cannot be written"})
		}
	}
	for _, field := range c.clear {
		if !model.Touches(writable, field) && !bad("takes-any-field") {
			e.Fields = append(e.Fields, errs.Field{Path: field, Description: "cannot be emptied"})
		}
	}
	if len(e.Fields) > 0 {
		return e
	}
	for path, raw := range map[string][]byte{"custom_fields": c.contact.GetCustomFields(), "remote_data": c.contact.GetRemoteData()} {
		if raw != nil && vendorjson.Members(raw) == nil && string(raw) != "{}" {
			return &errs.Error{Reason: errs.InvalidBody, Message: path + " is no object", Fields: []errs.Field{{Path: path, Description: "is no object"}}}
		}
	}
	for i, item := range c.contact.GetEmailAddresses() {
		if item.GetEmail() == "" {
			return missing(fmt.Sprintf("email_addresses[%d].email", i))
		}
	}
	for i, item := range c.contact.GetPhoneNumbers() {
		if item.GetNumber() == "" {
			return missing(fmt.Sprintf("phone_numbers[%d].number", i))
		}
	}
	return nil
}

func missing(path string) error {
	return &errs.Error{Reason: errs.InvalidBody, Message: path + " is missing", Fields: []errs.Field{{Path: path, Description: "is missing", Missing: true}}}
}

// body maps a change, and tells what has no place.
func (c change) body() (body *vendorjson.Body, lost []errs.Field) {
	r := c.contact
	if r == nil {
		r = &crm.Contact{}
	}
	body = &vendorjson.Body{}
	empties := func(field string) bool {
		return c.clears(field) && !bad("never-empties") || bad("writes-whole-records") && c.id != ""
	}
	body.Text("name", "name", r.Name, false)
	if !bad("drops-a-field") {
		body.Text("title", "title", r.Title, empties("title"))
	}
	switch id := r.GetAccount().GetId(); {
	case id != "":
		body.Set("company_id", "account.id", json.Number(id))
	case empties("account"):
		body.Set("company_id", "account", nil)
	}
	if emails := r.GetEmailAddresses(); len(emails) > 0 || empties("email_addresses") {
		body.Set("email", "email_addresses", nil)
		for i, email := range emails {
			if i == 0 {
				body.Set("email", "email_addresses[0].email", email.GetEmail())
			} else {
				lost = append(lost, errs.Field{Path: fmt.Sprintf("email_addresses[%d]", i), Description: "has no place"})
			}
		}
	}
	if phones := r.GetPhoneNumbers(); len(phones) > 0 || empties("phone_numbers") {
		numbers := []string{}
		for i, phone := range phones {
			if i < maxPhones {
				numbers = append(numbers, phone.GetNumber())
			} else {
				lost = append(lost, errs.Field{Path: fmt.Sprintf("phone_numbers[%d]", i), Description: "has no place"})
			}
		}
		if bad("adds-to-lists") && c.id != "" && len(numbers) < maxPhones {
			numbers = append(numbers, "+44 20 7946 0000")
		}
		body.Set("phones", "phone_numbers", numbers)
	}
	if custom := r.GetCustomFields(); custom != nil {
		body.Set("custom", "custom_fields", json.RawMessage(custom))
	} else if empties("custom_fields") {
		body.Set("custom", "custom_fields", nil)
	}
	if !bad("forgets-remote-data") {
		body.MergeRemote(r.GetRemoteData())
	}
	if bad("loses-in-silence") {
		lost = nil
	}
	return body, lost
}

// write sends a change and reads the person that comes of it, or shows the
// requests in a dry run.
func (p *plugin) write(ctx context.Context, call *pb.CallContext, c change) (*crm.Contact, *pb.CallResult, error) {
	a := ctx.Value(accountKey{}).(*account)
	body, lost := c.body()
	result := &pb.CallResult{}
	if len(lost) > 0 && !call.GetAllowLossy() {
		if bad("sends-before-it-tells") {
			_, _, _ = p.ask(ctx, vendorhttp.Request{Method: http.MethodPost, Path: []string{"people"}, Body: body})
		}
		return nil, nil, &errs.Error{Reason: errs.LossyWrite, Message: "not all of it has a place", Fields: lost}
	}
	if bad("warns-of-nothing") {
		lost = nil
	}
	for _, field := range lost {
		result.Warnings = append(result.Warnings, &pb.Warning{Field: field.Path, Description: field.Description})
	}
	request := vendorhttp.Request{Method: http.MethodPost, Path: []string{"people"}, Body: body}
	if c.id != "" {
		request.Method, request.Path = http.MethodPut, []string{"people", c.id}
	}
	_, response, err := p.ask(ctx, request)
	if bad("creates-twice") && c.id == "" && err == nil {
		_, _ = a.client.Main(ctx, request)
	}
	if shown, ok := a.shown(err); ok {
		result.VendorRequests = shown
		return nil, result, nil
	}
	if e := (*errs.Error)(nil); errors.As(err, &e) && e.Reason == errs.RecordNotFound && c.id == "" {
		rejected := *e // no record was asked for
		rejected.Reason = errs.VendorRejected
		err = &rejected
	}
	if err != nil {
		return nil, nil, body.Unified(err)
	}
	contact, err := p.unified(response.Body)
	if err != nil {
		return nil, nil, response.Error(errs.UnexpectedVendorAnswer, "Bad CRM answered without a person")
	}
	result.VendorAnswer = a.result(call, response).GetVendorAnswer()
	return contact, result, p.nameCompanies(ctx, a, result, contact)
}

// shown are the requests of a dry run, when an error says that it was one.
func (a *account) shown(err error) ([]*pb.VendorRequest, bool) {
	if !errors.Is(err, vendorhttp.ErrNotSent) {
		return nil, false
	}
	var requests []*pb.VendorRequest
	for _, sent := range a.client.Noted() {
		if !bad("shows-nothing") {
			requests = append(requests, sent.Proto())
		}
	}
	return requests, true
}

func (p *plugin) CreateContact(ctx context.Context, r *crm.CreateContactRequest) (*crm.CreateContactResponse, error) {
	if bad("creates-unasked") {
		return &crm.CreateContactResponse{Contact: r.GetContact()}, nil
	}
	c := change{contact: r.GetContact()}
	if err := c.check(); err != nil {
		return nil, err
	}
	if strings.TrimSpace(c.contact.GetName()) == "" && !bad("asks-before-it-checks") {
		return nil, missing("name")
	}
	contact, result, err := p.write(ctx, r.GetCall(), c)
	return &crm.CreateContactResponse{Contact: contact, Result: result}, err
}

func (p *plugin) UpdateContact(ctx context.Context, r *crm.UpdateContactRequest) (*crm.UpdateContactResponse, error) {
	c := change{id: r.GetId(), contact: r.GetContact(), clear: r.GetClearFields()}
	path, err := p.at(c.id)
	if err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	a := ctx.Value(accountKey{}).(*account)
	if r.Etag != nil && !bad("ignores-versions") {
		response, err := a.client.Side(ctx, vendorhttp.Request{Method: http.MethodGet, Path: path})
		if err != nil && !errors.Is(err, vendorhttp.ErrNotSent) {
			return nil, err
		}
		if err == nil {
			if present, err := p.unified(response.Body); err != nil || present.GetEtag() != r.GetEtag() {
				return nil, errs.New(errs.StaleVersion, "the person has changed")
			}
		}
	}
	contact, result, err := p.write(ctx, r.GetCall(), c)
	return &crm.UpdateContactResponse{Contact: contact, Result: result}, err
}

func (p *plugin) UpsertContact(ctx context.Context, r *crm.UpsertContactRequest) (*crm.UpsertContactResponse, error) {
	c := change{contact: r.GetContact(), clear: r.GetClearFields()}
	if err := c.check(); err != nil {
		return nil, err
	}
	if len(c.contact.GetEmailAddresses()) == 0 {
		return nil, missing("email_addresses")
	}
	a := ctx.Value(accountKey{}).(*account)
	request := vendorhttp.Request{Method: http.MethodGet, Path: []string{"people"}, Fixed: []vendorhttp.Param{{Name: "email", Value: c.contact.GetEmailAddresses()[0].GetEmail()}, {Name: "limit", Value: "2"}}}
	var found struct {
		People []person `json:"people"`
	}
	response, err := a.client.Side(ctx, request)
	switch {
	case err != nil && !errors.Is(err, vendorhttp.ErrNotSent):
		return nil, err
	case err == nil && (json.Unmarshal(response.Body, &found) != nil || found.People == nil):
		return nil, response.Error(errs.UnexpectedVendorAnswer, "Bad CRM answered without a list")
	case len(found.People) > 1 && !bad("takes-the-first"):
		return nil, errs.New(errs.Conflict, "several people have this address")
	case len(found.People) > 0 && !bad("always-creates"):
		c.id = fmt.Sprint(found.People[0].ID)
		if len(c.contact.EmailAddresses) == 1 {
			c.contact.EmailAddresses = nil
		}
	}
	contact, result, err := p.write(ctx, r.GetCall(), c)
	return &crm.UpsertContactResponse{Contact: contact, Created: contact != nil && c.id == "", Result: result}, err
}

func (p *plugin) BatchDeleteContacts(ctx context.Context, r *crm.BatchDeleteContactsRequest) (*crm.BatchDeleteContactsResponse, error) {
	if len(r.GetIds()) == 0 || len(r.GetIds()) > maxIDs {
		return nil, missing("ids")
	}
	for _, id := range r.GetIds() {
		if _, err := p.at(id); err != nil {
			return nil, err
		}
	}
	answer := &crm.BatchDeleteContactsResponse{Result: &pb.CallResult{}}
	var a *account
	for _, id := range r.GetIds() {
		var response *vendorhttp.Response
		var err error
		a, response, err = p.ask(ctx, vendorhttp.Request{Method: http.MethodDelete, Path: []string{"people", id}})
		if shown, ok := a.shown(err); ok {
			answer.Result.VendorRequests = shown
			continue
		}
		outcome := &pb.RecordOutcome{Id: id}
		if errs.Is(err, errs.RecordNotFound) && a.client.DeleteResent() {
			outcome.AlreadyDeleted, err = !bad("hides-that-it-was-gone"), nil
		}
		var e *errs.Error
		switch {
		case err == nil || bad("says-all-went-well"):
			p.gone.Store(id, true)
			answer.Result.VendorAnswer = a.result(r.GetCall(), response).GetVendorAnswer()
		case errors.As(err, &e):
			outcome.Error = p.clean(e, a.secrets).Proto()
		default:
			return nil, err
		}
		answer.Outcomes = append(answer.Outcomes, outcome)
	}
	if bad("answers-out-of-order") {
		slices.Reverse(answer.Outcomes)
	}
	return answer, nil
}

func (p *plugin) MergeContacts(ctx context.Context, r *crm.MergeContactsRequest) (*crm.MergeContactsResponse, error) {
	if len(r.GetDuplicateIds()) == 0 || slices.Contains(r.GetDuplicateIds(), r.GetMasterId()) {
		return nil, missing("duplicate_ids")
	}
	for _, id := range append([]string{r.GetMasterId()}, r.GetDuplicateIds()...) {
		if _, err := p.at(id); err != nil {
			return nil, err
		}
	}
	from := r.GetDuplicateIds()
	if bad("keeps-duplicates") {
		from = nil
	}
	a, response, err := p.ask(ctx, vendorhttp.Request{Method: http.MethodPost, Path: []string{"people", r.GetMasterId(), "merge"}, Body: map[string]any{"from": from}})
	if shown, ok := a.shown(err); ok {
		return &crm.MergeContactsResponse{Result: &pb.CallResult{VendorRequests: shown}}, nil
	}
	if err != nil {
		return nil, err
	}
	contact, err := p.unified(response.Body)
	if err != nil {
		return nil, response.Error(errs.UnexpectedVendorAnswer, "Bad CRM answered without a person")
	}
	result := a.result(r.GetCall(), response)
	return &crm.MergeContactsResponse{Contact: contact, Result: result}, p.nameCompanies(ctx, a, result, contact)
}
