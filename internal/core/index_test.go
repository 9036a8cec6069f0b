package core_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"rpmostree/rpm"
	"rpmostree/solv"
)

// Of a package without a file list the paths are those that its primary metadata has.
func TestFilesWithoutFilelist(t *testing.T) {
	for _, lists := range []bool{true, false} {
		l := newLab(t, rpm.Builder{Name: "a", Files: []rpm.BuildFile{
			file("/usr/bin/a", 0o100755, "a"), file("/usr/share/a", regular, "a"),
		}})
		want := []string{"/usr/bin/a", "/usr/share/a"}
		if !lists {
			name := filepath.Join(l.packages, "repodata/repomd.xml")
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			b = regexp.MustCompile(`(?s)<data type="filelists">.*?</data>`).ReplaceAll(b, nil)
			if err := os.WriteFile(name, b, 0o644); err != nil {
				t.Fatal(err)
			}
			want = want[:1]
		}
		x, err := l.core.Index(t.Context(), nil, l.repos())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		if err := x.Files(t.Context(), x.IDs(), func(_ solv.ID, paths []string) { got = append(got, paths...) }); err != nil {
			t.Fatal(err)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("with lists %v: %q, want %q", lists, got, want)
		}
	}
}
