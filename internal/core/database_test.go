package core_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"rpmostree/internal/core"
	"rpmostree/internal/treetest"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/tree"
	"rpmostree/rpm"
)

// The database of a commit counts with the log that is there beside it.
func TestDatabaseWithLog(t *testing.T) {
	treetest.Oracle(t, "sqlite3")
	l := newLab(t, setup, hello, libhello)
	b := l.must(core.Spec{Install: []string{"setup", "hello"}})
	dir := t.TempDir()
	path := filepath.Join(dir, "rpmdb.sqlite")
	if err := os.WriteFile(path, []byte(l.read(b.Tree, "usr/share/rpm/rpmdb.sqlite")), 0o644); err != nil {
		t.Fatal(err)
	}
	// Another process copies the files before the one that has them open closes them.
	script := "PRAGMA journal_mode=WAL;\nPRAGMA wal_autocheckpoint=0;\nDELETE FROM Packages WHERE hnum=1;\n" +
		".shell cp " + path + " " + dir + "/data; cp " + path + "-wal " + dir + "/wal\n"
	if err := os.WriteFile(filepath.Join(dir, "script"), []byte(script), 0o644); err != nil {
		t.Fatal(err)
	}
	treetest.Run(t, "sqlite3", path, ".read "+filepath.Join(dir, "script"))
	tx, err := l.repo.Begin(context.Background(), repo.TransactionOptions{NoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Abort()
	with := func(to tree.Tree, name, file string) tree.Tree {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		sum, err := tx.WriteFile(ostree.FileHeader{Mode: regular}, int64(len(data)), bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if to, err = to.WithFile("usr/share/rpm/"+name, sum); err != nil {
			t.Fatal(err)
		}
		return to
	}
	before := with(b.Tree, "rpmdb.sqlite", "data")
	for _, c := range []struct {
		tree tree.Tree
		want int
	}{{before, 3}, {with(before, "rpmdb.sqlite-wal", "wal"), 2}} {
		db, err := core.Database(tx.Objects, c.tree)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(db.Packages()); got != c.want {
			t.Errorf("%d packages, want %d", got, c.want)
		}
	}
	// A layered image has neither the log nor locks, and its database is where the
	// image had it.
	moved := with(with(before, "rpmdb.sqlite-wal", "wal"), ".rpm.lock", "script")
	if moved, err = moved.Remove("usr/lib/sysimage/rpm"); err != nil {
		t.Fatal(err)
	}
	if moved, err = moved.Rename("usr/share/rpm", "usr/lib/sysimage/rpm"); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	l.build(rpm.Builder{Name: "more"})
	l.index()
	base := l.base(&core.Built{Tree: moved})
	layered := l.must(core.Spec{Base: base, Install: []string{"more"}})
	list, err := layered.Tree.ReadDir("usr/lib/sysimage/rpm")
	if err != nil || len(list) != 1 {
		t.Errorf("in the layered image: %v, %v", list, err)
	}
	db, err := core.Database(l.repo.Objects, layered.Tree)
	if err != nil || len(db.Packages()) != 3 {
		t.Errorf("layered: %v", err)
	}
}

// A database is written to its own place, whatever packages bring, and what is not of
// a database stays.
func TestDatabaseOfNewTree(t *testing.T) {
	l := newLab(t, rpm.Builder{Name: "odd", Files: []rpm.BuildFile{
		file("/usr/share/rpm/notes-wal", regular, "kept"), file("/usr/share/rpm/.rpm.lock", regular, "lock"),
		file("/usr/lib/sysimage/rpm/Packages.db", regular, "old"),
	}})
	b := l.must(core.Spec{Install: []string{"odd"}})
	for path, want := range map[string]string{
		"usr/share/rpm/notes-wal": "kept", "usr/share/rpm/.rpm.lock": "(missing)", "usr/lib/sysimage/rpm/Packages.db": "old",
		"usr/lib/sysimage/rpm/rpmdb.sqlite": "(missing)", "usr/lib/sysimage/rpm-ostree-base-db/rpmdb.sqlite": l.read(b.Tree, "usr/share/rpm/rpmdb.sqlite"),
	} {
		if got := l.read(b.Tree, path); got != want {
			t.Errorf("%s: %.20q, want %.20q", path, got, want)
		}
	}
}
