package emulator

import (
	"fmt"
	"net/http"
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// failure is an answer other than 200.
type failure struct {
	status  int
	message string
	// code makes it an application error, violations a validation error;
	// with neither it has a message alone.
	code       string
	data       *kit.Object
	violations []violation
	// refusal marks 401, 403 and 429, whose bodies vary.
	refusal bool
	header  map[string]string
}

// violation is one entry of a validation error.
type violation struct {
	field, description, rule string
	ruleName                 string
	data                     *kit.Object
}

func applicationError(status int, code, message string) *failure {
	return &failure{status: status, code: code, message: message, data: kit.Pairs()}
}

func contactNotFound() *failure {
	return applicationError(http.StatusNotFound, "CONTACT_NOT_FOUND", "Contact was not found.")
}

func invalid(violations ...violation) *failure {
	sentences := make([]string, len(violations))
	for i, v := range violations {
		sentences[i] = v.field + " " + v.description
	}
	return &failure{status: http.StatusBadRequest, message: strings.Join(sentences, ", "), violations: violations}
}

// plain is an error with a message and nothing else, as for a body that is
// not JSON.
func plain(status int, format string, args ...any) *failure {
	return &failure{status: status, message: fmt.Sprintf(format, args...)}
}

func refused(status int, code, message string) *failure {
	return &failure{status: status, code: code, message: message, data: kit.Pairs(), refusal: true}
}

// noSuchRoute is what a path or method outside the API gets.
func noSuchRoute() *failure { return &failure{status: http.StatusNotFound} }

func (f *failure) write(w http.ResponseWriter, env *kit.Env) {
	for name, value := range f.header {
		w.Header().Set(name, value)
	}
	message, details := f.message, f.details()
	if f.refusal {
		switch env.Switch("refusal_body") {
		case "empty_message":
			message, details = "", kit.Pairs()
		case "no_details":
			message, details = "", nil
		}
	} else {
		switch env.Switch("error_details") {
		case "empty":
			details = kit.Pairs()
		case "missing":
			details = nil
		}
	}
	body := kit.Pairs("message", message)
	if details != nil {
		body.Set("details", details)
	}
	kit.WriteJSON(w, f.status, body)
}

func (f *failure) details() *kit.Object {
	switch {
	case f.code != "":
		return kit.Pairs("applicationError", kit.Pairs("code", f.code, "description", f.message, "data", f.data))
	case len(f.violations) > 0:
		list := make([]any, len(f.violations))
		for i, v := range f.violations {
			entry := kit.Pairs("field", v.field, "description", v.description, "violatedRule", v.rule)
			if v.ruleName != "" {
				entry.Set("ruleName", v.ruleName)
			}
			if v.data != nil {
				entry.Set("data", v.data)
			}
			list[i] = entry
		}
		return kit.Pairs("validationError", kit.Pairs("fieldViolations", list))
	default:
		return kit.Pairs()
	}
}
