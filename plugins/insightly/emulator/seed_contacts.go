package emulator

import (
	"encoding/json"
	"fmt"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// plainContact is the i-th deletable person. The first ten are full and
// plain; after them every ten hold a sparse one, one without e-mail and
// phones, one with hostile text, one without organisation and one whose
// layout lacks most custom fields.
func (s *state) plainContact(i int) *record {
	person := kit.PersonAt(i)
	id := int64(firstContact + i)
	doc := contacts.blank(id)
	variety := 0
	if i >= 10 {
		variety = i % 10
	}
	setAll(doc, "FIRST_NAME", person.First, "OWNER_USER_ID", integerValue(keyUser), "CREATED_USER_ID", integerValue(keyUser))
	if variety == 1 { // sparse: a first name and nothing else
		return dated(contacts, doc, id, person.Created, person.Updated)
	}
	setAll(doc,
		"LAST_NAME", person.Last, "TITLE", person.JobTitle,
		"IMAGE_URL", fmt.Sprintf("https://images.example.com/contacts/%d.png", i+1),
		"BACKGROUND", fmt.Sprintf("Met at trade fair %d.", i+1),
		"DATE_OF_BIRTH", fmt.Sprintf("%d-%02d-01 00:00:00", person.BirthYear, person.BirthMonth),
		"PHONE", person.Phone, "PHONE_MOBILE", person.Mobile, "EMAIL_ADDRESS", person.Email,
		"ADDRESS_MAIL_STREET", person.Street, "ADDRESS_MAIL_CITY", person.City, "ADDRESS_MAIL_STATE", person.Region,
		"ADDRESS_MAIL_POSTCODE", person.Postcode, "ADDRESS_MAIL_COUNTRY", person.Country,
		"ORGANISATION_ID", integerValue(int64(firstOrganisation+person.CompanyIndex)),
		"LAST_ACTIVITY_DATE_UTC", person.Updated.Format(stampForm),
		"TAGS", tagList(person.Tags...),
		"DATES", []any{kit.Pairs(
			"DATE_ID", integerValue(int64(7100001+i)), "OCCASION_NAME", "Birthday",
			"OCCASION_DATE", fmt.Sprintf("%d-%02d-01 00:00:00", person.BirthYear, person.BirthMonth),
			"REPEAT_YEARLY", true, "CREATE_TASK_YEARLY", false,
		)},
	)
	setCustom(doc, "Region__c", []string{"EMEA", "AMER", "APAC"}[i%3])
	setCustom(doc, "Score__c", json.Number(fmt.Sprintf("%d.5", i%100)))
	setCustom(doc, "Newsletter__c", i%4 == 0)
	setCustom(doc, "Renewal__c", fmt.Sprintf("2025-%02d-15 00:00:00", 1+i%12))
	switch variety {
	case 3:
		setAll(doc, "EMAIL_ADDRESS", nil, "PHONE", nil, "PHONE_MOBILE", nil, "LAST_NAME", nil)
	case 5:
		setAll(doc,
			"FIRST_NAME", "Zoë \"Zed\" Ångström", "LAST_NAME", "O'Brien </script><b>&amp;", "TITLE", "主任 🚀 \\ Über-Buyer",
			"BACKGROUND", "First line\r\nsecond line\n\ttabbed \u2028 separator <img src=x onerror=alert(1)>",
			"ADDRESS_MAIL_STREET", "1 Ink Lane\nFloor 3",
		)
		setCustom(doc, "Remarks__c", "'; DROP TABLE contacts; --\n\"quoted\"")
	case 7:
		setAll(doc, "ORGANISATION_ID", nil, "TAGS", []any{}, "DATES", []any{}, "OWNER_USER_ID", integerValue(plainUser))
	case 8:
		doc.Set("CUSTOMFIELDS", []any{kit.Pairs("FIELD_NAME", "Region__c", "FIELD_VALUE", nil)})
	}
	return dated(contacts, doc, id, person.Created, person.Updated)
}

// awkwardContacts are what an adapter trips over; the README names them.
func (s *state) awkwardContacts() []*record {
	contact := func(offset int, first, last any, keysAndValues ...any) *record {
		id := int64(awkwardContact + offset)
		doc := contacts.blank(id)
		setAll(doc, "FIRST_NAME", first, "LAST_NAME", last, "OWNER_USER_ID", integerValue(keyUser), "CREATED_USER_ID", integerValue(keyUser))
		setAll(doc, keysAndValues...)
		return dated(contacts, doc, id, kit.Epoch, kit.Epoch)
	}
	loaded := contact(0, "Cora", "Collections",
		"ORGANISATION_ID", integerValue(firstOrganisation),
		"BACKGROUND", "<p>Rich <b>text</b></p>",
		"EMAIL_ADDRESS", "cora.collections@example.com",
		"PHONE", "+1 202 555 0171", "PHONE_HOME", "+1 202 555 0172", "PHONE_MOBILE", "+1 202 555 0173",
		"PHONE_OTHER", "+1 202 555 0174", "PHONE_ASSISTANT", "+1 202 555 0175", "PHONE_FAX", "+1 202 555 0176",
		"ADDRESS_MAIL_STREET", "1 Ink Lane\nFloor 3", "ADDRESS_MAIL_CITY", "Leeds", "ADDRESS_MAIL_COUNTRY", "United Kingdom",
		"ADDRESS_OTHER_STREET", "12 Quay St", "ADDRESS_OTHER_CITY", "Bergen", "ADDRESS_OTHER_COUNTRY", "Norway",
		"TAGS", tagList("vip", "newsletter", "two words", "ünïcode", "a,b"),
	)
	for _, organisation := range []int64{firstOrganisation + 1, firstOrganisation + 2} {
		loaded.doc.Set("LINKS", append(loaded.doc.Get("LINKS").([]any), kit.Pairs(
			"LINK_ID", integerValue(s.partID()), "OBJECT_NAME", "Contact", "OBJECT_ID", integerValue(loaded.id),
			"LINK_OBJECT_NAME", "Organisation", "LINK_OBJECT_ID", integerValue(organisation),
			"ROLE", "Advisor", "DETAILS", nil, "RELATIONSHIP_ID", integerValue(0), "IS_FORWARD", true,
		)))
	}
	setCustom(loaded.doc, "Score__c", json.Number("7.5"))
	loaded.doc.Set("CUSTOMFIELDS", append(loaded.doc.Get("CUSTOMFIELDS").([]any), kit.Pairs("FIELD_NAME", "Member_Number__c", "FIELD_VALUE", "M-0001")))
	s.rememberTag(contacts, "two words")
	s.rememberTag(contacts, "ünïcode")
	s.rememberTag(contacts, "a,b")
	s.seedNote(loaded)

	noDates := contact(1, "Zeno", "Zerodate")
	setAll(noDates.doc, "DATE_OF_BIRTH", "0000-00-00 00:00:00", "LAST_ACTIVITY_DATE_UTC", "", "NEXT_ACTIVITY_DATE_UTC", "0000-00-00 00:00:00")

	imported := contact(2, nil, "Imported", "EMAIL_ADDRESS", "imported@example.com")
	imported.doc.Set("CUSTOMFIELDS", []any{})

	dangling := contact(3, "Dara", "Dangling", "ORGANISATION_ID", integerValue(missingOrganisation), "OWNER_USER_ID", integerValue(inactiveUser))

	restricted := contact(4, "Rhea", "Restricted")
	restricted.noAccess = true

	undeletable := contact(5, "Uma", "Undeletable")
	undeletable.undeletable = true

	binned := contact(6, "Bea", "Binned", "EMAIL_ADDRESS", "bea.binned@example.com")
	binned.deleted = true

	twin := contact(7, "Tess", "Twin", "EMAIL_ADDRESS", "shared@example.com")
	other := contact(8, "Theo", "Twin", "EMAIL_ADDRESS", "shared@example.com")
	return []*record{loaded, noDates, imported, dangling, restricted, undeletable, binned, twin, other}
}

func (s *state) seedNote(rec *record) {
	doc := notes.blank(firstNote)
	setAll(doc, "TITLE", "Call", "BODY", "<p>Rang back.</p>", "OWNER_USER_ID", integerValue(keyUser), "LINKS", []any{kit.Pairs(
		"LINK_ID", integerValue(s.partID()), "OBJECT_NAME", "Note", "OBJECT_ID", integerValue(firstNote),
		"LINK_OBJECT_NAME", "Contact", "LINK_OBJECT_ID", integerValue(rec.id),
		"ROLE", nil, "DETAILS", nil, "RELATIONSHIP_ID", integerValue(0), "IS_FORWARD", true,
	)})
	s.add(notes, dated(notes, doc, firstNote, kit.Epoch, kit.Epoch))
}
