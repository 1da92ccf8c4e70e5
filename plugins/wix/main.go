// Unicrm-provider-wix connects unicrm to Wix, Contacts API v4.
package main

import (
	"github.com/unicrm/unicrm/plugins/wix/emulator"
	"github.com/unicrm/unicrm/sdk"
)

func main() { sdk.Serve(provider, sdk.WithEmulator(emulator.Definition)) }
