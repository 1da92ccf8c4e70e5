// Unicrm-provider-pipeliner connects unicrm to Pipeliner CRM (now Coevera),
// REST API v100.
package main

import (
	"github.com/unicrm/unicrm/plugins/pipeliner/emulator"
	"github.com/unicrm/unicrm/sdk"
)

func main() { sdk.Serve(provider, sdk.WithEmulator(emulator.Definition)) }
