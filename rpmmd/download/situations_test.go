package download

import (
	"bytes"
	"crypto/sha512"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rpmostree/internal/compress"
	"rpmostree/internal/fetch"
	"rpmostree/rpmmd"
	"rpmostree/rpmmd/createrepo"
)

// A mirror serves a directory in one of several ways:
//
//	ok        as it is
//	gone      nothing
//	busy      503 for each file's first request, then as it is
//	down      503 always
//	cut       each file's first request ends after half of the content
//	norange   as cut, and Range is not understood
//	redirect  through another address
//	loop      redirected to itself
//	login     a page of HTML for everything
//	auth      only to user "u" with password "p"
//	refused   there is no server
//	slow      the connection stays open, and nothing comes
//	old       another, older repository
//
// "flip:NAME", "short:NAME", "long:NAME" and "gone:NAME" are a mirror where files that end
// with NAME are damaged, truncated, too long or missing.
type mirror struct {
	kind, dir, old string

	mu   sync.Mutex
	seen map[string]int
	got  []string // ranges that were asked for
}

func (m *mirror) start(t *testing.T) string {
	t.Helper()
	if m.kind == "refused" {
		return "http://127.0.0.1:1"
	}
	m.seen = map[string]int{}
	srv := httptest.NewServer(m)
	t.Cleanup(srv.Close)
	t.Cleanup(srv.CloseClientConnections) // of a slow one
	return srv.URL
}

func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	m.seen[r.URL.Path]++
	n := m.seen[r.URL.Path]
	if s := r.Header.Get("Range"); s != "" {
		m.got = append(m.got, s)
	}
	m.mu.Unlock()
	path := r.URL.Path
	dir := m.dir
	kind, file, _ := strings.Cut(m.kind, ":")
	special := file == "" || strings.HasSuffix(path, file)
	var change func([]byte) []byte
	switch {
	case !special:
	case kind == "gone":
		http.NotFound(w, r)
		return
	case kind == "down", kind == "busy" && n == 1:
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case kind == "login":
		w.Write([]byte("<html>please log in</html>"))
		return
	case kind == "auth":
		if u, p, _ := r.BasicAuth(); u != "u" || p != "p" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
	case kind == "slow":
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
		return
	case kind == "loop":
		http.Redirect(w, r, path, http.StatusFound)
		return
	case kind == "redirect" && !strings.HasPrefix(path, "/other/"):
		http.Redirect(w, r, "/other"+path, http.StatusFound)
		return
	case kind == "old":
		dir = m.old
	case kind == "flip":
		change = flip
	case kind == "short":
		change = truncate
	case kind == "long":
		change = appendTo
	}
	b, err := os.ReadFile(filepath.Join(dir, filepath.Clean(strings.TrimPrefix(path, "/other"))))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	if change != nil {
		b = change(slices.Clone(b))
	}
	if cut := kind == "cut" || kind == "norange"; cut && n == 1 {
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		w.Write(b[:len(b)/2])
		return // net/http breaks the connection
	}
	if kind == "norange" {
		r.Header.Del("Range")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}

// stage makes a configuration of mirrors of the given kinds, found in the given way.
type stage struct {
	*world
	old     string
	mirrors []*mirror
}

func newStage(t *testing.T) *stage {
	s := &stage{world: newWorld(t), old: t.TempDir()}
	makeRepo(t, s.old, "old")
	return s
}

func (s *stage) config(source, kinds string) rpmmd.RepoConfig {
	s.t.Helper()
	var urls []string
	for kind := range strings.FieldsSeq(kinds) {
		m := &mirror{kind: kind, dir: s.repo, old: s.old}
		s.mirrors = append(s.mirrors, m)
		urls = append(urls, m.start(s.t))
	}
	c := rpmmd.NewRepoConfig("test")
	c.Timeout, c.Retries = 300*time.Millisecond, 2
	switch source {
	case "baseurl":
		c.BaseURL = urls
	case "mirrorlist":
		c.MirrorList = s.page("# a comment\n\n" + strings.Join(urls, "\n") + "\nftp://x/\n")
	case "metalink":
		metalinkFor(s.t, s.repo, "", urls...)
		c.Metalink = "file://" + filepath.Join(s.repo, "metalink")
	}
	return c
}

