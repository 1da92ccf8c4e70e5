package emulator

import (
	"encoding/json"
	"net/http"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// The vendor's texts are known for one case alone ("Email has already been
// taken"); the rest are in its manner and nobody should depend on them.
const (
	textNotFound     = "The requested resource could not be found."
	textForbidden    = "You are not authorized to perform this action."
	textUnauthorized = "Invalid credentials"
	textRateLimit    = "API rate limit exceeded"
	textTaken        = "Email has already been taken"
)

// failure is a refusal: a status and the messages of its body.
type failure struct {
	status   int
	messages []string
}

func invalid(messages ...string) *failure {
	return &failure{status: http.StatusBadRequest, messages: messages}
}

func notFound() *failure {
	return &failure{status: http.StatusNotFound, messages: []string{textNotFound}}
}

func forbidden() *failure {
	return &failure{status: http.StatusForbidden, messages: []string{textForbidden}}
}

// unknownID refuses an id that nothing has.
func (i *instance) unknownID() *failure {
	if i.env.Switch("unknown_id") == "403" {
		return forbidden()
	}
	return notFound()
}

// malformedID refuses an id that nothing can have.
func (i *instance) malformedID() *failure {
	if i.env.Switch("malformed_id") == "400" {
		return invalid("id is invalid")
	}
	return notFound()
}

// answer is a status and a JSON value, or no body at all.
type answer struct {
	status int
	body   any
	empty  bool
}

func ok(body any) answer { return answer{status: http.StatusOK, body: body} }

// refuse gives a failure the vendor's shape. errors is an object, its code
// repeats the status, and its message is a string or an array of strings.
func (i *instance) refuse(f *failure) answer {
	if f.status == http.StatusUnauthorized && i.env.Switch("unauthorized_body") == "login_failed" {
		return answer{status: f.status, body: kit.Pairs("login", "failed", "message", "Invalid login")}
	}
	form := i.env.Switch("error_message")
	var message any = f.messages
	if form == "string" || form == "mixed" && f.status != http.StatusBadRequest {
		message = f.messages[0]
	}
	return answer{status: f.status, body: kit.Pairs("errors", kit.Pairs("code", f.status, "message", message))}
}

// removed is the success of a removal in the form that a switch chooses.
func (i *instance) removed(form string) answer {
	switch i.env.Switch(form) {
	case "object":
		return ok(&kit.Object{})
	case "empty":
		return answer{status: http.StatusOK, empty: true}
	case "204":
		return answer{status: http.StatusNoContent, empty: true}
	default:
		return ok(true)
	}
}

func (a answer) render(header http.Header) []byte {
	if a.empty {
		return nil
	}
	body, err := json.Marshal(a.body)
	if err != nil {
		// Answers are made of objects, texts and numbers alone.
		panic("freshsales emulator: " + err.Error())
	}
	header.Set("Content-Type", "application/json; charset=utf-8")
	return body
}
