// Unicrm-provider-planhat connects unicrm to Planhat's REST API.
package main

import (
	"github.com/unicrm/unicrm/plugins/planhat/emulator"
	"github.com/unicrm/unicrm/sdk"
)

func main() { sdk.Serve(provider, sdk.WithEmulator(emulator.Definition)) }
