package emulator

import kit "github.com/unicrm/unicrm/sdk/emulator"

// emptyAnswers are the forms that the success of a removal may take.
var emptyAnswers = []string{"true", "object", "empty", "204"}

// switches are the vendor behaviours that nobody could confirm, and the faults
// that the vendor documents. The defaults follow the better evidence.
var switches = []kit.Switch{
	{Name: "second_delete", Default: "404", Values: []string{"404", "200"}, Doc: "What a repeated DELETE of a soft-deleted record answers: the vendor's not-found, or true again."},
	{Name: "get_after_delete", Default: "200", Values: []string{"200", "404"}, Doc: "What GET of a soft-deleted record answers: the record with is_deleted true, or not-found."},
	{Name: "update_after_delete", Default: "404", Values: []string{"404", "200"}, Doc: "What PUT of a soft-deleted record answers."},
	{Name: "unknown_id", Default: "404", Values: []string{"404", "403"}, Doc: "What an unknown id answers: not-found, or forbidden as to somebody without access."},
	{Name: "malformed_id", Default: "404", Values: []string{"404", "400"}, Doc: "What an id that is not a decimal number answers."},
	{Name: "create_status", Default: "201", Values: []string{"201", "200"}, Doc: "The status of a successful create or clone."},
	{Name: "upsert_insert_status", Default: "200", Values: []string{"200", "201"}, Doc: "The status of an upsert that made a record; recordings have 200."},
	{Name: "bulk_upsert_status", Default: "202", Values: []string{"202", "200"}, Doc: "The status of an accepted bulk upsert."},
	{Name: "delete_answer", Default: "true", Values: emptyAnswers, Doc: "The success of a DELETE: 200 true, 200 {}, 200 without a body, or 204."},
	{Name: "forget_answer", Default: "true", Values: emptyAnswers, Doc: "The success of a forget, as delete_answer."},
	{Name: "bulk_destroy_answer", Default: "true", Values: emptyAnswers, Doc: "The success of a bulk_destroy, as delete_answer."},
	{Name: "bulk_destroy_effect", Default: "at_once", Values: []string{"at_once", "not_yet"}, Doc: "Whether a bulk_destroy has moved the contacts by the time it answers; not_yet never gets round to it."},
	{Name: "deletion_stamp", Default: "moved", Values: []string{"moved", "kept"}, Doc: "Whether a deletion moves updated_at."},
	{Name: "error_message", Default: "mixed", Values: []string{"mixed", "string", "array"}, Doc: "The form of errors.message: an array for validation and a string otherwise, or always one of the two."},
	{Name: "unauthorized_body", Default: "errors", Values: []string{"errors", "login_failed"}, Doc: "The body of a 401: the usual errors object, or the Classic {\"login\":\"failed\"}."},
	{Name: "permission", Default: "full", Values: []string{"full", "read_only", "none"}, Doc: "What the key's user may do; anything else answers 403."},
	{Name: "email_write", Default: "replaces", Values: []string{"replaces", "adds"}, Doc: "Whether email in a PUT replaces the primary address, or adds a new primary beside it."},
	{Name: "array_write", Default: "adds", Values: []string{"adds", "replaces"}, Doc: "What becomes of an e-mail address or further number that an emails or phone_numbers array does not name: it stays, or it goes."},
	{Name: "email_of_deleted", Default: "free", Values: []string{"free", "taken"}, Doc: "Whether a soft-deleted contact still holds its e-mail addresses."},
	{Name: "invalid_email", Default: "400", Values: []string{"400", "stored"}, Doc: "What becomes of an e-mail address without the form of one."},
	{Name: "phone_numbers_items", Default: "objects", Values: []string{"objects", "strings"}, Doc: "The items of phone_numbers in answers; both forms are accepted in writes."},
	{Name: "flat_body", Default: "accepted", Values: []string{"accepted", "400"}, Doc: "Whether a write without the {\"contact\":{}} envelope is accepted."},
	{Name: "missing_content_type", Default: "400", Values: []string{"400", "accepted"}, Doc: "What a body without a JSON Content-Type answers."},
	{Name: "unknown_attribute", Default: "ignored", Values: []string{"ignored", "400"}, Doc: "What becomes of an attribute or custom field that does not exist."},
	{Name: "write_timestamps", Default: "ignored", Values: []string{"ignored", "stored"}, Doc: "What becomes of created_at and updated_at in a write."},
	{Name: "write_include", Default: "honoured", Values: []string{"honoured", "ignored"}, Doc: "Whether include= works on create, update and clone; on upsert it does."},
	{Name: "paging_out_of_range", Default: "clamped", Values: []string{"clamped", "400"}, Doc: "What per_page above 100, and a page or per_page that is no positive number, answers."},
	{Name: "unknown_query_value", Default: "ignored", Values: []string{"ignored", "400"}, Doc: "What an unknown value of include, sort or sort_type answers."},
	{Name: "filtered_total_pages", Default: "absent", Values: []string{"absent", "present"}, Doc: "Whether meta of a filtered search has total_pages."},
	{Name: "all_contacts_view", Default: "named", Values: []string{"named", "renamed", "not_default"}, Doc: "The whole view: called \"All Contacts\" and default, under another name and default, or called so but not the default."},
	{Name: "view_ids", Default: "first", Values: []string{"first", "second"}, Doc: "Which set of ids the views have; changing it makes remembered ids answer 404."},
	{Name: "rate_limit", Default: "off", Doc: "How many requests the account may make within an hour from now on, a number; then 429. off never refuses."},
	{Name: "ratelimit_headers", Default: "on", Values: []string{"on", "off"}, Doc: "Whether answers carry x-ratelimit-limit, -remaining and -reset."},
	{Name: "ratelimit_reset_format", Default: "ddmmyyHHMMSS", Values: []string{"ddmmyyHHMMSS", "epoch", "seconds"}, Doc: "The form of x-ratelimit-reset: a date and time without separators, Unix seconds, or seconds to go."},
	{Name: "retry_after", Default: "none", Doc: "The Retry-After header of a 429, in seconds; the vendor is said to send none."},
}
