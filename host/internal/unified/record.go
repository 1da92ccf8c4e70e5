package unified

import (
	"encoding/json"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Record holds the values that a provider gave, by field name; a field without
// one is not in it. The types are those of the Kinds.
type Record map[string]any

// RecordOf reads a message of the protocol's model.
func RecordOf(message protoreflect.Message) Record {
	if !message.IsValid() {
		return nil
	}
	r := Record{}
	message.Range(func(d protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		name := string(d.Name())
		switch {
		case d.IsList():
			list := value.List()
			records := make([]Record, list.Len())
			for i := range records {
				records[i] = RecordOf(list.Get(i).Message())
			}
			r[name] = records
		case d.Message() != nil:
			if t, ok := value.Message().Interface().(*timestamppb.Timestamp); ok {
				if t.IsValid() { // a broken one from a plugin reads as absent
					r[name] = t.AsTime()
				}
			} else {
				r[name] = RecordOf(value.Message())
			}
		case d.Kind() == protoreflect.BytesKind:
			r[name] = json.RawMessage(value.Bytes())
		default:
			r[name] = value.Interface()
		}
		return true
	})
	return r
}

// formatInstant writes RFC 3339 in UTC, with a fraction only when there is one.
func formatInstant(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
