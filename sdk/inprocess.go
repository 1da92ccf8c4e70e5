package sdk

import (
	"context"
	"net"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/unicrm/unicrm/sdk/redact"
	"github.com/unicrm/unicrm/sdk/wire"
)

// InProcess serves a provider's services in this process and gives a connection
// to them, so that tests make the calls that a host makes. It is for
// sdk/providertest, not for authors. stop ends both.
func InProcess(p Provider) (conn *grpc.ClientConn, stop func(), err error) {
	s, err := newServer(&p, false, hclog.NewNullLogger(), redact.New())
	if err != nil {
		return nil, nil, err
	}
	g := grpc.NewServer(s.grpcOptions()...)
	s.register(g)
	listener := bufconn.Listen(1 << 20)
	go func() { _ = g.Serve(listener) }() // ends with Stop
	conn, err = grpc.NewClient("passthrough:///in-process",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(wire.MaxMessage), grpc.MaxCallSendMsgSize(wire.MaxMessage)))
	if err != nil {
		g.Stop()
		return nil, nil, err
	}
	return conn, func() {
		_ = conn.Close()
		g.Stop()
		s.pool.Close()
	}, nil
}
