package emulator

import kit "github.com/unicrm/unicrm/sdk/emulator"

// switches select among behaviours that the documentation leaves open or
// contradicts itself on. The README gives the evidence for each default.
var switches = []kit.Switch{
	{Name: "second_delete", Default: "404", Values: []string{"404", "200"}, Doc: "what DELETE answers for a contact that was deleted before"},
	{Name: "unknown_id", Default: "404", Values: []string{"404", "200"}, Doc: "what DELETE answers for a contact that never was"},
	{Name: "delete_merged_id", Default: "404", Values: []string{"404", "200"}, Doc: "what DELETE answers for an id that was merged away; the target stays in either case"},
	{Name: "malformed_id", Default: "400", Values: []string{"400", "404"}, Doc: "what an id that is not a GUID gets"},
	{Name: "member_delete", Default: "428", Values: []string{"428", "500"}, Doc: "428 refuses to delete a site member; 500 is the half-done state: the member is gone, the contact stays, every delete fails the same way"},
	{Name: "first_revision", Default: "0", Values: []string{"0", "1"}, Doc: "revision of a contact that was just created"},
	{Name: "extended_fields_patch", Default: "replace", Values: []string{"replace", "merge"}, Doc: "whether extendedFields.items in a PATCH replaces all custom fields or only those named"},
	{Name: "name_patch", Default: "merge", Values: []string{"merge", "replace"}, Doc: "whether info.name in a PATCH keeps the part that it leaves out"},
	{Name: "null_clears", Default: "clear", Values: []string{"clear", "ignore"}, Doc: "whether null in a PATCH clears a field or counts as left out"},
	{Name: "primary_default", Default: "first", Values: []string{"first", "none"}, Doc: "what becomes primary in a list of emails or phones that names none"},
	{Name: "label_keys_in_info", Default: "ignore", Values: []string{"ignore", "apply"}, Doc: "what happens to info.labelKeys in a create or update; labels have calls of their own"},
	{Name: "label_revision", Default: "bump", Values: []string{"bump", "keep"}, Doc: "whether label and unlabel move the contact's revision"},
	{Name: "system_field_write", Default: "400", Values: []string{"400", "ignore", "accept"}, Doc: "what writing an extended field outside the custom namespace does"},
	{Name: "system_fields", Default: "shown", Values: []string{"shown", "none"}, Doc: "whether contacts have extended fields of Wix's own that follow the rest of them"},
	{Name: "bare_subdivision", Default: "accept", Values: []string{"accept", "400"}, Doc: "whether an address may have a subdivision without its country, as NY for US-NY"},
	{Name: "unknown_fields", Default: "ignore", Values: []string{"ignore", "400"}, Doc: "what unknown attributes, query parameters and names in fields get"},
	{Name: "empty_filter", Default: "all", Values: []string{"all", "400"}, Doc: "whether an empty filter object in a bulk call matches every contact"},
	{Name: "empty_list", Default: "array", Values: []string{"array", "missing"}, Doc: "whether a page without contacts has an empty array or no contacts key"},
	{Name: "too_many_to_count", Default: "false", Values: []string{"false", "true"}, Doc: "true sets tooManyToCount in paging metadata, and total is 0 then"},
	{Name: "default_sort", Default: "createdDate_asc", Values: []string{"createdDate_asc", "createdDate_desc"}, Doc: "the order of list and query when the request names none"},
	{Name: "query_lag", Default: "off", Doc: "off, or for how many list and query requests a new contact stays unseen; x-wix-consistent lifts it"},
	{Name: "job_delay_ms", Default: "0", Doc: "how long a bulk job runs; its effects come at its end"},
	{Name: "account_level_key", Default: "accept", Values: []string{"accept", "403"}, Doc: "whether an API key with wix-account-id instead of wix-site-id reaches contacts"},
	{Name: "both_id_headers", Default: "400", Values: []string{"400", "accept"}, Doc: "what an API key with both wix-site-id and wix-account-id gets"},
	{Name: "bearer_app_token", Default: "accept", Values: []string{"accept", "401"}, Doc: "whether an app's access token may have Bearer in front; an API key never may"},
	{Name: "token_refusal", Default: "400", Values: []string{"400", "401", "403"}, Doc: "status of a token request with a wrong secret or instance"},
	{Name: "token_lifetime", Default: "14400", Doc: "seconds that access tokens live from their issue"},
	{Name: "permissions", Default: "all", Values: []string{"all", "read_only", "no_extended_fields"}, Doc: "what the credentials may do; the rest is 403"},
	{Name: "refusal_body", Default: "empty_message", Values: []string{"empty_message", "no_details", "application_error"}, Doc: "body of 401, 403 and 429: empty message with details {}, empty message alone, or an applicationError"},
	{Name: "error_details", Default: "full", Values: []string{"full", "empty", "missing"}, Doc: "whether the other errors have their details, an empty object or none at all"},
	{Name: "rate_limit", Default: "off", Doc: "off, or how many requests a minute are allowed from now on; the vendor allows 200"},
	{Name: "rate_limit_headers", Default: "none", Values: []string{"none", "retry_after"}, Doc: "headers of a 429"},
}
