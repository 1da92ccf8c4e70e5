package conformance

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"google.golang.org/grpc"
	grpccredentials "google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	providerv1 "github.com/unicrm/unicrm/proto/unicrm/provider/v1"
	"github.com/unicrm/unicrm/sdk/wire"
)

// lifeChecks are about the plugin as a process: its start, its end, and what it
// owes to its host between them.
var lifeChecks = []check{
	{
		name:   "process/start",
		title:  "the first line on standard output is the handshake, with a socket in the folder that the host gave and a certificate",
		advice: "Print nothing before the line 1|1|unix|<path>|grpc|<certificate>; prints in init functions and at import count too. Logs go to standard error. proto/README.md, How a plugin is started, describes the line.",
		needs:  needsManifest,
		run:    handshakeLine,
	},
	{
		name:   "process/handshake",
		title:  "Handshake tells what describe told, and the plugin is healthy",
		advice: "Answer Handshake from the same value that describe --json prints, at every call; serve grpc.health.v1.Health with \"plugin\" as SERVING.",
		needs:  needsProcess,
		run:    handshake,
	},
	{
		name:   "process/tls",
		title:  "the socket talks to nobody but the host that holds the certificate's key",
		advice: "Serve TLS 1.2 or later with a client certificate required, and trust exactly the one in PLUGIN_CLIENT_CERT.",
		needs:  needsManifest,
		run:    onlyTheHost,
	},
	{
		name:   "process/lifeline",
		title:  "the plugin ends when its host is gone",
		advice: "Read the descriptor in " + wire.LifelineEnv + " in a thread of its own and exit, children included, at end of file. Nothing else tells that a host was killed.",
		needs:  needsManifest,
		run:    lifeline,
	},
	{
		name:   "process/signals",
		title:  "SIGINT, SIGTERM and SIGHUP do not end the plugin while its host is there",
		advice: "Ignore the three signals while the lifeline is open: they may be meant for the host, which first drains its plugins.",
		needs:  needsManifest,
		run:    signals,
	},
	{
		name:   "process/shutdown",
		title:  "Shutdown lets a call in flight end, and the process then ends by itself",
		advice: "Answer ProviderService.Shutdown when the calls in flight are answered, and end upon go-plugin's GRPCController.Shutdown.",
		needs:  needsManifest,
		run:    shutdown,
	},
}

var handshakeForm = regexp.MustCompile(`^\d+\|\d+\|(unix|tcp)\|[^|\n]*\|`)

func handshakeLine(x *trial) {
	p, err := x.launch(x.ctx, "trace")
	defer p.stop()
	first := firstLineOf(p.stdout.bytes())
	switch {
	case err != nil && first != "" && !handshakeForm.MatchString(first):
		x.problem("the first line on standard output is no handshake but %.200q", first)
		return
	case err != nil:
		x.problem("it did not start: %v", err)
		return
	}
	fields := strings.Split(strings.TrimSpace(first), "|")
	if len(fields) < 6 {
		x.problem("the handshake line has %d fields instead of 6: %.200q", len(fields), first)
		return
	}
	if fields[0] != "1" || fields[1] != "1" || fields[4] != "grpc" {
		x.problem("the handshake line does not begin with 1|1| and have grpc as its fifth field: %.200q", first)
	}
	if fields[2] != "unix" || filepath.Dir(fields[3]) != p.dir {
		x.problem("it listens at %s %s and not at a Unix socket in PLUGIN_UNIX_SOCKET_DIR", fields[2], fields[3])
	}
	der, err := base64.RawStdEncoding.DecodeString(fields[5])
	if err == nil {
		_, err = x509.ParseCertificate(der)
	}
	if err != nil {
		x.problem("the sixth field of the handshake line is no certificate in DER, base64 without padding: %v", err)
	}
	if err := x.prepare(x.ctx, p); err != nil {
		x.problem("the first calls of a host: %v", err)
	}
}

func handshake(x *trial) {
	p, err := x.living(x.ctx)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(x.ctx, x.limit(startTime))
	defer cancel()
	for range 2 {
		said, err := providerv1.NewProviderServiceClient(p.conn).Handshake(ctx, &providerv1.HandshakeRequest{})
		if err != nil {
			x.problem("Handshake failed: %v", err)
			return
		}
		if !proto.Equal(said, x.manifest) {
			x.problem("Handshake and describe --json differ: %s", firstDifference(said, x.manifest))
		}
	}
	health, err := grpc_health_v1.NewHealthClient(p.conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: "plugin"})
	switch {
	case err != nil:
		x.problem("grpc.health.v1.Health: %v", err)
	case health.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING:
		x.problem(`grpc.health.v1.Health calls "plugin" %s`, health.GetStatus())
	}
}

