package providertest

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/unicrm/unicrm/sdk"
	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/internal/model"
)

// roundTrips is how many random contacts a property is tried with at least.
const roundTrips = 200

// Support is what the random contacts of [RoundTrip] are made of, within what
// the provider advertises as writable.
type Support struct {
	// Accounts and Owners are ids that the emulator has.
	Accounts, Owners []string
	// Emails, Phones, Addresses and URLs are the lists that the vendor can hold.
	Emails, Phones, Addresses, URLs Items
	// Tags are names for tags; they need not be there before.
	Tags []string
	// CustomFields are the vendor's names with values to choose from, as JSON.
	CustomFields map[string][]string
	// Contact makes a contact storable where the vendor has further rules, such
	// as one that needs an e-mail address or a number.
	Contact func(*crm.Contact)
	// Kept are fields that can be changed but not emptied, beside those that a
	// new contact must have.
	Kept []string
}

// Items is a kind of list.
type Items struct {
	// Most is how many items the vendor holds at most.
	Most int
	// Types are what an item can have for a type; "" for none.
	Types []string
	// Once says that each type has one place.
	Once bool
}

var unique atomic.Int64

// words are texts that something on the way could break.
var words = rapid.OneOf(
	rapid.SampledFrom([]string{"Ada", "O'Brien", "Jean-Luc", "Ängström", "李", "عمر", "a<b>&c", `say "hi"`, "x/y?z#1%20", "🙂", "null", "0", "line one, line two"}),
	rapid.StringMatching(`[A-Z][a-z]{1,11}`),
)

func maybe[T any](t *rapid.T, label string, make func() T) *T {
	if !rapid.Bool().Draw(t, "has "+label) {
		return nil
	}
	value := make()
	return &value
}

// draw makes a random contact of the writable fields that keep allows.
func (s Support) draw(t *rapid.T, writable []string, keep func(field string) bool) crm.Contact {
	can := func(path string) bool {
		field, _, _ := strings.Cut(path, ".")
		return model.Touches(writable, path) && keep(field)
	}
	text := func(path string) *string {
		if !can(path) {
			return nil
		}
		return maybe(t, path, func() string { return words.Draw(t, path) })
	}
	c := crm.Contact{FirstName: text("first_name"), LastName: text("last_name"), Title: text("title")}
	if can("account.id") && len(s.Accounts) > 0 {
		c.Account = maybe(t, "account", func() crm.AccountReference {
			return crm.AccountReference{ID: new(rapid.SampledFrom(s.Accounts).Draw(t, "account"))}
		})
	}
	if can("owner.id") && len(s.Owners) > 0 {
		c.Owner = maybe(t, "owner", func() crm.UserReference {
			return crm.UserReference{ID: new(rapid.SampledFrom(s.Owners).Draw(t, "owner"))}
		})
	}
	if can("email_addresses") {
		for i, kind := range s.Emails.types(t, "email_addresses") {
			email := fmt.Sprintf("p%d.%d@example.com", unique.Add(1), i)
			c.EmailAddresses = append(c.EmailAddresses, crm.EmailAddress{Email: &email, Type: kind})
		}
	}
	if can("phone_numbers") {
		for _, kind := range s.Phones.types(t, "phone_numbers") {
			number := fmt.Sprintf("+44 20 7946 %04d", unique.Add(1)%10000)
			c.PhoneNumbers = append(c.PhoneNumbers, crm.PhoneNumber{Number: &number, Type: kind})
		}
	}
	if can("addresses") {
		for _, kind := range s.Addresses.types(t, "addresses") {
			c.Addresses = append(c.Addresses, s.address(t, writable, kind))
		}
	}
	if can("urls") {
		for i, kind := range s.URLs.types(t, "urls") {
			address := fmt.Sprintf("https://%d.example.com/%s", i, rapid.StringMatching(`[a-z]{1,8}`).Draw(t, "url"))
			c.URLs = append(c.URLs, crm.URL{URL: &address, Type: kind})
		}
	}
	if can("tags") {
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(append([]string{"vip"}, s.Tags...)), 0, 2, rapid.ID[string]).Draw(t, "tags") {
			c.Tags = append(c.Tags, crm.Tag{Name: &name})
		}
	}
	if can("custom_fields") && len(s.CustomFields) > 0 {
		names := slices.Sorted(maps.Keys(s.CustomFields))
		var members []string
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, min(4, len(names)), rapid.ID[string]).Draw(t, "custom fields") {
			key, _ := json.Marshal(name)
			members = append(members, string(key)+":"+rapid.SampledFrom(s.CustomFields[name]).Draw(t, name))
		}
		if len(members) > 0 {
			c.CustomFields = json.RawMessage("{" + strings.Join(members, ",") + "}")
		}
	}
	return c
}

