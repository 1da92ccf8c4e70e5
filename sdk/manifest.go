package sdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	crmv1 "github.com/unicrm/unicrm/proto/unicrm/crm/v1"
	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/internal/model"
	"github.com/unicrm/unicrm/sdk/wire"
)

var (
	slugPattern   = regexp.MustCompile(wire.SlugPattern)
	methodPattern = regexp.MustCompile(`^[a-z0-9]+(_[a-z0-9]+)*$`)
	// hostPattern is a name, or "*." before a name of two parts or more.
	hostPattern = regexp.MustCompile(`^(\*\.[a-z0-9-]+\.)?[a-z0-9-]+(\.[a-z0-9-]+)*$`)
)

// manifest checks the provider's description of itself and puts it into the
// protocol's form. Every problem is an author's mistake; all are told at once.
func (p *Provider) manifest(hasEmulator bool) (*providerv1.HandshakeResponse, error) {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	version := strings.TrimSpace(p.Version)
	if !slugPattern.MatchString(p.Slug) {
		bad("slug %q is not lower-case letters, digits and hyphens", p.Slug)
	}
	if p.DisplayName == "" {
		bad("DisplayName is empty")
	}
	if _, err := semver.StrictNewVersion(version); err != nil {
		bad("version %q is not semantic: %w", version, err)
	}
	if len(p.AllowedHosts) == 0 {
		bad("AllowedHosts is empty: the provider could not talk to anybody")
	}
	for _, host := range p.AllowedHosts {
		if !hostPattern.MatchString(host) {
			bad("AllowedHosts has %q, which is neither a host's name in lower case nor \"*.example.com\"", host)
		}
	}
	if len(p.Authentication) == 0 {
		bad("Authentication is empty: no account could be connected")
	}
	m := &providerv1.HandshakeResponse{
		Slug:             p.Slug,
		DisplayName:      p.DisplayName,
		Version:          version,
		SdkVersion:       "unicrm-go " + Version,
		ProtocolVersions: []int32{wire.Protocol},
		AllowedHosts:     p.AllowedHosts,
		DocumentationUrl: p.DocumentationURL,
		HasEmulator:      hasEmulator,
	}
	seen := map[string]bool{}
	for _, method := range p.Authentication {
		if !methodPattern.MatchString(method.Name) {
			bad("authentication method %q is not snake_case", method.Name)
		}
		if seen[method.Name] {
			bad("authentication method %q is there twice", method.Name)
		}
		seen[method.Name] = true
		var schema map[string]any
		if json.Unmarshal(method.Schema, &schema) != nil || schema == nil {
			bad("authentication method %q: the schema is not a JSON object, so its secrets would not be known", method.Name)
		}
		m.AuthenticationMethods = append(m.AuthenticationMethods, &providerv1.AuthenticationMethod{Name: method.Name, CredentialsSchema: method.Schema})
	}
	for _, hint := range p.RateLimits {
		if hint.Calls < 1 || hint.Window <= 0 {
			bad("RateLimits has one without calls or window")
		}
		m.RateLimits = append(m.RateLimits, &providerv1.RateLimitHint{Calls: hint.Calls, Window: durationpb.New(hint.Window), SharedBy: hint.SharedBy})
	}
	if p.Contacts != nil {
		capabilities, err := resourceCapabilities("contacts", p.Contacts, (&crmv1.Contact{}).ProtoReflect().Descriptor())
		if err != nil {
			problems = append(problems, err)
		}
		m.Resources = append(m.Resources, capabilities)
	}
	return m, errors.Join(problems...)
}

