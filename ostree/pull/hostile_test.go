package pull

import (
	"bytes"
	"cmp"
	"compress/flate"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"rpmostree/gvariant"
	"rpmostree/ostree"
	"rpmostree/ostree/delta"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/tree"
)

// requests counts what a server was asked for, by the suffix of the name, or all of it.
type requests struct {
	mu sync.Mutex
	n  map[string]int
}

func newRequests() *requests { return &requests{n: map[string]int{}} }

func (r *requests) wrap(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.n[cmp.Or(path.Ext(req.URL.Path), path.Base(req.URL.Path))]++
		r.mu.Unlock()
		h.ServeHTTP(w, req)
	})
}

func (r *requests) count(ext string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n[ext]
}

// lie makes a server that answers with lies where the path has the suffix.
func lie(suffix string, answer http.HandlerFunc) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if strings.HasSuffix(req.URL.Path, suffix) {
				answer(w, req)
				return
			}
			h.ServeHTTP(w, req)
		})
	}
}

// endless sends until the client has had enough.
func endless(w http.ResponseWriter, req *http.Request) {
	block := make([]byte, 64<<10)
	for req.Context().Err() == nil {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

func short(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1000")
	io.WriteString(w, "less")
}

// enormous says how much it would send, and that is refused.
func enormous(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Length", "1099511627776")
	io.WriteString(w, "less")
}

func toFile(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Location", "file:///etc/passwd")
	w.WriteHeader(http.StatusFound)
}

func silent(w http.ResponseWriter, req *http.Request) {
	w.(http.Flusher).Flush()
	<-req.Context().Done()
}

func answer(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, body) }
}

// testMetadata is Options.MaxMetadataSize of those who ask liars.
const testMetadata = 256 << 10

// limits are what may be sent of files that have limits of their own.
var limits = map[string]int{"config": maxConfig, "refs/heads/x": maxRef}

// lies are answers that no client should take, and what it should say.
var lies = map[string]struct {
	lie  http.HandlerFunc
	want string
}{
	"garbage":    {answer("this is no such thing\x00\xff"), ""},
	"empty":      {answer(""), ""},
	"endless":    {endless, "exceeded maximum size of "},
	"enormous":   {enormous, "exceeded maximum size of "},
	"cut short":  {short, ""},
	"to a file":  {toFile, "unsupported protocol"},
	"silent":     {silent, "too slow"},
	"broken":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, "Server returned HTTP 500"},
	"in circles": {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }, "too many redirects"},
	"wrong range": {func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Range", "bytes 5-x/2")
		w.WriteHeader(http.StatusPartialContent)
	}, "Content-Range"},
}

// TestHostileRemote: whatever a server does, the pull fails with a word about it,
// leaves no ref and nothing broken, and the next one from an honest server succeeds.
func TestHostileRemote(t *testing.T) {
	kinds := map[string]string{"config": "config", "summary": "summary", "signature": "summary.sig", "ref": "refs/heads/x", "commit": ".commit", "detached": ".commitmeta", "dirtree": ".dirtree", "dirmeta": ".dirmeta", "file": ".filez"}
	src, _, _, second := serveTree(t, small, nil)
	files := http.FileServer(http.Dir(src.Path()))
	honest := httptest.NewServer(files)
	t.Cleanup(honest.Close)
	for kind, suffix := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			for name, a := range lies {
				if (kind == "signature" || kind == "detached") && (name == "garbage" || name == "empty") {
					continue // nobody asks what is in it where no signature is demanded
				}
				liar := httptest.NewServer(lie(suffix, a.lie)(files))
				r := newRepo(t, repo.BareUser)
				addRemote(t, r, liar.URL)
				o := Options{Refs: []string{"x"}, Retries: -1, LowSpeedSeconds: 1, MaxMetadataSize: testMetadata}
				_, err := Pull(context.Background(), r, "origin", o)
				what := kind + " " + name
				if kind == "file" && name == "endless" {
					a.want = "" // whatever its header says
				}
				a.want = withLimit(a.want, kind, suffix)
				if err == nil || !strings.Contains(err.Error(), a.want) {
					t.Errorf("%s: error %v, want %q", what, err, a.want)
				}
				if refs, _ := r.Refs(); len(refs) != 0 {
					t.Errorf("%s: refs %v", what, refs)
				}
				liar.Close()
				o.URL, o.LowSpeedSeconds = honest.URL, 0
				if _, err := Pull(context.Background(), r, "origin", o); err != nil {
					t.Errorf("%s: the honest server: %v", what, err)
				}
				if partial, _ := r.IsPartial(second); partial {
					t.Errorf("%s: commit is partial", what)
				}
				fsckClean(t, r)
				nothingLeft(t, r)
			}
		})
	}
}

