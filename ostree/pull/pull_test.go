package pull

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"rpmostree/internal/treetest"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

var isRoot = os.Geteuid() == 0

func newRepo(t testing.TB, mode repo.Mode) *repo.Repo {
	t.Helper()
	r, err := repo.Init(filepath.Join(treetest.FastDir(t), "repo"), repo.InitOptions{Mode: mode})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	k := r.Config()
	k.Set("core", "fsync", "false")
	if err := r.SetConfig(k); err != nil {
		t.Fatal(err)
	}
	return r
}

func commitDir(t testing.TB, r *repo.Repo, branch, dir string, parent ostree.Checksum, timestamp uint64) ostree.Checksum {
	t.Helper()
	tx, err := r.Begin(context.Background(), repo.TransactionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Abort()
	tr, err := tx.ImportDir(dir, repo.ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	root, meta, err := tr.Write(tx)
	if err != nil {
		t.Fatal(err)
	}
	c, err := tx.WriteCommit(&ostree.Commit{Tree: root, Meta: meta, Parent: parent, Timestamp: timestamp})
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.SetRef("", branch, c); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	return c
}

func fsckClean(t testing.TB, r *repo.Repo) {
	t.Helper()
	report, err := r.Fsck(context.Background(), repo.FsckOptions{All: true})
	if err == nil {
		err = report.Err()
	}
	if err != nil {
		t.Errorf("fsck: %v", err)
	}
}

// serve makes an archive repository with two commits on branch x, and a server
// for it. The wrap function may be nil.
func serve(t testing.TB, wrap func(http.Handler) http.Handler) (src *repo.Repo, url string, first, second ostree.Checksum) {
	t.Helper()
	return serveTree(t, treetest.Options{Seed: 5, Files: 40, MaxSize: 200 << 10, Xattrs: isRoot, Owners: isRoot}, wrap)
}

func serveTree(t testing.TB, o treetest.Options, wrap func(http.Handler) http.Handler) (src *repo.Repo, url string, first, second ostree.Checksum) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tree")
	treetest.Random(t, dir, o)
	src = newRepo(t, repo.Archive)
	first = commitDir(t, src, "x", dir, ostree.Checksum{}, 1000)
	os.MkdirAll(filepath.Join(dir, "sub/dir"), 0o755)
	os.WriteFile(filepath.Join(dir, "sub/dir/new"), []byte("new"), 0o644)
	second = commitDir(t, src, "x", dir, first, 2000)
	h := http.Handler(http.FileServer(http.Dir(src.Path())))
	if wrap != nil {
		h = wrap(h)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return src, server.URL, first, second
}

func addRemote(t testing.TB, r *repo.Repo, url string, more ...[2]string) {
	t.Helper()
	keys := append([][2]string{{"url", url}, {"gpg-verify", "false"}}, more...)
	if err := r.AddRemote("origin", keys); err != nil {
		t.Fatal(err)
	}
}

func TestPullIntoEveryMode(t *testing.T) {
	_, url, first, second := serve(t, nil)
	for _, mode := range []repo.Mode{repo.Bare, repo.BareUser, repo.Archive} {
		if mode == repo.Bare && !isRoot {
			continue
		}
		r := newRepo(t, mode)
		addRemote(t, r, url)
		ctx := context.Background()
		stats, err := Pull(ctx, r, "origin", Options{Refs: []string{"x"}})
		if err != nil {
			t.Fatal(err)
		}
		if stats.Content == 0 || stats.Metadata == 0 || stats.Transferred == 0 {
			t.Errorf("stats %+v", stats)
		}
		if c, err := r.ResolveRev("origin:x"); err != nil || c != second {
			t.Errorf("ref %s, %v", c, err)
		}
		if ok, _ := r.Has(ostree.ObjectCommit, first); ok {
			t.Error("parent was pulled")
		}
		if partial, _ := r.IsPartial(second); partial {
			t.Error("commit is partial")
		}
		fsckClean(t, r)
		stats, err = Pull(ctx, r, "origin", Options{Refs: []string{"x"}, Depth: repo.AllHistory})
		if err != nil {
			t.Fatal(err)
		}
		if ok, _ := r.Has(ostree.ObjectCommit, first); !ok {
			t.Error("parent was not pulled")
		}
		fsckClean(t, r)
		if _, err := Pull(ctx, r, "origin", Options{Refs: []string{"nope"}}); err == nil {
			t.Error("pulled a branch that is not there")
		}
	}
}

func TestPullLikeReference(t *testing.T) {
	treetest.Oracle(t, "ostree")
	src, url, _, second := serve(t, nil)
	// Theirs from ours.
	theirs := filepath.Join(t.TempDir(), "theirs")
	treetest.Run(t, "ostree", "--repo="+theirs, "init", "--mode=archive")
	treetest.Run(t, "ostree", "--repo="+theirs, "remote", "add", "--no-gpg-verify", "origin", url)
	treetest.Run(t, "ostree", "--repo="+theirs, "pull", "origin", "x")
	treetest.Run(t, "ostree", "--repo="+theirs, "fsck", "-q")
	// Ours from theirs, with a summary that they wrote.
	treetest.Run(t, "ostree", "--repo="+theirs, "refs", "origin:x", "--create=y")
	treetest.Run(t, "ostree", "--repo="+theirs, "summary", "-u")
	server := httptest.NewServer(http.FileServer(http.Dir(theirs)))
	defer server.Close()
	r := newRepo(t, repo.Archive)
	addRemote(t, r, server.URL)
	if _, err := Pull(context.Background(), r, "origin", Options{Mirror: true}); err != nil {
		t.Fatal(err)
	}
	if c, err := r.LookupRef("", "y"); err != nil || c != second {
		t.Errorf("mirrored ref %s, %v", c, err)
	}
	want, _ := os.ReadFile(filepath.Join(theirs, "summary"))
	if got, _, _ := r.ReadSummary(); !bytes.Equal(got, want) {
		t.Error("summary was not mirrored")
	}
	treetest.Run(t, "ostree", "--repo="+r.Path(), "fsck", "-q")
	fsckClean(t, src)
}

func TestPullContinues(t *testing.T) {
	var left atomic.Int64
	left.Store(25)
	var asked atomic.Int64
	_, url, _, second := serve(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if strings.Contains(req.URL.Path, ".filez") {
				asked.Add(1)
				if left.Add(-1) < 0 {
					http.Error(w, "no", http.StatusBadRequest)
					return
				}
			}
			h.ServeHTTP(w, req)
		})
	})
	r := newRepo(t, repo.BareUser)
	addRemote(t, r, url)
	ctx := context.Background()
	if _, err := Pull(ctx, r, "origin", Options{Refs: []string{"x"}, Retries: -1}); err == nil {
		t.Fatal("pull succeeded")
	}
	if refs, _ := r.Refs(); len(refs) != 0 {
		t.Errorf("refs %v", refs)
	}
	if partial, _ := r.IsPartial(second); !partial {
		t.Error("commit is not partial")
	}
	fsckClean(t, r)
	before := asked.Load()
	left.Store(1 << 30)
	stats, err := Pull(ctx, r, "origin", Options{Refs: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	r.EachObject(func(n ostree.ObjectName) error {
		if n.Type == ostree.ObjectFile {
			total++
		}
		return nil
	})
	if again := int(asked.Load() - before); again != stats.Content || again > total-20 {
		t.Errorf("fetched %d of %d files again, stats %+v", again, total, stats)
	}
	fsckClean(t, r)
}

func TestPullParts(t *testing.T) {
	_, url, _, second := serve(t, nil)
	r := newRepo(t, repo.BareUser)
	addRemote(t, r, url, [2]string{"branches", "x;"})
	ctx := context.Background()
	for _, o := range []Options{{CommitMetadataOnly: true}, {Subpaths: []string{"/sub/dir"}}} {
		stats, err := Pull(ctx, r, "origin", o)
		if err != nil {
			t.Fatal(err)
		}
		if partial, _ := r.IsPartial(second); !partial || stats.Content > 1 {
			t.Errorf("partial %v, stats %+v", partial, stats)
		}
	}
	tr, err := r.Tree(second)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := tr.Lookup("sub/dir/new"); err != nil {
		t.Error(err)
	} else if b, err := r.ReadFile(e.Checksum, 10); err != nil || string(b) != "new" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := Pull(ctx, r, "origin", Options{}); err != nil {
		t.Fatal(err)
	}
	if partial, _ := r.IsPartial(second); partial {
		t.Error("commit is still partial")
	}
	fsckClean(t, r)
}

// TestSharedHistory has two branches whose histories meet, at different distances: as much is
// pulled as is wanted of each, whichever is looked at first.
func TestSharedHistory(t *testing.T) {
	ctx := context.Background()
	dir := filepath.Join(t.TempDir(), "tree")
	os.MkdirAll(dir, 0o755)
	src := newRepo(t, repo.Archive)
	var history []ostree.Checksum // the newest first, but for the two branches
	parent := ostree.Checksum{}
	for i := range 6 {
		parent = commitDir(t, src, "x", dir, parent, uint64(1000+i))
		history = append([]ostree.Checksum{parent}, history...)
	}
	near := commitDir(t, src, "near", dir, history[0], 2000)
	far := commitDir(t, src, "far", dir, commitDir(t, src, "x", dir, commitDir(t, src, "x", dir, history[0], 2001), 2002), 2003)
	server := httptest.NewServer(http.FileServer(http.Dir(src.Path())))
	defer server.Close()
	for _, url := range []string{server.URL, "file://" + src.Path()} {
		for _, refs := range [][]string{{"near", "far"}, {"far", "near"}, {"far", "near", "near@" + near.String(), far.String()}} {
			for _, o := range []Options{{Depth: 4}, {Depth: 4, DisableDeltas: true, Workers: 1}, {Depth: repo.AllHistory}} {
				r := newRepo(t, repo.BareUser)
				addRemote(t, r, url)
				o.Refs = refs
				if _, err := Pull(ctx, r, "origin", o); err != nil {
					t.Fatal(err)
				}
				want := 4 // 4 ancestors of the nearer branch; 2 of the other are its own
				if o.Depth < 0 {
					want = len(history)
				}
				for i, c := range history {
					if ok, _ := r.Has(ostree.ObjectCommit, c); ok != (i < want) {
						t.Errorf("%s, %v, depth %d: ancestor %d is there: %v", url, refs, o.Depth, i, ok)
					}
				}
				fsckClean(t, r)
			}
		}
	}
}

// TestMirroredSummary is about the summary of a mirror of all that the remote has.
func TestMirroredSummary(t *testing.T) {
	ctx := context.Background()
	src, url, _, _ := serveTree(t, small, nil)
	if err := src.UpdateSummary(ctx, repo.SummaryOptions{Sign: func([]byte) ([]byte, error) { return []byte("signature"), nil }}); err != nil {
		t.Fatal(err)
	}
	want, _, err := src.ReadSummary()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		o    Options
		copy bool
	}{
		"all": {Options{}, true}, "only commits": {Options{CommitMetadataOnly: true}, true}, "a subpath": {Options{Subpaths: []string{"/sub"}}, true},
		"one branch": {Options{Refs: []string{"x"}}, false},
	} {
		for _, from := range []string{url, "file://" + src.Path()} {
			r := newRepo(t, repo.Archive)
			addRemote(t, r, from)
			tt.o.Mirror = true
			if _, err := Pull(ctx, r, "origin", tt.o); err != nil {
				t.Fatal(err)
			}
			summary, sig, err := r.ReadSummary()
			if err != nil || bytes.Equal(summary, want) != tt.copy || (string(sig) == "signature") != tt.copy {
				t.Errorf("%s from %s: summary of %d bytes, signature %q, %v", name, from, len(summary), sig, err)
			}
			if _, err := r.LookupRef("", "x"); err != nil {
				t.Errorf("%s from %s: %v", name, from, err)
			}
		}
	}
}

