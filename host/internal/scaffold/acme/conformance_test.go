package main

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/unicrm/unicrm/sdk/conformance"
)

// TestConformance holds the binary to what every provider plugin has to do, as
// `unicrm plugin test` does.
func TestConformance(t *testing.T) {
	if testing.Short() {
		t.Skip("-short leaves out the conformance suite, which starts the binary and takes its time")
	}
	binary := filepath.Join(t.TempDir(), "unicrm-provider-acme")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	// Limits of time are three times as long here: machines of CI are slow.
	conformance.Run(t, conformance.Options{Binary: binary, TimeScale: 3})
}
