// Unicrm-provider-insightly connects unicrm to Insightly CRM, REST API v3.1.
package main

import (
	"github.com/unicrm/unicrm/plugins/insightly/emulator"
	"github.com/unicrm/unicrm/sdk"
)

func main() { sdk.Serve(provider, sdk.WithEmulator(emulator.Definition)) }
