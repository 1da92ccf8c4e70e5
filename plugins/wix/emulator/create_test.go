package emulator

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

func intText(n int) string { return strconv.Itoa(n) }

func TestCreateHoldsToItsRules(t *testing.T) {
	long := strings.Repeat("x", 1001)
	many := func(item string, n int) string { return strings.Repeat(item+",", n-1) + item }
	cases := []struct {
		name, info string
		want       string // application code, or "field RULE", or "" for a message alone
	}{
		{"nothing", `{}`, "INSUFFICIENT_CONTACT_DATA"},
		{"a company alone", `{"company":"x"}`, "INSUFFICIENT_CONTACT_DATA"},
		{"empty names", `{"name":{"first":"","last":null}}`, "INSUFFICIENT_CONTACT_DATA"},
		{"empty lists", `{"emails":{"items":[]},"phones":{"items":[]}}`, "INSUFFICIENT_CONTACT_DATA"},
		{"a name of 1001", `{"name":{"first":"` + long + `"}}`, "info.name.first MAX_LENGTH"},
		{"a company of 1001", `{"name":{"first":"a"},"company":"` + long + `"}`, "info.company MAX_LENGTH"},
		{"a job title of 1001", `{"name":{"first":"a"},"jobTitle":"` + long + `"}`, "info.jobTitle MAX_LENGTH"},
		{"an email of 321", `{"emails":{"items":[{"email":"` + long[:309] + `@example.com"}]}}`, "info.emails.items[0].email MAX_LENGTH"},
		{"no email in an item", `{"emails":{"items":[{"tag":"WORK"}]}}`, "info.emails.items[0].email REQUIRED_FIELD"},
		{"an empty email", `{"emails":{"items":[{"email":""}]}}`, "info.emails.items[0].email MIN_LENGTH"},
		{"a bad second email", `{"emails":{"items":[{"email":"new@example.com"},{"email":"no"}]}}`, "info.emails.items[1].email FORMAT"},
		{"51 emails", `{"emails":{"items":[` + many(`{"email":"new@example.com"}`, 51) + `]}}`, "info.emails.items MAX_SIZE"},
		{"two primary emails", `{"emails":{"items":[{"email":"n1@example.com","primary":true},{"email":"n2@example.com","primary":true}]}}`, "CANNOT_HAVE_MULTIPLE_PRIMARY_INFO"},
		{"two primary phones", `{"phones":{"items":[{"phone":"1","primary":true},{"phone":"2","primary":true}]}}`, "CANNOT_HAVE_MULTIPLE_PRIMARY_INFO"},
		{"an email tag in lower case", `{"emails":{"items":[{"email":"new@example.com","tag":"work"}]}}`, ""},
		{"MOBILE on an email", `{"emails":{"items":[{"email":"new@example.com","tag":"MOBILE"}]}}`, ""},
		{"a phone of 51", `{"phones":{"items":[{"phone":"` + long[:51] + `"}]}}`, "info.phones.items[0].phone MAX_LENGTH"},
		{"a phone's country by name", `{"phones":{"items":[{"phone":"1","countryCode":"Norway"}]}}`, "info.phones.items[0].countryCode FORMAT"},
		{"BILLING on a phone", `{"phones":{"items":[{"phone":"1","tag":"BILLING"}]}}`, ""},
		{"a country by name", `{"name":{"first":"a"},"addresses":{"items":[{"address":{"country":"Norway"}}]}}`, "info.addresses.items[0].address.country FORMAT"},
		{"a postcode of 101", `{"name":{"first":"a"},"addresses":{"items":[{"address":{"postalCode":"` + long[:101] + `"}}]}}`, "info.addresses.items[0].address.postalCode MAX_LENGTH"},
		{"both forms of a street", `{"name":{"first":"a"},"addresses":{"items":[{"address":{"addressLine":"1 A St","streetAddress":{"number":"1","name":"A St"}}}]}}`, ""},
		{"MOBILE on an address", `{"name":{"first":"a"},"addresses":{"items":[{"tag":"MOBILE","address":{}}]}}`, ""},
		{"a birthdate with a time", `{"name":{"first":"a"},"birthdate":"1990-03-15T00:00:00Z"}`, "info.birthdate FORMAT"},
		{"a birthdate that is no day", `{"name":{"first":"a"},"birthdate":"1990-02-30"}`, "info.birthdate FORMAT"},
		{"a bad locale", `{"name":{"first":"a"},"locale":"english, please"}`, "info.locale FORMAT"},
		{"emails without the wrapper", `{"emails":[{"email":"new@example.com"}]}`, ""},
		{"a name as text", `{"name":"Ada"}`, ""},
		{"a number as a name", `{"name":{"first":1}}`, ""},
		{"an unknown field", `{"name":{"first":"a"},"extendedFields":{"items":{"custom.none":"x"}}}`, "INVALID_EXTENDED_FIELD_VALUE"},
		{"a system field", `{"name":{"first":"a"},"extendedFields":{"items":{"members.membershipStatus":"ACTIVE"}}}`, "INVALID_EXTENDED_FIELD_VALUE"},
		{"text in a number", `{"name":{"first":"a"},"extendedFields":{"items":{"custom.loyalty-points-1":"12"}}}`, "INVALID_EXTENDED_FIELD_VALUE"},
		{"a number in a text", `{"name":{"first":"a"},"extendedFields":{"items":{"custom.shoe-size":41}}}`, "INVALID_EXTENDED_FIELD_VALUE"},
		{"a time in a date", `{"name":{"first":"a"},"extendedFields":{"items":{"custom.first-purchase-7c1e":"2024-01-01T00:00:00Z"}}}`, "INVALID_EXTENDED_FIELD_VALUE"},
		{"a list in a field", `{"name":{"first":"a"},"extendedFields":{"items":{"custom.shoe-size":["41"]}}}`, "INVALID_EXTENDED_FIELD_VALUE"},
	}
	c := start(t, 3)
	before := c.do("GET", contactsPath, nil).at("pagingMetadata.total")
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			a := c.create(`{"info":` + tc.info + `}`)
			require.Equal(t, 400, a.status, a.raw)
			assert.NotEmpty(t, a.at("message"))
			switch {
			case tc.want == "":
				assert.Equal(t, map[string]any{}, a.at("details"))
			case strings.Contains(tc.want, " "):
				assert.Equal(t, tc.want, a.rule())
			default:
				assert.Equal(t, tc.want, a.code())
			}
		})
	}
	assert.Equal(t, before, c.do("GET", contactsPath, nil).at("pagingMetadata.total"), "nothing was created")
	for _, body := range []string{"", "{", "[]", `"x"`, "null", `{}`, `{"info":null}`, `{"info":[]}`, `{"info":{"name":{"first":"a"}},"allowDuplicates":"yes"}`, "first=a", strings.Repeat("[", 100_000)} {
		assert.Equal(t, 400, c.create(body).status, "%.40s", body)
	}
}