// withLimit completes what an error says about a limit: which file has more, and than what.
func withLimit(want, kind, suffix string) string {
	if !strings.HasPrefix(want, "exceeded") || kind == "file" || kind == "part" {
		return want
	}
	return fmt.Sprintf("%s %s%d bytes", suffix, want, cmp.Or(limits[suffix], testMetadata))
}

// nothingLeft looks for what a pull leaves behind in the temporary directory.
func nothingLeft(t *testing.T, r *repo.Repo) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(r.Path(), "tmp"))
	if err != nil {
		t.Error(err)
	}
	for _, e := range entries {
		if e.Name() != "cache" {
			t.Errorf("%s was left behind", e.Name())
		}
	}
}

// TestHostileDeltaRemote is TestHostileRemote for what static deltas are made of.
func TestHostileDeltaRemote(t *testing.T) {
	src, url, first, second, _ := serveDelta(t, delta.Options{})
	files := http.FileServer(http.Dir(src.Path()))
	for kind, suffix := range map[string]string{"superblock": "/superblock", "part": "/0", "index": ".index"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			for name, a := range lies {
				if name == "empty" && kind == "index" {
					continue // it lists nothing: the summary does
				}
				liar := httptest.NewServer(lie(suffix, a.lie)(files))
				r := newRepo(t, repo.BareUser)
				addRemote(t, r, url)
				if _, err := Pull(context.Background(), r, "origin", Options{Refs: []string{"x@" + first.String()}, DisableDeltas: true}); err != nil {
					t.Fatal(err)
				}
				o := Options{Refs: []string{"x"}, URL: liar.URL, Retries: -1, LowSpeedSeconds: 1, MaxMetadataSize: testMetadata}
				a.want = withLimit(a.want, kind, suffix)
				if _, err := Pull(context.Background(), r, "origin", o); err == nil || !strings.Contains(err.Error(), a.want) {
					t.Errorf("%s %s: error %v, want %q", kind, name, err, a.want)
				}
				if c, _ := r.ResolveRev("origin:x"); c != first {
					t.Errorf("%s %s: the ref is %s", kind, name, c)
				}
				liar.Close()
				fsckClean(t, r)
				stats, err := Pull(context.Background(), r, "origin", Options{Refs: []string{"x"}, RequireDeltas: true})
				if c, _ := r.ResolveRev("origin:x"); err != nil || c != second || stats.DeltaParts == 0 {
					t.Errorf("%s %s: the honest server: %v, %+v", kind, name, err, stats)
				}
				fsckClean(t, r)
				nothingLeft(t, r)
			}
		})
	}
}

// forge adds an object that its checksum fits, whatever it is.
func forge(t *testing.T, src *repo.Repo, typ ostree.ObjectType, data []byte) ostree.Checksum {
	t.Helper()
	sum := ostree.ChecksumOf(data)
	forgeAs(t, src, typ, sum, data)
	return sum
}

