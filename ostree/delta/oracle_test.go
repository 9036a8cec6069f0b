package delta

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"rpmostree/internal/treetest"
	"rpmostree/ostree/repo"
)

// sizeOf returns the bytes of the files in a directory.
func sizeOf(t *testing.T, dir string) (n int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		st, err := d.Info()
		if err == nil {
			n += st.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestAgainstC applies the deltas of the C ostree, and has ours applied by it.
func TestAgainstC(t *testing.T) {
	c := func(args ...string) string { return treetest.Run(t, "ostree", args...) }
	treetest.Oracle(t, "ostree")
	for _, tt := range []struct {
		name    string
		options Options
		args    []string
		scratch bool
	}{
		{"defaults", Options{}, nil, false},
		{"from nothing", Options{}, []string{"--empty"}, true},
		{"inline", Options{Inline: true}, []string{"--inline"}, false},
		{"no bsdiff", Options{NoBSDiff: true}, []string{"--disable-bsdiff"}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHistory(t, 11)
			name := h.name()
			args := append([]string{"--repo=" + h.Path(), "static-delta", "generate", "--to=new"}, tt.args...)
			if tt.scratch {
				name = Name{To: h.new}
			} else {
				args = append(args, "--from=old")
			}
			dir := filepath.Join(h.Path(), name.Dir())
			base := func(mode repo.Mode) *repo.Repo {
				if tt.scratch {
					return newRepo(t, mode)
				}
				return h.withOld(t, mode)
			}

			c(args...)
			theirs := sizeOf(t, dir)
			f, err := OpenFile(dir)
			if err != nil {
				t.Fatal(err)
			}
			r := base(repo.BareUserOnly)
			if err := f.Apply(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			h.checkNew(t, r)
			c("--repo="+r.Path(), "fsck")

			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			if _, err := Generate(t.Context(), h.Repo, name, tt.options); err != nil {
				t.Fatal(err)
			}
			if ours := sizeOf(t, dir); float64(ours) > 1.05*float64(theirs) {
				t.Errorf("our delta has %d bytes, that of the C ostree %d", ours, theirs)
			}
			if !tt.options.Inline { // it cannot show those
				c("--repo="+h.Path(), "static-delta", "show", name.String())
			}
			r = base(repo.BareUserOnly)
			c("--repo="+r.Path(), "static-delta", "apply-offline", dir)
			c("--repo="+r.Path(), "fsck")
			h.checkNew(t, r)
		})
	}
}
