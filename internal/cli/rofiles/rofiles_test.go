package rofiles

import (
	"errors"
	"fmt"
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
	"rpmostree/internal/treetest"
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
	w := newTree(t)
	base, err := dirfd.Open(w.base)
	must(t, err)
	server, err := mount(base, w.at, copyUp, fuse.MountOptions{DirectMount: os.Geteuid() == 0})
	if err != nil {
		treetest.Skip(t, "cannot mount: ", err)
	}
	t.Cleanup(func() { must(t, server.Unmount(), base.Close()) })
	return w
}

// newTree makes the tree of a world, which is not mounted.
func newTree(t *testing.T) world {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		treetest.Skip(t, "needs FUSE: ", err)
	}
	dir := t.TempDir()
	w := world{filepath.Join(dir, "object"), filepath.Join(dir, "base"), filepath.Join(dir, "at")}
	must(t, os.Mkdir(w.base, 0o755), os.Mkdir(w.at, 0o755), os.Mkdir(w.base+"/dir", 0o755),
		os.WriteFile(w.object, []byte("object"), 0o640), os.WriteFile(w.base+"/free", []byte("free"), 0o644),
		os.Chtimes(w.object, time.Unix(5, 0), time.Unix(6, 0)), unix.Setxattr(w.object, "user.kept", []byte("yes"), 0),
		os.Link(w.object, w.base+"/one"), os.Link(w.object, w.base+"/dir/two"),
		os.Symlink("one", w.object+".link"), os.Link(w.object+".link", w.base+"/link"))
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
	// It has the content of before, or of now, and ends where the name's file ends.
	data, err := io.ReadAll(r)
	if err != nil || !strings.HasPrefix("object", string(data)) && string(data) != "new" {
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

// TestNameless changes open files that have no name anymore.
func TestNameless(t *testing.T) {
	for _, copyUp := range []bool{false, true} {
		w := newWorld(t, copyUp)
		f, err := os.OpenFile(w.at+"/new", os.O_RDWR|os.O_CREATE, 0o600)
		must(t, err)
		must(t, os.Remove(w.at+"/new"), f.Truncate(5))
		fi, err := f.Stat()
		must(t, err, f.Close())
		if fi.Size() != 5 {
			t.Errorf("%d bytes after the truncation", fi.Size())
		}
		shared, err := os.Open(w.at + "/one")
		must(t, err)
		must(t, os.Remove(w.at+"/one"))
		for how, err := range map[string]error{"chmod": shared.Chmod(0o600), "chown": shared.Chown(os.Getuid(), os.Getgid())} {
			if err == nil {
				t.Errorf("%s of an object without a name", how)
			}
		}
		must(t, shared.Close())
		w.checkObject(t, "nameless")
	}
}

// TestSizeOfCopy has a file open that was replaced with a longer copy: the name stands for the
// copy, of which everything is read.
func TestSizeOfCopy(t *testing.T) {
	w := newWorld(t, true)
	old, err := os.Open(w.at + "/one")
	must(t, err)
	defer old.Close()
	must(t, write(w.at+"/one", os.O_WRONLY|os.O_APPEND))
	fi, err := os.Stat(w.at + "/one")
	must(t, err)
	data, err := os.ReadFile(w.at + "/one")
	if fi.Size() != 9 || string(data) != "objectnew" || err != nil {
		t.Errorf("%d bytes, %q, %v", fi.Size(), data, err)
	}
	w.checkObject(t, "append")
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
	mounts, err := os.ReadFile("/proc/self/mounts")
	must(t, err)
	if !strings.Contains(string(mounts), "rofiles-fuse "+at+" fuse.rofiles-fuse ") {
		t.Errorf("mounted as\n%s", mounts)
	}
	unmount(t, at)
	if text, err := run("/nonexistent"); err == nil || !strings.Contains(text, "opening rootfs /nonexistent") {
		t.Errorf("%v: %s", err, text)
	}
}

func unmount(t *testing.T, at string) {
	t.Helper()
	if out, err := exec.Command("fusermount3", "-u", at).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// TestWithoutHelper mounts as root, who needs no other program.
func TestWithoutHelper(t *testing.T) {
	treetest.NeedRoot(t)
	w := newTree(t)
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", w.base, w.at)
	cmd.Env = []string{"PATH=/nonexistent", "ROFILES_TEST_PROGRAM=1"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data, err := os.ReadFile(w.at + "/free")
	if string(data) != "free" || err != nil {
		t.Errorf("%q %v", data, err)
	}
	unmount(t, w.at)
}

// doings are what programs do in a tree. The C program lets them do the same, and they say
// the same of it. It also lets them remove attributes of objects, which ours does not.
const doings = `cat one dir/two link free none
printf new >one
printf new >>dir/two
printf new 1<>one
printf new >link
printf more >>free
printf new >made
truncate -s 3 one
truncate -s 30 free
chmod 600 one
chmod 600 link
chmod u+s dir/two
chmod 700 dir
chown 1 one
chown 1:1 link
chown -h 1:1 link
chown 1:1 dir free
setfattr -n user.new -v x one
setfattr -n user.new -v x free
getfattr --only-values -n user.kept one
getfattr --only-values -n user.new free
getfattr -n user.none free
touch -d @5 one free
touch -h -d @6 link
touch touched
stat -c '%n %F %a %u %g %s' one dir/two link free made dir touched
mv one dir/three
ln dir/three four
ln four dir
chmod 600 four
ln -s four five
readlink five link
printf new >five
cp -a dir/three six
mv six four
mkfifo pipe
mknod device c 1 3
mkdir dir new new/deep
rmdir dir
rmdir new/deep
mv new dir/new
mv dir/new/nothing new
mv free dir
mv dir/three dir/new
sed -i s/new/old/ four
dd if=/dev/zero of=zeros bs=4096 count=3 status=none
dd if=free of=zeros conv=notrunc bs=1 seek=5000 status=none
head -c 2 zeros >short; cp zeros copy; cmp zeros copy && rm zeros
install -m 750 copy dir/installed
flock lock true
flock dir/two true
python3 -c 'import os; f=open("gone","w+b"); os.unlink("gone"); f.write(b"abc"); f.flush(); os.ftruncate(f.fileno(), 2); f.seek(0); print(f.read())'
rm dir/two link
rm -r dir/new
find . ! -name '.fuse*' | sort
cat four five copy
`

// TestLikeC does all that in a tree of each program, and compares what is left.
func TestLikeC(t *testing.T) {
	treetest.NeedRoot(t)
	c := treetest.Oracle(t, "rofiles-fuse")
	for name, flags := range map[string][]string{"read-only": nil, "copyup": {"--copyup"}} {
		t.Run(name, func(t *testing.T) {
			var said [2][]string
			var left [2][]string
			for i, program := range []string{c, "/proc/self/exe"} {
				w := newTree(t)
				cmd := exec.CommandContext(t.Context(), program, append(flags, w.base, w.at)...)
				cmd.Env = append(os.Environ(), "ROFILES_TEST_PROGRAM=1")
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%s: %v: %s", program, err, out)
				}
				for line := range strings.Lines(doings) {
					cmd := exec.CommandContext(t.Context(), "sh", "-c", "umask 027; "+line)
					cmd.Dir, cmd.Env = w.at, append(os.Environ(), "LC_ALL=C")
					out, err := cmd.CombinedOutput()
					said[i] = append(said[i], fmt.Sprintf("%s%s%v", line, out, err))
				}
				unmount(t, w.at)
				w.checkObject(t, program)
				left[i] = treetest.Snapshot(t, filepath.Dir(w.base), treetest.Compare{})
			}
			for i := range said[0] {
				if said[0][i] != said[1][i] {
					t.Errorf("%s\nwant %s", said[1][i], said[0][i])
				}
			}
			if got, want := strings.Join(left[1], "\n"), strings.Join(left[0], "\n"); got != want {
				t.Errorf("left is\n%s\nwant\n%s", got, want)
			}
		})
	}
}
