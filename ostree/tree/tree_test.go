package tree

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"

	"rpmostree/ostree"
)

// store is a repository in memory that counts what is read and written.
type store struct {
	mu          sync.Mutex
	trees       map[ostree.Checksum]*ostree.DirTree
	metas       map[ostree.Checksum]*ostree.DirMeta
	read, wrote int
}

func newStore() *store {
	return &store{trees: map[ostree.Checksum]*ostree.DirTree{}, metas: map[ostree.Checksum]*ostree.DirMeta{}}
}

func (s *store) DirTree(c ostree.Checksum) (*ostree.DirTree, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read++
	if t := s.trees[c]; t != nil {
		return t, nil
	}
	return nil, fmt.Errorf("no dirtree %s", c)
}

func (s *store) DirMeta(c ostree.Checksum) (*ostree.DirMeta, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m := s.metas[c]; m != nil {
		return m, nil
	}
	return nil, fmt.Errorf("no dirmeta %s", c)
}

func (s *store) WriteDirTree(t *ostree.DirTree) (ostree.Checksum, error) {
	if err := t.Validate(); err != nil {
		return ostree.Checksum{}, err
	}
	c := t.Checksum()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wrote++
	s.trees[c] = &ostree.DirTree{Files: slices.Clone(t.Files), Dirs: slices.Clone(t.Dirs)}
	return c, nil
}

func (s *store) WriteDirMeta(m *ostree.DirMeta) (ostree.Checksum, error) {
	c := m.Checksum()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.metas[c] = m
	return c, nil
}

func sum(s string) ostree.Checksum { return sha256.Sum256([]byte(s)) }

func dirMode(mode uint32) ostree.DirMeta { return ostree.DirMeta{Mode: ostree.ModeDir | mode} }

// save writes a tree and loads it again.
func (s *store) save(t testing.TB, tr Tree) Tree {
	t.Helper()
	tree, meta, err := tr.Write(s)
	if err != nil {
		t.Fatal(err)
	}
	return Load(s, tree, meta)
}

