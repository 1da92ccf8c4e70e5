// Package sdk is what a provider plugin is written with. An author fills in
// one [Provider] value and calls [Serve] in main; the SDK owns the rest of the
// process: standard output, logging, signals, the host's lifeline, panics,
// message caps and error statuses.
//
// A method that a provider does not have is left nil. It is then not
// advertised, the host refuses it before any call leaves, and the plugin
// answers UNIMPLEMENTED.
package sdk

import (
	"context"
	"encoding/json"
	"time"

	"github.com/unicrm/unicrm/sdk/crm"
	"github.com/unicrm/unicrm/sdk/errs"
	"github.com/unicrm/unicrm/sdk/wire"
)

// Version is the SDK's own version.
const Version = wire.SDKVersion

// Provider describes one vendor's adapter. It is read once, at start.
type Provider struct {
	// Slug names the provider in URLs: lower-case letters, digits and hyphens.
	Slug string
	// DisplayName is the vendor's name for people.
	DisplayName string
	// Version is the provider's own semantic version, usually embedded from
	// the file VERSION. Surrounding white space is dropped.
	Version string
	// DocumentationURL is the vendor's API reference. Optional.
	DocumentationURL string
	// AllowedHosts are the hosts that the provider talks to: names, or
	// "*.example.com" for every name below one.
	AllowedHosts []string
	// Authentication are the ways in which an account can prove itself; at
	// least one.
	Authentication []AuthenticationMethod
	// RateLimits are limits that the vendor documents. Optional.
	RateLimits []RateLimitHint
	// CheckConnection asks the vendor whether the account's credentials work,
	// by a call that changes nothing. Optional. A nil result means they do.
	CheckConnection func(ctx context.Context, call *Call) error

	// Contacts are the people in the CRM; nil when the vendor has none.
	Contacts *Resource[crm.Contact]
}

// AuthenticationMethod is one way for an account to prove itself.
type AuthenticationMethod struct {
	// Name is snake_case, such as "api_key".
	Name string
	// Schema is the JSON Schema (2020-12) of the credentials object. Secrets
	// have "writeOnly": true; the SDK strikes their values out of every error
	// and log line.
	Schema json.RawMessage
}

// RateLimitHint is a limit that the vendor documents.
type RateLimitHint struct {
	Calls  int64
	Window time.Duration
	// SharedBy says what shares the limit: "token", "vendor account".
	SharedBy string
}

// Resource is what a provider does with one kind of record.
type Resource[R any] struct {
	// IDPattern is a regular expression (RE2) that matches an id as a whole. It
	// must refuse / ? # %, white space and dot segments, and should refuse all
	// that the vendor could not have issued: the host answers such an id with
	// 404 without asking anybody.
	IDPattern   string
	List        *List[R]
	Get         *Get[R]
	Create      *Create[R]
	Update      *Update[R]
	Upsert      *Upsert[R]
	Delete      *Delete[R]
	BatchDelete *BatchDelete
	Merge       *Merge[R]
}

// List gives pages of records.
type List[R any] struct {
	// Returned are the paths of the fields that an answer can fill: dotted,
	// without indices; an object's or list's own path stands for all of it.
	Returned []string
	// PageCap is the most records that the vendor gives at once.
	PageCap int
	// Filters are what the list can be narrowed by. Callers cannot send others.
	Filters []Filter
	// SortKeys are the fields that the list can be ordered by.
	SortKeys []string
	// Do gives one page. It is called from many goroutines at once.
	Do func(ctx context.Context, call *Call, query ListQuery) (Page[R], error)
}

// Get gives one record.
type Get[R any] struct {
	// Returned is as in List.
	Returned []string
	// Do gives the record; errs.RecordNotFound when the vendor has none.
	Do func(ctx context.Context, call *Call, id string) (*R, error)
}

// Create makes a record.
type Create[R any] struct {
	// Returned is as in List.
	Returned []string
	// Writable are the paths of the fields that a write takes, in the same form.
	// Others never reach Do.
	Writable []string
	// Required are those that a new record must have. It is looked after before
	// Do is called.
	Required []string
	// Do makes the record by one Main call and gives it as it is then. What the
	// vendor has no place for is told with [Call.Lose].
	Do func(ctx context.Context, call *Call, record R) (*R, error)
}

// Update changes a record.
type Update[R any] struct {
	// Returned and Writable are as in Create. With "etag" among the writable
	// ones, Do keeps to Change.ETag.
	Returned, Writable []string
	// Do changes what the change names, leaves everything else as it is, and
	// gives the record as it is then; errs.RecordNotFound when there is none.
	// Lists replace the vendor's whole list, custom fields key by key.
	Do func(ctx context.Context, call *Call, change Change[R]) (*R, error)
}

