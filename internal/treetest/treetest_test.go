package treetest

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestRandomIsDeterministic(t *testing.T) {
	a, b := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	root := os.Geteuid() == 0
	for seed := range uint64(3) {
		o := Options{Seed: seed, Owners: root, SetID: root, Xattrs: root, Hardlinks: true, Special: true}
		Random(t, filepath.Join(a, string(rune('a'+seed))), o)
		Random(t, filepath.Join(b, string(rune('a'+seed))), o)
	}
	Equal(t, a, b, Compare{})
	lines := Snapshot(t, a, Compare{})
	if len(lines) < 150 {
		t.Errorf("only %d names", len(lines))
	}
	os.WriteFile(filepath.Join(b, "new"), nil, 0o600)
	if slices.Equal(lines, Snapshot(t, b, Compare{})) {
		t.Error("difference not seen")
	}
}
