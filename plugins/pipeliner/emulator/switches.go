package emulator

import kit "github.com/unicrm/unicrm/sdk/emulator"

// switches lists what the vendor's documentation leaves open. README.md says
// what speaks for each default.
var switches = []kit.Switch{
	{Name: "second_delete", Default: "404", Values: []string{"404", "200", "500"}, Doc: "What deleting a record again answers: the Error of an unknown id, the id once more, or a server error."},
	{Name: "unknown_id", Default: "404", Values: []string{"404", "404_route", "422"}, Doc: "What a well-formed id of no record answers: 404 with the Error body, 404 in the shape of a missing route, or a validation error."},
	{Name: "malformed_id", Default: "404", Values: []string{"404", "404_route", "400"}, Doc: "What an id that is no UUID answers: 404 with the Error body, 404 in the shape of a missing route, or 400 with code 117."},
	{Name: "get_after_delete", Default: "404", Values: []string{"404", "200"}, Doc: "What reading a deleted record answers: not found, or the record with is_deleted."},
	{Name: "update_after_delete", Default: "404", Values: []string{"404", "422"}, Doc: "What changing a deleted record answers."},
	{Name: "protected_delete", Default: "422", Values: []string{"422", "400", "403"}, Doc: "What deleting a record with is_delete_protected answers."},
	{Name: "archived_update", Default: "422", Values: []string{"422", "accept"}, Doc: "What changing an archived contact answers, unless is_archived is set to false with it."},
	{Name: "archived_list", Default: "shown", Values: []string{"shown", "hidden"}, Doc: "Whether lists show archived records without filter[is_archived]."},
	{Name: "create_status", Default: "201", Values: []string{"201", "200"}, Doc: "The status of a create."},
	{Name: "required_names", Default: "first_or_last", Values: []string{"first_or_last", "last", "none"}, Doc: "Which names a contact needs."},
	{Name: "required_field", Default: "none", Doc: "The api name of a contact's field that an administrator has made required; validation-level 4 relaxes it, 2 on changes."},
	{Name: "unknown_fields", Default: "refuse", Values: []string{"refuse", "ignore"}, Doc: "What becomes of keys in a body that are no fields: 422, or nothing."},
	{Name: "readonly_fields", Default: "refuse", Values: []string{"refuse", "ignore"}, Doc: "What becomes of read-only fields in a body without validation-level 8: 422, or nothing."},
	{Name: "empty_change", Default: "accept", Values: []string{"accept", "400"}, Doc: "What a change with nothing in it answers: the record as it is, or 400 with code 117."},
	{Name: "relation_update", Default: "replace", Values: []string{"replace", "add"}, Doc: "Whether an array of relations in a PATCH replaces the rows or adds to them."},
	{Name: "revision_lock", Default: "off", Values: []string{"off", "on"}, Doc: "Whether a write with an outdated revision is refused with 409."},
	{Name: "empty_values", Default: "null", Values: []string{"null", "empty_string", "absent"}, Doc: "How empty scalars are answered; empty_string concerns text only."},
	{Name: "last_page", Default: "with_cursor", Values: []string{"with_cursor", "empty"}, Doc: "Whether the last page with records says has_next_page=false, or true with an empty page behind it."},
	{Name: "page_over_max", Default: "400", Values: []string{"400", "clamp"}, Doc: "What a page size above 100 answers: 400 with code 117, or 100 records."},
	{Name: "unknown_query", Default: "ignore", Values: []string{"ignore", "refuse"}, Doc: "What becomes of query parameters that the operation does not have."},
	{Name: "unknown_filter", Default: "400", Values: []string{"400", "ignore"}, Doc: "What becomes of a filter or order-by on no field."},
	{Name: "deleted_filter", Default: "serve", Values: []string{"serve", "400", "ignore"}, Doc: "What becomes of filter[is_deleted]: it narrows the list, is refused with code 117, or nothing."},
	{Name: "unknown_expand", Default: "ignore", Values: []string{"ignore", "400"}, Doc: "What becomes of an expand of no relation, such as the vendor's own example sales_unit on contacts."},
	{Name: "get_expand", Default: "serve", Values: []string{"serve", "ignore", "400"}, Doc: "What becomes of expand on reading one record."},
	{Name: "between_values", Default: "comma", Values: []string{"comma", "repeat"}, Doc: "How filter-op between takes its two values: a,b or the parameter twice."},
	{Name: "include_deleted", Default: "openapi", Values: []string{"openapi", "docs"}, Doc: "Whether include-deleted works on lists alone, or also as include_deleted and on reading one record."},
	{Name: "uri_host", Default: "base", Values: []string{"base", "bare"}, Doc: "The host of the URIs of relations: this emulator, or the vendor's without .api."},
	{Name: "content_type", Default: "required", Values: []string{"required", "any"}, Doc: "Whether a body without Content-Type application/json is refused like one that is no JSON."},
	{Name: "wrong_method", Default: "404", Values: []string{"404", "405"}, Doc: "The status of a method that a path has not, DELETE with an empty id included."},
	{Name: "wrong_space", Default: "401", Values: []string{"401", "403", "404"}, Doc: "What a good key answers at another space."},
	{Name: "unauthorized_body", Default: "error", Values: []string{"error", "text", "empty"}, Doc: "The body of a 401."},
	{Name: "permission", Default: "full", Values: []string{"full", "read_only"}, Doc: "Whether the key may write; if not, every write answers 403."},
	{Name: "batch_max", Default: "off", Doc: "How many items a batch call takes at most; more answer 400."},
	{Name: "rate_limit", Default: "off", Doc: "Requests allowed a minute from now on, such as 5, or in a number of seconds, such as 5/2; more answer 429."},
	{Name: "rate_limit_headers", Default: "none", Values: []string{"none", "retry_after"}, Doc: "Whether a 429 has Retry-After."},
}
