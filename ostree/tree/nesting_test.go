package tree

import (
	"errors"
	"strings"
	"testing"

	"rpmostree/ostree"
)

// TestNesting makes directories that are nested as deep as they may be, and deeper.
func TestNesting(t *testing.T) {
	deep := strings.Repeat("/d", MaxDepth)
	s := newStore()
	tr, err := Tree{}.WithDir(deep, ostree.DirMeta{Mode: ostree.ModeDir | 0o755})
	if err == nil {
		tr, err = tr.WithFile(deep+"/file", sum("x"))
	}
	if err != nil {
		t.Fatal(err)
	}
	root, meta, err := tr.Write(s)
	if err != nil {
		t.Fatalf("write: %v", err)
	}
	var n Nesting
	if err := errors.Join(n.Load(s, root), n.Check(root)); err != nil {
		t.Error(err)
	}
	loaded := Load(s, root, meta)
	entries := 0
	if err := loaded.Walk(func(string, Entry) error { entries++; return nil }); err != nil || entries != MaxDepth+2 {
		t.Errorf("walk: %d entries, %v", entries, err)
	}
	for c, err := range Diff(Tree{}, loaded) {
		if err != nil {
			t.Errorf("diff: %s: %v", c.Path, err)
		}
	}
	if _, err := (Tree{}).Overlay(loaded, OverlayOptions{}); err != nil {
		t.Errorf("overlay: %v", err)
	}

	aside, err := loaded.Rename("/d", "/e")
	if err == nil {
		_, _, err = aside.Write(s)
	}
	if err != nil {
		t.Errorf("moved aside: %v", err)
	}
	read := s.read
	if _, _, err := aside.Write(s); err != nil || s.read != read {
		t.Errorf("moved aside: %d directories were read, %v", s.read-read, err)
	}
	down, err := loaded.Rename("/d/d", "/d/e/f")
	if err == nil {
		_, _, err = down.Write(s)
	}
	if !errors.Is(err, ErrTooDeep) {
		t.Errorf("moved down: %v", err)
	}
	down, err = loaded.Rename("/d/d", "/up")
	if err == nil {
		down, err = down.Rename("/up", "/d/d")
	}
	if err == nil {
		_, _, err = down.Write(s)
	}
	if err != nil {
		t.Errorf("moved up and down: %v", err)
	}

	// The same directory is in two places, one of them too deep.
	part, err := loaded.Subtree(strings.Repeat("/d", 10))
	if err != nil {
		t.Fatal(err)
	}
	for depth, want := range map[int]error{10: nil, 11: ErrTooDeep} {
		b := NewBuilder(Tree{})
		for _, at := range []string{"/a", strings.Repeat("/z", depth)} {
			if err := b.Put(at, part.Root()); err != nil {
				t.Fatal(err)
			}
		}
		_, _, err := b.Tree().Write(s)
		if !errors.Is(err, want) {
			t.Errorf("in two places, %d deep: error %v, want %v", depth, err, want)
		}
		var n Nesting
		top := part.node.sum
		for range depth {
			d := &ostree.DirTree{Dirs: []ostree.TreeDir{{Name: "z", Tree: top}}}
			n.Add(d.Checksum(), d)
			top = d.Checksum()
		}
		if err := n.Load(s, part.node.sum); err != nil {
			t.Fatal(err)
		}
		if err := n.Check(part.node.sum); err != nil {
			t.Error(err)
		}
		if err := n.Check(top); !errors.Is(err, want) {
			t.Errorf("in two places, %d deep, by name: error %v, want %v", depth, err, want)
		}
	}
}
