package delta

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"rpmostree/gvariant"
	"rpmostree/internal/treetest"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/tree"
)

// A history is a repository with two commits, of the refs "old" and "new".
type history struct {
	*repo.Repo
	old, new ostree.Checksum
}

func (h *history) name() Name { return Name{From: h.old, To: h.new} }

// newHistory makes an archive repository with two commits that differ in all the ways that
// a delta knows.
func newHistory(t testing.TB, seed uint64) *history {
	t.Helper()
	h := &history{Repo: newRepo(t, repo.Archive)}
	dir := filepath.Join(t.TempDir(), "tree")
	treetest.Random(t, dir, treetest.Options{Seed: seed})
	r := rand.New(rand.NewPCG(seed, 2))
	big, noise := words(r, 300_000), make([]byte, 150_000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	files := map[string][]byte{"big.txt": big, "small": big[:5000], "lib.so.1": noise, "packed.gz": append([]byte("\x1f\x8b"), noise[:9000]...), "empty": nil}
	write := func() {
		for name, data := range files {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	write()
	h.old = commitTree(t, h.Repo, dir, "old", ostree.Checksum{})
	changed := slices.Clone(noise)
	for range 2000 { // too many places for stretches
		changed[r.IntN(len(changed))]++
	}
	if err := os.Remove(filepath.Join(dir, "lib.so.1")); err != nil {
		t.Fatal(err)
	}
	files = map[string][]byte{
		"big.txt": slices.Concat([]byte("a new line\n"), big[:150_000], []byte("and another"), big[150_100:]),
		"small":   slices.Insert(slices.Clone(big[:5000]), 2500, []byte("between")...), "lib.so.2": changed,
		"packed.gz": append([]byte("\x1f\x8b"), noise[500:9500]...), "large": words(r, 200_000), "empty": []byte("no more"), "gone": nil,
	}
	write()
	if err := os.Symlink("big.txt", filepath.Join(dir, "a link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "small"), 0o755); err != nil {
		t.Fatal(err)
	}
	h.new = commitTree(t, h.Repo, dir, "new", h.old)
	return h
}

// words returns n bytes of text.
func words(r *rand.Rand, n int) []byte {
	var b []byte
	for len(b) < n {
		b = append(b, []string{"one ", "two ", "three ", "four\n", "5 ", "6, "}[r.IntN(6)]...)
	}
	return b[:n]
}

func newRepo(t testing.TB, mode repo.Mode) *repo.Repo {
	t.Helper()
	r, err := repo.Init(filepath.Join(treetest.FastDir(t), "repo"), repo.InitOptions{Mode: mode})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func commitTree(t testing.TB, r *repo.Repo, dir, ref string, parent ostree.Checksum) ostree.Checksum {
	t.Helper()
	fatal := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	tx, err := r.Begin(t.Context(), repo.TransactionOptions{NoFsync: true})
	fatal(err)
	defer tx.Abort()
	tree, err := tx.ImportDir(dir, repo.ImportOptions{CanonicalPermissions: true})
	fatal(err)
	root, meta, err := tree.Write(tx)
	fatal(err)
	c, err := tx.WriteCommit(&ostree.Commit{Tree: root, Meta: meta, Parent: parent, Subject: ref, Timestamp: 1_600_000_000})
	fatal(err)
	fatal(tx.SetRef("", ref, c))
	_, err = tx.Commit()
	fatal(err)
	return c
}

// withOld returns a repository that has the older commit.
func (h *history) withOld(t testing.TB, mode repo.Mode) *repo.Repo {
	t.Helper()
	r := newRepo(t, mode)
	if _, err := r.PullLocal(t.Context(), h.Repo, repo.PullLocalOptions{Refs: []string{"old"}}); err != nil {
		t.Fatal(err)
	}
	return r
}

// checkNew makes sure that a repository has all of the newer commit.
func (h *history) checkNew(t testing.TB, r *repo.Repo) {
	t.Helper()
	if ok, err := r.Has(ostree.ObjectCommit, h.new); !ok || err != nil {
		t.Fatalf("no commit: %v", err)
	}
	if report, err := r.Fsck(t.Context(), repo.FsckOptions{}); err != nil || report.Err() != nil {
		t.Errorf("fsck: %v, %v", err, report.Err())
	}
	set, want := repo.ObjectSet{}, repo.ObjectSet{}
	if err := r.Traverse(t.Context(), h.new, 0, false, set); err != nil {
		t.Fatal(err)
	}
	if err := h.Traverse(t.Context(), h.new, 0, false, want); err != nil {
		t.Fatal(err)
	}
	if len(set) != len(want) {
		t.Errorf("%d objects, want %d", len(set), len(want))
	}
	if partial, err := r.IsPartial(h.new); partial || err != nil {
		t.Errorf("the commit is partial: %v", err)
	}
}

func TestGenerateApply(t *testing.T) {
	h := newHistory(t, 1)
	file := filepath.Join(t.TempDir(), "some.delta")
	for _, tt := range []struct {
		name    string
		options Options
		scratch bool
		check   func(r *Report) bool
	}{
		{"defaults", Options{}, false, func(r *Report) bool {
			return len(r.Parts) == 1 && r.Copied > 0 && r.Patched > 0 && len(r.Fallbacks) == 0 && r.Order == binary.LittleEndian && r.CopiedBytes > 250_000
		}},
		{"from nothing", Options{}, true, func(r *Report) bool { return r.Similar == 0 && r.Copied == 0 && r.Patched == 0 }},
		{"inline", Options{Inline: true}, false, func(r *Report) bool { return len(r.Parts) == 1 }},
		{"big endian", Options{Order: binary.BigEndian}, false, func(r *Report) bool { return r.Order == binary.BigEndian }},
		{"no bsdiff", Options{NoBSDiff: true}, false, func(r *Report) bool { return r.Patched == 0 && r.Copied > 0 }},
		{"small bsdiff", Options{MaxBSDiffSize: 20_000}, false, func(r *Report) bool { return r.Patched > 0 }},
		{"small parts", Options{MaxChunkSize: 50_000}, false, func(r *Report) bool { return len(r.Parts) > 3 }},
		{"small parts inline", Options{MaxChunkSize: 50_000, Inline: true}, true, func(r *Report) bool { return len(r.Parts) > 3 }},
		{"a file", Options{Filename: file, Inline: true}, false, func(r *Report) bool { return true }},
		{"signed", Options{Sign: func(b []byte) (gvariant.Value, error) {
			return (&gvariant.Dict{}).Value(), nil
		}}, false, func(r *Report) bool { return true }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name := h.name()
			if tt.scratch {
				name.From = ostree.Checksum{}
			}
			report, err := Generate(t.Context(), h.Repo, name, tt.options)
			if err != nil {
				t.Fatal(err)
			}
			if !tt.check(report) {
				t.Errorf("unexpected: %+v", report)
			}
			path := tt.options.Filename
			if path == "" {
				path = filepath.Join(h.Path(), name.Dir())
			}
			for _, mode := range []repo.Mode{repo.BareUserOnly, repo.BareUser, repo.Archive} {
				r := newRepo(t, mode)
				if !tt.scratch {
					r = h.withOld(t, mode)
				}
				f, err := OpenFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if _, ok := f.Superblock.InlinePart(0); ok != tt.options.Inline {
					t.Error("parts are in the superblock, or not")
				}
				if (f.Signed != nil) != (tt.options.Sign != nil) {
					t.Error("signatures are there, or not")
				}
				defer f.Close()
				for range 2 { // the second time there is nothing to do
					if err := f.Apply(t.Context(), r); err != nil {
						t.Fatalf("%v: %v", mode, err)
					}
				}
				h.checkNew(t, r)
			}
		})
	}
	if list, err := List(h.Repo); err != nil || len(list) != 2 {
		t.Errorf("%v, %v", list, err)
	}
	if entries, _ := os.ReadDir(filepath.Join(h.Path(), "tmp")); slices.ContainsFunc(entries, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), "static-delta") }) {
		t.Error("files are left in tmp")
	}
	if err := Delete(t.Context(), h.Repo, h.name()); err != nil {
		t.Fatal(err)
	}
	if err := Delete(t.Context(), h.Repo, h.name()); err == nil || !strings.Contains(err.Error(), "Can't find delta") {
		t.Error(err)
	}
	if ok, err := Exists(h.Repo, h.name()); ok || err != nil {
		t.Errorf("still there: %v", err)
	}
}

func TestGenerateSame(t *testing.T) {
	h := newHistory(t, 5)
	var files [][]byte
	for range 2 {
		if _, err := Generate(t.Context(), h.Repo, h.name(), Options{Time: time.Unix(1_700_000_000, 0), Inline: true, MaxChunkSize: 60_000}); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(h.Path(), h.name().Dir(), "superblock"))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, data)
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("the same commits make another delta")
	}
}