// page serves one text.
func (s *stage) page(text string) string {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte(text)) }))
	s.t.Cleanup(srv.Close)
	return srv.URL + "/list"
}

// Whatever mirrors do, the metadata are right or there is an error that says why: the
// situations of librepo's tests of repositories.
func TestRepoSituations(t *testing.T) {
	for _, tt := range []struct{ source, mirrors, want string }{
		{"baseurl", "ok", "one two"},
		{"baseurl", "gone", "status 404"},
		{"baseurl", "gone ok", "one two"},
		{"baseurl", "gone gone", "all mirrors were tried"},
		{"baseurl", "refused", "refused"},
		{"baseurl", "refused ok", "one two"},
		{"baseurl", "down", "status 503"},
		{"baseurl", "down ok", "one two"},
		{"baseurl", "busy", "one two"},
		{"baseurl", "cut", "one two"},
		{"baseurl", "norange", "one two"},
		{"baseurl", "redirect", "one two"},
		{"baseurl", "loop", "too many redirects"},
		{"baseurl", "loop ok", "one two"},
		{"baseurl", "login", "document is <html>"},
		{"baseurl", "auth", "status 401"},
		{"baseurl", "auth ok", "one two"},
		{"baseurl", "slow", "too slow"},
		{"baseurl", "slow ok", "one two"},
		{"baseurl", "gone:primary.xml.gz", "Cannot download repodata/"},
		{"baseurl", "gone:primary.xml.gz ok", "one two"},
		{"baseurl", "flip:primary.xml.gz", "checksum mismatch"},
		{"baseurl", "flip:primary.xml.gz ok", "one two"},
		{"baseurl", "flip:primary.xml.gz flip:primary.xml.gz", "checksum mismatch"},
		{"baseurl", "short:primary.xml.gz ok", "one two"},
		{"baseurl", "long:primary.xml.gz ok", "one two"},
		{"baseurl", "short:repomd.xml", "reading repomd.xml: "},
		{"baseurl", "gone:repomd.xml ok", "one two"},
		{"mirrorlist", "ok", "one two"},
		{"mirrorlist", "gone ok", "one two"},
		{"mirrorlist", "refused down ok", "one two"},
		{"mirrorlist", "gone", "status 404"},
		{"mirrorlist", "flip:primary.xml.gz ok", "one two"},
		{"mirrorlist", "cut ok", "one two"},
		{"mirrorlist", "slow ok", "one two"},
		{"mirrorlist", "", "names no usable mirror"},
		{"metalink", "ok", "one two"},
		{"metalink", "gone ok", "one two"},
		{"metalink", "refused ok", "one two"},
		{"metalink", "down ok", "one two"},
		{"metalink", "slow ok", "one two"},
		{"metalink", "cut", "one two"},
		{"metalink", "old ok", "one two"},
		{"metalink", "old", "checksum mismatch"},
		{"metalink", "login ok", "one two"},
		{"metalink", "login", "checksum mismatch"},
		{"metalink", "flip:repomd.xml ok", "one two"},
		{"metalink", "flip:repomd.xml", "checksum mismatch"},
		{"metalink", "short:repomd.xml ok", "one two"},
		{"metalink", "flip:primary.xml.gz ok", "one two"},
		{"metalink", "flip:primary.xml.gz flip:primary.xml.gz ok", "one two"},
		{"metalink", "gone:primary.xml.gz ok", "one two"},
		{"metalink", "redirect ok", "one two"},
		{"metalink", "", "names no usable mirror"},
	} {
		t.Run(tt.source+" "+tt.mirrors, func(t *testing.T) {
			t.Parallel()
			w := newStage(t)
			c := w.config(tt.source, tt.mirrors)
			s, err := w.refresh(c)
			check(t, s, err, tt.want)
			if err != nil && c.Sources() { // then nothing is kept
				w.mode = CacheOnly
				if _, err := w.refresh(c); err == nil {
					t.Error("something was cached")
				}
			}
		})
	}
}