func (s Support) address(t *rapid.T, writable []string, kind *string) crm.Address {
	city := words.Draw(t, "city")
	a := crm.Address{City: &city, Type: kind}
	for path, place := range map[string]**string{
		"addresses.street_1": &a.Street1, "addresses.street_2": &a.Street2, "addresses.state": &a.State,
		"addresses.postal_code": &a.PostalCode, "addresses.country": &a.Country,
	} {
		if model.Covers(writable, path) {
			*place = new(path[len("addresses."):] + " 1")
		}
	}
	if a.Country != nil {
		a.Country = new("GB")
	}
	if a.State != nil {
		a.State = new("GB-ENG")
	}
	if a.Street2 != nil && a.Street1 == nil {
		a.Street2 = nil
	}
	return a
}

// types are the types of a random list, as many as it has items.
func (i Items) types(t *rapid.T, label string) []*string {
	var types []*string
	count := rapid.IntRange(0, i.Most).Draw(t, label)
	left := slices.Clone(i.Types)
	for range count {
		if len(left) == 0 {
			types = append(types, nil)
			continue
		}
		at := rapid.IntRange(0, len(left)-1).Draw(t, label+" type")
		if kind := left[at]; kind != "" {
			types = append(types, &kind)
		} else {
			types = append(types, nil)
		}
		if i.Once {
			left = slices.Delete(left, at, at+1)
		}
	}
	return types
}

// RoundTrip tries random contacts: what is created is what a get gives; an
// update changes what it names and nothing else; a dry run before each write
// changes nothing; what is deleted is gone.
func RoundTrip(t *testing.T, k *Kit, s Support) {
	checks := flag.Lookup("rapid.checks")
	if checks.Value.(flag.Getter).Get().(int) < roundTrips {
		require.NoError(t, checks.Value.Set(fmt.Sprint(roundTrips)))
	}
	h := k.Host(t)
	create, update := k.Provider.Contacts.Create, k.Provider.Contacts.Update
	rapid.Check(t, func(r *rapid.T) {
		contact := s.draw(r, create.Writable, func(string) bool { return true })
		s.complete(r, &contact, create.Required)
		made, _, err := h.Create(t, contact)
		require.NoError(r, err)
		got, err := h.Get(t, *made.ID)
		require.NoError(r, err)
		requireHeld(r, contact, *got)
		require.Empty(r, differences(*made, *got), "the answer of a create is what a get gives")

		names := slices.DeleteFunc(topLevel(update.Writable), func(name string) bool { return name == "remote_data" || name == "etag" || name == "name" })
		named := rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, 4, rapid.ID[string]).Draw(r, "changed fields")
		change := sdk.Change[crm.Contact]{ID: *made.ID, Record: s.draw(r, update.Writable, func(field string) bool { return slices.Contains(named, field) }), Clear: map[string]bool{}}
		if s.Contact != nil {
			s.Contact(&change.Record)
		}
		set := setFields(change.Record)
		for _, name := range named {
			if !slices.Contains(set, name) && s.clearable(name, create.Required) {
				change.Clear[name] = true
			}
		}
		if len(set)+len(change.Clear) > 0 {
			changed, _, err := h.Update(t, change)
			require.NoError(r, err, "%s", JSON(t, &change.Record))
			after, err := h.Get(t, *made.ID)
			require.NoError(r, err)
			requireHeld(r, change.Record, *after)
			require.Empty(r, differences(*changed, *after), "the answer of an update is what a get gives")
			for field, value := range differences(*got, *after) {
				require.True(r, change.Clear[field] || slices.Contains(set, field) || moves(field, set, change.Clear), "%s was not named but changed: %s", field, value)
			}
			for field := range change.Clear {
				require.True(r, emptyField(*after, field), "%s was to be emptied", field)
			}
		}
		_, err = h.Delete(t, *made.ID)
		require.NoError(r, err)
		_, err = h.Get(t, *made.ID)
		require.True(r, errs.Is(err, errs.RecordNotFound), "after the delete: %v", err)
	})
}

func (s Support) clearable(field string, required []string) bool {
	return !slices.ContainsFunc(slices.Concat(required, s.Kept), func(path string) bool { return path == field || strings.HasPrefix(path, field+".") })
}

