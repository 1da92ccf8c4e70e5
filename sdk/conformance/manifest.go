package conformance

import (
	"bytes"
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	crmv1 "github.com/unicrm/unicrm/proto/unicrm/crm/v1"
	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/internal/model"
	"github.com/unicrm/unicrm/sdk/wire"
)

// manifestChecks are about what a binary says of itself.
var manifestChecks = []check{
	{
		name:   "manifest/describe",
		title:  "describe --json prints the manifest and exits with 0, with nothing in its environment",
		advice: "Print the answer of Handshake as one JSON object in protobuf's mapping, field names as in the .proto files and bytes in base64, on standard output and nothing else there.",
		needs:  needsBinary,
		run:    describes,
	},
	{
		name:   "manifest/contents",
		title:  "everything required in the manifest is there and well formed",
		advice: "Mend the named parts; the comments of HandshakeResponse and of capabilities.proto say what each must be.",
		needs:  needsManifest,
		run:    manifestContents,
	},
	{
		name:   "manifest/id-pattern",
		title:  "the pattern of record ids refuses ids that would change a request's path",
		advice: "Match what the vendor issues and nothing more, such as [1-9][0-9]{0,18} or [0-9a-f]{24}; hosts anchor the pattern themselves.",
		needs:  needsManifest,
		run:    idPatterns,
	},
	{
		name:   "manifest/without-host",
		title:  "started by a person, without a host's variable, the binary says what it is and does not serve",
		advice: "Look for " + wire.Handshake.MagicCookieKey + " in the environment first; without it print a sentence to standard error and exit with a code other than 0.",
		needs:  needsBinary,
		run:    withoutHost,
	},
}

func describes(x *trial) {
	if x.describeErr != nil {
		x.problem("%v", x.describeErr)
		return
	}
	dec := json.NewDecoder(bytes.NewReader(x.described))
	var value json.RawMessage
	if err := dec.Decode(&value); err != nil {
		x.problem("the output is not JSON: %v", err)
	}
	if dec.More() {
		x.problem("the output goes on after the manifest")
	}
	again, err := x.describe(x.ctx)
	if err != nil || !bytes.Equal(compact(again), compact(x.described)) {
		x.problem("a second run printed something else than the first")
	}
}

// compact drops the white space of a JSON text; protobuf's libraries vary it on
// purpose. Nil for what is no JSON.
func compact(data []byte) []byte {
	var b bytes.Buffer
	if json.Compact(&b, data) != nil {
		return nil
	}
	return b.Bytes()
}

var (
	slugForm = regexp.MustCompile(wire.SlugPattern)
	nameForm = regexp.MustCompile(`^[a-z0-9]+(_[a-z0-9]+)*$`)
	hostForm = regexp.MustCompile(`^(\*\.[a-z0-9-]+\.)?[a-z0-9-]+(\.[a-z0-9-]+)*$`)
)

