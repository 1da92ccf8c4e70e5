package providertest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
)

// Lists holds a list to what the provider advertises of it, with the seeded
// contacts: every filter by equality gives the contacts that have the value and
// no others, every filter of an instant the contacts within and no others,
// every sort key the order, all of them with pages of any size.
func Lists(t *testing.T, k *Kit) {
	h := k.Host(t)
	everybody, err := h.All(t, sdk.ListQuery{PageSize: 100}, nil)
	require.NoError(t, err)
	list := k.Provider.Contacts.List
	for _, filter := range list.Filters {
		if filter.Field == "search" || filter.Field == "is_deleted" {
			continue // what they find is the vendor's to say; the provider's own tests hold it
		}
		if len(filter.Operators) > 1 {
			t.Run("filter by "+filter.Field, func(t *testing.T) { filtersByTime(t, h, everybody, filter.Field) })
		} else {
			t.Run("filter by "+filter.Field, func(t *testing.T) { filtersByText(t, h, everybody, filter.Field) })
		}
	}
	for _, key := range list.SortKeys {
		t.Run("sort by "+key, func(t *testing.T) { sorts(t, h, everybody, key) })
	}
}

// valuesAt are the texts at a path of a contact.
func valuesAt(c *crm.Contact, path string) []string {
	var values []string
	add := func(text *string) {
		if text != nil {
			values = append(values, *text)
		}
	}
	switch path {
	case "id":
		add(c.ID)
	case "first_name":
		add(c.FirstName)
	case "last_name":
		add(c.LastName)
	case "name":
		add(c.Name)
	case "title":
		add(c.Title)
	case "email_addresses", "email_addresses.email":
		for i := range c.EmailAddresses {
			add(c.EmailAddresses[i].Email)
		}
	case "phone_numbers.number":
		for i := range c.PhoneNumbers {
			add(c.PhoneNumbers[i].Number)
		}
	default:
		panic("providertest: no texts at " + path)
	}
	return values
}

func instantAt(c *crm.Contact, field string) *time.Time {
	switch field {
	case "created_at":
		return c.CreatedAt
	case "updated_at":
		return c.UpdatedAt
	case "last_activity_at":
		return c.LastActivityAt
	default:
		panic("providertest: no instant at " + field)
	}
}

func idsOf(contacts []crm.Contact) []string {
	var ids []string
	for _, c := range contacts {
		ids = append(ids, *c.ID)
	}
	return ids
}

// filtersByText asks for the values of a few contacts. The vendor decides
// whether case matters.
func filtersByText(t *testing.T, h *Host, everybody []crm.Contact, field string) {
	tried := 0
	for i := range everybody {
		values := valuesAt(&everybody[i], field)
		if len(values) == 0 || i%4 != 0 || strings.TrimSpace(values[0]) != values[0] {
			continue
		}
		value := values[0]
		found, err := h.All(t, sdk.ListQuery{PageSize: 1 + i%3, Filters: sdk.Filters{{Field: field, Operator: sdk.Equal, Value: value}}}, nil)
		require.NoError(t, err, "%s=%q", field, value)
		tried++
		ids := idsOf(found)
		require.Contains(t, ids, *everybody[i].ID, "%s=%q", field, value)
		for j := range found {
			assert.True(t, slices.ContainsFunc(valuesAt(&found[j], field), func(got string) bool { return strings.EqualFold(got, value) }), "%s=%q gave %s, which has %q", field, value, *found[j].ID, valuesAt(&found[j], field))
		}
		for j := range everybody {
			if slices.Contains(valuesAt(&everybody[j], field)[:min(1, len(valuesAt(&everybody[j], field)))], value) {
				assert.Contains(t, ids, *everybody[j].ID, "%s=%q", field, value)
			}
		}
	}
	require.NotZero(t, tried, "no seeded contact has a value for %s", field)
	none, err := h.All(t, sdk.ListQuery{PageSize: 5, Filters: sdk.Filters{{Field: field, Operator: sdk.Equal, Value: "nobody@nowhere.test"}}}, nil)
	require.NoError(t, err)
	assert.Empty(t, none)
}

