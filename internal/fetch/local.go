package fetch

import (
	"fmt"
	"io"
	"os"
)

// A localError is one that has nothing to do with the network: no retry helps.
type localError struct{ err error }

func (e *localError) Error() string { return e.err.Error() }
func (e *localError) Unwrap() error { return e.err }

// openLocal opens a file from offset off on.
func openLocal(path string, off int64) (*connection, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = &localError{fmt.Errorf("%s: not a regular file", path)}
	}
	if err == nil && off > st.Size() {
		off = 0
	}
	if err == nil {
		_, err = f.Seek(off, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &connection{Reader: f, off: off, total: st.Size(), modified: st.ModTime(), close: func() { f.Close() }}, nil
}
