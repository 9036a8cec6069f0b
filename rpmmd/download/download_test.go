package download

import (
	"bytes"
	"context"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rpmostree/internal/fetch"
	"rpmostree/internal/openpgp"
	"rpmostree/rpm"
	"rpmostree/rpmmd"
	"rpmostree/rpmmd/createrepo"
)

// A server serves a directory, remembers what was asked for, and can be broken.
type server struct {
	*httptest.Server
	dir string

	mu    sync.Mutex
	asked []string
	// break_ returns a status to answer with, and how to change what is served.
	broken func(path string) (status int, change func([]byte) []byte)
}

func serve(t *testing.T, dir string) *server {
	t.Helper()
	s := &server{dir: dir}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.asked = append(s.asked, strings.TrimPrefix(r.URL.Path, "/"))
	broken := s.broken
	s.mu.Unlock()
	b, err := os.ReadFile(filepath.Join(s.dir, filepath.Clean(r.URL.Path)))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	if broken != nil {
		status, change := broken(r.URL.Path)
		if status != 0 {
			w.WriteHeader(status)
			return
		}
		if change != nil {
			b = change(slices.Clone(b))
		}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}

// requests returns what was asked for since the last call, sorted.
func (s *server) requests() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, a := range s.asked {
		if _, name, ok := strings.Cut(a, "-"); ok && strings.Contains(a, "repodata") {
			s.asked[i] = name
		}
	}
	slices.Sort(s.asked)
	out := strings.Join(s.asked, " ")
	s.asked = nil
	return out
}

func onlyFor(suffix string, status int, change func([]byte) []byte) func(string) (int, func([]byte) []byte) {
	return func(path string) (int, func([]byte) []byte) {
		if strings.HasSuffix(path, suffix) {
			return status, change
		}
		return 0, nil
	}
}

func flip(b []byte) []byte     { b[len(b)/2] ^= 1; return b }
func truncate(b []byte) []byte { return b[:len(b)/2] }
func appendTo(b []byte) []byte { return append(b, 'x') }

// makeRepo writes a repository with one package for each name.
func makeRepo(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		b := rpm.Builder{Name: name, Version: "1", Release: "1", Arch: "noarch", Summary: "a test", Files: []rpm.BuildFile{
			{File: rpm.File{Path: "/usr/share/" + name, Mode: rpm.ModeRegular | 0o644, User: "root", Group: "root"}, Data: bytes.Repeat([]byte(name), 1000)},
		}}
		var buf bytes.Buffer
		if err := b.Write(&buf); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+"-1-1.noarch.rpm"), buf.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := createrepo.Write(t.Context(), dir, createrepo.Options{}); err != nil {
		t.Fatal(err)
	}
}

type world struct {
	t     *testing.T
	repo  string // directory
	cache string
	now   time.Time
	mode  Mode
	opts  Options
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, repo: t.TempDir(), cache: t.TempDir(), now: time.Now()}
	makeRepo(t, w.repo, "one", "two")
	return w
}