func manifestContents(x *trial) {
	m := x.manifest
	if !slugForm.MatchString(m.GetSlug()) {
		x.problem("slug: %q is not lower-case letters, digits and hyphens", m.GetSlug())
	}
	if filepath.Base(x.o.Binary) != wire.BinaryPrefix+m.GetSlug() {
		x.problem("slug: it is %q, so the file must be called %s%s and not %s", m.GetSlug(), wire.BinaryPrefix, m.GetSlug(), filepath.Base(x.o.Binary))
	}
	if strings.TrimSpace(m.GetDisplayName()) == "" {
		x.problem("display_name: it is empty")
	}
	if _, err := semver.StrictNewVersion(m.GetVersion()); err != nil {
		x.problem("version: %q is not a semantic version such as 1.0.0", m.GetVersion())
	}
	speaks := false
	for _, major := range m.GetProtocolVersions() {
		speaks = speaks || major == wire.Protocol
	}
	if !speaks {
		x.problem("protocol_versions: %v does not hold %d, the major that this suite and its hosts speak", m.GetProtocolVersions(), wire.Protocol)
	}
	if len(m.GetAllowedHosts()) == 0 {
		x.problem("allowed_hosts: there is none")
	}
	for _, host := range m.GetAllowedHosts() {
		if !hostForm.MatchString(host) {
			x.problem(`allowed_hosts: %q is neither a host's name in lower case nor "*." before a name of two parts or more`, host)
		}
	}
	authenticationContents(x)
	if len(m.GetResources()) == 0 {
		x.problem("resources: there is none, so the plugin would be of no use")
	}
	seen := map[string]bool{}
	for _, r := range m.GetResources() {
		if seen[r.GetResource()] {
			x.problem("resources: %q is there twice", r.GetResource())
		}
		seen[r.GetResource()] = true
		resourceContents(x, r)
	}
	for _, hint := range m.GetRateLimits() {
		if hint.GetCalls() < 1 || hint.GetWindow().AsDuration() <= 0 {
			x.problem("rate_limits: one has no calls or no window")
		}
	}
}

func authenticationContents(x *trial) {
	methods := x.manifest.GetAuthenticationMethods()
	if len(methods) == 0 {
		x.problem("authentication_methods: there is none, so no account could be connected")
	}
	seen := map[string]bool{}
	for _, method := range methods {
		name := method.GetName()
		if !nameForm.MatchString(name) {
			x.problem("authentication_methods: the name %q is not snake_case", name)
		}
		if seen[name] {
			x.problem("authentication_methods: %q is there twice", name)
		}
		seen[name] = true
		if _, err := compile(method.GetCredentialsSchema()); err != nil {
			x.problem("authentication_methods: the schema of %q is not a JSON Schema: %v", name, err)
		} else if !bytes.Contains(compact(method.GetCredentialsSchema()), []byte(`"writeOnly":true`)) {
			x.problem(`authentication_methods: the schema of %q marks nothing "writeOnly": true, so hosts would show its secrets`, name)
		}
	}
}

func resourceContents(x *trial, r *providerv1.ResourceCapabilities) {
	name := r.GetResource()
	record := recordOf(name)
	if record == nil {
		x.problem("resources: the protocol knows no resource %q", name)
		return
	}
	if len(r.GetMethods()) == 0 {
		x.problem("%s: no method is advertised", name)
	}
	seen := map[providerv1.Method]bool{}
	for _, m := range r.GetMethods() {
		what := name + " " + strings.ToLower(strings.TrimPrefix(m.GetMethod().String(), "METHOD_"))
		if _, known := providerv1.Method_name[int32(m.GetMethod())]; !known || m.GetMethod() == 0 {
			x.problem("%s: method %d is none that the protocol knows", name, m.GetMethod())
			continue
		}
		if seen[m.GetMethod()] {
			x.problem("%s: it is advertised twice", what)
		}
		seen[m.GetMethod()] = true
		for field, paths := range map[string][]string{"returned_fields": m.GetReturnedFields(), "writable_fields": m.GetWritableFields(), "required_fields": m.GetRequiredFields(), "sort_keys": m.GetSortKeys()} {
			for _, path := range paths {
				if !model.HasPath(record, path) {
					x.problem("%s: %s: the model has no field %q", what, field, path)
				}
			}
		}
		for _, filter := range m.GetFilters() {
			if filter.GetField() != "search" && filter.GetField() != "is_deleted" && !model.HasPath(record, filter.GetField()) {
				x.problem("%s: filters: the model has no field %q", what, filter.GetField())
			}
			if len(filter.GetOperators()) == 0 {
				x.problem("%s: filters: %q has no operators", what, filter.GetField())
			}
		}
		if (m.GetMethod() == list || m.GetMethod() == get) && !contains(m.GetReturnedFields(), "id") {
			x.problem(`%s: returned_fields has no "id", which every record must have`, what)
		}
		if m.GetPageCap() < 0 {
			x.problem("%s: page_cap %d is negative", what, m.GetPageCap())
		}
		if m.GetDelete() != nil && m.GetMethod() != remove {
			x.problem("%s: delete semantics belong to a delete", what)
		}
		writableContents(x, what, m, record)
	}
	if seen[upsert] && (!seen[create] || !seen[modify]) {
		x.problem("%s upsert: it is advertised without create and update, of which it is made", name)
	}
}

