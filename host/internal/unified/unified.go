// Package unified is the domain in plain Go: the resources of the unified
// model, the methods on them, a request and its result, and how a record looks
// in each answer format. It knows neither HTTP nor gRPC; what the model's
// fields are it reads from the protocol's descriptors, their only declaration.
package unified

import (
	"slices"
	"strings"
	"time"

	"github.com/unicrm/unicrm/sdk/errs"
)

// Method is what can be done with a resource.
type Method string

// The methods.
const (
	List        Method = "list"
	Get         Method = "get"
	Create      Method = "create"
	Update      Method = "update"
	Delete      Method = "delete"
	Upsert      Method = "upsert"
	BatchDelete Method = "batch-delete"
	Merge       Method = "merge"
)

// Methods are all of them, in the order in which they are shown.
var Methods = []Method{List, Get, Create, Update, Delete, Upsert, BatchDelete, Merge}

// Writes tells whether the method changes anything at the vendor.
func (m Method) Writes() bool { return m != List && m != Get }

// Param is one query parameter, decoded.
type Param struct{ Name, Value string }

// Account is what a provider needs of an integrated account.
type Account struct {
	ID, Revision         string
	AuthenticationMethod string
	Credentials          []byte // JSON
	BaseURL              string // replaces scheme and authority of the vendor's URLs; empty for the vendor itself
	// PluginVersion is the version of the provider that the account is pinned
	// to; empty for whichever is active.
	PluginVersion string
}

// Request is one call for a provider.
type Request struct {
	ID       string // of the request, for logs
	Account  Account
	Resource string
	Method   Method
	RecordID string
	// PageSize and the rest up to Sort are for List.
	PageSize  int
	PageToken string
	Filters   []Filter
	Sort      []SortKey
	// Record holds the fields to be written: Create, Update, Upsert.
	Record Record
	// Clear names the fields to be emptied, at the top level: Update, Upsert.
	Clear []string
	// ETag is the version that an Update was made for; empty for whichever is
	// there.
	ETag string
	// IDs are for BatchDelete.
	IDs []string
	// MasterID and DuplicateIDs are for Merge.
	MasterID     string
	DuplicateIDs []string

	RemoteQuery []Param
	// WantAnswer asks for the vendor's own answer beside the records, and for
	// the request that it answers.
	WantAnswer bool
	// DryRun has a write send nothing and tell what it would have sent.
	DryRun bool
	// AllowLossy has a write leave out what the vendor has no place for.
	AllowLossy bool
}

// Writes tells whether the request can change anything at the vendor.
func (r Request) Writes() bool { return r.Method.Writes() && !r.DryRun }

// Filter narrows a list.
type Filter struct {
	// Field is a field of the resource, dotted for a part of it, or "search" or
	// "is_deleted".
	Field    string
	Operator Operator
	Value    string // instants in RFC 3339 UTC
}

// Operator compares a field with a filter's value.
type Operator string

// The operators.
const (
	Equal          Operator = "eq"
	Greater        Operator = "gt"
	GreaterOrEqual Operator = "gte"
	Less           Operator = "lt"
	LessOrEqual    Operator = "lte"
)

// SortKey orders a list. Earlier keys count more.
type SortKey struct {
	Field      string
	Descending bool
}

// Result is what a provider made of a Request.
type Result struct {
	Records        []Record // of a List; of the other methods at most one
	NextPageToken  string
	Answer         *errs.VendorAnswer // nil unless wanted
	RateLimit      *errs.RateLimit
	Partial        bool
	AlreadyDeleted bool
	// Warnings tell what was left out of a write, with AllowLossy.
	Warnings []Warning
	// Requests are what a dry run would have sent, or what Answer answers.
	Requests []VendorRequest
	// Outcomes are what became of each of a BatchDelete's ids.
	Outcomes []Outcome
	// Created tells that an Upsert made its record.
	Created bool
}

// Warning names a part of a write that was left out, by its path in the
// unified model.
type Warning struct{ Field, Message string }

