// Command bareplugin is a provider for the supervisor's tests with real
// processes that is written without the SDK, as a stranger's may be, and keeps
// none of the SDK's promises. It lies in <folder>/<version>/, and that is its
// version; the file "habits" beside it names its bad habits, separated by
// white space.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	crmv1 "github.com/unicrm/unicrm/proto/unicrm/crm/v1"
	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/wire" // constants alone
)

var (
	home    = filepath.Dir(os.Args[0])
	version = filepath.Base(home)
)

func has(habit string) bool {
	text, _ := os.ReadFile(filepath.Join(home, "habits"))
	return slices.Contains(strings.Fields(string(text)), habit)
}

func main() {
	if has("print-first") {
		fmt.Println("Loading configuration...")
	}
	major := wire.Protocol
	if has("other-major") {
		major = 7
	}
	goplugin.Serve(&goplugin.ServeConfig{
		HandshakeConfig:  wire.Handshake,
		VersionedPlugins: map[int]goplugin.PluginSet{major: {wire.PluginName: &provider{}}},
		GRPCServer: func(options []grpc.ServerOption) *grpc.Server {
			return grpc.NewServer(append(options, grpc.UnaryInterceptor(intercept))...)
		},
	})
}

// intercept can make it deaf to go-plugin's own way of ending a process.
func intercept(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if has("deaf") && strings.HasSuffix(info.FullMethod, "GRPCController/Shutdown") {
		select {}
	}
	return handler(ctx, request)
}

type provider struct {
	goplugin.NetRPCUnsupportedPlugin
	providerv1.UnimplementedProviderServiceServer
	crmv1.UnimplementedContactsServiceServer
}

func (p *provider) GRPCServer(_ *goplugin.GRPCBroker, g *grpc.Server) error {
	providerv1.RegisterProviderServiceServer(g, p)
	crmv1.RegisterContactsServiceServer(g, p)
	return nil
}

func (p *provider) GRPCClient(context.Context, *goplugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

func (p *provider) Handshake(context.Context, *providerv1.HandshakeRequest) (*providerv1.HandshakeResponse, error) {
	return &providerv1.HandshakeResponse{Slug: "testplugin", Version: version}, nil
}

func (p *provider) Configure(context.Context, *providerv1.ConfigureRequest) (*providerv1.ConfigureResponse, error) {
	if has("unconfigurable") {
		return nil, status.Error(codes.InvalidArgument, "no such setting")
	}
	return &providerv1.ConfigureResponse{}, nil
}

func (p *provider) CheckHealth(ctx context.Context, _ *providerv1.CheckHealthRequest) (*providerv1.CheckHealthResponse, error) {
	switch {
	case has("unhealthy"):
		return nil, status.Error(codes.Internal, "the disk is full\n"+strings.Repeat("!", 1<<20))
	case has("crash-on-health"):
		os.Exit(4)
	case has("hang-on-health"):
		<-ctx.Done()
	}
	return &providerv1.CheckHealthResponse{}, nil
}

func (p *provider) Shutdown(context.Context, *providerv1.ShutdownRequest) (*providerv1.ShutdownResponse, error) {
	return &providerv1.ShutdownResponse{}, nil
}

func (p *provider) GetContact(ctx context.Context, request *crmv1.GetContactRequest) (*crmv1.GetContactResponse, error) {
	id := request.GetId()
	data, err := json.Marshal(map[string]any{"pid": os.Getpid(), "version": version})
	if err != nil {
		return nil, err
	}
	switch id {
	case "tear": // a status that is larger than gRPC takes
		large, err := status.New(codes.Internal, "large").WithDetails(wrapperspb.String(strings.Repeat("x", 17<<20)))
		if err != nil {
			return nil, err
		}
		return nil, large.Err()
	case "hang":
		<-ctx.Done()
	case "print":
		fmt.Println("printed")                           // to go-plugin's stream
		fmt.Fprintln(os.Stderr, "printed to its stderr") // likewise
		for _, line := range [][]byte{bytes.Repeat([]byte("y"), 300_000), []byte("raw")} {
			if _, err := syscall.Write(1, append(line, '\n')); err != nil {
				return nil, err
			}
		}
	case "stderr":
		for _, line := range []string{`{"@message": 5, "@level": 6}`, `{"@level":"error","@message":"from another language"}`, "plain \x1b[31mtext"} {
			if _, err := syscall.Write(2, []byte(line+"\n")); err != nil {
				return nil, err
			}
		}
	}
	return &crmv1.GetContactResponse{Contact: &crmv1.Contact{Id: &id, RemoteData: data}}, nil
}
