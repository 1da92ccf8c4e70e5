// Package wire holds the constants on which host and plugin agree outside the
// protocol messages. proto/README.md says what each is for.
package wire

import (
	"github.com/hashicorp/go-plugin"
)

const (
	// SDKVersion is the version of the module, and so of the SDK.
	SDKVersion = "0.2.0"
	// Protocol is the major of the protocol that this module speaks.
	Protocol = 1
	// PluginName is the one plugin in go-plugin's set.
	PluginName = "provider"
	// LifelineEnv names the environment variable that holds the number of the
	// lifeline's file descriptor: the read end of a pipe whose write end the
	// host keeps. When it reads end of file the host is gone.
	LifelineEnv = "UNICRM_LIFELINE_FD"
	// MaxMessage caps a gRPC message in both directions, in bytes.
	MaxMessage = 40 << 20
	// SlugPattern (RE2) is what a provider's slug is: it becomes part of file
	// names and URLs.
	SlugPattern = `^[a-z0-9]+(-[a-z0-9]+)*$`
	// BinaryPrefix begins the name of every provider binary.
	BinaryPrefix = "unicrm-provider-"
)

// Handshake is go-plugin's check that a binary was started by a host on
// purpose. It is not a secret.
var Handshake = plugin.HandshakeConfig{
	MagicCookieKey:   "UNICRM_PROVIDER_PLUGIN",
	MagicCookieValue: "b1b6b8a2-7f0e-4d6a-9a43-9f3f8c1f5d11",
}