func check(t *testing.T, s *Snapshot, err error, want string) {
	t.Helper()
	if err != nil {
		var repo *RepoError
		if !errors.As(err, &repo) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		return
	}
	if got := packages(t, s); got != want {
		t.Errorf("packages %q, want %q", got, want)
	}
}

// Lists of mirrors that are not what they should be.
func TestListSituations(t *testing.T) {
	const head = `<?xml version="1.0"?><metalink version="3.0">`
	for name, tt := range map[string]struct {
		metalink, mirrorlist string // of which %[1]s is a mirror, %[2]s the sha512 of its repomd.xml
		want                 string
	}{
		"metalink for another file":     {head + `<files><file name="x.xml"><resources><url>%[1]s/repodata/repomd.xml</url></resources></file></files></metalink>`, "", `file "repomd.xml" not found`},
		"metalink without URLs":         {head + `<files><file name="repomd.xml"><resources/></file></files></metalink>`, "", "names no usable mirror"},
		"metalink without files":        {head + `</metalink>`, "", "not found"},
		"metalink is HTML":              {`<html/>`, "", "document is <html>"},
		"metalink is empty":             {``, "", "no element found"},
		"metalink is cut":               {head + `<files><file name="repomd.xml">`, "", "unexpected EOF"},
		"metalink with a wrong hash":    {head + `<files><file name="repomd.xml"><verification><hash type="sha512">` + strings.Repeat("0", 128) + `</hash></verification><resources><url>%[1]s/repodata/repomd.xml</url></resources></file></files></metalink>`, "", "checksum mismatch"},
		"metalink with an unknown hash": {head + `<files><file name="repomd.xml"><verification><hash type="crc">0</hash></verification><resources><url>%[1]s/repodata/repomd.xml</url></resources></file></files></metalink>`, "", "one two"},
		"the strongest hash counts":     {head + `<files><file name="repomd.xml"><verification><hash type="md5">` + strings.Repeat("0", 32) + `</hash><hash type="sha512">%[2]s</hash></verification><resources><url>%[1]s/repodata/repomd.xml</url></resources></file></files></metalink>`, "", "one two"},
		"metalink with a bad first URL": {head + `<files><file name="repomd.xml"><resources><url preference="100">nonsense</url><url preference="99">http://[::1/repodata/repomd.xml</url><url preference="1">%[1]s/repodata/repomd.xml</url></resources></file></files></metalink>`, "", "one two"},
		"metalink with other protocols": {head + `<files><file name="repomd.xml"><resources><url>rsync://x/repodata/repomd.xml</url><url>ftp://x/repodata/repomd.xml</url><url>%[1]s/repodata/repomd.xml</url></resources></file></files></metalink>`, "", "one two"},
		"an alternate is accepted":      {head + `<files><file name="repomd.xml"><verification><hash type="sha512">` + strings.Repeat("0", 128) + `</hash></verification><alternates><alternate><verification><hash type="sha512">%[2]s</hash></verification></alternate></alternates><resources><url>%[1]s/repodata/repomd.xml</url></resources></file></files></metalink>`, "", "one two"},
		"mirrorlist of comments":        {"", "# nothing\n", "names no usable mirror"},
		"mirrorlist is empty":           {"", "", "no baseurl, mirrorlist or metalink"},
		"mirrorlist is HTML":            {"", "<html><body>http</body></html>\n", "names no usable mirror"},
		"mirrorlist with other schemes": {"", "ftp://x/\nrsync://x/\nfile:///nowhere\n%[1]s\n", "one two"},
		"mirrorlist with blanks":        {"", "  %[1]s  \r\n\r\n", "one two"},
		"mirrorlist twice the same":     {"", "%[1]s\n%[1]s\n", "one two"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newStage(t)
			url := (&mirror{kind: "ok", dir: w.repo}).start(t)
			b, err := os.ReadFile(filepath.Join(w.repo, repomdPath))
			if err != nil {
				t.Fatal(err)
			}
			c := rpmmd.NewRepoConfig("test")
			text := func(format string) string {
				return strings.NewReplacer("%[1]s", url, "%[2]s", fmt.Sprintf("%x", sha512.Sum512(b))).Replace(format)
			}
			if tt.metalink != "" || strings.HasPrefix(name, "metalink") {
				c.Metalink = w.page(text(tt.metalink))
			}
			if tt.mirrorlist != "" {
				c.MirrorList = w.page(text(tt.mirrorlist))
			}
			s, err := w.refresh(c)
			check(t, s, err, tt.want)
			// With a base URL it does not matter.
			c.BaseURL = []string{url}
			if tt.want != "one two" && tt.want != "checksum mismatch" {
				s, err = w.refresh(c)
				check(t, s, err, "one two")
			}
		})
	}
}

