// Package unified is the domain in plain Go: the resources of the unified
// model, the methods on them, a request and its result, and how a record looks
// in each answer format. It knows neither HTTP nor gRPC; what the model's
// fields are it reads from the protocol's descriptors, their only declaration.
package unified

import (
	"time"

	"github.com/unicrm/unicrm/sdk/errs"
)

// Method is what can be done with a resource.
type Method string

// The methods.
const (
	List   Method = "list"
	Get    Method = "get"
	Create Method = "create"
	Update Method = "update"
	Delete Method = "delete"
)

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
	// PageSize and PageToken are for List.
	PageSize    int
	PageToken   string
	RemoteQuery []Param
	// WantAnswer asks for the vendor's own answer beside the records.
	WantAnswer bool
}

// Result is what a provider made of a Request.
type Result struct {
	Records        []Record // one for Get and Delete
	NextPageToken  string
	Answer         *errs.VendorAnswer // nil unless wanted
	RateLimit      *errs.RateLimit
	Partial        bool
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
	Method   Method
	Returned []string
	PageCap  int
	Delete   *DeleteSemantics
}

// DeleteSemantics is what a delete does at the vendor: "hard" or "soft", and
// "not_found" or "succeeds" for a repeat. Empty means unknown.
type DeleteSemantics struct {
	Kind, Repeat string
	Kept         time.Duration
}

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
