package emulator

import (
	"strings"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// Ids of the awkward records, as the README names them.
const (
	branchID        = int64(900011)
	hostileOrgID    = int64(900012)
	customerID      = int64(910001)
	orphanID        = int64(910002)
	goneOwnerID     = int64(910003)
	nullAddressID   = int64(910004)
	longTextID      = int64(910005)
	twinID          = int64(910006)
	everyFieldID    = int64(910007)
	largeID         = int64(9007199254740993) // 2^53 + 1, lost by a float64
	noSuchCompanyID = int64(999999)
	goneUserID      = int64(10)
)

// seedAwkward adds what adapters trip over. All can be deleted; organisations
// are what a contact delete should not hit by accident.
func (s *state) seedAwkward() {
	created := kit.Epoch.Add(-24 * time.Hour)
	org := func(id int64, name string) *kit.Object {
		o := blankContact()
		o.Set("is_organization", true)
		o.Set("name", name)
		return s.add(id, o, created, created)
	}
	person := func(id int64, first, last string) *kit.Object {
		o := blankContact()
		o.Set("first_name", first)
		o.Set("last_name", last)
		o.Set("name", first+" "+last)
		return s.add(id, o, created, created)
	}
	org(branchID, "Quill Ltd, Leeds").Set("parent_organization_id", firstOrganizationID)
	org(hostileOrgID, `</script> "Émile" & Fils`).Set("description", "a\nb")

	customer := person(customerID, "Zora", "Zadek")
	customer.Set("customer_status", "current")
	customer.Set("contact_id", firstOrganizationID)
	customer.Set("address", seedAddress(kit.PersonAt(0)))
	customer.Set("billing_address", seedAddress(kit.PersonAt(1)))
	customer.Set("shipping_address", seedAddress(kit.PersonAt(2)))

	person(orphanID, "Zora", "Zelnik").Set("contact_id", noSuchCompanyID)
	person(goneOwnerID, "Zora", "Zima").Set("owner_id", goneUserID)
	person(nullAddressID, "Zora", "Zorn").Set("address", kit.Pairs("line1", nil, "city", nil, "postal_code", nil, "state", nil, "country", nil))
	person(longTextID, "Zora", "Zuber").Set("description", strings.Repeat("A long story. ", 4000))
	// An upsert by e-mail finds two.
	person(twinID, "Zora", "Zwilling").Set("email", kit.PersonAt(0).Email)

	every := person(everyFieldID, "Zora", "Zylinder")
	every.Set("custom_fields", kit.Pairs(
		"Known via", "Referral",
		"Budget", "-12345678901234567890.125",
		"Newsletter", false,
		"Interests", []any{"Looms, used"},
		"Renewal date", "9999-12-31",
		"Last visit", "9999-12-31T00:00:00Z",
		"Second address", kit.Pairs("line1", "1 Ink Lane", "city", nil, "postal_code", nil, "state", nil, "country", nil),
		"field.with.dots", "a.b",
		"Shoe size [EU]", "42",
		"Größe", "1,80 m",
		"Backup email", "not an e-mail",
		"Direct line", "ext. 5",
		"Blog", "example.com",
	))
	person(largeID, "Zora", "Zzz")
}
