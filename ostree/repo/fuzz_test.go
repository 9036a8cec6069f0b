package repo

import (
	"archive/tar"
	"bytes"
	"compress/flate"
	"context"
	"io"
	"strings"
	"testing"

	"rpmostree/internal/keyfile"
	"rpmostree/ostree"
)

// archived is an archived file as another program would write it.
func archived(t testing.TB, h ostree.FileHeader, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	b.Write(ostree.Framed(ostree.ZFileHeader{Size: uint64(len(content)), FileHeader: h}.Marshal()))
	if ostree.IsRegular(h.Mode) {
		w, err := flate.NewWriter(&b, 6)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(content)
		w.Close()
	}
	return b.Bytes()
}

// FuzzArchived reads what a server may send as a file object.
func FuzzArchived(f *testing.F) {
	f.Add(archived(f, ostree.FileHeader{Mode: 0o100644}, []byte("hello")))
	f.Add(archived(f, ostree.FileHeader{Mode: 0o100755, UID: 1, Xattrs: []ostree.Xattr{{Name: "user.a", Value: []byte("b")}}}, nil))
	f.Add(archived(f, ostree.FileHeader{Mode: 0o120777, Target: "x"}, nil))
	f.Add(archived(f, ostree.FileHeader{Mode: 0o100644}, bytes.Repeat([]byte{0}, 100_000)))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, size, content, err := readArchived(bytes.NewReader(data))
		if err != nil {
			return
		}
		defer content.Close()
		n, err := io.Copy(io.Discard, io.LimitReader(content, 1<<20))
		if err == nil && n != size && n < 1<<20 {
			t.Errorf("read %d bytes, header says %d", n, size)
		}
		if err := h.Validate(); err != nil {
			t.Errorf("invalid header accepted: %v", err)
		}
	})
}

func FuzzLists(f *testing.F) {
	f.Add("=420 /a\n+0x8 /b c\n# x\n2048 /usr/bin/su\n", "6q3pVFBtcRKaWaw3r0_Ptz2MDZCP3nLVLAGKvrFZqPg")
	f.Fuzz(func(t *testing.T, text, name string) {
		if s, err := ParseStatOverride(text); err == nil {
			for _, p := range s.Unmatched() {
				if _, ok := s.match(p); !ok {
					t.Errorf("path %q is listed but not found", p)
				}
			}
			if left := s.Unmatched(); len(left) != 0 {
				t.Errorf("unmatched: %q", left)
			}
		}
		ParseSkipList(text)
		parseDeltaName(name)
		SplitRefArgument(name)
	})
}

// FuzzImportTar commits what may be a tar or cpio file, compressed or not.
func FuzzImportTar(f *testing.F) {
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	for _, h := range []tar.Header{
		{Typeflag: tar.TypeDir, Name: "./", Mode: 0o755},
		{Typeflag: tar.TypeReg, Name: "a", Mode: 0o644, Size: 2, PAXRecords: map[string]string{"SCHILY.xattr.user.x": "y"}},
		{Typeflag: tar.TypeLink, Name: "b", Linkname: "a"},
		{Typeflag: tar.TypeSymlink, Name: "c", Linkname: "../x"},
	} {
		if err := w.WriteHeader(&h); err != nil {
			f.Fatal(err)
		}
		w.Write([]byte("hi")[:h.Size])
	}
	w.Close()
	f.Add(plain.Bytes())
	f.Add([]byte("070701" + strings.Repeat("00000001", 13) + "\x00"))
	f.Add([]byte("\x1f\x8b\x08\x00"))
	r := newRepo(f, BareUserOnly)
	f.Fuzz(func(t *testing.T, data []byte) {
		tx, err := r.Begin(context.Background(), TransactionOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Abort()
		tr, err := tx.ImportTar(bytes.NewReader(data), ImportOptions{}, TarOptions{AutocreateParents: true})
		if err != nil {
			return
		}
		if _, _, err := tr.Write(tx); err != nil {
			t.Errorf("tree of a tar file: %v", err)
		}
	})
}

// FuzzConfig reads a repository's configuration.
func FuzzConfig(f *testing.F) {
	f.Add("[core]\nrepo_version=1\nmode=bare-split-xattrs\nmin-free-space-size=12GB\nlock-timeout-secs=-1\n[archive]\nzlib-level=9\n")
	f.Add("[core]\nrepo_version=1\nmode=archive\ncollection-id=a.b\nparent=..\n[ex-integrity]\ncomposefs=yes\n")
	f.Fuzz(func(t *testing.T, text string) {
		k, err := keyfile.Parse([]byte(text))
		if err != nil {
			return
		}
		s, err := parseSettings(k, false, true)
		if err == nil && (s.minFree.percent < 0 || s.minFree.percent > 99 || s.zlibLevel < 1 || s.zlibLevel > 9) {
			t.Errorf("accepted %+v", s)
		}
	})
}

// FuzzBareUserMeta reads the attribute that bare-user repositories keep metadata in, and the
// attributes of bare-split-xattrs ones.
func FuzzBareUserMeta(f *testing.F) {
	f.Add(ostree.DirMeta{UID: 1, GID: 2, Mode: 0o100644, Xattrs: []ostree.Xattr{{Name: "user.a", Value: []byte("b")}}}.Marshal())
	f.Add(ostree.MarshalXattrs([]ostree.Xattr{{Name: "user.a", Value: []byte("b")}, {Name: "user.b", Value: nil}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := ostree.ParseFileMeta(data); err == nil && !bytes.Equal(m.Marshal(), data) {
			t.Errorf("%+v is written as %x", m, m.Marshal())
		}
		if list, err := ostree.ParseXattrs(data); err == nil && !bytes.Equal(ostree.MarshalXattrs(list), data) {
			t.Errorf("%+v is written as %x", list, ostree.MarshalXattrs(list))
		}
	})
}

func TestWriteArchivedRefuses(t *testing.T) {
	h := ostree.FileHeader{Mode: 0o100644}
	good := archived(t, h, []byte("some content"))
	want, _ := ostree.FileChecksum(h, bytes.NewReader([]byte("some content")))
	short := ostree.Framed(ostree.ZFileHeader{Size: 5, FileHeader: h}.Marshal())
	long := ostree.Framed(ostree.ZFileHeader{Size: 500, FileHeader: h}.Marshal())
	header := len(short)
	for _, mode := range []Mode{Archive, BareUser} {
		r := newRepo(t, mode)
		tx, err := r.Begin(context.Background(), TransactionOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for name, data := range map[string][]byte{
			"empty": nil, "cut": good[:len(good)-3], "header only": good[:header], "cut header": good[:header-1],
			"size too small": append(short, good[header:]...), "size too large": append(long, good[header:]...),
			"other content": archived(t, h, []byte("same content")),
		} {
			if err := tx.WriteArchived(want, bytes.NewReader(data)); err == nil {
				t.Errorf("%s: %s accepted", mode, name)
			}
		}
		if mode == Archive {
			if err := tx.WriteArchived(want, bytes.NewReader(append(bytes.Clone(good), 'x'))); err == nil {
				t.Error("data behind the end accepted")
			}
		}
		if err := tx.WriteArchived(want, bytes.NewReader(good)); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
		if _, err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if b, err := r.ReadFile(want, 100); err != nil || string(b) != "some content" {
			t.Errorf("%q, %v", b, err)
		}
		fsckClean(t, r)
	}
}
