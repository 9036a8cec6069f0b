package repo

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
	"rpmostree/ostree"
)

func TestPullLocalBetweenModes(t *testing.T) {
	treetest.NeedRoot(t)
	treetest.Oracle(t, "ostree")
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "src")
	treetest.Random(t, dir, randomOptions(11, BareUser))
	for _, from := range []Mode{Bare, BareUser, Archive} {
		src := newRepo(t, from)
		first := commitDir(t, src, "x", dir, ImportOptions{})
		writeFiles(t, dir, "second", from.String())
		c := commitDir(t, src, "x", dir, ImportOptions{})
		for _, to := range []Mode{Bare, BareUser, Archive} {
			for _, untrusted := range []bool{false, true} {
				dst := newRepo(t, to)
				o := PullLocalOptions{Remote: "origin", Untrusted: untrusted}
				stats, err := dst.PullLocal(ctx, src, o)
				if err != nil {
					t.Fatalf("%s to %s: %v", from, to, err)
				}
				if stats.Content == 0 || stats.Metadata == 0 {
					t.Errorf("stats %+v", stats)
				}
				if got, err := dst.ResolveRev("origin:x"); err != nil || got != c {
					t.Errorf("ref %s, %v", got, err)
				}
				if ok, _ := dst.Has(ostree.ObjectCommit, first); ok {
					t.Error("parent was pulled")
				}
				fsckClean(t, dst)
				cOstree(t, dst.Path(), "fsck", "-q")
				o.Depth = AllHistory
				if _, err := dst.PullLocal(ctx, src, o); err != nil {
					t.Fatal(err)
				}
				if ok, _ := dst.Has(ostree.ObjectCommit, first); !ok {
					t.Error("parent was not pulled")
				}
				fsckClean(t, dst)
			}
		}
	}
}

func TestPullLocalParts(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "src")
	writeFiles(t, dir, "a/b/c", "1", "a/d", "2", "e/f", "3")
	src := newRepo(t, BareUser)
	c := commitDir(t, src, "x", dir, ImportOptions{})
	dst := newRepo(t, BareUser)
	for _, o := range []PullLocalOptions{{CommitOnly: true}, {Subpaths: []string{"/a/b"}}} {
		if _, err := dst.PullLocal(ctx, src, o); err != nil {
			t.Fatal(err)
		}
		if partial, _ := dst.IsPartial(c); !partial {
			t.Errorf("%+v: commit is not partial", o)
		}
	}
	tr, err := dst.Tree(c)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := tr.Lookup("a/b/c"); err != nil {
		t.Error(err)
	} else if _, err := dst.FileHeader(e.Checksum); err != nil {
		t.Error(err)
	}
	if _, err := tr.Lookup("e/f"); err == nil {
		t.Error("pulled too much")
	}
	report, err := dst.Fsck(ctx, FsckOptions{})
	if err != nil || report.Err() != nil || report.Partial != 1 {
		t.Errorf("fsck: %+v, %v", report, err)
	}
	if _, err := dst.PullLocal(ctx, src, PullLocalOptions{}); err != nil {
		t.Fatal(err)
	}
	fsckClean(t, dst)
	if _, err := dst.PullLocal(ctx, src, PullLocalOptions{Subpaths: []string{"nope"}, Refs: []string{"x@" + c.String()}}); err != nil {
		t.Errorf("complete commit: %v", err)
	}
}

func TestPullLocalRefusesCorruption(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "src")
	writeFiles(t, dir, "a", strings.Repeat("x", 1000))
	src := newRepo(t, BareUser)
	commitDir(t, src, "x", dir, ImportOptions{})
	src.EachObject(func(n ostree.ObjectName) error {
		if n.Type == ostree.ObjectFile {
			overwrite(t, src.ObjectPath(n.Type, n.Checksum), []byte("y"))
		}
		return nil
	})
	dst := newRepo(t, BareUser)
	_, err := dst.PullLocal(ctx, src, PullLocalOptions{Untrusted: true})
	if err == nil || !strings.HasPrefix(err.Error(), "Corrupted file object; checksum expected='") {
		t.Errorf("error %v", err)
	}
	if refs, _ := dst.Refs(); len(refs) != 0 {
		t.Errorf("refs %v", refs)
	}
	fsckClean(t, dst)
}

func TestSummaryMatchesReference(t *testing.T) {
	treetest.Oracle(t, "ostree")
	dir := filepath.Join(t.TempDir(), "src")
	r := newRepo(t, Archive)
	for _, branch := range []string{"b/c", "a", "z"} {
		writeFiles(t, dir, branch, branch)
		commitDir(t, r, branch, dir, ImportOptions{})
	}
	if err := r.UpdateSummary(context.Background(), SummaryOptions{}); err != nil {
		t.Fatal(err)
	}
	ours, _, err := r.ReadSummary()
	if err != nil {
		t.Fatal(err)
	}
	view := cOstree(t, r.Path(), "summary", "--view")
	for _, want := range []string{"* a\n", "* b/c\n", "* z\n", "Repository Mode (ostree.summary.mode): archive-z2"} {
		if !strings.Contains(view, want) {
			t.Errorf("view has no %q:\n%s", want, view)
		}
	}
	cOstree(t, r.Path(), "summary", "-u")
	theirs, _, _ := r.ReadSummary()
	a, err := ostree.ParseSummary(ours)
	if err != nil {
		t.Fatal(err)
	}
	b, err := ostree.ParseSummary(theirs)
	if err != nil {
		t.Fatal(err)
	}
	if len(a.Refs) != 3 || len(b.Refs) != 3 {
		t.Fatalf("%d and %d refs", len(a.Refs), len(b.Refs))
	}
	for i := range a.Refs {
		x, y := a.Refs[i], b.Refs[i]
		if x.Name != y.Name || x.Size != y.Size || x.Checksum != y.Checksum || !bytes.Equal(x.Metadata.Bytes(), y.Metadata.Bytes()) {
			t.Errorf("ref %+v, reference %+v", x, y)
		}
	}
	fsckClean(t, r)
}