// forgeAs adds an object that may not fit its checksum.
func forgeAs(t *testing.T, src *repo.Repo, typ ostree.ObjectType, sum ostree.Checksum, data []byte) {
	t.Helper()
	file := src.ObjectPath(typ, sum)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestMalformedObjects pulls objects with the right checksum and wrong content.
func TestMalformedObjects(t *testing.T) {
	src, url, first, _ := serveTree(t, small, nil)
	c, err := src.Commit(first)
	if err != nil {
		t.Fatal(err)
	}
	dirtree := func(file, dir string) []byte {
		sum := gvariant.Bytes(c.Tree[:])
		return gvariant.Tuple(gvariant.Array("(say)", gvariant.Tuple(gvariant.String(file), sum)),
			gvariant.Array("(sayay)", gvariant.Tuple(gvariant.String(dir), sum, gvariant.Bytes(c.Meta[:])))).Bytes()
	}
	dirmeta := func(mode uint32) []byte {
		return gvariant.Tuple(gvariant.Uint32(0), gvariant.Uint32(0), gvariant.Uint32(mode), gvariant.Array("(ayay)")).Bytes()
	}
	commit := func(tree, meta ostree.Checksum) []byte {
		x := *c
		x.Tree, x.Meta = tree, meta
		return x.Marshal()
	}
	treeOf := func(data []byte) []byte { return commit(forge(t, src, ostree.ObjectDirTree, data), c.Meta) }
	for name, data := range map[string][]byte{
		"commit of garbage":         []byte("garbage"),
		"commit cut short":          c.Marshal()[:60],
		"tree of garbage":           treeOf([]byte("garbage")),
		"empty tree object":         treeOf(nil),
		"tree that goes up":         treeOf(dirtree("../x", "a")),
		"tree with a slash":         treeOf(dirtree("a/b", "a")),
		"tree with dot dot":         treeOf(dirtree("a", "..")),
		"tree with a dot":           treeOf(dirtree(".", "b")),
		"tree with no name":         treeOf(dirtree("", "b")),
		"tree of what is missing":   treeOf(dirtree("a", "b")),
		"directory that is a file":  commit(c.Tree, forge(t, src, ostree.ObjectDirMeta, dirmeta(0x10000644>>12))),
		"directory of garbage":      commit(c.Tree, forge(t, src, ostree.ObjectDirMeta, []byte("garbage"))),
		"tree and meta are swapped": commit(c.Meta, c.Tree),
	} {
		sum := forge(t, src, ostree.ObjectCommit, data)
		r := newRepo(t, repo.BareUser)
		addRemote(t, r, url)
		if _, err := Pull(context.Background(), r, "origin", Options{Refs: []string{"x@" + sum.String()}, Retries: -1, DisableDeltas: true}); err == nil {
			t.Errorf("%s: pulled", name)
		}
		if refs, _ := r.Refs(); len(refs) != 0 {
			t.Errorf("%s: refs %v", name, refs)
		}
		fsckClean(t, r)
		local := newRepo(t, repo.BareUser)
		if _, err := Pull(context.Background(), local, "file://"+src.Path(), Options{Refs: []string{sum.String()}, Untrusted: true}); err == nil {
			t.Errorf("%s: pulled from the directory", name)
		}
	}
}

// TestForgedTrees pulls trees that are right, but not what anyone would make.
func TestForgedTrees(t *testing.T) {
	asked := newRequests()
	src, url, first, _ := serveTree(t, small, asked.wrap)
	c, err := src.Commit(first)
	if err != nil {
		t.Fatal(err)
	}
	root, err := src.DirTree(c.Tree)
	if err != nil {
		t.Fatal(err)
	}
	commit := func(tree ostree.Checksum) string {
		x := *c
		x.Tree = tree
		return "x@" + forge(t, src, ostree.ObjectCommit, x.Marshal()).String()
	}
	pull := func(ref string, mode repo.Mode) (*repo.Repo, error) {
		r := newRepo(t, mode)
		addRemote(t, r, url)
		_, err := Pull(context.Background(), r, "origin", Options{Refs: []string{ref}, Retries: -1, DisableDeltas: true})
		if refs, _ := r.Refs(); (err == nil) != (len(refs) == 1) {
			t.Errorf("error %v, refs %v", err, refs)
		}
		fsckClean(t, r)
		nothingLeft(t, r)
		return r, err
	}

	chain := []ostree.Checksum{forge(t, src, ostree.ObjectDirTree, ostree.DirTree{}.Marshal())}
	for range 2 * tree.MaxDepth {
		d := ostree.DirTree{Dirs: []ostree.TreeDir{{Name: "d", Tree: chain[len(chain)-1], Meta: c.Meta}}}
		chain = append(chain, forge(t, src, ostree.ObjectDirTree, d.Marshal()))
	}
	if _, err := pull(commit(chain[tree.MaxDepth]), repo.BareUser); err != nil {
		t.Errorf("deep: %v", err)
	}
	before := asked.count(".dirtree")
	if _, err := pull(commit(chain[2*tree.MaxDepth]), repo.BareUser); err == nil || !strings.Contains(err.Error(), "nested deeper than") {
		t.Errorf("too deep: error %v", err)
	}
	if n := asked.count(".dirtree") - before; n != tree.MaxDepth+1 {
		t.Errorf("too deep: asked for %d directories", n)
	}

	// What is not deep where it is met first may be elsewhere.
	far := chain[tree.MaxDepth-10]
	for range 10 {
		far = forge(t, src, ostree.ObjectDirTree, ostree.DirTree{Dirs: []ostree.TreeDir{{Name: "e", Tree: far, Meta: c.Meta}}}.Marshal())
	}
	for name, want := range map[string]bool{"d": true, "e": false} {
		dirs := []ostree.TreeDir{{Name: "a", Tree: chain[tree.MaxDepth-10], Meta: c.Meta}, {Name: "z", Tree: far, Meta: c.Meta}}
		if want { // not in a directory more
			dirs[1].Tree = chain[tree.MaxDepth-1]
		}
		if _, err := pull(commit(forge(t, src, ostree.ObjectDirTree, ostree.DirTree{Dirs: dirs}.Marshal())), repo.BareUser); (err == nil) != want || err != nil && !errors.Is(err, tree.ErrTooDeep) {
			t.Errorf("deep elsewhere, %s: error %v", name, err)
		}
	}

	var many ostree.DirTree
	for i := range 20000 {
		many.Files = append(many.Files, ostree.TreeFile{Name: fmt.Sprintf("f%05d", i), Checksum: root.Files[0].Checksum})
		many.Dirs = append(many.Dirs, ostree.TreeDir{Name: fmt.Sprintf("d%05d", i), Tree: chain[0], Meta: c.Meta})
	}
	before = asked.count(".dirtree") + asked.count(".dirmeta") + asked.count(".filez")
	if _, err := pull(commit(forge(t, src, ostree.ObjectDirTree, many.Marshal())), repo.BareUser); err != nil {
		t.Errorf("many names: %v", err)
	}
	if n := asked.count(".dirtree") + asked.count(".dirmeta") + asked.count(".filez") - before; n != 4 {
		t.Errorf("many names: asked for %d objects, not 4", n)
	}

	// What a file is named after is the content that its header tells the size of.
	zeros := deflate(t, 64<<20)
	empty := append(bytes.Repeat([]byte{0, 0, 0, 0xff, 0xff}, 20<<10), deflate(t, 0)...)
	for name, size := range map[string]uint64{"bomb": 10, "of nothing": 0, "larger than a disk": 1 << 61, "larger than a number": 1 << 63, "empty blocks": 0} {
		h := ostree.FileHeader{Mode: 0o100644}
		file, err := ostree.FileChecksum(h, bytes.NewReader(make([]byte, min(size, 10))))
		if err != nil {
			t.Fatal(err)
		}
		z := ostree.ZFileHeader{Size: size, FileHeader: h}
		content := zeros
		if name == "empty blocks" {
			content = empty
		}
		forgeAs(t, src, ostree.ObjectFile, file, append(ostree.Framed(z.Marshal()), content...))
		d := ostree.DirTree{Files: []ostree.TreeFile{{Name: "f", Checksum: file}}}
		ref := commit(forge(t, src, ostree.ObjectDirTree, d.Marshal()))
		want := "has not the size that its header tells"
		switch name {
		case "larger than a disk":
			want = "would be exceeded"
		case "empty blocks":
			want = "content of archived file of 0 bytes has more than 65536 bytes compressed"
		}
		for _, mode := range []repo.Mode{repo.BareUser, repo.Archive} {
			if _, err := pull(ref, mode); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file.String()[2:]) {
				t.Errorf("%s: error %v, want %q and the object", name, err, want)
			}
		}
	}
}

