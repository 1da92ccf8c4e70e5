package conformance

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/errs"
)

// listChecks are about lists that are narrowed and ordered. What is equal is the
// vendor's to say: whether case counts, or signs in a number. So only values as
// the vendor writes them are asked for.
var listChecks = []check{
	{
		name:   "lists/filters",
		title:  "every advertised filter gives the records that fit it and no others, in pages of any size",
		advice: "Ask the vendor for the filter, or for a list that holds the wanted records, and take out the others; refuse values that are none, such as an instant that cannot be read. Advertise a filter only where it finds every record.",
		needs:  needsVendor,
		alone:  true,
		run:    filtered,
	},
	{
		name:   "lists/order",
		title:  "every advertised sort key orders the list, both ways, and loses nobody",
		advice: "Hand the key to the vendor as it names it, and walk the pages in that order; advertise the keys alone that the vendor can order by.",
		needs:  needsVendor,
		alone:  true,
		run:    ordered,
	},
}

// reading reads a whole list; nil, and told, when that fails. Records that come
// twice are there once: a vendor may look into two of its fields one after the
// other.
func (x *trial) reading(c call, what string) []protoreflect.Message {
	c.account = x.account(x.vendor.emulator)
	records := []protoreflect.Message{}
	seen := map[string]bool{}
	for range maxPages {
		a := x.do(c)
		if !a.ok() {
			x.problem("%s: %s it answered %s", c.method, what, a)
			return nil
		}
		for _, record := range a.records {
			if id := idOf(record); !seen[id] {
				seen[id] = true
				records = append(records, record)
			}
		}
		if c.token = a.next; a.next == "" {
			return records
		}
	}
	x.problem("%s: %s the list does not end", c.method, what)
	return nil
}

func idsOfAll(records []protoreflect.Message) []string {
	var ids []string
	for _, record := range records {
		ids = append(ids, idOf(record))
	}
	return sorted(ids)
}

// valuesAt are the texts at a path of a record, all items of lists.
func valuesAt(message protoreflect.Message, path string) []string {
	name, rest, nested := strings.Cut(path, ".")
	field := message.Descriptor().Fields().ByName(protoreflect.Name(name))
	switch {
	case field == nil || !message.Has(field):
		return nil
	case field.IsList() && nested:
		var values []string
		for i := range message.Get(field).List().Len() {
			values = append(values, valuesAt(message.Get(field).List().Get(i).Message(), rest)...)
		}
		return values
	case field.IsList():
		return valuesAt(message, path+"."+mainPart(field))
	case nested:
		return valuesAt(message.Get(field).Message(), rest)
	case field.Kind() == protoreflect.StringKind:
		return []string{message.Get(field).String()}
	default:
		return nil
	}
}

// mainPart is what an item of a list is above all, such as the address of an
// e-mail address.
func mainPart(list protoreflect.FieldDescriptor) string {
	for _, name := range []string{"email", "number", "url", "name", "street_1"} {
		if list.Message() != nil && list.Message().Fields().ByName(protoreflect.Name(name)) != nil {
			return name
		}
	}
	return "id"
}

// fieldAt is the field at the end of a path.
func fieldAt(record protoreflect.MessageDescriptor, path string) protoreflect.FieldDescriptor {
	var field protoreflect.FieldDescriptor
	for name := range strings.SplitSeq(path, ".") {
		if record == nil {
			return nil
		}
		if field = record.Fields().ByName(protoreflect.Name(name)); field == nil {
			return nil
		}
		record = field.Message()
	}
	return field
}

func instantAt(record protoreflect.Message, field protoreflect.FieldDescriptor) (time.Time, bool) {
	if !record.Has(field) {
		return time.Time{}, false
	}
	at, ok := record.Get(field).Message().Interface().(*timestamppb.Timestamp)
	return at.AsTime(), ok
}

func filtered(x *trial) {
	tried := 0
	for _, m := range x.anew(list) {
		everybody := x.reading(call{method: m, size: 50}, "without a filter")
		for _, f := range m.advertised.GetFilters() {
			tried++
			field := fieldAt(recordOf(m.resource), f.GetField())
			switch {
			case f.GetField() == "is_deleted":
				x.filteredDeleted(m, everybody)
			case f.GetField() == "search":
				x.reading(call{method: m, size: 7, filters: []*providerv1.Filter{{Field: "search", Operator: providerv1.Operator_OPERATOR_EQ, Value: "Quill"}}}, "with a search")
			case field != nil && isTimestamp(field):
				x.filteredByTime(m, f, field, everybody)
			case field != nil:
				x.filteredByText(m, f, field, everybody)
			}
			x.filtersRefused(m, f, field)
		}
	}
	if tried == 0 {
		x.skip("no filter is advertised")
	}
}

