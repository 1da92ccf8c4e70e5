// Unicrm-provider-freshsales connects unicrm to Freshsales, the sales CRM of
// Freshworks.
package main

import (
	"github.com/unicrm/unicrm/plugins/freshsales/emulator"
	"github.com/unicrm/unicrm/sdk"
)

func main() { sdk.Serve(provider, sdk.WithEmulator(emulator.Definition)) }
