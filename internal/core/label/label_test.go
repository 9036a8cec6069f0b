package label

import (
	"context"
	"strings"
	"sync"
	"testing"

	"rpmostree/ostree"
	"rpmostree/ostree/tree"
)

// A fake is a policy that labels a path by its first word, and a store of headers by
// number that counts what is read and written.
type fake struct {
	mu            sync.Mutex
	headers       map[ostree.Checksum]ostree.FileHeader
	reads, writes int
}

func (*fake) Label(path string, mode uint32) (string, error) {
	if strings.HasPrefix(path, "/none") {
		return "", nil
	}
	kind := "file"
	if mode&ostree.ModeType == ostree.ModeDir {
		kind = "dir"
	}
	return kind + ":" + strings.Split(path, "/")[1], nil
}

func (f *fake) FileHeader(c ostree.Checksum) (ostree.FileHeader, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	return f.headers[c], nil
}

func (f *fake) CloneFile(c ostree.Checksum, h ostree.FileHeader) (ostree.Checksum, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes++
	return f.add(h), nil
}

func (f *fake) add(h ostree.FileHeader) ostree.Checksum {
	for c, have := range f.headers {
		if have.Equal(h) {
			return c
		}
	}
	c := ostree.Checksum{byte(len(f.headers) + 1)}
	f.headers[c] = h
	return c
}

// label returns the label of a file or directory.
func (f *fake) label(t *testing.T, tr tree.Tree, path string) string {
	t.Helper()
	e, err := tr.Lookup(path)
	if err != nil {
		t.Fatal(err)
	}
	var list []ostree.Xattr
	if e.IsDir {
		m, err := e.Meta()
		if err != nil {
			t.Fatal(err)
		}
		list = m.Xattrs
	} else {
		list = f.headers[e.Checksum].Xattrs
	}
	for _, x := range list {
		if x.Name == Attribute {
			return string(x.Value)
		}
	}
	return ""
}

func TestFiles(t *testing.T) {
	f := &fake{headers: map[ostree.Checksum]ostree.FileHeader{}}
	plain := f.add(ostree.FileHeader{Mode: ostree.ModeRegular | 0o644})
	capable := f.add(ostree.FileHeader{Mode: ostree.ModeRegular | 0o755, Xattrs: []ostree.Xattr{{Name: "security.capability", Value: []byte("c")}}})
	build := func(from tree.Tree, paths ...string) tree.Tree {
		t.Helper()
		b := tree.NewBuilder(from)
		for _, p := range paths {
			sum := plain
			if strings.HasSuffix(p, "capable") {
				sum = capable
			}
			if err := b.SetFile(p, sum); err != nil {
				t.Fatal(err)
			}
		}
		return b.Tree()
	}
	ctx, nothing := context.Background(), tree.Empty(ostree.DirMeta{})
	root := tree.Empty(ostree.DirMeta{Mode: ostree.ModeDir | 0o755})
	raw := build(root, "usr/a", "usr/b/capable", "usr/etc/c", "opt/d")
	base, err := Files(ctx, nothing, raw, f, f, Options{All: true})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"": "dir:", "usr": "dir:usr", "usr/a": "file:usr", "usr/b/capable": "file:usr", "usr/etc/c": "file:usr", "opt/d": "file:opt",
	} {
		if got := f.label(t, base, path); got != want+"\x00" {
			t.Errorf("%q: label %q, want %q", path, got, want)
		}
	}
	e, _ := base.Lookup("usr/b/capable")
	if x := f.headers[e.Checksum].Xattrs; len(x) != 2 || x[0].Name != "security.capability" {
		t.Errorf("attributes %v", x)
	}
	etc, err := Files(ctx, nothing, raw, f, f, Options{EtcOfUsr: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := f.label(t, etc, "usr/etc/c"); got != "file:etc\x00" {
		t.Errorf("/usr/etc as /etc: %q", got)
	}

	// On a labelled base only what is new is read, once for all its places, and nothing
	// is written that has its label.
	f.reads, f.writes = 0, 0
	again, err := Files(ctx, nothing, base, f, f, Options{All: true})
	if err != nil || f.writes != 0 {
		t.Errorf("%d written, %v", f.writes, err)
	}
	x, _, _ := base.Checksums()
	if y, _, _ := again.Checksums(); x != y {
		t.Error("labelling twice changes the tree")
	}
	f.reads = 0
	layered, err := Files(ctx, base, build(base, "usr/new", "opt/d", "none/x"), f, f, Options{})
	if err != nil || f.reads != 1 || f.writes != 2 {
		t.Errorf("%d read, %d written, %v; want 1 and 2", f.reads, f.writes, err)
	}
	if got := f.label(t, layered, "usr/new"); got != "file:usr\x00" {
		t.Errorf("new file: %q", got)
	}
	if got := f.label(t, layered, "none/x"); got != "" {
		t.Errorf("a file without a label in the policy: %q", got)
	}
	// Of a base without labels the files stay as they are.
	layered, err = Files(ctx, raw, build(raw, "usr/b/new"), f, f, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"usr/b/new": "file:usr\x00", "usr/a": "", "": "dir:\x00", "usr/b": "dir:usr\x00", "opt": "dir:opt\x00"} {
		if got := f.label(t, layered, path); got != want {
			t.Errorf("%q on a base without labels: %q, want %q", path, got, want)
		}
	}
	_, err = Files(ctx, base, build(base, "none/x"), f, f, Options{All: true})
	if err == nil || !strings.Contains(err.Error(), "Failed to look up SELinux label for '/none") {
		t.Errorf("error %v", err)
	}
}

func TestSame(t *testing.T) {
	b := tree.NewBuilder(tree.Empty(ostree.DirMeta{Mode: ostree.ModeDir | 0o755}))
	for i, p := range []string{"config", "x/contexts/files/file_contexts", "x/policy/policy.33", "x/modules/m", "y/policy/p"} {
		if err := b.SetFile(Dir+"/"+p, ostree.Checksum{byte(i)}); err != nil {
			t.Fatal(err)
		}
	}
	a := b.Tree()
	for path, want := range map[string]bool{
		"config": false, "x/contexts/files/file_contexts.local": false, "x/policy/policy.34": false,
		"x/modules/other": true, "y/policy/p": true,
	} {
		changed, err := a.WithFile(Dir+"/"+path, ostree.Checksum{99})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Same(a, changed, "x"); err != nil || got != want {
			t.Errorf("%s changed: same %v, %v", path, got, err)
		}
	}
}
