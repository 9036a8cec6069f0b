package core_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rpmostree/internal/core"
	"rpmostree/internal/core/assemble"
	"rpmostree/internal/core/sack"
	"rpmostree/internal/treetest"
	"rpmostree/ostree"
	"rpmostree/ostree/repo"
	"rpmostree/ostree/tree"
	"rpmostree/rpm"
	"rpmostree/rpmmd"
	"rpmostree/rpmmd/createrepo"
)

// A lab is a repository of packages, and an ostree repository to assemble in.
type lab struct {
	t        *testing.T
	dir      string
	packages string // directory of the rpm-md repository
	repo     *repo.Repo
	core     *core.Core
}

func newLab(t *testing.T, packages ...rpm.Builder) *lab {
	t.Helper()
	treetest.NeedRoot(t) // objects of a bare repository have owners
	l := &lab{t: t, dir: t.TempDir()}
	l.packages = filepath.Join(l.dir, "packages")
	if err := os.Mkdir(l.packages, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, b := range packages {
		l.build(b)
	}
	l.index()
	var err error
	if l.repo, err = repo.Init(filepath.Join(l.dir, "repo"), repo.InitOptions{Mode: repo.Bare}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		report, err := l.repo.Fsck(context.Background(), repo.FsckOptions{All: true})
		if err == nil {
			err = report.Err()
		}
		if err != nil {
			t.Errorf("fsck: %v", err)
		}
		l.repo.Close()
	})
	l.core = &core.Core{
		Repo: l.repo, Work: filepath.Join(l.dir, "repo/tmp/work"), CacheDir: filepath.Join(l.dir, "cache"),
		Arch: "x86_64", Epoch: 1700000000,
	}
	return l
}

// build writes a package, with defaults for what the test does not care for.
func (l *lab) build(b rpm.Builder) string {
	l.t.Helper()
	if b.Version == "" {
		b.Version = "1"
	}
	if b.Release == "" {
		b.Release = "1"
	}
	if b.Arch == "" {
		b.Arch = "noarch"
	}
	var buf bytes.Buffer
	if err := b.Write(&buf); err != nil {
		l.t.Fatal(err)
	}
	path := filepath.Join(l.packages, fmt.Sprintf("%s-%s-%s.%s.rpm", b.Name, b.Version, b.Release, b.Arch))
	if err := os.WriteFile(path, buf.Bytes(), 0o644); err != nil {
		l.t.Fatal(err)
	}
	return path
}

func (l *lab) index() {
	l.t.Helper()
	if _, err := createrepo.Write(context.Background(), l.packages, createrepo.Options{}); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) repos() []rpmmd.RepoConfig {
	r := rpmmd.NewRepoConfig("lab")
	r.BaseURL = []string{"file://" + l.packages}
	r.Enabled, r.GPGCheck, r.MetadataExpire = true, false, 0
	return []rpmmd.RepoConfig{r}
}

