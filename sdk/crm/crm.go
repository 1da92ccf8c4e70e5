// Package crm is the unified CRM model as plain Go types, generated from the
// protocol. A nil pointer, slice or RawMessage means that the vendor gave no
// value. Ids are strings, instants are in UTC, vendor-owned JSON
// (CustomFields, RemoteData) is kept verbatim.
package crm

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// Text gives a pointer to s, or nil when s is empty or only white space: for
// vendors that write "" where others write null.
func Text(s string) *string {
	if strings.TrimSpace(s) == "" {
		return nil
	}
	return &s
}

// FullName joins the parts that are there by a space; nil when none is.
func FullName(parts ...*string) *string {
	var there []string
	for _, part := range parts {
		if part != nil && strings.TrimSpace(*part) != "" {
			there = append(there, strings.TrimSpace(*part))
		}
	}
	return Text(strings.Join(there, " "))
}

// AccountID is the id of a reference that may be nil.
func AccountID(a *AccountReference) *string {
	if a == nil {
		return nil
	}
	return a.ID
}

// OwnerID is the id of a reference that may be nil.
func OwnerID(o *UserReference) *string {
	if o == nil {
		return nil
	}
	return o.ID
}

func toTimestamp(t *time.Time) *timestamppb.Timestamp {
	if t == nil {
		return nil
	}
	return timestamppb.New(*t)
}

func fromTimestamp(t *timestamppb.Timestamp) *time.Time {
	if t == nil {
		return nil
	}
	instant := t.AsTime()
	return &instant
}

// validText makes the text fit for the protocol, which refuses broken UTF-8.
func validText(s *string) *string {
	if s == nil {
		return nil
	}
	valid := strings.ToValidUTF8(*s, "\uFFFD")
	return &valid
}
