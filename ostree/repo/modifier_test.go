package repo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"rpmostree/internal/treetest"
	"rpmostree/ostree"

	"golang.org/x/sys/unix"
)

func TestModifiersMatchReference(t *testing.T) {
	treetest.Oracle(t, "ostree")
	const override = "=493 /exec\n2048 /d/x\n0x1 /d\n"
	const skip = "/skipped\n/d/skip-dir\n"
	one, two := uint32(1000), uint32(2000)
	for _, tt := range []struct {
		name string
		args []string
		opts func() ImportOptions
	}{
		{"owner", []string{"--owner-uid=1000", "--owner-gid=2000"}, func() ImportOptions { return ImportOptions{UID: &one, GID: &two} }},
		{"canonical", []string{"--canonical-permissions"}, func() ImportOptions { return ImportOptions{CanonicalPermissions: true} }},
		{"no-xattrs", []string{"--no-xattrs"}, func() ImportOptions { return ImportOptions{NoXattrs: true} }},
		{"read-only", []string{"--mode-ro-executables"}, func() ImportOptions { return ImportOptions{ReadOnlyExecutables: true} }},
		{"statoverride", []string{"--statoverride=OVERRIDE"}, func() ImportOptions {
			s, err := ParseStatOverride(override)
			if err != nil {
				t.Fatal(err)
			}
			return ImportOptions{StatOverride: s}
		}},
		{"skip", []string{"--skip-list=SKIP"}, func() ImportOptions { return ImportOptions{Skip: ParseSkipList(skip)} }},
		{"many", []string{"--skip-list=SKIP", "--statoverride=OVERRIDE", "--canonical-permissions"}, func() ImportOptions {
			s, _ := ParseStatOverride(override)
			return ImportOptions{Skip: ParseSkipList(skip), StatOverride: s, CanonicalPermissions: true}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			src := filepath.Join(dir, "src")
			writeFiles(t, src, "exec", "x", "d/x", "y", "d/skip-dir/z", "z", "skipped", "s", "empty", "")
			os.Chmod(filepath.Join(src, "exec"), 0o777)
			os.Symlink("exec", filepath.Join(src, "link"))
			unix.Lsetxattr(filepath.Join(src, "d"), "user.x", []byte("v"), 0)
			unix.Lsetxattr(filepath.Join(src, "exec"), "user.y", []byte("v"), 0)
			os.WriteFile(filepath.Join(dir, "OVERRIDE"), []byte(override), 0o644)
			os.WriteFile(filepath.Join(dir, "SKIP"), []byte(skip), 0o644)
			r := newRepo(t, Archive)
			ours := commitDir(t, r, "x", src, tt.opts())
			args := []string{"commit", "--branch=y", "--no-bindings", "--timestamp=@0"}
			for _, a := range tt.args {
				for _, file := range []string{"OVERRIDE", "SKIP"} {
					if len(a) > len(file) && a[len(a)-len(file):] == file {
						a = a[:len(a)-len(file)] + filepath.Join(dir, file)
					}
				}
				args = append(args, a)
			}
			if theirs := cOstree(t, r.Path(), append(args, src)...); theirs != ours.String() {
				t.Errorf("commit %s, reference %s\n%s\n%s", ours, theirs,
					cOstree(t, r.Path(), "ls", "-RX", "x"), cOstree(t, r.Path(), "ls", "-RX", "y"))
			}
		})
	}
}

