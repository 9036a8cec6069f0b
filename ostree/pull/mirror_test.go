package pull

import (
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rpmostree/internal/dirfd"
	"rpmostree/internal/treetest"
	"rpmostree/ostree/repo"
)

// TestMirroredSummaries: the summary of a mirror, and its signature, have the ETag and the time
// that the server says, as if the C program mirrors them; also when they come from the cache.
// They have nothing of an older version if the server says nothing of the new one.
func TestMirroredSummaries(t *testing.T) {
	treetest.Oracle(t, "ostree")
	etag := ""
	src, url, _, _ := serveTree(t, small, func(files http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if strings.HasPrefix(req.URL.Path, "/summary") && etag != "" {
				w.Header().Set("ETag", `"`+etag+path.Base(req.URL.Path)+`"`)
			}
			files.ServeHTTP(w, req)
		})
	})
	r := newRepo(t, repo.Archive)
	addRemote(t, r, url)
	theirs := filepath.Join(t.TempDir(), "theirs")
	treetest.Run(t, "ostree", "--repo="+theirs, "init", "--mode=archive")
	treetest.Run(t, "ostree", "--repo="+theirs, "remote", "add", "--no-gpg-verify", "origin", url)
	for _, step := range []struct {
		name, content, etag string
		made                time.Time // 1970: the server does not say it
		cached              bool      // for which the C program forgets both
	}{
		{"the first", "one", "a", time.Unix(1e9, 0), false},
		{"the same", "one", "a", time.Unix(1e9, 0), true},
		{"a new one", "two", "b", time.Unix(1.1e9, 0), false},
		{"one of unknown age", "three", "", time.Unix(0, 0), false},
	} {
		sign := func([]byte) ([]byte, error) { return []byte(step.content), nil }
		if err := src.UpdateSummary(t.Context(), repo.SummaryOptions{Sign: sign}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"summary", "summary.sig"} {
			if err := os.Chtimes(filepath.Join(src.Path(), name), step.made, step.made); err != nil {
				t.Fatal(err)
			}
		}
		etag = step.etag
		if _, err := Pull(t.Context(), r, "origin", Options{Mirror: true}); err != nil {
			t.Fatal(err)
		}
		treetest.Run(t, "ostree", "--repo="+theirs, "pull", "--mirror", "origin")
		for dir, peer := range map[string]bool{r.Path(): false, theirs: true} {
			if peer && step.cached {
				continue
			}
			d, err := dirfd.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"summary", "summary.sig"} {
				a, want := repo.ReadAge(d, name), ""
				if step.etag != "" {
					want = `"` + step.etag + name + `"`
				}
				if a.ETag != want || a.Modified.Equal(step.made) != (step.etag != "") || time.Since(a.Modified) > 24*time.Hour && step.etag == "" {
					t.Errorf("%s: %s is %+v, want %s of %s", step.name, filepath.Join(dir, name), a, want, step.made)
				}
			}
			d.Close()
		}
	}
}
