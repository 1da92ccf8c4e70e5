package main

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// newClient talks to the account's own host. The vendor wants a Content-Type
// on every request, with or without a body.
func newClient(call *sdk.Call) (*vendorhttp.Client, error) {
	var credentials struct {
		BundleAlias string `json:"bundle_alias"`
		APIKey      string `json:"api_key"`
	}
	if err := call.Credentials(&credentials); err != nil {
		return nil, err
	}
	base, err := apiURL(credentials.BundleAlias)
	if err != nil {
		return nil, err
	}
	return call.Client(vendorhttp.Vendor{
		Name:    "Freshsales",
		BaseURL: base,
		Header: http.Header{
			"Authorization": {"Token token=" + credentials.APIKey}, // not Bearer, not Basic, no quotes
			"Content-Type":  {"application/json"},
		},
		Explain:   explain,
		RateLimit: rateLimit,
		RetryWait: retryWait,
	})
}

// aliasHost is a name below one of the vendor's domains: no port, no user
// information, nothing escaped.
var aliasHost = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+(myfreshworks\.com|freshworks\.com|freshsales\.io)$`)

// apiURL makes the base URL from the bundle alias. People paste it with and
// without a scheme, a trailing slash and a trailing /api. An alias of the Suite
// ends in /crm/sales, one of Classic (freshsales.io) is the host alone; the
// path is never made up, since a host says nothing of the product on it.
func apiURL(bundleAlias string) (string, error) {
	alias := strings.ToLower(strings.TrimSpace(bundleAlias))
	alias = strings.TrimPrefix(strings.TrimPrefix(alias, "https://"), "http://")
	alias = strings.TrimSuffix(strings.TrimRight(alias, "/"), "/api")
	host, path, _ := strings.Cut(alias, "/")
	want := "crm/sales"
	if strings.HasSuffix(host, ".freshsales.io") {
		want = ""
	}
	if !aliasHost.MatchString(host) || path != want {
		// What was given is not repeated: it may be a key pasted into the wrong field.
		const problem = "must be the address that stands under the API key, such as acme.myfreshworks.com/crm/sales, or acme.freshsales.io for the older product"
		return "", &errs.Error{Reason: errs.InvalidParameter, Message: "bundle_alias " + problem, Fields: []errs.Field{{Path: "bundle_alias", Description: problem}}}
	}
	return "https://" + alias + "/api", nil
}

func get(path ...string) vendorhttp.Request {
	return vendorhttp.Request{Method: http.MethodGet, Path: path}
}

// explain knows what the status does not tell. The usual error body is
// {"errors":{"code":400,"message":…}} with a text or a list of texts; nothing in
// it names a field but the text. The older product has {"login":"failed"}.
func explain(response *vendorhttp.Response) *errs.Error {
	var body struct {
		Login  vendorjson.Text `json:"login"`
		Errors struct {
			Message json.RawMessage `json:"message"`
		} `json:"errors"`
	}
	if response.Decode(&body) != nil {
		return nil //nolint:nilerr // empty, HTML or another shape: the status decides
	}
	if body.Login.String() == "failed" {
		return errs.New(errs.VendorUnauthenticated, "%s", response.Message())
	}
	if response.Status != http.StatusBadRequest {
		return nil
	}
	var texts vendorjson.List[string]
	var text string
	if json.Unmarshal(body.Errors.Message, &text) == nil {
		texts = []string{text}
	} else {
		_ = json.Unmarshal(body.Errors.Message, &texts) // it reads anything
	}
	e := errs.New(errs.FromVendorStatus(response.Status), "%s", response.Message())
	for _, text := range texts {
		if duplicate.MatchString(text) {
			e.Reason = errs.VendorConflict
		}
		for _, field := range fieldsIn(text) {
			e.Fields = append(e.Fields, errs.Field{Path: field, Description: text})
		}
	}
	return e
}

// duplicate finds the texts of a second record with what is unique: "Email has
// already been taken", and what clients are on record to look for, "The mobile
// number already exists".
var duplicate = regexp.MustCompile(`(?i)\balready (been taken|exists?)\b|\bnot unique\b`)

// attributes are what a text can be about, the longer ones before those that
// are parts of them. A text has them as they are or in words.
var attributes = strings.Fields(`sales_accounts phone_numbers mobile_number work_number custom_field first_name last_name work_email
	job_title facebook linkedin owner_id twitter address country zipcode emails email state tags city`)

var customFieldName = regexp.MustCompile(`\bcf_[\w-]+`)

// fieldsIn are the vendor's attributes that a text is about.
func fieldsIn(text string) []string {
	var fields []string
	for _, name := range customFieldName.FindAllString(text, -1) {
		fields = append(fields, "custom_field."+name)
	}
	words := " " + strings.Join(strings.FieldsFunc(strings.ToLower(customFieldName.ReplaceAllString(text, "")), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	}), " ") + " "
	for _, name := range attributes {
		if phrase := " " + strings.ReplaceAll(name, "_", " ") + " "; strings.Contains(words, phrase) {
			fields = append(fields, name)
			words = strings.ReplaceAll(words, phrase, "  ")
		}
	}
	return fields
}

// refusal is the error in a 2xx answer whose body is one of the vendor's error
// bodies; nil for every other answer. None is on record, but a success that is
// none must not pass for a deleted contact.
func refusal(response *vendorhttp.Response) error {
	var body struct {
		Errors struct {
			Code    vendorjson.Text `json:"code"`
			Message json.RawMessage `json:"message"`
		} `json:"errors"`
	}
	_ = response.Decode(&body) // true, a list, a text: no error body
	const text = "Freshsales answered %d with an error: %s"
	if e := explain(response); e != nil {
		return response.Error(e.Reason, text, response.Status, response.Message())
	}
	code, message := body.Errors.Code.String(), string(body.Errors.Message)
	if code == "" && (message == "" || message == "null") {
		return nil
	}
	status, _ := strconv.Atoi(code) // zero is an unexpected answer
	return response.Error(errs.FromVendorStatus(status), text, response.Status, response.Message())
}

// unexpected is the error of a 2xx answer without what it should hold.
func unexpected(response *vendorhttp.Response, what string) error {
	if err := refusal(response); err != nil {
		return err
	}
	return response.Error(errs.UnexpectedVendorAnswer, "Freshsales answered without %s", what)
}

// rateLimit reads headers that live answers carry and the vendor's reference
// does not name. x-ratelimit-reset is left alone: clients read it in formats
// that contradict each other.
func rateLimit(header http.Header) *errs.RateLimit {
	limit := vendorhttp.HeaderRateLimit(header, "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "")
	if limit != nil {
		limit.WindowSeconds = new(int64(3600))
	}
	return limit
}

// retryWait sends again only when the vendor says when. The quota is that of
// the whole vendor account and of an hour, so that a short wait of our own
// choosing would be refused again.
func retryWait(response *vendorhttp.Response, _ int) (time.Duration, bool) {
	return vendorhttp.RetryAfter(response.Header, time.Now())
}
