package emulator

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheReadmeNamesEverySwitchAndItsDefault(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, s := range switches {
		assert.Contains(t, string(readme), "| `"+s.Name+"` | `"+s.Default+"` |")
		for _, value := range s.Values {
			assert.Contains(t, string(readme), "`"+value+"`", s.Name)
		}
	}
	for n := 1; n <= awkward; n++ {
		assert.Contains(t, string(readme), "`"+awkwardID(n)+"`")
	}
}