// filteredByText asks for values that a few of the records have.
func (x *trial) filteredByText(m *method, f *providerv1.FilterCapability, field protoreflect.FieldDescriptor, everybody []protoreflect.Message) {
	ask := func(value string, size int) []protoreflect.Message {
		return x.reading(call{method: m, size: size, filters: []*providerv1.Filter{{Field: f.GetField(), Operator: providerv1.Operator_OPERATOR_EQ, Value: value}}}, fmt.Sprintf("filtered by %s=%q", f.GetField(), value))
	}
	if field.IsList() {
		field = field.Message().Fields().ByName(protoreflect.Name(mainPart(field)))
	}
	asked := map[string]bool{}
	for i, record := range everybody {
		values := valuesAt(record, f.GetField())
		if len(values) == 0 || strings.TrimSpace(values[0]) != values[0] || values[0] == "" || asked[values[0]] {
			continue
		}
		value := values[0]
		asked[value] = true
		found := ask(value, 1+i%7)
		if found == nil {
			return
		}
		ids := idsOfAll(found)
		for _, other := range everybody {
			// In a list the first item is the primary one, which every vendor looks at.
			if first := valuesAt(other, f.GetField()); len(first) > 0 && first[0] == value && !contains(ids, idOf(other)) {
				x.problem("%s: filtered by %s=%q it did not give the record %s, which has it", m, f.GetField(), value, idOf(other))
			}
		}
		for _, got := range found {
			if !slices.ContainsFunc(valuesAt(got, f.GetField()), func(has string) bool { return strings.EqualFold(has, value) || alike(field, has, value) }) {
				x.problem("%s: filtered by %s=%q it gave the record %s, which has %q", m, f.GetField(), value, idOf(got), valuesAt(got, f.GetField()))
			}
		}
		if len(asked) == 4 {
			break
		}
	}
	if len(asked) == 0 {
		x.note("%s: no record of the emulator's seed has a value for %s, so the filter by it was not tried", m, f.GetField())
	}
	nobody := "Nobody Conformance"
	switch mainPartFormat(field) {
	case "email":
		nobody = "nobody@conformance.example.com"
	case "phone":
		nobody = "+44 20 7946 9999"
	}
	if found := ask(nobody, 5); len(found) > 0 {
		x.problem("%s: filtered by %s=%q, which nobody has, it gave %d records", m, f.GetField(), nobody, len(found))
	}
}

func mainPartFormat(field protoreflect.FieldDescriptor) string {
	return strings.ToLower(strings.TrimPrefix(formatOf(field).String(), "FORMAT_"))
}

// comparisons are what each operator means.
var comparisons = map[providerv1.Operator]func(c int) bool{
	providerv1.Operator_OPERATOR_EQ: func(c int) bool { return c == 0 }, providerv1.Operator_OPERATOR_GT: func(c int) bool { return c > 0 }, providerv1.Operator_OPERATOR_GTE: func(c int) bool { return c >= 0 },
	providerv1.Operator_OPERATOR_LT: func(c int) bool { return c < 0 }, providerv1.Operator_OPERATOR_LTE: func(c int) bool { return c <= 0 },
}

func (x *trial) filteredByTime(m *method, f *providerv1.FilterCapability, field protoreflect.FieldDescriptor, everybody []protoreflect.Message) {
	var instants []time.Time
	for _, record := range everybody {
		if at, ok := instantAt(record, field); ok {
			instants = append(instants, at)
		}
	}
	if len(instants) == 0 {
		x.note("%s: no record of the emulator's seed has %s, so the filter by it was not tried", m, f.GetField())
		return
	}
	slices.SortFunc(instants, time.Time.Compare)
	marks := []time.Time{instants[len(instants)/2], instants[0], instants[len(instants)-1].Add(time.Hour)}
	for _, operator := range f.GetOperators() {
		fits := comparisons[operator]
		if fits == nil {
			continue // manifest/contents tells of it
		}
		for i, mark := range marks {
			value := mark.UTC().Format(time.RFC3339Nano)
			what := fmt.Sprintf("filtered by %s %s %s", f.GetField(), strings.ToLower(strings.TrimPrefix(operator.String(), "OPERATOR_")), value)
			found := x.reading(call{method: m, size: 7 + 20*i, filters: []*providerv1.Filter{{Field: f.GetField(), Operator: operator, Value: value}}}, what)
			if found == nil {
				return
			}
			var want []string
			for _, record := range everybody {
				if at, ok := instantAt(record, field); ok && fits(at.Compare(mark)) {
					want = append(want, idOf(record))
				}
			}
			got := idsOfAll(found)
			if missing, more := without(want, got), without(got, want); len(missing)+len(more) > 0 {
				x.problem("%s: %s it gave %d records where %d fit; it left out %s and gave %s besides", m, what, len(got), len(want), some(missing), some(more))
			}
		}
	}
}

