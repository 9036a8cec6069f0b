package repo

import (
	"bytes"
	"compress/flate"
	"context"
	"io"
	"testing"

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
