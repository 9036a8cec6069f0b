// Package treetest makes directory trees for tests, compares them, and finds
// the programs that tests compare with. Only tests import it.
package treetest

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"rpmostree/internal/dirfd"

	"golang.org/x/sys/unix"
)

// Oracle returns the path of the program that a test compares with, in PATH. A missing
// program skips the test, or fails it when the environment has CI=true. The project's ostree,
// rofiles-fuse and ostree-trivial-httpd are none, even if they come first.
func Oracle(t testing.TB, name string) string {
	t.Helper()
	path, err := lookPath(name)
	if err != nil {
		Skip(t, name, " is not installed")
	}
	return path
}

// Skip skips the test for want of something that the machine may lack, or fails it when the
// environment has CI=true: there nothing may be lacking.
func Skip(t testing.TB, why ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why...)
	}
	t.Skip(why...)
}

// lookPath finds a program that is not the project's own. The C programs of those names are
// linked with GLib.
func lookPath(name string) (string, error) {
	dirs := filepath.SplitList(os.Getenv("PATH"))
	switch filepath.Base(name) {
	case "ostree", "rofiles-fuse", "ostree-trivial-httpd":
	default:
		return exec.LookPath(name)
	}
	if filepath.IsAbs(name) {
		dirs = []string{"/"}
	}
	for _, dir := range dirs {
		path, err := exec.LookPath(filepath.Join(dir, name))
		if err == nil && usesLibrary(path, "libglib-2.0.so") {
			return path, nil
		}
	}
	return "", &exec.Error{Name: name, Err: exec.ErrNotFound}
}

// usesLibrary tells whether a program is linked with a shared library.
func usesLibrary(path, library string) bool {
	f, err := elf.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	names, err := f.ImportedLibraries()
	return err == nil && slices.ContainsFunc(names, func(s string) bool { return strings.HasPrefix(s, library) })
}

// Run runs a program and returns its standard output without the last newline.
// Failure ends the test.
func Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(Oracle(t, name), args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return strings.TrimSuffix(string(out), "\n")
}

// NeedRoot skips the test unless it runs as root, or fails it when the environment has CI=true.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		Skip(t, "needs root")
	}
}

// Options say what Random puts into a tree. The zero value makes a small tree
// that any user can make.
type Options struct {
	Seed      uint64
	Files     int  // about as many files; 0 means 60
	MaxSize   int  // of a file in bytes; 0 means 64 KiB
	Owners    bool // foreign owners; needs root
	Xattrs    bool // user attributes, and security ones as root
	Hardlinks bool
	SetID     bool // set-id and sticky bits, unreadable files
	Special   bool // fifos, which OSTree cannot store
}

// oddNames are file names that parsers stumble over.
var oddNames = []string{
	"-", "--help", " ", "a b", "tab\there", "new\nline", "back\\slash", "quote'\"", "ünïcödé", "日本", "*", "$HOME",
	".hidden", "..", "...", "~", "#x", "%s", "a:b", "a=b", strings.Repeat("long", 60),
}

type generator struct {
	t    testing.TB
	o    Options
	r    *rand.Rand
	past []string // files that may be hardlinked
	n    int
}

// Random fills the directory dir, which is made if it is missing, with a tree
// that depends on the options only.
func Random(t testing.TB, dir string, o Options) {
	t.Helper()
	if o.Files == 0 {
		o.Files = 60
	}
	if o.MaxSize == 0 {
		o.MaxSize = 64 << 10
	}
	g := &generator{t: t, o: o, r: rand.New(rand.NewPCG(o.Seed, 1))}
	g.check(os.MkdirAll(dir, 0o755))
	g.dir(dir, 0)
	for i := 0; g.n < o.Files; i++ {
		sub := filepath.Join(dir, fmt.Sprintf("more-%d", i))
		g.check(os.Mkdir(sub, 0o755))
		g.dir(sub, 1)
	}
}