// deflate returns zeros that were compressed.
func deflate(t *testing.T, zeros int64) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := flate.NewWriter(&buf, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 1<<20)
	for ; zeros > 0; zeros -= int64(len(block)) {
		w.Write(block)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// TestHostileSummary pulls by summaries that lie.
func TestHostileSummary(t *testing.T) {
	src, url, _, second := serveTree(t, small, nil)
	write := func(name string, sum ostree.Checksum, size uint64, meta *gvariant.Dict) {
		s := ostree.Summary{Refs: []ostree.SummaryRef{{Name: name, Size: size, Checksum: sum}}, Metadata: meta.Value()}
		if err := src.WriteSummary(s.Marshal(), nil); err != nil {
			t.Fatal(err)
		}
	}
	dict := func(key string, v gvariant.Value) *gvariant.Dict {
		var d gvariant.Dict
		d.Set(key, v)
		return &d
	}
	for name, tt := range map[string]struct {
		make func()
		want string
	}{
		"a commit that is larger than it says": {func() { write("x", second, 10, &gvariant.Dict{}) }, "exceeded maximum size of 10 bytes"},
		"a commit that is not there":           {func() { write("x", ostree.ChecksumOf([]byte("x")), 100, &gvariant.Dict{}) }, "Server returned HTTP 404"},
		"a ref that goes up":                   {func() { write("../../x", second, 0, &gvariant.Dict{}) }, "Invalid ref name"},
		"a delta with another name": {func() {
			write("x", second, 0, dict(ostree.KeySummaryStaticDeltas, gvariant.Array("{sv}", gvariant.DictEntry(gvariant.String("../x"), gvariant.Variant(gvariant.Bytes(nil))))))
		}, "Invalid"},
		"a repository that cannot be read from": {func() {
			write("x", second, 0, func() *gvariant.Dict {
				d := dict(ostree.KeySummaryMode, gvariant.String("bare"))
				d.Set(ostree.KeySummaryTombstones, gvariant.Bool(false))
				return d
			}())
		}, `Can't pull from archives with mode "bare"`},
		"a collection of that name": {func() { write("x", second, 0, dict(ostree.KeySummaryCollectionID, gvariant.String("../../x"))) }, "Invalid collection ID"},
	} {
		tt.make()
		r := newRepo(t, repo.BareUser)
		addRemote(t, r, url)
		_, err := Pull(context.Background(), r, "origin", Options{Refs: []string{"x"}, Retries: -1})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", name, err, tt.want)
		}
		if refs, _ := r.Refs(); len(refs) != 0 {
			t.Errorf("%s: refs %v", name, refs)
		}
	}
}