func TestFallbacks(t *testing.T) {
	h := newHistory(t, 2)
	for _, tt := range []struct {
		options Options
		want    int
	}{{Options{MinFallbackSize: 100_000}, 1}, {Options{MinFallbackSize: 100_000, NoFallbacks: true}, 0}, {Options{MinFallbackSize: 190_000}, 1}} {
		report, err := Generate(t.Context(), h.Repo, h.name(), tt.options)
		if err != nil {
			t.Fatal(err)
		}
		large := 0
		for _, x := range report.Fallbacks {
			if x.USize > uint64(tt.options.MinFallbackSize) && x.Size > 0 {
				large++
			}
		}
		if large < tt.want || tt.want == 0 && large > 0 {
			t.Errorf("%+v: %d fallbacks", tt.options, large)
		}
		f, err := Open(h.Repo, h.name())
		if err != nil {
			t.Fatal(err)
		}
		err = f.Apply(t.Context(), h.withOld(t, repo.BareUserOnly))
		if tt.want > 0 && (err == nil || !strings.Contains(err.Error(), "contains nonempty http fallback entries")) || tt.want == 0 && err != nil {
			t.Error(err)
		}
	}
}

// TestNoChange makes a delta between commits of the same tree: it has one empty part.
func TestNoChange(t *testing.T) {
	h := newHistory(t, 3)
	tree, err := h.Commit(h.new)
	if err != nil {
		t.Fatal(err)
	}
	tx, err := h.Begin(t.Context(), repo.TransactionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Abort()
	same, err := tx.WriteCommit(&ostree.Commit{Tree: tree.Tree, Meta: tree.Meta, Subject: "the same"})
	if err == nil {
		_, err = tx.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
	report, err := Generate(t.Context(), h.Repo, Name{h.new, same}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Parts) != 1 || len(report.Parts[0].Objects) != 0 || report.Parts[0].USize != 0 {
		t.Errorf("parts: %+v", report.Parts)
	}
	r := newRepo(t, repo.BareUserOnly)
	f, err := Open(h.Repo, Name{h.new, same})
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Apply(t.Context(), r); err == nil || !strings.Contains(err.Error(), "which is the delta source, is not in repository") {
		t.Errorf("without the source: %v", err)
	}
	if _, err := r.PullLocal(t.Context(), h.Repo, repo.PullLocalOptions{Refs: []string{"new"}}); err != nil {
		t.Fatal(err)
	}
	if err := f.Apply(t.Context(), r); err != nil {
		t.Error(err)
	}
}

// TestPartialSource applies a delta where the source commit is not whole: then the target
// is not either, and is marked so.
func TestPartialSource(t *testing.T) {
	h := newHistory(t, 4)
	if _, err := Generate(t.Context(), h.Repo, h.name(), Options{NoBSDiff: true, MinFallbackSize: 1 << 40}); err != nil {
		t.Fatal(err)
	}
	r := h.withOld(t, repo.BareUserOnly)
	if err := r.SetPartial(h.old, true); err != nil {
		t.Fatal(err)
	}
	f, err := Open(h.Repo, h.name())
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Apply(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if partial, err := r.IsPartial(h.new); !partial || err != nil {
		t.Errorf("not partial: %v", err)
	}
}

// TestLacking applies a delta that leaves out an object.
func TestLacking(t *testing.T) {
	h := newHistory(t, 6)
	if _, err := Generate(t.Context(), h.Repo, h.name(), Options{MinFallbackSize: 100_000, Inline: true}); err != nil {
		t.Fatal(err)
	}
	f, err := Open(h.Repo, h.name())
	if err != nil {
		t.Fatal(err)
	}
	if len(f.Superblock.Fallbacks) == 0 {
		t.Fatal("no fallbacks")
	}
	f.Superblock.Fallbacks = nil
	r := h.withOld(t, repo.BareUserOnly)
	if err := f.Apply(t.Context(), r); err == nil || !strings.Contains(err.Error(), "static delta lacks object") {
		t.Error(err)
	}
	if ok, err := r.Has(ostree.ObjectCommit, h.new); ok || err != nil {
		t.Errorf("the commit is there: %v", err)
	}
}

// TestDeep applies what makes directories that are nested too deep, or just not: new ones, and
// old ones that are not looked at where they were, but are in a new place, too.
func TestDeep(t *testing.T) {
	for _, below := range []int{0, 1} {
		r := newRepo(t, repo.BareUserOnly)
		tx, err := r.Begin(t.Context(), repo.TransactionOptions{NoFsync: true})
		if err != nil {
			t.Fatal(err)
		}
		write := func(kind ostree.ObjectType, data []byte) ostree.Checksum {
			sum, err := tx.WriteMetadata(kind, data)
			if err != nil {
				t.Fatal(err)
			}
			return sum
		}
		meta := write(ostree.ObjectDirMeta, ostree.DirMeta{Mode: 0o40755}.Marshal())
		dir := func(subs map[string]ostree.Checksum) ostree.Checksum {
			var d ostree.DirTree
			for _, name := range slices.Sorted(maps.Keys(subs)) {
				d.Dirs = append(d.Dirs, ostree.TreeDir{Name: name, Tree: subs[name], Meta: meta})
			}
			return write(ostree.ObjectDirTree, d.Marshal())
		}
		chain := func(n int, top ostree.Checksum) ostree.Checksum {
			for range n {
				top = dir(map[string]ostree.Checksum{"d": top})
			}
			return top
		}
		commit := func(tree ostree.Checksum) []byte { return (&ostree.Commit{Tree: tree, Meta: meta}).Marshal() }
		empty := dir(nil)
		const levels = 10
		old := chain(tree.MaxDepth-levels-1, empty)
		from := write(ostree.ObjectCommit, commit(dir(map[string]ostree.Checksum{"a": dir(map[string]ostree.Checksum{"old": old})})))
		changed := dir(map[string]ostree.Checksum{"new": empty, "old": old})
		for _, s := range []*Superblock{
			{Commit: commit(chain(tree.MaxDepth+below, empty))},
			{Name: Name{From: from}, Commit: commit(dir(map[string]ostree.Checksum{"a": changed, "z": chain(levels-1+below, changed)}))},
		} {
			want := error(nil)
			if below > 0 {
				want = tree.ErrTooDeep
			}
			if err := s.checkWhole(t.Context(), tx); !errors.Is(err, want) {
				t.Errorf("%d below the limit, from %v: error %v, want %v", below, s.From, err, want)
			}
		}
		if err := tx.Abort(); err != nil {
			t.Error(err)
		}
	}
}

func TestNames(t *testing.T) {
	a, b := ostree.ChecksumOf([]byte("a")), ostree.ChecksumOf([]byte("b"))
	for _, n := range []Name{{To: b}, {From: a, To: b}} {
		if got, err := ParseName(n.String()); got != n || err != nil {
			t.Errorf("%v: %v, %v", n, got, err)
		}
		if got, err := ParseDir(n.Dir()); got != n || err != nil {
			t.Errorf("%v: %v, %v", n, got, err)
		}
	}
	for _, s := range []string{"", "-", "x", a.String() + "-", a.String() + "-" + b.String() + "x", "GARBAGE"} {
		if _, err := ParseName(s); err == nil {
			t.Errorf("%q is accepted", s)
		}
	}
	if _, err := ParseName("GARBAGE"); err == nil || err.Error() != "Invalid rev GARBAGE" {
		t.Error(err)
	}
}
