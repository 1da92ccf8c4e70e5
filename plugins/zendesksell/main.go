// Unicrm-provider-zendesksell connects unicrm to Zendesk Sell, Core API v2.
package main

import (
	"github.com/unicrm/unicrm/plugins/zendesksell/emulator"
	"github.com/unicrm/unicrm/sdk"
)

func main() { sdk.Serve(provider, sdk.WithEmulator(emulator.Definition)) }
