package pull

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"rpmostree/internal/progress"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

// TestHistoryEnds: the history ends at a commit that is missing, unless the remote has
// tombstones, and none of that commit.
func TestHistoryEnds(t *testing.T) {
	ctx := context.Background()
	for _, tt := range []struct {
		name       string
		tombstones bool   // are kept by the remote
		commit     string // what is left of the first commit
		err        string
	}{
		{"it is missing", false, "", ""},
		{"it was deleted", true, "tombstone", ""},
		{"nobody has deleted it", true, "", ".tombstone-commit"},
	} {
		for _, summary := range []bool{false, true} {
			for _, kind := range []string{"http", "file"} {
				if kind == "file" && !summary && tt.err != "" {
					continue // a directory is asked for its summary only
				}
				src, from, first, second := serveTree(t, small, nil)
				if kind == "file" {
					from = "file://" + src.Path()
				}
				k := src.Config()
				if err := errors.Join(k.SetBool("core", "tombstone-commits", tt.tombstones), src.SetConfig(k)); err != nil {
					t.Fatal(err)
				}
				if summary {
					if err := src.UpdateSummary(ctx, repo.SummaryOptions{}); err != nil {
						t.Fatal(err)
					}
				}
				if err := os.Remove(src.ObjectPath(ostree.ObjectCommit, first)); err != nil {
					t.Fatal(err)
				}
				if tt.commit != "" {
					forgeAs(t, src, ostree.ObjectTombstoneCommit, first, nil)
				}
				r := newRepo(t, repo.BareUser)
				addRemote(t, r, from)
				_, err := Pull(ctx, r, "origin", Options{Refs: []string{"x"}, Depth: repo.AllHistory, Retries: -1})
				if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
					t.Errorf("%s, summary %v, %s: error %v, want %q", tt.name, summary, kind, err, tt.err)
				}
				if c, err := r.LookupRef("origin", "x"); tt.err == "" && (err != nil || c != second) {
					t.Errorf("%s, summary %v, %s: ref %s, %v", tt.name, summary, kind, c, err)
				}
			}
		}
	}
	// One who asks for the commit does not care about its history.
	src, url, first, _ := serveTree(t, small, nil)
	if err := os.Remove(src.ObjectPath(ostree.ObjectCommit, first)); err != nil {
		t.Fatal(err)
	}
	r := newRepo(t, repo.BareUser)
	addRemote(t, r, url)
	if _, err := Pull(ctx, r, "origin", Options{Refs: []string{first.String()}, Depth: repo.AllHistory, Retries: -1}); err == nil || !strings.Contains(err.Error(), "Server returned HTTP 404") {
		t.Errorf("the commit itself: %v", err)
	}
}

// TestTimestamps compares the commit that is pulled with that which is here.
func TestTimestamps(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "tree")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	src := newRepo(t, repo.Archive)
	commit := func(branch string, timestamp uint64) ostree.Checksum {
		return commitDir(t, src, branch, dir, ostree.Checksum{}, timestamp)
	}
	old, now := commit("old", 1000), commit("x", 2000)
	other, never := commit("y", 2000), commit("z", 1<<60)
	server := httptest.NewServer(http.FileServer(http.Dir(src.Path())))
	defer server.Close()
	for _, tt := range []struct {
		name string
		o    Options
		err  string
	}{
		{"the same", Options{Refs: []string{"x"}, TimestampCheck: true}, ""},
		{"one as old", Options{Refs: []string{"x@" + other.String()}, TimestampCheck: true}, ""},
		{"an older one", Options{Refs: []string{"x@" + old.String()}, TimestampCheck: true},
			"Upgrade target revision '" + old.String() + "' with timestamp 'Thu Jan \u20071 00:16:40 1970' is chronologically older than current revision '" + now.String() + "' with timestamp 'Thu Jan \u20071 00:33:20 1970'; use --allow-downgrade to permit"},
		{"an older one, of another branch", Options{Refs: []string{"old"}, TimestampCheck: true}, ""},
		{"an older one than that which is named", Options{Refs: []string{"old"}, TimestampCheckFrom: "origin:x"}, "chronologically older"},
		{"one as old as that which is named", Options{Refs: []string{"y"}, TimestampCheckFrom: now.String()}, ""},
		{"one that is named is not there", Options{Refs: []string{"y"}, TimestampCheckFrom: "nope"}, "Refspec 'nope' not found"},
		{"one of a year that nobody knows", Options{Refs: []string{"y"}, TimestampCheckFrom: never.String()}, "is invalid"},
	} {
		for _, from := range []string{server.URL, "file://" + src.Path()} {
			r := newRepo(t, repo.BareUser)
			addRemote(t, r, from)
			if _, err := Pull(ctx, r, "origin", Options{Refs: []string{"x", never.String()}}); err != nil {
				t.Fatal(err)
			}
			_, err := Pull(ctx, r, "origin", tt.o)
			if tt.err == "" && err != nil || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("%s: error %v, want %q", tt.name, err, tt.err)
			}
			if ok, _ := r.Has(ostree.ObjectCommit, old); tt.err != "" && ok {
				t.Errorf("%s: the commit was kept", tt.name)
			}
		}
	}
}