// filteredDeleted deletes a record and looks for it where the deleted ones are.
func (x *trial) filteredDeleted(m *method, everybody []protoreflect.Message) {
	deleted := func() []protoreflect.Message {
		return x.reading(call{method: m, size: 7, filters: []*providerv1.Filter{{Field: "is_deleted", Operator: providerv1.Operator_OPERATOR_EQ, Value: "true"}}}, "filtered by is_deleted=true")
	}
	found := deleted()
	for _, id := range idsOfAll(found) {
		if contains(idsOfAll(everybody), id) {
			x.problem("%s: filtered by is_deleted=true it gave the record %s, which is not deleted", m, id)
		}
	}
	remover := x.sibling(m, remove)
	if remover == nil || found == nil {
		return
	}
	id := x.deletable(remover)
	if id == "" || !x.do(call{method: remover, account: x.account(x.vendor.emulator), id: id}).ok() {
		return
	}
	if !contains(idsOfAll(deleted()), id) {
		x.problem("%s: the record %s was deleted, and filtered by is_deleted=true it is not there", m, id)
	}
	_ = x.reset()
}

// filtersRefused notes filters of an advertised field that make no sense and are
// not refused.
func (x *trial) filtersRefused(m *method, f *providerv1.FilterCapability, field protoreflect.FieldDescriptor) {
	odd := map[string]*providerv1.Filter{
		"no value":    {Field: f.GetField(), Operator: providerv1.Operator_OPERATOR_EQ},
		"no operator": {Field: f.GetField(), Value: "x"},
	}
	if field != nil && isTimestamp(field) {
		odd["no value"].Operator = f.GetOperators()[0]
		odd["an instant that is none"] = &providerv1.Filter{Field: f.GetField(), Operator: f.GetOperators()[0], Value: "the day before yesterday"}
	}
	for operator := range comparisons {
		if !slices.Contains(f.GetOperators(), operator) {
			odd["the operator "+operator.String()] = &providerv1.Filter{Field: f.GetField(), Operator: operator, Value: "2024-01-01T00:00:00Z"}
		}
	}
	for what, filter := range odd {
		a := x.do(call{method: m, account: x.account(x.vendor.emulator), size: 5, filters: []*providerv1.Filter{filter}})
		if a.reason() != errs.InvalidParameter && a.reason() != errs.Unsupported {
			x.problem("%s: filtered by %s with %s it answered %s", m, f.GetField(), what, a)
		}
	}
}

func ordered(x *trial) {
	tried := 0
	for _, m := range x.anew(list) {
		everybody := idsOfAll(x.reading(call{method: m, size: 50}, "without an order"))
		for _, key := range m.advertised.GetSortKeys() {
			tried++
			field := fieldAt(recordOf(m.resource), key)
			if field == nil {
				continue // manifest/contents tells of it
			}
			for _, descending := range []bool{false, true} {
				what := "ordered by " + key
				if descending {
					what += ", descending,"
				}
				for _, size := range []int{7, m.pageCap()} {
					records := x.reading(call{method: m, size: size, sort: []*providerv1.SortKey{{Field: key, Descending: descending}}}, what)
					if records == nil {
						break
					}
					ids := idsOfAll(records)
					if missing, more := without(everybody, ids), without(ids, everybody); len(missing)+len(more) > 0 {
						x.problem("%s: %s in pages of %d it left out %s and gave %s besides", m, what, size, some(missing), some(more))
					}
					x.inOrder(m, records, field, descending, what)
				}
			}
		}
	}
	if tried == 0 {
		x.skip("no sort key is advertised")
	}
}

// inOrder notes two records that stand in the wrong order. Records without a
// value may be at either end. Of texts only the first letter counts, and only
// capitals from A to Z: about all else the orders of vendors differ.
func (x *trial) inOrder(m *method, records []protoreflect.Message, field protoreflect.FieldDescriptor, descending bool, what string) {
	numbers := !slices.ContainsFunc(records, func(r protoreflect.Message) bool { return digitsOf(idOf(r)) != idOf(r) })
	var last protoreflect.Message
	var before string
	for _, record := range records {
		value := ""
		switch {
		case isTimestamp(field):
			if at, ok := instantAt(record, field); ok {
				value = at.UTC().Format("2006-01-02T15:04:05.000000000")
			}
		case field.Name() == "id":
			if numbers {
				value = fmt.Sprintf("%040s", idOf(record))
			}
		default:
			if values := valuesAt(record, string(field.Name())); len(values) > 0 && values[0] != "" && values[0][0] >= 'A' && values[0][0] <= 'Z' {
				value = values[0][:1]
			}
		}
		if value == "" {
			continue
		}
		if c := cmp.Compare(before, value); last != nil && (!descending && c > 0 || descending && c < 0) {
			x.problem("%s: %s it gave the record %s (%s) before %s (%s)", m, what, idOf(last), before, idOf(record), value)
			return
		}
		last, before = record, value
	}
}
