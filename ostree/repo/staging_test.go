package repo

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rpmostree/ostree"
)

func TestStagingIsTakenOver(t *testing.T) {
	t.Setenv("OSTREE_BOOTID", "boot-1")
	r := newRepo(t, BareUser)
	ctx := context.Background()
	h := ostree.FileHeader{Mode: 0o100644}
	// A transaction whose process died: nobody holds the lock.
	dead, err := r.Begin(ctx, TransactionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := dead.WriteFile(h, 1, strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	// While it lives, another one works beside it.
	live, err := r.Begin(ctx, TransactionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if live.staging.name == dead.staging.name {
		t.Error("two transactions share a directory")
	}
	if ok, _ := live.Has(ostree.ObjectFile, c); ok {
		t.Error("sees objects of another transaction")
	}
	live.Abort()
	dead.finish()
	dead.close()
	next, err := r.Begin(ctx, TransactionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if ok, _ := next.Has(ostree.ObjectFile, c); !ok {
		t.Error("staged object was not taken over")
	}
	next.finish()
	next.close()
	// After a reboot it is thrown away, with what else is old.
	t.Setenv("OSTREE_BOOTID", "boot-2")
	tmp := filepath.Join(r.Path(), "tmp")
	old := time.Now().Add(-48 * time.Hour)
	for _, name := range []string{"old-file", "new-file", "staging-boot-1-gone00-lock"} {
		os.WriteFile(filepath.Join(tmp, name), nil, 0o600)
	}
	os.Chtimes(filepath.Join(tmp, "old-file"), old, old)
	os.MkdirAll(filepath.Join(tmp, "cache/summaries"), 0o755)
	os.Chtimes(filepath.Join(tmp, "cache"), old, old)
	last, err := r.Begin(ctx, TransactionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if ok, _ := last.Has(ostree.ObjectFile, c); ok {
		t.Error("object of another boot was taken over")
	}
	if _, err := last.Commit(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(tmp)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got := strings.Join(names, " "); got != "cache new-file" {
		t.Errorf("tmp holds %s", got)
	}
	fsckClean(t, r)
}

func TestEndedTransaction(t *testing.T) {
	r := newRepo(t, BareUser)
	tx, err := r.Begin(context.Background(), TransactionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(); err == nil {
		t.Error("committed twice")
	}
	if err := tx.Abort(); err != nil {
		t.Error(err)
	}
	if _, err := tx.WriteFile(ostree.FileHeader{Mode: 0o100644}, 1, strings.NewReader("x")); err == nil {
		t.Error("wrote after the end")
	}
	if _, err := tx.WriteDirTree(&ostree.DirTree{}); err == nil {
		t.Error("wrote after the end")
	}
	ctx, cancel := context.WithCancel(context.Background())
	tx, err = r.Begin(ctx, TransactionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := tx.Commit(); err == nil {
		t.Error("committed after cancellation")
	}
	fsckClean(t, r)
}