// TestTrustedMirror: a mirror that trusts its server stores files as they come, and nobody
// else does.
func TestTrustedMirror(t *testing.T) {
	ctx := context.Background()
	src, url, _, _ := serveTree(t, small, nil)
	var files []string
	err := src.EachObject(func(n ostree.ObjectName) error {
		if n.Type == ostree.ObjectFile {
			files = append(files, src.ObjectPath(n.Type, n.Checksum))
		}
		return nil
	})
	if err != nil || len(files) < 2 {
		t.Fatal(files, err)
	}
	if err := errors.Join(os.Remove(files[0]), os.Link(files[1], files[0])); err != nil { // another file
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		mode repo.Mode
		o    Options
		ok   bool
	}{
		{"trusted", repo.Archive, Options{HTTPTrusted: true, Mirror: true}, true},
		{"trusted, but no mirror", repo.Archive, Options{HTTPTrusted: true}, false},
		{"trusted, but of another mode", repo.BareUser, Options{HTTPTrusted: true, Mirror: true}, false},
		{"both", repo.Archive, Options{HTTPTrusted: true, Untrusted: true, Mirror: true}, false},
		{"with a look at the modes", repo.Archive, Options{HTTPTrusted: true, BareUserOnlyFiles: true, Mirror: true}, false},
		{"not trusted", repo.Archive, Options{Mirror: true}, false},
	} {
		r := newRepo(t, tt.mode)
		addRemote(t, r, url)
		tt.o.Refs, tt.o.Retries = []string{"x"}, -1
		if _, err := Pull(ctx, r, "origin", tt.o); (err == nil) != tt.ok {
			t.Errorf("%s: error %v", tt.name, err)
		}
	}
}

// TestModesOfFiles: files that everybody may write to, or that give rights, can be refused.
func TestModesOfFiles(t *testing.T) {
	ctx := context.Background()
	for mode, ok := range map[os.FileMode]bool{0o775: true, 0o666: false, 0o755 | os.ModeSetuid: false, 0o755 | os.ModeSticky: false} {
		dir := filepath.Join(t.TempDir(), "tree")
		if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(filepath.Join(dir, "f"), []byte("x"), 0o644), os.Chmod(filepath.Join(dir, "f"), mode)); err != nil {
			t.Fatal(err)
		}
		src := newRepo(t, repo.Archive)
		commitDir(t, src, "x", dir, ostree.Checksum{}, 1000)
		server := httptest.NewServer(http.FileServer(http.Dir(src.Path())))
		defer server.Close()
		for _, from := range []string{server.URL, "file://" + src.Path()} {
			for _, caches := range [][]*repo.Repo{nil, {src}} {
				r := newRepo(t, repo.BareUser)
				addRemote(t, r, from)
				_, err := Pull(ctx, r, "origin", Options{Refs: []string{"x"}, BareUserOnlyFiles: true, LocalCaches: caches})
				if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "invalid mode 0") {
					t.Errorf("%v from %s: error %v", mode, from, err)
				}
				if _, err := Pull(ctx, r, "origin", Options{Refs: []string{"x"}}); err != nil {
					t.Errorf("%v from %s, whatever the mode: %v", mode, from, err)
				}
			}
		}
	}
}

// TestDetachedFirst: the signatures of a commit are asked for before the commit, and where the
// server sends one elsewhere, that is where it is looked for.
func TestDetachedFirst(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	src, url, _, second := serveTree(t, small, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			mu.Lock()
			asked = append(asked, strings.TrimPrefix(req.URL.Path, "/objects/"))
			mu.Unlock()
			h.ServeHTTP(w, req)
		})
	})
	moved := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, url+req.URL.Path, http.StatusMovedPermanently)
	}))
	defer moved.Close()
	forgeAs(t, src, ostree.ObjectCommitMeta, second, nil)
	r := newRepo(t, repo.BareUser)
	addRemote(t, r, moved.URL)
	if _, err := Pull(context.Background(), r, "origin", Options{Refs: []string{"x"}}); err != nil {
		t.Fatal(err)
	}
	at := func(t ostree.ObjectType) int { return slices.Index(asked, ostree.LoosePath(second, t, true)) }
	if meta, commit := at(ostree.ObjectCommitMeta), at(ostree.ObjectCommit); meta < 0 || commit < meta {
		t.Errorf("metadata were asked for as %d, the commit as %d: %v", meta, commit, asked)
	}
	if data, err := r.DetachedMetadata(second); err != nil || data == nil {
		t.Errorf("metadata %q, %v", data, err)
	}
}

// TestPartsAtOnce: two parts of deltas are applied at once, and no more.
func TestPartsAtOnce(t *testing.T) {
	f := newFrontier(progress.Discard.Begin(""))
	var mu sync.Mutex
	now, most, done := 0, 0, 0
	both := make(chan struct{})
	for range 20 {
		f.addPart(func(context.Context) error {
			mu.Lock()
			if now++; now > most {
				if most = now; most == maxParts {
					close(both)
				}
			}
			mu.Unlock()
			<-both // the first waits for the second
			mu.Lock()
			defer mu.Unlock()
			now--
			done++
			return nil
		})
	}
	if err := f.work(context.Background(), 8, func(ctx context.Context, j job) error { return j.do(ctx) }); err != nil || done != 20 || most != maxParts {
		t.Errorf("%d parts, %d at once, %v", done, most, err)
	}
}
