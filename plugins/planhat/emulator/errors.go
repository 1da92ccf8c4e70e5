package emulator

import (
	"encoding/json"
	"fmt"
	"net/http"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// reply is an answer that has been made up and not yet been written.
type reply struct {
	status      int
	contentType string // empty for JSON and for no body
	text        string
	json        json.RawMessage
}

// respond answers with a JSON value, encoded at once because the caller holds the
// lock on what value points to.
func respond(status int, value any) reply {
	body, err := json.Marshal(value)
	if err != nil {
		return reply{status: http.StatusInternalServerError, contentType: "text/plain; charset=utf-8", text: err.Error()}
	}
	return reply{status: status, json: body}
}

func (a reply) write(w http.ResponseWriter) {
	switch {
	case a.json != nil:
		kit.WriteJSON(w, a.status, a.json)
	case a.contentType != "":
		w.Header().Set("Content-Type", a.contentType)
		w.WriteHeader(a.status)
		_, _ = w.Write([]byte(a.text))
	default:
		w.WriteHeader(a.status)
	}
}

// fail answers with an error. What its body looks like is not confirmed
// anywhere: clients read it as text, so text is the default.
func (p *planhat) fail(status int, message string) reply {
	switch p.env.Switch("error_body") {
	case "json_message":
		return respond(status, kit.Pairs("message", message))
	case "json_error":
		return respond(status, kit.Pairs("error", message))
	case "html":
		page := fmt.Sprintf("<html><body><h1>%d %s</h1></body></html>", status, http.StatusText(status))
		return reply{status: status, contentType: "text/html; charset=utf-8", text: page}
	case "empty":
		return reply{status: status}
	default:
		return reply{status: status, contentType: "text/plain; charset=utf-8", text: message}
	}
}

func (p *planhat) notFound() reply { return p.fail(http.StatusNotFound, "Not Found") }

// malformed answers to an id that is neither 24 hexadecimal digits nor a
// prefixed one.
func (p *planhat) malformed(id string) reply {
	switch p.env.Switch("malformed_id") {
	case "404":
		return p.notFound()
	case "500":
		return p.fail(http.StatusInternalServerError, id+" is not a valid id")
	default:
		return p.fail(http.StatusBadRequest, id+" is not a valid id")
	}
}
