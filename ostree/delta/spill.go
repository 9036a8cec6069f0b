package delta

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// spillMemory is how much a spill has on the heap, in bytes.
const spillMemory = 1 << 20

// A spill takes what is written to it, and gives it back in any order. What is more than
// spillMemory goes to a file without a name in the directory dir.
type spill struct {
	dir  string
	size int64
	mem  []byte
	file *os.File
}

func (s *spill) Write(p []byte) (n int, err error) {
	if s.file == nil && s.size+int64(len(p)) <= spillMemory {
		s.mem = append(s.mem, p...)
		s.size += int64(len(p))
		return len(p), nil
	}
	if s.file == nil {
		if s.file, err = unlinked(s.dir); err != nil {
			return 0, err
		}
		if _, err := s.file.Write(s.mem); err != nil {
			return 0, err
		}
		s.mem = nil
	}
	n, err = s.file.Write(p)
	s.size += int64(n)
	return n, err
}

func (s *spill) ReadAt(p []byte, off int64) (int, error) {
	if s.file != nil {
		return s.file.ReadAt(p, off)
	}
	return bytes.NewReader(s.mem).ReadAt(p, off)
}

// section reads all of it.
func (s *spill) section() *io.SectionReader { return io.NewSectionReader(s, 0, s.size) }

// content returns all of it. The spill must not change before the content is closed.
func (s *spill) content() (*content, error) {
	if s.file != nil {
		return mapFile(s.file, s.size)
	}
	return &content{data: s.mem}, nil
}

// reset makes it empty.
func (s *spill) reset() error {
	s.mem, s.size = s.mem[:0], 0
	return s.Close()
}

// Close releases what is in it.
func (s *spill) Close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	s.file = nil
	return err
}

// unlinked makes a temporary file without a name.
func unlinked(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "ostree-delta-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
