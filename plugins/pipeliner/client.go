package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/vendorhttp"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// newClient talks to the collections of one space. The header Timezone is
// never sent: without it every time is in UTC.
func newClient(call *sdk.Call) (*vendorhttp.Client, error) {
	var credentials struct {
		ServiceURL string `json:"service_url"`
		SpaceID    string `json:"space_id"`
		Username   string `json:"username"`
		Password   string `json:"password"`
	}
	if err := call.Credentials(&credentials); err != nil {
		return nil, err
	}
	base, err := spaceURL(credentials.ServiceURL, credentials.SpaceID)
	if err != nil {
		return nil, err
	}
	basic := base64.StdEncoding.EncodeToString([]byte(credentials.Username + ":" + credentials.Password))
	return call.Client(vendorhttp.Vendor{
		Name:    "Pipeliner",
		BaseURL: base,
		Header:  http.Header{"Authorization": {"Basic " + basic}},
		Explain: explain,
	})
}

var (
	// serviceHost is one label before the vendor's domain: no port, no user
	// information, nothing escaped.
	serviceHost = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.api)?\.pipelinersales\.com$`)
	// spaceName is what a space id looks like: real ones have an underscore.
	spaceName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
)

// spaceURL makes the base URL of the space's collections. People paste the
// service URL with and without a scheme, a slash or the API's path behind it.
func spaceURL(serviceURL, spaceID string) (string, error) {
	text := strings.TrimSpace(serviceURL)
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.User != nil || strings.ContainsAny(text, "?#") ||
		!serviceHost.MatchString(strings.ToLower(u.Host)) || (strings.Trim(u.Path, "/") != "" && !strings.HasPrefix(u.Path+"/", "/api/")) {
		return "", badCredential("service_url", "must be the Service URL that stands beside the API key, such as https://eu-central.api.pipelinersales.com")
	}
	if !spaceName.MatchString(spaceID) {
		return "", badCredential("space_id", "must be the Space ID that stands beside the API key, such as nv3_Name: letters, digits, underscores and hyphens")
	}
	return "https://" + strings.ToLower(u.Host) + "/api/v100/rest/spaces/" + url.PathEscape(spaceID) + "/entities", nil
}

// badCredential does not repeat what was given: it may be a key pasted into
// the wrong field.
func badCredential(name, problem string) error {
	return &errs.Error{Reason: errs.InvalidParameter, Message: name + " " + problem, Fields: []errs.Field{{Path: name, Description: problem}}}
}

func get(path ...string) vendorhttp.Request {
	return vendorhttp.Request{Method: http.MethodGet, Path: path}
}

// send is the client's Main or Side.
type send func(context.Context, vendorhttp.Request) (*vendorhttp.Response, error)

// ask makes a call and sees through a 2xx that means failure.
func ask(ctx context.Context, send send, request vendorhttp.Request) (*vendorhttp.Response, error) {
	response, err := send(ctx, request)
	if err != nil {
		return nil, err
	}
	if e := failure(response); e != nil {
		return nil, e
	}
	return response, nil
}

// errorBody is Pipeliner's error. Only success and http_status are always
// there. A URL that matches no route has another body, of which message alone
// is of use. The errors of fields and of the record as a whole come with a
// refused record, every one of them.
type errorBody struct {
	Success     vendorjson.Text `json:"success"`
	HTTPStatus  vendorjson.Text `json:"http_status"`
	Code        vendorjson.Text `json:"code"`
	Name        vendorjson.Text `json:"name"`
	Message     vendorjson.Text `json:"message"`
	FieldErrors vendorjson.List[struct {
		FieldName vendorjson.Text            `json:"field_name"`
		Errors    vendorjson.List[errorBody] `json:"errors"`
	}] `json:"field_errors"`
	EntityErrors vendorjson.List[errorBody] `json:"entity_errors"`
}

// has tells whether the error is of a kind; recorded errors have code and
// name, the schema makes both optional.
func (b errorBody) has(code, name string) bool {
	return b.Code.String() == code || b.Name.String() == name
}

// explain reads the name of an error where the message is missing.
// ERROR_UNKNOWN_TYPE means that no such collection exists, which is this
// adapter's mistake and says nothing of a record.
func explain(response *vendorhttp.Response) *errs.Error {
	var body errorBody
	if response.Decode(&body) != nil {
		return nil //nolint:nilerr // empty, HTML or plain text: the status decides
	}
	if body.has("2006", "ERROR_UNKNOWN_TYPE") {
		return errs.New(errs.PluginBug, "Pipeliner does not know the collection that the plugin asked for")
	}
	var fields []errs.Field
	var messages []string
	for _, problem := range body.EntityErrors { // of no field in particular
		messages = append(messages, problem.text())
	}
	for _, field := range body.FieldErrors {
		f := errs.Field{Path: field.FieldName.String()}
		var words []string
		for _, problem := range field.Errors {
			words = append(words, problem.text())
			f.Missing = f.Missing || problem.has("119", "ERROR_PARAMETER_MISSING")
		}
		f.Description = strings.Join(words, "; ")
		messages = append(messages, words...)
		if f.Path != "" {
			fields = append(fields, f)
		}
	}
	message := response.Message() // several messages come in lines, the first of which may be empty
	if message == "" {
		message = strings.Join(messages, "; ")
	}
	if message == "" {
		message = body.Name.String()
	}
	e := errs.New(errs.FromVendorStatus(response.Status), "%s", message)
	e.Fields = fields
	return e
}

// text is what an error says for people, on one line.
func (b errorBody) text() string {
	if message := strings.Join(strings.Fields(b.Message.String()), " "); message != "" {
		return message
	}
	return b.Name.String()
}

// failure is a 2xx answer that says success: false, or nil. The body's
// http_status is then the status that counts.
func failure(response *vendorhttp.Response) *errs.Error {
	var body errorBody
	if json.Unmarshal(response.Body, &body) != nil {
		return nil //nolint:nilerr // what is no JSON says nothing of success
	}
	if said := strings.ToLower(body.Success.String()); said != "false" && said != "0" {
		return nil
	}
	status, err := strconv.Atoi(body.HTTPStatus.String())
	if err != nil || status < 400 || status > 599 {
		return response.Error(errs.UnexpectedVendorAnswer, "Pipeliner answered %d with success: false and no error status. %s", response.Status, response.Message())
	}
	meant := *response
	meant.Status = status
	e := explain(&meant)
	if e.Message == "" {
		e.Message = "Pipeliner answered success: false with http_status " + strconv.Itoa(status)
	}
	told := meant.Error(e.Reason, "%s", e.Message)
	told.Fields = e.Fields
	return told
}

// aboutSpace corrects a "not found" for a whole collection: it is no record
// that is missing, but the space or the service URL that is wrong.
func aboutSpace(err error) error {
	var e *errs.Error
	if !errors.As(err, &e) || e.Reason != errs.RecordNotFound {
		return err
	}
	corrected := *e
	corrected.Reason = errs.VendorRejected
	corrected.Message = "Pipeliner does not know the space; check service_url and space_id: " + e.Message
	return &corrected
}

// refusal is err when it is the vendor's refusal of a kind, else nil.
func refusal(err error, code, name string) *errs.Error {
	var e *errs.Error
	var body errorBody
	if !errors.As(err, &e) || e.Reason != errs.VendorRejected || e.Vendor == nil ||
		json.Unmarshal(e.Vendor.Body, &body) != nil || !body.has(code, name) {
		return nil //nolint:nilerr // it is another kind of error
	}
	return e
}

// dataOf reads the record in an answer's data.
func dataOf(response *vendorhttp.Response) (map[string]json.RawMessage, error) {
	var body envelope
	if err := response.Decode(&body); err != nil {
		return nil, err
	}
	record := members(body.Data)
	if text(record["id"]).Ptr() == nil {
		return nil, response.Error(errs.UnexpectedVendorAnswer, "Pipeliner answered without a record in data")
	}
	return record, nil
}

// pageOf reads a page of a list: its items, and the cursor of the next page, ""
// for none. size is what was asked for, after the cursor of this one. The last
// page may be empty with null cursors, or full with a cursor that leads to
// nothing: has_next_page alone tells.
func pageOf(response *vendorhttp.Response, size int, after string) (items []json.RawMessage, next string, _ error) {
	var body struct {
		Data     []json.RawMessage `json:"data"`
		PageInfo struct {
			EndCursor   vendorjson.Text `json:"end_cursor"`
			HasNextPage vendorjson.Text `json:"has_next_page"`
		} `json:"page_info"`
	}
	if err := response.Decode(&body); err != nil {
		return nil, "", err
	}
	if body.Data == nil {
		return nil, "", response.Error(errs.UnexpectedVendorAnswer, "Pipeliner answered a list without data")
	}
	if len(body.Data) > size {
		return nil, "", response.Error(errs.UnexpectedVendorAnswer, "Pipeliner answered %d records where %d were asked for", len(body.Data), size)
	}
	cursor := body.PageInfo.EndCursor.String()
	switch more := body.PageInfo.HasNextPage.String(); {
	case more == "true" && (cursor == "" || cursor == after):
		return nil, "", response.Error(errs.UnexpectedVendorAnswer, "Pipeliner says that the list goes on but gives no new cursor")
	case more == "true":
		next = cursor
	case more == "" && len(body.Data) == size:
		return nil, "", response.Error(errs.UnexpectedVendorAnswer, "Pipeliner answered a full page without page_info, so whether the list goes on is not known; remote_query[limit] and [offset] make it do so")
	}
	return body.Data, next, nil
}

// filter narrows a list by one field.
func filter(field, operator, value string) []vendorhttp.Param {
	return []vendorhttp.Param{{Name: "filter[" + field + "]", Value: value}, {Name: "filter-op[" + field + "]", Value: operator}}
}
