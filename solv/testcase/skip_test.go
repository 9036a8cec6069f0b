package testcase

import (
	"errors"
	"testing"
)

// What is not answered is refused, not left out.
func TestOutOfScope(t *testing.T) {
	for _, text := range []string{
		"repo a 0 solv a.solv\n",
		"repo a 0 helix a.xml\n",
		"system x86_64 deb\n",
		"feature linked_packages\n",
		"genid lit a\ngenid susedep b\n",
		"result transaction,orderedges /dev/null\n",
	} {
		if _, err := solveText(text); !errors.Is(err, ErrSkip) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
