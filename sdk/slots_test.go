package sdk

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
)

// testCall is a call outside a process.
func testCall() *Call {
	return NewCall(*acme(), "api_key", json.RawMessage(`{"api_key":"k-0123456789"}`), "http://vendor.test")
}

// lost are the paths that a call was told of.
func lost(c *Call) []string {
	var paths []string
	for _, field := range c.losses {
		paths = append(paths, field.Path)
	}
	return paths
}

// kinds are items' types, "-" for none.
func kinds(texts ...string) []*string {
	var types []*string
	for _, text := range texts {
		if text == "-" {
			types = append(types, nil)
		} else {
			types = append(types, &text)
		}
	}
	return types
}

func TestItemsGoIntoTheSlotsOfTheirTypesFirst(t *testing.T) {
	phones := []Slot{{Key: "phone", Type: "work", Any: true}, {Key: "mobile", Type: "mobile"}, {Key: "other", Type: "other", Any: true}}
	plain := []Slot{{Key: "email", Type: "primary", Any: true}, {Key: "email_2"}}
	for name, c := range map[string]struct {
		slots  []Slot
		types  []*string
		placed []int
		lost   []string
	}{
		"none":                                 {phones, kinds(), []int{-1, -1, -1}, nil},
		"each its own":                         {phones, kinds("mobile", "work"), []int{1, 0, -1}, nil},
		"case does not count":                  {phones, kinds("Mobile", "WORK"), []int{1, 0, -1}, nil},
		"one without a type":                   {phones, kinds("-"), []int{0, -1, -1}, nil},
		"types before others":                  {phones, kinds("-", "work"), []int{1, -1, 0}, nil},
		"an unknown type is lost":              {phones, kinds("pager"), []int{0, -1, -1}, []string{"p[0].type"}},
		"a second of a type is lost":           {phones, kinds("mobile", "mobile"), []int{1, 0, -1}, []string{"p[1].type"}},
		"no place left":                        {phones, kinds("home", "home", "home"), []int{0, -1, 1}, []string{"p[0].type", "p[1].type", "p[2]"}},
		"a slot of one type takes no other":    {phones[1:2], kinds("-", "work"), []int{-1}, []string{"p[0]", "p[1]"}},
		"the first without a type to the main": {plain, kinds("-"), []int{0, -1}, nil},
		"and the second beside it":             {plain, kinds("primary", "-"), []int{0, 1}, nil},
		"two without a type":                   {plain, kinds("-", "-"), []int{0, 1}, nil},
		"an empty type is none":                {plain, kinds("", ""), []int{0, 1}, nil},
		"but not one with another type":        {plain, kinds("primary", "home"), []int{0, -1}, []string{"p[1]"}},
		"no slots at all":                      {nil, kinds("-"), []int{}, []string{"p[0]"}},
	} {
		t.Run(name, func(t *testing.T) {
			call := testCall()
			assert.Equal(t, c.placed, call.Fill("p", c.types, c.slots))
			assert.Equal(t, c.lost, lost(call))
		})
	}
}

func TestEveryItemIsPlacedOnceOrToldAsLost(t *testing.T) {
	kind := rapid.SampledFrom([]string{"-", "", "work", "mobile", "home", "fax"})
	rapid.Check(t, func(r *rapid.T) {
		var slots []Slot
		for range rapid.IntRange(0, 5).Draw(r, "slots") {
			slots = append(slots, Slot{Type: strings.Trim(kind.Draw(r, "slot"), "-"), Any: rapid.Bool().Draw(r, "any")})
		}
		types := kinds(rapid.SliceOfN(kind, 0, 7).Draw(r, "items")...)
		call := testCall()
		placed := call.Fill("p", types, slots)
		require.Len(r, placed, len(slots))
		seen := map[int]bool{}
		for _, at := range placed {
			require.False(r, at >= 0 && seen[at], "an item is in two slots")
			seen[at] = true
		}
		for i := range types {
			told := false
			for _, path := range lost(call) {
				told = told || path == fmt.Sprintf("p[%d]", i)
			}
			require.Equal(r, !seen[i], told, "item %d", i)
		}
	})
}

func TestLossesNameItemsByTheirPlaces(t *testing.T) {
	call := testCall()
	call.LoseExtensions([]crm.PhoneNumber{{Number: new("1")}, {Number: new("2"), Extension: new("")}, {Number: new("3"), Extension: new("9")}})
	emails := []crm.EmailAddress{{ID: new("7")}, {ID: new("")}, {}}
	LoseIDs(call, "email_addresses", emails, func(e *crm.EmailAddress) *string { return e.ID })
	assert.Equal(t, []string{"phone_numbers[2].extension", "email_addresses[0].id"}, lost(call))
	assert.Equal(t, []*string{new("7"), new(""), nil}, TypesOf(emails, func(e *crm.EmailAddress) *string { return e.ID }))
}