// writableContents looks at what a method says of its writes.
func writableContents(x *trial, what string, m *providerv1.MethodCapabilities, record protoreflect.MessageDescriptor) {
	for _, path := range m.GetWritableFields() {
		name, _, _ := strings.Cut(path, ".")
		if model.IsReadOnly(record, name) {
			x.problem("%s: writable_fields: %q is never written", what, path)
		}
		if path == "etag" && m.GetMethod() != modify {
			x.problem(`%s: writable_fields: "etag" guards an update and nothing else`, what)
		}
	}
	for _, path := range m.GetRequiredFields() {
		if !model.Covers(m.GetWritableFields(), path) {
			x.problem("%s: required_fields: %q is not writable", what, path)
		}
	}
	if (m.GetMethod() == create || m.GetMethod() == modify) && len(m.GetWritableFields()) == 0 {
		x.problem("%s: writable_fields: there is none, so it could write nothing", what)
	}
	if m.GetUpsert() != nil && m.GetMethod() != upsert {
		x.problem("%s: upsert semantics belong to an upsert", what)
	}
	if m.GetMaxRecords() < 0 {
		x.problem("%s: max_records %d is negative", what, m.GetMaxRecords())
	}
}

func contains(all []string, one string) bool {
	for _, text := range all {
		if text == one {
			return true
		}
	}
	return false
}

// recordOf finds the message of a resource's records, nil when there is none.
func recordOf(resource string) protoreflect.MessageDescriptor {
	var found protoreflect.MessageDescriptor
	protoregistry.GlobalFiles.RangeFilesByPackage(resources, func(file protoreflect.FileDescriptor) bool {
		for i := range file.Messages().Len() {
			if name, _ := proto.GetExtension(file.Messages().Get(i).Options(), crmv1.E_Resource).(string); name == resource {
				found = file.Messages().Get(i)
			}
		}
		return found == nil
	})
	return found
}

func idPatterns(x *trial) {
	for _, r := range x.manifest.GetResources() {
		pattern, err := patternOf(r.GetRecordIdPattern())
		if err != nil || r.GetRecordIdPattern() == "" {
			x.problem("%s: record_id_pattern %q is not a regular expression (RE2)", r.GetResource(), r.GetRecordIdPattern())
			continue
		}
		for _, id := range model.HostileIDs {
			if pattern.MatchString(id) {
				x.problem("%s: record_id_pattern %q matches %q", r.GetResource(), r.GetRecordIdPattern(), id)
			}
		}
	}
}

func withoutHost(x *trial) {
	cmd := exec.CommandContext(x.ctx, x.o.Binary)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.WaitDelay = time.Second
	var stdout, stderr output
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		x.problem("it did not start: %v", err)
		return
	}
	stop := time.AfterFunc(x.limit(endTime), func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	if !stop.Stop() {
		x.problem("it did not end within %s", x.limit(endTime))
		return
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		x.problem("it exited with 0, as if all were well")
	}
	if handshakeForm.Match(stdout.bytes()) {
		x.problem("it printed a handshake line and served: %.200q", firstLineOf(stdout.bytes()))
	}
	if len(bytes.TrimSpace(append(stdout.bytes(), stderr.bytes()...))) == 0 {
		x.problem("it said nothing")
	}
}

func firstLineOf(text []byte) string {
	line, _, _ := bytes.Cut(text, []byte("\n"))
	return string(line)
}
