package repo

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/ostree"
)

// TestHostileNames puts directories with names that lead elsewhere into a
// repository, which no reader may follow.
func TestHostileNames(t *testing.T) {
	for _, name := range []string{"..", ".", "", "a/b", "../../escape", "x\xff"} {
		t.Run(name, func(t *testing.T) {
			r := newRepo(t, BareUser)
			ctx := context.Background()
			tx, err := r.Begin(ctx, TransactionOptions{})
			if err != nil {
				t.Fatal(err)
			}
			file, err := tx.WriteFile(ostree.FileHeader{Mode: 0o100644}, 4, strings.NewReader("evil"))
			if err != nil {
				t.Fatal(err)
			}
			meta, err := tx.WriteDirMeta(&ostree.DirMeta{Mode: 0o40755})
			if err != nil {
				t.Fatal(err)
			}
			// Marshal does not validate, so that such a tree can be made at all.
			dir := ostree.DirTree{Files: []ostree.TreeFile{{Name: name, Checksum: file}}}
			root, err := tx.WriteMetadata(ostree.ObjectDirTree, dir.Marshal())
			if err != nil {
				t.Fatal(err)
			}
			c, err := tx.WriteCommit(&ostree.Commit{Tree: root, Meta: meta})
			if err != nil {
				t.Fatal(err)
			}
			if err := tx.SetRef("", "x", c); err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			parent := t.TempDir()
			if err := r.Checkout(ctx, c, filepath.Join(parent, "a/b"), CheckoutOptions{UserMode: true}); err == nil {
				t.Error("checked out")
			}
			os.Mkdir(filepath.Join(parent, "a"), 0o755)
			if err := r.Checkout(ctx, c, filepath.Join(parent, "a/b"), CheckoutOptions{UserMode: true}); err == nil {
				t.Error("checked out")
			}
			filepath.WalkDir(parent, func(path string, d os.DirEntry, err error) error {
				if err == nil && !d.IsDir() {
					t.Errorf("file %s was made", path)
				}
				return nil
			})
			report, err := r.Fsck(ctx, FsckOptions{})
			if err != nil || report.Err() == nil {
				t.Errorf("fsck found nothing: %v", err)
			}
			dst := newRepo(t, BareUser)
			if _, err := dst.PullLocal(ctx, r, PullLocalOptions{}); err == nil {
				t.Error("pulled")
			}
			fsckClean(t, dst)
		})
	}
}