// TestBrokenTransfersAreContinued serves large files in pieces: each connection ends
// after a while.
func TestBrokenTransfersAreContinued(t *testing.T) {
	pieces := 0
	var mu sync.Mutex
	_, url, _, _ := serve(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if !strings.HasSuffix(req.URL.Path, ".filez") {
				h.ServeHTTP(w, req)
				return
			}
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, req)
			for k, v := range rec.Header() {
				w.Header()[k] = v
			}
			w.Header().Del("Etag")
			w.WriteHeader(rec.Code)
			body := rec.Body.Bytes()
			if len(body) > 20<<10 {
				mu.Lock()
				pieces++
				mu.Unlock()
				w.Write(body[:20<<10])
				panic(http.ErrAbortHandler)
			}
			w.Write(body)
		})
	})
	r := newRepo(t, repo.BareUser)
	addRemote(t, r, url)
	if _, err := Pull(context.Background(), r, "origin", Options{Refs: []string{"x"}}); err != nil {
		t.Fatal(err)
	}
	if pieces == 0 {
		t.Error("no transfer was broken")
	}
	fsckClean(t, r)
}

func TestMetalinkAndMirrors(t *testing.T) {
	src, url, _, second := serveTree(t, small, nil)
	if err := src.UpdateSummary(context.Background(), repo.SummaryOptions{}); err != nil {
		t.Fatal(err)
	}
	summary, _, _ := src.ReadSummary()
	dead := httptest.NewServer(http.NotFoundHandler())
	defer dead.Close()
	links := http.NewServeMux()
	links.Handle("/metalink", answer(metalinkText(fmt.Sprintf("<size>%d</size>", len(summary)), `<hash type="sha256">`+ostree.ChecksumOf(summary).String()+`</hash>`,
		`<url protocol="http" preference="9">`+dead.URL+`/summary</url><url protocol="http" preference="5">`+url+`/config</url><url protocol="http">`+url+`/summary</url>`)))
	links.Handle("/mirrors", answer("# mirrors\nfile://"+src.Path()+"\n"+dead.URL+"\n"+url+"\n"+dead.URL+"\n"))
	links.HandleFunc("/endless", endless)
	links.HandleFunc("/to-endless", func(w http.ResponseWriter, req *http.Request) {
		answer(metalinkText("<size>10</size>", `<hash type="sha256">`+ostree.ChecksumOf(summary).String()+`</hash>`, `<url protocol="http">http://`+req.Host+`/endless</url>`))(w, req)
	})
	links.Handle("/none", answer("file://"+src.Path()+"\n"+dead.URL+"\n"))
	server := httptest.NewServer(links)
	defer server.Close()
	for remote, want := range map[string]string{
		"metalink=" + server.URL + "/metalink": "", "mirrorlist=" + server.URL + "/mirrors": "",
		"metalink=" + server.URL + "/mirrors": "Document must begin with an element", "mirrorlist=" + server.URL + "/none": "No valid mirrors were found in mirrorlist",
		"metalink=" + server.URL + "/endless": "/endless exceeded maximum size of 1048576 bytes", "mirrorlist=" + server.URL + "/endless": "/endless exceeded maximum size of 1048576 bytes",
		"metalink=" + server.URL + "/to-endless": fmt.Sprintf("/endless exceeded maximum size of %d bytes", testMetadata),
		"mirrorlist=" + dead.URL:                 "While fetching mirrorlist", "gopher://x": "Invalid URI scheme in gopher://x",
	} {
		r := newRepo(t, repo.BareUser)
		addRemote(t, r, remote)
		_, err := Pull(context.Background(), r, "origin", Options{Refs: []string{"x"}, Retries: -1, MaxMetadataSize: testMetadata})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", remote, err, want)
		}
		if c, _ := r.ResolveRev("origin:x"); want == "" && c != second {
			t.Errorf("%s: ref %s", remote, c)
		}
	}
}

