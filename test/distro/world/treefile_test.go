package world

import (
	"testing"

	"rpmostree/treefile"
)

// TestTreefiles loads the treefiles as the composer does.
func TestTreefiles(t *testing.T) {
	l, err := readLists()
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t.TempDir(), l)
	if err := w.writeTreefiles(l); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{w.Treefile, w.UpdateTreefile} {
		if _, err := treefile.Load(name, treefile.Options{Arch: "x86_64"}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