func resourceCapabilities[R any](name string, r *Resource[R], record protoreflect.MessageDescriptor) (*providerv1.ResourceCapabilities, error) {
	var problems []error
	pattern, err := regexp.Compile(`\A(?:` + r.IDPattern + `)\z`)
	if err != nil || r.IDPattern == "" {
		problems = append(problems, fmt.Errorf("%s: IDPattern %q is not a regular expression", name, r.IDPattern))
	} else {
		for _, id := range model.HostileIDs {
			if pattern.MatchString(id) {
				problems = append(problems, fmt.Errorf("%s: IDPattern accepts %q", name, id))
			}
		}
	}
	capabilities := &providerv1.ResourceCapabilities{Resource: name, RecordIdPattern: r.IDPattern}
	bad := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf(name+": "+format, args...))
	}
	add := func(method *providerv1.MethodCapabilities, field string, works bool) {
		if !works {
			bad("%s is nil", field)
		}
		field, _, _ = strings.Cut(field, ".")
		paths := slices.Concat(method.ReturnedFields, method.WritableFields, method.RequiredFields, method.SortKeys)
		for _, f := range method.Filters {
			if f.Field != "search" && f.Field != "is_deleted" {
				paths = append(paths, f.Field)
			}
			switch {
			case len(f.Operators) == 0:
				bad("%s: the filter %q has no operators", field, f.Field)
			case !model.IsInstant(record, f.Field) && (len(f.Operators) > 1 || f.Operators[0] != Equal):
				bad("%s: the filter %q compares what is no time; only EqualTo goes with it", field, f.Field)
			}
		}
		for _, path := range paths {
			if !model.HasPath(record, path) {
				bad("%s: the model has no field %q", field, path)
			}
		}
		for _, key := range method.SortKeys {
			if model.HasPath(record, key) && !model.IsSortable(record, key) {
				bad("%s: lists are not ordered by %q", field, key)
			}
		}
		for _, path := range method.WritableFields {
			name, _, _ := strings.Cut(path, ".")
			switch {
			case model.IsReadOnly(record, name):
				bad("%s: %q is never written", field, path)
			case path == "etag" && method.Method != providerv1.Method_METHOD_UPDATE:
				bad("%s: \"etag\" guards an update and nothing else", field)
			}
		}
		if method.MaxRecords < 0 {
			bad("%s: the most records are %d", field, method.MaxRecords)
		}
		for _, path := range method.RequiredFields {
			if !model.Covers(method.WritableFields, path) {
				bad("%s: %q is required but cannot be written", field, path)
			}
		}
		capabilities.Methods = append(capabilities.Methods, method)
	}
	if r.List != nil {
		if r.List.PageCap < 1 {
			bad("List.PageCap is not set")
		}
		method := &providerv1.MethodCapabilities{Method: providerv1.Method_METHOD_LIST, ReturnedFields: r.List.Returned, PageCap: int32(r.List.PageCap), SortKeys: r.List.SortKeys}
		for _, f := range r.List.Filters {
			method.Filters = append(method.Filters, &providerv1.FilterCapability{Field: f.Field, Operators: f.Operators})
		}
		add(method, "List.Do", r.List.Do != nil)
	}
	if r.Get != nil {
		add(&providerv1.MethodCapabilities{Method: providerv1.Method_METHOD_GET, ReturnedFields: r.Get.Returned}, "Get.Do", r.Get.Do != nil)
	}
	if r.Create != nil {
		add(&providerv1.MethodCapabilities{Method: providerv1.Method_METHOD_CREATE, ReturnedFields: r.Create.Returned, WritableFields: r.Create.Writable, RequiredFields: r.Create.Required}, "Create.Do", r.Create.Do != nil)
	}
	if r.Update != nil {
		add(&providerv1.MethodCapabilities{Method: providerv1.Method_METHOD_UPDATE, ReturnedFields: r.Update.Returned, WritableFields: r.Update.Writable}, "Update.Do", r.Update.Do != nil)
	}
	if r.Upsert != nil {
		if r.Create == nil || r.Update == nil {
			bad("an upsert needs Create and Update")
		} else {
			add(&providerv1.MethodCapabilities{
				Method: providerv1.Method_METHOD_UPSERT, ReturnedFields: r.Update.Returned, WritableFields: without(r.Update.Writable, "etag"), RequiredFields: r.Create.Required,
				Upsert: &providerv1.UpsertSemantics{Atomic: r.Upsert.Atomic},
			}, "Upsert.Find", r.Upsert.Find != nil)
		}
	}
	if r.Delete != nil {
		semantics := &providerv1.DeleteSemantics{Kind: providerv1.DeleteSemantics_Kind(r.Delete.Kind), Repeat: providerv1.DeleteSemantics_Repeat(r.Delete.Repeat)}
		if r.Delete.Kept > 0 {
			semantics.Kept = durationpb.New(r.Delete.Kept)
		}
		add(&providerv1.MethodCapabilities{Method: providerv1.Method_METHOD_DELETE, Delete: semantics}, "Delete.Do", r.Delete.Do != nil)
	}
	if r.BatchDelete != nil {
		add(&providerv1.MethodCapabilities{Method: providerv1.Method_METHOD_BATCH_DELETE, MaxRecords: int32(r.BatchDelete.MaxIDs)}, "BatchDelete.Do", r.BatchDelete.Do != nil)
	}
	if r.Merge != nil {
		add(&providerv1.MethodCapabilities{Method: providerv1.Method_METHOD_MERGE, ReturnedFields: r.Merge.Returned, MaxRecords: int32(r.Merge.MaxDuplicates)}, "Merge.Do", r.Merge.Do != nil)
	}
	return capabilities, errors.Join(problems...)
}

func without(paths []string, path string) []string {
	return slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return p == path })
}
