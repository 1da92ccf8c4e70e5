package emulator

import "strings"

// Paths of the collections.
const (
	contacts         = "Contacts"
	accounts         = "Accounts"
	accountRelations = "ContactAccountRelations"
	tags             = "Tags"
	tagRelations     = "TagRelations"
	clients          = "Clients"
	salesUnits       = "SalesUnits"
	contactTypes     = "ContactTypes"
	accountTypes     = "AccountTypes"
	fieldRows        = "Fields"
	options          = "Data"
	notes            = "Notes"
)

// newSchema describes the collections that the emulator holds, by name, their
// keys in the order of the vendor's answers.
func newSchema() map[string]*collection {
	schema := map[string]*collection{}
	for _, c := range []*collection{
		contactSchema(), accountSchema(), accountRelationSchema(), tagSchema(), tagRelationSchema(), clientSchema(), salesUnitSchema(),
		typeSchema(contactTypes, "ContactType"), typeSchema(accountTypes, "AccountType"), fieldSchema(), optionSchema(), noteSchema(),
	} {
		c.index = map[string]int{}
		for i, f := range c.fields {
			c.index[f.name] = i
		}
		schema[c.name] = c
	}
	return schema
}

func contactSchema() *collection {
	return &collection{
		name: contacts, entity: "Contact", writable: true, merges: true, check: checkContact, apply: applyContact,
		fields: join(
			header(true),
			one(uri("contact_type", contactTypes, "contact_type_id"), fixed("currency_exchange_rates_list", nil),
				uri("owner", clients, "owner_id"), fixed("picture", nil), uri("unit", salesUnits, "unit_id")),
			texts("address", "city", "comments"),
			one(needed(ref("contact_type_id", contactTypes)), text("country"), fixed("currency_exchange_rates_list_id", nil)),
			texts("email1", "email2", "email3", "email4", "email5", "first_name"),
			one(choice("gender", 0, 0, 1, 2, 3), boolean("is_archived")),
			texts("last_name", "middle_name"),
			one(needed(ref("owner_id", clients))),
			texts("phone1", "phone2", "phone3", "phone4", "phone5"),
			one(fixed("picture_id", nil)),
			texts("position", "quick_account_name"),
			one(choice("share_mode", 0, 0, 1, 2, 3)),
			texts("state_province", "title"),
			one(needed(ref("unit_id", salesUnits)), text("zip_code"), revision(),
				field{name: "formatted_name", kind: kindDerived, value: contactName},
				fixed("social_media", nil),
				field{name: "primary_account", kind: kindURI, target: accounts, noQuery: true, value: primaryAccount},
				many("account_relations", accountRelations, "contact_id")),
			noRows("sharing_units", "sharing_clients", "documents"),
			one(entityID("exchange_entity_id"), entityID("gapi_entity_id"), entityID("o365_entity_id"), fixed("is_favorite", false)),
			noRows("primary_account_account_roles"),
			one(field{name: "primary_account_position", kind: kindDerived, noQuery: true, value: primaryPosition},
				writableField(field{name: "account_position", kind: kindText, noQuery: true, value: accountPosition}),
				boolean("is_unsubscribed"), many("tags", tagRelations, "contact_id"), fixed("static_profiles", []any{}),
				writableField(field{name: "primary_account_relationship", kind: kindAnything, noQuery: true, value: primaryRelationship}),
				stored("modified_by_user", kindStamp)),
		),
	}
}

func accountSchema() *collection {
	return &collection{
		name: accounts, entity: "Account", writable: true, merges: true,
		fields: join(
			header(true),
			one(uri("account_type", accountTypes, "account_type_id"), fixed("currency_exchange_rates_list", nil),
				uri("customer_type", options, "customer_type_id"), uri("industry", options, "industry_id"),
				uri("owner", clients, "owner_id"), uri("parent_account", accounts, "parent_account_id"),
				fixed("parent_account_relation_type", nil), fixed("picture", nil), uri("unit", salesUnits, "unit_id"),
				choice("account_class", 1, 1, 2, 3, 4, 5), needed(ref("account_type_id", accountTypes))),
			texts("address", "city", "comments", "country"),
			one(fixed("currency_exchange_rates_list_id", nil), ref("customer_type_id", options)),
			texts("email1", "email2", "email3", "email4", "email5"),
			one(fixed("health_category", nil), fixed("health_status", nil), text("home_page"), ref("industry_id", options),
				boolean("is_archived"), needed(text("name")), needed(ref("owner_id", clients)), ref("parent_account_id", accounts),
				fixed("parent_account_relation_type_id", nil)),
			texts("phone1", "phone2", "phone3", "phone4", "phone5"),
			one(fixed("picture_id", nil), text("quick_parent_account_name"), choice("share_mode", 0, 0, 1, 2, 3), text("state_province"),
				needed(ref("unit_id", salesUnits)), text("zip_code"), revision(),
				field{name: "formatted_name", kind: kindDerived, value: func(_ *store, r *row) any { return r.values.Text("name") }},
				fixed("social_media", nil)),
			noRows("sharing_units", "sharing_clients", "documents"),
			one(fixed("is_favorite", false), boolean("is_unsubscribed"), many("tags", tagRelations, "account_id"),
				fixed("static_profiles", []any{}), fixed("health", map[string]any{}), stored("modified_by_user", kindStamp)),
		),
	}
}

