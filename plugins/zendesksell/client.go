package main

import (
	"net/http"
	"strings"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// newClient talks to the Core API v2. The User-Agent that Sell insists on is
// set by the SDK.
func newClient(call *sdk.Call) (*vendorhttp.Client, error) {
	var credentials struct {
		AccessToken string `json:"access_token"`
	}
	if err := call.Credentials(&credentials); err != nil {
		return nil, err
	}
	return call.Client(vendorhttp.Vendor{
		Name:    "Zendesk Sell",
		BaseURL: "https://api.getbase.com/v2",
		Header:  http.Header{"Authorization": {"Bearer " + credentials.AccessToken}},
		Explain: explain,
	})
}

func get(path ...string) vendorhttp.Request {
	return vendorhttp.Request{Method: http.MethodGet, Path: path}
}

// errorBody is Sell's error envelope. resource, field and details are all
// optional; a recorded invalid_param body has none of them.
type errorBody struct {
	Errors vendorjson.List[struct {
		Error struct {
			Field   vendorjson.Text `json:"field"` // a JSON pointer, with or without /data
			Code    vendorjson.Text `json:"code"`
			Message vendorjson.Text `json:"message"`
			Details vendorjson.Text `json:"details"`
		} `json:"error"`
	}] `json:"errors"`
}

// explain reads Sell's error codes. incorrect_path means that no such path or
// verb exists, which is this adapter's mistake and says nothing of a record.
func explain(response *vendorhttp.Response) *errs.Error {
	var body errorBody
	if response.Decode(&body) != nil || len(body.Errors) == 0 {
		return nil //nolint:nilerr // empty, HTML or plain text: the status decides
	}
	var messages []string
	var fields []errs.Field
	for _, entry := range body.Errors {
		if entry.Error.Code.String() == "incorrect_path" {
			return errs.New(errs.PluginBug, "Zendesk Sell does not know the path that the plugin asked for")
		}
		text := entry.Error.Message.String()
		if details := entry.Error.Details.String(); details != "" {
			text = strings.TrimSuffix(text, ".") + ": " + details
		}
		if text == "" {
			text = entry.Error.Code.String()
		}
		if text != "" {
			messages = append(messages, text)
		}
		if field := strings.TrimPrefix(entry.Error.Field.String(), "/data"); strings.HasPrefix(field, "/") && response.Status == http.StatusUnprocessableEntity {
			fields = append(fields, errs.Field{Path: field, Description: text})
		}
	}
	e := errs.New(errs.FromVendorStatus(response.Status), "%s", strings.Join(messages, "; "))
	e.Fields = fields
	return e
}