func (w *world) downloader() *Downloader {
	w.t.Helper()
	o := w.opts
	o.CacheDir, o.Mode, o.Now = w.cache, w.mode, func() time.Time { return w.now }
	o.Fetch.Backoff = time.Microsecond
	d, err := New(o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(d.Close)
	return d
}

func (w *world) refresh(c rpmmd.RepoConfig) (*Snapshot, error) {
	return w.downloader().Refresh(w.t.Context(), c)
}

// packages returns the names in primary.
func packages(t *testing.T, s *Snapshot) string {
	t.Helper()
	var out []string
	err := s.Primary(t.Context(), func(p *rpmmd.Package) error { out = append(out, p.Name); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

func find(t *testing.T, s *Snapshot, name string) *rpmmd.Package {
	t.Helper()
	var out *rpmmd.Package
	err := s.Primary(t.Context(), func(p *rpmmd.Package) error {
		if p.Name == name {
			out = p
		}
		return nil
	})
	if err != nil || out == nil {
		t.Fatalf("package %s not found, error %v", name, err)
	}
	return out
}

func config(urls ...string) rpmmd.RepoConfig {
	c := rpmmd.NewRepoConfig("test")
	c.BaseURL = urls
	return c
}

func TestExpiry(t *testing.T) {
	w := newWorld(t)
	srv := serve(t, w.repo)
	c := config(srv.URL)
	step := func(name, wantRequests, wantPackages string) *Snapshot {
		t.Helper()
		s, err := w.refresh(c)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := srv.requests(); got != wantRequests {
			t.Errorf("%s: requests %q, want %q", name, got, wantRequests)
		}
		if got := packages(t, s); got != wantPackages {
			t.Errorf("%s: packages %q, want %q", name, got, wantPackages)
		}
		if s.Fresh != (wantRequests != "") {
			t.Errorf("%s: Fresh = %v", name, s.Fresh)
		}
		return s
	}
	first := step("first", "primary.xml.gz repodata/repomd.xml", "one two")
	step("again", "", "one two")
	w.now = w.now.Add(rpmmd.DefaultMetadataExpire + time.Second)
	step("expired, unchanged", "repodata/repomd.xml", "one two")
	step("renewed", "", "one two")
	c.FileTime = w.now.Add(time.Second)
	w.now = w.now.Add(time.Minute)
	step("configuration changed", "repodata/repomd.xml", "one two")
	step("configuration unchanged", "", "one two")
	makeRepo(t, w.repo, "three")
	step("changed, not expired", "", "one two")
	w.mode = Always
	second := step("changed, always", "primary.xml.gz repodata/repomd.xml", "one three two")
	if first.Checksum == second.Checksum {
		t.Error("two snapshots with one checksum")
	}
	if files, _ := filepath.Glob(filepath.Join(w.cache, "*/repodata/*primary.xml.gz*")); len(files) != 2 {
		t.Errorf("old metadata was left behind: %v", files)
	}
	w.now, w.mode = w.now.Add(1e6*time.Hour), IfMissing
	step("if missing", "", "one three two")
	w.mode, c.MetadataExpire, c.FileTime = Default, rpmmd.NeverExpire, w.now.Add(time.Hour)
	step("never expires", "", "one three two")
	srv.Close()
	w.mode = CacheOnly
	step("cache only", "", "one three two")
}

func TestLazyFiles(t *testing.T) {
	w := newWorld(t)
	srv := serve(t, w.repo)
	w.opts.Types = []string{"filelists", "modules"}
	s, err := w.refresh(config(srv.URL))
	if err != nil {
		t.Fatal(err)
	}
	if got := srv.requests(); got != "filelists.xml.gz primary.xml.gz repodata/repomd.xml" {
		t.Errorf("requests %q", got)
	}
	var owner string
	err = s.FindPaths(t.Context(), []string{"/usr/share/two"}, func(o rpmmd.Owner) error { owner = o.Name; return nil })
	if err != nil || owner != "two" {
		t.Errorf("owner %q, error %v", owner, err)
	}
	rc, err := s.Open(t.Context(), "other")
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	if _, err := io.ReadAll(rc); err != nil {
		t.Error(err)
	}
	if got := srv.requests(); got != "other.xml.gz" {
		t.Errorf("requests %q", got)
	}
	if _, err := s.Open(t.Context(), "modules"); !errors.Is(err, ErrNoMetadata) {
		t.Errorf("error %v", err)
	}
}

func TestFailures(t *testing.T) {
	for _, tt := range []struct {
		name   string
		broken func(string) (int, func([]byte) []byte)
		match  string
	}{
		{"repomd missing", onlyFor("repomd.xml", 404, nil), "cannot update repo 'test': Cannot download repomd.xml: server returned status 404"},
		{"repomd not XML", onlyFor("repomd.xml", 0, func([]byte) []byte { return []byte("<html>login</html>") }), "document is <html>"},
		{"repomd truncated", onlyFor("repomd.xml", 0, truncate), "unexpected EOF"},
		{"primary missing", onlyFor("primary.xml.gz", 404, nil), "status 404"},
		{"primary damaged", onlyFor("primary.xml.gz", 0, flip), "checksum mismatch"},
		{"primary truncated", onlyFor("primary.xml.gz", 0, truncate), "size is"},
		{"primary too long", onlyFor("primary.xml.gz", 0, appendTo), "size is"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			bad, good := serve(t, w.repo), serve(t, w.repo)
			bad.broken = tt.broken
			_, err := w.refresh(config(bad.URL))
			var repoErr *RepoError
			if !errors.As(err, &repoErr) || !strings.Contains(err.Error(), tt.match) {
				t.Errorf("error %v, want %q", err, tt.match)
			}
			// Nothing of the failure stays, and a second mirror helps if one is asked:
			// what looks like a repomd.xml cannot be told from a right one.
			w.mode = CacheOnly
			if _, err := w.refresh(config(bad.URL)); err == nil {
				t.Error("a failed refresh left a cache")
			}
			w.mode = Default
			if strings.HasPrefix(tt.name, "primary") || tt.name == "repomd missing" {
				s, err := w.refresh(config(bad.URL, good.URL))
				if err != nil {
					t.Fatalf("with a second mirror: %v", err)
				}
				if got := packages(t, s); got != "one two" {
					t.Errorf("packages %q", got)
				}
			}
		})
	}
}

func metalinkFor(t *testing.T, repo string, alternate string, bases ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(repo, repomdPath))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	fmt.Fprintf(&out, `<?xml version="1.0"?><metalink version="3.0" xmlns="http://www.metalinker.org/" xmlns:mm0="http://fedorahosted.org/mirrormanager">
 <files><file name="repomd.xml"><size>%d</size><verification><hash type="md5">00000000000000000000000000000000</hash>
 <hash type="sha512">%x</hash></verification>%s<resources maxconnections="1">`, len(b), sha512.Sum512(b), alternate)
	for i, base := range bases {
		fmt.Fprintf(&out, `<url protocol="http" type="http" preference="%d">%s/repodata/repomd.xml</url>`, 100-i, base)
	}
	out.WriteString(`<url protocol="rsync" preference="100">rsync://x/repodata/repomd.xml</url></resources></file></files></metalink>`)
	name := filepath.Join(repo, "metalink")
	if err := os.WriteFile(name, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestMetalink(t *testing.T) {
	w := newWorld(t)
	stale := t.TempDir()
	makeRepo(t, stale, "old")
	old, srv := serve(t, stale), serve(t, w.repo)
	metalinkFor(t, w.repo, "", old.URL, srv.URL)
	c := rpmmd.NewRepoConfig("test")
	c.Metalink = srv.URL + "/metalink"
	s, err := w.refresh(c)
	if err != nil {
		t.Fatal(err)
	}
	if got := packages(t, s); got != "one two" {
		t.Errorf("packages %q: a stale mirror was believed", got)
	}
	old.requests()
	srv.requests()
	w.mode = Always
	if _, err := w.refresh(c); err != nil {
		t.Fatal(err)
	}
	if got := old.requests() + srv.requests(); got != "metalink" {
		t.Errorf("unchanged metadata: requests %q, want only the metalink", got)
	}
	// The stale mirror is accepted if the metalink lists its repomd.xml.
	b, err := os.ReadFile(filepath.Join(stale, repomdPath))
	if err != nil {
		t.Fatal(err)
	}
	alternate := fmt.Sprintf(`<mm0:alternates><mm0:alternate><mm0:size>%d</mm0:size><verification><hash type="sha512">%x</hash></verification></mm0:alternate></mm0:alternates>`, len(b), sha512.Sum512(b))
	metalinkFor(t, w.repo, alternate, old.URL, srv.URL)
	w.cache = t.TempDir()
	if s, err = w.refresh(c); err != nil {
		t.Fatal(err)
	}
	if got := packages(t, s); got != "old" {
		t.Errorf("packages %q, want those of the first mirror", got)
	}
	// Offline, the mirrors are still known.
	w.mode = IfMissing
	if s, err = w.refresh(c); err != nil {
		t.Fatal(err)
	}
	if _, err := s.FetchPackage(t.Context(), find(t, s, "old")); err != nil {
		t.Error(err)
	}
}

func TestMirrorList(t *testing.T) {
	w := newWorld(t)
	srv := serve(t, w.repo)
	list := "# comment\nhttp://127.0.0.1:1/\n" + srv.URL + "/\nrsync://x/\n"
	if err := os.WriteFile(filepath.Join(w.repo, "list"), []byte(list), 0o644); err != nil {
		t.Fatal(err)
	}
	c := rpmmd.NewRepoConfig("test")
	c.MirrorList = srv.URL + "/list"
	s, err := w.refresh(c)
	if err != nil {
		t.Fatal(err)
	}
	if got := packages(t, s); got != "one two" {
		t.Errorf("packages %q", got)
	}
	c.MirrorList = srv.URL + "/missing"
	if _, err := w.refresh(c); err == nil {
		t.Error("missing mirrorlist accepted")
	}
	c.BaseURL = []string{srv.URL}
	if _, err := w.refresh(c); err != nil {
		t.Errorf("missing mirrorlist, but a baseurl: %v", err)
	}
}

func TestFileURL(t *testing.T) {
	w := newWorld(t)
	for _, url := range []string{"file://" + w.repo, w.repo} {
		s, err := w.refresh(config(url))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.FetchPackage(t.Context(), find(t, s, "one")); err != nil {
			t.Error(err)
		}
	}
}

// sign signs the repomd.xml of the repository with a new key.
func (w *world) sign(t *testing.T) (signer *openpgp.Signer, key, signature []byte) {
	t.Helper()
	signer, err := openpgp.NewSigner("test", openpgp.SignerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if key, err = signer.PublicKey(); err != nil {
		t.Fatal(err)
	}
	repomd, err := os.ReadFile(filepath.Join(w.repo, repomdPath))
	if err != nil {
		t.Fatal(err)
	}
	if signature, err = signer.Sign(bytes.NewReader(repomd)); err != nil {
		t.Fatal(err)
	}
	w.now = time.Now().Add(time.Second) // a signature made in the second after would be one of the future
	return signer, key, signature
}

func TestRepoSignature(t *testing.T) {
	w := newWorld(t)
	signer, key, good := w.sign(t)
	bad, err := signer.Sign(strings.NewReader("something else"))
	if err != nil {
		t.Fatal(err)
	}
	srv := serve(t, w.repo)
	for _, tt := range []struct {
		name      string
		key       []byte
		signature []byte
		ok        bool
	}{
		{"good", key, good, true},
		{"wrong", key, bad, false},
		{"missing", key, nil, false},
		{"no key", nil, good, false},
		{"garbage", key, []byte("x"), false},
	} {
		w.cache = t.TempDir()
		for name, b := range map[string][]byte{"key": tt.key, repomdPath + ".asc": tt.signature} {
			os.Remove(filepath.Join(w.repo, name))
			if b != nil {
				if err := os.WriteFile(filepath.Join(w.repo, name), b, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		c := config(srv.URL)
		c.RepoGPGCheck = true
		c.GPGKey = []string{srv.URL + "/key"}
		if _, err := w.refresh(c); (err == nil) != tt.ok {
			t.Errorf("%s: error %v", tt.name, err)
		}
	}
}

// Metadata that was cached without a check is not used when one is asked for.
func TestSignatureOfCached(t *testing.T) {
	w := newWorld(t)
	srv := serve(t, w.repo)
	c := config(srv.URL)
	if _, err := w.refresh(c); err != nil {
		t.Fatal(err)
	}
	c.RepoGPGCheck, c.GPGKey = true, []string{srv.URL + "/key"}
	for _, mode := range []Mode{Default, Always, IfMissing, CacheOnly} {
		w.mode = mode
		if _, err := w.refresh(c); err == nil {
			t.Errorf("mode %d: unsigned metadata accepted", mode)
		}
	}
}

// The cache of a repository is found again when its keys are at another place, and stays
// where it is when they are not there.
func TestKeysElsewhere(t *testing.T) {
	w := newWorld(t)
	_, key, signature := w.sign(t)
	root := t.TempDir()
	for name, b := range map[string][]byte{
		filepath.Join(w.repo, repomdPath+".asc"): signature, filepath.Join(root, "key"): key,
	} {
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := config("file://" + w.repo)
	c.RepoGPGCheck, c.GPGKey = true, []string{"file:///key"}
	w.opts.File = func(path string) (string, error) { return filepath.Join(root, path), nil }
	s, err := w.refresh(c)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Config.GPGKey[0]; got != "file:///key" {
		t.Errorf("the configuration now has gpgkey=%s", got)
	}
	root = t.TempDir()
	w.mode = CacheOnly
	if _, err := w.refresh(c); err != nil {
		t.Error(err)
	}
	w.mode = Always
	if _, err := w.refresh(c); err == nil {
		t.Error("no key was needed")
	}
}

// TestReal reads real repositories whose metadata is not complete.
func TestReal(t *testing.T) {
	root := os.Getenv("RPMOSTREE_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	root, err := filepath.Abs(filepath.Join(root, "data", "rpmmd"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(root); err != nil {
		t.Skipf("no test data: %v", err)
	}
	w := &world{t: t, cache: t.TempDir(), now: time.Now()}
	for name, want := range map[string]int{"cs9-appstream": 17649, "cs9-baseos": 1125} {
		s, err := w.refresh(config("file://" + filepath.Join(root, name)))
		if err != nil {
			t.Fatal(err)
		}
		for _, how := range []string{"XML", "cache"} {
			n := 0
			if err := s.Primary(t.Context(), func(*rpmmd.Package) error { n++; return nil }); err != nil || n != want {
				t.Errorf("%s from %s: %d packages, want %d, error %v", name, how, n, want, err)
			}
		}
		for _, typ := range []string{"filelists", "group"} {
			rc, err := s.Open(t.Context(), typ)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, rc); err != nil {
				t.Errorf("%s %s: %v", name, typ, err)
			}
			rc.Close()
		}
		if _, err := s.Open(t.Context(), "other"); err == nil || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("missing file: error %v", err)
		}
	}
}

func TestExtras(t *testing.T) {
	w := newWorld(t)
	s, err := w.refresh(config("file://" + w.repo))
	if err != nil {
		t.Fatal(err)
	}
	comps, err := s.Comps(t.Context())
	if err != nil || len(comps.Groups) != 0 {
		t.Errorf("comps %v, error %v", comps, err)
	}
	if m, err := s.Modules(t.Context()); err != nil || m != nil {
		t.Errorf("modules %v, error %v", m, err)
	}
	if err := s.Advisories(t.Context(), nil); err != nil {
		t.Error(err)
	}
	_, err = createrepo.Write(t.Context(), w.repo, createrepo.Options{Compression: "zstd", Extra: []createrepo.Extra{
		{Type: "group", Name: "comps.xml", Data: []byte("<comps><group><id>g</id></group></comps>")},
		{Type: "modules", Name: "modules.yaml", Data: []byte("---\ndocument: modulemd\nversion: 2\ndata: {name: m, stream: s}\n")},
		{Type: "updateinfo", Name: "updateinfo.xml", Data: []byte("<updates><update type='security'><id>A-1</id></update></updates>")},
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.mode = Always
	if s, err = w.refresh(config("file://" + w.repo)); err != nil {
		t.Fatal(err)
	}
	if comps, err = s.Comps(t.Context()); err != nil || len(comps.Groups) != 1 {
		t.Errorf("comps %v, error %v", comps, err)
	}
	if m, err := s.Modules(t.Context()); err != nil || m == nil || len(m.Modules) != 1 {
		t.Errorf("modules %v, error %v", m, err)
	}
	var ids []string
	err = s.Advisories(t.Context(), func(a *rpmmd.Advisory) error { ids = append(ids, a.ID); return nil })
	if err != nil || len(ids) != 1 || ids[0] != "A-1" {
		t.Errorf("advisories %v, error %v", ids, err)
	}
	changed := 0
	if err := s.Changelogs(t.Context(), func(*rpmmd.Changelogs) error { changed++; return nil }); err != nil || changed != 2 {
		t.Errorf("%d packages with changes, error %v", changed, err)
	}
}

func TestSkipIfUnavailable(t *testing.T) {
	w := newWorld(t)
	good, gone := config(serve(t, w.repo).URL), config(serve(t, t.TempDir()).URL)
	gone.ID = "gone"
	if _, _, err := w.downloader().RefreshAll(t.Context(), []rpmmd.RepoConfig{gone, good}); err == nil {
		t.Error("unavailable repository ignored")
	}
	gone.SkipIfUnavailable = true
	snapshots, skipped, err := w.downloader().RefreshAll(t.Context(), []rpmmd.RepoConfig{gone, good})
	if err != nil || len(snapshots) != 1 || len(skipped) != 1 || !strings.Contains(skipped[0].Error(), "'gone'") {
		t.Errorf("%d snapshots, skipped %v, error %v", len(snapshots), skipped, err)
	}
}

func TestPackages(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func([]byte) []byte
		status int
	}{
		{"good", nil, 0}, {"damaged", flip, 0}, {"truncated", truncate, 0}, {"too long", appendTo, 0}, {"missing", nil, 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			bad, good := serve(t, w.repo), serve(t, w.repo)
			bad.broken = onlyFor("one-1-1.noarch.rpm", tt.status, tt.change)
			d := w.downloader()
			s, err := d.Refresh(t.Context(), config(bad.URL))
			if err != nil {
				t.Fatal(err)
			}
			one, two := find(t, s, "one"), find(t, s, "two")
			ok := tt.name == "good"
			paths, err := d.FetchPackages(t.Context(), []Wanted{{s, two}, {s, one}}, nil)
			var pkgErr *PackageError
			if (err == nil) != ok || !ok && (!errors.As(err, &pkgErr) || pkgErr.Package != "one-1-1.noarch") {
				t.Errorf("error %v", err)
			}
			if ok {
				checkPackages(t, w, paths, "two", "one")
			}
			if err := stream(t.Context(), s, one); (err == nil) != ok {
				t.Errorf("streaming: error %v", err)
			}
			if s, err = d.Refresh(t.Context(), config(bad.URL, good.URL)); err != nil {
				t.Fatal(err)
			}
			tries := 0
			for err = errors.New("not tried"); err != nil; {
				tries++
				if err = stream(t.Context(), s, one); err != nil && !s.Retry(one, err, tries) {
					t.Fatalf("streaming with a second mirror: %v", err)
				}
			}
			if paths, err = d.FetchPackages(t.Context(), []Wanted{{s, one}, {s, two}}, nil); err != nil {
				t.Fatalf("with a second mirror: %v", err)
			}
			checkPackages(t, w, paths, "one", "two")
		})
	}
}

func stream(ctx context.Context, s *Snapshot, p *rpmmd.Package) error {
	rc, err := s.OpenPackage(ctx, p)
	if err != nil {
		return err
	}
	defer rc.Close()
	_, err = io.Copy(io.Discard, rc)
	return err
}

func checkPackages(t *testing.T, w *world, paths []string, names ...string) {
	t.Helper()
	for i, name := range names {
		got, err := os.ReadFile(paths[i])
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join(w.repo, name+"-1-1.noarch.rpm"))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s differs, error %v", name, err)
		}
	}
}

// What was damaged in the cache is fetched again.
func TestDamagedCache(t *testing.T) {
	w := newWorld(t)
	srv := serve(t, w.repo)
	s, err := w.refresh(config(srv.URL))
	if err != nil {
		t.Fatal(err)
	}
	one := find(t, s, "one")
	if _, err := s.FetchPackage(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	srv.requests()
	err = filepath.WalkDir(w.cache, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == repomdName || d.Name() == "lock" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, flip(b), 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	if s, err = w.refresh(config(srv.URL)); err != nil { // what is mapped into memory must not change
		t.Fatal(err)
	}
	if got := packages(t, s); got != "one two" {
		t.Errorf("packages %q", got)
	}
	if _, ok := s.Cached(one); ok {
		t.Error("damaged package accepted")
	}
	path, err := s.FetchPackage(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	checkPackages(t, w, []string{path}, "one")
	if err := s.RemovePackage(one); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Cached(one); ok {
		t.Error("package was not removed")
	}
	if got := srv.requests(); got != "one-1-1.noarch.rpm primary.xml.gz" {
		t.Errorf("requests %q", got)
	}
}

// The compact form says the same as the XML, is used, and is made again if it is
// damaged.
func TestPrimaryCache(t *testing.T) {
	w := newWorld(t)
	srv := serve(t, w.repo)
	read := func() (out []*rpmmd.Package) {
		t.Helper()
		s, err := w.refresh(config(srv.URL))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Primary(t.Context(), func(p *rpmmd.Package) error { out = append(out, p); return nil }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	first := read()
	files, err := filepath.Glob(filepath.Join(w.cache, "*/repodata/*"+indexSuffix))
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, error %v", files, err)
	}
	xml := strings.TrimSuffix(files[0], indexSuffix)
	if err := os.Rename(xml, xml+".away"); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(first, read()); d != "" {
		t.Errorf("(-XML +cache):\n%s", d)
	}
	if err := os.Rename(xml+".away", xml); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0], flip(slices.Clone(good)), 0o644); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(first, read()); d != "" {
		t.Errorf("(-XML +after damage):\n%s", d)
	}
	if again, err := os.ReadFile(files[0]); err != nil || !bytes.Equal(again, good) {
		t.Errorf("the cache was not made again, error %v", err)
	}
}

func TestHostileLocations(t *testing.T) {
	w := newWorld(t)
	s, err := w.refresh(config("file://" + w.repo))
	if err != nil {
		t.Fatal(err)
	}
	p := *find(t, s, "one")
	for _, location := range []string{
		"", "/", ".", "..", "../x.rpm", "a/../../x.rpm", "a/..", "x.rpm/", ".hidden", "a\x00b", "a\nb", "a\\b",
		"file:///etc/passwd", strings.Repeat("a", 300),
	} {
		p.Location = location
		if _, err := s.FetchPackage(t.Context(), &p); err == nil || !strings.Contains(err.Error(), "invalid location") {
			t.Errorf("location %q: error %v", location, err)
		}
		rec := rpmmd.Record{Location: location}
		if _, err := s.fileName(&rec); err == nil {
			t.Errorf("record location %q accepted", location)
		}
	}
	p.Location, p.Checksum.Hex = "x.rpm", "../../../../x"
	if _, err := s.FetchPackage(t.Context(), &p); err == nil || !strings.Contains(err.Error(), "invalid checksum") {
		t.Errorf("error %v", err)
	}
}

// Names of cache directories stay inside the cache and apart.
func TestRepoDir(t *testing.T) {
	w := newWorld(t)
	d := w.downloader()
	seen := map[string]bool{}
	for _, id := range []string{"a", "../../a", "a/b", "a_b", "..", ".", "", strings.Repeat("x", 1000), "ä"} {
		c := config("http://h/")
		c.ID = id
		dir := d.repoDir(&c)
		if filepath.Dir(dir) != filepath.Clean(w.cache) || seen[dir] || len(filepath.Base(dir)) > 255 {
			t.Errorf("%q: %s", id, dir)
		}
		seen[dir] = true
	}
}

func TestNoSources(t *testing.T) {
	w := newWorld(t)
	if _, err := w.refresh(config()); err == nil {
		t.Error("a repository without sources was accepted")
	}
}

// Several processes may refresh the same repository.
func TestConcurrentRefresh(t *testing.T) {
	w := newWorld(t)
	w.mode = Always
	srv := serve(t, w.repo)
	var wg sync.WaitGroup
	for range 8 {
		d := w.downloader()
		wg.Go(func() {
			s, err := d.Refresh(t.Context(), config(srv.URL))
			if err != nil {
				t.Error(err)
				return
			}
			if err := stream(t.Context(), s, find(t, s, "one")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

func TestProgress(t *testing.T) {
	w := newWorld(t)
	var mu sync.Mutex
	seen := map[string]bool{}
	var all []Progress
	w.opts.Progress = func(p Progress) {
		mu.Lock()
		defer mu.Unlock()
		if p.Repo != "test" || p.Done > p.Total && p.Total > 0 || p.AllDone > p.AllTotal {
			t.Errorf("%+v", p)
		}
		seen[p.File] = true
		all = append(all, p)
	}
	d := w.downloader()
	s, err := d.Refresh(t.Context(), config(serve(t, w.repo).URL))
	if err != nil {
		t.Fatal(err)
	}
	one, two := find(t, s, "one"), find(t, s, "two")
	metadata := all[len(all)-1].AllTotal
	if all[len(all)-1].AllDone != metadata {
		t.Errorf("%+v", all[len(all)-1])
	}
	all = nil
	if _, err := d.FetchPackages(t.Context(), []Wanted{{s, one}, {s, two}}, nil); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 4 || !seen["two-1-1.noarch.rpm"] {
		t.Errorf("progress of %v", seen)
	}
	// The total is known from the start and is reached.
	for _, p := range all {
		if p.AllTotal != metadata+one.Size+two.Size {
			t.Errorf("total %d, want %d", p.AllTotal, metadata+one.Size+two.Size)
		}
	}
	most := slices.MaxFunc(all, func(a, b Progress) int { return int(a.AllDone - b.AllDone) })
	if most.AllDone != most.AllTotal {
		t.Errorf("%+v", most)
	}
}

func TestCancel(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.downloader().Refresh(ctx, config(serve(t, w.repo).URL))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	var status *fetch.StatusError
	if errors.As(err, &status) {
		t.Errorf("error %v", err)
	}
}
