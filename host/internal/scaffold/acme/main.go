// Unicrm-provider-acme connects unicrm to Acme CRM.
package main

import (
	"github.com/unicrm/unicrm/sdk"

	"github.com/unicrm/unicrm/host/internal/scaffold/acme/emulator"
)

func main() { sdk.Serve(provider, sdk.WithEmulator(emulator.Definition)) }
