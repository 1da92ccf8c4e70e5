package emulator

import (
	"encoding/json"
	"fmt"
	"net/http"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// answer is what goes back to the client. An empty body goes without a
// Content-Type, as the vendor's 202 on a deletion does.
type answer struct {
	status      int
	headers     map[string]string
	contentType string
	body        []byte
}

const (
	jsonType = "application/json; charset=utf-8"
	textType = "text/plain; charset=utf-8"
)

func (a *answer) set(name, value string) {
	if a.headers == nil {
		a.headers = map[string]string{}
	}
	a.headers[name] = value
}

func empty(status int) *answer { return &answer{status: status} }

func text(status int, body string) *answer {
	return &answer{status: status, contentType: textType, body: []byte(body)}
}

// asJSON encodes at once, while the caller still holds the lock.
func asJSON(status int, value any) *answer {
	body, err := json.Marshal(value)
	if err != nil {
		// Everything that is stored came out of a JSON decoder.
		panic(fmt.Sprintf("insightly emulator: %v", err))
	}
	return &answer{status: status, contentType: jsonType, body: body}
}

func message(status int, text string) *answer {
	return asJSON(status, kit.Pairs("Message", text))
}

// invalid is the vendor's answer to a request that it will not carry out. The
// shape of a 400 at version 3.1 is not confirmed; the switch has those that
// were seen in recordings and read by clients.
func (e *emulator) invalid(format string, args ...any) *answer {
	cause := fmt.Sprintf(format, args...)
	switch e.env.Switch("validation_body") {
	case "name_message":
		return asJSON(http.StatusBadRequest, kit.Pairs("Name", "ValidationError", "Message", cause))
	case "text":
		return text(http.StatusBadRequest, "A server exception was thrown.")
	case "empty":
		return empty(http.StatusBadRequest)
	default:
		return message(http.StatusBadRequest, cause)
	}
}

// unbindable answers a path segment or parameter that is not of its type.
func (e *emulator) unbindable() *answer { return e.invalid("The request is invalid.") }

func (e *emulator) notFound(object string, id int64) *answer {
	line := fmt.Sprintf("No %s with ID = %d", object, id)
	switch e.env.Switch("unknown_id") {
	case "404_json":
		return message(http.StatusNotFound, line)
	case "404_empty":
		return empty(http.StatusNotFound)
	default:
		return text(http.StatusNotFound, line)
	}
}

func notAllowed(r *request, allow string) *answer {
	a := message(http.StatusMethodNotAllowed, "The requested resource does not support http method '"+r.Method+"'.")
	if allow != "" {
		a.set("Allow", allow)
	}
	return a
}

func noRoute() *answer {
	return message(http.StatusNotFound, "No HTTP resource was found that matches the request URI.")
}
