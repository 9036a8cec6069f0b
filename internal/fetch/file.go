package fetch

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// partSuffix is appended to the name of a file that is not complete yet.
const partSuffix = ".part"

// File fetches the content to a file, which appears at path only when it is
// complete and verified; an existing one is replaced. If the request has a
// checksum, an interrupted transfer leaves path+".part" behind and is continued
// by the next call. The file is not synced to disk.
func (c *Client) File(ctx context.Context, req Request, path string) (Result, error) {
	b, err := c.newBody(ctx, &req)
	if err != nil {
		return Result{}, err
	}
	defer b.Close()
	part, err := openPart(path, len(req.Checksums) > 0)
	if err != nil {
		return Result{}, err
	}
	defer part.Close()
	complete, err := b.resume(part)
	if err == nil && !complete {
		err = b.copyTo(part, func() error { return truncate(part) })
	}
	switch {
	case err != nil && (startAnew(err) || len(req.Checksums) == 0), err == nil && b.result.NotModified:
		os.Remove(part.Name())
	case err == nil:
		err = os.Rename(part.Name(), path)
	}
	return b.Result(), err
}

// openPart opens the temporary file. If another process is writing it, or if it
// could not be continued anyway, one with a name of its own is made.
func openPart(path string, keep bool) (*os.File, error) {
	if keep {
		f, err := os.OpenFile(path+partSuffix, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o644)
		if err != nil {
			return nil, err
		}
		if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil && stillNamed(f) {
			return f, nil
		}
		f.Close()
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+partSuffix)
	if err != nil {
		return nil, err
	}
	if err := f.Chmod(0o644); err != nil {
		f.Close()
		os.Remove(f.Name())
		return nil, err
	}
	return f, nil
}

// stillNamed reports whether f was not renamed between open and lock.
func stillNamed(f *os.File) bool {
	a, err1 := f.Stat()
	b, err2 := os.Lstat(f.Name())
	return err1 == nil && err2 == nil && os.SameFile(a, b) && a.Mode().IsRegular()
}

// resume hashes what an earlier call has left in part, and reports whether
// nothing is missing.
func (b *Body) resume(part *os.File) (complete bool, err error) {
	n, err := io.Copy(writerFunc(b.sum.write), part)
	if err != nil {
		return false, err
	}
	if n == 0 {
		return false, nil
	}
	if b.req.Size > 0 && n >= b.req.Size {
		b.result.URL = b.plan.sources[0].url
		b.off = n
		if n == b.req.Size && b.sum.check(b.result.URL) == nil {
			return true, nil
		}
		b.rewind()
		return false, truncate(part)
	}
	b.off, b.resumed = n, true
	return false, nil
}

func truncate(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("truncating: %w", err)
	}
	_, err := f.Seek(0, io.SeekStart)
	return err
}

type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}
