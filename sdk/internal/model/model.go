// Package model holds what both the SDK and the conformance suite ask of the
// unified model.
package model

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	crmv1 "github.com/unicrm/unicrm/proto/unicrm/crm/v1"
)

// HasPath tells whether a dotted path leads to a field of the message.
func HasPath(message protoreflect.MessageDescriptor, path string) bool {
	for name := range strings.SplitSeq(path, ".") {
		if message == nil {
			return false
		}
		field := message.Fields().ByName(protoreflect.Name(name))
		if field == nil {
			return false
		}
		message = field.Message()
	}
	return true
}

// IsReadOnly tells whether no caller can ever write a field of the record.
func IsReadOnly(record protoreflect.MessageDescriptor, name string) bool {
	field := record.Fields().ByName(protoreflect.Name(name))
	return field != nil && ruleOf(field).GetReadOnly()
}

func ruleOf(field protoreflect.FieldDescriptor) *crmv1.FieldRule {
	rule, _ := proto.GetExtension(field.Options(), crmv1.E_Field).(*crmv1.FieldRule)
	return rule
}

// HostileIDs must all be refused by every pattern of ids: as a segment of a path
// they would change the request.
var HostileIDs = []string{
	"a/b", "a?b", "a#b", "a%2fb", "a b", "1?x=1", "1#", "1%00",
	"", ".", "..", "/", "1/", "/1", "1/2", "1/../2", "../1", "?", "1#x", "#", "1%2f2", "%2e%2e", "%",
	" ", "1 ", " 1", "1 2", "1\n", "\n1", "1\r\n2", "\t1", "1\x00", "1\u00a0", "\u30001", "1\u2028",
}

// Covers tells whether a path of a record is one of the paths, or lies in one.
func Covers(paths []string, path string) bool {
	for _, p := range paths {
		if p == path || strings.HasPrefix(path, p+".") {
			return true
		}
	}
	return false
}

// Touches tells whether a path is covered, or has something in it that is.
func Touches(paths []string, path string) bool {
	for _, p := range paths {
		if strings.HasPrefix(p, path+".") {
			return true
		}
	}
	return Covers(paths, path)
}

// SetPaths are the dotted paths, without indices, of the values that a record
// holds; each once.
func SetPaths(record protoreflect.Message) []string {
	var paths []string
	seen := map[string]bool{}
	collect(record, "", func(path string) {
		if !seen[path] {
			seen[path] = true
			paths = append(paths, path)
		}
	})
	return paths
}

func collect(record protoreflect.Message, prefix string, add func(string)) {
	if !record.IsValid() {
		return
	}
	record.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		path := prefix + string(field.Name())
		switch {
		case field.IsList() && field.Message() != nil:
			for i := range value.List().Len() {
				collect(value.List().Get(i).Message(), path+".", add)
			}
		case field.Message() != nil && field.Message().FullName() != "google.protobuf.Timestamp":
			collect(value.Message(), path+".", add)
		default:
			add(path)
		}
		return true
	})
}

// IsSet tells whether a record has a value at a path; of a list, whether any
// item has. Empty text is none.
func IsSet(record protoreflect.Message, path string) bool {
	name, rest, nested := strings.Cut(path, ".")
	field := record.Descriptor().Fields().ByName(protoreflect.Name(name))
	if field == nil || !record.Has(field) {
		return false
	}
	value := record.Get(field)
	switch {
	case field.IsList():
		if !nested {
			return value.List().Len() > 0
		}
		for i := range value.List().Len() {
			if IsSet(value.List().Get(i).Message(), rest) {
				return true
			}
		}
		return false
	case nested:
		return IsSet(value.Message(), rest)
	case field.Kind() == protoreflect.StringKind:
		return strings.TrimSpace(value.String()) != ""
	default:
		return true
	}
}

// IsInstant tells whether a field is a time.
func IsInstant(record protoreflect.MessageDescriptor, name string) bool {
	field := record.Fields().ByName(protoreflect.Name(name))
	return field != nil && field.Message() != nil && field.Message().FullName() == "google.protobuf.Timestamp"
}

// IsSortable tells whether lists can be ordered by a field.
func IsSortable(record protoreflect.MessageDescriptor, name string) bool {
	field := record.Fields().ByName(protoreflect.Name(name))
	return field != nil && ruleOf(field).GetSortable()
}