// build makes a tree from lines: "path" is a file with its own path as content,
// "path=content" one with other content, "path/" a directory.
func build(t testing.TB, lines ...string) Tree {
	t.Helper()
	b := NewBuilder(Tree{})
	for _, l := range lines {
		var err error
		if name, content, ok := strings.Cut(l, "="); ok {
			err = b.AddFile(name, sum(content))
		} else if strings.HasSuffix(l, "/") {
			err = b.AddDir(l, dirMode(0o755))
		} else {
			err = b.AddFile(l, sum(l))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return b.Tree()
}

func list(t testing.TB, tr Tree) string {
	t.Helper()
	var out []string
	err := tr.Walk(func(p string, e Entry) error {
		switch {
		case e.IsDir && p != "/":
			p += "/"
		case !e.IsDir && e.Checksum != sum(p):
			p += "*"
		}
		out = append(out, p)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out[1:], " ")
}

func TestOverlay(t *testing.T) {
	s := newStore()
	base := s.save(t, build(t, "/usr/bin/a", "/usr/lib/b", "/etc/c", "/etc/d/"))
	for _, c := range []struct {
		name, want string
		other      Tree
		opts       OverlayOptions
		conflict   string
	}{
		{name: "disjoint", other: build(t, "/usr/bin/x", "/opt/y"),
			want: "/etc/ /etc/c /etc/d/ /opt/ /opt/y /usr/ /usr/bin/ /usr/bin/a /usr/bin/x /usr/lib/ /usr/lib/b"},
		{name: "identical", other: build(t, "/usr/bin/a"),
			want: "/etc/ /etc/c /etc/d/ /usr/ /usr/bin/ /usr/bin/a /usr/lib/ /usr/lib/b"},
		{name: "conflict", other: build(t, "/usr/bin/a=other"), conflict: "/usr/bin/a"},
		{name: "replace", other: build(t, "/usr/bin/a=other"), opts: OverlayOptions{Replace: true},
			want: "/etc/ /etc/c /etc/d/ /usr/ /usr/bin/ /usr/bin/a* /usr/lib/ /usr/lib/b"},
		{name: "keep", other: build(t, "/usr/bin/a=other", "/usr/bin/z"),
			opts: OverlayOptions{Conflict: func(*ConflictError) Resolution { return Keep }},
			want: "/etc/ /etc/c /etc/d/ /usr/ /usr/bin/ /usr/bin/a /usr/bin/z /usr/lib/ /usr/lib/b"},
		{name: "file over directory", other: build(t, "/usr/bin=x"), conflict: "/usr/bin"},
		{name: "directory over file", other: build(t, "/etc/c/x"), conflict: "/etc/c"},
		{name: "directory over file, replaced", other: build(t, "/etc/c/x"), opts: OverlayOptions{Replace: true},
			want: "/etc/ /etc/c/ /etc/c/x /etc/d/ /usr/ /usr/bin/ /usr/bin/a /usr/lib/ /usr/lib/b"},
	} {
		got, err := base.Overlay(c.other, c.opts)
		var conflict *ConflictError
		if errors.As(err, &conflict) {
			if conflict.Path != c.conflict {
				t.Errorf("%s: conflict at %q, want %q", c.name, conflict.Path, c.conflict)
			}
			continue
		}
		if err != nil || c.conflict != "" {
			t.Errorf("%s: error %v, want a conflict at %q", c.name, err, c.conflict)
			continue
		}
		if l := list(t, got); l != c.want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, l, c.want)
		}
		if l := list(t, s.save(t, got)); l != c.want {
			t.Errorf("%s: after writing\n%s\nwant\n%s", c.name, l, c.want)
		}
	}
	if l := list(t, base); l != "/etc/ /etc/c /etc/d/ /usr/ /usr/bin/ /usr/bin/a /usr/lib/ /usr/lib/b" {
		t.Errorf("the base has changed: %s", l)
	}
}

func TestErrors(t *testing.T) {
	base := build(t, "/usr/bin/a", "/lib=usr/lib")
	var notDir *NotDirError
	if _, err := base.Lookup("/lib/x"); !errors.As(err, &notDir) || notDir.Path != "/lib" || notDir.Checksum != sum("usr/lib") {
		t.Errorf("lookup through a file: %v", err)
	}
	if _, err := base.WithFile("/lib/x", sum("x")); !errors.As(err, &notDir) || notDir.Path != "/lib" {
		t.Errorf("file below a file: %v", err)
	}
	if _, err := base.Lookup("/usr/x/y"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("lookup of nothing: %v", err)
	}
	if _, err := base.Remove("/usr/x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removal of nothing: %v", err)
	}
	if _, err := base.Rename("/usr", "/usr/bin/b"); err == nil {
		t.Error("a directory was moved into itself")
	}
	for _, p := range []string{"/usr/../etc", "/usr//bin", "./x", "/a\xff", "/" + strings.Repeat("d/", MaxDepth+1) + "x"} {
		if _, err := base.WithFile(p, sum("x")); err == nil {
			t.Errorf("%.20q: accepted", p)
		}
	}
	if moved, err := base.Rename("/usr/bin", "/opt/x/bin"); err != nil || list(t, moved) != "/lib* /opt/ /opt/x/ /opt/x/bin/ /opt/x/bin/a* /usr/" {
		t.Errorf("rename: %v %s", err, list(t, moved))
	}
}

// TestModel compares a long random sequence of changes with a map of paths.
func TestModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	randPath := func() string {
		p := ""
		for range 1 + rng.IntN(4) {
			p += "/" + string(rune('a'+rng.IntN(4)))
		}
		return p
	}
	s := newStore()
	tr, model := Tree{}, map[string]string{}
	for step := range 3000 {
		before, beforeModel := tr, maps.Clone(model)
		p := randPath()
		switch rng.IntN(5) {
		case 0:
			if next, err := tr.Remove(p); err == nil {
				tr = next
				maps.DeleteFunc(model, func(k, _ string) bool { return k == p || strings.HasPrefix(k, p+"/") })
			} else if _, ok := model[p]; ok {
				t.Fatalf("step %d: remove %s: %v", step, p, err)
			}
		case 1:
			to := randPath()
			if next, err := tr.Rename(p, to); err == nil {
				tr = next
				moved := map[string]string{}
				maps.DeleteFunc(model, func(k, v string) bool {
					if k != p && !strings.HasPrefix(k, p+"/") {
						return false
					}
					moved[to+k[len(p):]] = v
					return true
				})
				maps.Copy(model, moved)
				addParents(model, to)
			}
		case 2:
			tr = s.save(t, tr)
		default:
			if next, err := tr.WithFile(p, sum(p)); err == nil {
				tr = next
				model[p] = sum(p).String()
				addParents(model, p)
			}
		}
		if got := flatten(t, tr); !maps.Equal(got, model) {
			t.Fatalf("step %d: got %v want %v", step, got, model)
		}
		checkDiff(t, before, tr, beforeModel, model)
	}
}

