package emulator

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

var errNotJSON = errors.New("not JSON")

// payload takes the attributes out of {"data": {...}}. Anything beside data,
// such as meta, is left alone: the vendor calls meta.type optional.
func (v *vendor) payload(c *call) (*kit.Object, *reply) {
	if v.env.Switch("content_type") == "required" && mediaType(c.header) != "application/json" {
		re := refuse(http.StatusBadRequest, problem{code: "invalid_header", details: "the request header 'Content-Type' must be application/json"})
		return nil, &re
	}
	// Valid first: it bounds the depth, which ParseValue does not.
	var value any
	err := errNotJSON
	if json.Valid(c.body) {
		value, err = kit.ParseValue(c.body)
	}
	if err != nil {
		re := refuse(http.StatusBadRequest, problem{code: "invalid_payload", details: "the payload must be JSON"})
		return nil, &re
	}
	if envelope, ok := value.(*kit.Object); ok {
		if data, ok := envelope.Get("data").(*kit.Object); ok {
			return data, nil
		}
	}
	re := refuse(http.StatusUnprocessableEntity, problem{code: "incorrect_payload", details: "the payload must be an object with the key 'data'"})
	return nil, &re
}

func mediaType(h http.Header) string {
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return media
}
