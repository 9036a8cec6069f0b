package rpmdb

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"rpmostree/rpm"
)

func TestKeyringOfSamples(t *testing.T) {
	for _, s := range sampleDBs {
		ring, err := openSample(t, s.file).Keyring()
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		if got := len(ring.Keys()); got != s.keys {
			t.Errorf("%s: %d keys, want %d", s.name, got, s.keys)
		}
	}
}

// A key that rpm has imported verifies a package.
func TestKeyringOfRPM(t *testing.T) {
	oracle(t, "rpm")
	dir := writeDB(t, nil)
	run(t, "rpm", "--dbpath", dir, "--import", shared(t, "rpms/rpm-upstream/keys/rpm.org-rsa-2048-test.pub"))
	db, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	ring, err := db.Keyring()
	if err != nil || len(ring.Keys()) != 1 {
		t.Fatalf("%d keys, %v", len(ring.Keys()), err)
	}
	for name, good := range map[string]bool{"hello-2.0-1.x86_64-signed.rpm": true, "hello-2.0-1.x86_64-signed-with-subkey.rpm": false} {
		b, err := os.ReadFile(shared(t, filepath.Join("rpms/rpm-upstream", name)))
		if err != nil {
			t.Fatal(err)
		}
		p, err := rpm.Open(bytes.NewReader(b), rpm.Options{Level: rpm.LevelSignature, Keyring: ring})
		if err == nil {
			err = p.Verify()
		}
		if (err == nil) != good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A database is found in any file system, with what is in its log.
func TestOpenFS(t *testing.T) {
	data, err := Encode(openSample(t, "rpm-upstream-misc/rpmdb.sqlite").Entries(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	ndb, err := os.ReadFile(shared(t, "rpmdbs/sle15-bci/Packages.db"))
	if err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{
		"usr/share/rpm/rpmdb.sqlite": {Data: data},
		"usr/share/rpm/Packages.db":  {Data: ndb}, // left over
		"ndb/Packages.db":            {Data: ndb},
		"ndb/Packages":               {Data: []byte("left over")},
		"log/rpmdb.sqlite":           {Data: data},
		"log/rpmdb.sqlite-wal":       {Data: []byte("not a log")},
		"log/rpmdb.sqlite-shm":       {Data: make([]byte, 32768)},
		"other/file":                 {Data: []byte("x")},
	}
	for name, want := range map[string]int{"usr/share/rpm": 3, "usr/share/rpm/Packages.db": 35, "ndb": 35, "log": 3, "other": -1, "missing": -1, "other/file": -1} {
		db, err := OpenFS(fsys, name)
		switch {
		case want < 0:
			if err == nil {
				t.Errorf("%s: opened", name)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		case len(db.Packages())+len(db.Keys()) != want:
			t.Errorf("%s: %d headers, want %d", name, len(db.Packages())+len(db.Keys()), want)
		}
	}
}