// complete gives a contact what it must have.
func (s Support) complete(t *rapid.T, c *crm.Contact, required []string) {
	for _, path := range required {
		switch {
		case model.IsSet(c.Proto().ProtoReflect(), path):
		case path == "first_name":
			c.FirstName = new(words.Draw(t, path))
		case path == "last_name":
			c.LastName = new(words.Draw(t, path))
		case path == "account" || path == "account.id":
			c.Account = &crm.AccountReference{ID: new(rapid.SampledFrom(s.Accounts).Draw(t, path))}
		case path == "owner" || path == "owner.id":
			c.Owner = &crm.UserReference{ID: new(rapid.SampledFrom(s.Owners).Draw(t, path))}
		case strings.HasPrefix(path, "email_addresses"):
			c.EmailAddresses = []crm.EmailAddress{{Email: new(fmt.Sprintf("p%d@example.com", unique.Add(1)))}}
		default:
			panic("providertest: no value for the required " + path)
		}
	}
	if s.Contact != nil {
		s.Contact(c)
	}
	if len(setFields(*c)) == 0 {
		c.LastName = new(words.Draw(t, "last_name"))
	}
}

// moves tells whether a field follows from others: the full name from its
// parts, and what every write moves.
func moves(field string, set []string, cleared map[string]bool) bool {
	switch field {
	case "updated_at", "etag", "last_activity_at", "remote_data":
		return true
	case "name":
		for _, part := range []string{"first_name", "last_name", "email_addresses", "phone_numbers"} { // a few vendors name who has no name by these
			if cleared[part] || slices.Contains(set, part) {
				return true
			}
		}
	}
	return false
}

func topLevel(paths []string) []string {
	var names []string
	for _, path := range paths {
		name, _, _ := strings.Cut(path, ".")
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// setFields are the top-level fields that a contact holds.
func setFields(c crm.Contact) []string { return topLevel(model.SetPaths(c.Proto().ProtoReflect())) }

// fieldsOf are a contact's fields as JSON by name; remote_data is left out.
func fieldsOf(c crm.Contact) map[string]any {
	c.RemoteData = nil
	custom := c.CustomFields
	c.CustomFields = nil
	fields := map[string]any{}
	data, _ := json.Marshal(jsonOf(&c))
	_ = json.Unmarshal(data, &fields)
	for _, m := range customMembers(custom) {
		fields["custom_fields."+m.name] = m.value
	}
	return fields
}

// differences are the fields in which two contacts are not the same; those of
// custom_fields count as one.
func differences(a, b crm.Contact) map[string]string {
	before, after := fieldsOf(a), fieldsOf(b)
	found := map[string]string{}
	for name := range mergedKeys(before, after) {
		if !reflect.DeepEqual(before[name], after[name]) {
			field, _, _ := strings.Cut(name, ".")
			found[field] += fmt.Sprintf("%s was %v, is %v; ", name, before[name], after[name])
		}
	}
	return found
}

func mergedKeys(a, b map[string]any) map[string]bool {
	keys := map[string]bool{}
	for key := range a {
		keys[key] = true
	}
	for key := range b {
		keys[key] = true
	}
	return keys
}

func emptyField(c crm.Contact, field string) bool {
	for name, value := range fieldsOf(c) {
		if top, _, _ := strings.Cut(name, "."); top == field && value != nil {
			if text, ok := value.(string); ok && text == "null" {
				continue
			}
			return false
		}
	}
	return true
}

// requireHeld fails unless everything that was given is there: texts to the
// letter, lists with the same items in any order, of each item what was given,
// custom fields to the digit.
func requireHeld(t *rapid.T, given, got crm.Contact) {
	want, have := fieldsOf(given), fieldsOf(got)
	for name, value := range want {
		switch value := value.(type) {
		case []any:
			list, _ := have[name].([]any)
			require.Len(t, list, len(value), "%s: %v", name, list)
			taken := make([]bool, len(list))
			for _, item := range value {
				require.True(t, slices.ContainsFunc(indices(len(list)), func(i int) bool {
					if taken[i] || !holds(list[i], item) {
						return false
					}
					taken[i] = true
					return true
				}), "%s: %v is not in %v", name, item, list)
			}
		case map[string]any:
			require.True(t, holds(have[name], value), "%s: %v does not hold %v", name, have[name], value)
		case string:
			if value == "null" && strings.HasPrefix(name, "custom_fields.") {
				require.Contains(t, []any{nil, "null"}, have[name], "%s", name)
				continue
			}
			require.Equal(t, value, have[name], "%s", name)
		default:
			require.Equal(t, value, have[name], "%s", name)
		}
	}
}

func indices(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// holds tells whether an object has all members of another one.
func holds(have, want any) bool {
	whole, ok := have.(map[string]any)
	if !ok {
		return reflect.DeepEqual(have, want)
	}
	for key, value := range want.(map[string]any) {
		if !reflect.DeepEqual(whole[key], value) {
			return false
		}
	}
	return true
}
