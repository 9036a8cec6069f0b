package pull

import (
	"context"
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
	"rpmostree/ostree"
	"rpmostree/ostree/delta"
	"rpmostree/ostree/repo"
)

// small is a tree of which a delta is made soon.
var small = treetest.Options{Seed: 7, Files: 12, MaxSize: 6 << 10, Owners: isRoot}

// serveDelta is serve, of a small tree, with a delta between the two commits, and one from nothing to
// the first. It returns how often objects were asked for, by suffix of their names.
func serveDelta(t testing.TB, o delta.Options) (src *repo.Repo, url string, first, second ostree.Checksum, asked *requests) {
	t.Helper()
	asked = newRequests()
	src, url, first, second = serveTree(t, small, asked.wrap)
	for _, n := range []delta.Name{{To: first}, {From: first, To: second}} {
		if _, err := delta.Generate(context.Background(), src, n, o); err != nil {
			t.Fatal(err)
		}
	}
	if err := src.UpdateSummary(context.Background(), repo.SummaryOptions{}); err != nil {
		t.Fatal(err)
	}
	return src, url, first, second, asked
}

func TestPullDelta(t *testing.T) {
	ctx := context.Background()
	for name, o := range map[string]delta.Options{
		"little": {}, "big": {Order: binary.BigEndian}, "inline": {Inline: true}, "many parts": {MaxChunkSize: 8 << 10}, "fallbacks": {MinFallbackSize: 2 << 10},
	} {
		_, url, first, second, asked := serveDelta(t, o)
		r := newRepo(t, repo.BareUser)
		addRemote(t, r, url)
		pull := func(ref string, want ostree.Checksum, o Options) Stats {
			t.Helper()
			o.Refs, o.RequireDeltas = []string{ref}, true
			stats, err := Pull(ctx, r, "origin", o)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if c, _ := r.ResolveRev("origin:x"); c != want && !o.DryRun {
				t.Errorf("%s: ref %s, want %s", name, c, want)
			}
			return stats
		}
		dry := pull("x@"+first.String(), first, Options{DryRun: true})
		if ok, _ := r.Has(ostree.ObjectCommit, first); ok || dry.Delta.Parts == 0 || dry.Delta.HaveParts != 0 || dry.Delta.USize == 0 || dry.DeltaParts != 0 {
			t.Errorf("%s: dry run: %+v", name, dry)
		}
		stats := pull("x@"+first.String(), first, Options{})
		if stats.DeltaParts+stats.Content != dry.Delta.Parts || name != "fallbacks" && stats.Content != 0 || name == "fallbacks" && stats.Content == 0 {
			t.Errorf("%s: %+v, %+v", name, stats, dry)
		}
		pull("x", second, Options{})
		if n := asked.count(".dirtree") + asked.count(".dirmeta") + asked.count(".commit"); n != 0 {
			t.Errorf("%s: %d metadata objects were fetched", name, n)
		}
		for _, c := range []ostree.Checksum{first, second} {
			if partial, _ := r.IsPartial(c); partial {
				t.Errorf("%s: %s is partial", name, c)
			}
		}
		if stats := pull("x", second, Options{}); stats.DeltaParts != 0 || stats.Content != 0 {
			t.Errorf("%s: again: %+v", name, stats)
		}
		for _, pattern := range []string{".tmp-*", "ostree-delta-*"} {
			if left, err := filepath.Glob(filepath.Join(r.Path(), "tmp", pattern)); err != nil || len(left) > 0 {
				t.Errorf("%s: left behind: %v, %v", name, left, err)
			}
		}
		fsckClean(t, r)
	}
}

