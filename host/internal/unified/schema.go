package unified

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	crmv1 "github.com/unicrm/unicrm/proto/unicrm/crm/v1"
)

// Kind is the shape of a field's value.
type Kind int

// The kinds, each with the Go type of its values in a Record.
const (
	Text    Kind = iota // string
	Boolean             // bool
	Number              // float64 or int64
	Instant             // time.Time
	JSON                // json.RawMessage, one JSON value
	Object              // Record
	Objects             // []Record
	Texts               // []string; in bodies that are no record
)

// Field is one field of the unified model.
type Field struct {
	Name       string
	Kind       Kind
	Format     crmv1.Format
	ReadOnly   bool
	Filterable bool
	Sortable   bool
	Fields     []Field // of Object and Objects
}

// Schema is one resource of the unified model.
type Schema struct {
	Resource string
	Fields   []Field // in the order of answers
}

// Field finds a field by name.
func (s *Schema) Field(name string) (Field, bool) { return find(s.Fields, name) }

func find(fields []Field, name string) (Field, bool) {
	for _, f := range fields {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// plannedResources are the resources of the contract that the protocol does
// not have yet: known, but not to be had.
var plannedResources = map[string]bool{
	"accounts": true, "leads": true, "opportunities": true, "tasks": true, "notes": true, "engagements": true,
	"engagement_types": true, "users": true, "pipelines": true, "stages": true, "fields": true, "field_groups": true,
	"projects": true, "associations": true, "views": true, "workspaces": true,
}

// Planned tells whether a resource is part of the contract though not built.
func Planned(resource string) bool { return plannedResources[resource] }

var schemas = readSchemas(crmv1.File_unicrm_crm_v1_contacts_proto)

// SchemaOf gives the schema of a resource.
func SchemaOf(resource string) (*Schema, bool) {
	s, ok := schemas[resource]
	return s, ok
}

// readSchemas collects the messages that are marked as a resource's record.
func readSchemas(files ...protoreflect.FileDescriptor) map[string]*Schema {
	all := map[string]*Schema{}
	for _, file := range files {
		for i := range file.Messages().Len() {
			message := file.Messages().Get(i)
			resource, _ := proto.GetExtension(message.Options(), crmv1.E_Resource).(string)
			if resource != "" {
				all[resource] = &Schema{Resource: resource, Fields: readFields(message)}
			}
		}
	}
	return all
}

func readFields(message protoreflect.MessageDescriptor) []Field {
	var fields []Field
	for i := range message.Fields().Len() {
		d := message.Fields().Get(i)
		rule, _ := proto.GetExtension(d.Options(), crmv1.E_Field).(*crmv1.FieldRule)
		f := Field{
			Name: string(d.Name()), Format: rule.GetFormat(), ReadOnly: rule.GetReadOnly(),
			Filterable: rule.GetFilterable(), Sortable: rule.GetSortable(),
		}
		switch {
		case d.IsList():
			f.Kind, f.Fields = Objects, readFields(d.Message())
		case d.Message() != nil && d.Message().FullName() == "google.protobuf.Timestamp":
			f.Kind = Instant
		case d.Message() != nil:
			f.Kind, f.Fields = Object, readFields(d.Message())
		case rule.GetFormat() == crmv1.Format_FORMAT_JSON:
			f.Kind = JSON
		case d.Kind() == protoreflect.BoolKind:
			f.Kind = Boolean
		case d.Kind() == protoreflect.StringKind:
			f.Kind = Text
		default:
			f.Kind = Number
		}
		fields = append(fields, f)
	}
	return fields
}