func TestCreateAnswersTheWholeContact(t *testing.T) {
	c := start(t, 0)
	a := c.create(`{"info":{
		"name":{"first":"Nia"},
		"emails":{"items":[{"email":"nia@example.com"},{"email":"vale@example.com","tag":"HOME"}]},
		"phones":{"items":[{"phone":"555 0100"},{"phone":"020 7946 0958","countryCode":"GB","tag":"MOBILE","primary":true}]},
		"addresses":{"items":[{"address":{"streetAddress":{"number":"2","name":"Moss Row"},"subdivision":"NY","country":"US"}}]},
		"company":"","extendedFields":{"items":{"custom.website":"example.com","custom.loyalty-points-1":1.50,"custom.shoe-size":""}},
		"labelKeys":{"items":["custom.vip"]}}}`)
	require.Equal(t, 200, a.status, a.raw)
	assert.NotEmpty(t, a.header.Get("x-wix-consistent"))
	assert.EqualValues(t, 0, a.at("contact.revision"))
	assert.Equal(t, "OTHER", a.at("contact.source.sourceType"))
	assert.Equal(t, "CONTACT_CREATED", a.at("contact.lastActivity.activityType"))
	assert.Equal(t, a.at("contact.createdDate"), a.at("contact.lastActivity.activityDate"))
	assert.Regexp(t, `^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`, a.at("contact.updatedDate"))
	assert.Equal(t, map[string]any{"first": "Nia"}, a.at("contact.info.name"))
	assert.Equal(t, true, a.at("contact.info.emails.items.0.primary"), "the first is primary when none is named")
	assert.Equal(t, "UNTAGGED", a.at("contact.info.emails.items.0.tag"))
	assert.Regexp(t, guidForm, a.at("contact.info.emails.items.1.id"))
	assert.Equal(t, "nia@example.com", a.at("contact.primaryInfo.email"))
	assert.Equal(t, "020 7946 0958", a.at("contact.primaryInfo.phone"))
	assert.Equal(t, "+44 20 7946 0958", a.at("contact.primaryPhone.formattedPhone"))
	assert.Equal(t, "NOT_SET", a.at("contact.primaryPhone.subscriptionStatus"))
	assert.Nil(t, a.at("contact.info.phones.items.0.e164Phone"), "no country, no E.164")
	assert.Equal(t, "Moss Row", a.at("contact.info.addresses.items.0.address.streetAddress.name"))
	for _, path := range []string{"contact.info.company", "contact.info.labelKeys", "contact.info.jobTitle"} {
		assert.Nil(t, a.at(path), "%s is left out when empty", path)
	}
	assert.NotContains(t, a.raw, "null")
	assert.Contains(t, a.raw, `"custom.website":"https://example.com"`)
	assert.Contains(t, a.raw, `"custom.loyalty-points-1":1.50`, "digits stay as they came")
	assert.NotContains(t, a.raw, "custom.shoe-size")
}