// firstDifference names the first field in which two manifests differ.
func firstDifference(a, b *providerv1.HandshakeResponse) string {
	fields := a.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		if !a.ProtoReflect().Get(field).Equal(b.ProtoReflect().Get(field)) {
			return string(field.Name())
		}
	}
	return protojson.Format(a)
}

func onlyTheHost(x *trial) {
	p, err := x.start(x.ctx, "info")
	if err != nil {
		x.skip("the plugin did not start: %v", err)
		return
	}
	defer p.stop()
	fields := strings.Split(strings.TrimSpace(firstLineOf(p.stdout.bytes())), "|")
	for what, transport := range map[string]grpccredentials.TransportCredentials{
		"a client without TLS":           insecure.NewCredentials(),
		"a client without a certificate": grpccredentials.NewTLS(&tls.Config{InsecureSkipVerify: true}), //nolint:gosec // it is an intruder
	} {
		conn, err := grpc.NewClient("unix:"+fields[3], grpc.WithTransportCredentials(transport))
		if err != nil {
			x.problem("dial: %v", err)
			continue
		}
		ctx, cancel := context.WithTimeout(x.ctx, x.limit(endTime))
		if _, err := providerv1.NewProviderServiceClient(conn).Handshake(ctx, &providerv1.HandshakeRequest{}); err == nil {
			x.problem("%s was answered", what)
		}
		cancel()
		_ = conn.Close()
	}
}

func lifeline(x *trial) {
	p, err := x.start(x.ctx, "info")
	if err != nil {
		x.skip("the plugin did not start: %v", err)
		return
	}
	defer p.stop()
	_ = p.lifeline.Close()
	if !p.endsWithin(x.limit(endTime)) {
		x.problem("it still ran %s after the lifeline was closed", x.limit(endTime))
		return
	}
	if p.groupLives() {
		x.problem("it ended but left processes of its own behind")
	}
}

func signals(x *trial) {
	p, err := x.start(x.ctx, "info")
	if err != nil {
		x.skip("the plugin did not start: %v", err)
		return
	}
	defer p.stop()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		_ = p.cmd.Process.Signal(signal)
		if p.endsWithin(250 * time.Millisecond) {
			x.problem("it ended upon %s: %s", signal, p.lastWords())
			return
		}
	}
	ctx, cancel := context.WithTimeout(x.ctx, x.limit(endTime))
	defer cancel()
	if _, err := providerv1.NewProviderServiceClient(p.conn).CheckHealth(ctx, &providerv1.CheckHealthRequest{}); err != nil {
		x.problem("it lives but no longer answers: %v", err)
	}
}

func shutdown(x *trial) {
	p, err := x.start(x.ctx, "info")
	if err != nil {
		x.skip("the plugin did not start: %v", err)
		return
	}
	defer p.stop()
	inFlight := x.slowCall(p)
	ctx, cancel := context.WithTimeout(x.ctx, x.limit(startTime))
	defer cancel()
	if _, err := providerv1.NewProviderServiceClient(p.conn).Shutdown(ctx, &providerv1.ShutdownRequest{}); err != nil {
		x.problem("Shutdown failed: %v", err)
	}
	if inFlight != nil {
		if a := <-inFlight; !a.ok() {
			x.problem("a call that was in flight when Shutdown came ended with %s", a)
		}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.client.Kill() // asks by GRPCController, and kills after two seconds
	}()
	select {
	case <-ended:
	case <-time.After(x.limit(2 * endTime)):
	}
	if p.killed.Load() || !p.over() {
		x.problem("it had to be killed: GRPCController.Shutdown did not end it")
	}
}

// slowCall begins a call that takes half a second at the vendor, and returns
// when the vendor has it. It is nil where no call can be made.
func (x *trial) slowCall(p *process) <-chan *answer {
	if x.lacks(needsVendor) != "" {
		return nil
	}
	arrived := make(chan struct{}, 64)
	d := x.vendor.open(func(v *visit) {
		arrived <- struct{}{}
		v.wait(500 * time.Millisecond)
		v.pass()
	})
	for _, m := range x.asking() {
		if m.writes() {
			continue
		}
		c, there := x.about(m, x.account(d.url))
		if !there {
			continue
		}
		done := make(chan *answer, 1)
		go func() { done <- x.askDuring(x.ctx, p, c, x.check.name) }()
		select {
		case <-arrived:
		case <-time.After(x.limit(callTime)):
		}
		return done
	}
	return nil
}
