package sdk

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	crmv1 "github.com/unicrm/unicrm/proto/unicrm/crm/v1"
	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/errs"
)

// asked are filters of a request: fields, operators and values in turn.
func asked(parts ...any) []*providerv1.Filter {
	var filters []*providerv1.Filter
	for i := 0; i < len(parts); i += 3 {
		filters = append(filters, &providerv1.Filter{Field: parts[i].(string), Operator: parts[i+1].(Operator), Value: parts[i+2].(string)})
	}
	return filters
}

var offered = append(append(EqualTo("first_name", "email_addresses.email", "is_deleted", "search"), ByTime("updated_at")...), Filter{Field: "created_at", Operators: []Operator{Greater}})

const noon = "2024-05-06T12:00:00Z"

func TestOnlyFiltersThatAreAdvertisedAndMakeSenseReachTheVendor(t *testing.T) {
	for name, good := range map[string][]*providerv1.Filter{
		"none":                      nil,
		"a text":                    asked("first_name", Equal, "Ada"),
		"a part":                    asked("email_addresses.email", Equal, "a@b.test"),
		"a search":                  asked("search", Equal, "quill leeds"),
		"the deleted":               asked("is_deleted", Equal, "true"),
		"the others":                asked("is_deleted", Equal, "false"),
		"a span":                    asked("updated_at", Greater, noon, "updated_at", LessOrEqual, "2024-05-07T12:00:00.123456789Z"),
		"two instants to be equal":  asked("updated_at", Equal, noon, "updated_at", Equal, "2024-05-06T12:00:01Z"),
		"one operator of the fives": asked("created_at", Greater, noon),
	} {
		filters, err := readFilters(offered, good, contactDescriptor)
		require.NoError(t, err, name)
		assert.Len(t, filters, len(good), name)
	}
	same, err := readFilters(offered, asked("first_name", Equal, "Ada", "first_name", Equal, "Ada"), contactDescriptor)
	require.NoError(t, err)
	assert.Len(t, same, 1, "the same twice is once")
	for name, c := range map[string]struct {
		filters []*providerv1.Filter
		reason  errs.Reason
		field   string
	}{
		"not advertised":           {asked("last_name", Equal, "Quill"), errs.Unsupported, "last_name"},
		"not with this operator":   {asked("first_name", Greater, "Ada"), errs.Unsupported, "first_name"},
		"not with this one either": {asked("created_at", Less, noon), errs.Unsupported, "created_at"},
		"no operator":              {asked("first_name", Operator(0), "Ada"), errs.InvalidParameter, "first_name"},
		"no value":                 {asked("first_name", Equal, ""), errs.InvalidParameter, "first_name"},
		"a blank value":            {asked("search", Equal, " \t"), errs.InvalidParameter, "search"},
		"neither true nor false":   {asked("is_deleted", Equal, "TRUE"), errs.InvalidParameter, "is_deleted"},
		"a date alone":             {asked("updated_at", Greater, "2024-05-06"), errs.InvalidParameter, "updated_at"},
		"a word for an instant":    {asked("updated_at", Greater, "yesterday"), errs.InvalidParameter, "updated_at"},
		"two values of one field":  {asked("first_name", Equal, "Ada", "first_name", Equal, "Bruno"), errs.Unsupported, "first_name"},
		"no field":                 {asked("", Equal, "Ada"), errs.Unsupported, ""},
	} {
		_, err := readFilters(offered, c.filters, contactDescriptor)
		var e *errs.Error
		require.ErrorAs(t, err, &e, name)
		assert.Equal(t, errs.Name(c.reason), errs.Name(e.Reason), name)
		require.NotEmpty(t, e.Fields, name)
		assert.Equal(t, c.field, e.Fields[0].Path, name)
	}
}

func TestSortKeysAreThoseThatAreAdvertised(t *testing.T) {
	keys, err := readSort([]string{"id", "name"}, []*providerv1.SortKey{{Field: "name", Descending: true}, {Field: "id"}})
	require.NoError(t, err)
	assert.Equal(t, []SortKey{{Field: "name", Descending: true}, {Field: "id"}}, keys)
	_, err = readSort([]string{"id"}, []*providerv1.SortKey{{Field: "id"}, {Field: "name"}})
	assert.True(t, errs.Is(err, errs.Unsupported))
}

