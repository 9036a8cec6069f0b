package repo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/treetest"

	"golang.org/x/sys/unix"
)

// TestEdgesMatchReference commits what random trees do not have: attributes of
// symbolic links, sizes around those of buffers, many and long names, deep
// directories.
func TestEdgesMatchReference(t *testing.T) {
	treetest.Oracle(t, "ostree")
	treetest.NeedRoot(t)
	src := filepath.Join(t.TempDir(), "src")
	for _, n := range []int{bigBuf - maxInlineHeader - 1, bigBuf - maxInlineHeader, bigBuf - maxInlineHeader + 1, bigBuf, bigBuf + 1, 2*bigBuf + 7, 5 << 20} {
		writeFiles(t, src, "size"+FormatSize(uint64(n))+strings.Repeat("x", n%7), strings.Repeat("y", n))
	}
	for i := range 700 {
		writeFiles(t, src, "many/"+strings.Repeat("n", 1+i%200)+string(rune(0x100+i)), "")
	}
	writeFiles(t, src, strings.Repeat("deep/", 100)+"f", "f")
	link := filepath.Join(src, "link")
	if err := os.Symlink(strings.Repeat("t", 4000), link); err != nil {
		t.Fatal(err)
	}
	for _, x := range []string{"trusted.a", "security.b", "trusted.empty"} {
		value := []byte(x)
		if x == "trusted.empty" {
			value = nil
		}
		if err := unix.Lsetxattr(link, x, value, 0); err != nil {
			t.Fatal(err)
		}
	}
	big := filepath.Join(src, "big-xattr")
	writeFiles(t, src, "big-xattr", "b")
	unix.Lsetxattr(big, "user.big", []byte(strings.Repeat("v", 3000)), 0)
	unix.Lsetxattr(src, "trusted.root", []byte("r"), 0)
	os.Lchown(link, 5, 6)
	for _, mode := range []Mode{Bare, BareUser, Archive} {
		r := newRepo(t, mode)
		ours := commitDir(t, r, "x", src, ImportOptions{})
		theirs := cOstree(t, r.Path(), "commit", "--branch=y", "--no-bindings", "--timestamp=@0", src)
		if ours.String() != theirs {
			t.Errorf("%s: commit %s, reference %s", mode, ours, theirs)
		}
		cOstree(t, r.Path(), "fsck", "-q")
		fsckClean(t, r)
		a, b := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
		if err := r.Checkout(t.Context(), ours, a, CheckoutOptions{}); err != nil {
			t.Fatal(err)
		}
		cOstree(t, r.Path(), "checkout", "x", b)
		treetest.Equal(t, a, b, treetest.Compare{})
	}
}
