package emulator

import (
	"net/http"
	"strconv"
	"strings"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// Codes and names that a recorded reply or the vendor's pages show.
const (
	codeInvalid  = 117 // ERROR_PARAMETER_INVALID, recorded on a body that is no JSON
	codeMissing  = 119 // ERROR_PARAMETER_MISSING, recorded on a required value
	codeRelation = 120 // ERROR_RELATIONS_DOESNT_EXIST, from the vendor's page on bulk calls
)

// failure is an answer that is not a success, nil when there is none.
type failure interface {
	write(w http.ResponseWriter)
	// object is the body, for a batch's list of results.
	object() *kit.Object
}

type apiError struct {
	status int
	body   *kit.Object
}

func (e *apiError) write(w http.ResponseWriter) { writeJSON(w, e.status, e.body) }
func (e *apiError) object() *kit.Object         { return e.body }

// newError makes the vendor's Error object.
func newError(status, code int, name, message string) *apiError {
	return &apiError{status, kit.Pairs("code", code, "name", name, "message", message, "http_status", status, "success", false)}
}

func badParameter(message string) failure {
	return newError(http.StatusBadRequest, codeInvalid, "ERROR_PARAMETER_INVALID", message)
}

var badBody = badParameter("Missing or invalid JSON data.")

func unknownType(collection string) failure {
	return newError(http.StatusNotFound, 2006, "ERROR_UNKNOWN_TYPE", "cannot determine entity type from "+collection)
}

// unconfirmed is an Error whose status is likely but whose code and name
// nobody has seen; the name says so, lest somebody take it for evidence.
func unconfirmed(status int, name, message string) failure {
	return newError(status, 0, "ERROR_UNCONFIRMED_"+name, message)
}

// routeError is the other shape: without "success", for a URL of no route.
func routeError(status int, message string) failure {
	return &apiError{status, kit.Pairs("status", status, "message", message, "errorcode", nil, "traceback", nil)}
}

var noRoute = routeError(http.StatusNotFound,
	"The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.")

// problem is one thing wrong with a record. Without a field it is the
// entity's.
type problem struct {
	field   string
	code    int
	message string
}

func (p problem) name() string {
	switch p.code {
	case codeMissing:
		return "ERROR_PARAMETER_MISSING"
	case codeRelation:
		return "ERROR_RELATIONS_DOESNT_EXIST"
	default:
		return "ERROR_PARAMETER_INVALID"
	}
}

func invalid(field, message string) problem { return problem{field, codeInvalid, message} }

// validationError makes the recorded 422. index is the item's place in a
// batch, nil for a single record.
func validationError(s *store, c *collection, id string, index any, problems []problem) failure {
	entityErrors, fieldErrors := []any{}, []any{}
	byField := map[string]*kit.Object{}
	var messages strings.Builder
	for _, p := range problems {
		messages.WriteString("\n" + p.message)
		inner := kit.Pairs("code", p.code, "name", p.name(), "message", p.message)
		if p.field == "" {
			entityErrors = append(entityErrors, inner)
			continue
		}
		fieldID := s.fieldID(c.entity, p.field)
		inner.Set("field_id", fieldID)
		inner.Set("field_name", p.field)
		of := byField[p.field]
		if of == nil {
			of = kit.Pairs("field_id", fieldID, "field_name", p.field, "name", "ERROR_FIELD_VALIDATION", "code", 40002, "errors", []any{})
			byField[p.field] = of
			fieldErrors = append(fieldErrors, of)
		}
		of.Set("errors", append(of.Get("errors").([]any), inner))
	}
	return &apiError{http.StatusUnprocessableEntity, kit.Pairs(
		"code", 40000, "name", "ERROR_ENTITY_VALIDATION", "message", messages.String(),
		"entity_id", id, "entity_name", c.entity,
		"entity_errors", entityErrors, "field_errors", fieldErrors, "step_checklist_errors", []any{},
		"entity_index", index, "http_status", http.StatusUnprocessableEntity, "success", false,
	)}
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	kit.WriteJSON(w, status, body)
}

func writeData(w http.ResponseWriter, status int, data any) failure {
	writeJSON(w, status, kit.Pairs("success", true, "data", data))
	return nil
}

func (i *instance) refuseRate(w http.ResponseWriter, wait int) {
	if i.env.Switch("rate_limit_headers") == "retry_after" {
		w.Header().Set("Retry-After", strconv.Itoa(wait))
	}
	unconfirmed(http.StatusTooManyRequests, "RATE_LIMIT", "Too many requests.").write(w)
}