func TestWhatFiltersSayCanBeAsked(t *testing.T) {
	f := Filters{{"first_name", Equal, "Ada"}, {"updated_at", Greater, noon}, {"updated_at", Less, noon}, {"is_deleted", Equal, "true"}}
	text, ok := f.Text("first_name")
	assert.True(t, ok)
	assert.Equal(t, "Ada", text)
	_, ok = f.Text("updated_at")
	assert.False(t, ok, "it is not to be equal to anything")
	assert.True(t, f.Has("updated_at"))
	assert.False(t, f.Has("last_name"))
	assert.True(t, f.Deleted())
	assert.False(t, Filters{{"is_deleted", Equal, "false"}}.Deleted())
	assert.False(t, Filters(nil).Deleted())
	assert.Equal(t, []string{"updated_at", "is_deleted"}, f.Others("first_name", "last_name"))
	assert.Empty(t, f.Others("first_name", "updated_at", "is_deleted"))
	var e *errs.Error
	require.ErrorAs(t, Unsupported("the vendor orders by one key", "sort_by", "name"), &e)
	assert.Equal(t, "the vendor orders by one key: leave out sort_by, name", e.Message)
	assert.Len(t, e.Fields, 2)
}

func TestTheSpanOfAFieldIsWhatAllItsFiltersLeave(t *testing.T) {
	at := func(text string) *time.Time {
		instant, err := time.Parse(time.RFC3339Nano, text)
		require.NoError(t, err)
		return &instant
	}
	const eleven, one = "2024-05-06T11:00:00Z", "2024-05-06T15:00:00+02:00"
	for name, c := range map[string]struct {
		filters  Filters
		from, to *time.Time
	}{
		"open":                     {nil, nil, nil},
		"another field":            {Filters{{"created_at", Greater, noon}}, nil, nil},
		"later than":               {Filters{{"updated_at", Greater, noon}}, at(noon), nil},
		"not earlier than":         {Filters{{"updated_at", GreaterOrEqual, noon}}, at(noon), nil},
		"earlier than":             {Filters{{"updated_at", Less, noon}}, nil, at(noon)},
		"not later than":           {Filters{{"updated_at", LessOrEqual, noon}}, nil, at(noon)},
		"equal":                    {Filters{{"updated_at", Equal, noon}}, at(noon), at(noon)},
		"between":                  {Filters{{"updated_at", Greater, eleven}, {"updated_at", Less, one}}, at(eleven), at(one)},
		"the narrower of two":      {Filters{{"updated_at", Greater, eleven}, {"updated_at", Greater, noon}, {"updated_at", Less, one}, {"updated_at", LessOrEqual, noon}}, at(noon), at(noon)},
		"whatever order they have": {Filters{{"updated_at", Greater, noon}, {"updated_at", Greater, eleven}, {"updated_at", Less, noon}, {"updated_at", LessOrEqual, one}}, at(noon), at(noon)},
		"two that leave nothing":   {Filters{{"updated_at", Equal, noon}, {"updated_at", Equal, eleven}}, at(noon), at(eleven)},
	} {
		r := c.filters.Range("updated_at")
		same := func(a, b *time.Time) bool { return (a == nil) == (b == nil) && (a == nil || a.Equal(*b)) }
		assert.True(t, same(c.from, r.From) && same(c.to, r.To), "%s: from %s to %s", name, r.From, r.To)
		assert.Equal(t, c.from != nil || c.to != nil, r.Bounded(), name)
	}
}

func TestRecordsAreHeldToInstantsToTheDigit(t *testing.T) {
	mark, err := time.Parse(time.RFC3339Nano, "2024-05-06T12:00:00.5Z")
	require.NoError(t, err)
	record := &crmv1.Contact{FirstName: new("Ada"), UpdatedAt: timestamppb.New(mark)}
	for operator, want := range map[Operator][3]bool{ // against something earlier, the same, something later
		Equal: {false, true, false}, Greater: {true, false, false}, GreaterOrEqual: {true, true, false}, Less: {false, false, true}, LessOrEqual: {false, true, true},
	} {
		for i, other := range []string{"2024-05-06T12:00:00.499999999Z", "2024-05-06T14:00:00.5+02:00", "2024-05-06T12:00:00.500000001Z"} {
			assert.Equal(t, want[i], withinTimes(record, Filters{{"updated_at", operator, other}}), "%s %s", operator, other)
		}
	}
	assert.True(t, withinTimes(record, nil))
	assert.True(t, withinTimes(record, Filters{{"first_name", Equal, "Bruno"}, {"email_addresses.email", Equal, "x"}}), "texts are the vendor's to compare")
	assert.False(t, withinTimes(record, Filters{{"created_at", Less, noon}}), "without the instant it does not fit")
	assert.False(t, withinTimes(record, Filters{{"updated_at", Greater, "2024-05-06T11:00:00Z"}, {"updated_at", Less, noon}}), "all of them count")
}
