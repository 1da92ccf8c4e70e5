package emulator

import kit "github.com/unicrm/unicrm/sdk/emulator"

// switches are the points that the vendor's material leaves open or
// contradicts. The README gives the evidence for each default.
var switches = []kit.Switch{
	// Ids and deletion.
	{Name: "unknown_id", Default: "404", Values: []string{"404", "404_json", "404_empty"}, Doc: "the answer to an id that no record has: 404 as plain text, as JSON with Message, or without a body"},
	{Name: "malformed_id", Default: "400", Values: []string{"400", "404"}, Doc: "the answer to a path id that is not an integer"},
	{Name: "no_access", Default: "403", Values: []string{"403", "404"}, Doc: "the answer for a record that the key's user may not see"},
	{Name: "second_delete", Default: "404", Values: []string{"404", "202", "417"}, Doc: "the answer to deleting what is in the recycle bin already: like an unknown id, accepted again, or delete failed"},
	{Name: "get_after_delete", Default: "404", Values: []string{"404", "200"}, Doc: "whether a deleted record can still be read by its id"},
	{Name: "query_lag", Default: "off", Doc: "off, or how many list and search answers still show a record after its deletion"},
	// Writing.
	{Name: "update_status", Default: "200", Values: []string{"200", "201"}, Doc: "the status of a successful PUT of a record or of its tags"},
	{Name: "unknown_id_on_update", Default: "404", Values: []string{"404", "400"}, Doc: "the answer to a PUT whose body names no existing record"},
	{Name: "stale_if_match", Default: "400", Values: []string{"400", "412"}, Doc: "the answer to a PUT whose If-Match is not the record's ETag: as observed or as documented"},
	{Name: "delete_if_match", Default: "ignore", Values: []string{"ignore", "honour"}, Doc: "whether DELETE looks at If-Match"},
	{Name: "body_collections", Default: "replace", Values: []string{"replace", "merge", "ignore"}, Doc: "what TAGS, DATES, LINKS and EMAILDOMAINS in a record's body do to the stored ones"},
	{Name: "tags_put", Default: "replace", Values: []string{"replace", "merge"}, Doc: "what PUT …/Tags does to the tags that it does not name"},
	{Name: "custom_fields_update", Default: "merge", Values: []string{"merge", "replace"}, Doc: "whether CUSTOMFIELDS in a PUT keeps or clears the fields that it does not name"},
	{Name: "required_name", Default: "first_name", Values: []string{"first_name", "any_name"}, Doc: "whether a contact needs FIRST_NAME or is content with LAST_NAME"},
	{Name: "unknown_custom_field", Default: "400", Values: []string{"400", "ignore"}, Doc: "what a FIELD_NAME that does not exist does to a write"},
	{Name: "fixed_custom_field", Default: "400", Values: []string{"400", "ignore"}, Doc: "what a custom field that is not editable does to a write that names it"},
	{Name: "owner_null", Default: "clear", Values: []string{"clear", "keep"}, Doc: "whether OWNER_USER_ID null in a PUT takes the owner away or leaves it"},
	{Name: "unknown_reference", Default: "400", Values: []string{"400", "ignore"}, Doc: "what an ORGANISATION_ID or OWNER_USER_ID that does not exist does to a write"},
	{Name: "unknown_keys", Default: "ignore", Values: []string{"ignore", "400"}, Doc: "what a key that the object does not have does to a write"},
	{Name: "read_only_keys", Default: "ignore", Values: []string{"ignore", "400"}, Doc: "what a read-only key does to a write"},
	{Name: "body_keys", Default: "any_case", Values: []string{"any_case", "exact"}, Doc: "whether the keys of a body are matched without regard to case"},
	{Name: "record_limit", Default: "off", Doc: "off, or how many contacts and organisations the plan holds; creating more answers 402"},
	// Reading.
	{Name: "unknown_query", Default: "ignore", Values: []string{"ignore", "400"}, Doc: "what a query parameter that a list or search does not have does, updated_after_utc on the plain list among them"},
	{Name: "top_over_max", Default: "clamp", Values: []string{"clamp", "400"}, Doc: "what top above 500 does"},
	{Name: "search_case", Default: "exact", Values: []string{"exact", "ignore"}, Doc: "whether field_value and tagName are compared with regard to case"},
	{Name: "users_list", Default: "200", Values: []string{"200", "403"}, Doc: "whether the key's user may list all users"},
	// Errors and limits.
	{Name: "validation_body", Default: "message", Values: []string{"message", "name_message", "text", "empty"}, Doc: "the shape of a 400: JSON with Message, JSON with Name and Message, a line of plain text, or nothing"},
	{Name: "rate_limit", Default: "off", Doc: "off, or how many requests each second from now on; more answer 429 with X-RateLimit-Remaining above 0"},
	{Name: "daily_quota", Default: "off", Doc: "off, or how many requests are left today from now on; more answer 429 with X-RateLimit-Remaining 0"},
	{Name: "rate_limit_body", Default: "json", Values: []string{"json", "text", "empty"}, Doc: "the shape of a 429"},
	{Name: "retry_after", Default: "off", Doc: "off, or the Retry-After that a 429 carries, in seconds"},
}