func addParents(model map[string]string, p string) {
	for d := path.Dir(p); d != "/"; d = path.Dir(d) {
		model[d] = "dir"
	}
}

func flatten(t testing.TB, tr Tree) map[string]string {
	out := map[string]string{}
	err := tr.Walk(func(p string, e Entry) error {
		if e.IsDir {
			out[p] = "dir"
		} else {
			out[p] = e.Checksum.String()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	delete(out, "/")
	return out
}

// checkDiff applies the difference to the old listing, which must give the new one.
func checkDiff(t *testing.T, a, b Tree, from, to map[string]string) {
	t.Helper()
	got := maps.Clone(from)
	for c, err := range Diff(a, b) {
		if err != nil {
			t.Fatal(err)
		}
		if c.From != nil {
			maps.DeleteFunc(got, func(k, _ string) bool { return k == c.Path || strings.HasPrefix(k, c.Path+"/") })
		}
		switch {
		case c.To == nil:
		case c.To.IsDir:
			got[c.Path] = "dir"
		default:
			got[c.Path] = c.To.Checksum.String()
		}
	}
	if !maps.Equal(got, to) {
		t.Fatalf("the difference of\n%v\nand\n%v\nis applied\n%v", from, to, got)
	}
}

func TestDiffMeta(t *testing.T) {
	a := build(t, "/usr/bin/a", "/etc/b")
	b, err := a.WithDir("/usr", dirMode(0o700))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for c, err := range Diff(a, b) {
		n++
		if err != nil || c.Path != "/usr" || c.From == nil || c.To == nil {
			t.Errorf("change %+v, error %v", c, err)
		}
	}
	if n != 1 {
		t.Errorf("%d changes, want 1", n)
	}
}

// bigTree is an OS of 100,000 files in 2,000 directories.
func bigTree(t testing.TB) (*store, Tree) {
	b := NewBuilder(Tree{})
	for i := range 100_000 {
		p := fmt.Sprintf("/usr/share/d%02d/e%02d/file%d", i%50, i/50%40, i)
		if err := b.AddFile(p, sum(p)); err != nil {
			t.Fatal(err)
		}
	}
	s := newStore()
	tr := s.save(t, b.Tree())
	s.read, s.wrote = 0, 0
	return s, tr
}

// somePackage is 50 files in 5 directories, two of which are new.
func somePackage(t testing.TB) Tree {
	b := NewBuilder(Tree{})
	for i := range 50 {
		dir := []string{"/usr/bin", "/usr/share/d01/e01", "/usr/share/d01/e02", "/usr/share/d02/e01", "/usr/lib/pkg"}[i%5]
		p := fmt.Sprintf("%s/pkgfile%d", dir, i)
		if err := b.AddFile(p, sum(p)); err != nil {
			t.Fatal(err)
		}
	}
	return b.Tree()
}

func TestOverlayTouchesOnlyItsPaths(t *testing.T) {
	s, base := bigTree(t)
	got, err := base.Overlay(somePackage(t), OverlayOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := got.Write(s); err != nil {
		t.Fatal(err)
	}
	// read: / usr share d01 d01/e01 d01/e02 d02 d02/e01; written: those, bin, lib and pkg
	if s.read != 8 || s.wrote != 11 {
		t.Errorf("%d directories read and %d written, want 8 and 11", s.read, s.wrote)
	}
	s.read = 0
	n := 0
	for _, err := range Diff(base, got) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 53 || s.read != 0 {
		t.Errorf("the difference has %d changes and reads %d directories, want 53 and 0", n, s.read)
	}
}

func TestConcurrent(t *testing.T) {
	s := newStore()
	base := s.save(t, build(t, "/usr/bin/a", "/usr/lib/b", "/etc/c", "/etc/d/e/f"))
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			tr, err := base.WithFile(fmt.Sprintf("/usr/bin/x%d", i), sum("x"))
			if err != nil {
				t.Error(err)
			}
			list(t, tr)
			if _, _, err := tr.Checksums(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func BenchmarkOverlay(b *testing.B) {
	s, base := bigTree(b)
	pkg := somePackage(b)
	tree, meta, _ := base.Write(s)
	for b.Loop() {
		got, err := Load(s, tree, meta).Overlay(pkg, OverlayOptions{})
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := got.Write(s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	for b.Loop() {
		bigTree(b)
	}
}