func filtersByTime(t *testing.T, h *Host, everybody []crm.Contact, field string) {
	var instants []time.Time
	for i := range everybody {
		if at := instantAt(&everybody[i], field); at != nil {
			instants = append(instants, *at)
		}
	}
	require.NotEmpty(t, instants, "no seeded contact has %s", field)
	slices.SortFunc(instants, time.Time.Compare)
	middle := instants[len(instants)/2]
	for operator, fits := range map[sdk.Operator]func(int) bool{
		sdk.Equal: func(c int) bool { return c == 0 }, sdk.Greater: func(c int) bool { return c > 0 }, sdk.GreaterOrEqual: func(c int) bool { return c >= 0 },
		sdk.Less: func(c int) bool { return c < 0 }, sdk.LessOrEqual: func(c int) bool { return c <= 0 },
	} {
		for _, mark := range []time.Time{middle, instants[0], instants[len(instants)-1].Add(time.Hour)} {
			var want []string
			for i := range everybody {
				if at := instantAt(&everybody[i], field); at != nil && fits(at.Compare(mark)) {
					want = append(want, *everybody[i].ID)
				}
			}
			got, err := h.All(t, sdk.ListQuery{PageSize: 7, Filters: sdk.Filters{{Field: field, Operator: operator, Value: mark.UTC().Format(time.RFC3339Nano)}}}, nil)
			require.NoError(t, err)
			assert.ElementsMatch(t, want, idsOf(got), "%s %s %s", field, operator, mark)
		}
	}
}

func sorts(t *testing.T, h *Host, everybody []crm.Contact, key string) {
	for _, descending := range []bool{false, true} {
		for _, size := range []int{7, 100} {
			got, err := h.All(t, sdk.ListQuery{PageSize: size, Sort: []sdk.SortKey{{Field: key, Descending: descending}}}, nil)
			require.NoError(t, err)
			assert.ElementsMatch(t, idsOf(everybody), idsOf(got), "sorting loses nobody")
			var last *string
			for i := range got {
				value, ok := sortValue(&got[i], key)
				if !ok {
					continue // without a value: at some end
				}
				if last != nil {
					assert.False(t, !descending && *last > value || descending && *last < value, "%s descending=%t: %q before %q", key, descending, *last, value)
				}
				last = &value
			}
		}
	}
}

// sortValue is a text that sorts as the value does. Names are compared without
// case and signs, about which vendors differ: only their plain letters count.
func sortValue(c *crm.Contact, key string) (string, bool) {
	switch key {
	case "created_at", "updated_at", "last_activity_at":
		if at := instantAt(c, key); at != nil {
			return at.UTC().Format("2006-01-02T15:04:05.000000000"), true
		}
		return "", false
	}
	values := valuesAt(c, key)
	if len(values) == 0 {
		return "", false
	}
	text := values[0]
	if key == "id" {
		return fmt.Sprintf("%040s", text), true
	}
	if text == "" || text[0] < 'A' || text[0] > 'Z' || strings.ContainsFunc(text, func(r rune) bool { return r > 'z' }) {
		return "", false
	}
	return text[:1], true
}

// Incremental changes contacts while a list of what changed lately is read, and
// fails when one that had changed, or that changes meanwhile, is passed over.
func Incremental(t *testing.T, k *Kit) {
	h := k.Host(t)
	everybody, err := h.All(t, sdk.ListQuery{PageSize: 100}, nil)
	require.NoError(t, err)
	var changeable []string
	for i := range everybody {
		title := new("before")
		if _, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: *everybody[i].ID, Record: crm.Contact{Title: title}}); err == nil {
			changeable = append(changeable, *everybody[i].ID)
		}
	}
	require.Greater(t, len(changeable), 20)
	first, err := h.Get(t, changeable[0])
	require.NoError(t, err)
	since := first.UpdatedAt.UTC().Format(time.RFC3339Nano)
	changed := map[string]bool{}
	got, err := h.All(t, sdk.ListQuery{PageSize: 5, Filters: sdk.Filters{{Field: "updated_at", Operator: sdk.GreaterOrEqual, Value: since}}}, func(page int) {
		if page > 4 {
			return
		}
		for _, id := range []string{changeable[len(changeable)-page], changeable[len(changeable)/2-page], changeable[page]} {
			_, _, err := h.Update(t, sdk.Change[crm.Contact]{ID: id, Record: crm.Contact{Title: new(fmt.Sprint("while ", page))}})
			require.NoError(t, err)
			changed[id] = true
		}
	})
	require.NoError(t, err)
	ids := idsOf(got)
	for _, id := range changeable {
		assert.Contains(t, ids, id, "changed meanwhile: %t", changed[id])
	}
}
