// Command badprovider is a provider plugin for the tests of the conformance
// suite. As unicrm-provider-good it does everything right; under any other
// name, such as unicrm-provider-prints-first, it makes the one mistake that its
// name says. A host scrubs the environment, so the name is what a choice can be
// made by; the tests link one binary to many names.
//
// It is written without sdk.Serve, as a plugin in another language would be:
// the SDK does not let an author make most of these mistakes.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"google.golang.org/protobuf/encoding/protojson"

	pb "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/emulator"
	"github.com/unicrm/unicrm/sdk/wire"
)

// slug is the provider's own, and names its mistake.
var slug = strings.TrimPrefix(filepath.Base(os.Args[0]), wire.BinaryPrefix)

// bad tells whether this is the mistake to make.
func bad(mistake string) bool { return slug == mistake }

func main() {
	switch {
	case len(os.Args) > 1 && os.Args[1] == "describe":
		if bad("describes-with-noise") {
			fmt.Println("loading…")
		}
		fmt.Println(protojson.MarshalOptions{UseProtoNames: true}.Format(manifest()))
	case len(os.Args) > 1 && os.Args[1] == "emulate":
		emulate(os.Args[2:])
	case os.Getenv(wire.Handshake.MagicCookieKey) == wire.Handshake.MagicCookieValue:
		serve()
	case bad("serves-anybody"):
	default:
		fmt.Fprintln(os.Stderr, "a provider plugin for unicrm, which starts it by itself")
		os.Exit(2)
	}
}

func manifest() *pb.HandshakeResponse {
	fields := []string{"id", "name", "title", "account", "email_addresses.email", "phone_numbers.number", "custom_fields", "created_at", "updated_at", "etag", "remote_data"}
	equal := []pb.Operator{pb.Operator_OPERATOR_EQ}
	byTime := []pb.Operator{pb.Operator_OPERATOR_EQ, pb.Operator_OPERATOR_GT, pb.Operator_OPERATOR_GTE, pb.Operator_OPERATOR_LT, pb.Operator_OPERATOR_LTE}
	m := &pb.HandshakeResponse{
		Slug: slug, DisplayName: "Bad CRM", Version: "1.0.0", ProtocolVersions: []int32{wire.Protocol}, AllowedHosts: []string{"api.bad.test"}, HasEmulator: !bad("has-no-emulator"),
		AuthenticationMethods: []*pb.AuthenticationMethod{{
			Name: "api_key", CredentialsSchema: []byte(`{"type":"object","properties":{"api_key":{"type":"string","pattern":"^[!-~]+$","writeOnly":true}},"required":["api_key"],"additionalProperties":false}`),
		}},
		Resources: []*pb.ResourceCapabilities{{
			Resource: "contacts", RecordIdPattern: "[1-9][0-9]{0,9}",
			Methods: []*pb.MethodCapabilities{
				{
					Method: pb.Method_METHOD_LIST, ReturnedFields: fields, PageCap: 100, SortKeys: []string{"id", "name"},
					Filters: []*pb.FilterCapability{{Field: "name", Operators: equal}, {Field: "email_addresses.email", Operators: equal}, {Field: "updated_at", Operators: byTime}},
				},
				{Method: pb.Method_METHOD_GET, ReturnedFields: fields},
				{Method: pb.Method_METHOD_CREATE, ReturnedFields: fields, WritableFields: writable, RequiredFields: []string{"name"}},
				{Method: pb.Method_METHOD_UPDATE, ReturnedFields: fields, WritableFields: append([]string{"etag"}, writable...)},
				{Method: pb.Method_METHOD_UPSERT, ReturnedFields: fields, WritableFields: writable, RequiredFields: []string{"name"}, Upsert: &pb.UpsertSemantics{}},
				{Method: pb.Method_METHOD_DELETE, Delete: &pb.DeleteSemantics{Kind: pb.DeleteSemantics_KIND_HARD, Repeat: pb.DeleteSemantics_REPEAT_NOT_FOUND}},
				{Method: pb.Method_METHOD_BATCH_DELETE, MaxRecords: maxIDs},
				{Method: pb.Method_METHOD_MERGE, ReturnedFields: fields, MaxRecords: 10},
			},
		}},
	}
	if bad("promises-what-it-never-fills") {
		for _, method := range m.Resources[0].Methods[:2] {
			method.ReturnedFields = append(slices.Clone(fields), "first_name", "urls.url")
		}
	}
	if bad("has-no-version") {
		m.Version = "one"
	}
	if bad("takes-any-id") {
		m.Resources[0].RecordIdPattern = ".+"
	}
	if bad("creates-unasked") {
		m.Resources[0].Methods = slices.DeleteFunc(m.Resources[0].Methods, func(c *pb.MethodCapabilities) bool {
			return c.Method == pb.Method_METHOD_CREATE || c.Method == pb.Method_METHOD_UPSERT
		})
	}
	return m
}

// emulate runs the vendor's emulator until its starter ends it.
func emulate(args []string) {
	definition := emulator.Definition{Slug: slug, New: newVendor}
	if !bad("forgets-no-calls") {
		os.Exit(emulator.Command(definition, args, os.Stdout, os.Stderr))
	}
	// The kit's emulator, behind a control interface that ignores DELETE.
	read, write := io.Pipe()
	go func() { os.Exit(emulator.Command(definition, args, write, os.Stderr)) }()
	line, _ := bufio.NewReader(read).ReadString('\n')
	var told map[string]any
	if json.Unmarshal([]byte(line), &told) != nil {
		os.Exit(1)
	}
	target, _ := url.Parse(told["control_url"].(string))
	proxy := httputil.NewSingleHostReverseProxy(target)
	told["control_url"] = "http://" + listenAndServe(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodDelete {
			proxy.ServeHTTP(w, r)
		}
	})
	_ = json.NewEncoder(os.Stdout).Encode(told)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	<-ctx.Done()
}
