package repo

import (
	"context"
	"strings"
	"testing"

	"rpmostree/ostree"
)

func TestWriteAndReadObjects(t *testing.T) {
	for _, mode := range []Mode{Bare, BareUser, BareUserOnly, Archive} {
		t.Run(mode.String(), func(t *testing.T) {
			r, err := Init(t.TempDir()+"/repo", InitOptions{Mode: mode})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			tx, err := r.Begin(context.Background(), TransactionOptions{})
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Abort()
			files := map[ostree.Checksum]string{}
			for _, content := range []string{"", "hello", strings.Repeat("0123456789", 50_000)} {
				h := ostree.FileHeader{Mode: 0o100755}
				c, err := tx.WriteFile(h, int64(len(content)), strings.NewReader(content))
				if err != nil {
					t.Fatal(err)
				}
				if want, _ := ostree.FileChecksum(h, strings.NewReader(content)); c != want {
					t.Errorf("checksum %s, want %s", c, want)
				}
				files[c] = content
			}
			link := ostree.FileHeader{Mode: 0o120777, Target: "../x"}
			lc, err := tx.WriteFile(link, 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.WriteFile(ostree.FileHeader{Mode: 0o100644}, 6, strings.NewReader("short")); err == nil {
				t.Error("short content accepted")
			}
			check := func(o *Objects) {
				t.Helper()
				for c, content := range files {
					got, err := o.ReadFile(c, 1<<20)
					if err != nil || string(got) != content {
						t.Errorf("read %d bytes, %v; want %d", len(got), err, len(content))
					}
					if h, err := o.FileHeader(c); err != nil || h.Mode != 0o100755 {
						t.Errorf("header %+v, %v", h, err)
					}
				}
				if h, err := o.FileHeader(lc); err != nil || !h.Equal(link) {
					t.Errorf("link %+v, %v", h, err)
				}
			}
			check(tx.Objects)
			meta, err := tx.WriteDirMeta(&ostree.DirMeta{Mode: 0o40755})
			if err != nil {
				t.Fatal(err)
			}
			dir, err := tx.WriteDirTree(&ostree.DirTree{Files: []ostree.TreeFile{{Name: "l", Checksum: lc}}})
			if err != nil {
				t.Fatal(err)
			}
			commit, err := tx.WriteCommit(&ostree.Commit{Tree: dir, Meta: meta, Subject: "s"})
			if err != nil {
				t.Fatal(err)
			}
			if err := tx.SetRef("", "a/b", commit); err != nil {
				t.Fatal(err)
			}
			stats, err := tx.Commit()
			if err != nil {
				t.Fatal(err)
			}
			if stats.ContentWritten != 4 || stats.MetadataWritten != 3 {
				t.Errorf("stats %+v", stats)
			}
			check(tx.Objects)
			check(r.Objects)
			for _, rev := range []string{"a/b", commit.String(), commit.String()[:8]} {
				if c, err := r.ResolveRev(rev); err != nil || c != commit {
					t.Errorf("ResolveRev(%q) = %s, %v", rev, c, err)
				}
			}
			if _, err := r.ResolveRev("nope"); err == nil || err.Error() != "Refspec 'nope' not found" {
				t.Errorf("missing ref: %v", err)
			}
		})
	}
}
