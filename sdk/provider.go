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
	IDPattern string
	List      *List[R]
	Get       *Get[R]
	Delete    *Delete[R]
}

// List gives pages of records.
type List[R any] struct {
	// Returned are the paths of the fields that an answer can fill: dotted,
	// without indices; an object's or list's own path stands for all of it.
	Returned []string
	// PageCap is the most records that the vendor gives at once.
	PageCap int
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
}

// Page is a part of a list.
type Page[R any] struct {
	Records []R
	// Next is an opaque token for the next page; empty on the last one. See
	// EncodeToken.
	Next string
}
