package emulator

// fieldType is what a standard or custom field holds.
type fieldType int

const (
	textField fieldType = iota
	integerField
	numberField
	booleanField
	dateField
)

// field is a standard field of an object, in the order of the vendor's output.
type field struct {
	name     string
	typ      fieldType
	max      int // characters; 0 means unbounded
	readOnly bool
}

// kind describes one of the collections that can be written to.
type kind struct {
	object      string // singular, as in links and in "No Contact with ID"
	path        string // plural, as in paths
	idKey       string
	required    string
	fields      []field
	customs     []customField
	collections []string // sub-collections in a record, in output order
	noPost      bool     // created below another record only
	subs        []string // sub-resources, lower case
}

var contacts = &kind{
	object: "Contact", path: "Contacts", idKey: "CONTACT_ID", required: "FIRST_NAME",
	fields: fieldList(
		readOnly(integer("CONTACT_ID")), short("SALUTATION", 50), line("FIRST_NAME"), line("LAST_NAME"),
		readOnly(line("IMAGE_URL")), short("BACKGROUND", 4000), integer("OWNER_USER_ID"),
		readOnly(date("DATE_CREATED_UTC")), readOnly(date("DATE_UPDATED_UTC")),
		line("SOCIAL_LINKEDIN"), line("SOCIAL_FACEBOOK"), line("SOCIAL_TWITTER"), date("DATE_OF_BIRTH"),
		line("PHONE"), line("PHONE_HOME"), line("PHONE_MOBILE"), line("PHONE_OTHER"), line("PHONE_ASSISTANT"), line("PHONE_FAX"),
		line("EMAIL_ADDRESS"), line("ASSISTANT_NAME"),
		line("ADDRESS_MAIL_STREET"), line("ADDRESS_MAIL_CITY"), line("ADDRESS_MAIL_STATE"), short("ADDRESS_MAIL_POSTCODE", 128), line("ADDRESS_MAIL_COUNTRY"),
		line("ADDRESS_OTHER_STREET"), line("ADDRESS_OTHER_CITY"), line("ADDRESS_OTHER_STATE"), short("ADDRESS_OTHER_POSTCODE", 128), line("ADDRESS_OTHER_COUNTRY"),
		readOnly(date("LAST_ACTIVITY_DATE_UTC")), readOnly(date("NEXT_ACTIVITY_DATE_UTC")), readOnly(integer("CREATED_USER_ID")),
		integer("ORGANISATION_ID"), line("TITLE"), boolean("EMAIL_OPTED_OUT"),
	),
	customs:     contactCustomFields,
	collections: []string{"CUSTOMFIELDS", "TAGS", "DATES", "LINKS"},
	subs:        []string{"tags", "dates", "links", "notes", "follow", "emails", "events", "tasks", "fileattachments"},
}

var organisations = &kind{
	object: "Organisation", path: "Organisations", idKey: "ORGANISATION_ID", required: "ORGANISATION_NAME",
	fields: fieldList(
		readOnly(integer("ORGANISATION_ID")), line("ORGANISATION_NAME"), short("BACKGROUND", 4000), short("IMAGE_URL", 500), integer("OWNER_USER_ID"),
		readOnly(date("DATE_CREATED_UTC")), readOnly(date("DATE_UPDATED_UTC")),
		readOnly(date("LAST_ACTIVITY_DATE_UTC")), readOnly(date("NEXT_ACTIVITY_DATE_UTC")), readOnly(integer("CREATED_USER_ID")),
		line("PHONE"), line("PHONE_FAX"), line("WEBSITE"),
		line("ADDRESS_BILLING_STREET"), line("ADDRESS_BILLING_CITY"), line("ADDRESS_BILLING_STATE"), line("ADDRESS_BILLING_COUNTRY"), short("ADDRESS_BILLING_POSTCODE", 128),
		line("ADDRESS_SHIP_STREET"), line("ADDRESS_SHIP_CITY"), line("ADDRESS_SHIP_STATE"), short("ADDRESS_SHIP_POSTCODE", 128), line("ADDRESS_SHIP_COUNTRY"),
		line("SOCIAL_LINKEDIN"), line("SOCIAL_FACEBOOK"), line("SOCIAL_TWITTER"),
	),
	customs:     organisationCustomFields,
	collections: []string{"CUSTOMFIELDS", "TAGS", "DATES", "EMAILDOMAINS", "LINKS"},
	subs:        []string{"tags", "dates", "emaildomains", "links", "notes", "follow", "emails", "events", "tasks", "fileattachments"},
}

var notes = &kind{
	object: "Note", path: "Notes", idKey: "NOTE_ID", required: "TITLE",
	fields: fieldList(
		readOnly(integer("NOTE_ID")), line("TITLE"), short("BODY", 0),
		readOnly(date("DATE_CREATED_UTC")), readOnly(date("DATE_UPDATED_UTC")), readOnly(integer("OWNER_USER_ID")),
	),
	collections: []string{"LINKS"},
	noPost:      true,
	subs:        []string{"links", "follow", "fileattachments"},
}

// kinds are the writable collections by their lower-case path.
var kinds = map[string]*kind{"contacts": contacts, "organisations": organisations, "notes": notes}

func (k *kind) field(name string) (field, bool) {
	for _, f := range k.fields {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

func (k *kind) custom(name string) (customField, bool) {
	for _, c := range k.customs {
		if c.name == name {
			return c, true
		}
	}
	return customField{}, false
}

func fieldList(fields ...field) []field { return fields }

func short(name string, limit int) field { return field{name: name, typ: textField, max: limit} }
func line(name string) field             { return short(name, 255) }
func integer(name string) field          { return field{name: name, typ: integerField} }
func boolean(name string) field          { return field{name: name, typ: booleanField} }
func date(name string) field             { return field{name: name, typ: dateField} }

func readOnly(f field) field {
	f.readOnly = true
	return f
}
