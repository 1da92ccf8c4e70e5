package emulator

import (
	"strconv"
	"time"

	kit "github.com/unicrm/unicrm/sdk/emulator"
)

// switches lists what the vendor's documentation leaves open, or shows in more
// than one form. The README gives the evidence for each default.
var switches = []kit.Switch{
	{Name: "second_delete", Default: "404", Values: []string{"404", "204"}, Doc: "what deleting a contact that is already deleted answers"},
	{Name: "malformed_id", Default: "incorrect_path", Values: []string{"incorrect_path", "not_found", "invalid_param"}, Doc: "the error for an id that is not a 64-bit decimal: two kinds of 404, or 400"},
	{Name: "unknown_path", Default: "incorrect_path", Values: []string{"incorrect_path", "not_found"}, Doc: "the code of the 404 for a path or verb that does not exist"},
	{Name: "user_agent_code", Default: "invalid_header", Values: []string{"invalid_header", "invalid_user_agent"}, Doc: "the code of the 400 for a request without User-Agent"},
	{Name: "content_type", Default: "ignored", Values: []string{"ignored", "required"}, Doc: "whether a body without application/json is a 400 invalid_header"},
	{Name: "error_meta_type", Default: "errors", Values: []string{"errors", "collection"}, Doc: "the outer meta.type of an error body"},
	{Name: "field_pointer", Default: "short", Values: []string{"short", "data"}, Doc: "whether an error's field is /email or /data/email"},
	{Name: "logref", Default: "present", Values: []string{"present", "absent"}, Doc: "whether an error's meta has logref"},
	{Name: "last_page_link", Default: "absent", Values: []string{"absent", "null"}, Doc: "how the last page says that there is no next_page, and the first that there is no prev_page"},
	{Name: "total_count", Default: "absent", Values: []string{"absent", "present"}, Doc: "whether a list's meta has total_count"},
	{Name: "page_depth", Default: "unlimited", Doc: "the last page number that is served, a number; beyond it 400 invalid_param"},
	{Name: "meta_version", Default: "present", Values: []string{"present", "absent"}, Doc: "whether a contact's meta has the integer version"},
	{Name: "query_lag", Default: "0", Doc: "milliseconds until lists and upserts see that a contact was created or deleted"},
	{Name: "fresh_stamps", Default: "equal", Values: []string{"equal", "apart"}, Doc: "whether a new contact's updated_at is a second after its created_at"},
	{Name: "upsert_several", Default: "first", Values: []string{"first", "refused"}, Doc: "what an upsert does when several contacts match: update the one with the lowest id, or 422 incorrect_payload"},
	{Name: "organization_delete", Default: "clear", Values: []string{"clear", "keep", "cascade"}, Doc: "what deleting an organisation does to those that name it: null their reference, leave it dangling, or delete its people"},
	{Name: "read_only_attribute", Default: "refused", Values: []string{"refused", "ignored"}, Doc: "whether writing id, creator_id, created_at or updated_at is 422 unknown"},
	{Name: "person_name", Default: "ignored", Values: []string{"ignored", "refused"}, Doc: "what writing a person's name does, which is computed"},
	{Name: "wrong_kind_attribute", Default: "refused", Values: []string{"refused", "ignored"}, Doc: "what a person's attribute on an organisation does, and the other way round: 422 incorrect_value or nothing"},
	{Name: "change_kind", Default: "refused", Values: []string{"refused", "ignored"}, Doc: "what changing is_organization of an existing contact does: 422 incorrect_value or nothing"},
	{Name: "address_update", Default: "replace", Values: []string{"replace", "merge"}, Doc: "whether an address in an update replaces the stored one or is laid over it"},
	{Name: "put_custom_fields", Default: "merge", Values: []string{"merge", "replace"}, Doc: "whether custom fields that an update omits survive"},
	{Name: "list_value", Default: "string", Values: []string{"string", "object"}, Doc: "whether a chosen list value is read as its name or as an object with id and name"},
	{Name: "custom_field_dates", Default: "iso", Values: []string{"iso", "us"}, Doc: "whether date custom fields are read as 2024-03-05 or 03/05/2024"},
	{Name: "custom_field_flags", Default: "for_company", Values: []string{"for_company", "for_organisation"}, Doc: "the spelling of the flag in custom field metadata"},
	{Name: "custom_field_choices", Default: "choices", Values: []string{"choices", "options"}, Doc: "the key of the choices in custom field metadata"},
	{Name: "rate_limit", Default: "off", Doc: "requests allowed per token and window from now on, a number, or off"},
	{Name: "rate_limit_window", Default: "1", Doc: "the length of the rate limit's window in seconds"},
	{Name: "rate_limit_body", Default: "json", Values: []string{"json", "empty", "text"}, Doc: "the body of a 429"},
	{Name: "retry_after", Default: "off", Doc: "the Retry-After of a 429, or off for none"},
	{Name: "token_lifetime", Default: "3600", Doc: "seconds that an OAuth access token lives"},
	{Name: "old_refresh_token", Default: "dies", Values: []string{"dies", "lives"}, Doc: "whether a refresh token can be used again after a refresh"},
}

// number reads a switch that takes any text as a number that is not negative.
func (v *vendor) number(name string, fallback int) int {
	n, err := strconv.Atoi(v.env.Switch(name))
	if err != nil || n < 0 {
		return fallback
	}
	return n
}

// lag is how long lists lag behind.
func (v *vendor) lag() time.Duration {
	return time.Duration(v.number("query_lag", 0)) * time.Millisecond
}