func TestDuplicatesAreFoundByEmailAndWithoutOneByPhone(t *testing.T) {
	c := start(t, 10)
	p := kit.PersonAt(1)
	cases := []struct {
		name, info, key string
	}{
		{"same email in other letters", `{"emails":{"items":[{"email":"CONTACT2@example.com"}]}}`, "duplicateEmail"},
		{"someone's second email", `{"emails":{"items":[{"email":"home2@example.com"}]}}`, "duplicateEmail"},
		{"same phone", `{"phones":{"items":[{"phone":"` + p.Phone + `"}]}}`, "duplicatePhone"},
		{"same number written differently", `{"phones":{"items":[{"phone":"07700900001","countryCode":"GB"}]}}`, "duplicatePhone"},
	}
	for _, tc := range cases {
		a := c.create(`{"info":` + tc.info + `}`)
		assert.Equal(t, 409, a.status, tc.name)
		assert.Equal(t, "DUPLICATE_CONTACT_EXISTS", a.code(), tc.name)
		assert.Equal(t, seedID(1), a.at("details.applicationError.data.duplicateContactId"), tc.name)
		assert.NotEmpty(t, a.at("details.applicationError.data."+tc.key), tc.name)
		assert.Equal(t, 200, c.create(`{"info":`+tc.info+`,"allowDuplicates":true}`).status, tc.name)
	}
	assert.Equal(t, 200, c.create(`{"info":{"emails":{"items":[{"email":"fresh@example.com"}]},"phones":{"items":[{"phone":"`+p.Phone+`"}]}}}`).status, "with an email of its own the phone does not matter")
	taken := c.patch(seedID(0), 0, `{"emails":{"items":[{"email":"contact2@example.com"}]}}`)
	assert.Equal(t, "DUPLICATE_CONTACT_EXISTS", taken.code(), taken.raw)
}