func TestImportConsumeAndFilter(t *testing.T) {
	src := filepath.Join(t.TempDir(), "src")
	writeFiles(t, src, "a", "1", "d/e", "2", "d/f", "3", "out/x/y", "4")
	if err := unix.Mkfifo(filepath.Join(src, "d/fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRepo(t, BareUser)
	tx, err := r.Begin(context.Background(), TransactionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Abort()
	if _, err := tx.ImportDir(src, ImportOptions{}); err == nil || err.Error() != "Not a regular file or symlink: fifo" {
		t.Errorf("fifo: %v", err)
	}
	o := ImportOptions{Consume: true, Filter: func(path string, h *ostree.FileHeader) (bool, error) {
		return h.Mode&unix.S_IFMT != unix.S_IFIFO && path != "/d/f" && path != "/out", nil
	}}
	tr, err := tx.ImportDir(src, o)
	if err != nil {
		t.Fatal(err)
	}
	if p := paths(t, tr); p != "/ /a /d /d/e" {
		t.Error(p)
	}
	if entries, _ := os.ReadDir(src); len(entries) != 0 {
		t.Errorf("left: %v", entries)
	}
}

func TestCloneFile(t *testing.T) {
	for _, mode := range []Mode{BareUser, Archive} {
		r := newRepo(t, mode)
		tx, err := r.Begin(context.Background(), TransactionOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Abort()
		for _, size := range []int{0, 100, 1 << 20} {
			src := filepath.Join(t.TempDir(), "s")
			writeFiles(t, src, "f", string(make([]byte, size)))
			tr, err := tx.ImportDir(src, ImportOptions{})
			if err != nil {
				t.Fatal(err)
			}
			e, err := tr.Lookup("f")
			if err != nil {
				t.Fatal(err)
			}
			h := ostree.FileHeader{UID: 7, Mode: 0o104755, Xattrs: []ostree.Xattr{{Name: "security.selinux", Value: []byte("x\x00")}}}
			c, err := tx.CloneFile(e.Checksum, h)
			if err != nil {
				t.Fatal(err)
			}
			got, n, content, err := tx.File(c)
			if err != nil || !got.Equal(h) || n != int64(size) {
				t.Fatalf("%+v, %d, %v", got, n, err)
			}
			content.Close()
			if want, err := tx.WriteFile(h, int64(size), &zeros{}); err != nil || want != c {
				t.Errorf("clone is %s, want %s (%v)", c, want, err)
			}
		}
	}
}

// TestDevInoMatchesReference commits a checkout of hard links again, with options, in all modes
// that can be linked. In a repository of mode bare-user, metadata are not those on disk.
func TestDevInoMatchesReference(t *testing.T) {
	treetest.Oracle(t, "ostree")
	treetest.NeedRoot(t)
	for _, mode := range []Mode{Bare, BareUser, BareUserOnly} {
		dir := t.TempDir()
		src, list := filepath.Join(dir, "src"), filepath.Join(dir, "list")
		writeFiles(t, src, "a", "a", "d/b", "b", "left", "l", "changed", "c", "tool", "t")
		os.Chmod(filepath.Join(src, "tool"), 0o777)
		if mode != BareUserOnly {
			unix.Lsetxattr(filepath.Join(src, "a"), "security.x", []byte("v"), 0)
			os.Chown(filepath.Join(src, "d/b"), 1000, 2000)
		}
		r := newRepo(t, mode)
		commitDir(t, r, "x", src, ImportOptions{})
		for i, tt := range []struct {
			args string
			list string
		}{
			{"", ""}, {"--owner-uid=0 --owner-gid=0", ""}, {"--owner-uid=1000", ""}, {"--no-xattrs", ""}, {"--canonical-permissions", ""}, {"--mode-ro-executables", ""},
			{"--statoverride=", "=384 /a\n2048 /d/b\n"}, {"--skip-list=", "/left\n"}, {"-I --owner-uid=7", ""},
			{"--consume --skip-list=", "/left\n/d\n"},
		} {
			var commits [2]string
			for who := range commits {
				dest := filepath.Join(dir, fmt.Sprint(i, who))
				args := []string{"checkout", "x", dest}
				if mode != Bare {
					args = append(args, "-U")
				}
				cOstree(t, r.Path(), args...)
				if err := os.WriteFile(filepath.Join(dest, "new"), []byte("new"), 0o644); err != nil {
					t.Fatal(err)
				}
				os.Remove(filepath.Join(dest, "changed"))
				writeFiles(t, dest, "changed", "not linked")
				if err := os.WriteFile(list, []byte(tt.list), 0o644); err != nil {
					t.Fatal(err)
				}
				if who == 1 {
					args = append([]string{"commit", "--branch=y", "--parent=none", "--no-bindings", "--timestamp=@0", "--link-checkout-speedup"}, strings.Fields(strings.Replace(tt.args, "list=", "list="+list, 1))...)
					for i, a := range args {
						if a == "--statoverride=" {
							args[i] += list
						}
					}
					commits[who] = cOstree(t, r.Path(), append(args, dest)...)
					continue
				}
				commits[who] = commitDir(t, r, "ours"+fmt.Sprint(i), dest, devInoOptions(t, r, tt.args, tt.list)).String()
			}
			if commits[0] != commits[1] {
				t.Errorf("%s: %s: commit %s, reference %s\n%s\n%s", mode, tt.args, commits[0], commits[1],
					cOstree(t, r.Path(), "ls", "-RX", commits[0]), cOstree(t, r.Path(), "ls", "-RX", commits[1]))
			}
		}
		fsckClean(t, r)
	}
}

// devInoOptions are the options of a command line.
func devInoOptions(t *testing.T, r *Repo, args, list string) ImportOptions {
	t.Helper()
	cache, err := r.ScanDevIno()
	if err != nil {
		t.Fatal(err)
	}
	o := ImportOptions{DevIno: cache}
	for _, a := range strings.Fields(args) {
		switch name, value, _ := strings.Cut(a, "="); name {
		case "--owner-uid", "--owner-gid":
			n, err := strconv.ParseUint(value, 10, 32)
			if err != nil {
				t.Fatal(err)
			}
			id := uint32(n)
			if o.UID == nil && name == "--owner-uid" {
				o.UID = &id
			} else {
				o.GID = &id
			}
		case "--no-xattrs":
			o.NoXattrs = true
		case "--canonical-permissions":
			o.CanonicalPermissions = true
		case "--mode-ro-executables":
			o.ReadOnlyExecutables = true
		case "--statoverride":
			if o.StatOverride, err = ParseStatOverride(list); err != nil {
				t.Fatal(err)
			}
		case "--skip-list":
			o.Skip = ParseSkipList(list)
		case "--consume":
			o.Consume = true
		case "-I":
			o.DevInoCanonical = true
		}
	}
	return o
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestRefs(t *testing.T) {
	treetest.Oracle(t, "ostree")
	r := newRepo(t, Archive)
	src := t.TempDir()
	writeFiles(t, src, "a", "b")
	c := commitDir(t, r, "a/b", src, ImportOptions{})
	check := func(what string, err error, want string) {
		t.Helper()
		if fmt.Sprint(err) != want {
			t.Errorf("%s: %v, want %s", what, err, want)
		}
	}
	check("under a ref", r.SetRef("", "a", c), "Conflict: b exists under a when attempting write")
	check("empty", r.SetRef("", "", c), "Invalid empty ref name")
	check("checksum", r.SetRef("", c.String(), c), fmt.Sprintf("Rev name '%s' looks like a checksum", c))
	check("bad", r.SetRef("", "a..b/../c", c), "Invalid ref name a..b/../c")
	check("alias", r.SetAlias("z/y", "a/b"), "<nil>")
	check("dangling", r.SetAlias("z/x", "no"), "Cannot create alias to non-existent ref: no")
	check("has alias", r.SetRef("", "a/b", ostree.Checksum{}), "Ref 'a/b' has an active alias: 'z/y'")
	check("remote", r.SetRef("origin", "m", c), "<nil>")
	if out := cOstree(t, r.Path(), "refs", "-A", "--list"); out != "z/y -> a/b" {
		t.Errorf("reference lists aliases as %q", out)
	}
	refs, err := r.Refs()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, ref := range refs {
		if ref.Checksum != c {
			t.Errorf("%s is %s", ref.Refspec(), ref.Checksum)
		}
		names = append(names, ref.Refspec())
	}
	if !slices.Equal(names, []string{"a/b", "z/y", "origin:m"}) {
		t.Errorf("refs %q", names)
	}
	for _, rev := range []string{"a/b", "z/y", "origin:m", "m", "origin/m", c.String()[:10]} {
		if got, err := r.ResolveRev(rev); err != nil || got != c {
			t.Errorf("ResolveRev(%q) = %s, %v", rev, got, err)
		}
		if theirs := cOstree(t, r.Path(), "rev-parse", rev); theirs != c.String() {
			t.Errorf("reference resolves %q as %s", rev, theirs)
		}
	}
	check("no parent", second(r.ResolveRev("a/b^")), fmt.Sprintf("Commit %s has no parent", c))
	check("delete alias", r.SetRef("", "z/y", ostree.Checksum{}), "<nil>")
	check("delete", r.SetRef("", "a/b", ostree.Checksum{}), "<nil>")
	check("now free", r.SetRef("", "a", c), "<nil>")
	fsckClean(t, r)
}

func second[T any](_ T, err error) error { return err }