func TestPullRefuses(t *testing.T) {
	src, url, first, second := serve(t, nil)
	ctx := context.Background()
	check := func(name, want string, r *repo.Repo, o Options) {
		t.Helper()
		if len(o.Refs) == 0 {
			o.Refs = []string{"x"}
		}
		_, err := Pull(ctx, r, "origin", o)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", name, err, want)
		}
		fsckClean(t, r)
	}
	r := newRepo(t, repo.BareUser)
	r.AddRemote("origin", [][2]string{{"url", url}})
	check("default gpg-verify", "demands signatures (gpg-verify)", r, Options{})
	r = newRepo(t, repo.BareUser)
	addRemote(t, r, url, [2]string{"sign-verify", "ed25519"})
	check("sign-verify", "demands signatures (sign-verify)", r, Options{})
	check("verifier says no", "bad signature", r, Options{Verify: denier{}})
	if ok, _ := r.Has(ostree.ObjectCommit, second); ok {
		t.Error("unverified commit was kept")
	}
	r = newRepo(t, repo.BareUser)
	addRemote(t, r, url, [2]string{"unconfigured-state", "pay first"})
	check("unconfigured", "remote unconfigured-state: pay first", r, Options{})
	r = newRepo(t, repo.BareUser)
	addRemote(t, r, "file://"+src.Path())
	if _, err := Pull(ctx, r, "origin", Options{Refs: []string{"x"}}); err != nil {
		t.Fatal(err)
	}
	check("timestamp", "chronologically older", r, Options{TimestampCheck: true, Refs: []string{"x@" + first.String()}})
	r = newRepo(t, repo.BareUser)
	addRemote(t, r, "file://"+src.Path(), [2]string{"sign-verify", "true"})
	check("local verifier says no", "bad signature", r, Options{Verify: denier{}})
}

