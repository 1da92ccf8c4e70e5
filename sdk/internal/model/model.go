// Package model holds what both the SDK and the conformance suite ask of the
// unified model.
package model

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
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

// HostileIDs must all be refused by every pattern of ids: as a segment of a path
// they would change the request.
var HostileIDs = []string{
	"a/b", "a?b", "a#b", "a%2fb", "a b", "1?x=1", "1#", "1%00",
	"", ".", "..", "/", "1/", "/1", "1/2", "1/../2", "../1", "?", "1#x", "#", "1%2f2", "%2e%2e", "%",
	" ", "1 ", " 1", "1 2", "1\n", "\n1", "1\r\n2", "\t1", "1\x00", "1\u00a0", "\u30001", "1\u2028",
}
