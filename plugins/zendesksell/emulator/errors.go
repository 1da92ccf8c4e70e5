package emulator

import (
	"fmt"
	"net/http"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// moreInfo still points at the vendor's old documentation host in its answers.
const moreInfo = "https://developers.getbase.com/docs/rest/articles/errors"

// problem is one entry of an error answer. resource and field are left out
// when they are empty.
type problem struct {
	resource, field, code, message, details string
}

// messages are the short texts by code, worded here: only codes and structure
// are the vendor's.
var messages = map[string]string{
	"invalid_param":       "a query parameter is not valid",
	"invalid_header":      "a request header is not valid",
	"invalid_payload":     "the request's payload could not be read",
	"unauthorized":        "the access token was not accepted",
	"insufficient_scope":  "the token's scope does not suffice",
	"not_found":           "there is no such resource",
	"incorrect_path":      "the request's path is not correct",
	"incorrect_payload":   "the request's payload is not correct",
	"unknown":             "attribute was not recognised",
	"missing":             "a required attribute is missing",
	"already_exists":      "attribute value exists already",
	"blank":               "attribute must not be blank",
	"invalid_type":        "attribute is of the wrong type",
	"incorrect_value":     "attribute value is not correct",
	"rate_limit_exceeded": "too many requests",
}

func refuse(status int, problems ...problem) reply {
	return reply{status: status, problems: problems}
}

// invalidParam is the vendor's answer to a query that it does not like. The
// recorded one names neither resource nor field.
func invalidParam(format string, args ...any) reply {
	return refuse(http.StatusBadRequest, problem{code: "invalid_param", details: fmt.Sprintf(format, args...)})
}

func notFound(resource, id string) reply {
	return refuse(http.StatusNotFound, problem{resource: resource, code: "not_found", details: fmt.Sprintf("no %s with the id '%s'", resource, id)})
}

// incorrectPath answers for paths and verbs alike: the vendor has no 405.
func (v *vendor) incorrectPath() reply {
	return refuse(http.StatusNotFound, problem{code: v.env.Switch("unknown_path"), details: "there is no such path, or not with this verb"})
}

// malformedID answers for an id that cannot be one.
func (v *vendor) malformedID(resource, id string) reply {
	switch v.env.Switch("malformed_id") {
	case "not_found":
		return notFound(resource, id)
	case "invalid_param":
		return invalidParam("the request path parameter 'id' must be an integer (given: %s)", id)
	default:
		return v.incorrectPath()
	}
}

// errorEnvelope wraps problems as the vendor does.
func (v *vendor) errorEnvelope(c *call, re reply) *kit.Object {
	links := kit.Pairs("more_info", moreInfo)
	errors := make([]any, 0, len(re.problems))
	for _, p := range re.problems {
		e := &kit.Object{}
		if p.resource != "" {
			e.Set("resource", p.resource)
		}
		if p.field != "" {
			e.Set("field", v.pointer(p.field))
		}
		message := p.message
		if message == "" {
			message = messages[p.code]
		}
		e.Set("code", p.code)
		e.Set("message", message)
		e.Set("details", p.details)
		errors = append(errors, kit.Pairs("error", e, "meta", kit.Pairs("type", "error", "links", links)))
	}
	meta := kit.Pairs(
		"type", v.env.Switch("error_meta_type"),
		"http_status", fmt.Sprintf("%d %s", re.status, http.StatusText(re.status)),
	)
	if v.env.Switch("logref") == "present" {
		meta.Set("logref", c.id)
	}
	meta.Set("links", links)
	return kit.Pairs("errors", errors, "meta", meta)
}

// pointer writes a field's JSON pointer in one of the two forms in use.
func (v *vendor) pointer(field string) string {
	if v.env.Switch("field_pointer") == "data" {
		return "/data" + field
	}
	return field
}

// about starts a problem with an attribute; field is a short pointer.
func (v *vendor) about(resource, field, code, format string, args ...any) problem {
	return problem{
		resource: resource, field: field, code: code,
		details: fmt.Sprintf("'%s' %s", v.pointer(field), fmt.Sprintf(format, args...)),
	}
}