// VendorRequest is an HTTP request to the vendor, credentials struck out.
type VendorRequest struct {
	Method, URL string
	Headers     []errs.Header
	Body        []byte
	// Main tells it from the look-ups beside it.
	Main bool
}

// Outcome is what became of one record of many; Err is nil when all went well.
type Outcome struct {
	ID             string
	Err            *errs.Error
	AlreadyDeleted bool
}

// Manifest is what a provider says of itself.
type Manifest struct {
	Slug, DisplayName, Version, SDKVersion string
	DocumentationURL                       string
	ProtocolVersions                       []int
	AllowedHosts                           []string
	Authentication                         []AuthenticationMethod
	Resources                              []Capabilities
	RateLimits                             []RateLimitHint
	HasEmulator                            bool
}

// AuthenticationMethod is one way for an account to prove itself.
type AuthenticationMethod struct {
	Name   string
	Schema []byte // JSON Schema of the credentials
}

// RateLimitHint is a limit that the vendor documents.
type RateLimitHint struct {
	Calls    int64
	Window   time.Duration
	SharedBy string
}

// Capabilities is what a provider does with one resource.
type Capabilities struct {
	Resource  string
	IDPattern string
	Methods   []MethodCapabilities
}

// MethodCapabilities is what a provider does with one method.
type MethodCapabilities struct {
	Method Method
	// Returned are the paths that an answer can fill, Writable those that a
	// write takes, Required those that it must have.
	Returned, Writable, Required []string
	// Filters and SortKeys are what a list takes.
	Filters  []FilterCapability
	SortKeys []string
	// PageCap is the most records of one page; zero when it is not said.
	PageCap int
	// MaxRecords is the most ids of one BatchDelete, or the most duplicates of
	// one Merge; zero for as many as the host takes.
	MaxRecords int
	Delete     *DeleteSemantics
	Upsert     *UpsertSemantics
}

// FilterCapability is a filter with the operators that it takes.
type FilterCapability struct {
	Field     string
	Operators []Operator
}

// UpsertSemantics is how an upsert finds its record.
type UpsertSemantics struct {
	// Atomic tells that two at the same time make one record.
	Atomic bool
}

// DeleteSemantics is what a delete does at the vendor: "hard" or "soft", and
// "not_found" or "succeeds" for a repeat. Empty means unknown.
type DeleteSemantics struct {
	Kind, Repeat string
	Kept         time.Duration
}

// TakesFilter tells whether a list takes the filter.
func (c *MethodCapabilities) TakesFilter(f Filter) bool {
	return slices.ContainsFunc(c.Filters, func(have FilterCapability) bool {
		return have.Field == f.Field && slices.Contains(have.Operators, f.Operator)
	})
}

// Takes tells whether a write takes the field, or a part of it.
func (c *MethodCapabilities) Takes(path string) bool {
	_, some := covers(c.Writable, path)
	return some
}

// Gives tells whether an answer can have the field, or a part of it.
func (c *MethodCapabilities) Gives(path string) bool { return canReturn(c.Returned, path) }

// Find gives the capabilities of a method, nil when it is not supported.
func (m *Manifest) Find(resource string, method Method) (*Capabilities, *MethodCapabilities) {
	for i := range m.Resources {
		if m.Resources[i].Resource != resource {
			continue
		}
		for j := range m.Resources[i].Methods {
			if m.Resources[i].Methods[j].Method == method {
				return &m.Resources[i], &m.Resources[i].Methods[j]
			}
		}
		return &m.Resources[i], nil
	}
	return nil, nil
}

// Supports lists what the provider does with a resource, in the order of
// Methods.
func (c *Capabilities) Supports() []Method {
	var all []Method
	for _, method := range Methods {
		if slices.ContainsFunc(c.Methods, func(have MethodCapabilities) bool { return have.Method == method }) {
			all = append(all, method)
		}
	}
	return all
}

// covers tells whether paths hold all of what a path means, or some of it.
func covers(paths []string, path string) (all, some bool) {
	for _, p := range paths {
		if p == path || strings.HasPrefix(path, p+".") {
			return true, true
		}
		some = some || strings.HasPrefix(p, path+".")
	}
	return false, some
}
