package rofiles

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"rpmostree/internal/dirfd"
)

func TestMain(m *testing.M) {
	if os.Getenv("ROFILES_TEST_PROGRAM") != "" {
		os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// A world is a mounted tree: "one" and "two" are links to a file that stands for a
// repository's object, "link" is a symbolic link with another link, "free" has none.
type world struct{ object, base, at string }

func newWorld(t *testing.T, copyUp bool) world {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("needs FUSE: ", err)
	}
	dir := t.TempDir()
	w := world{filepath.Join(dir, "object"), filepath.Join(dir, "base"), filepath.Join(dir, "at")}
	must(t, os.Mkdir(w.base, 0o755), os.Mkdir(w.at, 0o755), os.Mkdir(w.base+"/dir", 0o755),
		os.WriteFile(w.object, []byte("object"), 0o640), os.WriteFile(w.base+"/free", []byte("free"), 0o644),
		os.Chtimes(w.object, time.Unix(5, 0), time.Unix(6, 0)), unix.Setxattr(w.object, "user.kept", []byte("yes"), 0),
		os.Link(w.object, w.base+"/one"), os.Link(w.object, w.base+"/dir/two"),
		os.Symlink("one", w.object+".link"), os.Link(w.object+".link", w.base+"/link"))
	base, err := dirfd.Open(w.base)
	must(t, err)
	server, err := mount(base, w.at, copyUp, fuse.MountOptions{DirectMount: os.Geteuid() == 0})
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip("cannot mount: ", err)
	}
	must(t, err)
	t.Cleanup(func() { must(t, server.Unmount(), base.Close()) })
	return w
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// writes are the ways to change a file, one at a time.
var writes = map[string]func(path string) error{
	"write":       func(p string) error { return write(p, os.O_WRONLY) },
	"truncate":    func(p string) error { return write(p, os.O_WRONLY|os.O_TRUNC) },
	"append":      func(p string) error { return write(p, os.O_WRONLY|os.O_APPEND) },
	"resize":      func(p string) error { return os.Truncate(p, 3) },
	"chmod":       func(p string) error { return os.Chmod(p, 0o600) },
	"chown":       func(p string) error { return os.Chown(p, os.Getuid(), os.Getgid()) },
	"setxattr":    func(p string) error { return unix.Setxattr(p, "user.new", []byte("x"), 0) },
	"removexattr": func(p string) error { return unix.Removexattr(p, "user.kept") },
}

func write(path string, flags int) error {
	f, err := os.OpenFile(path, flags, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString("new")
	return errors.Join(err, f.Close())
}

func (w world) checkObject(t *testing.T, how string) {
	t.Helper()
	data, err := os.ReadFile(w.object)
	must(t, err)
	fi, err := os.Stat(w.object)
	must(t, err)
	x := make([]byte, 8)
	n, err := unix.Getxattr(w.object, "user.kept", x)
	if string(data) != "object" || fi.Mode() != 0o640 || err != nil || string(x[:n]) != "yes" {
		t.Errorf("%s: the object changed: %q %v %q %v", how, data, fi.Mode(), x, err)
	}
}

func TestReadOnly(t *testing.T) {
	w := newWorld(t, false)
	for how, change := range writes {
		for _, name := range []string{"/one", "/dir/two", "/link"} {
			if err := change(w.at + name); !errors.Is(err, unix.EROFS) {
				t.Errorf("%s %s: %v", how, name, err)
			}
		}
		w.checkObject(t, how)
	}
	if err := os.Lchown(w.at+"/link", os.Getuid(), os.Getgid()); !errors.Is(err, unix.EROFS) {
		t.Error(err)
	}
	if err := unix.Mknod(w.at+"/pipe", unix.S_IFIFO|0o600, 0); !errors.Is(err, unix.EROFS) {
		t.Error(err)
	}
	data, err := os.ReadFile(w.at + "/link")
	if string(data) != "object" || err != nil {
		t.Errorf("%q %v", data, err)
	}
	// Times belong to no content, and names to the directory.
	must(t, os.Chtimes(w.at+"/one", time.Unix(7, 0), time.Unix(8, 0)), os.Rename(w.at+"/one", w.at+"/dir/three"), os.Remove(w.at+"/dir/two"))
	if _, err := os.Lstat(w.base + "/dir/three"); err != nil {
		t.Error(err)
	}
	for how, change := range writes {
		if how == "removexattr" {
			must(t, unix.Setxattr(w.at+"/free", "user.kept", nil, 0))
		}
		if err := change(w.at + "/free"); err != nil {
			t.Errorf("%s: %v", how, err)
		}
	}
}

func TestCopyUp(t *testing.T) {
	for how, change := range writes {
		t.Run(how, func(t *testing.T) {
			w := newWorld(t, true)
			for _, name := range []string{"/one", "/dir/two"} { // the kernel knows both
				_, err := os.ReadFile(w.at + name)
				must(t, err)
			}
			must(t, change(w.at+"/dir/two"))
			w.checkObject(t, how)
			var one, two, object unix.Stat_t
			must(t, unix.Lstat(w.base+"/one", &one), unix.Lstat(w.base+"/dir/two", &two), unix.Lstat(w.object, &object))
			if one.Ino != object.Ino || two.Ino == object.Ino || two.Nlink != 1 {
				t.Errorf("inodes: object %d, one %d, two %d (%d links)", object.Ino, one.Ino, two.Ino, two.Nlink)
			}
			entries, err := os.ReadDir(w.base + "/dir")
			if len(entries) != 1 || err != nil {
				t.Errorf("left over: %v %v", entries, err)
			}
		})
	}
}

// TestCopy compares all of a copy, whose times the last call sets, with its object.
func TestCopy(t *testing.T) {
	w := newWorld(t, true)
	must(t, unix.Setxattr(w.at+"/link", "user.new", nil, 0), os.Lchown(w.at+"/link", os.Getuid(), os.Getgid()))
	data, err := os.ReadFile(w.at + "/one")
	fi, err2 := os.Stat(w.base + "/one")
	must(t, err, err2)
	if string(data) != "object" || fi.Mode() != 0o640 || fi.ModTime() != time.Unix(6, 0) {
		t.Errorf("%q %v %v", data, fi.Mode(), fi.ModTime())
	}
	target, err := os.Readlink(w.base + "/link")
	must(t, err)
	if target != "one" {
		t.Errorf("%q", target)
	}
	var st, object unix.Stat_t
	must(t, unix.Lstat(w.base+"/link", &st), unix.Lstat(w.object+".link", &object))
	if st.Nlink != 1 || object.Nlink != 1 {
		t.Errorf("%d %d links", st.Nlink, object.Nlink)
	}
}

// TestOpenFiles keeps files open over what takes their place.
func TestOpenFiles(t *testing.T) {
	w := newWorld(t, true)
	r, err := os.Open(w.at + "/one")
	must(t, err)
	defer r.Close()
	must(t, write(w.at+"/one", os.O_WRONLY|os.O_TRUNC))
	data, err := io.ReadAll(r)
	if err != nil || string(data) != "object" && string(data) != "new" {
		t.Errorf("%q %v", data, err)
	}
	f, err := os.OpenFile(w.at+"/gone", os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	must(t, err)
	defer f.Close()
	must(t, os.Remove(w.at+"/gone"))
	_, err = f.WriteString("nameless")
	fi, err2 := f.Stat()
	must(t, err, err2)
	if fi.Size() != 8 {
		t.Error(fi.Size())
	}
	if _, err := os.OpenFile(w.at+"/free", os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); !errors.Is(err, unix.EEXIST) {
		t.Error(err)
	}
	g, err := os.OpenFile(w.at+"/lock", os.O_RDONLY|os.O_CREATE, 0o600)
	must(t, err, g.Close())
}

// TestWriters lets two programs open a shared file at once: both write to the same copy.
func TestWriters(t *testing.T) {
	w := newWorld(t, true)
	var wg sync.WaitGroup
	files := make([]*os.File, 8)
	for i := range files {
		wg.Go(func() {
			var err error
			if files[i], err = os.OpenFile(w.at+"/one", os.O_WRONLY, 0); err != nil {
				t.Error(err)
				return
			}
			if _, err := files[i].WriteAt([]byte{'0' + byte(i)}, int64(i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for _, f := range files {
		if f != nil {
			must(t, f.Close())
		}
	}
	data, err := os.ReadFile(w.base + "/one")
	if string(data) != "01234567" || err != nil {
		t.Errorf("%q %v", data, err)
	}
	w.checkObject(t, "writers")
}

func TestTree(t *testing.T) {
	w := newWorld(t, false)
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `set -e; cd "$1"; umask 027
		mkdir -p a/b; echo x > a/b/c; ln a/b/c a/d; ln -s b a/l; mv a z; find z | sort; stat -c '%a %h' z/b/c; cat z/l/c
		rm -rf z; ls; df . > /dev/null`, "sh", w.at).CombinedOutput()
	if want := "z\nz/b\nz/b/c\nz/d\nz/l\n640 2\nx\ndir\nfree\nlink\none\n"; err != nil || string(out) != want {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestParse(t *testing.T) {
	for args, want := range map[string]string{
		"":                   "Missing basepath",
		"a":                  "Missing mountpoint",
		"a b c":              "Invalid argument c",
		"--bad a b":          "Invalid argument --bad",
		"a b -o":             "Invalid argument -o",
		"--copyup a b":       "",
		"-h":                 "",
		"--version x":        "",
		"-o allow_other a b": "",
	} {
		_, err := parse(strings.Fields(args))
		if got := errors.Join(err); want == "" && got != nil || want != "" && (got == nil || got.Error() != want) {
			t.Errorf("%q: %v", args, err)
		}
	}
	o, err := parse(strings.Fields("-oallow_other,fsname=x -o ro,max_read=4096 a -d b"))
	must(t, err)
	if !o.fuse.AllowOther || o.fuse.FsName != "x" || strings.Join(o.fuse.Options, ",") != "ro,max_read=4096" || !o.foreground || o.base != "a" || o.at != "b" {
		t.Errorf("%+v", o)
	}
}

// TestProgram runs the whole program: it goes into the background, and ends when unmounted.
func TestProgram(t *testing.T) {
	w := newWorld(t, false)
	at := t.TempDir()
	run := func(base string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "/proc/self/exe", base, at)
		cmd.Env = append(os.Environ(), "ROFILES_TEST_PROGRAM=1")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if text, err := run(w.base); err != nil || text != "" {
		t.Fatalf("%v: %s", err, text)
	}
	if data, err := os.ReadFile(at + "/one"); err != nil || string(data) != "object" {
		t.Errorf("%q %v", data, err)
	}
	out, err := exec.Command("fusermount3", "-u", at).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if text, err := run("/nonexistent"); err == nil || !strings.Contains(text, "opening rootfs /nonexistent") {
		t.Errorf("%v: %s", err, text)
	}
}