// TestSummaryIsAskedFor: what has not changed is not sent again.
func TestSummaryIsAskedFor(t *testing.T) {
	codes := map[string][]int{}
	src, url, _, _ := serveTree(t, small, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			rec := httptest.NewRecorder()
			if strings.HasPrefix(req.URL.Path, "/summary") {
				w.Header().Set("ETag", `"`+path.Base(req.URL.Path)+`"`)
				rec.Header().Set("ETag", w.Header().Get("ETag"))
			}
			h.ServeHTTP(rec, req)
			codes[req.URL.Path] = append(codes[req.URL.Path], rec.Code)
			for k, v := range rec.Header() {
				w.Header()[k] = v
			}
			w.WriteHeader(rec.Code)
			io.Copy(w, rec.Body)
		})
	})
	ctx := context.Background()
	if err := src.UpdateSummary(ctx, repo.SummaryOptions{Sign: func([]byte) ([]byte, error) { return []byte("signature"), nil }}); err != nil {
		t.Fatal(err)
	}
	made := time.Unix(1e9, 0)
	for _, name := range []string{"summary", "summary.sig"} {
		if err := os.Chtimes(filepath.Join(src.Path(), name), made, made); err != nil {
			t.Fatal(err)
		}
	}
	r := newRepo(t, repo.BareUser)
	addRemote(t, r, url)
	cacheDir := t.TempDir()
	o := Options{Refs: []string{"x"}, CacheDir: cacheDir, Workers: 1}
	for range 2 {
		if _, err := Pull(ctx, r, "origin", o); err != nil {
			t.Fatal(err)
		}
	}
	if got := fmt.Sprint(codes["/summary.sig"], codes["/summary"]); got != "[200 304] [200]" {
		t.Errorf("answers %s", got)
	}
	// A cache that was spoiled is left alone.
	want, _, _ := src.ReadSummary()
	for _, name := range []string{"origin", "origin.sig"} {
		file := filepath.Join(cacheDir, "summaries", name)
		st, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		if !st.ModTime().Equal(made) {
			t.Errorf("%s is of %s", name, st.ModTime())
		}
	}
	if err := os.WriteFile(filepath.Join(cacheDir, "summaries/origin"), []byte("spoiled"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Pull(ctx, r, "origin", o); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(cacheDir, "summaries/origin")); err != nil || !bytes.Equal(got, want) {
		t.Errorf("cache %q, %v", got, err)
	}
}