// TestWhichDelta tells which deltas are followed.
func TestWhichDelta(t *testing.T) {
	ctx := context.Background()
	src, url, first, second, _ := serveDelta(t, delta.Options{})
	for _, tt := range []struct {
		name   string
		before string // pulled before
		o      Options
		parts  bool
		err    string
	}{
		{name: "nothing leads to the second from nowhere", o: Options{Refs: []string{"x"}}},
		{name: "required", o: Options{Refs: []string{"x"}, RequireDeltas: true}, err: "Static deltas required, but none found for x to " + second.String()},
		{name: "from the first", before: "x@" + first.String(), o: Options{Refs: []string{"x"}}, parts: true},
		{name: "from the first, by checksum", before: "x@" + first.String(), o: Options{Refs: []string{second.String()}}, parts: true},
		{name: "disabled", before: "x@" + first.String(), o: Options{Refs: []string{"x"}, DisableDeltas: true}},
		{name: "from nothing", o: Options{Refs: []string{"x@" + first.String()}}, parts: true},
		{name: "from nothing, with another version here", before: "x@" + second.String(), o: Options{Refs: []string{"x@" + first.String()}}},
		{name: "from nothing, with another version here, required", before: "x@" + second.String(), o: Options{Refs: []string{"x@" + first.String()}, RequireDeltas: true}, parts: true},
		{name: "only commits", before: "x@" + first.String(), o: Options{Refs: []string{"x"}, CommitMetadataOnly: true}},
		{name: "subpath", before: "x@" + first.String(), o: Options{Refs: []string{"x"}, Subpaths: []string{"/sub"}}},
		{name: "from a directory", before: "x@" + first.String(), o: Options{Refs: []string{"x"}, URL: "file://" + src.Path(), RequireDeltas: true}, parts: true},
		{name: "objects of a directory", before: "x@" + first.String(), o: Options{Refs: []string{"x"}, URL: "file://" + src.Path()}},
	} {
		r := newRepo(t, repo.BareUser)
		addRemote(t, r, url)
		if tt.before != "" {
			if _, err := Pull(ctx, r, "origin", Options{Refs: []string{tt.before}, DisableDeltas: true}); err != nil {
				t.Fatal(err)
			}
		}
		stats, err := Pull(ctx, r, "origin", tt.o)
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.err)
		}
		if stats.DeltaParts > 0 != tt.parts {
			t.Errorf("%s: %+v", tt.name, stats)
		}
	}
	archive := newRepo(t, repo.Archive)
	addRemote(t, archive, url)
	if _, err := Pull(ctx, archive, "origin", Options{Refs: []string{"x"}, RequireDeltas: true}); err == nil || err.Error() != "Can't use static deltas in an archive repo" {
		t.Errorf("archive: %v", err)
	}
	if stats, err := Pull(ctx, archive, "origin", Options{Refs: []string{"x@" + first.String()}}); err != nil || stats.DeltaParts != 0 {
		t.Errorf("archive: %+v, %v", stats, err)
	}
}

