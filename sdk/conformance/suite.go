package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"

	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/errs"
)

// suite is what the checks of one run share.
type suite struct {
	o Options

	// What the binary says of itself.
	described   []byte // as it was printed
	describeErr error
	manifest    *providerv1.HandshakeResponse // nil when it cannot be read
	methods     []*method                     // every method of the protocol's resources

	// The vendor.
	vendor      *vendor
	noVendor    string // why there is none
	credentials credentials
	planted     credentials // made by the suite; the vendor does not know them
	connection  bool        // CheckConnection asks the vendor

	starting sync.Mutex
	process  *process // guarded by starting: the one that most checks use
	startErr error    // guarded by starting: why it did not start
	dead     int      // guarded by starting: those before it

	mu        sync.Mutex
	processes []*process        // guarded by mu: all that were started
	failures  []failure         // guarded by mu: every error that the plugin gave
	accounts  int               // guarded by mu: how many were made up
	made      int               // guarded by mu: numbers in what was made up
	ranOut    bool              // guarded by mu: of records that can be deleted
	stocks    map[string]*stock // guarded by mu: records that are known, by resource
}

// failure is an error of the plugin, and the secrets that it must not hold.
type failure struct {
	during  string // the check
	answer  *answer
	secrets []string
}

// limit is a limit of time on this machine.
func (s *suite) limit(d time.Duration) time.Duration {
	return time.Duration(float64(d) * s.o.TimeScale)
}

// deadline is what the suite gives to a call that is to run out of time. On a
// slow machine it is longer, but not as much as a limit: it is waited for.
func (s *suite) deadline(d time.Duration) time.Duration {
	return time.Duration(float64(d) * min(max(s.o.TimeScale, 1), 3))
}

// open finds out what there is: the manifest and the vendor.
func (s *suite) open(ctx context.Context) {
	s.stocks = map[string]*stock{}
	s.described, s.describeErr = s.describe(ctx)
	if s.describeErr == nil {
		var manifest providerv1.HandshakeResponse
		if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(s.described, &manifest); err != nil {
			s.describeErr = fmt.Errorf("describe --json did not print the answer of Handshake as JSON: %w", err)
		} else {
			s.manifest = &manifest
		}
	}
	if s.manifest == nil {
		s.noVendor = "the manifest could not be read"
		return
	}
	s.methods = methodsOf(s.manifest)
	if !s.manifest.GetHasEmulator() {
		s.noVendor = "the binary has no emulator (has_emulator), so nothing that needs a vendor could be tried"
		return
	}
	if s.vendor, s.noVendor = s.startVendor(ctx); s.noVendor != "" {
		return
	}
	if s.credentials, s.noVendor = credentialsFor(s.manifest, s.vendor.context); s.noVendor != "" {
		return
	}
	s.planted = s.credentials.planted(s.manifest)
	if p, err := s.living(ctx); err == nil {
		// A plugin may offer no way to check a connection.
		a := s.ask(ctx, p, call{method: connectionCheck, account: s.account(s.vendor.emulator)})
		s.connection = a.ok() || a.reason() != errs.Unsupported
		s.survey(ctx, p)
	}
}

// stock is what is known of a resource's records.
type stock struct {
	all        []string // the ids of the seed, in the order of the list
	records    []protoreflect.Message
	lasting    string
	changeable string
	deletable  []string
	plenty     bool // there was something to delete

	base     []string // the fields that a new record has to have
	creating *answer  // to a new record of these; nil when none was tried
	further  bool     // the required ones alone did not do
	// members are the custom fields that were written; others may be computed.
	members map[string]bool // guarded by suite.mu
}

// maxStock is how many deletable records are wanted.
const maxStock = 90