// Without the network: what is cached can be used, what is not is an error.
func TestOfflineSituations(t *testing.T) {
	for _, source := range []string{"baseurl", "mirrorlist", "metalink"} {
		t.Run(source, func(t *testing.T) {
			w := newStage(t)
			c := w.config(source, "ok")
			w.mode = CacheOnly
			_, err := w.refresh(c)
			check(t, nil, err, "Cache-only enabled but no cache for 'test'")
			w.mode = Default
			s, err := w.refresh(c)
			check(t, s, err, "one two")
			if _, err := s.FetchPackage(t.Context(), find(t, s, "one")); err != nil {
				t.Fatal(err)
			}
			w.mirrors[0].kind = "gone"
			w.mode, w.now = CacheOnly, w.now.Add(1e6*time.Hour)
			s, err = w.refresh(c)
			check(t, s, err, "one two")
			if _, err := s.FetchPackage(t.Context(), find(t, s, "one")); err != nil {
				t.Error(err)
			}
			if _, err := s.FetchPackage(t.Context(), find(t, s, "two")); err == nil || !strings.Contains(err.Error(), "not cached") {
				t.Errorf("error %v", err)
			}
			if err := s.Filelists(t.Context(), func(*rpmmd.Filelist) error { return nil }); err == nil || !strings.Contains(err.Error(), "is not cached") {
				t.Errorf("error %v", err)
			}
			w.mode = Default // a mirror that has nothing does not spoil the cache
			if _, err := w.refresh(c); err == nil && source != "metalink" {
				t.Error("no error")
			}
			w.mode = CacheOnly
			s, err = w.refresh(c)
			check(t, s, err, "one two")
		})
	}
}