func TestANameThatComesAloneIsSplitAtItsLastWord(t *testing.T) {
	for name, c := range map[string]struct {
		change      Change[crm.Contact]
		first, last string // "-" for nil
		clears      bool   // the first name
		lost        []string
	}{
		"two words":                       {Change[crm.Contact]{Record: crm.Contact{Name: new("Ada Quill")}}, "Ada", "Quill", false, nil},
		"many words, many blanks":         {Change[crm.Contact]{Record: crm.Contact{Name: new("  Ada  van der\tQuill ")}}, "Ada van der", "Quill", false, nil},
		"one word, new":                   {Change[crm.Contact]{Record: crm.Contact{Name: new("Quill")}}, "-", "Quill", false, nil},
		"one word, changed":               {Change[crm.Contact]{ID: "1", Record: crm.Contact{Name: new("Quill")}}, "-", "Quill", true, nil},
		"blank":                           {Change[crm.Contact]{Record: crm.Contact{Name: new(" \t")}}, "-", "-", false, []string{"name"}},
		"no name":                         {Change[crm.Contact]{Record: crm.Contact{LastName: new("Quill")}}, "-", "Quill", false, nil},
		"a name that its parts make":      {Change[crm.Contact]{Record: crm.Contact{Name: new(" Ada Quill "), FirstName: new("Ada"), LastName: new("Quill")}}, "Ada", "Quill", false, nil},
		"a name that its parts deny":      {Change[crm.Contact]{Record: crm.Contact{Name: new("A. Quill"), FirstName: new("Ada"), LastName: new("Quill")}}, "Ada", "Quill", false, []string{"name"}},
		"a name beside a cleared part":    {Change[crm.Contact]{ID: "1", Record: crm.Contact{Name: new("Ada Quill")}, Clear: map[string]bool{"first_name": true}}, "-", "-", true, []string{"name"}},
		"a cleared name":                  {Change[crm.Contact]{ID: "1", Clear: map[string]bool{"name": true}}, "-", "-", false, []string{"name"}},
		"all cleared":                     {Change[crm.Contact]{ID: "1", Clear: map[string]bool{"name": true, "first_name": true, "last_name": true}}, "-", "-", true, nil},
		"letters of two bytes, and marks": {Change[crm.Contact]{Record: crm.Contact{Name: new("José Ärger-Öl")}}, "José", "Ärger-Öl", false, nil},
	} {
		t.Run(name, func(t *testing.T) {
			text := func(s *string) string {
				if s == nil {
					return "-"
				}
				return *s
			}
			given := len(c.change.Clear)
			was := c.change.Clear
			call := testCall()
			SplitName(call, &c.change)
			assert.Nil(t, c.change.Record.Name, "it is in its parts now")
			assert.Equal(t, c.first, text(c.change.Record.FirstName))
			assert.Equal(t, c.last, text(c.change.Record.LastName))
			assert.Equal(t, c.clears, c.change.Clears("first_name"))
			assert.Equal(t, c.lost, lost(call))
			assert.Len(t, was, given, "the caller's own map stays as it is")
		})
	}
}

func TestUnknownFieldsAreToldWithThoseThatThereAreTheMostAlikeFirst(t *testing.T) {
	known := []string{"cf_budget", "cf_shoe_size", "Budget (EU)", "Region", "custom.region_2", "Tier__c"}
	require.NoError(t, UnknownFields([]string{"Region", "cf_budget"}, known))
	require.NoError(t, UnknownFields(nil, known))
	err := UnknownFields([]string{"Region", "budget", "ShoeSize", "tier"}, known)
	var e *errs.Error
	require.ErrorAs(t, err, &e)
	assert.Equal(t, errs.InvalidBody, e.Reason)
	require.Len(t, e.Fields, 3)
	assert.Equal(t, "custom_fields.budget", e.Fields[0].Path)
	assert.Contains(t, e.Fields[0].Description, "which has: cf_budget, Budget (EU), ")
	assert.Contains(t, e.Fields[1].Description, "which has: cf_shoe_size, ")
	assert.Contains(t, e.Fields[2].Description, "which has: Tier__c, ")
	assert.Contains(t, e.Message, "custom_fields.budget is not a custom field")
	require.ErrorAs(t, UnknownFields([]string{"a"}, nil), &e)
	assert.Contains(t, e.Fields[0].Description, "which has none")
}

func TestThousandsOfUnknownFieldsAreAnsweredInNoTime(t *testing.T) {
	var given, known []string
	for i := range 3000 {
		given = append(given, fmt.Sprintf("unknown %d", i))
		known = append(known, fmt.Sprintf("cf_field_number_%d", i))
	}
	began := time.Now()
	var e *errs.Error
	require.ErrorAs(t, UnknownFields(given, known), &e)
	assert.Less(t, len(e.Fields), 100)
	assert.Less(t, len(e.Fields[0].Description), 1000)
	assert.Less(t, time.Since(began), 10*time.Second)
}