// survey learns which records there are and which of them can be deleted, by
// listing and deleting them. What goes wrong here is told by the checks of
// these methods.
func (s *suite) survey(ctx context.Context, p *process) {
	ctx, cancel := context.WithTimeout(ctx, s.limit(2*callTime))
	defer cancel()
	for _, m := range s.of(list) {
		known := &stock{}
		for _, page := range s.walk(ctx, p, m, s.account(s.vendor.emulator), 50, "") {
			known.all = append(known.all, page.ids()...)
			known.records = append(known.records, page.records...)
		}
		if len(known.all) > 0 {
			known.lasting = known.all[0]
		}
		if remover := s.sibling(m, remove); remover != nil {
			account := s.account(s.vendor.emulator)
			for _, id := range known.all {
				if len(known.deletable) >= maxStock || ctx.Err() != nil {
					break
				}
				if s.ask(ctx, p, call{method: remover, account: account, id: id}).ok() {
					known.deletable = append(known.deletable, id)
				}
			}
		}
		if len(known.deletable) > 0 {
			known.lasting, known.deletable, known.plenty = known.deletable[0], known.deletable[1:], true
		}
		known.changeable = known.lasting
		if n := len(known.deletable); n > 1 {
			known.changeable, known.deletable = known.deletable[n-1], known.deletable[:n-1]
		}
		s.stocks[m.resource] = known
		if creator := s.sibling(m, create); creator != nil {
			s.learnToCreate(ctx, p, creator, known)
		}
	}
	if err := s.vendor.reset(ctx); err != nil {
		s.noVendor = err.Error()
	}
}

// close leaves nothing behind.
func (s *suite) close() {
	s.mu.Lock()
	processes := s.processes
	s.mu.Unlock()
	for _, p := range processes {
		p.stop()
	}
	if s.vendor != nil {
		s.vendor.close()
	}
}

// lacks says why what a check needs is not there; "" when it is.
func (s *suite) lacks(n need) string {
	switch {
	case n >= needsManifest && s.manifest == nil:
		return "the manifest could not be read: " + s.describeErr.Error()
	case n >= needsVendor && s.noVendor != "":
		return s.noVendor
	case n >= needsVendor && s.vendor.over():
		return "the emulator has ended: " + s.vendor.said()
	}
	return ""
}

// remember keeps a process for the end of the run.
func (s *suite) remember(p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.processes = append(s.processes, p)
}

// living gives the process that most checks use, a new one when the last one
// has ended. One that did not start is not tried again.
func (s *suite) living(ctx context.Context) (*process, error) {
	s.starting.Lock()
	defer s.starting.Unlock()
	if s.startErr == nil && (s.process == nil || s.process.over()) {
		if s.process != nil {
			s.dead++
		}
		s.process, s.startErr = s.start(ctx, "trace")
	}
	return s.process, s.startErr
}

// deaths is how many of the processes that most checks use have ended.
func (s *suite) deaths() int {
	s.starting.Lock()
	defer s.starting.Unlock()
	if s.process != nil && s.process.over() {
		return s.dead + 1
	}
	return s.dead
}

// binaryTime is what a command of the binary may take.
const binaryTime = 10 * time.Second

// describe runs `describe --json`, with nothing in its environment.
func (s *suite) describe(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.limit(binaryTime))
	defer cancel()
	cmd := exec.CommandContext(ctx, s.o.Binary, "describe", "--json")
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.WaitDelay = time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.Bytes(), fmt.Errorf("describe --json: %w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return stdout.Bytes(), nil
}

// credentials are what an account proves itself with.
type credentials struct {
	method  string // the authentication method's name
	json    []byte
	secrets []string // the values that the schema marks as writeOnly
}

// credentialsFor chooses the authentication method whose schema the emulator's
// context fits.
func credentialsFor(manifest *providerv1.HandshakeResponse, account map[string]any) (c credentials, problem string) {
	var problems []string
	for _, method := range manifest.GetAuthenticationMethods() {
		schema, err := compile(method.GetCredentialsSchema())
		if err == nil {
			err = schema.Validate(account)
		}
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", method.GetName(), err))
			continue
		}
		data, err := json.Marshal(account)
		if err != nil {
			return c, err.Error()
		}
		return credentials{method: method.GetName(), json: data, secrets: secretsIn(method.GetCredentialsSchema(), account)}, ""
	}
	return c, "the emulator's context fits no authentication method of the manifest: " + strings.Join(problems, "; ")
}