// make resolves, fetches and assembles, and commits the transaction if all went
// well.
func (l *lab) make(spec core.Spec) (*core.Built, *core.Plan, error) {
	ctx := context.Background()
	spec.Repos = l.repos()
	plan, err := l.core.Prepare(ctx, spec)
	if err != nil {
		return nil, nil, err
	}
	tx, err := l.repo.Begin(ctx, repo.TransactionOptions{NoFsync: true})
	if err != nil {
		l.t.Fatal(err)
	}
	defer tx.Abort()
	fetched, err := l.core.Fetch(ctx, tx, plan)
	if err != nil {
		return nil, plan, err
	}
	built, err := l.core.Assemble(ctx, tx, fetched)
	if err != nil {
		return nil, plan, err
	}
	defer built.Close()
	root, meta, err := built.Tree.Write(tx)
	if err != nil {
		return nil, plan, err
	}
	sum, err := tx.WriteCommit(&ostree.Commit{Tree: root, Meta: meta, Timestamp: 1})
	if err == nil {
		err = tx.SetRef("", "made", sum)
	}
	if err == nil {
		_, err = tx.Commit()
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return built, plan, nil
}

func (l *lab) must(spec core.Spec) *core.Built {
	l.t.Helper()
	b, _, err := l.make(spec)
	if err != nil {
		l.t.Fatal(err)
	}
	return b
}

// base returns a built tree as the base of another one.
func (l *lab) base(b *core.Built) *core.Base {
	l.t.Helper()
	db, err := core.Database(l.repo.Objects, b.Tree)
	if err != nil {
		l.t.Fatal(err)
	}
	return &core.Base{Tree: b.Tree, Database: db.Entries(), Packages: db.Packages()}
}

func (l *lab) read(t tree.Tree, path string) string {
	l.t.Helper()
	text, err := core.ReadFile(l.repo.Objects, t, path)
	if errors.Is(err, fs.ErrNotExist) {
		return "(missing)"
	} else if err != nil {
		l.t.Fatal(err)
	}
	return string(text)
}

// header returns the header of a file in a tree.
func (l *lab) header(t tree.Tree, path string) ostree.FileHeader {
	l.t.Helper()
	e, err := t.Lookup(path)
	if err != nil {
		l.t.Fatal(err)
	}
	h, err := l.repo.FileHeader(e.Checksum)
	if err != nil {
		l.t.Fatal(err)
	}
	return h
}

func names(b *core.Built) string {
	var out []string
	for _, h := range b.Packages {
		out = append(out, assemble.NEVRA(h))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func file(path string, mode uint32, content string) rpm.BuildFile {
	return rpm.BuildFile{File: rpm.File{Path: path, Mode: mode, User: "root", Group: "root"}, Data: []byte(content)}
}

func owned(f rpm.BuildFile, user, group string) rpm.BuildFile {
	f.User, f.Group = user, group
	return f
}

const regular = 0o100644

var (
	setup = rpm.Builder{Name: "setup", Files: []rpm.BuildFile{
		file("/etc/passwd", regular, "root:x:0:0::/root:/bin/sh\nsvc:x:70:71::/:/bin/false\n"),
		file("/etc/group", regular, "root:x:0:\nsvc:x:71:\n"),
	}}
	hello = rpm.Builder{
		Name: "hello", Requires: []rpm.Dep{{Name: "libhello"}},
		Files: []rpm.BuildFile{
			file("/bin/hello", 0o100755, "hello 1"),
			file("/etc/hello.conf", regular, "conf"),
			file("/opt/hello", 0o040755, ""),
			file("/opt/hello/data", regular, "data"),
			file("/var/lib/hello", 0o040750, ""),
			owned(file("/usr/lib/svc", 0o104755, "setuid"), "svc", "svc"),
			owned(file("/usr/share/svcdir", 0o040700, ""), "svc", "svc"),
			{File: rpm.File{Path: "/usr/share/doc/hello", Mode: regular, User: "root", Group: "root", Flags: rpm.FileDoc}, Data: []byte("doc")},
			{File: rpm.File{Path: "/etc/ghost", Mode: regular, User: "root", Group: "root", Flags: rpm.FileGhost}},
		},
	}
	libhello = rpm.Builder{Name: "libhello", Files: []rpm.BuildFile{file("/usr/lib/libhello.so", 0o100755, "lib")}}
)

func TestComposeAndLayer(t *testing.T) {
	l := newLab(t, setup, hello, libhello,
		rpm.Builder{Name: "extra", Files: []rpm.BuildFile{file("/usr/bin/extra", 0o100755, "extra")}})
	b := l.must(core.Spec{Install: []string{"setup", "hello"}, NoDocs: true})
	if got, want := names(b), "hello-1-1.noarch libhello-1-1.noarch setup-1-1.noarch"; got != want {
		t.Errorf("packages %q, want %q", got, want)
	}
	for path, want := range map[string]string{
		"usr/bin/hello": "hello 1", "usr/etc/hello.conf": "conf", "usr/lib/opt/hello/data": "data",
		"usr/share/doc/hello": "(missing)", "usr/etc/ghost": "(missing)",
		"usr/lib/tmpfiles.d/rpm-ostree-autovar.conf": "# Generated by rpm-ostree from the packages' files in /var, /run and /opt\n" +
			"L /opt/hello - - - - ../../usr/lib/opt/hello\nd /var/lib/hello 0750 root root - -\n",
	} {
		if got := l.read(b.Tree, path); got != want {
			t.Errorf("%s = %q, want %q", path, got, want)
		}
	}
	if h := l.header(b.Tree, "usr/lib/svc"); h.UID != 70 || h.GID != 71 || h.Mode != 0o104755 {
		t.Errorf("owner and mode of a set-user-ID program: %+v", h)
	}
	e, err := b.Tree.Lookup("usr/share/svcdir")
	if err != nil {
		t.Fatal(err)
	}
	if m, _ := e.Meta(); m.UID != 70 || m.Mode != 0o040700 {
		t.Errorf("directory %+v", m)
	}
	// The same input makes the same tree, from the package cache or not.
	again := l.must(core.Spec{Install: []string{"hello", "setup"}, NoDocs: true})
	sameTree(t, b.Tree, again.Tree)

	layered := l.must(core.Spec{Base: l.base(b), Install: []string{"extra"}})
	if got := l.read(layered.Tree, "usr/bin/extra"); got != "extra" {
		t.Errorf("layered file = %q", got)
	}
	// Without the layer everything is as it was: nothing of the base was changed.
	var changed []string
	for c, err := range tree.Diff(b.Tree, layered.Tree) {
		if err != nil {
			t.Fatal(err)
		}
		changed = append(changed, strings.Trim(c.Path, "/"))
	}
	if want := []string{"usr/bin/extra", "usr/share/rpm/rpmdb.sqlite"}; !slices.Equal(changed, want) {
		t.Errorf("changed %q, want %q", changed, want)
	}
}

func sameTree(t *testing.T, a, b tree.Tree) {
	t.Helper()
	at, am, err := a.Checksums()
	if err != nil {
		t.Fatal(err)
	}
	bt, bm, err := b.Checksums()
	if err != nil {
		t.Fatal(err)
	}
	if at != bt || am != bm {
		for c := range tree.Diff(a, b) {
			t.Errorf("differs: %s", c.Path)
		}
	}
}

func TestOverrides(t *testing.T) {
	l := newLab(t, setup, hello, libhello)
	b := l.must(core.Spec{Install: []string{"setup", "hello"}})
	base := l.base(b)

	newer := rpm.Builder{Name: "libhello", Version: "2", Files: []rpm.BuildFile{file("/usr/lib/libhello.so", 0o100755, "lib 2"), file("/usr/lib/more", regular, "m")}}
	local, err := core.OpenLocal(l.build(newer))
	if err != nil {
		t.Fatal(err)
	}
	replaced := l.must(core.Spec{Base: base, Replace: []*sack.Local{local}})
	if got := l.read(replaced.Tree, "usr/lib/libhello.so"); got != "lib 2" {
		t.Errorf("replaced library = %q", got)
	}
	if got, want := names(replaced), "hello-1-1.noarch libhello-2-1.noarch setup-1-1.noarch"; got != want {
		t.Errorf("packages %q, want %q", got, want)
	}

	removed := l.must(core.Spec{Base: base, Remove: []string{"hello"}})
	for _, gone := range []string{"usr/bin/hello", "usr/lib/opt/hello", "usr/share/svcdir", "usr/lib/rpm-ostree/tmpfiles.d/hello.conf", "usr/lib/tmpfiles.d/rpm-ostree-autovar.conf"} {
		if ok, _ := removed.Tree.Exists(gone); ok {
			t.Errorf("%s is still there", gone)
		}
	}
	if ok, _ := removed.Tree.Exists("usr/bin"); !ok {
		t.Error("a directory that others use is gone")
	}

	_, _, err = l.make(core.Spec{Base: base, Remove: []string{"libhello"}})
	if err == nil {
		t.Error("a library was removed that hello needs")
	}
}

// The signatures of files come into the tree only if they are asked for, whatever
// is in the package cache.
func TestFileSignatures(t *testing.T) {
	const signature = "0302041234567800aabb"
	signed := owned(file("/usr/lib/signed", 0o104755, "signed"), "svc", "svc")
	signed.IMA = signature
	l := newLab(t, setup, rpm.Builder{Name: "signed", Files: []rpm.BuildFile{signed, file("/usr/lib/unsigned", regular, "x")}})
	for _, ima := range []bool{false, true, false} {
		b := l.must(core.Spec{Install: []string{"setup", "signed"}, IMA: ima})
		want := 0
		if ima {
			want = 1
		}
		h := l.header(b.Tree, "usr/lib/signed")
		if len(h.Xattrs) != want || h.UID != 70 || h.Mode != 0o104755 || ima && fmt.Sprintf("%x", h.Xattrs[0].Value) != signature {
			t.Errorf("%v: %+v", ima, h)
		}
		if h := l.header(b.Tree, "usr/lib/unsigned"); len(h.Xattrs) != 0 {
			t.Errorf("%v: %+v", ima, h)
		}
	}
}

// TestErrors makes sure that every failure is clear, and that it leaves the
// repository as it was.
func TestErrors(t *testing.T) {
	l := newLab(t, setup, hello, libhello,
		rpm.Builder{Name: "broken", Requires: []rpm.Dep{{Name: "nowhere", Flags: rpm.DepEqual, EVR: "1"}}},
		rpm.Builder{Name: "clash", Files: []rpm.BuildFile{file("/usr/lib/libhello.so", 0o100755, "other")}},
		rpm.Builder{Name: "same", Files: []rpm.BuildFile{file("/usr/lib/libhello.so", 0o100755, "lib")}},
		rpm.Builder{Name: "outside", Files: []rpm.BuildFile{file("/srv/x", regular, "x")}},
		rpm.Builder{Name: "unknown-user", Files: []rpm.BuildFile{owned(file("/usr/x", regular, "x"), "nobody-knows", "root")}},
		rpm.Builder{Name: "trigger", Triggers: []rpm.Trigger{{Interp: []string{"/bin/sh"}, Body: "exit 1", Conditions: []rpm.Dep{{Name: "hello", Flags: rpm.DepTriggerIn}}}}},
		rpm.Builder{Name: "lua", Scripts: []rpm.Script{{Kind: rpm.PostIn, Interp: []string{"<lua>"}, Body: "print(1)"}}},
		rpm.Builder{Name: "damaged", Files: []rpm.BuildFile{file("/usr/damaged", regular, strings.Repeat("content", 1000))}},
		rpm.Builder{Name: "truncated", Files: []rpm.BuildFile{file("/usr/truncated", regular, strings.Repeat("content", 1000))}},
	)
	l.damage("damaged-1-1.noarch.rpm", func(b []byte) []byte { b[len(b)-20] ^= 0xff; return b })
	l.damage("truncated-1-1.noarch.rpm", func(b []byte) []byte { return b[:len(b)-30] })
	b := l.must(core.Spec{Install: []string{"setup", "hello"}})
	before := l.objects()
	for _, tt := range []struct {
		request string
		want    []string
	}{
		{"nothing", []string{"Packages not found: nothing"}},
		{"broken", []string{"Could not depsolve transaction; 1 problem detected:", "nothing provides nowhere = 1 needed by broken-1-1.noarch"}},
		{"clash", []string{"Checkout clash-1-1.noarch", "usr/lib/libhello.so: File exists", "libhello-1-1.noarch"}},
		{"outside", []string{"Unsupported path", "/srv/x", "'outside-1-1.noarch'"}},
		{"unknown-user", []string{"unknown-user-1-1.noarch", "Could not find user 'nobody-knows'"}},
		{"trigger", []string{"Running %triggerin for trigger", "code 1"}},
		{"lua", []string{"lua", "unsupported <lua> script in 'post'"}},
		{"damaged", []string{"damaged-1-1.noarch", "checksum"}},
		{"truncated", []string{"truncated-1-1.noarch"}},
	} {
		t.Run(tt.request, func(t *testing.T) {
			_, _, err := l.make(core.Spec{Base: l.base(b), Install: []string{tt.request}})
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not say %q", err, w)
				}
			}
			if now := l.objects(); now != before {
				t.Errorf("the repository has %d objects, %d before", now, before)
			}
		})
	}
	l.must(core.Spec{Base: l.base(b), Install: []string{"same"}}) // the same file twice is fine
}

// damage changes a package file behind the back of the metadata.
func (l *lab) damage(name string, change func([]byte) []byte) {
	l.t.Helper()
	path := filepath.Join(l.packages, name)
	b, err := os.ReadFile(path)
	if err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(path, change(b), 0o644); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lab) objects() (n int) {
	l.t.Helper()
	err := l.repo.EachObject(func(ostree.ObjectName) error {
		n++
		return nil
	})
	if err != nil {
		l.t.Fatal(err)
	}
	return n
}