type denier struct{}

func (denier) Check(*repo.Remote) error                         { return nil }
func (denier) VerifyCommit(*repo.Remote, []byte, []byte) error  { return errors.New("bad signature") }
func (denier) VerifySummary(*repo.Remote, []byte, []byte) error { return errors.New("bad signature") }

func TestPullCorrupted(t *testing.T) {
	for _, mode := range []repo.Mode{repo.BareUser, repo.Archive} {
		for _, kind := range []string{".filez", ".dirtree", ".dirmeta", ".commit"} {
			src, url, _, _ := serve(t, nil)
			done := false
			src.EachObject(func(n ostree.ObjectName) error {
				path := src.ObjectPath(n.Type, n.Checksum)
				if strings.HasSuffix(path, kind) {
					data, _ := os.ReadFile(path)
					if len(data) > 100 || kind == ".dirmeta" {
						data[len(data)/2] ^= 0x55
						os.WriteFile(path, data, 0o644)
						done = true
					}
				}
				return nil
			})
			if !done {
				t.Fatalf("nothing to corrupt: %s", kind)
			}
			r := newRepo(t, mode)
			addRemote(t, r, url)
			if _, err := Pull(context.Background(), r, "origin", Options{Refs: []string{"x"}}); err == nil {
				t.Errorf("%s: corrupted %s accepted", mode, kind)
			}
			if refs, _ := r.Refs(); len(refs) != 0 {
				t.Errorf("refs %v", refs)
			}
			fsckClean(t, r)
		}
	}
}