// Whatever mirrors do, a package is right or there is an error: the situations of
// librepo's tests of packages.
func TestPackageSituations(t *testing.T) {
	const rpmFile = ":one-1-1.noarch.rpm"
	for _, tt := range []struct{ mirrors, want string }{
		{"ok", ""},
		{"gone" + rpmFile, "status 404"},
		{"gone" + rpmFile + " ok", ""},
		{"flip" + rpmFile, "checksum mismatch"},
		{"flip" + rpmFile + " ok", ""},
		{"flip" + rpmFile + " flip" + rpmFile, "checksum mismatch"},
		{"flip" + rpmFile + " flip" + rpmFile + " ok", ""},
		{"short" + rpmFile, "size is"},
		{"short" + rpmFile + " ok", ""},
		{"long" + rpmFile, "size is"},
		{"long" + rpmFile + " ok", ""},
		{"down" + rpmFile, "status 503"},
		{"down" + rpmFile + " ok", ""},
		{"busy" + rpmFile, ""},
		{"cut" + rpmFile, ""},
		{"norange" + rpmFile, ""},
		{"cut" + rpmFile + " gone" + rpmFile + " ok", ""},
		{"gone" + rpmFile + " cut" + rpmFile, ""},
		{"cut" + rpmFile + " flip" + rpmFile + " ok", ""},
		{"slow" + rpmFile, "too slow"},
		{"slow" + rpmFile + " ok", ""},
		{"redirect" + rpmFile, ""},
		{"loop" + rpmFile, "too many redirects"},
		{"login" + rpmFile, "size is"},
		{"login" + rpmFile + " ok", ""},
		{"auth" + rpmFile, "status 401"},
		{"refused ok", ""},
	} {
		t.Run(tt.mirrors, func(t *testing.T) {
			t.Parallel()
			w := newStage(t)
			c := w.config("baseurl", tt.mirrors)
			d := w.downloader()
			s, err := d.Refresh(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			wants := []Wanted{{s, find(t, s, "one")}, {s, find(t, s, "two")}}
			paths, err := d.FetchPackages(t.Context(), wants, nil)
			if tt.want == "" && err == nil {
				checkPackages(t, w.world, paths, "one", "two")
				return
			}
			var pkg *PackageError
			if tt.want == "" || !errors.As(err, &pkg) || pkg.Package != "one-1-1.noarch" || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if _, ok := s.Cached(wants[0].Package); ok {
				t.Error("a wrong package was cached")
			}
		})
	}
}

// What an interrupted run has left is continued by the next, from the other mirror.
func TestResumeSituations(t *testing.T) {
	w := newStage(t)
	c := w.config("baseurl", "ok ok")
	s, err := w.refresh(c)
	if err != nil {
		t.Fatal(err)
	}
	p := find(t, s, "one")
	b, err := os.ReadFile(filepath.Join(w.repo, p.Location))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		part []byte
	}{
		{"a half", b[:len(b)/2]}, {"all", b}, {"nothing", nil}, {"too much", append(slices.Clone(b), 'x')}, {"something else", bytes.Repeat([]byte("x"), len(b)/2)},
	} {
		name, part := tt.name, tt.part
		target, _, err := s.packageRequest(p)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.RemovePackage(p); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(target+".part", part, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, m := range w.mirrors {
			m.got = nil
		}
		path, err := s.FetchPackage(t.Context(), p)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		checkPackages(t, w.world, []string{path}, "one")
		if name == "a half" && !slices.Equal(w.mirrors[0].got, []string{fmt.Sprintf("bytes=%d-", len(b)/2)}) {
			t.Errorf("ranges %q", w.mirrors[0].got)
		}
		if _, err := os.Stat(target + ".part"); err == nil {
			t.Errorf("%s: the part is still there", name)
		}
		if bases := s.mirrors.Bases(); bases[0] != c.BaseURL[0] {
			t.Errorf("%s: the mirror was blamed: %v", name, bases)
		}
	}
}

// Packages of several repositories, also of the same name, come from their own.
func TestSeveralRepositories(t *testing.T) {
	w := newStage(t)
	other := t.TempDir()
	makeRepo(t, other, "one")
	if err := os.Chtimes(filepath.Join(other, "one-1-1.noarch.rpm"), time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	a, b := w.config("baseurl", "ok"), config((&mirror{kind: "ok", dir: other}).start(t))
	b.ID = "other"
	d := w.downloader()
	list, skipped, err := d.RefreshAll(t.Context(), []rpmmd.RepoConfig{a, b})
	if err != nil || len(skipped) > 0 {
		t.Fatal(skipped, err)
	}
	paths, err := d.FetchPackages(t.Context(), []Wanted{{list[0], find(t, list[0], "one")}, {list[1], find(t, list[1], "one")}}, nil)
	if err != nil || filepath.Dir(paths[0]) == filepath.Dir(paths[1]) {
		t.Errorf("%v, %v", paths, err)
	}
	// The first error ends all.
	w.mirrors[0].kind = "gone"
	if err := list[0].RemovePackage(find(t, list[0], "one")); err != nil {
		t.Fatal(err)
	}
	_, err = d.FetchPackages(t.Context(), []Wanted{{list[0], find(t, list[0], "one")}, {list[1], find(t, list[1], "one")}}, nil)
	var pkg *PackageError
	if !errors.As(err, &pkg) || pkg.ID != "test" {
		t.Errorf("error %v", err)
	}
}

// Where files are: names as they are written in metadata.
func TestLocations(t *testing.T) {
	w := newStage(t)
	s, err := w.refresh(w.config("baseurl", "ok"))
	if err != nil {
		t.Fatal(err)
	}
	p := find(t, s, "one")
	b, err := os.ReadFile(filepath.Join(w.repo, p.Location))
	if err != nil {
		t.Fatal(err)
	}
	for _, location := range []string{"Packages/o/one.rpm", "a+b~c^d.rpm", "with blank.rpm", "x%20y.rpm", "q?x#y.rpm", "ü.rpm"} {
		served := location
		if location == "x%20y.rpm" { // escaped already
			served = "x y.rpm"
		}
		file := filepath.Join(w.repo, served)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, b, 0o644); err != nil {
			t.Fatal(err)
		}
		q := *p
		q.Location = location
		if _, err := s.FetchPackage(t.Context(), &q); err != nil {
			t.Errorf("%q: %v", location, err)
		}
	}
	elsewhere := (&mirror{kind: "ok", dir: w.repo}).start(t)
	for _, q := range []rpmmd.Package{{Base: elsewhere, Location: "Packages/o/one.rpm"}, {Location: elsewhere + "/Packages/o/one.rpm"}} {
		q.Checksum, q.Size = p.Checksum, p.Size
		if err := s.RemovePackage(&q); err != nil {
			t.Fatal(err)
		}
		w.mirrors[0].kind = "gone"
		if _, err := s.FetchPackage(t.Context(), &q); err != nil {
			t.Errorf("%+v: %v", q, err)
		}
	}
}

// Metadata in every compression, and as zchunk only.
func TestCompressions(t *testing.T) {
	for _, compression := range []string{"none", "gzip", "bzip2", "xz", "zstd", "zchunk only"} {
		w := newStage(t)
		o := createrepo.Options{Compression: compression}
		if compression == "zchunk only" {
			o = createrepo.Options{Zchunk: true}
		}
		o.Extra = []createrepo.Extra{{Type: "group", Name: "comps.xml", Data: []byte("<comps><group><id>g</id></group></comps>")}}
		md, err := createrepo.Write(t.Context(), w.repo, o)
		if err != nil {
			t.Fatal(err)
		}
		if o.Zchunk {
			md.Records = slices.DeleteFunc(md.Records, func(r rpmmd.Record) bool { return !strings.HasSuffix(r.Type, "_zck") })
			var b bytes.Buffer
			if err := md.Write(&b); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(w.repo, repomdPath), b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		c := w.config("baseurl", "ok")
		s, err := w.refresh(c)
		if err != nil {
			t.Fatalf("%s: %v", compression, err)
		}
		check(t, s, nil, "one two")
		n := 0
		if err := s.Filelists(t.Context(), func(*rpmmd.Filelist) error { n++; return nil }); err != nil || n != 2 {
			t.Errorf("%s: %d lists, error %v", compression, n, err)
		}
		if comps, err := s.Comps(t.Context()); err != nil || len(comps.Groups) != 1 {
			t.Errorf("%s: %v, error %v", compression, comps, err)
		}
		c.EnableGroups = false
		w.mode = CacheOnly
		if s, err = w.refresh(c); err != nil {
			t.Fatal(err)
		}
		if comps, err := s.Comps(t.Context()); err != nil || len(comps.Groups) != 0 {
			t.Errorf("%s: %v, error %v", compression, comps, err)
		}
	}
}

// What is read of a metadata file that is not what it should be names repository, file
// and place.
func TestParseErrors(t *testing.T) {
	w := newStage(t)
	if _, err := createrepo.Write(t.Context(), w.repo, createrepo.Options{Extra: []createrepo.Extra{
		{Type: "group", Name: "comps.xml", Data: []byte("<comps><group><id>&x;</id></group></comps>")},
		{Type: "updateinfo", Name: "updateinfo.xml", Data: []byte("<updates><update>")},
		{Type: "modules", Name: "modules.yaml", Data: []byte("---\na: [\n")},
	}}); err != nil {
		t.Fatal(err)
	}
	s, err := w.refresh(w.config("baseurl", "ok"))
	if err != nil {
		t.Fatal(err)
	}
	_, compsErr := s.Comps(t.Context())
	_, modulesErr := s.Modules(t.Context())
	for _, tt := range []struct {
		err  error
		want []string
	}{
		{compsErr, []string{"'test'", "comps.xml", "reading comps metadata: XML at byte ", "invalid entity"}},
		{s.Advisories(t.Context(), func(*rpmmd.Advisory) error { return nil }), []string{"'test'", "updateinfo.xml.gz", "reading updateinfo metadata: "}},
		{modulesErr, []string{"'test'", "modules.yaml.gz", "reading modules metadata: document 1: "}},
	} {
		for _, want := range tt.want {
			if tt.err == nil || !strings.Contains(tt.err.Error(), want) {
				t.Errorf("error %v, want %q", tt.err, want)
			}
		}
	}
}

// Options of the configuration reach the connections.
func TestConnectionOptions(t *testing.T) {
	c := rpmmd.NewRepoConfig("x")
	c.UserAgent, c.Username, c.Password, c.Timeout, c.MinRate, c.MaxRate = "a", "u", "p", time.Second, 5, 6
	c.Retries, c.MaxPerHost, c.IPVersion = 7, 2, 4
	c.Proxy, c.ProxyUsername, c.ProxyPassword = "http://proxy", "pu", "pp"
	c.SSL, c.ProxySSL = rpmmd.SSLConfig{Insecure: true, CACert: "ca"}, rpmmd.SSLConfig{ClientCert: "c", ClientKey: "k"}
	c.SSLVerifyStatus = true
	d := newWorld(t).downloader()
	got, err := d.fetchOptions(&c)
	if err != nil {
		t.Fatal(err)
	}
	got.Header, got.Backoff = nil, 0
	want := fetch.Options{
		UserAgent: "a", Username: "u", Password: "p", ConnectTimeout: time.Second, LowSpeedTime: time.Second, LowSpeed: 5, MaxRate: 6,
		Retries: 7, MaxPerHost: 2, IPVersion: 4, Proxy: "http://proxy", ProxyUsername: "pu", ProxyPassword: "pp", ProxyAuth: fetch.ProxyAny,
		TLS:      fetch.TLSOptions{Insecure: true, Status: true, CAFile: "ca"},
		ProxyTLS: fetch.TLSOptions{CertFile: "c", KeyFile: "k"},
	}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Errorf("%+v\nwant %+v", got, want)
	}
	auth := newStage(t)
	a := auth.config("baseurl", "auth")
	a.Username, a.Password = "u", "p"
	s, err := auth.refresh(a)
	check(t, s, err, "one two")
	a.Password = "wrong"
	auth.mode = Always
	s, err = auth.refresh(a)
	check(t, s, err, "status 401")
}

func TestFastestMirror(t *testing.T) {
	w := newStage(t)
	c := w.config("baseurl", "refused ok")
	c.FastestMirror = true
	d := w.downloader()
	s, err := d.Refresh(t.Context(), c)
	check(t, s, err, "one two")
	if got := s.mirrors.Bases(); got[0] != c.BaseURL[1] {
		t.Errorf("order %v", got)
	}
	// It is remembered, for a month.
	name := filepath.Join(w.cache, fastestName)
	if known := readProbes(name, w.now); len(known) != 2 || known["127.0.0.1:1"].took >= 0 {
		t.Errorf("%v", known)
	}
	if known := readProbes(name, w.now.Add(fastestExpire+time.Hour)); len(known) != 0 {
		t.Errorf("%v", known)
	}
	if err := os.WriteFile(name, []byte("nonsense\n\x00 1 2 3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := d.fastest(t.Context(), c.BaseURL); got[0] != c.BaseURL[1] {
		t.Errorf("order %v", got)
	}
}

// A machine is counted once a week, and its age grows.
func TestCountMe(t *testing.T) {
	w := newStage(t)
	var mu sync.Mutex
	var asked []string
	metalinkFor(t, w.repo, "", (&mirror{kind: "ok", dir: w.repo}).start(t))
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if n := r.URL.Query().Get("countme"); n != "" {
			asked = append(asked, n)
		}
		http.ServeFile(rw, r, filepath.Join(w.repo, "metalink"))
	}))
	t.Cleanup(srv.Close)
	c := rpmmd.NewRepoConfig("test")
	c.Metalink, c.CountMe = srv.URL+"/metalink?repo=x", true
	w.mode, w.now = Always, time.Unix(countmeOffset+100*countmeWeek, 0)
	weeks := func(n int) string {
		t.Helper()
		asked = nil
		for range 8 * n { // more often than the budget
			if _, err := w.refresh(c); err != nil {
				t.Fatal(err)
			}
			w.now = w.now.Add(countmeWeek * time.Second / 8)
		}
		return strings.Join(asked, "")
	}
	if got := weeks(1); got != "" {
		t.Errorf("counted %q though the caller did not allow it", got)
	}
	w.opts.CountMe = true
	if got, want := weeks(26), "1"+strings.Repeat("2", 3)+strings.Repeat("3", 20)+"44"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	c.CountMe = false
	if got := weeks(1); got != "" {
		t.Errorf("counted %q though the repository does not ask for it", got)
	}
}

