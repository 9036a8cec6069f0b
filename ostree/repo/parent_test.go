package repo

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
)

func TestParentRepository(t *testing.T) {
	treetest.Oracle(t, "ostree")
	parent := newRepo(t, BareUser)
	src := filepath.Join(t.TempDir(), "src")
	writeFiles(t, src, "a", "1", "d/e", "2")
	c := commitDir(t, parent, "x", src, ImportOptions{CanonicalPermissions: true})
	child := newRepo(t, BareUser)
	k := child.Config()
	k.Set("core", "parent", parent.Path())
	if err := child.SetConfig(k); err != nil {
		t.Fatal(err)
	}
	child, err := Open(child.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer child.Close()
	if got, err := child.ResolveRev("x"); err != nil || got != c {
		t.Errorf("ResolveRev: %s, %v", got, err)
	}
	ours, theirs := filepath.Join(t.TempDir(), "o"), filepath.Join(t.TempDir(), "t")
	if err := child.Checkout(context.Background(), c, ours, CheckoutOptions{UserMode: true, RequireHardlinks: true}); err != nil {
		t.Fatal(err)
	}
	cOstree(t, child.Path(), "checkout", "-UH", "x", theirs)
	treetest.Equal(t, ours, theirs, treetest.Compare{})
	// What the parent has is not written again.
	writeFiles(t, src, "b", "3")
	commitDir(t, child, "y", src, ImportOptions{CanonicalPermissions: true})
	files, err := filepath.Glob(filepath.Join(child.Path(), "objects/*/*.file"))
	if err != nil || len(files) != 1 {
		t.Errorf("%d file objects written, want 1 (%v)", len(files), err)
	}
	fsckClean(t, child)
	fsckClean(t, parent)
}

// TestRelativeParent: the path of a parent is one from the working directory, wherever the
// repository is. Both programs take it for that.
func TestRelativeParent(t *testing.T) {
	treetest.Oracle(t, "ostree")
	parent := newRepo(t, Archive)
	src := filepath.Join(t.TempDir(), "src")
	writeFiles(t, src, "a", "1")
	c := commitDir(t, parent, "x", src, ImportOptions{CanonicalPermissions: true})
	child := newRepo(t, Archive)
	data := append(child.Config().Bytes(), "parent="+filepath.Base(parent.Path())+"\n"...)
	if err := os.WriteFile(filepath.Join(child.Path(), "config"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(parent.Path()))
	opened, err := Open(child.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	if got, err := opened.ResolveRev("x"); err != nil || got != c {
		t.Errorf("%s, %v", got, err)
	}
	if got := strings.TrimSpace(cOstree(t, child.Path(), "rev-parse", "x")); got != c.String() {
		t.Errorf("the C program has %s", got)
	}
	elsewhere := t.TempDir()
	t.Chdir(elsewhere)
	want := "While checking parent repository '" + filepath.Join(elsewhere, "repo") + "': opening repo: opendir("
	if _, err := Open(child.Path()); err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("elsewhere: %v, want %q", err, want)
	}
}
