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

// explain knows the one error that its status might not tell: the older
// product's {"login":"failed","message":…}. The usual body,
// {"errors":{"code":400,"message":…}} with a text or a list of texts, repeats
// the status and adds only the message, which is found without help.
func explain(response *vendorhttp.Response) *errs.Error {
	var body struct {
		Login vendorjson.Text `json:"login"`
	}
	if response.Decode(&body) == nil && body.Login.String() == "failed" {
		return errs.New(errs.VendorUnauthenticated, "%s", response.Message())
	}
	return nil // empty, HTML or the usual body: the status decides
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
