package main

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
)

// hosts are Planhat's API hosts, the default one first. The vendor's current
// pages name only that one and the demo tenants'; the regional ones stand in
// its older documentation and in third-party clients.
var hosts = []string{
	"api.planhat.com",
	"api-eu.planhat.com",
	"api-eu2.planhat.com",
	"api-eu3.planhat.com",
	"api-us2.planhat.com",
	"api.planhatdemo.com",
}

// newClient talks to the REST API, which has no version and no tenant in its
// paths: the token selects the tenant.
func newClient(call *sdk.Call) (*vendorhttp.Client, error) {
	var credentials struct {
		APIToken   string `json:"api_token"`
		RegionHost string `json:"region_host"`
	}
	if err := call.Credentials(&credentials); err != nil {
		return nil, err
	}
	host, err := hostOf(credentials.RegionHost)
	if err != nil {
		return nil, err
	}
	return call.Client(vendorhttp.Vendor{
		Name:      "Planhat",
		BaseURL:   "https://" + host,
		Header:    http.Header{"Authorization": {"Bearer " + credentials.APIToken}},
		Explain:   explain,
		RateLimit: rateLimit,
		RetryWait: retryWait,
	})
}

// hostOf reads region_host as people paste it. Only a whole name of the list
// passes, so nothing can be smuggled beside it.
func hostOf(region string) (string, error) {
	host := strings.ToLower(strings.TrimSpace(region))
	if scheme, rest, ok := strings.Cut(host, "://"); ok && (scheme == "https" || scheme == "http") {
		host = rest // the call goes by https whatever was written
	}
	host = strings.TrimRight(host, "/")
	switch {
	case strings.TrimSpace(region) == "":
		return hosts[0], nil
	case slices.Contains(hosts, host):
		return host, nil
	}
	// The value is not repeated: it may be a token in the wrong field.
	description := "is none of Planhat's API hosts: " + strings.Join(hosts, ", ")
	return "", &errs.Error{
		Reason:  errs.InvalidParameter,
		Message: "region_host " + description,
		Fields:  []errs.Field{{Path: "region_host", Description: description}},
	}
}

func get(path ...string) vendorhttp.Request {
	return vendorhttp.Request{Method: http.MethodGet, Path: path}
}

// explain adds what a refused token can mean, and the attributes that a
// refused write is about. The body of an error is documented nowhere: the SDK
// finds the sentence in plain text and in JSON, and the status says the rest.
func explain(response *vendorhttp.Response) *errs.Error {
	said := response.Message()
	switch response.Status {
	case http.StatusUnauthorized:
		message := "Planhat does not accept the API token; one of another region is refused in the same way, see region_host"
		if said != "" {
			message += " (" + said + ")"
		}
		return errs.New(errs.VendorUnauthenticated, "%s", message)
	case http.StatusBadRequest, http.StatusConflict, http.StatusUnprocessableEntity:
		e := errs.New(errs.FromVendorStatus(response.Status), "%s", said)
		named := attributes.FindAllString(said, -1)
		slices.Sort(named)
		for _, attribute := range slices.Compact(named) {
			e.Fields = append(e.Fields, errs.Field{Path: attribute, Description: said})
		}
		return e
	default:
		return nil
	}
}

// attributes are those that an enduser can be written with, as words.
var attributes = regexp.MustCompile(`\b(email|otherEmails|firstName|lastName|companyId|externalId|sourceId|position|phone|tags|featured|primary|archived|custom|createDate)\b`)

// rateLimit reads the headers of the vendor's older documentation. There is
// none for the reset.
func rateLimit(header http.Header) *errs.RateLimit {
	return vendorhttp.HeaderRateLimit(header, "X-Rate-Limit-Limit", "X-Rate-Limit-Remaining", "")
}

// retryWait waits for the next window when the minute's quota is used up; the
// vendor's older documentation says that one begins after 60 to 120 seconds. The
// limit of a second has no headers of its own.
func retryWait(response *vendorhttp.Response, try int) (time.Duration, bool) {
	if wait, ok := vendorhttp.RetryAfter(response.Header, time.Now()); ok {
		return wait, true
	}
	if limit := rateLimit(response.Header); limit != nil && limit.Remaining != nil && *limit.Remaining == 0 {
		return time.Minute, true
	}
	return 500 * time.Millisecond << try, true
}

// listIn reads the answer to a list call: a bare array. Anything else with a
// 200 is no list; a third-party client asks again when it meets one.
func listIn(response *vendorhttp.Response) ([]json.RawMessage, error) {
	var items []json.RawMessage
	if json.Unmarshal(response.Body, &items) != nil || items == nil {
		return nil, response.Error(errs.UnexpectedVendorAnswer, "Planhat answered a list call with something other than an array")
	}
	return items, nil
}
