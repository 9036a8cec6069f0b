package pull

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rpmostree/gvariant"
	"rpmostree/internal/dirfd"
	"rpmostree/internal/treetest"
	"rpmostree/ostree"
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
	theirs := filepath.Join(treetest.FastDir(t), "theirs")
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

// equalTo accepts a summary whose checksum is the signature.
type equalTo struct{}

func (equalTo) Check(*repo.Remote) error                        { return nil }
func (equalTo) VerifyCommit(*repo.Remote, []byte, []byte) error { return nil }

func (equalTo) VerifySummary(_ *repo.Remote, summary, sig []byte) error {
	if ostree.ChecksumOf(summary).String() != string(sig) {
		return errors.New("the signature is of another summary")
	}
	return nil
}

// TestNewSummary: a new summary is seen, whatever the server has said of the age of the one
// before, and if it says wrongly that the old one is the newest.
func TestNewSummary(t *testing.T) {
	wrong := false
	src, url, _, _ := serveTree(t, small, func(files http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if wrong && req.URL.Path == "/summary" && req.Header.Get("If-Modified-Since") != "" {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			w.Header()["Date"] = nil // with which a time that is to come would be none already
			files.ServeHTTP(w, req)
		})
	})
	sign := func(summary []byte) ([]byte, error) { return []byte(ostree.ChecksumOf(summary).String()), nil }
	mirror := newRepo(t, repo.Archive)
	addRemote(t, mirror, url, [2]string{"gpg-verify-summary", "true"})
	for i, made := range []time.Time{time.Now().AddDate(50, 0, 0), time.Unix(1e9, 0), time.Unix(1.1e9, 0)} {
		extra := new(gvariant.Dict)
		extra.Set("n", gvariant.Uint32(uint32(i)))
		if err := src.UpdateSummary(t.Context(), repo.SummaryOptions{Extra: extra, Sign: sign}); err != nil {
			t.Fatal(err)
		}
		want, wantSig, err := src.ReadSummary()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"summary", "summary.sig"} {
			if err := os.Chtimes(filepath.Join(src.Path(), name), made, made); err != nil {
				t.Fatal(err)
			}
		}
		wrong = i == 2
		got, sig, err := Summary(t.Context(), mirror, "origin", Options{Verify: equalTo{}})
		if err != nil || !bytes.Equal(got, want) || !bytes.Equal(sig, wantSig) {
			t.Errorf("version %d: %d bytes and %q, want %d and %q (%v)", i, len(got), sig, len(want), wantSig, err)
		}
		if _, err := Pull(t.Context(), mirror, "origin", Options{Mirror: true, Verify: equalTo{}}); err != nil {
			t.Fatal(err)
		}
		if st, err := os.Stat(filepath.Join(mirror.Path(), "summary")); err != nil || st.ModTime().After(time.Now()) {
			t.Errorf("version %d: %v, %v", i, st.ModTime(), err)
		}
	}
	// What is verified stays in the cache if nothing else is.
	if err := os.WriteFile(filepath.Join(src.Path(), "summary.sig"), []byte("bad"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"origin", "origin.sig"} {
		if _, _, err := Summary(t.Context(), mirror, "origin", Options{Verify: equalTo{}}); err == nil {
			t.Error("a bad signature is good")
		}
		if _, err := os.Stat(filepath.Join(mirror.Path(), "tmp/cache/summaries", name)); err != nil {
			t.Error(err)
		}
	}
}