func accountRelationSchema() *collection {
	return &collection{
		name: accountRelations, entity: "ContactAccountRelation", writable: true, apply: applyAccountRelation,
		fields: join(
			header(true),
			one(uri("account", accounts, "account_id"), uri("contact", contacts, "contact_id"),
				needed(ref("account_id", accounts)), text("comment"), needed(ref("contact_id", contacts)),
				boolean("is_assistant"), needed(writableField(field{name: "is_primary", kind: kindBoolean})), boolean("is_sibling"),
				text("position"), choice("relationship", 0, 0, 1, 2, 3), revision()),
			noRows("account_roles"),
		),
	}
}

func tagSchema() *collection {
	return &collection{
		name: tags, entity: "Tag", writable: true,
		fields: join(
			header(true),
			one(uri("creator", clients, "creator_id"), needed(number("color")), ref("creator_id", clients), needed(text("name")),
				writableField(field{name: "supported_entities", kind: kindInteger, initial: int64(31)}), boolean("use_lang"), revision()),
		),
	}
}

func tagRelationSchema() *collection {
	return &collection{
		name: tagRelations, entity: "TagRelation", writable: true, check: checkOwner,
		fields: join(
			header(true),
			one(uri("account", accounts, "account_id"), uri("contact", contacts, "contact_id"),
				fixed("lead", nil), fixed("oppty", nil), fixed("project", nil), uri("tag", tags, "tag_id"),
				ref("account_id", accounts), ref("contact_id", contacts),
				fixed("lead_id", nil), fixed("oppty_id", nil), fixed("project_id", nil),
				needed(ref("tag_id", tags)), revision()),
		),
	}
}

func clientSchema() *collection {
	return &collection{
		name: clients, entity: "Client",
		fields: join(
			header(false),
			one(uri("default_unit", salesUnits, "default_unit_id"), uri("master_right", "MasterRights", "master_right_id"),
				stored("default_unit_id", kindRef), stored("email", kindText), stored("first_name", kindText), stored("last_active", kindStamp),
				stored("last_name", kindText), stored("master_right_id", kindRef), stored("middle_name", kindText),
				stored("phone", kindText), stored("picture_url", kindText), stored("position", kindText), stored("region", kindText),
				stored("timezone", kindText), stored("type", kindInteger), revision(),
				fixed("unit_membership", []any{}), stored("timezone_name", kindText),
				field{name: "name", kind: kindDerived, value: clientName}, field{name: "formatted_name", kind: kindDerived, value: clientName},
				fixed("unit_manager_ids", []any{}), fixed("unit_member_ids", []any{})),
		),
	}
}

func salesUnitSchema() *collection {
	return &collection{
		name: salesUnits, entity: "SalesUnit",
		fields: join(
			header(false),
			one(uri("parent", salesUnits, "parent_id"), fixed("picture", nil), stored("name", kindText), stored("parent_id", kindRef),
				fixed("picture_id", nil), revision()),
		),
	}
}

func fieldSchema() *collection {
	return &collection{
		name: fieldRows, entity: "Field", writable: true, check: checkField, apply: applyField,
		fields: join(
			header(false),
			one(needed(field{name: "entity_name", onCreate: true}), stored("api_name", kindText), needed(text("name")), stored("column_name", kindText),
				stored("column_source", kindInteger), stored("system_type", kindInteger),
				needed(field{name: "type_id", onCreate: true}), field{name: "data_set_id", onCreate: true},
				text("default_value"), stored("system_required", kindBoolean), fixed("is_published", true), stored("system_readonly", kindBoolean),
				boolean("use_in_global_search"), writableField(field{name: "settings", kind: kindAnything, noQuery: true}), stored("is_unique", kindBoolean),
				writableField(field{name: "data_set", kind: kindMany, target: options, via: "data_set_id", noQuery: true}),
				field{name: "translated_name", kind: kindDerived, value: func(_ *store, r *row) any { return r.values.Text("name") }}),
		),
	}
}

func optionSchema() *collection {
	return &collection{
		name: options, entity: "Data",
		fields: join(
			header(false),
			one(needed(field{name: "calc_value", kind: kindFloat, onCreate: true, onUpdate: true}), stored("data_set_id", kindText),
				needed(text("option_name")), number("sort_order"), fixed("is_published", true), revision()),
		),
	}
}

func noteSchema() *collection {
	return &collection{
		name: notes, entity: "Note", writable: true, check: checkOwner,
		fields: join(
			header(true),
			one(uri("account", accounts, "account_id"), uri("contact", contacts, "contact_id"), fixed("custom_entity", nil),
				fixed("lead", nil), fixed("oppty", nil), uri("owner", clients, "owner_id"), fixed("project", nil), fixed("quote", nil),
				ref("account_id", accounts), ref("contact_id", contacts), fixed("custom_entity_id", nil), fixed("lead_oppty_id", nil),
				needed(text("note")), needed(ref("owner_id", clients)), fixed("project_id", nil), fixed("quote_id", nil), revision()),
		),
	}
}

func typeSchema(name, entity string) *collection {
	return &collection{
		name: name, entity: entity,
		fields: join(header(false), one(stored("name", kindText), fixed("is_readonly", false), fixed("is_published", true), revision())),
	}
}

// entityID is the id of a contact in a synchronised mailbox. The vendor's
// input schema has the three on update only.
func entityID(name string) field { return field{name: name, onUpdate: true} }

func clientName(_ *store, r *row) any {
	return strings.TrimSpace(r.values.Text("first_name") + " " + r.values.Text("last_name"))
}
