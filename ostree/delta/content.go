package delta

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"rpmostree/ostree"
	"rpmostree/ostree/repo"
)

// maxInMemory is how large the content of a file may be to be kept on the heap, in
// bytes. A larger one is mapped, so that the kernel can take its memory back.
const maxInMemory = 4 << 20

// A content is all of a file, to be read in any order.
type content struct {
	data   []byte
	mapped bool
}

// readContent reads a file object. If it is large, and compressed in the repository, it
// goes to a temporary file in the directory tmp.
func readContent(o *repo.Objects, tmp string, sum ostree.Checksum) (*content, error) {
	_, size, body, err := o.File(sum)
	if err != nil {
		return nil, err
	}
	if body == nil {
		return nil, errors.New("not a regular file")
	}
	defer body.Close()
	if size <= maxInMemory {
		data := make([]byte, size)
		_, err := io.ReadFull(body, data)
		return &content{data: data}, err
	}
	f, err := unlinked(tmp)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if n, err := io.Copy(f, body); err != nil || n != size {
		return nil, errors.Join(err, io.ErrUnexpectedEOF)
	}
	return mapFile(f, size)
}

// mapFile maps all of a file, which may be closed then.
func mapFile(f *os.File, size int64) (*content, error) {
	data, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return &content{data, true}, nil
}

func (c *content) close() error {
	if !c.mapped {
		return nil
	}
	return unix.Munmap(c.data)
}

// unlinked makes a temporary file without a name.
func unlinked(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "ostree-delta-source-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