func compile(schema []byte) (*jsonschema.Schema, error) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	if err := compiler.AddResource("credentials.json", value); err != nil {
		return nil, err
	}
	return compiler.Compile("credentials.json")
}

// canary begins every secret that the suite makes up. It looks like nothing
// that a plugin could print by chance.
const canary = "cNry7QzVw4Kp9XtR2mLd8"

// planted puts secrets of the suite's own in the place of the vendor's, so
// that they can be told from everything else. Where the schema does not take
// them the result is empty.
func (c credentials) planted(manifest *providerv1.HandshakeResponse) credentials {
	for _, method := range manifest.GetAuthenticationMethods() {
		if method.GetName() != c.method {
			continue
		}
		text := string(c.json)
		for i, secret := range c.secrets {
			quoted, _ := json.Marshal(secret)
			text = strings.ReplaceAll(text, string(quoted), fmt.Sprintf(`"%s%02d"`, canary, i))
		}
		var account any
		schema, err := compile(method.GetCredentialsSchema())
		if err != nil || json.Unmarshal([]byte(text), &account) != nil || schema.Validate(account) != nil {
			return credentials{}
		}
		return credentials{method: c.method, json: []byte(text), secrets: secretsIn(method.GetCredentialsSchema(), account)}
	}
	return credentials{}
}

// secretsIn collects the texts of an account that its schema marks as
// writeOnly. It follows alternatives and references alike.
func secretsIn(schema []byte, account any) []string {
	var root any
	if json.Unmarshal(schema, &root) != nil {
		return nil
	}
	var found []string
	var walk func(node, value any, secret bool, depth int)
	walk = func(node, value any, secret bool, depth int) {
		object, _ := node.(map[string]any)
		if depth > 16 {
			return
		}
		secret = secret || object["writeOnly"] == true
		for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
			alternatives, _ := object[keyword].([]any)
			for _, alternative := range alternatives {
				walk(alternative, value, false, depth+1)
			}
		}
		if ref, ok := object["$ref"].(string); ok {
			walk(resolve(root, ref), value, secret, depth+1)
		}
		switch value := value.(type) {
		case string:
			if secret && value != "" {
				found = append(found, value)
			}
		case map[string]any:
			properties, _ := object["properties"].(map[string]any)
			for name, inner := range value {
				walk(properties[name], inner, secret, depth+1)
			}
		case []any:
			for _, item := range value {
				walk(object["items"], item, secret, depth+1)
			}
		}
	}
	walk(root, account, false, 0)
	slices.Sort(found)
	return slices.Compact(found)
}

// resolve finds what a reference within a schema points to.
func resolve(root any, ref string) any {
	at := root
	for name := range strings.SplitSeq(strings.TrimPrefix(strings.TrimPrefix(ref, "#"), "/"), "/") {
		object, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = object[name]
	}
	return at
}

// account makes up an account of the vendor's credentials, one that the plugin
// has not seen.
func (s *suite) account(baseURL string) *providerv1.Account {
	return s.accountWith(s.credentials, baseURL)
}

func (s *suite) accountWith(c credentials, baseURL string) *providerv1.Account {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.accounts++
	return &providerv1.Account{
		Id: fmt.Sprintf("00000000-0000-4000-8000-%012d", s.accounts), Revision: "1",
		AuthenticationMethod: c.method, Credentials: c.json, BaseUrl: baseURL,
	}
}

// patternOf compiles an id pattern as hosts do: it matches an id as a whole.
func patternOf(pattern string) (*regexp.Regexp, error) {
	return regexp.Compile(`\A(?:` + pattern + `)\z`)
}
