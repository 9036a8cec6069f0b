package dirfd

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

func open(t *testing.T) *Dir {
	t.Helper()
	d, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestWriteFileAtomic(t *testing.T) {
	d := open(t)
	for _, data := range []string{"one", "a longer second", ""} {
		if err := d.WriteFileAtomic("f", []byte(data), 0o640, true); err != nil {
			t.Fatal(err)
		}
		got, err := d.ReadFile("f", 100)
		if err != nil || string(got) != data {
			t.Fatalf("read %q, %v", got, err)
		}
	}
	st, err := d.Stat("f")
	if err != nil || st.Mode != unix.S_IFREG|0o640 {
		t.Errorf("mode %o, %v", st.Mode, err)
	}
	entries, err := d.ReadDir()
	if err != nil || len(entries) != 1 || entries[0].Type != unix.DT_REG {
		t.Errorf("left over: %v, %v", entries, err)
	}
	d.WriteFileAtomic("f", make([]byte, 101), 0o640, false)
	if _, err := d.ReadFile("f", 100); !errors.Is(err, unix.EFBIG) {
		t.Errorf("limit ignored: %v", err)
	}
}

func TestTmpFileLink(t *testing.T) {
	d := open(t)
	f, err := d.TmpFile(0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Link(d, "x"); err != nil {
		t.Fatal(err)
	}
	g, _ := d.TmpFile(0o600)
	defer g.Close()
	if err := g.Link(d, "x"); !os.IsExist(err) {
		t.Errorf("second link: %v", err)
	}
}

func TestNamesAreNotFollowed(t *testing.T) {
	d := open(t)
	outside := t.TempDir()
	os.WriteFile(filepath.Join(outside, "secret"), []byte("s"), 0o600)
	for _, err := range []error{
		d.Mkdir("sub", 0o755),
		d.Symlink(outside, "abs"),
		d.Symlink("..", "up"),
		d.Symlink("sub", "in"),
		d.Symlink(outside+"/secret", "file"),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := d.Open("abs"); err == nil {
		t.Error("Open followed a link")
	}
	if _, err := d.ReadFile("file", 10); err == nil {
		t.Error("ReadFile followed a link")
	}
	if err := d.Chmod("file", 0o777); err == nil {
		t.Error("Chmod followed a link")
	}
	for _, tt := range []struct {
		path string
		r    Resolve
		ok   bool
	}{
		{"sub", NoSymlinks, true}, {"/sub/", NoSymlinks, true}, {"", NoSymlinks, true},
		{"in", NoSymlinks, false}, {"../x", NoSymlinks, false},
		{"in", Beneath, true}, {"up", Beneath, false}, {"abs", Beneath, false},
		{"up/sub", InRoot, true}, {"abs", InRoot, false},
	} {
		sub, err := d.OpenDirBeneath(tt.path, tt.r)
		if (err == nil) != tt.ok {
			t.Errorf("OpenDirBeneath(%q, %d): %v", tt.path, tt.r, err)
		}
		if err == nil {
			sub.Close()
		}
	}
	if _, err := d.walk("in/x", unix.O_RDONLY, 0); err == nil {
		t.Error("walk followed a link")
	}
	if err := d.RemoveContents(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(outside, "secret")); err != nil {
		t.Error("RemoveContents left the tree:", err)
	}
}

func TestCreatePathAndRemove(t *testing.T) {
	d := open(t)
	sub, err := d.CreatePath("a/b//c", 0o755)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	for _, name := range []string{"x", "y", "-", "\xff"} {
		if err := sub.WriteFileAtomic(name, nil, 0o644, false); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := sub.ReadDir()
	if err != nil || len(entries) != 4 {
		t.Errorf("entries %v, %v", entries, err)
	}
	if _, err := d.CreatePath("a/../b", 0o755); err == nil {
		t.Error("CreatePath went up")
	}
	if err := d.RemoveAll("a"); err != nil {
		t.Fatal(err)
	}
	if err := d.RemoveAll("a"); err != nil {
		t.Errorf("missing name: %v", err)
	}
	if ok, err := d.Exists("a"); ok || err != nil {
		t.Errorf("Exists: %v, %v", ok, err)
	}
}

func TestManyEntries(t *testing.T) {
	d := open(t)
	var want []string
	for i := range 3000 {
		name := string(rune('a'+i%26)) + string(bytes.Repeat([]byte{'x'}, i%200)) + "-" + filepath.Base(t.Name()) + string(rune('0'+i/300)) + "-" + string(rune(0x4e00+i))
		if err := d.WriteFileAtomic(name, nil, 0o600, false); err != nil {
			t.Fatal(err)
		}
		want = append(want, name)
	}
	entries, err := d.ReadDir()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d entries, want %d", len(got), len(want))
	}
}

func TestXattrs(t *testing.T) {
	d := open(t)
	d.WriteFileAtomic("f", nil, 0o600, false)
	big := bytes.Repeat([]byte("v"), 1000)
	if err := d.SetXattr("f", "user.z", big); err != nil {
		t.Skip("no user xattrs here:", err)
	}
	d.SetXattr("f", "user.a", []byte{0, 1})
	got, err := d.Xattrs("f")
	if err != nil || len(got) != 2 || got[0].Name != "user.a" || !bytes.Equal(got[1].Value, big) {
		t.Errorf("xattrs %v, %v", got, err)
	}
	if err := d.RemoveXattr("f", "user.a"); err != nil {
		t.Fatal(err)
	}
	if got, _ := d.Xattrs("f"); len(got) != 1 {
		t.Errorf("after removal: %v", got)
	}
	if got, err := d.Xattrs(""); err != nil || len(got) != 0 {
		t.Errorf("directory: %v, %v", got, err)
	}
}

func TestCopyFile(t *testing.T) {
	d := open(t)
	for _, size := range []int{0, 1, 300 << 10} {
		data := bytes.Repeat([]byte("abcdefg"), size/7+1)[:size]
		d.WriteFileAtomic("src", data, 0o600, false)
		src, err := d.OpenFile("src", unix.O_RDONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		for name, copy := range map[string]func(dst, src int) error{"kernel": CopyFile, "memory": copyThrough} {
			dst, err := d.TmpFile(0o600)
			if err != nil {
				t.Fatal(err)
			}
			if err := copy(int(dst.Fd()), int(src.Fd())); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			dst.Replace(d, "dst")
			dst.Close()
			if got, _ := d.ReadFile("dst", 1<<20); !bytes.Equal(got, data) {
				t.Errorf("%s: %d bytes of %d", name, len(got), size)
			}
		}
		src.Close()
	}
}
