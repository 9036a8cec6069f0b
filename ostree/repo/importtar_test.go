package repo

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"rpmostree/ostree/tree"

	"golang.org/x/sys/unix"
)

// member is an entry of a test archive.
type member struct {
	name, content, target string
	kind                  byte
	mode                  int64
}

var archive = []member{
	{name: "./", kind: tar.TypeDir, mode: 0o755},
	{name: "./dir/", kind: tar.TypeDir, mode: 0o700},
	{name: "./dir/file", kind: tar.TypeReg, mode: 0o644, content: "hello\n"},
	{name: "/dir/empty", kind: tar.TypeReg, mode: 0o600},
	{name: "dir/link", kind: tar.TypeSymlink, mode: 0o777, target: "../x"},
	{name: "dir/hard", kind: tar.TypeLink, target: "dir/file"},
	{name: "dir/file", kind: tar.TypeReg, mode: 0o755, content: "again"},
}

func tarBytes(t testing.TB, members []member) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Typeflag: m.kind, Mode: m.mode, Size: int64(len(m.content)), Linkname: m.target, Uid: 1, Gid: 2}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, m.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// cpioBytes writes the newc format. Links of a file have an inode number in common.
func cpioBytes(members []member, inode func(member) (number, links int)) []byte {
	var buf bytes.Buffer
	put := func(ino, mode, links int, name, content string) {
		fmt.Fprintf(&buf, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\x00",
			ino, mode, 1, 2, links, 0, len(content), 0, 0, 0, 0, len(name)+1, 0, name)
		buf.Write(make([]byte, -buf.Len()&3))
		buf.WriteString(content)
		buf.Write(make([]byte, -buf.Len()&3))
	}
	for _, m := range members {
		ino, links := inode(m)
		kind := map[byte]int{tar.TypeDir: 0o040000, tar.TypeReg: 0o100000, tar.TypeSymlink: 0o120000, tar.TypeFifo: 0o010000}[m.kind]
		put(ino, kind|int(m.mode), links, strings.TrimSuffix(m.name, "/"), m.content+m.target)
	}
	put(0, 0, 1, "TRAILER!!!", "")
	return buf.Bytes()
}

func importArchive(t *testing.T, data []byte, o ImportOptions, to TarOptions) (tree.Tree, error) {
	t.Helper()
	r, err := Init(t.TempDir(), InitOptions{Mode: Archive})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	tx, err := r.Begin(t.Context(), TransactionOptions{NoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tx.Abort() })
	return tx.ImportTar(bytes.NewReader(data), o, to)
}

