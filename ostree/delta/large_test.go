package delta

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

// TestLargeFile makes a file that is larger than what is kept in memory out of a source
// that is too: of bytes of the source, of bytes of the blob, and of the source with a patch.
func TestLargeFile(t *testing.T) {
	source := make([]byte, maxInMemory+maxInMemory/4)
	rand.NewChaCha8([32]byte{1}).Read(source)
	diff := make([]byte, len(source))
	for i := 0; i < len(diff); i += 100_003 {
		diff[i] = byte(i + 1)
	}
	patched := slices.Clone(source)
	for i, x := range diff {
		patched[i] += x
	}
	header := ostree.FileHeader{Mode: 0o100644}
	zeros := make([]byte, spillMemory+10)
	target := slices.Concat(source[maxInMemory/2:], zeros, patched, []byte("more"))
	sum, err := ostree.FileChecksum(header, bytes.NewReader(target))
	if err != nil {
		t.Fatal(err)
	}
	from, err := ostree.FileChecksum(header, bytes.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	patch := appendBSInt(appendBSInt(appendBSInt(nil, int64(len(diff))), 4), 0)
	patch = slices.Concat(patch, diff, []byte("more"))
	f := newForger(ostree.ObjectName{Type: ostree.ObjectFile, Checksum: sum})
	f.blob = slices.Concat(from[:], zeros, patch)
	f.op(opOpen, 0, 0, uint64(len(target))).op(opSetSource, 0).op(opWrite, uint64(len(source)-maxInMemory/2), maxInMemory/2).
		op(opUnsetSource).op(opWrite, uint64(len(zeros)), uint64(len(from))).
		op(opSetSource, 0).op(opBSPatch, uint64(len(from)+len(zeros)), uint64(len(patch))).op(opClose)
	part := packed(t, f.payload())
	if part[0] != partXZ {
		t.Fatal("the part is not compressed")
	}
	for _, mode := range []repo.Mode{repo.BareUserOnly, repo.Archive} {
		r := newRepo(t, mode)
		tx, err := r.Begin(t.Context(), repo.TransactionOptions{NoFsync: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.WriteFile(header, int64(len(source)), bytes.NewReader(source)); err != nil {
			t.Fatal(err)
		}
		u := &Unpacker{Dir: t.TempDir()}
		for range 2 { // the second time, it is there
			if _, err := u.ApplyPart(t.Context(), tx, PartMeta{Objects: f.objects, USize: uint64(len(target))}, fileOf(part)); err != nil {
				t.Errorf("%s: %v", mode, err)
			}
		}
		if err := u.Close(); err != nil {
			t.Error(err)
		}
		if ok, err := tx.Has(ostree.ObjectFile, sum); !ok || err != nil {
			t.Errorf("%s: it is not there: %v", mode, err)
		}
		if err := tx.Abort(); err != nil {
			t.Error(err)
		}
	}
}