// Change is a change of a record, or a new one.
type Change[R any] struct {
	// ID is the record's; empty for a new one.
	ID string
	// Record holds what is to be written; nil fields stay as they are.
	Record R
	// Clear names the fields that are to be emptied.
	Clear map[string]bool
	// ETag is the version that the change was made for: when the record has
	// another one, Do changes nothing and returns errs.StaleVersion. Nil:
	// whatever is there. See [Change.CheckETag].
	ETag *string
}

// Clears tells whether a field is to be emptied.
func (c *Change[R]) Clears(field string) bool { return c.Clear[field] }

// CheckETag compares the version that the change was made for with the
// record's, for vendors that do not do so themselves.
func (c *Change[R]) CheckETag(present *string) error {
	if c.ETag == nil || (present != nil && *present == *c.ETag) {
		return nil
	}
	return ErrStale
}

// ErrStale is what a change for another version ends in.
var ErrStale error = errs.New(errs.StaleVersion, "the record has changed since the etag that was sent; read it again")

// Upsert changes the record that is found by an e-mail address, or makes one
// where there is none. The SDK puts it together: it calls Find, then Update.Do
// for the one record found or Insert for none; several are a conflict.
type Upsert[R any] struct {
	// Atomic says that Insert cannot make a second record for the address, also
	// when another call makes one at the same moment.
	Atomic bool
	// Find gives the ids of the records that have the address, or of the first
	// few of them, asked for by Side calls.
	Find func(ctx context.Context, call *Call, email string) ([]string, error)
	// Insert makes the record by one Main call; nil means Create.Do. It may find
	// that one has come about meanwhile and change that, and then says that none
	// was created where it can tell.
	Insert func(ctx context.Context, call *Call, record R) (_ *R, created bool, _ error)
}

// BatchDelete ends many records. [FanOut] makes one of a Delete.
type BatchDelete struct {
	// MaxIDs is the most that one call takes; zero means as many as the host
	// sends, which is 1000.
	MaxIDs int
	// Do deletes and tells for each id, in order, what became of it. An error
	// means that nothing was deleted.
	Do func(ctx context.Context, call *Call, ids []string) ([]Outcome, error)
}

// Outcome is what became of one record.
type Outcome struct {
	ID string
	// Err is why it failed; nil when it did not.
	Err error
	// AlreadyDeleted says that a second try found nothing.
	AlreadyDeleted bool
}

// Merge makes several records into one.
type Merge[R any] struct {
	// Returned is as in List.
	Returned []string
	// MaxDuplicates is the most that one call takes; zero means any number.
	MaxDuplicates int
	// Do merges the duplicates into the master and gives it.
	Do func(ctx context.Context, call *Call, master string, duplicates []string) (*R, error)
}

// Delete ends a record.
type Delete[R any] struct {
	// Kind and Repeat describe what the vendor does; see the constants.
	Kind   DeleteKind
	Repeat DeleteRepeat
	// Kept is how long a recycle bin keeps the record; zero when unknown.
	Kept time.Duration
	// Do deletes by exactly one Main call, with no look-up first unless the
	// vendor makes one necessary. The record it returns holds only what the
	// vendor's answer said, RemoteData being the whole body; nil is fine. A
	// record that was not there is errs.RecordNotFound, never a success.
	Do func(ctx context.Context, call *Call, id string) (*R, error)
}

// DeleteKind is where a deleted record goes.
type DeleteKind int

// Kinds of delete.
const (
	DeleteKindUnknown DeleteKind = iota
	HardDelete                   // gone for good
	SoftDelete                   // to a recycle bin
)

// DeleteRepeat is what a second delete of the same record answers.
type DeleteRepeat int

// Answers to a repeated delete.
const (
	RepeatUnknown  DeleteRepeat = iota
	RepeatNotFound              // record_not_found
	RepeatSucceeds              // success again
)

// ListQuery asks for a page.
type ListQuery struct {
	// PageSize is the most records wanted, between 1 and the page cap.
	PageSize int
	// PageToken is the Next of the page before; empty for the first one.
	PageToken string
	// Filters all apply, and are advertised ones.
	Filters Filters
	// Sort are advertised keys, the most important first.
	Sort []SortKey
}

// SortKey is a field to order by.
type SortKey struct {
	Field      string
	Descending bool
}

// Page is a part of a list.
type Page[R any] struct {
	Records []R
	// Next is an opaque token for the next page; empty on the last one. See
	// EncodeToken.
	Next string
}
