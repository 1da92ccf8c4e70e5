package sdk

import (
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/errs"
)

// Operator compares a record's field with a filter's value.
type Operator = providerv1.Operator

// The operators.
const (
	Equal          = providerv1.Operator_OPERATOR_EQ
	Greater        = providerv1.Operator_OPERATOR_GT
	GreaterOrEqual = providerv1.Operator_OPERATOR_GTE
	Less           = providerv1.Operator_OPERATOR_LT
	LessOrEqual    = providerv1.Operator_OPERATOR_LTE
)

// Filter is what a list can be narrowed by.
type Filter struct {
	// Field is a field of the resource, dotted for a part of it as in
	// "email_addresses.email", or "search" or "is_deleted".
	Field     string
	Operators []Operator
}

// EqualTo are filters by equality, one for each field.
func EqualTo(fields ...string) []Filter {
	var filters []Filter
	for _, field := range fields {
		filters = append(filters, Filter{Field: field, Operators: []Operator{Equal}})
	}
	return filters
}

// ByTime are filters of instants with every operator, one for each field. The
// SDK compares the records of each page once more, to the digit, so Do need
// only ask the vendor for a list that holds the wanted ones; see
// [Filters.Range].
func ByTime(fields ...string) []Filter {
	var filters []Filter
	for _, field := range fields {
		filters = append(filters, Filter{Field: field, Operators: []Operator{Equal, Greater, GreaterOrEqual, Less, LessOrEqual}})
	}
	return filters
}

// FilterValue is one filter of a query.
type FilterValue struct {
	Field    string
	Operator Operator
	Value    string
}

// Filters are those of a query; all apply.
type Filters []FilterValue

// Text gives the value that a field is to be equal to.
func (f Filters) Text(field string) (string, bool) {
	for _, filter := range f {
		if filter.Field == field && filter.Operator == Equal {
			return filter.Value, true
		}
	}
	return "", false
}

// Has tells whether a field is filtered by.
func (f Filters) Has(field string) bool {
	for _, filter := range f {
		if filter.Field == field {
			return true
		}
	}
	return false
}

// Deleted tells whether the deleted records are wanted.
func (f Filters) Deleted() bool {
	text, _ := f.Text("is_deleted")
	return text == "true"
}

// Others are the fields that are filtered by beside the named ones, each once.
func (f Filters) Others(known ...string) []string {
	var others []string
	seen := map[string]bool{}
	for _, field := range known {
		seen[field] = true
	}
	for _, filter := range f {
		if !seen[filter.Field] {
			seen[filter.Field] = true
			others = append(others, filter.Field)
		}
	}
	return others
}

// Range is a span of time, both ends included; a nil end is open.
type Range struct{ From, To *time.Time }

// Range gives the span that a field's filters leave. What lies exactly on an
// end that is not wanted is taken out by the SDK.
func (f Filters) Range(field string) Range {
	var r Range
	for _, filter := range f {
		at, err := time.Parse(time.RFC3339Nano, filter.Value)
		if filter.Field != field || err != nil {
			continue
		}
		if filter.Operator != Less && filter.Operator != LessOrEqual && (r.From == nil || at.After(*r.From)) {
			r.From = &at
		}
		if filter.Operator != Greater && filter.Operator != GreaterOrEqual && (r.To == nil || at.Before(*r.To)) {
			r.To = &at
		}
	}
	return r
}

// Bounded tells whether there is an end at all.
func (r Range) Bounded() bool { return r.From != nil || r.To != nil }

// Unsupported is the error of a list whose filters or sort keys, each of which
// works alone, the vendor cannot serve together. The fields are those that
// have to go; "sort_by" stands for all sort keys.
func Unsupported(why string, fields ...string) error {
	e := errs.New(errs.Unsupported, "%s: leave out %s", why, strings.Join(fields, ", "))
	for _, field := range fields {
		e.Fields = append(e.Fields, errs.Field{Path: field, Description: why})
	}
	return e
}

// readFilters holds a request's filters to what the list advertises and to the
// protocol. What a vendor could take for no filter at all, such as an empty
// value, is refused: the list would hold everybody.
func readFilters(advertised []Filter, request []*providerv1.Filter, record protoreflect.MessageDescriptor) (Filters, error) {
	var filters Filters
	for _, f := range request {
		value := FilterValue{Field: f.GetField(), Operator: f.GetOperator(), Value: f.GetValue()}
		if problem := badFilter(value, record); problem != "" {
			e := errs.New(errs.InvalidParameter, "the filter by %.100s %s", value.Field, problem)
			e.Fields = []errs.Field{{Path: value.Field, Description: problem}}
			return nil, e
		}
		if !takes(advertised, value) {
			return nil, Unsupported("this provider advertises no such filter", value.Field)
		}
		if other, there := filters.Text(value.Field); there && value.Operator == Equal && !isInstant(record, value.Field) {
			if other == value.Value {
				continue
			}
			return nil, Unsupported("a list is filtered by one value of a field at a time", value.Field)
		}
		filters = append(filters, value)
	}
	return filters, nil
}

// badFilter tells what is wrong with a filter's value; "" when nothing is.
func badFilter(f FilterValue, record protoreflect.MessageDescriptor) string {
	switch {
	case f.Operator == providerv1.Operator_OPERATOR_UNSPECIFIED:
		return "has no operator"
	case strings.TrimSpace(f.Value) == "":
		return "has no value"
	case f.Field == "is_deleted" && f.Value != "true" && f.Value != "false":
		return "is either true or false"
	case isInstant(record, f.Field):
		if at, err := time.Parse(time.RFC3339Nano, f.Value); err != nil || !timestamppb.New(at).IsValid() {
			return "is not a date and time as RFC 3339 writes them"
		}
	}
	return ""
}

// isInstant tells whether a field of the record is a point in time.
func isInstant(record protoreflect.MessageDescriptor, name string) bool {
	field := record.Fields().ByName(protoreflect.Name(name))
	return field != nil && field.Message() != nil && field.Message().FullName() == "google.protobuf.Timestamp"
}

func takes(advertised []Filter, value FilterValue) bool {
	for _, filter := range advertised {
		if filter.Field != value.Field {
			continue
		}
		for _, operator := range filter.Operators {
			if operator == value.Operator {
				return true
			}
		}
	}
	return false
}

func readSort(advertised []string, request []*providerv1.SortKey) ([]SortKey, error) {
	var keys []SortKey
	for _, k := range request {
		known := false
		for _, key := range advertised {
			known = known || key == k.GetField()
		}
		if !known {
			return nil, Unsupported("this provider does not order by "+k.GetField(), "sort_by")
		}
		keys = append(keys, SortKey{Field: k.GetField(), Descending: k.GetDescending()})
	}
	return keys, nil
}

// withinTimes tells whether a record fits the filters of instants, to the
// digit. A record without the instant does not.
func withinTimes(record proto.Message, filters Filters) bool {
	message := record.ProtoReflect()
	for _, filter := range filters {
		if !isInstant(message.Descriptor(), filter.Field) {
			continue
		}
		field := message.Descriptor().Fields().ByName(protoreflect.Name(filter.Field))
		want, err := time.Parse(time.RFC3339Nano, filter.Value)
		if err != nil || !message.Has(field) {
			return false
		}
		got := message.Get(field).Message().Interface().(*timestamppb.Timestamp).AsTime().Compare(want)
		fits := map[Operator]bool{Equal: got == 0, Greater: got > 0, GreaterOrEqual: got >= 0, Less: got < 0, LessOrEqual: got <= 0}
		if !fits[filter.Operator] {
			return false
		}
	}
	return true
}