func (g *generator) check(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

func (g *generator) dir(dir string, depth int) {
	g.t.Helper()
	for range 2 + g.r.IntN(12) {
		name := g.name()
		path := filepath.Join(dir, name)
		if _, err := os.Lstat(path); err == nil || name == ".." {
			continue
		}
		switch k := g.r.IntN(20); {
		case k < 4 && depth < 5:
			g.check(os.Mkdir(path, 0o755))
			if k > 0 { // else it stays empty
				g.dir(path, depth+1)
			}
			g.decorate(path, []uint32{0o755, 0o700, 0o775, 0o555, 0o1777, 0o2755}[g.r.IntN(g.modes(4, 6))], true)
		case k < 7:
			g.check(os.Symlink([]string{"/usr/bin/true", "..", "x", "ü/" + strings.Repeat("y", g.r.IntN(300)), "."}[g.r.IntN(5)], path))
			g.decorate(path, 0, false)
		case k == 7 && g.o.Hardlinks && len(g.past) > 0:
			g.check(os.Link(g.past[g.r.IntN(len(g.past))], path))
		case k == 8 && g.o.Special:
			g.check(unix.Mkfifo(path, 0o600))
		default:
			g.file(path)
		}
		g.n++
	}
}

func (g *generator) modes(plain, all int) int {
	if g.o.SetID {
		return all
	}
	return plain
}

func (g *generator) name() string {
	if g.r.IntN(3) == 0 {
		return oddNames[g.r.IntN(len(oddNames))]
	}
	return fmt.Sprintf("f%d", g.r.IntN(1000))
}

func (g *generator) file(path string) {
	g.t.Helper()
	size := 0
	switch g.r.IntN(6) {
	case 0:
	case 1:
		size = g.r.IntN(g.o.MaxSize)
	default:
		size = g.r.IntN(2000)
	}
	data := make([]byte, size)
	for i := range data {
		if g.r.IntN(4) > 0 { // compressible
			data[i] = "abcdefgh\n"[i%9]
		} else {
			data[i] = byte(g.r.Uint32())
		}
	}
	g.check(os.WriteFile(path, data, 0o644))
	g.decorate(path, []uint32{0o644, 0o755, 0o600, 0o664, 0o444, 0o775, 0o4755, 0o2711, 0o000, 0o1644}[g.r.IntN(g.modes(6, 10))], true)
	g.past = append(g.past, path)
}

func (g *generator) decorate(path string, mode uint32, chmod bool) {
	g.t.Helper()
	if g.o.Owners && g.r.IntN(3) == 0 {
		g.check(os.Lchown(path, g.r.IntN(3)*1000, g.r.IntN(3)*7))
	}
	if g.o.Xattrs && chmod && g.r.IntN(4) == 0 {
		for i := range 1 + g.r.IntN(3) {
			value := make([]byte, g.r.IntN(40))
			for j := range value {
				value[j] = byte(g.r.Uint32())
			}
			g.check(unix.Lsetxattr(path, fmt.Sprintf("user.test%d", i), value, 0))
		}
		if os.Geteuid() == 0 {
			g.check(unix.Lsetxattr(path, "trusted.test", []byte("t"), 0))
		}
	}
	if chmod {
		g.check(unix.Chmod(path, mode))
	}
}

// Compare says what Snapshot and Equal look at besides types, names, link
// targets and content.
type Compare struct {
	NoOwners, NoModes, NoXattrs bool
	Mtime                       bool
}

// Snapshot describes a tree, one line for each name, sorted by path.
func Snapshot(t testing.TB, dir string, c Compare) []string {
	t.Helper()
	d, err := dirfd.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	var lines []string
	snapshot(t, d, "", "/", c, &lines)
	slices.Sort(lines)
	return lines
}

func snapshot(t testing.TB, d *dirfd.Dir, name, path string, c Compare, lines *[]string) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	st, err := d.Stat(name)
	check(err)
	line := fmt.Sprintf("%q type=%o", path, st.Mode&unix.S_IFMT)
	if !c.NoModes {
		line += fmt.Sprintf(" mode=%o", st.Mode&0o7777)
	}
	if !c.NoOwners {
		line += fmt.Sprintf(" owner=%d:%d", st.Uid, st.Gid)
	}
	if c.Mtime && st.Mode&unix.S_IFMT != unix.S_IFLNK {
		line += fmt.Sprintf(" mtime=%d", st.Mtim.Sec)
	}
	if !c.NoXattrs {
		xattrs, err := d.Xattrs(name)
		check(err)
		for _, x := range xattrs {
			line += fmt.Sprintf(" %s=%x", x.Name, x.Value)
		}
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFLNK:
		target, err := d.Readlink(name)
		check(err)
		line += fmt.Sprintf(" -> %q", target)
	case unix.S_IFREG:
		data, err := d.ReadFile(name, 1<<40)
		check(err)
		line += fmt.Sprintf(" size=%d sha256=%x", len(data), sha256.Sum256(data))
	case unix.S_IFDIR:
		sub := d
		if name != "" {
			sub, err = d.Open(name)
			check(err)
			defer sub.Close()
		}
		entries, err := sub.ReadDir()
		check(err)
		for _, e := range entries {
			snapshot(t, sub, e.Name, strings.TrimSuffix(path, "/")+"/"+e.Name, c, lines)
		}
	}
	*lines = append(*lines, line)
}

// Equal reports as test failures what differs between two trees.
func Equal(t testing.TB, got, want string, c Compare) {
	t.Helper()
	a, b := Snapshot(t, got, c), Snapshot(t, want, c)
	extra, missing := only(a, b), only(b, a)
	for i, line := range extra {
		if i == 4 {
			t.Errorf("and %d more", len(extra)-4)
			break
		}
		t.Errorf("only in %s: %s", got, line)
	}
	for i, line := range missing {
		if i == 4 {
			t.Errorf("and %d more", len(missing)-4)
			break
		}
		t.Errorf("only in %s: %s", want, line)
	}
}

func only(a, b []string) []string {
	in := map[string]bool{}
	for _, s := range b {
		in[s] = true
	}
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return in[s] })
}
