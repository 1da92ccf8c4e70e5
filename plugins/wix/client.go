package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// newClient talks to the Contacts API v4. The key goes raw into Authorization;
// with "Bearer " before it Wix refuses it. Exactly one of the two id headers
// may go along, as the vendor's reference has it.
func newClient(call *sdk.Call) (*vendorhttp.Client, error) {
	var credentials struct {
		APIKey    string `json:"api_key"`
		SiteID    string `json:"site_id"`
		AccountID string `json:"account_id"`
	}
	if err := call.Credentials(&credentials); err != nil {
		return nil, err
	}
	header := http.Header{"Authorization": {credentials.APIKey}}
	switch site, account := credentials.SiteID != "", credentials.AccountID != ""; {
	case site && !account:
		header.Set("wix-site-id", credentials.SiteID)
	case account && !site:
		header.Set("wix-account-id", credentials.AccountID)
	default:
		return nil, errs.New(errs.InvalidParameter, "an account at Wix needs either a site_id or an account_id, and not both")
	}
	return call.Client(vendorhttp.Vendor{
		Name:    "Wix",
		BaseURL: "https://www.wixapis.com/contacts/v4",
		Header:  header,
		Explain: explain,
	})
}

func get(path ...string) vendorhttp.Request {
	return vendorhttp.Request{Method: http.MethodGet, Path: path}
}

// errorBody is Wix's error envelope. Any part may be missing or empty: refusals
// come as {"message":"","details":{}} as well as with an applicationError.
type errorBody struct {
	Message vendorjson.Text `json:"message"`
	Details struct {
		ApplicationError struct {
			Code        vendorjson.Text `json:"code"`
			Description vendorjson.Text `json:"description"`
			Data        duplicate       `json:"data"`
		} `json:"applicationError"`
		ValidationError struct {
			FieldViolations vendorjson.List[struct {
				Field       vendorjson.Text `json:"field"`
				Description vendorjson.Text `json:"description"`
			}] `json:"fieldViolations"`
		} `json:"validationError"`
	} `json:"details"`
}

// duplicate goes with DUPLICATE_CONTACT_EXISTS: who has what was to be written.
type duplicate struct {
	ContactID vendorjson.Text `json:"duplicateContactId"`
	Email     vendorjson.Text `json:"duplicateEmail"`
	Phone     vendorjson.Text `json:"duplicatePhone"`
}

// codes are the application errors that mean more than their status: what the
// caller has to do first, or that a 500 will not pass by itself.
var codes = map[string]struct {
	reason  errs.Reason
	message string // empty: the vendor's own
	field   string // what it is about; empty where no one field is
}{
	"CONTACT_NOT_FOUND": {reason: errs.RecordNotFound},
	"CANNOT_DELETE_MEMBER": {
		reason: errs.VendorPrecondition, message: "the contact is a member of the site: delete the member at Wix first, then the contact",
	},
	"CANNOT_DELETE_CONTACT_WITH_BILLING_SUBSCRIPTION": {
		reason: errs.VendorPrecondition, message: "the contact has a billing subscription: cancel the subscription at Wix first, then delete the contact",
	},
	"CANNOT_DELETE_MEMBER_OWNER_OR_CONTRIBUTOR": {
		reason: errs.VendorPrecondition, message: "the contact is a Wix user, the site's owner or a contributor: take that role from them at Wix first, then delete the contact",
	},
	"FAILED_DELETE_CONTACT_AFTER_MEMBER_DELETION": {
		reason: errs.UnexpectedVendorAnswer, message: "Wix deleted the member but not the contact, and leaves it so: look at the contact at Wix before anything is tried again",
	},
	"CONTACT_ALREADY_CHANGED": {
		reason: errs.StaleVersion, message: "the contact was changed by somebody else in the meantime; read it again, then decide",
	},
	"DUPLICATE_CONTACT_EXISTS": {reason: errs.VendorConflict},
	"CANNOT_UPDATE_MEMBER_EMAIL": {
		reason: errs.VendorPrecondition, message: "the contact is a member of the site, whose primary e-mail address is the login: change it at the member, at Wix", field: "info.emails",
	},
	"INSUFFICIENT_CONTACT_DATA":    {reason: errs.VendorRejected, message: "a contact at Wix needs a name, an e-mail address or a phone number"},
	"INVALID_EXTENDED_FIELD_VALUE": {reason: errs.VendorRejected, field: "info.extendedFields"},
	"ILLEGAL_MERGE":                {reason: errs.VendorPrecondition},
}

// explain reads Wix's error codes.
func explain(response *vendorhttp.Response) *errs.Error {
	var body errorBody
	_ = json.Unmarshal(response.Body, &body) // HTML, text or a wrong type tell nothing: the status decides
	application := body.Details.ApplicationError
	known, ok := codes[application.Code.String()]
	if !ok {
		known.reason = errs.FromVendorStatus(response.Status)
	}
	e := errs.New(known.reason, "%s", cmp.Or(known.message, response.Message(), body.detail()))
	if e.Message == "" {
		switch known.reason {
		case errs.VendorUnauthenticated:
			e.Message = "Wix does not accept the API key"
		case errs.VendorForbidden:
			e.Message = "the API key lacks the permission for this, or belongs to another account than the site"
		case errs.VendorPrecondition:
			e.Message = "the contact's state at Wix forbids this: look whether it is a site member, a subscriber or a Wix user"
		}
	}
	for _, v := range body.Details.ValidationError.FieldViolations {
		if v.Field.Ptr() != nil {
			e.Fields = append(e.Fields, errs.Field{Path: v.Field.String(), Description: cmp.Or(v.Description.String(), e.Message)})
		}
	}
	if known.reason == errs.VendorConflict {
		e.ExistingID = application.Data.ContactID.String()
		switch {
		case application.Data.Email.Ptr() != nil:
			known.field = "info.emails"
		case application.Data.Phone.Ptr() != nil:
			known.field = "info.phones"
		}
	}
	if known.field != "" {
		e.Fields = append(e.Fields, errs.Field{Path: known.field, Description: e.Message})
	}
	return e
}

// detail is what the body says beside its message.
func (b *errorBody) detail() string {
	var violations []string
	for _, v := range b.Details.ValidationError.FieldViolations {
		violations = append(violations, strings.TrimSpace(v.Field.String()+" "+v.Description.String()))
	}
	application := b.Details.ApplicationError
	return strings.TrimSpace(cmp.Or(application.Description.String(), strings.Join(violations, "; "), application.Code.String()))
}

// holderOf gives the contact that has an e-mail address, when that is why Wix
// refused another one.
func holderOf(err error, email string) string {
	var e *errs.Error
	if !errors.As(err, &e) || e.Vendor == nil {
		return ""
	}
	var body errorBody
	_ = json.Unmarshal(e.Vendor.Body, &body)
	refusal := body.Details.ApplicationError
	if refusal.Code.String() != "DUPLICATE_CONTACT_EXISTS" || !strings.EqualFold(refusal.Data.Email.String(), email) {
		return ""
	}
	return refusal.Data.ContactID.String()
}