func TestPullFromLocalCache(t *testing.T) {
	src, url, _, _ := serve(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if strings.HasSuffix(req.URL.Path, ".filez") {
				http.Error(w, "no", http.StatusBadRequest)
				return
			}
			h.ServeHTTP(w, req)
		})
	})
	r := newRepo(t, repo.BareUser)
	addRemote(t, r, url)
	o := Options{Refs: []string{"x"}, Retries: -1}
	if _, err := Pull(context.Background(), r, "origin", o); err == nil {
		t.Error("files came from nowhere")
	}
	o.LocalCaches = []*repo.Repo{src}
	var mu sync.Mutex
	var at State
	o.Watch = func(s State) {
		mu.Lock()
		defer mu.Unlock()
		if s.Content >= at.Content {
			at = s
		}
	}
	if _, err := Pull(context.Background(), r, "origin", o); err != nil {
		t.Error(err)
	}
	if at.Content == 0 || at.Content != at.AllContent {
		t.Errorf("the pull ends at %d of %d files", at.Content, at.AllContent)
	}
	o.Watch = nil
	fsckClean(t, r)

	full := newRepo(t, repo.BareUser)
	addRemote(t, full, url)
	k := full.Config()
	k.Set("core", "min-free-space-size", "1000000TB")
	if err := full.SetConfig(k); err != nil {
		t.Fatal(err)
	}
	var space *repo.NoSpaceError
	if _, err := Pull(context.Background(), full, "origin", o); !errors.As(err, &space) {
		t.Errorf("with too little space: error %v", err)
	}
}

func TestSummaryIsCached(t *testing.T) {
	fetched := 0
	src, url, _, second := serve(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.URL.Path == "/summary" {
				fetched++
			}
			h.ServeHTTP(w, req)
		})
	})
	r := newRepo(t, repo.BareUser)
	addRemote(t, r, url)
	ctx := context.Background()
	for i, sig := range []string{"signature", "signature", "other signature"} {
		if i != 1 {
			err := src.UpdateSummary(ctx, repo.SummaryOptions{Sign: func([]byte) ([]byte, error) { return []byte(sig), nil }})
			if err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Pull(ctx, r, "origin", Options{Refs: []string{"x"}}); err != nil {
			t.Fatal(err)
		}
		if want := []int{1, 1, 2}[i]; fetched != want {
			t.Errorf("pull %d: summary was fetched %d times, want %d", i, fetched, want)
		}
	}
	t.Setenv("OSTREE_SKIP_CACHE", "1")
	for i := range 2 {
		if _, err := Pull(ctx, r, "origin", Options{Refs: []string{"x"}}); err != nil {
			t.Fatal(err)
		}
		if fetched != 3+i {
			t.Errorf("without the cache the summary was fetched %d times, want %d", fetched, 3+i)
		}
	}
	if c, err := r.ResolveRev("origin:x"); err != nil || c != second {
		t.Errorf("ref %s, %v", c, err)
	}
	fsckClean(t, r)
}