func paths(t *testing.T, tr tree.Tree) string {
	t.Helper()
	var out []string
	if err := tr.Walk(func(p string, e tree.Entry) error { out = append(out, p); return nil }); err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

func TestImportTar(t *testing.T) {
	got, err := importArchive(t, tarBytes(t, archive), ImportOptions{}, TarOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if p := paths(t, got); p != "/ /dir /dir/empty /dir/file /dir/hard /dir/link" {
		t.Error(p)
	}
	file, err1 := got.Lookup("/dir/file")
	hard, err2 := got.Lookup("/dir/hard")
	if err := errors.Join(err1, err2); err != nil || file.Checksum != hard.Checksum {
		t.Errorf("a hard link is not what it links to at the end: %v", err)
	}
}

// TestCpio reads the same files as cpio and as tar, with the content of a file of several
// names at the last of them.
func TestCpio(t *testing.T) {
	members := []member{
		{name: ".", kind: tar.TypeDir, mode: 0o755},
		{name: "a", kind: tar.TypeReg, mode: 0o644, content: "x"},
		{name: "link", kind: tar.TypeSymlink, mode: 0o777, target: "a"},
	}
	want, err := importArchive(t, tarBytes(t, append(members, member{name: "one", kind: tar.TypeReg, mode: 0o600, content: "many"},
		member{name: "three", kind: tar.TypeLink, target: "one"}, member{name: "two", kind: tar.TypeLink, target: "one"})), ImportOptions{}, TarOptions{})
	if err != nil {
		t.Fatal(err)
	}
	linked := append(members, member{name: "two", kind: tar.TypeReg, mode: 0o600}, member{name: "three", kind: tar.TypeReg, mode: 0o600},
		member{name: "one", kind: tar.TypeReg, mode: 0o600, content: "many"})
	got, err := importArchive(t, cpioBytes(linked, func(m member) (int, int) {
		if m.mode == 0o600 {
			return 7, 3
		}
		return len(m.name), 1
	}), ImportOptions{}, TarOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for c, err := range tree.Diff(want, got) {
		t.Errorf("%s differs: %v", c.Path, err)
	}
	if p := paths(t, got); p != "/ /a /link /one /three /two" {
		t.Error(p)
	}
}

func TestImportTarErrors(t *testing.T) {
	for _, c := range []struct {
		name, want string
		members    []member
	}{
		{"uplink", "uplink", []member{{name: "a/../../b", kind: tar.TypeReg}}},
		{"device", "Unsupported file type", []member{{name: "./", kind: tar.TypeDir}, {name: "dev", kind: tar.TypeChar}}},
		{"no parent", "No such file or directory: x", []member{{name: "./", kind: tar.TypeDir}, {name: "x/y", kind: tar.TypeReg}}},
		{"directory over file", "Can't replace file with directory", []member{{name: "./", kind: tar.TypeDir}, {name: "x", kind: tar.TypeReg}, {name: "x/", kind: tar.TypeDir}}},
		{"file over directory", "Can't replace directory with file", []member{{name: "./", kind: tar.TypeDir}, {name: "x/", kind: tar.TypeDir}, {name: "x", kind: tar.TypeReg}}},
		{"hard link to nothing", "ostree-tar: Processing deferred hardlink y: Failed to find object", []member{{name: "./", kind: tar.TypeDir}, {name: "x", kind: tar.TypeLink, target: "y"}}},
		{"hard link to a directory", "Expected hardlink file target at \"d\"", []member{{name: "./", kind: tar.TypeDir}, {name: "d/", kind: tar.TypeDir}, {name: "x", kind: tar.TypeLink, target: "d"}}},
		{"not a directory", "No such file or directory: x", []member{{name: "./", kind: tar.TypeDir}, {name: "x", kind: tar.TypeSymlink, target: "/etc"}, {name: "x/passwd", kind: tar.TypeReg}}},
		{"root", "root of an archive is not a directory", []member{{name: "./", kind: tar.TypeSymlink, target: "/etc"}}},
		{"long path", "is too long", []member{{name: "./", kind: tar.TypeDir}, {name: strings.Repeat("x/", maxArchivePath/2) + "y", kind: tar.TypeReg}}},
		{"bad UTF-8", "UTF-8", []member{{name: "./", kind: tar.TypeDir}, {name: "x\xff", kind: tar.TypeReg}}},
	} {
		_, err := importArchive(t, tarBytes(t, c.members), ImportOptions{}, TarOptions{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	one := []member{{name: "x/y/z", kind: tar.TypeReg, mode: 0o644}}
	got, err := importArchive(t, tarBytes(t, one), ImportOptions{}, TarOptions{AutocreateParents: true})
	if err != nil || paths(t, got) != "/ /x /x/y /x/y/z" {
		t.Errorf("with parents: %v", err)
	}
}

// TestCpioEmptyFiles: of empty files with several links, the first name that came is returned
// first.
func TestCpioEmptyFiles(t *testing.T) {
	var names []member
	for i := range 40 {
		names = append(names, member{name: fmt.Sprintf("f%02d", i/2*2+1-i%2), kind: tar.TypeReg})
	}
	in, err := newArchiveReader(bytes.NewReader(cpioBytes(names, func(m member) (int, int) { return 7 + int(m.name[1]-'0')*10 + int(m.name[2]-'0')/2, 2 })))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range names {
		if h, err := in.Next(); err != nil || h.Name != m.name {
			t.Fatalf("%v, %v in place of %s", h, err, m.name)
		}
	}
	if _, err := in.Next(); err != io.EOF {
		t.Error(err)
	}
}

// TestTarLinkSize has hard links with contents of sizes that there cannot be.
func TestTarLinkSize(t *testing.T) {
	for _, size := range []string{"-5", "9223372036854775807", "9223372036854775300"} {
		var buf bytes.Buffer
		w := tar.NewWriter(&buf)
		for _, h := range []*tar.Header{
			{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755},
			{Name: "x", Typeflag: tar.TypeLink, Linkname: "y", PAXRecords: map[string]string{"SIZE": size}},
		} {
			if err := w.WriteHeader(h); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		data := bytes.Replace(buf.Bytes(), []byte("SIZE="), []byte("size="), 1)
		if _, err := importArchive(t, data, ImportOptions{}, TarOptions{}); err == nil || err.Error() != "Damaged tar archive" {
			t.Errorf("size %s: %v", size, err)
		}
	}
}

// TestArchiveLimits has more of everything than an import keeps.
func TestArchiveLimits(t *testing.T) {
	for _, tt := range []struct {
		before archiveCount
		want   string
	}{
		{archiveCount{entries: maxArchiveEntries - 1}, ""},
		{archiveCount{entries: maxArchiveEntries}, "Archive has more than 10485760 entries"},
		{archiveCount{names: maxArchiveNames - 2}, ""},
		{archiveCount{names: maxArchiveNames - 1}, "Paths in archive have more than 1073741824 bytes"},
	} {
		err := tt.before.add(&tar.Header{Name: "a", Linkname: "b"})
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || err.Error() != tt.want) {
			t.Errorf("error %v, want %q", err, tt.want)
		}
	}
	// What waits for its content counts, too.
	links := make([]member, 5)
	for i := range links {
		links[i] = member{name: strings.Repeat("x", i+1), kind: tar.TypeReg}
	}
	in, err := newArchiveReader(bytes.NewReader(cpioBytes(links, func(member) (int, int) { return 7, 9 })))
	if err != nil {
		t.Fatal(err)
	}
	in.(*cpioReader).count.entries = maxArchiveEntries - 4
	if _, err := in.Next(); err == nil || !strings.Contains(err.Error(), "entries") {
		t.Errorf("links without a content: %v", err)
	}
}

// endless is a tar file of one entry that goes on forever: its size is a field of the header.
type endless struct {
	header io.Reader
	read   int64
}

func (e *endless) Read(b []byte) (int, error) {
	if n, err := e.header.Read(b); n > 0 || err != io.EOF {
		return n, err
	}
	clear(b)
	e.read += int64(len(b))
	return len(b), nil
}

// TestHugeFile says that it has a file of more than the disk holds: that is told before any
// of it is read.
func TestHugeFile(t *testing.T) {
	for _, mode := range []Mode{Archive, BareUser} {
		r := newRepo(t, mode)
		tx, err := r.Begin(t.Context(), TransactionOptions{NoFsync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Abort()
		var buf bytes.Buffer
		w := tar.NewWriter(&buf)
		for _, h := range []*tar.Header{{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755}, {Name: "x", Mode: 0o644, Size: 1 << 60, Format: tar.FormatGNU}} {
			if err := w.WriteHeader(h); err != nil {
				t.Fatal(err)
			}
		}
		in := &endless{header: &buf}
		_, err = tx.ImportTar(in, ImportOptions{CanonicalPermissions: true}, TarOptions{})
		var space *NoSpaceError
		if !errors.As(err, &space) || in.read > 1<<20 {
			t.Errorf("%s: error %v after %d bytes", mode, err, in.read)
		}
	}
}

func FuzzArchive(f *testing.F) {
	f.Add(tarBytes(f, archive))
	f.Add(cpioBytes(archive[:4], func(member) (int, int) { return 1, 2 }))
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := newArchiveReader(bytes.NewReader(data))
		for range 1000 {
			if err != nil {
				return
			}
			_, err = in.Next()
			if err == nil {
				_, err = io.Copy(io.Discard, in)
			}
		}
	})
}

// TestAdopt commits a directory that is given away: its files become the objects.
func TestAdopt(t *testing.T) {
	dir := t.TempDir()
	src := dir + "/src"
	ino := writeInode(t, src, "file", "content")
	r, err := Init(dir+"/repo", InitOptions{Mode: BareUserOnly})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	tx, err := r.Begin(t.Context(), TransactionOptions{NoFsync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Abort()
	got, err := tx.ImportDir(src, ImportOptions{Consume: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	e, err := got.Lookup("/file")
	if err != nil {
		t.Fatal(err)
	}
	if now := inode(t, r.ObjectPath(1, e.Checksum)); now != ino {
		t.Errorf("the object has inode %d, the file had %d", now, ino)
	}
	if _, err := r.Fsck(t.Context(), FsckOptions{}); err != nil {
		t.Error(err)
	}
}

func writeInode(t *testing.T, dir, name, content string) uint64 {
	t.Helper()
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(dir+"/"+name, []byte(content), 0o644)); err != nil {
		t.Fatal(err)
	}
	return inode(t, dir+"/"+name)
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st.Ino
}