// TestIncompleteDelta pulls by a delta that claims less than its commit needs.
func TestIncompleteDelta(t *testing.T) {
	src, url, first, second, _ := serveDelta(t, delta.Options{})
	n := delta.Name{From: first, To: second}
	path := filepath.Join(src.Path(), n.Dir(), "superblock")
	f, err := delta.Open(src, n)
	if err != nil {
		t.Fatal(err)
	}
	f.Superblock.Parts = nil
	if err := os.WriteFile(path, f.Superblock.Marshal(), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := src.UpdateSummary(context.Background(), repo.SummaryOptions{}); err != nil {
		t.Fatal(err)
	}
	r := newRepo(t, repo.BareUser)
	addRemote(t, r, url)
	for _, ref := range []string{"x@" + first.String(), "x"} {
		if _, err := Pull(context.Background(), r, "origin", Options{Refs: []string{ref}}); err != nil {
			t.Fatal(err)
		}
	}
	fsckClean(t, r)
}

func TestPullBadDelta(t *testing.T) {
	for name, tt := range map[string]struct {
		file    string
		spoil   func([]byte) []byte
		summary bool // made after that
		want    string
	}{
		"superblock that is not the one listed": {"superblock", flip, false, "Invalid checksum for static delta"},
		"superblock of garbage":                 {"superblock", func([]byte) []byte { return []byte("garbage") }, true, "superblock"},
		"part that was changed":                 {"0", flip, false, "Corrupted static delta part"},
		"part cut short":                        {"0", func(b []byte) []byte { return b[:len(b)/2] }, false, "Corrupted static delta part"},
		"part too long":                         {"0", func(b []byte) []byte { return append(b, 0) }, false, "exceeded maximum size"},
		"no part":                               {"0", nil, false, "Server returned HTTP 404"},
	} {
		src, url, first, second, _ := serveDelta(t, delta.Options{})
		path := filepath.Join(src.Path(), delta.Name{From: first, To: second}.Dir(), tt.file)
		data, err := os.ReadFile(path)
		if err == nil && tt.spoil != nil {
			err = os.WriteFile(path, tt.spoil(data), 0o644)
		} else if err == nil {
			err = os.Remove(path)
		}
		if err != nil {
			t.Fatal(err)
		}
		if tt.summary {
			if err := src.UpdateSummary(context.Background(), repo.SummaryOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		r := newRepo(t, repo.BareUser)
		addRemote(t, r, url)
		if _, err := Pull(context.Background(), r, "origin", Options{Refs: []string{"x@" + first.String()}}); err != nil {
			t.Fatal(err)
		}
		_, err = Pull(context.Background(), r, "origin", Options{Refs: []string{"x"}, Retries: -1})
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", name, err, tt.want)
		}
		if c, _ := r.ResolveRev("origin:x"); c != first {
			t.Errorf("%s: the ref changed", name)
		}
		fsckClean(t, r)
		if _, err := Pull(context.Background(), r, "origin", Options{Refs: []string{"x"}, DisableDeltas: true}); err != nil {
			t.Errorf("%s: without deltas: %v", name, err)
		}
		fsckClean(t, r)
	}
}

// TestBadMirror pulls from two mirrors, of which the first has wrong bytes of one kind.
func TestBadMirror(t *testing.T) {
	src, url, first, second, _ := serveDelta(t, delta.Options{})
	files := http.FileServer(http.Dir(src.Path()))
	for name, suffix := range map[string]string{"superblock": "/superblock", "part": "/0", "commit": ".commit", "dirtree": ".dirtree", "dirmeta": ".dirmeta"} {
		lies := newRequests()
		liar := httptest.NewServer(lie(suffix, lies.wrap(answer("lies")).ServeHTTP)(files))
		list := httptest.NewServer(answer(liar.URL + "\n" + url + "\n"))
		r := newRepo(t, repo.BareUser)
		addRemote(t, r, "mirrorlist="+list.URL)
		o := Options{Refs: []string{"x@" + first.String()}, DisableDeltas: suffix[0] == '.', Retries: -1}
		for range 2 {
			if _, err := Pull(context.Background(), r, "origin", o); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			o.Refs, o.RequireDeltas = []string{"x"}, !o.DisableDeltas
		}
		if c, _ := r.ResolveRev("origin:x"); c != second {
			t.Errorf("%s: ref %s", name, c)
		}
		lies.mu.Lock()
		if len(lies.n) == 0 {
			t.Errorf("%s: the first mirror was not asked", name)
		}
		lies.mu.Unlock()
		fsckClean(t, r)
		liar.Close()
		list.Close()
	}
}

func flip(b []byte) []byte {
	b[len(b)/2] ^= 0x55
	return b
}

// TestDeltaLikeReference pulls by deltas of the C ostree, and has it pull by ours.
func TestDeltaLikeReference(t *testing.T) {
	treetest.Oracle(t, "ostree")
	ctx := context.Background()
	src, url, first, second, asked := serveDelta(t, delta.Options{MinFallbackSize: 2 << 10})
	theirs := filepath.Join(t.TempDir(), "theirs")
	treetest.Run(t, "ostree", "--repo="+theirs, "init", "--mode=bare-user")
	treetest.Run(t, "ostree", "--repo="+theirs, "remote", "add", "--no-gpg-verify", "origin", url)
	for _, ref := range []string{"x@" + first.String(), "x"} {
		treetest.Run(t, "ostree", "--repo="+theirs, "pull", "--require-static-deltas", "origin", ref)
	}
	// It scans the commit beside that, and may ask for objects before the part has made them.
	if n := asked.count("superblock"); n != 2 {
		t.Errorf("the C ostree fetched %d superblocks, not 2", n)
	}
	treetest.Run(t, "ostree", "--repo="+theirs, "fsck", "-q")
	// Theirs: with a summary, in line, and of the other byte order.
	for _, option := range []string{"--max-chunk-size=1", "--inline", "--set-endianness=B"} {
		made := filepath.Join(t.TempDir(), "made")
		treetest.Run(t, "ostree", "--repo="+made, "init", "--mode=archive")
		treetest.Run(t, "ostree", "--repo="+made, "pull-local", "--depth=-1", src.Path(), "x")
		treetest.Run(t, "ostree", "--repo="+made, "static-delta", "generate", option, "--empty", "--to="+first.String())
		treetest.Run(t, "ostree", "--repo="+made, "static-delta", "generate", option, "--from="+first.String(), "--to="+second.String())
		treetest.Run(t, "ostree", "--repo="+made, "summary", "-u")
		server := httptest.NewServer(http.FileServer(http.Dir(made)))
		r := newRepo(t, repo.BareUser)
		addRemote(t, r, server.URL)
		for _, ref := range []string{"x@" + first.String(), "x"} {
			if _, err := Pull(ctx, r, "origin", Options{Refs: []string{ref}, RequireDeltas: true}); err != nil {
				t.Errorf("%s, %s: %v", option, ref, err)
			}
		}
		server.Close()
		fsckClean(t, r)
		treetest.Run(t, "ostree", "--repo="+r.Path(), "fsck", "-q")
	}
}
