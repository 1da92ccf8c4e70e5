package providertest

import (
	"bytes"
	"encoding/json"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/vendorjson"
)

// jsonOf is a contact's mapped fields as JSON with the unified model's names.
func jsonOf(c *crm.Contact) json.RawMessage {
	data, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(c.Proto())
	if err != nil {
		panic("providertest: a contact has no JSON form: " + err.Error())
	}
	return data
}

type customMember struct{ name, value string }

// customMembers are custom fields with their values as they are written, but
// for white space: 1.50 is not 1.5.
func customMembers(raw json.RawMessage) []customMember {
	var members []customMember
	for _, m := range vendorjson.Members(raw) {
		var compact bytes.Buffer
		_ = json.Compact(&compact, m.Value)
		members = append(members, customMember{m.Key, compact.String()})
	}
	return members
}
