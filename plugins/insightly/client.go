package main

import (
	"encoding/base64"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// newClient talks to the API v3.1 of the account's pod: the host without a pod
// answers 404 for every resource. The key is the user name of HTTP Basic and
// the password is empty, as the vendor's example has it.
func newClient(call *sdk.Call) (*vendorhttp.Client, error) {
	var credentials struct {
		Pod    string `json:"pod"`
		APIKey string `json:"api_key"`
	}
	if err := call.Credentials(&credentials); err != nil {
		return nil, err
	}
	pod, err := podOf(credentials.Pod)
	if err != nil {
		return nil, err
	}
	return call.Client(vendorhttp.Vendor{
		Name:      "Insightly",
		BaseURL:   "https://api." + pod + ".insightly.com/v3.1",
		Header:    http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(credentials.APIKey+":"))}},
		Explain:   explain,
		RateLimit: rateLimit,
		RetryWait: retryWait,
	})
}

// podPattern takes a pod by its name or by the API URL that Insightly prints
// under the API key. A pod is one label of the host's name and nothing else.
var podPattern = regexp.MustCompile(`^(?:(?:https?://)?api\.(` + label + `)\.insightly\.com(?:/api|/v[0-9.]{1,5})?|(` + label + `))/?$`)

const label = `[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?`

func podOf(text string) (string, error) {
	found := podPattern.FindStringSubmatch(strings.ToLower(strings.TrimSpace(text)))
	if found == nil {
		// Not quoted: people put the API key into the wrong box.
		return "", &errs.Error{
			Reason:  errs.InvalidParameter,
			Message: "the account's pod is not one: it is the part between api. and .insightly.com in the API URL, such as na1",
			Fields:  []errs.Field{{Path: "context.pod", Description: "is not the name of a pod, such as na1"}},
		}
	}
	return found[1] + found[2], nil
}

func get(path ...string) vendorhttp.Request {
	return vendorhttp.Request{Method: http.MethodGet, Path: path}
}

// explain reads Insightly's errors: JSON with Message and perhaps Name, a line
// of plain text, nothing at all, or a page of HTML.
func explain(response *vendorhttp.Response) *errs.Error {
	message := messageIn(response)
	switch {
	case response.Status == http.StatusMethodNotAllowed:
		// So Insightly answers a collection in the wrong number; it says nothing
		// of a record.
		return errs.New(errs.PluginBug, "Insightly does not know the path that the plugin asked for")
	case response.Status == http.StatusTooManyRequests && quotaSpent(response):
		return errs.New(errs.VendorRateLimited, "Insightly allows this account no more calls today: the quota of the day is used up")
	case response.Status == http.StatusPreconditionFailed,
		response.Status == http.StatusBadRequest && strings.Contains(strings.ToLower(message), "if-match"):
		// A stale If-Match: 412 by the vendor's reference, 400 in a live probe.
		return errs.New(errs.StaleVersion, "%s", message)
	case response.Status == http.StatusExpectationFailed && message == "":
		// The vendor's description has 417 for a delete that did not succeed.
		return errs.New(errs.VendorRejected, "Insightly could not do what was asked (417) and does not say why")
	case message == "":
		return nil // the status decides
	}
	e := errs.New(errs.FromVendorStatus(response.Status), "%s", message)
	if response.Status == http.StatusBadRequest {
		e.Fields = fieldsIn(message)
	}
	return e
}

// fieldName finds the vendor's fields in a sentence: standard ones in upper
// snake case, custom ones with their ending.
var fieldName = regexp.MustCompile(`\b(?:[A-Z]+(?:_[A-Z]+)+|PHONE|TITLE|TAGS|[A-Za-z][A-Za-z0-9_]*__c)\b`)

// fieldsIn are the fields that a refusal is about. How its body looks at
// version 3.1 nobody could confirm: a field is known by its name in the text.
func fieldsIn(message string) []errs.Field {
	var fields []errs.Field
	for _, name := range fieldName.FindAllString(message, -1) {
		if !slices.ContainsFunc(fields, func(f errs.Field) bool { return f.Path == name }) {
			fields = append(fields, errs.Field{Path: name, Description: message})
		}
	}
	return fields
}

// messageIn is the vendor's own sentence, "" when there is none. Recorded
// replies have the cause in the reason phrase of the status line as well, and
// some had it nowhere else.
func messageIn(response *vendorhttp.Response) string {
	if message := response.Message(); message != "" {
		return message
	}
	var body struct {
		Name vendorjson.Text `json:"Name"`
	}
	if response.Decode(&body) == nil && body.Name.Ptr() != nil {
		return body.Name.String()
	}
	if phrase := strings.TrimSpace(response.Reason); phrase != http.StatusText(response.Status) && !strings.Contains(phrase, "<") {
		return phrase
	}
	return ""
}

// rateLimit reads what is left of the day's quota; when it starts anew is not
// said.
func rateLimit(header http.Header) *errs.RateLimit {
	limit := vendorhttp.HeaderRateLimit(header, "X-RateLimit-Limit", "X-RateLimit-Remaining", "")
	if limit != nil {
		limit.WindowSeconds = new(int64(24 * 60 * 60))
	}
	return limit
}

// retryWait waits out the limit of ten calls a second. A 429 of the day's
// quota is not asked again.
func retryWait(response *vendorhttp.Response, _ int) (time.Duration, bool) {
	if response.Status == http.StatusTooManyRequests && quotaSpent(response) {
		return 0, false
	}
	if after, given := vendorhttp.RetryAfter(response.Header, time.Now()); given {
		return after, true
	}
	return time.Second, true
}

// quotaSpent tells the limit of the day from the one of the second: both
// answer 429, but only the former with nothing remaining.
func quotaSpent(response *vendorhttp.Response) bool {
	remaining, err := strconv.ParseInt(strings.TrimSpace(response.Header.Get("X-RateLimit-Remaining")), 10, 64)
	return err == nil && remaining <= 0
}