// Small files that become large are given up, whatever they are compressed with.
func TestBombs(t *testing.T) {
	xml := append([]byte("<metadata>"), bytes.Repeat([]byte("<x></x>"), MinOpenSize/7+1000)...)
	for _, f := range []compress.Format{compress.Zstd, compress.Zchunk} {
		w := newStage(t)
		var b bytes.Buffer
		z, err := compress.NewWriter(&b, f, 1)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := z.Write(xml); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		sum := sha512.Sum512(b.Bytes())
		md := rpmmd.Repomd{Records: []rpmmd.Record{{Type: "primary", Location: "repodata/bomb", Checksum: rpmmd.Checksum{Type: "sha512", Hex: fmt.Sprintf("%x", sum)}}}}
		var repomd bytes.Buffer
		if err := md.Write(&repomd); err != nil {
			t.Fatal(err)
		}
		for name, b := range map[string][]byte{"bomb": b.Bytes(), repomdName: repomd.Bytes()} {
			if err := os.WriteFile(filepath.Join(w.repo, "repodata", name), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		s, err := w.refresh(w.config("baseurl", "ok"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Index(t.Context())
		if !errors.Is(err, compress.ErrTooLarge) || !strings.Contains(err.Error(), "'test': repodata/bomb: reading primary metadata: ") {
			t.Errorf("%v: error %v", f, err)
		}
	}
	for size, want := range map[int64]int64{0: MinOpenSize, 1 << 10: MinOpenSize, 1 << 20: MaxRatio << 20, 1 << 40: MaxOpenSize} {
		if got := openLimit(size); got != want {
			t.Errorf("openLimit(%d) = %d, want %d", size, got, want)
		}
	}
}
