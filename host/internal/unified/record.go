package unified

import (
	"encoding/json"
	"fmt"
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

// Fill sets the fields of a message to the record's values. A value that the
// message has no field for is an error: the host's own mistake.
func (r Record) Fill(message protoreflect.Message) error {
	fields := message.Descriptor().Fields()
	for name, value := range r {
		d := fields.ByName(protoreflect.Name(name))
		if d == nil {
			return fmt.Errorf("%s has no field %q", message.Descriptor().FullName(), name)
		}
		if err := fillField(message, d, value); err != nil {
			return err
		}
	}
	return nil
}

func fillField(message protoreflect.Message, d protoreflect.FieldDescriptor, value any) error {
	wrong := fmt.Errorf("%s is no %T", d.FullName(), value)
	switch v := value.(type) {
	case Record:
		if d.Message() == nil || d.IsList() {
			return wrong
		}
		return v.Fill(message.Mutable(d).Message())
	case []Record:
		if d.Message() == nil || !d.IsList() {
			return wrong
		}
		list := message.Mutable(d).List()
		for _, item := range v {
			if err := item.Fill(list.AppendMutable().Message()); err != nil {
				return err
			}
		}
		return nil
	case time.Time:
		if d.IsList() || d.Message() == nil || d.Message().FullName() != "google.protobuf.Timestamp" {
			return wrong
		}
		message.Set(d, protoreflect.ValueOfMessage(timestamppb.New(v).ProtoReflect()))
		return nil
	}
	if d.IsList() {
		return wrong
	}
	switch v := value.(type) {
	case string:
		if d.Kind() == protoreflect.StringKind {
			message.Set(d, protoreflect.ValueOfString(v))
			return nil
		}
	case bool:
		if d.Kind() == protoreflect.BoolKind {
			message.Set(d, protoreflect.ValueOfBool(v))
			return nil
		}
	case json.RawMessage:
		if d.Kind() == protoreflect.BytesKind {
			message.Set(d, protoreflect.ValueOfBytes(v))
			return nil
		}
	case int64:
		switch d.Kind() {
		case protoreflect.Int64Kind:
			message.Set(d, protoreflect.ValueOfInt64(v))
			return nil
		case protoreflect.DoubleKind:
			message.Set(d, protoreflect.ValueOfFloat64(float64(v)))
			return nil
		}
	case float64:
		if d.Kind() == protoreflect.DoubleKind {
			message.Set(d, protoreflect.ValueOfFloat64(v))
			return nil
		}
	}
	return wrong
}

// FormatInstant writes RFC 3339 in UTC, with a fraction only when there is one.
func FormatInstant(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }
