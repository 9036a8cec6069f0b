package repo

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"rpmostree/internal/keyfile"
)

func TestParseVerity(t *testing.T) {
	for _, tt := range []struct {
		config string
		want   Verity
		err    bool
	}{
		{"", VerityNo, false},
		{"[ex-integrity]\nfsverity=yes\n", VerityYes, false},
		{"[ex-integrity]\nfsverity=maybe\n", VerityMaybe, false},
		{"[ex-integrity]\ncomposefs=maybe\n", VerityMaybe, false},
		{"[ex-integrity]\ncomposefs=maybe\nfsverity=no\n", VerityNo, false},
		{"[ex-integrity]\nfsverity=perhaps\n", VerityNo, true},
		{"[ex-fsverity]\nrequired=true\n", VerityYes, false},
		{"[ex-fsverity]\nopportunistic=true\n", VerityMaybe, false},
	} {
		k, err := keyfile.Parse([]byte(tt.config))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := parseVerity(k); err == nil && got != tt.want || (err != nil) != tt.err {
			t.Errorf("%q: %v, %v", tt.config, got, err)
		}
	}
}

// TestVerity commits to a repository that wants fs-verity: all objects have it if the file
// system can do that, else it depends on whether that must be.
func TestVerity(t *testing.T) {
	for _, want := range []string{"maybe", "yes"} {
		r := newRepo(t, BareUserOnly)
		k := r.Config()
		k.Set("ex-integrity", "fsverity", want)
		if err := r.SetConfig(k); err != nil {
			t.Fatal(err)
		}
		probe, err := os.CreateTemp(r.Path(), "probe")
		if err != nil {
			t.Fatal(err)
		}
		name := probe.Name()
		probe.Close()
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		supported, err := EnableVerity(int(f.Fd()))
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "tree")
		writeFiles(t, dir, "a", "1", "b/c", "2")
		tx, err := r.Begin(t.Context(), TransactionOptions{})
		if err != nil {
			t.Fatal(err)
		}
		tr, err := tx.ImportDir(dir, ImportOptions{})
		if err == nil {
			_, _, err = tr.Write(tx)
		}
		if err == nil {
			_, err = tx.Commit()
		}
		tx.Abort()
		if want == "yes" && !supported {
			if !errors.Is(err, ErrNoVerity) {
				t.Errorf("without support: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		objects, err := filepath.Glob(filepath.Join(r.Path(), "objects/??/*"))
		if err != nil || len(objects) < 4 {
			t.Fatal(objects, err)
		}
		for _, name := range objects {
			var st unix.Statx_t
			if err := unix.Statx(unix.AT_FDCWD, name, 0, unix.STATX_BASIC_STATS, &st); err != nil {
				t.Fatal(err)
			}
			if on := st.Attributes&unix.STATX_ATTR_VERITY != 0; on != supported {
				t.Errorf("%s has fs-verity: %v, want %v", name, on, supported)
			}
		}
	}
}