func TestSwitchesOfCreateAndUpdate(t *testing.T) {
	c := start(t, 10)
	c.set("first_revision", "1")
	assert.EqualValues(t, 1, c.create(`{"info":{"name":{"first":"One"}}}`).at("contact.revision"))

	fields := func(a answer) map[string]any {
		require.Equal(t, 200, a.status, a.raw)
		all, _ := a.at("contact.info.extendedFields.items").(map[string]any)
		return all
	}
	change := `{"extendedFields":{"items":{"custom.shoe-size":"99"}}}`
	merged := func() map[string]any { return fields(c.patch(seedID(5), 0, change)) }
	c.set("extended_fields_patch", "merge")
	assert.Contains(t, merged(), "custom.loyalty-points-1")
	c.set("extended_fields_patch", "replace")
	replaced := fields(c.patch(seedID(5), 1, change))
	assert.NotContains(t, replaced, "custom.loyalty-points-1")
	assert.Contains(t, replaced, "emailSubscriptions.effectiveEmail")

	c.set("name_patch", "replace")
	assert.Equal(t, map[string]any{"first": "Only"}, c.patch(seedID(5), 2, `{"name":{"first":"Only"}}`).at("contact.info.name"))
	c.set("null_clears", "ignore")
	assert.Equal(t, "INSUFFICIENT_UPDATE_CONTACT_DATA", c.patch(seedID(5), 3, `{"company":null}`).code())
	assert.NotNil(t, c.patch(seedID(5), 3, `{"company":null,"jobTitle":""}`).at("contact.info.company"))
	c.set("primary_default", "none")
	assert.Nil(t, c.patch(seedID(5), 4, `{"emails":{"items":[{"email":"none@example.com"}]}}`).at("contact.primaryEmail"))
	c.set("label_keys_in_info", "apply")
	assert.Equal(t, []any{"custom.newsletter"}, c.patch(seedID(5), 5, `{"labelKeys":{"items":["custom.newsletter"]}}`).at("contact.info.labelKeys.items"))
	assert.Equal(t, 400, c.patch(seedID(5), 6, `{"labelKeys":{"items":["custom.none"]}}`).status)

	system := `{"info":{"name":{"first":"S"},"extendedFields":{"items":{"invoices.vatId":"NO1"}}},"allowDuplicates":true}`
	c.set("system_field_write", "ignore")
	assert.NotContains(t, c.create(system).raw, "NO1")
	c.set("system_field_write", "accept")
	assert.Contains(t, c.create(system).raw, "NO1")

	bare := `{"info":{"name":{"first":"B"},"addresses":{"items":[{"address":{"subdivision":"NY"}}]}}}`
	assert.Equal(t, 200, c.create(bare).status)
	c.set("bare_subdivision", "400")
	assert.Equal(t, "info.addresses.items[0].address.subdivision FORMAT", c.create(bare).rule())

	odd := `{"info":{"name":{"first":"U","middle":"x"}},"dryRun":true}`
	assert.Equal(t, 200, c.create(odd).status)
	c.set("unknown_fields", "400")
	assert.Equal(t, 400, c.create(odd).status)
	assert.Equal(t, 400, c.do("GET", contactsPath+"?limit=5", nil).status)
	assert.Equal(t, 400, c.do("GET", contactsPath+"?fields=info.nonsense", nil).status)
	assert.Equal(t, 200, c.do("DELETE", contactsPath+"/"+seedID(6)+"?contactId="+seedID(6), nil).status, "what the SDK repeats is known")

	for value, want := range map[string]string{
		"full":    `{"message":"Contact was not found.","details":{"applicationError":{"code":"CONTACT_NOT_FOUND","description":"Contact was not found.","data":{}}}}`,
		"empty":   `{"message":"Contact was not found.","details":{}}`,
		"missing": `{"message":"Contact was not found."}`,
	} {
		c.set("error_details", value)
		assert.JSONEq(t, want, c.get(clientID).raw)
	}
}
